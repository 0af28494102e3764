/*
 * listeners.c: several listeners at once (IPv4, IPv6, a Unix socket), a prefix to all paths, the console, the address for
 * metrics, and the proxy that speaks for its clients.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/publisher.h"
#include "tests/lib/server.h"

#define WAIT_MS 5000

struct reply {
	char buffer[65536];
	struct wire_http http;
};

static int
dial_ipv6(uint16_t port)
{
	struct sockaddr_in6 to = {
	    .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	close(fd);
	return -1;
}

/* One request on a connected socket, which it closes; the status, 0 without an answer. */
static int
ask(int fd, const char *target, const char *fields, struct reply *r)
{
	char request[1024];
	int n = snprintf(request, sizeof request,
	    "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", target, fields);
	bool answered = fd != -1 && wire_exchange(fd, request, (size_t)n, r->buffer,
					sizeof r->buffer, &r->http, wire_now_ms() + WAIT_MS);

	if (fd != -1)
		close(fd);
	return answered ? r->http.status : 0;
}

static void
every_listener(struct tap *t, const struct server *s, struct reply *r)
{
	static const char target[] = "/live/events?channel=room&after=0";

	publisher_event(s->socket, "room", "\"to all\"");
	tap_check(t,
	    ask(wire_dial(s->port, 0, false, 0), target, "", r) == 200 &&
		wire_find(r->http.body, "to all") != NULL,
	    "a poll over IPv4");
	tap_check(t,
	    ask(dial_ipv6(s->port), target, "", r) == 200 &&
		wire_find(r->http.body, "to all") != NULL,
	    "a poll over IPv6");
	tap_check(t,
	    ask(wire_dial_unix(s->public_socket), target, "", r) == 200 &&
		wire_find(r->http.body, "to all") != NULL,
	    "a poll over a Unix socket");
}

static void
prefix(struct tap *t, const struct server *s, struct reply *r)
{
	tap_check(t, ask(wire_dial(s->port, 0, false, 0), "/events?channel=room", "", r) == 404,
	    "without the prefix there is nothing");
	tap_check(t, ask(wire_dial(s->port, 0, false, 0), "/live/healthz", "", r) == 200,
	    "with it there is");
	tap_check(t,
	    ask(wire_dial(s->port, 0, false, 0), "/live/", "", r) == 200 &&
		wire_find(r->http.body, "<!doctype html>") != NULL,
	    "and the console, which is on");
	tap_check(t,
	    wire_find(r->http.body, "src=\"http") == NULL &&
		wire_find(r->http.body, "href=\"http") == NULL,
	    "which loads nothing from elsewhere");
}

/* X-Forwarded-For counts from a trusted proxy only, and is read from right to left. */
static void
proxies(struct tap *t, const struct server *s, struct reply *r)
{
	static const char stream[] =
	    "GET /live/events?channel=proxied HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n"
	    "X-Forwarded-For: 203.0.113.9, 198.51.100.7\r\n\r\n";
	int trusted = wire_dial_unix(s->public_socket), other = wire_dial(s->port, 5, false, 0);
	char peers[256] = "";

	wire_send(trusted, stream, sizeof stream - 1, wire_now_ms() + WAIT_MS);
	wire_send(other, stream, sizeof stream - 1, wire_now_ms() + WAIT_MS);
	wire_read(trusted, r->buffer, sizeof r->buffer, wire_now_ms() + WAIT_MS);
	wire_read(other, r->buffer, sizeof r->buffer, wire_now_ms() + WAIT_MS);
	wire_call(server_private(s), "GET", "/connections?channel=proxied", NULL,
	    (struct text){NULL, 0}, r->buffer, sizeof r->buffer, &r->http);
	for (unsigned i = 0; i < 2; i++) {
		char path[64], peer[64];

		snprintf(path, sizeof path, "connections.%u.peer", i);
		wire_json_string_at(r->http.body, path, peer, sizeof peer);
		snprintf(peers + strlen(peers), sizeof peers - strlen(peers), "%s ", peer);
	}
	tap_check(t, strstr(peers, "127.0.0.6 ") != NULL && strstr(peers, "203.0.113.9") == NULL,
	    "what a stranger says of its address does not count: %s", peers);
	close(trusted);
	close(other);
}

int
main(void)
{
	struct tap t = tap_start(60);
	struct server s;
	struct reply *r = &(struct reply){0};
	char members[256];
	uint16_t admin = (uint16_t)(30000 + getpid() % 2000);

	snprintf(members, sizeof members,
	    "\"path_prefix\": \"/live\", \"console\": true, \"admin_listen\": \"127.0.0.1:%u\", "
	    "\"trusted_proxies\": [\"unix\"]",
	    admin);
	if (!tap_check(&t,
		server_start(&s,
		    &(struct server_options){
			.workers = 2, .members = members, .prefix = "/live", .everywhere = true}),
		"the server boots"))
		return tap_finish(&t);
	every_listener(&t, &s, r);
	prefix(&t, &s, r);
	proxies(&t, &s, r);
	tap_check(&t,
	    ask(wire_dial(admin, 0, false, 0), "/metrics", "", r) == 200 &&
		wire_find(r->http.body, "ringcast_connections") != NULL,
	    "admin_listen answers /metrics");
	tap_check(&t, ask(wire_dial(admin, 0, false, 0), "/events?channel=room", "", r) == 404,
	    "and nothing else");
	server_stop(&t, &s, NULL);
	tap_check(&t, access(s.public_socket, F_OK) == -1, "the Unix listener's file is gone");
	return tap_finish(&t);
}
