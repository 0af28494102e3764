/*
 * http_body.c: resumable decoding of bodies. See http_body.h.
 *
 *	CHUNK_SIZE --> [SIZE_BLANK] --> [EXTENSION] --> SIZE_LF --> DATA --> DATA_CR --> DATA_LF --> CHUNK_SIZE ...
 *	                                 | size 0
 *	                                 v
 *                                    TRAILER_START --> TRAILER_NAME --> TRAILER_VALUE -->
 * TRAILER_LF --> TRAILER_START
 *	                                 | CR
 *	                                 v
 *	                               END_LF --> COMPLETE
 */
#include "proto/http_body.h"

#include <assert.h>

#include "proto/hex.h"
#include "shm/limits.h"

#define CHUNK_LINE_FAIR 18 /* of a chunk line: sixteen digits and the line end */

enum state {
	COMPLETE,
	BROKEN,
	UNTIL_CLOSE,
	LENGTH,
	CHUNK_SIZE,
	SIZE_BLANK, /* white space that RFC 9112, 7.1.1 tolerates before an extension, and nowhere else */
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER_START,
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	END_LF,
};

static const struct {
	enum error_code code;
	const char *text;
} errors[] = {
    [-HTTP_BODY_TOO_LARGE] = {ERROR_TOO_LARGE, "the body is too large"},
    [-HTTP_BODY_BAD_CHUNK] = {ERROR_BAD_REQUEST, "malformed chunk"},
    [-HTTP_BODY_CHUNK_LINE] = {ERROR_BAD_REQUEST, "a chunk's extensions are too long"},
    [-HTTP_BODY_BAD_TRAILER] = {ERROR_BAD_REQUEST, "malformed or too long trailers"},
};

enum error_code
http_body_error_code(ptrdiff_t error)
{
	assert(error < 0 && error >= HTTP_BODY_BAD_TRAILER);
	return errors[-error].code;
}

const char *
http_body_error_text(ptrdiff_t error)
{
	assert(error < 0 && error >= HTTP_BODY_BAD_TRAILER);
	return errors[-error].text;
}

int
http_body_start(
    struct http_body *body, enum http_framing framing, uint64_t content_length, uint64_t total_max)
{
	*body = (struct http_body){.total_max = total_max, .state = COMPLETE};
	switch (framing) {
	case HTTP_FRAMING_NONE:
		break;
	case HTTP_FRAMING_LENGTH:
		if (content_length > total_max) {
			body->state = BROKEN;
			return HTTP_BODY_TOO_LARGE;
		}
		body->left = content_length;
		body->state = content_length != 0 ? LENGTH : COMPLETE;
		break;
	case HTTP_FRAMING_CHUNKED:
		body->state = CHUNK_SIZE;
		break;
	case HTTP_FRAMING_UNTIL_CLOSE:
		body->state = UNTIL_CLOSE;
		break;
	}
	return 0;
}

bool
http_body_complete(const struct http_body *body)
{
	return body->state == COMPLETE;
}

/* A byte of the line that holds a chunk's size: 0, or an error. Sixteen digits fill the 64 bits. */
static int
take_size(struct http_body *body, char c)
{
	int digit = hex_value(c);

	if (++body->line_bytes > LIMIT_CHUNK_LINE_BYTES)
		return HTTP_BODY_CHUNK_LINE;
	if (body->state == EXTENSION) {
		if (c == '\r')
			body->state = SIZE_LF;
		else if (!http_is_value_char(c))
			return HTTP_BODY_BAD_CHUNK;
	} else if (body->state == SIZE_BLANK) {
		if (c == ';')
			body->state = EXTENSION;
		else if (c != ' ' && c != '\t')
			return HTTP_BODY_BAD_CHUNK;
	} else if (digit >= 0) {
		if (++body->digits > 16)
			return HTTP_BODY_BAD_CHUNK;
		body->left = body->left << 4 | (uint64_t)digit;
	} else if (body->digits == 0) {
		return HTTP_BODY_BAD_CHUNK;
	} else if (c == '\r') {
		body->state = SIZE_LF;
	} else if (c == ';') {
		body->state = EXTENSION;
	} else if (c == ' ' || c == '\t') {
		body->state = SIZE_BLANK;
	} else {
		return HTTP_BODY_BAD_CHUNK;
	}
	return 0;
}

/*
 * What chunk lines may cost beside the data: a client that sends a byte a chunk is slow, one that sends
 * extensions with each byte is up to something.
 */
