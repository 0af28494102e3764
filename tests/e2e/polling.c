/*
 * polling.c: polls of both kinds under load: every event of a client's channels once and in order, or declared in a gap.
 *
 * All ask with limits that change from request to request, on several channels each, on connections that they keep, and some go away in
 * the middle, held or being answered, and come back with the cursor of the last answer that they had whole. Publishing goes at the rate of the
 * acknowledgements. In the first part the ring holds all; beside it connections send many polls at once and are answered in order. In the
 * second the ring is so small that those who rest are lapped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/ledger.h"
#include "tests/lib/server.h"

#define CHANNELS 16
#define WINDOW 500    /* events published and not acknowledged */
#define PIPELINES 5   /* that the events are divided by: one comes behind each part */
#define PIPELINED 12  /* polls sent at once */
#define ID_BYTES 22   /* in quotes, and a space */
#define PART_MS 20000 /* a part is given up then */
#define SETTLE_MS 20000

struct part {
	struct ledger ledger;
	struct clients clients;
	struct publisher publisher;
	unsigned cuts, pipelines;
	bool slow; /* some stop reading for a while */
};

static void
populate(struct part *p, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const uint16_t first = (uint16_t)(wire_random(&p->clients.random) % CHANNELS);
		uint16_t channels[CLIENT_CHANNELS_MAX];

		for (unsigned j = 0; j < CLIENT_CHANNELS_MAX; j++)
			channels[j] = (uint16_t)((first + j * 3) % CHANNELS);
		clients_add(&p->clients, i % 2 == 0 ? CLIENT_POLL : CLIENT_LONGPOLL, channels,
		    1 + i % CLIENT_CHANNELS_MAX);
	}
}

static bool
begin(struct part *p, const struct server *s, unsigned clients, uint32_t events)
{
	*p = (struct part){.publisher.fd = -1};
	if (!ledger_open(&p->ledger, CHANNELS, events, clients, 40) ||
	    !clients_open(&p->clients, s->port, clients, p->ledger.names, CHANNELS))
		return false;
	p->clients.context = &p->ledger;
	p->clients.event = ledger_on_event;
	p->clients.gap = ledger_on_gap;
	p->clients.rest_ms = 10;
	p->clients.back_ms = 20;
	p->clients.wait_s = 5;
	populate(p, clients);
	return publisher_open(&p->publisher, s->socket, ledger_on_answer, &p->ledger);
}

static void
end(struct part *p)
{
	publisher_close(&p->publisher);
	clients_close(&p->clients);
	ledger_close(&p->ledger);
}

static void
turn(struct part *p)
{
	static const char *const limits[] = {
	    "&limit=1", "&limit=2", "&limit=7", "&limit=40", "&limit=1000", ""};
	struct clients *e = &p->clients;

	e->query = limits[wire_random(&e->random) % (sizeof limits / sizeof limits[0])];
	clients_turn(e, 1);
}

/* One goes away, with or without a reset; one stops reading or goes on. */
static void
trouble(struct part *p)
{
	struct clients *e = &p->clients;
	struct client *c = &e->list[wire_random(&e->random) % e->count];
	const uint32_t dice = wire_random(&e->random);

	if (p->slow) {
		clients_pause(e, c, !c->paused);
	} else if (c->state != CLIENT_IDLE && c->state != CLIENT_CONNECTING) {
		p->cuts++;
		clients_cut(e, c, (int)(dice % 50), (dice >> 16 & 1) != 0);
	}
}

/* ---- pipelines --------------------------------------------------------------------------------- */

/* The ids of an answer's events, "id id ..."; false: it is no answer. */
static bool
ids_of(const struct wire_http *answer, char *story, size_t cap)
{
	struct text events, event, id;
	size_t offset = 0, len = 0;

	story[0] = '\0';
	if (answer->status != 200 || !wire_json_member(answer->body, "events", &events))
		return false;
	while (wire_json_step(events, &offset, &event) && len + 32 < cap) {
		if (!wire_json_member(event, "id", &id))
			return false;
		len += (size_t)snprintf(story + len, cap - len, "%.*s ", (int)id.len, id.bytes);
	}
	return true;
}

