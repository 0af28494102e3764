/*
 * handoff.c: the queue of accepted connections, and what is in flight to workers. See handoff.h.
 *
 * Between calls: flight->at holds the serials first_serial .. next_serial - 1, each with an open
 * descriptor. The queue is a ring with room for LIMIT_HANDOFF_QUEUE accepted connections and
 * everything that workers may give back by dying.
 */
#include "master/handoff.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "master/accept.h"
#include "master/master.h"
#include "master/orders.h"
#include "master/refuse.h"
#include "master/supervise.h"
#include "shm/ring_write.h"

struct handoff {
	struct handoff_connection *queue;
	size_t places, first, count;
	struct peers peers; /* of those in the queue */
};

int
handoff_new(struct master *m)
{
	struct handoff *h = calloc(1, sizeof *h);

	if (h == NULL)
		return -1;
	h->places = LIMIT_HANDOFF_QUEUE + (size_t)m->worker_count * LIMIT_HANDOFF_CREDITS;
	h->queue = calloc(h->places, sizeof *h->queue);
	/*
	 * Its books have room for all that the queue can hold, so taking back what a dead worker
	 * had cannot fail.
	 */
	if (h->queue == NULL || peers_reserve(&h->peers, h->places) == -1) {
		free(h->queue);
		free(h);
		return -1;
	}
	m->handoff = h;
	return 0;
}

static struct handoff_connection *
handoff_queue_at(const struct handoff *h, size_t i)
{
	return &h->queue[(h->first + i) % h->places];
}

void
handoff_free(struct master *m)
{
	struct handoff *h = m->handoff;

	if (h == NULL)
		return;
	for (size_t i = 0; i < h->count; i++)
		close(handoff_queue_at(h, i)->fd);
	peers_clear(&h->peers);
	free(h->queue);
	free(h);
	m->handoff = NULL;
}

void
handoff_drop(struct master *m, unsigned worker)
{
	struct handoff_flight *flight = &m->seats[worker].flight;

	for (; flight->first_serial < flight->next_serial; flight->first_serial++)
		close(flight->at[flight->first_serial % LIMIT_HANDOFF_CREDITS].fd);
	peers_clear(&flight->peers);
}

size_t
handoff_room(const struct master *m)
{
	return m->handoff->count < LIMIT_HANDOFF_QUEUE ? LIMIT_HANDOFF_QUEUE - m->handoff->count
						       : 0;
}

bool
handoff_offer(struct master *m, int fd, const struct order_address *peer)
{
	struct handoff *h = m->handoff;
	struct handoff_connection *connection;
	uint32_t hash = peers_hash(ring_write_ring(m->ring), peer);

	if (handoff_room(m) == 0)
		return false;
	peers_add(&h->peers, hash);
	connection = handoff_queue_at(h, h->count++);
	*connection = (struct handoff_connection){fd, *peer, hash};
	return true;
}

/* ---- sending --------------------------------------------------------------------------------- */

static size_t
handoff_in_flight(const struct handoff_flight *flight)
{
	return (size_t)(flight->next_serial - flight->first_serial);
}

/* How many connections this worker can be sent now. */
static size_t
handoff_credit(const struct master *m, const struct seat *seat)
{
	size_t credit = LIMIT_HANDOFF_CREDITS - handoff_in_flight(&seat->flight);
	uint64_t room;

	if (seat->state != SEAT_SERVING || !orders_clear(m, seat->ordinal))
		return 0;
	assert(seat->flight.peers.total <= seat->max_connections);
	room = seat->max_connections - seat->flight.peers.total;
	return credit < room ? credit : (size_t)room;
}

/* The worker with the fewest connections of those that have credit; NULL: none has. */
static struct seat *
handoff_least_loaded(struct master *m)
{
	struct seat *best = NULL;

	for (unsigned i = 0; i < m->worker_count; i++) {
		struct seat *seat = &m->seats[i];

		if (handoff_credit(m, seat) == 0)
			continue;
		if (best == NULL || seat->flight.peers.total < best->flight.peers.total)
			best = seat;
	}
	return best;
}

/* The head of the queue becomes the worker's, in flight. */
static void
handoff_move(struct handoff *h, struct seat *seat, size_t count)
{
	struct handoff_flight *flight = &seat->flight;

	for (size_t i = 0; i < count; i++) {
		struct handoff_connection *connection = &h->queue[h->first];
		bool counted = peers_remove(&h->peers, connection->peer_hash);

		assert(counted);
		peers_add(&flight->peers, connection->peer_hash);
		flight->at[flight->next_serial++ % LIMIT_HANDOFF_CREDITS] = *connection;
		h->first = (h->first + 1) % h->places;
	}
	h->count -= count;
}

