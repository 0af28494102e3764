/*
 * index.h: the channel index: where each channel's newest record is. Internal to the ring.
 *
 * An open table of fixed size, one entry per 256 bytes of log; a channel lives in one of
 * INDEX_PROBES entries from its home on. Nothing moves and there are no tombstones: an entry whose
 * newest record is lapped is free.
 *
 *	0   hash      0 = never used: ends every search
 *	8   newest    position of the channel's newest record, published or not; 0 = free
 *	16  prior     position of the newest record that was published when `newest` was stored
 *	24  floor     position of the newest forget record: what lies before it is history no more
 *
 * `newest` doubles as the entry's version: positions never repeat and a change of owner sets it to
 * 0 first. So an entry that shows the same newest before and after its other words were read was
 * not changed meanwhile.
 */
#ifndef SHM_INDEX_H
#define SHM_INDEX_H

#include <stdatomic.h>
#include <stdint.h>

#include "shm/ring.h"
#include "shm/ring_read.h"

#define INDEX_PROBES 16u
#define INDEX_BYTES_PER_ENTRY 256u /* of log */

struct index_entry {
	_Atomic uint64_t hash;
	_Atomic uint64_t newest;
	_Atomic uint64_t prior;
	_Atomic uint64_t floor;
};

static_assert(sizeof(struct index_entry) == 32, "layout of the channel index");

/* What a search found, as of one moment. */
struct index_found {
	uint64_t position;          /* newest published record */
	struct ring_read_link link; /* of the record at the position */
	uint64_t floor;
	uint64_t lost_id; /* when there is none: events up to this id may have been lost */
};

/* The entry `probe` steps from the home of the hash. */
struct index_entry *index_entry(const struct ring *r, uint64_t hash, unsigned probe);

/*
 * Reader: the channel's newest published record. RING_OK; RING_NONE with lost_id (also for a
 * channel whose first record is not published yet); RING_CORRUPT.
 */
enum ring_result index_find(const struct ring *r, uint64_t hash, const char *name, size_t name_len,
    struct index_found *found);

/*
 * Reader: position below which the channel's history was forgotten, by hash alone; 0 when it never
 * was.
 */
uint64_t index_floor(const struct ring *r, uint64_t hash);

/*
 * Writer: the channel's entry if it has a kept record, published or not, with that record's link;
 * else NULL.
 */
struct index_entry *index_own(const struct ring *r, uint64_t hash, const char *name,
    size_t name_len, struct ring_read_link *link);

/*
 * Writer: an entry to be taken over for the hash: its own old one, a free one, or the one whose
 * newest record is oldest. Then that record's channel loses its history: *evicted is its position,
 * otherwise 0.
 */
struct index_entry *index_victim(const struct ring *r, uint64_t hash, uint64_t *evicted);

/* Writer: the entry changes hands. Readers see it free until index_advance. */
void index_take(struct index_entry *entry, uint64_t hash);

/*
 * Writer: the channel's history up to the (published) forget record at the position is history no
 * more.
 */
void index_forget(struct index_entry *entry, uint64_t position);

/* Writer: the channel has a newer record. `published` is the tail as of the last commit. */
void index_advance(struct index_entry *entry, uint64_t position, uint64_t published);

/* Writer that adopts: forgets records at or beyond the tail. */
void index_repair(struct index_entry *entry, uint64_t tail, uint64_t oldest);

#endif
