/*
 * script.h: a row of a table as a script for one WebSocket. Its lines are done in order. An @ in a value stands for a
 * channel that only this run of the row uses.
 *
 * The handshake. Without these lines it is a good one: ringcast.raw on the row's channel, where every client may publish
 * and hears what it published, so that the server is an echo.
 *     open: v1                     asks for no subprotocol and so speaks ringcast.v1 (`open: raw` is what is done otherwise)
 *     method: POST  version: HTTP/1.0  target: /events?channel=@
 *     set: Name: value             replaces a field; `add` adds one more, `drop: Name` takes one away, `body` adds a body
 *     before: 8 1000               before we connect, 8 events of 1000 bytes are published to the channel
 *     window: 4096                 a client with a small receive buffer
 *     status: 426                  of the answer (101 where none is named)
 *     answer: Name: value          a field of it; `lacks: Name`: it has no such field; `code: word`: of the error in its body
 *     again: yes                   a good handshake follows on the same connection, and gets its 101
 * Then
 *     send: text,more Hel          a frame in the words of frame_spec.h; `send` lines in a row are one write
 *     want: text Hello             the next message; `binary`; {"op":"pong"}: JSON with these members, "*" is any value,
 *                                  "(none)" a member that is not there; objects `live` are passed over where none is wanted
 *     also: {"op":"published"}     this and the `want` before it are the next two messages, in either order
 *     may: text Hello              a message that may have come or not; `may: burst 8 1000`: the first ones of a burst
 *     want: pong x                 the next control frame; `ping`; `pongs 100`: those to `send: pings 100`
 *     want: closed 1002 [reason]   a close frame, nothing behind it, and the end of the stream at once (`closed`: no code)
 *     want: ended                  the end of the stream without a close frame
 *     burst: 8 1000                8 events of 1000 bytes are published; `want: burst 8 1000` are those
 *     publish: {"channel":"@"}     an envelope, by the publish socket
 *     witness: yes                 a second client of the channel; `hears: text x` is what comes to it next
 *     half-close: yes              we end our side; `abort: yes`: by a reset
 *
 * A row ends with a marker, unless the connection has ended: what it did not want must not have come before that.
 */
#ifndef TESTS_LIB_SCRIPT_H
#define TESTS_LIB_SCRIPT_H

#include "tests/lib/peer.h"
#include "tests/lib/server.h"
#include "tests/lib/table.h"

#define SCRIPT_VALUE_BYTES 8192
#define SCRIPT_FIELDS_MAX 24
#define SCRIPT_KEYS_MAX 32

/* How bytes are written: line by line; the first of them in one segment with the handshake; each alone; cut in two. */
enum script_delivery { SCRIPT_WRITES, SCRIPT_JOINED, SCRIPT_BYTES, SCRIPT_CUT };

struct script {
	const struct server *server; /* of script_new, as is `source` */
	unsigned source; /* of the address that it connects from, and of its channels' names */
	unsigned runs;
	char why[400];   /* what did not hold */
	size_t cuttable; /* bytes of the first write behind the handshake */
	/* the row */
	const struct table_row *row;
	enum script_delivery delivery;
	size_t cut, line;
	char channel[32], value[SCRIPT_VALUE_BYTES];
	/* the request */
	char method[32], version[16], target[1024], body[256];
	char fields[SCRIPT_FIELDS_MAX][SCRIPT_VALUE_BYTES];
	unsigned field_count;
	bool raw, own_key;
	int window;
	/* the connection */
	struct peer peer, witness;
	struct wire_http answer;
	bool opened, answered;
	bool gone; /* it has ended as the row wanted */
	char *out; /* what is to be written */
	size_t out_len;
};

/* NULL when there is no memory. */
struct script *script_new(const struct server *server, unsigned source);
void script_free(struct script *s);

/* The keys that a row may hold, ended by NULL. */
void script_keys(const char *keys[static SCRIPT_KEYS_MAX]);

/* Runs a row on a connection of its own; `cut`: where, for SCRIPT_CUT. False: `why` says what did not hold. */
bool script_run(
    struct script *s, const struct table_row *row, enum script_delivery delivery, size_t cut);

/* True when the first thing that the row does behind a good handshake is to send: that can come in its segment. */
bool script_can_join(const struct table_row *row);

#endif
