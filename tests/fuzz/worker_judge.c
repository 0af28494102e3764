/*
 * worker_judge.c: see worker_judge.h.
 */
#include "tests/fuzz/worker_judge.h"

#include "tests/fuzz/worker_formats.h"
#include "tests/unit/proto/sse_reference.h"
#include "tests/unit/proto/utf8_reference.h"
#include "tests/unit/proto/ws_reference.h"

const struct slice judge_channels[JUDGE_CHANNELS] = {
    {"a", 1}, {"b", 1}, {"news.x", 6}, {"\xc3\xbc \"", 4}};

/* ---- what was published -------------------------------------------------------------------------- */

static struct slice
copy(struct slice s)
{
	char *bytes = malloc(s.len + 1);

	CHECK(bytes != NULL, "memory");
	if (s.len != 0)
		memcpy(bytes, s.bytes, s.len);
	bytes[s.len] = '\0';
	return slice_of(bytes, s.len);
}

bool
judge_publish(struct judge *j, const struct event *e, uint64_t id)
{
	struct judge_event *to = &j->events[j->event_count];

	if (j->event_count == JUDGE_EVENTS_MAX)
		return false;
	CHECK(id > j->head, "the ring gives ids that rise");
	*to = (struct judge_event){.id = id,
	    .channel_count = e->channel_count,
	    .type = copy(e->type),
	    .data = copy(e->data),
	    .kind = e->kind};
	for (uint32_t i = 0; i < e->channel_count; i++)
		to->channels[i] = copy(e->channels[i]);
	j->event_count++;
	j->head = id;
	return true;
}

void
judge_free(struct judge *j)
{
	for (uint32_t i = 0; i < j->event_count; i++) {
		struct judge_event *e = &j->events[i];

		drop(e->type);
		drop(e->data);
		for (uint32_t k = 0; k < e->channel_count; k++)
			drop(e->channels[k]);
	}
	j->event_count = 0;
}

static const struct judge_event *
event_of(const struct judge *j, uint64_t id)
{
	for (uint32_t i = 0; i < j->event_count; i++)
		if (j->events[i].id == id)
			return &j->events[i];
	return NULL;
}

static bool
is_on(const struct judge_event *e, struct slice channel)
{
	for (uint32_t i = 0; i < e->channel_count; i++)
		if (slice_equal(e->channels[i], channel))
			return true;
	return false;
}

/* ---- what a connection has --------------------------------------------------------------------- */

void
judge_mark(struct judge_client *c, size_t len, uint64_t head)
{
	if (c->mark_count != 0 && c->marks[c->mark_count - 1].len == len)
		return;
	if (c->mark_count == JUDGE_MARKS_MAX)
		c->strange = true;
	else
		c->marks[c->mark_count++] = (struct judge_mark){len, head};
}

/* The newest event when the client's byte `at` was read. */
static uint64_t
head_at(const struct judge_client *c, size_t at)
{
	for (uint32_t i = 0; i < c->mark_count; i++)
		if (c->marks[i].len >= at)
			return c->marks[i].head;
	CHECK(false, "a byte that nobody has read");
	return 0;
}

struct sub {
	bool active;
	bool ended_once; /* an event that came before may come again */
	uint64_t from;   /* everything newer must come */
	bool future;     /* what was asked for lies in the future: with its gap it begins anew */
	bool exact;      /* no gap may be told before history is lost */
};

struct stream {
	const struct judge *j;
	const struct judge_client *c;
	const struct judge_ask *ask; /* NULL: unknown */
	bool json;                   /* event streams: the event is an object */
	size_t base;                 /* of the stream in the client's bytes */
	struct sub subs[JUDGE_CHANNELS];
	uint8_t got[JUDGE_EVENTS_MAX]; /* how often each event came */
	uint64_t cursor;               /* event streams: the last event id */
	uint64_t last;                 /* id of the last event since the last subscription */
	uint32_t checked;              /* events before this one were looked for */
	bool welcomed, closed;
	bool deflates;     /* permessage-deflate was agreed on */
	uint32_t raw_next; /* bare data: the event expected next, at the earliest */
};

