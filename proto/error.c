/*
 * error.c: the table of error codes, and their JSON. See error.h.
 */
#include "proto/error.h"

#include <assert.h>

struct entry {
	const char *word;
	unsigned status;
};

static const struct entry table[ERROR_CODES] = {
    [ERROR_NONE] = {"", 0},
    [ERROR_BAD_REQUEST] = {"bad_request", 400},
    [ERROR_BAD_JSON] = {"bad_json", 400},
    [ERROR_BAD_UTF8] = {"bad_utf8", 400},
    [ERROR_BAD_CHANNEL] = {"bad_channel", 400},
    [ERROR_BAD_AFTER] = {"bad_after", 400},
    [ERROR_NO_CHANNEL] = {"no_channel", 400},
    [ERROR_UNAUTHORIZED] = {"unauthorized", 401},
    [ERROR_TOKEN_EXPIRED] = {"token_expired", 401},
    [ERROR_FORBIDDEN] = {"forbidden", 403},
    [ERROR_ORIGIN_FORBIDDEN] = {"origin_forbidden", 403},
    [ERROR_NOT_FOUND] = {"not_found", 404},
    [ERROR_METHOD_NOT_ALLOWED] = {"method_not_allowed", 405},
    [ERROR_TIMEOUT] = {"timeout", 408},
    [ERROR_TOO_LARGE] = {"too_large", 413},
    [ERROR_URI_TOO_LONG] = {"uri_too_long", 414},
    [ERROR_UNSUPPORTED_TYPE] = {"unsupported_type", 415},
    [ERROR_UPGRADE_REQUIRED] = {"upgrade_required", 426},
    [ERROR_RATE_LIMITED] = {"rate_limited", 429},
    [ERROR_TOO_MANY_CHANNELS] = {"too_many_channels", 429},
    [ERROR_TOO_MANY_CONNECTIONS] = {"too_many_connections", 429},
    [ERROR_HEADERS_TOO_LARGE] = {"headers_too_large", 431},
    [ERROR_INTERNAL] = {"internal", 500},
    [ERROR_OVERLOADED] = {"overloaded", 503},
    [ERROR_DRAINING] = {"draining", 503},
    /* Ops exist only inside WebSocket; the status is for whoever logs or maps it. */
    [ERROR_UNKNOWN_OP] = {"unknown_op", 400},
};

const char *
error_word(enum error_code code)
{
	assert(code < ERROR_CODES);
	return table[code].word;
}

unsigned
error_status(enum error_code code)
{
	assert(code < ERROR_CODES);
	return table[code].status;
}

bool
error_is_temporary(enum error_code code)
{
	unsigned status = error_status(code);

	return status == 429 || status == 500 || status == 503;
}

/*
 * Length of the UTF-8 sequence that begins at s (RFC 3629, 4: no surrogates, no overlong forms),
 * or 0.
 */
static size_t
sequence_len(const unsigned char *s, size_t len)
{
	size_t need;
	unsigned char low = 0x80, high = 0xbf;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf) {
		need = 2;
	} else if (s[0] >= 0xe0 && s[0] <= 0xef) {
		need = 3;
		low = s[0] == 0xe0 ? 0xa0 : 0x80;
		high = s[0] == 0xed ? 0x9f : 0xbf;
	} else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		need = 4;
		low = s[0] == 0xf0 ? 0x90 : 0x80;
		high = s[0] == 0xf4 ? 0x8f : 0xbf;
	} else {
		return 0;
	}
	if (len < need || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < need; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	return need;
}

/*
 * Messages quote what a stranger sent (an Origin, a channel name), so nothing about their bytes is
 * taken for granted.
 */
static void
append_escaped(struct out *out, struct slice text)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < text.len;) {
		unsigned char c = (unsigned char)text.bytes[i];
		size_t len = sequence_len((const unsigned char *)text.bytes + i, text.len - i);

		if (c == '"' || c == '\\') {
			out_char(out, '\\');
			out_char(out, (char)c);
		} else if (c < 0x20 || c == 0x7f) {
			out_text(out, "\\u00");
			out_char(out, hex[c >> 4]);
			out_char(out, hex[c & 15]);
		} else if (len == 0) {
			out_char(out, '?');
		} else {
			out_bytes(out, text.bytes + i, len);
		}
		i += len == 0 ? 1 : len;
	}
}

void
error_members(struct out *out, enum error_code code, struct slice message)
{
	out_text(out, "\"code\":\"");
	out_text(out, error_word(code));
	out_text(out, "\",\"message\":\"");
	append_escaped(out, message);
	out_char(out, '"');
}

void
error_json(struct out *out, enum error_code code, struct slice message)
{
	out_text(out, "{\"error\":{");
	error_members(out, code, message);
	out_text(out, "}}");
}
