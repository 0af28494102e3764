/*
 * deflate.c: permessage-deflate (RFC 7692) as rows: what is offered and answered, compressed messages in, compressed
 * messages out. What the server sends is inflated by zlib itself, each message with a window of its own.
 *
 * Keys of a row, beside `row` and `see`; connections are opened at the first line that needs one:
 *
 *     server: NAME        which of the servers below; `plain` where none is named
 *     offer: TEXT         a Sec-WebSocket-Extensions field; may repeat
 *     field: TEXT         any other field of the handshake
 *     query: TEXT         of the handshake, behind the row's channel
 *     speak: raw          bare data (the subprotocol ringcast.raw); where not said, v1, and its welcome is read
 *     answer: TEXT        what the handshake selects, its parameters in any order; `none`
 *     status: N           of a handshake that is refused
 *     pack: MODE | TEXT   makes the compressed message for the lines behind it; MODE is one of squash.h, or `context`:
 *                         the next one of a compressor that goes on; `context9`: the same with a window of 2^9
 *     frame: WORDS | TEXT what we send: an opcode (text, binary, cont, ping, pong, close, or a number), and more (no FIN),
 *                         rsv1, rsv2, rsv3, head (all but the payload)
 *     each: WORDS         sends the packed message, each byte a frame
 *     publish: TEXT       publishes text to the row's channel, at the publish socket
 *     get: WORDS | TEXT   the next message: its opcode; packed or plain (said by RSV1); its payload after inflating. event:
 *                         an event whose data is this string; op: a control object with this op; error: one with this code; close: a
 *                         close frame with this code, and then the end
 *     another: yes        keeps this connection, and opens one more
 *     windows: N          waits until N KiB are taken of the pool of windows
 *     grows: N            the workers may have grown by N KiB since the row began
 *
 * A TEXT may be: bytes with escapes (table.h); =packed, or =packed FROM TO, of what was packed; =noise N, letters that cannot
 * be compressed by much; =binary N, bytes that cannot be at all; =repeat N TEXT.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "tests/lib/server.h"
#include "tests/lib/squash.h"
#include "tests/lib/table.h"
#include "tests/lib/wire.h"

#define STEP_MS 8000
#define BYTES_MAX (4u << 20)
#define OTHERS_MAX 4
#define KIB(n) ((size_t)(n) << 10)

static const struct {
	const char *name;
	const char *members;
} kinds[] = {
    {"plain", "\"compression\": {\"min_bytes\": 64}"},
    {"off", "\"compression\": false"},
    {"small", "\"max_event_bytes\": \"1KiB\""},
    {"large", "\"max_event_bytes\": \"1MiB\""},
    /* Two windows of 2^15 fit, or many smaller ones. */
    {"keeps", "\"compression\": {\"min_bytes\": 64, \"takeover_bytes\": \"100KiB\"}"},
    {"poor", "\"compression\": {\"takeover_bytes\": \"12KiB\"}"},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

struct conn {
	int fd;
	size_t len, taken;
	char *in;
};

struct run {
	struct server *server;
	const struct table_row *row;
	unsigned serial; /* of the row: names its channel */
	struct conn conn, others[OTHERS_MAX];
	size_t other_count;
	bool open;
	bool raw;
	z_stream context;
	bool has_context;
	char answer[512]; /* the extensions selected; "none" */
	int status;
	long grown_kib;
	size_t packed_len, text_len;
	unsigned char *packed;
	char *text;    /* the TEXT of the line in hand */
	char *plain;   /* what the server said, inflated */
	char *frame;   /* what we send */
	char why[256]; /* what did not hold */
};

static bool
fail(struct run *r, const char *what, const char *detail)
{
	snprintf(r->why, sizeof r->why, "%s: %.200s", what, detail);
	return false;
}

/* ---- texts ------------------------------------------------------------------------------------ */

/* Cuts "word word | text" at the bar. */
static const char *
split(const char *value, char *words, size_t cap)
{
	const char *bar = strstr(value, " | ");
	const size_t len = bar == NULL ? strlen(value) : (size_t)(bar - value);

	snprintf(words, cap, "%.*s", (int)len, value);
	return bar == NULL ? "" : bar + 3;
}

