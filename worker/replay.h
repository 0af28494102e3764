/*
 * replay.h: connections that read the ring at their own pace: replay after a reconnect, the answer of a poll, and clients that
 * lag. A slow client is nothing but a place in the ring.
 *
 * Each subscription has a cursor of its own (extra.h). A step merges what all of them find newer, in order of id, up to one bound
 * that was read before, so that replay and live are one sequence: when nothing is left below the bound, the connection is live at
 * the bound. An event on several of its channels is sent once, as of the first in the publisher's order.
 */
#ifndef WORKER_REPLAY_H
#define WORKER_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/wave.h"

struct sub;
struct worker;

#define REPLAY_WAVES 32

/* A run built for one connection; the next one at the same place sends the same. */
struct replay_run {
	struct wave wave;
	/* what it was built for */
	uint64_t from;    /* cursor */
	uint64_t bound;   /* nothing newer was looked at */
	uint64_t channel; /* its hash: an index may have gone to another channel meanwhile */
	uint32_t limit;
	uint8_t dialect;
	bool shared; /* these are set: one channel, from the start of a frame */
	/* what came of it */
	bool whole;                      /* nothing is left below the bound */
	bool starved;                    /* no memory for even the first event */
	uint64_t reached;                /* everything up to here is in it */
	uint64_t position, id;           /* the last record of the channel */
	uint64_t next_position, next_id; /* the one after, 0: none yet */
	/* the answer of polls made of it, compressed, which serve_poll.c keeps for the next one; empty: not worth it */
	struct buffer packed;
	bool packed_known;
};

struct replay {
	struct replay_run runs[REPLAY_WAVES];
	uint32_t used; /* since the last flush */
};

/*
 * A subscription to the last N events counts from what is newest now, not from when its turn comes: what is published in between is
 * wanted on top. False: no memory.
 */
bool replay_anchor(struct worker *w, struct sub *sub);

/* Begins (or goes on) catching up, from the places in its subscriptions. */
void replay_start(struct worker *w, uint32_t slot);

/*
 * A live connection goes on by itself: its places are its cursor. It `lags` when it has fallen behind, and not when it only takes up
 * another channel. False: no memory; it is closed.
 */
bool replay_from_live(struct worker *w, uint32_t slot, bool lags);

/* One step of a connection that is ready to send. */
void replay_serve(struct worker *w, uint32_t slot);

/*
 * A send of frames ended inside this frame, of which `offset` bytes are out; slot.cursor is the last one that went out whole.
 * `bytes` are the frame's.
 */
void replay_cut(struct worker *w, uint32_t slot, const struct frame *frame, struct slice bytes,
    uint32_t offset);

/* Everything up to this id was sent. */
void replay_commit(struct worker *w, uint32_t slot, uint64_t id);

/* No send is queued any more: the runs may be built over. */
void replay_flushed(struct worker *w);

void replay_free(struct worker *w);

#endif
