/*
 * cursor.c: reads `after` and Last-Event-ID (cursor.h).
 */
#include "proto/cursor.h"

#include "proto/id.h"

/* The whole text is digits. What exceeds 64 bits becomes the largest number. */
static bool
parse_digits(struct slice text, uint64_t *n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < text.len; i++) {
		uint64_t digit = (uint64_t)(text.bytes[i] - '0');

		if (text.bytes[i] < '0' || text.bytes[i] > '9')
			return false;
		sum = sum > (UINT64_MAX - digit) / 10 ? UINT64_MAX : sum * 10 + digit;
	}
	*n = sum;
	return text.len > 0;
}

static const char *
parse_last(struct slice digits, struct cursor *cursor)
{
	uint64_t n;

	if (!parse_digits(digits, &n) || n == 0)
		return "after=-N takes a number from 1 on, such as -10";
	*cursor = (struct cursor){
	    .kind = CURSOR_LAST, .count = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n};
	return NULL;
}

static const char *
parse_time(uint64_t ms, struct cursor *cursor)
{
	if (ms < CURSOR_MS_MIN)
		return "after is a Unix time in milliseconds, and this is before 1973: seconds?";
	if (ms > ID_MS_MAX)
		return "after is a Unix time in milliseconds, not one so far ahead";
	*cursor = (struct cursor){.kind = CURSOR_TIME, .id = id_of(ms, 0) - 1, .ms = ms};
	return NULL;
}

const char *
cursor_parse(struct slice text, struct cursor *cursor)
{
	uint64_t n;

	*cursor = (struct cursor){.kind = CURSOR_NOW};
	if (text.len > 0 && *text.bytes == '-')
		return parse_last(slice_of(text.bytes + 1, text.len - 1), cursor);
	if (id_parse(text, &cursor->id)) {
		cursor->kind = CURSOR_ID;
		return NULL;
	}
	if (!parse_digits(text, &n))
		return "after is an id (1763856000000-00000), 0, -N, or a Unix time in milliseconds";
	if (n == 0) {
		cursor->kind = CURSOR_ALL;
		return NULL;
	}
	return parse_time(n, cursor);
}

void
cursor_parse_last_event_id(struct slice text, struct cursor *cursor)
{
	*cursor = (struct cursor){.kind = CURSOR_NOW};
	if (text.len == 0)
		return;
	cursor->kind = id_parse(text, &cursor->id) ? CURSOR_ID : CURSOR_UNKNOWN;
}
