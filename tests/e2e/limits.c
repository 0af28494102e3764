/*
 * limits.c: with very few descriptors and ten times as many clients the server neither spins nor
 * goes deaf, and when the crowd leaves it is well again by itself.
 */
#include "tests/lib/client.h"
#include "tests/lib/proc.h"
#include "tests/lib/publisher.h"
#include "tests/lib/server.h"

#define DESCRIPTORS 128
#define WATCH_MS 2000

static const char *const names[] = {"crowd"};

static uint64_t
cpu_ns(const struct server *s)
{
	pid_t pids[SERVER_WORKERS_MAX];
	size_t count = server_workers(s, pids);
	uint64_t sum = proc_cpu_ns(s->pid);

	for (size_t i = 0; i < count; i++)
		sum += proc_cpu_ns(pids[i]);
	return sum;
}

static void
turn_for(struct clients *e, struct publisher *p, unsigned ms)
{
	for (uint64_t until = wire_now_ms() + ms; wire_now_ms() < until;) {
		clients_turn(e, 20);
		publisher_turn(p);
	}
}

static void
crowd(struct tap *t, struct server *s, struct clients *e, struct publisher *p)
{
	static const char envelope[] = "{\"channel\":\"crowd\",\"data\":1}";
	uint64_t before, used, received = 0;
	size_t opened;

	for (unsigned i = 0; i < 10 * DESCRIPTORS; i++)
		clients_add(e, CLIENT_SSE, (const uint16_t[]){0}, 1);
	e->back_ms = 2000;
	turn_for(e, p, 2000);
	opened = clients_opened(e);
	tap_check(t, opened >= DESCRIPTORS / 2 && opened < e->count,
	    "some are served, not all (%zu of %zu)", opened, e->count);
	before = cpu_ns(s);
	turn_for(e, p, WATCH_MS);
	used = (cpu_ns(s) - before) / 1000000;
	tap_check(t, used < WATCH_MS / 4, "it does not spin: %llu ms of CPU in %u ms",
	    (unsigned long long)used, WATCH_MS);
	publisher_line(p, (struct text){envelope, sizeof envelope - 1});
	turn_for(e, p, 1000);
	for (size_t i = 0; i < e->count; i++)
		received += e->list[i].received != 0;
	tap_check(t, p->answered == 1 && p->refused == 0, "an event is still taken");
	tap_check(t, received >= opened, "and reaches those that are served (%llu of %zu)",
	    (unsigned long long)received, opened);
	tap_check(t, e->repelled == 0,
	    "no EventSource is told to give up for ever (%llu of %llu refused)",
	    (unsigned long long)e->repelled, (unsigned long long)e->refused);
	tap_check(t, e->violations == 0, "violations of the contract = %llu %s",
	    (unsigned long long)e->violations, e->violation);
}

int
main(void)
{
	struct tap t = tap_start(90);
	struct server s;
	struct clients e;
	struct publisher p;
	uint64_t gone;

	if (!tap_check(&t,
		server_start(
		    &s, &(struct server_options){.workers = 2, .descriptors = DESCRIPTORS}),
		"the server boots with %u descriptors a process", DESCRIPTORS))
		return tap_finish(&t);
	tap_check(&t,
	    clients_open(&e, s.port, 12 * DESCRIPTORS, names, 1) &&
		publisher_open(&p, s.socket, NULL, NULL),
	    "a publisher connects");
	crowd(&t, &s, &e, &p);
	for (size_t i = 0; i < e.count; i++)
		clients_cut(&e, &e.list[i], -1, false);
	for (unsigned i = 0; i < 20; i++)
		clients_add(&e, CLIENT_WS, (const uint16_t[]){0}, 1);
	e.back_ms = 50;
	gone = wire_now_ms();
	tap_check(&t, clients_settle(&e, 10000),
	    "the crowd leaves: 20 others are welcomed (%zu, after %llu ms)", clients_opened(&e),
	    (unsigned long long)(wire_now_ms() - gone));
	tap_check(&t, publisher_event(s.socket, "crowd", "2") != 0, "another publisher is served");
	publisher_close(&p);
	clients_close(&e);
	server_stop(&t, &s, NULL);
	return tap_finish(&t);
}
