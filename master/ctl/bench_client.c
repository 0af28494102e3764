/*
 * bench_client.c: see bench_client.h. Events are recognised by their data wherever they lie, so that other servers' dialects need no
 * parser; frames, event blocks and answers are cut out by their protocol first.
 */
#include "master/ctl/bench_client.h"

#include <stdlib.h>
#include <string.h>

#include "proto/http_reply.h"
#include "proto/id.h"
#include "proto/ws_frame.h"

#define HEAD_BYTES_MAX 16384
#define FRAME_BYTES_MAX (32u << 20)
#define ANSWER_BYTES_MAX (64u << 20)
#define HELLO_BYTES 2048 /* one of the longest, filled in */
#define LONGPOLL_WAIT_S 25

/* ---- asking ------------------------------------------------------------------------------------- */

static void
put_resource(const struct bench_plan *plan, const struct bench_client *client, struct out *o)
{
	out_text(o, plan->url.path);
	if (!bench_plan_is_ringcast(plan)) {
		bench_plan_fill(
		    plan, plan->subscribe, client->account.channel, client->account.client, o);
		return;
	}
	out_text(o, "/events?channel=");
	bench_plan_channel(plan, client->account.channel, o);
	if (plan->transport == BENCH_LONGPOLL) {
		out_text(o, "&wait=");
		out_u64(o, LONGPOLL_WAIT_S);
	}
	if (client->cursor != 0) {
		out_text(o, "&after=");
		id_render(o, client->cursor);
	}
}

void
bench_client_request(
    const struct bench_plan *plan, const struct bench_client *client, struct out *o)
{
	out_text(o, "GET ");
	put_resource(plan, client, o);
	out_text(o, " HTTP/1.1\r\nHost: ");
	out_text(o, plan->url.authority);
	switch (plan->transport) {
	case BENCH_SSE:
		out_text(o, "\r\nAccept: text/event-stream");
		break;
	case BENCH_WS:
		/* The key of RFC 6455, 1.3: its answer is not looked at, a bench has nothing to fear from caches. */
		out_text(o, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			    "Sec-WebSocket-Version: 13\r\n"
			    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
		break;
	case BENCH_LONGPOLL:
	case BENCH_POLL:
	case BENCH_TRANSPORTS:
		break;
	}
	if (client->validators != NULL)
		out_text(o, client->validators);
	out_text(o, "\r\n\r\n");
}

/* ---- what arrives ------------------------------------------------------------------------------- */

static void
open_client(const struct bench_reading *r, struct bench_client *client)
{
	if (client->state == BENCH_CLIENT_OPEN)
		return;
	client->state = BENCH_CLIENT_OPEN;
	client->established = true;
	r->ledger->tally.connects++;
	r->ledger->tally.opened_ns = r->now_ns;
}

/* All events in these bytes, which hold whole ones only. Returns how many bytes lie before the end of the last. */
static size_t
take_events(const struct bench_reading *r, struct bench_client *client, struct slice in)
{
	struct bench_event e;
	size_t used, done = 0;

	for (;;) {
		switch (bench_event_find(slice_of(in.bytes + done, in.len - done), &e, &used)) {
		case BENCH_EVENT_NONE:
			return done;
		case BENCH_EVENT_WHOLE:
			bench_ledger_enter(r->ledger, &client->account, &e, r->now_ns);
			break;
		case BENCH_EVENT_DAMAGED:
			r->ledger->tally.damaged++;
			break;
		}
		done += used;
	}
}

static bool
begins(struct slice s, const char *text)
{
	const size_t len = strlen(text);

	return s.len >= len && memcmp(s.bytes, text, len) == 0;
}

/* The id behind a name such as `"next":"`, if there is one. */
static void
take_cursor(struct bench_client *client, struct slice in, const char *name)
{
	const char *at = in.len == 0 ? NULL : memmem(in.bytes, in.len, name, strlen(name));
	struct slice id;
	uint64_t cursor;

	if (at == NULL)
		return;
	at += strlen(name);
	id = slice_of(at, (size_t)(in.bytes + in.len - at));
	for (size_t i = 0; i < id.len; i++)
		if (id.bytes[i] == '"' || id.bytes[i] == '\n' || id.bytes[i] == '\r')
			id.len = i;
	if (id_parse(id, &cursor))
		client->cursor = cursor;
}

static void
take_gap(const struct bench_reading *r, struct bench_client *client)
{
	r->ledger->tally.gaps++;
	client->account.gap = true;
}

/* ---- event streams ------------------------------------------------------------------------------- */

/* Length of the first block with its blank line; 0: it is not whole. */
static size_t
block_len(struct slice in)
{
	const char *at = in.bytes, *end = in.bytes + in.len;

	while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		at++;
		if (at < end && *at == '\n')
			return (size_t)(at + 1 - in.bytes);
		if (end - at >= 2 && at[0] == '\r' && at[1] == '\n')
			return (size_t)(at + 2 - in.bytes);
	}
	return 0;
}

