/*
 * config_fuzz.c: a configuration is taken whole or refused with mistakes, never both; what is taken keeps its own
 * limits, and workers can be told it.
 *
 * Input: the file.
 */
#include <assert.h>
#include <stdlib.h>

#include "master/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())

static void
check_config(const struct config *c)
{
	static struct order_settings settings, seen;
	char *packet = malloc(ORDER_PACKET_BYTES), *again = malloc(ORDER_PACKET_BYTES);
	struct out o = out_to(packet, ORDER_PACKET_BYTES), o2 = out_to(again, ORDER_PACKET_BYTES);

	CHECK(packet != NULL && again != NULL);
	CHECK(c->max_event_bytes <= c->ring_bytes / LIMIT_RING_EVENT_SHARE);
	CHECK(c->rule_count <= ORDER_RULES_MAX && c->origin_count <= ORDER_ORIGINS_MAX);
	for (size_t i = 0; i < c->rule_count; i++)
		CHECK(rule_match_fault(c->rules[i].match) == NULL);
	for (size_t i = 0; i < c->proxy_count; i++)
		CHECK(c->proxies[i].prefix <= 128);
	config_settings(c, &settings);
	order_encode_settings(&o, &settings);
	CHECK(!out_cut(&o));
	CHECK(order_decode_settings(slice_of(o.bytes, o.len), &seen) == 0);
	order_encode_settings(&o2, &seen);
	CHECK(o.len == o2.len && memcmp(o.bytes, o2.bytes, o.len) == 0);
	free(packet);
	free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_mistakes mistakes = {0};
	struct config *c =
	    config_parse(slice_of((const char *)data, size), "fuzz.json", NULL, &mistakes);

	CHECK((c == NULL) == (mistakes.count > 0));
	for (size_t i = 0; i < mistakes.count && i < CONFIG_MISTAKES_MAX; i++)
		CHECK(*config_mistake(&mistakes, i) != '\0');
	if (c != NULL)
		check_config(c);
	config_free(c);
	config_mistakes_clear(&mistakes);
	return 0;
}
