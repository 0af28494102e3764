/*
 * channel.c: the table of channels and their members.
 */
#include "worker/channel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "worker/extra.h"
#include "worker/wave.h"
#include "worker/worker.h"

#define TABLE_MIN 64
#define MEMBERS_MIN 2
#define FILTER_GONE_MIN \
	64 /* channels gone that the filter may still tell of, beyond as many as are here */

static_assert(CHANNEL_WAVES == DIALECTS_WAVED - 1, "a wave for each dialect that streams");
static_assert(
    sizeof((struct channel *)0)->counts / sizeof(uint32_t) == DIALECTS, "a count for each dialect");

/* ---- the table ------------------------------------------------------------------------------- */

static uint32_t
home_of(const struct channels *t, uint64_t hash)
{
	return (uint32_t)hash & (t->table_cap - 1);
}

struct channel *
channel_at(struct worker *w, uint32_t index)
{
	struct channel *c = w->channels.by_index[index];

	assert(c != NULL);
	return c;
}

struct channel *
channel_find(struct worker *w, uint64_t hash, struct slice name)
{
	struct channels *t = &w->channels;

	if (t->count == 0)
		return NULL;
	for (uint32_t at = home_of(t, hash); t->table[at] != CHANNEL_NONE;
	     at = (at + 1) & (t->table_cap - 1)) {
		struct channel *c = t->by_index[t->table[at]];

		if (c->hash == hash && slice_equal(channel_name(c), name))
			return c;
	}
	return NULL;
}

static void
table_put(struct channels *t, uint64_t hash, uint32_t index)
{
	uint32_t at = home_of(t, hash);

	while (t->table[at] != CHANNEL_NONE)
		at = (at + 1) & (t->table_cap - 1);
	t->table[at] = index;
}

/* Linear probing without tombstones: what follows the gap moves up if its home allows. */
static void
table_remove(struct channels *t, const struct channel *c)
{
	const uint32_t mask = t->table_cap - 1;
	uint32_t gap = home_of(t, c->hash);

	while (t->table[gap] != c->index)
		gap = (gap + 1) & mask;
	for (uint32_t at = (gap + 1) & mask; t->table[at] != CHANNEL_NONE; at = (at + 1) & mask) {
		const uint32_t home = home_of(t, t->by_index[t->table[at]]->hash);

		if (((at - home) & mask) >= ((at - gap) & mask)) {
			t->table[gap] = t->table[at];
			gap = at;
		}
	}
	t->table[gap] = CHANNEL_NONE;
}

static bool
table_grow(struct channels *t)
{
	const uint32_t cap = t->table_cap == 0 ? TABLE_MIN : t->table_cap * 2;
	uint32_t *table;

	if (t->table_cap != 0 && t->count < t->table_cap / 2)
		return true;
	table = calloc(cap, sizeof *table);
	if (table == NULL)
		return false;
	free(t->table);
	t->table = table;
	t->table_cap = cap;
	for (uint32_t i = 1; i < t->index_count; i++)
		if (t->by_index[i] != NULL)
			table_put(t, t->by_index[i]->hash, i);
	return true;
}

/* An index that is not used, with room kept for giving it back. 0: no memory. */
static uint32_t
index_take(struct channels *t)
{
	if (t->free_count != 0)
		return t->free_indexes[--t->free_count];
	if (t->index_count == t->index_cap) {
		const uint32_t cap = t->index_cap == 0 ? TABLE_MIN : t->index_cap * 2;
		struct channel **by_index = realloc(t->by_index, cap * sizeof(struct channel *));
		uint32_t *free_indexes;

		if (by_index == NULL)
			return 0;
		t->by_index = by_index;
		free_indexes = realloc(t->free_indexes, cap * sizeof *free_indexes);
		if (free_indexes == NULL)
			return 0;
		t->free_indexes = free_indexes;
		t->index_cap = cap;
		if (t->index_count == 0)
			t->by_index[t->index_count++] = NULL;
	}
	t->by_index[t->index_count] = NULL;
	return t->index_count++;
}

struct channel *
channel_make(struct worker *w, struct slice name)
{
	struct channels *t = &w->channels;
	const uint64_t hash = ring_hash(&w->ring, name.bytes, name.len);
	struct channel *c = channel_find(w, hash, name);
	const struct rule *rule;

	if (c != NULL)
		return c;
	c = calloc(1, sizeof *c);
	if (c == NULL || !table_grow(t) || (c->name = malloc(name.len)) == NULL ||
	    (c->index = index_take(t)) == 0) {
		if (c != NULL)
			free(c->name);
		free(c);
		return NULL;
	}
	memcpy(c->name, name.bytes, name.len);
	c->name_len = (uint8_t)name.len;
	c->hash = hash;
	c->known_from = w->read_id;
	rule = settings_rule(&w->settings, name);
	c->lag = rule == NULL ? RULE_GAP : (uint8_t)rule->lag;
	t->by_index[c->index] = c;
	table_put(t, hash, c->index);
	t->count++;
	board_filter_add(&w->board, hash);
	return c;
}

