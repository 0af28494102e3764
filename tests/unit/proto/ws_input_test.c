/*
 * ws_input_test.c: streams of frames against the log of what they mean, at every cut, from memory
 * that ends at a forbidden page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proto/ws_input.h"
#include "tests/unit/proto/guard.h"
#include "tests/unit/proto/ws_build.h"
#include "tests/unit/proto/ws_log.h"

static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};

#define FRAMES_MAX 8
#define STREAM_BYTES 200000

/* First byte and payload of a frame. */
struct frame {
	unsigned first;
	const char *payload;
	size_t len;
};

#define F(first, payload)                           \
	{                                           \
		first, payload, sizeof(payload) - 1 \
	}
#define NINES "99999999999999999999999999999999999999999999999999" /* 50 of them */
#define TWENTY_SIX "99999999999999999999999999"

static const struct {
	const char *name;
	struct frame frames[FRAMES_MAX];
	const char *expected;
} streams[] = {
    {"nothing", {{0}}, ""},
    {"one text", {F(0x81, "Hello")}, "text(Hello)"},
    {"one binary", {F(0x82, "\x80\xff")}, "binary(\x80\xff)"},
    {"empty messages", {F(0x81, ""), F(0x82, "")}, "text() binary()"},
    {"text in pieces", {F(0x01, "Hel"), F(0x80, "lo")}, "text(Hello)"},
    {"many pieces, some empty", {F(0x02, ""), F(0x00, "a"), F(0x00, ""), F(0x00, "b"), F(0x80, "")},
	"binary(ab)"},
    {"only empty pieces", {F(0x01, ""), F(0x00, ""), F(0x80, "")}, "text()"},
    {"two messages in pieces", {F(0x01, "a"), F(0x80, "b"), F(0x02, "c"), F(0x80, "d")},
	"text(ab) binary(cd)"},
    {"control frames", {F(0x89, "ping"), F(0x8a, "pong"), F(0x89, ""), F(0x8a, "")},
	"ping(ping) pong(pong) ping() pong()"},
    {"control frames between pieces",
	{F(0x01, "a"), F(0x89, "x"), F(0x00, "b"), F(0x8a, ""), F(0x89, "yz"), F(0x80, "c")},
	"ping(x) pong() ping(yz) text(abc)"},
    {"ping of 125", {F(0x89, NINES NINES "1234567890123456789012345")},
	"ping(" NINES NINES "1234567890123456789012345)"},
    {"close inside a message", {F(0x01, "a"), F(0x88, "\x03\xe8")}, "close(1000,)"},
    {"close without a code", {F(0x88, "")}, "close(1005,)"},
    {"close with a reason", {F(0x88, "\x03\xe9going \xe2\x82\xac")},
	"close(1001,going \xe2\x82\xac)"},
    {"close with the longest reason", {F(0x88, "\x0b\xb8" NINES NINES "12345678901234567890123")},
	"close(3000," NINES NINES "12345678901234567890123)"},
    {"nothing counts after close", {F(0x88, "\x03\xe8"), F(0x81, "late"), F(0x83, "")},
	"close(1000,)"},
    {"close with half a code", {F(0x88, "\x03")}, "error(1002)"},
    {"close reason not UTF-8", {F(0x88, "\x03\xe8\xff")}, "error(1007)"},
    {"close reason cut in a character", {F(0x88, "\x03\xe8\xe2\x82")}, "error(1007)"},
    {"close code before its reason", {F(0x88, "\x03\xed\xff")}, "error(1002)"},
    {"continuation of nothing", {F(0x81, "a"), F(0x80, "b")}, "text(a) error(1002)"},
    {"unfinished continuation of nothing", {F(0x00, "b")}, "error(1002)"},
    {"text inside a message", {F(0x01, "a"), F(0x81, "b")}, "error(1002)"},
    {"binary inside a message", {F(0x02, "a"), F(0x02, "b")}, "error(1002)"},
    {"text inside a message after a ping", {F(0x01, "a"), F(0x89, "p"), F(0x81, "b")},
	"ping(p) error(1002)"},
    {"reserved bits", {F(0xc1, "a")}, "error(1002)"},
    {"reserved bits on a continuation", {F(0x01, "a"), F(0xc0, "b")}, "error(1002)"},
    {"unknown opcode", {F(0x81, "a"), F(0x83, "b")}, "text(a) error(1002)"},
    {"unknown control opcode", {F(0x8b, "b")}, "error(1002)"},
    {"ping in pieces", {F(0x09, "a")}, "error(1002)"},
    {"ping too long", {F(0x89, NINES NINES "12345678901234567890123456")}, "error(1002)"},
    {"text not UTF-8", {F(0x81, "ok"), F(0x81, "ab\xff")}, "text(ok) error(1007)"},
    {"text ends inside a character", {F(0x81, "ab\xe2\x82")}, "error(1007)"},
    {"text ends inside a character, last piece empty", {F(0x01, "ab\xe2\x82"), F(0x80, "")},
	"error(1007)"},
    {"a character over two pieces", {F(0x01, "\xe2"), F(0x89, "\xff"), F(0x80, "\x82\xac")},
	"ping(\xff) text(\xe2\x82\xac)"},
    {"a character over three pieces and empties",
	{F(0x01, "\xf0"), F(0x00, "\x9f\x98"), F(0x00, ""), F(0x80, "\x80")},
	"text(\xf0\x9f\x98\x80)"},
    {"a surrogate over two pieces", {F(0x01, "\xed"), F(0x00, "\xa0"), F(0x80, "\x80")},
	"error(1007)"},
    {"no character leaks into the next message",
	{F(0x81, "\xc3\xa4"), F(0x81, "a"), F(0x82, "\xff")},
	"text(\xc3\xa4) text(a) binary(\xff)"},
    {"binary is not looked into", {F(0x02, "\xff"), F(0x80, "\xc0")}, "binary(\xff\xc0)"},
    {"200 of 200", {F(0x82, NINES NINES NINES NINES)}, "binary(" NINES NINES NINES NINES ")"},
    {"201 of 200", {F(0x82, NINES NINES NINES NINES "9")}, "error(1009)"},
    {"200 of 200 in pieces", {F(0x02, NINES), F(0x00, NINES NINES), F(0x89, NINES), F(0x80, NINES)},
	"ping(" NINES ") binary(" NINES NINES NINES NINES ")"},
    {"201 of 200 in pieces", {F(0x02, NINES), F(0x00, NINES NINES NINES), F(0x80, "9")},
	"error(1009)"},
    {"the limit is a message's, not a connection's",
	{F(0x82, NINES NINES NINES), F(0x81, NINES NINES NINES)},
	"binary(" NINES NINES NINES ") text(" NINES NINES NINES ")"},
};

