/*
 * client_parse.c: what a client makes of the bytes that it reads (client.h): poll answers, event
 * streams, WebSocket frames.
 *
 * Written from the contract and the standards, not from the server. What is not allowed is a
 * violation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/lib/client.h"

#define NAME_BYTES 300

/* An event object (CONTRACT.md, "Events, ids, cursors"); false when it is not one. */
static bool
event_of_object(struct text object, struct client_event *event)
{
	struct text key, value;
	size_t offset = 0;
	unsigned found = 0;

	*event = (struct client_event){.data_is_json = true};
	while (wire_json_next(object, &offset, &key, &value)) {
		struct text inner = {value.bytes + 1, value.len - 2};
		bool string = value.len >= 2 && value.bytes[0] == '"';

		if (wire_equal(key, "id") && string) {
			event->id = wire_id(inner);
			found |= 1;
		} else if (wire_equal(key, "channel") && string) {
			event->channel = inner;
			found |= 2;
		} else if (wire_equal(key, "type") && string) {
			event->type = inner;
			found |= 4;
		} else if (wire_equal(key, "data") || wire_equal(key, "data64")) {
			event->data = value;
			found |= 8;
		}
	}
	return found == 15 && event->id != 0 && offset + 1 == object.len;
}

/* The place of a channel among the client's, or -1. */
static int
place_of(const struct clients *e, const struct client *c, struct text channel)
{
	for (int i = 0; i < c->channel_count; i++)
		if (wire_equal(channel, e->names[c->channels[i]]))
			return i;
	return -1;
}

static void
deliver(struct clients *e, struct client *c, const struct client_event *event)
{
	e->events++;
	c->received++;
	if (e->event != NULL)
		e->event(e->context, c, event);
}

static void
raise_cursor(struct client *c, uint64_t id)
{
	if (id > c->cursor)
		c->cursor = id;
}

static void
take_gap(struct clients *e, struct client *c, struct text object)
{
	struct client_gap gap = {
	    .after = wire_json_id_at(object, "after"), .at = wire_json_id_at(object, "at")};
	struct text channel;
	int place;

	if (!wire_json_member(object, "channel", &channel) || channel.len < 2 || gap.at == 0) {
		client_violation(
		    e, c, "a gap without channel or at: %.*s", (int)object.len, object.bytes);
		return;
	}
	gap.channel = (struct text){channel.bytes + 1, channel.len - 2};
	place = place_of(e, c, gap.channel);
	if (place == -1)
		client_violation(
		    e, c, "a gap in a foreign channel: %.*s", (int)object.len, object.bytes);
	else if (c->transport == CLIENT_WS_SUBSCRIBE && gap.at > c->own[place])
		c->own[place] = gap.at;
	e->gaps++;
	c->gaps++;
	if (e->gap != NULL)
		e->gap(e->context, c, &gap);
}

static void
take_live(struct clients *e, struct client *c, uint64_t at)
{
	if (at == 0)
		client_violation(e, c, "live without at");
	raise_cursor(c, at);
	c->channel_live |= c->channel_subscribed;
	if (c->transport != CLIENT_WS_SUBSCRIBE || c->channel_live == (1u << c->channel_count) - 1)
		c->live = true;
}

/*
 * ---- WebSocket ---------------------------------------------------------------------------------
 */

static bool
say_frame(struct clients *e, struct client *c, uint8_t opcode, const void *payload, size_t len)
{
	char frame[1024];

	return len + 14 <= sizeof frame &&
	       client_say(e, c, frame, wire_ws_frame(frame, opcode, true, payload, len));
}

static bool
subscribe_all(struct clients *e, struct client *c)
{
	for (unsigned i = 0; i < c->channel_count; i++) {
		char message[512], id[20];
		int n;

		wire_id_text(c->own[i], id);
		n = c->own[i] != 0
			? snprintf(message, sizeof message,
			      "{\"op\":\"subscribe\",\"channel\":\"%s\",\"after\":\"%s\",\"ref\":%u}",
			      e->names[c->channels[i]], id, i)
			: snprintf(message, sizeof message,
			      "{\"op\":\"subscribe\",\"channel\":\"%s\",\"ref\":%u}",
			      e->names[c->channels[i]], i);
		if (!say_frame(e, c, 1, message, (size_t)n))
			return false;
	}
	return true;
}

static void
take_subscribed(struct clients *e, struct client *c, struct text object)
{
	struct text channel;
	uint64_t at = wire_json_id_at(object, "at");
	int place = -1;

	if (wire_json_member(object, "channel", &channel) && channel.len > 2)
		place = place_of(e, c, (struct text){channel.bytes + 1, channel.len - 2});
	if (place == -1 || at == 0) {
		client_violation(e, c, "a strange subscribed: %.*s", (int)object.len, object.bytes);
		return;
	}
	c->channel_subscribed |= (uint8_t)(1u << place);
	if (at > c->own[place])
		c->own[place] = at;
	c->opened = c->channel_subscribed == (1u << c->channel_count) - 1;
	c->opens += c->opened;
}

