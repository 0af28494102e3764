/*
 * timer.h: deadlines of connections: a wheel of coarse buckets.
 *
 * A connection has one deadline at a time (slot.due, in ticks of 250 ms); it is linked into the bucket of its tick. What moves
 * often (the time of the last output) is only stamped: whoever is called at the deadline looks at the stamp and sets the next.
 * Deadlines beyond one turn of the wheel stay in their bucket until their tick comes round with them due.
 */
#ifndef WORKER_TIMER_H
#define WORKER_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

#define TIMER_TICK_MS 250
#define TIMER_BUCKETS 256 /* 64 s a turn */
#define TIMER_S_MAX 7200  /* the longest deadline: half of what 16 bits of ticks can tell apart */

struct timer {
	uint32_t heads[TIMER_BUCKETS]; /* slots; 0: empty */
	uint32_t pending; /* slots of the tick in hand that are still to be looked at; the same */
	uint16_t tick;    /* the last tick begun */
	uint64_t start_ns;
};

void timer_start(struct timer *t, uint64_t now_ns);

/* The tick of this turn. */
uint16_t timer_now(const struct worker *w);

/* Sets a connection's deadline, in milliseconds from now (rounded up to ticks); it had one or not. */
void timer_set(struct worker *w, uint32_t slot, uint32_t delay_ms);
void timer_clear(struct worker *w, uint32_t slot);

/*
 * What timer_set takes so that a deadline comes at the tick `due`, which was a slot's: who waits for two things keeps the later
 * one so.
 */
uint32_t timer_left_ms(const struct worker *w, uint16_t due);

/* Ticks that have passed since a stamp. */
uint16_t timer_since(const struct worker *w, uint16_t stamp);

/* Calls conn_due for up to `max` connections whose deadline has come. True: there are more. */
bool timer_run(struct worker *w, uint32_t max);

/* Milliseconds until the next tick that may have work; -1 with nothing timed. */
int timer_wait_ms(const struct worker *w);

#endif
