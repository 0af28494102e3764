/*
 * json_test.c: the scanner against tables, every split point, and jansson.
 */
#include "proto/json.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/proto/guard.h"

#define TEXT(literal) SLICE_LITERAL(literal)

static const struct {
	struct slice text;
	enum json_kind kind;
} valid[] = {
    {TEXT("null"), JSON_KIND_NULL},
    {TEXT("true"), JSON_KIND_TRUE},
    {TEXT("false"), JSON_KIND_FALSE},
    {TEXT(" \t\r\n null"), JSON_KIND_NULL},
    {TEXT("0"), JSON_KIND_NUMBER},
    {TEXT("-0"), JSON_KIND_NUMBER},
    {TEXT("1234567890"), JSON_KIND_NUMBER},
    {TEXT("-12.5e-3"), JSON_KIND_NUMBER},
    {TEXT("0.0"), JSON_KIND_NUMBER},
    {TEXT("0e0"), JSON_KIND_NUMBER},
    {TEXT("1E+400"), JSON_KIND_NUMBER},
    {TEXT("123456789012345678901234567890"), JSON_KIND_NUMBER},
    {TEXT("\"\""), JSON_KIND_STRING},
    {TEXT("\"plain text that is longer than one word of eight bytes\""), JSON_KIND_STRING},
    {TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), JSON_KIND_STRING},
    {TEXT("\"\\u0000\\u00e9\\u20AC\\ud83d\\ude00\""), JSON_KIND_STRING},
    {TEXT("\"\x7f\xc3\xa9\xe2\x82\xac\xed\x9f\xbf\xee\x80\x80\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\""),
	JSON_KIND_STRING},
    {TEXT("\"\xef\xbf\xbe\xef\xbf\xbf\""), JSON_KIND_STRING}, /* noncharacters are characters */
    {TEXT("[]"), JSON_KIND_ARRAY},
    {TEXT("[ ]"), JSON_KIND_ARRAY},
    {TEXT("[1,2 , 3\n]"), JSON_KIND_ARRAY},
    {TEXT("[[],[[]],{}]"), JSON_KIND_ARRAY},
    {TEXT("[\"]\",\"\\\"]\"]"), JSON_KIND_ARRAY},
    {TEXT("{}"), JSON_KIND_OBJECT},
    {TEXT("{ }"), JSON_KIND_OBJECT},
    {TEXT("{\"a\":1,\"a\":2}"), JSON_KIND_OBJECT},
    {TEXT("{ \"\" : [ { \"x\" : null } , true ] , \"}\" : \"{\" }"), JSON_KIND_OBJECT},
    {TEXT("{\"a\":{\"b\":{\"c\":[-1.5,{}]}}}"), JSON_KIND_OBJECT},
};