static bool
has_word(const char *words, const char *word)
{
	const size_t len = strlen(word);

	for (const char *at = words; (at = strstr(at, word)) != NULL; at += len)
		if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

static void
make_noise(struct run *r, size_t len, bool letters)
{
	uint64_t state = 88172645463325252u;

	for (size_t i = 0; i < len; i++) {
		const uint32_t random = wire_random(&state);

		r->text[i] = (char)(letters ? '0' + random % 75 : random & 0xff);
		if (letters && r->text[i] == '\\')
			r->text[i] = '-';
	}
	r->text_len = len;
}

/* A TEXT to r->text. */
static bool
read_text(struct run *r, const char *value)
{
	char *rest;
	size_t n;

	if (value[0] != '=') {
		const ptrdiff_t len = table_bytes(value, r->text, BYTES_MAX);

		r->text_len = len < 0 ? 0 : (size_t)len;
		return len >= 0 || fail(r, "no text", value);
	}
	if (strncmp(value, "=packed", 7) == 0) {
		size_t from = strtoul(value + 7, &rest, 10), to = strtoul(rest, &rest, 10);

		if (to == 0 || to > r->packed_len)
			to = r->packed_len;
		if (from > to)
			from = to;
		r->text_len = to - from;
		memcpy(r->text, r->packed + from, r->text_len);
		return true;
	}
	n = strtoul(strchr(value, ' ') == NULL ? value : strchr(value, ' '), &rest, 10);
	if (n == 0 || n > BYTES_MAX)
		return fail(r, "no text", value);
	if (strncmp(value, "=repeat ", 8) == 0) {
		const size_t len = strlen(rest) - 1; /* behind a space */

		for (size_t i = 0; i < n * len; i++)
			r->text[i] = rest[1 + i % len];
		r->text_len = n * len;
		return true;
	}
	if (strncmp(value, "=noise ", 7) != 0 && strncmp(value, "=binary ", 8) != 0)
		return fail(r, "no text", value);
	make_noise(r, n, value[1] == 'n');
	return true;
}

/* ---- what we send ----------------------------------------------------------------------------- */

static bool
send_bytes(struct run *r, const void *bytes, size_t len)
{
	/* What a server that has closed does not take is no fault of the row. */
	wire_send(r->conn.fd, bytes, len, wire_now_ms() + STEP_MS);
	return true;
}

static uint8_t
opcode_of(const char *words)
{
	static const struct {
		const char *name;
		uint8_t opcode;
	} opcodes[] = {
	    {"cont", 0}, {"text", 1}, {"binary", 2}, {"close", 8}, {"ping", 9}, {"pong", 10}};

	for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++)
		if (has_word(words, opcodes[i].name))
			return opcodes[i].opcode;
	return (uint8_t)strtoul(words, NULL, 10);
}

static bool
send_frame(struct run *r, const char *words, const char *bytes, size_t len, bool final)
{
	size_t n = wire_ws_frame(r->frame, opcode_of(words), final, bytes, len);

	r->frame[0] =
	    (char)((unsigned char)r->frame[0] | (has_word(words, "rsv1") ? 0x40 : 0) |
		   (has_word(words, "rsv2") ? 0x20 : 0) | (has_word(words, "rsv3") ? 0x10 : 0));
	if (has_word(words, "head"))
		n -= len;
	return send_bytes(r, r->frame, n);
}

static bool
do_frame(struct run *r, const char *value)
{
	char words[64];
	const char *text = split(value, words, sizeof words);

	return read_text(r, text) &&
	       send_frame(r, words, r->text, r->text_len, !has_word(words, "more"));
}

static bool
do_each(struct run *r, const char *words)
{
	for (size_t i = 0; i < r->packed_len; i++)
		send_frame(r, i == 0 ? words : "cont", (const char *)r->packed + i, 1,
		    i + 1 == r->packed_len);
	return true;
}

