/*
 * origins.c: which pages may talk to the server, and what they may read of its answers: the contract's "Origins", WHATWG Fetch 3.2
 * (CORS protocol), as rows of origins.table.
 *
 * A row describes a page and how it reaches the server:
 *
 *     server: NAME       which configuration (`configurations` below); "none" when there is none
 *     via: WAY           tcp (from 127.0.0.1), other (from 127.0.0.2), unix
 *     origin: ORIGIN     the Origin field; without one there is none
 *     host: HOST         the Host field; "push.example" when there is none
 *     field: FIELD       a further field
 *
 * and is either a verdict, which holds for every way to ask (`asks` below: polls, streams, WebSockets, publishes, preflights, HEAD,
 * health, what is refused for another reason):
 *
 *     allow: VALUE       all are served; Access-Control-Allow-Origin is VALUE ("-": there is none)
 *     credentials: yes   ... with Access-Control-Allow-Credentials: true; without this line there is none
 *     refuse: yes        all get 403 origin_forbidden, which names the origin, without CORS fields; nothing was published
 *
 * or asks once and looks at the answer:
 *
 *     ask: METHOD TARGET [BODY]
 *     status, head, has, nohead, code
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/server.h"
#include "tests/lib/stream.h"
#include "tests/lib/table.h"
#include "tests/lib/ways.h"

#define BUFFER_BYTES (256u << 10)
#define WAIT_MS 5000
#define EXPOSED "Retry-After, WWW-Authenticate"

static const struct configuration {
	const char *name, *members;
} configurations[] = {
    {"none",
	"\"channels\": [{\"match\": \"secret\", \"subscribe\": \"nobody\"}, {\"match\": \"*\", \"publish\": \"anyone\"}], "
	"\"max_channels_per_connection\": 2, \"max_event_bytes\": 64"},
    {"listed",
	"\"origins\": [\"https://app.example\", \"http://app.example:8080\", \"https://[2001:db8::1]\", \"capacitor://localhost\"], "
	"\"channels\": [{\"match\": \"secret\", \"subscribe\": \"nobody\"}, {\"match\": \"*\", \"publish\": \"anyone\"}], "
	"\"max_channels_per_connection\": 2, \"max_event_bytes\": 64"},
    {"null",
	"\"origins\": [\"null\"], \"channels\": [{\"match\": \"*\", \"publish\": \"anyone\"}], "
	"\"max_channels_per_connection\": 2"},
    {"any", "\"origins\": [\"*\"], \"channels\": [{\"match\": \"*\", \"publish\": \"anyone\"}], "
	    "\"max_channels_per_connection\": 2"},
    {"proxied",
	"\"trusted_proxies\": [\"127.0.0.1\", \"unix\"], \"channels\": [{\"match\": \"*\", \"publish\": \"anyone\"}], "
	"\"max_channels_per_connection\": 2"},
};
#define CONFIGURATIONS (sizeof configurations / sizeof configurations[0])

/* Every way to ask; %s is the row's channel. `cors`: the answer carries the fields of CORS when the page is allowed. */
static const struct ask {
	const char *name, *method, *target, *fields, *body;
	int status;
	bool cors;
} asks[] = {
    {"a poll", "GET", "/events?channel=%s", "", NULL, 200, true},
    {"a stream", "GET", "/events?channel=%s", "Accept: text/event-stream\r\n", NULL, 200, true},
    {"a WebSocket", "GET", "/events?channel=%s",
	"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " WIRE_WS_KEY
	"\r\n",
	NULL, 101, false},
    {"a publish", "POST", "/events?channel=%s", "Content-Type: text/plain\r\n", "x", 200, true},
    {"a preflight", "OPTIONS", "/events?channel=%s", "Access-Control-Request-Method: POST\r\n",
	NULL, 204, true},
    {"HEAD", "HEAD", "/events?channel=%s", "", NULL, 200, true},
    {"/healthz", "GET", "/healthz", "", NULL, 200, true},
    {"another path", "GET", "/nothing/%s", "", NULL, 404, true},
    {"another method", "PUT", "/events?channel=%s", "", NULL, 405, true},
    {"a stream without a channel", "GET", "/events", "Accept: text/event-stream\r\n", NULL, 400,
	true},
    {"a stream of too many channels", "GET", "/events?channel=%s&channel=b&channel=c",
	"Accept: text/event-stream\r\n", NULL, 200, true},
};

struct suite {
	struct tap *tap;
	struct server server;
	struct stream stream;
	unsigned rows; /* so far: a name for each one's channel */
	size_t done;
	char fields[16384]; /* of the row */
	char octets[40000]; /* of its `ask` */
};

static bool
wrong(const struct table_row *row, const struct ask *ask, const char *what, const struct stream *s)
{
	tap_note("line %u, %s: %s: %.*s%.*s", row->number, ask->name, what,
	    (int)(s->answer.head.len < 600 ? s->answer.head.len : 600), s->answer.head.bytes,
	    (int)(s->len < 300 ? s->len : 300), s->body);
	return false;
}

