/*
 * ring_bench.c: what the ring costs, in nanoseconds: append, commit, peek, copy, next, seek.
 *
 *	usage: ring_bench [millions of appends, default 2]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shm/ring_read.h"
#include "shm/ring_seek.h"
#include "shm/ring_write.h"

#define BIRTH_MS UINT64_C(1763856000000)

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void
report(const char *what, double start, uint64_t count)
{
	printf("%-34s %8.1f ns\n", what, (now_ns() - start) / (double)count);
}

static void
appends(struct ring_write *w, const char *what, size_t data_len, unsigned channels, uint64_t count,
    unsigned batch)
{
	static const char data[4096];
	double start = now_ns();
	char name[32];
	uint64_t id;

	for (uint64_t i = 0; i < count; i++) {
		struct record_slice channel;
		struct ring_write_event event = {.channels = &channel,
		    .channels_count = 1,
		    .type = {"message", 7},
		    .data = {data, data_len},
		    .now_ms = BIRTH_MS + i / 1000};

		channel.bytes = name;
		channel.len = (size_t)snprintf(name, sizeof name, "c%u", (unsigned)(i % channels));
		if (ring_write_append(w, &event, &id) != RING_OK)
			abort();
		if (i % batch == 0)
			ring_write_commit(w);
	}
	ring_write_commit(w);
	report(what, start, count);
}

static void
reads(struct ring *r)
{
	static _Alignas(8) unsigned char buffer[1 << 16];
	uint64_t position, count = 0, next, next_id, hash = ring_hash(r, "c0", 2);
	struct record record;
	struct ring_seek seek;
	double start = now_ns();

	for (position = ring_read_oldest(r);
	     ring_read_peek(r, position, buffer, sizeof buffer, &record) == RING_OK;
	     position = record.following)
		count++;
	report("peek", start, count);
	start = now_ns();
	for (position = ring_read_oldest(r);
	     ring_read_copy(r, position, buffer, sizeof buffer, &record) == RING_OK;
	     position = record.following)
		;
	report("copy", start, count);
	start = now_ns();
	ring_seek_after(&seek, r, "c0", 2, 0);
	while (ring_seek_step(&seek, 1000) == RING_MORE)
		;
	count = 1;
	position = seek.position;
	next_id = seek.id;
	start = now_ns();
	while (ring_seek_next(r, "c0", 2, hash, position, next_id, &next, &next_id) == RING_OK) {
		position = next;
		count++;
	}
	report("next in channel", start, count);
	start = now_ns();
	ring_seek_after(&seek, r, "c0", 2, 0);
	while (ring_seek_step(&seek, 1000) == RING_MORE)
		;
	report("seek, per record walked back", start, count);
	start = now_ns();
	for (int i = 0; i < 100000; i++) {
		ring_seek_after(&seek, r, "c0", 2, next_id);
		ring_seek_step(&seek, 1000);
	}
	report("seek that finds nothing newer", start, 100000);
}

int
main(int argc, char **argv)
{
	uint64_t count = (argc > 1 ? strtoull(argv[1], NULL, 10) : 2) * 1000000;
	struct ring_write *w;

	if (ring_write_create(&w, LIMIT_RING_BYTES_DEFAULT, BIRTH_MS) != SEGMENT_OK)
		return 1;
	appends(w, "append 128 B, 10,000 channels", 128, 10000, count, 1);
	appends(w, "append 1 KiB, 1 channel", 1024, 1, count / 4, 1);
	appends(w, "append 128 B, 1 channel, batch 32", 128, 1, count, 32);
	appends(w, "append 128 B, 1 channel", 128, 1, count, 1);
	reads(ring_write_ring(w));
	ring_write_close(w);
	return 0;
}
