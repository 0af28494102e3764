/*
 * origin_test.c: the matrix of who may talk to us, with the attacks that each rule is there for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/origin.h"

static const struct slice listed[] = {
    SLICE_LITERAL("https://app.example"),
    SLICE_LITERAL("http://app.example:8000"),
    SLICE_LITERAL("https://[2001:db8::1]:8443"),
    SLICE_LITERAL("capacitor://localhost"),
    SLICE_LITERAL("file://"),
};
static const struct slice null_listed[] = {SLICE_LITERAL("null")};

static const struct origin_rules none = {.listed_count = 0};
static const struct origin_rules some = {listed, sizeof listed / sizeof listed[0], false};
static const struct origin_rules with_null = {null_listed, 1, false};
static const struct origin_rules any = {.any = true};

struct row {
	const char *origin; /* NULL: no field */
	const char *host;
	const char *site;
	enum http_scheme scheme;
	enum origin_verdict verdict;
};

#define UNKNOWN HTTP_SCHEME_UNKNOWN
#define HTTP HTTP_SCHEME_HTTP
#define HTTPS HTTP_SCHEME_HTTPS

static void
check(const struct origin_rules *rules, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct origin_request request = {.scheme = rows[i].scheme};

		if (rows[i].origin != NULL)
			request.origin = slice_text(rows[i].origin);
		if (rows[i].host != NULL)
			request.host = slice_text(rows[i].host);
		if (rows[i].site != NULL)
			request.sec_fetch_site = slice_text(rows[i].site);
		enum origin_verdict verdict = origin_check(rules, &request);
		if (verdict != rows[i].verdict)
			fail_msg("row %zu: origin %s at %s: %d", i, rows[i].origin, rows[i].host,
			    verdict);
		/* Without a list nothing is listed, and a list takes nothing away. */
		if (rules != &none && verdict == ORIGIN_FORBIDDEN)
			assert_int_equal(origin_check(&none, &request), ORIGIN_FORBIDDEN);
	}
}
#define CHECK(rules, rows) check((rules), (rows), sizeof(rows) / sizeof(rows)[0])

