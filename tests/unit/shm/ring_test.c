/*
 * ring_test.c: what the ring promises one at a time: batches, limits, keys, forgetting, eviction,
 * damage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/index.h"
#include "shm/ring_read.h"
#include "shm/ring_seek.h"
#include "shm/ring_write.h"
#include "shm/siphash.h"

#define NOW UINT64_C(1763856000000)
#define SIZE LIMIT_RING_BYTES_MIN

static struct ring_write *
ring_new(void)
{
	struct ring_write *w;

	assert_int_equal(ring_write_create(&w, SIZE, NOW), SEGMENT_OK);
	return w;
}

static struct record_slice
text(const char *s)
{
	return (struct record_slice){s, strlen(s)};
}

static enum ring_result
append_key(
    struct ring_write *w, const char *channel, const char *data, const char *key, uint64_t *id)
{
	struct record_slice name = text(channel);
	struct ring_write_event e = {.channels = &name,
	    .channels_count = 1,
	    .type = text("message"),
	    .data = text(data),
	    .key = text(key),
	    .now_ms = NOW};

	return ring_write_append(w, &e, id);
}

static uint64_t
publish(struct ring_write *w, const char *channel, const char *data)
{
	uint64_t id;

	assert_int_equal(append_key(w, channel, data, "", &id), RING_OK);
	ring_write_commit(w);
	return id;
}

/* Enough of another channel's events to lap everything. */
static void
lap(struct ring_write *w)
{
	char data[1000];

	memset(data, 'x', sizeof data - 1);
	data[sizeof data - 1] = '\0';
	for (int i = 0; i < 80; i++)
		publish(w, "filler", data);
}

static enum ring_result
seek(const struct ring *r, const char *name, uint64_t cursor, struct ring_seek *s)
{
	enum ring_result result;

	ring_seek_after(s, r, name, strlen(name), cursor);
	while ((result = ring_seek_step(s, 7)) == RING_MORE)
		;
	return result;
}

static void
ring_shows_a_batch_only_after_commit(void **state)
{
	struct ring_write *w = ring_new();
	struct ring *r = ring_write_ring(w);
	unsigned char buffer[4096];
	struct record record;
	uint64_t tail = ring_read_tail(r), id;

	(void)state;
	assert_int_equal(append_key(w, "a", "1", "", &id), RING_OK);
	assert_int_equal(append_key(w, "a", "2", "", &id), RING_OK);
	assert_int_equal(ring_read_copy(r, tail, buffer, sizeof buffer, &record), RING_NONE);
	assert_int_equal(ring_last_id(r), NOW << 16);
	assert_int_equal(ring_write_commit(w), 2);
	assert_int_equal(ring_read_copy(r, tail, buffer, sizeof buffer, &record), RING_OK);
	assert_memory_equal(record.data.bytes, "1", 1);
	assert_int_equal(ring_last_id(r), id);
	ring_write_close(w);
}

static void
ring_returns_every_part_of_an_event(void **state)
{
	static const char attrs[] = {7, 0, 3, 0, 'x', 'y', 'z'};
	struct ring_write *w = ring_new();
	struct ring *r = ring_write_ring(w);
	struct record_slice names[3] = {text("one"), text("two"), text("three")}, value;
	struct ring_write_event e = {.channels = names,
	    .channels_count = 3,
	    .type = text("kind of"),
	    .data = {"\0\xff\1", 3},
	    .key = text("k"),
	    .attrs = {attrs, sizeof attrs},
	    .kind = RECORD_BINARY,
	    .user_flags = 0x4000,
	    .now_ms = NOW + 5};
	unsigned char buffer[4096];
	struct record record;
	uint64_t at = ring_read_tail(r), id;

	(void)state;
	assert_int_equal(ring_write_append(w, &e, &id), RING_OK);
	ring_write_commit(w);
	assert_int_equal(id, (NOW + 5) << 16);
	assert_int_equal(ring_read_peek(r, at, buffer, RECORD_HEAD_BYTES_MAX, &record), RING_OK);
	assert_int_equal(record.data_len, 3);
	assert_int_equal(record.data.len, 0);
	assert_int_equal(ring_read_copy(r, at, buffer, 40, &record), RING_NEED);
	assert_int_equal(record.length, ring_write_size(w, &e));
	assert_int_equal(ring_read_copy(r, at, buffer, record.length - 1, &record), RING_NEED);
	assert_int_equal(ring_read_copy(r, at, buffer, record.length, &record), RING_OK);
	assert_int_equal(record.id, id);
	assert_int_equal(record.time_ms, NOW + 5);
	assert_int_equal(record.kind, RECORD_BINARY);
	assert_int_equal(record.flags & RECORD_USER_MASK, 0x4000);
	assert_int_equal(record.channels_count, 3);
	assert_memory_equal(record.channels[2].name.bytes, "three", 5);
	assert_memory_equal(record.type.bytes, "kind of", 7);
	assert_int_equal(record.type.len, 7);
	assert_int_equal(record.data.len, 3);
	assert_memory_equal(record.data.bytes, "\0\xff\1", 3);
	assert_true(record_attr(&record, 7, &value));
	assert_memory_equal(value.bytes, "xyz", 3);
	assert_true(record_attr(&record, RECORD_ATTR_KEY, &value));
	assert_int_equal(value.len, 16);
	assert_false(record_attr(&record, 8, &value));
	ring_write_close(w);
}