static const struct {
	struct slice text;
	int error;
	size_t at;
} invalid[] = {
    {TEXT(""), JSON_ERROR_CUT, 0},
    {TEXT("  "), JSON_ERROR_CUT, 2},
    {TEXT("nul"), JSON_ERROR_CUT, 3},
    {TEXT("\"abc"), JSON_ERROR_CUT, 4},
    {TEXT("[1,"), JSON_ERROR_CUT, 3},
    {TEXT("{\"a\""), JSON_ERROR_CUT, 4},
    {TEXT("-"), JSON_ERROR_CUT, 1},
    {TEXT("1."), JSON_ERROR_CUT, 2},
    {TEXT("1e+"), JSON_ERROR_CUT, 3},
    {TEXT("\"\xe2\x82"), JSON_ERROR_CUT, 3},
    {TEXT("nulx"), JSON_ERROR_SYNTAX, 3},
    {TEXT("True"), JSON_ERROR_SYNTAX, 0},
    {TEXT("NaN"), JSON_ERROR_SYNTAX, 0},
    {TEXT("\xef\xbb\xbfnull"), JSON_ERROR_SYNTAX, 0}, /* byte order mark */
    {TEXT("'a'"), JSON_ERROR_SYNTAX, 0},
    {TEXT("// c\n1"), JSON_ERROR_SYNTAX, 0},
    {TEXT("\v1"), JSON_ERROR_SYNTAX, 0},
    {TEXT("\0"), JSON_ERROR_SYNTAX, 0},
    {TEXT("null\0"), JSON_ERROR_SYNTAX, 4},
    {TEXT("1 2"), JSON_ERROR_SYNTAX, 2},
    {TEXT("{} x"), JSON_ERROR_SYNTAX, 3},
    {TEXT("[]]"), JSON_ERROR_SYNTAX, 2},
    {TEXT("+1"), JSON_ERROR_SYNTAX, 0},
    {TEXT(".5"), JSON_ERROR_SYNTAX, 0},
    {TEXT("01"), JSON_ERROR_SYNTAX, 1},
    {TEXT("-01"), JSON_ERROR_SYNTAX, 2},
    {TEXT("-a"), JSON_ERROR_SYNTAX, 1},
    {TEXT("1.e5"), JSON_ERROR_SYNTAX, 2},
    {TEXT("1ee5"), JSON_ERROR_SYNTAX, 2},
    {TEXT("0x10"), JSON_ERROR_SYNTAX, 1},
    {TEXT("[1,]"), JSON_ERROR_SYNTAX, 3},
    {TEXT("[,1]"), JSON_ERROR_SYNTAX, 1},
    {TEXT("[1 2]"), JSON_ERROR_SYNTAX, 3},
    {TEXT("[1}"), JSON_ERROR_SYNTAX, 2},
    {TEXT("{]"), JSON_ERROR_SYNTAX, 1},
    {TEXT("{\"a\":1,}"), JSON_ERROR_SYNTAX, 7},
    {TEXT("{,}"), JSON_ERROR_SYNTAX, 1},
    {TEXT("{a:1}"), JSON_ERROR_SYNTAX, 1},
    {TEXT("{1:1}"), JSON_ERROR_SYNTAX, 1},
    {TEXT("{\"a\" 1}"), JSON_ERROR_SYNTAX, 5},
    {TEXT("{\"a\":}"), JSON_ERROR_SYNTAX, 5},
    {TEXT("{\"a\":1 \"b\":2}"), JSON_ERROR_SYNTAX, 7},
    {TEXT("[{\"a\":[1,{\"b\":tru }]}]"), JSON_ERROR_SYNTAX, 17},
    {TEXT("\"a\nb\""), JSON_ERROR_SYNTAX, 2},
    {TEXT("\"long enough for words\x1f\""), JSON_ERROR_SYNTAX, 22},
    {TEXT("\"\0\""), JSON_ERROR_SYNTAX, 1},
    {TEXT("\"\\x\""), JSON_ERROR_SYNTAX, 2},
    {TEXT("\"\\u12g4\""), JSON_ERROR_SYNTAX, 5},
    {TEXT("\"\\U0041\""), JSON_ERROR_SYNTAX, 2},
    {TEXT("\"\x80\""), JSON_ERROR_UTF8, 1},
    {TEXT("\"ab\xff\""), JSON_ERROR_UTF8, 3},
    {TEXT("\"\xc0\xaf\""), JSON_ERROR_UTF8, 1},     /* overlong */
    {TEXT("\"\xe0\x9f\xbf\""), JSON_ERROR_UTF8, 1}, /* overlong */
    {TEXT("\"\xf0\x8f\xbf\xbf\""), JSON_ERROR_UTF8, 1},
    {TEXT("\"\xed\xa0\x80\""), JSON_ERROR_UTF8, 1},     /* a surrogate */
    {TEXT("\"\xf4\x90\x80\x80\""), JSON_ERROR_UTF8, 1}, /* above U+10FFFF */
    {TEXT("\"\xf5\x80\x80\x80\""), JSON_ERROR_UTF8, 1},
    {TEXT("\"\xc3\""), JSON_ERROR_UTF8, 1},
    {TEXT("\"\xe2\x82\""), JSON_ERROR_UTF8, 1},
    {TEXT("{\"\xff\":1}"), JSON_ERROR_UTF8, 2},
    {TEXT("\"a\\ud800\""), JSON_ERROR_UTF8, 2},
    {TEXT("\"\\ud800x\""), JSON_ERROR_UTF8, 1},
    {TEXT("\"\\ud800\\n\""), JSON_ERROR_UTF8, 1},
    {TEXT("\"\\ud800\\u0041\""), JSON_ERROR_UTF8, 1},
    {TEXT("\"\\ud800\\ud800\""), JSON_ERROR_UTF8, 1},
    {TEXT("\"\\udc00\""), JSON_ERROR_UTF8, 1},
    {TEXT("[\"\\uDFFF\\uD800\"]"), JSON_ERROR_UTF8, 2},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The text, from memory that ends with it. */
static struct slice
edge_put(const struct guard *g, struct slice text)
{
	return slice_of(guard_copy(g, text.bytes, text.len), text.len);
}

/* Room for exactly cap bytes. */
static struct out
edge_out(const struct guard *g, size_t cap)
{
	return out_to(guard_end(g, cap), cap);
}

static void
json_scan_takes_valid_text_whole(void **state)
{
	struct guard edge;

	guard_open(&edge, 4096);
	for (size_t i = 0; i < COUNT(valid); i++) {
		struct slice text = edge_put(&edge, valid[i].text);
		struct json_value value;
		size_t at, space = strspn(valid[i].text.bytes, " \t\r\n");
		char followed[128];

		assert_int_equal(json_whole(text, &value, &at), 1);
		assert_int_equal(value.kind, valid[i].kind);
		assert_ptr_equal(value.raw.bytes, text.bytes + space);
		assert_int_equal(value.raw.len, text.len - space);
		if (value.kind != JSON_KIND_NUMBER)
			assert_int_equal(json_scan(text, &value, &at), text.len);
		assert_true(text.len + 1 < sizeof followed);
		memcpy(followed, text.bytes, text.len);
		followed[text.len] = '\n';
		assert_int_equal(
		    json_scan(slice_of(followed, text.len + 1), &value, &at), text.len);
		assert_int_equal(value.kind, valid[i].kind);
	}
	guard_close(&edge);
	(void)state;
}

static void
json_scan_needs_more_at_every_strict_prefix(void **state)
{
	struct guard edge;
	struct json_value value;
	size_t at;

	guard_open(&edge, 4096);
	for (size_t i = 0; i < COUNT(valid); i++) {
		for (size_t len = 0; len < valid[i].text.len; len++) {
			struct slice text = edge_put(&edge, slice_of(valid[i].text.bytes, len));

			assert_int_equal(json_scan(text, &value, &at), 0);
		}
	}
	guard_close(&edge);
	(void)state;
}

static void
json_whole_names_each_mistake_and_its_byte(void **state)
{
	struct guard edge;

	guard_open(&edge, 4096);
	for (size_t i = 0; i < COUNT(invalid); i++) {
		struct slice text = edge_put(&edge, invalid[i].text);
		struct json_value value;
		size_t at = 999;
		int r = json_whole(text, &value, &at);

		if (r != invalid[i].error || at != invalid[i].at)
			fail_msg("invalid[%zu] '%s': %d at %zu", i, invalid[i].text.bytes, r, at);
	}
	guard_close(&edge);
	(void)state;
}

/* The same mistake at the same byte as json_whole, except behind a value that ends before it. */
static void
json_scan_names_the_same_mistakes(void **state)
{
	static const char *const complete_before[] = {
	    "null", "1 2", "{} x", "[]]", "01", "-01", "0x10"};

	for (size_t i = 0; i < COUNT(invalid); i++) {
		struct json_value value;
		size_t at = 999;
		ptrdiff_t expected = invalid[i].error == JSON_ERROR_CUT ? 0 : invalid[i].error;
		ptrdiff_t r = json_scan(invalid[i].text, &value, &at);

		for (size_t k = 0; k < COUNT(complete_before); k++)
			if (expected < 0 && strcmp(invalid[i].text.bytes, complete_before[k]) == 0)
				expected = (ptrdiff_t)value.raw.len;
		if (r != expected || (r < 0 && at != invalid[i].at))
			fail_msg("invalid[%zu] '%s': %td at %zu", i, invalid[i].text.bytes, r, at);
	}
	(void)state;
}

static void
json_errors_have_words(void **state)
{
	assert_non_null(strstr(json_error_text(JSON_ERROR_SYNTAX), "JSON"));
	assert_non_null(strstr(json_error_text(JSON_ERROR_UTF8), "UTF-8"));
	assert_non_null(strstr(json_error_text(JSON_ERROR_DEPTH), "64"));
	assert_non_null(strstr(json_error_text(JSON_ERROR_CUT), "early"));
	(void)state;
}

/*
 * A mistake is seen no earlier than its byte: everything before it could still have become valid.
 */
static void
json_scan_needs_more_before_a_mistake(void **state)
{
	struct guard edge;
	struct json_value value;
	size_t at;

	guard_open(&edge, 4096);
	for (size_t i = 0; i < COUNT(invalid); i++) {
		for (size_t len = 0; len <= invalid[i].at; len++) {
			struct slice text = edge_put(&edge, slice_of(invalid[i].text.bytes, len));

			assert_true(json_scan(text, &value, &at) >= 0);
		}
	}
	guard_close(&edge);
	(void)state;
}

/*
 * The alignment of the eight-byte steps must not matter: a special byte at each place of strings of
 * each length.
 */
static void
json_string_scan_sees_a_special_byte_at_every_place(void **state)
{
	struct guard edge;
	char text[64];
	struct json_value value;
	size_t at;

	guard_open(&edge, 4096);
	for (size_t len = 1; len < 40; len++) {
		for (size_t place = 0; place < len; place++) {
			memset(text, 'x', sizeof text);
			text[0] = text[len + 1] = '"';
			text[1 + place] = '\x01';
			assert_int_equal(
			    json_whole(edge_put(&edge, slice_of(text, len + 2)), &value, &at),
			    JSON_ERROR_SYNTAX);
			assert_int_equal(at, 1 + place);
			text[1 + place] = '\xfe';
			assert_int_equal(
			    json_whole(edge_put(&edge, slice_of(text, len + 2)), &value, &at),
			    JSON_ERROR_UTF8);
			assert_int_equal(at, 1 + place);
			text[1 + place] = '"';
			assert_int_equal(
			    json_scan(edge_put(&edge, slice_of(text, len + 2)), &value, &at),
			    place + 2);
		}
	}
	guard_close(&edge);
	(void)state;
}

static void
json_depth_is_64_and_no_more(void **state)
{
	static char text[100000];
	struct json_value value;
	size_t at;

	for (int object = 0; object < 2; object++) {
		for (size_t depth = 63; depth <= 66; depth++) {
			size_t len = 0;

			for (size_t i = 0; i < depth; i++) {
				const char *open = object ? "{\"a\":" : "[";

				memcpy(text + len, open, strlen(open));
				len += strlen(open);
			}
			text[len++] = '1';
			for (size_t i = 0; i < depth; i++)
				text[len++] = object ? '}' : ']';
			if (depth <= JSON_DEPTH_MAX) {
				assert_int_equal(json_whole(slice_of(text, len), &value, &at), 1);
			} else {
				assert_int_equal(
				    json_whole(slice_of(text, len), &value, &at), JSON_ERROR_DEPTH);
				assert_int_equal(at, 64 * (object ? 5 : 1));
			}
		}
	}
	memset(text, '[', sizeof text);
	assert_int_equal(json_whole(slice_of(text, sizeof text), &value, &at), JSON_ERROR_DEPTH);
	(void)state;
}

/* A walk counts its own level too. */
static void
json_walk_has_the_same_depth(void **state)
{
	char text[256];

	for (size_t depth = 64; depth <= 65; depth++) {
		struct json_walk walk;
		struct json_value value;
		struct slice key;
		size_t at;

		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		assert_int_equal(json_walk_open(&walk, slice_of(text, 2 * depth), &at), 1);
		assert_int_equal(
		    json_walk_next(&walk, &key, &value, &at), depth == 64 ? 1 : JSON_ERROR_DEPTH);
	}
	(void)state;
}

static void
json_walk_gives_members_in_order(void **state)
{
	struct slice text = TEXT(" { \"a\" : 1 , \"\\u0062\":[2,{}], \"a\":\"x\" } \n");
	static const char *const keys[] = {"\"a\"", "\"\\u0062\"", "\"a\""};
	static const char *const values[] = {"1", "[2,{}]", "\"x\""};
	struct guard edge;
	struct json_walk walk;
	struct json_value value;
	struct slice key;
	size_t at;

	guard_open(&edge, 4096);
	text = edge_put(&edge, text);
	assert_int_equal(json_walk_open(&walk, text, &at), 1);
	assert_true(walk.object);
	for (size_t i = 0; i < COUNT(keys); i++) {
		assert_int_equal(json_walk_next(&walk, &key, &value, &at), 1);
		assert_true(slice_equal(key, slice_text(keys[i])));
		assert_true(slice_equal(value.raw, slice_text(values[i])));
	}
	assert_int_equal(json_walk_next(&walk, &key, &value, &at), 0);
	assert_int_equal(json_walk_next(&walk, &key, &value, &at), 0);
	guard_close(&edge);
	(void)state;
}

static int
walk_all(struct slice text, size_t *count, size_t *at)
{
	struct json_walk walk;
	struct json_value value;
	struct slice key;
	int r = json_walk_open(&walk, text, at);

	*count = 0;
	if (r <= 0)
		return r;
	while ((r = json_walk_next(&walk, &key, &value, at)) > 0)
		(*count)++;
	return r == 0 ? 1 : r;
}

static void
json_walk_validates_as_json_whole_does(void **state)
{
	struct guard edge;
	struct json_value value;
	size_t count, whole_at = 0, walk_at = 0;

	guard_open(&edge, 4096);
	for (size_t i = 0; i < COUNT(valid); i++) {
		bool container =
		    valid[i].kind == JSON_KIND_ARRAY || valid[i].kind == JSON_KIND_OBJECT;

		assert_int_equal(
		    walk_all(edge_put(&edge, valid[i].text), &count, &walk_at), container ? 1 : 0);
	}
	for (size_t i = 0; i < COUNT(invalid); i++) {
		struct slice text = edge_put(&edge, invalid[i].text);

		assert_int_equal(
		    walk_all(text, &count, &walk_at), json_whole(text, &value, &whole_at));
		assert_int_equal(walk_at, whole_at);
	}
	guard_close(&edge);
	(void)state;
}

static void
json_walk_counts_elements(void **state)
{
	static const struct {
		struct slice text;
		size_t count;
	} rows[] = {
	    {TEXT("[]"), 0},
	    {TEXT("{ }"), 0},
	    {TEXT("[null]"), 1},
	    {TEXT("[[1,2],[3,4]]"), 2},
	    {TEXT("{\"a\":[1,2,3],\"b\":{\"c\":1}} "), 2},
	};
	size_t count, at;

	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(walk_all(rows[i].text, &count, &at), 1);
		assert_int_equal(count, rows[i].count);
	}
	(void)state;
}

