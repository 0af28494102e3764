/*
 * utf8.h: is it UTF-8 (RFC 3629)? Checked as it streams in, or at once.
 *
 * Surrogates, overlong forms and code points above U+10FFFF are refused, each at the first byte
 * that no valid text can continue with, so that a WebSocket message fails fast (RFC 6455 8.1). The
 * state is four bytes of plain data; all zeroes is the start. NUL is a character like others here.
 */
#ifndef PROTO_UTF8_H
#define PROTO_UTF8_H

#include "proto/slice.h"

struct utf8 {
	uint8_t left; /* continuation bytes that the open character lacks */
	uint8_t low;  /* the next byte lies in low..high, if left is not 0 */
	uint8_t high;
	uint8_t failed; /* 1 once an impossible byte was seen; stays */
};

/* Makes the state that of an empty text. The same as zeroing it. */
void utf8_start(struct utf8 *u);

/*
 * Takes the next bytes of the text. Returns true while all that was fed can begin a valid text, and
 * false from the first impossible byte on, for ever.
 */
bool utf8_feed(struct utf8 *u, const char *bytes, size_t len);

/* True when what was fed is a whole valid text: nothing impossible, and no character left open. */
bool utf8_whole(const struct utf8 *u);

/* True when the bytes are a whole valid text. */
bool utf8_valid(struct slice text);

/*
 * Bytes of the longest prefix of a valid text that is at most len_max bytes and cuts no character.
 */
size_t utf8_cut(struct slice text, size_t len_max);

#endif
