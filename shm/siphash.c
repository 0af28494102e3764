/*
 * siphash.c: SipHash-2-4, 64 and 128 bits of output. Words are taken in the machine's order, so
 * that hashes are only meaningful on the machine that made them: they never leave it.
 */
#include <string.h>

#include "shm/siphash.h"

struct siphash_state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t
rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static inline void
round_once(struct siphash_state *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static inline void
absorb(struct siphash_state *s, uint64_t word)
{
	s->v3 ^= word;
	round_once(s);
	round_once(s);
	s->v0 ^= word;
}

static void
absorb_all(struct siphash_state *s, const unsigned char *bytes, size_t len)
{
	uint64_t word;
	size_t i;

	for (i = 0; i + 8 <= len; i += 8) {
		memcpy(&word, bytes + i, 8);
		absorb(s, word);
	}
	word = 0;
	if (len > i)
		memcpy(&word, bytes + i, len - i);
	absorb(s, word | (uint64_t)len << 56);
}

static inline uint64_t
squeeze(struct siphash_state *s)
{
	for (int i = 0; i < 4; i++)
		round_once(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static struct siphash_state
begin(const uint64_t key[2])
{
	return (struct siphash_state){
	    key[0] ^ UINT64_C(0x736f6d6570736575),
	    key[1] ^ UINT64_C(0x646f72616e646f6d),
	    key[0] ^ UINT64_C(0x6c7967656e657261),
	    key[1] ^ UINT64_C(0x7465646279746573),
	};
}

uint64_t
siphash_64(const uint64_t key[2], const void *bytes, size_t len)
{
	struct siphash_state s = begin(key);

	absorb_all(&s, bytes, len);
	s.v2 ^= 0xff;
	return squeeze(&s);
}

void
siphash_128(const uint64_t key[2], const void *bytes, size_t len, uint64_t hash[2])
{
	struct siphash_state s = begin(key);

	s.v1 ^= 0xee;
	absorb_all(&s, bytes, len);
	s.v2 ^= 0xee;
	hash[0] = squeeze(&s);
	s.v1 ^= 0xdd;
	hash[1] = squeeze(&s);
}
