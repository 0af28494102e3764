/*
 * ring_oracle.h: what the ring must answer, computed from the full history of what was appended, by
 * plain loops.
 *
 * It knows the rules of CONTRACT and design only: where records lie (its own arithmetic), what is
 * kept, what a channel's first and next events are, and when there is a gap. Nothing of it is
 * shared with the code under test.
 */
#ifndef TESTS_RING_ORACLE_H
#define TESTS_RING_ORACLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/ring_read.h"
#include "shm/ring_seek.h"
#include "shm/ring_write.h"

#define ORACLE_CHANNELS 6
#define ORACLE_BIRTH_MS UINT64_C(1763856000000)

struct oracle_event {
	uint64_t id, time_ms, position, length;
	uint64_t prev_id[ORACLE_CHANNELS], back[ORACLE_CHANNELS];
	unsigned channels; /* a bit each */
	bool forget, committed;
	uint32_t data_len;
	uint64_t key; /* 0 = none */
};

struct oracle {
	struct oracle_event *events;
	size_t count, cap;
	uint64_t size, head, intent, published, lost_id, last_id, settled, last_ms;
	unsigned long random;
	const char *failed; /* first difference */
};

static const char *const oracle_names[ORACLE_CHANNELS] = {
    "news", "sport", "a", "a channel of a longer name", "b", "\xc3\xbcml"};

static inline uint64_t
oracle_random(struct oracle *o, uint64_t below)
{
	o->random = o->random * 6364136223846793005ul + 1442695040888963407ul;
	return (o->random >> 33) % below;
}

static inline void
oracle_init(struct oracle *o, uint64_t size, unsigned long seed)
{
	memset(o, 0, sizeof *o);
	o->size = size;
	o->head = o->intent = o->published = size;
	o->lost_id = o->last_id = o->settled = ORACLE_BIRTH_MS << 16;
	o->last_ms = ORACLE_BIRTH_MS;
	o->random = seed * 2654435761ul + 1;
}

static inline void
oracle_free(struct oracle *o)
{
	free(o->events);
}

static inline bool
oracle_kept(const struct oracle *o, const struct oracle_event *e)
{
	return e->position + o->size >= o->intent;
}

/* The channel's last event before index `i`, kept or not; no event is older than the ring. */
static inline uint64_t
oracle_before(const struct oracle *o, size_t i, unsigned channel)
{
	while (i-- > 0) {
		if ((o->events[i].channels >> channel & 1) && !o->events[i].forget)
			return o->events[i].id;
	}
	return ORACLE_BIRTH_MS << 16;
}

/* The channel's last record before index `i`, if it is kept at that time. */
static inline uint64_t
oracle_back(const struct oracle *o, size_t i, unsigned channel)
{
	while (i-- > 0) {
		if (o->events[i].channels >> channel & 1)
			return oracle_kept(o, &o->events[i]) ? o->events[i].position : 0;
	}
	return 0;
}

static inline void
oracle_append(struct oracle *o, unsigned channels, bool forget, uint64_t length, uint64_t now_ms,
    uint64_t id, uint32_t data_len, uint64_t key)
{
	uint64_t left = o->size - o->head % o->size;
	struct oracle_event *e;

	if (o->count == o->cap) {
		o->cap = o->cap == 0 ? 1024 : 2 * o->cap;
		o->events = realloc(o->events, o->cap * sizeof *o->events);
		if (o->events == NULL)
			abort();
	}
	e = &o->events[o->count];
	memset(e, 0, sizeof *e);
	if (left < 56 || left < length)
		o->head += left;
	e->position = o->head;
	e->length = length;
	o->head += length;
	o->intent = o->head > o->intent ? o->head : o->intent;
	e->channels = channels;
	e->forget = forget;
	e->data_len = data_len;
	e->key = key;
	o->last_ms = now_ms > o->last_ms ? now_ms : o->last_ms;
	e->time_ms = o->last_ms;
	e->id = id;
	if (e->id == 0)
		e->id = (now_ms << 16) > o->last_id ? now_ms << 16 : o->last_id + 1;
	o->last_id = e->id;
	for (size_t i = 0; i < o->count; i++) {
		if (!oracle_kept(o, &o->events[i]) && o->events[i].id > o->lost_id)
			o->lost_id = o->events[i].id;
	}
	for (unsigned c = 0; c < ORACLE_CHANNELS; c++) {
		if (!(channels >> c & 1))
			continue;
		e->prev_id[c] = oracle_before(o, o->count, c);
		e->back[c] = oracle_back(o, o->count, c);
	}
	o->count++;
}

