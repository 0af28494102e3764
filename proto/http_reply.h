/*
 * http_reply.h: the head of an HTTP/1 answer, for clients: the command line, and the clients of
 * the tests.
 *
 * As strict as http_request.h and in the same manner: slices into the input, nothing copied.
 */
#ifndef PROTO_HTTP_REPLY_H
#define PROTO_HTTP_REPLY_H

#include "proto/http.h"

enum http_reply_error {
	HTTP_REPLY_BAD_LINE = -1,  /* not "HTTP/1.x nnn reason" */
	HTTP_REPLY_BAD_FIELD = -2, /* a field line malformed */
	HTTP_REPLY_BAD_FRAMING =
	    -3,                    /* Content-Length or Transfer-Encoding that cannot be trusted */
	HTTP_REPLY_TOO_LARGE = -4, /* longer than head_bytes_max, or too many fields */
};

struct http_reply {
	unsigned status;     /* 100 to 599 */
	unsigned minor;      /* HTTP/1.minor */
	struct slice reason; /* may be empty */

	/*
	 * By RFC 9112, 6.3, as if the request was neither HEAD nor CONNECT (there the caller knows
	 * better): NONE for 1xx, 204 and 304.
	 */
	enum http_framing framing;
	uint64_t content_length;   /* with LENGTH */
	bool keep_alive;           /* the connection can be used again after the body */
	struct slice content_type; /* bytes NULL if absent */
	struct slice fields;       /* all field lines, for http_field_next */
};

/*
 * Like http_request_parse: >0 length of the head, 0 more bytes needed, <0 an enum
 * http_reply_error.
 */
ptrdiff_t http_reply_parse(
    struct http_reply *reply, struct slice input, size_t last_len, size_t head_bytes_max);

/* The first value of a field by name (without regard to case); bytes NULL if absent. */
struct slice http_reply_field(const struct http_reply *reply, struct slice name);

#endif
