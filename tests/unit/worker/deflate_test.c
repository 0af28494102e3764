/*
 * deflate_test.c: compression as a whole worker does it: once for all, the same bytes again, and never more memory than was
 * allowed.
 */
#include "tests/unit/worker/worker_fixture.h"

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	assert_true(fixture_begin(f, 1 << 20, false));
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	const bool clean = fixture_is_clean(f) && f->w->deflate.window_bytes == 0 &&
			   board_get(&f->w->board, BOARD_DEFLATE_CONNECTIONS) == 0;

	fixture_end(f);
	free(f);
	return clean ? 0 : -1;
}

/* Text that zlib makes something of, but not much: words of a small vocabulary. */
static char *
words(size_t len, unsigned seed)
{
	static const char *const some[] = {
	    "order ", "client ", "price ", "{\"a\":", "1,2,3", "\"},", "shipment ", "blue "};
	char *text = malloc(len + 16);
	size_t at = 0;

	assert_non_null(text);
	while (at < len) {
		const char *word = some[(seed = seed * 1103515245 + 12345) >> 16 & 7];

		memcpy(text + at, word, strlen(word));
		at += strlen(word);
	}
	return text;
}

static void
deflate_unpack_gives_back_what_pack_was_given(void **state)
{
	struct fixture *f = *state;
	char *text = words(100000, 1);

	for (size_t len = 32; len <= 100000; len += len / 3) {
		struct slice packed = deflate_pack(f->w, slice_of(text, len)), plain;

		if (packed.len == 0)
			continue;
		assert_true(packed.len < len);
		assert_int_equal(deflate_unpack(f->w, NULL, packed, len, &plain), DEFLATE_OK);
		assert_int_equal(plain.len, len);
		assert_memory_equal(plain.bytes, text, len);
		assert_int_equal(
		    deflate_unpack(f->w, NULL, packed, len - 1, &plain), DEFLATE_TOO_BIG);
	}
	assert_int_equal(board_get(&f->w->board, BOARD_DEFLATE_PLAIN_OUT),
	    board_get(&f->w->board, BOARD_DEFLATE_PLAIN_IN));
	assert_true(board_get(&f->w->board, BOARD_DEFLATE_MESSAGES_OUT) > 10);
	free(text);
}

/* Half-sent frames are continued from what is built again. */
static void
deflate_pack_gives_the_same_bytes_whatever_was_packed_before(void **state)
{
	struct fixture *f = *state;
	char *text = words(5000, 1), *other = words(90000, 2), first[5000];
	struct slice packed = deflate_pack(f->w, slice_of(text, 5000));
	const size_t len = packed.len;

	assert_int_not_equal(len, 0);
	memcpy(first, packed.bytes, len);
	for (size_t before = 40; before < 90000; before *= 2) {
		deflate_pack(f->w, slice_of(other, before));
		packed = deflate_pack(f->w, slice_of(text, 5000));
		assert_int_equal(packed.len, len);
		assert_memory_equal(packed.bytes, first, len);
	}
	free(text);
	free(other);
}

static void
deflate_pack_refuses_what_does_not_become_smaller(void **state)
{
	struct fixture *f = *state;
	char noise[2000];
	uint32_t seed = 1;

	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (char)((seed = seed * 1103515245 + 12345) >> 16);
	assert_int_equal(deflate_pack(f->w, slice_of(noise, sizeof noise)).len, 0);
	memset(noise, 'a', sizeof noise);
	assert_int_equal(deflate_pack(f->w, slice_of(noise, 31)).len, 0); /* below min_bytes */
	assert_int_not_equal(deflate_pack(f->w, slice_of(noise, 32)).len, 0);
	assert_int_equal(board_get(&f->w->board, BOARD_DEFLATE_MESSAGES_OUT), 1);
}

/* 1 GiB of zeros, as much of it as may be sent: what it takes is what a message may be. */
static void
deflate_unpack_of_a_bomb_takes_no_more_than_the_limit(void **state)
{
	static const size_t limits[] = {100, 4096, 100000, DEFLATE_FREE_BYTES, 8 << 20};
	struct fixture *f = *state;
	unsigned char *bomb = malloc(4 << 20);
	const size_t len = squash_bomb(1024, bomb, 4 << 20);

	assert_true(len > (1 << 20));
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		struct slice plain;

		assert_int_equal(
		    deflate_unpack(f->w, NULL, slice_of((char *)bomb, len), limits[i], &plain),
		    DEFLATE_TOO_BIG);
		assert_true(f->w->deflate.plain.cap <= limits[i] + 1);
	}
	/* And a large limit does not mean that all of it may be zeros. */
	assert_int_equal(board_get(&f->w->board, BOARD_DEFLATE_MESSAGES_IN), 0);
	free(bomb);
}