static enum bench_client_verdict
take_blocks(
    const struct bench_reading *r, struct bench_client *client, struct slice in, size_t *used)
{
	size_t len;

	for (*used = 0; *used < in.len; *used += len) {
		struct slice block = slice_of(in.bytes + *used, in.len - *used);

		len = block_len(block);
		if (len == 0)
			break;
		block.len = len;
		if (begins(block, "event: ringcast.welcome\n"))
			open_client(r, client);
		else if (begins(block, "event: ringcast.gap\n"))
			take_gap(r, client);
		else
			take_events(r, client, block);
		if (bench_plan_is_ringcast(r->plan))
			take_cursor(client, block, "\nid: ");
	}
	return BENCH_CLIENT_MORE;
}

/* ---- WebSocket ----------------------------------------------------------------------------------- */

static enum bench_client_verdict
take_frame(const struct bench_reading *r, struct bench_client *client, const struct ws_frame *frame,
    struct slice payload)
{
	static const uint8_t mask[WS_FRAME_MASK_BYTES] = {0x52, 0x43, 0x42, 0x4e};

	switch ((enum ws_opcode)frame->opcode) {
	case WS_PING:
		ws_frame_render_masked(r->reply, WS_PONG, payload, mask);
		break;
	case WS_CLOSE:
		return BENCH_CLIENT_ENDED;
	case WS_TEXT:
	case WS_BINARY:
	case WS_CONTINUATION:
		if (begins(payload, "{\"op\":\"welcome\"")) {
			open_client(r, client);
			take_cursor(client, payload, "\"at\":\"");
		} else if (begins(payload, "{\"op\":\"live\"")) {
			take_cursor(client, payload, "\"at\":\"");
		} else if (begins(payload, "{\"op\":\"gap\"")) {
			take_gap(r, client);
		} else {
			take_events(r, client, payload);
			if (begins(payload, "{\"id\":\""))
				take_cursor(client, payload, "{\"id\":\"");
		}
		break;
	case WS_PONG:
		break;
	}
	return BENCH_CLIENT_MORE;
}

static enum bench_client_verdict
take_frames(
    const struct bench_reading *r, struct bench_client *client, struct slice in, size_t *used)
{
	enum bench_client_verdict verdict = BENCH_CLIENT_MORE;

	for (*used = 0; verdict == BENCH_CLIENT_MORE && *used < in.len;) {
		const struct slice rest = slice_of(in.bytes + *used, in.len - *used);
		struct ws_frame frame;
		const int head = ws_frame_parse(&frame, rest, WS_CLIENT, FRAME_BYTES_MAX);

		if (head < 0)
			return BENCH_CLIENT_MALFORMED;
		if (head == 0 || frame.len > rest.len - (size_t)head)
			break;
		verdict =
		    take_frame(r, client, &frame, slice_of(rest.bytes + head, (size_t)frame.len));
		*used += (size_t)head + (size_t)frame.len;
	}
	return verdict;
}

