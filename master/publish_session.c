/*
 * publish_session.c: sessions of the publish socket: reading, framing of requests, writing, ending. See publish_session.h.
 *
 * Called by the loop (ready, resume, expired), by publish.c (new, flush, drain), and by whoever makes answers. A session is
 * freed in one place only, publish_session_set_flush, at the end of the turn in which it died.
 */
#include "master/publish_session.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "master/api.h"
#include "master/master.h"
#include "master/publish.h"
#include "master/publish_request.h"
#include "proto/http_request.h"
#include "proto/http_response.h"
#include "proto/json.h"

#define HEAD_ROOM 512 /* of any answer's head: our own words only */
#define SCRATCH_MIN 65536
#define READ_BUFFER_BYTES (2 * LIMIT_PUBLISH_READ_BYTES)

/* What is kept while reading goes on is at most a head that is not whole; a reading fits behind it. */
static_assert(LIMIT_PUBLISH_HEAD_BYTES <= LIMIT_PUBLISH_READ_BYTES,
    "a cut head and a read fit the read buffer");

static void session_expired(void *context);

/* ---- the set --------------------------------------------------------------------------------------- */

static void
set_wake(void *context)
{
	publish_turn(((struct publish_session_set *)context)->m);
}

/* At most a share of our descriptors: clients need theirs. */
static unsigned
set_limit(unsigned most, unsigned share)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / share < most)
		most = (unsigned)(limit.rlim_cur / share);
	return most;
}

bool
publish_session_is_full(const struct publish_session_set *set, enum publish_session_role role)
{
	return set->count[role] >= set->limit[role];
}

bool
publish_session_is_hopeless(const struct publish_session_set *set, enum publish_session_role role)
{
	return set->count[role] >= set->limit[role] + set->limit[role] / 4;
}

int
publish_session_set_init(
    struct publish_session_set *set, struct master *m, struct publish_counts *counts)
{
	set->m = m;
	set->counts = counts;
	set->dirty_end = &set->dirty;
	set->work = (struct loop_work){.run = set_wake, .context = set};
	set->limit[PUBLISH_SESSION_APPLICATION] = set_limit(LIMIT_PUBLISH_SESSIONS, 4);
	set->limit[PUBLISH_SESSION_ADMIN] = set_limit(LIMIT_ADMIN_SESSIONS, 8);
	set->read_bytes = LIMIT_PUBLISH_READ_BYTES;
	set->read_buffer = malloc(READ_BUFFER_BYTES);
	if (set->read_buffer == NULL)
		return -1;
	if (!publish_buffer_reserve(&set->scratch, SCRATCH_MIN)) {
		free(set->read_buffer);
		return -1;
	}
	return 0;
}

struct out
publish_session_scratch(struct publish_session_set *set, size_t len)
{
	if (set->scratch.cap < len && !publish_buffer_reserve(&set->scratch, len))
		return out_to(NULL, 0);
	return out_to(set->scratch.bytes, set->scratch.cap);
}

/* The current date as HTTP writes it (RFC 9110, 5.6.7), made once a second. */
static struct slice
set_date(struct publish_session_set *set)
{
	uint64_t now_s = loop_unix_ms(set->m->loop) / 1000;

	if (now_s != set->date_s || set->date[0] == '\0') {
		time_t seconds = (time_t)now_s;
		struct tm when;

		gmtime_r(&seconds, &when);
		strftime(set->date, sizeof set->date, "%a, %d %b %Y %H:%M:%S GMT", &when);
		set->date_s = now_s;
	}
	return slice_text(set->date);
}

/* ---- beginning and ending --------------------------------------------------------------------------- */

void
publish_session_touch(struct publish_session *s)
{
	struct publish_session_set *set = s->set;

	if (s->is_dirty)
		return;
	s->is_dirty = true;
	s->dirty_next = NULL;
	*set->dirty_end = s;
	set->dirty_end = &s->dirty_next;
	loop_defer(set->m->loop, &set->work, LOOP_COMMIT);
}

void
publish_session_abandon(struct publish_session *s)
{
	s->state = PUBLISH_SESSION_DEAD;
	publish_session_touch(s);
}

