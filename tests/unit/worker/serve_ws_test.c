/*
 * serve_ws_test.c: WebSockets: the handshake and its refusals, operations and their answers, pings, the closing handshake,
 * bare data.
 */
#include "worker/serve_ws.h"

#include "tests/unit/worker/worker_fixture.h"

static void
open_ws(struct client *c, struct fixture *f, const char *query)
{
	client_stream(c, f, DIALECT_WS, query);
	client_run(c);
	assert_int_equal(client_count(c, "HTTP/1.1 101"), 1);
}

/* The code of the close frame that the stream ends with, 0: there is none. */
static unsigned
close_code(const struct client *c)
{
	const char *body = strstr(c->bytes, "\r\n\r\n");
	const unsigned char *at = (const unsigned char *)(body == NULL ? c->bytes : body + 4);
	const unsigned char *end = (const unsigned char *)c->bytes + c->len;

	while (end - at >= 4) {
		const size_t len = at[1] < 126 ? at[1] : (size_t)at[2] << 8 | at[3];

		if (at[0] == 0x88)
			return len < 2 ? 1005 : (unsigned)at[2] << 8 | at[3];
		at += (at[1] < 126 ? 2u : 4u) + len;
	}
	return 0;
}

static void
ws_handshakes_end_as_the_contract_says(void **state)
{
	static const struct {
		const char *query, *fields, *want;
		unsigned code; /* of a close frame; 0: none */
	} cases[] = {
	    {"channel=a", WS_FIELDS, "\"op\":\"welcome\"", 0},
	    {"", WS_FIELDS, "\"op\":\"welcome\"", 0},
	    {"channel=a", WS_FIELDS "Sec-WebSocket-Protocol: x, ringcast.v1\r\n",
		"Sec-WebSocket-Protocol: ringcast.v1", 0},
	    {"channel=a", WS_FIELDS "Sec-WebSocket-Protocol: x\r\n", "\"op\":\"welcome\"", 0},
	    {"channel=$x", WS_FIELDS, "\"code\":\"bad_channel\"", 1008},
	    {"channel=a&after=17", WS_FIELDS, "\"code\":\"bad_after\"", 1008},
	    {"channel=closed", WS_FIELDS, "\"code\":\"forbidden\"", 1008},
	    {"", WS_FIELDS "Sec-WebSocket-Protocol: ringcast.raw\r\n", "HTTP/1.1 101", 1008},
	    {"channel=a", WS_FIELDS "Origin: http://evil.example\r\n", "HTTP/1.1 403", 0},
	    {"channel=a", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "HTTP/1.1 426", 0},
	    {"channel=a",
		"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n"
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
		"Sec-WebSocket-Version: 13", 0},
	};
	struct fixture *f = *state;

	f->settings.rule_count = 2;
	f->settings.rules[0] =
	    (struct rule){SLICE_LITERAL("closed"), RULE_NOBODY, RULE_NOBODY, RULE_GAP};
	f->settings.rules[1] =
	    (struct rule){SLICE_LITERAL("*"), RULE_ANYONE, RULE_ANYONE, RULE_GAP};
	fixture_set(f);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct client c;

		client_open(&c, f);
		client_get(&c, cases[i].query, cases[i].fields);
		client_run(&c);
		if (client_count(&c, cases[i].want) != 1)
			fail_msg("case %zu: %s", i, c.bytes);
		if (client_count(&c, "HTTP/1.1 101") != 0)
			assert_int_equal(close_code(&c), cases[i].code);
		client_close(&c);
		fixture_run(f);
	}
}

