/*
 * bench_plan.h: what a run of `ringcast bench` is to do, from its command line: scenario, clients, server. Nothing in it changes
 * once bench_plan_read has answered.
 */
#ifndef MASTER_CTL_BENCH_PLAN_H
#define MASTER_CTL_BENCH_PLAN_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "master/ctl/ctl.h"
#include "master/ctl/url.h"
#include "proto/slice.h"

enum bench_transport {
	BENCH_SSE,
	BENCH_WS,
	BENCH_LONGPOLL,
	BENCH_POLL,
	BENCH_TRANSPORTS,
};

enum bench_scenario {
	BENCH_IDLE,
	BENCH_BROADCAST,
	BENCH_BURST,
	BENCH_CHANNELS,
	BENCH_STORM,
	BENCH_SLOW,
	BENCH_ISOLATION,
	BENCH_RESUME,
	BENCH_SCENARIOS,
};

#define BENCH_PIDS_MAX 128

struct bench_plan {
	enum bench_scenario scenario;
	enum bench_transport transport;
	uint32_t clients;
	uint32_t channels;
	uint32_t size;    /* bytes of data of an event */
	double rate;      /* events a second */
	unsigned seconds; /* how long events are published at this rate */
	unsigned rounds;  /* of events that wait for one another */
	uint32_t burst;   /* events published back to back */
	uint32_t slow;    /* clients that do not read */
	double ramp;      /* connects a second; 0: as fast as it goes */
	uint32_t process_clients;
	/* where clients connect, what they ask for */
	struct url url;
	struct sockaddr_storage address;
	socklen_t address_len;
	const char *sources; /* addresses to connect from, with commas; NULL: one */
	/* other servers; NULL: ringcast's own */
	const char *subscribe; /* resource with {channel}, {client} */
	const char *publish;   /* likewise; published to with POST */
	const char *hello;     /* what a WebSocket client says first */
	/* ringcast's publish socket; NULL: where it is looked for */
	const char *socket;
	pid_t pids[BENCH_PIDS_MAX]; /* the server's processes, with their children */
	unsigned pid_count;
	const char *json, *html; /* files for the report; NULL: none */
	uint32_t run;            /* a number of this run, in the names of its channels */
};

/* Reads the command line. CTL_OK, or the exit code after telling the mistake. */
enum ctl_exit bench_plan_read(struct bench_plan *plan, struct ctl *c, int argc, char **argv);

const char *bench_plan_scenario(enum bench_scenario scenario);
const char *bench_plan_transport(enum bench_transport transport);

/* True when it is ringcast that is measured, whose dialects are known. */
static inline bool
bench_plan_is_ringcast(const struct bench_plan *plan)
{
	return plan->subscribe == NULL;
}

/* Appends the name of channel number n of this run. */
void bench_plan_channel(const struct bench_plan *plan, uint32_t n, struct out *o);

/* Appends a template with {channel} and {client} filled in. */
void bench_plan_fill(const struct bench_plan *plan, const char *template, uint32_t channel,
    uint32_t client, struct out *o);

#endif