static int
dial(const struct suite *suite, const char *via)
{
	if (via != NULL && strcmp(via, "unix") == 0)
		return wire_dial_unix(suite->server.public_socket);
	return wire_dial(
	    suite->server.port, via != NULL && strcmp(via, "other") == 0 ? 1 : 0, false, 0);
}

/* Asks on a connection of its own, and reads head and body (of a stream what has come with the head). */
static bool
exchange(
    struct suite *suite, const struct table_row *row, const struct ask *ask, const char *channel)
{
	const char *host = table_value(row, "host");
	struct stream *s = &suite->stream;
	const char *place;
	char target[32768], request[65536], length[64] = "";
	int n;

	place = strstr(ask->target, "%s");
	snprintf(target, sizeof target, "%.*s%s%s",
	    place == NULL ? (int)strlen(ask->target) : (int)(place - ask->target), ask->target,
	    place == NULL ? "" : channel, place == NULL ? "" : place + 2);
	if (ask->body != NULL)
		snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(ask->body));
	n = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n%s",
	    ask->method, target, host != NULL ? host : "push.example", suite->fields, ask->fields,
	    length, ask->body != NULL ? ask->body : "");
	stream_close(s);
	s->fd = dial(suite, table_value(row, "via"));
	if (n < 0 || (size_t)n >= sizeof request || s->fd == -1 ||
	    !stream_send(s, request, (size_t)n, false) || !stream_head(s))
		return wrong(row, ask, "no answer", s);
	while (strcmp(ask->method, "HEAD") != 0 && s->len < s->answer.body.len && stream_more(s))
		;
	return true;
}

static bool
has(const struct stream *s, const char *name, const char *value)
{
	struct text found;

	return wire_http_field(&s->answer, name, &found) &&
	       (value == NULL || wire_equal(found, value));
}

static bool
vary_names_origin(const struct stream *s)
{
	struct text vary;

	return wire_http_field(&s->answer, "Vary", &vary) && wire_find(vary, "Origin") != NULL;
}

static bool
is_allowed(struct suite *suite, const struct table_row *row, const struct ask *ask)
{
	const char *allow = table_value(row, "allow");
	const bool credentials = table_value(row, "credentials") != NULL;
	const struct stream *s = &suite->stream;

	if (s->answer.status != ask->status)
		return wrong(row, ask, "status", s);
	if (!ask->cors)
		return true;
	if (!vary_names_origin(s))
		return wrong(row, ask, "caches are not told that the origin matters", s);
	if (strcmp(allow, "-") == 0)
		return (!has(s, "Access-Control-Allow-Origin", NULL) &&
			   !has(s, "Access-Control-Allow-Credentials", NULL)) ||
		       wrong(row, ask, "CORS without an Origin", s);
	if (!has(s, "Access-Control-Allow-Origin", allow))
		return wrong(row, ask, "a page may not read it", s);
	if (has(s, "Access-Control-Allow-Credentials", "true") != credentials)
		return wrong(row, ask, "credentials", s);
	return has(s, "Access-Control-Expose-Headers", EXPOSED) ||
	       wrong(row, ask, "what is exposed", s);
}

static bool
is_refused(struct suite *suite, const struct table_row *row, const struct ask *ask)
{
	const char *origin = table_value(row, "origin");
	const struct stream *s = &suite->stream;
	const struct text body = {s->body, s->len};
	char code[64], message[2048], shown[512];
	ptrdiff_t n;

	if (s->answer.status != 403)
		return wrong(row, ask, "not refused", s);
	if (has(s, "Access-Control-Allow-Origin", NULL) ||
	    has(s, "Access-Control-Allow-Credentials", NULL) ||
	    has(s, "Access-Control-Allow-Methods", NULL))
		return wrong(row, ask, "a foreign page may read it", s);
	if (!vary_names_origin(s))
		return wrong(row, ask, "caches are not told that the origin matters", s);
	if (strcmp(ask->method, "HEAD") == 0)
		return true;
	wire_json_string_at(body, "error.code", code, sizeof code);
	wire_json_string_at(body, "error.message", message, sizeof message);
	n = table_bytes(origin, shown, sizeof shown - 1);
	shown[n < 0 ? 0 : n] = '\0';
	if (strcmp(code, "origin_forbidden") != 0 || strstr(message, "`origins`") == NULL ||
	    strstr(message, shown) == NULL)
		return wrong(row, ask, "neither origin nor key are named", s);
	return true;
}

