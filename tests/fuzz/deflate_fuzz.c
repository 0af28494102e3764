/*
 * deflate_fuzz.c: what we compress zlib's own inflate gives back, the same bytes each time; what a client compressed, or
 * says that it did, is inflated as zlib does, and never beyond the limit.
 *
 * Input: level, limit (2), what to do, then bytes: a message, or what claims to be a compressed one.
 */
#include <stdlib.h>
#include <zlib.h>

#include "worker/log.h"
#include "worker/worker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())
#define INPUT_BYTES_MAX 4096
#define PLAIN_BYTES_MAX (1 << 20)

void
log_line(int priority, const char *format, ...)
{
	(void)priority;
	(void)format;
}

/* Behind a final block the stream goes on, and may refer to what was before (RFC 7692, 7.2.3.4). */
static void
go_on(z_stream *z)
{
	static unsigned char window[1 << 15];
	unsigned len = sizeof window;

	CHECK(inflateGetDictionary(z, window, &len) == Z_OK);
	CHECK(inflateReset(z) == Z_OK);
	CHECK(len == 0 || inflateSetDictionary(z, window, len) == Z_OK);
}

/* One part of the stream: Z_OK, Z_STREAM_END when it ends with a final block, or an error. */
static int
inflate_part(z_stream *z, const void *bytes, size_t len)
{
	int result;

	z->next_in = (unsigned char *)(uintptr_t)bytes;
	z->avail_in = (unsigned)len;
	for (;;) {
		result = inflate(z, Z_SYNC_FLUSH);
		if (result != Z_STREAM_END)
			return result == Z_BUF_ERROR && z->avail_in == 0 ? Z_OK : result;
		go_on(z);
		if (z->avail_in == 0)
			return Z_STREAM_END;
	}
}

/* RFC 7692, 7.2.2, by zlib into room enough. -1: not deflate data, or too long, or not whole. */
static ssize_t
inflate_whole(struct slice packed, char *plain, size_t cap)
{
	static const unsigned char tail[] = {0, 0, 0xff, 0xff};
	z_stream z = {0};
	bool whole;
	int result;

	CHECK(inflateInit2(&z, -15) == Z_OK);
	z.next_out = (unsigned char *)plain;
	z.avail_out = (unsigned)cap;
	result = packed.len == 0 ? Z_STREAM_END : inflate_part(&z, packed.bytes, packed.len);
	whole = result == Z_STREAM_END;
	if (result == Z_OK) {
		result = inflate_part(&z, tail, sizeof tail);
		whole = result == Z_STREAM_END || (result == Z_OK && (z.data_type & 128) != 0);
	}
	whole &= z.avail_out != 0;
	cap -= z.avail_out;
	inflateEnd(&z);
	return whole ? (ssize_t)cap : -1;
}

static void
check_pack(struct worker *w, struct slice message)
{
	static char plain[PLAIN_BYTES_MAX];
	const struct slice packed = deflate_pack(w, message);
	struct slice again, seen;
	char *copy;

	if (packed.len == 0)
		return;
	CHECK(packed.len < message.len && message.len >= w->settings.now.compression_min_bytes);
	CHECK(inflate_whole(packed, plain, sizeof plain) == (ssize_t)message.len);
	CHECK(memcmp(plain, message.bytes, message.len) == 0);
	copy = malloc(packed.len);
	CHECK(copy != NULL);
	memcpy(copy, packed.bytes, packed.len);
	again = deflate_pack(w, message);
	CHECK(again.len == packed.len && memcmp(again.bytes, copy, again.len) == 0);
	CHECK(deflate_unpack(w, NULL, again, message.len, &seen) == DEFLATE_OK);
	CHECK(slice_equal(seen, message));
	CHECK(deflate_unpack(w, NULL, again, message.len - 1, &seen) == DEFLATE_TOO_BIG);
	free(copy);
}

static void
check_unpack(struct worker *w, struct slice packed, size_t max)
{
	static char plain[PLAIN_BYTES_MAX];
	struct slice seen = {NULL, 0};
	const enum deflate_result result = deflate_unpack(w, NULL, packed, max, &seen);
	const ssize_t expected = inflate_whole(packed, plain, sizeof plain);

	CHECK(w->deflate.plain.cap <= max + 1);
	if (result == DEFLATE_OK) {
		CHECK(seen.len <= max);
		CHECK(expected == (ssize_t)seen.len && memcmp(plain, seen.bytes, seen.len) == 0);
	} else if (result == DEFLATE_TOO_BIG) {
		CHECK(expected == -1 || (size_t)expected > max ||
		      (size_t)expected > DEFLATE_FREE_BYTES);
	} else {
		CHECK(result == DEFLATE_BAD_DATA && expected == -1);
	}
}

/* Takeover: messages of one window, compressed by zlib with a window that is kept. */
static void
check_takeover(struct worker *w, struct slice bytes, unsigned bits)
{
	struct deflate_window *window = deflate_window_new(w, bits);
	static unsigned char packed[2 * INPUT_BYTES_MAX];
	z_stream z = {0};

	CHECK(window != NULL);
	CHECK(deflateInit2(
		  &z, 6, Z_DEFLATED, -(int)(bits == 8 ? 9 : bits), 8, Z_DEFAULT_STRATEGY) == Z_OK);
	for (int i = 0; i < 3 && bits > 8; i++) {
		const struct slice part =
		    slice_of(bytes.bytes, bytes.len - bytes.len * (size_t)i / 4);
		struct slice seen;
		size_t len;

		z.next_in = (unsigned char *)(uintptr_t)part.bytes;
		z.avail_in = (unsigned)part.len;
		z.next_out = packed;
		z.avail_out = sizeof packed;
		CHECK(deflate(&z, Z_SYNC_FLUSH) == Z_OK);
		len = sizeof packed - z.avail_out;
		CHECK(len > 4);
		CHECK(deflate_unpack(w, window, slice_of((char *)packed, len - 4), INPUT_BYTES_MAX,
			  &seen) == DEFLATE_OK);
		CHECK(slice_equal(seen, part));
	}
	deflateEnd(&z);
	deflate_window_free(w, window);
	CHECK(w->deflate.window_bytes == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct worker *w;
	struct slice bytes;

	if (size < 5 || size > INPUT_BYTES_MAX)
		return 0;
	w = calloc(1, sizeof *w);
	CHECK(w != NULL && board_create(&w->board) == 0);
	w->settings.now.compression = 1;
	w->settings.now.compression_level = (uint8_t)(1 + data[0] % 9);
	w->settings.now.compression_min_bytes = 8;
	w->settings.now.compression_takeover_bytes = 1 << 20;
	bytes = slice_of((const char *)data + 4, size - 4);
	check_pack(w, bytes);
	check_unpack(w, bytes, (size_t)(data[1] | data[2] << 8) + 1);
	check_unpack(w, bytes, PLAIN_BYTES_MAX - 1);
	check_takeover(w, bytes, 8 + data[3] % 8);
	deflate_free(w);
	board_close(&w->board);
	free(w);
	return 0;
}
