/*
 * sse_parser_test.c: the stream parser on the corner cases of WHATWG HTML 9.2, at every cut, and
 * against the specification word for word on random streams.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/sse_parser.h"
#include "tests/unit/proto/guard.h"
#include "tests/unit/proto/sse_reference.h"

#define NONE SSE_PARSER_NO_RETRY

static const struct {
	const char *name, *stream;
	size_t len;
	const char *expected; /* without NUL bytes */
	int64_t retry_ms;
} streams[] = {
#define S(stream) stream, sizeof(stream) - 1
    {"nothing", S(""), "", NONE},
    {"blank lines", S("\n\r\n\r\r\n"), "", NONE},
    {"one event", S("data: x\n\n"), "[message|x|]", NONE},
    {"unfinished", S("data: x\n"), "", NONE},
    {"CR", S("data: x\r\r"), "[message|x|]", NONE},
    {"CRLF", S("data: x\r\n\r\n"), "[message|x|]", NONE},
    {"mixed", S("data: a\rdata: b\r\ndata: c\n\r\ndata: d\n\n"), "[message|a\nb\nc|][message|d|]",
	NONE},
    {"the specification's stock", S("data: YHOO\ndata: +2\ndata: 10\n\n"),
	"[message|YHOO\n+2\n10|]", NONE},
    {"the specification's ids",
	S(": test stream\n\ndata: first event\nid: 1\n\n"
	  "data:second event\nid\n\ndata:  third event\n\n"),
	"[message|first event|1][message|second event|][message| third event|]", NONE},
    {"the specification's blanks", S("data\n\ndata\ndata\n\ndata:"), "[message||][message|\n|]",
	NONE},
    {"one space goes", S("data:x\n\ndata: x\n\ndata:  x\n\ndata:\tx\n\n"),
	"[message|x|][message|x|][message| x|][message|\tx|]", NONE},
    {"a type, then none", S("event: a\ndata: x\n\ndata: y\n\n"), "[a|x|][message|y|]", NONE},
    {"a type without data is forgotten", S("event: a\n\ndata: y\n\n"), "[message|y|]", NONE},
    {"the last type counts", S("event: a\nevent: bcd\ndata: y\n\n"), "[bcd|y|]", NONE},
    {"an empty type", S("event: a\nevent:\ndata: y\n\n"), "[message|y|]", NONE},
    {"an id stays", S("id: 1\ndata: x\n\ndata: y\n\n"), "[message|x|1][message|y|1]", NONE},
    {"an id without data counts", S("id: 7\n\ndata: y\n\n"), "[message|y|7]", NONE},
    {"an empty id resets", S("id: 1\ndata: x\n\nid:\ndata: y\n\n"), "[message|x|1][message|y|]",
	NONE},
    {"ids of all lengths",
	S("id: 1\ndata: x\n\nid: 12345\ndata: y\n\nevent: e\nid: 6\ndata: z\n\n"),
	"[message|x|1][message|y|12345][e|z|6]", NONE},
    {"an id with NUL is ignored", S("id: 1\ndata: x\n\nid: 2\0\ndata: y\n\n"),
	"[message|x|1][message|y|1]", NONE},
    {"id before and after the type", S("id: 12\nevent: abc\nid: 3\nevent: defgh\ndata: x\n\n"),
	"[defgh|x|3]", NONE},
    {"comments", S(":\n: data: x\n:data: y\n\ndata: z\n:\n\n"), "[message|z|]", NONE},
    {"unknown fields", S("dat: x\ndatas: x\nDATA: x\n data: x\ndata : x\n\ndata: y\n\n"),
	"[message|y|]", NONE},
    {"retry", S("retry: 2000\n\n"), "", 2000},
    {"retry counts at once",
	S("retry:3"
	  "\n"),
	"", 3},
    {"bad retries",
	S("retry: 5\nretry: 1x\nretry: -1\nretry: +1\nretry: 1.5\nretry:\nretry\nretry:  6\n"), "",
	5},
    {"a huge retry", S("retry: 99999999999999999999999999999999\n"), "", UINT32_MAX},
    {"byte order mark",
	S("\xef\xbb\xbf"
	  "data: x\n\n"),
	"[message|x|]", NONE},
    {"only one byte order mark",
	S("\xef\xbb\xbf\xef\xbb\xbf"
	  "data: x\n\ndata: y\n\n"),
	"[message|y|]", NONE},
    {"byte order mark later",
	S("\n\xef\xbb\xbf"
	  "data: x\n\ndata: y\n\n"),
	"[message|y|]", NONE},
    {"byte order mark and comment", S("\xef\xbb\xbf:c\ndata: y\n\n"), "[message|y|]", NONE},
    {"byte order mark and blank line", S("\xef\xbb\xbf\n\xef\xbb\xbf\ndata: y\n\n"), "[message|y|]",
	NONE},
    {"half a byte order mark", S("\xef\xbb\ndata: y\n\n"), "[message|y|]", NONE},
    {"data keeps colons", S("data: a:b: c\n\n"), "[message|a:b: c|]", NONE},
#undef S
};

