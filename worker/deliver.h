/*
 * deliver.h: bytes on their way to the kernel: sends are queued here, submitted as a batch, and what went wrong with any of them
 * is turned at once into a place to go on from.
 *
 * The order on a socket: the rest of a half-sent frame, then the tail (control objects, answers), then the cursor's run. A
 * connection has at most one send queued. Whoever queues one has advanced the cursor already; trouble sets it back to the last
 * frame that went out whole, and slot.offset to what the kernel took of the next one.
 */
#ifndef WORKER_DELIVER_H
#define WORKER_DELIVER_H

#include "shm/limits.h"
#include "worker/io.h"
#include "worker/wave.h"

struct worker;
struct slot;

#define DELIVER_BATCH LIMIT_IO_ENTRIES
#define DELIVER_RUNS (DELIVER_BATCH * 4)

/* Frames [first, first + count) of a wave. */
struct run {
	const struct wave *wave;
	uint32_t first;
	uint32_t count;
};

enum flight_kind { FLIGHT_FRAMES, FLIGHT_TAIL, FLIGHT_BEAT };

/* A send that is queued. */
struct flight {
	const char *bytes; /* beat */
	uint32_t slot;
	uint32_t len;
	uint32_t skip;      /* frames: bytes of the first one that went out earlier */
	uint32_t run_first; /* frames: in deliver.runs */
	uint32_t run_count;
	uint8_t kind;
	bool failed;
};

struct deliver {
	struct flight flights[DELIVER_BATCH];
	uint32_t flight_count;
	struct run runs[DELIVER_RUNS];
	uint32_t run_count;
	uint64_t *ready; /* a queue of generation << 32 | slot, in a circle */
	uint32_t ready_first, ready_count, ready_cap;
	struct io_event *stash; /* completions of other kinds, for the next turn */
	uint32_t stash_count, stash_cap;
};

/* Puts a connection into the ready queue, unless it is there, or waits for its socket. */
void deliver_ready(struct worker *w, uint32_t slot);

/* Appends to the connection's tail, and makes it ready. False: no room; the connection is then closed. */
bool deliver_say(struct worker *w, uint32_t slot, struct slice bytes);

/*
 * Queues frames; a live connection's cursor goes to `cursor` afterwards (what all its channels were searched up to). `skip`
 * bytes of the first frame are left out. Flushes by itself when the batch is full.
 */
void deliver_frames(struct worker *w, uint32_t slot, const struct run *runs, uint32_t count,
    uint32_t skip, uint64_t cursor);

/* Queues a beat, whose bytes live until the next flush; dropped when the socket is full. */
void deliver_beat(struct worker *w, uint32_t slot, struct slice bytes);

/* Makes sure that the next send, of up to `runs` runs, can be queued without a flush. */
void deliver_reserve(struct worker *w, uint32_t runs);

/* Submits what is queued and deals with its trouble. Afterwards no wave is referred to. */
void deliver_flush(struct worker *w);

/* Serves up to `max` ready connections; true: there are more. */
bool deliver_serve(struct worker *w, uint32_t max);

/* Bytes in the tail that are not sent. */
size_t deliver_pending(struct worker *w, const struct slot *s);

/* Takes the completions that a flush met and put aside. */
size_t deliver_unstash(struct worker *w, struct io_event *events, size_t max);

void deliver_free(struct worker *w);

#endif
