/*
 * squeeze.c: what compression costs and saves: N clients that have it and N that have not, on one server, by turns.
 *
 *	squeeze [--clients N] [--size BYTES] [--rounds R] [--events E] [--level L] [--anywhere]
 *
 * Boots a server of its own (RINGCAST_BIN) on cpu 0; the clients' ends are two processes on cpu 1, one for each kind.
 * First the memory of the server before they come, with the plain ones, with both, and idle again after the load. Then R
 * rounds: E events to the plain clients, one at a time, the next when all have it; the same events to the others. Who is first
 * alternates. The events are JSON of about BYTES, each another one.
 *
 * Prints a table, and a line of JSON. The clients count frames and bytes; the first of each process looks into every frame.
 */
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/proc.h"
#include "tests/lib/publisher.h"
#include "tests/lib/server.h"
#include "tests/lib/squash.h"

#define ROUNDS_MAX 200
#define WORKER_CLIENTS 15000 /* below the cap of 20,000 descriptors */
#define EVENT_BYTES_MIN 200  /* payloads below are control objects */
#define WAIT_MS 60000

enum { PLAIN, PACKED, KINDS };

/* What a process of clients tells. */
struct shared {
	_Atomic uint64_t opened, events, bytes, wrong;
};

struct reader {
	int fd;
	unsigned head_len;
	unsigned char head[10];
	uint64_t left; /* of a payload */
	bool event;
	bool opening;  /* the head of the answer is still to come */
	unsigned tail; /* of its blank line, characters seen */
};

struct bench {
	uint32_t clients;
	unsigned size, rounds, events, level;
	bool anywhere;
	struct server server;
	struct publisher publisher;
	struct shared *shared; /* of each kind */
	pid_t pids[KINDS];
	uint64_t published[KINDS];
	char *line;
	double before_kib, with_kib[KINDS], after_kib;
	double cpu_ns[KINDS][ROUNDS_MAX], bytes[KINDS][ROUNDS_MAX];
};

static void
die(const char *what)
{
	fprintf(stderr, "squeeze: %s\n", what);
	exit(1);
}

/* ---- clients --------------------------------------------------------------------------------------- */

/* A frame of the first client, whole: is it what it should be? */
static bool
frame_is_right(const char *payload, size_t len, bool packed)
{
	static char plain[1 << 20];
	const ssize_t n = packed ? unsquash(payload, len, plain, sizeof plain) : (ssize_t)len;
	const char *text = packed ? plain : payload;

	return n > EVENT_BYTES_MIN && memcmp(text, "{\"id\":\"", 7) == 0 && text[n - 1] == '}';
}

static void
frame_begins(struct reader *r)
{
	const unsigned width = r->head[1] < 126 ? 0 : r->head[1] == 126 ? 2 : 8;

	r->left = width == 0 ? r->head[1] : 0;
	for (unsigned i = 0; i < width; i++)
		r->left = r->left << 8 | r->head[2 + i];
	r->event = (r->head[0] & 0x0f) == 1 && r->left >= EVENT_BYTES_MIN;
	r->head_len = 0;
}

/* Counts what is in a read; a frame may be cut anywhere. */
static void
count(
    struct reader *r, struct shared *shared, const char *bytes, size_t len, bool first, bool packed)
{
	for (size_t i = 0; i < len;) {
		if (r->opening) {
			r->tail = bytes[i] == "\r\n\r\n"[r->tail] ? r->tail + 1 : bytes[i] == '\r';
			r->opening = r->tail != 4;
			i++;
		} else if (r->left != 0) {
			const size_t taken = len - i < r->left ? len - i : (size_t)r->left;

			if (first && r->event && taken == r->left && i >= 4 &&
			    bytes[i - 4] == (packed ? (char)0xc1 : (char)0x81))
				shared->wrong += !frame_is_right(bytes + i, taken, packed);
			r->left -= taken;
			i += taken;
			shared->events += r->left == 0 && r->event;
		} else {
			r->head[r->head_len++] = (unsigned char)bytes[i++];
			if (r->head_len >= 2 && r->head_len == (r->head[1] < 126       ? 2u
								   : r->head[1] == 126 ? 4u
										       : 10u))
				frame_begins(r);
		}
	}
	shared->bytes += len;
}

