/*
 * backend_test.c: what worker/io.h promises, held against the running kernel behind each backend:
 * which sends are heard of and when, how polls and watches end, how long a wait lasts.
 */
#include "worker/io.h"

#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/time.h>

#include "shm/limits.h"
#include "tests/unit/worker/io_fixture.h"
#include "worker/epoll.h"
#include "worker/uring.h"

#define BIG (8 << 20)

/* Kinds of polls, and what each of them asks for. */
#define READ(index) IO_TOKEN(1, 0, index)
#define READ_EVENTS (POLLIN | POLLRDHUP)
#define HANGUP(index) IO_TOKEN(2, 0, index)
#define HANGUP_EVENTS POLLRDHUP
#define ROOM(index) IO_TOKEN(3, 0, index)
#define ROOM_EVENTS POLLOUT

/* ---- sends ---- */

static void
send_that_goes_out_whole_is_silent_and_in_order(void **state)
{
	enum { PAIRS = 24, ROUNDS = 200 };
	struct fixture *f = *state;
	int pairs[PAIRS][2];

	for (int i = 0; i < PAIRS; i++)
		pair_open(i % 2 == 0 ? UNIX : TCP, pairs[i]);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint32_t words[PAIRS];
		for (uint32_t i = 0; i < PAIRS; i++) {
			words[i] = round << 8 | i;
			io_send(&f->io, pairs[i][0], &words[i], sizeof words[i], i);
		}
		assert_int_equal(io_submit(&f->io), 0);
		/* The bytes were only lent. */
		memset(words, 0xff, sizeof words);
	}
	assert_no_event(&f->io);
	for (uint32_t i = 0; i < PAIRS; i++) {
		for (uint32_t round = 0; round < ROUNDS; round++) {
			uint32_t word;
			read_exactly(pairs[i][1], (unsigned char *)&word, sizeof word);
			assert_int_equal(word, round << 8 | i);
		}
		assert_nothing_to_read(pairs[i][1]);
		pair_close(pairs[i]);
	}
	struct io_counters counters = io_counters(&f->io);
	assert_int_equal(counters.queued, PAIRS * ROUNDS);
	assert_int_equal(counters.completed, 0);
	/* io_uring enters once for a batch; epoll sends one by one, then asks for events. */
	assert_int_equal(
	    counters.enters, f->io.backend == &uring_backend ? ROUNDS : ROUNDS * (PAIRS + 1));
}

static void
queue_longer_than_the_ring_submits_by_itself(void **state)
{
	enum { SENDS = 100 };
	struct fixture *f = *state;
	unsigned char bytes[SENDS], got[SENDS];
	int pair[2];

	pair_open(UNIX, pair);
	fill(bytes, sizeof bytes, 3);
	for (int i = 0; i < SENDS; i++)
		io_send(&f->io, pair[0], &bytes[i], 1, 1);
	assert_int_equal(io_submit(&f->io), 0);
	assert_no_event(&f->io);
	read_exactly(pair[1], got, sizeof got);
	assert_memory_equal(got, bytes, sizeof bytes);
	pair_close(pair);
}

/*
 * Fills the socket, then overwrites the bytes at once: the peer must find exactly `result` bytes of
 * the old ones. This is what lets the worker reuse a wave as soon as io_submit returned.
 */
static void
short_send_reports_what_was_taken(void **state)
{
	struct fixture *f = *state;
	unsigned char *bytes = malloc(BIG), *got = malloc(BIG), *expected = malloc(BIG);

	assert_true(bytes != NULL && got != NULL && expected != NULL);
	fill(expected, BIG, 0);
	for (int variant = 0; variant < 4; variant++) {
		struct iovec halves[2] = {{bytes, BIG / 2}, {bytes + BIG / 2, BIG / 2}};
		int pair[2];
		pair_open(variant & 1 ? TCP : UNIX, pair);
		memcpy(bytes, expected, BIG);
		if (variant & 2)
			io_sendv(&f->io, pair[0], halves, 2, 7);
		else
			io_send(&f->io, pair[0], bytes, BIG, 7);
		assert_int_equal(io_submit(&f->io), 0);
		memset(bytes, 0xee, BIG);

		struct io_event event = only_event(&f->io);
		assert_int_equal(event.token, 7);
		assert_int_equal(io_outcome(event.result), IO_SHORT);
		assert_int_equal(event.flags, IO_ENDED);
		assert_true(event.result > 0 && event.result < BIG);
		size_t taken = (size_t)event.result;

		/* The rest goes out by POLLOUT and further sends, each of which says how far it came. */
		size_t received = 0;
		int full = 0;
		while (received < BIG) {
			if (taken < BIG) {
				io_send(&f->io, pair[0], expected + taken, BIG - taken, 8);
				assert_int_equal(io_submit(&f->io), 0);
				if (io_reap(&f->io, &event, 1) == 0) {
					taken = BIG;
				} else if (event.result >= 0) {
					taken += (size_t)event.result;
				} else {
					assert_int_equal(event.result, -EAGAIN);
					full++;
				}
			}
			ssize_t n = recv(pair[1], got + received, BIG - received, MSG_DONTWAIT);
			if (n == -1)
				assert_int_equal(errno, EAGAIN);
			else
				received += (size_t)n;
			assert_true(received <= taken);
		}
		assert_memory_equal(got, expected, BIG);
		assert_nothing_to_read(pair[1]);
		if (!(variant & 1))
			assert_true(full > 0); /* a Unix socket never grows its buffer */
		pair_close(pair);
	}
	free(bytes);
	free(got);
	free(expected);
}