static bool
do_pack(struct run *r, const char *value)
{
	static const char *const modes[] = {"deflate", "stored", "fixed", "huffman", "rle",
	    "blocks", "full", "final", "final-bare", NULL};
	char word[32];
	const char *text = split(value, word, sizeof word);
	int mode = 0;

	if (strcmp(word, "bomb") == 0) {
		r->packed_len =
		    squash_bomb((unsigned)strtoul(text, NULL, 10), r->packed, BYTES_MAX);
		return true;
	}
	if (!read_text(r, text))
		return false;
	if (strncmp(word, "context", 7) == 0) {
		if (!r->has_context)
			squash_open(&r->context, SQUASH_DEFLATE, word[7] == '9' ? 9 : 15);
		r->has_context = true;
		r->packed_len = squash_next(
		    &r->context, SQUASH_DEFLATE, r->text, r->text_len, r->packed, BYTES_MAX);
		return true;
	}
	while (modes[mode] != NULL && strcmp(modes[mode], word) != 0)
		mode++;
	if (modes[mode] == NULL)
		return fail(r, "no way to pack", word);
	r->packed_len = squash((enum squash_mode)mode, r->text, r->text_len, r->packed, BYTES_MAX);
	return true;
}

static bool
publish(struct run *r, const char *value)
{
	char target[128], answer[1024];
	struct wire_http http;

	if (!read_text(r, value))
		return false;
	snprintf(target, sizeof target, "/publish?channel=r%u", r->serial);
	return (wire_call(server_private(r->server), "POST", target, "Content-Type: text/plain\r\n",
		    (struct text){r->text, r->text_len}, answer, sizeof answer, &http) &&
		   http.status == 200) ||
	       fail(r, "not published", value);
}

/* ---- what the server says --------------------------------------------------------------------- */

struct message {
	unsigned opcode;
	bool packed;
	const char *payload;
	size_t len;
};

/* More of the stream; false at its end. */
static bool
read_more(struct conn *c)
{
	ssize_t n;

	memmove(c->in, c->in + c->taken, c->len - c->taken);
	c->len -= c->taken;
	c->taken = 0;
	n = wire_read(c->fd, c->in + c->len, BYTES_MAX - c->len, wire_now_ms() + STEP_MS);
	if (n > 0)
		c->len += (size_t)n;
	return n > 0;
}

/* The next frame, which must be a whole, unmasked one in its shortest form. */
static bool
next_message(struct run *r, struct message *m)
{
	struct conn *c = &r->conn;

	for (;;) {
		const unsigned char *at = (const unsigned char *)c->in + c->taken;
		const size_t left = c->len - c->taken;
		const size_t width = left < 2 || at[1] < 126 ? 0 : at[1] == 126 ? 2 : 8;
		size_t len = left < 2 ? 0 : at[1];

		if (left >= 2 + width && left >= 2) {
			if (width != 0)
				len = 0;
			for (size_t i = 0; i < width; i++)
				len = len << 8 | at[2 + i];
			if ((at[0] & 0xb0) != 0x80 || (at[1] & 0x80) != 0 ||
			    (width == 2 && len < 126) || (width == 8 && len < 65536))
				return fail(r, "a malformed frame", "");
			if (left >= 2 + width + len) {
				*m = (struct message){at[0] & 15u, (at[0] & 0x40) != 0,
				    c->in + c->taken + 2 + width, len};
				c->taken += 2 + width + len;
				return true;
			}
		}
		if (!read_more(c))
			return fail(r, "the stream ended", "");
	}
}

/* The next message other than a `live`, inflated if it is compressed. */
static bool
next_said(struct run *r, struct message *m)
{
	do {
		if (!next_message(r, m))
			return false;
		if (m->packed && m->opcode != 1 && m->opcode != 2)
			return fail(r, "RSV1 on a control frame", "");
		if (m->packed) {
			const ssize_t n = unsquash(m->payload, m->len, r->plain, BYTES_MAX);

			if (n < 0 || (size_t)n <= m->len)
				return fail(r, "compressed badly", "");
			m->payload = r->plain;
			m->len = (size_t)n;
		}
	} while (m->opcode == 1 && m->len > 12 && memcmp(m->payload, "{\"op\":\"live\"", 12) == 0);
	return true;
}

/* The string at a member of the message. */
static bool
member_is(const struct message *m, const char *member, const char *text, size_t len)
{
	char *found = malloc(BYTES_MAX);
	struct text value;
	bool same;

	same = found != NULL &&
	       wire_json_member((struct text){m->payload, m->len}, member, &value) &&
	       wire_json_text(value, found, BYTES_MAX) == (ssize_t)len &&
	       memcmp(found, text, len) == 0;
	free(found);
	return same;
}

