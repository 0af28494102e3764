/*
 * ctl_sub_test.c: `ringcast sub` against a server that follows a script: what is printed, and with which cursor it comes
 * back after each way in which a connection can end.
 */
#include "tests/unit/master/ctl_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/slice.h"
#include "proto/ws_handshake.h"

#define WAIT_MS 15000
#define STEPS_MAX 4

/* One connection: what its request must hold, and what it is answered. */
struct step {
	const char *asked; /* NULL ends the script */
	const char *asked_too;
	const char *absent; /* what it must not hold */
	const char *answer;
	bool websocket; /* the answer is messages behind a handshake, one a line */
	unsigned code;  /* of the close frame behind them; 0: none */
};

struct script {
	const char *line; /* the command, without --url */
	struct step steps[STEPS_MAX];
	enum ctl_exit code;
	const char *out;
	const char *err; /* a part of it; NULL: nothing is asked of it */
};

#define SSE \
	"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\nretry: 10\n\n"
#define WELCOME(id)                                                       \
	"event: ringcast.welcome\ndata: {\"op\":\"welcome\",\"at\":\"" id \
	"\",\"beat_s\":25,\"connection\":\"0-1\"}\nid: " id "\n\n"
#define LIVE(id) "event: ringcast.live\ndata: {\"op\":\"live\",\"at\":\"" id "\"}\nid: " id "\n\n"
#define OBJECT(id, data) \
	"{\"id\":\"" id "\",\"channel\":\"a\",\"type\":\"message\",\"data\":" data "}"
#define EVENT(id, data) "data: " OBJECT(id, data) "\nid: " id "\n\n"
#define ID1 "1763856000001-00000"
#define ID2 "1763856000002-00000"
#define ID3 "1763856000003-00000"
#define ID4 "1763856000004-00000"
#define WS_WELCOME(id) \
	"{\"op\":\"welcome\",\"at\":\"" id "\",\"beat_s\":30,\"connection\":\"0-1\"}\n"

