/*
 * utf8.c: the table of RFC 3629 section 4 as ranges for the second byte; later ones are always
 * 80..BF.
 */
#include "proto/utf8.h"

#define ASCII_WORD UINT64_C(0x8080808080808080)

void
utf8_start(struct utf8 *u)
{
	*u = (struct utf8){0};
}

/*
 * Bytes of the run of ASCII at the front, eight at a time: at least those that are in whole words.
 */
static size_t
ascii_words(const char *bytes, size_t len)
{
	size_t n = 0;

	while (len - n >= sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, bytes + n, sizeof word);
		if ((word & ASCII_WORD) != 0)
			break;
		n += sizeof word;
	}
	return n;
}

/* Takes the first byte of a character. */
static bool
take_lead(struct utf8 *u, uint8_t byte)
{
	if (byte < 0x80)
		return true;
	if (byte < 0xc2 || byte > 0xf4) /* C0 and C1 begin only overlong forms */
		return false;
	u->low = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;  /* overlong */
	u->high = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf; /* surrogates; above U+10FFFF */
	u->left = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
	return true;
}

static bool
take_continuation(struct utf8 *u, uint8_t byte)
{
	if (byte < u->low || byte > u->high)
		return false;
	u->low = 0x80;
	u->high = 0xbf;
	u->left--;
	return true;
}

bool
utf8_feed(struct utf8 *u, const char *bytes, size_t len)
{
	size_t i = 0;

	if (u->failed)
		return false;
	while (i < len) {
		uint8_t byte;

		if (u->left == 0) {
			i += ascii_words(bytes + i, len - i);
			if (i == len)
				break;
		}
		byte = (uint8_t)bytes[i++];
		if (u->left == 0 ? !take_lead(u, byte) : !take_continuation(u, byte)) {
			u->failed = 1;
			return false;
		}
	}
	return true;
}

bool
utf8_whole(const struct utf8 *u)
{
	return !u->failed && u->left == 0;
}

bool
utf8_valid(struct slice text)
{
	struct utf8 u;

	utf8_start(&u);
	return utf8_feed(&u, text.bytes, text.len) && utf8_whole(&u);
}

size_t
utf8_cut(struct slice text, size_t len_max)
{
	size_t len = len_max;

	if (text.len <= len_max)
		return text.len;
	while (len > 0 && ((uint8_t)text.bytes[len] & 0xc0) == 0x80)
		len--;
	return len;
}
