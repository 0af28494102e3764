/*
 * timer.c: the wheel. Links are slots' timer_prev and timer_next; 0, which is no slot, ends a list.
 */
#include "worker/timer.h"

#include "worker/conn.h"
#include "worker/worker.h"

#define TICK_NS (TIMER_TICK_MS * UINT64_C(1000000))

static bool
due_by(uint16_t due, uint16_t tick)
{
	return (int16_t)(uint16_t)(due - tick) <= 0;
}

void
timer_start(struct timer *t, uint64_t now_ns)
{
	*t = (struct timer){.start_ns = now_ns};
}

uint16_t
timer_now(const struct worker *w)
{
	return (uint16_t)((w->now_ns - w->timer.start_ns) / TICK_NS);
}

uint16_t
timer_since(const struct worker *w, uint16_t stamp)
{
	return (uint16_t)(timer_now(w) - stamp);
}

static void
link_into(struct worker *w, uint32_t *head, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);

	s->timer_prev = 0;
	s->timer_next = *head;
	if (*head != 0)
		worker_slot(w, *head)->timer_prev = slot;
	*head = slot;
}

/* The list that a slot is the first of: of its bucket, or the pending one. */
static uint32_t *
head_of(struct worker *w, uint32_t slot)
{
	uint32_t *bucket = &w->timer.heads[worker_slot(w, slot)->due % TIMER_BUCKETS];

	return *bucket == slot ? bucket : &w->timer.pending;
}

static void
unlink_from(struct worker *w, uint32_t *head, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);

	if (s->timer_prev != 0)
		worker_slot(w, s->timer_prev)->timer_next = s->timer_next;
	else
		*head = s->timer_next;
	if (s->timer_next != 0)
		worker_slot(w, s->timer_next)->timer_prev = s->timer_prev;
	s->timer_prev = s->timer_next = 0;
}

void
timer_clear(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);

	if ((s->flags & CONN_TIMED) == 0)
		return;
	unlink_from(w, head_of(w, slot), slot);
	s->flags &= (uint16_t)~CONN_TIMED;
}

void
timer_set(struct worker *w, uint32_t slot, uint32_t delay_ms)
{
	struct slot *s = worker_slot(w, slot);
	uint32_t ticks = delay_ms / TIMER_TICK_MS + 1;

	timer_clear(w, slot);
	if (ticks > INT16_MAX)
		ticks = INT16_MAX;
	/* Counted from the tick begun last, so that a deadline never lands in a bucket that this round has left behind. */
	s->due = (uint16_t)(timer_now(w) + ticks);
	link_into(w, &w->timer.heads[s->due % TIMER_BUCKETS], slot);
	s->flags |= CONN_TIMED;
}

uint32_t
timer_left_ms(const struct worker *w, uint16_t due)
{
	const int16_t ticks = (int16_t)(uint16_t)(due - timer_now(w));

	return ticks <= 1 ? 0 : (uint32_t)(ticks - 1) * TIMER_TICK_MS;
}

/* Looks at up to *max pending slots; false when the budget ended first. */
static bool
run_pending(struct worker *w, uint32_t *max)
{
	while (w->timer.pending != 0) {
		const uint32_t slot = w->timer.pending;
		struct slot *s = worker_slot(w, slot);

		if (*max == 0)
			return false;
		--*max;
		unlink_from(w, &w->timer.pending, slot);
		if (due_by(s->due, w->timer.tick)) {
			s->flags &= (uint16_t)~CONN_TIMED;
			conn_due(w, slot);
		} else {
			link_into(w, &w->timer.heads[s->due % TIMER_BUCKETS], slot);
		}
	}
	return true;
}

bool
timer_run(struct worker *w, uint32_t max)
{
	struct timer *t = &w->timer;

	while (run_pending(w, &max)) {
		if (t->tick == timer_now(w))
			return false;
		t->tick++;
		t->pending = t->heads[t->tick % TIMER_BUCKETS];
		t->heads[t->tick % TIMER_BUCKETS] = 0;
	}
	return true;
}

int
timer_wait_ms(const struct worker *w)
{
	const uint64_t elapsed_ns = w->now_ns - w->timer.start_ns;
	int ticks = 1;

	if (w->connection_count == 0)
		return -1;
	while (ticks < 8 && w->timer.heads[(uint16_t)(w->timer.tick + ticks) % TIMER_BUCKETS] == 0)
		ticks++;
	return (int)((TICK_NS * (unsigned)ticks - elapsed_ns % TICK_NS) / 1000000 + 1);
}
