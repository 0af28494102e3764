/*
 * conn.c: see conn.h for the states.
 */
#include "worker/conn.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "worker/intake.h"
#include "worker/serve_poll.h"
#include "worker/serve_sse.h"
#include "worker/serve_ws.h"
#include "worker/session.h"
#include "worker/worker.h"

#define LINGER_MS 2000
#define LINGER_BYTES 4096
#define STUCK_MS 30000 /* what does not fit into the socket may wait this long to leave */

/* ---- kinds ------------------------------------------------------------------------------------ */

bool
conn_is_websocket(const struct slot *s)
{
	return s->dialect >= DIALECT_WS && s->dialect <= DIALECT_WS_RAW_DEFLATE;
}

bool
conn_is_raw(const struct slot *s)
{
	return s->dialect == DIALECT_WS_RAW || s->dialect == DIALECT_WS_RAW_DEFLATE;
}

bool
conn_is_packed(const struct slot *s)
{
	return s->dialect == DIALECT_WS_DEFLATE || s->dialect == DIALECT_WS_RAW_DEFLATE;
}

bool
conn_is_sse(const struct slot *s)
{
	return s->dialect == DIALECT_SSE || s->dialect == DIALECT_SSE_JSON;
}

bool
conn_is_poll(const struct slot *s)
{
	return s->dialect == DIALECT_POLL || s->dialect == DIALECT_LONGPOLL;
}

bool
conn_is_stream(const struct slot *s)
{
	return conn_is_websocket(s) || conn_is_sse(s);
}

size_t
conn_name(const struct worker *w, uint32_t slot, char *name)
{
	char text[CONN_NAME_BYTES + 16];
	const int len = snprintf(
	    text, sizeof text, "%u-%08x%08x", w->ordinal, w->slots.table[slot].generation, slot);

	memcpy(name, text, (size_t)len);
	return (size_t)len;
}

/* ---- states ----------------------------------------------------------------------------------- */

#define TO(state) (1u << (state))

static const uint16_t edges[CONN_STATES] = {
    [CONN_FREE] = TO(CONN_HEAD),
    [CONN_HEAD] =
	TO(CONN_BODY) | TO(CONN_CATCHUP) | TO(CONN_LIVE) | TO(CONN_LINGER) | TO(CONN_CLOSED),
    [CONN_BODY] = TO(CONN_ANSWER) | TO(CONN_HEAD) | TO(CONN_LINGER) | TO(CONN_CLOSED),
    [CONN_ANSWER] = TO(CONN_HEAD) | TO(CONN_LINGER) | TO(CONN_CLOSED),
    [CONN_HELD] = TO(CONN_CATCHUP) | TO(CONN_HEAD) | TO(CONN_LINGER) | TO(CONN_CLOSED),
    [CONN_CATCHUP] =
	TO(CONN_HELD) | TO(CONN_HEAD) | TO(CONN_LIVE) | TO(CONN_LINGER) | TO(CONN_CLOSED),
    [CONN_LIVE] = TO(CONN_CATCHUP) | TO(CONN_LINGER) | TO(CONN_CLOSED),
    [CONN_LINGER] = TO(CONN_CLOSED),
    [CONN_CLOSED] = TO(CONN_FREE),
};

void
conn_set_state(struct worker *w, uint32_t slot, uint8_t state)
{
	struct slot *s = worker_slot(w, slot);

	assert((edges[s->state] & TO(state)) != 0);
	if (conn_is_stream(s)) {
		if (s->state == CONN_CATCHUP)
			board_sub(&w->board, BOARD_LAGGING, 1);
		if (state == CONN_CATCHUP)
			board_add(&w->board, BOARD_LAGGING, 1);
	}
	s->state = state;
}

static enum board_counter
gauge_of(uint8_t dialect)
{
	switch ((enum dialect)dialect) {
	case DIALECT_SSE:
	case DIALECT_SSE_JSON:
		return BOARD_CONNECTIONS_SSE;
	case DIALECT_WS:
	case DIALECT_WS_RAW:
	case DIALECT_WS_DEFLATE:
	case DIALECT_WS_RAW_DEFLATE:
		return BOARD_CONNECTIONS_WS;
	case DIALECT_POLL:
		return BOARD_CONNECTIONS_POLL;
	case DIALECT_LONGPOLL:
		return BOARD_CONNECTIONS_LONGPOLL;
	case DIALECT_NONE:
	case DIALECTS:
		break;
	}
	return BOARD_CONNECTIONS_IDLE;
}

