/*
 * wire.c: sockets, HTTP and WebSocket for tests (wire.h).
 */
#include "tests/lib/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CALL_MS 10000

struct text
wire_text(const char *string)
{
	return (struct text){string, strlen(string)};
}

uint64_t
wire_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t
wire_now_ms(void)
{
	return wire_now_ns() / 1000000u;
}

void
wire_sleep_ms(unsigned ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000L};

	while (nanosleep(&t, &t) == -1 && errno == EINTR)
		;
}

uint32_t
wire_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (uint32_t)(*state * UINT64_C(2685821657736338717) >> 32);
}

int
wire_dial(uint16_t port, unsigned source, bool nonblocking, int receive_buffer_bytes)
{
	int one = 1,
	    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), 0);
	struct sockaddr_in from = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001u + source % 200)};
	struct sockaddr_in to = {
	    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x7f000001u)};

	if (fd == -1)
		return -1;
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (receive_buffer_bytes != 0)
		setsockopt(
		    fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
	if (bind(fd, (struct sockaddr *)&from, sizeof from) == -1 ||
	    (connect(fd, (struct sockaddr *)&to, sizeof to) == -1 && errno != EINPROGRESS)) {
		close(fd);
		return -1;
	}
	return fd;
}

int
wire_dial_unix(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == -1) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

/* Waits for `events`; false when the deadline comes first. */
static bool
await(int fd, short events, uint64_t deadline_ms)
{
	for (;;) {
		uint64_t now = wire_now_ms();
		struct pollfd p = {fd, events, 0};
		int n = poll(&p, 1, now >= deadline_ms ? 0 : (int)(deadline_ms - now));

		if (n > 0)
			return true;
		if (n == 0 && now >= deadline_ms)
			return false;
		if (n == -1 && errno != EINTR)
			return false;
	}
}

