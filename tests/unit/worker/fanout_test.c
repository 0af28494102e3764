/*
 * fanout_test.c: passes over the members of channels: everybody gets everything once and in order, whoever joins, leaves,
 * lags or is cut while a pass is under way; and a large channel does not keep a small one waiting.
 */
#include "worker/fanout.h"

#include "tests/unit/worker/worker_fixture.h"
#include "worker/feed.h"

/* Runs until nobody receives any more. */
static void
run_all(struct fixture *f, struct client *c, unsigned count)
{
	size_t before, after = 0;

	do {
		before = after;
		after = 0;
		fixture_run(f);
		for (unsigned i = 0; i < count; i++) {
			if (c[i].fd != -1)
				client_read(&c[i]);
			after += c[i].len;
		}
	} while (after != before);
}

static const enum dialect streams[] = {DIALECT_SSE, DIALECT_SSE_JSON, DIALECT_WS, DIALECT_WS_RAW,
    DIALECT_WS_DEFLATE, DIALECT_WS_RAW_DEFLATE};
#define STREAMS (sizeof streams / sizeof streams[0])

static void
fanout_brings_every_event_to_every_dialect(void **state)
{
	struct fixture *f = *state;
	struct client c[STREAMS];

	for (size_t i = 0; i < STREAMS; i++)
		client_stream(&c[i], f, streams[i], "channel=a");
	fixture_run(f);
	for (unsigned n = 0; n < 20; n++) {
		fixture_publish(f, "a", n, n * 10);
		fixture_publish(f, "b", 1000, 0);
		if (n % 3 == 0)
			fixture_run(f);
	}
	for (size_t i = 0; i < STREAMS; i++) {
		client_run(&c[i]);
		client_has(&c[i], 0, 19);
		client_sound(&c[i], streams[i]);
		client_close(&c[i]);
	}
}

static void
fanout_sends_an_event_of_two_subscribed_channels_once(void **state)
{
	struct fixture *f = *state;
	struct client c;

	client_stream(&c, f, DIALECT_WS, "channel=b&channel=a");
	fixture_run(f);
	fixture_publish(f, "z,a,b", 0, 0);
	fixture_publish(f, "b", 1, 0);
	fixture_publish(f, "a", 2, 0);
	fixture_publish(f, "b,a", 3, 0);
	client_run(&c);
	client_has(&c, 0, 3);
	client_sound(&c, DIALECT_WS);
	/* As the first of the event's own order. */
	assert_int_equal(client_count(&c, "\"channel\":\"a\""), 2);
	assert_int_equal(client_count(&c, "\"channel\":\"b\""), 2);
	client_close(&c);
}

/* More members than one visit serves, so that a pass takes several turns; some join, some leave, news come all the while. */
static void
fanout_loses_nothing_while_members_come_and_go(void **state)
{
	struct fixture *f = *state;
	enum { MEMBERS = 700 };
	struct client *c = calloc(MEMBERS, sizeof *c);
	unsigned n = 0, first[MEMBERS] = {0};

	assert_non_null(c);
	for (unsigned i = 0; i < MEMBERS - 100; i++)
		client_stream(&c[i], f, streams[i % STREAMS], "channel=a");
	fixture_run(f);
	for (unsigned i = 0; i < 100; i++) {
		fixture_publish(f, "a", n++, 5);
		fixture_turn(f);
		client_close(&c[i * 5]); /* one leaves */
		c[i * 5].fd = -1;
		client_stream(&c[MEMBERS - 100 + i], f, streams[i % STREAMS],
		    "channel=a&after=0"); /* and one joins */
		fixture_turn(f);
	}
	fixture_publish(f, "a", n++, 5);
	run_all(f, c, MEMBERS);
	for (unsigned i = 0; i < MEMBERS; i++) {
		if (c[i].fd == -1)
			continue;
		client_has(&c[i], first[i], n - 1);
		client_sound(&c[i], i < MEMBERS - 100 ? streams[i % STREAMS]
						      : streams[(i - (MEMBERS - 100)) % STREAMS]);
		client_close(&c[i]);
	}
	free(c);
}

/* News in every turn of passes that take three: a member gets them from the wave, wherever the pass stands. */
static void
fanout_loses_nothing_of_news_during_a_pass(void **state)
{
	struct fixture *f = *state;
	enum { MEMBERS = 1500 };
	struct client *c = calloc(MEMBERS, sizeof *c);
	unsigned n = 0;

	assert_non_null(c);
	for (unsigned i = 0; i < MEMBERS; i++) {
		client_stream(&c[i], f, DIALECT_WS_RAW, "channel=a");
		fixture_turn(f);
	}
	fixture_run(f);
	while (n < 30) {
		fixture_publish(f, "a", n++, 0);
		fixture_turn(f);
	}
	fixture_run(f);
	assert_int_equal(board_get(&f->w->board, BOARD_LAGS), 0);
	for (unsigned i = 0; i < MEMBERS; i++) {
		client_read(&c[i]);
		client_has(&c[i], 0, n - 1);
		client_close(&c[i]);
	}
	free(c);
}

