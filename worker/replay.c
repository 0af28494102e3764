/*
 * replay.c: finding each subscription's place, merging them by id into runs, telling gaps, becoming live.
 *
 * Between two steps a subscription's cursor says what was sent for certain; position and next are hints that a cut send throws
 * away. All its phases are in extra.h.
 */
#include "worker/replay.h"

#include <assert.h>
#include <stdlib.h>

#include "worker/conn.h"
#include "worker/log.h"
#include "worker/serve_poll.h"
#include "worker/serve_sse.h"
#include "worker/serve_ws.h"
#include "worker/session.h"
#include "worker/worker.h"

#define RUN_BYTES \
	(64u << 10) /* a quantum: what a socket takes before its NOTSENT_LOWAT says stop */
#define RUN_EVENTS 1024
#define RUN_BYTES_KEPT \
	(256u << 10) /* by a run between two uses; the answers of polls may be larger */
#define POLL_ROUND_BYTES \
	2048 /* of an answer, around its events and between them, but for its gaps */
#define POLL_GAP_BYTES \
	128 /* of one gap, without its channel's name, each byte of which may be escaped by another */
#define SEEK_BUDGET 2048  /* records a step, shared by its seeks */
#define SEEK_SHARE 64     /* of which each has at least so many */
#define ANCHOR_BUDGET 256 /* records at once, when the last N are asked for, or all */

/* The ring contradicts itself: nothing of it may be sent any more. */
static void
ring_is_corrupt(struct worker *w, uint64_t position)
{
	log_line(LOG_ERR, "the ring contradicts itself: leaving position=%llu",
	    (unsigned long long)position);
	w->quit = true;
	w->exit_code = 1;
}

/* ---- places ----------------------------------------------------------------------------------- */

/*
 * Where the ring has forgotten a channel, a seek can only say that something may be lost. This worker knows better when it has read
 * all of the channel since the cursor (pairs with note_event in feed.c), and nothing that it has not read is gone.
 */
static bool
seek_lost_nothing(
    struct worker *w, const struct sub *sub, const struct ring_seek *s, enum ring_result result)
{
	const struct channel *c = channel_at(w, sub->channel);

	if (s->future || sub->cursor < c->known_from)
		return false;
	if (result == RING_OK && s->id <= w->read_id)
		return s->id == c->lapse_id && c->lapse_before <= sub->cursor;
	return c->newest_id <= sub->cursor && ring_lost_id(&w->ring) <= w->read_id;
}

/*
 * Whether events of this channel are gone that are to be told of. The cursor 0 never gaps, but once the client has been given a
 * position it does not lose silently what was kept then, should the search have taken so long; a deletion ends what was kept.
 */
static bool
seek_gapped(
    struct worker *w, const struct sub *sub, const struct ring_seek *s, enum ring_result result)
{
	if (sub->gapless)
		return false;
	if (sub->cursor == 0 && sub->last == 0 && sub->seek != NULL)
		return result != RING_OK ||
		       (s->resume_at > sub->lost_id && (s->back == 0 || s->back > s->floor));
	return s->gap && !seek_lost_nothing(w, sub, s, result);
}

/* Takes over what a seek found. */
static void
seek_done(struct worker *w, struct sub *sub, const struct ring_seek *s, enum ring_result result)
{
	const bool gap = seek_gapped(w, sub, s, result);

	if (gap && !sub->gap) {
		sub->gap = true;
		sub->gap_after = sub->cursor == UINT64_MAX ? 0 : sub->cursor;
	}
	if (gap || sub->last != 0 || sub->cursor == 0) {
		sub->cursor = s->resume_at;
		sub->gap_at = s->resume_at;
		if (sub->last != 0 || sub->since == 0 || sub->since > s->resume_at)
			sub->since = s->resume_at;
	}
	sub->last = 0;
	sub->position = 0;
	if (result == RING_OK) {
		sub->phase = SUB_AT;
		sub->next_position = s->position;
		sub->next_id = s->id;
	} else {
		sub->phase = SUB_CURRENT;
	}
	free(sub->seek);
	sub->seek = NULL;
}