bool
wire_send(int fd, const void *bytes, size_t len, uint64_t deadline_ms)
{
	const char *at = bytes;

	while (len != 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN) {
			if (!await(fd, POLLOUT, deadline_ms))
				return false;
			continue;
		}
		if (n == -1)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

ssize_t
wire_read(int fd, void *buffer, size_t cap, uint64_t deadline_ms)
{
	for (;;) {
		ssize_t n = recv(fd, buffer, cap, MSG_DONTWAIT);

		if (n >= 0)
			return n;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -1;
		if (!await(fd, POLLIN, deadline_ms))
			return -2;
	}
}

uint64_t
wire_id(struct text id)
{
	uint64_t ms = 0, counter = 0;

	if (id.len != 19 || id.bytes[13] != '-')
		return 0;
	for (size_t i = 0; i < 19; i++) {
		uint64_t digit;

		if (i == 13)
			continue;
		if (id.bytes[i] < '0' || id.bytes[i] > '9')
			return 0;
		digit = (uint64_t)(id.bytes[i] - '0');
		if (i < 13)
			ms = ms * 10 + digit;
		else
			counter = counter * 10 + digit;
	}
	return counter > 65535 ? 0 : ms << 16 | counter;
}

void
wire_id_text(uint64_t id, char buffer[20])
{
	snprintf(buffer, 20, "%013llu-%05u", (unsigned long long)(id >> 16) % 10000000000000ull,
	    (unsigned)(id & 0xffff));
}

bool
wire_equal(struct text a, const char *b)
{
	return a.len == strlen(b) && (a.len == 0 || memcmp(a.bytes, b, a.len) == 0);
}

const char *
wire_find(struct text haystack, const char *needle)
{
	return haystack.len == 0 ? NULL
				 : memmem(haystack.bytes, haystack.len, needle, strlen(needle));
}

bool
wire_http_field(const struct wire_http *answer, const char *name, struct text *value)
{
	const char *at = answer->head.bytes, *end = at + answer->head.len;
	size_t name_len = strlen(name);

	while (at < end) {
		const char *eol = memmem(at, (size_t)(end - at), "\r\n", 2);

		if (eol == NULL)
			return false;
		if ((size_t)(eol - at) > name_len && at[name_len] == ':' &&
		    strncasecmp(at, name, name_len) == 0) {
			at += name_len + 1;
			while (at < eol && *at == ' ')
				at++;
			while (eol > at && eol[-1] == ' ')
				eol--;
			*value = (struct text){at, (size_t)(eol - at)};
			return true;
		}
		at = eol + 2;
	}
	return false;
}

/* Walks over chunks, and moves their data together in place when it is to `decode`; as dechunk. */
static ssize_t
walk_chunks(char *bytes, size_t len, bool decode, struct text *body)
{
	size_t at = 0, written = 0;

	for (;;) {
		const char *eol = memmem(bytes + at, len - at, "\r\n", 2);
		unsigned long size;
		char *stop;

		if (eol == NULL)
			return 0;
		size = strtoul(bytes + at, &stop, 16);
		if (stop == bytes + at || (stop != eol && *stop != ';'))
			return -1;
		at = (size_t)(eol + 2 - bytes);
		if (len - at < size + 2)
			return 0;
		if (memcmp(bytes + at + size, "\r\n", 2) != 0)
			return -1;
		if (decode)
			memmove(bytes + written, bytes + at, size);
		written += size;
		at += size + 2;
		if (size == 0) {
			*body = (struct text){bytes, written};
			return (ssize_t)at;
		}
	}
}

/*
 * Decodes chunks in place, but only once they are whole, so that it may be called again with more; bytes of coded input
 * taken, 0 need more, <0 malformed.
 */
static ssize_t
dechunk(char *bytes, size_t len, struct text *body)
{
	const ssize_t n = walk_chunks(bytes, len, false, body);

	return n <= 0 ? n : walk_chunks(bytes, len, true, body);
}

static bool
bodyless(int status)
{
	return status / 100 == 1 || status == 204 || status == 304;
}

ssize_t
wire_http_parse(char *bytes, size_t len, bool ended, struct wire_http *answer)
{
	const char *end = memmem(bytes, len, "\r\n\r\n", 4);
	struct text field;
	size_t head_len;

	if (end == NULL)
		return len > 65536 || (len >= 5 && memcmp(bytes, "HTTP/", 5) != 0) ? -1 : 0;
	head_len = (size_t)(end + 4 - bytes);
	*answer = (struct wire_http){
	    .head = {bytes, head_len - 2}, .body = {bytes + head_len, 0}, .keeps = true};
	if (memcmp(bytes, "HTTP/1.1 ", 9) != 0 || bytes[12] != ' ')
		return -1;
	answer->status = (int)strtol(bytes + 9, NULL, 10);
	if (wire_http_field(answer, "Connection", &field))
		answer->keeps = field.len != 5 || strncasecmp(field.bytes, "close", 5) != 0;
	if (bodyless(answer->status))
		return (ssize_t)head_len;
	if (wire_http_field(answer, "Transfer-Encoding", &field)) {
		ssize_t n = dechunk(bytes + head_len, len - head_len, &answer->body);

		return n <= 0 ? n : n + (ssize_t)head_len;
	}
	if (wire_http_field(answer, "Content-Length", &field)) {
		size_t body_len = strtoul(field.bytes, NULL, 10);

		answer->body.len = body_len;
		return len - head_len < body_len ? 0 : (ssize_t)(head_len + body_len);
	}
	answer->streams = true;
	answer->keeps = false;
	answer->body.len = len - head_len;
	return ended ? (ssize_t)len : 0;
}

bool
wire_exchange(int fd, const void *request, size_t len, char *buffer, size_t cap,
    struct wire_http *answer, uint64_t deadline_ms)
{
	size_t have = 0;
	bool ended = false;

	/* What cannot be sent any more may have been answered already. */
	(void)wire_send(fd, request, len, deadline_ms);
	while (have < cap - 1) {
		ssize_t n = wire_read(fd, buffer + have, cap - 1 - have, deadline_ms);

		if (n < 0)
			return false;
		have += (size_t)n;
		ended = n == 0;
		buffer[have] = '\0';
		n = wire_http_parse(buffer, have, ended, answer);
		if (n > 0 && answer->status != 100 && answer->status != 102)
			return true;
		if (n > 0) {
			have -= (size_t)n;
			memmove(buffer, buffer + n, have);
			n = wire_http_parse(buffer, have, ended, answer);
			if (n > 0)
				return true;
		}
		if (n < 0 || ended)
			return false;
	}
	return false;
}

bool
wire_call(struct wire_target to, const char *method, const char *resource, const char *fields,
    struct text body, char *buffer, size_t cap, struct wire_http *answer)
{
	char head[2048];
	uint64_t deadline = wire_now_ms() + CALL_MS;
	int fd = to.port != 0 ? wire_dial(to.port, 0, false, 0) : wire_dial_unix(to.path);
	bool sends = body.bytes != NULL;
	char length[64] = "";
	int n;
	bool ok;

	if (fd == -1)
		return false;
	if (sends)
		snprintf(length, sizeof length, "Content-Length: %zu\r\n", body.len);
	n = snprintf(head, sizeof head,
	    "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s%s\r\n", method, resource,
	    fields != NULL ? fields : "", length);
	ok = n > 0 && (size_t)n < sizeof head && wire_send(fd, head, (size_t)n, deadline) &&
	     wire_exchange(fd, body.bytes, body.len, buffer, cap, answer, deadline);
	close(fd);
	return ok;
}

size_t
wire_ws_frame(char *buffer, uint8_t opcode, bool final, const void *payload, size_t len)
{
	static const unsigned char mask[4] = {0x5a, 0xc3, 0x17, 0x88};
	const unsigned char *from = payload;
	unsigned char *to = (unsigned char *)buffer;
	size_t head = 2;

	to[0] = (unsigned char)((final ? 0x80 : 0) | opcode);
	if (len < 126) {
		to[1] = (unsigned char)(0x80 | len);
	} else if (len < 65536) {
		to[1] = 0x80 | 126;
		to[2] = (unsigned char)(len >> 8);
		to[3] = (unsigned char)(len & 0xff);
		head = 4;
	} else {
		to[1] = 0x80 | 127;
		for (unsigned i = 0; i < 8; i++)
			to[2 + i] = (unsigned char)((uint64_t)len >> (56 - 8 * i) & 0xff);
		head = 10;
	}
	memcpy(to + head, mask, 4);
	for (size_t i = 0; i < len; i++)
		to[head + 4 + i] = from[i] ^ mask[i & 3];
	return head + 4 + len;
}

ssize_t
wire_ws_parse(const char *bytes, size_t len, struct wire_ws *frame)
{
	const unsigned char *at = (const unsigned char *)bytes;
	uint64_t size;
	size_t head = 2;

	if (len < 2)
		return 0;
	if ((at[0] & 0x70) != 0 || (at[1] & 0x80) != 0)
		return -1;
	size = at[1];
	if (size == 126 || size == 127) {
		unsigned width = size == 126 ? 2 : 8;

		if (len < 2 + width)
			return 0;
		size = 0;
		for (unsigned i = 0; i < width; i++)
			size = size << 8 | at[2 + i];
		head += width;
		if (size < (width == 2 ? 126u : 65536u))
			return -1;
	}
	*frame = (struct wire_ws){at[0] & 0x0f, (at[0] & 0x80) != 0, {bytes + head, size}};
	if (frame->opcode >= 8 && (size > 125 || !frame->final))
		return -1;
	if ((frame->opcode > 2 && frame->opcode < 8) || frame->opcode > 10)
		return -1;
	return len - head < size ? 0 : (ssize_t)(head + size);
}
