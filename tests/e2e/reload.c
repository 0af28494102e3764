/*
 * reload.c: SIGHUP with a good configuration changes what can change, with a bad one nothing;
 * nobody is dropped either way.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/lib/storm.h"

static const char open_rules[] = "\"channels\": [{\"match\": \"*\", \"subscribe\": \"anyone\"}]";
static const char closed_rules[] =
    "\"channels\": [{\"match\": \"staff.*\", \"subscribe\": \"nobody\"}, "
    "{\"match\": \"*\", \"subscribe\": \"anyone\"}]";
static const char wrong_rules[] = "\"channels\": [{\"match\": \"*\", \"subscribe\": \"anyone\"}, "
				  "{\"match\": \"x\", \"subscribe\": \"anybody\"}], \"wrokers\": 3";

static int
status_of(const struct server *s, const char *resource)
{
	char buffer[4096];
	struct wire_http answer;

	return wire_call(server_public(s), "GET", resource, NULL, (struct text){NULL, 0}, buffer,
		   sizeof buffer, &answer)
		   ? answer.status
		   : 0;
}

static bool
becomes(const struct server *s, const char *resource, int status)
{
	uint64_t deadline = wire_now_ms() + 5000;

	while (status_of(s, resource) != status) {
		if (wire_now_ms() > deadline)
			return false;
		wire_sleep_ms(20);
	}
	return true;
}

static void
reload(struct server *s, const char *members)
{
	server_configure(s, members);
	kill(s->pid, SIGHUP);
}

/* Reads on until the words have come. */
static bool
hears(int fd, const char *words)
{
	char buffer[4096];
	size_t len = 0;
	ssize_t n;

	while ((n = wire_read(fd, buffer + len, sizeof buffer - len, wire_now_ms() + 5000)) > 0) {
		len += (size_t)n;
		if (wire_find((struct text){buffer, len}, words) != NULL)
			return true;
	}
	return false;
}

static int
subscribe(const struct server *s, const char *channel)
{
	char request[512];
	const int fd = wire_dial(s->port, 0, false, 0);
	const int len = snprintf(request, sizeof request,
	    "GET /events?channel=%s HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	    channel);

	if (fd != -1)
		wire_send(fd, request, (size_t)len, wire_now_ms() + 5000);
	return fd;
}

static void
one_by_one(struct tap *t, struct server *s)
{
	const int subscriber = subscribe(s, "staff.room");

	tap_check(
	    t, status_of(s, "/events?channel=staff.room") == 200, "a channel is open at first");
	tap_check(t, hears(subscriber, "\"op\":\"welcome\""), "a WebSocket is subscribed to it");
	reload(s, closed_rules);
	tap_check(
	    t, becomes(s, "/events?channel=staff.room", 403), "SIGHUP with a new rule closes it");
	tap_check(t, hears(subscriber, "\"reason\":\"forbidden\""), "which the WebSocket is told");
	close(subscriber);
	tap_check(t, status_of(s, "/events?channel=other") == 200, "and no other");
	reload(s, wrong_rules);
	tap_check(t, server_log_has(s, "channels[1].subscribe", 5000),
	    "a mistake is reported with its path");
	tap_check(t, server_log_has(s, "wrokers", 1000) && server_log_has(s, "workers", 1000),
	    "an unknown key with the nearest known one, in the same reload");
	tap_check(t,
	    status_of(s, "/events?channel=staff.room") == 403 && status_of(s, "/readyz") == 200,
	    "and nothing has changed");
	reload(s, open_rules);
	tap_check(
	    t, becomes(s, "/events?channel=staff.room", 200), "the next good one opens it again");
}

struct reloads {
	uint64_t next_ms;
	unsigned good, bad;
};

static void
reload_now_and_then(void *context, struct server *s)
{
	struct reloads *r = context;
	uint64_t now = wire_now_ms();

	if (now < r->next_ms)
		return;
	r->next_ms = now + 20;
	if ((r->good + r->bad) % 10 == 9) {
		r->bad++;
		reload(s, wrong_rules);
	} else {
		reload(s, r->good++ % 2 == 0 ? closed_rules : open_rules);
	}
}

int
main(void)
{
	struct tap t = tap_start(120);
	struct server s;
	struct storm w;
	struct reloads reloads = {0};
	struct storm_options options = {.clients = tap_scaled(40, 8),
	    .channels = 10,
	    .events = tap_scaled(10000, 1000),
	    .events_per_s = 1000,
	    .padding = 40,
	    .settle_s = 30,
	    .each_turn = reload_now_and_then,
	    .context = &reloads};

	if (!tap_check(&t,
		server_start(&s, &(struct server_options){.workers = 2, .members = open_rules}),
		"the server boots"))
		return tap_finish(&t);
	one_by_one(&t, &s);
	if (tap_check(&t, storm_open(&w, &s, &options), "the publish socket takes a stream")) {
		tap_check(&t, clients_settle(&w.clients, 30000), "all clients are welcomed");
		storm_blow(&w, &s, &options);
		tap_check(&t, w.clients.cuts_by_peer == 0,
		    "%u good and %u bad reloads: dropped connections = %llu", reloads.good,
		    reloads.bad, (unsigned long long)w.clients.cuts_by_peer);
		storm_settle(&t, &w, &options);
		ledger_judge(&t, &w.ledger, &w.clients);
	}
	storm_close(&w);
	/* The bad files were to be reported. */
	server_stop(&t, &s, "config.json");
	return tap_finish(&t);
}
