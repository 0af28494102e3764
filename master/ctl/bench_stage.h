/*
 * bench_stage.h: what scenarios are played on: load processes, publisher, the look at the server, the results; and the steps that scenarios
 * are made of. Every step goes on reading answers and looking at the clock (bench_stage_pump), whatever it waits for.
 */
#ifndef MASTER_CTL_BENCH_STAGE_H
#define MASTER_CTL_BENCH_STAGE_H

#include "master/ctl/bench_crew.h"
#include "master/ctl/bench_host.h"
#include "master/ctl/bench_publish.h"
#include "master/ctl/bench_result.h"

struct bench_stage {
	struct ctl *c;
	const struct bench_plan *plan;
	struct bench_crew crew;
	struct bench_publisher publisher;
	bool publishes; /* the publisher is connected */
	struct bench_host host;
	struct bench_result *result;
	int signals; /* a signalfd of SIGINT and SIGTERM */
	/* events */
	uint32_t number;        /* of the last event */
	uint32_t *sequences;    /* of the last event of each channel */
	uint32_t channel_count; /* that sequences has room for */
	uint64_t *published_ns; /* by number */
	uint32_t published_cap;
	/* course */
	uint64_t started_ns, sampled_ns, shown_ns;
	struct bench_host_cpu sampled_cpu;
	struct bench_tally sampled;
	const char *step; /* what is being done, for the progress */
	bool progress;    /* standard error is a terminal */
	bool over;        /* interrupted, or something died: every step fails from here on */
};

/* A span of the run, between bench_stage_clock and bench_stage_span. */
struct bench_span {
	uint64_t from_ns;
	struct bench_host_cpu cpu;
	struct bench_tally tally;
};

/* How it goes with connecting: all 0 at first. */
struct bench_arrival {
	uint64_t end_ns;   /* the longest that it may take */
	uint64_t moved_ns; /* when there were more clients than ever before */
	uint64_t most;
	uint64_t setbacks; /* refusals and failures until then */
};

/* Starts everything but connections. False after telling why not. */
bool bench_stage_open(struct bench_stage *s, struct ctl *c, const struct bench_plan *plan,
    struct bench_result *result, const struct bench_group *groups, uint32_t group_count,
    uint32_t channel_count);
void bench_stage_close(struct bench_stage *s);

uint64_t bench_stage_now_ns(void);

/* Goes on for so long, or until something came. False: it is over. */
bool bench_stage_pump(struct bench_stage *s, int ms);
/* Goes on for all of this time. */
bool bench_stage_rest(struct bench_stage *s, unsigned ms);

/* Connects a group, or all, and waits until they are established. */
bool bench_stage_connect(struct bench_stage *s, uint32_t group);

/* False after giving up: nobody has come in for a while but refusals and failures, or it takes too long. */
bool bench_stage_still_connects(struct bench_stage *s, uint32_t group, struct bench_arrival *a);

/* From here on every event counts. */
bool bench_stage_begin(struct bench_stage *s);

/* Publishes one event to a channel. */
bool bench_stage_publish(struct bench_stage *s, uint32_t channel);

/*
 * Waits until every event expected has come, and every answer to the publisher; no longer than 5 s after the last of either. What has not come by then
 * is missing (bench_crew_write_off); when nothing came in all the run, it is over. False: it is over.
 */
bool bench_stage_await(struct bench_stage *s, uint32_t group);

/* One event to group 0's only channel, and its way to all. */
bool bench_stage_one(struct bench_stage *s, uint32_t events);

/*
 * Events at the plan's rate for its seconds, to the channels first..first + count in turn, whole rounds of them; and the way to all of the
 * group. *seconds: how long it took.
 */
bool bench_stage_load(struct bench_stage *s, uint32_t group, uint32_t first, uint32_t count,
    double rate, unsigned seconds);

/* Times are taken from the next event on. */
void bench_stage_measure(struct bench_stage *s);

struct bench_span bench_stage_clock(struct bench_stage *s);

/* Publication to the last client that has it, of all events that as many clients have. */
void bench_stage_last(struct bench_stage *s, uint32_t clients, struct bench_histogram *times);

#endif
