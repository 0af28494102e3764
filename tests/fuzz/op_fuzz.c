/*
 * op_fuzz.c: messages of WebSocket clients. A ref that is given back must be JSON that can be
 * echoed.
 */
#include <assert.h>
#include <stdlib.h>

#include "proto/control.h"
#include "proto/op.h"

/* Names that proto/json.h and jansson.h both have: here they mean jansson's. */
#define JSON_NULL JANSSON_NULL
#define JSON_FALSE JANSSON_FALSE
#define JSON_TRUE JANSSON_TRUE
#define JSON_STRING JANSSON_STRING
#define JSON_ARRAY JANSSON_ARRAY
#define JSON_OBJECT JANSSON_OBJECT
#define json_string jansson_string
#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_echo(const struct op *op, const struct event_fault *fault)
{
	char room[1024], scratch_room[1024];
	struct out json = out_to(room, sizeof room),
		   scratch = out_to(scratch_room, sizeof scratch_room);
	struct control control;

	control_error(&json, fault->code, slice_text(fault->message), op->ref);
	assert(!out_cut(&json));
	assert(control_parse(&control, slice_of(json.bytes, json.len), &scratch));
	assert(control.kind == CONTROL_ERROR && slice_equal(control.ref, op->ref));
	assert(slice_equal(control.message, slice_text(fault->message)));
}

static void
check_text(const json_t *value, struct slice text)
{
	assert(json_is_string(value) && json_string_length(value) == text.len &&
	       memcmp(json_string_value(value), text.bytes, text.len) == 0);
}

/* What was understood is what jansson reads, where it reads the message. */
static void
check_meaning(const struct op *op, struct slice message)
{
	static const char *const words[] = {[OP_SUBSCRIBE] = "subscribe",
	    [OP_UNSUBSCRIBE] = "unsubscribe",
	    [OP_PUBLISH] = "publish",
	    [OP_PING] = "ping"};
	json_t *object = json_loadb(message.bytes, message.len, JSON_ALLOW_NUL, NULL);
	const json_t *type, *data;

	if (object == NULL)
		return; /* a number out of jansson's range */
	check_text(json_object_get(object, "op"), slice_text(words[op->kind]));
	if (op->kind != OP_PING)
		check_text(json_object_get(object, "channel"), op->channel);
	if (op->kind == OP_PUBLISH) {
		type = json_object_get(object, "type");
		data = json_object_get(object, "data");
		if (json_is_string(type))
			check_text(type, op->event.type);
		if (op->event.kind == EVENT_TEXT)
			check_text(data, op->event.data);
	}
	json_decref(object);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct out scratch = out_to(malloc(size + 1), size);
	struct event_fault fault = {.code = ERROR_FORBIDDEN, .message = "no"};
	struct op op;

	assert(scratch.bytes != NULL);
	if (op_parse(&op, slice_of((const char *)data, size), &scratch, &fault)) {
		check_meaning(&op, slice_of((const char *)data, size));
		if (op.kind != OP_PING)
			assert(event_channel_fault(op.channel) == NULL);
		if (op.kind == OP_PUBLISH)
			assert(op.event.channel_count == 1 &&
			       slice_equal(op.event.channels[0], op.channel));
		if (op.kind == OP_SUBSCRIBE)
			assert(op.after.kind != CURSOR_UNKNOWN);
	} else {
		assert(fault.code != ERROR_TOO_LARGE);
	}
	check_echo(&op, &fault);
	free(scratch.bytes);
	return 0;
}
