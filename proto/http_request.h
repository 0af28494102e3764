/*
 * http_request.h: the head of an HTTP/1.0 or 1.1 request, parsed strictly (RFC 9112).
 *
 * Strict, because ringcast stands behind proxies that may read the same bytes differently: what
 * two readers could understand in two ways is an error, after which the caller answers and closes.
 * Line ends are CRLF only; see the table of vectors in tests/unit/proto/http_request_test.c.
 *
 * Nothing is copied: every slice of the result lies in the input (or is a literal) and lives as
 * long as it. A caller that reads more bytes parses again from the start of the head.
 */
#ifndef PROTO_HTTP_REQUEST_H
#define PROTO_HTTP_REQUEST_H

#include "proto/error.h"
#include "proto/http.h"
#include "proto/http_head.h"

/* The fields that ringcast looks at: found in the one pass, indexes of http_request.known. */
enum http_request_field {
	HTTP_ACCEPT,
	HTTP_ACCEPT_ENCODING,
	HTTP_ACCESS_CONTROL_REQUEST_HEADERS,
	HTTP_ACCESS_CONTROL_REQUEST_METHOD,
	HTTP_AUTHORIZATION,
	HTTP_CONNECTION,
	HTTP_CONTENT_ENCODING,
	HTTP_CONTENT_LENGTH,
	HTTP_CONTENT_TYPE,
	HTTP_EXPECT,
	HTTP_HOST,
	HTTP_IDEMPOTENCY_KEY,
	HTTP_LAST_EVENT_ID,
	HTTP_ORIGIN,
	HTTP_SEC_FETCH_SITE,
	HTTP_SEC_WEBSOCKET_EXTENSIONS,
	HTTP_SEC_WEBSOCKET_KEY,
	HTTP_SEC_WEBSOCKET_PROTOCOL,
	HTTP_SEC_WEBSOCKET_VERSION,
	HTTP_TRANSFER_ENCODING,
	HTTP_UPGRADE,
	HTTP_USER_AGENT,
	HTTP_X_FORWARDED_FOR,
	HTTP_X_FORWARDED_PROTO,
	HTTP_REQUEST_FIELDS /* how many */
};

/*
 * What http_request_parse answers below 0. After any of them the connection cannot go on: answer
 * and close.
 */
enum http_request_error {
	HTTP_REQUEST_BAD_LINE = -1,    /* not "METHOD target HTTP/x.y", or the method is no token */
	HTTP_REQUEST_BAD_TARGET = -2,  /* not origin-form, absolute-form, or "*" with OPTIONS */
	HTTP_REQUEST_BAD_VERSION = -3, /* neither HTTP/1.0 nor HTTP/1.1 */
	HTTP_REQUEST_BAD_LINE_END = HTTP_HEAD_BAD_LINE_END, /* CR without LF, or LF without CR */
	HTTP_REQUEST_BAD_FIELD_NAME = HTTP_HEAD_BAD_NAME,   /* no token; a space before the colon */
	HTTP_REQUEST_BAD_FIELD_VALUE = HTTP_HEAD_BAD_VALUE, /* a control character */
	HTTP_REQUEST_FOLDED = HTTP_HEAD_FOLDED,   /* a line that begins with white space */
	HTTP_REQUEST_BAD_HOST = -8,               /* missing, twice, or malformed */
	HTTP_REQUEST_BAD_CONTENT_LENGTH = -9,     /* twice, a list, not a plain number */
	HTTP_REQUEST_BAD_TRANSFER_ENCODING = -10, /* not just chunked, or with a length, in 1.0 */
	HTTP_REQUEST_REPEATED_FIELD = -11,        /* twice what has one value, such as Origin */
	HTTP_REQUEST_URI_TOO_LONG = -12,          /* the limit fell within the request line */
	HTTP_REQUEST_HEADERS_TOO_LARGE = -13,     /* the limit fell after it; too many fields */
};

struct http_request_options {
	size_t head_bytes_max; /* of the whole head, with its last empty line */
	bool any_host; /* the publish socket: Host may be missing or anything, but not twice */
};

struct http_request {
	enum http_method method;
	struct slice method_name;
	struct slice target; /* as sent */
	struct slice path;   /* raw (not decoded), begins with '/'; "*" for OPTIONS of the server */
	struct slice query;  /* raw, without the '?'; bytes NULL if there is no '?' */
	/*
	 * The "host[:port]" that counts: an absolute-form target's, else Host; bytes NULL if none.
	 */
	struct slice host;
	enum http_scheme scheme; /* of an absolute-form target, else unknown */
	unsigned minor;          /* HTTP/1.minor: 0 or 1 */

	enum http_framing framing; /* NONE, LENGTH or CHUNKED */
	uint64_t content_length;   /* with LENGTH (may be 0) */
	bool keep_alive;           /* HTTP/1.1 without "Connection: close" */
	bool expect_continue;      /* send "100 Continue" before reading the body */
	bool upgrade_websocket;    /* GET, "Connection: upgrade", "Upgrade: websocket", HTTP/1.1 */

	struct slice fields; /* all field lines, for http_field_next */
	uint32_t repeated;   /* a bit for each of known[] that came on several lines */
	/*
	 * By enum http_request_field: bytes NULL if absent; of several lines the first (lists go on
	 * in http_request_list_next), of Last-Event-ID the last.
	 */
	struct slice known[HTTP_REQUEST_FIELDS];
};

/*
 * Parses a request head at the start of input. Returns the length of the head (>0), 0 if more
 * bytes are needed, or an enum http_request_error. Empty lines before the request are skipped, and
 * counted (RFC 9112, 2.2). *request is only meaningful after >0; but after an error `method` tells
 * whether the request was a HEAD, whose answer has no body, as far as its line was understood.
 *
 * last_len: how much of this same input the previous call saw, when it answered 0; else 0. Then
 * only the new bytes are searched for the end of the head, so that a client that drips costs
 * linear time (errors in an incomplete head may then be found only at its end).
 */
ptrdiff_t http_request_parse(struct http_request *request, struct slice input, size_t last_len,
    const struct http_request_options *options);

/* The contract's code of an enum http_request_error, and a sentence for the message. */
enum error_code http_request_error_code(ptrdiff_t error);
const char *http_request_error_text(ptrdiff_t error);

/* True if the body is in any coding but identity (RFC 9110, 8.4), none of which ringcast takes. */
bool http_request_is_encoded(const struct http_request *request);

/* True if the request carried the field. */
static inline bool
http_request_has(const struct http_request *request, enum http_request_field field)
{
	return request->known[field].bytes != NULL;
}

/* Where a walk over a list field stands: zero it first. */
struct http_request_list {
	struct slice fields; /* lines not yet seen */
	struct slice values; /* rest of the line at hand */
	bool begun;
};

/* The next element of a list field, over all its lines in order. False at the end. */
bool http_request_list_next(const struct http_request *request, enum http_request_field field,
    struct http_request_list *list, struct slice *element);

/* True if a list field has the token (without regard to case) on any of its lines. */
bool http_request_list_has(
    const struct http_request *request, enum http_request_field field, struct slice token);

#endif
