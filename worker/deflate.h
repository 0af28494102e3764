/*
 * deflate.h: compression behind one small interface; zlib is known to deflate.c alone.
 *
 * A worker has one compressor for messages, one for answers, and one decompressor, each made when it is first needed:
 * messages are compressed one by one, without context takeover, so nothing belongs to a connection. Only a
 * client that insists on takeover for what it sends has a window of its own, out of a pool whose bytes the
 * configuration gives (none by default).
 */
#ifndef WORKER_DEFLATE_H
#define WORKER_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"
#include "worker/buffer.h"

struct worker;
struct deflate_window;
struct z_stream_s;

struct deflate {
	struct z_stream_s *packer;   /* of messages; NULL until needed, as the next two */
	struct z_stream_s *gzipper;  /* of answers */
	struct z_stream_s *unpacker; /* of messages, each by itself */
	uint8_t level;               /* that packer and gzipper were made with */
	uint64_t window_bytes;       /* that the windows of connections take */
	size_t turn_bytes;           /* inflated and gzipped since deliver_serve began */
	uint32_t paused; /* whose input used that up, and is to be gone on with; 0: nobody's */
	struct buffer packed;
	struct buffer plain;
};

/*
 * What inflates beyond this must not be more than so many times its compressed size. Deflate reaches 1,032; honest text that
 * large stays far below 100. The allowance is for tests and padding: an event of the default size, whatever it is made of,
 * fits into it with every byte escaped (settings_json_len_max).
 */
#define DEFLATE_FREE_BYTES ((512u << 10) + 1024)
#define DEFLATE_RATIO_MAX 100

/*
 * What is inflated and gzipped in one turn, but for the message or answer that goes beyond it, for everybody else waits for that:
 * a message of half a KiB may become one of half a MiB, which is then to be parsed, and an answer may have 1 MiB.
 */
#define DEFLATE_TURN_BYTES (1u << 20)

enum deflate_result {
	DEFLATE_OK = 1,
	DEFLATE_TOO_BIG = -1,  /* above the limit, or above the ratio */
	DEFLATE_BAD_DATA = -2, /* no deflate data, or cut */
	DEFLATE_NO_MEMORY = -3,
};

/*
 * Compresses a message as RFC 7692 section 7.2.1 says. Empty when it is not worth it: shorter than the configuration's
 * min_bytes, not smaller afterwards, or no memory. The bytes live until the next deflate_pack or deflate_gzip. With one level,
 * the same message always gives the same bytes.
 */
struct slice deflate_pack(struct worker *w, struct slice plain);

/*
 * Compresses the pieces of an answer, one behind the other, into one gzip member (RFC 1952). Empty and otherwise as
 * deflate_pack.
 */
struct slice deflate_gzip(struct worker *w, const struct slice *pieces, size_t count);

/*
 * Inflates a whole message (RFC 7692 section 7.2.2), in steps against the limit and the ratio. window: the
 * connection's own, or NULL when messages do not refer to earlier ones. *plain lives until the next deflate_unpack.
 */
enum deflate_result deflate_unpack(struct worker *w, struct deflate_window *window,
    struct slice packed, size_t len_max, struct slice *plain);

/* Whether no more is to be inflated or gzipped in this turn. */
bool deflate_is_spent(const struct worker *w);

/* A window of 2^bits bytes for a connection. NULL: the pool is used up, or no memory. */
struct deflate_window *deflate_window_new(struct worker *w, unsigned bits);
void deflate_window_free(struct worker *w, struct deflate_window *window);

void deflate_free(struct worker *w);

#endif
