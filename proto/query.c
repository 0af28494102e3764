/*
 * query.c: parameters and percent-decoding. See query.h.
 */
#include "proto/query.h"

#include "proto/hex.h"

bool
query_next(struct slice *rest, struct slice *name, struct slice *value)
{
	while (rest->len != 0) {
		const char *end = memchr(rest->bytes, '&', rest->len);
		size_t len = end != NULL ? (size_t)(end - rest->bytes) : rest->len;
		size_t taken = end != NULL ? len + 1 : len;
		struct slice pair = slice_of(rest->bytes, len);

		*rest = slice_of(rest->bytes + taken, rest->len - taken);
		if (len == 0)
			continue;
		const char *equals = memchr(pair.bytes, '=', len);
		size_t name_len = equals != NULL ? (size_t)(equals - pair.bytes) : len;
		*name = slice_of(pair.bytes, name_len);
		*value = equals != NULL ? slice_of(equals + 1, len - name_len - 1)
					: slice_of(pair.bytes + len, 0);
		return true;
	}
	return false;
}

/* Takes one decoded byte off *raw: 0 to 255, or QUERY_BAD_ESCAPE. */
static int
take_byte(struct slice *raw, char plus)
{
	size_t taken = 1;
	int byte = (unsigned char)raw->bytes[0];

	if (byte == '+') {
		byte = (unsigned char)plus;
	} else if (byte == '%') {
		int high = raw->len >= 3 ? hex_value(raw->bytes[1]) : -1;
		int low = raw->len >= 3 ? hex_value(raw->bytes[2]) : -1;

		if (high < 0 || low < 0)
			return QUERY_BAD_ESCAPE;
		byte = high << 4 | low;
		taken = 3;
	}
	*raw = slice_of(raw->bytes + taken, raw->len - taken);
	return byte;
}

static ptrdiff_t
decode(struct slice raw, char *buffer, size_t cap, char plus)
{
	size_t len = 0;

	while (raw.len != 0) {
		int byte = take_byte(&raw, plus);

		if (byte < 0)
			return byte;
		if (len == cap)
			return QUERY_TOO_LONG;
		buffer[len++] = (char)byte;
	}
	return (ptrdiff_t)len;
}

ptrdiff_t
query_decode(struct slice raw, char *buffer, size_t cap)
{
	return decode(raw, buffer, cap, ' ');
}

ptrdiff_t
query_decode_path(struct slice raw, char *buffer, size_t cap)
{
	return decode(raw, buffer, cap, '+');
}

static bool
is_unreserved(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

bool
query_path_take(struct slice *raw, struct slice text)
{
	struct slice rest = *raw;

	for (size_t i = 0; i < text.len; i++) {
		const bool escaped = rest.len != 0 && rest.bytes[0] == '%';
		int byte;

		if (rest.len == 0)
			return false;
		/* What the text itself spells as an escape is compared as it stands. */
		if (escaped && text.bytes[i] != '%') {
			byte = take_byte(&rest, '+');
			if (!is_unreserved(byte))
				return false;
		} else {
			byte = (unsigned char)rest.bytes[0];
			rest = slice_of(rest.bytes + 1, rest.len - 1);
		}
		if (byte != (unsigned char)text.bytes[i])
			return false;
	}
	*raw = rest;
	return true;
}

bool
query_name_is(struct slice raw, const char *name)
{
	while (raw.len != 0 && *name != '\0')
		if (take_byte(&raw, ' ') != (unsigned char)*name++)
			return false;
	return raw.len == 0 && *name == '\0';
}

bool
query_find(struct slice *rest, const char *name, struct slice *value)
{
	struct slice found;

	while (query_next(rest, &found, value))
		if (query_name_is(found, name))
			return true;
	return false;
}

bool
query_last(struct slice query, const char *name, struct slice *value)
{
	struct slice found;
	bool any = false;

	while (query_find(&query, name, &found)) {
		*value = found;
		any = true;
	}
	return any;
}

/* A decimal number; one beyond the cap is the cap. */
static bool
decimal(struct slice text, uint64_t cap, uint64_t *number)
{
	uint64_t n = 0;

	if (text.len == 0)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.bytes[i] < '0' || text.bytes[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text.bytes[i] - '0');
		if (n > cap)
			n = cap;
	}
	*number = n;
	return true;
}

bool
query_u32(struct slice text, uint32_t max, uint32_t *number)
{
	uint64_t n;

	if (!decimal(text, (uint64_t)max + 1, &n) || n > max)
		return false;
	*number = (uint32_t)n;
	return true;
}

bool
query_u32_most(struct slice text, uint32_t max, uint32_t *number)
{
	uint64_t n;

	if (!decimal(text, max, &n))
		return false;
	*number = (uint32_t)n;
	return true;
}

void
query_redact(struct out *out, struct slice query)
{
	struct slice rest = query;
	struct slice value;

	if (query.len == 0)
		return;
	const char *copied = query.bytes;
	const char *end = query.bytes + query.len;
	while (query_find(&rest, "token", &value)) {
		if (value.len == 0)
			continue;
		out_bytes(out, copied, (size_t)(value.bytes - copied));
		out_char(out, '-');
		copied = value.bytes + value.len;
	}
	out_bytes(out, copied, (size_t)(end - copied));
}