/* A wave takes up to 4 MiB; events of 250 KiB reach that while the pass over many members is still under way. */
static void
fanout_loses_nothing_when_a_wave_is_cut_during_a_pass(void **state)
{
	struct fixture *f = *state;
	enum { MEMBERS = 600 };
	struct client *c = calloc(MEMBERS, sizeof *c);
	unsigned n = 0;

	assert_non_null(c);
	for (unsigned i = 0; i < MEMBERS; i++)
		client_stream(&c[i], f, DIALECT_WS_RAW, "channel=a");
	fixture_run(f);
	for (unsigned round = 0; round < 40; round++) {
		struct channel *a;

		fixture_publish(f, "a", n++, 10);
		fixture_turn(f);
		/* As if there had been no memory for it: once in the middle of a pass, once twice. */
		a = channel_find(f->w, ring_hash(&f->w->ring, "a", 1), SLICE_LITERAL("a"));
		assert_non_null(a);
		if (round % 4 == 1 || round % 8 == 2)
			fanout_cut(f->w, a, f->w->read_id - 1, f->w->read_id);
		for (unsigned i = round % 7; i < MEMBERS; i += 7)
			client_read(&c[i]);
	}
	fixture_publish(f, "a", n++, 10);
	for (unsigned i = 0; i < MEMBERS; i++) {
		client_run(&c[i]);
		client_has(&c[i], 0, n - 1);
		client_close(&c[i]);
	}
	free(c);
}

static void
fanout_serves_a_small_channel_while_a_pass_of_a_large_one_is_under_way(void **state)
{
	struct fixture *f = *state;
	enum { MEMBERS = 2000 };
	struct client *c = calloc(MEMBERS, sizeof *c), small;
	unsigned behind = 0;

	assert_non_null(c);
	for (unsigned i = 0; i < MEMBERS; i++) {
		client_stream(&c[i], f, DIALECT_WS_RAW, "channel=large");
		fixture_turn(f);
	}
	client_stream(&small, f, DIALECT_WS_RAW, "channel=small");
	fixture_run(f);
	fixture_publish(f, "large", 0, 0);
	fixture_publish(f, "small", 0, 0);
	fixture_turn(f);
	client_read(&small);
	client_has(&small, 0, 0);
	for (unsigned i = 0; i < MEMBERS; i++) {
		client_read(&c[i]);
		behind += client_count(&c[i], "#0#") == 0;
	}
	assert_true(behind > MEMBERS / 2); /* else the test shows nothing */
	fixture_run(f);
	for (unsigned i = 0; i < MEMBERS; i++) {
		client_read(&c[i]);
		client_has(&c[i], 0, 0);
		client_close(&c[i]);
	}
	client_close(&small);
	free(c);
}

/* Stalls, lags, is back: live again without loss, and again. */
static void
fanout_takes_a_lagging_client_back_without_loss(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < STREAMS; i++) {
		struct client c;
		unsigned n = 0;

		client_stream(&c, f, streams[i], "channel=a");
		fixture_run(f);
		for (unsigned round = 0; round < 3; round++) {
			while (client_slot(&c)->state == CONN_LIVE) {
				fixture_publish(f, "a", n++, 3000);
				fixture_run(f);
			}
			assert_int_equal(client_slot(&c)->state, CONN_CATCHUP);
			for (unsigned more = 0; more < 30; more++)
				fixture_publish(f, "a", n++, 3000);
			client_run(&c);
			assert_int_equal(client_slot(&c)->state, CONN_LIVE);
		}
		client_has(&c, 0, n - 1);
		client_sound(&c, streams[i]);
		assert_int_equal(client_count(&c, "gap"), 0);
		client_close(&c);
		fixture_run(f);
	}
}

