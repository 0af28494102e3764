/*
 * refuse.c: see refuse.h.
 *
 * Between calls: a guest with a descriptor is watched for input and has its timer running; the room
 * is no larger than a quarter of our descriptors, so that those who wait here do not keep others
 * out.
 */
#include "master/refuse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "master/master.h"

struct refuse_guest {
	struct master *master;
	int fd; /* -1: the place is free */
	enum refuse_reason reason;
	struct loop_source source;
	struct loop_timer patience;
};

struct refuse {
	size_t places, waiting;
	struct refuse_guest of[REFUSE_ROOM];
};

#define REFUSE_BODY(code, words) "{\"error\":{\"code\":\"" code "\",\"message\":\"" words "\"}}"
#define REFUSE_HEAD                                                                              \
	"Content-Type: application/json\r\nAccess-Control-Allow-Origin: *\r\nRetry-After: 5\r\n" \
	"Connection: close\r\n\r\n"

/* Behind the Date. */
static const struct {
	const char *line, *rest;
} refuse_answers[] = {
    [REFUSE_FULL] = {"HTTP/1.1 503 Service Unavailable\r\n",
	REFUSE_HEAD REFUSE_BODY("overloaded", "the server has no room for another connection")},
    [REFUSE_ADDRESS] = {"HTTP/1.1 429 Too Many Requests\r\n",
	REFUSE_HEAD REFUSE_BODY("too_many_connections", "too many connections from this address")},
    [REFUSE_DRAINING] = {"HTTP/1.1 503 Service Unavailable\r\n",
	REFUSE_HEAD REFUSE_BODY("draining", "the server is stopping")},
};

/* RFC 9110, 6.6.1. */
static void
refuse_date(struct out *o, uint64_t unix_ms)
{
	const time_t seconds = (time_t)(unix_ms / 1000);
	struct tm when;
	char text[64];

	gmtime_r(&seconds, &when);
	strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &when);
	out_text(o, text);
}

/* The time to come back differs, so that a crowd does not come back as one. */
static void
refuse_stream(struct out *o, uint64_t now_ns)
{
	out_text(o, "Content-Type: text/event-stream; charset=utf-8\r\n"
		    "Cache-Control: no-cache, no-transform\r\nAccess-Control-Allow-Origin: *\r\n"
		    "Connection: close\r\n\r\nretry: ");
	out_u64(o, 1000 + now_ns / 1000 * UINT64_C(2654435761) % 9000);
	out_text(o, "\n\n");
}

/* Answers and closes if the request is there, or if it is not waited for. */
static bool
refuse_answer(struct master *m, int fd, enum refuse_reason reason, bool wait)
{
	static const char stream[] = "text/event-stream", query[] = "stream=sse";
	char request[4096], answer[512];
	struct out o = out_to(answer, sizeof answer);
	bool streams;
	/* Reading also keeps the close from becoming a reset that would overtake the answer. */
	ssize_t len = recv(fd, request, sizeof request, MSG_DONTWAIT);

	if (len == -1 && errno == EAGAIN && wait)
		return false;
	streams = len > 0 && (memmem(request, (size_t)len, stream, sizeof stream - 1) != NULL ||
				 memmem(request, (size_t)len, query, sizeof query - 1) != NULL);
	out_text(&o, streams ? "HTTP/1.1 200 OK\r\n" : refuse_answers[reason].line);
	refuse_date(&o, loop_unix_ms(m->loop));
	if (streams)
		refuse_stream(&o, loop_now_ns(m->loop) + (uint64_t)fd * 1000);
	else
		out_text(&o, refuse_answers[reason].rest);
	/* The client may be gone already; there is nobody else to tell. */
	(void)send(fd, o.bytes, o.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
	close(fd);
	return true;
}

static void
refuse_dismiss(struct refuse_guest *guest)
{
	struct master *m = guest->master;
	int fd = guest->fd;

	loop_del(m->loop, &guest->source);
	loop_timer_clear(m->loop, &guest->patience);
	guest->fd = -1;
	m->refuse->waiting--;
	refuse_answer(m, fd, guest->reason, false);
}

static void
refuse_on_ready(void *context, uint32_t events)
{
	(void)events;
	refuse_dismiss(context);
}

static void
refuse_on_impatience(void *context)
{
	refuse_dismiss(context);
}

int
refuse_new(struct master *m)
{
	struct rlimit limit;

	m->refuse = calloc(1, sizeof *m->refuse);
	if (m->refuse == NULL) {
		log_say(&m->log, LOG_LEVEL_ERROR, "out of memory");
		return -1;
	}
	m->refuse->places = REFUSE_ROOM;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 4 < REFUSE_ROOM)
		m->refuse->places = limit.rlim_cur / 4;
	for (size_t i = 0; i < REFUSE_ROOM; i++)
		m->refuse->of[i].fd = -1;
	return 0;
}

void
refuse_free(struct master *m)
{
	if (m->refuse == NULL)
		return;
	for (size_t i = 0; i < m->refuse->places; i++)
		if (m->refuse->of[i].fd != -1)
			refuse_dismiss(&m->refuse->of[i]);
	free(m->refuse);
	m->refuse = NULL;
}

size_t
refuse_waiting(const struct master *m)
{
	return m->refuse == NULL ? 0 : m->refuse->waiting;
}

bool
refuse_has_room(const struct master *m)
{
	return m->refuse != NULL && m->refuse->waiting < m->refuse->places;
}

void
refuse_connection(struct master *m, int fd, enum refuse_reason reason)
{
	struct refuse *refuse = m->refuse;
	struct refuse_guest *guest;

	if (refuse_answer(m, fd, reason, refuse_has_room(m)))
		return;
	for (guest = refuse->of; guest->fd != -1; guest++)
		;
	guest->master = m;
	guest->fd = fd;
	guest->reason = reason;
	refuse->waiting++;
	if (loop_add(m->loop, &guest->source, fd, EPOLLIN, refuse_on_ready, guest) == -1 ||
	    loop_timer_set(m->loop, &guest->patience, REFUSE_PATIENCE_MS * LOOP_NS_PER_MS,
		refuse_on_impatience, guest) == -1)
		refuse_dismiss(guest);
}
