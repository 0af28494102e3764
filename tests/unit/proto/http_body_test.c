/*
 * http_body_test.c: bodies whole, at every split, and byte by byte; what chunks must not look
 * like; what follows a body.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/http_body.h"
#include "shm/limits.h"
#include "tests/unit/proto/guard.h"

/* What a decoder made of its input. */
struct decoded {
	char bytes[4096];
	size_t len;
	size_t consumed;
	ptrdiff_t error; /* 0, or an enum http_body_error */
	bool complete;
};

/*
 * Decodes input, of which the decoder is shown at most step bytes at once, at the end of guarded
 * memory.
 */
static struct decoded
decode(enum http_framing framing, uint64_t length, uint64_t max, struct slice input, size_t step)
{
	struct decoded d = {.len = 0};
	struct http_body body;
	struct slice data;
	struct guard g;

	guard_open(&g, 4096);
	d.error = http_body_start(&body, framing, length, max);
	while (d.error == 0 && !http_body_complete(&body) && d.consumed < input.len) {
		size_t left = input.len - d.consumed;
		size_t shown = left < step ? left : step;
		char *bytes = guard_copy(&g, input.bytes + d.consumed, shown);
		ptrdiff_t n = http_body_next(&body, slice_of(bytes, shown), &data);

		if (n < 0) {
			d.error = n;
			break;
		}
		assert_true(n > 0 && (size_t)n <= shown);
		assert_true(d.len + data.len <= sizeof d.bytes);
		memcpy(d.bytes + d.len, data.bytes, data.len);
		d.len += data.len;
		d.consumed += (size_t)n;
	}
	d.complete = http_body_complete(&body);
	if (d.error == 0)
		assert_int_equal(http_body_next(&body, slice_of(NULL, 0), &data), 0);
	guard_close(&g);
	return d;
}

static const struct {
	struct slice input;
	const char *data;
	size_t rest; /* bytes behind the body */
} chunked[] = {
    {SLICE_LITERAL("0\r\n\r\n"), "", 0},
    {SLICE_LITERAL("5\r\nhello\r\n0\r\n\r\n"), "hello", 0},
    {SLICE_LITERAL("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET / HTTP/1.1\r\n"), "hello world", 16},
    {SLICE_LITERAL("000A\r\n0\r\n\r\nabcde\r\n0\r\n\r\n0\r\n\r\n"), "0\r\n\r\nabcde", 5},
    {SLICE_LITERAL("a\r\n0123456789\r\n0000000000000000\r\n\r\n"), "0123456789", 0},
    {SLICE_LITERAL("1;x\r\na\r\n1;x=y;z=\"q;\xc3\xa4\"\r\nb\r\n0;last\r\n\r\n"), "ab", 0},
    {SLICE_LITERAL("1 ;x\r\na\r\n1\t \t; x = y\r\nb\r\n0 ;\r\n\r\n"), "ab", 0},
    {SLICE_LITERAL("1\r\na\r\n0\r\nX: y\r\nEmpty:\r\n\r\nrest"), "a", 4},
};

static void
http_body_decodes_chunks_at_every_step(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof chunked / sizeof chunked[0]; i++) {
		struct slice input = chunked[i].input;

		for (size_t step = 1; step <= input.len; step++) {
			struct decoded d = decode(HTTP_FRAMING_CHUNKED, 0, UINT64_MAX, input, step);

			assert_int_equal(d.error, 0);
			assert_true(d.complete);
			assert_int_equal(d.consumed, input.len - chunked[i].rest);
			assert_int_equal(d.len, strlen(chunked[i].data));
			assert_memory_equal(d.bytes, chunked[i].data, d.len);
		}
	}
}

static void
http_body_is_not_complete_before_its_last_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof chunked / sizeof chunked[0]; i++) {
		size_t whole = chunked[i].input.len - chunked[i].rest;

		for (size_t len = 0; len < whole; len++) {
			struct slice part = slice_of(chunked[i].input.bytes, len);
			struct decoded d =
			    decode(HTTP_FRAMING_CHUNKED, 0, UINT64_MAX, part, len + 1);

			assert_int_equal(d.error, 0);
			assert_false(d.complete);
			assert_int_equal(d.consumed, len);
		}
	}
}

