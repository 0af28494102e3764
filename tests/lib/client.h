/*
 * client.h: many clients of every transport in one epoll loop, each with its cursor, its reconnects
 * and its gaps.
 *
 * A client parses what arrives by itself (client_parse.c): HTTP heads, poll answers, event streams
 * by the WHATWG algorithm, WebSocket frames. Anything the contract does not allow is counted in
 * `violations` with the first of them described. A cut client comes back after its delay with the
 * cursor that the contract tells it to use.
 *
 * A client costs some 200 bytes, and a buffer only while it holds an incomplete answer or frame.
 */
#ifndef TESTS_LIB_CLIENT_H
#define TESTS_LIB_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/wire.h"

#define CLIENT_CHANNELS_MAX 4

enum client_transport {
	CLIENT_POLL,
	CLIENT_LONGPOLL,
	CLIENT_SSE,
	CLIENT_SSE_JSON,
	CLIENT_WS,           /* channels in the URL */
	CLIENT_WS_SUBSCRIBE, /* channels by subscribe messages */
	CLIENT_TRANSPORTS
};

enum client_state {
	CLIENT_IDLE,       /* no connection; comes back at due_ms unless that is 0 */
	CLIENT_CONNECTING, /* connect(2) under way */
	CLIENT_ASKED,      /* request sent, no head yet */
	CLIENT_STREAMING,  /* head received: SSE or WebSocket */
	CLIENT_RESTING     /* keep-alive connection between two polls */
};

struct client {
	uint64_t cursor; /* 0: none yet, starts at the head */
	/* CLIENT_WS_SUBSCRIBE: cursors of channels that are not live yet */
	uint64_t own[CLIENT_CHANNELS_MAX];
	uint64_t due_ms;   /* next thing to do by itself; 0: nothing */
	uint64_t asked_ms; /* when the request was sent */
	char *in;          /* input that is not complete yet */
	uint32_t in_len, in_cap;
	uint32_t index; /* of this client in its engine */
	int fd;
	uint16_t channels[CLIENT_CHANNELS_MAX]; /* numbers of names in the engine */
	uint8_t channel_count;
	uint8_t channel_live;       /* bits: this channel follows `cursor` */
	uint8_t channel_subscribed; /* bits: the answer to subscribe came */
	enum client_transport transport : 8;
	enum client_state state : 8;
	bool opened; /* a welcome or a first answer came on this connection */
	bool live;   /* `live` came on this connection (poll: an answer with more = false) */
	bool paused; /* does not read */
	bool parked; /* stays away after a cut */
	uint16_t close_code; /* last WebSocket close of the server, 0: none */
	bool clean_end;      /* the stream ended by an orderly end, not by a reset */
	uint32_t opens;      /* times it got that far */
	uint32_t received, gaps;
	uint64_t welcome_at;
};

/*
 * An event as a client sees it; slices live during the call. Without a channel (plain SSE) its
 * bytes are NULL.
 */
struct client_event {
	uint64_t id;
	struct text channel;
	struct text type;
	struct text data; /* SSE: the text; else the JSON value as it stands */
	bool data_is_json;
};

struct client_gap {
	struct text channel;
	uint64_t after, at;
};

struct clients {
	int epoll;
	uint16_t port;
	struct client *list;
	size_t count, cap;
	const char *const *names; /* of channels, by number */
	size_t name_count;
	unsigned wait_s;          /* of long polls */
	unsigned rest_ms;         /* a short poll's mean pause */
	unsigned back_ms;         /* mean delay of a reconnect */
	int receive_buffer_bytes; /* SO_RCVBUF of new connections, 0: the system's */
	const char *query;        /* further query of every request, begins with '&'; NULL: none */
	uint64_t random;
	uint64_t scan_ms;    /* next look at who is due */
	unsigned connecting; /* clients in CLIENT_CONNECTING */
	void *context;
	void (*event)(void *context, struct client *c, const struct client_event *e);
	void (*gap)(void *context, struct client *c, const struct client_gap *g);
	/* May be NULL: a connection ended that the test did not cut. */
	void (*ended)(void *context, struct client *c);
	/* counters */
	uint64_t bytes, events, gaps, connects, connect_errors, cuts_by_peer, refused, violations;
	uint64_t repelled; /* SSE clients that got a 5xx: an EventSource never comes back then */
	char violation[256];
	char *buffer; /* shared by all reads */
	char *scratch;
};

bool clients_open(
    struct clients *e, uint16_t port, size_t cap, const char *const *names, size_t name_count);
void clients_close(struct clients *e);

/* Adds a client; it connects in one of the next turns. The cursor may be set before that. */
struct client *clients_add(
    struct clients *e, enum client_transport transport, const uint16_t *channels, unsigned count);

/* One round: waits up to wait_ms for input, handles it, and what is due. */
void clients_turn(struct clients *e, int wait_ms);

/*
 * Cuts the connection; back after `back_ms` (0: at once; -1: stays away). With `reset` unread input
 * makes it an RST.
 */
void clients_cut(struct clients *e, struct client *c, int back_ms, bool reset);
/* Stops and resumes reading. */
void clients_pause(struct clients *e, struct client *c, bool paused);

/* How many have been opened (welcomed or answered) on their present connection. */
size_t clients_opened(const struct clients *e);
/* Turns until all (not parked) are opened, or ms have passed. */
bool clients_settle(struct clients *e, unsigned ms);
const char *client_transport_name(enum client_transport transport);

/* The parsers' half (client_parse.c) calls these. */
void client_violation(struct clients *e, const struct client *c, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void client_lost(struct clients *e, struct client *c, bool clean);
/* Sends the client's request on its connection. */
void client_ask(struct clients *e, struct client *c);
bool client_say(struct clients *e, struct client *c, const void *bytes, size_t len);

/*
 * client_parse.c: takes what was read; returns bytes consumed, or -1 after it called client_lost().
 */
ssize_t client_parse(struct clients *e, struct client *c, char *bytes, size_t len);

#endif
