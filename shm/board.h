/*
 * board.h: what a worker shows the master: heartbeat, counters, where it reads, what it is
 * interested in.
 *
 * One memfd per worker, created by the master; the worker maps its own writable and no other. Each
 * counter has one writer (the worker) and is a relaxed atomic: figures may be a turn old, never
 * torn. The only word with two writers is `asleep`, which belongs to doorbell.c.
 *
 *	0      struct segment_head
 *	64     heartbeat, reading position and id, identity
 *	128    asleep (a cache line of its own)
 *	192    interest filter, 1024 bits + "everything"
 *	384    counters, u64 each
 */
#ifndef SHM_BOARD_H
#define SHM_BOARD_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/segment.h"

#define BOARD_VERSION 1u
#define BOARD_FILTER_WORDS 16
#define BOARD_COUNTERS_MAX 128 /* room in the layout; the table below may grow up to it */

enum board_counter {
	/* gauges */
	BOARD_CONNECTIONS_POLL,
	BOARD_CONNECTIONS_LONGPOLL,
	BOARD_CONNECTIONS_SSE,
	BOARD_CONNECTIONS_WS,
	BOARD_CONNECTIONS_IDLE, /* HTTP, between or before requests */
	BOARD_SUBSCRIPTIONS,
	BOARD_CHANNELS,
	BOARD_LAGGING,
	BOARD_WAVE_BYTES,
	BOARD_TAIL_BYTES,
	BOARD_INPUT_BYTES,
	/* counters */
	BOARD_ACCEPTED,
	BOARD_REQUESTS,
	BOARD_EVENTS_READ,
	BOARD_DELIVERIES, /* events times clients */
	BOARD_SENDS,
	BOARD_BYTES_OUT,
	BOARD_BYTES_IN,
	BOARD_BATCHES, /* submissions to the kernel */
	BOARD_TURNS,
	BOARD_SLEEPS,
	BOARD_WAKES,
	BOARD_PUBLISHES, /* events that clients sent */
	BOARD_PINGS,
	BOARD_LAGS,
	BOARD_GAPS,
	BOARD_LAPPED, /* the worker's own reading was overtaken */
	BOARD_SHORT_SENDS,
	BOARD_CQ_OVERFLOWS,
	BOARD_CLOSED_CLIENT, /* the client ended it */
	BOARD_CLOSED_DONE,   /* an answer that ends the connection was sent */
	BOARD_CLOSED_IDLE,
	BOARD_CLOSED_TIMEOUT,
	BOARD_CLOSED_PING,
	BOARD_CLOSED_SLOW,
	BOARD_CLOSED_LAPPED,
	BOARD_CLOSED_PROTOCOL,
	BOARD_CLOSED_DRAIN,
	BOARD_CLOSED_ADMIN,
	BOARD_CLOSED_ERROR,
	BOARD_REFUSED_BAD_REQUEST,
	BOARD_REFUSED_FORBIDDEN,
	BOARD_REFUSED_ORIGIN,
	BOARD_REFUSED_NOT_FOUND,
	BOARD_REFUSED_LIMIT,
	BOARD_REFUSED_TOO_LARGE,
	BOARD_REFUSED_OVERLOADED,
	BOARD_SHED_CONNECTIONS,
	BOARD_SHED_TAILS,
	BOARD_SHED_INPUTS,
	BOARD_SHED_MEMORY,
	BOARD_DEFLATE_CONNECTIONS,  /* gauge: WebSockets that negotiated compression */
	BOARD_DEFLATE_WINDOW_BYTES, /* gauge: the pool of windows that clients insist on */
	BOARD_DEFLATE_MESSAGES_IN,
	BOARD_DEFLATE_MESSAGES_OUT, /* compressed, once for all who get them */
	BOARD_DEFLATE_PLAIN_IN,
	BOARD_DEFLATE_PLAIN_OUT,
	BOARD_DEFLATE_PACKED_IN,
	BOARD_DEFLATE_PACKED_OUT,
	BOARD_GZIP_ANSWERS, /* of polls, compressed once for all who are answered together */
	BOARD_COUNTERS
};