static int
dial(const struct bench *b, uint32_t i, bool packed)
{
	char head[512];
	const int fd = wire_dial(b->server.port, i, false, 0);

	snprintf(head, sizeof head,
	    "GET /events?channel=%s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " WIRE_WS_KEY "\r\n%s\r\n",
	    packed ? "packed" : "plain",
	    packed ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
	if (fd == -1 || !wire_send(fd, head, strlen(head), wire_now_ms() + WAIT_MS))
		die("a client cannot connect");
	return fd;
}

/* A process of clients: connects them all, then reads for ever. */
static _Noreturn void
be_clients(const struct bench *b, struct shared *shared, bool packed)
{
	struct reader *readers = calloc(b->clients, sizeof *readers);
	char *buffer = malloc(1 << 20);
	const int epoll = epoll_create1(0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (readers == NULL || buffer == NULL || epoll == -1)
		_exit(1);
	for (uint32_t i = 0; i < b->clients; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};

		readers[i] = (struct reader){.fd = dial(b, i, packed), .opening = true};
		epoll_ctl(epoll, EPOLL_CTL_ADD, readers[i].fd, &event);
		shared->opened++;
	}
	for (;;) {
		struct epoll_event events[256];
		const int n = epoll_wait(epoll, events, 256, -1);

		for (int i = 0; i < n; i++) {
			struct reader *r = &readers[events[i].data.u32];
			const ssize_t len = read(r->fd, buffer, 1 << 20);

			if (len <= 0)
				_exit(1);
			count(r, shared, buffer, (size_t)len, r == readers, packed);
		}
	}
}

static void
come(struct bench *b, int kind)
{
	const uint64_t end_ms = wire_now_ms() + WAIT_MS;

	b->pids[kind] = fork();
	if (b->pids[kind] == 0)
		be_clients(b, &b->shared[kind], kind == PACKED);
	while (b->shared[kind].opened < b->clients) {
		if (wire_now_ms() > end_ms || waitpid(b->pids[kind], NULL, WNOHANG) != 0)
			die("not every client is in");
		wire_sleep_ms(10);
	}
	wire_sleep_ms(1000);
}

/* ---- events ---------------------------------------------------------------------------------------- */

/* An order as a shop may tell of it: no two alike, about `size` bytes of JSON. */
static size_t
make_event(char *to, unsigned size, uint64_t *random)
{
	static const char *const words[] = {"alpha", "order", "client", "shipment", "blue",
	    "quantity", "pending", "delivered", "north", "customer", "invoice", "paid"};
	size_t len = (size_t)sprintf(to, "{\"at\":%u,\"items\":[", wire_random(random));

	while (len + 90 < size)
		len += (size_t)sprintf(to + len,
		    "{\"sku\":\"%c%c-%05u\",\"name\":\"%s %s\",\"price\":%u.%02u,\"stock\":%u},",
		    'A' + wire_random(random) % 26, 'A' + wire_random(random) % 26,
		    wire_random(random) % 100000, words[wire_random(random) % 12],
		    words[wire_random(random) % 12], wire_random(random) % 1000,
		    wire_random(random) % 100, wire_random(random) % 5000);
	return len + (size_t)sprintf(to + len, "null]}");
}

static void
one_event(struct bench *b, int kind, uint64_t *random)
{
	const uint64_t goal = ++b->published[kind] * b->clients;
	const uint64_t end_ms = wire_now_ms() + WAIT_MS;
	size_t len = (size_t)sprintf(
	    b->line, "{\"channel\":\"%s\",\"data\":", kind == PACKED ? "packed" : "plain");

	len += make_event(b->line + len, b->size, random);
	b->line[len++] = '}';
	publisher_line(&b->publisher, (struct text){b->line, len});
	if (!publisher_settle(&b->publisher, WAIT_MS))
		die("an event was not taken");
	while (b->shared[kind].events < goal) {
		if (wire_now_ms() > end_ms)
			die("an event did not reach all clients");
		usleep(50);
	}
}

static uint64_t
server_cpu_ns(const struct server *s)
{
	pid_t pids[SERVER_WORKERS_MAX];
	const size_t count = server_workers(s, pids);
	uint64_t sum = proc_cpu_ns(s->pid);

	for (size_t i = 0; i < count; i++)
		sum += proc_cpu_ns(pids[i]);
	return sum;
}

static double
server_kib(const struct server *s)
{
	pid_t pids[SERVER_WORKERS_MAX];
	const size_t count = server_workers(s, pids);
	double sum = (double)proc_memory_kib(s->pid, "Pss");

	for (size_t i = 0; i < count; i++)
		sum += (double)proc_memory_kib(pids[i], "Pss");
	return sum;
}

/* The same events for both kinds: one seed a round. */
static void
half_round(struct bench *b, int kind, unsigned round)
{
	const uint64_t cpu = server_cpu_ns(&b->server), bytes = b->shared[kind].bytes;
	const double deliveries = (double)b->events * b->clients;
	uint64_t random = 88172645463325252u + round;

	for (unsigned i = 0; i < b->events; i++)
		one_event(b, kind, &random);
	b->cpu_ns[kind][round] = (double)(server_cpu_ns(&b->server) - cpu) / deliveries;
	b->bytes[kind][round] = (double)(b->shared[kind].bytes - bytes) / deliveries;
}

/* ---- the whole ------------------------------------------------------------------------------------- */

static void
boot(struct bench *b)
{
	char members[128];
	struct server_options options = {.workers = 2 * b->clients / WORKER_CLIENTS + 1,
	    .ring_bytes = "\"1MiB\"",
	    .cpu = b->anywhere ? 0 : 1,
	    .members = members};
	uint64_t random = 1;

	snprintf(members, sizeof members, "\"log\": \"warning\", \"compression\": {\"level\": %u}",
	    b->level);
	b->line = malloc(b->size + 4096);
	b->shared = mmap(NULL, KINDS * sizeof *b->shared, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b->line == NULL || b->shared == MAP_FAILED)
		die("no memory");
	if (!server_start(&b->server, &options))
		die("the server does not start");
	if (!b->anywhere)
		proc_pin(0, 1);
	if (!publisher_open(&b->publisher, b->server.socket, NULL, NULL))
		die("the publish socket does not answer");
	/* The ring's pages belong to nobody's clients. */
	for (size_t sent = 0; sent < 3 << 20;) {
		size_t len = (size_t)sprintf(b->line, "{\"channel\":\"fill\",\"data\":");

		len += make_event(b->line + len, b->size, &random);
		b->line[len++] = '}';
		publisher_line(&b->publisher, (struct text){b->line, len});
		if (!publisher_settle(&b->publisher, WAIT_MS))
			die("the ring cannot be filled");
		sent += len;
	}
}

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(const double *values, unsigned count)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, values, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, compare);
	return (sorted[count / 2] + sorted[(count - 1) / 2]) / 2;
}