static void
send_into_a_full_socket_takes_nothing(void **state)
{
	struct fixture *f = *state;
	unsigned char *bytes = calloc(1, BIG);

	assert_non_null(bytes);
	for (enum family family = UNIX; family <= TCP; family++) {
		int pair[2];
		pair_open(family, pair);
		while (io_send_now(pair[0], bytes, BIG) > 0)
			continue;
		io_send(&f->io, pair[0], bytes, 1, 9);
		assert_int_equal(io_submit(&f->io), 0);
		struct io_event event = only_event(&f->io);
		assert_int_equal(event.token, 9);
		assert_int_equal(event.result, -EAGAIN);
		pair_close(pair);
	}
	free(bytes);
}

static void
send_to_a_peer_that_left_is_gone_without_a_signal(void **state)
{
	struct fixture *f = *state;

	for (enum family family = UNIX; family <= TCP; family++) {
		int pair[2];
		pair_open(family, pair);
		/* Closing with input unread resets a TCP connection. */
		assert_int_equal(io_send_now(pair[0], "x", 1), 1);
		struct pollfd unread = {.fd = pair[1], .events = POLLIN};
		assert_int_equal(poll(&unread, 1, PATIENCE_MS), 1);
		close(pair[1]);
		struct pollfd hangup = {.fd = pair[0], .events = POLLRDHUP};
		assert_int_equal(poll(&hangup, 1, PATIENCE_MS), 1);
		for (int i = 0; i < 2; i++) {
			io_send(&f->io, pair[0], "y", 1, 5);
			assert_int_equal(io_submit(&f->io), 0);
			struct io_event event = only_event(&f->io);
			assert_int_equal(event.token, 5);
			assert_int_equal(io_outcome(event.result), IO_GONE);
		}
		ssize_t sent = io_send_now(pair[0], "z", 1);
		assert_int_equal(sent, -EPIPE);
		close(pair[0]);
	}
}

static void
trouble_is_told_for_the_right_sends_of_a_batch(void **state)
{
	enum { PAIRS = 60, FULL = 7, CLOSED = 30, GONE = 59 };
	struct fixture *f = *state;
	unsigned char *bytes = calloc(1, BIG);
	int pairs[PAIRS][2];

	assert_non_null(bytes);
	for (int i = 0; i < PAIRS; i++)
		pair_open(UNIX, pairs[i]);
	while (io_send_now(pairs[FULL][0], bytes, BIG) > 0)
		continue;
	pair_close(pairs[CLOSED]);
	close(pairs[GONE][1]);
	for (int i = 0; i < PAIRS; i++)
		io_send(&f->io, pairs[i][0], "batch", 5, (uint64_t)i);
	assert_int_equal(io_submit(&f->io), 0);
	struct io_event events[PAIRS];
	assert_int_equal(io_reap(&f->io, events, PAIRS), 3);
	assert_true(events[0].token == FULL && events[0].result == -EAGAIN);
	assert_true(events[1].token == CLOSED && events[1].result == -EBADF);
	assert_true(events[2].token == GONE && events[2].result == -EPIPE);
	for (int i = 0; i < PAIRS; i++) {
		unsigned char got[5];
		if (i != FULL && i != CLOSED && i != GONE) {
			read_exactly(pairs[i][1], got, 5);
			assert_memory_equal(got, "batch", 5);
		}
		if (i != CLOSED)
			close(pairs[i][0]);
		if (i != CLOSED && i != GONE)
			close(pairs[i][1]);
	}
	free(bytes);
}

