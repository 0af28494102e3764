/*
 * http_head.h: the lines of a head, one by one, as requests and replies share them (RFC 9112, 2
 * and 5).
 *
 * A cursor runs over the input and stops at its end, where every function answers 0 (more bytes
 * are needed).
 */
#ifndef PROTO_HTTP_HEAD_H
#define PROTO_HTTP_HEAD_H

#include "proto/http.h"

enum http_head_result {
	HTTP_HEAD_OK = 1,  /* a field; a line end; a literal */
	HTTP_HEAD_END = 2, /* the empty line: the head is over */
	HTTP_HEAD_BAD_LINE_END = -4,
	HTTP_HEAD_BAD_NAME = -5,
	HTTP_HEAD_BAD_VALUE = -6,
	HTTP_HEAD_FOLDED = -7,
};

struct http_head {
	const char *at;
	const char *end;
};

/* Takes CRLF: OK, 0, or BAD_LINE_END. */
int http_head_line_end(struct http_head *head);

/* Takes a field line: OK, END (and takes the empty line), 0, or an error. */
int http_head_field(struct http_head *head, struct http_field *field);

/*
 * False if the input cannot hold the end of a head, given that its first last_len bytes did not:
 * then there is no need to parse it again. last_len 0: nothing is known, true.
 */
bool http_head_may_end(struct slice input, size_t last_len);

#endif
