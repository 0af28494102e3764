/*
 * http_head_fuzz.c: the parser of request heads and a slow one that was written from the grammar agree: on what is
 * accepted, on where the head ends, on every field and on what the fields mean.
 *
 * Input: the bytes of a connection.
 */
#include <stdlib.h>

#include "proto/http_request.h"
#include "tests/unit/proto/http_reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())
#define INPUT_BYTES_MAX 4096

static const struct http_request_options options = {.head_bytes_max = 65536};

static void
check_same(struct slice a, struct http_reference_part b)
{
	CHECK(a.len == b.len && (a.len == 0 || a.bytes == b.bytes));
}

static void
check_head(const struct http_request *request, const struct http_reference *r)
{
	struct slice rest = request->fields;
	struct http_field field;
	int n = 0;

	check_same(request->method_name, r->method);
	check_same(request->target, r->target);
	if (r->asterisk)
		CHECK(slice_equal(request->path, SLICE_LITERAL("*")));
	else if (r->slash)
		CHECK(slice_equal(request->path, SLICE_LITERAL("/")));
	else
		check_same(request->path, r->path);
	CHECK((request->query.bytes != NULL) == r->has_query);
	if (r->has_query)
		check_same(request->query, r->query);
	CHECK((request->host.bytes != NULL) == r->has_host);
	if (r->has_host)
		check_same(request->host, r->host);
	CHECK(request->minor == (unsigned)r->minor);
	CHECK((request->framing == HTTP_FRAMING_CHUNKED) == r->chunked);
	CHECK((request->framing == HTTP_FRAMING_LENGTH) == r->has_length);
	CHECK(!r->has_length || request->content_length == r->length);
	CHECK(request->keep_alive == r->keep_alive);
	CHECK(request->expect_continue == r->expects);
	CHECK(request->upgrade_websocket == r->upgrades);
	while (http_field_next(&rest, &field)) {
		CHECK(n < r->field_count);
		check_same(field.name, r->fields[n].name);
		check_same(field.value, r->fields[n].value);
		n++;
	}
	CHECK(n == r->field_count);
}

/* What was refused before it was whole has no continuation that the other one accepts. */
static void
check_hopeless(const uint8_t *data, size_t size)
{
	static const char *const ends[] = {"\n", "\r\n", "\r\n\r\n", ":\r\n\r\n", "a:\r\n\r\n",
	    "\n\r\n", " HTTP/1.1\r\nHost: a\r\n\r\n", "/ HTTP/1.1\r\nHost: a\r\n\r\n",
	    "\r\nHost: a\r\n\r\n", "\nHost: a\r\n\r\n", "Host: a\r\n\r\n", "1\r\nHost: a\r\n\r\n",
	    "T / HTTP/1.0\r\n\r\n", "]\r\n\r\n", "\"\r\n\r\n", "0\r\n\r\n", "TP/1.0\r\n\r\n"};
	char whole[INPUT_BYTES_MAX + 64];
	struct http_reference r;

	memcpy(whole, data, size);
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		const size_t len = strlen(ends[i]);

		memcpy(whole + size, ends[i], len);
		CHECK(http_reference_request(&r, whole, size + len) <= 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct slice input = slice_of((const char *)data, size);
	struct http_request request;
	struct http_reference r;
	ptrdiff_t result;
	ssize_t expected;

	if (size == 0 || size > INPUT_BYTES_MAX)
		return 0;
	result = http_request_parse(&request, input, 0, &options);
	expected = http_reference_request(&r, input.bytes, size);
	if (expected < 0) {
		CHECK(result < 0);
	} else if (expected == 0) {
		CHECK(result <= 0);
		if (result < 0)
			check_hopeless(data, size);
	} else {
		CHECK(result == expected);
		check_head(&request, &r);
	}
	return 0;
}
