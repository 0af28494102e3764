/*
 * address_fuzz.c: addresses as the C library reads and writes them, ranges bit by bit, and X-Forwarded-For walked from the
 * right by a loop that says what it does.
 *
 * Input: a text; for the fields of proxies, a prefix (1), then lines.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/http_forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())
#define TEXT_BYTES_MAX 512

/* What inet_pton says. */
static bool
parse(struct slice text, struct address *address)
{
	char copy[64];
	uint8_t four[4];

	if (text.len >= sizeof copy || (text.len != 0 && memchr(text.bytes, 0, text.len) != NULL))
		return false;
	memcpy(copy, text.bytes, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, four) == 1) {
		memset(address->bytes, 0, 10);
		memset(address->bytes + 10, 255, 2);
		memcpy(address->bytes + 12, four, 4);
		return true;
	}
	return inet_pton(AF_INET6, copy, address->bytes) == 1;
}

static void
check_address(struct slice text)
{
	struct address a, b;
	char expected[INET6_ADDRSTRLEN], room[64];
	struct out o = out_to(room, sizeof room);

	CHECK(address_parse(&a, text) == parse(text, &b));
	if (!parse(text, &b))
		return;
	CHECK(address_equal(&a, &b));
	address_format(&o, &a);
	CHECK(!out_cut(&o));
	CHECK(address_parse(&b, slice_of(o.bytes, o.len)) && address_equal(&a, &b));
	if (address_is_ipv4(&a))
		inet_ntop(AF_INET, a.bytes + 12, expected, sizeof expected);
	else
		inet_ntop(AF_INET6, a.bytes, expected, sizeof expected);
	/* The C library writes ::a.b.c.d for what RFC 5952 leaves in hexadecimal. */
	if (strchr(expected, '.') == NULL || address_is_ipv4(&a))
		CHECK(slice_equal(slice_of(o.bytes, o.len), slice_text(expected)));
}

static bool
in(const struct address *a, const struct address_range *range)
{
	for (unsigned bit = 0; bit < range->prefix; bit++)
		if (((a->bytes[bit / 8] ^ range->address.bytes[bit / 8]) >> (7 - bit % 8) & 1) != 0)
			return false;
	return true;
}

static void
check_range(struct slice text)
{
	const char *slash = text.len == 0 ? NULL : memchr(text.bytes, '/', text.len);
	struct address_range range;
	struct address a;

	if (!address_range_parse(&range, text))
		return;
	CHECK(range.prefix <= 128);
	CHECK(parse(
	    slice_of(text.bytes, slash == NULL ? text.len : (size_t)(slash - text.bytes)), &a));
	CHECK(slash != NULL || range.prefix == 128);
	CHECK(in(&a, &range) && address_in(&a, &range) && address_in_any(&a, &range, 1));
	for (unsigned bit = range.prefix; bit < 128; bit++)
		CHECK((range.address.bytes[bit / 8] >> (7 - bit % 8) & 1) == 0);
	for (unsigned bit = 0; bit < 128; bit++) {
		struct address other = a;

		other.bytes[bit / 8] ^= (uint8_t)(128 >> bit % 8);
		CHECK(address_in(&other, &range) == in(&other, &range));
	}
}

/* An element of X-Forwarded-For: an address, or one with a port. */
static bool
parse_element(struct slice e, struct address *a)
{
	const char *end = e.len != 0 && e.bytes[0] == '[' ? memchr(e.bytes, ']', e.len) : NULL;
	const char *colon = e.len == 0 ? NULL : memchr(e.bytes, ':', e.len);
	struct slice host = e, port;
	unsigned number = 0;

	if (end != NULL) {
		host = slice_of(e.bytes + 1, (size_t)(end - e.bytes) - 1);
		port = slice_of(end + 1, e.len - host.len - 2);
		/* What stands in brackets is IPv6. */
		if (memchr(host.bytes, ':', host.len) == NULL || !parse(host, a))
			return false;
	} else if (parse(e, a)) {
		return true;
	} else if (colon != NULL) {
		host.len = (size_t)(colon - e.bytes);
		port = slice_of(colon, e.len - host.len);
		if (!parse(host, a))
			return false;
	} else {
		return false;
	}
	if (port.len != 0 && (port.bytes[0] != ':' || port.len > 6))
		return false;
	for (size_t i = 1; i < port.len; i++) {
		if (port.bytes[i] < '0' || port.bytes[i] > '9')
			return false;
		number = number * 10 + (unsigned)(port.bytes[i] - '0');
	}
	return number <= 65535;
}

/* What http_forwarded_client finds is an address that somebody wrote, and that no trusted one stands left of wrongly. */
static void
check_forwarded(const uint8_t *data, size_t size)
{
	char head[2 * TEXT_BYTES_MAX];
	struct http_request request;
	struct slice rest, elements[TEXT_BYTES_MAX];
	struct address_range trusted;
	struct address client, a;
	const struct http_request_options options = {
	    .head_bytes_max = sizeof head, .any_host = true};
	size_t count = 0;
	int len;
	bool found;

	trusted = (struct address_range){.prefix = (uint8_t)(data[0] % 129)};
	for (unsigned bit = 80; bit < 96 && bit < trusted.prefix; bit++)
		trusted.address.bytes[bit / 8] |= (uint8_t)(128 >> bit % 8);
	len = snprintf(head, sizeof head, "GET / HTTP/1.1\r\nX-Forwarded-For: ");
	memcpy(head + len, data + 1, size - 1);
	len += (int)size - 1;
	memcpy(head + len, "\r\n\r\n", 4);
	if (http_request_parse(&request, slice_of(head, (size_t)len + 4), 0, &options) <= 0)
		return;
	/* No quoted strings here: every comma separates. */
	for (rest = request.known[HTTP_X_FORWARDED_FOR]; rest.len != 0;) {
		const char *comma = memchr(rest.bytes, ',', rest.len);
		const size_t n = comma == NULL ? rest.len : (size_t)(comma - rest.bytes);

		elements[count] = http_trim(slice_of(rest.bytes, n));
		count += elements[count].len != 0;
		rest = slice_of(rest.bytes + n + (comma != NULL), rest.len - n - (comma != NULL));
	}
	found = http_forwarded_client(&request, &trusted, 1, &client);
	(void)http_forwarded_scheme(&request);
	for (size_t i = count; i != 0; i--) {
		if (!parse_element(elements[i - 1], &a)) {
			/* The one right of it counts, if there was one. */
			CHECK(i == count ? !found : found);
			if (i != count && parse_element(elements[i], &a))
				CHECK(address_equal(&a, &client));
			return;
		}
		if (!in(&a, &trusted) || i == 1) {
			CHECK(found && address_equal(&a, &client));
			return;
		}
	}
	CHECK(!found);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct slice text = slice_of((const char *)data, size);

	if (size == 0 || size > TEXT_BYTES_MAX)
		return 0;
	check_address(text);
	check_range(text);
	check_forwarded(data, size);
	return 0;
}
