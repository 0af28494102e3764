/*
 * bench_scenario.h: what `ringcast bench` can play.
 *
 *     idle       connect, then hold: what a client costs while nothing happens
 *     broadcast  one channel: one event at a time, then events at a rate
 *     burst      events back to back against single ones: what coalescing saves
 *     channels   many small channels at a rate
 *     storm      everybody connects at once, and leaves at once, while events are published
 *     slow       some clients stop reading: do the others notice?
 *     isolation  a large channel is broadcast to without a pause: does a small one notice?
 *     resume     everybody leaves, and comes back behind many events, while live traffic goes on
 */
#ifndef MASTER_CTL_BENCH_SCENARIO_H
#define MASTER_CTL_BENCH_SCENARIO_H

#include "master/ctl/bench_stage.h"

/* Plays the plan's scenario, and enters what it found. False after telling why it could not be played to its end. */
bool bench_scenario_play(struct ctl *c, const struct bench_plan *plan, struct bench_result *result);

#endif
