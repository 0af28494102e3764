/*
 * stream.h: one answer read by hand, octet for octet: a head, and then an event stream that is compared as octets and read as a
 * page's EventSource would read it.
 */
#ifndef TESTS_LIB_STREAM_H
#define TESTS_LIB_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/event_source.h"
#include "tests/lib/wire.h"

struct stream {
	int fd; /* -1: none */
	char *buffer;
	size_t cap;
	struct wire_http answer;
	char *body; /* what came behind the head, in the buffer */
	size_t len;
	size_t parsed;   /* octets of it that the reader has taken */
	size_t compared; /* ... that stream_compare has */
	bool is_events;  /* a 200 of text/event-stream without a length */
	bool ended;
	struct event_source source;
	char welcome[32]; /* the cursor that it told */
};

/* Borrows the buffer, which bounds what can be read. */
void stream_init(struct stream *s, char *buffer, size_t cap);
void stream_close(struct stream *s);

bool stream_connect(struct stream *s, uint16_t port);
/* All in one send, or `single` octets in one each. */
bool stream_send(struct stream *s, const char *bytes, size_t len, bool single);
/* The head of the next answer. */
bool stream_head(struct stream *s);

/* More of the body; false at its end, or when nothing comes in time. */
bool stream_more(struct stream *s);
/* The end of the first `text` behind `from`, 0 when it does not come. */
size_t stream_past(struct stream *s, size_t from, const char *text);
/* Whether nothing comes behind `from` but the end. */
bool stream_ends(struct stream *s, size_t from);

/* The number of "retry: N" and a blank line at `from`, and nothing else; 0 when that is not there. */
unsigned stream_retry(struct stream *s, size_t from);
/* Takes what a stream begins with: retry and welcome, as they must be octet for octet. */
bool stream_welcome(struct stream *s, unsigned beat_s);

/* The next octets are these; how many of them are, goes to *same. */
bool stream_compare(struct stream *s, struct text octets, size_t *same);
/* The next event that a page gets. */
bool stream_event(struct stream *s, struct event_source_event *event);

#endif
