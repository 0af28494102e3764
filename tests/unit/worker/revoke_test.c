/*
 * revoke_test.c: subscriptions that a reload ends: everybody is told in the way of its dialect, whatever it is in the
 * middle of, a bounded number a turn, and nobody else notices.
 */
#include "worker/revoke.h"

#include "tests/unit/worker/worker_fixture.h"

#define FORBIDDEN(channel) \
	"{\"op\":\"unsubscribed\",\"channel\":\"" channel "\",\"reason\":\"forbidden\"}"

/* A reload, as the master sends it, that leaves only b open. */
static void
close_all_but_b(struct fixture *f)
{
	char packet[ORDER_PACKET_BYTES];
	struct out o = out_to(packet, sizeof packet);

	f->settings.rule_count = 2;
	f->settings.rules[0] =
	    (struct rule){SLICE_LITERAL("b"), RULE_ANYONE, RULE_NOBODY, RULE_GAP};
	f->settings.rules[1] = (struct rule){SLICE_LITERAL("a"), RULE_TOKEN, RULE_ANYONE, RULE_GAP};
	order_encode_settings(&o, &f->settings);
	assert_int_equal(send(f->master, o.bytes, o.len, 0), o.len);
}

static bool
anybody_at(struct fixture *f, const char *channel)
{
	return channel_find(f->w, ring_hash(&f->w->ring, channel, strlen(channel)),
		   slice_text(channel)) != NULL;
}

static void
revoke_ends_what_a_reload_closes(void **state)
{
	struct fixture *f = *state;
	struct client ws, both, raw, sse, held, other;

	fixture_publish(f, "b", 0, 0);
	client_stream(&ws, f, DIALECT_WS, "channel=a");
	client_stream(&both, f, DIALECT_WS, "channel=a&channel=b&channel=c");
	client_stream(&raw, f, DIALECT_WS_RAW, "channel=a");
	client_stream(&sse, f, DIALECT_SSE, "channel=a");
	client_stream(&other, f, DIALECT_SSE, "channel=b");
	client_open(&held, f);
	client_get(&held, "channel=a&after=1763856000000-00001&wait=20", "");
	fixture_run(f);
	assert_int_equal(client_slot(&held)->state, CONN_HELD);
	close_all_but_b(f);
	fixture_run(f);
	fixture_publish(f, "a,b", 1, 0);
	fixture_publish(f, "c", 2, 0);
	client_run(&ws);
	client_run(&both);
	client_run(&raw);
	client_run(&sse);
	client_run(&held);
	client_run(&other);
	assert_int_equal(client_count(&ws, FORBIDDEN("a")), 1);
	assert_int_equal(client_count(&both, FORBIDDEN("a")), 1);
	assert_int_equal(client_count(&both, FORBIDDEN("c")), 1);
	assert_false(ws.ended || both.ended || held.ended || other.ended);
	assert_true(raw.ended && sse.ended);
	assert_int_equal(client_count(&raw, "\x88\x0b\x03\xf0"
					    "forbidden"),
	    1);
	assert_int_equal(client_count(&sse, "retry: "), 2);
	assert_int_equal(client_count(&held, "{\"events\":[],"), 1);
	client_has(&both, 1, 1);
	client_has(&other, 1, 1);
	assert_int_equal(client_count(&ws, "#"), 0);
	assert_false(anybody_at(f, "a") || anybody_at(f, "c"));
	client_close(&ws);
	client_close(&both);
	client_close(&raw);
	client_close(&sse);
	client_close(&held);
	client_close(&other);
}

/* The same, read in the very next turn, before anybody who is behind goes on. */
static void
close_all_but_b_now(struct fixture *f)
{
	close_all_but_b(f);
	f->w->control_waits = true;
}

/* Between two frames it is told, and has nothing of the channel any more, of what lay ready for it. */
static void
revoke_ends_what_lags(void **state)
{
	struct fixture *f = *state;
	struct client c;

	client_stream(&c, f, DIALECT_WS, "channel=a&channel=b");
	fixture_run(f);
	f->fake->allowance = 0;
	fixture_publish(f, "a", 1, 100);
	while (client_slot(&c)->state == CONN_LIVE)
		fixture_turn(f);
	close_all_but_b_now(f);
	fixture_publish(f, "b", 2, 0);
	client_run(&c);
	client_has(&c, 2, 2);
	assert_int_equal(client_count(&c, FORBIDDEN("a")), 1);
	assert_int_equal(client_slot(&c)->state, CONN_LIVE);
	client_sound(&c, DIALECT_WS);
	client_close(&c);
}

