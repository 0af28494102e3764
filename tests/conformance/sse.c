/*
 * sse.c: Server-Sent Events by WHATWG HTML 9.2 and the contract, as rows of sse.table (requests, cursors, refusals),
 * sse_data.table (what is published and what a page sees of it), sse_drain.table (while the server stops), and sse_judge.table
 * (streams for the tests' own reader).
 *
 * A row is a script; its lines are done in order. $C is the row's own channel, $1..$9 are the ids of what it has published, $0 is
 * the oldest id there can be. A row without `open` runs twice: with the stream opened before it publishes, and after (after=0).
 *
 *     server: NAME              which configuration (`configurations` below); "open" when there is none
 *     body: TYPE DATA           publishes by POST /publish?channel=$C, with this Content-Type ("-": none)
 *     client: TYPE DATA         the same by POST /events?channel=$C
 *     envelope: JSON            publishes by POST /publish
 *     ndjson: JSON              publishes a line of application/x-ndjson
 *     ws: JSON                  publishes by a WebSocket: the whole message
 *     raw: DATA                 publishes by a WebSocket of ringcast.raw, as text (raw-binary: as bytes)
 *     with: QUERY               further parameters for body and client
 *     answer: CODE              the publish before it is refused with this error (or the WebSocket closed with this code)
 *     delete: QUERY             DELETE /channels/$C with this query ("-": none)
 *     method, version, accept, header, target, octets     what the next `open` sends, where it is not
 *                               GET, HTTP/1.1, text/event-stream ("-": none), no field, /events?channel=$C, all in one segment
 *     open: QUERY               connects, with these further parameters ("-": none); reads the head, retry and welcome
 *     ask: OCTETS               connects and sends a request as it stands; reads the head
 *     drain: now                the server is told to stop; `drain: inside` does that when half of the next `open` is sent
 *     status, head, has, nohead the answer's status (200 otherwise), a field with its value, a field, one that it has not
 *     code: CODE                the answer is an error object with this code
 *     follows: OCTETS           they come behind the head, now or later
 *     welcome: ID               the cursor that the welcome told (`welcomed: yes`: behind `ask`, there is one)
 *     stream: OCTETS            the next octets of the stream
 *     sees: ID TYPE DATA        the next event that a page gets: lastEventId, type, data
 *     live: yes                 ... is ringcast.live, with an id not older than the one before
 *     gap: AFTER [AT]           ... is ringcast.gap of this channel, which moves no cursor, and what `sees` names next is newer
 *     refused: yes              the stream is a retry of 1 to 10 s, and ends
 *     end: retry | now          so does one that was open; or it ends with nothing more
 *     jitter: LOW HIGH          streams are told different times to come back, all within these ms
 *     feed: OCTETS              (sse_judge.table) a stream for the reader itself; `none: yes`: there is no further event
 *     replaced: N               what was not UTF-8 in the stream became U+FFFD so many times
 *
 * An open stream that no line saw ending gets one more event at the end of its row, which must come next: nothing else was sent.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/server.h"
#include "tests/lib/stream.h"
#include "tests/lib/table.h"
#include "tests/lib/ways.h"

#define BUFFER_BYTES (24u << 20)
#define WAIT_MS 5000
#define IDS_MAX 9
#define ZERO_ID "0000000000000-00000"
#define JITTER_STREAMS 16

enum { CONFIGURATIONS = 6 };

static const struct configuration {
	const char *name, *members, *ring_bytes, *prefix;
	unsigned beat_s, retry_ms;
	bool once; /* a row ends it */
} configurations[CONFIGURATIONS] = {
    {"open",
	"\"max_event_bytes\": \"4MiB\", \"max_publish_bytes\": \"8MiB\", \"channels\": [{\"match\": \"secret.*\", "
	"\"subscribe\": \"nobody\"}, {\"match\": \"*\", \"publish\": \"anyone\"}]",
	NULL, NULL, 25, 2000, false},
    {"tight",
	"\"max_channels_per_connection\": 2, \"max_event_bytes\": 1024, \"retry_ms\": 500, \"origins\": "
	"[\"https://app.example\"], \"channels\": [{\"match\": \"*\", \"publish\": \"anyone\"}]",
	NULL, NULL, 25, 500, false},
    {"beating", "\"beat_s\": {\"sse\": 1}", NULL, NULL, 1, 2000, false},
    {"small", NULL, "\"1MiB\"", NULL, 25, 2000, false},
    {"draining",
	"\"origins\": [\"https://app.example\"], \"channels\": [{\"match\": \"*\", \"publish\": \"anyone\"}]",
	NULL, NULL, 25, 2000, true},
    {"prefixed", "\"path_prefix\": \"/push\"", NULL, "/push", 25, 2000, false},
};

