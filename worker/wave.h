/*
 * wave.h: events rendered once, sent to many: an append-only run of bytes, and where each event's frame ends in it.
 *
 *     bytes    |  frame 0  |  frame 1     |  frame 2  |
 *     frames   [0].end ----^  [1].end ----^ ...              [i].id rises
 *
 * A wave belongs to one channel (or to one replay) and one dialect. Every connection whose cursor lies before frame i and not
 * before frame i - 1 sends the bytes from frame i on, unchanged. Bytes move only while no send is queued.
 */
#ifndef WORKER_WAVE_H
#define WORKER_WAVE_H

#include "proto/event.h"
#include "worker/buffer.h"

struct worker;
struct record;

struct frame {
	uint64_t id;
	uint64_t position; /* of the record in the ring */
	uint32_t end;      /* offset behind the frame's last byte */
	uint32_t order;    /* of this channel among the event's */
};

#define WAVE_BYTES_KEPT 4096 /* an empty wave keeps so much memory for its next events */

struct wave {
	struct buffer bytes;
	struct frame *frames;
	uint32_t count;
	uint32_t cap;
};

#define WAVE_BYTES_MAX \
	(4u << 20) /* of one wave; clients that need more read the ring by themselves */

/* Appends the event as this channel's clients of a dialect see it. False: the wave is full, or no memory. */
bool wave_add(struct worker *w, struct wave *v, uint8_t dialect, const struct event *e,
    struct slice channel, const struct frame *frame);

/* The first frame with an id above the cursor; v->count when there is none. */
uint32_t wave_find(const struct wave *v, uint64_t cursor);

static inline uint32_t
wave_start(const struct wave *v, uint32_t frame)
{
	return frame == 0 ? 0 : v->frames[frame - 1].end;
}

/* Drops the frames up to and including this id. No send may be queued. */
void wave_trim(struct worker *w, struct wave *v, uint64_t id);

/* Takes the last frame off again; there is one before it. */
void wave_drop_last(struct worker *w, struct wave *v);

/* Makes it empty, keeping its memory. */
void wave_clear(struct worker *w, struct wave *v);

void wave_free(struct worker *w, struct wave *v);

/* Appends one event in a dialect: no memory beyond what the out has. */
void wave_render(struct worker *w, struct out *o, struct out *scratch, uint8_t dialect,
    const struct event *e, struct slice channel);

/* The event in a record that was copied whole. */
void wave_event(struct event *e, const struct record *record);

#endif
