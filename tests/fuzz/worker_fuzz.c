/*
 * worker_fuzz.c: a whole worker, and everything that may happen to it: clients of every transport (by the book, and
 * with bytes of any kind), full sockets and failing sends, events, a ring that laps, time, and the master's orders. What each
 * client received is judged by worker_judge.c; at the end nothing may be left of anybody.
 *
 * Input: actions, each a byte and what it takes (the tape); whatever the bytes, they mean something. At its end everything
 * is let go, and what is owed must come.
 */
#include <stddef.h>

#include <zlib.h>

#include "proto/id.h"
#include "tests/fuzz/worker_world.h"
#include "tests/unit/proto/ws_reference.h"
#include "worker/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ACTIONS_MAX 200
#define RECEIVED_BYTES_MAX (8 << 20)
#define STEP_MS_MAX 4000 /* of time, before the worker has its turns */

/* The worker's own words would only slow everything. */
void
log_line(int priority, const char *format, ...)
{
	(void)priority;
	(void)format;
}

/* ---- clients -------------------------------------------------------------------------------------------- */

static void
receive(struct world *x, struct user *u)
{
	if (!u->used || u->stalled || u->c.ended || u->c.len > RECEIVED_BYTES_MAX)
		return;
	client_read(&u->c);
	judge_mark(&u->book, u->c.len, x->judge->head);
}

static void
run(struct world *x, bool whole)
{
	size_t before, after = 0;

	do {
		before = after;
		after = 0;
		if (whole)
			fixture_run(&x->f);
		else
			fixture_turn(&x->f);
		hear(x);
		for (int i = 0; i < CLIENTS; i++) {
			receive(x, &x->users[i]);
			after += x->users[i].c.len;
		}
	} while (whole && after != before && !x->f.w->quit);
}

/* Judges what a client got, and forgets the client. */
static void
leave(struct world *x, struct user *u, bool settled)
{
	u->book.bytes = u->c.bytes;
	u->book.len = u->c.len;
	u->book.open = settled && !u->c.ended && !u->half_closed;
	u->book.settled = u->book.open && !x->orphan && !x->drained;
	if (u->c.len != 0)
		judge_client(x->judge, &u->book);
	client_close(&u->c);
	u->used = false;
}

static void
take_slot(struct user *u)
{
	const struct slots *slots = &u->c.f->w->slots;

	for (uint32_t slot = 1; slot < slots->head->touched; slot++) {
		if (slots->table[slot].state == CONN_FREE ||
		    slots->table[slot].peer_hash != u->peer)
			continue;
		u->c.slot = slot;
		u->c.generation = slots->table[slot].generation;
	}
}

static void
open_client(struct world *x, struct user *u, unsigned how)
{
	int pair[2], small = 4608;

	if (u->used) {
		receive(x, u);
		leave(x, u, false);
	}
	if (x->peers == 1000)
		return;
	memset(u, 0, sizeof *u);
	u->c.f = &x->f;
	u->used = true;
	u->peer = ++x->peers;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "a socket");
	u->c.fd = pair[0];
	if ((how & 1) != 0)
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	if ((how & 2) != 0 && !x->orphan) {
		struct order_connections m = {.first_serial = ++x->serial, .count = 1};
		char bytes[256];
		struct out o = out_to(bytes, sizeof bytes);

		m.of[0].peer_hash = u->peer;
		order_encode_connections(&o, &m);
		tell(x, &o, pair[1]);
		close(pair[1]);
		run(x, false);
	} else if (!conn_accept(x->f.w, pair[1], u->peer)) {
		close(pair[1]);
	}
	take_slot(u);
}

static void
send_bytes(struct user *u, const char *bytes, size_t len)
{
	while (len != 0) {
		const ssize_t n = send(u->c.fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n <= 0) {
			u->book.strange = true; /* nobody reads; the rest was never said */
			return;
		}
		bytes += n;
		len -= (size_t)n;
	}
}

static uint64_t
pick_number(struct world *x, enum judge_after after, unsigned how)
{
	const struct judge *j = x->judge;

	switch (after) {
	case JUDGE_ID:
		if (j->event_count == 0)
			return j->birth + (how & 1) - (how >> 1 & 1);
		/* One that was, or lies between two, or before all of them. */
		return j->events[how % j->event_count].id - (how >> 7) * (1 + (how & 3));
	case JUDGE_LAST:
		return 1 + how % 20;
	case JUDGE_TIME:
		return FIXTURE_MS + how * 100;
	case JUDGE_FUTURE:
		return j->head + (UINT64_C(1) << 40);
	case JUDGE_NOW:
	case JUDGE_ALL:
	case JUDGE_AFTERS:
		break;
	}
	return 0;
}

