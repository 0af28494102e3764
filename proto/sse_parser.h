/*
 * sse_parser.h: reads an event stream the way WHATWG HTML 9.2.5-9.2.6 says, in pieces of any
 * length. For the command line and the tests; a browser's EventSource sees the same.
 *
 * Lines end at CR, LF or CRLF, also when a read splits the CRLF; an event is dispatched with the
 * line end that completes it, without waiting for what follows. One leading byte order mark is
 * dropped. Bytes are reported as sent: turning invalid UTF-8 into U+FFFD, which browsers do, is the
 * caller's affair.
 *
 * All text lives in the caller's one buffer:
 *
 *     | data so far | line being read | ... free ... | type | id to come | last event id |
 *     0                                                                                  cap
 */
#ifndef PROTO_SSE_PARSER_H
#define PROTO_SSE_PARSER_H

#include "proto/slice.h"

#define SSE_PARSER_NO_RETRY (-1)

struct sse_parser {
	char *bytes; /* the caller's buffer */
	size_t cap;
	size_t data_len;    /* the data of the event being read, each line with its LF */
	size_t line_len;    /* the line being read, without its end */
	size_t type_len;    /* of the event being read; 0: message */
	size_t next_id_len; /* becomes the last event id at the next blank line */
	size_t last_id_len; /* what to reconnect with */
	int64_t retry_ms;   /* the newest, at most UINT32_MAX, or SSE_PARSER_NO_RETRY */
	bool next_id_set;   /* an id line came since the last blank line; next_id may be empty */
	bool after_cr;      /* the byte before was CR: an LF now belongs to it */
	bool first_line;    /* a byte order mark may still come */
	bool comment;       /* the line being read is one: it is not kept */
	bool dispatched;    /* the event just reported is cleared at the next call */
};

struct sse_parser_event {
	/* Good until the next call on this parser. */
	struct slice type; /* "message" when the stream named none */
	struct slice data;
	struct slice id; /* the last event id at that point, empty when there never was one */
};

enum sse_parser_result {
	SSE_PARSER_MORE = 0,      /* all input is consumed, no event */
	SSE_PARSER_EVENT = 1,     /* *event is filled; call again with the rest */
	SSE_PARSER_TOO_SMALL = -1 /* the buffer: grow it and call again, nothing is lost */
};

/* Begins a stream, with nothing known. The parser borrows the buffer until it is done or grown. */
void sse_parser_start(struct sse_parser *p, char *bytes, size_t cap);

/*
 * Begins the next connection of the same client: drops what is unfinished, keeps the last event id
 * and retry.
 */
void sse_parser_restart(struct sse_parser *p);

/* Moves to a larger buffer (cap not less than before); the old one is free afterwards. */
void sse_parser_grow(struct sse_parser *p, char *bytes, size_t cap);

/*
 * Takes bytes from the front of *in, which moves on past what was consumed, up to the next event.
 */
enum sse_parser_result sse_parser_next(
    struct sse_parser *p, struct slice *in, struct sse_parser_event *event);

/* The id to reconnect with; empty: none. Good until the next call. */
struct slice sse_parser_last_id(const struct sse_parser *p);

#endif
