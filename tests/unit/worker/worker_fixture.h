/*
 * worker_fixture.h: a whole worker inside a test, without a master and without a kernel of its own choosing: turns are
 * taken by hand, the clock is a number, and behind the io seam stands a backend that cuts sends where the test says.
 *
 * The sockets are real (socket pairs), so what a client received is what it received. Everything is checked on the
 * way out: descriptors, connections that were not given back.
 */
#ifndef TESTS_UNIT_WORKER_WORKER_FIXTURE_H
#define TESTS_UNIT_WORKER_WORKER_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/order.h"
#include "shm/ring_write.h"
#include "worker/channel.h"
#include "worker/conn.h"
#include "worker/loop.h"
#include "tests/unit/worker/client_plain.h"
#include "worker/worker.h"

#define FIXTURE_SLOTS 4096
#define FIXTURE_MS UINT64_C(1763856000000)

/* ---- a backend that does as it is told ---------------------------------------------------------------- */

#define FAKE_POLLS 16384
#define FAKE_SENDS 512
#define FAKE_EVENTS 32768

struct fake_poll {
	uint64_t token;
	uint32_t events;
	int fd;
	bool watch;
};

struct fake_send {
	struct iovec vectors[LIMIT_IO_VECTORS];
	uint64_t token;
	uint32_t count;
	int fd;
};

struct fake {
	struct fake_poll polls[FAKE_POLLS];
	struct fake_send sends[FAKE_SENDS];
	struct io_event events[FAKE_EVENTS];
	uint32_t poll_count, send_count, event_first, event_count;
	uint64_t calls;    /* sends executed */
	uint64_t cuts;     /* of them cut short */
	int64_t allowance; /* bytes until one send is cut, then none is; -1: none */
	size_t chop;       /* a send takes at most so many bytes; 0: all */
	uint64_t fail_at;  /* the n-th send from now on fails with fail_with; 0: none */
	int32_t fail_with;
	bool dropped; /* completions are lost from now on */
	bool told_dropped;
};

static inline void
fake_event(struct fake *k, uint64_t token, int32_t result, uint32_t flags)
{
	assert_true(k->event_count < FAKE_EVENTS);
	k->events[(k->event_first + k->event_count++) % FAKE_EVENTS] =
	    (struct io_event){token, result, flags};
}

static inline void
fake_park(void *state, int fd, uint32_t events, uint64_t token, bool watch)
{
	struct fake *k = state;

	assert_true(k->poll_count < FAKE_POLLS);
	k->polls[k->poll_count++] = (struct fake_poll){token, events, fd, watch};
}

static void
fake_poll(void *state, int fd, uint32_t events, uint64_t token)
{
	fake_park(state, fd, events, token, false);
}

static void
fake_watch(void *state, int fd, uint64_t token)
{
	/* The doorbell is never read, so it would always be there; the ring is read in every turn anyway. */
	if (io_token_kind(token) != TOKEN_DOORBELL)
		fake_park(state, fd, POLLIN, token, true);
}

static void
fake_sendv(void *state, int fd, const struct iovec *vectors, size_t count, uint64_t token)
{
	struct fake *k = state;
	struct fake_send *s = &k->sends[k->send_count++];

	assert_true(k->send_count <= FAKE_SENDS);
	memcpy(s->vectors, vectors, count * sizeof *vectors);
	s->count = (uint32_t)count;
	s->token = token;
	s->fd = fd;
}

static void
fake_send(void *state, int fd, const void *bytes, size_t len, uint64_t token)
{
	const struct iovec one = {(void *)(uintptr_t)bytes, len};

	fake_sendv(state, fd, &one, 1, token);
}

/* How many bytes of a send of so many are to be taken. */
static inline size_t
fake_room(struct fake *k, size_t len)
{
	size_t room = k->chop != 0 && k->chop < len ? k->chop : len;

	if (k->allowance >= 0 && (uint64_t)k->allowance < room) {
		room = (size_t)k->allowance;
		k->allowance = -1;
	} else if (k->allowance >= 0) {
		k->allowance -= (int64_t)room;
	}
	return room;
}

