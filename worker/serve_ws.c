/*
 * serve_ws.c: see serve_ws.h.
 */
#include "worker/serve_ws.h"

#include <stdlib.h>

#include "proto/control.h"
#include "proto/op.h"
#include "proto/utf8.h"
#include "proto/ws_frame.h"
#include "worker/beat.h"
#include "worker/conn.h"
#include "worker/fanout.h"
#include "worker/serve_publish.h"
#include "worker/session.h"
#include "worker/worker.h"

#define OBJECT_BYTES 4096 /* the largest control object: a name and a message, both escaped */
#define PINGS_UNANSWERED 2

enum { PROTOCOL_V1, PROTOCOL_RAW };

static const struct slice protocols[] = {
    [PROTOCOL_V1] = {"ringcast.v1", 11},
    [PROTOCOL_RAW] = {"ringcast.raw", 12},
};

void
serve_ws_protocols(struct ws_handshake *handshake)
{
	ws_handshake_start(handshake, protocols, sizeof protocols / sizeof protocols[0]);
}

/* ---- saying -------------------------------------------------------------------------------------- */

/* A control object; clients of bare data get none. */
static void
say(struct worker *w, uint32_t slot, const struct out *json)
{
	char bytes[OBJECT_BYTES + WS_FRAME_HEAD_BYTES_MAX];
	struct out o = out_to(bytes, sizeof bytes);

	if (conn_is_raw(worker_slot(w, slot)) || out_cut(json))
		return;
	if ((worker_slot(w, slot)->flags & CONN_WS_CLOSING) != 0)
		return; /* our close frame is the last that we send (RFC 6455 section 5.5.1) */
	ws_frame_render(&o, WS_TEXT, slice_of(json->bytes, json->len));
	deliver_say(w, slot, slice_of(o.bytes, o.len));
}

#define SAY(w, slot, call)                                         \
	do {                                                       \
		char object_[OBJECT_BYTES];                        \
		struct out json = out_to(object_, sizeof object_); \
		call;                                              \
		say(w, slot, &json);                               \
	} while (0)

void
serve_ws_gap(struct worker *w, uint32_t slot, struct slice channel, uint64_t after, uint64_t at)
{
	if (conn_is_raw(worker_slot(w, slot)))
		deliver_ready(w, slot); /* nothing to tell: goes on */
	SAY(w, slot, control_gap(&json, channel, after, at));
}

void
serve_ws_live(struct worker *w, uint32_t slot, uint64_t at)
{
	SAY(w, slot, control_live(&json, at));
}

void
serve_ws_put_live(struct out *o, uint64_t at)
{
	char object[128];
	struct out json = out_to(object, sizeof object);

	control_live(&json, at);
	ws_frame_render(o, WS_TEXT, slice_of(json.bytes, json.len));
}

void
serve_ws_published(struct worker *w, uint32_t slot, uint64_t id, int duplicate, struct slice ref)
{
	SAY(w, slot, control_published(&json, id, duplicate != 0, ref));
}

void
serve_ws_unsubscribed(struct worker *w, uint32_t slot, struct slice channel, struct slice reason)
{
	SAY(w, slot, control_unsubscribed(&json, channel, reason, (struct slice){NULL, 0}));
}

void
serve_ws_end(struct worker *w, uint32_t slot, unsigned code, const char *reason)
{
	struct slot *s = worker_slot(w, slot);
	char bytes[WS_FRAME_CONTROL_BYTES_MAX + WS_FRAME_HEAD_BYTES_MAX];
	struct out o = out_to(bytes, sizeof bytes);

	if (s->offset != 0) { /* nothing can be said inside a frame */
		conn_close(w, slot, BOARD_CLOSED_DRAIN);
		return;
	}
	if ((s->flags & CONN_WS_CLOSING) != 0)
		return;
	s->flags |= CONN_WS_CLOSING;
	ws_frame_render_close(&o, code, slice_text(reason));
	if (deliver_say(w, slot, slice_of(o.bytes, o.len)))
		conn_finish(w, slot);
}

void
serve_ws_error(
    struct worker *w, uint32_t slot, enum error_code code, struct slice message, struct slice ref)
{
	if (conn_is_raw(worker_slot(w, slot)))
		serve_ws_end(w, slot, WS_CLOSE_POLICY, error_word(code));
	else
		SAY(w, slot, control_error(&json, code, message, ref));
}

