/*
 * epoll.c: the io seam over epoll and plain sends. Owns the epoll descriptor, the queue of sends,
 * the table of parked polls and the queue of events. Called through epoll_backend by worker/io.c
 * only.
 *
 * epoll has one registration a descriptor, the seam up to one poll of each kind, and each of them
 * fires for itself. So what is parked is kept here, in eight bytes a connection, by the token's
 * index:
 *
 *   parked[index]   | descriptor 32 | generation 24 | registered 1 | queued 1 | kinds 6 |
 *   epoll_data      | 0xff 8 | generation 24 | index 32 |     of a poll; a watch's is its token
 *
 *   io_poll   sets the kind's bit and queues the index; a submit asks epoll, with EPOLLONESHOT, for
 *             what all the kinds that are parked there want: one epoll_ctl, however many they are
 *   an event  ends the kinds that it answers, and queues the index again for those that are left
 *
 * What holds between calls:
 *   - An index is in `changed` exactly when its `queued` bit is set.
 *   - The kernel's registration may outlive our descriptor, while another process (the master, until
 *     it has heard that we took it) holds the socket open: its event names a generation that is not
 *     in the table any more, or kinds that are told in vain to a slot that has gone on.
 *   - The kernel is asked for no more events than `events` has room for: it keeps the others, and
 *     that is no overflow. Where several polls end by one event, or many sends are in trouble,
 *     `events` grows; only when there is no memory for that are some dropped.
 */
#include "worker/epoll.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shm/limits.h"

#define SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
#define VECTORS_PER_ENTRY 4 /* gathered sends are mostly of two or three pieces */
#define BATCH 256           /* events taken from the kernel at once */
#define PARKED_BYTES_MIN (64u << 10)

#define KINDS ((1u << IO_POLL_KINDS) - 1)
#define QUEUED (1u << 6)
#define REGISTERED (1u << 7)
#define GENERATION_SHIFT 8
#define POLL_MARK 0xff /* the kind in the epoll_data of polls; no watch has it */

static_assert(IO_POLL_KINDS == 6, "the kinds fill what the two flags leave of a byte");
static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLPRI == EPOLLPRI &&
		  POLLERR == EPOLLERR && POLLHUP == EPOLLHUP && POLLRDHUP == EPOLLRDHUP,
    "poll's events are epoll's");

struct parked {
	int32_t descriptor;
	uint32_t tenant; /* generation, then the two flags and the kinds */
};

struct send {
	uint64_t token;
	const void *bytes; /* of a plain one */
	size_t len;        /* in all */
	size_t vector_first;
	size_t vector_count; /* 0: a plain one */
	int descriptor;
};

struct epoll {
	int descriptor;
	int failed; /* negative errno once epoll itself is broken */
	struct send *sends;
	size_t sends_max, sends_count;
	struct iovec *vectors;
	size_t vectors_max, vectors_used;
	struct parked *parked;
	size_t parked_max;
	uint32_t asked[IO_POLL_KINDS]; /* events, by kind */
	uint32_t *changed;             /* indices to tell epoll of */
	size_t changed_max, changed_count;
	struct io_event *events; /* a queue, begin <= end <= max */
	size_t events_max, events_begin, events_end;
	bool dropped;
	bool overflowed;
	struct io_counters counters;
	struct epoll_event batch[BATCH];
};

/* ---- open and close ---- */

static void
epoll_shut(void *state)
{
	struct epoll *e = state;

	if (e->descriptor != -1)
		close(e->descriptor);
	if (e->parked != NULL)
		munmap(e->parked, e->parked_max * sizeof *e->parked);
	free(e->sends);
	free(e->vectors);
	free(e->changed);
	free(e->events);
	free(e);
}

