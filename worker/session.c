/*
 * session.c: reading, parsing, routing, answering.
 */
#include "worker/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "proto/http_media.h"
#include "worker/conn.h"
#include "worker/console.h"
#include "worker/log.h"
#include "worker/route.h"
#include "worker/serve_poll.h"
#include "worker/serve_publish.h"
#include "worker/serve_sse.h"
#include "worker/serve_ws.h"
#include "worker/worker.h"

#define READ_BYTES (64u << 10)
#define LATER_MS 60000             /* what arrives slowly is looked at again at the latest then */
#define PIPELINE_BYTES (64u << 10) /* of answers unsent: no more requests are taken up */

/* ---- answers ---------------------------------------------------------------------------------- */

static struct http_response
response_of(struct worker *w, const struct slot *s, const struct request *r)
{
	struct http_response response = {.status = 200,
	    .framing = HTTP_FRAMING_LENGTH,
	    .close = (s->flags & CONN_KEEP_ALIVE) == 0 || w->draining,
	    .head_only = r->head_only,
	    .date = slice_text(w->date)};

	response.cors.allow_origin = slice_of(r->allow_origin, r->allow_origin_len);
	response.cors.credentials = r->credentials;
	response.cors.vary = r->vary;
	return response;
}

void
session_head(struct worker *w, const struct slot *s, const struct request *r, struct out *o,
    struct slice type, struct slice cache, size_t length)
{
	static const struct http_field unbuffered = {
	    SLICE_LITERAL("X-Accel-Buffering"), SLICE_LITERAL("no")};
	struct http_response response = response_of(w, s, r);

	response.content_type = type;
	response.cache_control = cache;
	response.content_length = length;
	response.vary_encoding = r->vary_encoding;
	if (r->gzip)
		response.content_encoding = SLICE_LITERAL("gzip");
	if (length == SIZE_MAX) {
		response.framing = HTTP_FRAMING_UNTIL_CLOSE;
		response.close = true;
		response.extra = &unbuffered;
		response.extra_count = 1;
	}
	http_response_head(o, &response);
}

void
session_answered(struct worker *w, uint32_t slot, struct slice bytes)
{
	struct slot *s = worker_slot(w, slot);
	struct extra *x = extra_of(w, s);

	if (x != NULL)
		extra_request_free(x);
	if (s->state != CONN_HEAD)
		conn_set_state(w, slot, CONN_HEAD);
	if (!deliver_say(w, slot, bytes))
		return;
	if ((s->flags & CONN_KEEP_ALIVE) == 0 || w->draining)
		conn_finish(w, slot);
	else
		timer_set(w, slot, w->settings.now.idle_timeout_s * 1000);
}

/* Which counter a refusal belongs to. */
static enum board_counter
blame(enum error_code code)
{
	switch (code) {
	case ERROR_UNAUTHORIZED:
	case ERROR_TOKEN_EXPIRED:
	case ERROR_FORBIDDEN:
		return BOARD_REFUSED_FORBIDDEN;
	case ERROR_ORIGIN_FORBIDDEN:
		return BOARD_REFUSED_ORIGIN;
	case ERROR_NOT_FOUND:
		return BOARD_REFUSED_NOT_FOUND;
	case ERROR_RATE_LIMITED:
	case ERROR_TOO_MANY_CHANNELS:
	case ERROR_TOO_MANY_CONNECTIONS:
		return BOARD_REFUSED_LIMIT;
	case ERROR_TOO_LARGE:
	case ERROR_URI_TOO_LONG:
	case ERROR_HEADERS_TOO_LARGE:
		return BOARD_REFUSED_TOO_LARGE;
	case ERROR_OVERLOADED:
	case ERROR_DRAINING:
		return BOARD_REFUSED_OVERLOADED;
	case ERROR_NONE:
	case ERROR_BAD_REQUEST:
	case ERROR_BAD_JSON:
	case ERROR_BAD_UTF8:
	case ERROR_BAD_CHANNEL:
	case ERROR_BAD_AFTER:
	case ERROR_NO_CHANNEL:
	case ERROR_METHOD_NOT_ALLOWED:
	case ERROR_TIMEOUT:
	case ERROR_UNSUPPORTED_TYPE:
	case ERROR_UPGRADE_REQUIRED:
	case ERROR_INTERNAL:
	case ERROR_UNKNOWN_OP:
	case ERROR_CODES:
		break;
	}
	return BOARD_REFUSED_BAD_REQUEST;
}

