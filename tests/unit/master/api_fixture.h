/*
 * api_fixture.h: seats with a control socket each, whose other ends the test plays as workers.
 */
#ifndef TESTS_API_FIXTURE_H
#define TESTS_API_FIXTURE_H

#include "tests/unit/master/publish_fixture.h"

#include "proto/order.h"

#define WORKERS 2

#define CONNECTIONS 64 /* that a worker may have */

struct crew {
	struct seat seats[WORKERS];
	struct doorbell_sleeper sleepers[WORKERS];
	int ends[WORKERS]; /* what the workers hold */
};

static inline void
crew_start(struct fixture *f, struct crew *crew)
{
	memset(crew, 0, sizeof *crew);
	for (unsigned i = 0; i < WORKERS; i++) {
		struct seat *seat = &crew->seats[i];
		int pair[2];

		*seat = (struct seat){.master = &f->m,
		    .ordinal = i,
		    .incarnation = i,
		    .state = SEAT_SERVING,
		    .pid = 1000 + (pid_t)i,
		    .socket = -1};
		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
		assert_int_equal(board_create(&seat->board), 0);
		assert_int_equal(slots_create(&seat->slots, CONNECTIONS, 1), 0);
		seat->max_connections = CONNECTIONS;
		assert_int_equal(orders_new(seat), 0);
		assert_int_equal(orders_attach(seat, pair[0]), 0);
		crew->ends[i] = pair[1];
	}
	f->m.seats = crew->seats;
	f->m.sleepers = crew->sleepers;
	f->m.worker_count = WORKERS;
}

static inline void
crew_stop(struct fixture *f, struct crew *crew)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		orders_detach(&crew->seats[i]);
		orders_free(&crew->seats[i]);
		board_close(&crew->seats[i].board);
		slots_close(&crew->seats[i].slots);
		if (crew->ends[i] != -1)
			close(crew->ends[i]);
	}
	f->m.worker_count = 0;
	f->m.seats = NULL;
}

/* The next packet for a worker, which must be there. */
static inline struct slice
crew_hear(struct crew *crew, unsigned worker, char packet[ORDER_PACKET_BYTES])
{
	ssize_t n = recv(crew->ends[worker], packet, ORDER_PACKET_BYTES, MSG_DONTWAIT);

	assert_true(n > 0);
	return slice_of(packet, (size_t)n);
}

static inline void
crew_say(struct crew *crew, unsigned worker, const struct out *packet)
{
	assert_false(out_cut(packet));
	assert_int_equal(
	    send(crew->ends[worker], packet->bytes, packet->len, MSG_DONTWAIT), packet->len);
}

#endif
