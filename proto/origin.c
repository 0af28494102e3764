/*
 * origin.c: the Origin rules. See origin.h.
 */
#include "proto/origin.h"

#include "proto/address.h"

/* An origin in parts. Ports are filled in from the scheme where that has a default; else -1. */
struct parts {
	struct slice scheme;
	struct slice host;
	int port;
};

static int
default_port(enum http_scheme scheme)
{
	switch (scheme) {
	case HTTP_SCHEME_HTTP:
		return 80;
	case HTTP_SCHEME_HTTPS:
		return 443;
	case HTTP_SCHEME_UNKNOWN:
		break;
	}
	return -1;
}

static enum http_scheme
scheme_of(struct slice name)
{
	if (http_equal_nocase(name, SLICE_LITERAL("http")))
		return HTTP_SCHEME_HTTP;
	if (http_equal_nocase(name, SLICE_LITERAL("https")))
		return HTTP_SCHEME_HTTPS;
	return HTTP_SCHEME_UNKNOWN;
}

/* RFC 3986, 3.1. */
static bool
is_scheme(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.bytes[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		bool other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';

		if (!letter && (i == 0 || !other))
			return false;
	}
	return text.len != 0;
}

static bool
split(struct slice origin, struct parts *parts)
{
	const char *mark = origin.len != 0 ? memmem(origin.bytes, origin.len, "://", 3) : NULL;

	if (mark == NULL)
		return false;
	size_t len = (size_t)(mark - origin.bytes);
	parts->scheme = slice_of(origin.bytes, len);
	if (!is_scheme(parts->scheme) ||
	    !http_host_split(slice_of(mark + 3, origin.len - len - 3), &parts->host, &parts->port))
		return false;

	/* Host may end in an empty port; an origin is never written so (RFC 6454, 6.2). */
	if (origin.bytes[origin.len - 1] == ':')
		return false;

	enum http_scheme scheme = scheme_of(parts->scheme);
	if (scheme != HTTP_SCHEME_UNKNOWN && parts->host.len == 0)
		return false;
	if (parts->port == -1)
		parts->port = default_port(scheme);
	return true;
}

/* The address between the brackets of an IPv6 literal, or in dotted form. */
static bool
literal_address(struct slice host, struct address *address)
{
	if (host.len >= 2 && host.bytes[0] == '[')
		host = slice_of(host.bytes + 1, host.len - 2);
	return address_parse(address, host);
}

/* Names are equal without regard to case, addresses however they are written. */
static bool
same_host(struct slice a, struct slice b)
{
	struct address left, right;

	if (http_equal_nocase(a, b))
		return true;
	return literal_address(a, &left) && literal_address(b, &right) &&
	       address_equal(&left, &right);
}

static bool
is_null(struct slice origin)
{
	return slice_equal(origin, SLICE_LITERAL("null"));
}

bool
origin_is_valid(struct slice text)
{
	struct parts parts;

	return is_null(text) || split(text, &parts);
}

bool
origin_is_loopback(struct slice host)
{
	const struct slice name = SLICE_LITERAL("localhost");
	struct address address;

	if (literal_address(host, &address))
		return address_is_loopback(&address);
	if (host.len < name.len)
		return false;

	size_t before = host.len - name.len;
	return http_equal_nocase(slice_of(host.bytes + before, name.len), name) &&
	       (before == 0 || (before > 1 && host.bytes[before - 1] == '.'));
}

static bool
is_listed(const struct origin_rules *rules, struct slice origin)
{
	struct parts want, have;
	bool null = is_null(origin);

	if (!null && !split(origin, &have))
		return false;
	for (size_t i = 0; i < rules->listed_count; i++) {
		if (null && is_null(rules->listed[i]))
			return true;
		if (!null && split(rules->listed[i], &want) && want.port == have.port &&
		    http_equal_nocase(want.scheme, have.scheme) && same_host(want.host, have.host))
			return true;
	}
	return false;
}

/* The page's host and port are the ones that the request was sent to. */
static bool
is_same(const struct parts *page, const struct origin_request *request)
{
	enum http_scheme scheme = scheme_of(page->scheme);
	struct slice host;
	int port;

	if (scheme == HTTP_SCHEME_UNKNOWN || !http_host_split(request->host, &host, &port))
		return false;
	if (request->scheme != HTTP_SCHEME_UNKNOWN && request->scheme != scheme)
		return false;
	/*
	 * Where the scheme is not known, a Host without port is on the default port of the page's.
	 */
	if (port == -1)
		port = default_port(scheme);
	return port == page->port && same_host(host, page->host);
}

static bool
is_loopback_pair(const struct parts *page, const struct origin_request *request)
{
	struct slice host;
	int port;

	return scheme_of(page->scheme) != HTTP_SCHEME_UNKNOWN && origin_is_loopback(page->host) &&
	       http_host_split(request->host, &host, &port) && origin_is_loopback(host);
}

enum origin_verdict
origin_check(const struct origin_rules *rules, const struct origin_request *request)
{
	struct parts page;

	if (request->origin.bytes == NULL)
		return ORIGIN_ABSENT;
	if (is_listed(rules, request->origin))
		return is_null(request->origin) ? ORIGIN_NULL : ORIGIN_LISTED;
	if (!split(request->origin, &page)) /* "null", and what is none */
		return ORIGIN_FORBIDDEN;
	if (http_equal_nocase(request->sec_fetch_site, SLICE_LITERAL("same-origin")) ||
	    is_same(&page, request))
		return ORIGIN_SAME;
	if (is_loopback_pair(&page, request))
		return ORIGIN_LOOPBACK;
	return rules->any ? ORIGIN_ANY : ORIGIN_FORBIDDEN;
}

struct slice
origin_allow(enum origin_verdict verdict, struct slice origin)
{
	switch (verdict) {
	case ORIGIN_LISTED:
	case ORIGIN_NULL:
	case ORIGIN_SAME:
	case ORIGIN_LOOPBACK:
		return origin;
	case ORIGIN_ANY:
		return SLICE_LITERAL("*");
	case ORIGIN_ABSENT:
	case ORIGIN_FORBIDDEN:
		break;
	}
	return slice_of(NULL, 0);
}