static void
ring_refuses_what_breaks_a_limit(void **state)
{
	struct ring_write *w = ring_new();
	static char big[SIZE];
	struct record_slice names[LIMIT_EVENT_CHANNELS + 1];
	struct ring_write_event e = {.channels = names, .channels_count = 1, .now_ms = NOW};
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < LIMIT_EVENT_CHANNELS + 1; i++)
		names[i] = (struct record_slice){big + i, 1 + i};
	e.data = (struct record_slice){big, SIZE / 4 - 88};
	assert_int_equal(ring_write_size(w, &e), SIZE / 4);
	e.data.len++;
	assert_int_equal(ring_write_size(w, &e), 0);
	assert_int_equal(ring_write_append(w, &e, &id), RING_TOO_LARGE);
	e.data.len = 0;
	e.channels_count = LIMIT_EVENT_CHANNELS + 1;
	assert_int_equal(ring_write_append(w, &e, &id), RING_INVALID);
	e.channels_count = 0;
	assert_int_equal(ring_write_append(w, &e, &id), RING_INVALID);
	e.channels_count = 2;
	names[1] = names[0];
	assert_int_equal(ring_write_append(w, &e, &id), RING_INVALID);
	names[1] = (struct record_slice){big, LIMIT_CHANNEL_NAME_BYTES + 1};
	assert_int_equal(ring_write_append(w, &e, &id), RING_INVALID);
	e.channels_count = 1;
	e.type = (struct record_slice){big, LIMIT_TYPE_BYTES + 1};
	assert_int_equal(ring_write_append(w, &e, &id), RING_INVALID);
	e.type.len = 0;
	e.user_flags = RECORD_PAD;
	assert_int_equal(ring_write_append(w, &e, &id), RING_INVALID);
	e.user_flags = 0;
	e.id = NOW << 16;
	assert_int_equal(ring_write_append(w, &e, &id), RING_STALE_ID);
	assert_int_equal(ring_write_commit(w), 0);
	ring_write_close(w);
}

static void
ring_batch_that_fits_enters_whole(void **state)
{
	struct ring_write *w = ring_new();
	static char big[SIZE];
	struct record_slice name = text("a");
	struct ring_write_event e = {.channels = &name, .channels_count = 1, .now_ms = NOW};
	uint64_t id, pending = 0;

	(void)state;
	/* From every place in the log: also where the batch has to go round its end. */
	for (unsigned start = 0; start < 600; start++) {
		uint64_t size, sum = 0;

		e.data = (struct record_slice){big, 100 + start % 13 * 8};
		assert_int_equal(ring_write_append(w, &e, &id), RING_OK);
		ring_write_commit(w);
		e.data.len = start % 3 == 0 ? 700 : start % 3 == 1 ? SIZE / 4 - 88 : 5000;
		size = ring_write_size(w, &e);
		while (ring_write_fits(w, size, size)) {
			assert_int_equal(ring_write_append(w, &e, &id), RING_OK);
			sum += size;
		}
		assert_true(sum + 2 * size >= SIZE / 2 - SIZE / 4);
		ring_write_commit(w);
	}
	assert_false(ring_write_fits(w, SIZE / 2 + 8, 100));
	assert_false(ring_write_fits(w, 100, SIZE / 4 + 8));
	while (ring_write_append(w, &e, &id) == RING_OK)
		pending += ring_write_size(w, &e);
	assert_int_equal(ring_write_append(w, &e, &id), RING_TOO_LARGE);
	assert_true(pending <= SIZE / 2);
	ring_write_close(w);
}

