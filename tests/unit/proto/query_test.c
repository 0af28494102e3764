/*
 * query_test.c: parameters one by one, the last and the repeated, decoding exactly once, numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/query.h"
#include "tests/unit/proto/guard.h"

static void
assert_slice(struct slice have, const char *want)
{
	assert_int_equal(have.len, strlen(want));
	assert_memory_equal(have.bytes, want, have.len);
}

static void
query_next_splits_at_ampersands_and_the_first_equals(void **state)
{
	static const struct {
		const char *query;
		const char *want[7]; /* name, value, name, value, ... */
	} cases[] = {
	    {"", {NULL}},
	    {"&", {NULL}},
	    {"&&&", {NULL}},
	    {"a", {"a", ""}},
	    {"a=", {"a", ""}},
	    {"=b", {"", "b"}},
	    {"=", {"", ""}},
	    {"a=b=c", {"a", "b=c"}},
	    {"a=1&b=2&a=3", {"a", "1", "b", "2", "a", "3"}},
	    {"&a=1&&b&", {"a", "1", "b", ""}},
	    {"a=1;b=2", {"a", "1;b=2"}},
	    {"%61=%62", {"%61", "%62"}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct slice rest = slice_text(cases[i].query);
		struct slice name, value;

		for (size_t n = 0; cases[i].want[n] != NULL; n += 2) {
			assert_true(query_next(&rest, &name, &value));
			assert_slice(name, cases[i].want[n]);
			assert_slice(value, cases[i].want[n + 1]);
		}
		assert_false(query_next(&rest, &name, &value));
	}
}

static void
query_next_reads_no_byte_past_the_end(void **state)
{
	static const char query[] = "channel=a%20b&after=1&=&&x";
	struct guard g;

	(void)state;
	guard_open(&g, sizeof query);
	for (size_t len = 0; len < sizeof query; len++) {
		struct slice rest = slice_of(guard_copy(&g, query, len), len);
		struct slice name, value;
		char buffer[sizeof query];

		while (query_next(&rest, &name, &value)) {
			query_decode(name, buffer, sizeof buffer);
			query_decode(value, buffer, sizeof buffer);
			query_name_is(name, "channel");
		}
	}
	guard_close(&g);
}

static const struct {
	struct slice raw;
	const char *query, *path; /* decoded; NULL: QUERY_BAD_ESCAPE */
	size_t len;
} decoded[] = {
    {SLICE_LITERAL(""), "", "", 0},
    {SLICE_LITERAL("abc"), "abc", "abc", 3},
    {SLICE_LITERAL("a+b"), "a b", "a+b", 3},
    {SLICE_LITERAL("a%20b"), "a b", "a b", 3},
    {SLICE_LITERAL("a%2Bb%2bc"), "a+b+c", "a+b+c", 5},
    {SLICE_LITERAL("%41%4a%4A"), "AJJ", "AJJ", 3},
    {SLICE_LITERAL("%2541"), "%41", "%41", 3}, /* once */
    {SLICE_LITERAL("%25252525"), "%252525", "%252525", 7},
    {SLICE_LITERAL("a%00b"), "a\0b", "a\0b", 3},
    {SLICE_LITERAL("%c3%a4\xc3\xa4"), "\xc3\xa4\xc3\xa4", "\xc3\xa4\xc3\xa4", 4},
    {SLICE_LITERAL("%ff%FE"), "\xff\xfe", "\xff\xfe", 2},
    {SLICE_LITERAL("%0d%0A"), "\r\n", "\r\n", 2},
    {SLICE_LITERAL("%"), NULL, NULL, 0},
    {SLICE_LITERAL("%4"), NULL, NULL, 0},
    {SLICE_LITERAL("a%"), NULL, NULL, 0},
    {SLICE_LITERAL("%4g"), NULL, NULL, 0},
    {SLICE_LITERAL("%g4"), NULL, NULL, 0},
    {SLICE_LITERAL("%%41"), NULL, NULL, 0},
    {SLICE_LITERAL("%+1"), NULL, NULL, 0},
    {SLICE_LITERAL("% 1"), NULL, NULL, 0},
    {SLICE_LITERAL("%-1"), NULL, NULL, 0},
    {SLICE_LITERAL("%u0041"), NULL, NULL, 0},
    {SLICE_LITERAL("%0x41"), NULL, NULL, 0},
};

