/*
 * publish.h: how events enter the ring, and the Unix socket by which applications bring them.
 *
 * publish_event is the only road into the ring: for POST /publish, for the lines of an NDJSON upload, and for what a
 * worker passes on from its clients. It appends without committing. publish_turn, once at the end of each turn of the
 * loop, commits everything that the turn appended, rings the doorbell once, and only then lets answers leave: an answer
 * with an id means that the event is in the ring, in order, for every worker.
 *
 * The socket's sessions (publish_session.h) speak HTTP/1.1; what they ask for besides publishing is in api.h and stats.h.
 * struct master owns a struct publish as m->publish; NULL before publish_start and after publish_stop.
 *
 * What this relies on in master.h: m->ring is a struct ring_write * (shm/ring_write.h), and
 *	const struct doorbell_sleeper *master_sleepers(const struct master *m, size_t *count);
 * names the board and bell of every worker that runs (NULL boards are skipped), as doorbell_ring wants them.
 */
#ifndef MASTER_PUBLISH_H
#define MASTER_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/error.h"
#include "proto/event.h"

struct master;
struct publish;
struct publish_session_set;

/*
 * Opens the publish socket named by the configuration, or takes fd when it is not -1 (passed by systemd). Creates the
 * directory (0750), replaces a stale socket file, never a live one. 0, or -1 after logging what was tried and why not.
 */
int publish_start(struct master *m, int fd);

/* Ends every session, closes the listener and unlinks the socket file if it is still the one that start made. */
void publish_stop(struct master *m);

/* Stops accepting and reading; sessions close when what they are owed has been sent. */
void publish_drain(struct master *m);

/* Sessions that are open; 0 after a drain means that nobody is owed anything. */
unsigned publish_session_count(const struct master *m);

/*
 * Checks the event against the limits and appends it; not visible to workers before publish_commit. e->id is ignored.
 * Returns 0 with *id and *duplicate (the key is still known: nothing was appended, *id is the first publish's), or -1
 * with *error and *message (static text).
 */
int publish_event(struct master *m, const struct event *e, uint64_t *id, bool *duplicate,
    enum error_code *error, const char **message);

/* Bytes that the event would take in the ring, after the same checks as publish_event; 0, or -1 likewise. */
int publish_event_size(struct master *m, const struct event *e, uint64_t *size,
    enum error_code *error, const char **message);

/*
 * True if events of these sizes in sum will all be appended: so an array enters whole or not at all. Commits what is
 * pending when only that stands in the way.
 */
bool publish_make_room(struct master *m, uint64_t bytes, uint64_t largest);

/* True once there is memory for the keys of so many events: the other half of all or none. */
bool publish_reserve_keys(struct master *m, uint32_t count);

/* Forgets a channel's history; *id lies at or above everything forgotten. 0, or -1 with the error. */
int publish_forget(struct master *m, struct slice channel, uint64_t *id, enum error_code *error,
    const char **message);

/* Makes appended events visible and rings the doorbell, once; nothing when nothing was appended since. */
void publish_commit(struct master *m);

/*
 * The end of a turn: publish_commit, then sessions write their answers, then those that ended are swept. The loop calls
 * it after every turn's callbacks, and before it sends the ORDER_PUBLISHED of that turn (or calls publish_commit itself).
 */
void publish_turn(struct master *m);

/* What went through here; counted since start. By error: index is enum error_code. */
struct publish_counts {
	uint64_t events;     /* appended */
	uint64_t bytes;      /* of their data */
	uint64_t duplicates; /* keys that were still known */
	uint64_t commits;
	uint64_t requests;         /* HTTP, on the publish socket */
	uint64_t sessions;         /* accepted */
	uint64_t sessions_refused; /* by publish_uids or by their number */
	uint64_t sessions_stalled; /* closed: unread answers without progress */
	uint64_t errors[ERROR_CODES];
};

/* For admin.c, whose sessions are of the same kind. */
struct publish_session_set *publish_sessions(struct master *m);

const struct publish_counts *publish_counts(const struct master *m);

#endif