enum found { FOUND, FOUND_LATER, FOUND_NO_MEMORY };

/* Looks for the subscription's first event, or goes on with it. Most are found at once: only what takes longer is kept. */
static enum found
seek_on(struct worker *w, struct sub *sub, unsigned budget)
{
	const struct channel *c = channel_at(w, sub->channel);
	struct ring_seek fresh, *s = sub->seek != NULL ? sub->seek : &fresh;
	enum ring_result result;

	if (s == &fresh && sub->last != 0)
		ring_seek_last(s, &w->ring, c->name, c->name_len, sub->last);
	else if (s == &fresh)
		ring_seek_after(s, &w->ring, c->name, c->name_len, sub->cursor);
	result = ring_seek_step(s, budget);
	if (result == RING_CORRUPT)
		ring_is_corrupt(w, s->here);
	if (result != RING_MORE) {
		seek_done(w, sub, s, result);
		return FOUND;
	}
	if (s == &fresh) {
		sub->seek = malloc(sizeof *sub->seek);
		if (sub->seek == NULL)
			return FOUND_NO_MEMORY;
		*sub->seek = fresh;
	}
	sub->phase = SUB_SEEK;
	return FOUND_LATER;
}

bool
replay_anchor(struct worker *w, struct sub *sub)
{
	const unsigned budget =
	    sub->last != 0 && sub->last < ANCHOR_BUDGET ? sub->last + 1 : ANCHOR_BUDGET;

	return seek_on(w, sub, budget) != FOUND_NO_MEMORY;
}

/* From the last record delivered to the next one; without a hint, or when the writer was there, the cursor must be looked up. */
static void
step_on(struct worker *w, struct sub *sub)
{
	const struct channel *c = channel_at(w, sub->channel);

	switch (ring_seek_next(&w->ring, c->name, c->name_len, c->hash, sub->position, sub->id,
	    &sub->next_position, &sub->next_id)) {
	case RING_OK:
		sub->phase = SUB_AT;
		return;
	case RING_NONE:
		sub->phase = SUB_CURRENT;
		return;
	case RING_CORRUPT:
		ring_is_corrupt(w, sub->position);
		break;
	case RING_LAPPED:
	case RING_MORE:
	case RING_DUPLICATE:
	case RING_NEED:
	case RING_INVALID:
	case RING_TOO_LARGE:
	case RING_STALE_ID:
	case RING_NO_MEMORY:
		break;
	}
	sub->phase = SUB_CURRENT;
	sub->position = 0;
}

/* Brings one subscription to a phase other than SUB_SEEK. */
static enum found
find_place(struct worker *w, struct sub *sub, unsigned budget)
{
	if (sub->phase == SUB_CURRENT && sub->position != 0) {
		step_on(w, sub);
		if (sub->phase == SUB_AT || sub->position != 0)
			return FOUND;
	}
	return sub->phase == SUB_AT ? FOUND : seek_on(w, sub, budget);
}

/* All seeks go on side by side. */
static enum found
find_places(struct worker *w, struct extra *x)
{
	const unsigned share = SEEK_BUDGET / x->sub_count;
	enum found all = FOUND;

	for (uint32_t i = 0; i < x->sub_count; i++) {
		const enum found found =
		    find_place(w, &x->subs[i], share > SEEK_SHARE ? share : SEEK_SHARE);

		if (found == FOUND_NO_MEMORY)
			return found;
		if (found == FOUND_LATER)
			all = found;
	}
	return all;
}

/* ---- building a run --------------------------------------------------------------------------- */

/* The subscription whose event comes next, at or below the bound; NULL: none. */
static struct sub *
next_sub(struct extra *x, uint64_t bound)
{
	struct sub *next = NULL;

	for (uint32_t i = 0; i < x->sub_count; i++) {
		struct sub *sub = &x->subs[i];

		if (sub->phase == SUB_AT && sub->next_id <= bound &&
		    (next == NULL || sub->next_id < next->next_id))
			next = sub;
	}
	return next;
}

