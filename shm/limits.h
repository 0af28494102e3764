/*
 * limits.h: every limit of ringcast in one place, with its unit and its reason.
 *
 * Sizes end in the unit they are in (BYTES, MAX as a count, _S, _MS). What an operator may change is a key of the
 * configuration; the constant here is then its ceiling or its default, and its name says which.
 */
#ifndef SHM_LIMITS_H
#define SHM_LIMITS_H

#include <assert.h>
#include <stdint.h>

#define LIMIT_KIB(n) ((uint64_t)(n) << 10)
#define LIMIT_MIB(n) ((uint64_t)(n) << 20)

/* Wire contract: names and types. */
#define LIMIT_CHANNEL_NAME_BYTES 255
#define LIMIT_TYPE_BYTES 64
#define LIMIT_KEY_BYTES 255
#define LIMIT_REF_BYTES 64
#define LIMIT_EVENT_CHANNELS \
	32 /* channels that one event may carry: bounds the links of a record */

/* Ring. */
#define LIMIT_RING_BYTES_MIN LIMIT_KIB(64)
#define LIMIT_RING_BYTES_DEFAULT LIMIT_MIB(64)
#define LIMIT_RING_BYTES_MAX \
	(UINT64_C(16) << 30) /* distances between records are u32 in units of 8 bytes */
#define LIMIT_EVENT_BYTES_DEFAULT LIMIT_KIB(256) /* data as stored */
#define LIMIT_PUBLISH_BYTES_DEFAULT LIMIT_MIB(8) /* one request */
#define LIMIT_EVENT_BYTES_MAX LIMIT_MIB(64)      /* a worker renders an event as a whole */
#define LIMIT_PUBLISH_BYTES_MAX LIMIT_MIB(1024)
#define LIMIT_RING_EVENT_SHARE 4 /* an event takes at most a quarter of the ring */

/* Processes. */
#define LIMIT_WORKERS 256
#define LIMIT_HANDOFF_BATCH \
	64 /* descriptors a message; the kernel's ceiling is 253, FACTS.md A.4 shows no gain */
#define LIMIT_HANDOFF_CREDITS 512 /* descriptors a worker may have unacknowledged */
#define LIMIT_HANDOFF_QUEUE \
	512 /* accepted connections that may wait for a worker's credit; then the backlog holds them */
#define LIMIT_WORKER_CONNECTIONS_MAX \
	(UINT32_C(1) << 20)         /* room in a slot table, however many descriptors there are */
#define LIMIT_WORKER_DESCRIPTORS 64 /* of a worker's descriptors, those that are not connections */
#define LIMIT_ORDER_QUEUE_BYTES \
	LIMIT_MIB(1) /* packets that wait for room in a worker's control socket */
#define LIMIT_BACKLOG 4096

/* The worker and the kernel. */
#define LIMIT_IO_ENTRIES 256 /* operations queued before an enter; FACTS.md A.1: no gain beyond */
#define LIMIT_IO_COMPLETIONS \
	32768               /* completion queue; past it the kernel allocates and watches end */
#define LIMIT_IO_VECTORS 64 /* pieces of one gathered send */

/* Public HTTP. */
#define LIMIT_HEADER_BYTES_DEFAULT LIMIT_KIB(16)
#define LIMIT_HEADER_FIELDS 100
#define LIMIT_CHUNK_LINE_BYTES 256 /* a chunk's size and extensions: nobody uses them for more */
#define LIMIT_CHUNK_EXCESS_BYTES \
	LIMIT_KIB(16) /* of extensions in all, beyond as many bytes as there is data */
#define LIMIT_BODY_BYTES_S \
	1024 /* a body that arrives at this rate gets longer than body_timeout_s */
#define LIMIT_TRAILER_BYTES 4096 /* all trailers of a body: read and dropped */
#define LIMIT_CHANNELS_PER_CONNECTION_DEFAULT 128
#define LIMIT_CHANNELS_PER_CONNECTION_MAX 1024
#define LIMIT_POLL_EVENTS_DEFAULT 100
#define LIMIT_POLL_EVENTS_MAX 1000
#define LIMIT_POLL_BYTES LIMIT_MIB(1) /* an answer, but always at least one event */

/*
 * Memory for what clients have begun to send and not ended (heads, bodies, messages), in all of a worker's connections. The
 * largest message of the default configuration takes 1 MiB, since buffers double; who configures larger ones gets room for
 * LIMIT_INPUT_MESSAGES of them. The last quarter is for inputs of up to LIMIT_INPUT_SMALL_BYTES, so that large ones which
 * never end do not keep requests out.
 */
#define LIMIT_INPUT_BYTES LIMIT_MIB(64)
#define LIMIT_INPUT_MESSAGES 4
#define LIMIT_INPUT_SMALL_BYTES LIMIT_KIB(16)
#define LIMIT_INPUT_SMALL_SHARE 4

/* Compression. */
#define LIMIT_COMPRESSION_TAKEOVER_BYTES_MAX LIMIT_MIB(1024) /* of each worker */

/* Publish socket. */
#define LIMIT_PUBLISH_SESSIONS \
	1024 /* connections of applications, if a quarter of the descriptors is as many; more are answered 503 */
#define LIMIT_PUBLISH_HEAD_BYTES LIMIT_KIB(16)
#define LIMIT_PUBLISH_READ_BYTES \
	LIMIT_KIB(256) /* one read; a socket's buffer holds about 200 KiB */
#define LIMIT_PUBLISH_READ_BYTES_MIN LIMIT_KIB(8)
#define LIMIT_PUBLISH_TURN_BYTES \
	LIMIT_MIB(1) /* of all publishers' readings in a turn: some 5 ms of work */
#define LIMIT_PUBLISH_UNSENT_BYTES \
	LIMIT_KIB(256) /* answers that wait for their reader; from here on we stop reading */
#define LIMIT_PUBLISH_BATCH_EVENTS 10000 /* of one array: some 10 ms of the master's time */
#define LIMIT_PUBLISH_STALL_S 30         /* unread answers without progress */
#define LIMIT_PUBLISH_LINGER_MS \
	2000 /* for a client that still writes after an answer that closes */
#define LIMIT_ADMIN_SESSIONS 64
#define LIMIT_ADMIN_IDLE_S 10
#define LIMIT_API_ROWS_DEFAULT 100
#define LIMIT_API_ROWS_MAX 1000

static_assert(
    LIMIT_RING_BYTES_MAX / 8 <= UINT32_MAX, "a distance in 8-byte units must fit 32 bits");
static_assert(LIMIT_EVENT_BYTES_DEFAULT <= LIMIT_RING_BYTES_DEFAULT / LIMIT_RING_EVENT_SHARE,
    "the default event fits the default ring");

static_assert(LIMIT_INPUT_SMALL_BYTES >= LIMIT_HEADER_BYTES_DEFAULT, "a head is small");
static_assert(LIMIT_INPUT_BYTES >= LIMIT_INPUT_MESSAGES * (2 * LIMIT_EVENT_BYTES_DEFAULT + 1024),
    "the default message fits several times");

#endif
