/*
 * peers.c: a hash table of counters. See peers.h.
 *
 * At most half of the places are used, so that probes stay short. Removal moves later entries of
 * the run back instead of leaving tombstones: the table never decays. The hash is keyed by the
 * ring, so nobody outside can choose collisions.
 */
#include "master/peers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shm/ring.h"

#define PEERS_PLACES_MIN 256

uint32_t
peers_hash(const struct ring *ring, const struct order_address *address)
{
	static const uint8_t v4[12] = {[10] = 0xff, [11] = 0xff};
	const char *bytes = (const char *)address->bytes;
	size_t len = memcmp(bytes, v4, sizeof v4) == 0 ? 16 : 8;

	return (uint32_t)ring_hash(ring, bytes, len);
}

/* Where the hash is, or the free place where it would be. */
static size_t
peers_place(const struct peers_entry *table, size_t places, uint32_t hash)
{
	size_t place = hash & (places - 1);

	while (table[place].count != 0 && table[place].hash != hash)
		place = (place + 1) & (places - 1);
	return place;
}

int
peers_reserve(struct peers *peers, size_t more)
{
	size_t places = peers->places == 0 ? PEERS_PLACES_MIN : peers->places;
	struct peers_entry *table;

	while ((peers->used + more) * 2 > places)
		places *= 2;
	if (places == peers->places)
		return 0;
	table = calloc(places, sizeof *table);
	if (table == NULL)
		return -1;
	for (size_t i = 0; i < peers->places; i++)
		if (peers->table[i].count != 0)
			table[peers_place(table, places, peers->table[i].hash)] = peers->table[i];
	free(peers->table);
	peers->table = table;
	peers->places = places;
	return 0;
}

void
peers_add(struct peers *peers, uint32_t hash)
{
	struct peers_entry *entry;

	assert(peers->used * 2 < peers->places);
	entry = &peers->table[peers_place(peers->table, peers->places, hash)];
	if (entry->count == 0) {
		entry->hash = hash;
		peers->used++;
	}
	entry->count++;
	peers->total++;
}

/*
 * Closes the hole at a place: every later entry of the run that may move to it does, and leaves the
 * next hole.
 */
static void
peers_close_hole(struct peers *peers, size_t hole)
{
	size_t mask = peers->places - 1;

	for (size_t i = (hole + 1) & mask; peers->table[i].count != 0; i = (i + 1) & mask) {
		size_t home = peers->table[i].hash & mask;

		/* It may move if its home is not between the hole and where it is. */
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		peers->table[hole] = peers->table[i];
		peers->table[i].count = 0;
		hole = i;
	}
}

bool
peers_remove(struct peers *peers, uint32_t hash)
{
	size_t place;

	if (peers->places == 0)
		return false;
	place = peers_place(peers->table, peers->places, hash);
	if (peers->table[place].count == 0)
		return false;
	peers->total--;
	if (--peers->table[place].count == 0) {
		peers->used--;
		peers_close_hole(peers, place);
	}
	return true;
}

uint32_t
peers_count(const struct peers *peers, uint32_t hash)
{
	return peers->places == 0
		   ? 0
		   : peers->table[peers_place(peers->table, peers->places, hash)].count;
}

void
peers_clear(struct peers *peers)
{
	free(peers->table);
	*peers = (struct peers){0};
}
