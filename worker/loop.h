/*
 * loop.h: the worker's turn, over and over.
 */
#ifndef WORKER_LOOP_H
#define WORKER_LOOP_H

#include <stdbool.h>

struct worker;

/* Makes everything that a turn needs. False: the reason is logged. */
bool loop_start(struct worker *w);

/*
 * One turn, by the clocks that w holds, without sleeping or submitting polls at its end. True: there is more to do at once.
 */
bool loop_turn(struct worker *w);

/* Serves until the worker is to end; returns its exit code. */
int loop_run(struct worker *w);

void loop_free(struct worker *w);

#endif
