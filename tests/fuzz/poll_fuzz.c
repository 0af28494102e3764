/*
 * poll_fuzz.c: a poll's answer as we render it is JSON with exactly what went in, says jansson, and our own reader;
 * and ids as text.
 *
 * Input: an id (8), more (1), how many events and gaps (1), then for each lengths and bytes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "proto/event.h"
#include "proto/id.h"
#include "proto/poll.h"
#include "proto/utf8.h"

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

#define CHECK(condition) ((condition) ? (void)0 : abort())
#define INPUT_BYTES_MAX 600
#define ITEMS_MAX 3

static struct slice
take(struct slice *in)
{
	const size_t want = in->len == 0 ? 0 : (unsigned char)in->bytes[0] % 48;
	const size_t len = in->len == 0 ? 0 : want < in->len - 1 ? want : in->len - 1;
	const struct slice s = slice_of(in->bytes + (in->len != 0), len);

	*in = slice_of(in->bytes + len + (in->len != 0), in->len - len - (in->len != 0));
	return s;
}

static void
check_id(const json_t *value, uint64_t id)
{
	char expected[64];

	snprintf(expected, sizeof expected, "%013llu-%05u", (unsigned long long)(id >> 16),
	    (unsigned)(id & 65535));
	CHECK(strcmp(json_string_value(value), expected) == 0);
}

static void
check_text(const json_t *value, struct slice expected)
{
	CHECK(json_is_string(value) &&
	      slice_equal(slice_of(json_string_value(value), json_string_length(value)), expected));
}

static void
check_answer(struct slice body, uint64_t next, bool more, const struct event *events,
    size_t event_count, const struct poll_gap *gaps, size_t gap_count)
{
	json_t *answer =
	    json_loadb(body.bytes, body.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	const json_t *list;

	CHECK(answer != NULL && json_object_size(answer) == 4);
	check_id(json_object_get(answer, "next"), next);
	CHECK(json_is_true(json_object_get(answer, "more")) == more);
	list = json_object_get(answer, "events");
	CHECK(json_array_size(list) == event_count);
	for (size_t i = 0; i < event_count; i++) {
		const json_t *e = json_array_get(list, i);

		check_id(json_object_get(e, "id"), events[i].id);
		check_text(json_object_get(e, "channel"), events[i].channels[0]);
		check_text(json_object_get(e, "type"), events[i].type);
		if (events[i].kind == EVENT_TEXT)
			check_text(json_object_get(e, "data"), events[i].data);
	}
	list = json_object_get(answer, "gaps");
	CHECK(json_array_size(list) == gap_count);
	for (size_t i = 0; i < gap_count; i++) {
		const json_t *g = json_array_get(list, i);

		check_text(json_object_get(g, "channel"), gaps[i].channel);
		check_id(json_object_get(g, "after"), gaps[i].after);
		check_id(json_object_get(g, "at"), gaps[i].at);
	}
	json_decref(answer);
}

static void
check_own_reader(struct slice body, uint64_t next, bool more)
{
	struct poll_answer answer;

	CHECK(poll_parse(&answer, body));
	CHECK(answer.next == next && answer.more == more);
}

static void
check_ids(uint64_t id, struct slice text)
{
	char room[ID_TEXT_MAX];
	struct out o = out_to(room, sizeof room);
	uint64_t seen;

	id_render(&o, id);
	CHECK(!out_cut(&o) && id_parse(slice_of(o.bytes, o.len), &seen) && seen == id);
	CHECK(id_of(id_ms(id), id_counter(id)) == id);
	if (!id_parse(text, &seen))
		return;
	o = out_to(room, sizeof room);
	id_render(&o, seen);
	CHECK(id_parse(slice_of(o.bytes, o.len), &id) && id == seen);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char room[32768];
	struct out o = out_to(room, sizeof room), suffix;
	struct event events[ITEMS_MAX];
	struct poll_gap gaps[ITEMS_MAX];
	struct slice in;
	size_t event_count, gap_count = 0, event_bytes = 0;
	uint64_t id;

	if (size < 10 || size > INPUT_BYTES_MAX)
		return 0;
	memcpy(&id, data, sizeof id);
	check_ids(id, slice_of((const char *)data + 8, size - 8));
	in = slice_of((const char *)data + 10, size - 10);
	event_count = data[9] % (ITEMS_MAX + 1);
	out_slice(&o, POLL_PREFIX);
	for (size_t i = 0; i < event_count; i++) {
		const size_t before = o.len;

		event_clear(&events[i]);
		events[i].id = id + i;
		events[i].channel_count = 1;
		events[i].channels[0] = take(&in);
		events[i].type = take(&in);
		events[i].kind = EVENT_TEXT;
		events[i].data = take(&in);
		if (event_channel_fault(events[i].channels[0]) != NULL ||
		    event_type_fault(events[i].type) != NULL || !utf8_valid(events[i].data)) {
			event_count = i;
			break;
		}
		if (i != 0)
			out_slice(&o, POLL_COMMA);
		event_render(&o, &events[i], events[i].channels[0]);
		event_bytes += o.len - before - (i != 0);
	}
	if (event_count != 0 && o.bytes[o.len - 1] == ',')
		o.len--;
	for (; gap_count < (size_t)(data[9] >> 4) % (ITEMS_MAX + 1); gap_count++) {
		gaps[gap_count] = (struct poll_gap){take(&in), id / 2, id - gap_count};
		if (event_channel_fault(gaps[gap_count].channel) != NULL)
			break;
	}
	suffix = o;
	poll_render_suffix(&o, id, (data[8] & 1) != 0, gaps, (uint32_t)gap_count);
	CHECK(!out_cut(&o));
	CHECK(poll_length(event_bytes, (uint32_t)event_count, o.len - suffix.len) == o.len);
	check_answer(
	    slice_of(o.bytes, o.len), id, (data[8] & 1) != 0, events, event_count, gaps, gap_count);
	check_own_reader(slice_of(o.bytes, o.len), id, (data[8] & 1) != 0);
	return 0;
}
