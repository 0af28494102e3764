/*
 * bench_publish.h: the publisher of a run: events go to ringcast's publish socket as one NDJSON upload, or to another server as POSTs on one
 * connection, one after the other. The time to each acknowledgement is kept.
 */
#ifndef MASTER_CTL_BENCH_PUBLISH_H
#define MASTER_CTL_BENCH_PUBLISH_H

#include "master/ctl/bench_event.h"
#include "master/ctl/bench_histogram.h"
#include "master/ctl/bench_plan.h"
#include "master/ctl/client.h"

struct bench_publisher {
	const struct bench_plan *plan;
	struct client client;
	struct url url;           /* of another server */
	struct http_body answers; /* of the upload */
	uint64_t *sent_ns;        /* a ring of times: of events without an answer */
	size_t sent_cap;
	uint64_t published;           /* events handed over here */
	uint64_t answered;            /* of them, acknowledged or refused */
	uint64_t refused;             /* of them, refused */
	struct publish_buffer queue;  /* requests to another server that wait for the one before */
	size_t *lengths;              /* of them, a ring like sent_ns */
	uint64_t posted;              /* of them, sent */
	struct bench_histogram acked; /* hand-over to acknowledgement */
	char refusal[256];            /* what the last refusal said */
};

/* Connects, and begins the upload. False after telling why not. */
bool bench_publish_open(struct bench_publisher *p, struct ctl *c, const struct bench_plan *plan);
void bench_publish_close(struct bench_publisher *p);

/* Hands over an event for its channel; it is on its way after bench_publish_turn. False: no memory. */
bool bench_publish_event(struct bench_publisher *p, const struct bench_event *e);

/* Sends and receives what can be without waiting. False: the connection is over. */
bool bench_publish_turn(struct bench_publisher *p);

static inline bool
bench_publish_settled(const struct bench_publisher *p)
{
	return p->answered == p->published;
}

#endif
