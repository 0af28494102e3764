/*
 * bench_histogram.h: times in buckets of 3 % width, so that millions of deliveries cost 15 KiB and can be added up over processes.
 */
#ifndef MASTER_CTL_BENCH_HISTOGRAM_H
#define MASTER_CTL_BENCH_HISTOGRAM_H

#include <stdint.h>

#define BENCH_HISTOGRAM_BUCKETS 1920 /* 32 an octave, 60 octaves */

struct bench_histogram {
	uint64_t count;
	uint64_t max_ns;
	uint64_t buckets[BENCH_HISTOGRAM_BUCKETS];
};

void bench_histogram_add(struct bench_histogram *h, uint64_t ns);
void bench_histogram_merge(struct bench_histogram *to, const struct bench_histogram *from);

/* The time that this share (0 to 1) of all is not above, in ns, at most 3 % too large; 0 when nothing was added. */
uint64_t bench_histogram_at(const struct bench_histogram *h, double share);

/* The upper end of a bucket, in ns. */
uint64_t bench_histogram_top(unsigned bucket);

#endif
