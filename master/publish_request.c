/*
 * publish_request.c: routes of the publish socket, and POST /publish. See publish_request.h.
 *
 * A head is judged first (publish_request_begin), so that what cannot succeed is refused before its body is sent. Then the
 * whole body is judged before the first event enters the ring: of a request either everything is published or nothing.
 */
#include "master/publish_request.h"

#include <assert.h>
#include <stdio.h>

#include "master/api.h"
#include "master/master.h"
#include "master/publish.h"
#include "master/publish_session.h"
#include "master/stats.h"
#include "proto/event.h"
#include "proto/http_media.h"
#include "proto/id.h"
#include "proto/query.h"

enum route {
	ROUTE_PUBLISH,
	ROUTE_CHANNELS,
	ROUTE_CHANNEL,
	ROUTE_CONNECTIONS,
	ROUTE_CONNECTION,
	ROUTE_STATS,
	ROUTE_METRICS,
	ROUTE_HEALTHZ,
	ROUTE_READYZ,
	ROUTE_COUNT
};

struct route_entry {
	const char *path; /* with a final slash: a prefix, something must follow */
	const char *allow;
	bool get, post, delete;
	bool admin; /* also on admin_listen */
};

static const struct route_entry routes[ROUTE_COUNT] = {
    [ROUTE_PUBLISH] = {"/publish", "POST, OPTIONS", .post = true},
    [ROUTE_CHANNELS] = {"/channels", "GET, HEAD, OPTIONS", .get = true},
    [ROUTE_CHANNEL] = {"/channels/", "GET, HEAD, DELETE, OPTIONS", .get = true, .delete = true},
    [ROUTE_CONNECTIONS] = {"/connections", "GET, HEAD, OPTIONS", .get = true},
    [ROUTE_CONNECTION] = {"/connections/", "DELETE, OPTIONS", .delete = true},
    [ROUTE_STATS] = {"/stats", "GET, HEAD, OPTIONS", .get = true},
    [ROUTE_METRICS] = {"/metrics", "GET, HEAD, OPTIONS", .get = true, .admin = true},
    [ROUTE_HEALTHZ] = {"/healthz", "GET, HEAD, OPTIONS", .get = true, .admin = true},
    [ROUTE_READYZ] = {"/readyz", "GET, HEAD, OPTIONS", .get = true, .admin = true},
};

/* ---- routes ----------------------------------------------------------------------------------------- */

/* The route of a path, and what follows its prefix; ROUTE_COUNT: none. */
static enum route
route_find(struct slice path, enum publish_session_role role, struct slice *rest)
{
	for (enum route route = 0; route < ROUTE_COUNT; route++) {
		struct slice at = slice_text(routes[route].path);
		bool prefix = at.bytes[at.len - 1] == '/';

		*rest = path;
		if (role == PUBLISH_SESSION_ADMIN && !routes[route].admin)
			continue;
		if (query_path_take(rest, at) && prefix == (rest->len != 0))
			return route;
	}
	return ROUTE_COUNT;
}

static bool
route_allows(const struct route_entry *route, enum http_method method)
{
	switch (method) {
	case HTTP_GET:
	case HTTP_HEAD:
		return route->get;
	case HTTP_POST:
		return route->post;
	case HTTP_DELETE:
		return route->delete;
	case HTTP_PUT:
	case HTTP_OPTIONS:
	case HTTP_PATCH:
	case HTTP_CONNECT:
	case HTTP_TRACE:
	case HTTP_METHOD_OTHER:
		break;
	}
	return false;
}

static enum publish_request_plan
refuse(struct publish_session *s, enum error_code code, const char *message)
{
	publish_session_error(s, code, message);
	return PUBLISH_REQUEST_REFUSED;
}

static enum publish_request_plan
answer_options(struct publish_session *s, const char *allow)
{
	publish_session_answer(
	    s, &(struct publish_session_answer){.status = 204, .allow = slice_text(allow)});
	return PUBLISH_REQUEST_REFUSED;
}

/* ---- POST /publish: the head -------------------------------------------------------------------------- */

static bool
has_channel(const struct http_request *request)
{
	struct slice rest = request->query, value;

	return query_find(&rest, "channel", &value);
}

