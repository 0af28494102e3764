/*
 * route.h: from a request's head to whoever serves it: paths, methods, origins, and the query of /events.
 */
#ifndef WORKER_ROUTE_H
#define WORKER_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/slice.h"

struct worker;
struct http_request;
struct request;

/* Takes up one request of a connection that stands at HEAD. more: bytes came behind it. */
void route(struct worker *w, uint32_t slot, const struct http_request *http, bool more);

/*
 * Notes what CORS has to say in the answer to a head that cannot be taken, as far as its fields came and can be read: a page must see
 * why it was refused, since EventSource tries for ever what it cannot read.
 */
void route_judge_bytes(struct worker *w, struct slice bytes, struct request *answer);

#endif
