/*
 * keys.h: which idempotency keys the ring remembers, and the id that each first got. Process-local
 * to the writer; the window is the ring: an entry goes when its record is lapped, and adoption
 * rebuilds the table from the records.
 *
 * Open addressing with linear probing and no tombstones (removal shifts back). Grows by doubling;
 * memory that cannot be had is reported before anything is written.
 */
#ifndef SHM_KEYS_H
#define SHM_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keys_entry {
	uint64_t hash[2];
	uint64_t id; /* 0 = empty */
};

struct keys {
	struct keys_entry *entries;
	size_t cap; /* a power of two, or 0 before the first key */
	size_t count;
};

/* Makes sure that so many more keys can be added. False: no memory; nothing changed. */
bool keys_reserve(struct keys *k, size_t more);

/* Adds a key that is not there; keys_reserve must have said yes. */
void keys_add(struct keys *k, const uint64_t hash[2], uint64_t id);

/* The id of the key, 0 when it is not known. */
uint64_t keys_find(const struct keys *k, const uint64_t hash[2]);

/* Drops the key if it still stands for this id. */
void keys_drop(struct keys *k, const uint64_t hash[2], uint64_t id);

void keys_free(struct keys *k);

#endif
