/*
 * event_fuzz.c: bodies of publishers. The first byte says how the rest is read. An event that is
 * taken must be canonical, and come back the same when a client reads what is rendered of it.
 */
#include <assert.h>
#include <stdlib.h>

#include "proto/event.h"
#include "proto/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_canonical(const struct event *event)
{
	struct json_value value;
	size_t at;

	assert(event_type_fault(event->type) == NULL);
	assert(event->channel_count >= 1 && event->channel_count <= LIMIT_EVENT_CHANNELS);
	for (uint32_t i = 0; i < event->channel_count; i++) {
		assert(event_channel_fault(event->channels[i]) == NULL);
		for (uint32_t k = 0; k < i; k++)
			assert(!slice_equal(event->channels[i], event->channels[k]));
	}
	assert(
	    event->key.bytes == NULL || (event->key.len >= 1 && event->key.len <= LIMIT_KEY_BYTES));
	if (event->kind == EVENT_TEXT)
		assert(utf8_valid(event->data));
	if (event->kind == EVENT_JSON) {
		assert(json_whole(event->data, &value, &at) == 1);
		assert(value.kind != JSON_KIND_STRING && slice_equal(value.raw, event->data));
	}
}

static void
check_round_trip(struct event *event)
{
	size_t cap = 1024 + 6 * (event->data.len + LIMIT_CHANNEL_NAME_BYTES + LIMIT_TYPE_BYTES);
	char *room = malloc(cap), *scratch_room = malloc(cap);
	struct out json = out_to(room, cap), scratch = out_to(scratch_room, cap);
	struct event seen;

	assert(room != NULL && scratch_room != NULL);
	event->id = event->data.len << 16 | 1;
	event_render(&json, event, event->channels[event->channel_count - 1]);
	assert(!out_cut(&json));
	assert(event_parse_object(&seen, slice_of(json.bytes, json.len), &scratch));
	assert(seen.id == event->id && seen.kind == event->kind);
	assert(slice_equal(seen.channels[0], event->channels[event->channel_count - 1]));
	assert(slice_equal(seen.type, event->type));
	assert(slice_equal(seen.data, event->data));
	free(room);
	free(scratch_room);
}

static void
check_fault(const struct event_fault *fault)
{
	assert(fault->code != ERROR_NONE && fault->code < ERROR_CODES);
	assert(memchr(fault->path, '\0', sizeof fault->path) != NULL);
	assert(memchr(fault->message, '\0', sizeof fault->message) != NULL);
	assert(*fault->message != '\0');
	/* The scratch is as large as the input, which must do. */
	assert(fault->code != ERROR_TOO_LARGE && fault->code != ERROR_INTERNAL);
}

static void
check_batch(struct slice body, struct out *scratch)
{
	struct event_fault fault;
	struct event_batch batch;
	struct event event;
	int r = -1;

	if (event_batch_open(&batch, body, &fault)) {
		while ((r = event_batch_next(&batch, &event, scratch, &fault)) > 0) {
			check_canonical(&event);
			check_round_trip(&event);
		}
	}
	if (r < 0)
		check_fault(&fault);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct event_fault fault;
	struct event event;
	struct slice body;
	struct out scratch;
	unsigned mode;
	bool taken;

	if (size == 0)
		return 0;
	mode = data[0] % 8;
	body = slice_of((const char *)data + 1, size - 1);
	scratch = out_to(malloc(size), size - 1);
	assert(scratch.bytes != NULL);
	if (mode == 6 || mode == 7) {
		check_batch(body, &scratch);
		free(scratch.bytes);
		return 0;
	}
	event_clear(&event);
	if (mode == 4) {
		taken = event_parse_form(&event, body, &scratch, &fault);
	} else if (mode == 5) {
		taken = event_parse_envelope(&event, body, &scratch, &fault);
	} else {
		enum event_body how = (enum event_body)mode;

		taken = event_add_channel(&event, SLICE_LITERAL("c"), &fault) &&
			event_set_body(&event, how, body, &scratch, &fault);
	}
	if (taken) {
		check_canonical(&event);
		check_round_trip(&event);
	} else {
		check_fault(&fault);
	}
	free(scratch.bytes);
	return 0;
}
