/*
 * sse_test.c: what is rendered, byte for byte, and that no data can break out of its field: random
 * data goes through the renderer and a WHATWG parser and must come back with CR and CRLF as LF.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/sse.h"
#include "tests/unit/proto/guard.h"
#include "tests/unit/proto/sse_reference.h"

#define ID "1763856000000-00000"

struct text {
	const char *bytes;
	size_t len;
};

#define T(literal)                           \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

static const struct {
	const char *name;
	struct text type, data, id, expected;
} events[] = {
    {"plain", T("message"), T("hello"), T(ID), T("data: hello\nid: " ID "\n\n")},
    {"no type", T(""), T("hello"), T(ID), T("data: hello\nid: " ID "\n\n")},
    {"a type", T("notification"), T("x"), T(ID), T("event: notification\ndata: x\nid: " ID "\n\n")},
    {"no id", T("a"), T("x"), T(""), T("event: a\ndata: x\n\n")},
    {"empty data", T("message"), T(""), T("1"), T("data: \nid: 1\n\n")},
    {"leading space", T("message"), T(" x"), T(""), T("data:  x\n\n")},
    {"LF", T("message"), T("a\nb"), T(""), T("data: a\ndata: b\n\n")},
    {"CR", T("message"), T("a\rb"), T(""), T("data: a\ndata: b\n\n")},
    {"CRLF", T("message"), T("a\r\nb"), T(""), T("data: a\ndata: b\n\n")},
    {"LFCR", T("message"), T("a\n\rb"), T(""), T("data: a\ndata: \ndata: b\n\n")},
    {"CRCRLFLF", T("message"), T("a\r\r\n\nb"), T(""), T("data: a\ndata: \ndata: \ndata: b\n\n")},
    {"ends with LF", T("message"), T("a\n"), T(""), T("data: a\ndata: \n\n")},
    {"ends with CR", T("message"), T("a\r"), T(""), T("data: a\ndata: \n\n")},
    {"only LF", T("message"), T("\n"), T(""), T("data: \ndata: \n\n")},
    {"a forged event", T("message"), T("x\n\nevent: evil\ndata: y"), T(""),
	T("data: x\ndata: \ndata: event: evil\ndata: data: y\n\n")},
    {"a forged event by CR", T("message"), T("x\r\rid: 9\rretry: 0"), T(""),
	T("data: x\ndata: \ndata: id: 9\ndata: retry: 0\n\n")},
    {"NUL and colon stay", T("message"), T(":\0:"), T(""), T("data: :\0:\n\n")},
    {"a type is cut at a line end", T("a\nid: 9"), T("x"), T(""), T("event: a\ndata: x\n\n")},
    {"an id is cut at a line end", T(""), T("x"), T("1\rdata: y"), T("data: x\nid: 1\n\n")},
    {"an id is cut at NUL", T(""), T("x"), T("1\0002"), T("data: x\nid: 1\n\n")},
    {"nothing left of an id", T(""), T("x"), T("\n1"), T("data: x\n\n")},
};

static void
assert_rendered(const char *name, const struct out *o, struct text expected)
{
	if (out_cut(o) || o->len != expected.len || memcmp(o->bytes, expected.bytes, o->len) != 0)
		fail_msg("%s: got \"%.*s\"", name, (int)o->len, o->bytes);
}

static void
sse_event_writes_what_the_contract_shows(void **state)
{
	struct guard in, out;

	(void)state;
	guard_open(&in, 4096);
	guard_open(&out, 4096);
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
		size_t len_max =
		    sse_event_len_max(events[i].type.len, events[i].data.len, events[i].id.len);
		struct out o = out_to(guard_end(&out, len_max), len_max);
		const char *data = guard_copy(&in, events[i].data.bytes, events[i].data.len);

		sse_event(&o, slice_of(events[i].type.bytes, events[i].type.len),
		    slice_of(data, events[i].data.len),
		    slice_of(events[i].id.bytes, events[i].id.len));
		assert_rendered(events[i].name, &o, events[i].expected);
	}
	guard_close(&in);
	guard_close(&out);
}

static void
sse_event_into_too_little_room_is_cut_and_says_what_it_needs(void **state)
{
	const size_t whole = sizeof "event: t\ndata: a\ndata: b\nid: 1\n\n" - 1;
	struct guard g;

	(void)state;
	guard_open(&g, 4096);
	for (size_t cap = 0; cap <= whole; cap++) {
		struct out o = out_to(guard_end(&g, cap), cap);

		sse_event(&o, SLICE_LITERAL("t"), SLICE_LITERAL("a\nb"), SLICE_LITERAL("1"));
		assert_int_equal(out_cut(&o), cap < whole);
		assert_int_equal(o.need, whole);
	}
	guard_close(&g);
}

static void
sse_event_takes_absent_data(void **state)
{
	char bytes[64];
	struct out o = out_to(bytes, sizeof bytes);

	(void)state;
	sse_event(&o, slice_of(NULL, 0), slice_of(NULL, 0), slice_of(NULL, 0));
	assert_rendered("absent", &o, (struct text)T("data: \n\n"));
}

static void
sse_binary_event_is_one_line_of_base64(void **state)
{
	char bytes[128];
	struct out o = out_to(bytes, sizeof bytes);

	(void)state;
	sse_binary_event(&o, SLICE_LITERAL("t"), SLICE_LITERAL("\r\n\xff"), SLICE_LITERAL("1"));
	assert_rendered("binary", &o, (struct text)T("event: t\ndata: DQr/\nid: 1\n\n"));
	o = out_to(bytes, sizeof bytes);
	sse_binary_event(&o, SLICE_LITERAL(""), SLICE_LITERAL(""), SLICE_LITERAL(""));
	assert_rendered("empty binary", &o, (struct text)T("data: \n\n"));
}

static void
sse_control_names_its_op(void **state)
{
	char bytes[128];
	struct out o = out_to(bytes, sizeof bytes);

	(void)state;
	sse_control(
	    &o, SLICE_LITERAL("live"), SLICE_LITERAL("{\"op\":\"live\"}"), SLICE_LITERAL(ID));
	sse_control(&o, SLICE_LITERAL("gap"), SLICE_LITERAL("{}"), SLICE_LITERAL(""));
	assert_rendered("control", &o,
	    (struct text)T("event: ringcast.live\ndata: {\"op\":\"live\"}\nid: " ID
			   "\n\nevent: ringcast.gap\ndata: {}\n\n"));
}

static void
sse_retry_is_a_line_and_a_blank_one(void **state)
{
	char bytes[64];
	struct out o = out_to(bytes, sizeof bytes);

	(void)state;
	sse_retry(&o, 2000);
	sse_retry(&o, 0);
	sse_retry(&o, UINT32_MAX);
	assert_rendered(
	    "retry", &o, (struct text)T("retry: 2000\n\nretry: 0\n\nretry: 4294967295\n\n"));
}

static void
sse_event_len_max_is_reached_by_line_ends(void **state)
{
	(void)state;
	for (size_t n = 0; n < 50; n++) {
		char data[50];
		struct out o = out_to(NULL, 0);

		memset(data, '\n', sizeof data);
		sse_event(&o, SLICE_LITERAL("type"), slice_of(data, n), SLICE_LITERAL("12345"));
		assert_int_equal(o.need, sse_event_len_max(4, n, 5));
		o = out_to(NULL, 0);
		sse_binary_event(
		    &o, SLICE_LITERAL("type"), slice_of(data, n), SLICE_LITERAL("12345"));
		assert_true(o.need <= sse_event_len_max(4, n, 5));
	}
}

/* What a client must see of the data: CRLF and CR as LF. */
static size_t
normalise(char *to, const char *data, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\r' && i + 1 < len && data[i + 1] == '\n')
			continue;
		to[n++] = data[i] == '\r' ? '\n' : data[i];
	}
	return n;
}

