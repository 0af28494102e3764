/*
 * http.c: HTTP/1.1 to the letter (RFC 9110, RFC 9112), on the public listener and on the publish socket. Rows are in
 * http_*.table; one of them:
 *
 *     row: two lengths
 *     see: RFC 9112 6.3
 *     send: POST /events?channel=NAME HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12
 *     want: 400 bad_request
 *     end: closed
 *
 *     to        public (also when left out), publish (the publish socket), quick (timeouts of a second), gzip (polls may be compressed)
 *     send      bytes; NAME in them is a channel that no other run uses, of four characters
 *     fin       yes: ends our side of the connection
 *     wait      milliseconds before what follows is sent
 *     publish   an event with this text enters the channel NAME
 *     held      yes: waits until a long poll is held on NAME
 *     want      the status of the next answer and, from 400 on, the code of its error; `head` when no body follows what the head says
 *     field     of that answer: `Name: value`, or `Name` that is there with any value
 *     no        a field that is not there
 *     body      exactly this; has: a part of it. What is compressed is unpacked before
 *     end       open: a further request is answered on this connection
 *               closed: it ends behind the answers; a request that lies right behind the row's bytes is not carried out
 *               ends: the same with nothing behind
 *     events    how many are in the channel NAME then; of rows with `end: closed` 0 unless said
 *     alone     why this row cannot stand behind another request
 *     whole     why it cannot be sent byte by byte
 *
 * What follows a `want` is sent when that answer is there. Each row is run as it stands, again in the same segment behind a
 * good request, which is answered first, and again byte by byte; it holds if all do. Of every answer it is also
 * proved that its framing is sound, that it has a Date, that an error is our JSON, and that Connection says what happens.
 */
#define ZLIB_CONST /* zlib does not write into its input, and says so then */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/lib/server.h"
#include "tests/lib/table.h"

#define ROW_MS 20000
#define RUNS_AT_ONCE 128
#define STEPS_MAX 64
#define SEND_BYTES_MAX (128u << 10)
#define IN_BYTES (256u << 10)
#define DRIP_BYTES_MAX 3000 /* what is longer is not sent byte by byte */

static const char *const tables[] = {"tests/conformance/http_heads.table",
    "tests/conformance/http_framing.table", "tests/conformance/http_requests.table",
    "tests/conformance/http_connections.table", "tests/conformance/http_gzip.table"};
#define TABLES (sizeof tables / sizeof tables[0])

static const char *const keys[] = {"to", "send", "fin", "wait", "publish", "held", "want", "field",
    "no", "body", "has", "end", "events", "alone", "whole", NULL};

enum target { TO_PUBLIC, TO_PUBLISH, TO_QUICK, TO_GZIP, TARGETS };
static const char *const target_names[TARGETS] = {"public", "publish", "quick", "gzip"};

enum variant { ALONE, BEHIND, DRIPPED, VARIANTS };
static const char *const variant_names[VARIANTS] = {"alone", "behind another", "byte by byte"};

enum step_kind { STEP_SEND, STEP_FIN, STEP_WAIT, STEP_PUBLISH, STEP_HELD, STEP_WANT, STEP_END };

struct step {
	enum step_kind kind;
	const struct table_line *line;
	char *bytes; /* to be sent */
	size_t len;
	unsigned checks; /* of WANT: lines behind it that say more */
	bool marker;     /* the answer of the good request before, or behind */
};

enum end { END_OPEN, END_CLOSED, END_ENDS };

struct run {
	const struct table_row *row;
	enum variant variant;
	enum target target;
	enum end end;
	int events; /* -1: not asked */
	char name[5];
	struct step steps[STEPS_MAX];
	unsigned count, at;
	int fd;
	char *out, *in;
	size_t out_len, out_sent, in_len;
	bool ended, reset, closing_said;
	uint64_t deadline_ms, pause_ms;
	char fault[512]; /* why it does not hold; empty: it does */
	bool done;
};

