/*
 * beat.c: see beat.h.
 */
#include "worker/beat.h"

#include "proto/ws_frame.h"
#include "worker/conn.h"
#include "worker/fanout.h"
#include "worker/serve_sse.h"
#include "worker/serve_ws.h"
#include "worker/worker.h"

static uint32_t
beat_ms(struct worker *w, uint32_t slot)
{
	const struct order_settings *settings = &w->settings.now;

	return (conn_is_sse(worker_slot(w, slot)) ? settings->beat_sse_s : settings->beat_ws_s) *
	       1000;
}

/* A fifth earlier or later, so that clients that came together do not beat together. */
static uint32_t
jittered(struct worker *w, uint32_t ms)
{
	return ms - ms / 5 + worker_random(w, ms / 5 * 2 + 1);
}

void
beat_schedule(struct worker *w, uint32_t slot)
{
	const struct slot *s = worker_slot(w, slot);
	const uint32_t period_ms = jittered(w, beat_ms(w, slot));
	const uint32_t quiet_ms = (uint32_t)timer_since(w, s->last_out) * TIMER_TICK_MS;

	/* A WebSocket is pinged whatever else it gets: the answer is what tells that it lives. */
	if (conn_is_websocket(s) || quiet_ms >= period_ms)
		timer_set(w, slot, period_ms);
	else
		timer_set(w, slot, period_ms - quiet_ms);
}

bool
beat_is_due(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);

	if (s->state != CONN_LIVE || (s->flags & (CONN_BLOCKED | CONN_IN_FLIGHT)) != 0 ||
	    deliver_pending(w, s) != 0)
		return false;
	if (conn_is_sse(s) &&
	    (uint32_t)timer_since(w, s->last_out) * TIMER_TICK_MS < beat_ms(w, slot) / 5 * 4)
		return false;
	fanout_settle(w, slot);
	return s->cursor >= w->read_id;
}

static void
render(struct worker *w)
{
	struct beat *b = &w->beat;
	struct out o;

	if (b->rendered && b->id == w->read_id)
		return;
	deliver_flush(w); /* sends that are queued may refer to the old bytes */
	b->rendered = true;
	b->id = w->read_id;
	o = out_to(b->sse, sizeof b->sse);
	serve_sse_put_live(&o, b->id);
	b->sse_len = o.len;
	o = out_to(b->raw, sizeof b->raw);
	ws_frame_render(&o, WS_PING, (struct slice){NULL, 0});
	b->raw_len = o.len;
	o = out_to(b->ws, sizeof b->ws);
	ws_frame_render(&o, WS_PING, (struct slice){NULL, 0});
	serve_ws_put_live(&o, b->id);
	b->ws_len = o.len;
}

struct slice
beat_sse(struct worker *w)
{
	render(w);
	return slice_of(w->beat.sse, w->beat.sse_len);
}

struct slice
beat_ws(struct worker *w)
{
	render(w);
	return slice_of(w->beat.ws, w->beat.ws_len);
}

struct slice
beat_raw(struct worker *w)
{
	render(w);
	return slice_of(w->beat.raw, w->beat.raw_len);
}
