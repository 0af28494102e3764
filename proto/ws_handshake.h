/*
 * ws_handshake.h: the WebSocket opening handshake (RFC 6455 section 4), both sides.
 *
 * The HTTP parser knows the heads; here arrives, field by field, what a handshake is made of. Names
 * are compared without case; fields that mean nothing to a handshake are ignored, so a caller may
 * pass every field of the head. Repeated Upgrade, Connection and Sec-WebSocket-Protocol fields are
 * one list, as HTTP has it, and so are Sec-WebSocket-Extensions, of which ws_deflate.h keeps the best
 * offer. Slices are borrowed: the head must outlive the struct's use.
 *
 *     server:  _start, _field for each field, _check, _render_answer
 *     client:  _render_request; of the answer _start, _field for each field, _verify
 */
#ifndef PROTO_WS_HANDSHAKE_H
#define PROTO_WS_HANDSHAKE_H

#include "proto/slice.h"
#include "proto/ws_deflate.h"

#define WS_HANDSHAKE_KEY_CHARS 24    /* 16 bytes in base64 */
#define WS_HANDSHAKE_ACCEPT_CHARS 28 /* 20 bytes in base64 */
#define WS_HANDSHAKE_NO_PROTOCOL (-1)

struct ws_handshake {
	const struct slice *known; /* subprotocols that we speak, in no order; borrowed */
	size_t known_count;
	struct slice key;     /* Sec-WebSocket-Key, in an answer -Accept; the first one */
	struct slice version; /* Sec-WebSocket-Version, the first one */
	struct ws_deflate_offers extensions; /* every Sec-WebSocket-Extensions */
	int protocol;                        /* index of the first that is known, or NO_PROTOCOL */
	uint8_t upgrade;                     /* 1 when an Upgrade field names websocket */
	uint8_t connection;                  /* 1 when a Connection field names upgrade */
	uint8_t keys;                        /* how many keys (accepts) there were, saturating */
	uint8_t versions;                    /* how many versions there were, saturating */
	uint8_t protocols;                   /* how many subprotocols were named, saturating */
};

enum ws_handshake_result {
	WS_HANDSHAKE_OK = 1,
	WS_HANDSHAKE_NO_UPGRADE = -1,    /* Upgrade without websocket, or HTTP/1.0: 426 */
	WS_HANDSHAKE_NO_CONNECTION = -2, /* Connection without upgrade: 426 */
	WS_HANDSHAKE_BAD_METHOD = -3,    /* not GET: 400 */
	WS_HANDSHAKE_BAD_KEY = -4,       /* missing, repeated, or not 16 bytes in base64: 400 */
	WS_HANDSHAKE_BAD_VERSION = -5,   /* missing, repeated, or not 13: 426 */
	WS_HANDSHAKE_BAD_STATUS = -6,    /* client: the status is not 101 */
	WS_HANDSHAKE_BAD_ACCEPT = -7,    /* client: not the Accept that belongs to our key */
	WS_HANDSHAKE_BAD_PROTOCOL = -8,  /* client: selected, but not offered */
	WS_HANDSHAKE_BAD_EXTENSION = -9, /* client: selected, but none was offered */
	WS_HANDSHAKE_MALFORMED_EXTENSIONS = -10 /* Sec-WebSocket-Extensions: 400 (RFC 6455 9.1) */
};

/*
 * Begins with no field seen. known[known_count] are the subprotocols we speak (server) or offered
 * (client).
 */
void ws_handshake_start(struct ws_handshake *h, const struct slice *known, size_t known_count);

/* Takes one header field; the value with or without white space around it. */
void ws_handshake_field(struct ws_handshake *h, struct slice name, struct slice value);

/*
 * True when the request means to be a handshake: Upgrade names websocket, or there is a
 * Sec-WebSocket-Key (then a proxy has removed Upgrade, and ws_handshake_check says so).
 */
bool ws_handshake_wanted(const struct ws_handshake *h);

/*
 * Server: judges the request (RFC 6455 4.2.1). minor is that of HTTP/1.minor. OK, or what to refuse
 * it for.
 */
enum ws_handshake_result ws_handshake_check(
    const struct ws_handshake *h, struct slice method, unsigned minor);

/*
 * The HTTP status to refuse a request with: 400 or 426; 101 for OK, 0 for the results that only a
 * client sees.
 */
unsigned ws_handshake_status(enum ws_handshake_result result);

/* A sentence for people, without a full stop: what is wrong, and where it helps, why. Static. */
const char *ws_handshake_text(enum ws_handshake_result result);

/*
 * Computes Sec-WebSocket-Accept for a key as it was sent (RFC 6455 4.2.2, item 5.4). Not
 * terminated.
 */
void ws_handshake_accept(char accept[static WS_HANDSHAKE_ACCEPT_CHARS], struct slice key);

/*
 * Server: appends the whole 101 answer with its blank line, for a request that ws_handshake_check
 * found OK. The selected subprotocol, if any, is known[protocol]. extensions is the accepted
 * Sec-WebSocket-Extensions value, empty for none.
 */
void ws_handshake_render_answer(
    struct out *o, const struct ws_handshake *h, struct slice extensions);

/*
 * Client: appends a whole request head with its blank line. target is path and query; key is
 * WS_HANDSHAKE_KEY_CHARS of base64 of 16 random bytes; protocols is a comma-separated list, empty
 * for none. The caller vouches that no slice holds CR or LF.
 */
void ws_handshake_render_request(struct out *o, struct slice host, struct slice target,
    struct slice key, struct slice protocols);

/* Client: judges the answer to a request with this key (RFC 6455 4.1, end). */
enum ws_handshake_result ws_handshake_verify(
    const struct ws_handshake *h, unsigned status, struct slice key);

#endif
