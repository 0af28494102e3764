/*
 * ring_writer.h: the writer's private state. Internal to ring_write.c and ring_adopt.c.
 */
#ifndef SHM_RING_WRITER_H
#define SHM_RING_WRITER_H

#include "shm/keys.h"
#include "shm/ring_layout.h"
#include "shm/ring_write.h"

struct ring_write {
	struct ring ring;
	struct keys keys;
	unsigned char *scratch; /* a record is composed here, then stored; touched as needed */
	uint64_t scratch_bytes;
	/* The writer's own view of the shared words. */
	uint64_t head;      /* where the next record goes */
	uint64_t published; /* the tail as of the last commit */
	uint64_t intent;
	uint64_t oldest;
	uint64_t lost_id;
	uint64_t evicted_id;
	uint64_t last_id;    /* newest id given */
	uint64_t last_ms;    /* newest time given */
	uint64_t last_block; /* block of the newest record's first byte */
	uint64_t pending;    /* records of the batch */
};

/*
 * Repairs a ring whose writer is gone and fills in the writer's view from it. 0 or
 * RING_ADOPT_CORRUPT or SEGMENT_SYSTEM.
 */
int ring_adopt(struct ring_write *w);

#endif
