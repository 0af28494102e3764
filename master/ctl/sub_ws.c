/*
 * sub_ws.c: `ringcast sub --ws`: one WebSocket. Channels and cursor are in the URL, so that the client has nothing to say
 * but pongs.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "master/ctl/sub.h"
#include "proto/base64.h"
#include "proto/control.h"
#include "proto/ws_handshake.h"
#include "proto/ws_input.h"

#define ANSWER_TIMEOUT_MS 30000
#define MESSAGE_BYTES_MAX (64u << 20)

struct socket {
	struct sub *s;
	struct client *client;
	struct ws_input input;
	struct publish_buffer message;
	struct publish_buffer control; /* payload of a ping, or a close's reason */
	bool done;
	bool closed;
	unsigned code; /* of the server's close */
};

/* Random bytes for the key or a mask: unpredictable to intermediaries, no secret (RFC 6455, 10.3). */
static void
random_bytes(void *bytes, size_t len)
{
	memset(bytes, 0x5a, len);
	while (getrandom(bytes, len, 0) == -1 && errno == EINTR)
		continue;
}

static bool
put_request(struct sub *s, struct client *client, struct slice key)
{
	char target[32768], text[65536];
	struct out t = out_to(target, sizeof target), o = out_to(text, sizeof text);

	sub_target(s, &t, "");
	if (out_cut(&t))
		return false;
	ws_handshake_render_request(&o, slice_text(s->url.authority), slice_of(target, t.len), key,
	    SLICE_LITERAL("ringcast.v1"));
	return !out_cut(&o) && client_put(client, slice_of(text, o.len));
}

static bool
put_frame(struct socket *ws, enum ws_opcode opcode, struct slice payload)
{
	uint8_t mask[WS_FRAME_MASK_BYTES];
	char frame[WS_FRAME_HEAD_BYTES_MAX + WS_FRAME_CONTROL_BYTES_MAX];
	struct out o = out_to(frame, sizeof frame);

	random_bytes(mask, sizeof mask);
	ws_frame_render_masked(&o, opcode, payload, mask);
	return !out_cut(&o) && client_put(ws->client, slice_of(frame, o.len));
}

static void
take_message(struct socket *ws, struct slice text)
{
	struct control control;
	char scratch[4096];
	struct out o = out_to(scratch, sizeof scratch);

	/* Events have no "op". One that does not fit the scratch is no control object of ours. */
	if (text.len <= sizeof scratch && control_parse(&control, text, &o))
		sub_control(ws->s, text);
	else
		ws->done = sub_event(ws->s, text);
}

static void
take_close(struct socket *ws, unsigned code)
{
	struct slice reason = publish_buffer_content(&ws->control);

	ws->closed = true;
	ws->code = code;
	ctl_note(ws->s->c, "closed by the server: %u%s%.*s", code, reason.len == 0 ? "" : " ",
	    (int)reason.len, reason.bytes);
}

/* Pieces of a payload add up in a buffer; true with the last one. */
static bool
gather(struct publish_buffer *buffer, const struct ws_input_event *event)
{
	if (event->first)
		publish_buffer_clear(buffer);
	return publish_buffer_put(buffer, event->data) && event->last;
}

static void
take_input(struct socket *ws, const struct ws_input_event *event)
{
	switch (event->kind) {
	case WS_INPUT_MORE:
		break;
	case WS_INPUT_DATA:
		if (gather(&ws->message, event))
			take_message(ws, publish_buffer_content(&ws->message));
		break;
	case WS_INPUT_PING:
		if (gather(&ws->control, event))
			put_frame(ws, WS_PONG, publish_buffer_content(&ws->control));
		break;
	case WS_INPUT_PONG:
		break;
	case WS_INPUT_CLOSE:
		if (gather(&ws->control, event))
			take_close(ws, event->code);
		break;
	case WS_INPUT_ERROR:
		publish_buffer_clear(&ws->control);
		take_close(ws, WS_CLOSE_ABNORMAL);
		break;
	}
}