static void
deflate_unpack_bounds_the_ratio_only_beyond_an_event(void **state)
{
	struct fixture *f = *state;
	char *text = malloc(4 << 20);
	unsigned char *packed = malloc(4 << 20);
	struct slice plain;
	size_t len;

	memset(text, 'a', 4 << 20);
	len = squash(SQUASH_DEFLATE, text, DEFLATE_FREE_BYTES, packed, 4 << 20);
	assert_int_equal(
	    deflate_unpack(f->w, NULL, slice_of((char *)packed, len), 4 << 20, &plain), DEFLATE_OK);
	assert_int_equal(plain.len, DEFLATE_FREE_BYTES);
	len = squash(SQUASH_DEFLATE, text, DEFLATE_FREE_BYTES + 200000, packed, 4 << 20);
	assert_int_equal(deflate_unpack(f->w, NULL, slice_of((char *)packed, len), 4 << 20, &plain),
	    DEFLATE_TOO_BIG);
	/* Stored, the same text is not too much for its size. */
	len = squash(SQUASH_STORED, text, 3 << 20, packed, 4 << 20);
	assert_int_equal(
	    deflate_unpack(f->w, NULL, slice_of((char *)packed, len), 4 << 20, &plain), DEFLATE_OK);
	free(text);
	free(packed);
}

static void
deflate_unpack_never_takes_a_cut_message_for_the_whole(void **state)
{
	static const enum squash_mode modes[] = {
	    SQUASH_DEFLATE, SQUASH_FIXED, SQUASH_HUFFMAN, SQUASH_STORED};
	struct fixture *f = *state;
	char *text = words(3000, 5);
	unsigned char packed[4096];

	for (size_t m = 0; m < sizeof modes / sizeof modes[0]; m++) {
		const size_t whole = squash(modes[m], text, 3000, packed, sizeof packed);

		for (size_t len = 1; len <= whole; len++) {
			struct slice plain;
			const enum deflate_result result = deflate_unpack(
			    f->w, NULL, slice_of((char *)packed, len), 100000, &plain);

			/* The last byte may be padding alone; and what is put back may pass for data. */
			if (len + 1 < whole && result == DEFLATE_OK)
				assert_false(
				    plain.len == 3000 && memcmp(plain.bytes, text, 3000) == 0);
			if (len == whole)
				assert_int_equal(result, DEFLATE_OK);
		}
	}
	free(text);
}

static void
deflate_gzip_is_read_by_zlib(void **state)
{
	struct fixture *f = *state;
	char *text = words(9000, 3), plain[9000];
	const struct slice pieces[] = {
	    slice_of(text, 4000), slice_of(text, 0), slice_of(text + 4000, 5000)};
	const struct slice packed = deflate_gzip(f->w, pieces, 3);
	z_stream z = {.next_out = (Bytef *)plain, .avail_out = sizeof plain};

	assert_int_not_equal(packed.len, 0);
	assert_int_equal(inflateInit2(&z, 31), Z_OK); /* a gzip member and nothing else */
	z.next_in = (Bytef *)(uintptr_t)packed.bytes;
	z.avail_in = (uInt)packed.len;
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	assert_int_equal(z.total_out, 9000);
	assert_memory_equal(plain, text, 9000);
	inflateEnd(&z);
	assert_int_equal(deflate_gzip(f->w, pieces, 0).len, 0);
	assert_int_equal(deflate_gzip(f->w, &(struct slice){text, 31}, 1).len, 0);
	free(text);
}

static void
deflate_windows_are_bounded_by_their_pool(void **state)
{
	struct fixture *f = *state;
	struct deflate_window *windows[64];
	unsigned count[2] = {0};

	f->settings.compression_takeover_bytes = 256 << 10;
	fixture_set(f);
	for (unsigned round = 0; round < 2; round++) {
		const unsigned bits = round == 0 ? 15 : 8;

		while (count[round] < 64 &&
		       (windows[count[round]] = deflate_window_new(f->w, bits)) != NULL)
			count[round]++;
		assert_true(f->w->deflate.window_bytes <= 256 << 10);
		assert_true(count[round] != 0 && count[round] < 64);
		for (unsigned i = 0; i < count[round]; i++)
			deflate_window_free(f->w, windows[i]);
		assert_int_equal(f->w->deflate.window_bytes, 0);
	}
	assert_true(count[1] > 3 * count[0]); /* small windows cost less */
}

