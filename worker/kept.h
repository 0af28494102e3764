/*
 * kept.h: large frames that clients take in pieces, kept as they were rendered.
 *
 * A client that is cut inside a frame is a place in the ring, and goes on with a frame that is rendered again. Its socket takes some
 * 64 KiB at a time, so a large frame would be rendered as often as it has pieces. The frames that were continued last are therefore
 * kept for a moment, and shared by all who are inside them. They are a cache and nothing more: whoever finds none renders.
 *
 * replay.c asks and fills it; the turn (loop.c) drops what nobody asked for any more. A frame stays where it is until a later turn,
 * so a queued send may refer to it.
 */
#ifndef WORKER_KEPT_H
#define WORKER_KEPT_H

#include "shm/limits.h"
#include "worker/wave.h"

#define KEPT_FRAMES 16
#define KEPT_BYTES_MIN LIMIT_KIB(64) /* a smaller frame is two pieces at most */
#define KEPT_BYTES_MAX LIMIT_MIB(32) /* all of them; a larger one only by itself */
#define KEPT_IDLE_NS UINT64_C(2000000000)

/* What a frame's bytes depend on, together with the event: id, and which of its channels it is shown as. */
struct kept_key {
	uint64_t id;
	uint64_t hash; /* of the bytes, when they are compressed: they depend on more; else 0 */
	uint32_t order;
	uint8_t dialect;
};

struct kept_frame {
	struct wave wave; /* one frame, or none: free */
	struct kept_key key;
	uint64_t used_ns;
};

struct kept {
	struct kept_frame frames[KEPT_FRAMES];
	uint64_t bytes; /* of memory in all */
};

/* The frame as a wave of its own, or NULL. */
const struct wave *kept_find(struct worker *w, const struct kept_key *key);

/*
 * Moves a wave of one frame here, and returns where it is now; NULL: it is not worth it, or there is no room, and the wave is as it
 * was. Nobody is pushed out: with more frames than fit some are kept all the time, rather than each in turn.
 */
const struct wave *kept_take(struct worker *w, const struct kept_key *key, struct wave *v);

/* Once a turn, with no send queued: drops what was not asked for lately. */
void kept_age(struct worker *w);

void kept_free(struct worker *w);

#endif
