/*
 * utf8_test.c: the validator against a decoder that is slow and obvious, and at every cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/utf8.h"
#include "tests/unit/proto/guard.h"
#include "tests/unit/proto/utf8_reference.h"

/* Where a text fails: the index of its first impossible byte, or its length when there is none. */
struct text_case {
	const char *bytes;
	size_t len;
	size_t fails_at;
	bool whole;
};

#define GOOD(text)                                             \
	{                                                      \
		text, sizeof(text) - 1, sizeof(text) - 1, true \
	}
#define OPEN(text)                                              \
	{                                                       \
		text, sizeof(text) - 1, sizeof(text) - 1, false \
	}
#define BAD(text, at)                             \
	{                                         \
		text, sizeof(text) - 1, at, false \
	}

static const struct text_case texts[] = {
    GOOD(""),
    GOOD("plain"),
    GOOD("nul \0 is a character"),
    GOOD("eight by eight, and some more\x7f"),
    GOOD("\xc2\x80"),
    GOOD("\xdf\xbf"),
    GOOD("\xe0\xa0\x80"),
    GOOD("\xed\x9f\xbf"),
    GOOD("\xee\x80\x80"),
    GOOD("\xef\xbf\xbf"),
    GOOD("\xf0\x90\x80\x80"),
    GOOD("\xf4\x8f\xbf\xbf"),
    GOOD("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"),
    GOOD("12345678\xf0\x9f\x98\x80"
	 "12345678"),
    OPEN("\xc2"),
    OPEN("\xe0\xa0"),
    OPEN("\xf0\x90\x80"),
    OPEN("1234567\xe2\x82"),
    BAD("\x80", 0),
    BAD("12345678\xbf", 8),
    BAD("\xc0\x80", 0),
    BAD("\xc1\xbf", 0),
    BAD("\xe0\x9f\xbf", 1),
    BAD("\xed\xa0\x80", 1),
    BAD("\xed\xbf\xbf", 1),
    BAD("\xf0\x8f\xbf\xbf", 1),
    BAD("\xf4\x90\x80\x80", 1),
    BAD("\xf5\x80\x80\x80", 0),
    BAD("\xff", 0),
    BAD("\xc2\xc2\x80", 1),
    BAD("\xe2\x82"
	"abc",
	2),
    BAD("\xf0\x9f\x98"
	"a",
	3),
    BAD("12345678\xf0\x9f\x98"
	"12345678",
	11),
};

#define TEXTS (sizeof texts / sizeof texts[0])

static void
utf8_fails_on_the_first_impossible_byte(void **state)
{
	struct guard g;

	(void)state;
	guard_open(&g, 64);
	for (size_t t = 0; t < TEXTS; t++) {
		const struct text_case *text = &texts[t];
		struct utf8 u;

		utf8_start(&u);
		for (size_t i = 0; i < text->len; i++) {
			char *byte = guard_copy(&g, text->bytes + i, 1);

			assert_int_equal(utf8_feed(&u, byte, 1), i < text->fails_at);
		}
		assert_int_equal(utf8_whole(&u), text->whole);
	}
	guard_close(&g);
}

static void
utf8_judges_alike_at_every_cut(void **state)
{
	struct guard g;

	(void)state;
	guard_open(&g, 64);
	for (size_t t = 0; t < TEXTS; t++) {
		const struct text_case *text = &texts[t];

		for (size_t cut = 0; cut <= text->len; cut++) {
			struct utf8 u = {0};
			char *bytes = guard_copy(&g, text->bytes, cut);

			assert_int_equal(utf8_feed(&u, bytes, cut), cut <= text->fails_at);
			bytes = guard_copy(&g, text->bytes + cut, text->len - cut);
			assert_int_equal(
			    utf8_feed(&u, bytes, text->len - cut), text->fails_at == text->len);
			assert_int_equal(utf8_whole(&u), text->whole);
		}
		assert_int_equal(
		    utf8_valid(slice_of(guard_copy(&g, text->bytes, text->len), text->len)),
		    text->whole);
	}
	guard_close(&g);
}

