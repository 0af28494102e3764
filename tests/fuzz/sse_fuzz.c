/*
 * sse_fuzz.c: an event comes back from the specification's own parser as it was rendered, with CR
 * and CRLF as LF, whatever its type, data and id hold; nothing of it gets anywhere else.
 *
 * Input: length of the type, length of the id, type, id, data.
 */
#include "proto/sse.h"
#include "tests/unit/proto/sse_reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())

static struct slice
take(struct slice *in, size_t len)
{
	struct slice front = slice_of(in->bytes, len < in->len ? len : in->len);

	*in = slice_of(in->bytes + front.len, in->len - front.len);
	return front;
}

static struct slice
first_line(struct slice s)
{
	size_t n = 0;

	while (n < s.len && s.bytes[n] != '\r' && s.bytes[n] != '\n' && s.bytes[n] != '\0')
		n++;
	return slice_of(s.bytes, n);
}

/* CR and CRLF as LF. */
static void
normalise(struct sse_text *to, struct slice from)
{
	for (size_t i = 0; i < from.len; i++) {
		char c = from.bytes[i];

		if (c == '\r' && i + 1 < from.len && from.bytes[i + 1] == '\n')
			continue;
		sse_text_add(to, c == '\r' ? "\n" : &c, 1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of((const char *)data, size);
	struct slice type, id;
	struct sse_text stream, seen, expected, got;
	struct out o;

	if (size < 2)
		return 0;
	take(&in, 2);
	type = take(&in, data[0] % 32);
	id = take(&in, data[1] % 32);

	sse_text_open(&stream, 7 + sse_event_len_max(type.len, in.len, id.len));
	sse_text_open(&seen, in.len);
	sse_text_open(&expected, size + 16);
	sse_text_open(&got, stream.cap);
	sse_text_add(&stream, "id: 0\n\n", 7);
	o = out_to(stream.bytes + 7, stream.cap - 7);
	sse_event(&o, type, in, id);
	CHECK(!out_cut(&o));

	type = first_line(type);
	id = first_line(id);
	normalise(&seen, in);
	sse_reference_log(&expected, type.len == 0 ? SLICE_LITERAL("message") : type,
	    slice_of(seen.bytes, seen.len), id.len == 0 ? SLICE_LITERAL("0") : id);
	CHECK(sse_reference_read(stream.bytes, 7 + o.len, &got) == SSE_PARSER_NO_RETRY);
	CHECK(got.len == expected.len && memcmp(got.bytes, expected.bytes, got.len) == 0);
	free(stream.bytes);
	free(seen.bytes);
	free(expected.bytes);
	free(got.bytes);
	return 0;
}
