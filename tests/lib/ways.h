/*
 * ways.h: one event published, by every way that the contract knows, and what became of it.
 */
#ifndef TESTS_LIB_WAYS_H
#define TESTS_LIB_WAYS_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/server.h"

struct ways_answer {
	uint64_t id;         /* 0: it was not published */
	int status;          /* of an HTTP answer, 0 where there is none */
	uint16_t close_code; /* of a WebSocket that was closed instead of an answer */
	char code[64];       /* of the error, or empty */
};

/* The status that the contract gives to an error's code. */
int ways_status(const char *code);

/* A POST of a body; type NULL: no Content-Type. False: no answer. */
bool ways_post(struct wire_target to, const char *resource, const char *type, struct text body,
    struct ways_answer *answer);

/* A WebSocket that says one text message, and hears its answer or its end. */
bool ways_websocket(uint16_t port, struct text message, struct ways_answer *answer);

/* A WebSocket of bare data (opcode 1 text, 2 binary), which hears its own event or its end. */
bool ways_raw(uint16_t port, const char *channel, uint8_t opcode, struct text data,
    struct ways_answer *answer);

/* Octets of a message that the two above can say. */
#define WAYS_MESSAGE_BYTES 8192

#endif
