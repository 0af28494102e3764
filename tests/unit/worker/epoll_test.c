/*
 * epoll_test.c: epoll's backend where the kernel is unwilling or memory is short, and how often it
 * asks; what it does otherwise is held by backend_test.c. The program is linked with --wrap for the
 * calls below.
 */
#include "worker/epoll.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "tests/unit/worker/io_fixture.h"

#define READ(index) IO_TOKEN(1, 0, index)
#define HANGUP(index) IO_TOKEN(2, 0, index)
#define ROOM(index) IO_TOKEN(3, 0, index)

/* ---- what the kernel and the allocator are made to answer ---- */

int __real_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int __real_epoll_pwait(
    int epoll, struct epoll_event *events, int max, int timeout_ms, const sigset_t *mask);
void *__real_realloc(void *bytes, size_t size);
void *__real_mremap(void *old, size_t old_size, size_t size, int flags, ...);
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_pwait(
    int epoll, struct epoll_event *events, int max, int timeout_ms, const sigset_t *mask);
void *__wrap_realloc(void *bytes, size_t size);
void *__wrap_mremap(void *old, size_t old_size, size_t size, int flags, ...);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);

/* A test's orders to the wrappers; a test program may have a global where the product may not. */
static struct {
	int control_error; /* epoll_ctl answers it */
	int wait_error;    /* epoll_pwait answers it, once */
	bool no_memory;
	unsigned controls; /* counts epoll_ctl */
} inject;

int
__wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	inject.controls++;
	if (inject.control_error == 0)
		return __real_epoll_ctl(epoll, operation, fd, event);
	errno = inject.control_error;
	return -1;
}

int
__wrap_epoll_pwait(
    int epoll, struct epoll_event *events, int max, int timeout_ms, const sigset_t *mask)
{
	if (inject.wait_error == 0)
		return __real_epoll_pwait(epoll, events, max, timeout_ms, mask);
	errno = inject.wait_error;
	inject.wait_error = 0;
	return -1;
}

void *
__wrap_realloc(void *bytes, size_t size)
{
	return inject.no_memory ? NULL : __real_realloc(bytes, size);
}

void *
__wrap_mremap(void *old, size_t old_size, size_t size, int flags, ...)
{
	return inject.no_memory ? MAP_FAILED : __real_mremap(old, old_size, size, flags);
}

void *
__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	return inject.no_memory ? MAP_FAILED : __real_mmap(at, size, protection, flags, fd, offset);
}

static int
setup_epoll(void **state)
{
	memset(&inject, 0, sizeof inject);
	return open_with(
	    state, (struct io_options){.backend = &epoll_backend, .entries = 8, .cq_entries = 16});
}

static int
teardown_epoll(void **state)
{
	memset(&inject, 0, sizeof inject);
	return teardown(state);
}

/* ---- how often it asks ---- */

static void
polls_of_one_descriptor_cost_one_call_a_submit(void **state)
{
	struct fixture *f = *state;
	int pair[2];

	pair_open(UNIX, pair);
	io_poll(&f->io, pair[0], POLLRDHUP, HANGUP(1));
	io_poll(&f->io, pair[0], POLLIN | POLLRDHUP, READ(1));
	assert_int_equal(inject.controls, 0);
	assert_int_equal(io_submit(&f->io), 0);
	assert_int_equal(inject.controls, 1);
	for (unsigned i = 0; i < 5; i++) {
		char byte;
		assert_int_equal(io_send_now(pair[1], "x", 1), 1);
		assert_int_equal(await_event(&f->io).token, READ(1));
		assert_int_equal(io_recv(pair[0], &byte, 1), 1);
		/* What is left parked, and what is parked anew, go together. */
		io_poll(&f->io, pair[0], POLLIN | POLLRDHUP, READ(1));
		assert_int_equal(io_submit(&f->io), 0);
		assert_int_equal(inject.controls, 2 + i);
	}
	assert_int_equal(io_submit(&f->io), 0);
	assert_int_equal(inject.controls, 6);
	assert_no_event(&f->io);
	pair_close(pair);
}

static void
more_polls_than_the_queue_holds_submit_by_themselves(void **state)
{
	enum { PAIRS = 20 };
	struct fixture *f = *state;
	int pairs[PAIRS][2];

	for (uint32_t i = 0; i < PAIRS; i++) {
		pair_open(UNIX, pairs[i]);
		io_poll(&f->io, pairs[i][0], POLLOUT, ROOM(i));
	}
	assert_true(inject.controls > 0 && inject.controls < PAIRS);
	for (uint32_t i = 0; i < PAIRS; i++)
		assert_int_equal(io_token_kind(await_event(&f->io).token), 3);
	assert_int_equal(inject.controls, PAIRS);
	for (uint32_t i = 0; i < PAIRS; i++)
		pair_close(pairs[i]);
}

/* ---- an unwilling kernel ---- */

