/*
 * base64.h: base64 as RFC 4648 section 4 has it, strictly: the standard alphabet, padding required,
 * no white space, and the unused bits of the last character zero, so that every byte string has
 * exactly one encoding.
 */
#ifndef PROTO_BASE64_H
#define PROTO_BASE64_H

#include "proto/slice.h"

enum base64_error {
	BASE64_BAD_LENGTH = -1,   /* not a multiple of four characters */
	BASE64_BAD_BYTE = -2,     /* a byte outside the alphabet, or '=' before the end */
	BASE64_BAD_BITS = -3,     /* unused bits of the last character are set (RFC 4648 3.5) */
	BASE64_OUT_TOO_SMALL = -4 /* the decoded bytes do not fit; nothing was written */
};

/*
 * Characters that len bytes encode to. len is at most SIZE_MAX / 4 * 3 - 2, which no memory
 * reaches.
 */
size_t base64_encoded_len(size_t len);

/*
 * Bytes that a text decodes to if it is valid: looks only at its length and its padding. 0 if the
 * length is impossible.
 */
size_t base64_decoded_len(struct slice text);

/* Appends the encoding of the bytes; all of it or, when it does not fit, none. */
void base64_encode(struct out *o, struct slice bytes);

/*
 * Decodes the text into to[cap] and returns the number of bytes written (0 for an empty text), or a
 * base64_error. In place (to == text.bytes) is allowed: no byte is written before the four
 * characters it comes from were read. After BAD_BYTE or BAD_BITS the contents of to are undefined.
 */
ptrdiff_t base64_decode(char *to, size_t cap, struct slice text);

#endif
