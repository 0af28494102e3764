/*
 * event.h: one event: from what publishers send to its canonical form, and to the JSON object that
 * clients see.
 *
 * Canonical form: a JSON string and a text are the same event (EVENT_TEXT, unescaped); any other
 * JSON value is kept byte for byte without the white space around it; absent data is the JSON value
 * null; data64 and other bodies are EVENT_BINARY. All slices of a struct event point into the input
 * or, where something had to be unescaped or decoded, into the caller's scratch; they live as long
 * as both. A scratch with room for the input's length is always enough.
 *
 * Sizes of data are the caller's business (max_event_bytes); all else of an event is checked here.
 */
#ifndef PROTO_EVENT_H
#define PROTO_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/error.h"
#include "proto/json.h"
#include "proto/slice.h"
#include "shm/limits.h"

/* The values are kept in shared memory: only add. */
enum event_kind {
	EVENT_JSON = 0, /* any JSON value but a string */
	EVENT_TEXT = 1, /* UTF-8 */
	EVENT_BINARY = 2,
};

struct event {
	uint64_t id; /* 0 until the ring gave one */
	enum event_kind kind;
	uint32_t channel_count;
	struct slice type; /* never empty: "message" when the publisher gave none */
	struct slice data;
	struct slice key; /* idempotency; bytes is NULL when there is none */
	struct slice channels[LIMIT_EVENT_CHANNELS];
};

/*
 * Why something was refused: the error word, the place in the JSON text ("[3].channel", "" for the
 * whole), and words for a human.
 */
struct event_fault {
	enum error_code code;
	char path[48];
	char message[168];
};

/* Empty: no channel, the type "message", data null, no key. */
void event_clear(struct event *event);

/* Each checks and sets one part. False: the fault tells why. Channels given twice are kept once. */
bool event_add_channel(struct event *event, struct slice name, struct event_fault *fault);
bool event_set_type(struct event *event, struct slice type, struct event_fault *fault);
bool event_set_key(struct event *event, struct slice key, struct event_fault *fault);

/*
 * How the bytes of a body become data when the channel is named elsewhere (`POST
 * /publish?channel=x`, `POST /events?channel=x`).
 */
enum event_body {
	EVENT_BODY_JSON,   /* application/json, +json */
	EVENT_BODY_TEXT,   /* text/... */
	EVENT_BODY_GUESS,  /* no type, or form: text if it is UTF-8, else binary */
	EVENT_BODY_BINARY, /* anything else */
};
bool event_set_body(struct event *event, enum event_body how, struct slice body,
    struct out *scratch, struct event_fault *fault);

/*
 * Parses one envelope {"channel","type","data" or "data64","key"}; unknown members are ignored, of
 * repeated ones the last counts.
 */
bool event_parse_envelope(
    struct event *event, struct slice text, struct out *scratch, struct event_fault *fault);

/* A body of one envelope or an array of them, one after the other. */
struct event_batch {
	struct json_walk walk;
	struct slice one;
	uint32_t next; /* index of the envelope that comes next: afterwards, how many there were */
	bool many;     /* an array: the answer is "ids" even for one */
};
bool event_batch_open(struct event_batch *batch, struct slice body, struct event_fault *fault);

/*
 * Returns 1 and the next event, 0 after the last, -1 with the fault (its path begins with "[index]"
 * in an array).
 */
int event_batch_next(
    struct event_batch *batch, struct event *event, struct out *scratch, struct event_fault *fault);

/*
 * Parses form fields (application/x-www-form-urlencoded): channel (repeatable), data (text), type,
 * key; others are ignored.
 */
bool event_parse_form(
    struct event *event, struct slice body, struct out *scratch, struct event_fault *fault);

/* The rules for names. Each returns NULL, or what is wrong: "is empty", "begins with $, …". */
const char *event_channel_fault(struct slice name);
const char *event_type_fault(struct slice type);

/*
 * Appends the event object as this channel's subscribers see it:
 * {"id":"…","channel":"news","type":"message","data":…}, or "data64" for binary. The hot path of a
 * rendered wave: names and text must be valid (they were checked when they were published).
 */
void event_render(struct out *o, const struct event *event, struct slice channel);

/*
 * Appends the data alone as JSON text, as the "data" of an event object: JSON as it is, text as a
 * string. For binary a string of base64.
 */
void event_render_data(struct out *o, enum event_kind kind, struct slice data);

/*
 * What a client receives: an event object to id, one channel, type, kind and data (unescaped,
 * decoded). False: not an event object.
 */
bool event_parse_object(struct event *event, struct slice text, struct out *scratch);

#endif
