/*
 * publish_buffer.h: bytes that wait: in front what is taken, behind what is put. It allocates only while it holds something
 * (or a little), so that an idle session costs no buffers.
 *
 *	| free | content: start .. start + len | room ... |
 *	0                                              cap
 */
#ifndef MASTER_PUBLISH_BUFFER_H
#define MASTER_PUBLISH_BUFFER_H

#include <stdbool.h>

#include "proto/slice.h"

struct publish_buffer {
	char *bytes;
	size_t start;
	size_t len;
	size_t cap;
};

static inline struct slice
publish_buffer_content(const struct publish_buffer *b)
{
	return slice_of(b->bytes == NULL ? NULL : b->bytes + b->start, b->len);
}

/* Makes room for so many bytes behind the content. False when memory is refused; nothing changes then. */
bool publish_buffer_reserve(struct publish_buffer *b, size_t room);

/* Appends; false when memory is refused. */
bool publish_buffer_put(struct publish_buffer *b, struct slice bytes);

/* The room behind the content as an out; publish_buffer_took appends what was written there. */
struct out publish_buffer_out(struct publish_buffer *b);
void publish_buffer_took(struct publish_buffer *b, const struct out *o);

/* Drops bytes at the front. An empty buffer that has grown large gives its memory back. */
void publish_buffer_drop(struct publish_buffer *b, size_t n);
void publish_buffer_clear(struct publish_buffer *b);
void publish_buffer_free(struct publish_buffer *b);

#endif
