/*
 * session.h: a connection as HTTP/1.1: requests in, routed, answered; until one of them turns it into a stream.
 *
 * Input is read into the worker's one buffer and used there; only what cannot be used yet is kept (extra.input). Answers become the
 * connection's tail, in order, so that pipelining works behind anything.
 */
#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/cursor.h"
#include "proto/error.h"
#include "proto/http_request.h"
#include "proto/http_response.h"
#include "proto/origin.h"
#include "proto/ws_handshake.h"
#include "shm/limits.h"
#include "worker/extra.h"

struct worker;
struct slot;

#define SESSION_HEAD_BYTES 1024 /* a head of ours, without the origin that it may repeat */

/* What is said to a client whose unfinished input has no room beside that of the others. */
#define SESSION_INPUT_FULL "too much is being sent at once, by all clients together: try again"

enum session_format { SESSION_FORMAT_NONE, SESSION_FORMAT_JSON, SESSION_FORMAT_RAW };

/* A request to /events, with its query read. Slices point into the read buffer and the worker's scratch. */
struct session_request {
	const struct http_request *http;
	const struct ws_handshake *handshake;
	struct request answer; /* what the answer needs to know; allow_origin is borrowed */
	struct cursor after;
	struct slice type;          /* publish */
	struct slice last_event_id; /* of the query: what polyfills send */
	const char *fault; /* what is wrong with the query, for the client; NULL: nothing */
	enum error_code fault_code;
	char fault_text[64]; /* for a fault that has to be put together */
	enum session_format format;
	uint32_t wait_s;
	uint32_t limit;
	uint32_t channel_count;
	bool sse;
	bool websocket;
	bool resumes; /* it has a cursor: a `live` ends its replay */
	bool more;    /* bytes came behind the head: of the body, if there is one */
	struct slice channels[LIMIT_CHANNELS_PER_CONNECTION_MAX];
};

/* There is something to read. */
void session_input(struct worker *w, uint32_t slot);

/* Output has left, or something was answered: goes on with what was kept or waits unread. */
void session_resume(struct worker *w, uint32_t slot);

/*
 * How long a body or message may still take: body_timeout_s since it began, and a second more for each KiB that has come. In
 * milliseconds, at most a minute, then it is to be asked again; 0: its time is over.
 */
uint32_t session_time_left_ms(const struct worker *w, uint64_t begun_ns, uint64_t bytes);

/* The head, body or next request took too long. */
void session_timeout(struct worker *w, uint32_t slot);

/* Appends the head of a 200 answer; a length of SIZE_MAX means an endless body. */
void session_head(struct worker *w, const struct slot *s, const struct request *r, struct out *o,
    struct slice type, struct slice cache, size_t length);

/* The whole answer to the request in hand: it is sent, and the connection goes on as HTTP, or ends if it was its last. */
void session_answered(struct worker *w, uint32_t slot, struct slice bytes);

/* Answers the request in hand with an error. */
void session_refuse(struct worker *w, uint32_t slot, enum error_code code, const char *message);

/* The same for a request that is still being read. SSE clients are told of what is temporary by a stream that ends. */
void session_refuse_request(struct worker *w, uint32_t slot, const struct session_request *r,
    enum error_code code, const char *message);

/* 405, with what is allowed. */
void session_refuse_method(struct worker *w, uint32_t slot, const struct session_request *r,
    const char *allow, const char *message);

/* 400 or 426 to a handshake, with the version that we speak. */
void session_refuse_upgrade(struct worker *w, uint32_t slot, const struct session_request *r,
    enum error_code code, const char *message);

/* The `at` that is told when all is subscribed: it lies before all that may follow. */
uint64_t session_cursor_shown(struct worker *w, uint32_t slot, const struct cursor *after);

/* Keeps what the answer needs to know for later. False: no memory; the connection is closed. */
bool session_keep_request(struct worker *w, uint32_t slot, const struct session_request *r);

/* Subscribes to all channels of the request. False: it was refused. */
bool session_subscribe(struct worker *w, uint32_t slot, const struct session_request *r);

/* Words of refusal for a subscription. */
enum error_code session_subscribe_error(int refusal, const char **message);

/* To a stream, in its dialect. */
void session_tell_gap(
    struct worker *w, uint32_t slot, struct slice channel, uint64_t after, uint64_t at);
void session_tell_live(struct worker *w, uint32_t slot, uint64_t at);

/* Ends a stream that was too slow, so that the client comes back and resumes. */
void session_end_slow(struct worker *w, uint32_t slot);

/* Ends a connection because the worker is leaving. */
void session_end_drain(struct worker *w, uint32_t slot);

#endif