void
conn_set_dialect(struct worker *w, uint32_t slot, uint8_t dialect)
{
	struct slot *s = worker_slot(w, slot);

	board_sub(&w->board, gauge_of(s->dialect), 1);
	board_add(&w->board, gauge_of(dialect), 1);
	s->dialect = dialect;
}

/* ---- in and out ------------------------------------------------------------------------------- */

bool
conn_accept(struct worker *w, int descriptor, uint32_t peer_hash)
{
	const uint32_t slot = slots_take(&w->slots);
	struct slot *s;

	if (slot == 0) {
		board_add(&w->board, BOARD_SHED_CONNECTIONS, 1);
		return false;
	}
	s = worker_slot(w, slot);
	s->descriptor = descriptor;
	s->peer_hash = peer_hash;
	s->flags = 0;
	s->last_in = s->last_out = timer_now(w);
	w->births_s[slot] = (uint32_t)(w->now_ns / 1000000000);
	w->connection_count++;
	board_add(&w->board, BOARD_ACCEPTED, 1);
	board_add(&w->board, BOARD_CONNECTIONS_IDLE, 1);
	conn_set_state(w, slot, CONN_HEAD);
	timer_set(w, slot, w->settings.now.header_timeout_s * 1000);
	conn_arm(w, slot);
	return true;
}

void
conn_close(struct worker *w, uint32_t slot, enum board_counter cause)
{
	struct slot *s = worker_slot(w, slot);

	if (s->state == CONN_CLOSED || s->state == CONN_FREE)
		return;
	board_add(&w->board, cause, 1);
	conn_unsubscribe_all(w, slot);
	timer_clear(w, slot);
	if ((s->flags & CONN_DEFLATE) != 0)
		board_sub(&w->board, BOARD_DEFLATE_CONNECTIONS, 1);
	conn_set_state(w, slot, CONN_CLOSED);
	conn_set_dialect(w, slot, DIALECT_NONE);
	/* Room for it was made when it was accepted: as many as there are connections. */
	w->closed[w->closed_count++] = slot;
}

void
conn_sweep(struct worker *w)
{
	if (w->closed_count == 0)
		return;
	deliver_flush(w); /* no queued send may meet a descriptor that was given away meanwhile */
	for (size_t i = 0; i < w->closed_count; i++) {
		const uint32_t slot = w->closed[i];
		struct slot *s = worker_slot(w, slot);

		extra_drop(w, s);
		io_shutdown_close(s->descriptor);
		intake_closed(w, s->peer_hash);
		board_sub(&w->board, BOARD_CONNECTIONS_IDLE, 1);
		conn_set_state(w, slot, CONN_FREE);
		slots_release(&w->slots, slot);
		w->connection_count--;
	}
	w->closed_count = 0;
}

void
conn_finish(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);
	struct extra *x = extra_of(w, s);

	if (s->state == CONN_CLOSED)
		return;
	if (x != NULL)
		extra_input_free(w, x); /* nothing that it has sent counts any more */
	if (deliver_pending(w, s) != 0) {
		s->flags |= CONN_CLOSE_AFTER;
		timer_set(w, slot, STUCK_MS);
		return;
	}
	/*
	 * Closing with input unread would reset the connection, and with it what the client has not read yet (RFC 9112, 9.6); also of a
	 * client that has ended its side, behind more than we had read.
	 */
	shutdown(s->descriptor, SHUT_WR);
	conn_unsubscribe_all(w, slot);
	conn_set_state(w, slot, CONN_LINGER);
	timer_set(w, slot, LINGER_MS);
	conn_arm(w, slot);
	if ((s->flags & (CONN_INPUT_WAITS | CONN_HALF_CLOSED)) != 0)
		conn_input(w, slot, POLLIN);
}

static void
linger(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);
	char waste[LINGER_BYTES];

	for (int i = 0; i < 16; i++) {
		const ssize_t n = io_recv(s->descriptor, waste, sizeof waste);

		if (n == -EAGAIN)
			break;
		if (n <= 0) {
			conn_close(w, slot, BOARD_CLOSED_DONE);
			return;
		}
	}
	/* However much it sends: closing before its end would reset the connection, and the client would not learn why. */
	conn_arm(w, slot);
}

/* ---- polls ------------------------------------------------------------------------------------- */

