/*
 * storm.h: a population of clients of every transport, a stream of events, and trouble while it
 * runs.
 *
 * The common part of the end-to-end tests of delivery: who is there, how fast is published, what is
 * cut, and the end of it: everybody has everything, everybody comes back once more with its cursor
 * and gets nothing twice.
 */
#ifndef TESTS_LIB_STORM_H
#define TESTS_LIB_STORM_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/client.h"
#include "tests/lib/ledger.h"
#include "tests/lib/publisher.h"
#include "tests/lib/server.h"
#include "tests/lib/tap.h"

struct storm_options {
	/* Of each of: poll, long poll, SSE (half of them JSON), WebSocket (half by subscribe). */
	unsigned clients;
	unsigned channels;
	uint32_t events;
	unsigned events_per_s;
	unsigned padding;
	unsigned cuts_per_s;    /* clients that cut themselves and come back */
	unsigned kill_every_ms; /* a worker gets SIGKILL; 0: never */
	unsigned settle_s;      /* for the last deliveries */
	/* Called in every turn while events are published; NULL: nothing. */
	void (*each_turn)(void *context, struct server *s);
	void *context;
};

struct storm {
	struct ledger ledger;
	struct clients clients;
	struct publisher publisher;
	uint32_t kills;
	uint64_t cuts;
};

bool storm_open(struct storm *w, const struct server *s, const struct storm_options *o);
/* Adds `count` clients of a transport, on random channels (1 to 4 each). */
void storm_add(struct storm *w, enum client_transport transport, unsigned count);
/* Publishes and troubles until all is acknowledged. */
void storm_blow(struct storm *w, struct server *s, const struct storm_options *o);
/* Waits for the last deliveries, then lets everybody reconnect and be told that it is live. */
void storm_settle(struct tap *t, struct storm *w, const struct storm_options *o);
void storm_close(struct storm *w);

/* All of it, with ledger_judge() at the end. */
void storm_run(struct tap *t, struct server *s, const struct storm_options *o);

/* Cuts everybody, and turns until everybody was told `live` on a new connection. */
bool storm_all_live(struct clients *e, unsigned ms);

#endif
