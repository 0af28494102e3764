/*
 * worker_world.h: what is round a worker in worker_fuzz.c: the tape that says what happens, the ring and who publishes, and a
 * master who does as the tape says.
 */
#ifndef TESTS_FUZZ_WORKER_WORLD_H
#define TESTS_FUZZ_WORKER_WORLD_H

#include "tests/fuzz/worker_judge.h"
#include "tests/unit/worker/worker_fixture.h"

#define CLIENTS 8
#define RING_BYTES (UINT64_C(64) << 10)
#define PUBLISH_BYTES_MAX (1 << 20) /* of all events of an input */
#define PENDING_MAX 32
#define CHECK(condition, what)                                                                    \
	do {                                                                                      \
		if (!(condition)) {                                                               \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, what); \
			abort();                                                                  \
		}                                                                                 \
	} while (0)

struct tape {
	const uint8_t *at;
	size_t left;
};

static inline unsigned
tape_byte(struct tape *t)
{
	if (t->left == 0)
		return 0;
	t->left--;
	return *t->at++;
}

static inline struct slice
tape_bytes(struct tape *t, size_t max)
{
	const size_t len = max < t->left ? max : t->left;
	const struct slice s = slice_of((const char *)t->at, len);

	t->at += len;
	t->left -= len;
	return s;
}

struct user {
	struct client c;
	struct judge_client book;
	uint32_t peer; /* how the worker knows it */
	bool used;
	bool stalled;  /* does not read */
	bool upgraded; /* has asked for a WebSocket */
	bool half_closed;
	unsigned request; /* bytes of a request that is sent in pieces */
};

/* A publish of a client that the master has not answered yet. */
struct pending {
	char tag[ORDER_TAG_BYTES];
	size_t tag_len;
	uint64_t id;
};

struct world {
	struct fixture f;
	struct judge *judge;
	struct user users[CLIENTS];
	struct pending pending[PENDING_MAX];
	uint32_t pending_count;
	char transfer[1 << 17]; /* a publish that comes in pieces */
	size_t transfer_len;
	uint64_t published_bytes, ring_bytes_used;
	unsigned number; /* of the next event */
	uint32_t peers;
	uint64_t serial, taken;
	unsigned closed[1024]; /* by peer: how often its end was told */
	bool answers;          /* the master answers publishes at once */
	bool orphan;           /* the master is gone */
	bool drained;
};

/* ---- the ring ------------------------------------------------------------------------------------------- */

static inline enum record_kind
kind_of_record(enum event_kind kind)
{
	return kind == EVENT_JSON ? RECORD_JSON : kind == EVENT_TEXT ? RECORD_TEXT : RECORD_BINARY;
}

/* Publishes, and writes into the books. 0: it was refused. */
static inline uint64_t
append(struct world *x, const struct event *event)
{
	struct record_slice names[LIMIT_EVENT_CHANNELS];
	struct ring_write_event e = {.channels = names,
	    .channels_count = event->channel_count,
	    .type = {event->type.bytes, event->type.len},
	    .data = {event->data.bytes, event->data.len},
	    .kind = kind_of_record(event->kind),
	    .now_ms = x->f.w->now_ms};
	uint64_t id = 0;

	for (uint32_t i = 0; i < event->channel_count; i++)
		names[i] = (struct record_slice){event->channels[i].bytes, event->channels[i].len};
	if (x->judge->event_count == JUDGE_EVENTS_MAX ||
	    x->published_bytes + event->data.len > PUBLISH_BYTES_MAX ||
	    ring_write_append(x->f.ring, &e, &id) != RING_OK)
		return 0;
	ring_write_commit(x->f.ring);
	x->published_bytes += event->data.len;
	x->ring_bytes_used += ring_write_size(x->f.ring, &e) + 64;
	if (x->ring_bytes_used > RING_BYTES / 2)
		x->judge->lapped = true;
	CHECK(judge_publish(x->judge, event, id), "room was there");
	return id;
}

/* Data that says which event it is of, and holds what is awkward in one format or another. */
static inline size_t
compose(char *to, enum event_kind kind, unsigned number, size_t padding)
{
	static const char awkward[] =
	    "\r\n: data: x\n\nid: 1\r\revent: y\n\"\\\x01\xc3\xa4\xf0\x9f\x98\x80 <-->\r\n\r\n";
	size_t len;

	if (kind == EVENT_JSON) {
		len = (size_t)sprintf(to, "{\"n\": %u, \"p\":\"", number);
		memset(to + len, 'j', padding);
		len += padding;
		return len + (size_t)sprintf(to + len, "\\u000a{\"}");
	}
	len = (size_t)sprintf(to, "#%u#", number);
	for (size_t i = 0; i < padding; i += sizeof awkward - 1) {
		memcpy(to + len, awkward, sizeof awkward - 1);
		len += sizeof awkward - 1;
	}
	if (kind == EVENT_BINARY)
		to[len++] = '\xff';
	return len;
}

