/*
 * http_media.c: media types. See http_media.h.
 */
#include "proto/http_media.h"

/* Splits "type/subtype; a=b; c=d" at the next ';' outside quotes. False at the end. */
static bool
parameter_next(struct slice *rest, struct slice *part)
{
	bool quoted = false;
	size_t len = 0;

	if (rest->len == 0)
		return false;
	while (len < rest->len && (quoted || rest->bytes[len] != ';')) {
		if (quoted && rest->bytes[len] == '\\' && len + 1 < rest->len)
			len++;
		else if (rest->bytes[len] == '"')
			quoted = !quoted;
		len++;
	}
	size_t taken = len < rest->len ? len + 1 : len;
	*part = http_trim(slice_of(rest->bytes, len));
	*rest = slice_of(rest->bytes + taken, rest->len - taken);
	return true;
}

/* "name=value" or `name="value"`; the quotes are cut, escapes in them are not undone. */
static bool
parameter_split(struct slice part, struct slice *name, struct slice *value)
{
	const char *equals = part.len != 0 ? memchr(part.bytes, '=', part.len) : NULL;

	if (equals == NULL)
		return false;
	*name = http_trim(slice_of(part.bytes, (size_t)(equals - part.bytes)));
	*value = http_trim(slice_of(equals + 1, part.len - (size_t)(equals - part.bytes) - 1));
	if (value->len >= 2 && value->bytes[0] == '"' && value->bytes[value->len - 1] == '"')
		*value = slice_of(value->bytes + 1, value->len - 2);
	return true;
}

static bool
is_utf8_name(struct slice charset)
{
	return http_equal_nocase(charset, SLICE_LITERAL("utf-8")) ||
	       http_equal_nocase(charset, SLICE_LITERAL("utf8")) ||
	       http_equal_nocase(charset, SLICE_LITERAL("us-ascii")); /* a part of UTF-8 */
}

static bool
ends_in(struct slice text, struct slice suffix)
{
	return text.len >= suffix.len &&
	       http_equal_nocase(slice_of(text.bytes + text.len - suffix.len, suffix.len), suffix);
}

static enum http_media
media_of_type(struct slice type, struct slice subtype)
{
	bool application = http_equal_nocase(type, SLICE_LITERAL("application"));

	if (!http_is_token(type) || !http_is_token(subtype))
		return HTTP_MEDIA_MALFORMED;
	if (ends_in(subtype, SLICE_LITERAL("+json")) ||
	    (application && http_equal_nocase(subtype, SLICE_LITERAL("json"))))
		return HTTP_MEDIA_JSON;
	if (http_equal_nocase(type, SLICE_LITERAL("text")))
		return HTTP_MEDIA_TEXT;
	if (http_equal_nocase(type, SLICE_LITERAL("multipart")))
		return HTTP_MEDIA_MULTIPART;
	if (application && http_equal_nocase(subtype, SLICE_LITERAL("x-www-form-urlencoded")))
		return HTTP_MEDIA_FORM;
	if (application && http_equal_nocase(subtype, SLICE_LITERAL("x-ndjson")))
		return HTTP_MEDIA_NDJSON;
	return HTTP_MEDIA_OTHER;
}

enum http_media
http_media_of(struct slice content_type)
{
	struct slice rest = http_trim(content_type);
	struct slice part, name, value;

	if (!parameter_next(&rest, &part))
		return HTTP_MEDIA_NONE;
	const char *slash = part.len != 0 ? memchr(part.bytes, '/', part.len) : NULL;
	if (slash == NULL)
		return HTTP_MEDIA_MALFORMED;
	size_t len = (size_t)(slash - part.bytes);
	enum http_media media =
	    media_of_type(slice_of(part.bytes, len), slice_of(slash + 1, part.len - len - 1));
	if (media == HTTP_MEDIA_MALFORMED || media == HTTP_MEDIA_OTHER ||
	    media == HTTP_MEDIA_MULTIPART)
		return media;
	while (parameter_next(&rest, &part))
		if (parameter_split(part, &name, &value) &&
		    http_equal_nocase(name, SLICE_LITERAL("charset")) && !is_utf8_name(value))
			return HTTP_MEDIA_BAD_CHARSET;
	return media;
}

/* A weight of "0", "0.", "0.0" and so on is a refusal (RFC 9110, 12.4.2). */
static bool
is_zero(struct slice weight)
{
	for (size_t i = 0; i < weight.len; i++)
		if (weight.bytes[i] != (i == 1 ? '.' : '0'))
			return false;
	return weight.len != 0;
}

bool
http_media_accepts(struct slice accept, struct slice type)
{
	struct slice element, part, name, value;

	while (http_list_next(&accept, &element)) {
		bool refused = false;

		if (!parameter_next(&element, &part) || !http_equal_nocase(part, type))
			continue;
		while (parameter_next(&element, &part))
			if (parameter_split(part, &name, &value) &&
			    http_equal_nocase(name, SLICE_LITERAL("q")))
				refused = is_zero(value);
		if (!refused)
			return true;
	}
	return false;
}

/* A weight in thousandths; one that is malformed is 0. */
static int
weight_of(struct slice text)
{
	int weight = 0, digit = 1000;

	if (text.len == 0 || text.len > 5 || text.bytes[0] < '0' || text.bytes[0] > '1' ||
	    (text.len > 1 && text.bytes[1] != '.'))
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		if (i == 1)
			continue;
		if (text.bytes[i] < '0' || text.bytes[i] > '9')
			return 0;
		weight += digit * (text.bytes[i] - '0');
		digit /= 10;
	}
	return weight <= 1000 ? weight : 0;
}

enum { UNNAMED = -1 };

/* One element of Accept-Encoding: its coding and weight. Of a coding that is named again the lower weight counts. */
static void
note_coding(struct slice element, int *gzip, int *identity, int *any)
{
	struct slice coding, part, name, value;
	int weight = 1000;
	int *noted = NULL;

	if (!parameter_next(&element, &coding))
		return;
	while (parameter_next(&element, &part))
		if (parameter_split(part, &name, &value) &&
		    http_equal_nocase(name, SLICE_LITERAL("q")))
			weight = weight_of(value);
	if (http_equal_nocase(coding, SLICE_LITERAL("gzip")) ||
	    http_equal_nocase(coding, SLICE_LITERAL("x-gzip")))
		noted = gzip;
	else if (http_equal_nocase(coding, SLICE_LITERAL("identity")))
		noted = identity;
	else if (slice_equal(coding, SLICE_LITERAL("*")))
		noted = any;
	if (noted != NULL && (*noted == UNNAMED || weight < *noted))
		*noted = weight;
}

bool
http_media_accepts_gzip(const struct http_request *request)
{
	struct http_request_list list = {0};
	struct slice element;
	int gzip = UNNAMED, identity = UNNAMED, any = UNNAMED;

	while (http_request_list_next(request, HTTP_ACCEPT_ENCODING, &list, &element))
		note_coding(element, &gzip, &identity, &any);
	if (gzip == UNNAMED)
		gzip = any;
	if (identity == UNNAMED)
		identity = any;
	return gzip > 0 && gzip >= identity;
}