/* ---- polls --------------------------------------------------------------------------------------- */

/* What a server other than ours says of a place in its history comes back with the next request. */
static void
keep_validators(struct bench_client *client, const struct http_reply *reply)
{
	const struct slice modified = http_reply_field(reply, SLICE_LITERAL("Last-Modified"));
	const struct slice tag = http_reply_field(reply, SLICE_LITERAL("Etag"));
	char text[512];
	const int len = snprintf(text, sizeof text, "%s%.*s%s%.*s",
	    modified.len == 0 ? "" : "\r\nIf-Modified-Since: ", (int)modified.len, modified.bytes,
	    tag.len == 0 ? "" : "\r\nIf-None-Match: ", (int)tag.len, tag.bytes);

	free(client->validators);
	client->validators = len > 0 && len < (int)sizeof text ? strdup(text) : NULL;
}

/* The body of a whole answer: what the poll was for. */
static void
take_answer(const struct bench_reading *r, struct bench_client *client, struct slice body)
{
	size_t done;

	/* Told in front of the events: what they jump over was declared. */
	if (body.len != 0 && memmem(body.bytes, body.len, "\"gaps\":[{", 9) != NULL)
		take_gap(r, client);
	done = take_events(r, client, body);
	if (bench_plan_is_ringcast(r->plan))
		take_cursor(client, slice_of(body.bytes + done, body.len - done), "\"next\":\"");
}

/*
 * Finds the body behind a head: its length on the wire, 0 when it is not whole, -1 when it is malformed. *owned is to be
 * freed: a body in chunks is put together there.
 */
static ptrdiff_t
find_body(const struct http_reply *reply, struct slice in, struct slice *body, char **owned)
{
	struct http_body b;
	struct slice data;
	size_t used = 0, len = 0;

	*owned = NULL;
	if (http_body_start(&b, reply->framing, reply->content_length, ANSWER_BYTES_MAX) < 0)
		return -1;
	if (in.len != 0 && (*owned = malloc(in.len)) == NULL)
		return -1;
	while (!http_body_complete(&b) && used < in.len) {
		const ptrdiff_t n =
		    http_body_next(&b, slice_of(in.bytes + used, in.len - used), &data);

		if (n <= 0)
			return n;
		if (data.len != 0)
			memcpy(*owned + len, data.bytes, data.len);
		len += data.len;
		used += (size_t)n;
	}
	*body = slice_of(*owned, len);
	return http_body_complete(&b) ? (ptrdiff_t)used : 0;
}

/* *used counts from behind the head. */
static enum bench_client_verdict
take_poll(const struct bench_reading *r, struct bench_client *client,
    const struct http_reply *reply, struct slice in, size_t *used)
{
	const bool empty = reply->framing == HTTP_FRAMING_NONE ||
			   (reply->framing == HTTP_FRAMING_LENGTH && reply->content_length == 0);
	struct slice body = {NULL, 0};
	char *owned = NULL;
	const ptrdiff_t n = empty ? 0 : find_body(reply, in, &body, &owned);

	*used = n > 0 ? (size_t)n : 0;
	if (n > 0 || empty) {
		take_answer(r, client, body);
		if (!bench_plan_is_ringcast(r->plan))
			keep_validators(client, reply);
		open_client(r, client);
	}
	free(owned);
	if (n < 0)
		return BENCH_CLIENT_MALFORMED;
	if (n == 0 && !empty)
		return BENCH_CLIENT_MORE;
	return r->plan->transport == BENCH_POLL ? BENCH_CLIENT_LATER : BENCH_CLIENT_AGAIN;
}

/* ---- heads --------------------------------------------------------------------------------------- */

