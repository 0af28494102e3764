/*
 * ring_read.c: copy, then validate. See ring_read.h for the rules and ring_write.c for the other
 * half.
 *
 * Why a copy that passes is whole: the writer stores `intent` before it overwrites a word, and each
 * word with release. A reader that got a new word (acquire) therefore also sees the new intent when
 * it looks afterwards, and the position then counts as lapped. Bytes below the tail were complete
 * before the tail was stored.
 */
#include <string.h>

#include "shm/ring_layout.h"
#include "shm/ring_read.h"

uint64_t
ring_read_tail(const struct ring *r)
{
	/* Pairs with the exchange in ring_write_commit. */
	return atomic_load_explicit(&r->words->tail, memory_order_acquire);
}

bool
ring_read_now(const struct ring *r, uint64_t *position, uint64_t *id)
{
	/*
	 * What is settled lies below the tail; what lies below the tail was issued. Both pair with
	 * ring_write_commit.
	 */
	*id = ring_last_id(r);
	*position = ring_read_tail(r);
	return atomic_load_explicit(&r->words->issued_id, memory_order_acquire) == *id;
}

uint64_t
ring_read_oldest(const struct ring *r)
{
	uint64_t oldest = atomic_load_explicit(&r->words->oldest, memory_order_acquire);
	uint64_t tail = ring_read_tail(r);

	return oldest < tail ? oldest : tail;
}

bool
ring_read_kept(const struct ring *r, uint64_t position)
{
	/*
	 * Relaxed: ordered behind the copy by the copy's own acquire loads. Pairs with raise_intent
	 * in ring_write.c.
	 */
	uint64_t intent = atomic_load_explicit(&r->words->intent, memory_order_relaxed);

	return position + r->size >= intent;
}

/*
 * Copies words [from, to) of the record at the position; the caller has checked that they lie in
 * the log.
 */
static void
copy_words(const struct ring *r, uint64_t position, size_t from, size_t to, unsigned char *bytes)
{
	const _Atomic uint64_t *words = r->log + ((position & (r->size - 1)) >> 3);

	for (size_t i = from; i < to; i++) {
		/* Pairs with the release of each word in store_words of ring_write.c. */
		uint64_t word = atomic_load_explicit(&words[i], memory_order_acquire);

		memcpy(bytes + 8 * i, &word, 8);
	}
}

/* The header of the record that begins exactly there. */
static enum ring_result
copy_header(const struct ring *r, uint64_t position, struct record_header *header)
{
	unsigned char bytes[RECORD_HEADER_BYTES];

	if (position % 8 != 0 || (position & (r->size - 1)) + RECORD_HEADER_BYTES > r->size)
		return RING_CORRUPT;
	copy_words(r, position, 0, RECORD_HEADER_BYTES / 8, bytes);
	if (!ring_read_kept(r, position))
		return RING_LAPPED;
	memcpy(header, bytes, sizeof *header);
	if (!record_sane(header, position, r->size))
		return RING_CORRUPT;
	/*
	 * A pad has no more than a header: its sum is checked here, since it is skipped and not
	 * parsed.
	 */
	if ((header->flags & RECORD_PAD) && record_head_sum(bytes, header) != header->head_sum)
		return RING_CORRUPT;
	return RING_OK;
}

/*
 * Finds the record at or after the position, over the end of the log. Only one pad can lie in
 * between.
 */
static enum ring_result
locate(const struct ring *r, uint64_t *position, uint64_t tail, struct record_header *header)
{
	enum ring_result result;

	for (int pads = 0; pads < 2; pads++) {
		if (*position == tail)
			return RING_NONE;
		*position = ring_layout_skip(*position, r->size);
		if (*position == tail)
			return RING_NONE;
		if (*position > tail)
			return RING_CORRUPT;
		if (!ring_read_kept(r, *position))
			return RING_LAPPED;
		result = copy_header(r, *position, header);
		if (result != RING_OK)
			return result;
		if (*position + header->length > tail)
			return RING_CORRUPT;
		if (!(header->flags & RECORD_PAD))
			return RING_OK;
		*position += header->length;
	}
	return RING_CORRUPT;
}

/* The rest of a record whose header is known, into a buffer that holds it. */
static enum ring_result
copy_rest(const struct ring *r, const struct record_header *header, uint32_t bytes, bool whole,
    unsigned char *buffer, struct record *record)
{
	memcpy(buffer, header, sizeof *header);
	copy_words(r, header->position, RECORD_HEADER_BYTES / 8, bytes / 8, buffer);
	if (!ring_read_kept(r, header->position))
		return RING_LAPPED;
	return record_parse(buffer, header, whole, record) ? RING_OK : RING_CORRUPT;
}

static enum ring_result
read_record(const struct ring *r, uint64_t position, void *buffer, size_t cap, bool whole,
    struct record *record)
{
	uint64_t tail = ring_read_tail(r);
	struct record_header header;
	enum ring_result result;
	uint32_t bytes;

	result = locate(r, &position, tail, &header);
	if (result != RING_OK)
		return result;
	bytes = whole ? header.length : record_head_length(&header);
	if (bytes > cap) {
		record->position = position;
		record->length = header.length;
		record->head_length = record_head_length(&header);
		return RING_NEED;
	}
	return copy_rest(r, &header, bytes, whole, buffer, record);
}

enum ring_result
ring_read_peek(
    const struct ring *r, uint64_t position, void *buffer, size_t cap, struct record *record)
{
	return read_record(r, position, buffer, cap, false, record);
}

enum ring_result
ring_read_copy(
    const struct ring *r, uint64_t position, void *buffer, size_t cap, struct record *record)
{
	return read_record(r, position, buffer, cap, true, record);
}

enum ring_result
ring_read_link(const struct ring *r, uint64_t position, uint64_t limit, uint64_t hash,
    const char *name, size_t name_len, struct ring_read_link *link)
{
	unsigned char buffer[RECORD_HEAD_BYTES_MAX];
	struct record_header header;
	struct record record;
	enum ring_result result;
	int channel;

	if (position >= limit)
		return RING_NONE;
	if (!ring_read_kept(r, position))
		return RING_LAPPED;
	result = copy_header(r, position, &header);
	if (result != RING_OK)
		return result;
	if (header.flags & RECORD_PAD)
		return RING_INVALID;
	result = copy_rest(r, &header, record_head_length(&header), false, buffer, &record);
	if (result != RING_OK)
		return result;
	channel = record_find(&record, hash, name, name_len);
	if (channel == -1)
		return RING_INVALID;
	*link = (struct ring_read_link){record.id, record.channels[channel].prev_id,
	    record.channels[channel].back, record.channels[channel].next, record.flags};
	return RING_OK;
}