static void
report(const struct bench *b)
{
	const double cpu[] = {
	    median(b->cpu_ns[PLAIN], b->rounds), median(b->cpu_ns[PACKED], b->rounds)};
	const double bytes[] = {
	    median(b->bytes[PLAIN], b->rounds), median(b->bytes[PACKED], b->rounds)};
	const double idle[] = {(b->with_kib[PLAIN] - b->before_kib) * 1024 / b->clients,
	    (b->with_kib[PACKED] - b->with_kib[PLAIN]) * 1024 / b->clients};
	double ratio[ROUNDS_MAX];

	for (unsigned i = 0; i < b->rounds; i++)
		ratio[i] = b->cpu_ns[PACKED][i] / b->cpu_ns[PLAIN][i];
	qsort(ratio, b->rounds, sizeof *ratio, compare);
	printf("%u clients of each kind, %u bytes of JSON, level %u, %u rounds of %u events\n",
	    b->clients, b->size, b->level, b->rounds, b->events);
	printf(
	    "  server CPU    %.2f s per million deliveries, compressed %.2f (ratio %.2f, rounds %.2f-%.2f)\n",
	    cpu[PLAIN] / 1000, cpu[PACKED] / 1000, median(ratio, b->rounds), ratio[0],
	    ratio[b->rounds - 1]);
	printf("  on the wire   %.0f bytes a delivery, compressed %.0f (%.0f %%)\n", bytes[PLAIN],
	    bytes[PACKED], 100 * bytes[PACKED] / bytes[PLAIN]);
	printf(
	    "  memory        %.0f bytes per idle client, compressed %.0f; all idle after the load: %.0f KiB more\n",
	    idle[PLAIN], idle[PACKED], b->after_kib - b->with_kib[PACKED]);
	printf(
	    "{\"clients\":%u,\"size\":%u,\"level\":%u,\"plain_cpu_s_per_million\":%.3f,\"packed_cpu_s_per_million\":%.3f,"
	    "\"ratio\":%.3f,\"plain_bytes\":%.1f,\"packed_bytes\":%.1f,\"plain_idle_bytes\":%.1f,"
	    "\"packed_idle_bytes\":%.1f,\"after_load_kib\":%.0f}\n",
	    b->clients, b->size, b->level, cpu[PLAIN] / 1000, cpu[PACKED] / 1000,
	    median(ratio, b->rounds), bytes[PLAIN], bytes[PACKED], idle[PLAIN], idle[PACKED],
	    b->after_kib - b->with_kib[PACKED]);
}

