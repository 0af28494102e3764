/*
 * slow.c: clients that do not read cost the server no memory and the healthy ones nothing; when
 * they read again they are told exactly what they missed.
 */
#include <signal.h>

#include "tests/lib/proc.h"
#include "tests/lib/storm.h"

#define GROWTH_KIB_MAX 1024
#define WINDOW 100 /* events that may be on their way; the ring holds some 3,000 */
#define STEP 20
#define BURST (WINDOW - STEP)

static uint64_t
anonymous_kib(const struct server *s)
{
	pid_t pids[SERVER_WORKERS_MAX];
	size_t count = server_workers(s, pids);
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += proc_memory_kib(pids[i], "Anonymous");
	return sum;
}

static void
check_memory(struct tap *t, uint64_t before, uint64_t after)
{
#ifdef SANITIZED
	tap_skip(t, "memory of the workers: a sanitizer's own (%llu, %llu KiB)",
	    (unsigned long long)before, (unsigned long long)after);
#else
	tap_check(t, after <= before + GROWTH_KIB_MAX,
	    "the workers' memory does not grow (%llu KiB before, %llu after)",
	    (unsigned long long)before, (unsigned long long)after);
#endif
}

/* Events that the slowest of the healthy clients (the odd ones) is behind, at least. */
static uint32_t
healthy_lag(const struct storm *w)
{
	uint32_t slowest = w->ledger.published;

	for (size_t i = 1; i < w->clients.count; i += 2) {
		const uint32_t *last = &w->ledger.last[i * CLIENT_CHANNELS_MAX];
		uint32_t newest = 0;

		for (unsigned place = 0; place < CLIENT_CHANNELS_MAX; place++)
			if (last[place] > newest)
				newest = last[place];
		if (newest < slowest)
			slowest = newest;
	}
	return w->ledger.published - slowest;
}

/*
 * Publishes `count` events at `per_s` and lets the clients read meanwhile; not faster than these
 * tests can read what the healthy ones get, which on a busy machine is the slower half.
 */
static bool
publish(struct storm *w, uint32_t count, unsigned per_s)
{
	uint64_t started = wire_now_ms(), deadline = started + 60000;
	uint32_t base = w->ledger.published, goal = base + count;

	while (w->ledger.acknowledged < goal && wire_now_ms() < deadline) {
		uint64_t wanted = base + (wire_now_ms() - started) * per_s / 1000;

		if (wanted > goal)
			wanted = goal;
		if (wanted > w->ledger.published && healthy_lag(w) < WINDOW)
			ledger_publish(&w->ledger, &w->publisher,
			    wanted - w->ledger.published < STEP
				? (uint32_t)(wanted - w->ledger.published)
				: STEP);
		if (!publisher_turn(&w->publisher))
			return false;
		clients_turn(&w->clients, 1);
	}
	return w->ledger.acknowledged == goal;
}

/* Whether a figure of all workers becomes 0. */
static bool
drains(const struct server *s, const char *path)
{
	char buffer[1 << 16];
	struct wire_http answer;
	struct text value;

	for (uint64_t until = wire_now_ms() + 5000; wire_now_ms() < until; wire_sleep_ms(20)) {
		answer = (struct wire_http){0};
		if (wire_call(server_private(s), "GET", "/stats", NULL, (struct text){NULL, 0},
			buffer, sizeof buffer, &answer) &&
		    wire_json_path(answer.body, path, &value) && wire_json_number(value, -1) == 0)
			return true;
	}
	return false;
}

/*
 * The workers stand still while as much is published as may ever be on its way here, and then find all of it at once. A
 * busy machine does that to them, too; they render what they read before they send it, and what was taken for that once may
 * stay with the C library.
 */
static bool
starve(const struct server *s, struct storm *w, unsigned per_s)
{
	const uint64_t deadline = wire_now_ms() + 20000;
	pid_t pids[SERVER_WORKERS_MAX];
	const size_t count = server_workers(s, pids);
	bool published;

	while (healthy_lag(w) >= STEP && wire_now_ms() < deadline)
		clients_turn(&w->clients, 1);
	for (size_t i = 0; i < count; i++)
		kill(pids[i], SIGSTOP);
	published = publish(w, BURST, per_s);
	for (size_t i = 0; i < count; i++)
		kill(pids[i], SIGCONT);
	return published;
}

static void
run(struct tap *t, struct server *s, struct storm *w, const struct storm_options *o)
{
	uint64_t before, healthy_missing = 0;
	uint32_t tenth = o->events / 10, healthy_gaps = 0;
	struct clients *e = &w->clients;

	e->rest_ms = 20;
	tap_check(t, clients_settle(e, 30000), "all clients are welcomed");
	tap_check(t, publish(w, tenth, o->events_per_s), "everybody reads a first tenth");
	for (size_t i = 0; i < e->count; i += 2)
		clients_pause(e, &e->list[i], true);
	/* The first of the load fills what the workers set aside for it, once. */
	tap_check(t,
	    starve(s, w, o->events_per_s) && publish(w, 4 * tenth - BURST, o->events_per_s),
	    "half of them stop to read");
	before = anonymous_kib(s);
	tap_check(t,
	    publish(w, 2 * tenth, o->events_per_s) && starve(s, w, o->events_per_s) &&
		publish(w, o->events - 7 * tenth - BURST, o->events_per_s),
	    "the publisher is not held up by those that do not read");
	for (uint64_t until = wire_now_ms() + 1500; wire_now_ms() < until;)
		clients_turn(e, 10);
	check_memory(t, before, anonymous_kib(s));
	tap_check(t, drains(s, "total.wave_bytes"),
	    "nothing rendered is kept for those that do not read");
	for (size_t i = 1; i < e->count; i += 2) {
		healthy_missing += ledger_missing(&w->ledger, &e->list[i]);
		healthy_gaps += e->list[i].gaps;
	}
	tap_check(t, healthy_missing == 0 && healthy_gaps == 0,
	    "the healthy lose nothing (lost %llu, gaps %u)", (unsigned long long)healthy_missing,
	    healthy_gaps);
	for (size_t i = 0; i < e->count; i += 2)
		clients_pause(e, &e->list[i], false);
	for (uint64_t until = wire_now_ms() + 2000; wire_now_ms() < until;)
		clients_turn(e, 10);
	tap_check(t, storm_all_live(e, 30000), "all are told to be live in the end");
	ledger_judge_gaps(t, &w->ledger, e);
}

int
main(void)
{
	struct tap t = tap_start(180);
	struct server s;
	struct storm w;
	/*
	 * 50 of each transport; every second one stalls. The ring holds about half of what is
	 * published.
	 */
	struct storm_options options = {.clients = tap_scaled(50, 8),
	    .channels = 4,
	    .events = tap_scaled(6000, 5000),
	    .events_per_s = 1000,
	    .padding = 1000};

	if (!tap_check(&t,
		server_start(&s, &(struct server_options){.workers = 2, .ring_bytes = "\"4MiB\""}),
		"the server boots"))
		return tap_finish(&t);
	if (tap_check(&t, storm_open(&w, &s, &options), "the publish socket takes a stream")) {
		w.clients.receive_buffer_bytes = 8192;
		run(&t, &s, &w, &options);
	}
	storm_close(&w);
	server_stop(&t, &s, NULL);
	return tap_finish(&t);
}