#define STREAMS (sizeof streams / sizeof streams[0])
#define LIMIT 200

/* A place to build streams and keep logs: too large for the stack. */
struct bench {
	struct guard guard;
	char bytes[STREAM_BYTES];
	struct ws_log log;
};

static int
bench_open(void **state)
{
	struct bench *b = malloc(sizeof *b);

	if (b == NULL)
		return -1;
	guard_open(&b->guard, STREAM_BYTES);
	*state = b;
	return 0;
}

static int
bench_close(void **state)
{
	struct bench *b = *state;

	guard_close(&b->guard);
	free(b);
	return 0;
}

static size_t
build(struct bench *b, const struct frame *frames, enum ws_role role)
{
	struct out o = out_to(b->bytes, sizeof b->bytes);

	for (size_t i = 0; i < FRAMES_MAX && frames[i].payload != NULL; i++)
		ws_build_frame(&o, frames[i].first, role == WS_SERVER ? mask : NULL,
		    slice_of(frames[i].payload, frames[i].len), WS_BUILD_SHORTEST);
	assert_false(out_cut(&o));
	return o.len;
}

static void
feed(struct bench *b, struct ws_input *input, size_t from, size_t to)
{
	ws_log_feed(&b->log, input, guard_copy(&b->guard, b->bytes + from, to - from), to - from);
}

static void
assert_log(
    struct bench *b, const char *name, size_t first_cut, size_t second_cut, const char *expected)
{
	if (b->log.len != strlen(expected) || memcmp(b->log.text, expected, b->log.len) != 0)
		fail_msg("%s, cut at %zu and %zu: %.*s instead of %s", name, first_cut, second_cut,
		    (int)b->log.len, b->log.text, expected);
}

