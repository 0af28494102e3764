/*
 * floor.c: the least that a fan-out costs on this machine: nothing but sends, to set the server's
 * figures beside.
 *
 *	floor CLIENTS BYTES
 *
 * Sender processes of at most 12,500 connections each take turns on cpu 0; each send is one
 * io_uring request, 256 to a submission, silent when it succeeds. The clients' ends are read (and
 * thrown away) on cpu 1 at the same time. Driven by lines on standard input: "go K" sends K times
 * to every client, one after the other, each time waiting until all have got it, and answers
 * "DELIVERIES CPU_NS WALL_NS", the CPU being the senders' alone. The end of the input ends it.
 */
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/proc.h"
#include "tests/lib/wire.h"

#define PER_PROCESS 12500
#define PAIRS_MAX 128
#define BATCH 256
#define COMPLETIONS 4096
#define ROUND_MS 60000

struct shared {
	_Atomic uint64_t received[PAIRS_MAX]; /* bytes, each written by one receiver */
};

struct pair {
	pid_t sender, receiver;
	int ask[2], answer[2]; /* pipes to and from the sender */
	unsigned clients;
};

struct floor {
	struct shared *shared;
	struct pair pairs[PAIRS_MAX];
	unsigned pair_count;
	size_t bytes;
};

static void
fail(const char *what)
{
	perror(what);
	_exit(1);
}

static uint64_t
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int
listen_somewhere(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		fail("socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) == -1 || listen(fd, 4096) == -1 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) == -1)
		fail("listen");
	*port = ntohs(a.sin_port);
	return fd;
}

/* The clients' ends: connect them all, then read whatever comes until killed. */
static void
receive(uint16_t port, unsigned clients, unsigned offset, _Atomic uint64_t *received)
{
	struct epoll_event events[256];
	char *sink = malloc(1u << 17);
	int epoll = epoll_create1(0);
	uint64_t total = 0;

	proc_pin(0, 1);
	for (unsigned i = 0; i < clients; i++) {
		int fd = wire_dial(port, offset + i, false, 0);
		struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

		if (fd == -1 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) == -1)
			fail("connect");
	}
	for (;;) {
		int n = epoll_wait(epoll, events, 256, -1);

		for (int i = 0; i < n; i++) {
			ssize_t got = recv(events[i].data.fd, sink, 1u << 17, MSG_DONTWAIT);

			if (got == 0)
				_exit(0);
			if (got > 0)
				total += (uint64_t)got;
		}
		atomic_store_explicit(received, total, memory_order_relaxed);
	}
}

/* Takes completions: only trouble completes visibly. */
static void
reap(struct io_uring *ring, size_t bytes)
{
	struct io_uring_cqe *cqe;
	unsigned head, count = 0;

	io_uring_for_each_cqe(ring, head, cqe)
	{
		count++;
		if (cqe->res != (int)bytes) {
			fprintf(stderr, "a send gave %d\n", cqe->res);
			_exit(1);
		}
	}
	io_uring_cq_advance(ring, count);
}

static void
send_all(struct io_uring *ring, const int *fds, unsigned count, const char *bytes, size_t len)
{
	for (unsigned i = 0; i < count; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

		io_uring_prep_send(
		    sqe, fds[i], bytes, len, MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL);
		sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
		if (i % BATCH == BATCH - 1 || i == count - 1) {
			if (io_uring_submit(ring) < 0)
				fail("submit");
			reap(ring, len);
		}
	}
}

/*
 * The servers' ends: one fan-out for each byte that is read from `ask`; answers with its CPU time
 * in ns.
 */
