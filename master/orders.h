/*
 * orders.h: the master's end of a worker's control socket: packets out, with a bounded queue behind a full socket, and
 * packets in, bounded per turn. proto/order.h has the messages.
 *
 * This file and handoff.c are the only ones here that pass descriptors.
 */
#ifndef MASTER_ORDERS_H
#define MASTER_ORDERS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/slice.h"

struct master;

/*
 * Sends a packet (made by an order_encode_*, out_cut checked) to a worker, or queues it while the socket is full. 0; -1
 * with errno ENOBUFS when the queue is full, or ENOTCONN when this worker is not there. A worker that dies takes its queue
 * with it: whoever waits for an answer learns so by api_worker_gone.
 */
int orders_send(struct master *m, unsigned worker, struct slice packet);

/* True when a packet sent now would leave at once: nothing is queued and the worker has been given its start. */
bool orders_clear(const struct master *m, unsigned worker);

#endif