static void
revoke_closes_who_is_inside_a_frame(void **state)
{
	struct fixture *f = *state;
	struct client c;

	client_stream(&c, f, DIALECT_WS, "channel=a&channel=b");
	fixture_run(f);
	client_clear(&c);
	f->fake->allowance = 20;
	fixture_publish(f, "a", 1, 100);
	while (client_slot(&c)->offset == 0)
		fixture_turn(f);
	close_all_but_b_now(f);
	client_run(&c);
	assert_true(c.ended);
	assert_int_equal(c.len, 20);
	client_close(&c);
}

/* It has been asked for and not been held yet: it is answered at once, as those that were. */
static void
revoke_lets_no_poll_be_held(void **state)
{
	struct fixture *f = *state;
	struct client c;

	fixture_publish(f, "a", 0, 0);
	client_open(&c, f);
	fixture_run(f);
	client_get(&c, "channel=a&after=1763856000000-00001&wait=20", "");
	assert_int_equal(io_submit(&f->w->io), 0); /* its input is there */
	close_all_but_b_now(f);
	client_run(&c);
	assert_int_equal(client_count(&c, "HTTP/1.1 200"), 1);
	assert_int_equal(client_count(&c, "{\"events\":[],"), 1);
	assert_false(anybody_at(f, "a"));
	client_close(&c);
}

/* While a pass is under way and some leave by themselves. */
static void
revoke_ends_a_bounded_number_a_turn(void **state)
{
	struct fixture *f = *state;
	enum { MEMBERS = 700 };
	struct client *c = calloc(MEMBERS, sizeof *c);
	uint32_t before, after = MEMBERS, turns = 0;

	assert_non_null(c);
	for (unsigned i = 0; i < MEMBERS; i++)
		client_stream(&c[i], f, i % 2 == 0 ? DIALECT_WS : DIALECT_SSE, "channel=a");
	fixture_run(f);
	fixture_publish(f, "a", 0, 0);
	fixture_turn(f);
	close_all_but_b(f);
	for (; anybody_at(f, "a"); turns++) {
		assert_true(turns < 100);
		for (unsigned i = turns; i < MEMBERS && turns < 3; i += 7)
			client_close(&c[i]);
		before = after;
		fixture_turn(f);
		after = (uint32_t)board_get(&f->w->board, BOARD_SUBSCRIPTIONS);
		assert_true(before - after <= 256 + MEMBERS / 7 + 1);
		assert_true(turns != 1 || after != 0); /* else the test shows nothing */
	}
	for (unsigned i = 0; i < MEMBERS; i++) {
		if (c[i].fd == -1)
			continue;
		client_run(&c[i]);
		assert_int_equal(c[i].ended, i % 2 != 0);
		if (i % 2 == 0)
			assert_int_equal(client_count(&c[i], FORBIDDEN("a")), 1);
		else
			assert_int_equal(client_count(&c[i], "retry: "), 2);
		client_close(&c[i]);
	}
	free(c);
}

/* A second reload while the first one's ends are under way. */
static void
revoke_stops_when_a_reload_opens_the_channel_again(void **state)
{
	struct fixture *f = *state;
	enum { MEMBERS = 600 };
	struct client *c = calloc(MEMBERS, sizeof *c);
	char packet[ORDER_PACKET_BYTES];
	struct out o = out_to(packet, sizeof packet);
	unsigned told = 0;

	assert_non_null(c);
	order_encode_settings(&o, &f->settings);
	for (unsigned i = 0; i < MEMBERS; i++)
		client_stream(&c[i], f, DIALECT_WS, "channel=a");
	fixture_run(f);
	close_all_but_b(f);
	while (board_get(&f->w->board, BOARD_SUBSCRIPTIONS) == MEMBERS)
		fixture_turn(f);
	assert_int_equal(send(f->master, o.bytes, o.len, 0), o.len);
	fixture_run(f);
	for (unsigned i = 0; i < MEMBERS; i++) {
		client_run(&c[i]);
		told += client_count(&c[i], FORBIDDEN("a"));
		client_close(&c[i]);
	}
	assert_in_range(told, 256, 512);
	free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		revoke_ends_what_a_reload_closes, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(revoke_ends_what_lags, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		revoke_closes_who_is_inside_a_frame, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		revoke_lets_no_poll_be_held, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		revoke_ends_a_bounded_number_a_turn, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(revoke_stops_when_a_reload_opens_the_channel_again,
		fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests_name("revoke", tests, NULL, NULL);
}
