/*
 * route.c: see route.h. The origin is judged before anything else: a page that may not talk to us learns nothing.
 */
#include "worker/route.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "proto/address.h"
#include "proto/http_forwarded.h"
#include "proto/http_head.h"
#include "proto/http_media.h"
#include "proto/query.h"
#include "worker/conn.h"
#include "worker/console.h"
#include "worker/serve_poll.h"
#include "worker/serve_publish.h"
#include "worker/serve_sse.h"
#include "worker/serve_ws.h"
#include "worker/session.h"
#include "worker/worker.h"

/* ---- the query --------------------------------------------------------------------------------- */

static void
fault(struct session_request *r, enum error_code code, const char *text)
{
	if (r->fault != NULL)
		return;
	r->fault = text;
	r->fault_code = code;
}

/* The same, put together of what it is about and what is wrong with it. */
static void
fault_of(struct session_request *r, enum error_code code, const char *what, const char *wrong)
{
	if (r->fault == NULL)
		snprintf(r->fault_text, sizeof r->fault_text, "%s %s", what, wrong);
	fault(r, code, r->fault_text);
}

static void
set_channel(struct session_request *r, struct slice value)
{
	const char *wrong = event_channel_fault(value);

	if (wrong != NULL)
		fault_of(r, ERROR_BAD_CHANNEL, "the channel's name", wrong);
	else if (r->channel_count == LIMIT_CHANNELS_PER_CONNECTION_MAX)
		fault(r, ERROR_TOO_MANY_CHANNELS, "too many channels in one request");
	else
		r->channels[r->channel_count++] = value;
}

static void
set_after(struct session_request *r, struct slice value)
{
	const char *wrong = cursor_parse(value, &r->after);

	if (wrong != NULL)
		fault(r, ERROR_BAD_AFTER, wrong);
}

static void
set_wait(struct session_request *r, struct slice value)
{
	if (!query_u32_most(value, UINT32_MAX, &r->wait_s))
		fault(r, ERROR_BAD_REQUEST, "wait is a number of seconds");
}

static void
set_limit(struct session_request *r, struct slice value)
{
	if (!query_u32_most(value, LIMIT_POLL_EVENTS_MAX, &r->limit) || r->limit == 0)
		fault(r, ERROR_BAD_REQUEST, "limit is a number of events, from 1 to 1000");
}

static void
set_format(struct session_request *r, struct slice value)
{
	if (slice_equal(value, SLICE_LITERAL("json")))
		r->format = SESSION_FORMAT_JSON;
	else if (slice_equal(value, SLICE_LITERAL("raw")))
		r->format = SESSION_FORMAT_RAW;
	else
		fault(r, ERROR_BAD_REQUEST, "format is json or raw");
}

static void
set_stream(struct session_request *r, struct slice value)
{
	if (slice_equal(value, SLICE_LITERAL("sse")))
		r->sse = true;
	else
		fault(r, ERROR_BAD_REQUEST, "stream is sse");
}

static void
set_type(struct session_request *r, struct slice value)
{
	const char *wrong = event_type_fault(value);

	if (wrong != NULL)
		fault_of(r, ERROR_BAD_REQUEST, "the type", wrong);
	else
		r->type = value;
}

static void
set_last_event_id(struct session_request *r, struct slice value)
{
	r->last_event_id = value;
}

static const struct {
	const char *name;
	void (*set)(struct session_request *r, struct slice value);
	bool repeats; /* each counts; of the others the last */
} parameters[] = {
    {"channel", set_channel, true},
    {"after", set_after, false},
    {"wait", set_wait, false},
    {"limit", set_limit, false},
    {"format", set_format, false},
    {"stream", set_stream, false},
    {"type", set_type, false},
    {"lastEventId", set_last_event_id, true}, /* of all four names the last */
    {"lastEventID", set_last_event_id, true},
    {"last_event_id", set_last_event_id, true},
    {"Last-Event-ID", set_last_event_id, true},
};
#define PARAMETERS (sizeof parameters / sizeof parameters[0])

/* Decodes a value into the worker's scratch, behind those before, and sets its parameter. */
static void
read_parameter(
    struct worker *w, struct session_request *r, size_t which, struct slice value, size_t *used)
{
	const ptrdiff_t n = query_decode(value, w->scratch.bytes + *used, w->scratch.cap - *used);

	if (n < 0) {
		fault(r, ERROR_BAD_REQUEST,
		    "a parameter of the query has a '%' without two hexadecimal digits");
		return;
	}
	parameters[which].set(r, slice_of(w->scratch.bytes + *used, (size_t)n));
	*used += (size_t)n;
}

