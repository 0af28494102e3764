/*
 * op.h: what a WebSocket client asks for: one JSON object a message,
 * {"op":"subscribe","channel":"x","after":"ID","ref":1}.
 */
#ifndef PROTO_OP_H
#define PROTO_OP_H

#include <stdbool.h>

#include "proto/cursor.h"
#include "proto/event.h"
#include "proto/slice.h"

enum op_kind {
	OP_SUBSCRIBE,
	OP_UNSUBSCRIBE,
	OP_PUBLISH,
	OP_PING,
};

struct op {
	enum op_kind kind;
	struct slice ref; /* raw JSON (number, or string with quotes) to echo; bytes NULL: none */
	struct slice channel; /* subscribe, unsubscribe, publish: checked */
	struct cursor after;  /* subscribe; CURSOR_NOW when absent */
	struct event event;   /* publish: channels[0] is the channel */
};

/*
 * Parses a message. Slices point into the message or the scratch (the message's length is always
 * enough). False: the fault tells why (unknown_op, bad_json, bad_channel, …), and op->ref is set if
 * one could be read at all, so that the error can carry it.
 */
bool op_parse(struct op *op, struct slice message, struct out *scratch, struct event_fault *fault);

#endif