static const struct {
	struct slice raw;
	struct slice content;
} strings[] = {
    {TEXT("\"\""), TEXT("")},
    {TEXT("\"abc\""), TEXT("abc")},
    {TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), TEXT("\"\\/\b\f\n\r\t")},
    {TEXT("\"a\\u0000b\""), TEXT("a\0b")},
    {TEXT("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\""),
	TEXT("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf")},
    {TEXT("\"\\ud800\\udc00\\uDBFF\\uDFFF\""), TEXT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")},
    {TEXT("\"x\\ud83d\\ude00y\xe2\x82\xac\""), TEXT("x\xf0\x9f\x98\x80y\xe2\x82\xac")},
    {TEXT("\"c\\u0068annel\""), TEXT("channel")},
};

static void
json_unescape_gives_the_content(void **state)
{
	struct guard edge, room;

	guard_open(&edge, 4096);
	guard_open(&room, 4096);
	for (size_t i = 0; i < COUNT(strings); i++) {
		struct json_value value;
		size_t at;
		struct slice content, raw = edge_put(&edge, strings[i].raw);
		struct out out = edge_out(&room, strings[i].content.len);

		assert_int_equal(json_whole(raw, &value, &at), 1);
		json_unescape(&out, value.raw);
		assert_false(out_cut(&out));
		assert_true(slice_equal(slice_of(out.bytes, out.len), strings[i].content));
		out = edge_out(&room, raw.len);
		assert_true(json_content(&value, &out, &content));
		assert_true(slice_equal(content, strings[i].content));
		assert_int_equal(value.plain, memchr(raw.bytes, '\\', raw.len) == NULL);
		assert_int_equal(out.len, value.plain ? 0 : content.len);
		for (size_t cap = 0; cap < content.len; cap++) {
			out = edge_out(&room, cap);
			json_unescape(&out, value.raw);
			assert_true(out_cut(&out));
			assert_int_equal(out.need, strings[i].content.len);
		}
	}
	guard_close(&edge);
	guard_close(&room);
	(void)state;
}

