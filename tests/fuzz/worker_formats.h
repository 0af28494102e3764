/*
 * worker_formats.h: what worker_judge.c reads by: ids, JSON (by jansson), base64, and events as the contract writes them; nothing of
 * proto/ has a part in it.
 */
#ifndef TESTS_FUZZ_WORKER_FORMATS_H
#define TESTS_FUZZ_WORKER_FORMATS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <zlib.h>

#include "tests/fuzz/worker_judge.h"

#define CHECK(condition, what)                                                                    \
	do {                                                                                      \
		if (!(condition)) {                                                               \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, what); \
			abort();                                                                  \
		}                                                                                 \
	} while (0)

static inline void
drop(struct slice s)
{
	free((void *)(uintptr_t)s.bytes);
}

static inline struct slice
text_of(const json_t *value)
{
	CHECK(json_is_string(value), "a string was expected");
	return slice_of(json_string_value(value), json_string_length(value));
}

static inline struct slice
member_text(const json_t *object, const char *name)
{
	return text_of(json_object_get(object, name));
}

/* "<13 digits>-<5 digits>", as the contract writes it. */
static inline uint64_t
id_of_text(struct slice s)
{
	uint64_t ms = 0, counter = 0;

	CHECK(s.len == 19 && s.bytes[13] == '-', "an id of another form");
	for (int i = 0; i < 19; i++) {
		if (i == 13)
			continue;
		CHECK(s.bytes[i] >= '0' && s.bytes[i] <= '9', "an id with other than digits");
		if (i < 13)
			ms = ms * 10 + (uint64_t)(s.bytes[i] - '0');
		else
			counter = counter * 10 + (uint64_t)(s.bytes[i] - '0');
	}
	CHECK(counter < 65536, "a counter that does not fit");
	return ms << 16 | counter;
}

static inline uint64_t
member_id(const json_t *object, const char *name)
{
	return id_of_text(member_text(object, name));
}

static inline json_t *
load(struct slice s)
{
	json_t *value = json_loadb(
	    s.bytes, s.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);

	CHECK(value != NULL, "JSON was expected");
	return value;
}

/* Base64 as RFC 4648 draws it. */
static inline struct slice
base64(struct slice s)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *out = malloc(s.len / 3 * 4 + 8);
	size_t len = 0;

	CHECK(out != NULL, "memory");
	for (size_t i = 0; i < s.len; i += 3) {
		const size_t n = s.len - i < 3 ? s.len - i : 3;
		uint32_t bits = 0;

		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 | (k < n ? (unsigned char)s.bytes[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			out[len++] = k <= n ? digits[bits >> (18 - 6 * k) & 63] : '=';
	}
	return slice_of(out, len);
}

/* The event object of every JSON format. */
static inline void
check_object(const struct judge_event *e, const json_t *object, struct slice text)
{
	const json_t *data = json_object_get(object, "data");

	CHECK(slice_equal(member_text(object, "type"), e->type), "another type");
	if (e->kind == EVENT_TEXT) {
		CHECK(slice_equal(text_of(data), e->data), "another text");
	} else if (e->kind == EVENT_BINARY) {
		const struct slice expected = base64(e->data);

		CHECK(data == NULL && slice_equal(member_text(object, "data64"), expected),
		    "other bytes");
		drop(expected);
	} else {
		/* Kept byte for byte, at the end of the object. */
		const size_t head = text.len - e->data.len - 1;

		CHECK(text.len > e->data.len + 9 &&
			  memcmp(text.bytes + head - 7, "\"data\":", 7) == 0 &&
			  memcmp(text.bytes + head, e->data.bytes, e->data.len) == 0,
		    "other JSON");
	}
}

/* CR and CRLF as LF: what an event stream can carry of a text. */
static inline bool
equal_but_for_line_ends(struct slice seen, struct slice sent)
{
	size_t n = 0;

	for (size_t i = 0; i < sent.len; i++) {
		char c = sent.bytes[i];

		if (c == '\r' && i + 1 < sent.len && sent.bytes[i + 1] == '\n')
			continue;
		if (n == seen.len || seen.bytes[n++] != (c == '\r' ? '\n' : c))
			return false;
	}
	return n == seen.len;
}

/* The text of each event in the answer, by its objects' own lengths: for JSON that must be kept byte for byte. */
static inline struct slice
next_object(struct slice *rest)
{
	int depth = 0;
	bool string = false;
	size_t start = 0, i;

	while (start < rest->len && rest->bytes[start] != '{')
		start++;
	for (i = start; i < rest->len; i++) {
		const char c = rest->bytes[i];

		if (string && c == '\\')
			i++;
		else if (c == '"')
			string = !string;
		else if (!string && (c == '{' || c == '['))
			depth++;
		else if (!string && (c == '}' || c == ']') && --depth == 0)
			break;
	}
	CHECK(i < rest->len, "an object that does not end");
	*rest = slice_of(rest->bytes + i + 1, rest->len - i - 1);
	return slice_of(rest->bytes - (i + 1 - start), i + 1 - start);
}

/* A message as RFC 7692, 7.2.2 has it, or an answer's gzip member, by zlib. To be dropped. */
static inline struct slice
inflated(struct slice packed, bool gzip)
{
	static unsigned char tail[] = {0, 0, 0xff, 0xff};
	const size_t cap = 4 << 20;
	char *plain = malloc(cap);
	z_stream z = {.next_in = (unsigned char *)(uintptr_t)packed.bytes,
	    .avail_in = (unsigned)packed.len,
	    .next_out = (unsigned char *)plain,
	    .avail_out = (unsigned)cap};
	int result;

	CHECK(plain != NULL && inflateInit2(&z, gzip ? 31 : -15) == Z_OK, "memory");
	result = inflate(&z, Z_SYNC_FLUSH);
	CHECK(result == (gzip ? Z_STREAM_END : Z_OK) && z.avail_in == 0, "what was compressed");
	if (!gzip) {
		z.next_in = tail;
		z.avail_in = sizeof tail;
		CHECK(inflate(&z, Z_SYNC_FLUSH) == Z_OK && z.avail_in == 0, "a whole message");
	}
	CHECK(z.avail_out != 0, "a message of some size");
	inflateEnd(&z);
	return slice_of(plain, cap - z.avail_out);
}

#endif
