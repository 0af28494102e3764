/*
 * ws_frame_fuzz.c: frames between our code and a reader and writer that share nothing with it. What we render is read back
 * as it was meant; messages that the other side writes, masked or not, in fragments with control frames between, are reported as
 * they were; a head is refused exactly when the drawing in RFC 6455 says so.
 *
 * Input: role and seed, then frames to make, each: what, how many fragments, length (2), and the rest is payload.
 */
#define WS_LOG_BYTES (1 << 18)

#include "tests/unit/proto/utf8_reference.h"
#include "tests/unit/proto/ws_log.h"
#include "tests/unit/proto/ws_reference.h"

#define MESSAGE_BYTES_MAX 70000
#define MESSAGES_MAX 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) WS_LOG_CHECK(condition)

struct tape {
	const uint8_t *at;
	size_t left;
	uint32_t seed;
};

static unsigned
tape_byte(struct tape *t)
{
	if (t->left == 0)
		return 0;
	t->left--;
	return *t->at++;
}

static uint32_t
chance(struct tape *t)
{
	t->seed = t->seed * 1103515245u + 12345u;
	return t->seed >> 16;
}

/* ---- what we render ------------------------------------------------------------------------------------- */

static void
check_rendered(
    const struct out *o, unsigned opcode, const uint8_t *payload, size_t len, bool masked)
{
	struct ws_reference_frame f = {0};

	CHECK(!out_cut(o));
	CHECK(ws_reference_read(&f, (const uint8_t *)o->bytes, o->len) == o->len);
	CHECK(f.fin && !f.rsv1 && !f.rsv2 && !f.rsv3 && f.opcode == opcode && f.masked == masked);
	CHECK(f.length == len && ws_reference_length_is_minimal(&f));
	for (size_t i = 0; i < len; i++)
		CHECK(ws_reference_byte(&f, i) == payload[i]);
}

static void
check_close(unsigned code, const uint8_t *reason, size_t len, char *room, size_t cap)
{
	struct out o = out_to(room, cap);
	struct ws_reference_frame f = {0};

	if (utf8_reference(reason, len) != UTF8_REFERENCE_WHOLE)
		return;
	ws_frame_render_close(&o, code, slice_of((const char *)reason, len));
	CHECK(!out_cut(&o) && ws_reference_read(&f, (const uint8_t *)o.bytes, o.len) == o.len);
	CHECK(f.fin && f.opcode == 8 && !f.masked && f.length <= 125 && f.length != 1);
	CHECK(ws_reference_close_code(code) == (f.length != 0));
	CHECK(ws_frame_close_code_valid(code) == ws_reference_close_code(code));
	if (f.length == 0)
		return;
	CHECK(((unsigned)f.payload[0] << 8 | f.payload[1]) == code);
	CHECK(f.length - 2 <= len && memcmp(f.payload + 2, reason, (size_t)f.length - 2) == 0);
	CHECK(f.length - 2 == len || f.length - 2 > 119);
	CHECK(utf8_reference(f.payload + 2, (size_t)f.length - 2) == UTF8_REFERENCE_WHOLE);
}

static void
check_renderers(const uint8_t *payload, size_t len, unsigned what)
{
	const uint8_t mask[4] = {(uint8_t)what, 7, (uint8_t)len, 255};
	const size_t cap = len + 256;
	char *room = malloc(cap);
	struct out o = out_to(room, cap);
	const struct slice s = slice_of((const char *)payload, len);
	const enum ws_opcode opcode = (what & 1) != 0 ? WS_TEXT : WS_BINARY;

	CHECK(room != NULL);
	ws_frame_render(&o, opcode, s);
	check_rendered(&o, opcode, payload, len, false);
	o = out_to(room, cap);
	ws_frame_render_masked(&o, opcode, s, mask);
	check_rendered(&o, opcode, payload, len, true);
	check_close(what * 37, payload, len < 200 ? len : 200, room, cap);
	check_close(995 + what % 32, payload, len < 200 ? len : 200, room, cap);
	free(room);
}

/* ---- what we parse -------------------------------------------------------------------------------------- */

