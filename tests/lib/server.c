/*
 * server.c: boots, watches, stops and examines a ringcastd (server.h).
 */
#include "tests/lib/server.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/proc.h"

#define READY_MS 10000
#define STOP_MS 15000
#define LOG_BYTES (4u << 20)

void
server_program(const char *name, char *path, size_t cap)
{
	const char *bin = getenv("RINGCAST_BIN");

	snprintf(path, cap, "%s/%s", bin != NULL ? bin : "build/release", name);
}

/* A port that nobody has, below the ephemeral range, so that no client's own port can take it. */
static uint16_t
free_port(void)
{
	uint64_t random = wire_now_ns() ^ (uint64_t)getpid() << 32;

	for (unsigned i = 0; i < 200; i++) {
		uint16_t port = (uint16_t)(12000 + wire_random(&random) % 18000);
		struct sockaddr_in a = {.sin_family = AF_INET,
		    .sin_port = htons(port),
		    .sin_addr.s_addr = htonl(0x7f000001u)};
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		bool taken = bind(fd, (struct sockaddr *)&a, sizeof a) == -1 || listen(fd, 1) == -1;

		close(fd);
		if (!taken)
			return port;
	}
	return 0;
}

void
server_configure(struct server *s, const char *members)
{
	const char *io = getenv("E2E_IO");
	FILE *f = fopen(s->config, "w");

	if (f == NULL)
		return;
	fprintf(f, "{\"listen\": [\"127.0.0.1:%u\"", s->port);
	if (s->options.everywhere)
		fprintf(f, ", \"[::1]:%u\", \"unix:%s\"", s->port, s->public_socket);
	if (io != NULL && (members == NULL || strstr(members, "\"io\"") == NULL))
		fprintf(f, "], \"io\": \"%s\", \"socket\": ", io);
	else
		fprintf(f, "], \"socket\": ");
	fprintf(f, "\"%s\", \"workers\": %u, \"ring_bytes\": %s%s%s}\n", s->socket,
	    s->options.workers, s->options.ring_bytes, members != NULL ? ", " : "",
	    members != NULL ? members : "");
	fclose(f);
}

/* The child's side of a start: limits, log, exec. Only what is safe between fork and exec. */
static void
become_server(const struct server *s, const char *program, pid_t parent)
{
	int log = open(s->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct rlimit limit = {s->options.descriptors, s->options.descriptors};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || log == -1 || null == -1)
		_exit(126);
	dup2(null, STDIN_FILENO);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGALRM, SIG_DFL);
	alarm(0);
	if (s->options.descriptors != 0)
		setrlimit(RLIMIT_NOFILE, &limit);
	if (s->options.cpu != 0)
		proc_pin(0, s->options.cpu - 1);
	execl(program, program, "--config", s->config, (char *)NULL);
	_exit(127);
}

static void
note_log_end(const struct server *s)
{
	char line[512];
	FILE *f = fopen(s->log, "r");
	long len;

	if (f == NULL)
		return;
	fseek(f, 0, SEEK_END);
	len = ftell(f);
	fseek(f, len > 3000 ? len - 3000 : 0, SEEK_SET);
	while (fgets(line, sizeof line, f) != NULL)
		tap_note("log: %.*s", (int)strcspn(line, "\n"), line);
	fclose(f);
}

static bool
ready(struct server *s)
{
	char buffer[4096], resource[128];
	struct wire_http answer;

	snprintf(resource, sizeof resource, "%s/readyz",
	    s->options.prefix != NULL ? s->options.prefix : "");
	return wire_call(server_public(s), "GET", resource, NULL, (struct text){NULL, 0}, buffer,
		   sizeof buffer, &answer) &&
	       answer.status == 200;
}