static void
read_query(struct worker *w, struct session_request *r)
{
	struct slice rest = r->http->query, name, value;
	struct slice last[PARAMETERS] = {
	    0}; /* raw; what a later one overrules is not even looked at */
	size_t used = 0;

	if (!buffer_reserve(&w->scratch, rest.len)) {
		fault(r, ERROR_OVERLOADED, "out of memory: try again");
		return;
	}
	while (query_next(&rest, &name, &value)) {
		size_t i = 0;

		while (i < PARAMETERS && !query_name_is(name, parameters[i].name))
			i++;
		if (i < PARAMETERS && parameters[i].repeats)
			read_parameter(w, r, i, value, &used);
		else if (i < PARAMETERS)
			last[i] = value;
	}
	for (size_t i = 0; i < PARAMETERS; i++)
		if (last[i].bytes != NULL)
			read_parameter(w, r, i, last[i], &used);
}

/* The field counts before the parameters of the polyfills, these before `after`. */
static void
choose_cursor(struct session_request *r)
{
	const struct slice field = r->http->known[HTTP_LAST_EVENT_ID];

	if (r->sse && field.len != 0)
		cursor_parse_last_event_id(field, &r->after);
	else if (r->sse && r->last_event_id.len != 0)
		cursor_parse_last_event_id(r->last_event_id, &r->after);
	r->resumes = r->after.kind != CURSOR_NOW;
}

/* Accept is a list, which may go over several lines. */
static bool
accepts_stream(const struct http_request *http)
{
	struct http_request_list list = {0};
	struct slice element;

	while (http_request_list_next(http, HTTP_ACCEPT, &list, &element))
		if (http_media_accepts(element, SLICE_LITERAL("text/event-stream")))
			return true;
	return false;
}

static void
read_request(struct worker *w, struct session_request *r, const struct http_request *http,
    const struct ws_handshake *handshake)
{
	r->http = http;
	r->handshake = handshake;
	r->websocket = handshake != NULL && ws_handshake_wanted(handshake);
	r->sse = accepts_stream(http);
	r->limit = LIMIT_POLL_EVENTS_DEFAULT;
	read_query(w, r);
	if (r->websocket)
		r->sse = false;
	if (r->wait_s > w->settings.now.max_wait_s)
		r->wait_s = w->settings.now.max_wait_s;
	choose_cursor(r);
	conn_decide_now(w, &r->after);
}

/* ---- origins ----------------------------------------------------------------------------------- */

/* The scheme by which the client came, where a proxy that we trust says so. */
static enum http_scheme
scheme_of(struct worker *w, const struct slot *s, const struct http_request *http)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof peer;
	struct address address;
	const struct order_settings *settings = &w->settings.now;

	if ((settings->proxy_count == 0 && !settings->trust_unix) ||
	    !http_request_has(http, HTTP_X_FORWARDED_PROTO))
		return http->scheme;
	if (getpeername(s->descriptor, (struct sockaddr *)&peer, &len) == -1)
		return http->scheme;
	if (peer.ss_family == AF_UNIX)
		return settings->trust_unix ? http_forwarded_scheme(http) : http->scheme;
	if (peer.ss_family == AF_INET)
		address =
		    address_of_ipv4((const uint8_t *)&((struct sockaddr_in *)&peer)->sin_addr);
	else
		address =
		    address_of_ipv6((const uint8_t *)&((struct sockaddr_in6 *)&peer)->sin6_addr);
	for (size_t i = 0; i < settings->proxy_count; i++) {
		struct address_range range = {.prefix = settings->proxies[i].prefix};

		memcpy(range.address.bytes, settings->proxies[i].address.bytes,
		    sizeof range.address.bytes);
		if (address_in(&address, &range))
			return http_forwarded_scheme(http);
	}
	return http->scheme;
}

/* Judges the origin, and notes what the answer must say of it. With ["*"], too, what is said depends on the Origin. */
static bool
judge_origin(struct worker *w, const struct origin_request *page, struct request *answer)
{
	const struct order_settings *settings = &w->settings.now;
	const struct origin_rules rules = {
	    settings->origins, settings->origin_count, settings->any_origin != 0};
	const enum origin_verdict verdict = origin_check(&rules, page);
	const struct slice allow = origin_allow(verdict, page->origin);

	answer->vary = true;
	answer->credentials = origin_has_credentials(verdict);
	answer->allow_origin = allow.bytes;
	answer->allow_origin_len = (uint32_t)allow.len;
	return origin_is_allowed(verdict);
}

