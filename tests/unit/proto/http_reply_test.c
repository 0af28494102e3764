/*
 * http_reply_test.c: heads of answers, as the command line and the tests' clients read them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/http_reply.h"
#include "shm/limits.h"
#include "tests/unit/proto/guard.h"

enum { HEAD_MAX = 4096 };

static const struct {
	struct slice head;
	unsigned status, minor;
	enum http_framing framing;
	uint64_t length;
	bool keep_alive;
} good[] = {
    {SLICE_LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), 200, 1, HTTP_FRAMING_LENGTH, 5,
	true},
    {SLICE_LITERAL("HTTP/1.1 200\r\n\r\n"), 200, 1, HTTP_FRAMING_UNTIL_CLOSE, 0, false},
    {SLICE_LITERAL("HTTP/1.1 200 \r\n\r\n"), 200, 1, HTTP_FRAMING_UNTIL_CLOSE, 0, false},
    {SLICE_LITERAL("HTTP/1.1 404 Not Found\r\nContent-Length:0\r\nConnection: close\r\n\r\n"), 404,
	1, HTTP_FRAMING_LENGTH, 0, false},
    {SLICE_LITERAL("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), 200, 1,
	HTTP_FRAMING_CHUNKED, 0, true},
    {SLICE_LITERAL("HTTP/1.1 204 No Content\r\n\r\n"), 204, 1, HTTP_FRAMING_NONE, 0, true},
    {SLICE_LITERAL("HTTP/1.1 304 \r\nContent-Length: 9\r\n\r\n"), 304, 1, HTTP_FRAMING_NONE, 9,
	true},
    {SLICE_LITERAL("HTTP/1.1 100 Continue\r\n\r\n"), 100, 1, HTTP_FRAMING_NONE, 0, true},
    {SLICE_LITERAL("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"), 101, 1,
	HTTP_FRAMING_NONE, 0, false},
    {SLICE_LITERAL("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"), 200, 0, HTTP_FRAMING_LENGTH, 5,
	false},
    {SLICE_LITERAL("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\n"), 200,
	0, HTTP_FRAMING_LENGTH, 5, true},
    {SLICE_LITERAL(
	 "HTTP/1.1 599 \xc3\xa4\r\nConnection: b, close\r\nConnection: c\r\nContent-Length: 1"
	 "\r\n\r\n"),
	599, 1, HTTP_FRAMING_LENGTH, 1, false},
};

static void
http_reply_parse_reads_good_heads_and_asks_for_more_at_every_split(void **state)
{
	struct http_reply r;
	struct guard g;

	(void)state;
	guard_open(&g, HEAD_MAX);
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct slice head = good[i].head;

		for (size_t len = 0; len < head.len; len++) {
			struct slice part = slice_of(guard_copy(&g, head.bytes, len), len);

			assert_int_equal(http_reply_parse(&r, part, 0, HEAD_MAX), 0);
			assert_int_equal(http_reply_parse(&r, part, len / 2, HEAD_MAX), 0);
			part = slice_of(guard_copy(&g, head.bytes, head.len), head.len);
			assert_int_equal(http_reply_parse(&r, part, len, HEAD_MAX), head.len);
		}
		assert_int_equal(http_reply_parse(&r, head, 0, HEAD_MAX), head.len);
		assert_int_equal(r.status, good[i].status);
		assert_int_equal(r.minor, good[i].minor);
		assert_int_equal(r.framing, good[i].framing);
		assert_int_equal(r.content_length, good[i].length);
		assert_int_equal(r.keep_alive, good[i].keep_alive);
	}
	guard_close(&g);
}

static void
http_reply_parse_refuses_malformed_heads(void **state)
{
	static const struct {
		struct slice head;
		enum http_reply_error error;
	} cases[] = {
	    {SLICE_LITERAL("HTTP/2 200 OK\r\n\r\n"), HTTP_REPLY_BAD_LINE},
	    {SLICE_LITERAL("HTTP/1.2 200 OK\r\n\r\n"), HTTP_REPLY_BAD_LINE},
	    {SLICE_LITERAL("http/1.1 200 OK\r\n\r\n"), HTTP_REPLY_BAD_LINE},
	    {SLICE_LITERAL("ICY 200 OK\r\n\r\n"), HTTP_REPLY_BAD_LINE},
	    {SLICE_LITERAL("HTTP/1.1  200 OK\r\n\r\n"), HTTP_REPLY_BAD_LINE},
	    {SLICE_LITERAL("HTTP/1.1 20 OK\r\n\r\n"), HTTP_REPLY_BAD_LINE},
	    {SLICE_LITERAL("HTTP/1.1 2000 OK\r\n\r\n"), HTTP_REPLY_BAD_LINE},
	    {SLICE_LITERAL("HTTP/1.1 099 OK\r\n\r\n"), HTTP_REPLY_BAD_LINE},
	    {SLICE_LITERAL("HTTP/1.1 600 OK\r\n\r\n"), HTTP_REPLY_BAD_LINE},
	    {SLICE_LITERAL("HTTP/1.1 -20 OK\r\n\r\n"), HTTP_REPLY_BAD_LINE},
	    {SLICE_LITERAL("HTTP/1.1 200 OK\n\n"), HTTP_REPLY_BAD_LINE},
	    {SLICE_LITERAL("HTTP/1.1 200\n\n"), HTTP_REPLY_BAD_LINE},
	    {SLICE_LITERAL("HTTP/1.1 200 O\0K\r\n\r\n"), HTTP_REPLY_BAD_LINE},
	    {SLICE_LITERAL("HTTP/1.1 200 OK\r\nX : y\r\n\r\n"), HTTP_REPLY_BAD_FIELD},
	    {SLICE_LITERAL("HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n"), HTTP_REPLY_BAD_FIELD},
	    {SLICE_LITERAL("HTTP/1.1 200 OK\r\nX: y\n\r\n"), HTTP_REPLY_BAD_FIELD},
	    {SLICE_LITERAL("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), HTTP_REPLY_BAD_FRAMING},
	    {SLICE_LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"),
		HTTP_REPLY_BAD_FRAMING},
	    {SLICE_LITERAL("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"),
		HTTP_REPLY_BAD_FRAMING},
	    {SLICE_LITERAL(
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"),
		HTTP_REPLY_BAD_FRAMING},
	    {SLICE_LITERAL("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
		HTTP_REPLY_BAD_FRAMING},
	};
	struct http_reply r;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		ptrdiff_t result = http_reply_parse(&r, cases[i].head, 0, HEAD_MAX);

		if (result != cases[i].error)
			fail_msg("vector %zu: %td", i, result);
		for (size_t len = 0; len < cases[i].head.len; len++)
			assert_true(http_reply_parse(
					&r, slice_of(cases[i].head.bytes, len), 0, HEAD_MAX) <= 0);
	}
}

static void
http_reply_parse_bounds_the_head_and_its_fields(void **state)
{
	static char head[HEAD_MAX];
	struct http_reply r;
	struct out o = out_to(head, sizeof head);

	(void)state;
	memset(head, 'x', sizeof head);
	memcpy(head, "HTTP/1.1 200 OK\r\nX: ", 20);
	assert_int_equal(http_reply_parse(&r, slice_of(head, HEAD_MAX), HEAD_MAX - 1, HEAD_MAX),
	    HTTP_REPLY_TOO_LARGE);
	memcpy(head + HEAD_MAX - 4, "\r\n\r\n", 4);
	assert_int_equal(http_reply_parse(&r, slice_of(head, HEAD_MAX), 0, HEAD_MAX), HEAD_MAX);

	out_text(&o, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i <= LIMIT_HEADER_FIELDS; i++)
		out_text(&o, "X: y\r\n");
	out_text(&o, "\r\n");
	assert_int_equal(
	    http_reply_parse(&r, slice_of(head, o.len), 0, HEAD_MAX), HTTP_REPLY_TOO_LARGE);
}

static void
http_reply_gives_reason_type_and_fields(void **state)
{
	struct http_reply r;
	struct slice head = SLICE_LITERAL(
	    "HTTP/1.1 429 Too Many\r\ncontent-type: a/b\r\nContent-Type: c/d\r\nRetry-After: 3\r\n"
	    "retry-after: 4\r\nEmpty:\r\n\r\n");

	(void)state;
	assert_int_equal(http_reply_parse(&r, head, 0, HEAD_MAX), head.len);
	assert_true(slice_equal(r.reason, SLICE_LITERAL("Too Many")));
	assert_true(slice_equal(r.content_type, SLICE_LITERAL("a/b")));
	assert_true(
	    slice_equal(http_reply_field(&r, SLICE_LITERAL("RETRY-AFTER")), SLICE_LITERAL("3")));
	assert_non_null(http_reply_field(&r, SLICE_LITERAL("Empty")).bytes);
	assert_null(http_reply_field(&r, SLICE_LITERAL("Absent")).bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(http_reply_parse_reads_good_heads_and_asks_for_more_at_every_split),
	    cmocka_unit_test(http_reply_parse_refuses_malformed_heads),
	    cmocka_unit_test(http_reply_parse_bounds_the_head_and_its_fields),
	    cmocka_unit_test(http_reply_gives_reason_type_and_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
