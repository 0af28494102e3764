/*
 * publish_request_test.c: every form of request on the publish socket, with exact status and error code; and that a
 * request that is cut anywhere publishes nothing.
 */
#include "tests/unit/master/publish_fixture.h"

/* A head without its last empty line, and a body; the builder adds a Content-Length where no framing is named. */
struct request {
	const char *head;
	const char *body; /* NULL: none */
};

struct row {
	const char *name;
	struct request request;
	unsigned status;
	const char *says; /* part of the body; NULL: nothing is asked of it */
	unsigned events;  /* that it publishes */
	bool closes;
};

#define RAW(head)          \
	{                  \
		head, NULL \
	}
#define POST(query, fields, body)                                             \
	{                                                                     \
		"POST /publish" query " HTTP/1.1\r\nHost: x\r\n" fields, body \
	}
#define JSON "Content-Type: application/json\r\n"
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"
#define TEXT "Content-Type: text/plain\r\n"
#define LEN(n) "Content-Length: " #n "\r\n"
#define CODE(word) "{\"error\":{\"code\":\"" word "\",\"message\":\""

static const struct row rows[] = {
    /* envelopes */
    {"envelope that is cut short", POST("", JSON LEN(29), "{\"channel\":\"a\",\"data\":\"hello\""),
	400, CODE("bad_json"), 0, false},
    {"envelope of json", POST("", JSON, "{\"channel\":\"a\",\"data\":\"hello\"}"), 200,
	"{\"id\":\"", 1, false},
    {"envelope as curl -d sends it", POST("", FORM, "{\"channel\":\"a\",\"data\":\"hello\"}"), 200,
	"{\"id\":\"", 1, false},
    {"envelope without a type", POST("", , "{\"channel\":\"a\",\"data\":\"hello\"}"), 200,
	"{\"id\":\"", 1, false},
    {"envelope with white space in front", POST("", , " \r\n{\"channel\":\"a\"}"), 200,
	"{\"id\":\"", 1, false},
    {"envelope of several channels", POST("", JSON, "{\"channel\":[\"a\",\"b\",1]}"), 400,
	"\"path\":\"channel[2]\"", 0, false},
    {"envelope with two channels", POST("", JSON, "{\"channel\":[\"a\",\"b\"]}"), 200, "{\"id\":\"",
	1, false},
    {"envelope +json", POST("", "Content-Type: application/vnd.x+json\r\n", "{\"channel\":\"a\"}"),
	200, "{\"id\":\"", 1, false},
    {"envelope in a charset",
	POST("", "Content-Type: application/json; charset=UTF-8\r\n", "{\"channel\":\"a\"}"), 200,
	"{\"id\":\"", 1, false},
    {"envelope in a wrong charset",
	POST("", "Content-Type: application/json; charset=latin1\r\n", "{\"channel\":\"a\"}"), 415,
	CODE("unsupported_type"), 0, true},
    {"envelope with binary data", POST("", JSON, "{\"channel\":\"a\",\"data64\":\"AAEC\"}"), 200,
	"{\"id\":\"", 1, false},
    {"envelope with bad base64", POST("", JSON, "{\"channel\":\"a\",\"data64\":\"AAE!\"}"), 400,
	"\"path\":\"data64\"", 0, false},
    {"envelope without channel", POST("", JSON, "{\"data\":1}"), 400, CODE("no_channel"), 0, false},
    {"empty object", POST("", JSON, "{}"), 400, CODE("no_channel"), 0, false},
    {"empty channel", POST("", JSON, "{\"channel\":\"\"}"), 400, CODE("bad_channel"), 0, false},
    {"reserved channel $", POST("", JSON, "{\"channel\":\"$a\"}"), 400, CODE("bad_channel"), 0,
	false},
    {"reserved channel *", POST("", JSON, "{\"channel\":\"a*\"}"), 400, CODE("bad_channel"), 0,
	false},
    {"channel with a control character", POST("", JSON, "{\"channel\":\"\\u0001\"}"), 400,
	CODE("bad_channel"), 0, false},
    {"reserved type open", POST("", JSON, "{\"channel\":\"a\",\"type\":\"open\"}"), 400,
	"\"path\":\"type\"", 0, false},
    {"reserved type ringcast.", POST("", JSON, "{\"channel\":\"a\",\"type\":\"ringcast.live\"}"),
	400, NULL, 0, false},
    {"not JSON", POST("", JSON, "hello"), 400, CODE("bad_json"), 0, false},
    {"JSON, but no envelope", POST("", JSON, "1"), 400, CODE("bad_request"), 0, false},
    {"empty JSON body", POST("", JSON, ""), 400, CODE("bad_json"), 0, false},
    {"lone surrogate", POST("", JSON, "{\"channel\":\"a\",\"data\":\"\\ud800\"}"), 400,
	CODE("bad_utf8"), 0, false},
    {"bytes that are not UTF-8", POST("", JSON, "{\"channel\":\"a\",\"data\":\"\xff\"}"), 400,
	CODE("bad_utf8"), 0, false},
    {"unknown members are ignored", POST("", JSON, "{\"channel\":\"a\",\"q\":[]}"), 200,
	"{\"id\":\"", 1, false},
    /* arrays */
    {"array", POST("", JSON, "[{\"channel\":\"a\"},{\"channel\":\"b\"}]"), 200, "{\"ids\":[\"", 2,
	false},
    {"array of one", POST("", JSON, "[{\"channel\":\"a\"}]"), 200, "{\"ids\":[\"", 1, false},
    {"empty array", POST("", JSON, "[]"), 200, "{\"ids\":[]}", 0, false},
    {"array whose last is bad", POST("", JSON, "[{\"channel\":\"a\"},{\"channel\":\"b*\"}]"), 400,
	"\"path\":\"[1].channel\"", 0, false},
    {"array with a number", POST("", JSON, "[{\"channel\":\"a\"},1]"), 400, "\"path\":\"[1]\"", 0,
	false},
    {"array that is cut short", POST("", JSON, "[{\"channel\":\"a\"}"), 400, CODE("bad_json"), 0,
	false},
    {"array with a key in the header",
	POST("", JSON "Idempotency-Key: k\r\n", "[{\"channel\":\"a\"}]"), 400, CODE("bad_request"),
	0, false},
    /* ?channel=: the body is the data */
    {"data as text", POST("?channel=a", TEXT, "hello"), 200, "{\"id\":\"", 1, false},
    {"data for two channels", POST("?channel=a&channel=b", TEXT, "hello"), 200, "{\"id\":\"", 1,
	false},
    {"data with a type", POST("?channel=a&type=t", TEXT, "hello"), 200, "{\"id\":\"", 1, false},
    {"data with a bad type", POST("?channel=a&type=error", TEXT, "hello"), 400, CODE("bad_request"),
	0, false},
    {"data as JSON", POST("?channel=a", JSON, "{\"x\":"), 400, CODE("bad_json"), 0, false},
    {"data as JSON value", POST("?channel=a", JSON, "{\"x\":1}"), 200, "{\"id\":\"", 1, false},
    {"text that is not UTF-8", POST("?channel=a", TEXT, "\xff"), 400, CODE("bad_utf8"), 0, false},
    {"curl -d of bytes", POST("?channel=a", FORM, "\xff"), 200, "{\"id\":\"", 1, false},
    {"any other type is binary", POST("?channel=a", "Content-Type: image/png\r\n", "\xff"), 200,
	"{\"id\":\"", 1, false},
    {"no body at all", POST("?channel=a", "", NULL), 200, "{\"id\":\"", 1, false},
    {"bad channel in the query", POST("?channel=a%2a", TEXT, "x"), 400, CODE("bad_channel"), 0,
	false},
    {"bad escape in the query", POST("?channel=a%2", TEXT, "x"), 400, CODE("bad_channel"), 0,
	false},
    {"plus is a space", POST("?channel=a+b", TEXT, "x"), 200, "{\"id\":\"", 1, false},
    {"unknown parameters are ignored", POST("?channel=a&x=y", TEXT, "x"), 200, "{\"id\":\"", 1,
	false},
    {"ndjson with a channel", POST("?channel=a", "Content-Type: application/x-ndjson\r\n", "x"),
	400, CODE("bad_request"), 0, true},
    /* forms */
    {"form", POST("", FORM, "channel=a&data=hello"), 200, "{\"id\":\"", 1, false},
    {"form without channel", POST("", FORM, "data=hello"), 400, CODE("no_channel"), 0, false},
    {"empty form", POST("", FORM, ""), 400, CODE("no_channel"), 0, false},
    /* what has no channel, and what is not understood */
    {"text without channel", POST("", TEXT, "hello"), 400, CODE("no_channel"), 0, true},
    {"binary without channel", POST("", "Content-Type: image/png\r\n", "x"), 400,
	CODE("no_channel"), 0, true},
    {"multipart", POST("", "Content-Type: multipart/form-data; boundary=x\r\n", "x"), 415,
	CODE("unsupported_type"), 0, true},
    {"multipart with channel",
	POST("?channel=a", "Content-Type: multipart/form-data; boundary=x\r\n", "x"), 415,
	CODE("unsupported_type"), 0, true},
    {"compressed", POST("?channel=a", TEXT "Content-Encoding: gzip\r\n", "x"), 415,
	CODE("unsupported_type"), 0, true},
    {"malformed type", POST("?channel=a", "Content-Type: text\r\n", "x"), 415,
	CODE("unsupported_type"), 0, true},
    /* framing */
    {"chunked",
	POST("", JSON "Transfer-Encoding: chunked\r\n",
	    "5\r\n{\"cha\r\na\r\nnnel\":\"a\"}\r\n0\r\n\r\n"),
	200, "{\"id\":\"", 1, false},
    {"bad chunk", POST("", JSON "Transfer-Encoding: chunked\r\n", "z\r\n"), 400,
	CODE("bad_request"), 0, true},
    {"both framings", POST("", JSON LEN(15) "Transfer-Encoding: chunked\r\n", ""), 400,
	CODE("bad_request"), 0, true},
    {"too large by its length", POST("", JSON LEN(9000000), ""), 413, CODE("too_large"), 0, true},
    {"too large, asked first", POST("", JSON "Expect: 100-continue\r\n" LEN(9000000), ""), 413,
	CODE("too_large"), 0, true},
    {"without Host", {"POST /publish HTTP/1.1\r\n", "{\"channel\":\"a\"}"}, 200, "{\"id\":\"", 1,
	false},
    {"any Host", {"POST /publish HTTP/1.1\r\nHost: a b c?\r\n", "{\"channel\":\"a\"}"}, 200,
	"{\"id\":\"", 1, false},
    {"absolute form", {"POST http://ringcast/publish?channel=a HTTP/1.1\r\n", "x"}, 200,
	"{\"id\":\"", 1, false},
    {"HTTP/1.0", {"POST /publish HTTP/1.0\r\n", "{\"channel\":\"a\"}"}, 200, "{\"id\":\"", 1, true},
    {"Connection: close", POST("", "Connection: close\r\n", "{\"channel\":\"a\"}"), 200,
	"{\"id\":\"", 1, true},
    {"bare LF", RAW("POST /publish HTTP/1.1\nContent-Length: 1\n"), 400, CODE("bad_request"), 0,
	true},
    {"rubbish", RAW("\x16\x03\x01\x02\r\n"), 400, CODE("bad_request"), 0, true},
    /* routes and methods */
    {"nothing there", RAW("GET /nothing HTTP/1.1\r\n"), 404, CODE("not_found"), 0, false},
    {"nothing there, told", RAW("GET / HTTP/1.1\r\n"), 404, "publish with POST /publish", 0, false},
    {"GET /publish", RAW("GET /publish HTTP/1.1\r\n"), 405, CODE("method_not_allowed"), 0, false},
    {"GET /publish, told", RAW("GET /publish HTTP/1.1\r\n"), 405, "this path takes POST, OPTIONS",
	0, false},
    {"PUT /publish", {"PUT /publish HTTP/1.1\r\n", "x"}, 405, CODE("method_not_allowed"), 0, true},
    {"POST /stats", RAW("POST /stats HTTP/1.1\r\n"), 405, CODE("method_not_allowed"), 0, false},
    {"OPTIONS /publish", RAW("OPTIONS /publish HTTP/1.1\r\n"), 204, NULL, 0, false},
    {"OPTIONS *", RAW("OPTIONS * HTTP/1.1\r\n"), 204, NULL, 0, false},
    {"HEAD /stats", RAW("HEAD /stats HTTP/1.1\r\n"), 200, NULL, 0, false},
    {"GET /stats", RAW("GET /stats HTTP/1.1\r\n"), 200, "\"publish\":{\"events\":", 0, false},
    {"GET /metrics", RAW("GET /metrics HTTP/1.1\r\n"), 200,
	"# TYPE ringcast_publish_events_total counter\n", 0, false},
    {"GET /healthz", RAW("GET /healthz HTTP/1.1\r\n"), 200, "ok", 0, false},
    {"GET /readyz without workers", RAW("GET /readyz HTTP/1.1\r\n"), 503, CODE("overloaded"), 0,
	false},
};

