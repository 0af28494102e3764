/*
 * channel_test.c: the table of channels and their members against a plain model, through growth and emptiness; waves, which
 * are kept short without moving a frame's meaning; extras, which are pooled.
 */
#include "worker/channel.h"

#include "tests/unit/worker/worker_fixture.h"
#include "worker/wave.h"

static uint32_t
pick(struct fixture *f, uint32_t below)
{
	return worker_random(f->w, below);
}

static struct slice
name_of(unsigned n, char *text, size_t size)
{
	return slice_of(text, (size_t)snprintf(text, size, "channel-%u", n));
}

static struct channel *
find(struct fixture *f, unsigned n)
{
	char text[32];
	const struct slice name = name_of(n, text, sizeof text);

	return channel_find(f->w, ring_hash(&f->w->ring, name.bytes, name.len), name);
}

/* Slots that are nobody's connection: members as the table sees them. */
static uint32_t
slot_new(struct fixture *f)
{
	const uint32_t slot = slots_take(&f->w->slots);

	assert_int_not_equal(slot, 0);
	return slot;
}

static void
slots_give_back(struct fixture *f)
{
	for (uint32_t slot = 1; slot < f->w->slots.head->touched; slot++)
		if (f->w->slots.table[slot].state == CONN_HEAD) {
			f->w->slots.table[slot].state = CONN_FREE;
			slots_release(&f->w->slots, slot);
		}
}

static void
channel_members_are_those_who_joined_and_did_not_leave(void **state)
{
	struct fixture *f = *state;
	enum { SLOTS = 3500, ROUNDS = 30000 };
	bool *in = calloc(FIXTURE_SLOTS, sizeof *in), *seen = calloc(FIXTURE_SLOTS, sizeof *seen);
	uint32_t slots[SLOTS], members = 0;

	assert_non_null(in);
	assert_non_null(seen);
	for (unsigned i = 0; i < SLOTS; i++)
		slots[i] = slot_new(f);
	for (unsigned round = 0; round < ROUNDS; round++) {
		/* First mostly joining, beyond two chunks, then mostly leaving, down to none. */
		const uint32_t slot = slots[pick(f, SLOTS)];
		struct slot *s = worker_slot(f->w, slot);

		if (in[slot] && pick(f, 4) < (round < ROUNDS / 2 ? 1u : 4u)) {
			struct channel *c = find(f, 1);

			s->channel = CHANNEL_NONE;
			channel_leave(f->w, c, s->member, DIALECT_WS);
			in[slot] = false;
			members--;
		} else if (!in[slot] && round < ROUNDS / 2) {
			struct channel *c = channel_make(f->w, SLICE_LITERAL("channel-1"));

			assert_non_null(c);
			assert_true(channel_join(f->w, c, slot, DIALECT_WS, &s->member));
			s->channel = c->index;
			in[slot] = true;
			members++;
		}
		if (round % 1000 != 0 && round != ROUNDS - 1)
			continue;
		if (members == 0) {
			assert_null(find(f, 1));
			continue;
		}
		memset(seen, 0, FIXTURE_SLOTS * sizeof *seen);
		assert_int_equal(find(f, 1)->member_count, members);
		assert_int_equal(find(f, 1)->counts[DIALECT_WS], members);
		for (uint32_t i = 0; i < members; i++) {
			const uint32_t member = channel_member(find(f, 1), i);

			assert_true(in[member] && !seen[member]);
			assert_int_equal(worker_slot(f->w, member)->member, i);
			seen[member] = true;
		}
	}
	for (unsigned i = 0; i < SLOTS; i++)
		if (in[slots[i]])
			channel_leave(
			    f->w, find(f, 1), worker_slot(f->w, slots[i])->member, DIALECT_WS);
	assert_null(find(f, 1));
	assert_int_equal(f->w->channels.count, 0);
	free(in);
	free(seen);
}

