/*
 * publish_stream.c: an NDJSON upload. See publish_stream.h.
 *
 * The hot path of publishing: a line is parsed where it was read, appended to the ring, answered into the session's
 * buffer. It is copied only if a reading cut it, or if it had to wait until its client reads answers.
 */
#include "master/publish_stream.h"

#include <assert.h>

#include "master/master.h"
#include "master/publish.h"
#include "master/publish_session.h"
#include "proto/id.h"

#define CHUNK_HEAD_BYTES 8 /* "0001a4\r\n" */
#define CHUNK_BYTES_MAX 0xffffff
#define ANSWER_BYTES_MAX 2048 /* an error with its path and message, escaped; ids are 60 */
#define LINE_TOO_LONG "the line is longer than max_publish_bytes"

static_assert(LIMIT_PUBLISH_UNSENT_BYTES + ANSWER_BYTES_MAX <= CHUNK_BYTES_MAX,
    "a turn's answers fit one chunk");

/* ---- answers ---------------------------------------------------------------------------------------- */

/* Room for one more answer, inside a chunk; false, and the session abandoned, when memory is refused. */
static bool
answer_open(struct publish_session *s)
{
	if (!publish_buffer_reserve(&s->out, CHUNK_HEAD_BYTES + ANSWER_BYTES_MAX)) {
		publish_session_abandon(s);
		return false;
	}
	if (s->stream.chunked && !s->stream.chunk_open) {
		s->stream.chunk_open = true;
		s->stream.chunk_at = s->out.len;
		publish_buffer_put(&s->out, SLICE_LITERAL("000000\r\n"));
	}
	publish_session_touch(s);
	return true;
}

void
publish_stream_seal(struct publish_session *s)
{
	static const char hex[] = "0123456789abcdef";
	struct publish_stream *stream = &s->stream;
	size_t len = s->out.len - stream->chunk_at - CHUNK_HEAD_BYTES;
	char *head;

	if (!stream->chunk_open)
		return;
	head = s->out.bytes + s->out.start + stream->chunk_at;
	stream->chunk_open = false;
	assert(len <= CHUNK_BYTES_MAX);
	for (int i = 5; i >= 0; i--, len >>= 4)
		head[i] = hex[len & 15];
	if (!publish_buffer_put(&s->out, SLICE_LITERAL("\r\n")))
		publish_session_abandon(s);
}

static void
answer_error(struct publish_session *s, const struct event_fault *fault)
{
	struct out o;

	s->set->counts->errors[fault->code]++;
	if (!answer_open(s))
		return;
	o = publish_buffer_out(&s->out);
	out_text(&o, "{\"error\":{");
	publish_session_fault_members(&o, fault);
	out_text(&o, "},\"line\":");
	out_u64(&o, s->stream.line);
	out_text(&o, "}\n");
	publish_buffer_took(&s->out, &o);
}

static void
answer_plain_error(struct publish_session *s, enum error_code code, const char *message)
{
	struct event_fault fault = {.code = code};

	memcpy(fault.message, message, strnlen(message, sizeof fault.message - 1));
	answer_error(s, &fault);
}

static void
answer_id(struct publish_session *s, uint64_t id, bool duplicate)
{
	struct out o;

	s->stream.taken++;
	s->stream.last_id = id;
	if (s->stream.errors_only || !answer_open(s))
		return;
	o = publish_buffer_out(&s->out);
	out_text(&o, "{\"id\":\"");
	id_render(&o, id);
	out_text(&o, duplicate ? "\",\"duplicate\":true}\n" : "\"}\n");
	publish_buffer_took(&s->out, &o);
}

/* ---- lines ------------------------------------------------------------------------------------------ */

static bool
is_blank(struct slice line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.bytes[i] != ' ' && line.bytes[i] != '\t' && line.bytes[i] != '\r')
			return false;
	return true;
}

/* One line, without its line end. */
static void
stream_line(struct publish_session *s, struct slice line)
{
	struct event event;
	struct event_fault fault;
	struct out scratch;
	enum error_code code;
	const char *message;
	uint64_t id;
	bool duplicate;

	s->stream.line++;
	if (line.len > s->set->m->config->max_publish_bytes) {
		answer_plain_error(s, ERROR_TOO_LARGE, LINE_TOO_LONG);
		return;
	}
	if (is_blank(line))
		return;
	scratch = publish_session_scratch(s->set, line.len);
	if (scratch.bytes == NULL) {
		answer_plain_error(s, ERROR_OVERLOADED, "out of memory; send this line again");
	} else if (!event_parse_envelope(&event, line, &scratch, &fault)) {
		answer_error(s, &fault);
	} else if (publish_event(s->set->m, &event, &id, &duplicate, &code, &message) == -1) {
		answer_plain_error(s, code, message);
	} else {
		answer_id(s, id, duplicate);
	}
}

