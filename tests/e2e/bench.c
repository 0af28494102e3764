/*
 * bench.c: `ringcast bench` plays every scenario with every transport against a server, and is not deceived by one that loses, repeats,
 * swaps or damages events.
 *
 * The deceiver is a small server of its own: GET is a stream, POST goes to all streams, and every fifth event (of SWALLOWS every one) is treated
 * as the row says.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/server.h"

#define OUTPUT_BYTES (1 << 20)
#define RUN_MS 60000
#define EVERY 5
#define STREAMS_MAX 64

/* ---- the deceiver -------------------------------------------------------------------------------- */

enum trick { HONEST, LOSES, REPEATS, SWAPS, DAMAGES, STRAYS, SWALLOWS };

struct deceiver {
	int listener;
	enum trick trick;
	int streams[STREAMS_MAX];
	size_t stream_count;
	unsigned events;
	char kept[512]; /* of a swap: what goes after the next */
};

static void
to_all(const struct deceiver *d, const char *data)
{
	char block[600];
	const int len = snprintf(block, sizeof block, "data: %s\n\n", data);

	for (size_t i = 0; i < d->stream_count; i++)
		wire_send(d->streams[i], block, (size_t)len, wire_now_ms() + 1000);
}

static void
publish(struct deceiver *d, char *data)
{
	const bool turn = ++d->events % EVERY == 0;

	if ((turn && d->trick == LOSES) || d->trick == SWALLOWS)
		return;
	if (turn && d->trick == SWAPS) {
		snprintf(d->kept, sizeof d->kept, "%s", data);
		return;
	}
	if (turn && d->trick == DAMAGES)
		data[strlen(data) - 5] = 'y';
	if (turn && d->trick == STRAYS)
		data[11] = data[11] == '7' ? '8' : '7'; /* the last digit of its channel */
	to_all(d, data);
	if (turn && d->trick == REPEATS)
		to_all(d, data);
	if (d->kept[0] != '\0')
		to_all(d, d->kept);
	d->kept[0] = '\0';
}

/* One request; the connection of a POST is served in its place until it ends. */
static void
serve(struct deceiver *d, int fd)
{
	static const char stream[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
	static const char taken[] = "HTTP/1.1 204 No Content\r\n\r\n";
	char bytes[4096];
	ssize_t n = recv(fd, bytes, sizeof bytes - 1, 0);
	char *body;

	if (n <= 0) {
		close(fd);
		return;
	}
	bytes[n] = '\0';
	if (strncmp(bytes, "GET ", 4) == 0 && d->stream_count < STREAMS_MAX) {
		wire_send(fd, stream, sizeof stream - 1, wire_now_ms() + 1000);
		d->streams[d->stream_count++] = fd;
		return;
	}
	body = strstr(bytes, "\r\n\r\n");
	if (body != NULL)
		publish(d, body + 4);
	wire_send(fd, taken, sizeof taken - 1, wire_now_ms() + 1000);
	d->streams[STREAMS_MAX - 1] = fd;
}

static void
deceive(int listener, enum trick trick)
{
	struct deceiver d = {.listener = listener, .trick = trick};
	struct pollfd fds[2] = {{.fd = listener, .events = POLLIN}, {.fd = -1, .events = POLLIN}};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (poll(fds, 2, RUN_MS) > 0) {
		if (fds[1].revents != 0) {
			const int fd = fds[1].fd;

			fds[1].fd = -1;
			d.streams[STREAMS_MAX - 1] = -1;
			serve(&d, fd);
			fds[1].fd = d.streams[STREAMS_MAX - 1];
			if (fds[1].fd == 0)
				fds[1].fd = -1;
		} else if (fds[0].revents != 0) {
			const int fd = accept(listener, NULL, NULL);
			struct pollfd first = {.fd = fd, .events = POLLIN};

			/* The publisher connects first and says nothing until everybody is in. */
			if (fds[1].fd == -1 && poll(&first, 1, 200) == 0)
				fds[1].fd = fd;
			else
				serve(&d, fd);
		}
	}
	_exit(0);
}

static pid_t
start_deceiver(enum trick trick, uint16_t *port)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	if (bind(listener, (struct sockaddr *)&address, len) == -1 || listen(listener, 64) == -1 ||
	    getsockname(listener, (struct sockaddr *)&address, &len) == -1)
		return -1;
	*port = ntohs(address.sin_port);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		deceive(listener, trick);
	close(listener);
	return pid;
}