/* Not all bytes are equally dangerous: most of these are. */
static size_t
random_text(uint64_t *seed, char *to, size_t len_max, bool line_ends)
{
	static const char risky[] = "\r\n\r\n\0: idatervn\xef\xbb\xbf";
	size_t len;

	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	len = (*seed >> 33) % (len_max + 1);
	for (size_t i = 0; i < len; i++) {
		size_t first = line_ends ? 0 : 5;

		*seed = *seed * 6364136223846793005u + 1442695040888963407u;
		to[i] = (*seed >> 60) == 0 && line_ends
			    ? (char)(*seed >> 40 & 0xff)
			    : risky[first + (*seed >> 33) % (sizeof risky - 1 - first)];
	}
	return len;
}

static void
sse_event_comes_back_whole_from_both_parsers(void **state)
{
	uint64_t seed = 1;
	char type[12], data[64], id[12], seen[64], stream[1024], buffer[1024];

	(void)state;
	for (int round = 0; round < 100000; round++) {
		struct slice t = slice_of(type, random_text(&seed, type, sizeof type, false));
		struct slice i = slice_of(id, random_text(&seed, id, sizeof id, false));
		size_t data_len = random_text(&seed, data, sizeof data, true);
		struct slice s = slice_of(seen, normalise(seen, data, data_len));
		struct out o = out_to(stream, sizeof stream);
		struct sse_text expected, reference, got;
		struct sse_parser p;

		sse_retry(&o, 5);
		sse_event(&o, t, slice_of(data, data_len), i);
		assert_false(out_cut(&o));
		sse_text_open(&expected, 1024);
		sse_text_open(&reference, 1024);
		sse_text_open(&got, 1024);
		sse_reference_log(&expected, t.len == 0 ? SLICE_LITERAL("message") : t, s, i);
		assert_int_equal(sse_reference_read(stream, o.len, &reference), 5);
		sse_parser_start(&p, buffer, sizeof buffer);
		sse_reference_feed(&p, stream, o.len, &got);
		assert_int_equal(reference.len, expected.len);
		assert_memory_equal(reference.bytes, expected.bytes, expected.len);
		assert_int_equal(got.len, expected.len);
		assert_memory_equal(got.bytes, expected.bytes, expected.len);
		free(expected.bytes);
		free(reference.bytes);
		free(got.bytes);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sse_event_writes_what_the_contract_shows),
	    cmocka_unit_test(sse_event_into_too_little_room_is_cut_and_says_what_it_needs),
	    cmocka_unit_test(sse_event_takes_absent_data),
	    cmocka_unit_test(sse_binary_event_is_one_line_of_base64),
	    cmocka_unit_test(sse_control_names_its_op),
	    cmocka_unit_test(sse_retry_is_a_line_and_a_blank_one),
	    cmocka_unit_test(sse_event_len_max_is_reached_by_line_ends),
	    cmocka_unit_test(sse_event_comes_back_whole_from_both_parsers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