static bool
errors_only(const struct http_request *request)
{
	struct slice value;

	return query_last(request->query, "acks", &value) &&
	       slice_equal(value, SLICE_LITERAL("errors"));
}

static enum publish_request_plan
judge_stream(struct publish_session *s, const struct http_request *request)
{
	if (has_channel(request))
		return refuse(s, ERROR_BAD_REQUEST,
		    "lines of application/x-ndjson are envelopes: name the channel in each, not in the query");
	if (http_request_has(request, HTTP_IDEMPOTENCY_KEY))
		return refuse(s, ERROR_BAD_REQUEST,
		    "Idempotency-Key names one event: give each line a \"key\" of its own");
	return PUBLISH_REQUEST_STREAM;
}

/* Everything about a publish that its head decides. */
static enum publish_request_plan
begin_publish(struct publish_session *s, const struct http_request *request)
{
	if (s->set->m->state == MASTER_DRAINING)
		return refuse(s, ERROR_DRAINING, "the server is stopping; try again");
	if (http_request_is_encoded(request))
		return refuse(s, ERROR_UNSUPPORTED_TYPE,
		    "a Content-Encoding is not understood: send the body as it is");
	switch (http_media_of(request->known[HTTP_CONTENT_TYPE])) {
	case HTTP_MEDIA_NDJSON:
		return judge_stream(s, request);
	case HTTP_MEDIA_MULTIPART:
		return refuse(s, ERROR_UNSUPPORTED_TYPE,
		    "multipart is not understood: send JSON, or the data itself with ?channel=");
	case HTTP_MEDIA_BAD_CHARSET:
		return refuse(s, ERROR_UNSUPPORTED_TYPE, "the charset must be UTF-8");
	case HTTP_MEDIA_MALFORMED:
		return refuse(s, ERROR_UNSUPPORTED_TYPE, "Content-Type is malformed");
	case HTTP_MEDIA_TEXT:
	case HTTP_MEDIA_OTHER:
		if (!has_channel(request))
			return refuse(s, ERROR_NO_CHANNEL,
			    "a body of this type is data: name the channel with ?channel=");
		break;
	case HTTP_MEDIA_NONE:
	case HTTP_MEDIA_JSON:
	case HTTP_MEDIA_FORM:
		break;
	}
	return PUBLISH_REQUEST_BODY;
}

enum publish_request_plan
publish_request_begin(struct publish_session *s, const struct http_request *request)
{
	bool was_closing = s->close;
	enum publish_request_plan plan;
	struct slice rest;
	enum route route = route_find(request->path, s->role, &rest);

	/* A refusal leaves the body unread, and so ends the connection. */
	if (request->framing != HTTP_FRAMING_NONE)
		s->close = true;
	if (request->method == HTTP_OPTIONS && slice_equal(request->path, SLICE_LITERAL("*")))
		return answer_options(s, "GET, HEAD, POST, DELETE, OPTIONS");
	if (route == ROUTE_COUNT)
		return refuse(s, ERROR_NOT_FOUND,
		    s->role == PUBLISH_SESSION_ADMIN
			? "there is nothing at this path; here are /metrics, /healthz and /readyz"
			: "there is nothing at this path; publish with POST /publish");
	if (request->method == HTTP_OPTIONS)
		return answer_options(s, routes[route].allow);
	if (!route_allows(&routes[route], request->method)) {
		publish_session_not_allowed(s, slice_text(routes[route].allow));
		return PUBLISH_REQUEST_REFUSED;
	}
	s->close = was_closing;
	plan = PUBLISH_REQUEST_BODY;
	if (route == ROUTE_PUBLISH) {
		s->close = was_closing || request->framing != HTTP_FRAMING_NONE;
		plan = begin_publish(s, request);
	}
	if (plan != PUBLISH_REQUEST_REFUSED)
		s->close = was_closing;
	if (plan == PUBLISH_REQUEST_STREAM) {
		publish_session_continue(s, request);
		publish_stream_begin(s, request->minor == 1, errors_only(request));
	}
	return plan;
}

/* ---- POST /publish: the body -------------------------------------------------------------------------- */