static inline void
fake_execute(struct fake *k, const struct fake_send *s)
{
	size_t len = 0, room, taken = 0;
	int error = EAGAIN;

	k->calls++;
	if (k->fail_at != 0 && --k->fail_at == 0) {
		fake_event(k, s->token, k->fail_with, IO_ENDED);
		return;
	}
	for (uint32_t i = 0; i < s->count; i++)
		len += s->vectors[i].iov_len;
	room = fake_room(k, len);
	for (uint32_t i = 0; i < s->count && taken < room; i++) {
		const size_t want =
		    s->vectors[i].iov_len < room - taken ? s->vectors[i].iov_len : room - taken;
		const ssize_t n =
		    send(s->fd, s->vectors[i].iov_base, want, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			taken += (size_t)n;
		else
			error = errno;
		if (n < (ssize_t)want)
			break;
	}
	if (taken == len)
		return;
	k->cuts++;
	if (!k->dropped)
		fake_event(k, s->token, taken != 0 ? (int32_t)taken : -error, IO_ENDED);
	k->told_dropped = k->dropped;
}

static int
fake_submit(void *state)
{
	struct fake *k = state;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < k->send_count; i++)
		fake_execute(k, &k->sends[i]);
	k->send_count = 0;
	for (uint32_t i = 0; i < k->poll_count; i++) {
		const struct fake_poll p = k->polls[i];
		struct pollfd ready = {.fd = p.fd, .events = (short)p.events};

		if (poll(&ready, 1, 0) != 1) {
			k->polls[kept++] = p;
			continue;
		}
		if ((ready.revents & POLLNVAL) != 0)
			continue; /* closed: it ended with its socket */
		fake_event(k, p.token, ready.revents, p.watch ? 0 : IO_ENDED);
		if (p.watch)
			k->polls[kept++] = p;
	}
	k->poll_count = kept;
	return 0;
}

static int
fake_wait(void *state, int timeout_ms)
{
	(void)timeout_ms;
	return fake_submit(state);
}

static size_t
fake_reap(void *state, struct io_event *events, size_t max)
{
	struct fake *k = state;
	size_t n = 0;

	for (; n < max && k->event_count != 0; n++) {
		events[n] = k->events[k->event_first];
		k->event_first = (k->event_first + 1) % FAKE_EVENTS;
		k->event_count--;
	}
	return n;
}

static size_t
fake_pending(const void *state)
{
	return ((const struct fake *)state)->send_count;
}

static bool
fake_overflowed(void *state)
{
	(void)state;
	return false;
}

static bool
fake_dropped(void *state)
{
	struct fake *k = state;
	const bool told = k->told_dropped;

	k->told_dropped = false;
	return told;
}

static struct io_counters
fake_counters(const void *state)
{
	(void)state;
	return (struct io_counters){0};
}

static void
fake_close(void *state)
{
	(void)state;
}

static const struct io_backend fake_backend = {.name = "fake",
    .close = fake_close,
    .poll = fake_poll,
    .watch = fake_watch,
    .send = fake_send,
    .sendv = fake_sendv,
    .pending = fake_pending,
    .submit = fake_submit,
    .wait = fake_wait,
    .reap = fake_reap,
    .overflowed = fake_overflowed,
    .dropped = fake_dropped,
    .counters = fake_counters};

/* ---- the worker --------------------------------------------------------------------------------------- */

struct fixture {
	struct worker *w;
	struct ring_write *ring;
	struct fake *fake; /* NULL: io_uring */
	struct order_settings settings;
	int master; /* the other end of the control socket */
};

static inline void
fixture_set(struct fixture *f)
{
	char packet[ORDER_PACKET_BYTES];
	struct out o = out_to(packet, sizeof packet);

	order_encode_settings(&o, &f->settings);
	assert_false(out_cut(&o));
	assert_true(settings_set(&f->w->settings, slice_of(o.bytes, o.len)));
	channel_refresh_rules(f->w);
}

