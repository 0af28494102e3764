/*
 * replay_test.c: clients that read the ring at their own pace: from every kind of cursor, with gaps told exactly, over
 * several channels in order of id, and cut at every byte and resumed as if nothing had been.
 */
#include "worker/replay.h"

#include "proto/id.h"
#include "tests/unit/worker/worker_fixture.h"

static const enum dialect streams[] = {DIALECT_SSE, DIALECT_SSE_JSON, DIALECT_WS, DIALECT_WS_RAW,
    DIALECT_WS_DEFLATE, DIALECT_WS_RAW_DEFLATE};
#define STREAMS (sizeof streams / sizeof streams[0])

static int
setup_tiny(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	assert_true(fixture_begin(f, 64 << 10, false));
	*state = f;
	return 0;
}

static const char *
text_of(uint64_t id, char *text)
{
	struct out o = out_to(text, ID_TEXT_MAX + 1);

	id_render(&o, id);
	text[o.len] = '\0';
	return text;
}

/* ---- where to begin ----------------------------------------------------------------------------------- */

static void
replay_begins_where_each_kind_of_cursor_says(void **state)
{
	struct fixture *f = *state;
	uint64_t ids[10];
	char query[128], text[ID_TEXT_MAX + 1];
	static const struct {
		const char *after; /* NULL: the id of event 3 */
		unsigned first;
	} cases[] = {{NULL, 4}, {"0", 0}, {"-3", 7}, {"-1", 9}, {"-100", 0}, {"1763856000000", 0},
	    {"1763855999000", 0}};

	for (unsigned n = 0; n < 10; n++)
		ids[n] = fixture_publish(f, "a", n, 100);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t d = 0; d < STREAMS; d++) {
			struct client c;

			snprintf(query, sizeof query, "channel=a&after=%s",
			    cases[i].after == NULL ? text_of(ids[3], text) : cases[i].after);
			client_stream(&c, f, streams[d], query);
			client_run(&c);
			client_has(&c, cases[i].first, 9);
			client_sound(&c, streams[d]);
			assert_int_equal(client_slot(&c)->state, CONN_LIVE);
			if (streams[d] != DIALECT_WS_RAW && streams[d] != DIALECT_WS_RAW_DEFLATE)
				assert_int_equal(client_count(&c, "\"op\":\"live\""), 1);
			client_close(&c);
			fixture_run(f);
		}
}

static void
replay_by_last_event_id_goes_on_behind_it(void **state)
{
	struct fixture *f = *state;
	struct client c;
	char text[ID_TEXT_MAX + 1], fields[256];
	uint64_t third = 0;

	for (unsigned n = 0; n < 6; n++) {
		const uint64_t id = fixture_publish(f, "a", n, 0);

		third = n == 2 ? id : third;
	}
	snprintf(fields, sizeof fields, "Accept: text/event-stream\r\nLast-Event-ID: %s\r\n",
	    text_of(third, text));
	client_open(&c, f);
	client_get(&c, "channel=a&after=0", fields);
	client_run(&c);
	client_has(&c, 3, 5);
	assert_int_equal(client_count(&c, "ringcast.gap"), 0);
	client_close(&c);
	client_open(&c, f);
	client_get(&c, "channel=a", "Accept: text/event-stream\r\nLast-Event-ID: nonsense\r\n");
	client_run(&c);
	client_has(&c, 0, 5);
	assert_int_equal(client_count(&c, "event: ringcast.gap"), 1);
	client_close(&c);
}

static void
replay_of_many_events_comes_in_order_and_ends_live(void **state)
{
	struct fixture *f = *state;

	for (unsigned n = 0; n < 1500; n++)
		fixture_publish(f, n % 3 == 0 ? "a" : n % 3 == 1 ? "b" : "b,c", n, 200);
	for (size_t d = 0; d < STREAMS; d++) {
		struct client c;

		client_stream(&c, f, streams[d], "channel=a&channel=b&channel=c&after=0");
		client_run(&c);
		client_has(&c, 0, 1499);
		client_sound(&c, streams[d]);
		fixture_publish(f, "c", 1500, 0);
		client_run(&c);
		client_has(&c, 0, 1500);
		client_close(&c);
		client_stream(&c, f, streams[d], "channel=c&after=-1");
		client_run(&c);
		client_has(&c, 1500, 1500);
		client_close(&c);
		fixture_run(f);
		/* The next round needs the same history. */
		if (d + 1 < STREAMS) {
			fixture_end(f);
			assert_true(fixture_begin(f, 1 << 20, false));
			for (unsigned n = 0; n < 1500; n++)
				fixture_publish(f,
				    n % 3 == 0   ? "a"
				    : n % 3 == 1 ? "b"
						 : "b,c",
				    n, 200);
		}
	}
}

