/*
 * http_body_fuzz.c: a body decodes to the same data, length and error however its bytes are cut; of chunks a slow reader written
 * from the grammar says the same; and what our own encoder writes decodes to what went in.
 *
 * Input: a byte for the framing, a byte for the limit, a byte for the cuts, then the body.
 */
#include <stdlib.h>

#include "proto/http_body.h"
#include "proto/http_response.h"
#include "shm/limits.h"
#include "tests/unit/proto/http_reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())

enum { CAP = 4096 };

struct decoded {
	char bytes[CAP];
	size_t len;
	size_t consumed;
	ptrdiff_t error;
	bool complete;
};

static void
decode(struct decoded *d, struct http_body body, struct slice input, size_t step)
{
	struct slice data;

	d->len = d->consumed = 0;
	d->error = 0;
	while (!http_body_complete(&body) && d->consumed < input.len) {
		size_t left = input.len - d->consumed;
		struct slice part = slice_of(input.bytes + d->consumed, left < step ? left : step);
		ptrdiff_t n = http_body_next(&body, part, &data);

		if (n < 0) {
			d->error = n;
			CHECK(http_body_next(&body, part, &data) < 0);
			break;
		}
		CHECK(n > 0 && (size_t)n <= part.len && data.len <= (size_t)n);
		memcpy(d->bytes + d->len, data.bytes, data.len);
		d->len += data.len;
		d->consumed += (size_t)n;
	}
	d->complete = http_body_complete(&body);
}

static void
check_round_trip(struct slice input, size_t step)
{
	static char encoded[4 * CAP];
	static struct decoded d;
	struct out out = out_to(encoded, sizeof encoded);
	struct http_body body;

	for (size_t at = 0; at < input.len; at += step) {
		size_t left = input.len - at;

		if (left > step)
			left = step;
		http_response_chunk(&out, slice_of(input.bytes + at, left));
	}
	http_response_chunk_end(&out);
	if (out_cut(&out))
		return;
	CHECK(http_body_start(&body, HTTP_FRAMING_CHUNKED, 0, input.len) == 0);
	decode(&d, body, slice_of(encoded, out.len), step);
	CHECK(d.error == 0 && d.complete && d.consumed == out.len);
	CHECK(slice_equal(slice_of(d.bytes, d.len), input));
}

static void
check_chunks(const struct decoded *d, struct slice input, uint64_t max)
{
	static char expected[CAP];
	size_t len;
	const ssize_t n = http_reference_chunked(
	    input.bytes, input.len, LIMIT_CHUNK_LINE_BYTES, max, expected, &len);

	CHECK(d->complete == (n > 0) && (d->error != 0) == (n < 0));
	CHECK(n <= 0 || d->consumed == (size_t)n);
	CHECK(n < 0 || slice_equal(slice_of(d->bytes, d->len), slice_of(expected, len)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct decoded whole, cut;
	struct http_body body;

	if (size < 3 || size > CAP)
		return 0;
	struct slice input = slice_of((const char *)data + 3, size - 3);
	enum http_framing framing = (enum http_framing)(data[0] % 4);
	uint64_t length = data[0] / 4;
	uint64_t max = data[1] == 255 ? UINT64_MAX : data[1];
	size_t step = data[2] % 16U + 1;

	if (http_body_start(&body, framing, length, max) == 0) {
		decode(&whole, body, input, size);
		decode(&cut, body, input, step);
		CHECK(whole.error == cut.error && whole.complete == cut.complete);
		CHECK(whole.len <= max && cut.len <= max);
		if (framing == HTTP_FRAMING_CHUNKED)
			check_chunks(&whole, input, max);
		if (whole.error == 0) {
			CHECK(whole.consumed == cut.consumed);
			CHECK(slice_equal(
			    slice_of(whole.bytes, whole.len), slice_of(cut.bytes, cut.len)));
		}
		if (framing == HTTP_FRAMING_LENGTH && whole.complete)
			CHECK(whole.len == length && whole.consumed == length);
	} else {
		CHECK(framing == HTTP_FRAMING_LENGTH && length > max);
	}
	check_round_trip(input, step);
	return 0;
}
