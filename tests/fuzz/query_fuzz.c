/*
 * query_fuzz.c: decoding undoes any encoding and never grows; finding, walking and redacting agree
 * with one another.
 *
 * Input: a query.
 */
#include <stdlib.h>

#include "proto/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())

enum { CAP = 4096 };

/* Every byte as an escape: decodes to the same bytes in both kinds of text. */
static void
check_round_trip(struct slice text)
{
	static const char hex[] = "0123456789aBcDeF";
	static char encoded[3 * CAP], decoded[CAP];
	struct out out = out_to(encoded, sizeof encoded);

	for (size_t i = 0; i < text.len; i++) {
		out_char(&out, '%');
		out_char(&out, hex[(unsigned char)text.bytes[i] >> 4]);
		out_char(&out, hex[(unsigned char)text.bytes[i] & 15]);
	}
	CHECK(query_decode(slice_of(encoded, out.len), decoded, sizeof decoded) ==
	      (ptrdiff_t)text.len);
	CHECK(text.len == 0 || memcmp(decoded, text.bytes, text.len) == 0);
	CHECK(query_decode_path(slice_of(encoded, out.len), decoded, sizeof decoded) ==
	      (ptrdiff_t)text.len);
}

static void
check_decode(struct slice raw)
{
	static char decoded[CAP], path[CAP];
	ptrdiff_t len = query_decode(raw, decoded, raw.len);

	CHECK(len == QUERY_BAD_ESCAPE || (len >= 0 && (size_t)len <= raw.len));
	CHECK(query_decode_path(raw, path, raw.len) == len);
	for (ptrdiff_t i = 0; i < len; i++)
		CHECK(decoded[i] == path[i] || (decoded[i] == ' ' && path[i] == '+'));
	if (len > 0)
		CHECK(query_decode(raw, decoded, (size_t)len - 1) == QUERY_TOO_LONG);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char redacted[CAP];
	struct slice query = slice_of((const char *)data, size);
	struct slice rest = query, name, value;
	struct slice found_rest = query, found, last = {0};
	struct out out = out_to(redacted, sizeof redacted);
	bool any = false;

	if (size > CAP)
		return 0;
	check_round_trip(query);
	while (query_next(&rest, &name, &value)) {
		CHECK(name.len + value.len <= size);
		check_decode(name);
		check_decode(value);
		if (!query_name_is(name, "token"))
			continue;
		CHECK(query_find(&found_rest, "token", &found));
		CHECK(found.bytes == value.bytes && found.len == value.len);
		last = value;
		any = true;
	}
	CHECK(!query_find(&found_rest, "token", &found));
	CHECK(query_last(query, "token", &found) == any);
	CHECK(!any || found.bytes == last.bytes);

	query_redact(&out, query);
	CHECK(!out_cut(&out));
	rest = slice_of(redacted, out.len);
	while (query_find(&rest, "token", &value))
		CHECK(value.len == 0 || slice_equal(value, SLICE_LITERAL("-")));
	return 0;
}
