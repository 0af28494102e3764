/*
 * control_fuzz.c: what a client may receive: control objects, event objects, poll answers.
 */
#include <assert.h>
#include <stdlib.h>

#include "proto/control.h"
#include "proto/event.h"
#include "proto/poll.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_answer(struct poll_answer *answer, struct out *scratch)
{
	struct json_value value;
	struct poll_gap gap;
	struct event event;
	struct slice key;
	size_t at;

	while (json_walk_next(&answer->events, &key, &value, &at) > 0) {
		scratch->len = scratch->need = 0;
		event_parse_object(&event, value.raw, scratch);
	}
	assert(answer->events.ended);
	while (json_walk_next(&answer->gaps, &key, &value, &at) > 0) {
		scratch->len = scratch->need = 0;
		poll_parse_gap(&gap, value.raw, scratch);
	}
	assert(answer->gaps.ended);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of((const char *)data, size);
	struct out scratch = out_to(malloc(size + 1), size);
	struct poll_answer answer;
	struct control control;
	struct event event;

	assert(scratch.bytes != NULL);
	control_parse(&control, text, &scratch);
	scratch.len = scratch.need = 0;
	if (event_parse_object(&event, text, &scratch))
		assert(event.channel_count == 1);
	if (poll_parse(&answer, text))
		check_answer(&answer, &scratch);
	free(scratch.bytes);
	return 0;
}
