/*
 * op_fuzz.c: messages of WebSocket clients. A ref that is given back must be JSON that can be
 * echoed.
 */
#include <assert.h>
#include <stdlib.h>

#include "proto/control.h"
#include "proto/op.h"

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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct out scratch = out_to(malloc(size + 1), size);
	struct event_fault fault = {.code = ERROR_FORBIDDEN, .message = "no"};
	struct op op;

	assert(scratch.bytes != NULL);
	if (op_parse(&op, slice_of((const char *)data, size), &scratch, &fault)) {
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
