/*
 * query.h: parameters of a query string or form, and percent-decoding.
 *
 * Everything is found raw and decoded once, at the moment it is used, into the caller's buffer.
 * Parameters are separated by '&'; '+' is a space in a query and a plus in a path (WHATWG URL,
 * application/x-www-form-urlencoded).
 */
#ifndef PROTO_QUERY_H
#define PROTO_QUERY_H

#include "proto/slice.h"

enum query_error {
	QUERY_BAD_ESCAPE = -1, /* a '%' without two hexadecimal digits */
	QUERY_TOO_LONG = -2,   /* the decoded text does not fit the buffer */
};

/*
 * Takes the next parameter off *rest, which begins as the whole query. Both slices are raw; a
 * parameter without '=' has an empty value; empty ones ("&&") are skipped. False at the end.
 */
bool query_next(struct slice *rest, struct slice *name, struct slice *value);

/*
 * Takes parameters off *rest up to and including the next of this name, and gives its raw value.
 * For repeated ones.
 */
bool query_find(struct slice *rest, const char *name, struct slice *value);

/* Of a parameter that counts once, the last (raw). False if there is none. */
bool query_last(struct slice query, const char *name, struct slice *value);

/* True if the raw name, decoded, is this one. A malformed name is none. */
bool query_name_is(struct slice raw, const char *name);

/*
 * Decodes a raw name or value into buffer: the length (0 and up), or an enum query_error. The
 * result may hold any byte, NUL too. A buffer of raw.len bytes always suffices. buffer may be
 * where raw lies.
 */
ptrdiff_t query_decode(struct slice raw, char *buffer, size_t cap);

/* The same for a segment of a path: '+' stays. */
ptrdiff_t query_decode_path(struct slice raw, char *buffer, size_t cap);

/*
 * Takes `text` off the start of a raw path, where an escape of a letter, digit, '-', '.', '_' or '~'
 * is that character (RFC 3986, 6.2.2.2), and no other is. False, and nothing taken, if it begins
 * otherwise.
 */
bool query_path_take(struct slice *raw, struct slice text);

/*
 * Reads a number of decimal digits only, at most max. False if it is anything else. text is
 * decoded already.
 */
bool query_u32(struct slice text, uint32_t max, uint32_t *number);

/* The same, but what is more than max is max, however many digits it has. */
bool query_u32_most(struct slice text, uint32_t max, uint32_t *number);

/*
 * Appends the query with the values of `token` parameters replaced by "-": the only form that may
 * be logged.
 */
void query_redact(struct out *out, struct slice query);

#endif