/* The whole request as text. */
static const char *
text_of(const struct request *request, char text[4096])
{
	bool framed = strstr(request->head, "Content-Length:") != NULL ||
		      strstr(request->head, "Transfer-Encoding:") != NULL;
	char length[48] = "";

	if (request->body != NULL && !framed)
		snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(request->body));
	assert_true(snprintf(text, 4096, "%s%s\r\n%s", request->head, length,
			request->body == NULL ? "" : request->body) < 4096);
	return text;
}

static void
every_form_of_request_gets_its_status_and_code(void **state)
{
	struct fixture f;
	char text[4096];

	(void)state;
	fixture_start(&f);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *row = &rows[i];
		uint64_t before = fixture_events(&f);
		struct reply reply = fixture_ask(&f, text_of(&row->request, text));

		if (reply.status != row->status ||
		    (row->says != NULL && !slice_has(reply.body, row->says)) ||
		    fixture_events(&f) - before != row->events || reply.closed != row->closes)
			fail_msg("%s: status %u, closed %d, events %u: %.*s%.*s", row->name,
			    reply.status, reply.closed, (unsigned)(fixture_events(&f) - before),
			    (int)reply.head.len, reply.head.bytes, (int)reply.body.len,
			    reply.body.bytes);
		fixture_forget(&reply);
	}
	fixture_stop(&f);
}

