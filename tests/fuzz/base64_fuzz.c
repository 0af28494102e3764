/*
 * base64_fuzz.c: bytes survive the round trip, and a text that decodes is the only one that does to
 * those bytes.
 */
#include <stdlib.h>

#include "proto/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())

static void
round_trip(struct slice bytes)
{
	size_t cap = base64_encoded_len(bytes.len);
	char *text = malloc(cap);
	struct out o = out_to(text, cap);

	base64_encode(&o, bytes);
	CHECK(!out_cut(&o) && o.len == cap);
	CHECK(base64_decoded_len(slice_of(text, cap)) == bytes.len);
	CHECK(base64_decode(text, bytes.len, slice_of(text, cap)) == (ptrdiff_t)bytes.len);
	CHECK(slice_equal(slice_of(text, bytes.len), bytes));
	free(text);
}

static void
decode(struct slice text)
{
	size_t cap = base64_decoded_len(text);
	char *bytes = malloc(cap);
	char *again = malloc(text.len);
	ptrdiff_t len = base64_decode(bytes, cap, text);
	struct out o = out_to(again, text.len);

	CHECK(len >= BASE64_BAD_BITS);
	if (len >= 0) {
		CHECK((size_t)len == cap);
		base64_encode(&o, slice_of(bytes, cap));
		CHECK(slice_equal(slice_of(again, o.len), text));
	}
	free(bytes);
	free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	round_trip(slice_of((const char *)data, size));
	decode(slice_of((const char *)data, size));
	return 0;
}
