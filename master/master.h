/*
 * master.h: the master's state, shared by all files of this folder.
 *
 * One struct master exists, made in main.c. Each part keeps its own state behind a pointer that its
 * file alone looks into; what several parts need is here. Lifetimes: everything lives from start to
 * exit, except `config`, which a reload swaps.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "master/config.h"
#include "master/log.h"
#include "master/loop.h"
#include "master/notify.h"
#include "shm/limits.h"

struct accept;
struct admin;
struct api;
struct board;
struct handoff;
struct publish;
struct refuse;
struct doorbell_sleeper;
struct ring_write;
struct seat;
struct signals;

enum master_state { MASTER_STARTING, MASTER_SERVING, MASTER_DRAINING };

/*
 * Plain counters of the master; all only rise unless named a gauge. /stats and /metrics show them
 * by these names.
 */
struct master_counters {
	uint64_t accepted;            /* connections taken from a listener */
	uint64_t handed_off;          /* descriptors acknowledged by a worker */
	uint64_t handed_again;        /* given to another worker after the first one died */
	uint64_t refused_connections; /* over max_connections, or every worker full */
	uint64_t refused_address;     /* over max_connections_per_address */
	uint64_t accept_paused;       /* listeners left unpolled: no descriptors, or no credit */
	uint64_t accept_errors;
	uint64_t workers_started;
	uint64_t workers_died;
	uint64_t orders_refused; /* a worker's queue was full */
	uint64_t reloads;
	uint64_t reloads_failed;
};

struct master {
	struct config *config; /* in force */
	struct log log;
	struct loop *loop;
	enum master_state state;
	int exit_code;
	uint64_t started_unix_ms;
	uint64_t started_ns; /* the same moment by the clock that never steps */
	bool told_ready;     /* READY=1 was sent: the first worker serves */
	struct loop_timer drain_check;
	uint64_t drain_end_ns;

	struct ring_write *ring; /* shm/ring_write.h; this process is the only writer */
	unsigned worker_count;
	struct seat *seats;                /* [worker_count]; supervise.h */
	struct doorbell_sleeper *sleepers; /* [worker_count]; kept by supervise.c */
	char worker_program[512];

	const struct config_overrides *overrides; /* the command line; also for reloads */
	size_t passed_count;                      /* public listeners passed by systemd: they win */
	int passed[CONFIG_LISTEN_MAX];
	int passed_publish; /* the publish socket if passed, else -1 */
	struct notify notify;

	struct accept *accept;
	struct refuse *refuse;
	struct handoff *handoff;
	struct signals *signals;
	struct publish *publish; /* publish.h: events into the ring, the publish socket */
	struct api *api;         /* api.h: questions to the workers */
	struct admin *admin;     /* admin.h */

	struct master_counters counters;
};

/* ---- what the parts ask of the whole --------------------------------------------------------- */

/*
 * Makes everything in order: listeners, ring, publish socket, workers. 0, or -1 after logging what
 * failed; master_close then still releases what was made.
 */
int master_open(struct master *m);
void master_close(struct master *m);

/* SIGHUP: reads the file again; on a mistake nothing changes. */
void master_reload(struct master *m);

/*
 * SIGTERM: stops accepting, lets workers and publishers finish, then stops the loop. The second
 * time: at once.
 */
void master_drain(struct master *m);

/* supervise.c: a worker serves (again); none will ever serve again. */
void master_worker_ready(struct master *m);
void master_workers_gone(struct master *m);

/* ---- figures, for statistics ----------------------------------------------------------------- */

/*
 * Gauges: clients by the master's own books, and of these the ones that no worker has acknowledged
 * yet.
 */
uint64_t master_connections(const struct master *m);
uint64_t master_connections_waiting(const struct master *m);

/*
 * The board of a worker (shm/board.h), valid for the master's whole life; zeroed when its worker
 * died. A counter as it is since the master's start is that of the board and of those that died
 * before; a gauge is the board's alone.
 */
struct board *master_board(const struct master *m, unsigned worker);
uint64_t master_board_sum(const struct master *m, unsigned worker, unsigned board_counter);

/*
 * Board and bell of every worker that runs, as doorbell_ring wants them; boards of those that do
 * not are NULL.
 */
const struct doorbell_sleeper *master_sleepers(const struct master *m, size_t *count);

/* True while that worker has said READY and is not draining: it can be asked. */
bool master_worker_serves(const struct master *m, unsigned worker);
pid_t master_worker_pid(const struct master *m, unsigned worker); /* 0: no process */
uint32_t master_worker_incarnation(const struct master *m, unsigned worker);

#endif
