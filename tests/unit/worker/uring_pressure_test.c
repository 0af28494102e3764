/*
 * uring_pressure_test.c: the ring where it is too small, and the kernel where it is unwilling:
 * nothing queued and nothing completed may be lost.
 *
 * What the kernel does only when it is short of memory is injected: liburing's entry into the
 * kernel is defined here once more, and the linker prefers this one (see `inject`).
 */
#include <dlfcn.h>
#include <liburing.h>
#include <sys/eventfd.h>

#include "tests/unit/worker/io_fixture.h"
#include "worker/io.h"

/* ---- what the kernel is made to answer ---- */

/*
 * A test's orders to the entries below; a test program may have a global where the product may not.
 */
static struct {
	int result; /* answered instead of entering, `times` times */
	int times;  /* -1: for ever */
	/* entries that each submission leaves behind, as long as more are queued */
	unsigned partial;
	bool until_empty; /* `result` is answered as long as a completion waits to be taken */
	unsigned refused; /* counts what was answered instead of entering */
} inject;

static void *
real(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	assert_non_null(function);
	return function;
}

int
io_uring_submit_and_get_events(struct io_uring *ring)
{
	int (*submit)(struct io_uring *);
	bool refuse = inject.times != 0;

	if (inject.until_empty)
		refuse = io_uring_cq_ready(ring) > 0;
	if (refuse) {
		if (inject.times > 0)
			inject.times--;
		inject.refused++;
		return inject.result;
	}
	*(void **)&submit = real("io_uring_submit_and_get_events");
	unsigned held = io_uring_sq_ready(ring) > inject.partial ? inject.partial : 0;
	ring->sq.sqe_tail -= held;
	int result = submit(ring);
	ring->sq.sqe_tail += held;
	return result;
}

static int
setup_unhindered(void **state)
{
	memset(&inject, 0, sizeof inject);
	return setup_tiny(state);
}

static int
teardown_unhindered(void **state)
{
	memset(&inject, 0, sizeof inject);
	return teardown(state);
}

/* ---- overflow ---- */

/*
 * A doorbell rung while the completion queue is full: the watch may end, but then says so, and
 * armed again it fires for what was rung meanwhile.
 */
static void
watch_that_overflow_ended_says_so_and_can_be_armed_again(void **state)
{
	enum { BELLS = 40 };
	struct fixture *f = *state;
	int bells[BELLS];
	int rung[BELLS] = {0};
	uint64_t again[BELLS];
	int ended = 0;

	for (int i = 0; i < BELLS; i++) {
		bells[i] = eventfd(0, EFD_NONBLOCK);
		assert_return_code(bells[i], errno);
		io_watch(&f->io, bells[i], (uint64_t)i);
	}
	assert_int_equal(io_submit(&f->io), 0);
	for (int i = 0; i < BELLS; i++)
		assert_return_code(eventfd_write(bells[i], 1), errno);
	assert_int_equal(io_submit(&f->io), 0);
	assert_true(io_overflowed(&f->io));
	struct io_event event;
	while (io_reap(&f->io, &event, 1) == 1) {
		assert_int_equal(event.result, POLLIN);
		assert_int_equal(rung[event.token]++, 0);
		if (event.flags & IO_ENDED)
			again[ended++] = event.token;
	}
	/* In steps, or the answers to the new arming would overflow in their turn. */
	for (int i = 0; i < ended; i++) {
		io_watch(&f->io, bells[again[i]], again[i]);
		assert_int_equal(io_submit(&f->io), 0);
		event = only_event(&f->io);
		assert_int_equal(event.token, again[i]);
		assert_int_equal(event.result, POLLIN);
		assert_int_equal(event.flags, 0);
	}
	assert_true(ended > 0);
	for (uint64_t i = 0; i < BELLS; i++) {
		assert_int_equal(rung[i], 1);
		assert_return_code(eventfd_write(bells[i], 1), errno);
		event = await_event(&f->io);
		assert_int_equal(event.token, i);
		assert_int_equal(event.result, POLLIN);
		assert_int_equal(event.flags, 0);
		assert_no_event(&f->io);
	}
	for (int i = 0; i < BELLS; i++)
		close(bells[i]);
}