static void
ws_input_reports_the_same_at_every_cut(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < 2 * STREAMS; i++) {
		enum ws_role role = i % 2 ? WS_CLIENT : WS_SERVER;
		size_t len = build(b, streams[i / 2].frames, role);
		size_t step = len < 64 ? 1 : 17; /* all pairs of cuts of short streams */

		for (size_t one = 0; one <= len; one++)
			for (size_t two = one; two <= len; two += step) {
				struct ws_input input;

				ws_input_start(&input, role, LIMIT);
				ws_log_open(&b->log);
				feed(b, &input, 0, one);
				feed(b, &input, one, two);
				feed(b, &input, two, len);
				assert_log(
				    b, streams[i / 2].name, one, two, streams[i / 2].expected);
			}
	}
}

static void
ws_input_reports_the_same_one_byte_at_a_time(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < 2 * STREAMS; i++) {
		enum ws_role role = i % 2 ? WS_CLIENT : WS_SERVER;
		size_t len = build(b, streams[i / 2].frames, role);
		struct ws_input input;

		ws_input_start(&input, role, LIMIT);
		ws_log_open(&b->log);
		for (size_t at = 0; at < len; at++)
			feed(b, &input, at, at + 1);
		assert_log(b, streams[i / 2].name, 1, 1, streams[i / 2].expected);
	}
}

/* Being packed and taken up elsewhere must not matter: the struct is the whole state. */
static void
ws_input_survives_a_move_between_any_two_bytes(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < STREAMS; i++) {
		size_t len = build(b, streams[i].frames, WS_SERVER);
		struct ws_input input, moved;

		ws_input_start(&input, WS_SERVER, LIMIT);
		ws_log_open(&b->log);
		for (size_t at = 0; at < len; at++) {
			feed(b, &input, at, at + 1);
			memcpy(&moved, &input, sizeof moved);
			memset(&input, 0x5a, sizeof input);
			memcpy(&input, &moved, sizeof input);
		}
		assert_log(b, streams[i].name, 1, 1, streams[i].expected);
	}
}

static void
ws_input_is_idle_exactly_between_messages_and_then_as_new(void **state)
{
	static const struct frame frames[FRAMES_MAX] = {F(0x81, "\xe2\x82\xac"), F(0x01, "a"),
	    F(0x89, "x"), F(0x80, "b"), F(0x82, ""), F(0x8a, "")};
	static const size_t ends[] = {9, 9 + 7 + 7 + 7, 9 + 21 + 6, 9 + 21 + 12};
	struct bench *b = *state;
	size_t len = build(b, frames, WS_SERVER);
	struct ws_input input, fresh;
	size_t next_end = 0;

	assert_int_equal(len, ends[3]);
	ws_input_start(&input, WS_SERVER, LIMIT);
	ws_input_start(&fresh, WS_SERVER, LIMIT);
	assert_true(ws_input_idle(&input));
	ws_log_open(&b->log);
	for (size_t at = 0; at < len; at++) {
		feed(b, &input, at, at + 1);
		assert_int_equal(ws_input_idle(&input), at + 1 == ends[next_end]);
		if (at + 1 == ends[next_end]) {
			assert_memory_equal(&input, &fresh, sizeof input);
			next_end++;
		}
	}
	assert_int_equal(next_end, 4);
}

static void
ws_input_is_not_idle_once_ended(void **state)
{
	static const struct frame frames[2][FRAMES_MAX] = {{F(0x88, "")}, {F(0x8b, "")}};
	struct bench *b = *state;

	for (size_t i = 0; i < 2; i++) {
		size_t len = build(b, frames[i], WS_SERVER);
		struct ws_input input;

		ws_input_start(&input, WS_SERVER, LIMIT);
		ws_log_open(&b->log);
		feed(b, &input, 0, len);
		assert_true(ws_input_ended(&input));
		assert_false(ws_input_idle(&input));
	}
}

