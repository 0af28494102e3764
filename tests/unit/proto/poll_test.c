/*
 * poll_test.c: a poll's answer put together from its pieces, its length, and the way back.
 */
#include "proto/poll.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/event.h"
#include "tests/unit/proto/guard.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define AT (UINT64_C(1763856000000) << 16)

static const struct poll_gap gaps[] = {
    {SLICE_LITERAL("news"), 5, AT},
    {SLICE_LITERAL("a\\b"), 0, AT + 1},
};

/* Gathers an answer as a server does, and checks the length that it would have announced. */
static struct slice
answer_of(struct out *o, uint32_t event_count, bool more, uint32_t gap_count)
{
	size_t event_bytes = 0, suffix_start;

	out_slice(o, POLL_PREFIX);
	for (uint32_t i = 0; i < event_count; i++) {
		struct event event;
		size_t start;

		event_clear(&event);
		event.id = AT + i;
		if (i > 0)
			out_slice(o, POLL_COMMA);
		start = o->len;
		event_render(o, &event, SLICE_LITERAL("news"));
		event_bytes += o->len - start;
	}
	suffix_start = o->len;
	poll_render_suffix(o, AT + 9, more, gaps, gap_count);
	assert_false(out_cut(o));
	assert_int_equal(poll_length(event_bytes, event_count, o->len - suffix_start), o->len);
	return slice_of(o->bytes, o->len);
}

static void
poll_answer_is_spelled_as_the_contract_has_it(void **state)
{
	char room[1024];
	struct out out = out_to(room, sizeof room);
	struct slice text = answer_of(&out, 0, false, 0);

	assert_true(slice_equal(text,
	    slice_text(
		"{\"events\":[],\"next\":\"1763856000000-00009\",\"more\":false,\"gaps\":[]}")));
	out = out_to(room, sizeof room);
	text = answer_of(&out, 2, true, 2);
	assert_true(slice_equal(text,
	    slice_text(
		"{\"events\":["
		"{\"id\":\"1763856000000-00000\",\"channel\":\"news\",\"type\":\"message\",\"data\":null},"
		"{\"id\":\"1763856000000-00001\",\"channel\":\"news\",\"type\":\"message\",\"data\":null}"
		"],\"next\":\"1763856000000-00009\",\"more\":true,\"gaps\":["
		"{\"channel\":\"news\",\"after\":\"0000000000000-00005\",\"at\":\"1763856000000-00000\"},"
		"{\"channel\":\"a\\\\b\",\"after\":\"0000000000000-00000\",\"at\":\"1763856000000-00001\"}]}")));
	(void)state;
}

static void
assert_answer(struct slice text, uint32_t event_count, bool more, uint32_t gap_count)
{
	struct poll_answer answer;
	struct json_value value;
	struct slice key;
	size_t at, count = 0;
	char room[256];

	assert_true(poll_parse(&answer, text));
	assert_true(answer.next == AT + 9);
	assert_int_equal(answer.more, more);
	while (json_walk_next(&answer.events, &key, &value, &at) > 0) {
		struct out scratch = out_to(room, sizeof room);
		struct event event;

		assert_true(event_parse_object(&event, value.raw, &scratch));
		assert_true(event.id == AT + count++);
	}
	assert_int_equal(count, event_count);
	count = 0;
	while (json_walk_next(&answer.gaps, &key, &value, &at) > 0) {
		struct out scratch = out_to(room, sizeof room);
		struct poll_gap gap;

		assert_true(poll_parse_gap(&gap, value.raw, &scratch));
		assert_true(slice_equal(gap.channel, gaps[count].channel));
		assert_true(gap.after == gaps[count].after && gap.at == gaps[count].at);
		count++;
	}
	assert_int_equal(count, gap_count);
}

static void
poll_parse_reads_back_what_was_written(void **state)
{
	struct guard edge;

	guard_open(&edge, 2048);
	for (uint32_t row = 0; row < 3 * 2 * 3; row++) {
		char room[2048];
		struct out out = out_to(room, sizeof room);
		struct poll_answer answer;
		uint32_t event_count = row % 3, gap_count = row / 6;
		bool more = row / 3 % 2;
		struct slice text = answer_of(&out, event_count, more, gap_count);

		assert_answer(slice_of(guard_copy(&edge, text.bytes, text.len), text.len),
		    event_count, more, gap_count);
		for (size_t len = 0; len < text.len; len++)
			assert_false(
			    poll_parse(&answer, slice_of(guard_copy(&edge, text.bytes, len), len)));
	}
	guard_close(&edge);
	(void)state;
}

static void
poll_parse_rejects_what_is_no_answer(void **state)
{
	static const char *const rows[] = {"", "[]", "{}", "{\"events\":[]}", "{\"next\":\"1-1\"}",
	    "{\"events\":{},\"next\":\"1-1\"}", "{\"events\":[],\"next\":1}",
	    "{\"events\":[],\"next\":\"x\"}", "{\"events\":[],\"next\":\"1-1\",\"gaps\":{}}",
	    "{\"error\":{\"code\":\"bad_after\",\"message\":\"\"}}",
	    "{\"events\":[],\"next\":\"1-1\"} 1"};
	static const char *const bad_gaps[] = {"{}", "[]", "1",
	    "{\"channel\":\"a\",\"after\":\"1-1\"}",
	    "{\"channel\":1,\"after\":\"1-1\",\"at\":\"1-1\"}",
	    "{\"channel\":\"a\",\"after\":\"x\",\"at\":\"1-1\"}"};
	char room[64];

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct poll_answer answer;

		assert_false(poll_parse(&answer, slice_text(rows[i])));
	}
	for (size_t i = 0; i < COUNT(bad_gaps); i++) {
		struct out scratch = out_to(room, sizeof room);
		struct poll_gap gap;

		assert_false(poll_parse_gap(&gap, slice_text(bad_gaps[i]), &scratch));
	}
	(void)state;
}

/* A later version adds members; gaps may be missing; the order is not fixed. */
static void
poll_parse_takes_what_later_versions_may_send(void **state)
{
	struct poll_answer answer;
	struct json_value value;
	struct slice key;
	size_t at;

	assert_true(
	    poll_parse(&answer, slice_text("{\"next\":\"1-1\",\"later\":[{}],\"events\":[1]}")));
	assert_true(answer.next == 0x10001);
	assert_int_equal(json_walk_next(&answer.events, &key, &value, &at), 1);
	assert_int_equal(json_walk_next(&answer.gaps, &key, &value, &at), 0);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(poll_answer_is_spelled_as_the_contract_has_it),
	    cmocka_unit_test(poll_parse_reads_back_what_was_written),
	    cmocka_unit_test(poll_parse_rejects_what_is_no_answer),
	    cmocka_unit_test(poll_parse_takes_what_later_versions_may_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
