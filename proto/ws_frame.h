/*
 * ws_frame.h: WebSocket frames (RFC 6455 section 5): heads parsed, payloads masked, frames
 * rendered, for both sides.
 *
 *      byte 0           byte 1
 *     +-+-+-+-+-------+-+-------------+- - - - - - - - +- - - - - -+- - - - - -
 *     |F|R|R|R| opcode|M| length      | 2 or 8 bytes   | mask, 4   | payload
 *     |I|S|S|S|       |A| 0..125,     | big endian     | when M    | (xor mask)
 *     |N|1|2|3|       |S| 126 or 127  | when 126 / 127 |           |
 *     +-+-+-+-+-------+-+-------------+- - - - - - - - +- - - - - -+- - - - - -
 *
 * ws_input.h builds messages out of them. The codes of section 7.4 live here because parsers and
 * renderers share them.
 */
#ifndef PROTO_WS_FRAME_H
#define PROTO_WS_FRAME_H

#include "proto/slice.h"

#define WS_FRAME_HEAD_BYTES_MAX 14      /* 2 + 8 + 4 */
#define WS_FRAME_CONTROL_BYTES_MAX 125  /* payload of a control frame, section 5.5 */
#define WS_FRAME_CLOSE_REASON_BYTES 123 /* what the code leaves of it */
#define WS_FRAME_MASK_BYTES 4

enum ws_opcode {
	WS_CONTINUATION = 0,
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10
};

/*
 * Which side we are: a server wants masked frames and sends unmasked ones, a client the reverse
 * (section 5.1).
 */
enum ws_role { WS_SERVER, WS_CLIENT };

enum ws_close_code {
	WS_CLOSE_NORMAL = 1000,
	WS_CLOSE_GOING_AWAY = 1001,
	WS_CLOSE_PROTOCOL = 1002,
	WS_CLOSE_UNSUPPORTED = 1003,
	WS_CLOSE_NO_CODE = 1005, /* never on the wire: a close frame without a payload */
	WS_CLOSE_ABNORMAL =
	    1006, /* never on the wire: the connection ended without a close frame */
	WS_CLOSE_NOT_UTF8 = 1007,
	WS_CLOSE_POLICY = 1008,
	WS_CLOSE_TOO_BIG = 1009,
	WS_CLOSE_INTERNAL = 1011,
	WS_CLOSE_RESTART = 1012,
	WS_CLOSE_TRY_LATER = 1013
};

struct ws_frame {
	uint64_t len;                      /* of the payload, below 2^63 */
	uint8_t mask[WS_FRAME_MASK_BYTES]; /* zeroes when not masked */
	uint8_t opcode;                    /* enum ws_opcode */
	uint8_t fin;                       /* 1: the last frame of its message */
	uint8_t masked;                    /* 1: the payload is */
	uint8_t padding;
};

enum ws_frame_error {
	WS_FRAME_RESERVED_BITS = -1,     /* RSV1-3 set, and no extension gives them a meaning */
	WS_FRAME_BAD_OPCODE = -2,        /* 3-7, 11-15 */
	WS_FRAME_CONTROL_IN_PIECES = -3, /* a control frame without FIN */
	WS_FRAME_CONTROL_TOO_LONG = -4,  /* a control frame of more than 125 bytes */
	WS_FRAME_NOT_MASKED = -5,        /* from a client */
	WS_FRAME_MASKED = -6,            /* from a server */
	WS_FRAME_LONG_FORM = -7,         /* a length in a longer form than it needs */
	WS_FRAME_BAD_LENGTH = -8,        /* the highest bit of a 64-bit length is set */
	WS_FRAME_TOO_BIG = -9            /* more than the payload limit given */
};

/*
 * Parses one frame's head. Returns its length in bytes (2 to 14), 0 when in is a proper prefix of a
 * head, or an error: at the first byte that no good head can hold there, not only when the head is
 * whole. role is ours; len_max bounds data frames (control frames are bounded by 125 anyway).
 */
int ws_frame_parse(struct ws_frame *frame, struct slice in, enum ws_role role, uint64_t len_max);

/* The close code to answer an error with: 1009 for WS_FRAME_TOO_BIG, 1002 for all others. */
uint16_t ws_frame_error_code(enum ws_frame_error error);

/* What the error means, for people. Static. */
const char *ws_frame_error_text(enum ws_frame_error error);

/*
 * Masks or unmasks bytes in place (section 5.3; the same thing). offset is the position of the
 * first byte in the frame's payload, so that a payload can be taken in pieces of any length.
 */
void ws_frame_mask(
    char *bytes, size_t len, const uint8_t mask[static WS_FRAME_MASK_BYTES], uint64_t offset);

/*
 * True for a close code that may appear in a close frame: 1000-1003, 1007-1014, 3000-4999 (section
 * 7.4, and the registry).
 */
bool ws_frame_close_code_valid(unsigned code);

/* Bytes of an unmasked head for a payload of this length: 2, 4 or 10. */
size_t ws_frame_head_len(uint64_t payload_len);

/* Appends the head of an unmasked frame; the payload follows by other means. */
void ws_frame_render_head(struct out *o, enum ws_opcode opcode, bool fin, uint64_t payload_len);

/*
 * Appends a whole unmasked frame with FIN. The payload of a control frame is at most 125 bytes
 * (asserted).
 */
void ws_frame_render(struct out *o, enum ws_opcode opcode, struct slice payload);

/*
 * The same with RSV1: the payload is a whole compressed message (RFC 7692 section 6). Text or binary.
 */
void ws_frame_render_compressed(struct out *o, enum ws_opcode opcode, struct slice payload);

/*
 * Appends a whole unmasked close frame. The reason (valid UTF-8) is cut at a character's boundary
 * to 123 bytes. A code that must not be sent (WS_CLOSE_NO_CODE above all) gives an empty payload,
 * so echoing what ws_input reported is right.
 */
void ws_frame_render_close(struct out *o, unsigned code, struct slice reason);

/*
 * Client: appends a whole masked frame with FIN; otherwise as ws_frame_render. The mask is 4 random
 * bytes.
 */
void ws_frame_render_masked(struct out *o, enum ws_opcode opcode, struct slice payload,
    const uint8_t mask[static WS_FRAME_MASK_BYTES]);

/* Client: appends a whole masked close frame; otherwise as ws_frame_render_close. */
void ws_frame_render_close_masked(struct out *o, unsigned code, struct slice reason,
    const uint8_t mask[static WS_FRAME_MASK_BYTES]);

#endif
