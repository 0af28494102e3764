/*
 * ws_build.h: writes frames, right and wrong ones, byte by byte as RFC 6455 5.2 draws them, and
 * without the code under test.
 */
#ifndef TESTS_UNIT_PROTO_WS_BUILD_H
#define TESTS_UNIT_PROTO_WS_BUILD_H

#include "proto/slice.h"

/* The forms of a length. */
enum ws_build_form { WS_BUILD_SHORTEST, WS_BUILD_16, WS_BUILD_64 };

static inline void
ws_build_length(struct out *o, unsigned mask_bit, uint64_t len, enum ws_build_form form)
{
	unsigned bytes = form == WS_BUILD_64 || len > 0xffff ? 8
			 : form == WS_BUILD_16 || len > 125  ? 2
							     : 0;

	out_char(o, (char)(mask_bit | (bytes == 8 ? 127 : bytes == 2 ? 126 : (unsigned)len)));
	while (bytes-- > 0)
		out_char(o, (char)(len >> 8 * bytes & 0xff));
}

/* Appends a frame whose first byte is given whole. mask NULL: not masked. */
static inline void
ws_build_frame(struct out *o, unsigned first, const unsigned char *mask, struct slice payload,
    enum ws_build_form form)
{
	out_char(o, (char)first);
	ws_build_length(o, mask == NULL ? 0 : 0x80, payload.len, form);
	if (mask != NULL)
		out_bytes(o, (const char *)mask, 4);
	for (size_t i = 0; i < payload.len; i++)
		out_char(o, (char)(payload.bytes[i] ^ (mask == NULL ? 0 : mask[i % 4])));
}

#endif
