/*
 * ws_deflate.c: one pass over a field's value; each offer is judged as its parameters are read.
 */
#include "proto/ws_deflate.h"

#include "proto/http.h"

#define NAME "permessage-deflate"

/* A value as it is after unescaping; none that means something to us is longer. */
struct value {
	size_t len; /* of the whole */
	char text[2];
	bool present;
};

struct scan {
	const char *at;
	const char *end;
};

static void
skip_space(struct scan *scan)
{
	while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t'))
		scan->at++;
}

/* White space, then this character; true: both are taken. */
static bool
take(struct scan *scan, char c)
{
	skip_space(scan);
	if (scan->at == scan->end || *scan->at != c)
		return false;
	scan->at++;
	return true;
}

/* White space, then a token. False: there is none. */
static bool
take_token(struct scan *scan, struct slice *token)
{
	const char *end;

	skip_space(scan);
	end = http_skip_token(scan->at, scan->end);
	*token = slice_of(scan->at, (size_t)(end - scan->at));
	scan->at = end;
	return token->len != 0;
}

static void
value_add(struct value *value, char c)
{
	if (value->len < sizeof value->text)
		value->text[value->len] = c;
	value->len++;
}

/* What follows the opening quote. Unescaped it must be a token (RFC 6455 section 9.1). */
static bool
take_quoted(struct scan *scan, struct value *value)
{
	while (scan->at < scan->end) {
		char c = *scan->at++;

		if (c == '"')
			return value->len != 0;
		if (c == '\\') {
			if (scan->at == scan->end)
				return false;
			c = *scan->at++;
		}
		if (!http_is_token_char(c))
			return false;
		value_add(value, c);
	}
	return false;
}

/* "=" and a value, or nothing. False: malformed. */
static bool
take_value(struct scan *scan, struct value *value)
{
	struct slice token;

	*value = (struct value){0};
	if (!take(scan, '='))
		return true;
	value->present = true;
	if (take(scan, '"'))
		return take_quoted(scan, value);
	if (!take_token(scan, &token))
		return false;
	for (size_t i = 0; i < token.len; i++)
		value_add(value, token.bytes[i]);
	return true;
}

/* 8 to 15 in decimal, no leading zero; 0: anything else. */
static uint8_t
window_bits(const struct value *value)
{
	const char *text = value->text;

	if (value->len == 1 && (text[0] == '8' || text[0] == '9'))
		return (uint8_t)(text[0] - '0');
	if (value->len == 2 && text[0] == '1' && text[1] >= '0' && text[1] <= '5')
		return (uint8_t)(10 + text[1] - '0');
	return 0;
}

/* Takes a flag over. False: it has a value, or was there before. */
static bool
set_flag(bool *flag, const struct value *value)
{
	const bool fine = !*flag && !value->present;

	*flag = true;
	return fine;
}

/* Takes one parameter over. False: the offer is to be declined (RFC 7692 section 7.1). */
static bool
set_parameter(struct ws_deflate *offer, struct slice name, const struct value *value)
{
	if (slice_equal(name, SLICE_LITERAL("server_no_context_takeover")))
		return set_flag(&offer->server_forgets, value);
	if (slice_equal(name, SLICE_LITERAL("client_no_context_takeover")))
		return set_flag(&offer->client_forgets, value);
	if (slice_equal(name, SLICE_LITERAL("server_max_window_bits"))) {
		if (offer->server_bits != 0)
			return false;
		offer->server_bits = window_bits(value);
		return offer->server_bits != 0;
	}
	if (slice_equal(name, SLICE_LITERAL("client_max_window_bits"))) {
		if (offer->client_takes_bits)
			return false;
		offer->client_takes_bits = true;
		offer->client_bits = window_bits(value);
		return offer->client_bits != 0 || !value->present;
	}
	return false;
}

static void
consider(struct ws_deflate_offers *offers, const struct ws_deflate *offer)
{
	const bool whole = offer->server_bits == 0 || offer->server_bits == WS_DEFLATE_BITS_MAX;
	const uint8_t rank = whole ? WS_DEFLATE_BOTH : WS_DEFLATE_INPUT;

	if (rank <= offers->rank)
		return;
	offers->best = *offer;
	offers->rank = rank;
}

/* One extension with its parameters. False: malformed. */
static bool
take_extension(struct ws_deflate_offers *offers, struct scan *scan)
{
	struct ws_deflate offer = {0};
	struct slice name;
	bool fine;

	if (!take_token(scan, &name))
		return false;
	offers->extensions = true;
	fine = slice_equal(name, SLICE_LITERAL(NAME));
	while (take(scan, ';')) {
		struct value value;
		struct slice parameter;

		if (!take_token(scan, &parameter) || !take_value(scan, &value))
			return false;
		fine = fine && set_parameter(&offer, parameter, &value);
	}
	if (fine)
		consider(offers, &offer);
	return true;
}

void
ws_deflate_field(struct ws_deflate_offers *offers, struct slice value)
{
	struct scan scan = {value.bytes, value.bytes + value.len};

	offers->fields = true;
	while (!offers->malformed) {
		while (take(&scan, ','))
			; /* empty elements do not count (RFC 9110 section 5.6.1.2) */
		if (scan.at == scan.end)
			return;
		if (!take_extension(offers, &scan) || (!take(&scan, ',') && scan.at != scan.end))
			offers->malformed = true;
	}
}

bool
ws_deflate_malformed(const struct ws_deflate_offers *offers)
{
	return offers->malformed || (offers->fields && !offers->extensions);
}

struct ws_deflate
ws_deflate_answer(const struct ws_deflate_offers *offers, bool keeps)
{
	const struct ws_deflate *offer = &offers->best;
	struct ws_deflate answer = {.server_bits = offer->server_bits,
	    .server_forgets = true,
	    .client_forgets = offer->client_forgets || !keeps};

	/* A window is agreed on where we have to keep one: it may be as small as the client wants. */
	if (!answer.client_forgets && offer->client_bits != 0) {
		answer.client_takes_bits = true;
		answer.client_bits = offer->client_bits;
	}
	return answer;
}

static void
render_bits(struct out *o, const char *name, uint8_t bits)
{
	out_text(o, name);
	if (bits == 0)
		return;
	out_char(o, '=');
	out_u64(o, bits);
}

void
ws_deflate_render(struct out *o, const struct ws_deflate *answer)
{
	out_text(o, NAME);
	if (answer->server_forgets)
		out_text(o, "; server_no_context_takeover");
	if (answer->client_forgets)
		out_text(o, "; client_no_context_takeover");
	if (answer->server_bits != 0)
		render_bits(o, "; server_max_window_bits", answer->server_bits);
	if (answer->client_takes_bits)
		render_bits(o, "; client_max_window_bits", answer->client_bits);
}
