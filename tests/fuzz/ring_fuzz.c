/*
 * ring_fuzz.c: shared memory whose bytes were changed by somebody else. Readers of a damaged ring detect it or answer what
 * was written, within bounds, and end; a successor that adopts one refuses or can go on; a connection table that a worker left
 * behind is refused or can be begun anew. Nobody asserts on it.
 *
 * Input: how many events (1), then for each what and how long (2); which of the three (1); then damage: place (2), how (1), value (1).
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/ring_read.h"
#include "shm/ring_seek.h"
#include "shm/ring_write.h"
#include "shm/slots.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())
#define STEPS_MAX 100000
#define WORDS_AT 4096 /* of a ring: before it lies what attaching checks */
#define NOW_MS UINT64_C(1763856000000)

struct tape {
	const uint8_t *at;
	size_t left;
};

static unsigned
tape_byte(struct tape *t)
{
	if (t->left == 0)
		return 0;
	t->left--;
	return *t->at++;
}

static const struct record_slice names[] = {{"a", 1}, {"b", 1}, {"news.today", 10}};

static void
publish(struct ring_write *w, struct tape *t)
{
	static char data[8192];
	const unsigned what = tape_byte(t);
	const struct ring_write_event e = {.channels = names + what % 3,
	    .channels_count = 1 + (what >> 2) % (3 - what % 3),
	    .type = {"message", 7},
	    .data = {data, tape_byte(t) * (size_t)(1 + (what & 31))},
	    .key = {"key", (what & 64) != 0 ? 3 : 0},
	    .kind = (enum record_kind)(what % 3),
	    .now_ms = NOW_MS + what};
	uint64_t id;

	memset(data, (int)what, sizeof data);
	if ((what & 128) != 0)
		ring_write_forget(w, names[what % 3], 0, NOW_MS + what, &id);
	else
		ring_write_append(w, &e, &id);
	ring_write_commit(w);
}

/* Changes bytes from `from` on, most of them where something is. Returns how many changes there were. */
static unsigned
damage(struct tape *t, unsigned char *base, size_t from, size_t len)
{
	unsigned changes = 0;

	for (; t->left >= 4 && changes < 64; changes++) {
		const size_t place = tape_byte(t) | tape_byte(t) << 8;
		const unsigned how = tape_byte(t);
		/* Heads and tables are at the front, and so are records of a young log. */
		size_t at = (how & 3) == 0   ? place * len / 65536
			    : (how & 3) == 1 ? place % 4096
			    : (how & 3) == 2 ? place % 32768
					     : len / 2 + place % (len / 2);

		at = from + at % (len - from);
		switch (how >> 2 & 3) {
		case 0:
			base[at] ^= (unsigned char)tape_byte(t);
			break;
		case 1:
			base[at] = (unsigned char)tape_byte(t);
			break;
		case 2: /* a word */
			memset(base + (at & ~(size_t)7), (int)tape_byte(t), at + 8 <= len ? 8 : 1);
			break;
		default: { /* moved from elsewhere */
			const size_t other =
			    from + (place * 8 + tape_byte(t) * 64) % (len - from - 64);

			memmove(base + (at + 64 <= len ? at & ~(size_t)7 : from),
			    base + (other & ~(size_t)7), 56);
		}
		}
	}
	return changes;
}

static void
check_slice(struct record_slice s, const unsigned char *bytes, size_t cap)
{
	const unsigned char *at = (const unsigned char *)s.bytes;

	CHECK(s.len == 0 || (at >= bytes && at + s.len <= bytes + cap));
}

