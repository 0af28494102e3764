/*
 * publisher.c: the application's side of the publish socket (publisher.h).
 */
#include "tests/lib/publisher.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 65536

uint64_t
publisher_post(const char *socket, struct text body, int *status)
{
	char buffer[65536];
	struct wire_http answer;
	uint64_t id;

	if (!wire_call((struct wire_target){0, socket}, "POST", "/publish",
		"Content-Type: application/json\r\n", body, buffer, sizeof buffer, &answer)) {
		if (status != NULL)
			*status = 0;
		return 0;
	}
	if (status != NULL)
		*status = answer.status;
	id = wire_json_id_at(answer.body, "id");
	return id != 0 ? id : wire_json_id_at(answer.body, "ids.0");
}

uint64_t
publisher_event(const char *socket, const char *channel, const char *data)
{
	char body[8192];
	int n = snprintf(body, sizeof body, "{\"channel\":\"%s\",\"data\":%s}", channel, data);

	assert(n > 0 && (size_t)n < sizeof body);
	return publisher_post(socket, (struct text){body, (size_t)n}, NULL);
}

static void
reserve(char **buffer, size_t *cap, size_t need)
{
	if (need <= *cap)
		return;
	*cap = need * 2;
	*buffer = realloc(*buffer, *cap);
	assert(*buffer != NULL);
}

bool
publisher_open(struct publisher *p, const char *socket,
    void (*answer)(void *context, uint64_t number, uint64_t id, struct text line), void *context)
{
	static const char head[] =
	    "POST /publish HTTP/1.1\r\nHost: localhost\r\n"
	    "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";

	*p = (struct publisher){.fd = wire_dial_unix(socket), .answer = answer, .context = context};
	if (p->fd == -1)
		return false;
	p->progress_ms = wire_now_ms();
	return wire_send(p->fd, head, sizeof head - 1, wire_now_ms() + 5000);
}

void
publisher_line(struct publisher *p, struct text envelope)
{
	char size[24];
	int n = snprintf(size, sizeof size, "%zx\r\n", envelope.len + 1);

	reserve(&p->out, &p->out_cap, p->out_len + envelope.len + (size_t)n + 3);
	memcpy(p->out + p->out_len, size, (size_t)n);
	p->out_len += (size_t)n;
	memcpy(p->out + p->out_len, envelope.bytes, envelope.len);
	p->out_len += envelope.len;
	memcpy(p->out + p->out_len, "\n\r\n", 3);
	p->out_len += 3;
	p->sent++;
}

static void
take_line(struct publisher *p, struct text line)
{
	uint64_t id = wire_json_id_at(line, "id");

	if (line.len == 0)
		return;
	p->refused += id == 0;
	if (p->answer != NULL)
		p->answer(p->context, p->answered, id, line);
	p->answered++;
}

/*
 * Moves the data of chunks to the front of `in`, bytes [0, *plain) are plain already; false when
 * malformed.
 */
static bool
unchunk(struct publisher *p, size_t *plain)
{
	size_t at = *plain;

	while (at < p->in_len) {
		size_t n = p->in_len - at;

		if (p->chunk_left > 2) {
			n = n < p->chunk_left - 2 ? n : p->chunk_left - 2;
			memmove(p->in + *plain, p->in + at, n);
			*plain += n;
		} else if (p->chunk_left > 0) {
			n = n < p->chunk_left ? n : p->chunk_left;
		} else {
			const char *eol = memmem(p->in + at, n, "\r\n", 2);
			unsigned long size;

			if (eol == NULL)
				break;
			size = strtoul(p->in + at, NULL, 16);
			if (size == 0)
				return false;
			n = (size_t)(eol + 2 - (p->in + at));
			p->chunk_left = size + 2 + n;
		}
		p->chunk_left -= n;
		at += n;
	}
	memmove(p->in + *plain, p->in + at, p->in_len - at);
	p->in_len = *plain + (p->in_len - at);
	return true;
}

/*
 * Takes the head of the answer off the input, once it is whole; false when it refuses the stream.
 */
static bool
take_head(struct publisher *p)
{
	const char *end = memmem(p->in, p->in_len, "\r\n\r\n", 4);
	struct wire_http answer;
	struct text field;
	size_t len;

	if (end == NULL)
		return p->in_len < READ_BYTES;
	len = (size_t)(end + 4 - p->in);
	/* Shown the head only, or it would decode the body at once. */
	if (wire_http_parse(p->in, len, false, &answer) < 0 || answer.status != 200)
		return false;
	p->chunked = wire_http_field(&answer, "Transfer-Encoding", &field);
	p->head_done = true;
	p->in_len -= len;
	memmove(p->in, p->in + len, p->in_len);
	return true;
}

/*
 * Hands on the whole lines among the first `plain` bytes of the input; returns what is left of
 * them.
 */
static size_t
take_lines(struct publisher *p, size_t plain)
{
	size_t at = 0;
	const char *eol;

	while (at < plain && (eol = memchr(p->in + at, '\n', plain - at)) != NULL) {
		take_line(p, (struct text){p->in + at, (size_t)(eol - (p->in + at))});
		at = (size_t)(eol + 1 - p->in);
	}
	memmove(p->in, p->in + at, p->in_len - at);
	p->in_len -= at;
	return plain - at;
}

static bool
read_answers(struct publisher *p, size_t *plain)
{
	for (;;) {
		ssize_t n;

		reserve(&p->in, &p->in_cap, p->in_len + READ_BYTES);
		n = recv(p->fd, p->in + p->in_len, READ_BYTES, MSG_DONTWAIT);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			return true;
		if (n <= 0)
			return false;
		p->progress_ms = wire_now_ms();
		p->in_len += (size_t)n;
		if (!p->head_done && !take_head(p))
			return false;
		if (!p->head_done)
			continue;
		if (!p->chunked)
			*plain = p->in_len;
		else if (!unchunk(p, plain))
			return false;
		*plain = take_lines(p, *plain);
	}
}

static bool
write_lines(struct publisher *p)
{
	size_t at = 0;

	while (at < p->out_len) {
		ssize_t n = send(p->fd, p->out + at, p->out_len - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			break;
		if (n == -1)
			return false;
		at += (size_t)n;
	}
	p->out_len -= at;
	if (at != 0)
		memmove(p->out, p->out + at, p->out_len);
	return true;
}

bool
publisher_turn(struct publisher *p)
{
	if (!p->failed && (!write_lines(p) || !read_answers(p, &p->plain)))
		p->failed = true;
	return !p->failed;
}

bool
publisher_settle(struct publisher *p, unsigned ms)
{
	uint64_t deadline = wire_now_ms() + ms;

	while (publisher_turn(p) && p->answered < p->sent) {
		struct pollfd f = {p->fd, (short)(POLLIN | (p->out_len != 0 ? POLLOUT : 0)), 0};

		if (wire_now_ms() > deadline)
			return false;
		poll(&f, 1, 20);
	}
	return !p->failed && p->answered == p->sent;
}

void
publisher_close(struct publisher *p)
{
	if (p->fd != -1)
		close(p->fd);
	free(p->out);
	free(p->in);
	*p = (struct publisher){.fd = -1};
}