void
route_judge_bytes(struct worker *w, struct slice bytes, struct request *answer)
{
	const char *line_end = bytes.len == 0 ? NULL : memchr(bytes.bytes, '\n', bytes.len);
	struct origin_request page = {.scheme = HTTP_SCHEME_UNKNOWN};
	struct http_head head = {line_end, bytes.bytes + bytes.len};
	struct http_field field;

	if (line_end == NULL)
		return;
	head.at++;
	while (http_head_field(&head, &field) == HTTP_HEAD_OK) {
		if (http_equal_nocase(field.name, SLICE_LITERAL("Origin"))) {
			if (page.origin.bytes != NULL)
				return; /* of two, nobody knows which it is */
			page.origin = field.value;
		} else if (http_equal_nocase(field.name, SLICE_LITERAL("Host"))) {
			page.host = field.value;
		} else if (http_equal_nocase(field.name, SLICE_LITERAL("Sec-Fetch-Site"))) {
			page.sec_fetch_site = field.value;
		}
	}
	judge_origin(w, &page, answer);
}

static void
refuse_origin(struct worker *w, uint32_t slot, const struct session_request *r)
{
	const struct slice origin = r->http->known[HTTP_ORIGIN];
	const struct slice host = r->http->host;
	char message[768];

	snprintf(message, sizeof message,
	    "the origin %.*s is neither that of this server (%.*s) nor listed: add it to the configuration's `origins`",
	    (int)(origin.len > 256 ? 256 : origin.len), origin.bytes,
	    (int)(host.len > 256 ? 256 : host.len), host.bytes == NULL ? "" : host.bytes);
	session_refuse_request(w, slot, r, ERROR_ORIGIN_FORBIDDEN, message);
}

/* ---- /events ------------------------------------------------------------------------------------ */

static bool
check_events(struct worker *w, uint32_t slot, const struct session_request *r)
{
	if (r->fault != NULL)
		session_refuse_request(w, slot, r, r->fault_code, r->fault);
	else if (r->channel_count == 0)
		session_refuse_request(
		    w, slot, r, ERROR_NO_CHANNEL, "name a channel: /events?channel=NAME");
	else if (r->format == SESSION_FORMAT_RAW && !r->sse)
		session_refuse_request(w, slot, r, ERROR_BAD_REQUEST,
		    "format=raw is for streams; a poll answers JSON");
	else if (w->draining)
		session_refuse_request(
		    w, slot, r, ERROR_DRAINING, "this server is about to stop: try again");
	else
		return session_keep_request(w, slot, r);
	return false;
}

static void
serve_events(struct worker *w, uint32_t slot, const struct session_request *r)
{
	if (r->http->method == HTTP_POST)
		serve_publish_start(w, slot, r);
	else if (r->websocket)
		serve_ws_start(w, slot, r);
	else if (!check_events(w, slot, r))
		return;
	else if (r->sse)
		serve_sse_start(w, slot, r);
	else
		serve_poll_start(w, slot, r);
}

/* ---- the rest ----------------------------------------------------------------------------------- */

static void
answer_body(struct worker *w, uint32_t slot, const struct session_request *r, struct slice type,
    struct slice cache, struct slice body)
{
	struct out o;

	if (!buffer_reserve(
		&w->render, body.len + SESSION_HEAD_BYTES + r->answer.allow_origin_len)) {
		conn_close(w, slot, BOARD_SHED_MEMORY);
		return;
	}
	o = buffer_out(&w->render);
	session_head(w, worker_slot(w, slot), &r->answer, &o, type, cache, body.len);
	if (!r->answer.head_only)
		out_slice(&o, body);
	session_answered(w, slot, slice_of(o.bytes, o.len));
}

static void
serve_health(struct worker *w, uint32_t slot, const struct session_request *r)
{
	answer_body(w, slot, r, SLICE_LITERAL("text/plain; charset=utf-8"),
	    SLICE_LITERAL("no-store"), SLICE_LITERAL("ok\n"));
}

static void
serve_ready(struct worker *w, uint32_t slot, const struct session_request *r)
{
	if (w->draining)
		session_refuse_request(w, slot, r, ERROR_DRAINING, "this server is about to stop");
	else
		serve_health(w, slot, r);
}

static void
serve_console(struct worker *w, uint32_t slot, const struct session_request *r)
{
	if (w->settings.now.console)
		answer_body(w, slot, r, SLICE_LITERAL("text/html; charset=utf-8"),
		    SLICE_LITERAL("no-cache"),
		    slice_of((const char *)console_page, console_page_len));
	else
		session_refuse_request(w, slot, r, ERROR_NOT_FOUND,
		    "the console is off: set \"console\": true, or start ringcastd with --console; events are at /events");
}

enum methods { METHODS_READ, METHODS_EVENTS };

static const struct {
	const char *path;
	enum methods methods;
	void (*serve)(struct worker *w, uint32_t slot, const struct session_request *r);
} routes[] = {
    {"/events", METHODS_EVENTS, serve_events},
    {"/healthz", METHODS_READ, serve_health},
    {"/readyz", METHODS_READ, serve_ready},
    {"/", METHODS_READ, serve_console},
};
#define ROUTES (sizeof routes / sizeof routes[0])

