/*
 * orders.h: the master's end of a worker's control socket: packets out, with a bounded queue behind
 * a full socket, and packets in, bounded per turn. proto/order.h has the messages.
 *
 * All passing of descriptors between processes is here. A worker that sends what no worker of this
 * version sends is distrusted: supervise_fault ends it.
 */
#ifndef MASTER_ORDERS_H
#define MASTER_ORDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "master/loop.h"
#include "proto/slice.h"

struct master;
struct seat;

/*
 * A worker's part; lives in its seat. The queue is a run of {u32 length, packet} between first and
 * end; memory for both buffers is taken once, at start, and touched only when used.
 */
struct orders {
	struct loop_source control;
	struct loop_timer
	    retry; /* the kernel was out of buffers, or too many descriptors are in flight */
	struct loop_work answers; /* flushes what must not leave before the turn's commit */
	char *queue;
	size_t first, end;
	bool blocked;      /* the socket or the kernel is full: EPOLLOUT or the timer clears it */
	bool settings_due; /* wait for the queue to empty; only the newest are sent */
	bool drain_due;
	uint32_t drain_ms;
	char *transfer; /* pieces of an ORDER_PUBLISH */
	size_t transfer_cap, transfer_len, transfer_total;
};

/* Takes memory for a seat; -1 with errno ENOMEM. */
int orders_new(struct seat *seat);
void orders_free(struct seat *seat);

/*
 * Room for pieces of larger events, before workers are told that they may come. -1: no memory,
 * nothing changed.
 */
int orders_reserve(struct master *m, uint64_t max_event_bytes);

/* Begins and ends with a process: socket is the master's end, closed by orders_detach. */
int orders_attach(struct seat *seat, int socket);
void orders_detach(struct seat *seat);

/*
 * Sends a packet (made by an order_encode_*, out_cut checked) to a worker, or queues it while the
 * socket is full. 0; -1 with errno ENOBUFS when the queue is full, or ENOTCONN when this worker is
 * not there. A worker that dies takes its queue with it: whoever waits for an answer learns so by
 * api_worker_gone.
 */
int orders_send(struct master *m, unsigned worker, struct slice packet);

/*
 * Sends a packet with descriptors, at once or not at all: -1 with errno EAGAIN when the socket is
 * full (handoff_flush is called again when it is not), ENOTCONN when the worker is gone. The
 * descriptors stay the caller's.
 */
int orders_send_descriptors(
    struct master *m, unsigned worker, struct slice packet, const int *fds, size_t count);

/* Tells the settings in force; the newest wins if several wait. */
void orders_send_settings(struct master *m, unsigned worker);
void orders_send_drain(struct master *m, unsigned worker, uint32_t deadline_ms);

/* True when a packet sent now would leave at once: the worker is there and nothing is queued. */
bool orders_clear(const struct master *m, unsigned worker);

/* Reads what a dead worker had sent, to the end. */
void orders_read_rest(struct seat *seat);

#endif
