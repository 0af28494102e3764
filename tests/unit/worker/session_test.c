/*
 * session_test.c: HTTP on a connection: requests split anywhere, pipelined behind anything, too slow, too early ended.
 */
#include "worker/session.h"

#include "tests/unit/worker/worker_fixture.h"

#define GET(target) "GET " target " HTTP/1.1\r\nHost: a\r\n\r\n"

static const char *const requests[] = {
    GET("/healthz") GET("/readyz") "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    GET("/events?channel=a&after=0") GET("/nothing") "HEAD /healthz HTTP/1.0\r\n\r\n",
    "POST /events?channel=p HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
    "POST /events?channel=p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "\r\nOPTIONS /events HTTP/1.1\r\nHost: a\r\n\r\nDELETE /events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    GET("/healthz") "GET /healthz HTTP/1.1\r\nHost: a\r\nbroken field\r\n\r\n" GET("/healthz"),
};

static void
run(struct client *c)
{
	for (int i = 0; i < 4; i++) {
		client_run(c);
		fixture_master_answers(c->f);
	}
	client_run(c);
}

static void
session_answers_the_same_wherever_requests_are_split(void **state)
{
	struct fixture *f = *state;

	fixture_publish(f, "a", 0, 0);
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		const size_t len = strlen(requests[i]);
		char *whole = NULL;

		for (size_t at = 0; at <= len; at++) {
			struct client c;

			client_open(&c, f);
			client_send(&c, requests[i], at);
			run(&c);
			client_send(&c, requests[i] + at, c.ended ? 0 : len - at);
			run(&c);
			assert_true(c.ended);
			if (whole == NULL)
				whole = strdup(c.bytes);
			assert_string_equal(c.bytes, whole);
			client_close(&c);
			fixture_run(f);
			fixture_wait_ms(f, 0);
		}
		assert_true(strstr(whole, "HTTP/1.1 200") == whole ||
			    strstr(whole, "HTTP/1.1 204") == whole);
		free(whole);
		fixture_wait_ms(f, 2500); /* lingerers */
		assert_int_equal(f->w->connection_count, 0);
	}
}

static void
session_answers_requests_of_one_byte_at_a_time(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		struct client c;

		client_open(&c, f);
		for (const char *at = requests[i]; *at != '\0' && !c.ended; at++) {
			client_send(&c, at, 1);
			run(&c);
		}
		assert_true(c.ended);
		client_close(&c);
	}
}

/* A held poll, and behind it what came with it, after it, and another one. */
static void
session_keeps_order_behind_a_held_poll(void **state)
{
	struct fixture *f = *state;
	const char *first, *health, *second, *missing;
	struct client c;

	fixture_publish(f, "a", 0, 0);
	client_open(&c, f);
	client_text(&c, GET("/events?channel=a&after=1763856000000-00001&wait=20") GET("/healthz"));
	fixture_run(f);
	assert_int_equal(client_slot(&c)->state, CONN_HELD);
	client_text(&c, GET("/events?channel=a&after=0") GET("/nothing"));
	client_run(&c);
	assert_int_equal(c.len, 0);
	fixture_publish(f, "a", 1, 0);
	client_run(&c);
	first = strstr(c.bytes, "#1#");
	health = strstr(c.bytes, "ok\n");
	second = strstr(c.bytes, "#0#");
	missing = strstr(c.bytes, "not_found");
	assert_non_null(first);
	assert_true(first < health && health < second && second < missing);
	client_close(&c);
}

static void
session_answers_what_came_before_a_half_close(void **state)
{
	static const char *const ways[] = {"together", "in two pieces", "behind a held poll"};
	struct fixture *f = *state;

	fixture_publish(f, "a", 0, 0);
	for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
		struct client c;

		client_open(&c, f);
		client_text(&c, way == 2
				    ? GET("/events?channel=a&after=1763856000000-00001&wait=20")
				    : GET("/readyz"));
		if (way != 0)
			fixture_run(f);
		client_text(&c, GET("/events?channel=a&after=0"));
		if (way == 2)
			fixture_run(f);
		shutdown(c.fd, SHUT_WR);
		client_run(&c);
		assert_int_equal(client_count(&c, "HTTP/1.1 200"), 2);
		assert_int_equal(client_count(&c, "#0#"), 1);
		assert_true(c.ended);
		assert_false(client_held(&c));
		client_close(&c);
	}
}