static void
deflate_compresses_an_event_once_for_all_who_get_it(void **state)
{
	struct fixture *f = *state;
	struct client c[50], plain;

	for (size_t i = 0; i < 50; i++)
		client_stream(&c[i], f, i % 2 == 0 ? DIALECT_WS_DEFLATE : DIALECT_WS_RAW_DEFLATE,
		    "channel=a");
	client_stream(&plain, f, DIALECT_WS, "channel=a");
	fixture_run(f);
	for (size_t i = 0; i < 50; i++)
		client_clear(&c[i]);
	for (unsigned n = 0; n < 10; n++) {
		fixture_publish(f, "a", n, 500);
		fixture_run(f);
	}
	assert_int_equal(board_get(&f->w->board, BOARD_DEFLATE_CONNECTIONS), 50);
	assert_int_equal(
	    board_get(&f->w->board, BOARD_DEFLATE_MESSAGES_OUT), 20); /* two dialects */
	for (size_t i = 0; i < 50; i++) {
		client_read(&c[i]);
		client_has(&c[i], 0, 9);
		if (i > 1)
			assert_memory_equal(c[i].bytes, c[i % 2].bytes, c[i % 2].len);
		assert_true(c[i].len < 10 * 200);
		client_close(&c[i]);
	}
	client_run(&plain);
	client_has(&plain, 0, 9);
	client_close(&plain);
}

