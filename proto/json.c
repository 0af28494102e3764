/*
 * json.c: the validating scanner of json.h.
 *
 * One loop (scan_value) walks a value with a small state: what may come next, how deep we are, and
 * for each level one bit that tells objects from arrays. Strings are passed over eight bytes at a
 * time; that is where published data spends its bytes. Inside, a scan step answers 1 (done), 0 (the
 * text ended first) or an enum json_error with `at` on the offending byte.
 */
#include "proto/json.h"

#include <assert.h>
#include <endian.h>

#include "proto/hex.h"

#define WORD_ONES UINT64_C(0x0101010101010101)
#define WORD_HIGHS UINT64_C(0x8080808080808080)

struct scan {
	const char *start; /* of the text: offsets of errors count from here */
	const char *at;
	const char *end;
	uint64_t objects; /* bit n: level n + 1 is an object */
	uint32_t depth;
};

static struct scan
scan_of(struct slice text)
{
	const char *start = text.len == 0 ? "" : text.bytes;

	return (struct scan){.start = start, .at = start, .end = start + text.len};
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void
skip_space(struct scan *s)
{
	while (s->at < s->end && is_space(*s->at))
		s->at++;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * High bits of the bytes that are `"`, `\` or below space. Above the lowest one set there may be
 * false ones.
 */
static uint64_t
word_specials(uint64_t word)
{
	uint64_t quotes = word ^ WORD_ONES * '"';
	uint64_t slashes = word ^ WORD_ONES * '\\';
	uint64_t found = ((quotes - WORD_ONES) & ~quotes) | ((slashes - WORD_ONES) & ~slashes) |
			 ((word - WORD_ONES * ' ') & ~word);

	return found & WORD_HIGHS;
}

static bool
is_special(char c)
{
	return c == '"' || c == '\\' || (unsigned char)c < ' ';
}

/* Eight bytes, the first one lowest, so that the lowest bit found is of the first byte found. */
static uint64_t
word_at(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof word);
	return le64toh(word);
}

static size_t
first_found(uint64_t found)
{
	return (size_t)__builtin_ctzll(found) / 8;
}

/* Passes over plain ASCII: stops at a quote, a backslash, a control character, a byte >= 0x80. */
static const char *
skip_ascii(const char *at, const char *end)
{
	for (; end - at >= 8; at += 8) {
		uint64_t word = word_at(at);
		uint64_t found = word_specials(word) | (word & WORD_HIGHS);

		if (found != 0)
			return at + first_found(found);
	}
	while (at < end && !is_special(*at) && (unsigned char)*at < 0x80)
		at++;
	return at;
}

/*
 * Passes over what json_escape copies as it is: stops at a quote, a backslash, a control character.
 */
static const char *
skip_verbatim(const char *at, const char *end)
{
	for (; end - at >= 8; at += 8) {
		uint64_t found = word_specials(word_at(at));

		if (found != 0)
			return at + first_found(found);
	}
	while (at < end && !is_special(*at))
		at++;
	return at;
}

/*
 * One UTF-8 sequence of two to four bytes (RFC 3629, section 4). Not utf8_feed, because the error's
 * place and the difference between a cut and a wrong sequence are wanted at each, and most strings
 * here are short.
 */
static int
scan_rune(struct scan *s)
{
	const unsigned char *p = (const unsigned char *)s->at;
	size_t left = (size_t)(s->end - s->at);
	unsigned low = 0x80, high = 0xbf;
	size_t len;

	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		len = 2;
	} else if (p[0] >= 0xe0 && p[0] <= 0xef) {
		len = 3;
		low = p[0] == 0xe0 ? 0xa0 : 0x80;  /* no overlong forms */
		high = p[0] == 0xed ? 0x9f : 0xbf; /* no surrogates */
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		len = 4;
		low = p[0] == 0xf0 ? 0x90 : 0x80;
		high = p[0] == 0xf4 ? 0x8f : 0xbf; /* nothing above U+10FFFF */
	} else {
		return JSON_ERROR_UTF8;
	}
	if (left > 1 && (p[1] < low || p[1] > high))
		return JSON_ERROR_UTF8;
	if (left > 2 && len > 2 && (p[2] & 0xc0) != 0x80)
		return JSON_ERROR_UTF8;
	if (left > 3 && len > 3 && (p[3] & 0xc0) != 0x80)
		return JSON_ERROR_UTF8;
	if (left < len)
		return 0;
	s->at += len;
	return 1;
}

/* The four hex digits of a \u escape. */
static int
scan_hex4(struct scan *s, uint32_t *unit)
{
	*unit = 0;
	for (int i = 0; i < 4; i++, s->at++) {
		int digit;

		if (s->at == s->end)
			return 0;
		digit = hex_value(*s->at);
		if (digit < 0)
			return JSON_ERROR_SYNTAX;
		*unit = *unit << 4 | (uint32_t)digit;
	}
	return 1;
}

static bool
is_high_surrogate(uint32_t unit)
{
	return unit >= 0xd800 && unit <= 0xdbff;
}

static bool
is_low_surrogate(uint32_t unit)
{
	return unit >= 0xdc00 && unit <= 0xdfff;
}

/*
 * Behind "\u": one unit, or a surrogate pair. A lone surrogate is reported where its escape begins.
 */
static int
scan_unicode_escape(struct scan *s)
{
	const char *escape = s->at - 2;
	uint32_t unit;
	int r = scan_hex4(s, &unit);

	if (r <= 0)
		return r;
	if (is_low_surrogate(unit))
		goto lone;
	if (!is_high_surrogate(unit))
		return 1;
	for (const char *c = "\\u"; *c != '\0'; c++, s->at++) {
		if (s->at == s->end)
			return 0;
		if (*s->at != *c)
			goto lone;
	}
	r = scan_hex4(s, &unit);
	if (r <= 0)
		return r;
	if (is_low_surrogate(unit))
		return 1;
lone:
	s->at = escape;
	return JSON_ERROR_UTF8;
}

/* On a backslash. */
static int
scan_escape(struct scan *s)
{
	if (s->end - s->at < 2)
		return 0;
	s->at++;
	switch (*s->at) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		s->at++;
		return 1;
	case 'u':
		s->at++;
		return scan_unicode_escape(s);
	}
	return JSON_ERROR_SYNTAX;
}

/* On the opening quote. */
static int
scan_string(struct scan *s, bool *plain)
{
	*plain = true;
	s->at++;
	for (;;) {
		int r;

		s->at = skip_ascii(s->at, s->end);
		if (s->at == s->end)
			return 0;
		if (*s->at == '"') {
			s->at++;
			return 1;
		}
		if (*s->at == '\\') {
			*plain = false;
			r = scan_escape(s);
		} else if ((unsigned char)*s->at < ' ') {
			r = JSON_ERROR_SYNTAX;
		} else {
			do
				r = scan_rune(s);
			while (r > 0 && s->at < s->end && (unsigned char)*s->at >= 0x80);
		}
		if (r <= 0)
			return r;
	}
}

/* At least one digit. */
static int
scan_digits(struct scan *s)
{
	if (s->at == s->end)
		return 0;
	if (!is_digit(*s->at))
		return JSON_ERROR_SYNTAX;
	while (s->at < s->end && is_digit(*s->at))
		s->at++;
	return 1;
}

/*
 * On a minus or a digit. A number that reaches the end is taken as complete here; json_scan knows
 * better.
 */
static int
scan_number(struct scan *s)
{
	int r;

	if (*s->at == '-')
		s->at++;
	if (s->at < s->end && *s->at == '0') {
		s->at++;
	} else {
		r = scan_digits(s);
		if (r <= 0)
			return r;
	}
	if (s->at < s->end && *s->at == '.') {
		s->at++;
		r = scan_digits(s);
		if (r <= 0)
			return r;
	}
	if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
		s->at++;
		if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
			s->at++;
		return scan_digits(s);
	}
	return 1;
}

static int
scan_word(struct scan *s, const char *word)
{
	for (; *word != '\0'; word++, s->at++) {
		if (s->at == s->end)
			return 0;
		if (*s->at != *word)
			return JSON_ERROR_SYNTAX;
	}
	return 1;
}

/* Any value that holds no others. */
static int
scan_scalar(struct scan *s, struct json_value *value)
{
	switch (*s->at) {
	case '"':
		value->kind = JSON_KIND_STRING;
		return scan_string(s, &value->plain);
	case 't':
		value->kind = JSON_KIND_TRUE;
		return scan_word(s, "true");
	case 'f':
		value->kind = JSON_KIND_FALSE;
		return scan_word(s, "false");
	case 'n':
		value->kind = JSON_KIND_NULL;
		return scan_word(s, "null");
	}
	if (*s->at != '-' && !is_digit(*s->at))
		return JSON_ERROR_SYNTAX;
	value->kind = JSON_KIND_NUMBER;
	return scan_number(s);
}

static int
scan_open(struct scan *s, bool object)
{
	if (s->depth == JSON_DEPTH_MAX)
		return JSON_ERROR_DEPTH;
	s->objects &= ~(UINT64_C(1) << s->depth);
	s->objects |= (uint64_t)object << s->depth;
	s->depth++;
	s->at++;
	return 1;
}

static bool
scan_in_object(const struct scan *s)
{
	return (s->objects >> (s->depth - 1) & 1) != 0;
}

/* The name of a member and its colon. On the quote, or whatever stands there instead. */
static int
scan_key(struct scan *s, struct slice *name)
{
	const char *start = s->at;
	bool plain;
	int r;

	if (*s->at != '"')
		return JSON_ERROR_SYNTAX;
	r = scan_string(s, &plain);
	if (r <= 0)
		return r;
	*name = slice_of(start, (size_t)(s->at - start));
	skip_space(s);
	if (s->at == s->end)
		return 0;
	if (*s->at != ':')
		return JSON_ERROR_SYNTAX;
	s->at++;
	return 1;
}

/* Everything of an array or object up to its end: on its bracket. */
static int
scan_container(struct scan *s)
{
	const uint32_t outside = s->depth;
	struct json_value inner;
	struct slice name;
	bool first = true; /* nothing yet in the container that we are in */
	int r = scan_open(s, *s->at == '{');

	while (r > 0 && s->depth > outside) {
		skip_space(s);
		if (s->at == s->end)
			return 0;
		if (*s->at == (scan_in_object(s) ? '}' : ']')) {
			s->at++;
			s->depth--;
			first = false;
			continue;
		}
		if (!first) {
			if (*s->at != ',')
				return JSON_ERROR_SYNTAX;
			s->at++;
			skip_space(s);
			if (s->at == s->end)
				return 0;
		}
		if (scan_in_object(s)) {
			r = scan_key(s, &name);
			if (r <= 0)
				return r;
			skip_space(s);
			if (s->at == s->end)
				return 0;
		}
		first = *s->at == '{' || *s->at == '[';
		r = first ? scan_open(s, *s->at == '{') : scan_scalar(s, &inner);
	}
	return r;
}

/* White space and one value. */
static int
scan_value(struct scan *s, struct json_value *value)
{
	const char *start;
	int r;

	skip_space(s);
	start = s->at;
	if (s->at == s->end)
		return 0;
	value->plain = false;
	if (*s->at == '{' || *s->at == '[') {
		value->kind = *s->at == '{' ? JSON_KIND_OBJECT : JSON_KIND_ARRAY;
		r = scan_container(s);
	} else {
		r = scan_scalar(s, value);
	}
	value->raw = slice_of(start, (size_t)(s->at - start));
	return r;
}

/* A step's answer where the text is all there: its end inside a value is an error. */
static int
whole_answer(int r, const struct scan *s, size_t *at)
{
	if (r > 0)
		return 1;
	*at = (size_t)((r == 0 ? s->end : s->at) - s->start);
	return r == 0 ? JSON_ERROR_CUT : r;
}

ptrdiff_t
json_scan(struct slice text, struct json_value *value, size_t *at)
{
	struct scan s = scan_of(text);
	int r = scan_value(&s, value);

	if (r < 0)
		*at = (size_t)(s.at - s.start);
	if (r <= 0)
		return r;
	if (value->kind == JSON_KIND_NUMBER && s.at == s.end)
		return 0;
	return s.at - s.start;
}

int
json_whole(struct slice text, struct json_value *value, size_t *at)
{
	struct scan s = scan_of(text);
	int r = scan_value(&s, value);

	if (r > 0) {
		skip_space(&s);
		if (s.at < s.end)
			r = JSON_ERROR_SYNTAX;
	}
	return whole_answer(r, &s, at);
}

int
json_walk_open(struct json_walk *walk, struct slice text, size_t *at)
{
	struct scan s = scan_of(text);
	struct json_value value;

	skip_space(&s);
	if (s.at == s.end)
		return whole_answer(0, &s, at);
	if (*s.at != '{' && *s.at != '[') {
		int r = json_whole(text, &value, at);

		return r < 0 ? r : 0;
	}
	*walk = (struct json_walk){
	    .base = s.start, .next = s.at + 1, .end = s.end, .object = *s.at == '{'};
	return 1;
}

/*
 * Behind the bracket or a value: the end of the walk (sets ended), or on to the next. Answers as
 * scan steps do; the text is not at its end afterwards, unless the walk has ended.
 */
static int
walk_separator(struct json_walk *walk, struct scan *s)
{
	skip_space(s);
	if (s->at == s->end)
		return 0;
	if (*s->at == (walk->object ? '}' : ']')) {
		s->at++;
		skip_space(s);
		walk->ended = s->at == s->end;
		return walk->ended ? 1 : JSON_ERROR_SYNTAX;
	}
	if (walk->begun) {
		if (*s->at != ',')
			return JSON_ERROR_SYNTAX;
		s->at++;
		skip_space(s);
	}
	walk->begun = true;
	return s->at < s->end;
}

int
json_walk_next(struct json_walk *walk, struct slice *key, struct json_value *value, size_t *at)
{
	struct scan s = {.start = walk->base, .at = walk->next, .end = walk->end, .depth = 1};
	int r;

	*key = slice_of(NULL, 0);
	if (walk->ended)
		return 0;
	r = walk_separator(walk, &s);
	if (walk->ended)
		return 0;
	if (r > 0 && walk->object)
		r = scan_key(&s, key);
	if (r > 0)
		r = scan_value(&s, value);
	walk->next = s.at;
	return whole_answer(r, &s, at);
}

/* Appends a code point as UTF-8. */
static size_t
rune_bytes(uint32_t rune, char to[4])
{
	if (rune < 0x80) {
		to[0] = (char)rune;
		return 1;
	}
	if (rune < 0x800) {
		to[0] = (char)(0xc0 | rune >> 6);
		to[1] = (char)(0x80 | (rune & 0x3f));
		return 2;
	}
	if (rune < 0x10000) {
		to[0] = (char)(0xe0 | rune >> 12);
		to[1] = (char)(0x80 | (rune >> 6 & 0x3f));
		to[2] = (char)(0x80 | (rune & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | rune >> 18);
	to[1] = (char)(0x80 | (rune >> 12 & 0x3f));
	to[2] = (char)(0x80 | (rune >> 6 & 0x3f));
	to[3] = (char)(0x80 | (rune & 0x3f));
	return 4;
}

/*
 * What one escape stands for, in UTF-8. *at is on its backslash and moves behind it; the string was
 * validated.
 */
static size_t
escape_bytes(const char **at, const char *end, char to[4])
{
	struct scan s = {.at = *at + 2, .end = end};
	uint32_t unit, low;
	char c = (*at)[1];

	if (c == 'u') {
		int r = scan_hex4(&s, &unit);

		assert(r > 0);
		if (is_high_surrogate(unit)) {
			s.at += 2;
			r = scan_hex4(&s, &low);
			assert(r > 0);
			unit = 0x10000 + ((unit & 0x3ff) << 10 | (low & 0x3ff));
		}
		*at = s.at;
		return rune_bytes(unit, to);
	}
	switch (c) {
	case 'b':
		c = '\b';
		break;
	case 'f':
		c = '\f';
		break;
	case 'n':
		c = '\n';
		break;
	case 'r':
		c = '\r';
		break;
	case 't':
		c = '\t';
		break;
	}
	to[0] = c;
	*at = s.at;
	return 1;
}

/* The bytes between the quotes. */
static struct slice
inside(struct slice raw)
{
	assert(raw.len >= 2);
	return slice_of(raw.bytes + 1, raw.len - 2);
}

/* The next escape, or the end. */
static const char *
next_escape(const char *at, const char *end)
{
	const char *found = at == end ? NULL : memchr(at, '\\', (size_t)(end - at));

	return found == NULL ? end : found;
}

bool
json_string_equals(struct slice raw, struct slice literal)
{
	struct slice content = inside(raw);
	const char *at = content.bytes;
	const char *end = at + content.len;
	size_t matched = 0;

	/*
	 * An escape is longer than what it stands for, so most names differ by their length alone.
	 */
	if (content.len < literal.len)
		return false;
	if (content.len == literal.len)
		return slice_equal(content, literal) && next_escape(at, end) == end;
	while (at < end) {
		char decoded[4];
		size_t len;

		/* Equal up to the next escape, which is then compared by what it stands for. */
		const char *escape = next_escape(at, end);

		len = (size_t)(escape - at);
		if (len > literal.len - matched || memcmp(at, literal.bytes + matched, len) != 0)
			return false;
		matched += len;
		at = escape;
		if (at == end)
			break;
		len = escape_bytes(&at, end, decoded);
		if (len > literal.len - matched ||
		    memcmp(decoded, literal.bytes + matched, len) != 0)
			return false;
		matched += len;
	}
	return matched == literal.len;
}

void
json_unescape(struct out *o, struct slice raw)
{
	struct slice content = inside(raw);
	const char *at = content.bytes;
	const char *end = at + content.len;

	while (at < end) {
		const char *run = at;
		char decoded[4];

		at = next_escape(at, end);
		out_bytes(o, run, (size_t)(at - run));
		if (at < end) {
			size_t len = escape_bytes(&at, end, decoded);

			out_bytes(o, decoded, len);
		}
	}
}

bool
json_content(const struct json_value *value, struct out *scratch, struct slice *content)
{
	size_t start = scratch->len;

	assert(value->kind == JSON_KIND_STRING);
	if (value->plain) {
		*content = inside(value->raw);
		return true;
	}
	json_unescape(scratch, value->raw);
	if (out_cut(scratch))
		return false;
	*content = slice_of(scratch->bytes + start, scratch->len - start);
	return true;
}

/* How a byte that may not stand in a string is written: the short form where JSON has one. */
static size_t
escape_of(unsigned char c, char to[6])
{
	static const char hex[] = "0123456789abcdef";
	static const char from[] = "\"\\\b\f\n\r\t";
	static const char letters[] = "\"\\bfnrt";
	const char *found = c == 0 ? NULL : strchr(from, c);

	if (found != NULL) {
		to[0] = '\\';
		to[1] = letters[found - from];
		return 2;
	}
	memcpy(to, "\\u00", 4);
	to[4] = hex[c >> 4];
	to[5] = hex[c & 15];
	return 6;
}

void
json_escape(struct out *o, struct slice text)
{
	const char *at = text.bytes;
	const char *end = text.len == 0 ? at : at + text.len;

	out_char(o, '"');
	while (at < end) {
		const char *run = at;
		char escape[6];

		at = skip_verbatim(at, end);
		out_bytes(o, run, (size_t)(at - run));
		if (at < end) {
			size_t len = escape_of((unsigned char)*at, escape);

			out_bytes(o, escape, len);
			at++;
		}
	}
	out_char(o, '"');
}

bool
json_u64(const struct json_value *value, uint64_t *n)
{
	uint64_t sum = 0;

	if (value->kind != JSON_KIND_NUMBER)
		return false;
	for (size_t i = 0; i < value->raw.len; i++) {
		uint64_t digit = (uint64_t)(value->raw.bytes[i] - '0');

		if (!is_digit(value->raw.bytes[i]) || sum > (UINT64_MAX - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*n = sum;
	return true;
}

bool
json_i64(const struct json_value *value, int64_t *n)
{
	struct json_value magnitude = *value;
	uint64_t sum;
	bool negative;

	if (value->kind != JSON_KIND_NUMBER)
		return false;
	negative = value->raw.bytes[0] == '-';
	if (negative)
		magnitude.raw = slice_of(value->raw.bytes + 1, value->raw.len - 1);
	if (!json_u64(&magnitude, &sum) || sum > (uint64_t)INT64_MAX + negative)
		return false;
	*n = negative ? (int64_t)(0 - sum) : (int64_t)sum;
	return true;
}

const char *
json_error_text(int error)
{
	switch (error) {
	case JSON_ERROR_UTF8:
		return "not valid UTF-8, or half of a surrogate pair";
	case JSON_ERROR_DEPTH:
		return "nested deeper than 64";
	case JSON_ERROR_CUT:
		return "the JSON ends too early";
	}
	return "not valid JSON";
}