static int
channel_index(struct slice name)
{
	for (int i = 0; i < JUDGE_CHANNELS; i++)
		if (slice_equal(judge_channels[i], name))
			return i;
	return -1;
}

/* Whether the connection must get this event. */
static bool
is_owed(const struct stream *s, const struct judge_event *e)
{
	for (uint32_t i = 0; i < e->channel_count; i++) {
		const int k = channel_index(e->channels[i]);

		if (k != -1 && s->subs[k].active && e->id > s->subs[k].from)
			return true;
	}
	return false;
}

/* Everything up to this id that it is owed has come. */
static void
check_complete(struct stream *s, uint64_t id)
{
	const struct judge *j = s->j;

	if (s->ask == NULL)
		return;
	for (; s->checked < j->event_count && j->events[s->checked].id <= id; s->checked++)
		CHECK(s->got[s->checked] != 0 || !is_owed(s, &j->events[s->checked]),
		    "an event is missing, and no gap was told");
}

/* A subscription begins; `at` is where the server says that it does. */
static void
begin(struct stream *s, int channel, const struct judge_ask *ask, uint64_t at, size_t end)
{
	const struct judge *j = s->j;
	const uint64_t head = head_at(s->c, s->base + end);
	struct sub *sub = &s->subs[channel];

	s->checked = 0;
	s->last = 0;
	sub->active = true;
	sub->exact = sub->future = false;
	sub->from = head;
	switch (ask->after) {
	case JUDGE_NOW:
		CHECK(at <= head, "it begins in the future");
		sub->from = at;
		sub->exact = true;
		break;
	case JUDGE_ID:
		CHECK(at == ask->number || (at == 0 && ask->number > at), "it begins elsewhere");
		sub->from = ask->number;
		sub->exact = ask->number >= j->birth && ask->number <= ask->head;
		sub->future = ask->number > head;
		break;
	case JUDGE_TIME:
		sub->from = (ask->number << 16) - 1;
		sub->future = sub->from > head;
		break;
	case JUDGE_ALL:
		if (!j->lapped)
			sub->from = 0;
		sub->exact = true;
		break;
	case JUDGE_LAST:
		sub->exact = true;
		break;
	case JUDGE_FUTURE:
		sub->future = true;
		break;
	case JUDGE_AFTERS:
		break;
	}
}

static void
gap(struct stream *s, struct slice channel, uint64_t after, uint64_t at, size_t end)
{
	const int k = channel_index(channel);

	if (s->ask == NULL)
		return;
	CHECK(k != -1 && s->subs[k].active, "a gap of a channel that it has not");
	CHECK(s->j->lapped || !s->subs[k].exact, "a gap, and nothing was lost");
	CHECK(at <= head_at(s->c, s->base + end), "a gap that ends in the future");
	(void)after;
	if (s->subs[k].future || at > s->subs[k].from)
		s->subs[k].from = at;
	s->subs[k].future = false;
}

/*
 * The name by which an event is shown: the first of its channels, in the publisher's order, whose subscription it is owed by. One
 * that began later does not count: the event may have come for another's sake.
 */
static void
check_channel(const struct stream *s, const struct judge_event *e, struct slice channel)
{
	CHECK(is_on(e, channel), "shown on a channel where it was not published");
	if (s->ask == NULL)
		return;
	for (uint32_t i = 0; i < e->channel_count; i++) {
		const int k = channel_index(e->channels[i]);

		if (k == -1 || !s->subs[k].active)
			continue;
		if (slice_equal(e->channels[i], channel))
			return;
		CHECK(e->id <= s->subs[k].from, "shown as of another channel");
	}
	CHECK(false, "of no channel that it has");
}

