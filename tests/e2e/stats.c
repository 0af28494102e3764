/*
 * stats.c: what the publish socket tells of channels, connections and counters is what is the case;
 * ending a connection, a history or a channel's subscriptions does just that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/client.h"
#include "tests/lib/publisher.h"
#include "tests/lib/server.h"
#include "tests/lib/talk.h"

#define EACH 5 /* clients of each transport */
#define ANSWER_BYTES (1u << 20)
#define WAIT_MS 5000

static const char *const names[] = {"hall", "yard"};

struct scene {
	struct tap *t;
	struct server *s;
	struct clients e;
	char *buffer;
	struct wire_http answer;
	uint64_t newest; /* of "hall" */
};

static int
ask(struct scene *x, const char *method, const char *resource)
{
	x->answer = (struct wire_http){0};
	wire_call(server_private(x->s), method, resource, NULL, (struct text){NULL, 0}, x->buffer,
	    ANSWER_BYTES, &x->answer);
	return x->answer.status;
}

static double
number_at(const struct scene *x, const char *path)
{
	struct text value;

	return wire_json_path(x->answer.body, path, &value) ? wire_json_number(value, -1) : -1;
}

static void
turn_for(struct scene *x, unsigned ms)
{
	for (uint64_t until = wire_now_ms() + ms; wire_now_ms() < until;)
		clients_turn(&x->e, 5);
}

/* Asks until a number of the answer is as wanted: counters may be a turn old. */
static bool
becomes(struct scene *x, const char *resource, const char *path, double wanted)
{
	for (unsigned i = 0; i < 100; i++) {
		if (ask(x, "GET", resource) == 200 && number_at(x, path) == wanted)
			return true;
		turn_for(x, 20);
	}
	return false;
}

static void
check_channels(struct scene *x)
{
	char id[32];

	tap_check(x->t,
	    becomes(x, "/channels/hall", "subscribers.sse", EACH) &&
		number_at(x, "subscribers.ws") == EACH &&
		number_at(x, "subscribers.longpoll") == EACH,
	    "GET /channels/NAME counts subscribers by transport: %.*s", (int)x->answer.body.len,
	    x->answer.body.bytes);
	tap_check(x->t,
	    number_at(x, "events") == 3 && wire_json_id_at(x->answer.body, "newest") == x->newest,
	    "and knows the events kept and the newest id (%s)",
	    wire_json_string_at(x->answer.body, "newest", id, sizeof id));
	tap_check(x->t,
	    ask(x, "GET", "/channels") == 200 &&
		number_at(x, "channels.0.subscribers.sse") == EACH &&
		strcmp(wire_json_string_at(x->answer.body, "channels.0.channel", id, sizeof id),
		    "hall") == 0 &&
		strcmp(wire_json_string_at(x->answer.body, "channels.1.channel", id, sizeof id),
		    "yard") == 0,
	    "GET /channels lists them all: %.*s",
	    (int)(x->answer.body.len < 300 ? x->answer.body.len : 300), x->answer.body.bytes);
	tap_check(x->t,
	    ask(x, "GET", "/channels?prefix=ya") == 200 &&
		strcmp(wire_json_string_at(x->answer.body, "channels.0.channel", id, sizeof id),
		    "yard") == 0 &&
		!wire_json_path(x->answer.body, "channels.1", &(struct text){0}),
	    "prefix= cuts the list down");
	tap_check(x->t,
	    ask(x, "GET", "/channels?limit=1") == 200 &&
		!wire_json_path(x->answer.body, "channels.1", &(struct text){0}),
	    "and so does limit=");
	tap_check(x->t,
	    ask(x, "GET", "/channels?after=hall") == 200 &&
		strcmp(wire_json_string_at(x->answer.body, "channels.0.channel", id, sizeof id),
		    "yard") == 0,
	    "after= goes on behind a name");
}

static double
metric(const struct scene *x, const char *name)
{
	char line[128];
	const char *at;

	snprintf(line, sizeof line, "\n%s ", name);
	at = wire_find(x->answer.body, line);
	return at != NULL ? strtod(at + strlen(line), NULL) : -1;
}

