/*
 * http_response.h: writes the heads of answers, whole error answers, and chunks, into a struct out.
 *
 * A caller fills a struct http_response (zeroed: `{.status = 200, ...}`) and asks for the head.
 * Field values are written as given, except that control characters become '?': nothing that a
 * client sent can begin a line of ours.
 */
#ifndef PROTO_HTTP_RESPONSE_H
#define PROTO_HTTP_RESPONSE_H

#include "proto/error.h"
#include "proto/http.h"

/* Sent when http_request.expect_continue, before the body is read. */
#define HTTP_RESPONSE_CONTINUE SLICE_LITERAL("HTTP/1.1 100 Continue\r\n\r\n")

/* What the CORS protocol of WHATWG Fetch wants to see. All zero: no CORS fields. */
struct http_response_cors {
	struct slice
	    allow_origin; /* the origin itself, or "*"; empty: not allowed, no fields but Vary */
	bool credentials; /* Allow-Credentials: true; only for an origin listed exactly */
	bool vary;        /* Vary: Origin: the answer depends on the Origin (also on its absence) */
};

struct http_response {
	unsigned status;
	enum http_framing framing; /* NONE and UNTIL_CLOSE write no field */
	uint64_t content_length;   /* with LENGTH */
	bool close;                /* Connection: close */
	bool head_only;            /* the request was HEAD: error answers then leave the body out */
	bool vary_encoding; /* Vary: Accept-Encoding: what is asked for there may change the body */
	unsigned retry_after_s; /* 0: none */
	/* Each left out when empty. */
	struct slice content_type;
	struct slice content_encoding;
	struct slice cache_control;
	struct slice date; /* IMF-fixdate (RFC 9110, 5.6.7), from the caller's clock */
	struct slice allow;
	struct slice www_authenticate;
	struct http_response_cors cors;
	const struct http_field *extra;
	size_t extra_count;
};

/* Appends the status line, the fields and the empty line. */
void http_response_head(struct out *out, const struct http_response *response);

/*
 * Appends a whole error answer: head, and `{"error":{...}}` with Cache-Control: no-store. status,
 * framing, content_length and content_type come from the code; 401 gets `WWW-Authenticate:
 * Bearer`, 426 `Upgrade: websocket`, and 429 and 503 a Retry-After of 1, where the template has
 * none. The rest is the template's (close, cors, date, allow, extra).
 */
void http_response_error(struct out *out, const struct http_response *template,
    enum error_code code, struct slice message);

/*
 * Appends a whole answer to a CORS preflight, 204, with the contract's methods, headers and
 * max-age. cors, close, date and allow are the template's.
 */
void http_response_preflight(
    struct out *out, const struct http_response *template, struct slice methods);

/*
 * Appends one chunk (RFC 9112, 7.1); nothing for empty data, because an empty chunk would end the
 * body.
 */
void http_response_chunk(struct out *out, struct slice data);

/* Appends the last chunk and the empty trailer. */
void http_response_chunk_end(struct out *out);

/* The reason phrase of a status, such as "Not Found"; "Unknown" for what ringcast never sends. */
const char *http_response_reason(unsigned status);

#endif
