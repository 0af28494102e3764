/*
 * extra.h: what a connection needs beyond its slot, while it needs it: input and output that a read or a send cut, several
 * subscriptions, places in the ring while it catches up, the request in hand.
 *
 * An idle client on one channel has none (slot.extra is 0).
 */
#ifndef WORKER_EXTRA_H
#define WORKER_EXTRA_H

#include "proto/event.h"
#include "proto/http_body.h"
#include "proto/ws_input.h"
#include "shm/ring_seek.h"
#include "shm/slots.h"
#include "worker/buffer.h"

struct deflate_window;
struct worker;

/* Where a subscription stands while its connection catches up. */
enum sub_phase {
	SUB_CURRENT, /* nothing newer than its cursor, when we last looked */
	SUB_SEEK,    /* its first event is to be looked for: seek is running */
	SUB_AT,      /* next_position and next_id are its first event */
};

struct sub {
	/* the subscription begins behind this id; what lies before is no business of it */
	uint64_t since;
	/* everything of this channel up to here was delivered; while catching up */
	uint64_t cursor;
	uint64_t position, id; /* hint: the last record delivered; 0: none */
	uint64_t next_position, next_id;
	/* the last gap, (after, at]: nothing in it was delivered. Still to be told when gap */
	uint64_t gap_after, gap_at;
	uint64_t lost_id; /* after=0: what the ring had lost when it was asked for */
	struct ring_seek *seek;
	uint32_t channel;
	uint32_t member;
	uint32_t last; /* CURSOR_LAST: how many; 0: the cursor counts */
	uint8_t phase; /* enum sub_phase */
	bool gap;
	bool gapless; /* of a poll after 0 or -N, which are told of no gap */
	bool told;    /* a gap of this subscription was told (lag "latest" tells one once) */
	/* fell behind since it was live or began: a gap is of the ring's making, not of a cursor that was too old */
	bool lags;
};

/* What the answer to the request in hand needs to know. Held polls keep it, so it is small. */
struct request {
	const char *allow_origin; /* NULL: none; malloc'ed when the request is kept */
	uint32_t allow_origin_len;
	uint32_t wait_ms; /* poll: how long it may be held; 0: answer at once */
	uint16_t limit;   /* poll: events */
	bool kept;        /* in an extra: there is a request in hand */
	bool head_only;
	bool vary;
	bool credentials;
	bool vary_encoding; /* poll: it might have been compressed */
	bool gzip;          /* poll: the client takes it; when a head is written: the body is */
};

/* A client's publish while it is read. */
struct publishing {
	struct http_body body;
	uint64_t body_ns;  /* when it began */
	uint8_t body_kind; /* enum event_body */
	char *channel;     /* malloc'ed */
	size_t channel_len;
	char *type; /* malloc'ed; NULL: message */
	size_t type_len;
	char *key; /* malloc'ed; NULL: none */
	size_t key_len;
};

/* A WebSocket in the middle of a frame or message. */
struct ws_partial {
	struct ws_input input;
	uint8_t control[WS_FRAME_CONTROL_BYTES_MAX];
	uint8_t control_len;
	uint64_t begun_ns; /* when it began */
	uint16_t
	    beat_due; /* the next ping, in ticks: the slot's deadline may be the message's, which is sooner */
};

struct extra {
	struct buffer tail; /* bytes to be sent before anything else */
	uint32_t tail_off;  /* how many of them are sent */
	uint32_t cut_order; /* of the event's channels, the one that it is shown as */
	uint64_t cut_id;    /* the event whose frame is half sent; when slot.offset is not 0 */
	uint64_t cut_hash;  /* of that frame, when it is compressed */
	/* what was read and could not be used yet: part of a head, a body, a message */
	struct buffer input;
	uint32_t input_seen; /* of a head that was not whole: how much of it was looked at */
	/* when sub_count is not 0 they are all of the connection's subscriptions */
	struct sub *subs;
	uint32_t sub_count, sub_cap;
	struct request request;        /* a poll that is being answered or held, or a publish */
	struct publishing *publishing; /* what belongs to the request when it is a publish */
	struct ws_partial *ws;
	struct deflate_window *window; /* of a client that insists on takeover */
	uint32_t next_free;
};

#define EXTRA_CHUNK 256

struct extras {
	struct extra **chunks;
	uint32_t chunk_count, chunk_cap;
	uint32_t free_list; /* 0: empty; index 0 is never used */
	uint32_t used;
	uint64_t tail_bytes;  /* in all tails */
	uint64_t input_bytes; /* allocated for all inputs */
};

/* The connection's extra, or NULL. */
struct extra *extra_of(struct worker *w, const struct slot *s);

/* The same, made when missing; NULL: no memory. */
struct extra *extra_need(struct worker *w, struct slot *s);

/* Gives the extra back when nothing of it is needed any more. */
void extra_trim(struct worker *w, struct slot *s);

/* Gives it back with all that it holds. */
void extra_drop(struct worker *w, struct slot *s);

/*
 * Keeps what a client has sent for when more of it has come. False: all clients together hold too much of that (LIMIT_INPUT_BYTES),
 * or there is no memory; nothing was kept, and it is counted.
 */
bool extra_input_add(struct worker *w, struct extra *x, const char *bytes, size_t len);

/* Moves it out: the caller frees it. */
struct buffer extra_input_take(struct worker *w, struct extra *x);
void extra_input_free(struct worker *w, struct extra *x);

/* The sub that belongs to a channel, or NULL (also when the connection has no subs but its slot's channel). */
struct sub *extra_sub(struct worker *w, const struct slot *s, uint32_t channel);

/* Room for one sub more, zeroed; NULL: no memory. */
struct sub *extra_sub_add(struct worker *w, struct slot *s);

/* Takes a sub out of the list. */
void extra_sub_remove(struct worker *w, struct slot *s, struct sub *sub);

/* Moves the slot's only subscription into the extra, so that it can hold a place. False: no memory. */
bool extra_subs_open(struct worker *w, struct slot *s);

/* The other way round, when there is just one. */
void extra_subs_close(struct worker *w, struct slot *s);

void extra_request_free(struct extra *x);
void extra_free_all(struct worker *w);

#endif
