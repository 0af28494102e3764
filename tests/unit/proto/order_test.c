/*
 * order_test.c: the messages between master and worker: what goes in comes out, nothing shorter or longer is taken, and no
 * broken packet is read past its end.
 */
#include "proto/order.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "proto/error.h"
#include "tests/unit/proto/guard.h"

#define WHOLE_BYTES ORDER_PACKET_BYTES

/* ---- every message: a sample, and decoding followed by encoding -------------------------------------------- */

#define RECODE(name)                                                 \
	static int recode_##name(struct slice packet, struct out *o) \
	{                                                            \
		struct order_##name m;                               \
                                                                     \
		if (order_decode_##name(packet, &m) != 0)            \
			return -1;                                   \
		order_encode_##name(o, &m);                          \
		return 0;                                            \
	}
RECODE(start)
RECODE(settings)
RECODE(connections)
RECODE(drain)
RECODE(published)
RECODE(end_connection)
RECODE(end_channel)
RECODE(query)
RECODE(taken)
RECODE(closed)
RECODE(piece)
RECODE(rows)
RECODE(publish)

static void
sample_start(struct out *o)
{
	order_encode_start(o, &(struct order_start){1, 2, 3, ORDER_IO_EPOLL});
}

static void
sample_settings(struct out *o)
{
	struct order_settings m = {.max_channels_per_connection = 1,
	    .max_event_bytes = 2,
	    .max_header_bytes = 3,
	    .header_timeout_s = 4,
	    .body_timeout_s = 5,
	    .idle_timeout_s = 6,
	    .beat_ws_s = 7,
	    .beat_sse_s = 8,
	    .retry_ms = 9,
	    .max_wait_s = 10,
	    .zero_copy_bytes = UINT32_MAX,
	    .compression_min_bytes = 11,
	    .compression_takeover_bytes = 12,
	    .compression = 1,
	    .compression_poll = 1,
	    .compression_level = 9,
	    .console = 1,
	    .trust_unix = 1,
	    .any_origin = 1,
	    .log_level = 7,
	    .path_prefix = SLICE_LITERAL("/push"),
	    .origin_count = 2,
	    .proxy_count = 1,
	    .rule_count = 2};

	m.origins[0] = SLICE_LITERAL("https://a.example");
	m.origins[1] = SLICE_LITERAL("null");
	m.proxies[0].prefix = 128;
	m.proxies[0].address.bytes[15] = 1;
	m.rules[0] = (struct rule){SLICE_LITERAL("news.*"), RULE_TOKEN, RULE_NOBODY, RULE_LATEST};
	m.rules[1] = (struct rule){SLICE_LITERAL("*"), RULE_ANYONE, RULE_ANYONE, RULE_CLOSE};
	order_encode_settings(o, &m);
}

static void
sample_connections(struct out *o)
{
	struct order_connections m = {.first_serial = UINT64_MAX - 5, .count = 3};

	for (uint8_t i = 0; i < 3; i++) {
		m.of[i].peer.bytes[i] = (uint8_t)(200 + i);
		m.of[i].peer_hash = UINT32_MAX - i;
	}
	order_encode_connections(o, &m);
}

static void
sample_drain(struct out *o)
{
	order_encode_drain(o, &(struct order_drain){5000});
}

static void
sample_published(struct out *o)
{
	order_encode_published(o, &(struct order_published){SLICE_LITERAL("tag\0tag"), UINT64_MAX,
				      1, ERROR_TOO_LARGE, SLICE_LITERAL("too large")});
}

static void
sample_end_connection(struct out *o)
{
	order_encode_end_connection(o, &(struct order_end_connection){UINT64_C(7) << 32 | 9});
}

static void
sample_end_channel(struct out *o)
{
	order_encode_end_channel(o, &(struct order_end_channel){SLICE_LITERAL("news")});
}

static void
sample_query(struct out *o)
{
	order_encode_query(
	    o, &(struct order_query){77, ORDER_QUERY_CONNECTIONS, 100, SLICE_LITERAL("pre"),
		   SLICE_LITERAL("after"), SLICE_LITERAL("channel"), SLICE_LITERAL("::1")});
}

static void
sample_taken(struct out *o)
{
	order_encode_taken(o, &(struct order_taken){UINT64_C(1) << 40});
}

static void
sample_closed(struct out *o)
{
	struct order_closed m = {.count = 3, .peer_hashes = {1, UINT32_MAX, 3}};

	order_encode_closed(o, &m);
}

static void
sample_piece(struct out *o)
{
	order_encode_piece(o, &(struct order_piece){100, 95, SLICE_LITERAL("tail!")});
}

static void
sample_rows(struct out *o)
{
	order_encode_rows(
	    o, &(struct order_rows){5, 1, ORDER_QUERY_CHANNELS, SLICE_LITERAL("rows")});
}

static void
sample_publish(struct out *o)
{
	struct order_publish m = {.tag = SLICE_LITERAL("12345678\"ref\"")};

	m.event.channel_count = 2;
	m.event.channels[0] = SLICE_LITERAL("a");
	m.event.channels[1] = SLICE_LITERAL("b");
	m.event.type = SLICE_LITERAL("message");
	m.event.kind = EVENT_BINARY;
	m.event.key = SLICE_LITERAL("key");
	m.event.data = SLICE_LITERAL("\0\1\2");
	order_encode_publish(o, &m);
}

static const struct {
	int type; /* -1: has no head */
	void (*sample)(struct out *o);
	int (*recode)(struct slice packet, struct out *o);
} messages[] = {
    {ORDER_START, sample_start, recode_start},
    {ORDER_SETTINGS, sample_settings, recode_settings},
    {ORDER_CONNECTIONS, sample_connections, recode_connections},
    {ORDER_DRAIN, sample_drain, recode_drain},
    {ORDER_PUBLISHED, sample_published, recode_published},
    {ORDER_END_CONNECTION, sample_end_connection, recode_end_connection},
    {ORDER_END_CHANNEL, sample_end_channel, recode_end_channel},
    {ORDER_QUERY, sample_query, recode_query},
    {ORDER_TAKEN, sample_taken, recode_taken},
    {ORDER_CLOSED, sample_closed, recode_closed},
    {ORDER_PUBLISH, sample_piece, recode_piece},
    {ORDER_ROWS, sample_rows, recode_rows},
    {-1, sample_publish, recode_publish},
};
#define MESSAGES (sizeof messages / sizeof messages[0])

static void
order_messages_survive_the_way_there_and_back(void **state)
{
	char packet[WHOLE_BYTES], again[WHOLE_BYTES];

	(void)state;
	for (size_t i = 0; i < MESSAGES; i++) {
		struct out o = out_to(packet, sizeof packet), back = out_to(again, sizeof again);

		messages[i].sample(&o);
		assert_false(out_cut(&o));
		if (messages[i].type != -1)
			assert_int_equal(order_type_of(slice_of(o.bytes, o.len)), messages[i].type);
		assert_int_equal(messages[i].recode(slice_of(o.bytes, o.len), &back), 0);
		assert_int_equal(back.len, o.len);
		assert_memory_equal(again, packet, o.len);
	}
}

static void
order_fields_keep_their_places(void **state)
{
	char packet[WHOLE_BYTES];
	struct out o = out_to(packet, sizeof packet);
	struct order_settings settings;
	struct order_publish publish;
	struct order_query query;

	(void)state;
	sample_settings(&o);
	assert_int_equal(order_decode_settings(slice_of(o.bytes, o.len), &settings), 0);
	assert_int_equal(settings.max_channels_per_connection, 1);
	assert_int_equal(settings.header_timeout_s, 4);
	assert_int_equal(settings.beat_sse_s, 8);
	assert_int_equal(settings.zero_copy_bytes, UINT32_MAX);
	assert_int_equal(settings.compression_min_bytes, 11);
	assert_int_equal(settings.compression_takeover_bytes, 12);
	assert_int_equal(settings.compression_level, 9);
	assert_true(settings.compression == 1 && settings.compression_poll == 1);
	assert_int_equal(settings.log_level, 7);
	assert_true(slice_equal(settings.path_prefix, SLICE_LITERAL("/push")));
	assert_int_equal(settings.origin_count, 2);
	assert_true(slice_equal(settings.origins[1], SLICE_LITERAL("null")));
	assert_int_equal(settings.proxies[0].prefix, 128);
	assert_int_equal(settings.proxies[0].address.bytes[15], 1);
	assert_int_equal(settings.rule_count, 2);
	assert_int_equal(settings.rules[0].subscribe, RULE_TOKEN);
	assert_int_equal(settings.rules[0].publish, RULE_NOBODY);
	assert_int_equal(settings.rules[0].lag, RULE_LATEST);
	o = out_to(packet, sizeof packet);
	sample_publish(&o);
	assert_int_equal(order_decode_publish(slice_of(o.bytes, o.len), &publish), 0);
	assert_true(slice_equal(publish.tag, SLICE_LITERAL("12345678\"ref\"")));
	assert_true(slice_equal(publish.event.channels[1], SLICE_LITERAL("b")));
	assert_true(slice_equal(publish.event.type, SLICE_LITERAL("message")));
	assert_int_equal(publish.event.kind, EVENT_BINARY);
	assert_true(slice_equal(publish.event.key, SLICE_LITERAL("key")));
	assert_int_equal(publish.event.data.len, 3);
	o = out_to(packet, sizeof packet);
	sample_query(&o);
	assert_int_equal(order_decode_query(slice_of(o.bytes, o.len), &query), 0);
	assert_int_equal(query.query, 77);
	assert_int_equal(query.limit, 100);
	assert_true(slice_equal(query.prefix, SLICE_LITERAL("pre")));
	assert_true(slice_equal(query.after, SLICE_LITERAL("after")));
	assert_true(slice_equal(query.peer, SLICE_LITERAL("::1")));
}

static void
order_plain_messages_are_a_head_alone(void **state)
{
	char packet[16];

	(void)state;
	for (int type = ORDER_READY; type <= ORDER_DRAINED; type += ORDER_DRAINED - ORDER_READY) {
		struct out o = out_to(packet, sizeof packet);

		order_encode_plain(&o, (enum order_type)type);
		assert_int_equal(o.len, 4);
		assert_int_equal(order_type_of(slice_of(o.bytes, o.len)), type);
	}
}

static void
order_type_refuses_foreign_packets(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {{"", 0}, {"\1", 1}, {"\1\0\1", 3}, {"\0\0\1\0", 4}, {"\17\0\1\0", 4},
	    {"\1\1\1\0", 4}, {"\1\0\2\0", 4}, {"\1\0\1\1", 4}, {"\377\0\1\0", 4}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(order_type_of(slice_of(cases[i].bytes, cases[i].len)), -1);
}

static void
order_decoders_refuse_every_cut_and_every_tail(void **state)
{
	char packet[WHOLE_BYTES], back[WHOLE_BYTES];
	struct guard guard;

	(void)state;
	guard_open(&guard, WHOLE_BYTES);
	for (size_t i = 0; i < MESSAGES; i++) {
		struct out o = out_to(packet, sizeof packet);

		messages[i].sample(&o);
		for (size_t len = 0; len < o.len; len++) {
			struct out ignored = out_to(back, sizeof back);

			assert_int_equal(
			    messages[i].recode(
				slice_of(guard_copy(&guard, packet, len), len), &ignored),
			    -1);
		}
		packet[o.len] = 0;
		o.len++;
		assert_int_equal(
		    messages[i].recode(slice_of(guard_copy(&guard, packet, o.len), o.len), &o), -1);
	}
	guard_close(&guard);
}

static void
order_decoders_refuse_each_others_packets(void **state)
{
	char packet[WHOLE_BYTES], back[WHOLE_BYTES];

	(void)state;
	for (size_t i = 0; i < MESSAGES; i++)
		for (size_t j = 0; j < MESSAGES; j++) {
			struct out o = out_to(packet, sizeof packet),
				   ignored = out_to(back, sizeof back);

			messages[i].sample(&o);
			if (i != j)
				assert_int_equal(
				    messages[j].recode(slice_of(o.bytes, o.len), &ignored), -1);
		}
}

/* What a decoder takes is what an encoder makes: each packet has one meaning, each meaning one packet. */
static void
order_decoders_read_no_mutation_past_its_end(void **state)
{
	static const uint8_t interesting[] = {0, 1, 2, 3, 4, 7, 16, 127, 128, 129, 255};
	char packet[WHOLE_BYTES], back[WHOLE_BYTES];
	struct guard guard;
	uint64_t random = 88172645463325252u;
	unsigned taken = 0;

	(void)state;
	guard_open(&guard, WHOLE_BYTES);
	for (unsigned round = 0; round < 60000; round++) {
		const size_t i = round % MESSAGES;
		struct out o = out_to(packet, sizeof packet), again = out_to(back, sizeof back);
		char *mutant;

		messages[i].sample(&o);
		mutant = guard_copy(&guard, packet, o.len);
		for (unsigned flips = 0; flips <= round / MESSAGES % 3; flips++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			mutant[random % o.len] =
			    (char)((random & 1 << 20) != 0
				       ? random >> 40
				       : interesting[(random >> 40) % sizeof interesting]);
		}
		if (messages[i].recode(slice_of(mutant, o.len), &again) != 0)
			continue;
		taken++;
		assert_int_equal(again.len, o.len);
		assert_memory_equal(back, mutant, o.len);
	}
	assert_true(taken > 1000);
	guard_close(&guard);
}

static void
order_counts_are_bounded(void **state)
{
	char packet[WHOLE_BYTES];
	struct out o = out_to(packet, sizeof packet);
	struct order_closed closed = {.count = ORDER_CLOSED_MAX};
	struct order_connections connections = {.count = LIMIT_HANDOFF_BATCH};

	(void)state;
	order_encode_closed(&o, &closed);
	assert_int_equal(order_decode_closed(slice_of(o.bytes, o.len), &closed), 0);
	assert_int_equal(closed.count, ORDER_CLOSED_MAX);
	/* One more, with its bytes. */
	packet[4] = (char)(ORDER_CLOSED_MAX + 1);
	packet[5] = (char)((ORDER_CLOSED_MAX + 1) >> 8);
	memset(packet + o.len, 0, 4);
	assert_int_equal(order_decode_closed(slice_of(o.bytes, o.len + 4), &closed), -1);
	o = out_to(packet, sizeof packet);
	order_encode_connections(&o, &connections);
	assert_int_equal(order_decode_connections(slice_of(o.bytes, o.len), &connections), 0);
	packet[12] = LIMIT_HANDOFF_BATCH + 1;
	memset(packet + o.len, 0, 20);
	assert_int_equal(order_decode_connections(slice_of(o.bytes, o.len + 20), &connections), -1);
}

static void
order_rows_are_walked_to_their_end(void **state)
{
	const struct order_channel_row channel = {SLICE_LITERAL("news"), 1, 2, 3, 4};
	const struct order_connection_row connection = {.connection = UINT64_MAX,
	    .transport = SLICE_LITERAL("ws"),
	    .peer = SLICE_LITERAL("::1"),
	    .channel = SLICE_LITERAL("news"),
	    .last_error = SLICE_LITERAL("slow"),
	    .channels = 5,
	    .age_s = 6,
	    .cursor = 7,
	    .bytes = 8,
	    .lagging = 1,
	    .compressed = 1};
	struct order_connection_row got;
	struct order_channel_row row;
	char rows[512];
	struct out o = out_to(rows, sizeof rows);
	struct slice rest;

	(void)state;
	order_channel_row_put(&o, &channel);
	order_channel_row_put(&o, &channel);
	rest = slice_of(o.bytes, o.len);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(order_channel_row_next(&rest, &row), 1);
		assert_true(slice_equal(row.name, channel.name));
		assert_int_equal(row.ws, 4);
	}
	assert_int_equal(order_channel_row_next(&rest, &row), 0);
	rest = slice_of(o.bytes, o.len - 1);
	assert_int_equal(order_channel_row_next(&rest, &row), 1);
	assert_int_equal(order_channel_row_next(&rest, &row), -1);
	o = out_to(rows, sizeof rows);
	order_connection_row_put(&o, &connection);
	rest = slice_of(o.bytes, o.len);
	assert_int_equal(order_connection_row_next(&rest, &got), 1);
	assert_true(got.connection == UINT64_MAX && got.channels == 5 && got.age_s == 6 &&
		    got.cursor == 7 && got.bytes == 8 && got.lagging == 1 && got.compressed == 1);
	assert_true(slice_equal(got.last_error, connection.last_error));
	assert_int_equal(order_connection_row_next(&rest, &got), 0);
	for (size_t len = 1; len < o.len; len++) {
		rest = slice_of(o.bytes, len);
		assert_int_equal(order_connection_row_next(&rest, &got), -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(order_messages_survive_the_way_there_and_back),
	    cmocka_unit_test(order_fields_keep_their_places),
	    cmocka_unit_test(order_plain_messages_are_a_head_alone),
	    cmocka_unit_test(order_type_refuses_foreign_packets),
	    cmocka_unit_test(order_decoders_refuse_every_cut_and_every_tail),
	    cmocka_unit_test(order_decoders_refuse_each_others_packets),
	    cmocka_unit_test(order_decoders_read_no_mutation_past_its_end),
	    cmocka_unit_test(order_counts_are_bounded),
	    cmocka_unit_test(order_rows_are_walked_to_their_end),
	};

	return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