/* Polls with limits of 1, 2, 3 ... in one write: each answer is the one before and one event more. */
static bool
pipeline(struct part *p, uint16_t port)
{
	char requests[4096], id[21] = "", before[1024] = "", now[1024], *in = malloc(1 << 20);
	const uint64_t deadline = wire_now_ms() + 5000;
	const int fd = wire_dial(port, 199, false, 0);
	size_t len = 0, have = 0;
	unsigned taken = 0;
	ssize_t n = 1;

	wire_id_text(p->ledger.ids[0], id);
	for (unsigned i = 1; i <= PIPELINED; i++)
		len += (size_t)snprintf(requests + len, sizeof requests - len,
		    "GET /events?channel=%s&channel=%s&after=%.20s&limit=%u&wait=%u HTTP/1.1\r\nHost: a\r\n\r\n",
		    p->ledger.names[2], p->ledger.names[3], id, i, i % 2 * 5);
	if (in == NULL || fd == -1 || !wire_send(fd, requests, len, deadline))
		n = -1;
	while (taken < PIPELINED && n > 0) {
		struct wire_http answer;

		n = wire_read(fd, in + have, (1 << 20) - have, deadline);
		have += n > 0 ? (size_t)n : 0;
		while (n > 0 && (len = (size_t)wire_http_parse(in, have, false, &answer)) != 0) {
			n = (ssize_t)len > 0 && ids_of(&answer, now, sizeof now) &&
				    strncmp(now, before, strlen(before)) == 0 &&
				    strlen(now) == ++taken * ID_BYTES
				? n
				: -1;
			memcpy(before, now, sizeof before);
			have -= n > 0 ? len : 0;
			memmove(in, in + len, have);
		}
	}
	free(in);
	if (fd != -1)
		close(fd);
	return taken == PIPELINED && n > 0;
}

/* ---- parts ------------------------------------------------------------------------------------- */

/* Publishes all as fast as it is acknowledged, with pipelines spread over it. False: a pipeline was answered wrongly, or the stream broke. */
static bool
publish(struct part *p, const struct server *s, bool pipelines)
{
	const uint64_t deadline = wire_now_ms() + PART_MS;
	struct ledger *l = &p->ledger;
	unsigned turns = 0;

	while (l->acknowledged < l->event_count && wire_now_ms() < deadline) {
		if (l->published < l->acknowledged + WINDOW)
			ledger_publish(l, &p->publisher, 10);
		if (!publisher_turn(&p->publisher))
			return false;
		turn(p);
		if (++turns % 4 == 0)
			trouble(p);
		if (pipelines && l->acknowledged > CHANNELS * PIPELINED &&
		    l->acknowledged >= l->event_count * (p->pipelines + 1) / PIPELINES) {
			if (!pipeline(p, s->port))
				return false;
			p->pipelines++;
		}
	}
	return true;
}

/* Turns until everybody has searched up to the last event. */
static void
settle(struct part *p)
{
	const uint64_t deadline = wire_now_ms() + SETTLE_MS;
	const uint64_t last = p->ledger.ids[p->ledger.event_count - 1];
	size_t done = 0;

	for (size_t i = 0; i < p->clients.count; i++)
		clients_pause(&p->clients, &p->clients.list[i], false);
	while (done < p->clients.count && wire_now_ms() < deadline) {
		turn(p);
		while (done < p->clients.count && p->clients.list[done].cursor >= last)
			done++;
	}
}

static void
all_is_kept(struct tap *t)
{
	const struct server_options options = {.workers = 2, .members = "\"max_wait_s\": 5"};
	struct server s;
	struct part p;

	if (!tap_check(t, server_start(&s, &options), "the server boots"))
		return;
	if (tap_check(t, begin(&p, &s, tap_scaled(200, 16), tap_scaled(2000, 400)),
		"the publish socket takes a stream")) {
		tap_check(t, clients_settle(&p.clients, 20000), "everybody is answered");
		tap_check(t, publish(&p, &s, true), "pipelined polls are answered in order");
		settle(&p);
		tap_note("%u went away, %u pipelines", p.cuts, p.pipelines);
		tap_check(t, p.pipelines != 0, "there were some");
		ledger_judge(t, &p.ledger, &p.clients);
	}
	end(&p);
	server_stop(t, &s, NULL);
}

static void
some_is_lapped(struct tap *t)
{
	const struct server_options options = {.workers = 2,
	    .ring_bytes = "65536",
	    .members = "\"max_wait_s\": 5, \"max_event_bytes\": 8192"};
	struct server s;
	struct part p;

	if (!tap_check(t, server_start(&s, &options), "a server with a ring of 64 KiB boots"))
		return;
	if (tap_check(t, begin(&p, &s, tap_scaled(100, 16), tap_scaled(4000, 2000)),
		"the publish socket takes a stream")) {
		p.slow = true;
		p.clients.rest_ms = 100;
		tap_check(t, clients_settle(&p.clients, 20000), "everybody is answered");
		tap_check(t, publish(&p, &s, false), "all is published");
		settle(&p);
		ledger_judge_gaps(t, &p.ledger, &p.clients);
	}
	end(&p);
	server_stop(t, &s, NULL);
}

int
main(void)
{
	struct tap t = tap_start(120);

	all_is_kept(&t);
	some_is_lapped(&t);
	return tap_finish(&t);
}
