/*
 * error_test.c: the words and statuses of the contract, and messages that quote strangers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/error.h"

static void
error_words_and_statuses_are_the_contracts(void **state)
{
	static const struct {
		enum error_code code;
		const char *word;
		unsigned status;
	} cases[] = {
	    {ERROR_NONE, "", 0},
	    {ERROR_BAD_REQUEST, "bad_request", 400},
	    {ERROR_BAD_JSON, "bad_json", 400},
	    {ERROR_BAD_UTF8, "bad_utf8", 400},
	    {ERROR_BAD_CHANNEL, "bad_channel", 400},
	    {ERROR_BAD_AFTER, "bad_after", 400},
	    {ERROR_NO_CHANNEL, "no_channel", 400},
	    {ERROR_UNAUTHORIZED, "unauthorized", 401},
	    {ERROR_TOKEN_EXPIRED, "token_expired", 401},
	    {ERROR_FORBIDDEN, "forbidden", 403},
	    {ERROR_ORIGIN_FORBIDDEN, "origin_forbidden", 403},
	    {ERROR_NOT_FOUND, "not_found", 404},
	    {ERROR_METHOD_NOT_ALLOWED, "method_not_allowed", 405},
	    {ERROR_TIMEOUT, "timeout", 408},
	    {ERROR_TOO_LARGE, "too_large", 413},
	    {ERROR_URI_TOO_LONG, "uri_too_long", 414},
	    {ERROR_UNSUPPORTED_TYPE, "unsupported_type", 415},
	    {ERROR_UPGRADE_REQUIRED, "upgrade_required", 426},
	    {ERROR_RATE_LIMITED, "rate_limited", 429},
	    {ERROR_TOO_MANY_CHANNELS, "too_many_channels", 429},
	    {ERROR_TOO_MANY_CONNECTIONS, "too_many_connections", 429},
	    {ERROR_HEADERS_TOO_LARGE, "headers_too_large", 431},
	    {ERROR_INTERNAL, "internal", 500},
	    {ERROR_OVERLOADED, "overloaded", 503},
	    {ERROR_DRAINING, "draining", 503},
	    {ERROR_UNKNOWN_OP, "unknown_op", 400},
	};

	(void)state;
	assert_int_equal(sizeof cases / sizeof cases[0], ERROR_CODES);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(cases[i].code, i);
		assert_string_equal(error_word(cases[i].code), cases[i].word);
		assert_int_equal(error_status(cases[i].code), cases[i].status);
		assert_int_equal(error_is_temporary(cases[i].code),
		    cases[i].status == 429 || cases[i].status >= 500);
	}
}

static void
error_json_is_valid_whatever_the_message(void **state)
{
	static const struct {
		struct slice message;
		const char *want;
	} cases[] = {
	    {SLICE_LITERAL(""), ""},
	    {SLICE_LITERAL("plain"), "plain"},
	    {SLICE_LITERAL("a\"b\\c/d"), "a\\\"b\\\\c/d"},
	    {SLICE_LITERAL("\0\x01\n\r\t\x1f\x7f"),
		"\\u0000\\u0001\\u000a\\u000d\\u0009\\u001f\\u007f"},
	    {SLICE_LITERAL("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"),
		"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"},
	    /* Cut, overlong, surrogate, beyond the last, stray. */
	    {SLICE_LITERAL("\xc3"), "?"},
	    {SLICE_LITERAL("\xe2\x82x"), "??x"},
	    {SLICE_LITERAL("\xc0\xaf"), "??"},
	    {SLICE_LITERAL("\xe0\x80\xaf"), "???"},
	    {SLICE_LITERAL("\xed\xa0\x80"), "???"},
	    {SLICE_LITERAL("\xf0\x80\x80\x80"), "????"},
	    {SLICE_LITERAL("\xf4\x90\x80\x80"), "????"},
	    {SLICE_LITERAL("\xff\x80\xc3\xa4"), "??\xc3\xa4"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char have[256], want[256];
		struct out h = out_to(have, sizeof have), w = out_to(want, sizeof want);

		error_json(&h, ERROR_FORBIDDEN, cases[i].message);
		out_text(&w, "{\"error\":{\"code\":\"forbidden\",\"message\":\"");
		out_text(&w, cases[i].want);
		out_text(&w, "\"}}");
		assert_int_equal(h.len, w.len);
		assert_memory_equal(have, want, w.len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(error_words_and_statuses_are_the_contracts),
	    cmocka_unit_test(error_json_is_valid_whatever_the_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