bool
server_start(struct server *s, const struct server_options *options)
{
	char program[512];
	uint64_t deadline;
	pid_t parent = getpid();
	int status;

	*s = (struct server){.options = *options};
	if (s->options.workers == 0)
		s->options.workers = 2;
	if (s->options.ring_bytes == NULL)
		s->options.ring_bytes = "\"64MiB\"";
	snprintf(s->dir, sizeof s->dir, "/tmp/ringcast-test-XXXXXX");
	if (mkdtemp(s->dir) == NULL)
		return false;
	if (s->options.socket != NULL)
		snprintf(s->socket, sizeof s->socket, "%s", s->options.socket);
	else
		snprintf(s->socket, sizeof s->socket, "%s/publish.sock", s->dir);
	snprintf(s->public_socket, sizeof s->public_socket, "%s/public.sock", s->dir);
	snprintf(s->config, sizeof s->config, "%s/config.json", s->dir);
	snprintf(s->log, sizeof s->log, "%s/log", s->dir);
	s->port = free_port();
	server_configure(s, s->options.members);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	server_program("ringcastd", program, sizeof program);
	s->pid = fork();
	if (s->pid == 0)
		become_server(s, program, parent);
	deadline = wire_now_ms() + (s->options.ready_ms != 0 ? s->options.ready_ms : READY_MS);
	while (wire_now_ms() < deadline) {
		if (ready(s))
			return true;
		if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
			tap_note("%s ended at start, status %#x", program, (unsigned)status);
			s->pid = 0;
			note_log_end(s);
			return false;
		}
		wire_sleep_ms(20);
	}
	tap_note("%s is not ready; see %s", program, s->dir);
	note_log_end(s);
	return false;
}

/* Collects what a program writes until it ends or is out of time; then its status. */
static int
collect(pid_t pid, int fd, char *output, size_t cap, uint64_t deadline)
{
	size_t have = 0;
	bool open_end = true;
	int status;

	for (;;) {
		struct pollfd p = {fd, POLLIN, 0};
		char spill[512];
		bool full = have >= cap - 1;
		ssize_t n;

		if (open_end && poll(&p, 1, 50) == 1) {
			n = read(
			    fd, full ? spill : output + have, full ? sizeof spill : cap - 1 - have);
			open_end = n > 0;
			if (n > 0 && !full)
				have += (size_t)n;
			output[have] = '\0';
			continue;
		}
		if (waitpid(pid, &status, open_end ? WNOHANG : 0) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (wire_now_ms() > deadline) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
	}
}

int
server_run(const char *const argv[], const char *input, char *output, size_t cap, unsigned ms)
{
	char program[512];
	int out[2], in[2], result;
	pid_t pid, parent = getpid();

	output[0] = '\0';
	server_program(argv[0], program, sizeof program);
	if (pipe2(out, O_CLOEXEC) == -1 || pipe2(in, O_CLOEXEC) == -1)
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(126);
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		signal(SIGPIPE, SIG_DFL);
		alarm(0);
		execv(program, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(out[1]);
	close(in[0]);
	if (input != NULL && write(in[1], input, strlen(input)) == -1)
		tap_note("%s does not read its input", argv[0]);
	close(in[1]);
	result = collect(pid, out[0], output, cap, wire_now_ms() + ms);
	close(out[0]);
	return result;
}

size_t
server_workers(const struct server *s, pid_t pids[SERVER_WORKERS_MAX])
{
	return proc_children(s->pid, pids, SERVER_WORKERS_MAX);
}

struct wire_target
server_public(const struct server *s)
{
	return (struct wire_target){s->port, NULL};
}

struct wire_target
server_private(const struct server *s)
{
	return (struct wire_target){0, s->socket};
}

/*
 * Lines of the log that contain one of the `texts` (ended by NULL) and not `except`; the first goes
 * to `sample`.
 */
static unsigned
log_lines(
    const struct server *s, const char *const *texts, const char *except, char *sample, size_t cap)
{
	FILE *f = fopen(s->log, "r");
	char *line = NULL;
	size_t line_cap = 0;
	unsigned count = 0;

	if (f == NULL)
		return 0;
	while (getline(&line, &line_cap, f) != -1)
		for (size_t i = 0; texts[i] != NULL; i++) {
			if (strstr(line, texts[i]) == NULL ||
			    (except != NULL && strstr(line, except) != NULL))
				continue;
			if (count++ == 0 && sample != NULL)
				snprintf(sample, cap, "%.*s", (int)strcspn(line, "\n"), line);
			break;
		}
	free(line);
	fclose(f);
	return count;
}

unsigned
server_log_count(const struct server *s, const char *text)
{
	return log_lines(s, (const char *const[]){text, NULL}, NULL, NULL, 0);
}

bool
server_log_has(const struct server *s, const char *text, unsigned ms)
{
	uint64_t deadline = wire_now_ms() + ms;

	while (server_log_count(s, text) == 0) {
		if (wire_now_ms() >= deadline)
			return false;
		wire_sleep_ms(20);
	}
	return true;
}

static void
remove_directory(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *entry;
	char name[512];

	if (d == NULL)
		return;
	while ((entry = readdir(d)) != NULL) {
		snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(name);
	}
	closedir(d);
	rmdir(path);
}

/* Names in /dev/shm that look like ours: the segment must be anonymous. */
static unsigned
named_segments(void)
{
	DIR *d = opendir("/dev/shm");
	struct dirent *entry;
	unsigned count = 0;

	if (d == NULL)
		return 0;
	while ((entry = readdir(d)) != NULL)
		count += strstr(entry->d_name, "ringcast") != NULL;
	closedir(d);
	return count;
}

/* Waits until no child is left; kills and counts those that stay. */
static unsigned
leftover_children(void)
{
	uint64_t deadline = wire_now_ms() + STOP_MS;
	unsigned left = 0;
	pid_t children[SERVER_WORKERS_MAX];

	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid == -1)
			return left;
		if (pid == 0 && wire_now_ms() < deadline) {
			wire_sleep_ms(10);
		} else if (pid == 0) {
			size_t n = proc_children(getpid(), children, SERVER_WORKERS_MAX);

			for (size_t i = 0; i < n; i++)
				kill(children[i], SIGKILL);
			left += (unsigned)n;
			deadline = wire_now_ms() + 1000;
		}
	}
}

