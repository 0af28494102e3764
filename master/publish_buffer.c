/*
 * publish_buffer.c: see publish_buffer.h.
 */
#include "master/publish_buffer.h"

#include <assert.h>
#include <stdlib.h>

#define CAP_MIN 1024
#define CAP_KEPT 65536 /* an empty buffer keeps no more than this */

bool
publish_buffer_reserve(struct publish_buffer *b, size_t room)
{
	size_t cap = b->cap < CAP_MIN ? CAP_MIN : b->cap;
	char *bytes;

	if (b->cap - b->start - b->len >= room)
		return true;
	if (b->cap - b->len >= room && b->start >= b->len) {
		/* Moving costs no more than what was taken from the front since the last time. */
		memmove(b->bytes, b->bytes + b->start, b->len);
		b->start = 0;
		return true;
	}
	if (room > SIZE_MAX / 4 - b->len)
		return false;
	while (cap < b->len + room)
		cap *= 2;
	bytes = malloc(cap);
	if (bytes == NULL)
		return false;
	if (b->len != 0)
		memcpy(bytes, b->bytes + b->start, b->len);
	free(b->bytes);
	*b = (struct publish_buffer){bytes, 0, b->len, cap};
	return true;
}

bool
publish_buffer_put(struct publish_buffer *b, struct slice bytes)
{
	if (bytes.len == 0)
		return true;
	if (!publish_buffer_reserve(b, bytes.len))
		return false;
	memcpy(b->bytes + b->start + b->len, bytes.bytes, bytes.len);
	b->len += bytes.len;
	return true;
}

struct out
publish_buffer_out(struct publish_buffer *b)
{
	size_t used = b->start + b->len;

	return out_to(b->bytes == NULL ? NULL : b->bytes + used, b->cap - used);
}

void
publish_buffer_took(struct publish_buffer *b, const struct out *o)
{
	assert(!out_cut(o) && o->len <= b->cap - b->start - b->len);
	b->len += o->len;
}

void
publish_buffer_drop(struct publish_buffer *b, size_t n)
{
	assert(n <= b->len);
	b->start += n;
	b->len -= n;
	if (b->len == 0)
		publish_buffer_clear(b);
}

void
publish_buffer_clear(struct publish_buffer *b)
{
	b->start = 0;
	b->len = 0;
	if (b->cap > CAP_KEPT)
		publish_buffer_free(b);
}

void
publish_buffer_free(struct publish_buffer *b)
{
	free(b->bytes);
	*b = (struct publish_buffer){0};
}
