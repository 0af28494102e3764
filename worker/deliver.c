/*
 * deliver.c: the batch of sends, its trouble, and the queue of connections that have something to send by themselves.
 */
#include "worker/deliver.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>

#include "worker/conn.h"
#include "worker/replay.h"
#include "worker/session.h"
#include "worker/worker.h"

#define TAIL_BYTES_MAX      \
	(LIMIT_POLL_BYTES * \
	    8) /* one connection's: the largest answer, escaped, and control objects behind it */
#define TAILS_BYTES_MAX LIMIT_MIB(256) /* all of them */

/* ---- the ready queue -------------------------------------------------------------------------- */

static bool
ready_grow(struct deliver *d)
{
	const uint32_t cap = d->ready_cap == 0 ? 256 : d->ready_cap * 2;
	uint64_t *ready;

	if (d->ready_count < d->ready_cap)
		return true;
	ready = malloc(cap * sizeof *ready);
	if (ready == NULL)
		return false;
	for (uint32_t i = 0; i < d->ready_count; i++)
		ready[i] = d->ready[(d->ready_first + i) % d->ready_cap];
	free(d->ready);
	d->ready = ready;
	d->ready_cap = cap;
	d->ready_first = 0;
	return true;
}

void
deliver_ready(struct worker *w, uint32_t slot)
{
	struct deliver *d = &w->deliver;
	struct slot *s = worker_slot(w, slot);

	if ((s->flags & (CONN_READY | CONN_BLOCKED)) != 0 || s->state == CONN_CLOSED ||
	    s->state == CONN_FREE)
		return;
	if (!ready_grow(d)) {
		conn_close(w, slot, BOARD_SHED_MEMORY);
		return;
	}
	d->ready[(d->ready_first + d->ready_count++) % d->ready_cap] =
	    (uint64_t)s->generation << 32 | slot;
	s->flags |= CONN_READY;
}

/* The next ready connection, or 0. */
static uint32_t
ready_take(struct worker *w)
{
	struct deliver *d = &w->deliver;

	while (d->ready_count != 0) {
		const uint64_t name = d->ready[d->ready_first];
		struct slot *s =
		    slots_get_generation(&w->slots, (uint32_t)name, (uint32_t)(name >> 32));

		d->ready_first = (d->ready_first + 1) % d->ready_cap;
		d->ready_count--;
		if (s == NULL || s->state == CONN_FREE || s->state == CONN_CLOSED)
			continue;
		s->flags &= (uint16_t)~CONN_READY;
		return (uint32_t)name;
	}
	return 0;
}

/* ---- tails ------------------------------------------------------------------------------------ */

size_t
deliver_pending(struct worker *w, const struct slot *s)
{
	const struct extra *x = extra_of(w, s);

	return x == NULL ? 0 : x->tail.len - x->tail_off;
}

bool
deliver_say(struct worker *w, uint32_t slot, struct slice bytes)
{
	struct slot *s = worker_slot(w, slot);
	struct extra *x;

	if ((s->flags & CONN_IN_FLIGHT) != 0)
		deliver_flush(
		    w); /* the queued send may be of this very tail, which must not move */
	if (s->state == CONN_CLOSED)
		return false;
	x = extra_need(w, s);
	if (x == NULL || x->tail.len + bytes.len > TAIL_BYTES_MAX ||
	    w->extras.tail_bytes + bytes.len > TAILS_BYTES_MAX ||
	    !buffer_add(&x->tail, bytes.bytes, bytes.len)) {
		board_add(&w->board, BOARD_SHED_TAILS, 1);
		conn_close(w, slot, BOARD_CLOSED_SLOW);
		return false;
	}
	w->extras.tail_bytes += bytes.len;
	deliver_ready(w, slot);
	return s->state != CONN_CLOSED; /* as it is when there was no room in the queue */
}

static void
tail_done(struct worker *w, struct slot *s)
{
	struct extra *x = extra_of(w, s);

	w->extras.tail_bytes -= x->tail.len;
	buffer_free(&x->tail);
	x->tail_off = 0;
	extra_trim(w, s);
}

/* ---- queueing --------------------------------------------------------------------------------- */

