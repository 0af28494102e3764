/*
 * op_test.c: what WebSocket clients may ask for, and how each mistake is answered.
 */
#include "proto/op.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/proto/guard_bench.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define TEXT(literal) SLICE_LITERAL(literal)

/* Parses from memory that ends with the message, with a scratch of just its length. */
static bool
parse(struct bench *b, struct op *op, struct slice message, struct event_fault *fault)
{
	b->out = out_to(guard_end(&b->scratch, message.len), message.len);
	return op_parse(op,
	    slice_of(guard_copy(&b->input, message.bytes, message.len), message.len), &b->out,
	    fault);
}

#define R64 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"

static const struct {
	struct slice text;
	enum op_kind kind;
	const char *ref;
	const char *channel;
	enum cursor_kind after;
} ops[] = {
    {TEXT("{\"op\":\"subscribe\",\"channel\":\"x\"}"), OP_SUBSCRIBE, "", "x", CURSOR_NOW},
    {TEXT("{\"op\":\"subscribe\",\"channel\":\"x\",\"after\":\"1763856000000-00000\",\"ref\":1}"),
	OP_SUBSCRIBE, "1", "x", CURSOR_ID},
    {TEXT(
	 "{\"ref\":\"a\\\"b\",\"after\":\"0\",\"channel\":\"\\u0078\",\"op\":\"sub\\u0073cribe\"}"),
	OP_SUBSCRIBE, "\"a\\\"b\"", "x", CURSOR_ALL},
    {TEXT("{\"op\":\"subscribe\",\"channel\":\"x\",\"after\":0}"), OP_SUBSCRIBE, "", "x",
	CURSOR_ALL},
    {TEXT("{\"op\":\"subscribe\",\"channel\":\"x\",\"after\":-10}"), OP_SUBSCRIBE, "", "x",
	CURSOR_LAST},
    {TEXT("{\"op\":\"subscribe\",\"channel\":\"x\",\"after\":1763856000000}"), OP_SUBSCRIBE, "",
	"x", CURSOR_TIME},
    {TEXT("{\"op\":\"subscribe\",\"channel\":\"x\",\"after\":null,\"ref\":null}"), OP_SUBSCRIBE, "",
	"x", CURSOR_NOW},
    {TEXT("{\"op\":\"unsubscribe\",\"channel\":\"x\",\"ref\":-1.5e3}"), OP_UNSUBSCRIBE, "-1.5e3",
	"x", CURSOR_NOW},
    {TEXT("{\"op\":\"ping\"}"), OP_PING, "", "", CURSOR_NOW},
    {TEXT("{\"op\":\"ping\",\"ref\":\"\"}"), OP_PING, "\"\"", "", CURSOR_NOW},
    {TEXT("{\"op\":\"ping\",\"ref\":\"" R64 "\",\"channel\":7,\"after\":[]}"), OP_PING,
	"\"" R64 "\"", "", CURSOR_NOW},
    {TEXT("{\"op\":\"publish\",\"channel\":\"x\",\"data\":\"\\u0068i\",\"type\":\"t\",\"ref\":2}"),
	OP_PUBLISH, "2", "x", CURSOR_NOW},
    {TEXT("{\"op\":\"publish\",\"channel\":\"\\u0078\",\"data64\":\"aGk=\",\"key\":\"\\u006b\"}"),
	OP_PUBLISH, "", "x", CURSOR_NOW},
};

static void
op_parse_reads_each_op(void **state)
{
	struct event_fault fault;
	struct op op;

	for (size_t i = 0; i < COUNT(ops); i++) {
		if (!parse(*state, &op, ops[i].text, &fault))
			fail_msg("ops[%zu]: %s: %s", i, fault.path, fault.message);
		assert_int_equal(op.kind, ops[i].kind);
		assert_true(slice_equal(op.ref, slice_text(ops[i].ref)));
		assert_true(slice_equal(op.channel, slice_text(ops[i].channel)));
		assert_int_equal(op.after.kind, ops[i].after);
		if (op.kind == OP_PUBLISH) {
			assert_int_equal(op.event.channel_count, 1);
			assert_true(slice_equal(op.event.channels[0], TEXT("x")));
			assert_true(slice_equal(op.event.data, TEXT("hi")));
		}
	}
}