struct scene {
	struct tap *t;
	struct server server; /* the one that is up */
	char scratch[SEND_BYTES_MAX];
	char answer[IN_BYTES];
	char plain[IN_BYTES]; /* of a compressed body */
	unsigned named;
};

/* ---- a row as steps ------------------------------------------------------------------------------------ */

__attribute__((format(printf, 2, 3))) static void
fail(struct run *r, const char *format, ...)
{
	va_list args;

	r->done = true;
	if (r->fault[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(r->fault, sizeof r->fault, format, args);
	va_end(args);
}

static struct step *
add_step(struct run *r, enum step_kind kind, const struct table_line *line)
{
	struct step *step = &r->steps[r->count];

	if (r->count == STEPS_MAX) {
		fail(r, "too many lines");
		return &r->steps[0];
	}
	r->count++;
	*step = (struct step){.kind = kind, .line = line};
	return step;
}

/* A SEND step of a value, in which NAME is the run's channel. */
static void
add_send(struct scene *x, struct run *r, const char *value, const struct table_line *line)
{
	const ptrdiff_t len = table_bytes(value, x->scratch, sizeof x->scratch);
	struct step *step;
	char *at;

	if (len < 0) {
		fail(r, "line %u: malformed escapes", line != NULL ? line->number : 0);
		return;
	}
	step = add_step(r, STEP_SEND, line);
	step->bytes = malloc((size_t)len + 1);
	if (step->bytes == NULL) {
		fail(r, "out of memory");
		return;
	}
	memcpy(step->bytes, x->scratch, (size_t)len);
	step->len = (size_t)len;
	while ((at = memmem(step->bytes, step->len, "NAME", 4)) != NULL)
		memcpy(at, r->name, 4);
}

#define GOOD_REQUEST "GET /healthz HTTP/1.1\\r\\nHost: good\\r\\n\\r\\n"
#define TRAP " HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 8\\r\\n\\r\\nsmuggled"

static void
add_marker(struct scene *x, struct run *r)
{
	add_send(x, r, GOOD_REQUEST, NULL);
	add_step(r, STEP_WANT, NULL)->marker = true;
}

static int
index_of(const char *word, const char *const words[], int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(word, words[i]) == 0)
			return i;
	return -1;
}

/* What a line means; those that say more about an answer belong to the `want` before. */
static void
add_line(struct scene *x, struct run *r, const struct table_line *line, bool last_send)
{
	static const struct {
		const char *key;
		enum step_kind kind;
	} kinds[] = {{"fin", STEP_FIN}, {"wait", STEP_WAIT}, {"publish", STEP_PUBLISH},
	    {"held", STEP_HELD}, {"want", STEP_WANT}};

	if (strcmp(line->key, "send") == 0) {
		add_send(x, r, line->value, line);
		if (last_send && r->end == END_CLOSED)
			add_send(x, r,
			    r->target == TO_PUBLISH ? "POST /publish?channel=NAME" TRAP
						    : "POST /events?channel=NAME" TRAP,
			    NULL);
		return;
	}
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strcmp(line->key, kinds[i].key) == 0) {
			add_step(r, kinds[i].kind, line);
			return;
		}
	if (r->count != 0 && r->steps[r->count - 1].kind == STEP_WANT)
		r->steps[r->count - 1].checks++;
	else
		fail(r, "line %u: no answer is wanted yet", line->number);
}

static bool
is_setting(const char *key)
{
	return strcmp(key, "to") == 0 || strcmp(key, "end") == 0 || strcmp(key, "events") == 0 ||
	       strcmp(key, "alone") == 0 || strcmp(key, "whole") == 0;
}

/* Where the last `send` stands, or the number of lines. */
static size_t
last_send(const struct table_row *row)
{
	size_t last = row->count;

	for (size_t i = 0; i < row->count; i++)
		if (strcmp(row->lines[i].key, "send") == 0)
			last = i;
	return last;
}