/* A control object; false when the connection was lost meanwhile. */
static bool
take_control(struct clients *e, struct client *c, struct text object, const char *op)
{
	if (strcmp(op, "welcome") == 0) {
		struct text beat;

		c->welcome_at = wire_json_id_at(object, "at");
		if (c->welcome_at == 0 || !wire_json_member(object, "beat_s", &beat))
			client_violation(
			    e, c, "a strange welcome: %.*s", (int)object.len, object.bytes);
		raise_cursor(c, c->welcome_at);
		if (c->transport == CLIENT_WS_SUBSCRIBE)
			return subscribe_all(e, c);
		c->opened = true;
		c->opens++;
	} else if (strcmp(op, "live") == 0) {
		take_live(e, c, wire_json_id_at(object, "at"));
	} else if (strcmp(op, "gap") == 0) {
		take_gap(e, c, object);
	} else if (strcmp(op, "subscribed") == 0) {
		take_subscribed(e, c, object);
	} else if (strcmp(op, "error") == 0) {
		e->refused++;
		client_violation(e, c, "%.*s", (int)object.len, object.bytes);
	}
	return true;
}

static bool
take_ws_text(struct clients *e, struct client *c, struct text object)
{
	struct client_event event;
	char op[64];
	int place;

	if (!event_of_object(object, &event)) {
		if (wire_json_string_at(object, "op", op, sizeof op)[0] == '\0') {
			client_violation(
			    e, c, "neither event nor op: %.*s", (int)object.len, object.bytes);
			return true;
		}
		return take_control(e, c, object, op);
	}
	place = place_of(e, c, event.channel);
	if (c->transport == CLIENT_WS_SUBSCRIBE && place != -1 &&
	    (c->channel_live >> place & 1) == 0) {
		if ((c->channel_subscribed >> place & 1) == 0)
			client_violation(e, c, "an event before its subscribed");
		c->own[place] = event.id;
	} else {
		raise_cursor(c, event.id);
	}
	deliver(e, c, &event);
	return true;
}

static bool
take_frame(struct clients *e, struct client *c, const struct wire_ws *frame)
{
	switch (frame->opcode) {
	case 1:
		if (!frame->final)
			client_violation(e, c, "a fragmented message");
		return take_ws_text(e, c, frame->payload);
	case 8:
		c->close_code = 1005;
		if (frame->payload.len >= 2)
			c->close_code = (uint16_t)((unsigned char)frame->payload.bytes[0] << 8 |
						   (unsigned char)frame->payload.bytes[1]);
		if (say_frame(e, c, 8, frame->payload.bytes, frame->payload.len < 2 ? 0 : 2))
			client_lost(e, c, true);
		return false;
	case 9:
		return say_frame(e, c, 10, frame->payload.bytes, frame->payload.len);
	case 10:
		return true;
	default:
		client_violation(e, c, "opcode %u", frame->opcode);
		return true;
	}
}

static ssize_t
parse_ws(struct clients *e, struct client *c, char *bytes, size_t len)
{
	size_t at = 0;

	for (;;) {
		struct wire_ws frame;
		ssize_t n = wire_ws_parse(bytes + at, len - at, &frame);

		if (n == 0)
			return (ssize_t)at;
		if (n < 0) {
			client_violation(e, c, "a frame against RFC 6455: %02x %02x",
			    (unsigned char)bytes[at], (unsigned char)bytes[at + 1]);
			client_lost(e, c, false);
			return -1;
		}
		if (!take_frame(e, c, &frame))
			return -1;
		at += (size_t)n;
	}
}

/*
 * ---- Server-Sent Events ------------------------------------------------------------------------
 */

/* The fields of one event, from its lines; data joined into `scratch` when it has several. */
struct sse_block {
	struct text type, id, data;
	unsigned data_lines;
	bool has_id, has_retry;
};