static void
overflow_loses_no_completion(void **state)
{
	enum { POLLS = 300 };
	struct fixture *f = *state;
	int heard[POLLS] = {0};
	int pair[2], sent = 0, n = 0;
	struct io_event events[7];
	size_t got;

	pair_open(UNIX, pair);
	for (int i = 0; i < POLLS; i++)
		io_poll(&f->io, pair[1], POLLIN, (uint64_t)i);
	assert_int_equal(io_submit(&f->io), 0);
	assert_false(io_overflowed(&f->io));
	assert_int_equal(io_send_now(pair[0], "x", 1), 1);
	assert_int_equal(io_submit(&f->io), 0);
	assert_true(io_overflowed(&f->io));
	assert_false(io_overflowed(&f->io));
	/* Sends still work while the kernel holds completions back. */
	io_send(&f->io, pair[0], "y", 1, 1000);
	assert_int_equal(io_submit(&f->io), 0);
	assert_int_equal(io_wait(&f->io, PATIENCE_MS), 0);
	while ((got = io_reap(&f->io, events, 7)) > 0) {
		for (size_t i = 0; i < got; i++) {
			if (events[i].token == 1000) {
				sent++;
				continue;
			}
			assert_true(events[i].token < POLLS);
			assert_int_equal(events[i].result, POLLIN);
			heard[events[i].token]++;
			n++;
		}
	}
	assert_int_equal(n, POLLS);
	assert_int_equal(sent, 0);
	for (int i = 0; i < POLLS; i++)
		assert_int_equal(heard[i], 1);
	assert_false(io_overflowed(&f->io));
	assert_false(io_dropped(&f->io));
	assert_int_equal(io_counters(&f->io).overflows, 1);
	pair_close(pair);
}

/* The trouble of sends, too: a hundred full sockets told of through a queue for sixteen. */
static void
overflow_loses_no_trouble_of_sends(void **state)
{
	enum { SENDS = 100 };
	struct fixture *f = *state;
	bool heard[SENDS] = {false};
	struct io_event event;
	int pair[2];

	pair_open(UNIX, pair);
	close(pair[1]);
	for (int i = 0; i < SENDS; i++)
		io_send(&f->io, pair[0], "x", 1, (uint64_t)i);
	assert_int_equal(io_submit(&f->io), 0);
	assert_true(io_overflowed(&f->io));
	for (int i = 0; i < SENDS; i++) {
		assert_int_equal(io_reap(&f->io, &event, 1), 1);
		assert_int_equal(event.token, i);
		assert_int_equal(event.result, -EPIPE);
		heard[event.token] = true;
	}
	assert_no_event(&f->io);
	for (int i = 0; i < SENDS; i++)
		assert_true(heard[i]);
	close(pair[0]);
}

/* ---- an unwilling kernel ---- */

static void
submission_that_was_cut_short_goes_on(void **state)
{
	static const struct {
		int result, times;
		unsigned partial;
	} cases[] = {
	    {-EINTR, 1, 0},
	    {-EINTR, 20, 0},
	    {-EAGAIN, 3, 0},
	    {-EBUSY, 3, 0},
	    {-EBADR, 1, 0},
	    {0, 2, 0},
	    {0, 0, 3},
	    {-EINTR, 2, 5},
	};
	struct fixture *f = *state;

	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		unsigned char bytes[200], got[200];
		int pair[2];
		pair_open(UNIX, pair);
		fill(bytes, sizeof bytes, (unsigned)c);
		uint64_t retries = io_counters(&f->io).retries;
		inject.result = cases[c].result;
		inject.times = cases[c].times;
		inject.partial = cases[c].partial;
		for (size_t i = 0; i < sizeof bytes; i++)
			io_send(&f->io, pair[0], &bytes[i], 1, 1);
		io_send(&f->io, -1, "x", 1, 2);
		assert_int_equal(io_submit(&f->io), 0);
		struct io_event event = only_event(&f->io);
		assert_int_equal(event.token, 2);
		assert_int_equal(event.result, -EBADF);
		memset(&inject, 0, sizeof inject);
		read_exactly(pair[1], got, sizeof got);
		assert_memory_equal(got, bytes, sizeof got);
		assert_nothing_to_read(pair[1]);
		assert_true(io_counters(&f->io).retries > retries);
		/* -EBADR is how the kernel tells that it had to drop some. */
		assert_int_equal(io_overflowed(&f->io), cases[c].result == -EBADR);
		assert_int_equal(io_dropped(&f->io), cases[c].result == -EBADR);
		assert_false(io_dropped(&f->io));
		pair_close(pair);
	}
}

