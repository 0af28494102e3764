/*
 * fanout.c: one channel, many clients: what a delivery costs, how long it takes, what a client
 * costs in memory.
 *
 *	fanout [--transport sse|ws|longpoll] [--clients N] [--size BYTES]
 *	       [--rate EVENTS_PER_S] [--seconds S]
 *	       [--rounds R] [--workers N] [--ring BYTES] [--anywhere]
 *	       [--io auto|io_uring|epoll] [--beside auto|io_uring|epoll]
 *
 * Boots a server of its own (RINGCAST_BIN) on cpu 0; the clients' ends and the publisher are on cpu
 * 1 (--anywhere: no pinning). Then, one after the other:
 *	memory	PSS of all server processes before the first client and with all of them idle;
 *		kernel memory likewise
 *	load	RATE events a second for S seconds: deliveries/s, latency, loss, CPU
 *	rounds	R times in turn: events one at a time through the server, and the same fan-out
 *		by the floor program; with --beside also through a second server, with as many
 *		clients of its own, whose workers' system calls go that way
 *
 * Prints a table, and a line of JSON with all figures. tests/bench/README.md says how to read them.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/fleet.h"
#include "tests/lib/proc.h"
#include "tests/lib/publisher.h"
#include "tests/lib/server.h"

#define ROUNDS_MAX 1000
#define DELIVERIES_A_ROUND 20000
#define RESAMPLES 2000
#define STATS_BYTES (1u << 18)
#define WORKER_CLIENTS 15000 /* below the cap of 20,000 descriptors */

struct options {
	const char *transport;
	const char *io, *beside; /* NULL: the default; no second server */
	uint32_t clients;
	double rate; /* events a second */
	unsigned size, seconds, rounds, workers;
	uint64_t ring_bytes;
	bool anywhere;
};

struct memory {
	uint64_t pss_kib, shmem_kib, anon_kib;
	uint64_t slab_kib, tcp_bytes, available_kib;
};

struct floor_process {
	pid_t pid;
	FILE *to, *from;
};

struct bench {
	struct options o;
	struct server server;
	struct fleet fleet;
	struct publisher publisher;
	struct floor_process floor;
	uint64_t published;
	char *line;
	/* figures */
	struct memory before, with;
	double connect_s, deliveries_per_s, cpu_s_per_million, wire_bytes;
	uint64_t p50_us, p99_us, max_us, lost, load_events;
	uint64_t cut_connecting, cut_loaded; /* connections ended by the server until then */
	double ours_ns[ROUNDS_MAX], floor_ns[ROUNDS_MAX], ratio[ROUNDS_MAX];
	struct bench *beside; /* the second server; NULL: none */
	double beside_ns[ROUNDS_MAX], beside_ratio[ROUNDS_MAX];
};

static void
die(const char *what)
{
	fprintf(stderr, "fanout: %s\n", what);
	exit(1);
}

static uint64_t
server_cpu_ns(const struct server *s)
{
	pid_t pids[SERVER_WORKERS_MAX];
	size_t count = server_workers(s, pids);
	uint64_t sum = proc_cpu_ns(s->pid);

	for (size_t i = 0; i < count; i++)
		sum += proc_cpu_ns(pids[i]);
	return sum;
}

static struct memory
measure_memory(const struct server *s)
{
	pid_t pids[SERVER_WORKERS_MAX + 1];
	size_t count = server_workers(s, pids);
	struct memory m = {.slab_kib = proc_meminfo_kib("Slab"),
	    .tcp_bytes = proc_tcp_memory_bytes(),
	    .available_kib = proc_meminfo_kib("MemAvailable")};

	pids[count++] = s->pid;
	for (size_t i = 0; i < count; i++) {
		m.pss_kib += proc_memory_kib(pids[i], "Pss");
		m.anon_kib += proc_memory_kib(pids[i], "Pss_Anon");
		m.shmem_kib += proc_memory_kib(pids[i], "Pss_Shmem");
	}
	return m;
}

