/*
 * probe.c: a small ring of the worker's own making, and a question each for what the worker relies
 * on. A question that is answered wrongly names the behaviour, because a kernel that answers
 * wrongly would corrupt streams in silence (see worker/uring.c on short sends).
 */
#include "worker/probe.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "worker/io.h"
#include "worker/uring.h"

/* Four times what the smallest send buffer that a Unix socket can have takes. */
#define PAYLOAD_BYTES (64 << 10)
#define PATIENCE_MS 1000

struct probe {
	struct io io;
	int pair[2];
	int doorbell;
	char *payload;
};

/* The next event, or false if there is none within `timeout_ms`. */
static bool
next_event(struct probe *p, int timeout_ms, struct io_event *event)
{
	if (io_wait(&p->io, timeout_ms) < 0)
		return false;
	return io_reap(&p->io, event, 1) == 1;
}

/* A send that goes out whole is silent; one that does not tells how far it came. */
static const char *
ask_sends(struct probe *p)
{
	struct io_event event;

	io_send(&p->io, p->pair[0], p->payload, 1, 1);
	if (next_event(p, 0, &event))
		return "a send that succeeded was not silent (IOSQE_CQE_SKIP_SUCCESS)";
	io_send(&p->io, p->pair[0], p->payload, PAYLOAD_BYTES, 2);
	if (!next_event(p, 0, &event))
		return "a short send was not reported (MSG_DONTWAIT with MSG_WAITALL)";
	if (event.token != 2 || event.result <= 0 || event.result >= PAYLOAD_BYTES)
		return "a short send did not report the bytes it took";
	io_send(&p->io, p->pair[0], p->payload, PAYLOAD_BYTES, 3);
	if (!next_event(p, 0, &event) || event.token != 3 || event.result != -EAGAIN)
		return "a send into a full socket was not reported";
	return NULL;
}

/* Every write of the doorbell is an event, although nobody reads it. */
static const char *
ask_doorbell(struct probe *p)
{
	const uint64_t one = 1;
	struct io_event event;

	io_watch(&p->io, p->doorbell, 4);
	for (int i = 0; i < 2; i++) {
		if (write(p->doorbell, &one, sizeof one) != sizeof one)
			return "an eventfd could not be written";
		if (!next_event(p, PATIENCE_MS, &event) || event.token != 4 ||
		    event.result != POLLIN || (event.flags & IO_ENDED) != 0)
			return "a standing (multishot) poll did not fire for every write";
	}
	return NULL;
}

/* What is hung up completes a parked poll; the worker's closes rely on it. */
static const char *
ask_shutdown(struct probe *p)
{
	struct io_event event;

	io_poll(&p->io, p->pair[1], POLLPRI | POLLRDHUP, 5);
	if (next_event(p, 0, &event))
		return "a parked poll fired without a cause";
	(void)shutdown(p->pair[1], SHUT_RDWR);
	if (!next_event(p, PATIENCE_MS, &event) || event.token != 5 || event.result <= 0)
		return "a parked poll did not end on shutdown";
	return NULL;
}

/* The ring is closed to what the sandbox's filter cannot see. */
static const char *
ask_restrictions(struct probe *p)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(uring_ring(&p->io));
	struct io_event event;

	if (sqe == NULL)
		return "the ring has no room";
	io_uring_prep_nop(sqe);
	io_uring_sqe_set_data64(sqe, 6);
	if (!next_event(p, PATIENCE_MS, &event) || event.token != 6 || event.result != -EACCES)
		return "the ring's restrictions are not enforced";
	return NULL;
}

/* 0 and the sockets, or a negative errno. */
static int
prepare(struct probe *p)
{
	const int smallest = 1;

	p->payload = calloc(1, PAYLOAD_BYTES);
	if (p->payload == NULL)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p->pair) == -1)
		return -errno;
	if (setsockopt(p->pair[0], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest) == -1)
		return -errno;
	p->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return p->doorbell == -1 ? -errno : 0;
}

static void
clear(struct probe *p)
{
	io_close(&p->io);
	for (int i = 0; i < 2; i++) {
		if (p->pair[i] != -1)
			close(p->pair[i]);
	}
	if (p->doorbell != -1)
		close(p->doorbell);
	free(p->payload);
}

int
probe_io_uring(char *report, size_t report_size)
{
	static const struct io_options options = {.entries = 8, .cq_entries = 16};
	static const char *(*const questions[])(struct probe *) = {
	    ask_sends, ask_doorbell, ask_shutdown, ask_restrictions};
	struct probe p = {.pair = {-1, -1}, .doorbell = -1};
	struct utsname kernel;
	int result;

	if (uname(&kernel) == -1)
		memcpy(kernel.release, "?", sizeof "?");
	result = io_open(&p.io, &options, report, report_size);
	if (result < 0)
		return result;
	result = prepare(&p);
	if (result < 0) {
		snprintf(
		    report, report_size, "io_uring cannot be tried out: %s", strerror(-result));
		goto done;
	}
	for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
		const char *complaint = questions[i](&p);
		if (complaint != NULL) {
			snprintf(report, report_size,
			    "this kernel's io_uring (%s) does not do what is needed: %s; needs Linux 6.1 or newer",
			    kernel.release, complaint);
			result = -EOPNOTSUPP;
			goto done;
		}
	}
	snprintf(report, report_size,
	    "io_uring on Linux %s: short sends reported, silent successes, standing polls, restrictions",
	    kernel.release);

done:
	clear(&p);
	return result;
}
