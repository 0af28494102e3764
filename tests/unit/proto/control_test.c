/*
 * control_test.c: control objects, written as the contract spells them and read back.
 */
#include "proto/control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/proto/guard.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define AT (UINT64_C(1763856000000) << 16 | 7)
#define AT_TEXT "\"1763856000000-00007\""
#define NONE SLICE_LITERAL("")
#define CHANNEL SLICE_LITERAL("a\"b")

static void
write_row(struct out *o, size_t row)
{
	switch (row) {
	case 0:
		control_welcome(o, AT, 25, SLICE_LITERAL("w0-12"));
		return;
	case 1:
		control_live(o, AT);
		return;
	case 2:
		control_gap(o, CHANNEL, 0, AT);
		return;
	case 3:
		control_subscribed(o, CHANNEL, AT, SLICE_LITERAL("1"));
		return;
	case 4:
		control_subscribed(o, CHANNEL, AT, NONE);
		return;
	case 5:
		control_unsubscribed(o, CHANNEL, NONE, SLICE_LITERAL("\"r\""));
		return;
	case 6:
		control_unsubscribed(o, CHANNEL, SLICE_LITERAL("deleted"), NONE);
		return;
	case 7:
		control_published(o, AT, false, SLICE_LITERAL("2.50"));
		return;
	case 8:
		control_published(o, AT, true, NONE);
		return;
	case 9:
		control_pong(o, AT, SLICE_LITERAL("3"));
		return;
	case 10:
		control_error(o, ERROR_FORBIDDEN, SLICE_LITERAL("no \"x\""), SLICE_LITERAL("2"));
		return;
	}
	fail();
}

static const struct {
	const char *text;
	struct control control;
} rows[] = {
    {"{\"op\":\"welcome\",\"at\":" AT_TEXT ",\"beat_s\":25,\"connection\":\"w0-12\"}",
	{.kind = CONTROL_WELCOME, .at = AT, .beat_s = 25, .connection = {"w0-12", 5}}},
    {"{\"op\":\"live\",\"at\":" AT_TEXT "}", {.kind = CONTROL_LIVE, .at = AT}},
    {"{\"op\":\"gap\",\"channel\":\"a\\\"b\",\"after\":\"0000000000000-00000\",\"at\":" AT_TEXT "}",
	{.kind = CONTROL_GAP, .channel = {"a\"b", 3}, .at = AT}},
    {"{\"op\":\"subscribed\",\"channel\":\"a\\\"b\",\"at\":" AT_TEXT ",\"ref\":1}",
	{.kind = CONTROL_SUBSCRIBED, .channel = {"a\"b", 3}, .at = AT, .ref = {"1", 1}}},
    {"{\"op\":\"subscribed\",\"channel\":\"a\\\"b\",\"at\":" AT_TEXT "}",
	{.kind = CONTROL_SUBSCRIBED, .channel = {"a\"b", 3}, .at = AT}},
    {"{\"op\":\"unsubscribed\",\"channel\":\"a\\\"b\",\"ref\":\"r\"}",
	{.kind = CONTROL_UNSUBSCRIBED, .channel = {"a\"b", 3}, .ref = {"\"r\"", 3}}},
    {"{\"op\":\"unsubscribed\",\"channel\":\"a\\\"b\",\"reason\":\"deleted\"}",
	{.kind = CONTROL_UNSUBSCRIBED, .channel = {"a\"b", 3}, .reason = {"deleted", 7}}},
    {"{\"op\":\"published\",\"id\":" AT_TEXT ",\"ref\":2.50}",
	{.kind = CONTROL_PUBLISHED, .id = AT, .ref = {"2.50", 4}}},
    {"{\"op\":\"published\",\"id\":" AT_TEXT ",\"duplicate\":true}",
	{.kind = CONTROL_PUBLISHED, .id = AT, .duplicate = true}},
    {"{\"op\":\"pong\",\"at\":" AT_TEXT ",\"ref\":3}",
	{.kind = CONTROL_PONG, .at = AT, .ref = {"3", 1}}},
    {"{\"op\":\"error\",\"code\":\"forbidden\",\"message\":\"no \\\"x\\\"\",\"ref\":2}",
	{.kind = CONTROL_ERROR,
	    .code = {"forbidden", 9},
	    .message = {"no \"x\"", 6},
	    .ref = {"2", 1}}},
};