static bool
ends(struct run *r)
{
	return !read_more(&r->conn) || fail(r, "goes on after its close", "");
}

static bool
do_get(struct run *r, const char *value)
{
	char words[64];
	const char *text = split(value, words, sizeof words);
	struct message m;

	if (!read_text(r, text) || !next_said(r, &m))
		return false;
	if (has_word(words, "packed") && !m.packed)
		return fail(r, "is not compressed", value);
	if (!has_word(words, "packed") && m.packed)
		return fail(r, "is compressed", value);
	if (has_word(words, "close"))
		return ((m.opcode == 8 && m.len >= 2 &&
			    ((unsigned char)m.payload[0] << 8 | (unsigned char)m.payload[1]) ==
				atoi(text)) ||
			   fail(r, "no such close",
			       m.opcode == 8 && m.len > 2 ? m.payload + 2 : "")) &&
		       ends(r);
	if (has_word(words, "event"))
		return (m.opcode == 1 && member_is(&m, "data", r->text, r->text_len)) ||
		       fail(r, "another event", m.len < 200 ? m.payload : "");
	if (has_word(words, "op"))
		return (m.opcode == 1 && member_is(&m, "op", r->text, r->text_len)) ||
		       fail(r, "another op", value);
	if (has_word(words, "error"))
		return (m.opcode == 1 && member_is(&m, "code", r->text, r->text_len)) ||
		       fail(r, "another error", value);
	return (m.opcode == opcode_of(words) && m.len == r->text_len &&
		   memcmp(m.payload, r->text, m.len) == 0) ||
	       fail(r, "another message", value);
}

/* ---- the handshake ---------------------------------------------------------------------------- */

static void
add_fields(struct run *r, char *head, size_t cap)
{
	for (size_t i = 0; i < r->row->count; i++) {
		const struct table_line *line = &r->row->lines[i];
		char value[1024] = {0};

		if (strcmp(line->key, "offer") == 0 &&
		    table_bytes(line->value, value, sizeof value - 1) >= 0)
			snprintf(head + strlen(head), cap - strlen(head),
			    "Sec-WebSocket-Extensions: %s\r\n", value);
		else if (strcmp(line->key, "field") == 0)
			snprintf(head + strlen(head), cap - strlen(head), "%s\r\n", line->value);
	}
}

static void
note_answer(struct run *r, const struct wire_http *http)
{
	struct text value;

	r->status = http->status;
	snprintf(r->answer, sizeof r->answer, "none");
	if (wire_http_field(http, "Sec-WebSocket-Extensions", &value))
		snprintf(r->answer, sizeof r->answer, "%.*s", (int)value.len, value.bytes);
}

/* Connects and reads the head of the answer; what is behind it stays in the buffer. */
static bool
open_conn(struct run *r)
{
	const char *query = table_value(r->row, "query");
	struct conn *c = &r->conn;
	struct wire_http http;
	char head[4096];
	ssize_t n = 0;

	r->open = true;
	c->len = c->taken = 0;
	c->fd = wire_dial(r->server->port, 0, false, 0);
	r->raw = table_value(r->row, "speak") != NULL;
	if (c->fd == -1)
		return fail(r, "cannot connect", "");
	snprintf(head, sizeof head,
	    "GET /events?channel=r%u%s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " WIRE_WS_KEY
	    "\r\n%s",
	    r->serial, query == NULL ? "" : query,
	    r->raw ? "Sec-WebSocket-Protocol: ringcast.raw\r\n" : "");
	add_fields(r, head, sizeof head - 3);
	strcat(head, "\r\n");
	send_bytes(r, head, strlen(head));
	while (n == 0) {
		if (!read_more(c))
			return fail(r, "no answer", "");
		n = wire_http_parse(c->in, c->len, false, &http);
	}
	if (n < 0)
		return fail(r, "no HTTP", "");
	note_answer(r, &http);
	c->taken = (size_t)n;
	if (r->status != 101 || r->raw)
		return true;
	return do_get(r, "op | welcome");
}

