/*
 * serve_poll_test.c: what polls cost while they wait, and while they are answered. What their answers say is replay_test.c's.
 */
#include "tests/unit/worker/worker_fixture.h"

#include "proto/id.h"

#define MANY 1000

static void
hold(struct client *c, struct fixture *f, const char *query, const char *fields)
{
	client_open(c, f);
	client_get(c, query, fields);
	fixture_run(f);
	assert_int_equal(client_slot(c)->state, CONN_HELD);
}

static void
serve_poll_held_on_one_channel_keeps_no_place_in_the_ring(void **state)
{
	struct fixture *f = *state;
	const struct extra *x;
	struct client c;

	hold(&c, f, "channel=a&after=0&wait=20", "");
	x = extra_of(f->w, client_slot(&c));
	assert_non_null(x);
	assert_null(x->subs);
	assert_null(x->publishing);
	assert_null(x->tail.bytes);
	assert_null(x->input.bytes);
	assert_null(x->request.allow_origin);
	/* With its slot, and what lies beside it, well below 300 bytes. */
	assert_in_range(sizeof(struct extra), 1, 160);
	fixture_publish(f, "a", 1, 0);
	client_run(&c);
	client_has(&c, 1, 1);
	client_close(&c);
}

static void
serve_poll_held_answers_with_the_origin_that_asked(void **state)
{
	struct fixture *f = *state;
	struct client c;

	hold(&c, f, "channel=a&after=0&wait=1", "Origin: http://a\r\n");
	fixture_wait_ms(f, 1500);
	client_run(&c);
	assert_int_equal(client_count(&c, "Access-Control-Allow-Origin: http://a\r\n"), 1);
	assert_int_equal(client_count(&c, "\"events\":[]"), 1);
	client_close(&c);
}

static void
serve_poll_held_on_several_channels_gets_all_of_them_in_order(void **state)
{
	struct fixture *f = *state;
	struct client c;

	hold(&c, f, "channel=a&channel=b&after=0&wait=20", "");
	fixture_publish(f, "b", 1, 0);
	fixture_publish(f, "a,b", 2, 0);
	fixture_publish(f, "a", 3, 0);
	client_run(&c);
	client_has(&c, 1, 3);
	client_close(&c);
}

/* One event releases all who wait: what they are answered with is handed to the kernel turn by turn. */
static void
serve_poll_answers_do_not_lie_in_memory_together(void **state)
{
	struct fixture *f = *state;
	struct client *c = calloc(MANY, sizeof *c);
	bool more = true;

	assert_non_null(c);
	for (unsigned i = 0; i < MANY; i++) {
		client_open(&c[i], f);
		client_get(&c[i], "channel=a&after=0&wait=20", "");
	}
	fixture_run(f);
	assert_int_equal(board_get(&f->w->board, BOARD_CONNECTIONS_LONGPOLL), MANY);
	fixture_publish(f, "a", 1, 100);
	for (unsigned turns = 0; more && turns < 1000; turns++) {
		more = fixture_turn(f);
		assert_int_equal(f->w->extras.tail_bytes, 0);
	}
	assert_int_equal(board_get(&f->w->board, BOARD_CONNECTIONS_LONGPOLL), 0);
	for (unsigned i = 0; i < MANY; i++) {
		client_read(&c[i]);
		client_has(&c[i], 1, 1);
		client_close(&c[i]);
	}
	free(c);
}

/* All who wait for one event get the same bytes; it is not compressed for each. */
static void
serve_poll_compresses_once_for_all_who_are_answered_together(void **state)
{
	struct fixture *f = *state;
	struct client *c = calloc(MANY, sizeof *c);
	size_t packed_len = 0;

	assert_non_null(c);
	f->w->settings.now.compression_poll = 1;
	f->w->settings.now.compression_level = 1;
	f->w->settings.now.compression_min_bytes = 256;
	for (unsigned i = 0; i < MANY; i++) {
		client_open(&c[i], f);
		client_get(&c[i], "channel=a&after=0&wait=20",
		    i % 2 == 0 ? "Accept-Encoding: gzip\r\n" : "");
	}
	fixture_run(f);
	assert_int_equal(board_get(&f->w->board, BOARD_CONNECTIONS_LONGPOLL), MANY);
	fixture_publish(f, "a", 1, 2000);
	fixture_run(f);
	assert_int_equal(board_get(&f->w->board, BOARD_CONNECTIONS_LONGPOLL), 0);
	assert_in_range(board_get(&f->w->board, BOARD_GZIP_ANSWERS), 1, MANY / 50);
	for (unsigned i = 0; i < MANY; i++) {
		client_read(&c[i]);
		assert_int_equal(client_count(&c[i], "Content-Encoding: gzip\r\n"), i % 2 == 0);
		assert_int_equal(client_count(&c[i], "Vary: Origin, Accept-Encoding\r\n"), 1);
		if (i == 0)
			packed_len = c[i].len;
		if (i % 2 == 0)
			assert_int_equal(c[i].len, packed_len);
		else
			assert_in_range(c[i].len, packed_len * 2, SIZE_MAX);
		client_close(&c[i]);
	}
	free(c);
}

