/*
 * serve_ws.h: a WebSocket: its handshake, what the client says, control objects, pings, the closing handshake.
 */
#ifndef WORKER_SERVE_WS_H
#define WORKER_SERVE_WS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/error.h"
#include "proto/slice.h"
#include "proto/ws_handshake.h"

struct worker;
struct session_request;

/* Begins a handshake with the subprotocols that we speak. */
void serve_ws_protocols(struct ws_handshake *handshake);

void serve_ws_start(struct worker *w, uint32_t slot, const struct session_request *r);

/* Bytes from the client; all are used. */
void serve_ws_input(struct worker *w, uint32_t slot, char *bytes, size_t len);

void serve_ws_gap(
    struct worker *w, uint32_t slot, struct slice channel, uint64_t after, uint64_t at);
void serve_ws_live(struct worker *w, uint32_t slot, uint64_t at);
void serve_ws_put_live(struct out *o, uint64_t at);
void serve_ws_error(
    struct worker *w, uint32_t slot, enum error_code code, struct slice message, struct slice ref);
void serve_ws_published(
    struct worker *w, uint32_t slot, uint64_t id, int duplicate, struct slice ref);

/* A subscription was ended from outside: the reason is a word. */
void serve_ws_unsubscribed(
    struct worker *w, uint32_t slot, struct slice channel, struct slice reason);

/* A ping may be due. */
void serve_ws_due(struct worker *w, uint32_t slot);

/* Closes with a code and a reason. */
void serve_ws_end(struct worker *w, uint32_t slot, unsigned code, const char *reason);

#endif