/* What is published while the welcome is still on its way comes on top of the last N. */
static void
replay_of_the_last_counts_from_when_it_was_asked_for(void **state)
{
	struct fixture *f = *state;
	struct client c;
	unsigned n = 0;

	while (n < 5)
		fixture_publish(f, "a", n++, 0);
	f->fake->chop = 10;
	client_stream(&c, f, DIALECT_WS, "channel=a&after=-2");
	for (int i = 0; i < 3; i++)
		fixture_turn(f);
	assert_true(deliver_pending(f->w, client_slot(&c)) != 0);
	while (n < 20)
		fixture_publish(f, "a", n++, 0);
	client_run(&c);
	client_has(&c, 3, 19);
	client_close(&c);
}

/* A client that is cut right behind the welcome comes back to the last N, not to all that is kept. */
static void
replay_of_the_last_is_welcomed_just_before_it(void **state)
{
	struct fixture *f = *state;
	uint64_t ids[5];
	char text[ID_TEXT_MAX + 1], want[256];
	struct client c;

	for (unsigned n = 0; n < 5; n++)
		ids[n] = fixture_publish(f, "a", n, 0);
	client_stream(&c, f, DIALECT_WS, "channel=a&after=-2");
	client_run(&c);
	snprintf(want, sizeof want, "{\"op\":\"welcome\",\"at\":\"%s\"", text_of(ids[2], text));
	assert_int_equal(client_count(&c, want), 1);
	client_close(&c);
}

/* Long ways back on many channels at once: a step is as short as with one, and all of them go on in it. */
static void
replay_of_many_channels_seeks_with_one_budget(void **state)
{
	struct fixture *f = *state;
	enum { CHANNELS = 32, EVENTS = 320, SHARE = 2048 / CHANNELS };
	char query[1024], name[16], text[ID_TEXT_MAX + 1];
	unsigned steps = 0, n = 0;
	struct client c;
	size_t len;

	fixture_end(f);
	assert_true(fixture_begin(f, 8 << 20, false));
	len = (size_t)snprintf(
	    query, sizeof query, "after=%s", text_of(fixture_publish(f, "m", 0, 0), text));
	for (unsigned i = 0; i < CHANNELS; i++)
		len += (size_t)snprintf(query + len, sizeof query - len, "&channel=c%u", i);
	while (n < EVENTS * CHANNELS) {
		snprintf(name, sizeof name, "c%u", n % CHANNELS);
		fixture_publish(f, name, n++, 0);
	}
	client_stream(&c, f, DIALECT_WS_RAW, query);
	while (client_slot(&c)->state != CONN_CATCHUP || client_slot(&c)->handed == 0)
		fixture_turn(f);
	client_read(&c);
	for (; client_count(&c, "#") == 0; steps++) {
		assert_true(steps < 100);
		fixture_turn(f);
		client_read(&c);
	}
	assert_in_range(steps, EVENTS / SHARE - 1, EVENTS / SHARE + 2);
	client_close(&c);
}

/* ---- gaps --------------------------------------------------------------------------------------------- */

