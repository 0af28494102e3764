/*
 * handoff.h: which worker gets a connection, and that none is lost on the way.
 *
 * A connection is in one of three places: in the queue (accepted, nobody's), in flight (sent to a
 * worker, which has not acknowledged it), or a worker's. The master keeps the descriptor in the
 * first two; a worker that dies gives what was in its flight back to the head of the queue. A
 * worker has at most LIMIT_HANDOFF_CREDITS in flight. When no worker has credit and the queue is
 * full, accept.c lets the kernel's backlog hold the rest.
 *
 * The books: a connection counts from handoff_offer until its worker says that it ended
 * (handoff_closed) or dies.
 */
#ifndef MASTER_HANDOFF_H
#define MASTER_HANDOFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "master/peers.h"
#include "proto/order.h"

struct master;

struct handoff_connection {
	int fd;
	struct order_address peer;
	uint32_t peer_hash;
};

/* A worker's part; zeroed while it has no process. */
struct handoff_flight {
	uint64_t first_serial; /* the oldest that is not acknowledged */
	uint64_t next_serial;  /* of the next one to send */
	struct handoff_connection at[LIMIT_HANDOFF_CREDITS]; /* by serial modulo the size */
	struct peers peers; /* everything that is this worker's, in flight or acknowledged */
};

/* 0, or -1 with errno. The worker count is fixed from here on. */
int handoff_new(struct master *m);

/* Closes what is queued. */
void handoff_free(struct master *m);

/* Closes what is in flight to a worker and forgets its books: when the master itself ends. */
void handoff_drop(struct master *m, unsigned worker);

/* How many connections may be offered now. */
size_t handoff_room(const struct master *m);

/* Takes a connection (and owns fd). False, with fd untouched, when there is no room. */
bool handoff_offer(struct master *m, int fd, const struct order_address *peer);

/*
 * Sends what can be sent. Called when there is something in the queue, or credit, or room in a
 * socket again.
 */
void handoff_flush(struct master *m);

/* ORDER_TAKEN and ORDER_CLOSED of a worker. False: it claims what cannot be. */
bool handoff_taken(struct master *m, unsigned worker, uint64_t serial);
bool handoff_closed(struct master *m, unsigned worker, const struct order_closed *closed);

/* A process begins on a seat: serials count from 1. */
void handoff_worker_new(struct master *m, unsigned worker);

/*
 * The worker is dead and its last words were heard: what was in flight goes back to the queue, what
 * was its is gone.
 */
void handoff_worker_gone(struct master *m, unsigned worker);

/* Answers 503 to everything in the queue: nobody will take it any more. */
void handoff_shed(struct master *m);

/* Connections by the books: all, those of one name, those that no worker has acknowledged yet. */
uint64_t handoff_total(const struct master *m);
uint64_t handoff_of_peer(const struct master *m, uint32_t peer_hash);
uint64_t handoff_waiting(const struct master *m);

#endif