bool
conn_reads(struct worker *w, uint32_t slot)
{
	const struct slot *s = worker_slot(w, slot);

	if ((s->flags & CONN_CLOSE_AFTER) != 0)
		return false;
	if (s->state == CONN_HEAD || s->state == CONN_BODY)
		return deliver_pending(w, s) == 0;
	return conn_is_websocket(s) && (s->state == CONN_LIVE || s->state == CONN_CATCHUP) &&
	       s->offset == 0 && deliver_pending(w, s) == 0;
}

void
conn_arm(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);
	const bool deaf = conn_is_sse(s) && s->state != CONN_LINGER;

	if (s->state == CONN_CLOSED)
		return;
	/* While input waits unread, a poll for it would fire at once and for ever; the hang-up is still of interest. */
	if (deaf || ((s->flags & CONN_INPUT_WAITS) != 0 && s->state != CONN_LINGER)) {
		if ((s->flags & CONN_ARMED_HANGUP) != 0 || (s->flags & CONN_HALF_CLOSED) != 0)
			return;
		io_poll(
		    &w->io, s->descriptor, POLLRDHUP, IO_TOKEN(TOKEN_HANGUP, s->generation, slot));
		s->flags |= CONN_ARMED_HANGUP;
		return;
	}
	if ((s->flags & CONN_ARMED_INPUT) != 0)
		return;
	io_poll(
	    &w->io, s->descriptor, POLLIN | POLLRDHUP, IO_TOKEN(TOKEN_INPUT, s->generation, slot));
	s->flags |= CONN_ARMED_INPUT;
}

void
conn_block(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);

	s->flags |= CONN_BLOCKED;
	if ((s->flags & CONN_ARMED_OUTPUT) != 0)
		return;
	io_poll(&w->io, s->descriptor, POLLOUT, IO_TOKEN(TOKEN_OUTPUT, s->generation, slot));
	s->flags |= CONN_ARMED_OUTPUT;
}

void
conn_sent(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);

	if ((s->flags & CONN_CLOSE_AFTER) != 0 && deliver_pending(w, s) == 0) {
		s->flags &= (uint16_t)~CONN_CLOSE_AFTER;
		conn_finish(w, slot);
		return;
	}
	deliver_ready(w, slot);
}

/*
 * Whom to blame when a poll ends with an error: a negative errno is ours, and these two say that the kernel keeps no more of them
 * (epoll: fs.epoll.max_user_watches).
 */
static enum board_counter
poll_failed(int32_t events)
{
	if (events == -ENOSPC || events == -ENOMEM)
		return BOARD_SHED_CONNECTIONS;
	return events < 0 ? BOARD_CLOSED_ERROR : BOARD_CLOSED_CLIENT;
}

void
conn_output(struct worker *w, uint32_t slot, int32_t events)
{
	struct slot *s = worker_slot(w, slot);

	s->flags &= (uint16_t) ~(CONN_ARMED_OUTPUT | CONN_BLOCKED);
	if (s->state == CONN_CLOSED)
		return;
	if (events < 0 || (events & (POLLERR | POLLHUP)) != 0) {
		conn_close(w, slot, poll_failed(events));
		return;
	}
	deliver_ready(w, slot);
}

void
conn_half_closed(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);

	s->flags |= CONN_HALF_CLOSED;
	/* What a WebSocket said before the end waits for its turn, or for what is to be sent first: the end is found behind it. */
	if (conn_is_websocket(s) && (s->flags & CONN_INPUT_WAITS) != 0)
		return;
	switch ((enum conn_state)s->state) {
	case CONN_HELD:
		serve_poll_release(w, slot); /* with what there is, which may be nothing */
		return;
	case CONN_CATCHUP:
		if (conn_is_poll(s))
			return; /* its answer is on the way */
		break;
	case CONN_ANSWER:
		return;
	case CONN_HEAD:
	case CONN_BODY:
		if (deliver_pending(w, s) != 0)
			return; /* session_resume reads what came before the end, and finds the end behind it */
		break;
	case CONN_LIVE:
	case CONN_LINGER:
	case CONN_FREE:
	case CONN_CLOSED:
	case CONN_STATES:
		break;
	}
	conn_close(w, slot, BOARD_CLOSED_CLIENT);
}