static void
ws_input_judges_every_close_code(void **state)
{
	struct bench *b = *state;

	for (unsigned code = 0; code <= 0xffff; code++) {
		bool good = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
			    (code >= 3000 && code <= 4999);
		char payload[2] = {(char)(code >> 8), (char)(code & 0xff)};
		struct out o = out_to(b->bytes, sizeof b->bytes);
		struct ws_input input;
		char expected[32];

		ws_build_frame(&o, 0x88, mask, slice_of(payload, 2), WS_BUILD_SHORTEST);
		ws_input_start(&input, WS_SERVER, LIMIT);
		ws_log_open(&b->log);
		feed(b, &input, 0, o.len);
		snprintf(expected, sizeof expected, good ? "close(%u,)" : "error(1002)", code);
		assert_log(b, "close code", code, 0, expected);
	}
}

/* Where in a stream an error is told: it must not need more bytes than these. */
static void
ws_input_fails_fast(void **state)
{
	static const struct {
		const char *name;
		const char *bytes;
		size_t len;
		const char *expected;
	} cases[] = {
	    {"RSV", "\xc1", 1, "error(1002)"},
	    {"continuation of nothing", "\x80", 1, "error(1002)"},
	    {"not masked", "\x81\x05", 2, "error(1002)"},
	    {"declared too long, before the mask is in", "\x81\xfe\x00\xc9", 4, "error(1009)"},
	    {"declared far too long", "\x81\xff\x00\x00\x00\x00", 2, "error(1009)"},
	    {"long form", "\x81\xfe\x00\x7d", 4, "error(1002)"},
	    {"half a code", "\x88\x81\0\0\0\0", 6, "error(1002)"},
	    {"bad code before its reason", "\x88\xe4\0\0\0\0\x03\xed", 8, "error(1002)"},
	    {"bad reason", "\x88\xe4\0\0\0\0\x03\xe8\xff", 9, "error(1007)"},
	    {"bad text in the middle", "\x81\xe4\0\0\0\0ab\xed\xa0", 10, "error(1007)"},
	    {"bad text over two frames", "\x01\x81\0\0\0\0\xf4\x00\xe4\0\0\0\0\x90", 14,
		"error(1007)"},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct ws_input input;

		ws_input_start(&input, WS_SERVER, LIMIT);
		ws_log_open(&b->log);
		for (size_t n = 0; n < cases[i].len; n++) {
			assert_log(b, cases[i].name, n, 0, "");
			ws_log_feed(
			    &b->log, &input, guard_copy(&b->guard, cases[i].bytes + n, 1), 1);
		}
		assert_log(b, cases[i].name, cases[i].len, 0, cases[i].expected);
	}
}

static void
ws_input_takes_every_length_form_with_every_mask(void **state)
{
	static const size_t lengths[] = {0, 1, 7, 8, 9, 125, 126, 127, 1000, 65535, 65536, 70001};
	static const unsigned char masks[][4] = {
	    {0, 0, 0, 0}, {0x37, 0xfa, 0x21, 0x3d}, {0xff, 0xff, 0xff, 0xff}, {1, 0, 0, 0x80}};
	struct bench *b = *state;
	char *payload = malloc(70001);

	for (size_t i = 0; i < 70001; i++)
		payload[i] = (char)('a' + i % 23);
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0] * 4; i++) {
		size_t len = lengths[i / 4];
		struct out o = out_to(b->bytes, sizeof b->bytes);

		ws_build_frame(&o, 0x81, masks[i % 4], slice_of(payload, len), WS_BUILD_SHORTEST);
		for (size_t read = 1; read <= 100000; read = read * 3 + 1) {
			struct ws_input input;

			if (o.len / read > 5000)
				continue;
			ws_input_start(&input, WS_SERVER, 70001);
			ws_log_open(&b->log);
			for (size_t at = 0; at < o.len; at += read)
				feed(b, &input, at, at + read < o.len ? at + read : o.len);
			assert_int_equal(b->log.len, len + 6);
			assert_memory_equal(b->log.text + 5, payload, len);
		}
	}
	free(payload);
}

static void
ws_input_refuses_frames_of_the_wrong_side(void **state)
{
	static const struct frame frames[FRAMES_MAX] = {F(0x81, "Hello")};
	struct bench *b = *state;

	for (int i = 0; i < 2; i++) {
		enum ws_role ours = i ? WS_CLIENT : WS_SERVER;
		size_t len = build(b, frames, i ? WS_SERVER : WS_CLIENT);
		struct ws_input input;

		ws_input_start(&input, ours, LIMIT);
		ws_log_open(&b->log);
		feed(b, &input, 0, len);
		assert_log(b, "wrong side", 0, 0, "error(1002)");
	}
}

