/*
 * address.h: IP addresses and ranges as 16 bytes, IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2), to
 * and from text.
 */
#ifndef PROTO_ADDRESS_H
#define PROTO_ADDRESS_H

#include "proto/slice.h"

struct address {
	uint8_t bytes[16];
};

/* An address and how many of its leading bits count: 0 to 128 (an IPv4 /8 is 104). */
struct address_range {
	struct address address;
	uint8_t prefix;
};

#define ADDRESS_TEXT_MAX 45 /* bytes of the longest text, without a terminator */

/* From the four or sixteen bytes of a socket address. */
struct address address_of_ipv4(const uint8_t bytes[4]);
struct address address_of_ipv6(const uint8_t bytes[16]);

/*
 * Reads "192.0.2.1" (four decimals, no leading zeros) or IPv6 text without brackets or zone (RFC
 * 4291, 2.2).
 */
bool address_parse(struct address *address, struct slice text);

/* Reads an address, or "address/bits". Bits of the address past the prefix are cleared. */
bool address_range_parse(struct address_range *range, struct slice text);

bool address_in(const struct address *address, const struct address_range *range);
bool address_in_any(
    const struct address *address, const struct address_range *ranges, size_t count);
bool address_equal(const struct address *a, const struct address *b);

bool address_is_ipv4(const struct address *address);

/* True for 127.0.0.0/8 and ::1. */
bool address_is_loopback(const struct address *address);

/* Appends the text: dotted for IPv4, else as RFC 5952 says. */
void address_format(struct out *out, const struct address *address);

#endif