struct suite {
	struct tap *tap;
	struct server server; /* the one of the configuration in hand; pid 0: it does not run */
	char *buffer;         /* of the stream being read */
	char *scratch;        /* of a value as octets */
	unsigned rows;        /* so far: a name for each one's channel */
	size_t done;
};

struct run {
	struct suite *suite;
	const struct table_row *row;
	const struct configuration *configuration;
	struct server *server;
	char channel[24];
	char why[400]; /* what was wrong first */
	unsigned line; /* ... and where; 0: nothing yet */
	char ids[IDS_MAX + 1][20];
	unsigned id_count;
	/* The request to come. */
	const char *wanted; /* the `answer` to the line in hand, or NULL */
	const char *method, *version, *accept, *target, *with;
	char fields[1024]; /* as they stand in the table */
	bool octets, drain_inside, fed;
	struct stream stream;
	char last[64];  /* the newest id of the stream: none may lie before it */
	char floor[32]; /* the cursor of the last gap, until an event has come */
};

static bool wrong(struct run *r, const struct table_line *line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool
wrong(struct run *r, const struct table_line *line, const char *format, ...)
{
	va_list args;

	if (r->why[0] != '\0')
		return false;
	r->line = line == NULL ? r->row->number : line->number;
	va_start(args, format);
	vsnprintf(r->why, sizeof r->why, format, args);
	va_end(args);
	return false;
}

/* ---- values ------------------------------------------------------------------------------------ */

/* A value with its placeholders filled in; the caller frees it. */
static char *
fill(const struct run *r, const char *value)
{
	char *filled = malloc(strlen(value) * 20 + 1), *to = filled;

	for (; filled != NULL && *value != '\0'; value++) {
		const char *put = NULL;

		if (*value == '$' && value[1] == 'C')
			put = r->channel;
		else if (*value == '$' && value[1] == '0')
			put = ZERO_ID;
		else if (*value == '$' && value[1] >= '1' && value[1] <= '9')
			put = r->ids[value[1] - '1'];
		if (put == NULL) {
			*to++ = *value;
		} else {
			to = stpcpy(to, put);
			value++;
		}
	}
	if (filled != NULL)
		*to = '\0';
	return filled;
}

/* A value as octets, in the suite's scratch. */
static bool
octets_of(struct run *r, const struct table_line *line, const char *value, struct text *octets)
{
	char *filled = fill(r, value);
	const ptrdiff_t n = table_bytes(filled, r->suite->scratch, BUFFER_BYTES);

	free(filled);
	*octets = (struct text){r->suite->scratch, n < 0 ? 0 : (size_t)n};
	return n < 0 ? wrong(r, line, "the row's octets are malformed") : true;
}

/* Cuts the first word off a value; false when it does not fit. */
static bool
word(const char **value, char *buffer, size_t cap)
{
	const size_t n = strcspn(*value, " ");

	if (n >= cap)
		return false;
	memcpy(buffer, *value, n);
	buffer[n] = '\0';
	*value += n + ((*value)[n] == ' ');
	return true;
}

/* ---- publishing -------------------------------------------------------------------------------- */

/* What became of a publish: its id, or its error; `wanted` is the row's `answer`, or NULL. */
static bool
published(struct run *r, const struct table_line *line, const struct ways_answer *answer)
{
	const char *const wanted = r->wanted;
	char code[8];

	if (wanted == NULL) {
		if (answer->id == 0 || r->id_count > IDS_MAX)
			return wrong(r, line, "not published: %d %s", answer->status, answer->code);
		wire_id_text(answer->id, r->ids[r->id_count++]);
		return true;
	}
	snprintf(code, sizeof code, "%u", answer->close_code);
	if (answer->close_code != 0 && strcmp(code, wanted) == 0)
		return true;
	if (strcmp(answer->code, wanted) != 0 ||
	    (answer->status != 0 && answer->status != ways_status(wanted)))
		return wrong(r, line, "refused otherwise than with %s: %d %s (closed: %s)", wanted,
		    answer->status, answer->code, code);
	return true;
}

static bool
post(struct run *r, const struct table_line *line, struct wire_target to, const char *resource,
    const char *type, const char *value)
{
	struct ways_answer answer;
	struct text body;

	if (!octets_of(r, line, value, &body))
		return false;
	if (!ways_post(to, resource, type, body, &answer))
		return wrong(r, line, "no answer to a publish");
	return published(r, line, &answer);
}

/* body, client */
static bool
do_data(struct run *r, const struct table_line *line)
{
	const bool client = strcmp(line->key, "client") == 0;
	const char *value = line->value;
	char type[64], resource[512];

	if (!word(&value, type, sizeof type))
		return wrong(r, line, "a type is at most 63 octets");
	snprintf(resource, sizeof resource, "%s?channel=%s%s%s", client ? "/events" : "/publish",
	    r->channel, r->with != NULL ? "&" : "", r->with != NULL ? r->with : "");
	return post(r, line, client ? server_public(r->server) : server_private(r->server),
	    resource, strcmp(type, "-") == 0 ? NULL : type, value);
}

/* envelope, ndjson */
static bool
do_envelope(struct run *r, const struct table_line *line)
{
	return post(r, line, server_private(r->server), "/publish",
	    strcmp(line->key, "ndjson") == 0 ? "application/x-ndjson" : "application/json",
	    line->value);
}

static bool
do_ws(struct run *r, const struct table_line *line)
{
	struct ways_answer answer;
	struct text message;

	if (!octets_of(r, line, line->value, &message))
		return false;
	if (!ways_websocket(r->server->port, message, &answer))
		return wrong(r, line, "no answer on a WebSocket");
	return published(r, line, &answer);
}

/* raw, raw-binary */
static bool
do_raw(struct run *r, const struct table_line *line)
{
	const uint8_t opcode = strcmp(line->key, "raw") == 0 ? 1 : 2;
	struct ways_answer answer;
	struct text data;

	if (!octets_of(r, line, line->value, &data))
		return false;
	if (!ways_raw(r->server->port, r->channel, opcode, data, &answer))
		return wrong(r, line, "the publisher hears neither its event nor an end");
	return published(r, line, &answer);
}

static bool
do_delete(struct run *r, const struct table_line *line)
{
	char resource[96], buffer[2048];
	struct wire_http answer;

	snprintf(resource, sizeof resource, "/channels/%s%s", r->channel,
	    strcmp(line->value, "-") == 0 ? "" : line->value);
	if (!wire_call(server_private(r->server), "DELETE", resource, NULL, (struct text){NULL, 0},
		buffer, sizeof buffer, &answer) ||
	    answer.status != 200)
		return wrong(r, line, "not deleted");
	return true;
}

/* ---- the stream -------------------------------------------------------------------------------- */

/* The server is told to stop, and has begun to: a stream that watches it has ended. */
static bool
begin_drain(struct run *r, const struct table_line *line, int witness)
{
	const uint64_t deadline = wire_now_ms() + WAIT_MS;
	char bytes[1024];
	ssize_t n;

	kill(r->server->pid, SIGTERM);
	while (witness != -1 && (n = wire_read(witness, bytes, sizeof bytes, deadline)) != 0)
		if (n < 0)
			return wrong(r, line, "a stream does not end though the server drains");
	return true;
}

/* Sends half of a request, and the rest once the server has begun to stop. */
static bool
send_across_drain(struct run *r, const struct table_line *line, const char *bytes, size_t len)
{
	static const char watch[] = "GET /events?channel=x&stream=sse HTTP/1.1\r\nHost: x\r\n\r\n";
	const uint64_t deadline = wire_now_ms() + WAIT_MS;
	const int witness = wire_dial(r->server->port, 0, false, 0);
	char first[1024];
	bool good = stream_send(&r->stream, bytes, len / 2, false) && witness != -1 &&
		    wire_send(witness, watch, sizeof watch - 1, deadline) &&
		    wire_read(witness, first, sizeof first, deadline) > 0 &&
		    begin_drain(r, line, witness);

	if (witness != -1)
		close(witness);
	return good && stream_send(&r->stream, bytes + len / 2, len - len / 2, false);
}

static bool
connect_and_send(struct run *r, const struct table_line *line, const char *bytes, size_t len)
{
	if (!stream_connect(&r->stream, r->server->port))
		return wrong(r, line, "cannot connect");
	if (!(r->drain_inside ? send_across_drain(r, line, bytes, len)
			      : stream_send(&r->stream, bytes, len, r->octets)))
		return wrong(r, line, "the request cannot be sent");
	return stream_head(&r->stream) ||
	       wrong(r, line, "no answer: %.*s", (int)(r->stream.len < 40 ? r->stream.len : 40),
		   r->stream.body);
}

static bool
read_welcome(struct run *r, const struct table_line *line)
{
	const int64_t least = r->configuration->retry_ms;
	struct stream *s = &r->stream;

	if (!stream_welcome(s, r->configuration->beat_s) || s->source.retry_ms < least ||
	    s->source.retry_ms > least + least / 2)
		return wrong(r, line, "a stream begins otherwise than with retry and welcome: %.*s",
		    (int)(s->len < 200 ? s->len : 200), s->body);
	snprintf(r->last, sizeof r->last, "%s", s->welcome);
	return true;
}

static bool
open_stream(struct run *r, const struct table_line *line, const char *query)
{
	const bool accepts = r->accept == NULL || strcmp(r->accept, "-") != 0;
	const bool has_query = strcmp(query, "-") != 0;
	char request[4096];
	struct text octets;

	snprintf(request, sizeof request,
	    "%s %s%s%s %s\\r\\nHost: push.example\\r\\n%s%s%s%s\\r\\n", r->method,
	    r->target != NULL ? r->target : "/events?channel=$C", has_query ? "&" : "",
	    has_query ? query : "", r->version, accepts ? "Accept: " : "",
	    !accepts            ? ""
	    : r->accept != NULL ? r->accept
				: "text/event-stream",
	    accepts ? "\\r\\n" : "", r->fields);
	if (!octets_of(r, line, request, &octets) ||
	    !connect_and_send(r, line, octets.bytes, octets.len))
		return false;
	if (!r->stream.is_events || strcmp(r->method, "HEAD") == 0 ||
	    table_value(r->row, "refused") != NULL)
		return true;
	return read_welcome(r, line);
}

static bool
do_open(struct run *r, const struct table_line *line)
{
	return open_stream(r, line, line->value);
}

static bool
do_ask(struct run *r, const struct table_line *line)
{
	struct text octets;

	return octets_of(r, line, line->value, &octets) &&
	       connect_and_send(r, line, octets.bytes, octets.len);
}

/* A part of the request to come. */
static bool
do_part(struct run *r, const struct table_line *line)
{
	const struct {
		const char *key, **part;
	} parts[] = {{"method", &r->method}, {"version", &r->version}, {"accept", &r->accept},
	    {"target", &r->target}, {"with", &r->with}};

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (strcmp(parts[i].key, line->key) == 0)
			*parts[i].part = line->value;
	return true;
}

static bool
do_octets(struct run *r, const struct table_line *line)
{
	(void)line;
	r->octets = true;
	return true;
}

static bool
do_header(struct run *r, const struct table_line *line)
{
	const size_t have = strlen(r->fields);

	return (size_t)snprintf(r->fields + have, sizeof r->fields - have, "%s\\r\\n",
		   line->value) < sizeof r->fields - have ||
	       wrong(r, line, "too many fields for the test");
}

static bool
do_drain(struct run *r, const struct table_line *line)
{
	r->drain_inside = strcmp(line->value, "inside") == 0;
	return r->drain_inside || begin_drain(r, line, -1);
}

/* ---- what must be true -------------------------------------------------------------------------- */

static bool
do_status(struct run *r, const struct table_line *line)
{
	return r->stream.answer.status == strtol(line->value, NULL, 10) ||
	       wrong(r, line, "status %d", r->stream.answer.status);
}

/* head: Name: value; has: Name; nohead: Name. */
static bool
do_field(struct run *r, const struct table_line *line)
{
	const char *wanted = strstr(line->value, ": ");
	char name[64];
	struct text value;
	bool there;

	snprintf(name, sizeof name, "%.*s", (int)strcspn(line->value, ":"), line->value);
	there = wire_http_field(&r->stream.answer, name, &value);
	if (strcmp(line->key, "nohead") == 0)
		return !there || wrong(r, line, "%s: %.*s", name, (int)value.len, value.bytes);
	if (!there)
		return wrong(r, line, "the answer has no %s", name);
	return wanted == NULL || wire_equal(value, wanted + 2) ||
	       wrong(r, line, "%s: %.*s", name, (int)value.len, value.bytes);
}

static bool
do_code(struct run *r, const struct table_line *line)
{
	struct stream *s = &r->stream;
	char code[64];

	while (s->len < s->answer.body.len && stream_more(s))
		;
	wire_json_string_at((struct text){s->body, s->len}, "error.code", code, sizeof code);
	return (s->answer.status == ways_status(line->value) && strcmp(code, line->value) == 0) ||
	       wrong(r, line, "status %d with %.*s", s->answer.status,
		   (int)(s->len < 200 ? s->len : 200), s->body);
}

static bool
do_follows(struct run *r, const struct table_line *line)
{
	char *filled = fill(r, line->value);
	const ptrdiff_t len = table_bytes(filled, filled, strlen(filled));
	bool good = len >= 0;

	if (good) {
		filled[len] = '\0';
		good = stream_past(&r->stream, 0, filled) != 0;
	}
	free(filled);
	return good || wrong(r, line, "that does not follow: %.*s",
			   (int)(r->stream.len < 200 ? r->stream.len : 200), r->stream.body);
}

static bool
do_welcome(struct run *r, const struct table_line *line)
{
	char *filled = fill(r, line->value);
	const bool good = strcmp(filled, r->stream.welcome) == 0;

	free(filled);
	return good || wrong(r, line, "the welcome's at is %s", r->stream.welcome);
}

static bool
do_stream(struct run *r, const struct table_line *line)
{
	struct stream *s = &r->stream;
	struct text octets;
	size_t same;

	if (!octets_of(r, line, line->value, &octets))
		return false;
	return stream_compare(s, octets, &same) ||
	       wrong(r, line, "differs at octet %zu of %zu: %.*s", same, octets.len,
		   (int)(s->len - s->compared < 60 ? s->len - s->compared : 60),
		   s->body + s->compared);
}

/* Tells what came instead of what was wanted. */
static bool
sees_other(struct run *r, const struct table_line *line, const struct event_source_event *e)
{
	return wrong(r, line, "a page sees %.*s of type %.*s with %zu octets: %.*s", (int)e->id.len,
	    e->id.bytes, (int)e->type.len, e->type.bytes, e->data.len,
	    (int)(e->data.len < 200 ? e->data.len : 200), e->data.bytes);
}

static bool
sees(struct run *r, const struct table_line *line, const char *value)
{
	char id[64], type[200];
	struct event_source_event event;
	struct text data;
	ptrdiff_t type_len;

	if (!word(&value, id, sizeof id) || !word(&value, type, sizeof type) ||
	    (type_len = table_bytes(type, type, sizeof type)) < 0 ||
	    !octets_of(r, line, value, &data))
		return wrong(r, line, "sees: ID TYPE DATA");
	if (!stream_event(&r->stream, &event))
		return wrong(r, line, "no further event");
	if (!r->fed && strncmp(type, "ringcast.", 9) != 0 &&
	    (wire_id(wire_text(id)) <= wire_id(wire_text(r->last)) ||
		wire_id(wire_text(id)) <= wire_id(wire_text(r->floor))))
		return wrong(r, line, "%s is not behind %s and %s", id, r->last, r->floor);
	r->floor[0] = '\0';
	snprintf(r->last, sizeof r->last, "%s", r->fed ? "" : id);
	return (wire_equal(event.id, strcmp(id, "-") == 0 ? "" : id) &&
		   event.type.len == (size_t)type_len &&
		   memcmp(event.type.bytes, type, event.type.len) == 0 &&
		   event.data.len == data.len &&
		   memcmp(event.data.bytes, data.bytes, data.len) == 0) ||
	       sees_other(r, line, &event);
}

static bool
do_sees(struct run *r, const struct table_line *line)
{
	char *filled = fill(r, line->value);
	const bool good = sees(r, line, filled);

	free(filled);
	return good;
}

static bool
do_none(struct run *r, const struct table_line *line)
{
	struct event_source_event event;

	return !stream_event(&r->stream, &event) || sees_other(r, line, &event);
}

static bool
do_live(struct run *r, const struct table_line *line)
{
	struct event_source_event event;
	char object[96];

	if (!stream_event(&r->stream, &event))
		return wrong(r, line, "no further event");
	snprintf(object, sizeof object, "{\"op\":\"live\",\"at\":\"%.*s\"}", (int)event.id.len,
	    event.id.bytes);
	return (wire_equal(event.type, "ringcast.live") && wire_equal(event.data, object) &&
		   wire_id(event.id) >= wire_id(wire_text(r->last)) &&
		   snprintf(r->last, sizeof r->last, "%.*s", (int)event.id.len, event.id.bytes) >
		       0) ||
	       sees_other(r, line, &event);
}

static bool
gap(struct run *r, const struct table_line *line, const char *value)
{
	char after[32], at[32], object[200];
	struct event_source_event event;

	if (!word(&value, after, sizeof after) || !stream_event(&r->stream, &event))
		return wrong(r, line, "no further event");
	wire_json_string_at(event.data, "at", at, sizeof at);
	snprintf(object, sizeof object,
	    "{\"op\":\"gap\",\"channel\":\"%s\",\"after\":\"%s\",\"at\":\"%s\"}", r->channel, after,
	    *value != '\0' ? value : at);
	if (!wire_equal(event.type, "ringcast.gap") || !wire_equal(event.data, object) ||
	    !wire_equal(event.id, r->last) || wire_id(wire_text(at)) == 0)
		return sees_other(r, line, &event);
	if (r->target == NULL) /* of several channels the others' events may be older */
		snprintf(r->floor, sizeof r->floor, "%s", at);
	return true;
}

static bool
do_gap(struct run *r, const struct table_line *line)
{
	char *filled = fill(r, line->value);
	const bool good = gap(r, line, filled);

	free(filled);
	return good;
}

static bool
do_end(struct run *r, const struct table_line *line)
{
	struct stream *s = &r->stream;
	size_t from = s->parsed;

	s->is_events = false;
	if (strcmp(line->value, "now") != 0) {
		const unsigned ms = stream_retry(s, from);

		if (ms < 1000 || ms > 10000)
			return wrong(r, line, "no retry of 1 to 10 s before the end");
		from = stream_past(s, from, "\n\n");
	}
	return stream_ends(s, from) ||
	       wrong(r, line, "it goes on: %.*s", (int)(s->len - from < 80 ? s->len - from : 80),
		   s->body + from);
}

static bool
do_refused(struct run *r, const struct table_line *line)
{
	return do_end(r, &(struct table_line){line->key, "retry", line->number});
}

static bool
do_welcomed(struct run *r, const struct table_line *line)
{
	return read_welcome(r, line);
}

static bool
do_jitter(struct run *r, const struct table_line *line)
{
	char *end;
	const unsigned long low = strtoul(line->value, &end, 10), high = strtoul(end, NULL, 10);
	unsigned before = 0;
	bool differ = false;

	for (unsigned i = 0; i < JITTER_STREAMS; i++) {
		unsigned ms;

		if (!open_stream(r, line, "-"))
			return false;
		ms = stream_retry(&r->stream, 0);
		if (ms < low || ms > high)
			return wrong(r, line, "a retry of %u ms", ms);
		differ |= before != 0 && ms != before;
		before = ms;
	}
	return differ || wrong(r, line, "everybody is told the same time");
}

static bool
do_feed(struct run *r, const struct table_line *line)
{
	struct stream *s = &r->stream;
	struct text octets;

	if (!octets_of(r, line, line->value, &octets))
		return false;
	memcpy(s->body, octets.bytes, octets.len);
	s->len = octets.len;
	s->ended = true;
	return true;
}

static bool
do_replaced(struct run *r, const struct table_line *line)
{
	return r->stream.source.replacements == strtoul(line->value, NULL, 10) ||
	       wrong(r, line, "U+FFFD was put %llu times",
		   (unsigned long long)r->stream.source.replacements);
}

/* ---- rows --------------------------------------------------------------------------------------- */

enum kind { SETTLED, PUBLISHES, ASKS, CHECKS };

static const struct {
	const char *key;
	enum kind kind;
	bool (*act)(struct run *r, const struct table_line *line);
} actions[] = {
    {"server", SETTLED, NULL}, /* before the row begins */
    {"answer", SETTLED, NULL}, /* with the line before it */
    {"body", PUBLISHES, do_data},
    {"client", PUBLISHES, do_data},
    {"envelope", PUBLISHES, do_envelope},
    {"ndjson", PUBLISHES, do_envelope},
    {"ws", PUBLISHES, do_ws},
    {"raw", PUBLISHES, do_raw},
    {"raw-binary", PUBLISHES, do_raw},
    {"with", PUBLISHES, do_part},
    {"delete", PUBLISHES, do_delete},
    {"method", ASKS, do_part},
    {"version", ASKS, do_part},
    {"accept", ASKS, do_part},
    {"header", ASKS, do_header},
    {"target", ASKS, do_part},
    {"octets", ASKS, do_octets},
    {"open", ASKS, do_open},
    {"ask", ASKS, do_ask},
    {"jitter", ASKS, do_jitter},
    {"feed", ASKS, do_feed},
    {"drain", ASKS, do_drain},
    {"status", CHECKS, do_status},
    {"head", CHECKS, do_field},
    {"has", CHECKS, do_field},
    {"nohead", CHECKS, do_field},
    {"code", CHECKS, do_code},
    {"follows", CHECKS, do_follows},
    {"welcome", CHECKS, do_welcome},
    {"welcomed", CHECKS, do_welcomed},
    {"stream", CHECKS, do_stream},
    {"sees", CHECKS, do_sees},
    {"none", CHECKS, do_none},
    {"live", CHECKS, do_live},
    {"gap", CHECKS, do_gap},
    {"refused", CHECKS, do_refused},
    {"end", CHECKS, do_end},
    {"replaced", CHECKS, do_replaced},
};
#define ACTIONS (sizeof actions / sizeof actions[0])

static size_t
action_of(const struct table_line *line)
{
	size_t i = 0;

	while (strcmp(actions[i].key, line->key) != 0)
		i++;
	return i;
}

/* One more event comes next: so nothing else was sent. */
static bool
nothing_else(struct run *r)
{
	const struct table_line line = {"body", "text/plain .", r->row->number};
	struct event_source_event event;
	const unsigned ids = r->id_count;

	r->id_count = IDS_MAX; /* the place behind those that a row can name */
	r->with = NULL;
	r->wanted = NULL;
	if (!do_data(r, &line))
		return false;
	if (!stream_event(&r->stream, &event))
		return wrong(r, NULL, "what is published at the end of the row does not arrive");
	r->id_count = ids;
	return wire_equal(event.id, r->ids[IDS_MAX]) || sees_other(r, NULL, &event);
}

enum way { AS_WRITTEN, LIVE, REPLAYED };

static bool
do_lines(struct run *r, enum way way)
{
	const struct table_row *row = r->row;
	bool opened = way == AS_WRITTEN, compared = false;

	if (way == LIVE && !(opened = open_stream(r, NULL, "-")))
		return false;
	for (size_t i = 0; i < row->count; i++) {
		const struct table_line *line = &row->lines[i];
		const size_t action = action_of(line);

		if (actions[action].kind == CHECKS && !opened &&
		    !(opened = open_stream(r, line, "after=0")))
			return false;
		r->wanted =
		    i + 1 < row->count && strcmp(line[1].key, "answer") == 0 ? line[1].value : NULL;
		if (actions[action].act != NULL && !actions[action].act(r, line))
			return false;
		compared |= actions[action].act == do_stream;
	}
	if (!opened && !open_stream(r, NULL, "after=0"))
		return false;
	if (!r->stream.is_events)
		return true;
	if (compared && way != AS_WRITTEN && r->stream.compared != r->stream.parsed)
		return wrong(r, NULL, "the octets that were compared are not those of the events");
	return (way != REPLAYED || do_live(r, &(struct table_line){"live", "yes", row->number})) &&
	       nothing_else(r);
}

static bool
boot(struct suite *suite, const struct configuration *c)
{
	const struct server_options options = {
	    .workers = 1, .ring_bytes = c->ring_bytes, .members = c->members, .prefix = c->prefix};

	return suite->server.pid != 0 || server_start(&suite->server, &options);
}

static bool
run_row(
    struct suite *suite, const struct configuration *c, const struct table_row *row, enum way way)
{
	struct run *r = calloc(1, sizeof *r);
	bool good;

	*r = (struct run){.suite = suite,
	    .row = row,
	    .configuration = c,
	    .server = &suite->server,
	    .fed = table_value(row, "feed") != NULL,
	    .method = "GET",
	    .version = "HTTP/1.1"};
	snprintf(r->channel, sizeof r->channel, "row-%u", ++suite->rows);
	stream_init(&r->stream, suite->buffer, BUFFER_BYTES);
	good = (r->fed || boot(suite, c) || wrong(r, NULL, "no server")) && do_lines(r, way);
	stream_close(&r->stream);
	if (!good)
		tap_note("line %u%s: %s", r->line,
		    way == LIVE       ? ", live"
		    : way == REPLAYED ? ", replayed"
				      : "",
		    r->why);
	free(r);
	return good;
}

static bool
run_both(struct suite *suite, const struct configuration *c, const struct table_row *row)
{
	for (size_t i = 0; i < row->count; i++)
		if (actions[action_of(&row->lines[i])].kind == ASKS)
			return run_row(suite, c, row, AS_WRITTEN);
	return run_row(suite, c, row, LIVE) && run_row(suite, c, row, REPLAYED);
}

/* Runs the rows of one server, and ends it: whatever children are left at an end are looked for. */
static void
run_rows(struct suite *suite, const struct configuration *c, const struct table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const char *name = table_value(&table->rows[i], "server");

		if (strcmp(name == NULL ? configurations[0].name : name, c->name) != 0)
			continue;
		table_check(suite->tap, &table->rows[i], run_both(suite, c, &table->rows[i]));
		if (c->once && suite->server.pid != 0)
			server_stop(suite->tap, &suite->server, NULL);
		suite->done++;
	}
}