static void
replay_tells_a_gap_iff_an_event_is_gone(void **state)
{
	struct fixture *f = *state;
	uint64_t ids[200];
	unsigned oldest;

	fixture_publish(f, "quiet", 0, 0);
	for (unsigned n = 0; n < 200; n++)
		ids[n] = fixture_publish(f, "a", n, 1000);
	/* What is kept is what a client that wants all gets. */
	{
		struct client c;
		unsigned numbers[200];

		client_stream(&c, f, DIALECT_WS, "channel=a&after=0");
		client_run(&c);
		assert_true(client_numbers(&c, numbers, 200) != 0);
		oldest = numbers[0];
		client_has(&c, oldest, 199);
		assert_int_equal(client_count(&c, "\"op\":\"gap\""), 0);
		client_close(&c);
	}
	assert_true(oldest > 100);
	for (unsigned n = oldest - 5; n < oldest + 5; n++)
		for (size_t d = 0; d < STREAMS; d++) {
			const bool gap = n + 1 < oldest;
			char query[128], text[ID_TEXT_MAX + 1], at[ID_TEXT_MAX + 1], want[256];
			struct client c;

			snprintf(query, sizeof query, "channel=a&after=%s", text_of(ids[n], text));
			client_stream(&c, f, streams[d], query);
			client_run(&c);
			client_has(&c, gap ? oldest : n + 1, 199);
			client_sound(&c, streams[d]);
			snprintf(want, sizeof want,
			    "{\"op\":\"gap\",\"channel\":\"a\",\"after\":\"%s\",\"at\":\"%s\"}",
			    text, text_of(ids[oldest - 1], at));
			if (streams[d] != DIALECT_WS_RAW && streams[d] != DIALECT_WS_RAW_DEFLATE)
				assert_int_equal(client_count(&c, want), gap);
			client_close(&c);
		}
}

static void
replay_tells_a_poll_of_its_gap(void **state)
{
	struct fixture *f = *state;
	struct client c;
	uint64_t first = fixture_publish(f, "a", 0, 1000);
	char query[128], text[ID_TEXT_MAX + 1];

	for (unsigned n = 1; n < 200; n++)
		fixture_publish(f, "a", n, 1000);
	client_open(&c, f);
	snprintf(query, sizeof query, "channel=a&wait=20&after=%s", text_of(first, text));
	client_get(&c, query, "");
	client_run(&c);
	assert_int_equal(client_count(&c, "\"gaps\":[{\"channel\":\"a\""), 1);
	assert_int_equal(client_count(&c, "#199#"), 1);
	client_close(&c);
}

/* However often the ring goes round by other channels meanwhile. */
static void
replay_tells_a_poll_that_was_held_on_a_quiet_channel_no_gap(void **state)
{
	struct fixture *f = *state;
	char query[128], text[ID_TEXT_MAX + 1];
	struct client c;

	client_open(&c, f);
	snprintf(query, sizeof query, "channel=quiet&wait=20&after=%s",
	    text_of(fixture_publish(f, "quiet", 0, 0), text));
	client_get(&c, query, "");
	fixture_run(f);
	assert_int_equal(client_slot(&c)->state, CONN_HELD);
	for (unsigned n = 0; n < 200; n++) {
		fixture_publish(f, "a", n, 1000);
		fixture_turn(f);
	}
	fixture_wait_ms(f, 21000);
	client_read(&c);
	assert_int_equal(client_count(&c, "{\"events\":[],"), 1);
	assert_int_equal(client_count(&c, "\"gaps\":[]"), 1);
	client_close(&c);
}

/* A client that stood still has lost what the ring lost, channel by channel: of the quiet one nothing. */
static void
replay_tells_a_lagging_client_only_of_the_channel_that_lost(void **state)
{
	struct fixture *f = *state;
	struct client c;
	unsigned n = 1;

	client_stream(&c, f, DIALECT_WS, "channel=quiet&channel=a");
	fixture_run(f);
	fixture_publish(f, "quiet", 0, 0);
	client_run(&c);
	f->fake->allowance = 0;
	fixture_publish(f, "a", n++, 1000);
	while ((client_slot(&c)->flags & CONN_BLOCKED) == 0)
		fixture_turn(f);
	for (unsigned i = 0; i < 30; i++)
		fixture_publish(f, "a", n++, 1000);
	fixture_publish(f, "quiet", 1000, 0);
	for (unsigned i = 0; i < 50; i++)
		fixture_publish(f, "a", n++, 1000);
	client_run(&c);
	assert_int_equal(client_count(&c, "\"op\":\"gap\",\"channel\":\"a\""), 1);
	assert_int_equal(client_count(&c, "\"op\":\"gap\",\"channel\":\"quiet\""), 0);
	assert_int_equal(client_count(&c, "#1000#"), 1);
	client_sound(&c, DIALECT_WS);
	client_close(&c);
}

