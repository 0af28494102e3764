/*
 * settings.c: keeps the packet that the settings came in, because they point into it.
 */
#include "worker/settings.h"

bool
settings_set(struct settings *s, struct slice packet)
{
	struct settings new = {0};

	if (!buffer_add(&new.packet, packet.bytes, packet.len))
		return false;
	if (order_decode_settings(buffer_slice(&new.packet), &new.now) == -1) {
		buffer_free(&new.packet);
		return false;
	}
	settings_free(s);
	*s = new;
	return true;
}

const struct rule *
settings_rule(const struct settings *s, struct slice channel)
{
	return rule_find(s->now.rules, (uint32_t)s->now.rule_count, channel);
}

uint32_t
settings_json_len_max(const struct settings *s)
{
	const uint32_t data = s->now.max_event_bytes;

	return data < (UINT32_MAX - 1024) / 2 ? data * 2 + 1024 : UINT32_MAX;
}

void
settings_free(struct settings *s)
{
	buffer_free(&s->packet);
}