static const struct {
	struct slice input;
	enum http_body_error error;
} broken[] = {
    {SLICE_LITERAL("\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL(" 5\r\nhello\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5 \r\nhello\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5\t\r\nhello\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5 5\r\nhello\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5 \n;x\r\nhello\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL(";x\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("0x5\r\nhello\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("+5\r\nhello\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("-5\r\nhello\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("g\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5,5\r\nhello\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5_0\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("\"5\"\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5\nhello\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5\rhello\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5\r\r\nhello\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5\0\r\nhello\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5\r\nhello0\r\n\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5\r\nhello\n0\r\n\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5\r\nhelloX\n0\r\n\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5\r\nhello\r0\r\n\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5\r\nhello\rX0\r\n\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5\r\nhello\r\n\r\n0\r\n\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5;a\nhello\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5;a\rb\r\nhello\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5;a\0b\r\nhello\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("5;\x7f\r\nhello\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("00000000000000005\r\nhello\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("10000000000000005\r\nhello\r\n"), HTTP_BODY_BAD_CHUNK},
    {SLICE_LITERAL("0\r\n\n"), HTTP_BODY_BAD_TRAILER},
    {SLICE_LITERAL("0\r\n\rX"), HTTP_BODY_BAD_TRAILER},
    {SLICE_LITERAL("0\r\n X: y\r\n\r\n"), HTTP_BODY_BAD_TRAILER},
    {SLICE_LITERAL("0\r\nX: y\r\n z\r\n\r\n"), HTTP_BODY_BAD_TRAILER},
    {SLICE_LITERAL("0\r\nX : y\r\n\r\n"), HTTP_BODY_BAD_TRAILER},
    {SLICE_LITERAL("0\r\n: y\r\n\r\n"), HTTP_BODY_BAD_TRAILER},
    {SLICE_LITERAL("0\r\nX\r\n\r\n"), HTTP_BODY_BAD_TRAILER},
    {SLICE_LITERAL("0\r\nX: y\n\r\n"), HTTP_BODY_BAD_TRAILER},
    {SLICE_LITERAL("0\r\nX: y\rz\r\n\r\n"), HTTP_BODY_BAD_TRAILER},
    {SLICE_LITERAL("0\r\nX: \0\r\n\r\n"), HTTP_BODY_BAD_TRAILER},
    {SLICE_LITERAL("0\r\nGET / HTTP/1.1\r\n\r\n"), HTTP_BODY_BAD_TRAILER},
    {SLICE_LITERAL("ffffffffffffffff\r\n"), HTTP_BODY_TOO_LARGE},
    {SLICE_LITERAL("3e9\r\n"), HTTP_BODY_TOO_LARGE}, /* 1001 of 1000 */
    {SLICE_LITERAL("1\r\na\r\n3e8\r\n"), HTTP_BODY_TOO_LARGE},
    {SLICE_LITERAL("1\r\na\r\nffffffffffffffff\r\n"), HTTP_BODY_TOO_LARGE},
};

static void
http_body_refuses_malformed_chunks_at_every_step(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
		for (size_t step = 1; step <= broken[i].input.len; step++) {
			struct decoded d =
			    decode(HTTP_FRAMING_CHUNKED, 0, 1000, broken[i].input, step);

			if (d.error != broken[i].error)
				fail_msg("vector %zu, step %zu: %td", i, step, d.error);
		}
	}
}

static void
http_body_stays_broken(void **state)
{
	struct http_body body;
	struct slice data;

	(void)state;
	http_body_start(&body, HTTP_FRAMING_CHUNKED, 0, 1000);
	assert_int_equal(http_body_next(&body, SLICE_LITERAL("x"), &data), HTTP_BODY_BAD_CHUNK);
	assert_true(http_body_next(&body, SLICE_LITERAL("0\r\n\r\n"), &data) < 0);
	assert_false(http_body_complete(&body));
	assert_int_equal(data.len, 0);
}

/* Each chunk line is within its own limit; together they are many times the data. */
static void
http_body_bounds_extensions_beside_the_data(void **state)
{
	static const struct {
		size_t data, extension; /* bytes of each chunk */
		unsigned chunks;
		bool good;
	} cases[] = {
	    {1, 200, 80, true},
	    {1, 200, 100, false},
	    {200, 200, 10000, true},
	    {1, 14, 10000, true},
	};
	static char chunk[512];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct out o = out_to(chunk, sizeof chunk);
		struct http_body body;
		struct slice data;
		bool good = true;

		for (size_t n = cases[i].data >> 4; n != 0; n = 0)
			out_char(&o, "0123456789abcdef"[n]);
		out_char(&o, "0123456789abcdef"[cases[i].data & 15]);
		out_char(&o, ';');
		for (size_t n = 0; n < cases[i].extension; n++)
			out_char(&o, 'x');
		out_text(&o, "\r\n");
		for (size_t n = 0; n < cases[i].data; n++)
			out_char(&o, 'd');
		out_text(&o, "\r\n");
		http_body_start(&body, HTTP_FRAMING_CHUNKED, 0, UINT64_MAX);
		for (unsigned n = 0; good && n < cases[i].chunks; n++) {
			struct slice rest = slice_of(chunk, o.len);

			while (good && rest.len != 0) {
				ptrdiff_t taken = http_body_next(&body, rest, &data);

				good = taken > 0;
				if (!good)
					assert_int_equal(taken, HTTP_BODY_CHUNK_LINE);
				else
					rest =
					    slice_of(rest.bytes + taken, rest.len - (size_t)taken);
			}
		}
		assert_int_equal(good, cases[i].good);
	}
}

static void
http_body_bounds_extensions_and_trailers(void **state)
{
	static char input[LIMIT_TRAILER_BYTES * 2];
	struct out o = out_to(input, sizeof input);

	(void)state;
	/* A chunk line of exactly the limit, counted up to its CR, and one of a byte more. */
	for (size_t extra = 0; extra <= 1; extra++) {
		o = out_to(input, sizeof input);
		out_text(&o, "1;");
		while (o.len < LIMIT_CHUNK_LINE_BYTES - 1 + extra)
			out_char(&o, 'x');
		out_text(&o, "\r\na\r\n0\r\n\r\n");
		struct decoded d = decode(HTTP_FRAMING_CHUNKED, 0, 10, slice_of(input, o.len), 7);
		assert_int_equal(d.error, extra == 0 ? 0 : HTTP_BODY_CHUNK_LINE);
	}
	for (size_t extra = 0; extra <= 1; extra++) {
		o = out_to(input, sizeof input);
		out_text(&o, "0\r\nX:");
		while (o.len < 3 + LIMIT_TRAILER_BYTES - 4 + extra)
			out_char(&o, 'x');
		out_text(&o, "\r\n\r\n");
		struct decoded d =
		    decode(HTTP_FRAMING_CHUNKED, 0, 10, slice_of(input, o.len), 1000);
		assert_int_equal(d.error, extra == 0 ? 0 : HTTP_BODY_BAD_TRAILER);
		assert_int_equal(d.complete, extra == 0);
	}
	/* The limit is each chunk's own: a long upload with short lines never meets it. */
	struct http_body body;
	struct slice data;
	http_body_start(&body, HTTP_FRAMING_CHUNKED, 0, UINT64_MAX);
	for (unsigned i = 0; i < 2 * LIMIT_CHUNK_LINE_BYTES; i++) {
		struct slice chunk = SLICE_LITERAL("1;x\r\na\r\n");

		while (chunk.len != 0) {
			ptrdiff_t n = http_body_next(&body, chunk, &data);
			assert_true(n > 0);
			chunk = slice_of(chunk.bytes + n, chunk.len - (size_t)n);
		}
	}
}

static void
http_body_counts_to_a_length(void **state)
{
	static const char input[] = "hello, and the next request";
	struct slice all = slice_text(input);

	(void)state;
	for (size_t length = 0; length <= all.len; length++) {
		for (size_t step = 1; step <= all.len; step++) {
			struct decoded d = decode(HTTP_FRAMING_LENGTH, length, length, all, step);

			assert_int_equal(d.error, 0);
			assert_true(d.complete);
			assert_int_equal(d.consumed, length);
			assert_int_equal(d.len, length);
			assert_memory_equal(d.bytes, input, length);
		}
	}
	assert_false(decode(HTTP_FRAMING_LENGTH, all.len + 1, UINT64_MAX, all, 3).complete);
}

static void
http_body_refuses_a_length_over_the_limit_at_once(void **state)
{
	struct http_body body;

	(void)state;
	assert_int_equal(http_body_start(&body, HTTP_FRAMING_LENGTH, 11, 10), HTTP_BODY_TOO_LARGE);
	assert_int_equal(http_body_start(&body, HTTP_FRAMING_LENGTH, 10, 10), 0);
	assert_int_equal(http_body_start(&body, HTTP_FRAMING_LENGTH, INT64_MAX, UINT64_MAX), 0);
	assert_int_equal(http_body_error_code(HTTP_BODY_TOO_LARGE), ERROR_TOO_LARGE);
}

static void
http_body_takes_chunks_up_to_the_limit(void **state)
{
	struct slice input = SLICE_LITERAL("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");

	(void)state;
	assert_true(decode(HTTP_FRAMING_CHUNKED, 0, 5, input, 4).complete);
	assert_int_equal(decode(HTTP_FRAMING_CHUNKED, 0, 4, input, 4).error, HTTP_BODY_TOO_LARGE);
}

static void
http_body_without_framing_is_complete_and_takes_nothing(void **state)
{
	struct decoded d = decode(HTTP_FRAMING_NONE, 0, 0, SLICE_LITERAL("GET /"), 5);

	(void)state;
	assert_true(d.complete);
	assert_int_equal(d.consumed, 0);
}

static void
http_body_until_close_takes_everything_up_to_the_limit(void **state)
{
	struct slice input = SLICE_LITERAL("hello");
	struct decoded d = decode(HTTP_FRAMING_UNTIL_CLOSE, 0, 5, input, 2);

	(void)state;
	assert_int_equal(d.error, 0);
	assert_int_equal(d.len, 5);
	assert_false(d.complete);
	assert_int_equal(
	    decode(HTTP_FRAMING_UNTIL_CLOSE, 0, 4, input, 2).error, HTTP_BODY_TOO_LARGE);
}

static void
http_body_errors_all_have_a_code_and_a_text(void **state)
{
	(void)state;
	for (ptrdiff_t e = HTTP_BODY_TOO_LARGE; e >= HTTP_BODY_BAD_TRAILER; e--) {
		unsigned status = error_status(http_body_error_code(e));

		assert_int_equal(status, e == HTTP_BODY_TOO_LARGE ? 413 : 400);
		assert_true(strlen(http_body_error_text(e)) > 10);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(http_body_decodes_chunks_at_every_step),
	    cmocka_unit_test(http_body_is_not_complete_before_its_last_byte),
	    cmocka_unit_test(http_body_refuses_malformed_chunks_at_every_step),
	    cmocka_unit_test(http_body_stays_broken),
	    cmocka_unit_test(http_body_bounds_extensions_beside_the_data),
	    cmocka_unit_test(http_body_bounds_extensions_and_trailers),
	    cmocka_unit_test(http_body_counts_to_a_length),
	    cmocka_unit_test(http_body_refuses_a_length_over_the_limit_at_once),
	    cmocka_unit_test(http_body_takes_chunks_up_to_the_limit),
	    cmocka_unit_test(http_body_without_framing_is_complete_and_takes_nothing),
	    cmocka_unit_test(http_body_until_close_takes_everything_up_to_the_limit),
	    cmocka_unit_test(http_body_errors_all_have_a_code_and_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