static void
answer_error(struct worker *w, uint32_t slot, const struct request *r, enum error_code code,
    const char *message, const char *allow, const struct http_field *extra)
{
	struct slot *s = worker_slot(w, slot);
	struct http_response template = response_of(w, s, r);
	char bytes[SESSION_HEAD_BYTES * 4];
	struct out o = out_to(bytes, sizeof bytes);

	board_add(&w->board, blame(code), 1);
	if (allow != NULL)
		template.allow = slice_text(allow);
	template.extra = extra;
	template.extra_count = extra != NULL;
	http_response_error(&o, &template, code, slice_text(message));
	if (out_cut(&o)) { /* by an origin of unusual length */
		template.cors = (struct http_response_cors){0};
		o = out_to(bytes, sizeof bytes);
		http_response_error(&o, &template, code, slice_text(message));
	}
	session_answered(w, slot, slice_of(o.bytes, o.len));
}

void
session_refuse(struct worker *w, uint32_t slot, enum error_code code, const char *message)
{
	const struct extra *x = extra_of(w, worker_slot(w, slot));
	const struct request nothing = {0};

	/* The request is freed when it is answered: what it says is used before. */
	answer_error(w, slot, x == NULL || !x->request.kept ? &nothing : &x->request, code, message,
	    NULL, NULL);
}

void
session_refuse_request(struct worker *w, uint32_t slot, const struct session_request *r,
    enum error_code code, const char *message)
{
	if (r->sse && error_is_temporary(code)) {
		board_add(&w->board, blame(code), 1);
		serve_sse_refuse(w, slot, r);
	} else {
		answer_error(w, slot, &r->answer, code, message, NULL, NULL);
	}
}

void
session_refuse_method(struct worker *w, uint32_t slot, const struct session_request *r,
    const char *allow, const char *message)
{
	answer_error(w, slot, &r->answer, ERROR_METHOD_NOT_ALLOWED, message, allow, NULL);
}

void
session_refuse_upgrade(struct worker *w, uint32_t slot, const struct session_request *r,
    enum error_code code, const char *message)
{
	static const struct http_field version = {
	    SLICE_LITERAL("Sec-WebSocket-Version"), SLICE_LITERAL("13")};

	answer_error(w, slot, &r->answer, code, message, NULL, &version);
}

/* Before the last N of each channel, where all of them were found at once. */
static uint64_t
before_all(struct worker *w, uint32_t slot)
{
	const struct extra *x = extra_of(w, worker_slot(w, slot));
	uint64_t least = UINT64_MAX;

	for (uint32_t i = 0; x != NULL && i < x->sub_count; i++) {
		const uint64_t cursor = x->subs[i].phase == SUB_SEEK ? 0 : x->subs[i].cursor;

		least = cursor < least ? cursor : least;
	}
	return least == UINT64_MAX ? 0 : least;
}

uint64_t
session_cursor_shown(struct worker *w, uint32_t slot, const struct cursor *after)
{
	const uint64_t last = ring_last_id(&w->ring);
	const uint64_t now = last > w->read_id ? last : w->read_id;

	switch (after->kind) {
	case CURSOR_NOW:
		return after->id;
	case CURSOR_ID:
		return after->id <= now ? after->id : 0;
	case CURSOR_TIME:
		return after->id <= now ? after->id : now;
	case CURSOR_LAST:
		return before_all(w, slot);
	case CURSOR_ALL:
	case CURSOR_UNKNOWN:
		break;
	}
	return 0;
}

/* What cannot be understood: answered, and the connection ends, because nobody knows where the next request would begin. */
static void
refuse_bytes(struct worker *w, uint32_t slot, struct slice bytes, bool head_only,
    enum error_code code, const char *message)
{
	struct request request = {.head_only = head_only};

