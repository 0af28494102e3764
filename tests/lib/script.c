/*
 * script.c: see script.h for the words.
 */
#include "tests/lib/script.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "tests/lib/frame_spec.h"
#include "tests/lib/publisher.h"

#define STEP_MS 8000
#define END_MS 1500 /* a server that lingers before its FIN takes 2 s */
#define OUT_BYTES (4u << 20)
#define PIECES_MAX 1500 /* of one write */
#define MARKER "this is the end of the row"

static uint64_t
deadline(void)
{
	return wire_now_ms() + STEP_MS;
}

__attribute__((format(printf, 2, 3))) static bool
fail(struct script *s, const char *format, ...)
{
	va_list args;

	if (s->why[0] != '\0')
		return false;
	va_start(args, format);
	vsnprintf(s->why, sizeof s->why, format, args);
	va_end(args);
	return false;
}

/* The fault of the connection, if it has one, is the better reason. */
static bool
fail_peer(struct script *s, const char *what)
{
	return fail(s, "%s: %s", what,
	    s->peer.fault != NULL ? s->peer.fault
	    : s->peer.ended       ? "the stream has ended"
				  : "nothing came in time");
}

/* ---- the handshake ------------------------------------------------------------------------------ */

static bool
field_is(const char *field, const char *name, size_t len)
{
	return strncasecmp(field, name, len) == 0 && field[len] == ':';
}

static void
drop_field(struct script *s, const char *name, size_t len)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < s->field_count; i++)
		if (!field_is(s->fields[i], name, len))
			memmove(s->fields[kept++], s->fields[i], SCRIPT_VALUE_BYTES);
	s->field_count = kept;
}

static bool
add_field(struct script *s, const char *field)
{
	if (s->field_count == SCRIPT_FIELDS_MAX || strchr(field, ':') == NULL)
		return fail(s, "not a field: %s", field);
	snprintf(s->fields[s->field_count++], SCRIPT_VALUE_BYTES, "%s", field);
	return true;
}

static bool
set_field(struct script *s, const char *field)
{
	drop_field(s, field, strcspn(field, ":"));
	if (field_is(field, "Sec-WebSocket-Key", 17))
		s->own_key = true;
	return add_field(s, field);
}

static void
good_request(struct script *s)
{
	static const char *const fields[] = {"Host: localhost", "Upgrade: websocket",
	    "Connection: Upgrade", "Sec-WebSocket-Version: 13", ("Sec-WebSocket-Key: " WIRE_WS_KEY),
	    "Sec-WebSocket-Protocol: ringcast.raw"};

	snprintf(s->method, sizeof s->method, "GET");
	snprintf(s->version, sizeof s->version, "HTTP/1.1");
	snprintf(s->target, sizeof s->target, "/events?channel=%s", s->channel);
	s->body[0] = '\0';
	s->field_count = 0;
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		add_field(s, fields[i]);
	s->raw = true;
}

/* Appends text with its escapes. */
static bool
put(struct script *s, const char *text)
{
	const ptrdiff_t n = table_bytes(text, s->out + s->out_len, OUT_BYTES - s->out_len);

	if (n < 0)
		return fail(s, "malformed: %s", text);
	s->out_len += (size_t)n;
	return true;
}

static bool
put_request(struct script *s)
{
	bool good = put(s, s->method) && put(s, "\\s") && put(s, s->target) && put(s, "\\s") &&
		    put(s, s->version) && put(s, "\\r\\n");

	for (unsigned i = 0; i < s->field_count; i++)
		good = good && put(s, s->fields[i]) && put(s, "\\r\\n");
	return good && put(s, "\\r\\n") && put(s, s->body);
}

/* Writes what was gathered, in the pieces of this delivery. */
static bool
flush(struct script *s, bool handshake)
{
	size_t len = s->out_len, piece = len;
	const char *bytes = s->out;

	s->out_len = 0;
	if (len == 0)
		return true;
	if (s->delivery == SCRIPT_BYTES)
		piece = len / PIECES_MAX + 1;
	if (!handshake && s->cuttable == 0)
		s->cuttable = len;
	else
		handshake = true;
	if (s->delivery == SCRIPT_CUT && !handshake && s->cut < len) {
		if (!peer_write(&s->peer, bytes, s->cut, s->cut, false, deadline()))
			return fail_peer(s, "a write");
		bytes += s->cut;
		len -= s->cut;
	}
	return peer_write(&s->peer, bytes, len, piece, s->window != 0, deadline()) ||
	       fail_peer(s, "a write");
}