static inline void
fixture_defaults(struct order_settings *s)
{
	*s = (struct order_settings){.max_channels_per_connection = 128,
	    .max_event_bytes = 256 << 10,
	    .max_header_bytes = 16 << 10,
	    .header_timeout_s = 10,
	    .body_timeout_s = 30,
	    .idle_timeout_s = 75,
	    .beat_ws_s = 30,
	    .beat_sse_s = 25,
	    .retry_ms = 2000,
	    .max_wait_s = 45,
	    .log_level = 3,
	    .compression = 1,
	    .compression_level = 1,
	    .compression_min_bytes = 32,
	    .rule_count = 1};
	s->rules[0] = (struct rule){SLICE_LITERAL("*"), RULE_ANYONE, RULE_ANYONE, RULE_GAP};
}

/* A worker over a ring of this size; false, and nothing is left of it: no memory. */
static inline bool
fixture_begin(struct fixture *f, uint64_t ring_bytes, bool real)
{
	struct worker *w = calloc(1, sizeof *w);
	int pair[2];

	assert_non_null(w);
	*f = (struct fixture){.w = w};
	assert_int_equal(ring_write_create(&f->ring, ring_bytes, FIXTURE_MS), 0);
	w->ring = *ring_write_ring(f->ring);
	assert_int_equal(board_create(&w->board), 0);
	assert_int_equal(slots_create(&w->slots, FIXTURE_SLOTS, FIXTURE_SLOTS), 0);
	w->doorbell_fd = doorbell_create();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	w->control_fd = pair[0];
	f->master = pair[1];
	w->births_s = calloc(FIXTURE_SLOTS + 1, sizeof *w->births_s);
	w->sinces = calloc(FIXTURE_SLOTS + 1, sizeof *w->sinces);
	w->closed = calloc(FIXTURE_SLOTS + 1, sizeof *w->closed);
	w->closed_hashes = calloc(ORDER_CLOSED_MAX, sizeof *w->closed_hashes);
	assert_true(buffer_reserve(&w->control_bytes, 2 * ORDER_PACKET_BYTES));
	fixture_defaults(&f->settings);
	fixture_set(f);
	if (real) {
		const struct io_options options = {0};
		char error[256];

		assert_int_equal(io_open(&w->io, &options, error, sizeof error), 0);
	} else {
		f->fake = calloc(1, sizeof *f->fake);
		assert_non_null(f->fake);
		f->fake->allowance = -1;
		w->io = (struct io){&fake_backend, f->fake};
	}
	return loop_start(w);
}

static inline void
fixture_end(struct fixture *f)
{
	struct worker *w = f->w;

	free(w->births_s);
	free(w->sinces);
	free(w->closed);
	loop_free(w);
	if (f->fake == NULL)
		io_close(&w->io);
	board_close(&w->board);
	slots_close(&w->slots);
	ring_write_close(f->ring);
	close(w->doorbell_fd);
	if (w->control_fd != -1)
		close(w->control_fd);
	close(f->master);
	free(f->fake);
	free(w);
}

static inline bool
fixture_turn(struct fixture *f)
{
	const bool more = loop_turn(f->w);

	assert_int_equal(
	    f->fake == NULL ? io_wait(&f->w->io, more ? 0 : 2) : io_submit(&f->w->io), 0);
	return more || (f->fake != NULL && f->fake->event_count != 0);
}

/* Turns until nothing is left to do. */
static inline void
fixture_run(struct fixture *f)
{
	int quiet = 0;

	for (int i = 0; i < 20000 && quiet < 3; i++)
		quiet = fixture_turn(f) ? 0 : quiet + 1;
	assert_int_equal(quiet, 3);
}

/* Lets time pass, a tick at a time. */
static inline void
fixture_wait_ms(struct fixture *f, uint64_t ms)
{
	for (uint64_t passed = 0; passed < ms; passed += TIMER_TICK_MS) {
		f->w->now_ns += TIMER_TICK_MS * UINT64_C(1000000);
		f->w->now_ms += TIMER_TICK_MS;
		fixture_run(f);
	}
}

/* Publishes to channels "a", or to "a,b" both; returns the id. */
static inline uint64_t
fixture_append(
    struct fixture *f, const char *channels, enum record_kind kind, const char *data, size_t len)
{
	struct record_slice names[LIMIT_EVENT_CHANNELS];
	struct ring_write_event e = {.channels = names,
	    .type = {"message", 7},
	    .data = {data, len},
	    .kind = kind,
	    .now_ms = FIXTURE_MS};
	uint64_t id = 0;