/* Queues one event on `channel` with its time, `size` bytes of data. */
static void
publish(struct bench *b, const char *channel, unsigned size)
{
	int len = sprintf(b->line, "{\"channel\":\"%s\",\"data\":\"", channel);
	int at = len + sprintf(b->line + len, "t=%020llu n=%llu ",
			   (unsigned long long)wire_now_ns(), (unsigned long long)b->published);

	while (at < len + (int)size)
		b->line[at++] = 'x';
	at += sprintf(b->line + at, "\"}");
	publisher_line(&b->publisher, (struct text){b->line, (size_t)at});
	if (!publisher_turn(&b->publisher))
		die("the publish stream broke");
}

/*
 * Touches every page of the ring, so that traffic between two looks at the memory does not count as
 * the clients'.
 */
static void
fill_ring(struct bench *b)
{
	unsigned size = 8192;

	for (uint64_t sent = 0; sent < 2 * b->o.ring_bytes; sent += size) {
		publish(b, "bench-fill", size);
		if (!publisher_settle(&b->publisher, 10000))
			die("the ring cannot be filled");
	}
}

static void
boot(struct bench *b)
{
	char ring[32], members[64];
	struct server_options options = {.workers = b->o.workers,
	    .ring_bytes = ring,
	    .cpu = b->o.anywhere ? 0 : 1,
	    .members = members};

	snprintf(members, sizeof members, "\"log\": \"warning\", \"io\": \"%s\"",
	    b->o.io != NULL ? b->o.io : "auto");
	snprintf(ring, sizeof ring, "%llu", (unsigned long long)b->o.ring_bytes);
	if (!server_start(&b->server, &options))
		die("the server does not start");
	if (!b->o.anywhere)
		proc_pin(0, 1);
	b->line = malloc(b->o.size + 16384);
	if (b->line == NULL || !publisher_open(&b->publisher, b->server.socket, NULL, NULL))
		die("the publish socket does not answer");
}

static void
connect_clients(struct bench *b)
{
	enum client_transport transport = strcmp(b->o.transport, "ws") == 0 ? CLIENT_WS
					  : strcmp(b->o.transport, "longpoll") == 0
					      ? CLIENT_LONGPOLL
					      : CLIENT_SSE;
	uint64_t started = wire_now_ns(), deadline = wire_now_ms() + 60000 + b->o.clients;

	fill_ring(b);
	wire_sleep_ms(300);
	b->before = measure_memory(&b->server);
	if (!fleet_open(&b->fleet, b->server.port, transport, "bench", b->o.clients,
		b->o.anywhere ? -1 : 1))
		die("too many clients");
	while (fleet_opened(&b->fleet) < b->o.clients) {
		if (wire_now_ms() > deadline) {
			fprintf(stderr, "fanout: only %llu clients of %u are in (%s)\n",
			    (unsigned long long)fleet_opened(&b->fleet), b->o.clients,
			    b->fleet.shared->parts[0].violation);
			exit(1);
		}
		wire_sleep_ms(20);
	}
	b->connect_s = (double)(wire_now_ns() - started) / 1e9;
	wire_sleep_ms(100);
	b->cut_connecting = fleet_cuts(&b->fleet);
}

/* One event to all, and wait for it. */
static void
one_event(struct bench *b)
{
	b->published++;
	publish(b, "bench", b->o.size);
	if (!publisher_settle(&b->publisher, 10000) ||
	    !fleet_await(&b->fleet, b->published * b->o.clients, 30000 + b->o.clients))
		die("an event did not reach all clients");
}

