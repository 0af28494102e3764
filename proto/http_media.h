/*
 * http_media.h: what a Content-Type means to ringcast (the contract's table of bodies), and what
 * Accept and Accept-Encoding ask for.
 */
#ifndef PROTO_HTTP_MEDIA_H
#define PROTO_HTTP_MEDIA_H

#include "proto/http_request.h"

enum http_media {
	HTTP_MEDIA_NONE,        /* no Content-Type, or an empty one */
	HTTP_MEDIA_JSON,        /* application/json, and any type with the suffix +json */
	HTTP_MEDIA_TEXT,        /* text/... */
	HTTP_MEDIA_FORM,        /* application/x-www-form-urlencoded: curl -d says so */
	HTTP_MEDIA_NDJSON,      /* application/x-ndjson */
	HTTP_MEDIA_MULTIPART,   /* multipart/...: 415 everywhere */
	HTTP_MEDIA_OTHER,       /* any other type: binary */
	HTTP_MEDIA_BAD_CHARSET, /* one of the texts, but not in UTF-8: 415 */
	HTTP_MEDIA_MALFORMED,   /* not type/subtype: 415 */
};

/* Reads a Content-Type (RFC 9110, 8.3), without regard to case. */
enum http_media http_media_of(struct slice content_type);

/*
 * True if an Accept list names the media type itself ("text/event-stream") with a weight above 0.
 * Wildcards do not count: every client says that it takes anything, only an SSE client names its
 * type.
 */
bool http_media_accepts(struct slice accept, struct slice type);

/*
 * True if Accept-Encoding takes gzip (or x-gzip), by name or by "*", and does not like identity better (RFC 9110, 12.5.3). A
 * request without the field takes nothing, and so does a weight that is malformed.
 */
bool http_media_accepts_gzip(const struct http_request *request);

#endif