/* Bits of the head alone, as the drawing says; what may be in it says section 5. */
static void
check_head(const uint8_t *bytes, size_t len, enum ws_role role)
{
	struct ws_frame frame;
	const int n =
	    ws_frame_parse(&frame, slice_of((const char *)bytes, len), role, UINT64_MAX >> 1);
	const size_t length_bytes = len < 2                   ? 0
				    : (bytes[1] & 127) == 127 ? 8
				    : (bytes[1] & 127) == 126 ? 2
							      : 0;
	const size_t head = 2 + length_bytes + (len > 1 && (bytes[1] & 128) != 0 ? 4 : 0);
	uint64_t length = len < 2 ? 0 : bytes[1] & 127;
	bool fine;
	unsigned opcode;

	CHECK(n <= (int)len && n != 1);
	if (len < 2 || len < head) {
		CHECK(n <= 0);
		return;
	}
	opcode = bytes[0] & 15;
	for (size_t i = 0; i < length_bytes; i++)
		length = (i == 0 ? 0 : length << 8) | bytes[2 + i];
	fine = (bytes[0] & 0x70) == 0 && (opcode < 3 || (opcode >= 8 && opcode <= 10)) &&
	       ((bytes[1] & 128) != 0) == (role == WS_SERVER) && length >> 63 == 0 &&
	       (length_bytes != 2 || length >= 126) && (length_bytes != 8 || length >= 65536) &&
	       (opcode < 8 || ((bytes[0] & 128) != 0 && length <= 125));
	CHECK(fine ? n == (int)head : n < 0);
	if (!fine)
		return;
	CHECK(frame.len == length && frame.opcode == opcode && frame.fin == bytes[0] >> 7);
	CHECK(frame.masked == (role == WS_SERVER));
	CHECK(!frame.masked || memcmp(frame.mask, bytes + head - 4, 4) == 0);
}

/* One message in fragments, with pings and pongs between them and behind; and what is to be said of it. */
static size_t
write_message(struct tape *t, bool masked, bool text, const uint8_t *payload, size_t len,
    unsigned pieces, uint8_t *wire, struct ws_log *log)
{
	const struct slice control = slice_of((const char *)payload, len < 9 ? len : 9);
	size_t at = 0, from = 0;

	for (bool first = true; pieces != 0; pieces--, first = false) {
		const size_t n = pieces == 1 ? len - from : (len - from) * (chance(t) % 4) / 4;
		const uint32_t mask = chance(t) * 65537u;
		const unsigned opcode = (pieces == 1 ? 128 : 0) | (!first ? 0 : text ? 1 : 2);
		const unsigned pong = chance(t) & 1;

		at += ws_reference_write(
		    wire + at, opcode, masked, (const uint8_t *)&mask, payload + from, n);
		from += n;
		if (pieces == 1)
			ws_log_write(
			    log, text ? "text(" : "binary(", slice_of((const char *)payload, len));
		if (chance(t) % 3 != 0)
			continue;
		at += ws_reference_write(
		    wire + at, 0x89 + pong, masked, (const uint8_t *)&mask, payload, control.len);
		ws_log_write(log, pong ? "pong(" : "ping(", control);
	}
	return at;
}

/* The other side's messages, as frames into `wire` and as what we should say of them into `log`. */
static size_t
write_messages(struct tape *t, bool masked, uint8_t *wire, struct ws_log *log)
{
	size_t at = 0;

	for (int i = 0; i < MESSAGES_MAX && t->left != 0; i++) {
		const unsigned what = tape_byte(t);
		const unsigned pieces = 1 + (tape_byte(t) & 7);
		const size_t byte = tape_byte(t);
		const size_t len = (what & 64) != 0   ? 65500 + byte
				   : (what & 32) != 0 ? byte * 4
						      : byte;
		uint8_t *payload = malloc(len + 1);

		CHECK(payload != NULL);
		for (size_t k = 0; k < len; k++)
			payload[k] = (uint8_t)(tape_byte(t) & ((what & 1) != 0 ? 127 : 255));
		check_renderers(payload, len, what);
		at +=
		    write_message(t, masked, (what & 1) != 0, payload, len, pieces, wire + at, log);
		free(payload);
	}
	return at;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tape t = {data, size, 0};
	struct ws_log *expected = malloc(sizeof *expected), *seen = malloc(sizeof *seen);
	uint8_t *wire = malloc(MESSAGES_MAX * (MESSAGE_BYTES_MAX + 400));
	const unsigned how = tape_byte(&t);
	const enum ws_role role = (how & 1) != 0 ? WS_CLIENT : WS_SERVER;
	struct ws_input input;
	size_t len, step;

	CHECK(expected != NULL && seen != NULL && wire != NULL);
	t.seed = how * 7919;
	check_head(t.at, t.left < 14 ? t.left : 14, role);
	ws_log_open(expected);
	ws_log_open(seen);
	len = write_messages(&t, role == WS_SERVER, wire, expected);
	ws_input_start(&input, role, UINT32_MAX);
	for (size_t at = 0; at < len; at += step) {
		char *piece;

		step = 1 + chance(&t) % (len > 1000 ? 5000 : 40);
		step = step > len - at ? len - at : step;
		piece = malloc(step);
		CHECK(piece != NULL);
		memcpy(piece, wire + at, step);
		ws_log_feed(seen, &input, piece, step);
		free(piece);
	}
	CHECK(ws_input_idle(&input));
	CHECK(seen->len == expected->len && memcmp(seen->text, expected->text, seen->len) == 0);
	free(wire);
	free(expected);
	free(seen);
	return 0;
}
