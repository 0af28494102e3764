/*
 * delivery.c: every client of every transport gets every event of its channels, once, in order, and nothing else.
 *
 * Clients cut their connections at random moments and come back with their cursor. The second part pins down, with
 * a few events, what a subscription made on a live connection replays.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/proc.h"
#include "tests/lib/storm.h"

/* A connection that reads one text message after the other. */
struct line {
	int fd;
	char in[65536];
	size_t len, taken;
};

static bool
next_message(struct line *w, struct text *message)
{
	uint64_t deadline = wire_now_ms() + 5000;

	memmove(w->in, w->in + w->taken, w->len - w->taken);
	w->len -= w->taken;
	w->taken = 0;
	for (;;) {
		struct wire_ws frame;
		ssize_t n = wire_ws_parse(w->in, w->len, &frame);

		if (n > 0) {
			w->taken = (size_t)n;
			*message = frame.payload;
			return frame.opcode == 1;
		}
		n = wire_read(w->fd, w->in + w->len, sizeof w->in - w->len, deadline);
		if (n <= 0)
			return false;
		w->len += (size_t)n;
	}
}

static bool
open_line(struct line *w, const struct server *s)
{
	static const char request[] = "GET /events HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
				      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
				      "Sec-WebSocket-Key: " WIRE_WS_KEY "\r\n\r\n";
	uint64_t deadline = wire_now_ms() + 5000;
	char *end;

	*w = (struct line){.fd = wire_dial(s->port, 0, false, 0)};
	if (w->fd == -1 || !wire_send(w->fd, request, sizeof request - 1, deadline))
		return false;
	for (;;) {
		ssize_t n = wire_read(w->fd, w->in + w->len, sizeof w->in - w->len, deadline);

		if (n <= 0)
			return false;
		w->len += (size_t)n;
		end = memmem(w->in, w->len, "\r\n\r\n", 4);
		if (end != NULL)
			break;
	}
	w->taken = (size_t)(end + 4 - w->in);
	return memcmp(w->in, "HTTP/1.1 101", 12) == 0;
}

static bool
say(struct line *w, const char *message)
{
	char frame[1024];

	return wire_send(w->fd, frame, wire_ws_frame(frame, 1, true, message, strlen(message)), wire_now_ms() + 5000);
}

/* The messages up to the first `live`, as letters: s(ubscribed), g(ap), l(ive), or an event's channel and data. */
static void
until_live(struct line *w, char *story, size_t cap)
{
	struct text message, data;
	size_t len = 0;

	story[0] = '\0';
	while (len + 80 < cap && next_message(w, &message)) {
		char op[32], channel[32] = "";

		wire_json_string_at(message, "op", op, sizeof op);
		wire_json_string_at(message, "channel", channel, sizeof channel);
		if (op[0] == '\0' && wire_json_member(message, "data", &data))
			len += (size_t)snprintf(story + len, cap - len, "%s:%.*s ", channel, (int)data.len, data.bytes);
		else
			len += (size_t)snprintf(story + len, cap - len, "%s ", op);
		if (strcmp(op, "live") == 0)
			return;
	}
	snprintf(story + len, cap - len, "(out of time)");
}

static void
subscriptions_meet(struct tap *t, const struct server *s)
{
	struct line *w = &(struct line){0};
	char story[2048];
	struct text message;
	uint64_t first;

	publisher_event(s->socket, "meet-x", "1");
	first = publisher_post(s->socket, (struct text){"{\"channel\":[\"meet-x\",\"meet-y\"],\"data\":2}", 40}, NULL);
	publisher_event(s->socket, "meet-y", "3");
	tap_check(t, first != 0 && open_line(w, s) && next_message(w, &message), "a WebSocket without a channel is welcomed");
	say(w, "{\"op\":\"subscribe\",\"channel\":\"meet-x\",\"after\":\"0\"}");
	until_live(w, story, sizeof story);
	tap_check(t, strcmp(story, "subscribed meet-x:1 meet-x:2 live ") == 0, "subscribe replays its channel: %s", story);
	say(w, "{\"op\":\"subscribe\",\"channel\":\"meet-y\",\"after\":\"0\"}");
	until_live(w, story, sizeof story);
	tap_check(t, strcmp(story, "subscribed meet-y:3 live ") == 0,
	    "a second subscription does not repeat what the first delivered: %s", story);
	say(w, "{\"op\":\"unsubscribe\",\"channel\":\"meet-x\"}");
	tap_check(t, next_message(w, &message) && wire_find(message, "unsubscribed") != NULL, "unsubscribe is answered");
	publisher_event(s->socket, "meet-x", "4");
	publisher_post(s->socket, (struct text){"{\"channel\":[\"meet-x\",\"meet-y\"],\"data\":5}", 40}, NULL);
	tap_check(t, next_message(w, &message) && wire_find(message, "\"meet-y\"") != NULL &&
		wire_find(message, "\"data\":5") != NULL && wire_find(message, "meet-x") == NULL,
	    "after it an event on both channels comes as one of the other");
	if (w->fd != -1)
		close(w->fd);
}

int
main(void)
{
	struct tap t = tap_start(240);
	struct server s;
	struct storm_options options = {.clients = tap_scaled(200, 8),
	    .channels = 20,
	    .events = tap_scaled(20000, 500),
	    .events_per_s = 2000,
	    .padding = 40,
	    .cuts_per_s = 150,
	    .settle_s = 60};
	unsigned before;

	if (!tap_check(&t, server_start(&s, &(struct server_options){.workers = 4}), "the server boots"))
		return tap_finish(&t);
	subscriptions_meet(&t, &s);
	wire_sleep_ms(100);
	before = proc_descriptors(s.pid);
	storm_run(&t, &s, &options);
	for (unsigned i = 0; i < 200 && proc_descriptors(s.pid) > before; i++)
		wire_sleep_ms(10);
	tap_check(&t, proc_descriptors(s.pid) <= before, "the master holds no more descriptors than before (%u, %u)",
	    before, proc_descriptors(s.pid));
	server_stop(&t, &s, NULL);
	return tap_finish(&t);
}