static void
session_free(struct publish_session *s)
{
	struct publish_session_set *set = s->set;
	struct loop *loop = set->m->loop;

	if (s->query != NULL)
		api_forget(set->m, s->query);
	*s->link = s->next;
	if (s->next != NULL)
		s->next->link = s->link;
	set->count[s->role]--;
	loop_timer_clear(loop, &s->timer);
	loop_defer_cancel(loop, &s->resume);
	loop_del(loop, &s->source);
	close(s->source.fd);
	publish_buffer_free(&s->kept);
	publish_buffer_free(&s->head);
	publish_buffer_free(&s->body);
	publish_buffer_free(&s->out);
	free(s);
}

void
publish_session_set_free(struct publish_session_set *set)
{
	while (set->first != NULL)
		session_free(set->first);
	loop_defer_cancel(set->m->loop, &set->work);
	set->dirty = NULL;
	set->dirty_end = &set->dirty;
	free(set->read_buffer);
	publish_buffer_free(&set->scratch);
}

static void
session_arm(struct publish_session *s, uint64_t delay_ms)
{
	if (loop_timer_set(
		s->set->m->loop, &s->timer, delay_ms * LOOP_NS_PER_MS, session_expired, s) == -1)
		publish_session_abandon(s);
}

static void
session_expired(void *context)
{
	struct publish_session *s = context;

	if (s->role == PUBLISH_SESSION_APPLICATION && s->state != PUBLISH_SESSION_LINGER)
		s->set->counts->sessions_stalled++;
	publish_session_abandon(s);
}

/* ---- answers ---------------------------------------------------------------------------------------- */

bool
publish_session_paused(const struct publish_session *s)
{
	return s->state >= PUBLISH_SESSION_WAIT || s->out.len >= LIMIT_PUBLISH_UNSENT_BYTES;
}

/* Appends a head; false, and the session abandoned, when memory is refused. */
static bool
session_put_head(struct publish_session *s, const struct http_response *head, size_t body_len)
{
	struct out o;

	if (!publish_buffer_reserve(&s->out, HEAD_ROOM + body_len)) {
		publish_session_abandon(s);
		return false;
	}
	o = publish_buffer_out(&s->out);
	http_response_head(&o, head);
	publish_buffer_took(&s->out, &o);
	publish_session_touch(s);
	return true;
}

void
publish_session_answer(struct publish_session *s, const struct publish_session_answer *answer)
{
	struct http_response head = {
	    .status = answer->status,
	    .framing = answer->status == 204 ? HTTP_FRAMING_NONE : HTTP_FRAMING_LENGTH,
	    .content_length = answer->body.len,
	    .close = s->close,
	    .retry_after_s = answer->status == 429 || answer->status == 503 ? 1 : 0,
	    .content_type = answer->content_type,
	    .cache_control = SLICE_LITERAL("no-store"),
	    .date = set_date(s->set),
	    .allow = answer->allow,
	};

	if (!session_put_head(s, &head, answer->body.len))
		return;
	if (!s->head_only && !publish_buffer_put(&s->out, answer->body)) {
		publish_session_abandon(s);
		return;
	}
	s->state = s->close ? PUBLISH_SESSION_LAST : PUBLISH_SESSION_HEAD;
}

void
publish_session_json(struct publish_session *s, struct slice body)
{
	publish_session_answer(
	    s, &(struct publish_session_answer){
		   .status = 200, .content_type = SLICE_LITERAL("application/json"), .body = body});
}

void
publish_session_fault_members(struct out *o, const struct event_fault *fault)
{
	error_members(o, fault->code, slice_text(fault->message));
	if (fault->path[0] != '\0') {
		out_text(o, ",\"path\":");
		json_escape(o, slice_text(fault->path));
	}
}

/* Answers with an error object; allow is empty but for a 405. */
static void
session_refuse(struct publish_session *s, const struct event_fault *fault, struct slice allow)
{
	char text
	    [2048]; /* path and message are bounded, and escaping makes at most six bytes of one */
	struct out o = out_to(text, sizeof text);

	out_text(&o, "{\"error\":{");
	publish_session_fault_members(&o, fault);
	out_text(&o, "}}");
	s->set->counts->errors[fault->code]++;
	publish_session_answer(
	    s, &(struct publish_session_answer){.status = error_status(fault->code),
		   .content_type = SLICE_LITERAL("application/json"),
		   .allow = allow,
		   .body = slice_of(text, o.len)});
}