static struct flight *
flight_new(struct worker *w, uint32_t slot, enum flight_kind kind)
{
	struct deliver *d = &w->deliver;
	struct slot *s = worker_slot(w, slot);
	struct flight *f = &d->flights[d->flight_count++];

	assert((s->flags & CONN_IN_FLIGHT) == 0);
	s->flags |= CONN_IN_FLIGHT;
	s->last_out = timer_now(w);
	slots_sends_add(&w->slots, slot);
	*f = (struct flight){.slot = slot, .kind = (uint8_t)kind};
	return f;
}

static uint64_t
flight_token(const struct worker *w)
{
	return IO_TOKEN(TOKEN_SEND, 0, w->deliver.flight_count - 1);
}

void
deliver_reserve(struct worker *w, uint32_t runs)
{
	struct deliver *d = &w->deliver;

	if (d->flight_count == DELIVER_BATCH || d->run_count + runs > DELIVER_RUNS)
		deliver_flush(w);
}

/* One run is a plain send; several, which lie in different waves, are gathered. */
static void
queue_runs(struct worker *w, struct flight *f, int descriptor)
{
	const struct run *runs = &w->deliver.runs[f->run_first];
	struct iovec vectors[LIMIT_IO_VECTORS];
	size_t len = 0;

	for (uint32_t i = 0; i < f->run_count; i++) {
		const struct wave *v = runs[i].wave;
		const uint32_t start = wave_start(v, runs[i].first) + (i == 0 ? f->skip : 0);
		const uint32_t end = v->frames[runs[i].first + runs[i].count - 1].end;

		vectors[i] = (struct iovec){v->bytes.bytes + start, end - start};
		len += end - start;
	}
	f->len = (uint32_t)len;
	if (f->run_count == 1)
		io_send(&w->io, descriptor, vectors[0].iov_base, len, flight_token(w));
	else
		io_sendv(&w->io, descriptor, vectors, f->run_count, flight_token(w));
}

void
deliver_frames(struct worker *w, uint32_t slot, const struct run *runs, uint32_t count,
    uint32_t skip, uint64_t cursor)
{
	struct deliver *d = &w->deliver;
	struct slot *s = worker_slot(w, slot);
	struct flight *f;
	uint64_t frames = 0;

	assert(count != 0 && count <= LIMIT_IO_VECTORS);
	deliver_reserve(w, count);
	if (s->state == CONN_CLOSED)
		return; /* by the trouble of an earlier send */
	f = flight_new(w, slot, FLIGHT_FRAMES);
	f->skip = skip;
	f->run_first = d->run_count;
	f->run_count = count;
	for (uint32_t i = 0; i < count; i++) {
		d->runs[d->run_count++] = runs[i];
		frames += runs[i].count;
	}
	queue_runs(w, f, s->descriptor);
	s->cursor = cursor;
	s->offset = 0;
	s->handed += f->len;
	board_add(&w->board, BOARD_DELIVERIES, frames);
}

void
deliver_beat(struct worker *w, uint32_t slot, struct slice bytes)
{
	struct slot *s = worker_slot(w, slot);
	struct flight *f;

	deliver_reserve(w, 0);
	if (s->state == CONN_CLOSED)
		return;
	f = flight_new(w, slot, FLIGHT_BEAT);
	f->bytes = bytes.bytes;
	f->len = (uint32_t)bytes.len;
	s->handed += f->len;
	io_send(&w->io, s->descriptor, bytes.bytes, bytes.len, flight_token(w));
}

static void
deliver_tail(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);
	struct extra *x = extra_of(w, s);
	struct flight *f;

	deliver_reserve(w, 0);
	if (s->state == CONN_CLOSED)
		return;
	f = flight_new(w, slot, FLIGHT_TAIL);
	f->len = (uint32_t)(x->tail.len - x->tail_off);
	s->handed += f->len;
	io_send(&w->io, s->descriptor, x->tail.bytes + x->tail_off, f->len, flight_token(w));
}

/* ---- trouble ---------------------------------------------------------------------------------- */

