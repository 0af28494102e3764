/*
 * guard_bench.h: where inputs and scratch lie in tests that need both: each ends at a forbidden page. Set up and torn down
 * by cmocka (bench_open, bench_close).
 */
#ifndef TESTS_UNIT_PROTO_GUARD_BENCH_H
#define TESTS_UNIT_PROTO_GUARD_BENCH_H

#include <stdlib.h>

#include "tests/unit/proto/guard.h"

struct bench {
	struct guard input;
	struct guard scratch;
	struct out out;
};

static inline int
bench_open(void **state)
{
	struct bench *b = calloc(1, sizeof *b);

	if (b == NULL)
		return -1;
	guard_open(&b->input, 4096);
	guard_open(&b->scratch, 4096);
	*state = b;
	return 0;
}

static inline int
bench_close(void **state)
{
	struct bench *b = *state;

	guard_close(&b->input);
	guard_close(&b->scratch);
	free(b);
	return 0;
}

#endif