/* A stream begins behind its head. */
static enum bench_client_verdict
greet(const struct bench_reading *r, struct bench_client *client, const struct http_reply *reply)
{
	static const uint8_t mask[WS_FRAME_MASK_BYTES] = {0x72, 0x63, 0x62, 0x6e};
	char text[HELLO_BYTES];
	struct out hello = out_to(text, sizeof text);

	if (r->plan->transport == BENCH_SSE &&
	    !begins(http_reply_field(reply, SLICE_LITERAL("Content-Type")), "text/event-stream")) {
		r->ledger->tally.status = reply->status;
		return BENCH_CLIENT_REFUSED;
	}
	client->state = BENCH_CLIENT_GREETED;
	if (r->plan->transport == BENCH_SSE && reply->framing == HTTP_FRAMING_CHUNKED) {
		client->chunks = malloc(sizeof *client->chunks);
		if (client->chunks == NULL ||
		    http_body_start(client->chunks, reply->framing, 0, UINT64_MAX) < 0)
			return BENCH_CLIENT_MALFORMED;
	}
	if (r->plan->hello != NULL && r->plan->transport == BENCH_WS) {
		bench_plan_fill(r->plan, r->plan->hello, client->account.channel,
		    client->account.client, &hello);
		ws_frame_render_masked(r->reply, WS_TEXT, slice_of(hello.bytes, hello.len), mask);
	}
	if (!bench_plan_is_ringcast(r->plan))
		open_client(r, client);
	return BENCH_CLIENT_MORE;
}

static enum bench_client_verdict
take_head(const struct bench_reading *r, struct bench_client *client, struct slice in, size_t *used)
{
	const bool polls = r->plan->transport == BENCH_LONGPOLL || r->plan->transport == BENCH_POLL;
	const unsigned wanted = r->plan->transport == BENCH_WS ? 101 : 200;
	struct http_reply reply;
	const ptrdiff_t head = http_reply_parse(&reply, in, 0, HEAD_BYTES_MAX);
	enum bench_client_verdict verdict;

	*used = 0;
	if (head < 0)
		return BENCH_CLIENT_MALFORMED;
	if (head == 0)
		return BENCH_CLIENT_MORE;
	if (reply.status != wanted && !(polls && (reply.status == 304 || reply.status == 408))) {
		r->ledger->tally.status = reply.status;
		return BENCH_CLIENT_REFUSED;
	}
	if (polls) {
		verdict = take_poll(
		    r, client, &reply, slice_of(in.bytes + head, in.len - (size_t)head), used);
		if (verdict == BENCH_CLIENT_AGAIN || verdict == BENCH_CLIENT_LATER)
			*used += (size_t)head;
		return verdict;
	}
	*used = (size_t)head;
	return greet(r, client, &reply);
}

enum bench_client_verdict
bench_client_take(
    const struct bench_reading *r, struct bench_client *client, struct slice in, size_t *used)
{
	enum bench_client_verdict verdict;
	size_t more = 0;

	*used = 0;
	if (client->state == BENCH_CLIENT_ASKED || r->plan->transport == BENCH_LONGPOLL ||
	    r->plan->transport == BENCH_POLL) {
		verdict = take_head(r, client, in, used);
		/* What lies behind the head of a chunked stream must be taken out of its chunks first. */
		if (verdict != BENCH_CLIENT_MORE || client->state == BENCH_CLIENT_ASKED ||
		    *used == 0 || client->chunks != NULL)
			return verdict;
	}
	in = slice_of(in.bytes + *used, in.len - *used);
	verdict = r->plan->transport == BENCH_WS ? take_frames(r, client, in, &more)
						 : take_blocks(r, client, in, &more);
	*used += more;
	return verdict;
}

void
bench_client_part(struct bench_client *client)
{
	free(client->held);
	free(client->chunks);
	client->held = NULL;
	client->chunks = NULL;
	client->held_len = 0;
	client->fd = -1;
	client->state = BENCH_CLIENT_AWAY;
	client->established = false;
}
