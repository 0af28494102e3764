/*
 * sse.c: the one place that writes into an event stream.
 */
#include "proto/base64.h"
#include "proto/sse.h"

/*
 * A slice up to its first CR, LF or NUL: the bytes that could end a line, or that make a client
 * ignore an id.
 */
static struct slice
one_line(struct slice s)
{
	size_t n = 0;

	while (n < s.len && s.bytes[n] != '\r' && s.bytes[n] != '\n' && s.bytes[n] != '\0')
		n++;
	return slice_of(s.bytes, n);
}

static void
line(struct out *o, const char *field, struct slice value)
{
	out_text(o, field);
	out_slice(o, value);
	out_char(o, '\n');
}

static const char *
find(const char *from, const char *end, char c)
{
	const char *at = from == end ? NULL : memchr(from, c, (size_t)(end - from));

	return at == NULL ? end : at;
}

/*
 * A data line for each line of the text: one more than it has line ends. The next CR and the next
 * LF are looked for only once they are passed, so that a text full of one and without the other
 * takes linear time too.
 */
static void
data_lines(struct out *o, struct slice data)
{
	const char *at = data.bytes;
	const char *end = data.len == 0 ? at : at + data.len;
	const char *cr = find(at, end, '\r');
	const char *lf = find(at, end, '\n');

	for (;;) {
		const char *line_end = cr < lf ? cr : lf;

		line(o, "data: ", slice_of(at, at == end ? 0 : (size_t)(line_end - at)));
		if (line_end == end)
			return;
		at = line_end + (line_end + 1 == lf && lf != end ? 2 : 1);
		if (cr < at)
			cr = find(at, end, '\r');
		if (lf < at)
			lf = find(at, end, '\n');
	}
}

static void
begin(struct out *o, struct slice type)
{
	type = one_line(type);
	if (type.len != 0 && !slice_equal(type, SLICE_LITERAL("message")))
		line(o, "event: ", type);
}

static void
finish(struct out *o, struct slice id)
{
	id = one_line(id);
	if (id.len != 0)
		line(o, "id: ", id);
	out_char(o, '\n');
}

void
sse_event(struct out *o, struct slice type, struct slice data, struct slice id)
{
	begin(o, type);
	data_lines(o, data);
	finish(o, id);
}

void
sse_binary_event(struct out *o, struct slice type, struct slice bytes, struct slice id)
{
	begin(o, type);
	out_text(o, "data: ");
	base64_encode(o, bytes);
	out_char(o, '\n');
	finish(o, id);
}

void
sse_control(struct out *o, struct slice op, struct slice json, struct slice id)
{
	out_text(o, "event: ringcast.");
	out_slice(o, one_line(op));
	out_char(o, '\n');
	data_lines(o, json);
	finish(o, id);
}

void
sse_retry(struct out *o, uint32_t retry_ms)
{
	out_text(o, "retry: ");
	out_u64(o, retry_ms);
	out_text(o, "\n\n");
}

size_t
sse_event_len_max(size_t type_len, size_t data_len, size_t id_len)
{
	/* The worst data is all line ends: each byte, and the end, makes a line of its own. */
	return (sizeof "event: \n" - 1) + type_len + (data_len + 1) * (sizeof "data: \n" - 1) +
	       (sizeof "id: \n" - 1) + id_len + 1;
}
