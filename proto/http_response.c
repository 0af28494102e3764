/*
 * http_response.c: heads of answers, error answers, chunks. See http_response.h.
 */
#include "proto/http_response.h"

/* What a page of another origin may read besides the fields that every page may. */
static const char exposed[] = "Retry-After, WWW-Authenticate";

/* By the contract: the preflight's headers and its age in seconds. */
static const char preflight_headers[] =
    "Authorization, Content-Type, Last-Event-ID, Idempotency-Key";
static const char preflight_max_age[] = "86400";

static const struct {
	unsigned status;
	const char *reason;
} reasons[] = {
    {101, "Switching Protocols"},
    {200, "OK"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
};

const char *
http_response_reason(unsigned status)
{
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

static void
field(struct out *out, const char *name, struct slice value)
{
	out_text(out, name);
	out_text(out, ": ");
	for (size_t i = 0; i < value.len; i++)
		out_char(out, http_is_value_char(value.bytes[i]) ? value.bytes[i] : '?');
	out_text(out, "\r\n");
}

static void
field_if(struct out *out, const char *name, struct slice value)
{
	if (value.len != 0)
		field(out, name, value);
}

static void
field_u64(struct out *out, const char *name, uint64_t value)
{
	out_text(out, name);
	out_text(out, ": ");
	out_u64(out, value);
	out_text(out, "\r\n");
}

/* What the answer depends on, for caches on the way (RFC 9110, 12.5.5). */
static void
vary_field(struct out *out, const struct http_response *r)
{
	if (r->cors.vary && r->vary_encoding)
		field(out, "Vary", SLICE_LITERAL("Origin, Accept-Encoding"));
	else if (r->cors.vary)
		field(out, "Vary", SLICE_LITERAL("Origin"));
	else if (r->vary_encoding)
		field(out, "Vary", SLICE_LITERAL("Accept-Encoding"));
}

/* CORS protocol of WHATWG Fetch, 3.2.3. */
static void
cors_fields(struct out *out, const struct http_response_cors *cors)
{
	if (cors->allow_origin.len != 0) {
		field(out, "Access-Control-Allow-Origin", cors->allow_origin);
		if (cors->credentials)
			field(out, "Access-Control-Allow-Credentials", SLICE_LITERAL("true"));
		field(out, "Access-Control-Expose-Headers", slice_text(exposed));
	}
}

/*
 * A 426 names the protocol that it asks for, and so needs the connection option too (RFC 9110,
 * 7.8).
 */
static void
connection_fields(struct out *out, const struct http_response *r)
{
	bool upgrade = r->status == 426;

	if (upgrade)
		field(out, "Upgrade", SLICE_LITERAL("websocket"));
	if (upgrade && r->close)
		field(out, "Connection", SLICE_LITERAL("upgrade, close"));
	else if (upgrade)
		field(out, "Connection", SLICE_LITERAL("upgrade"));
	else if (r->close)
		field(out, "Connection", SLICE_LITERAL("close"));
}

void
http_response_head(struct out *out, const struct http_response *r)
{
	out_text(out, "HTTP/1.1 ");
	out_u64(out, r->status);
	out_char(out, ' ');
	out_text(out, http_response_reason(r->status));
	out_text(out, "\r\n");

	field_if(out, "Date", r->date);
	field_if(out, "Content-Type", r->content_type);
	field_if(out, "Content-Encoding", r->content_encoding);
	if (r->framing == HTTP_FRAMING_LENGTH)
		field_u64(out, "Content-Length", r->content_length);
	else if (r->framing == HTTP_FRAMING_CHUNKED)
		field(out, "Transfer-Encoding", SLICE_LITERAL("chunked"));
	field_if(out, "Cache-Control", r->cache_control);
	field_if(out, "Allow", r->allow);
	field_if(out, "WWW-Authenticate", r->www_authenticate);
	if (r->retry_after_s != 0)
		field_u64(out, "Retry-After", r->retry_after_s);
	cors_fields(out, &r->cors);
	vary_field(out, r);
	for (size_t i = 0; i < r->extra_count; i++) {
		out_slice(out, r->extra[i].name);
		field(out, "", r->extra[i].value);
	}
	connection_fields(out, r);
	out_text(out, "\r\n");
}

void
http_response_error(struct out *out, const struct http_response *template, enum error_code code,
    struct slice message)
{
	struct http_response r = *template;
	struct out measure = out_to(NULL, 0);

	error_json(&measure, code, message);
	r.status = error_status(code);
	r.framing = HTTP_FRAMING_LENGTH;
	r.content_length = measure.need;
	r.content_type = SLICE_LITERAL("application/json");
	if (r.cache_control.len == 0)
		r.cache_control = SLICE_LITERAL("no-store");
	if (r.status == 401 && r.www_authenticate.len == 0)
		r.www_authenticate = SLICE_LITERAL("Bearer");
	if ((r.status == 429 || r.status == 503) && r.retry_after_s == 0)
		r.retry_after_s = 1;
	http_response_head(out, &r);
	if (!r.head_only)
		error_json(out, code, message);
}

void
http_response_preflight(struct out *out, const struct http_response *template, struct slice methods)
{
	const struct http_field fields[] = {
	    {SLICE_LITERAL("Access-Control-Allow-Methods"), methods},
	    {SLICE_LITERAL("Access-Control-Allow-Headers"), slice_text(preflight_headers)},
	    {SLICE_LITERAL("Access-Control-Max-Age"), slice_text(preflight_max_age)},
	};
	struct http_response r = {
	    .status = 204,
	    .framing = HTTP_FRAMING_NONE,
	    .close = template->close,
	    .date = template->date,
	    .allow = template->allow,
	    .cors = template->cors,
	    .extra = fields,
	    .extra_count = template->cors.allow_origin.len != 0 ? 3 : 0,
	};

	http_response_head(out, &r);
}

void
http_response_chunk(struct out *out, struct slice data)
{
	static const char hex[] = "0123456789abcdef";
	char digits[16];
	size_t at = sizeof digits;
	uint64_t n = data.len;

	if (data.len == 0)
		return;
	do
		digits[--at] = hex[n & 15];
	while ((n >>= 4) != 0);
	out_bytes(out, digits + at, sizeof digits - at);
	out_text(out, "\r\n");
	out_slice(out, data);
	out_text(out, "\r\n");
}

void
http_response_chunk_end(struct out *out)
{
	out_text(out, "0\r\n\r\n");
}