/* The part of a line that came last: completes what was cut, or is refused when it has become too long. */
static void
stream_gather(struct publish_session *s, struct slice part)
{
	uint64_t len_max = s->set->m->config->max_publish_bytes;

	if (s->stream.skipping)
		return;
	if (s->body.len + part.len > len_max) {
		s->stream.skipping = true;
		publish_buffer_clear(&s->body);
	} else if (!publish_buffer_put(&s->body, part)) {
		publish_session_abandon(s);
	}
}

static void
stream_gathered_line(struct publish_session *s)
{
	if (s->stream.skipping) {
		s->stream.skipping = false;
		s->stream.line++;
		answer_plain_error(s, ERROR_TOO_LARGE, LINE_TOO_LONG);
	} else {
		stream_line(s, publish_buffer_content(&s->body));
	}
	publish_buffer_clear(&s->body);
}

/* Works off whole lines at the head of the bytes while there is room for answers. Answers the bytes used. */
static size_t
stream_lines(struct publish_session *s, struct slice bytes)
{
	size_t used = 0;

	while (used < bytes.len && !publish_session_paused(s)) {
		const char *start = bytes.bytes + used;
		const char *end = memchr(start, '\n', bytes.len - used);

		if (end == NULL)
			break;
		stream_line(s, slice_of(start, (size_t)(end - start)));
		used += (size_t)(end - start) + 1;
	}
	return used;
}

/* What was not used: the start of a line, or, when there was no room for answers, whole lines that wait. */
static void
stream_rest(struct publish_session *s, struct slice bytes, size_t used)
{
	struct slice rest = slice_of(bytes.bytes + used, bytes.len - used);

	if (!publish_session_paused(s))
		stream_gather(s, rest);
	else if (s->state != PUBLISH_SESSION_DEAD && !publish_buffer_put(&s->body, rest))
		publish_session_abandon(s);
}

void
publish_stream_feed(struct publish_session *s, struct slice bytes)
{
	if (s->body.len != 0 || s->stream.skipping) {
		const char *end = bytes.len == 0 ? NULL : memchr(bytes.bytes, '\n', bytes.len);
		size_t len = end == NULL ? bytes.len : (size_t)(end - bytes.bytes);

		stream_gather(s, slice_of(bytes.bytes, len));
		if (end == NULL)
			return;
		stream_gathered_line(s);
		bytes = slice_of(end + 1, bytes.len - len - 1);
	}
	stream_rest(s, bytes, stream_lines(s, bytes));
}

bool
publish_stream_resume(struct publish_session *s)
{
	size_t used = stream_lines(s, publish_buffer_content(&s->body));

	publish_buffer_drop(&s->body, used);
	return !publish_session_paused(s);
}

/* ---- begin and end ---------------------------------------------------------------------------------- */

void
publish_stream_begin(struct publish_session *s, bool chunked, bool errors_only)
{
	s->stream = (struct publish_stream){.chunked = chunked, .errors_only = errors_only};
	publish_buffer_clear(&s->body);
	if (!chunked)
		s->close = true;
	publish_session_head(s, SLICE_LITERAL("application/x-ndjson"), chunked);
}

void
publish_stream_end(struct publish_session *s)
{
	struct publish_stream *stream = &s->stream;

	if (s->body.len != 0 || stream->skipping)
		stream_gathered_line(s);
	if (stream->errors_only && answer_open(s)) {
		struct out o = publish_buffer_out(&s->out);

		out_text(&o, "{\"taken\":");
		out_u64(&o, stream->taken);
		out_text(&o, ",\"last\":");
		if (stream->taken == 0) {
			out_text(&o, "null}\n");
		} else {
			out_char(&o, '"');
			id_render(&o, stream->last_id);
			out_text(&o, "\"}\n");
		}
		publish_buffer_took(&s->out, &o);
	}
	publish_stream_seal(s);
	if (stream->chunked && !publish_buffer_put(&s->out, SLICE_LITERAL("0\r\n\r\n")))
		publish_session_abandon(s);
	publish_session_touch(s);
}

void
publish_stream_fail(struct publish_session *s, enum error_code code, const char *message)
{
	s->stream.line++;
	answer_plain_error(s, code, message);
	publish_stream_seal(s);
}