static size_t
sent_bytes(const struct run *r)
{
	size_t len = 0;

	for (unsigned i = 0; i < r->count; i++)
		len += r->steps[i].len;
	return len;
}

/* A run of a row; NULL: this row is not run so. */
static struct run *
run_new(struct scene *x, const struct table_row *row, enum variant variant)
{
	static const char *const ends[] = {"open", "closed", "ends"};
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	const char *to = table_value(row, "to"), *end = table_value(row, "end"),
		   *events = table_value(row, "events");
	const int target = to == NULL ? TO_PUBLIC : index_of(to, target_names, TARGETS);
	const int ending = end == NULL ? -1 : index_of(end, ends, 3);
	struct run *r = calloc(1, sizeof *r);

	if (r == NULL || (variant == BEHIND && table_value(row, "alone") != NULL) ||
	    (variant == DRIPPED && table_value(row, "whole") != NULL)) {
		free(r);
		return NULL;
	}
	r->row = row;
	r->variant = variant;
	r->fd = -1;
	if (target < 0 || ending < 0) {
		fail(r, "`to` or `end` is missing or unknown");
		return r;
	}
	r->target = (enum target)target;
	r->end = (enum end)ending;
	r->events = events != NULL ? atoi(events) : r->end == END_CLOSED ? 0 : -1;
	for (unsigned i = 0, n = x->named++; i < 3; i++, n /= 36)
		r->name[3 - i] = digits[n % 36];
	r->name[0] = 'c';
	if (variant == BEHIND)
		add_marker(x, r);
	for (size_t i = 0, last = last_send(row); i < row->count; i++)
		if (!is_setting(row->lines[i].key))
			add_line(x, r, &row->lines[i], i == last);
	if (r->end == END_OPEN)
		add_marker(x, r);
	else
		add_step(r, STEP_END, NULL);
	return r;
}

static void
run_free(struct run *r)
{
	for (unsigned i = 0; i < r->count; i++)
		free(r->steps[i].bytes);
	if (r->fd != -1)
		close(r->fd);
	free(r->out);
	free(r->in);
	free(r);
}

/* ---- answers -------------------------------------------------------------------------------------------- */

/* Unpacks a gzip member (RFC 1952) that is the whole body. */
static bool
unpack(struct scene *x, struct text *body)
{
	z_stream z = {.next_in = (const Bytef *)body->bytes,
	    .avail_in = (uInt)body->len,
	    .next_out = (Bytef *)x->plain,
	    .avail_out = sizeof x->plain};
	int result;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return false;
	result = inflate(&z, Z_FINISH);
	*body = (struct text){x->plain, sizeof x->plain - z.avail_out};
	inflateEnd(&z);
	return result == Z_STREAM_END && z.avail_in == 0;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7). */
static bool
is_date(struct text date)
{
	static const char form[] = "Aaa, 00 Aaa 0000 00:00:00 GMT";

	if (date.len != sizeof form - 1)
		return false;
	for (size_t i = 0; i < date.len; i++) {
		const char c = date.bytes[i];
		const bool good = i >= 26          ? c == form[i]
				  : form[i] == '0' ? c >= '0' && c <= '9'
				  : form[i] == 'A' ? c >= 'A' && c <= 'Z'
				  : form[i] == 'a' ? c >= 'a' && c <= 'z'
						   : c == form[i];

		if (!good)
			return false;
	}
	return true;
}

/* What holds of every answer, whatever the row. */
static void
check_always(struct run *r, const struct wire_http *answer)
{
	struct text value;

	if (answer->status < 200)
		return;
	if (!wire_http_field(answer, "Date", &value) || !is_date(value))
		fail(r, "no Date, or none that is well-formed");
	if (r->end == END_OPEN && !answer->keeps)
		fail(r, "an answer says Connection: close");
	if (!answer->keeps)
		r->closing_said = true;
	else if (r->closing_said)
		fail(r, "an answer behind one that said Connection: close");
}