static int
epoll_open(void **state, const struct io_options *options, char *error, size_t error_size)
{
	struct epoll *e = calloc(1, sizeof *e);
	int result = -ENOMEM;

	if (e == NULL)
		goto fail;
	e->descriptor = epoll_create1(EPOLL_CLOEXEC);
	if (e->descriptor == -1) {
		result = -errno;
		goto fail;
	}
	e->sends_max = options->entries;
	e->changed_max = options->entries;
	e->events_max = options->cq_entries;
	e->vectors_max = (size_t)options->entries * VECTORS_PER_ENTRY;
	if (e->vectors_max < LIMIT_IO_VECTORS)
		e->vectors_max = LIMIT_IO_VECTORS;
	e->sends = calloc(e->sends_max, sizeof *e->sends);
	e->vectors = calloc(e->vectors_max, sizeof *e->vectors);
	e->changed = calloc(e->changed_max, sizeof *e->changed);
	e->events = calloc(e->events_max, sizeof *e->events);
	if (e->sends == NULL || e->vectors == NULL || e->changed == NULL || e->events == NULL)
		goto fail;
	*state = e;
	return 0;

fail:
	if (e != NULL)
		epoll_shut(e);
	snprintf(error, error_size, "epoll cannot be set up: %s", strerror(-result));
	return result;
}

/* ---- events ---- */

/* Room for one more event; false: there is no memory for it. */
static bool
make_room(struct epoll *e)
{
	const size_t waiting = e->events_end - e->events_begin;
	struct io_event *grown;

	if (e->events_begin > 0) {
		memmove(e->events, e->events + e->events_begin, waiting * sizeof *e->events);
		e->events_begin = 0;
		e->events_end = waiting;
		return true;
	}
	grown = realloc(e->events, 2 * e->events_max * sizeof *grown);
	if (grown == NULL)
		return false;
	e->events = grown;
	e->events_max *= 2;
	return true;
}

static void
tell(struct epoll *e, uint64_t token, int32_t result, uint32_t flags)
{
	if (e->events_end == e->events_max && !make_room(e)) {
		e->counters.overflows += !e->overflowed;
		e->overflowed = true;
		e->dropped = true;
		return;
	}
	e->events[e->events_end++] = (struct io_event){token, result, flags};
}

/* ---- parked polls ---- */

static uint64_t
poll_token(uint32_t kind, const struct parked *p, uint32_t index)
{
	return IO_TOKEN(kind, p->tenant >> GENERATION_SHIFT, index);
}

/* Ends every poll that is parked there. */
static void
tell_failure(struct epoll *e, struct parked *p, uint32_t index, int result)
{
	const uint32_t kinds = p->tenant & KINDS;

	p->tenant &= ~KINDS;
	for (uint32_t kind = 0; kind < IO_POLL_KINDS; kind++)
		if ((kinds & 1u << kind) != 0)
			tell(e, poll_token(kind, p, index), result, IO_ENDED);
}

/* Adds a registration or changes it, whichever it takes: the guess is nearly always right. */
static int
register_with(struct epoll *e, int descriptor, bool there, struct epoll_event *event)
{
	e->counters.enters++;
	if (epoll_ctl(e->descriptor, there ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, descriptor, event) == 0)
		return 0;
	if (errno != (there ? ENOENT : EEXIST))
		return -errno;
	e->counters.enters++;
	e->counters.retries++;
	return epoll_ctl(e->descriptor, there ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, descriptor, event) ==
		       -1
		   ? -errno
		   : 0;
}

static void
arm(struct epoll *e, uint32_t index)
{
	struct parked *p = &e->parked[index];
	struct epoll_event event = {
	    .events = EPOLLONESHOT, .data.u64 = poll_token(POLL_MARK, p, index)};
	int result;

	p->tenant &= ~QUEUED;
	for (uint32_t kind = 0; kind < IO_POLL_KINDS; kind++)
		if ((p->tenant & 1u << kind) != 0)
			event.events |= e->asked[kind];
	result = register_with(e, p->descriptor, (p->tenant & REGISTERED) != 0, &event);
	if (result < 0)
		tell_failure(e, p, index, result);
	else
		p->tenant |= REGISTERED;
}

static void
arm_changed(struct epoll *e)
{
	const size_t count = e->changed_count;

	e->changed_count = 0;
	for (size_t i = 0; i < count; i++)
		arm(e, e->changed[i]);
}

