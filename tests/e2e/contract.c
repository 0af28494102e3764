/*
 * contract.c: the wire contract, sentence by sentence, with single clients: cursors, polls,
 * streams, WebSockets, publishing.
 *
 * What wrong input gets is in bad_input.c; what holds for many clients under load in delivery.c and
 * its neighbours.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/publisher.h"
#include "tests/lib/server.h"
#include "tests/lib/talk.h"

#define WAIT_MS 5000
#define EVENTS 5
#define NO_BODY ((struct text){NULL, 0})

struct scene {
	struct tap *t;
	struct server *s;
	uint64_t ids[EVENTS]; /* of 1 to 5 in "room", some ms apart */
	char texts[EVENTS][20];
	char buffer[65536];
	char story[1024];
	struct wire_http answer;
};

/*
 * The answer to a request as a story: the data of its events, `next` as a place among the ids,
 * more, gaps.
 */
static const char *
story_of(struct scene *x, struct text body)
{
	struct text events = {"", 0}, item, value;
	uint64_t next = wire_json_id_at(body, "next");
	size_t offset = 0, len = 0;
	int place = 0;

	wire_json_member(body, "events", &events);
	while (wire_json_step(events, &offset, &item))
		if (wire_json_member(item, "data", &value))
			len += (size_t)snprintf(x->story + len, sizeof x->story - len, "%.*s ",
			    (int)value.len, value.bytes);
	while (place < EVENTS && x->ids[place] <= next)
		place++;
	len += (size_t)snprintf(x->story + len, sizeof x->story - len, "next=%d", place);
	if (wire_json_member(body, "more", &value) && wire_equal(value, "true"))
		len += (size_t)snprintf(x->story + len, sizeof x->story - len, " more");
	if (wire_json_path(body, "gaps.0", &value))
		snprintf(x->story + len, sizeof x->story - len, " gap");
	return x->story;
}

static const char *
poll_story(struct scene *x, const char *query)
{
	char resource[512];

	snprintf(resource, sizeof resource, "/events?channel=room%s", query);
	if (!wire_call(server_public(x->s), "GET", resource, NULL, NO_BODY, x->buffer,
		sizeof x->buffer, &x->answer) ||
	    x->answer.status != 200)
		return "no answer";
	return story_of(x, x->answer.body);
}

static void
check_poll(struct scene *x, const char *what, const char *query, const char *wanted)
{
	const char *story = poll_story(x, query);

	tap_check(x->t, strcmp(story, wanted) == 0, "poll: %s: %s (got %s)", what, wanted, story);
}

static bool
has_field(const struct scene *x, const char *name, const char *wanted)
{
	struct text value;

	return wire_http_field(&x->answer, name, &value) && wire_equal(value, wanted);
}

static void
cursors(struct scene *x)
{
	char query[128];

	check_poll(x, "without after, the current cursor", "", "next=5");
	check_poll(x, "also with wait, at once", "&wait=20", "next=5");
	check_poll(x, "after=0, all that is kept", "&after=0", "1 2 3 4 5 next=5");
	check_poll(x, "after=-2, the last two", "&after=-2", "4 5 next=5");
	check_poll(x, "after=-9 of five", "&after=-9", "1 2 3 4 5 next=5");
	snprintf(query, sizeof query, "&after=%s", x->texts[1]);
	check_poll(x, "after an id", query, "3 4 5 next=5");
	snprintf(query, sizeof query, "&after=%llu-%u", (unsigned long long)(x->ids[1] >> 16),
	    (unsigned)(x->ids[1] & 0xffff));
	check_poll(x, "after an id without its zeros", query, "3 4 5 next=5");
	snprintf(query, sizeof query, "&after=%llu", (unsigned long long)(x->ids[2] >> 16));
	check_poll(x, "after a time, inclusive", query, "3 4 5 next=5");
	snprintf(query, sizeof query, "&after=%llu", (unsigned long long)(x->ids[2] >> 16) + 1);
	check_poll(x, "and a millisecond later", query, "4 5 next=5");
	check_poll(x, "after the future, a gap and the oldest kept", "&after=9999999999999-00000",
	    "1 2 3 4 5 next=5 gap");
	check_poll(
	    x, "of a repeated parameter the last counts", "&after=-1&after=-3", "3 4 5 next=5");
	check_poll(x, "limit cuts", "&after=0&limit=2", "1 2 next=2 more");
	snprintf(query, sizeof query, "&after=%s&limit=2", x->texts[1]);
	check_poll(x, "next goes on", query, "3 4 next=4 more");
	snprintf(query, sizeof query, "&after=%s&limit=2", x->texts[3]);
	check_poll(x, "to the end", query, "5 next=5");
	check_poll(x, "unknown parameters are ignored", "&after=-1&colour=blue", "5 next=5");
	tap_check(x->t,
	    has_field(x, "Content-Type", "application/json") &&
		has_field(x, "Cache-Control", "no-store"),
	    "poll: its fields");
}