static void
sse_field(struct clients *e, struct client *c, struct sse_block *b, struct text line)
{
	const char *colon = memchr(line.bytes, ':', line.len);
	size_t name_len = colon != NULL ? (size_t)(colon - line.bytes) : line.len;
	struct text name = {line.bytes, name_len}, value = {NULL, 0};

	if (colon == line.bytes)
		return;
	if (colon != NULL) {
		value = (struct text){colon + 1, line.len - name_len - 1};
		if (value.len != 0 && *value.bytes == ' ')
			value = (struct text){value.bytes + 1, value.len - 1};
	}
	if (memchr(line.bytes, '\r', line.len) != NULL)
		client_violation(e, c, "CR in an event stream");
	if (wire_equal(name, "data")) {
		if (b->data_lines++ == 0) {
			b->data = value;
			return;
		}
		if (b->data_lines == 2) {
			memcpy(e->scratch, b->data.bytes, b->data.len);
			b->data.bytes = e->scratch;
		}
		e->scratch[b->data.len] = '\n';
		if (value.len != 0)
			memcpy(e->scratch + b->data.len + 1, value.bytes, value.len);
		b->data.len += value.len + 1;
	} else if (wire_equal(name, "id")) {
		b->id = value;
		b->has_id = true;
	} else if (wire_equal(name, "event")) {
		b->type = value;
		if (b->has_id)
			client_violation(e, c, "id is not the last field of its event");
	} else if (wire_equal(name, "retry")) {
		b->has_retry = true;
	} else {
		client_violation(e, c, "field %.*s in an event stream", (int)name.len, name.bytes);
	}
}

static void
dispatch(struct clients *e, struct client *c, const struct sse_block *b)
{
	struct client_event event;
	char op[64];
	uint64_t id = b->has_id ? wire_id(b->id) : 0;
	bool json = c->transport == CLIENT_SSE_JSON;

	if (b->has_id && id == 0)
		client_violation(e, c, "id %.*s", (int)b->id.len, b->id.bytes);
	if (id != 0)
		c->cursor = id;
	if (b->data_lines == 0)
		return;
	if (b->type.len > 9 && memcmp(b->type.bytes, "ringcast.", 9) == 0) {
		wire_json_string_at(b->data, "op", op, sizeof op);
		if (!wire_equal((struct text){b->type.bytes + 9, b->type.len - 9}, op))
			client_violation(
			    e, c, "event %.*s with op %s", (int)b->type.len, b->type.bytes, op);
		take_control(e, c, b->data, op);
		return;
	}
	if (!json) {
		event = (struct client_event){id, {NULL, 0},
		    b->type.len != 0 ? b->type : (struct text){"message", 7}, b->data, false};
	} else if (!event_of_object(b->data, &event)) {
		if (wire_json_string_at(b->data, "op", op, sizeof op)[0] != '\0')
			take_control(e, c, b->data, op);
		else
			client_violation(
			    e, c, "not an event: %.*s", (int)b->data.len, b->data.bytes);
		return;
	}
	if (event.id != id || id == 0)
		client_violation(e, c, "an event whose id field is not its id");
	if (!c->opened)
		client_violation(e, c, "an event before the welcome");
	deliver(e, c, &event);
}

/* Takes whole events only: their lines are complete and end with an empty one. */
static ssize_t
parse_sse(struct clients *e, struct client *c, char *bytes, size_t len)
{
	size_t taken = 0, at = 0;
	struct sse_block block = {0};
	const char *eol;

	while (at < len && (eol = memchr(bytes + at, '\n', len - at)) != NULL) {
		struct text line = {bytes + at, (size_t)(eol - bytes) - at};

		at = (size_t)(eol + 1 - bytes);
		if (line.len != 0) {
			sse_field(e, c, &block, line);
			continue;
		}
		dispatch(e, c, &block);
		block = (struct sse_block){0};
		taken = at;
	}
	return (ssize_t)taken;
}

/*
 * ---- heads and polls ---------------------------------------------------------------------------
 */

/*
 * Asks again after an answer: a long poll and an answer with more at once, a short poll after a
 * rest.
 */
static void
rest(struct clients *e, struct client *c, bool at_once)
{
	c->state = CLIENT_RESTING;
	c->due_ms = wire_now_ms() +
		    (at_once ? 0 : 1 + e->rest_ms / 2 + wire_random(&e->random) % (e->rest_ms + 1));
}

static void
take_poll(struct clients *e, struct client *c, struct text body)
{
	struct text events, gaps, more, item;
	uint64_t next = wire_json_id_at(body, "next");
	size_t offset;
	bool again;

	if (!wire_json_valid(body) || next == 0 || !wire_json_member(body, "events", &events) ||
	    !wire_json_member(body, "gaps", &gaps) || !wire_json_member(body, "more", &more)) {
		client_violation(e, c, "a strange answer: %.*s",
		    (int)(body.len < 120 ? body.len : 120), body.bytes);
		rest(e, c, false);
		return;
	}
	for (size_t i = 0; wire_json_item(gaps, i, &item); i++)
		take_gap(e, c, item);
	offset = 0;
	while (wire_json_step(events, &offset, &item)) {
		struct client_event event;

		if (!event_of_object(item, &event))
			client_violation(e, c, "not an event: %.*s", (int)item.len, item.bytes);
		else
			deliver(e, c, &event);
	}
	if (next < c->cursor)
		client_violation(e, c, "next goes back");
	c->cursor = next;
	again = wire_equal(more, "true");
	c->live = !again;
	c->opens += !c->opened;
	c->opened = true;
	rest(e, c, again || c->transport == CLIENT_LONGPOLL);
}

