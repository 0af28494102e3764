/*
 * storm.c: the common part of the delivery tests (storm.h).
 */
#include "tests/lib/storm.h"

#include <signal.h>

#include "tests/lib/proc.h"

#define WINDOW 2000 /* unacknowledged events: the publisher does not run away from the server */

/*
 * Distinct random channels; a subscribing client gets no two of one pair, so that replays of its
 * channels never meet.
 */
static unsigned
pick_channels(
    struct storm *w, enum client_transport transport, uint16_t channels[CLIENT_CHANNELS_MAX])
{
	unsigned wanted = 1 + wire_random(&w->clients.random) % CLIENT_CHANNELS_MAX, count = 0;
	unsigned step = transport == CLIENT_WS_SUBSCRIBE ? 2 : 1;

	if (wanted > w->ledger.channel_count / 2)
		wanted = w->ledger.channel_count / 2;
	while (count < wanted) {
		uint16_t channel =
		    (uint16_t)(wire_random(&w->clients.random) % w->ledger.channel_count);
		bool taken = false;

		for (unsigned i = 0; i < count; i++)
			taken |= channels[i] / step == channel / step;
		if (!taken)
			channels[count++] = channel;
	}
	return count;
}

void
storm_add(struct storm *w, enum client_transport transport, unsigned count)
{
	uint16_t channels[CLIENT_CHANNELS_MAX];

	for (; count != 0; count--)
		clients_add(
		    &w->clients, transport, channels, pick_channels(w, transport, channels));
}

bool
storm_open(struct storm *w, const struct server *s, const struct storm_options *o)
{
	size_t cap = 4 * (size_t)o->clients;

	*w = (struct storm){.publisher.fd = -1};
	if (!ledger_open(&w->ledger, o->channels, o->events, cap, o->padding) ||
	    !clients_open(&w->clients, s->port, cap, w->ledger.names, w->ledger.channel_count))
		return false;
	w->clients.context = &w->ledger;
	w->clients.event = ledger_on_event;
	w->clients.gap = ledger_on_gap;
	storm_add(w, CLIENT_POLL, o->clients);
	storm_add(w, CLIENT_LONGPOLL, o->clients);
	storm_add(w, CLIENT_SSE, o->clients / 2);
	storm_add(w, CLIENT_SSE_JSON, o->clients - o->clients / 2);
	storm_add(w, CLIENT_WS, o->clients / 2);
	storm_add(w, CLIENT_WS_SUBSCRIBE, o->clients - o->clients / 2);
	return publisher_open(&w->publisher, s->socket, ledger_on_answer, &w->ledger);
}

static void
cut_somebody(struct storm *w)
{
	struct client *c = &w->clients.list[wire_random(&w->clients.random) % w->clients.count];
	uint32_t dice = wire_random(&w->clients.random);

	if (c->state == CLIENT_IDLE)
		return;
	w->cuts++;
	clients_cut(&w->clients, c, (int)(dice % 400), (dice >> 16 & 1) != 0);
}

static void
kill_a_worker(struct storm *w, struct server *s)
{
	pid_t pids[SERVER_WORKERS_MAX];
	size_t count = server_workers(s, pids);

	if (count == 0)
		return;
	kill(pids[wire_random(&w->clients.random) % count], SIGKILL);
	w->kills++;
}

