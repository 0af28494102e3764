/*
 * publish_fixture.h: a master in this process, with a ring and a publish socket but without workers, and clients of it.
 *
 * One thread: a client writes, turns of the loop run, the client reads. So a test decides exactly what the master has
 * seen when. Every wait is bounded by a number of turns. Each test has a directory of its own, removed at its end.
 */
#ifndef TESTS_PUBLISH_FIXTURE_H
#define TESTS_PUBLISH_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "master/api.h"
#include "master/master.h"
#include "master/publish.h"
#include "master/publish_path.h"
#include "master/publish_session.h"
#include "master/supervise.h"
#include "proto/http_body.h"
#include "proto/http_reply.h"
#include "shm/doorbell.h"
#include "shm/ring_read.h"
#include "shm/ring_write.h"

#define FIXTURE_RING_BYTES LIMIT_MIB(4)
#define FIXTURE_TURNS_MAX 20000
#define FIXTURE_ANSWER_MAX (16u << 20)

struct fixture {
	struct master m;
	char directory[64];
	char path[96];
};

struct reply {
	unsigned status;
	struct slice head;
	struct slice body; /* decoded */
	bool closed;       /* the server ended the connection behind it */
	char *memory;
};

static inline void
fixture_hook(void *context)
{
	publish_turn(context);
}

/* Turns until nothing is left to do at once. */
static inline void
fixture_turns(struct fixture *f, int turns)
{
	for (int i = 0; i < turns; i++)
		assert_int_equal(loop_turn(f->m.loop, 0), 0);
}

