/*
 * timer_test.c: the wheel against a plain list of deadlines: none early, none late, none lost, through every wrap.
 *
 * A deadline shows by what it does: a connection between requests is closed as idle.
 */
#include "worker/timer.h"

#include "tests/unit/worker/worker_fixture.h"

enum { CLIENTS = 300 };

static void
pass_ticks(struct fixture *f, uint32_t ticks)
{
	f->w->now_ns += (uint64_t)ticks * TIMER_TICK_MS * 1000000;
}

/* Deadlines from one tick to the longest, set and set again at random; time in steps of random size. */
static void
timer_calls_each_deadline_in_its_tick(void **state)
{
	struct fixture *f = *state;
	uint64_t due[CLIENTS]; /* in ticks from the start; 0: has come */
	struct client c[CLIENTS];
	uint64_t now = 0;
	unsigned left = CLIENTS, set_again = 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		const uint32_t ticks =
		    i < 200 ? worker_random(f->w, 600) : worker_random(f->w, 30000);

		client_open(&c[i], f);
		timer_set(f->w, c[i].slot, ticks * TIMER_TICK_MS);
		due[i] = ticks + 1;
	}
	while (left != 0) {
		const uint32_t step = 1 + worker_random(f->w, left > 50 ? 4 : 400);

		now += step;
		pass_ticks(f, step);
		while (timer_run(f->w, 1 + worker_random(f->w, 20)))
			;
		for (unsigned i = 0; i < CLIENTS; i++) {
			const bool open = client_slot(&c[i])->state != CONN_CLOSED;

			if (due[i] == 0)
				continue;
			assert_int_equal(open, due[i] > now);
			if (!open) {
				due[i] = 0;
				left--;
			} else if (worker_random(f->w, 200) == 0 && set_again < 2000) {
				const uint32_t ticks = worker_random(f->w, 2000);

				timer_set(f->w, c[i].slot, ticks * TIMER_TICK_MS);
				due[i] = now + ticks + 1;
				set_again++;
			}
		}
	}
	assert_true(set_again > 100);
	fixture_run(f);
	assert_int_equal(f->w->connection_count, 0);
	for (unsigned i = 0; i < CLIENTS; i++)
		client_close(&c[i]);
}

/* While a tick's connections are gone through in pieces, some of them are closed or put off. */
static void
timer_bears_changes_while_a_tick_is_under_way(void **state)
{
	struct fixture *f = *state;
	struct client c[CLIENTS];
	unsigned put_off = 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		client_open(&c[i], f);
		timer_set(f->w, c[i].slot, 1000);
	}
	pass_ticks(f, 5);
	for (unsigned i = 0; timer_run(f->w, 1); i++) {
		const unsigned other = worker_random(f->w, CLIENTS);

		if (client_slot(&c[other])->state == CONN_CLOSED)
			continue;
		if (i % 3 == 0) {
			timer_clear(f->w, c[other].slot);
			timer_clear(f->w, c[other].slot);
			timer_set(f->w, c[other].slot, 5000);
			put_off++;
		} else if (i % 3 == 1) {
			conn_close(f->w, c[other].slot, BOARD_CLOSED_ADMIN);
		}
	}
	assert_true(put_off != 0);
	fixture_run(f);
	assert_true(f->w->connection_count != 0 && f->w->connection_count <= put_off);
	pass_ticks(f, 22);
	fixture_run(f);
	assert_int_equal(f->w->connection_count, 0);
	for (unsigned i = 0; i < CLIENTS; i++)
		client_close(&c[i]);
}

/* After half a day of sleep, which is more than the wheel's numbers tell apart, it is where it should be. */
static void
timer_catches_up_after_a_long_sleep(void **state)
{
	struct fixture *f = *state;
	struct client c;

	pass_ticks(f, 200000);
	fixture_run(f);
	client_open(&c, f);
	fixture_wait_ms(f, 9000);
	assert_true(client_held(&c));
	fixture_wait_ms(f, 2000);
	assert_false(client_held(&c));
	client_close(&c);
}

static void
timer_waits_no_longer_than_until_the_next_deadline(void **state)
{
	struct fixture *f = *state;
	struct client c;

	assert_int_equal(timer_wait_ms(f->w), -1);
	client_open(&c, f);
	for (uint32_t delay = 0; delay < 1500; delay += 100) {
		int wait_ms;

		timer_set(f->w, c.slot, delay);
		wait_ms = timer_wait_ms(f->w);
		assert_in_range(wait_ms, 1, (delay / TIMER_TICK_MS + 1) * TIMER_TICK_MS + 1);
	}
	client_close(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		timer_calls_each_deadline_in_its_tick, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		timer_bears_changes_while_a_tick_is_under_way, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		timer_catches_up_after_a_long_sleep, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(timer_waits_no_longer_than_until_the_next_deadline,
		fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
