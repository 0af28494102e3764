/*
 * sse_parser.c: lines out of bytes, fields out of lines, events out of fields. The buffer is two
 * stacks that grow towards each other (drawn in sse_parser.h): data and the line in front, the
 * strings that outlive lines at the back.
 */
#include <assert.h>

#include "proto/sse_parser.h"

#define BOM "\xef\xbb\xbf"
#define BOM_BYTES 3

void
sse_parser_start(struct sse_parser *p, char *bytes, size_t cap)
{
	*p = (struct sse_parser){
	    .bytes = bytes, .cap = cap, .retry_ms = SSE_PARSER_NO_RETRY, .first_line = true};
}

/*
 * The specification would forget the id here until an event brings a new one; browsers keep it, and
 * so do we.
 */
void
sse_parser_restart(struct sse_parser *p)
{
	size_t last_id_len = p->last_id_len;
	int64_t retry_ms = p->retry_ms;

	sse_parser_start(p, p->bytes, p->cap);
	p->last_id_len = last_id_len;
	p->retry_ms = retry_ms;
}

static size_t
front_len(const struct sse_parser *p)
{
	return p->data_len + p->line_len;
}

static size_t
back_len(const struct sse_parser *p)
{
	return p->type_len + p->next_id_len + p->last_id_len;
}

void
sse_parser_grow(struct sse_parser *p, char *bytes, size_t cap)
{
	assert(cap >= p->cap);
	if (front_len(p) != 0)
		memcpy(bytes, p->bytes, front_len(p));
	if (back_len(p) != 0)
		memcpy(bytes + cap - back_len(p), p->bytes + p->cap - back_len(p), back_len(p));
	p->bytes = bytes;
	p->cap = cap;
}

struct slice
sse_parser_last_id(const struct sse_parser *p)
{
	return slice_of(p->bytes + p->cap - p->last_id_len, p->last_id_len);
}

/*
 * True when a string of the back may become new_len bytes instead of old_len. The line being read
 * stays in front meanwhile.
 */
static bool
back_fits(const struct sse_parser *p, size_t old_len, size_t new_len)
{
	return new_len <= p->cap - front_len(p) - (back_len(p) - old_len);
}

static bool
set_type(struct sse_parser *p, struct slice value)
{
	if (!back_fits(p, p->type_len, value.len))
		return false;
	p->type_len = value.len;
	if (value.len != 0)
		memcpy(p->bytes + p->cap - back_len(p), value.bytes, value.len);
	return true;
}

static bool
set_next_id(struct sse_parser *p, struct slice value)
{
	char *type = p->bytes + p->cap - back_len(p);

	if (!back_fits(p, p->next_id_len, value.len))
		return false;
	p->next_id_len = value.len;
	p->next_id_set = true;
	memmove(p->bytes + p->cap - back_len(p), type, p->type_len);
	if (value.len != 0)
		memcpy(p->bytes + p->cap - p->last_id_len - value.len, value.bytes, value.len);
	return true;
}

/* The id that lines have named becomes the last event id; the back moves over the one that was. */
static void
commit_id(struct sse_parser *p)
{
	char *from = p->bytes + p->cap - back_len(p);

	if (!p->next_id_set)
		return;
	memmove(from + p->last_id_len, from, p->type_len + p->next_id_len);
	p->last_id_len = p->next_id_len;
	p->next_id_len = 0;
	p->next_id_set = false;
}

static void
set_retry(struct sse_parser *p, struct slice value)
{
	uint64_t ms = 0;

	if (value.len == 0)
		return;
	for (size_t i = 0; i < value.len; i++) {
		if (value.bytes[i] < '0' || value.bytes[i] > '9')
			return;
		ms = ms * 10 + (uint64_t)(value.bytes[i] - '0');
		if (ms > UINT32_MAX)
			ms = UINT32_MAX;
	}
	p->retry_ms = (int64_t)ms;
}

/*
 * The value takes the line's place, behind the data before it: always shorter, as the field's name
 * went.
 */
static void
append_data(struct sse_parser *p, struct slice value)
{
	char *to = p->bytes + p->data_len;

	if (value.len != 0)
		memmove(to, value.bytes, value.len);
	to[value.len] = '\n';
	p->data_len += value.len + 1;
}

/*
 * Obeys one line that is not empty. False when the buffer is too small; then nothing has changed.
 */