static void
queue_change(struct epoll *e, uint32_t index)
{
	struct parked *p = &e->parked[index];

	if ((p->tenant & QUEUED) != 0)
		return;
	if (e->changed_count == e->changed_max)
		arm_changed(e);
	e->changed[e->changed_count++] = index;
	p->tenant |= QUEUED;
}

/*
 * Makes the table reach `index`. It grows to twice its size by moving pages, not bytes; what was
 * never touched costs nothing.
 */
static bool
reach(struct epoll *e, uint32_t index)
{
	const size_t had = e->parked_max * sizeof *e->parked;
	size_t bytes = had == 0 ? PARKED_BYTES_MIN : had;
	void *grown;

	while (bytes / sizeof *e->parked <= index)
		bytes *= 2;
	if (bytes == had)
		return true;
	if (had == 0)
		grown = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	else
		grown = mremap(e->parked, had, bytes, MREMAP_MAYMOVE);
	if (grown == MAP_FAILED)
		return false;
	e->parked = grown;
	e->parked_max = bytes / sizeof *e->parked;
	return true;
}

static void
epoll_park(void *state, int fd, uint32_t events, uint64_t token)
{
	struct epoll *e = state;
	const uint32_t kind = io_token_kind(token), index = io_token_index(token);
	const uint32_t generation = io_token_generation(token);
	struct parked *p;

	assert(kind < IO_POLL_KINDS);
	assert(e->asked[kind] == 0 || e->asked[kind] == events);
	e->asked[kind] = events;
	e->counters.queued++;
	if (!reach(e, index)) {
		tell(e, token, -ENOMEM, IO_ENDED);
		return;
	}
	p = &e->parked[index];
	/* An earlier tenant's descriptor was closed, and its registration with it. */
	if (p->descriptor != fd || p->tenant >> GENERATION_SHIFT != generation) {
		p->descriptor = fd;
		p->tenant = generation << GENERATION_SHIFT | (p->tenant & QUEUED);
	}
	p->tenant |= 1u << kind;
	queue_change(e, index);
}

static void
epoll_watch(void *state, int fd, uint64_t token)
{
	struct epoll *e = state;
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = token};
	int result;

	assert(io_token_kind(token) != POLL_MARK);
	e->counters.queued++;
	/* There are two of them, and they are armed again after an overflow only. */
	result = register_with(e, fd, false, &event);
	if (result < 0)
		tell(e, token, result, IO_ENDED);
}

/* ---- sends ---- */

static ssize_t
execute(const struct epoll *e, const struct send *s)
{
	struct msghdr message = {
	    .msg_iov = e->vectors + s->vector_first, .msg_iovlen = s->vector_count};
	ssize_t taken;

	do
		taken = s->vector_count == 0 ? send(s->descriptor, s->bytes, s->len, SEND_FLAGS)
					     : sendmsg(s->descriptor, &message, SEND_FLAGS);
	while (taken == -1 && errno == EINTR);
	return taken == -1 ? -errno : taken;
}

static void
execute_all(struct epoll *e)
{
	for (size_t i = 0; i < e->sends_count; i++) {
		const struct send *s = &e->sends[i];
		const ssize_t taken = execute(e, s);

		if (taken < 0 || (size_t)taken < s->len)
			tell(e, s->token, (int32_t)taken, IO_ENDED);
	}
	e->counters.enters += e->sends_count;
	e->sends_count = 0;
	e->vectors_used = 0;
}

static struct send *
next_send(struct epoll *e, size_t vectors)
{
	if (e->sends_count == e->sends_max || e->vectors_used + vectors > e->vectors_max)
		execute_all(e);
	e->counters.queued++;
	return &e->sends[e->sends_count++];
}

static void
epoll_send(void *state, int fd, const void *bytes, size_t len, uint64_t token)
{
	*next_send(state, 0) =
	    (struct send){.token = token, .bytes = bytes, .len = len, .descriptor = fd};
}