static void
session_lets_nothing_through_behind_a_forbidden_origin(void **state)
{
	static const char attack[] =
	    "POST /events?channel=p HTTP/1.1\r\nHost: a\r\nOrigin: http://evil.example\r\n"
	    "Content-Type: text/plain\r\nContent-Length: 94\r\n\r\n"
	    "POST /events?channel=p HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nevil      ";
	struct fixture *f = *state;
	struct client c;

	client_open(&c, f);
	client_text(&c, attack);
	run(&c);
	assert_int_equal(client_count(&c, "HTTP/1.1 403"), 1);
	assert_int_equal(client_count(&c, "HTTP/1.1 200"), 0);
	assert_true(c.ended);
	client_close(&c);
}

static void
session_ends_what_takes_too_long(void **state)
{
	static const struct {
		const char *text;
		uint32_t after_s;   /* and not before */
		const char *answer; /* "": none */
	} cases[] = {
	    {"", 10, ""},
	    {"GET /heal", 10, "HTTP/1.1 408"},
	    {GET("/healthz"), 75, "HTTP/1.1 200"},
	    {"POST /events?channel=p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel", 30,
		"HTTP/1.1 408"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct client c;

		client_open(&c, f);
		client_text(&c, cases[i].text);
		client_run(&c);
		fixture_wait_ms(f, (cases[i].after_s - 1) * UINT64_C(1000));
		client_read(&c);
		assert_false(c.ended);
		fixture_wait_ms(f, 2000);
		client_read(&c);
		assert_true(c.ended);
		assert_true(strncmp(c.bytes, cases[i].answer, strlen(cases[i].answer)) == 0);
		client_close(&c);
		fixture_wait_ms(f, 2500);
	}
}

static void
session_answers_a_held_poll_when_its_time_is_up(void **state)
{
	struct fixture *f = *state;
	struct client c;

	fixture_publish(f, "a", 0, 0);
	client_open(&c, f);
	client_text(&c, GET("/events?channel=a&after=1763856000000-00001&wait=20"));
	fixture_wait_ms(f, 19000);
	client_read(&c);
	assert_int_equal(c.len, 0);
	fixture_wait_ms(f, 1500);
	client_read(&c);
	assert_int_equal(client_count(&c, "{\"events\":[],\"next\":\""), 1);
	assert_false(c.ended);
	/* And is a connection like any other. */
	client_clear(&c);
	client_text(&c, GET("/healthz"));
	client_run(&c);
	assert_int_equal(client_count(&c, "ok\n"), 1);
	client_close(&c);
}

/* 4 MB of answer over a socket that takes 64 KiB now and then: as long as it moves, the clock does not cut it. */
static void
session_lets_a_long_answer_over_a_slow_line_finish(void **state)
{
	struct fixture *f = *state;
	struct client c;

	for (unsigned n = 0; n < 12; n++)
		fixture_publish(f, "a", n, 60000);
	f->fake->chop = 4 << 10;
	client_open(&c, f);
	client_text(
	    &c, "GET /events?channel=a&after=0 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	for (int i = 0; i < 1000 && !c.ended; i++) {
		for (int t = 0; t < 2; t++)
			fixture_turn(f);
		f->w->now_ns += 1000 * UINT64_C(1000000);
		client_read(&c);
	}
	client_has(&c, 0, 11);
	assert_non_null(strstr(c.bytes, "\"more\":false"));
	client_close(&c);
}

static void
session_cuts_an_answer_that_nobody_reads(void **state)
{
	struct fixture *f = *state;
	struct client c;

	for (unsigned n = 0; n < 12; n++)
		fixture_publish(f, "a", n, 60000);
	client_open(&c, f);
	client_text(
	    &c, "GET /events?channel=a&after=0 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	fixture_run(f);
	assert_true(deliver_pending(f->w, client_slot(&c)) != 0);
	fixture_wait_ms(f, 62000);
	assert_false(client_held(&c));
	client_close(&c);
}

/* Whoever does not read the answers is not read either; nothing grows. */
static void
session_stops_reading_while_answers_wait(void **state)
{
	struct fixture *f = *state;
	struct client c;
	size_t sent = 0;

	client_open(&c, f);
	for (int i = 0; i < 4000; i++) {
		const ssize_t n =
		    send(c.fd, GET("/healthz"), strlen(GET("/healthz")), MSG_DONTWAIT);

		sent += n > 0;
		if (n != (ssize_t)strlen(GET("/healthz")))
			break;
		if (i % 50 == 0)
			fixture_run(f);
	}
	assert_true(f->w->extras.tail_bytes < 512 << 10);
	for (int i = 0; i < 100; i++)
		client_run(&c);
	assert_in_range(client_count(&c, "HTTP/1.1 200"), sent - 1, sent);
	client_close(&c);
}

/* ---- leaving -------------------------------------------------------------------------------------------- */

static void
drain(struct fixture *f, uint32_t deadline_ms)
{
	char packet[64];
	struct out o = out_to(packet, sizeof packet);

	order_encode_drain(&o, &(struct order_drain){deadline_ms});
	assert_int_equal(send(f->master, o.bytes, o.len, 0), o.len);
	fixture_run(f);
}

static bool
told_drained(struct fixture *f)
{
	char packet[ORDER_PACKET_BYTES];
	bool told = false;
	ssize_t n;

	while ((n = recv(f->master, packet, sizeof packet, MSG_DONTWAIT)) > 0)
		told |= order_type_of(slice_of(packet, (size_t)n)) == ORDER_DRAINED;
	return told;
}

static void
session_of_every_kind_ends_well_when_drained(void **state)
{
	enum { IDLE, HELD, SSE, WS, HALF, KINDS };
	static const char *const want[KINDS] = {[IDLE] = "",
	    [HELD] = "HTTP/1.1 200 OK",
	    [SSE] = "retry: ",
	    [WS] = "\x03\xe9",
	    [HALF] = "HTTP/1.1 200"};
	struct fixture *f = *state;
	struct client c[KINDS];

	fixture_publish(f, "a", 0, 0);
	client_open(&c[IDLE], f);
	client_open(&c[HELD], f);
	client_get(&c[HELD], "channel=a&after=1763856000000-00001&wait=20", "");
	client_stream(&c[SSE], f, DIALECT_SSE, "channel=a");
	client_stream(&c[WS], f, DIALECT_WS, "channel=a");
	client_open(&c[HALF], f);
	client_text(&c[HALF], "GET /healthz HTTP/1.1\r\n");
	fixture_run(f);
	drain(f, 5000);
	assert_false(told_drained(f));
	client_text(&c[HALF], "Host: a\r\n\r\n"); /* what was begun is finished */
	for (unsigned i = 0; i < KINDS; i++) {
		client_run(&c[i]);
		assert_true(c[i].ended);
		if (i != IDLE)
			assert_non_null(memmem(c[i].bytes, c[i].len, want[i], strlen(want[i])));
		close(c[i].fd);
		c[i].fd = -1;
	}
	fixture_run(f);
	assert_int_equal(f->w->connection_count, 0);
	assert_true(told_drained(f));
	for (unsigned i = 0; i < KINDS; i++)
		client_close(&c[i]);
}

static void
session_that_never_ends_is_cut_at_the_drains_deadline(void **state)
{
	struct fixture *f = *state;
	struct client stuck, half;

	client_stream(&stuck, f, DIALECT_WS, "channel=a");
	client_open(&half, f);
	client_text(&half, "GET /healthz HTTP/1.1\r\n");
	fixture_run(f);
	for (unsigned n = 0; n < 300; n++)
		fixture_publish(f, "a", n, 2000); /* more than the socket holds, and nobody reads */
	fixture_run(f);
	drain(f, 5000);
	fixture_wait_ms(f, 4500);
	assert_true(client_held(&half));
	fixture_wait_ms(f, 1000);
	assert_int_equal(f->w->connection_count, 0);
	assert_true(told_drained(f));
	client_close(&stuck);
	client_close(&half);
}

/* What all clients together have begun to send has its bound: a head that finds no room is told so, and so is a large body. */
static void
session_input_that_finds_no_room_is_told_to_come_again(void **state)
{
	static const char head[] = "GET /healthz HTTP/1.1\r\nHost: a\r\nX-Filler: ";
	static const struct {
		uint64_t left; /* of the room */
		size_t filler;
		bool taken;
	} cases[] = {
	    {4096, 300, true},
	    {4096, 3000, true},
	    {4096, 5000, false},
	    {100, 300, false},
	    {LIMIT_INPUT_BYTES / 4, 15000, true},
	    {LIMIT_INPUT_BYTES / 4, 20000, false}, /* no small one any more */
	    {LIMIT_INPUT_BYTES / 4 + 40000, 20000, true},
	};
	struct fixture *f = *state;
	char *filler = malloc(20000);

	assert_non_null(filler);
	memset(filler, 'x', 20000);
	f->settings.max_header_bytes = 64 << 10;
	fixture_set(f);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const uint64_t shed = board_get(&f->w->board, BOARD_SHED_INPUTS);
		const uint64_t others = LIMIT_INPUT_BYTES - cases[i].left;
		struct client c;

		f->w->extras.input_bytes += others; /* as if they held it */
		client_open(&c, f);
		client_text(&c, head);
		client_send(&c, filler, cases[i].filler);
		client_run(&c);
		assert_int_equal(c.ended, !cases[i].taken);
		assert_int_equal(client_count(&c, "HTTP/1.1 503"), !cases[i].taken);
		assert_int_equal(client_count(&c, "Retry-After: "), !cases[i].taken);
		assert_int_equal(
		    board_get(&f->w->board, BOARD_SHED_INPUTS), shed + !cases[i].taken);
		client_text(&c, "\r\n\r\n");
		client_run(&c);
		assert_int_equal(client_count(&c, "HTTP/1.1 200"), cases[i].taken);
		f->w->extras.input_bytes -= others;
		client_close(&c);
		fixture_run(f);
	}
	free(filler);
}

/* Requests behind one that is held cannot be answered before it: their client is let go. */
static void
session_requests_that_find_no_room_behind_a_held_one_end_it(void **state)
{
	struct fixture *f = *state;
	struct client c;

	f->w->extras.input_bytes += LIMIT_INPUT_BYTES;
	client_open(&c, f);
	client_get(&c, "channel=a&after=1763856000000-00000&wait=20", "");
	client_get(&c, "channel=a", "");
	client_run(&c);
	assert_true(c.ended);
	assert_int_equal(board_get(&f->w->board, BOARD_SHED_INPUTS), 1);
	f->w->extras.input_bytes -= LIMIT_INPUT_BYTES;
	client_close(&c);
}

/* Where the kernel takes no more polls it is not the client that has ended its connection. */
static void
session_without_a_poll_is_shed(void **state)
{
	static const struct {
		int32_t result;
		enum board_counter blamed;
	} cases[] = {{-ENOSPC, BOARD_SHED_CONNECTIONS}, {-ENOMEM, BOARD_SHED_CONNECTIONS},
	    {-EBADF, BOARD_CLOSED_ERROR}, {POLLERR, BOARD_CLOSED_CLIENT},
	    {POLLERR | POLLHUP, BOARD_CLOSED_CLIENT}};
	static void (*const told[])(struct worker *, uint32_t, int32_t) = {
	    conn_input, conn_hangup, conn_output};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t kind = 0; kind < sizeof told / sizeof told[0]; kind++) {
			const uint64_t before = board_get(&f->w->board, cases[i].blamed);
			struct client c;

			client_open(&c, f);
			told[kind](f->w, c.slot, cases[i].result);
			assert_int_equal(board_get(&f->w->board, cases[i].blamed), before + 1);
			client_run(&c);
			assert_true(c.ended);
			client_close(&c);
		}
	assert_int_equal(board_get(&f->w->board, BOARD_CLOSED_CLIENT), 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(session_answers_the_same_wherever_requests_are_split,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		session_answers_requests_of_one_byte_at_a_time, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		session_keeps_order_behind_a_held_poll, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		session_answers_what_came_before_a_half_close, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(session_lets_nothing_through_behind_a_forbidden_origin,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		session_ends_what_takes_too_long, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		session_answers_a_held_poll_when_its_time_is_up, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(session_lets_a_long_answer_over_a_slow_line_finish,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		session_cuts_an_answer_that_nobody_reads, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		session_stops_reading_while_answers_wait, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		session_of_every_kind_ends_well_when_drained, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(session_that_never_ends_is_cut_at_the_drains_deadline,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(session_input_that_finds_no_room_is_told_to_come_again,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		session_requests_that_find_no_room_behind_a_held_one_end_it, fixture_setup,
		fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		session_without_a_poll_is_shed, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