#define STREAMS (sizeof streams / sizeof streams[0])
#define BUFFER_BYTES 256

static void
assert_stream(size_t i, size_t cut, const struct sse_parser *p, const struct sse_text *log)
{
	if (log->len != strlen(streams[i].expected) ||
	    memcmp(log->bytes, streams[i].expected, log->len) != 0)
		fail_msg("%s, cut at %zu: %.*s instead of %s", streams[i].name, cut, (int)log->len,
		    log->bytes, streams[i].expected);
	assert_true(p->retry_ms == streams[i].retry_ms);
}

static void
sse_parser_reads_every_stream_alike_at_every_cut(void **state)
{
	struct guard g, buffer;

	(void)state;
	guard_open(&g, 4096);
	guard_open(&buffer, BUFFER_BYTES);
	for (size_t i = 0; i < STREAMS; i++)
		for (size_t cut = 0; cut <= streams[i].len; cut++) {
			size_t rest = streams[i].len - cut;
			struct sse_parser p;
			struct sse_text log;

			sse_text_open(&log, 4096);
			sse_parser_start(&p, guard_end(&buffer, BUFFER_BYTES), BUFFER_BYTES);
			sse_reference_feed(&p, guard_copy(&g, streams[i].stream, cut), cut, &log);
			sse_reference_feed(
			    &p, guard_copy(&g, streams[i].stream + cut, rest), rest, &log);
			assert_stream(i, cut, &p, &log);
			free(log.bytes);
		}
	guard_close(&g);
	guard_close(&buffer);
}

static void
sse_parser_reads_every_stream_alike_one_byte_at_a_time(void **state)
{
	struct guard g, buffer;

	(void)state;
	guard_open(&g, 4096);
	guard_open(&buffer, BUFFER_BYTES);
	for (size_t i = 0; i < STREAMS; i++) {
		struct sse_parser p;
		struct sse_text log;

		sse_text_open(&log, 4096);
		sse_parser_start(&p, guard_end(&buffer, BUFFER_BYTES), BUFFER_BYTES);
		for (size_t at = 0; at < streams[i].len; at++)
			sse_reference_feed(&p, guard_copy(&g, streams[i].stream + at, 1), 1, &log);
		assert_stream(i, 1, &p, &log);
		free(log.bytes);
	}
	guard_close(&g);
	guard_close(&buffer);
}

/* An event must not wait for the LF of its CRLF: there may be none for a while. */
static void
sse_parser_dispatches_at_the_first_byte_of_a_line_end(void **state)
{
	char buffer[64];
	struct sse_parser p;
	struct sse_parser_event event;
	struct slice in = SLICE_LITERAL("data: x\r\n\r");

	(void)state;
	sse_parser_start(&p, buffer, sizeof buffer);
	assert_int_equal(sse_parser_next(&p, &in, &event), SSE_PARSER_EVENT);
	assert_int_equal(in.len, 0);
	in = SLICE_LITERAL("\ndata: y\r\r");
	assert_int_equal(sse_parser_next(&p, &in, &event), SSE_PARSER_EVENT);
	assert_true(slice_equal(event.data, SLICE_LITERAL("y")));
}

/* Starting from no room at all and growing a byte at a time, the log must be that of ample room. */
static void
sse_parser_says_too_small_and_goes_on_after_it_grew(void **state)
{
	(void)state;
	for (size_t i = 0; i < STREAMS; i++) {
		struct slice in = slice_of(streams[i].stream, streams[i].len);
		struct sse_parser_event event;
		enum sse_parser_result result;
		struct sse_parser p;
		struct sse_text log;
		char *buffer = malloc(1);
		size_t cap = 0;

		sse_text_open(&log, 4096);
		sse_parser_start(&p, buffer, 0);
		while ((result = sse_parser_next(&p, &in, &event)) != SSE_PARSER_MORE) {
			if (result == SSE_PARSER_TOO_SMALL) {
				char *larger = malloc(++cap);

				sse_parser_grow(&p, larger, cap);
				free(buffer);
				buffer = larger;
				continue;
			}
			sse_reference_log(&log, event.type, event.data, event.id);
		}
		assert_true(cap <= streams[i].len + 1);
		assert_stream(i, cap, &p, &log);
		free(log.bytes);
		free(buffer);
	}
}

