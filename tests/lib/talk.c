/*
 * talk.c: a blocking WebSocket client (talk.h).
 */
#include "tests/lib/talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPEN_MS 8000

bool
talk_open(struct talk *w, uint16_t port, const char *resource, const char *fields)
{
	uint64_t deadline = wire_now_ms() + OPEN_MS;
	char request[1024];
	const char *end = NULL;
	int n = snprintf(request, sizeof request,
	    "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " WIRE_WS_KEY "\r\n%s\r\n",
	    resource, fields != NULL ? fields : "");

	*w = (struct talk){.fd = wire_dial(port, 0, false, 0)};
	if (w->fd == -1 || !wire_send(w->fd, request, (size_t)n, deadline))
		return false;
	while (end == NULL && w->len < sizeof w->in) {
		ssize_t got = wire_read(w->fd, w->in + w->len, sizeof w->in - w->len, deadline);

		if (got <= 0)
			return false;
		w->len += (size_t)got;
		end = memmem(w->in, w->len, "\r\n\r\n", 4);
	}
	if (end == NULL || memcmp(w->in, "HTTP/1.1 ", 9) != 0)
		return false;
	w->status = (int)strtol(w->in + 9, NULL, 10);
	w->taken = (size_t)(end + 4 - w->in);
	return w->status == 101 &&
	       memmem(w->in, w->taken, WIRE_WS_ACCEPT, strlen(WIRE_WS_ACCEPT)) != NULL;
}

void
talk_close(struct talk *w)
{
	if (w->fd != -1)
		close(w->fd);
	w->fd = -1;
}

bool
talk_raw(struct talk *w, const void *bytes, size_t len)
{
	return wire_send(w->fd, bytes, len, wire_now_ms() + OPEN_MS);
}

bool
talk_say(struct talk *w, const char *message)
{
	size_t len = strlen(message);
	char *frame = malloc(len + 16);
	bool sent =
	    frame != NULL && talk_raw(w, frame, wire_ws_frame(frame, 1, true, message, len));

	free(frame);
	return sent;
}

bool
talk_frame(struct talk *w, struct wire_ws *frame, unsigned ms)
{
	uint64_t deadline = wire_now_ms() + ms;

	memmove(w->in, w->in + w->taken, w->len - w->taken);
	w->len -= w->taken;
	w->taken = 0;
	for (;;) {
		ssize_t n = wire_ws_parse(w->in, w->len, frame);

		if (n > 0) {
			w->taken = (size_t)n;
			return true;
		}
		if (n < 0 || w->len == sizeof w->in)
			return false;
		n = wire_read(w->fd, w->in + w->len, sizeof w->in - w->len, deadline);
		if (n <= 0)
			return false;
		w->len += (size_t)n;
	}
}

bool
talk_next(struct talk *w, struct text *message, unsigned ms)
{
	struct wire_ws frame;
	char op[32];

	while (talk_frame(w, &frame, ms)) {
		*message = frame.payload;
		if (frame.opcode == 1 &&
		    strcmp(wire_json_string_at(frame.payload, "op", op, sizeof op), "live") != 0)
			return true;
	}
	*message = (struct text){"", 0};
	return false;
}

uint16_t
talk_end(struct talk *w, unsigned ms)
{
	struct wire_ws frame;
	uint16_t code = 0;

	while (talk_frame(w, &frame, ms))
		if (frame.opcode == 8 && frame.payload.len >= 2)
			code = (uint16_t)((unsigned char)frame.payload.bytes[0] << 8 |
					  (unsigned char)frame.payload.bytes[1]);
	return code;
}
