/*
 * beat.h: signs of life to clients of whom nothing else is heard: what is sent, and when.
 *
 * A beat says that everything up to its id was sent; so it is only sent to a connection that has nothing pending. All
 * connections of a turn share its bytes.
 */
#ifndef WORKER_BEAT_H
#define WORKER_BEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/slice.h"

struct worker;

struct beat {
	uint64_t id; /* for which the bytes were rendered */
	bool rendered;
	char sse[256];
	char ws[256]; /* ping and live */
	char raw[16]; /* ping alone */
	size_t sse_len, ws_len, raw_len;
};

/* Sets the deadline of a stream's next beat. */
void beat_schedule(struct worker *w, uint32_t slot);

/* Whether one is to be sent now: nothing was, for long enough, and nothing is pending. Moves the cursor up to what it says. */
bool beat_is_due(struct worker *w, uint32_t slot);

/* The bytes, for deliver_beat. */
struct slice beat_sse(struct worker *w);
struct slice beat_ws(struct worker *w);
struct slice beat_raw(struct worker *w);

#endif
