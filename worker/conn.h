/*
 * conn.h: the life of a connection: taken from the master, states, parked polls, subscriptions, deadlines, the end.
 *
 *     HEAD <-> BODY -> ANSWER -> HEAD        a client's publish
 *     HEAD -> CATCHUP <-> HELD -> HEAD       a poll
 *     HEAD -> CATCHUP <-> LIVE               SSE, WebSocket
 *     any  -> LINGER -> CLOSED -> (swept) FREE
 *
 * Nothing is freed where the end is noticed: conn_close marks, takes the connection out of channels and timers, and the sweep at
 * the end of the turn closes the descriptor and gives the slot back.
 */
#ifndef WORKER_CONN_H
#define WORKER_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/cursor.h"
#include "proto/slice.h"
#include "shm/board.h"

struct worker;
struct slot;

/* Takes a connection over: it has a slot, and its first read is parked. False: none free; the caller closes the descriptor. */
bool conn_accept(struct worker *w, int descriptor, uint32_t peer_hash);

/* Marks the end; `cause` is the counter to blame (BOARD_CLOSED_..., BOARD_SHED_...). Closing twice is harmless. */
void conn_close(struct worker *w, uint32_t slot, enum board_counter cause);

/* Ends the connection once its tail is out: our side is shut, then the client has a moment to read and close. */
void conn_finish(struct worker *w, uint32_t slot);

/* Gives back all that was closed in this turn. */
void conn_sweep(struct worker *w);

void conn_set_state(struct worker *w, uint32_t slot, uint8_t state);
void conn_set_dialect(struct worker *w, uint32_t slot, uint8_t dialect);

/* The socket is full: nothing is sent before it has room again. */
void conn_block(struct worker *w, uint32_t slot);

/* What was queued is out: goes on with what comes next. */
void conn_sent(struct worker *w, uint32_t slot);

/* Parks the poll that the connection's state wants, unless it is parked. */
void conn_arm(struct worker *w, uint32_t slot);

/* Whether input may be read: not while output is stuck before it. */
bool conn_reads(struct worker *w, uint32_t slot);

/* Completions. `events` are poll's, or a negative errno. */
void conn_input(struct worker *w, uint32_t slot, int32_t events);
void conn_hangup(struct worker *w, uint32_t slot, int32_t events);
void conn_output(struct worker *w, uint32_t slot, int32_t events);

/* The client has ended its side: pending answers are finished, then the connection ends. */
void conn_half_closed(struct worker *w, uint32_t slot);

/* Its deadline has come. */
void conn_due(struct worker *w, uint32_t slot);

/* Arms everything of every connection again, after completions may have been lost. */
void conn_rescan(struct worker *w);

/* What a connection may be refused. */
enum conn_refusal { CONN_SUBSCRIBED, CONN_ALREADY, CONN_FORBIDDEN, CONN_TOO_MANY, CONN_NO_MEMORY };

/*
 * "From now on" becomes a cursor. Once a request: the channels that it names, and the cursor that its client is told, must be at one
 * place, though the ring goes on meanwhile.
 */
void conn_decide_now(struct worker *w, struct cursor *after);

/* Subscribes, from the cursor on, which is decided. The connection must then go through replay_start. */
enum conn_refusal conn_subscribe(
    struct worker *w, uint32_t slot, struct slice channel, const struct cursor *after);

/* False: it was not subscribed. */
bool conn_unsubscribe(struct worker *w, uint32_t slot, struct slice channel);
void conn_unsubscribe_all(struct worker *w, uint32_t slot);

/* How many channels it is subscribed to, and the i-th of them. */
uint32_t conn_channel_count(struct worker *w, const struct slot *s);
uint32_t conn_channel(struct worker *w, const struct slot *s, uint32_t i);

bool conn_is_websocket(const struct slot *s);
bool conn_is_raw(const struct slot *s);    /* a WebSocket of bare data */
bool conn_is_packed(const struct slot *s); /* a WebSocket whose events are compressed */
bool conn_is_sse(const struct slot *s);
bool conn_is_poll(const struct slot *s);
bool conn_is_stream(const struct slot *s);

/* "<ordinal>-<generation><slot>", not terminated; returns its length. */
size_t conn_name(const struct worker *w, uint32_t slot, char *name);

#endif