/* More pieces than the arena holds at once, described in an array that is reused at once. */
static void
sendv_copies_the_description_and_keeps_the_order(void **state)
{
	enum { SENDS = 50 };
	struct fixture *f = *state;
	unsigned char bytes[SENDS * LIMIT_IO_VECTORS], got[sizeof bytes];
	struct iovec vectors[LIMIT_IO_VECTORS];
	size_t used = 0;
	int pair[2];

	pair_open(TCP, pair);
	fill(bytes, sizeof bytes, 11);
	for (size_t i = 0; i < SENDS; i++) {
		size_t count = i % 3 == 0 ? LIMIT_IO_VECTORS : 1 + i % 5;
		for (size_t k = 0; k < count; k++)
			vectors[k] = (struct iovec){&bytes[used++], 1};
		io_sendv(&f->io, pair[0], vectors, count, 2);
		memset(vectors, 0xff, sizeof vectors);
	}
	assert_int_equal(io_submit(&f->io), 0);
	assert_no_event(&f->io);
	read_exactly(pair[1], got, used);
	assert_memory_equal(got, bytes, used);
	assert_nothing_to_read(pair[1]);
	pair_close(pair);
}

/* ---- polls ---- */

static void
poll_fires_once_and_tests_readiness_when_armed(void **state)
{
	struct fixture *f = *state;
	int pair[2];

	pair_open(TCP, pair);
	io_poll(&f->io, pair[1], READ_EVENTS, READ(1));
	assert_int_equal(io_submit(&f->io), 0);
	assert_no_event(&f->io);
	assert_int_equal(io_send_now(pair[0], "a", 1), 1);
	struct io_event event = await_event(&f->io);
	assert_int_equal(event.token, READ(1));
	assert_int_equal(event.result, POLLIN);
	assert_int_equal(event.flags, IO_ENDED);

	/* One shot: more input is not told of, nor does it end a wait. */
	assert_int_equal(io_send_now(pair[0], "b", 1), 1);
	uint64_t begin = io_clock_ns();
	assert_int_equal(io_wait(&f->io, 20), 0);
	assert_true(io_clock_ns() - begin >= 20 * UINT64_C(1000000));
	assert_no_event(&f->io);

	/* Armed again with input unread: fires at once. */
	io_poll(&f->io, pair[1], READ_EVENTS, READ(2));
	assert_int_equal(io_submit(&f->io), 0);
	event = only_event(&f->io);
	assert_int_equal(event.token, READ(2));
	assert_int_equal(event.result, POLLIN);
	pair_close(pair);
}

static void
poll_tells_room_and_half_close_and_end(void **state)
{
	struct fixture *f = *state;
	int pair[2];

	pair_open(TCP, pair);
	io_poll(&f->io, pair[0], ROOM_EVENTS, ROOM(1));
	assert_int_equal(io_submit(&f->io), 0);
	assert_int_equal(only_event(&f->io).result, POLLOUT);

	io_poll(&f->io, pair[0], READ_EVENTS, READ(2));
	assert_int_equal(io_submit(&f->io), 0);
	assert_no_event(&f->io);
	assert_return_code(shutdown(pair[1], SHUT_WR), errno);
	struct io_event event = await_event(&f->io);
	assert_int_equal(event.token, READ(2));
	assert_int_equal(event.result, POLLIN | POLLRDHUP);

	/* A half-closed peer still reads. */
	io_send(&f->io, pair[0], "answer", 6, 3);
	assert_int_equal(io_submit(&f->io), 0);
	assert_no_event(&f->io);

	io_poll(&f->io, -1, READ_EVENTS, READ(4));
	assert_int_equal(io_submit(&f->io), 0);
	assert_int_equal(only_event(&f->io).result, -EBADF);
	pair_close(pair);
}

static void
shutdown_close_ends_the_parked_poll_and_sends_the_end(void **state)
{
	struct fixture *f = *state;

	for (enum family family = UNIX; family <= TCP; family++) {
		int pair[2];
		char byte;
		pair_open(family, pair);
		io_poll(&f->io, pair[0], READ_EVENTS, READ(1));
		assert_int_equal(io_submit(&f->io), 0);
		assert_int_equal(io_shutdown_close(pair[0]), 0);
		struct pollfd end = {.fd = pair[1], .events = POLLIN};
		assert_int_equal(poll(&end, 1, PATIENCE_MS), 1);
		assert_int_equal(recv(pair[1], &byte, 1, 0), 0);
		if (f->io.backend == &uring_backend) {
			struct io_event event = await_event(&f->io);
			assert_int_equal(event.token, READ(1));
			assert_true(event.result & POLLHUP);
		} else {
			/* The registration went with the descriptor. */
			assert_int_equal(io_submit(&f->io), 0);
			assert_no_event(&f->io);
		}
		assert_int_equal(io_shutdown_close(pair[1]), 0);
		assert_int_equal(io_shutdown_close(pair[1]), -EBADF);
	}
}

