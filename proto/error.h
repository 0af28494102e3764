/*
 * error.h: the error codes of the wire contract: their words, their HTTP statuses, and their JSON.
 *
 * The same codes serve HTTP, NDJSON and WebSocket. One table (error.c) says what each is called
 * and which status it has; nothing else in ringcast spells an error word.
 */
#ifndef PROTO_ERROR_H
#define PROTO_ERROR_H

#include <stdbool.h>

#include "proto/slice.h"

enum error_code {
	ERROR_NONE, /* no error: has neither word nor status */
	ERROR_BAD_REQUEST,
	ERROR_BAD_JSON,
	ERROR_BAD_UTF8,
	ERROR_BAD_CHANNEL,
	ERROR_BAD_AFTER,
	ERROR_NO_CHANNEL,
	ERROR_UNAUTHORIZED,
	ERROR_TOKEN_EXPIRED,
	ERROR_FORBIDDEN,
	ERROR_ORIGIN_FORBIDDEN,
	ERROR_NOT_FOUND,
	ERROR_METHOD_NOT_ALLOWED,
	ERROR_TIMEOUT,
	ERROR_TOO_LARGE,
	ERROR_URI_TOO_LONG,
	ERROR_UNSUPPORTED_TYPE,
	ERROR_UPGRADE_REQUIRED,
	ERROR_RATE_LIMITED,
	ERROR_TOO_MANY_CHANNELS,
	ERROR_TOO_MANY_CONNECTIONS,
	ERROR_HEADERS_TOO_LARGE,
	ERROR_INTERNAL,
	ERROR_OVERLOADED,
	ERROR_DRAINING,
	ERROR_UNKNOWN_OP,
	ERROR_CODES /* how many; not a code */
};

/* The word on the wire, such as "bad_request"; "" for ERROR_NONE. */
const char *error_word(enum error_code code);

/* The HTTP status, such as 400; 0 for ERROR_NONE. */
unsigned error_status(enum error_code code);

/*
 * True for what may be gone when the client asks again (429, 500, 503). An SSE client must then
 * not see the status, because EventSource gives up for ever on anything but 200.
 */
bool error_is_temporary(enum error_code code);

/*
 * Appends `{"error":{"code":"word","message":"text"}}`. The message may be any bytes: it is
 * escaped, and bytes that are not UTF-8 become '?' each, so that the result is always valid JSON.
 */
void error_json(struct out *out, enum error_code code, struct slice message);

/*
 * Appends only the pair `"code":"word","message":"text"`, for objects that carry more (an op, a
 * line, a path).
 */
void error_members(struct out *out, enum error_code code, struct slice message);

#endif
