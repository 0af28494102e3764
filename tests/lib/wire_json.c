/*
 * wire_json.c: a scanner of JSON for tests (wire.h). It checks what it walks over and copies
 * nothing but strings.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/wire.h"

#define DEPTH_MAX 64

static const char *
skip_space(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
		at++;
	return at;
}

/* Each skip_* returns the first byte after what it stands on, or NULL when that is not JSON. */
static const char *
skip_string(const char *at, const char *end)
{
	if (at >= end || *at != '"')
		return NULL;
	for (at++; at < end; at++) {
		if ((unsigned char)*at < 0x20)
			return NULL;
		if (*at == '"')
			return at + 1;
		if (*at == '\\' && ++at >= end)
			return NULL;
	}
	return NULL;
}

static const char *skip_value(const char *at, const char *end, unsigned depth);

static const char *
skip_container(const char *at, const char *end, unsigned depth)
{
	char close = *at == '{' ? '}' : ']';
	bool object = *at == '{';

	at = skip_space(at + 1, end);
	if (at < end && *at == close)
		return at + 1;
	for (;;) {
		if (object) {
			at = skip_string(at, end);
			if (at == NULL)
				return NULL;
			at = skip_space(at, end);
			if (at >= end || *at != ':')
				return NULL;
			at = skip_space(at + 1, end);
		}
		at = skip_value(at, end, depth + 1);
		if (at == NULL)
			return NULL;
		at = skip_space(at, end);
		if (at >= end)
			return NULL;
		if (*at == close)
			return at + 1;
		if (*at != ',')
			return NULL;
		at = skip_space(at + 1, end);
	}
}

static const char *
skip_word(const char *at, const char *end)
{
	static const char *const words[] = {"true", "false", "null"};
	const char *start = at;

	for (size_t i = 0; i < 3; i++) {
		size_t len = strlen(words[i]);

		if ((size_t)(end - at) >= len && memcmp(at, words[i], len) == 0)
			return at + len;
	}
	while (at < end && *at != '\0' && strchr("+-.eE0123456789", *at) != NULL)
		at++;
	return at == start ? NULL : at;
}

static const char *
skip_value(const char *at, const char *end, unsigned depth)
{
	if (at >= end || depth > DEPTH_MAX)
		return NULL;
	if (*at == '"')
		return skip_string(at, end);
	if (*at == '{' || *at == '[')
		return skip_container(at, end, depth);
	return skip_word(at, end);
}

bool
wire_json_valid(struct text value)
{
	const char *end = value.bytes + value.len;
	const char *at = skip_value(skip_space(value.bytes, end), end, 0);

	return at != NULL && skip_space(at, end) == end;
}

bool
wire_json_next(struct text object, size_t *offset, struct text *key, struct text *value)
{
	const char *end = object.bytes + object.len, *at = object.bytes + *offset, *after;

	if (*offset == 0) {
		at = skip_space(at, end);
		if (at >= end || *at++ != '{')
			return false;
	} else if (at >= end || *at++ != ',') {
		return false;
	}
	at = skip_space(at, end);
	after = skip_string(at, end);
	if (after == NULL)
		return false;
	*key = (struct text){at + 1, (size_t)(after - at - 2)};
	at = skip_space(after, end);
	if (at >= end || *at != ':')
		return false;
	at = skip_space(at + 1, end);
	after = skip_value(at, end, 1);
	if (after == NULL)
		return false;
	*value = (struct text){at, (size_t)(after - at)};
	*offset = (size_t)(skip_space(after, end) - object.bytes);
	return true;
}

bool
wire_json_member(struct text object, const char *key, struct text *value)
{
	struct text name, found;
	size_t offset = 0;

	while (wire_json_next(object, &offset, &name, &found))
		if (wire_equal(name, key)) {
			*value = found;
			return true;
		}
	return false;
}

