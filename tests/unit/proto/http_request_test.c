/*
 * http_request_test.c: what the request parser takes, and everything that it must not.
 *
 * The smuggling table holds heads that two readers could understand in two ways. Each is tried
 * whole, behind a good request (pipelined), and cut at every byte: at no moment may any of them be
 * taken for a request.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/http_request.h"
#include "shm/limits.h"
#include "tests/unit/proto/guard.h"

enum { HEAD_MAX = 16384 };

static const struct http_request_options public = {.head_bytes_max = HEAD_MAX};
static const struct http_request_options publish = {.head_bytes_max = HEAD_MAX, .any_host = true};

#define LINE "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

static const struct {
	struct slice bytes;
	enum http_request_error error;
} smuggled[] = {
    /* Two lengths. */
    {SLICE_LITERAL(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "content-length: 5\r\ntransfer-encoding: CHUNKED\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Content-Length: 5\r\nTransfer-Encoding: identity\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Content-Length: 5\r\nTransfer-Encoding:\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),
	HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
	HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: 5\r\nX: y\r\ncontent-length: 5\r\n\r\n"),
	HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: 5\r\nContent-Length:\r\n\r\n"),
	HTTP_REQUEST_BAD_CONTENT_LENGTH},
    /* Odd lengths. */
    {SLICE_LITERAL(POST "Content-Length: 5, 5\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: 5, 6\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: 5,\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: ,5\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length:\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: \r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: +5\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: -5\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: -0\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: 05\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: 010\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: 00\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: 0x5\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: 5h\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: 5 6\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: 5.0\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: 5e1\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: 1_0\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: \"5\"\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: 5;x=y\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: chunked\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: 9223372036854775808\r\n\r\n"),
	HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: 18446744073709551621\r\n\r\n"),
	HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: 4294967301294967296294967296\r\n\r\n"),
	HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: \xef\xbc\x95\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    {SLICE_LITERAL(POST "Content-Length: \xb2\r\n\r\n"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    /* Codings that one reader knows and another does not. */
    {SLICE_LITERAL(POST "Transfer-Encoding: xchunked\r\n\r\n"), HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: chunkedx\r\n\r\n"), HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: chunked, chunked\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: chunked, gzip\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: chunked, identity\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: identity, chunked\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: identity\r\n\r\n"), HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: chunked,\r\n\r\n"), HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: ,chunked\r\n\r\n"), HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: chunked;q=1\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: \"chunked\"\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: 'chunked'\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: chunk\r\n\r\n"), HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: chu nked\r\n\r\n"), HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: cow\r\n\r\n"), HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: \xa0"
			"chunked\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding:\r\n\r\n"), HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: cow\r\ntransfer-encoding: chunked\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: chunked\r\nX: y\r\nTRANSFER-ENCODING: x\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: deflate\r\n\r\n"), HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: trailers\r\n\r\n"), HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL(POST "Transfer-Encoding: 0\r\n\r\n"), HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    {SLICE_LITERAL("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    /* Names that one reader trims. */
    {SLICE_LITERAL(POST "Content-Length : 5\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    {SLICE_LITERAL(POST "Content-Length\t: 5\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    {SLICE_LITERAL(POST "Transfer-Encoding : chunked\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    {SLICE_LITERAL(POST "Transfer-Encoding\x0b: chunked\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    {SLICE_LITERAL(POST "Transfer-Encoding\x00: chunked\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    {SLICE_LITERAL(POST "Transfer Encoding: chunked\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    {SLICE_LITERAL(POST "\x0bTransfer-Encoding: chunked\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    {SLICE_LITERAL(POST "\x00Transfer-Encoding: chunked\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    {SLICE_LITERAL(POST "\"Transfer-Encoding\": chunked\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    {SLICE_LITERAL(POST "(Transfer-Encoding): chunked\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    {SLICE_LITERAL(POST "Transfer-\xc3\x89ncoding: chunked\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    {SLICE_LITERAL(POST ": chunked\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    {SLICE_LITERAL(POST "Transfer-Encoding;: chunked\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    {SLICE_LITERAL(POST "Transfer-Encoding chunked\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    {SLICE_LITERAL(POST "Transfer-Encoding\r\n\r\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL(POST "Content-Length\r\n: 5\r\n\r\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL(POST "GET /admin HTTP/1.1\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    {SLICE_LITERAL(POST "Transfer-Encoding\xa0: chunked\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    {SLICE_LITERAL(POST "@Content-Length: 5\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    {SLICE_LITERAL(POST "Content-Length,: 5\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    {SLICE_LITERAL(POST "[Content-Length]: 5\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    {SLICE_LITERAL(POST "Content-Length\x7f: 5\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_NAME},
    /* Folded lines. */
    {SLICE_LITERAL(LINE " Host: a\r\n\r\n"), HTTP_REQUEST_FOLDED},
    {SLICE_LITERAL(LINE "\tHost: a\r\n\r\n"), HTTP_REQUEST_FOLDED},
    {SLICE_LITERAL(POST "Transfer-Encoding:\r\n chunked\r\n\r\n"), HTTP_REQUEST_FOLDED},
    {SLICE_LITERAL(POST "Transfer-Encoding:\r\n\tchunked\r\n\r\n"), HTTP_REQUEST_FOLDED},
    {SLICE_LITERAL(POST "X: y\r\n Transfer-Encoding: chunked\r\n\r\n"), HTTP_REQUEST_FOLDED},
    {SLICE_LITERAL(POST "Content-Length: 5\r\n 0\r\n\r\n"), HTTP_REQUEST_FOLDED},
    {SLICE_LITERAL(POST "X: y\r\n \r\n\r\n"), HTTP_REQUEST_FOLDED},
    {SLICE_LITERAL(POST "X: y\r\n\t\r\n\r\n"), HTTP_REQUEST_FOLDED},
    /* Line ends that only one reader sees. */
    {SLICE_LITERAL("GET / HTTP/1.1\nHost: a\n\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL("GET / HTTP/1.1\nHost: a\r\n\r\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL("GET / HTTP/1.1\rHost: a\r\n\r\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL(LINE "Host: a\n\r\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL(LINE "Host: a\r\r\n\r\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL(LINE "Host: a\rX: y\r\n\r\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL(LINE "Host: a\r\n\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL(LINE "Host: a\r\n\rX"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL(LINE "Host: a\n\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL(POST "X: y\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL(POST "X: y\rTransfer-Encoding: chunked\r\n\r\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL(POST "X\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL(POST "Content-Length: 5\r\n\n\r\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL(POST "X: y\n\r\n\r\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL(POST "Transfer-Encoding: chunked\n\r\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL(POST "Content-Length: \n5\r\n\r\n"), HTTP_REQUEST_BAD_LINE_END},
    /* Control characters in values. */
    {SLICE_LITERAL(POST "X: a\x00"
			"b\r\n\r\n"),
	HTTP_REQUEST_BAD_FIELD_VALUE},
    {SLICE_LITERAL(POST "Content-Length: 5\x00\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_VALUE},
    {SLICE_LITERAL(POST "Content-Length: \x0b"
			"5\r\n\r\n"),
	HTTP_REQUEST_BAD_FIELD_VALUE},
    {SLICE_LITERAL(POST "Content-Length: 5\x0c\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_VALUE},
    {SLICE_LITERAL(POST "Transfer-Encoding: \x0b"
			"chunked\r\n\r\n"),
	HTTP_REQUEST_BAD_FIELD_VALUE},
    {SLICE_LITERAL(POST "Transfer-Encoding: chunked\x01\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_VALUE},
    {SLICE_LITERAL(POST "X: \x7f\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_VALUE},
    {SLICE_LITERAL(POST "X: \x1b[31m\r\n\r\n"), HTTP_REQUEST_BAD_FIELD_VALUE},
    /* Host. */
    {SLICE_LITERAL(LINE "\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "X: y\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE HOST "Host: b\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE HOST "host: a\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE HOST "Host:\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: a b\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: a, b\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: a,b\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: a/b\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: http://a\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: user@a\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: a?b\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: a#b\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: a\\b\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: a:b\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: a:80:80\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: a:65536\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: a:-1\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: a:000080\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: ::1\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: [::1\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: [::1]x\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: [127.0.0.1]\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: [::1%25eth0]\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: [v1.x]\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: []\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: a%zz\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: a%4\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL(LINE "Host: \xc3\xa4\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL("GET http://b/ HTTP/1.1\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL("GET http://b/ HTTP/1.1\r\nHost: b c\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    {SLICE_LITERAL("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), HTTP_REQUEST_BAD_HOST},
    /* Twice what a check reads once. */
    {SLICE_LITERAL(LINE HOST "Origin: http://a\r\nOrigin: http://b\r\n\r\n"),
	HTTP_REQUEST_REPEATED_FIELD},
    {SLICE_LITERAL(LINE HOST "Authorization: x\r\nauthorization: y\r\n\r\n"),
	HTTP_REQUEST_REPEATED_FIELD},
    {SLICE_LITERAL(LINE HOST "Content-Type: a/b\r\nContent-Type: c/d\r\n\r\n"),
	HTTP_REQUEST_REPEATED_FIELD},
    {SLICE_LITERAL(LINE HOST "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n\r\n"),
	HTTP_REQUEST_REPEATED_FIELD},
    {SLICE_LITERAL(LINE HOST "Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n"),
	HTTP_REQUEST_REPEATED_FIELD},
    {SLICE_LITERAL(LINE HOST "Sec-WebSocket-Key: a\r\nSec-WebSocket-Key: b\r\n\r\n"),
	HTTP_REQUEST_REPEATED_FIELD},
    {SLICE_LITERAL(LINE HOST "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\n\r\n"),
	HTTP_REQUEST_REPEATED_FIELD},
    /* Request lines. */
    {SLICE_LITERAL("GET /\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("GET / \r\n\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("GET  / HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_TARGET},
    {SLICE_LITERAL("GET /  HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("GET / HTTP/1.1 \r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL("GET / HTTP/1.1x\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL("GET / HTTP/1.10\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("GET /\tHTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("GET / http/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("GET / HTTP/11\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("GET / HTTP/x.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("GET / HTTP/1,1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("GET / HTTPS/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("GET / ICY/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("GET / HTTP/1.2\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_VERSION},
    {SLICE_LITERAL("GET / HTTP/0.9\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_VERSION},
    {SLICE_LITERAL("GET / HTTP/2.0\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_VERSION},
    {SLICE_LITERAL("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), HTTP_REQUEST_BAD_VERSION},
    {SLICE_LITERAL(" GET / HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("\nGET / HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("\rGET / HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL("\r\n\r\n\rGET / HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE_END},
    {SLICE_LITERAL("\r\n \r\nGET / HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("\r\n\nGET / HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("G\x00T / HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("GET: / HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("\"GET\" / HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), HTTP_REQUEST_BAD_LINE},
    /* Targets. */
    {SLICE_LITERAL("GET /a\x00"
		   "b HTTP/1.1\r\n" HOST "\r\n"),
	HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("GET /a\x7f HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("GET /a#b HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("GET /a b HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("GET /a\nb HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("GET /a\rb HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_LINE},
    {SLICE_LITERAL("GET events HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_TARGET},
    {SLICE_LITERAL("GET ?x HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_TARGET},
    {SLICE_LITERAL("GET * HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_TARGET},
    {SLICE_LITERAL("OPTIONS ** HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_TARGET},
    {SLICE_LITERAL("CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_TARGET},
    {SLICE_LITERAL("GET ftp://a/ HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_TARGET},
    {SLICE_LITERAL("GET http:/a HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_TARGET},
    {SLICE_LITERAL("GET http:///a HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_TARGET},
    {SLICE_LITERAL("GET http://:80/ HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_TARGET},
    {SLICE_LITERAL("GET http://u@a/ HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_TARGET},
    {SLICE_LITERAL("GET http://a:b/ HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_TARGET},
    {SLICE_LITERAL("GET http://a\\b/ HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_TARGET},
    {SLICE_LITERAL("GET http://[::1/ HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_TARGET},
    {SLICE_LITERAL("GET \\events HTTP/1.1\r\n" HOST "\r\n"), HTTP_REQUEST_BAD_TARGET},
};

enum { SMUGGLED = sizeof smuggled / sizeof smuggled[0] };
static_assert(SMUGGLED >= 200, "the promise is 200 vectors and more");

static const struct slice good[] = {
    SLICE_LITERAL("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    SLICE_LITERAL("GET / HTTP/1.0\r\n\r\n"),
    SLICE_LITERAL("\r\nGET / HTTP/1.1\r\nHost:a\r\n\r\n"),
    SLICE_LITERAL("\r\n\r\n\r\nGET / HTTP/1.1\r\nHost:a\r\n\r\n"),
    SLICE_LITERAL("GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    SLICE_LITERAL("GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n"),
    SLICE_LITERAL("GET / HTTP/1.1\r\nHost: a:\r\n\r\n"),
    SLICE_LITERAL("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
    SLICE_LITERAL("M-SEARCH /x HTTP/1.1\r\nHost: a\r\n\r\n"),
    SLICE_LITERAL(
	"GET http://a:81/events?channel=x HTTP/1.1\r\nHost: b\r\nX-Empty:\r\nX:  \t y \t\r\n\r\n"),
    SLICE_LITERAL(
	"GET /events?channel=\xc3\xa4&q={|}^ HTTP/1.1\r\nHost: a\r\nUser-Agent: \xe4\r\n\r\n"),
    SLICE_LITERAL("POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"),
    SLICE_LITERAL(
	"POST /publish HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: Chunked\r\n\r\n"),
    SLICE_LITERAL(
	"GET /events?channel=news HTTP/1.1\r\nHost: localhost:8080\r\nConnection: Upgrade, x\r\n"
	"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://localhost:3000\r\n\r\n"),
};

enum { GOOD = sizeof good / sizeof good[0] };

static ptrdiff_t
parse(struct http_request *request, struct slice input)
{
	return http_request_parse(request, input, 0, &public);
}

static struct http_request
parsed(const char *head)
{
	struct http_request request;

	assert_int_equal(parse(&request, slice_text(head)), strlen(head));
	return request;
}

static void
assert_slice(struct slice have, const char *want)
{
	assert_non_null(have.bytes);
	assert_int_equal(have.len, strlen(want));
	assert_memory_equal(have.bytes, want, have.len);
}

static void
http_request_parse_refuses_what_two_readers_could_read_differently(void **state)
{
	struct guard g;

	(void)state;
	guard_open(&g, 4096);
	for (size_t i = 0; i < SMUGGLED; i++) {
		struct slice whole = smuggled[i].bytes;
		struct http_request request;
		ptrdiff_t result =
		    parse(&request, slice_of(guard_copy(&g, whole.bytes, whole.len), whole.len));

		if (result != smuggled[i].error)
			fail_msg("vector %zu: %td, not %d: %.*s", i, result, smuggled[i].error,
			    (int)whole.len, whole.bytes);
	}
	guard_close(&g);
}

static void
http_request_parse_refuses_them_behind_a_good_request(void **state)
{
	const struct slice first = good[0];
	struct guard g;

	(void)state;
	guard_open(&g, 4096);
	for (size_t i = 0; i < SMUGGLED; i++) {
		struct slice second = smuggled[i].bytes;
		size_t len = first.len + second.len;
		char *bytes = guard_end(&g, len);
		struct http_request request;

		memcpy(bytes, first.bytes, first.len);
		memcpy(bytes + first.len, second.bytes, second.len);
		assert_int_equal(parse(&request, slice_of(bytes, len)), first.len);
		assert_int_equal(
		    parse(&request, slice_of(bytes + first.len, second.len)), smuggled[i].error);
	}
	guard_close(&g);
}

/* Fed byte by byte with the hint, each must come to its own error, and never be taken. */
static void
http_request_parse_refuses_them_at_every_split(void **state)
{
	struct guard g;

	(void)state;
	guard_open(&g, 4096);
	for (size_t i = 0; i < SMUGGLED; i++) {
		struct slice whole = smuggled[i].bytes;
		struct http_request request;
		size_t seen = 0;

		for (size_t len = 1; len <= whole.len; len++) {
			struct slice part = slice_of(guard_copy(&g, whole.bytes, len), len);
			ptrdiff_t fresh = parse(&request, part);
			ptrdiff_t hinted = http_request_parse(&request, part, seen, &public);

			assert_true(fresh == 0 || fresh == smuggled[i].error);
			assert_true(hinted == 0 || hinted == smuggled[i].error);
			if (hinted < 0)
				break;
			seen = len;
		}
	}
	guard_close(&g);
}

static void
http_request_parse_asks_for_more_at_every_split_of_a_good_request(void **state)
{
	struct guard g;

	(void)state;
	guard_open(&g, 4096);
	for (size_t i = 0; i < GOOD; i++) {
		for (size_t len = 0; len < good[i].len; len++) {
			struct slice part = slice_of(guard_copy(&g, good[i].bytes, len), len);
			struct http_request request;

			assert_int_equal(parse(&request, part), 0);
			for (size_t seen = 0; seen <= len; seen++)
				assert_int_equal(
				    http_request_parse(&request, part, seen, &public), 0);

			struct slice whole =
			    slice_of(guard_copy(&g, good[i].bytes, good[i].len), good[i].len);
			assert_int_equal(
			    http_request_parse(&request, whole, len, &public), whole.len);
		}
	}
	guard_close(&g);
}

static void
http_request_parse_refuses_every_control_character_everywhere(void **state)
{
	static const char head[] = "GET /path HTTP/1.1\r\nHost: a\r\nName: value\r\n\r\n";
	char copy[sizeof head];
	struct http_request request;

	(void)state;
	for (size_t at = 0; at < sizeof head - 1; at++) {
		for (int c = 0; c < 0x21; c++) {
			memcpy(copy, head, sizeof head);
			if (copy[at] == (char)c)
				continue;
			copy[at] = (char)c;
			ptrdiff_t result = parse(&request, slice_of(copy, sizeof head - 1));
			/*
			 * A blank within a value, or instead of the one before it, is the one
			 * thing allowed.
			 */
			bool blank = c == ' ' || c == '\t';
			bool in_value = at > 24 && at < 27 ? true : at > 33 && at < 40;

			if (blank && in_value)
				continue;
			/* A CR may also begin a line end that is not all there yet. */
			if (result > 0 || (result == 0 && c != '\r'))
				fail_msg("byte %02x at %zu gave %td", c, at, result);
		}
	}
}

static void
http_request_parse_finds_what_the_request_line_holds(void **state)
{
	struct http_request r =
	    parsed("DELETE /channels/a%20b?x=1?2&y HTTP/1.1\r\nHost: h\r\n\r\n");

	(void)state;
	assert_int_equal(r.method, HTTP_DELETE);
	assert_slice(r.method_name, "DELETE");
	assert_slice(r.target, "/channels/a%20b?x=1?2&y");
	assert_slice(r.path, "/channels/a%20b");
	assert_slice(r.query, "x=1?2&y");
	assert_int_equal(r.minor, 1);
	assert_slice(r.host, "h");
	assert_int_equal(r.scheme, HTTP_SCHEME_UNKNOWN);
	assert_int_equal(r.framing, HTTP_FRAMING_NONE);

	r = parsed("get / HTTP/1.0\r\n\r\n");
	assert_int_equal(r.method, HTTP_METHOD_OTHER);
	assert_int_equal(r.minor, 0);
	assert_null(r.query.bytes);
	assert_null(r.host.bytes);

	r = parsed("GET /? HTTP/1.0\r\n\r\n");
	assert_slice(r.query, "");
}

static void
http_request_parse_knows_every_method(void **state)
{
	static const struct {
		const char *head;
		enum http_method method;
	} cases[] = {
	    {"GET / HTTP/1.0\r\n\r\n", HTTP_GET},
	    {"HEAD / HTTP/1.0\r\n\r\n", HTTP_HEAD},
	    {"POST / HTTP/1.0\r\n\r\n", HTTP_POST},
	    {"PUT / HTTP/1.0\r\n\r\n", HTTP_PUT},
	    {"DELETE / HTTP/1.0\r\n\r\n", HTTP_DELETE},
	    {"OPTIONS / HTTP/1.0\r\n\r\n", HTTP_OPTIONS},
	    {"PATCH / HTTP/1.0\r\n\r\n", HTTP_PATCH},
	    {"CONNECT / HTTP/1.0\r\n\r\n", HTTP_CONNECT},
	    {"TRACE / HTTP/1.0\r\n\r\n", HTTP_TRACE},
	    {"Get / HTTP/1.0\r\n\r\n", HTTP_METHOD_OTHER},
	    {"GETT / HTTP/1.0\r\n\r\n", HTTP_METHOD_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(parsed(cases[i].head).method, cases[i].method);
}

static void
http_request_parse_takes_the_host_of_an_absolute_target(void **state)
{
	static const struct {
		const char *head, *host, *path, *query;
		enum http_scheme scheme;
	} cases[] = {
	    {"GET http://t:81/p?q HTTP/1.1\r\nHost: h\r\n\r\n", "t:81", "/p", "q",
		HTTP_SCHEME_HTTP},
	    {"GET HTTPS://t HTTP/1.1\r\nHost: h\r\n\r\n", "t", "/", NULL, HTTP_SCHEME_HTTPS},
	    {"GET http://[::1]?q HTTP/1.1\r\nHost: h\r\n\r\n", "[::1]", "/", "q", HTTP_SCHEME_HTTP},
	    {"GET //t/p HTTP/1.1\r\nHost: h\r\n\r\n", "h", "//t/p", NULL, HTTP_SCHEME_UNKNOWN},
	    {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "h", "*", NULL, HTTP_SCHEME_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct http_request r = parsed(cases[i].head);

		assert_slice(r.host, cases[i].host);
		assert_slice(r.path, cases[i].path);
		assert_int_equal(r.scheme, cases[i].scheme);
		if (cases[i].query == NULL)
			assert_null(r.query.bytes);
		else
			assert_slice(r.query, cases[i].query);
	}
}

static void
http_request_parse_takes_any_host_on_the_publish_socket(void **state)
{
	static const char *const taken[] = {
	    "GET / HTTP/1.1\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: %2Frun%2Fx.sock\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: /run/x.sock\r\n\r\n",
	    "GET http://localhost/publish HTTP/1.1\r\n\r\n",
	};
	struct http_request request;

	(void)state;
	for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
		assert_int_equal(http_request_parse(&request, slice_text(taken[i]), 0, &publish),
		    strlen(taken[i]));
	assert_int_equal(
	    http_request_parse(
		&request, slice_text("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 0, &publish),
	    HTTP_REQUEST_BAD_HOST);
}

static void
http_request_parse_finds_every_field_that_it_knows(void **state)
{
	static const struct {
		const char *name;
		enum http_request_field field;
	} cases[] = {
	    {"accept", HTTP_ACCEPT}, {"ACCEPT-ENCODING", HTTP_ACCEPT_ENCODING},
	    {"Access-Control-Request-Headers", HTTP_ACCESS_CONTROL_REQUEST_HEADERS},
	    {"Access-Control-Request-Method", HTTP_ACCESS_CONTROL_REQUEST_METHOD},
	    {"Authorization", HTTP_AUTHORIZATION}, {"Connection", HTTP_CONNECTION},
	    {"Content-Encoding", HTTP_CONTENT_ENCODING}, {"Content-Type", HTTP_CONTENT_TYPE},
	    {"Expect", HTTP_EXPECT}, {"Idempotency-Key", HTTP_IDEMPOTENCY_KEY},
	    {"last-event-id", HTTP_LAST_EVENT_ID}, {"Origin", HTTP_ORIGIN},
	    {"Sec-Fetch-Site", HTTP_SEC_FETCH_SITE},
	    {"Sec-WebSocket-Extensions", HTTP_SEC_WEBSOCKET_EXTENSIONS},
	    {"Sec-WebSocket-Key", HTTP_SEC_WEBSOCKET_KEY},
	    {"Sec-WebSocket-Protocol", HTTP_SEC_WEBSOCKET_PROTOCOL},
	    {"Sec-WebSocket-Version", HTTP_SEC_WEBSOCKET_VERSION}, {"Upgrade", HTTP_UPGRADE},
	    {"User-Agent", HTTP_USER_AGENT}, {"X-Forwarded-For", HTTP_X_FORWARDED_FOR},
	    {"X-Forwarded-Proto", HTTP_X_FORWARDED_PROTO},
	    /* The rest judge their values. */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char head[256];
		struct out o = out_to(head, sizeof head - 1);

		out_text(&o, "GET / HTTP/1.1\r\nHost: h\r\n");
		out_text(&o, cases[i].name);
		out_text(&o, ": \t the value\t \r\n\r\n");
		head[o.len] = '\0';
		struct http_request r = parsed(head);
		for (enum http_request_field f = 0; f < HTTP_REQUEST_FIELDS; f++)
			assert_int_equal(
			    http_request_has(&r, f), f == cases[i].field || f == HTTP_HOST);
		assert_slice(r.known[cases[i].field], "the value");
	}
}

static void
http_request_parse_takes_the_last_last_event_id(void **state)
{
	struct http_request r = parsed(LINE HOST "Last-Event-ID: a\r\nlast-event-id: b\r\n\r\n");

	(void)state;
	assert_slice(r.known[HTTP_LAST_EVENT_ID], "b");
	r = parsed(LINE HOST "User-Agent: a\r\nUser-Agent: b\r\n\r\n");
	assert_slice(r.known[HTTP_USER_AGENT], "a");
}

static void
http_request_list_next_walks_a_list_over_several_lines(void **state)
{
	struct http_request r =
	    parsed(LINE HOST "X-Forwarded-For: a , b\r\nX: y\r\n"
			     "x-forwarded-for: ,\r\nX-Forwarded-For:\tc\r\n\r\n");
	static const char *const want[] = {"a", "b", "c"};
	struct http_request_list list = {0};
	struct slice element;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_true(http_request_list_next(&r, HTTP_X_FORWARDED_FOR, &list, &element));
		assert_slice(element, want[i]);
	}
	assert_false(http_request_list_next(&r, HTTP_X_FORWARDED_FOR, &list, &element));
	assert_false(http_request_list_next(&r, HTTP_X_FORWARDED_FOR, &list, &element));
	assert_true(http_request_list_has(&r, HTTP_X_FORWARDED_FOR, SLICE_LITERAL("C")));
	assert_false(http_request_list_has(&r, HTTP_X_FORWARDED_FOR, SLICE_LITERAL("d")));
	assert_false(http_request_list_has(&r, HTTP_UPGRADE, SLICE_LITERAL("websocket")));
}

static void
http_field_next_walks_all_fields(void **state)
{
	struct http_request r = parsed(LINE "Host: a\r\nX:\r\nY: b: c \r\n\r\n");
	struct slice rest = r.fields;
	struct http_field field;

	(void)state;
	assert_true(http_field_next(&rest, &field));
	assert_slice(field.name, "Host");
	assert_slice(field.value, "a");
	assert_true(http_field_next(&rest, &field));
	assert_slice(field.name, "X");
	assert_slice(field.value, "");
	assert_true(http_field_next(&rest, &field));
	assert_slice(field.name, "Y");
	assert_slice(field.value, "b: c");
	assert_false(http_field_next(&rest, &field));
}

static void
http_list_next_splits_at_commas_outside_quotes(void **state)
{
	static const struct {
		const char *list;
		const char *want[4];
	} cases[] = {
	    {"", {NULL}},
	    {" , ,\t,", {NULL}},
	    {"a", {"a"}},
	    {"a,b", {"a", "b"}},
	    {" a\t,, b ,", {"a", "b"}},
	    {"a;x=\"1,2\", b", {"a;x=\"1,2\"", "b"}},
	    {"\"a\\\",b\", c", {"\"a\\\",b\"", "c"}},
	    {"\"a, b", {"\"a, b"}},
	    {"\"a\\", {"\"a\\"}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct slice rest = slice_text(cases[i].list);
		struct slice element;

		for (size_t n = 0; cases[i].want[n] != NULL; n++) {
			assert_true(http_list_next(&rest, &element));
			assert_slice(element, cases[i].want[n]);
		}
		assert_false(http_list_next(&rest, &element));
	}
}

static void
http_request_parse_judges_body_and_connection(void **state)
{
	enum { KEEP = 1, EXPECT = 2, WEBSOCKET = 4 };
	static const struct {
		const char *head;
		enum http_framing framing;
		uint64_t length;
		int flags;
	} cases[] = {
	    {LINE HOST "\r\n", HTTP_FRAMING_NONE, 0, KEEP},
	    {POST "Content-Length: 0\r\n\r\n", HTTP_FRAMING_LENGTH, 0, KEEP},
	    {POST "Content-Length:\t42 \r\n\r\n", HTTP_FRAMING_LENGTH, 42, KEEP},
	    {POST "Content-Length: 9223372036854775807\r\n\r\n", HTTP_FRAMING_LENGTH, INT64_MAX,
		KEEP},
	    {POST "Transfer-Encoding: cHuNkEd\r\n\r\n", HTTP_FRAMING_CHUNKED, 0, KEEP},
	    {POST "Connection: close\r\n\r\n", HTTP_FRAMING_NONE, 0, 0},
	    {POST "Connection: x, Close\r\n\r\n", HTTP_FRAMING_NONE, 0, 0},
	    {POST "Connection: keep-alive\r\nConnection: close\r\n\r\n", HTTP_FRAMING_NONE, 0, 0},
	    {POST "Connection: closed\r\n\r\n", HTTP_FRAMING_NONE, 0, KEEP},
	    {POST "Expect: 100-Continue\r\n\r\n", HTTP_FRAMING_NONE, 0, KEEP | EXPECT},
	    {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
		HTTP_FRAMING_LENGTH, 1, 0},
	    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", HTTP_FRAMING_NONE, 0, 0},
	    {LINE HOST "Connection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n", HTTP_FRAMING_NONE, 0,
		KEEP | WEBSOCKET},
	    {LINE HOST
		"Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: h2c, websocket\r\n\r\n",
		HTTP_FRAMING_NONE, 0, KEEP | WEBSOCKET},
	    {LINE HOST "Upgrade: websocket\r\n\r\n", HTTP_FRAMING_NONE, 0, KEEP},
	    {LINE HOST "Connection: upgrade\r\n\r\n", HTTP_FRAMING_NONE, 0, KEEP},
	    {LINE HOST "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n", HTTP_FRAMING_NONE, 0, KEEP},
	    {POST "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n", HTTP_FRAMING_NONE, 0, KEEP},
	    {"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
		HTTP_FRAMING_NONE, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct http_request r = parsed(cases[i].head);

		assert_int_equal(r.framing, cases[i].framing);
		assert_int_equal(r.content_length, cases[i].length);
		assert_int_equal(r.keep_alive, (cases[i].flags & KEEP) != 0);
		assert_int_equal(r.expect_continue, (cases[i].flags & EXPECT) != 0);
		assert_int_equal(r.upgrade_websocket, (cases[i].flags & WEBSOCKET) != 0);
	}
}

/* A head of exactly len bytes, in which the target or a value is stretched. */
static void
stretch(char *head, size_t len, const char *before, const char *after)
{
	size_t head_len = strlen(before), tail_len = strlen(after);

	assert_true(head_len + tail_len <= len);
	memset(head, 'x', len);
	memcpy(head, before, head_len);
	memcpy(head + len - tail_len, after, tail_len);
}

static void
http_request_parse_takes_a_head_of_exactly_the_limit(void **state)
{
	static char head[HEAD_MAX + 1];
	struct http_request request;

	(void)state;
	stretch(head, HEAD_MAX, "GET /", " HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(parse(&request, slice_of(head, HEAD_MAX)), HEAD_MAX);
	assert_int_equal(parse(&request, slice_of(head, HEAD_MAX - 1)), 0);
	stretch(head, HEAD_MAX + 1, "GET / HTTP/1.1\r\nHost: a\r\nX: ", "\r\n\r\n");
	assert_int_equal(parse(&request, slice_of(head, HEAD_MAX - 1)), 0);
	assert_int_equal(
	    parse(&request, slice_of(head, HEAD_MAX + 1)), HTTP_REQUEST_HEADERS_TOO_LARGE);
}

static void
http_request_parse_sees_early_that_a_head_is_too_long(void **state)
{
	static char head[HEAD_MAX + 1];
	struct http_request request;

	(void)state;
	for (size_t seen = 0; seen < HEAD_MAX; seen += HEAD_MAX - 1) {
		stretch(head, HEAD_MAX, "GET /", "");
		assert_int_equal(
		    http_request_parse(&request, slice_of(head, HEAD_MAX), seen, &public),
		    HTTP_REQUEST_URI_TOO_LONG);
		stretch(head, HEAD_MAX, "GET / HTTP/1.1\r\nHost: a\r\nX: ", "");
		assert_int_equal(
		    http_request_parse(&request, slice_of(head, HEAD_MAX), seen, &public),
		    HTTP_REQUEST_HEADERS_TOO_LARGE);
	}
	assert_int_equal(http_request_error_code(HTTP_REQUEST_URI_TOO_LONG), ERROR_URI_TOO_LONG);
	assert_int_equal(
	    http_request_error_code(HTTP_REQUEST_HEADERS_TOO_LARGE), ERROR_HEADERS_TOO_LARGE);
}

static void
http_request_parse_counts_fields(void **state)
{
	static char head[HEAD_MAX];
	struct http_request request;

	(void)state;
	for (unsigned extra = 0; extra <= 1; extra++) {
		struct out o = out_to(head, sizeof head);

		out_text(&o, LINE HOST);
		for (unsigned i = 1; i < LIMIT_HEADER_FIELDS + extra; i++)
			out_text(&o, "X: y\r\n");
		out_text(&o, "\r\n");
		ptrdiff_t result = parse(&request, slice_of(head, o.len));
		if (extra == 0)
			assert_int_equal(result, o.len);
		else
			assert_int_equal(result, HTTP_REQUEST_HEADERS_TOO_LARGE);
	}
}

static void
http_request_errors_all_have_a_code_and_a_text(void **state)
{
	(void)state;
	for (ptrdiff_t e = HTTP_REQUEST_BAD_LINE; e >= HTTP_REQUEST_HEADERS_TOO_LARGE; e--) {
		unsigned status = error_status(http_request_error_code(e));

		assert_true(status == 400 || status == 414 || status == 431);
		assert_true(strlen(http_request_error_text(e)) > 10);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(http_request_parse_refuses_what_two_readers_could_read_differently),
	    cmocka_unit_test(http_request_parse_refuses_them_behind_a_good_request),
	    cmocka_unit_test(http_request_parse_refuses_them_at_every_split),
	    cmocka_unit_test(http_request_parse_asks_for_more_at_every_split_of_a_good_request),
	    cmocka_unit_test(http_request_parse_refuses_every_control_character_everywhere),
	    cmocka_unit_test(http_request_parse_finds_what_the_request_line_holds),
	    cmocka_unit_test(http_request_parse_knows_every_method),
	    cmocka_unit_test(http_request_parse_takes_the_host_of_an_absolute_target),
	    cmocka_unit_test(http_request_parse_takes_any_host_on_the_publish_socket),
	    cmocka_unit_test(http_request_parse_finds_every_field_that_it_knows),
	    cmocka_unit_test(http_request_parse_takes_the_last_last_event_id),
	    cmocka_unit_test(http_request_list_next_walks_a_list_over_several_lines),
	    cmocka_unit_test(http_field_next_walks_all_fields),
	    cmocka_unit_test(http_list_next_splits_at_commas_outside_quotes),
	    cmocka_unit_test(http_request_parse_judges_body_and_connection),
	    cmocka_unit_test(http_request_parse_takes_a_head_of_exactly_the_limit),
	    cmocka_unit_test(http_request_parse_sees_early_that_a_head_is_too_long),
	    cmocka_unit_test(http_request_parse_counts_fields),
	    cmocka_unit_test(http_request_errors_all_have_a_code_and_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
