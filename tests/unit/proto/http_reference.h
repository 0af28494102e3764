/*
 * http_reference.h: HTTP/1.1 messages read a byte at a time, straight from the grammar of RFC 9110 and 9112 with what
 * proto/README.md decides beyond it: slow, obvious, and nothing shared with proto/http*. The whole input is there; the answer is
 * > 0 (so many bytes), 0 (it ends too early) or -1 (refused).
 */
#ifndef TESTS_UNIT_PROTO_HTTP_REFERENCE_H
#define TESTS_UNIT_PROTO_HTTP_REFERENCE_H

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>

#define HTTP_REFERENCE_FIELDS_MAX 100

/* Part of the input. */
struct http_reference_part {
	const char *bytes;
	size_t len;
};

struct http_reference_field {
	struct http_reference_part name, value;
};

struct http_reference {
	struct http_reference_part method, target, path, query, host;
	bool has_query, has_host, asterisk, slash; /* slash: the path is "/" though none was sent */
	int minor;
	struct http_reference_field fields[HTTP_REFERENCE_FIELDS_MAX];
	int field_count;
	bool chunked, has_length, keep_alive, expects, upgrades;
	uint64_t length;
};

/* "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA */
static inline bool
http_reference_is_tchar(unsigned char c)
{
	return c != 0 && c < 128 && (isalnum(c) || strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* VCHAR / obs-text, and SP / HTAB within */
static inline bool
http_reference_is_value(unsigned char c)
{
	return c == ' ' || c == '\t' || (c > 32 && c != 127);
}

static inline bool
http_reference_is(struct http_reference_part p, const char *text)
{
	return p.len == strlen(text) && strncasecmp(p.bytes, text, p.len) == 0;
}

static inline struct http_reference_part
http_reference_trim(struct http_reference_part p)
{
	while (p.len != 0 && (p.bytes[p.len - 1] == ' ' || p.bytes[p.len - 1] == '\t'))
		p.len--;
	for (; p.len != 0 && (*p.bytes == ' ' || *p.bytes == '\t'); p.len--)
		p.bytes++;
	return p;
}

/* uri-host [ ":" [ port ] ], where the host may be empty and holds no comma. */
static inline bool
http_reference_is_authority(struct http_reference_part p, bool empty_is_fine)
{
	size_t at = 0;
	unsigned long port = 0;
	size_t digits = 0;

	if (p.len != 0 && p.bytes[0] == '[') {
		char text[64];
		unsigned char address[16];

		while (at < p.len && p.bytes[at] != ']')
			at++;
		if (at == p.len || at - 1 >= sizeof text || memchr(p.bytes, 0, at) != NULL)
			return false;
		memcpy(text, p.bytes + 1, at - 1);
		text[at - 1] = '\0';
		if (inet_pton(AF_INET6, text, address) != 1)
			return false;
		at++;
	} else {
		for (; at < p.len && p.bytes[at] != ':'; at++) {
			const unsigned char c = (unsigned char)p.bytes[at];

			if (c == '%' && p.len - at > 2 &&
			    isxdigit((unsigned char)p.bytes[at + 1]) &&
			    isxdigit((unsigned char)p.bytes[at + 2]))
				continue;
			if (c == 0 || c > 127 ||
			    (!isalnum(c) && strchr("-._~!$&'()*+;=", c) == NULL))
				return false;
		}
		if (at == 0 && !empty_is_fine)
			return false;
	}
	if (at == p.len)
		return true;
	if (p.bytes[at++] != ':')
		return false;
	for (; at < p.len; at++, digits++) {
		if (p.bytes[at] < '0' || p.bytes[at] > '9')
			return false;
		port = port * 10 + (unsigned long)(p.bytes[at] - '0');
	}
	return digits <= 5 && port <= 65535;
}

/* Whether a list field has the element, over all its lines. A comma in a quoted string is none. */
static inline bool
http_reference_lists(const struct http_reference *r, const char *name, const char *element)
{
	for (int i = 0; i < r->field_count; i++) {
		const struct http_reference_part v = r->fields[i].value;
		size_t start = 0;
		bool quoted = false;

		if (!http_reference_is(r->fields[i].name, name))
			continue;
		for (size_t at = 0; at <= v.len; at++) {
			if (at < v.len && quoted && v.bytes[at] == '\\' && at + 1 < v.len) {
				at++;
				continue;
			}
			if (at < v.len && v.bytes[at] == '"')
				quoted = !quoted;
			if (at < v.len && (v.bytes[at] != ',' || quoted))
				continue;
			if (http_reference_is(http_reference_trim((struct http_reference_part){
						  v.bytes + start, at - start}),
				element))
				return true;
			start = at + 1;
		}
	}
	return false;
}

/* request-target: origin-form, absolute-form, or asterisk-form of OPTIONS. */
static inline bool
http_reference_target(struct http_reference *r)
{
	struct http_reference_part t = r->target;

	if (http_reference_is(t, "*")) {
		r->asterisk = true;
		return http_reference_is(r->method, "OPTIONS") &&
		       memcmp(r->method.bytes, "OPTIONS", 7) == 0;
	}
	if (t.bytes[0] != '/') {
		const size_t scheme = t.len >= 7 && strncasecmp(t.bytes, "http://", 7) == 0    ? 7
				      : t.len >= 8 && strncasecmp(t.bytes, "https://", 8) == 0 ? 8
											       : 0;
		size_t at = scheme;

		if (scheme == 0)
			return false;
		while (at < t.len && t.bytes[at] != '/' && t.bytes[at] != '?')
			at++;
		r->host = (struct http_reference_part){t.bytes + scheme, at - scheme};
		r->has_host = true;
		if (!http_reference_is_authority(r->host, false))
			return false;
		t = (struct http_reference_part){t.bytes + at, t.len - at};
	}
	r->path = t;
	for (size_t i = 0; i < t.len && !r->has_query; i++) {
		if (t.bytes[i] != '?')
			continue;
		r->path.len = i;
		r->query = (struct http_reference_part){t.bytes + i + 1, t.len - i - 1};
		r->has_query = true;
	}
	r->asterisk = r->path.len == 0 && !r->has_query && r->method.len == 7 &&
		      memcmp(r->method.bytes, "OPTIONS", 7) == 0;
	r->slash = r->path.len == 0 && !r->asterisk;
	return true;
}

static inline int
http_reference_count(
    const struct http_reference *r, const char *name, struct http_reference_part *value)
{
	int n = 0;

	for (int i = r->field_count - 1; i >= 0; i--) {
		if (!http_reference_is(r->fields[i].name, name))
			continue;
		*value = r->fields[i].value;
		n++;
	}
	return n;
}

/* What the fields say together. */
static inline bool
http_reference_meaning(struct http_reference *r)
{
	static const char *const single[] = {"Access-Control-Request-Method", "Authorization",
	    "Content-Type", "Idempotency-Key", "Origin", "Sec-Fetch-Site", "Sec-WebSocket-Key",
	    "Sec-WebSocket-Version", "Host", "Content-Length", "Transfer-Encoding"};
	struct http_reference_part value;
	int n;

	for (size_t i = 0; i < sizeof single / sizeof single[0]; i++)
		if (http_reference_count(r, single[i], &value) > 1)
			return false;
	n = http_reference_count(r, "Host", &value);
	if ((n == 0 && r->minor == 1) || (n == 1 && !http_reference_is_authority(value, true)))
		return false;
	if (n == 1 && !r->has_host) {
		r->host = value;
		r->has_host = true;
	}
	if (http_reference_count(r, "Content-Length", &value) == 1) {
		r->has_length = true;
		if (value.len == 0 || value.len > 19 || (value.len > 1 && value.bytes[0] == '0'))
			return false;
		for (size_t i = 0; i < value.len; i++) {
			if (value.bytes[i] < '0' || value.bytes[i] > '9')
				return false;
			r->length = r->length * 10 + (uint64_t)(value.bytes[i] - '0');
		}
		if (r->length > INT64_MAX)
			return false;
	}
	if (http_reference_count(r, "Transfer-Encoding", &value) == 1) {
		if (r->has_length || r->minor == 0 || !http_reference_is(value, "chunked"))
			return false;
		r->chunked = true;
	}
	r->keep_alive = r->minor == 1 && !http_reference_lists(r, "Connection", "close");
	r->expects = r->minor == 1 && http_reference_lists(r, "Expect", "100-continue");
	r->upgrades = r->minor == 1 && r->method.len == 3 &&
		      memcmp(r->method.bytes, "GET", 3) == 0 &&
		      http_reference_lists(r, "Connection", "upgrade") &&
		      http_reference_lists(r, "Upgrade", "websocket");
	return true;
}

#define HTTP_REFERENCE_NEED(condition) /* of the byte at hand */ \
	do {                                                     \
		if (at == len)                                   \
			return 0;                                \
		if (!(condition))                                \
			return -1;                               \
	} while (0)

/* request-line = method SP request-target SP HTTP-version CRLF; *at moves behind it. */
static inline int
http_reference_line(struct http_reference *r, const char *b, size_t len, size_t *begin)
{
	static const char version[] = " HTTP/";
	size_t at = *begin, start = at;

	while (at < len && http_reference_is_tchar((unsigned char)b[at]))
		at++;
	HTTP_REFERENCE_NEED(b[at] == ' ' && at != start);
	r->method = (struct http_reference_part){b + start, at - start};
	start = ++at;
	while (at < len && b[at] != ' ' && b[at] != '\t' && b[at] != '#' &&
	       http_reference_is_value((unsigned char)b[at]))
		at++;
	HTTP_REFERENCE_NEED(b[at] == ' ' && at != start);
	r->target = (struct http_reference_part){b + start, at - start};
	for (size_t i = 0; i < sizeof version - 1; i++, at++)
		HTTP_REFERENCE_NEED(b[at] == version[i]);
	HTTP_REFERENCE_NEED(isdigit((unsigned char)b[at]));
	at++;
	HTTP_REFERENCE_NEED(b[at] == '.');
	at++;
	HTTP_REFERENCE_NEED(isdigit((unsigned char)b[at]));
	/* HTTP/1.0 or HTTP/1.1, of all that the grammar allows. */
	if (b[at - 2] != '1' || b[at] > '1')
		return -1;
	r->minor = b[at++] - '0';
	HTTP_REFERENCE_NEED(b[at] == '\r');
	at++;
	HTTP_REFERENCE_NEED(b[at] == '\n');
	*begin = at + 1;
	return 1;
}

/* *( field-name ":" OWS field-value OWS CRLF ) CRLF */
static inline int
http_reference_fields(struct http_reference *r, const char *b, size_t len, size_t *begin)
{
	for (size_t at = *begin;;) {
		struct http_reference_field field;
		size_t start = at;

		if (at < len && b[at] == '\r') {
			at++;
			HTTP_REFERENCE_NEED(b[at] == '\n');
			*begin = at + 1;
			return 1;
		}
		while (at < len && http_reference_is_tchar((unsigned char)b[at]))
			at++;
		HTTP_REFERENCE_NEED(b[at] == ':' && at != start);
		field.name = (struct http_reference_part){b + start, at - start};
		start = ++at;
		while (at < len && http_reference_is_value((unsigned char)b[at]))
			at++;
		HTTP_REFERENCE_NEED(b[at] == '\r');
		field.value =
		    http_reference_trim((struct http_reference_part){b + start, at - start});
		at++;
		HTTP_REFERENCE_NEED(b[at] == '\n');
		at++;
		if (r->field_count == HTTP_REFERENCE_FIELDS_MAX)
			return -1;
		r->fields[r->field_count++] = field;
	}
}

/* A request's head. */
static inline ssize_t
http_reference_request(struct http_reference *r, const char *b, size_t len)
{
	size_t at = 0;
	int result;

	memset(r, 0, sizeof *r);
	while (at < len && b[at] == '\r') {
		at++;
		HTTP_REFERENCE_NEED(b[at] == '\n');
		at++;
	}
	if (at == len)
		return 0;
	if ((result = http_reference_line(r, b, len, &at)) <= 0 ||
	    (result = http_reference_fields(r, b, len, &at)) <= 0)
		return result;
	return http_reference_target(r) && http_reference_meaning(r) ? (ssize_t)at : -1;
}

/*
 * A chunked body (RFC 9112, 7.1): its data into `to`, which has room for len bytes. line_max: bytes of a chunk's line with
 * its CR; total_max: of all data. What was decoded before the end or the fault is in *data_len.
 */
static inline ssize_t
http_reference_chunked(
    const char *b, size_t len, size_t line_max, uint64_t total_max, char *to, size_t *data_len)
{
	size_t at = 0;

	*data_len = 0;
	for (;;) {
		const size_t start = at;
		uint64_t size = 0;

		for (; at < len && isxdigit((unsigned char)b[at]); at++) {
			if (at - start == 16 || at - start >= line_max)
				return -1;
			size = size * 16 + (uint64_t)(isdigit((unsigned char)b[at])
							  ? b[at] - '0'
							  : tolower(b[at]) - 'a' + 10);
		}
		HTTP_REFERENCE_NEED(at != start && at - start < line_max);
		if (b[at] != '\r') {
			/* BWS, and then chunk-ext, of which only the characters matter. */
			while (at < len && at - start < line_max && (b[at] == ' ' || b[at] == '\t'))
				at++;
			HTTP_REFERENCE_NEED(b[at] == ';' && at - start < line_max);
			while (at < len && at - start < line_max &&
			       http_reference_is_value((unsigned char)b[at]))
				at++;
			HTTP_REFERENCE_NEED(b[at] == '\r' && at - start < line_max);
		}
		at++;
		HTTP_REFERENCE_NEED(b[at] == '\n' && size <= total_max - *data_len);
		at++;
		if (size == 0)
			break;
		for (; size != 0 && at < len; size--)
			to[(*data_len)++] = b[at++];
		HTTP_REFERENCE_NEED(b[at] == '\r');
		at++;
		HTTP_REFERENCE_NEED(b[at] == '\n');
		at++;
	}
	/* The trailers: lines as in a head, empty names refused. */
	for (;;) {
		const size_t start = at;

		if (at < len && b[at] == '\r') {
			at++;
			HTTP_REFERENCE_NEED(b[at] == '\n');
			return (ssize_t)at + 1;
		}
		while (at < len && http_reference_is_tchar((unsigned char)b[at]))
			at++;
		HTTP_REFERENCE_NEED(b[at] == ':' && at != start);
		at++;
		while (at < len && http_reference_is_value((unsigned char)b[at]))
			at++;
		HTTP_REFERENCE_NEED(b[at] == '\r');
		at++;
		HTTP_REFERENCE_NEED(b[at] == '\n');
		at++;
	}
}

#endif
