/*
 * slice.h: bytes that somebody else owns (struct slice), and bounded output (struct out).
 *
 * Everything in proto/ takes slices and appends to an out. An out never allocates and never writes past its capacity;
 * what does not fit is counted, so that `need` tells the caller how large a buffer would have done.
 */
#ifndef PROTO_SLICE_H
#define PROTO_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *bytes; /* not terminated; may be NULL when len is 0 */
	size_t len;
};

#define SLICE_LITERAL(text) ((struct slice){(text), sizeof(text) - 1})

static inline struct slice
slice_of(const char *bytes, size_t len)
{
	return (struct slice){bytes, len};
}

static inline struct slice
slice_text(const char *text)
{
	return (struct slice){text, strlen(text)};
}

static inline bool
slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

struct out {
	char *bytes;
	size_t cap;
	size_t len;  /* bytes written, at most cap */
	size_t need; /* bytes asked for; more than len when the output was cut */
};

static inline struct out
out_to(char *bytes, size_t cap)
{
	return (struct out){bytes, cap, 0, 0};
}

/* True when something did not fit: the output must not be used. */
static inline bool
out_cut(const struct out *o)
{
	return o->need > o->len;
}

/* Appends all of the bytes or none of them; after a first refusal nothing more is written. */
static inline void
out_bytes(struct out *o, const char *bytes, size_t len)
{
	if (!out_cut(o) && len <= o->cap - o->len) {
		if (len != 0)
			memcpy(o->bytes + o->len, bytes, len);
		o->len += len;
	}
	o->need += len;
}

static inline void
out_slice(struct out *o, struct slice s)
{
	out_bytes(o, s.bytes, s.len);
}

static inline void
out_text(struct out *o, const char *text)
{
	out_bytes(o, text, strlen(text));
}

static inline void
out_char(struct out *o, char c)
{
	out_bytes(o, &c, 1);
}

/* Appends a number in decimal, without padding. */
static inline void
out_u64(struct out *o, uint64_t n)
{
	char digits[20];
	size_t i = sizeof digits;

	do
		digits[--i] = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	out_bytes(o, digits + i, sizeof digits - i);
}

#endif
