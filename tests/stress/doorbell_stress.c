/*
 * doorbell_stress.c: one event at a time to a worker that falls asleep after each: every event is a
 * race between going to sleep and being woken. A wake-up that is lost leaves the worker asleep
 * beside news: it says so after a second.
 *
 *	usage: doorbell_stress [handshakes, default 150000]
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "shm/doorbell.h"
#include "shm/ring_read.h"
#include "shm/ring_write.h"

#define BIRTH_MS UINT64_C(1763856000000)
#define ASLEEP_MS 1000

struct stress {
	struct ring_write *writer;
	struct ring *ring;
	struct board board;
	int bell;
	uint64_t handshakes;
	double deadline;
	_Atomic uint64_t seen; /* tail that the worker has got to */
	_Atomic bool stop;
	_Atomic bool lost;
	unsigned long slept, rung;
};

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *
work(void *argument)
{
	struct stress *st = argument;
	int poll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event interest = {.events = EPOLLIN | EPOLLET}, event;
	uint64_t position = 0, mine = ring_hash(st->ring, "mine", 4);
	unsigned long random = 2;

	if (poll == -1 || epoll_ctl(poll, EPOLL_CTL_ADD, st->bell, &interest) == -1)
		abort();
	while (!atomic_load(&st->stop)) {
		position = ring_read_tail(st->ring);
		atomic_store_explicit(&st->seen, position, memory_order_release);
		/* As long as the writer needs to see that and to publish the next: so they meet. */
		random = random * 6364136223846793005ul + 1442695040888963407ul;
		for (unsigned long spin = (random >> 34) % 1000; spin > 0; spin--)
			atomic_signal_fence(memory_order_seq_cst);
		/*
		 * The interest changes while the worker is awake, as it does when clients come and
		 * go.
		 */
		board_filter_clear(&st->board);
		board_filter_add(&st->board, mine);
		if (!doorbell_sleep(&st->board, st->ring, position))
			continue;
		st->slept++;
		if (epoll_wait(poll, &event, 1, ASLEEP_MS) == 0 && !atomic_load(&st->stop))
			atomic_store(&st->lost, true);
		doorbell_awake(&st->board);
	}
	close(poll);
	return NULL;
}

/*
 * Prepares all but the last two steps before the pause: these then follow each other at once, as
 * the race needs it.
 */
static void
publish(struct stress *st, const char *channel, unsigned long pause)
{
	struct record_slice name = {channel, strlen(channel)};
	struct ring_write_event e = {.channels = &name, .channels_count = 1, .now_ms = BIRTH_MS};
	struct doorbell_sleeper sleeper = {&st->board, st->bell};
	struct doorbell_batch batch;
	unsigned failed;
	uint64_t id;

	if (ring_write_append(st->writer, &e, &id) != RING_OK)
		abort();
	doorbell_batch_clear(&batch);
	doorbell_batch_add(&batch, ring_hash(st->ring, name.bytes, name.len));
	while (atomic_load_explicit(&st->seen, memory_order_acquire) != ring_read_tail(st->ring) &&
	       !atomic_load(&st->lost))
		;
	for (; pause > 0; pause--)
		atomic_signal_fence(memory_order_seq_cst);
	ring_write_commit(st->writer);
	st->rung += doorbell_ring(st->ring, &sleeper, 1, &batch, UINT64_MAX, &failed);
}

/*
 * An event that the worker does not care about: if it sleeps, it goes on sleeping, and nobody may
 * wait for it.
 */
static void
sleep_through(struct stress *st)
{
	publish(st, "other", 0);
	if (board_sleeping(&st->board))
		atomic_store_explicit(&st->seen, ring_read_tail(st->ring), memory_order_release);
}

int
main(int argc, char **argv)
{
	struct stress st = {.handshakes = argc > 1 ? strtoull(argv[1], NULL, 10) : 150000};
	unsigned long random = 1;
	pthread_t worker;
	uint64_t done;

	if (ring_write_create(&st.writer, LIMIT_RING_BYTES_MIN, BIRTH_MS) != SEGMENT_OK ||
	    board_create(&st.board) != SEGMENT_OK || (st.bell = doorbell_create()) == -1)
		return 1;
	st.ring = ring_write_ring(st.writer);
	st.deadline = now_s() + 20;
	if (pthread_create(&worker, NULL, work, &st) != 0)
		abort();
	for (done = 0; done < st.handshakes && !atomic_load(&st.lost) && now_s() < st.deadline;
	     done++) {
		random = random * 6364136223846793005ul + 1442695040888963407ul;
		/* The worker sleeps through "other": what follows must still wake it. */
		publish(&st, "mine", (random >> 34) % 1000);
		if (random >> 62 == 0)
			sleep_through(&st);
	}
	atomic_store(&st.stop, true);
	doorbell_ring_one(st.bell);
	pthread_join(worker, NULL);
	printf("# %lu handshakes, slept %lu times, rung %lu times\n", (unsigned long)done, st.slept,
	    st.rung);
	printf("%s 1 - doorbell_loses_no_wake_up\n1..1\n", atomic_load(&st.lost) ? "not ok" : "ok");
	close(st.bell);
	board_close(&st.board);
	ring_write_close(st.writer);
	return atomic_load(&st.lost);
}