void
server_aftermath(struct tap *t, struct server *s, const char *expected)
{
	static const char *const sanitizers[] = {"ERROR: AddressSanitizer",
	    "runtime error:", "LeakSanitizer", "ThreadSanitizer", "Assertion", NULL};
	static const char *const errors[] = {"<3>", "<2>", "<1>", "<0>", NULL};
	char sample[400] = "";
	unsigned before = t->failed, n;

	n = leftover_children();
	tap_check(t, n == 0, "no child left behind (%u)", n);
	n = log_lines(s, sanitizers, NULL, sample, sizeof sample);
	tap_check(t, n == 0, "no sanitizer report and no failed assertion (%u) %s", n, sample);
	sample[0] = '\0';
	n = log_lines(s, errors, expected, sample, sizeof sample);
	tap_check(t, n == 0, "no unexpected error in the log (%u) %s", n, sample);
	n = named_segments();
	tap_check(t, n == 0, "no named shared segment (%u)", n);
	tap_check(
	    t, access(s->socket, F_OK) == -1 || s->pid == 0, "the publish socket's file is gone");
	if (t->failed == before && getenv("E2E_KEEP") == NULL)
		remove_directory(s->dir);
	else
		tap_note("log and configuration: %s", s->dir);
}

void
server_stop(struct tap *t, struct server *s, const char *expected)
{
	uint64_t started = wire_now_ms();
	int status = -1;
	pid_t pid = 0;

	if (s->pid <= 0) {
		tap_check(t, false, "there is a server to stop");
		return;
	}
	kill(s->pid, SIGTERM);
	while (pid == 0 && wire_now_ms() < started + STOP_MS) {
		pid = waitpid(s->pid, &status, WNOHANG);
		if (pid == 0)
			wire_sleep_ms(5);
	}
	if (pid == 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, &status, 0);
	}
	tap_check(t, pid == s->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "SIGTERM ends the server with exit status 0 (status %#x after %llu ms)",
	    (unsigned)status, (unsigned long long)(wire_now_ms() - started));
	server_aftermath(t, s, expected);
	s->pid = 0;
}