static void
check_error(struct run *r, const struct wire_http *answer, const char *code, bool head)
{
	struct text value;
	char got[64];

	if (!wire_http_field(answer, "Content-Type", &value) ||
	    !wire_equal(value, "application/json"))
		fail(r, "an error that is not application/json");
	if (head)
		return;
	wire_json_string_at(answer->body, "error.code", got, sizeof got);
	if (strcmp(got, code) != 0)
		fail(r, "wanted the error %s, got %.*s", code, (int)answer->body.len,
		    answer->body.bytes);
}

/* "Name: value" or "Name". */
static void
check_field(struct run *r, const struct wire_http *answer, const struct table_line *line)
{
	const char *colon = strstr(line->value, ": ");
	struct text value;
	char name[64];

	snprintf(name, sizeof name, "%.*s",
	    (int)(colon != NULL ? colon - line->value : (ptrdiff_t)strlen(line->value)),
	    line->value);
	if (!wire_http_field(answer, name, &value))
		fail(r, "line %u: %s is missing", line->number, name);
	else if (colon != NULL && !wire_equal(value, colon + 2))
		fail(r, "line %u: %s is %.*s", line->number, name, (int)value.len, value.bytes);
}

static void
check_line(
    struct scene *x, struct run *r, const struct wire_http *answer, const struct table_line *line)
{
	struct text value;
	ptrdiff_t len;

	if (strcmp(line->key, "field") == 0) {
		check_field(r, answer, line);
	} else if (strcmp(line->key, "no") == 0) {
		if (wire_http_field(answer, line->value, &value))
			fail(r, "line %u: %s is there: %.*s", line->number, line->value,
			    (int)value.len, value.bytes);
	} else if (strcmp(line->key, "has") == 0) {
		if (wire_find(answer->body, line->value) == NULL)
			fail(r, "line %u: not in the body: %.*s", line->number,
			    (int)answer->body.len, answer->body.bytes);
	} else {
		len = table_bytes(line->value, x->scratch, sizeof x->scratch);
		if (len < 0 || answer->body.len != (size_t)len ||
		    memcmp(answer->body.bytes, x->scratch, (size_t)len) != 0)
			fail(r, "line %u: the body is %.*s", line->number, (int)answer->body.len,
			    answer->body.bytes);
	}
}

/* The answer that a WANT step is about, and how much of the input it takes. */
static void
check_answer(struct scene *x, struct run *r, const struct step *step,
    const struct wire_http *answer, bool head)
{
	const char *code = step->marker ? "" : strchr(step->line->value, ' ');
	const int status = step->marker ? 200 : atoi(step->line->value);

	if (answer->status != status)
		fail(r, "%s: wanted %d, got %.*s%.*s",
		    step->marker ? "the other request" : "answer", status, (int)answer->head.len,
		    answer->head.bytes, (int)answer->body.len, answer->body.bytes);
	check_always(r, answer);
	if (step->marker) {
		if (!wire_equal(answer->body, "ok\n"))
			fail(r, "the other request was not answered by \"ok\"");
		return;
	}
	if (status >= 400)
		check_error(r, answer, code == NULL ? "" : code + 1, head);
	for (unsigned i = 1; i <= step->checks; i++)
		check_line(x, r, answer, step->line + i);
}

