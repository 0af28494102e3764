/*
 * backends.c: what stands behind the workers' system calls is what the configuration asks for, is
 * told in the log and in GET /stats, and delivers; and what happens where io_uring cannot be.
 *
 * E2E_NO_IO_URING in the environment says that io_uring is forbidden here: `auto` must then find
 * epoll, and `io_uring` must end with a reason. tests/systemd/seccomp_test.sh runs it so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/storm.h"

#define WORKERS 2
#define READY_MS 10000
#define FALLBACK "workers use epoll instead of io_uring"
#define STATS_BYTES (1u << 18)

/* How many workers say in GET /stats that they use `io`. */
static unsigned
workers_with(const struct server *s, const char *io)
{
	char *answer = malloc(STATS_BYTES), name[16];
	struct wire_http http;
	struct text workers, worker;
	size_t offset = 0;
	unsigned n = 0;

	if (answer != NULL &&
	    wire_call(server_private(s), "GET", "/stats", NULL, (struct text){NULL, 0}, answer,
		STATS_BYTES, &http) &&
	    wire_json_path(http.body, "workers", &workers))
		while (wire_json_step(workers, &offset, &worker))
			n += strcmp(wire_json_string_at(worker, "io", name, sizeof name), io) == 0;
	free(answer);
	return n;
}

/* The server is ready when its first worker is: waits for the others. */
static bool
all_workers_serve(const struct server *s)
{
	char line[64];

	for (unsigned i = 0; i < WORKERS; i++) {
		snprintf(line, sizeof line, "worker serves worker=%u ", i);
		if (!server_log_has(s, line, READY_MS))
			return false;
	}
	return true;
}

/* Asked for `wanted`, the server uses `used`, and delivers. */
static void
serves(struct tap *t, const char *wanted, const char *used, bool falls_back)
{
	const struct storm_options storm = {.clients = 5,
	    .channels = 4,
	    .events = 400,
	    .events_per_s = 800,
	    .padding = 100,
	    .cuts_per_s = 20,
	    .settle_s = 20};
	char members[64], line[64];
	struct server s;

	snprintf(members, sizeof members, "\"io\": \"%s\"", wanted);
	if (!tap_check(t,
		server_start(&s, &(struct server_options){.workers = WORKERS, .members = members}),
		"a server with io=%s starts", wanted))
		return;
	tap_check(t, all_workers_serve(&s) && workers_with(&s, used) == WORKERS,
	    "io=%s: every worker says %s in /stats", wanted, used);
	snprintf(line, sizeof line, "io=%s", used);
	tap_check(t, server_log_count(&s, line) == WORKERS,
	    "io=%s: the log says %s of every worker", wanted, used);
	tap_check(t, server_log_count(&s, FALLBACK) == falls_back,
	    "io=%s: the log says %s that epoll stands in, and why", wanted,
	    falls_back ? "once" : "nowhere");
	storm_run(t, &s, &storm);
	server_stop(t, &s, NULL);
}

/* Without io_uring, asked for it alone, the server ends and says what to do. */
static void
refuses(struct tap *t)
{
	struct server s;

	if (tap_check(t,
		!server_start(
		    &s, &(struct server_options){.workers = 1, .members = "\"io\": \"io_uring\""}),
		"io=io_uring where it is forbidden: no start")) {
		tap_check(t, server_log_count(&s, "systemd/seccomp.json") > 0,
		    "the log says what to do about it");
		server_aftermath(t, &s, "");
	}
}

int
main(void)
{
	struct tap t = tap_start(120);
	bool forbidden = getenv("E2E_NO_IO_URING") != NULL;

	serves(&t, "epoll", "epoll", false);
	serves(&t, "auto", forbidden ? "epoll" : "io_uring", forbidden);
	if (forbidden)
		refuses(&t);
	else
		serves(&t, "io_uring", "io_uring", false);
	return tap_finish(&t);
}