static void
deflate_costs_an_idle_client_nothing(void **state)
{
	struct fixture *f = *state;
	struct client c;

	client_stream(&c, f, DIALECT_WS_DEFLATE, "channel=a");
	fixture_run(f);
	client_frame(&c, 0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
	fixture_publish(f, "a", 0, 300);
	client_run(&c);
	client_has(&c, 0, 0);
	assert_int_equal(client_slot(&c)->extra, 0);
	assert_int_equal(f->w->extras.used, 0);
	client_close(&c);
}

/* The frame would be other bytes now: nothing that could be sent would make sense. */
static void
deflate_ends_who_is_inside_a_frame_when_the_level_changes(void **state)
{
	struct fixture *f = *state;
	struct client c, other;
	char *text = words(20000, 7);

	client_stream(&c, f, DIALECT_WS_DEFLATE, "channel=a");
	client_stream(&other, f, DIALECT_WS_DEFLATE, "channel=b");
	fixture_run(f);
	f->fake->allowance = 700;
	f->fake->chop = 700;
	fixture_append(f, "a", RECORD_TEXT, text, 20000);
	fixture_turn(f);
	while (client_slot(&c)->offset == 0)
		fixture_turn(f);
	f->settings.compression_level = 9;
	fixture_set(f);
	f->fake->allowance = -1;
	f->fake->chop = 0;
	client_run(&c);
	assert_true(c.ended);
	assert_int_equal(board_get(&f->w->board, BOARD_CLOSED_LAPPED), 1);
	fixture_publish(f, "b", 0, 300);
	client_run(&other);
	client_has(&other, 0, 0);
	free(text);
	client_close(&c);
	client_close(&other);
}

static void
deflate_keeps_the_window_of_who_insists_until_he_goes(void **state)
{
	struct fixture *f = *state;
	struct client c, second;

	f->settings.compression_takeover_bytes = 50 << 10; /* one window */
	fixture_set(f);
	client_stream(&c, f, DIALECT_WS_RAW_DEFLATE, "channel=a");
	client_run(&c);
	assert_int_equal(client_count(&c, "client_no_context_takeover"), 0);
	assert_true(f->w->deflate.window_bytes > 32 << 10);
	client_stream(&second, f, DIALECT_WS_DEFLATE, "channel=a");
	client_run(&second);
	assert_int_equal(client_count(&second, "client_no_context_takeover"), 1);
	client_close(&second);
	fixture_run(f);
	client_frame(&c, 0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
	client_run(&c);
	client_frame(&c, 0xc1, "\xf2\x00\x11\x00\x00", 5); /* RFC 7692 7.2.3.2 */
	client_run(&c);
	assert_false(c.ended);
	assert_int_equal(board_get(&f->w->board, BOARD_DEFLATE_MESSAGES_IN), 2);
	client_close(&c);
	fixture_run(f);
	assert_int_equal(f->w->deflate.window_bytes, 0);
}

#define FLOODERS 6
#define FLOOD_MESSAGES 20
#define FLOOD_LEN (250u << 10) /* of each, inflated */

/* Messages of 300 bytes that become 250 KiB each: to whom they are bare data they are events, which nobody answers here. */
static void
flood(struct client *c)
{
	char *json = malloc(FLOOD_LEN);
	unsigned char packed[4096];

	assert_non_null(json);
	for (int i = 0; i < FLOOD_MESSAGES; i++) {
		const int len = snprintf(json, FLOOD_LEN, "{\"op\":\"ping\",\"ref\":%d}", i);

		memset(json + len, ' ', FLOOD_LEN - (size_t)len);
		client_frame(c, 0xc1, (const char *)packed,
		    squash(SQUASH_DEFLATE, json, FLOOD_LEN, packed, sizeof packed));
	}
	free(json);
}

/* What one turn inflates: by those whose turn it is, and before it, of those who sent it behind their handshake. */
static uint64_t
inflated_in_a_turn(struct fixture *f)
{
	const uint64_t before = board_get(&f->w->board, BOARD_DEFLATE_PLAIN_IN);

	fixture_turn(f);
	return board_get(&f->w->board, BOARD_DEFLATE_PLAIN_IN) - before;
}

static void
deflate_inflates_so_much_in_a_turn_and_nobody_waits_for_ever(void **state)
{
	const uint64_t all = (uint64_t)FLOODERS * FLOOD_MESSAGES * FLOOD_LEN;
	struct fixture *f = *state;
	struct client c[FLOODERS], other;
	char want[32];

	client_stream(&other, f, DIALECT_WS, "channel=a");
	client_run(&other);
	for (size_t i = 0; i < FLOODERS; i++) {
		client_stream(&c[i], f, i % 2 == 0 ? DIALECT_WS_DEFLATE : DIALECT_WS_RAW_DEFLATE,
		    "channel=b");
		if (i < FLOODERS / 2)
			client_run(&c[i]);
	}
	/* The others send it right behind their handshakes. */
	for (size_t i = 0; i < FLOODERS; i++)
		flood(&c[i]);
	client_frame(&other, 0x89, "hi", 2);
	for (int turn = 0; board_get(&f->w->board, BOARD_DEFLATE_PLAIN_IN) < all; turn++) {
		assert_true(turn < 1000);
		assert_true(inflated_in_a_turn(f) <= 2 * (DEFLATE_TURN_BYTES + FLOOD_LEN));
		client_read(&other);
		assert_true(turn < 4 || client_count(&other, "\x8a\x02hi") == 1);
		for (size_t i = 0; i < FLOODERS; i += 2) {
			client_read(&c[i]);
			if (turn == 4 * FLOODERS && client_count(&c[i], "pong") == 0)
				fail_msg("client %zu starves", i);
		}
	}
	for (size_t i = 0; i < FLOODERS; i++) {
		client_run(&c[i]);
		for (int n = 0; i % 2 == 0 && n < FLOOD_MESSAGES; n++) {
			snprintf(want, sizeof want, "\"ref\":%d}", n);
			assert_int_equal(client_count(&c[i], want), 1);
		}
		client_close(&c[i]);
	}
	client_close(&other);
}

/* It has ended its side behind its messages, some of which wait for their turn when that is noticed. */
static void
deflate_loses_nothing_of_who_says_it_all_and_ends_his_side(void **state)
{
	struct fixture *f = *state;
	struct client c;

	client_stream(&c, f, DIALECT_WS_DEFLATE, "channel=b");
	client_run(&c);
	client_clear(&c);
	flood(&c);
	assert_int_equal(shutdown(c.fd, SHUT_WR), 0);
	client_run(&c);
	assert_int_equal(board_get(&f->w->board, BOARD_DEFLATE_MESSAGES_IN), FLOOD_MESSAGES);
	assert_int_equal(client_count(&c, "pong"), FLOOD_MESSAGES);
	assert_true(c.ended);
	client_close(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(deflate_unpack_gives_back_what_pack_was_given),
	    TEST(deflate_pack_gives_the_same_bytes_whatever_was_packed_before),
	    TEST(deflate_pack_refuses_what_does_not_become_smaller),
	    TEST(deflate_unpack_of_a_bomb_takes_no_more_than_the_limit),
	    TEST(deflate_unpack_bounds_the_ratio_only_beyond_an_event),
	    TEST(deflate_unpack_never_takes_a_cut_message_for_the_whole),
	    TEST(deflate_gzip_is_read_by_zlib),
	    TEST(deflate_windows_are_bounded_by_their_pool),
	    TEST(deflate_compresses_an_event_once_for_all_who_get_it),
	    TEST(deflate_costs_an_idle_client_nothing),
	    TEST(deflate_ends_who_is_inside_a_frame_when_the_level_changes),
	    TEST(deflate_keeps_the_window_of_who_insists_until_he_goes),
	    TEST(deflate_inflates_so_much_in_a_turn_and_nobody_waits_for_ever),
	    TEST(deflate_loses_nothing_of_who_says_it_all_and_ends_his_side),
	};

	return cmocka_run_group_tests_name("deflate", tests, NULL, NULL);
}
