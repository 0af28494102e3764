/*
 * keys.c: the table of idempotency keys. The hashes are keyed (SipHash), so the low bits are the
 * bucket.
 */
#include <assert.h>
#include <stdlib.h>

#include "shm/keys.h"

#define KEYS_CAP_MIN 1024u

static size_t
bucket_of(const struct keys *k, const uint64_t hash[2])
{
	size_t i = hash[0] & (k->cap - 1);

	while (k->entries[i].id != 0 &&
	       (k->entries[i].hash[0] != hash[0] || k->entries[i].hash[1] != hash[1]))
		i = (i + 1) & (k->cap - 1);
	return i;
}

bool
keys_reserve(struct keys *k, size_t more)
{
	struct keys grown = {NULL, k->cap == 0 ? KEYS_CAP_MIN : k->cap, 0};

	if (k->count + more <= k->cap / 4 * 3)
		return true;
	while (k->count + more > grown.cap / 4 * 3)
		grown.cap *= 2;
	grown.entries = calloc(grown.cap, sizeof *grown.entries);
	if (grown.entries == NULL)
		return false;
	for (size_t i = 0; i < k->cap; i++) {
		if (k->entries[i].id != 0)
			keys_add(&grown, k->entries[i].hash, k->entries[i].id);
	}
	free(k->entries);
	*k = grown;
	return true;
}

void
keys_add(struct keys *k, const uint64_t hash[2], uint64_t id)
{
	size_t i = bucket_of(k, hash);

	assert(k->count < k->cap && k->entries[i].id == 0 && id != 0);
	k->entries[i] = (struct keys_entry){{hash[0], hash[1]}, id};
	k->count++;
}

uint64_t
keys_find(const struct keys *k, const uint64_t hash[2])
{
	return k->cap == 0 ? 0 : k->entries[bucket_of(k, hash)].id;
}

void
keys_drop(struct keys *k, const uint64_t hash[2], uint64_t id)
{
	size_t mask = k->cap - 1, hole, i;

	if (k->cap == 0)
		return;
	hole = bucket_of(k, hash);
	if (k->entries[hole].id != id || id == 0)
		return;
	k->count--;
	/*
	 * Close the hole with those that only probed past it, until an empty bucket ends the run.
	 */
	for (i = (hole + 1) & mask; k->entries[i].id != 0; i = (i + 1) & mask) {
		size_t home = k->entries[i].hash[0] & mask;

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			k->entries[hole] = k->entries[i];
			hole = i;
		}
	}
	k->entries[hole].id = 0;
}

void
keys_free(struct keys *k)
{
	free(k->entries);
	*k = (struct keys){NULL, 0, 0};
}
