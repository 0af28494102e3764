/*
 * json_fuzz.c: the scanner on any bytes. Beyond not crashing: its ways in agree with each other, a
 * shorter text only ever needs more, and a string's content survives being escaped and read again.
 */
#include <assert.h>
#include <stdlib.h>

#include "proto/json.h"
#include "proto/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_string(const struct json_value *value)
{
	size_t cap = 8 * value->raw.len;
	char *content_room = malloc(cap), *json_room = malloc(cap);
	struct out content = out_to(content_room, value->raw.len - 2),
		   json = out_to(json_room, cap);
	struct json_value again;
	struct slice same;
	size_t at;

	assert(content_room != NULL && json_room != NULL);
	json_unescape(&content, value->raw);
	assert(!out_cut(&content));
	assert(utf8_valid(slice_of(content.bytes, content.len)));
	assert(json_string_equals(value->raw, slice_of(content.bytes, content.len)));
	json_escape(&json, slice_of(content.bytes, content.len));
	assert(!out_cut(&json));
	assert(json_whole(slice_of(json.bytes, json.len), &again, &at) == 1);
	assert(json_string_equals(again.raw, slice_of(content.bytes, content.len)));
	content.len = content.need = 0;
	assert(json_content(value, &content, &same));
	free(content_room);
	free(json_room);
}

/* Walks the value and what is in it; each level was counted by the scanner, so this ends. */
static void
check_value(const struct json_value *value)
{
	struct json_walk walk;
	struct json_value inner;
	struct slice key;
	size_t at;
	uint64_t u;
	int64_t i;
	int r;

	if (value->kind == JSON_KIND_STRING)
		check_string(value);
	if (json_u64(value, &u) && json_i64(value, &i))
		assert((uint64_t)i == u);
	if (value->kind != JSON_KIND_ARRAY && value->kind != JSON_KIND_OBJECT)
		return;
	assert(json_walk_open(&walk, value->raw, &at) == 1);
	while ((r = json_walk_next(&walk, &key, &inner, &at)) > 0) {
		assert((key.len > 0) == (value->kind == JSON_KIND_OBJECT));
		check_value(&inner);
	}
	assert(r == 0);
}

static int
walk_all(struct slice text, size_t *at)
{
	struct json_walk walk;
	struct json_value value;
	struct slice key;
	int r = json_walk_open(&walk, text, at);

	if (r <= 0)
		return r;
	while ((r = json_walk_next(&walk, &key, &value, at)) > 0)
		;
	return r == 0 ? 1 : r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of((const char *)data, size);
	struct json_value value, same;
	size_t at = 0, walk_at = 0;
	int whole = json_whole(text, &value, &at);
	int walked = walk_all(text, &walk_at);
	ptrdiff_t consumed = json_scan(text, &same, &walk_at);

	assert(whole > 0 || at <= size);
	if (whole > 0)
		check_value(&value);
	if (whole > 0 && (value.kind == JSON_KIND_ARRAY || value.kind == JSON_KIND_OBJECT))
		assert(walked == 1);
	else if (whole > 0)
		assert(walked == 0);
	else
		assert(walked == whole);
	if (whole > 0 && value.kind != JSON_KIND_NUMBER)
		assert(consumed > 0 && slice_equal(value.raw, same.raw));
	if (consumed > 0 && same.kind != JSON_KIND_NUMBER) {
		for (ptrdiff_t len = 0; len < consumed; len += 1 + consumed / 16)
			assert(json_scan(slice_of(text.bytes, (size_t)len), &same, &at) == 0);
	}
	return 0;
}
