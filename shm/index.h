/*
 * index.h: the channel index: where each channel's newest record is. Internal to the ring.
 *
 * An open table of fixed size, one entry per 256 bytes of log; a channel lives in one of
 * INDEX_PROBES entries from its home on. Nothing moves and there are no tombstones: an entry whose
 * newest record is lapped may be given to another channel.
 *
 *	0   hash       0 = never used: ends every search
 *	8   newest     position of the channel's newest record, published or not; 0 = free
 *	16  prior      position of the newest record that was published when `newest` was stored
 *	24  floor      position of the newest forget record: what lies before it is history no more
 *	32  newest_id  id of the event at `newest`, or of the one before when that is a forget record
 *	40  prior_id   the same for `prior`
 *
 * The ids outlive the records: until the entry is given away, whoever finds `newest` lapped knows
 * which was the channel's last event, and so what he missed. The name went with the record, only
 * the hash is left; therefore two channels of one hash never have an entry each. They take it from
 * one another, so that an id found here is never below the last event of the channel that is asked
 * for: should the hashes of two names ever be equal, a gap too many is told, never one too few.
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
	_Atomic uint64_t newest_id;
	_Atomic uint64_t prior_id;
};

static_assert(sizeof(struct index_entry) == 48, "layout of the channel index");
static_assert(offsetof(struct index_entry, newest_id) == 32, "layout of the channel index");

/* What a search found, as of one moment. */
struct index_found {
	uint64_t position;          /* newest published record */
	struct ring_read_link link; /* of the record at the position */
	uint64_t floor;
	uint64_t lost_id; /* when there is none: the channel's newest event, or where it may be */
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
 * Writer: the channel's entry. RING_OK: its newest record, published or not, is kept: *link is that
 * record's; RING_LAPPED: it is not, and link->id is the channel's newest event; RING_NONE: it has
 * no entry.
 */
enum ring_result index_own(const struct ring *r, uint64_t hash, const char *name, size_t name_len,
    struct index_entry **entry, struct ring_read_link *link);

/*
 * Writer: an entry to be taken over for the hash: the one that has this hash, an unused one, or the
 * one whose newest record is oldest. *gone_id is the newest event of the channel that loses it, 0 =
 * none; *kept tells whether that channel still had history.
 */
struct index_entry *index_victim(
    const struct ring *r, uint64_t hash, uint64_t *gone_id, bool *kept);

/* Writer: the entry changes hands. Readers see it free until index_advance. */
void index_take(struct index_entry *entry, uint64_t hash);

/*
 * Writer: the channel's history up to the (published) forget record at the position is history no
 * more.
 */
void index_forget(struct index_entry *entry, uint64_t position);

/*
 * Writer: the channel has a newer record; `id` is its newest event. `published` is the tail as of
 * the last commit.
 */
void index_advance(struct index_entry *entry, uint64_t position, uint64_t id, uint64_t published);

/* Writer that adopts: forgets records at or beyond the tail; no id is above the last that was issued. */
void index_repair(struct index_entry *entry, uint64_t tail, uint64_t issued_id);

#endif
