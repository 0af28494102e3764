/*
 * address.c: reading, writing and matching IP addresses. See address.h.
 */
#include "proto/address.h"

#include "proto/hex.h"

enum { GROUPS = 8 }; /* an IPv6 address is eight groups of sixteen bits */

static const uint8_t ipv4_prefix[12] = {[10] = 0xff, [11] = 0xff};

struct address
address_of_ipv4(const uint8_t bytes[4])
{
	struct address address;

	memcpy(address.bytes, ipv4_prefix, sizeof ipv4_prefix);
	memcpy(address.bytes + sizeof ipv4_prefix, bytes, 4);
	return address;
}

struct address
address_of_ipv6(const uint8_t bytes[16])
{
	struct address address;

	memcpy(address.bytes, bytes, sizeof address.bytes);
	return address;
}

bool
address_is_ipv4(const struct address *address)
{
	return memcmp(address->bytes, ipv4_prefix, sizeof ipv4_prefix) == 0;
}

bool
address_is_loopback(const struct address *address)
{
	static const uint8_t one[16] = {[15] = 1};

	if (address_is_ipv4(address))
		return address->bytes[12] == 127;
	return memcmp(address->bytes, one, sizeof one) == 0;
}

bool
address_equal(const struct address *a, const struct address *b)
{
	return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/*
 * Takes a decimal of at most max off *text; leading zeros are refused, because inet_aton reads
 * them as octal.
 */
static bool
take_decimal(struct slice *text, unsigned max, unsigned *number)
{
	size_t len = 0;
	unsigned n = 0;

	while (len < text->len && text->bytes[len] >= '0' && text->bytes[len] <= '9') {
		n = n * 10 + (unsigned)(text->bytes[len++] - '0');
		if (n > max)
			return false;
	}
	if (len == 0 || (len > 1 && text->bytes[0] == '0'))
		return false;
	*text = slice_of(text->bytes + len, text->len - len);
	*number = n;
	return true;
}

static bool
parse_ipv4(uint8_t bytes[4], struct slice text)
{
	for (int i = 0; i < 4; i++) {
		unsigned n;

		if (i != 0) {
			if (text.len == 0 || text.bytes[0] != '.')
				return false;
			text = slice_of(text.bytes + 1, text.len - 1);
		}
		if (!take_decimal(&text, 255, &n))
			return false;
		bytes[i] = (uint8_t)n;
	}
	return text.len == 0;
}

/* Takes one to four hexadecimal digits off *text. */
static bool
take_group(struct slice *text, uint8_t bytes[2])
{
	unsigned n = 0;
	size_t len = 0;

	while (len < text->len && hex_value(text->bytes[len]) >= 0) {
		if (len == 4)
			return false;
		n = n << 4 | (unsigned)hex_value(text->bytes[len++]);
	}
	bytes[0] = (uint8_t)(n >> 8);
	bytes[1] = (uint8_t)n;
	*text = slice_of(text->bytes + len, text->len - len);
	return len != 0;
}

/*
 * Reads groups joined by ':' up to the end or to "::" (which is left in *text). The last two
 * groups of an address may be written as IPv4. False if malformed.
 */
static bool
take_groups(struct slice *text, uint8_t *bytes, size_t groups_max, size_t *groups)
{
	*groups = 0;
	if (text->len == 0 || text->bytes[0] == ':')
		return true;
	for (;;) {
		struct slice rest = *text;

		if (groups_max - *groups >= 2 && parse_ipv4(bytes + 2 * *groups, rest)) {
			*groups += 2;
			*text = slice_of(rest.bytes + rest.len, 0);
			return true;
		}
		if (*groups == groups_max || !take_group(text, bytes + 2 * *groups))
			return false;
		++*groups;
		if (text->len == 0)
			return true;
		if (text->bytes[0] != ':' || text->len == 1)
			return false;
		if (text->bytes[1] == ':')
			return true;
		*text = slice_of(text->bytes + 1, text->len - 1);
	}
}

static bool
parse_ipv6(uint8_t bytes[16], struct slice text)
{
	uint8_t tail[16];
	size_t before, after;

	memset(bytes, 0, 16);
	if (!take_groups(&text, bytes, GROUPS, &before))
		return false;
	if (text.len == 0)
		return before == GROUPS;
	if (text.len < 2 || text.bytes[1] != ':' || before == GROUPS)
		return false;

	/*
	 * "::" stands for at least one group (RFC 5952, 4.2.2, and RFC 4291 allows no empty one).
	 */
	text = slice_of(text.bytes + 2, text.len - 2);
	if (!take_groups(&text, tail, GROUPS - 1 - before, &after) || text.len != 0)
		return false;
	memcpy(bytes + 16 - 2 * after, tail, 2 * after);
	return true;
}

bool
address_parse(struct address *address, struct slice text)
{
	uint8_t bytes[4];

	if (text.len == 0 || text.len > ADDRESS_TEXT_MAX)
		return false;
	if (memchr(text.bytes, ':', text.len) != NULL)
		return parse_ipv6(address->bytes, text);
	if (!parse_ipv4(bytes, text))
		return false;
	*address = address_of_ipv4(bytes);
	return true;
}

bool
address_range_parse(struct address_range *range, struct slice text)
{
	const char *slash = text.len != 0 ? memchr(text.bytes, '/', text.len) : NULL;
	size_t len = slash != NULL ? (size_t)(slash - text.bytes) : text.len;
	struct slice host = slice_of(text.bytes, len);
	unsigned bits = 128;

	if (!address_parse(&range->address, host))
		return false;
	if (slash != NULL) {
		struct slice digits = slice_of(slash + 1, text.len - len - 1);
		bool dotted = memchr(host.bytes, ':', host.len) == NULL;

		if (!take_decimal(&digits, dotted ? 32 : 128, &bits) || digits.len != 0)
			return false;
		if (dotted)
			bits += 96;
	}
	range->prefix = (uint8_t)bits;
	for (unsigned i = 0; i < 16; i++) {
		unsigned kept = bits > 8 * i ? bits - 8 * i : 0;

		if (kept < 8)
			range->address.bytes[i] &= (uint8_t)(0xff00U >> kept);
	}
	return true;
}

bool
address_in(const struct address *address, const struct address_range *range)
{
	size_t whole = range->prefix / 8;
	unsigned rest = range->prefix % 8;

	if (memcmp(address->bytes, range->address.bytes, whole) != 0)
		return false;
	if (rest == 0)
		return true;
	return (address->bytes[whole] & (uint8_t)(0xff00U >> rest)) == range->address.bytes[whole];
}

bool
address_in_any(const struct address *address, const struct address_range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (address_in(address, &ranges[i]))
			return true;
	return false;
}

static unsigned
group_of(const struct address *address, size_t i)
{
	return (unsigned)address->bytes[2 * i] << 8 | address->bytes[2 * i + 1];
}

/* The longest run of at least two zero groups, the first of equals (RFC 5952, 4.2). */
static void
longest_zeros(const struct address *address, size_t *start, size_t *len)
{
	*start = GROUPS;
	*len = 1;
	for (size_t i = 0; i < GROUPS; i++) {
		size_t run = 0;

		while (i + run < GROUPS && group_of(address, i + run) == 0)
			run++;
		if (run > *len) {
			*start = i;
			*len = run;
		}
	}
}

static void
format_group(struct out *out, unsigned group)
{
	static const char hex[] = "0123456789abcdef";

	for (int shift = 12; shift >= 0; shift -= 4)
		if (group >> shift != 0 || shift == 0)
			out_char(out, hex[group >> shift & 15]);
}

void
address_format(struct out *out, const struct address *address)
{
	size_t zeros, zeros_len;

	if (address_is_ipv4(address)) {
		for (size_t i = 12; i < 16; i++) {
			if (i != 12)
				out_char(out, '.');
			out_u64(out, address->bytes[i]);
		}
		return;
	}
	longest_zeros(address, &zeros, &zeros_len);
	for (size_t i = 0; i < GROUPS; i++) {
		if (i == zeros) {
			out_text(out, "::");
			i += zeros_len - 1;
			continue;
		}
		if (i != 0 && i != zeros + zeros_len)
			out_char(out, ':');
		format_group(out, group_of(address, i));
	}
}
