/*
 * utf8_fuzz.c: the validator agrees with an obvious decoder on every prefix, however it is fed.
 *
 * Input: one byte that says where to cut, then the text.
 */
#include <stdlib.h>

#include "proto/utf8.h"
#include "tests/unit/proto/utf8_reference.h"

#define TEXT_BYTES_MAX 96

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct utf8 slow = {0}, fast = {0};
	enum utf8_reference expected = UTF8_REFERENCE_WHOLE;
	const char *text = (const char *)data + 1;
	size_t len, cut;

	if (size < 1 || size > TEXT_BYTES_MAX)
		return 0;
	len = size - 1;
	for (size_t i = 0; i < len; i++) {
		bool fed = utf8_feed(&slow, text + i, 1);

		expected = utf8_reference(data + 1, i + 1);
		CHECK(fed == (expected != UTF8_REFERENCE_BAD));
		CHECK(utf8_whole(&slow) == (expected == UTF8_REFERENCE_WHOLE));
	}
	cut = len == 0 ? 0 : data[0] % (len + 1);
	utf8_feed(&fast, text, cut);
	CHECK(utf8_feed(&fast, text + cut, len - cut) == (expected != UTF8_REFERENCE_BAD));
	CHECK(utf8_valid(slice_of(text, len)) == (expected == UTF8_REFERENCE_WHOLE));
	if (expected == UTF8_REFERENCE_WHOLE) {
		size_t kept = utf8_cut(slice_of(text, len), data[0]);

		CHECK(kept <= data[0] && kept <= len);
		CHECK(kept == len || kept + 4 > data[0]);
		CHECK(utf8_valid(slice_of(text, kept)));
	}
	return 0;
}
