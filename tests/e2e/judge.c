/*
 * judge.c: the judge is judged: the clients of these tests, against a scripted server, and the
 * ledger, against every fault that it is there to find. Needs no ringcastd.
 *
 * A script is sent in two pieces, cut at every byte; what the client makes of it must not depend on
 * the cut.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/ledger.h"
#include "tests/lib/wire.h"

#define ID1 "1763856000000-00001"
#define ID2 "1763856000000-00002"
#define ID3 "1763856000000-00003"
#define EVENT1 "{\"id\":\"" ID1 "\",\"channel\":\"c\",\"type\":\"message\",\"data\":\"a\\nb\"}"
#define EVENT2 "{\"id\":\"" ID2 "\",\"channel\":\"c\",\"type\":\"note\",\"data\":{\"x\":[1,\"}\"]}}"
#define WELCOME "{\"op\":\"welcome\",\"at\":\"" ID1 "\",\"beat_s\":25,\"connection\":\"1\"}"
#define LIVE "{\"op\":\"live\",\"at\":\"" ID3 "\"}"
#define GAP "{\"op\":\"gap\",\"channel\":\"c\",\"after\":\"" ID1 "\",\"at\":\"" ID2 "\"}"
#define STREAM_HEAD                                                                                                      \
	"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache, no-transform\r\n" \
	"X-Accel-Buffering: no\r\nConnection: close\r\n\r\nretry: 2000\n\n"

static const char sse_script[] =
    STREAM_HEAD "event: ringcast.welcome\ndata: " WELCOME "\nid: " ID1 "\n\n"
		"data: a\ndata: b\nid: " ID1 "\n\n: a comment\n\n"
		"event: ringcast.gap\ndata: " GAP "\n\n"
		"event: note\ndata: {\"x\":[1,\"}\"]}\nid: " ID2 "\n\n"
		"event: ringcast.live\ndata: " LIVE "\nid: " ID3 "\n\n";
static const char poll_body[] =
    "{\"events\":[" EVENT1 "," EVENT2 "],\"next\":\"" ID3 "\",\"more\":false,\"gaps\":[" GAP "]}";

/* What a client has told its hooks, as text. */
struct story {
	char text[512];
	size_t len;
};

static void
tell(struct story *s, const char *what, struct text value)
{
	s->len += (size_t)snprintf(s->text + s->len, sizeof s->text - s->len, "%s %.*s|", what,
	    (int)value.len, value.bytes);
}

static void
on_event(void *context, struct client *c, const struct client_event *event)
{
	(void)c;
	tell(context, event->id == wire_id((struct text){ID1, 19}) ? "1" : "2", event->type);
	tell(context, "", event->data);
}

static void
on_gap(void *context, struct client *c, const struct client_gap *gap)
{
	(void)c;
	tell(context, gap->at > gap->after ? "gap" : "wrong gap", gap->channel);
}

/* A WebSocket frame of a server: short, unmasked. */
static size_t
frame(char *to, const char *text)
{
	size_t len = strlen(text), head = 2;

	to[0] = (char)0x81;
	to[1] = (char)len;
	if (len > 125) {
		to[1] = 126;
		to[2] = (char)(len >> 8);
		to[3] = (char)(len & 0xff);
		head = 4;
	}
	memcpy(to + head, text, len);
	return head + len;
}

static size_t
script_of(enum client_transport transport, char *to)
{
	size_t len;

	if (transport == CLIENT_SSE)
		return (size_t)sprintf(to, "%s", sse_script);
	if (transport == CLIENT_POLL)
		return (size_t)sprintf(to,
		    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
		    "Content-Length: %zu\r\n\r\n%s",
		    sizeof poll_body - 1, poll_body);
	len = (size_t)sprintf(to,
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: " WIRE_WS_ACCEPT "\r\n\r\n");
	len += frame(to + len, WELCOME);
	len += frame(to + len, EVENT1);
	len += frame(to + len, GAP);
	len += frame(to + len, EVENT2);
	return len + frame(to + len, LIVE);
}

struct stage {
	struct clients e;
	struct story story;
	int listener;
	char request[4096];
};

static bool
open_stage(struct stage *s)
{
	static const char *const names[] = {"c"};
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;

	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(s->listener, (struct sockaddr *)&a, sizeof a) == -1 ||
	    listen(s->listener, 16) == -1 ||
	    getsockname(s->listener, (struct sockaddr *)&a, &len) == -1 ||
	    !clients_open(&s->e, ntohs(a.sin_port), 8, names, 1))
		return false;
	s->e.rest_ms = 1u << 24;
	s->e.context = &s->story;
	s->e.event = on_event;
	s->e.gap = on_gap;
	return true;
}

