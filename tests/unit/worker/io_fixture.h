/*
 * io_fixture.h: what the tests of the io seam share: an io that is open for one test and leaves no
 * descriptor behind, connected pairs of sockets, and ways to look at events.
 */
#ifndef TESTS_UNIT_WORKER_IO_FIXTURE_H
#define TESTS_UNIT_WORKER_IO_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/io.h"

#define PATIENCE_MS 5000

static inline size_t
descriptors_open(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(directory);
	while (readdir(directory) != NULL)
		n++;
	closedir(directory);
	return n;
}

struct fixture {
	struct io io;
	size_t descriptors;
};

static inline int
open_with(void **state, struct io_options options)
{
	struct fixture *f = calloc(1, sizeof *f);
	char error[256] = "";

	assert_non_null(f);
	f->descriptors = descriptors_open();
	if (io_open(&f->io, &options, error, sizeof error) < 0)
		fail_msg("%s", error);
	*state = f;
	return 0;
}

static inline int
setup(void **state)
{
	return open_with(state, (struct io_options){0});
}

static inline int
setup_tiny(void **state)
{
	return open_with(state, (struct io_options){.entries = 8, .cq_entries = 16});
}

static inline int
teardown(void **state)
{
	struct fixture *f = *state;

	io_close(&f->io);
	io_close(&f->io);
	size_t left = descriptors_open();
	size_t before = f->descriptors;
	free(f);
	return left == before ? 0 : -1;
}

enum family { UNIX, TCP };

/* A connected pair: [0] sends, [1] receives. */
static inline void
pair_open(enum family family, int pair[2])
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t address_len = sizeof address;

	if (family == UNIX) {
		assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), errno);
		return;
	}
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_return_code(listener, errno);
	assert_return_code(bind(listener, (struct sockaddr *)&address, address_len), errno);
	assert_return_code(listen(listener, 1), errno);
	assert_return_code(getsockname(listener, (struct sockaddr *)&address, &address_len), errno);
	pair[1] = socket(AF_INET, SOCK_STREAM, 0);
	assert_return_code(pair[1], errno);
	assert_return_code(connect(pair[1], (struct sockaddr *)&address, address_len), errno);
	pair[0] = accept(listener, NULL, NULL);
	assert_return_code(pair[0], errno);
	close(listener);
}

static inline void
pair_close(const int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

/* Reads exactly `len` bytes or fails. */
static inline void
read_exactly(int fd, unsigned char *bytes, size_t len)
{
	while (len > 0) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
		ssize_t got = recv(fd, bytes, len, 0);
		assert_true(got > 0);
		bytes += got;
		len -= (size_t)got;
	}
}

static inline void
assert_nothing_to_read(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

/* The single event that is there, without waiting. */
static inline struct io_event
only_event(struct io *io)
{
	struct io_event events[2];

	assert_int_equal(io_reap(io, events, 2), 1);
	return events[0];
}

static inline void
assert_no_event(struct io *io)
{
	struct io_event event;

	assert_int_equal(io_reap(io, &event, 1), 0);
}

static inline struct io_event
await_event(struct io *io)
{
	struct io_event event;

	for (int i = 0; i < 100; i++) {
		assert_int_equal(io_wait(io, PATIENCE_MS / 100), 0);
		if (io_reap(io, &event, 1) == 1)
			return event;
	}
	fail_msg("no event within %d ms", PATIENCE_MS);
	return event;
}

/* Bytes that tell their place, so that a shifted or repeated run shows. */
static inline void
fill(unsigned char *bytes, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)((i * 2654435761u >> 13) + seed);
}

#endif
