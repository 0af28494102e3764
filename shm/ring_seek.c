/*
 * ring_seek.c: searches along a channel, backwards from its newest record; see ring_seek.h.
 *
 * The verdict on a gap is exact because each record knows prev_id, the id of the channel's event
 * before it, also after that one is gone: an event newer than the cursor is missing iff the oldest
 * record kept after the cursor has prev_id > cursor. A cursor is an id, so it stays meaningful in
 * another process and in another build.
 */
#include <string.h>

#include "shm/index.h"
#include "shm/ring_layout.h"
#include "shm/ring_read.h"
#include "shm/ring_seek.h"

#define RESTARTS_MAX 16u       /* of one step; then the caller gets RING_MORE */
#define LIST_ENTRIES_MAX 4096u /* looked at by one call of ring_seek_list */

static void
start(struct ring_seek *s, const struct ring *r, const char *name, size_t name_len)
{
	memset(s, 0, sizeof *s);
	s->ring = r;
	s->name = name;
	s->name_len = name_len;
	s->hash = ring_hash(r, name, name_len);
	s->wanted = UINT64_MAX;
}

void
ring_seek_after(
    struct ring_seek *s, const struct ring *r, const char *name, size_t name_len, uint64_t cursor)
{
	start(s, r, name, name_len);
	s->cursor = cursor;
	s->may_gap = cursor != 0;
	/*
	 * Pairs with ring_write_commit: whoever knows a published id also sees that it was issued.
	 */
	s->future = cursor > atomic_load_explicit(&r->words->issued_id, memory_order_acquire);
	if (s->future)
		s->cursor = 0;
}

void
ring_seek_last(
    struct ring_seek *s, const struct ring *r, const char *name, size_t name_len, uint64_t count)
{
	start(s, r, name, name_len);
	s->wanted = count;
}

