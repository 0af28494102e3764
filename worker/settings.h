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

/*
 * How long a client's JSON may be, whose data is measured once it is read: each byte escaped by a second one, of which quotes
 * are the common case, and 1 KiB for what is around the data.
 */
uint32_t settings_json_len_max(const struct settings *s);

void settings_free(struct settings *s);

#endif