/* All that stand at this event go on to their next. False: one of them lost its place; the run ends here. */
static bool
pass_event(struct worker *w, struct extra *x, uint64_t id)
{
	bool sure = true;

	for (uint32_t i = 0; i < x->sub_count; i++) {
		struct sub *sub = &x->subs[i];

		if (sub->phase != SUB_AT || sub->next_id != id)
			continue;
		sub->position = sub->next_position;
		sub->id = id;
		step_on(w, sub);
		if (sub->phase == SUB_CURRENT && sub->position == 0)
			sure = false;
	}
	return sure;
}

/*
 * Which of the event's channels it is shown as: the first that the connection is subscribed to from before the event on. -1: another
 * subscription has delivered it already.
 */
static int
shown_as(struct worker *w, const struct slot *s, const struct record *record)
{
	int shown = -1;

	for (int i = 0; i < record->channels_count; i++) {
		const struct record_slice *name = &record->channels[i].name;
		const struct channel *c =
		    channel_find(w, record->channels[i].hash, slice_of(name->bytes, name->len));
		const struct sub *sub = c == NULL ? NULL : extra_sub(w, s, c->index);

		if (sub == NULL || sub->since >= record->id ||
		    (sub->gap_after < record->id && record->id <= sub->gap_at))
			continue;
		if (sub->cursor >= record->id)
			return -1;
		if (shown == -1)
			shown = i;
	}
	return shown;
}

static enum ring_result
copy_record(struct worker *w, uint64_t position, struct record *record)
{
	enum ring_result result =
	    ring_read_copy(&w->ring, position, w->record.bytes, w->record.cap, record);

	while (result == RING_NEED) {
		if (!buffer_reserve(&w->record, record->length))
			return RING_NO_MEMORY;
		result = ring_read_copy(&w->ring, position, w->record.bytes, w->record.cap, record);
	}
	return result;
}

/* A place that the writer has overtaken: it is looked up again by its cursor, once what was built is sent. */
static void
lose_place(struct sub *sub)
{
	free(sub->seek);
	sub->seek = NULL;
	sub->phase = SUB_CURRENT;
	sub->position = 0;
}

/* Adds the event at sub's place to the run. False: the run ends before it. */
static bool
add_event(struct worker *w, const struct slot *s, struct sub *sub, struct replay_run *run)
{
	struct record record;
	struct event event;
	struct frame frame;
	int shown;

	switch (copy_record(w, sub->next_position, &record)) {
	case RING_OK:
		break;
	case RING_CORRUPT:
		ring_is_corrupt(w, sub->next_position);
		return false;
	case RING_NO_MEMORY:
		run->starved = run->wave.count == 0;
		return false;
	case RING_LAPPED:
	case RING_NONE:
	case RING_MORE:
	case RING_DUPLICATE:
	case RING_NEED:
	case RING_INVALID:
	case RING_TOO_LARGE:
	case RING_STALE_ID:
		lose_place(sub);
		return false;
	}
	if (record.id != sub->next_id) {
		lose_place(sub);
		return false;
	}
	shown = shown_as(w, s, &record);
	if (shown == -1)
		return true;
	wave_event(&event, &record);
	frame =
	    (struct frame){.id = record.id, .position = record.position, .order = (uint32_t)shown};
	if (wave_add(w, &run->wave, s->dialect, &event,
		slice_of(record.channels[shown].name.bytes, record.channels[shown].name.len),
		&frame))
		return true;
	run->starved = run->wave.count == 0; /* else the wave may be full */
	return false;
}

