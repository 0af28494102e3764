/*
 * stats.h: counters as JSON (GET /stats) and as Prometheus text (GET /metrics), from the workers' boards, the ring and
 * what the master itself counts. Reads only; a board of a worker that is just being restarted is skipped.
 */
#ifndef MASTER_STATS_H
#define MASTER_STATS_H

#include "proto/slice.h"

struct master;

void stats_json(struct master *m, struct out *o);
void stats_metrics(struct master *m, struct out *o);

#endif