static void
answer_id(struct publish_session *s, uint64_t id, bool duplicate)
{
	char text[64];
	struct out o = out_to(text, sizeof text);

	out_text(&o, "{\"id\":\"");
	id_render(&o, id);
	out_text(&o, duplicate ? "\",\"duplicate\":true}" : "\"}");
	publish_session_json(s, slice_of(text, o.len));
}

/* The header stands in for an envelope's own key. */
static bool
add_header_key(struct event *event, const struct http_request *request, struct event_fault *fault)
{
	if (event->key.bytes != NULL || !http_request_has(request, HTTP_IDEMPOTENCY_KEY))
		return true;
	return event_set_key(event, request->known[HTTP_IDEMPOTENCY_KEY], fault);
}

static void
publish_one(struct publish_session *s, const struct event *event)
{
	enum error_code code;
	const char *message;
	uint64_t id;
	bool duplicate;

	if (publish_event(s->set->m, event, &id, &duplicate, &code, &message) == -1)
		publish_session_error(s, code, message);
	else
		answer_id(s, id, duplicate);
}

static struct event_fault
fault_of(enum error_code code, const char *message)
{
	struct event_fault fault = {.code = code};

	snprintf(fault.message, sizeof fault.message, "%s", message);
	return fault;
}

/* Decodes the parameters channel and type into names, a buffer as long as the query. */
static bool
event_from_query(struct event *event, struct slice query, char *names, struct event_fault *fault)
{
	struct slice rest = query, raw;
	ptrdiff_t len;

	event_clear(event);
	while (query_find(&rest, "channel", &raw)) {
		len = query_decode(raw, names, raw.len);
		if (len < 0) {
			*fault = fault_of(ERROR_BAD_CHANNEL,
			    "a channel in the query is not percent-encoded rightly");
			return false;
		}
		if (!event_add_channel(event, slice_of(names, (size_t)len), fault))
			return false;
		names += len;
	}
	if (!query_last(query, "type", &raw))
		return true;
	len = query_decode(raw, names, raw.len);
	if (len < 0) {
		*fault = fault_of(
		    ERROR_BAD_REQUEST, "the type in the query is not percent-encoded rightly");
		return false;
	}
	return event_set_type(event, slice_of(names, (size_t)len), fault);
}

/* ?channel=: the body is the data. */
static void
publish_data(struct publish_session *s, const struct http_request *request, struct slice body)
{
	char names[LIMIT_PUBLISH_HEAD_BYTES];
	struct out scratch = publish_session_scratch(s->set, body.len);
	enum event_body how = EVENT_BODY_BINARY;
	struct event_fault fault;
	struct event event;

	switch (http_media_of(request->known[HTTP_CONTENT_TYPE])) {
	case HTTP_MEDIA_JSON:
		how = EVENT_BODY_JSON;
		break;
	case HTTP_MEDIA_TEXT:
		how = EVENT_BODY_TEXT;
		break;
	case HTTP_MEDIA_NONE:
	case HTTP_MEDIA_FORM:
		how = EVENT_BODY_GUESS;
		break;
	case HTTP_MEDIA_OTHER:
	case HTTP_MEDIA_NDJSON: /* this and what follows was refused with the head */
	case HTTP_MEDIA_MULTIPART:
	case HTTP_MEDIA_BAD_CHARSET:
	case HTTP_MEDIA_MALFORMED:
		break;
	}
	if (!event_from_query(&event, request->query, names, &fault) ||
	    !add_header_key(&event, request, &fault) ||
	    !event_set_body(&event, how, body, &scratch, &fault))
		publish_session_fault(s, &fault);
	else
		publish_one(s, &event);
}

static void
publish_form(struct publish_session *s, const struct http_request *request, struct slice body)
{
	struct out scratch = publish_session_scratch(s->set, body.len);
	struct event_fault fault;
	struct event event;

	if (!event_parse_form(&event, body, &scratch, &fault) ||
	    !add_header_key(&event, request, &fault))
		publish_session_fault(s, &fault);
	else
		publish_one(s, &event);
}

/* ---- envelopes ---------------------------------------------------------------------------------------- */

/* What the first pass over an array finds out. */
struct batch_plan {
	uint64_t bytes;   /* in the ring */
	uint64_t largest; /* of one event */
	uint32_t count;
	uint32_t keys; /* of them, with a key */
};

