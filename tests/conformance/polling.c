/*
 * polling.c: polls and cursors against the real server, row by row of polling*.table. A row is a script of these lines:
 *
 *     on       small: a server whose ring is 64 KiB, one row at a time; own: one for this row alone; else the one that rows share
 *     event    CHANNELS DATA: publishes; events are numbered from 1 (many: only the first of them)
 *     envelope one as it stands;   many  CHANNEL COUNT BYTES: numbers, or strings that long;   delete  CHANNEL;   lap  (small) twice
 *     client   the connection that is meant from here on (0 at first)
 *     field    a header field of the next request;   ask  QUERY: asks and reads the answer;   hold  QUERY: asks, and waits until it waits
 *     crowd    COUNT QUERY: so many hold;   each  DATA: and all of them are answered with this
 *     send     bytes;   read  answer, head (of one without a body);   fin  ends our side;   drop  closes;   held  COUNT: waits until so many wait on {c}
 *     reload   members of the configuration;   term  the server is told to leave
 *
 * and of the last answer
 *
 *     status, error (its code), data (of all events), channels, types, next (an event's number; >N: that or behind it), more, gaps (a pattern), count, bytes (at
 *     most), has, lacks, head, nohead, sooner (than so many ms after it was asked for), later, ends (the connection, behind it)
 *
 * In values {c} to {h} are channels of the row's own, {N} the id of event N, {N.} the same without its zeros, {Nms} its time, {Nms+1},
 * {Ns} in seconds, {next} the last answer's. Rows that share a server run side by side, in processes.
 */
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/publisher.h"
#include "tests/lib/server.h"
#include "tests/lib/table.h"

#define WAIT_MS 6000
#define CLIENTS 80
#define IDS 64
#define BYTES (3u << 20)
#define SIDE_BY_SIDE 8
#define WHY_BYTES 300
#define NO_BODY ((struct text){NULL, 0})

struct peer {
	int fd; /* 0: none yet */
	char *in;
	size_t len;   /* received */
	size_t taken; /* of them, of the last answer */
};

struct play {
	struct server *s;
	unsigned number; /* of the row */
	uint64_t ids[IDS];
	unsigned id_count;
	struct peer peers[CLIENTS];
	struct peer *peer;
	unsigned crowd;
	char fields[1024];
	uint64_t asked_ms, answered_ms;
	struct wire_http answer;
	uint64_t next;
	char text[65536]; /* of the value at hand */
	char why[WHY_BYTES];
};

static bool __attribute__((format(printf, 2, 3))) wrong(struct play *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->why, sizeof p->why, format, args);
	va_end(args);
	return false;
}

/* ---- values ------------------------------------------------------------------------------------ */

/* What stands between braces. False: nothing that is known. */
static bool
expand_one(struct play *p, const char *name, size_t len, char *to, size_t cap)
{
	char id[20] = "", *end;
	uint64_t n;

	if (len == 1 && *name >= 'c' && *name <= 'h') {
		snprintf(to, cap, "%c%u", *name, p->number);
		return true;
	}
	if (len == 4 && memcmp(name, "next", 4) == 0) {
		wire_id_text(p->next, id);
		snprintf(to, cap, "%.20s", id);
		return true;
	}
	n = strtoul(name, &end, 10);
	if (end == name || n == 0 || n > p->id_count)
		return false;
	n = p->ids[n - 1];
	len -= (size_t)(end - name);
	if (len == 0) {
		wire_id_text(n, id);
		snprintf(to, cap, "%.20s", id);
	} else if (len == 1 && *end == '.') {
		snprintf(to, cap, "%llu-%llu", (unsigned long long)(n >> 16),
		    (unsigned long long)(n & 0xffff));
	} else if (memcmp(end, "ms", 2) == 0) {
		snprintf(to, cap, "%llu",
		    (unsigned long long)(n >> 16) + (len > 2 ? strtoul(end + 3, NULL, 10) : 0));
	} else {
		snprintf(to, cap, "%llu", (unsigned long long)(n >> 16) / 1000);
	}
	return true;
}

