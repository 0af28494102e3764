/*
 * buffer.h: bytes that grow. A refusal of memory leaves the buffer as it was.
 */
#ifndef WORKER_BUFFER_H
#define WORKER_BUFFER_H

#include "proto/slice.h"

struct buffer {
	char *bytes;
	size_t len;
	size_t cap;
};

/* Makes room for `cap` bytes in all. False: no memory. */
bool buffer_reserve(struct buffer *b, size_t cap);

/* Appends. False: no memory. */
bool buffer_add(struct buffer *b, const char *bytes, size_t len);

/* Drops bytes from the front. */
void buffer_drop(struct buffer *b, size_t len);

void buffer_free(struct buffer *b);

static inline struct slice
buffer_slice(const struct buffer *b)
{
	return slice_of(b->bytes, b->len);
}

/* Output over the whole of the buffer's capacity, from its start. */
static inline struct out
buffer_out(struct buffer *b)
{
	return out_to(b->bytes, b->cap);
}

#endif