static void
query_decode_decodes_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof decoded / sizeof decoded[0]; i++) {
		char buffer[64];
		ptrdiff_t have = query_decode(decoded[i].raw, buffer, sizeof buffer);

		assert_int_equal(
		    have, decoded[i].query == NULL ? QUERY_BAD_ESCAPE : (ptrdiff_t)decoded[i].len);
		if (have > 0)
			assert_memory_equal(buffer, decoded[i].query, decoded[i].len);
		have = query_decode_path(decoded[i].raw, buffer, sizeof buffer);
		assert_int_equal(
		    have, decoded[i].path == NULL ? QUERY_BAD_ESCAPE : (ptrdiff_t)decoded[i].len);
		if (have > 0)
			assert_memory_equal(buffer, decoded[i].path, decoded[i].len);
	}
}

static void
query_decode_never_writes_past_its_buffer_and_works_in_place(void **state)
{
	struct guard g;

	(void)state;
	guard_open(&g, 64);
	for (size_t i = 0; i < sizeof decoded / sizeof decoded[0]; i++) {
		if (decoded[i].query == NULL)
			continue;
		for (size_t cap = 0; cap <= decoded[i].len; cap++) {
			ptrdiff_t have = query_decode(decoded[i].raw, guard_end(&g, cap), cap);

			assert_int_equal(
			    have, cap < decoded[i].len ? QUERY_TOO_LONG : (ptrdiff_t)cap);
		}
		char *raw = guard_copy(&g, decoded[i].raw.bytes, decoded[i].raw.len);
		assert_int_equal(
		    query_decode(slice_of(raw, decoded[i].raw.len), raw, decoded[i].raw.len),
		    decoded[i].len);
		assert_memory_equal(raw, decoded[i].query, decoded[i].len);
	}
	guard_close(&g);
}