/* The first pass: everything is checked, nothing is published. */
static bool
batch_check(struct publish_session *s, struct slice body, struct batch_plan *plan,
    struct event_fault *fault)
{
	struct event_batch batch;
	struct event event;
	int more;

	*plan = (struct batch_plan){0};
	if (!event_batch_open(&batch, body, fault))
		return false;
	for (;;) {
		struct out scratch = publish_session_scratch(s->set, body.len);
		enum error_code code;
		const char *message;
		uint64_t size;

		more = event_batch_next(&batch, &event, &scratch, fault);
		if (more <= 0)
			return more == 0;
		if (publish_event_size(s->set->m, &event, &size, &code, &message) == -1) {
			*fault = fault_of(code, message);
			/* What is too large about an event is its data. */
			snprintf(fault->path, sizeof fault->path, "[%u]%s", plan->count,
			    code == ERROR_TOO_LARGE ? ".data" : "");
			return false;
		}
		if (++plan->count > LIMIT_PUBLISH_BATCH_EVENTS) {
			*fault = fault_of(ERROR_TOO_LARGE,
			    "too many events in one array; send several, or a stream of application/x-ndjson");
			return false;
		}
		plan->keys += event.key.len != 0;
		plan->bytes += size;
		if (size > plan->largest)
			plan->largest = size;
	}
}

static void
answer_ids(struct out *o, uint64_t id, uint32_t index)
{
	if (index != 0)
		out_char(o, ',');
	out_char(o, '"');
	id_render(o, id);
	out_char(o, '"');
}

/* The second pass over an array: publishes what the first has checked. Each answer is an id. */
static void
batch_publish(struct publish_session *s, struct slice body, const struct batch_plan *plan)
{
	struct publish_buffer answer = {0};
	struct event_batch batch;
	struct event_fault fault;
	struct event event;
	struct out o;

	if (!publish_buffer_reserve(&answer, 16 + (size_t)plan->count * (ID_TEXT_MAX + 3))) {
		publish_session_error(s, ERROR_OVERLOADED, "out of memory; try again");
		return;
	}
	o = publish_buffer_out(&answer);
	out_text(&o, "{\"ids\":[");
	event_batch_open(&batch, body, &fault);
	for (uint32_t i = 0; i < plan->count; i++) {
		struct out scratch = publish_session_scratch(s->set, body.len);
		int more = event_batch_next(&batch, &event, &scratch, &fault);
		enum error_code code;
		const char *message;
		uint64_t id;
		bool duplicate;

		assert(more == 1);
		if (publish_event(s->set->m, &event, &id, &duplicate, &code, &message) == -1) {
			publish_session_error(s, code, message);
			publish_buffer_free(&answer);
			return;
		}
		answer_ids(&o, id, i);
	}
	out_text(&o, "]}");
	publish_session_json(s, slice_of(o.bytes, o.len));
	publish_buffer_free(&answer);
}

static void
publish_array(struct publish_session *s, const struct http_request *request, struct slice body)
{
	struct batch_plan plan;
	struct event_fault fault;

	if (http_request_has(request, HTTP_IDEMPOTENCY_KEY))
		publish_session_error(s, ERROR_BAD_REQUEST,
		    "Idempotency-Key names one event: give each event of the array a \"key\" of its own");
	else if (!batch_check(s, body, &plan, &fault))
		publish_session_fault(s, &fault);
	else if (!publish_make_room(s->set->m, plan.bytes, plan.largest))
		publish_session_error(
		    s, ERROR_TOO_LARGE, "the array is larger than the ring takes at once");
	else if (!publish_reserve_keys(s->set->m, plan.keys))
		publish_session_error(s, ERROR_OVERLOADED, "out of memory; try again");
	else
		batch_publish(s, body, &plan);
}

static void
publish_envelopes(struct publish_session *s, const struct http_request *request, struct slice body)
{
	struct out scratch = publish_session_scratch(s->set, body.len);
	struct event_batch batch;
	struct event_fault fault;
	struct event event;

	if (!event_batch_open(&batch, body, &fault))
		publish_session_fault(s, &fault);
	else if (batch.many)
		publish_array(s, request, body);
	else if (event_batch_next(&batch, &event, &scratch, &fault) != 1 ||
		 !add_header_key(&event, request, &fault))
		publish_session_fault(s, &fault);
	else
		publish_one(s, &event);
}