/* Sends several requests in one write, and tells the stories of as many answers. */
static bool
pipeline(struct scene *x, const char *requests, unsigned count, char stories[][128], bool *ended)
{
	uint64_t deadline = wire_now_ms() + WAIT_MS;
	int fd = wire_dial(x->s->port, 0, false, 0);
	size_t len = 0;
	unsigned taken = 0;
	ssize_t n = 1;

	*ended = false;
	if (fd == -1 || !wire_send(fd, requests, strlen(requests), deadline))
		return false;
	while (taken < count && n > 0) {
		n = wire_read(fd, x->buffer + len, sizeof x->buffer - len, deadline);
		if (n > 0)
			len += (size_t)n;
		while (
		    taken < count && (n = wire_http_parse(x->buffer, len, false, &x->answer)) > 0) {
			snprintf(stories[taken++], 128, "%d %.100s", x->answer.status,
			    story_of(x, x->answer.body));
			len -= (size_t)n;
			memmove(x->buffer, x->buffer + n, len);
		}
		n = n == 0 ? 1 : n;
	}
	*ended = wire_read(fd, x->buffer, sizeof x->buffer, wire_now_ms() + 300) == 0;
	close(fd);
	return taken == count;
}

static void
connections(struct scene *x)
{
	char requests[1024], stories[3][128] = {"", "", ""};
	uint64_t started = wire_now_ms();
	bool ended;

	snprintf(requests, sizeof requests,
	    "GET /events?channel=room&after=%s&wait=1 HTTP/1.1\r\nHost: x\r\n\r\n"
	    "GET /events?channel=room&after=-1 HTTP/1.1\r\nHost: x\r\n\r\n"
	    "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
	    x->texts[4]);
	tap_check(x->t,
	    pipeline(x, requests, 3, stories, &ended) && strcmp(stories[0], "200 next=5") == 0 &&
		strcmp(stories[1], "200 5 next=5") == 0 && memcmp(stories[2], "200", 3) == 0 &&
		!ended && wire_now_ms() - started >= 900,
	    "requests behind a long poll are answered in order, and the connection stays (%s, %s, %s)",
	    stories[0], stories[1], stories[2]);
	tap_check(x->t,
	    pipeline(x, "GET /events?channel=room&after=-1 HTTP/1.0\r\n\r\n", 1, stories, &ended) &&
		ended,
	    "HTTP/1.0 ends");
	tap_check(x->t,
	    pipeline(x,
		"GET /events?channel=room&after=-1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		1, stories, &ended) &&
		ended,
	    "so does Connection: close");
	tap_check(x->t,
	    pipeline(x,
		"GET http://elsewhere/events?channel=room&after=-1 HTTP/1.1\r\nHost: x\r\n\r\n", 1,
		stories, &ended) &&
		strcmp(stories[0], "200 5 next=5") == 0,
	    "absolute-form is understood");
	tap_check(x->t,
	    wire_call(server_public(x->s), "GET", "/readyz", NULL, NO_BODY, x->buffer,
		sizeof x->buffer, &x->answer) &&
		x->answer.status == 200,
	    "/readyz says 200");
	tap_check(x->t,
	    wire_call(server_public(x->s), "DELETE", "/events", NULL, NO_BODY, x->buffer,
		sizeof x->buffer, &x->answer) &&
		x->answer.status == 405 && has_field(x, "Allow", "GET, HEAD, POST, OPTIONS"),
	    "405 names what is allowed: %.*s", (int)x->answer.head.len, x->answer.head.bytes);
}

/* A long poll that is answered by what is published meanwhile. */
static void
long_poll_wakes(struct scene *x)
{
	char request[256];
	int fd = wire_dial(x->s->port, 0, false, 0);
	int n = snprintf(request, sizeof request,
	    "GET /events?channel=woken&after=%s&wait=20 HTTP/1.1\r\nHost: x\r\n\r\n", x->texts[4]);
	uint64_t started;

	wire_send(fd, request, (size_t)n, wire_now_ms() + WAIT_MS);
	wire_sleep_ms(200);
	started = wire_now_ms();
	publisher_event(x->s->socket, "woken", "\"up\"");
	tap_check(x->t,
	    wire_exchange(fd, "", 0, x->buffer, sizeof x->buffer, &x->answer, started + WAIT_MS) &&
		wire_find(x->answer.body, "\"data\":\"up\"") != NULL &&
		wire_now_ms() - started < 2000,
	    "a long poll is answered as soon as there is something");
	close(fd);
}

/*
 * ---- streams -----------------------------------------------------------------------------------
 */

/* Reads a stream until its text contains `until`; the text after the head is in x->buffer. */
static const char *
stream(struct scene *x, const char *query, const char *fields, const char *until, int *fd_kept)
{
	uint64_t deadline = wire_now_ms() + WAIT_MS;
	char request[1024];
	int fd = wire_dial(x->s->port, 0, false, 0);
	int n = snprintf(request, sizeof request,
	    "GET /events?%s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n%s\r\n",
	    query, fields);
	size_t len = 0;
	ssize_t got;

	x->buffer[0] = '\0';
	wire_send(fd, request, (size_t)n, deadline);
	while (strstr(x->buffer, until) == NULL &&
	       (got = wire_read(fd, x->buffer + len, sizeof x->buffer - 1 - len, deadline)) > 0) {
		len += (size_t)got;
		x->buffer[len] = '\0';
	}
	if (fd_kept != NULL)
		*fd_kept = fd;
	else
		close(fd);
	return strstr(x->buffer, "\r\n\r\n") != NULL ? strstr(x->buffer, "\r\n\r\n") + 4 : "";
}

static void
stream_bytes(struct scene *x)
{
	char wanted[1024], query[128];
	const char *text;

	snprintf(query, sizeof query, "channel=room&after=%s", x->texts[2]);
	text = stream(x, query, "", "ringcast.live", NULL);
	snprintf(wanted, sizeof wanted,
	    "data: 4\nid: %s\n\ndata: 5\nid: %s\n\nevent: ringcast.live\ndata: {\"op\":\"live\"",
	    x->texts[3], x->texts[4]);
	tap_check(x->t, memcmp(text, "retry: ", 7) == 0 && strstr(text, wanted) != NULL,
	    "SSE: retry first, then the events, id last, then live");
	snprintf(wanted, sizeof wanted,
	    "event: ringcast.welcome\ndata: {\"op\":\"welcome\",\"at\":\"%s\",\"beat_s\":1,\"connection\":\"",
	    x->texts[2]);
	tap_check(
	    x->t, strstr(text, wanted) != NULL, "SSE: a welcome whose at lies before the replay");
	text = stream(x, "channel=forms&after=0", "", "ringcast.live", NULL);
	tap_check(x->t, strstr(text, "data: one\ndata: two\ndata: three\ndata: \nid: ") != NULL,
	    "SSE: each line of a text its own, CR and CRLF as LF");
	tap_check(x->t, strstr(text, "event: note\ndata: { \"kept\" : [1.0] }\nid: ") != NULL,
	    "SSE: a type is the event's name; JSON is kept byte for byte");
	tap_check(x->t, strstr(text, "data: AP8=\nid: ") != NULL, "SSE: binary is base64");
	text = stream(x, "channel=forms&after=0&format=json", "", "live", NULL);
	tap_check(x->t,
	    strstr(text, "\ndata: {\"id\":\"") != NULL && strstr(text, "event: note") == NULL &&
		strstr(text, "\"data64\":\"AP8=\"") != NULL &&
		strstr(text, "\"data\":\"one\\r\\ntwo\\rthree\\n\"") != NULL,
	    "SSE, format=json: unnamed, the event object, exact");
}

static void
stream_resumes(struct scene *x)
{
	static const char *const names[] = {
	    "lastEventId", "lastEventID", "last_event_id", "Last-Event-ID"};
	char query[256], fields[64], wanted[64];
	const char *text;

	snprintf(wanted, sizeof wanted, "}\nid: %s\n\ndata: 5\nid: %s\n", x->texts[3], x->texts[4]);
	for (size_t i = 0; i < 4; i++) {
		snprintf(query, sizeof query, "channel=room&after=0&%s=%s", names[i], x->texts[3]);
		text = stream(x, query, "", "ringcast.live", NULL);
		tap_check(x->t, strstr(text, wanted) != NULL, "SSE: resumes from %s in the query",
		    names[i]);
	}
	snprintf(fields, sizeof fields, "Last-Event-ID: %s\r\n", x->texts[3]);
	text = stream(x, "channel=room&after=0&lastEventId=0", fields, "ringcast.live", NULL);
	tap_check(x->t, strstr(text, wanted) != NULL,
	    "SSE: the field Last-Event-ID comes before all of them");
	text = stream(x, "channel=room", "Last-Event-ID: yesterday\r\n", "ringcast.live", NULL);
	tap_check(x->t,
	    strstr(text, "event: ringcast.gap\n") != NULL && strstr(text, "data: 1\n") != NULL,
	    "SSE: a malformed Last-Event-ID counts as a gap, not as a mistake");
	text = stream(x, "channel=quiet", "", "ringcast.live", NULL);
	tap_check(
	    x->t, strstr(text, "ringcast.live") != NULL, "SSE: when nothing comes there is a beat");
}

/*
 * ---- WebSockets --------------------------------------------------------------------------------
 */

static bool
next_is(struct talk *w, const char *part)
{
	struct text message;

	return talk_next(w, &message, WAIT_MS) && wire_find(message, part) != NULL;
}

static void
ops(struct scene *x)
{
	struct talk w;
	struct text one, two;
	char frame[256];
	size_t len;

	tap_check(x->t,
	    talk_open(&w, x->s->port, "/events?channel=demo.a", NULL) &&
		next_is(&w, "{\"op\":\"welcome\",\"at\":\""),
	    "WebSocket: a welcome first");
	talk_say(&w, "{\"op\":\"ping\",\"ref\":\"r\"}");
	tap_check(x->t,
	    talk_next(&w, &one, WAIT_MS) && wire_find(one, "\"op\":\"pong\"") != NULL &&
		wire_json_id_at(one, "at") != 0 && wire_find(one, "\"ref\":\"r\"") != NULL,
	    "WebSocket: ping, pong");
	talk_say(&w,
	    "{\"op\":\"publish\",\"channel\":\"demo.a\",\"data\":[1, 2],\"key\":\"k1\",\"ref\":2}");
	talk_next(&w, &one, WAIT_MS);
	x->story[0] = '\0';
	snprintf(x->story, sizeof x->story, "%.*s", (int)one.len, one.bytes);
	talk_next(&w, &two, WAIT_MS);
	snprintf(x->story + strlen(x->story), sizeof x->story - strlen(x->story), "%.*s",
	    (int)two.len, two.bytes);
	tap_check(x->t,
	    strstr(x->story, "\"op\":\"published\"") != NULL &&
		strstr(x->story, "\"ref\":2") != NULL &&
		strstr(x->story, "\"channel\":\"demo.a\",\"type\":\"message\",\"data\":[1, 2]}") !=
		    NULL,
	    "WebSocket: a publish is answered, and heard by its publisher: %s", x->story);
	talk_say(
	    &w, "{\"op\":\"publish\",\"channel\":\"demo.a\",\"data\":3,\"key\":\"k1\",\"ref\":3}");
	tap_check(
	    x->t, next_is(&w, "\"duplicate\":true"), "WebSocket: the same key publishes nothing");
	len = wire_ws_frame(frame, 1, false, "{\"op\":\"ping\",", 13);
	len += wire_ws_frame(frame + len, 9, true, "hm", 2);
	len += wire_ws_frame(frame + len, 0, true, "\"ref\":4}", 8);
	talk_raw(&w, frame, len);
	tap_check(x->t, next_is(&w, "\"ref\":4"),
	    "WebSocket: a message in fragments, with a ping between them");
	talk_close(&w);
}

static void
raw_protocol(struct scene *x)
{
	struct talk w;
	struct wire_ws frame = {0};
	char sent[64];

	tap_check(x->t,
	    talk_open(&w, x->s->port, "/events?channel=demo.raw",
		"Sec-WebSocket-Protocol: other, ringcast.raw, ringcast.v1\r\n") &&
		memmem(w.in, w.taken, "ringcast.raw", 12) != NULL,
	    "raw: of several protocols the first known");
	publisher_event(x->s->socket, "demo.raw", "\"bare\"");
	tap_check(x->t,
	    talk_frame(&w, &frame, WAIT_MS) && frame.opcode == 1 &&
		wire_equal(frame.payload, "bare"),
	    "raw: bare text, nothing before it (%.*s)", (int)frame.payload.len,
	    frame.payload.bytes);
	publisher_post(
	    x->s->socket, wire_text("{\"channel\":\"demo.raw\",\"data64\":\"AP8=\"}"), NULL);
	tap_check(x->t,
	    talk_frame(&w, &frame, WAIT_MS) && frame.opcode == 2 && frame.payload.len == 2,
	    "raw: binary in a binary frame");
	talk_raw(&w, sent, wire_ws_frame(sent, 1, true, "said", 4));
	tap_check(x->t, talk_frame(&w, &frame, WAIT_MS) && wire_equal(frame.payload, "said"),
	    "raw: what the client sends is published to its channel");
	talk_close(&w);
	tap_check(x->t,
	    talk_open(
		&w, x->s->port, "/events?channel=room", "Sec-WebSocket-Protocol: other\r\n") &&
		memmem(w.in, w.taken, "Sec-WebSocket-Protocol", 22) == NULL,
	    "no known protocol: none is selected");
	talk_close(&w);
}

/* beat_s is 1 here: pings come every second, and who does not answer two of them is dead. */
static void
pings(struct scene *x)
{
	struct talk w;
	struct wire_ws frame;
	unsigned seen = 0, live = 0;
	uint64_t started = wire_now_ms();
	ssize_t end;

	tap_check(x->t, talk_open(&w, x->s->port, "/events?channel=quiet", NULL),
	    "a WebSocket that answers no ping");
	while (talk_frame(&w, &frame, 8000)) {
		seen += frame.opcode == 9;
		live += frame.opcode == 1 && wire_find(frame.payload, "\"op\":\"live\"") != NULL;
	}
	end = wire_read(w.fd, x->buffer, 1, wire_now_ms() + 100);
	tap_check(
	    x->t, seen >= 2 && live >= 2, "gets pings, with a live each (%u, %u)", seen, live);
	tap_check(x->t, end != -2 && wire_now_ms() - started < 7000,
	    "and is ended after two (%llu ms)", (unsigned long long)(wire_now_ms() - started));
	talk_close(&w);
}

/*
 * ---- publishing --------------------------------------------------------------------------------
 */

struct publish_row {
	const char *what, *resource, *fields, *body, *channel, *seen;
};

/* What is published by each way, and how the channel's newest event looks to a poll. */
static const struct publish_row private_rows[] = {
    {"an envelope", "/publish", "Content-Type: application/json\r\n",
	"{\"channel\":\"p\",\"data\":{\"a\": 1}}", "p",
	"\"type\":\"message\",\"data\":{\"a\": 1}}"},
    {"an envelope as curl -d sends it", "/publish",
	"Content-Type: application/x-www-form-urlencoded\r\n", "{\"channel\":\"p\",\"data\":\"x\"}",
	"p", "\"data\":\"x\"}"},
    {"form fields", "/publish", "Content-Type: application/x-www-form-urlencoded\r\n",
	"channel=p&data=a+b%21&type=t", "p", "\"type\":\"t\",\"data\":\"a b!\"}"},
    {"JSON as data", "/publish?channel=p", "Content-Type: application/vnd.x+json\r\n", " [1] ", "p",
	"\"data\":[1]}"},
    {"a JSON string is a text", "/publish?channel=p", "Content-Type: application/json\r\n",
	"\"h\\u00e9\"", "p", "\"data\":\"h\xc3\xa9\"}"},
    {"text", "/publish?channel=p&type=note", "Content-Type: text/plain; charset=UTF-8\r\n", "a\"b",
	"p", "\"type\":\"note\",\"data\":\"a\\\"b\"}"},
    {"no type, UTF-8", "/publish?channel=p", "", "plain", "p", "\"data\":\"plain\"}"},
    {"no type, not UTF-8", "/publish?channel=p", "", "\xff", "p", "\"data64\":\"/w==\"}"},
    {"another type", "/publish?channel=p", "Content-Type: image/png\r\n", "png", "p",
	"\"data64\":\"cG5n\"}"},
    {"no data", "/publish", "Content-Type: application/json\r\n", "{\"channel\":\"p\"}", "p",
	"\"data\":null}"},
    {"two channels", "/publish?channel=p&channel=q", "", "both", "q",
	"\"channel\":\"q\",\"type\":\"message\",\"data\":\"both\"}"},
    {"a name with a space", "/publish?channel=a+b", "", "spaced", "a%20b", "\"channel\":\"a b\""},
    {"Expect: 100-continue", "/publish?channel=p", "Expect: 100-continue\r\n", "waited", "p",
	"\"data\":\"waited\"}"},
    {"unknown fields", "/publish", "Content-Type: application/json\r\n",
	"{\"channel\":\"p\",\"data\":7,\"colour\":\"blue\"}", "p", "\"data\":7}"},
};

static void
check_publish(
    struct scene *x, struct wire_target to, const char *how, const struct publish_row *row)
{
	char resource[256];
	bool taken = wire_call(to, "POST", row->resource, row->fields,
			 (struct text){row->body, strlen(row->body)}, x->buffer, sizeof x->buffer,
			 &x->answer) &&
		     x->answer.status == 200 && wire_json_id_at(x->answer.body, "id") != 0;

	snprintf(resource, sizeof resource, "/events?channel=%s&after=-1", row->channel);
	tap_check(x->t,
	    taken &&
		wire_call(server_public(x->s), "GET", resource, NULL, NO_BODY, x->buffer,
		    sizeof x->buffer, &x->answer) &&
		wire_find(x->answer.body, row->seen) != NULL,
	    "%s: %s: %s (got %.*s)", how, row->what, row->seen,
	    (int)(x->answer.body.len < 160 ? x->answer.body.len : 160), x->answer.body.bytes);
}

static void
publishing(struct scene *x)
{
	static const struct publish_row client_row = {"text", "/events?channel=demo.p&type=note",
	    "Content-Type: text/plain\r\n", "from a client", "demo.p",
	    "\"type\":\"note\",\"data\":\"from a client\"}"};
	static const char array[] =
	    "[{\"channel\":\"list\",\"data\":1},{\"channel\":\"list\",\"data\":2}]";
	uint64_t first, again;
	struct text ids = {"", 0}, flag = {"", 0};

	for (size_t i = 0; i < sizeof private_rows / sizeof *private_rows; i++)
		check_publish(x, server_private(x->s), "publish", &private_rows[i]);
	check_publish(x, server_public(x->s), "POST /events", &client_row);
	wire_call(server_private(x->s), "POST", "/publish", "Content-Type: application/json\r\n",
	    (struct text){array, sizeof array - 1}, x->buffer, sizeof x->buffer, &x->answer);
	wire_json_member(x->answer.body, "ids", &ids);
	tap_check(x->t, x->answer.status == 200 && wire_json_count(ids) == 2,
	    "publish: an array answers its ids");
	wire_call(server_private(x->s), "POST", "/publish?channel=once", "Idempotency-Key: 42\r\n",
	    wire_text("a"), x->buffer, sizeof x->buffer, &x->answer);
	first = wire_json_id_at(x->answer.body, "id");
	wire_call(server_private(x->s), "POST", "/publish?channel=once", "Idempotency-Key: 42\r\n",
	    wire_text("b"), x->buffer, sizeof x->buffer, &x->answer);
	again = wire_json_id_at(x->answer.body, "id");
	wire_json_member(x->answer.body, "duplicate", &flag);
	tap_check(x->t, first != 0 && first == again && wire_equal(flag, "true"),
	    "publish: a key that is remembered answers the first id");
}

static void
errors_only(struct scene *x)
{
	static const char body[] =
	    "{\"channel\":\"nd\",\"data\":1}\n\nnonsense\n{\"channel\":\"nd\",\"data\":2}\n";
	char last[64];
	const char *line;

	wire_call(server_private(x->s), "POST", "/publish?acks=errors",
	    "Content-Type: application/x-ndjson\r\n", (struct text){body, sizeof body - 1},
	    x->buffer, sizeof x->buffer, &x->answer);
	line = wire_find(x->answer.body, "{\"taken\":2,\"last\":\"");
	tap_check(x->t,
	    x->answer.status == 200 && line != NULL &&
		wire_find(x->answer.body, "\"line\":3") != NULL,
	    "NDJSON with acks=errors: the mistake with its line, and what was taken: %.*s",
	    (int)x->answer.body.len, x->answer.body.bytes);
	snprintf(last, sizeof last, "%.19s", line != NULL ? line + 18 : "");
	wire_call(server_public(x->s), "GET", "/events?channel=nd&after=-1", NULL, NO_BODY,
	    x->buffer, sizeof x->buffer, &x->answer);
	tap_check(x->t, last[0] != '\0' && wire_find(x->answer.body, last) != NULL,
	    "the last id is the newest event's");
}

/*
 * ---- origins -----------------------------------------------------------------------------------
 */

static void
origins(struct scene *x)
{
	wire_call(server_public(x->s), "GET", "/events?channel=room",
	    "Origin: http://127.0.0.1:3000\r\n", NO_BODY, x->buffer, sizeof x->buffer, &x->answer);
	tap_check(x->t,
	    x->answer.status == 200 &&
		has_field(x, "Access-Control-Allow-Origin", "http://127.0.0.1:3000"),
	    "a page of this machine is allowed, and told so exactly: %.*s", (int)x->answer.head.len,
	    x->answer.head.bytes);
	wire_call(server_public(x->s), "GET", "/events?channel=room",
	    "Origin: https://friend.example\r\n", NO_BODY, x->buffer, sizeof x->buffer, &x->answer);
	tap_check(x->t, x->answer.status == 200, "a listed origin is allowed");
	wire_call(server_public(x->s), "GET", "/events?channel=room",
	    "Origin: https://evil.example\r\nSec-Fetch-Site: same-origin\r\n", NO_BODY, x->buffer,
	    sizeof x->buffer, &x->answer);
	tap_check(x->t, x->answer.status == 200, "so is what the browser vouches for");
	wire_call(server_public(x->s), "OPTIONS", "/events?channel=room",
	    "Origin: https://friend.example\r\nAccess-Control-Request-Method: POST\r\n"
	    "Access-Control-Request-Headers: content-type\r\n",
	    NO_BODY, x->buffer, sizeof x->buffer, &x->answer);
	tap_check(x->t,
	    x->answer.status / 100 == 2 && has_field(x, "Access-Control-Max-Age", "86400") &&
		has_field(x, "Access-Control-Allow-Origin", "https://friend.example"),
	    "a preflight is answered: %.*s", (int)x->answer.head.len, x->answer.head.bytes);
}

static void
publish_room(struct scene *x)
{
	char data[8];

	for (unsigned i = 0; i < EVENTS; i++) {
		snprintf(data, sizeof data, "%u", i + 1);
		x->ids[i] = publisher_event(x->s->socket, "room", data);
		wire_id_text(x->ids[i], x->texts[i]);
		wire_sleep_ms(5);
	}
	publisher_event(x->s->socket, "forms", "\"one\\r\\ntwo\\rthree\\n\"");
	publisher_post(x->s->socket,
	    wire_text("{\"channel\":\"forms\",\"type\":\"note\",\"data\":{ \"kept\" : [1.0] }}"),
	    NULL);
	publisher_post(
	    x->s->socket, wire_text("{\"channel\":\"forms\",\"data64\":\"AP8=\"}"), NULL);
}

int
main(void)
{
	static const char members[] =
	    "\"beat_s\": {\"ws\": 1, \"sse\": 1}, \"origins\": [\"https://friend.example\"], "
	    "\"channels\": [{\"match\": \"demo.*\", \"publish\": \"anyone\"}, {\"match\": \"*\"}]";
	struct tap t = tap_start(120);
	struct server s;
	struct scene *x = calloc(1, sizeof *x);

	if (x == NULL ||
	    !tap_check(&t,
		server_start(&s, &(struct server_options){.workers = 2, .members = members}),
		"the server boots"))
		return tap_finish(&t);
	x->t = &t;
	x->s = &s;
	publish_room(x);
	cursors(x);
	connections(x);
	long_poll_wakes(x);
	stream_bytes(x);
	stream_resumes(x);
	ops(x);
	raw_protocol(x);
	pings(x);
	publishing(x);
	errors_only(x);
	origins(x);
	server_stop(&t, &s, NULL);
	free(x);
	return tap_finish(&t);
}
