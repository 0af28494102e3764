/*
 * loop.h: the master's event loop: descriptors, one-shot timers, and work put off to the end of the
 * turn.
 *
 * A turn is: wait, read the clocks once, run due timers, run ready descriptors (a bounded number),
 * then the hook of loop_each_turn (publish_turn), then the work that was put off: first everything
 * of LOOP_COMMIT, then everything of LOOP_ANSWER. So what was published in a turn is committed
 * once, and no answer about it leaves before that.
 *
 * All structures are embedded in their owners and linked in here; only the heap of timers grows.
 * Any callback may remove any source, timer or work, also its own, and free what it is embedded in:
 * the loop never touches a removed one again. Callbacks do a bounded piece of work and come back:
 * level-triggered polling calls them again when there is more.
 */
#ifndef MASTER_LOOP_H
#define MASTER_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOOP_NS_PER_MS UINT64_C(1000000)

struct loop;

/* A watched descriptor. Set by loop_add; owners read fd and events only. */
struct loop_source {
	int fd;
	uint32_t events; /* EPOLLIN, EPOLLOUT, ...; EPOLLERR and EPOLLHUP are always told */
	void (*ready)(void *context, uint32_t events);
	void *context;
	bool added;
};

struct loop_timer {
	void (*expired)(void *context);
	void *context;
	uint64_t due_ns; /* on the loop's monotonic clock */
	size_t place;    /* in the heap, from 1; 0: not set */
};

enum loop_stage { LOOP_COMMIT, LOOP_ANSWER, LOOP_STAGE_COUNT };

/* Zero-initialise, then fill run and context. */
struct loop_work {
	void (*run)(void *context);
	void *context;
	struct loop_work *next, **link; /* link: NULL when not queued */
};

/* NULL with errno when the kernel or memory refuses. */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* Runs turns until loop_stop. Answers 0, or -1 with errno when waiting itself fails. */
int loop_run(struct loop *loop);

/* One turn; waits at most wait_ms (-1: until something happens). For tests and for draining. */
int loop_turn(struct loop *loop, int wait_ms);
void loop_stop(struct loop *loop);

/* Clocks as of the start of this turn: monotonic ns and ms, and Unix ms. */
uint64_t loop_now_ns(const struct loop *loop);
uint64_t loop_now_ms(const struct loop *loop);
uint64_t loop_unix_ms(const struct loop *loop);

/*
 * Watches fd, which must be open and non-blocking; events may be 0 (errors and hang-ups only). -1
 * with errno on failure.
 */
int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
    void (*ready)(void *context, uint32_t events), void *context);

/* Changes the events of a watched descriptor; asking for what is already watched costs nothing. */
void loop_mod(struct loop *loop, struct loop_source *source, uint32_t events);

/*
 * Stops watching (does not close). Harmless on a source that is not added, if it was
 * zero-initialised. Call before close.
 */
void loop_del(struct loop *loop, struct loop_source *source);

/*
 * (Re)arms a one-shot timer, delay_ns from the start of this turn. Zero-initialise the timer before
 * its first use. -1 with errno ENOMEM when the heap cannot grow.
 */
int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t delay_ns,
    void (*expired)(void *context), void *context);
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);

static inline bool
loop_timer_pending(const struct loop_timer *timer)
{
	return timer->place != 0;
}

/*
 * One hook that runs at the end of every turn, before the work that was put off. NULL takes it
 * away.
 */
void loop_each_turn(struct loop *loop, void (*run)(void *context), void *context);

/*
 * Queues work for a stage of the end of this turn, in order of queueing; a work that is queued
 * already stays where it is. Work that a stage queues for itself or for an earlier one runs at the
 * end of the next turn, which then does not wait.
 */
void loop_defer(struct loop *loop, struct loop_work *work, enum loop_stage stage);
void loop_defer_cancel(struct loop *loop, struct loop_work *work);

#endif
