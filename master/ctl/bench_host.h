/*
 * bench_host.h: what the machine and the server's processes use: CPU, memory, from /proc. Everything may be unknown: the server may be
 * elsewhere, or somebody else's.
 */
#ifndef MASTER_CTL_BENCH_HOST_H
#define MASTER_CTL_BENCH_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_HOST_PIDS_MAX 1024

struct bench_host {
	pid_t pids[BENCH_HOST_PIDS_MAX];
	uint64_t
	    cpu_ns[BENCH_HOST_PIDS_MAX]; /* of each when it was last seen: that of the dead stays */
	unsigned pid_count;
};

struct bench_host_memory {
	uint64_t pss_bytes;    /* of the server's processes; 0: may not be read */
	uint64_t kernel_bytes; /* Slab, and TCP's buffers: of the whole machine */
	uint64_t available_bytes;
};

struct bench_host_cpu {
	uint64_t server_ns;  /* of the server's processes */
	uint64_t busy_ticks; /* of the whole machine */
	uint64_t idle_ticks;
};

/* Takes these processes and all of their children as the server; none: then nothing is known of it. */
void bench_host_find(struct bench_host *h, const pid_t *pids, unsigned count);

struct bench_host_memory bench_host_memory(const struct bench_host *h);
struct bench_host_cpu bench_host_cpu(struct bench_host *h);

/* The ringcastd at the other end of a Unix socket; 0: unknown, or another program that had made the socket. */
pid_t bench_host_peer(int fd);

#endif
