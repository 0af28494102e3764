/*
 * http_request.c: the strict parser of request heads. See http_request.h.
 *
 * One pass over the bytes: request line, then field by field; each field that we know is put into
 * its place at once. What the fields mean together (Host, body, connection) is judged at the end.
 */
#include "proto/http_request.h"

#include <assert.h>

#include "proto/http_head.h"
#include "shm/limits.h"

static const struct slice methods[HTTP_METHOD_OTHER] = {
    [HTTP_GET] = SLICE_LITERAL("GET"),
    [HTTP_HEAD] = SLICE_LITERAL("HEAD"),
    [HTTP_POST] = SLICE_LITERAL("POST"),
    [HTTP_PUT] = SLICE_LITERAL("PUT"),
    [HTTP_DELETE] = SLICE_LITERAL("DELETE"),
    [HTTP_OPTIONS] = SLICE_LITERAL("OPTIONS"),
    [HTTP_PATCH] = SLICE_LITERAL("PATCH"),
    [HTTP_CONNECT] = SLICE_LITERAL("CONNECT"),
    [HTTP_TRACE] = SLICE_LITERAL("TRACE"),
};

/* What a second line of the same name means: an error (below 0), more elements, or nothing new. */
enum {
	REFUSED = HTTP_REQUEST_REPEATED_FIELD,
	LIST = 1, /* all lines are one list */
	FIRST,    /* the first counts */
	LAST,     /* the last counts */
};

static const struct {
	struct slice name;
	int repeated;
} known[HTTP_REQUEST_FIELDS] = {
    [HTTP_ACCEPT] = {SLICE_LITERAL("Accept"), LIST},
    [HTTP_ACCEPT_ENCODING] = {SLICE_LITERAL("Accept-Encoding"), LIST},
    [HTTP_ACCESS_CONTROL_REQUEST_HEADERS] = {SLICE_LITERAL("Access-Control-Request-Headers"), LIST},
    [HTTP_ACCESS_CONTROL_REQUEST_METHOD] = {SLICE_LITERAL("Access-Control-Request-Method"),
	REFUSED},
    [HTTP_AUTHORIZATION] = {SLICE_LITERAL("Authorization"), REFUSED},
    [HTTP_CONNECTION] = {SLICE_LITERAL("Connection"), LIST},
    [HTTP_CONTENT_ENCODING] = {SLICE_LITERAL("Content-Encoding"), LIST},
    [HTTP_CONTENT_LENGTH] = {SLICE_LITERAL("Content-Length"), HTTP_REQUEST_BAD_CONTENT_LENGTH},
    [HTTP_CONTENT_TYPE] = {SLICE_LITERAL("Content-Type"), REFUSED},
    [HTTP_EXPECT] = {SLICE_LITERAL("Expect"), LIST},
    [HTTP_HOST] = {SLICE_LITERAL("Host"), HTTP_REQUEST_BAD_HOST},
    [HTTP_IDEMPOTENCY_KEY] = {SLICE_LITERAL("Idempotency-Key"), REFUSED},
    /* EventSource gives up for ever on a 400, so this one is never a reason for it. */
    [HTTP_LAST_EVENT_ID] = {SLICE_LITERAL("Last-Event-ID"), LAST},
    [HTTP_ORIGIN] = {SLICE_LITERAL("Origin"), REFUSED},
    [HTTP_SEC_FETCH_SITE] = {SLICE_LITERAL("Sec-Fetch-Site"), REFUSED},
    [HTTP_SEC_WEBSOCKET_EXTENSIONS] = {SLICE_LITERAL("Sec-WebSocket-Extensions"), LIST},
    [HTTP_SEC_WEBSOCKET_KEY] = {SLICE_LITERAL("Sec-WebSocket-Key"), REFUSED},
    [HTTP_SEC_WEBSOCKET_PROTOCOL] = {SLICE_LITERAL("Sec-WebSocket-Protocol"), LIST},
    [HTTP_SEC_WEBSOCKET_VERSION] = {SLICE_LITERAL("Sec-WebSocket-Version"), REFUSED},
    [HTTP_TRANSFER_ENCODING] = {SLICE_LITERAL("Transfer-Encoding"),
	HTTP_REQUEST_BAD_TRANSFER_ENCODING},
    [HTTP_UPGRADE] = {SLICE_LITERAL("Upgrade"), LIST},
    [HTTP_USER_AGENT] = {SLICE_LITERAL("User-Agent"), FIRST},
    [HTTP_X_FORWARDED_FOR] = {SLICE_LITERAL("X-Forwarded-For"), LIST},
    [HTTP_X_FORWARDED_PROTO] = {SLICE_LITERAL("X-Forwarded-Proto"), LIST},
};
static_assert(HTTP_REQUEST_FIELDS <= 32, "http_request.repeated is a bit for each");

