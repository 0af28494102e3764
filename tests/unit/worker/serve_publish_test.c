/*
 * serve_publish_test.c: events from clients: what the master gets of them, in packets, and what becomes of its answers.
 */
#include "worker/serve_publish.h"

#include "tests/unit/worker/worker_fixture.h"

#define WHOLE_MAX (1 << 20)

/* What came over the control socket, put together: the next whole publish. False: there is none. */
static bool
take_publish(struct fixture *f, char *whole, struct order_publish *m, unsigned *pieces)
{
	char packet[ORDER_PACKET_BYTES];
	uint32_t have = 0;

	*pieces = 0;
	for (;;) {
		const ssize_t n = recv(f->master, packet, sizeof packet, MSG_DONTWAIT);
		struct order_piece piece;

		fixture_run(f); /* what waited for room */
		if (n <= 0)
			return false;
		if (order_type_of(slice_of(packet, (size_t)n)) != ORDER_PUBLISH) {
			assert_int_equal(have, 0); /* nothing in the middle of a transfer */
			continue;
		}
		assert_int_equal(order_decode_piece(slice_of(packet, (size_t)n), &piece), 0);
		assert_int_equal(piece.offset, have);
		assert_true(piece.total <= WHOLE_MAX);
		memcpy(whole + have, piece.bytes.bytes, piece.bytes.len);
		have += (uint32_t)piece.bytes.len;
		++*pieces;
		if (have == piece.total) {
			assert_int_equal(order_decode_publish(slice_of(whole, have), m), 0);
			return true;
		}
	}
}

static void
answer(struct fixture *f, struct slice tag, enum error_code error, bool duplicate)
{
	char packet[512];
	struct out o = out_to(packet, sizeof packet);
	const struct order_published m = {.tag = tag,
	    .id = error == ERROR_NONE ? FIXTURE_MS << 16 | 9 : 0,
	    .duplicate = duplicate,
	    .error = (uint16_t)error,
	    .message = error == ERROR_NONE ? (struct slice){NULL, 0} : SLICE_LITERAL("because")};

	order_encode_published(&o, &m);
	assert_int_equal(send(f->master, o.bytes, o.len, MSG_DONTWAIT), o.len);
	fixture_run(f);
}

static void
post(struct client *c, const char *query, const char *fields, const char *body, size_t len)
{
	char head[1024];

	snprintf(head, sizeof head,
	    "POST /events?%s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n%s\r\n", query, len,
	    fields);
	client_text(c, head);
	while (len != 0) {
		const size_t piece = len < 32768 ? len : 32768;

		client_send(c, body, piece);
		fixture_run(c->f);
		body += piece;
		len -= piece;
	}
	fixture_run(c->f);
}

static void
publish_by_post_passes_on_what_the_body_means(void **state)
{
	static const struct {
		const char *query, *fields, *body;
		enum event_kind kind;
		const char *data, *type, *key;
	} cases[] = {
	    {"channel=p", "", "a b", EVENT_TEXT, "a b", "message", ""},
	    {"channel=p", "Content-Type: application/json\r\n", " {\"a\": 1} ", EVENT_JSON,
		"{\"a\": 1}", "message", ""},
	    {"channel=p", "Content-Type: application/json\r\n", "\"a\\u0062\"", EVENT_TEXT, "ab",
		"message", ""},
	    {"channel=p&type=t", "Content-Type: text/plain\r\nIdempotency-Key: k\r\n", "x",
		EVENT_TEXT, "x", "t", "k"},
	    {"channel=p", "Content-Type: application/octet-stream\r\n", "x", EVENT_BINARY, "x",
		"message", ""},
	    {"channel=p", "Content-Type: text/plain\r\n", "", EVENT_TEXT, "", "message", ""},
	};
	struct fixture *f = *state;
	char *whole = malloc(WHOLE_MAX);

	assert_non_null(whole);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct order_publish m;
		struct client c;
		unsigned pieces;

		client_open(&c, f);
		post(&c, cases[i].query, cases[i].fields, cases[i].body, strlen(cases[i].body));
		assert_true(take_publish(f, whole, &m, &pieces));
		assert_int_equal(m.event.kind, cases[i].kind);
		assert_true(slice_equal(m.event.data, slice_text(cases[i].data)));
		assert_true(slice_equal(m.event.type, slice_text(cases[i].type)));
		assert_true(slice_equal(m.event.key, slice_text(cases[i].key)));
		assert_true(slice_equal(m.event.channels[0], SLICE_LITERAL("p")));
		client_read(&c);
		assert_int_equal(c.len, 0); /* not before it is in the ring */
		answer(f, m.tag, ERROR_NONE, i == 3);
		client_read(&c);
		assert_int_equal(client_count(&c, "{\"id\":\"1763856000000-00009\""), 1);
		assert_int_equal(client_count(&c, "\"duplicate\":true"), i == 3);
		client_close(&c);
	}
	free(whole);
}

