/*
 * http_response_test.c: heads of answers byte for byte, error answers, and that nothing of a
 * client's can begin a line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/http_body.h"
#include "proto/http_reply.h"
#include "proto/http_response.h"

static void
assert_written(const struct out *o, const char *want)
{
	assert_false(out_cut(o));
	if (!slice_equal(slice_of(o->bytes, o->len), slice_text(want)))
		fail_msg("wrote: %.*s", (int)o->len, o->bytes);
}

static void
http_response_head_writes_what_is_set_and_nothing_else(void **state)
{
	char bytes[1024];
	struct out o = out_to(bytes, sizeof bytes);
	struct http_response r = {.status = 200};

	(void)state;
	http_response_head(&o, &r);
	assert_written(&o, "HTTP/1.1 200 OK\r\n\r\n");

	const struct http_field extra[] = {
	    {SLICE_LITERAL("X-Accel-Buffering"), SLICE_LITERAL("no")},
	    {SLICE_LITERAL("Y"), SLICE_LITERAL("")},
	};
	r = (struct http_response){
	    .status = 405,
	    .framing = HTTP_FRAMING_LENGTH,
	    .content_length = 18446744073709551615U,
	    .close = true,
	    .retry_after_s = 7,
	    .content_type = SLICE_LITERAL("text/plain"),
	    .cache_control = SLICE_LITERAL("no-cache"),
	    .date = SLICE_LITERAL("Mon, 23 Nov 2026 02:22:04 GMT"),
	    .allow = SLICE_LITERAL("GET, HEAD"),
	    .www_authenticate = SLICE_LITERAL("Bearer"),
	    .cors = {SLICE_LITERAL("https://a.example"), true, true},
	    .extra = extra,
	    .extra_count = 2,
	};
	o = out_to(bytes, sizeof bytes);
	http_response_head(&o, &r);
	assert_written(&o, "HTTP/1.1 405 Method Not Allowed\r\n"
			   "Date: Mon, 23 Nov 2026 02:22:04 GMT\r\n"
			   "Content-Type: text/plain\r\n"
			   "Content-Length: 18446744073709551615\r\n"
			   "Cache-Control: no-cache\r\n"
			   "Allow: GET, HEAD\r\n"
			   "WWW-Authenticate: Bearer\r\n"
			   "Retry-After: 7\r\n"
			   "Access-Control-Allow-Origin: https://a.example\r\n"
			   "Access-Control-Allow-Credentials: true\r\n"
			   "Access-Control-Expose-Headers: Retry-After, WWW-Authenticate\r\n"
			   "Vary: Origin\r\n"
			   "X-Accel-Buffering: no\r\n"
			   "Y: \r\n"
			   "Connection: close\r\n\r\n");
}

static void
http_response_head_names_the_framing(void **state)
{
	static const struct {
		enum http_framing framing;
		const char *want;
	} cases[] = {
	    {HTTP_FRAMING_NONE, "HTTP/1.1 200 OK\r\n\r\n"},
	    {HTTP_FRAMING_UNTIL_CLOSE, "HTTP/1.1 200 OK\r\n\r\n"},
	    {HTTP_FRAMING_LENGTH, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	    {HTTP_FRAMING_CHUNKED, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char bytes[256];
		struct out o = out_to(bytes, sizeof bytes);
		struct http_response r = {.status = 200, .framing = cases[i].framing};

		http_response_head(&o, &r);
		assert_written(&o, cases[i].want);
	}
}

static void
http_response_head_keeps_only_vary_for_an_origin_that_is_not_allowed(void **state)
{
	char bytes[256];
	struct out o = out_to(bytes, sizeof bytes);
	struct http_response r = {.status = 200, .cors = {.credentials = true, .vary = true}};

	(void)state;
	http_response_head(&o, &r);
	assert_written(&o, "HTTP/1.1 200 OK\r\nVary: Origin\r\n\r\n");
}

static void
http_response_head_lets_no_value_begin_a_line(void **state)
{
	char bytes[256];
	struct out o = out_to(bytes, sizeof bytes);
	struct http_response r = {
	    .status = 200,
	    .cors = {.allow_origin = SLICE_LITERAL("a\r\nSet-Cookie: b\0\x7f")},
	};

	(void)state;
	http_response_head(&o, &r);
	assert_written(&o, "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: a??Set-Cookie: b??\r\n"
			   "Access-Control-Expose-Headers: Retry-After, WWW-Authenticate\r\n\r\n");
}

static void
http_response_error_writes_head_and_body(void **state)
{
	char bytes[1024];
	struct out o = out_to(bytes, sizeof bytes);
	struct http_response template = {.close = true};

	(void)state;
	http_response_error(&o, &template, ERROR_BAD_AFTER, SLICE_LITERAL("not \"an\" id"));
	assert_written(&o,
	    "HTTP/1.1 400 Bad Request\r\n"
	    "Content-Type: application/json\r\n"
	    "Content-Length: 56\r\n"
	    "Cache-Control: no-store\r\n"
	    "Connection: close\r\n\r\n"
	    "{\"error\":{\"code\":\"bad_after\",\"message\":\"not \\\"an\\\" id\"}}");
}

static void
http_response_error_leaves_the_body_out_for_head(void **state)
{
	char bytes[1024];
	struct out o = out_to(bytes, sizeof bytes);
	struct http_response template = {
	    .head_only = true, .cache_control = SLICE_LITERAL("no-cache")};

	(void)state;
	http_response_error(&o, &template, ERROR_NOT_FOUND, SLICE_LITERAL("x"));
	assert_written(&o, "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n"
			   "Content-Length: 44\r\nCache-Control: no-cache\r\n\r\n");
}

static void
http_response_error_adds_what_its_status_asks_for(void **state)
{
	static const struct {
		enum error_code code;
		const char *field, *value;
	} cases[] = {
	    {ERROR_UNAUTHORIZED, "WWW-Authenticate", "Bearer"},
	    {ERROR_TOKEN_EXPIRED, "WWW-Authenticate", "Bearer"},
	    {ERROR_RATE_LIMITED, "Retry-After", "1"},
	    {ERROR_OVERLOADED, "Retry-After", "1"},
	    {ERROR_DRAINING, "Retry-After", "1"},
	    {ERROR_UPGRADE_REQUIRED, "Upgrade", "websocket"},
	    {ERROR_UPGRADE_REQUIRED, "Connection", "upgrade"},
	};
	char bytes[1024];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct out o = out_to(bytes, sizeof bytes);
		struct http_response template = {.status = 0};
		struct http_reply reply;

		http_response_error(&o, &template, cases[i].code, SLICE_LITERAL("x"));
		assert_true(http_reply_parse(&reply, slice_of(bytes, o.len), 0, sizeof bytes) > 0);
		assert_true(slice_equal(http_reply_field(&reply, slice_text(cases[i].field)),
		    slice_text(cases[i].value)));
	}
}

/*
 * Every code's answer, cut by no limit, reads back as what was meant, and its body ends where it
 * says.
 */
