/*
 * publish_session.h: one connection to the publish socket (or to admin_listen): bytes in, requests, answers out.
 *
 *	HEAD -> BODY -> HEAD        a request whose body is judged as a whole (publish_request.h)
 *	HEAD -> STREAM -> HEAD      an NDJSON upload, line by line (publish_stream.h)
 *	HEAD, BODY -> WAIT -> HEAD  the answer is made of what workers say (api.h)
 *	any -> LAST -> LINGER       an answer that closes: sent, our side shut, the client's rest read and dropped
 *	any -> DEAD                 swept at the end of the turn
 *
 * Reading goes into one buffer that all sessions share and is consumed from there; only what a turn leaves over is kept
 * in the session. Answers gather in `out` and leave in publish_session_flush, which publish_turn calls after the commit.
 * While more than LIMIT_PUBLISH_UNSENT_BYTES are unsent nothing is read or consumed.
 */
#ifndef MASTER_PUBLISH_SESSION_H
#define MASTER_PUBLISH_SESSION_H

#include <stdbool.h>

#include "master/loop.h"
#include "master/publish_buffer.h"
#include "master/publish_stream.h"
#include "proto/error.h"
#include "proto/event.h"
#include "proto/http_body.h"

struct api_query;
struct http_request;
struct master;
struct publish_counts;
struct publish_session;

enum publish_session_state {
	PUBLISH_SESSION_HEAD,
	PUBLISH_SESSION_BODY,
	PUBLISH_SESSION_STREAM,
	PUBLISH_SESSION_WAIT,
	PUBLISH_SESSION_LAST,
	PUBLISH_SESSION_LINGER,
	PUBLISH_SESSION_DEAD,
};

enum publish_session_role {
	PUBLISH_SESSION_APPLICATION, /* everything; may idle for ever */
	PUBLISH_SESSION_ADMIN,       /* monitoring only; may not idle */
};

/* What all sessions share. publish.c owns the only one; it is zeroed, then publish_session_set_init. */
struct publish_session_set {
	struct master *m;
	struct publish_counts *counts;
	struct publish_session *first;
	struct publish_session
	    *dirty; /* with something to send, or to be swept, at the end of the turn */
	struct publish_session **dirty_end;
	unsigned count[2], limit[2]; /* by role */
	char *read_buffer;
	size_t read_bytes;             /* of one reading: less when many publishers write at once */
	unsigned readings;             /* in this turn */
	struct publish_buffer scratch; /* for the unescaped parts of the event at hand */
	struct loop_work work;         /* keeps the loop from sleeping while somebody is dirty */
	uint64_t date_s;               /* second for which date is right */
	char date[32];
};

struct publish_session {
	struct publish_session_set *set;
	struct publish_session *next, **link;
	struct publish_session *dirty_next;
	struct loop_source source;
	struct loop_timer timer; /* unread answers, lingering, an idle ADMIN */
	struct loop_work resume; /* consume what was kept, now that there is room again */
	enum publish_session_state state;
	enum publish_session_role role;
	bool is_dirty;
	bool ended;       /* the client has sent its last byte */
	bool deaf;        /* it reads no more: what it still sends is taken, answers are dropped */
	bool held;        /* consuming stopped for want of room, or for an answer: resume is due */
	bool close;       /* after the answer at hand */
	bool head_only;   /* the request at hand is a HEAD */
	bool more;        /* bytes came behind the head at hand: of its body, if there is one */
	size_t head_seen; /* bytes of the head at hand that were searched for its end */
	struct publish_buffer kept; /* read, not consumed */
	struct publish_buffer head; /* of the request whose body is being read */
	struct publish_buffer
	    body; /* decoded so far; in a STREAM: what is not yet a whole line, or had to wait */
	struct publish_buffer out;
	struct http_body framing;
	struct publish_stream stream;
	struct api_query *query; /* in WAIT */
};

/* 0, or -1 when memory is refused. */
int publish_session_set_init(
    struct publish_session_set *set, struct master *m, struct publish_counts *counts);
void publish_session_set_free(struct publish_session_set *set);

/* Sends what the turn's answers are and sweeps the dead. After publish_commit. */
void publish_session_set_flush(struct publish_session_set *set);

/* Takes the descriptor (non-blocking); closes it when memory is refused. NULL then. */
struct publish_session *publish_session_new(
    struct publish_session_set *set, int fd, enum publish_session_role role);

/* Everyone between requests goes; the others after the answer that they wait for. */
void publish_session_set_drain(struct publish_session_set *set);

/*
 * Whether one more connection of a role is one too many. Those that are refused hold a descriptor until they have read why,
 * so they are bounded, too: past `hopeless` a connection is closed without a word.
 */
bool publish_session_is_full(const struct publish_session_set *set, enum publish_session_role role);
bool publish_session_is_hopeless(
    const struct publish_session_set *set, enum publish_session_role role);

/* A refusal before any request: the error, then close. */
void publish_session_refuse(struct publish_session *s, enum error_code code, const char *message);

/* ---- for publish_request.c, publish_stream.c, api.c ---- */

struct publish_session_answer {
	unsigned status;
	struct slice content_type;
	struct slice allow; /* of a 405, or OPTIONS */
	struct slice body;
};

/* Queues a whole answer and goes on to the next request (or LAST). */
void publish_session_answer(struct publish_session *s, const struct publish_session_answer *answer);
void publish_session_json(struct publish_session *s, struct slice body);
void publish_session_error(struct publish_session *s, enum error_code code, const char *message);
void publish_session_fault(struct publish_session *s, const struct event_fault *fault);
void publish_session_not_allowed(struct publish_session *s, struct slice allow);

/* Queues "100 Continue" for a client that waits for it before it sends the body (RFC 9110, 10.1.1). */
void publish_session_continue(struct publish_session *s, const struct http_request *request);

/* Queues only a head (of an answer that goes on by itself); chunked or until close. */
void publish_session_head(struct publish_session *s, struct slice content_type, bool chunked);

/* The session has something to send, or is to be swept: the end of the turn looks at it. */
void publish_session_touch(struct publish_session *s);

/* True while nothing may be consumed: answers unsent, or the answer at hand is not made yet, or the last one was. */
bool publish_session_paused(const struct publish_session *s);

/* Memory was refused, or the connection is beyond saving: closes at the end of the turn, without an answer. */
void publish_session_abandon(struct publish_session *s);

/* A scratch of at least so many bytes, good until the next call; .bytes is NULL when memory is refused. */
struct out publish_session_scratch(struct publish_session_set *set, size_t len);

/* Appends `"code":...,"message":...[,"path":...]`. */
void publish_session_fault_members(struct out *o, const struct event_fault *fault);

#endif
