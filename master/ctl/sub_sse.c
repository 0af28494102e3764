/*
 * sub_sse.c: `ringcast sub --sse`: one event stream. Events come as objects (format=json), so that type, channel and id
 * are seen; control objects are named ringcast.<op>.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "master/ctl/sub.h"
#include "proto/http_body.h"
#include "proto/sse_parser.h"

#define ANSWER_TIMEOUT_MS 30000
#define BUFFER_BYTES 65536
#define BUFFER_BYTES_MAX (64u << 20)
#define CONTROL_PREFIX SLICE_LITERAL("ringcast.")

struct stream {
	struct sub *s;
	struct sse_parser parser;
	char *buffer;
	size_t cap;
	bool done;
};

static bool
put_request(struct sub *s, struct client *client)
{
	char text[65536];
	struct out o = out_to(text, sizeof text);

	out_text(&o, "GET ");
	sub_target(s, &o, "&format=json");
	out_text(&o, " HTTP/1.1\r\nHost: ");
	out_text(&o, s->url.authority);
	out_text(&o, "\r\nAccept: text/event-stream\r\nCache-Control: no-store\r\n\r\n");
	return !out_cut(&o) && client_put(client, slice_of(text, o.len));
}

static bool
grow(struct stream *stream)
{
	size_t cap = stream->cap * 2;
	char *buffer = cap > BUFFER_BYTES_MAX ? NULL : malloc(cap);

	if (buffer == NULL)
		return false;
	sse_parser_grow(&stream->parser, buffer, cap);
	free(stream->buffer);
	stream->buffer = buffer;
	stream->cap = cap;
	return true;
}

static void
take_event(struct stream *stream, const struct sse_parser_event *event)
{
	struct slice prefix = CONTROL_PREFIX;

	if (event->type.len > prefix.len &&
	    memcmp(event->type.bytes, prefix.bytes, prefix.len) == 0)
		sub_control(stream->s, event->data);
	else
		stream->done = sub_event(stream->s, event->data);
}

/* False when an event is larger than memory allows. */
static bool
take_bytes(struct stream *stream, struct slice bytes)
{
	struct sse_parser_event event;

	while (!stream->done) {
		switch (sse_parser_next(&stream->parser, &bytes, &event)) {
		case SSE_PARSER_MORE:
			return true;
		case SSE_PARSER_EVENT:
			take_event(stream, &event);
			break;
		case SSE_PARSER_TOO_SMALL:
			if (!grow(stream))
				return false;
			break;
		}
	}
	return true;
}

static enum client_result
take_received(struct stream *stream, struct client *client, struct http_body *body)
{
	while (client->in.len != 0 && !stream->done) {
		struct slice data;
		ptrdiff_t n = http_body_next(body, publish_buffer_content(&client->in), &data);

		if (n < 0)
			return CLIENT_MALFORMED;
		if (n == 0)
			return CLIENT_ENDED;
		if (!take_bytes(stream, data)) {
			errno = ENOMEM;
			return CLIENT_FAILED;
		}
		publish_buffer_drop(&client->in, (size_t)n);
	}
	return http_body_complete(body) ? CLIENT_ENDED : CLIENT_OK;
}

static enum sub_end
read_stream(struct stream *stream, struct client *client, struct http_body *body)
{
	struct sub *s = stream->s;
	enum client_result result;

	for (;;) {
		result = take_received(stream, client, body);
		if (stream->done)
			return SUB_DONE;
		if (result != CLIENT_OK)
			break;
		fflush(s->c->out);
		result = client_wait(client, sub_silence_ms(s), -1, NULL);
		if (result != CLIENT_OK)
			break;
	}
	s->retry_ms = stream->parser.retry_ms > 0 ? (unsigned)stream->parser.retry_ms : 0;
	if (result == CLIENT_TIMEOUT)
		ctl_note(s->c, "the server has been silent for too long");
	else
		ctl_note(s->c, "the stream has ended: %s", client_text(result));
	return SUB_AGAIN;
}

/* Anything but an event stream: an error, or something that is not ringcast. */
static enum sub_end
read_refusal(struct sub *s, struct client *client)
{
	struct client_answer answer;
	enum client_result result = client_answer(client, ANSWER_TIMEOUT_MS, &answer);
	enum sub_end end = SUB_FINAL;

	if (result != CLIENT_OK)
		ctl_fail(s->c, "%s: %s", s->url.authority, client_text(result));
	else
		end = sub_refused(s, &answer);
	publish_buffer_free(&answer.body);
	return end;
}

static bool
is_stream(const struct http_reply *reply)
{
	struct slice wanted = SLICE_LITERAL("text/event-stream");

	return reply->status == 200 && reply->content_type.len >= wanted.len &&
	       http_equal_nocase(slice_of(reply->content_type.bytes, wanted.len), wanted);
}

enum sub_end
sub_sse_run(struct sub *s, struct client *client)
{
	struct stream stream = {.s = s, .cap = BUFFER_BYTES};
	struct http_reply reply;
	struct http_body body;
	size_t head_len;
	enum client_result result;
	enum sub_end end;

	if (!put_request(s, client)) {
		ctl_fail(s->c, "the request is too long: fewer channels");
		return SUB_FINAL;
	}
	result = client_head(client, ANSWER_TIMEOUT_MS, &reply, &head_len);
	if (result != CLIENT_OK) {
		ctl_fail(s->c, "%s: %s", s->url.authority, client_text(result));
		return s->was_connected ? SUB_AGAIN : SUB_FINAL;
	}
	if (!is_stream(&reply))
		return read_refusal(s, client);
	stream.buffer = malloc(stream.cap);
	if (stream.buffer == NULL ||
	    http_body_start(&body, reply.framing, reply.content_length, UINT64_MAX) < 0) {
		free(stream.buffer);
		return SUB_FINAL;
	}
	publish_buffer_drop(&client->in, head_len);
	sse_parser_start(&stream.parser, stream.buffer, stream.cap);
	end = read_stream(&stream, client, &body);
	free(stream.buffer);
	return end;
}
