/*
 * peer.c: see peer.h.
 */
#include "tests/lib/peer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 65536

bool
peer_open(struct peer *p, uint16_t port, unsigned source, int receive_buffer_bytes)
{
	*p = (struct peer){.fd = wire_dial(port, source, false, receive_buffer_bytes)};
	return p->fd != -1;
}

void
peer_close(struct peer *p)
{
	if (p->fd != -1)
		close(p->fd);
	free(p->in);
	free(p->messages.frames);
	free(p->controls.frames);
	*p = (struct peer){.fd = -1};
}

static bool
fail(struct peer *p, const char *fault)
{
	if (p->fault == NULL)
		p->fault = fault;
	return false;
}

static bool
push(struct peer *p, struct peer_queue *queue, const struct peer_frame *frame)
{
	if (queue->count == queue->cap) {
		const size_t cap = queue->cap == 0 ? 16 : queue->cap * 2;
		struct peer_frame *grown = realloc(queue->frames, cap * sizeof *grown);

		if (grown == NULL)
			return fail(p, "no memory");
		queue->frames = grown;
		queue->cap = cap;
	}
	queue->frames[queue->count++] = *frame;
	return true;
}

static bool
take_frame(struct peer *p, const struct wire_ws *frame)
{
	const struct peer_frame item = {
	    frame->opcode, (size_t)(frame->payload.bytes - p->in), frame->payload.len};

	if (p->close_seen)
		return fail(p, "a frame behind the close frame");
	if (frame->opcode < 8 && (frame->opcode == 0 || !frame->final))
		return fail(p, "a fragmented message, of which this server sends none");
	if (frame->opcode == 8) {
		p->close_seen = true;
		p->close_ms = wire_now_ms();
	}
	return push(p, frame->opcode < 8 ? &p->messages : &p->controls, &item);
}

static bool
parse(struct peer *p)
{
	struct wire_ws frame;
	ssize_t n;

	while (p->upgraded &&
	       (n = wire_ws_parse(p->in + p->parsed, p->in_len - p->parsed, &frame)) != 0) {
		if (n < 0)
			return fail(p, "a malformed frame");
		if (!take_frame(p, &frame))
			return false;
		p->parsed += (size_t)n;
	}
	return true;
}

void
peer_upgrade(struct peer *p, size_t len)
{
	p->upgraded = true;
	p->parsed += len;
	parse(p);
}

static bool
reserve(struct peer *p)
{
	if (p->in_cap - p->in_len <= READ_BYTES) {
		const size_t cap = p->in_cap * 2 + 2 * READ_BYTES;
		char *grown = realloc(p->in, cap);

		if (grown == NULL)
			return fail(p, "no memory");
		p->in = grown;
		p->in_cap = cap;
	}
	return true;
}

static bool
end(struct peer *p)
{
	p->ended = true;
	p->end_ms = wire_now_ms();
	if (p->upgraded && p->parsed != p->in_len)
		return fail(p, "the stream ends within a frame");
	return false;
}

bool
peer_read(struct peer *p, uint64_t deadline_ms)
{
	ssize_t n;

	if (p->fault != NULL || p->ended || !reserve(p))
		return false;
	n = wire_read(p->fd, p->in + p->in_len, READ_BYTES, deadline_ms);
	if (n == -1)
		return fail(p, "the connection was reset");
	if (n == 0)
		return end(p);
	if (n < 0)
		return false;
	p->in_len += (size_t)n;
	p->in[p->in_len] = '\0';
	return parse(p);
}

/* Waits until the socket takes more. */
static bool
await_room(struct peer *p, bool deaf, uint64_t deadline_ms)
{
	struct pollfd ready = {p->fd, (short)(POLLOUT | (deaf || p->ended ? 0 : POLLIN)), 0};
	const uint64_t now = wire_now_ms();

	if (now >= deadline_ms || poll(&ready, 1, (int)(deadline_ms - now)) != 1)
		return fail(p, "not all could be sent in time");
	if ((ready.revents & POLLIN) != 0)
		peer_read(p, now);
	return p->fault == NULL;
}

bool
peer_write(
    struct peer *p, const char *bytes, size_t len, size_t piece, bool deaf, uint64_t deadline_ms)
{
	while (len != 0) {
		const size_t want = len < piece ? len : piece;
		const ssize_t n = send(p->fd, bytes, want, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		} else if (n == -1 && errno == EAGAIN) {
			if (!await_room(p, deaf, deadline_ms))
				return false;
		} else if (n == -1 && errno != EINTR) {
			return fail(p, "the connection was reset while we wrote");
		}
	}
	return true;
}

const struct peer_frame *
peer_next(struct peer *p, struct peer_queue *queue, uint64_t deadline_ms)
{
	while (queue->taken == queue->count)
		if (!peer_read(p, deadline_ms) && queue->taken == queue->count)
			return NULL;
	return &queue->frames[queue->taken++];
}

bool
peer_end(struct peer *p, uint64_t deadline_ms)
{
	while (peer_read(p, deadline_ms))
		;
	return p->ended && p->fault == NULL;
}

struct text
peer_payload(const struct peer *p, const struct peer_frame *frame)
{
	return (struct text){p->in + frame->at, frame->len};
}
