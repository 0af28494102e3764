/*
 * proc.h: what /proc tells of a process: children, memory, CPU, descriptors. For tests and
 * benchmarks of a running server.
 */
#ifndef TESTS_LIB_PROC_H
#define TESTS_LIB_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Children of a process, of all its threads; returns how many (at most cap are stored). */
size_t proc_children(pid_t pid, pid_t *children, size_t cap);
/* Open descriptors; 0 when the process is gone. */
unsigned proc_descriptors(pid_t pid);
/*
 * A figure of /proc/PID/smaps_rollup in KiB: "Pss", "Anonymous", "Pss_Shmem"; 0 when it is not
 * there.
 */
uint64_t proc_memory_kib(pid_t pid, const char *name);
/*
 * CPU time used so far by all threads, user and system, in ns (schedstat; clock ticks where that is
 * missing).
 */
uint64_t proc_cpu_ns(pid_t pid);
/* State letter of /proc/PID/stat, 0 when the process is gone. */
char proc_state(pid_t pid);
/* A figure of /proc/meminfo in KiB. */
uint64_t proc_meminfo_kib(const char *name);
/* "mem" of the TCP line of /proc/net/sockstat, in bytes. */
uint64_t proc_tcp_memory_bytes(void);
bool proc_pin(pid_t pid, int cpu);

#endif
