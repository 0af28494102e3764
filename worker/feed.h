/*
 * feed.h: reads the ring for all clients at once: every record is looked at, those that somebody here wants are copied and
 * rendered into the waves of their channels, once for each dialect that has listeners.
 */
#ifndef WORKER_FEED_H
#define WORKER_FEED_H

#include <stdbool.h>

struct worker;

/* Begins to read at the newest record. False: not at this moment; try again. */
bool feed_start(struct worker *w);

/* Reads a bounded number of records. True: there are more. */
bool feed_read(struct worker *w);

#endif
