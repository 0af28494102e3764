/*
 * ledger.h: the events of a run and the books of every client.
 *
 * Event n is a pure function of n: its channels, type and data, with its number, a sequence number
 * per channel and a checksum in the data. What a client receives is compared byte for byte with
 * what must have been published; a bitmap per client finds what was lost or came twice. Ids come
 * from the publisher's answers.
 *
 * Event n: channels  n % channel_count, and for n % 5 == 0 also the neighbour (number ^ 1)
 *          form      n % 4: 0 text, 1 object with odd spaces, 2 lines with escapes, 3 array
 */
#ifndef TESTS_LIB_LEDGER_H
#define TESTS_LIB_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/client.h"
#include "tests/lib/publisher.h"
#include "tests/lib/tap.h"

struct ledger_gap {
	uint32_t client;
	uint16_t channel;
	uint64_t after, at;
};

struct ledger {
	unsigned channel_count;
	const char **names;   /* "room-00" ... */
	uint32_t event_count; /* events that the run will publish */
	uint32_t published;   /* lines given to the publisher */
	uint32_t acknowledged;
	unsigned padding;   /* bytes added to each event */
	uint64_t *ids;      /* by event number, 0 until acknowledged */
	uint64_t *seen_ids; /* id under which clients saw it */
	uint8_t *bitmaps;   /* a bit an event, for each client */
	uint32_t *last;     /* highest event number + 1 that a client got */
	uint32_t *first;    /* first event that counts for a client */
	size_t client_cap;
	struct ledger_gap *gaps;
	size_t gap_count, gap_cap;
	/* findings */
	uint64_t delivered, duplicated, disordered, foreign, damaged, wrong_id;
	char finding[256]; /* the first of them */
};

bool ledger_open(struct ledger *l, unsigned channel_count, uint32_t event_count, size_t client_cap,
    unsigned padding);
void ledger_close(struct ledger *l);

/* Channels of an event, in the publisher's order: 1 or 2. */
unsigned ledger_channels(const struct ledger *l, uint32_t n, uint16_t channels[2]);
/* The envelope that publishes event n; its length. */
size_t ledger_envelope(const struct ledger *l, uint32_t n, char *buffer, size_t cap);
/* Whether client c is to get event n, and as an event of which channel. */
bool ledger_concerns(const struct ledger *l, const struct client *c, uint32_t n, uint16_t *channel);

/* Hooks for struct clients and struct publisher; the context is the ledger. */
void ledger_on_event(void *context, struct client *c, const struct client_event *e);
void ledger_on_gap(void *context, struct client *c, const struct client_gap *g);
void ledger_on_answer(void *context, uint64_t number, uint64_t id, struct text line);

/* Gives the publisher up to `count` further events. */
void ledger_publish(struct ledger *l, struct publisher *p, uint32_t count);

/*
 * Events that client c must have by now and does not have (all acknowledged ones, from its first).
 */
uint32_t ledger_missing(const struct ledger *l, const struct client *c);
uint64_t ledger_missing_all(const struct ledger *l, const struct clients *e);

/* How what is missing and what gaps declare lie to each other. */
struct ledger_account {
	uint64_t missing;    /* events that clients do not have */
	uint64_t undeclared; /* of these, in no gap */
	uint64_t received;   /* events that a gap declares and the client has */
	uint64_t empty;      /* gaps without a missed event */
};
struct ledger_account ledger_account_gaps(const struct ledger *l, const struct clients *e);

/*
 * One TAP line a property: lost, duplicated, out of order, foreign, damaged, wrong ids, gaps = 0.
 */
void ledger_judge(struct tap *t, const struct ledger *l, const struct clients *e);
/* The same where gaps are to be expected: what is missing is exactly what the gaps declare. */
void ledger_judge_gaps(struct tap *t, const struct ledger *l, const struct clients *e);

#endif