	route_judge_bytes(w, bytes, &request);
	worker_slot(w, slot)->flags &= (uint16_t)~CONN_KEEP_ALIVE;
	answer_error(w, slot, &request, code, message, NULL, NULL);
}

bool
session_keep_request(struct worker *w, uint32_t slot, const struct session_request *r)
{
	struct slot *s = worker_slot(w, slot);
	struct extra *x = extra_need(w, s);
	const uint32_t origin_len = r->answer.allow_origin_len;
	char *origin = x == NULL || origin_len == 0 ? NULL : malloc(origin_len);

	if (x == NULL || (origin == NULL && origin_len != 0)) {
		conn_close(w, slot, BOARD_SHED_MEMORY);
		return false;
	}
	if (origin != NULL)
		memcpy(origin, r->answer.allow_origin, origin_len);
	extra_request_free(x);
	x->request = r->answer;
	x->request.allow_origin = origin;
	x->request.kept = true;
	return true;
}

enum error_code
session_subscribe_error(int refusal, const char **message)
{
	switch ((enum conn_refusal)refusal) {
	case CONN_FORBIDDEN:
		*message =
		    "this channel may not be subscribed to: no rule of the configuration's `channels` allows it";
		return ERROR_FORBIDDEN;
	case CONN_TOO_MANY:
		*message = "too many channels on one connection: max_channels_per_connection";
		return ERROR_TOO_MANY_CHANNELS;
	case CONN_SUBSCRIBED:
	case CONN_ALREADY:
	case CONN_NO_MEMORY:
		break;
	}
	*message = "out of memory: try again";
	return ERROR_OVERLOADED;
}

bool
session_subscribe(struct worker *w, uint32_t slot, const struct session_request *r)
{
	for (uint32_t i = 0; i < r->channel_count; i++) {
		const enum conn_refusal refusal =
		    conn_subscribe(w, slot, r->channels[i], &r->after);
		const char *message;
		enum error_code code;

		if (refusal == CONN_SUBSCRIBED || refusal == CONN_ALREADY)
			continue;
		code = session_subscribe_error((int)refusal, &message);
		conn_unsubscribe_all(w, slot);
		conn_set_dialect(w, slot, DIALECT_NONE);
		session_refuse_request(w, slot, r, code, message);
		return false;
	}
	return true;
}

/* ---- telling streams --------------------------------------------------------------------------- */

void
session_tell_gap(struct worker *w, uint32_t slot, struct slice channel, uint64_t after, uint64_t at)
{
	if (conn_is_sse(worker_slot(w, slot)))
		serve_sse_gap(w, slot, channel, after, at);
	else
		serve_ws_gap(w, slot, channel, after, at);
}

void
session_tell_live(struct worker *w, uint32_t slot, uint64_t at)
{
	if (conn_is_sse(worker_slot(w, slot)))
		serve_sse_live(w, slot, at);
	else
		serve_ws_live(w, slot, at);
}

void
session_end_slow(struct worker *w, uint32_t slot)
{
	board_add(&w->board, BOARD_CLOSED_SLOW, 1);
	if (conn_is_sse(worker_slot(w, slot)))
		serve_sse_end(w, slot);
	else
		serve_ws_end(w, slot, WS_CLOSE_TRY_LATER, "slow");
}

void
session_end_drain(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);

	if (conn_is_sse(s)) {
		serve_sse_end(w, slot);
	} else if (conn_is_websocket(s)) {
		serve_ws_end(w, slot, WS_CLOSE_GOING_AWAY, "going away");
	} else if (s->state == CONN_HELD) {
		serve_poll_release(w, slot);
	} else if (s->state == CONN_HEAD && deliver_pending(w, s) == 0) {
		const struct extra *x = extra_of(w, s);

		if (x == NULL || x->input.len == 0)
			conn_close(w, slot, BOARD_CLOSED_DRAIN);
	}
}

/* ---- input ------------------------------------------------------------------------------------- */

/* Keeps what cannot be used yet. False: there is no room for it. */
static bool
keep(struct worker *w, uint32_t slot, const char *bytes, size_t len, size_t seen)
{
	struct slot *s = worker_slot(w, slot);
	struct extra *x = extra_need(w, s);

	if (x == NULL || !extra_input_add(w, x, bytes, len))
		return false;
	x->input_seen = (uint32_t)seen;
	return true;
}