static void
channel_free(struct worker *w, struct channel *c)
{
	for (uint32_t i = 0; i < c->more_cap; i++)
		free(c->more[i]);
	for (uint32_t i = 0; i < CHANNEL_WAVES; i++)
		wave_free(w, c->waves[i]);
	free(c->more);
	free(c->first);
	free(c->name);
	free(c);
}

static void
filter_rebuild(struct worker *w)
{
	struct channels *t = &w->channels;

	t->gone = 0;
	board_filter_clear(&w->board);
	for (uint32_t i = 1; i < t->index_count; i++)
		if (t->by_index[i] != NULL)
			board_filter_add(&w->board, t->by_index[i]->hash);
}

void
channel_drop_if_empty(struct worker *w, struct channel *c)
{
	struct channels *t = &w->channels;

	/* A channel in the round is dropped by the round, when it comes to it. */
	if (c->member_count != 0 || c->in_round)
		return;
	table_remove(t, c);
	t->by_index[c->index] = NULL;
	t->free_indexes[t->free_count++] = c->index;
	t->count--;
	channel_free(w, c);
	/* A filter forgets nothing; once it tells of more that are gone than are here, it is made anew. */
	if (++t->gone > t->count + FILTER_GONE_MIN)
		filter_rebuild(w);
}

void
channel_refresh_rules(struct worker *w)
{
	for (uint32_t i = 1; i < w->channels.index_count; i++) {
		struct channel *c = w->channels.by_index[i];
		const struct rule *rule;

		if (c == NULL)
			continue;
		rule = settings_rule(&w->settings, channel_name(c));
		c->closed = rule == NULL || rule->subscribe != RULE_ANYONE;
		if (rule != NULL)
			c->lag = (uint8_t)rule->lag;
	}
}

void
channel_free_all(struct worker *w)
{
	for (uint32_t i = 1; i < w->channels.index_count; i++)
		if (w->channels.by_index[i] != NULL)
			channel_free(w, w->channels.by_index[i]);
	free(w->channels.by_index);
	free(w->channels.free_indexes);
	free(w->channels.table);
	w->channels = (struct channels){0};
}

/* ---- members --------------------------------------------------------------------------------- */

static uint32_t *
place_of(const struct channel *c, uint32_t member)
{
	if (member < CHANNEL_CHUNK)
		return &c->first[member];
	return &c->more[member / CHANNEL_CHUNK - 1][member % CHANNEL_CHUNK];
}

uint32_t
channel_member(const struct channel *c, uint32_t member)
{
	return *place_of(c, member);
}

/* Makes room for one member more: the first chunk grows, later ones come whole, so that nothing large is ever copied. */
static bool
members_grow(struct channel *c)
{
	const uint32_t chunk = c->member_count / CHANNEL_CHUNK;

	if (c->member_count < CHANNEL_CHUNK) {
		const uint32_t cap = c->first_cap == 0 ? MEMBERS_MIN : c->first_cap * 2;
		uint32_t *first;

		if (c->member_count < c->first_cap)
			return true;
		first = realloc(c->first, cap * sizeof *first);
		if (first == NULL)
			return false;
		c->first = first;
		c->first_cap = cap;
		return true;
	}
	if (chunk > c->more_cap) {
		const uint32_t cap = c->more_cap == 0 ? 4 : c->more_cap * 2;
		uint32_t **more = realloc(c->more, cap * sizeof *more);

		if (more == NULL)
			return false;
		memset(more + c->more_cap, 0, (cap - c->more_cap) * sizeof *more);
		c->more = more;
		c->more_cap = cap;
	}
	if (c->more[chunk - 1] == NULL)
		c->more[chunk - 1] = malloc(CHANNEL_CHUNK * sizeof(uint32_t));
	return c->more[chunk - 1] != NULL;
}

bool
channel_join(struct worker *w, struct channel *c, uint32_t slot, uint8_t dialect, uint32_t *member)
{
	if (!members_grow(c))
		return false;
	*member = c->member_count++;
	*place_of(c, *member) = slot;
	c->counts[dialect]++;
	board_add(&w->board, BOARD_SUBSCRIPTIONS, 1);
	return true;
}

/* The connection that was moved within the members is told its new place. */
static void
member_moved(struct worker *w, const struct channel *c, uint32_t slot, uint32_t member)
{
	struct slot *s = worker_slot(w, slot);
	struct sub *sub = extra_sub(w, s, c->index);

	if (sub != NULL)
		sub->member = member;
	else
		s->member = member;
}

void
channel_leave(struct worker *w, struct channel *c, uint32_t member, uint8_t dialect)
{
	const uint32_t last = --c->member_count;

	if (member != last) {
		const uint32_t moved = *place_of(c, last);

		*place_of(c, member) = moved;
		member_moved(w, c, moved, member);
	}
	if (c->pass_left > c->member_count)
		c->pass_left = c->member_count;
	if (last >= CHANNEL_CHUNK && last % CHANNEL_CHUNK == 0) {
		free(c->more[last / CHANNEL_CHUNK - 1]);
		c->more[last / CHANNEL_CHUNK - 1] = NULL;
	}
	c->counts[dialect]--;
	board_sub(&w->board, BOARD_SUBSCRIPTIONS, 1);
	channel_drop_if_empty(w, c);
}