/* The value with its braces filled in, and unescaped; its length, -1 when it is malformed. */
static ptrdiff_t
expand(struct play *p, const char *value)
{
	char filled[16384];
	size_t len = 0;

	while (*value != '\0' && len + 64 < sizeof filled) {
		const char *close = strchr(value, '}');

		if (*value == '\\' && value[1] == '{') { /* a repetition of the table's own */
			filled[len++] = *value++;
			filled[len++] = *value++;
			continue;
		}
		if (*value == '{' && close != NULL &&
		    expand_one(p, value + 1, (size_t)(close - value) - 1, filled + len,
			sizeof filled - len)) {
			len += strlen(filled + len);
			value = close + 1;
		} else {
			filled[len++] = *value++;
		}
	}
	filled[len] = '\0';
	const ptrdiff_t n = *value == '\0' ? table_bytes(filled, p->text, sizeof p->text - 1) : -1;

	if (n >= 0)
		p->text[n] = '\0';
	return n;
}

/* Cuts the first word off a value that was expanded. */
static char *
word(char **rest)
{
	char *first = *rest, *space = strchr(first, ' ');

	*rest = space == NULL ? first + strlen(first) : space + 1;
	if (space != NULL)
		*space = '\0';
	return first;
}

/* ---- publishing -------------------------------------------------------------------------------- */

static bool
note_id(struct play *p, uint64_t id)
{
	if (id == 0 || p->id_count == IDS)
		return wrong(p, "not published");
	p->ids[p->id_count++] = id;
	return true;
}

static bool
do_event(struct play *p)
{
	char *data = p->text, *names = word(&data), *name, body[8192];
	size_t len = (size_t)snprintf(body, sizeof body, "{\"channel\":[");

	for (unsigned i = 0; (name = strsep(&names, ",")) != NULL; i++)
		len += (size_t)snprintf(
		    body + len, sizeof body - len, "%s\"%s\"", i == 0 ? "" : ",", name);
	snprintf(body + len, sizeof body - len, "],\"data\":%s}", data);
	return note_id(p, publisher_post(p->s->socket, wire_text(body), NULL));
}

static bool
do_envelope(struct play *p)
{
	return note_id(p, publisher_post(p->s->socket, wire_text(p->text), NULL));
}

/* Arrays of up to 500 events, or as much as one request may be. */
static bool
publish_many(struct play *p, const char *channel, unsigned count, unsigned bytes)
{
	const unsigned most = bytes < 1000 ? 500 : 8;
	char *body = malloc(most * (size_t)(bytes + 128) + 16);
	bool first = true, done = body != NULL;

	for (unsigned n = 0; done && n < count;) {
		size_t len = 0;
		uint64_t id;

		for (unsigned i = 0; i < most && n < count; i++, n++) {
			len += (size_t)sprintf(body + len,
			    "%c{\"channel\":\"%s\",\"data\":", i == 0 ? '[' : ',', channel);
			if (bytes == 0)
				len += (size_t)sprintf(body + len, "%u}", n + 1);
			else
				len += (size_t)sprintf(body + len, "\"%0*u\"}", (int)bytes, n + 1);
		}
		body[len++] = ']';
		id = publisher_post(p->s->socket, (struct text){body, len}, NULL);
		done = first ? note_id(p, id) : id != 0;
		first = false;
	}
	free(body);
	return done || wrong(p, "not published");
}

static bool
do_many(struct play *p)
{
	char *rest = p->text, *channel = word(&rest), *count = word(&rest);

	return publish_many(p, channel, (unsigned)atoi(count), (unsigned)atoi(rest));
}

static bool
do_lap(struct play *p)
{
	return publish_many(p, "filler", 160, 1000);
}

static bool
do_delete(struct play *p)
{
	char resource[256], answer[2048];
	struct wire_http a;

	snprintf(resource, sizeof resource, "/channels/%.200s", p->text);
	return (wire_call(server_private(p->s), "DELETE", resource, NULL, NO_BODY, answer,
		    sizeof answer, &a) &&
		   a.status < 300) ||
	       wrong(p, "the channel was not deleted");
}

/* ---- asking ------------------------------------------------------------------------------------ */

static bool
dial(struct play *p)
{
	if (p->peer->fd > 0)
		return true;
	p->peer->fd = wire_dial(p->s->port, (unsigned)(p->peer - p->peers), false, 0);
	if (p->peer->in == NULL)
		p->peer->in = malloc(BYTES);
	p->peer->len = p->peer->taken = 0;
	return (p->peer->fd > 0 && p->peer->in != NULL) || wrong(p, "no connection");
}

