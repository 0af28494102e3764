/*
 * http.c: character classes, fields and lists of HTTP/1. See http.h.
 *
 * http_field_next trusts its input: it walks only over what http_head.c has accepted.
 */
#include "proto/http.h"

#include <assert.h>

#include "proto/address.h"
#include "proto/hex.h"

enum {
	TOKEN = 1, /* RFC 9110, 5.6.2 */
	VALUE = 2, /* RFC 9110, 5.5: and the space and tab inside a value */
	HOST = 4,  /* reg-name of RFC 3986, 3.2.2, without the comma, which joins two Host lines */
	ANY = TOKEN | VALUE | HOST,
};

static const uint8_t classes[256] = {
    ['\t'] = VALUE,
    [' '] = VALUE,
    ['!'] = ANY,
    ['"'] = VALUE,
    ['#'] = TOKEN | VALUE,
    ['$' ... '\''] = ANY, /* $ % & ' */
    ['('] = VALUE | HOST,
    [')'] = VALUE | HOST,
    ['*'] = ANY,
    ['+'] = ANY,
    [','] = VALUE,
    ['-'] = ANY,
    ['.'] = ANY,
    ['/'] = VALUE,
    ['0' ... '9'] = ANY,
    [':'] = VALUE,
    [';'] = VALUE | HOST,
    ['<'] = VALUE,
    ['='] = VALUE | HOST,
    ['>' ... '@'] = VALUE,
    ['A' ... 'Z'] = ANY,
    ['[' ... ']'] = VALUE,
    ['^'] = TOKEN | VALUE,
    ['_'] = ANY,
    ['`'] = TOKEN | VALUE,
    ['a' ... 'z'] = ANY,
    ['{'] = VALUE,
    ['|'] = TOKEN | VALUE,
    ['}'] = VALUE,
    ['~'] = ANY,
    [0x80 ... 0xff] = VALUE,
};

bool
http_is_token_char(char c)
{
	return (classes[(unsigned char)c] & TOKEN) != 0;
}

bool
http_is_value_char(char c)
{
	return (classes[(unsigned char)c] & VALUE) != 0;
}

const char *
http_skip_token(const char *at, const char *end)
{
	while (at != end && (classes[(unsigned char)*at] & TOKEN) != 0)
		at++;
	return at;
}

const char *
http_skip_value(const char *at, const char *end)
{
	while (at != end && (classes[(unsigned char)*at] & VALUE) != 0)
		at++;
	return at;
}

bool
http_is_token(struct slice text)
{
	return text.len != 0 &&
	       http_skip_token(text.bytes, text.bytes + text.len) == text.bytes + text.len;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool
http_equal_nocase(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (lower(a.bytes[i]) != lower(b.bytes[i]))
			return false;
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct slice
http_trim(struct slice text)
{
	while (text.len != 0 && is_blank(text.bytes[text.len - 1]))
		text.len--;
	while (text.len != 0 && is_blank(text.bytes[0])) {
		text.bytes++;
		text.len--;
	}
	return text;
}

bool
http_field_next(struct slice *rest, struct http_field *field)
{
	if (rest->len == 0)
		return false;

	const char *end = rest->bytes + rest->len;
	const char *colon = memchr(rest->bytes, ':', rest->len);
	assert(colon != NULL);
	const char *value = colon + 1;
	const char *line_end = memchr(value, '\r', (size_t)(end - value));
	assert(line_end != NULL && end - line_end >= 2);

	field->name = slice_of(rest->bytes, (size_t)(colon - rest->bytes));
	field->value = http_trim(slice_of(value, (size_t)(line_end - value)));
	*rest = slice_of(line_end + 2, (size_t)(end - line_end - 2));
	return true;
}

/* The offset of the comma that ends the first element, or of the end. */
static size_t
element_len(struct slice list)
{
	bool quoted = false;

	for (size_t i = 0; i < list.len; i++) {
		char c = list.bytes[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == ',' && !quoted)
			return i;
	}
	return list.len;
}

bool
http_list_next(struct slice *rest, struct slice *element)
{
	while (rest->len != 0) {
		size_t len = element_len(*rest);
		size_t taken = len < rest->len ? len + 1 : len;

		*element = http_trim(slice_of(rest->bytes, len));
		*rest = slice_of(rest->bytes + taken, rest->len - taken);
		if (element->len != 0)
			return true;
	}
	return false;
}

bool
http_list_has(struct slice list, struct slice token)
{
	struct slice element;

	while (http_list_next(&list, &element))
		if (http_equal_nocase(element, token))
			return true;
	return false;
}

bool
http_decimal(struct slice text, uint64_t *number)
{
	uint64_t n = 0;

	if (text.len == 0 || text.len > 19 || (text.len > 1 && text.bytes[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.bytes[i] < '0' || text.bytes[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text.bytes[i] - '0'); /* 19 digits fit 64 bits */
	}
	if (n > INT64_MAX)
		return false;
	*number = n;
	return true;
}

static bool
is_reg_name(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((classes[(unsigned char)text.bytes[i]] & HOST) == 0)
			return false;
		if (text.bytes[i] == '%' && (text.len - i < 3 || hex_value(text.bytes[i + 1]) < 0 ||
						hex_value(text.bytes[i + 2]) < 0))
			return false;
	}
	return true;
}

/* ":port", ":" or nothing. Ports above 65535 are refused. */
static bool
read_port(struct slice text, int *port)
{
	int n = 0;

	*port = -1;
	if (text.len == 0)
		return true;
	if (text.bytes[0] != ':' || text.len > 6)
		return false;
	for (size_t i = 1; i < text.len; i++) {
		if (text.bytes[i] < '0' || text.bytes[i] > '9')
			return false;
		n = n * 10 + (text.bytes[i] - '0');
	}
	if (n > 65535)
		return false;
	if (text.len > 1)
		*port = n;
	return true;
}

bool
http_host_split(struct slice authority, struct slice *host, int *port)
{
	char ends = authority.len != 0 && authority.bytes[0] == '[' ? ']' : ':';
	const char *end = authority.len != 0 ? memchr(authority.bytes, ends, authority.len) : NULL;
	size_t len = end != NULL ? (size_t)(end - authority.bytes) : authority.len;

	if (ends == ']') {
		struct slice inner = slice_of(authority.bytes + 1, len - 1);
		struct address address;

		if (end == NULL || memchr(inner.bytes, ':', inner.len) == NULL ||
		    !address_parse(&address, inner))
			return false;
		len++;
	} else if (!is_reg_name(slice_of(authority.bytes, len))) {
		return false;
	}
	*host = slice_of(authority.bytes, len);
	if (len == authority.len) {
		*port = -1;
		return true;
	}
	return read_port(slice_of(authority.bytes + len, authority.len - len), port);
}