/* The same behind a request that is not answered yet, where nothing can be said. */
static void
keep_or_close(struct worker *w, uint32_t slot, const char *bytes, size_t len, size_t seen)
{
	if (!keep(w, slot, bytes, len, seen))
		conn_close(w, slot, BOARD_CLOSED_ERROR);
}

/* One request head. Returns the bytes used, 0 when the rest was kept or dropped. */
static size_t
take_head(struct worker *w, uint32_t slot, char *bytes, size_t len, size_t seen)
{
	struct slot *s = worker_slot(w, slot);
	const struct http_request_options options = {
	    .head_bytes_max = w->settings.now.max_header_bytes};
	struct http_request request;
	ptrdiff_t n;

	if (deliver_pending(w, s) > PIPELINE_BYTES) {
		keep_or_close(w, slot, bytes, len, 0);
		return 0;
	}
	/* An empty line before a request is none of it (RFC 9112, 2.2), and who sends nothing else is idle. */
	if (len >= 2 && memcmp(bytes, "\r\n", 2) == 0)
		return 2;
	n = http_request_parse(&request, slice_of(bytes, len), seen, &options);
	if (n == 0) {
		if (seen == 0)
			timer_set(w, slot, w->settings.now.header_timeout_s * 1000);
		if (!keep(w, slot, bytes, len, len))
			refuse_bytes(w, slot, slice_of(bytes, len), false, ERROR_OVERLOADED,
			    SESSION_INPUT_FULL);
		return 0;
	}
	if (n < 0) {
		refuse_bytes(w, slot, slice_of(bytes, len), request.method == HTTP_HEAD,
		    http_request_error_code(n), http_request_error_text(n));
		return 0;
	}
	board_add(&w->board, BOARD_REQUESTS, 1);
	s->flags &= (uint16_t)~CONN_KEEP_ALIVE;
	if (request.keep_alive)
		s->flags |= CONN_KEEP_ALIVE;
	route(w, slot, &request, (size_t)n < len);
	return (size_t)n;
}

/* Uses bytes by the connection's state, as far as they go; keeps the rest. */
static void
feed(struct worker *w, uint32_t slot, char *bytes, size_t len, size_t seen)
{
	struct slot *s = worker_slot(w, slot);

	while (len != 0) {
		size_t used = 0;

		if (s->state == CONN_CLOSED || s->state == CONN_LINGER ||
		    (s->flags & CONN_CLOSE_AFTER) != 0)
			return;
		if (s->state == CONN_HEAD) {
			used = take_head(w, slot, bytes, len, seen);
			if (used == 0)
				return;
		} else if (s->state == CONN_BODY) {
			used = serve_publish_body(w, slot, slice_of(bytes, len));
			if (used == 0)
				return;
		} else if (conn_is_websocket(s)) {
			serve_ws_input(w, slot, bytes, len);
			return;
		} else if (conn_is_sse(s)) {
			return; /* a stream takes no more requests */
		} else {
			keep_or_close(w, slot, bytes, len, 0);
			return;
		}
		seen = 0;
		bytes += used;
		len -= used;
	}
}

/* A WebSocket whose input stopped between two messages; in the middle of one its input is the message. */
static bool
is_paused(const struct slot *s, const struct extra *x)
{
	return conn_is_websocket(s) && x->ws == NULL;
}

/* What was kept of earlier input, moved to the start of the read buffer. Returns its length. */
static size_t
unkeep(struct worker *w, uint32_t slot, size_t *seen)
{
	struct slot *s = worker_slot(w, slot);
	struct extra *x = extra_of(w, s);
	size_t len;

	*seen = 0;
	if (x == NULL || x->input.len == 0 || (s->state != CONN_HEAD && !is_paused(s, x)))
		return 0;
	len = x->input.len;
	if (!buffer_reserve(&w->input, len + READ_BYTES)) {
		conn_close(w, slot,
		    BOARD_SHED_MEMORY); /* what comes next would be taken for the beginning */
		return 0;
	}
	memcpy(w->input.bytes, x->input.bytes, len);
	*seen = x->input_seen;
	extra_input_free(w, x);
	x->input_seen = 0;
	return len;
}

