/*
 * ws_handshake_test.c: the opening handshake, both sides, as tables of header fields.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/ws_handshake.h"
#include "tests/unit/proto/guard.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455 1.3 */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static const struct slice known[] = {
    {"ringcast.v1", 11},
    {"ringcast.raw", 12},
};

/* Feeds "Name: value" lines, each from memory that ends where the value does. */
static struct ws_handshake
read_fields(const struct guard *g, const char *fields)
{
	struct ws_handshake h;
	size_t len = strlen(fields);
	const char *at = guard_copy(g, fields, len);
	const char *end = at + len;

	ws_handshake_start(&h, known, sizeof known / sizeof known[0]);
	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		const char *colon = memchr(at, ':', (size_t)(end - at));

		line_end = line_end == NULL ? end : line_end;
		assert_non_null(colon);
		ws_handshake_field(&h, slice_of(at, (size_t)(colon - at)),
		    slice_of(colon + 1, (size_t)(line_end - colon - 1)));
		at = line_end == end ? end : line_end + 1;
	}
	return h;
}

#define UPGRADE "Upgrade: websocket\nConnection: Upgrade\n"
#define VERSION "Sec-WebSocket-Version: 13\n"
#define KEY_LINE "Sec-WebSocket-Key: " KEY "\n"
#define PROTOCOL "Sec-WebSocket-Protocol: "