/* Of a send of frames the kernel took `taken` bytes: where does the connection stand now? */
static void
frames_cut(struct worker *w, struct flight *f, uint32_t taken)
{
	struct slot *s = worker_slot(w, f->slot);
	uint32_t skip = f->skip;

	for (uint32_t i = 0; i < f->run_count; i++) {
		const struct run *run = &w->deliver.runs[f->run_first + i];

		for (uint32_t j = run->first; j < run->first + run->count; j++) {
			const struct frame *frame = &run->wave->frames[j];
			const uint32_t start = wave_start(run->wave, j);
			const uint32_t len = frame->end - start - skip;

			if (taken < len) {
				/* Runs are in order of id: nothing before this frame is missing. */
				s->cursor = frame->id - 1;
				replay_cut(w, f->slot, frame,
				    slice_of(run->wave->bytes.bytes + start, frame->end - start),
				    skip + taken);
				return;
			}
			taken -= len;
			skip = 0;
		}
	}
	assert(taken == 0 && false); /* a send that was cut took all of its frames */
}

/* A beat that was cut inside must be finished; one that was not begun is not missed. */
static void
beat_cut(struct worker *w, struct flight *f, uint32_t taken)
{
	if (taken != 0)
		deliver_say(w, f->slot, slice_of(f->bytes + taken, f->len - taken));
}

static void
flight_failed(struct worker *w, struct flight *f, int32_t result)
{
	struct slot *s = worker_slot(w, f->slot);
	const enum io_outcome outcome = io_outcome(result);
	const uint32_t taken = result > 0 ? (uint32_t)result : 0;

	f->failed = true;
	if (s->state == CONN_CLOSED)
		return;
	if (outcome == IO_GONE || outcome == IO_REFUSED || outcome == IO_CANCELLED) {
		conn_close(
		    w, f->slot, outcome == IO_GONE ? BOARD_CLOSED_CLIENT : BOARD_CLOSED_ERROR);
		return;
	}
	board_add(&w->board, BOARD_SHORT_SENDS, 1);
	s->handed -= f->len - taken;
	s->flags &= (uint16_t)~CONN_IN_FLIGHT;
	switch ((enum flight_kind)f->kind) {
	case FLIGHT_FRAMES:
		frames_cut(w, f, taken);
		break;
	case FLIGHT_TAIL:
		extra_of(w, s)->tail_off += taken;
		break;
	case FLIGHT_BEAT:
		beat_cut(w, f, taken);
		break;
	}
	if (s->state != CONN_CLOSED)
		conn_block(w, f->slot);
}

static void
flight_succeeded(struct worker *w, struct flight *f)
{
	struct slot *s = worker_slot(w, f->slot);

	s->flags &= (uint16_t)~CONN_IN_FLIGHT;
	board_add(&w->board, BOARD_BYTES_OUT, f->len);
	if (s->state == CONN_CLOSED)
		return;
	if (f->kind == FLIGHT_TAIL)
		tail_done(w, s);
	else if (f->kind == FLIGHT_FRAMES && s->state == CONN_CATCHUP)
		replay_commit(w, f->slot, s->cursor);
	if (f->kind == FLIGHT_TAIL || s->state == CONN_CATCHUP)
		conn_sent(w, f->slot);
}

/* Completions of other kinds wait for the next turn: in the middle of a pass nothing else may happen. */
static void
stash(struct worker *w, const struct io_event *event)
{
	struct deliver *d = &w->deliver;

	if (d->stash_count == d->stash_cap) {
		const uint32_t cap = d->stash_cap == 0 ? 256 : d->stash_cap * 2;
		struct io_event *grown = realloc(d->stash, cap * sizeof *grown);

		if (grown == NULL) {
			w->rescan = true;
			return;
		}
		d->stash = grown;
		d->stash_cap = cap;
	}
	d->stash[d->stash_count++] = *event;
}

size_t
deliver_unstash(struct worker *w, struct io_event *events, size_t max)
{
	struct deliver *d = &w->deliver;
	const size_t n = d->stash_count < max ? d->stash_count : max;

	if (n == 0)
		return 0;
	memcpy(events, d->stash, n * sizeof *events);
	d->stash_count -= (uint32_t)n;
	memmove(d->stash, d->stash + n, d->stash_count * sizeof *events);
	return n;
}

static void
batch_end(struct worker *w)
{
	slots_sends_clear(&w->slots);
	w->deliver.flight_count = 0;
	w->deliver.run_count = 0;
	replay_flushed(w);
}