static void
epoll_sendv(void *state, int fd, const struct iovec *vectors, size_t count, uint64_t token)
{
	struct epoll *e = state;
	struct send *s = next_send(e, count);

	*s = (struct send){.token = token,
	    .vector_first = e->vectors_used,
	    .vector_count = count,
	    .descriptor = fd};
	for (size_t i = 0; i < count; i++)
		s->len += vectors[i].iov_len;
	memcpy(e->vectors + e->vectors_used, vectors, count * sizeof *vectors);
	e->vectors_used += count;
}

/* ---- submit, wait, reap ---- */

static size_t
epoll_pending(const void *state)
{
	const struct epoll *e = state;

	return e->sends_count + e->changed_count;
}

/* What epoll tells of a connection, told to each of its polls that it answers. */
static void
tell_polls(struct epoll *e, uint64_t data, uint32_t happened)
{
	const uint32_t index = io_token_index(data);
	struct parked *p;

	if (index >= e->parked_max)
		return;
	p = &e->parked[index];
	if (p->tenant >> GENERATION_SHIFT != io_token_generation(data))
		return;
	for (uint32_t kind = 0; kind < IO_POLL_KINDS; kind++) {
		const uint32_t answer = happened & (e->asked[kind] | POLLERR | POLLHUP);

		if ((p->tenant & 1u << kind) == 0 || answer == 0)
			continue;
		p->tenant &= ~(1u << kind);
		tell(e, poll_token(kind, p, index), (int32_t)answer, IO_ENDED);
	}
	if ((p->tenant & KINDS) != 0)
		queue_change(e, index);
}

/* Takes from the kernel what there is room for; waits for it if nothing waits to be reaped. */
static int
fetch(struct epoll *e, int timeout_ms)
{
	const size_t waiting = e->events_end - e->events_begin;
	const size_t room = waiting < e->events_max ? e->events_max - waiting : 0;
	int n;

	if (room == 0)
		return 0;
	e->counters.enters++;
	n = epoll_pwait(e->descriptor, e->batch, room < BATCH ? (int)room : BATCH,
	    waiting > 0 ? 0 : timeout_ms, NULL);
	if (n == -1 && errno != EINTR)
		e->failed = -errno;
	for (int i = 0; i < n; i++) {
		const struct epoll_event *event = &e->batch[i];

		if (io_token_kind(event->data.u64) == POLL_MARK)
			tell_polls(e, event->data.u64, event->events);
		else
			tell(e, event->data.u64,
			    (int32_t)(event->events & (POLLIN | POLLERR | POLLHUP)), 0);
	}
	return e->failed;
}

static int
epoll_turn(void *state, int timeout_ms)
{
	struct epoll *e = state;

	if (e->failed < 0)
		return e->failed;
	execute_all(e);
	arm_changed(e);
	return fetch(e, timeout_ms);
}

static int
epoll_submit(void *state)
{
	return epoll_turn(state, 0);
}

static size_t
epoll_reap(void *state, struct io_event *events, size_t max)
{
	struct epoll *e = state;
	const size_t waiting = e->events_end - e->events_begin;
	const size_t n = waiting < max ? waiting : max;

	memcpy(events, e->events + e->events_begin, n * sizeof *events);
	e->events_begin += n;
	if (e->events_begin == e->events_end)
		e->events_begin = e->events_end = 0;
	e->counters.completed += n;
	return n;
}

static bool
epoll_overflowed(void *state)
{
	struct epoll *e = state;
	const bool overflowed = e->overflowed;

	e->overflowed = false;
	return overflowed;
}

static bool
epoll_dropped(void *state)
{
	struct epoll *e = state;
	const bool dropped = e->dropped;

	e->dropped = false;
	return dropped;
}

static struct io_counters
epoll_counters(const void *state)
{
	return ((const struct epoll *)state)->counters;
}

const struct io_backend epoll_backend = {
    .name = "epoll",
    .open = epoll_open,
    .close = epoll_shut,
    .poll = epoll_park,
    .watch = epoll_watch,
    .send = epoll_send,
    .sendv = epoll_sendv,
    .pending = epoll_pending,
    .submit = epoll_submit,
    .wait = epoll_turn,
    .reap = epoll_reap,
    .overflowed = epoll_overflowed,
    .dropped = epoll_dropped,
    .counters = epoll_counters,
};
