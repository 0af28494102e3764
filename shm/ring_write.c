/*
 * ring_write.c: the one writer. It waits for nobody; readers find out by themselves that they were
 * overtaken.
 *
 * The order of an append, each step with its reason (tests/mutants has a broken version of each):
 *
 *	1  lost_id, oldest   what will be overwritten is given up first: who finds an event gone
 *	                     also finds the id up to which that may be so
 *	2  intent            before the first byte: who copied a new byte sees that it was lapped
 *	3  the bytes         with next = 0, each word with release
 *	4  prev.next         only of a record that is kept behind the new intent
 *	5  index             prior := newest, then newest := new, the id of each before it; an entry
 *	                     that changes hands only after evicted_id
 *	6  block             first record of its block of the log
 *	commit:
 *	7  issued_id         before the tail: no published id is above it
 *	8  tail              readers see the batch; seq_cst for the doorbell (doorbell.h)
 *	9  settled_id        after the tail: every id up to it is published
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "shm/index.h"
#include "shm/ring_writer.h"
#include "shm/siphash.h"

#define KEY_ATTR_BYTES 20u /* u16 type, u16 len, 16 bytes of hash */

/* A channel of the event that is being appended. */
struct target {
	uint64_t hash;
	struct index_entry *entry; /* NULL: has none */
	uint64_t newest;           /* of that entry; another channel may take it meanwhile */
	uint64_t previous;         /* position of its record before; 0 = none that is kept */
	uint64_t prev_id;
};

/*
 * ---- birth and end ------------------------------------------------------------------------------
 */

static int
writer_new(struct ring_write **writer)
{
	*writer = calloc(1, sizeof **writer);
	return *writer == NULL ? SEGMENT_SYSTEM : SEGMENT_OK;
}