static bool
send_text(struct play *p, const char *bytes, size_t len)
{
	p->asked_ms = wire_now_ms();
	return (dial(p) && wire_send(p->peer->fd, bytes, len, p->asked_ms + WAIT_MS)) ||
	       wrong(p, "cannot send");
}

static bool
request(struct play *p, const char *query)
{
	char bytes[20000];
	const int n = snprintf(bytes, sizeof bytes,
	    "GET /events?%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", query, p->fields);

	p->fields[0] = '\0';
	return send_text(p, bytes, (size_t)n);
}

/* The length of the answer that is there; 0: more is to come. */
static ssize_t
whole_answer(struct play *p, struct peer *c, bool head)
{
	const char *end;

	if (!head)
		return wire_http_parse(c->in, c->len, false, &p->answer);
	end = memmem(c->in, c->len, "\r\n\r\n", 4);
	p->answer = (struct wire_http){0};
	if (end == NULL)
		return 0;
	p->answer.status = atoi(c->in + 9);
	p->answer.head = (struct text){c->in, (size_t)(end + 4 - c->in)};
	return end + 4 - c->in;
}

static bool
read_answer(struct play *p, bool head)
{
	struct peer *c = p->peer;
	const uint64_t deadline = wire_now_ms() + WAIT_MS;
	ssize_t n;

	if (!dial(p))
		return false;
	memmove(c->in, c->in + c->taken, c->len - c->taken);
	c->len -= c->taken;
	c->taken = 0;
	while ((n = whole_answer(p, c, head)) == 0) {
		n = wire_read(c->fd, c->in + c->len, BYTES - c->len, deadline);
		if (n <= 0)
			return wrong(p, n == 0 ? "the connection ended" : "no answer");
		c->len += (size_t)n;
	}
	if (n < 0)
		return wrong(p, "not HTTP");
	c->taken = (size_t)n;
	p->answered_ms = wire_now_ms();
	if (p->answer.status == 200 && p->answer.body.len != 0) {
		if (!wire_json_valid(p->answer.body))
			return wrong(p, "not JSON");
		p->next = wire_json_id_at(p->answer.body, "next");
	}
	return true;
}

/* Waits until so many long polls are on the row's channel {c}. */
static bool
await_held(struct play *p, unsigned count)
{
	char resource[64], answer[2048];
	struct text held;
	struct wire_http a;

	snprintf(resource, sizeof resource, "/channels/c%u", p->number);
	for (const uint64_t end = wire_now_ms() + WAIT_MS; wire_now_ms() < end;) {
		if (!wire_call(server_private(p->s), "GET", resource, NULL, NO_BODY, answer,
			sizeof answer, &a))
			continue;
		if (!wire_json_path(a.body, "subscribers.longpoll", &held))
			held = wire_text("0");
		if (wire_json_number(held, 0) == count)
			return true;
	}
	return wrong(p, "not %u long polls, but %.*s", count, (int)held.len, held.bytes);
}

static bool
do_client(struct play *p)
{
	p->peer = &p->peers[atoi(p->text) % CLIENTS];
	return true;
}

static bool
do_field(struct play *p)
{
	const size_t len = strlen(p->fields);

	snprintf(p->fields + len, sizeof p->fields - len, "%s\r\n", p->text);
	return true;
}

static bool
do_ask(struct play *p)
{
	return request(p, p->text) && read_answer(p, false);
}

static bool
do_hold(struct play *p)
{
	return request(p, p->text) && await_held(p, 1);
}

static bool
do_crowd(struct play *p)
{
	char *query = p->text;

	p->crowd = (unsigned)atoi(word(&query));
	for (unsigned i = 0; i < p->crowd && i < CLIENTS; i++) {
		p->peer = &p->peers[i];
		if (!request(p, query))
			return false;
	}
	return await_held(p, p->crowd);
}

static bool
do_send(struct play *p, size_t len)
{
	return send_text(p, p->text, len);
}

static bool
do_read(struct play *p)
{
	return read_answer(p, strcmp(p->text, "head") == 0);
}

static bool
do_fin(struct play *p)
{
	return shutdown(p->peer->fd, SHUT_WR) == 0 || wrong(p, "cannot end our side");
}

static bool
do_drop(struct play *p)
{
	close(p->peer->fd);
	p->peer->fd = 0;
	return true;
}