static void
channel_table_finds_what_is_there_and_only_that(void **state)
{
	struct fixture *f = *state;
	enum { NAMES = 3000 };
	bool *there = calloc(NAMES, sizeof *there);
	const uint32_t slot = slot_new(f);
	unsigned count = 0;

	assert_non_null(there);
	for (unsigned round = 0; round < 20000; round++) {
		const unsigned n = pick(f, NAMES);
		char text[32];

		if (there[n]) {
			channel_leave(f->w, find(f, n), 0, DIALECT_SSE);
			count--;
		} else {
			struct channel *c = channel_make(f->w, name_of(n, text, sizeof text));
			uint32_t member;

			assert_non_null(c);
			assert_ptr_equal(channel_at(f->w, c->index), c);
			assert_true(channel_join(f->w, c, slot, DIALECT_SSE, &member));
			assert_int_equal(member, 0);
			count++;
		}
		there[n] = !there[n];
		assert_int_equal(f->w->channels.count, count);
		for (unsigned probe = 0; probe < 5; probe++) {
			const unsigned other = pick(f, NAMES);

			assert_int_equal(find(f, other) != NULL, there[other]);
		}
	}
	for (unsigned n = 0; n < NAMES; n++)
		if (there[n])
			channel_leave(f->w, find(f, n), 0, DIALECT_SSE);
	assert_int_equal(f->w->channels.count, 0);
	free(there);
}

static void
channel_takes_the_rule_of_a_reload(void **state)
{
	struct fixture *f = *state;
	struct channel *c = channel_make(f->w, SLICE_LITERAL("a"));

	assert_int_equal(c->lag, RULE_GAP);
	f->settings.rules[0].lag = RULE_CLOSE;
	fixture_set(f);
	assert_int_equal(c->lag, RULE_CLOSE);
	channel_drop_if_empty(f->w, c);
	assert_null(channel_find(f->w, ring_hash(&f->w->ring, "a", 1), SLICE_LITERAL("a")));
}

/* ---- waves ---------------------------------------------------------------------------------------------- */

static void
wave_keeps_what_is_newer_and_drops_the_rest(void **state)
{
	struct fixture *f = *state;
	struct wave *v = calloc(1, sizeof *v);
	struct event e;
	char data[64];

	assert_non_null(v);
	for (unsigned n = 1; n <= 100; n++) {
		const struct frame frame = {.id = n * 10, .position = n * 8};

		event_clear(&e);
		e.kind = EVENT_TEXT;
		e.data = slice_of(data, (size_t)snprintf(data, sizeof data, "number %u", n));
		assert_true(wave_add(f->w, v, DIALECT_WS_RAW, &e, SLICE_LITERAL("a"), &frame));
	}
	for (uint64_t cursor = 0; cursor <= 1010; cursor++) {
		const uint32_t found = wave_find(v, cursor);

		assert_int_equal(found, cursor < 1000 ? cursor / 10 : 100);
	}
	wave_trim(f->w, v, 555);
	assert_int_equal(v->count, 45);
	for (uint32_t i = 0; i < v->count; i++) {
		const uint32_t start = wave_start(v, i);

		assert_int_equal(v->frames[i].id, 560 + i * 10);
		event_clear(&e);
		snprintf(data, sizeof data, "number %u", 56 + i);
		assert_memory_equal(v->bytes.bytes + start + 2, data, strlen(data));
		assert_int_equal(v->frames[i].end - start, 2 + strlen(data));
	}
	assert_int_equal(f->w->channels.wave_bytes, v->bytes.len);
	wave_drop_last(f->w, v);
	assert_int_equal(v->count, 44);
	assert_int_equal(v->frames[43].end, v->bytes.len);
	wave_trim(f->w, v, 5);
	assert_int_equal(v->count, 44);
	wave_trim(f->w, v, 5000);
	assert_int_equal(v->count, 0);
	assert_int_equal(f->w->channels.wave_bytes, 0);
	wave_free(f->w, v);
}

