/*
 * main.c: ringcast-worker: started by ringcastd, with one inherited descriptor; everything else comes as orders.
 *
 * Exit codes: 0 when told to leave (or the master is gone), 1 when something broke (it is started again), 2 when starting again
 * would not help: this kernel or sandbox cannot run it, or nobody inherited us a descriptor.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "worker/epoll.h"
#include "worker/intake.h"
#include "worker/log.h"
#include "worker/loop.h"
#include "worker/probe.h"
#include "worker/sandbox.h"
#include "worker/uring.h"
#include "worker/worker.h"

#define CONTROL_FD 3
#define EXIT_USELESS 2 /* do not start it again */

/* The master decides when we leave; a terminal's ^C reaches the whole group. */
static void
ignore_signals(void)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGINT, &ignore, NULL);
	sigaction(SIGTERM, &ignore, NULL);
	sigaction(SIGHUP, &ignore, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

/* As many descriptors as are allowed: a connection is one. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* What every worker of this host would say is said by the first one. */
static void
tell_of_epoll(const struct worker *w, const char *why)
{
	if (w->ordinal == 0)
		log_line(LOG_WARNING,
		    "workers use epoll instead of io_uring: deliveries cost about a quarter more CPU"
		    " reason=\"%s\"",
		    why);
}

/* Opens what the order to start names; the master is to see on the board which one it became. */
static bool
open_kernel(struct worker *w)
{
	const struct io_options uring = {.backend = &uring_backend};
	const struct io_options epoll = {.backend = &epoll_backend};
	char report[PROBE_REPORT_BYTES];

	if (w->io_wanted != ORDER_IO_EPOLL) {
		if (probe_io_uring(report, sizeof report) == 0 &&
		    io_open(&w->io, &uring, report, sizeof report) == 0) {
			board_set_io(&w->board, BOARD_IO_URING);
			return true;
		}
		if (w->io_wanted == ORDER_IO_URING)
			goto fail;
		tell_of_epoll(w, report);
	}
	if (io_open(&w->io, &epoll, report, sizeof report) == 0) {
		board_set_io(&w->board, BOARD_IO_EPOLL);
		return true;
	}

fail:
	log_line(LOG_ERR, "cannot start reason=\"%s\"", report);
	return false;
}

static bool
enter_sandbox(const struct worker *w)
{
	const enum sandbox_io io = w->io.backend == &epoll_backend ? SANDBOX_EPOLL : SANDBOX_URING;
	char report[PROBE_REPORT_BYTES];

	if (sandbox_enter(io, report, sizeof report) != 0) {
		log_line(LOG_ERR, "cannot start reason=\"%s\"", report);
		return false;
	}
	return true;
}

int
main(void)
{
	struct worker *w = calloc(1, sizeof *w);
	int code = EXIT_USELESS;

	if (w == NULL)
		return EXIT_FAILURE;
	if (fcntl(CONTROL_FD, F_GETFD) == -1) {
		fputs("ringcast-worker is started by ringcastd, not by hand\n", stderr);
		free(w);
		return EXIT_USELESS;
	}
	w->control_fd = CONTROL_FD;
	ignore_signals();
	raise_descriptor_limit();
	if (!intake_begin(w)) {
		code = EXIT_FAILURE;
	} else if (open_kernel(w)) {
		code = EXIT_FAILURE;
		if (loop_start(w) && enter_sandbox(w)) {
			code = loop_run(w);
			loop_free(w);
		}
	}
	io_close(&w->io);
	ring_close(&w->ring);
	board_close(&w->board);
	slots_close(&w->slots);
	free(w);
	return code;
}