static inline void
oracle_commit(struct oracle *o)
{
	for (size_t i = o->count; i-- > 0 && !o->events[i].committed;)
		o->events[i].committed = true;
	o->published = o->head;
	o->settled = o->last_id;
}

/* The writer died and another took over: what was not committed never was. */
static inline void
oracle_crash(struct oracle *o)
{
	while (o->count > 0 && !o->events[o->count - 1].committed)
		o->count--;
	o->head = o->published;
}

/* Indices of the channel's events that can be delivered, oldest first; answers how many. */
static inline size_t
oracle_list(const struct oracle *o, unsigned channel, size_t *list)
{
	size_t n = 0;

	for (size_t i = 0; i < o->count; i++) {
		const struct oracle_event *e = &o->events[i];

		if (!(e->channels >> channel & 1) || !e->committed)
			continue;
		if (e->forget)
			n = 0;
		else if (oracle_kept(o, e))
			list[n++] = i;
	}
	return n;
}

struct oracle_answer {
	bool found, gap, truly_gone;
	uint64_t id, position, resume_at;
};

static inline struct oracle_answer
oracle_seek(const struct oracle *o, unsigned channel, uint64_t cursor, const size_t *list, size_t n)
{
	struct oracle_answer a = {0};
	bool future = cursor > o->settled;
	uint64_t from = future ? 0 : cursor, lost = ORACLE_BIRTH_MS << 16;
	size_t forgot = 0;

	for (size_t i = 0; i < o->count; i++) {
		if (o->events[i].committed && o->events[i].forget &&
		    o->events[i].channels >> channel & 1)
			forgot = i + 1;
	}
	for (size_t i = 0; i < o->count; i++) {
		const struct oracle_event *e = &o->events[i];

		if (e->committed && (e->channels >> channel & 1) && !e->forget && e->id > from &&
		    (!oracle_kept(o, e) || i < forgot))
			a.truly_gone = true;
		/*
		 * The newest published record of the channel decides what is known of the time
		 * before it.
		 */
		if (e->committed && (e->channels >> channel & 1))
			lost = e->forget ? e->prev_id[channel] : oracle_kept(o, e) ? 0 : e->id;
	}
	for (size_t i = 0; i < n && !a.found; i++) {
		const struct oracle_event *e = &o->events[list[i]];

		if (e->id <= from)
			continue;
		a.found = true;
		a.id = e->id;
		a.position = e->position;
		a.gap = cursor != 0 && (future || e->prev_id[channel] > cursor);
		a.resume_at = e->prev_id[channel] > from ? e->prev_id[channel] : from;
	}
	if (!a.found) {
		a.gap = cursor != 0 && (future || cursor < lost);
		a.resume_at = from > o->settled ? from : o->settled;
	}
	return a;
}

/*
 * ---- comparing
 * -----------------------------------------------------------------------------------
 */

#define ORACLE_EXPECT(o, condition)                      \
	do {                                             \
		if (!(condition) && (o)->failed == NULL) \
			(o)->failed = #condition;        \
	} while (0)

