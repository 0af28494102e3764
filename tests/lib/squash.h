/*
 * squash.h: compressed WebSocket messages as strangers would make and read them: zlib by itself, without the product's code.
 */
#ifndef TESTS_LIB_SQUASH_H
#define TESTS_LIB_SQUASH_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>
#include <zlib.h>

/* Ways to write one message; RFC 7692 section 7.2.3 has an example of most. */
enum squash_mode {
	SQUASH_DEFLATE,    /* level 9, a sync flush, its last four bytes cut off */
	SQUASH_STORED,     /* blocks that are not compressed */
	SQUASH_FIXED,      /* fixed Huffman codes */
	SQUASH_HUFFMAN,    /* dynamic codes, no references */
	SQUASH_RLE,        /* references at distance 1 only */
	SQUASH_BLOCKS,     /* several blocks: a sync flush after each third */
	SQUASH_FULL,       /* the same with full flushes */
	SQUASH_FINAL,      /* a final block, and the empty one behind it */
	SQUASH_FINAL_BARE, /* a final block alone */
};

/* The next message of a compressor that goes on; bytes, 0 when it does not fit. */
static inline size_t
squash_next(z_stream *z, enum squash_mode mode, const void *plain, size_t len, unsigned char *out,
    size_t cap)
{
	const bool parts = mode == SQUASH_BLOCKS || mode == SQUASH_FULL;
	const bool final = mode == SQUASH_FINAL || mode == SQUASH_FINAL_BARE;
	size_t done = 0;

	z->next_out = out;
	z->avail_out = (uInt)cap;
	do {
		const size_t part = parts && len - done > len / 3 + 1 ? len / 3 + 1 : len - done;

		z->next_in = (Bytef *)(size_t)((const unsigned char *)plain + done);
		z->avail_in = (uInt)part;
		done += part;
		deflate(z, final ? Z_FINISH : mode == SQUASH_FULL ? Z_FULL_FLUSH : Z_SYNC_FLUSH);
	} while (done < len);
	if (z->avail_out < 2)
		return 0;
	if (cap ==
	    z->avail_out) { /* a second flush gives nothing: an empty message is an empty block */
		*out = 0;
		return 1;
	}
	if (mode == SQUASH_FINAL)
		*z->next_out = 0;
	return cap - z->avail_out + (mode == SQUASH_FINAL) - (final ? 0 : 4);
}

static inline void
squash_open(z_stream *z, enum squash_mode mode, int bits)
{
	memset(z, 0, sizeof *z);
	deflateInit2(z, mode == SQUASH_STORED ? 0 : 9, Z_DEFLATED, -bits, 8,
	    mode == SQUASH_FIXED     ? Z_FIXED
	    : mode == SQUASH_HUFFMAN ? Z_HUFFMAN_ONLY
	    : mode == SQUASH_RLE     ? Z_RLE
				     : Z_DEFAULT_STRATEGY);
}

/* One message by itself. */
static inline size_t
squash(enum squash_mode mode, const void *plain, size_t len, unsigned char *out, size_t cap)
{
	z_stream z;
	size_t n;

	squash_open(&z, mode, 15);
	n = squash_next(&z, mode, plain, len, out, cap);
	deflateEnd(&z);
	return n;
}

/* `times` MiB of zeros, as one message that is some KiB for each of them. */
static inline size_t
squash_bomb(unsigned times, unsigned char *out, size_t cap)
{
	static const unsigned char zeros[1 << 20];
	unsigned char once[4096];
	size_t n, len = 0;
	z_stream z;

	squash_open(&z, SQUASH_FULL, 15);
	z.next_in = (Bytef *)(size_t)zeros;
	z.avail_in = sizeof zeros;
	z.next_out = once;
	z.avail_out = sizeof once;
	deflate(&z, Z_FULL_FLUSH);
	n = sizeof once - z.avail_out;
	deflateEnd(&z);
	for (unsigned i = 0; i < times && len + n <= cap; i++, len += n)
		memcpy(out + len, once, n);
	return len - 4;
}

/* What a message is, read with a window of its own; -1: it is damaged, or more than fits. */
static inline ssize_t
unsquash(const void *packed, size_t len, void *out, size_t cap)
{
	static const unsigned char end[] = {0, 0, 0xff, 0xff};
	z_stream z = {.next_out = out, .avail_out = (uInt)cap};
	int result;

	if (inflateInit2(&z, -15) != Z_OK)
		return -1;
	z.next_in = (Bytef *)(size_t)packed;
	z.avail_in = (uInt)len;
	result = inflate(&z, Z_SYNC_FLUSH);
	if ((result == Z_OK || result == Z_BUF_ERROR) && z.avail_in == 0) {
		z.next_in = (Bytef *)(size_t)end;
		z.avail_in = sizeof end;
		result = inflate(&z, Z_SYNC_FLUSH);
	}
	inflateEnd(&z);
	return result == Z_OK && z.avail_in == 0 && z.avail_out != 0 ? (ssize_t)(cap - z.avail_out)
								     : -1;
}

#endif