/* A turn in which the socket of the only client that is sent to has no room. */
static void
turn_full(struct fixture *f)
{
	f->fake->allowance = 0;
	fixture_turn(f);
}

/* More than a lap of the tiny ring, all of which the worker reads, while the client is stuck. */
static void
lap(struct fixture *f, const char *channel)
{
	for (int i = 0; i < 10; i++)
		turn_full(f);
	for (unsigned n = 0; n < 100; n++) {
		fixture_publish(f, channel, 5000 + n, 1000);
		turn_full(f);
	}
	f->fake->allowance = -1;
}

/* `0` never gaps; but what was there when the client was welcomed, and is gone when it can be sent, was lost. */
static void
replay_tells_who_asked_for_all_of_what_was_lost_since_its_welcome(void **state)
{
	struct fixture *f = *state;
	struct client c, poll;

	lap(f, "a");
	client_stream(&c, f, DIALECT_SSE, "channel=a&after=0");
	lap(f, "a");
	client_run(&c);
	assert_int_equal(client_count(&c, "\"op\":\"gap\",\"channel\":\"a\""), 1);
	client_sound(&c, DIALECT_SSE);
	client_close(&c);
	client_stream(&c, f, DIALECT_SSE, "channel=a&after=0");
	client_run(&c);
	assert_int_equal(client_count(&c, "\"op\":\"gap\""), 0);
	client_close(&c);
	client_open(&poll, f);
	client_get(&poll, "channel=a&after=0&limit=1", "");
	client_run(&poll);
	assert_int_equal(client_count(&poll, "\"gaps\":[]"), 1);
	client_close(&poll);
}

/* More is kept than one step of a search goes through. */
static void
replay_tells_who_asked_for_all_of_what_was_lost_while_it_was_looked_for(void **state)
{
	struct fixture *f = *state;
	struct client c;

	for (unsigned n = 0; n < 600; n++)
		fixture_publish(f, "a", n, 0);
	client_stream(&c, f, DIALECT_SSE, "channel=a&after=0");
	lap(f, "a");
	client_run(&c);
	assert_int_equal(
	    client_count(&c, "\"channel\":\"a\",\"after\":\"0000000000000-00000\""), 1);
	client_close(&c);
}

/* However the ring has forgotten it: the worker has read all of the channel since. */
static void
replay_tells_a_lagging_client_no_gap_of_a_channel_that_was_merely_quiet(void **state)
{
	struct fixture *f = *state;

	for (int late = 0; late < 2; late++) {
		struct client c;

		client_stream(&c, f, DIALECT_WS, "channel=quiet&channel=a");
		fixture_run(f);
		fixture_publish(f, "quiet", 0, 0);
		client_run(&c);
		fixture_publish(f, "a", 1, 1000);
		lap(f, "a");
		if (late)
			fixture_publish(f, "quiet", 1000, 0);
		client_run(&c);
		assert_int_not_equal(client_count(&c, "\"op\":\"gap\",\"channel\":\"a\""), 0);
		assert_int_equal(client_count(&c, "\"op\":\"gap\",\"channel\":\"quiet\""), 0);
		assert_int_equal(client_count(&c, "#1000#"), late);
		client_close(&c);
		fixture_run(f);
	}
}

/* And one of what was published meanwhile and is gone, whether or not something came since. */
static void
replay_tells_a_lagging_client_of_a_quiet_channel_that_lost(void **state)
{
	struct fixture *f = *state;

	for (int late = 0; late < 2; late++) {
		struct client c;

		client_stream(&c, f, DIALECT_WS, "channel=quiet&channel=a");
		fixture_run(f);
		fixture_publish(f, "a", 1, 1000);
		fixture_publish(f, "quiet", 0, 0);
		lap(f, "a");
		if (late)
			fixture_publish(f, "quiet", 1000, 0);
		client_run(&c);
		assert_int_equal(client_count(&c, "\"op\":\"gap\",\"channel\":\"quiet\""), 1);
		assert_int_equal(client_count(&c, "#1000#"), late);
		client_close(&c);
		fixture_run(f);
	}
}