static inline void
oracle_check_seek(struct oracle *o, const struct ring *r, unsigned channel, uint64_t cursor,
    const size_t *list, size_t n)
{
	const char *name = oracle_names[channel];
	struct oracle_answer want = oracle_seek(o, channel, cursor, list, n);
	enum ring_result result;
	struct ring_seek s;

	ring_seek_after(&s, r, name, strlen(name), cursor);
	do
		result = ring_seek_step(&s, 1 + (unsigned)oracle_random(o, 5));
	while (result == RING_MORE);
	ORACLE_EXPECT(o, result == (want.found ? RING_OK : RING_NONE));
	ORACLE_EXPECT(o, s.id == want.id);
	ORACLE_EXPECT(o, s.position == want.position);
	ORACLE_EXPECT(o, s.gap == want.gap);
	ORACLE_EXPECT(o, s.resume_at == want.resume_at);
	/* Whatever the rule says, nothing may be lost silently, and nothing else be told as lost. */
	if (cursor != 0 && cursor <= o->settled && cursor >= ORACLE_BIRTH_MS << 16)
		ORACLE_EXPECT(o, s.gap == want.truly_gone);
	ORACLE_EXPECT(o, cursor == 0 || !want.truly_gone || s.gap);
}

static inline void
oracle_check_last(struct oracle *o, const struct ring *r, unsigned channel, uint64_t count,
    const size_t *list, size_t n)
{
	const char *name = oracle_names[channel];
	enum ring_result result;
	struct ring_seek s;

	ring_seek_last(&s, r, name, strlen(name), count);
	while ((result = ring_seek_step(&s, 3)) == RING_MORE)
		;
	if (n == 0 || count == 0) {
		ORACLE_EXPECT(o, result == RING_NONE);
	} else {
		ORACLE_EXPECT(o, result == RING_OK);
		ORACLE_EXPECT(o, s.id == o->events[list[count >= n ? 0 : n - count]].id);
	}
	ORACLE_EXPECT(o, !s.gap);
}

static inline void
oracle_check_next(
    struct oracle *o, const struct ring *r, unsigned channel, const size_t *list, size_t n)
{
	const char *name = oracle_names[channel];
	uint64_t hash = ring_hash(r, name, strlen(name)), next, next_id;
	size_t len = strlen(name);

	for (size_t i = 0; i < n; i++) {
		const struct oracle_event *e = &o->events[list[i]];
		enum ring_result result =
		    ring_seek_next(r, name, len, hash, e->position, e->id, &next, &next_id);

		if (i + 1 == n) {
			ORACLE_EXPECT(o, result == RING_NONE);
		} else {
			ORACLE_EXPECT(o, result == RING_OK);
			ORACLE_EXPECT(o, next == o->events[list[i + 1]].position);
			ORACLE_EXPECT(o, next_id == o->events[list[i + 1]].id);
		}
	}
}

/* Whoever still stands on a forgotten record is sent to seek. */
static inline void
oracle_check_forgotten(struct oracle *o, const struct ring *r, unsigned channel)
{
	const char *name = oracle_names[channel];
	uint64_t hash = ring_hash(r, name, strlen(name)), next, next_id;
	size_t forgot = 0;

	for (size_t i = 0; i < o->count; i++) {
		if (o->events[i].committed && o->events[i].forget &&
		    o->events[i].channels >> channel & 1)
			forgot = i;
	}
	if (o->count == 0 || !oracle_kept(o, &o->events[forgot]))
		return;
	for (size_t i = 0; i < forgot; i++) {
		const struct oracle_event *e = &o->events[i];

		if ((e->channels >> channel & 1) && !e->forget && oracle_kept(o, e))
			ORACLE_EXPECT(o, ring_seek_next(r, name, strlen(name), hash, e->position,
					     e->id, &next, &next_id) == RING_LAPPED);
	}
}

static inline void
oracle_check_channel(
    struct oracle *o, const struct ring *r, unsigned channel, const size_t *list, size_t n)
{
	const char *name = oracle_names[channel];
	struct ring_seek_channel stats;
	enum ring_result result = ring_seek_channel(r, name, strlen(name), 1000000, &stats);

	ORACLE_EXPECT(o, result == RING_OK || (result == RING_NONE && n == 0));
	if (result == RING_OK) {
		ORACLE_EXPECT(o, stats.events == n);
		ORACLE_EXPECT(o, stats.newest_id == (n == 0 ? 0 : o->events[list[n - 1]].id));
		ORACLE_EXPECT(o, stats.counted_all && stats.name_len == strlen(name));
	}
}