static void
ws_operations_are_answered(void **state)
{
	static const struct {
		const char *op, *want;
	} cases[] = {
	    {"{\"op\":\"ping\",\"ref\":\"x\"}", "{\"op\":\"pong\",\"at\":"},
	    {"{\"op\":\"subscribe\",\"channel\":\"b\",\"ref\":1}",
		"{\"op\":\"subscribed\",\"channel\":\"b\",\"at\":"},
	    {"{\"op\":\"subscribe\",\"channel\":\"b\",\"after\":\"0\"}",
		"{\"op\":\"subscribed\",\"channel\":\"b\",\"at\":"},
	    {"{\"op\":\"unsubscribe\",\"channel\":\"b\"}",
		"{\"op\":\"unsubscribed\",\"channel\":\"b\"}"},
	    {"{\"op\":\"unsubscribe\",\"channel\":\"never\"}",
		"{\"op\":\"unsubscribed\",\"channel\":\"never\"}"},
	    {"{\"op\":\"presence\"}", "\"code\":\"unknown_op\""},
	    {"{\"op\":\"subscribe\"}", "\"code\":\"no_channel\""},
	    {"{\"op\":", "\"code\":\"bad_json\""},
	    {"{\"op\":\"subscribe\",\"channel\":\"b\",\"after\":\"x\"}", "\"code\":\"bad_after\""},
	};
	struct fixture *f = *state;
	struct client c;

	open_ws(&c, f, "channel=a");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		client_clear(&c);
		client_op(&c, cases[i].op);
		client_run(&c);
		if (client_count(&c, cases[i].want) != 1)
			fail_msg("%s: %s", cases[i].op, c.bytes);
		assert_null(frames_fault(c.bytes, c.len));
		assert_false(c.ended);
	}
	client_close(&c);
}

static void
ws_input_means_the_same_wherever_it_is_split(void **state)
{
	static const char input[] = "\x81\x8d\0\0\0\0{\"op\":\"ping\"}"
				    "\x01\x84\0\0\0\0{\"op"
				    "\x89\x82\0\0\0\0hi"
				    "\x80\x89\0\0\0\0\":\"ping\"}"
				    "\x88\x82\0\0\0\0\x03\xe8";
	struct fixture *f = *state;

	for (size_t at = 0; at < sizeof input - 1; at++) {
		struct client c;

		open_ws(&c, f, "channel=a");
		client_clear(&c);
		client_send(&c, input, at);
		client_run(&c);
		client_send(&c, input + at, sizeof input - 1 - at);
		client_run(&c);
		assert_int_equal(client_count(&c, "\"op\":\"pong\""), 2);
		assert_int_equal(client_count(&c, "\x8a\x02hi"), 1);
		assert_int_equal(close_code(&c), 1000);
		assert_true(c.ended);
		client_close(&c);
	}
}

static void
ws_broken_input_is_closed_with_its_code(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		unsigned code;
	} cases[] = {
	    {"\x81\x02hi", 4, 1002},                          /* not masked */
	    {"\xc1\x80\0\0\0\0", 6, 1002},                    /* a reserved bit */
	    {"\x80\x80\0\0\0\0", 6, 1002},                    /* nothing to continue */
	    {"\x81\x81\0\0\0\0\xff", 7, 1007},                /* not UTF-8 */
	    {"\x82\x81\0\0\0\0x", 7, 1003},                   /* bytes, where JSON is spoken */
	    {"\x81\xff\0\0\0\0\x10\0\0\0\0\0\0\0", 14, 1009}, /* too large */
	    {"\x88\x81\0\0\0\0x", 7, 1002},                   /* half a code */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct client c;

		open_ws(&c, f, "channel=a");
		client_send(&c, cases[i].bytes, cases[i].len);
		client_run(&c);
		assert_int_equal(close_code(&c), cases[i].code);
		assert_true(c.ended);
		client_close(&c);
	}
}

static void
ws_operations_behind_the_handshake_are_not_lost(void **state)
{
	struct fixture *f = *state;
	struct client c;

	client_stream(&c, f, DIALECT_WS, "channel=a");
	client_op(&c, "{\"op\":\"subscribe\",\"channel\":\"b\"}");
	client_run(&c);
	assert_int_equal(client_count(&c, "\"op\":\"subscribed\",\"channel\":\"b\""), 1);
	fixture_publish(f, "b", 1, 0);
	client_run(&c);
	client_has(&c, 1, 1);
	client_sound(&c, DIALECT_WS);
	client_close(&c);
}

