/*
 * api_test.c: channels and connections, asked of workers that the test plays.
 */
#include "tests/unit/master/api_fixture.h"

#include "proto/id.h"

struct answer_row {
	const char *channel;
	uint32_t sse, ws;
};

/* Plays a worker: takes the query and answers with these rows, as one message or one each. */
static void
answer_channels(
    struct crew *crew, unsigned worker, const struct answer_row *rows, size_t count, bool one_each)
{
	static char packet[ORDER_PACKET_BYTES], body[ORDER_PACKET_BYTES],
	    answer[ORDER_PACKET_BYTES];
	struct order_query query;
	struct out o = out_to(body, sizeof body);

	assert_int_equal(order_decode_query(crew_hear(crew, worker, packet), &query), 0);
	assert_int_equal(query.kind, ORDER_QUERY_CHANNELS);
	for (size_t i = 0; i <= count; i++) {
		struct out message = out_to(answer, sizeof answer);
		bool last = i == count;

		if (!last)
			order_channel_row_put(
			    &o, &(struct order_channel_row){.name = slice_text(rows[i].channel),
				    .sse = rows[i].sse,
				    .ws = rows[i].ws});
		if (!last && !one_each)
			continue;
		order_encode_rows(&message, &(struct order_rows){.query = query.query,
						.last = last,
						.kind = ORDER_QUERY_CHANNELS,
						.rows = slice_of(body, o.len)});
		crew_say(crew, worker, &message);
		o = out_to(body, sizeof body);
	}
}

/* Rows behind the last ones of a query: nobody owes them, nobody counts them. */
static void
say_again(struct crew *crew, unsigned worker, uint32_t query)
{
	char body[256], answer[512];
	struct out o = out_to(body, sizeof body), message = out_to(answer, sizeof answer);

	order_channel_row_put(
	    &o, &(struct order_channel_row){.name = SLICE_LITERAL("b"), .sse = 100});
	order_encode_rows(&message, &(struct order_rows){.query = query,
					.last = 1,
					.kind = ORDER_QUERY_CHANNELS,
					.rows = slice_of(body, o.len)});
	crew_say(crew, worker, &message);
}

static int
say(struct fixture *f, const char *request)
{
	int fd = fixture_connect(f);

	fixture_say(f, fd, slice_text(request));
	fixture_turns(f, 3);
	return fd;
}

static unsigned
status_of(struct fixture *f, const char *line)
{
	char request[256];
	struct reply reply;
	unsigned status;

	snprintf(request, sizeof request, "%s HTTP/1.1\r\n\r\n", line);
	reply = fixture_ask(f, request);
	status = reply.status;
	fixture_forget(&reply);
	return status;
}

static void
check_body(struct fixture *f, int fd, const char *expected)
{
	struct reply reply = fixture_hear(f, fd);

	if (reply.status != 200 || !slice_equal(reply.body, slice_text(expected)))
		fail_msg("%u %.*s", reply.status, (int)reply.body.len, reply.body.bytes);
	fixture_forget(&reply);
	close(fd);
}

#define ROW(name, sse, ws)                                                                   \
	"{\"channel\":\"" name "\",\"subscribers\":{\"poll\":0,\"longpoll\":0,\"sse\":" #sse \
	",\"ws\":" #ws "},\"newest\":null,\"events\":0}"

static void
channels_of_all_workers_are_merged_and_sorted(void **state)
{
	static const struct answer_row first[] = {{"b", 1, 2}, {"d", 1, 0}},
				       second[] = {{"a", 0, 7}, {"b", 10, 20}};
	struct fixture f;
	struct crew crew;
	int fd;

	(void)state;
	fixture_start(&f);
	crew_start(&f, &crew);
	fd = say(&f, "GET /channels HTTP/1.1\r\n\r\n");
	answer_channels(&crew, 0, first, 2, true);
	say_again(&crew, 0, 1);
	answer_channels(&crew, 1, second, 2, false);
	check_body(&f, fd,
	    "{\"channels\":[" ROW("a", 0, 7) "," ROW("b", 11, 22) "," ROW(
		"d", 1, 0) "],\"more\":false}");
	crew_stop(&f, &crew);
	fixture_stop(&f);
}

