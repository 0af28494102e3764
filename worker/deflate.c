/*
 * deflate.c: see deflate.h.
 */
#include "worker/deflate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST /* input is const */
#include <zlib.h>

#include "worker/worker.h"

#define WINDOW_BITS 15
#define WINDOW_BITS_MIN \
	9 /* many clients that agree to 8 use 9, since zlib cannot compress with 8 */
#define GZIP_BITS (WINDOW_BITS + 16)
#define MEMORY_LEVEL 8
#define PLAIN_BYTES_MIN 4096
#define BUFFER_BYTES_KEPT (256u << 10) /* between two messages */

/* What a sender cuts off a message's end and a receiver puts back (RFC 7692 sections 7.2.1, 7.2.2). */
static const char message_end[4] = {0, 0, (char)0xff, (char)0xff};

struct deflate_window {
	z_stream stream;
};

/* ---- memory --------------------------------------------------------------------------------------- */

/* zlib does not say how much it gives back: each block carries its size in front. */
struct block {
	size_t bytes;
	max_align_t memory[];
};

static void *
block_take(size_t bytes)
{
	struct block *block = malloc(sizeof *block + bytes);

	if (block == NULL)
		return NULL;
	block->bytes = sizeof *block + bytes;
	return block->memory;
}

static struct block *
block_of(void *memory)
{
	return (struct block *)(void *)((char *)memory - offsetof(struct block, memory));
}

static void *
take(void *opaque, uInt items, uInt bytes)
{
	(void)opaque;
	return block_take((size_t)items * bytes);
}

static void
give(void *opaque, void *memory)
{
	(void)opaque;
	free(block_of(memory));
}

/* The same out of the pool of windows. */
static void *
pool_take(void *opaque, uInt items, uInt bytes)
{
	struct worker *w = opaque;
	const uint64_t needed = sizeof(struct block) + (uint64_t)items * bytes;
	void *memory;

	if (w->deflate.window_bytes + needed > w->settings.now.compression_takeover_bytes)
		return NULL;
	memory = block_take((size_t)items * bytes);
	if (memory != NULL)
		w->deflate.window_bytes += needed;
	return memory;
}

static void
pool_give(void *opaque, void *memory)
{
	struct worker *w = opaque;
	struct block *block = block_of(memory);

	w->deflate.window_bytes -= block->bytes;
	free(block);
}

/* Makes room anew, not keeping for ever what one large message took. */
static bool
make_room(struct buffer *b, size_t bytes)
{
	if (b->cap > BUFFER_BYTES_KEPT && bytes <= BUFFER_BYTES_KEPT)
		buffer_free(b);
	b->len = 0;
	return buffer_reserve(b, bytes);
}

/* ---- compressing ---------------------------------------------------------------------------------- */

static void
end_packer(z_stream **stream)
{
	if (*stream == NULL)
		return;
	deflateEnd(*stream);
	free(*stream);
	*stream = NULL;
}