static void
publish_is_refused_before_it_reaches_the_master(void **state)
{
	static const struct {
		const char *query, *fields, *body, *want;
	} cases[] = {
	    {"channel=closed", "", "x", "HTTP/1.1 403"},
	    {"", "", "x", "HTTP/1.1 400"},
	    {"channel=p&channel=q", "", "x", "HTTP/1.1 400"},
	    {"channel=p&type=open", "", "x", "HTTP/1.1 400"},
	    {"channel=p", "Content-Type: multipart/form-data\r\n", "x", "HTTP/1.1 415"},
	    {"channel=p", "Content-Type: text/plain; charset=latin1\r\n", "x", "HTTP/1.1 415"},
	    {"channel=p", "Content-Type: application/json\r\n", "{", "\"code\":\"bad_json\""},
	    {"channel=p", "Content-Type: text/plain\r\n", "\xff", "\"code\":\"bad_utf8\""},
	};
	struct fixture *f = *state;
	char *whole = malloc(WHOLE_MAX), large[4096];
	struct order_publish m;
	struct client c;
	unsigned pieces;

	assert_non_null(whole);
	f->settings.rule_count = 2;
	f->settings.max_event_bytes = sizeof large - 1;
	f->settings.rules[0] =
	    (struct rule){SLICE_LITERAL("closed"), RULE_ANYONE, RULE_NOBODY, RULE_GAP};
	f->settings.rules[1] =
	    (struct rule){SLICE_LITERAL("*"), RULE_ANYONE, RULE_ANYONE, RULE_GAP};
	fixture_set(f);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		client_open(&c, f);
		post(&c, cases[i].query, cases[i].fields, cases[i].body, strlen(cases[i].body));
		client_run(&c);
		if (client_count(&c, cases[i].want) != 1)
			fail_msg("case %zu: %s", i, c.bytes);
		assert_false(take_publish(f, whole, &m, &pieces));
		client_close(&c);
	}
	memset(large, 'x', sizeof large);
	client_open(&c, f);
	post(&c, "channel=p", "", large, sizeof large);
	client_run(&c);
	assert_int_equal(client_count(&c, "HTTP/1.1 413"), 1);
	client_close(&c);
	free(whole);
}