/* Channel is empty where the format does not show it. */
static const struct judge_event *
take_event(struct stream *s, uint64_t id, struct slice channel)
{
	const struct judge_event *e = event_of(s->j, id);
	uint32_t at;
	bool again = s->ask == NULL;

	CHECK(e != NULL, "an event that was never published");
	at = (uint32_t)(e - s->j->events);
	CHECK(id > s->last, "ids do not rise");
	s->last = id;
	for (uint32_t i = 0; i < e->channel_count; i++) {
		const int k = channel_index(e->channels[i]);

		again |= k != -1 && s->subs[k].ended_once;
	}
	CHECK(s->got[at] == 0 || again, "an event came twice");
	s->got[at] = 1;
	if (channel.len != 0)
		check_channel(s, e, channel);
	else if (s->ask != NULL)
		CHECK(is_owed(s, e) || s->subs[0].active || s->subs[1].active ||
			  s->subs[2].active || s->subs[3].active,
		    "an event without a subscription");
	check_complete(s, id - 1);
	return e;
}

static void
take_object(struct stream *s, const json_t *object, struct slice text)
{
	const struct judge_event *e =
	    take_event(s, member_id(object, "id"), member_text(object, "channel"));

	check_object(e, object, text);
}

/* ---- control objects ---------------------------------------------------------------------------------- */

static void
welcome(struct stream *s, const json_t *object, size_t end)
{
	const uint64_t at = member_id(object, "at");

	CHECK(!s->welcomed, "welcomed twice");
	s->welcomed = true;
	(void)member_text(object, "connection");
	if (s->ask == NULL)
		return;
	for (int i = 0; i < JUDGE_CHANNELS; i++)
		if ((s->ask->channels >> i & 1) != 0)
			begin(s, i, s->ask, at, end);
}

static void
subscribed(struct stream *s, const json_t *object, size_t end)
{
	const int k = channel_index(member_text(object, "channel"));
	const uint64_t at = member_id(object, "at");
	const json_int_t ref = json_integer_value(json_object_get(object, "ref"));

	if (s->ask == NULL)
		s->last = 0;
	if (s->ask == NULL || (k != -1 && s->subs[k].active))
		return;
	CHECK(k != -1 && ref >= 0 && ref < s->c->ask_count && s->c->asks[ref].op,
	    "subscribed, and was not asked");
	begin(s, k, &s->c->asks[ref], at, end);
}

static void
unsubscribed(struct stream *s, const json_t *object)
{
	const int k = channel_index(member_text(object, "channel"));

	if (k == -1)
		return;
	s->subs[k].active = false;
	s->subs[k].ended_once = true;
}

static void
control(struct stream *s, const json_t *object, size_t end)
{
	const struct slice op = member_text(object, "op");

	CHECK(s->welcomed || slice_equal(op, SLICE_LITERAL("welcome")) ||
		  slice_equal(op, SLICE_LITERAL("error")),
	    "no welcome first");
	if (slice_equal(op, SLICE_LITERAL("welcome")))
		welcome(s, object, end);
	else if (slice_equal(op, SLICE_LITERAL("live")) || slice_equal(op, SLICE_LITERAL("pong")))
		check_complete(s, member_id(object, "at"));
	else if (slice_equal(op, SLICE_LITERAL("gap")))
		gap(s, member_text(object, "channel"), member_id(object, "after"),
		    member_id(object, "at"), end);
	else if (slice_equal(op, SLICE_LITERAL("subscribed")))
		subscribed(s, object, end);
	else if (slice_equal(op, SLICE_LITERAL("unsubscribed")))
		unsubscribed(s, object);
	else if (slice_equal(op, SLICE_LITERAL("published")))
		(void)member_id(object, "id");
	else
		CHECK(
		    slice_equal(op, SLICE_LITERAL("error")) && member_text(object, "code").len != 0,
		    "an op that the server never sends");
}

/* The end of a stream that nothing is under way on any more. */
static void
check_settled(struct stream *s, bool whole)
{
	if (!s->c->open)
		return;
	CHECK(whole, "a frame was begun and never ended");
	if (s->c->settled && s->welcomed && !s->closed)
		check_complete(s, UINT64_MAX);
}

/* ---- event streams ------------------------------------------------------------------------------------ */

