/*
 * ring.h: the event ring: history and queue of everything that is published.
 *
 * One writer (the master, ring_write.h) and any number of readers (ring_read.h, ring_seek.h) that
 * it neither knows nor waits for. Positions are 64-bit byte counts that never wrap or repeat; 0
 * means none. The memfd:
 *
 *	0        struct segment_head
 *	64       struct ring_geometry   constant after creation
 *	4096     struct ring_words      the moving words, each group on a cache line of its own
 *	8192     blocks: u64 each       where the first record of each block of the log begins
 *	...      index: 48 bytes each   see index.h
 *	...      the log: size bytes, at a page boundary
 *
 * Words move only forward: oldest <= every kept position; intent - size <= every kept position;
 * tail <= intent.
 */
#ifndef SHM_RING_H
#define SHM_RING_H

#include <stdatomic.h>
#include <stdint.h>

#include "shm/record.h"
#include "shm/segment.h"

#define RING_VERSION 2u /* 2: ids in the index, evicted_id */

enum ring_result {
	RING_OK = 0,
	RING_NONE = 1,      /* nothing (more) there, at this moment */
	RING_MORE = 2,      /* the budget is used up: call again */
	RING_DUPLICATE = 3, /* an event with this idempotency key is kept already */
	RING_LAPPED =
	    -1, /* the writer overtook the reader (or the history was forgotten): seek by id */
	RING_CORRUPT = -2, /* the ring's bytes contradict themselves: say so and exit */
	RING_NEED =
	    -3, /* the buffer is too small; record->length (or head_length) says what it takes */
	RING_INVALID = -4, /* an argument breaks a limit */
	RING_TOO_LARGE =
	    -5, /* the event, or the batch so far and the event, exceeds the ring's share */
	RING_STALE_ID = -6, /* an id given by the caller is not above the last one */
	RING_NO_MEMORY = -7,
};

/* Constant for the life of the ring. */
struct ring_geometry {
	uint64_t size; /* of the log, a power of two */
	uint64_t log_offset;
	uint64_t blocks_offset;
	uint64_t index_offset;
	uint32_t block_shift; /* log2 of the bytes that one block word covers */
	uint32_t index_shift; /* log2 of the number of index entries */
	uint64_t hash_key[2]; /* SipHash key of channel names and idempotency keys */
	uint64_t birth_id;    /* ids up to this one are from before the ring */
	uint64_t reserved[8];
};

/*
 * Written by the writer only. Atomics, since readers look at any moment; pairs are named where they
 * are used.
 */
struct ring_words {
	_Alignas(64) _Atomic uint64_t intent; /* end of the bytes that may have been overwritten */
	_Atomic uint64_t oldest;              /* first record that is kept */
	_Atomic uint64_t lost_id;             /* largest id lapped, evicted, or from before birth */
	_Atomic uint64_t evicted_id; /* of a channel without an entry no event is newer: gaps */
	_Alignas(64) _Atomic uint64_t tail;    /* end of what is published */
	_Atomic uint64_t issued_id;            /* largest id that may be published */
	_Atomic uint64_t settled_id;           /* every id up to here is published: a lower bound */
	_Alignas(64) _Atomic uint64_t records; /* counters, for the statistics */
	_Atomic uint64_t bytes;
	_Atomic uint64_t lapped;
	_Atomic uint64_t evicted;
};

/* A mapped ring. Readers hold it over a read-only mapping. */
struct ring {
	struct segment segment;
	const struct ring_geometry *geometry;
	struct ring_words *words;
	_Atomic uint64_t *blocks;
	struct index_entry *index;
	_Atomic uint64_t *log; /* the log in words; a word is the unit of every copy */
	uint64_t size;
};

/*
 * Maps a ring read-only from a worker's descriptor (taken on success). 0 or an enum segment_error.
 */
int ring_attach(struct ring *r, int fd);

/* Unmaps; closes the descriptors. */
void ring_close(struct ring *r);

/* The 64-bit hash by which this ring knows a channel: hashes of another ring differ. Never 0. */
uint64_t ring_hash(const struct ring *r, const char *name, size_t name_len);

/* The newest id that is published for certain: the cursor "now". */
uint64_t ring_last_id(const struct ring *r);

/* The largest id ever lapped, evicted with its channel, or from before the ring's birth. */
uint64_t ring_lost_id(const struct ring *r);

/* Counters since the ring was created. */
struct ring_counts {
	uint64_t records;
	uint64_t bytes;
	uint64_t lapped;  /* records overwritten */
	uint64_t evicted; /* channels that lost their index entry while they had history */
};

void ring_counts(const struct ring *r, struct ring_counts *counts);

/* A phrase for the log. */
const char *ring_result_text(enum ring_result result);

#endif