static void
run_load(struct bench *b)
{
	uint64_t cpu, started, elapsed, base, bytes, goal = (uint64_t)(b->o.rate * b->o.seconds),
						     sent = 0;

	one_event(b);
	wire_sleep_ms(100); /* the processes post their bytes every 20 ms */
	bytes = fleet_bytes(&b->fleet);
	one_event(b);
	wire_sleep_ms(100);
	b->wire_bytes = (double)(fleet_bytes(&b->fleet) - bytes) / b->o.clients;
	fleet_measure(&b->fleet);
	base = fleet_received(&b->fleet);
	cpu = server_cpu_ns(&b->server);
	started = wire_now_ns();
	while (sent < goal) {
		uint64_t due = 1 + (uint64_t)((double)(wire_now_ns() - started) / 1e9 * b->o.rate);

		for (; sent < due && sent < goal; sent++, b->published++)
			publish(b, "bench", b->o.size);
		if (!publisher_turn(&b->publisher))
			die("the publish stream broke");
		usleep(200);
	}
	if (!publisher_settle(&b->publisher, 30000))
		die("not every event was taken");
	fleet_await(&b->fleet, b->published * b->o.clients, 60000);
	elapsed = wire_now_ns() - started;
	cpu = server_cpu_ns(&b->server) - cpu;
	wire_sleep_ms(50);
	b->cut_loaded = fleet_cuts(&b->fleet);
	b->load_events = goal;
	b->lost = b->published * b->o.clients - fleet_received(&b->fleet);
	b->deliveries_per_s = (double)(fleet_received(&b->fleet) - base) / ((double)elapsed / 1e9);
	b->cpu_s_per_million =
	    (double)cpu / 1e9 / ((double)(fleet_received(&b->fleet) - base) / 1e6);
	b->p50_us = fleet_latency_ns(&b->fleet, 0.5) / 1000;
	b->p99_us = fleet_latency_ns(&b->fleet, 0.99) / 1000;
	b->max_us = fleet_latency_max_ns(&b->fleet) / 1000;
}

