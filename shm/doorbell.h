/*
 * doorbell.h: how a worker sleeps and the writer wakes it, without a lost wake-up and without a
 * call for those awake.
 *
 * The proof, in one place. All four are sequentially consistent, so they have one order that
 * everybody agrees on:
 *
 *	writer (master)                              sleeper (worker)
 *	W1  tail := new      (ring_write_commit)     S1  asleep := 1     (doorbell_sleep)
 *	W2  read asleep      (doorbell_ring)         S2  read tail       (doorbell_sleep)
 *
 * If S2 misses the new tail, S2 is before W1, so S1 is before W2, and W2 sees asleep = 1 (and the
 * filter and position stored before S1): it rings. If W2 misses asleep, W2 is before S1, so W1 is
 * before S2, and the worker does not sleep. A worker that was passed over because its filter does
 * not match stays asleep, rightly; it is rung all the same when it has fallen behind by lag_max,
 * lest it be lapped.
 *
 * The bell is an eventfd per worker that nobody ever reads: each write is an edge for the worker's
 * multishot poll (io_uring) or EPOLLET. Its counter would need 2^64 rings to fill up.
 *
 *	worker's turn:  position = ...read up to there...
 *	                if (doorbell_sleep(board, ring, position)) { wait; doorbell_awake(board); }
 *	                else go on: there is news
 */
#ifndef SHM_DOORBELL_H
#define SHM_DOORBELL_H

#include "shm/board.h"
#include "shm/ring.h"

/* An eventfd (non-blocking, close-on-exec); -1 and errno on failure. The caller owns it. */
int doorbell_create(void);

/*
 * Worker: announces sleep. True: sleep until the bell (or anything else) rings, then call
 * doorbell_awake. False: the tail is beyond `position`; do not sleep (and do not call
 * doorbell_awake).
 */
bool doorbell_sleep(struct board *b, const struct ring *r, uint64_t position);

/* Worker: after waking, for whatever reason. */
void doorbell_awake(struct board *b);

/* The channels of one batch, as a filter. One that holds too many simply matches everything. */
struct doorbell_batch {
	uint64_t hashes[64];
	unsigned count;
	bool everything;
};

void doorbell_batch_clear(struct doorbell_batch *batch);
void doorbell_batch_add(struct doorbell_batch *batch, uint64_t hash);

struct doorbell_sleeper {
	struct board *board; /* NULL entries are skipped */
	int bell;
};

/*
 * Writer: after ring_write_commit, rings for those who sleep and care: whose filter matches the
 * batch (NULL: everybody), or who are lag_max bytes or more behind the tail. Answers how many were
 * rung; *failed counts writes that the kernel refused.
 */
unsigned doorbell_ring(const struct ring *r, const struct doorbell_sleeper *sleepers, size_t count,
    const struct doorbell_batch *batch, uint64_t lag_max, unsigned *failed);

/*
 * Rings one worker unconditionally: for orders that do not come through the ring. 0 or -1 and
 * errno.
 */
int doorbell_ring_one(int bell);

#endif
