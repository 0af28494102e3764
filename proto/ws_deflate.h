/*
 * ws_deflate.h: permessage-deflate as it is offered and answered (RFC 7692 sections 5 and 7.1), over the grammar of
 * Sec-WebSocket-Extensions (RFC 6455 section 9.1). The compression itself is elsewhere; here is no zlib.
 *
 * A client lists offers, in one field or in several, in its order of preference. They are taken field by field; nothing
 * is kept but the best offer so far:
 *
 *     permessage-deflate; server_max_window_bits=10, x-other, permessage-deflate
 *     `--- offer, a window smaller than ours ---'             `- offer, wins ---'
 *
 * An offer with a parameter that is unknown, repeated, or has a value that it must not have is declined, and the next one is
 * looked at; extensions that are not ours are ignored; what the grammar does not allow fails the handshake. We compress
 * with one window for all (2^15, each message by itself), so the first offer that lets us wins; else the first: its client gets
 * the window that it insists on, and messages that are not compressed, which RFC 7692 section 6 leaves to each message.
 */
#ifndef PROTO_WS_DEFLATE_H
#define PROTO_WS_DEFLATE_H

#include "proto/slice.h"

#define WS_DEFLATE_BITS_MIN 8
#define WS_DEFLATE_BITS_MAX 15
#define WS_DEFLATE_ANSWER_BYTES 128 /* room for every answer */

/* The parameters of one offer, or of an answer. */
struct ws_deflate {
	uint8_t server_bits;    /* server_max_window_bits, 8-15; 0: absent */
	uint8_t client_bits;    /* client_max_window_bits, 8-15; 0: absent, or without a value */
	bool server_forgets;    /* server_no_context_takeover */
	bool client_forgets;    /* client_no_context_takeover */
	bool client_takes_bits; /* client_max_window_bits is there, with or without a value */
};

enum ws_deflate_rank {
	WS_DEFLATE_NONE,  /* no offer that can be accepted */
	WS_DEFLATE_INPUT, /* what the client sends may be compressed, what we send is not */
	WS_DEFLATE_BOTH,
};

/* Every Sec-WebSocket-Extensions field of a head; begins as zeroes. */
struct ws_deflate_offers {
	struct ws_deflate best; /* when rank is not NONE */
	uint8_t rank;           /* enum ws_deflate_rank, of best */
	bool fields;            /* there was such a field */
	bool extensions;        /* it named an extension, whichever */
	bool malformed;         /* one of them breaks the grammar */
};

/* Takes the value of one field; several are one list (RFC 9110 section 5.3). */
void ws_deflate_field(struct ws_deflate_offers *offers, struct slice value);

/* True when the handshake must fail: the fields are not as RFC 6455 section 9.1 says, or name nothing. */
bool ws_deflate_malformed(const struct ws_deflate_offers *offers);

/*
 * The answer to the best offer, of which there is one. `keeps` says that we would remember the client's messages from one to
 * the next; the client may forbid itself to make use of it, and then we need not.
 */
struct ws_deflate ws_deflate_answer(const struct ws_deflate_offers *offers, bool keeps);

/* Appends an answer as the value of a field. Read as an offer it gives the same parameters. */
void ws_deflate_render(struct out *o, const struct ws_deflate *answer);

#endif
