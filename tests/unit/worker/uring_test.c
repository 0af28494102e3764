/*
 * uring_test.c: what io_uring's backend refuses; what it does is held by backend_test.c and
 * uring_pressure_test.c.
 */
#include "worker/uring.h"

#include <liburing.h>

#include "tests/unit/worker/io_fixture.h"

static void
ring_refuses_what_the_worker_never_asks(void **state)
{
	static const uint8_t operations[] = {IORING_OP_NOP, IORING_OP_READV, IORING_OP_WRITEV,
	    IORING_OP_READ, IORING_OP_WRITE, IORING_OP_RECV, IORING_OP_RECVMSG, IORING_OP_ACCEPT,
	    IORING_OP_CONNECT, IORING_OP_SOCKET, IORING_OP_OPENAT, IORING_OP_OPENAT2,
	    IORING_OP_CLOSE, IORING_OP_STATX, IORING_OP_SPLICE, IORING_OP_TEE, IORING_OP_FALLOCATE,
	    IORING_OP_UNLINKAT, IORING_OP_RENAMEAT, IORING_OP_SHUTDOWN, IORING_OP_FILES_UPDATE,
	    IORING_OP_PROVIDE_BUFFERS, IORING_OP_MSG_RING, IORING_OP_URING_CMD,
	    IORING_OP_ASYNC_CANCEL, IORING_OP_POLL_REMOVE, IORING_OP_TIMEOUT, IORING_OP_SEND_ZC};
	static const uint8_t flags[] = {
	    IOSQE_FIXED_FILE, IOSQE_IO_DRAIN, IOSQE_IO_LINK, IOSQE_IO_HARDLINK, IOSQE_ASYNC};
	struct fixture *f = *state;
	struct io_uring *ring = uring_ring(&f->io);
	struct io_uring_sqe *sqe;

	for (size_t i = 0; i < sizeof operations; i++) {
		sqe = io_uring_get_sqe(ring);
		assert_non_null(sqe);
		io_uring_prep_rw(operations[i], sqe, -1, NULL, 0, 0);
		sqe->user_data = i;
		assert_int_equal(io_submit(&f->io), 0);
		struct io_event event = only_event(&f->io);
		assert_int_equal(event.token, i);
		assert_int_equal(event.result, -EACCES);
	}
	for (size_t i = 0; i < sizeof flags; i++) {
		sqe = io_uring_get_sqe(ring);
		assert_non_null(sqe);
		io_uring_prep_poll_add(sqe, 0, POLLOUT);
		sqe->flags |= flags[i];
		assert_int_equal(io_submit(&f->io), 0);
		assert_int_equal(only_event(&f->io).result, -EACCES);
	}
	int file = 0;
	assert_int_equal(
	    io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_FILES, &file, 1), -EACCES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		ring_refuses_what_the_worker_never_asks, setup, teardown),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
