/*
 * ws_frame.c: frame heads both ways, masking, and whole frames small enough to be rendered in one
 * go.
 */
#include <assert.h>

#include "proto/utf8.h"
#include "proto/ws_frame.h"

#define FIN 0x80
#define RESERVED 0x70
#define RSV1 0x40
#define OPCODE 0x0f
#define MASKED 0x80
#define SHORT_LENGTH 0x7f
#define LENGTH_16 126 /* the short lengths that announce a longer form */
#define LENGTH_64 127

static bool
is_control(unsigned opcode)
{
	return (opcode & 8) != 0;
}

static bool
is_known(unsigned opcode)
{
	return opcode <= WS_BINARY || (opcode >= WS_CLOSE && opcode <= WS_PONG);
}

static int
parse_first(struct ws_frame *frame, uint8_t byte)
{
	if ((byte & RESERVED) != 0)
		return WS_FRAME_RESERVED_BITS;
	frame->opcode = byte & OPCODE;
	frame->fin = (byte & FIN) != 0;
	if (!is_known(frame->opcode))
		return WS_FRAME_BAD_OPCODE;
	if (is_control(frame->opcode) && !frame->fin)
		return WS_FRAME_CONTROL_IN_PIECES;
	return 1;
}

static int
parse_second(struct ws_frame *frame, uint8_t byte, enum ws_role role)
{
	frame->masked = (byte & MASKED) != 0;
	if (role == WS_SERVER && !frame->masked)
		return WS_FRAME_NOT_MASKED;
	if (role == WS_CLIENT && frame->masked)
		return WS_FRAME_MASKED;
	if (is_control(frame->opcode) && (byte & SHORT_LENGTH) > WS_FRAME_CONTROL_BYTES_MAX)
		return WS_FRAME_CONTROL_TOO_LONG;
	return 2;
}

/*
 * The length, from a head whose first two bytes are good. After each byte of it we know between
 * which lengths it will end, and so refuse as early as can be, and alike however the head was cut.
 */
static int
parse_length(struct ws_frame *frame, const uint8_t *head, size_t len, uint64_t len_max)
{
	unsigned code = head[1] & SHORT_LENGTH;
	unsigned bytes = code == LENGTH_64 ? 8 : code == LENGTH_16 ? 2 : 0;
	uint64_t least = code == LENGTH_64 ? UINT16_MAX + UINT64_C(1) : code;

	if (is_control(frame->opcode))
		len_max = WS_FRAME_CONTROL_BYTES_MAX;
	if (least > len_max)
		return WS_FRAME_TOO_BIG;
	frame->len = bytes == 0 ? code : 0;
	for (unsigned i = 0; i < bytes; i++) {
		unsigned rest = 8 * (bytes - 1 - i);
		uint64_t lowest;

		if (len == 2 + i)
			return 0;
		if (bytes == 8 && i == 0 && (head[2] & 0x80) != 0)
			return WS_FRAME_BAD_LENGTH;
		frame->len = frame->len << 8 | head[2 + i];
		lowest = frame->len << rest;
		if ((lowest | ((UINT64_C(1) << rest) - 1)) < least)
			return WS_FRAME_LONG_FORM;
		if (lowest > len_max)
			return WS_FRAME_TOO_BIG;
	}
	return (int)(2 + bytes);
}

int
ws_frame_parse(struct ws_frame *frame, struct slice in, enum ws_role role, uint64_t len_max)
{
	const uint8_t *head = (const uint8_t *)in.bytes;
	int used;

	*frame = (struct ws_frame){0};
	if (in.len < 1)
		return 0;
	used = parse_first(frame, head[0]);
	if (used < 0 || in.len < 2)
		return used < 0 ? used : 0;
	used = parse_second(frame, head[1], role);
	if (used < 0)
		return used;
	used = parse_length(frame, head, in.len, len_max);
	if (used <= 0 || !frame->masked)
		return used;
	if (in.len < (size_t)used + WS_FRAME_MASK_BYTES)
		return 0;
	memcpy(frame->mask, head + used, WS_FRAME_MASK_BYTES);
	return used + WS_FRAME_MASK_BYTES;
}

uint16_t
ws_frame_error_code(enum ws_frame_error error)
{
	return error == WS_FRAME_TOO_BIG ? WS_CLOSE_TOO_BIG : WS_CLOSE_PROTOCOL;
}

const char *
ws_frame_error_text(enum ws_frame_error error)
{
	switch (error) {
	case WS_FRAME_RESERVED_BITS:
		return "reserved bits are set";
	case WS_FRAME_BAD_OPCODE:
		return "unknown opcode";
	case WS_FRAME_CONTROL_IN_PIECES:
		return "fragmented control frame";
	case WS_FRAME_CONTROL_TOO_LONG:
		return "control frame longer than 125 bytes";
	case WS_FRAME_NOT_MASKED:
		return "frame is not masked";
	case WS_FRAME_MASKED:
		return "frame is masked";
	case WS_FRAME_LONG_FORM:
		return "length not in its shortest form";
	case WS_FRAME_BAD_LENGTH:
		return "length has its highest bit set";
	case WS_FRAME_TOO_BIG:
		return "message too big";
	}
	return "bad frame";
}