static void
told(void *context, struct slice type, struct slice data, struct slice id, size_t end)
{
	struct stream *s = context;
	const struct judge_event *e;

	if (slice_equal(
		slice_of(type.bytes, type.len < 9 ? type.len : 9), SLICE_LITERAL("ringcast."))) {
		json_t *object = load(data);

		CHECK(
		    slice_equal(slice_of(type.bytes + 9, type.len - 9), member_text(object, "op")),
		    "an op under another's name");
		control(s, object, end);
		/* A gap moves no cursor: it stands before what follows it. */
		if (type.len == 12 && memcmp(type.bytes + 9, "gap", 3) == 0)
			CHECK(id_of_text(id) == s->cursor, "a gap moves the cursor");
		else if (json_object_get(object, "at") != NULL)
			CHECK(id_of_text(id) == member_id(object, "at"),
			    "a control object's cursor is its id");
		s->cursor = id_of_text(id);
		json_decref(object);
		return;
	}
	CHECK(s->welcomed, "no welcome first");
	s->cursor = id_of_text(id);
	e = event_of(s->j, s->cursor);
	CHECK(e != NULL, "an event that was never published");
	if (s->ask == NULL)
		s->json = slice_equal(type, SLICE_LITERAL("message")) && data.len > 8 &&
			  memcmp(data.bytes, "{\"id\":\"", 7) == 0 &&
			  memcmp(data.bytes + 7, id.bytes, id.len) == 0;
	if (s->json) {
		json_t *object = load(data);

		CHECK(slice_equal(type, SLICE_LITERAL("message")), "not unnamed");
		CHECK(member_id(object, "id") == e->id, "another id");
		take_object(s, object, data);
		json_decref(object);
		return;
	}
	take_event(s, e->id, slice_of(NULL, 0));
	CHECK(slice_equal(type, e->type), "another type");
	if (e->kind == EVENT_BINARY) {
		const struct slice expected = base64(e->data);

		CHECK(slice_equal(data, expected), "other bytes");
		drop(expected);
	} else {
		CHECK(equal_but_for_line_ends(data, e->data), "another text");
	}
}

static void
event_stream(struct stream *s, struct slice bytes)
{
	sse_reference_walk(bytes.bytes, bytes.len, told, s);
	/* A server that ends a stream does so with a retry: no blank line. */
	check_settled(s, bytes.len == 0 || bytes.bytes[bytes.len - 1] == '\n');
}

/* ---- WebSocket ------------------------------------------------------------------------------------------ */

/* Bare data has no ids: the next event, at the earliest, that is so. */
static void
take_raw(struct stream *s, bool text, struct slice payload)
{
	const struct judge *j = s->j;

	for (; s->raw_next < j->event_count; s->raw_next++) {
		const struct judge_event *e = &j->events[s->raw_next];

		if ((e->kind != EVENT_BINARY) == text && slice_equal(e->data, payload)) {
			s->raw_next++;
			return;
		}
	}
	CHECK(s->c->strange, "bare data that was not published, or not in this order");
	s->raw_next = 0;
}

static void
message(struct stream *s, const struct ws_reference_frame *f, struct slice payload, size_t end)
{
	const bool raw = s->ask != NULL && s->ask->transport == JUDGE_WS_RAW;
	json_t *object;

	CHECK(f->opcode == 2 || utf8_reference((const unsigned char *)payload.bytes, payload.len) ==
				    UTF8_REFERENCE_WHOLE,
	    "text that is not UTF-8");
	if (raw) {
		take_raw(s, f->opcode == 1, payload);
		return;
	}
	if (s->ask == NULL && !s->welcomed &&
	    (payload.len < 6 || memcmp(payload.bytes, "{\"op\":", 6) != 0))
		return; /* bare data, as it seems */
	if (s->ask == NULL && f->opcode == 2)
		return;
	CHECK(f->opcode == 1, "bytes where JSON is spoken");
	object = load(payload);
	if (json_object_get(object, "op") != NULL)
		control(s, object, end);
	else
		take_object(s, object, payload);
	json_decref(object);
}

