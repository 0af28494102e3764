/*
 * ws_handshake.c: which fields make a handshake, and the two heads that are exchanged.
 */
#include "proto/ws_handshake.h"

#include "proto/base64.h"
#include "proto/http.h"
#include "proto/sha1.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 1.3 */

static bool
is_named(struct slice name, const char *what)
{
	return http_equal_nocase(name, slice_text(what));
}

static void
count(uint8_t *counter)
{
	if (*counter < UINT8_MAX)
		++*counter;
}

void
ws_handshake_start(struct ws_handshake *h, const struct slice *known, size_t known_count)
{
	*h = (struct ws_handshake){
	    .known = known, .known_count = known_count, .protocol = WS_HANDSHAKE_NO_PROTOCOL};
}

/*
 * Subprotocols in the client's order of preference: the first that we know is the one (section
 * 4.2.2).
 */
static void
take_protocols(struct ws_handshake *h, struct slice list)
{
	struct slice member;

	while (http_list_next(&list, &member)) {
		count(&h->protocols);
		for (size_t i = 0; i < h->known_count && h->protocol < 0; i++)
			if (slice_equal(member, h->known[i]))
				h->protocol = (int)i;
	}
}

static void
take_first(struct slice *first, uint8_t *counter, struct slice value)
{
	if (*counter == 0)
		*first = value;
	count(counter);
}

void
ws_handshake_field(struct ws_handshake *h, struct slice name, struct slice value)
{
	value = http_trim(value);
	if (is_named(name, "upgrade"))
		h->upgrade |= http_list_has(value, SLICE_LITERAL("websocket"));
	else if (is_named(name, "connection"))
		h->connection |= http_list_has(value, SLICE_LITERAL("upgrade"));
	else if (is_named(name, "sec-websocket-key") || is_named(name, "sec-websocket-accept"))
		take_first(&h->key, &h->keys, value);
	else if (is_named(name, "sec-websocket-version"))
		take_first(&h->version, &h->versions, value);
	else if (is_named(name, "sec-websocket-protocol"))
		take_protocols(h, value);
	else if (is_named(name, "sec-websocket-extensions"))
		ws_deflate_field(&h->extensions, value);
}

bool
ws_handshake_wanted(const struct ws_handshake *h)
{
	return h->upgrade || h->keys != 0;
}

/*
 * 16 bytes in base64: 22 characters and "==". The unused bits of the last character are let pass:
 * RFC 6455 does not ask for zeroes, clients in the field send any, and nothing is decoded.
 */
static bool
is_key(struct slice key)
{
	char group[3];

	if (key.len != WS_HANDSHAKE_KEY_CHARS || memcmp(key.bytes + 22, "==", 2) != 0)
		return false;
	for (size_t i = 0; i < 22; i++) {
		char one[4] = {'A', 'A', 'A', key.bytes[i]};

		if (base64_decode(group, sizeof group, slice_of(one, sizeof one)) != sizeof group)
			return false;
	}
	return true;
}

enum ws_handshake_result
ws_handshake_check(const struct ws_handshake *h, struct slice method, unsigned minor)
{
	if (!h->upgrade || minor < 1)
		return WS_HANDSHAKE_NO_UPGRADE;
	if (!h->connection)
		return WS_HANDSHAKE_NO_CONNECTION;
	if (!slice_equal(method, SLICE_LITERAL("GET")))
		return WS_HANDSHAKE_BAD_METHOD;
	if (h->versions != 1 || !slice_equal(h->version, SLICE_LITERAL("13")))
		return WS_HANDSHAKE_BAD_VERSION;
	if (h->keys != 1 || !is_key(h->key))
		return WS_HANDSHAKE_BAD_KEY;
	if (ws_deflate_malformed(&h->extensions))
		return WS_HANDSHAKE_MALFORMED_EXTENSIONS;
	return WS_HANDSHAKE_OK;
}

unsigned
ws_handshake_status(enum ws_handshake_result result)
{
	switch (result) {
	case WS_HANDSHAKE_OK:
		return 101;
	case WS_HANDSHAKE_NO_UPGRADE:
	case WS_HANDSHAKE_NO_CONNECTION:
	case WS_HANDSHAKE_BAD_VERSION:
		return 426;
	case WS_HANDSHAKE_BAD_METHOD:
	case WS_HANDSHAKE_BAD_KEY:
	case WS_HANDSHAKE_MALFORMED_EXTENSIONS:
		return 400;
	case WS_HANDSHAKE_BAD_STATUS:
	case WS_HANDSHAKE_BAD_ACCEPT:
	case WS_HANDSHAKE_BAD_PROTOCOL:
	case WS_HANDSHAKE_BAD_EXTENSION:
		return 0;
	}
	return 0;
}