static void
ws_gets_nothing_of_a_channel_after_it_was_unsubscribed(void **state)
{
	struct fixture *f = *state;
	struct client c;

	open_ws(&c, f, "channel=a&channel=b&channel=c");
	client_op(&c, "{\"op\":\"unsubscribe\",\"channel\":\"a\"}");
	client_op(&c, "{\"op\":\"unsubscribe\",\"channel\":\"c\"}");
	client_run(&c);
	fixture_publish(f, "a,c", 100, 0);
	fixture_publish(f, "a,b", 1, 0);
	client_run(&c);
	client_has(&c, 1, 1);
	client_op(&c, "{\"op\":\"unsubscribe\",\"channel\":\"b\"}");
	client_run(&c);
	fixture_publish(f, "b", 101, 0);
	client_run(&c);
	client_has(&c, 1, 1);
	client_op(&c, "{\"op\":\"subscribe\",\"channel\":\"b\"}");
	client_run(&c);
	fixture_publish(f, "b", 2, 0);
	client_run(&c);
	client_has(&c, 1, 2);
	client_sound(&c, DIALECT_WS);
	assert_int_equal(client_count(&c, "gap"), 0);
	client_close(&c);
}

static void
ws_is_limited_in_channels(void **state)
{
	struct fixture *f = *state;
	char op[64];
	struct client c;

	f->settings.max_channels_per_connection = 5;
	fixture_set(f);
	open_ws(&c, f, "channel=c0");
	for (int i = 1; i < 7; i++) {
		snprintf(op, sizeof op, "{\"op\":\"subscribe\",\"channel\":\"c%d\"}", i);
		client_op(&c, op);
	}
	client_run(&c);
	assert_int_equal(client_count(&c, "\"op\":\"subscribed\""), 4);
	assert_int_equal(client_count(&c, "\"code\":\"too_many_channels\""), 2);
	assert_false(c.ended);
	client_close(&c);
}

static void
ws_is_pinged_and_ends_when_it_does_not_answer(void **state)
{
	struct fixture *f = *state;
	struct client c;

	open_ws(&c, f, "channel=a");
	client_clear(&c);
	fixture_wait_ms(f, 37000);
	client_read(&c);
	assert_int_equal(client_count(&c, "\x89"), 1);
	assert_int_equal(client_count(&c, "\"op\":\"live\",\"at\":"), 1);
	client_send(&c, "\x8a\x80\0\0\0\0", 6);
	fixture_wait_ms(f, 37000);
	client_read(&c);
	assert_in_range(client_count(&c, "\x89"), 2, 3);
	assert_false(c.ended);
	fixture_wait_ms(f, 110000);
	client_read(&c);
	assert_true(c.ended);
	assert_int_equal(board_get(&f->w->board, BOARD_CLOSED_PING), 1);
	client_close(&c);
}

static void
ws_raw_publishes_and_receives_bare_data(void **state)
{
	struct fixture *f = *state;
	char packet[ORDER_PACKET_BYTES];
	struct order_publish publish;
	struct order_piece piece;
	struct client c;
	ssize_t n;

	client_stream(&c, f, DIALECT_WS_RAW, "channel=a");
	client_run(&c);
	client_clear(&c);
	while (recv(f->master, packet, sizeof packet, MSG_DONTWAIT) > 0)
		;
	client_frame(&c, 0x81, "hello", 5);
	client_run(&c);
	n = recv(f->master, packet, sizeof packet, MSG_DONTWAIT);
	assert_true(n > 0);
	assert_int_equal(order_decode_piece(slice_of(packet, (size_t)n), &piece), 0);
	assert_int_equal(order_decode_publish(piece.bytes, &publish), 0);
	assert_true(slice_equal(publish.event.data, SLICE_LITERAL("hello")));
	assert_true(slice_equal(publish.event.channels[0], SLICE_LITERAL("a")));
	assert_int_equal(publish.event.kind, EVENT_TEXT);
	fixture_append(f, "a", RECORD_TEXT, "text", 4);
	fixture_append(f, "a", RECORD_BINARY, "\0\1", 2);
	client_run(&c);
	assert_int_equal(c.len, 10);
	assert_memory_equal(c.bytes, "\x81\x04text\x82\x02\0\1", 10);
	client_close(&c);
}