/* A kernel that wants its completions taken first: they are kept for io_reap, in their order. */
static void
completions_set_aside_come_out_first_and_in_order(void **state)
{
	enum { FIRST = 12, THEN = 4 };
	struct fixture *f = *state;
	int pair[2];

	pair_open(UNIX, pair);
	close(pair[1]);
	for (int i = 0; i < FIRST; i++)
		io_send(&f->io, pair[0], "x", 1, (uint64_t)i);
	assert_int_equal(io_submit(&f->io), 0);
	inject.result = -EBUSY;
	inject.until_empty = true;
	for (int i = FIRST; i < FIRST + THEN; i++)
		io_send(&f->io, pair[0], "x", 1, (uint64_t)i);
	assert_int_equal(io_submit(&f->io), 0);
	assert_true(inject.refused > 0);
	memset(&inject, 0, sizeof inject);
	assert_int_equal(io_wait(&f->io, -1), 0);
	struct io_event events[5];
	uint64_t n = 0;
	size_t got;
	while ((got = io_reap(&f->io, events, 5)) > 0) {
		for (size_t i = 0; i < got; i++)
			assert_int_equal(events[i].token, n++);
	}
	assert_int_equal(n, FIRST + THEN);
	close(pair[0]);
}

/* Set aside they are in no queue of the kernel's: a wait that asks only the kernel would sleep on. */
static void
wait_does_not_sleep_over_completions_set_aside(void **state)
{
	struct fixture *f = *state;
	int pair[2];

	pair_open(UNIX, pair);
	io_send(&f->io, -1, "x", 1, 1);
	assert_int_equal(io_submit(&f->io), 0);
	inject.result = -EBUSY;
	inject.until_empty = true;
	io_send(&f->io, pair[0], "x", 1, 2);
	assert_int_equal(io_submit(&f->io), 0);
	memset(&inject, 0, sizeof inject);
	uint64_t begin = io_clock_ns();
	assert_int_equal(io_wait(&f->io, PATIENCE_MS), 0);
	assert_true(io_clock_ns() - begin < PATIENCE_MS * UINT64_C(1000000));
	assert_int_equal(only_event(&f->io).token, 1);
	pair_close(pair);
}

static void
ring_that_broke_says_so_for_good(void **state)
{
	static const int errors[] = {-EBADFD, -EFAULT, -EAGAIN};
	struct fixture *f = *state;
	struct io_options options = {.entries = 8, .cq_entries = 16};
	char error[256];

	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		io_close(&f->io);
		assert_int_equal(io_open(&f->io, &options, error, sizeof error), 0);
		inject.result = errors[i];
		inject.times = -1;
		io_poll(&f->io, 0, POLLIN, 1);
		assert_int_equal(io_submit(&f->io), errors[i]);
		memset(&inject, 0, sizeof inject);
		assert_int_equal(io_submit(&f->io), errors[i]);
		assert_int_equal(io_wait(&f->io, -1), errors[i]);
		/* Queueing on does no harm, however much. */
		for (int k = 0; k < 100; k++)
			io_send(&f->io, -1, "x", 1, 1);
		assert_int_equal(io_submit(&f->io), errors[i]);
	}
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, setup_unhindered, teardown_unhindered)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH(watch_that_overflow_ended_says_so_and_can_be_armed_again),
	    WITH(overflow_loses_no_completion),
	    WITH(overflow_loses_no_trouble_of_sends),
	    WITH(submission_that_was_cut_short_goes_on),
	    WITH(completions_set_aside_come_out_first_and_in_order),
	    WITH(wait_does_not_sleep_over_completions_set_aside),
	    WITH(ring_that_broke_says_so_for_good),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