/* Forms are what `curl -d` claims to send, whatever it sends: the first byte tells. */
static bool
looks_like_json(struct slice body)
{
	for (size_t i = 0; i < body.len; i++) {
		char c = body.bytes[i];

		if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
			return c == '{' || c == '[';
	}
	return false;
}

static void
finish_publish(struct publish_session *s, const struct http_request *request, struct slice body)
{
	if (publish_session_scratch(s->set, body.len).bytes == NULL)
		publish_session_error(s, ERROR_OVERLOADED, "out of memory; try again");
	else if (has_channel(request))
		publish_data(s, request, body);
	else if (http_media_of(request->known[HTTP_CONTENT_TYPE]) == HTTP_MEDIA_JSON ||
		 looks_like_json(body))
		publish_envelopes(s, request, body);
	else
		publish_form(s, request, body);
}

/* ---- the rest ----------------------------------------------------------------------------------------- */

/* Renders into memory that grows until it fits. */
static void
answer_rendered(struct publish_session *s, struct slice content_type,
    void (*render)(struct master *m, struct out *o))
{
	struct publish_buffer buffer = {0};
	size_t room = 32768;

	for (;;) {
		struct out o;

		if (!publish_buffer_reserve(&buffer, room)) {
			publish_session_error(s, ERROR_OVERLOADED, "out of memory; try again");
			publish_buffer_free(&buffer);
			return;
		}
		o = publish_buffer_out(&buffer);
		render(s->set->m, &o);
		if (!out_cut(&o)) {
			publish_session_answer(s, &(struct publish_session_answer){.status = 200,
						      .content_type = content_type,
						      .body = slice_of(o.bytes, o.len)});
			publish_buffer_free(&buffer);
			return;
		}
		room = o.need + 4096;
	}
}

static void
answer_ready(struct publish_session *s)
{
	const struct master *m = s->set->m;
	bool serves = false;

	for (unsigned i = 0; i < m->worker_count; i++)
		serves |= master_worker_serves(m, i);
	if (m->state == MASTER_DRAINING)
		publish_session_error(s, ERROR_DRAINING, "the server is stopping");
	else if (!serves)
		publish_session_error(s, ERROR_OVERLOADED, "no worker serves at the moment");
	else
		publish_session_answer(
		    s, &(struct publish_session_answer){.status = 200,
			   .content_type = SLICE_LITERAL("text/plain; charset=utf-8"),
			   .body = SLICE_LITERAL("ready\n")});
}

void
publish_request_finish(
    struct publish_session *s, const struct http_request *request, struct slice body)
{
	struct slice rest;

	switch (route_find(request->path, s->role, &rest)) {
	case ROUTE_PUBLISH:
		finish_publish(s, request, body);
		break;
	case ROUTE_CHANNELS:
		api_list_channels(s, request->query);
		break;
	case ROUTE_CHANNEL:
		if (request->method == HTTP_DELETE)
			api_delete_channel(s, rest, request->query);
		else
			api_show_channel(s, rest);
		break;
	case ROUTE_CONNECTIONS:
		api_list_connections(s, request->query);
		break;
	case ROUTE_CONNECTION:
		api_end_connection(s, rest);
		break;
	case ROUTE_STATS:
		answer_rendered(s, SLICE_LITERAL("application/json"), stats_json);
		break;
	case ROUTE_METRICS:
		answer_rendered(
		    s, SLICE_LITERAL("text/plain; version=0.0.4; charset=utf-8"), stats_metrics);
		break;
	case ROUTE_HEALTHZ:
		publish_session_answer(
		    s, &(struct publish_session_answer){.status = 200,
			   .content_type = SLICE_LITERAL("text/plain; charset=utf-8"),
			   .body = SLICE_LITERAL("ok\n")});
		break;
	case ROUTE_READYZ:
		answer_ready(s);
		break;
	case ROUTE_COUNT:
		assert(false); /* publish_request_begin has refused it */
	}
}
