/*
 * http_response_fuzz.c: whatever the fields of an answer hold, it is one answer: a status line, the lines that were
 * asked for and no other, an empty line, and as many bytes as it says; its error objects are JSON with the words that were given.
 *
 * Input: status, flags, error code, then pieces of text, each with its length.
 */
#include <stdlib.h>

#include <jansson.h>

#include "proto/http_reply.h"
#include "proto/http_response.h"
#include "proto/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())
#define INPUT_BYTES_MAX 2000

static struct slice
take(struct slice *in)
{
	const size_t want = in->len == 0 ? 0 : (unsigned char)in->bytes[0] % 64;
	const size_t len = in->len == 0 ? 0 : want < in->len - 1 ? want : in->len - 1;
	const struct slice s = slice_of(in->bytes + (in->len != 0), len);

	*in = slice_of(in->bytes + len + (in->len != 0), in->len - len - (in->len != 0));
	return s;
}

/* What is written of a value: control characters as '?', and then as a reader trims it. */
static void
check_value(struct slice got, struct slice given)
{
	size_t begin = 0, end = given.len;

	while (end != 0 && (given.bytes[end - 1] == ' ' || given.bytes[end - 1] == '\t'))
		end--;
	while (begin < end && (given.bytes[begin] == ' ' || given.bytes[begin] == '\t'))
		begin++;
	CHECK(got.len == end - begin);
	for (size_t i = 0; i < got.len; i++) {
		const unsigned char c = (unsigned char)given.bytes[begin + i];
		const bool control = (c < 32 && c != '\t') || c == 127;

		CHECK(got.bytes[i] == (control ? '?' : (char)c));
	}
}

/* Lines between CRLFs, and no CR or LF elsewhere. Returns the bytes of the head. */
static size_t
check_lines(struct slice bytes, unsigned *lines)
{
	size_t line = 0;

	*lines = 0;
	for (size_t i = 0; i + 1 < bytes.len; i++) {
		const unsigned char c = (unsigned char)bytes.bytes[i];

		if (c != '\r') {
			CHECK(c >= 32 || c == '\t');
			CHECK(c != 127);
			continue;
		}
		CHECK(bytes.bytes[i + 1] == '\n');
		if (i == line)
			return i + 2;
		(*lines)++;
		line = ++i + 1;
	}
	abort();
}

static void
check_head(const struct http_response *response, struct slice bytes, const struct slice *extra)
{
	struct http_reply reply;
	struct http_field field;
	unsigned lines, fields = 0, met = 0;
	const size_t head = check_lines(bytes, &lines);
	struct slice rest;

	CHECK(http_reply_parse(&reply, bytes, 0, 65536) == (ptrdiff_t)head && head == bytes.len);
	CHECK(reply.status == response->status && reply.minor == 1);
	rest = reply.fields;
	while (http_field_next(&rest, &field)) {
		fields++;
		if (http_equal_nocase(field.name, SLICE_LITERAL("Content-Type")))
			check_value(field.value, response->content_type);
		else if (http_equal_nocase(field.name, SLICE_LITERAL("Cache-Control")))
			check_value(field.value, response->cache_control);
		else if (http_equal_nocase(
			     field.name, SLICE_LITERAL("Access-Control-Allow-Origin")))
			check_value(field.value, response->cors.allow_origin);
		else if (http_equal_nocase(field.name, SLICE_LITERAL("X-Extra")))
			check_value(field.value, extra[met++]);
		else
			CHECK(!http_equal_nocase(field.name, SLICE_LITERAL("X-Injected")));
	}
	CHECK(fields + 1 == lines && met == response->extra_count);
	if (response->status < 200 || response->status == 204 || response->status == 304)
		return; /* without a body, whatever the fields say */
	CHECK(reply.framing == (response->framing == HTTP_FRAMING_NONE ? HTTP_FRAMING_UNTIL_CLOSE
								       : response->framing));
	CHECK(response->framing != HTTP_FRAMING_LENGTH ||
	      reply.content_length == response->content_length);
}

static void
check_error(const struct http_response *template, enum error_code code, struct slice message)
{
	char room[16384];
	struct out o = out_to(room, sizeof room);
	struct http_reply reply;
	const json_t *error, *text;
	json_t *body;
	ptrdiff_t head;

	http_response_error(&o, template, code, message);
	CHECK(!out_cut(&o));
	head = http_reply_parse(&reply, slice_of(o.bytes, o.len), 0, 65536);
	CHECK(head > 0 && reply.status == error_status(code));
	if (template->head_only) {
		CHECK((size_t)head == o.len);
		return;
	}
	CHECK(reply.framing == HTTP_FRAMING_LENGTH && (size_t)head + reply.content_length == o.len);
	body = json_loadb(
	    o.bytes + head, o.len - (size_t)head, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	CHECK(body != NULL);
	error = json_object_get(body, "error");
	text = json_object_get(error, "message");
	CHECK(strcmp(json_string_value(json_object_get(error, "code")), error_word(code)) == 0);
	if (utf8_valid(message))
		CHECK(slice_equal(
		    message, slice_of(json_string_value(text), json_string_length(text))));
	json_decref(body);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned statuses[] = {200, 101, 204, 304, 400, 401, 429, 503, 599, 299};
	char room[16384];
	struct out o = out_to(room, sizeof room);
	struct slice in, values[3], message;
	struct http_field extra[3];
	struct http_response r;
	enum error_code code;

	if (size < 4 || size > INPUT_BYTES_MAX)
		return 0;
	in = slice_of((const char *)data + 4, size - 4);
	r = (struct http_response){.status = statuses[data[0] % 10],
	    .framing = (enum http_framing)(data[1] & 3),
	    .close = (data[1] & 4) != 0,
	    .head_only = (data[1] & 8) != 0,
	    .content_length = (uint64_t)data[2] << (data[3] % 55),
	    .retry_after_s = data[2],
	    .extra = extra,
	    .extra_count = data[1] >> 6};
	code = (enum error_code)(1 + data[3] % (ERROR_CODES - 1));
	r.content_type = take(&in);
	r.cache_control = take(&in);
	r.date = take(&in);
	r.allow = take(&in);
	r.www_authenticate = take(&in);
	r.cors = (struct http_response_cors){take(&in), (data[1] & 16) != 0, (data[1] & 32) != 0};
	for (size_t i = 0; i < r.extra_count; i++) {
		values[i] = take(&in);
		extra[i] = (struct http_field){SLICE_LITERAL("X-Extra"), values[i]};
	}
	message = take(&in);
	http_response_head(&o, &r);
	CHECK(!out_cut(&o));
	check_head(&r, slice_of(o.bytes, o.len), values);
	if (error_status(code) != 0)
		check_error(&r, code, message);
	o = out_to(room, sizeof room);
	http_response_preflight(&o, &r, message);
	CHECK(!out_cut(&o) && check_lines(slice_of(o.bytes, o.len), &(unsigned){0}) == o.len);
	return 0;
}