/* Only what was kept, and then its turn is over: did it read on each time, it would keep ever more. */
static void
go_on(struct worker *w, uint32_t slot, size_t kept)
{
	struct slot *s = worker_slot(w, slot);

	s->flags |= CONN_INPUT_WAITS;
	feed(w, slot, w->input.bytes, kept, 0);
	if (s->state == CONN_CLOSED)
		return;
	if (w->deflate.paused != slot)
		deliver_ready(w, slot);
	extra_trim(w, s);
	conn_arm(w, slot);
}

void
session_input(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);
	size_t seen;
	const size_t kept = unkeep(w, slot, &seen);
	ssize_t n;

	if (s->state == CONN_CLOSED)
		return;
	if (kept != 0 && conn_is_websocket(s)) {
		go_on(w, slot, kept);
		return;
	}
	n = io_recv(s->descriptor, w->input.bytes + kept, READ_BYTES);
	if (n > 0)
		board_add(&w->board, BOARD_BYTES_IN, (uint64_t)n);
	if (n > 0) {
		s->last_in = timer_now(w);
		feed(w, slot, w->input.bytes, kept + (size_t)n, seen);
	} else if (kept != 0) {
		keep_or_close(w, slot, w->input.bytes, kept, seen);
	}
	if (s->state == CONN_CLOSED)
		return;
	if (n == 0) {
		conn_half_closed(w, slot);
		return;
	}
	if (n < 0 && n != -EAGAIN) {
		conn_close(w, slot, BOARD_CLOSED_CLIENT);
		return;
	}
	extra_trim(w, s);
	conn_arm(w, slot);
}

void
session_resume(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);

	if (s->state == CONN_HEAD) {
		size_t seen;
		const size_t kept = unkeep(w, slot, &seen);

		if (kept != 0)
			feed(w, slot, w->input.bytes, kept, seen);
	}
	if (s->state == CONN_CLOSED || s->state == CONN_LINGER)
		return;
	/* Of a client that has ended its side the rest is read, too: requests may lie before the end. */
	if ((s->flags & (CONN_INPUT_WAITS | CONN_HALF_CLOSED)) != 0 && conn_reads(w, slot)) {
		s->flags &= (uint16_t)~CONN_INPUT_WAITS;
		session_input(w, slot);
		if (s->state == CONN_CATCHUP)
			deliver_ready(w, slot);
		return;
	}
	/* It asked for a stream and ended its side while an answer was under way: nothing would tell when it is gone. */
	if (conn_is_sse(s) &&
	    (s->flags & (CONN_HALF_CLOSED | CONN_CLOSE_AFTER)) == CONN_HALF_CLOSED) {
		conn_half_closed(w, slot);
		return;
	}
	extra_trim(w, s);
	conn_arm(w, slot);
}

uint32_t
session_time_left_ms(const struct worker *w, uint64_t begun_ns, uint64_t bytes)
{
	const uint64_t taken_ms = (w->now_ns - begun_ns) / 1000000;
	const uint64_t allowed_ms =
	    (uint64_t)w->settings.now.body_timeout_s * 1000 + bytes * 1000 / LIMIT_BODY_BYTES_S;
	const uint64_t left_ms = allowed_ms > taken_ms ? allowed_ms - taken_ms : 0;

	if (left_ms < TIMER_TICK_MS)
		return 0;
	return left_ms < LATER_MS ? (uint32_t)left_ms : LATER_MS;
}

void
session_timeout(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);
	const struct extra *x = extra_of(w, s);

	if (s->state == CONN_BODY && serve_publish_arrives(w, slot))
		return;
	if (s->state == CONN_HEAD && (x == NULL || x->input.len == 0)) {
		conn_close(w, slot, BOARD_CLOSED_IDLE);
		return;
	}
	board_add(&w->board, BOARD_CLOSED_TIMEOUT, 1);
	s->flags &= (uint16_t)~CONN_KEEP_ALIVE;
	session_refuse(w, slot, ERROR_TIMEOUT, "the request did not arrive in time");
}
