/*
 * worker.h: one worker process: what it consists of, and the words that all its files share.
 *
 * Everything hangs off one struct worker, which main.c owns; there are no globals. A connection is a slot of 64 bytes in shared
 * memory (shm/slots.h); what it needs beyond that, while it needs it, is a struct extra (extra.h). Slots are named by their
 * index; a `struct slot *` is only held within a function.
 *
 * A turn (loop.c):
 *
 *     reap completions -> control socket (and revoke) -> read the ring (feed) -> flush (fanout, deliver) ->
 *     timers -> sweep -> board -> sleep
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/event.h"
#include "proto/op.h"
#include "proto/order.h"
#include "shm/board.h"
#include "shm/doorbell.h"
#include "shm/ring.h"
#include "shm/ring_read.h"
#include "shm/ring_seek.h"
#include "shm/segment.h"
#include "shm/slots.h"
#include "worker/beat.h"
#include "worker/buffer.h"
#include "worker/channel.h"
#include "worker/deflate.h"
#include "worker/deliver.h"
#include "worker/extra.h"
#include "worker/io.h"
#include "worker/kept.h"
#include "worker/replay.h"
#include "worker/revoke.h"
#include "worker/session.h"
#include "worker/settings.h"
#include "worker/timer.h"

/* Kinds of io tokens. */
enum token {
	TOKEN_INPUT = 1, /* a connection's parked poll for input or hang-up */
	TOKEN_HANGUP,    /* one for its hang-up alone, while nothing is read from it */
	TOKEN_OUTPUT,    /* its poll for POLLOUT, while it lags */
	TOKEN_SEND,      /* trouble of a send; the index is that of deliver's list */
	TOKEN_CONTROL,   /* the master */
	TOKEN_DOORBELL,
};

/* slot.state. The edges are in conn.c. */
enum conn_state {
	CONN_FREE = 0,
	CONN_HEAD,    /* reading a request, or idle between two */
	CONN_BODY,    /* reading the body of a POST */
	CONN_ANSWER,  /* its publish is with the master */
	CONN_HELD,    /* a long poll waits for news */
	CONN_CATCHUP, /* replaying or lagging: reads the ring at its own pace (replay.c) */
	CONN_LIVE,    /* everything was sent; the channels' passes serve it (fanout.c) */
	CONN_LINGER,  /* all is said: waits for the client to close */
	CONN_CLOSED,  /* to be swept at the end of the turn */
	CONN_STATES,
};

/* slot.dialect: what a connection wants its events rendered as. */
enum dialect {
	DIALECT_NONE = 0, /* speaks HTTP, subscribes to nothing */
	DIALECT_SSE,
	DIALECT_SSE_JSON,
	DIALECT_WS,
	DIALECT_WS_RAW,
	DIALECT_WS_DEFLATE, /* as the two before, compressed where that helps */
	DIALECT_WS_RAW_DEFLATE,
	DIALECT_POLL,     /* answers at once */
	DIALECT_LONGPOLL, /* may be held */
	DIALECTS,
};
#define DIALECTS_WAVED DIALECT_POLL /* those below are rendered into the channels' waves */

/* slot.flags */
enum conn_flag {
	CONN_ARMED_INPUT = 1 << 0,   /* a poll for input or hang-up is parked */
	CONN_ARMED_OUTPUT = 1 << 1,  /* a poll for POLLOUT is parked */
	CONN_ARMED_HANGUP = 1 << 14, /* a poll for hang-up alone is parked */
	CONN_READY = 1 << 2,         /* in the ready queue */
	CONN_IN_FLIGHT = 1 << 3,     /* a send is queued and not submitted */
	CONN_CLOSE_AFTER = 1 << 4,   /* close when the tail is out */
	CONN_HALF_CLOSED = 1 << 5,   /* the client has ended its side */
	CONN_INPUT_WAITS = 1 << 6,   /* its input poll fired while we were not reading */
	CONN_KEEP_ALIVE = 1 << 7,    /* of the request in hand */
	CONN_DEFLATE = 1 << 8,       /* a WebSocket that may send compressed messages */
	CONN_BLOCKED = 1 << 9,       /* the socket was full: nothing is sent before POLLOUT */
	CONN_LAGGED = 1 << 10,       /* has ever lagged: for the list of connections */
	CONN_TIMED = 1 << 11,        /* in the timer wheel */
	CONN_WS_CLOSING = 1 << 12,   /* our close frame is on its way */
	CONN_WANTS_LIVE = 1 << 13,   /* a `live` is to end its replay */
};

/* Where a connection id is shown: "<ordinal>-<generation><slot>", both as eight hexadecimal digits. */
#define CONN_NAME_BYTES 24

struct worker {
	struct io io;
	int control_fd;
	uint32_t ordinal;
	enum order_io io_wanted;

	/* What is shared. */
	struct ring ring;
	struct board board;
	struct slots slots;
	int doorbell_fd;
	uint64_t read_position; /* of the next record to read */
	uint64_t read_id;       /* everything up to this id was read */

	struct settings settings;
	struct channels channels;
	struct deliver deliver;
	struct replay replay;
	struct kept kept;
	struct extras extras;
	struct timer timer;
	struct deflate deflate;
	struct revoke revoke;
	uint32_t *births_s; /* by slot: when it was accepted, seconds of the monotonic clock */
	/* by slot: where its only subscription began (sub.since), while that is in the slot */
	uint64_t *sinces;

	/* The turn. */
	uint64_t now_ns; /* monotonic, read once a turn */
	uint64_t now_ms; /* wall clock */
	uint64_t random;
	struct buffer control_bytes; /* one packet */
	struct buffer input;         /* one read, after what was kept of the one before */
	struct buffer record;        /* one record copied out of the ring */
	struct buffer render;        /* one event or answer on its way into a wave or tail */
	struct buffer scratch;       /* what parsing unescapes */
	/* the one that is being read: too large for the stack of every call */
	struct session_request request;
	struct buffer *orders; /* packets that the control socket had no room for, oldest first */
	size_t order_first, order_count, order_cap, order_bytes;
	/* Connections that came and are not acknowledged yet: nothing of them is read before the master knows. */
	struct arrival {
		int descriptor;
		uint32_t peer_hash;
	} arrivals[LIMIT_HANDOFF_CREDITS];
	uint32_t arrival_count;
	uint64_t arrival_serial; /* of the last of them */
	uint32_t *closed;        /* slots to sweep at the end of the turn */
	size_t closed_count, closed_cap;
	uint32_t *closed_hashes; /* peers of connections that ended, for the next ORDER_CLOSED */
	size_t closed_hash_count;

	/* Progress of what takes more than a turn. */
	uint32_t connection_count;
	bool rescan;        /* completions overflowed: look at every slot once */
	bool control_waits; /* the control socket may hold more packets */
	bool draining;
	bool drained_told;
	uint32_t drain_next; /* slot */
	uint64_t drain_end_ns;
	uint64_t orphan_end_ns; /* the master is gone: leave at this time; 0: it is not */
	bool quit;
	int exit_code;

	struct op op; /* what a WebSocket client asks for: too large for the stack of every call */
	struct beat beat;

	char date[32]; /* IMF-fixdate */
	uint64_t date_s;
};

/* The slot of a number that slots_take once gave. */
static inline struct slot *
worker_slot(struct worker *w, uint32_t index)
{
	return &w->slots.table[index];
}

/* A number in 0..below-1, for jitter only. */
uint32_t worker_random(struct worker *w, uint32_t below);

#endif