/* Everything that is read of one place. */
static enum ring_result
read_at(const struct ring *r, uint64_t position, struct record *record)
{
	const size_t cap = RECORD_HEAD_BYTES_MAX + 8192 * 32;
	unsigned char *bytes = malloc(cap);
	enum ring_result result;

	CHECK(bytes != NULL);
	result = ring_read_peek(r, position, bytes, RECORD_HEAD_BYTES_MAX, record);
	CHECK(result == RING_OK || result == RING_NONE || result == RING_LAPPED ||
	      result == RING_CORRUPT);
	result = ring_read_copy(r, position, bytes, cap, record);
	CHECK(result == RING_OK || result == RING_NONE || result == RING_LAPPED ||
	      result == RING_CORRUPT || result == RING_NEED);
	if (result == RING_OK) {
		CHECK(
		    record->following > position && record->channels_count <= LIMIT_EVENT_CHANNELS);
		check_slice(record->type, bytes, cap);
		check_slice(record->data, bytes, cap);
		check_slice(record->attrs, bytes, cap);
		for (unsigned i = 0; i < record->channels_count; i++)
			check_slice(record->channels[i].name, bytes, cap);
		/* The sums tell what was written: the data is of one byte. */
		for (size_t i = 1; i < record->data.len; i++)
			CHECK(record->data.bytes[i] == record->data.bytes[0]);
	}
	free(bytes);
	return result;
}

static void
seek_all(const struct ring *r, uint64_t cursor)
{
	struct ring_seek s;
	struct ring_seek_channel channel;
	struct ring_read_link link;
	uint64_t next, next_id, place = 0;
	enum ring_result result;
	unsigned steps;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const uint64_t hash = ring_hash(r, names[i].bytes, names[i].len);

		for (int last = 0; last < 2; last++) {
			if (last)
				ring_seek_last(&s, r, names[i].bytes, names[i].len, 1 + cursor % 7);
			else
				ring_seek_after(&s, r, names[i].bytes, names[i].len, cursor);
			for (steps = 0; (result = ring_seek_step(&s, 16)) == RING_MORE; steps++)
				CHECK(steps < STEPS_MAX);
			CHECK(result == RING_OK || result == RING_NONE || result == RING_CORRUPT);
			for (steps = 0; result == RING_OK && steps < 200; steps++) {
				(void)ring_read_link(r, s.position, UINT64_MAX, hash,
				    names[i].bytes, names[i].len, &link);
				result = ring_seek_next(r, names[i].bytes, names[i].len, hash,
				    s.position, s.id, &next, &next_id);
				CHECK(result != RING_OK || next_id > s.id);
				s.position = next;
				s.id = next_id;
			}
		}
		(void)ring_seek_channel(r, names[i].bytes, names[i].len, 100, &channel);
	}
	for (steps = 0;
	     (result = ring_seek_list(r, &place, 100, &channel)) == RING_OK || result == RING_MORE;
	     steps++)
		CHECK(steps < STEPS_MAX &&
		      (result == RING_MORE || channel.name_len <= LIMIT_CHANNEL_NAME_BYTES));
	for (uint64_t ms = NOW_MS - 1; ms < NOW_MS + 300; ms += 60)
		(void)ring_seek_time(r, ms, &next);
}

static void
read_all(const struct ring *r)
{
	struct record record;
	uint64_t position = ring_read_oldest(r), id = 0;
	unsigned steps = 0;

	(void)ring_read_now(r, &(uint64_t){0}, &(uint64_t){0});
	while (steps++ < STEPS_MAX / 100 && read_at(r, position, &record) == RING_OK) {
		if (steps == 3)
			seek_all(r, record.id);
		id = record.id;
		position = record.following;
	}
	for (unsigned i = 0; i < 8; i++)
		(void)read_at(r, position + i * 8, &record);
	seek_all(r, 0);
	seek_all(r, id);
	seek_all(r, UINT64_MAX);
}

