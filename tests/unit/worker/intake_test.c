/*
 * intake_test.c: connections that the master hands over.
 */
#include "worker/intake.h"

#include "tests/unit/worker/worker_fixture.h"

static void
hand_over(struct fixture *f, int descriptor, uint64_t serial)
{
	const struct order_connections m = {.first_serial = serial, .count = 1};
	char packet[256], control[CMSG_SPACE(sizeof descriptor)] = {0};
	struct out o = out_to(packet, sizeof packet);
	struct iovec bytes;
	struct msghdr message = {.msg_iov = &bytes,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof control};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

	order_encode_connections(&o, &m);
	bytes = (struct iovec){o.bytes, o.len};
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof descriptor);
	memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
	assert_int_equal(sendmsg(f->master, &message, MSG_DONTWAIT), o.len);
	close(descriptor);
}

static void
some_turns(struct fixture *f)
{
	for (int i = 0; i < 8; i++) {
		f->w->control_waits = true;
		fixture_turn(f);
	}
}

/* Reads what the worker told the master; the serial of the last acknowledgement, 0: none. */
static uint64_t
taken(struct fixture *f)
{
	char packet[ORDER_PACKET_BYTES];
	uint64_t serial = 0;
	ssize_t n;

	while ((n = recv(f->master, packet, sizeof packet, MSG_DONTWAIT)) > 0) {
		struct order_taken m;

		if (order_decode_taken(slice_of(packet, (size_t)n), &m) == 0)
			serial = m.serial;
	}
	return serial;
}

/* Were it read before, the master would hand it to another worker without its request, should this one die. */
static void
intake_reads_from_nobody_whom_it_could_not_acknowledge(void **state)
{
	static const char request[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
	struct fixture *f = *state;
	char answer[512];
	int pair[2];

	while (send(f->w->control_fd, "full", 4, MSG_DONTWAIT) == 4)
		;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(send(pair[0], request, sizeof request - 1, 0), sizeof request - 1);
	hand_over(f, pair[1], 7);
	some_turns(f);
	assert_int_equal(f->w->arrival_count, 1);
	assert_int_equal(f->w->connection_count, 0);
	assert_int_equal(recv(pair[0], answer, sizeof answer, MSG_DONTWAIT), -1);

	assert_int_equal(taken(f), 0);
	some_turns(f);
	assert_int_equal(taken(f), 7);
	assert_int_equal(f->w->arrival_count, 0);
	assert_true(recv(pair[0], answer, sizeof answer, MSG_DONTWAIT) > 0);
	close(pair[0]);
	some_turns(f);
	assert_int_equal(f->w->connection_count, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(intake_reads_from_nobody_whom_it_could_not_acknowledge,
		fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests_name("intake", tests, NULL, NULL);
}