const char *
ws_handshake_text(enum ws_handshake_result result)
{
	switch (result) {
	case WS_HANDSHAKE_OK:
		return "a good handshake";
	case WS_HANDSHAKE_NO_UPGRADE:
		return "a proxy removed Upgrade: WebSocket needs HTTP/1.1 and Upgrade: websocket";
	case WS_HANDSHAKE_NO_CONNECTION:
		return "a proxy removed Upgrade: WebSocket needs Connection: Upgrade";
	case WS_HANDSHAKE_BAD_METHOD:
		return "a WebSocket handshake is a GET";
	case WS_HANDSHAKE_BAD_KEY:
		return "Sec-WebSocket-Key must be there once, with 16 bytes in base64";
	case WS_HANDSHAKE_BAD_VERSION:
		return "Sec-WebSocket-Version must be 13";
	case WS_HANDSHAKE_BAD_STATUS:
		return "the server did not answer 101";
	case WS_HANDSHAKE_BAD_ACCEPT:
		return "Sec-WebSocket-Accept does not belong to the key";
	case WS_HANDSHAKE_BAD_PROTOCOL:
		return "the server selected a subprotocol that was not offered";
	case WS_HANDSHAKE_MALFORMED_EXTENSIONS:
		return "Sec-WebSocket-Extensions is malformed";
	case WS_HANDSHAKE_BAD_EXTENSION:
		return "the server selected an extension that was not offered";
	}
	return "bad handshake";
}

void
ws_handshake_accept(char accept[static WS_HANDSHAKE_ACCEPT_CHARS], struct slice key)
{
	char joined[WS_HANDSHAKE_KEY_CHARS + sizeof GUID];
	struct out both = out_to(joined, sizeof joined);
	struct out encoded = out_to(accept, WS_HANDSHAKE_ACCEPT_CHARS);
	uint8_t digest[SHA1_BYTES];

	/* A longer key is none: ws_handshake_check refuses it, and here it stays in bounds. */
	out_bytes(&both, key.bytes, key.len <= WS_HANDSHAKE_KEY_CHARS ? key.len : 0);
	out_text(&both, GUID);
	sha1_digest(digest, slice_of(joined, both.len));
	base64_encode(&encoded, slice_of((const char *)digest, sizeof digest));
}

static void
render_field(struct out *o, const char *name, struct slice value)
{
	out_text(o, name);
	out_text(o, ": ");
	out_slice(o, value);
	out_text(o, "\r\n");
}

void
ws_handshake_render_answer(struct out *o, const struct ws_handshake *h, struct slice extensions)
{
	char accept[WS_HANDSHAKE_ACCEPT_CHARS];

	ws_handshake_accept(accept, h->key);
	out_text(
	    o, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
	render_field(o, "Sec-WebSocket-Accept", slice_of(accept, sizeof accept));
	if (h->protocol >= 0)
		render_field(o, "Sec-WebSocket-Protocol", h->known[h->protocol]);
	if (extensions.len != 0)
		render_field(o, "Sec-WebSocket-Extensions", extensions);
	out_text(o, "\r\n");
}

void
ws_handshake_render_request(
    struct out *o, struct slice host, struct slice target, struct slice key, struct slice protocols)
{
	out_text(o, "GET ");
	out_slice(o, target);
	out_text(o, " HTTP/1.1\r\n");
	render_field(o, "Host", host);
	out_text(o, "Upgrade: websocket\r\nConnection: Upgrade\r\n");
	render_field(o, "Sec-WebSocket-Key", key);
	render_field(o, "Sec-WebSocket-Version", SLICE_LITERAL("13"));
	if (protocols.len != 0)
		render_field(o, "Sec-WebSocket-Protocol", protocols);
	out_text(o, "\r\n");
}

enum ws_handshake_result
ws_handshake_verify(const struct ws_handshake *h, unsigned status, struct slice key)
{
	char accept[WS_HANDSHAKE_ACCEPT_CHARS];

	if (status != 101)
		return WS_HANDSHAKE_BAD_STATUS;
	if (!h->upgrade)
		return WS_HANDSHAKE_NO_UPGRADE;
	if (!h->connection)
		return WS_HANDSHAKE_NO_CONNECTION;
	ws_handshake_accept(accept, key);
	if (h->keys != 1 || !slice_equal(h->key, slice_of(accept, sizeof accept)))
		return WS_HANDSHAKE_BAD_ACCEPT;
	if (h->protocols > 1 || (h->protocols == 1 && h->protocol < 0))
		return WS_HANDSHAKE_BAD_PROTOCOL;
	if (ws_deflate_malformed(&h->extensions) || h->extensions.extensions)
		return WS_HANDSHAKE_BAD_EXTENSION;
	return WS_HANDSHAKE_OK;
}
