/*
 * ws_frame_test.c: frame heads at every length form and every cut, masking at every offset, and
 * what is rendered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proto/ws_frame.h"
#include "tests/unit/proto/guard.h"
#include "tests/unit/proto/ws_build.h"

static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};

#define NO_LIMIT (UINT64_MAX / 2)

static void
ws_frame_parses_every_length_form_and_waits_on_every_prefix(void **state)
{
	static const uint64_t lengths[] = {0, 1, 124, 125, 126, 127, 128, 255, 256, 65534, 65535,
	    65536, 65537, 0xffffffff, 0x100000000, 0x7fffffffffffffff};
	struct guard g;

	(void)state;
	guard_open(&g, 64);
	for (size_t i = 0; i < 2 * sizeof lengths / sizeof lengths[0]; i++) {
		bool masked = i % 2;
		uint64_t len = lengths[i / 2];
		enum ws_role role = masked ? WS_SERVER : WS_CLIENT;
		char head[WS_FRAME_HEAD_BYTES_MAX];
		struct out o = out_to(head, sizeof head);
		struct ws_frame frame;

		out_char(&o, (char)0x82);
		ws_build_length(&o, masked ? 0x80 : 0, len, WS_BUILD_SHORTEST);
		if (masked)
			out_bytes(&o, (const char *)mask, sizeof mask);
		for (size_t n = 0; n < o.len; n++)
			assert_int_equal(ws_frame_parse(&frame,
					     slice_of(guard_copy(&g, head, n), n), role, NO_LIMIT),
			    0);
		assert_int_equal(ws_frame_parse(&frame,
				     slice_of(guard_copy(&g, head, o.len), o.len), role, NO_LIMIT),
		    o.len);
		assert_true(frame.len == len);
		assert_int_equal(frame.opcode, WS_BINARY);
		assert_int_equal(frame.fin, 1);
		assert_int_equal(frame.masked, masked);
		if (masked)
			assert_memory_equal(frame.mask, mask, sizeof mask);
		else
			assert_int_equal(ws_frame_head_len(len), o.len);
	}
	guard_close(&g);
}

static const struct {
	const char *name, *head;
	size_t len; /* of the shortest prefix that shows the error */
	enum ws_role role;
	uint64_t len_max;
	int error;
} bad_heads[] = {
    {"RSV1", "\xc1", 1, WS_SERVER, NO_LIMIT, WS_FRAME_RESERVED_BITS},
    {"RSV2", "\xa1", 1, WS_SERVER, NO_LIMIT, WS_FRAME_RESERVED_BITS},
    {"RSV3", "\x91", 1, WS_SERVER, NO_LIMIT, WS_FRAME_RESERVED_BITS},
    {"RSV1 on a ping", "\xc9", 1, WS_SERVER, NO_LIMIT, WS_FRAME_RESERVED_BITS},
    {"opcode 3", "\x83", 1, WS_SERVER, NO_LIMIT, WS_FRAME_BAD_OPCODE},
    {"opcode 7", "\x07", 1, WS_SERVER, NO_LIMIT, WS_FRAME_BAD_OPCODE},
    {"opcode 11", "\x8b", 1, WS_SERVER, NO_LIMIT, WS_FRAME_BAD_OPCODE},
    {"opcode 15", "\x8f", 1, WS_SERVER, NO_LIMIT, WS_FRAME_BAD_OPCODE},
    {"ping in pieces", "\x09", 1, WS_SERVER, NO_LIMIT, WS_FRAME_CONTROL_IN_PIECES},
    {"close in pieces", "\x08", 1, WS_CLIENT, NO_LIMIT, WS_FRAME_CONTROL_IN_PIECES},
    {"not masked", "\x81\x00", 2, WS_SERVER, NO_LIMIT, WS_FRAME_NOT_MASKED},
    {"close not masked", "\x88\x00", 2, WS_SERVER, NO_LIMIT, WS_FRAME_NOT_MASKED},
    {"masked", "\x81\x80", 2, WS_CLIENT, NO_LIMIT, WS_FRAME_MASKED},
    {"ping of 126", "\x89\xfe", 2, WS_SERVER, NO_LIMIT, WS_FRAME_CONTROL_TOO_LONG},
    {"pong of 127", "\x8a\x7f", 2, WS_CLIENT, NO_LIMIT, WS_FRAME_CONTROL_TOO_LONG},
    {"125 in 16 bits", "\x81\xfe\x00\x7d", 4, WS_SERVER, NO_LIMIT, WS_FRAME_LONG_FORM},
    {"0 in 16 bits", "\x81\x7e\x00\x00", 4, WS_CLIENT, NO_LIMIT, WS_FRAME_LONG_FORM},
    {"65535 in 64 bits", "\x82\xff\0\0\0\0\0\0", 8, WS_SERVER, NO_LIMIT, WS_FRAME_LONG_FORM},
    {"highest bit", "\x82\xff\x80", 3, WS_SERVER, NO_LIMIT, WS_FRAME_BAD_LENGTH},
    {"101 of 100", "\x82\xe5", 2, WS_SERVER, 100, WS_FRAME_TOO_BIG},
    {"16 bits of 100", "\x82\xfe", 2, WS_SERVER, 100, WS_FRAME_TOO_BIG},
    {"64 bits of 65535", "\x82\xff", 2, WS_SERVER, 65535, WS_FRAME_TOO_BIG},
    {"512 of 511", "\x82\xfe\x02", 3, WS_SERVER, 511, WS_FRAME_TOO_BIG},
    {"511 of 510", "\x82\xfe\x01\xff", 4, WS_SERVER, 510, WS_FRAME_TOO_BIG},
    {"1 MiB of 64 KiB", "\x82\x7f\0\0\0\0\0\x10", 8, WS_CLIENT, 65536, WS_FRAME_TOO_BIG},
    {"2^62", "\x82\x7f\x40", 3, WS_CLIENT, 65536, WS_FRAME_TOO_BIG},
};

