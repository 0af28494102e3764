/*
 * lifecycle.c: starting and ending: --check, stale and live sockets, a second instance, workers
 * that die at start, and what is left when the master is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/proc.h"
#include "tests/lib/publisher.h"
#include "tests/lib/server.h"

static void
check_option(struct tap *t, const struct server *s)
{
	char output[8192];
	int code =
	    server_run((const char *const[]){"ringcastd", "--check", "--config", s->config, NULL},
		NULL, output, sizeof output, 5000);

	tap_check(t, code == 0,
	    "--check of a good configuration exits with 0, also while it is in use (%d: %.*s)",
	    code, (int)strcspn(output, "\n"), output);
	code = server_run((const char *const[]){"ringcast", "check", s->config, NULL}, NULL, output,
	    sizeof output, 5000);
	tap_check(t, code == 0, "so does ringcast check (%d)", code);
	code = server_run(
	    (const char *const[]){"ringcastd", "--help", NULL}, NULL, output, sizeof output, 5000);
	tap_check(t, code == 0 && strstr(output, "--config") != NULL,
	    "--help exits with 0 and tells of --config");
	tap_check(
	    t, publisher_event(s->socket, "still", "1") != 0, "the running server has not noticed");
}

static void
second_instance(struct tap *t, const struct server *s)
{
	char output[8192], listen[32], other[128];
	int code;

	snprintf(listen, sizeof listen, "127.0.0.1:%u", s->port);
	snprintf(other, sizeof other, "%s/other.sock", s->dir);
	code = server_run((const char *const[]){"ringcastd", "--listen", "127.0.0.1:0", "--socket",
			      s->socket, NULL},
	    NULL, output, sizeof output, 5000);
	tap_check(t, code == 1 && strstr(output, s->socket) != NULL,
	    "a live publish socket is not replaced: exit 1, named (%d: %.200s)", code, output);
	code = server_run(
	    (const char *const[]){"ringcastd", "--listen", listen, "--socket", other, NULL}, NULL,
	    output, sizeof output, 5000);
	tap_check(t, code == 1 && strstr(output, listen) != NULL,
	    "a port in use: exit 1, named (%d: %.200s)", code, output);
	tap_check(t, access(other, F_OK) == -1, "and the second instance leaves no socket behind");
	tap_check(t, publisher_event(s->socket, "still", "2") != 0, "the first one serves on");
}

/* A socket file that nobody listens on any more, as after a crash. */
static bool
leave_stale_socket(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool bound;

	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	bound = bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 1) == 0;
	close(fd);
	return bound && access(path, F_OK) == 0;
}

static void
stale_socket(struct tap *t)
{
	char dir[] = "/tmp/ringcast-stale-XXXXXX", path[64];
	struct server s;

	if (!tap_check(t, mkdtemp(dir) != NULL, "a directory"))
		return;
	snprintf(path, sizeof path, "%s/publish.sock", dir);
	tap_check(t, leave_stale_socket(path), "a stale socket lies there");
	if (tap_check(t, server_start(&s, &(struct server_options){.workers = 1, .socket = path}),
		"a server starts on it")) {
		tap_check(
		    t, publisher_event(path, "stale", "1") != 0, "and is to be reached by it");
		server_stop(t, &s, NULL);
		tap_check(t, access(path, F_OK) == -1, "and takes it away in the end");
	}
	unlink(path);
	rmdir(dir);
}

/* A worker that is none: notes its start and exits at once with `code`. */
static bool
write_worker(const char *path, const char *starts, int code)
{
	FILE *f = fopen(path, "w");

	if (f == NULL)
		return false;
	fprintf(f, "#!/bin/sh\necho start >>%s\nexit %d\n", starts, code);
	fclose(f);
	return chmod(path, 0755) == 0;
}

static unsigned
count_lines(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned count = 0;
	int c;

	if (f == NULL)
		return 0;
	while ((c = getc(f)) != EOF)
		count += c == '\n';
	fclose(f);
	return count;
}

/*
 * Runs a server whose workers die at start with `code`; how often they were started in ms, and the
 * CPU used.
 */
static void
dying_workers(struct tap *t, int code, unsigned ms, unsigned starts_min, unsigned starts_max)
{
	char dir[] = "/tmp/ringcast-dying-XXXXXX", worker[64], starts[64];
	struct server s;
	unsigned count;
	uint64_t cpu;
	int status = 0;

	if (!tap_check(t, mkdtemp(dir) != NULL, "a directory"))
		return;
	snprintf(worker, sizeof worker, "%s/worker", dir);
	snprintf(starts, sizeof starts, "%s/starts", dir);
	tap_check(t, write_worker(worker, starts, code), "a worker that exits with %d", code);
	setenv("RINGCAST_WORKER", worker, 1);
	tap_check(t, !server_start(&s, &(struct server_options){.workers = 1, .ready_ms = ms}),
	    "the server is never ready");
	unsetenv("RINGCAST_WORKER");
	count = count_lines(starts);
	cpu = s.pid != 0 ? proc_cpu_ns(s.pid) / 1000000 : 0;
	tap_check(t, count >= starts_min && count <= starts_max,
	    "exit %d: %u starts in %u ms (%u to %u)", code, count, ms, starts_min, starts_max);
	tap_check(t, cpu < ms / 5, "and no CPU to speak of (%llu ms)", (unsigned long long)cpu);
	if (s.pid != 0) {
		kill(s.pid, SIGTERM);
		for (unsigned i = 0; i < 500 && waitpid(s.pid, &status, WNOHANG) == 0; i++)
			wire_sleep_ms(10);
		if (kill(s.pid, SIGKILL) == 0)
			waitpid(s.pid, NULL, 0);
		tap_check(t, WIFEXITED(status), "SIGTERM ends it (status %#x)", (unsigned)status);
		s.pid = 0;
	}
	server_aftermath(t, &s, "no worker is left");
	unlink(worker);
	unlink(starts);
	rmdir(dir);
}

/* The workers of a master that was killed leave by themselves, and soon. */
static void
killed_master(struct tap *t)
{
	struct server s;
	pid_t workers[SERVER_WORKERS_MAX];
	uint64_t deadline;
	size_t count, gone = 0;

	if (!tap_check(t, server_start(&s, &(struct server_options){.workers = 3}),
		"another server boots"))
		return;
	count = server_workers(&s, workers);
	kill(s.pid, SIGKILL);
	waitpid(s.pid, NULL, 0);
	s.pid = 0;
	deadline = wire_now_ms() + 14000;
	while (gone < count && wire_now_ms() < deadline) {
		if (waitpid(-1, NULL, WNOHANG) > 0)
			gone++;
		else
			wire_sleep_ms(20);
	}
	tap_check(t, count == 3 && gone == 3,
	    "a killed master's workers leave by themselves (%zu of %zu)", gone, count);
	server_aftermath(t, &s, NULL);
}

int
main(void)
{
	struct tap t = tap_start(150);
	struct server s;

	if (!tap_check(
		&t, server_start(&s, &(struct server_options){.workers = 2}), "the server boots"))
		return tap_finish(&t);
	check_option(&t, &s);
	second_instance(&t, &s);
	server_stop(&t, &s, NULL);
	stale_socket(&t);
	dying_workers(&t, 1, 4000, 3, 20);
	dying_workers(&t, 2, 2000, 1, 1);
	killed_master(&t);
	return tap_finish(&t);
}
