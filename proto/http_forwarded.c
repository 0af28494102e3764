/*
 * http_forwarded.c: the client behind trusted proxies. See http_forwarded.h.
 *
 * "From right to left" is computed from left to right, so that lists over several lines need no
 * array: after each element `client` is what the walk from here would have answered.
 */
#include "proto/http_forwarded.h"

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]" or "[2001:db8::1]:80". */
static bool
read_element(struct slice element, struct address *address)
{
	struct slice host;
	int port;

	if (address_parse(address, element))
		return true;
	if (!http_host_split(element, &host, &port))
		return false;
	if (host.len >= 2 && host.bytes[0] == '[')
		host = slice_of(host.bytes + 1, host.len - 2);
	return address_parse(address, host);
}

/*
 * This list knows no quoted strings: else a client could open one, and hide in it what the proxy
 * appends.
 */
static bool
comma_next(struct slice *rest, struct slice *element)
{
	if (rest->len == 0)
		return false;

	const char *comma = memchr(rest->bytes, ',', rest->len);
	size_t len = comma != NULL ? (size_t)(comma - rest->bytes) : rest->len;
	size_t taken = comma != NULL ? len + 1 : len;
	*element = http_trim(slice_of(rest->bytes, len));
	*rest = slice_of(rest->bytes + taken, rest->len - taken);
	return true;
}

bool
http_forwarded_client(const struct http_request *request, const struct address_range *trusted,
    size_t count, struct address *client)
{
	struct http_request_list list = {0};
	struct slice quoted, element;
	struct address address;
	bool any = false;

	while (http_request_list_next(request, HTTP_X_FORWARDED_FOR, &list, &quoted)) {
		while (comma_next(&quoted, &element)) {
			if (element.len == 0)
				continue;
			if (!read_element(element, &address)) {
				any = false;
			} else if (!any || !address_in_any(&address, trusted, count)) {
				*client = address;
				any = true;
			}
		}
	}
	return any;
}

/* Some proxies name the scheme of a WebSocket by its own word. */
static enum http_scheme
scheme_of(struct slice name)
{
	if (http_equal_nocase(name, SLICE_LITERAL("https")) ||
	    http_equal_nocase(name, SLICE_LITERAL("wss")))
		return HTTP_SCHEME_HTTPS;
	if (http_equal_nocase(name, SLICE_LITERAL("http")) ||
	    http_equal_nocase(name, SLICE_LITERAL("ws")))
		return HTTP_SCHEME_HTTP;
	return HTTP_SCHEME_UNKNOWN;
}

enum http_scheme
http_forwarded_scheme(const struct http_request *request)
{
	struct http_request_list list = {0};
	enum http_scheme scheme = HTTP_SCHEME_UNKNOWN;
	struct slice element;

	while (http_request_list_next(request, HTTP_X_FORWARDED_PROTO, &list, &element)) {
		enum http_scheme named = scheme_of(element);

		if (named == HTTP_SCHEME_UNKNOWN ||
		    (scheme != HTTP_SCHEME_UNKNOWN && scheme != named))
			return HTTP_SCHEME_UNKNOWN;
		scheme = named;
	}
	return scheme;
}
