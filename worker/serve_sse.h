/*
 * serve_sse.h: Server-Sent Events: how a stream begins, what is said in it besides events, and how it ends.
 */
#ifndef WORKER_SERVE_SSE_H
#define WORKER_SERVE_SSE_H

#include <stdint.h>

#include "proto/slice.h"

struct worker;
struct session_request;

void serve_sse_start(struct worker *w, uint32_t slot, const struct session_request *r);

/* Tells of a temporary refusal by a stream that ends at once: EventSource gives up for ever on a 503. */
void serve_sse_refuse(struct worker *w, uint32_t slot, const struct session_request *r);

void serve_sse_gap(
    struct worker *w, uint32_t slot, struct slice channel, uint64_t after, uint64_t at);
void serve_sse_live(struct worker *w, uint32_t slot, uint64_t at);
void serve_sse_put_live(struct out *o, uint64_t at);

/* Its beat may be due. */
void serve_sse_due(struct worker *w, uint32_t slot);

/* Ends the stream; the client comes back after a jittered while, and resumes. */
void serve_sse_end(struct worker *w, uint32_t slot);

#endif
