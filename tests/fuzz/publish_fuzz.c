/*
 * publish_fuzz.c: a connection of an application to the master's publish socket: requests, bodies of every kind, streams of
 * lines. Whatever it says, the answers are whole HTTP messages with JSON in them, and the same ones, with the same events in
 * the ring, however its bytes are cut.
 *
 * Input: a seed for the cuts, then the bytes of the connection.
 */
#include "tests/unit/master/publish_fixture.h"

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())
#define INPUT_BYTES_MAX 3000
#define TALK_BYTES_MAX (1 << 20)

struct talk {
	char *bytes;
	size_t len;
	uint64_t events;
	bool closed;
};

static void
add(struct talk *log, const char *bytes, size_t len)
{
	CHECK(len <= TALK_BYTES_MAX - log->len);
	memcpy(log->bytes + log->len, bytes, len);
	log->len += len;
}

/* Ids are of the clock: digits become one. */
static void
add_body(struct talk *log, struct slice body)
{
	for (size_t i = 0; i < body.len; i++) {
		const bool digit = body.bytes[i] >= '0' && body.bytes[i] <= '9';

		if (!digit || i == 0 || body.bytes[i - 1] < '0' || body.bytes[i - 1] > '9')
			add(log, digit ? "0" : body.bytes + i, 1);
	}
}

static void
check_json(struct slice body)
{
	json_t *value;

	if (body.len == 0)
		return;
	value = json_loadb(body.bytes, body.len, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
	CHECK(value != NULL);
	json_decref(value);
}

/* Lines of a stream, each an object; the last may be cut by the close. */
static void
check_lines(struct slice body)
{
	while (body.len != 0) {
		const char *end = memchr(body.bytes, '\n', body.len);
		const size_t len = end == NULL ? body.len : (size_t)(end - body.bytes);

		if (end != NULL)
			check_json(slice_of(body.bytes, len));
		body = slice_of(body.bytes + len + (end != NULL), body.len - len - (end != NULL));
	}
}

/* All answers, as their status and body. */
static void
read_answers(struct talk *log, char *bytes, size_t len)
{
	char status[16];

	for (size_t at = 0; at < len;) {
		struct http_reply head;
		struct slice type;
		struct reply reply = {0};
		const ptrdiff_t n =
		    http_reply_parse(&head, slice_of(bytes + at, len - at), 0, 65536);
		size_t used;

		CHECK(n > 0);
		type = http_reply_field(&head, SLICE_LITERAL("Content-Type"));
		/* Of a HEAD there is no body, whatever the head says. */
		if (at + (size_t)n == len || strncmp(bytes + at + n, "HTTP/1.1 ", 9) == 0) {
			add(log, status,
			    (size_t)snprintf(status, sizeof status, "[%u]", head.status));
			at += (size_t)n;
			continue;
		}
		used = fixture_parse(&reply, bytes + at, len - at, true, false);
		CHECK(used != 0);
		add(log, status, (size_t)snprintf(status, sizeof status, "[%u]", reply.status));
		add_body(log, reply.body);
		if (slice_has(type, "application/json"))
			check_json(reply.body);
		else if (slice_has(type, "x-ndjson"))
			check_lines(reply.body);
		at += used;
	}
}

static void
converse(struct talk *log, struct slice bytes, uint32_t seed, bool cut)
{
	struct fixture f;
	char *heard = malloc(TALK_BYTES_MAX);
	size_t len = 0;
	int fd;

	CHECK(heard != NULL);
	fixture_start(&f);
	fd = fixture_connect(&f);
	while (bytes.len != 0) {
		size_t n = cut ? 1 + (seed >> 16) % 40 : bytes.len;

		seed = seed * 1103515245u + 12345u;
		n = n < bytes.len ? n : bytes.len;
		fixture_say(&f, fd, slice_of(bytes.bytes, n));
		fixture_turns(&f, 1);
		bytes = slice_of(bytes.bytes + n, bytes.len - n);
	}
	shutdown(fd, SHUT_WR);
	fixture_turns(&f, 20);
	len = fixture_hear_raw(&f, fd, heard, TALK_BYTES_MAX - 1);
	heard[len] = '\0';
	log->closed = recv(fd, &(char){0}, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
	read_answers(log, heard, len);
	log->events = fixture_events(&f);
	close(fd);
	fixture_turns(&f, 3);
	fixture_stop(&f);
	free(heard);
}

/*
 * A head that never ends may be refused before its client goes, or not at all: what is wrong with it is looked for when its end is
 * there, or at its first reading. So the one may have a refusal more.
 */
static void
check_same(const struct talk *a, const struct talk *b)
{
	const struct talk *more = a->len > b->len ? a : b, *less = a->len > b->len ? b : a;

	CHECK(memcmp(a->bytes, b->bytes, less->len) == 0);
	CHECK(more->len == less->len ||
	      (more->bytes[less->len] == '[' && more->bytes[less->len + 1] == '4' &&
		  memchr(more->bytes + less->len + 1, '[', more->len - less->len - 1) == NULL));
	CHECK(a->events == b->events && a->closed == b->closed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct talk whole = {.bytes = malloc(TALK_BYTES_MAX)},
		    cut = {.bytes = malloc(TALK_BYTES_MAX)};
	struct slice bytes;

	CHECK(whole.bytes != NULL && cut.bytes != NULL);
	if (size >= 2 && size <= INPUT_BYTES_MAX) {
		bytes = slice_of((const char *)data + 1, size - 1);
		converse(&whole, bytes, data[0], false);
		converse(&cut, bytes, (uint32_t)data[0] << 16, true);
		check_same(&whole, &cut);
	}
	free(whole.bytes);
	free(cut.bytes);
	return 0;
}
