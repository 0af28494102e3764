/*
 * bench_host.c: see bench_host.h.
 */
#include "master/ctl/bench_host.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A small file of /proc as text; false when it cannot be read. */
static bool
read_text(const char *path, char *text, size_t cap)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd == -1)
		return false;
	while (len + 1 < cap && (n = read(fd, text + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(fd);
	return len != 0;
}

/* The number behind a name at the start of a line; 0: there is none. */
static uint64_t
number_behind(const char *text, const char *name)
{
	const size_t len = strlen(name);

	while (text != NULL && strncmp(text, name, len) != 0) {
		text = strchr(text, '\n');
		text = text == NULL ? NULL : text + 1;
	}
	return text == NULL ? 0 : strtoull(text + len, NULL, 10);
}

/* Fields of /proc/PID/stat behind the name, which may hold spaces and brackets. */
static const char *
stat_fields(pid_t pid, char *text, size_t cap)
{
	char path[64];
	const char *name_end;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if (!read_text(path, text, cap) || (name_end = strrchr(text, ')')) == NULL)
		return NULL;
	return name_end + 2;
}

/* ---- whose -------------------------------------------------------------------------------------- */

static bool
is_known(const struct bench_host *h, pid_t pid)
{
	for (unsigned i = 0; i < h->pid_count; i++)
		if (h->pids[i] == pid)
			return true;
	return false;
}

/* One look at all processes: those whose parent is known become known. True: there was one. */
static bool
add_children(struct bench_host *h)
{
	DIR *all = opendir("/proc");
	struct dirent *entry;
	bool added = false;

	while (all != NULL && (entry = readdir(all)) != NULL) {
		const pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		char text[1024];
		const char *fields;
		int parent;

		if (pid <= 0 || is_known(h, pid) || h->pid_count == BENCH_HOST_PIDS_MAX)
			continue;
		fields = stat_fields(pid, text, sizeof text);
		if (fields == NULL || sscanf(fields, "%*c %d", &parent) != 1 ||
		    !is_known(h, (pid_t)parent))
			continue;
		h->pids[h->pid_count++] = pid;
		added = true;
	}
	if (all != NULL)
		closedir(all);
	return added;
}

void
bench_host_find(struct bench_host *h, const pid_t *pids, unsigned count)
{
	*h = (struct bench_host){.pid_count = 0};
	for (unsigned i = 0; i < count && i < BENCH_HOST_PIDS_MAX; i++)
		h->pids[h->pid_count++] = pids[i];
	while (h->pid_count != 0 && add_children(h))
		continue;
}

pid_t
bench_host_peer(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	char path[64], name[32];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == -1)
		return 0;
	/* A socket that was passed on is systemd's, and all processes are its children. */
	snprintf(path, sizeof path, "/proc/%d/comm", (int)peer.pid);
	return read_text(path, name, sizeof name) && strcmp(name, "ringcastd\n") == 0 ? peer.pid
										      : 0;
}

/* ---- how much ----------------------------------------------------------------------------------- */

struct bench_host_memory
bench_host_memory(const struct bench_host *h)
{
	struct bench_host_memory m = {.pss_bytes = 0};
	char path[64], text[8192];
	const char *at;

	for (unsigned i = 0; i < h->pid_count; i++) {
		snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)h->pids[i]);
		if (read_text(path, text, sizeof text))
			m.pss_bytes += number_behind(text, "Pss:") << 10;
	}
	if (read_text("/proc/meminfo", text, sizeof text)) {
		m.kernel_bytes = number_behind(text, "Slab:") << 10;
		m.available_bytes = number_behind(text, "MemAvailable:") << 10;
	}
	if (read_text("/proc/net/sockstat", text, sizeof text) &&
	    (at = strstr(text, "TCP: ")) != NULL && (at = strstr(at, " mem ")) != NULL)
		m.kernel_bytes += strtoull(at + 5, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
	return m;
}

/* Of all its threads, those that have ended, too. 0: it is gone. */
static uint64_t
cpu_of(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) == -1)
		return 0;
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

struct bench_host_cpu
bench_host_cpu(struct bench_host *h)
{
	struct bench_host_cpu cpu = {.server_ns = 0};
	unsigned long long user, nice, system, idle, waiting, irq, softirq, steal;
	char text[8192];

	for (unsigned i = 0; i < h->pid_count; i++) {
		const uint64_t now = cpu_of(h->pids[i]);

		h->cpu_ns[i] = now > h->cpu_ns[i] ? now : h->cpu_ns[i];
		cpu.server_ns += h->cpu_ns[i];
	}
	if (read_text("/proc/stat", text, sizeof text) &&
	    sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system,
		&idle, &waiting, &irq, &softirq, &steal) == 8) {
		cpu.busy_ticks = user + nice + system + irq + softirq + steal;
		cpu.idle_ticks = idle + waiting;
	}
	return cpu;
}