/* One message of the queue's head to one worker. False: there is no memory to count it in. */
static bool
handoff_send(struct master *m, struct seat *seat)
{
	struct handoff *h = m->handoff;
	char packet[64 + LIMIT_HANDOFF_BATCH * 32];
	struct out o = out_to(packet, sizeof packet);
	struct order_connections message = {.first_serial = seat->flight.next_serial};
	int fds[LIMIT_HANDOFF_BATCH];

	message.count = handoff_credit(m, seat);
	if (message.count > LIMIT_HANDOFF_BATCH)
		message.count = LIMIT_HANDOFF_BATCH;
	if (message.count > h->count)
		message.count = h->count;
	for (size_t i = 0; i < message.count; i++) {
		const struct handoff_connection *connection = handoff_queue_at(h, i);

		message.of[i] = (struct order_connection){
		    .peer = connection->peer, .peer_hash = connection->peer_hash};
		fds[i] = connection->fd;
	}
	order_encode_connections(&o, &message);
	assert(!out_cut(&o));
	/* Once sent, connections cannot be called back for lack of memory to count them in. */
	if (peers_reserve(&seat->flight.peers, message.count) == -1)
		return false;
	/*
	 * Refused: full, or gone with its death on the way. Either way it has no credit now, and
	 * another worker may have.
	 */
	if (orders_send_descriptors(
		m, seat->ordinal, slice_of(packet, o.len), fds, message.count) == -1)
		return true;
	handoff_move(h, seat, message.count);
	return true;
}

/* The head of the queue is nobody's any more, and is told so. */
static void
handoff_refuse_first(struct master *m, enum refuse_reason reason)
{
	struct handoff *h = m->handoff;
	struct handoff_connection *connection = &h->queue[h->first];

	refuse_connection(m, connection->fd, reason);
	peers_remove(&h->peers, connection->peer_hash);
	h->first = (h->first + 1) % h->places;
	h->count--;
}

void
handoff_flush(struct master *m)
{
	struct seat *seat;

	while (m->handoff->count > 0 && (seat = handoff_least_loaded(m)) != NULL) {
		if (handoff_send(m, seat))
			continue;
		/* Nothing would tell when there is memory again: better refused than forgotten. */
		m->counters.refused_connections++;
		handoff_refuse_first(m, REFUSE_FULL);
	}
	if (handoff_room(m) > 0)
		accept_resume(m);
}

/* ---- what workers say ------------------------------------------------------------------------ */

bool
handoff_taken(struct master *m, unsigned worker, uint64_t serial)
{
	struct handoff_flight *flight = &m->seats[worker].flight;

	if (serial < flight->first_serial || serial >= flight->next_serial)
		return false;
	for (; flight->first_serial <= serial; flight->first_serial++) {
		close(flight->at[flight->first_serial % LIMIT_HANDOFF_CREDITS].fd);
		m->counters.handed_off++;
	}
	handoff_flush(m);
	return true;
}

bool
handoff_closed(struct master *m, unsigned worker, const struct order_closed *closed)
{
	for (size_t i = 0; i < closed->count; i++)
		if (!peers_remove(&m->seats[worker].flight.peers, closed->peer_hashes[i]))
			return false;
	if (m->handoff->count > 0)
		handoff_flush(m);
	return true;
}

void
handoff_worker_gone(struct master *m, unsigned worker)
{
	struct handoff *h = m->handoff;
	struct handoff_flight *flight = &m->seats[worker].flight;

	/* From the newest to the oldest, each to the head of the queue: their order is kept. */
	while (flight->next_serial > flight->first_serial) {
		struct handoff_connection *connection =
		    &flight->at[--flight->next_serial % LIMIT_HANDOFF_CREDITS];

		peers_add(&h->peers, connection->peer_hash);
		h->first = (h->first + h->places - 1) % h->places;
		h->queue[h->first] = *connection;
		h->count++;
		m->counters.handed_again++;
	}
	peers_clear(&flight->peers);
	if (m->state == MASTER_DRAINING)
		handoff_shed(m);
	else
		handoff_flush(m);
}

void
handoff_worker_new(struct master *m, unsigned worker)
{
	struct handoff_flight *flight = &m->seats[worker].flight;

	assert(flight->peers.total == 0);
	flight->first_serial = flight->next_serial = 1;
}

void
handoff_shed(struct master *m)
{
	while (m->handoff->count > 0)
		handoff_refuse_first(m, REFUSE_DRAINING);
}

/* ---- the books ------------------------------------------------------------------------------- */

uint64_t
handoff_total(const struct master *m)
{
	uint64_t total = m->handoff->peers.total;

	for (unsigned i = 0; i < m->worker_count; i++)
		total += m->seats[i].flight.peers.total;
	return total;
}

uint64_t
handoff_of_peer(const struct master *m, uint32_t peer_hash)
{
	uint64_t count = peers_count(&m->handoff->peers, peer_hash);

	for (unsigned i = 0; i < m->worker_count; i++)
		count += peers_count(&m->seats[i].flight.peers, peer_hash);
	return count;
}

uint64_t
handoff_waiting(const struct master *m)
{
	uint64_t waiting = m->handoff->count;

	for (unsigned i = 0; i < m->worker_count; i++)
		waiting += handoff_in_flight(&m->seats[i].flight);
	return waiting;
}