static void
a_method_that_is_not_allowed_is_told_which_are(void **state)
{
	struct fixture f;
	struct reply reply;

	(void)state;
	fixture_start(&f);
	reply = fixture_ask(&f, "PATCH /channels/x HTTP/1.1\r\n\r\n");
	assert_int_equal(reply.status, 405);
	assert_true(slice_has(reply.head, "\r\nAllow: GET, HEAD, DELETE, OPTIONS\r\n"));
	fixture_forget(&reply);
	fixture_stop(&f);
}

/* What is in the ring at the end of these, told by its newest record. */
static void
newest(struct fixture *f, char buffer[65536], struct record *record)
{
	struct ring *ring = ring_write_ring(f->m.ring);
	uint64_t position = ring_read_oldest(ring);

	while (ring_read_copy(ring, position, buffer, 65536, record) == RING_OK)
		position = record->following;
}

static void
what_is_published_is_what_was_sent(void **state)
{
	static const struct {
		struct request request;
		unsigned channels;
		const char *type, *data;
		enum record_kind kind;
	} table[] = {
	    {POST("", JSON,
		 "{\"channel\":[\"a\",\"b\"],\"type\":\"t\",\"data\": {\"x\" : [1, 2]} ,\"n\":0}"),
		2, "t", "{\"x\" : [1, 2]}", RECORD_JSON},
	    {POST("?channel=a%20b&channel=c&type=u+v", TEXT, "hi"), 2, "u v", "hi", RECORD_TEXT},
	    {POST("?channel=a", JSON, " \"hi\" "), 1, "message", "hi", RECORD_TEXT},
	    {POST("?channel=a", JSON, " [1]  "), 1, "message", "[1]", RECORD_JSON},
	    {POST("?channel=a", "Content-Type: application/octet-stream\r\n", "hi"), 1, "message",
		"hi", RECORD_BINARY},
	    {POST("?channel=a", FORM, "hi"), 1, "message", "hi", RECORD_TEXT},
	    {POST("", FORM, "channel=a&channel=b&type=t&data=h%C3%A9+%26&x="), 2, "t",
		"h\xc3\xa9 &", RECORD_TEXT},
	    {POST("", JSON, "{\"channel\":\"a\"}"), 1, "message", "null", RECORD_JSON},
	};
	static char buffer[65536];
	struct fixture f;
	char text[4096];

	(void)state;
	fixture_start(&f);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct record record = {0};
		struct reply reply = fixture_ask(&f, text_of(&table[i].request, text));

		assert_int_equal(reply.status, 200);
		fixture_forget(&reply);
		newest(&f, buffer, &record);
		assert_int_equal(record.channels_count, table[i].channels);
		assert_int_equal(record.kind, table[i].kind);
		assert_int_equal(record.type.len, strlen(table[i].type));
		assert_memory_equal(record.type.bytes, table[i].type, record.type.len);
		assert_int_equal(record.data.len, strlen(table[i].data));
		assert_memory_equal(record.data.bytes, table[i].data, record.data.len);
	}
	fixture_stop(&f);
}

