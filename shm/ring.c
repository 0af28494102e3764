/*
 * ring.c: the mapped ring as reader and writer share it: geometry, words, hashes, counters.
 */
#include <string.h>
#include <unistd.h>

#include "shm/index.h"
#include "shm/ring.h"
#include "shm/ring_layout.h"
#include "shm/siphash.h"

#define GEOMETRY_OFFSET 64u
#define WORDS_OFFSET 4096u
#define BLOCKS_OFFSET 8192u
#define PAGE_BYTES 4096u

static_assert(GEOMETRY_OFFSET + sizeof(struct ring_geometry) <= WORDS_OFFSET, "layout of the ring");
static_assert(WORDS_OFFSET + sizeof(struct ring_words) <= BLOCKS_OFFSET, "layout of the ring");
static_assert(sizeof(struct ring_geometry) == 128, "layout of the ring");
static_assert(offsetof(struct ring_words, evicted_id) == 24, "layout of the ring");
static_assert(offsetof(struct ring_words, tail) == 64, "layout of the ring");
static_assert(offsetof(struct ring_words, records) == 128, "layout of the ring");
static_assert(sizeof(_Atomic uint64_t) == 8, "an atomic word is a word");

static uint64_t
page_up(uint64_t bytes)
{
	return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

uint64_t
ring_layout(struct ring_geometry *g, uint64_t size)
{
	unsigned log2 = 63u - (unsigned)__builtin_clzll(size);
	uint64_t blocks, entries = size / INDEX_BYTES_PER_ENTRY;

	memset(g, 0, sizeof *g);
	g->size = size;
	g->block_shift = log2 - RING_LAYOUT_BLOCKS_LOG2 < 16 ? log2 - RING_LAYOUT_BLOCKS_LOG2 : 16;
	g->index_shift = 63u - (unsigned)__builtin_clzll(entries);
	blocks = size >> g->block_shift;
	g->blocks_offset = BLOCKS_OFFSET;
	g->index_offset = page_up(g->blocks_offset + blocks * 8);
	g->log_offset = page_up(g->index_offset + entries * sizeof(struct index_entry));
	return g->log_offset + size;
}

int
ring_layout_map(struct ring *r)
{
	unsigned char *base = r->segment.base;
	struct ring_geometry wanted;
	const struct ring_geometry *g;

	if (r->segment.bytes < BLOCKS_OFFSET)
		return SEGMENT_SIZE;
	g = (const struct ring_geometry *)(base + GEOMETRY_OFFSET);
	if (g->size < LIMIT_RING_BYTES_MIN || g->size > LIMIT_RING_BYTES_MAX ||
	    (g->size & (g->size - 1)) != 0)
		return SEGMENT_SIZE;
	if (ring_layout(&wanted, g->size) != r->segment.bytes ||
	    g->log_offset != wanted.log_offset || g->blocks_offset != wanted.blocks_offset ||
	    g->index_offset != wanted.index_offset || g->block_shift != wanted.block_shift ||
	    g->index_shift != wanted.index_shift)
		return SEGMENT_SIZE;
	r->geometry = g;
	r->size = g->size;
	r->words = (struct ring_words *)(base + WORDS_OFFSET);
	r->blocks = (_Atomic uint64_t *)(base + g->blocks_offset);
	r->index = (struct index_entry *)(base + g->index_offset);
	r->log = (_Atomic uint64_t *)(base + g->log_offset);
	return SEGMENT_OK;
}

int
ring_attach(struct ring *r, int fd)
{
	int result = segment_attach(&r->segment, fd, SEGMENT_RING, RING_VERSION, false);

	if (result != SEGMENT_OK)
		return result;
	result = ring_layout_map(r);
	if (result != SEGMENT_OK) {
		r->segment.fd = -1; /* stays the caller's */
		segment_close(&r->segment);
	}
	return result;
}

void
ring_close(struct ring *r)
{
	segment_close(&r->segment);
}

uint64_t
ring_hash(const struct ring *r, const char *name, size_t name_len)
{
	uint64_t hash = siphash_64(r->geometry->hash_key, name, name_len);

	return hash == 0 ? 1 : hash;
}

/*
 * Pairs with the release in ring_write_commit: what is settled is below the tail that is read after
 * it.
 */
uint64_t
ring_last_id(const struct ring *r)
{
	return atomic_load_explicit(&r->words->settled_id, memory_order_acquire);
}

/* Pairs with the release stores of lost_id in ring_write.c. */
uint64_t
ring_lost_id(const struct ring *r)
{
	return atomic_load_explicit(&r->words->lost_id, memory_order_acquire);
}

void
ring_counts(const struct ring *r, struct ring_counts *counts)
{
	counts->records = atomic_load_explicit(&r->words->records, memory_order_relaxed);
	counts->bytes = atomic_load_explicit(&r->words->bytes, memory_order_relaxed);
	counts->lapped = atomic_load_explicit(&r->words->lapped, memory_order_relaxed);
	counts->evicted = atomic_load_explicit(&r->words->evicted, memory_order_relaxed);
}

const char *
ring_result_text(enum ring_result result)
{
	switch (result) {
	case RING_OK:
		return "done";
	case RING_NONE:
		return "nothing there";
	case RING_MORE:
		return "budget used up";
	case RING_DUPLICATE:
		return "idempotency key known";
	case RING_LAPPED:
		return "overtaken by the writer";
	case RING_CORRUPT:
		return "the ring's bytes contradict themselves";
	case RING_NEED:
		return "buffer too small";
	case RING_INVALID:
		return "an argument breaks a limit";
	case RING_TOO_LARGE:
		return "larger than the ring's share";
	case RING_STALE_ID:
		return "id not above the last one";
	case RING_NO_MEMORY:
		return "no memory";
	}
	return "unknown result";
}
