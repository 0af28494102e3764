/*
 * ws_deflate_test.c: offers of permessage-deflate and what is answered, as a table; from memory that ends where the value does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proto/ws_deflate.h"
#include "tests/unit/proto/guard.h"

#define D "permessage-deflate"
#define S "; server_no_context_takeover"
#define C "; client_no_context_takeover"
#define SB "; server_max_window_bits"
#define CB "; client_max_window_bits"
#define MALFORMED "malformed"

static const struct {
	const char *offered; /* a line for each field */
	const char *forgets; /* the answer of who keeps no windows; NULL: none */
	const char *keeps;   /* of who does */
} cases[] = {
    {"", MALFORMED, MALFORMED},
    {D, D S C, D S},
    {D S, D S C, D S},
    {D C, D S C, D S C},
    {D S C, D S C, D S C},
    {D SB "=8", D S C SB "=8", D S SB "=8"},
    {D SB "=15", D S C SB "=15", D S SB "=15"},
    {D CB, D S C, D S},
    {D CB "=8", D S C, D S CB "=8"},
    {D CB "=15", D S C, D S CB "=15"},
    {D C CB "=10", D S C, D S C},
    {D SB "=\"9\"" CB "=\"1\\1\"", D S C SB "=9", D S SB "=9" CB "=11"},
    {" " D " ;\tserver_max_window_bits = 10 ", D S C SB "=10", D S SB "=10"},
    /* declined */
    {D SB, NULL, NULL},
    {D SB "=7", NULL, NULL},
    {D SB "=16", NULL, NULL},
    {D SB "=08", NULL, NULL},
    {D SB "=1", NULL, NULL},
    {D SB "=100", NULL, NULL},
    {D SB "=155", NULL, NULL},
    {D SB "=1x", NULL, NULL},
    {D CB "=0", NULL, NULL},
    {D CB "=20", NULL, NULL},
    {D S "=1", NULL, NULL},
    {D C "=\"1\"", NULL, NULL},
    {D S S, NULL, NULL},
    {D C C, NULL, NULL},
    {D SB "=9" SB "=9", NULL, NULL},
    {D CB CB, NULL, NULL},
    {D CB "=9" CB, NULL, NULL},
    {D "; x", NULL, NULL},
    {D S "; x=1", NULL, NULL},
    {"Permessage-deflate", NULL, NULL},
    {D "; Server_no_context_takeover", NULL, NULL},
    {"x, y; a=b", NULL, NULL},
    /* several */
    {"x," D, D S C, D S},
    {"x\n" D, D S C, D S},
    {D SB "=7\n" D SB "=12", D S C SB "=12", D S SB "=12"},
    {D SB "=9, " D, D S C, D S},
    {D ", " D SB "=15", D S C, D S},
    {D SB "=15, " D, D S C SB "=15", D S SB "=15"},
    {D SB "=9, " D SB "=12", D S C SB "=9", D S SB "=9"},
    {D "; x, " D SB "=9", D S C SB "=9", D S SB "=9"},
    {", ," D ",,", D S C, D S},
    {"\n" D, D S C, D S},
    /* malformed */
    {",", MALFORMED, MALFORMED},
    {"\n,", MALFORMED, MALFORMED},
    {D ";", MALFORMED, MALFORMED},
    {D ";;", MALFORMED, MALFORMED},
    {D "; =1", MALFORMED, MALFORMED},
    {D "; a=", MALFORMED, MALFORMED},
    {D "; a==", MALFORMED, MALFORMED},
    {D "; a=b=c", MALFORMED, MALFORMED},
    {D " x", MALFORMED, MALFORMED},
    {D "; a b", MALFORMED, MALFORMED},
    {D "; a=\"b", MALFORMED, MALFORMED},
    {D "; a=\"b\\", MALFORMED, MALFORMED},
    {D "; a=\"\"", MALFORMED, MALFORMED},
    {D "; a=\"b,c\"", MALFORMED, MALFORMED},
    {D "; a=\"b\"c", MALFORMED, MALFORMED},
    {"\"" D "\"", MALFORMED, MALFORMED},
    {"a/b", MALFORMED, MALFORMED},
    {"\xc3\xa9", MALFORMED, MALFORMED},
    {D ", x;", MALFORMED, MALFORMED},
    {"x;\n" D, MALFORMED, MALFORMED},
    {D "\nx;", MALFORMED, MALFORMED},
};
#define CASES (sizeof cases / sizeof cases[0])

/* Reads fields, a line each. */
static struct ws_deflate_offers
read_offers(const struct guard *g, const char *text, size_t len)
{
	struct ws_deflate_offers offers = {0};

	for (;;) {
		const char *end = memchr(text, '\n', len);
		const size_t field = end == NULL ? len : (size_t)(end - text);

		ws_deflate_field(&offers, slice_of(guard_copy(g, text, field), field));
		if (end == NULL)
			return offers;
		text = end + 1;
		len -= field + 1;
	}
}