/* The fast path looks at eight bytes at once: at each of them. */
static void
utf8_finds_a_bad_byte_at_every_place_of_a_long_text(void **state)
{
	(void)state;
	for (size_t len = 1; len < 40; len++)
		for (size_t at = 0; at < len; at++) {
			char text[40];

			memset(text, 'a', len);
			text[at] = (char)0x80;
			assert_false(utf8_valid(slice_of(text, len)));
			text[at] = 0x7f;
			assert_true(utf8_valid(slice_of(text, len)));
		}
}

static void
utf8_stays_failed(void **state)
{
	struct utf8 u = {0};

	(void)state;
	assert_false(utf8_feed(&u, "\xff", 1));
	assert_false(utf8_feed(&u, "a", 1));
	assert_false(utf8_feed(&u, "", 0));
	assert_false(utf8_whole(&u));
}

/* What the streaming state says after each byte must be what the obvious decoder says. */
static void
agree(const char *bytes, size_t len)
{
	struct utf8 u = {0};
	bool fed = utf8_feed(&u, bytes, len);
	enum utf8_reference expected = utf8_reference((const unsigned char *)bytes, len);

	assert_int_equal(fed, expected != UTF8_REFERENCE_BAD);
	assert_int_equal(utf8_whole(&u), expected == UTF8_REFERENCE_WHOLE);
}

static void
utf8_agrees_with_an_obvious_decoder_on_all_short_strings(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 1u << 24; n++) {
		char bytes[3] = {(char)(n >> 16), (char)(n >> 8 & 0xff), (char)(n & 0xff)};

		/* ASCII in front teaches nothing new. */
		if ((n >> 16) < 0x80 && (n >> 16) > 1)
			continue;
		agree(bytes, 3);
		if ((n & 0xff) == 0)
			agree(bytes, 2);
		if ((n & 0xffff) == 0)
			agree(bytes, 1);
	}
}

static void
utf8_agrees_with_an_obvious_decoder_on_four_bytes(void **state)
{
	static const unsigned char tails[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0xbf, 0xc0, 0xff};

	(void)state;
	for (unsigned first = 0xf0; first <= 0xff; first++)
		for (unsigned second = 0; second <= 0xff; second++)
			for (size_t n = 0; n < sizeof tails * sizeof tails; n++) {
				char bytes[4] = {(char)first, (char)second,
				    (char)tails[n / sizeof tails], (char)tails[n % sizeof tails]};

				agree(bytes, 4);
			}
}

static void
utf8_cut_never_splits_a_character(void **state)
{
	static const struct {
		const char *text;
		size_t len_max, expected;
	} cases[] = {
	    {"", 0, 0},
	    {"abc", 5, 3},
	    {"abc", 3, 3},
	    {"abc", 2, 2},
	    {"a\xc3\xa4z", 2, 1},
	    {"a\xc3\xa4z", 3, 3},
	    {"\xe2\x82\xac\xe2\x82\xac", 5, 3},
	    {"\xe2\x82\xac\xe2\x82\xac", 4, 3},
	    {"\xe2\x82\xac\xe2\x82\xac", 3, 3},
	    {"\xe2\x82\xac", 2, 0},
	    {"\xf0\x9f\x98\x80", 3, 0},
	    {"\xf0\x9f\x98\x80", 4, 4},
	};

	struct guard g;

	(void)state;
	guard_open(&g, 64);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t len = strlen(cases[i].text);
		const char *text = guard_copy(&g, cases[i].text, len);

		assert_int_equal(
		    utf8_cut(slice_of(text, len), cases[i].len_max), cases[i].expected);
	}
	guard_close(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(utf8_fails_on_the_first_impossible_byte),
	    cmocka_unit_test(utf8_judges_alike_at_every_cut),
	    cmocka_unit_test(utf8_finds_a_bad_byte_at_every_place_of_a_long_text),
	    cmocka_unit_test(utf8_stays_failed),
	    cmocka_unit_test(utf8_agrees_with_an_obvious_decoder_on_all_short_strings),
	    cmocka_unit_test(utf8_agrees_with_an_obvious_decoder_on_four_bytes),
	    cmocka_unit_test(utf8_cut_never_splits_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