/* Takes the next answer off the input; false: it is not whole yet. */
static bool
take_answer(struct scene *x, struct run *r, const struct step *step)
{
	const bool head = !step->marker && strcmp(step->line->value + 3, " head") == 0;
	const char *end = memmem(r->in, r->in_len, "\r\n\r\n", 4);
	struct wire_http answer;
	struct text coding, taken;
	char status[32];
	ssize_t n;

	if (end != NULL && head) {
		snprintf(status, sizeof status, "%.12s", r->in);
		answer =
		    (struct wire_http){.head = {r->in, (size_t)(end + 2 - r->in)}, .keeps = true};
		answer.status = atoi(status + 9);
		answer.keeps = wire_find(answer.head, "\r\nConnection: close\r\n") == NULL;
		n = end + 4 - r->in;
	} else {
		n = wire_http_parse(r->in, r->in_len, r->ended, &answer);
	}
	if (n == 0 && !r->ended)
		return false;
	if (n <= 0) {
		fail(r, "line %u: no answer, but %.*s", step->line != NULL ? step->line->number : 0,
		    (int)r->in_len, r->in);
		return false;
	}
	taken = answer.body;
	if (!head && wire_http_field(&answer, "Content-Encoding", &coding) &&
	    !unpack(x, &answer.body))
		fail(r, "a body of %zu bytes that cannot be unpacked", taken.len);
	check_answer(x, r, step, &answer, head);
	r->in_len -= (size_t)n;
	memmove(r->in, r->in + n, r->in_len);
	return true;
}

/* ---- running -------------------------------------------------------------------------------------------- */

/* An event from elsewhere, into the run's channel. */
static bool
publish(struct scene *x, const struct run *r, const char *text)
{
	char resource[64];
	struct wire_http answer;

	snprintf(resource, sizeof resource, "/publish?channel=%s", r->name);
	return wire_call(server_private(&x->server), "POST", resource,
		   "Content-Type: text/plain\r\n", wire_text(text), x->answer, sizeof x->answer,
		   &answer) &&
	       answer.status == 200;
}

static bool
is_held(struct scene *x, const struct run *r)
{
	char resource[64];
	struct wire_http answer;

	snprintf(resource, sizeof resource, "/channels/%s", r->name);
	return wire_call(server_private(&x->server), "GET", resource, NULL, (struct text){NULL, 0},
		   x->answer, sizeof x->answer, &answer) &&
	       wire_find(answer.body, "\"longpoll\":1") != NULL;
}

/* How many events are in the run's channel; -1 when that cannot be told. */
static int
count_events(struct scene *x, const struct run *r)
{
	char resource[64];
	struct wire_http answer;
	struct text events;

	snprintf(resource, sizeof resource, "/events?channel=%s&after=0", r->name);
	if (!wire_call(server_public(&x->server), "GET", resource, NULL, (struct text){NULL, 0},
		x->answer, sizeof x->answer, &answer) ||
	    !wire_json_member(answer.body, "events", &events))
		return -1;
	return (int)wire_json_count(events);
}

static bool
run_dial(struct scene *x, struct run *r)
{
	const struct server *s = &x->server;
	const int one = 1;

	r->deadline_ms = wire_now_ms() + ROW_MS;
	r->out = malloc(sent_bytes(r) + 1);
	r->in = malloc(IN_BYTES);
	r->fd =
	    r->target == TO_PUBLISH ? wire_dial_unix(s->socket) : wire_dial(s->port, 0, false, 0);
	if (r->out == NULL || r->in == NULL || r->fd == -1) {
		fail(r, "cannot connect");
		return false;
	}
	if (r->target != TO_PUBLISH)
		(void)setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return true;
}