static void
ws_frame_refuses_at_the_first_impossible_byte(void **state)
{
	struct guard g;

	(void)state;
	guard_open(&g, 64);
	for (size_t i = 0; i < sizeof bad_heads / sizeof bad_heads[0]; i++) {
		struct ws_frame frame;

		for (size_t n = 0; n <= bad_heads[i].len; n++) {
			int got = ws_frame_parse(&frame,
			    slice_of(guard_copy(&g, bad_heads[i].head, n), n), bad_heads[i].role,
			    bad_heads[i].len_max);
			int expected = n < bad_heads[i].len ? 0 : bad_heads[i].error;

			if (got != expected)
				fail_msg("%s, %zu bytes: %d instead of %d", bad_heads[i].name, n,
				    got, expected);
		}
	}
	guard_close(&g);
}

/* More behind the error must not turn it into another one. */
static void
ws_frame_names_the_same_error_however_much_is_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_heads / sizeof bad_heads[0]; i++)
		for (unsigned filler = 0; filler <= 0xff; filler += 0x55) {
			char head[32];
			struct ws_frame frame;

			memset(head, (int)filler, sizeof head);
			memcpy(head, bad_heads[i].head, bad_heads[i].len);
			assert_int_equal(ws_frame_parse(&frame, slice_of(head, sizeof head),
					     bad_heads[i].role, bad_heads[i].len_max),
			    bad_heads[i].error);
		}
}

