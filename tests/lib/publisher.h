/*
 * publisher.h: publishing over the Unix socket, by single requests and by an endless NDJSON upload
 * with its answers.
 *
 * The stream is driven by publisher_turn() from the caller's loop and never blocks: lines that the
 * caller gave wait in a buffer, answers are handed to a hook in order.
 */
#ifndef TESTS_LIB_PUBLISHER_H
#define TESTS_LIB_PUBLISHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/wire.h"

/*
 * One POST of a JSON body; the id (or the first of the ids), 0 when it was refused. `status` may be
 * NULL.
 */
uint64_t publisher_post(const char *socket, struct text body, int *status);
/* One event with JSON data, for tests that need just that. */
uint64_t publisher_event(const char *socket, const char *channel, const char *data);

struct publisher {
	int fd;
	char *out; /* chunks not yet taken by the socket */
	size_t out_len, out_cap;
	char *in; /* bytes of answers not yet a whole line */
	size_t in_len, in_cap;
	bool head_done, chunked, failed;
	size_t chunk_left; /* bytes of the present chunk and its CRLF that are still to come */
	size_t plain;      /* bytes of `in` that are decoded */
	uint64_t sent, answered, refused;
	uint64_t progress_ms;
	/*
	 * One call an answer: the number of the line (from 0), its id or 0, and the answer as it
	 * came.
	 */
	void (*answer)(void *context, uint64_t number, uint64_t id, struct text line);
	void *context;
};

bool publisher_open(struct publisher *p, const char *socket,
    void (*answer)(void *context, uint64_t number, uint64_t id, struct text line), void *context);
/* Queues one envelope (a line without its LF). */
void publisher_line(struct publisher *p, struct text envelope);
/* Writes and reads what can be done now; false when the stream broke. */
bool publisher_turn(struct publisher *p);
/* Turns until every line is answered. */
bool publisher_settle(struct publisher *p, unsigned ms);
void publisher_close(struct publisher *p);

#endif