void
publish_session_fault(struct publish_session *s, const struct event_fault *fault)
{
	session_refuse(s, fault, (struct slice){0});
}

static struct event_fault
fault_of(enum error_code code, const char *message)
{
	struct event_fault fault = {.code = code};
	size_t len = strnlen(message, sizeof fault.message - 1);

	memcpy(fault.message, message, len);
	return fault;
}

void
publish_session_error(struct publish_session *s, enum error_code code, const char *message)
{
	struct event_fault fault = fault_of(code, message);

	session_refuse(s, &fault, (struct slice){0});
}

void
publish_session_not_allowed(struct publish_session *s, struct slice allow)
{
	struct event_fault fault = {.code = ERROR_METHOD_NOT_ALLOWED};

	snprintf(fault.message, sizeof fault.message, "this path takes %.*s", (int)allow.len,
	    allow.bytes);
	session_refuse(s, &fault, allow);
}

void
publish_session_head(struct publish_session *s, struct slice content_type, bool chunked)
{
	struct http_response head = {
	    .status = 200,
	    .framing = chunked ? HTTP_FRAMING_CHUNKED : HTTP_FRAMING_UNTIL_CLOSE,
	    .close = s->close,
	    .content_type = content_type,
	    .cache_control = SLICE_LITERAL("no-store"),
	    .date = set_date(s->set),
	};

	session_put_head(s, &head, 0);
}

void
publish_session_refuse(struct publish_session *s, enum error_code code, const char *message)
{
	s->close = true;
	publish_session_error(s, code, message);
}

/* ---- requests --------------------------------------------------------------------------------------- */

static struct http_request_options
head_options(void)
{
	return (struct http_request_options){
	    .head_bytes_max = LIMIT_PUBLISH_HEAD_BYTES, .any_host = true};
}

void
publish_session_continue(struct publish_session *s, const struct http_request *request)
{
	const bool empty =
	    request->framing == HTTP_FRAMING_NONE ||
	    (request->framing == HTTP_FRAMING_LENGTH && request->content_length == 0);

	if (!request->expect_continue || empty || s->more)
		return;
	if (!publish_buffer_put(&s->out, HTTP_RESPONSE_CONTINUE))
		publish_session_abandon(s);
	publish_session_touch(s);
}

static const char *
body_error_text(ptrdiff_t error)
{
	if (error == HTTP_BODY_TOO_LARGE)
		return "the body is larger than max_publish_bytes";
	return http_body_error_text(error);
}

/* The body is not all there: collect it, with a copy of the head, which lies in the shared buffer. */
static void
session_collect(struct publish_session *s, const struct http_request *request, struct slice head)
{
	int started = http_body_start(&s->framing, request->framing, request->content_length,
	    s->set->m->config->max_publish_bytes);

	if (started < 0) {
		publish_session_refuse(s, http_body_error_code(started), body_error_text(started));
		return;
	}
	publish_buffer_clear(&s->head);
	if (!publish_buffer_put(&s->head, head)) {
		publish_session_refuse(s, ERROR_OVERLOADED, "out of memory; try again");
		return;
	}
	s->state = PUBLISH_SESSION_BODY;
	publish_session_continue(s, request);
}

/* In a STREAM: works off what waited, and ends the answer once that was the whole body. */
static void
stream_settle(struct publish_session *s)
{
	if (publish_stream_resume(s) && s->state == PUBLISH_SESSION_STREAM &&
	    http_body_complete(&s->framing)) {
		publish_stream_end(s);
		if (s->state != PUBLISH_SESSION_DEAD)
			s->state = s->close ? PUBLISH_SESSION_LAST : PUBLISH_SESSION_HEAD;
	}
}

