/*
 * event_source.c: see event_source.h.
 */
#include "tests/lib/event_source.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

static void
add(struct event_source_text *t, const char *bytes, size_t len)
{
	if (t->cap - t->len < len) {
		t->cap = (t->cap + len) * 2;
		t->bytes = realloc(t->bytes, t->cap);
		assert(t->bytes != NULL);
	}
	if (len != 0)
		memcpy(t->bytes + t->len, bytes, len);
	t->len += len;
}

static void
set(struct event_source_text *t, struct text value)
{
	t->len = 0;
	add(t, value.bytes, value.len);
}

void
event_source_open(struct event_source *e)
{
	*e = (struct event_source){.retry_ms = -1};
}

void
event_source_close(struct event_source *e)
{
	free(e->line.bytes);
	free(e->data.bytes);
	free(e->type.bytes);
	free(e->id.bytes);
	event_source_open(e);
}

/* ---- 9.2.6: fields and events ------------------------------------------------------------------ */

/* "If the field value consists of only ASCII digits, then interpret [it] as an integer in base ten". */
static void
set_retry(struct event_source *e, struct text value)
{
	int64_t ms = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (value.bytes[i] < '0' || value.bytes[i] > '9')
			return;
		if (ms < INT64_MAX / 100)
			ms = ms * 10 + (value.bytes[i] - '0');
	}
	if (value.len != 0)
		e->retry_ms = ms;
}

static void
process_field(struct event_source *e, struct text name, struct text value)
{
	if (wire_equal(name, "event")) {
		set(&e->type, value);
	} else if (wire_equal(name, "data")) {
		add(&e->data, value.bytes, value.len);
		add(&e->data, "\n", 1);
	} else if (wire_equal(name, "id")) {
		if (value.len == 0 || memchr(value.bytes, '\0', value.len) == NULL)
			set(&e->id, value);
	} else if (wire_equal(name, "retry")) {
		set_retry(e, value);
	}
}

static void
process_line(struct event_source *e)
{
	const struct text line = {e->line.bytes, e->line.len};
	const char *colon = memchr(line.bytes, ':', line.len);
	struct text name = line, value = {NULL, 0};

	if (colon == line.bytes)
		return;
	if (colon != NULL) {
		name.len = (size_t)(colon - line.bytes);
		value = (struct text){colon + 1, line.len - name.len - 1};
		if (value.len != 0 && *value.bytes == ' ')
			value = (struct text){value.bytes + 1, value.len - 1};
	}
	process_field(e, name, value);
}

/* The empty line. True when there is an event. */
static bool
dispatch(struct event_source *e, struct event_source_event *event)
{
	if (e->data.len == 0) {
		e->type.len = 0;
		return false;
	}
	event->type =
	    e->type.len == 0 ? wire_text("message") : (struct text){e->type.bytes, e->type.len};
	event->data = (struct text){e->data.bytes, e->data.len - 1};
	event->id = (struct text){e->id.bytes, e->id.len};
	e->dispatched = true;
	return true;
}

static bool
end_line(struct event_source *e, struct event_source_event *event)
{
	if (e->line.len == 0)
		return dispatch(e, event);
	process_line(e);
	e->line.len = 0;
	return false;
}

/* ---- 9.2.5: lines; characters come whole ------------------------------------------------------- */

static bool
take_character(
    struct event_source *e, const char *bytes, size_t len, struct event_source_event *event)
{
	const bool lf_of_crlf = e->after_cr && *bytes == '\n';
	const bool first = !e->begun;

	e->begun = true;
	e->after_cr = *bytes == '\r';
	if (first && len == 3 && memcmp(bytes, BYTE_ORDER_MARK, 3) == 0)
		return false;
	if (lf_of_crlf)
		return false;
	if (*bytes == '\r' || *bytes == '\n')
		return end_line(e, event);
	add(&e->line, bytes, len);
	return false;
}

/* ---- WHATWG Encoding, 8.1.1: the UTF-8 decoder -------------------------------------------------- */

/* The first octet of a character: how many follow (0: it is one by itself), or -1. */
static int
begin_character(struct event_source *e, unsigned char c)
{
	e->lower = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	e->upper = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (c < 0x80)
		return 0;
	if (c >= 0xc2 && c <= 0xdf)
		return 1;
	if (c >= 0xe0 && c <= 0xef)
		return 2;
	return c >= 0xf0 && c <= 0xf4 ? 3 : -1;
}

/* One octet. *again: it ended a bad character and is yet to be looked at itself. */
static bool
take_octet(struct event_source *e, char octet, bool *again, struct event_source_event *event)
{
	const unsigned char c = (unsigned char)octet;
	int need;

	*again = false;
	if (e->pending_len == 0) {
		need = begin_character(e, c);
		if (need == 0)
			return take_character(e, &octet, 1, event);
		if (need > 0) {
			e->pending[e->pending_len++] = octet;
			e->pending_need = (uint8_t)(need + 1);
			return false;
		}
	} else if (c >= e->lower && c <= e->upper) {
		e->lower = 0x80;
		e->upper = 0xbf;
		e->pending[e->pending_len++] = octet;
		if (e->pending_len < e->pending_need)
			return false;
		e->pending_len = 0;
		return take_character(e, e->pending, e->pending_need, event);
	} else {
		*again = true;
	}
	e->pending_len = 0;
	e->replacements++;
	return take_character(e, REPLACEMENT, 3, event);
}

bool
event_source_next(struct event_source *e, const char *bytes, size_t len, size_t *taken,
    struct event_source_event *event)
{
	if (e->dispatched) {
		e->dispatched = false;
		e->data.len = 0;
		e->type.len = 0;
	}
	for (*taken = 0; *taken < len;) {
		bool again;
		const bool found = take_octet(e, bytes[*taken], &again, event);

		*taken += !again;
		if (found)
			return true;
	}
	return false;
}