/* A message that is compressed says so, and is smaller for it. */
static void
take_message(struct stream *s, const struct ws_reference_frame *f, size_t end)
{
	const struct slice payload = slice_of((const char *)f->payload, (size_t)f->length);
	struct slice plain;

	if (!f->rsv1) {
		message(s, f, payload, end);
		return;
	}
	plain = inflated(payload, false);
	CHECK(plain.len > payload.len, "compressed, and no smaller");
	message(s, f, plain, end);
	drop(plain);
}

static void
close_frame(struct stream *s, const struct ws_reference_frame *f)
{
	s->closed = true;
	CHECK(f->length != 1, "half a close code");
	if (f->length == 0)
		return;
	CHECK(
	    ws_reference_close_code((unsigned)f->payload[0] << 8 | f->payload[1]), "a close code");
	CHECK(utf8_reference(f->payload + 2, (size_t)f->length - 2) == UTF8_REFERENCE_WHOLE,
	    "a reason that is not UTF-8");
}

static void
frames(struct stream *s, struct slice bytes)
{
	struct ws_reference_frame f = {0};
	size_t at = 0, n;

	while (
	    (n = ws_reference_read(&f, (const uint8_t *)bytes.bytes + at, bytes.len - at)) != 0) {
		CHECK(!s->closed, "something behind the close frame");
		CHECK(!f.rsv1 || (s->deflates && f.opcode < 3),
		    "a compressed frame that nobody asked for");
		CHECK(f.fin && !f.rsv2 && !f.rsv3 && !f.masked, "a frame's first bits");
		CHECK(ws_reference_length_is_minimal(&f), "a length in a longer form");
		at += n;
		CHECK(f.opcode < 8 || f.length <= 125, "a long control frame");
		if (f.opcode == 1 || f.opcode == 2)
			take_message(s, &f, at);
		else if (f.opcode == 8)
			close_frame(s, &f);
		else
			CHECK(f.opcode == 9 || f.opcode == 10, "an opcode");
	}
	check_settled(s, at == bytes.len);
}

/* ---- polls ---------------------------------------------------------------------------------------------- */

/* Below this nothing is owed. */
static uint64_t
poll_begin(const struct judge *j, const struct judge_ask *ask)
{
	switch (ask->after) {
	case JUDGE_ID:
		return ask->number;
	case JUDGE_TIME:
		return (ask->number << 16) - 1;
	case JUDGE_ALL:
		return j->lapped ? UINT64_MAX : 0;
	case JUDGE_NOW:
	case JUDGE_LAST:
	case JUDGE_FUTURE:
	case JUDGE_AFTERS:
		break;
	}
	return UINT64_MAX;
}

static void
poll_gaps(struct stream *s, const json_t *gaps)
{
	for (size_t i = 0; i < json_array_size(gaps); i++) {
		const json_t *g = json_array_get(gaps, i);
		const int k = channel_index(member_text(g, "channel"));

		(void)member_id(g, "after");
		if (s->ask == NULL)
			continue;
		CHECK(k != -1 && s->subs[k].active, "a gap of a channel that was not asked for");
		CHECK(s->j->lapped || !s->subs[k].exact, "a gap, and nothing was lost");
		if (s->subs[k].from == UINT64_MAX || member_id(g, "at") > s->subs[k].from)
			s->subs[k].from = member_id(g, "at");
	}
}

static void
poll_answer(const struct judge *j, const struct judge_client *c, const struct judge_ask *ask,
    struct slice body)
{
	struct stream *s = calloc(1, sizeof *s);
	json_t *answer = load(body);
	const json_t *events = json_object_get(answer, "events");
	struct slice rest = slice_of(body.bytes + 10, body.len - 10);
	const uint64_t next = member_id(answer, "next");

