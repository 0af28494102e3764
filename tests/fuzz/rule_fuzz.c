/*
 * rule_fuzz.c: channel rules and media types against what a reader of the contract would write down first.
 *
 * Input: two bytes of lengths, a pattern, a channel name; the whole is also a Content-Type, and an Accept list.
 */
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "proto/event.h"
#include "proto/http_media.h"
#include "proto/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())
#define INPUT_BYTES_MAX 512

static bool
matches(const char *pattern, size_t len, const char *channel, size_t channel_len)
{
	if (len != 0 && pattern[len - 1] == '*')
		return channel_len >= len - 1 && memcmp(pattern, channel, len - 1) == 0;
	return len == channel_len && memcmp(pattern, channel, len) == 0;
}

static void
check_rules(struct slice pattern, struct slice channel)
{
	const struct rule rules[] = {{pattern, RULE_ANYONE, RULE_NOBODY, RULE_GAP},
	    {channel, RULE_NOBODY, RULE_ANYONE, RULE_CLOSE},
	    {SLICE_LITERAL("*"), RULE_ANYONE, RULE_ANYONE, RULE_LATEST}};
	const struct slice name = slice_of(pattern.bytes,
	    pattern.len - (pattern.len != 0 && pattern.bytes[pattern.len - 1] == '*'));
	const bool bad = pattern.len == 0 || memchr(name.bytes, '*', name.len) != NULL ||
			 (name.len != 0 && event_channel_fault(name) != NULL);
	enum rule_who who;
	enum rule_lag lag;

	CHECK((rule_match_fault(pattern) != NULL) == bad);
	if (!bad && channel.len != 0) {
		const bool expected =
		    matches(pattern.bytes, pattern.len, channel.bytes, channel.len);

		CHECK(rule_matches(pattern, channel) == expected);
		CHECK((rule_find(rules, 3, channel) == &rules[0]) == expected);
		CHECK(rule_find(rules, 3, channel) != NULL);
		CHECK((rule_find(rules, 1, channel) == NULL) == !expected);
	}
	CHECK(rule_parse_who(pattern, &who) == (slice_equal(pattern, SLICE_LITERAL("anyone")) ||
						   slice_equal(pattern, SLICE_LITERAL("token")) ||
						   slice_equal(pattern, SLICE_LITERAL("nobody"))));
	CHECK(rule_parse_lag(pattern, &lag) == (slice_equal(pattern, SLICE_LITERAL("gap")) ||
						   slice_equal(pattern, SLICE_LITERAL("close")) ||
						   slice_equal(pattern, SLICE_LITERAL("latest"))));
}

/* The name of the type, in lower case and without its parameters; false when it is none. */
static bool
type_of(struct slice s, char *to)
{
	size_t len = 0, slash = 0;

	while (s.len != 0 && (*s.bytes == ' ' || *s.bytes == '\t'))
		s = slice_of(s.bytes + 1, s.len - 1);
	while (len < s.len && s.bytes[len] != ';')
		len++;
	while (len != 0 && (s.bytes[len - 1] == ' ' || s.bytes[len - 1] == '\t'))
		len--;
	for (size_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)s.bytes[i];

		if (c == '/' && slash == 0 && i != 0 && i + 1 != len)
			slash = i;
		else if (c == 0 || c > 127 || (!isalnum(c) && strchr("!#$%&'*+-.^_`|~", c) == NULL))
			return false;
		to[i] = (char)tolower(c);
	}
	to[len] = '\0';
	return slash != 0;
}

static void
check_media(struct slice s)
{
	char type[INPUT_BYTES_MAX + 1];
	const enum http_media media = http_media_of(s);
	size_t len;

	if (s.len == 0) {
		CHECK(media == HTTP_MEDIA_NONE);
		return;
	}
	if (!type_of(s, type)) {
		CHECK(media == HTTP_MEDIA_MALFORMED || media == HTTP_MEDIA_NONE);
		return;
	}
	len = strlen(type);
	switch (media) {
	case HTTP_MEDIA_JSON:
		CHECK(strcmp(type, "application/json") == 0 ||
		      (len > 5 && strcmp(type + len - 5, "+json") == 0));
		return;
	case HTTP_MEDIA_TEXT:
		CHECK(strncmp(type, "text/", 5) == 0);
		return;
	case HTTP_MEDIA_FORM:
		CHECK(strcmp(type, "application/x-www-form-urlencoded") == 0);
		return;
	case HTTP_MEDIA_NDJSON:
		CHECK(strcmp(type, "application/x-ndjson") == 0);
		return;
	case HTTP_MEDIA_MULTIPART:
		CHECK(strncmp(type, "multipart/", 10) == 0);
		return;
	case HTTP_MEDIA_OTHER:
		CHECK(strncmp(type, "text/", 5) != 0 && strncmp(type, "multipart/", 10) != 0 &&
		      strcmp(type, "application/json") != 0);
		return;
	case HTTP_MEDIA_BAD_CHARSET:
		CHECK(memmem(s.bytes, s.len, "=", 1) != NULL);
		return;
	case HTTP_MEDIA_MALFORMED:
		CHECK(memchr(s.bytes, ';', s.len) != NULL);
		return;
	case HTTP_MEDIA_NONE:
		abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct slice whole = slice_of((const char *)data, size);
	size_t cut;

	if (size < 2 || size > INPUT_BYTES_MAX)
		return 0;
	check_media(whole);
	(void)http_media_accepts(whole, SLICE_LITERAL("text/event-stream"));
	cut = data[0] % (size - 1);
	check_rules(
	    slice_of(whole.bytes + 1, cut), slice_of(whole.bytes + 1 + cut, size - 1 - cut));
	return 0;
}
