/*
 * slots.c: the connection table of one worker. Single-threaded; others only look.
 */
#include <assert.h>
#include <string.h>

#include "shm/slots.h"

#define PAGE_BYTES 4096u

static_assert(
    sizeof(struct segment_head) + sizeof(struct slots_head) <= PAGE_BYTES, "heads fit a page");

static void
set_pointers(struct slots *s)
{
	s->head = (struct slots_head *)(s->segment.base + sizeof(struct segment_head));
	s->table = (struct slot *)(s->segment.base + PAGE_BYTES);
	s->sends = (uint32_t *)(s->segment.base + s->head->sends_offset);
}

int
slots_create(struct slots *s, uint32_t max, uint32_t sends_max)
{
	uint64_t table_bytes = ((uint64_t)max + 1) * sizeof(struct slot); /* slot 0 is none */
	int result;

	result = segment_create(&s->segment, "ringcast-slots", SEGMENT_SLOTS, SLOTS_VERSION,
	    PAGE_BYTES + table_bytes + (uint64_t)sends_max * sizeof(uint32_t));
	if (result != SEGMENT_OK)
		return result;
	s->head = (struct slots_head *)(s->segment.base + sizeof(struct segment_head));
	s->head->slot_bytes = sizeof(struct slot);
	s->head->max = max + 1;
	s->head->touched = 1;
	s->head->sends_max = sends_max;
	s->head->sends_offset = PAGE_BYTES + table_bytes;
	set_pointers(s);
	return SEGMENT_OK;
}

static bool
head_sane(const struct slots_head *h, uint64_t bytes)
{
	return h->slot_bytes == sizeof(struct slot) && h->max >= 1 && h->touched >= 1 &&
	       h->touched <= h->max && h->used < h->max && h->free_list < h->touched &&
	       h->sends_count <= h->sends_max &&
	       h->sends_offset == PAGE_BYTES + (uint64_t)h->max * sizeof(struct slot) &&
	       h->sends_offset + (uint64_t)h->sends_max * sizeof(uint32_t) <= bytes;
}

int
slots_attach(struct slots *s, int fd, bool writable)
{
	int result = segment_attach(&s->segment, fd, SEGMENT_SLOTS, SLOTS_VERSION, writable);

	if (result != SEGMENT_OK)
		return result;
	s->head = (struct slots_head *)(s->segment.base + sizeof(struct segment_head));
	if (s->segment.bytes < PAGE_BYTES || !head_sane(s->head, s->segment.bytes)) {
		s->segment.fd = -1; /* stays the caller's */
		slots_close(s);
		return SEGMENT_SIZE;
	}
	set_pointers(s);
	return SEGMENT_OK;
}

void
slots_close(struct slots *s)
{
	segment_close(&s->segment);
	s->head = NULL;
	s->table = NULL;
	s->sends = NULL;
}

uint32_t
slots_take(struct slots *s)
{
	uint32_t number = s->head->free_list;
	struct slot *slot;
	uint32_t generation;

	if (number != 0) {
		assert(s->table[number].state == SLOTS_STATE_FREE);
		s->head->free_list = s->table[number].queue_next;
	} else { /* whatever a worker that died of wild writes left there */
		if (s->head->touched == s->head->max)
			return 0;
		number = s->head->touched++;
	}
	slot = &s->table[number];
	generation = slot->generation;
	memset(slot, 0, sizeof *slot);
	slot->generation = generation;
	slot->descriptor = -1;
	s->head->used++;
	return number;
}

void
slots_release(struct slots *s, uint32_t number)
{
	struct slot *slot = slots_get(s, number);

	assert(slot != NULL && s->head->used > 0);
	slot->state = SLOTS_STATE_FREE;
	slot->descriptor = -1;
	slot->generation++;
	slot->queue_next = s->head->free_list;
	s->head->free_list = number;
	s->head->used--;
}

struct slot *
slots_get(const struct slots *s, uint32_t slot)
{
	return slot == 0 || slot >= s->head->touched ? NULL : &s->table[slot];
}

struct slot *
slots_get_generation(const struct slots *s, uint32_t number, uint32_t generation)
{
	struct slot *slot = slots_get(s, number);

	return slot != NULL && slot->generation == generation ? slot : NULL;
}

bool
slots_sends_add(struct slots *s, uint32_t slot)
{
	if (s->head->sends_count == s->head->sends_max)
		return false;
	s->sends[s->head->sends_count++] = slot;
	return true;
}

void
slots_sends_clear(struct slots *s)
{
	s->head->sends_count = 0;
}

void
slots_reset(struct slots *s)
{
	uint32_t used_before = s->head->touched;

	s->head->free_list = 0;
	s->head->used = 0;
	s->head->sends_count = 0;
	/* Downwards, so that the free list hands out low numbers first. */
	for (uint32_t number = used_before - 1; number >= 1; number--) {
		struct slot *slot = &s->table[number];
		uint32_t generation = slot->generation + 1;

		memset(slot, 0, sizeof *slot);
		slot->generation = generation;
		slot->descriptor = -1;
		slot->queue_next = s->head->free_list;
		s->head->free_list = number;
	}
}
