/*
 * loop.c: the master's event loop over epoll. See loop.h for what a turn is and what callbacks may
 * do.
 *
 * Between calls: a source is in the kernel's set exactly while `added`; a timer's `place` is its
 * index in the heap; a work's `link` points at the pointer that leads to it. That makes every
 * removal possible at any moment: what epoll has already reported for a removed source is struck
 * out of the turn's batch by loop_del.
 */
#include "master/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define LOOP_BATCH 128 /* descriptors a turn */
#define LOOP_TIMERS_MAX \
	64 /* timers a turn: one that re-arms itself for now must not hold the turn */

struct loop_queue {
	struct loop_work *first;
	struct loop_work **end;
};

struct loop {
	int epoll;
	bool stopping;
	uint64_t now_ns, unix_ms;

	struct loop_timer **heap; /* from 1; the parent of i is i / 2 */
	size_t heap_count, heap_cap;

	struct epoll_event batch[LOOP_BATCH];
	int batch_count, batch_next;

	void (*each_turn)(void *context);
	void *each_turn_context;
	struct loop_queue deferred[LOOP_STAGE_COUNT];
	struct loop_work mark; /* where a stage ends */
};

static void
loop_read_clocks(struct loop *loop)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	loop->now_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
	clock_gettime(CLOCK_REALTIME, &now);
	loop->unix_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / LOOP_NS_PER_MS;
}

struct loop *
loop_new(void)
{
	struct loop *loop = calloc(1, sizeof *loop);

	if (loop == NULL)
		return NULL;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll == -1) {
		free(loop);
		return NULL;
	}
	for (size_t i = 0; i < LOOP_STAGE_COUNT; i++)
		loop->deferred[i].end = &loop->deferred[i].first;
	loop_read_clocks(loop);
	return loop;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	close(loop->epoll);
	free(loop->heap);
	free(loop);
}

uint64_t
loop_now_ns(const struct loop *loop)
{
	return loop->now_ns;
}

uint64_t
loop_now_ms(const struct loop *loop)
{
	return loop->now_ns / LOOP_NS_PER_MS;
}

uint64_t
loop_unix_ms(const struct loop *loop)
{
	return loop->unix_ms;
}

void
loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

int
loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
    void (*ready)(void *context, uint32_t events), void *context)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	assert(!source->added);
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		return -1;
	*source = (struct loop_source){fd, events, ready, context, true};
	return 0;
}

void
loop_mod(struct loop *loop, struct loop_source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};
	int changed;

	assert(source->added);
	if (source->events == events)
		return;
	/*
	 * Changing what is in the set allocates nothing: it fails only when the caller closed the
	 * descriptor first.
	 */
	changed = epoll_ctl(loop->epoll, EPOLL_CTL_MOD, source->fd, &event);
	assert(changed == 0);
	source->events = events;
}

void
loop_del(struct loop *loop, struct loop_source *source)
{
	int deleted;

	if (!source->added)
		return;
	deleted = epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	assert(deleted == 0);
	source->added = false;
	for (int i = loop->batch_next; i < loop->batch_count; i++)
		if (loop->batch[i].data.ptr == source)
			loop->batch[i].data.ptr = NULL;
}

/* ---- timers ---------------------------------------------------------------------------------- */

static void
loop_heap_put(struct loop *loop, size_t place, struct loop_timer *timer)
{
	loop->heap[place] = timer;
	timer->place = place;
}

/* Moves the timer at a place to where it belongs. */
static void
loop_heap_settle(struct loop *loop, size_t place)
{
	struct loop_timer *timer = loop->heap[place];
	size_t child;

	for (; place > 1 && loop->heap[place / 2]->due_ns > timer->due_ns; place /= 2)
		loop_heap_put(loop, place, loop->heap[place / 2]);
	for (; (child = place * 2) <= loop->heap_count; place = child) {
		if (child < loop->heap_count &&
		    loop->heap[child + 1]->due_ns < loop->heap[child]->due_ns)
			child++;
		if (loop->heap[child]->due_ns >= timer->due_ns)
			break;
		loop_heap_put(loop, place, loop->heap[child]);
	}
	loop_heap_put(loop, place, timer);
}

static int
loop_heap_grow(struct loop *loop)
{
	size_t cap = loop->heap_cap == 0 ? 64 : loop->heap_cap * 2;
	struct loop_timer **heap = realloc(loop->heap, cap * sizeof *heap);

	if (heap == NULL)
		return -1;
	loop->heap = heap;
	loop->heap_cap = cap;
	return 0;
}

int
loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t delay_ns,
    void (*expired)(void *context), void *context)
{
	if (timer->place == 0) {
		if (loop->heap_count + 1 >= loop->heap_cap && loop_heap_grow(loop) == -1)
			return -1;
		loop_heap_put(loop, ++loop->heap_count, timer);
	}
	timer->due_ns = loop->now_ns + delay_ns;
	timer->expired = expired;
	timer->context = context;
	loop_heap_settle(loop, timer->place);
	return 0;
}

