/*
 * publish_bench.c: how many events a second the publish socket takes.
 *
 *	publish_bench [seconds] [bytes of data]
 *
 * A master without workers in a process of its own; one publisher, then eight, each a process that streams NDJSON and
 * reads every answer. Printed: events per second, CPU per event of the master and of the publishers.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "master/api.h"
#include "master/master.h"
#include "master/publish.h"
#include "master/publish_path.h"
#include "shm/ring_write.h"

#define BLOCK_LINES 1000
#define HEAD \
	"POST /publish HTTP/1.1\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"

struct bench {
	char path[96];
	unsigned seconds;
	size_t data_len;
	char *block; /* one chunk of BLOCK_LINES lines */
	size_t block_len;
};

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double
cpu_s(const struct rusage *usage)
{
	return (double)usage->ru_utime.tv_sec + (double)usage->ru_utime.tv_usec / 1e6 +
	       (double)usage->ru_stime.tv_sec + (double)usage->ru_stime.tv_usec / 1e6;
}

static void
check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "publish_bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- the master ------------------------------------------------------------------------------------ */

static void
turn(void *context)
{
	publish_turn(context);
}

/* Serves until the pipe to the parent ends. */
static void
serve_end(void *context, uint32_t events)
{
	(void)events;
	loop_stop(((struct master *)context)->loop);
}

static void
serve(const struct bench *b, int pipe_end, int ready)
{
	struct config_mistakes mistakes = {0};
	struct master m = {.log = {.fd = 2, .level = LOG_LEVEL_ERROR}, .state = MASTER_SERVING};
	struct loop_source parent = {0};

	m.config = config_load(NULL, NULL, &mistakes);
	check(m.config != NULL, "the default configuration");
	m.config->socket = b->path;
	m.loop = loop_new();
	check(m.loop != NULL &&
		  ring_write_create(&m.ring, LIMIT_RING_BYTES_DEFAULT, loop_unix_ms(m.loop)) == 0,
	    "a ring");
	loop_each_turn(m.loop, turn, &m);
	check(api_start(&m) == 0 && publish_start(&m, -1) == 0, "a publish socket");
	check(loop_add(m.loop, &parent, pipe_end, EPOLLIN, serve_end, &m) == 0, "the pipe");
	check(write(ready, "r", 1) == 1, "ready");
	loop_run(m.loop);
	publish_stop(&m);
	exit(0);
}

/* ---- a publisher ----------------------------------------------------------------------------------- */

static uint64_t
count_lines(const char *bytes, size_t len)
{
	uint64_t count = 0;

	for (const char *at = bytes;
	     (at = memmem(at, len - (size_t)(at - bytes), "{\"id", 4)) != NULL; at += 4)
		count++;
	return count;
}

/* Streams for the given time, then waits for the last answer. Answers how many events were acknowledged. */
static uint64_t
publish(const struct bench *b)
{
	static char heard[1 << 18];
	int fd = publish_path_connect(b->path);
	double end = now_s() + b->seconds;
	uint64_t sent = 0, acked = 0;
	size_t at = 0, kept = 0;

	check(fd != -1 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0, b->path);
	check(send(fd, HEAD, strlen(HEAD), MSG_NOSIGNAL) == (ssize_t)strlen(HEAD), "the request");
	while (acked < sent || now_s() < end) {
		bool more = now_s() < end || at != 0;
		struct pollfd wait = {.fd = fd, .events = (short)(POLLIN | (more ? POLLOUT : 0))};
		ssize_t n;

		check(poll(&wait, 1, 5000) == 1, "no answer for five seconds");
		if ((wait.revents & POLLOUT) != 0 &&
		    (n = send(fd, b->block + at, b->block_len - at, MSG_NOSIGNAL)) > 0) {
			sent += at == 0 ? BLOCK_LINES : 0;
			at = (at + (size_t)n) % b->block_len;
		}
		if ((wait.revents & POLLIN) == 0)
			continue;
		n = recv(fd, heard + kept, sizeof heard - kept, 0);
		check(n > 0, "the answers end");
		/* An answer may be cut: what could begin one is looked at again. */
		acked += count_lines(heard, kept + (size_t)n);
		kept += (size_t)n;
		n = kept < 3 ? (ssize_t)kept : 3;
		memmove(heard, heard + kept - (size_t)n, (size_t)n);
		kept = (size_t)n;
	}
	close(fd);
	return acked;
}