/* Reads the answer to the handshake, whatever it says. */
static bool
take_answer(struct script *s)
{
	struct peer *p = &s->peer;
	ssize_t n = 0;

	if (s->answered)
		return true;
	if (!flush(s, true))
		return false;
	for (;;) {
		n = p->in_len == p->parsed ? 0
					   : wire_http_parse(p->in + p->parsed,
						 p->in_len - p->parsed, p->ended, &s->answer);
		if (n != 0)
			break;
		if (p->ended || (!peer_read(p, deadline()) && !p->ended))
			return fail_peer(s, "no answer to the handshake");
	}
	if (n < 0)
		return fail(s, "not an HTTP answer");
	s->answered = true;
	if (s->answer.status == 101)
		peer_upgrade(p, (size_t)n);
	else
		p->parsed += (size_t)n;
	return true;
}

static bool
answer_has(struct script *s, const char *name, const char *value)
{
	struct text found;

	return wire_http_field(&s->answer, name, &found) && wire_equal(found, value);
}

/* What every 101 must hold (RFC 6455 4.2.2). */
static bool
check_upgrade(struct script *s)
{
	if (s->answer.status != 101)
		return fail(s, "status %d, not 101", s->answer.status);
	if (!answer_has(s, "Upgrade", "websocket") || !answer_has(s, "Connection", "Upgrade") ||
	    (!s->own_key && !answer_has(s, "Sec-WebSocket-Accept", WIRE_WS_ACCEPT)))
		return fail(s, "a 101 without its fields");
	return true;
}

static bool
connect_peer(struct script *s)
{
	if (s->opened)
		return true;
	s->opened = true;
	if (!peer_open(&s->peer, s->server->port, s->source, s->window))
		return fail(s, "cannot connect");
	return put_request(s);
}

/* The handshake is done, and well. */
static bool
upgrade(struct script *s)
{
	if (!connect_peer(s))
		return false;
	if (s->answered)
		return s->answer.status == 101 || fail(s, "no WebSocket to go on with");
	return take_answer(s) && check_upgrade(s);
}

/* ---- steps: before and around the handshake ------------------------------------------------------- */

static bool
step_open(struct script *s, const char *value)
{
	s->raw = strcmp(value, "v1") != 0;
	if (!s->raw)
		drop_field(s, "Sec-WebSocket-Protocol", 22);
	return true;
}

static bool
step_method(struct script *s, const char *value)
{
	snprintf(s->method, sizeof s->method, "%s", value);
	return true;
}

static bool
step_version(struct script *s, const char *value)
{
	snprintf(s->version, sizeof s->version, "%s", value);
	return true;
}

static bool
step_target(struct script *s, const char *value)
{
	snprintf(s->target, sizeof s->target, "%s", value);
	return true;
}

static bool
step_body(struct script *s, const char *value)
{
	snprintf(s->body, sizeof s->body, "%s", value);
	return true;
}

static bool
step_drop(struct script *s, const char *value)
{
	drop_field(s, value, strlen(value));
	return true;
}

static bool
step_window(struct script *s, const char *value)
{
	s->window = atoi(value);
	return true;
}

static bool
step_status(struct script *s, const char *value)
{
	if (!connect_peer(s) || !take_answer(s))
		return false;
	return s->answer.status == atoi(value) ||
	       fail(s, "status %d, not %s: %.*s", s->answer.status, value, (int)s->answer.body.len,
		   s->answer.body.bytes);
}

static bool
step_answer(struct script *s, const char *value)
{
	const char *colon = strchr(value, ':');
	char name[128];

	if (!connect_peer(s) || !take_answer(s) || colon == NULL)
		return fail(s, "no answer");
	snprintf(name, sizeof name, "%.*s", (int)(colon - value), value);
	return answer_has(s, name, colon + 2) || fail(s, "the answer has not %s", value);
}

static bool
step_lacks(struct script *s, const char *value)
{
	struct text found;

	if (!connect_peer(s) || !take_answer(s))
		return false;
	return !wire_http_field(&s->answer, value, &found) ||
	       fail(s, "the answer has %s: %.*s", value, (int)found.len, found.bytes);
}