static const struct {
	enum error_code code;
	const char *text;
} errors[] = {
    [-HTTP_REQUEST_BAD_LINE] = {ERROR_BAD_REQUEST, "malformed request line"},
    [-HTTP_REQUEST_BAD_TARGET] = {ERROR_BAD_REQUEST, "malformed request target"},
    [-HTTP_REQUEST_BAD_VERSION] = {ERROR_BAD_REQUEST, "neither HTTP/1.0 nor HTTP/1.1"},
    [-HTTP_REQUEST_BAD_LINE_END] = {ERROR_BAD_REQUEST, "a line does not end in CR LF"},
    [-HTTP_REQUEST_BAD_FIELD_NAME] = {ERROR_BAD_REQUEST, "malformed header name"},
    [-HTTP_REQUEST_BAD_FIELD_VALUE] = {ERROR_BAD_REQUEST, "control character in a header"},
    [-HTTP_REQUEST_FOLDED] = {ERROR_BAD_REQUEST, "a header line begins with white space"},
    [-HTTP_REQUEST_BAD_HOST] = {ERROR_BAD_REQUEST, "Host is missing, repeated or malformed"},
    [-HTTP_REQUEST_BAD_CONTENT_LENGTH] = {ERROR_BAD_REQUEST, "Content-Length is not one number"},
    [-HTTP_REQUEST_BAD_TRANSFER_ENCODING] = {ERROR_BAD_REQUEST,
	"Transfer-Encoding is not just chunked, or comes with Content-Length or HTTP/1.0"},
    [-HTTP_REQUEST_REPEATED_FIELD] = {ERROR_BAD_REQUEST, "a header that has one value is repeated"},
    [-HTTP_REQUEST_URI_TOO_LONG] = {ERROR_URI_TOO_LONG, "the request line is too long"},
    [-HTTP_REQUEST_HEADERS_TOO_LARGE] = {ERROR_HEADERS_TOO_LARGE, "the headers are too large"},
};

enum error_code
http_request_error_code(ptrdiff_t error)
{
	assert(error < 0 && error >= HTTP_REQUEST_HEADERS_TOO_LARGE);
	return errors[-error].code;
}

const char *
http_request_error_text(ptrdiff_t error)
{
	assert(error < 0 && error >= HTTP_REQUEST_HEADERS_TOO_LARGE);
	return errors[-error].text;
}

static enum http_method
method_of(struct slice name)
{
	for (enum http_method method = HTTP_GET; method < HTTP_METHOD_OTHER; method++)
		if (slice_equal(name, methods[method]))
			return method;
	return HTTP_METHOD_OTHER;
}

/*
 * Bytes of a target: what is visible but '#', because a fragment is never sent. More than RFC 3986
 * allows: browsers leave some of the rest (`|`, `{`, `^`) as they are in a query, and people type
 * letters of their language behind curl.
 */
static bool
is_target_char(char c)
{
	return c != ' ' && c != '\t' && c != '#' && http_is_value_char(c);
}

/* "HTTP/1.x", then the line end. */
static int
parse_version(struct http_request *request, struct http_head *head)
{
	static const char protocol[] = "HTTP/";
	const size_t prefix = sizeof protocol - 1;
	size_t len = (size_t)(head->end - head->at);

	if (memcmp(head->at, protocol, len < prefix ? len : prefix) != 0)
		return HTTP_REQUEST_BAD_LINE;
	for (size_t i = prefix; i < prefix + 3 && i < len; i++) {
		char c = head->at[i];

		if (i == prefix + 1 ? c != '.' : c < '0' || c > '9')
			return HTTP_REQUEST_BAD_LINE;
	}
	if (len < prefix + 3)
		return 0;
	if (head->at[prefix] != '1' || head->at[prefix + 2] > '1')
		return HTTP_REQUEST_BAD_VERSION;
	request->minor = (unsigned)(head->at[prefix + 2] - '0');
	head->at += prefix + 3;
	return http_head_line_end(head);
}

/* Answers 1 (and stands behind the line), 0 or an error. RFC 9112, 3. */
static int
parse_request_line(struct http_request *request, struct http_head *head)
{
	const char *start = head->at;

	head->at = http_skip_token(head->at, head->end);
	if (head->at == head->end)
		return 0;
	if (*head->at != ' ' || head->at == start)
		return HTTP_REQUEST_BAD_LINE;
	request->method_name = slice_of(start, (size_t)(head->at - start));
	request->method = method_of(request->method_name);

	start = ++head->at;
	while (head->at != head->end && is_target_char(*head->at))
		head->at++;
	if (head->at == head->end)
		return 0;
	if (*head->at != ' ')
		return HTTP_REQUEST_BAD_LINE;
	request->target = slice_of(start, (size_t)(head->at - start));
	if (request->target.len == 0)
		return HTTP_REQUEST_BAD_TARGET;
	head->at++;
	return parse_version(request, head);
}