static void
run(const struct bench *b, unsigned publishers)
{
	struct rusage server_usage, usage;
	int stop[2], ready[2], counts[2];
	double begin, elapsed, cpu = 0;
	uint64_t total = 0;
	pid_t server;
	char byte;

	check(pipe(stop) == 0 && pipe(ready) == 0 && pipe(counts) == 0, "pipes");
	server = fork();
	check(server != -1, "fork");
	if (server == 0) {
		close(stop[1]);
		serve(b, stop[0], ready[1]);
	}
	close(stop[0]);
	check(read(ready[0], &byte, 1) == 1, "the master");
	begin = now_s();
	for (unsigned i = 0; i < publishers; i++) {
		pid_t child = fork();

		check(child != -1, "fork");
		if (child == 0) {
			uint64_t acked = publish(b);

			close(stop[1]);
			check(write(counts[1], &acked, sizeof acked) == sizeof acked, "a count");
			exit(0);
		}
	}
	for (unsigned i = 0; i < publishers; i++) {
		uint64_t acked;

		check(read(counts[0], &acked, sizeof acked) == sizeof acked, "a count");
		check(wait4(-1, NULL, 0, &usage) > 0, "a publisher");
		total += acked;
		cpu += cpu_s(&usage);
	}
	elapsed = now_s() - begin;
	close(stop[1]);
	check(wait4(server, NULL, 0, &server_usage) == server, "the master");
	printf(
	    "%u publisher%s, %zu bytes: %.0f events/s, CPU per event: master %.2f us, publishers %.2f us\n",
	    publishers, publishers == 1 ? "" : "s", b->data_len, (double)total / elapsed,
	    cpu_s(&server_usage) * 1e6 / (double)total, cpu * 1e6 / (double)total);
	close(ready[0]), close(ready[1]), close(counts[0]), close(counts[1]);
}

static void
make_block(struct bench *b)
{
	size_t line_len = b->data_len + 64, at = 0;
	char *lines = malloc(line_len * BLOCK_LINES);
	int head;

	b->block = malloc(line_len * BLOCK_LINES + 64);
	check(lines != NULL && b->block != NULL, "memory");
	for (int i = 0; i < BLOCK_LINES; i++) {
		at += (size_t)sprintf(lines + at, "{\"channel\":\"c%d\",\"data\":\"", i % 100);
		memset(lines + at, 'x', b->data_len);
		at += b->data_len;
		at += (size_t)sprintf(lines + at, "\"}\n");
	}
	head = sprintf(b->block, "%zx\r\n", at);
	memcpy(b->block + head, lines, at);
	memcpy(b->block + (size_t)head + at, "\r\n", 2);
	b->block_len = (size_t)head + at + 2;
	free(lines);
}

int
main(int argc, char **argv)
{
	struct bench b = {.seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 3,
	    .data_len = argc > 2 ? (size_t)atoi(argv[2]) : 128};
	char directory[] = "/tmp/ringcast-bench-XXXXXX";

	check(b.seconds > 0 && b.data_len <= 100000, "usage: publish_bench [seconds] [bytes]");
	check(mkdtemp(directory) != NULL, directory);
	snprintf(b.path, sizeof b.path, "%s/publish.sock", directory);
	make_block(&b);
	setvbuf(stdout, NULL, _IOLBF, 0);
	run(&b, 1);
	run(&b, 8);
	free(b.block);
	rmdir(directory);
	return 0;
}
