/*
 * proc.c: readers of /proc (proc.h).
 */
#include "tests/lib/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reads a small file as a string; false when it cannot be read. */
static bool
slurp(const char *path, char *buffer, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	ssize_t n;

	if (fd == -1)
		return false;
	while (have < cap - 1 && (n = read(fd, buffer + have, cap - 1 - have)) > 0)
		have += (size_t)n;
	buffer[have] = '\0';
	close(fd);
	return have != 0;
}

/* Calls `each` with the number of every numeric entry of a directory. */
static void
numbered(const char *path, void (*each)(void *context, pid_t number), void *context)
{
	DIR *d = opendir(path);
	struct dirent *entry;

	if (d == NULL)
		return;
	while ((entry = readdir(d)) != NULL)
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			each(context, (pid_t)strtol(entry->d_name, NULL, 10));
	closedir(d);
}

struct child_list {
	pid_t parent;
	pid_t *children;
	size_t count, cap;
};

static void
add_children_of_thread(void *context, pid_t thread)
{
	struct child_list *list = context;
	char path[96], text[16384], *at = text, *stop;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)list->parent, (int)thread);
	if (!slurp(path, text, sizeof text))
		return;
	for (;;) {
		long pid = strtol(at, &stop, 10);

		if (stop == at)
			return;
		if (list->count < list->cap)
			list->children[list->count] = (pid_t)pid;
		list->count++;
		at = stop;
	}
}

size_t
proc_children(pid_t pid, pid_t *children, size_t cap)
{
	struct child_list list = {pid, children, 0, cap};
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	numbered(path, add_children_of_thread, &list);
	return list.count < cap ? list.count : cap;
}

static void
count_one(void *context, pid_t number)
{
	(void)number;
	++*(unsigned *)context;
}

unsigned
proc_descriptors(pid_t pid)
{
	char path[64];
	unsigned count = 0;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	numbered(path, count_one, &count);
	return count;
}

/* The number after "name:" at the start of a line. */
static uint64_t
figure(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) == 0 && line[len] == ':')
			return strtoull(line + len + 1, NULL, 10);
	}
	return 0;
}

uint64_t
proc_memory_kib(pid_t pid, const char *name)
{
	char path[64], text[4096];

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
	return slurp(path, text, sizeof text) ? figure(text, name) : 0;
}

struct cpu_sum {
	pid_t pid;
	uint64_t ns;
};

static void
add_thread_cpu(void *context, pid_t thread)
{
	struct cpu_sum *sum = context;
	char path[96], text[256];

	snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", (int)sum->pid, (int)thread);
	if (slurp(path, text, sizeof text))
		sum->ns += strtoull(text, NULL, 10);
}

/* Fields of /proc/PID/stat after the name, which may hold anything. */
static const char *
stat_fields(pid_t pid, char *text, size_t cap)
{
	char path[64];
	const char *at;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if (!slurp(path, text, cap))
		return NULL;
	at = strrchr(text, ')');
	return at != NULL ? at + 2 : NULL;
}

uint64_t
proc_cpu_ns(pid_t pid)
{
	struct cpu_sum sum = {pid, 0};
	char path[64], text[1024];
	const char *at;
	unsigned long long user, system;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	numbered(path, add_thread_cpu, &sum);
	if (sum.ns != 0)
		return sum.ns;
	at = stat_fields(pid, text, sizeof text);
	if (at == NULL || sscanf(at, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
			      &system) != 2)
		return 0;
	return (uint64_t)(user + system) * (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK));
}

char
proc_state(pid_t pid)
{
	char text[1024];
	const char *at = stat_fields(pid, text, sizeof text);

	return at != NULL ? *at : 0;
}

uint64_t
proc_meminfo_kib(const char *name)
{
	char text[8192];

	return slurp("/proc/meminfo", text, sizeof text) ? figure(text, name) : 0;
}

uint64_t
proc_tcp_memory_bytes(void)
{
	char text[4096];
	const char *at;

	if (!slurp("/proc/net/sockstat", text, sizeof text))
		return 0;
	at = strstr(text, "TCP: ");
	at = at != NULL ? strstr(at, " mem ") : NULL;
	return at != NULL ? strtoull(at + 5, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

bool
proc_pin(pid_t pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	return sched_setaffinity(pid, sizeof set, &set) == 0;
}
