/*
 * client.c: connections, requests, timers and cuts of the many clients (client.h). What they read
 * is client_parse.c.
 */
#include "tests/lib/client.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES (256u << 10)
#define SCRATCH_BYTES (2u << 20)
#define EVENTS_MAX 256
/* Connects under way: whoever connects must also get to ask before the server takes it for idle. */
#define CONNECTS_MAX 128

const char *
client_transport_name(enum client_transport transport)
{
	static const char *const names[] = {
	    "poll", "longpoll", "sse", "sse-json", "ws", "ws-subscribe", "none"};

	return names[transport];
}

bool
clients_open(
    struct clients *e, uint16_t port, size_t cap, const char *const *names, size_t name_count)
{
	struct rlimit limit;

	*e = (struct clients){.epoll = epoll_create1(EPOLL_CLOEXEC),
	    .port = port,
	    .cap = cap,
	    .names = names,
	    .name_count = name_count,
	    .wait_s = 20,
	    .rest_ms = 100,
	    .back_ms = 100,
	    .random = wire_now_ns() | 1};
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	e->list = calloc(cap, sizeof *e->list);
	e->buffer = malloc(BUFFER_BYTES);
	e->scratch = malloc(SCRATCH_BYTES);
	return e->epoll != -1 && e->list != NULL && e->buffer != NULL && e->scratch != NULL;
}

void
clients_close(struct clients *e)
{
	for (size_t i = 0; i < e->count; i++) {
		if (e->list[i].fd != -1)
			close(e->list[i].fd);
		free(e->list[i].in);
	}
	close(e->epoll);
	free(e->list);
	free(e->buffer);
	free(e->scratch);
	*e = (struct clients){.epoll = -1};
}

struct client *
clients_add(
    struct clients *e, enum client_transport transport, const uint16_t *channels, unsigned count)
{
	struct client *c = &e->list[e->count];

	assert(e->count < e->cap && count <= CLIENT_CHANNELS_MAX);
	*c = (struct client){.index = (uint32_t)e->count++,
	    .fd = -1,
	    .transport = transport,
	    .channel_count = (uint8_t)count,
	    .due_ms = 1};
	memcpy(c->channels, channels, count * sizeof *channels);
	return c;
}

void
client_violation(struct clients *e, const struct client *c, const char *format, ...)
{
	va_list args;
	int n;

	if (e->violations++ != 0)
		return;
	n = snprintf(e->violation, sizeof e->violation, "client %u (%s): ", c->index,
	    client_transport_name(c->transport));
	va_start(args, format);
	vsnprintf(e->violation + n, sizeof e->violation - (size_t)n, format, args);
	va_end(args);
}

/* A delay around `mean`: half to one and a half of it. */
static uint64_t
jitter(struct clients *e, unsigned mean)
{
	return mean == 0 ? 0 : mean / 2 + wire_random(&e->random) % mean;
}

static void
drop(struct clients *e, struct client *c)
{
	e->connecting -= c->state == CLIENT_CONNECTING;
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	c->in_len = 0;
	c->state = CLIENT_IDLE;
	c->opened = c->live = c->paused = false;
}

void
client_lost(struct clients *e, struct client *c, bool clean)
{
	bool opened = c->opened;

	e->cuts_by_peer++;
	c->clean_end = clean;
	drop(e, c);
	c->due_ms =
	    c->parked ? 0 : wire_now_ms() + 1 + jitter(e, opened ? e->back_ms : 2 * e->back_ms);
	if (e->ended != NULL)
		e->ended(e->context, c);
}

void
clients_cut(struct clients *e, struct client *c, int back_ms, bool reset)
{
	struct linger linger = {1, 0};

	if (c->fd != -1 && reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	drop(e, c);
	c->parked = back_ms < 0;
	c->due_ms = back_ms < 0 ? 0 : wire_now_ms() + (unsigned)back_ms + 1;
}

static void
watch(struct clients *e, struct client *c, int operation, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.u32 = c->index};
	int r = epoll_ctl(e->epoll, operation, c->fd, &ev);

	assert(r == 0);
	(void)r;
}

