/*
 * fleet.c: many processes of many clients (fleet.h).
 */
#include "tests/lib/fleet.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/proc.h"

static uint64_t
load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static void
store(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

static unsigned
bucket_of(uint64_t ns)
{
	unsigned power;

	if (ns < 16)
		return (unsigned)ns;
	power = 63 - (unsigned)__builtin_clzll(ns);
	return (power - 3) * 16 + (unsigned)(ns >> (power - 4) & 15);
}

static uint64_t
bucket_top_ns(unsigned bucket)
{
	unsigned power = bucket / 16 + 3;

	return bucket < 16 ? bucket : (UINT64_C(16) + bucket % 16 + 1) << (power - 4);
}

struct seat {
	struct fleet_shared *shared;
	struct fleet_part *part;
	struct clients clients;
};

static void
on_event(void *context, struct client *c, const struct client_event *event)
{
	struct seat *s = context;
	const char *at = event->data.bytes;
	uint64_t published, latency;

	(void)c;
	store(&s->part->received, s->clients.events);
	if (event->data.len < 24 || (at += event->data_is_json, at[0] != 't') || at[1] != '=') {
		client_violation(&s->clients, c, "an event without its time");
		return;
	}
	published = strtoull(at + 2, NULL, 10);
	if (published < load(&s->shared->measure_from_ns))
		return;
	latency = wire_now_ns() - published;
	store(
	    &s->part->buckets[bucket_of(latency)], load(&s->part->buckets[bucket_of(latency)]) + 1);
	if (latency > load(&s->part->latency_max_ns))
		store(&s->part->latency_max_ns, latency);
}

static void
post(struct seat *s)
{
	struct timespec cpu;

	store(&s->part->bytes, s->clients.bytes);
	store(&s->part->gaps, s->clients.gaps);
	store(&s->part->cuts, s->clients.cuts_by_peer);
	if (s->clients.violations != load(&s->part->violations))
		memcpy(s->part->violation, s->clients.violation, sizeof s->part->violation);
	store(&s->part->violations, s->clients.violations);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	store(&s->part->cpu_ns, (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec);
}

static void
serve(struct fleet_shared *shared, struct fleet_part *part, uint16_t port,
    enum client_transport transport, const char *channel, uint32_t clients)
{
	struct seat s = {.shared = shared, .part = part};
	uint64_t counted_ms = 0;

	if (!clients_open(&s.clients, port, clients, &channel, 1))
		_exit(1);
	s.clients.context = &s;
	s.clients.event = on_event;
	s.clients.wait_s = 45;
	for (uint32_t i = 0; i < clients; i++)
		clients_add(&s.clients, transport, (const uint16_t[]){0}, 1);
	while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
		uint64_t now = wire_now_ms();

		clients_turn(&s.clients, 20);
		if (now < counted_ms)
			continue;
		counted_ms = now + 20;
		store(&part->opened, clients_opened(&s.clients));
		post(&s);
	}
	clients_close(&s.clients);
	_exit(0);
}

bool
fleet_open(struct fleet *f, uint16_t port, enum client_transport transport, const char *channel,
    uint32_t clients, int cpu)
{
	pid_t parent = getpid();

	*f = (struct fleet){.clients = clients};
	f->processes = (clients + FLEET_PROCESS_CLIENTS - 1) / FLEET_PROCESS_CLIENTS;
	if (f->processes > FLEET_PROCESSES_MAX)
		return false;
	f->shared = mmap(
	    NULL, sizeof *f->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (f->shared == MAP_FAILED)
		return false;
	fflush(NULL);
	for (unsigned i = 0; i < f->processes; i++) {
		uint32_t share = clients / f->processes + (i < clients % f->processes);

		f->pids[i] = fork();
		if (f->pids[i] != 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		alarm(0);
		if (cpu >= 0)
			proc_pin(0, cpu);
		serve(f->shared, &f->shared->parts[i], port, transport, channel, share);
	}
	return true;
}

void
fleet_close(struct fleet *f)
{
	atomic_store_explicit(&f->shared->stop, true, memory_order_relaxed);
	for (unsigned i = 0; i < f->processes; i++)
		waitpid(f->pids[i], NULL, 0);
	munmap(f->shared, sizeof *f->shared);
}

/* Sums the u64 at this offset of every part. */
static uint64_t
sum(const struct fleet *f, size_t offset)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < f->processes; i++)
		total +=
		    load((const _Atomic uint64_t *)((const char *)&f->shared->parts[i] + offset));
	return total;
}

uint64_t
fleet_opened(const struct fleet *f)
{
	return sum(f, offsetof(struct fleet_part, opened));
}

uint64_t
fleet_received(const struct fleet *f)
{
	return sum(f, offsetof(struct fleet_part, received));
}

uint64_t
fleet_bytes(const struct fleet *f)
{
	return sum(f, offsetof(struct fleet_part, bytes));
}

uint64_t
fleet_gaps(const struct fleet *f)
{
	return sum(f, offsetof(struct fleet_part, gaps));
}

uint64_t
fleet_cuts(const struct fleet *f)
{
	return sum(f, offsetof(struct fleet_part, cuts));
}

uint64_t
fleet_violations(const struct fleet *f)
{
	return sum(f, offsetof(struct fleet_part, violations));
}

uint64_t
fleet_latency_max_ns(const struct fleet *f)
{
	uint64_t max = 0;

	for (unsigned i = 0; i < f->processes; i++)
		if (load(&f->shared->parts[i].latency_max_ns) > max)
			max = load(&f->shared->parts[i].latency_max_ns);
	return max;
}

uint64_t
fleet_latency_ns(const struct fleet *f, double part)
{
	uint64_t total = 0, below = 0;

	for (unsigned b = 0; b < FLEET_BUCKETS; b++)
		total += sum(f, offsetof(struct fleet_part, buckets) + b * sizeof(uint64_t));
	for (unsigned b = 0; b < FLEET_BUCKETS && total != 0; b++) {
		below += sum(f, offsetof(struct fleet_part, buckets) + b * sizeof(uint64_t));
		if ((double)below >= part * (double)total) {
			uint64_t top = bucket_top_ns(b), max = fleet_latency_max_ns(f);

			return top < max ? top : max;
		}
	}
	return 0;
}

void
fleet_measure(struct fleet *f)
{
	for (unsigned i = 0; i < f->processes; i++) {
		store(&f->shared->parts[i].latency_max_ns, 0);
		for (unsigned b = 0; b < FLEET_BUCKETS; b++)
			store(&f->shared->parts[i].buckets[b], 0);
	}
	store(&f->shared->measure_from_ns, wire_now_ns());
}

bool
fleet_await(const struct fleet *f, uint64_t received, unsigned ms)
{
	uint64_t deadline = wire_now_ms() + ms;

	while (fleet_received(f) < received) {
		struct timespec nap = {0, 200000};

		if (wire_now_ms() > deadline)
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}