/* An error that leaves nothing to stay for. */
static void
end_with(
    struct worker *w, uint32_t slot, enum error_code code, const char *message, unsigned close_code)
{
	if (!conn_is_raw(worker_slot(w, slot)))
		serve_ws_error(w, slot, code, slice_text(message), (struct slice){NULL, 0});
	serve_ws_end(w, slot, close_code, error_word(code));
}

/* ---- the handshake -------------------------------------------------------------------------------- */

static bool
is_raw(const struct session_request *r)
{
	if (r->handshake->protocol == WS_HANDSHAKE_NO_PROTOCOL)
		return r->format == SESSION_FORMAT_RAW;
	return r->handshake->protocol == PROTOCOL_RAW;
}

static bool
check_handshake(struct worker *w, uint32_t slot, const struct session_request *r)
{
	const enum ws_handshake_result result =
	    ws_handshake_check(r->handshake, r->http->method_name, r->http->minor);

	if (result == WS_HANDSHAKE_OK &&
	    (r->http->framing == HTTP_FRAMING_NONE ||
		(r->http->framing == HTTP_FRAMING_LENGTH && r->http->content_length == 0)))
		return true;
	if (result == WS_HANDSHAKE_OK) { /* its bytes would be taken for frames */
		session_refuse_upgrade(
		    w, slot, r, ERROR_BAD_REQUEST, "a WebSocket handshake has no body");
		return false;
	}
	session_refuse_upgrade(w, slot, r,
	    ws_handshake_status(result) == 426 ? ERROR_UPGRADE_REQUIRED : ERROR_BAD_REQUEST,
	    ws_handshake_text(result));
	return false;
}

/* What the URL asks for, after the 101: a browser cannot see an HTTP status. False: the connection ends. */
static bool
subscribe_all(struct worker *w, uint32_t slot, const struct session_request *r)
{
	if (w->draining) {
		end_with(w, slot, ERROR_DRAINING, "this server is about to stop: connect again",
		    WS_CLOSE_GOING_AWAY);
		return false;
	}
	if (r->fault != NULL) {
		end_with(w, slot, r->fault_code, r->fault, WS_CLOSE_POLICY);
		return false;
	}
	if (r->channel_count == 0 && is_raw(r)) {
		end_with(w, slot, ERROR_NO_CHANNEL, "name a channel in the URL", WS_CLOSE_POLICY);
		return false;
	}
	for (uint32_t i = 0; i < r->channel_count; i++) {
		const enum conn_refusal refusal =
		    conn_subscribe(w, slot, r->channels[i], &r->after);
		const char *message;
		enum error_code code;

		if (refusal == CONN_SUBSCRIBED || refusal == CONN_ALREADY)
			continue;
		code = session_subscribe_error((int)refusal, &message);
		end_with(w, slot, code, message,
		    code == ERROR_OVERLOADED ? WS_CLOSE_TRY_LATER : WS_CLOSE_POLICY);
		return false;
	}
	return true;
}

/* The client's window, where it may refer to earlier messages, and there is room for it. */
static bool
keep_window(struct worker *w, struct slot *s, const struct ws_deflate *offer)
{
	const unsigned bits = offer->client_bits != 0 ? offer->client_bits : WS_DEFLATE_BITS_MAX;
	struct deflate_window *window;
	struct extra *x;

	if (offer->client_forgets || w->settings.now.compression_takeover_bytes == 0)
		return false;
	window = deflate_window_new(w, bits);
	x = window == NULL ? NULL : extra_need(w, s);
	if (x == NULL) {
		deflate_window_free(w, window);
		return false;
	}
	x->window = window;
	return true;
}

