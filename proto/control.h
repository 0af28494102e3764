/*
 * control.h: the objects beside the events: {"op":"live","at":"ID"} and its kin, the same JSON in
 * SSE and in WebSocket.
 *
 * Each control_* function appends one object. A `ref` is raw JSON as op_parse gave it; an empty one
 * is left out. Channel names must be valid (event_channel_fault); other texts must be UTF-8.
 */
#ifndef PROTO_CONTROL_H
#define PROTO_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/error.h"
#include "proto/slice.h"

void control_welcome(struct out *o, uint64_t at, uint32_t beat_s, struct slice connection);
void control_live(struct out *o, uint64_t at);
void control_gap(struct out *o, struct slice channel, uint64_t after, uint64_t at);
void control_subscribed(struct out *o, struct slice channel, uint64_t at, struct slice ref);
/* reason: "deleted", "forbidden", or empty: the client asked for it. */
void control_unsubscribed(
    struct out *o, struct slice channel, struct slice reason, struct slice ref);
void control_published(struct out *o, uint64_t id, bool duplicate, struct slice ref);
void control_pong(struct out *o, uint64_t at, struct slice ref);
void control_error(struct out *o, enum error_code code, struct slice message, struct slice ref);

enum control_kind {
	CONTROL_WELCOME,
	CONTROL_LIVE,
	CONTROL_GAP,
	CONTROL_SUBSCRIBED,
	CONTROL_UNSUBSCRIBED,
	CONTROL_PUBLISHED,
	CONTROL_PONG,
	CONTROL_ERROR,
	CONTROL_OTHER, /* an op of a later version: to be ignored */
};

/*
 * What a client received. A member that was absent, or of the wrong kind, is 0 or an empty slice.
 */
struct control {
	enum control_kind kind;
	bool duplicate;
	uint32_t beat_s;
	uint64_t at;
	uint64_t after;
	uint64_t id;
	struct slice channel;
	struct slice connection;
	struct slice reason;
	struct slice code;
	struct slice message;
	struct slice ref; /* raw JSON */
};

/* Parses a control object, on the client's side. False: not an object with a string "op". */
bool control_parse(struct control *control, struct slice text, struct out *scratch);

#endif