/* One step further, if it can be; false: it waits. */
static bool
advance(struct scene *x, struct run *r)
{
	struct step *step = &r->steps[r->at];

	switch (step->kind) {
	case STEP_SEND:
		memcpy(r->out + r->out_len, step->bytes, step->len);
		r->out_len += step->len;
		break;
	case STEP_FIN:
		if (r->out_sent != r->out_len)
			return false;
		(void)shutdown(r->fd, SHUT_WR);
		break;
	case STEP_WAIT:
		if (r->out_sent != r->out_len)
			return false;
		if (r->pause_ms == 0)
			r->pause_ms = wire_now_ms() + (unsigned)atoi(step->line->value);
		if (wire_now_ms() < r->pause_ms)
			return false;
		r->pause_ms = 0;
		break;
	case STEP_PUBLISH:
		if (!publish(x, r, step->line->value))
			fail(r, "line %u: cannot publish", step->line->number);
		break;
	case STEP_HELD:
		if (r->out_sent != r->out_len || !is_held(x, r))
			return false;
		break;
	case STEP_WANT:
		if (!take_answer(x, r, step))
			return false;
		break;
	case STEP_END:
		if (!r->ended)
			return false;
		if (r->in_len != 0)
			fail(r, "more than was wanted: %.*s", (int)r->in_len, r->in);
		if (r->end == END_CLOSED && !r->closing_said)
			fail(r, "the last answer does not say Connection: close");
		break;
	}
	r->done = r->done || ++r->at == r->count;
	return !r->done;
}

static void
send_some(struct run *r)
{
	const bool drip = r->variant == DRIPPED && r->out_len <= DRIP_BYTES_MAX;
	const size_t left = r->out_len - r->out_sent;
	const ssize_t n =
	    send(r->fd, r->out + r->out_sent, drip ? 1 : left, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0)
		r->out_sent += (size_t)n;
	else if (n == -1 && errno != EAGAIN)
		r->out_sent =
		    r->out_len; /* it hears no more; what it has said is still to be read */
}

static void
read_some(struct run *r)
{
	const ssize_t n = recv(r->fd, r->in + r->in_len, IN_BYTES - r->in_len, MSG_DONTWAIT);

	if (n > 0)
		r->in_len += (size_t)n;
	else if (n == 0)
		r->ended = true;
	else if (errno != EAGAIN)
		fail(r, "the connection was reset, behind %.*s", (int)r->in_len, r->in);
}

