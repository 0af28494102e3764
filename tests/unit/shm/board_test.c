/*
 * board_test.c: counters, their names, the interest filter, and the doorbell's decisions (its
 * races: tests/stress).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "shm/board.h"
#include "shm/doorbell.h"
#include "shm/ring_read.h"
#include "shm/ring_write.h"

static void
board_shows_the_worker_to_the_master(void **state)
{
	struct board master, worker;

	(void)state;
	assert_int_equal(board_create(&master), SEGMENT_OK);
	assert_int_equal(board_attach(&worker, dup(master.segment.fd)), SEGMENT_OK);
	board_add(&worker, BOARD_DELIVERIES, 7);
	board_add(&worker, BOARD_DELIVERIES, 5);
	board_sub(&worker, BOARD_DELIVERIES, 1);
	board_set(&worker, BOARD_CHANNELS, 3);
	board_beat(&worker, 1000, 4096, 99);
	assert_int_equal(board_get(&master, BOARD_DELIVERIES), 11);
	assert_int_equal(board_get(&master, BOARD_CHANNELS), 3);
	assert_int_equal(board_heartbeat_ms(&master), 1000);
	assert_int_equal(board_position(&master), 4096);
	assert_int_equal(board_read_id(&master), 99);
	assert_int_equal(board_io(&master), BOARD_IO_UNKNOWN);
	board_set_io(&worker, BOARD_IO_EPOLL);
	assert_int_equal(board_io(&master), BOARD_IO_EPOLL);
	board_set_io(&worker, (enum board_io)77);
	assert_string_equal(board_io_name(board_io(&master)), "unknown");
	board_set_io(&worker, BOARD_IO_URING);
	assert_string_equal(board_io_name(board_io(&master)), "io_uring");
	board_reset(&master, 2);
	assert_int_equal(board_io(&worker), BOARD_IO_UNKNOWN);
	assert_int_equal(board_get(&worker, BOARD_DELIVERIES), 0);
	board_close(&worker);
	board_close(&master);
}

static void
board_names_every_counter_once_with_families_in_a_row(void **state)
{
	(void)state;
	for (int i = 0; i < BOARD_COUNTERS; i++) {
		const struct board_counter_info *info = board_info(i), *other;
		bool first = true;

		assert_non_null(info->name);
		assert_int_equal(info->gauge, strstr(info->name, "_total") == NULL);
		for (int k = 0; k < i; k++) {
			other = board_info(k);
			if (strcmp(info->name, other->name) != 0)
				continue;
			first = false;
			assert_non_null(info->label);
			assert_string_not_equal(info->label, other->label);
			assert_string_equal(board_info(i - 1)->name, info->name);
		}
		assert_int_equal(first, info->help != NULL);
	}
}

static void
board_filter_never_misses(void **state)
{
	struct board b;
	unsigned wrong = 0;

	(void)state;
	assert_int_equal(board_create(&b), SEGMENT_OK);
	for (uint64_t h = 1; h <= 50; h++)
		board_filter_add(&b, h * UINT64_C(0x9e3779b97f4a7c15));
	for (uint64_t h = 1; h <= 50; h++)
		assert_true(board_filter_matches(&b, h * UINT64_C(0x9e3779b97f4a7c15)));
	for (uint64_t h = 51; h <= 1050; h++)
		wrong += board_filter_matches(&b, h * UINT64_C(0x9e3779b97f4a7c15));
	assert_true(wrong < 30);
	board_filter_clear(&b);
	assert_false(board_filter_matches(&b, 1));
	board_filter_everything(&b, true);
	assert_true(board_filter_matches(&b, 1));
	board_close(&b);
}

static uint64_t
rings_of(int bell)
{
	uint64_t count = 0;

	return read(bell, &count, sizeof count) == (ssize_t)sizeof count ? count : 0;
}

static void
publish(struct ring_write *w, const char *channel, struct doorbell_batch *batch)
{
	struct record_slice name = {channel, strlen(channel)};
	struct ring_write_event e = {
	    .channels = &name, .channels_count = 1, .now_ms = 1763856000000};
	uint64_t id;

	assert_int_equal(ring_write_append(w, &e, &id), RING_OK);
	ring_write_commit(w);
	doorbell_batch_clear(batch);
	doorbell_batch_add(batch, ring_hash(ring_write_ring(w), name.bytes, name.len));
}

static void
doorbell_rings_only_for_sleepers_who_care(void **state)
{
	struct doorbell_sleeper sleepers[2] = {{NULL, -1}, {NULL, doorbell_create()}};
	struct doorbell_batch batch;
	struct ring_write *w;
	struct ring *r;
	struct board b;
	unsigned failed;
	uint64_t at;

	(void)state;
	assert_int_equal(board_create(&b), SEGMENT_OK);
	sleepers[1].board = &b;
	assert_int_equal(ring_write_create(&w, 0, 1763856000000), SEGMENT_OK);
	r = ring_write_ring(w);
	at = ring_read_tail(r);
	board_filter_add(&b, ring_hash(r, "mine", 4));
	publish(w, "mine", &batch);
	assert_int_equal(doorbell_ring(r, sleepers, 2, &batch, 1 << 20, &failed), 0); /* awake */
	assert_false(doorbell_sleep(&b, r, at));                                      /* news */
	assert_false(board_sleeping(&b));
	at = ring_read_tail(r);
	assert_true(doorbell_sleep(&b, r, at));
	publish(w, "other", &batch);
	assert_int_equal(doorbell_ring(r, sleepers, 2, &batch, 1 << 20, &failed), 0);
	assert_true(board_sleeping(&b));
	assert_int_equal(doorbell_ring(r, sleepers, 2, &batch, 8, &failed), 1); /* too far behind */
	assert_int_equal(rings_of(sleepers[1].bell), 1);
	doorbell_awake(&b);
	assert_true(doorbell_sleep(&b, r, ring_read_tail(r)));
	publish(w, "mine", &batch);
	assert_int_equal(doorbell_ring(r, sleepers, 2, &batch, 1 << 20, &failed), 1);
	assert_int_equal(doorbell_ring(r, sleepers, 2, &batch, 1 << 20, &failed), 0); /* once */
	assert_int_equal(rings_of(sleepers[1].bell), 1);
	/* A bell that cannot be rung is tried again with the next batch. */
	doorbell_awake(&b);
	assert_true(doorbell_sleep(&b, r, ring_read_tail(r)));
	close(sleepers[1].bell);
	assert_int_equal(doorbell_ring(r, sleepers, 2, NULL, 1 << 20, &failed), 0);
	assert_int_equal(failed, 1);
	assert_true(board_sleeping(&b));
	ring_write_close(w);
	board_close(&b);
}

static void
doorbell_batch_of_many_channels_matches_everybody(void **state)
{
	struct doorbell_batch batch;

	(void)state;
	doorbell_batch_clear(&batch);
	for (int i = 0; i < 64; i++) {
		doorbell_batch_add(&batch, (uint64_t)i + 1);
		doorbell_batch_add(&batch, (uint64_t)i + 1);
	}
	assert_false(batch.everything);
	doorbell_batch_add(&batch, 1000);
	assert_true(batch.everything);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(board_shows_the_worker_to_the_master),
	    cmocka_unit_test(board_names_every_counter_once_with_families_in_a_row),
	    cmocka_unit_test(board_filter_never_misses),
	    cmocka_unit_test(doorbell_rings_only_for_sleepers_who_care),
	    cmocka_unit_test(doorbell_batch_of_many_channels_matches_everybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