/* All that is kept and published, read in order, with its bytes. */
static inline void
oracle_check_sequence(struct oracle *o, const struct ring *r)
{
	static _Alignas(8) unsigned char buffer[1 << 16];
	uint64_t position = ring_read_oldest(r);
	struct record record;
	enum ring_result result;

	for (size_t i = 0; i < o->count && o->events[i].committed; i++) {
		const struct oracle_event *e = &o->events[i];

		if (!oracle_kept(o, e))
			continue;
		result = ring_read_copy(r, position, buffer, sizeof buffer, &record);
		ORACLE_EXPECT(o, result == RING_OK);
		if (result != RING_OK)
			return;
		ORACLE_EXPECT(o, record.position == e->position && record.id == e->id);
		ORACLE_EXPECT(o, record.length == e->length && record.time_ms == e->time_ms);
		ORACLE_EXPECT(o, record.data.len == e->data_len);
		ORACLE_EXPECT(o, ((record.flags & RECORD_FORGET) != 0) == e->forget);
		for (size_t k = 0; k < record.data.len; k++)
			ORACLE_EXPECT(o, record.data.bytes[k] == (char)(e->data_len + k));
		for (unsigned c = 0, at = 0; c < ORACLE_CHANNELS; c++) {
			if (!(e->channels >> c & 1))
				continue;
			ORACLE_EXPECT(o, record.channels[at].name.len == strlen(oracle_names[c]));
			ORACLE_EXPECT(o, record.channels[at].prev_id == e->prev_id[c]);
			ORACLE_EXPECT(o, record.channels[at].back == e->back[c]);
			at++;
		}
		position = record.following;
	}
	ORACLE_EXPECT(o, ring_read_copy(r, position, buffer, sizeof buffer, &record) == RING_NONE);
}

static inline void
oracle_check_time(struct oracle *o, const struct ring *r, uint64_t time_ms)
{
	uint64_t cursor;
	bool first = true;

	ORACLE_EXPECT(o, ring_seek_time(r, time_ms, &cursor) == RING_OK);
	for (size_t i = 0; i < o->count && o->events[i].committed; i++) {
		const struct oracle_event *e = &o->events[i];

		if (!oracle_kept(o, e))
			continue;
		ORACLE_EXPECT(o, (e->id > cursor) == (e->time_ms >= time_ms));
		if (first && e->time_ms >= time_ms)
			ORACLE_EXPECT(o, cursor < time_ms << 16);
		first = false;
	}
}

/* Everything about every channel. */
static inline bool
oracle_check(struct oracle *o, const struct ring *r)
{
	size_t *list = calloc(o->count + 1, sizeof *list);

	if (list == NULL)
		abort();
	ORACLE_EXPECT(o, ring_last_id(r) == o->settled);
	oracle_check_sequence(o, r);
	for (unsigned c = 0; c < ORACLE_CHANNELS; c++) {
		size_t n = oracle_list(o, c, list);

		for (int i = 0; i < 4; i++) {
			uint64_t any = o->count == 0 ? 0 : o->events[oracle_random(o, o->count)].id;

			oracle_check_seek(o, r, c, any - oracle_random(o, 2), list, n);
			if (n != 0)
				oracle_check_seek(o, r, c,
				    o->events[list[oracle_random(o, n)]].id - oracle_random(o, 2),
				    list, n);
		}
		/* Who has all of it, however long it was quiet, and who lacks the last event. */
		oracle_check_seek(o, r, c, oracle_before(o, o->count, c), list, n);
		oracle_check_seek(o, r, c, oracle_before(o, o->count, c) - 1, list, n);
		oracle_check_seek(o, r, c, 0, list, n);
		oracle_check_seek(o, r, c, o->settled, list, n);
		oracle_check_seek(o, r, c, o->settled + 12345 + (UINT64_C(1) << 40), list, n);
		oracle_check_seek(o, r, c, o->lost_id, list, n);
		oracle_check_seek(o, r, c, o->lost_id - 1, list, n);
		oracle_check_last(o, r, c, oracle_random(o, 8), list, n);
		oracle_check_next(o, r, c, list, n);
		oracle_check_forgotten(o, r, c);
		oracle_check_channel(o, r, c, list, n);
	}
	oracle_check_time(
	    o, r, ORACLE_BIRTH_MS + oracle_random(o, o->last_ms - ORACLE_BIRTH_MS + 3));
	free(list);
	return o->failed == NULL;
}