/* The same parameters, in any order, behind the same name. */
static bool
same_answer(const char *wanted, const char *given)
{
	size_t wanted_count = 0, given_count = 0;

	for (const char *at = given; (at = strchr(at, ';')) != NULL; at++)
		given_count++;
	for (const char *at = wanted; *at != '\0'; wanted_count++) {
		const size_t len = strcspn(at, ";");
		const char *found = given;
		bool there = false;

		while (!there && *found != '\0') {
			const size_t found_len = strcspn(found, ";");

			there = found_len == len && memcmp(found, at, len) == 0;
			found += found_len;
			found += strspn(found, "; ");
		}
		if (!there)
			return false;
		at += len;
		at += strspn(at, "; ");
	}
	return wanted_count == given_count + 1;
}

/* ---- what a server has ------------------------------------------------------------------------ */

static bool
windows(struct run *r, const char *value)
{
	const uint64_t end_ms = wire_now_ms() + STEP_MS;
	char *answer = malloc(KIB(64));
	double kib = -1;

	while (answer != NULL && wire_now_ms() < end_ms) {
		struct wire_http http;
		const char *at;

		if (wire_call(server_private(r->server), "GET", "/metrics", NULL,
			(struct text){NULL, 0}, answer, KIB(64), &http) &&
		    (at = wire_find(http.body, "\nringcast_deflate_window_bytes{")) != NULL) {
			kib = strtod(strchr(at, '}') + 1, NULL) / 1024;
			if ((unsigned long)kib == strtoul(value, NULL, 10))
				break;
		}
		wire_sleep_ms(5);
	}
	free(answer);
	snprintf(r->why, sizeof r->why, "%.1f KiB of windows", kib);
	return (unsigned long)kib == strtoul(value, NULL, 10);
}

/* The most memory that the server's workers ever had, in KiB; 0 with sanitizers, which keep what was freed. */
static long
workers_kib(struct run *r)
{
	pid_t pids[SERVER_WORKERS_MAX];
	const size_t count = server_workers(r->server, pids);
	const char *flavour = getenv("FLAVOUR");
	long sum = 0;

	if (flavour != NULL && strcmp(flavour, "release") != 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		char path[64], line[256];
		FILE *file;

		snprintf(path, sizeof path, "/proc/%d/status", (int)pids[i]);
		file = fopen(path, "r");
		while (file != NULL && fgets(line, sizeof line, file) != NULL)
			if (strncmp(line, "VmHWM:", 6) == 0)
				sum += strtol(line + 6, NULL, 10);
		if (file != NULL)
			fclose(file);
	}
	return sum;
}

/* ---- rows --------------------------------------------------------------------------------------- */

static bool
another(struct run *r)
{
	char *in;

	if (r->other_count == OTHERS_MAX)
		return fail(r, "too many connections", "");
	in = r->others[r->other_count].in;
	r->others[r->other_count++] = r->conn;
	r->conn.in = in;
	return open_conn(r);
}

static bool
do_line(struct run *r, const struct table_line *line)
{
	static const char *const silent[] = {
	    "server", "offer", "field", "query", "speak", "pack", "publish", "windows", NULL};
	bool opens = true;

	for (size_t i = 0; silent[i] != NULL; i++)
		opens &= strcmp(line->key, silent[i]) != 0;
	if (opens && !r->open && !open_conn(r))
		return false;
	if (strcmp(line->key, "answer") == 0)
		return (r->status == 101 && same_answer(line->value, r->answer)) ||
		       fail(r, "answered", r->answer);
	if (strcmp(line->key, "status") == 0)
		return r->status == atoi(line->value) || fail(r, "another status", r->answer);
	if (strcmp(line->key, "pack") == 0)
		return do_pack(r, line->value);
	if (strcmp(line->key, "frame") == 0)
		return do_frame(r, line->value);
	if (strcmp(line->key, "each") == 0)
		return do_each(r, line->value);
	if (strcmp(line->key, "publish") == 0)
		return publish(r, line->value);
	if (strcmp(line->key, "get") == 0)
		return do_get(r, line->value);
	if (strcmp(line->key, "another") == 0)
		return another(r);
	if (strcmp(line->key, "windows") == 0)
		return windows(r, line->value);
	if (strcmp(line->key, "grows") == 0)
		return workers_kib(r) - r->grown_kib <= atol(line->value) ||
		       fail(r, "a worker grew", line->value);
	return true;
}