/* Every kind fires for itself, and leaves the others parked. */
static void
polls_of_several_kinds_share_a_descriptor(void **state)
{
	struct fixture *f = *state;
	unsigned char *bytes = calloc(1, BIG);
	struct io_event events[4];
	int pair[2];

	assert_non_null(bytes);
	pair_open(UNIX, pair);
	while (io_send_now(pair[0], bytes, BIG) > 0)
		continue;
	io_poll(&f->io, pair[0], HANGUP_EVENTS, HANGUP(9));
	assert_int_equal(io_submit(&f->io), 0);
	io_poll(&f->io, pair[0], ROOM_EVENTS, ROOM(9));
	io_poll(&f->io, pair[0], READ_EVENTS, READ(9));
	assert_int_equal(io_submit(&f->io), 0);
	assert_no_event(&f->io);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(io_send_now(pair[1], "x", 1), 1);
		struct io_event event = await_event(&f->io);
		assert_int_equal(event.token, READ(9));
		assert_int_equal(event.result, POLLIN);
		assert_int_equal(io_wait(&f->io, 5), 0);
		assert_no_event(&f->io);
		assert_int_equal(io_recv(pair[0], bytes, BIG), 1);
		io_poll(&f->io, pair[0], READ_EVENTS, READ(9));
		assert_int_equal(io_submit(&f->io), 0);
		assert_no_event(&f->io);
	}
	while (io_recv(pair[1], bytes, BIG) > 0)
		continue;
	struct io_event event = await_event(&f->io);
	assert_int_equal(event.token, ROOM(9));
	assert_int_equal(event.result, POLLOUT);
	assert_no_event(&f->io);
	/* What ends both ends both; what was not parked any more is silent. */
	assert_return_code(shutdown(pair[1], SHUT_WR), errno);
	assert_int_equal(io_wait(&f->io, PATIENCE_MS), 0);
	assert_int_equal(io_reap(&f->io, events, 4), 2);
	bool order = events[0].token == READ(9);
	assert_int_equal(events[order ? 0 : 1].token, READ(9));
	assert_int_equal(events[order ? 0 : 1].result, POLLIN | POLLRDHUP);
	assert_int_equal(events[order ? 1 : 0].token, HANGUP(9));
	assert_int_equal(events[order ? 1 : 0].result, POLLRDHUP);
	close(pair[1]);
	assert_int_equal(io_wait(&f->io, 5), 0);
	assert_no_event(&f->io);
	close(pair[0]);
	free(bytes);
}

/*
 * The master still holds a socket that the worker has closed, and the number went to another
 * client, in the same slot or another: that one hears of nothing but its own.
 */
static void
event_of_an_earlier_tenant_is_told_from_the_present_ones(void **state)
{
	struct fixture *f = *state;

	for (uint32_t same_slot = 0; same_slot < 2; same_slot++)
		for (uint32_t round = 0; round < 20; round++) {
			const uint32_t generation = 2 * round;
			const uint64_t old = IO_TOKEN(1, generation, 4);
			const uint64_t new = IO_TOKEN(1, generation + 1, same_slot ? 4 : 5);
			int first[2], second[2];
			struct io_event event;

			pair_open(TCP, first);
			const int held = dup(first[0]);
			assert_return_code(held, errno);
			io_poll(&f->io, first[0], READ_EVENTS, old);
			assert_int_equal(io_submit(&f->io), 0);
			const int number = first[0];
			assert_int_equal(io_shutdown_close(first[0]), 0);
			assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, second), errno);
			assert_int_equal(second[0], number);
			io_poll(&f->io, second[0], READ_EVENTS, new);
			assert_int_equal(io_wait(&f->io, 5), 0);
			while (io_reap(&f->io, &event, 1) == 1)
				assert_int_equal(event.token, old);
			assert_int_equal(io_send_now(second[1], "x", 1), 1);
			event = await_event(&f->io);
			assert_int_equal(event.token, new);
			assert_int_equal(event.result, POLLIN);
			assert_no_event(&f->io);
			close(held);
			close(first[1]);
			pair_close(second);
		}
}