static void
http_response_error_is_read_back_by_our_own_client(void **state)
{
	char bytes[1024];

	(void)state;
	for (enum error_code code = ERROR_BAD_REQUEST; code < ERROR_CODES; code++) {
		struct out o = out_to(bytes, sizeof bytes);
		struct http_response template = {.retry_after_s = 9};
		struct http_reply reply;

		http_response_error(&o, &template, code, SLICE_LITERAL("a\nb"));
		ptrdiff_t head = http_reply_parse(&reply, slice_of(bytes, o.len), 0, sizeof bytes);
		assert_true(head > 0);
		assert_int_equal(reply.status, error_status(code));
		assert_int_equal(reply.content_length, o.len - (size_t)head);
		assert_true(slice_equal(
		    http_reply_field(&reply, SLICE_LITERAL("Retry-After")), SLICE_LITERAL("9")));
		assert_true(memcmp(bytes + head, "{\"error\":{\"code\":\"", 18) == 0);
		assert_string_not_equal(http_response_reason(reply.status), "Unknown");
	}
}

static void
http_response_error_that_does_not_fit_is_cut_and_says_how_much_it_needs(void **state)
{
	char bytes[1024];
	struct out whole = out_to(bytes, sizeof bytes);
	struct http_response template = {.close = true};

	(void)state;
	http_response_error(&whole, &template, ERROR_INTERNAL, SLICE_LITERAL("x"));
	for (size_t cap = 0; cap < whole.len; cap++) {
		struct out o = out_to(bytes, cap);

		http_response_error(&o, &template, ERROR_INTERNAL, SLICE_LITERAL("x"));
		assert_true(out_cut(&o));
		assert_int_equal(o.need, whole.len);
	}
}