static void
op_parse_refuses_every_strict_prefix(void **state)
{
	struct event_fault fault;
	struct op op;

	for (size_t i = 0; i < COUNT(ops); i++) {
		for (size_t len = 0; len < ops[i].text.len; len++) {
			assert_false(parse(*state, &op, slice_of(ops[i].text.bytes, len), &fault));
			assert_int_equal(fault.code, ERROR_BAD_JSON);
		}
	}
}

static const struct {
	struct slice text;
	enum error_code code;
	const char *path;
	const char *ref; /* that the answer can still carry */
} mistakes[] = {
    {TEXT(""), ERROR_BAD_JSON, "", ""},
    {TEXT("ping"), ERROR_BAD_JSON, "", ""},
    {TEXT("{\"op\":\"ping\",\"ref\":1"), ERROR_BAD_JSON, "", ""},
    {TEXT("{\"op\":\"ping\",\"x\":\"\xff\"}"), ERROR_BAD_UTF8, "", ""},
    {TEXT("[]"), ERROR_BAD_REQUEST, "", ""},
    {TEXT("\"ping\""), ERROR_BAD_REQUEST, "", ""},
    {TEXT("{\"ref\":5}"), ERROR_BAD_REQUEST, "op", "5"},
    {TEXT("{\"op\":1,\"ref\":5}"), ERROR_BAD_REQUEST, "op", "5"},
    {TEXT("{\"op\":\"auth\",\"ref\":\"r\"}"), ERROR_UNKNOWN_OP, "op", "\"r\""},
    {TEXT("{\"op\":\"Ping\"}"), ERROR_UNKNOWN_OP, "op", ""},
    {TEXT("{\"op\":\"ping\",\"ref\":{}}"), ERROR_BAD_REQUEST, "ref", ""},
    {TEXT("{\"op\":\"ping\",\"ref\":true}"), ERROR_BAD_REQUEST, "ref", ""},
    {TEXT("{\"op\":\"ping\",\"ref\":\"" R64 "m\"}"), ERROR_BAD_REQUEST, "ref", ""},
    {TEXT("{\"op\":\"ping\",\"ref\":1"
	  "0000000000000000000000000000000000000000000000000000000000000000}"),
	ERROR_BAD_REQUEST, "ref", ""},
    {TEXT("{\"op\":\"subscribe\",\"ref\":1}"), ERROR_NO_CHANNEL, "channel", "1"},
    {TEXT("{\"op\":\"subscribe\",\"channel\":[\"x\"],\"ref\":1}"), ERROR_BAD_CHANNEL, "channel",
	"1"},
    {TEXT("{\"op\":\"subscribe\",\"channel\":\"a*\",\"ref\":1}"), ERROR_BAD_CHANNEL, "channel",
	"1"},
    {TEXT("{\"op\":\"unsubscribe\",\"channel\":\"\",\"ref\":1}"), ERROR_BAD_CHANNEL, "channel",
	"1"},
    {TEXT("{\"op\":\"subscribe\",\"channel\":\"x\",\"after\":\"\"}"), ERROR_BAD_AFTER, "after", ""},
    {TEXT("{\"op\":\"subscribe\",\"channel\":\"x\",\"after\":1.5}"), ERROR_BAD_AFTER, "after", ""},
    {TEXT("{\"op\":\"subscribe\",\"channel\":\"x\",\"after\":1763856000}"), ERROR_BAD_AFTER,
	"after", ""},
    {TEXT("{\"op\":\"subscribe\",\"channel\":\"x\",\"after\":[1]}"), ERROR_BAD_AFTER, "after", ""},
    {TEXT("{\"op\":\"publish\",\"data\":1,\"ref\":1}"), ERROR_NO_CHANNEL, "channel", "1"},
    {TEXT("{\"op\":\"publish\",\"channel\":[\"x\",\"y\"],\"ref\":1}"), ERROR_BAD_CHANNEL, "channel",
	"1"},
    {TEXT("{\"op\":\"publish\",\"channel\":\"x\",\"type\":\"open\",\"ref\":1}"), ERROR_BAD_REQUEST,
	"type", "1"},
    {TEXT("{\"op\":\"publish\",\"channel\":\"x\",\"data64\":\"!\",\"ref\":1}"), ERROR_BAD_REQUEST,
	"data64", "1"},
};