/* An id is a place, and 0-0 lies before every ring. */
static void
replay_tells_a_gap_behind_the_id_of_zero(void **state)
{
	struct fixture *f = *state;
	struct client c;

	fixture_publish(f, "a", 0, 0);
	client_open(&c, f);
	client_get(&c, "channel=a&after=0-0", "");
	client_run(&c);
	client_has(&c, 0, 0);
	assert_int_equal(
	    client_count(&c, "\"gaps\":[{\"channel\":\"a\",\"after\":\"0000000000000-00000\","), 1);
	client_close(&c);
}

/* ---- several channels --------------------------------------------------------------------------------- */

static void
replay_of_a_later_subscription_has_all_of_it_and_nothing_twice(void **state)
{
	struct fixture *f = *state;
	struct client c;
	unsigned numbers[4096];
	size_t n;

	fixture_publish(
	    f, "a,b", 0, 0); /* before the first subscription began: the second brings it */
	client_stream(&c, f, DIALECT_WS, "channel=a");
	fixture_run(f);
	fixture_publish(f, "a,b", 1, 0); /* delivered as a's: not once more as b's */
	for (unsigned i = 2; i < 600; i++)
		fixture_publish(f, "b", i, 300); /* more than one run */
	fixture_publish(f, "a", 600, 0);
	client_run(&c);
	n = client_numbers(&c, numbers, 4096);
	assert_int_equal(n, 2);
	client_clear(&c);
	client_op(&c, "{\"op\":\"subscribe\",\"channel\":\"b\",\"after\":\"0\",\"ref\":1}");
	client_run(&c);
	n = client_numbers(&c, numbers, 4096);
	assert_int_equal(n, 599); /* 0 and 2..599 */
	assert_int_equal(numbers[0], 0);
	for (unsigned i = 1; i < 599; i++)
		assert_int_equal(numbers[i], i + 1);
	assert_int_equal(client_count(&c, "\"op\":\"live\""), 1);
	client_clear(&c);
	fixture_publish(f, "b,a", 601, 0);
	client_run(&c);
	client_has(&c, 601, 601);
	client_close(&c);
}

/* The same with every send cut, so that places are lost and found again in the middle. */
static void
replay_of_a_later_subscription_survives_cut_sends(void **state)
{
	struct fixture *f = *state;

	for (size_t chop = 1; chop < 2000; chop = chop * 3 + 1) {
		struct client c;

		client_stream(&c, f, DIALECT_WS, "channel=a");
		fixture_run(f);
		for (unsigned i = 0; i < 60; i++)
			fixture_publish(f, "b", i, 20);
		fixture_publish(f, "a", 1000, 0);
		client_run(&c);
		client_clear(&c);
		client_op(&c, "{\"op\":\"subscribe\",\"channel\":\"b\",\"after\":\"-60\"}");
		f->fake->chop = chop;
		client_run(&c);
		f->fake->chop = 0;
		client_has(&c, 0, 59);
		assert_null(frames_fault(c.bytes, c.len));
		client_close(&c);
		fixture_run(f);
	}
}

static void
replay_loses_nothing_of_one_channel_by_the_gap_of_another(void **state)
{
	struct fixture *f = *state;
	const uint64_t before = fixture_publish(f, "a,b", 0, 0);
	char query[128], text[ID_TEXT_MAX + 1];
	struct client c;
	uint64_t id;

	fixture_publish(f, "b,a", 1, 0);
	fixture_publish(f, "b,a", 2, 0);
	/* b's history is forgotten: a's is not, though the events are the same. */
	assert_int_equal(
	    ring_write_forget(f->ring, (struct record_slice){"b", 1}, 0, FIXTURE_MS, &id), RING_OK);
	fixture_publish(f, "b", 3, 0);
	snprintf(query, sizeof query, "channel=b&channel=a&after=%s", text_of(before, text));
	client_stream(&c, f, DIALECT_WS, query);
	client_run(&c);
	client_has(&c, 1, 3);
	assert_int_equal(client_count(&c, "\"op\":\"gap\",\"channel\":\"b\""), 1);
	client_close(&c);
}

