/*
 * buffer.c: bytes that grow, doubling.
 */
#include "worker/buffer.h"

#include <stdlib.h>

#define BUFFER_BYTES_MIN 256

bool
buffer_reserve(struct buffer *b, size_t cap)
{
	size_t grown = b->cap < BUFFER_BYTES_MIN ? BUFFER_BYTES_MIN : b->cap;
	char *bytes;

	if (cap <= b->cap)
		return true;
	while (grown < cap)
		grown *= 2;
	bytes = realloc(b->bytes, grown);
	if (bytes == NULL)
		return false;
	b->bytes = bytes;
	b->cap = grown;
	return true;
}

bool
buffer_add(struct buffer *b, const char *bytes, size_t len)
{
	if (!buffer_reserve(b, b->len + len))
		return false;
	if (len != 0)
		memcpy(b->bytes + b->len, bytes, len);
	b->len += len;
	return true;
}

void
buffer_drop(struct buffer *b, size_t len)
{
	b->len -= len;
	if (b->len != 0)
		memmove(b->bytes, b->bytes + len, b->len);
}

void
buffer_free(struct buffer *b)
{
	free(b->bytes);
	*b = (struct buffer){0};
}