static void
serve(int listener, unsigned clients, int ask, int answer, size_t len)
{
	struct io_uring_params params = {
	    .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
	    .cq_entries = COMPLETIONS};
	struct io_uring ring;
	int *fds = calloc(clients, sizeof *fds);
	char *bytes = malloc(len), byte = 0;
	uint64_t used = 0;

	if (fds == NULL || bytes == NULL)
		fail("memory");
	memset(bytes, 'x', len);
	for (unsigned i = 0; i < clients; i++) {
		fds[i] = accept(listener, NULL, NULL);
		if (fds[i] == -1)
			fail("accept");
	}
	proc_pin(0, 0);
	if (io_uring_queue_init_params(BATCH, &ring, &params) < 0)
		fail("io_uring");
	if (write(answer, &used, sizeof used) != sizeof used)
		_exit(1);
	while (read(ask, &byte, 1) == 1) {
		used = cpu_ns();
		send_all(&ring, fds, clients, bytes, len);
		used = cpu_ns() - used;
		if (write(answer, &used, sizeof used) != sizeof used)
			_exit(1);
	}
	_exit(0);
}

static void
open_pair(struct floor *f, unsigned index, unsigned clients)
{
	struct pair *p = &f->pairs[index];
	uint64_t ready;
	uint16_t port;
	int listener = listen_somewhere(&port);

	p->clients = clients;
	if (pipe(p->ask) == -1 || pipe(p->answer) == -1)
		fail("pipe");
	p->receiver = fork();
	if (p->receiver == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		receive(port, clients, index * PER_PROCESS, &f->shared->received[index]);
	}
	p->sender = fork();
	if (p->sender == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(p->ask[1]);
		serve(listener, clients, p->ask[0], p->answer[1], f->bytes);
	}
	close(listener);
	if (read(p->answer[0], &ready, sizeof ready) != sizeof ready)
		fail("sender");
}

static uint64_t
received(const struct floor *f)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < f->pair_count; i++)
		total += atomic_load_explicit(&f->shared->received[i], memory_order_relaxed);
	return total;
}

/* One event to every client; the senders' CPU time. */
static uint64_t
fan_out(const struct floor *f, uint64_t goal)
{
	uint64_t used = 0, deadline = wire_now_ms() + ROUND_MS;

	for (unsigned i = 0; i < f->pair_count; i++) {
		uint64_t part = 0;

		if (write(f->pairs[i].ask[1], "g", 1) != 1 ||
		    read(f->pairs[i].answer[0], &part, sizeof part) != sizeof part)
			fail("sender");
		used += part;
	}
	while (received(f) < goal) {
		struct timespec nap = {0, 200000};

		if (wire_now_ms() > deadline) {
			fprintf(stderr, "the receivers are out of time\n");
			_exit(1);
		}
		nanosleep(&nap, NULL);
	}
	return used;
}

int
main(int argc, char **argv)
{
	struct floor f = {0};
	unsigned clients = argc == 3 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	struct rlimit limit;
	char line[64];
	uint64_t goal = 0;

	if (clients == 0 || (f.bytes = strtoul(argv[2], NULL, 10)) == 0) {
		fprintf(stderr, "usage: floor CLIENTS BYTES\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	f.shared =
	    mmap(NULL, sizeof *f.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (f.shared == MAP_FAILED)
		fail("mmap");
	f.pair_count = (clients + PER_PROCESS - 1) / PER_PROCESS;
	if (f.pair_count > PAIRS_MAX)
		fail("too many clients");
	for (unsigned i = 0; i < f.pair_count; i++)
		open_pair(&f, i, clients / f.pair_count + (i < clients % f.pair_count));
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin) != NULL && strncmp(line, "go ", 3) == 0) {
		unsigned long rounds = strtoul(line + 3, NULL, 10);
		uint64_t used = 0, started = wire_now_ns();

		for (unsigned long i = 0; i < rounds; i++)
			used += fan_out(&f, goal += (uint64_t)clients * f.bytes);
		printf("%llu %llu %llu\n", (unsigned long long)clients * rounds,
		    (unsigned long long)used, (unsigned long long)(wire_now_ns() - started));
		fflush(stdout);
	}
	for (unsigned i = 0; i < f.pair_count; i++) {
		kill(f.pairs[i].sender, SIGKILL);
		kill(f.pairs[i].receiver, SIGKILL);
		waitpid(f.pairs[i].sender, NULL, 0);
		waitpid(f.pairs[i].receiver, NULL, 0);
	}
	return 0;
}