/* A round over the runs that are under way. */
static void
turn(struct scene *x, struct run **runs, size_t count)
{
	struct pollfd polls[RUNS_AT_ONCE];

	for (size_t i = 0; i < count; i++) {
		struct run *r = runs[i];

		while (!r->done && advance(x, r))
			;
		if (!r->done && wire_now_ms() > r->deadline_ms)
			fail(r, "out of time at step %u of %u, with %.*s", r->at + 1, r->count,
			    (int)r->in_len, r->in);
		polls[i] =
		    (struct pollfd){.fd = r->done || r->ended ? -1 : r->fd, .events = POLLIN};
		if (r->out_sent != r->out_len)
			polls[i].events |= POLLOUT;
	}
	if (poll(polls, count, 10) <= 0)
		return;
	for (size_t i = 0; i < count; i++) {
		if ((polls[i].revents & POLLOUT) != 0)
			send_some(runs[i]);
		if ((polls[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
			read_some(runs[i]);
	}
}

static void
finish(struct scene *x, struct run *r)
{
	const int events = r->fault[0] == '\0' && r->events >= 0 ? count_events(x, r) : r->events;

	if (events != r->events)
		fail(r, "%d events in the channel, not %d", events, r->events);
	if (r->fault[0] != '\0')
		tap_note("%s (%s): %s", r->row->name, variant_names[r->variant], r->fault);
	close(r->fd);
	r->fd = -1;
}

/* All runs, so many at once. */
static void
run_all(struct scene *x, struct run **runs, size_t count)
{
	struct run *under_way[RUNS_AT_ONCE];
	size_t next = 0, busy = 0;

	while (next < count || busy != 0) {
		while (next < count && busy < RUNS_AT_ONCE) {
			struct run *r = runs[next++];

			if (!r->done && run_dial(x, r))
				under_way[busy++] = r;
			else
				tap_note("%s: %s", r->row->name, r->fault);
		}
		turn(x, under_way, busy);
		for (size_t i = 0; i < busy;) {
			if (!under_way[i]->done) {
				i++;
				continue;
			}
			finish(x, under_way[i]);
			under_way[i] = under_way[--busy];
		}
	}
}

/* ---- tables --------------------------------------------------------------------------------------------- */

struct book {
	struct table tables[TABLES];
	struct run **runs;
	size_t count;
	const char *only; /* part of a name: only such rows are run; NULL: all */
};

static bool
is_wanted(const struct book *book, const struct table_row *row)
{
	return book->only == NULL || strstr(row->name, book->only) != NULL;
}

static void
read_book(struct scene *x, struct book *book)
{
	size_t rows = 0;

	for (size_t i = 0; i < TABLES; i++)
		if (table_read(&book->tables[i], x->t, tables[i], keys))
			rows += book->tables[i].count;
	book->runs = calloc(rows * VARIANTS + 1, sizeof *book->runs);
	if (!tap_check(x->t, book->runs != NULL, "%zu rows", rows))
		return;
	for (size_t i = 0; i < TABLES; i++)
		for (size_t k = 0; k < book->tables[i].count; k++) {
			const struct table_row *row = &book->tables[i].rows[k];

			for (int v = 0; v < VARIANTS && is_wanted(book, row); v++) {
				struct run *r = run_new(x, row, (enum variant)v);

				if (r != NULL)
					book->runs[book->count++] = r;
			}
		}
}

/* A row holds when all its runs do, and there is one. */
static void
judge(struct scene *x, const struct book *book, const struct table_row *row)
{
	unsigned held = 0, failed = 0;

	for (size_t i = 0; i < book->count; i++)
		if (book->runs[i]->row == row) {
			const bool good = book->runs[i]->done && book->runs[i]->fault[0] == '\0';

			held += good;
			failed += !good;
		}
	table_check(x->t, row, held != 0 && failed == 0);
}

static void
judge_book(struct scene *x, struct book *book)
{
	for (size_t i = 0; i < TABLES; i++) {
		for (size_t k = 0; k < book->tables[i].count; k++)
			if (is_wanted(book, &book->tables[i].rows[k]))
				judge(x, book, &book->tables[i].rows[k]);
	}
	for (size_t i = 0; i < book->count; i++)
		run_free(book->runs[i]);
	free(book->runs);
	for (size_t i = 0; i < TABLES; i++)
		table_free(&book->tables[i]);
}

#define OPEN_TO_ALL "\"channels\":[{\"match\":\"*\",\"publish\":\"anyone\"}]"

/* A server's configuration, and whose rows it serves. */
static const struct {
	const char *members;
	unsigned targets; /* bits */
} servers[] = {
    {OPEN_TO_ALL ",\"max_event_bytes\":4096,\"max_publish_bytes\":65536",
	1u << TO_PUBLIC | 1u << TO_PUBLISH},
    {OPEN_TO_ALL ",\"header_timeout_s\":1,\"body_timeout_s\":1,\"idle_timeout_s\":1",
	1u << TO_QUICK},
    {OPEN_TO_ALL ",\"compression\":{\"poll\":true}", 1u << TO_GZIP},
};

static void
serve(struct scene *x, const struct book *book, size_t which)
{
	struct run **chosen = calloc(book->count + 1, sizeof *chosen);
	size_t count = 0;

	for (size_t i = 0; chosen != NULL && i < book->count; i++)
		if ((servers[which].targets & 1u << book->runs[i]->target) != 0)
			chosen[count++] = book->runs[i];
	if (count != 0) {
		if (tap_check(x->t,
			server_start(&x->server, &(struct server_options){.workers = 1,
						     .members = servers[which].members}),
			"a server is up"))
			run_all(x, chosen, count);
		server_stop(x->t, &x->server, NULL);
	}
	free(chosen);
}

int
main(int argc, char **argv)
{
	static struct scene x;
	static struct book book;
	struct tap t = tap_start(55);

	x.t = &t;
	book.only = argc > 1 ? argv[1] : NULL;
	read_book(&x, &book);
	for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++)
		serve(&x, &book, i);
	judge_book(&x, &book);
	return tap_finish(&t);
}
