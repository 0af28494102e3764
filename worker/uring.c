/*
 * uring.c: the io seam over io_uring. Owns the ring, the arena from which gathered sends are
 * described, and the spill. Called through uring_backend by worker/io.c only.
 *
 * How a turn's queue is kept until the kernel has executed it:
 *
 *   submission queue   [poll][send][sendv][watch] ...        entries
 *                                    |
 *   messages           [msghdr] <----+                        entries
 *                         |
 *   vectors            [iovec][iovec][iovec] ...              vectors_max, used up from the left
 *
 * What holds between calls:
 *   - Sends carry MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL and IOSQE_CQE_SKIP_SUCCESS. The first
 *     makes them end inside io_uring_enter; WAITALL together with it makes a short send a failure,
 *     so that it is reported in spite of the skip (DONTWAIT alone swallows it).
 *   - After `flush` the submission queue is empty, or `failed` is set for good.
 *   - The ring allows POLL_ADD, SEND and SENDMSG, no registering, and no flag but the skip: a
 *     worker that was taken over cannot use it to get round the sandbox's filter.
 *   - Completions come out in the kernel's order: the spill (filled only when the kernel refuses to
 *     go on before the completion queue is emptied) is older than the queue.
 */
#include "worker/uring.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "shm/limits.h"

#define RING_FLAGS                                                                           \
	(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED | \
	    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE)
#define FEATURES (IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP)
#define SEND_FLAGS (MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL)

/* Gathered sends are mostly of two or three pieces. */
#define VECTORS_PER_ENTRY 4

/* A kernel that takes nothing (out of memory) is asked again this often, after a pause each. */
#define STALLS_MAX 1000
#define STALL_PAUSE_MS 1

struct uring {
	struct io_uring ring;
	struct msghdr *messages;
	struct iovec *vectors;
	size_t messages_max;
	size_t messages_used;
	size_t vectors_max;
	size_t vectors_used;
	struct io_event *spill;
	size_t spill_max;
	size_t spill_begin;
	size_t spill_end;
	int failed;            /* negative errno once the ring is broken */
	bool overflow_pending; /* the kernel holds completions that did not fit */
	bool overflowed;       /* to be told to the caller */
	bool dropped;          /* the same */
	unsigned drops;        /* the kernel's count of completions that it had no memory for */
	struct io_counters counters;
};

struct io_uring *
uring_ring(const struct io *io)
{
	assert(io->backend == &uring_backend);
	return &((struct uring *)io->state)->ring;
}

