/*
 * intake.h: the control socket: orders from the master, and what the worker tells it.
 */
#ifndef WORKER_INTAKE_H
#define WORKER_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/slice.h"

struct worker;

/*
 * Takes ORDER_START with its descriptors and ORDER_SETTINGS, waiting for them; before anything else. False: the master is gone or does
 * not speak our language; the reason is logged.
 */
bool intake_begin(struct worker *w);

/* Reads orders, a bounded number. True: there may be more. */
bool intake_read(struct worker *w);

/* Sends a packet, or keeps it until the socket has room. False: too much is waiting; it is not sent. */
bool intake_send(struct worker *w, struct slice packet);

/* Sends an encoded order_publish, in as many pieces as it takes. All or nothing. */
bool intake_send_publish(struct worker *w, struct slice whole);

/* Sends what was kept. */
void intake_flush(struct worker *w);

/* A connection has ended: the master is told, in batches. */
void intake_closed(struct worker *w, uint32_t peer_hash);

/* Tells of those that are waiting to be told. */
void intake_tell_closed(struct worker *w);

/* A packet without fields. */
void intake_tell(struct worker *w, int type);

#endif