static bool
step_code(struct script *s, const char *value)
{
	char word[64];

	if (!connect_peer(s) || !take_answer(s))
		return false;
	wire_json_string_at(s->answer.body, "error.code", word, sizeof word);
	return strcmp(word, value) == 0 || fail(s, "the error's code is %s", word);
}

static bool
step_again(struct script *s, const char *value)
{
	(void)value;
	if (!s->answer.keeps)
		return fail(s, "the connection was not kept");
	good_request(s);
	s->answered = s->own_key = false;
	return put_request(s) && take_answer(s) && check_upgrade(s);
}

/* `COUNT SIZE`: publishes so many events, which tell their number. */
static bool
publish_burst(struct script *s, const char *value)
{
	char *size_text;
	const unsigned long count = strtoul(value, &size_text, 10);
	const size_t size = strtoul(size_text, NULL, 10);
	char *body = malloc(size + 128);
	bool good = body != NULL;

	for (unsigned long i = 0; good && i < count; i++) {
		const int head = sprintf(body, "{\"channel\":\"%s\",\"data\":\"", s->channel);
		const int number = sprintf(body + head, "%08lu", i);

		memset(body + head + number, 'x', size - (size_t)number);
		memcpy(body + head + size, "\"}", 2);
		good = publisher_post(s->server->socket,
			   (struct text){body, (size_t)head + size + 2}, NULL) != 0;
	}
	free(body);
	return good || fail(s, "could not publish");
}

static bool
step_burst(struct script *s, const char *value)
{
	return upgrade(s) && publish_burst(s, value);
}

static bool
step_publish(struct script *s, const char *value)
{
	return upgrade(s) && (publisher_post(s->server->socket, wire_text(value), NULL) != 0 ||
				 fail(s, "could not publish"));
}

/* ---- steps: frames -------------------------------------------------------------------------------- */

static bool
step_send(struct script *s, const char *value)
{
	const struct table_row *row = s->row;
	ptrdiff_t n;

	if (!connect_peer(s) || (s->delivery != SCRIPT_JOINED && !upgrade(s)))
		return false;
	n = frame_spec_render(value, s->out + s->out_len, OUT_BYTES - s->out_len);
	if (n < 0)
		return fail(s, "not a frame: %s", value);
	s->out_len += (size_t)n;
	/* The next line's bytes go with it. */
	if (s->line + 1 < row->count && strcmp(row->lines[s->line + 1].key, "send") == 0)
		return true;
	return flush(s, false) && upgrade(s);
}

/* Whether a JSON value is as wanted: "*" is any. */
static bool
value_matches(struct text want, struct text have)
{
	return wire_equal(want, "\"*\"") ||
	       (want.len == have.len && memcmp(want.bytes, have.bytes, want.len) == 0);
}

static bool
json_matches(struct text want, struct text have)
{
	struct text key, value, found;
	size_t offset = 0;
	char name[64];

	while (wire_json_next(want, &offset, &key, &value)) {
		const bool none = wire_equal(value, "\"(none)\"");

		snprintf(name, sizeof name, "%.*s", (int)key.len, key.bytes);
		if (wire_json_member(have, name, &found) ? none || !value_matches(value, found)
							 : !none)
			return false;
	}
	return wire_json_valid(have);
}

/* A beat, or the end of a replay: both may come at any time. */
static bool
is_live(const struct script *s, const struct peer *p, const struct peer_frame *frame)
{
	char op[16];

	if (s->raw || frame->opcode != 1)
		return false;
	wire_json_string_at(peer_payload(p, frame), "op", op, sizeof op);
	return strcmp(op, "live") == 0;
}

/* The next message; a `live` is passed over unless it is wanted. */
static const struct peer_frame *
next_message(struct script *s, struct peer *p, bool live)
{
	const struct peer_frame *frame;

	do {
		frame = peer_next(p, &p->messages, deadline());
	} while (frame != NULL && !live && is_live(s, p, frame));
	return frame;
}

/* What follows the word and its space. */
static const char *
behind(const char *value, const char *word)
{
	const size_t len = strlen(word);

	if (strncmp(value, word, len) != 0 || (value[len] != ' ' && value[len] != '\0'))
		return NULL;
	return value[len] == ' ' ? value + len + 1 : value + len;
}