/* Quotes and escapes are no data: JSON is measured by what it means, and the bytes that mean it have a bound, too. */
static void
publish_by_post_measures_the_data_not_its_json(void **state)
{
	static const struct {
		const char *piece; /* so often within the quotes */
		unsigned count;
		bool taken;
	} cases[] = {
	    {"x", 2000, true}, {"x", 2001, false}, {"\\\"", 2000, true}, {"\\\"", 2001, false},
	    {"\\u0001", 1000, false}, /* 1,000 bytes, said in 6,000 */
	};
	struct fixture *f = *state;
	char *whole = malloc(WHOLE_MAX);

	assert_non_null(whole);
	f->settings.max_event_bytes = 2000;
	fixture_set(f);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const size_t len = strlen(cases[i].piece) * cases[i].count + 2;
		char body[6100];
		struct order_publish m;
		struct client c;
		unsigned pieces;

		body[0] = body[len - 1] = '"';
		for (unsigned n = 0; n < cases[i].count; n++)
			memcpy(body + 1 + n * strlen(cases[i].piece), cases[i].piece,
			    strlen(cases[i].piece));
		client_open(&c, f);
		post(&c, "channel=p", "Content-Type: application/json\r\n", body, len);
		if (cases[i].taken) {
			assert_true(take_publish(f, whole, &m, &pieces));
			assert_int_equal(m.event.data.len, cases[i].count);
			answer(f, m.tag, ERROR_NONE, false);
		}
		client_run(&c);
		assert_int_equal(client_count(&c, "HTTP/1.1 413"), !cases[i].taken);
		assert_int_equal(client_count(&c, "HTTP/1.1 200"), cases[i].taken);
		client_close(&c);
	}
	free(whole);
}

/* Larger than a packet, and more of them than the control socket holds: in pieces, in order, none in another. */
static void
publish_of_any_size_is_put_together_again(void **state)
{
	struct fixture *f = *state;
	enum { CLIENTS = 12, BYTES = 200 << 10 };
	char *body = malloc(BYTES), *whole = malloc(WHOLE_MAX);
	struct client c[CLIENTS];

	assert_non_null(body);
	assert_non_null(whole);
	for (unsigned i = 0; i < CLIENTS; i++) {
		memset(body, (int)('a' + i), BYTES);
		client_open(&c[i], f);
		post(&c[i], "channel=p", "Content-Type: text/plain\r\n", body, BYTES - i);
		assert_int_equal(client_slot(&c[i])->state, CONN_ANSWER);
	}
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct order_publish m;
		unsigned pieces;

		assert_true(take_publish(f, whole, &m, &pieces));
		assert_in_range(pieces, 7, 8);
		memset(body, (int)('a' + i), BYTES);
		assert_int_equal(m.event.data.len, BYTES - i);
		assert_memory_equal(m.event.data.bytes, body, BYTES - i);
		answer(f, m.tag, ERROR_NONE, false);
		client_read(&c[i]);
		assert_int_equal(client_count(&c[i], "HTTP/1.1 200"), 1);
		client_close(&c[i]);
	}
	assert_int_equal(f->w->order_count, 0);
	assert_int_equal(f->w->order_bytes, 0);
	free(body);
	free(whole);
}

static void
publish_by_websocket_is_answered_with_its_ref(void **state)
{
	struct fixture *f = *state;
	char *whole = malloc(WHOLE_MAX);
	struct order_publish m;
	struct client c;
	unsigned pieces;

	assert_non_null(whole);
	client_stream(&c, f, DIALECT_WS, "channel=a");
	client_run(&c);
	client_op(&c,
	    "{\"op\":\"publish\",\"channel\":\"p\",\"data\":\"x\",\"key\":\"k\",\"ref\":\"my \\\"ref\\\"\"}");
	client_op(&c, "{\"op\":\"publish\",\"channel\":\"p\",\"data64\":\"AAE=\",\"ref\":2}");
	fixture_run(f);
	assert_true(take_publish(f, whole, &m, &pieces));
	assert_true(slice_equal(m.event.key, SLICE_LITERAL("k")));
	answer(f, m.tag, ERROR_NONE, false);
	client_read(&c);
	assert_int_equal(
	    client_count(&c,
		"{\"op\":\"published\",\"id\":\"1763856000000-00009\",\"ref\":\"my \\\"ref\\\"\"}"),
	    1);
	assert_true(take_publish(f, whole, &m, &pieces));
	assert_int_equal(m.event.kind, EVENT_BINARY);
	assert_int_equal(m.event.data.len, 2);
	answer(f, m.tag, ERROR_TOO_LARGE, false);
	client_read(&c);
	assert_int_equal(
	    client_count(
		&c, "{\"op\":\"error\",\"code\":\"too_large\",\"message\":\"because\",\"ref\":2}"),
	    1);
	client_sound(&c, DIALECT_WS);
	client_close(&c);
	free(whole);
}

