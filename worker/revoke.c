/*
 * revoke.c: see revoke.h. Members are gone through downwards: whoever leaves moves the last one, which was looked at, into the gap.
 * No send is queued meanwhile, so that nobody but who is looked at leaves; between two turns anybody may, and the channel with them.
 */
#include "worker/revoke.h"

#include <assert.h>
#include <string.h>

#include "proto/ws_frame.h"
#include "worker/conn.h"
#include "worker/serve_poll.h"
#include "worker/serve_sse.h"
#include "worker/serve_ws.h"
#include "worker/worker.h"

#define MEMBERS_A_TURN 256 /* as many as a drain ends */
#define CHANNELS_A_TURN 65536

/* Why, as the client is told it. */
struct reason {
	const char *word;
	unsigned close_code; /* of bare data, which cannot be told otherwise */
};

static const struct reason deleted = {"deleted", WS_CLOSE_NORMAL};
static const struct reason forbidden = {"forbidden", WS_CLOSE_POLICY};

static void
end_subscription(struct worker *w, uint32_t slot, struct slice name, const struct reason *reason)
{
	struct slot *s = worker_slot(w, slot);

	if ((s->flags & CONN_CLOSE_AFTER) != 0)
		return; /* is on its way out */
	if (s->state == CONN_HELD) {
		serve_poll_release(
		    w, slot); /* with what there is, and the gap; it comes again by itself */
	} else if (conn_is_poll(s)) {
		extra_of(w, s)->request.wait_ms = 0; /* its answer is on the way: it is not held */
	} else if (s->offset != 0) {                 /* half a frame cannot be taken back */
		conn_close(w, slot, BOARD_CLOSED_ADMIN);
	} else if (conn_is_sse(s)) {
		serve_sse_end(w, slot);
	} else if (conn_is_raw(s)) {
		serve_ws_end(w, slot, reason->close_code, reason->word);
	} else {
		conn_unsubscribe(w, slot, name);
		if (s->state == CONN_LIVE)
			extra_subs_close(w, s);
		serve_ws_unsubscribed(w, slot, name, slice_text(reason->word));
	}
}

/*
 * Ends subscriptions of the channel with this index: of the members below `left`, up to `max`. Returns how many were not looked at.
 * The channel goes with its last member, unless it is in the round.
 */
static uint32_t
end_members(
    struct worker *w, uint32_t index, uint32_t left, uint32_t max, const struct reason *reason)
{
	struct channel *c = channel_at(w, index);
	char bytes[LIMIT_CHANNEL_NAME_BYTES];
	const struct slice name = slice_of(bytes, c->name_len);

	assert(w->deliver.flight_count == 0);
	memcpy(bytes, c->name, c->name_len);
	if (left > c->member_count)
		left = c->member_count;
	/* Nobody has left of those below, so while there are any there is the channel. */
	for (; left != 0 && max != 0; max--)
		end_subscription(w, channel_member(c, --left), name, reason);
	return left;
}

void
revoke_channel(struct worker *w, struct slice name)
{
	const struct channel *c = channel_find(w, ring_hash(&w->ring, name.bytes, name.len), name);

	if (c != NULL)
		end_members(w, c->index, UINT32_MAX, UINT32_MAX, &deleted);
}

void
revoke_closed(struct worker *w)
{
	w->revoke = (struct revoke){.channel = 1, .left = UINT32_MAX};
}

bool
revoke_run(struct worker *w)
{
	struct revoke *r = &w->revoke;
	uint32_t members = MEMBERS_A_TURN;

	if (r->channel == 0)
		return false;
	for (uint32_t looked = 0; looked < CHANNELS_A_TURN; looked++) {
		const struct channel *c;

		if (r->channel >= w->channels.index_count) {
			*r = (struct revoke){0};
			return false;
		}
		c = w->channels.by_index[r->channel];
		if (c != NULL && c->closed) {
			const uint32_t left = r->left < c->member_count ? r->left : c->member_count;

			r->left = end_members(w, r->channel, left, members, &forbidden);
			members -= left - r->left;
			if (r->left != 0)
				return true;
		}
		r->channel++;
		r->left = UINT32_MAX;
	}
	return true;
}