bool
wire_json_step(struct text array, size_t *offset, struct text *value)
{
	const char *end = array.bytes + array.len, *at = array.bytes + *offset, *after;

	at = *offset == 0 ? skip_space(at, end) : at;
	if (at >= end || *at++ != (*offset == 0 ? '[' : ','))
		return false;
	at = skip_space(at, end);
	after = skip_value(at, end, 1);
	if (after == NULL)
		return false;
	*value = (struct text){at, (size_t)(after - at)};
	*offset = (size_t)(skip_space(after, end) - array.bytes);
	return true;
}

bool
wire_json_item(struct text array, size_t index, struct text *value)
{
	size_t offset = 0;

	while (wire_json_step(array, &offset, value))
		if (index-- == 0)
			return true;
	return false;
}

size_t
wire_json_count(struct text array)
{
	struct text value;
	size_t offset = 0, count = 0;

	while (wire_json_step(array, &offset, &value))
		count++;
	return count;
}

static long
hex4(const char *at, const char *end)
{
	char digits[5] = {0};
	char *stop;
	long n;

	if (end - at < 4)
		return -1;
	memcpy(digits, at, 4);
	n = strtol(digits, &stop, 16);
	return *stop == '\0' ? n : -1;
}

static size_t
put_utf8(char *out, long c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* Decodes one escape at `*at` (after the backslash); bytes written, 0 when it is none. */
static size_t
unescape(const char **at, const char *end, char *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *known = **at != '\0' ? strchr(from, **at) : NULL;
	long high, low;

	if (known != NULL) {
		(*at)++;
		*out = to[known - from];
		return 1;
	}
	if (**at != 'u' || (high = hex4(*at + 1, end)) < 0)
		return 0;
	*at += 5;
	if (high >= 0xd800 && high < 0xdc00) {
		if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u' ||
		    (low = hex4(*at + 2, end)) < 0xdc00 || low > 0xdfff)
			return 0;
		*at += 6;
		high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	}
	return put_utf8(out, high);
}

ssize_t
wire_json_text(struct text value, char *buffer, size_t cap)
{
	const char *at = value.bytes, *end = value.bytes + value.len;
	size_t len = 0;

	if (value.len < 2 || *at != '"' || end[-1] != '"')
		return -1;
	for (at++, end--; at < end;) {
		size_t n;

		if (cap - len < 5)
			return -1;
		if (*at != '\\') {
			buffer[len++] = *at++;
			continue;
		}
		at++;
		n = unescape(&at, end, buffer + len);
		if (n == 0)
			return -1;
		len += n;
	}
	buffer[len] = '\0';
	return (ssize_t)len;
}

double
wire_json_number(struct text value, double otherwise)
{
	char digits[40], *stop;
	double n;

	if (value.len == 0 || value.len >= sizeof digits)
		return otherwise;
	memcpy(digits, value.bytes, value.len);
	digits[value.len] = '\0';
	n = strtod(digits, &stop);
	return stop != digits && *stop == '\0' ? n : otherwise;
}

bool
wire_json_path(struct text object, const char *path, struct text *value)
{
	char key[64];
	struct text at = object;

	for (;;) {
		size_t len = strcspn(path, ".");

		if (len >= sizeof key)
			return false;
		memcpy(key, path, len);
		key[len] = '\0';
		if (key[0] >= '0' && key[0] <= '9') {
			if (!wire_json_item(at, strtoul(key, NULL, 10), &at))
				return false;
		} else if (!wire_json_member(at, key, &at)) {
			return false;
		}
		if (path[len] == '\0')
			break;
		path += len + 1;
	}
	*value = at;
	return true;
}

const char *
wire_json_string_at(struct text object, const char *path, char *buffer, size_t cap)
{
	struct text value;

	if (!wire_json_path(object, path, &value) || wire_json_text(value, buffer, cap) < 0)
		buffer[0] = '\0';
	return buffer;
}

uint64_t
wire_json_id_at(struct text object, const char *path)
{
	struct text value;

	if (!wire_json_path(object, path, &value) || value.len < 2)
		return 0;
	return wire_id((struct text){value.bytes + 1, value.len - 2});
}