static bool
do_held(struct play *p)
{
	return await_held(p, (unsigned)atoi(p->text));
}

static bool
do_reload(struct play *p)
{
	server_configure(p->s, p->text);
	kill(p->s->pid, SIGHUP);
	return true;
}

static bool
do_term(struct play *p)
{
	kill(p->s->pid, SIGTERM);
	return true;
}

/* ---- judging ----------------------------------------------------------------------------------- */

/* One member of all events, with spaces between. */
static void
members(const struct play *p, const char *key, char *story, size_t cap)
{
	struct text events = {"", 0}, event, value;
	size_t offset = 0, len = 0;

	story[0] = '\0';
	wire_json_member(p->answer.body, "events", &events);
	while (wire_json_step(events, &offset, &event) && len + 2 < cap) {
		if (!wire_json_member(event, key, &value))
			value = wire_text("(none)");
		len += (size_t)snprintf(story + len, cap - len, "%s%.*s", len == 0 ? "" : " ",
		    (int)value.len, value.bytes);
	}
}

static bool
same(struct play *p, const char *key, const char *got)
{
	return strcmp(p->text, got) == 0 || wrong(p, "%s is %.200s, not %s", key, got, p->text);
}

static bool
see_data(struct play *p)
{
	char story[4096];

	members(p, "data", story, sizeof story);
	return same(p, "data", story);
}

static bool
see_each(struct play *p)
{
	for (unsigned i = 0; i < p->crowd; i++) {
		p->peer = &p->peers[i];
		if (!read_answer(p, false) || !see_data(p))
			return false;
	}
	return true;
}

/* Strings without their quotes. */
static bool
see_strings(struct play *p, const char *key)
{
	char story[2048], *to = story;

	members(p, key, story, sizeof story);
	for (const char *at = story; *at != '\0'; at++)
		if (*at != '"')
			*to++ = *at;
	*to = '\0';
	return same(p, key, story);
}

static bool
see_channels(struct play *p)
{
	return see_strings(p, "channel");
}

static bool
see_types(struct play *p)
{
	return see_strings(p, "type");
}

static bool
see_status(struct play *p)
{
	return p->answer.status == atoi(p->text) || wrong(p, "status %d", p->answer.status);
}

static bool
see_error(struct play *p)
{
	char code[64];

	return same(
	    p, "code", wire_json_string_at(p->answer.body, "error.code", code, sizeof code));
}

/* ">N": event N or behind it. */
static bool
see_next(struct play *p)
{
	const bool beyond = *p->text == '>';
	const unsigned n = (unsigned)atoi(p->text + beyond);
	const uint64_t id = n == 0 || n > p->id_count ? 0 : p->ids[n - 1];
	char text[20];

	if (beyond ? p->next >= id : p->next == id)
		return true;
	wire_id_text(p->next, text);
	return wrong(p, "next is %.20s", text);
}

static bool
see_more(struct play *p)
{
	struct text more = {"(none)", 6};
	char text[16];

	wire_json_member(p->answer.body, "more", &more);
	snprintf(text, sizeof text, "%.*s", (int)more.len, more.bytes);
	return same(p, "more", text);
}

static bool
see_gaps(struct play *p)
{
	struct text gaps = {"", 0}, gap;
	char story[4096] = "", channel[300], after[32], at[32];
	size_t offset = 0, len = 0;

	if (!wire_json_member(p->answer.body, "gaps", &gaps))
		return wrong(p, "no gaps in the answer");
	while (wire_json_step(gaps, &offset, &gap) && len + 400 < sizeof story) {
		wire_json_string_at(gap, "channel", channel, sizeof channel);
		wire_json_string_at(gap, "after", after, sizeof after);
		wire_json_string_at(gap, "at", at, sizeof at);
		len += (size_t)snprintf(story + len, sizeof story - len, "%s%s after=%s at=%s",
		    len == 0 ? "" : ", ", channel, after, at);
	}
	return fnmatch(strcmp(p->text, "none") == 0 ? "" : p->text, story, 0) == 0 ||
	       wrong(p, "gaps: %.250s", story);
}

static bool
see_count(struct play *p)
{
	struct text events = {"[]", 2};

	wire_json_member(p->answer.body, "events", &events);
	return wire_json_count(events) == (size_t)atoi(p->text) ||
	       wrong(p, "%zu events", wire_json_count(events));
}

