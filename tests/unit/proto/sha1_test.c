/*
 * sha1_test.c: the vectors of RFC 3174 section 7.3, and every shape of the last block.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proto/sha1.h"
#include "tests/unit/proto/guard.h"

static void
assert_digest(struct slice message, const char *expected)
{
	uint8_t digest[SHA1_BYTES];
	char hex[2 * SHA1_BYTES + 1];

	sha1_digest(digest, message);
	for (size_t i = 0; i < SHA1_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(hex, expected);
}

static void
sha1_digests_the_vectors_of_the_rfc(void **state)
{
	(void)state;
	assert_digest(SLICE_LITERAL("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
	assert_digest(SLICE_LITERAL("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
	    "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
}

static void
sha1_pads_every_shape_of_last_block(void **state)
{
	static const struct {
		size_t len; /* of a run of 'a' */
		const char *digest;
	} cases[] = {
	    {0, "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
	    {1, "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"},
	    {55, "c1c8bbdc22796e28c0e15163d20899b65621d65a"},
	    {56, "c2db330f6083854c99d4b5bfb6e8f29f201be699"},
	    {63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5"},
	    {64, "0098ba824b5c16427bd7a1122a5a442a25ec644d"},
	    {65, "11655326c708d70319be2610e8a57d9a5b959d3b"},
	    {119, "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56"},
	    {120, "f34c1488385346a55709ba056ddd08280dd4c6d6"},
	    {128, "ad5b3fdbcb526778c2839d2f151ea753995e26a0"},
	    {1000, "291e9a6c66994949b57ba5e650361e98fc36b1ba"},
	    {1000000, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"},
	};
	struct guard g;

	(void)state;
	guard_open(&g, 1000000);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *message = guard_end(&g, cases[i].len);

		memset(message, 'a', cases[i].len);
		assert_digest(slice_of(message, cases[i].len), cases[i].digest);
	}
	guard_close(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sha1_digests_the_vectors_of_the_rfc),
	    cmocka_unit_test(sha1_pads_every_shape_of_last_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