static void
wave_has_an_end_but_takes_any_single_event(void **state)
{
	struct fixture *f = *state;
	struct wave *v = calloc(1, sizeof *v);
	const struct frame frame = {.id = 1};
	const size_t len = 5 << 20;
	char *data = malloc(len);
	struct event e;

	assert_non_null(v);
	assert_non_null(data);
	memset(data, '"', len); /* each byte becomes two */
	for (uint8_t dialect = DIALECT_SSE; dialect < DIALECTS_WAVED; dialect++) {
		event_clear(&e);
		e.kind = EVENT_TEXT;
		e.data = slice_of(data, len);
		assert_true(wave_add(f->w, v, dialect, &e, SLICE_LITERAL("a"), &frame));
		assert_false(wave_add(f->w, v, dialect, &e, SLICE_LITERAL("a"), &frame));
		assert_int_equal(v->count, 1);
		assert_int_equal(v->frames[0].end, v->bytes.len);
		wave_clear(f->w, v);
	}
	free(data);
	wave_free(f->w, v);
}

/* ---- extras --------------------------------------------------------------------------------------------- */

static void
extra_is_taken_when_needed_and_given_back_when_not(void **state)
{
	struct fixture *f = *state;
	enum { SLOTS = 1000 };
	uint32_t slots[SLOTS];

	for (unsigned i = 0; i < SLOTS; i++)
		slots[i] = slot_new(f);
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < SLOTS; i++) {
			struct slot *s = worker_slot(f->w, slots[i]);
			struct extra *x;

			assert_null(extra_of(f->w, s));
			x = extra_need(f->w, s);
			assert_non_null(x);
			assert_ptr_equal(extra_need(f->w, s), x);
			assert_true(
			    extra_input_add(f->w, x, (const char *)&slots[i], sizeof slots[i]));
		}
		assert_int_equal(f->w->extras.used, SLOTS);
		for (unsigned i = 0; i < SLOTS; i++) {
			struct slot *s = worker_slot(f->w, slots[i]);

			assert_memory_equal(
			    extra_of(f->w, s)->input.bytes, &slots[i], sizeof slots[i]);
			extra_trim(f->w, s);
			assert_non_null(extra_of(f->w, s)); /* there is input in it */
			extra_input_free(f->w, extra_of(f->w, s));
			extra_trim(f->w, s);
			assert_null(extra_of(f->w, s));
		}
		assert_int_equal(f->w->extras.used, 0);
	}
	assert_int_equal(f->w->extras.chunk_count, 4);
	slots_give_back(f);
}

static void
extra_subs_move_there_and_back(void **state)
{
	struct fixture *f = *state;
	const uint32_t slot = slot_new(f);
	struct slot *s = worker_slot(f->w, slot);
	struct sub *sub;

	s->channel = 5;
	s->member = 6;
	f->w->sinces[slot] = 77;
	assert_true(extra_subs_open(f->w, s));
	assert_int_equal(s->channel, CHANNEL_NONE);
	sub = extra_sub(f->w, s, 5);
	assert_non_null(sub);
	assert_int_equal(sub->member, 6);
	assert_int_equal(sub->since, 77);
	for (uint32_t channel = 10; channel < 20; channel++) {
		sub = extra_sub_add(f->w, s);
		assert_non_null(sub);
		sub->channel = channel;
	}
	extra_subs_close(f->w, s); /* too many for a slot */
	assert_int_equal(s->channel, CHANNEL_NONE);
	for (uint32_t channel = 10; channel < 20; channel++)
		extra_sub_remove(f->w, s, extra_sub(f->w, s, channel));
	assert_null(extra_sub(f->w, s, 12));
	extra_sub(f->w, s, 5)->since = 99;
	extra_subs_close(f->w, s);
	assert_int_equal(s->channel, 5);
	assert_int_equal(s->member, 6);
	assert_int_equal(f->w->sinces[slot], 99);
	extra_trim(f->w, s);
	assert_int_equal(f->w->extras.used, 0);
	s->channel = CHANNEL_NONE;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(channel_members_are_those_who_joined_and_did_not_leave,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		channel_table_finds_what_is_there_and_only_that, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		channel_takes_the_rule_of_a_reload, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		wave_keeps_what_is_newer_and_drops_the_rest, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		wave_has_an_end_but_takes_any_single_event, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(extra_is_taken_when_needed_and_given_back_when_not,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		extra_subs_move_there_and_back, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