	for (const char *at = channels; at != NULL; e.channels_count++) {
		const char *end = strchr(at, ',');

		names[e.channels_count] =
		    (struct record_slice){at, end == NULL ? strlen(at) : (size_t)(end - at)};
		at = end == NULL ? NULL : end + 1;
	}
	assert_int_equal(ring_write_append(f->ring, &e, &id), RING_OK);
	ring_write_commit(f->ring);
	return id;
}

/* An event that carries its number as #n#, and `padding` bytes more. */
static inline uint64_t
fixture_publish(struct fixture *f, const char *channels, unsigned n, size_t padding)
{
	char *data = malloc(padding + 32);
	size_t len;
	uint64_t id;

	assert_non_null(data);
	len = (size_t)snprintf(data, 32, "#%u#", n);
	memset(data + len, 'x', padding);
	id = fixture_append(f, channels, RECORD_TEXT, data, len + padding);
	free(data);
	return id;
}

/* ---- clients ------------------------------------------------------------------------------------------ */

struct client {
	struct fixture *f;
	int fd;
	uint32_t slot, generation;
	char *bytes; /* everything that was received, terminated */
	size_t len;
	bool ended;   /* the server has closed */
	bool deflate; /* its events come compressed */
};

static inline void
client_open(struct client *c, struct fixture *f)
{
	int pair[2];

	*c = (struct client){.f = f};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	c->fd = pair[0];
	/* The slot that will be taken: of the free list, or fresh. */
	assert_true(conn_accept(f->w, pair[1], 7));
	for (uint32_t slot = 1; slot < f->w->slots.head->touched; slot++)
		if (f->w->slots.table[slot].state != CONN_FREE &&
		    f->w->slots.table[slot].descriptor == pair[1])
			c->slot = slot;
	assert_int_not_equal(c->slot, 0);
	c->generation = f->w->slots.table[c->slot].generation;
}

static inline struct slot *
client_slot(const struct client *c)
{
	return &c->f->w->slots.table[c->slot];
}

/* Whether the worker still holds the connection. */
static inline bool
client_held(const struct client *c)
{
	return slots_get_generation(&c->f->w->slots, c->slot, c->generation) != NULL;
}

static inline void
client_read(struct client *c)
{
	for (;;) {
		ssize_t n;

		c->bytes = realloc(c->bytes, c->len + 65537);
		assert_non_null(c->bytes);
		n = recv(c->fd, c->bytes + c->len, 65536, MSG_DONTWAIT);
		if (n > 0)
			c->len += (size_t)n;
		c->bytes[c->len] = '\0';
		if (n > 0)
			continue;
		if (n == 0 || errno != EAGAIN)
			c->ended = true;
		return;
	}
}

/* Forgets what was received. */
static inline void
client_clear(struct client *c)
{
	client_read(c);
	c->len = 0;
	c->bytes[0] = '\0';
}

static inline void
client_send(struct client *c, const char *bytes, size_t len)
{
	while (len != 0) {
		const ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n == -1 && (errno == EPIPE || errno == ECONNRESET))
			return; /* the worker has closed: a matter of the test whether it may */
		assert_true(n > 0);
		bytes += n;
		len -= (size_t)n;
	}
}

static inline void
client_text(struct client *c, const char *text)
{
	client_send(c, text, strlen(text));
}

/* Runs the worker and reads, until neither has more. */
static inline void
client_run(struct client *c)
{
	size_t before;

	do {
		before = c->len;
		fixture_run(c->f);
		client_read(c);
	} while (c->len != before);
}

static inline void
client_close(struct client *c)
{
	if (c->fd != -1)
		close(c->fd);
	free(c->bytes);
	*c = (struct client){.fd = -1};
}

/* GET /events with a query and further fields. */
static inline void
client_get(struct client *c, const char *query, const char *fields)
{
	char request[2048];

	snprintf(
	    request, sizeof request, "GET /events?%s HTTP/1.1\r\nHost: a\r\n%s\r\n", query, fields);
	client_text(c, request);
}

#define DEFLATE_FIELD "Sec-WebSocket-Extensions: permessage-deflate\r\n"
#define WS_FIELDS                                                                    \
	"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

