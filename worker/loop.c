/*
 * loop.c: each step of a turn is bounded; a step that has more to do says so, and then the turn does not sleep.
 */
#include "worker/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "proto/order.h"
#include "worker/conn.h"
#include "worker/fanout.h"
#include "worker/feed.h"
#include "worker/intake.h"
#include "worker/log.h"
#include "worker/session.h"
#include "worker/worker.h"

#define EVENTS_A_TURN 512
#define SENDS_A_TURN 512
#define SERVES_A_TURN 256
#define TIMERS_A_TURN 512
#define DRAINS_A_TURN 256
#define START_TRIES 1000         /* a millisecond each */
#define RECORD_BYTES (64u << 10) /* to begin with; an event may need more */

uint32_t
worker_random(struct worker *w, uint32_t below)
{
	/* xorshift64*: for jitter, not for secrets. */
	w->random ^= w->random >> 12;
	w->random ^= w->random << 25;
	w->random ^= w->random >> 27;
	return below == 0 ? 0
			  : (uint32_t)((w->random * UINT64_C(0x2545f4914f6cdd1d)) >> 32) % below;
}

static void
tell_date(struct worker *w)
{
	const uint64_t now_s = w->now_ms / 1000;
	const time_t t = (time_t)now_s;
	struct tm tm;

	if (now_s == w->date_s)
		return;
	w->date_s = now_s;
	gmtime_r(&t, &tm);
	strftime(w->date, sizeof w->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

static void
read_clocks(struct worker *w)
{
	w->now_ns = io_clock_ns();
	w->now_ms = io_realtime_ms();
	tell_date(w);
}

/* ---- completions ------------------------------------------------------------------------------------ */

static void
watch_control(struct worker *w)
{
	if (w->control_fd != -1)
		io_watch(&w->io, w->control_fd, IO_TOKEN(TOKEN_CONTROL, 0, 0));
}

static void
watch_doorbell(struct worker *w)
{
	io_watch(&w->io, w->doorbell_fd, IO_TOKEN(TOKEN_DOORBELL, 0, 0));
}

static void
dispatch(struct worker *w, const struct io_event *event)
{
	const uint32_t slot = io_token_index(event->token);
	struct slot *s;

	switch ((enum token)io_token_kind(event->token)) {
	case TOKEN_CONTROL:
		w->control_waits = true;
		if ((event->flags & IO_ENDED) != 0)
			watch_control(w);
		return;
	case TOKEN_DOORBELL:
		if ((event->flags & IO_ENDED) != 0)
			watch_doorbell(w);
		return; /* the ring is read in every turn */
	case TOKEN_SEND:
		return; /* judged by the flush that sent it */
	case TOKEN_INPUT:
	case TOKEN_HANGUP:
	case TOKEN_OUTPUT:
		break;
	}
	s = slots_get(&w->slots, slot);
	if (s == NULL || s->state == CONN_FREE ||
	    (s->generation & IO_GENERATION_MASK) != io_token_generation(event->token))
		return; /* of the slot's earlier tenant */
	if (io_token_kind(event->token) == TOKEN_INPUT)
		conn_input(w, slot, event->result);
	else if (io_token_kind(event->token) == TOKEN_HANGUP)
		conn_hangup(w, slot, event->result);
	else
		conn_output(w, slot, event->result);
}

/* True: there are more. */
static bool
reap(struct worker *w)
{
	struct io_event events[EVENTS_A_TURN];
	size_t n = deliver_unstash(w, events, EVENTS_A_TURN);

	n += io_reap(&w->io, events + n, EVENTS_A_TURN - n);
	for (size_t i = 0; i < n; i++)
		dispatch(w, &events[i]);
	/* No send was under way: what was dropped, too, can only be polls. */
	if (io_overflowed(&w->io))
		w->rescan = true;
	if (io_dropped(&w->io))
		w->rescan = true;
	if (w->rescan) {
		w->rescan = false;
		board_add(&w->board, BOARD_CQ_OVERFLOWS, 1);
		w->control_waits = true;
		watch_control(w);
		watch_doorbell(w);
		conn_rescan(w);
	}
	return n == EVENTS_A_TURN || w->deliver.stash_count != 0;
}

/* ---- leaving ---------------------------------------------------------------------------------------- */

/* Ends connections a batch a turn, so that their clients do not all come back at once. */
static bool
drain(struct worker *w)
{
	const uint32_t end = w->slots.head->touched;
	uint32_t left = DRAINS_A_TURN;

	if (!w->draining)
		return false;
	if (w->connection_count == 0 && w->arrival_count == 0) {
		if (!w->drained_told)
			intake_tell(w, ORDER_DRAINED);
		w->drained_told = true;
		return false;
	}
	for (; left > 0 && w->drain_next < end; w->drain_next++, left--) {
		struct slot *s = worker_slot(w, w->drain_next);

		if (w->drain_next == 0 || s->state == CONN_FREE || s->state == CONN_CLOSED)
			continue;
		if (w->now_ns >= w->drain_end_ns)
			conn_close(w, w->drain_next, BOARD_CLOSED_DRAIN);
		else if (s->state != CONN_LINGER && (s->flags & CONN_CLOSE_AFTER) == 0)
			session_end_drain(w, w->drain_next);
	}
	if (w->drain_next < end)
		return true;
	/* Round again with the clock: whoever was in the middle of something may be done by then. */
	w->drain_next = 0;
	return false;
}

static void
mind_orphanage(struct worker *w)
{
	if (w->orphan_end_ns != 0 && (w->now_ns >= w->orphan_end_ns || w->connection_count == 0))
		w->quit = true;
}

/* ---- the turn --------------------------------------------------------------------------------------- */

static void
post(struct worker *w)
{
	board_set(&w->board, BOARD_CHANNELS, w->channels.count);
	board_set(&w->board, BOARD_WAVE_BYTES, w->channels.wave_bytes);
	board_set(&w->board, BOARD_TAIL_BYTES, w->extras.tail_bytes);
	board_set(&w->board, BOARD_INPUT_BYTES, w->extras.input_bytes);
	board_set(&w->board, BOARD_DEFLATE_WINDOW_BYTES, w->deflate.window_bytes);
	board_add(&w->board, BOARD_TURNS, 1);
	board_beat(&w->board, w->now_ns / 1000000, w->read_position, w->read_id);
}

/* Nothing is left to do: until something comes, or a timer is due. */
static void
sleep_until_news(struct worker *w)
{
	int wait_ms = timer_wait_ms(w);

	if (w->draining || w->orphan_end_ns != 0 || w->order_count != 0 || w->arrival_count != 0)
		wait_ms = 20;
	if (!doorbell_sleep(&w->board, &w->ring, w->read_position))
		return;
	board_add(&w->board, BOARD_SLEEPS, 1);
	if (io_wait(&w->io, wait_ms) != 0) {
		w->quit = true;
		w->exit_code = 1;
	}
	doorbell_awake(&w->board);
	board_add(&w->board, BOARD_WAKES, 1);
}

bool
loop_turn(struct worker *w)
{
	bool more = reap(w);

	if (w->control_waits)
		w->control_waits = intake_read(w);
	more |= w->control_waits;
	more |= revoke_run(w);
	more |= feed_read(w);
	more |= fanout_run(w, SENDS_A_TURN);
	more |= deliver_serve(w, SERVES_A_TURN);
	more |= timer_run(w, TIMERS_A_TURN);
	more |= drain(w);
	deliver_flush(w);
	kept_age(w);
	conn_sweep(w);
	intake_tell_closed(w);
	intake_flush(w);
	mind_orphanage(w);
	post(w);
	return more || w->deliver.ready_count != 0 || w->deliver.stash_count != 0 || w->rescan ||
	       w->channels.round_first != CHANNEL_NONE;
}

bool
loop_start(struct worker *w)
{
	if (!buffer_reserve(&w->record, RECORD_BYTES) ||
	    !buffer_reserve(&w->input, 2 * RECORD_BYTES) ||
	    !buffer_reserve(&w->render, RECORD_BYTES) ||
	    !buffer_reserve(&w->scratch, RECORD_BYTES)) {
		log_line(LOG_ERR, "cannot start reason=\"out of memory\"");
		return false;
	}
	read_clocks(w);
	w->random = w->now_ns ^ (uint64_t)getpid() << 32 ^ 0x9e3779b97f4a7c15;
	timer_start(&w->timer, w->now_ns);
	/* A writer that died in the middle leaves it to its successor; then we are started again. */
	for (int tries = 0; !feed_start(w); tries++) {
		if (tries == START_TRIES) {
			log_line(LOG_ERR,
			    "cannot start reason=\"the ring's writer stands still in a commit\"");
			return false;
		}
		usleep(1000);
	}
	watch_control(w);
	watch_doorbell(w);
	w->control_waits = true;
	intake_tell(w, ORDER_READY);
	return true;
}

int
loop_run(struct worker *w)
{
	while (!w->quit) {
		bool more;

		read_clocks(w);
		more = loop_turn(w);
		if (w->quit)
			break;
		if (!more) {
			sleep_until_news(w);
		} else if (io_submit(&w->io) != 0) {
			w->quit = true;
			w->exit_code = 1;
		}
	}
	return w->exit_code;
}

void
loop_free(struct worker *w)
{
	for (uint32_t slot = 1; slot < w->slots.head->touched; slot++) {
		struct slot *s = worker_slot(w, slot);

		if (s->state == CONN_FREE)
			continue;
		extra_drop(w, s);
		io_shutdown_close(s->descriptor);
	}
	for (size_t i = 0; i < w->order_count; i++)
		buffer_free(&w->orders[w->order_first + i]);
	free(w->orders);
	channel_free_all(w);
	replay_free(w);
	kept_free(w);
	deliver_free(w);
	extra_free_all(w);
	deflate_free(w);
	settings_free(&w->settings);
	buffer_free(&w->control_bytes);
	buffer_free(&w->input);
	buffer_free(&w->record);
	buffer_free(&w->render);
	buffer_free(&w->scratch);
	free(w->closed_hashes);
}
