/*
 * serve_sse.c: see serve_sse.h.
 */
#include "worker/serve_sse.h"

#include "proto/control.h"
#include "proto/id.h"
#include "proto/sse.h"
#include "worker/beat.h"
#include "worker/conn.h"
#include "worker/session.h"
#include "worker/worker.h"

#define COME_BACK_MS_MIN 1000 /* after a refusal or an end of ours */
#define COME_BACK_MS_MAX 10000

static const struct slice stream_type = {"text/event-stream; charset=utf-8", 32};
static const struct slice stream_cache = {"no-cache, no-transform", 22};

/* An object as an event of the stream, with the connection's cursor as id. */
static void
put_control(struct out *o, const char *op, struct slice object, uint64_t at)
{
	char text[ID_TEXT_MAX];
	struct out id = out_to(text, sizeof text);

	id_render(&id, at);
	sse_control(o, slice_text(op), object, slice_of(id.bytes, id.len));
}

static uint32_t
come_back_ms(struct worker *w)
{
	return COME_BACK_MS_MIN + worker_random(w, COME_BACK_MS_MAX - COME_BACK_MS_MIN);
}

void
serve_sse_refuse(struct worker *w, uint32_t slot, const struct session_request *r)
{
	struct slot *s = worker_slot(w, slot);
	char bytes[SESSION_HEAD_BYTES * 2];
	struct out o = out_to(bytes, sizeof bytes);

	s->flags &= (uint16_t)~CONN_KEEP_ALIVE;
	session_head(w, s, &r->answer, &o, stream_type, stream_cache, SIZE_MAX);
	if (!r->answer.head_only)
		sse_retry(&o, come_back_ms(w));
	session_answered(w, slot, slice_of(o.bytes, out_cut(&o) ? 0 : o.len));
}

static void
put_welcome(struct worker *w, uint32_t slot, const struct session_request *r, struct out *o)
{
	const uint32_t retry_ms = w->settings.now.retry_ms;
	const uint64_t at = session_cursor_shown(w, slot, &r->after);
	char name[CONN_NAME_BYTES], object[256];
	struct out json = out_to(object, sizeof object);

	sse_retry(o, retry_ms + worker_random(w, retry_ms / 2 + 1));
	control_welcome(
	    &json, at, w->settings.now.beat_sse_s, slice_of(name, conn_name(w, slot, name)));
	put_control(o, "welcome", slice_of(json.bytes, json.len), at);
}

void
serve_sse_start(struct worker *w, uint32_t slot, const struct session_request *r)
{
	struct slot *s = worker_slot(w, slot);
	char bytes[SESSION_HEAD_BYTES * 2];
	struct out o = out_to(bytes, sizeof bytes);

	timer_clear(w, slot);
	s->flags &= (uint16_t)~CONN_KEEP_ALIVE;
	conn_set_dialect(
	    w, slot, r->format == SESSION_FORMAT_JSON ? DIALECT_SSE_JSON : DIALECT_SSE);
	if (!session_subscribe(w, slot, r))
		return;
	session_head(w, s, &r->answer, &o, stream_type, stream_cache, SIZE_MAX);
	if (r->answer.head_only && !out_cut(&o)) {
		conn_unsubscribe_all(w, slot);
		conn_set_dialect(w, slot, DIALECT_NONE);
		session_answered(w, slot, slice_of(o.bytes, o.len));
		return;
	}
	put_welcome(w, slot, r, &o);
	if (out_cut(
		&o)) { /* by an origin of unusual length; half a welcome would swallow the first event */
		conn_close(w, slot, BOARD_CLOSED_ERROR);
		return;
	}
	if (!deliver_say(w, slot, slice_of(o.bytes, o.len)))
		return;
	extra_request_free(extra_of(w, s));
	if (r->resumes)
		s->flags |= CONN_WANTS_LIVE;
	beat_schedule(w, slot);
	replay_start(w, slot);
}

void
serve_sse_gap(struct worker *w, uint32_t slot, struct slice channel, uint64_t after, uint64_t at)
{
	char object[2048], bytes[2304];
	struct out json = out_to(object, sizeof object), o = out_to(bytes, sizeof bytes);

	/*
	 * Without an id: `at` is the cursor of this channel alone. Events of the others that lie before it may come yet, and a client
	 * that is cut now must not resume behind them.
	 */
	control_gap(&json, channel, after, at);
	sse_control(&o, SLICE_LITERAL("gap"), slice_of(json.bytes, json.len), slice_of(NULL, 0));
	deliver_say(w, slot, slice_of(o.bytes, o.len));
}

void
serve_sse_live(struct worker *w, uint32_t slot, uint64_t at)
{
	char bytes[256];
	struct out o = out_to(bytes, sizeof bytes);

	serve_sse_put_live(&o, at);
	deliver_say(w, slot, slice_of(o.bytes, o.len));
}

void
serve_sse_put_live(struct out *o, uint64_t at)
{
	char object[128];
	struct out json = out_to(object, sizeof object);

	control_live(&json, at);
	put_control(o, "live", slice_of(json.bytes, json.len), at);
}

void
serve_sse_due(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);

	if (beat_is_due(w, slot))
		deliver_beat(w, slot, beat_sse(w));
	if (s->state != CONN_CLOSED)
		beat_schedule(w, slot);
}

void
serve_sse_end(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);
	char bytes[64];
	struct out o = out_to(bytes, sizeof bytes);

	/* In the middle of a frame nothing can be said; the cut frame has no id yet, so that resuming repeats it. */
	if (s->offset != 0) {
		conn_close(w, slot, BOARD_CLOSED_DRAIN);
		return;
	}
	sse_retry(&o, come_back_ms(w));
	if (deliver_say(w, slot, slice_of(o.bytes, o.len)))
		conn_finish(w, slot);
}