static bool
is_field(const struct wire_http *answer, const char *name, const char *wanted)
{
	struct text value;

	return wire_http_field(answer, name, &value) && value.len == strlen(wanted) &&
	       strncasecmp(value.bytes, wanted, value.len) == 0;
}

static ssize_t
parse_poll(struct clients *e, struct client *c, char *bytes, size_t len)
{
	struct wire_http answer;
	ssize_t n = wire_http_parse(bytes, len, false, &answer);

	if (n == 0)
		return 0;
	if (n < 0 || (size_t)n != len) {
		client_violation(e, c, n < 0 ? "not HTTP" : "bytes after an answer");
		client_lost(e, c, false);
		return -1;
	}
	if (answer.status == 503 || answer.status == 429) {
		e->refused++;
		client_lost(e, c, true);
		return -1;
	}
	if (answer.status != 200 || !is_field(&answer, "Content-Type", "application/json") ||
	    !is_field(&answer, "Cache-Control", "no-store"))
		client_violation(e, c, "status %d, or its fields: %.*s", answer.status,
		    (int)answer.head.len, answer.head.bytes);
	if (answer.status == 200)
		take_poll(e, c, answer.body);
	else
		rest(e, c, false);
	if (!answer.keeps) {
		client_lost(e, c, true);
		return -1;
	}
	if (c->state == CLIENT_RESTING && c->due_ms <= wire_now_ms())
		client_ask(e, c);
	return c->fd == -1 ? -1 : n;
}

/*
 * A stream that is welcomed has all its fields; one that only says when to come back needs the
 * type.
 */
static bool
stream_fields_are_right(const struct wire_http *answer, const char *bytes, size_t len)
{
	struct text type;

	if (!answer->streams || !wire_http_field(answer, "Content-Type", &type))
		return false;
	if (memmem(bytes, len, "ringcast.welcome", 16) == NULL)
		return type.len >= 17 && memcmp(type.bytes, "text/event-stream", 17) == 0;
	return is_field(answer, "Content-Type", "text/event-stream; charset=utf-8") &&
	       is_field(answer, "Cache-Control", "no-cache, no-transform") &&
	       is_field(answer, "X-Accel-Buffering", "no");
}

/* The head of a stream; bytes it takes, 0 need more, -1 lost. */
static ssize_t
parse_stream_head(struct clients *e, struct client *c, char *bytes, size_t len)
{
	const char *end = memmem(bytes, len, "\r\n\r\n", 4);
	bool sse = c->transport == CLIENT_SSE || c->transport == CLIENT_SSE_JSON;
	struct wire_http answer;
	size_t head_len;

	if (end == NULL)
		return 0;
	head_len = (size_t)(end + 4 - bytes);
	if (wire_http_parse(bytes, head_len, true, &answer) < 0 ||
	    answer.status != (sse ? 200 : 101)) {
		e->refused++;
		e->repelled += sse && answer.status / 100 == 5;
		if (!sse || answer.status / 100 != 5)
			client_violation(
			    e, c, "head %.*s", (int)(head_len < 60 ? head_len : 60), bytes);
		client_lost(e, c, false);
		return -1;
	}
	if (sse && !stream_fields_are_right(&answer, bytes, len))
		client_violation(
		    e, c, "fields of a stream: %.*s", (int)answer.head.len, answer.head.bytes);
	if (!sse && !is_field(&answer, "Sec-WebSocket-Accept", WIRE_WS_ACCEPT))
		client_violation(
		    e, c, "fields of a handshake: %.*s", (int)answer.head.len, answer.head.bytes);
	if (sse && len - head_len >= 6 && memcmp(bytes + head_len, "retry:", 6) != 0)
		client_violation(e, c, "a stream that does not begin with retry");
	c->state = CLIENT_STREAMING;
	return (ssize_t)head_len;
}

ssize_t
client_parse(struct clients *e, struct client *c, char *bytes, size_t len)
{
	ssize_t head = 0, n;

	if (c->transport == CLIENT_POLL || c->transport == CLIENT_LONGPOLL) {
		if (c->state == CLIENT_RESTING) {
			client_violation(e, c, "an answer without a request");
			client_lost(e, c, false);
			return -1;
		}
		return parse_poll(e, c, bytes, len);
	}
	if (c->state == CLIENT_ASKED) {
		head = parse_stream_head(e, c, bytes, len);
		if (head <= 0)
			return head;
	}
	if (c->transport == CLIENT_SSE || c->transport == CLIENT_SSE_JSON)
		n = parse_sse(e, c, bytes + head, len - (size_t)head);
	else
		n = parse_ws(e, c, bytes + head, len - (size_t)head);
	return n < 0 ? n : head + n;
}
