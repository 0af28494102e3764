/*
 * bench_load.h: a process of many clients of `ringcast bench`: one thread, one epoll, told by orders what to do (bench_message.h), answering
 * with its books. It knows nothing of scenarios.
 */
#ifndef MASTER_CTL_BENCH_LOAD_H
#define MASTER_CTL_BENCH_LOAD_H

#include "master/ctl/bench_plan.h"

/* The clients of a process: `count` of them from number `first` on; client i has channel channel_first + i % channel_count. */
struct bench_share {
	uint32_t first;
	uint32_t count;
	uint32_t channel_first;
	uint32_t channel_count;
	uint32_t ordinal; /* of the process: its source address */
};

/* Serves its clients until the other end of the descriptor is closed. The value is the process' exit code. */
int bench_load_run(const struct bench_plan *plan, const struct bench_share *share, int fd);

#endif