/* Answers an offer of compression; the answer's field goes to o. Returns the dialect. */
static uint8_t
negotiate(struct worker *w, struct slot *s, const struct session_request *r, struct out *o)
{
	const struct ws_deflate_offers *offers = &r->handshake->extensions;
	const bool raw = is_raw(r);
	struct ws_deflate answer;

	if (!w->settings.now.compression || offers->rank == WS_DEFLATE_NONE)
		return raw ? DIALECT_WS_RAW : DIALECT_WS;
	answer = ws_deflate_answer(offers, keep_window(w, s, &offers->best));
	ws_deflate_render(o, &answer);
	s->flags |= CONN_DEFLATE;
	board_add(&w->board, BOARD_DEFLATE_CONNECTIONS, 1);
	/* Who insists on a smaller window gets messages as they are. */
	if (offers->rank == WS_DEFLATE_INPUT)
		return raw ? DIALECT_WS_RAW : DIALECT_WS;
	return raw ? DIALECT_WS_RAW_DEFLATE : DIALECT_WS_DEFLATE;
}

void
serve_ws_start(struct worker *w, uint32_t slot, const struct session_request *r)
{
	struct slot *s = worker_slot(w, slot);
	char agreed[WS_DEFLATE_ANSWER_BYTES];
	struct out extensions = out_to(agreed, sizeof agreed);
	char bytes[512], name[CONN_NAME_BYTES];
	struct out o = out_to(bytes, sizeof bytes);

	if (!check_handshake(w, slot, r))
		return;
	conn_set_dialect(w, slot, (uint8_t)negotiate(w, s, r, &extensions));
	s->flags &= (uint16_t)~CONN_KEEP_ALIVE;
	conn_set_state(w, slot, CONN_CATCHUP);
	ws_handshake_render_answer(&o, r->handshake, slice_of(extensions.bytes, extensions.len));
	if (!deliver_say(w, slot, slice_of(o.bytes, o.len)) || !subscribe_all(w, slot, r))
		return;
	SAY(w, slot,
	    control_welcome(&json, session_cursor_shown(w, slot, &r->after),
		w->settings.now.beat_ws_s, slice_of(name, conn_name(w, slot, name))));
	if (s->state == CONN_CLOSED)
		return;
	if (r->resumes && !conn_is_raw(s))
		s->flags |= CONN_WANTS_LIVE;
	beat_schedule(w, slot);
	replay_start(w, slot);
}

/* ---- what the client asks for ---------------------------------------------------------------------- */

/* A cursor before everything that it may still get. */
static uint64_t
cursor_of(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);
	const struct extra *x = extra_of(w, s);
	uint64_t cursor;

	if (s->state == CONN_LIVE)
		fanout_settle(w, slot);
	cursor = s->cursor;
	if (s->state == CONN_LIVE || x == NULL)
		return cursor;
	cursor = ring_last_id(&w->ring);
	for (uint32_t i = 0; i < x->sub_count; i++)
		if (x->subs[i].cursor < cursor)
			cursor = x->subs[i].cursor;
	return cursor;
}

static void
op_subscribe(struct worker *w, uint32_t slot, const struct op *op)
{
	struct slot *s = worker_slot(w, slot);
	const uint64_t cursor = cursor_of(w, slot);
	struct cursor after = op->after;
	enum conn_refusal refusal;
	const char *message;

	conn_decide_now(w, &after);
	/* Its places are needed to merge the new channel in. */
	if (s->state == CONN_LIVE && !replay_from_live(w, slot, false))
		return;
	refusal = conn_subscribe(w, slot, op->channel, &after);
	if (refusal == CONN_ALREADY) {
		SAY(w, slot, control_subscribed(&json, op->channel, cursor, op->ref));
	} else if (refusal == CONN_SUBSCRIBED) {
		SAY(w, slot,
		    control_subscribed(
			&json, op->channel, session_cursor_shown(w, slot, &after), op->ref));
		s->flags |= CONN_WANTS_LIVE;
	} else {
		const enum error_code code = session_subscribe_error((int)refusal, &message);

		serve_ws_error(w, slot, code, slice_text(message), op->ref);
	}
}

static void
op_unsubscribe(struct worker *w, uint32_t slot, const struct op *op)
{
	struct slot *s = worker_slot(w, slot);

	conn_unsubscribe(w, slot, op->channel);
	if (s->state == CONN_LIVE)
		extra_subs_close(w, s);
	SAY(w, slot, control_unsubscribed(&json, op->channel, (struct slice){NULL, 0}, op->ref));
}