static bool
see_bytes(struct play *p)
{
	return p->answer.body.len <= (size_t)atoi(p->text) ||
	       wrong(p, "%zu bytes", p->answer.body.len);
}

static bool
see_has(struct play *p)
{
	return wire_find(p->answer.body, p->text) != NULL ||
	       wrong(p, "not in %.*s", (int)(p->answer.body.len > 200 ? 200 : p->answer.body.len),
		   p->answer.body.bytes);
}

static bool
see_lacks(struct play *p)
{
	return wire_find(p->answer.body, p->text) == NULL || wrong(p, "it is there");
}

static bool
see_head(struct play *p)
{
	return wire_find(p->answer.head, p->text) != NULL ||
	       wrong(p, "not in %.*s", (int)p->answer.head.len, p->answer.head.bytes);
}

static bool
see_nohead(struct play *p)
{
	struct text value;

	return !wire_http_field(&p->answer, p->text, &value) || wrong(p, "the field is there");
}

static bool
see_sooner(struct play *p)
{
	const unsigned ms = (unsigned)(p->answered_ms - p->asked_ms);

	return ms < (unsigned)atoi(p->text) || wrong(p, "after %u ms", ms);
}

static bool
see_later(struct play *p)
{
	const unsigned ms = (unsigned)(p->answered_ms - p->asked_ms);

	return ms >= (unsigned)atoi(p->text) || wrong(p, "after %u ms", ms);
}

static bool
see_ends(struct play *p)
{
	struct peer *c = p->peer;

	if (c->len != c->taken)
		return wrong(p, "there is more behind the answer");
	return wire_read(c->fd, c->in, 1, wire_now_ms() + WAIT_MS) == 0 ||
	       wrong(p, "the connection goes on");
}

static const struct {
	const char *key;
	bool (*run)(struct play *p);
} steps[] = {
    {"event", do_event},
    {"envelope", do_envelope},
    {"many", do_many},
    {"lap", do_lap},
    {"delete", do_delete},
    {"client", do_client},
    {"field", do_field},
    {"ask", do_ask},
    {"hold", do_hold},
    {"crowd", do_crowd},
    {"read", do_read},
    {"fin", do_fin},
    {"drop", do_drop},
    {"held", do_held},
    {"reload", do_reload},
    {"term", do_term},
    {"data", see_data},
    {"each", see_each},
    {"channels", see_channels},
    {"types", see_types},
    {"status", see_status},
    {"error", see_error},
    {"next", see_next},
    {"more", see_more},
    {"gaps", see_gaps},
    {"count", see_count},
    {"bytes", see_bytes},
    {"has", see_has},
    {"lacks", see_lacks},
    {"head", see_head},
    {"nohead", see_nohead},
    {"sooner", see_sooner},
    {"later", see_later},
    {"ends", see_ends},
};

static bool
step(struct play *p, const struct table_line *line)
{
	const ptrdiff_t len = expand(p, line->value);

	if (strcmp(line->key, "on") == 0)
		return true;
	if (len < 0)
		return wrong(p, "cannot be read");
	if (strcmp(line->key, "send") == 0)
		return do_send(p, (size_t)len);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
		if (strcmp(line->key, steps[i].key) == 0)
			return steps[i].run(p);
	return wrong(p, "unknown");
}

/* ---- rows -------------------------------------------------------------------------------------- */

/* Plays a row; what went wrong goes to `why`, "" when nothing did. */
static void
play(const struct table_row *row, unsigned number, struct server *s, char *why)
{
	struct play *p = calloc(1, sizeof *p);

	if (p == NULL)
		_exit(3);
	p->s = s;
	p->number = number;
	p->peer = p->peers;
	why[0] = '\0';
	for (size_t i = 0; i < row->count; i++)
		if (!step(p, &row->lines[i])) {
			snprintf(why, WHY_BYTES, "line %u, %s: %.200s", row->lines[i].number,
			    row->lines[i].key, p->why);
			break;
		}
	for (unsigned i = 0; i < CLIENTS; i++) {
		if (p->peers[i].fd > 0)
			close(p->peers[i].fd);
		free(p->peers[i].in);
	}
	free(p);
}

enum where { SHARED, SMALL, OWN };

static enum where
where(const struct table_row *row)
{
	const char *on = table_value(row, "on");

	return on == NULL ? SHARED : strcmp(on, "small") == 0 ? SMALL : OWN;
}