static void
token_of_a_poll_comes_back_whole(void **state)
{
	static const uint32_t indices[] = {0, 1, 8191, 8192, 100000, (1 << 20) - 1};
	static const uint32_t generations[] = {0, 1, IO_GENERATION_MASK};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof indices / sizeof *indices; i++)
		for (size_t g = 0; g < sizeof generations / sizeof *generations; g++) {
			const uint64_t token = IO_TOKEN(3, generations[g], indices[i]);
			int pair[2];
			pair_open(UNIX, pair);
			io_poll(&f->io, pair[0], ROOM_EVENTS, token);
			assert_int_equal(io_submit(&f->io), 0);
			assert_true(only_event(&f->io).token == token);
			pair_close(pair);
		}
}

/* More becomes ready, and is asked for, than any queue here holds. */
static void
readiness_beyond_the_queues_is_told_in_time(void **state)
{
	enum { PAIRS = 100 };
	struct fixture *f = *state;
	int pairs[PAIRS][2], heard[PAIRS] = {0};

	for (uint32_t i = 0; i < PAIRS; i++) {
		pair_open(UNIX, pairs[i]);
		io_poll(&f->io, pairs[i][0], READ_EVENTS, READ(i));
		io_poll(&f->io, pairs[i][0], HANGUP_EVENTS, HANGUP(i));
	}
	assert_int_equal(io_submit(&f->io), 0);
	assert_no_event(&f->io);
	for (uint32_t i = 0; i < PAIRS; i++)
		assert_return_code(shutdown(pairs[i][1], SHUT_WR), errno);
	for (uint32_t n = 0; n < 2 * PAIRS; n++) {
		const struct io_event event = await_event(&f->io);
		assert_true(io_token_index(event.token) < PAIRS);
		heard[io_token_index(event.token)] += (int)io_token_kind(event.token);
	}
	for (uint32_t i = 0; i < PAIRS; i++) {
		assert_int_equal(heard[i], 1 + 2);
		pair_close(pairs[i]);
	}
	assert_int_equal(io_submit(&f->io), 0);
	assert_no_event(&f->io);
	assert_false(io_dropped(&f->io));
}

static void
watch_fires_for_every_write_of_an_unread_doorbell(void **state)
{
	struct fixture *f = *state;
	int doorbell = eventfd(0, EFD_NONBLOCK);

	assert_return_code(doorbell, errno);
	io_watch(&f->io, doorbell, 1);
	assert_int_equal(io_submit(&f->io), 0);
	assert_no_event(&f->io);
	for (int i = 0; i < 50; i++) {
		assert_return_code(eventfd_write(doorbell, 1), errno);
		struct io_event event = await_event(&f->io);
		assert_int_equal(event.token, 1);
		assert_int_equal(event.result, POLLIN);
		assert_int_equal(event.flags, 0);
		/* An edge: what stays unread is not told of again. */
		assert_int_equal(io_wait(&f->io, 0), 0);
		assert_no_event(&f->io);
	}
	close(doorbell);
}

static void
watch_tells_of_a_control_socket_that_ends(void **state)
{
	struct fixture *f = *state;
	int pair[2];

	pair_open(UNIX, pair);
	io_watch(&f->io, pair[1], 1);
	assert_int_equal(io_submit(&f->io), 0);
	close(pair[0]);
	struct io_event event = await_event(&f->io);
	assert_int_equal(event.token, 1);
	assert_true(event.result & POLLIN);
	close(pair[1]);
}

/* ---- waiting ---- */

static void
wait_lasts_as_long_as_asked(void **state)
{
	static const int timeouts_ms[] = {0, 1, 30, 1100};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof timeouts_ms / sizeof *timeouts_ms; i++) {
		uint64_t timeout_ns = (uint64_t)timeouts_ms[i] * 1000000;
		uint64_t begin = io_clock_ns();
		assert_int_equal(io_wait(&f->io, timeouts_ms[i]), 0);
		uint64_t lasted = io_clock_ns() - begin;
		assert_true(lasted >= timeout_ns);
		assert_true(lasted < timeout_ns + PATIENCE_MS * UINT64_C(1000000));
		assert_no_event(&f->io);
	}
}

