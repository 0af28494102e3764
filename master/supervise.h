/*
 * supervise.h: the workers' processes: start, watch, start again.
 *
 * A seat is a worker's place: its ordinal, its board and its bell live as long as the master;
 * processes come and go on it. What happens on an event is a table (supervise.c), state x event ->
 * action. Deaths are told by pidfds, so there is no SIGCHLD and no confusion of process ids. Before
 * a seat is used again, what the dead worker had sent is read to its end.
 */
#ifndef MASTER_SUPERVISE_H
#define MASTER_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "master/handoff.h"
#include "master/loop.h"
#include "master/orders.h"
#include "shm/board.h"
#include "shm/slots.h"

struct master;

enum seat_state {
	SEAT_EMPTY,    /* no process; its timer starts one */
	SEAT_STARTING, /* ORDER_READY has not come yet */
	SEAT_SERVING,
	SEAT_DRAINING, /* was told ORDER_DRAIN */
	SEAT_DYING,    /* was sent SIGKILL */
	SEAT_RETIRED,  /* no process, and there will be none */
	SEAT_STATES
};

struct seat {
	struct master *master;
	unsigned ordinal;
	uint32_t incarnation; /* processes started before this one */
	enum seat_state state;
	pid_t pid;
	int pidfd;
	int socket; /* the master's end of the control socket; -1 without a process */
	struct loop_source death;
	struct loop_timer
	    timer; /* by state: when to start, until when to be ready, until when to have drained */
	uint64_t started_ns;
	unsigned quick_deaths; /* in a row, each within a second of its start */
	struct board board;
	int bell;
	struct slots slots; /* a fresh table for each process */
	uint32_t max_connections;
	uint64_t past[BOARD_COUNTERS]; /* counters of the processes that died */
	struct orders orders;
	struct handoff_flight flight;
};

/*
 * Finds the worker's program, makes seats, boards and bells, and starts all workers. 0, or -1 after
 * logging.
 */
int supervise_start(struct master *m);

/*
 * Tells every worker to drain and to be gone by m->drain_end_ns; master_workers_gone follows the
 * last one.
 */
void supervise_drain(struct master *m);

/* Ends what is left, frees seats and the hand-off. */
void supervise_stop(struct master *m);

/* What orders.c hears from a worker. */
void supervise_ready(struct seat *seat);
void supervise_drained(struct seat *seat);

void supervise_hung_up(struct seat *seat); /* its end of the control socket is closed */

/* The worker broke the protocol or its socket failed: log why, end it. */
void supervise_fault(struct seat *seat, const char *why);

#endif
