/*
 * rule.c: finds the rule for a channel (rule.h).
 */
#include "proto/rule.h"

#include "proto/event.h"

bool
rule_matches(struct slice match, struct slice channel)
{
	size_t fixed;

	if (match.len == 0 || match.bytes[match.len - 1] != '*')
		return slice_equal(match, channel);
	fixed = match.len - 1;
	return channel.len >= fixed && memcmp(match.bytes, channel.bytes, fixed) == 0;
}

const struct rule *
rule_find(const struct rule *rules, uint32_t count, struct slice channel)
{
	for (uint32_t i = 0; i < count; i++) {
		if (rule_matches(rules[i].match, channel))
			return &rules[i];
	}
	return NULL;
}

const char *
rule_match_fault(struct slice match)
{
	if (match.len == 0)
		return "is empty";
	if (match.bytes[match.len - 1] == '*') {
		if (match.len == 1)
			return NULL;
		match.len--;
	}
	if (memchr(match.bytes, '*', match.len) != NULL)
		return "has a * before its end";
	return event_channel_fault(match);
}

bool
rule_parse_who(struct slice word, enum rule_who *who)
{
	static const struct {
		const char *word;
		enum rule_who who;
	} words[] = {{"nobody", RULE_NOBODY}, {"anyone", RULE_ANYONE}, {"token", RULE_TOKEN}};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (slice_equal(word, slice_text(words[i].word))) {
			*who = words[i].who;
			return true;
		}
	}
	return false;
}

bool
rule_parse_lag(struct slice word, enum rule_lag *lag)
{
	static const struct {
		const char *word;
		enum rule_lag lag;
	} words[] = {{"gap", RULE_GAP}, {"close", RULE_CLOSE}, {"latest", RULE_LATEST}};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (slice_equal(word, slice_text(words[i].word))) {
			*lag = words[i].lag;
			return true;
		}
	}
	return false;
}