static void
check_counters(struct scene *x)
{
	struct text type = {"", 0};

	tap_check(x->t,
	    becomes(x, "/stats", "total.connections_sse", EACH) &&
		number_at(x, "total.connections_ws") == 2 * EACH &&
		number_at(x, "total.connections_longpoll") == EACH,
	    "GET /stats: connections by transport, over all workers");
	tap_check(x->t,
	    number_at(x, "workers.0.counters.connections_sse") +
		    number_at(x, "workers.1.counters.connections_sse") ==
		EACH,
	    "which is the sum of the workers'");
	tap_check(x->t, number_at(x, "publish.events") == 4 && number_at(x, "ring.records") >= 4,
	    "GET /stats: events published (%.0f)", number_at(x, "publish.events"));
	tap_check(x->t, number_at(x, "total.deliveries") >= 3 * 3 * EACH + EACH,
	    "GET /stats: deliveries (%.0f)", number_at(x, "total.deliveries"));
	tap_check(x->t,
	    ask(x, "GET", "/metrics") == 200 &&
		wire_http_field(&x->answer, "Content-Type", &type) &&
		wire_find(type, "text/plain; version=0.0.4") != NULL,
	    "GET /metrics is Prometheus text");
	tap_check(x->t,
	    metric(x, "ringcast_publish_events_total") == 4 &&
		wire_find(x->answer.body,
		    "\nringcast_connections{worker=\"0\",transport=\"sse\"} ") != NULL &&
		wire_find(x->answer.body, "# HELP ringcast_connections ") != NULL,
	    "with the same figures, and help");
}

static void
check_compressed(struct scene *x)
{
	struct talk *w = calloc(1, sizeof *w);

	if (w == NULL)
		return;
	tap_check(x->t,
	    talk_open(w, x->s->port, "/events?channel=packed",
		"Sec-WebSocket-Extensions: permessage-deflate\r\n") &&
		ask(x, "GET", "/connections?channel=packed") == 200 &&
		wire_find(x->answer.body, "\"compressed\":true") != NULL,
	    "GET /connections tells of a WebSocket that it is compressed");
	tap_check(x->t,
	    ask(x, "GET", "/connections?channel=yard") == 200 &&
		wire_find(x->answer.body, "\"compressed\":true") == NULL,
	    "and of those that are not that they are not");
	talk_close(w);
	free(w);
}

static void
check_connections(struct scene *x)
{
	char id[64], resource[128];
	uint64_t cuts;
	struct text list;

	tap_check(x->t,
	    ask(x, "GET", "/connections?channel=yard") == 200 &&
		wire_json_path(x->answer.body, "connections", &list) &&
		wire_json_count(list) == EACH,
	    "GET /connections?channel=: %.*s",
	    (int)(x->answer.body.len < 300 ? x->answer.body.len : 300), x->answer.body.bytes);
	tap_check(x->t,
	    wire_find(x->answer.body, "\"transport\":\"ws\"") != NULL &&
		wire_find(x->answer.body, "\"lagging\":false") != NULL &&
		number_at(x, "connections.0.bytes") > 0,
	    "tells transport, lag and bytes");
	tap_check(x->t,
	    ask(x, "GET", "/connections?limit=2") == 200 &&
		wire_json_path(x->answer.body, "connections", &list) && wire_json_count(list) == 2,
	    "limit= cuts the list down");
	ask(x, "GET", "/connections?channel=yard");
	wire_json_string_at(x->answer.body, "connections.0.connection", id, sizeof id);
	snprintf(resource, sizeof resource, "/connections/%s", id);
	cuts = x->e.cuts_by_peer;
	for (size_t i = 0; i < x->e.count; i++)
		x->e.list[i].parked = true;
	tap_check(
	    x->t, ask(x, "DELETE", resource) == 200, "DELETE /connections/%s is answered", id);
	turn_for(x, 300);
	tap_check(x->t, x->e.cuts_by_peer == cuts + 1, "and one client, only one, is ended (%llu)",
	    (unsigned long long)(x->e.cuts_by_peer - cuts));
	ask(x, "DELETE", resource);
	turn_for(x, 200);
	tap_check(x->t, x->e.cuts_by_peer == cuts + 1, "ending it again ends nobody else");
	tap_check(x->t, ask(x, "DELETE", "/connections/9-0000000000000001") == 404,
	    "a connection of no worker is not found");
}

static void
check_welcome_names_connection(struct scene *x)
{
	struct talk w;
	struct text message;
	char id[64], resource[128];
	uint64_t started = wire_now_ms();

	tap_check(x->t,
	    talk_open(&w, x->s->port, "/events?channel=shed", NULL) &&
		talk_next(&w, &message, WAIT_MS) &&
		wire_json_string_at(message, "connection", id, sizeof id)[0] != '\0',
	    "a welcome names its connection: %s", id);
	snprintf(resource, sizeof resource, "/connections/%s", id);
	tap_check(x->t, ask(x, "DELETE", resource) == 200, "by that name it can be ended");
	talk_end(&w, WAIT_MS);
	tap_check(x->t,
	    wire_read(w.fd, id, sizeof id, wire_now_ms() + WAIT_MS) <= 0 &&
		wire_now_ms() < started + WAIT_MS,
	    "and ends");
	talk_close(&w);
}