static const struct {
	const char *name, *method, *fields;
	unsigned minor;
	enum ws_handshake_result result;
	unsigned status;
} requests[] = {
    {"plain", "GET", UPGRADE VERSION KEY_LINE, 1, WS_HANDSHAKE_OK, 101},
    {"names without case", "GET",
	"UPGRADE: WebSocket\nconnection: UPGRADE\n"
	"sec-websocket-version: 13\nsec-websocket-KEY: " KEY,
	1, WS_HANDSHAKE_OK, 101},
    {"lists", "GET",
	"Upgrade: h2c , websocket\nConnection: keep-alive,\tUpgrade\n" VERSION KEY_LINE, 1,
	WS_HANDSHAKE_OK, 101},
    {"lists in several fields", "GET",
	"Upgrade: h2c\nUpgrade: websocket\nConnection: keep-alive\n"
	"Connection: , upgrade,\n" VERSION KEY_LINE,
	1, WS_HANDSHAKE_OK, 101},
    {"lists in several fields, ours first", "GET",
	"Upgrade: websocket\nUpgrade: h2c\nConnection: upgrade\n"
	"Connection: keep-alive\n" VERSION KEY_LINE,
	1, WS_HANDSHAKE_OK, 101},
    {"white space around values", "GET",
	"Upgrade: \t websocket \t\nConnection:upgrade\n"
	"Sec-WebSocket-Version:  13 \nSec-WebSocket-Key: \t" KEY " ",
	1, WS_HANDSHAKE_OK, 101},
    {"fields that mean nothing here", "GET",
	"Host: h\nAccept: */*\n" UPGRADE VERSION KEY_LINE "Cookie: a=b", 1, WS_HANDSHAKE_OK, 101},
    {"a key with unused bits set", "GET",
	UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZZ==", 1, WS_HANDSHAKE_OK, 101},
    {"extensions, whichever", "GET",
	UPGRADE VERSION KEY_LINE "Sec-WebSocket-Extensions: x; a=\"b\", permessage-deflate", 1,
	WS_HANDSHAKE_OK, 101},
    {"malformed extensions", "GET",
	UPGRADE VERSION KEY_LINE "Sec-WebSocket-Extensions: permessage-deflate;", 1,
	WS_HANDSHAKE_MALFORMED_EXTENSIONS, 400},
    {"malformed extensions in the second field", "GET",
	UPGRADE VERSION KEY_LINE "Sec-WebSocket-Extensions: permessage-deflate\n"
				 "sec-websocket-extensions: =",
	1, WS_HANDSHAKE_MALFORMED_EXTENSIONS, 400},
    {"extensions that name none", "GET", UPGRADE VERSION KEY_LINE "Sec-WebSocket-Extensions:", 1,
	WS_HANDSHAKE_MALFORMED_EXTENSIONS, 400},
    {"nothing", "GET", "", 1, WS_HANDSHAKE_NO_UPGRADE, 426},
    {"no Upgrade", "GET", "Connection: Upgrade\n" VERSION KEY_LINE, 1, WS_HANDSHAKE_NO_UPGRADE,
	426},
    {"another Upgrade", "GET", "Upgrade: h2c\nConnection: Upgrade\n" VERSION KEY_LINE, 1,
	WS_HANDSHAKE_NO_UPGRADE, 426},
    {"Upgrade that only begins so", "GET",
	"Upgrade: websockets\nConnection: Upgrade\n" VERSION KEY_LINE, 1, WS_HANDSHAKE_NO_UPGRADE,
	426},
    {"empty Upgrade", "GET", "Upgrade:\nConnection: Upgrade\n" VERSION KEY_LINE, 1,
	WS_HANDSHAKE_NO_UPGRADE, 426},
    {"HTTP/1.0", "GET", UPGRADE VERSION KEY_LINE, 0, WS_HANDSHAKE_NO_UPGRADE, 426},
    {"no Connection", "GET", "Upgrade: websocket\n" VERSION KEY_LINE, 1, WS_HANDSHAKE_NO_CONNECTION,
	426},
    {"Connection without upgrade", "GET",
	"Upgrade: websocket\nConnection: keep-alive\n" VERSION KEY_LINE, 1,
	WS_HANDSHAKE_NO_CONNECTION, 426},
    {"POST", "POST", UPGRADE VERSION KEY_LINE, 1, WS_HANDSHAKE_BAD_METHOD, 400},
    {"lower case get", "get", UPGRADE VERSION KEY_LINE, 1, WS_HANDSHAKE_BAD_METHOD, 400},
    {"no version", "GET", UPGRADE KEY_LINE, 1, WS_HANDSHAKE_BAD_VERSION, 426},
    {"version 8", "GET", UPGRADE KEY_LINE "Sec-WebSocket-Version: 8", 1, WS_HANDSHAKE_BAD_VERSION,
	426},
    {"version 013", "GET", UPGRADE KEY_LINE "Sec-WebSocket-Version: 013", 1,
	WS_HANDSHAKE_BAD_VERSION, 426},
    {"version twice", "GET", UPGRADE VERSION VERSION KEY_LINE, 1, WS_HANDSHAKE_BAD_VERSION, 426},
    {"no key", "GET", UPGRADE VERSION, 1, WS_HANDSHAKE_BAD_KEY, 400},
    {"empty key", "GET", UPGRADE VERSION "Sec-WebSocket-Key:", 1, WS_HANDSHAKE_BAD_KEY, 400},
    {"key twice", "GET", UPGRADE VERSION KEY_LINE KEY_LINE, 1, WS_HANDSHAKE_BAD_KEY, 400},
    {"key of 15 bytes", "GET", UPGRADE VERSION "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA", 1,
	WS_HANDSHAKE_BAD_KEY, 400},
    {"key of 17 bytes", "GET", UPGRADE VERSION "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=", 1,
	WS_HANDSHAKE_BAD_KEY, 400},
    {"key of 18 bytes", "GET", UPGRADE VERSION "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAAA", 1,
	WS_HANDSHAKE_BAD_KEY, 400},
    {"key not in base64", "GET", UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ_==", 1,
	WS_HANDSHAKE_BAD_KEY, 400},
    {"key with = inside", "GET", UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j=Q==", 1,
	WS_HANDSHAKE_BAD_KEY, 400},
    {"key with more behind it", "GET", UPGRADE VERSION "Sec-WebSocket-Key: " KEY "AAAA", 1,
	WS_HANDSHAKE_BAD_KEY, 400},
};

static void
ws_handshake_judges_requests(void **state)
{
	struct guard g;

	(void)state;
	guard_open(&g, 4096);
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		struct ws_handshake h = read_fields(&g, requests[i].fields);
		enum ws_handshake_result result =
		    ws_handshake_check(&h, slice_text(requests[i].method), requests[i].minor);

		if (result != requests[i].result)
			fail_msg("%s: %d instead of %d", requests[i].name, (int)result,
			    (int)requests[i].result);
		assert_int_equal(ws_handshake_status(result), requests[i].status);
		assert_true(strlen(ws_handshake_text(result)) > 0);
	}
	guard_close(&g);
}