static void
build(struct worker *w, const struct slot *s, struct extra *x, struct replay_run *run,
    uint32_t limit, uint32_t bytes_max, uint64_t bound)
{
	struct sub *sub;

	run->whole = run->starved = false;
	run->reached = 0;
	while ((sub = next_sub(x, bound)) != NULL) {
		const uint64_t id = sub->next_id;

		if (run->wave.count == limit || run->wave.bytes.len >= bytes_max)
			return;
		if (!add_event(w, s, sub, run))
			return;
		/* An answer has a largest size; what made it too large goes with the next one. */
		if (conn_is_poll(s) && run->wave.count > 1 && run->wave.bytes.len > bytes_max) {
			wave_drop_last(w, &run->wave);
			return;
		}
		run->reached = id;
		if (!pass_event(w, x, id))
			return;
	}
	run->whole = true;
	run->reached = bound;
}

/* ---- sharing ---------------------------------------------------------------------------------- */

static bool
can_share(const struct slot *s, const struct extra *x)
{
	return x->sub_count == 1 && s->offset == 0;
}

static struct replay_run *
find_shared(struct worker *w, const struct slot *s, struct extra *x, uint32_t limit, uint64_t bound)
{
	struct sub *sub = &x->subs[0];
	const uint64_t channel = channel_at(w, sub->channel)->hash;

	for (uint32_t i = 0; i < w->replay.used; i++) {
		struct replay_run *run = &w->replay.runs[i];

		if (run->shared && run->channel == channel && run->dialect == s->dialect &&
		    run->limit == limit && run->from == sub->cursor && run->bound == bound) {
			sub->position = run->position;
			sub->id = run->id;
			sub->next_position = run->next_position;
			sub->next_id = run->next_id;
			sub->phase = run->next_position != 0 ? SUB_AT : SUB_CURRENT;
			return run;
		}
	}
	return NULL;
}

static void
share(struct worker *w, struct replay_run *run, const struct slot *s, const struct sub *sub,
    uint32_t limit, uint64_t bound, uint64_t from)
{
	run->from = from;
	run->bound = bound;
	run->channel = channel_at(w, sub->channel)->hash;
	run->limit = limit;
	run->dialect = s->dialect;
	run->position = sub->position;
	run->id = sub->id;
	run->next_position = sub->phase == SUB_AT ? sub->next_position : 0;
	run->next_id = sub->next_id;
	/* One that lost its place, or that there was no memory for, is not to be copied. */
	run->shared = !run->starved && (sub->phase == SUB_AT || sub->position != 0);
}

/* How many events a run may have. */
static uint32_t
limit_of(const struct slot *s, const struct extra *x)
{
	if (conn_is_poll(s))
		return x->request.limit;
	/* The rest of a half-sent frame comes alone: a gap may have to be told behind it. */
	return s->offset != 0 ? 1 : RUN_EVENTS;
}

/* Somebody else at the same cursor was served just now: then the place need not be looked up again. */
static bool
stands_at_run(struct worker *w, const struct slot *s, struct extra *x, uint64_t bound)
{
	const struct sub *sub = &x->subs[0];

	return can_share(s, x) && sub->phase == SUB_CURRENT && sub->position == 0 &&
	       sub->last == 0 && find_shared(w, s, x, limit_of(s, x), bound) != NULL;
}

/* What the events of a run may take. */
static uint32_t
bytes_max_of(struct worker *w, const struct slot *s, const struct extra *x)
{
	uint64_t round = POLL_ROUND_BYTES;

	if (!conn_is_poll(s))
		return RUN_BYTES;
	for (uint32_t i = 0; i < x->sub_count; i++)
		if (x->subs[i].gap)
			round += POLL_GAP_BYTES + 2 * channel_at(w, x->subs[i].channel)->name_len;
	return round < LIMIT_POLL_BYTES ? (uint32_t)(LIMIT_POLL_BYTES - round) : 0;
}

