/*
 * kept_test.c: large frames that go out in pieces: the same bytes as ever, whether the frame is kept, forgotten in between, or finds
 * no room; rendered once for all who are inside it; and no more memory than was said.
 */
#include "worker/kept.h"

#include "proto/id.h"
#include "tests/unit/worker/worker_fixture.h"

static const enum dialect streams[] = {DIALECT_SSE, DIALECT_SSE_JSON, DIALECT_WS, DIALECT_WS_RAW,
    DIALECT_WS_DEFLATE, DIALECT_WS_RAW_DEFLATE};
#define STREAMS (sizeof streams / sizeof streams[0])

#define LARGE_BYTES (150u << 10)
#define PIECE_BYTES 20000
#define CLIENTS 3

enum cache { CACHE_WORKS, CACHE_FORGETS, CACHE_IS_FULL, CACHES };

/* An event of which compression makes little, with line ends of each kind. */
static uint64_t
publish_large(struct fixture *f, const char *channels)
{
	char *data = malloc(LARGE_BYTES);
	uint32_t random = 1;
	uint64_t id;

	assert_non_null(data);
	for (size_t i = 0; i < LARGE_BYTES; i++) {
		random = random * 1664525 + 1013904223;
		data[i] = random >> 26 == 0   ? '\r'
			  : random >> 26 == 1 ? '\n'
					      : (char)('0' + (random >> 26));
	}
	id = fixture_append(f, channels, RECORD_TEXT, data, LARGE_BYTES);
	free(data);
	return id;
}

static unsigned
kept_count(const struct fixture *f)
{
	unsigned n = 0;

	for (size_t i = 0; i < KEPT_FRAMES; i++)
		n += f->w->kept.frames[i].wave.count != 0;
	return n;
}

/* Until nobody gets any more. Returns the most frames that were kept at a time. */
static unsigned
run_clients(struct fixture *f, struct client *clients, enum cache cache)
{
	unsigned most = 0, quiet = 0;

	for (int i = 0; i < 20000 && quiet < 3; i++) {
		if (cache == CACHE_IS_FULL)
			f->w->kept.bytes = KEPT_BYTES_MAX;
		quiet = fixture_turn(f) ? 0 : quiet + 1;
		most = kept_count(f) > most ? kept_count(f) : most;
		if (cache == CACHE_FORGETS && i % 3 == 0)
			kept_free(f->w);
		for (size_t c = 0; c < CLIENTS; c++)
			client_read(&clients[c]);
	}
	assert_int_equal(quiet, 3);
	if (cache == CACHE_IS_FULL)
		f->w->kept.bytes = 0;
	return most;
}

static void
open_clients(
    struct fixture *f, struct client *clients, enum dialect dialect, const char *query, size_t chop)
{
	f->fake->chop = 0;
	for (size_t c = 0; c < CLIENTS; c++)
		client_stream(&clients[c], f, dialect, query);
	f->fake->chop = chop;
}

static void
close_clients(struct fixture *f, struct client *clients)
{
	for (size_t c = 0; c < CLIENTS; c++)
		client_close(&clients[c]);
	f->fake->chop = 0;
	fixture_run(f);
}

/* The frames as they came in pieces live, as a whole, and in pieces of a replay. */
static void
go_out(struct fixture *f, enum dialect dialect, const char *channels, enum cache cache)
{
	struct client live[CLIENTS], replayed[CLIENTS], whole;
	char text[ID_TEXT_MAX + 1], query[128];
	const uint64_t before = fixture_publish(f, "m", 0, 0);
	struct out o = out_to(text, ID_TEXT_MAX);
	unsigned most;

	kept_free(f->w); /* of the round before */
	id_render(&o, before);
	text[o.len] = '\0';
	snprintf(query, sizeof query, "%s&after=%s", channels, text);
	open_clients(f, live, dialect, channels, 0);
	fixture_run(f);
	for (size_t c = 0; c < CLIENTS; c++)
		client_clear(&live[c]);
	f->fake->chop = PIECE_BYTES;
	publish_large(f, "a,b");
	fixture_publish(f, "b", 7, 10);
	most = run_clients(f, live, cache);
	assert_int_equal(most, cache == CACHE_IS_FULL ? 0 : 1);
	f->fake->chop = 0;
	client_stream(&whole, f, dialect, query);
	client_run(&whole); /* a socket's room may cut it, too */
	kept_free(f->w);
	open_clients(f, replayed, dialect, query, PIECE_BYTES);
	most = run_clients(f, replayed, cache);
	assert_int_equal(most, cache == CACHE_IS_FULL ? 0 : 1);
	for (size_t c = 0; c < CLIENTS; c++) {
		assert_true(live[c].len > LARGE_BYTES / 2);
		assert_int_equal(live[c].len, live[0].len);
		assert_non_null(memmem(whole.bytes, whole.len, live[c].bytes, live[c].len));
		assert_non_null(
		    memmem(replayed[c].bytes, replayed[c].len, live[c].bytes, live[c].len));
		assert_int_equal(replayed[c].len, whole.len);
		assert_int_equal(client_slot(&replayed[c])->state, CONN_LIVE);
	}
	client_close(&whole);
	close_clients(f, live);
	close_clients(f, replayed);
}

static void
kept_or_not_the_pieces_of_a_frame_are_the_same(void **state)
{
	for (size_t d = 0; d < STREAMS; d++)
		for (int cache = 0; cache < CACHES; cache++) {
			go_out(*state, streams[d], "channel=b", (enum cache)cache);
			go_out(
			    *state, streams[d], "channel=b&channel=a&channel=c", (enum cache)cache);
		}
}

