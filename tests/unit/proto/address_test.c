/*
 * address_test.c: addresses as text and back, against the C library's own reading, and ranges.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/address.h"
#include "tests/unit/proto/guard.h"

static const char *const good[] = {
    "0.0.0.0",
    "127.0.0.1",
    "192.0.2.255",
    "255.255.255.255",
    "::",
    "::1",
    "1::",
    "2001:db8::1",
    "2001:DB8:0:0:1::1",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7::",
    "::2:3:4:5:6:7:8",
    "1::3:4:5:6:7:8",
    "1:2:3:4:5:6:1.2.3.4",
    "::1.2.3.4",
    "::ffff:192.0.2.1",
    "64:ff9b::192.0.2.33",
    "1:2:3:4:5::1.2.3.4",
    "0:0:1::",
    "1:0:0:2::3",
    "fe80::0001",
    "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
};

static const char *const bad[] = {
    "",
    ".",
    ":",
    ":::",
    "1",
    "1.2.3",
    "1.2.3.4.",
    ".1.2.3.4",
    "1.2.3.4.5",
    "1..2.3",
    "256.0.0.1",
    "01.2.3.4",
    "1.2.3.04",
    "1.2.3.4 ",
    " 1.2.3.4",
    "0x7f.0.0.1",
    "1.2.3.-4",
    "1.2.3.4294967297",
    "2130706433",
    "localhost",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:",
    ":1:2:3:4:5:6:7",
    "1::2::3",
    "1:2:3:4::5:6:7:8",
    "::1:2:3:4:5:6:7:8",
    "12345::",
    "g::",
    "1:2:3:4:5:6:7:1.2.3.4",
    "1.2.3.4::",
    "::1.2.3",
    "::1.2.3.4:5",
    "1:2:3:4:5:6:7:8:1.2.3.4",
    "[::1]",
    "::1%eth0",
    "::1/64",
    ":1",
    "1:",
    "::ffff:1.2.3.256",
    "1:2:3:4:5:6:7:8::",
};

/* What the C library makes of it. */
static bool
reference(const char *text, struct address *address)
{
	uint8_t four[4];

	if (inet_pton(AF_INET6, text, address->bytes) == 1)
		return true;
	if (inet_pton(AF_INET, text, four) != 1)
		return false;
	*address = address_of_ipv4(four);
	return true;
}

static void
address_parse_reads_as_the_c_library_does(void **state)
{
	struct address have, want;
	struct guard g;

	(void)state;
	guard_open(&g, 64);
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		size_t len = strlen(good[i]);

		assert_true(reference(good[i], &want));
		assert_true(address_parse(&have, slice_of(guard_copy(&g, good[i], len), len)));
		assert_true(address_equal(&have, &want));
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		size_t len = strlen(bad[i]);

		assert_false(reference(bad[i], &want));
		if (address_parse(&have, slice_of(guard_copy(&g, bad[i], len), len)))
			fail_msg("%s", bad[i]);
	}
	guard_close(&g);
}

/*
 * Short texts over the alphabet of addresses, all that are of a length, are judged as the C
 * library judges them.
 */
static void
address_parse_agrees_on_every_short_text(void **state)
{
	static const char alphabet[] = ":.1f0";
	enum { SYMBOLS = sizeof alphabet - 1, LEN = 8 };
	unsigned agreed = 0;

	(void)state;
	for (size_t len = 1; len <= LEN; len++) {
		unsigned count = 1;

		for (size_t i = 0; i < len; i++)
			count *= SYMBOLS;
		for (unsigned n = 0; n < count; n++) {
			struct address have, want;
			char text[LEN + 1];
			unsigned rest = n;

			for (size_t i = 0; i < len; i++, rest /= SYMBOLS)
				text[i] = alphabet[rest % SYMBOLS];
			text[len] = '\0';
			bool good_text = reference(text, &want);
			if (address_parse(&have, slice_of(text, len)) != good_text ||
			    (good_text && !address_equal(&have, &want)))
				fail_msg("%s", text);
			agreed += good_text;
		}
	}
	assert_true(agreed > 1000);
}