static bool
is_excessive(struct http_body *body)
{
	const uint64_t fair = CHUNK_LINE_FAIR + body->left;

	body->excess += body->line_bytes;
	body->excess -= body->excess < fair ? body->excess : (uint32_t)fair;
	return body->excess > LIMIT_CHUNK_EXCESS_BYTES;
}

/* The LF behind a chunk's size: what comes now? */
static int
begin_chunk(struct http_body *body)
{
	if (is_excessive(body))
		return HTTP_BODY_CHUNK_LINE;
	body->line_bytes = 0;
	body->digits = 0;
	if (body->left > body->total_max - body->total)
		return HTTP_BODY_TOO_LARGE;
	body->state = body->left != 0 ? DATA : TRAILER_START;
	return 0;
}

/* A byte of the trailers, which are checked and dropped: 0, or an error. */
static int
take_trailer(struct http_body *body, char c)
{
	bool good;

	if (++body->line_bytes > LIMIT_TRAILER_BYTES)
		return HTTP_BODY_BAD_TRAILER;
	if (body->state == TRAILER_START) {
		good = c == '\r' || http_is_token_char(c);
		body->state = c == '\r' ? END_LF : TRAILER_NAME;
	} else if (body->state == TRAILER_NAME) {
		good = c == ':' || http_is_token_char(c);
		body->state = c == ':' ? TRAILER_VALUE : TRAILER_NAME;
	} else if (body->state == TRAILER_VALUE) {
		good = c == '\r' || http_is_value_char(c);
		body->state = c == '\r' ? TRAILER_LF : TRAILER_VALUE;
	} else {
		good = c == '\n';
		body->state = body->state == END_LF ? COMPLETE : TRAILER_START;
	}
	return good ? 0 : HTTP_BODY_BAD_TRAILER;
}

/* A byte of what stands between the data: 0, or an error. */
static int
take_frame(struct http_body *body, char c)
{
	switch ((enum state)body->state) {
	case CHUNK_SIZE:
	case SIZE_BLANK:
	case EXTENSION:
		return take_size(body, c);
	case SIZE_LF:
		return c == '\n' ? begin_chunk(body) : HTTP_BODY_BAD_CHUNK;
	case DATA_CR:
		body->state = DATA_LF;
		return c == '\r' ? 0 : HTTP_BODY_BAD_CHUNK;
	case DATA_LF:
		body->state = CHUNK_SIZE;
		return c == '\n' ? 0 : HTTP_BODY_BAD_CHUNK;
	case TRAILER_START:
	case TRAILER_NAME:
	case TRAILER_VALUE:
	case TRAILER_LF:
	case END_LF:
		return take_trailer(body, c);
	case COMPLETE:
	case BROKEN:
	case UNTIL_CLOSE:
	case LENGTH:
	case DATA:
		break;
	}
	return HTTP_BODY_BAD_CHUNK; /* BROKEN: an error stays one */
}

static bool
is_data(const struct http_body *body)
{
	return body->state == DATA || body->state == LENGTH || body->state == UNTIL_CLOSE;
}

/* Yields what the input holds of the data at hand: how much, or an error. */
static ptrdiff_t
take_data(struct http_body *body, struct slice input, struct slice *data)
{
	uint64_t room = body->state == UNTIL_CLOSE ? body->total_max - body->total : body->left;
	size_t len = input.len < room ? input.len : (size_t)room;

	*data = slice_of(input.bytes, len);
	body->total += len;
	if (body->state == UNTIL_CLOSE)
		return len == input.len ? (ptrdiff_t)len : HTTP_BODY_TOO_LARGE;
	body->left -= len;
	if (body->left == 0)
		body->state = body->state == DATA ? DATA_CR : COMPLETE;
	return (ptrdiff_t)len;
}

ptrdiff_t
http_body_next(struct http_body *body, struct slice input, struct slice *data)
{
	size_t at = 0;
	ptrdiff_t result = 0;

	*data = slice_of(input.bytes, 0);
	while (at < input.len && !is_data(body) && body->state != COMPLETE && result == 0)
		result = take_frame(body, input.bytes[at++]);
	if (result == 0 && at < input.len && is_data(body))
		result = take_data(body, slice_of(input.bytes + at, input.len - at), data);
	if (result < 0) {
		body->state = BROKEN;
		*data = slice_of(input.bytes, 0);
		return result;
	}
	return (ptrdiff_t)at + result;
}