/* Appends what the client says for `after`; nothing for "from now on". */
static void
put_after(struct out *o, const struct judge_ask *ask)
{
	switch (ask->after) {
	case JUDGE_ID:
	case JUDGE_FUTURE:
		id_render(o, ask->number);
		return;
	case JUDGE_ALL:
		out_text(o, "0");
		return;
	case JUDGE_LAST:
		out_text(o, "-");
		out_u64(o, ask->number);
		return;
	case JUDGE_TIME:
		out_u64(o, ask->number);
		return;
	case JUDGE_NOW:
	case JUDGE_AFTERS:
		return;
	}
}

static struct judge_ask *
new_ask(struct world *x, struct user *u, struct tape *t)
{
	struct judge_ask *ask = &u->book.asks[u->book.ask_count];
	const unsigned after = tape_byte(t);

	if (u->book.ask_count == JUDGE_ASKS_MAX)
		return NULL;
	u->book.ask_count++;
	*ask = (struct judge_ask){.after = (enum judge_after)(after % JUDGE_AFTERS),
	    .limit = 100,
	    .head = x->judge->head};
	ask->number = pick_number(x, ask->after, tape_byte(t));
	return ask;
}

static const char *const query_names[JUDGE_CHANNELS] = {"a", "b", "news.x", "%C3%BC+%22"};
static const char *const json_names[JUDGE_CHANNELS] = {"a", "b", "news.x", "\xc3\xbc \\\""};

static void
put_request(struct out *o, const struct judge_ask *ask, unsigned how)
{
	static const char *const fields[] = {
	    [JUDGE_SSE] = "Accept: text/event-stream\r\n",
	    [JUDGE_SSE_JSON] = "Accept: text/html;q=1, text/event-stream ;q=0.5\r\n",
	    [JUDGE_WS] = WS_FIELDS,
	    [JUDGE_WS_RAW] = WS_FIELDS "Sec-WebSocket-Protocol: ringcast.raw\r\n",
	    [JUDGE_TRANSPORTS] = NULL,
	};
	static const char *const extensions[] = {"",
	    "Sec-WebSocket-Extensions: permessage-deflate\r\n",
	    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
	    "Sec-WebSocket-Extensions: x, permessage-deflate; client_no_context_takeover\r\n"};
	const bool last_event_id = ask->transport == JUDGE_SSE && (how & 1) != 0 &&
				   (ask->after == JUDGE_ID || ask->after == JUDGE_FUTURE);

	out_text(o, ask->transport == JUDGE_POST ? "POST" : "GET");
	out_text(o, " /events?x");
	for (int i = 0; i < JUDGE_CHANNELS; i++) {
		if ((ask->channels >> i & 1) == 0)
			continue;
		out_text(o, "&channel=");
		out_text(o, query_names[i]);
	}
	if (ask->after != JUDGE_NOW && !last_event_id && ask->transport != JUDGE_POST) {
		out_text(o, "&after=");
		put_after(o, ask);
	}
	if (ask->transport == JUDGE_LONGPOLL) {
		out_text(o, "&wait=");
		out_u64(o, 1 + how % 60);
	}
	if (ask->limit != 100) {
		out_text(o, "&limit=");
		out_u64(o, ask->limit);
	}
	if (ask->transport == JUDGE_SSE_JSON)
		out_text(o, "&format=json");
	out_text(o, " HTTP/1.1\r\nHost: a\r\n");
	if (ask->transport == JUDGE_WS || ask->transport == JUDGE_WS_RAW)
		out_text(o, extensions[how >> 1 & 3]);
	if (ask->transport <= JUDGE_LONGPOLL && (how & 2) != 0)
		out_text(o, "Accept-Encoding: gzip\r\n");
	if (fields[ask->transport] != NULL)
		out_text(o, fields[ask->transport]);
	if (last_event_id) {
		out_text(o, "Last-Event-ID: ");
		put_after(o, ask);
		out_text(o, "\r\n");
	}
}

