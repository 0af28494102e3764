/*
 * peer.h: the client's end of one WebSocket, for conformance tables: writes any bytes in any pieces, and keeps what the
 * server says, frame by frame.
 *
 * Messages (text, binary) and control frames (ping, pong, close) are two queues: which of them is first is the server's
 * choice, but each has an order of its own. Behind a close frame nothing may come; the stream must then end by a FIN, and
 * not by a reset that could take the close frame with it (RFC 6455 7.1.1). What breaks these rules is the peer's `fault`.
 */
#ifndef TESTS_LIB_PEER_H
#define TESTS_LIB_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/wire.h"

struct peer_frame {
	uint8_t opcode;
	size_t at; /* of the payload in peer.in, which moves when more is read */
	size_t len;
};

struct peer_queue {
	struct peer_frame *frames;
	size_t count, cap, taken;
};

struct peer {
	int fd;
	char *in; /* all that was read, terminated */
	size_t in_len, in_cap;
	size_t parsed; /* where the next frame (before the upgrade: the next answer) begins */
	bool upgraded; /* frames are parsed */
	struct peer_queue messages, controls;
	bool close_seen;
	bool ended;
	uint64_t close_ms, end_ms; /* when its close frame, and its FIN, were read */
	const char *fault;         /* NULL: none so far */
};

/* receive_buffer_bytes: 0, or a small window for a client that reads slowly. */
bool peer_open(struct peer *p, uint16_t port, unsigned source, int receive_buffer_bytes);
void peer_close(struct peer *p);

/* The answer to the handshake has `len` bytes: frames begin behind it. */
void peer_upgrade(struct peer *p, size_t len);

/*
 * Sends bytes, each piece by a call of its own. Reads meanwhile if the socket is full, unless `deaf`. False: not all could
 * be sent before the deadline.
 */
bool peer_write(
    struct peer *p, const char *bytes, size_t len, size_t piece, bool deaf, uint64_t deadline_ms);

/* Reads once. False at the end, at a fault, or when nothing comes before the deadline. */
bool peer_read(struct peer *p, uint64_t deadline_ms);

/* The next frame of a queue; NULL when none comes. Its payload is at p->in + at. */
const struct peer_frame *peer_next(struct peer *p, struct peer_queue *queue, uint64_t deadline_ms);

/* Reads to the end of the stream. True: it has come, in order. */
bool peer_end(struct peer *p, uint64_t deadline_ms);

struct text peer_payload(const struct peer *p, const struct peer_frame *frame);

#endif
