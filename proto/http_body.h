/*
 * http_body.h: the body of a request or reply, decoded as its bytes arrive (RFC 9112, 6.3 and 7.1).
 *
 * The state is a few words; the input may be cut anywhere. Data is never copied: each step yields
 * a slice of the input.
 *
 *	while (!http_body_complete(&body)) {
 *		ptrdiff_t n = http_body_next(&body, input, &data);
 *		if (n < 0) ...answer http_body_error_code(n) and close
 *		if (n == 0) ...read more
 *		...use data (may be empty), then drop n bytes of the input
 *	}
 *
 * Once complete, no byte more is taken: what is left of the input is the next request.
 */
#ifndef PROTO_HTTP_BODY_H
#define PROTO_HTTP_BODY_H

#include "proto/error.h"
#include "proto/http.h"

enum http_body_error {
	HTTP_BODY_TOO_LARGE =
	    -1, /* more data than total_max; a Content-Length says so at the start */
	HTTP_BODY_BAD_CHUNK = -2,  /* chunk size, line end or extension malformed */
	HTTP_BODY_CHUNK_LINE = -3, /* a chunk's extensions longer than LIMIT_CHUNK_LINE_BYTES, or
				      all together out of proportion to the data */
	HTTP_BODY_BAD_TRAILER =
	    -4, /* a trailer line malformed, or trailers longer than LIMIT_TRAILER_BYTES */
};

struct http_body {
	uint64_t
	    left; /* bytes to come of this chunk, or of the body; the chunk size while it is read */
	uint64_t total;      /* bytes of data yielded so far */
	uint64_t total_max;  /* bytes of data accepted */
	uint32_t line_bytes; /* of the chunk line or of the trailers so far */
	uint32_t excess;     /* of chunk lines beyond what the data explains */
	uint8_t state;       /* enum state in http_body.c */
	uint8_t digits;      /* of a chunk size so far */
};

/*
 * Begins a body. total_max: bytes of data accepted, UINT64_MAX for an upload without end. Returns
 * 0, or HTTP_BODY_TOO_LARGE if content_length (of HTTP_FRAMING_LENGTH) is already more.
 */
int http_body_start(
    struct http_body *body, enum http_framing framing, uint64_t content_length, uint64_t total_max);

/*
 * Takes some of the input (>0: how much) and yields the data found, which may be empty. 0: the
 * input is empty, or the body is complete. Below 0: an enum http_body_error; the body is then of
 * no further use. Call again with the rest.
 */
ptrdiff_t http_body_next(struct http_body *body, struct slice input, struct slice *data);

/*
 * True once the last byte of the body was taken. Never for HTTP_FRAMING_UNTIL_CLOSE: the close is
 * its end.
 */
bool http_body_complete(const struct http_body *body);

/* The contract's code of an enum http_body_error, and a sentence for the message. */
enum error_code http_body_error_code(ptrdiff_t error);
const char *http_body_error_text(ptrdiff_t error);

#endif