/* The compressor, made for the level of the settings, and as if it were new. NULL: no memory. */
static z_stream *
packer(struct worker *w, z_stream **stream, int bits)
{
	struct deflate *d = &w->deflate;

	if (d->level != w->settings.now.compression_level) {
		end_packer(&d->packer);
		end_packer(&d->gzipper);
		d->level = w->settings.now.compression_level;
	}
	if (*stream != NULL) {
		deflateReset(*stream);
		return *stream;
	}
	*stream = malloc(sizeof **stream);
	if (*stream == NULL)
		return NULL;
	**stream = (z_stream){.zalloc = take, .zfree = give};
	if (deflateInit2(*stream, d->level, Z_DEFLATED, bits, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
	    Z_OK) {
		free(*stream);
		*stream = NULL;
	}
	return *stream;
}

/* Compresses pieces into at most as many bytes as they have. 0: it would be more, or no memory. */
static size_t
pack(struct worker *w, z_stream *z, const struct slice *pieces, size_t count, size_t len, int flush)
{
	struct buffer *packed = &w->deflate.packed;
	int result = Z_OK;

	if (len > UINT32_MAX || !make_room(packed, len))
		return 0;
	z->next_out = (Bytef *)packed->bytes;
	z->avail_out = (uInt)len;
	for (size_t i = 0; i < count; i++) {
		z->next_in = (const Bytef *)pieces[i].bytes;
		z->avail_in = (uInt)pieces[i].len;
		result = deflate(z, i + 1 == count ? flush : Z_NO_FLUSH);
	}
	/* Full means that there may be more to come. */
	if (z->avail_out == 0 || result != (flush == Z_FINISH ? Z_STREAM_END : Z_OK))
		return 0;
	return len - z->avail_out;
}

struct slice
deflate_pack(struct worker *w, struct slice plain)
{
	const struct slice none = {NULL, 0};
	z_stream *z;
	size_t len;

	if (plain.len < w->settings.now.compression_min_bytes)
		return none;
	z = packer(w, &w->deflate.packer, -WINDOW_BITS);
	len = z == NULL ? 0 : pack(w, z, &plain, 1, plain.len, Z_SYNC_FLUSH);
	if (len <= sizeof message_end)
		return none;
	len -= sizeof message_end;
	assert(memcmp(w->deflate.packed.bytes + len, message_end, sizeof message_end) == 0);
	board_add(&w->board, BOARD_DEFLATE_MESSAGES_OUT, 1);
	board_add(&w->board, BOARD_DEFLATE_PLAIN_OUT, plain.len);
	board_add(&w->board, BOARD_DEFLATE_PACKED_OUT, len);
	return slice_of(w->deflate.packed.bytes, len);
}

struct slice
deflate_gzip(struct worker *w, const struct slice *pieces, size_t count)
{
	const struct slice none = {NULL, 0};
	size_t len = 0;
	z_stream *z;

	for (size_t i = 0; i < count; i++)
		len += pieces[i].len;
	if (count == 0 || len < w->settings.now.compression_min_bytes)
		return none;
	w->deflate.turn_bytes += len;
	z = packer(w, &w->deflate.gzipper, GZIP_BITS);
	len = z == NULL ? 0 : pack(w, z, pieces, count, len, Z_FINISH);
	return len == 0 ? none : slice_of(w->deflate.packed.bytes, len);
}

/* ---- inflating ------------------------------------------------------------------------------------ */

static z_stream *
unpacker(struct worker *w)
{
	z_stream **stream = &w->deflate.unpacker;

	if (*stream != NULL) {
		inflateReset(*stream);
		return *stream;
	}
	*stream = malloc(sizeof **stream);
	if (*stream == NULL)
		return NULL;
	**stream = (z_stream){.zalloc = take, .zfree = give};
	if (inflateInit2(*stream, -WINDOW_BITS) != Z_OK) {
		free(*stream);
		*stream = NULL;
	}
	return *stream;
}

static bool
too_big(size_t plain_len, size_t packed_len, size_t len_max)
{
	return plain_len > len_max ||
	       (plain_len > DEFLATE_FREE_BYTES && plain_len / DEFLATE_RATIO_MAX > packed_len);
}

/* Room for the next step, in a buffer that never holds more than one byte above the limit. */
static bool
next_step(struct buffer *plain, size_t len_max)
{
	size_t cap = plain->cap == 0 ? PLAIN_BYTES_MIN : plain->cap * 2;
	char *bytes;

	if (plain->len < plain->cap)
		return true;
	if (cap > len_max + 1)
		cap = len_max + 1;
	bytes = realloc(plain->bytes, cap);
	if (bytes == NULL)
		return false;
	plain->bytes = bytes;
	plain->cap = cap;
	return true;
}

/* Inflates what the stream is given, until there is none left, or a final block has ended: Z_OK or Z_STREAM_END, or an enum deflate_result. */
static int
inflate_all(struct worker *w, z_stream *z, size_t packed_len, size_t len_max)
{
	struct buffer *plain = &w->deflate.plain;

	for (;;) {
		int result;

		if (!next_step(plain, len_max))
			return DEFLATE_NO_MEMORY;
		z->next_out = (Bytef *)plain->bytes + plain->len;
		z->avail_out = (uInt)(plain->cap - plain->len);
		result = inflate(z, Z_SYNC_FLUSH);
		plain->len = plain->cap - z->avail_out;
		if (too_big(plain->len, packed_len, len_max))
			return DEFLATE_TOO_BIG;
		if (result == Z_STREAM_END)
			return result;
		if (result == Z_MEM_ERROR)
			return DEFLATE_NO_MEMORY;
		if (result != Z_OK && result != Z_BUF_ERROR)
			return DEFLATE_BAD_DATA;
		if (z->avail_out != 0)
			return Z_OK;
	}
}

/* One piece of the stream, which may hold final blocks: behind each the stream goes on (RFC 7692 section 7.2.3.4). */
static int
inflate_piece(struct worker *w, z_stream *z, struct slice piece, size_t packed_len, size_t len_max)
{
	int result;

	z->next_in = (const Bytef *)piece.bytes;
	z->avail_in = (uInt)piece.len;
	while ((result = inflate_all(w, z, packed_len, len_max)) == Z_STREAM_END) {
		inflateResetKeep(z);
		if (z->avail_in == 0)
			break;
	}
	return result;
}

static enum deflate_result
unpack(struct worker *w, z_stream *z, struct slice packed, size_t len_max)
{
	int result;

	/* An empty message should be one empty block, but what else can nothing mean? */
	if (packed.len == 0)
		return DEFLATE_OK;
	result = inflate_piece(w, z, packed, packed.len, len_max);
	/* Ended by a final block, without the empty one that should follow: nothing is missing. */
	if (result == Z_STREAM_END)
		return DEFLATE_OK;
	if (result == Z_OK)
		result = inflate_piece(
		    w, z, slice_of(message_end, sizeof message_end), packed.len, len_max);
	if (result < 0)
		return (enum deflate_result)result;
	/* 128: between two blocks. Anywhere else the message was cut. */
	return result == Z_STREAM_END || (z->data_type & 128) != 0 ? DEFLATE_OK : DEFLATE_BAD_DATA;
}

enum deflate_result
deflate_unpack(struct worker *w, struct deflate_window *window, struct slice packed, size_t len_max,
    struct slice *plain)
{
	z_stream *z = window != NULL ? &window->stream : unpacker(w);
	struct buffer *b = &w->deflate.plain;
	enum deflate_result result;

	assert(packed.len <= UINT32_MAX);
	if (len_max >= UINT32_MAX)
		len_max = UINT32_MAX - 1; /* what zlib can be told of at once */
	if (b->cap > BUFFER_BYTES_KEPT || b->cap > len_max + 1)
		buffer_free(b);
	b->len = 0;
	result = z == NULL ? DEFLATE_NO_MEMORY : unpack(w, z, packed, len_max);
	*plain = buffer_slice(b);
	w->deflate.turn_bytes += b->len;
	if (result == DEFLATE_OK) {
		board_add(&w->board, BOARD_DEFLATE_MESSAGES_IN, 1);
		board_add(&w->board, BOARD_DEFLATE_PLAIN_IN, b->len);
		board_add(&w->board, BOARD_DEFLATE_PACKED_IN, packed.len);
	}
	return result;
}

bool
deflate_is_spent(const struct worker *w)
{
	return w->deflate.turn_bytes >= DEFLATE_TURN_BYTES;
}

/* ---- windows of connections ------------------------------------------------------------------------ */

struct deflate_window *
deflate_window_new(struct worker *w, unsigned bits)
{
	struct deflate_window *window = pool_take(w, 1, sizeof *window);

	if (window == NULL)
		return NULL;
	window->stream = (z_stream){.zalloc = pool_take, .zfree = pool_give, .opaque = w};
	if (inflateInit2(
		&window->stream, -(int)(bits < WINDOW_BITS_MIN ? WINDOW_BITS_MIN : bits)) != Z_OK) {
		pool_give(w, window);
		return NULL;
	}
	/* zlib takes the window itself only when it needs it: an empty dictionary makes it do so now, while one can still say no. */
	if (inflateSetDictionary(&window->stream, (const Bytef *)message_end, 0) != Z_OK) {
		deflate_window_free(w, window);
		return NULL;
	}
	return window;
}

void
deflate_window_free(struct worker *w, struct deflate_window *window)
{
	if (window == NULL)
		return;
	inflateEnd(&window->stream);
	pool_give(w, window);
}

void
deflate_free(struct worker *w)
{
	struct deflate *d = &w->deflate;

	end_packer(&d->packer);
	end_packer(&d->gzipper);
	if (d->unpacker != NULL)
		inflateEnd(d->unpacker);
	free(d->unpacker);
	buffer_free(&d->packed);
	buffer_free(&d->plain);
	*d = (struct deflate){0};
}