void
clients_pause(struct clients *e, struct client *c, bool paused)
{
	if (c->fd == -1 || c->paused == paused || c->state == CLIENT_CONNECTING)
		return;
	c->paused = paused;
	watch(e, c, EPOLL_CTL_MOD, paused ? 0 : EPOLLIN);
}

bool
client_say(struct clients *e, struct client *c, const void *bytes, size_t len)
{
	ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	/*
	 * Requests are small and the socket is otherwise unwritten: a short write means that the
	 * peer is gone.
	 */
	if (n == (ssize_t)len)
		return true;
	client_lost(e, c, false);
	return false;
}

/*
 * The cursors that a subscribing client uses for each channel on its next connection (CONTRACT.md,
 * "cursor").
 */
static void
settle_cursors(struct client *c)
{
	for (unsigned i = 0; i < c->channel_count; i++)
		if ((c->channel_live >> i & 1) != 0 || (c->own[i] == 0 && c->opens == 0))
			c->own[i] = c->cursor;
	c->channel_live = c->channel_subscribed = 0;
	c->cursor = 0;
}

void
client_ask(struct clients *e, struct client *c)
{
	char request[2048], id[20];
	bool ws = c->transport == CLIENT_WS || c->transport == CLIENT_WS_SUBSCRIBE;
	bool sse = c->transport == CLIENT_SSE || c->transport == CLIENT_SSE_JSON;
	struct {
		char *at, *end;
	} w = {request, request + sizeof request};

	if (c->transport == CLIENT_WS_SUBSCRIBE)
		settle_cursors(c);
	w.at += snprintf(w.at, (size_t)(w.end - w.at), "GET /events?v=1");
	for (unsigned i = 0; i < c->channel_count && c->transport != CLIENT_WS_SUBSCRIBE; i++)
		w.at +=
		    snprintf(w.at, (size_t)(w.end - w.at), "&channel=%s", e->names[c->channels[i]]);
	wire_id_text(c->cursor, id);
	if (c->cursor != 0 && !sse && c->transport != CLIENT_WS_SUBSCRIBE)
		w.at += snprintf(w.at, (size_t)(w.end - w.at), "&after=%s", id);
	if (c->transport == CLIENT_LONGPOLL)
		w.at += snprintf(w.at, (size_t)(w.end - w.at), "&wait=%u", e->wait_s);
	if (c->transport == CLIENT_SSE_JSON)
		w.at += snprintf(w.at, (size_t)(w.end - w.at), "&format=json");
	w.at += snprintf(w.at, (size_t)(w.end - w.at), "%s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n",
	    e->query != NULL ? e->query : "", e->port);
	if (sse)
		w.at += snprintf(w.at, (size_t)(w.end - w.at), "Accept: text/event-stream\r\n");
	if (sse && c->cursor != 0)
		w.at += snprintf(w.at, (size_t)(w.end - w.at), "Last-Event-ID: %s\r\n", id);
	if (ws)
		w.at += snprintf(w.at, (size_t)(w.end - w.at),
		    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
		    "Sec-WebSocket-Key: " WIRE_WS_KEY "\r\n");
	w.at += snprintf(w.at, (size_t)(w.end - w.at), "\r\n");
	assert(w.at < w.end);
	c->state = CLIENT_ASKED;
	c->due_ms = 0;
	c->asked_ms = wire_now_ms();
	client_say(e, c, request, (size_t)(w.at - request));
}

static void
start(struct clients *e, struct client *c)
{
	c->fd = wire_dial(e->port, c->index, true, e->receive_buffer_bytes);
	e->connects++;
	if (c->fd == -1) {
		e->connect_errors++;
		c->due_ms = wire_now_ms() + 1 + jitter(e, 2 * e->back_ms);
		return;
	}
	c->due_ms = 0;
	c->state = CLIENT_CONNECTING;
	e->connecting++;
	watch(e, c, EPOLL_CTL_ADD, EPOLLOUT);
}

