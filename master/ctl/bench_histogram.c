/*
 * bench_histogram.c: see bench_histogram.h.
 */
#include "master/ctl/bench_histogram.h"

#define SHARE_BITS 5 /* of an octave: 32 buckets */
#define SHARE (1u << SHARE_BITS)

static unsigned
bucket_of(uint64_t ns)
{
	unsigned octave;

	if (ns < SHARE)
		return (unsigned)ns;
	octave = 63 - (unsigned)__builtin_clzll(ns) - SHARE_BITS;
	return (octave << SHARE_BITS) + (unsigned)(ns >> octave);
}

uint64_t
bench_histogram_top(unsigned bucket)
{
	unsigned octave;

	if (bucket < SHARE)
		return bucket;
	octave = (bucket >> SHARE_BITS) - 1;
	return ((uint64_t)(bucket & (SHARE - 1)) + SHARE + 1) << octave;
}

void
bench_histogram_add(struct bench_histogram *h, uint64_t ns)
{
	h->count++;
	if (ns > h->max_ns)
		h->max_ns = ns;
	h->buckets[bucket_of(ns)]++;
}

void
bench_histogram_merge(struct bench_histogram *to, const struct bench_histogram *from)
{
	to->count += from->count;
	if (from->max_ns > to->max_ns)
		to->max_ns = from->max_ns;
	for (unsigned i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++)
		to->buckets[i] += from->buckets[i];
}

uint64_t
bench_histogram_at(const struct bench_histogram *h, double share)
{
	const double goal = share * (double)h->count;
	uint64_t seen = 0;

	if (h->count == 0)
		return 0;
	for (unsigned i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++) {
		const uint64_t top = bench_histogram_top(i);

		seen += h->buckets[i];
		if ((double)seen >= goal && seen != 0)
			return top < h->max_ns ? top : h->max_ns;
	}
	return h->max_ns;
}