static void
parse(struct bench *b, int argc, char **argv)
{
	static const struct option names[] = {{"clients", required_argument, NULL, 'n'},
	    {"size", required_argument, NULL, 's'}, {"rounds", required_argument, NULL, 'k'},
	    {"events", required_argument, NULL, 'e'}, {"level", required_argument, NULL, 'l'},
	    {"anywhere", no_argument, NULL, 'a'}, {NULL, 0, NULL, 0}};
	int c;

	b->clients = 100;
	b->size = 1024;
	b->rounds = 10;
	b->level = 1;
	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		const unsigned n = optarg == NULL ? 0 : (unsigned)strtoul(optarg, NULL, 10);

		if (c == 'n')
			b->clients = n;
		else if (c == 's')
			b->size = n;
		else if (c == 'k')
			b->rounds = n;
		else if (c == 'e')
			b->events = n;
		else if (c == 'l')
			b->level = n;
		else if (c == 'a')
			b->anywhere = true;
		else
			exit(2);
	}
	if (b->clients == 0 || b->size < 400 || b->rounds == 0 || b->rounds > ROUNDS_MAX)
		die("at least one client, 400 bytes, and 1 to 200 rounds");
	if (b->events == 0)
		b->events = b->clients < 67 ? 300 : 20000 / b->clients;
	if (b->events < 5)
		b->events = 5;
}

int
main(int argc, char **argv)
{
	struct bench *b = calloc(1, sizeof *b);
	struct tap t = {0, 0};
	uint64_t wrong;

	if (b == NULL)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	parse(b, argc, argv);
	boot(b);
	b->before_kib = server_kib(&b->server);
	for (int kind = 0; kind < KINDS; kind++) {
		come(b, kind);
		b->with_kib[kind] = server_kib(&b->server);
	}
	for (unsigned i = 0; i < b->rounds; i++)
		for (int half = 0; half < KINDS; half++)
			half_round(b, half ^ (int)(i & 1), i);
	wire_sleep_ms(1500);
	b->after_kib = server_kib(&b->server);
	report(b);
	wrong = b->shared[PLAIN].wrong + b->shared[PACKED].wrong;
	for (int kind = 0; kind < KINDS; kind++) {
		kill(b->pids[kind], SIGKILL);
		waitpid(b->pids[kind], NULL, 0);
	}
	publisher_close(&b->publisher);
	server_stop(&t, &b->server, NULL);
	if (wrong != 0)
		die("frames that are not what they should be");
	free(b->line);
	free(b);
	return t.failed != 0;
}