/* Opens a stream in a dialect, and runs until it was welcomed. */
static inline void
client_stream(struct client *c, struct fixture *f, enum dialect dialect, const char *query)
{
	static const char *const fields[] = {
	    [DIALECT_SSE] = "Accept: text/event-stream\r\n",
	    [DIALECT_SSE_JSON] = "Accept: text/event-stream\r\n",
	    [DIALECT_WS] = WS_FIELDS,
	    [DIALECT_WS_RAW] = WS_FIELDS "Sec-WebSocket-Protocol: ringcast.raw\r\n",
	    [DIALECT_WS_DEFLATE] = WS_FIELDS DEFLATE_FIELD,
	    [DIALECT_WS_RAW_DEFLATE] =
		WS_FIELDS DEFLATE_FIELD "Sec-WebSocket-Protocol: ringcast.raw\r\n",
	};
	char whole[1024];

	client_open(c, f);
	c->deflate = dialect >= DIALECT_WS_DEFLATE;
	snprintf(
	    whole, sizeof whole, "%s%s", query, dialect == DIALECT_SSE_JSON ? "&format=json" : "");
	client_get(c, whole, fields[dialect]);
}

/* A masked frame, as a client sends it: the mask is zero, so the payload shows. */
static inline void
client_frame(struct client *c, unsigned first, const char *payload, size_t len)
{
	unsigned char head[14] = {(unsigned char)first};
	size_t head_len;

	if (len < 126) {
		head[1] = (unsigned char)(0x80 | len);
		head_len = 6;
	} else {
		assert_true(len < 65536);
		head[1] = 0x80 | 126;
		head[2] = (unsigned char)(len >> 8);
		head[3] = (unsigned char)len;
		head_len = 8;
	}
	client_send(c, (const char *)head, head_len);
	client_send(c, payload, len);
}

static inline void
client_op(struct client *c, const char *json)
{
	client_frame(c, 0x81, json, strlen(json));
}

static inline unsigned
client_count(const struct client *c, const char *needle)
{
	size_t len = c->len;
	char *plain = c->deflate ? client_plain(c->bytes, c->len, &len) : NULL;
	const char *bytes = c->deflate ? plain : c->bytes;
	unsigned n = 0;

	for (const char *at = bytes; at != NULL && len != 0;
	     at = memmem(at, len - (size_t)(at - bytes), needle, strlen(needle))) {
		if (memcmp(at, needle, strlen(needle)) == 0) {
			n++;
			at += strlen(needle);
		} else {
			at++;
		}
	}
	free(plain);
	return n;
}

/* The numbers of the events received, in order. Returns how many. */
static inline size_t
client_numbers(const struct client *c, unsigned *numbers, size_t max)
{
	size_t n = 0, len = c->len;
	char *plain = c->deflate ? client_plain(c->bytes, c->len, &len) : NULL;
	const char *bytes = c->deflate ? plain : c->bytes;
	const char *at = bytes;

	while (at != NULL && (at = memchr(at, '#', len - (size_t)(at - bytes))) != NULL) {
		char *end;
		const unsigned long number = strtoul(at + 1, &end, 10);

		at++;
		if (end == at || *end != '#')
			continue;
		assert_true(n < max);
		numbers[n++] = (unsigned)number;
		at = end + 1;
	}
	free(plain);
	return n;
}

/* Exactly the events from first to last have come, once each and in order. */
static inline void
client_has(const struct client *c, unsigned first, unsigned last)
{
	unsigned numbers[4096];
	const size_t n = client_numbers(c, numbers, 4096);

	for (size_t i = 0; i < n; i++)
		assert_int_equal(numbers[i], first + i);
	assert_int_equal(n, last + 1 - first);
}

/* What is wrong with a stream of frames behind the 101; NULL: nothing. Frames may not end in the middle. */
static inline const char *
frames_fault(const char *bytes, size_t len)
{
	while (len != 0) {
		const unsigned char *head = (const unsigned char *)bytes;
		size_t payload, head_len = 2;

		if (len < 2)
			return "half a head";
		if (head[0] != 0x81 && head[0] != 0x82 && head[0] != 0xc1 && head[0] != 0xc2 &&
		    head[0] != 0x88 && head[0] != 0x89 && head[0] != 0x8a)
			return "not the first byte of a frame";
		payload = head[1];
		if (payload > 127)
			return "masked";
		if (payload == 126 && len >= 4) {
			payload = (size_t)head[2] << 8 | head[3];
			head_len = 4;
		} else if (payload >= 126) {
			return "an unexpected length";
		}
		if (len < head_len + payload)
			return "half a payload";
		bytes += head_len + payload;
		len -= head_len + payload;
	}
	return NULL;
}