static struct replay_run *
run_for(struct worker *w, const struct slot *s, struct extra *x, uint64_t bound)
{
	const uint32_t limit = limit_of(s, x);
	struct replay_run *run = can_share(s, x) ? find_shared(w, s, x, limit, bound) : NULL;
	const uint64_t from = x->subs[0].cursor;

	if (run != NULL)
		return run;
	if (w->replay.used == REPLAY_WAVES)
		deliver_flush(w);
	if (w->replay.used == REPLAY_WAVES)
		replay_flushed(w); /* built for polls only: nothing was queued */
	run = &w->replay.runs[w->replay.used++];
	wave_clear(w, &run->wave);
	run->packed.len = 0;
	run->packed_known = false;
	build(w, s, x, run, limit, bytes_max_of(w, s, x), bound);
	run->shared = false;
	if (can_share(s, x))
		share(w, run, s, &x->subs[0], limit, bound, from);
	return run;
}

void
replay_flushed(struct worker *w)
{
	for (uint32_t i = 0; i < w->replay.used; i++) {
		struct wave *v = &w->replay.runs[i].wave;

		wave_clear(w, v);
		if (v->bytes.cap > RUN_BYTES_KEPT)
			buffer_free(&v->bytes);
		buffer_free(&w->replay.runs[i].packed);
	}
	w->replay.used = 0;
}

/* ---- steps ------------------------------------------------------------------------------------ */

/* A gap of a stream: told, or by the channel's rule the end. True: something was said or done, the step is over. */
static bool
tell_gap(struct worker *w, uint32_t slot, struct extra *x)
{
	for (uint32_t i = 0; i < x->sub_count; i++) {
		struct sub *sub = &x->subs[i];
		const struct channel *c = channel_at(w, sub->channel);

		if (!sub->gap)
			continue;
		if (sub->lags && c->lag == RULE_CLOSE) {
			session_end_slow(w, slot);
			return true;
		}
		if (sub->lags && c->lag == RULE_LATEST && !sub->told) {
			sub->told = true;
			sub->last = 1;
			lose_place(sub);
			deliver_ready(w, slot);
			return true;
		}
		sub->gap = sub->told = false;
		board_add(&w->board, BOARD_GAPS, 1);
		session_tell_gap(w, slot, channel_name(c), sub->gap_after, sub->gap_at);
		return true;
	}
	return false;
}

/* Nothing is left below the bound. */
static void
become_live(struct worker *w, uint32_t slot, uint64_t bound)
{
	struct slot *s = worker_slot(w, slot);

	s->cursor = bound;
	if ((s->flags & CONN_WANTS_LIVE) != 0) {
		s->flags &= (uint16_t)~CONN_WANTS_LIVE;
		session_tell_live(w, slot, bound);
	}
	if (s->state == CONN_CLOSED)
		return;
	conn_set_state(w, slot, CONN_LIVE);
	extra_subs_close(w, s);
	extra_trim(w, s);
	if ((s->flags & CONN_INPUT_WAITS) != 0)
		deliver_ready(w, slot); /* nothing else would have it read */
	else
		conn_arm(w, slot);
}

/*
 * Whether the run begins with the frame that is half sent. A compressed one must also be the same bytes: with another level, or for
 * want of memory, it would not be.
 */
static bool
continues(struct worker *w, const struct slot *s, const struct extra *x, const struct wave *v)
{
	if (v->count == 0 || v->frames[0].id != x->cut_id)
		return false;
	return !conn_is_packed(s) ||
	       ring_hash(&w->ring, v->bytes.bytes, v->frames[0].end) == x->cut_hash;
}

static struct kept_key
cut_key(const struct slot *s, const struct extra *x)
{
	return (struct kept_key){.id = x->cut_id,
	    .hash = conn_is_packed(s) ? x->cut_hash : 0,
	    .order = x->cut_order,
	    .dialect = s->dialect};
}

