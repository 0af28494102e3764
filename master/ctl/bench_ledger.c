/*
 * bench_ledger.c: see bench_ledger.h.
 */
#include "master/ctl/bench_ledger.h"

#include <stdlib.h>
#include <string.h>

#define REACH_MAX (1u << 22) /* events that times to the last client are kept of */

/* Room for one more; false: no memory, or more than max. */
static bool
grow(void **items, uint32_t count, uint32_t *cap, size_t size, uint32_t max)
{
	const uint32_t wanted = *cap == 0 ? 64 : *cap * 2;
	void *grown;

	if (count < *cap)
		return true;
	if (count >= max)
		return false;
	grown = realloc(*items, wanted * size);
	if (grown == NULL)
		return false;
	*items = grown;
	*cap = wanted;
	return true;
}

static void
add_hole(struct bench_ledger *l, struct bench_hole hole)
{
	if (grow((void **)&l->holes, l->hole_count, &l->hole_cap, sizeof *l->holes, UINT32_MAX / 2))
		l->holes[l->hole_count++] = hole;
}

/* An event before the one that is due: it fills a hole, or was there already. */
static void
enter_earlier(struct bench_ledger *l, const struct bench_account *account, uint32_t sequence)
{
	for (uint32_t i = 0; i < l->hole_count; i++) {
		struct bench_hole *hole = &l->holes[i];
		const struct bench_hole rest = {
		    hole->client, sequence + 1, hole->to, hole->declared};

		if (hole->client != account->client || sequence < hole->from ||
		    sequence >= hole->to)
			continue;
		--*(hole->declared ? &l->tally.declared : &l->tally.lost);
		l->tally.late++;
		l->tally.received++;
		hole->to = sequence;
		if (hole->from == hole->to)
			*hole = l->holes[--l->hole_count];
		if (rest.from < rest.to)
			add_hole(l, rest);
		return;
	}
	l->tally.twice++;
}

static void
note_time(struct bench_ledger *l, const struct bench_event *e, uint64_t now_ns)
{
	const uint32_t at = e->number - l->first;

	if (l->first == 0 || e->number < l->first)
		return;
	bench_histogram_add(&l->latency, now_ns > e->published_ns ? now_ns - e->published_ns : 0);
	while (l->reach_count <= at) {
		if (!grow((void **)&l->reach, l->reach_count, &l->reach_cap, sizeof *l->reach,
			REACH_MAX))
			return;
		l->reach[l->reach_count++] = (struct bench_reach){.count = 0};
	}
	l->reach[at].count++;
	l->reach[at].last_ns = now_ns;
}

void
bench_ledger_enter(struct bench_ledger *l, struct bench_account *account,
    const struct bench_event *e, uint64_t now_ns)
{
	if (e->channel != account->channel) {
		l->tally.foreign++;
		return;
	}
	l->tally.last_ns = now_ns;
	if (account->next != 0 && e->sequence < account->next) {
		enter_earlier(l, account, e->sequence);
		return;
	}
	if (account->next != 0 && e->sequence > account->next) {
		const struct bench_hole hole = {
		    account->client, account->next, e->sequence, account->gap};

		*(hole.declared ? &l->tally.declared : &l->tally.lost) += hole.to - hole.from;
		add_hole(l, hole);
	}
	account->next = e->sequence + 1;
	account->gap = false;
	l->tally.received++;
	note_time(l, e, now_ns);
}

void
bench_ledger_measure(struct bench_ledger *l, uint32_t first)
{
	memset(&l->latency, 0, sizeof l->latency);
	l->reach_count = 0;
	l->first = first;
}

void
bench_ledger_free(struct bench_ledger *l)
{
	free(l->holes);
	free(l->reach);
	*l = (struct bench_ledger){.first = 0};
}