/* Takes "http://" or "https://" off the target. */
static enum http_scheme
take_scheme(struct slice *target)
{
	static const struct slice prefixes[] = {
	    [HTTP_SCHEME_HTTP] = SLICE_LITERAL("http://"),
	    [HTTP_SCHEME_HTTPS] = SLICE_LITERAL("https://"),
	};

	for (enum http_scheme scheme = HTTP_SCHEME_HTTP; scheme <= HTTP_SCHEME_HTTPS; scheme++) {
		size_t len = prefixes[scheme].len;

		if (target->len < len ||
		    !http_equal_nocase(slice_of(target->bytes, len), prefixes[scheme]))
			continue;
		*target = slice_of(target->bytes + len, target->len - len);
		return scheme;
	}
	return HTTP_SCHEME_UNKNOWN;
}

/* Splits the target into path, query and, in absolute-form, scheme and host. RFC 9112, 3.2. */
static int
split_target(struct http_request *request)
{
	struct slice rest = request->target;

	if (slice_equal(rest, SLICE_LITERAL("*"))) {
		request->path = rest;
		return request->method == HTTP_OPTIONS ? 1 : HTTP_REQUEST_BAD_TARGET;
	}
	if (rest.bytes[0] != '/') {
		size_t len = 0;
		struct slice name;
		int port;

		request->scheme = take_scheme(&rest);
		if (request->scheme == HTTP_SCHEME_UNKNOWN)
			return HTTP_REQUEST_BAD_TARGET;
		while (len < rest.len && rest.bytes[len] != '/' && rest.bytes[len] != '?')
			len++;
		request->host = slice_of(rest.bytes, len);
		if (!http_host_split(request->host, &name, &port) || name.len == 0)
			return HTTP_REQUEST_BAD_TARGET;
		rest = slice_of(rest.bytes + len, rest.len - len);
	}

	const char *mark = rest.len != 0 ? memchr(rest.bytes, '?', rest.len) : NULL;
	request->path = rest;
	if (mark != NULL) {
		request->path.len = (size_t)(mark - rest.bytes);
		request->query = slice_of(mark + 1, rest.len - request->path.len - 1);
	}
	/* RFC 9112, 3.2.4: the server itself, as an absolute-form spells it. */
	if (request->path.len == 0 && request->method == HTTP_OPTIONS && mark == NULL)
		request->path = SLICE_LITERAL("*");
	else if (request->path.len == 0)
		request->path = SLICE_LITERAL("/");
	return 1;
}

/* Puts a field that we know into its place. 1, or an error if it may not come twice. */
static int
store_field(struct http_request *request, const struct http_field *field)
{
	for (int i = 0; i < HTTP_REQUEST_FIELDS; i++) {
		if (field->name.len != known[i].name.len ||
		    !http_equal_nocase(field->name, known[i].name))
			continue;
		if (request->known[i].bytes == NULL) {
			request->known[i] = field->value;
			return 1;
		}
		request->repeated |= UINT32_C(1) << i;
		if (known[i].repeated == LAST)
			request->known[i] = field->value;
		return known[i].repeated < 0 ? known[i].repeated : 1;
	}
	return 1;
}

/* Answers 1 behind the empty line, 0 or an error. RFC 9112, 5. */
static int
parse_fields(struct http_request *request, struct http_head *head)
{
	const char *start = head->at;
	struct http_field field;
	unsigned count = 0;
	int result;

	while ((result = http_head_field(head, &field)) == HTTP_HEAD_OK) {
		if (++count > LIMIT_HEADER_FIELDS)
			return HTTP_REQUEST_HEADERS_TOO_LARGE;
		result = store_field(request, &field);
		if (result < 0)
			return result;
	}
	if (result != HTTP_HEAD_END)
		return result;
	request->fields = slice_of(start, (size_t)(head->at - start) - 2);
	return 1;
}

/*
 * RFC 9112, 3.2: every HTTP/1.1 request has one Host; in absolute-form the target's own counts
 * instead.
 */
static int
judge_host(struct http_request *request, const struct http_request_options *options)
{
	struct slice field = request->known[HTTP_HOST];
	struct slice name;
	int port;

	if (!options->any_host) {
		if (field.bytes == NULL && request->minor >= 1)
			return HTTP_REQUEST_BAD_HOST;
		if (field.bytes != NULL && !http_host_split(field, &name, &port))
			return HTTP_REQUEST_BAD_HOST;
	}
	if (request->host.bytes == NULL)
		request->host = field;
	return 1;
}

