/*
 * ring_oracle_test.c: thousands of random events into a tiny ring; every answer equals the
 * oracle's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/shm/ring_oracle.h"

#ifdef SANITIZED
#define EVENTS 1500
#else
#define EVENTS 4000
#endif

/* Compares after each batch, and often in the middle of one. */
static void
run(unsigned long seed, uint32_t data_max, unsigned batch_max)
{
	uint64_t now_ms = ORACLE_BIRTH_MS;
	struct ring_write *w;
	struct oracle o;

	assert_int_equal(ring_write_create(&w, LIMIT_RING_BYTES_MIN, ORACLE_BIRTH_MS), 0);
	oracle_init(&o, LIMIT_RING_BYTES_MIN, seed);
	for (unsigned i = 0; i < EVENTS && o.failed == NULL; i++) {
		unsigned batch = 1 + (unsigned)oracle_random(&o, batch_max);

		now_ms += oracle_random(&o, 3);
		if (oracle_random(&o, 500) == 0)
			now_ms -= 100; /* the clock was set back */
		for (unsigned k = 0; k < batch; k++, i++)
			oracle_step(&o, w, now_ms, data_max);
		if (oracle_random(&o, 3) == 0)
			oracle_check(&o, ring_write_ring(w));
		ring_write_commit(w);
		oracle_commit(&o);
		if (oracle_random(&o, 60) == 0)
			oracle_forget(&o, w, (unsigned)oracle_random(&o, ORACLE_CHANNELS), now_ms);
		oracle_check(&o, ring_write_ring(w));
	}
	if (o.failed != NULL)
		fail_msg("after %zu events: %s", o.count, o.failed);
	oracle_free(&o);
	ring_write_close(w);
}

static void
ring_answers_like_the_oracle_small_events(void **state)
{
	(void)state;
	run(1, 200, 1);
	run(2, 64, 8);
}

static void
ring_answers_like_the_oracle_large_events(void **state)
{
	(void)state;
	run(3, 6000, 3);
	run(4, 16000, 2);
	run(5, 2000, 12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ring_answers_like_the_oracle_small_events),
	    cmocka_unit_test(ring_answers_like_the_oracle_large_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