/* Uses everything that has been received. */
static void
take_received(struct socket *ws)
{
	struct publish_buffer *in = &ws->client->in;

	while (in->len != 0 && !ws->done && !ws->closed) {
		struct ws_input_event event;
		size_t used = ws_input_next(&ws->input, in->bytes + in->start, in->len, &event);

		take_input(ws, &event);
		publish_buffer_drop(in, used);
	}
}

/* The codes after which it makes sense to come back. */
static bool
comes_back(unsigned code)
{
	return code == WS_CLOSE_GOING_AWAY || code == WS_CLOSE_NO_CODE ||
	       code == WS_CLOSE_ABNORMAL || code == WS_CLOSE_INTERNAL || code == WS_CLOSE_RESTART ||
	       code == WS_CLOSE_TRY_LATER;
}

static enum sub_end
read_messages(struct socket *ws)
{
	struct sub *s = ws->s;

	for (;;) {
		enum client_result result;

		take_received(ws);
		if (ws->done)
			return SUB_DONE;
		if (s->let_go)
			return SUB_AGAIN;
		if (ws->closed)
			return comes_back(ws->code) ? SUB_AGAIN : SUB_FINAL;
		fflush(s->c->out);
		result = client_wait(ws->client, sub_silence_ms(s), -1, NULL);
		if (result == CLIENT_OK)
			continue;
		ctl_note(s->c, "the connection has ended: %s",
		    result == CLIENT_TIMEOUT ? "the server has been silent for too long"
					     : client_text(result));
		return SUB_AGAIN;
	}
}

static enum sub_end
read_refusal(struct sub *s, struct client *client, enum ws_handshake_result verdict)
{
	struct client_answer answer;
	enum client_result result;
	enum sub_end end = SUB_FINAL;

	if (verdict != WS_HANDSHAKE_BAD_STATUS) {
		ctl_fail(s->c, "%s: %s", s->url.authority, ws_handshake_text(verdict));
		return SUB_FINAL;
	}
	result = client_answer(client, ANSWER_TIMEOUT_MS, &answer);
	if (result == CLIENT_OK)
		end = sub_refused(s, &answer);
	else
		ctl_fail(s->c, "%s: %s", s->url.authority, client_text(result));
	publish_buffer_free(&answer.body);
	return end;
}

enum sub_end
sub_ws_run(struct sub *s, struct client *client)
{
	static const struct slice known[] = {{"ringcast.v1", 11}};
	struct socket ws = {.s = s, .client = client};
	struct ws_handshake handshake;
	struct http_reply reply;
	struct http_field field;
	char random[16], key[WS_HANDSHAKE_KEY_CHARS];
	struct out o = out_to(key, sizeof key);
	enum ws_handshake_result verdict;
	enum client_result result;
	enum sub_end end;
	size_t head_len;

	random_bytes(random, sizeof random);
	base64_encode(&o, slice_of(random, sizeof random));
	if (!put_request(s, client, slice_of(key, sizeof key))) {
		ctl_fail(s->c, "the request is too long: fewer channels");
		return SUB_FINAL;
	}
	result = client_head(client, ANSWER_TIMEOUT_MS, &reply, &head_len);
	if (result != CLIENT_OK) {
		ctl_fail(s->c, "%s: %s", s->url.authority, client_text(result));
		return s->was_connected ? SUB_AGAIN : SUB_FINAL;
	}
	ws_handshake_start(&handshake, known, 1);
	for (struct slice rest = reply.fields; http_field_next(&rest, &field);)
		ws_handshake_field(&handshake, field.name, field.value);
	verdict = ws_handshake_verify(&handshake, reply.status, slice_of(key, sizeof key));
	if (verdict != WS_HANDSHAKE_OK)
		return read_refusal(s, client, verdict);
	publish_buffer_drop(&client->in, head_len);
	ws_input_start(&ws.input, WS_CLIENT, MESSAGE_BYTES_MAX);
	end = read_messages(&ws);
	publish_buffer_free(&ws.message);
	publish_buffer_free(&ws.control);
	return end;
}
