/*
 * accept.h: takes connections from the listeners, in batches, and offers them to the hand-off.
 *
 * Bounded per turn and per listener. Under load a listener rests for up to ACCEPT_GATHER_US after a
 * batch, so that the next one is worth a message (FACTS.md A.4: 1.1 descriptors a message without,
 * 9 with). When descriptors run out or no worker has credit, listeners are left unpolled and the
 * kernel's backlog holds the clients: no spinning, none lost.
 */
#ifndef MASTER_ACCEPT_H
#define MASTER_ACCEPT_H

#define ACCEPT_GATHER_US 200

struct master;

/*
 * Opens what the configuration names, or takes what systemd passed. 0, or -1 after logging which
 * and why not.
 */
int accept_open(struct master *m);

/* Starts polling the listeners. 0, or -1 after logging. */
int accept_start(struct master *m);

/* There is room in the hand-off's queue again. */
void accept_resume(struct master *m);

/* Closes the listeners and removes the files of Unix sockets; harmless when closed. */
void accept_close(struct master *m);

#endif
