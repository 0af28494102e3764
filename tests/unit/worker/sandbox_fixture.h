/*
 * sandbox_fixture.h: what a worker holds when it enters the sandbox, and a child to try things in.
 */
#ifndef TESTS_UNIT_WORKER_SANDBOX_FIXTURE_H
#define TESTS_UNIT_WORKER_SANDBOX_FIXTURE_H

#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/worker/io_fixture.h"
#include "worker/epoll.h"
#include "worker/sandbox.h"
#include "worker/uring.h"

#define SEGMENT_BYTES 4096

/* What a worker holds when it enters the sandbox, and what an attacker would start from. */
struct holdings {
	enum sandbox_io over; /* which sandbox it enters */
	struct io io;         /* over that backend */
	int ring;             /* a bare io_uring */
	int epoll;
	int segment;  /* the ring's memfd, opened read-only */
	void *mapped; /* its read-only mapping */
	int pair[2];  /* a client's TCP connection */
	int control[2];
	int doorbell;
	int pidfd; /* of this process itself */
	int udp;
};

static inline void
hold(struct holdings *h)
{
	char path[64];

	int memory = memfd_create("segment", MFD_CLOEXEC);
	assert_return_code(memory, errno);
	assert_return_code(ftruncate(memory, SEGMENT_BYTES), errno);
	snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
	h->segment = open(path, O_RDONLY | O_CLOEXEC);
	assert_return_code(h->segment, errno);
	close(memory);
	h->mapped = mmap(NULL, SEGMENT_BYTES, PROT_READ, MAP_SHARED, h->segment, 0);
	assert_ptr_not_equal(h->mapped, MAP_FAILED);
	pair_open(TCP, h->pair);
	assert_return_code(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, h->control), errno);
	h->doorbell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_return_code(h->doorbell, errno);
	h->udp = socket(AF_INET, SOCK_DGRAM, 0);
	assert_return_code(h->udp, errno);
}

/* What only the child itself can open: its own io, a bare ring, and a handle on itself. */
static inline bool
hold_own(struct holdings *h)
{
	const struct io_options options = {
	    .backend = h->over == SANDBOX_EPOLL ? &epoll_backend : &uring_backend,
	    .entries = 8,
	    .cq_entries = 16};
	struct io_uring_params params = {0};
	char error[256];

	h->pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	h->ring = (int)syscall(SYS_io_uring_setup, 8, &params);
	h->epoll = epoll_create1(EPOLL_CLOEXEC);
	return h->pidfd != -1 && h->ring != -1 && h->epoll != -1 &&
	       io_open(&h->io, &options, error, sizeof error) == 0;
}

static inline void
release(struct holdings *h)
{
	munmap(h->mapped, SEGMENT_BYTES);
	close(h->segment);
	pair_close(h->pair);
	pair_close(h->control);
	close(h->doorbell);
	close(h->udp);
}

/* Exit statuses of a child, beside errno values. */
#define CHILD_DONE 0
#define CHILD_NO_SANDBOX 255

/* Runs `body` in a child of its own, bounded in time; answers its wait status. */
static inline int
in_child(enum sandbox_io over, int (*body)(struct holdings *, size_t), size_t argument)
{
	struct holdings h = {.over = over};
	int status;

	hold(&h);
	fflush(NULL);
	pid_t child = fork();
	assert_return_code(child, errno);
	if (child == 0) {
		struct rlimit no_core = {0};
		setrlimit(RLIMIT_CORE, &no_core);
		alarm(10);
		_exit(hold_own(&h) ? body(&h, argument) : CHILD_NO_SANDBOX);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	release(&h);
	return status;
}

#endif
