/*
 * http.h: the words that requests, answers and bodies of HTTP/1 share (RFC 9110, RFC 9112).
 *
 * Methods, framings, schemes; the character classes; and walking over what a parser has already
 * validated: the fields of a head, and the elements of a comma-separated list.
 */
#ifndef PROTO_HTTP_H
#define PROTO_HTTP_H

#include <stdbool.h>

#include "proto/slice.h"

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_PATCH,
	HTTP_CONNECT,
	HTTP_TRACE,
	HTTP_METHOD_OTHER, /* a well-formed token that we have no name for */
};

enum http_scheme {
	HTTP_SCHEME_UNKNOWN, /* a proxy may stand between, and has not said */
	HTTP_SCHEME_HTTP,
	HTTP_SCHEME_HTTPS,
};

/* How the end of a body is known (RFC 9112, 6.3). */
enum http_framing {
	HTTP_FRAMING_NONE,        /* there is no body */
	HTTP_FRAMING_LENGTH,      /* content_length bytes */
	HTTP_FRAMING_CHUNKED,     /* until the last chunk */
	HTTP_FRAMING_UNTIL_CLOSE, /* answers only */
};

/*
 * One field line. Both slices lie in the head; the value has no white space around it and may be
 * empty.
 */
struct http_field {
	struct slice name;
	struct slice value;
};

/*
 * Takes the next field off *rest, which begins as the `fields` of a parsed request or reply. False
 * at the end.
 */
bool http_field_next(struct slice *rest, struct http_field *field);

/*
 * Takes the next element off a comma-separated list (RFC 9110, 5.6.1): empty elements are skipped,
 * white space around an element is cut, a comma inside a quoted string does not separate. False at
 * the end.
 */
bool http_list_next(struct slice *rest, struct slice *element);

/* True if one element of the list equals the token, without regard to case. */
bool http_list_has(struct slice list, struct slice token);

/* Compares ASCII without regard to case. */
bool http_equal_nocase(struct slice a, struct slice b);

/* Cuts spaces and tabs at both ends. */
struct slice http_trim(struct slice text);

/* A character of a token: a method, a field name (RFC 9110, 5.6.2). */
bool http_is_token_char(char c);

/*
 * The first character between at and end that is not of a token, or not of a field value; else end.
 */
const char *http_skip_token(const char *at, const char *end);
const char *http_skip_value(const char *at, const char *end);

/* True if the text is a token: not empty, token characters only. */
bool http_is_token(struct slice text);

/*
 * A byte that a field value may carry: tab, space, what is visible, and above 0x7f (RFC 9110,
 * 5.5).
 */
bool http_is_value_char(char c);

/*
 * Reads a decimal number without sign, white space or leading zeros ("0" itself is one). False if
 * it is anything else or above INT64_MAX. Leading zeros are refused because somebody on the way
 * may read them as octal.
 */
bool http_decimal(struct slice text, uint64_t *number);

/*
 * Splits "host[:port]" (RFC 3986, 3.2.2 and 3.2.3, without user information). The host keeps the
 * brackets of an IPv6 literal and may be empty; port is -1 where none is written ("host:" has none
 * either). False if malformed.
 */
bool http_host_split(struct slice authority, struct slice *host, int *port);

#endif