void
conn_input(struct worker *w, uint32_t slot, int32_t events)
{
	struct slot *s = worker_slot(w, slot);

	s->flags &= (uint16_t)~CONN_ARMED_INPUT;
	if (s->state == CONN_CLOSED)
		return;
	if (events < 0 || (events & POLLERR) != 0) {
		conn_close(w, slot, poll_failed(events));
		return;
	}
	if (s->state == CONN_LINGER) {
		linger(w, slot);
	} else if (conn_reads(w, slot) && (s->flags & CONN_DEFLATE) != 0) {
		s->flags |= CONN_INPUT_WAITS; /* inflating goes in turns: see deliver_serve */
		deliver_ready(w, slot);
	} else if (conn_reads(w, slot)) {
		s->flags &= (uint16_t)~CONN_INPUT_WAITS;
		session_input(w, slot);
	} else {
		s->flags |= CONN_INPUT_WAITS;
		conn_arm(w, slot);
	}
}

void
conn_hangup(struct worker *w, uint32_t slot, int32_t events)
{
	struct slot *s = worker_slot(w, slot);

	s->flags &= (uint16_t)~CONN_ARMED_HANGUP;
	if (s->state == CONN_CLOSED)
		return;
	if (events < 0 || (events & (POLLERR | POLLHUP)) != 0)
		conn_close(w, slot, poll_failed(events));
	else if (s->state == CONN_LINGER || (s->flags & CONN_CLOSE_AFTER) != 0)
		s->flags |= CONN_HALF_CLOSED;
	else if (conn_reads(w, slot))
		conn_input(w, slot, POLLIN); /* what came before the end is still to be read */
	else
		conn_half_closed(w, slot);
}

void
conn_rescan(struct worker *w)
{
	const uint32_t end = w->slots.head->touched;

	for (uint32_t slot = 1; slot < end; slot++) {
		struct slot *s = worker_slot(w, slot);

		if (s->state == CONN_FREE || s->state == CONN_CLOSED)
			continue;
		/* A second poll beside one that is still parked does no harm: both fire, the later finds nothing to do. */
		s->flags &= (uint16_t) ~(CONN_ARMED_INPUT | CONN_ARMED_HANGUP);
		conn_arm(w, slot);
		if ((s->flags & CONN_BLOCKED) != 0) {
			s->flags &= (uint16_t)~CONN_ARMED_OUTPUT;
			conn_block(w, slot);
		}
	}
}

/* ---- deadlines --------------------------------------------------------------------------------- */

/* A long answer over a slow line is neither idle nor stuck while the socket takes some of it now and then. */
static bool
output_moves(struct worker *w, uint32_t slot)
{
	const struct slot *s = worker_slot(w, slot);
	const uint32_t quiet_ms = (uint32_t)timer_since(w, s->last_out) * TIMER_TICK_MS;

	if ((s->state != CONN_HEAD && (s->flags & CONN_CLOSE_AFTER) == 0) ||
	    deliver_pending(w, s) == 0 || quiet_ms >= STUCK_MS)
		return false;
	timer_set(w, slot, STUCK_MS - quiet_ms);
	return true;
}

void
conn_due(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);

	if (output_moves(w, slot))
		return;
	if ((s->flags & CONN_CLOSE_AFTER) != 0) {
		conn_close(w, slot, BOARD_CLOSED_SLOW);
		return;
	}
	switch ((enum conn_state)s->state) {
	case CONN_HEAD:
	case CONN_BODY:
		session_timeout(w, slot);
		return;
	case CONN_HELD:
		serve_poll_release(w, slot);
		return;
	case CONN_CATCHUP:
	case CONN_LIVE:
		if (conn_is_sse(s))
			serve_sse_due(w, slot);
		else if (conn_is_websocket(s))
			serve_ws_due(w, slot);
		return;
	case CONN_LINGER:
		conn_close(w, slot, BOARD_CLOSED_DONE);
		return;
	case CONN_ANSWER:
		s->flags &=
		    (uint16_t)~CONN_KEEP_ALIVE; /* an answer that comes after all must not meet the next request */
		session_refuse(w, slot, ERROR_OVERLOADED, "the publish was not answered in time");
		return;
	case CONN_FREE:
	case CONN_CLOSED:
	case CONN_STATES:
		return;
	}
}

/* ---- subscriptions ----------------------------------------------------------------------------- */

uint32_t
conn_channel_count(struct worker *w, const struct slot *s)
{
	const struct extra *x = extra_of(w, s);

	if (s->channel != CHANNEL_NONE)
		return 1;
	return x == NULL ? 0 : x->sub_count;
}