/* kernel.io_uring_disabled (6.6 and newer): 0 anybody, 1 a group, 2 nobody; -1 if there is none. */
static int
disabled_by_sysctl(void)
{
	char digit;
	int fd = open("/proc/sys/kernel/io_uring_disabled", O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	ssize_t got = read(fd, &digit, 1);
	close(fd);
	return got == 1 && digit >= '0' && digit <= '9' ? digit - '0' : -1;
}

/* Says why the ring could not be set up, and what the reader can do about it. */
static int
explain(int error, char *text, size_t size)
{
	struct utsname kernel;
	int sysctl = disabled_by_sysctl();

	if (uname(&kernel) == -1)
		memcpy(kernel.release, "?", sizeof "?");
	switch (error) {
	case EPERM:
	case EACCES:
		if (sysctl > 0)
			snprintf(text, size,
			    "io_uring is forbidden here (kernel.io_uring_disabled=%d): set it to 0 with sysctl",
			    sysctl);
		else
			snprintf(text, size,
			    "io_uring is forbidden here by a seccomp profile, as in Docker's default one: run the "
			    "container with --security-opt seccomp=seccomp.json (ringcast's systemd/seccomp.json)");
		break;
	case ENOSYS:
		snprintf(text, size,
		    "this kernel (%s) has no io_uring: needs Linux 6.1 or newer with CONFIG_IO_URING; a "
		    "container's seccomp profile may also hide it (see systemd/seccomp.json)",
		    kernel.release);
		break;
	case EINVAL:
	case EOPNOTSUPP:
		snprintf(text, size,
		    "this kernel's io_uring (%s) is too old: needs Linux 6.1 or newer",
		    kernel.release);
		break;
	case ENOMEM:
		snprintf(text, size,
		    "no memory for io_uring: raise the service's memory limit, or RLIMIT_MEMLOCK (ulimit -l)");
		break;
	case EMFILE:
	case ENFILE:
		snprintf(
		    text, size, "no descriptor left for io_uring: raise RLIMIT_NOFILE (ulimit -n)");
		break;
	default:
		snprintf(text, size, "io_uring cannot be set up: %s", strerror(error));
	}
	return -error;
}

/*
 * Closes the ring to everything but what this file asks of it. 0 or a negative errno. The shared
 * liburing 2.3 does not export its functions for these two, although its header declares them.
 */
static int
restrict_ring(struct io_uring *ring)
{
	static const uint8_t operations[] = {IORING_OP_POLL_ADD, IORING_OP_SEND, IORING_OP_SENDMSG};
	struct io_uring_restriction rules[sizeof operations + 1];

	memset(rules, 0, sizeof rules);
	for (size_t i = 0; i < sizeof operations; i++) {
		rules[i].opcode = IORING_RESTRICTION_SQE_OP;
		rules[i].sqe_op = operations[i];
	}
	rules[sizeof operations].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
	rules[sizeof operations].sqe_flags = IOSQE_CQE_SKIP_SUCCESS;
	unsigned fd = (unsigned)ring->ring_fd;
	int result =
	    io_uring_register(fd, IORING_REGISTER_RESTRICTIONS, rules, sizeof operations + 1);
	if (result < 0)
		return result;
	return io_uring_register(fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

static void
uring_close(void *state)
{
	struct uring *u = state;

	if (u->ring.ring_fd != -1)
		io_uring_queue_exit(&u->ring);
	free(u->messages);
	free(u->vectors);
	free(u->spill);
	free(u);
}

static int
uring_open(void **state, const struct io_options *options, char *error, size_t error_size)
{
	struct io_uring_params params = {.flags = RING_FLAGS, .cq_entries = options->cq_entries};
	struct uring *u = calloc(1, sizeof *u);
	int result;

	if (u == NULL)
		return explain(ENOMEM, error, error_size);
	u->ring.ring_fd = -1;
	result = io_uring_queue_init_params(options->entries, &u->ring, &params);
	if (result < 0) {
		u->ring.ring_fd = -1;
		goto fail;
	}
	result = -EOPNOTSUPP;
	if ((params.features & FEATURES) != FEATURES)
		goto fail;
	result = restrict_ring(&u->ring);
	if (result < 0)
		goto fail;
	result = -ENOMEM;
	u->messages_max = params.sq_entries;
	u->vectors_max = (size_t)params.sq_entries * VECTORS_PER_ENTRY;
	if (u->vectors_max < LIMIT_IO_VECTORS)
		u->vectors_max = LIMIT_IO_VECTORS;
	u->spill_max = params.cq_entries;
	u->messages = calloc(u->messages_max, sizeof *u->messages);
	u->vectors = calloc(u->vectors_max, sizeof *u->vectors);
	u->spill = calloc(u->spill_max, sizeof *u->spill);
	if (u->messages == NULL || u->vectors == NULL || u->spill == NULL)
		goto fail;
	*state = u;
	return 0;

fail:
	uring_close(u);
	return explain(-result, error, error_size);
}

/*
 * Notes, after every enter, whether the completion queue overflowed. The kernel raises the flag
 * when it keeps a completion aside and lowers it once all of them found room, which only an enter
 * after some reaping can bring about: so no overflow comes and goes between two looks.
 */
static void
note_overflow(struct uring *u, int result)
{
	unsigned drops = IO_URING_READ_ONCE(*u->ring.cq.koverflow);
	bool pending = io_uring_cq_has_overflow(&u->ring);
	bool dropped = drops != u->drops || result == -EBADR;

	if ((pending && !u->overflow_pending) || dropped) {
		u->overflowed = true;
		u->counters.overflows++;
	}
	u->dropped |= dropped;
	u->overflow_pending = pending;
	u->drops = drops;
}

static void
event_from(struct io_event *event, const struct io_uring_cqe *cqe)
{
	event->token = cqe->user_data;
	event->result = cqe->res;
	event->flags = (cqe->flags & IORING_CQE_F_MORE) != 0 ? 0 : IO_ENDED;
}

static size_t
take_completions(struct uring *u, struct io_event *events, size_t max)
{
	struct io_uring_cqe *cqe;
	unsigned head;
	size_t n = 0;

	io_uring_for_each_cqe(&u->ring, head, cqe)
	{
		if (n == max)
			break;
		event_from(&events[n++], cqe);
	}
	io_uring_cq_advance(&u->ring, (unsigned)n);
	return n;
}

static void
spill_completions(struct uring *u)
{
	if (u->spill_begin == u->spill_end)
		u->spill_begin = u->spill_end = 0;
	u->spill_end += take_completions(u, u->spill + u->spill_end, u->spill_max - u->spill_end);
}

/* Sleeps for at most `timeout_ms` (-1: for ever) or until there is a completion. */
static int
sleep_ms(struct uring *u, int timeout_ms)
{
	struct __kernel_timespec timeout = {
	    .tv_sec = timeout_ms / 1000,
	    .tv_nsec = timeout_ms % 1000 * 1000000L,
	};
	struct io_uring_getevents_arg arg = {
	    .ts = timeout_ms < 0 ? 0 : (uint64_t)(uintptr_t)&timeout};

	u->counters.enters++;
	int result = io_uring_enter2((unsigned)u->ring.ring_fd, 0, 1,
	    IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, (sigset_t *)(void *)&arg, sizeof arg);
	note_overflow(u, result);
	return result;
}

/*
 * Enters once with all that is queued. True if something is left over and another try makes sense,
 * after room was made for completions and, when the kernel took nothing, after a pause. -EBADR
 * tells of dropped completions, which note_overflow has counted, and -EINTR of a signal: neither is
 * trouble.
 */
static bool
enter(struct uring *u, unsigned *stalls)
{
	unsigned before = io_uring_sq_ready(&u->ring);

	u->counters.enters++;
	int result = io_uring_submit_and_get_events(&u->ring);
	note_overflow(u, result);
	if (result < 0 && result != -EINTR && result != -EBADR && result != -EAGAIN &&
	    result != -EBUSY) {
		u->failed = result;
		return false;
	}
	unsigned left = io_uring_sq_ready(&u->ring);
	if (left == 0)
		return false;
	u->counters.retries++;
	*stalls = left < before ? 0 : *stalls + 1;
	if (*stalls > STALLS_MAX) {
		u->failed = result < 0 ? result : -EAGAIN;
		return false;
	}
	spill_completions(u);
	if (left == before && result != -EINTR)
		(void)sleep_ms(u, STALL_PAUSE_MS);
	return true;
}

/* Executes everything queued and lets completions in. The arena is free again afterwards. */
static int
flush(struct uring *u)
{
	unsigned stalls = 0;

	if (u->failed < 0)
		return u->failed;
	while (enter(u, &stalls))
		continue;
	if (u->failed == 0) {
		u->messages_used = 0;
		u->vectors_used = 0;
	}
	return u->failed;
}

static int
uring_submit(void *state)
{
	return flush(state);
}

static int
uring_wait(void *state, int timeout_ms)
{
	struct uring *u = state;
	int result = flush(u);

	if (result < 0 || timeout_ms == 0)
		return result;
	if (u->spill_begin < u->spill_end || u->overflow_pending || io_uring_cq_ready(&u->ring) > 0)
		return 0;
	result = sleep_ms(u, timeout_ms);
	switch (result < 0 ? -result : 0) {
	case 0:
	case ETIME:
	case EINTR:
	case EAGAIN:
	case EBUSY:
	case EBADR:
		return 0;
	}
	u->failed = result;
	return result;
}

/* A free entry, after an implicit flush if there is none. NULL only when the ring is broken. */
static struct io_uring_sqe *
next_entry(struct uring *u)
{
	if (u->failed < 0)
		return NULL;
	u->counters.queued++;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
	if (sqe != NULL || flush(u) < 0)
		return sqe;
	return io_uring_get_sqe(&u->ring);
}

static void
uring_poll(void *state, int fd, uint32_t events, uint64_t token)
{
	struct io_uring_sqe *sqe = next_entry(state);

	if (sqe == NULL)
		return;
	io_uring_prep_poll_add(sqe, fd, events);
	io_uring_sqe_set_data64(sqe, token);
}

static void
uring_watch(void *state, int fd, uint64_t token)
{
	struct io_uring_sqe *sqe = next_entry(state);

	if (sqe == NULL)
		return;
	io_uring_prep_poll_multishot(sqe, fd, POLLIN);
	io_uring_sqe_set_data64(sqe, token);
}

static void
uring_send(void *state, int fd, const void *bytes, size_t len, uint64_t token)
{
	struct io_uring_sqe *sqe = next_entry(state);

	if (sqe == NULL)
		return;
	io_uring_prep_send(sqe, fd, bytes, len, SEND_FLAGS);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	io_uring_sqe_set_data64(sqe, token);
}

static void
uring_sendv(void *state, int fd, const struct iovec *vectors, size_t count, uint64_t token)
{
	struct uring *u = state;

	/* As many messages as entries, so only the vectors can run out before the queue does. */
	if (u->vectors_used + count > u->vectors_max && flush(u) < 0)
		return;
	struct io_uring_sqe *sqe = next_entry(u);
	if (sqe == NULL)
		return;
	assert(u->messages_used < u->messages_max && u->vectors_used + count <= u->vectors_max);
	struct iovec *copy = u->vectors + u->vectors_used;
	memcpy(copy, vectors, count * sizeof *copy);
	u->vectors_used += count;
	struct msghdr *message = u->messages + u->messages_used++;
	*message = (struct msghdr){.msg_iov = copy, .msg_iovlen = count};
	io_uring_prep_sendmsg(sqe, fd, message, SEND_FLAGS);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	io_uring_sqe_set_data64(sqe, token);
}

static size_t
uring_pending(const void *state)
{
	return io_uring_sq_ready(&((const struct uring *)state)->ring);
}

static size_t
uring_reap(void *state, struct io_event *events, size_t max)
{
	struct uring *u = state;
	size_t n = 0;

	while (n < max && u->spill_begin < u->spill_end)
		events[n++] = u->spill[u->spill_begin++];
	n += take_completions(u, events + n, max - n);
	/* The queue is empty now, so an enter brings in what the kernel holds back. */
	while (n < max && u->overflow_pending) {
		u->counters.enters++;
		note_overflow(u, io_uring_get_events(&u->ring));
		size_t more = take_completions(u, events + n, max - n);
		if (more == 0)
			break;
		n += more;
	}
	u->counters.completed += n;
	return n;
}

static bool
uring_overflowed(void *state)
{
	struct uring *u = state;
	bool overflowed = u->overflowed;

	u->overflowed = false;
	return overflowed;
}

static bool
uring_dropped(void *state)
{
	struct uring *u = state;
	bool dropped = u->dropped;

	u->dropped = false;
	return dropped;
}

static struct io_counters
uring_counters(const void *state)
{
	return ((const struct uring *)state)->counters;
}

const struct io_backend uring_backend = {
    .name = "io_uring",
    .open = uring_open,
    .close = uring_close,
    .poll = uring_poll,
    .watch = uring_watch,
    .send = uring_send,
    .sendv = uring_sendv,
    .pending = uring_pending,
    .submit = uring_submit,
    .wait = uring_wait,
    .reap = uring_reap,
    .overflowed = uring_overflowed,
    .dropped = uring_dropped,
    .counters = uring_counters,
};
