/*
 * serve_publish.h: events from clients: by POST /events and by WebSocket. They go to the master, which answers when they are in the
 * ring.
 */
#ifndef WORKER_SERVE_PUBLISH_H
#define WORKER_SERVE_PUBLISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/error.h"
#include "proto/event.h"

struct worker;
struct session_request;
struct order_published;

/* Takes up a POST /events. */
void serve_publish_start(struct worker *w, uint32_t slot, const struct session_request *r);

/* Bytes of its body. Returns how many were used. */
size_t serve_publish_body(struct worker *w, uint32_t slot, struct slice bytes);

/* Whether the body that has run out of time may have more of it, since it arrives. Then it has. */
bool serve_publish_arrives(struct worker *w, uint32_t slot);

/* Sends an event of a client to the master. ERROR_NONE, or why not, with a message. `ref` comes back with the answer. */
enum error_code serve_publish_send(
    struct worker *w, uint32_t slot, const struct event *e, struct slice ref, const char **message);

/* The master's answer. */
void serve_publish_answered(struct worker *w, const struct order_published *m);

#endif
