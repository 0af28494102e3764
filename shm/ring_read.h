/*
 * ring_read.h: reading the ring in order. Any process, over a read-only mapping; nothing here ever
 * waits or stores into the ring, loops without bound, or reads outside it, whatever bytes it finds.
 *
 * Copy, then validate: bytes are copied into the caller's buffer first, then `intent` tells whether
 * the writer may have been there meanwhile. Only what is in the caller's buffer after RING_OK may
 * be used.
 */
#ifndef SHM_RING_READ_H
#define SHM_RING_READ_H

#include "shm/ring.h"

/*
 * End of what is published (acquire): everything below it may be read. Also the position of "now".
 */
uint64_t ring_read_tail(const struct ring *r);

/*
 * Where a reader that wants only news begins: every record before *position has an id up to *id,
 * and none from there on. False: the writer is in the middle of a commit (some nanoseconds, unless
 * it was preempted or died there): ask again later.
 */
bool ring_read_now(const struct ring *r, uint64_t *position, uint64_t *id);

/*
 * Position of the oldest record kept (or the tail): where a reader that wants everything, or was
 * lapped, begins.
 */
uint64_t ring_read_oldest(const struct ring *r);

/*
 * Copies the head of the record at (or, over a pad, after) the position: header, links, names,
 * type; no attributes, no data. A buffer of RECORD_HEAD_BYTES_MAX always suffices. RING_OK;
 * RING_NONE at the tail; RING_LAPPED; RING_CORRUPT; RING_NEED with record->head_length.
 */
enum ring_result ring_read_peek(
    const struct ring *r, uint64_t position, void *buffer, size_t cap, struct record *record);

/*
 * Copies the whole record and checks its checksums. Results as above; RING_NEED with
 * record->length.
 */
enum ring_result ring_read_copy(
    const struct ring *r, uint64_t position, void *buffer, size_t cap, struct record *record);

/* One channel's link of one record. */
struct ring_read_link {
	uint64_t id;
	uint64_t prev_id;
	uint64_t back; /* positions, 0 = none */
	uint64_t next;
	uint16_t flags;
};

/*
 * The channel's link of the record that begins exactly there. A record at or beyond `limit` counts
 * as RING_NONE. RING_OK; RING_LAPPED; RING_CORRUPT; RING_INVALID when the record does not carry
 * this channel.
 */
enum ring_result ring_read_link(const struct ring *r, uint64_t position, uint64_t limit,
    uint64_t hash, const char *name, size_t name_len, struct ring_read_link *link);

/* True while the writer has not begun to overwrite the position (to be asked after copying). */
bool ring_read_kept(const struct ring *r, uint64_t position);

#endif