static const struct trick_row {
	const char *name;
	enum trick trick;
	const char *figure; /* that must not be 0; NULL: all is well */
} tricks[] = {
    {"an honest server is believed", HONEST, NULL},
    {"a lost event is noticed", LOSES, "lost_count"},
    {"a repeated event is noticed", REPEATS, "twice_count"},
    {"swapped events are noticed", SWAPS, "late_count"},
    {"a damaged event is noticed", DAMAGES, "damaged_count"},
    {"an event of another channel is noticed", STRAYS, "foreign_count"},
    {"a server that delivers nothing is not measured", SWALLOWS, NULL},
};

static bool
notices(const struct server *s, size_t row, char *output)
{
	const struct trick_row *trick = &tricks[row];
	const char *figure = trick->figure != NULL ? trick->figure : "lost_count";
	char subscribe[80], publish_url[80], path[64];
	struct text value = {NULL, 0};
	uint16_t port = 0;
	const pid_t pid = start_deceiver(trick->trick, &port);
	int code;

	(void)s;
	snprintf(subscribe, sizeof subscribe, "http://127.0.0.1:%u/s/{channel}", port);
	snprintf(publish_url, sizeof publish_url, "http://127.0.0.1:%u/p/{channel}", port);
	/* 21 events: the last is not one that is tampered with, so that nobody waits for it in vain. */
	code = server_run((const char *const[]){"ringcast", "bench", "broadcast", "--subscribe-url",
			      subscribe, "--publish-url", publish_url, "--clients", "3", "--rounds",
			      "1", "--rate", "20", "--seconds", "1", "--json", "-", NULL},
	    NULL, output, OUTPUT_BYTES, RUN_MS);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (trick->trick == SWALLOWS)
		return code == 1 && strstr(output, "not one event came") != NULL;
	snprintf(path, sizeof path, "figures.%s", figure);
	wire_json_path(wire_text(output), path, &value);
	return trick->figure == NULL ? code == 0 && wire_json_number(value, -1) == 0
				     : code == 1 && wire_json_number(value, 0) > 0;
}

/* ---- the real one --------------------------------------------------------------------------------- */

static const struct play_row {
	const char *scenario, *transport;
} plays[] = {
    {"idle", "sse"},
    {"broadcast", "ws"},
    {"burst", "sse"},
    {"channels", "ws"},
    {"storm", "sse"},
    {"slow", "ws"},
    {"isolation", "sse"},
    {"resume", "ws"},
    {"broadcast", "longpoll"},
    {"resume", "longpoll"},
    {"broadcast", "poll"},
    {"resume", "poll"},
};

static bool
loses_nothing(const struct server *s, size_t row, char *output)
{
	char url[64];
	struct text good;
	int code;

	snprintf(url, sizeof url, "http://127.0.0.1:%u", s->port);
	code = server_run((const char *const[]){"ringcast", "bench", plays[row].scenario, "--url",
			      url, "--socket", s->socket, "--transport", plays[row].transport,
			      "--clients", "40", "--seconds", "1", "--rate", "40", "--rounds", "2",
			      "--burst", "50", "--process-clients", "15", "--json", "-", NULL},
	    NULL, output, OUTPUT_BYTES, RUN_MS);
	return code == 0 && wire_json_valid(wire_text(output)) &&
	       wire_json_member(wire_text(output), "good", &good) && wire_equal(good, "true");
}

