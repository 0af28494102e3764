/*
 * slots_test.c: the connection table, and the table of idempotency keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/keys.h"
#include "shm/slots.h"

static void
slots_hands_out_each_slot_once_and_never_zero(void **state)
{
	struct slots s;
	uint32_t seen[5] = {0};

	(void)state;
	assert_int_equal(slots_create(&s, 4, 2), SEGMENT_OK);
	for (int i = 0; i < 4; i++) {
		uint32_t n = slots_take(&s);

		assert_in_range(n, 1, 4);
		assert_int_equal(seen[n]++, 0);
		assert_int_equal(slots_get(&s, n)->descriptor, -1);
		slots_get(&s, n)->state = 1;
	}
	assert_int_equal(slots_take(&s), 0);
	assert_int_equal(s.head->used, 4);
	assert_null(slots_get(&s, 0));
	assert_null(slots_get(&s, 5));
	slots_close(&s);
}

static void
slots_released_slot_is_stale(void **state)
{
	struct slots s;
	uint32_t n, generation;

	(void)state;
	assert_int_equal(slots_create(&s, 4, 2), SEGMENT_OK);
	n = slots_take(&s);
	slots_get(&s, n)->state = 3;
	slots_get(&s, n)->cursor = 77;
	generation = slots_get(&s, n)->generation;
	assert_non_null(slots_get_generation(&s, n, generation));
	slots_release(&s, n);
	assert_null(slots_get_generation(&s, n, generation));
	assert_int_equal(slots_take(&s), n); /* the warm one first */
	assert_int_equal(slots_get(&s, n)->cursor, 0);
	assert_null(slots_get_generation(&s, n, generation));
	slots_close(&s);
}

static void
slots_cost_memory_only_where_touched(void **state)
{
	struct slots s;
	struct stat st;

	(void)state;
	assert_int_equal(slots_create(&s, 1000000, 1000), SEGMENT_OK);
	slots_get(&s, slots_take(&s))->state = 1;
	assert_int_equal(fstat(s.segment.fd, &st), 0);
	assert_true(st.st_blocks * 512 <= 4 * 4096);
	slots_close(&s);
}

static void
slots_can_be_looked_at_and_reset(void **state)
{
	struct slots s, other;
	uint32_t n, generation;

	(void)state;
	assert_int_equal(slots_create(&s, 8, 2), SEGMENT_OK);
	n = slots_take(&s);
	slots_get(&s, n)->state = 1;
	generation = slots_get(&s, n)->generation;
	assert_true(slots_sends_add(&s, n));
	assert_true(slots_sends_add(&s, n));
	assert_false(slots_sends_add(&s, n));
	assert_int_equal(slots_attach(&other, dup(segment_reader(&s.segment)), false), SEGMENT_OK);
	assert_int_equal(slots_get(&other, n)->state, 1);
	assert_int_equal(other.head->sends_count, 2);
	assert_int_equal(other.sends[1], n);
	slots_sends_clear(&s);
	assert_int_equal(other.head->sends_count, 0);
	slots_close(&other);
	slots_reset(&s);
	assert_int_equal(s.head->used, 0);
	assert_int_equal(slots_take(&s), n);
	assert_int_equal(slots_get(&s, n)->generation, generation + 1);
	s.head->free_list = 8;
	assert_int_equal(slots_attach(&other, s.segment.fd, true), SEGMENT_SIZE);
	slots_close(&s);
}

static void
slots_random_use_keeps_count(void **state)
{
	enum { MAX = 300 };
	struct slots s;
	bool used[MAX + 1] = {false};
	unsigned count = 0;
	unsigned long random = 3;

	(void)state;
	assert_int_equal(slots_create(&s, MAX, 1), SEGMENT_OK);
	for (int i = 0; i < 20000; i++) {
		uint32_t n;

		random = random * 6364136223846793005ul + 1442695040888963407ul;
		n = 1 + (uint32_t)(random >> 40) % MAX;
		if (used[n]) {
			slots_release(&s, n);
			used[n] = false;
			count--;
		} else if ((n = slots_take(&s)) != 0) {
			assert_false(used[n]);
			used[n] = true;
			slots_get(&s, n)->state = 1;
			count++;
		} else {
			assert_int_equal(count, MAX);
		}
		assert_int_equal(s.head->used, count);
	}
	slots_close(&s);
}

static void
keys_remember_what_was_not_dropped(void **state)
{
	enum { KEYS = 5000 };
	struct keys k = {NULL, 0, 0};
	static uint64_t ids[KEYS];
	unsigned long random = 5;
	uint64_t next_id = 1;

	(void)state;
	for (int i = 0; i < 60000; i++) {
		unsigned n;

		random = random * 6364136223846793005ul + 1442695040888963407ul;
		n = (unsigned)(random >> 40) % KEYS;
		/* Few low bits: long runs, so that removal has to shift. */
		const uint64_t hash[2] = {n % 700, n};

		assert_int_equal(keys_find(&k, hash), ids[n]);
		if (ids[n] != 0) {
			keys_drop(&k, hash, ids[n] + 1); /* of another record: stays */
			assert_int_equal(keys_find(&k, hash), ids[n]);
			keys_drop(&k, hash, ids[n]);
			ids[n] = 0;
		} else {
			assert_true(keys_reserve(&k, 1 + i % 3));
			keys_add(&k, hash, ids[n] = next_id++);
		}
	}
	for (unsigned n = 0; n < KEYS; n++) {
		const uint64_t hash[2] = {n % 700, n};

		assert_int_equal(keys_find(&k, hash), ids[n]);
	}
	keys_free(&k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(slots_hands_out_each_slot_once_and_never_zero),
	    cmocka_unit_test(slots_released_slot_is_stale),
	    cmocka_unit_test(slots_cost_memory_only_where_touched),
	    cmocka_unit_test(slots_can_be_looked_at_and_reset),
	    cmocka_unit_test(slots_random_use_keeps_count),
	    cmocka_unit_test(keys_remember_what_was_not_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