static void
op_publish(struct worker *w, uint32_t slot, const struct op *op)
{
	const char *message;
	const enum error_code code = serve_publish_send(w, slot, &op->event, op->ref, &message);

	if (code != ERROR_NONE)
		serve_ws_error(w, slot, code, slice_text(message), op->ref);
}

static void
do_op(struct worker *w, uint32_t slot, struct slice message)
{
	struct event_fault fault;
	struct out scratch;
	struct op *op = &w->op;

	if (!buffer_reserve(&w->scratch, message.len)) {
		end_with(w, slot, ERROR_OVERLOADED, "out of memory", WS_CLOSE_TRY_LATER);
		return;
	}
	scratch = buffer_out(&w->scratch);
	if (!op_parse(op, message, &scratch, &fault)) {
		serve_ws_error(w, slot, fault.code, slice_text(fault.message), op->ref);
		return;
	}
	switch (op->kind) {
	case OP_SUBSCRIBE:
		op_subscribe(w, slot, op);
		break;
	case OP_UNSUBSCRIBE:
		op_unsubscribe(w, slot, op);
		break;
	case OP_PUBLISH:
		op_publish(w, slot, op);
		break;
	case OP_PING:
		SAY(w, slot, control_pong(&json, cursor_of(w, slot), op->ref));
		break;
	}
}

/* Bare data goes to the one channel of the connection. */
static void
publish_raw(struct worker *w, uint32_t slot, enum ws_opcode opcode, struct slice message)
{
	struct slot *s = worker_slot(w, slot);
	struct event *e = &w->op.event;
	const char *text = "";
	enum error_code code = ERROR_FORBIDDEN;

	event_clear(e);
	if (conn_channel_count(w, s) == 1) {
		e->channels[0] = channel_name(channel_at(w, conn_channel(w, s, 0)));
		e->channel_count = 1;
		e->kind = opcode == WS_TEXT ? EVENT_TEXT : EVENT_BINARY;
		e->data = message;
		code = serve_publish_send(w, slot, e, (struct slice){NULL, 0}, &text);
	}
	if (code != ERROR_NONE)
		serve_ws_error(w, slot, code, slice_text(text), (struct slice){NULL, 0});
}

static void
do_message(struct worker *w, uint32_t slot, enum ws_opcode opcode, struct slice message)
{
	if (conn_is_raw(worker_slot(w, slot)))
		publish_raw(w, slot, opcode, message);
	else
		do_op(w, slot, message);
}

/* ---- input ---------------------------------------------------------------------------------------- */

/* What a message may hold: bare data, or an object with data inside. */
static uint32_t
message_len_max(const struct worker *w, const struct slot *s)
{
	return conn_is_raw(s) ? w->settings.now.max_event_bytes
			      : settings_json_len_max(&w->settings);
}

static void
refuse_message(struct worker *w, uint32_t slot, unsigned code, const char *text)
{
	board_add(&w->board, BOARD_CLOSED_PROTOCOL, 1);
	serve_ws_end(w, slot, code, text);
}

/* Compressed data that is no such data is "not consistent with the type of the message": 1007 (RFC 6455 section 7.4.1). */
static void
do_packed(struct worker *w, uint32_t slot, enum ws_opcode opcode, struct slice packed)
{
	const struct slot *s = worker_slot(w, slot);
	const struct extra *x = extra_of(w, s);
	struct slice message;

	switch (deflate_unpack(
	    w, x == NULL ? NULL : x->window, packed, message_len_max(w, s), &message)) {
	case DEFLATE_OK:
		if (opcode == WS_TEXT && !utf8_valid(message))
			refuse_message(w, slot, WS_CLOSE_NOT_UTF8, "text is not UTF-8");
		else
			do_message(w, slot, opcode, message);
		break;
	case DEFLATE_TOO_BIG:
		refuse_message(w, slot, WS_CLOSE_TOO_BIG, "message too big");
		break;
	case DEFLATE_BAD_DATA:
		refuse_message(w, slot, WS_CLOSE_NOT_UTF8, "compressed data is damaged");
		break;
	case DEFLATE_NO_MEMORY:
		conn_close(w, slot, BOARD_SHED_MEMORY);
		break;
	}
}