static void
close_all(struct run *r)
{
	if (r->open && r->conn.fd != -1)
		close(r->conn.fd);
	for (size_t i = 0; i < r->other_count; i++)
		close(r->others[i].fd);
	if (r->has_context)
		deflateEnd(&r->context);
	r->other_count = 0;
	r->has_context = r->open = false;
}

static void
run_row(struct tap *tap, struct run *r, const struct table_row *row)
{
	bool holds = true;

	r->row = row;
	r->serial++;
	r->why[0] = '\0';
	r->grown_kib = table_value(row, "grows") != NULL ? workers_kib(r) : 0;
	for (size_t i = 0; i < row->count && holds; i++)
		holds = do_line(r, &row->lines[i]);
	if (!table_check(tap, row, holds))
		tap_note("line %u: %s", row->number, r->why);
	close_all(r);
}

/* The rows of one server, in all tables; how many they are. */
static size_t
run_server(struct tap *tap, struct run *r, const char *name, const char *more,
    const struct table *tables, size_t count)
{
	struct server server;
	char members[256];
	size_t rows = 0;

	snprintf(members, sizeof members,
	    "%s, \"channels\": [{\"match\": \"*\", \"publish\": \"anyone\"}]", more);
	if (!tap_check(tap,
		server_start(&server,
		    &(struct server_options){
			.workers = 1, .ring_bytes = "\"8MiB\"", .members = members}),
		"the server \"%s\" is up", name))
		return 0;
	r->server = &server;
	for (size_t t = 0; t < count; t++)
		for (size_t i = 0; i < tables[t].count; i++) {
			const char *wanted = table_value(&tables[t].rows[i], "server");

			if (strcmp(wanted == NULL ? "plain" : wanted, name) != 0)
				continue;
			run_row(tap, r, &tables[t].rows[i]);
			rows++;
		}
	server_stop(tap, &server, NULL);
	return rows;
}

static bool
make_room(struct run *r)
{
	bool made = true;

	r->conn.in = malloc(BYTES_MAX);
	for (size_t i = 0; i < OTHERS_MAX; i++)
		made &= (r->others[i].in = malloc(BYTES_MAX)) != NULL;
	r->packed = malloc(BYTES_MAX);
	r->text = malloc(BYTES_MAX);
	r->plain = malloc(BYTES_MAX);
	r->frame = malloc(BYTES_MAX + 16);
	return made && r->conn.in != NULL && r->packed != NULL && r->text != NULL &&
	       r->plain != NULL && r->frame != NULL;
}

static void
free_room(struct run *r)
{
	free(r->conn.in);
	for (size_t i = 0; i < OTHERS_MAX; i++)
		free(r->others[i].in);
	free(r->packed);
	free(r->text);
	free(r->plain);
	free(r->frame);
}

int
main(void)
{
	static const char *const keys[] = {"server", "offer", "field", "query", "speak", "answer",
	    "status", "pack", "frame", "each", "publish", "get", "another", "windows", "grows",
	    NULL};
	static const char *const paths[] = {"tests/conformance/deflate.table",
	    "tests/conformance/deflate_in.table", "tests/conformance/deflate_out.table"};
	struct tap tap = tap_start(55);
	struct table tables[sizeof paths / sizeof paths[0]];
	struct run r = {0};
	size_t rows = 0, run = 0;

	for (size_t p = 0; p < sizeof paths / sizeof paths[0]; p++) {
		table_read(&tables[p], &tap, paths[p], keys);
		rows += tables[p].count;
	}
	if (tap_check(&tap, make_room(&r), "there is memory"))
		for (size_t i = 0; i < KINDS; i++)
			run += run_server(&tap, &r, kinds[i].name, kinds[i].members, tables,
			    sizeof paths / sizeof paths[0]);
	tap_check(&tap, run == rows, "every row has a server");
	for (size_t p = 0; p < sizeof paths / sizeof paths[0]; p++)
		table_free(&tables[p]);
	free_room(&r);
	return tap_finish(&tap);
}
