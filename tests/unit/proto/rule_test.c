/*
 * rule_test.c: which rule a channel falls under.
 */
#include "proto/rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/proto/guard.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void
rule_matches_exactly_or_by_a_final_star(void **state)
{
	static const struct {
		const char *match;
		const char *channel;
		bool matches;
	} rows[] = {
	    {"news", "news", true},
	    {"news", "new", false},
	    {"news", "newsx", false},
	    {"news", "News", false},
	    {"*", "anything", true},
	    {"*", "", true},
	    {"news.*", "news.", true},
	    {"news.*", "news.sport.ski", true},
	    {"news.*", "news", false},
	    {"news.*", "newsx", false},
	    {"n*", "n", true},
	    {"n*", "m", false},
	};
	struct guard edge, other;

	guard_open(&edge, 64);
	guard_open(&other, 64);
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t match_len = strlen(rows[i].match), channel_len = strlen(rows[i].channel);
		struct slice match =
		    slice_of(guard_copy(&edge, rows[i].match, match_len), match_len);
		struct slice channel =
		    slice_of(guard_copy(&other, rows[i].channel, channel_len), channel_len);

		assert_int_equal(rule_matches(match, channel), rows[i].matches);
	}
	guard_close(&edge);
	guard_close(&other);
	(void)state;
}

static void
rule_find_takes_the_first_that_matches(void **state)
{
	const struct rule rules[] = {
	    {SLICE_LITERAL("chat.lobby"), RULE_ANYONE, RULE_ANYONE, RULE_GAP},
	    {SLICE_LITERAL("chat.*"), RULE_TOKEN, RULE_NOBODY, RULE_CLOSE},
	    {SLICE_LITERAL("c*"), RULE_ANYONE, RULE_NOBODY, RULE_LATEST},
	};

	assert_ptr_equal(rule_find(rules, 3, slice_text("chat.lobby")), &rules[0]);
	assert_ptr_equal(rule_find(rules, 3, slice_text("chat.lobby2")), &rules[1]);
	assert_ptr_equal(rule_find(rules, 3, slice_text("chat")), &rules[2]);
	assert_null(rule_find(rules, 3, slice_text("news")));
	assert_null(rule_find(rules, 0, slice_text("news")));
	(void)state;
}

static void
rule_match_fault_allows_one_star_at_the_end(void **state)
{
	static const struct {
		const char *match;
		bool valid;
	} rows[] = {
	    {"*", true},
	    {"news", true},
	    {"news*", true},
	    {"", false},
	    {"**", false},
	    {"a*b", false},
	    {"*a", false},
	    {"a**", false},
	    {"$sys", false},
	    {"$*", false},
	    {"a\nb", false},
	    {"a\xff*", false},
	};
	char longest[257];

	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(
		    rule_match_fault(slice_text(rows[i].match)) == NULL, rows[i].valid);
	memset(longest, 'a', sizeof longest);
	longest[255] = '*';
	assert_null(rule_match_fault(slice_of(longest, 256)));
	longest[255] = 'a';
	assert_non_null(rule_match_fault(slice_of(longest, 256)));
	(void)state;
}

static void
rule_words_are_those_of_the_configuration(void **state)
{
	enum rule_who who = RULE_NOBODY;
	enum rule_lag lag = RULE_GAP;

	assert_true(rule_parse_who(slice_text("anyone"), &who) && who == RULE_ANYONE);
	assert_true(rule_parse_who(slice_text("token"), &who) && who == RULE_TOKEN);
	assert_true(rule_parse_who(slice_text("nobody"), &who) && who == RULE_NOBODY);
	assert_false(rule_parse_who(slice_text("Anyone"), &who));
	assert_false(rule_parse_who(slice_text(""), &who));
	assert_true(rule_parse_lag(slice_text("close"), &lag) && lag == RULE_CLOSE);
	assert_true(rule_parse_lag(slice_text("latest"), &lag) && lag == RULE_LATEST);
	assert_true(rule_parse_lag(slice_text("gap"), &lag) && lag == RULE_GAP);
	assert_false(rule_parse_lag(slice_text("gaps"), &lag));
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rule_matches_exactly_or_by_a_final_star),
	    cmocka_unit_test(rule_find_takes_the_first_that_matches),
	    cmocka_unit_test(rule_match_fault_allows_one_star_at_the_end),
	    cmocka_unit_test(rule_words_are_those_of_the_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
