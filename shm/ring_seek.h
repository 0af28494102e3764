/*
 * ring_seek.h: finding one's place in a channel: by id, by number of events, by time; and going on
 * from there.
 *
 * A client's cursor is an id; a position is only a hint. A reader that holds (position, id) of the
 * last record it delivered gets the channel's next record with ring_seek_next, in O(1); when that
 * answers RING_LAPPED it seeks by id.
 *
 *	struct ring_seek s;
 *	ring_seek_after(&s, r, name, name_len, cursor);
 *	while ((result = ring_seek_step(&s, budget)) == RING_MORE)
 *		(do other work)
 *	RING_OK:   s.position, s.id is the first record to deliver;
 *	RING_NONE: nothing to deliver yet;
 *	both:      s.gap, s.resume_at hold
 */
#ifndef SHM_RING_SEEK_H
#define SHM_RING_SEEK_H

#include "shm/ring.h"

struct ring_seek {
	/* The answer, after RING_OK or RING_NONE. */
	uint64_t position;  /* of the first record to deliver; 0 with RING_NONE */
	uint64_t id;        /* its id; 0 with RING_NONE */
	uint64_t resume_at; /* a cursor: nothing that is kept lies in (cursor, resume_at] */
	bool gap;           /* an event of this channel newer than the cursor is gone */

	/* The search. The name is borrowed until the search ends. */
	const struct ring *ring;
	const char *name;
	size_t name_len;
	uint64_t hash;
	uint64_t cursor;
	uint64_t wanted; /* events still to walk back over; UINT64_MAX when the cursor decides */
	uint64_t here;   /* record that the walk stands on, 0: to be started from the index */
	uint64_t here_id;
	uint64_t settled; /* last id, read before the index was */
	uint64_t prev_id; /* of the record that it stands on */
	uint64_t back;
	uint64_t floor;    /* of the channel's history, when the walk began */
	bool may_gap;      /* not for 0 and -N */
	bool future;       /* the cursor is above every id */
	uint32_t restarts; /* times that the writer lapped the walk */
};

/*
 * Starts a search for the channel's first kept event with id > cursor. A cursor of 0 means all that
 * is kept, and never gaps; one from the future gaps and goes on with the oldest kept.
 */
void ring_seek_after(
    struct ring_seek *s, const struct ring *r, const char *name, size_t name_len, uint64_t cursor);

/* Starts a search for the last `count` events of the channel. Never gaps. */
void ring_seek_last(
    struct ring_seek *s, const struct ring *r, const char *name, size_t name_len, uint64_t count);

/*
 * Goes on, over at most `budget` records (at least 1). RING_OK, RING_NONE, RING_MORE, RING_CORRUPT.
 */
enum ring_result ring_seek_step(struct ring_seek *s, unsigned budget);

/*
 * The cursor for "everything since this Unix time, inclusive": events newer than *cursor are those
 * with time >= time_ms. Reads at most one block of the log. RING_OK or RING_CORRUPT.
 */
enum ring_result ring_seek_time(const struct ring *r, uint64_t time_ms, uint64_t *cursor);

/*
 * The channel's event after the one at `position` whose id is `id`. RING_OK with *next and
 * *next_id; RING_NONE: that was the newest; RING_LAPPED: seek by id (lapped, evicted, forgotten, or
 * never there); RING_CORRUPT.
 */
enum ring_result ring_seek_next(const struct ring *r, const char *name, size_t name_len,
    uint64_t hash, uint64_t position, uint64_t id, uint64_t *next, uint64_t *next_id);

/* One channel, for listings. */
struct ring_seek_channel {
	char name[LIMIT_CHANNEL_NAME_BYTES + 1]; /* terminated */
	size_t name_len;
	uint64_t newest_id; /* of its newest event; 0 when all were forgotten */
	uint64_t events;    /* kept; a lower bound when counted_all is false */
	bool counted_all;
};

/*
 * Walks over all channels that have history: *place starts at 0; each call answers RING_OK and
 * fills one channel, or RING_NONE at the end, RING_MORE after looking at 4096 index entries without
 * finding one, RING_CORRUPT. At most count_max events are counted.
 */
enum ring_result ring_seek_list(
    const struct ring *r, uint64_t *place, unsigned count_max, struct ring_seek_channel *channel);

/* The same for one channel by name. RING_OK, RING_NONE, RING_CORRUPT. */
enum ring_result ring_seek_channel(const struct ring *r, const char *name, size_t name_len,
    unsigned count_max, struct ring_seek_channel *channel);

#endif