static void
a_page_holds_the_first_names_and_says_that_there_are_more(void **state)
{
	static const struct answer_row first[] = {{"x/e", 1, 0}, {"x/c", 1, 0}},
				       second[] = {{"x/a", 1, 0}, {"x/e", 1, 0}, {"y", 1, 0}};
	struct fixture f;
	struct crew crew;
	int fd;

	(void)state;
	fixture_start(&f);
	crew_start(&f, &crew);
	fd = say(&f, "GET /channels?prefix=x%2F&limit=2 HTTP/1.1\r\n\r\n");
	answer_channels(&crew, 0, first, 2, false);
	answer_channels(&crew, 1, second, 3, false);
	check_body(
	    &f, fd, "{\"channels\":[" ROW("x/a", 1, 0) "," ROW("x/c", 1, 0) "],\"more\":true}");
	fd = say(&f, "GET /channels?prefix=x/&limit=2&after=x/c HTTP/1.1\r\n\r\n");
	answer_channels(&crew, 0, first, 2, false);
	answer_channels(&crew, 1, second, 3, false);
	check_body(&f, fd, "{\"channels\":[" ROW("x/e", 2, 0) "],\"more\":false}");
	crew_stop(&f, &crew);
	fixture_stop(&f);
}

static void
channels_with_history_only_are_listed_with_it(void **state)
{
	struct fixture f;
	struct reply reply;
	char expected[256];

	(void)state;
	fixture_start(&f);
	reply = fixture_ask(&f, "POST /publish HTTP/1.1\r\nContent-Length: 49\r\n\r\n"
				"[{\"channel\":\"h\"},{\"channel\":\"h\"},{\"channel\":\"a\"}]");
	assert_int_equal(reply.status, 200);
	snprintf(expected, sizeof expected,
	    "{\"channel\":\"h\",\"subscribers\":{\"poll\":0,\"longpoll\":0,"
	    "\"sse\":0,\"ws\":0},\"newest\":%.*s,\"events\":2}",
	    21, reply.body.bytes + 8 + 22);
	fixture_forget(&reply);
	check_body(&f, say(&f, "GET /channels/h HTTP/1.1\r\n\r\n"), expected);
	reply = fixture_ask(&f, "GET /channels?prefix=h HTTP/1.1\r\n\r\n");
	assert_true(slice_has(reply.body, expected));
	assert_false(slice_has(reply.body, "\"a\""));
	fixture_forget(&reply);
	fixture_stop(&f);
}

static void
a_worker_that_does_not_answer_makes_the_answer_partial(void **state)
{
	static const struct answer_row rows[] = {{"b", 1, 0}};
	struct fixture f;
	struct crew crew;
	int fd;

	(void)state;
	fixture_start(&f);
	crew_start(&f, &crew);
	/* Silent: the deadline passes. */
	fd = say(&f, "GET /channels/b HTTP/1.1\r\n\r\n");
	answer_channels(&crew, 0, rows, 1, false);
	for (int i = 0; i < 30; i++)
		assert_int_equal(loop_turn(f.m.loop, 50), 0);
	check_body(&f, fd,
	    "{\"channel\":\"b\",\"subscribers\":{\"poll\":0,\"longpoll\":0,\"sse\":1,\"ws\":0},"
	    "\"newest\":null,\"events\":0,\"partial\":true}");
	/* Dead: at once. */
	fd = say(&f, "GET /channels HTTP/1.1\r\n\r\n");
	{
		/* The late answer to the first question is no answer to this one. */
		static const struct answer_row late[] = {{"late", 9, 9}};

		answer_channels(&crew, 1, late, 1, false);
	}
	answer_channels(&crew, 0, rows, 1, false);
	fixture_turns(&f, 3);
	api_worker_gone(&f.m, 1);
	check_body(&f, fd, "{\"channels\":[" ROW("b", 1, 0) "],\"more\":false,\"partial\":true}");
	crew_stop(&f, &crew);
	fixture_stop(&f);
}

static void
whoever_asked_and_left_is_forgotten(void **state)
{
	static const struct answer_row rows[] = {{"b", 1, 0}};
	struct fixture f;
	struct crew crew;
	int fd;

	(void)state;
	fixture_start(&f);
	crew_start(&f, &crew);
	fd = say(&f, "GET /channels HTTP/1.1\r\n\r\n");
	close(fd);
	fixture_turns(&f, 3);
	assert_int_equal(publish_session_count(&f.m), 0);
	answer_channels(&crew, 0, rows, 1, false);
	answer_channels(&crew, 1, rows, 1, false);
	fixture_turns(&f, 3);
	crew_stop(&f, &crew);
	fixture_stop(&f);
}

