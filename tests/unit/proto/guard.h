/*
 * guard.h: memory that ends at a page nobody may touch, so that a parser which reads one byte too
 * far dies where it does it.
 */
#ifndef TESTS_UNIT_PROTO_GUARD_H
#define TESTS_UNIT_PROTO_GUARD_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct guard {
	char *base;
	size_t cap; /* usable bytes: whole pages, before the forbidden one */
	size_t page;
};

static inline void
guard_open(struct guard *g, size_t cap)
{
	g->page = (size_t)sysconf(_SC_PAGESIZE);
	g->cap = (cap + g->page - 1) / g->page * g->page;
	if (g->cap == 0)
		g->cap = g->page;
	g->base = mmap(
	    NULL, g->cap + g->page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g->base == MAP_FAILED || mprotect(g->base + g->cap, g->page, PROT_NONE) == -1)
		abort();
}

static inline void
guard_close(struct guard *g)
{
	if (munmap(g->base, g->cap + g->page) == -1)
		abort();
}

/* The last len bytes before the forbidden page. */
static inline char *
guard_end(const struct guard *g, size_t len)
{
	if (len > g->cap)
		abort();
	return g->base + g->cap - len;
}

/* The same, filled with a copy of the bytes. */
static inline char *
guard_copy(const struct guard *g, const char *bytes, size_t len)
{
	char *end = guard_end(g, len);

	if (len != 0)
		memcpy(end, bytes, len);
	return end;
}

#endif
