/*
 * route.h: from a request's head to whoever serves it: paths, methods, origins, and the query of /events.
 */
#ifndef WORKER_ROUTE_H
#define WORKER_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

struct worker;
struct http_request;

/* Takes up one request of a connection that stands at HEAD. more: bytes came behind it. */
void route(struct worker *w, uint32_t slot, const struct http_request *http, bool more);

#endif