static void
ws_frame_limit_allows_exactly_itself_and_spares_control_frames(void **state)
{
	static const struct {
		const char *head;
		size_t len;
		uint64_t len_max;
		int expected;
	} cases[] = {
	    {"\x82\x64", 2, 100, 2},
	    {"\x82\x7e\x01\xff", 4, 511, 4},
	    {"\x82\x7f\0\0\0\0\0\x01\0\0", 10, 65536, 10},
	    {"\x82\x00", 2, 0, 2},
	    {"\x82\x01", 2, 0, WS_FRAME_TOO_BIG},
	    {"\x89\x7d", 2, 0, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct ws_frame frame;

		assert_int_equal(ws_frame_parse(&frame, slice_of(cases[i].head, cases[i].len),
				     WS_CLIENT, cases[i].len_max),
		    cases[i].expected);
	}
}

static void
ws_frame_errors_have_codes_and_texts(void **state)
{
	(void)state;
	for (int error = WS_FRAME_TOO_BIG; error <= WS_FRAME_RESERVED_BITS; error++) {
		assert_int_equal(ws_frame_error_code((enum ws_frame_error)error),
		    error == WS_FRAME_TOO_BIG ? 1009 : 1002);
		assert_string_not_equal(
		    ws_frame_error_text((enum ws_frame_error)error), "bad frame");
	}
}

static void
ws_frame_masks_any_length_at_any_offset_and_alignment(void **state)
{
	struct guard g;

	(void)state;
	guard_open(&g, 128);
	for (size_t len = 0; len < 70; len++)
		for (uint64_t offset = 0; offset < 8; offset++) {
			char *bytes = guard_end(&g, len);

			for (size_t i = 0; i < len; i++)
				bytes[i] = (char)(i * 7);
			ws_frame_mask(bytes, len, mask, offset);
			for (size_t i = 0; i < len; i++)
				assert_int_equal((unsigned char)bytes[i],
				    (unsigned char)(i * 7) ^ mask[(offset + i) % 4]);
		}
	guard_close(&g);
}

static void
ws_frame_knows_which_close_codes_may_be_sent(void **state)
{
	static const struct {
		unsigned from, to;
		bool valid;
	} ranges[] = {
	    {0, 999, false},
	    {1000, 1003, true},
	    {1004, 1006, false},
	    {1007, 1014, true},
	    {1015, 2999, false},
	    {3000, 4999, true},
	    {5000, 70000, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
		for (unsigned code = ranges[i].from; code <= ranges[i].to; code++)
			assert_int_equal(ws_frame_close_code_valid(code), ranges[i].valid);
}

static void
ws_frame_renders_what_the_rfc_shows(void **state)
{
	static const unsigned char zero[4] = {0};
	char bytes[64];
	struct out o = out_to(bytes, sizeof bytes);

	(void)state;
	ws_frame_render(&o, WS_TEXT, SLICE_LITERAL("Hello"));
	assert_int_equal(o.len, 7);
	assert_memory_equal(bytes, "\x81\x05Hello", 7);
	o = out_to(bytes, sizeof bytes);
	ws_frame_render_masked(&o, WS_TEXT, SLICE_LITERAL("Hello"), mask);
	assert_int_equal(o.len, 11);
	assert_memory_equal(bytes, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
	o = out_to(bytes, sizeof bytes);
	/* RFC 7692 7.2.3.1 */
	ws_frame_render_compressed(&o, WS_TEXT, SLICE_LITERAL("\xf2\x48\xcd\xc9\xc9\x07\x00"));
	assert_int_equal(o.len, 9);
	assert_memory_equal(o.bytes, "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", 9);
	o = out_to(o.bytes, o.cap);
	ws_frame_render_head(&o, WS_TEXT, false, 3);
	ws_frame_render_head(&o, WS_CONTINUATION, true, 256);
	ws_frame_render_head(&o, WS_BINARY, true, 65536);
	assert_int_equal(o.len, 2 + 4 + 10);
	assert_memory_equal(bytes, "\x01\x03\x80\x7e\x01\x00\x82\x7f\0\0\0\0\0\x01\0\0", 16);
	o = out_to(bytes, sizeof bytes);
	ws_frame_render(&o, WS_PONG, SLICE_LITERAL(""));
	ws_frame_render_masked(&o, WS_PING, SLICE_LITERAL("x"), zero);
	assert_int_equal(o.len, 2 + 7);
	assert_memory_equal(bytes, "\x8a\x00\x89\x81\0\0\0\0x", 9);
}

static void
ws_frame_renders_heads_that_parse_back(void **state)
{
	static const size_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536, 100000};
	char *bytes = malloc(200000);

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		struct out o = out_to(bytes, 200000);
		struct ws_frame frame;
		char *payload = calloc(1, lengths[i] + 1);
		int used;

		ws_frame_render_masked(&o, WS_BINARY, slice_of(payload, lengths[i]), mask);
		used = ws_frame_parse(&frame, slice_of(bytes, o.len), WS_SERVER, NO_LIMIT);
		assert_int_equal(used, ws_frame_head_len(lengths[i]) + 4);
		assert_true(frame.len == lengths[i] && o.len == (size_t)used + lengths[i]);
		ws_frame_mask(bytes + used, lengths[i], frame.mask, 0);
		assert_memory_equal(bytes + used, payload, lengths[i]);
		free(payload);
	}
	free(bytes);
}

static void
ws_frame_render_into_too_little_room_is_cut_and_harms_nothing(void **state)
{
	struct guard g;

	(void)state;
	guard_open(&g, 64);
	for (size_t cap = 0; cap < 11; cap++) {
		char *before = guard_end(&g, cap + 16);
		struct out o = out_to(before + 16, cap);

		memset(before, '.', 16);
		ws_frame_render_masked(&o, WS_TEXT, SLICE_LITERAL("Hello"), mask);
		assert_true(out_cut(&o));
		assert_int_equal(o.need, 11);
		assert_memory_equal(before, "................", 16);
		assert_memory_equal(o.bytes, "\x81\x85\x37\xfa\x21\x3d", o.len);
	}
	guard_close(&g);
}

static void
ws_frame_renders_close_frames(void **state)
{
	static const char nines[] = "99999999999999999999999999999999999999999999999999999999999"
				    "99999999999999999999999999999999999999999999999999999999999";
	static const struct {
		unsigned code;
		const char *reason;
		size_t payload_len;
	} cases[] = {
	    {1000, "", 2},
	    {1001, "going away", 12},
	    {1005, "", 0},
	    {1005, "nowhere to put it", 0},
	    {1006, "", 0},
	    {999, "", 0},
	    {70000, "", 0},
	    {4999, "own", 5},
	};
	char bytes[160], reason[160];
	struct out o;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		o = out_to(bytes, sizeof bytes);
		ws_frame_render_close(&o, cases[i].code, slice_text(cases[i].reason));
		assert_int_equal(o.len, 2 + cases[i].payload_len);
		assert_int_equal((unsigned char)bytes[0], 0x88);
		assert_int_equal(bytes[1], cases[i].payload_len);
		if (cases[i].payload_len == 0)
			continue;
		assert_int_equal(
		    (unsigned char)bytes[2] << 8 | (unsigned char)bytes[3], cases[i].code);
		assert_memory_equal(bytes + 4, cases[i].reason, cases[i].payload_len - 2);
	}
	/* 118 nines and then euro signs: the second one would end at byte 124. */
	assert_int_equal(strlen(nines), 118);
	snprintf(reason, sizeof reason, "%s\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", nines);
	o = out_to(bytes, sizeof bytes);
	ws_frame_render_close(&o, 1008, slice_text(reason));
	assert_int_equal(o.len, 2 + 2 + 121);
	assert_int_equal(bytes[1], 123);
	/* Two more nines and the last fits whole: 123 is allowed. */
	snprintf(reason, sizeof reason, "%s99\xe2\x82\xac\xe2\x82\xac", nines);
	o = out_to(bytes, sizeof bytes);
	ws_frame_render_close_masked(&o, 1008, slice_text(reason), mask);
	assert_int_equal(o.len, 2 + 4 + 2 + 123);
	assert_int_equal((unsigned char)bytes[1], 0x80 | 125);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ws_frame_parses_every_length_form_and_waits_on_every_prefix),
	    cmocka_unit_test(ws_frame_refuses_at_the_first_impossible_byte),
	    cmocka_unit_test(ws_frame_names_the_same_error_however_much_is_there),
	    cmocka_unit_test(ws_frame_limit_allows_exactly_itself_and_spares_control_frames),
	    cmocka_unit_test(ws_frame_errors_have_codes_and_texts),
	    cmocka_unit_test(ws_frame_masks_any_length_at_any_offset_and_alignment),
	    cmocka_unit_test(ws_frame_knows_which_close_codes_may_be_sent),
	    cmocka_unit_test(ws_frame_renders_what_the_rfc_shows),
	    cmocka_unit_test(ws_frame_renders_heads_that_parse_back),
	    cmocka_unit_test(ws_frame_render_into_too_little_room_is_cut_and_harms_nothing),
	    cmocka_unit_test(ws_frame_renders_close_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
