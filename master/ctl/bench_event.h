/*
 * bench_event.h: the data of an event of `ringcast bench`: text that can be recognised in whatever a server makes of it.
 *
 *     rcb:channel :sequence:number  :published       :size    :xxxxxxx;      hexadecimal, size bytes in all
 *     rcb:00000002:0000001f:00000042:000001a2b3c4d5e6:00000080:xxxxxxx;
 *
 * Nothing in it needs escaping in JSON, in an event stream, or in a URL.
 */
#ifndef MASTER_CTL_BENCH_EVENT_H
#define MASTER_CTL_BENCH_EVENT_H

#include "proto/slice.h"

#define BENCH_EVENT_BYTES_MIN 64

struct bench_event {
	uint32_t channel;
	uint32_t sequence;     /* within its channel, from 1 */
	uint32_t number;       /* of all events of the run, from 1 */
	uint32_t size;         /* bytes of data */
	uint64_t published_ns; /* CLOCK_MONOTONIC */
};

/* Appends the data: exactly e->size bytes, at least BENCH_EVENT_BYTES_MIN. */
void bench_event_render(struct out *o, const struct bench_event *e);

enum bench_event_found { BENCH_EVENT_NONE, BENCH_EVENT_WHOLE, BENCH_EVENT_DAMAGED };

/* The first event in `in`; *used is how many bytes lie before its end (all of them when there is none). */
enum bench_event_found bench_event_find(struct slice in, struct bench_event *e, size_t *used);

#endif
