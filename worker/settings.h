/*
 * settings.h: the part of the configuration that a worker needs, as the master sent it.
 */
#ifndef WORKER_SETTINGS_H
#define WORKER_SETTINGS_H

#include "proto/order.h"
#include "worker/buffer.h"

struct settings {
	struct order_settings now; /* slices point into packet */
	struct buffer packet;
};

/* Takes the settings over from a packet. False: not a settings packet, or no memory; the old ones stay. */
bool settings_set(struct settings *s, struct slice packet);

/* The rule for a channel, or NULL: closed. */
const struct rule *settings_rule(const struct settings *s, struct slice channel);

void settings_free(struct settings *s);

#endif
