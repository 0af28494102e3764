/*
 * handoff.c: connections on their way to a worker that hangs or dies go to another; every one gets
 * an answer.
 */
#include <signal.h>

#include "tests/lib/client.h"
#include "tests/lib/proc.h"
#include "tests/lib/server.h"

static const char *const names[] = {"hand"};

static void
add(struct clients *e, unsigned count)
{
	for (; count != 0; count--)
		clients_add(e, CLIENT_POLL, (const uint16_t[]){0}, 1);
}

static void
turn_for(struct clients *e, unsigned ms)
{
	for (uint64_t until = wire_now_ms() + ms; wire_now_ms() < until;)
		clients_turn(e, 5);
}

/* The workers as they are now, and then one of them stopped. */
static pid_t
stop_one(const struct server *s, size_t which)
{
	pid_t pids[SERVER_WORKERS_MAX];
	size_t count = server_workers(s, pids);

	if (which >= count)
		return 0;
	kill(pids[which], SIGSTOP);
	return pids[which];
}

static bool
respawned(const struct server *s, size_t wanted)
{
	pid_t pids[SERVER_WORKERS_MAX];

	for (unsigned i = 0; i < 500; i++) {
		if (server_workers(s, pids) == wanted)
			return true;
		wire_sleep_ms(10);
	}
	return false;
}

/* Fresh clients; each keeps its connection after its one answer. */
static bool
gather(struct clients *e, const struct server *s, unsigned count)
{
	if (!clients_open(e, s->port, count, names, 1))
		return false;
	e->rest_ms = 1u << 24;
	add(e, count);
	return true;
}

static void
check_all(struct tap *t, struct clients *e, const char *what)
{
	bool settled = clients_settle(e, 30000);

	tap_check(t, settled && e->cuts_by_peer == 0 && e->refused == 0 && e->violations == 0,
	    "%s: every connection gets its answer (%zu of %zu, cut %llu, refused %llu) %s", what,
	    clients_opened(e), e->count, (unsigned long long)e->cuts_by_peer,
	    (unsigned long long)e->refused, e->violation);
}

static void
stopped_then_killed(struct tap *t, struct server *s, unsigned count)
{
	struct clients e;
	pid_t victim = stop_one(s, 0);

	tap_check(
	    t, victim != 0 && gather(&e, s, count), "a worker is stopped, %u clients come", count);
	turn_for(&e, 500);
	tap_note("%zu answered while it is stopped", clients_opened(&e));
	kill(victim, SIGKILL);
	check_all(t, &e, "the stopped worker is killed");
	clients_close(&e);
	tap_check(t, respawned(s, 3), "it is respawned");
}

static void
stopped_then_continued(struct tap *t, struct server *s, unsigned count)
{
	struct clients e;
	pid_t victim = stop_one(s, 1);

	tap_check(
	    t, victim != 0 && gather(&e, s, count), "a worker is stopped, %u clients come", count);
	turn_for(&e, 500);
	tap_note("%zu answered while it is stopped", clients_opened(&e));
	kill(victim, SIGCONT);
	check_all(t, &e, "the stopped worker continues");
	clients_close(&e);
}

static void
one_stopped_one_killed(struct tap *t, struct server *s, unsigned count)
{
	struct clients e;
	pid_t stopped = stop_one(s, 0), pids[SERVER_WORKERS_MAX];

	tap_check(
	    t, stopped != 0 && gather(&e, s, count), "a worker is stopped, %u clients come", count);
	turn_for(&e, 30);
	if (server_workers(s, pids) > 1)
		kill(pids[1] == stopped ? pids[0] : pids[1], SIGKILL);
	turn_for(&e, 500);
	kill(stopped, SIGCONT);
	tap_check(t, clients_settle(&e, 30000) && e.violations == 0,
	    "another is killed meanwhile: every client has its answer in the end (%zu of %zu, cut %llu) %s",
	    clients_opened(&e), e.count, (unsigned long long)e.cuts_by_peer, e.violation);
	clients_close(&e);
	tap_check(t, respawned(s, 3), "all workers are there again");
}

int
main(void)
{
	struct tap t = tap_start(150);
	struct server s;
	unsigned count = tap_scaled(2000, 200), before;

	if (!tap_check(
		&t, server_start(&s, &(struct server_options){.workers = 3}), "the server boots"))
		return tap_finish(&t);
	before = proc_descriptors(s.pid);
	stopped_then_killed(&t, &s, count);
	stopped_then_continued(&t, &s, count);
	one_stopped_one_killed(&t, &s, count);
	for (unsigned i = 0; i < 300 && proc_descriptors(s.pid) > before; i++)
		wire_sleep_ms(10);
	tap_check(&t, proc_descriptors(s.pid) <= before,
	    "the master holds no more descriptors than before (%u, %u)", before,
	    proc_descriptors(s.pid));
	server_stop(&t, &s, NULL);
	return tap_finish(&t);
}
