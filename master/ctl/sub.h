/*
 * sub.h: what the transports of `ringcast sub` share: where it is in the sequence of events, and how events are printed.
 *
 * sub.c connects again and again; a transport (sub_sse.c, sub_ws.c, sub_poll.c) works on one connection until it ends and
 * says what is to come then. The cursor is the newest of what was printed or told by `welcome` and `live`: so a new
 * connection goes on without a hole or a repetition, by whatever transport.
 */
#ifndef MASTER_CTL_SUB_H
#define MASTER_CTL_SUB_H

#include "master/ctl/client.h"

enum sub_transport { SUB_SSE, SUB_WS, SUB_POLL, SUB_LONGPOLL };

enum sub_end {
	SUB_AGAIN, /* connect again, after a pause */
	SUB_DONE,  /* --count is reached */
	SUB_FINAL, /* it would fail again: said why */
};

struct sub {
	struct ctl *c;
	struct url url;
	struct ctl_operands channels;
	enum sub_transport transport;
	const char *after; /* as given; counts until a cursor is known */
	bool data_only;
	uint64_t count_max; /* 0: no end */
	uint64_t count;
	uint64_t cursor;
	bool has_cursor;
	bool was_connected; /* at any time: before that the first failure is the last */
	bool let_go;       /* the server ended a subscription: a new connection takes it up again */
	unsigned tries;    /* in a row, without a welcome */
	unsigned retry_ms; /* what the server asks for; 0: nothing */
	unsigned beat_s;   /* 0: not known */
	struct publish_buffer scratch;
};

/* Appends the path and query of a request; more is further parameters, such as "&wait=25". */
void sub_target(const struct sub *s, struct out *o, const char *more);

/* An event object arrived: prints it. True when that was the last one wanted. */
bool sub_event(struct sub *s, struct slice object);

/* A control object arrived. */
void sub_control(struct sub *s, struct slice object);

void sub_gap(struct sub *s, struct slice channel, uint64_t after, uint64_t at);
void sub_reached(struct sub *s, uint64_t cursor);

/* An answer that is no stream: tells it, and whether another try makes sense. */
enum sub_end sub_refused(struct sub *s, const struct client_answer *answer);

/* How long silence may last before the connection counts as dead. */
int sub_silence_ms(const struct sub *s);

/* The transports: a connection that was just opened, to its end. */
enum sub_end sub_sse_run(struct sub *s, struct client *client);
enum sub_end sub_ws_run(struct sub *s, struct client *client);
enum sub_end sub_poll_run(struct sub *s, struct client *client);

#endif
