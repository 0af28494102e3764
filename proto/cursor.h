/*
 * cursor.h: where a client wants to go on: the `after` parameter, and Last-Event-ID.
 *
 *     <id>        after this event                                     CURSOR_ID
 *     0           everything that is kept                              CURSOR_ALL
 *     -N          the last N of each channel, merged by id             CURSOR_LAST
 *     <Unix ms>   from this time on, inclusive                         CURSOR_TIME
 *     (absent)    from now on                                          CURSOR_NOW
 *
 * A malformed Last-Event-ID is CURSOR_UNKNOWN: all that is kept, with a gap told.
 */
#ifndef PROTO_CURSOR_H
#define PROTO_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/slice.h"

#define CURSOR_MS_MIN \
	UINT64_C(100000000000) /* 1973; what is less was most likely meant in seconds */

enum cursor_kind {
	CURSOR_NOW,
	CURSOR_ID,
	CURSOR_ALL,
	CURSOR_LAST,
	CURSOR_TIME,
	CURSOR_UNKNOWN,
};

struct cursor {
	enum cursor_kind kind;
	uint32_t count; /* CURSOR_LAST: N, at least 1; one that does not fit becomes the largest */
	uint64_t id;    /* CURSOR_ID; CURSOR_TIME: the last id before that time; else 0 */
	uint64_t ms;    /* CURSOR_TIME */
};

/*
 * Parses `after`. Returns NULL, or what is wrong in words for the client (the code is bad_after).
 */
const char *cursor_parse(struct slice text, struct cursor *cursor);

/*
 * Parses a Last-Event-ID, which never fails: an id gives CURSOR_ID, empty gives CURSOR_NOW, all
 * else CURSOR_UNKNOWN.
 */
void cursor_parse_last_event_id(struct slice text, struct cursor *cursor);

#endif