static void
a_key_publishes_once_and_answers_the_first_id(void **state)
{
	static const struct request requests[] = {
	    POST("", JSON, "{\"channel\":\"a\",\"key\":\"k\"}"),
	    POST("", JSON "Idempotency-Key: k\r\n", "{\"channel\":\"a\"}"),
	    POST("?channel=b", TEXT "Idempotency-Key: k\r\n", "hi"),
	    POST("", FORM, "channel=a&key=k"),
	};
	struct fixture f;
	char first[64] = "", text[4096];

	(void)state;
	fixture_start(&f);
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		struct reply reply = fixture_ask(&f, text_of(&requests[i], text));

		assert_int_equal(reply.status, 200);
		if (i == 0)
			snprintf(first, sizeof first, "%.*s,\"duplicate\":true}",
			    (int)reply.body.len - 1, reply.body.bytes);
		else
			assert_true(slice_equal(reply.body, slice_text(first)));
		fixture_forget(&reply);
	}
	assert_int_equal(fixture_events(&f), 1);
	assert_int_equal(publish_counts(&f.m)->duplicates, 3);
	fixture_stop(&f);
}

/* Requests whose every strict prefix must publish nothing. */
static const struct request whole_requests[] = {
    POST("", JSON, "{\"channel\":\"a\",\"data\":\"hello\"}"),
    POST("", JSON, "[{\"channel\":\"a\"},{\"channel\":\"b\"}]"),
    POST("?channel=a", TEXT, "hello"),
    POST("", FORM, "channel=a&data=hello"),
    POST("", JSON "Transfer-Encoding: chunked\r\n",
	"5\r\n{\"cha\r\na\r\nnnel\":\"a\"}\r\n0\r\n\r\n"),
};

