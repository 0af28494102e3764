/*
 * io.h: everything the worker does with the kernel on its hot path, behind one seam.
 *
 * The seam is readiness-based and non-blocking, so that io_uring (worker/uring.c) and, where a
 * sandbox forbids io_uring, epoll (worker/epoll.c) can stand behind it; which one is decided once,
 * at io_open. Two kinds of calls:
 *
 *   queued      io_poll, io_watch, io_send, io_sendv: executed by the next io_submit or io_wait,
 *               answered (or, when all went well with a send, not) by io_reap
 *   immediate   io_recv, io_recv_fds, io_send_now, io_shutdown_close: plain non-blocking calls
 *
 * What holds between calls:
 *   - One thread owns a `struct io`; it is the thread that opened it.
 *   - io_send and io_sendv borrow their bytes until the next io_submit or io_wait RETURNS, not
 *     longer: every send queued before has then been executed to its end inside the call. Nothing
 *     stays armed in the kernel, so no wave is ever held by a connection.
 *   - A send that went out whole is silent. After io_submit or io_wait the trouble of every send
 *     queued before is ready to be reaped: once io_reap has answered 0, everything of which nothing
 *     was heard was taken by its socket, whole.
 *   - Sends on one descriptor are executed in the order in which they were queued. After one ended
 *     short, the later ones on the same descriptor may still put bytes into it (if room appeared
 *     meanwhile): queue at most one send per descriptor and submit.
 *   - Completions are not lost silently. When more of them exist than the completion queue holds,
 *     the kernel keeps the rest, and io_overflowed says so; io_dropped, if it could not.
 *   - Never open a descriptor by another way than io_recv_fds while something is queued: a send
 *     queued for a descriptor number that was closed and given away meanwhile would reach the wrong
 *     client. io_recv_fds submits first for that reason.
 */
#ifndef WORKER_IO_H
#define WORKER_IO_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/*
 * A token names an operation to its owner; it comes back in its completions, and the kernel never
 * looks at it.
 *
 *   63       56 55                    32 31                                 0
 *   +----------+------------------------+------------------------------------+
 *   | kind     | generation             | index                              |
 *   +----------+------------------------+------------------------------------+
 *
 * The generation tells a completion of a slot's earlier tenant from one of its present tenant.
 * Kinds are the caller's.
 */
#define IO_GENERATION_MASK UINT32_C(0xffffff)
#define IO_TOKEN(kind, generation, index)                                 \
	((uint64_t)(uint8_t)(kind) << 56 |                                \
	    (uint64_t)((uint32_t)(generation)&IO_GENERATION_MASK) << 32 | \
	    (uint64_t)(uint32_t)(index))

static inline uint8_t
io_token_kind(uint64_t token)
{
	return (uint8_t)(token >> 56);
}

static inline uint32_t
io_token_generation(uint64_t token)
{
	return (uint32_t)(token >> 32) & IO_GENERATION_MASK;
}

static inline uint32_t
io_token_index(uint64_t token)
{
	return (uint32_t)token;
}

/* io_event.flags */
#define IO_ENDED UINT32_C(1) /* nothing more comes of this operation: a watch must be re-armed */

/*
 * What io_reap hands out. `result` is, for a poll or a watch, the poll events that are true
 * (POLLIN, POLLRDHUP, POLLHUP, ...) or a negative errno; for a send, what went wrong with it, see
 * io_outcome.
 */
struct io_event {
	uint64_t token;
	int32_t result;
	uint32_t flags;
};

/*
 * What the result of a send means: every class has its own way on. A full success never completes.
 */
enum io_outcome {
	IO_SHORT,     /* result >= 0 bytes were taken, the rest was not; wait for POLLOUT */
	IO_FULL,      /* nothing was taken and the connection is sound: -EAGAIN; wait for POLLOUT */
	IO_STARVED,   /* nothing was taken: -ENOBUFS, -ENOMEM, -EINTR; try again in a later turn */
	IO_CANCELLED, /* -ECANCELED: the ring is being torn down */
	IO_REFUSED,   /* -EACCES: the ring's restrictions forbid the operation; our own mistake */
	IO_GONE,      /* -EPIPE, -ECONNRESET, -EBADF and all else: the connection is over */
};