static void
ring_ids_never_go_back(void **state)
{
	struct ring_write *w = ring_new();
	struct record_slice name = text("a");
	struct ring_write_event e = {.channels = &name, .channels_count = 1, .now_ms = NOW};
	uint64_t first, id, last;

	(void)state;
	assert_int_equal(ring_write_append(w, &e, &first), RING_OK);
	assert_int_equal(first, (NOW << 16) + 1);
	e.now_ms = NOW - 3600000;
	assert_int_equal(ring_write_append(w, &e, &id), RING_OK);
	assert_int_equal(id, first + 1);
	e.now_ms = NOW + 1;
	assert_int_equal(ring_write_append(w, &e, &id), RING_OK);
	assert_int_equal(id, (NOW + 1) << 16);
	e.id = last = id + 77;
	assert_int_equal(ring_write_append(w, &e, &id), RING_OK);
	assert_int_equal(id, last);
	ring_write_close(w);
}

static void
ring_remembers_keys_as_long_as_their_records(void **state)
{
	struct ring_write *w = ring_new();
	uint64_t first, id;

	(void)state;
	assert_int_equal(append_key(w, "a", "x", "k1", &first), RING_OK);
	assert_int_equal(
	    append_key(w, "b", "y", "k1", &id), RING_DUPLICATE); /* within the batch, too */
	assert_int_equal(id, first);
	ring_write_commit(w);
	assert_int_equal(append_key(w, "a", "x", "k2", &id), RING_OK);
	ring_write_commit(w);
	assert_true(ring_write_find_key(w, text("k1"), &id));
	assert_int_equal(id, first);
	lap(w);
	assert_false(ring_write_find_key(w, text("k1"), &id));
	assert_int_equal(append_key(w, "a", "x", "k1", &id), RING_OK);
	assert_true(id > first);
	ring_write_close(w);
}

static void
ring_gap_is_told_exactly_after_lapping(void **state)
{
	struct ring_write *w = ring_new();
	struct ring *r = ring_write_ring(w);
	uint64_t birth = NOW << 16, one, two, filler;
	struct ring_seek s;

	(void)state;
	assert_int_equal(seek(r, "quiet", birth, &s), RING_NONE);
	assert_false(s.gap);
	assert_int_equal(s.resume_at, birth);
	assert_int_equal(seek(r, "quiet", birth - 1, &s), RING_NONE);
	assert_true(s.gap);
	one = publish(w, "quiet", "1");
	lap(w);
	filler = ring_lost_id(r);
	assert_true(filler > one);
	assert_int_equal(seek(r, "quiet", one - 1, &s), RING_NONE);
	assert_true(s.gap);
	assert_int_equal(s.resume_at, ring_last_id(r));
	assert_int_equal(seek(r, "quiet", 0, &s), RING_NONE);
	assert_false(s.gap);
	two = publish(w, "quiet", "2");
	assert_int_equal(seek(r, "quiet", ring_lost_id(r), &s), RING_OK);
	assert_false(s.gap);
	assert_int_equal(s.id, two);
	assert_int_equal(seek(r, "quiet", one, &s), RING_OK);
	assert_false(s.gap); /* nothing lies between the two, however long that was */
	assert_int_equal(seek(r, "quiet", one - 1, &s), RING_OK);
	assert_true(s.gap);
	assert_int_equal(s.resume_at, one);
	assert_int_equal(
	    seek(r, "quiet", two + 1, &s), RING_OK); /* from the future: the oldest kept */
	assert_true(s.gap);
	assert_int_equal(s.id, two);
	ring_write_close(w);
}

/* A record of that length, of a channel with a name of one letter. */
static uint64_t
publish_length(struct ring_write *w, const char *channel, size_t length)
{
	char data[2000];

	memset(data, 'x', sizeof data);
	data[length - 96] = '\0';
	return publish(w, channel, data);
}

