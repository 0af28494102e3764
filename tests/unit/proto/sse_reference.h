/*
 * sse_reference.h: WHATWG HTML 9.2.6 word for word, for a stream that is there as a whole: slow,
 * obvious, and not incremental. What it finds is written down as text, one event after another:
 *
 *     [type|data|last event id]
 *
 * sse_reference_log does the same with what sse_parser finds, so that the two can be compared.
 */
#ifndef TESTS_UNIT_PROTO_SSE_REFERENCE_H
#define TESTS_UNIT_PROTO_SSE_REFERENCE_H

#include <stdlib.h>
#include <string.h>

#include "proto/slice.h"
#include "proto/sse_parser.h"

/* A string that only grows; room is the caller's promise, and broken promises abort. */
struct sse_text {
	char *bytes;
	size_t len, cap;
};

static inline void
sse_text_add(struct sse_text *t, const char *bytes, size_t len)
{
	if (len > t->cap - t->len)
		abort();
	if (len != 0)
		memcpy(t->bytes + t->len, bytes, len);
	t->len += len;
}

static inline void
sse_text_open(struct sse_text *t, size_t cap)
{
	*t = (struct sse_text){malloc(cap + 1), 0, cap};
	if (t->bytes == NULL)
		abort();
}

static inline void
sse_reference_log(struct sse_text *log, struct slice type, struct slice data, struct slice id)
{
	sse_text_add(log, "[", 1);
	sse_text_add(log, type.bytes, type.len);
	sse_text_add(log, "|", 1);
	sse_text_add(log, data.bytes, data.len);
	sse_text_add(log, "|", 1);
	sse_text_add(log, id.bytes, id.len);
	sse_text_add(log, "]", 1);
}

/* Is told each event, and where in the stream its blank line ends. */
typedef void sse_reference_told(
    void *context, struct slice type, struct slice data, struct slice id, size_t end);

struct sse_reference {
	struct sse_text data, type, id, last_id;
	int64_t retry_ms;
	sse_reference_told *told;
	void *context;
};

static inline void
sse_reference_field(struct sse_reference *r, struct slice name, struct slice value)
{
	if (slice_equal(name, SLICE_LITERAL("event"))) {
		r->type.len = 0;
		sse_text_add(&r->type, value.bytes, value.len);
	} else if (slice_equal(name, SLICE_LITERAL("data"))) {
		sse_text_add(&r->data, value.bytes, value.len);
		sse_text_add(&r->data, "\n", 1);
	} else if (slice_equal(name, SLICE_LITERAL("id"))) {
		for (size_t i = 0; i < value.len; i++)
			if (value.bytes[i] == '\0')
				return;
		r->id.len = 0;
		sse_text_add(&r->id, value.bytes, value.len);
	} else if (slice_equal(name, SLICE_LITERAL("retry"))) {
		double ms = 0;

		for (size_t i = 0; i < value.len; i++) {
			if (value.bytes[i] < '0' || value.bytes[i] > '9')
				return;
			ms = ms * 10 + (value.bytes[i] - '0');
		}
		if (value.len != 0)
			r->retry_ms = ms > UINT32_MAX ? UINT32_MAX : (int64_t)ms;
	}
}

/* `end`: where the line's end ends in the stream. */
static inline void
sse_reference_line(struct sse_reference *r, const char *line, size_t len, size_t end)
{
	size_t colon = 0, value;

	if (len == 0) {
		r->last_id.len = 0;
		sse_text_add(&r->last_id, r->id.bytes, r->id.len);
		if (r->data.len != 0)
			r->told(r->context,
			    r->type.len == 0 ? SLICE_LITERAL("message")
					     : slice_of(r->type.bytes, r->type.len),
			    slice_of(r->data.bytes, r->data.len - 1),
			    slice_of(r->last_id.bytes, r->last_id.len), end);
		r->data.len = 0;
		r->type.len = 0;
		return;
	}
	while (colon < len && line[colon] != ':')
		colon++;
	if (colon == 0)
		return;
	value = colon == len ? len : colon + 1;
	if (value < len && line[value] == ' ')
		value++;
	sse_reference_field(r, slice_of(line, colon), slice_of(line + value, len - value));
}

/* Tells the events of the whole stream; returns the last retry or SSE_PARSER_NO_RETRY. */
static inline int64_t
sse_reference_walk(const char *bytes, size_t len, sse_reference_told *told, void *context)
{
	struct sse_reference r = {
	    .retry_ms = SSE_PARSER_NO_RETRY, .told = told, .context = context};
	size_t begin = 0;

	sse_text_open(&r.data, 2 * len);
	sse_text_open(&r.type, len);
	sse_text_open(&r.id, len);
	sse_text_open(&r.last_id, len);
	if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		begin = 3;
	for (size_t i = begin; i < len; i++) {
		const size_t end = i;

		if (bytes[i] != '\r' && bytes[i] != '\n')
			continue;
		if (bytes[i] == '\r' && i + 1 < len && bytes[i + 1] == '\n')
			i++;
		sse_reference_line(&r, bytes + begin, end - begin, i + 1);
		begin = i + 1;
	}
	free(r.data.bytes);
	free(r.type.bytes);
	free(r.id.bytes);
	free(r.last_id.bytes);
	return r.retry_ms;
}

static inline void
sse_reference_told_log(void *log, struct slice type, struct slice data, struct slice id, size_t end)
{
	(void)end;
	sse_reference_log(log, type, data, id);
}

/* Writes the events of the whole stream into log; returns as sse_reference_walk. */
static inline int64_t
sse_reference_read(const char *bytes, size_t len, struct sse_text *log)
{
	return sse_reference_walk(bytes, len, sse_reference_told_log, log);
}

/* Feeds sse_parser one read and writes down what it reports. The buffer must be large enough. */
static inline void
sse_reference_feed(struct sse_parser *p, const char *bytes, size_t len, struct sse_text *log)
{
	struct slice in = slice_of(bytes, len);
	struct sse_parser_event event;
	enum sse_parser_result result;

	while ((result = sse_parser_next(p, &in, &event)) == SSE_PARSER_EVENT)
		sse_reference_log(log, event.type, event.data, event.id);
	if (result != SSE_PARSER_MORE || in.len != 0)
		abort();
}

#endif
