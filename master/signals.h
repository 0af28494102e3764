/*
 * signals.h: signals as events of the loop: TERM and INT drain, HUP reloads, USR1 and USR2 are only
 * noted.
 */
#ifndef MASTER_SIGNALS_H
#define MASTER_SIGNALS_H

struct master;

/* 0, or -1 after logging. */
int signals_open(struct master *m);
void signals_close(struct master *m);

#endif