int
main(void)
{
	static const char *const paths[] = {"tests/conformance/sse_judge.table",
	    "tests/conformance/sse_data.table", "tests/conformance/sse.table",
	    "tests/conformance/sse_drain.table"};
	enum { TABLES = sizeof paths / sizeof paths[0] };
	const char *keys[ACTIONS + 1];
	struct table tables[TABLES];
	struct tap t = tap_start(55);
	struct suite suite = {
	    .tap = &t, .buffer = malloc(BUFFER_BYTES), .scratch = malloc(BUFFER_BYTES)};
	size_t rows = 0;

	for (size_t i = 0; i <= ACTIONS; i++)
		keys[i] = i < ACTIONS ? actions[i].key : NULL;
	for (size_t i = 0; i < TABLES; i++) {
		table_read(&tables[i], &t, paths[i], keys);
		rows += tables[i].count;
	}
	for (size_t c = 0; c < CONFIGURATIONS; c++) {
		for (size_t i = 0; i < TABLES; i++)
			run_rows(&suite, &configurations[c], &tables[i]);
		if (suite.server.pid != 0)
			server_stop(&t, &suite.server, NULL);
	}
	tap_check(&t, suite.done == rows, "every row names a server that there is");
	for (size_t i = 0; i < TABLES; i++)
		table_free(&tables[i]);
	free(suite.buffer);
	free(suite.scratch);
	return tap_finish(&t);
}