static bool
message_is(struct script *s, const struct peer *p, const struct peer_frame *frame, const char *want)
{
	const struct text have = peer_payload(p, frame);
	const char *text = behind(want, "text");
	const char *payload = text != NULL ? text : behind(want, "binary");
	char *bytes;
	ptrdiff_t n;
	bool same;

	if (*want == '{')
		return frame->opcode == 1 && json_matches(wire_text(want), have);
	if (payload == NULL || (bytes = malloc(OUT_BYTES)) == NULL)
		return fail(s, "not a message: %s", want);
	n = table_bytes(payload, bytes, OUT_BYTES);
	same = frame->opcode == (text != NULL ? 1 : 2) && n >= 0 && (size_t)n == have.len &&
	       memcmp(bytes, have.bytes, have.len) == 0;
	free(bytes);
	return same;
}

static bool
want_message(struct script *s, struct peer *p, const char *want)
{
	const struct peer_frame *frame = next_message(s, p, strstr(want, "\"live\"") != NULL);
	struct text have;

	if (frame == NULL)
		return fail_peer(s, want);
	have = peer_payload(p, frame);
	return message_is(s, p, frame, want) ||
	       fail(s, "not %.60s: opcode %u, %zu bytes: %.*s", want, frame->opcode, have.len,
		   (int)(have.len > 120 ? 120 : have.len), have.bytes);
}

/* The next two messages, in either order. */
static bool
want_both(struct script *s, const char *one, const char *other)
{
	const struct peer_frame *frame;
	struct peer_frame first, second;

	if ((frame = next_message(s, &s->peer, false)) == NULL)
		return fail_peer(s, one);
	first = *frame;
	if ((frame = next_message(s, &s->peer, false)) == NULL)
		return fail_peer(s, other);
	second = *frame;
	return (message_is(s, &s->peer, &first, one) && message_is(s, &s->peer, &second, other)) ||
	       (message_is(s, &s->peer, &second, one) && message_is(s, &s->peer, &first, other)) ||
	       fail(s, "not these two: %.*s %.*s", (int)first.len, s->peer.in + first.at,
		   (int)second.len, s->peer.in + second.at);
}

static bool
want_control(struct script *s, uint8_t opcode, const char *bytes, size_t len)
{
	struct peer *p = &s->peer;
	const struct peer_frame *frame = peer_next(p, &p->controls, deadline());

	if (frame == NULL)
		return fail_peer(s, opcode == 9 ? "no ping" : "no pong");
	return (frame->opcode == opcode && frame->len == len &&
		   memcmp(p->in + frame->at, bytes, len) == 0) ||
	       fail(s, "not the control frame: opcode %u, %zu bytes: %.*s", frame->opcode,
		   frame->len, (int)frame->len, p->in + frame->at);
}

static bool
want_pong(struct script *s, const char *payload)
{
	char bytes[256];
	const ptrdiff_t n = table_bytes(payload, bytes, sizeof bytes);

	return n >= 0 && want_control(s, 10, bytes, (size_t)n);
}

static bool
want_pongs(struct script *s, const char *count)
{
	for (unsigned long i = 0; i < strtoul(count, NULL, 10); i++) {
		char text[24];

		if (!want_control(s, 10, text, (size_t)sprintf(text, "%lu", i)))
			return false;
	}
	return true;
}

static bool
want_burst(struct script *s, const char *value)
{
	char *size_text;
	const unsigned long count = strtoul(value, &size_text, 10);
	const size_t size = strtoul(size_text, NULL, 10);

	for (unsigned long i = 0; i < count; i++) {
		const struct peer_frame *frame = next_message(s, &s->peer, false);
		char number[24];

		if (frame == NULL)
			return fail_peer(s, "an event of the burst");
		sprintf(number, "%08lu", i);
		if (frame->len != size || memcmp(s->peer.in + frame->at, number, 8) != 0)
			return fail(s, "not event %lu of the burst: %zu bytes: %.8s", i, frame->len,
			    s->peer.in + frame->at);
	}
	return true;
}

/* The payload that a close frame is to have: `1000 reason`; only the code: any reason. */
static bool
close_is(const char *want, struct text have)
{
	char *reason;
	const unsigned long code = strtoul(want, &reason, 10);

	if (reason == want)
		return have.len == 0;
	if (have.len < 2 ||
	    code != (unsigned)((unsigned char)have.bytes[0] << 8 | (unsigned char)have.bytes[1]))
		return false;
	return *reason == '\0' ||
	       wire_equal((struct text){have.bytes + 2, have.len - 2}, reason + 1);
}