/*
 * ---- driving both
 * --------------------------------------------------------------------------------
 */

/* A random event into writer and oracle. */
static inline enum ring_result
oracle_step(struct oracle *o, struct ring_write *w, uint64_t now_ms, uint32_t data_max)
{
	char data[1 << 14];
	struct record_slice channels[ORACLE_CHANNELS];
	struct ring_write_event e = {
	    .channels = channels, .type = {"message", 7}, .now_ms = now_ms};
	/* The first channel is busy, the last one is hardly ever heard of. */
	unsigned bits =
	    1u << (oracle_random(o, 64) == 0 ? 5 : oracle_random(o, 3) * oracle_random(o, 3));
	uint64_t id, key = 0, length;
	enum ring_result result;
	char text[32];

	if (oracle_random(o, 4) == 0)
		bits |= (unsigned)oracle_random(o, 32);
	for (unsigned c = 0; c < ORACLE_CHANNELS; c++) {
		if (bits >> c & 1)
			channels[e.channels_count++] =
			    (struct record_slice){oracle_names[c], strlen(oracle_names[c])};
	}
	e.data = (struct record_slice){data, oracle_random(o, data_max)};
	for (size_t k = 0; k < e.data.len; k++)
		data[k] = (char)(e.data.len + k);
	if (oracle_random(o, 3) == 0) {
		key = 1 + oracle_random(o, 400);
		e.key.bytes = text;
		e.key.len = (size_t)snprintf(text, sizeof text, "key %lu", (unsigned long)key);
	}
	if (oracle_random(o, 50) == 0)
		e.id = o->last_id + 1 + oracle_random(o, 100);
	for (size_t i = 0; i < o->count && key != 0; i++) {
		if (o->events[i].key == key && oracle_kept(o, &o->events[i])) {
			result = ring_write_append(w, &e, &id);
			ORACLE_EXPECT(o, result == RING_DUPLICATE && id == o->events[i].id);
			return result;
		}
	}
	length = ring_write_size(w, &e);
	result = ring_write_append(w, &e, &id);
	ORACLE_EXPECT(o, result == RING_OK || result == RING_TOO_LARGE);
	if (result == RING_OK) {
		oracle_append(o, bits, false, length, now_ms, e.id, (uint32_t)e.data.len, key);
		ORACLE_EXPECT(o, id == o->last_id);
	}
	return result;
}

/* An event of one channel into both. */
static inline void
oracle_say(
    struct oracle *o, struct ring_write *w, unsigned channel, uint64_t now_ms, uint32_t data_len)
{
	char data[1 << 10];
	struct record_slice name = {oracle_names[channel], strlen(oracle_names[channel])};
	struct ring_write_event e = {.channels = &name,
	    .channels_count = 1,
	    .type = {"message", 7},
	    .data = {data, data_len},
	    .now_ms = now_ms};
	uint64_t id;

	for (uint32_t k = 0; k < data_len; k++)
		data[k] = (char)(data_len + k);
	ORACLE_EXPECT(o, ring_write_append(w, &e, &id) == RING_OK);
	oracle_append(o, 1u << channel, false, ring_write_size(w, &e), now_ms, 0, data_len, 0);
	ORACLE_EXPECT(o, id == o->last_id);
}

static inline void
oracle_forget(struct oracle *o, struct ring_write *w, unsigned channel, uint64_t now_ms)
{
	struct record_slice name = {oracle_names[channel], strlen(oracle_names[channel])};
	struct ring_write_event e = {.channels = &name, .channels_count = 1};
	uint64_t id;

	oracle_commit(o);
	ORACLE_EXPECT(o, ring_write_forget(w, name, 0, now_ms, &id) == RING_OK);
	oracle_append(o, 1u << channel, true, ring_write_size(w, &e), now_ms, 0, 0, 0);
	ORACLE_EXPECT(o, id == o->last_id);
	oracle_commit(o);
}

#endif
