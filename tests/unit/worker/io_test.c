/*
 * io_test.c: the part of worker/io.h that is the same behind every backend: tokens, the classes of
 * trouble, the immediate calls, and descriptors that arrive by message.
 */
#include "worker/io.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "shm/limits.h"
#include "tests/unit/worker/io_fixture.h"

/* ---- tokens and outcomes ---- */

static void
io_token_keeps_its_three_parts(void **state)
{
	static const struct {
		uint8_t kind;
		uint32_t generation, generation_kept, index;
	} cases[] = {
	    {0, 0, 0, 0},
	    {255, 0xffffff, 0xffffff, UINT32_MAX},
	    {1, 0x1000000, 0, 7},
	    {0x80, 0xfedcba98, 0xdcba98, 0x80000000},
	};
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t token = IO_TOKEN(cases[i].kind, cases[i].generation, cases[i].index);
		assert_int_equal(io_token_kind(token), cases[i].kind);
		assert_int_equal(io_token_generation(token), cases[i].generation_kept);
		assert_int_equal(io_token_index(token), cases[i].index);
	}
}

static void
io_outcome_tells_every_class_of_trouble(void **state)
{
	static const struct {
		int32_t result;
		enum io_outcome outcome;
	} cases[] = {
	    {0, IO_SHORT},
	    {1, IO_SHORT},
	    {INT32_MAX, IO_SHORT},
	    {-EAGAIN, IO_FULL},
	    {-ENOBUFS, IO_STARVED},
	    {-ENOMEM, IO_STARVED},
	    {-EINTR, IO_STARVED},
	    {-ECANCELED, IO_CANCELLED},
	    {-EACCES, IO_REFUSED},
	    {-EPIPE, IO_GONE},
	    {-ECONNRESET, IO_GONE},
	    {-ETIMEDOUT, IO_GONE},
	    {-EBADF, IO_GONE},
	    {-EHOSTUNREACH, IO_GONE},
	};
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(io_outcome(cases[i].result), cases[i].outcome);
}

/* ---- immediate calls ---- */

static void
recv_tells_bytes_nothing_and_end_apart(void **state)
{
	char bytes[8];
	int pair[2];
	(void)state;

	pair_open(TCP, pair);
	assert_int_equal(io_recv(pair[1], bytes, sizeof bytes), -EAGAIN);
	assert_int_equal(io_send_now(pair[0], "abc", 3), 3);
	struct pollfd ready = {.fd = pair[1], .events = POLLIN};
	assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
	assert_int_equal(io_recv(pair[1], bytes, 2), 2);
	assert_int_equal(io_recv(pair[1], bytes, sizeof bytes), 1);
	close(pair[0]);
	assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
	assert_int_equal(io_recv(pair[1], bytes, sizeof bytes), 0);
	assert_int_equal(io_recv(-1, bytes, sizeof bytes), -EBADF);
	close(pair[1]);
}

static void
pass_fds(int socket, const char *text, const int *fds, size_t count)
{
	char control[CMSG_SPACE(64 * sizeof(int))] = {0};
	struct iovec vector = {.iov_base = strdup(text), .iov_len = strlen(text)};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

	assert_true(count <= 64);
	if (count > 0) {
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		struct cmsghdr *part = CMSG_FIRSTHDR(&message);
		part->cmsg_level = SOL_SOCKET;
		part->cmsg_type = SCM_RIGHTS;
		part->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(part), fds, count * sizeof(int));
	}
	assert_int_equal(sendmsg(socket, &message, 0), (ssize_t)strlen(text));
	free(vector.iov_base);
}

static void
recv_fds_hands_out_descriptors_closed_on_exec(void **state)
{
	struct fixture *f = *state;
	int control[2], fds[LIMIT_HANDOFF_BATCH], passed[LIMIT_HANDOFF_BATCH];
	struct io_received received;
	char bytes[16];

	assert_return_code(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control), errno);
	assert_int_equal(
	    io_recv_fds(&f->io, control[1], bytes, sizeof bytes, fds, 2, &received), -EAGAIN);
	for (size_t i = 0; i < LIMIT_HANDOFF_BATCH; i++)
		passed[i] = control[0];
	static const size_t counts[] = {0, 1, 2, LIMIT_HANDOFF_BATCH};
	for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
		pass_fds(control[0], "order", passed, counts[c]);
		assert_int_equal(io_recv_fds(&f->io, control[1], bytes, sizeof bytes, fds,
				     LIMIT_HANDOFF_BATCH, &received),
		    5);
		assert_memory_equal(bytes, "order", 5);
		assert_int_equal(received.fds_count, counts[c]);
		assert_false(received.fds_lost);
		assert_false(received.cut);
		for (size_t i = 0; i < counts[c]; i++) {
			assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
			close(fds[i]);
		}
	}
	pass_fds(control[0], "longer than asked for", NULL, 0);
	assert_int_equal(io_recv_fds(&f->io, control[1], bytes, 6, fds, 2, &received), 6);
	assert_true(received.cut);
	close(control[0]);
	assert_int_equal(io_recv_fds(&f->io, control[1], bytes, 6, fds, 2, &received), 0);
	close(control[1]);
}

