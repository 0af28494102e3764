/*
 * slots.h: a worker's connection table: 64 bytes a connection, in a memfd of its own, so that
 * others can look at it while the worker hangs and a successor can take it up after it died.
 *
 *	0       struct segment_head, then struct slots_head     (one page)
 *	4096    struct slot[max]             slot 0 is never handed out: 0 means none
 *	...     u32 sends[sends_max]                             slots with a send in flight
 *
 * The memfd is sparse: only the part that was ever used costs memory, since the lowest fresh slot
 * is taken only when the free list is empty. One writer: the worker.
 */
#ifndef SHM_SLOTS_H
#define SHM_SLOTS_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/segment.h"

#define SLOTS_VERSION 1u
#define SLOTS_STATE_FREE 0 /* the one state that this file knows; the others are the worker's */

struct slot {
	uint64_t cursor;     /* id: everything up to it has been delivered */
	uint32_t offset;     /* bytes of the frame at the cursor that the kernel has taken */
	uint32_t handed;     /* bytes handed to the kernel since the start; wraps */
	uint32_t generation; /* of this slot: a completion for an older one is stale */
	int32_t descriptor;  /* -1 when none */
	uint32_t channel;    /* index of the first subscription's channel */
	uint32_t member;     /* index among the members of that channel */
	uint32_t timer_prev;
	uint32_t timer_next;
	uint32_t queue_next; /* link of the queue that it is in; of the free list when free */
	uint32_t extra;      /* index into the pool of extras, 0 = none */
	uint16_t due;        /* in ticks of the wheel, as are last_out and last_in */
	uint16_t last_out;
	uint16_t last_in;
	uint8_t state;
	uint8_t dialect;
	uint16_t flags;
	uint8_t ordinal; /* of the channel among the connection's */
	uint8_t pings;   /* unanswered */
	uint32_t peer_hash;
};

static_assert(sizeof(struct slot) == 64, "a slot is one cache line");
static_assert(offsetof(struct slot, offset) == 8, "layout of a slot");
static_assert(offsetof(struct slot, generation) == 16, "layout of a slot");
static_assert(offsetof(struct slot, timer_prev) == 32, "layout of a slot");
static_assert(offsetof(struct slot, extra) == 44, "layout of a slot");
static_assert(offsetof(struct slot, due) == 48, "layout of a slot");
static_assert(offsetof(struct slot, state) == 54, "layout of a slot");
static_assert(offsetof(struct slot, peer_hash) == 60, "layout of a slot");

struct slots_head {
	uint32_t slot_bytes;
	uint32_t max;     /* slots in the table, slot 0 included */
	uint32_t touched; /* slots below this one were in use at some time */
	uint32_t used;
	uint32_t free_list; /* 0 = empty */
	uint32_t sends_max;
	uint32_t sends_count;
	uint32_t reserved;
	uint64_t sends_offset;
};

struct slots {
	struct segment segment;
	struct slots_head *head;
	struct slot *table;
	uint32_t *sends;
};

/*
 * Creates a table for `max` connections and a list of up to sends_max sends (master). 0 or an enum
 * segment_error.
 */
int slots_create(struct slots *s, uint32_t max, uint32_t sends_max);

/*
 * Maps an existing table. A worker attaches writable, one that only looks on read-only. Takes the
 * descriptor on success.
 */
int slots_attach(struct slots *s, int fd, bool writable);

void slots_close(struct slots *s);

/*
 * A free slot, zeroed but for its generation and descriptor = -1, or 0 when all are used. Its state
 * is SLOTS_STATE_FREE until the caller sets another.
 */
uint32_t slots_take(struct slots *s);

/* Gives a slot back; its generation changes, so that what still refers to it is stale. */
void slots_release(struct slots *s, uint32_t slot);

/* The slot by number; NULL for 0 and for numbers never handed out. */
struct slot *slots_get(const struct slots *s, uint32_t slot);

/* The slot if it still has this generation, else NULL. For completions. */
struct slot *slots_get_generation(const struct slots *s, uint32_t slot, uint32_t generation);

/*
 * The list of sends in flight: add answers false when it is full. Cleared as a whole after each
 * submission.
 */
bool slots_sends_add(struct slots *s, uint32_t slot);
void slots_sends_clear(struct slots *s);

/* Starts anew after a worker died: every slot free, generations go on. */
void slots_reset(struct slots *s);

#endif