/* Takes a request's head, and its body if all of it is there. Answers the bytes taken; 0: more are needed. */
static size_t
session_take_head(struct publish_session *s, struct slice input)
{
	struct http_request_options options = head_options();
	struct http_request request;
	ptrdiff_t n = http_request_parse(&request, input, s->head_seen, &options);
	size_t len = (size_t)n;

	if (n < 0) {
		s->head_only = request.method == HTTP_HEAD;
		publish_session_refuse(s, http_request_error_code(n), http_request_error_text(n));
		return input.len;
	}
	s->head_seen = n == 0 ? input.len : 0;
	if (n == 0)
		return 0;
	s->set->counts->requests++;
	s->head_only = request.method == HTTP_HEAD;
	s->more = input.len > len;
	s->close = !request.keep_alive || s->set->m->state == MASTER_DRAINING;
	switch (publish_request_begin(s, &request)) {
	case PUBLISH_REQUEST_REFUSED:
		/* Where the next request begins is known only if there is no body to skip. */
		if (request.framing != HTTP_FRAMING_NONE && s->state != PUBLISH_SESSION_DEAD)
			s->state = PUBLISH_SESSION_LAST;
		return len;
	case PUBLISH_REQUEST_STREAM:
		http_body_start(&s->framing, request.framing, request.content_length, UINT64_MAX);
		if (s->state != PUBLISH_SESSION_DEAD)
			s->state = PUBLISH_SESSION_STREAM;
		stream_settle(s);
		return len;
	case PUBLISH_REQUEST_BODY:
		break;
	}
	if (request.framing == HTTP_FRAMING_NONE) {
		publish_request_finish(s, &request, (struct slice){0});
		return len;
	}
	if (request.framing == HTTP_FRAMING_LENGTH && request.content_length <= input.len - len &&
	    request.content_length <= s->set->m->config->max_publish_bytes) {
		publish_request_finish(
		    s, &request, slice_of(input.bytes + len, request.content_length));
		return len + request.content_length;
	}
	session_collect(s, &request, slice_of(input.bytes, len));
	return len;
}

/* The collected body is complete: its request is read again from the copy of its head. */
static void
session_finish_body(struct publish_session *s)
{
	struct http_request_options options = head_options();
	struct http_request request;
	ptrdiff_t n = http_request_parse(&request, publish_buffer_content(&s->head), 0, &options);

	assert(n > 0);
	publish_request_finish(s, &request, publish_buffer_content(&s->body));
	publish_buffer_clear(&s->body);
	publish_buffer_clear(&s->head);
}

/* Takes bytes of a body, judged as a whole or streamed. Answers the bytes taken. */
static size_t
session_take_body(struct publish_session *s, struct slice input)
{
	struct slice data;
	ptrdiff_t n = http_body_next(&s->framing, input, &data);

	if (n < 0) {
		if (s->state == PUBLISH_SESSION_STREAM) {
			publish_stream_fail(s, http_body_error_code(n), body_error_text(n));
			if (s->state != PUBLISH_SESSION_DEAD)
				s->state = PUBLISH_SESSION_LAST;
		} else {
			publish_session_refuse(s, http_body_error_code(n), body_error_text(n));
		}
		return input.len;
	}
	if (s->state == PUBLISH_SESSION_STREAM) {
		publish_stream_feed(s, data);
		if (s->state == PUBLISH_SESSION_STREAM && http_body_complete(&s->framing))
			stream_settle(s);
		return (size_t)n;
	}
	if (!publish_buffer_put(&s->body, data)) {
		publish_session_refuse(s, ERROR_OVERLOADED, "out of memory; try again");
		return input.len;
	}
	if (http_body_complete(&s->framing))
		session_finish_body(s);
	return (size_t)n;
}

/* Consumes what may be consumed of the input, which lies in the read buffer, and keeps the rest. */
static void
session_take(struct publish_session *s, struct slice input)
{
	size_t used = 0;

	while (used < input.len && !publish_session_paused(s)) {
		struct slice rest = slice_of(input.bytes + used, input.len - used);
		size_t n = s->state == PUBLISH_SESSION_HEAD ? session_take_head(s, rest)
							    : session_take_body(s, rest);

		if (n == 0)
			break;
		used += n;
	}
	publish_buffer_clear(&s->kept);
	if (s->state < PUBLISH_SESSION_LAST &&
	    !publish_buffer_put(&s->kept, slice_of(input.bytes + used, input.len - used)))
		publish_session_abandon(s);
	s->held = publish_session_paused(s) && s->state < PUBLISH_SESSION_LAST;
	/* What a client leaves unfinished when it ends is dropped; what it has finished is answered. */
	if (s->ended && !publish_session_paused(s))
		s->state = PUBLISH_SESSION_LAST;
	publish_session_touch(s);
}