static void
a_request_cut_at_any_byte_publishes_nothing(void **state)
{
	struct fixture f;
	char text[4096];

	(void)state;
	fixture_start(&f);
	for (size_t i = 0; i < sizeof whole_requests / sizeof *whole_requests; i++) {
		const char *whole = text_of(&whole_requests[i], text);
		size_t len = strlen(whole);

		for (size_t cut = 0; cut < len; cut++) {
			int fd = fixture_connect(&f);

			fixture_say(&f, fd, slice_of(whole, cut));
			fixture_turns(&f, 2);
			/* Both ways in which a publisher can die: half-closing first, and at once. */
			if (cut % 2 == 0)
				shutdown(fd, SHUT_WR);
			fixture_turns(&f, cut % 2 == 0 ? 2 : 0);
			close(fd);
			fixture_turns(&f, 3);
		}
		assert_int_equal(fixture_events(&f), 0);
	}
	assert_int_equal(publish_session_count(&f.m), 0);
	fixture_stop(&f);
}

static void
a_request_split_at_any_byte_is_one_request(void **state)
{
	struct fixture f;
	char text[4096];
	uint64_t events = 0;

	(void)state;
	fixture_start(&f);
	for (size_t i = 0; i < sizeof whole_requests / sizeof *whole_requests; i++) {
		const char *whole = text_of(&whole_requests[i], text);
		size_t len = strlen(whole);
		int fd = fixture_connect(&f);

		for (size_t cut = 1; cut < len; cut++) {
			struct reply reply;

			fixture_say(&f, fd, slice_of(whole, cut));
			fixture_turns(&f, 2);
			assert_int_equal(fixture_events(&f), events);
			fixture_say(&f, fd, slice_of(whole + cut, len - cut));
			reply = fixture_hear(&f, fd);
			assert_int_equal(reply.status, 200);
			events += i == 1 ? 2 : 1;
			assert_int_equal(fixture_events(&f), events);
			fixture_forget(&reply);
		}
		close(fd);
	}
	fixture_stop(&f);
}

