/*
 * http_head.c: field lines and line ends. See http_head.h.
 */
#include "proto/http_head.h"

int
http_head_line_end(struct http_head *head)
{
	if (head->at == head->end)
		return 0;
	if (*head->at != '\r')
		return HTTP_HEAD_BAD_LINE_END;
	if (head->end - head->at == 1)
		return 0;
	if (head->at[1] != '\n')
		return HTTP_HEAD_BAD_LINE_END;
	head->at += 2;
	return HTTP_HEAD_OK;
}

/*
 * What stopped a name that no colon follows. White space before the colon is an error of its own
 * in RFC 9112, 5.1.
 */
static int
bad_name(char stop)
{
	return stop == '\n' || stop == '\r' ? HTTP_HEAD_BAD_LINE_END : HTTP_HEAD_BAD_NAME;
}

int
http_head_field(struct http_head *head, struct http_field *field)
{
	const char *at = head->at;
	const char *end = head->end;

	if (at == end)
		return 0;
	if (*at == '\r') {
		int result = http_head_line_end(head);

		return result == HTTP_HEAD_OK ? HTTP_HEAD_END : result;
	}
	if (*at == ' ' || *at == '\t')
		return HTTP_HEAD_FOLDED;

	at = http_skip_token(at, end);
	if (at == end)
		return 0;
	if (at == head->at || *at != ':')
		return bad_name(*at);
	field->name = slice_of(head->at, (size_t)(at - head->at));

	const char *value = ++at;
	at = http_skip_value(at, end);
	if (at == end)
		return 0;
	if (*at != '\r')
		return *at == '\n' ? HTTP_HEAD_BAD_LINE_END : HTTP_HEAD_BAD_VALUE;
	field->value = http_trim(slice_of(value, (size_t)(at - value)));

	struct http_head rest = {at, end};
	int result = http_head_line_end(&rest);
	if (result == HTTP_HEAD_OK)
		head->at = rest.at;
	return result;
}

bool
http_head_may_end(struct slice input, size_t last_len)
{
	if (last_len == 0 || input.len == 0)
		return true;
	if (last_len > input.len)
		last_len = input.len;

	/* The four bytes may have begun in the part already seen. */
	size_t from = last_len > 3 ? last_len - 3 : 0;
	return memmem(input.bytes + from, input.len - from, "\r\n\r\n", 4) != NULL;
}
