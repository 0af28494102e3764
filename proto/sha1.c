/*
 * sha1.c: RFC 3174, method 2 of section 6: a schedule of sixteen words used in a circle.
 */
#include "proto/sha1.h"

#define BLOCK_BYTES 64
#define LENGTH_BYTES 8

static uint32_t
rotate(uint32_t word, unsigned bits)
{
	return word << bits | word >> (32 - bits);
}

static uint32_t
load_word(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static void
store_word(uint8_t *bytes, uint32_t word)
{
	bytes[0] = (uint8_t)(word >> 24);
	bytes[1] = (uint8_t)(word >> 16);
	bytes[2] = (uint8_t)(word >> 8);
	bytes[3] = (uint8_t)word;
}

/* The function f and the constant K of section 5, of step t. */
static uint32_t
mix(unsigned t, uint32_t b, uint32_t c, uint32_t d)
{
	if (t < 20)
		return ((b & c) | (~b & d)) + 0x5a827999;
	if (t < 40)
		return (b ^ c ^ d) + 0x6ed9eba1;
	if (t < 60)
		return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
	return (b ^ c ^ d) + 0xca62c1d6;
}

static void
digest_block(uint32_t state[5], const uint8_t *block)
{
	uint32_t w[16];
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];

	for (unsigned t = 0; t < 80; t++) {
		unsigned s = t & 15;
		uint32_t next;

		if (t < 16)
			w[s] = load_word(block + 4 * t);
		else
			w[s] =
			    rotate(w[(s + 13) & 15] ^ w[(s + 8) & 15] ^ w[(s + 2) & 15] ^ w[s], 1);
		next = rotate(a, 5) + mix(t, b, c, d) + e + w[s];
		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = next;
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
}

void
sha1_digest(uint8_t digest[static SHA1_BYTES], struct slice message)
{
	uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	uint8_t last[2 * BLOCK_BYTES] = {0};
	uint64_t bits = (uint64_t)message.len * 8;
	size_t whole = message.len / BLOCK_BYTES * BLOCK_BYTES;
	size_t rest = message.len - whole;
	size_t last_len;

	for (size_t i = 0; i < whole; i += BLOCK_BYTES)
		digest_block(state, (const uint8_t *)message.bytes + i);
	if (rest != 0)
		memcpy(last, message.bytes + whole, rest);
	last[rest] = 0x80;
	last_len = rest + 1 + LENGTH_BYTES <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;
	store_word(last + last_len - 8, (uint32_t)(bits >> 32));
	store_word(last + last_len - 4, (uint32_t)bits);
	for (size_t i = 0; i < last_len; i += BLOCK_BYTES)
		digest_block(state, last + i);
	for (size_t i = 0; i < 5; i++)
		store_word(digest + 4 * i, state[i]);
}