/* Nothing of what was refused is in the channel. */
static bool
is_empty(struct suite *suite, const struct table_row *row, const char *channel)
{
	char resource[64], buffer[4096];
	struct wire_http answer;

	snprintf(resource, sizeof resource, "/events?channel=%s&after=0", channel);
	if (wire_call(server_public(&suite->server), "GET", resource, NULL, (struct text){NULL, 0},
		buffer, sizeof buffer, &answer) &&
	    wire_find(answer.body, "\"events\":[]") != NULL)
		return true;
	tap_note("line %u: what was refused is published", row->number);
	return false;
}

static bool
judge(struct suite *suite, const struct table_row *row, const char *channel)
{
	const bool allowed = table_value(row, "allow") != NULL;
	bool good = true;

	for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++)
		good &=
		    exchange(suite, row, &asks[i], channel) &&
		    (allowed ? is_allowed(suite, row, &asks[i]) : is_refused(suite, row, &asks[i]));
	return good && (allowed || is_empty(suite, row, channel));
}

/* One line about the answer to `ask`. */
static bool
holds(const struct stream *s, const struct table_line *line)
{
	const char *wanted = strstr(line->value, ": ");
	char name[64], code[64];

	snprintf(name, sizeof name, "%.*s", (int)strcspn(line->value, ":"), line->value);
	if (strcmp(line->key, "status") == 0)
		return s->answer.status == strtol(line->value, NULL, 10);
	if (strcmp(line->key, "head") == 0)
		return has(s, name, wanted != NULL ? wanted + 2 : NULL);
	if (strcmp(line->key, "nohead") == 0)
		return !has(s, name, NULL);
	if (strcmp(line->key, "code") == 0)
		return s->answer.status == ways_status(line->value) &&
		       strcmp(wire_json_string_at(
				  (struct text){s->body, s->len}, "error.code", code, sizeof code),
			   line->value) == 0;
	return true; /* of the request */
}

static bool
ask_once(struct suite *suite, const struct table_row *row, const char *channel)
{
	char *const octets = suite->octets;
	struct ask ask = {.name = "the row's own"};
	const ptrdiff_t n = table_bytes(table_value(row, "ask"), octets, sizeof suite->octets - 1);
	char *rest = octets;

	octets[n < 0 ? 0 : n] = '\0';
	ask.method = strsep(&rest, " ");
	ask.target = strsep(&rest, " ");
	ask.fields = "";
	ask.body = rest;
	if (ask.target == NULL || !exchange(suite, row, &ask, channel))
		return false;
	for (size_t i = 0; i < row->count; i++)
		if (!holds(&suite->stream, &row->lines[i]))
			return wrong(row, &ask, row->lines[i].value, &suite->stream);
	return true;
}

/* The fields that the row sends, and then it. */
static bool
run_row(struct suite *suite, const struct table_row *row)
{
	char channel[24], bytes[12000];
	size_t have = 0;

	suite->fields[0] = '\0';
	for (size_t i = 0; i < row->count; i++) {
		const struct table_line *line = &row->lines[i];
		const bool origin = strcmp(line->key, "origin") == 0;
		const ptrdiff_t n = table_bytes(line->value, bytes, sizeof bytes - 1);

		if (!origin && strcmp(line->key, "field") != 0)
			continue;
		bytes[n < 0 ? 0 : n] = '\0';
		have += (size_t)snprintf(suite->fields + have, sizeof suite->fields - have,
		    "%s%s\r\n", origin ? "Origin: " : "", bytes);
	}
	snprintf(channel, sizeof channel, "row-%u", ++suite->rows);
	return table_value(row, "ask") != NULL ? ask_once(suite, row, channel)
					       : judge(suite, row, channel);
}

static void
run_rows(struct suite *suite, const struct configuration *c, const struct table *table)
{
	const struct server_options options = {
	    .workers = 1, .members = c->members, .everywhere = true};

	if (!tap_check(suite->tap, server_start(&suite->server, &options), "%s: boots", c->name))
		return;
	for (size_t i = 0; i < table->count; i++) {
		const char *name = table_value(&table->rows[i], "server");

		if (strcmp(name == NULL ? configurations[0].name : name, c->name) != 0)
			continue;
		table_check(suite->tap, &table->rows[i], run_row(suite, &table->rows[i]));
		suite->done++;
	}
	stream_close(&suite->stream);
	server_stop(suite->tap, &suite->server, NULL);
}

int
main(void)
{
	static const char *const keys[] = {"server", "via", "origin", "host", "field", "allow",
	    "credentials", "refuse", "ask", "status", "head", "nohead", "code", NULL};
	struct tap t = tap_start(55);
	struct suite suite = {.tap = &t};
	struct table table;

	stream_init(&suite.stream, malloc(BUFFER_BYTES), BUFFER_BYTES);
	table_read(&table, &t, "tests/conformance/origins.table", keys);
	for (size_t i = 0; i < CONFIGURATIONS; i++)
		run_rows(&suite, &configurations[i], &table);
	tap_check(&t, suite.done == table.count, "every row names a server that there is");
	table_free(&table);
	free(suite.stream.buffer);
	return tap_finish(&t);
}
