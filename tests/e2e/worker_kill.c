/*
 * worker_kill.c: a worker is killed every second under load; its clients resume, and nobody loses
 * or repeats anything.
 */
#include "tests/lib/proc.h"
#include "tests/lib/storm.h"

int
main(void)
{
	struct tap t = tap_start(240);
	struct server s;
	struct storm_options options = {.clients = tap_scaled(200, 8),
	    .channels = 20,
	    .events = tap_scaled(20000, 4000),
	    .events_per_s = 1500,
	    .padding = 40,
	    .cuts_per_s = 50,
	    .kill_every_ms = 1000,
	    .settle_s = 60};
	pid_t pids[SERVER_WORKERS_MAX];
	unsigned before;
	size_t workers;

	if (!tap_check(
		&t, server_start(&s, &(struct server_options){.workers = 4}), "the server boots"))
		return tap_finish(&t);
	before = proc_descriptors(s.pid);
	storm_run(&t, &s, &options);
	for (unsigned i = 0;
	     i < 300 && (server_workers(&s, pids) != 4 || proc_descriptors(s.pid) > before); i++)
		wire_sleep_ms(10);
	workers = server_workers(&s, pids);
	tap_check(&t, workers == 4, "all workers are there again (%zu)", workers);
	tap_check(&t, proc_descriptors(s.pid) <= before,
	    "the master holds no more descriptors than before (%u, %u)", before,
	    proc_descriptors(s.pid));
	server_stop(&t, &s, NULL);
	return tap_finish(&t);
}
