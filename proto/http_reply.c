/*
 * http_reply.c: the parser of reply heads. See http_reply.h.
 */
#include "proto/http_reply.h"

#include "proto/http_head.h"
#include "shm/limits.h"

enum { STATUS_LINE_BYTES = 13 }; /* "HTTP/1.1 200 " */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * "HTTP/1.x nnn reason" (RFC 9112, 4): 1, 0 or an error. The space before an empty reason may be
 * missing.
 */
static int
parse_status_line(struct http_reply *reply, struct http_head *head)
{
	/* 'n' stands for any digit, 'x' for 0 or 1, ' ' at the end for the space or the CR. */
	static const char pattern[STATUS_LINE_BYTES + 1] = "HTTP/1.x nnn ";

	for (int i = 0; i < STATUS_LINE_BYTES; i++) {
		if (head->at == head->end)
			return 0;
		char c = *head->at;
		if (pattern[i] == 'n') {
			if (!is_digit(c))
				return HTTP_REPLY_BAD_LINE;
			reply->status = reply->status * 10 + (unsigned)(c - '0');
		} else if (pattern[i] == 'x') {
			if (c != '0' && c != '1')
				return HTTP_REPLY_BAD_LINE;
			reply->minor = (unsigned)(c - '0');
		} else if (i == STATUS_LINE_BYTES - 1 && c == '\r') {
			break;
		} else if (c != pattern[i]) {
			return HTTP_REPLY_BAD_LINE;
		}
		head->at++;
	}
	if (reply->status < 100 || reply->status > 599)
		return HTTP_REPLY_BAD_LINE;

	const char *reason = head->at;
	head->at = http_skip_value(head->at, head->end);
	reply->reason = slice_of(reason, (size_t)(head->at - reason));
	int result = http_head_line_end(head);
	return result < 0 ? HTTP_REPLY_BAD_LINE : result;
}

/* What the framing and the connection depend on, gathered field by field. */
struct gathered {
	struct slice length;
	struct slice coding;
	bool close;
	bool keep_alive;
};

static int
gather(struct http_reply *reply, struct gathered *g, const struct http_field *field)
{
	if (http_equal_nocase(field->name, SLICE_LITERAL("Content-Length"))) {
		if (g->length.bytes != NULL)
			return HTTP_REPLY_BAD_FRAMING;
		g->length = field->value;
	} else if (http_equal_nocase(field->name, SLICE_LITERAL("Transfer-Encoding"))) {
		if (g->coding.bytes != NULL)
			return HTTP_REPLY_BAD_FRAMING;
		g->coding = field->value;
	} else if (http_equal_nocase(field->name, SLICE_LITERAL("Content-Type"))) {
		if (reply->content_type.bytes == NULL)
			reply->content_type = field->value;
	} else if (http_equal_nocase(field->name, SLICE_LITERAL("Connection"))) {
		g->close |= http_list_has(field->value, SLICE_LITERAL("close"));
		g->keep_alive |= http_list_has(field->value, SLICE_LITERAL("keep-alive"));
	}
	return 1;
}

static int
judge(struct http_reply *reply, const struct gathered *g)
{
	bool bodiless = reply->status < 200 || reply->status == 204 || reply->status == 304;

	if (g->coding.bytes != NULL && (g->length.bytes != NULL || reply->minor == 0 ||
					   !http_equal_nocase(g->coding, SLICE_LITERAL("chunked"))))
		return HTTP_REPLY_BAD_FRAMING;
	if (g->length.bytes != NULL && !http_decimal(g->length, &reply->content_length))
		return HTTP_REPLY_BAD_FRAMING;

	if (bodiless)
		reply->framing = HTTP_FRAMING_NONE;
	else if (g->coding.bytes != NULL)
		reply->framing = HTTP_FRAMING_CHUNKED;
	else if (g->length.bytes != NULL)
		reply->framing = HTTP_FRAMING_LENGTH;
	else
		reply->framing = HTTP_FRAMING_UNTIL_CLOSE;

	reply->keep_alive = !g->close && (reply->minor == 1 || g->keep_alive) &&
			    reply->framing != HTTP_FRAMING_UNTIL_CLOSE && reply->status != 101;
	return 1;
}

/* 1 with the cursor behind the head, 0 or an error. */
static int
parse_head(struct http_reply *reply, struct http_head *head)
{
	struct gathered gathered = {0};
	struct http_field field;
	unsigned count = 0;
	int result = parse_status_line(reply, head);

	if (result <= 0)
		return result;
	const char *start = head->at;
	while ((result = http_head_field(head, &field)) == HTTP_HEAD_OK) {
		if (++count > LIMIT_HEADER_FIELDS)
			return HTTP_REPLY_TOO_LARGE;
		result = gather(reply, &gathered, &field);
		if (result < 0)
			return result;
	}
	if (result < 0)
		return HTTP_REPLY_BAD_FIELD;
	if (result == 0)
		return 0;
	reply->fields = slice_of(start, (size_t)(head->at - start) - 2);
	return judge(reply, &gathered);
}

ptrdiff_t
http_reply_parse(
    struct http_reply *reply, struct slice input, size_t last_len, size_t head_bytes_max)
{
	if (input.len == 0)
		return 0;

	bool over = input.len >= head_bytes_max;

	if (over)
		input.len = head_bytes_max;
	else if (!http_head_may_end(input, last_len))
		return 0;

	memset(reply, 0, sizeof *reply);
	struct http_head head = {input.bytes, input.bytes + input.len};
	int result = parse_head(reply, &head);
	if (result == 0 && over)
		return HTTP_REPLY_TOO_LARGE;
	return result <= 0 ? result : head.at - input.bytes;
}

struct slice
http_reply_field(const struct http_reply *reply, struct slice name)
{
	struct slice rest = reply->fields;
	struct http_field field;

	while (http_field_next(&rest, &field))
		if (http_equal_nocase(field.name, name))
			return field.value;
	return slice_of(NULL, 0);
}
