/*
 * revoke.h: subscriptions that end from outside: their channel was deleted, or a reload closed it. Held polls are answered, SSE
 * streams end, WebSockets are told, and stay.
 */
#ifndef WORKER_REVOKE_H
#define WORKER_REVOKE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/slice.h"

struct worker;

/* How far the search for subscriptions to closed channels is. */
struct revoke {
	uint32_t channel; /* the next to look at; 0: there is nothing to look for */
	uint32_t left;    /* of its members, [0, left) were not looked at */
};

/* The channel was deleted: ends all subscriptions to it. */
void revoke_channel(struct worker *w, struct slice name);

/* There are new rules: ends, in the coming turns, the subscriptions to channels that are closed by now. */
void revoke_closed(struct worker *w);

/* Goes on with that, over a bounded number of members. True: there are more. */
bool revoke_run(struct worker *w);

#endif
