/*
 * sse_property.c: whatever is published, by whichever way, a page gets it: random data full of line breaks, of what looks like the
 * stream's own format, and of characters from every plane, compared with what an EventSource of the tests' own dispatches. Live
 * and replayed; plain (CR and CRLF are LF there, binary is base64) and with format=json (exact).
 */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/server.h"
#include "tests/lib/stream.h"
#include "tests/lib/ways.h"

#define DATA_BYTES 400
#define BUFFER_BYTES (8u << 20)
#define SEED UINT64_C(0x5eed0f5e5e5e5e5e)

enum { STREAMS = 2 };

struct published {
	char data[DATA_BYTES + 8];
	size_t len;
	bool binary;
	char id[20];
};

struct property {
	struct server server;
	struct published *events;
	unsigned count;
	uint64_t random;
	struct stream streams[STREAMS]; /* plain, JSON */
};

/* ---- random data ------------------------------------------------------------------------------- */

static size_t
put_character(char *to, uint32_t c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static void
make_text(struct property *p, struct published *e)
{
	static const char *const pieces[] = {"\r", "\n", "\r\n", "\n\r", "\r\r", "\n\n", " ", ":",
	    "data: ", "id: 1\n", "event: x\r", "retry: 1", "\xef\xbb\xbf", "\xe2\x80\xa8",
	    "\xe2\x80\xa9", "\xc2\x85", "\t", "\x0b", "\"", "\\", "x", "\xef\xbf\xbd"};
	const size_t wanted = wire_random(&p->random) % DATA_BYTES;
	static const uint32_t planes[] = {0x20, 0x80, 0x800, 0xe000, 0x10000, 0x100000};

	while (e->len < wanted) {
		const uint32_t dice = wire_random(&p->random);

		if (dice % 3 != 0) {
			const char *piece = pieces[dice / 3 % (sizeof pieces / sizeof pieces[0])];

			if (e->len + strlen(piece) > DATA_BYTES)
				return;
			memcpy(e->data + e->len, piece, strlen(piece));
			e->len += strlen(piece);
		} else if (dice % 50 == 0) {
			e->data[e->len++] = '\0';
		} else {
			e->len += put_character(
			    e->data + e->len, planes[dice / 3 % 6] + (dice >> 8) % 0x60);
		}
	}
}

static void
make_event(struct property *p, struct published *e)
{
	*e = (struct published){.binary = wire_random(&p->random) % 5 == 0};
	if (!e->binary) {
		make_text(p, e);
		return;
	}
	e->len = wire_random(&p->random) % DATA_BYTES;
	for (size_t i = 0; i < e->len; i++)
		e->data[i] = (char)wire_random(&p->random);
}

/* ---- publishing -------------------------------------------------------------------------------- */

/* The data as a JSON string: every control character escaped, the rest as it is. */
static size_t
put_string(char *to, const struct published *e)
{
	size_t len = 0;

	to[len++] = '"';
	for (size_t i = 0; i < e->len; i++) {
		const unsigned char c = (unsigned char)e->data[i];

		if (c < 0x20 || c == '"' || c == '\\')
			len += (size_t)sprintf(to + len, "\\u%04x", c);
		else
			to[len++] = (char)c;
	}
	to[len++] = '"';
	return len;
}

static bool
publish(struct property *p, struct published *e)
{
	const struct text data = {e->data, e->len};
	const char *type = e->binary ? "application/octet-stream" : "text/plain";
	const uint32_t way = wire_random(&p->random) % (e->binary ? 3 : 5);
	char message[DATA_BYTES * 6 + 100];
	struct ways_answer answer;
	size_t len;
	bool good;

	if (way == 0) {
		good = ways_post(
		    server_private(&p->server), "/publish?channel=x", type, data, &answer);
	} else if (way == 1) {
		good =
		    ways_post(server_public(&p->server), "/events?channel=x", type, data, &answer);
	} else if (way == 2) {
		good = ways_raw(p->server.port, "x", e->binary ? 2 : 1, data, &answer);
	} else {
		len = (size_t)sprintf(message, "{\"op\":\"publish\",\"channel\":\"x\",\"data\":");
		len += put_string(message + len, e);
		message[len++] = '}';
		good = way == 3
			   ? ways_websocket(p->server.port, (struct text){message, len}, &answer)
			   : ways_post(server_private(&p->server), "/publish", "application/json",
				 (struct text){message, len}, &answer);
	}
	if (!good || answer.id == 0) {
		tap_note("way %u: %d %s", way, answer.status, answer.code);
		return false;
	}
	wire_id_text(answer.id, e->id);
	return true;
}

/* ---- what a page gets -------------------------------------------------------------------------- */

static size_t
put_base64(char *to, const struct published *e)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len = 0;

	for (size_t i = 0; i < e->len; i += 3) {
		uint32_t three = 0;

		for (size_t k = 0; k < 3; k++)
			three = three << 8 | (i + k < e->len ? (unsigned char)e->data[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			to[len++] = i + k > e->len ? '=' : digits[three >> (18 - 6 * k) & 63];
	}
	return len;
}

/* What the plain stream's data must be. */
static struct text
plain(const struct published *e, char *buffer)
{
	size_t len = 0;

	if (e->binary)
		return (struct text){buffer, put_base64(buffer, e)};
	for (size_t i = 0; i < e->len; i++) {
		if (e->data[i] == '\r' && i + 1 < e->len && e->data[i + 1] == '\n')
			continue;
		buffer[len++] = e->data[i] == '\r' ? '\n' : e->data[i];
	}
	return (struct text){buffer, len};
}

static bool
same(struct text a, struct text b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

/* The data of an event object is exactly what was published. */
static bool
is_exact(struct text object, const struct published *e)
{
	char buffer[DATA_BYTES * 2], wanted[DATA_BYTES * 2];
	struct text value, data = {e->data, e->len};
	ssize_t n;

	if (!wire_json_member(object, e->binary ? "data64" : "data", &value))
		return false;
	n = wire_json_text(value, buffer, sizeof buffer);
	if (e->binary)
		data = (struct text){wanted, put_base64(wanted, e)};
	return n >= 0 && same((struct text){buffer, (size_t)n}, data);
}

static bool
arrives(struct stream *s, bool json, const struct published *e)
{
	struct event_source_event event;
	char buffer[DATA_BYTES * 2];

	if (!stream_event(s, &event)) {
		tap_note("no further event instead of %s", e->id);
		return false;
	}
	if (wire_equal(event.id, e->id) && wire_equal(event.type, "message") &&
	    (json ? is_exact(event.data, e) : same(event.data, plain(e, buffer))))
		return true;
	tap_note("instead of %s: %.*s %.*s %.*s", e->id, (int)event.id.len, event.id.bytes,
	    (int)event.type.len, event.type.bytes, (int)event.data.len, event.data.bytes);
	return false;
}

static bool
open_stream(struct property *p, unsigned i, const char *query)
{
	struct stream *s = &p->streams[i];
	char request[200];

	snprintf(request, sizeof request,
	    "GET /events?channel=x&stream=sse%s%s HTTP/1.1\r\nHost: x\r\n\r\n", query,
	    i == 1 ? "&format=json" : "");
	return stream_connect(s, p->server.port) &&
	       stream_send(s, request, strlen(request), false) && stream_head(s) &&
	       stream_welcome(s, 25);
}

/* ---- the property ------------------------------------------------------------------------------ */

static void
check(struct tap *t, struct property *p)
{
	static const char *const names[STREAMS] = {"a stream", "a stream of format=json"};
	unsigned published = 0, live[STREAMS] = {0}, replayed[STREAMS] = {0};

	for (unsigned i = 0; i < STREAMS; i++)
		tap_check(t, open_stream(p, i, ""), "%s is welcomed", names[i]);
	for (; published < p->count; published++) {
		make_event(p, &p->events[published]);
		if (!publish(p, &p->events[published]))
			break;
		for (unsigned i = 0; i < STREAMS; i++)
			live[i] += live[i] == published &&
				   arrives(&p->streams[i], i == 1, &p->events[published]);
	}
	tap_check(t, published == p->count, "all are published (%u of %u)", published, p->count);
	for (unsigned i = 0; i < STREAMS; i++) {
		if (open_stream(p, i, "&after=0"))
			while (replayed[i] < published &&
			       arrives(&p->streams[i], i == 1, &p->events[replayed[i]]))
				replayed[i]++;
		tap_check(t, live[i] == published && replayed[i] == published,
		    "%s: what was published is what a page gets (live %u, replayed %u of %u)",
		    names[i], live[i], replayed[i], published);
		tap_check(t, p->streams[i].source.replacements == 0, "%s is UTF-8", names[i]);
	}
}

int
main(void)
{
	struct tap t = tap_start(60);
	struct property p = {.count = tap_scaled(400, 40), .random = SEED};

	p.events = calloc(p.count, sizeof *p.events);
	for (unsigned i = 0; i < STREAMS; i++)
		stream_init(&p.streams[i], malloc(BUFFER_BYTES), BUFFER_BYTES);
	if (tap_check(&t,
		server_start(&p.server, &(struct server_options){.workers = 1,
					    .members = "\"channels\": [{\"match\": \"*\", "
						       "\"publish\": \"anyone\"}]"}),
		"the server boots"))
		check(&t, &p);
	for (unsigned i = 0; i < STREAMS; i++) {
		stream_close(&p.streams[i]);
		free(p.streams[i].buffer);
	}
	server_stop(&t, &p.server, NULL);
	free(p.events);
	return tap_finish(&t);
}