enum io_outcome io_outcome(int32_t result);

struct io_backend;

struct io_options {
	const struct io_backend *backend; /* uring_backend, epoll_backend; NULL: uring_backend */
	unsigned entries;    /* operations queued before an implicit submit; 0: LIMIT_IO_ENTRIES */
	unsigned cq_entries; /* completions held without overflow; 0: LIMIT_IO_COMPLETIONS */
};

/* Counted since io_open; for the board. */
struct io_counters {
	uint64_t enters;    /* system calls made for what was queued, and to wait */
	uint64_t queued;    /* operations queued */
	uint64_t completed; /* events reaped */
	uint64_t overflows; /* times that io_overflowed became true */
	uint64_t retries;   /* enters that failed or took only a part, and were repeated */
};

struct io {
	const struct io_backend *backend;
	void *state;
};

/*
 * Opens a backend. 0, or a negative errno with a sentence in `error` that says what is missing and
 * what to do about it. To be called before sandbox_enter, by the thread that will use it.
 */
int io_open(struct io *io, const struct io_options *options, char *error, size_t error_size);

/*
 * Closes the backend; what is parked in it ends without a completion. Closing twice, or a zeroed `io`,
 * is fine.
 */
void io_close(struct io *io);

/* The backend's name for the log: "io_uring" or "epoll". */
const char *io_name(const struct io *io);

/*
 * A one-shot poll, parked in the kernel until one of `events` (POLLIN, POLLOUT, POLLRDHUP, ...;
 * POLLERR and POLLHUP always count) is true; one event, with IO_ENDED. Arming tests readiness:
 * input that is already there completes at once, so re-arming after a bounded read loses nothing,
 * and not re-arming is back-pressure. It cannot be cancelled: io_shutdown_close ends it.
 *
 * Several may be parked on one descriptor, one of each kind (the token's, below IO_POLL_KINDS; the
 * generation and the index are then the same), and each fires for itself. A kind asks for the same
 * events whoever polls. Indices are small: a backend may keep a table by them.
 */
#define IO_POLL_KINDS 6
void io_poll(struct io *io, int fd, uint32_t events, uint64_t token);

/*
 * A standing poll for POLLIN, for the doorbell's eventfd and the control socket. Edge-triggered: an
 * event tells that something was written since the last one; input left unread gives no second
 * event, so read until -EAGAIN (an eventfd need not be read at all: every write is an edge). Arming
 * tests readiness. It does not end on shutdown(2). An event with IO_ENDED is its last (the
 * completion queue was full, or an error is in `result`): take what else there is to reap, arm
 * again, then look at what it stands for as if it had fired. Armed again while the queue is still
 * full it would end at once, again and again.
 */
void io_watch(struct io *io, int fd, uint64_t token);

/*
 * Queues one send of `len` (1..INT32_MAX) bytes on a stream socket; never blocks and raises no
 * SIGPIPE. Submits by itself when the queue is full. Completes only with trouble: `result` bytes
 * taken (0 <= result < len), or a negative errno.
 */
void io_send(struct io *io, int fd, const void *bytes, size_t len, uint64_t token);

/*
 * The same for a gathered write. `vectors` itself (1..LIMIT_IO_VECTORS) is copied and may be reused
 * at once; the bytes are borrowed.
 */
void io_sendv(struct io *io, int fd, const struct iovec *vectors, size_t count, uint64_t token);

/*
 * Executes everything queued, and lets completions in; does not wait. Worth a call in every turn
 * even with nothing queued: readiness of parked polls is only delivered by entering the kernel. 0,
 * or a negative errno when the ring itself is broken (fatal: the worker exits; it is sticky).
 * Interruptions and partial submissions are retried inside.
 */