static void
start_floor(struct bench *b)
{
	char program[512], clients[16], bytes[16], line[64];
	int to[2], from[2];

	server_program("tests/bench/floor", program, sizeof program);
	snprintf(clients, sizeof clients, "%u", b->o.clients);
	snprintf(bytes, sizeof bytes, "%.0f", b->wire_bytes);
	if (pipe(to) == -1 || pipe(from) == -1)
		die("pipe");
	b->floor.pid = fork();
	if (b->floor.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		close(to[0]);
		close(to[1]);
		close(from[0]);
		close(from[1]);
		execl(program, program, clients, bytes, (char *)NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	b->floor.to = fdopen(to[1], "w");
	b->floor.from = fdopen(from[0], "r");
	if (fgets(line, sizeof line, b->floor.from) == NULL || strcmp(line, "ready\n") != 0)
		die("the floor program does not start");
}

static void
stop_floor(struct bench *b)
{
	fclose(b->floor.to);
	fclose(b->floor.from);
	waitpid(b->floor.pid, NULL, 0);
}

static double
floor_round(struct bench *b, unsigned events)
{
	unsigned long long deliveries, cpu, wall;

	fprintf(b->floor.to, "go %u\n", events);
	fflush(b->floor.to);
	if (fscanf(b->floor.from, "%llu %llu %llu", &deliveries, &cpu, &wall) != 3)
		die("the floor program ended");
	return (double)cpu / (double)deliveries;
}

static double
server_round(struct bench *b, unsigned events)
{
	uint64_t cpu = server_cpu_ns(&b->server);

	for (unsigned i = 0; i < events; i++)
		one_event(b);
	cpu = server_cpu_ns(&b->server) - cpu;
	return (double)cpu / ((double)events * b->o.clients);
}

static void
start_beside(struct bench *b)
{
	b->beside = calloc(1, sizeof *b->beside);
	if (b->beside == NULL)
		die("no memory");
	b->beside->o = b->o;
	b->beside->o.io = b->o.beside;
	boot(b->beside);
	connect_clients(b->beside);
	server_round(b->beside, 1);
}

/* One after the other, or in the other order, so that a slow minute of the machine meets all. */
static void
run_round(struct bench *b, unsigned i, unsigned events)
{
	if (i % 2 == 0)
		b->ours_ns[i] = server_round(b, events);
	if (i % 2 == 1 && b->beside != NULL)
		b->beside_ns[i] = server_round(b->beside, events);
	b->floor_ns[i] = floor_round(b, events);
	if (i % 2 == 0 && b->beside != NULL)
		b->beside_ns[i] = server_round(b->beside, events);
	if (i % 2 == 1)
		b->ours_ns[i] = server_round(b, events);
	b->ratio[i] = b->ours_ns[i] / b->floor_ns[i];
	b->beside_ratio[i] = b->beside_ns[i] / b->ours_ns[i];
}

static void
run_rounds(struct bench *b)
{
	unsigned events = DELIVERIES_A_ROUND / b->o.clients + 1;

	if (b->o.beside != NULL)
		start_beside(b);
	start_floor(b);
	floor_round(b, 1);
	server_round(b, 1);
	for (unsigned i = 0; i < b->o.rounds; i++)
		run_round(b, i, events);
	stop_floor(b);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(const double *values, unsigned count)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, values, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, compare);
	return count % 2 == 1 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

/* 90 % interval of the median, by resampling the rounds. */
static void
interval(const double *values, unsigned count, double *low, double *high)
{
	double medians[RESAMPLES], sample[ROUNDS_MAX];
	uint64_t random = 88172645463325252u;

	for (unsigned i = 0; i < RESAMPLES; i++) {
		for (unsigned j = 0; j < count; j++)
			sample[j] = values[wire_random(&random) % count];
		medians[i] = median(sample, count);
	}
	qsort(medians, RESAMPLES, sizeof *medians, compare);
	*low = medians[RESAMPLES / 20];
	*high = medians[RESAMPLES - RESAMPLES / 20 - 1];
}

static double
per_client(const struct bench *b, uint64_t with, uint64_t before, double unit)
{
	return ((double)with - (double)before) * unit / b->o.clients;
}

/* Where connections were cut, and what the server says of it. */
static void
print_cuts(const struct bench *b)
{
	char *answer = malloc(STATS_BYTES);
	struct wire_http http;
	struct text total, key, value;
	size_t offset = 0;

	printf("  cut           %llu while connecting, %llu under load, %llu in the rounds:",
	    (unsigned long long)b->cut_connecting,
	    (unsigned long long)(b->cut_loaded - b->cut_connecting),
	    (unsigned long long)(fleet_cuts(&b->fleet) - b->cut_loaded));
	if (answer != NULL &&
	    wire_call(server_private(&b->server), "GET", "/stats", NULL, (struct text){NULL, 0},
		answer, STATS_BYTES, &http) &&
	    wire_json_path(http.body, "total", &total))
		while (wire_json_next(total, &offset, &key, &value))
			if ((wire_find(key, "closed") == key.bytes ||
				wire_find(key, "shed") == key.bytes ||
				wire_find(key, "overflows") != NULL) &&
			    !wire_equal(value, "0"))
				printf(" %.*s=%.*s", (int)key.len, key.bytes, (int)value.len,
				    value.bytes);
	printf("\n");
	free(answer);
}

static void
print_table(const struct bench *b)
{
	printf("%s, %u clients, %u bytes of data (%.0f on the wire), %u workers\n", b->o.transport,
	    b->o.clients, b->o.size, b->wire_bytes, b->o.workers);
	printf("  connect       %.1f s (%.0f/s)\n", b->connect_s, b->o.clients / b->connect_s);
	printf(
	    "  load          %g events/s for %u s: %.0f deliveries/s, lost %llu, gaps %llu, cut %llu, violations %llu\n",
	    b->o.rate, b->o.seconds, b->deliveries_per_s, (unsigned long long)b->lost,
	    (unsigned long long)fleet_gaps(&b->fleet), (unsigned long long)fleet_cuts(&b->fleet),
	    (unsigned long long)fleet_violations(&b->fleet));
	if (fleet_cuts(&b->fleet) != 0)
		print_cuts(b);
	printf("  latency       p50 %llu us, p99 %llu us, max %llu us\n",
	    (unsigned long long)b->p50_us, (unsigned long long)b->p99_us,
	    (unsigned long long)b->max_us);
	printf("  server CPU    %.2f s per million deliveries\n", b->cpu_s_per_million);
	printf(
	    "  memory        process %.0f bytes per idle client (anonymous %.0f, shared %.0f); %llu KiB with none\n",
	    per_client(b, b->with.pss_kib, b->before.pss_kib, 1024),
	    per_client(b, b->with.anon_kib, b->before.anon_kib, 1024),
	    per_client(b, b->with.shmem_kib, b->before.shmem_kib, 1024),
	    (unsigned long long)b->before.pss_kib);
	printf(
	    "                kernel %.0f bytes per connection, both ends (slab %.0f, TCP buffers %.0f)\n",
	    per_client(b, b->with.slab_kib, b->before.slab_kib, 1024) +
		per_client(b, b->with.tcp_bytes, b->before.tcp_bytes, 1),
	    per_client(b, b->with.slab_kib, b->before.slab_kib, 1024),
	    per_client(b, b->with.tcp_bytes, b->before.tcp_bytes, 1));
}

static void
print_rounds(const struct bench *b, double ratio, double low, double high)
{
	printf(
	    "  one by one    %.0f ns CPU per delivery, floor %.0f ns; ratio %.2f (90 %% interval %.2f-%.2f, %u rounds)\n",
	    median(b->ours_ns, b->o.rounds), median(b->floor_ns, b->o.rounds), ratio, low, high,
	    b->o.rounds);
}

static void
print_beside(const struct bench *b, double ratio, double low, double high)
{
	printf(
	    "  beside it     io %s: %.0f ns CPU per delivery; over io %s %.2f (90 %% interval %.2f-%.2f); lost %llu\n",
	    b->o.beside, median(b->beside_ns, b->o.rounds), b->o.io != NULL ? b->o.io : "auto",
	    ratio, low, high,
	    (unsigned long long)(b->beside->published * b->o.clients -
				 fleet_received(&b->beside->fleet)));
}

static void
report(const struct bench *b)
{
	double ratio = 0, low = 0, high = 0, beside = 0, beside_low = 0, beside_high = 0;

	print_table(b);
	if (b->o.rounds != 0) {
		ratio = median(b->ratio, b->o.rounds);
		interval(b->ratio, b->o.rounds, &low, &high);
		print_rounds(b, ratio, low, high);
	}
	if (b->beside != NULL) {
		beside = median(b->beside_ratio, b->o.rounds);
		interval(b->beside_ratio, b->o.rounds, &beside_low, &beside_high);
		print_beside(b, beside, beside_low, beside_high);
	}
	printf(
	    "{\"transport\":\"%s\",\"io\":\"%s\",\"clients\":%u,\"size\":%u,\"wire_bytes\":%.0f,\"workers\":%u,\"rate\":%g,\"seconds\":%u,"
	    "\"connect_s\":%.2f,\"deliveries_per_s\":%.0f,\"p50_us\":%llu,\"p99_us\":%llu,\"max_us\":%llu,\"lost\":%llu,"
	    "\"gaps\":%llu,\"cut\":%llu,\"violations\":%llu,\"cpu_s_per_million\":%.3f,",
	    b->o.transport, b->o.io != NULL ? b->o.io : "auto", b->o.clients, b->o.size,
	    b->wire_bytes, b->o.workers, b->o.rate, b->o.seconds, b->connect_s, b->deliveries_per_s,
	    (unsigned long long)b->p50_us, (unsigned long long)b->p99_us,
	    (unsigned long long)b->max_us, (unsigned long long)b->lost,
	    (unsigned long long)fleet_gaps(&b->fleet), (unsigned long long)fleet_cuts(&b->fleet),
	    (unsigned long long)fleet_violations(&b->fleet), b->cpu_s_per_million);
	printf(
	    "\"process_bytes_per_client\":%.1f,\"anonymous_bytes_per_client\":%.1f,\"shared_bytes_per_client\":%.1f,"
	    "\"slab_bytes_per_connection\":%.0f,\"tcp_bytes_per_connection\":%.0f,\"available_bytes_per_connection\":%.0f,"
	    "\"pss_none_kib\":%llu,\"pss_with_kib\":%llu,",
	    per_client(b, b->with.pss_kib, b->before.pss_kib, 1024),
	    per_client(b, b->with.anon_kib, b->before.anon_kib, 1024),
	    per_client(b, b->with.shmem_kib, b->before.shmem_kib, 1024),
	    per_client(b, b->with.slab_kib, b->before.slab_kib, 1024),
	    per_client(b, b->with.tcp_bytes, b->before.tcp_bytes, 1),
	    per_client(b, b->before.available_kib, b->with.available_kib, 1024),
	    (unsigned long long)b->before.pss_kib, (unsigned long long)b->with.pss_kib);
	printf(
	    "\"rounds\":%u,\"ours_ns\":%.0f,\"floor_ns\":%.0f,\"ratio\":%.3f,\"ratio_low\":%.3f,\"ratio_high\":%.3f,",
	    b->o.rounds, b->o.rounds != 0 ? median(b->ours_ns, b->o.rounds) : 0,
	    b->o.rounds != 0 ? median(b->floor_ns, b->o.rounds) : 0, ratio, low, high);
	printf(
	    "\"beside\":\"%s\",\"beside_ns\":%.0f,\"beside_ratio\":%.3f,\"beside_low\":%.3f,\"beside_high\":%.3f}\n",
	    b->beside != NULL ? b->o.beside : "",
	    b->beside != NULL ? median(b->beside_ns, b->o.rounds) : 0, beside, beside_low,
	    beside_high);
}

static struct options
parse(int argc, char **argv)
{
	static const struct option names[] = {{"transport", required_argument, NULL, 't'},
	    {"clients", required_argument, NULL, 'n'}, {"size", required_argument, NULL, 's'},
	    {"rate", required_argument, NULL, 'r'}, {"seconds", required_argument, NULL, 'd'},
	    {"rounds", required_argument, NULL, 'k'}, {"workers", required_argument, NULL, 'w'},
	    {"ring", required_argument, NULL, 'b'}, {"anywhere", no_argument, NULL, 'a'},
	    {"io", required_argument, NULL, 'i'}, {"beside", required_argument, NULL, 'e'},
	    {NULL, 0, NULL, 0}};
	struct options o = {.transport = "sse",
	    .clients = 1000,
	    .size = 128,
	    .rate = 10,
	    .seconds = 10,
	    .ring_bytes = 4u << 20};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		unsigned long n = optarg != NULL ? strtoul(optarg, NULL, 10) : 0;

		if (c == 't')
			o.transport = optarg;
		else if (c == 'n')
			o.clients = (uint32_t)n;
		else if (c == 's')
			o.size = (unsigned)n;
		else if (c == 'r')
			o.rate = strtod(optarg, NULL);
		else if (c == 'd')
			o.seconds = (unsigned)n;
		else if (c == 'k')
			o.rounds = (unsigned)n;
		else if (c == 'w')
			o.workers = (unsigned)n;
		else if (c == 'b')
			o.ring_bytes = n;
		else if (c == 'a')
			o.anywhere = true;
		else if (c == 'i')
			o.io = optarg;
		else if (c == 'e')
			o.beside = optarg;
		else
			exit(2);
	}
	if (o.clients == 0 || o.size < 64 || o.rounds > ROUNDS_MAX || !(o.rate * o.seconds >= 1))
		die("at least one client, 64 bytes, one event, and at most 1000 rounds");
	if (o.workers == 0)
		o.workers = o.clients / WORKER_CLIENTS + 1;
	return o;
}

static void
leave(struct bench *b)
{
	fleet_close(&b->fleet);
	publisher_close(&b->publisher);
	free(b->line);
}

/* The second server ends first: server_stop looks for children of whatever kind. */
static void
finish(struct tap *t, struct bench *b)
{
	struct server *beside = b->beside != NULL ? &b->beside->server : NULL;

	leave(b);
	if (beside != NULL) {
		leave(b->beside);
		kill(beside->pid, SIGTERM);
		waitpid(beside->pid, NULL, 0);
		beside->pid = 0;
	}
	server_stop(t, &b->server, NULL);
	if (beside != NULL)
		server_aftermath(t, beside, NULL);
	free(b->beside);
	free(b);
}

int
main(int argc, char **argv)
{
	struct bench *b = calloc(1, sizeof *b);
	struct tap t = {0, 0};

	if (b == NULL)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	b->o = parse(argc, argv);
	boot(b);
	connect_clients(b);
	run_load(b);
	wire_sleep_ms(1500); /* idle: what traffic needed for a moment is given back */
	b->with = measure_memory(&b->server);
	if (b->o.rounds != 0)
		run_rounds(b);
	report(b);
	finish(&t, b);
	return t.failed != 0;
}