/* A lap leaves 40 bytes at the end of the log unused; the next one ends among them. */
static void
ring_keeps_the_record_behind_an_unused_end(void **state)
{
	struct ring_write *w = ring_new();
	struct ring *r = ring_write_ring(w);
	uint64_t id;

	(void)state;
	for (int i = 0; i < 64; i++)
		publish_length(w, "x", 1016);
	publish_length(w, "x", SIZE - 40 - 64 * 1016);
	id = publish_length(w, "c", 96);
	for (int i = 0; i < 64; i++)
		publish_length(w, "x", 1016);
	publish_length(w, "x", SIZE - 32 - 64 * 1016 - 96);
	assert_int_equal(ring_read_tail(r), 3 * SIZE - 32);
	assert_int_equal(ring_read_oldest(r), 2 * SIZE);
	assert_true(ring_lost_id(r) < id);
	ring_write_close(w);
}

static void
ring_tells_no_gap_of_a_channel_that_was_quiet(void **state)
{
	struct ring_write *w = ring_new();
	struct ring *r = ring_write_ring(w);
	uint64_t birth = NOW << 16, one = publish(w, "quiet", "1"), two, unused;
	struct ring_seek s;

	(void)state;
	lap(w);
	assert_int_equal(seek(r, "quiet", one, &s), RING_NONE);
	assert_false(s.gap);
	assert_int_equal(seek(r, "never", birth, &s), RING_NONE);
	assert_false(s.gap);
	assert_int_equal(seek(r, "never", birth - 1, &s), RING_NONE);
	assert_true(s.gap);
	/* Within a batch the last event is still the one that is published. */
	assert_int_equal(append_key(w, "quiet", "2", "", &two), RING_OK);
	assert_int_equal(append_key(w, "quiet", "3", "", &unused), RING_OK);
	assert_int_equal(seek(r, "quiet", one, &s), RING_NONE);
	assert_false(s.gap);
	assert_int_equal(seek(r, "quiet", one - 1, &s), RING_NONE);
	assert_true(s.gap);
	ring_write_commit(w);
	assert_int_equal(seek(r, "quiet", one, &s), RING_OK);
	assert_int_equal(s.id, two);
	assert_false(s.gap);
	ring_write_close(w);
}

static void
ring_tells_no_gap_of_a_deletion_that_was_lapped(void **state)
{
	struct ring_write *w = ring_new();
	struct ring *r = ring_write_ring(w);
	uint64_t one = publish(w, "c", "1"), forget;
	struct ring_seek s;

	(void)state;
	assert_int_equal(ring_write_forget(w, text("c"), 0, NOW, &forget), RING_OK);
	lap(w);
	assert_int_equal(seek(r, "c", one, &s), RING_NONE);
	assert_false(s.gap); /* a deletion is no event */
	assert_int_equal(seek(r, "c", one - 1, &s), RING_NONE);
	assert_true(s.gap);
	ring_write_close(w);
}

/* A lapped channel's last id goes with its entry: then what is lost is not known exactly, but told. */
static void
ring_tells_a_gap_to_lapped_channels_whose_entry_was_taken(void **state)
{
	enum { CHANNELS = 100, OTHERS = 2000 };
	struct ring_write *w = ring_new();
	struct ring *r = ring_write_ring(w);
	struct ring_counts before, counts;
	uint64_t ids[CHANNELS];
	unsigned unsure = 0;
	struct ring_seek s;
	char name[32], data[8000];

	(void)state;
	for (int c = 0; c < CHANNELS; c++) {
		snprintf(name, sizeof name, "%d", c);
		ids[c] = publish(w, name, "");
	}
	memset(data, 'x', sizeof data - 1);
	data[sizeof data - 1] = '\0';
	/* Eight are kept at a time: so nobody loses an entry while he has history. */
	for (int i = 0; i < 10; i++)
		publish(w, "first", data);
	ring_counts(r, &before);
	for (int c = 0; c < OTHERS; c++) {
		snprintf(name, sizeof name, "other %d", c);
		publish(w, name, data);
		snprintf(name, sizeof name, "%d", c % CHANNELS);
		if (seek(r, name, ids[c % CHANNELS] - 1, &s) == RING_NONE)
			assert_true(s.gap);
		seek(r, name, ids[c % CHANNELS], &s);
		unsure += s.gap;
	}
	ring_counts(r, &counts);
	assert_int_equal(counts.evicted, before.evicted);
	assert_true(unsure > 0); /* or no entry was ever taken */
	ring_write_close(w);
}

