/*
 * stream.c: see stream.h.
 */
#include "tests/lib/stream.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 5000

void
stream_init(struct stream *s, char *buffer, size_t cap)
{
	*s = (struct stream){.fd = -1, .buffer = buffer, .cap = cap, .body = buffer};
	event_source_open(&s->source);
}

void
stream_close(struct stream *s)
{
	if (s->fd != -1)
		close(s->fd);
	event_source_close(&s->source);
	stream_init(s, s->buffer, s->cap);
}

bool
stream_connect(struct stream *s, uint16_t port)
{
	stream_close(s);
	s->fd = wire_dial(port, 0, false, 0);
	return s->fd != -1;
}

bool
stream_send(struct stream *s, const char *bytes, size_t len, bool single)
{
	const uint64_t deadline = wire_now_ms() + WAIT_MS;

	for (size_t i = 0; single && i < len; i++)
		if (!wire_send(s->fd, bytes + i, 1, deadline))
			return false;
	return single || wire_send(s->fd, bytes, len, deadline);
}

bool
stream_more(struct stream *s)
{
	char *at = s->body + s->len;
	const size_t room = s->cap - (size_t)(at - s->buffer);
	ssize_t n = -1;

	if (!s->ended && room != 0)
		n = wire_read(s->fd, at, room, wire_now_ms() + WAIT_MS);
	s->ended |= n == 0;
	s->len += n > 0 ? (size_t)n : 0;
	return n > 0;
}

bool
stream_head(struct stream *s)
{
	char *end = NULL;
	struct text type;
	size_t head_len;

	while (s->len == 0 || (end = memmem(s->body, s->len, "\r\n\r\n", 4)) == NULL)
		if (!stream_more(s))
			return false;
	head_len = (size_t)(end + 4 - s->body);
	if (wire_http_parse(s->body, head_len, true, &s->answer) < 0)
		return false;
	s->body += head_len;
	s->len -= head_len;
	s->is_events = s->answer.status == 200 && s->answer.streams &&
		       wire_http_field(&s->answer, "Content-Type", &type) && type.len >= 17 &&
		       memcmp(type.bytes, "text/event-stream", 17) == 0;
	return true;
}

size_t
stream_past(struct stream *s, size_t from, const char *text)
{
	const char *found = NULL;

	while (s->len <= from ||
	       (found = memmem(s->body + from, s->len - from, text, strlen(text))) == NULL)
		if (!stream_more(s))
			return 0;
	return (size_t)(found - s->body) + strlen(text);
}

bool
stream_ends(struct stream *s, size_t from)
{
	while (s->len <= from && stream_more(s))
		;
	return s->ended && s->len == from;
}

unsigned
stream_retry(struct stream *s, size_t from)
{
	const size_t end = stream_past(s, from, "\n\n");
	unsigned ms = 0;
	char wanted[32];

	if (end == 0 || sscanf(s->body + from, "retry: %u\n", &ms) != 1)
		return 0;
	snprintf(wanted, sizeof wanted, "retry: %u\n\n", ms);
	if (strlen(wanted) != end - from || memcmp(wanted, s->body + from, end - from) != 0)
		return 0;
	return ms;
}

bool
stream_welcome(struct stream *s, unsigned beat_s)
{
	static const char lead[] = "event: ringcast.welcome\ndata: ";
	const unsigned retry_ms = stream_retry(s, 0);
	const size_t from = retry_ms == 0 ? 0 : stream_past(s, 0, "\n\n");
	const size_t end = retry_ms == 0 ? 0 : stream_past(s, from, "\n\n");
	char connection[64], wanted[400];
	struct event_source_event event;
	struct text object;
	size_t taken;

	if (end < from + sizeof lead)
		return false;
	object = (struct text){s->body + from + sizeof lead - 1, end - from - (sizeof lead - 1)};
	wire_json_string_at(object, "at", s->welcome, sizeof s->welcome);
	wire_json_string_at(object, "connection", connection, sizeof connection);
	snprintf(wanted, sizeof wanted,
	    "%s{\"op\":\"welcome\",\"at\":\"%s\",\"beat_s\":%u,\"connection\":\"%s\"}\nid: %s\n\n",
	    lead, s->welcome, beat_s, connection, s->welcome);
	if (connection[0] == '\0' || strlen(wanted) != end - from ||
	    memcmp(wanted, s->body + from, end - from) != 0)
		return false;
	/* A page sees the same. */
	if (!event_source_next(&s->source, s->body, end, &taken, &event) || taken != end ||
	    !wire_equal(event.type, "ringcast.welcome") || !wire_equal(event.id, s->welcome) ||
	    s->source.retry_ms != retry_ms)
		return false;
	s->parsed = s->compared = end;
	return true;
}

bool
stream_compare(struct stream *s, struct text octets, size_t *same)
{
	*same = 0;
	while (s->len - s->compared < octets.len && stream_more(s))
		;
	while (*same < octets.len && *same < s->len - s->compared &&
	       octets.bytes[*same] == s->body[s->compared + *same])
		++*same;
	s->compared += *same;
	return *same == octets.len;
}

bool
stream_event(struct stream *s, struct event_source_event *event)
{
	for (;;) {
		size_t taken;
		const bool found = event_source_next(
		    &s->source, s->body + s->parsed, s->len - s->parsed, &taken, event);

		s->parsed += taken;
		if (found || !stream_more(s))
			return found;
	}
}
