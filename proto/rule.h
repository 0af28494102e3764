/*
 * rule.h: the channel rules of the configuration: who may subscribe to a channel and publish to it,
 * and what happens to a client that the ring has lapped. The first rule that matches counts; a
 * channel that none matches is closed.
 */
#ifndef PROTO_RULE_H
#define PROTO_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/slice.h"

/* The values pass between processes: only add. */
enum rule_who {
	RULE_NOBODY = 0,
	RULE_ANYONE = 1,
	RULE_TOKEN = 2, /* whoever has a token for it; nobody, until tokens exist */
};

enum rule_lag {
	RULE_GAP = 0,    /* tell the gap, go on with the oldest kept */
	RULE_CLOSE = 1,  /* close the connection */
	RULE_LATEST = 2, /* tell the gap, go on with the newest */
};

struct rule {
	struct slice match; /* a channel name, or the beginning of one and a final '*' */
	enum rule_who subscribe;
	enum rule_who publish;
	enum rule_lag lag;
};

/* The rule for a channel, or NULL: closed. */
const struct rule *rule_find(const struct rule *rules, uint32_t count, struct slice channel);

bool rule_matches(struct slice match, struct slice channel);

/* NULL, or what is wrong with a pattern: "is empty", "has a * before its end". */
const char *rule_match_fault(struct slice match);

/*
 * The words of the configuration: anyone, token, nobody; gap, close, latest. False: no such word.
 */
bool rule_parse_who(struct slice word, enum rule_who *who);
bool rule_parse_lag(struct slice word, enum rule_lag *lag);

#endif