/* ---- cuts --------------------------------------------------------------------------------------------- */

/* The first client is not cut, and says how long the stream is; then one is cut at each of its bytes. */
static void
cut_at_every_byte(struct fixture *f, enum dialect dialect, const char *query, unsigned events)
{
	const uint64_t cuts = f->fake->cuts;
	size_t length = 0;

	for (size_t at = 0; at == 0 || at <= length; at++) {
		struct client c;

		client_stream(&c, f, dialect, query);
		fixture_run(f);
		client_clear(&c);
		f->fake->allowance = (int64_t)at - 1;
		for (unsigned n = 0; n < events; n++) {
			fixture_publish(f, n % 2 == 0 ? "a,b" : "b", n, 9 + 37 * n);
			if (n == 1)
				fixture_run(f);
		}
		client_run(&c);
		client_has(&c, 0, events - 1);
		/* Compressed ids are not all of one length: the shortest stream is cut at each byte. */
		if (length == 0 || (c.deflate && c.len < length))
			length = c.len;
		if (!c.deflate)
			assert_int_equal(c.len, length);
		if (dialect >= DIALECT_WS)
			assert_null(frames_fault(c.bytes, c.len));
		else
			assert_null(events_fault(c.bytes, c.len));
		assert_int_equal(client_slot(&c)->state, CONN_LIVE);
		assert_int_equal(client_slot(&c)->offset, 0);
		client_close(&c);
		fixture_run(f);
	}
	assert_int_equal(f->fake->cuts - cuts, length);
	assert_int_equal(board_get(&f->w->board, BOARD_CLOSED_ERROR), 0);
}

static void
replay_resumes_a_send_cut_at_any_byte(void **state)
{
	for (size_t d = 0; d < STREAMS; d++)
		cut_at_every_byte(*state, streams[d], "channel=b", 4);
}

static void
replay_resumes_a_gathered_send_cut_at_any_byte(void **state)
{
	for (size_t d = 0; d < STREAMS; d++)
		cut_at_every_byte(*state, streams[d], "channel=b&channel=a&channel=c", 4);
}

/* A byte at a time, replay and live, with news all the while. */
static void
replay_and_live_are_one_sequence_over_a_socket_of_one_byte(void **state)
{
	struct fixture *f = *state;

	for (size_t d = 0; d < STREAMS; d++) {
		struct client c;
		char query[128], text[ID_TEXT_MAX + 1];
		unsigned n = 0;

		snprintf(query, sizeof query, "channel=a&channel=b&after=%s",
		    text_of(fixture_publish(f, "m", 0, 0), text));
		for (; n < 10; n++)
			fixture_publish(f, "a,b", n, 10);
		f->fake->chop = 1;
		client_stream(&c, f, streams[d], query);
		for (; n < 40; n++) {
			fixture_publish(f, n % 2 == 0 ? "a" : "b,a", n, 10);
			for (int i = 0; i < 30; i++)
				fixture_turn(f);
		}
		client_run(&c);
		f->fake->chop = 0;
		client_has(&c, 0, 39);
		client_sound(&c, streams[d]);
		client_close(&c);
		fixture_run(f);
	}
}

static void
replay_closes_a_client_lapped_inside_a_frame(void **state)
{
	struct fixture *f = *state;
	struct client c;

	client_stream(&c, f, DIALECT_WS, "channel=a");
	fixture_run(f);
	client_clear(&c);
	f->fake->allowance = 20;
	fixture_publish(f, "a", 0, 100);
	fixture_turn(f);
	for (unsigned n = 1; n < 200; n++)
		fixture_publish(f, "a", n, 1000);
	client_run(&c);
	assert_true(c.ended);
	assert_int_equal(c.len, 20); /* not one byte of another event behind the half frame */
	assert_int_equal(board_get(&f->w->board, BOARD_CLOSED_LAPPED), 1);
	client_close(&c);
}

