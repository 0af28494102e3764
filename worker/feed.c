/*
 * feed.c: from the ring into the waves.
 */
#include "worker/feed.h"

#include <stdlib.h>

#include "worker/fanout.h"
#include "worker/log.h"
#include "worker/worker.h"

#define FEED_RECORDS 2048     /* a turn */
#define FEED_BYTES (4u << 20) /* copied a turn */

bool
feed_start(struct worker *w)
{
	uint64_t position, id;

	if (!ring_read_now(&w->ring, &position, &id))
		return false;
	w->read_position = position;
	w->read_id = id;
	return true;
}

static void
feed_corrupt(struct worker *w)
{
	log_line(LOG_ERR, "the ring contradicts itself: leaving position=%llu",
	    (unsigned long long)w->read_position);
	w->quit = true;
	w->exit_code = 1;
}

/* The writer has overtaken us: every client looks for its own place. */
static void
feed_lapped(struct worker *w)
{
	const uint64_t before = w->read_id;

	if (!feed_start(w))
		return; /* found lapped again in the next turn */
	board_add(&w->board, BOARD_LAPPED, 1);
	log_line(LOG_WARNING,
	    "the ring was overwritten before it was read: clients are told of the gap read_id=%llu",
	    (unsigned long long)before);
	for (uint32_t i = 1; i < w->channels.index_count; i++)
		if (w->channels.by_index[i] != NULL) {
			struct channel *c = w->channels.by_index[i];

			c->known_from = w->read_id;
			c->newest_id = c->lapse_id = c->lapse_before = 0;
			fanout_cut(w, c, before, w->read_id);
		}
}

/* The channel of a record's i-th link, if it has members here. */
static struct channel *
wanted(struct worker *w, const struct record *record, uint32_t i)
{
	const struct record_channel *link = &record->channels[i];

	return channel_find(w, link->hash, slice_of(link->name.bytes, link->name.len));
}

static bool
any_wanted(struct worker *w, const struct record *record)
{
	if (w->channels.count == 0 || (record->flags & RECORD_FORGET) != 0)
		return false;
	for (uint32_t i = 0; i < record->channels_count; i++)
		if (wanted(w, record, i) != NULL)
			return true;
	return false;
}

static struct wave *
wave_of(struct channel *c, uint8_t dialect)
{
	struct wave **v = &c->waves[dialect - 1];

	if (*v == NULL)
		*v = calloc(1, sizeof **v);
	return *v;
}

/* One channel's share of a record. `before` is the id read before it. */
static void
render(struct worker *w, struct channel *c, const struct record *record, uint32_t order,
    uint64_t before)
{
	const struct frame frame = {.id = record->id, .position = record->position, .order = order};
	struct event event;

	fanout_news(w, c, record->id);
	wave_event(&event, record);
	for (uint8_t dialect = 1; dialect < DIALECTS_WAVED; dialect++) {
		struct wave *v;

		if (c->counts[dialect] == 0)
			continue;
		v = wave_of(c, dialect);
		if (v == NULL || !wave_add(w, v, dialect, &event, channel_name(c), &frame)) {
			fanout_cut(w, c, before, record->id);
			return;
		}
	}
}

/* Its newest event, and which one it followed where the ring does not know that any more (pairs with seek_lost_nothing). */
static void
note_event(struct channel *c, const struct record *record, uint32_t i)
{
	if (record->channels[i].back == 0) {
		c->lapse_id = record->id;
		c->lapse_before = c->newest_id;
	}
	c->newest_id = record->id;
}

/* Copies the record at the reading position; RING_NEED is dealt with. */
static enum ring_result
copy(struct worker *w, struct record *record)
{
	enum ring_result result =
	    ring_read_copy(&w->ring, w->read_position, w->record.bytes, w->record.cap, record);

	while (result == RING_NEED) {
		if (!buffer_reserve(&w->record, record->length))
			return RING_NO_MEMORY;
		result = ring_read_copy(
		    &w->ring, w->read_position, w->record.bytes, w->record.cap, record);
	}
	return result;
}

/* The record was peeked at and is wanted. */
static enum ring_result
take(struct worker *w, struct record *record)
{
	const uint64_t before = w->read_id;
	const enum ring_result result = copy(w, record);

	if (result != RING_OK && result != RING_NO_MEMORY)
		return result;
	for (uint32_t i = 0; i < record->channels_count; i++) {
		struct channel *c = wanted(w, record, i);

		if (c == NULL)
			continue;
		note_event(c, record, i);
		if (result == RING_OK)
			render(w, c, record, i, before);
		else
			fanout_cut(w, c, before, record->id);
	}
	return RING_OK;
}

bool
feed_read(struct worker *w)
{
	uint32_t bytes = 0;

	for (int i = 0; i < FEED_RECORDS && bytes < FEED_BYTES; i++) {
		struct record record;
		enum ring_result result = ring_read_peek(
		    &w->ring, w->read_position, w->record.bytes, w->record.cap, &record);

		if (result == RING_OK && any_wanted(w, &record)) {
			bytes += record.length;
			result = take(w, &record);
		}
		if (result == RING_NONE)
			return false;
		if (result == RING_LAPPED) {
			feed_lapped(w);
			return true;
		}
		if (result != RING_OK) {
			feed_corrupt(w);
			return false;
		}
		w->read_position = record.following;
		w->read_id = record.id;
		board_add(&w->board, BOARD_EVENTS_READ, 1);
	}
	return true;
}