static void
check_forget(struct scene *x)
{
	char resource[128], id[20];
	struct talk w;
	struct text message, reason = {"", 0};

	wire_id_text(x->newest - 1, id);
	tap_check(
	    x->t, ask(x, "DELETE", "/channels/hall") == 200, "DELETE /channels/NAME is answered");
	tap_check(x->t, becomes(x, "/channels/hall", "events", 0), "its history is gone");
	snprintf(resource, sizeof resource, "/events?channel=hall&after=%s", id);
	x->answer = (struct wire_http){0};
	wire_call(server_public(x->s), "GET", resource, NULL, (struct text){NULL, 0}, x->buffer,
	    ANSWER_BYTES, &x->answer);
	tap_check(x->t,
	    x->answer.status == 200 && wire_json_path(x->answer.body, "gaps.0.channel", &message),
	    "an older cursor is told of the gap: %.*s", (int)x->answer.body.len,
	    x->answer.body.bytes);
	tap_check(x->t,
	    talk_open(&w, x->s->port, "/events?channel=hall", NULL) &&
		talk_next(&w, &message, WAIT_MS),
	    "a WebSocket subscribes");
	publisher_event(x->s->socket, "hall", "\"after the deletion\"");
	tap_check(x->t,
	    talk_next(&w, &message, WAIT_MS) && wire_find(message, "after the deletion") != NULL,
	    "and hears what is published from then on");
	tap_check(x->t, ask(x, "DELETE", "/channels/hall?disconnect=1") == 200,
	    "DELETE with disconnect=1 is answered");
	tap_check(x->t,
	    talk_next(&w, &message, WAIT_MS) &&
		wire_find(message, "\"op\":\"unsubscribed\"") != NULL &&
		wire_json_member(message, "reason", &reason) && wire_equal(reason, "\"deleted\""),
	    "its subscription ends, with the reason: %.*s", (int)message.len, message.bytes);
	talk_close(&w);
}

/* Streams of the deleted channel ended; the rest of the clients stayed. */
static void
check_streams_ended(struct scene *x)
{
	unsigned ended = 0, stayed = 0;

	turn_for(x, 300);
	for (size_t i = 0; i < x->e.count; i++) {
		const struct client *c = &x->e.list[i];

		if (c->transport == CLIENT_SSE && c->channels[0] == 0)
			ended += c->fd == -1;
		if (c->channels[0] == 1)
			stayed += c->fd != -1;
	}
	tap_check(x->t, ended == EACH, "its streams end (%u of %u)", ended, EACH);
	tap_check(x->t, stayed >= EACH - 1, "the other channel's clients stay (%u)", stayed);
}

static void
run(struct scene *x)
{
	for (unsigned i = 0; i < EACH; i++) {
		clients_add(&x->e, CLIENT_SSE, (const uint16_t[]){0}, 1);
		clients_add(&x->e, CLIENT_WS, (const uint16_t[]){0}, 1);
		clients_add(&x->e, CLIENT_LONGPOLL, (const uint16_t[]){0}, 1);
		clients_add(&x->e, CLIENT_WS, (const uint16_t[]){1}, 1);
	}
	/*
	 * The fourth group is on another channel: "hall" has EACH WebSockets, all channels together
	 * twice as many.
	 */
	tap_check(x->t, clients_settle(&x->e, 10000), "all clients are welcomed");
	for (unsigned i = 0; i < 3; i++)
		x->newest = publisher_event(x->s->socket, "hall", "\"event\"");
	publisher_event(x->s->socket, "yard", "\"event\"");
	turn_for(x, 300);
	check_channels(x);
	check_counters(x);
	check_compressed(x);
	check_connections(x);
	check_welcome_names_connection(x);
	check_forget(x);
	check_streams_ended(x);
}

int
main(void)
{
	struct tap t = tap_start(90);
	struct server s;
	struct scene x = {.t = &t, .s = &s, .buffer = malloc(ANSWER_BYTES)};

	if (!tap_check(
		&t, server_start(&s, &(struct server_options){.workers = 2}), "the server boots"))
		return tap_finish(&t);
	if (tap_check(&t, clients_open(&x.e, s.port, 64, names, 2), "clients"))
		run(&x);
	tap_check(&t, x.e.violations == 0, "violations of the contract = %llu %s",
	    (unsigned long long)x.e.violations, x.e.violation);
	clients_close(&x.e);
	free(x.buffer);
	server_stop(&t, &s, NULL);
	return tap_finish(&t);
}
