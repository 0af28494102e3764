/*
 * publish_stream.h: an NDJSON upload without end: an envelope a line in, an answer a line out.
 *
 * All answers of a turn travel as one chunk. Its size is not known when it begins, so room for a fixed-width one is left:
 *
 *	|0001a4\r\n|{"id":"..."}\n{"id":"..."}\n...|\r\n|
 *	 ^ chunk_at: patched by publish_stream_seal before the bytes leave
 */
#ifndef MASTER_PUBLISH_STREAM_H
#define MASTER_PUBLISH_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/error.h"
#include "proto/slice.h"

struct publish_session;

struct publish_stream {
	uint64_t line;    /* number of the last line seen, from 1 */
	uint64_t taken;   /* lines that are in the ring, duplicates too */
	uint64_t last_id; /* of the last one taken */
	size_t chunk_at;  /* offset in the content of out */
	bool chunk_open;
	bool chunked;     /* false: HTTP/1.0, where the close is the end */
	bool errors_only; /* ?acks=errors */
	bool skipping;    /* inside a line that was too long */
};

/* The head has been read: answers with the head at once. */
void publish_stream_begin(struct publish_session *s, bool chunked, bool errors_only);

/* Takes decoded bytes of the body. All of them are taken; what must wait for room is kept in s->body. */
void publish_stream_feed(struct publish_session *s, struct slice bytes);

/* Goes on with what waited. True when nothing but the start of a line is left. */
bool publish_stream_resume(struct publish_session *s);

/* The body is complete: the last line may lack its line end; then the summary and the end of the answer. */
void publish_stream_end(struct publish_session *s);

/* The body is malformed: tells so in a line of the answer, which then stops short. */
void publish_stream_fail(struct publish_session *s, enum error_code code, const char *message);

/* Completes the chunk at hand; nothing when there is none. Before anything of out is sent. */
void publish_stream_seal(struct publish_session *s);

#endif
