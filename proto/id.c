/*
 * id.c: event ids to text and back (id.h).
 */
#include "proto/id.h"

#include <assert.h>

#define ID_MS_DIGITS 13
#define ID_COUNTER_DIGITS 5

static_assert(
    ID_MS_MAX < UINT64_C(1000000000000000), "ID_TEXT_MAX counts 15 digits of milliseconds");

/*
 * Writes the number's digits, right-aligned before end, at least width of them. Returns where they
 * begin.
 */
static char *
digits_before(char *end, uint64_t n, unsigned width)
{
	char *at = end;

	while (n != 0 || end - at < (ptrdiff_t)width) {
		*--at = (char)('0' + n % 10);
		n /= 10;
	}
	return at;
}

void
id_render(struct out *o, uint64_t id)
{
	char text[ID_TEXT_MAX];
	char *end = text + sizeof text;
	char *at = digits_before(end, id_counter(id), ID_COUNTER_DIGITS);

	*--at = '-';
	at = digits_before(at, id_ms(id), ID_MS_DIGITS);
	out_bytes(o, at, (size_t)(end - at));
}

/* Takes 1 to len_max digits off the text. */
static bool
take_digits(struct slice *text, size_t len_max, uint64_t *n)
{
	size_t len = 0;

	*n = 0;
	while (len < text->len && text->bytes[len] >= '0' && text->bytes[len] <= '9') {
		if (len == len_max)
			return false;
		*n = *n * 10 + (uint64_t)(text->bytes[len] - '0');
		len++;
	}
	*text = slice_of(text->bytes + len, text->len - len);
	return len > 0;
}

bool
id_parse(struct slice text, uint64_t *id)
{
	uint64_t ms, counter;

	if (text.len == 0 || !take_digits(&text, 15, &ms) || ms > ID_MS_MAX)
		return false;
	if (text.len == 0 || *text.bytes != '-')
		return false;
	text = slice_of(text.bytes + 1, text.len - 1);
	if (!take_digits(&text, ID_COUNTER_DIGITS, &counter) || counter > UINT16_MAX ||
	    text.len != 0)
		return false;
	*id = id_of(ms, (uint16_t)counter);
	return true;
}