static bool
page_stands_alone(const struct server *s, size_t row, char *output)
{
	char url[64];
	int code;

	(void)row;
	snprintf(url, sizeof url, "http://127.0.0.1:%u", s->port);
	code = server_run(
	    (const char *const[]){"ringcast", "bench", "--url", url, "--socket", s->socket,
		"--clients", "10", "--seconds", "1", "--html", "-", "--json", "/dev/null", NULL},
	    NULL, output, OUTPUT_BYTES, RUN_MS);
	return code == 0 && strstr(output, "<!doctype html>") != NULL &&
	       strstr(output, "</svg>") != NULL && strstr(output, "</html>") != NULL &&
	       strstr(output, "<script") == NULL && strstr(output, "src=") == NULL;
}

/* What cannot end well: said soon, not after a minute, and nothing is played. */
static const struct mistake_row {
	const char *name, *prefix, *option, *value;
} mistakes[] = {
    {"nobody listens", "", "--url", "http://127.0.0.1:1"},
    {"a path that is not the server's", "/push", NULL, NULL},
    {"a report that cannot be written", "", "--html", "/nonexistent/report.html"},
    {"a report that is a directory", "", "--json", "/"},
};

static bool
is_told_soon(const struct server *s, size_t row, char *output)
{
	const struct mistake_row *mistake = &mistakes[row];
	const uint64_t from_ms = wire_now_ms();
	char url[64];
	int code;

	snprintf(url, sizeof url, "http://127.0.0.1:%u%s", s->port, mistake->prefix);
	/* Of an option that is given twice the last counts. */
	code =
	    server_run((const char *const[]){"ringcast", "bench", "--socket", s->socket,
			   "--clients", "5", "--url", url, mistake->option, mistake->value, NULL},
		NULL, output, OUTPUT_BYTES, RUN_MS);
	return code == 1 && wire_now_ms() - from_ms < RUN_MS / 2 && strstr(output, "lost") == NULL;
}

/* ---- side by side --------------------------------------------------------------------------------- */

typedef bool check_fn(const struct server *s, size_t row, char *output);

/* Most of a run is waiting: each check is played in a process of its own, all at once. */
static pid_t
start(check_fn *holds, const struct server *s, size_t row)
{
	char *output = calloc(1, OUTPUT_BYTES);
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (output == NULL || !holds(s, row, output)) {
			fprintf(stderr, "%.600s\n", output);
			_exit(1);
		}
		_exit(0);
	}
	free(output);
	return pid;
}

static bool
held(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int
main(void)
{
	enum {
		PLAYS = sizeof plays / sizeof plays[0],
		MISTAKES = sizeof mistakes / sizeof mistakes[0],
		TRICKS = sizeof tricks / sizeof tricks[0],
	};
	struct tap t = tap_start(200);
	pid_t played[PLAYS], told[MISTAKES], noticed[TRICKS], page;
	struct server s;

	if (!server_start(&s, &(struct server_options){.workers = 2})) {
		tap_check(&t, false, "the server starts");
		return tap_finish(&t);
	}
	for (size_t i = 0; i < PLAYS; i++)
		played[i] = start(loses_nothing, &s, i);
	for (size_t i = 0; i < MISTAKES; i++)
		told[i] = start(is_told_soon, &s, i);
	page = start(page_stands_alone, &s, 0);
	for (size_t i = 0; i < PLAYS; i++)
		tap_check(&t, held(played[i]), "%s with %s plays and loses nothing",
		    plays[i].scenario, plays[i].transport);
	for (size_t i = 0; i < MISTAKES; i++)
		tap_check(&t, held(told[i]), "%s: it is told soon", mistakes[i].name);
	tap_check(&t, held(page), "the page needs nothing beside it");
	server_stop(&t, &s, NULL);
	for (size_t i = 0; i < TRICKS; i++)
		noticed[i] = start(notices, &s, i);
	for (size_t i = 0; i < TRICKS; i++)
		tap_check(&t, held(noticed[i]), "%s", tricks[i].name);
	return tap_finish(&t);
}
