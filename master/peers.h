/*
 * peers.h: how many connections there are from each address: one table a worker, since a worker's
 * death ends all of its connections at once, and one for those that have no worker yet.
 *
 * An address is known by a keyed 32-bit hash (peers_hash), which travels with the connection and
 * comes back when it ends. Addresses that share a hash share a limit: with a million of them, one
 * in five thousand.
 */
#ifndef MASTER_PEERS_H
#define MASTER_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/order.h"

struct ring;

/* Open addressing, linear probes; a count of 0 marks a free place. */
struct peers_entry {
	uint32_t hash;
	uint32_t count;
};

struct peers {
	struct peers_entry *table; /* NULL until the first one */
	size_t places;             /* a power of two */
	size_t used;
	uint64_t total; /* connections */
};

/* The name of an address; of an IPv6 address its /64, since that is what one host is given. */
uint32_t peers_hash(const struct ring *ring, const struct order_address *address);

/* Makes sure that `more` connections can be added; -1 when memory is refused. */
int peers_reserve(struct peers *peers, size_t more);

/* There must be room: peers_reserve was asked. */
void peers_add(struct peers *peers, uint32_t hash);

/* False when no connection of this name is counted. */
bool peers_remove(struct peers *peers, uint32_t hash);
uint32_t peers_count(const struct peers *peers, uint32_t hash);

/* Forgets everything and frees the table. */
void peers_clear(struct peers *peers);

#endif
