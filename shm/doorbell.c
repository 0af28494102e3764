/*
 * doorbell.c: sleeping and waking; the proof is in doorbell.h. No other file touches `asleep` but
 * board_reset, for a worker that is dead.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "shm/doorbell.h"
#include "shm/ring_read.h"

int
doorbell_create(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

bool
doorbell_sleep(struct board *b, const struct ring *r, uint64_t position)
{
	atomic_store_explicit(&b->shared->position, position, memory_order_relaxed);
	/*
	 * S1: publishes filter and position, and is ordered before S2 for everybody. Pairs with W1
	 * and W2.
	 */
	atomic_exchange_explicit(&b->shared->asleep, 1, memory_order_seq_cst);
	/* S2 */
	if (atomic_load_explicit(&r->words->tail, memory_order_seq_cst) == position)
		return true;
	doorbell_awake(b);
	return false;
}

void
doorbell_awake(struct board *b)
{
	atomic_exchange_explicit(&b->shared->asleep, 0, memory_order_seq_cst);
}

void
doorbell_batch_clear(struct doorbell_batch *batch)
{
	batch->count = 0;
	batch->everything = false;
}

void
doorbell_batch_add(struct doorbell_batch *batch, uint64_t hash)
{
	for (unsigned i = 0; i < batch->count; i++) {
		if (batch->hashes[i] == hash)
			return;
	}
	if (batch->count == sizeof batch->hashes / sizeof batch->hashes[0])
		batch->everything = true;
	else
		batch->hashes[batch->count++] = hash;
}

static bool
cares(const struct board *b, const struct doorbell_batch *batch, uint64_t tail, uint64_t lag_max)
{
	if (batch == NULL || batch->everything || tail - board_position(b) >= lag_max)
		return true;
	for (unsigned i = 0; i < batch->count; i++) {
		if (board_filter_matches(b, batch->hashes[i]))
			return true;
	}
	return false;
}

int
doorbell_ring_one(int bell)
{
	const uint64_t one = 1;
	ssize_t written;

	do
		written = write(bell, &one, sizeof one);
	while (written == -1 && errno == EINTR);
	return written == (ssize_t)sizeof one ? 0 : -1;
}

unsigned
doorbell_ring(const struct ring *r, const struct doorbell_sleeper *sleepers, size_t count,
    const struct doorbell_batch *batch, uint64_t lag_max, unsigned *failed)
{
	uint64_t tail = ring_read_tail(r);
	unsigned rung = 0;

	*failed = 0;
	for (size_t i = 0; i < count; i++) {
		struct board *b = sleepers[i].board;

		/* W2; the tail was stored before (W1). A worker that is awake costs a load. */
		if (b == NULL ||
		    atomic_load_explicit(&b->shared->asleep, memory_order_seq_cst) == 0)
			continue;
		if (!cares(b, batch, tail, lag_max))
			continue;
		/* Rung once: batches that follow before it has woken need no call. */
		if (atomic_exchange_explicit(&b->shared->asleep, 0, memory_order_seq_cst) == 0)
			continue;
		if (doorbell_ring_one(sleepers[i].bell) == 0) {
			rung++;
			continue;
		}
		/*
		 * Still asleep: the next batch tries again. If it woke meanwhile, one ring too many
		 * does no harm.
		 */
		atomic_store_explicit(&b->shared->asleep, 1, memory_order_seq_cst);
		++*failed;
	}
	return rung;
}