static void
connected(struct clients *e, struct client *c)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1 || error != 0) {
		e->connect_errors++;
		client_lost(e, c, false);
		return;
	}
	watch(e, c, EPOLL_CTL_MOD, EPOLLIN);
	e->connecting--;
	client_ask(e, c);
}

static void
due(struct clients *e)
{
	uint64_t now = wire_now_ms();

	if (now < e->scan_ms)
		return;
	/* Walking many clients in every turn would cost more than their events. */
	e->scan_ms = now + 1 + e->count / 1000;
	for (size_t i = 0; i < e->count; i++) {
		struct client *c = &e->list[i];

		if (c->due_ms == 0 || c->due_ms > now)
			continue;
		if (c->state == CLIENT_RESTING)
			client_ask(e, c);
		else if (c->state == CLIENT_IDLE && e->connecting < CONNECTS_MAX)
			start(e, c);
	}
}

static void
keep(struct client *c, const char *bytes, size_t len)
{
	if (len > c->in_cap) {
		c->in_cap = (uint32_t)(len + len / 2 + 256);
		free(c->in);
		c->in = malloc(c->in_cap);
		assert(c->in != NULL);
	}
	memmove(c->in, bytes, len);
	c->in_len = (uint32_t)len;
}

/* Parses what is there, kept input first; keeps what is not complete. */
static void
take(struct clients *e, struct client *c, size_t len)
{
	char *bytes = e->buffer;
	ssize_t n;

	if (c->in_len != 0) {
		if (c->in_len + len > c->in_cap) {
			c->in_cap = (uint32_t)(2 * (c->in_len + len));
			c->in = realloc(c->in, c->in_cap);
			assert(c->in != NULL);
		}
		memcpy(c->in + c->in_len, e->buffer, len);
		bytes = c->in;
		len += c->in_len;
	}
	n = client_parse(e, c, bytes, len);
	if (n < 0)
		return;
	if ((size_t)n < len && bytes == c->in) {
		memmove(c->in, c->in + n, len - (size_t)n);
		c->in_len = (uint32_t)(len - (size_t)n);
	} else if ((size_t)n < len) {
		keep(c, bytes + n, len - (size_t)n);
	} else {
		c->in_len = 0;
		/* An idle client holds no buffer, like the server's. */
		if (c->in_cap > 4096) {
			free(c->in);
			c->in = NULL;
			c->in_cap = 0;
		}
	}
}

static void
readable(struct clients *e, struct client *c)
{
	ssize_t n = recv(c->fd, e->buffer, BUFFER_BYTES, MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		/*
		 * An end inside an event is no violation: the server may close a lapped client
		 * there.
		 */
		client_lost(e, c, n == 0 && c->in_len == 0);
		return;
	}
	e->bytes += (uint64_t)n;
	take(e, c, (size_t)n);
}

void
clients_turn(struct clients *e, int wait_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int n;

	due(e);
	n = epoll_wait(e->epoll, events, EVENTS_MAX, wait_ms);
	for (int i = 0; i < n; i++) {
		struct client *c = &e->list[events[i].data.u32];

		if (c->fd == -1)
			continue;
		if (c->state == CLIENT_CONNECTING)
			connected(e, c);
		else if (!c->paused || (events[i].events & (EPOLLERR | EPOLLHUP)) != 0)
			readable(e, c);
	}
}

size_t
clients_opened(const struct clients *e)
{
	size_t count = 0;

	for (size_t i = 0; i < e->count; i++)
		count += e->list[i].opened;
	return count;
}

bool
clients_settle(struct clients *e, unsigned ms)
{
	uint64_t deadline = wire_now_ms() + ms;

	for (;;) {
		size_t waiting = 0;

		for (size_t i = 0; i < e->count; i++)
			waiting += !e->list[i].opened && !e->list[i].parked;
		if (waiting == 0)
			return true;
		if (wire_now_ms() > deadline)
			return false;
		clients_turn(e, 5);
	}
}