/* What stands behind the worker's system calls. */
enum board_io { BOARD_IO_UNKNOWN, BOARD_IO_URING, BOARD_IO_EPOLL };

/*
 * How a counter is shown: metrics of one name and different labels are one Prometheus family, told
 * by equal names in a row. help is set on the first of a family only.
 */
struct board_counter_info {
	const char *name;  /* without the prefix "ringcast_"; counters end in _total */
	const char *label; /* such as transport="ws", or NULL */
	const char *help;
	bool gauge;
};

struct board_shared {
	struct segment_head head;
	_Alignas(64) _Atomic uint64_t heartbeat_ms; /* monotonic */
	_Atomic uint64_t position;   /* ring position up to which the worker has read */
	_Atomic uint64_t read_id;    /* id up to which it has read */
	_Atomic uint64_t generation; /* of the worker: counts respawns */
	_Atomic uint32_t pid;
	_Atomic uint32_t state; /* the worker's own: starting, serving, draining */
	_Atomic uint32_t io;    /* enum board_io */
	uint32_t padding_io;
	uint64_t reserved[2];
	_Alignas(64) _Atomic uint32_t asleep;
	_Alignas(64) _Atomic uint64_t filter[BOARD_FILTER_WORDS];
	_Atomic uint32_t filter_everything;
	uint32_t padding;
	_Alignas(64) _Atomic uint64_t counters[BOARD_COUNTERS_MAX];
};

static_assert(offsetof(struct board_shared, asleep) == 128, "layout of the board");
static_assert(offsetof(struct board_shared, filter) == 192, "layout of the board");
static_assert(offsetof(struct board_shared, counters) == 384, "layout of the board");
static_assert(BOARD_COUNTERS <= BOARD_COUNTERS_MAX, "counters fit the layout");

struct board {
	struct segment segment;
	struct board_shared *shared;
};

/* Creates a worker's board (master). 0 or an enum segment_error. */
int board_create(struct board *b);

/* Maps one's own board writable (worker). Takes the descriptor on success. */
int board_attach(struct board *b, int fd);

void board_close(struct board *b);

/*
 * Zeroes everything but the descriptor, for a respawned worker (master; counters of the dead one
 * must be summed up first).
 */
void board_reset(struct board *b, uint64_t generation);

/* The worker's side; each is a plain add to a word of its own cache. */
void board_add(struct board *b, enum board_counter counter, uint64_t n);
void board_sub(struct board *b, enum board_counter counter, uint64_t n);
void board_set(struct board *b, enum board_counter counter, uint64_t value);
void board_beat(struct board *b, uint64_t now_ms, uint64_t position, uint64_t read_id);
void board_set_io(struct board *b, enum board_io io);

/* Either side. */
uint64_t board_get(const struct board *b, enum board_counter counter);
uint64_t board_heartbeat_ms(const struct board *b);
uint64_t board_position(const struct board *b);
uint64_t board_read_id(const struct board *b);
enum board_io board_io(const struct board *b);
const char *board_io_name(enum board_io io); /* for people: "io_uring", "epoll", "unknown" */
bool board_sleeping(const struct board *b);

/* Name, label, help of a counter; BOARD_COUNTERS of them, families in a row. */
const struct board_counter_info *board_info(enum board_counter counter);

/*
 * Interest: a Bloom filter of channel hashes (ring_hash). The worker changes it while awake;
 * doorbell_sleep publishes it. Adding never loses another channel; taking one away needs a clear
 * and adding all again.
 */
void board_filter_clear(struct board *b);
void board_filter_add(struct board *b, uint64_t hash);
void board_filter_everything(struct board *b, bool everything);
bool board_filter_matches(const struct board *b, uint64_t hash);

#endif
