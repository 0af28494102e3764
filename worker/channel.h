/*
 * channel.h: the channels that this worker's clients are subscribed to: names, members, waves, and the state of the pass that
 * brings news to the members (fanout.c).
 *
 * A channel exists while it has members. Members are slot numbers in chunks; leaving moves the last member into the gap, and the
 * connection that was moved is told its new place. A connection finds its place in slot.member, or with several
 * subscriptions in its extra's subs.
 */
#ifndef WORKER_CHANNEL_H
#define WORKER_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/slice.h"

struct worker;
struct wave;

#define CHANNEL_NONE 0 /* no channel has this index */
#define CHANNEL_CHUNK 1024
#define CHANNEL_WAVES 6 /* SSE, SSE JSON, WebSocket JSON and raw, the same two compressed */

struct channel {
	uint64_t hash; /* ring_hash of the name */
	char *name;
	uint32_t *first; /* members 0..CHANNEL_CHUNK-1, or as many as there is room for */
	uint32_t **more; /* chunks of CHANNEL_CHUNK each */
	struct wave *waves[CHANNEL_WAVES];
	uint64_t cut_from,
	    cut_to; /* the waves lack what lies in (from, to]: who needs it reads the ring himself; to 0: nothing */
	uint64_t pass_cut;  /* cut_to when the pass began: everybody is told of it */
	uint64_t floor;     /* when the pass began, frames up to this id were there */
	uint64_t pass_news; /* the first id of what this pass is about; 0: no pass */
	uint64_t next_news; /* the first id that came since it began; 0: none */
	/* What the ring may have forgotten of it while somebody is here: all events newer than known_from were read. */
	uint64_t known_from;
	uint64_t newest_id; /* of them; 0: none */
	uint64_t
	    lapse_id; /* the last that the ring could not link to the one before, which was overwritten */
	uint64_t lapse_before; /* newest_id at that time */
	uint32_t index;
	uint32_t member_count;
	uint32_t first_cap;
	uint32_t more_cap;
	uint32_t counts[9]; /* members by enum dialect */
	uint32_t pass_left; /* members [0, pass_left) have not been visited */
	uint32_t pass_next; /* the channel after this one in the round; CHANNEL_NONE at the end */
	uint8_t name_len;
	uint8_t lag; /* enum rule_lag */
	bool in_round;
	bool pass_done; /* all are visited, and the sends of the last of them may still be queued */
	bool closed;    /* by the rules of a reload: its subscriptions end (revoke.c) */
};

struct channels {
	struct channel **by_index; /* [0] is not used */
	uint32_t index_count, index_cap;
	uint32_t *free_indexes;
	uint32_t free_count;
	uint32_t *table; /* open addressing by hash; a power of two; CHANNEL_NONE is empty */
	uint32_t table_cap;
	uint32_t count;
	uint32_t gone; /* channels dropped since the interest filter was made */
	uint32_t round_first,
	    round_last; /* channels with news, in the order in which they are served */
	uint64_t wave_bytes;
};

static inline struct slice
channel_name(const struct channel *c)
{
	return slice_of(c->name, c->name_len);
}

/* The channel, or NULL when nobody here is subscribed to it. */
struct channel *channel_find(struct worker *w, uint64_t hash, struct slice name);

/* The channel by its index, which must be in use. */
struct channel *channel_at(struct worker *w, uint32_t index);

/* The same, made when missing; NULL: no memory. A channel made and not joined must be given to channel_drop_if_empty. */
struct channel *channel_make(struct worker *w, struct slice name);

/* Adds a member; its place goes to *member. False: no memory. */
bool channel_join(
    struct worker *w, struct channel *c, uint32_t slot, uint8_t dialect, uint32_t *member);

/* Takes a member out and drops the channel when it was the last. */
void channel_leave(struct worker *w, struct channel *c, uint32_t member, uint8_t dialect);

void channel_drop_if_empty(struct worker *w, struct channel *c);

/* The slot that is the member-th member. */
uint32_t channel_member(const struct channel *c, uint32_t member);

/* Looks the rule of every channel up again, after a reload. */
void channel_refresh_rules(struct worker *w);

void channel_free_all(struct worker *w);

#endif
