/*
 * event_source.h: what a page's EventSource makes of a stream: WHATWG HTML 9.2.5 and 9.2.6, written for tests from that text
 * alone, octet by octet. It shares nothing with the product's parser.
 *
 * The stream is decoded first (WHATWG Encoding, "UTF-8 decode"): one byte order mark at its start goes, what is not UTF-8 becomes
 * U+FFFD. Then lines, fields, events.
 */
#ifndef TESTS_LIB_EVENT_SOURCE_H
#define TESTS_LIB_EVENT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/wire.h"

struct event_source_text {
	char *bytes;
	size_t len, cap;
};

struct event_source {
	struct event_source_text line, data, type, id;
	char pending[4]; /* of a character that is not whole yet */
	uint8_t pending_len, pending_need;
	uint8_t lower, upper;  /* what its next octet may be */
	bool begun;            /* the first character is past */
	bool after_cr;         /* an LF now belongs to the line end before it */
	bool dispatched;       /* `data` and `type` are of the event that was reported last */
	int64_t retry_ms;      /* -1: none was named */
	uint64_t replacements; /* times U+FFFD was put for octets that are not UTF-8 */
};

struct event_source_event {
	/* Good until the next call. */
	struct text type, data, id;
};

void event_source_open(struct event_source *e);
void event_source_close(struct event_source *e);

/*
 * Takes octets up to the one that dispatches an event; how many that were goes to *taken. False: all are taken, and there is no
 * event yet.
 */
bool event_source_next(struct event_source *e, const char *bytes, size_t len, size_t *taken,
    struct event_source_event *event);

#endif