/* What is wrong with an event stream behind its head. */
static inline const char *
events_fault(const char *bytes, size_t len)
{
	while (len != 0) {
		const char *end = memchr(bytes, '\n', len);
		static const char *const names[] = {"data:", "id:", "event:", "retry:", "\n"};
		bool known = false;

		if (end == NULL)
			return "half a line";
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
			known |= strncmp(bytes, names[i], strlen(names[i])) == 0;
		if (!known)
			return "an unknown field";
		len -= (size_t)(end + 1 - bytes);
		bytes = end + 1;
	}
	return NULL;
}

/* The stream is whole: nothing was cut, doubled or interleaved within a frame. */
static inline void
client_sound(const struct client *c, enum dialect dialect)
{
	const char *body = c->len == 0 ? NULL : strstr(c->bytes, "\r\n\r\n");
	const char *fault;
	size_t len;

	assert_non_null(body);
	body += 4;
	len = c->len - (size_t)(body - c->bytes);
	fault = dialect >= DIALECT_WS ? frames_fault(body, len) : events_fault(body, len);
	if (fault != NULL)
		fail_msg("%s", fault);
}

/* With all clients gone, nothing is left of them. */
static inline bool
fixture_is_clean(struct fixture *f)
{
	static const enum board_counter gauges[] = {BOARD_CONNECTIONS_POLL,
	    BOARD_CONNECTIONS_LONGPOLL, BOARD_CONNECTIONS_SSE, BOARD_CONNECTIONS_WS,
	    BOARD_CONNECTIONS_IDLE, BOARD_SUBSCRIPTIONS, BOARD_LAGGING};
	const struct worker *w = f->w;
	bool clean;

	fixture_wait_ms(f, 3000); /* lingerers */
	clean = w->connection_count == 0 && w->channels.count == 0 && w->extras.used == 0 &&
		w->extras.tail_bytes == 0 && w->extras.input_bytes == 0;
	for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++)
		clean &= board_get(&w->board, gauges[i]) == 0;
	if (!clean)
		print_error(
		    "left: %u connections, %u channels, %u extras, %llu lagging, %llu subscriptions, %llu idle\n",
		    w->connection_count, w->channels.count, w->extras.used,
		    (unsigned long long)board_get(&w->board, BOARD_LAGGING),
		    (unsigned long long)board_get(&w->board, BOARD_SUBSCRIPTIONS),
		    (unsigned long long)board_get(&w->board, BOARD_CONNECTIONS_IDLE));
	return clean;
}

/* ---- a fixture for each test -------------------------------------------------------------------------- */

static inline int
fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	assert_true(fixture_begin(f, 1 << 20, false));
	*state = f;
	return 0;
}

static inline int
fixture_teardown(void **state)
{
	struct fixture *f = *state;
	const bool clean = fixture_is_clean(f);

	fixture_end(f);
	free(f);
	return clean ? 0 : -1;
}

/* The master answers every publish that lies on the control socket. */
static inline void
fixture_master_answers(struct fixture *f)
{
	char packet[ORDER_PACKET_BYTES], answer[256];
	ssize_t n;

	while ((n = recv(f->master, packet, sizeof packet, MSG_DONTWAIT)) > 0) {
		struct order_piece piece;
		struct order_publish publish;
		struct order_published m = {.id = FIXTURE_MS << 16 | 5};
		struct out o = out_to(answer, sizeof answer);

		if (order_decode_piece(slice_of(packet, (size_t)n), &piece) != 0)
			continue;
		assert_int_equal(order_decode_publish(piece.bytes, &publish), 0);
		m.tag = publish.tag;
		order_encode_published(&o, &m);
		assert_int_equal(send(f->master, answer, o.len, MSG_DONTWAIT), o.len);
	}
}

#endif