static void
publish_answers_find_nobody_when_the_client_has_left(void **state)
{
	struct fixture *f = *state;
	char *whole = malloc(WHOLE_MAX);
	struct order_publish m;
	struct client c, next;
	unsigned pieces;

	assert_non_null(whole);
	fixture_publish(f, "a", 0, 0);
	client_open(&c, f);
	post(&c, "channel=p", "", "x", 1);
	assert_true(take_publish(f, whole, &m, &pieces));
	close(c.fd);
	c.fd = -1;
	fixture_wait_ms(f, 31000); /* it waits for its answer in vain, and the answer for it */
	assert_false(client_held(&c));
	client_open(&next, f); /* takes over its slot */
	assert_int_equal(next.slot, c.slot);
	client_text(&next,
	    "GET /events?channel=a&after=1763856000000-00001&wait=20 HTTP/1.1\r\nHost: a\r\n\r\n");
	fixture_run(f);
	answer(f, m.tag, ERROR_NONE, false);
	client_read(&next);
	assert_int_equal(next.len, 0);
	client_close(&c);
	client_close(&next);
	free(whole);
}

/* An answer that comes too late is not given to the next request of the same connection. */
static void
publish_that_times_out_ends_its_connection(void **state)
{
	struct fixture *f = *state;
	char *whole = malloc(WHOLE_MAX);
	struct order_publish m;
	struct client c;
	unsigned pieces;

	assert_non_null(whole);
	client_open(&c, f);
	post(&c, "channel=p", "", "x", 1);
	assert_true(take_publish(f, whole, &m, &pieces));
	fixture_wait_ms(f, 31000);
	client_read(&c);
	assert_int_equal(client_count(&c, "HTTP/1.1 503"), 1);
	assert_true(c.ended);
	answer(f, m.tag, ERROR_NONE, false);
	client_read(&c);
	assert_int_equal(client_count(&c, "HTTP/1.1 200"), 0);
	client_close(&c);
	free(whole);
}

static void
publish_without_a_master_is_refused(void **state)
{
	struct fixture *f = *state;
	struct client c;

	client_open(&c, f);
	fixture_run(f);
	close(f->master);
	f->master = open("/dev/null", O_RDONLY);
	fixture_run(f);
	assert_int_equal(f->w->control_fd, -1);
	post(&c, "channel=p", "", "x", 1);
	client_read(&c);
	assert_int_equal(client_count(&c, "HTTP/1.1 503"), 1);
	assert_false(f->w->quit);
	client_close(&c);
}

static void
publish_with_expect_is_told_to_continue(void **state)
{
	struct fixture *f = *state;
	char *whole = malloc(WHOLE_MAX);
	struct order_publish m;
	struct client c;
	unsigned pieces;

	assert_non_null(whole);
	client_open(&c, f);
	client_text(&c,
	    "POST /events?channel=p HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	client_run(&c);
	assert_string_equal(c.bytes, "HTTP/1.1 100 Continue\r\n\r\n");
	client_text(&c, "hi");
	client_run(&c);
	assert_true(take_publish(f, whole, &m, &pieces));
	answer(f, m.tag, ERROR_NONE, false);
	client_run(&c);
	assert_int_equal(client_count(&c, "HTTP/1.1 200"), 1);
	client_close(&c);
	free(whole);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		publish_by_post_passes_on_what_the_body_means, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		publish_is_refused_before_it_reaches_the_master, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		publish_by_post_measures_the_data_not_its_json, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		publish_of_any_size_is_put_together_again, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		publish_by_websocket_is_answered_with_its_ref, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(publish_answers_find_nobody_when_the_client_has_left,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		publish_that_times_out_ends_its_connection, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		publish_without_a_master_is_refused, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		publish_with_expect_is_told_to_continue, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests_name("serve_publish", tests, NULL, NULL);
}
