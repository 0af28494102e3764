/*
 * http_media_test.c: the contract's table of bodies, and what counts as asking for SSE.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/http_media.h"

static void
http_media_of_follows_the_table_of_bodies(void **state)
{
	static const struct {
		const char *type;
		enum http_media media;
	} cases[] = {
	    {"", HTTP_MEDIA_NONE},
	    {" \t", HTTP_MEDIA_NONE},
	    {"application/json", HTTP_MEDIA_JSON},
	    {"Application/JSON", HTTP_MEDIA_JSON},
	    {"application/json; charset=utf-8", HTTP_MEDIA_JSON},
	    {"application/json;charset=\"UTF-8\"", HTTP_MEDIA_JSON},
	    {"application/json ; x=y; charset=utf8", HTTP_MEDIA_JSON},
	    {"application/json; x=\";charset=latin1\"", HTTP_MEDIA_JSON},
	    {"application/json; x=\"\\\";charset=latin1\"", HTTP_MEDIA_JSON},
	    {"application/json;", HTTP_MEDIA_JSON},
	    {"application/json; charset", HTTP_MEDIA_JSON},
	    {"application/problem+json", HTTP_MEDIA_JSON},
	    {"image/x+JSON", HTTP_MEDIA_JSON},
	    {"text/plain", HTTP_MEDIA_TEXT},
	    {"TEXT/csv; header=present", HTTP_MEDIA_TEXT},
	    {"text/plain; charset=us-ascii", HTTP_MEDIA_TEXT},
	    {"text/json", HTTP_MEDIA_TEXT},
	    {"application/x-www-form-urlencoded", HTTP_MEDIA_FORM},
	    {"application/x-ndjson", HTTP_MEDIA_NDJSON},
	    {"application/x-ndjson; charset=utf-8", HTTP_MEDIA_NDJSON},
	    {"multipart/form-data; boundary=x", HTTP_MEDIA_MULTIPART},
	    {"multipart/mixed; charset=latin1", HTTP_MEDIA_MULTIPART},
	    {"application/octet-stream", HTTP_MEDIA_OTHER},
	    {"application/octet-stream; charset=latin1", HTTP_MEDIA_OTHER},
	    {"application/jsonx", HTTP_MEDIA_OTHER},
	    {"application/xjson", HTTP_MEDIA_OTHER},
	    {"x/json", HTTP_MEDIA_OTHER},
	    {"application/json-seq", HTTP_MEDIA_OTHER},
	    {"image/png", HTTP_MEDIA_OTHER},
	    {"text/plain; charset=iso-8859-1", HTTP_MEDIA_BAD_CHARSET},
	    {"text/plain; charset=", HTTP_MEDIA_BAD_CHARSET},
	    {"application/json; CharSet=\"utf-16\"", HTTP_MEDIA_BAD_CHARSET},
	    {"application/problem+json;charset=windows-1252", HTTP_MEDIA_BAD_CHARSET},
	    {"application/x-ndjson; charset=latin1", HTTP_MEDIA_BAD_CHARSET},
	    {"text/plain; charset=utf-8; charset=latin1", HTTP_MEDIA_BAD_CHARSET},
	    {"json", HTTP_MEDIA_MALFORMED},
	    {"/", HTTP_MEDIA_MALFORMED},
	    {"text/", HTTP_MEDIA_MALFORMED},
	    {"/plain", HTTP_MEDIA_MALFORMED},
	    {"text/pl ain", HTTP_MEDIA_MALFORMED},
	    {"text/plain, text/html", HTTP_MEDIA_MALFORMED},
	    {"text/plain/x", HTTP_MEDIA_MALFORMED},
	    {";charset=utf-8", HTTP_MEDIA_MALFORMED},
	};

	(void)state;
	assert_int_equal(http_media_of(slice_of(NULL, 0)), HTTP_MEDIA_NONE);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (http_media_of(slice_text(cases[i].type)) != cases[i].media)
			fail_msg("%s", cases[i].type);
}

static void
http_media_accepts_only_what_is_named(void **state)
{
	static const struct {
		const char *accept;
		bool accepts;
	} cases[] = {
	    {"", false},
	    {"text/event-stream", true},
	    {"Text/Event-Stream", true},
	    {"text/html, text/event-stream", true},
	    {"text/html,text/event-stream;q=0.1", true},
	    {"text/event-stream ; charset=utf-8 ; q=1.000", true},
	    {"text/event-stream;q=0", false},
	    {"text/event-stream; Q=0.000", false},
	    {"text/event-stream;q=0.001", true},
	    {"text/event-stream;q=0, text/event-stream", true},
	    {"text/event-stream;q=", true},
	    {"*/*", false},
	    {"text/*", false},
	    {"text/event-streamx", false},
	    {"xtext/event-stream", false},
	    {"text/event", false},
	    {"a/b;c=\", text/event-stream\"", false},
	    {"a/b;c=\"text/event-stream, d/e", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (http_media_accepts(slice_text(cases[i].accept),
			SLICE_LITERAL("text/event-stream")) != cases[i].accepts)
			fail_msg("%s", cases[i].accept);
	assert_false(http_media_accepts(slice_of(NULL, 0), SLICE_LITERAL("text/event-stream")));
}