/* Stands still while the ring goes round. */
static void
lag(struct client *c, struct fixture *f, enum dialect dialect, enum rule_lag rule)
{
	f->settings.rules[0].lag = rule;
	fixture_set(f);
	client_stream(c, f, dialect, "channel=a");
	fixture_run(f);
	f->fake->allowance = 0;
	fixture_publish(f, "a", 0, 100);
	while ((client_slot(c)->flags & CONN_BLOCKED) == 0)
		fixture_turn(f);
	for (unsigned n = 1; n < 200; n++)
		fixture_publish(f, "a", n, 1000);
	client_run(c);
}

static void
replay_treats_who_was_lapped_by_the_channels_rule(void **state)
{
	static const enum dialect dialects[] = {DIALECT_SSE, DIALECT_WS};
	struct fixture *f = *state;

	for (size_t d = 0; d < 2; d++) {
		struct client c;

		lag(&c, f, dialects[d], RULE_LATEST);
		client_has(&c, 199, 199);
		assert_int_equal(client_count(&c, "\"op\":\"gap\""), 1);
		assert_false(c.ended);
		client_sound(&c, dialects[d]);
		client_close(&c);
		fixture_run(f);

		lag(&c, f, dialects[d], RULE_CLOSE);
		assert_int_equal(client_count(&c, "\"op\":\"gap\""), 0);
		assert_int_equal(client_count(&c, "#"), 0);
		assert_true(c.ended);
		assert_int_equal(
		    client_count(&c, dialects[d] == DIALECT_WS ? "\x03\xf5" : "retry: "),
		    dialects[d] == DIALECT_WS ? 1 : 2);
		client_close(&c);
		fixture_run(f);
	}
}

/* It has lagged, was live again, and asks for what is gone, of a new channel and of one it knows: it is told, not treated as slow. */
static void
replay_tells_who_lagged_once_of_a_cursor_that_is_too_old(void **state)
{
	static const enum rule_lag rules[] = {RULE_CLOSE, RULE_LATEST};
	struct fixture *f = *state;

	for (size_t i = 0; i < 2; i++)
		for (int again = 0; again < 2; again++) {
			char op[256], text[ID_TEXT_MAX + 1];
			struct client c;
			uint64_t old;

			f->settings.rules[0].lag = rules[i];
			fixture_set(f);
			old = fixture_publish(f, "b", 0, 100);
			fixture_publish(f, "b", 0, 100);
			client_stream(
			    &c, f, DIALECT_WS, again == 0 ? "channel=a" : "channel=a&channel=c");
			fixture_run(f);
			f->fake->allowance = 0;
			fixture_publish(f, "a", 0, 100);
			client_run(&c);
			assert_true((client_slot(&c)->flags & CONN_LAGGED) != 0);
			assert_int_equal(client_slot(&c)->state, CONN_LIVE);
			for (unsigned n = 0; n < 200; n++) {
				fixture_publish(f, "b", n, 1000);
				fixture_turn(f);
			}
			client_run(&c);
			client_clear(&c);
			snprintf(op, sizeof op,
			    "{\"op\":\"subscribe\",\"channel\":\"b\",\"after\":\"%s\"}",
			    text_of(old, text));
			client_op(&c, op);
			client_run(&c);
			assert_false(c.ended);
			assert_int_equal(client_count(&c, "\"op\":\"gap\",\"channel\":\"b\""), 1);
			assert_true(
			    client_count(&c, "\"id\"") > 10); /* all that is kept, not the latest */
			assert_int_equal(client_count(&c, "#199#"), 1);
			assert_null(frames_fault(c.bytes, c.len));
			client_close(&c);
			fixture_run(f);
		}
}