static void
ws_and_others_are_told_when_their_channel_is_ended(void **state)
{
	struct fixture *f = *state;
	struct client ws, raw, sse, held, both;
	char packet[512];
	struct out o = out_to(packet, sizeof packet);

	fixture_publish(f, "b", 0, 0);
	open_ws(&ws, f, "channel=a");
	open_ws(&both, f, "channel=a&channel=b");
	client_stream(&raw, f, DIALECT_WS_RAW, "channel=a");
	client_stream(&sse, f, DIALECT_SSE, "channel=a");
	client_open(&held, f);
	client_get(&held, "channel=a&after=1763856000000-00001&wait=20", "");
	fixture_run(f);
	assert_int_equal(client_slot(&held)->state, CONN_HELD);
	order_encode_end_channel(&o, &(struct order_end_channel){SLICE_LITERAL("a")});
	assert_int_equal(send(f->master, o.bytes, o.len, 0), o.len);
	client_run(&ws);
	client_run(&both);
	client_run(&raw);
	client_run(&sse);
	client_run(&held);
	assert_int_equal(
	    client_count(&ws, "{\"op\":\"unsubscribed\",\"channel\":\"a\",\"reason\":\"deleted\"}"),
	    1);
	assert_int_equal(client_count(&both,
			     "{\"op\":\"unsubscribed\",\"channel\":\"a\",\"reason\":\"deleted\"}"),
	    1);
	assert_false(ws.ended || both.ended);
	assert_int_equal(close_code(&raw), 1000);
	assert_true(sse.ended);
	assert_int_equal(client_count(&held, "HTTP/1.1 200"), 1);
	assert_false(held.ended);
	fixture_publish(f, "b", 1, 0);
	client_run(&both);
	client_has(&both, 1, 1);
	assert_null(channel_find(f->w, ring_hash(&f->w->ring, "a", 1), SLICE_LITERAL("a")));
	client_close(&ws);
	client_close(&raw);
	client_close(&sse);
	client_close(&held);
	client_close(&both);
}

/* An answer of the master's that comes while our close frame still waits for room. */
static void
ws_says_nothing_behind_its_close_frame(void **state)
{
	static const char closing[] = "\x88\x82\0\0\0\0\x03\xe8";
	struct fixture *f = *state;
	struct client c;
	uint64_t tag;
	char packet[256];
	struct out o = out_to(packet, sizeof packet);

	open_ws(&c, f, "channel=a");
	client_clear(&c);
	tag = (uint64_t)c.generation << 32 | c.slot;
	order_encode_published(
	    &o, &(struct order_published){
		    .tag = slice_of((const char *)&tag, sizeof tag), .id = FIXTURE_MS << 16});
	client_send(&c, closing, sizeof closing - 1);
	assert_int_equal(send(f->master, o.bytes, o.len, 0), o.len);
	f->fake->allowance = 0;
	client_run(&c);
	assert_true(c.ended);
	assert_int_equal(c.len, 4);
	assert_memory_equal(c.bytes, "\x88\x02\x03\xe8", 4);
	client_close(&c);
}