static void
json_string_equals_compares_the_content(void **state)
{
	struct guard edge, other;

	guard_open(&edge, 4096);
	guard_open(&other, 4096);
	for (size_t i = 0; i < COUNT(strings); i++) {
		for (size_t k = 0; k < COUNT(strings); k++) {
			struct slice raw = edge_put(&edge, strings[i].raw);
			struct slice literal = edge_put(&other, strings[k].content);

			assert_int_equal(json_string_equals(raw, literal), i == k);
		}
	}
	assert_false(json_string_equals(TEXT("\"chan\""), TEXT("channel")));
	assert_false(json_string_equals(TEXT("\"channels\""), TEXT("channel")));
	assert_false(json_string_equals(TEXT("\"\\u0063hannels\""), TEXT("channel")));
	assert_false(json_string_equals(TEXT("\"\\u0063\""), TEXT("")));
	assert_false(json_string_equals(TEXT("\"\\u0063\""), TEXT("ch")));
	assert_false(json_string_equals(TEXT("\"a\\n\""), TEXT("a\\n")));
	guard_close(&edge);
	guard_close(&other);
	(void)state;
}

static void
json_escape_is_minimal(void **state)
{
	static const struct {
		struct slice text;
		struct slice json;
	} rows[] = {
	    {TEXT(""), TEXT("\"\"")},
	    {TEXT("plain"), TEXT("\"plain\"")},
	    {TEXT("say \"hi\" \\ bye/now"), TEXT("\"say \\\"hi\\\" \\\\ bye/now\"")},
	    {TEXT("\b\f\n\r\t"), TEXT("\"\\b\\f\\n\\r\\t\"")},
	    {TEXT("\0\x01\x1f\x7f"), TEXT("\"\\u0000\\u0001\\u001f\x7f\"")},
	    {TEXT("h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
		TEXT("\"h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"")},
	    {TEXT("eight byte words, then one \" and more words of text"),
		TEXT("\"eight byte words, then one \\\" and more words of text\"")},
	};
	struct guard edge, room;

	guard_open(&edge, 4096);
	guard_open(&room, 4096);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice text = edge_put(&edge, rows[i].text);

		for (size_t cap = 0; cap <= rows[i].json.len; cap++) {
			struct out out = edge_out(&room, cap);

			json_escape(&out, text);
			assert_int_equal(out.need, rows[i].json.len);
			assert_int_equal(out_cut(&out), cap < rows[i].json.len);
			if (!out_cut(&out))
				assert_true(
				    slice_equal(slice_of(out.bytes, out.len), rows[i].json));
		}
	}
	guard_close(&edge);
	guard_close(&room);
	(void)state;
}

static void
json_numbers_become_integers_exactly_or_not_at_all(void **state)
{
	static const struct {
		const char *text;
		bool is_u64, is_i64;
		uint64_t u64;
		int64_t i64;
	} rows[] = {
	    {"0", true, true, 0, 0},
	    {"-0", false, true, 0, 0},
	    {"42", true, true, 42, 42},
	    {"-42", false, true, 0, -42},
	    {"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
	    {"9223372036854775808", true, false, UINT64_C(1) << 63, 0},
	    {"-9223372036854775808", false, true, 0, INT64_MIN},
	    {"-9223372036854775809", false, false, 0, 0},
	    {"18446744073709551615", true, false, UINT64_MAX, 0},
	    {"18446744073709551616", false, false, 0, 0},
	    {"99999999999999999999", false, false, 0, 0},
	    {"1.0", false, false, 0, 0},
	    {"1e3", false, false, 0, 0},
	    {"\"1\"", false, false, 0, 0},
	    {"true", false, false, 0, 0},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct json_value value;
		size_t at;
		uint64_t u64 = 0;
		int64_t i64 = 0;

		assert_int_equal(json_whole(slice_text(rows[i].text), &value, &at), 1);
		assert_int_equal(json_u64(&value, &u64), rows[i].is_u64);
		assert_int_equal(json_i64(&value, &i64), rows[i].is_i64);
		assert_true(u64 == rows[i].u64 && i64 == rows[i].i64);
	}
	(void)state;
}

/* ---- against jansson ---- */

struct random {
	uint64_t s;
};

static uint32_t
random_below(struct random *r, uint32_t n)
{
	r->s = r->s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((r->s >> 33) % n);
}

static void assert_same_value(const struct json_value *value, const json_t *theirs);

static void
assert_same_string(const struct json_value *value, const char *bytes, size_t len)
{
	char room[1024];
	struct out scratch = out_to(room, sizeof room);
	struct slice content;

	assert_true(json_content(value, &scratch, &content));
	assert_true(slice_equal(content, slice_of(bytes, len)));
}

/* Of a repeated member jansson keeps the last, so each of theirs is compared with our last. */
static void
assert_same_object(struct slice raw, const json_t *theirs)
{
	struct json_walk walk;
	struct json_value value, last = {.kind = JSON_KIND_NULL};
	struct slice key;
	size_t at;
	void *member;
	int r;

	for (member = json_object_iter((json_t *)(uintptr_t)theirs); member != NULL;
	     member = json_object_iter_next((json_t *)(uintptr_t)theirs, member)) {
		const char *name = json_object_iter_key(member);
		bool found = false;

		assert_int_equal(json_walk_open(&walk, raw, &at), 1);
		while ((r = json_walk_next(&walk, &key, &value, &at)) > 0) {
			if (json_string_equals(key, slice_text(name))) {
				last = value;
				found = true;
			}
		}
		assert_int_equal(r, 0);
		assert_true(found);
		assert_same_value(&last, json_object_iter_value(member));
	}
	assert_int_equal(json_walk_open(&walk, raw, &at), 1);
	while (json_walk_next(&walk, &key, &value, &at) > 0) {
		char room[1024];
		struct out name = out_to(room, sizeof room - 1);

		json_unescape(&name, key);
		room[name.len] = '\0';
		assert_non_null(json_object_get(theirs, room));
	}
}

static void
assert_same_array(struct slice raw, const json_t *theirs)
{
	struct json_walk walk;
	struct json_value value;
	struct slice key;
	size_t at, count = 0;

	assert_int_equal(json_walk_open(&walk, raw, &at), 1);
	while (json_walk_next(&walk, &key, &value, &at) > 0)
		assert_same_value(&value, json_array_get(theirs, count++));
	assert_int_equal(count, json_array_size(theirs));
}

static void
assert_same_value(const struct json_value *value, const json_t *theirs)
{
	int64_t n;

	switch (value->kind) {
	case JSON_KIND_NULL:
		assert_true(json_is_null(theirs));
		break;
	case JSON_KIND_FALSE:
		assert_true(json_is_false(theirs));
		break;
	case JSON_KIND_TRUE:
		assert_true(json_is_true(theirs));
		break;
	case JSON_KIND_NUMBER:
		assert_true(json_is_number(theirs));
		assert_int_equal(json_i64(value, &n), json_is_integer(theirs));
		if (json_is_integer(theirs))
			assert_true(n == json_integer_value(theirs));
		break;
	case JSON_KIND_STRING:
		assert_true(json_is_string(theirs));
		assert_same_string(value, json_string_value(theirs), json_string_length(theirs));
		break;
	case JSON_KIND_ARRAY:
		assert_true(json_is_array(theirs));
		assert_same_array(value->raw, theirs);
		break;
	case JSON_KIND_OBJECT:
		assert_true(json_is_object(theirs));
		assert_same_object(value->raw, theirs);
		break;
	}
}

/*
 * Both take it, with equal values, or neither does. Left out, because jansson is meant to differ:
 * numbers that its C types cannot hold (RFC 8259 lets them pass), NUL in a member's name, raw NUL
 * bytes (jansson takes one behind the value for the end), and nesting between our limit and its own
 * of 2048.
 */
static bool
assert_jansson_agrees(struct slice text)
{
	json_error_t error;
	struct json_value value;
	size_t at;
	int r = json_whole(text, &value, &at);
	json_t *theirs = json_loadb(text.bytes, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);

	if (theirs == NULL) {
		enum json_error_code code = json_error_code(&error);

		if (r == 1 && code != json_error_numeric_overflow &&
		    code != json_error_null_byte_in_key)
			fail_msg("only we take: %.*s (%s)", (int)text.len, text.bytes, error.text);
		return false;
	}
	if (r != 1 && r != JSON_ERROR_DEPTH && memchr(text.bytes, '\0', text.len) == NULL)
		fail_msg("only jansson takes: %.*s (%d at %zu)", (int)text.len, text.bytes, r, at);
	if (r == 1)
		assert_same_value(&value, theirs);
	json_decref(theirs);
	return r == 1;
}

static void
json_agrees_with_jansson_on_the_tables(void **state)
{
	for (size_t i = 0; i < COUNT(valid); i++)
		assert_jansson_agrees(valid[i].text);
	for (size_t i = 0; i < COUNT(invalid); i++)
		assert_jansson_agrees(invalid[i].text);
	(void)state;
}

/* One small change: pieces of syntax put in, bytes changed, taken out, or copied. */
static size_t
mutate(struct random *r, char *text, size_t len, size_t cap)
{
	static const char *const pieces[] = {"{", "}", "[", "]", ",", ":", "\"", "\\", "\\u",
	    "\\ud83d", "\\ude00", "\\u0000", "0", "1", "-", ".", "e", "+", "true", "null", " ",
	    "\n", "\"a\":", "[]", "{}", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\x80",
	    "\xed\xa0\x80", "\x1f", "\xff", "\xc2", "\xf4"};
	size_t at = random_below(r, (uint32_t)len + 1);
	const char *piece = pieces[random_below(r, COUNT(pieces))];
	size_t piece_len = strlen(piece);

	switch (random_below(r, 5)) {
	case 0:
	case 1:
		if (len + piece_len > cap)
			return len;
		memmove(text + at + piece_len, text + at, len - at);
		memcpy(text + at, piece, piece_len);
		return len + piece_len;
	case 2:
		if (at < len)
			text[at] = (char)random_below(r, 256);
		return len;
	case 3:
		if (at == len)
			return len;
		memmove(text + at, text + at + 1, len - at - 1);
		return len - 1;
	}
	piece_len = random_below(r, (uint32_t)(len - at) + 1);
	if (len + piece_len > cap)
		return len;
	memmove(text + at + piece_len, text + at, len - at);
	return len + piece_len;
}

static void
json_agrees_with_jansson_on_mutations(void **state)
{
	struct random r = {.s = 20250101};
	struct guard edge;
	char text[512];
	size_t taken = 0;
	const size_t rounds = 200000;

	guard_open(&edge, 4096);
	for (size_t i = 0; i < rounds; i++) {
		struct slice seed = valid[random_below(&r, COUNT(valid))].text;
		size_t len = seed.len;

		memcpy(text, seed.bytes, len);
		for (uint32_t k = random_below(&r, 4) + 1; k > 0; k--)
			len = mutate(&r, text, len, sizeof text);
		taken += assert_jansson_agrees(edge_put(&edge, slice_of(text, len)));
	}
	/* Both sides of the comparison must have been exercised. */
	assert_in_range(taken, rounds / 20, rounds - rounds / 20);
	guard_close(&edge);
	(void)state;
}

/* A random text of valid UTF-8, with many of the characters that need care. */
static size_t
random_text(struct random *r, char *text, size_t pieces)
{
	static const char *const rare[] = {"\"", "\\", "\n", "\x1f", "/", "\x7f", "\xc2\x80",
	    "\xdf\xbf", "\xe0\xa0\x80", "\xe2\x80\xa8", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
	    "\xf4\x8f\xbf\xbf"};
	size_t len = 0;

	while (pieces-- > 0) {
		const char *piece = rare[random_below(r, COUNT(rare))];

		if (random_below(r, 3) != 0) {
			text[len++] = (char)('a' + random_below(r, 26));
		} else {
			memcpy(text + len, piece, strlen(piece));
			len += strlen(piece);
		}
	}
	return len;
}

static void
json_escape_is_read_back_by_both(void **state)
{
	struct random r = {.s = 7};
	char text[256], room[1024];

	for (int i = 0; i < 20000; i++) {
		size_t len = random_text(&r, text, random_below(&r, 60));
		struct out out = out_to(room, sizeof room);
		struct json_value value;
		json_t *theirs;
		size_t at;

		json_escape(&out, slice_of(text, len));
		assert_false(out_cut(&out));
		assert_int_equal(json_whole(slice_of(out.bytes, out.len), &value, &at), 1);
		assert_same_string(&value, text, len);
		theirs = json_loadb(out.bytes, out.len, JSON_DECODE_ANY, NULL);
		assert_non_null(theirs);
		assert_same_string(&value, json_string_value(theirs), json_string_length(theirs));
		json_decref(theirs);
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(json_scan_takes_valid_text_whole),
	    cmocka_unit_test(json_scan_needs_more_at_every_strict_prefix),
	    cmocka_unit_test(json_whole_names_each_mistake_and_its_byte),
	    cmocka_unit_test(json_scan_names_the_same_mistakes),
	    cmocka_unit_test(json_errors_have_words),
	    cmocka_unit_test(json_scan_needs_more_before_a_mistake),
	    cmocka_unit_test(json_string_scan_sees_a_special_byte_at_every_place),
	    cmocka_unit_test(json_depth_is_64_and_no_more),
	    cmocka_unit_test(json_walk_has_the_same_depth),
	    cmocka_unit_test(json_walk_gives_members_in_order),
	    cmocka_unit_test(json_walk_validates_as_json_whole_does),
	    cmocka_unit_test(json_walk_counts_elements),
	    cmocka_unit_test(json_unescape_gives_the_content),
	    cmocka_unit_test(json_string_equals_compares_the_content),
	    cmocka_unit_test(json_escape_is_minimal),
	    cmocka_unit_test(json_numbers_become_integers_exactly_or_not_at_all),
	    cmocka_unit_test(json_agrees_with_jansson_on_the_tables),
	    cmocka_unit_test(json_agrees_with_jansson_on_mutations),
	    cmocka_unit_test(json_escape_is_read_back_by_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
