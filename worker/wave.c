/*
 * wave.c: rendering into waves, and keeping them short.
 */
#include "worker/wave.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/base64.h"
#include "proto/id.h"
#include "proto/sse.h"
#include "proto/ws_frame.h"
#include "worker/worker.h"

#define FRAMES_MIN 8

static_assert((int)RECORD_JSON == (int)EVENT_JSON && (int)RECORD_TEXT == (int)EVENT_TEXT &&
		  (int)RECORD_BINARY == (int)EVENT_BINARY,
    "the ring carries the kinds of data by the same numbers");

void
wave_event(struct event *e, const struct record *record)
{
	event_clear(e);
	e->id = record->id;
	e->kind = (enum event_kind)record->kind;
	e->type = slice_of(record->type.bytes, record->type.len);
	e->data = slice_of(record->data.bytes, record->data.len);
	if (e->kind == EVENT_JSON && e->data.len == 0)
		e->data = SLICE_LITERAL("null");
}

static void
render_sse(struct out *o, const struct event *e)
{
	char text[ID_TEXT_MAX];
	struct out id = out_to(text, sizeof text);

	id_render(&id, e->id);
	if (e->kind == EVENT_BINARY)
		sse_binary_event(o, e->type, e->data, slice_of(id.bytes, id.len));
	else
		sse_event(o, e->type, e->data, slice_of(id.bytes, id.len));
}

static void
render_sse_json(struct out *o, const struct slice object, uint64_t event_id)
{
	char text[ID_TEXT_MAX];
	struct out id = out_to(text, sizeof text);

	id_render(&id, event_id);
	sse_event(o, (struct slice){NULL, 0}, object, slice_of(id.bytes, id.len));
}

/* A message as a frame: compressed where that was negotiated and helps. */
static void
render_message(struct worker *w, struct out *o, enum ws_opcode opcode, struct slice message)
{
	const struct slice packed = deflate_pack(w, message);

	if (packed.len != 0)
		ws_frame_render_compressed(o, opcode, packed);
	else
		ws_frame_render(o, opcode, message);
}

void
wave_render(struct worker *w, struct out *o, struct out *scratch, uint8_t dialect,
    const struct event *e, struct slice channel)
{
	const enum ws_opcode raw = e->kind == EVENT_BINARY ? WS_BINARY : WS_TEXT;
	struct slice object;

	switch ((enum dialect)dialect) {
	case DIALECT_SSE:
		render_sse(o, e);
		return;
	case DIALECT_WS_RAW:
		ws_frame_render(o, raw, e->data);
		return;
	case DIALECT_WS_RAW_DEFLATE:
		render_message(w, o, raw, e->data);
		return;
	case DIALECT_POLL:
	case DIALECT_LONGPOLL:
		event_render(o, e, channel);
		return;
	case DIALECT_SSE_JSON:
	case DIALECT_WS:
	case DIALECT_WS_DEFLATE:
	case DIALECT_NONE:
	case DIALECTS:
		break;
	}
	event_render(scratch, e, channel);
	if (out_cut(scratch)) {
		o->need += scratch->need; /* never fits: the caller grows both */
		return;
	}
	object = slice_of(scratch->bytes, scratch->len);
	if (dialect == DIALECT_SSE_JSON)
		render_sse_json(o, object, e->id);
	else if (dialect == DIALECT_WS_DEFLATE)
		render_message(w, o, WS_TEXT, object);
	else
		ws_frame_render(o, WS_TEXT, object);
}

/* Room for one frame more in the list. */
static bool
frames_grow(struct wave *v)
{
	const uint32_t cap = v->cap == 0 ? FRAMES_MIN : v->cap * 2;
	struct frame *frames;

	if (v->count < v->cap)
		return true;
	frames = realloc(v->frames, cap * sizeof *frames);
	if (frames == NULL)
		return false;
	v->frames = frames;
	v->cap = cap;
	return true;
}

bool
wave_add(struct worker *w, struct wave *v, uint8_t dialect, const struct event *e,
    struct slice channel, const struct frame *frame)
{
	/* A first guess at the room: what escaping rarely exceeds. */
	size_t room = e->data.len + e->data.len / 2 + channel.len + 256;

	if (!frames_grow(v))
		return false;
	for (int attempt = 0; attempt < 3; attempt++) {
		struct out o, scratch;

		if (v->bytes.len + room > WAVE_BYTES_MAX && v->count != 0)
			return false;
		if (!buffer_reserve(&v->bytes, v->bytes.len + room) ||
		    !buffer_reserve(&w->render, room))
			return false;
		o = out_to(v->bytes.bytes + v->bytes.len, v->bytes.cap - v->bytes.len);
		scratch = buffer_out(&w->render);
		wave_render(w, &o, &scratch, dialect, e, channel);
		if (!out_cut(&o) && !out_cut(&scratch)) {
			v->bytes.len += o.len;
			v->frames[v->count] = *frame;
			v->frames[v->count++].end = (uint32_t)v->bytes.len;
			w->channels.wave_bytes += o.len;
			return true;
		}
		room = (o.need > scratch.need ? o.need : scratch.need) + 256;
	}
	return false;
}

uint32_t
wave_find(const struct wave *v, uint64_t cursor)
{
	uint32_t low = 0, high = v->count;

	/* The common case by far: the whole wave is news. */
	if (high == 0 || v->frames[0].id > cursor)
		return 0;
	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;

		if (v->frames[middle].id > cursor)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

void
wave_trim(struct worker *w, struct wave *v, uint64_t id)
{
	const uint32_t drop = wave_find(v, id);
	const uint32_t bytes = wave_start(v, drop);

	if (drop == v->count) {
		wave_clear(w, v);
		return;
	}
	if (drop == 0)
		return;
	memmove(v->frames, v->frames + drop, (v->count - drop) * sizeof *v->frames);
	v->count -= drop;
	for (uint32_t i = 0; i < v->count; i++)
		v->frames[i].end -= bytes;
	buffer_drop(&v->bytes, bytes);
	w->channels.wave_bytes -= bytes;
}

void
wave_drop_last(struct worker *w, struct wave *v)
{
	const uint32_t end = wave_start(v, --v->count);

	w->channels.wave_bytes -= v->bytes.len - end;
	v->bytes.len = end;
}

void
wave_clear(struct worker *w, struct wave *v)
{
	w->channels.wave_bytes -= v->bytes.len;
	v->bytes.len = 0;
	v->count = 0;
}

void
wave_free(struct worker *w, struct wave *v)
{
	if (v == NULL)
		return;
	wave_clear(w, v);
	buffer_free(&v->bytes);
	free(v->frames);
	free(v);
}