static void
address_format_writes_what_rfc_5952_says(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
	    {"192.0.2.1", "192.0.2.1"},
	    {"::ffff:192.0.2.1", "192.0.2.1"},
	    {"0.0.0.0", "0.0.0.0"},
	    {"::", "::"},
	    {"::1", "::1"},
	    {"1::", "1::"},
	    {"2001:DB8::0001", "2001:db8::1"},
	    {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
	    {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
	    {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
	    {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
	    {"0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"},
	    {"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
	    {"fedc:ba98:7654:3210:fedc:ba98:7654:3210", "fedc:ba98:7654:3210:fedc:ba98:7654:3210"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct address address, again;
		char bytes[ADDRESS_TEXT_MAX];
		struct out o = out_to(bytes, sizeof bytes);

		assert_true(address_parse(&address, slice_text(cases[i].text)));
		address_format(&o, &address);
		if (!slice_equal(slice_of(bytes, o.len), slice_text(cases[i].want)))
			fail_msg("%s: %.*s", cases[i].text, (int)o.len, bytes);
		assert_true(address_parse(&again, slice_of(bytes, o.len)));
		assert_true(address_equal(&address, &again));
	}
}

static void
address_range_matches_leading_bits(void **state)
{
	static const struct {
		const char *range, *address;
		bool in;
	} cases[] = {
	    {"10.0.0.0/8", "10.255.1.2", true},
	    {"10.0.0.0/8", "11.0.0.0", false},
	    {"10.1.2.3/8", "10.9.9.9", true}, /* the bits past the prefix do not count */
	    {"192.0.2.128/25", "192.0.2.128", true},
	    {"192.0.2.128/25", "192.0.2.127", false},
	    {"192.0.2.200/25", "192.0.2.129", true},
	    {"fe81::/10", "fe80::", true},
	    {"192.0.2.1", "192.0.2.1", true},
	    {"192.0.2.1/32", "192.0.2.2", false},
	    {"0.0.0.0/0", "255.1.2.3", true},
	    {"0.0.0.0/0", "2001:db8::1", false}, /* every IPv4 address, not every address */
	    {"::/0", "10.0.0.1", true},
	    {"::/0", "ffff::", true},
	    {"2001:db8::/32", "2001:db8:ffff::1", true},
	    {"2001:db8::/32", "2001:db9::", false},
	    {"2001:db8::/127", "2001:db8::1", true},
	    {"2001:db8::/127", "2001:db8::2", false},
	    {"::ffff:10.0.0.0/104", "10.1.1.1", true},
	    {"fe80::/10", "febf::1", true},
	    {"fe80::/10", "fec0::1", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct address_range range;
		struct address address;

		assert_true(address_range_parse(&range, slice_text(cases[i].range)));
		assert_true(address_parse(&address, slice_text(cases[i].address)));
		if (address_in(&address, &range) != cases[i].in)
			fail_msg("%s in %s", cases[i].address, cases[i].range);
		assert_int_equal(address_in_any(&address, &range, 1), cases[i].in);
		assert_false(address_in_any(&address, &range, 0));
	}
}

static void
address_range_parse_refuses_malformed_ranges(void **state)
{
	static const char *const ranges[] = {
	    "",
	    "/",
	    "/8",
	    "10.0.0.0/",
	    "10.0.0.0/33",
	    "10.0.0.0/-1",
	    "10.0.0.0/08",
	    "10.0.0.0/8 ",
	    "10.0.0.0/8/8",
	    "10.0.0/8",
	    "::/129",
	    "::/x",
	    "10.0.0.0/255.0.0.0",
	    "unix",
	    "10.0.0.0/99999999999999999999",
	};
	struct address_range range;

	(void)state;
	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
		if (address_range_parse(&range, slice_text(ranges[i])))
			fail_msg("%s", ranges[i]);
}

static void
address_is_loopback_knows_both_families(void **state)
{
	static const struct {
		const char *text;
		bool loopback;
	} cases[] = {
	    {"127.0.0.1", true},
	    {"127.255.255.255", true},
	    {"::1", true},
	    {"::ffff:127.0.0.1", true},
	    {"126.255.255.255", false},
	    {"128.0.0.0", false},
	    {"::2", false},
	    {"::", false},
	    {"::127.0.0.1", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct address address;

		assert_true(address_parse(&address, slice_text(cases[i].text)));
		assert_int_equal(address_is_loopback(&address), cases[i].loopback);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(address_parse_reads_as_the_c_library_does),
	    cmocka_unit_test(address_parse_agrees_on_every_short_text),
	    cmocka_unit_test(address_format_writes_what_rfc_5952_says),
	    cmocka_unit_test(address_range_matches_leading_bits),
	    cmocka_unit_test(address_range_parse_refuses_malformed_ranges),
	    cmocka_unit_test(address_is_loopback_knows_both_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
