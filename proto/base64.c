/*
 * base64.c: three bytes to four characters and back. Decoding looks up each character in a table of
 * the ASCII half.
 */
#include "proto/base64.h"

static const char base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#define XX 0xff /* not in the alphabet; '=' neither: padding is dealt with before */

/* clang-format off */
static const uint8_t base64_values[128] = {
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, 62, XX, XX, XX, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, XX, XX, XX, XX, XX, XX,
	XX, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, XX, XX, XX, XX, XX,
	XX, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, XX, XX, XX, XX, XX,
};
/* clang-format on */

size_t
base64_encoded_len(size_t len)
{
	return (len + 2) / 3 * 4;
}

/* How many '=' end the text: 0 to 2. */
static size_t
padding_of(struct slice text)
{
	size_t n = 0;

	while (n < 2 && n < text.len && text.bytes[text.len - 1 - n] == '=')
		n++;
	return n;
}

size_t
base64_decoded_len(struct slice text)
{
	return text.len % 4 != 0 ? 0 : text.len / 4 * 3 - padding_of(text);
}

static void
encode_group(char to[4], uint32_t bits)
{
	to[0] = base64_alphabet[bits >> 18];
	to[1] = base64_alphabet[bits >> 12 & 63];
	to[2] = base64_alphabet[bits >> 6 & 63];
	to[3] = base64_alphabet[bits & 63];
}

void
base64_encode(struct out *o, struct slice bytes)
{
	size_t len = base64_encoded_len(bytes.len);
	const uint8_t *from = (const uint8_t *)bytes.bytes;
	size_t left = bytes.len;
	char *to;

	/* Room is asked for once, so that the loop below has nothing to check. */
	o->need += len;
	if (o->need - len > o->len || len > o->cap - o->len || len == 0)
		return;
	to = o->bytes + o->len;
	o->len += len;
	for (; left >= 3; left -= 3, from += 3, to += 4)
		encode_group(to, (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2]);
	if (left == 0)
		return;
	encode_group(to, (uint32_t)from[0] << 16 | (left == 2 ? (uint32_t)from[1] << 8 : 0));
	to[3] = '=';
	if (left == 1)
		to[2] = '=';
}

static uint32_t
value_of(char c)
{
	return (uint8_t)c < 128 ? base64_values[(uint8_t)c] : XX;
}

/*
 * The bits of count characters (2 to 4), left-aligned in 24, or UINT32_MAX when one is not of the
 * alphabet.
 */
static uint32_t
decode_group(const char *from, size_t count)
{
	uint32_t bits = 0, bad = 0;

	for (size_t i = 0; i < count; i++) {
		uint32_t value = value_of(from[i]);

		bad |= value & 0x80;
		bits |= (value & 63) << (18 - 6 * i);
	}
	return bad ? UINT32_MAX : bits;
}

static void
store_group(char *to, uint32_t bits, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = (char)(bits >> (16 - 8 * i) & 0xff);
}

ptrdiff_t
base64_decode(char *to, size_t cap, struct slice text)
{
	size_t pad = padding_of(text);
	size_t len = base64_decoded_len(text);
	size_t whole = text.len / 4 - (pad != 0);
	uint32_t bits;

	if (text.len % 4 != 0)
		return BASE64_BAD_LENGTH;
	if (len > cap)
		return BASE64_OUT_TOO_SMALL;
	for (size_t i = 0; i < whole; i++) {
		bits = decode_group(text.bytes + 4 * i, 4);
		if (bits == UINT32_MAX)
			return BASE64_BAD_BYTE;
		store_group(to + 3 * i, bits, 3);
	}
	if (pad == 0)
		return (ptrdiff_t)len;
	bits = decode_group(text.bytes + 4 * whole, 4 - pad);
	if (bits == UINT32_MAX)
		return BASE64_BAD_BYTE;
	if ((bits & (pad == 1 ? 0xffu : 0xffffu)) != 0)
		return BASE64_BAD_BITS;
	store_group(to + 3 * whole, bits, 3 - pad);
	return (ptrdiff_t)len;
}