/*
 * The hashes of two channels are equal, as far as the index can see. Had each an entry, and lost
 * one, the other's last id would be taken for its own.
 */
static void
ring_gives_two_channels_of_one_hash_one_entry(void **state)
{
	struct ring_write *w = ring_new();
	struct ring *r = ring_write_ring(w);
	uint64_t hash = ring_hash(r, "b", 1), one = publish(w, "a", "1"), two;
	struct ring_counts counts;
	unsigned entries = 0;
	struct ring_seek s;

	(void)state;
	assert_int_equal(seek(r, "a", 0, &s), RING_OK);
	atomic_store(&index_entry(r, hash, 0)->hash, hash);
	atomic_store(&index_entry(r, hash, 0)->newest, s.position);
	atomic_store(&index_entry(r, hash, 0)->newest_id, one);
	two = publish(w, "b", "2");
	for (unsigned i = 0; i < INDEX_PROBES; i++)
		entries += atomic_load(&index_entry(r, hash, i)->hash) == hash;
	assert_int_equal(entries, 1);
	ring_counts(r, &counts);
	assert_int_equal(counts.evicted, 1);
	assert_int_equal(seek(r, "b", one, &s), RING_OK);
	assert_int_equal(s.id, two);
	assert_int_equal(atomic_load(&r->words->evicted_id), one);
	ring_write_close(w);
}

static void
ring_forgets_a_channel_and_says_so(void **state)
{
	struct ring_write *w = ring_new();
	struct ring *r = ring_write_ring(w);
	uint64_t one = publish(w, "c", "1"), two = publish(w, "c", "2"), forget, three, next,
		 next_id;
	struct ring_seek_channel stats;
	struct ring_seek s, before;

	(void)state;
	assert_int_equal(seek(r, "c", 0, &before), RING_OK);
	assert_int_equal(
	    ring_write_forget(w, text("c"), RECORD_END_SUBSCRIPTIONS, NOW, &forget), RING_OK);
	assert_int_equal(seek(r, "c", one, &s), RING_NONE);
	assert_true(s.gap);
	assert_int_equal(s.resume_at, forget);
	assert_int_equal(seek(r, "c", two, &s), RING_NONE);
	assert_false(s.gap); /* it had everything that was deleted */
	assert_int_equal(seek(r, "c", 0, &s), RING_NONE);
	assert_false(s.gap);
	assert_int_equal(
	    ring_seek_next(r, "c", 1, before.hash, before.position, before.id, &next, &next_id),
	    RING_LAPPED);
	assert_int_equal(ring_seek_channel(r, "c", 1, 10, &stats), RING_OK);
	assert_int_equal(stats.events, 0);
	three = publish(w, "c", "3");
	assert_int_equal(seek(r, "c", 0, &s), RING_OK);
	assert_int_equal(s.id, three);
	assert_int_equal(seek(r, "c", one, &s), RING_OK);
	assert_true(s.gap);
	assert_int_equal(seek(r, "c", two, &s), RING_OK);
	assert_false(s.gap);
	ring_seek_last(&s, r, "c", 1, 5);
	assert_int_equal(ring_seek_step(&s, 100), RING_OK);
	assert_int_equal(s.id, three);
	ring_write_close(w);
}

/*
 * More channels than the index holds: whatever is evicted must be told as a gap, never missed in
 * silence.
 */
static void
ring_tells_a_gap_to_evicted_channels(void **state)
{
	enum { CHANNELS = 480, ROUNDS = 3 };
	struct ring_write *w = ring_new();
	struct ring *r = ring_write_ring(w);
	static uint64_t ids[ROUNDS][CHANNELS];
	struct ring_counts counts;
	unsigned gaps = 0, found = 0;
	char name[16];

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		for (int c = 0; c < CHANNELS; c++) {
			snprintf(name, sizeof name, "%d", c);
			ids[round][c] = publish(w, name, "");
		}
	}
	ring_counts(r, &counts);
	assert_true(counts.evicted > 0);
	for (int c = 0; c < CHANNELS; c++) {
		struct ring_seek s;

		snprintf(name, sizeof name, "%d", c);
		if (seek(r, name, ids[0][c], &s) == RING_OK) {
			/*
			 * Two newer ones exist: the first of them without a gap, or the second with
			 * one.
			 */
			assert_true(s.id == (s.gap ? ids[2][c] : ids[1][c]) ||
				    (s.gap && s.id == ids[1][c]));
			found++;
		} else {
			assert_true(s.gap);
			assert_true(s.resume_at >= ids[2][c]);
			gaps++;
		}
		if (seek(r, name, ids[2][c], &s) == RING_OK)
			fail();
	}
	assert_true(gaps > 0 && found > 0);
	ring_write_close(w);
}

