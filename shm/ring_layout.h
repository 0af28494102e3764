/*
 * ring_layout.h: how a ring of a size is laid out in its segment. Internal to the ring; functions
 * are in ring.c.
 */
#ifndef SHM_RING_LAYOUT_H
#define SHM_RING_LAYOUT_H

#include "shm/ring.h"

#define RING_LAYOUT_BLOCKS_LOG2 \
	4u /* a ring has at least 16 blocks; those of large rings cover 64 KiB each */

/*
 * Fills in sizes and offsets for a log of `size` bytes (a power of two); answers the bytes of the
 * segment.
 */
uint64_t ring_layout(struct ring_geometry *g, uint64_t size);

/*
 * Sets the pointers of a ring whose segment is mapped, after checking its geometry. 0 or
 * SEGMENT_SIZE.
 */
int ring_layout_map(struct ring *r);

/*
 * Where the record that would begin at `position` really begins: a remainder of the log that is
 * shorter than a record's header is not used, not even by a pad.
 */
static inline uint64_t
ring_layout_skip(uint64_t position, uint64_t size)
{
	uint64_t left = size - (position & (size - 1));

	return left < RECORD_HEADER_BYTES ? position + left : position;
}

#endif