/* Lets the client connect and ask; the server's end, or -1. */
static int
take_request(struct stage *s)
{
	uint64_t deadline = wire_now_ms() + 3000;
	int fd = -1, one = 1;
	size_t len = 0;

	while (wire_now_ms() < deadline) {
		ssize_t n;

		clients_turn(&s->e, 0);
		if (fd == -1) {
			fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		}
		clients_turn(&s->e, 0);
		n = recv(fd, s->request + len, sizeof s->request - 1 - len, MSG_DONTWAIT);
		if (n > 0)
			len += (size_t)n;
		s->request[len] = '\0';
		if (strstr(s->request, "\r\n\r\n") != NULL)
			return fd;
	}
	return -1;
}

static void
every_cut(struct tap *t, enum client_transport transport)
{
	char script[4096], first[512] = "";
	size_t len = script_of(transport, script), wrong = 0;
	struct stage s = {0};

	if (!tap_check(
		t, open_stage(&s), "%s: a scripted server", client_transport_name(transport)))
		return;
	for (size_t cut = 0; cut <= len; cut++) {
		struct client *c = clients_add(&s.e, transport, (const uint16_t[]){0}, 1);
		int fd = (s.e.scan_ms = 0, take_request(&s));

		s.story = (struct story){"", 0};
		if (fd == -1)
			break;
		wire_send(fd, script, cut, wire_now_ms() + 1000);
		clients_turn(&s.e, cut == 0 ? 0 : 1000);
		wire_send(fd, script + cut, len - cut, wire_now_ms() + 1000);
		clients_turn(&s.e, cut == len ? 0 : 1000);
		if (first[0] == '\0')
			snprintf(first, sizeof first, "%s", s.story.text);
		if (strcmp(first, s.story.text) != 0 || !c->opened || !c->live ||
		    c->cursor != wire_id((struct text){ID3, 19}))
			wrong++;
		close(fd);
		clients_cut(&s.e, c, -1, true);
		free(c->in);
		s.e.count = 0;
	}
	tap_check(t,
	    strstr(first, "1 message") != NULL &&
		strstr(first, "2 note| {\"x\":[1,\"}\"]}") != NULL &&
		strstr(first, "gap c") != NULL,
	    "%s: the client sees what was sent: %s", client_transport_name(transport),
	    transport == CLIENT_SSE ? "(lines)" : first);
	tap_check(t, wrong == 0 && s.e.violations == 0,
	    "%s: and the same for every cut of %zu bytes (wrong %zu) %s",
	    client_transport_name(transport), len, wrong, s.e.violation);
	close(s.listener);
	clients_close(&s.e);
}

static void
comes_back_with_its_cursor(struct tap *t, enum client_transport transport, const char *wanted)
{
	char script[4096];
	struct stage s = {0};
	struct client *c;
	int fd;

	if (!open_stage(&s))
		return;
	c = clients_add(&s.e, transport, (const uint16_t[]){0}, 1);
	s.e.back_ms = 1;
	fd = take_request(&s);
	tap_check(t, fd != -1 && strstr(s.request, ID3) == NULL,
	    "%s: the first request has no cursor", client_transport_name(transport));
	wire_send(fd, script, script_of(transport, script), wire_now_ms() + 1000);
	clients_turn(&s.e, 1000);
	close(fd);
	clients_turn(&s.e, 1000);
	tap_check(t, c->clean_end && s.e.cuts_by_peer == 1, "%s: an orderly end is seen",
	    client_transport_name(transport));
	fd = take_request(&s);
	tap_check(t, fd != -1 && strstr(s.request, wanted) != NULL, "%s: the second one has: %s",
	    client_transport_name(transport), wanted);
	close(fd);
	close(s.listener);
	clients_close(&s.e);
}

/*
 * ---- the ledger --------------------------------------------------------------------------------
 */

struct book {
	struct ledger l;
	struct clients e;
};

static void
open_book(struct book *b)
{
	ledger_open(&b->l, 4, 100, 4, 10);
	clients_open(&b->e, 1, 4, b->l.names, 4);
	clients_add(&b->e, CLIENT_WS, (const uint16_t[]){0, 1}, 2);
	clients_add(&b->e, CLIENT_WS, (const uint16_t[]){2}, 1);
	b->l.published = 100;
	for (uint32_t n = 0; n < 100; n++)
		ledger_on_answer(&b->l, n, 1000 + n, (struct text){"", 0});
}

static void
close_book(struct book *b)
{
	clients_close(&b->e);
	ledger_close(&b->l);
}

/*
 * Gives a client event n as the channel's; damage > 0 changes a byte of its data, damage < 0 its
 * id.
 */
