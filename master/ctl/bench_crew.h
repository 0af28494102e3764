/*
 * bench_crew.h: the load processes of a run, in groups that are ordered about together; their books added up.
 */
#ifndef MASTER_CTL_BENCH_CREW_H
#define MASTER_CTL_BENCH_CREW_H

#include <poll.h>

#include "master/ctl/bench_load.h"
#include "master/ctl/bench_message.h"

#define BENCH_CREW_PROCESSES_MAX 1024
#define BENCH_CREW_GROUPS_MAX 2
#define BENCH_CREW_ALL UINT32_MAX /* instead of a group */

/* What a group is to be: consecutive clients, spread over as many processes as they need. */
struct bench_group {
	uint32_t clients;
	uint32_t channel_first, channel_count;
};

struct bench_process {
	pid_t pid;
	int fd; /* -1: it has ended */
	uint32_t group;
	struct bench_share share;
	struct bench_tally tally;
	uint64_t expected; /* deliveries that tally.received is to reach */
	uint64_t cpu_from_ns;
	bool told;
};

struct bench_crew {
	const struct bench_plan *plan;
	struct bench_process *processes;
	uint32_t count;
	uint32_t ended;   /* processes that died, which none should */
	uint64_t missing; /* deliveries that nobody waits for any more */
	/* gathered by bench_crew_tell, of one group or all */
	struct bench_histogram latency, connect;
	struct bench_reach *reach; /* of event number reach_first + i */
	uint32_t reach_first, reach_count;
};

/* Starts the processes; false with errno. Nothing is connected yet. */
bool bench_crew_start(struct bench_crew *crew, const struct bench_plan *plan,
    const struct bench_group *groups, uint32_t group_count);
void bench_crew_stop(struct bench_crew *crew);

/* Gives an order to a group, or to all; `value` is divided by each process' share of the clients when `shared`. */
void bench_crew_order(struct bench_crew *crew, uint32_t group, enum bench_order_kind kind,
    uint64_t value, bool shared);

/* Every client of the group is to get so many events more; processes say at once when theirs have. */
void bench_crew_expect(struct bench_crew *crew, uint32_t group, uint64_t events_per_channel);
bool bench_crew_has_all(const struct bench_crew *crew, uint32_t group);

/* What is expected and has not come is missing from now on, and no longer expected. */
void bench_crew_write_off(struct bench_crew *crew, uint32_t group);

/* Fills in what is to be polled; bench_crew_take reads what has come. Returns how many. */
uint32_t bench_crew_poll(const struct bench_crew *crew, struct pollfd *fds);
void bench_crew_take(struct bench_crew *crew);

/* The books of a group, or of all, added up. */
struct bench_tally bench_crew_sum(const struct bench_crew *crew, uint32_t group);

/* Gathers histograms and reaches of a group or all. False: no answer within 10 s. */
bool bench_crew_tell(struct bench_crew *crew, uint32_t group);

/* CPU of the busiest process since bench_crew_clock, in ns; and that of all of them. */
void bench_crew_clock(struct bench_crew *crew);
uint64_t bench_crew_cpu(const struct bench_crew *crew, uint64_t *busiest);

#endif
