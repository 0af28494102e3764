/*
 * serve_poll.c: a poll subscribes, goes through replay.c once (or, when held, twice), is answered, and is a plain HTTP connection
 * again.
 */
#include "worker/serve_poll.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/http_media.h"
#include "proto/poll.h"
#include "worker/conn.h"
#include "worker/deflate.h"
#include "worker/fanout.h"
#include "worker/session.h"
#include "worker/worker.h"

bool
serve_poll_has_gap(const struct extra *x)
{
	for (uint32_t i = 0; i < x->sub_count; i++)
		if (x->subs[i].gap)
			return true;
	return false;
}

/* The part behind the events, with all gaps, into the scratch. Empty: no memory. */
static struct slice
render_suffix(struct worker *w, const struct extra *x, uint64_t next, bool more)
{
	struct poll_gap *gaps = NULL;
	uint32_t count = 0;
	struct out o;

	if (serve_poll_has_gap(x) && (gaps = calloc(x->sub_count, sizeof *gaps)) == NULL)
		return slice_of(NULL, 0); /* an answer that keeps a gap to itself would be a lie */
	for (uint32_t i = 0; i < x->sub_count; i++)
		if (x->subs[i].gap)
			gaps[count++] =
			    (struct poll_gap){channel_name(channel_at(w, x->subs[i].channel)),
				x->subs[i].gap_after, x->subs[i].gap_at};
	board_add(&w->board, BOARD_GAPS, count);
	for (size_t room = 256;; room = o.need) {
		if (!buffer_reserve(&w->scratch, room)) {
			o = out_to(NULL, 0);
			break;
		}
		o = buffer_out(&w->scratch);
		poll_render_suffix(&o, next, more, gaps, count);
		if (!out_cut(&o))
			break;
	}
	free(gaps);
	return slice_of(o.bytes, o.len);
}

/* The body: prefix, events with commas between, suffix. */
static void
put_body(struct out *o, const struct wave *wave, struct slice suffix)
{
	out_slice(o, POLL_PREFIX);
	for (uint32_t i = 0; i < wave->count; i++) {
		const uint32_t start = wave_start(wave, i);

		if (i != 0)
			out_slice(o, POLL_COMMA);
		out_bytes(o, wave->bytes.bytes + start, wave->frames[i].end - start);
	}
	out_slice(o, suffix);
}

/*
 * The body compressed: once for all who are answered from this run, so that thousands who waited for one event cost no more than one.
 * Only what is said of gaps may differ between them. Empty: it is not worth it. It goes through the render buffer, where there is room.
 */
static struct slice
pack_body(struct worker *w, const struct extra *x, struct replay_run *run, struct slice suffix)
{
	const bool common = !serve_poll_has_gap(x);
	struct out o = buffer_out(&w->render);
	struct slice plain, packed;

	if (common && run->packed_known)
		return buffer_slice(&run->packed);
	put_body(&o, &run->wave, suffix);
	plain = slice_of(o.bytes, o.len);
	packed = deflate_gzip(w, &plain, 1);
	board_add(&w->board, BOARD_GZIP_ANSWERS, packed.len != 0);
	if (common)
		run->packed_known =
		    packed.len == 0 || buffer_add(&run->packed, packed.bytes, packed.len);
	return packed;
}

/* Head and body, into the render buffer. False: no memory. */
static bool
render_answer(struct worker *w, const struct slot *s, const struct extra *x, struct replay_run *run,
    struct slice suffix)
{
	const struct wave *wave = &run->wave;
	const size_t len = poll_length(
	    wave->count == 0 ? 0 : wave->frames[wave->count - 1].end, wave->count, suffix.len);
	struct request r = x->request;
	struct slice packed = {NULL, 0};
	struct out o;

	if (!buffer_reserve(&w->render, len + SESSION_HEAD_BYTES + r.allow_origin_len))
		return false;
	if (r.gzip)
		packed = pack_body(w, x, run, suffix);
	r.gzip = packed.len != 0;
	o = buffer_out(&w->render);
	session_head(w, s, &r, &o, SLICE_LITERAL("application/json"), SLICE_LITERAL("no-store"),
	    r.gzip ? packed.len : len);
	if (r.gzip && !r.head_only)
		out_slice(&o, packed);
	else if (!r.head_only)
		put_body(&o, wave, suffix);
	w->render.len = o.len;
	return !out_cut(&o);
}

/* Back to plain HTTP, with the answer as its tail. */
void
serve_poll_answer(struct worker *w, uint32_t slot, struct replay_run *run)
{
	struct slot *s = worker_slot(w, slot);
	struct extra *x = extra_of(w, s);
	const struct slice suffix = render_suffix(w, x, run->reached, !run->whole);

	if (suffix.len == 0 || !render_answer(w, s, x, run, suffix)) {
		conn_close(w, slot, BOARD_SHED_MEMORY);
		return;
	}
	board_add(&w->board, BOARD_DELIVERIES, run->wave.count);
	conn_unsubscribe_all(w, slot);
	conn_set_dialect(w, slot, DIALECT_NONE);
	session_answered(w, slot, buffer_slice(&w->render));
}

void
serve_poll_hold(struct worker *w, uint32_t slot, uint64_t cursor)
{
	struct slot *s = worker_slot(w, slot);

	s->cursor = cursor;
	extra_subs_close(w, s);
	conn_set_state(w, slot, CONN_HELD);
	timer_set(w, slot, extra_of(w, s)->request.wait_ms);
	conn_arm(w, slot);
	if ((s->flags & CONN_HALF_CLOSED) != 0 || w->draining)
		serve_poll_release(w, slot);
}

void
serve_poll_release(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);

	assert(s->state == CONN_HELD);
	fanout_settle(w, slot);
	extra_of(w, s)->request.wait_ms = 0;
	timer_clear(w, slot);
	replay_start(w, slot);
}

/* At once: events that come while it waits for its turn are behind the cursor, and no business of this answer. */
static void
answer_with_cursor(struct worker *w, uint32_t slot, uint64_t cursor)
{
	struct replay_run nothing = {.whole = true, .reached = cursor};

	serve_poll_answer(w, slot, &nothing);
	buffer_free(&nothing.packed);
}

void
serve_poll_start(struct worker *w, uint32_t slot, const struct session_request *r)
{
	struct slot *s = worker_slot(w, slot);
	struct request *request = &extra_of(w, s)->request;

	request->limit = (uint16_t)r->limit;
	request->vary_encoding = w->settings.now.compression_poll != 0;
	request->gzip = request->vary_encoding && http_media_accepts_gzip(r->http);
	request->wait_ms = r->wait_s * 1000;
	timer_clear(w, slot);
	conn_set_dialect(w, slot, r->wait_s == 0 ? DIALECT_POLL : DIALECT_LONGPOLL);
	if (!session_subscribe(w, slot, r))
		return;
	if (r->after.kind == CURSOR_NOW)
		answer_with_cursor(w, slot, r->after.id);
	else
		replay_start(w, slot);
}
