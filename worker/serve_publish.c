/*
 * serve_publish.c: the tag of a publish says whom to answer:
 *
 *     0                    8
 *     | generation << 32 | slot | the client's ref, as it was sent
 */
#include "worker/serve_publish.h"

#include <stdlib.h>

#include "proto/http_media.h"
#include "proto/id.h"
#include "proto/order.h"
#include "worker/conn.h"
#include "worker/intake.h"
#include "worker/serve_ws.h"
#include "worker/session.h"
#include "worker/worker.h"

#define ANSWER_MS 30000 /* the master is expected to answer within this */

/* ---- to the master -------------------------------------------------------------------------------- */

/* Whether a rule lets clients publish to all of its channels, and it is not too large. */
static enum error_code
check(struct worker *w, const struct event *e, const char **message)
{
	for (uint32_t i = 0; i < e->channel_count; i++) {
		const struct rule *rule = settings_rule(&w->settings, e->channels[i]);

		if (rule == NULL || rule->publish != RULE_ANYONE) {
			*message =
			    "clients may not publish to this channel: no rule of the configuration's `channels` allows it";
			return ERROR_FORBIDDEN;
		}
	}
	if (e->data.len > w->settings.now.max_event_bytes) {
		*message = "the data is larger than max_event_bytes";
		return ERROR_TOO_LARGE;
	}
	return ERROR_NONE;
}

static bool
encode(struct worker *w, const struct order_publish *m)
{
	struct out o = out_to(NULL, 0);

	order_encode_publish(&o, m);
	if (!buffer_reserve(&w->render, o.need))
		return false;
	o = buffer_out(&w->render);
	order_encode_publish(&o, m);
	w->render.len = o.len;
	return true;
}

enum error_code
serve_publish_send(
    struct worker *w, uint32_t slot, const struct event *e, struct slice ref, const char **message)
{
	const uint64_t name = (uint64_t)worker_slot(w, slot)->generation << 32 | slot;
	char tag[ORDER_TAG_BYTES];
	struct order_publish m = {.event = *e};
	enum error_code code = check(w, e, message);

	if (code != ERROR_NONE)
		return code;
	memcpy(tag, &name, sizeof name);
	if (ref.len != 0)
		memcpy(tag + sizeof name, ref.bytes, ref.len);
	m.tag = slice_of(tag, sizeof name + ref.len);
	if (!encode(w, &m) || !intake_send_publish(w, buffer_slice(&w->render))) {
		*message = "too many publishes are waiting: try again";
		return ERROR_OVERLOADED;
	}
	board_add(&w->board, BOARD_PUBLISHES, 1);
	return ERROR_NONE;
}

/* ---- POST /events ----------------------------------------------------------------------------------- */

static const uint8_t body_kinds[] = {
    [HTTP_MEDIA_NONE] = EVENT_BODY_GUESS,
    [HTTP_MEDIA_JSON] = EVENT_BODY_JSON,
    [HTTP_MEDIA_TEXT] = EVENT_BODY_TEXT,
    [HTTP_MEDIA_FORM] = EVENT_BODY_GUESS,
    [HTTP_MEDIA_OTHER] = EVENT_BODY_BINARY,
};

/* What is wrong with the head of a POST; ERROR_NONE: nothing. */
static enum error_code
check_head(struct worker *w, const struct session_request *r, const char **message)
{
	const enum http_media media = http_media_of(r->http->known[HTTP_CONTENT_TYPE]);
	const struct rule *rule;

	*message = r->fault;
	if (r->fault != NULL)
		return r->fault_code;
	*message = "name one channel: POST /events?channel=NAME";
	if (r->channel_count == 0)
		return ERROR_NO_CHANNEL;
	if (r->channel_count > 1)
		return ERROR_BAD_REQUEST;
	rule = settings_rule(&w->settings, r->channels[0]);
	*message =
	    "clients may not publish to this channel: no rule of the configuration's `channels` allows it";
	if (rule == NULL || rule->publish != RULE_ANYONE)
		return ERROR_FORBIDDEN;
	*message = "one event a request here; streams of envelopes go to the publish socket";
	if (media == HTTP_MEDIA_NDJSON)
		return ERROR_BAD_REQUEST;
	*message = "a Content-Encoding is not understood: send the body as it is";
	if (http_request_is_encoded(r->http))
		return ERROR_UNSUPPORTED_TYPE;
	*message = "the body is the data: JSON, text or any type of bytes, in UTF-8, not multipart";
	if (media == HTTP_MEDIA_MULTIPART || media == HTTP_MEDIA_BAD_CHARSET ||
	    media == HTTP_MEDIA_MALFORMED)
		return ERROR_UNSUPPORTED_TYPE;
	*message = "this server is about to stop: try again";
	return w->draining ? ERROR_DRAINING : ERROR_NONE;
}

