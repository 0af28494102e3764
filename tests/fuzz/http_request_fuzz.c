/*
 * http_request_fuzz.c: an accepted head is accepted only whole, the same however it arrives, and
 * holds no line end in disguise; a refused one is never accepted at any moment before.
 *
 * Input: the bytes of a connection.
 */
#include <stdlib.h>

#include "proto/http_forwarded.h"
#include "proto/http_media.h"
#include "proto/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())

static const struct http_request_options options = {.head_bytes_max = 2048};

static void
check_inside(struct slice part, struct slice head)
{
	if (part.bytes == NULL)
		CHECK(part.len == 0);
	else
		CHECK(part.bytes >= head.bytes && part.bytes + part.len <= head.bytes + head.len);
}

/* No value may hold a byte that ends a line, and a walk over the fields meets every known one. */
static void
check_fields(const struct http_request *r, struct slice head)
{
	struct slice rest = r->fields;
	struct http_field field;
	uint32_t met = 0;

	while (http_field_next(&rest, &field)) {
		check_inside(field.name, head);
		check_inside(field.value, head);
		CHECK(http_is_token(field.name));
		for (size_t i = 0; i < field.value.len; i++)
			CHECK(http_is_value_char(field.value.bytes[i]));
		for (int i = 0; i < HTTP_REQUEST_FIELDS; i++)
			if (r->known[i].bytes == field.value.bytes)
				met |= UINT32_C(1) << i;
	}
	for (int i = 0; i < HTTP_REQUEST_FIELDS; i++) {
		struct http_request_list list = {0};
		struct slice element;

		CHECK((r->known[i].bytes != NULL) == ((met >> i & 1) != 0));
		while (http_request_list_next(r, (enum http_request_field)i, &list, &element)) {
			CHECK(element.len != 0);
			check_inside(element, head);
		}
	}
}

static void
check_accepted(const struct http_request *r, struct slice head)
{
	struct address_range trusted = {.prefix = 1};
	struct address client;

	CHECK(head.bytes[head.len - 1] == '\n' && head.bytes[head.len - 3] == '\n');
	check_inside(r->target, head);
	check_inside(r->query, head);
	check_inside(r->host, head);
	check_inside(r->fields, head);
	CHECK(r->path.len != 0 && (r->path.bytes[0] == '/' || r->path.bytes[0] == '*'));
	CHECK(r->framing != HTTP_FRAMING_UNTIL_CLOSE);
	CHECK(r->minor == 1 || (!r->keep_alive && r->framing != HTTP_FRAMING_CHUNKED));
	CHECK(!http_request_has(r, HTTP_CONTENT_LENGTH) ||
	      !http_request_has(r, HTTP_TRANSFER_ENCODING));
	check_fields(r, head);
	http_forwarded_client(r, &trusted, 1, &client);
	http_forwarded_scheme(r);
	http_media_of(r->known[HTTP_CONTENT_TYPE]);
	http_media_accepts(r->known[HTTP_ACCEPT], SLICE_LITERAL("text/event-stream"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = slice_of((const char *)data, size);
	struct http_request request, again;
	ptrdiff_t result = http_request_parse(&request, input, 0, &options);
	size_t ends = result > 0 ? (size_t)result : size;
	size_t step = size / 64 + 1; /* every prefix of a short input, a sample of a long one's */
	size_t seen = 0;

	if (result > 0) {
		check_accepted(&request, slice_of(input.bytes, ends));
		/* Nothing behind the head had a part in it. */
		CHECK(
		    http_request_parse(&again, slice_of(input.bytes, ends), 0, &options) == result);
	} else if (result < 0) {
		CHECK(error_status(http_request_error_code(result)) >= 400);
	}
	for (size_t len = 0; len < ends; len += step) {
		struct slice part = slice_of(input.bytes, len);
		ptrdiff_t fresh = http_request_parse(&again, part, 0, &options);
		ptrdiff_t hinted = http_request_parse(&again, part, seen, &options);

		CHECK(fresh == 0 || (result < 0 && fresh == result));
		CHECK(hinted == 0 || hinted == fresh);
		if (hinted == 0)
			seen = len;
	}
	if (result > 0)
		CHECK(http_request_parse(&again, input, seen, &options) == result);
	return 0;
}