static void
report(struct tap *t, const struct table_row *row, const char *why)
{
	if (!table_check(t, row, why[0] == '\0'))
		tap_note("%s", why);
}

#define COMMON                                                                 \
	"\"max_wait_s\": 2, \"max_channels_per_connection\": 40, "             \
	"\"origins\": [\"http://page.example\"], "                             \
	"\"channels\": [{\"match\": \"closed*\", \"subscribe\": \"nobody\"}, " \
	"{\"match\": \"token*\", \"subscribe\": \"token\"}, {\"match\": \"*\"}], "
#define MEMBERS COMMON "\"max_event_bytes\": \"2MiB\""
#define SMALL_MEMBERS COMMON "\"max_event_bytes\": 8192"

#define FILES 3

static const char *const files[FILES] = {"tests/conformance/polling.table",
    "tests/conformance/polling_answer.table", "tests/conformance/polling_hold.table"};

/* Those that share a server, in several processes. */
static void
play_shared(struct tap *t, const struct table *table, unsigned first, struct server *s)
{
	char(*why)[WHY_BYTES] = mmap(NULL, table->count * WHY_BYTES, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[SIDE_BY_SIDE];

	if (why == MAP_FAILED) {
		tap_check(t, false, "no memory");
		return;
	}
	for (size_t i = 0; i < table->count; i++)
		snprintf(why[i], WHY_BYTES, "was not played");
	for (unsigned i = 0; i < SIDE_BY_SIDE; i++) {
		pids[i] = fork();
		if (pids[i] != 0)
			continue;
		for (size_t j = i; j < table->count; j += SIDE_BY_SIDE)
			if (where(&table->rows[j]) == SHARED)
				play(&table->rows[j], first + (unsigned)j, s, why[j]);
		_exit(0);
	}
	for (unsigned i = 0; i < SIDE_BY_SIDE; i++)
		waitpid(pids[i], NULL, 0);
	for (size_t i = 0; i < table->count; i++)
		if (where(&table->rows[i]) == SHARED)
			report(t, &table->rows[i], why[i]);
	munmap(why, table->count * WHY_BYTES);
}

static void
play_small(struct tap *t, const struct table *table, unsigned first, struct server *s)
{
	char why[WHY_BYTES];

	for (size_t i = 0; i < table->count; i++)
		if (where(&table->rows[i]) == SMALL) {
			play(&table->rows[i], first + (unsigned)i, s, why);
			report(t, &table->rows[i], why);
		}
}

static void
play_own(struct tap *t, const struct table *table, unsigned first)
{
	const struct server_options options = {.members = MEMBERS};
	char why[WHY_BYTES];
	struct server s;

	for (size_t i = 0; i < table->count; i++) {
		const struct table_row *row = &table->rows[i];

		if (where(row) != OWN)
			continue;
		if (!server_start(&s, &options)) {
			report(t, row, "the server does not boot");
			continue;
		}
		play(row, first + (unsigned)i, &s, why);
		report(t, row, why);
		server_stop(t, &s, NULL);
	}
}

int
main(void)
{
	const char *keys[sizeof steps / sizeof steps[0] + 3] = {"on", "send"};
	const struct server_options options = {.members = MEMBERS};
	const struct server_options small_options = {
	    .workers = 1, .ring_bytes = "65536", .members = SMALL_MEMBERS};
	struct table tables[FILES];
	struct tap t = tap_start(120);
	struct server s;

	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
		keys[i + 2] = steps[i].key;
	for (unsigned i = 0; i < FILES; i++)
		table_read(&tables[i], &t, files[i], keys);
	if (tap_check(&t, server_start(&s, &options), "the server boots")) {
		for (unsigned i = 0; i < FILES; i++)
			play_shared(&t, &tables[i], 1000 * i, &s);
		server_stop(&t, &s, NULL);
	}
	if (tap_check(&t, server_start(&s, &small_options), "so does one whose ring is small")) {
		for (unsigned i = 0; i < FILES; i++)
			play_small(&t, &tables[i], 1000 * i, &s);
		server_stop(&t, &s, NULL);
	}
	for (unsigned i = 0; i < FILES; i++) {
		play_own(&t, &tables[i], 1000 * i);
		table_free(&tables[i]);
	}
	return tap_finish(&t);
}