/* The rest of a half-sent frame, of those that are kept. False: it must be rendered. */
static bool
continue_kept(struct worker *w, uint32_t slot, struct extra *x)
{
	struct slot *s = worker_slot(w, slot);
	const struct kept_key key = cut_key(s, x);
	const struct run frames = {kept_find(w, &key), 0, 1};

	if (frames.wave == NULL)
		return false;
	for (uint32_t i = 0; i < x->sub_count; i++) {
		struct sub *sub = &x->subs[i];

		if (sub->phase == SUB_AT && sub->next_id > key.id)
			continue;
		if (sub->phase == SUB_AT && sub->next_id == key.id) {
			sub->phase = SUB_CURRENT;
			sub->position = sub->next_position;
			sub->id = key.id;
		} else {
			lose_place(
			    sub); /* what it looks for lies before the frame, or is the frame */
		}
	}
	deliver_frames(w, slot, &frames, 1, s->offset, key.id);
	return true;
}

/* A large frame that goes out in pieces is not rendered for each of them. */
static void
keep(struct worker *w, const struct slot *s, const struct extra *x, struct replay_run *run,
    struct run *frames)
{
	const struct kept_key key = cut_key(s, x);
	const struct wave *kept = kept_take(w, &key, &run->wave);

	if (kept != NULL)
		frames->wave = kept;
}

static void
serve_stream(struct worker *w, uint32_t slot, struct extra *x, uint64_t bound)
{
	struct slot *s = worker_slot(w, slot);
	struct replay_run *run;
	struct run frames;

	run = run_for(w, s, x, bound);
	if (w->quit)
		return;
	if (run->starved) {
		conn_close(w, slot, BOARD_SHED_MEMORY);
		return;
	}
	if (s->offset != 0 && !continues(w, s, x, &run->wave)) {
		conn_close(w, slot, BOARD_CLOSED_LAPPED);
		return;
	}
	if (run->wave.count == 0) {
		replay_commit(w, slot, run->reached);
		if (run->whole)
			become_live(w, slot, bound);
		else
			deliver_ready(w, slot);
		return;
	}
	frames = (struct run){&run->wave, 0, run->wave.count};
	if (s->offset != 0)
		keep(w, s, x, run, &frames);
	deliver_frames(w, slot, &frames, 1, s->offset, run->reached);
}

/* An answer to be compressed, when enough was for this turn, and nobody has asked for the same. */
static bool
is_put_off(struct worker *w, const struct slot *s, struct extra *x, uint64_t bound)
{
	return x->request.gzip && deflate_is_spent(w) &&
	       !(can_share(s, x) && find_shared(w, s, x, limit_of(s, x), bound) != NULL);
}

static void
serve_poll(struct worker *w, uint32_t slot, struct extra *x, uint64_t bound)
{
	struct slot *s = worker_slot(w, slot);
	struct replay_run *run;

	if (is_put_off(w, s, x, bound)) {
		deliver_ready(w, slot);
		return;
	}
	run = run_for(w, s, x, bound);
	if (w->quit)
		return;
	if (run->starved) {
		conn_close(w, slot, BOARD_SHED_MEMORY);
		return;
	}
	if (!run->whole && run->wave.count == 0 && run->reached == 0) {
		deliver_ready(w, slot); /* lost its place at once */
		return;
	}
	if (run->wave.count == 0 && run->whole && x->request.wait_ms != 0 &&
	    !serve_poll_has_gap(x)) {
		replay_commit(w, slot, run->reached);
		serve_poll_hold(w, slot, run->reached);
		return;
	}
	serve_poll_answer(w, slot, run);
}

