/*
 * config_rules.c: the keys that are lists: channel rules, origins, trusted proxies. Their grammar
 * is proto's (rule.h, origin.h, address.h); here stands only what the file calls them.
 */
#include "master/config_check.h"

#include <string.h>

#include "proto/address.h"
#include "proto/origin.h"

static const struct config_word rules_who[] = {
    {"anyone", RULE_ANYONE}, {"token", RULE_TOKEN}, {"nobody", RULE_NOBODY}, {NULL, 0}};
static const struct config_word rules_lag[] = {
    {"gap", RULE_GAP}, {"close", RULE_CLOSE}, {"latest", RULE_LATEST}, {NULL, 0}};

static void
config_rules_word(struct config_reader *r, const json_t *rule, const char *name,
    const struct config_word *words, int *found)
{
	const json_t *value = json_object_get(rule, name);
	size_t before;

	if (value == NULL)
		return;
	before = config_check_enter(r, name);
	config_check_word(r, value, words, found);
	config_check_leave(r, before);
}

static void
config_rules_match(struct config_reader *r, const json_t *rule, struct slice *match)
{
	const json_t *value = json_object_get(rule, "match");
	const char *text, *fault;
	size_t before;

	if (value == NULL)
		return;
	before = config_check_enter(r, "match");
	text = config_check_string(
	    r, value, "a channel name, or the beginning of one and a final \"*\"");
	if (text != NULL) {
		*match = slice_text(text);
		fault = rule_match_fault(*match);
		if (fault != NULL)
			config_check_mistake(r, "\"%s\" %s", text, fault);
	}
	config_check_leave(r, before);
}

/* Members that a rule lacks take the contract's defaults. */
static void
config_rules_channel(struct config_reader *r, const json_t *value, struct rule *rule)
{
	static const char *const names[] = {"match", "subscribe", "publish", "lag"};
	int subscribe = RULE_ANYONE, publish = RULE_NOBODY, lag = RULE_GAP;

	*rule = (struct rule){.match = SLICE_LITERAL("*")};
	if (!config_check_object(r, value, names, sizeof names / sizeof names[0]))
		return;
	config_rules_match(r, value, &rule->match);
	config_rules_word(r, value, "subscribe", rules_who, &subscribe);
	config_rules_word(r, value, "publish", rules_who, &publish);
	config_rules_word(r, value, "lag", rules_lag, &lag);
	rule->subscribe = (enum rule_who)subscribe;
	rule->publish = (enum rule_who)publish;
	rule->lag = (enum rule_lag)lag;
}

void
config_rules_channels(struct config_reader *r, const json_t *value)
{
	if (!config_check_array(r, value, ORDER_RULES_MAX, "an array of rules"))
		return;
	r->config->rule_count = json_array_size(value);
	for (size_t i = 0; i < r->config->rule_count; i++) {
		size_t before = config_check_enter_index(r, i);

		config_rules_channel(r, json_array_get(value, i), &r->config->rules[i]);
		config_check_leave(r, before);
	}
}

static void
config_rules_origin(struct config_reader *r, const json_t *value, bool alone)
{
	struct config *config = r->config;
	const char *text = config_check_string(r, value, "an origin like \"https://example.org\"");

	if (text == NULL)
		return;
	if (strcmp(text, "*") == 0) {
		config->any_origin = true;
		if (!alone)
			config_check_mistake(r, "\"*\" allows every origin, so it stands alone");
	} else if (!origin_is_valid(slice_text(text))) {
		config_check_mistake(r,
		    "must be scheme://host or scheme://host:port, without a path, not \"%s\"",
		    text);
	} else {
		config->origins[config->origin_count++] = slice_text(text);
	}
}

void
config_rules_origins(struct config_reader *r, const json_t *value)
{
	if (!config_check_array(r, value, ORDER_ORIGINS_MAX, "an array of origins"))
		return;
	for (size_t i = 0; i < json_array_size(value); i++) {
		size_t before = config_check_enter_index(r, i);

		config_rules_origin(r, json_array_get(value, i), json_array_size(value) == 1);
		config_check_leave(r, before);
	}
}

static void
config_rules_proxy(struct config_reader *r, const json_t *value)
{
	struct config *config = r->config;
	const char *text =
	    config_check_string(r, value, "an address, a range like \"10.0.0.0/8\", or \"unix\"");
	struct address_range range;
	struct order_network *network;

	if (text == NULL)
		return;
	if (strcmp(text, "unix") == 0) {
		config->trust_unix = true;
	} else if (!address_range_parse(&range, slice_text(text))) {
		config_check_mistake(r,
		    "must be an address, a range like \"10.0.0.0/8\", or \"unix\", not \"%s\"",
		    text);
	} else {
		network = &config->proxies[config->proxy_count++];
		memcpy(network->address.bytes, range.address.bytes, sizeof network->address.bytes);
		network->prefix = range.prefix;
	}
}

void
config_rules_proxies(struct config_reader *r, const json_t *value)
{
	if (!config_check_array(r, value, ORDER_PROXIES_MAX, "an array of addresses"))
		return;
	for (size_t i = 0; i < json_array_size(value); i++) {
		size_t before = config_check_enter_index(r, i);

		config_rules_proxy(r, json_array_get(value, i));
		config_check_leave(r, before);
	}
}