uint32_t
conn_channel(struct worker *w, const struct slot *s, uint32_t i)
{
	return s->channel != CHANNEL_NONE ? s->channel : extra_of(w, s)->subs[i].channel;
}

void
conn_decide_now(struct worker *w, struct cursor *after)
{
	const uint64_t last = ring_last_id(&w->ring);

	if (after->kind == CURSOR_NOW)
		after->id = last > w->read_id ? last : w->read_id;
}

/* Where a new subscription begins. */
static bool
place_sub(struct worker *w, struct sub *sub, const struct cursor *after)
{
	sub->phase = SUB_CURRENT;
	switch (after->kind) {
	case CURSOR_NOW:
		sub->cursor = after->id;
		break;
	case CURSOR_ID:
		/* The id 0-0 is older than every ring; the cursor 0 is another thing, and never gaps. */
		sub->cursor = after->id != 0 ? after->id : UINT64_MAX;
		break;
	case CURSOR_ALL:
		sub->cursor = 0;
		sub->lost_id = ring_lost_id(&w->ring);
		break;
	case CURSOR_LAST:
		sub->cursor = 0;
		sub->last = after->count;
		break;
	case CURSOR_TIME:
		if (ring_seek_time(&w->ring, after->ms, &sub->cursor) != RING_OK)
			return false;
		break;
	case CURSOR_UNKNOWN:
		sub->cursor = UINT64_MAX; /* from the future: a gap, and all that is kept */
		break;
	}
	sub->since = sub->cursor;
	return true;
}

enum conn_refusal
conn_subscribe(struct worker *w, uint32_t slot, struct slice name, const struct cursor *after)
{
	struct slot *s = worker_slot(w, slot);
	const struct rule *rule = settings_rule(&w->settings, name);
	struct channel *c;
	struct sub *sub;

	if (rule == NULL || rule->subscribe != RULE_ANYONE)
		return CONN_FORBIDDEN;
	c = channel_find(w, ring_hash(&w->ring, name.bytes, name.len), name);
	if (c != NULL && (s->channel == c->index || extra_sub(w, s, c->index) != NULL))
		return CONN_ALREADY;
	if (conn_channel_count(w, s) >= w->settings.now.max_channels_per_connection)
		return CONN_TOO_MANY;
	if (!extra_subs_open(w, s) || (c = channel_make(w, name)) == NULL)
		return CONN_NO_MEMORY;
	sub = extra_sub_add(w, s);
	if (sub == NULL || !place_sub(w, sub, after) ||
	    !channel_join(w, c, slot, s->dialect, &sub->member)) {
		if (sub != NULL)
			extra_sub_remove(w, s, sub);
		channel_drop_if_empty(w, c);
		return CONN_NO_MEMORY;
	}
	sub->channel = c->index;
	sub->gapless = conn_is_poll(s) && sub->cursor == 0;
	if (sub->cursor == 0 && !replay_anchor(w, sub)) {
		conn_unsubscribe(w, slot, name);
		return CONN_NO_MEMORY;
	}
	return CONN_SUBSCRIBED;
}

static void
leave(struct worker *w, const struct slot *s, uint32_t channel, uint32_t member)
{
	channel_leave(w, channel_at(w, channel), member, s->dialect);
}

bool
conn_unsubscribe(struct worker *w, uint32_t slot, struct slice name)
{
	struct slot *s = worker_slot(w, slot);
	struct channel *c = channel_find(w, ring_hash(&w->ring, name.bytes, name.len), name);
	struct sub *sub;
	uint32_t member;

	if (c == NULL)
		return false;
	if (s->channel == c->index) {
		s->channel = CHANNEL_NONE;
		leave(w, s, c->index, s->member);
		return true;
	}
	sub = extra_sub(w, s, c->index);
	if (sub == NULL)
		return false;
	member = sub->member;
	extra_sub_remove(w, s, sub);
	leave(w, s, c->index, member);
	return true;
}

void
conn_unsubscribe_all(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);
	struct extra *x = extra_of(w, s);

	if (s->channel != CHANNEL_NONE) {
		const uint32_t channel = s->channel;

		s->channel = CHANNEL_NONE;
		leave(w, s, channel, s->member);
	}
	while (x != NULL && x->sub_count != 0) {
		const struct sub sub = x->subs[x->sub_count - 1];

		extra_sub_remove(w, s, &x->subs[x->sub_count - 1]);
		leave(w, s, sub.channel, sub.member);
	}
}
