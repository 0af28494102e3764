/*
 * delivery.c: every client of every transport gets every event of its channels, once, in order, and
 * nothing else.
 *
 * Clients cut their connections at random moments and come back with their cursor. The second part
 * pins down, with a few events, what a subscription made on a live connection replays.
 */
#include <stdio.h>
#include <string.h>

#include "tests/lib/proc.h"
#include "tests/lib/storm.h"
#include "tests/lib/talk.h"

/*
 * The messages up to the first `live`, as letters: s(ubscribed), g(ap), l(ive), or an event's
 * channel and data.
 */
static void
until_live(struct talk *w, char *story, size_t cap)
{
	struct text message, data;
	struct wire_ws frame;
	size_t len = 0;

	story[0] = '\0';
	while (len + 80 < cap && talk_frame(w, &frame, 5000)) {
		char op[32], channel[32] = "";

		message = frame.payload;
		wire_json_string_at(message, "op", op, sizeof op);
		wire_json_string_at(message, "channel", channel, sizeof channel);
		if (op[0] == '\0' && wire_json_member(message, "data", &data))
			len += (size_t)snprintf(
			    story + len, cap - len, "%s:%.*s ", channel, (int)data.len, data.bytes);
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
	struct talk *w = &(struct talk){0};
	char story[2048];
	struct text message;
	uint64_t first;

	publisher_event(s->socket, "meet-x", "1");
	first = publisher_post(
	    s->socket, wire_text("{\"channel\":[\"meet-x\",\"meet-y\"],\"data\":2}"), NULL);
	publisher_event(s->socket, "meet-y", "3");
	tap_check(t,
	    first != 0 && talk_open(w, s->port, "/events", NULL) && talk_next(w, &message, 5000),
	    "a WebSocket without a channel is welcomed");
	talk_say(w, "{\"op\":\"subscribe\",\"channel\":\"meet-x\",\"after\":\"0\"}");
	until_live(w, story, sizeof story);
	tap_check(t, strcmp(story, "subscribed meet-x:1 meet-x:2 live ") == 0,
	    "subscribe replays its channel: %s", story);
	talk_say(w, "{\"op\":\"subscribe\",\"channel\":\"meet-y\",\"after\":\"0\"}");
	until_live(w, story, sizeof story);
	tap_check(t, strcmp(story, "subscribed meet-y:3 live ") == 0,
	    "a second subscription does not repeat what the first delivered: %s", story);
	talk_say(w, "{\"op\":\"unsubscribe\",\"channel\":\"meet-x\"}");
	tap_check(t, talk_next(w, &message, 5000) && wire_find(message, "unsubscribed") != NULL,
	    "unsubscribe is answered");
	publisher_event(s->socket, "meet-x", "4");
	publisher_post(
	    s->socket, wire_text("{\"channel\":[\"meet-x\",\"meet-y\"],\"data\":5}"), NULL);
	tap_check(t,
	    talk_next(w, &message, 5000) && wire_find(message, "\"meet-y\"") != NULL &&
		wire_find(message, "\"data\":5") != NULL && wire_find(message, "meet-x") == NULL,
	    "after it an event on both channels comes as one of the other");
	talk_close(w);
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

	if (!tap_check(
		&t, server_start(&s, &(struct server_options){.workers = 4}), "the server boots"))
		return tap_finish(&t);
	subscriptions_meet(&t, &s);
	wire_sleep_ms(100);
	before = proc_descriptors(s.pid);
	storm_run(&t, &s, &options);
	for (unsigned i = 0; i < 200 && proc_descriptors(s.pid) > before; i++)
		wire_sleep_ms(10);
	tap_check(&t, proc_descriptors(s.pid) <= before,
	    "the master holds no more descriptors than before (%u, %u)", before,
	    proc_descriptors(s.pid));
	server_stop(&t, &s, NULL);
	return tap_finish(&t);
}