/* A request by the book. */
static void
ask_for(struct world *x, struct user *u, struct tape *t)
{
	char bytes[32768];
	struct out o = out_to(bytes, sizeof bytes);
	const unsigned how = tape_byte(t);
	const unsigned what = tape_byte(t);
	struct judge_ask *ask = new_ask(x, u, t);

	if (ask == NULL)
		return;
	if (u->upgraded)
		u->book.strange = true; /* a stream takes no more requests */
	ask->transport = (enum judge_transport)((how & 7) % JUDGE_TRANSPORTS);
	ask->channels = (what & 15) == 0 ? 1 : what & 15;
	if (ask->transport == JUDGE_WS_RAW || ask->transport == JUDGE_POST)
		ask->channels &= (uint8_t)-ask->channels;
	if ((how & 8) != 0 && (ask->transport == JUDGE_POLL || ask->transport == JUDGE_LONGPOLL))
		ask->limit = 1 + (what >> 4);
	put_request(&o, ask, how >> 4);
	u->upgraded |= ask->transport >= JUDGE_SSE && ask->transport <= JUDGE_WS_RAW;
	if (ask->transport == JUDGE_POST) {
		static char data[20000];
		const size_t len =
		    compose(data, EVENT_TEXT, x->number++, (what & 128) != 0 ? 15000 : 10);

		out_text(&o, "Content-Type: text/plain\r\nContent-Length: ");
		out_u64(&o, len);
		out_text(&o, "\r\n\r\n");
		out_bytes(&o, data, len);
	} else {
		out_text(&o, "\r\n");
	}
	if ((how & 128) != 0) { /* in two pieces, with a turn between them */
		const size_t cut = o.len * (what >> 4) / 16;

		send_bytes(u, o.bytes, cut);
		run(x, false);
		send_bytes(u, o.bytes + cut, o.len - cut);
	} else {
		send_bytes(u, o.bytes, o.len);
	}
}

/* As RFC 7692, 7.2.1 says. Returns the length, or 0: it does not fit. */
static size_t
pack(const char *bytes, size_t len, uint8_t *to, size_t cap)
{
	z_stream z = {.next_in = (unsigned char *)(uintptr_t)bytes,
	    .avail_in = (unsigned)len,
	    .next_out = to,
	    .avail_out = (unsigned)cap};
	size_t packed;

	CHECK(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK, "memory");
	CHECK(deflate(&z, Z_SYNC_FLUSH) == Z_OK, "deflate");
	packed = cap - z.avail_out;
	deflateEnd(&z);
	return z.avail_out == 0 || packed < 4 ? 0 : packed - 4;
}

/* A masked frame, whole or in fragments. */
static void
send_message(
    struct world *x, struct user *u, unsigned opcode, const char *bytes, size_t len, unsigned how)
{
	static uint8_t frame[65536];
	const uint8_t mask[4] = {(uint8_t)how, 2, 3, (uint8_t)(how >> 1)};
	const size_t cut = (how & 1) != 0 && (opcode & 8) == 0 ? len / 2 : len;

	if (cut != len) {
		send_bytes(u, (char *)frame,
		    ws_reference_write(frame, opcode, true, mask, (const uint8_t *)bytes, cut));
		if ((how & 2) != 0)
			send_bytes(
			    u, (char *)frame, ws_reference_write(frame, 0x89, true, mask, mask, 4));
		if ((how & 4) != 0)
			run(x, false);
		opcode = 0;
	}
	send_bytes(u, (char *)frame,
	    ws_reference_write(frame, 0x80 | opcode, true, mask,
		(const uint8_t *)bytes + (len - (cut == len ? len : len - cut)),
		cut == len ? len : len - cut));
}

static void
put_op(struct world *x, struct user *u, struct tape *t, struct out *o, unsigned how)
{
	const int channel = (int)(how >> 3 & 3);
	struct judge_ask *ask;

	out_text(o, "{\"channel\":\"");
	out_text(o, json_names[channel]);
	switch (how & 7) {
	case 0:
	case 1:
	case 2:
		out_text(o, "\",\"op\":\"subscribe\"");
		ask = new_ask(x, u, t);
		if (ask == NULL) {
			u->book.strange = true;
			break;
		}
		ask->op = true;
		ask->transport = JUDGE_WS;
		out_text(o, ",\"ref\":");
		out_u64(o, u->book.ask_count - 1);
		if (ask->after != JUDGE_NOW) {
			out_text(o, ",\"after\":\"");
			put_after(o, ask);
			out_text(o, "\"");
		}
		break;
	case 3:
		out_text(o, "\",\"op\":\"unsubscribe\"");
		break;
	case 4:
	case 5:
		out_text(o, "\",\"op\":\"publish\",\"ref\":\"r\",\"data\":\"#");
		out_u64(o, x->number++);
		out_text(o, "#\\r\\nid: 7\"");
		break;
	case 6:
		out_text(o, "\",\"op\":\"ping\",\"ref\":7");
		break;
	default:
		out_text(o, "\",\"op\":\"what\"");
		break;
	}
	out_text(o, "}");
}