int io_submit(struct io *io);

/*
 * io_submit, then sleeps until a completion is there, or for `timeout_ms` (-1: for ever; 0: not at
 * all). Returns early, with nothing to reap, on a signal. 0 or a negative errno as io_submit.
 */
int io_wait(struct io *io, int timeout_ms);

/*
 * Takes up to `max` events, oldest first; returns how many, 0 when there are none. Makes no system
 * call unless an overflow is pending.
 */
size_t io_reap(struct io *io, struct io_event *events, size_t max);

/*
 * True once after each overflow of the completion queue. The kernel keeps what does not fit and
 * hands it out as io_reap makes room, late but whole, ended watches (IO_ENDED) included: so rescan
 * the slots, read the ring's tail again, and arm again what is found silent.
 */
bool io_overflowed(struct io *io);

/*
 * True once after completions were lost for good: the kernel had no memory to keep them. Then
 * silence proves nothing: every send queued since io_reap last answered 0 may have been cut short,
 * so those connections must be closed (their clients resume), and the rest is as after an overflow,
 * which io_overflowed tells as well.
 */
bool io_dropped(struct io *io);

struct io_counters io_counters(const struct io *io);

/* ---- immediate calls: never block, retried on EINTR ---- */

/* recv: > 0 bytes, 0 end of input, or a negative errno (-EAGAIN: nothing there). */
ssize_t io_recv(int fd, void *bytes, size_t size);

/* What came with a message of the control socket besides its bytes. */
struct io_received {
	size_t fds_count; /* descriptors in fds[], ours to close; all are close-on-exec */
	bool fds_lost; /* some were lost (descriptor limit, or > fds_max): all others are closed */
	bool cut; /* the message was longer than `size`: its end is lost (not on SOCK_STREAM) */
};

/*
 * One message of the control socket with up to `fds_max` descriptors (SCM_RIGHTS). Returns as
 * io_recv. Submits what is queued first, so that no queued operation can meet a descriptor number
 * given anew; returns the negative errno of that if it fails.
 */
ssize_t io_recv_fds(struct io *io, int socket, void *bytes, size_t size, int *fds, size_t fds_max,
    struct io_received *received);

/*
 * send at once, MSG_DONTWAIT | MSG_NOSIGNAL: bytes taken (maybe fewer than `len`), or a negative
 * errno.
 */
ssize_t io_send_now(int fd, const void *bytes, size_t len);

/*
 * The only way in which the worker ends a connection: shutdown(2) fires its parked polls (which
 * would otherwise keep the socket open and its FIN unsent), then close(2). The last event of a poll
 * that was parked comes afterwards with io_uring, and may never come with epoll: nobody may wait
 * for it, and whoever gets it tells by the generation that it is stale. 0 or a negative errno of
 * close; a socket that is not connected any more is no error.
 */
int io_shutdown_close(int fd);

/*
 * CLOCK_MONOTONIC in nanoseconds, and the wall clock in milliseconds since 1970: one read each per
 * turn.
 */
uint64_t io_clock_ns(void);
uint64_t io_realtime_ms(void);

/* ---- what a backend implements; units and errors as above ---- */

struct io_backend {
	const char *name;
	int (*open)(void **state, const struct io_options *options, char *error, size_t error_size);
	void (*close)(void *state);
	void (*poll)(void *state, int fd, uint32_t events, uint64_t token);
	void (*watch)(void *state, int fd, uint64_t token);
	void (*send)(void *state, int fd, const void *bytes, size_t len, uint64_t token);
	void (*sendv)(
	    void *state, int fd, const struct iovec *vectors, size_t count, uint64_t token);
	size_t (*pending)(const void *state); /* operations queued and not submitted */
	int (*submit)(void *state);
	int (*wait)(void *state, int timeout_ms);
	size_t (*reap)(void *state, struct io_event *events, size_t max);
	bool (*overflowed)(void *state);
	bool (*dropped)(void *state);
	struct io_counters (*counters)(const void *state);
};

#endif