void
replay_serve(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);
	struct extra *x;
	uint64_t bound;

	deliver_reserve(w, 1);
	if (s->state != CONN_CATCHUP || (s->flags & CONN_BLOCKED) != 0)
		return;
	/* A poll that was held comes with its cursor alone: the rest is made when its turn is here, not for all who were released. */
	if (conn_is_poll(s) && s->channel != CHANNEL_NONE) {
		if (!extra_subs_open(w, s)) {
			conn_close(w, slot, BOARD_SHED_MEMORY);
			return;
		}
		replay_commit(w, slot, s->cursor);
	}
	x = extra_of(w, s);
	if (x == NULL || x->sub_count == 0) { /* unsubscribed from all */
		become_live(w, slot, w->read_id);
		return;
	}
	if (s->offset != 0 && continue_kept(w, slot, x))
		return;
	bound = ring_last_id(&w->ring);
	if (bound < w->read_id)
		bound = w->read_id;
	switch (stands_at_run(w, s, x, bound) ? FOUND : find_places(w, x)) {
	case FOUND:
		break;
	case FOUND_LATER:
		deliver_ready(w, slot);
		return;
	case FOUND_NO_MEMORY:
		conn_close(w, slot, BOARD_SHED_MEMORY);
		return;
	}
	if (w->quit)
		return;
	if (conn_is_poll(s))
		serve_poll(w, slot, x, bound);
	else if (s->offset != 0 || !tell_gap(w, slot, x))
		serve_stream(w, slot, x, bound);
}

/* ---- in and out ------------------------------------------------------------------------------- */

void
replay_start(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);

	if (s->state != CONN_CATCHUP)
		conn_set_state(w, slot, CONN_CATCHUP);
	deliver_ready(w, slot);
}

bool
replay_from_live(struct worker *w, uint32_t slot, bool lags)
{
	struct slot *s = worker_slot(w, slot);
	struct extra *x;

	if (!extra_subs_open(w, s) || (x = extra_need(w, s)) == NULL) {
		conn_close(w, slot, BOARD_SHED_MEMORY);
		return false;
	}
	for (uint32_t i = 0; i < x->sub_count; i++) {
		struct sub *sub = &x->subs[i];

		sub->cursor = sub->since > s->cursor ? sub->since : s->cursor;
		sub->lags = lags;
		lose_place(sub);
	}
	conn_set_state(w, slot, CONN_CATCHUP);
	deliver_ready(w, slot);
	return s->state != CONN_CLOSED;
}

void
replay_cut(
    struct worker *w, uint32_t slot, const struct frame *frame, struct slice bytes, uint32_t offset)
{
	struct slot *s = worker_slot(w, slot);
	const bool was_live = s->state == CONN_LIVE;
	struct extra *x;

	s->flags |= CONN_LAGGED;
	board_add(&w->board, BOARD_LAGS, 1);
	if (was_live && !replay_from_live(w, slot, true))
		return;
	x = extra_of(w, s);
	s->offset = offset;
	/* Of a frame that was cut before, the hash is known: what goes on with it was compared. */
	if (offset != 0 && conn_is_packed(s) && x->cut_id != frame->id)
		x->cut_hash = ring_hash(&w->ring, bytes.bytes, bytes.len);
	x->cut_id = offset != 0 ? frame->id : 0;
	x->cut_order = frame->order;
	for (uint32_t i = 0; i < x->sub_count; i++) {
		struct sub *sub = &x->subs[i];

		if (!was_live && sub->cursor < s->cursor)
			sub->cursor = s->cursor;
		sub->lags = true;
		lose_place(sub);
	}
	/* With one subscription the place is known. */
	if (x->sub_count == 1) {
		x->subs[0].phase = SUB_AT;
		x->subs[0].next_position = frame->position;
		x->subs[0].next_id = frame->id;
	}
}

void
replay_commit(struct worker *w, uint32_t slot, uint64_t id)
{
	struct extra *x = extra_of(w, worker_slot(w, slot));

	if (x == NULL)
		return;
	x->cut_id = 0;
	for (uint32_t i = 0; i < x->sub_count; i++)
		if (x->subs[i].cursor < id)
			x->subs[i].cursor = id;
}

void
replay_free(struct worker *w)
{
	for (uint32_t i = 0; i < REPLAY_WAVES; i++) {
		buffer_free(&w->replay.runs[i].wave.bytes);
		buffer_free(&w->replay.runs[i].packed);
		free(w->replay.runs[i].wave.frames);
	}
}