static void
wait_does_not_sleep_over_events_that_are_there(void **state)
{
	struct fixture *f = *state;
	int pair[2];

	pair_open(UNIX, pair);
	assert_int_equal(io_send_now(pair[0], "x", 1), 1);
	io_poll(&f->io, pair[1], READ_EVENTS, READ(1));
	assert_int_equal(io_wait(&f->io, -1), 0);
	/* Not taken yet, so there is still something to do. */
	assert_int_equal(io_wait(&f->io, -1), 0);
	assert_int_equal(only_event(&f->io).token, READ(1));
	pair_close(pair);
}

static void
on_alarm(int signal_number)
{
	(void)signal_number;
}

static void
wait_returns_on_a_signal_and_keeps_what_was_parked(void **state)
{
	struct fixture *f = *state;
	struct sigaction action = {.sa_handler = on_alarm}, before;
	struct itimerval soon = {.it_value.tv_usec = 20000};
	int pair[2];

	pair_open(UNIX, pair);
	assert_return_code(sigaction(SIGVTALRM, &action, &before), errno);
	assert_return_code(sigaction(SIGALRM, &action, &before), errno);
	unsigned left = alarm(0);
	io_poll(&f->io, pair[1], READ_EVENTS, READ(1));
	assert_return_code(setitimer(ITIMER_REAL, &soon, NULL), errno);
	uint64_t begin = io_clock_ns();
	assert_int_equal(io_wait(&f->io, PATIENCE_MS), 0);
	assert_true(io_clock_ns() - begin < PATIENCE_MS * UINT64_C(1000000));
	assert_no_event(&f->io);
	assert_return_code(sigaction(SIGALRM, &before, NULL), errno);
	alarm(left);

	assert_int_equal(io_send_now(pair[0], "x", 1), 1);
	assert_int_equal(await_event(&f->io).token, READ(1));
	pair_close(pair);
}

#define WITH(name)                                       \
	{                                                \
#name, name, setup_usual, teardown, NULL \
	}
#define WITH_TINY(name)                                            \
	{                                                          \
#name " (tiny)", name, setup_small, teardown, NULL \
	}

/* Opens the backend that the test was given, with queues as they are used, or tiny ones. */
static int
setup_usual(void **state)
{
	return open_with(state, (struct io_options){.backend = *state});
}

static int
setup_small(void **state)
{
	return open_with(
	    state, (struct io_options){.backend = *state, .entries = 8, .cq_entries = 16});
}

static int
run_over(const struct io_backend *backend)
{
	struct CMUnitTest tests[] = {
	    WITH(send_that_goes_out_whole_is_silent_and_in_order),
	    WITH_TINY(queue_longer_than_the_ring_submits_by_itself),
	    WITH(short_send_reports_what_was_taken),
	    WITH(send_into_a_full_socket_takes_nothing),
	    WITH(send_to_a_peer_that_left_is_gone_without_a_signal),
	    WITH(trouble_is_told_for_the_right_sends_of_a_batch),
	    WITH_TINY(sendv_copies_the_description_and_keeps_the_order),
	    WITH(sendv_copies_the_description_and_keeps_the_order),
	    WITH(poll_fires_once_and_tests_readiness_when_armed),
	    WITH(poll_tells_room_and_half_close_and_end),
	    WITH(shutdown_close_ends_the_parked_poll_and_sends_the_end),
	    WITH(polls_of_several_kinds_share_a_descriptor),
	    WITH_TINY(polls_of_several_kinds_share_a_descriptor),
	    WITH(event_of_an_earlier_tenant_is_told_from_the_present_ones),
	    WITH(token_of_a_poll_comes_back_whole),
	    WITH(readiness_beyond_the_queues_is_told_in_time),
	    WITH_TINY(readiness_beyond_the_queues_is_told_in_time),
	    WITH(watch_fires_for_every_write_of_an_unread_doorbell),
	    WITH(watch_tells_of_a_control_socket_that_ends),
	    WITH(wait_lasts_as_long_as_asked),
	    WITH(wait_does_not_sleep_over_events_that_are_there),
	    WITH(wait_returns_on_a_signal_and_keeps_what_was_parked),
	};
	char names[sizeof tests / sizeof *tests][128];

	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
		snprintf(names[i], sizeof names[i], "%s over %s", tests[i].name, backend->name);
		tests[i].name = names[i];
		tests[i].initial_state = (void *)(uintptr_t)backend;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A ring that was closed goes on interrupting its process for a while: so epoll comes first. */
int
main(void)
{
	alarm(120);
	return run_over(&epoll_backend) + run_over(&uring_backend);
}
