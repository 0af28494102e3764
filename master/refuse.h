/*
 * refuse.h: tells clients that there is no place for them, in words that they understand.
 *
 * EventSource gives up for ever on a 503 but comes back after a 200 that ends, so the answer
 * depends on the request, and that may arrive a moment after the connection: clients whose request
 * is not there yet wait in a small room, for at most REFUSE_PATIENCE_MS. When it is full they are
 * told without being heard; accept.c avoids that while the whole server is full, by leaving clients
 * in the backlog.
 */
#ifndef MASTER_REFUSE_H
#define MASTER_REFUSE_H

#include <stdbool.h>
#include <stddef.h>

#define REFUSE_ROOM 256
#define REFUSE_PATIENCE_MS 1000

struct master;

enum refuse_reason { REFUSE_FULL, REFUSE_ADDRESS, REFUSE_DRAINING };

/* 0, or -1 after logging that memory is refused. */
int refuse_new(struct master *m);

/* Answers everybody who waits. */
void refuse_free(struct master *m);

/* Takes fd: a short answer, as far as the socket takes it at once, then close. */
void refuse_connection(struct master *m, int fd, enum refuse_reason reason);

/* How many wait; whether one more could. */
size_t refuse_waiting(const struct master *m);
bool refuse_has_room(const struct master *m);

#endif