static void
speak(struct world *x, struct user *u, struct tape *t)
{
	char bytes[1024];
	struct out o = out_to(bytes, sizeof bytes);
	const unsigned how = tape_byte(t);
	const unsigned frames = tape_byte(t);

	if (!u->upgraded)
		return;
	switch (how >> 5) {
	case 0: /* a control frame */
		send_message(x, u, 9 + (how & 1), "ping", how & 4, 0);
		return;
	case 1:
		send_message(x, u, 8,
		    "\x03\xe8"
		    "bye",
		    how % 6 == 1 ? 0 : how % 6, 0);
		return;
	case 2: { /* a frame of any kind */
		const struct slice any = tape_bytes(t, how & 31);

		u->book.strange = true;
		send_bytes(u, any.bytes, any.len);
		return;
	}
	default:
		put_op(x, u, t, &o, how);
		if ((frames & 24) == 24) { /* compressed, whether that was agreed on or not */
			static uint8_t packed[2048];

			send_message(x, u, 0x41, (const char *)packed,
			    pack(bytes, o.len, packed, sizeof packed), frames);
			return;
		}
		send_message(x, u, 1, bytes, o.len, frames);
	}
}

/* Bytes of any kind, and pieces of which requests are made. */
static void
babble(struct user *u, struct tape *t)
{
	static const char *const words[] = {"GET ", "POST ", "HEAD ", "OPTIONS ", "/events?",
	    "channel=a&", "channel=b&", "after=0&", "after=-3&", "wait=2&", "limit=2&",
	    "stream=sse&", "format=raw&", "format=json&", " HTTP/1.1\r\nHost: a\r\n",
	    " HTTP/1.0\r\n", "Accept: text/event-stream\r\n", WS_FIELDS, "Content-Length: 5\r\n",
	    "Transfer-Encoding: chunked\r\n", "\r\n", "hello", "5\r\nhello\r\n", "0\r\n\r\n",
	    "Expect: 100-continue\r\n", "Connection: close\r\n", "Origin: http://a\r\n",
	    "Origin: http://b\r\n", "Content-Type: application/json\r\n", "/healthz", "/readyz",
	    "/", "Last-Event-ID: ", "Sec-WebSocket-Protocol: ringcast.raw\r\n", "\x81\x85mask",
	    "DELETE ", "Access-Control-Request-Method: POST\r\n", "Accept-Encoding: gzip\r\n",
	    "lastEventId=&", "Sec-WebSocket-Extensions: permessage-deflate\r\n", "token=x&",
	    "\xc1\x05"};

	u->book.strange = true;
	for (unsigned n = tape_byte(t) & 31; n != 0 && t->left != 0; n--) {
		const unsigned which = tape_byte(t);

		if (which < sizeof words / sizeof words[0]) {
			send_bytes(u, words[which], strlen(words[which]));
		} else {
			const struct slice any = tape_bytes(t, which & 7);

			send_bytes(u, any.bytes, any.len);
		}
	}
}

/* ---- what happens ----------------------------------------------------------------------------------------- */

static void
trouble(struct world *x, struct tape *t)
{
	static const int32_t errors[] = {-EPIPE, -ENOBUFS, -EAGAIN, -ECONNRESET, -ENOMEM, -EINTR};
	struct fake *k = x->f.fake;
	const unsigned how = tape_byte(t);

	switch (how & 7) {
	case 0:
		k->allowance = tape_byte(t) * 4;
		return;
	case 1:
		k->chop = 1 + (how >> 3) * (how >> 3) * 4;
		return;
	case 2:
		k->chop = 0;
		return;
	case 3:
		k->fail_at = 1 + (how >> 3) % 4;
		k->fail_with = errors[(how >> 5) % 6];
		return;
	case 4:
		k->dropped = true;
		return;
	case 5:
		k->dropped = false;
		return;
	case 6:
		x->f.w->rescan = true; /* as after an overflow */
		return;
	default:
		x->answers = (how & 8) != 0;
		return;
	}
}

static void
pass_time(struct world *x, unsigned how)
{
	static const uint64_t steps_ms[] = {250, 1000, 5000, 31000};
	const uint64_t ms = steps_ms[how & 3];
	const uint64_t step_ms = ms < STEP_MS_MAX ? ms : STEP_MS_MAX;

	for (uint64_t passed = 0; passed < ms && !x->f.w->quit; passed += step_ms) {
		x->f.w->now_ns += step_ms * UINT64_C(1000000);
		x->f.w->now_ms += step_ms;
		run(x, true);
	}
}