/* What a client sends in vain is read to its end, or the connection would be reset, and the close frame lost with it. */
static void
ws_ends_in_order_though_the_client_has_sent_more_and_ended(void **state)
{
	struct fixture *f = *state;
	char *garbage = calloc(1, 100000), answer[256];
	struct client c;
	ssize_t n, len = 0;

	assert_non_null(garbage);
	open_ws(&c, f, "channel=a");
	client_clear(&c);
	client_send(&c, "\xb1", 1);
	client_send(&c, garbage, 100000);
	assert_int_equal(shutdown(c.fd, SHUT_WR), 0);
	for (int turn = 0; turn < 8; turn++) {
		f->fake->allowance =
		    0; /* the end is noticed while the close frame waits for room */
		fixture_turn(f);
	}
	f->fake->allowance = -1;
	fixture_run(f);
	while ((n = recv(c.fd, answer + len, sizeof answer - (size_t)len, MSG_DONTWAIT)) > 0)
		len += n;
	assert_int_equal(n, 0);
	assert_true(len > 4);
	assert_memory_equal(answer + 2, "\x03\xea", 2);
	assert_false(client_held(&c));
	client_close(&c);
	free(garbage);
}

/* Whatever was said: fragments, control frames between them, cut anywhere, large ones. */
static void
ws_keeps_nothing_of_a_client_between_its_messages(void **state)
{
	static const char input[] = "\x81\x8d\0\0\0\0{\"op\":\"ping\"}"
				    "\x01\x84\0\0\0\0{\"op"
				    "\x89\x82\0\0\0\0hi"
				    "\x8a\x80\0\0\0\0"
				    "\x00\x80\0\0\0\0"
				    "\x80\x89\0\0\0\0\":\"ping\"}";
	struct fixture *f = *state;
	struct client c;
	char *large;

	open_ws(&c, f, "channel=a");
	assert_int_equal(client_slot(&c)->extra, 0);
	for (size_t at = 0; at < sizeof input; at++) {
		client_send(&c, input, at);
		client_run(&c);
		client_send(&c, input + at, sizeof input - 1 - at);
		client_run(&c);
		assert_int_equal(client_slot(&c)->extra, 0);
		assert_int_equal(f->w->extras.used, 0);
	}
	large = malloc(60000);
	assert_non_null(large);
	memset(large, ' ', 60000);
	for (unsigned part = 0; part < 8; part++) {
		client_frame(&c, part == 0 ? 0x01 : part < 7 ? 0x00 : 0x80, large, 60000);
		client_run(&c);
		if (part < 7)
			assert_int_not_equal(client_slot(&c)->extra, 0);
	}
	assert_int_equal(client_count(&c, "\"code\":\"bad_json\""), 1);
	assert_int_equal(f->w->extras.used, 0);
	free(large);
	client_close(&c);
}

/* Bare data has max_event_bytes; an object with data inside more than twice as many. What is too much is said by a head. */
static void
ws_messages_are_limited_by_what_they_are(void **state)
{
	static const struct {
		enum dialect dialect;
		const char *bytes;
		size_t len;
		unsigned code;
	} cases[] = {
	    {DIALECT_WS_RAW, "\x82\xfe\x03\xe8", 4, 0},
	    {DIALECT_WS_RAW, "\x82\xfe\x03\xe9", 4, 1009}, {DIALECT_WS, "\x81\xfe\x0b\xd0", 4, 0},
	    {DIALECT_WS, "\x81\xfe\x0b\xd1", 4, 1009},
	    {DIALECT_WS, "\x02\x8a\0\0\0\0b", 7, 1003}, /* bytes are none, however many */
	};
	struct fixture *f = *state;

	f->settings.max_event_bytes = 1000;
	fixture_set(f);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct client c;

		client_stream(&c, f, cases[i].dialect, "channel=a");
		client_run(&c);
		client_send(&c, cases[i].bytes, cases[i].len);
		client_run(&c);
		assert_int_equal(close_code(&c), cases[i].code);
		assert_int_equal(c.ended, cases[i].code != 0);
		client_close(&c);
		fixture_run(f);
	}
}

/* Seconds until it is closed, at most 200; it answers whatever it is asked, and says something between its fragments. */
static unsigned
seconds_to_close(struct fixture *f, struct client *c)
{
	for (unsigned s = 0; s < 200; s++) {
		client_send(c, "\x89\x80\0\0\0\0\x8a\x80\0\0\0\0", 12);
		fixture_wait_ms(f, 1000);
		client_read(c);
		if (c->ended)
			return s;
	}
	return 200;
}