/* ---- reading ---------------------------------------------------------------------------------------- */

/* Nothing is wanted any more, but a close with unread bytes could cost the client its last answer. */
static void
session_drop_input(struct publish_session *s)
{
	ssize_t n = recv(s->source.fd, s->set->read_buffer, LIMIT_PUBLISH_READ_BYTES, MSG_DONTWAIT);

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		publish_session_abandon(s);
}

static void
session_read(struct publish_session *s)
{
	char *buffer = s->set->read_buffer;
	struct slice kept = publish_buffer_content(&s->kept);
	ssize_t n;

	assert(kept.len <= LIMIT_PUBLISH_READ_BYTES);
	n = recv(s->source.fd, buffer + kept.len, s->set->read_bytes, MSG_DONTWAIT);
	s->set->readings++;
	if (n == -1) {
		if (errno != EAGAIN && errno != EINTR)
			publish_session_abandon(s);
		return;
	}
	if (n == 0)
		s->ended = true;
	else if (s->role == PUBLISH_SESSION_ADMIN)
		session_arm(s, LIMIT_ADMIN_IDLE_S * 1000);
	if (kept.len != 0)
		memcpy(buffer, kept.bytes, kept.len);
	session_take(s, slice_of(buffer, kept.len + (size_t)n));
}

static void
session_ready(void *context, uint32_t events)
{
	struct publish_session *s = context;

	if (s->state == PUBLISH_SESSION_DEAD)
		return;
	if ((events & EPOLLOUT) != 0)
		publish_session_touch(s);
	/* After an error there may still be bytes to read: reading finds out, and finds the error behind them. */
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) {
		return;
	} else if (s->state == PUBLISH_SESSION_LINGER) {
		session_drop_input(s);
	} else if ((s->source.events & EPOLLIN) != 0) {
		session_read(s);
	} else if (s->state == PUBLISH_SESSION_WAIT) {
		publish_session_abandon(s);
	} else {
		/* Nothing is read at the moment; sending finds out that nobody listens. */
		publish_session_touch(s);
	}
}

/* There is room for answers again: goes on where consuming stopped. */
static void
session_resume(void *context)
{
	struct publish_session *s = context;
	struct slice kept = publish_buffer_content(&s->kept);

	if (publish_session_paused(s))
		return;
	if (s->state == PUBLISH_SESSION_STREAM)
		stream_settle(s);
	if (kept.len != 0)
		memcpy(s->set->read_buffer, kept.bytes, kept.len);
	session_take(s, slice_of(s->set->read_buffer, kept.len));
}

/* ---- writing ---------------------------------------------------------------------------------------- */

/* Sends what the socket takes. */
static void
session_send(struct publish_session *s)
{
	struct slice unsent = publish_buffer_content(&s->out);
	ssize_t n;

	if (unsent.len == 0)
		return;
	n = send(s->source.fd, unsent.bytes, unsent.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == -1 && errno != EAGAIN && errno != EINTR)
		s->deaf = true;
	if (s->deaf)
		publish_buffer_clear(&s->out);
	else if (n > 0)
		publish_buffer_drop(&s->out, (size_t)n);
	if (n > 0 || s->deaf)
		loop_timer_clear(s->set->m->loop, &s->timer);
	if (s->out.len != 0 && !loop_timer_pending(&s->timer))
		session_arm(s, LIMIT_PUBLISH_STALL_S * 1000);
	else if (s->out.len == 0 && s->role == PUBLISH_SESSION_ADMIN)
		session_arm(s, LIMIT_ADMIN_IDLE_S * 1000);
}

/* All is said: shuts our side and waits a while for the client to end its own. */
static void
session_linger(struct publish_session *s)
{
	if (s->ended || shutdown(s->source.fd, SHUT_WR) == -1) {
		publish_session_abandon(s);
		return;
	}
	s->state = PUBLISH_SESSION_LINGER;
	publish_buffer_free(&s->kept);
	publish_buffer_free(&s->body);
	session_arm(s, LIMIT_PUBLISH_LINGER_MS);
}

