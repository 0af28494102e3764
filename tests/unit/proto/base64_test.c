/*
 * base64_test.c: RFC 4648's vectors, every length, every single wrong byte, and in place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/base64.h"
#include "tests/unit/proto/guard.h"

static const struct {
	const char *plain, *encoded;
} vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xff\xbe", "+/++"},
};

static void
base64_encodes_the_vectors_of_the_rfc(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		char text[32];
		struct out o = out_to(text, sizeof text);

		base64_encode(&o, slice_text(vectors[i].plain));
		assert_int_equal(o.len, strlen(vectors[i].encoded));
		assert_memory_equal(text, vectors[i].encoded, o.len);
		assert_int_equal(base64_encoded_len(strlen(vectors[i].plain)), o.len);
	}
}

static void
base64_decodes_the_vectors_of_the_rfc(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		struct slice text = slice_text(vectors[i].encoded);
		char plain[32];
		ptrdiff_t len = base64_decode(plain, sizeof plain, text);

		assert_int_equal(len, strlen(vectors[i].plain));
		assert_memory_equal(plain, vectors[i].plain, len);
		assert_int_equal(base64_decoded_len(text), len);
	}
}

static void
base64_round_trips_every_length_in_place_without_a_byte_to_spare(void **state)
{
	struct guard g, plain_guard;

	(void)state;
	guard_open(&g, 4096);
	guard_open(&plain_guard, 4096);
	for (size_t len = 0; len < 400; len++) {
		size_t encoded_len = base64_encoded_len(len);
		char *plain = guard_end(&plain_guard, len);
		char *text = guard_end(&g, encoded_len);
		struct out o = out_to(text, encoded_len);

		for (size_t i = 0; i < len; i++)
			plain[i] = (char)(i * 37 + len * 101);
		base64_encode(&o, slice_of(plain, len));
		assert_false(out_cut(&o));
		assert_int_equal(o.len, encoded_len);
		assert_int_equal(base64_decode(text, len, slice_of(text, encoded_len)), len);
		assert_memory_equal(text, plain, len);
	}
	guard_close(&plain_guard);
	guard_close(&g);
}

static void
base64_refuses_by_name(void **state)
{
	static const struct {
		const char *text;
		ptrdiff_t expected;
	} cases[] = {
	    {"Z", BASE64_BAD_LENGTH},
	    {"Zg", BASE64_BAD_LENGTH},
	    {"Zg=", BASE64_BAD_LENGTH},
	    {"Zm9vZ", BASE64_BAD_LENGTH},
	    {"Zg==\n", BASE64_BAD_LENGTH},
	    {"====", BASE64_BAD_BYTE},
	    {"Z===", BASE64_BAD_BYTE},
	    {"Zg==Zg==", BASE64_BAD_BYTE},
	    {"Zm8=Zm8=", BASE64_BAD_BYTE},
	    {"Z=9v", BASE64_BAD_BYTE},
	    {"Zg=a", BASE64_BAD_BYTE},
	    {"Zm9-", BASE64_BAD_BYTE},
	    {"Zm9_", BASE64_BAD_BYTE},
	    {"Zm 9", BASE64_BAD_BYTE},
	    {"Zm\n9", BASE64_BAD_BYTE},
	    {"\xc3\xa4"
	     "ab",
		BASE64_BAD_BYTE},
	    {"Zh==", BASE64_BAD_BITS},
	    {"Zn==", BASE64_BAD_BITS},
	    {"Zm9=", BASE64_BAD_BITS},
	    {"Zm+=", BASE64_BAD_BITS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char plain[16];

		assert_int_equal(base64_decode(plain, sizeof plain, slice_text(cases[i].text)),
		    cases[i].expected);
	}
}

static void
base64_refuses_every_byte_outside_the_alphabet_in_every_place(void **state)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	(void)state;
	for (size_t place = 0; place < 8; place++)
		for (unsigned byte = 0; byte <= 0xff; byte++) {
			char text[] = "AAAAAAAA";
			char plain[8];
			ptrdiff_t got;

			text[place] = (char)byte;
			got = base64_decode(plain, sizeof plain, slice_of(text, 8));
			if (byte != 0 && strchr(alphabet, (int)byte) != NULL)
				assert_int_equal(got, 6);
			else if (byte == '=' && place == 7)
				assert_int_equal(got, 5);
			else
				assert_int_equal(got, BASE64_BAD_BYTE);
		}
}

static void
base64_decode_writes_nothing_when_there_is_no_room(void **state)
{
	char plain[6];

	(void)state;
	memset(plain, '.', sizeof plain);
	assert_int_equal(base64_decode(plain, 5, SLICE_LITERAL("Zm9vYmFy")), BASE64_OUT_TOO_SMALL);
	assert_int_equal(base64_decode(plain, 3, SLICE_LITERAL("Zm9vYg==")), BASE64_OUT_TOO_SMALL);
	assert_memory_equal(plain, "......", 6);
	assert_int_equal(base64_decode(plain, 4, SLICE_LITERAL("Zm9vYg==")), 4);
}

static void
base64_encode_writes_all_or_nothing_and_says_what_it_needs(void **state)
{
	char text[8];
	struct out o = out_to(text, 7);

	(void)state;
	memset(text, '.', sizeof text);
	base64_encode(&o, SLICE_LITERAL("foobar"));
	assert_true(out_cut(&o));
	assert_int_equal(o.need, 8);
	assert_int_equal(o.len, 0);
	assert_memory_equal(text, "........", 8);
	base64_encode(&o, SLICE_LITERAL("foo")); /* after a refusal nothing more is written */
	assert_int_equal(o.len, 0);
	assert_int_equal(o.need, 12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(base64_encodes_the_vectors_of_the_rfc),
	    cmocka_unit_test(base64_decodes_the_vectors_of_the_rfc),
	    cmocka_unit_test(base64_round_trips_every_length_in_place_without_a_byte_to_spare),
	    cmocka_unit_test(base64_refuses_by_name),
	    cmocka_unit_test(base64_refuses_every_byte_outside_the_alphabet_in_every_place),
	    cmocka_unit_test(base64_decode_writes_nothing_when_there_is_no_room),
	    cmocka_unit_test(base64_encode_writes_all_or_nothing_and_says_what_it_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
