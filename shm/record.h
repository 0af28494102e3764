/*
 * record.h: one record of the ring: its bytes, its checksums, and the view that readers get.
 *
 * A record is contiguous, a multiple of 8 bytes long, at a position that is a multiple of 8.
 * Offsets:
 *
 *	0   u64 position     echoed, so that a stale reference is noticed
 *	8   u64 head_sum     over all up to the end of the type, but itself and `next`
 *	16  u64 body_sum     over attributes and data
 *	24  u64 id           0 in a pad
 *	32  u64 time_ms      Unix milliseconds, never decreasing along the ring
 *	40  u32 length       of the whole record in bytes
 *	44  u32 data_len
 *	48  u16 flags, u16 names_len, u16 attrs_len, u8 channels, u8 type_len
 *	56  channels x { u64 hash, u64 prev_id, u32 back, u32 next }   distances / 8, 0 = none
 *	    channels x u8 name length, names, type, zeroes up to 8               (end of the head)
 *	    attributes { u16 type, u16 len, bytes }, data, zeroes up to 8        (the body)
 *
 * `next` is the only word that changes after the record was published; it is outside both
 * checksums. A change confined to one 8-byte word is always noticed: the sum is a bijection of each
 * word.
 */
#ifndef SHM_RECORD_H
#define SHM_RECORD_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/limits.h"

/* What the data is; in the low bits of the flags. */
enum record_kind {
	RECORD_JSON = 0, /* a JSON value, byte for byte as published; empty data means null */
	RECORD_TEXT = 1, /* UTF-8 */
	RECORD_BINARY = 2,
};

#define RECORD_KIND_MASK 0x0003u
#define RECORD_PAD 0x0004u       /* fills the end of the log; readers never see it */
#define RECORD_FORGET 0x0008u    /* the history of its one channel ends here; not an event */
#define RECORD_USER_MASK 0xff00u /* bits that the publisher may set and the ring only carries */
#define RECORD_END_SUBSCRIPTIONS 0x0100u /* on a forget record: subscribers are to be let go */

/* Attribute types. Unknown ones are skipped by readers. */
#define RECORD_ATTR_KEY 1u /* 16 bytes: the hash of the idempotency key */

struct record_slice {
	const char *bytes; /* not terminated */
	size_t len;
};

struct record_channel {
	struct record_slice name;
	uint64_t hash;
	uint64_t prev_id; /* newest event before, or what may have been lost before */
	uint64_t back; /* position of the channel's record before, 0 = none; may be lapped by now */
	uint64_t next; /* position of the record after, 0 = none; maybe beyond the tail */
};

/* A record in the caller's buffer. Slices point into that buffer and live as long as it does. */
struct record {
	uint64_t position;
	uint64_t following; /* where the record after it begins (maybe a pad: skipped) */
	uint64_t id;
	uint64_t time_ms;
	uint32_t length; /* bytes in the ring; also what ring_read_copy needs */
	uint32_t head_length;
	uint32_t data_len; /* known after a peek, too */
	uint16_t flags;
	uint8_t kind; /* enum record_kind */
	uint8_t channels_count;
	struct record_slice type;
	struct record_slice attrs;                            /* empty after a peek */
	struct record_slice data;                             /* empty after a peek */
	struct record_channel channels[LIMIT_EVENT_CHANNELS]; /* the first channels_count are set */
};

/* Largest head: a buffer of this size always suffices for ring_read_peek. */
#define RECORD_HEADER_BYTES 56u
#define RECORD_LINK_BYTES 24u
#define RECORD_HEAD_BYTES_MAX                                                            \
	((RECORD_HEADER_BYTES +                                                          \
	     LIMIT_EVENT_CHANNELS * (RECORD_LINK_BYTES + 1 + LIMIT_CHANNEL_NAME_BYTES) + \
	     LIMIT_TYPE_BYTES + 7u) &                                                    \
	    ~7u)

/* The first bytes of a record, as they are stored. */
struct record_header {
	uint64_t position;
	uint64_t head_sum;
	uint64_t body_sum;
	uint64_t id;
	uint64_t time_ms;
	uint32_t length;
	uint32_t data_len;
	uint16_t flags;
	uint16_t names_len; /* the length bytes and the names */
	uint16_t attrs_len;
	uint8_t channels;
	uint8_t type_len;
};

/* A link as it is stored; back and next are one word, so that one store changes next. */
struct record_link {
	uint64_t hash;
	uint64_t prev_id;
	uint64_t back_next; /* low half: back, high half: next */
};

static_assert(sizeof(struct record_header) == RECORD_HEADER_BYTES, "layout of a record");
static_assert(offsetof(struct record_header, length) == 40, "layout of a record");
static_assert(sizeof(struct record_link) == RECORD_LINK_BYTES, "layout of a record");

/* Bytes up to the end of the type, rounded up to words. */
uint32_t record_head_length(const struct record_header *header);

/*
 * True if the header's sizes agree with each other, with the position, and with a log of `size`
 * bytes. What passes is safe to copy and parse; whether it is what was written, the sums tell.
 */
bool record_sane(const struct record_header *header, uint64_t position, uint64_t size);

/*
 * The sums of a record in private memory, `bytes` at its first byte. `next` must be 0 in every
 * link.
 */
uint64_t record_head_sum(const unsigned char *bytes, const struct record_header *header);
uint64_t record_body_sum(const unsigned char *bytes, const struct record_header *header);

/*
 * Makes the view of a copied record, of its head only or whole. Takes `next` out of the links in
 * the buffer, then checks the sum of the head, and with `whole` that of the body. False: the bytes
 * are not what was written.
 */
bool record_parse(
    unsigned char *bytes, const struct record_header *header, bool whole, struct record *record);

/* The first attribute of the type; false when there is none or the block is malformed before it. */
bool record_attr(const struct record *record, uint16_t type, struct record_slice *value);

/* Index of the channel with this hash and name among the record's, or -1. */
int record_find(const struct record *record, uint64_t hash, const char *name, size_t name_len);

#endif