#define ASKERS 40
#define ANSWER_EVENTS 80
#define ANSWER_EVENT_BYTES 4000

/* Everybody asks from another place, so that none of the answers, of 160 KB at least, is another's too. */
static void
serve_poll_compresses_so_much_in_a_turn_and_nobody_waits_for_ever(void **state)
{
	const uint64_t max =
	    1 + DEFLATE_TURN_BYTES / ((ANSWER_EVENTS - ASKERS) * (uint64_t)ANSWER_EVENT_BYTES);
	struct fixture *f = *state;
	struct client c[ASKERS], other;
	uint64_t done = 0;

	f->w->settings.now.compression_poll = 1;
	for (unsigned i = 0; i < ASKERS; i++) {
		char query[64], text[ID_TEXT_MAX];
		struct out id = out_to(text, sizeof text);

		id_render(&id, fixture_publish(f, "a", i, ANSWER_EVENT_BYTES));
		snprintf(query, sizeof query, "channel=a&after=%.*s", (int)id.len, text);
		client_open(&c[i], f);
		client_get(&c[i], query, "Accept-Encoding: gzip\r\n");
	}
	for (unsigned i = ASKERS; i < ANSWER_EVENTS; i++)
		fixture_publish(f, "a", i, ANSWER_EVENT_BYTES);
	client_open(&other, f);
	client_get(&other, "channel=a", "");
	for (unsigned turn = 0; turn < ASKERS + 4; turn++) {
		const uint64_t before = done;

		fixture_turn(f);
		done = board_get(&f->w->board, BOARD_GZIP_ANSWERS);
		assert_in_range(done - before, turn < 4 || done == ASKERS ? 0 : 1, max);
		client_read(&other);
		assert_true(turn < 4 || client_count(&other, "200 OK") == 1);
	}
	assert_int_equal(done, ASKERS);
	for (unsigned i = 0; i < ASKERS; i++) {
		client_read(&c[i]);
		assert_int_equal(client_count(&c[i], "Content-Encoding: gzip\r\n"), 1);
		client_close(&c[i]);
	}
	client_close(&other);
}

/* More of them than a turn serves: what is published meanwhile is behind their cursors. */
static void
serve_poll_without_after_answers_with_no_events(void **state)
{
	struct fixture *f = *state;
	struct client *c = calloc(MANY, sizeof *c);

	assert_non_null(c);
	for (unsigned i = 0; i < MANY; i++) {
		client_open(&c[i], f);
		client_get(&c[i], i % 2 == 0 ? "channel=a" : "channel=a&wait=20", "");
	}
	for (unsigned n = 1; fixture_turn(f); n++)
		fixture_publish(f, "a", n, 0);
	for (unsigned i = 0; i < MANY; i++) {
		client_run(&c[i]);
		assert_int_equal(client_count(&c[i], "\"events\":[],\"next\":\""), 1);
		client_close(&c[i]);
	}
	free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	    TEST(serve_poll_held_on_one_channel_keeps_no_place_in_the_ring),
	    TEST(serve_poll_held_answers_with_the_origin_that_asked),
	    TEST(serve_poll_held_on_several_channels_gets_all_of_them_in_order),
	    TEST(serve_poll_without_after_answers_with_no_events),
	    TEST(serve_poll_answers_do_not_lie_in_memory_together),
	    TEST(serve_poll_compresses_once_for_all_who_are_answered_together),
	    TEST(serve_poll_compresses_so_much_in_a_turn_and_nobody_waits_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