void
loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
	size_t place = timer->place;
	struct loop_timer *last;

	if (place == 0)
		return;
	timer->place = 0;
	last = loop->heap[loop->heap_count--];
	if (last == timer)
		return;
	loop_heap_put(loop, place, last);
	loop_heap_settle(loop, place);
}

static void
loop_run_timers(struct loop *loop)
{
	for (int n = 0; n < LOOP_TIMERS_MAX && loop->heap_count > 0; n++) {
		struct loop_timer *timer = loop->heap[1];

		if (timer->due_ns > loop->now_ns)
			return;
		loop_timer_clear(loop, timer);
		timer->expired(timer->context);
	}
}

/* ---- work for the end of the turn ------------------------------------------------------------ */

void
loop_each_turn(struct loop *loop, void (*run)(void *context), void *context)
{
	loop->each_turn = run;
	loop->each_turn_context = context;
}

void
loop_defer(struct loop *loop, struct loop_work *work, enum loop_stage stage)
{
	struct loop_queue *queue = &loop->deferred[stage];

	if (work->link != NULL)
		return;
	work->next = NULL;
	work->link = queue->end;
	*queue->end = work;
	queue->end = &work->next;
}

void
loop_defer_cancel(struct loop *loop, struct loop_work *work)
{
	if (work->link == NULL)
		return;
	*work->link = work->next;
	if (work->next != NULL) {
		work->next->link = work->link;
	} else {
		for (size_t i = 0; i < LOOP_STAGE_COUNT; i++)
			if (loop->deferred[i].end == &work->next)
				loop->deferred[i].end = work->link;
	}
	work->link = NULL;
}

/*
 * Runs what was queued when the stage began. A mark at the end of the queue, itself a work, tells
 * where that was, however the works in front of it add and cancel each other.
 */
static void
loop_run_stage(struct loop *loop, enum loop_stage stage)
{
	struct loop_queue *queue = &loop->deferred[stage];

	loop_defer(loop, &loop->mark, stage);
	while (queue->first != &loop->mark) {
		struct loop_work *work = queue->first;

		loop_defer_cancel(loop, work);
		work->run(work->context);
	}
	loop_defer_cancel(loop, &loop->mark);
}

/* ---- turns ----------------------------------------------------------------------------------- */

/* How long this turn may sleep, in ns; UINT64_MAX: until something happens. */
static uint64_t
loop_sleep_ns(const struct loop *loop, int wait_ms)
{
	uint64_t sleep_ns = wait_ms == -1 ? UINT64_MAX : (uint64_t)wait_ms * LOOP_NS_PER_MS;
	uint64_t due_ns;

	for (size_t i = 0; i < LOOP_STAGE_COUNT; i++)
		if (loop->deferred[i].first != NULL)
			return 0;
	if (loop->heap_count == 0)
		return sleep_ns;
	due_ns = loop->heap[1]->due_ns;
	due_ns = due_ns > loop->now_ns ? due_ns - loop->now_ns : 0;
	return due_ns < sleep_ns ? due_ns : sleep_ns;
}

static int
loop_wait(struct loop *loop, int wait_ms)
{
	uint64_t sleep_ns;
	struct timespec sleep;

	/*
	 * The work of the last turn took time: what is left until the next timer is measured from
	 * now.
	 */
	loop_read_clocks(loop);
	sleep_ns = loop_sleep_ns(loop, wait_ms);
	sleep.tv_sec = (time_t)(sleep_ns / UINT64_C(1000000000));
	sleep.tv_nsec = (long)(sleep_ns % UINT64_C(1000000000));
	loop->batch_next = 0;
	loop->batch_count = epoll_pwait2(
	    loop->epoll, loop->batch, LOOP_BATCH, sleep_ns == UINT64_MAX ? NULL : &sleep, NULL);
	loop_read_clocks(loop);
	if (loop->batch_count != -1)
		return 0;
	loop->batch_count = 0;
	return errno == EINTR ? 0 : -1;
}

int
loop_turn(struct loop *loop, int wait_ms)
{
	if (loop_wait(loop, wait_ms) == -1)
		return -1;
	/*
	 * Timers first, but they may remove sources that are in the batch: loop_del strikes those
	 * out.
	 */
	loop_run_timers(loop);
	while (loop->batch_next < loop->batch_count) {
		const struct epoll_event *event = &loop->batch[loop->batch_next++];
		struct loop_source *source = event->data.ptr;

		if (source != NULL)
			source->ready(source->context, event->events);
	}
	if (loop->each_turn != NULL)
		loop->each_turn(loop->each_turn_context);
	loop_run_stage(loop, LOOP_COMMIT);
	loop_run_stage(loop, LOOP_ANSWER);
	return 0;
}

int
loop_run(struct loop *loop)
{
	while (!loop->stopping)
		if (loop_turn(loop, -1) == -1)
			return -1;
	return 0;
}