static void
ws_handshake_is_wanted_when_only_the_key_came_through(void **state)
{
	static const struct {
		const char *fields;
		bool wanted;
	} cases[] = {
	    {"Host: h\n", false},
	    {"Connection: Upgrade\nUpgrade: h2c", false},
	    {"Upgrade: websocket", true},
	    {"Sec-WebSocket-Key: x", true},
	};
	struct guard g;

	(void)state;
	guard_open(&g, 4096);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct ws_handshake h = read_fields(&g, cases[i].fields);

		assert_int_equal(ws_handshake_wanted(&h), cases[i].wanted);
	}
	guard_close(&g);
}

static void
ws_handshake_selects_the_first_known_subprotocol(void **state)
{
	static const struct {
		const char *fields;
		int protocol;
	} cases[] = {
	    {"", -1},
	    {PROTOCOL "", -1},
	    {PROTOCOL "chat", -1},
	    {PROTOCOL "ringcast.v1", 0},
	    {PROTOCOL "ringcast.raw", 1},
	    {PROTOCOL "ringcast.raw, ringcast.v1", 1},
	    {PROTOCOL "chat,ringcast.v1,ringcast.raw", 0},
	    {PROTOCOL "chat , , ringcast.raw ,", 1},
	    {PROTOCOL "chat\n" PROTOCOL "ringcast.raw\n" PROTOCOL "ringcast.v1", 1},
	    {PROTOCOL "Ringcast.v1", -1},
	    {PROTOCOL "ringcast.v10, ringcast.v", -1},
	};
	struct guard g;

	(void)state;
	guard_open(&g, 4096);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct ws_handshake h = read_fields(&g, cases[i].fields);

		assert_int_equal(h.protocol, cases[i].protocol);
	}
	guard_close(&g);
}

static void
ws_handshake_accept_is_that_of_the_rfc(void **state)
{
	char accept[WS_HANDSHAKE_ACCEPT_CHARS];

	(void)state;
	ws_handshake_accept(accept, SLICE_LITERAL(KEY));
	assert_memory_equal(accept, ACCEPT, sizeof accept);
}

static void
assert_rendered(const struct out *o, const char *expected)
{
	assert_false(out_cut(o));
	assert_int_equal(o->len, strlen(expected));
	assert_memory_equal(o->bytes, expected, o->len);
}