/* The kernel had no memory to tell of trouble: silence proves nothing, so whoever was sent to must come back and resume. */
static void
batch_lost(struct worker *w)
{
	struct deliver *d = &w->deliver;

	w->rescan = true;
	for (uint32_t i = 0; i < d->flight_count; i++)
		if (!d->flights[i].failed) {
			d->flights[i].failed = true;
			conn_close(w, d->flights[i].slot, BOARD_CLOSED_ERROR);
		}
}

void
deliver_flush(struct worker *w)
{
	struct deliver *d = &w->deliver;
	struct io_event events[64];
	size_t n;

	if (d->flight_count == 0)
		return;
	if (io_submit(&w->io) != 0) {
		w->quit = true;
		w->exit_code = 1;
		batch_lost(w);
		batch_end(w);
		return;
	}
	while ((n = io_reap(&w->io, events, sizeof events / sizeof events[0])) != 0)
		for (size_t i = 0; i < n; i++) {
			if (io_token_kind(events[i].token) == TOKEN_SEND)
				flight_failed(w, &d->flights[io_token_index(events[i].token)],
				    events[i].result);
			else
				stash(w, &events[i]);
		}
	if (io_overflowed(&w->io))
		w->rescan = true;
	if (io_dropped(&w->io))
		batch_lost(w);
	board_add(&w->board, BOARD_BATCHES, 1);
	board_add(&w->board, BOARD_SENDS, d->flight_count);
	for (uint32_t i = 0; i < d->flight_count; i++)
		if (!d->flights[i].failed)
			flight_succeeded(w, &d->flights[i]);
	batch_end(w);
}

/* ---- serving ----------------------------------------------------------------------------------- */

/* The answer of a poll goes out at once: put at the end of the queue, those of all who were released would lie in memory together. */
static void
catch_up(struct worker *w, uint32_t slot)
{
	const struct slot *s = worker_slot(w, slot);

	replay_serve(w, slot);
	if (s->state == CONN_HEAD && (s->flags & (CONN_IN_FLIGHT | CONN_BLOCKED)) == 0 &&
	    deliver_pending(w, s) != 0)
		deliver_tail(w, slot);
}

/* Its input waits, and may be read in this turn. */
static bool
may_read(struct worker *w, uint32_t slot)
{
	const uint16_t flags = worker_slot(w, slot)->flags;

	return (flags & CONN_INPUT_WAITS) != 0 && conn_reads(w, slot) &&
	       ((flags & CONN_DEFLATE) == 0 || !deflate_is_spent(w));
}

static void
serve(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);
	const struct extra *x = extra_of(w, s);

	if ((s->flags & CONN_IN_FLIGHT) != 0)
		deliver_flush(w);
	if (s->state == CONN_CLOSED || (s->flags & CONN_BLOCKED) != 0)
		return;
	/* A tail goes between frames, never into one. */
	if (x != NULL && x->tail.len != 0 && s->offset == 0)
		deliver_tail(w, slot);
	/* What a client says is not put off until it has caught up: it may never. */
	else if (s->state == CONN_CATCHUP && !may_read(w, slot))
		catch_up(w, slot);
	else if ((s->flags & CONN_INPUT_WAITS) != 0 && conn_reads(w, slot) && !may_read(w, slot))
		deliver_ready(w, slot); /* behind the others, who need nothing inflated */
	else
		session_resume(w, slot);
}

bool
deliver_serve(struct worker *w, uint32_t max)
{
	/* No further than what is ready now: who becomes ready again waits for the next round. */
	uint32_t left = w->deliver.ready_count < max ? w->deliver.ready_count : max;

	w->deflate.turn_bytes = 0;
	while (left-- > 0) {
		const uint32_t slot = ready_take(w);

		if (slot == 0)
			break;
		serve(w, slot);
	}
	deliver_flush(w);
	/* Behind those that had to wait for it. */
	if (w->deflate.paused != 0)
		deliver_ready(w, w->deflate.paused);
	w->deflate.paused = 0;
	return w->deliver.ready_count != 0;
}

void
deliver_free(struct worker *w)
{
	free(w->deliver.ready);
	free(w->deliver.stash);
	w->deliver.ready = NULL;
	w->deliver.stash = NULL;
}