	CHECK(s != NULL && json_is_array(events), "an answer with events");
	CHECK(json_is_boolean(json_object_get(answer, "more")), "more is a boolean");
	CHECK(json_is_array(json_object_get(answer, "gaps")), "gaps is an array");
	*s = (struct stream){.j = j, .c = c, .ask = ask, .welcomed = true};
	for (int i = 0; ask != NULL && i < JUDGE_CHANNELS; i++) {
		s->subs[i].active = (ask->channels >> i & 1) != 0;
		s->subs[i].from = poll_begin(j, ask);
		s->subs[i].exact = ask->after != JUDGE_FUTURE && ask->after != JUDGE_TIME &&
				   (ask->after != JUDGE_ID ||
				       (ask->number >= j->birth && ask->number <= ask->head));
	}
	poll_gaps(s, json_object_get(answer, "gaps"));
	CHECK(ask == NULL || ask->transport != JUDGE_POLL ||
		  (ask->after != JUDGE_ALL && ask->after != JUDGE_LAST) ||
		  json_array_size(json_object_get(answer, "gaps")) == 0,
	    "a gap, where all or the last were asked for");
	CHECK(ask == NULL || json_array_size(events) <= ask->limit, "more than the limit");
	CHECK(ask == NULL || ask->after != JUDGE_NOW || json_array_size(events) == 0,
	    "events without after");
	for (size_t i = 0; i < json_array_size(events); i++)
		take_object(s, json_array_get(events, i), next_object(&rest));
	CHECK(next >= s->last, "next lies before an event of the answer");
	check_complete(s, next);
	json_decref(answer);
	free(s);
}

/* ---- HTTP ------------------------------------------------------------------------------------------------ */

static bool
begins(struct slice s, const char *with)
{
	return s.len >= strlen(with) && memcmp(s.bytes, with, strlen(with)) == 0;
}

struct head {
	unsigned status;
	bool has_length, close;
	size_t length;
	struct slice type, protocol;
	bool deflates, gzipped;
};

static bool
name_is(struct slice name, const char *expected)
{
	return name.len == strlen(expected) && strncasecmp(name.bytes, expected, name.len) == 0;
}

static void
head_field(struct head *h, struct slice line)
{
	const char *colon = memchr(line.bytes, ':', line.len);
	struct slice name, value;

	CHECK(colon != NULL && colon != line.bytes && colon + 1 < line.bytes + line.len &&
		  colon[1] == ' ',
	    "a field");
	name = slice_of(line.bytes, (size_t)(colon - line.bytes));
	value = slice_of(colon + 2, line.len - name.len - 2);
	if (name_is(name, "content-length")) {
		CHECK(!h->has_length && value.len != 0 && value.len < 10, "one length");
		h->has_length = true;
		for (size_t i = 0; i < value.len; i++) {
			CHECK(value.bytes[i] >= '0' && value.bytes[i] <= '9', "a length");
			h->length = h->length * 10 + (size_t)(value.bytes[i] - '0');
		}
	} else if (name_is(name, "content-type")) {
		h->type = value;
	} else if (name_is(name, "sec-websocket-protocol")) {
		h->protocol = value;
	} else if (name_is(name, "sec-websocket-extensions")) {
		CHECK(begins(value, "permessage-deflate"), "an extension that nobody knows");
		h->deflates = true;
	} else if (name_is(name, "content-encoding")) {
		CHECK(name_is(value, "gzip"), "a coding that nobody asked for");
		h->gzipped = true;
	} else if (name_is(name, "connection")) {
		h->close = name_is(value, "close");
	} else {
		CHECK(!name_is(name, "transfer-encoding"), "the worker sends no chunks");
	}
}

/* Bytes of a head, 0 when it is not whole. */
static size_t
read_head(struct head *h, struct slice bytes)
{
	size_t at = 0, line_at;

	*h = (struct head){0};
	for (bool first = true;; first = false) {
		line_at = at;
		for (;; at++) {
			if (at >= bytes.len)
				return 0;
			if (bytes.bytes[at] == '\r')
				break;
			CHECK((unsigned char)bytes.bytes[at] >= ' ' && bytes.bytes[at] != 127,
			    "a byte that no line of a head holds");
		}
		if (at + 1 == bytes.len)
			return 0;
		CHECK(bytes.bytes[at + 1] == '\n', "a bare CR");
		at += 2;
		if (at == line_at + 2) {
			CHECK(!first, "an empty line first");
			return at;
		}
		if (!first) {
			head_field(h, slice_of(bytes.bytes + line_at, at - line_at - 2));
			continue;
		}
		CHECK(
		    at - line_at > 14 && memcmp(bytes.bytes, "HTTP/1.1 ", 9) == 0, "a status line");
		for (int i = 9; i < 12; i++) {
			CHECK(bytes.bytes[i] >= '0' && bytes.bytes[i] <= '9', "a status");
			h->status = h->status * 10 + (unsigned)(bytes.bytes[i] - '0');
		}
	}
}