static inline void
publish(struct world *x, unsigned channels, unsigned how)
{
	static const size_t paddings[] = {0, 1, 60, 120, 500, 4000, 9000, 15000};
	static const char *const types[] = {"message", "score", "x", "a:b c"};
	static char data[32768];
	struct event e;

	event_clear(&e);
	for (int i = 0; i < JUDGE_CHANNELS; i++)
		/* Some the other way round: the order is the publisher's. */
		if ((channels >> i & 1) != 0)
			e.channels[e.channel_count++] =
			    judge_channels[(channels & 16) != 0 ? JUDGE_CHANNELS - 1 - i : i];
	if (e.channel_count == 0)
		e.channels[e.channel_count++] = judge_channels[0];
	e.kind = (enum event_kind)(EVENT_JSON + (how & 3) % 3);
	e.type = slice_text(types[how >> 2 & 3]);
	e.data = slice_of(data, compose(data, e.kind, x->number++, paddings[how >> 4 & 7]));
	append(x, &e);
}

/* ---- the master ----------------------------------------------------------------------------------------- */

static inline void
tell(struct world *x, const struct out *o, int fd)
{
	struct iovec vector = {o->bytes, o->len};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	union {
		char bytes[CMSG_SPACE(sizeof fd)];
		struct cmsghdr align;
	} control = {0};

	if (fd != -1) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof control.bytes;
		control.align = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd),
		    .cmsg_level = SOL_SOCKET,
		    .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.align), &fd, sizeof fd);
	}
	if (!x->orphan && !out_cut(o))
		(void)!sendmsg(x->f.master, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static inline void
answer(struct world *x, uint32_t which, unsigned how)
{
	static const enum error_code errors[] = {
	    ERROR_OVERLOADED, ERROR_TOO_LARGE, ERROR_FORBIDDEN, ERROR_BAD_JSON};
	const struct pending *p = &x->pending[which];
	struct order_published m = {
	    .tag = slice_of(p->tag, p->tag_len), .id = p->id, .duplicate = (how & 4) != 0};
	char bytes[1024];
	struct out o = out_to(bytes, sizeof bytes);

	if (p->id == 0) {
		m.error = (uint16_t)errors[how >> 3 & 3];
		m.message = SLICE_LITERAL("no \"such\" thing");
		m.duplicate = 0;
	}
	order_encode_published(&o, &m);
	tell(x, &o, -1);
	if ((how & 3) == 3)
		return; /* and once more later */
	memmove(&x->pending[which], &x->pending[which + 1],
	    (x->pending_count - which - 1) * sizeof x->pending[0]);
	x->pending_count--;
}

static inline void
take_publish(struct world *x)
{
	struct order_publish publish;
	struct pending *p = &x->pending[x->pending_count];

	CHECK(order_decode_publish(slice_of(x->transfer, x->transfer_len), &publish) == 0,
	    "a publish that is none");
	CHECK(publish.event.channel_count >= 1 && event_type_fault(publish.event.type) == NULL,
	    "an event that is none");
	if (x->pending_count == PENDING_MAX)
		return;
	*p = (struct pending){.tag_len = publish.tag.len};
	memcpy(p->tag, publish.tag.bytes, publish.tag.len);
	p->id = append(x, &publish.event);
	x->pending_count++;
	if (x->answers)
		answer(x, x->pending_count - 1, 0);
}

static inline void
take_packet(struct world *x, struct slice packet)
{
	struct order_piece piece;
	struct order_taken taken;
	struct order_closed closed;
	struct order_rows rows;

	switch (order_type_of(packet)) {
	case ORDER_PUBLISH:
		CHECK(order_decode_piece(packet, &piece) == 0, "a piece that is none");
		CHECK(piece.offset == x->transfer_len &&
			  piece.bytes.len <= sizeof x->transfer - x->transfer_len,
		    "pieces out of order");
		memcpy(x->transfer + x->transfer_len, piece.bytes.bytes, piece.bytes.len);
		x->transfer_len += piece.bytes.len;
		if (x->transfer_len < piece.total)
			return;
		take_publish(x);
		x->transfer_len = 0;
		return;
	case ORDER_TAKEN:
		CHECK(order_decode_taken(packet, &taken) == 0 && taken.serial > x->taken &&
			  taken.serial <= x->serial,
		    "serials rise");
		x->taken = taken.serial;
		return;
	case ORDER_CLOSED:
		CHECK(order_decode_closed(packet, &closed) == 0, "ends that are none");
		for (size_t i = 0; i < closed.count; i++)
			x->closed[closed.peer_hashes[i] % 1024]++;
		return;
	case ORDER_ROWS:
		CHECK(order_decode_rows(packet, &rows) == 0, "rows that are none");
		return;
	case ORDER_READY:
	case ORDER_DRAINED:
		return;
	default:
		CHECK(false, "a packet that a worker never sends");
	}
}

static inline void
hear(struct world *x)
{
	static char packet[2 * ORDER_PACKET_BYTES];
	ssize_t n;

	while (!x->orphan && (n = recv(x->f.master, packet, sizeof packet, MSG_DONTWAIT)) > 0)
		take_packet(x, slice_of(packet, (size_t)n));
}

static inline void
settle_compression(struct order_settings *s, unsigned how)
{
	s->compression = (how & 1) != 0;
	s->compression_poll = (how & 2) != 0;
	s->compression_level = (uint8_t)(1 + (how >> 2) % 9);
	s->compression_min_bytes = (how & 64) != 0 ? 32 : 300;
	s->compression_takeover_bytes = (how & 128) != 0 ? 65536 : 0;
}

static inline void
give_settings(struct world *x, unsigned how, unsigned more)
{
	static const struct rule open = {SLICE_LITERAL("*"), RULE_ANYONE, RULE_ANYONE, RULE_GAP};
	struct order_settings *s = &x->f.settings;
	struct out o = out_to(malloc(ORDER_PACKET_BYTES), ORDER_PACKET_BYTES);

	CHECK(o.bytes != NULL, "memory");
	fixture_defaults(s);
	s->rules[0] = open;
	s->rules[0].lag = (enum rule_lag)(RULE_GAP + (how & 3) % 3);
	if ((how & 4) != 0) { /* one channel is closed */
		s->rules[1] = s->rules[0];
		s->rules[0] =
		    (struct rule){judge_channels[how & 1], RULE_NOBODY, RULE_NOBODY, RULE_GAP};
		s->rule_count = 2;
	}
	if ((how & 8) != 0)
		s->max_event_bytes = 600;
	if ((how & 16) != 0)
		s->max_channels_per_connection = 2;
	if ((how & 32) != 0)
		s->header_timeout_s = s->body_timeout_s = s->idle_timeout_s = s->max_wait_s = 1;
	if ((how & 64) != 0)
		s->beat_ws_s = s->beat_sse_s = 1;
	s->console = (how & 128) != 0;
	settle_compression(s, more);
	order_encode_settings(&o, s);
	tell(x, &o, -1);
	free(o.bytes);
}

static inline void
order(struct world *x, struct tape *t)
{
	char bytes[4096];
	struct out o = out_to(bytes, sizeof bytes);
	const unsigned how = tape_byte(t);
	const struct slice channel = judge_channels[how >> 4 & 3];
	const struct user *u = &x->users[how >> 4 & 7];

	switch (how & 15) {
	case 0: {
		const struct order_drain m = {tape_byte(t) * 100};

		order_encode_drain(&o, &m);
		x->drained = true;
		break;
	}
	case 1:
	case 2: {
		const unsigned settings = tape_byte(t);

		give_settings(x, settings, tape_byte(t));
		return;
	}
	case 3: {
		const struct order_end_channel m = {channel};

		order_encode_end_channel(&o, &m);
		break;
	}
	case 4: {
		const struct order_end_connection m = {(uint64_t)u->c.generation << 32 | u->c.slot};

		order_encode_end_connection(&o, &m);
		break;
	}
	case 5: {
		const struct order_query m = {.query = how,
		    .kind = how >> 4 & 1,
		    .limit = tape_byte(t),
		    .channel = (how & 32) != 0 ? channel : slice_of(NULL, 0)};

		order_encode_query(&o, &m);
		break;
	}
	case 6:
	case 7: {
		const struct record_slice name = {channel.bytes, channel.len};
		const struct order_end_channel m = {channel};

		ring_write_forget(x->f.ring, name, (how & 1) != 0 ? RECORD_END_SUBSCRIPTIONS : 0,
		    x->f.w->now_ms, &x->judge->head);
		x->judge->lapped = true;
		if ((how & 1) == 0)
			return;
		order_encode_end_channel(&o, &m);
		break;
	}
	case 8: {
		struct slice junk = tape_bytes(t, 24);

		/* Anything, but no connections: who hands over counts them. */
		if (order_type_of(junk) == ORDER_CONNECTIONS ||
		    order_type_of(junk) == ORDER_DRAIN || order_type_of(junk) == ORDER_SETTINGS)
			return;
		out_slice(&o, junk);
		if (junk.len == 0)
			return;
		break;
	}
	case 9:
		if (x->orphan || how < 200)
			return;
		x->orphan = true;
		shutdown(x->f.master, SHUT_RDWR);
		return;
	default:
		if (x->pending_count != 0)
			answer(x, (how >> 4) % x->pending_count, tape_byte(t));
		return;
	}
	tell(x, &o, -1);
}

#endif
