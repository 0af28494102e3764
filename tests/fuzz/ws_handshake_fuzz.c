/*
 * ws_handshake_fuzz.c: whatever header fields a request has, an answer to it is one that a client
 * accepts, and nothing of the request gets into the answer but a known subprotocol.
 *
 * Input: lines of "Name:value".
 */
#include <stdlib.h>

#include "proto/ws_handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())

static const struct slice known[] = {{"ringcast.v1", 11}, {"ringcast.raw", 12}};

/* Takes one line off the front; false at the end. */
static bool
next_line(struct slice *text, struct slice *line)
{
	const char *end;
	size_t len;

	if (text->len == 0)
		return false;
	end = memchr(text->bytes, '\n', text->len);
	len = end == NULL ? text->len : (size_t)(end - text->bytes);
	*line = slice_of(text->bytes, len);
	len += end != NULL;
	*text = slice_of(text->bytes + len, text->len - len);
	return true;
}

static void
read_fields(struct ws_handshake *h, struct slice text)
{
	struct slice line;

	ws_handshake_start(h, known, 2);
	while (next_line(&text, &line)) {
		const char *colon = line.len == 0 ? NULL : memchr(line.bytes, ':', line.len);
		size_t name_len = colon == NULL ? line.len : (size_t)(colon - line.bytes);
		size_t value_at = colon == NULL ? line.len : name_len + 1;

		ws_handshake_field(h, slice_of(line.bytes, name_len),
		    slice_of(line.bytes + value_at, line.len - value_at));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ws_handshake request, answer;
	enum ws_handshake_result result;
	char bytes[512], again[512];
	struct out o = out_to(bytes, sizeof bytes);
	size_t fields;

	read_fields(&request, slice_of((const char *)data, size));
	result = ws_handshake_check(&request, SLICE_LITERAL("GET"), 1);
	CHECK((result == WS_HANDSHAKE_OK) == (ws_handshake_status(result) == 101));
	CHECK(result != WS_HANDSHAKE_OK || ws_handshake_wanted(&request));
	(void)ws_handshake_verify(&request, 101, request.key);
	if (result != WS_HANDSHAKE_OK)
		return 0;
	ws_handshake_render_answer(&o, &request, slice_of(NULL, 0));
	CHECK(!out_cut(&o));
	CHECK(memcmp(bytes, "HTTP/1.1 101 ", 13) == 0);
	CHECK(memcmp(bytes + o.len - 4, "\r\n\r\n", 4) == 0);

	/* As the client reads it: lines without their CR, between the status and the blank line. */
	fields = 0;
	for (size_t i = 0; i < o.len - 2; i++)
		if (bytes[i] != '\r')
			again[fields++] = bytes[i];
	read_fields(&answer, slice_of(again, fields));
	CHECK(ws_handshake_verify(&answer, 101, request.key) == WS_HANDSHAKE_OK);
	CHECK(answer.protocol == request.protocol);
	return 0;
}
