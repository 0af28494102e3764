/*
 * wire.h: sockets, time, ids and small readers for tests: what a stranger would write against the
 * contract.
 *
 * Nothing here shares code with the product: the tests are to be an independent judge of its bytes.
 * Blocking calls all take a deadline in ms of wire_now_ms() and give up then.
 */
#ifndef TESTS_LIB_WIRE_H
#define TESTS_LIB_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct text {
	const char *bytes;
	size_t len;
};

struct text wire_text(const char *string);

uint64_t wire_now_ns(void);
uint64_t wire_now_ms(void);
void wire_sleep_ms(unsigned ms);

/* A small deterministic generator (xorshift64*); the state must not be 0. */
uint32_t wire_random(uint64_t *state);

/*
 * Connects to 127.0.0.1:port from 127.0.0.(1 + source % 200), so that clients are not bounded by
 * one address' ports. Non-blocking when asked; then the connection may still be under way
 * (EINPROGRESS). -1 on failure.
 */
int wire_dial(uint16_t port, unsigned source, bool nonblocking, int receive_buffer_bytes);
int wire_dial_unix(const char *path);

/* Sends everything before the deadline. */
bool wire_send(int fd, const void *bytes, size_t len, uint64_t deadline_ms);

/*
 * One read, waiting until the deadline: bytes, 0 at the end of the stream, -1 on error, -2 when out
 * of time.
 */
ssize_t wire_read(int fd, void *buffer, size_t cap, uint64_t deadline_ms);

/*
 * An id as a number that orders as the id does, from its padded form only; 0 when it is malformed.
 */
uint64_t wire_id(struct text id);
void wire_id_text(uint64_t id, char buffer[20]);

bool wire_equal(struct text a, const char *b);
/* First occurrence, or NULL. */
const char *wire_find(struct text haystack, const char *needle);

/*
 * JSON, read by scanning: wire_json_member finds the value of a key in an object (slice of its
 * bytes as they stand), wire_json_item the i-th of an array; false when there is none.
 * wire_json_text decodes a string value, -1 when it is none or does not fit; wire_json_number a
 * number, or `otherwise`.
 */
bool wire_json_member(struct text object, const char *key, struct text *value);
/* Iterates over the members of an object; *offset starts at 0. */
bool wire_json_next(struct text object, size_t *offset, struct text *key, struct text *value);
/* The same over the items of an array. */
bool wire_json_step(struct text array, size_t *offset, struct text *value);
bool wire_json_item(struct text array, size_t index, struct text *value);
size_t wire_json_count(struct text array);
ssize_t wire_json_text(struct text value, char *buffer, size_t cap);
double wire_json_number(struct text value, double otherwise);
bool wire_json_valid(struct text value);
/* Member of a member: wire_json_path(doc, "a.b.c", &v). */
bool wire_json_path(struct text object, const char *path, struct text *value);
/* The string of a path, in `buffer`; "" when there is none. Returns buffer. */
const char *wire_json_string_at(struct text object, const char *path, char *buffer, size_t cap);
uint64_t wire_json_id_at(struct text object, const char *path);

/*
 * One HTTP answer. wire_http_parse: >0 bytes that belong to it, 0 need more, <0 not HTTP. The body
 * of a chunked answer is decoded in place; an answer that only the end of the stream ends is
 * complete when `ended`.
 */
struct wire_http {
	int status;
	struct text head; /* status line and fields, with their CRLFs */
	struct text body;
	bool keeps;   /* the connection may be used again */
	bool streams; /* no length: the body goes on until the end of the stream */
};
ssize_t wire_http_parse(char *bytes, size_t len, bool ended, struct wire_http *answer);
/* The value of a field (first one, any case of name); false when there is none. */
bool wire_http_field(const struct wire_http *answer, const char *name, struct text *value);

/*
 * Sends a request to a connected socket and reads the answer into buffer; false when none came in
 * time. wire_call is one request on a connection of its own: port 0 means the Unix socket at
 * `path`.
 */
bool wire_exchange(int fd, const void *request, size_t len, char *buffer, size_t cap,
    struct wire_http *answer, uint64_t deadline_ms);
struct wire_target {
	uint16_t port;
	const char *path;
};
bool wire_call(struct wire_target to, const char *method, const char *resource, const char *fields,
    struct text body, char *buffer, size_t cap, struct wire_http *answer);

/*
 * WebSocket. wire_ws_frame writes a client's (masked) frame and returns its length. wire_ws_parse
 * reads a server's frame: >0 consumed, 0 need more, <0 a violation of RFC 6455 (masked, reserved
 * bits, long control frame).
 */
struct wire_ws {
	uint8_t opcode;
	bool final;
	struct text payload;
};
size_t wire_ws_frame(char *buffer, uint8_t opcode, bool final, const void *payload, size_t len);
ssize_t wire_ws_parse(const char *bytes, size_t len, struct wire_ws *frame);
#define WIRE_WS_KEY "dGhlIHNhbXBsZSBub25jZQ=="        /* RFC 6455, 1.3: the example's key ... */
#define WIRE_WS_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" /* ... and its answer */

#endif
