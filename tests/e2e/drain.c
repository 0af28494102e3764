/*
 * drain.c: SIGTERM ends everybody in the way of their transport: polls are answered, streams end
 * after a retry, WebSockets get 1001; nobody is reset, and the server is gone with status 0.
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/client.h"
#include "tests/lib/publisher.h"
#include "tests/lib/server.h"

#define DRAIN_MS 8000

static const char *const names[] = {"one", "two"};

struct tally {
	unsigned ended[CLIENT_TRANSPORTS];
	unsigned unclean[CLIENT_TRANSPORTS];
	unsigned going_away;
};

static void
count_end(void *context, struct client *c)
{
	struct tally *tally = context;

	tally->ended[c->transport]++;
	tally->unclean[c->transport] += !c->clean_end;
	tally->going_away += c->close_code == 1001;
}

/* What an EventSource sees, from its request to the end; false when it was a reset. */
static bool
read_stream(int fd, char *buffer, size_t cap, size_t *len)
{
	uint64_t deadline = wire_now_ms() + DRAIN_MS;

	for (;;) {
		ssize_t n = wire_read(fd, buffer + *len, cap - 1 - *len, deadline);

		if (n <= 0)
			return n == 0;
		*len += (size_t)n;
		buffer[*len] = '\0';
	}
}

static unsigned
occurrences(const char *text, const char *what)
{
	unsigned count = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		count++;
	return count;
}

static void
check_tally(struct tap *t, const struct tally *tally, const unsigned added[CLIENT_TRANSPORTS])
{
	for (unsigned i = 0; i < CLIENT_TRANSPORTS; i++)
		tap_check(t, tally->ended[i] == added[i] && tally->unclean[i] == 0,
		    "%s: all end, none by a reset (%u of %u ended, %u unclean)",
		    client_transport_name((enum client_transport)i), tally->ended[i], added[i],
		    tally->unclean[i]);
	tap_check(t, tally->going_away == added[CLIENT_WS] + added[CLIENT_WS_SUBSCRIBE],
	    "every WebSocket gets close code 1001 (%u)", tally->going_away);
}

static void
drain(struct tap *t, struct server *s, struct clients *e)
{
	static const char request[] =
	    "GET /events?channel=one&stream=sse HTTP/1.1\r\nHost: localhost\r\n\r\n";
	struct tally tally = {0};
	unsigned added[CLIENT_TRANSPORTS] = {0};
	char stream[65536] = "";
	size_t len = 0;
	int status = -1, fd = wire_dial(s->port, 0, false, 0);
	uint64_t started;
	pid_t ended = 0;

	e->context = &tally;
	e->ended = count_end;
	e->rest_ms = 1u << 24;
	for (unsigned i = 0; i < CLIENT_TRANSPORTS * tap_scaled(25, 5); i++) {
		clients_add(
		    e, (enum client_transport)(i % CLIENT_TRANSPORTS), (const uint16_t[]){0, 1}, 2);
		added[i % CLIENT_TRANSPORTS]++;
	}
	tap_check(t, clients_settle(e, 10000), "all %zu clients are welcomed", e->count);
	tap_check(t,
	    fd != -1 && wire_send(fd, request, sizeof request - 1, wire_now_ms() + 1000) &&
		wire_read(fd, stream, sizeof stream, wire_now_ms() + 3000) > 0,
	    "and a stream is read by hand");
	for (uint64_t until = wire_now_ms() + 300; wire_now_ms() < until;)
		clients_turn(e, 5);
	for (size_t i = 0; i < e->count; i++)
		e->list[i].parked = true;
	started = wire_now_ms();
	kill(s->pid, SIGTERM);
	while (ended == 0 && wire_now_ms() < started + DRAIN_MS) {
		clients_turn(e, 5);
		ended = waitpid(s->pid, &status, WNOHANG);
	}
	for (unsigned i = 0; i < 20; i++)
		clients_turn(e, 5);
	tap_check(t, ended == s->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "the server exits with 0 (status %#x after %llu ms)", (unsigned)status,
	    (unsigned long long)(wire_now_ms() - started));
	check_tally(t, &tally, added);
	tap_check(t, e->violations == 0, "violations of the contract = %llu %s",
	    (unsigned long long)e->violations, e->violation);
	len = strlen(stream);
	tap_check(t,
	    read_stream(fd, stream, sizeof stream, &len) && occurrences(stream, "retry:") == 2,
	    "a stream is told when to come back, then ends");
	close(fd);
}

int
main(void)
{
	struct tap t = tap_start(60);
	struct server s;
	struct clients e;

	if (!tap_check(
		&t, server_start(&s, &(struct server_options){.workers = 2}), "the server boots"))
		return tap_finish(&t);
	if (tap_check(&t, clients_open(&e, s.port, 512, names, 2), "clients"))
		drain(&t, &s, &e);
	clients_close(&e);
	server_aftermath(&t, &s, NULL);
	return tap_finish(&t);
}