static void
fanout_releases_held_polls_with_the_news(void **state)
{
	struct fixture *f = *state;
	struct client c[50];

	fixture_publish(f, "a", 0, 0);
	for (size_t i = 0; i < 50; i++) {
		client_open(&c[i], f);
		client_get(&c[i], "channel=a&channel=b&wait=30&after=0", "");
	}
	fixture_run(f);
	for (size_t i = 0; i < 50; i++) {
		char query[128], *next;

		client_read(&c[i]);
		next = strstr(c[i].bytes, "\"next\":\"");
		assert_non_null(next);
		snprintf(query, sizeof query, "channel=a&channel=b&wait=30&after=%.19s", next + 8);
		client_clear(&c[i]);
		client_get(&c[i], query, "");
	}
	fixture_run(f);
	assert_int_equal(client_slot(&c[0])->state, CONN_HELD);
	fixture_publish(f, "c", 99, 0);
	fixture_run(f);
	assert_int_equal(client_slot(&c[0])->state, CONN_HELD);
	fixture_publish(f, "b,a", 1, 0);
	for (size_t i = 0; i < 50; i++) {
		client_run(&c[i]);
		client_has(&c[i], 1, 1);
		assert_int_equal(client_count(&c[i], "\"gaps\":[]"), 1);
		client_close(&c[i]);
	}
}

/* The pass over held polls is half through when their time is up: the rest have the news all the same. */
static void
fanout_loses_no_news_of_polls_whose_time_is_up_meanwhile(void **state)
{
	struct fixture *f = *state;
	enum { MEMBERS = 600 };
	struct client *c = calloc(MEMBERS, sizeof *c);

	assert_non_null(c);
	fixture_publish(f, "a", 0, 0);
	for (unsigned i = 0; i < MEMBERS; i++) {
		client_open(&c[i], f);
		client_get(&c[i], "channel=a&wait=20&after=1763856000000-00001", "");
	}
	fixture_run(f);
	assert_int_equal(client_slot(&c[0])->state, CONN_HELD);
	fixture_publish(f, "a", 1, 0);
	f->w->now_ns += UINT64_C(21000) * 1000000;
	fixture_run(f);
	for (unsigned i = 0; i < MEMBERS; i++) {
		client_run(&c[i]);
		client_has(&c[i], 1, 1);
		client_close(&c[i]);
	}
	free(c);
}

/* It comes before the pass has begun: the channel stands in the round, behind others. */
static void
fanout_loses_no_news_of_a_poll_whose_time_is_up_before_the_pass(void **state)
{
	struct fixture *f = *state;
	struct client c;

	fixture_publish(f, "a", 0, 0);
	client_open(&c, f);
	client_get(&c, "channel=a&wait=20&after=1763856000000-00001", "");
	fixture_run(f);
	assert_int_equal(client_slot(&c)->state, CONN_HELD);
	fixture_publish(f, "a", 1, 0);
	while (feed_read(f->w))
		;
	conn_due(f->w, c.slot);
	client_run(&c);
	client_has(&c, 1, 1);
	client_close(&c);
}

/* A record for which there was no memory, while some of the members had been visited: all of them get it. */
static void
fanout_brings_what_was_cut_to_those_already_visited(void **state)
{
	struct fixture *f = *state;
	enum { MEMBERS = 600 };
	struct client *c = calloc(MEMBERS, sizeof *c);
	struct channel *a;
	uint64_t id;

	assert_non_null(c);
	for (unsigned i = 0; i < MEMBERS; i++)
		client_stream(&c[i], f, DIALECT_WS_RAW, "channel=a");
	fixture_run(f);
	for (unsigned n = 0; n < 4; n += 2) {
		fixture_publish(f, "a", n, 0);
		fixture_turn(f);
		a = channel_find(f->w, ring_hash(&f->w->ring, "a", 1), SLICE_LITERAL("a"));
		assert_in_range(a->pass_left, 1, MEMBERS - 1);
		id = fixture_publish(f, "a", n + 1, 0);
		while (feed_read(f->w))
			;
		fanout_cut(f->w, a, id - 1, id);
		fixture_run(f);
	}
	for (unsigned i = 0; i < MEMBERS; i++) {
		client_run(&c[i]);
		client_has(&c[i], 0, 3);
		client_close(&c[i]);
	}
	free(c);
}

/* The places that the pass has still to visit are those of members, not of who was there when it began. */
static void
fanout_visits_nobody_who_left_during_a_pass(void **state)
{
	struct fixture *f = *state;
	enum { MEMBERS = 600, STAY = 5 };
	struct client *c = calloc(MEMBERS, sizeof *c);
	const struct channel *a;
	unsigned brought = 0, visited;

	assert_non_null(c);
	for (unsigned i = 0; i < MEMBERS; i++)
		client_stream(&c[i], f, DIALECT_WS, "channel=a&channel=b");
	fixture_run(f);
	fixture_publish(f, "a", 0, 0);
	fixture_turn(f);
	a = channel_find(f->w, ring_hash(&f->w->ring, "a", 1), SLICE_LITERAL("a"));
	assert_in_range(a->pass_left, STAY + 1, MEMBERS - 1);
	visited = MEMBERS - a->pass_left;
	/* The last first, so that nobody is moved to another place. */
	while (a->member_count > STAY) {
		const uint32_t slot = channel_member(a, a->member_count - 1);

		assert_true(conn_unsubscribe(f->w, slot, SLICE_LITERAL("a")));
		extra_subs_close(f->w, worker_slot(f->w, slot));
	}
	run_all(f, c, MEMBERS);
	for (unsigned i = 0; i < MEMBERS; i++) {
		brought += client_count(&c[i], "#0#");
		client_close(&c[i]);
	}
	assert_int_equal(brought, visited + STAY);
	free(c);
}

