/*
 * ctl_url_test.c: addresses of servers as --url takes them.
 */
#include "tests/unit/master/ctl_fixture.h"

#include "master/ctl/url.h"

static void
a_url_is_taken_apart(void **state)
{
	static const struct {
		const char *text, *host, *port, *authority, *path, *file;
	} table[] = {
	    {"http://127.0.0.1:8080", "127.0.0.1", "8080", "127.0.0.1:8080", "", ""},
	    {"http://127.0.0.1:8080/", "127.0.0.1", "8080", "127.0.0.1:8080", "", ""},
	    {"http://example.org", "example.org", "80", "example.org", "", ""},
	    {"http://[::1]:9/push/", "::1", "9", "[::1]:9", "/push", ""},
	    {"ws://h/a/b", "h", "80", "h", "/a/b", ""},
	    {"unix:/run/x.sock", "", "", "localhost", "", "/run/x.sock"},
	    {"unix:/run/x:y.sock", "", "", "localhost", "", "/run/x:y.sock"},
	    {"unix:/run/x.sock:/push/", "", "", "localhost", "/push", "/run/x.sock"},
	    {"unix:/run/x.sock:/", "", "", "localhost", "", "/run/x.sock"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct url url;

		assert_null(url_parse(table[i].text, &url));
		assert_string_equal(url.host, table[i].host);
		assert_string_equal(url.port, table[i].port);
		assert_string_equal(url.authority, table[i].authority);
		assert_string_equal(url.path, table[i].path);
		assert_string_equal(url.file, table[i].file);
	}
}

static void
what_is_no_address_of_a_server_is_refused_with_a_reason(void **state)
{
	static const struct {
		const char *text, *says;
	} table[] = {
	    {"", "begins with http://"},
	    {"localhost:8080", "begins with http://"},
	    {"ftp://x", "begins with http://"},
	    {"https://x", "TLS"},
	    {"wss://x", "TLS"},
	    {"http://", "host is missing"},
	    {"http://:80", "host is missing"},
	    {"http://h:x", "malformed"},
	    {"http://h:99999", "malformed"},
	    {"http://[::1", "malformed"},
	    {"http://u:p@h/", "a user"},
	    {"http://h/events?channel=a", "the channels are arguments"},
	    {"http://h/#x", "the channels are arguments"},
	    {"unix:x.sock", "absolute path"},
	    {"unix:/x:/events?channel=a", "the channels are arguments"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct url url;
		const char *wrong = url_parse(table[i].text, &url);

		if (wrong == NULL || strstr(wrong, table[i].says) == NULL)
			fail_msg("%s: %s", table[i].text, wrong);
	}
}

static void
no_length_writes_past_the_buffers(void **state)
{
	static const struct {
		const char *before, *after;
	} forms[] = {{"http://", ""}, {"http://h/", ""}, {"http://[", "]"}, {"unix:/", ""},
	    {"unix:/x:/", ""}, {"http://", ":80/x"}};

	(void)state;
	for (size_t len = 1; len < 1400; len++) {
		char part[1500], text[1600];
		struct url url;

		memset(part, 'a', len);
		part[len] = '\0';
		for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
			snprintf(
			    text, sizeof text, "%s%s%s", forms[i].before, part, forms[i].after);
			(void)url_parse(text, &url);
			assert_true(memchr(url.host, 0, sizeof url.host) != NULL);
			assert_true(memchr(url.path, 0, sizeof url.path) != NULL);
			assert_true(memchr(url.file, 0, sizeof url.file) != NULL);
			assert_true(memchr(url.authority, 0, sizeof url.authority) != NULL);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_url_is_taken_apart),
	    cmocka_unit_test(what_is_no_address_of_a_server_is_refused_with_a_reason),
	    cmocka_unit_test(no_length_writes_past_the_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