static void
connections_are_listed_with_their_names_and_can_be_ended(void **state)
{
	static char packet[ORDER_PACKET_BYTES], body[ORDER_PACKET_BYTES],
	    answer[ORDER_PACKET_BYTES];
	const uint64_t connection = UINT64_C(0x1200000034);
	struct fixture f;
	struct crew crew;
	struct order_query query;
	struct order_end_connection end;
	struct out o = out_to(body, sizeof body), message = out_to(answer, sizeof answer);
	int fd;

	(void)state;
	fixture_start(&f);
	crew_start(&f, &crew);
	fd = say(&f, "GET /connections?channel=a%20b&peer=::1 HTTP/1.1\r\n\r\n");
	order_channel_row_put(&o, &(struct order_channel_row){0});
	o = out_to(body, sizeof body);
	order_connection_row_put(&o, &(struct order_connection_row){.connection = connection,
					 .transport = SLICE_LITERAL("ws"),
					 .peer = SLICE_LITERAL("::1"),
					 .channel = SLICE_LITERAL("a b"),
					 .channels = 1,
					 .age_s = 7,
					 .bytes = 99,
					 .compressed = 1,
					 .cursor = id_of(1763856000000, 3)});
	for (unsigned i = 0; i < WORKERS; i++) {
		assert_int_equal(order_decode_query(crew_hear(&crew, i, packet), &query), 0);
		assert_int_equal(query.kind, ORDER_QUERY_CONNECTIONS);
		assert_true(slice_equal(query.channel, SLICE_LITERAL("a b")));
		assert_true(slice_equal(query.peer, SLICE_LITERAL("::1")));
		message = out_to(answer, sizeof answer);
		order_encode_rows(&message, &(struct order_rows){.query = query.query,
						.last = 1,
						.kind = ORDER_QUERY_CONNECTIONS,
						.rows = slice_of(body, i == 1 ? o.len : 0)});
		crew_say(&crew, i, &message);
	}
	check_body(&f, fd,
	    "{\"connections\":[{\"connection\":\"1-0000001200000034\",\"transport\":\"ws\",\"compressed\":true,\"peer\":\"::1\","
	    "\"channel\":\"a b\",\"channels\":1,\"age_s\":7,\"cursor\":\"1763856000000-00003\",\"lagging\":false,"
	    "\"behind_ms\":0,\"bytes\":99,\"last_error\":\"\"}],\"more\":false}");
	assert_int_equal(status_of(&f, "DELETE /connections/1-0000001200000034"), 404);
	while (slots_take(&crew.seats[1].slots) != (uint32_t)connection)
		;
	slots_get(&crew.seats[1].slots, (uint32_t)connection)->generation =
	    (uint32_t)(connection >> 32);
	assert_int_equal(status_of(&f, "DELETE /connections/1-0000001200000034"), 404);
	slots_get(&crew.seats[1].slots, (uint32_t)connection)->state = 1;
	assert_int_equal(status_of(&f, "DELETE /connections/1-0000001100000034"), 404);
	assert_int_equal(status_of(&f, "DELETE /connections/1-0000001200000033"), 404);
	assert_int_equal(status_of(&f, "DELETE /connections/1-00000012ffffffff"), 404);
	check_body(&f, say(&f, "DELETE /connections/1-0000001200000034 HTTP/1.1\r\n\r\n"),
	    "{\"connection\":\"1-0000001200000034\"}");
	assert_int_equal(order_decode_end_connection(crew_hear(&crew, 1, packet), &end), 0);
	assert_true(end.connection == connection);
	crew_stop(&f, &crew);
	fixture_stop(&f);
}

static void
a_deleted_channel_is_forgotten_and_its_subscriptions_end(void **state)
{
	static char packet[ORDER_PACKET_BYTES];
	struct fixture f;
	struct crew crew;
	struct order_end_channel end;
	struct reply reply;

	(void)state;
	fixture_start(&f);
	crew_start(&f, &crew);
	reply = fixture_ask(&f, "POST /publish?channel=a/b HTTP/1.1\r\nContent-Length: 1\r\n\r\nx");
	fixture_forget(&reply);
	reply = fixture_ask(&f, "DELETE /channels/a%2Fb HTTP/1.1\r\n\r\n");
	assert_int_equal(reply.status, 200);
	assert_true(slice_has(reply.body, "{\"channel\":\"a/b\",\"at\":\""));
	fixture_forget(&reply);
	assert_int_equal(recv(crew.ends[0], packet, 1, MSG_DONTWAIT), -1);
	reply = fixture_ask(&f, "DELETE /channels/a/b?disconnect=1 HTTP/1.1\r\n\r\n");
	assert_int_equal(reply.status, 200);
	fixture_forget(&reply);
	for (unsigned i = 0; i < WORKERS; i++) {
		assert_int_equal(order_decode_end_channel(crew_hear(&crew, i, packet), &end), 0);
		assert_true(slice_equal(end.channel, SLICE_LITERAL("a/b")));
	}
	crew_stop(&f, &crew);
	check_body(&f, say(&f, "GET /channels/a/b HTTP/1.1\r\n\r\n"), ROW("a/b", 0, 0));
	fixture_stop(&f);
}

