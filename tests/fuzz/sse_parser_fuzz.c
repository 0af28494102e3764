/*
 * sse_parser_fuzz.c: the parser agrees with the specification word for word, however reads cut the
 * stream and however often its buffer turns out too small.
 *
 * Input: one byte of seed for the cuts, then the stream.
 */
#include "tests/unit/proto/sse_reference.h"

#define STREAM_BYTES_MAX 600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())

/* Reads the stream in pieces, each from a block of its own, with a buffer that grows by bytes. */
static int64_t
read_in_cuts(const uint8_t *bytes, size_t len, uint32_t seed, struct sse_text *log)
{
	struct sse_parser p;
	char *buffer = malloc(1);

	sse_parser_start(&p, buffer, 0);
	while (len != 0) {
		size_t n = 1 + (seed >> 16) % 8;
		struct sse_parser_event event;
		enum sse_parser_result result;
		struct slice in;
		char *piece;

		seed = seed * 1103515245u + 12345u;
		n = n > len ? len : n;
		piece = malloc(n);
		memcpy(piece, bytes, n);
		in = slice_of(piece, n);
		while ((result = sse_parser_next(&p, &in, &event)) != SSE_PARSER_MORE) {
			if (result == SSE_PARSER_EVENT) {
				sse_reference_log(log, event.type, event.data, event.id);
			} else {
				size_t cap = p.cap + 1 + (seed >> 24) % 4;
				char *larger = malloc(cap);

				sse_parser_grow(&p, larger, cap);
				free(buffer);
				buffer = larger;
			}
		}
		CHECK(in.len == 0);
		free(piece);
		bytes += n;
		len -= n;
	}
	free(buffer);
	return p.retry_ms;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sse_text expected, whole, cut;
	struct sse_parser p;
	char buffer[2 * STREAM_BYTES_MAX];
	int64_t retry_ms;

	if (size < 1 || size > STREAM_BYTES_MAX)
		return 0;
	/* An event of few bytes may repeat the longest id. */
	sse_text_open(&expected, size * size + 64);
	sse_text_open(&whole, size * size + 64);
	sse_text_open(&cut, size * size + 64);
	retry_ms = sse_reference_read((const char *)data + 1, size - 1, &expected);

	sse_parser_start(&p, buffer, sizeof buffer);
	sse_reference_feed(&p, (const char *)data + 1, size - 1, &whole);
	CHECK(p.retry_ms == retry_ms);
	CHECK(whole.len == expected.len);
	CHECK(memcmp(whole.bytes, expected.bytes, whole.len) == 0);

	CHECK(read_in_cuts(data + 1, size - 1, (uint32_t)data[0] << 16, &cut) == retry_ms);
	CHECK(cut.len == expected.len && memcmp(cut.bytes, expected.bytes, cut.len) == 0);
	free(expected.bytes);
	free(whole.bytes);
	free(cut.bytes);
	return 0;
}
