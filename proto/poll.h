/*
 * poll.h: the body of a poll's answer, in pieces that can be gathered:
 *
 *     {"events":[   event , event , event   ],"next":"ID","more":false,"gaps":[]}
 *     POLL_PREFIX   event_render each, POLL_COMMA between   poll_render_suffix
 *
 * The content length is poll_length(...): known as soon as the events and the suffix are.
 */
#ifndef PROTO_POLL_H
#define PROTO_POLL_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/json.h"
#include "proto/slice.h"

#define POLL_PREFIX SLICE_LITERAL("{\"events\":[")
#define POLL_COMMA SLICE_LITERAL(",")

struct poll_gap {
	struct slice channel;
	uint64_t after;
	uint64_t at;
};

/* Appends everything behind the last event. */
void poll_render_suffix(
    struct out *o, uint64_t next, bool more, const struct poll_gap *gaps, uint32_t gap_count);

/*
 * The body's bytes, given the bytes of all event objects without commas, how many they are, and the
 * suffix's bytes.
 */
size_t poll_length(size_t event_bytes, uint32_t event_count, size_t suffix_len);

/* A received answer: walk `events` with event_parse_object, `gaps` with poll_parse_gap. */
struct poll_answer {
	uint64_t next;
	bool more;
	struct json_walk events;
	struct json_walk gaps;
};

/* Parses an answer, on the client's side. False: not one (events or next missing, or not JSON). */
bool poll_parse(struct poll_answer *answer, struct slice body);

/* Parses one element of gaps. The channel may lie in the scratch. */
bool poll_parse_gap(struct poll_gap *gap, struct slice text, struct out *scratch);

#endif
