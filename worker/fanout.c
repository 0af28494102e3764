/*
 * fanout.c: the round of channels, and the passes over their members.
 */
#include "worker/fanout.h"

#include <assert.h>

#include "worker/conn.h"
#include "worker/replay.h"
#include "worker/serve_poll.h"
#include "worker/worker.h"

#define VISIT_SENDS 64    /* a channel's share before the next one's turn */
#define VISIT_MEMBERS 512 /* and members looked at, sent to or not */
#define RUN_VISITS 512    /* of channels in one run, however little each has to send */

/* ---- the round -------------------------------------------------------------------------------- */

static void
round_append(struct worker *w, struct channel *c)
{
	struct channels *t = &w->channels;

	c->pass_next = CHANNEL_NONE;
	if (t->round_last != CHANNEL_NONE)
		channel_at(w, t->round_last)->pass_next = c->index;
	else
		t->round_first = c->index;
	t->round_last = c->index;
	c->in_round = true;
}

static struct channel *
round_take(struct worker *w)
{
	struct channels *t = &w->channels;
	struct channel *c;

	if (t->round_first == CHANNEL_NONE)
		return NULL;
	c = channel_at(w, t->round_first);
	t->round_first = c->pass_next;
	if (t->round_first == CHANNEL_NONE)
		t->round_last = CHANNEL_NONE;
	return c;
}

/* The newest frame in any of its waves; 0: none. */
static uint64_t
newest_frame(const struct channel *c)
{
	uint64_t newest = 0;

	for (uint32_t i = 0; i < CHANNEL_WAVES; i++) {
		const struct wave *v = c->waves[i];

		if (v != NULL && v->count != 0 && v->frames[v->count - 1].id > newest)
			newest = v->frames[v->count - 1].id;
	}
	return newest;
}

static void
pass_begin(struct channel *c)
{
	c->pass_left = c->member_count;
	c->pass_cut = c->cut_to;
	c->floor = newest_frame(c);
	c->pass_news = c->next_news;
	c->next_news = 0;
}

void
fanout_news(struct worker *w, struct channel *c, uint64_t id)
{
	if (c->next_news == 0)
		c->next_news = id;
	if (c->in_round)
		return;
	round_append(w, c);
	c->pass_left = 0;
	c->pass_news = 0;
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void
fanout_cut(struct worker *w, struct channel *c, uint64_t from, uint64_t to)
{
	assert(w->deliver.flight_count == 0); /* a queued send would refer to what is cleared */
	fanout_news(w, c, from + 1);
	for (uint32_t i = 0; i < CHANNEL_WAVES; i++) {
		struct wave *v = c->waves[i];

		if (v == NULL || v->count == 0)
			continue;
		from = least(from, v->frames[0].id - 1);
		wave_clear(w, v);
	}
	if (c->cut_to == 0)
		c->cut_from = from;
	c->cut_to = to;
}

/* Up to which id one of its channels has nothing for the connection that it did not get. */
static uint64_t
settled_in(const struct channel *c, const struct slot *s, uint64_t read_id)
{
	uint64_t settled = read_id;

	if (!c->in_round)
		return settled;
	if (s->cursor < c->cut_to)
		settled = least(settled, c->cut_from);
	if (s->dialect < DIALECTS_WAVED) {
		const struct wave *v = c->waves[s->dialect - 1];
		const uint32_t first = v == NULL ? 0 : wave_find(v, s->cursor);

		if (v != NULL && first < v->count)
			settled = least(settled, v->frames[first].id - 1);
	} else {
		if (c->pass_news != 0)
			settled = least(settled, c->pass_news - 1);
		if (c->next_news != 0)
			settled = least(settled, c->next_news - 1);
	}
	return settled;
}

void
fanout_settle(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);
	const uint32_t count = conn_channel_count(w, s);
	uint64_t settled = w->read_id;

	for (uint32_t i = 0; i < count; i++)
		settled =
		    least(settled, settled_in(channel_at(w, conn_channel(w, s, i)), s, w->read_id));
	if (s->cursor < settled)
		s->cursor = settled;
}