static void
data_larger_than_the_limit_is_refused_and_the_limit_itself_is_not(void **state)
{
	struct fixture f;
	char *request = malloc(1 << 20);

	(void)state;
	fixture_start(&f);
	f.m.config->max_event_bytes = 1000;
	for (size_t len = 999; len <= 1001; len++) {
		struct reply reply;
		int head = snprintf(request, 1 << 20,
		    "POST /publish?channel=a HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
		    len);

		memset(request + head, 'x', len);
		request[(size_t)head + len] = '\0';
		reply = fixture_ask(&f, request);
		assert_int_equal(reply.status, len <= 1000 ? 200 : 413);
		fixture_forget(&reply);
	}
	free(request);
	fixture_stop(&f);
}

static void
an_array_too_large_for_the_ring_enters_not_at_all(void **state)
{
	struct fixture f;
	char *request = calloc(1, 4 << 20);
	size_t at = 0;
	struct reply reply;
	char head[128];
	int fd;

	(void)state;
	fixture_start(&f);
	request[at++] = '[';
	for (int i = 0; i < 20; i++) {
		at += (size_t)sprintf(
		    request + at, "%s{\"channel\":\"a\",\"data\":\"", i == 0 ? "" : ",");
		memset(request + at, 'x', 100000);
		at += 100000;
		at += (size_t)sprintf(request + at, "\"}");
	}
	request[at++] = ']';
	snprintf(head, sizeof head, "POST /publish HTTP/1.1\r\nContent-Length: %zu\r\n\r\n", at);
	fd = fixture_connect(&f);
	fixture_say(&f, fd, slice_text(head));
	fixture_say(&f, fd, slice_of(request, at));
	reply = fixture_hear(&f, fd);
	assert_int_equal(reply.status, 413);
	assert_true(slice_has(reply.body, CODE("too_large")));
	assert_int_equal(fixture_events(&f), 0);
	fixture_forget(&reply);
	close(fd);
	free(request);
	fixture_stop(&f);
}

static void
an_array_of_more_events_than_allowed_enters_not_at_all(void **state)
{
	const size_t count = LIMIT_PUBLISH_BATCH_EVENTS + 1;
	struct fixture f;
	char *request = calloc(1, count * 16 + 200);
	size_t at;
	struct reply reply;

	(void)state;
	fixture_start(&f);
	at = (size_t)sprintf(
	    request, "POST /publish HTTP/1.1\r\nContent-Length: %zu\r\n\r\n[", count * 16 + 1);
	for (size_t i = 0; i < count; i++)
		at += (size_t)sprintf(
		    request + at, "{\"channel\":\"a\"}%s", i + 1 == count ? "]" : ",");
	reply = fixture_ask(&f, request);
	assert_int_equal(reply.status, 413);
	assert_int_equal(fixture_events(&f), 0);
	fixture_forget(&reply);
	free(request);
	fixture_stop(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_form_of_request_gets_its_status_and_code),
	    cmocka_unit_test(a_method_that_is_not_allowed_is_told_which_are),
	    cmocka_unit_test(what_is_published_is_what_was_sent),
	    cmocka_unit_test(a_key_publishes_once_and_answers_the_first_id),
	    cmocka_unit_test(a_request_cut_at_any_byte_publishes_nothing),
	    cmocka_unit_test(a_request_split_at_any_byte_is_one_request),
	    cmocka_unit_test(data_larger_than_the_limit_is_refused_and_the_limit_itself_is_not),
	    cmocka_unit_test(an_array_too_large_for_the_ring_enters_not_at_all),
	    cmocka_unit_test(an_array_of_more_events_than_allowed_enters_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
