/*
 * bench_client.h: one of many clients: what it sends, and what it understands of the bytes that come. No sockets: bench_load.c reads and
 * writes.
 *
 * A client keeps bytes only while something is incomplete (`held`), so many of them are cheap.
 */
#ifndef MASTER_CTL_BENCH_CLIENT_H
#define MASTER_CTL_BENCH_CLIENT_H

#include "master/ctl/bench_ledger.h"
#include "master/ctl/bench_plan.h"
#include "proto/http_body.h"

enum bench_client_state {
	BENCH_CLIENT_AWAY,       /* no connection */
	BENCH_CLIENT_CONNECTING, /* connect(2) is under way */
	BENCH_CLIENT_ASKED,      /* the request is sent */
	BENCH_CLIENT_GREETED,    /* a stream began; ringcast's welcome is to come */
	BENCH_CLIENT_OPEN,       /* established */
};

struct bench_client {
	struct bench_account account;
	uint64_t cursor; /* ringcast's: where it goes on; 0: none yet */
	uint64_t dialled_ns;
	char *held;               /* bytes of something incomplete */
	struct http_body *chunks; /* of a chunked stream; NULL: it is not */
	char *validators;         /* header lines that another server's long poll sends back */
	uint32_t held_len;
	int fd;
	uint32_t due_next; /* bench_load.c's list of what is to be done later */
	uint8_t state;     /* enum bench_client_state */
	bool established;  /* was open on this connection: its end is a cut */
	bool due;          /* in that list */
};

/* What came of bytes. */
enum bench_client_verdict {
	BENCH_CLIENT_MORE,      /* wait for more */
	BENCH_CLIENT_AGAIN,     /* a poll is answered: ask again */
	BENCH_CLIENT_LATER,     /* a short poll is answered: ask again in a while */
	BENCH_CLIENT_REFUSED,   /* the answer is no stream */
	BENCH_CLIENT_ENDED,     /* the server says goodbye */
	BENCH_CLIENT_MALFORMED, /* not of the protocol */
};

/* How the bytes of one read are understood. */
struct bench_reading {
	const struct bench_plan *plan;
	struct bench_ledger *ledger;
	uint64_t now_ns;
	struct out *reply; /* what is to be sent back: pongs, a hello */
};

/* Appends the request of this client. */
void bench_client_request(
    const struct bench_plan *plan, const struct bench_client *client, struct out *o);

/* Understands bytes, which begin with what was held; *used is how many of them are done with. */
enum bench_client_verdict bench_client_take(
    const struct bench_reading *r, struct bench_client *client, struct slice in, size_t *used);

/* Forgets the connection, not the account. */
void bench_client_part(struct bench_client *client);

#endif