/* Nothing was lapped yet: so what tells the loss can only be the eviction itself. */
static void
ring_remembers_the_id_of_what_it_evicted(void **state)
{
	enum { CHANNELS = 500 };
	struct ring_write *w = ring_new();
	struct ring *r = ring_write_ring(w);
	uint64_t ids[CHANNELS];
	struct ring_counts counts;
	char name[16];

	(void)state;
	for (int c = 0; c < CHANNELS; c++) {
		snprintf(name, sizeof name, "%d", c);
		ids[c] = publish(w, name, "");
	}
	ring_counts(r, &counts);
	assert_int_equal(counts.lapped, 0);
	assert_true(counts.evicted > 0);
	for (int c = 0; c < CHANNELS; c++) {
		struct ring_seek s;

		snprintf(name, sizeof name, "%d", c);
		if (seek(r, name, ids[c] - 1, &s) == RING_NONE)
			assert_true(s.gap);
	}
	ring_write_close(w);
}

static void
ring_follows_a_channel_until_its_entry_is_evicted(void **state)
{
	struct ring_write *w = ring_new();
	struct ring *r = ring_write_ring(w);
	uint64_t one, two, next, next_id, hash = ring_hash(r, "c", 1);
	struct ring_seek s;
	char name[16];

	(void)state;
	publish(w, "c", "1");
	assert_int_equal(seek(r, "c", 0, &s), RING_OK);
	one = s.position;
	assert_int_equal(ring_seek_next(r, "c", 1, hash, one, s.id, &next, &next_id), RING_NONE);
	assert_int_equal(
	    ring_seek_next(r, "c", 1, hash, one, s.id + 1, &next, &next_id), RING_LAPPED);
	two = publish(w, "c", "2");
	assert_int_equal(ring_seek_next(r, "c", 1, hash, one, s.id, &next, &next_id), RING_OK);
	assert_int_equal(next_id, two);
	/*
	 * Other channels, until the entry is gone while the record is still kept: waiting there
	 * would be for ever.
	 */
	for (int i = 0;
	     i < 500 && ring_seek_next(r, "c", 1, hash, next, two, &next, &next_id) == RING_NONE;
	     i++) {
		snprintf(name, sizeof name, "%d", i);
		publish(w, name, "");
	}
	assert_true(ring_read_kept(r, next));
	assert_int_equal(ring_seek_next(r, "c", 1, hash, next, two, &next, &next_id), RING_LAPPED);
	ring_write_close(w);
}

static void
ring_lists_channels(void **state)
{
	struct ring_write *w = ring_new();
	struct ring *r = ring_write_ring(w);
	struct ring_seek_channel channel;
	uint64_t place = 0, ids[3];
	unsigned seen = 0;
	enum ring_result result;

	(void)state;
	publish(w, "0", "x");
	ids[0] = publish(w, "0", "x");
	ids[1] = publish(w, "1", "x");
	ids[2] = publish(w, "2", "x");
	while ((result = ring_seek_list(r, &place, 100, &channel)) != RING_NONE) {
		assert_int_equal(result, RING_OK);
		assert_int_equal(channel.events, channel.name[0] == '0' ? 2 : 1);
		assert_int_equal(channel.newest_id, ids[channel.name[0] - '0']);
		seen |= 1u << (channel.name[0] - '0');
	}
	assert_int_equal(seen, 7);
	assert_int_equal(ring_seek_channel(r, "0", 1, 1, &channel), RING_OK);
	assert_int_equal(channel.events, 1);
	assert_false(channel.counted_all);
	assert_int_equal(ring_seek_channel(r, "3", 1, 1, &channel), RING_NONE);
	ring_write_close(w);
}

