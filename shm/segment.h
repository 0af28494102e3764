/*
 * segment.h: a piece of memory that processes share: a sealed memfd with a head that names its
 * layout.
 *
 * The master creates segments; workers get a descriptor. Sealed against shrinking and growing, so
 * that no mapping can ever fault. No write seal: a successor master must be able to adopt a ring.
 * What keeps two masters from writing is the lease, an fcntl record lock on the memfd.
 *
 *	0        8         12     16      24         64
 *	| magic  | version | kind | bytes | reserved | layout of the owner of this kind ...
 *
 * The lease is a POSIX lock: it ends when this process closes ANY descriptor of the memfd. So the
 * read-only descriptor for workers is opened once and kept beside the writable one until
 * segment_close.
 */
#ifndef SHM_SEGMENT_H
#define SHM_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum segment_kind {
	SEGMENT_RING = 1,
	SEGMENT_BOARD = 2,
	SEGMENT_SLOTS = 3,
};

/* Errors are negative; 0 is success. SEGMENT_SYSTEM leaves the reason in errno. */
enum segment_error {
	SEGMENT_OK = 0,
	SEGMENT_SYSTEM = -1,
	SEGMENT_FOREIGN = -2,  /* not ours: no magic */
	SEGMENT_VERSION = -3,  /* ours, of another layout version */
	SEGMENT_KIND = -4,     /* ours, but of another kind */
	SEGMENT_SIZE = -5,     /* sizes in the head contradict each other or the descriptor */
	SEGMENT_UNSEALED = -6, /* could shrink under us */
	SEGMENT_BUSY = -7,     /* another process holds the lease */
};

struct segment {
	unsigned char *base; /* NULL when not mapped */
	uint64_t bytes;
	int fd;      /* as created, or as given to segment_attach; -1 when none */
	int fd_read; /* read-only, for workers; -1 until segment_reader was called */
	bool writable;
};

/* The 64 bytes at the start of every segment. */
struct segment_head {
	uint64_t magic;
	uint32_t version;
	uint32_t kind;
	uint64_t bytes;
	uint64_t reserved[5];
};

/*
 * Creates, sizes, seals and maps a segment of zeroes and writes its head. Bytes are rounded up to
 * whole pages.
 */
int segment_create(
    struct segment *s, const char *name, enum segment_kind kind, uint32_t version, uint64_t bytes);

/*
 * Maps what the descriptor refers to, after checking seals, size and head. The descriptor becomes
 * the segment's on success only. A read-only mapping never needs a writable descriptor.
 */
int segment_attach(
    struct segment *s, int fd, enum segment_kind kind, uint32_t version, bool writable);

/*
 * A read-only descriptor of the same memfd, opened once and owned by the segment; -1 and errno on
 * failure.
 */
int segment_reader(struct segment *s);

/* Takes the single-writer lease for this process, or answers SEGMENT_BUSY. Never waits. */
int segment_lease(const struct segment *s);

/* Unmaps and closes; the lease goes with it. Harmless on a segment that is closed already. */
void segment_close(struct segment *s);

/* A phrase for the log, such as "segment of another version". */
const char *segment_error_text(int error);

#endif