static void
end_of(struct world *x, struct user *u, unsigned how)
{
	if (!u->used)
		return;
	switch (how % 4) {
	case 0:
		receive(x, u);
		leave(x, u, false);
		return;
	case 1:
		shutdown(u->c.fd, SHUT_WR);
		u->half_closed = true;
		return;
	case 2:
		u->stalled = true;
		return;
	default:
		u->stalled = false;
		receive(x, u);
		return;
	}
}

static void
act(struct world *x, struct tape *t)
{
	const unsigned action = tape_byte(t);
	struct user *u = &x->users[action >> 5];

	if (!u->used && ((action & 15) >= 1 && (action & 15) <= 5))
		open_client(x, u, 0);
	switch (action & 15) {
	case 0:
		open_client(x, u, tape_byte(t));
		break;
	case 1:
	case 2:
		ask_for(x, u, t);
		break;
	case 3:
	case 4:
		speak(x, u, t);
		break;
	case 5:
		babble(u, t);
		break;
	case 6:
		end_of(x, u, tape_byte(t));
		break;
	case 7:
	case 8: {
		const unsigned channels = tape_byte(t);

		publish(x, channels, tape_byte(t));
		break;
	}
	case 9: {
		const unsigned how = tape_byte(t);

		for (unsigned n = 1 + (action >> 5) * 5; n != 0; n--)
			publish(x, how, how);
		break;
	}
	case 10:
		trouble(x, t);
		break;
	case 11:
	case 12:
		order(x, t);
		break;
	case 13:
		pass_time(x, action >> 5);
		break;
	case 14:
		run(x, false);
		break;
	default:
		run(x, true);
		break;
	}
}

/* ---- beginning and end ------------------------------------------------------------------------------------- */

static void
begin(struct world *x)
{
	CHECK(fixture_begin(&x->f, RING_BYTES, false), "memory");
	x->judge = calloc(1, sizeof *x->judge);
	CHECK(x->judge != NULL, "memory");
	x->judge->birth = x->judge->head = FIXTURE_MS << 16;
	x->answers = true;
	/* The same input is the same story. */
	x->f.w->now_ms = FIXTURE_MS;
	x->f.w->now_ns = UINT64_C(1000000000000);
	x->f.w->random = 88172645463325252u;
	timer_start(&x->f.w->timer, x->f.w->now_ns);
	memcpy(x->f.w->date, "Sun, 23 Nov 2025 00:00:00 GMT", 30);
}

/* No more trouble; everybody reads; what is owed must come now. */
static void
settle(struct world *x)
{
	x->f.fake->allowance = -1;
	x->f.fake->chop = 0;
	x->f.fake->fail_at = 0;
	x->f.fake->dropped = false;
	x->answers = true;
	while (x->pending_count != 0 && !x->orphan)
		answer(x, 0, 0);
	for (int i = 0; i < CLIENTS; i++)
		x->users[i].stalled = false;
	run(x, true);
	run(x, true);
	/* Long polls end. */
	for (int i = 0; i < 3; i++)
		pass_time(x, 3);
}

static void
end(struct world *x)
{
	const struct worker *w = x->f.w;

	settle(x);
	for (int i = 0; i < CLIENTS; i++)
		if (x->users[i].used)
			leave(x, &x->users[i], !w->quit);
	if (!w->quit) {
		run(x, true);
		CHECK(fixture_is_clean(&x->f), "something is left of a connection");
		hear(x);
		for (uint32_t i = 1; i <= x->peers && !x->orphan; i++)
			CHECK(x->closed[i] == 1, "the end of a connection is told once");
	}
	judge_free(x->judge);
	free(x->judge);
	fixture_end(&x->f);
}

/* The number that the next descriptor would get. */
static int
next_descriptor(void)
{
	const int fd = dup(STDIN_FILENO);

	if (fd != -1)
		close(fd);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tape t = {data, size};
	const int descriptor = next_descriptor();
	struct world *x = calloc(1, sizeof *x);

	CHECK(x != NULL, "memory");
	begin(x);
	for (int i = 0; i < ACTIONS_MAX && t.left != 0 && !x->f.w->quit; i++)
		act(x, &t);
	end(x);
	free(x);
	CHECK(next_descriptor() == descriptor, "a descriptor is left");
	return 0;
}