/* In one segment, so that the event is not committed yet when the channel is asked for. */
static void
a_channel_is_shown_with_what_was_published_before_it_was_asked_for(void **state)
{
	static char said[65536];
	struct fixture f;
	size_t len;
	int fd;

	(void)state;
	fixture_start(&f);
	fd = say(&f, "POST /publish?channel=q HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"
		     "GET /channels/q HTTP/1.1\r\n\r\n");
	len = fixture_hear_raw(&f, fd, said, sizeof said);
	if (!slice_has(slice_of(said, len), "\"events\":1"))
		fail_msg("%.*s", (int)len, said);
	close(fd);
	fixture_stop(&f);
}

static void
what_is_asked_wrongly_is_refused(void **state)
{
	static const struct {
		const char *request;
		unsigned status;
		const char *code;
	} table[] = {
	    {"GET /channels?limit=0", 400, "bad_request"},
	    {"GET /channels?limit=x", 400, "bad_request"},
	    {"GET /channels?prefix=%2", 400, "bad_request"},
	    {"GET /channels/a*", 400, "bad_channel"},
	    {"GET /channels/%24a", 400, "bad_channel"},
	    {"GET /channels/%zz", 400, "bad_channel"},
	    {"DELETE /channels/$x", 400, "bad_channel"},
	    {"GET /channels/", 404, "not_found"},
	    {"GET /connections?limit=-1", 400, "bad_request"},
	    {"DELETE /connections/0-12", 404, "not_found"},
	    {"DELETE /connections/9-0000001200000034", 404, "not_found"},
	    {"DELETE /connections/0-00000012000000G4", 404, "not_found"},
	    {"GET /connections/0-0000001200000034", 405, "method_not_allowed"},
	};
	struct fixture f;

	(void)state;
	fixture_start(&f);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char request[256], code[64];
		struct reply reply;

		snprintf(request, sizeof request, "%s HTTP/1.1\r\n\r\n", table[i].request);
		snprintf(code, sizeof code, "{\"error\":{\"code\":\"%s\"", table[i].code);
		reply = fixture_ask(&f, request);
		if (reply.status != table[i].status || !slice_has(reply.body, code))
			fail_msg("%s: %u %.*s", table[i].request, reply.status, (int)reply.body.len,
			    reply.body.bytes);
		fixture_forget(&reply);
	}
	fixture_stop(&f);
}

static void
connection_texts_come_back_as_they_went(void **state)
{
	static const struct {
		uint32_t ordinal;
		uint64_t connection;
		const char *text;
	} table[] = {
	    {0, 0, "0-0000000000000000"},
	    {3, UINT64_C(0x1200000034), "3-0000001200000034"},
	    {255, UINT64_MAX, "255-ffffffffffffffff"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char text[API_CONNECTION_TEXT_BYTES];
		size_t len = api_connection_text(text, table[i].ordinal, table[i].connection);
		uint32_t ordinal;
		uint64_t connection;

		assert_string_equal(text, table[i].text);
		assert_true(api_connection_parse(slice_of(text, len), &ordinal, &connection));
		assert_int_equal(ordinal, table[i].ordinal);
		assert_true(connection == table[i].connection);
		for (size_t cut = 0; cut < len; cut++)
			assert_false(
			    api_connection_parse(slice_of(text, cut), &ordinal, &connection));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(channels_of_all_workers_are_merged_and_sorted),
	    cmocka_unit_test(a_page_holds_the_first_names_and_says_that_there_are_more),
	    cmocka_unit_test(channels_with_history_only_are_listed_with_it),
	    cmocka_unit_test(a_worker_that_does_not_answer_makes_the_answer_partial),
	    cmocka_unit_test(whoever_asked_and_left_is_forgotten),
	    cmocka_unit_test(connections_are_listed_with_their_names_and_can_be_ended),
	    cmocka_unit_test(a_deleted_channel_is_forgotten_and_its_subscriptions_end),
	    cmocka_unit_test(a_channel_is_shown_with_what_was_published_before_it_was_asked_for),
	    cmocka_unit_test(what_is_asked_wrongly_is_refused),
	    cmocka_unit_test(connection_texts_come_back_as_they_went),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
