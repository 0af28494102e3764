/*
 * ws_reference.h: RFC 6455 section 5.2 read off the drawing, one frame at a time, from bytes that are all there: slow,
 * obvious, and nothing shared with ws_frame or ws_input. And the other way round.
 */
#ifndef TESTS_UNIT_PROTO_WS_REFERENCE_H
#define TESTS_UNIT_PROTO_WS_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

struct ws_reference_frame {
	bool fin, rsv1, rsv2, rsv3, masked;
	unsigned opcode;
	uint64_t length;
	unsigned length_bytes; /* in which the length was written: 0 (seven bits), 2 or 8 */
	uint8_t mask[4];
	const uint8_t *payload; /* as it lies there, masked or not */
};

/* Bytes of the frame, or 0: it is not whole. */
static inline size_t
ws_reference_read(struct ws_reference_frame *f, const uint8_t *bytes, size_t len)
{
	size_t at = 2;

	if (len < 2)
		return 0;
	f->fin = (bytes[0] & 128) != 0;
	f->rsv1 = (bytes[0] & 64) != 0;
	f->rsv2 = (bytes[0] & 32) != 0;
	f->rsv3 = (bytes[0] & 16) != 0;
	f->opcode = bytes[0] & 15;
	f->masked = (bytes[1] & 128) != 0;
	f->length = bytes[1] & 127;
	f->length_bytes = f->length == 127 ? 8 : f->length == 126 ? 2 : 0;
	if (f->length_bytes != 0) {
		if (len < at + f->length_bytes)
			return 0;
		f->length = 0;
		for (unsigned i = 0; i < f->length_bytes; i++)
			f->length = f->length * 256 + bytes[at++];
	}
	if (f->masked) {
		if (len < at + 4)
			return 0;
		memcpy(f->mask, bytes + at, 4);
		at += 4;
	}
	if (len - at < f->length)
		return 0;
	f->payload = bytes + at;
	return at + (size_t)f->length;
}

/* "minimal number of bytes MUST be used", and the most significant bit is 0. */
static inline bool
ws_reference_length_is_minimal(const struct ws_reference_frame *f)
{
	if (f->length_bytes == 2)
		return f->length >= 126;
	if (f->length_bytes == 8)
		return f->length >= 65536 && f->length >> 63 == 0;
	return true;
}

/* The n-th byte of the payload, without its mask. */
static inline uint8_t
ws_reference_byte(const struct ws_reference_frame *f, size_t n)
{
	return f->masked ? (uint8_t)(f->payload[n] ^ f->mask[n % 4]) : f->payload[n];
}

/* Close codes that an endpoint may send: 7.4.1, the registry, 7.4.2. */
static inline bool
ws_reference_close_code(unsigned code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	       (code >= 3000 && code <= 4999);
}

/* Writes a frame with its payload; returns its bytes. Room for len + 14 is needed. */
static inline size_t
ws_reference_write(uint8_t *to, unsigned first, bool masked, const uint8_t mask[4],
    const uint8_t *payload, size_t len)
{
	size_t at = 0;

	to[at++] = (uint8_t)first;
	if (len < 126) {
		to[at++] = (uint8_t)((masked ? 128u : 0u) | len);
	} else if (len < 65536) {
		to[at++] = (uint8_t)((masked ? 128u : 0u) | 126u);
		to[at++] = (uint8_t)(len / 256);
		to[at++] = (uint8_t)(len % 256);
	} else {
		to[at++] = (uint8_t)((masked ? 128u : 0u) | 127u);
		for (int shift = 56; shift >= 0; shift -= 8)
			to[at++] = (uint8_t)((uint64_t)len >> shift);
	}
	for (int i = 0; masked && i < 4; i++)
		to[at++] = mask[i];
	for (size_t i = 0; i < len; i++)
		to[at++] = masked ? (uint8_t)(payload[i] ^ mask[i % 4]) : payload[i];
	return at;
}

#endif