/* Of the same event, subscribers of one channel and of another have different bytes. */
static void
kept_frames_tell_the_events_channels_apart(void **state)
{
	struct fixture *f = *state;
	struct client a, b;

	client_stream(&a, f, DIALECT_WS, "channel=a");
	client_stream(&b, f, DIALECT_WS, "channel=b");
	fixture_run(f);
	f->fake->chop = PIECE_BYTES;
	publish_large(f, "a,b");
	for (int i = 0; i < 500; i++) {
		fixture_turn(f);
		client_read(&a);
		client_read(&b);
	}
	assert_int_equal(kept_count(f), 2);
	assert_int_equal(client_count(&a, "\"channel\":\"a\""), 1);
	assert_int_equal(client_count(&b, "\"channel\":\"b\""), 1);
	assert_int_equal(a.len, b.len);
	client_close(&a);
	client_close(&b);
}

/* Nothing is lost of the frame, and what follows it is told as a gap. */
static void
kept_frame_is_finished_though_the_ring_has_lapped_it(void **state)
{
	struct fixture *f = *state;
	struct client c;

	client_stream(&c, f, DIALECT_SSE, "channel=a");
	fixture_run(f);
	client_clear(&c);
	f->fake->chop = PIECE_BYTES;
	publish_large(f, "a");
	for (int i = 0; i < 20; i++)
		fixture_turn(f);
	assert_int_equal(kept_count(f), 1);
	for (unsigned n = 0; n < 3000; n++)
		fixture_publish(f, "a", n, 1000);
	f->fake->chop = 0;
	client_run(&c);
	assert_false(c.ended);
	assert_null(events_fault(c.bytes, c.len));
	assert_int_equal(client_count(&c, "event: ringcast.gap"), 1);
	assert_int_equal(client_count(&c, "#2999#"), 1);
	client_close(&c);
}

/* ---- memory ------------------------------------------------------------------------------------------- */

/* A wave of one frame with this id. */
static struct wave
wave_of(struct fixture *f, uint64_t id, size_t len)
{
	struct wave v = {.count = 1, .cap = 1};

	v.frames = calloc(1, sizeof *v.frames);
	assert_non_null(v.frames);
	v.frames[0] = (struct frame){.id = id, .end = (uint32_t)len};
	v.bytes.bytes = malloc(len);
	assert_non_null(v.bytes.bytes);
	v.bytes.len = v.bytes.cap = len;
	f->w->channels.wave_bytes += len;
	return v;
}

static bool
take(struct fixture *f, uint64_t id, size_t len)
{
	const struct kept_key key = {.id = id, .dialect = DIALECT_SSE};
	struct wave v = wave_of(f, id, len);
	const bool taken = kept_take(f->w, &key, &v) != NULL;

	assert_int_equal(v.count, taken ? 0 : 1);
	wave_clear(f->w, &v);
	buffer_free(&v.bytes);
	free(v.frames);
	return taken;
}

static bool
has(struct fixture *f, uint64_t id)
{
	const struct kept_key key = {.id = id, .dialect = DIALECT_SSE};

	return kept_find(f->w, &key) != NULL;
}

static void
kept_frames_are_bounded_in_bytes_and_number(void **state)
{
	struct fixture *f = *state;

	assert_false(take(f, 1, KEPT_BYTES_MIN - 1));
	for (uint64_t id = 1; id <= KEPT_FRAMES; id++)
		assert_true(take(f, id, KEPT_BYTES_MIN));
	assert_false(take(f, KEPT_FRAMES + 1, KEPT_BYTES_MIN));
	for (uint64_t id = 1; id <= KEPT_FRAMES; id++)
		assert_true(has(f, id));
	kept_free(f->w);
	assert_true(take(f, 1, KEPT_BYTES_MAX / 2 + 1));
	assert_false(take(f, 2, KEPT_BYTES_MAX / 2));
	assert_true(take(f, 3, KEPT_BYTES_MAX / 2 - 1));
	assert_int_equal(f->w->channels.wave_bytes, KEPT_BYTES_MAX);
	kept_free(f->w);
	/* One that is larger than all may be is rendered as often without, and has the most pieces. */
	assert_true(take(f, 1, 2 * KEPT_BYTES_MAX));
	assert_false(take(f, 2, KEPT_BYTES_MIN));
	kept_free(f->w);
	assert_int_equal(f->w->kept.bytes, 0);
	assert_int_equal(f->w->channels.wave_bytes, 0);
}

static void
kept_frames_go_when_nobody_asks_for_them(void **state)
{
	struct fixture *f = *state;
	struct client c;

	client_stream(&c, f, DIALECT_SSE, "channel=a");
	fixture_run(f);
	assert_true(take(f, 1, KEPT_BYTES_MIN));
	assert_true(take(f, 2, KEPT_BYTES_MIN));
	fixture_wait_ms(f, 1500);
	assert_true(has(f, 2));
	fixture_wait_ms(f, 1500);
	assert_false(has(f, 1));
	assert_true(has(f, 2));
	client_close(&c);
	fixture_run(f); /* the turns end with the last client */
	assert_int_equal(f->w->kept.bytes, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		kept_or_not_the_pieces_of_a_frame_are_the_same, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		kept_frames_tell_the_events_channels_apart, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(kept_frame_is_finished_though_the_ring_has_lapped_it,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		kept_frames_are_bounded_in_bytes_and_number, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		kept_frames_go_when_nobody_asks_for_them, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests_name("kept", tests, NULL, NULL);
}