/* Most leave for another channel while the pass is half through: nothing of the old one reaches them. */
static void
fanout_brings_nothing_to_who_left_during_a_pass(void **state)
{
	struct fixture *f = *state;
	enum { MEMBERS = 600 };
	struct client *c = calloc(MEMBERS, sizeof *c);

	assert_non_null(c);
	for (unsigned i = 0; i < MEMBERS; i++)
		client_stream(&c[i], f, DIALECT_WS, "channel=a");
	fixture_run(f);
	fixture_publish(f, "a", 0, 0);
	fixture_turn(f);
	for (unsigned i = 0; i < MEMBERS - 5; i++) {
		client_clear(&c[i]);
		client_op(&c[i], "{\"op\":\"subscribe\",\"channel\":\"b\"}");
		client_op(&c[i], "{\"op\":\"unsubscribe\",\"channel\":\"a\"}");
	}
	for (unsigned n = 1; n < 20; n++) {
		fixture_publish(f, "a", n, 0);
		fixture_turn(f);
	}
	run_all(f, c, MEMBERS);
	for (unsigned i = 0; i < MEMBERS; i++) {
		const char *left;

		left = memmem(c[i].bytes, c[i].len, "\"op\":\"unsubscribed\"", 19);
		if (i >= MEMBERS - 5)
			client_has(&c[i], 0, 19);
		else
			assert_non_null(left);
		if (left != NULL)
			assert_null(
			    memmem(left, c[i].len - (size_t)(left - c[i].bytes), "\"id\"", 4));
		client_close(&c[i]);
	}
	free(c);
}

/* A submission is a system call: with many channels of few members there must not be one for each send. */
static void
fanout_submits_the_sends_of_many_small_channels_together(void **state)
{
	enum { CHANNELS = 300 };
	struct fixture *f = *state;
	struct client *c = calloc(CHANNELS, sizeof *c);
	char name[32];
	uint64_t batches, sends;

	assert_non_null(c);
	for (unsigned i = 0; i < CHANNELS; i++) {
		snprintf(name, sizeof name, "channel=%u", i);
		client_stream(&c[i], f, streams[i % STREAMS], name);
	}
	run_all(f, c, CHANNELS);
	batches = board_get(&f->w->board, BOARD_BATCHES);
	sends = board_get(&f->w->board, BOARD_SENDS);
	for (unsigned n = 0; n < 3; n++) {
		for (unsigned i = 0; i < CHANNELS; i++) {
			snprintf(name, sizeof name, "%u", i);
			fixture_publish(f, name, n, i);
		}
		run_all(f, c, CHANNELS);
	}
	assert_int_equal(board_get(&f->w->board, BOARD_SENDS) - sends, 3 * CHANNELS);
	assert_true(board_get(&f->w->board, BOARD_BATCHES) - batches <= 3 * 3);
	for (unsigned i = 0; i < CHANNELS; i++) {
		client_has(&c[i], 0, 2);
		client_sound(&c[i], streams[i % STREAMS]);
		client_close(&c[i]);
	}
	free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		fanout_brings_every_event_to_every_dialect, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(fanout_sends_an_event_of_two_subscribed_channels_once,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		fanout_loses_nothing_while_members_come_and_go, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(fanout_loses_nothing_when_a_wave_is_cut_during_a_pass,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		fanout_serves_a_small_channel_while_a_pass_of_a_large_one_is_under_way,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		fanout_takes_a_lagging_client_back_without_loss, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		fanout_releases_held_polls_with_the_news, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		fanout_loses_nothing_of_news_during_a_pass, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		fanout_loses_no_news_of_polls_whose_time_is_up_meanwhile, fixture_setup,
		fixture_teardown),
	    cmocka_unit_test_setup_teardown(fanout_brings_what_was_cut_to_those_already_visited,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		fanout_brings_nothing_to_who_left_during_a_pass, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		fanout_visits_nobody_who_left_during_a_pass, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		fanout_loses_no_news_of_a_poll_whose_time_is_up_before_the_pass, fixture_setup,
		fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		fanout_submits_the_sends_of_many_small_channels_together, fixture_setup,
		fixture_teardown),
	};

	return cmocka_run_group_tests_name("fanout", tests, NULL, NULL);
}