/* Nothing that was not wanted may have come before the end. */
static bool
nothing_left(struct script *s)
{
	struct peer *p = &s->peer;

	while (p->messages.taken != p->messages.count &&
	       is_live(s, p, &p->messages.frames[p->messages.taken]))
		p->messages.taken++;
	if (p->messages.taken != p->messages.count)
		return fail(s, "a message too many: %.*s",
		    (int)p->messages.frames[p->messages.taken].len,
		    p->in + p->messages.frames[p->messages.taken].at);
	if (p->controls.taken != p->controls.count)
		return fail(s, "a control frame too many: opcode %u",
		    p->controls.frames[p->controls.taken].opcode);
	return true;
}

static bool
want_end(struct script *s)
{
	if (!peer_end(&s->peer, deadline()))
		return fail_peer(s, "no end of the stream");
	s->gone = true;
	return true;
}

static bool
want_closed(struct script *s, const char *value)
{
	struct peer *p = &s->peer;
	const struct peer_frame *frame = peer_next(p, &p->controls, deadline());

	if (frame == NULL)
		return fail_peer(s, "no close frame");
	if (frame->opcode != 8 || !close_is(value, peer_payload(p, frame)))
		return fail(s, "not the close frame: opcode %u, code %u %.*s", frame->opcode,
		    frame->len < 2 ? 0
				   : (unsigned)((unsigned char)p->in[frame->at] << 8 |
						(unsigned char)p->in[frame->at + 1]),
		    frame->len < 2 ? 0 : (int)frame->len - 2, p->in + frame->at + 2);
	if (!want_end(s))
		return false;
	return p->end_ms - p->close_ms < END_MS ||
	       fail(s, "the stream ended %u ms behind the close frame",
		   (unsigned)(p->end_ms - p->close_ms));
}

static bool
step_want(struct script *s, const char *value)
{
	static const struct {
		const char *word;
		bool (*want)(struct script *s, const char *rest);
	} wants[] = {{"pong", want_pong}, {"pongs", want_pongs}, {"burst", want_burst},
	    {"closed", want_closed}};
	const struct table_row *row = s->row;

	if (!upgrade(s))
		return false;
	for (size_t i = 0; i < sizeof wants / sizeof wants[0]; i++)
		if (behind(value, wants[i].word) != NULL)
			return wants[i].want(s, behind(value, wants[i].word));
	if (behind(value, "ended") != NULL)
		return want_end(s);
	if (behind(value, "ping") != NULL)
		return want_control(s, 9, "", 0);
	/* With an `also` behind it both are done there. */
	if (s->line + 1 < row->count && strcmp(row->lines[s->line + 1].key, "also") == 0)
		return true;
	return want_message(s, &s->peer, value);
}

/* The value of a line with its @ replaced. */
static bool
expand(struct script *s, const char *value, char *to, size_t cap)
{
	size_t len = 0;

	for (; *value != '\0'; value++) {
		const char *piece = *value == '@' ? s->channel : value;
		const size_t n = *value == '@' ? strlen(s->channel) : 1;

		if (len + n >= cap)
			return fail(s, "a value too long");
		memcpy(to + len, piece, n);
		len += n;
	}
	to[len] = '\0';
	return true;
}

static bool
step_also(struct script *s, const char *value)
{
	char before[1024];

	return expand(s, s->row->lines[s->line - 1].value, before, sizeof before) &&
	       want_both(s, before, value);
}

/* What was read and is still there may be this. */
static bool
step_may(struct script *s, const char *value)
{
	struct peer_queue *q = &s->peer.messages;
	const char *burst = behind(value, "burst");
	const size_t size = burst == NULL ? 0 : strtoul(strchr(burst, ' '), NULL, 10);

	if (burst == NULL && q->taken < q->count)
		q->taken += message_is(s, &s->peer, &q->frames[q->taken], value);
	while (burst != NULL && q->taken < q->count && q->frames[q->taken].len == size)
		q->taken++;
	return true;
}

static bool
step_witness(struct script *s, const char *value)
{
	struct script other = *s;
	bool good;

	(void)value;
	good_request(&other);
	other.peer = (struct peer){.fd = -1};
	other.opened = other.answered = other.own_key = false;
	other.delivery = SCRIPT_WRITES;
	good = upgrade(&other);
	s->witness = other.peer;
	return good || fail(s, "the witness: %s", other.why);
}