static void
do_whole(struct worker *w, uint32_t slot, const struct ws_input_event *event, struct slice message)
{
	if (event->compressed)
		do_packed(w, slot, event->opcode, message);
	else
		do_message(w, slot, event->opcode, message);
}

/* A message in one piece is used where it lies; the pieces of others are gathered first. */
static void
take_data(struct worker *w, uint32_t slot, const struct ws_input_event *event)
{
	struct slot *s = worker_slot(w, slot);
	struct extra *x;
	struct buffer whole;

	if (event->opcode == WS_BINARY && !conn_is_raw(s)) { /* its first bytes are enough */
		serve_ws_end(w, slot, WS_CLOSE_UNSUPPORTED,
		    "send JSON as text; bare data is for the subprotocol ringcast.raw");
		return;
	}
	if (event->first && event->last) {
		do_whole(w, slot, event, event->data);
		return;
	}
	x = extra_need(w, s);
	if (x == NULL) {
		conn_close(w, slot, BOARD_CLOSED_ERROR);
		return;
	}
	if (!extra_input_add(w, x, event->data.bytes, event->data.len)) {
		end_with(w, slot, ERROR_OVERLOADED, SESSION_INPUT_FULL, WS_CLOSE_TRY_LATER);
		return;
	}
	if (!event->last)
		return;
	whole = extra_input_take(w, x);
	do_whole(w, slot, event, buffer_slice(&whole));
	buffer_free(&whole);
}

/* The payload of a control frame, also when reads cut it. True: it is whole. */
static bool
take_control(struct ws_partial *p, const struct ws_input_event *event)
{
	if (event->first)
		p->control_len = 0;
	if (event->data.len != 0)
		memcpy(p->control + p->control_len, event->data.bytes, event->data.len);
	p->control_len = (uint8_t)(p->control_len + event->data.len);
	return event->last;
}

static void
pong(struct worker *w, uint32_t slot, const struct ws_partial *p)
{
	char bytes[WS_FRAME_CONTROL_BYTES_MAX + WS_FRAME_HEAD_BYTES_MAX];
	struct out o = out_to(bytes, sizeof bytes);

	ws_frame_render(&o, WS_PONG, slice_of((const char *)p->control, p->control_len));
	deliver_say(w, slot, slice_of(o.bytes, o.len));
}

static void
take(struct worker *w, uint32_t slot, struct ws_partial *p, const struct ws_input_event *event)
{
	switch (event->kind) {
	case WS_INPUT_DATA:
		take_data(w, slot, event);
		break;
	case WS_INPUT_PING:
		if (take_control(p, event))
			pong(w, slot, p);
		break;
	case WS_INPUT_CLOSE:
		if (take_control(p, event))
			serve_ws_end(w, slot, event->code, "");
		break;
	case WS_INPUT_ERROR:
		refuse_message(w, slot, event->code, event->text);
		break;
	case WS_INPUT_PONG:
	case WS_INPUT_MORE:
		break;
	}
}

/* One timer waits for two things: for the next beat, and for the end of a message that has begun. */
static void
await(struct worker *w, uint32_t slot, const struct extra *x)
{
	const uint32_t beat_ms = timer_left_ms(w, x->ws->beat_due);
	const uint32_t left_ms = session_time_left_ms(w, x->ws->begun_ns, x->input.len);

	timer_set(w, slot, left_ms < beat_ms ? left_ms : beat_ms);
}

/* Keeps the state of a frame or message that is not whole, and only that. */
static void
keep_partial(struct worker *w, uint32_t slot, const struct ws_partial *p)
{
	struct slot *s = worker_slot(w, slot);
	struct extra *x = extra_of(w, s);
	bool new;

	if (ws_input_idle(&p->input)) {
		if (x == NULL || x->ws == NULL)
			return;
		timer_set(w, slot, timer_left_ms(w, x->ws->beat_due));
		free(x->ws);
		x->ws = NULL;
		return;
	}
	x = extra_need(w, s);
	new = x != NULL && x->ws == NULL;
	if (new)
		x->ws = malloc(sizeof *x->ws);
	if (x == NULL || x->ws == NULL) {
		conn_close(w, slot, BOARD_SHED_MEMORY);
		return;
	}
	*x->ws = *p;
	if (new) /* what comes later makes its time longer, which is seen when the timer is due */
		await(w, slot, x);
}