static void
control_objects_are_spelled_as_the_contract_has_them(void **state)
{
	struct guard room;

	guard_open(&room, 256);
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = strlen(rows[i].text);

		for (size_t cap = len - 5; cap <= len; cap++) {
			struct out out = out_to(guard_end(&room, cap), cap);

			write_row(&out, i);
			assert_int_equal(out.need, len);
			if (cap == len)
				assert_memory_equal(out.bytes, rows[i].text, len);
		}
	}
	guard_close(&room);
	(void)state;
}

static void
assert_same(const struct control *a, const struct control *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->duplicate, b->duplicate);
	assert_int_equal(a->beat_s, b->beat_s);
	assert_true(a->at == b->at && a->after == b->after && a->id == b->id);
	assert_true(slice_equal(a->channel, b->channel));
	assert_true(slice_equal(a->connection, b->connection));
	assert_true(slice_equal(a->reason, b->reason));
	assert_true(slice_equal(a->code, b->code));
	assert_true(slice_equal(a->message, b->message));
	assert_true(slice_equal(a->ref, b->ref));
}

static void
control_parse_reads_back_what_was_written(void **state)
{
	struct guard edge;
	char room[256];

	guard_open(&edge, 256);
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = strlen(rows[i].text);

		for (size_t cut = 0; cut <= len; cut++) {
			struct out scratch = out_to(room, sizeof room);
			struct slice text = slice_of(guard_copy(&edge, rows[i].text, cut), cut);
			struct control control;
			bool taken = control_parse(&control, text, &scratch);

			assert_int_equal(taken, cut == len);
			if (taken)
				assert_same(&control, &rows[i].control);
		}
	}
	guard_close(&edge);
	(void)state;
}

static void
control_parse_ignores_what_it_does_not_know(void **state)
{
	static const struct {
		const char *text;
		bool taken;
		enum control_kind kind;
	} cases[] = {
	    {"{\"op\":\"presence\",\"who\":[1,2]}", true, CONTROL_OTHER},
	    {"{\"at\":\"1-1\",\"later\":{\"at\":\"2-2\"},\"op\":\"live\",\"beat_s\":\"x\"}", true,
		CONTROL_LIVE},
	    {"{\"op\":\"li\\u0076e\",\"at\":\"1-1\"}", true, CONTROL_LIVE},
	    {"{\"op\":\"gap\",\"at\":\"1-1\",\"at\":\"some day\"}", true, CONTROL_GAP},
	    {"{\"op\":1,\"at\":\"1-1\"}", false, CONTROL_OTHER},
	    {"{\"id\":\"1-1\",\"channel\":\"a\",\"type\":\"message\",\"data\":null}", false,
		CONTROL_OTHER},
	    {"[]", false, CONTROL_OTHER},
	    {"\"live\"", false, CONTROL_OTHER},
	    {"", false, CONTROL_OTHER},
	    {"{\"op\":\"live\"} x", false, CONTROL_LIVE},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char room[64];
		struct out scratch = out_to(room, sizeof room);
		struct control control;

		assert_int_equal(
		    control_parse(&control, slice_text(cases[i].text), &scratch), cases[i].taken);
		assert_int_equal(control.kind, cases[i].kind);
		assert_true(control.kind != CONTROL_GAP || control.at == 0);
		assert_true(
		    control.kind != CONTROL_LIVE || i == COUNT(cases) - 1 || control.at == 0x10001);
	}
	(void)state;
}

static void
control_parse_refuses_when_the_scratch_is_full(void **state)
{
	struct slice text = SLICE_LITERAL("{\"op\":\"gap\",\"channel\":\"ab\\u0063\"}");
	struct guard room;

	guard_open(&room, 64);
	for (size_t cap = 0; cap <= 3; cap++) {
		struct out scratch = out_to(guard_end(&room, cap), cap);
		struct control control;

		assert_int_equal(control_parse(&control, text, &scratch), cap == 3);
	}
	guard_close(&room);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(control_objects_are_spelled_as_the_contract_has_them),
	    cmocka_unit_test(control_parse_reads_back_what_was_written),
	    cmocka_unit_test(control_parse_refuses_when_the_scratch_is_full),
	    cmocka_unit_test(control_parse_ignores_what_it_does_not_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