static const struct {
	const char *name;
	struct frame frames[FRAMES_MAX];
	const char *expected;
} packed_streams[] = {
    {"one", {F(0xc1, "a")}, "packed text(a)"},
    {"binary", {F(0xc2, "\xff")}, "packed binary(\xff)"},
    {"text is not looked into", {F(0xc1, "\xff\xfe")}, "packed text(\xff\xfe)"},
    {"text that is not packed is", {F(0xc1, "\xff"), F(0x81, "\xff")},
	"packed text(\xff) error(1007)"},
    {"in pieces", {F(0x41, "a"), F(0x00, ""), F(0x80, "b")}, "packed text(ab)"},
    {"only empty pieces", {F(0x42, ""), F(0x80, "")}, "packed binary()"},
    {"control frames between pieces", {F(0x41, "a"), F(0x89, "p"), F(0x8a, ""), F(0x80, "b")},
	"ping(p) pong() packed text(ab)"},
    {"by turns", {F(0xc1, "a"), F(0x81, "b"), F(0x01, "c"), F(0x80, "d"), F(0xc2, "e")},
	"packed text(a) text(b) text(cd) packed binary(e)"},
    {"on a continuation", {F(0x41, "a"), F(0xc0, "b")}, "error(1002)"},
    {"on a continuation of what is not packed", {F(0x01, "a"), F(0xc0, "b")}, "error(1002)"},
    {"on a ping", {F(0xc9, "")}, "error(1002)"},
    {"on a pong between pieces", {F(0x41, "a"), F(0xca, "")}, "error(1002)"},
    {"on a close", {F(0xc8, "\x03\xe8")}, "error(1002)"},
    {"with RSV2", {F(0xe1, "a")}, "error(1002)"},
    {"with RSV3", {F(0xd1, "a")}, "error(1002)"},
    {"RSV2 alone", {F(0xa1, "a")}, "error(1002)"},
    {"with an unknown opcode", {F(0xc3, "a")}, "error(1002)"},
    {"inside another", {F(0x41, "a"), F(0xc1, "b")}, "error(1002)"},
    /* The limit of 200, and 200 / 16 + 64 for what is not shortened. */
    {"276 of 276", {F(0xc1, NINES NINES NINES NINES NINES TWENTY_SIX)},
	"packed text(" NINES NINES NINES NINES NINES TWENTY_SIX ")"},
    {"277 of 276", {F(0xc1, NINES NINES NINES NINES NINES TWENTY_SIX "9")}, "error(1009)"},
    {"277 of 276 in pieces", {F(0x41, NINES NINES NINES), F(0x80, NINES NINES TWENTY_SIX "9")},
	"error(1009)"},
};

/* RFC 7692 section 6, at every cut, from both sides. */
static void
ws_input_marks_compressed_messages(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < 2 * sizeof packed_streams / sizeof packed_streams[0]; i++) {
		enum ws_role role = i % 2 ? WS_CLIENT : WS_SERVER;
		size_t len = build(b, packed_streams[i / 2].frames, role);

		for (size_t cut = 0; cut <= len; cut++) {
			struct ws_input input;

			ws_input_start(&input, role, LIMIT);
			ws_input_deflate(&input);
			ws_log_open(&b->log);
			if (cut == 0) /* and a byte at a time */
				for (size_t at = 0; at < len; at++)
					feed(b, &input, at, at + 1);
			else
				feed(b, &input, 0, cut);
			if (cut != 0)
				feed(b, &input, cut, len);
			assert_log(b, packed_streams[i / 2].name, cut, cut,
			    packed_streams[i / 2].expected);
		}
	}
}

static void
ws_input_is_as_new_after_a_compressed_message(void **state)
{
	static const struct frame frames[FRAMES_MAX] = {F(0x41, "a"), F(0x89, ""), F(0x80, "b")};
	struct bench *b = *state;
	size_t len = build(b, frames, WS_SERVER);
	struct ws_input input, fresh;

	ws_input_start(&input, WS_SERVER, LIMIT);
	ws_input_deflate(&input);
	fresh = input;
	ws_log_open(&b->log);
	for (size_t at = 0; at < len; at++) {
		feed(b, &input, at, at + 1);
		assert_int_equal(ws_input_idle(&input), at + 1 == len);
	}
	assert_memory_equal(&input, &fresh, sizeof input);
}

