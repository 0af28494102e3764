/*
 * ring_adopt.c: takes over a ring whose writer may have died between any two stores.
 *
 * What it may have left behind, and what is done about it, all before the first store of a new
 * event:
 *
 *	records beyond the tail            never existed: the next append goes to the tail
 *	`next` that leads beyond the tail  cleared
 *	index entries beyond the tail      set back to prior, or freed; ids with them
 *	block words beyond the tail        cleared
 *	floor of a forget record missing   set again
 *	settled_id behind the tail         set to the newest id found
 *	intent beyond the tail             stays: what it covers may be torn. It never goes back
 *	oldest raised, intent not yet      intent is raised: what was given up stays given up
 */
#include <string.h>

#include "shm/index.h"
#include "shm/ring_writer.h"

static bool
words_sane(const struct ring_write *w)
{
	return w->published >= w->ring.size && w->published % 8 == 0 && w->published <= w->intent &&
	       w->intent - w->published <= w->ring.size && w->oldest <= w->published &&
	       w->oldest + w->ring.size >= w->intent;
}

static void
repair_tables(struct ring_write *w, uint64_t issued)
{
	uint64_t entries = UINT64_C(1) << w->ring.geometry->index_shift;
	uint64_t blocks = w->ring.size >> w->ring.geometry->block_shift;

	for (uint64_t i = 0; i < entries; i++)
		index_repair(&w->ring.index[i], w->published, issued);
	for (uint64_t i = 0; i < blocks; i++) {
		if (atomic_load_explicit(&w->ring.blocks[i], memory_order_relaxed) >= w->published)
			atomic_store_explicit(&w->ring.blocks[i], 0, memory_order_release);
	}
}

static void
repair_links(struct ring_write *w, const struct record *record)
{
	_Atomic uint64_t *log = w->ring.log + ((record->position & (w->ring.size - 1)) >> 3);
	size_t word = RECORD_HEADER_BYTES / 8 + 2;

	for (unsigned i = 0; i < record->channels_count; i++, word += RECORD_LINK_BYTES / 8) {
		uint64_t back_next = atomic_load_explicit(&log[word], memory_order_relaxed);

		if (record->channels[i].next >= w->published)
			atomic_store_explicit(
			    &log[word], back_next & UINT32_MAX, memory_order_release);
	}
}

static bool
remember_key(struct ring_write *w, const struct record *record)
{
	struct record_slice key;
	uint64_t hash[2];

	if (!record_attr(record, RECORD_ATTR_KEY, &key) || key.len != sizeof hash)
		return true;
	memcpy(hash, key.bytes, sizeof hash);
	if (keys_find(&w->keys, hash) != 0)
		return true;
	if (!keys_reserve(&w->keys, 1))
		return false;
	keys_add(&w->keys, hash, record->id);
	return true;
}

static void
restore_floor(struct ring_write *w, const struct record *record)
{
	const struct record_channel *channel = &record->channels[0];
	struct ring_read_link link;
	struct index_entry *entry;

	if (index_own(&w->ring, channel->hash, channel->name.bytes, channel->name.len, &entry,
		&link) == RING_OK)
		index_forget(entry, record->position);
}

static int
scan(struct ring_write *w)
{
	uint64_t position = w->oldest;
	struct record record;
	enum ring_result result;

	for (;;) {
		result = ring_read_copy(&w->ring, position, w->scratch, w->scratch_bytes, &record);
		if (result == RING_NONE)
			return SEGMENT_OK;
		if (result != RING_OK || record.following <= position)
			return RING_ADOPT_CORRUPT;
		repair_links(w, &record);
		if (!remember_key(w, &record))
			return SEGMENT_SYSTEM;
		if (record.flags & RECORD_FORGET)
			restore_floor(w, &record);
		if (record.id > w->last_id)
			w->last_id = record.id;
		w->last_ms = record.time_ms;
		w->last_block = record.position >> w->ring.geometry->block_shift;
		position = record.following;
	}
}

int
ring_adopt(struct ring_write *w)
{
	struct ring_words *words = w->ring.words;
	uint64_t issued = atomic_load_explicit(&words->issued_id, memory_order_relaxed);
	int result;

	w->intent = atomic_load_explicit(&words->intent, memory_order_relaxed);
	w->published = atomic_load_explicit(&words->tail, memory_order_relaxed);
	w->oldest = atomic_load_explicit(&words->oldest, memory_order_relaxed);
	w->lost_id = atomic_load_explicit(&words->lost_id, memory_order_relaxed);
	w->evicted_id = atomic_load_explicit(&words->evicted_id, memory_order_relaxed);
	w->last_id = atomic_load_explicit(&words->settled_id, memory_order_relaxed);
	w->last_ms = w->ring.geometry->birth_id >> 16;
	w->head = w->published;
	w->pending = 0;
	/* That of an event which was not published, and whose id may be given again. */
	if (w->evicted_id > issued)
		w->evicted_id = issued;
	if (!words_sane(w))
		return RING_ADOPT_CORRUPT;
	if (w->intent < w->oldest + w->ring.size) {
		w->intent = w->oldest + w->ring.size;
		atomic_store_explicit(&words->intent, w->intent, memory_order_release);
	}
	repair_tables(w, issued);
	result = scan(w);
	if (result != SEGMENT_OK)
		return result;
	atomic_store_explicit(&words->settled_id, w->last_id, memory_order_release);
	/* Ids that were issued but never published are not given again. */
	if (issued > w->last_id)
		w->last_id = issued;
	else
		atomic_store_explicit(&words->issued_id, w->last_id, memory_order_release);
	return SEGMENT_OK;
}
