/*
 * fleet.h: very many clients of one transport, spread over forked processes, and what they measure
 * together.
 *
 * A process holds at most FLEET_PROCESS_CLIENTS connections (descriptors are capped); their source
 * addresses are spread by wire_dial(). Each process writes its own counters into memory that all
 * share; every counter has one writer, so that relaxed atomics are enough, and a reader's figure
 * may be a moment old.
 *
 * Events carry their time of publishing: the data is the text "t=<20 digits of CLOCK_MONOTONIC ns>
 * ...".
 */
#ifndef TESTS_LIB_FLEET_H
#define TESTS_LIB_FLEET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/lib/client.h"

#define FLEET_PROCESS_CLIENTS 12000
#define FLEET_PROCESSES_MAX 128
#define FLEET_BUCKETS (64 * 16) /* of the latencies: 16 to each power of two, so within 6 % */

struct fleet_part {
	_Alignas(64) _Atomic uint64_t opened;
	_Atomic uint64_t received;
	_Atomic uint64_t bytes;
	_Atomic uint64_t gaps, cuts, violations;
	_Atomic uint64_t latency_max_ns;
	_Atomic uint64_t cpu_ns;
	_Atomic uint64_t buckets[FLEET_BUCKETS];
	char violation[256];
};

struct fleet_shared {
	_Atomic bool stop;
	_Atomic uint64_t
	    measure_from_ns; /* events published before it are counted, but not timed */
	struct fleet_part parts[FLEET_PROCESSES_MAX];
};

struct fleet {
	struct fleet_shared *shared;
	unsigned processes;
	uint32_t clients;
	pid_t pids[FLEET_PROCESSES_MAX];
};

/* Forks the processes, which begin to connect at once. cpu: pin them to it, -1: anywhere. */
bool fleet_open(struct fleet *f, uint16_t port, enum client_transport transport,
    const char *channel, uint32_t clients, int cpu);
/* Ends the processes. */
void fleet_close(struct fleet *f);

/* Sums over the processes. */
uint64_t fleet_opened(const struct fleet *f);
uint64_t fleet_received(const struct fleet *f);
uint64_t fleet_bytes(const struct fleet *f);
uint64_t fleet_gaps(const struct fleet *f);
uint64_t fleet_cuts(const struct fleet *f);
uint64_t fleet_violations(const struct fleet *f);
uint64_t fleet_latency_max_ns(const struct fleet *f);
/* Latency below which `part` (0 to 1) of all timed deliveries lie, in ns. */
uint64_t fleet_latency_ns(const struct fleet *f, double part);
/* Forgets the latencies and times events published from now on. */
void fleet_measure(struct fleet *f);

/* Waits until the sum of deliveries is at least `received`, or ms have passed. */
bool fleet_await(const struct fleet *f, uint64_t received, unsigned ms);

#endif