/* A reader's ring in memory of exactly its size, so that a read past its end is seen. */
static void
damage_ring(struct ring_write *w, struct tape *t)
{
	const struct ring *r = ring_write_ring(w);
	const size_t len = r->segment.bytes;
	unsigned char *base = aligned_alloc(4096, len);
	struct ring copy = *r;

	CHECK(base != NULL);
	memcpy(base, r->segment.base, len);
	damage(t, base, WORDS_AT, len);
	copy.segment.base = base;
#define MOVED(pointer) ((void *)(base + ((unsigned char *)(uintptr_t)(pointer)-r->segment.base)))
	copy.geometry = MOVED(r->geometry);
	copy.words = MOVED(r->words);
	copy.blocks = MOVED(r->blocks);
	copy.index = MOVED(r->index);
	copy.log = MOVED(r->log);
#undef MOVED
	read_all(&copy);
	free(base);
}

/* The writer is gone in the middle of something worse than a death. */
static void
damage_and_adopt(struct ring_write *w, struct tape *t)
{
	const struct segment *segment = &ring_write_ring(w)->segment;
	const int fd = fcntl(segment->fd, F_DUPFD_CLOEXEC, 0);
	const int fd_reader = fcntl(segment->fd, F_DUPFD_CLOEXEC, 0);
	struct ring_write *successor = NULL;
	struct ring reader = {0};
	uint64_t id;

	CHECK(fd != -1 && fd_reader != -1);
	damage(t, segment->base, (tape_byte(t) & 1) != 0 ? 0 : WORDS_AT, segment->bytes);
	ring_write_close(w);
	if (ring_attach(&reader, fd_reader) == SEGMENT_OK) {
		read_all(&reader);
		ring_close(&reader);
	} else {
		close(fd_reader);
	}
	if (ring_write_adopt(&successor, fd) != 0) {
		close(fd);
		return;
	}
	for (int i = 0; i < 3; i++) {
		const struct ring_write_event e = {.channels = names,
		    .channels_count = 1,
		    .type = {"message", 7},
		    .data = {"x", 1},
		    .kind = RECORD_TEXT,
		    .now_ms = NOW_MS};
		const uint64_t tail = ring_read_tail(ring_write_ring(successor));
		struct record record;

		if (ring_write_append(successor, &e, &id) != RING_OK)
			break;
		ring_write_commit(successor);
		CHECK(read_at(ring_write_ring(successor), tail, &record) == RING_OK &&
		      record.id == id);
	}
	read_all(ring_write_ring(successor));
	ring_write_close(successor);
}

static void
damage_slots(struct tape *t)
{
	struct slots s, other;
	int fd;

	CHECK(slots_create(&s, 100, 100) == SEGMENT_OK);
	for (int i = 0; i < 20; i++) {
		const uint32_t slot = slots_take(&s);

		s.table[slot].state = 1;
		slots_sends_add(&s, slot);
		if ((tape_byte(t) & 1) != 0)
			slots_release(&s, slot);
	}
	fd = fcntl(s.segment.fd, F_DUPFD_CLOEXEC, 0);
	CHECK(fd != -1);
	damage(t, s.segment.base, 0, s.segment.bytes);
	if (slots_attach(&other, fd, true) == SEGMENT_OK) {
		for (uint32_t slot = 0; slot < 120; slot++)
			(void)slots_get_generation(&other, slot, 1);
		slots_reset(&other);
		for (int i = 0; i < 120; i++) {
			const uint32_t slot = slots_take(&other);

			CHECK(slot < other.head->max &&
			      (slot == 0 || slots_get(&other, slot) != NULL));
		}
		slots_close(&other);
	} else {
		close(fd);
	}
	slots_close(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tape t = {data, size};
	struct ring_write *w;
	unsigned events;

	if (size < 4 || size > 1024)
		return 0;
	events = tape_byte(&t);
	if (events % 4 == 3) {
		damage_slots(&t);
		return 0;
	}
	CHECK(ring_write_create(&w, LIMIT_RING_BYTES_MIN, NOW_MS) == 0);
	for (unsigned i = events / 4; i != 0; i--)
		publish(w, &t);
	if (events % 4 == 2) {
		damage_and_adopt(w, &t);
	} else {
		damage_ring(w, &t);
		ring_write_close(w);
	}
	return 0;
}