/* ---- a member --------------------------------------------------------------------------------- */

/* What a subscription lacks of its channel's wave. */
static struct run
missing(const struct channel *c, uint8_t dialect, uint64_t cursor)
{
	const struct wave *v = c->waves[dialect - 1];
	uint32_t first;

	if (v == NULL)
		return (struct run){NULL, 0, 0};
	first = wave_find(v, cursor);
	return (struct run){v, first, v->count - first};
}

/* Takes the next frame in order of id over all runs; of equal ids the first channel in the publisher's order. */
static uint32_t
next_frame(const struct run *runs, uint32_t count)
{
	uint32_t best = count;

	for (uint32_t i = 0; i < count; i++) {
		const struct frame *a, *b;

		if (runs[i].count == 0)
			continue;
		if (best == count) {
			best = i;
			continue;
		}
		a = &runs[i].wave->frames[runs[i].first];
		b = &runs[best].wave->frames[runs[best].first];
		if (a->id < b->id || (a->id == b->id && a->order < b->order))
			best = i;
	}
	return best;
}

/* Merges the runs of several channels into one gathered write. False: too many pieces for one. */
static bool
merge(struct run *from, uint32_t from_count, struct run *to, uint32_t *to_count)
{
	uint64_t last = 0;
	uint32_t i;

	*to_count = 0;
	while ((i = next_frame(from, from_count)) != from_count) {
		struct run *out = *to_count == 0 ? NULL : &to[*to_count - 1];
		const uint64_t id = from[i].wave->frames[from[i].first].id;

		if (id != last) {
			if (out != NULL && out->wave == from[i].wave &&
			    out->first + out->count == from[i].first) {
				out->count++;
			} else {
				if (*to_count == LIMIT_IO_VECTORS)
					return false;
				to[(*to_count)++] = (struct run){from[i].wave, from[i].first, 1};
			}
		}
		last = id;
		from[i].first++;
		from[i].count--;
	}
	return true;
}

/*
 * Several channels: what all of them have is sent in order of id, and the cursor goes to what was read. False: the waves
 * do not hold all, or there is too much to merge.
 */
static bool
send_merged(struct worker *w, uint32_t slot, const struct extra *x)
{
	struct slot *s = worker_slot(w, slot);
	struct run from[LIMIT_IO_VECTORS], to[LIMIT_IO_VECTORS];
	uint32_t from_count = 0, to_count;

	for (uint32_t i = 0; i < x->sub_count; i++) {
		const struct sub *sub = &x->subs[i];
		const struct channel *c = channel_at(w, sub->channel);
		const uint64_t cursor = sub->since > s->cursor ? sub->since : s->cursor;

		if (cursor < c->cut_to || from_count == LIMIT_IO_VECTORS)
			return false;
		from[from_count] = missing(c, s->dialect, cursor);
		if (from[from_count].count != 0)
			from_count++;
	}
	if (!merge(from, from_count, to, &to_count))
		return false;
	if (to_count != 0)
		deliver_frames(w, slot, to, to_count, 0, w->read_id);
	return true;
}

/* One channel: the wave from its cursor on. False: the wave does not hold all. */
static bool
send_single(struct worker *w, uint32_t slot, const struct channel *c)
{
	const struct slot *s = worker_slot(w, slot);
	struct run run;

	if (s->cursor < c->cut_to)
		return false;
	run = missing(c, s->dialect, s->cursor);
	if (run.count != 0)
		deliver_frames(w, slot, &run, 1, 0, run.wave->frames[run.wave->count - 1].id);
	return true;
}