/* A copy that the request keeps. False: no memory. */
static bool
keep_text(struct slice text, char **to, size_t *len)
{
	if (text.len == 0)
		return true;
	*to = malloc(text.len);
	if (*to == NULL)
		return false;
	memcpy(*to, text.bytes, text.len);
	*len = text.len;
	return true;
}

static bool
keep_publish(struct worker *w, uint32_t slot, const struct session_request *r)
{
	struct publishing *p;

	if (!session_keep_request(w, slot, r))
		return false;
	p = calloc(1, sizeof *p);
	extra_of(w, worker_slot(w, slot))->publishing = p;
	if (p != NULL && keep_text(r->channels[0], &p->channel, &p->channel_len) &&
	    keep_text(r->type, &p->type, &p->type_len) &&
	    keep_text(r->http->known[HTTP_IDEMPOTENCY_KEY], &p->key, &p->key_len)) {
		p->body_kind = body_kinds[http_media_of(r->http->known[HTTP_CONTENT_TYPE])];
		return true;
	}
	conn_close(w, slot, BOARD_SHED_MEMORY);
	return false;
}

/* Text and binary are the data; JSON may be longer than what it means, and is measured by check(). */
static uint32_t
body_len_max(const struct worker *w, uint8_t body_kind)
{
	return body_kind == EVENT_BODY_JSON ? settings_json_len_max(&w->settings)
					    : w->settings.now.max_event_bytes;
}

/* A body that will not be read: the connection ends behind the answer. */
static void
refuse_unread(struct worker *w, uint32_t slot, const struct session_request *r,
    enum error_code code, const char *message)
{
	if (r->http->framing == HTTP_FRAMING_CHUNKED || r->http->content_length != 0)
		worker_slot(w, slot)->flags &= (uint16_t)~CONN_KEEP_ALIVE;
	session_refuse_request(w, slot, r, code, message);
}

static bool
set_parts(struct event *e, const struct publishing *p, struct slice body, struct out *scratch,
    struct event_fault *fault)
{
	return event_add_channel(e, slice_of(p->channel, p->channel_len), fault) &&
	       (p->type == NULL || event_set_type(e, slice_of(p->type, p->type_len), fault)) &&
	       (p->key == NULL || event_set_key(e, slice_of(p->key, p->key_len), fault)) &&
	       event_set_body(e, (enum event_body)p->body_kind, body, scratch, fault);
}

/* The body is whole. */
static void
publish_body(struct worker *w, uint32_t slot)
{
	struct slot *s = worker_slot(w, slot);
	struct extra *x = extra_of(w, s);
	struct event *e = &w->op.event;
	struct event_fault fault;
	struct out scratch;
	const char *message = "out of memory: try again";
	enum error_code code = ERROR_OVERLOADED;

	if (buffer_reserve(&w->scratch, x->input.len + 1)) {
		scratch = buffer_out(&w->scratch);
		event_clear(e);
		if (set_parts(e, x->publishing, buffer_slice(&x->input), &scratch, &fault)) {
			code = serve_publish_send(w, slot, e, (struct slice){NULL, 0}, &message);
		} else {
			code = fault.code;
			message = fault.message;
		}
	}
	extra_input_free(w, x);
	if (code != ERROR_NONE) {
		session_refuse(w, slot, code, message);
		return;
	}
	conn_set_state(w, slot, CONN_ANSWER);
	timer_set(w, slot, ANSWER_MS);
}

void
serve_publish_start(struct worker *w, uint32_t slot, const struct session_request *r)
{
	struct publishing *p;
	const char *message;
	const enum error_code code = check_head(w, r, &message);

	if (code != ERROR_NONE) {
		refuse_unread(w, slot, r, code, message);
		return;
	}
	if (!keep_publish(w, slot, r))
		return;
	p = extra_of(w, worker_slot(w, slot))->publishing;
	if (http_body_start(&p->body, r->http->framing, r->http->content_length,
		body_len_max(w, p->body_kind)) != 0) {
		refuse_unread(
		    w, slot, r, ERROR_TOO_LARGE, "the body is larger than max_event_bytes");
		return;
	}
	p->body_ns = w->now_ns;
	/* Who is already sending, or has nothing to send, does not wait for a word (RFC 9110, 10.1.1). */
	if (r->http->expect_continue && !r->more && !http_body_complete(&p->body) &&
	    !deliver_say(w, slot, HTTP_RESPONSE_CONTINUE))
		return;
	conn_set_state(w, slot, CONN_BODY);
	timer_set(w, slot, w->settings.now.body_timeout_s * 1000);
	if (http_body_complete(&p->body))
		publish_body(w, slot);
}