static void
op_parse_names_the_mistake_and_keeps_the_ref(void **state)
{
	struct event_fault fault;
	struct op op;

	for (size_t i = 0; i < COUNT(mistakes); i++) {
		if (parse(*state, &op, mistakes[i].text, &fault))
			fail_msg("mistakes[%zu] was taken", i);
		if (fault.code != mistakes[i].code || strcmp(fault.path, mistakes[i].path) != 0 ||
		    *fault.message == '\0' || !slice_equal(op.ref, slice_text(mistakes[i].ref)))
			fail_msg("mistakes[%zu]: %s at '%s': %s", i, error_word(fault.code),
			    fault.path, fault.message);
	}
}

/* What lay in the scratch before is the caller's: kept. */
static void
op_parse_appends_to_the_scratch(void **state)
{
	char room[64];
	struct out scratch = out_to(room, sizeof room);
	struct event_fault fault;
	struct op op;

	out_text(&scratch, "kept");
	assert_true(
	    op_parse(&op, TEXT("{\"op\":\"publish\",\"channel\":\"\\u0078\",\"data\":\"\\u0079\"}"),
		&scratch, &fault));
	assert_memory_equal(room, "kept", 4);
	assert_true(slice_equal(op.channel, TEXT("x")));
	assert_true(slice_equal(op.event.data, TEXT("y")));
	(void)state;
}

/* The channel of a publish is read twice, but takes room once. */
static void
op_parse_publish_needs_no_more_scratch_than_its_length(void **state)
{
	char text[400];
	struct out message = out_to(text, sizeof text);
	struct event_fault fault;
	struct op op;

	out_text(&message, "{\"op\":\"publish\",\"channel\":\"\\u0078");
	for (int i = 0; i < 254; i++)
		out_char(&message, 'y');
	out_text(&message, "\"}");
	assert_true(parse(*state, &op, slice_of(text, message.len), &fault));
	assert_int_equal(op.channel.len, 255);
}

static void
op_parse_refuses_when_the_scratch_is_full(void **state)
{
	static const char *const rows[] = {
	    "{\"op\":\"subscribe\",\"channel\":\"ab\\u0063d\"}",
	    "{\"op\":\"subscribe\",\"channel\":\"x\",\"after\":\"1-1\\u0031\\u0031\"}",
	    "{\"op\":\"publish\",\"channel\":\"x\",\"data\":\"ab\\u0063d\"}",
	};
	struct bench *b = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t cap = 0; cap <= 5; cap++) {
			struct out scratch = out_to(guard_end(&b->scratch, cap), cap);
			struct event_fault fault;
			struct op op;
			bool fits = cap >= (i == 1 ? 5 : 4);

			assert_int_equal(
			    op_parse(&op, slice_text(rows[i]), &scratch, &fault), fits);
			assert_true(fits || fault.code == ERROR_TOO_LARGE);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(op_parse_reads_each_op),
	    cmocka_unit_test(op_parse_refuses_every_strict_prefix),
	    cmocka_unit_test(op_parse_names_the_mistake_and_keeps_the_ref),
	    cmocka_unit_test(op_parse_appends_to_the_scratch),
	    cmocka_unit_test(op_parse_publish_needs_no_more_scratch_than_its_length),
	    cmocka_unit_test(op_parse_refuses_when_the_scratch_is_full),
	};

	return cmocka_run_group_tests(tests, bench_open, bench_close);
}