static void
http_response_preflight_says_what_the_contract_allows(void **state)
{
	char bytes[1024];
	struct out o = out_to(bytes, sizeof bytes);
	struct http_response template = {.cors = {SLICE_LITERAL("http://a"), false, true}};

	(void)state;
	http_response_preflight(&o, &template, SLICE_LITERAL("GET, POST"));
	assert_written(&o,
	    "HTTP/1.1 204 No Content\r\n"
	    "Access-Control-Allow-Origin: http://a\r\n"
	    "Access-Control-Expose-Headers: Retry-After, WWW-Authenticate\r\n"
	    "Vary: Origin\r\n"
	    "Access-Control-Allow-Methods: GET, POST\r\n"
	    "Access-Control-Allow-Headers: Authorization, Content-Type, Last-Event-ID, "
	    "Idempotency-Key\r\n"
	    "Access-Control-Max-Age: 86400\r\n\r\n");

	template.cors.allow_origin = slice_of(NULL, 0);
	o = out_to(bytes, sizeof bytes);
	http_response_preflight(&o, &template, SLICE_LITERAL("GET"));
	assert_written(&o, "HTTP/1.1 204 No Content\r\nVary: Origin\r\n\r\n");
}

static void
http_response_chunks_are_read_back_by_our_own_decoder(void **state)
{
	static char data[5000], bytes[8192];
	struct out o = out_to(bytes, sizeof bytes);
	struct http_body body;
	struct slice rest, got;
	size_t total = 0;

	(void)state;
	memset(data, 'x', sizeof data);
	http_response_chunk(&o, slice_of(data, 0)); /* would end the body */
	http_response_chunk(&o, slice_of(data, 1));
	http_response_chunk(&o, slice_of(data, 15));
	http_response_chunk(&o, slice_of(data, 16));
	http_response_chunk(&o, slice_of(data, sizeof data));
	http_response_chunk_end(&o);

	rest = slice_of(bytes, o.len);
	http_body_start(&body, HTTP_FRAMING_CHUNKED, 0, UINT64_MAX);
	while (!http_body_complete(&body)) {
		ptrdiff_t n = http_body_next(&body, rest, &got);
		assert_true(n > 0);
		total += got.len;
		rest = slice_of(rest.bytes + n, rest.len - (size_t)n);
	}
	assert_int_equal(rest.len, 0);
	assert_int_equal(total, 1 + 15 + 16 + sizeof data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(http_response_head_writes_what_is_set_and_nothing_else),
	    cmocka_unit_test(http_response_head_names_the_framing),
	    cmocka_unit_test(http_response_head_keeps_only_vary_for_an_origin_that_is_not_allowed),
	    cmocka_unit_test(http_response_head_lets_no_value_begin_a_line),
	    cmocka_unit_test(http_response_error_writes_head_and_body),
	    cmocka_unit_test(http_response_error_leaves_the_body_out_for_head),
	    cmocka_unit_test(http_response_error_adds_what_its_status_asks_for),
	    cmocka_unit_test(http_response_error_is_read_back_by_our_own_client),
	    cmocka_unit_test(
		http_response_error_that_does_not_fit_is_cut_and_says_how_much_it_needs),
	    cmocka_unit_test(http_response_preflight_says_what_the_contract_allows),
	    cmocka_unit_test(http_response_chunks_are_read_back_by_our_own_decoder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