static void
give(struct book *b, unsigned client, uint32_t n, const char *channel, int damage)
{
	char envelope[8192];
	size_t len = ledger_envelope(&b->l, n, envelope, sizeof envelope);
	struct text object = {envelope, len}, data, type = {"\"message\"", 9};
	struct client_event event = {.id = 1000 + n + (damage < 0), .data_is_json = true};

	wire_json_member(object, "data", &data);
	wire_json_member(object, "type", &type);
	if (damage > 0)
		envelope[data.bytes + data.len / 2 - envelope] ^= 1;
	event.data = data;
	event.type = (struct text){type.bytes + 1, type.len - 2};
	event.channel = (struct text){channel, strlen(channel)};
	ledger_on_event(&b->l, &b->e.list[client], &event);
}

static void
ledger_finds(struct tap *t)
{
	struct book b;

	open_book(&b);
	give(&b, 0, 4, b.l.names[0], 0);
	give(&b, 0, 5, b.l.names[1], 0);
	tap_check(t, b.l.delivered == 2 && b.l.finding[0] == '\0',
	    "the ledger accepts what is right: %s", b.l.finding);
	give(&b, 0, 5, b.l.names[1], 0);
	tap_check(t, b.l.duplicated == 1, "finds a duplicate");
	give(&b, 0, 1, b.l.names[1], 0);
	tap_check(t, b.l.disordered == 1, "an event out of order");
	give(&b, 0, 6, b.l.names[2], 0);
	tap_check(t, b.l.foreign == 1, "an event of a foreign channel");
	give(&b, 0, 20, b.l.names[1], 0);
	tap_check(t, b.l.foreign == 2, "an event under the second of its channels");
	give(&b, 0, 8, b.l.names[0], 1);
	tap_check(t, b.l.damaged == 1, "a changed byte");
	give(&b, 0, 9, b.l.names[1], -1);
	give(&b, 0, 12, b.l.names[0], -1);
	give(&b, 1, 10, b.l.names[2], 0);
	tap_check(t, b.l.wrong_id == 0 && b.l.seen_ids[9] != b.l.ids[9],
	    "and keeps an id that was not acknowledged");
	tap_check(t, ledger_missing(&b.l, &b.e.list[1]) == 29, "and knows what is missing (%u)",
	    ledger_missing(&b.l, &b.e.list[1]));
	close_book(&b);
}

static void
declare(struct book *b, unsigned client, const char *channel, uint64_t after, uint64_t at)
{
	struct client_gap gap = {{channel, strlen(channel)}, after, at};

	ledger_on_gap(&b->l, &b->e.list[client], &gap);
}

static void
ledger_accounts_for_gaps(struct tap *t)
{
	struct ledger_account a;
	struct book b;

	/* Client 1 hears room-02: events 2, 6, 10, 14, 15, 18 and so on; it misses 10 to 15. */
	open_book(&b);
	for (uint32_t n = 0; n < 100; n++)
		if ((n % 4 == 2 || n % 20 == 15) && (n < 10 || n > 15))
			give(&b, 1, n, b.l.names[2], 0);
	b.e.count = 2;
	b.l.first[0] = 100;
	a = ledger_account_gaps(&b.l, &b.e);
	tap_check(t, a.missing == 3 && a.undeclared == 3,
	    "without a gap %llu events are undeclared", (unsigned long long)a.undeclared);
	declare(&b, 1, b.l.names[2], 1006, 1014);
	a = ledger_account_gaps(&b.l, &b.e);
	tap_check(t, a.undeclared == 1 && a.received == 0 && a.empty == 0,
	    "a gap that is too short leaves one");
	declare(&b, 1, b.l.names[2], 1014, 1017);
	a = ledger_account_gaps(&b.l, &b.e);
	tap_check(
	    t, a.undeclared == 0 && a.received == 0 && a.empty == 0, "exact gaps account for all");
	declare(&b, 1, b.l.names[2], 1017, 1018);
	a = ledger_account_gaps(&b.l, &b.e);
	tap_check(t, a.received == 1 && a.empty == 1, "a gap over what came is a false alarm");
	declare(&b, 1, b.l.names[1], 1010, 1013);
	a = ledger_account_gaps(&b.l, &b.e);
	tap_check(t, a.empty == 2, "and so is a gap of another channel");
	close_book(&b);
}

int
main(void)
{
	struct tap t = tap_start(60);

	every_cut(&t, CLIENT_SSE);
	every_cut(&t, CLIENT_POLL);
	every_cut(&t, CLIENT_WS);
	comes_back_with_its_cursor(&t, CLIENT_SSE, "Last-Event-ID: " ID3);
	comes_back_with_its_cursor(&t, CLIENT_WS, "&after=" ID3);
	ledger_finds(&t);
	ledger_accounts_for_gaps(&t);
	return tap_finish(&t);
}