/* One message in one read is the common case: it must come as one piece, where it was read to. */
static void
ws_input_gives_a_whole_message_in_place(void **state)
{
	static const struct frame frames[FRAMES_MAX] = {F(0x81, "Hello"), F(0x89, "p")};
	struct bench *b = *state;
	size_t len = build(b, frames, WS_SERVER);
	struct ws_input input;
	struct ws_input_event event;

	ws_input_start(&input, WS_SERVER, LIMIT);
	assert_int_equal(ws_input_next(&input, b->bytes, len, &event), 11);
	assert_int_equal(event.kind, WS_INPUT_DATA);
	assert_true(event.first && event.last);
	assert_ptr_equal(event.data.bytes, b->bytes + 6);
	assert_true(slice_equal(event.data, SLICE_LITERAL("Hello")));
	assert_int_equal(event.message_len, 5);
	assert_int_equal(ws_input_next(&input, b->bytes + 11, len - 11, &event), 7);
	assert_int_equal(event.kind, WS_INPUT_PING);
	assert_true(event.first && event.last);
}

/* What deflate cannot shorten it makes longer: 1,600 bytes may declare 1,600 / 16 + 64 more, but only while they are compressed. */
static void
ws_input_gives_compressed_messages_room_for_what_is_not_shortened(void **state)
{
	static const struct {
		unsigned before,
		    first; /* a whole frame of one byte before it, or none; then the head */
		unsigned len;
		bool taken;
	} cases[] = {
	    {0, 0xc2, 1764, true},
	    {0, 0xc2, 1765, false},
	    {0, 0x82, 1600, true},
	    {0, 0x82, 1601, false},
	    {0x42, 0x80, 1763, true},
	    {0x42, 0x80, 1764, false},
	    {0x02, 0x80, 1599, true},
	    {0x02, 0x80, 1600, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char bytes[16];
		size_t len = 0, used = 0;
		struct ws_input_event event = {.kind = WS_INPUT_MORE};
		struct ws_input input;

		if (cases[i].before != 0) {
			const unsigned char frame[7] = {(unsigned char)cases[i].before, 0x81};

			memcpy(bytes, frame, sizeof frame);
			len = sizeof frame;
		}
		bytes[len++] = (char)cases[i].first;
		bytes[len++] = (char)(0x80 | 126);
		bytes[len++] = (char)(cases[i].len >> 8);
		bytes[len++] = (char)(cases[i].len & 255);
		memset(bytes + len, 0, 4);
		len += 4;
		ws_input_start(&input, WS_SERVER, 1600);
		ws_input_deflate(&input);
		while (used < len)
			used += ws_input_next(&input, bytes + used, len - used, &event);
		assert_int_equal(event.kind, cases[i].taken ? WS_INPUT_MORE : WS_INPUT_ERROR);
		if (!cases[i].taken)
			assert_int_equal(event.code, WS_CLOSE_TOO_BIG);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ws_input_gives_compressed_messages_room_for_what_is_not_shortened),
	    cmocka_unit_test(ws_input_reports_the_same_at_every_cut),
	    cmocka_unit_test(ws_input_reports_the_same_one_byte_at_a_time),
	    cmocka_unit_test(ws_input_survives_a_move_between_any_two_bytes),
	    cmocka_unit_test(ws_input_is_idle_exactly_between_messages_and_then_as_new),
	    cmocka_unit_test(ws_input_is_not_idle_once_ended),
	    cmocka_unit_test(ws_input_judges_every_close_code),
	    cmocka_unit_test(ws_input_fails_fast),
	    cmocka_unit_test(ws_input_takes_every_length_form_with_every_mask),
	    cmocka_unit_test(ws_input_refuses_frames_of_the_wrong_side),
	    cmocka_unit_test(ws_input_gives_a_whole_message_in_place),
	    cmocka_unit_test(ws_input_marks_compressed_messages),
	    cmocka_unit_test(ws_input_is_as_new_after_a_compressed_message),
	};

	return cmocka_run_group_tests(tests, bench_open, bench_close);
}