static bool
step_hears(struct script *s, const char *value)
{
	return want_message(s, &s->witness, value);
}

static bool
step_half_close(struct script *s, const char *value)
{
	(void)value;
	return upgrade(s) && (shutdown(s->peer.fd, SHUT_WR) == 0 || fail(s, "cannot be shut down"));
}

static bool
step_abort(struct script *s, const char *value)
{
	const struct linger reset = {1, 0};

	(void)value;
	if (!upgrade(s))
		return false;
	setsockopt(s->peer.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	peer_close(&s->peer);
	s->gone = true;
	return true;
}

/* ---- a row ---------------------------------------------------------------------------------------- */

static const struct {
	const char *key;
	bool (*step)(struct script *s, const char *value);
} steps[] = {{"open", step_open}, {"method", step_method}, {"version", step_version},
    {"target", step_target}, {"body", step_body}, {"set", set_field}, {"add", add_field},
    {"drop", step_drop}, {"before", publish_burst}, {"window", step_window},
    {"status", step_status}, {"answer", step_answer}, {"lacks", step_lacks}, {"code", step_code},
    {"again", step_again}, {"burst", step_burst}, {"publish", step_publish}, {"send", step_send},
    {"want", step_want}, {"also", step_also}, {"may", step_may}, {"witness", step_witness},
    {"hears", step_hears}, {"half-close", step_half_close}, {"abort", step_abort}};
#define STEPS (sizeof steps / sizeof steps[0])

/* Whether the rest is as it should be: a connection that goes on has nothing more to say than its answer to the marker. */
static bool
finish(struct script *s)
{
	if (!s->opened || s->gone || s->answer.status != 101)
		return nothing_left(s);
	if (s->raw)
		return step_send(s, "text " MARKER) && want_message(s, &s->peer, "text " MARKER) &&
		       nothing_left(s);
	return step_send(s, "text {\"op\":\"ping\",\"ref\":\"" MARKER "\"}") &&
	       want_message(s, &s->peer, "{\"op\":\"pong\",\"ref\":\"" MARKER "\"}") &&
	       nothing_left(s);
}

static bool
do_line(struct script *s)
{
	const struct table_line *line = &s->row->lines[s->line];

	if (!expand(s, line->value, s->value, sizeof s->value))
		return false;
	for (size_t i = 0; i < STEPS; i++)
		if (strcmp(steps[i].key, line->key) == 0)
			return steps[i].step(s, s->value) ||
			       fail(s, "line %u: %s", line->number, line->key);
	return false;
}

bool
script_run(struct script *s, const struct table_row *row, enum script_delivery delivery, size_t cut)
{
	bool good = true;

	s->why[0] = '\0';
	s->row = row;
	s->delivery = delivery;
	s->cut = cut;
	s->cuttable = s->out_len = 0;
	s->opened = s->answered = s->own_key = s->gone = false;
	s->window = 0;
	s->answer = (struct wire_http){0};
	s->peer = s->witness = (struct peer){.fd = -1};
	snprintf(s->channel, sizeof s->channel, "row.%u.%u", s->source, s->runs++);
	good_request(s);
	for (s->line = 0; good && s->line < row->count; s->line++)
		good = do_line(s);
	good = good && finish(s);
	peer_close(&s->peer);
	peer_close(&s->witness);
	return good;
}

bool
script_can_join(const struct table_row *row)
{
	for (size_t i = 0; i < row->count; i++)
		if (strcmp(row->lines[i].key, "send") == 0)
			return true;
		else if (strcmp(row->lines[i].key, "open") != 0)
			return false;
	return false;
}

void
script_keys(const char *keys[static SCRIPT_KEYS_MAX])
{
	static_assert(STEPS < SCRIPT_KEYS_MAX, "room for all, and NULL");
	for (size_t i = 0; i < STEPS; i++)
		keys[i] = steps[i].key;
	keys[STEPS] = NULL;
}

struct script *
script_new(const struct server *server, unsigned source)
{
	struct script *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->server = server;
	s->source = source;
	s->out = malloc(OUT_BYTES);
	if (s->out == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

void
script_free(struct script *s)
{
	if (s != NULL)
		free(s->out);
	free(s);
}
