/*
 * ws_deflate_fuzz.c: Sec-WebSocket-Extensions read by the grammar of RFC 6455, 9.1 and the parameters of RFC 7692, 7.1, against
 * a slow reader of both; what is answered can be read as an offer, and is one that its client may be given.
 *
 * Input: lines, each the value of one field.
 */
#include <ctype.h>
#include <stdlib.h>

#include "proto/ws_deflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())
#define INPUT_BYTES_MAX 512

/* ---- the slow reader --------------------------------------------------------------------------------------- */

struct reader {
	const char *at, *end;
};

struct offer {
	bool ours, valid;
	bool has
	    [4]; /* server_no_context_takeover, client_no_..., server_max_window_bits, client_max_... */
	unsigned bits[4];
};

static bool
is_tchar(char c)
{
	return c > 0 && (isalnum((unsigned char)c) || strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static void
blanks(struct reader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\t'))
		r->at++;
}

static bool
token(struct reader *r, char *to)
{
	size_t len = 0;

	while (r->at < r->end && is_tchar(*r->at))
		to[len++] = *r->at++;
	to[len] = '\0';
	return len != 0;
}

/* A quoted string whose content, unescaped, must be a token (RFC 6455, 9.1). */
static bool
quoted(struct reader *r, char *to)
{
	size_t len = 0;

	for (r->at++; r->at < r->end && *r->at != '"'; r->at++) {
		if (*r->at == '\\' && ++r->at == r->end)
			return false;
		if (!is_tchar(*r->at))
			return false;
		to[len++] = *r->at;
	}
	to[len] = '\0';
	return len != 0 && r->at++ < r->end;
}

static void
parameter(struct offer *o, const char *name, const char *value)
{
	static const char *const names[] = {"server_no_context_takeover",
	    "client_no_context_takeover", "server_max_window_bits", "client_max_window_bits"};

	for (int i = 0; i < 4; i++) {
		if (strcmp(name, names[i]) != 0)
			continue;
		o->valid &= !o->has[i];
		o->has[i] = true;
		if (value == NULL) {
			o->valid &= i != 2;
			return;
		}
		o->valid &= i >= 2 && (strcmp(value, "8") == 0 || strcmp(value, "9") == 0 ||
					  (strlen(value) == 2 && value[0] == '1' &&
					      value[1] >= '0' && value[1] <= '5'));
		o->bits[i] = (unsigned)atoi(value);
		return;
	}
	o->valid = false;
}

/* One extension with its parameters; false: the grammar does not allow it. */
static bool
extension(struct reader *r, struct offer *o)
{
	char name[INPUT_BYTES_MAX + 1], value[INPUT_BYTES_MAX + 1];

	*o = (struct offer){.valid = true};
	if (!token(r, name))
		return false;
	o->ours = strcmp(name, "permessage-deflate") == 0;
	for (;;) {
		bool has_value = false;

		blanks(r);
		if (r->at == r->end || *r->at != ';')
			return true;
		r->at++;
		blanks(r);
		if (!token(r, name))
			return false;
		blanks(r);
		if (r->at < r->end && *r->at == '=') {
			r->at++;
			blanks(r);
			has_value = true;
			if (!(r->at < r->end && *r->at == '"' ? quoted(r, value) : token(r, value)))
				return false;
		}
		parameter(o, name, has_value ? value : NULL);
	}
}

static void
consider(struct ws_deflate_offers *best, const struct offer *o)
{
	const enum ws_deflate_rank rank =
	    o->bits[2] == 0 || o->bits[2] == 15 ? WS_DEFLATE_BOTH : WS_DEFLATE_INPUT;

	best->extensions = true;
	if (!o->ours || !o->valid || rank <= best->rank)
		return;
	best->rank = (uint8_t)rank;
	best->best = (struct ws_deflate){.server_bits = (uint8_t)o->bits[2],
	    .client_bits = (uint8_t)o->bits[3],
	    .server_forgets = o->has[0],
	    .client_forgets = o->has[1],
	    .client_takes_bits = o->has[3]};
}

static void
read_field(struct ws_deflate_offers *best, struct slice value)
{
	struct reader r = {value.bytes, value.bytes + value.len};

	best->fields = true;
	for (;;) {
		struct offer o;

		blanks(&r);
		while (r.at < r.end && *r.at == ',') { /* empty elements */
			r.at++;
			blanks(&r);
		}
		if (r.at == r.end)
			return;
		if (!extension(&r, &o)) {
			best->malformed = true;
			return;
		}
		consider(best, &o);
		if (r.at < r.end && *r.at != ',') {
			best->malformed = true;
			return;
		}
	}
}

/* ---- both ------------------------------------------------------------------------------------------------------ */

static bool
same(const struct ws_deflate *a, const struct ws_deflate *b)
{
	return a->server_bits == b->server_bits && a->client_bits == b->client_bits &&
	       a->server_forgets == b->server_forgets && a->client_forgets == b->client_forgets &&
	       a->client_takes_bits == b->client_takes_bits;
}

static void
check_answer(const struct ws_deflate_offers *offers, bool keeps)
{
	const struct ws_deflate answer = ws_deflate_answer(offers, keeps);
	char bytes[WS_DEFLATE_ANSWER_BYTES];
	struct out o = out_to(bytes, sizeof bytes);
	struct ws_deflate_offers again = {0}, slow = {0};

	ws_deflate_render(&o, &answer);
	CHECK(!out_cut(&o));
	ws_deflate_field(&again, slice_of(o.bytes, o.len));
	CHECK(!ws_deflate_malformed(&again) && again.rank != WS_DEFLATE_NONE);
	CHECK(same(&again.best, &answer));
	read_field(&slow, slice_of(o.bytes, o.len));
	CHECK(!slow.malformed && same(&slow.best, &answer));
	/* RFC 7692, 7.1: what may be answered to what was offered. */
	CHECK(answer.server_forgets);
	CHECK(offers->best.server_bits == 0 ||
	      (answer.server_bits != 0 && answer.server_bits <= offers->best.server_bits));
	CHECK(answer.client_bits == 0 || offers->best.client_takes_bits);
	CHECK(offers->best.client_bits == 0 || answer.client_bits <= offers->best.client_bits);
	CHECK(keeps || answer.client_forgets);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ws_deflate_offers fast = {0}, slow = {0};
	struct slice rest = slice_of((const char *)data, size);

	if (size == 0 || size > INPUT_BYTES_MAX)
		return 0;
	while (rest.len != 0) {
		const char *end = memchr(rest.bytes, '\n', rest.len);
		const size_t len = end == NULL ? rest.len : (size_t)(end - rest.bytes);
		const struct slice value = slice_of(rest.bytes, len);

		ws_deflate_field(&fast, value);
		read_field(&slow, value);
		CHECK(fast.malformed == slow.malformed);
		if (slow.malformed) {
			CHECK(ws_deflate_malformed(&fast));
			return 0;
		}
		CHECK(fast.rank == slow.rank && fast.extensions == slow.extensions && fast.fields);
		CHECK(fast.rank == WS_DEFLATE_NONE || same(&fast.best, &slow.best));
		rest = slice_of(rest.bytes + len + (end != NULL), rest.len - len - (end != NULL));
	}
	CHECK(ws_deflate_malformed(&fast) == !slow.extensions);
	if (fast.rank == WS_DEFLATE_NONE)
		return 0;
	check_answer(&fast, false);
	check_answer(&fast, true);
	return 0;
}