static void
ws_message_that_has_begun_must_end_in_time(void **state)
{
	static const struct {
		const char *what, *bytes;
		size_t len, more;  /* so many bytes of data behind it */
		unsigned from, to; /* seconds */
	} cases[] = {
	    {"a first fragment", "\x01\x81\0\0\0\0{", 7, 0, 7, 9},
	    {"an empty one", "\x01\x80\0\0\0\0", 6, 0, 7, 9},
	    {"a whole one before it", "\x81\x81\0\0\0\0{\x01\x81\0\0\0\0{", 14, 0, 7, 9},
	    {"a second for each KiB", "\x01\xfe\xf0\x00\0\0\0\0", 8, 0xf000, 67, 69},
	    {"pieces of nothing", "\x01\x81\0\0\0\0{\x00\x80\0\0\0\0\x00\x80\0\0\0\0", 19, 0, 7, 9},
	    {"a message that ended", "\x01\x81\0\0\0\0{\x80\x81\0\0\0\0{", 14, 0, 200, 200},
	};
	struct fixture *f = *state;
	char *data = calloc(1, 0xf000);

	assert_non_null(data);
	memset(data, ' ', 0xf000);
	f->settings.body_timeout_s = 8;
	fixture_set(f);
	for (unsigned dialect = DIALECT_WS; dialect <= DIALECT_WS_RAW; dialect++)
		for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
			const uint64_t before = board_get(&f->w->board, BOARD_CLOSED_TIMEOUT);
			struct client c;
			unsigned s;

			client_stream(&c, f, (enum dialect)dialect, "channel=a");
			client_run(&c);
			client_clear(&c);
			client_send(&c, cases[i].bytes, cases[i].len);
			client_send(&c, data, cases[i].more);
			s = seconds_to_close(f, &c);
			if (s < cases[i].from || s > cases[i].to)
				fail_msg("%s: closed after %u s", cases[i].what, s);
			if (s < 200) {
				assert_int_equal(close_code(&c), 1008);
				assert_memory_equal(c.bytes + c.len - 7, "timeout", 7);
			}
			assert_int_equal(client_count(&c, "\"code\":\"timeout\""),
			    s < 200 && dialect == DIALECT_WS);
			assert_int_equal(
			    board_get(&f->w->board, BOARD_CLOSED_TIMEOUT), before + (s < 200));
			client_close(&c);
			fixture_run(f);
		}
	free(data);
}

/* Nothing can follow the beginning of a frame but its end, so nobody says anything meanwhile. */
static void
ws_frame_that_has_begun_must_end_in_time(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {{"\x81", 1}, {"\x81\xfe\x01", 3}, {"\x81\x85\0\0\0\0abcd", 10}, {"\x89", 1},
	    {"\x89\x82\0\0\0\0a", 7}, {"\x88\x85\0\0\0\0\x03\xe8xy", 10}};
	struct fixture *f = *state;

	f->settings.body_timeout_s = 8;
	fixture_set(f);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct client c;

		open_ws(&c, f, "channel=a");
		client_clear(&c);
		client_send(&c, cases[i].bytes, cases[i].len);
		fixture_wait_ms(f, 7500);
		client_read(&c);
		assert_false(c.ended);
		fixture_wait_ms(f, 1250);
		client_read(&c);
		assert_true(c.ended);
		assert_int_equal(close_code(&c), 1008);
		client_close(&c);
		fixture_run(f);
	}
}

/* Each has its own time, also when the next one begins in the same read. */
static void
ws_messages_in_a_row_have_their_time_each(void **state)
{
	struct fixture *f = *state;
	struct client c;

	f->settings.body_timeout_s = 8;
	fixture_set(f);
	open_ws(&c, f, "channel=a");
	client_send(&c, "\x01\x81\0\0\0\0{", 7);
	for (unsigned i = 0; i < 20; i++) {
		fixture_wait_ms(f, 6000);
		client_send(&c, "\x80\x81\0\0\0\0}\x01\x81\0\0\0\0{", 14);
		fixture_run(f);
	}
	client_read(&c);
	assert_false(c.ended);
	assert_in_range(seconds_to_close(f, &c), 7, 9);
	client_close(&c);
}

