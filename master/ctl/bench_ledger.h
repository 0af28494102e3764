/*
 * bench_ledger.h: the books of a load process: which events each client has had, exactly; and when.
 *
 * A client's events are numbered from 1 within its channel, so one number a client (`next`) says what is due. What is jumped over is
 * a hole, kept until it is filled: so late, lost and repeated events are told apart.
 */
#ifndef MASTER_CTL_BENCH_LEDGER_H
#define MASTER_CTL_BENCH_LEDGER_H

#include <stdbool.h>

#include "master/ctl/bench_event.h"
#include "master/ctl/bench_message.h"

struct bench_hole {
	uint32_t client;
	uint32_t from, to; /* sequences, to excluded */
	bool declared;
};

struct bench_ledger {
	struct bench_tally tally;
	struct bench_histogram latency;
	struct bench_hole *holes;
	uint32_t hole_count, hole_cap;
	struct bench_reach *reach; /* of event number first + i */
	uint32_t reach_count, reach_cap;
	uint32_t first; /* event number that times are taken from; 0: none are */
};

/* Where one client stands. */
struct bench_account {
	uint32_t client;
	uint32_t channel;
	uint32_t next; /* sequence that is due; 0: whatever comes */
	bool gap;      /* a gap was told since the last event */
};

/* Enters an event that this client received at now_ns. */
void bench_ledger_enter(struct bench_ledger *l, struct bench_account *account,
    const struct bench_event *e, uint64_t now_ns);

/* Times are taken anew, of events from this number on. */
void bench_ledger_measure(struct bench_ledger *l, uint32_t first);

void bench_ledger_free(struct bench_ledger *l);

#endif