static const struct script scripts[] = {
    {"ringcast sub a --count 3",
	{{"GET /events?channel=a&format=json HTTP/1.1\r\n", "\r\nAccept: text/event-stream\r\n",
	     "after=", SSE WELCOME(ID1) EVENT(ID2, "1"), false, 0},
	    /* Cut behind an event: goes on behind it. */
	    {"&after=" ID2 "&", NULL, NULL, SSE WELCOME(ID2) EVENT(ID3, "\"two\"") "data: {\"id\"",
		false, 0},
	    /* Cut within one: as if it had not come. */
	    {"&after=" ID3 "&", NULL, NULL, SSE EVENT(ID4, "{}"), false, 0}},
	CTL_OK, OBJECT(ID2, "1") "\n" OBJECT(ID3, "\"two\"") "\n" OBJECT(ID4, "{}") "\n",
	"connects again in"},
    /* Nothing came but the beat: it moves the cursor. */
    {"ringcast sub a --count 1",
	{{"?channel=a&", NULL, "after=", SSE WELCOME(ID1) LIVE(ID3), false, 0},
	    {"&after=" ID3 "&", NULL, NULL, SSE EVENT(ID4, "1"), false, 0}},
	CTL_OK, OBJECT(ID4, "1") "\n", NULL},
    /* What was asked for with --after stays asked for until something has come. */
    {"ringcast sub a --after -5 --count 1",
	{{"&after=-5&", NULL, NULL, SSE WELCOME(ID1), false, 0},
	    {"&after=-5&", NULL, NULL, SSE WELCOME(ID1) EVENT(ID2, "1"), false, 0}},
	CTL_OK, OBJECT(ID2, "1") "\n", NULL},
    {"ringcast sub a --count 1",
	{{"?channel=a&", NULL, NULL,
	    SSE WELCOME(
		ID1) "event: ringcast.gap\ndata: {\"op\":\"gap\",\"channel\":\"a\",\"after\":\"" ID1
		     "\",\"at\":\"" ID2 "\"}\nid: " ID2 "\n\n" EVENT(ID3, "1"),
	    false, 0}},
	CTL_OK, OBJECT(ID3, "1") "\n", "gap in a: events after " ID1},
    /* JSON of several lines is one line; --data is the data alone. */
    {"ringcast sub a --count 1",
	{{"?channel=a&", NULL, NULL,
	    SSE "data: {\"id\":\"" ID1
		"\",\"channel\":\"a\",\"type\":\"message\",\"data\":[1,\ndata: 2]}\nid: " ID1
		"\n\n",
	    false, 0}},
	CTL_OK, "{\"id\":\"" ID1 "\",\"channel\":\"a\",\"type\":\"message\",\"data\":[1, 2]}\n",
	NULL},
    {"ringcast sub a --data --count 3",
	{{"?channel=a&", NULL, NULL,
	    SSE EVENT(ID1, "\"two\\nlines\"")
		EVENT(ID2, "[1]") "data: {\"id\":\"" ID3
				  "\",\"channel\":\"a\",\"type\":\"t\",\"data64\":\"aGk=\"}\n\n",
	    false, 0}},
	CTL_OK, "two\nlines\n[1]\nhi\n", NULL},
    {"ringcast sub a%20b&c d --count 1",
	{{"?channel=a%2520b%26c&channel=d&", NULL, NULL, SSE EVENT(ID1, "1"), false, 0}}, CTL_OK,
	OBJECT(ID1, "1") "\n", NULL},
    {"ringcast sub a",
	{{"?channel=a&", NULL, NULL,
	    "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
	    "{\"error\":{\"code\":\"forbidden\",\"message\":\"not you\"}}",
	    false, 0}},
	CTL_FAILED, "", "forbidden: not you"},
    {"ringcast sub a --longpoll",
	{{"GET /events?channel=a&wait=25 HTTP/1.1\r\n", NULL, NULL,
	    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>", false, 0}},
	CTL_FAILED, "", "what answers there is not ringcast"},
    {"ringcast sub a --longpoll --count 1",
	{{"&wait=25 ", NULL, "after=",
	     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"events\":[],\"next\":\"" ID1
	     "\",\"more\":false,\"gaps\":[]}",
	     false, 0},
	    {"&after=" ID1 "&wait=25 ", NULL, NULL,
		"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"events\":[" OBJECT(
		    ID3, "1") "],\"next\":\"" ID3
			      "\",\"more\":false,\"gaps\":[{\"channel\":\"a\",\"after\":\"" ID1
			      "\",\"at\":\"" ID2 "\"}]}",
		false, 0}},
	CTL_OK, OBJECT(ID3, "1") "\n", "gap in a: events after " ID1},
    {"ringcast sub a --ws --count 2",
	{{"GET /events?channel=a HTTP/1.1\r\n", "\r\nSec-WebSocket-Protocol: ringcast.v1\r\n",
	     "after=", WS_WELCOME(ID1) OBJECT(ID2, "1") "\n", true, 1012},
	    {"?channel=a&after=" ID2 " HTTP/1.1\r\n", NULL, NULL,
		WS_WELCOME(ID2) OBJECT(ID3, "2") "\n", true, 0}},
	CTL_OK, OBJECT(ID2, "1") "\n" OBJECT(ID3, "2") "\n", "closed by the server: 1012"},
    /* Cut without a close frame. */
    {"ringcast sub a --ws --count 1",
	{{"?channel=a ", NULL, NULL, WS_WELCOME(ID1) "{\"op\":\"live\",\"at\":\"" ID2 "\"}\n", true,
	     0},
	    {"&after=" ID2 " ", NULL, NULL, OBJECT(ID3, "2") "\n", true, 0}},
	CTL_OK, OBJECT(ID3, "2") "\n", NULL},
    {"ringcast sub a --ws",
	{{"?channel=a ", NULL, NULL,
	    "{\"op\":\"error\",\"code\":\"forbidden\",\"message\":\"not you\"}\n", true, 1008}},
	CTL_FAILED, "", "forbidden: not you"},
    {"ringcast sub a --ws",
	{{"?channel=a ", NULL, NULL, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false,
	    0}},
	CTL_FAILED, "",
	"the server answered with status 404. Is this ringcast, and is its path_prefix in"},
    {"ringcast sub a",
	{{"?channel=a&", NULL, NULL,
	    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n", false, 0}},
	CTL_FAILED, "", "the server answered with status 200. Is this ringcast"},
    {"ringcast sub a", {{"?channel=a&", NULL, NULL, "SSH-2.0-OpenSSH\r\n", false, 0}}, CTL_FAILED,
	"", "does not speak HTTP"},
};

static void
must(bool ok, const char *line, const char *what)
{
	if (!ok)
		fail_msg("%s: %s", line, what);
}

static void
send_all(int fd, const char *bytes, size_t len)
{
	while (len != 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			return; /* the client has what it wanted */
		bytes += n;
		len -= (size_t)n;
	}
}

/* A handshake for the request's key, the lines as text messages, and a close frame. */
static void
answer_websocket(int fd, const char *request, const struct step *step)
{
	const char *key = strstr(request, "Sec-WebSocket-Key: ");
	char accept[WS_HANDSHAKE_ACCEPT_CHARS], text[65536];
	struct out o = out_to(text, sizeof text);

	assert_non_null(key);
	ws_handshake_accept(accept, slice_of(key + 19, WS_HANDSHAKE_KEY_CHARS));
	out_text(&o,
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Protocol: ringcast.v1\r\nSec-WebSocket-Accept: ");
	out_bytes(&o, accept, sizeof accept);
	out_text(&o, "\r\n\r\n");
	for (const char *at = step->answer, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
		size_t len = (size_t)(end - at);

		assert_true(len < 65536);
		out_char(&o, (char)0x81);
		if (len < 126) {
			out_char(&o, (char)len);
		} else {
			out_char(&o, 126);
			out_char(&o, (char)(len >> 8));
			out_char(&o, (char)(len & 255));
		}
		out_bytes(&o, at, len);
	}
	if (step->code != 0) {
		out_bytes(&o, "\x88\x02", 2);
		out_char(&o, (char)(step->code >> 8));
		out_char(&o, (char)(step->code & 255));
	}
	assert_false(out_cut(&o));
	send_all(fd, text, o.len);
}

/* Takes one connection and plays the step. */
static void
play(int listener, const char *line, const struct step *step)
{
	struct pollfd wait = {.fd = listener, .events = POLLIN};
	const struct timeval patience = {.tv_sec = WAIT_MS / 1000};
	char request[8192] = "";
	size_t len = 0;
	int fd;

	must(poll(&wait, 1, WAIT_MS) == 1, line, "no (further) connection");
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
	while (strstr(request, "\r\n\r\n") == NULL) {
		ssize_t n = recv(fd, request + len, sizeof request - 1 - len, 0);

		must(n > 0, line, "no whole request");
		len += (size_t)n;
		request[len] = '\0';
	}
	if (strstr(request, step->asked) == NULL ||
	    (step->asked_too != NULL && strstr(request, step->asked_too) == NULL) ||
	    (step->absent != NULL && strstr(request, step->absent) != NULL))
		fail_msg("%s: asked for %s", line, request);
	if (step->websocket)
		answer_websocket(fd, request, step);
	else
		send_all(fd, step->answer, strlen(step->answer));
	/* An end, not a reset: what was sent arrives. */
	shutdown(fd, SHUT_WR);
	while (recv(fd, request, sizeof request, 0) > 0)
		continue;
	close(fd);
}

static pid_t
start(const struct script *script, int listener, int out, int err, const char *url)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		const struct ctl c = {.url = url, .uid = 1000, .input = -1};
		struct said said;

		close(listener);
		said = ctl_say(&c, script->line);
		if (write(out, said.out, strlen(said.out)) < 0 ||
		    write(err, said.err, strlen(said.err)) < 0)
			_exit(99);
		said_free(&said);
		_exit((int)said.code);
	}
	return child;
}

static void
run_script(const struct script *script)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t address_len = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), out[2], err[2], status = 0;
	char url[64], said_out[65536] = "", said_err[65536] = "";
	pid_t child, ended = 0;

	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &address_len), 0);
	snprintf(url, sizeof url, "http://127.0.0.1:%u", ntohs(address.sin_port));
	assert_int_equal(pipe(out) | pipe(err), 0);
	child = start(script, listener, out[1], err[1], url);
	close(out[1]), close(err[1]);
	for (const struct step *step = script->steps;
	     step < script->steps + STEPS_MAX && step->asked != NULL; step++)
		play(listener, script->line, step);
	for (int i = 0; i < WAIT_MS / 10 && ended == 0; i++) {
		ended = waitpid(child, &status, WNOHANG);
		if (ended == 0)
			poll(NULL, 0, 10);
	}
	if (ended == 0)
		kill(child, SIGKILL);
	must(ended == child && WIFEXITED(status), script->line, "did not end");
	must(read(out[0], said_out, sizeof said_out - 1) >= 0 &&
		 read(err[0], said_err, sizeof said_err - 1) >= 0,
	    script->line, "said nothing");
	if (WEXITSTATUS(status) != (int)script->code || strcmp(said_out, script->out) != 0 ||
	    (script->err != NULL && strstr(said_err, script->err) == NULL))
		fail_msg(
		    "%s: code %d\n%s\n%s", script->line, WEXITSTATUS(status), said_out, said_err);
	close(out[0]), close(err[0]), close(listener);
}

static void
it_prints_what_comes_and_comes_back_where_it_was(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
		run_script(&scripts[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_prints_what_comes_and_comes_back_where_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