static void
http_media_accepts_gzip_by_its_weight(void **state)
{
	static const struct {
		const char *fields;
		bool accepts;
	} cases[] = {
	    {"", false},
	    {"Accept-Encoding:\r\n", false},
	    {"Accept-Encoding: gzip\r\n", true},
	    {"Accept-Encoding: x-GZip\r\n", true},
	    {"Accept-Encoding: br, gzip, deflate\r\n", true},
	    {"Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n", true},
	    {"Accept-Encoding: br, deflate, gzi, xgzip, gzipx\r\n", false},
	    {"Accept-Encoding: gzip;q=0\r\n", false},
	    {"Accept-Encoding: gzip;q=0.000\r\n", false},
	    {"Accept-Encoding: gzip ; Q=0.001\r\n", true},
	    {"Accept-Encoding: gzip;q=1.000\r\n", true},
	    {"Accept-Encoding: gzip;q=1.\r\n", true},
	    {"Accept-Encoding: gzip;q=1.001\r\n", false},
	    {"Accept-Encoding: gzip;q=0.0001\r\n", false},
	    {"Accept-Encoding: gzip;q=2\r\n", false},
	    {"Accept-Encoding: gzip;q=.5\r\n", false},
	    {"Accept-Encoding: gzip;q=-1\r\n", false},
	    {"Accept-Encoding: gzip;q=x\r\n", false},
	    {"Accept-Encoding: gzip;q=\r\n", false},
	    {"Accept-Encoding: *\r\n", true},
	    {"Accept-Encoding: *;q=0\r\n", false},
	    {"Accept-Encoding: *;q=0, gzip\r\n", true},
	    {"Accept-Encoding: gzip;q=0, *\r\n", false},
	    {"Accept-Encoding: gzip, x-gzip;q=0\r\n", false},
	    {"Accept-Encoding: identity\r\n", false},
	    {"Accept-Encoding: identity, gzip\r\n", true},
	    {"Accept-Encoding: identity, gzip;q=0.9\r\n", false},
	    {"Accept-Encoding: identity;q=0.5, gzip;q=0.9\r\n", true},
	    {"Accept-Encoding: identity;q=0, *\r\n", true},
	    {"Accept-Encoding: *;q=0.5, gzip;q=0.2\r\n", false},
	    {"Accept-Encoding: *;q=0.5, gzip;q=0.2, identity;q=0.1\r\n", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct http_request_options options = {.head_bytes_max = 4096};
		struct http_request request;
		char head[256];
		struct out o = out_to(head, sizeof head);

		out_text(&o, "GET / HTTP/1.1\r\nHost: x\r\n");
		out_text(&o, cases[i].fields);
		out_text(&o, "\r\n");
		assert_true(http_request_parse(&request, slice_of(head, o.len), 0, &options) > 0);
		if (http_media_accepts_gzip(&request) != cases[i].accepts)
			fail_msg("%s", cases[i].fields);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(http_media_of_follows_the_table_of_bodies),
	    cmocka_unit_test(http_media_accepts_only_what_is_named),
	    cmocka_unit_test(http_media_accepts_gzip_by_its_weight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