/* The same while it lags: the gap of the new channel is its own cursor's, and the one that lags is not lapped. */
static void
replay_tells_who_lags_of_a_cursor_that_is_too_old(void **state)
{
	struct fixture *f = *state;
	char op[256], text[ID_TEXT_MAX + 1];
	struct client c;
	uint64_t old;

	f->settings.rules[0].lag = RULE_CLOSE;
	fixture_set(f);
	old = fixture_publish(f, "b", 0, 100);
	fixture_publish(f, "b", 0, 100);
	for (unsigned n = 0; n < 200; n++)
		fixture_publish(f, "b", n, 1000);
	client_stream(&c, f, DIALECT_WS, "channel=a");
	fixture_run(f);
	client_clear(&c);
	f->fake->allowance = 0;
	fixture_publish(f, "a", 1000, 100);
	while ((client_slot(&c)->flags & CONN_BLOCKED) == 0)
		fixture_turn(f);
	assert_int_equal(client_slot(&c)->state, CONN_CATCHUP);
	snprintf(op, sizeof op, "{\"op\":\"subscribe\",\"channel\":\"b\",\"after\":\"%s\"}",
	    text_of(old, text));
	client_op(&c, op);
	client_run(&c);
	assert_false(c.ended);
	assert_int_equal(client_count(&c, "\"op\":\"gap\",\"channel\":\"b\""), 1);
	assert_int_equal(client_count(&c, "#1000#"), 1);
	assert_int_equal(client_count(&c, "#199#"), 1);
	assert_null(frames_fault(c.bytes, c.len));
	client_close(&c);
}

/* ---- what a client says meanwhile ---------------------------------------------------------------------- */

static void
replay_reads_what_was_said_while_a_frame_was_half_sent(void **state)
{
	struct fixture *f = *state;
	struct client c;

	client_stream(&c, f, DIALECT_WS, "channel=a");
	fixture_run(f);
	f->fake->allowance = 20;
	fixture_publish(f, "a", 0, 100);
	while (client_slot(&c)->offset == 0)
		fixture_turn(f);
	f->fake->allowance = 0; /* what the socket has room for now is refused once more */
	client_op(&c, "{\"op\":\"ping\",\"ref\":77}");
	while ((client_slot(&c)->flags & CONN_INPUT_WAITS) == 0)
		fixture_turn(f);
	client_run(&c);
	client_has(&c, 0, 0);
	assert_int_equal(client_count(&c, "\"op\":\"pong\""), 1);
	client_sound(&c, DIALECT_WS);
	client_close(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		replay_begins_where_each_kind_of_cursor_says, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_by_last_event_id_goes_on_behind_it, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(replay_of_many_events_comes_in_order_and_ends_live,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(replay_of_the_last_counts_from_when_it_was_asked_for,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_of_the_last_is_welcomed_just_before_it, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_of_many_channels_seeks_with_one_budget, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_tells_a_gap_iff_an_event_is_gone, setup_tiny, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_tells_a_poll_of_its_gap, setup_tiny, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_tells_a_lagging_client_only_of_the_channel_that_lost, setup_tiny,
		fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_tells_who_asked_for_all_of_what_was_lost_since_its_welcome, setup_tiny,
		fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_tells_who_asked_for_all_of_what_was_lost_while_it_was_looked_for, setup_tiny,
		fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_tells_a_lagging_client_no_gap_of_a_channel_that_was_merely_quiet, setup_tiny,
		fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_tells_a_lagging_client_of_a_quiet_channel_that_lost, setup_tiny,
		fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_tells_a_gap_behind_the_id_of_zero, setup_tiny, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_of_a_later_subscription_has_all_of_it_and_nothing_twice, fixture_setup,
		fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_of_a_later_subscription_survives_cut_sends, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_loses_nothing_of_one_channel_by_the_gap_of_another, fixture_setup,
		fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_resumes_a_send_cut_at_any_byte, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_resumes_a_gathered_send_cut_at_any_byte, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_and_live_are_one_sequence_over_a_socket_of_one_byte, fixture_setup,
		fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_closes_a_client_lapped_inside_a_frame, setup_tiny, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_treats_who_was_lapped_by_the_channels_rule, setup_tiny, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_tells_who_lagged_once_of_a_cursor_that_is_too_old, setup_tiny,
		fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_tells_who_lags_of_a_cursor_that_is_too_old, setup_tiny, fixture_teardown),
	    cmocka_unit_test_setup_teardown(replay_reads_what_was_said_while_a_frame_was_half_sent,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		replay_tells_a_poll_that_was_held_on_a_quiet_channel_no_gap, setup_tiny,
		fixture_teardown),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