/* One timer serves both: a message that is slow, or many that are not, neither delay pings nor hasten them. */
static void
ws_is_pinged_in_time_whatever_it_is_sending(void **state)
{
	static const unsigned timeouts_s[] = {2, 7, 29, 31, 3600};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof timeouts_s / sizeof timeouts_s[0]; i++) {
		unsigned since = 0, pings = 0;
		struct client c;

		f->settings.body_timeout_s = timeouts_s[i];
		fixture_set(f);
		open_ws(&c, f, "channel=a");
		client_clear(&c);
		for (unsigned s = 0; s < 400; s++) {
			if (timeouts_s[i] == 3600 && s == 0)
				client_send(&c, "\x01\x81\0\0\0\0{", 7);
			else if (timeouts_s[i] != 3600)
				client_send(
				    &c, s % 2 == 0 ? "\x01\x81\0\0\0\0{" : "\x80\x81\0\0\0\0}", 7);
			fixture_wait_ms(f, 1000);
			client_read(&c);
			since++;
			if (client_count(&c, "\x89") != 0) {
				assert_in_range(since, 24, 37);
				since = 0;
				pings++;
				client_send(&c, "\x8a\x80\0\0\0\0", 6);
			}
			client_clear(&c);
			assert_in_range(since, 0, 37);
		}
		assert_false(c.ended);
		assert_in_range(pings, 10, 17);
		client_close(&c);
		fixture_run(f);
	}
}

/* Behind half a frame of ours nothing can be said; the client is dropped all the same. */
static void
ws_that_reads_nothing_must_end_its_message_in_time_too(void **state)
{
	struct fixture *f = *state;
	struct client c;

	f->settings.body_timeout_s = 8;
	fixture_set(f);
	open_ws(&c, f, "channel=a");
	client_send(&c, "\x01\x81\0\0\0\0{", 7);
	fixture_run(f);
	for (unsigned n = 0; n < 60; n++)
		fixture_publish(f, "a", n, 10000);
	fixture_run(f);
	assert_int_not_equal(client_slot(&c)->offset, 0);
	fixture_wait_ms(f, 9000);
	assert_false(client_held(&c));
	assert_int_equal(board_get(&f->w->board, BOARD_CLOSED_TIMEOUT), 1);
	client_close(&c);
}

/* So many bytes of a message that goes on. */
static void
send_fragment(struct client *c, const char *data, size_t len)
{
	for (size_t sent = 0, part; sent < len; sent += part) {
		part = len - sent < 60000 ? len - sent : 60000;
		client_frame(c, sent == 0 ? 0x01 : 0x00, data, part);
		client_run(c);
	}
}

