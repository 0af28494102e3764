/*
 * bad_input.c: what is wrong gets exactly the answer that the contract names: status and error word
 * on HTTP, close code or error object on a WebSocket, error line on NDJSON, path in a
 * configuration, exit code on a command line.
 *
 * In the tables "{300}" in a text stands for 300 letters.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/publisher.h"
#include "tests/lib/server.h"
#include "tests/lib/talk.h"

#define WAIT_MS 8000
#define REQUEST_BYTES 65536

struct request_row {
	const char *name;
	const char *bytes;
	size_t len;
	int status;
	const char *code;
	bool ends; /* the connection must not go on: nobody can say where the next request begins */
};

#define RAW(text) text, sizeof(text) - 1
#define GET(target) RAW("GET " target " HTTP/1.1\r\nHost: localhost\r\n\r\n")
#define HEAD(fields) RAW("GET /events?channel=room HTTP/1.1\r\nHost: localhost\r\n" fields "\r\n")
#define BODY(target, fields, body) \
	RAW("POST " target " HTTP/1.1\r\nHost: localhost\r\n" fields "\r\n" body)
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: " WIRE_WS_KEY "\r\n"
#define EVIL "Origin: https://evil.example\r\n"

static const struct request_row public_rows[] = {
    /* what is asked for */
    {"no channel", GET("/events"), 400, "no_channel", false},
    {"a reserved channel name", GET("/events?channel=$sys"), 400, "bad_channel", false},
    {"a star in a channel name", GET("/events?channel=a*"), 400, "bad_channel", false},
    {"an empty channel name", GET("/events?channel="), 400, "bad_channel", false},
    {"a channel name of 256 bytes", GET("/events?channel={256}"), 400, "bad_channel", false},
    {"a channel name with a control character", GET("/events?channel=a%00b"), 400, "bad_channel",
	false},
    {"a channel name that is not UTF-8", GET("/events?channel=%ff"), 400, "bad_channel", false},
    {"a bad channel among good ones", GET("/events?channel=room&channel=$x"), 400, "bad_channel",
	false},
    {"after that is no cursor", GET("/events?channel=room&after=soon"), 400, "bad_after", false},
    {"after in seconds", GET("/events?channel=room&after=1763856000"), 400, "bad_after", false},
    {"after with a counter too large", GET("/events?channel=room&after=1763856000000-99999"), 400,
	"bad_after", false},
    {"after that is minus nothing", GET("/events?channel=room&after=-"), 400, "bad_after", false},
    {"wait that is no number", GET("/events?channel=room&wait=long"), 400, "bad_request", false},
    {"limit that is no number", GET("/events?channel=room&limit=all"), 400, "bad_request", false},
    {"an unknown format", GET("/events?channel=room&format=xml"), 400, "bad_request", false},
    {"a broken escape", GET("/events?channel=%4"), 400, "bad_request", false},
    {"a channel that nobody may read", GET("/events?channel=closed.room"), 403, "forbidden", false},
    {"more channels than allowed", GET("/events?channel=a&channel=b&channel=c&channel=d&channel=e"),
	429, "too_many_channels", false},
    {"an unknown path", GET("/nothing"), 404, "not_found", false},
    {"the console when it is off", GET("/"), 404, "not_found", false},
    {"a publish path on the public side", BODY("/publish", "Content-Length: 2\r\n", "{}"), 404,
	"not_found", false},
    {"DELETE", RAW("DELETE /events?channel=room HTTP/1.1\r\nHost: x\r\n\r\n"), 405,
	"method_not_allowed", false},
    {"a method in small letters", RAW("get /events?channel=room HTTP/1.1\r\nHost: x\r\n\r\n"), 405,
	"method_not_allowed", false},
    /* origins */
    {"a foreign origin on a poll", HEAD(EVIL), 403, "origin_forbidden", false},
    {"origin null", HEAD("Origin: null\r\n"), 403, "origin_forbidden", false},
    {"an origin that only ends like ours", HEAD("Origin: http://evil-localhost\r\n"), 403,
	"origin_forbidden", false},
    {"a foreign origin on a stream", HEAD(EVIL "Accept: text/event-stream\r\n"), 403,
	"origin_forbidden", false},
    {"a foreign origin on a handshake", HEAD(EVIL UPGRADE KEY "Sec-WebSocket-Version: 13\r\n"), 403,
	"origin_forbidden", false},
    {"a foreign origin on a preflight",
	RAW("OPTIONS /events HTTP/1.1\r\nHost: localhost\r\n" EVIL
	    "Access-Control-Request-Method: POST\r\n\r\n"),
	403, "origin_forbidden", false},
    {"a foreign origin on a publish",
	BODY("/events?channel=demo.x", EVIL "Content-Length: 1\r\n", "x"), 403, "origin_forbidden",
	false},
    /* handshakes */
    {"a key without Upgrade", HEAD(KEY "Sec-WebSocket-Version: 13\r\n"), 426, "upgrade_required",
	false},
    {"an old version of WebSocket", HEAD(UPGRADE KEY "Sec-WebSocket-Version: 8\r\n"), 426,
	"upgrade_required", false},
    {"a key of 4 bytes", HEAD(UPGRADE "Sec-WebSocket-Key: abcd\r\nSec-WebSocket-Version: 13\r\n"),
	400, "bad_request", false},
    {"no key", HEAD(UPGRADE "Sec-WebSocket-Version: 13\r\n"), 400, "bad_request", false},
    /* bodies */
    {"a publish that no rule allows", BODY("/events?channel=room", "Content-Length: 1\r\n", "x"),
	403, "forbidden", false},
    {"a publish without a channel", BODY("/events", "Content-Length: 1\r\n", "x"), 400,
	"no_channel", false},
    {"text that is not UTF-8",
	BODY(
	    "/events?channel=demo.x", "Content-Type: text/plain\r\nContent-Length: 2\r\n", "\xc3("),
	400, "bad_utf8", false},
    {"JSON that is none",
	BODY("/events?channel=demo.x", "Content-Type: application/json\r\nContent-Length: 5\r\n",
	    "{\"a\":"),
	400, "bad_json", false},
    {"another charset",
	BODY("/events?channel=demo.x",
	    "Content-Type: text/plain; charset=latin1\r\nContent-Length: 1\r\n", "x"),
	415, "unsupported_type", false},
    {"multipart",
	BODY("/events?channel=demo.x",
	    "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1\r\n", "x"),
	415, "unsupported_type", false},
    {"NDJSON with a channel",
	BODY("/events?channel=demo.x",
	    "Content-Type: application/x-ndjson\r\nContent-Length: 3\r\n", "{}\n"),
	400, "bad_request", false},
    {"a reserved type",
	BODY("/events?channel=demo.x&type=ringcast.x", "Content-Length: 1\r\n", "x"), 400,
	"bad_request", false},
    {"a body that is too large",
	BODY("/events?channel=demo.x", "Content-Length: 5000\r\n", "{5000}"), 413, "too_large",
	false},
    /* framing */
    {"no Host", RAW("GET /events?channel=room HTTP/1.1\r\n\r\n"), 400, "bad_request", true},
    {"two Hosts", HEAD("Host: other\r\n"), 400, "bad_request", true},
    {"length and chunks",
	BODY("/events?channel=demo.x", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
	    "0\r\n\r\n"),
	400, "bad_request", true},
    {"two lengths",
	BODY("/events?channel=demo.x", "Content-Length: 1\r\nContent-Length: 1\r\n", "x"), 400,
	"bad_request", true},
    {"a signed length", BODY("/events?channel=demo.x", "Content-Length: +1\r\n", "x"), 400,
	"bad_request", true},
    {"an unknown coding",
	BODY("/events?channel=demo.x", "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 400,
	"bad_request", true},
    {"chunks in HTTP/1.0",
	RAW("POST /events?channel=demo.x HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	400, "bad_request", true},
    {"a chunk size that is none",
	BODY("/events?channel=demo.x", "Transfer-Encoding: chunked\r\n", "zz\r\n"), 400,
	"bad_request", true},
    {"a line that ends with LF alone", RAW("GET /events?channel=room HTTP/1.1\nHost: x\n\n"), 400,
	"bad_request", true},
    {"a folded field", HEAD("X-A: b\r\n c\r\n"), 400, "bad_request", true},
    {"a space before the colon", HEAD("X-A : b\r\n"), 400, "bad_request", true},
    {"NUL in a field", HEAD("X-A: b\0c\r\n"), 400, "bad_request", true},
    {"a line without a colon", HEAD("nonsense\r\n"), 400, "bad_request", true},
    {"two spaces in the request line", RAW("GET  /events HTTP/1.1\r\nHost: x\r\n\r\n"), 400,
	"bad_request", true},
    {"a version to come", RAW("GET /events HTTP/3.0\r\nHost: x\r\n\r\n"), 400, "bad_request", true},
    {"TLS to a plain port", RAW("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), 400,
	"bad_request", true},
    {"a target without a slash", RAW("GET events HTTP/1.1\r\nHost: x\r\n\r\n"), 400, "bad_request",
	true},
    {"a very long target", GET("/events?channel={20000}"), 414, "uri_too_long", true},
    {"a very long field", HEAD("X-A: {20000}\r\n"), 431, "headers_too_large", true},
    {"half a head, then silence", RAW("GET /events?channel=room HTTP/1.1\r\nHo"), 408, "timeout",
	true},
    {"half a body, then silence", BODY("/events?channel=demo.x", "Content-Length: 10\r\n", "x"),
	408, "timeout", true},
};

#define JSON_TYPE "Content-Type: application/json\r\n"
#define PUBLISH(body) RAW(body)

/*
 * On the publish socket: POST /publish with a JSON body, and the path that the error names (NULL:
 * none is asked for).
 */
static const struct {
	const char *name;
	const char *bytes;
	size_t len;
	int status;
	const char *code;
	const char *path;
} envelope_rows[] = {
    {"an empty object", PUBLISH("{}"), 400, "no_channel", NULL},
    {"no channel", PUBLISH("{\"data\":1}"), 400, "no_channel", NULL},
    {"no channel in a list", PUBLISH("{\"channel\":[],\"data\":1}"), 400, "no_channel", NULL},
    {"JSON that ends too early", PUBLISH("{\"channel\":\"x\""), 400, "bad_json", NULL},
    {"JSON that goes on", PUBLISH("{\"channel\":\"x\"} x"), 400, "bad_json", NULL},
    {"a number that JSON does not know", PUBLISH("{\"channel\":\"x\",\"data\":01}"), 400,
	"bad_json", NULL},
    {"nesting without end", PUBLISH("{\"channel\":\"x\",\"data\":{[800}}"), 400, "bad_json", NULL},
    {"a word for an envelope", PUBLISH("true"), 400, "bad_request", NULL},
    {"a channel that is a number", PUBLISH("{\"channel\":5}"), 400, "bad_channel", "channel"},
    {"a reserved channel", PUBLISH("{\"channel\":\"$x\"}"), 400, "bad_channel", "channel"},
    {"the second of a list is wrong", PUBLISH("{\"channel\":[\"x\",\"y*\"]}"), 400, "bad_channel",
	"channel[1]"},
    {"the third of an array is wrong",
	PUBLISH("[{\"channel\":\"x\"},{\"channel\":\"x\"},{\"channel\":\"\"}]"), 400, "bad_channel",
	"[2].channel"},
    {"a reserved type", PUBLISH("{\"channel\":\"x\",\"type\":\"open\"}"), 400, "bad_request",
	"type"},
    {"a type of ours", PUBLISH("{\"channel\":\"x\",\"type\":\"ringcast.live\"}"), 400,
	"bad_request", "type"},
    {"a type of 65 bytes", PUBLISH("{\"channel\":\"x\",\"type\":\"{65}\"}"), 400, "bad_request",
	"type"},
    {"a line end in a type", PUBLISH("{\"channel\":\"x\",\"type\":\"a\\nb\"}"), 400, "bad_request",
	"type"},
    {"both data and data64", PUBLISH("{\"channel\":\"x\",\"data\":1,\"data64\":\"AA==\"}"), 400,
	"bad_request", NULL},
    {"data64 that is none", PUBLISH("{\"channel\":\"x\",\"data64\":\"A\"}"), 400, "bad_request",
	"data64"},
    {"an empty key", PUBLISH("{\"channel\":\"x\",\"key\":\"\"}"), 400, "bad_request", "key"},
    {"a key of 256 bytes", PUBLISH("{\"channel\":\"x\",\"key\":\"{256}\"}"), 400, "bad_request",
	"key"},
    {"half a surrogate pair", PUBLISH("{\"channel\":\"x\",\"data\":\"\\ud800\"}"), 400, "bad_utf8",
	NULL},
    {"bytes that are not UTF-8", PUBLISH("{\"channel\":\"x\",\"data\":\"\xff\"}"), 400, "bad_utf8",
	NULL},
    {"data that is too large", PUBLISH("{\"channel\":\"x\",\"data\":\"{2000}\"}"), 413, "too_large",
	NULL},
    {"a body that is too large", PUBLISH("{\"channel\":\"x\",\"data\":\"{20000}\"}"), 413,
	"too_large", NULL},
};

static const struct request_row private_rows[] = {
    {"text without a channel",
	BODY("/publish", "Content-Type: text/plain\r\nContent-Length: 1\r\n", "x"), 400,
	"no_channel", false},
    {"binary without a channel",
	BODY("/publish", "Content-Type: image/png\r\nContent-Length: 1\r\n", "x"), 400,
	"no_channel", false},
    {"multipart",
	BODY("/publish?channel=x",
	    "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1\r\n", "x"),
	415, "unsupported_type", false},
    {"NDJSON with a channel",
	BODY("/publish?channel=x", "Content-Type: application/x-ndjson\r\nContent-Length: 3\r\n",
	    "{}\n"),
	400, "bad_request", false},
    {"a bad channel in the query", BODY("/publish?channel=$x", "Content-Length: 1\r\n", "x"), 400,
	"bad_channel", false},
    {"GET /publish", GET("/publish"), 405, "method_not_allowed", false},
    {"an unknown path", GET("/nothing"), 404, "not_found", false},
    {"an unknown connection", RAW("DELETE /connections/nobody HTTP/1.1\r\n\r\n"), 404, "not_found",
	false},
    {"length and chunks",
	BODY("/publish", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400,
	"bad_request", true},
    {"a body shorter than a chunk says",
	BODY("/publish?channel=x", "Transfer-Encoding: chunked\r\n", "1\r\nabc\r\n"), 400,
	"bad_request", true},
};

/*
 * On a WebSocket with the channel "room": bytes as they are sent, already masked with zeros where a
 * mask is due.
 */
static const struct {
	const char *name;
	const char *bytes;
	size_t len;
	uint16_t close_code;
} frame_rows[] = {
    {"a frame without a mask", RAW("\x81\x02{}"), 1002},
    {"a reserved bit", RAW("\xc1\x82\0\0\0\0{}"), 1002},
    {"an unknown opcode", RAW("\x83\x80\0\0\0\0"), 1002},
    {"an unknown control opcode", RAW("\x8b\x80\0\0\0\0"), 1002},
    {"a fragmented ping", RAW("\x09\x80\0\0\0\0"), 1002},
    {"a ping of 126 bytes", RAW("\x89\xfe\0\x7e\0\0\0\0"), 1002},
    {"a length in too many bytes", RAW("\x81\xfe\0\x02\0\0\0\0{}"), 1002},
    {"a length that cannot be within the limit", RAW("\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0"), 1009},
    {"a continuation of nothing", RAW("\x80\x80\0\0\0\0"), 1002},
    {"a message inside a message", RAW("\x01\x81\0\0\0\0{\x81\x81\0\0\0\0}"), 1002},
    {"text that is not UTF-8", RAW("\x81\x82\0\0\0\0\xc3("), 1007},
    {"text that cannot become UTF-8", RAW("\x01\x81\0\0\0\0\xff"), 1007},
    {"a message that is too large", RAW("\x81\xff\0\0\0\0\x10\0\0\0\0\0\0\0"), 1009},
    {"a close of one byte", RAW("\x88\x81\0\0\0\0\x03"), 1002},
    {"a close code that may not be sent", RAW("\x88\x82\0\0\0\0\x03\xed"), 1002},
    {"a close reason that is not UTF-8", RAW("\x88\x84\0\0\0\0\x03\xe8\xc3("), 1007},
    {"an orderly close", RAW("\x88\x82\0\0\0\0\x03\xe8"), 1000},
};

/* Messages that the connection survives. Of what is no JSON text, no ref is read. */
static const struct {
	const char *message;
	const char *code;
	const char *ref; /* as in the answer, NULL: none */
} op_rows[] = {
    {"nonsense", "bad_json", NULL},
    {"[1]", "bad_request", NULL},
    {"{\"op\":\"fly\",\"ref\":7}", "unknown_op", "7"},
    {"{\"op\":5,\"ref\":\"a\"}", "bad_request", "\"a\""},
    {"{\"op\":\"subscribe\",\"ref\":1}", "no_channel", "1"},
    {"{\"op\":\"subscribe\",\"channel\":\"$x\",\"ref\":2}", "bad_channel", "2"},
    {"{\"op\":\"subscribe\",\"channel\":\"y\",\"after\":\"soon\",\"ref\":3}", "bad_after", "3"},
    {"{\"op\":\"subscribe\",\"channel\":\"closed.y\",\"ref\":4}", "forbidden", "4"},
    {"{\"op\":\"publish\",\"channel\":\"room\",\"data\":1,\"ref\":5}", "forbidden", "5"},
    {"{\"op\":\"publish\",\"channel\":\"demo.x\",\"data\":\"\\ud800\",\"ref\":6}", "bad_utf8",
	NULL},
    {"{\"op\":\"publish\",\"channel\":\"demo.x\",\"type\":\"error\",\"data\":1,\"ref\":8}",
	"bad_request", "8"},
    {"{\"op\":\"publish\",\"channel\":\"demo.x\",\"data\":\"{2000}\",\"ref\":9}", "too_large", "9"},
};

static const struct {
	const char *line;
	const char *code;
} ndjson_rows[] = {
    {"nonsense", "bad_json"},
    {"{\"data\":1}", "no_channel"},
    {"{\"channel\":\"a*\"}", "bad_channel"},
    {"{\"channel\":\"x\",\"data\":\"\\udc00\"}", "bad_utf8"},
    {"{\"channel\":\"x\",\"data\":\"{2000}\"}", "too_large"},
};

/* A whole configuration, and what the report must name. */
static const struct {
	const char *json;
	const char *path;
	const char *words;
} config_rows[] = {
    {"{\"workers\":\"many\"}", "workers", NULL},
    {"{\"workers\":100000}", "workers", NULL},
    {"{\"wrokers\":2}", "wrokers", "workers"},
    {"{\"ring_bytes\":\"64 furlongs\"}", "ring_bytes", NULL},
    {"{\"ring_bytes\":\"100000\"}", "ring_bytes", NULL},
    {"{\"listen\":5}", "listen", NULL},
    {"{\"listen\":[\"127.0.0.1:99999\"]}", "listen[0]", NULL},
    {"{\"listen\":[\"127.0.0.1:9001\",\"nowhere\"]}", "listen[1]", NULL},
    {"{\"channels\":[{\"match\":\"*\",\"subscribe\":\"anybody\"}]}", "channels[0].subscribe",
	"anyone"},
    {"{\"channels\":[{\"match\":\"a*b\"}]}", "channels[0].match", NULL},
    {"{\"channels\":[{\"mtach\":\"x\"}]}", "channels[0].mtach", "match"},
    {"{\"beat_s\":{\"ws\":\"often\"}}", "beat_s.ws", NULL},
    {"{\"origins\":[\"example.com\"]}", "origins[0]", NULL},
    {"{\"publish_mode\":\"rw\"}", "publish_mode", NULL},
    {"{\"trusted_proxies\":[\"10.0.0.0/40\"]}", "trusted_proxies[0]", NULL},
    {"{\"log\":\"loud\"}", "log", "warning"},
    {"{\"console\":1}", "console", NULL},
    {"{\"path_prefix\":\"live\"}", "path_prefix", NULL},
    {"{\"workers\":0,\"console\":\"yes\"}", "workers", "console"},
    {"[1]", "", "object"},
    {"{\"workers\":2,}", "", "line 1"},
};

static const struct {
	const char *argv[8];
	int code;
	const char *words;
} command_rows[] = {
    {{"ringcastd", "--nonsense"}, 2, "nonsense"},
    {{"ringcastd", "--workers"}, 2, "workers"},
    {{"ringcastd", "--check", "--workers", "none"}, 2, "workers"},
    {{"ringcastd", "--check", "--listen", "127.0.0.1:99999"}, 2, "listen"},
    {{"ringcastd", "--check", "--config", "/nonexistent/ringcast.json"}, 2,
	"/nonexistent/ringcast.json"},
    {{"ringcastd", "extra"}, 2, "extra"},
    {{"ringcast"}, 2, "pub"},
    {{"ringcast", "fly"}, 2, "fly"},
    {{"ringcast", "pub"}, 2, "channel"},
    {{"ringcast", "pub", "--nonsense", "x"}, 2, "nonsense"},
    {{"ringcast", "sub"}, 2, "channel"},
    {{"ringcast", "sub", "--count", "few", "x"}, 2, "count"},
    {{"ringcast", "check"}, 2, "configuration"},
    {{"ringcast", "check", "/nonexistent/ringcast.json"}, 1, "/nonexistent/ringcast.json"},
    {{"ringcast", "pub", "--socket", "/nonexistent/sock", "x", "y"}, 1, "/nonexistent/sock"},
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* Writes out a row's text: "{300}" is 300 letters, "{[800}" 800 brackets. Returns its length. */
static size_t
expand(const char *bytes, size_t len, char *to)
{
	size_t at = 0, out = 0;

	while (at < len) {
		bool brackets = at + 1 < len && bytes[at] == '{' && bytes[at + 1] == '[';
		const char *digits = bytes + at + 1 + brackets;
		char *end = NULL;
		unsigned long n = bytes[at] == '{' && *digits >= '0' && *digits <= '9'
				      ? strtoul(digits, &end, 10)
				      : 0;

		if (n > 1 && *end == '}') {
			memset(to + out, brackets ? '[' : 'a', n);
			out += n;
			at = (size_t)(end + 1 - bytes);
		} else {
			to[out++] = bytes[at++];
		}
	}
	to[out] = '\0';
	return out;
}

static bool
ends_now(int fd)
{
	char rest[4096];
	ssize_t n;

	do
		n = wire_read(fd, rest, sizeof rest, wire_now_ms() + 3000);
	while (n > 0);
	return n == 0 || n == -1;
}

static void
ask(struct tap *t, struct wire_target to, const struct request_row *row)
{
	char *request = malloc(REQUEST_BYTES), buffer[65536], code[64] = "";
	size_t len = expand(row->bytes, row->len, request);
	struct wire_http answer = {0};
	int fd = to.port != 0 ? wire_dial(to.port, 0, false, 0) : wire_dial_unix(to.path);
	bool answered = fd != -1 && wire_exchange(fd, request, len, buffer, sizeof buffer, &answer,
					wire_now_ms() + WAIT_MS);

	if (answered)
		wire_json_string_at(answer.body, "error.code", code, sizeof code);
	tap_check(t,
	    answered && answer.status == row->status && strcmp(code, row->code) == 0 &&
		(!row->ends || (!answer.keeps && ends_now(fd))),
	    "%s: %s: %d %s%s (got %d %s)", to.port != 0 ? "public" : "publish", row->name,
	    row->status, row->code, row->ends ? ", and the connection ends" : "", answer.status,
	    code);
	if (fd != -1)
		close(fd);
	free(request);
}

static void
check_envelopes(struct tap *t, const struct server *s)
{
	char body[REQUEST_BYTES], buffer[65536], code[64], path[64];
	struct wire_http answer;

	for (size_t i = 0; i < COUNT(envelope_rows); i++) {
		struct text text = {
		    body, expand(envelope_rows[i].bytes, envelope_rows[i].len, body)};
		const char *wanted = envelope_rows[i].path;
		bool answered = wire_call(server_private(s), "POST", "/publish", JSON_TYPE, text,
		    buffer, sizeof buffer, &answer);

		code[0] = path[0] = '\0';
		if (answered) {
			wire_json_string_at(answer.body, "error.code", code, sizeof code);
			wire_json_string_at(answer.body, "error.path", path, sizeof path);
			if (path[0] == '\0')
				wire_json_string_at(answer.body, "path", path, sizeof path);
		}
		tap_check(t,
		    answered && answer.status == envelope_rows[i].status &&
			strcmp(code, envelope_rows[i].code) == 0 &&
			(wanted == NULL || strcmp(path, wanted) == 0),
		    "envelope: %s: %d %s %s (got %d %s %s)", envelope_rows[i].name,
		    envelope_rows[i].status, envelope_rows[i].code, wanted != NULL ? wanted : "",
		    answered ? answer.status : 0, code, path);
	}
}

/*
 * ---- WebSocket ---------------------------------------------------------------------------------
 */

/* A WebSocket on the channel "room", behind its welcome. */
static bool
open_room(struct talk *w, const struct server *s)
{
	struct text message;

	return talk_open(w, s->port, "/events?channel=room", NULL) &&
	       talk_next(w, &message, WAIT_MS) && wire_find(message, "welcome") != NULL;
}

static void
check_frames(struct tap *t, const struct server *s)
{
	struct talk w;

	for (size_t i = 0; i < COUNT(frame_rows); i++) {
		bool open =
		    open_room(&w, s) && talk_raw(&w, frame_rows[i].bytes, frame_rows[i].len);
		unsigned code = open ? talk_end(&w, WAIT_MS) : 0;

		tap_check(t, code == frame_rows[i].close_code && ends_now(w.fd),
		    "frame: %s: close %u (got %u)", frame_rows[i].name, frame_rows[i].close_code,
		    code);
		talk_close(&w);
	}
}

static void
check_ops(struct tap *t, const struct server *s)
{
	char message[8192], code[64];
	struct talk w;
	struct text answer, ref;

	if (!tap_check(t, open_room(&w, s), "a WebSocket for bad messages"))
		return;
	for (size_t i = 0; i < COUNT(op_rows); i++) {
		bool has_ref;

		expand(op_rows[i].message, strlen(op_rows[i].message), message);
		talk_say(&w, message);
		talk_next(&w, &answer, WAIT_MS);
		wire_json_string_at(answer, "code", code, sizeof code);
		has_ref = wire_json_member(answer, "ref", &ref);
		tap_check(t,
		    strcmp(code, op_rows[i].code) == 0 && has_ref == (op_rows[i].ref != NULL) &&
			(!has_ref || wire_equal(ref, op_rows[i].ref)),
		    "message: %.60s: %s (got %.*s)", op_rows[i].message, op_rows[i].code,
		    (int)(answer.len < 160 ? answer.len : 160), answer.bytes);
	}
	talk_say(&w, "{\"op\":\"ping\",\"ref\":\"end\"}");
	tap_check(t, talk_next(&w, &answer, WAIT_MS) && wire_find(answer, "pong") != NULL,
	    "and the connection has survived them all");
	talk_close(&w);
}

/*
 * ---- NDJSON, configurations, command lines -----------------------------------------------------
 */

struct answers {
	char codes[COUNT(ndjson_rows) + 1][32];
	unsigned lines[COUNT(ndjson_rows) + 1];
	uint64_t last_id;
	unsigned count;
};

static void
on_answer(void *context, uint64_t number, uint64_t id, struct text line)
{
	struct answers *a = context;
	struct text value = {NULL, 0};

	if (number > COUNT(ndjson_rows))
		return;
	a->last_id = id;
	a->count++;
	wire_json_string_at(line, "error.code", a->codes[number], sizeof a->codes[number]);
	if (wire_json_member(line, "line", &value))
		a->lines[number] = (unsigned)wire_json_number(value, 0);
}

static void
check_ndjson(struct tap *t, const struct server *s)
{
	struct answers a = {0};
	struct publisher p;
	char line[8192];

	if (!tap_check(t, publisher_open(&p, s->socket, on_answer, &a), "a stream for bad lines"))
		return;
	for (size_t i = 0; i < COUNT(ndjson_rows); i++)
		publisher_line(&p, (struct text){line, expand(ndjson_rows[i].line,
							   strlen(ndjson_rows[i].line), line)});
	publisher_line(&p, wire_text("{\"channel\":\"x\",\"data\":1}"));
	publisher_settle(&p, WAIT_MS);
	for (size_t i = 0; i < COUNT(ndjson_rows); i++)
		tap_check(t, strcmp(a.codes[i], ndjson_rows[i].code) == 0 && a.lines[i] == i + 1,
		    "line: %.60s: %s, line %zu (got %s, line %u)", ndjson_rows[i].line,
		    ndjson_rows[i].code, i + 1, a.codes[i], a.lines[i]);
	tap_check(t, a.count == COUNT(ndjson_rows) + 1 && a.last_id != 0,
	    "and the good line after them is taken");
	publisher_close(&p);
}

static void
check_configs(struct tap *t, const struct server *s)
{
	char path[128], output[16384];

	snprintf(path, sizeof path, "%s/wrong.json", s->dir);
	for (size_t i = 0; i < COUNT(config_rows); i++) {
		FILE *f = fopen(path, "w");
		const char *words = config_rows[i].words;
		int daemon, command;

		if (f == NULL)
			return;
		fputs(config_rows[i].json, f);
		fclose(f);
		command = server_run((const char *const[]){"ringcast", "check", path, NULL}, NULL,
		    output, sizeof output, WAIT_MS);
		daemon = server_run(
		    (const char *const[]){"ringcastd", "--check", "--config", path, NULL}, NULL,
		    output, sizeof output, WAIT_MS);
		tap_check(t,
		    daemon == 2 && command == 1 && strstr(output, config_rows[i].path) != NULL &&
			(words == NULL || strstr(output, words) != NULL),
		    "configuration: %s: exit 2 and 1, naming %s %s (got %d, %d: %.*s)",
		    config_rows[i].json, config_rows[i].path, words != NULL ? words : "", daemon,
		    command, (int)strcspn(output, "\n"), output);
	}
}

static void
check_commands(struct tap *t)
{
	char output[16384];

	for (size_t i = 0; i < COUNT(command_rows); i++) {
		const char *const *argv = command_rows[i].argv;
		char line[256] = "";
		int code = server_run(argv, "", output, sizeof output, WAIT_MS);

		for (size_t j = 0; argv[j] != NULL; j++) {
			size_t len = strlen(line);

			snprintf(line + len, sizeof line - len, "%s ", argv[j]);
		}
		tap_check(t,
		    code == command_rows[i].code && strstr(output, command_rows[i].words) != NULL,
		    "command: %s: exit %d, naming %s (got %d: %.*s)", line, command_rows[i].code,
		    command_rows[i].words, code, (int)strcspn(output, "\n"), output);
	}
}

int
main(void)
{
	static const char members[] =
	    "\"max_event_bytes\": 1024, \"max_publish_bytes\": 16384, \"header_timeout_s\": 1, \"body_timeout_s\": 1, "
	    "\"max_channels_per_connection\": 4, "
	    "\"channels\": [{\"match\": \"closed.*\", \"subscribe\": \"nobody\"}, "
	    "{\"match\": \"demo.*\", \"publish\": \"anyone\"}, {\"match\": \"*\", \"subscribe\": \"anyone\"}]";
	struct tap t = tap_start(120);
	struct server s;

	check_commands(&t);
	if (!tap_check(&t,
		server_start(&s, &(struct server_options){.workers = 1, .members = members}),
		"the server boots"))
		return tap_finish(&t);
	for (size_t i = 0; i < COUNT(public_rows); i++)
		ask(&t, server_public(&s), &public_rows[i]);
	for (size_t i = 0; i < COUNT(private_rows); i++)
		ask(&t, server_private(&s), &private_rows[i]);
	check_envelopes(&t, &s);
	check_frames(&t, &s);
	check_ops(&t, &s);
	check_ndjson(&t, &s);
	check_configs(&t, &s);
	server_stop(&t, &s, NULL);
	return tap_finish(&t);
}