/* Sends a live connection what its waves hold. False: it must read the ring by itself. */
static bool
send_news(struct worker *w, uint32_t slot, const struct channel *c)
{
	const struct slot *s = worker_slot(w, slot);

	if (deliver_pending(w, s) != 0 || (s->flags & CONN_BLOCKED) != 0)
		return false;
	if (s->channel != CHANNEL_NONE)
		return send_single(w, slot, c);
	return send_merged(w, slot, extra_of(w, s));
}

/* Brings one member what is new. True: a send was queued, or work like it done. */
static bool
visit(struct worker *w, struct channel *c, uint32_t slot)
{
	const struct slot *s = worker_slot(w, slot);
	uint32_t flights;

	if (s->state == CONN_HELD) {
		serve_poll_release(w, slot);
		return true;
	}
	if (s->state != CONN_LIVE)
		return false; /* reads the ring at its own pace */
	deliver_reserve(w, LIMIT_IO_VECTORS);
	if ((s->flags & CONN_IN_FLIGHT) != 0)
		deliver_flush(w);
	if (s->state != CONN_LIVE)
		return true;
	flights = w->deliver.flight_count;
	if (!send_news(w, slot, c)) {
		/* A queued send must be judged first: it may set the cursor back. */
		deliver_flush(w);
		if (s->state == CONN_LIVE) {
			fanout_settle(w, slot);
			replay_from_live(w, slot, true);
		}
		return true;
	}
	return w->deliver.flight_count != flights;
}

/* ---- a pass ----------------------------------------------------------------------------------- */

/*
 * The pass is through: everybody has what was there when it began. True: there is more by now. No send may refer to what is dropped
 * now. With many small channels a submission for each would be a system call for each send, so visit_channel lets a channel
 * with sends in the queue come here at its next turn, when those of all the others are queued, too.
 */
static bool
pass_end(struct worker *w, struct channel *c)
{
	bool more =
	    c->cut_to !=
	    c->pass_cut; /* cut while the pass was under way: those visited before do not know */

	deliver_flush(w);
	c->pass_done = false;
	if (!more)
		c->cut_to = 0;
	else if (c->cut_from < c->pass_cut)
		c->cut_from = c->pass_cut;
	for (uint32_t i = 0; i < CHANNEL_WAVES; i++) {
		if (c->waves[i] == NULL)
			continue;
		wave_trim(w, c->waves[i], c->floor);
		if (c->waves[i]->count != 0)
			more = true;
		else if (c->waves[i]->bytes.cap > WAVE_BYTES_KEPT) {
			wave_free(w, c->waves[i]);
			c->waves[i] = NULL;
		}
	}
	return more;
}

/* One visit of a channel. True: it stays in the round. */
static bool
visit_channel(struct worker *w, struct channel *c, uint32_t *sends)
{
	uint32_t left = VISIT_SENDS;

	if (c->pass_done)
		return pass_end(w, c) || c->next_news != 0;
	if (c->pass_left == 0)
		pass_begin(c);
	for (uint32_t i = 0; i < VISIT_MEMBERS && c->pass_left != 0; i++) {
		if (left == 0 || *sends == 0)
			return true;
		if (visit(w, c, channel_member(c, --c->pass_left))) {
			left--;
			--*sends;
		}
		if (w->quit)
			return true;
	}
	c->pass_done = c->pass_left == 0;
	if (!c->pass_done || w->deliver.flight_count != 0)
		return true;
	return pass_end(w, c) || c->next_news != 0;
}

bool
fanout_run(struct worker *w, uint32_t sends)
{
	uint32_t visits = RUN_VISITS;
	struct channel *c;

	while (sends != 0 && visits-- != 0 && !w->quit && (c = round_take(w)) != NULL) {
		if (visit_channel(w, c, &sends)) {
			round_append(w, c);
		} else {
			c->in_round = false;
			channel_drop_if_empty(w, c);
		}
	}
	deliver_flush(w);
	return w->channels.round_first != CHANNEL_NONE;
}
