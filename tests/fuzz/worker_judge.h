/*
 * worker_judge.h: the books of the whole-worker fuzz: every event that was published, what each client asked for, and
 * the bytes that it got. At the end the judge reads these bytes as a stranger would (HTTP, JSON, event streams and frames by
 * parsers of its own) and aborts, with a sentence, where they are not what the contract promises:
 *
 *   - each answer is whole, or a prefix of one where the connection was cut
 *   - an event is one that was published, as it was published, on a channel of this connection, and comes once
 *   - ids rise; what is missing was told as a gap, and without a reason nothing is
 *   - a connection that is still there at the end, and live, lacks nothing
 *
 * Of a client whose requests were not made by the book (struct judge_client.strange) only what holds for everybody is asked.
 */
#ifndef TESTS_FUZZ_WORKER_JUDGE_H
#define TESTS_FUZZ_WORKER_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/event.h"
#include "proto/slice.h"

#define JUDGE_CHANNELS 4
#define JUDGE_EVENTS_MAX 2048
#define JUDGE_ASKS_MAX 64
#define JUDGE_MARKS_MAX 512

struct judge_event {
	uint64_t id;
	struct slice channels[LIMIT_EVENT_CHANNELS];
	uint32_t channel_count;
	struct slice type;
	struct slice data;
	enum event_kind kind;
};

enum judge_after {
	JUDGE_NOW,
	JUDGE_ID,   /* number is an id that was, or may have been */
	JUDGE_ALL,  /* 0 */
	JUDGE_LAST, /* number is how many */
	JUDGE_TIME, /* number is in ms */
	JUDGE_FUTURE,
	JUDGE_AFTERS
};

enum judge_transport {
	JUDGE_POLL,
	JUDGE_LONGPOLL,
	JUDGE_SSE,
	JUDGE_SSE_JSON,
	JUDGE_WS,
	JUDGE_WS_RAW,
	JUDGE_POST,
	JUDGE_TRANSPORTS
};

/* A request, or a subscribe of a WebSocket client (its ref is its number among the client's asks). */
struct judge_ask {
	enum judge_transport transport;
	enum judge_after after;
	uint64_t number;
	uint64_t head; /* the newest event when it was asked */
	uint32_t limit;
	uint8_t channels; /* a bit each */
	bool op;          /* of an open WebSocket */
};

/* When so many bytes had come, this was the newest event. */
struct judge_mark {
	size_t len;
	uint64_t head;
};

struct judge_client {
	const char *bytes;
	size_t len;
	struct judge_ask asks[JUDGE_ASKS_MAX];
	uint32_t ask_count;
	struct judge_mark marks[JUDGE_MARKS_MAX];
	uint32_t mark_count;
	bool strange; /* sent what is not in the books */
	bool open;    /* neither side has ended it, and everything was read */
	bool settled; /* and nothing is under way: what it is owed it must have */
};

struct judge {
	struct judge_event events[JUDGE_EVENTS_MAX];
	uint32_t event_count;
	uint64_t birth;
	uint64_t head; /* the newest id of the ring, or its birth; deletions have ids, too */
	bool lapped;   /* history was lost: to the writer, or by deletion */
};

extern const struct slice judge_channels[JUDGE_CHANNELS];

/* Writes an event into the books; everything is copied. False: they are full. */
bool judge_publish(struct judge *j, const struct event *e, uint64_t id);

void judge_mark(struct judge_client *c, size_t len, uint64_t head);

void judge_client(const struct judge *j, const struct judge_client *c);

void judge_free(struct judge *j);

#endif