/* The end of a turn for one session: send, then decide what to wait for. */
static void
session_flush(struct publish_session *s)
{
	uint32_t events = 0;

	publish_stream_seal(s);
	session_send(s);
	if (s->state == PUBLISH_SESSION_LAST && s->out.len == 0)
		session_linger(s);
	if (s->state == PUBLISH_SESSION_DEAD)
		return;
	if (s->held && !publish_session_paused(s)) {
		s->held = false;
		loop_defer(s->set->m->loop, &s->resume, LOOP_ANSWER);
	}
	if (s->state == PUBLISH_SESSION_LINGER ||
	    (!publish_session_paused(s) && s->resume.link == NULL && !s->ended))
		events |= EPOLLIN;
	if (s->out.len != 0)
		events |= EPOLLOUT;
	loop_mod(s->set->m->loop, &s->source, events);
}

/*
 * How much a reading may take in the next turn, judged by this one: so that all readings of a turn
 * together stay near LIMIT_PUBLISH_TURN_BYTES, and every publisher gets the same share.
 */
static void
set_share_turn(struct publish_session_set *set)
{
	size_t share = LIMIT_PUBLISH_TURN_BYTES / set->readings;

	if (share > LIMIT_PUBLISH_READ_BYTES)
		share = LIMIT_PUBLISH_READ_BYTES;
	set->read_bytes =
	    share < LIMIT_PUBLISH_READ_BYTES_MIN ? LIMIT_PUBLISH_READ_BYTES_MIN : share;
	set->readings = 0;
}

void
publish_session_set_flush(struct publish_session_set *set)
{
	struct publish_session *s = set->dirty, *next;

	if (set->readings != 0)
		set_share_turn(set);
	/* Sessions that become dirty meanwhile wait for the next turn: their events are not committed yet. */
	set->dirty = NULL;
	set->dirty_end = &set->dirty;
	for (; s != NULL; s = next) {
		next = s->dirty_next;
		s->is_dirty = false;
		if (s->state != PUBLISH_SESSION_DEAD)
			session_flush(s);
		if (s->state != PUBLISH_SESSION_DEAD)
			continue;
		/* Abandoning in the flush has put it on the new list, where it waits for its turn. */
		if (!s->is_dirty)
			session_free(s);
	}
}

/* ---- the set's sessions ------------------------------------------------------------------------------- */

struct publish_session *
publish_session_new(struct publish_session_set *set, int fd, enum publish_session_role role)
{
	struct publish_session *s = calloc(1, sizeof *s);

	if (s == NULL || loop_add(set->m->loop, &s->source, fd, EPOLLIN, session_ready, s) == -1) {
		free(s);
		close(fd);
		return NULL;
	}
	s->set = set;
	s->role = role;
	s->resume = (struct loop_work){.run = session_resume, .context = s};
	s->link = &set->first;
	s->next = set->first;
	if (s->next != NULL)
		s->next->link = &s->next;
	set->first = s;
	set->count[role]++;
	if (role == PUBLISH_SESSION_ADMIN)
		session_arm(s, LIMIT_ADMIN_IDLE_S * 1000);
	return s;
}

void
publish_session_set_drain(struct publish_session_set *set)
{
	for (struct publish_session *s = set->first; s != NULL; s = s->next) {
		s->close = true;
		if (s->state != PUBLISH_SESSION_HEAD && s->state != PUBLISH_SESSION_STREAM)
			continue;
		/* Nobody is owed anything: no need to see the other side's end. */
		if (s->state == PUBLISH_SESSION_HEAD && s->out.len == 0 && s->kept.len == 0) {
			publish_session_abandon(s);
			continue;
		}
		if (s->state == PUBLISH_SESSION_STREAM)
			publish_stream_fail(
			    s, ERROR_DRAINING, "the server is stopping; send the rest again");
		if (s->state != PUBLISH_SESSION_DEAD)
			s->state = PUBLISH_SESSION_LAST;
		publish_session_touch(s);
	}
}