/* Too many for the caller, or for the process: none is kept, so that none is taken for another. */
static void
recv_fds_that_lost_some_closes_all(void **state)
{
	struct fixture *f = *state;
	int control[2], fds[8], passed[6];
	struct io_received received;
	struct rlimit before, low;
	char bytes[16];

	assert_return_code(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control), errno);
	for (size_t i = 0; i < 6; i++)
		passed[i] = control[0];
	size_t open_before = descriptors_open();

	pass_fds(control[0], "six", passed, 6);
	assert_int_equal(
	    io_recv_fds(&f->io, control[1], bytes, sizeof bytes, fds, 4, &received), 3);
	assert_true(received.fds_lost);
	assert_int_equal(received.fds_count, 0);
	assert_int_equal(descriptors_open(), open_before);

	pass_fds(control[0], "six", passed, 6);
	int next = dup(control[0]);
	close(next);
	assert_return_code(getrlimit(RLIMIT_NOFILE, &before), errno);
	low = (struct rlimit){.rlim_cur = (rlim_t)next + 3, .rlim_max = before.rlim_max};
	assert_return_code(setrlimit(RLIMIT_NOFILE, &low), errno);
	ssize_t got = io_recv_fds(&f->io, control[1], bytes, sizeof bytes, fds, 8, &received);
	assert_return_code(setrlimit(RLIMIT_NOFILE, &before), errno);
	assert_int_equal(got, 3);
	assert_memory_equal(bytes, "six", 3);
	assert_true(received.fds_lost);
	assert_int_equal(received.fds_count, 0);
	assert_int_equal(descriptors_open(), open_before);
	close(control[0]);
	close(control[1]);
}

/*
 * A send queued for a descriptor that is closed before the queue went out must not reach the client
 * who is given the same number.
 */
static void
recv_fds_submits_before_a_number_can_be_given_anew(void **state)
{
	struct fixture *f = *state;
	int control[2], old[2], new[2], fd;
	struct io_received received;
	char byte;

	assert_return_code(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control), errno);
	pair_open(UNIX, new);
	pass_fds(control[0], "n", &new[0], 1);
	pair_open(UNIX, old);
	io_send(&f->io, old[0], "for the old one", 15, 1);
	assert_int_equal(io_shutdown_close(old[0]), 0);
	assert_int_equal(io_recv_fds(&f->io, control[1], &byte, 1, &fd, 1, &received), 1);
	assert_int_equal(received.fds_count, 1);
	assert_int_equal(fd, old[0]);
	assert_int_equal(io_submit(&f->io), 0);
	assert_nothing_to_read(new[1]);
	assert_int_equal(only_event(&f->io).result, -EBADF);
	close(fd);
	close(old[1]);
	pair_close(new);
	pair_close(control);
}

static void
shutdown_close_is_no_error_on_a_socket_that_was_never_connected(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	(void)state;

	assert_return_code(fd, errno);
	assert_int_equal(io_shutdown_close(fd), 0);
	assert_int_equal(io_shutdown_close(fd), -EBADF);
}

static void
clocks_go_forward(void **state)
{
	struct timeval wall;
	(void)state;

	uint64_t begin = io_clock_ns();
	for (int i = 0; i < 1000; i++) {
		uint64_t now = io_clock_ns();
		assert_true(now >= begin);
		begin = now;
	}
	uint64_t before_ms = io_realtime_ms();
	assert_return_code(gettimeofday(&wall, NULL), errno);
	uint64_t wall_ms = (uint64_t)wall.tv_sec * 1000 + (uint64_t)wall.tv_usec / 1000;
	assert_true(wall_ms >= before_ms && wall_ms - before_ms < 60000);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(io_token_keeps_its_three_parts),
	    cmocka_unit_test(io_outcome_tells_every_class_of_trouble),
	    cmocka_unit_test(recv_tells_bytes_nothing_and_end_apart),
	    WITH(recv_fds_hands_out_descriptors_closed_on_exec),
	    WITH(recv_fds_that_lost_some_closes_all),
	    WITH(recv_fds_submits_before_a_number_can_be_given_anew),
	    WITH(shutdown_close_is_no_error_on_a_socket_that_was_never_connected),
	    cmocka_unit_test(clocks_go_forward),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
