/*
 * siphash.h: SipHash-2-4 (Aumasson and Bernstein, 2012): hashes that nobody without the key can
 * make collide.
 */
#ifndef SHM_SIPHASH_H
#define SHM_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash_64(const uint64_t key[2], const void *bytes, size_t len);

/* The 128-bit variant of the same authors. */
void siphash_128(const uint64_t key[2], const void *bytes, size_t len, uint64_t hash[2]);

#endif