static void
assert_answer(
    const struct ws_deflate_offers *offers, bool keeps, const char *offered, const char *expected)
{
	char text[WS_DEFLATE_ANSWER_BYTES + 1] = "";
	struct out o = out_to(text, WS_DEFLATE_ANSWER_BYTES);

	if (ws_deflate_malformed(offers)) {
		snprintf(text, sizeof text, MALFORMED);
	} else if (offers->rank != WS_DEFLATE_NONE) {
		const struct ws_deflate answer = ws_deflate_answer(offers, keeps);

		ws_deflate_render(&o, &answer);
		assert_false(out_cut(&o));
		text[o.len] = '\0';
	}
	if (strcmp(text, expected == NULL ? "" : expected) != 0)
		fail_msg("%s: answered %s instead of %s", offered, text,
		    expected == NULL ? "nothing" : expected);
}

static void
ws_deflate_answers_offers(void **state)
{
	struct guard g;

	(void)state;
	guard_open(&g, 4096);
	for (size_t i = 0; i < CASES; i++) {
		const struct ws_deflate_offers offers =
		    read_offers(&g, cases[i].offered, strlen(cases[i].offered));

		assert_answer(&offers, false, cases[i].offered, cases[i].forgets);
		assert_answer(&offers, true, cases[i].offered, cases[i].keeps);
	}
	guard_close(&g);
}

/* An answer says what an offer could have said: reading it gives the same. */
static void
ws_deflate_reads_what_it_renders(void **state)
{
	struct guard g;

	(void)state;
	guard_open(&g, 4096);
	for (unsigned n = 0; n < 2 * 2 * 9 * 10; n++) {
		const unsigned server = n / 4 % 9, client = n / 36;
		const struct ws_deflate answer = {
		    .server_forgets = (n & 1) != 0,
		    .client_forgets = (n & 2) != 0,
		    .server_bits = (uint8_t)(server == 0 ? 0 : server + 7),
		    .client_takes_bits = client != 0,
		    .client_bits = (uint8_t)(client < 2 ? 0 : client + 6),
		};
		char text[WS_DEFLATE_ANSWER_BYTES];
		struct out o = out_to(text, sizeof text);
		struct ws_deflate_offers offers;

		ws_deflate_render(&o, &answer);
		assert_false(out_cut(&o));
		offers = read_offers(&g, o.bytes, o.len);
		assert_false(ws_deflate_malformed(&offers));
		assert_int_equal(offers.rank,
		    server == 0 || answer.server_bits == 15 ? WS_DEFLATE_BOTH : WS_DEFLATE_INPUT);
		assert_int_equal(offers.best.server_bits, answer.server_bits);
		assert_int_equal(offers.best.client_bits, answer.client_bits);
		assert_int_equal(offers.best.server_forgets, answer.server_forgets);
		assert_int_equal(offers.best.client_forgets, answer.client_forgets);
		assert_int_equal(offers.best.client_takes_bits, answer.client_takes_bits);
	}
	guard_close(&g);
}

/* RFC 9110 section 5.3: fields are one list, wherever a proxy joined or split them at a comma. */
static void
ws_deflate_takes_fields_as_one_list(void **state)
{
	struct guard g;

	(void)state;
	guard_open(&g, 4096);
	for (size_t i = 0; i < CASES; i++) {
		char split[512];
		struct ws_deflate_offers offers;

		snprintf(split, sizeof split, "%s", cases[i].offered);
		if (strchr(split, '"') != NULL)
			continue; /* a comma in quotes separates nothing */
		for (char *at = split; *at != '\0'; at++)
			if (*at == ',')
				*at = '\n';
		offers = read_offers(&g, split, strlen(split));
		assert_answer(&offers, false, split, cases[i].forgets);
		for (char *at = split; *at != '\0'; at++)
			if (*at == '\n')
				*at = ',';
		offers = read_offers(&g, split, strlen(split));
		assert_answer(&offers, false, split, cases[i].forgets);
	}
	guard_close(&g);
}

/* Every prefix is read to its end and no further, and gives an offer in bounds or none. */
static void
ws_deflate_reads_no_further_than_the_value(void **state)
{
	struct guard g;

	(void)state;
	guard_open(&g, 4096);
	for (size_t i = 0; i < CASES; i++)
		for (size_t len = 0; len <= strlen(cases[i].offered); len++) {
			const struct ws_deflate_offers offers =
			    read_offers(&g, cases[i].offered, len);

			assert_true(offers.best.server_bits <= 15 && offers.best.client_bits <= 15);
			assert_true(offers.rank == WS_DEFLATE_NONE || offers.extensions);
		}
	guard_close(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ws_deflate_answers_offers),
	    cmocka_unit_test(ws_deflate_reads_what_it_renders),
	    cmocka_unit_test(ws_deflate_takes_fields_as_one_list),
	    cmocka_unit_test(ws_deflate_reads_no_further_than_the_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