static bool
take_line(struct sse_parser *p, struct slice text)
{
	const char *colon = memchr(text.bytes, ':', text.len);
	size_t name_len = colon == NULL ? text.len : (size_t)(colon - text.bytes);
	struct slice name = slice_of(text.bytes, name_len);
	struct slice value = slice_of(text.bytes + text.len, 0);

	if (colon != NULL) {
		value = slice_of(colon + 1, text.len - name_len - 1);
		if (value.len > 0 && value.bytes[0] == ' ')
			value = slice_of(value.bytes + 1, value.len - 1);
	}
	if (slice_equal(name, SLICE_LITERAL("data")))
		append_data(p, value);
	else if (slice_equal(name, SLICE_LITERAL("event")))
		return set_type(p, value);
	else if (slice_equal(name, SLICE_LITERAL("id"))) {
		if (value.len == 0 || memchr(value.bytes, '\0', value.len) == NULL)
			return set_next_id(p, value);
	} else if (slice_equal(name, SLICE_LITERAL("retry")))
		set_retry(p, value);
	return true;
}

/* A blank line. True when there was data, and so an event. */
static bool
dispatch(struct sse_parser *p, struct sse_parser_event *event)
{
	commit_id(p);
	if (p->data_len == 0) {
		p->type_len = 0;
		return false;
	}
	event->type = p->type_len == 0 ? SLICE_LITERAL("message")
				       : slice_of(p->bytes + p->cap - back_len(p), p->type_len);
	event->data = slice_of(p->bytes, p->data_len - 1);
	event->id = sse_parser_last_id(p);
	p->dispatched = true;
	return true;
}

/*
 * Ends the line that was read. TOO_SMALL leaves it as it was, so that the call can be made again.
 */
static enum sse_parser_result
end_line(struct sse_parser *p, struct sse_parser_event *event)
{
	struct slice text = slice_of(p->bytes + p->data_len, p->line_len);
	bool comment = p->comment;

	if (p->first_line && text.len >= BOM_BYTES && memcmp(text.bytes, BOM, BOM_BYTES) == 0)
		text = slice_of(text.bytes + BOM_BYTES, text.len - BOM_BYTES);
	if (!comment && text.len != 0 && !take_line(p, text))
		return SSE_PARSER_TOO_SMALL;
	p->line_len = 0;
	p->comment = false;
	p->first_line = false;
	if (comment || text.len != 0)
		return SSE_PARSER_MORE;
	return dispatch(p, event) ? SSE_PARSER_EVENT : SSE_PARSER_MORE;
}

/*
 * Keeps as much of the run as there is room for; how much that was. Of a comment nothing is kept.
 */
static size_t
keep(struct sse_parser *p, const char *run, size_t len)
{
	size_t room = p->cap - front_len(p) - back_len(p);

	if (p->line_len == 0 && run[0] == ':')
		p->comment = true;
	if (p->comment)
		return len;
	if (len > room)
		len = room;
	if (len != 0)
		memcpy(p->bytes + front_len(p), run, len);
	p->line_len += len;
	return len;
}

/* Bytes before the first CR or LF. */
static size_t
run_len(struct slice in)
{
	size_t n = 0;

	while (n < in.len && in.bytes[n] != '\r' && in.bytes[n] != '\n')
		n++;
	return n;
}

static void
advance(struct slice *in, size_t len)
{
	*in = slice_of(in->bytes + len, in->len - len);
}

enum sse_parser_result
sse_parser_next(struct sse_parser *p, struct slice *in, struct sse_parser_event *event)
{
	if (p->dispatched) {
		p->dispatched = false;
		p->data_len = 0;
		p->type_len = 0;
	}
	while (in->len != 0) {
		char c = in->bytes[0];
		size_t run = run_len(*in);
		enum sse_parser_result result;

		if (run != 0) {
			run = keep(p, in->bytes, run);
			p->after_cr = false;
			if (run == 0)
				return SSE_PARSER_TOO_SMALL;
			advance(in, run);
			continue;
		}
		if (p->after_cr && c == '\n') {
			p->after_cr = false;
			advance(in, 1);
			continue;
		}
		result = end_line(p, event);
		if (result == SSE_PARSER_TOO_SMALL)
			return result;
		p->after_cr = c == '\r';
		advance(in, 1);
		if (result == SSE_PARSER_EVENT)
			return result;
	}
	return SSE_PARSER_MORE;
}