/*
 * A whole ring of records, then one damaged bit at a time: noticed wherever it is, and nothing is
 * read out of bounds.
 */
static void
ring_notices_every_damaged_bit(void **state)
{
	struct ring_write *w = ring_new();
	struct ring *r = ring_write_ring(w);
	unsigned char *page =
	    mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct record_slice names[2] = {text("first"), text("second")};
	struct ring_write_event e = {.channels = names,
	    .channels_count = 2,
	    .type = text("message"),
	    .data = text("thirteen byte"),
	    .key = text("k"),
	    .now_ms = NOW};
	uint64_t at, id;
	unsigned char *bytes;
	struct record record;
	uint32_t length;

	(void)state;
	assert_ptr_not_equal(page, MAP_FAILED);
	assert_int_equal(mprotect(page + 2 * 4096, 4096, PROT_NONE), 0);
	publish(w, "first", "before");
	at = ring_read_tail(r);
	assert_int_equal(ring_write_append(w, &e, &id), RING_OK);
	ring_write_commit(w);
	length = (uint32_t)ring_write_size(w, &e);
	bytes = r->segment.base + r->geometry->log_offset + (at & (SIZE - 1));
	for (uint32_t i = 0; i < length; i++) {
		bool is_next = (i >= 56 + 20 && i < 56 + 24) || (i >= 56 + 44 && i < 56 + 48);

		for (int bit = 0; bit < 8; bit++) {
			bytes[i] ^= (unsigned char)(1u << bit);
			assert_int_equal(
			    ring_read_copy(r, at, page + 2 * 4096 - length, length, &record),
			    is_next ? RING_OK : RING_CORRUPT);
			bytes[i] ^= (unsigned char)(1u << bit);
		}
	}
	assert_int_equal(ring_read_copy(r, at, page + 2 * 4096 - length, length, &record), RING_OK);
	munmap(page, 3 * 4096);
	ring_write_close(w);
}

/*
 * Any bytes at all in log, index and words: every call ends, answers something, and stays within
 * bounds (ASan, guard page).
 */
static void
ring_survives_any_bytes(void **state)
{
	unsigned long random = 7;
	struct ring_write *w = ring_new();
	struct ring *r = ring_write_ring(w);
	static _Alignas(8) unsigned char buffer[SIZE];
	char data[300];

	(void)state;
	memset(data, 'd', sizeof data);
	data[sizeof data - 1] = '\0';
	for (int round = 0; round < 3000; round++) {
		uint64_t position, place = 0, cursor, next, next_id;
		struct ring_seek_channel channel;
		struct record record;
		struct ring_seek s;

		publish(w, round % 2 ? "a" : "b", data + round % 290);
		/* One word of log or index at random, to random bytes or those of another place. */
		for (int i = 0; i < 3; i++) {
			uint64_t from = r->geometry->index_offset,
				 words = (r->segment.bytes - from) / 8, *word;

			random = random * 6364136223846793005ul + 1442695040888963407ul;
			word =
			    (uint64_t *)(void *)(r->segment.base + from) + (random >> 20) % words;
			*word = i == 0   ? random
				: i == 1 ? *word ^ (UINT64_C(1) << (random & 63))
					 : ((uint64_t *)(void *)(r->segment.base +
								 from))[(random >> 33) % words];
		}
		position = ring_read_oldest(r);
		for (int i = 0; i < 40; i++) {
			if (ring_read_copy(r, position, buffer, sizeof buffer, &record) != RING_OK)
				break;
			position = record.following;
		}
		for (int i = 0; i < 40; i++)
			ring_read_copy(
			    r, (random >> i) % (4 * SIZE), buffer, sizeof buffer, &record);
		ring_seek_after(&s, r, "a", 1, random % 2 ? 0 : NOW << 16);
		for (int i = 0; i < 1000 && ring_seek_step(&s, 50) == RING_MORE; i++)
			assert_true(i < 999);
		ring_seek_next(r, "a", 1, ring_hash(r, "a", 1), s.position, s.id, &next, &next_id);
		ring_seek_time(r, NOW - 1, &cursor);
		for (int i = 0; i < 300 && ring_seek_list(r, &place, 100, &channel) != RING_NONE;
		     i++)
			assert_true(i < 299);
	}
	ring_write_close(w);
}