static void
ws_handshake_renders_the_answer(void **state)
{
	static const struct {
		const char *fields, *extensions, *expected;
	} cases[] = {
	    {KEY_LINE, "",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n"},
	    {KEY_LINE PROTOCOL "ringcast.raw", "",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: " ACCEPT "\r\nSec-WebSocket-Protocol: ringcast.raw\r\n\r\n"},
	    {KEY_LINE PROTOCOL "chat", "permessage-deflate",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: " ACCEPT
		"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"},
	};
	struct guard g;

	(void)state;
	guard_open(&g, 4096);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct ws_handshake h = read_fields(&g, cases[i].fields);
		char text[512];
		struct out o = out_to(text, sizeof text);

		ws_handshake_render_answer(&o, &h, slice_text(cases[i].extensions));
		assert_rendered(&o, cases[i].expected);
	}
	guard_close(&g);
}

static void
ws_handshake_renders_the_request(void **state)
{
	char text[512];
	struct out o = out_to(text, sizeof text);

	(void)state;
	ws_handshake_render_request(&o, SLICE_LITERAL("localhost:8080"),
	    SLICE_LITERAL("/events?channel=x"), SLICE_LITERAL(KEY), SLICE_LITERAL("ringcast.v1"));
	assert_rendered(&o,
	    "GET /events?channel=x HTTP/1.1\r\nHost: localhost:8080\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Protocol: ringcast.v1\r\n\r\n");
	o = out_to(text, sizeof text);
	ws_handshake_render_request(
	    &o, SLICE_LITERAL("h"), SLICE_LITERAL("/"), SLICE_LITERAL(KEY), SLICE_LITERAL(""));
	assert_null(memmem(text, o.len, "Protocol", 8));
}

static void
ws_handshake_verifies_the_answer(void **state)
{
#define ACCEPT_LINE "Sec-WebSocket-Accept: " ACCEPT "\n"
	static const struct {
		const char *name, *fields;
		unsigned status;
		enum ws_handshake_result result;
	} cases[] = {
	    {"plain", UPGRADE ACCEPT_LINE, 101, WS_HANDSHAKE_OK},
	    {"with one of ours", UPGRADE ACCEPT_LINE PROTOCOL "ringcast.v1", 101, WS_HANDSHAKE_OK},
	    {"with one of ours in a list", UPGRADE ACCEPT_LINE PROTOCOL ", ringcast.v1 ,", 101,
		WS_HANDSHAKE_OK},
	    {"200", UPGRADE ACCEPT_LINE, 200, WS_HANDSHAKE_BAD_STATUS},
	    {"426", "", 426, WS_HANDSHAKE_BAD_STATUS},
	    {"no Upgrade", "Connection: Upgrade\n" ACCEPT_LINE, 101, WS_HANDSHAKE_NO_UPGRADE},
	    {"no Connection", "Upgrade: websocket\n" ACCEPT_LINE, 101, WS_HANDSHAKE_NO_CONNECTION},
	    {"no Accept", UPGRADE, 101, WS_HANDSHAKE_BAD_ACCEPT},
	    {"Accept twice", UPGRADE ACCEPT_LINE ACCEPT_LINE, 101, WS_HANDSHAKE_BAD_ACCEPT},
	    {"another's Accept", UPGRADE "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=", 101,
		WS_HANDSHAKE_BAD_ACCEPT},
	    {"the key itself", UPGRADE "Sec-WebSocket-Accept: " KEY, 101, WS_HANDSHAKE_BAD_ACCEPT},
	    {"a protocol not offered", UPGRADE ACCEPT_LINE PROTOCOL "chat", 101,
		WS_HANDSHAKE_BAD_PROTOCOL},
	    {"two protocols", UPGRADE ACCEPT_LINE PROTOCOL "ringcast.v1, ringcast.raw", 101,
		WS_HANDSHAKE_BAD_PROTOCOL},
	    {"an extension", UPGRADE ACCEPT_LINE "Sec-WebSocket-Extensions: permessage-deflate",
		101, WS_HANDSHAKE_BAD_EXTENSION},
	};
	struct guard g;

	(void)state;
	guard_open(&g, 4096);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct ws_handshake h = read_fields(&g, cases[i].fields);
		enum ws_handshake_result result =
		    ws_handshake_verify(&h, cases[i].status, SLICE_LITERAL(KEY));

		if (result != cases[i].result)
			fail_msg("%s: %d instead of %d", cases[i].name, (int)result,
			    (int)cases[i].result);
	}
	guard_close(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ws_handshake_judges_requests),
	    cmocka_unit_test(ws_handshake_is_wanted_when_only_the_key_came_through),
	    cmocka_unit_test(ws_handshake_selects_the_first_known_subprotocol),
	    cmocka_unit_test(ws_handshake_accept_is_that_of_the_rfc),
	    cmocka_unit_test(ws_handshake_renders_the_answer),
	    cmocka_unit_test(ws_handshake_renders_the_request),
	    cmocka_unit_test(ws_handshake_verifies_the_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