static const char *const allowed[] = {
    [METHODS_READ] = "GET, HEAD, OPTIONS",
    [METHODS_EVENTS] = "GET, HEAD, POST, OPTIONS",
};

static bool
method_allowed(enum methods methods, enum http_method method)
{
	return method == HTTP_GET || method == HTTP_HEAD ||
	       (methods == METHODS_EVENTS && method == HTTP_POST);
}

/* Index of the route, or ROUTES. */
static size_t
find_route(const struct worker *w, struct slice path)
{
	const struct slice prefix = w->settings.now.path_prefix;
	size_t i = 0;

	if (!query_path_take(&path, prefix))
		return ROUTES;
	if (path.len == 0 && prefix.len != 0)
		path = SLICE_LITERAL("/");
	while (i < ROUTES) {
		struct slice rest = path;

		if (query_path_take(&rest, slice_text(routes[i].path)) && rest.len == 0)
			break;
		i++;
	}
	return i;
}

static bool
asks_of_server(const struct session_request *r)
{
	return slice_equal(r->http->path, SLICE_LITERAL("*"));
}

static void
answer_options(
    struct worker *w, uint32_t slot, const struct session_request *r, enum methods methods)
{
	const struct http_response template = {
	    .close = (worker_slot(w, slot)->flags & CONN_KEEP_ALIVE) == 0 || w->draining,
	    .date = slice_text(w->date),
	    .allow = slice_text(allowed[methods]),
	    .cors = {slice_of(r->answer.allow_origin, r->answer.allow_origin_len),
		r->answer.credentials, r->answer.vary}};
	char bytes[SESSION_HEAD_BYTES * 2];
	struct out o = out_to(bytes, sizeof bytes);

	http_response_preflight(&o, &template, slice_text(allowed[methods]));
	session_answered(w, slot, slice_of(o.bytes, o.len));
}

static void
refuse_method(
    struct worker *w, uint32_t slot, const struct session_request *r, enum methods methods)
{
	char message[128];

	snprintf(message, sizeof message, "this path takes %s", allowed[methods]);
	session_refuse_method(w, slot, r, allowed[methods], message);
}

/* A body that nobody reads would be taken for the next request, and that one may carry any Origin or none. */
static void
mind_body(struct slot *s, const struct http_request *http, bool read)
{
	const bool body = http->framing == HTTP_FRAMING_CHUNKED ||
			  (http->framing == HTTP_FRAMING_LENGTH && http->content_length != 0);

	if (body && !read)
		s->flags &= (uint16_t)~CONN_KEEP_ALIVE;
}

static void
route_to(struct worker *w, uint32_t slot, struct session_request *r, size_t found)
{
	if (asks_of_server(r))
		answer_options(w, slot, r, METHODS_EVENTS);
	else if (found == ROUTES)
		session_refuse_request(
		    w, slot, r, ERROR_NOT_FOUND, "nothing is here; events are at /events");
	else if (r->http->method == HTTP_OPTIONS)
		answer_options(w, slot, r, routes[found].methods);
	else if (!method_allowed(routes[found].methods, r->http->method))
		refuse_method(w, slot, r, routes[found].methods);
	else
		routes[found].serve(w, slot, r);
}

void
route(struct worker *w, uint32_t slot, const struct http_request *http, bool more)
{
	struct slot *s = worker_slot(w, slot);
	struct ws_handshake handshake;
	struct session_request *r = &w->request;
	struct slice rest = http->fields;
	struct http_field field;
	const size_t found = find_route(w, http->path);
	const bool events = found != ROUTES && routes[found].methods == METHODS_EVENTS;
	const struct origin_request page = {http->known[HTTP_ORIGIN], http->host,
	    http->known[HTTP_SEC_FETCH_SITE], scheme_of(w, s, http)};
	bool allowed_in;

	serve_ws_protocols(&handshake);
	while (http_field_next(&rest, &field))
		ws_handshake_field(&handshake, field.name, field.value);
	memset(r, 0, offsetof(struct session_request, channels));
	r->more = more;
	read_request(w, r, http, http->method == HTTP_GET ? &handshake : NULL);
	/* Who publishes, or asks for something else, is to see what failed by its status. */
	r->sse = r->sse && events && (http->method == HTTP_GET || http->method == HTTP_HEAD);
	r->answer.head_only = http->method == HTTP_HEAD;
	allowed_in = judge_origin(w, &page, &r->answer);
	mind_body(s, http, allowed_in && events && http->method == HTTP_POST);
	if (!allowed_in)
		refuse_origin(w, slot, r);
	else
		route_to(w, slot, r, found);
}