/* Between two messages one can stop, and does when enough was inflated in this turn. */
static bool
has_had_enough(const struct worker *w, const struct slot *s, const struct ws_partial *p)
{
	return (s->flags & CONN_DEFLATE) != 0 && ws_input_idle(&p->input) && deflate_is_spent(w);
}

/* What is left of the input waits for another turn (pairs with session_input, and with deliver_serve). */
static void
pause_input(struct worker *w, uint32_t slot, const char *bytes, size_t len)
{
	struct slot *s = worker_slot(w, slot);
	struct extra *x = extra_need(w, s);

	if (x == NULL) {
		conn_close(w, slot, BOARD_CLOSED_ERROR);
		return;
	}
	if (!extra_input_add(w, x, bytes, len)) {
		end_with(w, slot, ERROR_OVERLOADED, SESSION_INPUT_FULL, WS_CLOSE_TRY_LATER);
		return;
	}
	s->flags |= CONN_INPUT_WAITS;
	if (w->deflate.paused != 0)
		deliver_ready(w, w->deflate.paused);
	w->deflate.paused = slot;
}

void
serve_ws_input(struct worker *w, uint32_t slot, char *bytes, size_t len)
{
	struct slot *s = worker_slot(w, slot);
	const struct extra *x = extra_of(w, s);
	struct ws_partial p;

	s->pings = 0; /* whatever it says, it lives */
	if (x != NULL && x->ws != NULL) {
		p = *x->ws;
	} else {
		p.control_len = 0;
		p.begun_ns = w->now_ns;
		p.beat_due = s->due;
		ws_input_start(&p.input, WS_SERVER, message_len_max(w, s));
		if ((s->flags & CONN_DEFLATE) != 0)
			ws_input_deflate(&p.input);
	}
	while (len != 0 && !has_had_enough(w, s, &p)) {
		struct ws_input_event event;
		const size_t used = ws_input_next(&p.input, bytes, len, &event);

		take(w, slot, &p, &event);
		if (s->state == CONN_CLOSED || s->state == CONN_LINGER ||
		    (s->flags & CONN_WS_CLOSING) != 0)
			return;
		if (ws_input_idle(&p.input))
			p.begun_ns = w->now_ns; /* another one may begin with the next byte */
		bytes += used;
		len -= used;
	}
	keep_partial(w, slot, &p);
	if (len != 0)
		pause_input(w, slot, bytes, len);
}

/* ---- deadlines ------------------------------------------------------------------------------------ */

/* A message that has begun and did not end in time. Nothing can be said inside a frame of ours. */
static void
message_late(struct worker *w, uint32_t slot)
{
	if (worker_slot(w, slot)->offset != 0) {
		conn_close(w, slot, BOARD_CLOSED_TIMEOUT);
		return;
	}
	board_add(&w->board, BOARD_CLOSED_TIMEOUT, 1);
	end_with(w, slot, ERROR_TIMEOUT, "the message did not arrive in time", WS_CLOSE_POLICY);
}

static void
beat(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);

	if (s->pings >= PINGS_UNANSWERED) {
		conn_close(w, slot, BOARD_CLOSED_PING);
		return;
	}
	if (beat_is_due(w, slot)) {
		s->pings++;
		board_add(&w->board, BOARD_PINGS, 1);
		deliver_beat(w, slot, conn_is_raw(s) ? beat_raw(w) : beat_ws(w));
	}
	if (s->state != CONN_CLOSED)
		beat_schedule(w, slot);
}

void
serve_ws_due(struct worker *w, uint32_t slot)
{
	const struct slot *s = worker_slot(w, slot);
	struct extra *x = extra_of(w, s);

	if (x == NULL || x->ws == NULL) {
		beat(w, slot);
		return;
	}
	if (session_time_left_ms(w, x->ws->begun_ns, x->input.len) == 0) {
		message_late(w, slot);
		return;
	}
	if (timer_left_ms(w, x->ws->beat_due) == 0) {
		beat(w, slot);
		if (s->state == CONN_CLOSED)
			return;
		x->ws->beat_due = s->due;
	}
	await(w, slot, x);
}