void
ws_frame_mask(
    char *bytes, size_t len, const uint8_t mask[static WS_FRAME_MASK_BYTES], uint64_t offset)
{
	uint8_t turned[sizeof(uint64_t)];
	uint64_t mask_word;
	size_t i = 0;

	/* The mask twice, turned so that it begins with the byte that is due. */
	for (size_t k = 0; k < sizeof turned; k++)
		turned[k] = mask[(offset + k) % WS_FRAME_MASK_BYTES];
	memcpy(&mask_word, turned, sizeof mask_word);
	for (; len - i >= sizeof mask_word; i += sizeof mask_word) {
		uint64_t word;

		memcpy(&word, bytes + i, sizeof word);
		word ^= mask_word;
		memcpy(bytes + i, &word, sizeof word);
	}
	for (; i < len; i++)
		bytes[i] = (char)(bytes[i] ^ turned[i % WS_FRAME_MASK_BYTES]);
}

bool
ws_frame_close_code_valid(unsigned code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	       (code >= 3000 && code <= 4999);
}

size_t
ws_frame_head_len(uint64_t payload_len)
{
	return payload_len < LENGTH_16 ? 2 : payload_len <= UINT16_MAX ? 4 : 10;
}

static void
render_head(struct out *o, enum ws_opcode opcode, bool fin, bool masked, uint64_t payload_len)
{
	size_t head_len = ws_frame_head_len(payload_len);
	unsigned code = head_len == 2   ? (unsigned)payload_len
			: head_len == 4 ? LENGTH_16
					: LENGTH_64;
	char head[WS_FRAME_HEAD_BYTES_MAX];

	assert(!is_control(opcode) || (fin && payload_len <= WS_FRAME_CONTROL_BYTES_MAX));
	head[0] = (char)((fin ? FIN : 0) | (unsigned)opcode);
	head[1] = (char)((masked ? MASKED : 0) | code);
	for (size_t i = head_len; i > 2; i--) {
		head[i - 1] = (char)(payload_len & 0xff);
		payload_len >>= 8;
	}
	out_bytes(o, head, head_len);
}

void
ws_frame_render_head(struct out *o, enum ws_opcode opcode, bool fin, uint64_t payload_len)
{
	render_head(o, opcode, fin, false, payload_len);
}

void
ws_frame_render(struct out *o, enum ws_opcode opcode, struct slice payload)
{
	render_head(o, opcode, true, false, payload.len);
	out_slice(o, payload);
}

void
ws_frame_render_compressed(struct out *o, enum ws_opcode opcode, struct slice payload)
{
	const size_t head = o->len;

	assert(!is_control(opcode));
	ws_frame_render(o, opcode, payload);
	if (!out_cut(o))
		o->bytes[head] = (char)(o->bytes[head] | RSV1);
}

void
ws_frame_render_masked(struct out *o, enum ws_opcode opcode, struct slice payload,
    const uint8_t mask[static WS_FRAME_MASK_BYTES])
{
	render_head(o, opcode, true, true, payload.len);
	out_bytes(o, (const char *)mask, WS_FRAME_MASK_BYTES);
	out_slice(o, payload);
	if (!out_cut(o))
		ws_frame_mask(o->bytes + o->len - payload.len, payload.len, mask, 0);
}

/* The payload of a close frame, into a buffer of the caller's. */
static struct slice
close_payload(char to[static WS_FRAME_CONTROL_BYTES_MAX], unsigned code, struct slice reason)
{
	size_t len = utf8_cut(reason, WS_FRAME_CLOSE_REASON_BYTES);

	if (!ws_frame_close_code_valid(code))
		return slice_of(to, 0);
	to[0] = (char)(code >> 8);
	to[1] = (char)(code & 0xff);
	if (len != 0)
		memcpy(to + 2, reason.bytes, len);
	return slice_of(to, 2 + len);
}

void
ws_frame_render_close(struct out *o, unsigned code, struct slice reason)
{
	char payload[WS_FRAME_CONTROL_BYTES_MAX];

	ws_frame_render(o, WS_CLOSE, close_payload(payload, code, reason));
}

void
ws_frame_render_close_masked(struct out *o, unsigned code, struct slice reason,
    const uint8_t mask[static WS_FRAME_MASK_BYTES])
{
	char payload[WS_FRAME_CONTROL_BYTES_MAX];

	ws_frame_render_masked(o, WS_CLOSE, close_payload(payload, code, reason), mask);
}
