/*
 * ring_write.h: the writer of the ring. One process has it: the master, while it holds the
 * segment's lease.
 *
 *	check:   ring_write_size() of every event, summed, then ring_write_fits()
 *	write:   ring_write_append() for each        readers see nothing yet
 *	publish: ring_write_commit()                 readers see all of them
 *	wake:    doorbell_ring()
 *
 * After ring_write_fits said yes for the sum, and ring_write_reserve_keys for the events with a key,
 * the appends cannot fail for lack of room or memory: so a batch enters whole or not at all.
 */
#ifndef SHM_RING_WRITE_H
#define SHM_RING_WRITE_H

#include "shm/ring.h"

struct ring_write; /* the writer's own state, outside the shared memory */

struct ring_write_event {
	const struct record_slice *channels; /* 1 to LIMIT_EVENT_CHANNELS names, no name twice */
	size_t channels_count;
	struct record_slice type; /* 0 to LIMIT_TYPE_BYTES */
	struct record_slice data;
	struct record_slice key;   /* idempotency key, len 0 = none */
	struct record_slice attrs; /* further ones: {u16 type, u16 len, bytes} each */
	enum record_kind kind;
	uint16_t user_flags; /* within RECORD_USER_MASK */
	uint64_t id;         /* 0: the ring gives one */
	uint64_t now_ms;     /* Unix time of this publish */
};

/*
 * Creates a ring with a log of `size` bytes (a power of two within the limits; anything else is
 * rounded up) and takes the lease. Ids up to now_ms << 16 count as from before birth. 0 or an enum
 * segment_error.
 */
int ring_write_create(struct ring_write **w, uint64_t size, uint64_t now_ms);

/*
 * Takes over a ring whose writer is gone, from a writable descriptor (taken on success): lease,
 * scan, repair, all before the first append. 0, an enum segment_error (SEGMENT_BUSY while the old
 * writer lives), or RING_ADOPT_CORRUPT.
 */
int ring_write_adopt(struct ring_write **w, int fd);

#define RING_ADOPT_CORRUPT (-100)

void ring_write_close(struct ring_write *w);

/*
 * The same ring for reading; valid as long as the writer. Use w's ring for ring_read, ring_seek,
 * ring_hash.
 */
struct ring *ring_write_ring(struct ring_write *w);

/*
 * Bytes that the event takes in the ring, or 0 when it breaks a limit (RING_INVALID or
 * RING_TOO_LARGE on append).
 */
uint64_t ring_write_size(const struct ring_write *w, const struct ring_write_event *event);

/*
 * True if events of these sizes in sum can be appended now, as one batch with what is not committed
 * yet.
 */
bool ring_write_fits(const struct ring_write *w, uint64_t bytes, uint64_t largest);

/* Memory to remember the keys of so many events. False: there is none. */
bool ring_write_reserve_keys(struct ring_write *w, size_t count);

/* Largest ring_write_size of a single event. */
uint64_t ring_write_size_max(const struct ring_write *w);

/*
 * Writes the event behind the others of the batch; readers do not see it before ring_write_commit.
 * Sets *id. RING_OK; RING_DUPLICATE with the first event's id; RING_INVALID, RING_TOO_LARGE,
 * RING_STALE_ID, RING_NO_MEMORY (nothing was written).
 */
enum ring_result ring_write_append(
    struct ring_write *w, const struct ring_write_event *event, uint64_t *id);

/* Publishes everything appended since the last commit. Answers the number of records. */
uint64_t ring_write_commit(struct ring_write *w);

/*
 * Forgets the channel's history: commits what is pending, appends a forget record and commits that.
 * Cursors older than the newest forgotten event get a gap. flags: RECORD_END_SUBSCRIPTIONS or 0.
 */
enum ring_result ring_write_forget(struct ring_write *w, struct record_slice channel,
    uint16_t flags, uint64_t now_ms, uint64_t *id);

/*
 * The id of the kept event with this idempotency key; false when none is kept. Pending events
 * count.
 */
bool ring_write_find_key(const struct ring_write *w, struct record_slice key, uint64_t *id);

#endif