static void
ring_is_refused_with_a_named_error_when_its_head_is_wrong(void **state)
{
	struct ring_write *w = ring_new(), *second;
	struct ring *r = ring_write_ring(w), reader;
	struct ring_geometry *g = (struct ring_geometry *)(void *)(r->segment.base + 64);
	int fd = segment_reader(&r->segment);

	(void)state;
	g->size *= 2;
	assert_int_equal(ring_attach(&reader, fd), SEGMENT_SIZE);
	g->size = 12345;
	assert_int_equal(ring_attach(&reader, fd), SEGMENT_SIZE);
	g->size = SIZE;
	g->log_offset += 8;
	assert_int_equal(ring_attach(&reader, fd), SEGMENT_SIZE);
	g->log_offset -= 8;
	r->segment.base[8]++;
	assert_int_equal(ring_attach(&reader, fd), SEGMENT_VERSION);
	r->segment.base[8]--;
	assert_int_equal(ring_attach(&reader, dup(fd)), SEGMENT_OK);
	ring_close(&reader);
	r->words->oldest = 1; /* what no order of stores can leave behind */
	r->words->intent = 10 * SIZE;
	assert_int_equal(ring_write_adopt(&second, dup(r->segment.fd)), RING_ADOPT_CORRUPT);
	ring_write_close(w);
}

static void
ring_readers_cannot_write(void **state)
{
	struct ring_write *w = ring_new();
	struct ring reader;

	(void)state;
	assert_int_equal(
	    ring_attach(&reader, dup(segment_reader(&ring_write_ring(w)->segment))), SEGMENT_OK);
	assert_int_equal(mprotect(reader.segment.base, 4096, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(errno, EACCES);
	ring_close(&reader);
	ring_write_close(w);
}

static void
ring_siphash_gives_the_authors_vectors(void **state)
{
	uint64_t key[2], hash[2];
	unsigned char bytes[64];

	(void)state;
	for (unsigned i = 0; i < 64; i++)
		bytes[i] = (unsigned char)i;
	memcpy(key, bytes, 16);
	assert_int_equal(siphash_64(key, bytes, 0), 0x726fdb47dd0e0e31);
	assert_int_equal(siphash_64(key, bytes, 15), 0xa129ca6149be45e5);
	siphash_128(key, bytes, 0, hash);
	assert_memory_equal(
	    hash, "\xa3\x81\x7f\x04\xba\x25\xa8\xe6\x6d\xf6\x72\x14\xc7\x55\x02\x93", 16);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ring_shows_a_batch_only_after_commit),
	    cmocka_unit_test(ring_returns_every_part_of_an_event),
	    cmocka_unit_test(ring_refuses_what_breaks_a_limit),
	    cmocka_unit_test(ring_batch_that_fits_enters_whole),
	    cmocka_unit_test(ring_ids_never_go_back),
	    cmocka_unit_test(ring_remembers_keys_as_long_as_their_records),
	    cmocka_unit_test(ring_gap_is_told_exactly_after_lapping),
	    cmocka_unit_test(ring_keeps_the_record_behind_an_unused_end),
	    cmocka_unit_test(ring_tells_no_gap_of_a_channel_that_was_quiet),
	    cmocka_unit_test(ring_tells_no_gap_of_a_deletion_that_was_lapped),
	    cmocka_unit_test(ring_tells_a_gap_to_lapped_channels_whose_entry_was_taken),
	    cmocka_unit_test(ring_gives_two_channels_of_one_hash_one_entry),
	    cmocka_unit_test(ring_forgets_a_channel_and_says_so),
	    cmocka_unit_test(ring_tells_a_gap_to_evicted_channels),
	    cmocka_unit_test(ring_remembers_the_id_of_what_it_evicted),
	    cmocka_unit_test(ring_follows_a_channel_until_its_entry_is_evicted),
	    cmocka_unit_test(ring_lists_channels),
	    cmocka_unit_test(ring_notices_every_damaged_bit),
	    cmocka_unit_test(ring_survives_any_bytes),
	    cmocka_unit_test(ring_is_refused_with_a_named_error_when_its_head_is_wrong),
	    cmocka_unit_test(ring_readers_cannot_write),
	    cmocka_unit_test(ring_siphash_gives_the_authors_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
