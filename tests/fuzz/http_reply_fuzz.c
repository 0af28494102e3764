/*
 * http_reply_fuzz.c: an accepted reply head is accepted only whole and the same however it arrives.
 *
 * Input: the bytes of a connection.
 */
#include <stdlib.h>

#include "proto/http_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())

enum { HEAD_MAX = 2048 };

static void
check_accepted(const struct http_reply *r)
{
	struct slice rest = r->fields;
	struct http_field field;

	CHECK(r->status >= 100 && r->status <= 599 && r->minor <= 1);
	while (http_field_next(&rest, &field)) {
		struct slice first = http_reply_field(r, field.name);

		CHECK(first.bytes != NULL && first.bytes <= field.value.bytes);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = slice_of((const char *)data, size);
	struct http_reply reply, again;
	ptrdiff_t result = http_reply_parse(&reply, input, 0, HEAD_MAX);
	size_t ends = result > 0 ? (size_t)result : size;

	if (result > 0) {
		check_accepted(&reply);
		CHECK(http_reply_parse(&again, slice_of(input.bytes, ends), 0, HEAD_MAX) == result);
	}
	for (size_t len = 0; len < ends; len++) {
		ptrdiff_t part = http_reply_parse(&again, slice_of(input.bytes, len), 0, HEAD_MAX);

		CHECK(part == 0 || (result < 0 && part == result));
		if (part == 0 && result > 0)
			CHECK(http_reply_parse(&again, input, len, HEAD_MAX) == result);
	}
	return 0;
}
