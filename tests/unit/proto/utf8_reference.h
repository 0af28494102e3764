/*
 * utf8_reference.h: a decoder that is slow and obvious, to hold the fast one against. It decodes
 * each character to a number first and asks afterwards whether that number may be written so.
 */
#ifndef TESTS_UNIT_PROTO_UTF8_REFERENCE_H
#define TESTS_UNIT_PROTO_UTF8_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum utf8_reference {
	UTF8_REFERENCE_BAD,  /* no continuation makes it valid */
	UTF8_REFERENCE_OPEN, /* ends inside a character that can still become valid */
	UTF8_REFERENCE_WHOLE
};

/* May n bytes encode this code point? */
static inline bool
utf8_reference_allowed(uint32_t point, size_t n)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

	return point >= least[n] && point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff);
}

/* Judges one character of which have bytes of n are there: bad if every way to complete it is. */
static inline bool
utf8_reference_possible(const unsigned char *bytes, size_t have, size_t n)
{
	static const unsigned char lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t lowest = bytes[0] & lead_bits[n];
	uint32_t step;

	for (size_t i = 1; i < have; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return false;
		lowest = lowest << 6 | (bytes[i] & 0x3f);
	}
	step = UINT32_C(1) << 6 * (n - have);
	lowest *= step;
	for (uint32_t point = lowest; point < lowest + step; point++)
		if (utf8_reference_allowed(point, n))
			return true;
	return false;
}

static inline enum utf8_reference
utf8_reference(const unsigned char *bytes, size_t len)
{
	while (len > 0) {
		size_t n = bytes[0] < 0x80   ? 1
			   : bytes[0] < 0xc0 ? 0
			   : bytes[0] < 0xe0 ? 2
			   : bytes[0] < 0xf0 ? 3
			   : bytes[0] < 0xf8 ? 4
					     : 0;
		size_t have = n < len ? n : len;

		if (n == 0 || !utf8_reference_possible(bytes, have, n))
			return UTF8_REFERENCE_BAD;
		if (have < n)
			return UTF8_REFERENCE_OPEN;
		bytes += n;
		len -= n;
	}
	return UTF8_REFERENCE_WHOLE;
}

#endif