/* A stream fills the rest of the connection. */
static void
stream(const struct judge *j, const struct judge_client *c, const struct judge_ask *ask,
    const struct head *h, size_t at)
{
	struct stream *s = calloc(1, sizeof *s);
	const struct slice rest = slice_of(c->bytes + at, c->len - at);

	CHECK(s != NULL, "memory");
	s->j = j;
	s->c = c;
	s->ask = ask;
	s->base = at;
	s->deflates = h->deflates;
	if (h->status == 101) {
		CHECK(ask == NULL || ask->transport == JUDGE_WS || ask->transport == JUDGE_WS_RAW,
		    "a WebSocket that nobody asked for");
		frames(s, rest);
	} else {
		CHECK(
		    ask == NULL || ask->transport == JUDGE_SSE || ask->transport == JUDGE_SSE_JSON,
		    "an event stream that nobody asked for");
		s->json = ask != NULL && ask->transport == JUDGE_SSE_JSON;
		event_stream(s, rest);
	}
	free(s);
}

static void
json_answer(const struct judge *j, const struct judge_client *c, const struct judge_ask *ask,
    struct slice body)
{
	if (begins(body, "{\"events\":[")) {
		CHECK(
		    ask == NULL || ask->transport == JUDGE_POLL || ask->transport == JUDGE_LONGPOLL,
		    "a poll that nobody asked for");
		poll_answer(j, c, ask, body);
	} else {
		json_decref(load(body));
	}
}

/* All were, unless they are long polls that wait for each other longer than the end was waited for. */
static void
check_answered(const struct judge_client *c, uint32_t asked)
{
	unsigned waits = 0;

	for (uint32_t i = 0; i < c->ask_count; i++)
		waits += c->asks[i].transport == JUDGE_LONGPOLL;
	for (; waits <= 2 && asked < c->ask_count; asked++)
		CHECK(c->asks[asked].op, "a request was never answered");
}

void
judge_client(const struct judge *j, const struct judge_client *c)
{
	uint32_t asked = 0;
	size_t at = 0, n;
	struct head h;

	while ((n = read_head(&h, slice_of(c->bytes + at, c->len - at))) != 0) {
		const struct judge_ask *ask = NULL;
		struct slice body;

		at += n;
		if (h.status == 100)
			continue;
		if (!c->strange && h.status != 408) {
			while (asked < c->ask_count && c->asks[asked].op)
				asked++;
			CHECK(asked < c->ask_count, "an answer to nothing");
			ask = &c->asks[asked++];
		}
		if (h.status == 101 ||
		    (begins(h.type, "text/event-stream") && h.status == 200 && !h.has_length)) {
			stream(j, c, ask, &h, at);
			return;
		}
		CHECK(h.has_length || h.status == 204 || h.status == 304, "an answer's length");
		body = slice_of(c->bytes + at, c->len - at < h.length ? c->len - at : h.length);
		if (c->strange && begins(body, "HTTP/1.1 "))
			continue; /* of a HEAD */
		if (body.len < h.length) {
			CHECK(!c->open || c->strange, "an answer was begun and never ended");
			return;
		}
		at += body.len;
		if (begins(h.type, "application/json") && body.len != 0) {
			const struct slice plain = h.gzipped ? inflated(body, true) : body;

			json_answer(j, c, ask, plain);
			if (h.gzipped)
				drop(plain);
		}
	}
	CHECK(at == c->len || !c->open, "half a head");
	if (c->settled && !c->strange && at == c->len)
		check_answered(c, asked);
}