/* RFC 9112, 6.3, with everything refused that another reader could take for another length. */
static int
judge_framing(struct http_request *request)
{
	struct slice length = request->known[HTTP_CONTENT_LENGTH];
	struct slice coding = request->known[HTTP_TRANSFER_ENCODING];

	request->framing = HTTP_FRAMING_NONE;
	if (coding.bytes != NULL) {
		if (length.bytes != NULL || request->minor == 0 ||
		    !http_equal_nocase(coding, SLICE_LITERAL("chunked")))
			return HTTP_REQUEST_BAD_TRANSFER_ENCODING;
		request->framing = HTTP_FRAMING_CHUNKED;
	} else if (length.bytes != NULL) {
		if (!http_decimal(length, &request->content_length))
			return HTTP_REQUEST_BAD_CONTENT_LENGTH;
		request->framing = HTTP_FRAMING_LENGTH;
	}
	return 1;
}

/* HTTP/1.0 always closes, and can neither upgrade nor wait for a 100 (RFC 9110, 7.8 and 10.1.1). */
static void
judge_connection(struct http_request *request)
{
	if (request->minor == 0)
		return;
	request->keep_alive =
	    !http_request_list_has(request, HTTP_CONNECTION, SLICE_LITERAL("close"));
	request->expect_continue =
	    http_request_list_has(request, HTTP_EXPECT, SLICE_LITERAL("100-continue"));
	request->upgrade_websocket =
	    request->method == HTTP_GET &&
	    http_request_list_has(request, HTTP_CONNECTION, SLICE_LITERAL("upgrade")) &&
	    http_request_list_has(request, HTTP_UPGRADE, SLICE_LITERAL("websocket"));
}

/* Parses what is there; *line_seen tells whether the request line was complete. */
static ptrdiff_t
parse_head(struct http_request *request, struct slice input,
    const struct http_request_options *options, bool *line_seen)
{
	struct http_head head = {input.bytes, input.bytes + input.len};
	int result = 1;

	while (result > 0 && head.at != head.end && *head.at == '\r')
		result = http_head_line_end(&head);
	if (result > 0)
		result = parse_request_line(request, &head);
	if (result > 0) {
		*line_seen = true;
		result = split_target(request);
	}
	if (result > 0)
		result = parse_fields(request, &head);
	if (result > 0)
		result = judge_host(request, options);
	if (result > 0)
		result = judge_framing(request);
	if (result <= 0)
		return result;
	judge_connection(request);
	return head.at - input.bytes;
}

ptrdiff_t
http_request_parse(struct http_request *request, struct slice input, size_t last_len,
    const struct http_request_options *options)
{
	if (input.len == 0)
		return 0;

	bool over = input.len >= options->head_bytes_max;
	bool line_seen = false;

	/*
	 * Cut at the limit: the answer must not depend on how many bytes happened to arrive
	 * together.
	 */
	if (over)
		input.len = options->head_bytes_max;
	else if (!http_head_may_end(input, last_len))
		return 0;

	memset(request, 0, sizeof *request);
	ptrdiff_t result = parse_head(request, input, options, &line_seen);
	if (result != 0 || !over)
		return result;
	return line_seen ? HTTP_REQUEST_HEADERS_TOO_LARGE : HTTP_REQUEST_URI_TOO_LONG;
}

bool
http_request_list_next(const struct http_request *request, enum http_request_field field,
    struct http_request_list *list, struct slice *element)
{
	struct http_field line;

	if (!list->begun) {
		list->begun = true;
		if ((request->repeated & UINT32_C(1) << field) != 0)
			list->fields = request->fields;
		else
			list->values = request->known[field];
	}
	while (!http_list_next(&list->values, element)) {
		do
			if (!http_field_next(&list->fields, &line))
				return false;
		while (!http_equal_nocase(line.name, known[field].name));
		list->values = line.value;
	}
	return true;
}

bool
http_request_list_has(
    const struct http_request *request, enum http_request_field field, struct slice token)
{
	struct http_request_list list = {0};
	struct slice element;

	while (http_request_list_next(request, field, &list, &element))
		if (http_equal_nocase(element, token))
			return true;
	return false;
}

bool
http_request_is_encoded(const struct http_request *request)
{
	struct http_request_list list = {0};
	struct slice element;

	while (http_request_list_next(request, HTTP_CONTENT_ENCODING, &list, &element))
		if (!http_equal_nocase(element, SLICE_LITERAL("identity")))
			return true;
	return false;
}