static void
query_name_is_compares_what_is_decoded(void **state)
{
	static const struct {
		struct slice raw;
		const char *name;
		bool equal;
	} cases[] = {
	    {SLICE_LITERAL("channel"), "channel", true},
	    {SLICE_LITERAL("ch%61nnel"), "channel", true},
	    {SLICE_LITERAL("%63%68%61%6e%6E%65%6c"), "channel", true},
	    {SLICE_LITERAL("Channel"), "channel", false},
	    {SLICE_LITERAL("channe"), "channel", false},
	    {SLICE_LITERAL("channell"), "channel", false},
	    {SLICE_LITERAL(""), "channel", false},
	    {SLICE_LITERAL(""), "", true},
	    {SLICE_LITERAL("channel%00"), "channel", false},
	    {SLICE_LITERAL("channel%"), "channel", false},
	    {SLICE_LITERAL("ch%6"), "channel", false},
	    {SLICE_LITERAL("a+b"), "a b", true},
	    {SLICE_LITERAL("%ff"), "\xff", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(query_name_is(cases[i].raw, cases[i].name), cases[i].equal);
}

static void
query_last_takes_the_last_of_a_repeated_parameter(void **state)
{
	struct slice query = SLICE_LITERAL("after=1&b=2&%61fter=3&after%=4&afte=5&after");
	struct slice value;

	(void)state;
	assert_true(query_last(query, "after", &value));
	assert_slice(value, "");
	query.len -= strlen("&after");
	assert_true(query_last(query, "after", &value));
	assert_slice(value, "3");
	assert_false(query_last(query, "absent", &value));
	assert_false(query_last(slice_of(NULL, 0), "after", &value));
}

static void
query_find_walks_a_repeated_parameter_in_order(void **state)
{
	struct slice rest = SLICE_LITERAL("channel=a&x=y&channel=&chann%65l=b");
	static const char *const want[] = {"a", "", "b"};
	struct slice value;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_true(query_find(&rest, "channel", &value));
		assert_slice(value, want[i]);
	}
	assert_false(query_find(&rest, "channel", &value));
}

static void
query_u32_takes_digits_only(void **state)
{
	static const struct {
		const char *text;
		uint32_t max;
		int64_t want; /* -1: refused */
	} cases[] = {
	    {"0", 0, 0},
	    {"1", 0, -1},
	    {"45", 45, 45},
	    {"46", 45, -1},
	    {"007", 10, 7},
	    {"4294967295", UINT32_MAX, UINT32_MAX},
	    {"4294967296", UINT32_MAX, -1},
	    {"99999999999999999999999999", UINT32_MAX, -1},
	    {"18446744073709551617", UINT32_MAX, -1},
	    {"", 10, -1},
	    {" 1", 10, -1},
	    {"1 ", 10, -1},
	    {"+1", 10, -1},
	    {"-1", 10, -1},
	    {"0x1", 10, -1},
	    {"1.0", 10, -1},
	    {"1e0", 10, -1},
	    {"x", 10, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint32_t number = 123;
		bool good = query_u32(slice_text(cases[i].text), cases[i].max, &number);

		assert_int_equal(good, cases[i].want >= 0);
		assert_int_equal(number, good ? cases[i].want : 123);
	}
}

static void
query_u32_most_takes_what_is_more_for_the_most(void **state)
{
	static const struct {
		const char *text;
		uint32_t max;
		int64_t want; /* -1: refused */
	} cases[] = {
	    {"0", 9, 0},
	    {"9", 9, 9},
	    {"10", 9, 9},
	    {"4294967295", UINT32_MAX, UINT32_MAX},
	    {"4294967296", UINT32_MAX, UINT32_MAX},
	    {"99999999999999999999999999999999999999999", 1000, 1000},
	    {"000000000000000000000000000000000000000007", 1000, 7},
	    {"", 10, -1},
	    {"99999999999999999999x", 10, -1},
	    {"-1", 10, -1},
	    {"+1", 10, -1},
	    {"1.5", 10, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint32_t number = 123;
		bool good = query_u32_most(slice_text(cases[i].text), cases[i].max, &number);

		assert_int_equal(good, cases[i].want >= 0);
		assert_int_equal(number, good ? cases[i].want : 123);
	}
}

static void
query_path_take_knows_escapes_of_unreserved_characters(void **state)
{
	static const struct {
		const char *raw, *text, *rest; /* NULL: does not begin so */
	} cases[] = {
	    {"/events", "/events", ""},
	    {"/events/x", "/events", "/x"},
	    {"/%65vent%73", "/events", ""},
	    {"/%7Ea%2d%2E%5fb", "/~a-._b", ""},
	    {"/%7ea", "/~a", ""},
	    {"%2Fevents", "/events", NULL},
	    {"/a%20b", "/a b", NULL},
	    {"/a%20b", "/a%20b", ""},
	    {"/event%7", "/events", NULL},
	    {"/event%", "/events", NULL},
	    {"/event%zz", "/events", NULL},
	    {"/event", "/events", NULL},
	    {"/Events", "/events", NULL},
	    {"", "/", NULL},
	    {"", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct slice raw = slice_text(cases[i].raw);
		bool good = query_path_take(&raw, slice_text(cases[i].text));

		assert_int_equal(good, cases[i].rest != NULL);
		assert_slice(raw, good ? cases[i].rest : cases[i].raw);
	}
}

static void
query_redact_hides_every_token(void **state)
{
	static const struct {
		const char *query, *want;
	} cases[] = {
	    {"", ""},
	    {"a=b", "a=b"},
	    {"token=secret", "token=-"},
	    {"a=b&token=secret&c=d", "a=b&token=-&c=d"},
	    {"%74oken=secret&token=more", "%74oken=-&token=-"},
	    {"token=&token", "token=&token"},
	    {"mytoken=x", "mytoken=x"},
	    {"token=a=b%&x", "token=-&x"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char bytes[64];
		struct out o = out_to(bytes, sizeof bytes);

		query_redact(&o, slice_text(cases[i].query));
		assert_slice(slice_of(bytes, o.len), cases[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(query_next_splits_at_ampersands_and_the_first_equals),
	    cmocka_unit_test(query_next_reads_no_byte_past_the_end),
	    cmocka_unit_test(query_decode_decodes_once),
	    cmocka_unit_test(query_decode_never_writes_past_its_buffer_and_works_in_place),
	    cmocka_unit_test(query_name_is_compares_what_is_decoded),
	    cmocka_unit_test(query_last_takes_the_last_of_a_repeated_parameter),
	    cmocka_unit_test(query_find_walks_a_repeated_parameter_in_order),
	    cmocka_unit_test(query_u32_takes_digits_only),
	    cmocka_unit_test(query_u32_most_takes_what_is_more_for_the_most),
	    cmocka_unit_test(query_path_take_knows_escapes_of_unreserved_characters),
	    cmocka_unit_test(query_redact_hides_every_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