static int
map_scratch(struct ring_write *w)
{
	void *scratch;

	w->scratch_bytes = w->ring.size / LIMIT_RING_EVENT_SHARE;
	scratch = mmap(NULL, w->scratch_bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (scratch == MAP_FAILED)
		return SEGMENT_SYSTEM;
	w->scratch = scratch;
	return SEGMENT_OK;
}

/*
 * A ring without a record. Positions begin at `size`, so that 0 is none and size can be subtracted.
 */
static void
write_birth(struct ring_write *w, uint64_t now_ms)
{
	struct ring_words *words = w->ring.words;
	uint64_t birth = now_ms << 16;

	w->head = w->published = w->intent = w->oldest = w->ring.size;
	w->lost_id = w->evicted_id = w->last_id = birth;
	w->last_ms = now_ms;
	atomic_store_explicit(&words->intent, w->intent, memory_order_release);
	atomic_store_explicit(&words->oldest, w->oldest, memory_order_release);
	atomic_store_explicit(&words->lost_id, birth, memory_order_release);
	atomic_store_explicit(&words->evicted_id, birth, memory_order_release);
	atomic_store_explicit(&words->issued_id, birth, memory_order_release);
	atomic_store_explicit(&words->settled_id, birth, memory_order_release);
	atomic_store_explicit(&words->tail, w->published, memory_order_release);
}

static uint64_t
round_size(uint64_t size)
{
	uint64_t rounded = LIMIT_RING_BYTES_MIN;

	while (rounded < size && rounded < LIMIT_RING_BYTES_MAX)
		rounded *= 2;
	return rounded;
}

int
ring_write_create(struct ring_write **writer, uint64_t size, uint64_t now_ms)
{
	struct ring_geometry geometry;
	struct ring_write *w;
	uint64_t bytes = ring_layout(&geometry, round_size(size));
	int result;

	if (getrandom(geometry.hash_key, sizeof geometry.hash_key, 0) != sizeof geometry.hash_key)
		return SEGMENT_SYSTEM;
	result = writer_new(&w);
	if (result != SEGMENT_OK)
		return result;
	result =
	    segment_create(&w->ring.segment, "ringcast-ring", SEGMENT_RING, RING_VERSION, bytes);
	if (result != SEGMENT_OK)
		goto fail;
	geometry.birth_id = now_ms << 16;
	memcpy(w->ring.segment.base + sizeof(struct segment_head), &geometry, sizeof geometry);
	result = ring_layout_map(&w->ring);
	if (result == SEGMENT_OK)
		result = segment_lease(&w->ring.segment);
	if (result == SEGMENT_OK)
		result = map_scratch(w);
	if (result != SEGMENT_OK)
		goto fail;
	write_birth(w, now_ms);
	*writer = w;
	return SEGMENT_OK;
fail:
	ring_write_close(w);
	return result;
}

int
ring_write_adopt(struct ring_write **writer, int fd)
{
	struct ring_write *w;
	int result = writer_new(&w);

	if (result != SEGMENT_OK)
		return result;
	result = segment_attach(&w->ring.segment, fd, SEGMENT_RING, RING_VERSION, true);
	if (result == SEGMENT_OK)
		result = ring_layout_map(&w->ring);
	if (result == SEGMENT_OK)
		result = segment_lease(&w->ring.segment);
	if (result == SEGMENT_OK)
		result = map_scratch(w);
	if (result == SEGMENT_OK)
		result = ring_adopt(w);
	if (result != SEGMENT_OK) {
		w->ring.segment.fd = -1; /* stays the caller's */
		ring_write_close(w);
		return result;
	}
	*writer = w;
	return SEGMENT_OK;
}

void
ring_write_close(struct ring_write *w)
{
	if (w == NULL)
		return;
	if (w->scratch != NULL)
		munmap(w->scratch, w->scratch_bytes);
	keys_free(&w->keys);
	ring_close(&w->ring);
	free(w);
}

struct ring *
ring_write_ring(struct ring_write *w)
{
	return &w->ring;
}

/*
 * ---- sizes --------------------------------------------------------------------------------------
 */

static bool
event_legal(const struct ring_write *w, const struct ring_write_event *e)
{
	if (e->channels_count == 0 || e->channels_count > LIMIT_EVENT_CHANNELS ||
	    e->type.len > LIMIT_TYPE_BYTES || e->key.len > LIMIT_KEY_BYTES ||
	    (e->user_flags & ~RECORD_USER_MASK) != 0 || (e->kind & ~RECORD_KIND_MASK) != 0 ||
	    e->attrs.len > UINT16_MAX - KEY_ATTR_BYTES || e->data.len > w->scratch_bytes)
		return false;
	for (size_t i = 0; i < e->channels_count; i++) {
		const struct record_slice *name = &e->channels[i];

		if (name->len == 0 || name->len > LIMIT_CHANNEL_NAME_BYTES)
			return false;
		for (size_t k = 0; k < i; k++) {
			if (name->len == e->channels[k].len &&
			    memcmp(name->bytes, e->channels[k].bytes, name->len) == 0)
				return false;
		}
	}
	return true;
}

/* The header of an event's record, sums, position, id and time left out. */
static struct record_header
header_of(const struct ring_write_event *e, uint16_t flags)
{
	struct record_header h = {0};
	size_t names_len = e->channels_count;

	for (size_t i = 0; i < e->channels_count; i++)
		names_len += e->channels[i].len;
	h.flags = (uint16_t)(flags | e->kind | e->user_flags);
	h.channels = (uint8_t)e->channels_count;
	h.type_len = (uint8_t)e->type.len;
	h.names_len = (uint16_t)names_len;
	h.attrs_len = (uint16_t)(e->attrs.len + (e->key.len != 0 ? KEY_ATTR_BYTES : 0));
	h.data_len = (uint32_t)e->data.len;
	h.length = record_head_length(&h) + (((uint32_t)h.attrs_len + h.data_len + 7u) & ~7u);
	return h;
}

uint64_t
ring_write_size_max(const struct ring_write *w)
{
	return w->ring.size / LIMIT_RING_EVENT_SHARE;
}

uint64_t
ring_write_size(const struct ring_write *w, const struct ring_write_event *event)
{
	uint64_t length;

	if (!event_legal(w, event))
		return 0;
	length = header_of(event, 0).length;
	return length <= ring_write_size_max(w) ? length : 0;
}

/*
 * A batch may take half the ring: so what it laps was published before, and an unpublished record
 * is never lapped.
 */
bool
ring_write_fits(const struct ring_write *w, uint64_t bytes, uint64_t largest)
{
	uint64_t half = w->ring.size / 2;

	/* At the end of the log less than the largest record is left unused. */
	return largest <= ring_write_size_max(w) && bytes <= half &&
	       w->head - w->published + bytes + largest <= half;
}

bool
ring_write_reserve_keys(struct ring_write *w, size_t count)
{
	return keys_reserve(&w->keys, count);
}

/*
 * ---- giving up what will be overwritten ---------------------------------------------------------
 */

static uint64_t
own_word(const struct ring_write *w, uint64_t position, size_t word)
{
	const _Atomic uint64_t *log = w->ring.log + ((position & (w->ring.size - 1)) >> 3);

	/* Relaxed: the writer reads what it (or a writer that is gone) wrote. */
	return atomic_load_explicit(&log[word], memory_order_relaxed);
}

/* The header of a record that this ring holds; false if damage makes it unusable. */
static bool
own_header(const struct ring_write *w, uint64_t position, struct record_header *header)
{
	uint64_t words[RECORD_HEADER_BYTES / 8];

	for (size_t i = 0; i < RECORD_HEADER_BYTES / 8; i++)
		words[i] = own_word(w, position, i);
	memcpy(header, words, sizeof *header);
	return record_sane(header, position, w->ring.size);
}

/* Forgets the idempotency key of a record that is about to go. */
static void
drop_key(struct ring_write *w, const struct record_header *header)
{
	size_t from = record_head_length(header) / 8, count = (header->attrs_len + 7u) / 8;
	struct record record = {.attrs = {(char *)w->scratch, header->attrs_len}};
	struct record_slice key;
	uint64_t hash[2], word;

	for (size_t i = 0; i < count; i++) {
		word = own_word(w, header->position, from + i);
		memcpy(w->scratch + 8 * i, &word, 8);
	}
	if (!record_attr(&record, RECORD_ATTR_KEY, &key) || key.len != sizeof hash)
		return;
	memcpy(hash, key.bytes, sizeof hash);
	keys_drop(&w->keys, hash, header->id);
}

/*
 * The record at the oldest position is about to go, if it begins below the floor. False: what lies
 * there is damaged.
 */
static bool
give_up_oldest(struct ring_write *w, uint64_t floor)
{
	uint64_t position = ring_layout_skip(w->oldest, w->ring.size);
	struct ring_words *words = w->ring.words;
	struct record_header header;

	if (position >= w->published)
		return false;
	if (position >= floor) {
		w->oldest = position; /* only the unused end of the log lay before it */
		return true;
	}
	if (!own_header(w, position, &header))
		return false;
	w->oldest = position + header.length;
	if (header.flags & RECORD_PAD)
		return true;
	if (header.attrs_len != 0)
		drop_key(w, &header);
	if (header.id > w->lost_id)
		w->lost_id = header.id;
	atomic_store_explicit(&words->lapped,
	    atomic_load_explicit(&words->lapped, memory_order_relaxed) + 1, memory_order_relaxed);
	return true;
}

/*
 * Gives up all records below `floor`. Should one not be readable (damage), everything published is
 * given up: readers are told of a gap, and the ring goes on.
 */
static void
give_up_below(struct ring_write *w, uint64_t floor)
{
	struct ring_words *words = w->ring.words;

	if (w->oldest >= floor)
		return;
	while (w->oldest < floor) {
		if (!give_up_oldest(w, floor)) {
			w->oldest = w->published;
			w->lost_id = w->last_id;
			break;
		}
	}
	/*
	 * Release, and before intent: pairs with ring_lost_id after a search that found a record
	 * lapped.
	 */
	atomic_store_explicit(&words->lost_id, w->lost_id, memory_order_release);
	atomic_store_explicit(&words->oldest, w->oldest, memory_order_release);
}

/* From here on what lies `size` below `end` counts as overwritten. Pairs with ring_read_kept. */
static void
raise_intent(struct ring_write *w, uint64_t end)
{
	give_up_below(w, end - w->ring.size);
	if (end <= w->intent)
		return;
	w->intent = end;
	atomic_store_explicit(&w->ring.words->intent, end, memory_order_release);
}

/*
 * ---- bytes --------------------------------------------------------------------------------------
 */

/* Release on each word: pairs with copy_words in ring_read.c. */
static void
store_words(struct ring_write *w, uint64_t position, const unsigned char *bytes, size_t words)
{
	_Atomic uint64_t *log = w->ring.log + ((position & (w->ring.size - 1)) >> 3);

	for (size_t i = 0; i < words; i++) {
		uint64_t word;

		memcpy(&word, bytes + 8 * i, 8);
		atomic_store_explicit(&log[i], word, memory_order_release);
	}
}

/* Fills the end of the log, when the next record does not fit there. */
static void
write_pad(struct ring_write *w, uint64_t position, uint64_t length)
{
	struct record_header pad = {.position = position, .flags = RECORD_PAD};
	unsigned char bytes[RECORD_HEADER_BYTES];

	pad.length = (uint32_t)length;
	memcpy(bytes, &pad, sizeof pad);
	pad.head_sum = record_head_sum(bytes, &pad);
	memcpy(bytes, &pad, sizeof pad);
	store_words(w, position, bytes, RECORD_HEADER_BYTES / 8);
}

static unsigned char *
put(unsigned char *at, const void *bytes, size_t len)
{
	if (len != 0)
		memcpy(at, bytes, len);
	return at + len;
}

static unsigned char *
put_zeroes_up_to(unsigned char *at, unsigned char *end)
{
	memset(at, 0, (size_t)(end - at));
	return end;
}

static unsigned char *
put_links(unsigned char *at, const struct ring_write_event *e, const struct target *targets,
    uint64_t position)
{
	for (size_t i = 0; i < e->channels_count; i++) {
		struct record_link link = {targets[i].hash, targets[i].prev_id, 0};

		if (targets[i].previous != 0)
			link.back_next = (position - targets[i].previous) / 8;
		at = put(at, &link, sizeof link);
	}
	for (size_t i = 0; i < e->channels_count; i++)
		*at++ = (unsigned char)e->channels[i].len;
	for (size_t i = 0; i < e->channels_count; i++)
		at = put(at, e->channels[i].bytes, e->channels[i].len);
	return at;
}

/* The whole record in scratch memory, sums included. */
static void
compose(struct ring_write *w, struct record_header *h, const struct ring_write_event *e,
    const struct target *targets, const uint64_t key[2])
{
	unsigned char *at = w->scratch + RECORD_HEADER_BYTES;

	at = put_links(at, e, targets, h->position);
	at = put(at, e->type.bytes, e->type.len);
	at = put_zeroes_up_to(at, w->scratch + record_head_length(h));
	if (e->key.len != 0) {
		const uint16_t attr[2] = {RECORD_ATTR_KEY, 16};

		at = put(at, attr, sizeof attr);
		at = put(at, key, 16);
	}
	at = put(at, e->attrs.bytes, e->attrs.len);
	at = put(at, e->data.bytes, e->data.len);
	put_zeroes_up_to(at, w->scratch + h->length);
	h->body_sum = record_body_sum(w->scratch, h);
	memcpy(w->scratch, h, sizeof *h);
	h->head_sum = record_head_sum(w->scratch, h);
	memcpy(w->scratch, h, sizeof *h);
}

/*
 * ---- links and index ----------------------------------------------------------------------------
 */

static void
find_targets(struct ring_write *w, const struct ring_write_event *e, struct target *targets)
{
	for (size_t i = 0; i < e->channels_count; i++) {
		const struct record_slice *name = &e->channels[i];
		struct ring_read_link link;
		struct target *t = &targets[i];
		enum ring_result result;

		t->hash = ring_hash(&w->ring, name->bytes, name->len);
		t->newest = t->previous = 0;
		t->prev_id = w->evicted_id;
		result = index_own(&w->ring, t->hash, name->bytes, name->len, &t->entry, &link);
		if (result == RING_NONE)
			continue;
		t->newest = atomic_load_explicit(&t->entry->newest, memory_order_relaxed);
		t->prev_id = link.id;
		if (result == RING_LAPPED)
			continue;
		t->previous = t->newest;
		/* A forget record is no event: what was lost before it is what matters. */
		if (link.flags & RECORD_FORGET)
			t->prev_id = link.prev_id;
	}
}

/*
 * Sets `next` of the channel's record before, for readers that wait there. That record is still
 * kept, since find_targets comes after raise_intent; in one that is not this would be another
 * record's word.
 */
static void
link_previous(struct ring_write *w, const struct target *t, uint64_t position)
{
	size_t word = RECORD_HEADER_BYTES / 8;
	struct record_header header;

	if (t->previous == 0 || !own_header(w, t->previous, &header))
		return;
	for (unsigned i = 0; i < header.channels; i++, word += RECORD_LINK_BYTES / 8) {
		uint64_t back_next = own_word(w, t->previous, word + 2) & UINT32_MAX;

		if (own_word(w, t->previous, word) != t->hash)
			continue;
		back_next |= (position - t->previous) / 8 << 32;
		/* Pairs with copy_words; whoever sees it compares it with the tail. */
		atomic_store_explicit(
		    &w->ring.log[((t->previous & (w->ring.size - 1)) >> 3) + word + 2], back_next,
		    memory_order_release);
	}
}

/*
 * The channel gets an entry; another one may lose its history for it, or what is known of it when
 * that was lapped.
 */
static struct index_entry *
take_entry(struct ring_write *w, uint64_t hash)
{
	struct ring_words *words = w->ring.words;
	struct index_entry *entry;
	uint64_t gone_id;
	bool kept;

	entry = index_victim(&w->ring, hash, &gone_id, &kept);
	if (gone_id > w->evicted_id) {
		w->evicted_id = gone_id;
		/* Release, and before the entry changes: pairs with index_find. */
		atomic_store_explicit(&words->evicted_id, gone_id, memory_order_release);
	}
	if (kept) {
		if (gone_id > w->lost_id)
			w->lost_id = gone_id;
		atomic_store_explicit(&words->lost_id, w->lost_id, memory_order_release);
		atomic_store_explicit(&words->evicted,
		    atomic_load_explicit(&words->evicted, memory_order_relaxed) + 1,
		    memory_order_relaxed);
	}
	index_take(entry, hash);
	return entry;
}

static void
advance_index(struct ring_write *w, struct target *t, const struct record_header *h)
{
	/* Another channel of the same event may have taken the entry meanwhile. */
	if (t->entry == NULL ||
	    atomic_load_explicit(&t->entry->hash, memory_order_relaxed) != t->hash ||
	    atomic_load_explicit(&t->entry->newest, memory_order_relaxed) != t->newest)
		t->entry = take_entry(w, t->hash);
	index_advance(
	    t->entry, h->position, (h->flags & RECORD_FORGET) ? t->prev_id : h->id, w->published);
}

static void
note_block(struct ring_write *w, uint64_t position)
{
	uint64_t block = position >> w->ring.geometry->block_shift;
	uint64_t count = w->ring.size >> w->ring.geometry->block_shift;

	if (block == w->last_block)
		return;
	w->last_block = block;
	/*
	 * Pairs with block_start in ring_seek.c, which checks that it lies in the block and below
	 * the tail.
	 */
	atomic_store_explicit(&w->ring.blocks[block & (count - 1)], position, memory_order_release);
}

/*
 * ---- append and commit --------------------------------------------------------------------------
 */

static uint64_t
next_id(const struct ring_write *w, uint64_t now_ms)
{
	uint64_t by_time = now_ms << 16;

	return by_time > w->last_id ? by_time : w->last_id + 1;
}

/*
 * Where the record goes: at head, or over the end of the log. *pad: bytes to be filled by a pad
 * record, 0 = none.
 */
static uint64_t
place(const struct ring_write *w, uint32_t length, uint64_t *pad)
{
	uint64_t position = ring_layout_skip(w->head, w->ring.size);
	uint64_t left = w->ring.size - (position & (w->ring.size - 1));

	*pad = 0;
	if (length <= left)
		return position;
	*pad = left;
	return position + left;
}

static void
write_record(struct ring_write *w, struct record_header *h, const struct ring_write_event *e,
    uint64_t pad, const uint64_t key[2])
{
	struct target targets[LIMIT_EVENT_CHANNELS];

	raise_intent(w, h->position + h->length);
	find_targets(w, e, targets);
	compose(w, h, e, targets, key);
	if (pad != 0)
		write_pad(w, h->position - pad, pad);
	store_words(w, h->position, w->scratch, h->length / 8);
	for (size_t i = 0; i < e->channels_count; i++)
		link_previous(w, &targets[i], h->position);
	for (size_t i = 0; i < e->channels_count; i++)
		advance_index(w, &targets[i], h);
	note_block(w, h->position);
}

static enum ring_result
append(struct ring_write *w, const struct ring_write_event *e, uint16_t flags, uint64_t *id)
{
	struct record_header h;
	uint64_t key[2] = {0, 0}, pad;

	if (!event_legal(w, e))
		return RING_INVALID;
	if (e->id != 0 && e->id <= w->last_id)
		return RING_STALE_ID;
	if (e->key.len != 0) {
		siphash_128(w->ring.geometry->hash_key, e->key.bytes, e->key.len, key);
		*id = keys_find(&w->keys, key);
		if (*id != 0)
			return RING_DUPLICATE;
	}
	h = header_of(e, flags);
	if (h.length > ring_write_size_max(w))
		return RING_TOO_LARGE;
	h.position = place(w, h.length, &pad);
	if (h.position + h.length - w->published > w->ring.size / 2)
		return RING_TOO_LARGE;
	if (e->key.len != 0 && !keys_reserve(&w->keys, 1))
		return RING_NO_MEMORY;
	if (e->now_ms > w->last_ms)
		w->last_ms = e->now_ms;
	h.id = e->id != 0 ? e->id : next_id(w, e->now_ms);
	h.time_ms = w->last_ms;
	write_record(w, &h, e, pad, key);
	if (e->key.len != 0)
		keys_add(&w->keys, key, h.id);
	w->head = h.position + h.length;
	w->last_id = *id = h.id;
	w->pending++;
	return RING_OK;
}

enum ring_result
ring_write_append(struct ring_write *w, const struct ring_write_event *event, uint64_t *id)
{
	return append(w, event, 0, id);
}

uint64_t
ring_write_commit(struct ring_write *w)
{
	struct ring_words *words = w->ring.words;
	uint64_t count = w->pending;

	if (count == 0)
		return 0;
	atomic_store_explicit(&words->records,
	    atomic_load_explicit(&words->records, memory_order_relaxed) + count,
	    memory_order_relaxed);
	atomic_store_explicit(&words->bytes,
	    atomic_load_explicit(&words->bytes, memory_order_relaxed) + (w->head - w->published),
	    memory_order_relaxed);
	atomic_store_explicit(&words->issued_id, w->last_id, memory_order_release);
	/*
	 * Pairs with ring_read_tail (release) and is W1 of the proof in doorbell.h (sequentially
	 * consistent).
	 */
	atomic_store_explicit(&words->tail, w->head, memory_order_seq_cst);
	atomic_store_explicit(&words->settled_id, w->last_id, memory_order_release);
	w->published = w->head;
	w->pending = 0;
	return count;
}

enum ring_result
ring_write_forget(struct ring_write *w, struct record_slice channel, uint16_t flags,
    uint64_t now_ms, uint64_t *id)
{
	struct ring_write_event e = {.channels = &channel, .channels_count = 1, .now_ms = now_ms};
	struct ring_read_link link;
	struct index_entry *entry;
	enum ring_result result;
	uint64_t hash;

	ring_write_commit(w);
	e.user_flags = flags;
	result = append(w, &e, RECORD_FORGET, id);
	if (result != RING_OK)
		return result;
	ring_write_commit(w);
	/*
	 * After the tail: the floor must not hide history while the forget record itself is not
	 * published.
	 */
	hash = ring_hash(&w->ring, channel.bytes, channel.len);
	if (index_own(&w->ring, hash, channel.bytes, channel.len, &entry, &link) == RING_OK)
		index_forget(entry, atomic_load_explicit(&entry->newest, memory_order_relaxed));
	return RING_OK;
}

bool
ring_write_find_key(const struct ring_write *w, struct record_slice key, uint64_t *id)
{
	uint64_t hash[2];

	siphash_128(w->ring.geometry->hash_key, key.bytes, key.len, hash);
	*id = keys_find(&w->keys, hash);
	return *id != 0;
}
