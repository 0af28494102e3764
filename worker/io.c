/*
 * io.c: the seam's own half: it passes queued operations on to the backend, and holds the immediate
 * system calls that are the same behind every backend. The worker's side of SCM_RIGHTS lives here.
 */
#include "worker/io.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "shm/limits.h"
#include "worker/uring.h"

/* The kernel never passes more descriptors than this in one message (SCM_MAX_FD). */
#define FDS_PER_MESSAGE 253

enum io_outcome
io_outcome(int32_t result)
{
	if (result >= 0)
		return IO_SHORT;
	switch (-result) {
	case EAGAIN:
		return IO_FULL;
	case ENOBUFS:
	case ENOMEM:
	case EINTR:
		return IO_STARVED;
	case ECANCELED:
		return IO_CANCELLED;
	case EACCES:
		return IO_REFUSED;
	}
	return IO_GONE;
}

int
io_open(struct io *io, const struct io_options *options, char *error, size_t error_size)
{
	struct io_options chosen = *options;

	if (chosen.entries == 0)
		chosen.entries = LIMIT_IO_ENTRIES;
	if (chosen.cq_entries == 0)
		chosen.cq_entries = LIMIT_IO_COMPLETIONS;
	*io = (struct io){.backend = options->backend == NULL ? &uring_backend : options->backend};
	int result = io->backend->open(&io->state, &chosen, error, error_size);
	if (result < 0)
		*io = (struct io){0};
	return result;
}

void
io_close(struct io *io)
{
	if (io->backend != NULL)
		io->backend->close(io->state);
	*io = (struct io){0};
}

const char *
io_name(const struct io *io)
{
	return io->backend->name;
}

void
io_poll(struct io *io, int fd, uint32_t events, uint64_t token)
{
	io->backend->poll(io->state, fd, events, token);
}

void
io_watch(struct io *io, int fd, uint64_t token)
{
	io->backend->watch(io->state, fd, token);
}

void
io_send(struct io *io, int fd, const void *bytes, size_t len, uint64_t token)
{
	assert(len > 0 && len <= INT32_MAX);
	io->backend->send(io->state, fd, bytes, len, token);
}

void
io_sendv(struct io *io, int fd, const struct iovec *vectors, size_t count, uint64_t token)
{
	assert(count > 0 && count <= LIMIT_IO_VECTORS);
	io->backend->sendv(io->state, fd, vectors, count, token);
}

int
io_submit(struct io *io)
{
	return io->backend->submit(io->state);
}

int
io_wait(struct io *io, int timeout_ms)
{
	return io->backend->wait(io->state, timeout_ms);
}

size_t
io_reap(struct io *io, struct io_event *events, size_t max)
{
	return io->backend->reap(io->state, events, max);
}

bool
io_overflowed(struct io *io)
{
	return io->backend->overflowed(io->state);
}

bool
io_dropped(struct io *io)
{
	return io->backend->dropped(io->state);
}

struct io_counters
io_counters(const struct io *io)
{
	return io->backend->counters(io->state);
}

ssize_t
io_recv(int fd, void *bytes, size_t size)
{
	ssize_t got;

	do
		got = recv(fd, bytes, size, MSG_DONTWAIT);
	while (got == -1 && errno == EINTR);
	return got == -1 ? -errno : got;
}

/* Moves a message's descriptors to fds[], in their order; those past fds_max are closed. */
static void
take_fds(struct msghdr *message, int *fds, size_t fds_max, struct io_received *received)
{
	struct cmsghdr *part;

	for (part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
			if (received->fds_count < fds_max) {
				fds[received->fds_count++] = fd;
			} else {
				close(fd);
				received->fds_lost = true;
			}
		}
	}
}

ssize_t
io_recv_fds(struct io *io, int socket, void *bytes, size_t size, int *fds, size_t fds_max,
    struct io_received *received)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(FDS_PER_MESSAGE * sizeof(int))];
	} control;
	struct iovec vector = {.iov_base = bytes, .iov_len = size};
	struct msghdr message;
	ssize_t got;

	*received = (struct io_received){0};
	/* Before io_open nothing can be queued: a worker's first orders say what to open. */
	if (io->backend != NULL && io->backend->pending(io->state) > 0) {
		int submitted = io_submit(io);
		if (submitted < 0)
			return submitted;
	}
	do {
		message = (struct msghdr){
		    .msg_iov = &vector,
		    .msg_iovlen = 1,
		    .msg_control = &control,
		    .msg_controllen = sizeof control,
		};
		got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (got == -1 && errno == EINTR);
	if (got == -1)
		return -errno;
	take_fds(&message, fds, fds_max, received);
	received->cut = (message.msg_flags & MSG_TRUNC) != 0;
	received->fds_lost |= (message.msg_flags & MSG_CTRUNC) != 0;
	/* Which of them are missing cannot be told, so none can be matched to what the bytes say. */
	if (received->fds_lost) {
		while (received->fds_count > 0)
			close(fds[--received->fds_count]);
	}
	return got;
}

ssize_t
io_send_now(int fd, const void *bytes, size_t len)
{
	ssize_t sent;

	do
		sent = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent == -1 && errno == EINTR);
	return sent == -1 ? -errno : sent;
}

int
io_shutdown_close(int fd)
{
	/* A peer that is gone already leaves ENOTCONN: there is nothing left to shut down. */
	(void)shutdown(fd, SHUT_RDWR);
	return close(fd) == -1 ? -errno : 0;
}

static uint64_t
clock_read(clockid_t clock, uint64_t per_second)
{
	struct timespec now;

	int result = clock_gettime(clock, &now);
	assert(result == 0);
	(void)result;
	return (uint64_t)now.tv_sec * per_second +
	       (uint64_t)now.tv_nsec / (UINT64_C(1000000000) / per_second);
}

uint64_t
io_clock_ns(void)
{
	return clock_read(CLOCK_MONOTONIC, UINT64_C(1000000000));
}

uint64_t
io_realtime_ms(void)
{
	return clock_read(CLOCK_REALTIME, 1000);
}
