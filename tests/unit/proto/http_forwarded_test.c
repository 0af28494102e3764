/*
 * http_forwarded_test.c: which address counts behind proxies, also when the client lies about it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/http_forwarded.h"

static const struct http_request_options options = {.head_bytes_max = 4096};

/* A request with these lines behind its Host; the text must outlive it. */
static struct http_request
request_of(char *head, size_t cap, const char *lines)
{
	struct out o = out_to(head, cap);
	struct http_request request;

	out_text(&o, "GET / HTTP/1.1\r\nHost: h\r\n");
	out_text(&o, lines);
	out_text(&o, "\r\n");
	assert_int_equal(http_request_parse(&request, slice_of(head, o.len), 0, &options), o.len);
	return request;
}

static void
http_forwarded_client_walks_from_right_to_left_over_trusted_proxies(void **state)
{
	static const struct {
		const char *lines;
		const char *client; /* NULL: the peer is the client */
	} cases[] = {
	    {"", NULL},
	    {"X-Forwarded-For:\r\n", NULL},
	    {"X-Forwarded-For: ,,\r\n", NULL},
	    {"X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"},
	    {"X-Forwarded-For: 192.0.2.1, 10.0.0.2\r\n", "192.0.2.1"},
	    {"X-Forwarded-For: 192.0.2.1,10.0.0.2 ,10.0.0.3\r\n", "192.0.2.1"},
	    {"X-Forwarded-For: 10.0.0.2, 10.0.0.3\r\n", "10.0.0.2"},
	    {"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 10.0.0.2\r\n", "192.0.2.1"},
	    {"X-Forwarded-For: 10.0.0.2\r\nX-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"},
	    /* What the client wrote itself stands left of what it is. */
	    {"X-Forwarded-For: 198.51.100.9, 192.0.2.1\r\n", "192.0.2.1"},
	    {"X-Forwarded-For: 10.0.0.9, 192.0.2.1, 10.0.0.2\r\n", "192.0.2.1"},
	    {"X-Forwarded-For: 198.51.100.9, unknown, 10.0.0.2\r\n", "10.0.0.2"},
	    {"X-Forwarded-For: 198.51.100.9, unknown\r\n", NULL},
	    {"X-Forwarded-For: unknown, 192.0.2.1\r\n", "192.0.2.1"},
	    {"X-Forwarded-For: \"198.51.100.9, 192.0.2.1\r\n", "192.0.2.1"},
	    {"X-Forwarded-For: \", 192.0.2.1, 10.0.0.2\r\n", "192.0.2.1"},
	    /* With ports, as some balancers write them. */
	    {"X-Forwarded-For: 192.0.2.1:4711\r\n", "192.0.2.1"},
	    {"X-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1"},
	    {"X-Forwarded-For: [2001:db8::1]\r\n", "2001:db8::1"},
	    {"X-Forwarded-For: [2001:db8::1]:4711, fd00::1\r\n", "2001:db8::1"},
	    {"X-Forwarded-For: [192.0.2.1]\r\n", NULL},
	    {"X-Forwarded-For: example.com\r\n", NULL},
	};
	struct address_range trusted[2];
	char head[1024];

	(void)state;
	assert_true(address_range_parse(&trusted[0], SLICE_LITERAL("10.0.0.0/8")));
	assert_true(address_range_parse(&trusted[1], SLICE_LITERAL("fd00::/8")));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct http_request r = request_of(head, sizeof head, cases[i].lines);
		struct address client, want;
		bool found = http_forwarded_client(&r, trusted, 2, &client);

		if (found != (cases[i].client != NULL))
			fail_msg("%s", cases[i].lines);
		if (found) {
			assert_true(address_parse(&want, slice_text(cases[i].client)));
			if (!address_equal(&client, &want))
				fail_msg("%s", cases[i].lines);
		}
	}
}

static void
http_forwarded_scheme_is_known_only_where_all_elements_agree(void **state)
{
	static const struct {
		const char *lines;
		enum http_scheme scheme;
	} cases[] = {
	    {"", HTTP_SCHEME_UNKNOWN},
	    {"X-Forwarded-Proto: https\r\n", HTTP_SCHEME_HTTPS},
	    {"X-Forwarded-Proto: HTTP\r\n", HTTP_SCHEME_HTTP},
	    {"X-Forwarded-Proto: https, https\r\n", HTTP_SCHEME_HTTPS},
	    {"X-Forwarded-Proto: https\r\nX-Forwarded-Proto: https\r\n", HTTP_SCHEME_HTTPS},
	    {"X-Forwarded-Proto: https, http\r\n", HTTP_SCHEME_UNKNOWN},
	    {"X-Forwarded-Proto: http\r\nX-Forwarded-Proto: https\r\n", HTTP_SCHEME_UNKNOWN},
	    {"X-Forwarded-Proto: wss\r\n", HTTP_SCHEME_HTTPS},
	    {"X-Forwarded-Proto: ws, http\r\n", HTTP_SCHEME_HTTP},
	    {"X-Forwarded-Proto: ftp\r\n", HTTP_SCHEME_UNKNOWN},
	    {"X-Forwarded-Proto: on, https\r\n", HTTP_SCHEME_UNKNOWN},
	    {"X-Forwarded-Proto: https, on\r\n", HTTP_SCHEME_UNKNOWN},
	    {"X-Forwarded-Proto:\r\n", HTTP_SCHEME_UNKNOWN},
	};
	char head[1024];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct http_request r = request_of(head, sizeof head, cases[i].lines);

		if (http_forwarded_scheme(&r) != cases[i].scheme)
			fail_msg("%s", cases[i].lines);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(http_forwarded_client_walks_from_right_to_left_over_trusted_proxies),
	    cmocka_unit_test(http_forwarded_scheme_is_known_only_where_all_elements_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