/* ENOSPC: fs.epoll.max_user_watches. */
static void
poll_that_is_refused_says_so_once_for_every_kind(void **state)
{
	static const int errors[] = {ENOMEM, ENOSPC, EPERM};
	struct fixture *f = *state;
	int pair[2];

	pair_open(UNIX, pair);
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		inject.control_error = errors[i];
		io_poll(&f->io, pair[0], POLLIN | POLLRDHUP, READ(3));
		io_poll(&f->io, pair[0], POLLOUT, ROOM(3));
		assert_int_equal(io_submit(&f->io), 0);
		struct io_event events[3];
		assert_int_equal(io_reap(&f->io, events, 3), 2);
		assert_int_equal(events[0].token, READ(3));
		assert_int_equal(events[1].token, ROOM(3));
		for (int k = 0; k < 2; k++) {
			assert_int_equal(events[k].result, -errors[i]);
			assert_int_equal(events[k].flags, IO_ENDED);
		}
		io_watch(&f->io, pair[0], 7);
		assert_int_equal(io_submit(&f->io), 0);
		struct io_event event = only_event(&f->io);
		assert_int_equal(event.token, 7);
		assert_int_equal(event.result, -errors[i]);
		assert_int_equal(event.flags, IO_ENDED);
	}
	/* Nothing of it stays. */
	inject.control_error = 0;
	io_poll(&f->io, pair[0], POLLOUT, ROOM(3));
	assert_int_equal(io_submit(&f->io), 0);
	assert_int_equal(only_event(&f->io).result, POLLOUT);
	pair_close(pair);
}

static void
watch_armed_again_tells_what_is_there(void **state)
{
	struct fixture *f = *state;
	int doorbell = eventfd(1, EFD_NONBLOCK);

	assert_return_code(doorbell, errno);
	for (int i = 0; i < 3; i++) {
		io_watch(&f->io, doorbell, 7);
		assert_int_equal(io_submit(&f->io), 0);
		assert_int_equal(only_event(&f->io).result, POLLIN);
		assert_int_equal(io_submit(&f->io), 0);
		assert_no_event(&f->io);
	}
	close(doorbell);
}

static void
signal_ends_a_wait_and_a_broken_epoll_stays_broken(void **state)
{
	struct fixture *f = *state;

	inject.wait_error = EINTR;
	assert_int_equal(io_wait(&f->io, -1), 0);
	assert_int_equal(io_submit(&f->io), 0);
	inject.wait_error = EBADF;
	assert_int_equal(io_wait(&f->io, -1), -EBADF);
	assert_int_equal(io_wait(&f->io, -1), -EBADF);
	assert_int_equal(io_submit(&f->io), -EBADF);
}

/* ---- no memory ---- */

/* A hundred sends in trouble and room to tell of sixteen. */
static void
trouble_of_sends_is_dropped_only_without_memory(void **state)
{
	enum { SENDS = 100 };
	struct fixture *f = *state;
	struct io_event events[SENDS + 1];
	int pair[2];

	pair_open(UNIX, pair);
	close(pair[1]);
	inject.no_memory = true;
	for (int i = 0; i < SENDS; i++)
		io_send(&f->io, pair[0], "x", 1, (uint64_t)i);
	assert_int_equal(io_submit(&f->io), 0);
	assert_true(io_dropped(&f->io));
	assert_false(io_dropped(&f->io));
	assert_true(io_overflowed(&f->io));
	assert_false(io_overflowed(&f->io));
	assert_int_equal(io_reap(&f->io, events, SENDS + 1), 16);
	inject.no_memory = false;
	for (int i = 0; i < SENDS; i++)
		io_send(&f->io, pair[0], "x", 1, (uint64_t)i);
	assert_int_equal(io_submit(&f->io), 0);
	assert_false(io_dropped(&f->io));
	assert_false(io_overflowed(&f->io));
	assert_int_equal(io_reap(&f->io, events, SENDS + 1), SENDS);
	for (int i = 0; i < SENDS; i++) {
		assert_int_equal(events[i].token, i);
		assert_int_equal(events[i].result, -EPIPE);
	}
	assert_int_equal(io_counters(&f->io).overflows, 1);
	close(pair[0]);
}

static void
poll_without_memory_to_park_it_ends_at_once(void **state)
{
	struct fixture *f = *state;
	int pair[2];

	pair_open(UNIX, pair);
	for (uint32_t index = 1; index < 1 << 20; index <<= 8) {
		inject.no_memory = true;
		io_poll(&f->io, pair[0], POLLOUT, ROOM(index));
		inject.no_memory = false;
		assert_int_equal(io_submit(&f->io), 0);
		struct io_event event = only_event(&f->io);
		assert_int_equal(event.token, ROOM(index));
		/* The first page that the table takes reaches further than its second index. */
		assert_int_equal(event.result, index == 256 ? POLLOUT : -ENOMEM);
		io_poll(&f->io, pair[0], POLLOUT, ROOM(index));
		assert_int_equal(io_submit(&f->io), 0);
		assert_int_equal(only_event(&f->io).result, POLLOUT);
	}
	pair_close(pair);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, setup_epoll, teardown_epoll)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH(polls_of_one_descriptor_cost_one_call_a_submit),
	    WITH(more_polls_than_the_queue_holds_submit_by_themselves),
	    WITH(poll_that_is_refused_says_so_once_for_every_kind),
	    WITH(watch_armed_again_tells_what_is_there),
	    WITH(signal_ends_a_wait_and_a_broken_epoll_stays_broken),
	    WITH(trouble_of_sends_is_dropped_only_without_memory),
	    WITH(poll_without_memory_to_park_it_ends_at_once),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