static inline void
fixture_start(struct fixture *f)
{
	struct config_mistakes mistakes = {0};
	struct config *config = config_load(NULL, NULL, &mistakes);

	assert_non_null(config);
	memset(f, 0, sizeof *f);
	snprintf(f->directory, sizeof f->directory, "/tmp/ringcast-publish-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->path, sizeof f->path, "%s/run/publish.sock", f->directory);
	config->socket = f->path;
	f->m.config = config;
	f->m.log = log_to(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_LEVEL_INFO);
	f->m.loop = loop_new();
	assert_non_null(f->m.loop);
	f->m.state = MASTER_SERVING;
	f->m.started_unix_ms = loop_unix_ms(f->m.loop);
	assert_int_equal(
	    ring_write_create(&f->m.ring, FIXTURE_RING_BYTES, loop_unix_ms(f->m.loop)), 0);
	loop_each_turn(f->m.loop, fixture_hook, &f->m);
	assert_int_equal(api_start(&f->m), 0);
	assert_int_equal(publish_start(&f->m, -1), 0);
}

static inline void
fixture_stop(struct fixture *f)
{
	char run[96];

	publish_stop(&f->m);
	api_stop(&f->m);
	assert_int_equal(access(f->path, F_OK), -1);
	ring_write_close(f->m.ring);
	loop_free(f->m.loop);
	close(f->m.log.fd);
	f->m.config->socket = NULL;
	config_free(f->m.config);
	snprintf(run, sizeof run, "%s/run", f->directory);
	rmdir(run);
	assert_int_equal(rmdir(f->directory), 0);
}

static inline uint64_t
fixture_events(const struct fixture *f)
{
	return publish_counts(&f->m)->events;
}

static inline int
fixture_connect(const struct fixture *f)
{
	int fd = publish_path_connect(f->path);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* Writes everything, running turns while the socket is full. */
static inline void
fixture_say(struct fixture *f, int fd, struct slice bytes)
{
	for (int turn = 0; bytes.len != 0; turn++) {
		ssize_t n = send(fd, bytes.bytes, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		assert_true(turn < FIXTURE_TURNS_MAX);
		if (n == -1 && (errno == EPIPE || errno == ECONNRESET))
			return; /* the server has said what it had to say */
		if (n == -1) {
			assert_int_equal(errno, EAGAIN);
			fixture_turns(f, 1);
			continue;
		}
		bytes.bytes += n;
		bytes.len -= (size_t)n;
	}
}

/* How much of the bytes is one whole answer, and the answer; 0: not whole yet. */
static inline size_t
fixture_parse(struct reply *reply, char *bytes, size_t len, bool ended, bool head_only)
{
	struct http_reply head;
	struct http_body body;
	ptrdiff_t n = http_reply_parse(&head, slice_of(bytes, len), 0, 65536);
	size_t at, filled = 0;
	char *decoded;

	assert_true(n >= 0);
	if (n == 0)
		return 0;
	at = (size_t)n;
	reply->status = head.status;
	reply->head = slice_of(bytes, at);
	reply->body = slice_of(bytes + at, 0);
	if (head_only || head.framing == HTTP_FRAMING_NONE)
		return at;
	decoded = bytes + at;
	assert_int_equal(http_body_start(&body, head.framing, head.content_length, UINT64_MAX), 0);
	while (!http_body_complete(&body)) {
		struct slice data;
		ptrdiff_t taken = http_body_next(&body, slice_of(bytes + at, len - at), &data);

		assert_true(taken >= 0);
		if (taken == 0)
			break;
		memmove(decoded + filled, data.bytes, data.len);
		filled += data.len;
		at += (size_t)taken;
	}
	reply->body = slice_of(decoded, filled);
	if (http_body_complete(&body) || ended)
		return at;
	return 0;
}

/* Reads one final answer (100 Continue is passed over), running turns meanwhile. The body is freed by fixture_forget. */
static inline struct reply
fixture_hear_to(struct fixture *f, int fd, bool head_only)
{
	struct reply reply = {.memory = malloc(FIXTURE_ANSWER_MAX)};
	char *copy = malloc(FIXTURE_ANSWER_MAX);
	size_t len = 0, skip = 0;
	bool ended = false;

	assert_non_null(reply.memory);
	assert_non_null(copy);
	for (int turn = 0; turn < FIXTURE_TURNS_MAX; turn++) {
		ssize_t n;
		size_t used;

		fixture_turns(f, 1);
		n = recv(fd, copy + len, FIXTURE_ANSWER_MAX - len, MSG_DONTWAIT);
		if (n == 0 || (n == -1 && errno == ECONNRESET))
			ended = true;
		if (n > 0)
			len += (size_t)n;
		for (;;) {
			memcpy(reply.memory, copy + skip, len - skip);
			used = len == skip ? 0
					   : fixture_parse(&reply, reply.memory, len - skip, ended,
						 head_only);
			if (used == 0 || reply.status != 100)
				break;
			skip += used;
		}
		if (used != 0 || ended) {
			/* More than one answer is a test's own business: see fixture_hear_raw. */
			if (used == 0)
				reply.status = 0;
			assert_int_equal(used, len - skip);
			break;
		}
	}
	fixture_turns(f, 2);
	reply.closed = ended || recv(fd, copy, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
	free(copy);
	return reply;
}

static inline struct reply
fixture_hear(struct fixture *f, int fd)
{
	return fixture_hear_to(f, fd, false);
}

/* Everything that the server has to say by now. Answers the length. */
static inline size_t
fixture_hear_raw(struct fixture *f, int fd, char *bytes, size_t cap)
{
	size_t len = 0;

	for (int quiet = 0; quiet < 4;) {
		ssize_t n;

		fixture_turns(f, 1);
		n = recv(fd, bytes + len, cap - len, MSG_DONTWAIT);
		if (n > 0)
			len += (size_t)n;
		quiet = n > 0 ? 0 : quiet + 1;
	}
	return len;
}

static inline void
fixture_forget(struct reply *reply)
{
	free(reply->memory);
	reply->memory = NULL;
}

static inline bool
slice_has(struct slice text, const char *part)
{
	return text.len != 0 && memmem(text.bytes, text.len, part, strlen(part)) != NULL;
}

/* One request on a connection of its own. */
static inline struct reply
fixture_ask(struct fixture *f, const char *request)
{
	int fd = fixture_connect(f);
	struct reply reply;

	fixture_say(f, fd, slice_text(request));
	reply = fixture_hear_to(f, fd, strncmp(request, "HEAD ", 5) == 0);
	close(fd);
	fixture_turns(f, 3);
	return reply;
}

#endif