size_t
serve_publish_body(struct worker *w, uint32_t slot, struct slice bytes)
{
	struct slot *s = worker_slot(w, slot);
	struct extra *x = extra_of(w, s);
	size_t used = 0;

	while (used < bytes.len && !http_body_complete(&x->publishing->body)) {
		struct slice data;
		const ptrdiff_t n = http_body_next(
		    &x->publishing->body, slice_of(bytes.bytes + used, bytes.len - used), &data);

		if (n < 0) {
			s->flags &= (uint16_t)~CONN_KEEP_ALIVE;
			session_refuse(w, slot, http_body_error_code(n), http_body_error_text(n));
			return 0;
		}
		if (!extra_input_add(w, x, data.bytes, data.len)) {
			s->flags &= (uint16_t)~CONN_KEEP_ALIVE;
			session_refuse(w, slot, ERROR_OVERLOADED, SESSION_INPUT_FULL);
			return 0;
		}
		used += (size_t)n;
	}
	if (http_body_complete(&x->publishing->body))
		publish_body(w, slot);
	return used;
}

bool
serve_publish_arrives(struct worker *w, uint32_t slot)
{
	const struct publishing *p = extra_of(w, worker_slot(w, slot))->publishing;
	const uint32_t left_ms = session_time_left_ms(w, p->body_ns, p->body.total);

	if (left_ms == 0)
		return false;
	timer_set(w, slot, left_ms);
	return true;
}

/* ---- answers ---------------------------------------------------------------------------------------- */

static void
answer_http(struct worker *w, uint32_t slot, const struct order_published *m)
{
	struct slot *s = worker_slot(w, slot);
	const struct request *request = &extra_of(w, s)->request;
	char body[96], message[256];
	struct out json = out_to(body, sizeof body), o;

	if (m->error != ERROR_NONE) {
		o = out_to(message, sizeof message - 1);
		out_bytes(&o, m->message.bytes, m->message.len < o.cap ? m->message.len : o.cap);
		message[o.len] = '\0';
		session_refuse(w, slot, (enum error_code)m->error, message);
		return;
	}
	out_text(&json, "{\"id\":\"");
	id_render(&json, m->id);
	out_text(&json, m->duplicate ? "\",\"duplicate\":true}" : "\"}");
	if (!buffer_reserve(
		&w->render, SESSION_HEAD_BYTES + request->allow_origin_len + json.len)) {
		conn_close(w, slot, BOARD_SHED_MEMORY);
		return;
	}
	o = buffer_out(&w->render);
	session_head(w, s, request, &o, SLICE_LITERAL("application/json"),
	    SLICE_LITERAL("no-store"), json.len);
	out_bytes(&o, json.bytes, json.len);
	session_answered(w, slot, slice_of(o.bytes, o.len));
}

void
serve_publish_answered(struct worker *w, const struct order_published *m)
{
	uint64_t name;
	struct slot *s;
	struct slice ref;
	uint32_t slot;

	if (m->tag.len < sizeof name)
		return;
	memcpy(&name, m->tag.bytes, sizeof name);
	slot = (uint32_t)name;
	s = slots_get_generation(&w->slots, slot, (uint32_t)(name >> 32));
	if (s == NULL || s->state == CONN_FREE || s->state == CONN_CLOSED)
		return; /* the client has left meanwhile */
	ref = slice_of(m->tag.bytes + sizeof name, m->tag.len - sizeof name);
	if (s->state == CONN_ANSWER)
		answer_http(w, slot, m);
	else if (conn_is_websocket(s) && s->state != CONN_LINGER && m->error != ERROR_NONE)
		serve_ws_error(w, slot, (enum error_code)m->error, m->message, ref);
	else if (conn_is_websocket(s) && s->state != CONN_LINGER)
		serve_ws_published(w, slot, m->id, m->duplicate, ref);
}
