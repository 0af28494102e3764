/*
 * bench_event.c: see bench_event.h.
 */
#include "master/ctl/bench_event.h"

#include <stdio.h>
#include <string.h>

#define HEAD_BYTES 57 /* before the filling */

static const char mark[] = "rcb:";

void
bench_event_render(struct out *o, const struct bench_event *e)
{
	char head[HEAD_BYTES + 1];
	size_t left = e->size - HEAD_BYTES - 1;
	char filling[256];

	snprintf(head, sizeof head, "%s%08x:%08x:%08x:%016llx:%08x:", mark, e->channel, e->sequence,
	    e->number, (unsigned long long)e->published_ns, e->size);
	out_bytes(o, head, HEAD_BYTES);
	memset(filling, 'x', sizeof filling);
	for (; left > 0; left -= left < sizeof filling ? left : sizeof filling)
		out_bytes(o, filling, left < sizeof filling ? left : sizeof filling);
	out_char(o, ';');
}

/* A field of so many digits with its colon. */
static bool
take_hex(const char **at, unsigned digits, uint64_t *value)
{
	*value = 0;
	for (; digits > 0; digits--, ++*at) {
		const char c = **at;

		if (c >= '0' && c <= '9')
			*value = *value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*value = *value << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	return *(*at)++ == ':';
}

static bool
take_head(const char *at, struct bench_event *e)
{
	uint64_t channel, sequence, number, size;

	at += sizeof mark - 1;
	if (!take_hex(&at, 8, &channel) || !take_hex(&at, 8, &sequence) ||
	    !take_hex(&at, 8, &number) || !take_hex(&at, 16, &e->published_ns) ||
	    !take_hex(&at, 8, &size))
		return false;
	e->channel = (uint32_t)channel;
	e->sequence = (uint32_t)sequence;
	e->number = (uint32_t)number;
	e->size = (uint32_t)size;
	return size >= BENCH_EVENT_BYTES_MIN;
}

enum bench_event_found
bench_event_find(struct slice in, struct bench_event *e, size_t *used)
{
	const char *at = in.len == 0 ? NULL : memmem(in.bytes, in.len, mark, sizeof mark - 1);
	size_t left;

	*used = in.len;
	if (at == NULL)
		return BENCH_EVENT_NONE;
	left = in.len - (size_t)(at - in.bytes);
	if (left < BENCH_EVENT_BYTES_MIN || !take_head(at, e) || left < e->size ||
	    at[e->size - 1] != ';') {
		*used = (size_t)(at - in.bytes) + sizeof mark - 1;
		return BENCH_EVENT_DAMAGED;
	}
	*used = (size_t)(at - in.bytes) + e->size;
	/* All of the filling is the same as the byte before it. */
	at += HEAD_BYTES;
	if (*at != 'x' || memcmp(at, at + 1, e->size - HEAD_BYTES - 2) != 0)
		return BENCH_EVENT_DAMAGED;
	return BENCH_EVENT_WHOLE;
}
