/*
 * order_fuzz.c: packets between master and worker, by their type; what comes without a head is a publish. Whatever is taken
 * encodes to the same bytes again, and rows end.
 */
#include <assert.h>
#include <stdlib.h>

#include "proto/order.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk(const struct order_rows *m)
{
	struct order_connection_row connection;
	struct order_channel_row channel;
	struct slice rest = m->rows;
	size_t left;

	do {
		left = rest.len;
	} while ((m->kind == ORDER_QUERY_CHANNELS
			 ? order_channel_row_next(&rest, &channel)
			 : order_connection_row_next(&rest, &connection)) == 1 &&
		 rest.len < left);
	assert(rest.len <= left);
}

#define RECODE(type, name)                                \
	case type: {                                      \
		struct order_##name m;                    \
                                                          \
		if (order_decode_##name(packet, &m) != 0) \
			return false;                     \
		order_encode_##name(o, &m);               \
		return true;                              \
	}

static bool
recode(struct slice packet, struct out *o)
{
	switch (order_type_of(packet)) {
		RECODE(ORDER_START, start)
		RECODE(ORDER_SETTINGS, settings)
		RECODE(ORDER_CONNECTIONS, connections)
		RECODE(ORDER_DRAIN, drain)
		RECODE(ORDER_PUBLISHED, published)
		RECODE(ORDER_END_CONNECTION, end_connection)
		RECODE(ORDER_END_CHANNEL, end_channel)
		RECODE(ORDER_QUERY, query)
		RECODE(ORDER_TAKEN, taken)
		RECODE(ORDER_CLOSED, closed)
		RECODE(ORDER_PUBLISH, piece)
		RECODE(-1, publish)
	case ORDER_ROWS: {
		struct order_rows m;

		if (order_decode_rows(packet, &m) != 0)
			return false;
		walk(&m);
		order_encode_rows(o, &m);
		return true;
	}
	default:
		return false;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct out o = out_to(malloc(size + 1), size);

	assert(o.bytes != NULL);
	if (recode(slice_of((const char *)data, size), &o)) {
		assert(!out_cut(&o) && o.len == size);
		assert(size == 0 || memcmp(o.bytes, data, size) == 0);
	}
	free(o.bytes);
	return 0;
}