void
storm_blow(struct storm *w, struct server *s, const struct storm_options *o)
{
	struct ledger *l = &w->ledger;
	uint64_t started = wire_now_ms(),
		 deadline = started + 1000ull * (o->settle_s + o->events / o->events_per_s);

	while (l->acknowledged < l->event_count && wire_now_ms() < deadline) {
		uint64_t elapsed = wire_now_ms() - started;
		uint64_t wanted = elapsed * o->events_per_s / 1000;

		if (wanted > l->acknowledged + WINDOW)
			wanted = l->acknowledged + WINDOW;
		if (wanted > l->published)
			ledger_publish(l, &w->publisher, (uint32_t)(wanted - l->published));
		if (!publisher_turn(&w->publisher))
			break;
		clients_turn(&w->clients, 1);
		for (unsigned i = 0; i < 16 && w->cuts < elapsed * o->cuts_per_s / 1000; i++)
			cut_somebody(w);
		if (o->kill_every_ms != 0 && w->kills < elapsed / o->kill_every_ms)
			kill_a_worker(w, s);
		if (o->each_turn != NULL)
			o->each_turn(o->context, s);
	}
	tap_note("published in %llu ms", (unsigned long long)(wire_now_ms() - started));
}

/* Says who was not told to be live. */
static void
note_waiting(const struct clients *e)
{
	unsigned waiting[CLIENT_TRANSPORTS] = {0};

	for (size_t i = 0; i < e->count; i++) {
		const struct client *c = &e->list[i];

		if (!c->live && waiting[c->transport]++ == 0)
			tap_note(
			    "client %zu (%s) is in state %d since %llu ms, opened %d, live %#x of %u",
			    i, client_transport_name(c->transport), (int)c->state,
			    (unsigned long long)(wire_now_ms() - c->asked_ms), c->opened,
			    c->channel_live, c->channel_count);
	}
	for (unsigned i = 0; i < CLIENT_TRANSPORTS; i++)
		if (waiting[i] != 0)
			tap_note("%u of %s wait", waiting[i],
			    client_transport_name((enum client_transport)i));
}

bool
storm_all_live(struct clients *e, unsigned ms)
{
	uint64_t deadline = wire_now_ms() + ms;

	e->wait_s = 1;
	for (size_t i = 0; i < e->count; i++)
		clients_cut(e, &e->list[i], 0, false);
	for (;;) {
		size_t live = 0;

		for (size_t i = 0; i < e->count; i++)
			live += e->list[i].live;
		if (live == e->count)
			return true;
		if (wire_now_ms() > deadline) {
			note_waiting(e);
			return false;
		}
		clients_turn(e, 5);
	}
}

void
storm_settle(struct tap *t, struct storm *w, const struct storm_options *o)
{
	uint64_t deadline = wire_now_ms() + 1000ull * o->settle_s, expected = 0,
		 started = wire_now_ms();
	uint16_t channel;

	for (size_t i = 0; i < w->clients.count; i++)
		for (uint32_t n = 0; n < w->ledger.acknowledged; n++)
			expected += ledger_concerns(&w->ledger, &w->clients.list[i], n, &channel);
	while (w->ledger.delivered < expected && wire_now_ms() < deadline)
		clients_turn(&w->clients, 5);
	tap_check(t, w->ledger.delivered == expected,
	    "all deliveries came (%llu of %llu, %llu ms after the last publish)",
	    (unsigned long long)w->ledger.delivered, (unsigned long long)expected,
	    (unsigned long long)(wire_now_ms() - started));
	tap_check(t, storm_all_live(&w->clients, 30000),
	    "after one more reconnect everybody is told to be live");
	tap_note("%u workers killed, %llu clients cut", w->kills, (unsigned long long)w->cuts);
}

void
storm_close(struct storm *w)
{
	publisher_close(&w->publisher);
	clients_close(&w->clients);
	ledger_close(&w->ledger);
}

void
storm_run(struct tap *t, struct server *s, const struct storm_options *o)
{
	struct storm w;

	if (tap_check(t, storm_open(&w, s, o), "the publish socket takes a stream")) {
		tap_check(t, clients_settle(&w.clients, 30000),
		    "all %zu clients are welcomed (%zu)", w.clients.count,
		    clients_opened(&w.clients));
		storm_blow(&w, s, o);
		storm_settle(t, &w, o);
		ledger_judge(t, &w.ledger, &w.clients);
	}
	storm_close(&w);
}
