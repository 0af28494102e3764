/*
 * fanout.h: brings news to the members of channels.
 *
 * A channel with news is in a round with others like it. When its turn comes, a pass goes over its members from the last to the
 * first, a bounded number a visit, so that no channel makes another wait. Each member sends what its waves hold beyond its cursor:
 * everything new is one write, whatever came while the pass was under way included. When the pass is through, frames that
 * everybody has are dropped; if newer ones are left, there is another pass.
 */
#ifndef WORKER_FANOUT_H
#define WORKER_FANOUT_H

#include <stdbool.h>
#include <stdint.h>

struct worker;
struct channel;

/* The channel has something new, from this id on. */
void fanout_news(struct worker *w, struct channel *c, uint64_t id);

/*
 * What lies in (from, to] did not get into its waves: they begin anew behind it. Members that stand before it read the ring by
 * themselves until they are past it. No send may be queued.
 */
void fanout_cut(struct worker *w, struct channel *c, uint64_t from, uint64_t to);

/*
 * Moves the cursor of a live or held connection up to what it certainly lacks nothing of. While a channel is quiet cursors stay where
 * they are, and by a cursor that is too old a gap would be seen that is none.
 */
void fanout_settle(struct worker *w, uint32_t slot);

/* Goes round the channels, for at most `sends` sends. True: there is more to do. */
bool fanout_run(struct worker *w, uint32_t sends);

#endif