static uint64_t
newer(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Nothing to deliver. `lost` is the newest id of this channel that may be gone. */
static enum ring_result
finish_empty(struct ring_seek *s, uint64_t lost)
{
	s->position = s->id = 0;
	s->gap = s->future || (s->may_gap && s->cursor < lost);
	s->resume_at = newer(s->cursor, s->settled);
	return RING_NONE;
}

/*
 * The record that the walk stands on is the first to deliver, unless its history was forgotten
 * meanwhile.
 */
static enum ring_result
finish_here(struct ring_seek *s)
{
	struct index_found found;
	enum ring_result result = index_find(s->ring, s->hash, s->name, s->name_len, &found);

	if (result == RING_CORRUPT)
		return RING_CORRUPT;
	if (result == RING_OK && found.floor > s->here) {
		s->here = 0;
		return RING_LAPPED;
	}
	s->position = s->here;
	s->id = s->here_id;
	s->gap = s->future || (s->may_gap && s->prev_id > s->cursor);
	s->resume_at = newer(s->cursor, s->prev_id);
	return RING_OK;
}

static void
stand_on(struct ring_seek *s, uint64_t position, const struct ring_read_link *link)
{
	s->here = position;
	s->here_id = link->id;
	s->prev_id = link->prev_id;
	s->back = link->back;
	if (s->wanted != UINT64_MAX)
		s->wanted--;
}

/* Begins at the channel's newest record. RING_MORE: the walk stands on it. */
static enum ring_result
begin(struct ring_seek *s)
{
	struct index_found found;
	enum ring_result result;

	/*
	 * Before the index: every id up to `settled` is published, so none of them can be
	 * overlooked.
	 */
	s->settled = ring_last_id(s->ring);
	result = index_find(s->ring, s->hash, s->name, s->name_len, &found);
	if (result == RING_CORRUPT)
		return RING_CORRUPT;
	if (result != RING_OK)
		return finish_empty(s, found.lost_id);
	if (found.link.flags & RECORD_FORGET)
		return finish_empty(s, found.link.prev_id);
	if (found.link.id <= s->cursor || s->wanted == 0)
		return finish_empty(s, 0);
	s->floor = found.floor;
	stand_on(s, found.position, &found.link);
	return RING_MORE;
}

/* One record further back, if the one before is wanted, kept and not forgotten. */
static enum ring_result
walk(struct ring_seek *s)
{
	struct ring_read_link link;
	enum ring_result result;

	if (s->wanted == 0 || s->prev_id <= s->cursor || s->back == 0 || s->back <= s->floor)
		return finish_here(s);
	result = ring_read_link(s->ring, s->back, s->here, s->hash, s->name, s->name_len, &link);
	if (result == RING_LAPPED || (result == RING_OK && (link.flags & RECORD_FORGET)))
		return finish_here(s);
	if (result != RING_OK)
		return RING_CORRUPT;
	stand_on(s, s->back, &link);
	return RING_MORE;
}

enum ring_result
ring_seek_step(struct ring_seek *s, unsigned budget)
{
	enum ring_result result;

	do {
		result = s->here == 0 ? begin(s) : walk(s);
		if (result == RING_LAPPED && ++s->restarts % RESTARTS_MAX == 0)
			return RING_MORE;
	} while ((result == RING_MORE || result == RING_LAPPED) && budget-- > 1);
	return result == RING_LAPPED ? RING_MORE : result;
}

/*
 * ---- going on
 * ------------------------------------------------------------------------------------
 */

/* Does the record there follow the one at `position` in the channel? */
static enum ring_result
follow(const struct ring *r, const char *name, size_t name_len, uint64_t hash, uint64_t position,
    uint64_t next, uint64_t tail, uint64_t *next_id)
{
	struct ring_read_link link;
	enum ring_result result = ring_read_link(r, next, tail, hash, name, name_len, &link);

	if (result == RING_LAPPED)
		return RING_LAPPED;
	if (result != RING_OK || link.back != position)
		return RING_CORRUPT;
	if (link.flags & RECORD_FORGET)
		return RING_LAPPED;
	*next_id = link.id;
	return RING_OK;
}

enum ring_result
ring_seek_next(const struct ring *r, const char *name, size_t name_len, uint64_t hash,
    uint64_t position, uint64_t id, uint64_t *next, uint64_t *next_id)
{
	struct index_found found;
	struct ring_read_link link;
	enum ring_result result;
	uint64_t tail;

	if (index_floor(r, hash) > position)
		return RING_LAPPED;
	for (int tries = 0; tries < 2; tries++) {
		result =
		    ring_read_link(r, position, ring_read_tail(r), hash, name, name_len, &link);
		if (result == RING_INVALID || result == RING_NONE)
			return RING_LAPPED; /* a hint that never was right */
		if (result != RING_OK)
			return result;
		if (link.id != id)
			return RING_LAPPED;
		tail = ring_read_tail(r);
		if (link.next != 0 && link.next < tail) {
			result =
			    follow(r, name, name_len, hash, position, link.next, tail, next_id);
			if (result == RING_OK)
				*next = link.next;
			return result;
		}
		/*
		 * None yet, if the index agrees. It does not when the channel lost its entry and
		 * began anew: then nobody will ever set `next` here.
		 */
		result = index_find(r, hash, name, name_len, &found);
		if (result == RING_CORRUPT)
			return RING_CORRUPT;
		if (result == RING_OK && found.position == position)
			return RING_NONE;
	}
	return RING_LAPPED;
}

/*
 * ---- by time
 * -------------------------------------------------------------------------------------
 */

/* Position of the first record that starts in the block, or 0. */
static uint64_t
block_start(const struct ring *r, uint64_t block, uint64_t tail)
{
	uint64_t count = r->size >> r->geometry->block_shift;
	/* Pairs with note_block in ring_write.c. */
	uint64_t start_at =
	    atomic_load_explicit(&r->blocks[block & (count - 1)], memory_order_acquire);

	if (start_at >> r->geometry->block_shift != block || start_at >= tail ||
	    !ring_read_kept(r, start_at))
		return 0;
	return start_at;
}

/* The last block start whose record is older than time_ms, else `from`. */
static enum ring_result
nearest_block(const struct ring *r, uint64_t time_ms, uint64_t tail, uint64_t *from)
{
	unsigned shift = r->geometry->block_shift;
	uint64_t low = *from >> shift,
		 high = (tail - 1) >> shift; /* the answer's block is in [low, high] */
	unsigned char buffer[RECORD_HEAD_BYTES_MAX];
	struct record record;

	while (low < high) {
		uint64_t middle = low + (high - low + 1) / 2, block = middle, start_at;
		enum ring_result result;

		/*
		 * A block may hold no start at all (a long record, a lapped one): the next that
		 * does decides.
		 */
		while ((start_at = block_start(r, block, tail)) == 0 && block < high)
			block++;
		if (start_at == 0) {
			high = middle - 1;
			continue;
		}
		result = ring_read_peek(r, start_at, buffer, sizeof buffer, &record);
		if (result == RING_CORRUPT)
			return RING_CORRUPT;
		if (result == RING_OK && record.time_ms >= time_ms) {
			high = middle - 1;
		} else {
			low = block;
			if (result == RING_OK)
				*from = start_at;
		}
	}
	return RING_OK;
}

enum ring_result
ring_seek_time(const struct ring *r, uint64_t time_ms, uint64_t *cursor)
{
	uint64_t settled = ring_last_id(r), tail = ring_read_tail(r), oldest = ring_read_oldest(r);
	uint64_t by_time = time_ms == 0                   ? 0
			   : time_ms >= UINT64_C(1) << 48 ? UINT64_MAX
							  : (time_ms << 16) - 1;
	unsigned char buffer[RECORD_HEAD_BYTES_MAX];
	uint64_t position = oldest;
	enum ring_result result;
	struct record record;

	*cursor = settled;
	if (oldest >= tail)
		return RING_OK;
	/* The tail was read first, so no writer can have made it so; and blocks beyond number would be searched. */
	if (tail - oldest > r->size)
		return RING_CORRUPT;
	result = nearest_block(r, time_ms, tail, &position);
	while (result == RING_OK) {
		result = ring_read_peek(r, position, buffer, sizeof buffer, &record);
		if (result == RING_NONE)
			return RING_OK;
		if (result == RING_OK && record.time_ms >= time_ms) {
			*cursor = record.id - 1;
			/*
			 * Older events of that time may be gone: then the cursor lies before them,
			 * and gaps are told.
			 */
			if (position == oldest && by_time < *cursor)
				*cursor = by_time;
			return RING_OK;
		}
		position = record.following;
	}
	if (result == RING_CORRUPT)
		return RING_CORRUPT;
	*cursor = by_time < settled
		      ? by_time
		      : settled; /* lapped meanwhile: everything since then, with its gap */
	return RING_OK;
}

/*
 * ---- listing
 * -------------------------------------------------------------------------------------
 */

/* Counts the channel's events from its newest record back. */
static enum ring_result
count(const struct ring *r, uint64_t hash, const struct index_found *newest, unsigned count_max,
    struct ring_seek_channel *channel)
{
	struct ring_read_link link = newest->link;
	uint64_t position = newest->position, back;
	enum ring_result result;

	channel->events = 0;
	channel->newest_id = (link.flags & RECORD_FORGET) ? 0 : link.id;
	channel->counted_all = true;
	while (!(link.flags & RECORD_FORGET)) {
		if (channel->events == count_max) {
			channel->counted_all = false;
			return RING_OK;
		}
		channel->events++;
		if (link.back == 0)
			return RING_OK;
		back = link.back;
		result = ring_read_link(
		    r, back, position, hash, channel->name, channel->name_len, &link);
		if (result == RING_LAPPED)
			return RING_OK;
		if (result != RING_OK)
			return RING_CORRUPT;
		position = back;
	}
	return RING_OK;
}

enum ring_result
ring_seek_channel(const struct ring *r, const char *name, size_t name_len, unsigned count_max,
    struct ring_seek_channel *channel)
{
	uint64_t hash = ring_hash(r, name, name_len);
	struct index_found found;
	enum ring_result result;

	if (name_len > LIMIT_CHANNEL_NAME_BYTES)
		return RING_NONE;
	result = index_find(r, hash, name, name_len, &found);
	if (result != RING_OK)
		return result;
	memcpy(channel->name, name, name_len);
	channel->name[name_len] = '\0';
	channel->name_len = name_len;
	return count(r, hash, &found, count_max, channel);
}

/*
 * The name that the newest record of an index entry gives to the entry's hash; false when there is
 * none.
 */
static bool
entry_name(const struct ring *r, const struct index_entry *entry, struct ring_seek_channel *channel)
{
	uint64_t hash = atomic_load_explicit(&entry->hash, memory_order_acquire);
	uint64_t newest = atomic_load_explicit(&entry->newest, memory_order_acquire);
	uint64_t prior = atomic_load_explicit(&entry->prior, memory_order_acquire);
	unsigned char buffer[RECORD_HEAD_BYTES_MAX];
	struct record record;

	if (newest >= ring_read_tail(r))
		newest = prior;
	if (newest == 0 || ring_layout_skip(newest, r->size) != newest ||
	    ring_read_peek(r, newest, buffer, sizeof buffer, &record) != RING_OK)
		return false;
	for (unsigned i = 0; i < record.channels_count; i++) {
		const struct record_slice *name = &record.channels[i].name;

		if (record.channels[i].hash != hash)
			continue;
		memcpy(channel->name, name->bytes, name->len);
		channel->name_len = name->len;
		return true;
	}
	return false;
}

enum ring_result
ring_seek_list(
    const struct ring *r, uint64_t *place, unsigned count_max, struct ring_seek_channel *channel)
{
	uint64_t entries = UINT64_C(1) << r->geometry->index_shift;
	char name[LIMIT_CHANNEL_NAME_BYTES + 1];

	for (unsigned looked = 0; looked < LIST_ENTRIES_MAX; looked++) {
		enum ring_result result;

		if (*place >= entries)
			return RING_NONE;
		if (!entry_name(r, &r->index[(*place)++], channel))
			continue;
		memcpy(name, channel->name, channel->name_len);
		result = ring_seek_channel(r, name, channel->name_len, count_max, channel);
		if (result != RING_NONE)
			return result;
	}
	return RING_MORE;
}
