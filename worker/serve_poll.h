/*
 * serve_poll.h: short and long polls: the answer, holding it back, and letting it go.
 */
#ifndef WORKER_SERVE_POLL_H
#define WORKER_SERVE_POLL_H

#include <stdbool.h>
#include <stdint.h>

struct worker;
struct replay_run;
struct extra;
struct session_request;

/* Takes up a checked GET /events. */
void serve_poll_start(struct worker *w, uint32_t slot, const struct session_request *r);

/* Answers with what came of a run. */
void serve_poll_answer(struct worker *w, uint32_t slot, struct replay_run *run);

/* Nothing there: the connection waits for news or its time. */
void serve_poll_hold(struct worker *w, uint32_t slot, uint64_t cursor);

/* News, or the time is over: it is answered in its turn. */
void serve_poll_release(struct worker *w, uint32_t slot);

bool serve_poll_has_gap(const struct extra *x);

#endif
