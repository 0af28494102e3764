/*
 * lapped.c: a ring so small that slow clients, and a stopped worker, are lapped: the gaps that are
 * declared account for exactly what is missing.
 */
#include <signal.h>

#include "tests/lib/storm.h"

#define CHANNELS 10

struct trouble {
	struct storm *storm;
	uint64_t next_ms;
	uint64_t stopped_ms;
	pid_t stopped;
	unsigned pauses, steps, stops;
};

/*
 * Somebody stops reading or reads again; now and then a worker is stopped for a quarter of a
 * second.
 */
static void
make_trouble(void *context, struct server *s)
{
	struct trouble *x = context;
	struct clients *e = &x->storm->clients;
	uint64_t now = wire_now_ms();
	pid_t pids[SERVER_WORKERS_MAX];
	size_t count;

	if (x->stopped != 0 && now > x->stopped_ms + 250) {
		kill(x->stopped, SIGCONT);
		x->stopped = 0;
	}
	if (now < x->next_ms)
		return;
	x->next_ms = now + 10;
	for (unsigned i = 0; i < 1 + e->count / 40; i++) {
		struct client *c = &e->list[wire_random(&e->random) % e->count];

		x->pauses += !c->paused;
		clients_pause(e, c, !c->paused);
	}
	if (x->stopped == 0 && ++x->steps % 60 == 0 && (count = server_workers(s, pids)) != 0) {
		x->stopped = pids[wire_random(&e->random) % count];
		x->stopped_ms = now;
		x->stops++;
		kill(x->stopped, SIGSTOP);
	}
}

int
main(void)
{
	struct tap t = tap_start(180);
	struct server s;
	struct storm w;
	struct trouble x = {.storm = &w};
	struct storm_options options = {.clients = tap_scaled(40, 8),
	    .channels = CHANNELS,
	    .events = tap_scaled(20000, 4000),
	    .events_per_s = 2000,
	    .padding = 200,
	    .cuts_per_s = 20,
	    .settle_s = 30,
	    .each_turn = make_trouble,
	    .context = &x};

	if (!tap_check(&t,
		server_start(&s, &(struct server_options){.workers = 3,
				     .ring_bytes = "65536",
				     .members = "\"max_event_bytes\": 8192"}),
		"the server boots with a ring of 64 KiB"))
		return tap_finish(&t);
	if (tap_check(&t, storm_open(&w, &s, &options), "the publish socket takes a stream")) {
		w.clients.receive_buffer_bytes = 4096;
		w.clients.rest_ms = 400;
		tap_check(&t, clients_settle(&w.clients, 30000), "all clients are welcomed");
		storm_blow(&w, &s, &options);
		if (x.stopped != 0)
			kill(x.stopped, SIGCONT);
		for (size_t i = 0; i < w.clients.count; i++)
			clients_pause(&w.clients, &w.clients.list[i], false);
		/*
		 * Whoever still has unread input reads it first: a cut would make events of the
		 * socket count as lost.
		 */
		for (uint64_t until = wire_now_ms() + 2000; wire_now_ms() < until;)
			clients_turn(&w.clients, 10);
		tap_check(&t, storm_all_live(&w.clients, 30000),
		    "after one more reconnect everybody is told to be live");
		tap_note("%u pauses, %u workers stopped", x.pauses, x.stops);
		ledger_judge_gaps(&t, &w.ledger, &w.clients);
	}
	storm_close(&w);
	server_stop(&t, &s, NULL);
	return tap_finish(&t);
}