static void
origin_check_allows_what_has_no_origin(void **state)
{
	static const struct row rows[] = {
	    {NULL, "h", NULL, UNKNOWN, ORIGIN_ABSENT},
	    {NULL, NULL, NULL, UNKNOWN, ORIGIN_ABSENT},
	    {NULL, "h", "cross-site", UNKNOWN, ORIGIN_ABSENT},
	    {"", "h", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	};

	(void)state;
	CHECK(&none, rows);
	CHECK(&some, rows);
}

static void
origin_check_compares_origin_and_host(void **state)
{
	static const struct row rows[] = {
	    {"http://a.example", "a.example", NULL, UNKNOWN, ORIGIN_SAME},
	    {"https://a.example", "a.example", NULL, UNKNOWN, ORIGIN_SAME},
	    {"HTTP://A.Example", "a.eXample", NULL, UNKNOWN, ORIGIN_SAME},
	    {"http://a.example:8080", "a.example:8080", NULL, UNKNOWN, ORIGIN_SAME},
	    {"http://a.example:80", "a.example", NULL, UNKNOWN, ORIGIN_SAME},
	    {"http://a.example", "a.example:80", NULL, UNKNOWN, ORIGIN_SAME},
	    {"https://a.example", "a.example:443", NULL, UNKNOWN, ORIGIN_SAME},
	    {"https://a.example:443", "a.example", NULL, HTTPS, ORIGIN_SAME},
	    {"https://a.example", "a.example", NULL, HTTPS, ORIGIN_SAME},
	    {"http://a.example", "a.example:", NULL, UNKNOWN, ORIGIN_SAME},
	    {"http://[2001:db8::1]:81", "[2001:DB8:0::1]:81", NULL, UNKNOWN, ORIGIN_SAME},
	    {"http://192.0.2.1", "192.0.2.1", NULL, UNKNOWN, ORIGIN_SAME},

	    {"http://a.example:", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://a.example", "a.example:443", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"https://a.example", "a.example:80", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://a.example", "a.example", NULL, HTTPS, ORIGIN_FORBIDDEN},
	    {"https://a.example", "a.example", NULL, HTTP, ORIGIN_FORBIDDEN},
	    {"http://a.example:8080", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://a.example", "a.example:8080", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://b.example", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"ftp://a.example", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://a.example", NULL, NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://a.example", "", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://a.example", "a.example b", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://a.example.", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    /* Neither by suffix nor by prefix nor by part. */
	    {"http://evil-a.example", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://evil.a.example", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://example", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://a.example.evil", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://a.example@evil", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://evil#a.example", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://evil\\a.example", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    /* No origin at all. */
	    {"a.example", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"//a.example", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://a.example/", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://a.example http://b", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://a.example, http://b", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://:80", ":80", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://a.example:x", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http:a.example", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"h ttp://a.example", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"1http://a.example", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"://a.example", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	};

	(void)state;
	CHECK(&none, rows);
	CHECK(&some, rows);
}

static void
origin_check_trusts_only_same_origin_of_sec_fetch_site(void **state)
{
	static const struct row rows[] = {
	    {"http://a.example", "internal:8080", "same-origin", UNKNOWN, ORIGIN_SAME},
	    {"https://a.example", "internal:8080", "Same-Origin", HTTP, ORIGIN_SAME},
	    {"http://a.example", "internal:8080", "same-site", UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://a.example", "internal:8080", "cross-site", UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://a.example", "internal:8080", "none", UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://a.example", "internal:8080", "", UNKNOWN, ORIGIN_FORBIDDEN},
	    {"null", "internal:8080", "same-origin", UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://a.example/", "internal:8080", "same-origin", UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://a.example", "a.example", "cross-site", UNKNOWN, ORIGIN_SAME},
	};

	(void)state;
	CHECK(&none, rows);
}

static void
origin_check_pairs_loopback_names(void **state)
{
	static const struct row rows[] = {
	    {"http://localhost:3000", "localhost:8080", NULL, UNKNOWN, ORIGIN_LOOPBACK},
	    {"http://LOCALHOST:3000", "127.0.0.1:8080", NULL, UNKNOWN, ORIGIN_LOOPBACK},
	    {"https://127.1.2.3", "localhost", NULL, HTTP, ORIGIN_LOOPBACK},
	    {"http://[::1]:3000", "app.localhost:8080", NULL, UNKNOWN, ORIGIN_LOOPBACK},
	    {"http://app.localhost", "[0:0::1]:8080", NULL, UNKNOWN, ORIGIN_LOOPBACK},

	    {"http://localhost:3000", "a.example", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://a.example", "localhost:8080", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://notlocalhost", "localhost:8080", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://localhost.evil.example", "localhost:8080", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://.localhost", "localhost:8080", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://localhost.", "localhost:8080", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://128.0.0.1", "localhost:8080", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://127.0.0.1.evil.example", "localhost:8080", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://127.1", "localhost:8080", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://0177.0.0.1", "localhost:8080", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://2130706433", "localhost:8080", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://0.0.0.0", "localhost:8080", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://[::2]", "localhost:8080", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://[::]", "localhost:8080", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"capacitor://localhost", "localhost:8080", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"null", "localhost:8080", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://localhost:3000", NULL, NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    /* A page elsewhere that calls a server on this machine. */
	    {"http://evil.example:8080", "127.0.0.1:8080", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	};

	(void)state;
	CHECK(&none, rows);
}

static void
origin_check_finds_listed_origins_exactly(void **state)
{
	static const struct row rows[] = {
	    {"https://app.example", "h", NULL, UNKNOWN, ORIGIN_LISTED},
	    {"https://APP.example:443", "h", "cross-site", HTTP, ORIGIN_LISTED},
	    {"https://app.example", NULL, NULL, UNKNOWN, ORIGIN_LISTED},
	    {"http://app.example:8000", "h", NULL, UNKNOWN, ORIGIN_LISTED},
	    {"https://[2001:db8:0:0::1]:8443", "h", NULL, UNKNOWN, ORIGIN_LISTED},
	    {"capacitor://localhost", "h", NULL, UNKNOWN, ORIGIN_LISTED},
	    {"file://", "h", NULL, UNKNOWN, ORIGIN_LISTED},
	    {"https://app.example", "app.example", NULL, UNKNOWN, ORIGIN_LISTED},

	    {"http://app.example", "h", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"https://app.example:8000", "h", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"https://app.example:80", "h", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"https://evil.app.example", "h", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"https://evilapp.example", "h", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"https://app.example.evil", "h", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"https://[2001:db8::2]:8443", "h", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"capacitor://localhost:1", "h", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"ionic://localhost", "h", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"file://x", "h", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"null", "h", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"https://app.example/", "h", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	};

	(void)state;
	CHECK(&some, rows);
}

static void
origin_check_takes_null_only_if_listed(void **state)
{
	static const struct row allowed[] = {{"null", "h", NULL, UNKNOWN, ORIGIN_NULL}};
	static const struct row others[] = {
	    {"Null", "h", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"null ", "h", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	    {"http://null", "h", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	};
	static const struct row refused[] = {{"null", "null", NULL, UNKNOWN, ORIGIN_FORBIDDEN}};

	(void)state;
	CHECK(&with_null, allowed);
	CHECK(&with_null, others);
	CHECK(&any, refused);
	CHECK(&none, refused);
}

static void
origin_check_takes_every_origin_where_any_is_configured(void **state)
{
	static const struct row rows[] = {
	    {"http://evil.example", "h", "cross-site", UNKNOWN, ORIGIN_ANY},
	    {"capacitor://localhost", "h", NULL, UNKNOWN, ORIGIN_ANY},
	    {"http://h", "h", NULL, UNKNOWN, ORIGIN_SAME},
	    {"nonsense", "h", NULL, UNKNOWN, ORIGIN_FORBIDDEN},
	};

	(void)state;
	CHECK(&any, rows);
}

static void
origin_allow_echoes_only_what_was_found_and_never_with_credentials_unless_listed(void **state)
{
	static const struct {
		enum origin_verdict verdict;
		const char *allow;
		bool allowed, credentials;
	} cases[] = {
	    {ORIGIN_ABSENT, "", true, false},
	    {ORIGIN_LISTED, "http://a", true, true},
	    {ORIGIN_NULL, "null", true, false},
	    {ORIGIN_SAME, "http://a", true, false},
	    {ORIGIN_LOOPBACK, "http://a", true, false},
	    {ORIGIN_ANY, "*", true, false},
	    {ORIGIN_FORBIDDEN, "", false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const bool null = cases[i].verdict == ORIGIN_NULL;
		const struct slice origin = slice_text(null ? "null" : "http://a");

		assert_true(slice_equal(
		    origin_allow(cases[i].verdict, origin), slice_text(cases[i].allow)));
		assert_int_equal(origin_is_allowed(cases[i].verdict), cases[i].allowed);
		assert_int_equal(origin_has_credentials(cases[i].verdict), cases[i].credentials);
	}
}

static void
origin_is_valid_helps_the_configuration(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} cases[] = {
	    {"https://app.example", true},
	    {"http://[::1]:8080", true},
	    {"null", true},
	    {"capacitor://localhost", true},
	    {"file://", true},
	    {"", false},
	    {"*", false},
	    {"app.example", false},
	    {"https://app.example/", false},
	    {"https://app.example/path", false},
	    {"https://*.app.example", true}, /* a name, but none that a browser sends */
	    {"https://", false},
	    {"https://app.example:", false},
	    {"https://app.example:99999", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (origin_is_valid(slice_text(cases[i].text)) != cases[i].valid)
			fail_msg("%s", cases[i].text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(origin_check_allows_what_has_no_origin),
	    cmocka_unit_test(origin_check_compares_origin_and_host),
	    cmocka_unit_test(origin_check_trusts_only_same_origin_of_sec_fetch_site),
	    cmocka_unit_test(origin_check_pairs_loopback_names),
	    cmocka_unit_test(origin_check_finds_listed_origins_exactly),
	    cmocka_unit_test(origin_check_takes_null_only_if_listed),
	    cmocka_unit_test(origin_check_takes_every_origin_where_any_is_configured),
	    cmocka_unit_test(
		origin_allow_echoes_only_what_was_found_and_never_with_credentials_unless_listed),
	    cmocka_unit_test(origin_is_valid_helps_the_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