static void
sse_parser_needs_no_room_for_comments(void **state)
{
	char buffer[16];
	struct sse_parser p;
	struct sse_parser_event event;
	struct slice in =
	    SLICE_LITERAL(": a comment longer than the buffer is\ndata: x\n: and another one\n\n");

	(void)state;
	sse_parser_start(&p, buffer, sizeof buffer);
	assert_int_equal(sse_parser_next(&p, &in, &event), SSE_PARSER_EVENT);
	assert_true(slice_equal(event.data, SLICE_LITERAL("x")));
}

static void
sse_parser_restart_keeps_the_last_id_and_retry_only(void **state)
{
	char buffer[128];
	struct sse_parser p;
	struct sse_parser_event event;
	struct slice in =
	    SLICE_LITERAL("retry: 7\nid: 41\ndata: x\n\nid: 42\nevent: lost\ndata: lost\nda");

	(void)state;
	sse_parser_start(&p, buffer, sizeof buffer);
	assert_int_equal(sse_parser_next(&p, &in, &event), SSE_PARSER_EVENT);
	assert_int_equal(sse_parser_next(&p, &in, &event), SSE_PARSER_MORE);
	assert_true(slice_equal(sse_parser_last_id(&p), SLICE_LITERAL("41")));
	sse_parser_restart(&p);
	assert_true(slice_equal(sse_parser_last_id(&p), SLICE_LITERAL("41")));
	assert_int_equal(p.retry_ms, 7);
	in = SLICE_LITERAL("\xef\xbb\xbf"
			   "data: y\n\n");
	assert_int_equal(sse_parser_next(&p, &in, &event), SSE_PARSER_EVENT);
	assert_true(slice_equal(event.type, SLICE_LITERAL("message")));
	assert_true(slice_equal(event.data, SLICE_LITERAL("y")));
	assert_true(slice_equal(event.id, SLICE_LITERAL("41")));
}

/* Pieces of streams, put together at random. */
static size_t
random_stream(uint64_t *seed, char *to, size_t cap)
{
	static const char *const parts[] = {"data", "data: ", "event: ", "event", "id: ", "id",
	    "retry: ", "12", "x", " ", ":", "\n", "\r", "\r\n", "\n\n", "\r\r", "\xef\xbb\xbf",
	    "long text without an end", "\n", "data:"};
	size_t len = 0;

	for (;;) {
		const char *part;

		*seed = *seed * 6364136223846793005u + 1442695040888963407u;
		if (*seed >> 58 == 0)
			return len;
		part = parts[(*seed >> 33) % (sizeof parts / sizeof parts[0])];
		if (strlen(part) > cap - len)
			return len;
		memcpy(to + len, part, strlen(part));
		len += strlen(part);
	}
}

static void
sse_parser_agrees_with_the_specification_on_random_streams(void **state)
{
	uint64_t seed = 7;
	char stream[512], buffer[1024];

	(void)state;
	for (int round = 0; round < 30000; round++) {
		size_t len = random_stream(&seed, stream, sizeof stream);
		size_t cut = len == 0 ? 0 : (seed >> 20) % len;
		struct sse_text expected, got;
		struct sse_parser p;
		int64_t retry_ms;

		sse_text_open(&expected, 1 << 16);
		sse_text_open(&got, 1 << 16);
		retry_ms = sse_reference_read(stream, len, &expected);
		sse_parser_start(&p, buffer, sizeof buffer);
		sse_reference_feed(&p, stream, cut, &got);
		sse_reference_feed(&p, stream + cut, len - cut, &got);
		assert_int_equal(got.len, expected.len);
		assert_memory_equal(got.bytes, expected.bytes, got.len);
		assert_true(p.retry_ms == retry_ms);
		free(expected.bytes);
		free(got.bytes);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sse_parser_reads_every_stream_alike_at_every_cut),
	    cmocka_unit_test(sse_parser_reads_every_stream_alike_one_byte_at_a_time),
	    cmocka_unit_test(sse_parser_dispatches_at_the_first_byte_of_a_line_end),
	    cmocka_unit_test(sse_parser_says_too_small_and_goes_on_after_it_grew),
	    cmocka_unit_test(sse_parser_needs_no_room_for_comments),
	    cmocka_unit_test(sse_parser_restart_keeps_the_last_id_and_retry_only),
	    cmocka_unit_test(sse_parser_agrees_with_the_specification_on_random_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