/* Large messages that do not end take three quarters of the room; the next one is turned away, and nobody else. */
static void
ws_messages_that_never_end_have_bounded_memory(void **state)
{
	enum { LEN = 500000, CAP = 512 << 10, FIT = LIMIT_INPUT_BYTES / 4 * 3 / CAP };
	struct fixture *f = *state;
	struct client *c = calloc(FIT + 3, sizeof *c), *last = &c[FIT], *late = &c[FIT + 1],
		      *post = &c[FIT + 2];
	char *data = malloc(LEN);

	assert_non_null(c);
	assert_non_null(data);
	memset(data, ' ', LEN);
	for (unsigned i = 0; i <= FIT; i++) {
		open_ws(&c[i], f, "channel=a");
		client_clear(&c[i]);
		send_fragment(&c[i], data, LEN);
	}
	assert_int_equal(board_get(&f->w->board, BOARD_SHED_INPUTS), 1);
	assert_int_equal(close_code(last), 1013);
	assert_memory_equal(last->bytes + last->len - 10, "overloaded", 10);
	assert_int_equal(client_count(last, "\"code\":\"overloaded\""), 1);
	assert_true(last->ended);
	assert_int_equal(f->w->extras.input_bytes, (uint64_t)FIT * CAP);
	assert_int_equal(board_get(&f->w->board, BOARD_INPUT_BYTES), (uint64_t)FIT * CAP);
	/* What is small has its part; a body that is not is told to come again. */
	open_ws(late, f, "channel=a");
	send_fragment(late, "{\"op\":", 6);
	client_frame(late, 0x80, "\"ping\"}", 7);
	client_run(late);
	assert_int_equal(client_count(late, "\"op\":\"pong\""), 1);
	client_open(post, f);
	client_text(
	    post, "POST /events?channel=a HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
	client_run(post);
	client_send(post, data, 100000);
	client_run(post);
	assert_int_equal(client_count(post, "HTTP/1.1 503"), 1);
	assert_int_equal(client_count(post, "\"code\":\"overloaded\""), 1);
	assert_int_equal(client_count(post, "Retry-After: "), 1);
	assert_true(post->ended);
	/* One that ends is understood, and leaves its room to the next. */
	client_frame(&c[0], 0x80, "{\"op\":\"ping\"}", 13);
	client_run(&c[0]);
	assert_int_equal(client_count(&c[0], "\"op\":\"pong\""), 1);
	send_fragment(late, data, LEN);
	assert_int_equal(close_code(late), 0);
	assert_int_equal(f->w->extras.input_bytes, (uint64_t)FIT * CAP);
	for (unsigned i = 0; i < FIT + 3; i++)
		client_close(&c[i]);
	fixture_run(f);
	assert_int_equal(f->w->extras.input_bytes, 0);
	free(data);
	free(c);
}

/* Of the largest messages that may be configured a few fit, though one is larger than the usual bound. */
static void
ws_room_for_messages_grows_with_what_they_may_be(void **state)
{
	enum { LEN = 100 << 20 };
	struct fixture *f = *state;
	char *data = calloc(1, 60000);
	struct client c;

	assert_non_null(data);
	f->settings.max_event_bytes = LIMIT_EVENT_BYTES_MAX;
	fixture_set(f);
	open_ws(&c, f, "channel=a");
	client_clear(&c);
	for (size_t sent = 0; sent < LEN; sent += 60000) {
		client_frame(&c, sent == 0 ? 0x01 : 0x00, data, 60000);
		fixture_turn(f);
		fixture_turn(f);
	}
	client_run(&c);
	assert_false(c.ended);
	assert_true(f->w->extras.input_bytes >= LEN);
	client_close(&c);
	fixture_run(f);
	free(data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		ws_handshakes_end_as_the_contract_says, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		ws_operations_are_answered, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		ws_input_means_the_same_wherever_it_is_split, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		ws_broken_input_is_closed_with_its_code, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		ws_operations_behind_the_handshake_are_not_lost, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(ws_gets_nothing_of_a_channel_after_it_was_unsubscribed,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		ws_is_limited_in_channels, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		ws_says_nothing_behind_its_close_frame, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		ws_ends_in_order_though_the_client_has_sent_more_and_ended, fixture_setup,
		fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		ws_keeps_nothing_of_a_client_between_its_messages, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		ws_messages_are_limited_by_what_they_are, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		ws_is_pinged_and_ends_when_it_does_not_answer, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		ws_raw_publishes_and_receives_bare_data, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(ws_and_others_are_told_when_their_channel_is_ended,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		ws_message_that_has_begun_must_end_in_time, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		ws_frame_that_has_begun_must_end_in_time, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		ws_messages_in_a_row_have_their_time_each, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		ws_is_pinged_in_time_whatever_it_is_sending, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(ws_that_reads_nothing_must_end_its_message_in_time_too,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		ws_messages_that_never_end_have_bounded_memory, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		ws_room_for_messages_grows_with_what_they_may_be, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests_name("serve_ws", tests, NULL, NULL);
}
