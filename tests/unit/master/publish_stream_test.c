/*
 * publish_stream_test.c: NDJSON uploads: an answer a line, in order, whatever way the bytes arrive; bad lines end nothing;
 * backpressure; what a cut stream has published.
 */
#include "tests/unit/master/publish_fixture.h"

#define HEAD "POST /publish HTTP/1.1\r\nContent-Type: application/x-ndjson\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"

/* Six lines: two blank, one bad, and the last without a line end. */
static const char lines[] = "{\"channel\":\"a\",\"data\":1}\n"
			    "\n"
			    "{\"channel\":\"a\",\"data\":2}\r\n"
			    " \t\n"
			    "{\"channel\":\"*\"}\n"
			    "{\"channel\":\"b\",\"data\":\"three\"}";

/* How many lines of the answer begin so. */
static unsigned
count_lines(struct slice body, const char *start)
{
	unsigned count = 0;

	for (size_t at = 0; at < body.len;) {
		const char *end = memchr(body.bytes + at, '\n', body.len - at);

		assert_non_null(end);
		count += strncmp(body.bytes + at, start, strlen(start)) == 0;
		at = (size_t)(end - body.bytes) + 1;
	}
	return count;
}

static void
check_answer(const struct reply *reply)
{
	assert_int_equal(reply->status, 200);
	assert_true(slice_has(reply->head, "\r\nContent-Type: application/x-ndjson\r\n"));
	assert_int_equal(count_lines(reply->body, "{\"id\":\""), 3);
	assert_int_equal(count_lines(reply->body, "{\"error\":{\"code\":\"bad_channel\""), 1);
	assert_int_equal(count_lines(reply->body, ""), 4);
	assert_true(slice_has(reply->body, "\"path\":\"channel\"},\"line\":5}\n{\"id\":\""));
}

/* Sends the body as chunks that end at these offsets, and the last chunk. */
static void
say_chunks(struct fixture *f, int fd, struct slice body, size_t first)
{
	char head[32];
	size_t sizes[2] = {first, body.len - first};

	for (int i = 0; i < 2; i++) {
		if (sizes[i] == 0)
			continue;
		snprintf(head, sizeof head, "%zx\r\n", sizes[i]);
		fixture_say(f, fd, slice_text(head));
		fixture_say(f, fd, slice_of(body.bytes, sizes[i]));
		fixture_say(f, fd, SLICE_LITERAL("\r\n"));
		fixture_turns(f, 1);
		body = slice_of(body.bytes + sizes[i], body.len - sizes[i]);
	}
	fixture_say(f, fd, SLICE_LITERAL("0\r\n\r\n"));
}

static void
lines_are_answered_in_order_at_every_split(void **state)
{
	struct fixture f;
	struct slice body = slice_text(lines);
	int fd;

	(void)state;
	fixture_start(&f);
	fd = fixture_connect(&f);
	for (size_t cut = 0; cut <= body.len; cut++) {
		char head[256];
		struct reply reply;

		/* Between chunks... */
		fixture_say(&f, fd, slice_text(CHUNKED));
		say_chunks(&f, fd, body, cut);
		reply = fixture_hear(&f, fd);
		check_answer(&reply);
		fixture_forget(&reply);
		/* ...and between reads. */
		snprintf(head, sizeof head, HEAD "Content-Length: %zu\r\n\r\n", body.len);
		fixture_say(&f, fd, slice_text(head));
		fixture_say(&f, fd, slice_of(body.bytes, cut));
		fixture_turns(&f, 2);
		fixture_say(&f, fd, slice_of(body.bytes + cut, body.len - cut));
		reply = fixture_hear(&f, fd);
		check_answer(&reply);
		assert_false(reply.closed);
		fixture_forget(&reply);
	}
	assert_int_equal(fixture_events(&f), 3 * 2 * (body.len + 1));
	close(fd);
	fixture_stop(&f);
}

static void
a_stream_cut_at_any_byte_has_published_its_whole_lines(void **state)
{
	struct fixture f;
	struct slice body = slice_text(lines);
	char head[256];

	(void)state;
	fixture_start(&f);
	snprintf(head, sizeof head, HEAD "Content-Length: %zu\r\n\r\n", body.len);
	for (size_t cut = 0; cut < body.len; cut++) {
		uint64_t before = fixture_events(&f), whole = 0;
		int fd = fixture_connect(&f);

		for (size_t i = 0; i < cut; i++)
			whole += body.bytes[i] == '\n' && i > 20 && body.bytes[i - 1] != '\t' &&
				 body.bytes[i - 1] != '\n' && body.bytes[i - 3] != '*';
		fixture_say(&f, fd, slice_text(head));
		fixture_say(&f, fd, slice_of(body.bytes, cut));
		fixture_turns(&f, 2);
		close(fd);
		fixture_turns(&f, 3);
		assert_int_equal(fixture_events(&f) - before, whole);
	}
	assert_int_equal(publish_session_count(&f.m), 0);
	fixture_stop(&f);
}

static void
the_head_and_each_answer_come_before_the_upload_ends(void **state)
{
	static char bytes[65536];
	struct fixture f;
	size_t len;
	int fd;

	(void)state;
	fixture_start(&f);
	fd = fixture_connect(&f);
	fixture_say(&f, fd, slice_text(CHUNKED));
	len = fixture_hear_raw(&f, fd, bytes, sizeof bytes);
	assert_true(slice_has(slice_of(bytes, len), "HTTP/1.1 200 OK\r\n"));
	assert_true(slice_has(slice_of(bytes, len), "\r\nTransfer-Encoding: chunked\r\n"));
	fixture_say(&f, fd, SLICE_LITERAL("10\r\n{\"channel\":\"a\"}\n\r\n"));
	len = fixture_hear_raw(&f, fd, bytes, sizeof bytes);
	assert_memory_equal(bytes, "00001d\r\n{\"id\":\"", 15);
	assert_int_equal(len, 8 + 29 + 2);
	assert_memory_equal(bytes + len - 5, "\"}\n\r\n", 5);
	close(fd);
	fixture_stop(&f);
}

static void
with_acks_errors_only_mistakes_and_a_summary_come_back(void **state)
{
	static const struct {
		const char *body, *answer;
	} table[] = {
	    {"{\"channel\":\"a\"}\n{\"channel\":\"a\"}\n", "{\"taken\":2,\"last\":\""},
	    {"", "{\"taken\":0,\"last\":null}\n"},
	    {"{\n{\"channel\":\"a\"}", ",\"line\":1}\n{\"taken\":1,\"last\":\""},
	};
	struct fixture f;

	(void)state;
	fixture_start(&f);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char request[512];
		struct reply reply;

		snprintf(request, sizeof request,
		    "POST /publish?acks=errors HTTP/1.1\r\nContent-Type: application/x-ndjson\r\n"
		    "Content-Length: %zu\r\n\r\n%s",
		    strlen(table[i].body), table[i].body);
		reply = fixture_ask(&f, request);
		assert_int_equal(reply.status, 200);
		assert_true(slice_has(reply.body, table[i].answer));
		assert_int_equal(count_lines(reply.body, "{\"id\""), 0);
		fixture_forget(&reply);
	}
	fixture_stop(&f);
}

static void
a_line_that_is_too_long_is_one_error_and_the_next_goes_on(void **state)
{
	static const size_t pieces[] = {1 << 20, 700, 70000};
	struct fixture f;
	char *request = calloc(1, 300000);
	size_t len;

	(void)state;
	fixture_start(&f);
	f.m.config->max_publish_bytes = 1000;
	len = (size_t)sprintf(
	    request, HEAD "Content-Length: %d\r\n\r\n{\"channel\":\"a\"}\n", 16 + 200001 + 32);
	memset(request + len, 'x', 200000);
	len += 200000;
	len += (size_t)sprintf(request + len, "\n{\"channel\":\"a\"}\n{\"channel\":\"b\"}\n");
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		int fd = fixture_connect(&f);
		struct reply reply;

		for (size_t at = 0; at < len; at += pieces[i]) {
			fixture_say(&f, fd,
			    slice_of(request + at, len - at < pieces[i] ? len - at : pieces[i]));
			fixture_turns(&f, 1);
		}
		reply = fixture_hear(&f, fd);
		assert_int_equal(reply.status, 200);
		assert_int_equal(count_lines(reply.body, "{\"id\":\""), 3);
		assert_int_equal(count_lines(reply.body, "{\"error\":{\"code\":\"too_large\""), 1);
		assert_int_equal(count_lines(reply.body, ""), 4);
		assert_true(slice_has(reply.body, "\"line\":2}\n"));
		assert_int_equal(fixture_events(&f), 3 * (i + 1));
		fixture_forget(&reply);
		close(fd);
	}
	free(request);
	fixture_stop(&f);
}

static void
a_key_seen_before_is_told_as_a_duplicate(void **state)
{
	struct fixture f;
	struct reply reply;

	(void)state;
	fixture_start(&f);
	reply = fixture_ask(&f,
	    HEAD "Content-Length: 52\r\n\r\n"
		 "{\"channel\":\"a\",\"key\":\"k\"}\n{\"channel\":\"b\",\"key\":\"k\"}\n");
	assert_int_equal(count_lines(reply.body, "{\"id\":\""), 2);
	assert_true(slice_has(reply.body, "\",\"duplicate\":true}\n"));
	assert_int_equal(fixture_events(&f), 1);
	fixture_forget(&reply);
	fixture_stop(&f);
}

/* A client that writes and does not read: bounded memory, nothing lost once it reads. */
static void
unread_answers_stop_the_reading_and_nothing_is_lost(void **state)
{
	enum { EVENTS = 60000 };
	struct fixture f;
	size_t said = 0, len = EVENTS * 16;
	char *body = malloc(len), *heard = malloc(8 << 20);
	size_t heard_len = 0, most = 0;
	char head[256];
	int fd;
	const struct publish_session *s;

	(void)state;
	fixture_start(&f);
	for (int i = 0; i < EVENTS; i++)
		memcpy(body + i * 16, "{\"channel\":\"a\"}\n", 16);
	snprintf(head, sizeof head, HEAD "Content-Length: %zu\r\n\r\n", len);
	fd = fixture_connect(&f);
	fixture_say(&f, fd, slice_text(head));
	/* Writes until the server has stopped taking. */
	for (int stuck = 0; stuck < 20 && said < len;) {
		ssize_t n = send(fd, body + said, len - said, MSG_DONTWAIT | MSG_NOSIGNAL);

		said += n > 0 ? (size_t)n : 0;
		stuck = n > 0 ? 0 : stuck + 1;
		fixture_turns(&f, 2);
		s = publish_sessions(&f.m)->first;
		most = s->out.len + s->kept.len + s->body.len > most
			   ? s->out.len + s->kept.len + s->body.len
			   : most;
	}
	assert_true(said < len);
	assert_true(fixture_events(&f) < EVENTS);
	assert_true(most <= LIMIT_PUBLISH_UNSENT_BYTES + 2 * LIMIT_PUBLISH_READ_BYTES + 65536);
	for (int turn = 0; turn < FIXTURE_TURNS_MAX; turn++) {
		ssize_t n = said == len
				? 0
				: send(fd, body + said, len - said, MSG_DONTWAIT | MSG_NOSIGNAL);

		said += n > 0 ? (size_t)n : 0;
		fixture_turns(&f, 1);
		n = recv(fd, heard + heard_len, (8 << 20) - heard_len, MSG_DONTWAIT);
		heard_len += n > 0 ? (size_t)n : 0;
		if (heard_len > 5 && memcmp(heard + heard_len - 5, "0\r\n\r\n", 5) == 0)
			break;
	}
	assert_int_equal(fixture_events(&f), EVENTS);
	{
		struct reply reply = {0};

		assert_int_equal(fixture_parse(&reply, heard, heard_len, false, false), heard_len);
		assert_int_equal(count_lines(reply.body, "{\"id\":\""), EVENTS);
	}
	close(fd);
	free(body);
	free(heard);
	fixture_stop(&f);
}

static void
whoever_reads_no_answers_is_closed_and_counted(void **state)
{
	struct fixture f;
	char *body = malloc(1 << 20);
	struct publish_session *s;
	int fd;

	(void)state;
	fixture_start(&f);
	for (int i = 0; i < 1 << 16; i++)
		memcpy(body + i * 16, "{\"channel\":\"a\"}\n", 16);
	fd = fixture_connect(&f);
	fixture_say(&f, fd, slice_text(HEAD "Content-Length: 1048576\r\n\r\n"));
	for (int i = 0; i < 50; i++) {
		send(fd, body, 1 << 18, MSG_DONTWAIT | MSG_NOSIGNAL);
		fixture_turns(&f, 2);
	}
	s = publish_sessions(&f.m)->first;
	assert_non_null(s);
	assert_true(loop_timer_pending(&s->timer));
	/* The thirty seconds pass at once. */
	assert_int_equal(
	    loop_timer_set(f.m.loop, &s->timer, 0, s->timer.expired, s->timer.context), 0);
	fixture_turns(&f, 3);
	assert_int_equal(publish_session_count(&f.m), 0);
	assert_int_equal(publish_counts(&f.m)->sessions_stalled, 1);
	close(fd);
	free(body);
	fixture_stop(&f);
}

/* A client that never reads and goes: what it wrote is taken, also what waited for its answers to be read. */
static void
a_publisher_that_goes_while_its_answers_wait_has_published(void **state)
{
	enum { EVENTS = 60000 };
	struct fixture f;
	size_t said = 0, len = EVENTS * 16;
	char *body = malloc(len);
	char head[256];
	int fd;

	(void)state;
	fixture_start(&f);
	for (int i = 0; i < EVENTS; i++)
		memcpy(body + i * 16, "{\"channel\":\"a\"}\n", 16);
	snprintf(head, sizeof head, HEAD "Content-Length: %zu\r\n\r\n", len);
	fd = fixture_connect(&f);
	fixture_say(&f, fd, slice_text(head));
	for (int stuck = 0; stuck < 20 && said < len;) {
		ssize_t n = send(fd, body + said, len - said, MSG_DONTWAIT | MSG_NOSIGNAL);

		said += n > 0 ? (size_t)n : 0;
		stuck = n > 0 ? 0 : stuck + 1;
		fixture_turns(&f, 2);
	}
	assert_true(said < len && fixture_events(&f) < said / 16);
	close(fd);
	fixture_turns(&f, 50);
	assert_int_equal(fixture_events(&f), said / 16);
	assert_int_equal(publish_session_count(&f.m), 0);
	free(body);
	fixture_stop(&f);
}

/* It wrote everything, then closed without ever reading: what it wrote is published all the same. */
static void
a_publisher_that_closes_without_reading_has_published(void **state)
{
	enum { EVENTS = 4000 };
	struct fixture f;
	char *body = malloc(EVENTS * 16);
	char head[256];
	int fd;

	(void)state;
	fixture_start(&f);
	for (int i = 0; i < EVENTS; i++)
		memcpy(body + i * 16, "{\"channel\":\"a\"}\n", 16);
	snprintf(head, sizeof head, HEAD "Content-Length: %d\r\n\r\n", EVENTS * 16);
	fd = fixture_connect(&f);
	fixture_say(&f, fd, slice_text(head));
	fixture_turns(&f, 2);
	fixture_say(&f, fd, slice_of(body, EVENTS * 16));
	close(fd);
	fixture_turns(&f, 10);
	assert_int_equal(fixture_events(&f), EVENTS);
	assert_int_equal(publish_session_count(&f.m), 0);
	free(body);
	fixture_stop(&f);
}

/* Many publishers at once share a turn: none takes it for itself, none is left out. */
static void
a_turn_is_shared_by_all_who_write(void **state)
{
	enum { PUBLISHERS = 40, EVENTS = 8000 };
	struct fixture f;
	char *body = malloc(EVENTS * 16);
	int fds[PUBLISHERS];
	uint64_t before, most = 0;

	(void)state;
	fixture_start(&f);
	for (int i = 0; i < EVENTS; i++)
		memcpy(body + i * 16, "{\"channel\":\"a\"}\n", 16);
	for (int i = 0; i < PUBLISHERS; i++) {
		fds[i] = fixture_connect(&f);
		fixture_say(&f, fds[i],
		    SLICE_LITERAL(
			"POST /publish?acks=errors HTTP/1.1\r\n"
			"Content-Type: application/x-ndjson\r\nContent-Length: 128000\r\n\r\n"));
	}
	fixture_turns(&f, 3);
	for (int i = 0; i < PUBLISHERS; i++)
		fixture_say(&f, fds[i], slice_of(body, EVENTS * 16));
	for (int turn = 0; turn < 200; turn++) {
		before = fixture_events(&f);
		fixture_turns(&f, 1);
		most = fixture_events(&f) - before > most ? fixture_events(&f) - before : most;
	}
	assert_int_equal(fixture_events(&f), PUBLISHERS * EVENTS);
	assert_true(most <= LIMIT_PUBLISH_TURN_BYTES / 16 + PUBLISHERS);
	for (int i = 0; i < PUBLISHERS; i++)
		close(fds[i]);
	free(body);
	fixture_stop(&f);
}

static void
http_1_0_gets_no_chunks_and_a_close(void **state)
{
	struct fixture f;
	struct reply reply;

	(void)state;
	fixture_start(&f);
	reply = fixture_ask(&f, "POST /publish HTTP/1.0\r\nContent-Type: application/x-ndjson\r\n"
				"Content-Length: 16\r\n\r\n{\"channel\":\"a\"}\n");
	assert_int_equal(reply.status, 200);
	assert_false(slice_has(reply.head, "chunked"));
	assert_int_equal(reply.body.len, 29);
	assert_true(reply.closed);
	fixture_forget(&reply);
	fixture_stop(&f);
}

static void
a_bad_chunk_is_told_in_a_line_and_closes(void **state)
{
	static char bytes[65536];
	struct fixture f;
	size_t len;
	int fd;

	(void)state;
	fixture_start(&f);
	fd = fixture_connect(&f);
	fixture_say(&f, fd, slice_text(CHUNKED "10\r\n{\"channel\":\"a\"}\n\r\nzz\r\n"));
	len = fixture_hear_raw(&f, fd, bytes, sizeof bytes);
	assert_true(slice_has(slice_of(bytes, len), "{\"id\":\""));
	assert_true(slice_has(slice_of(bytes, len), "{\"error\":{\"code\":\"bad_request\""));
	assert_false(slice_has(slice_of(bytes, len), "\r\n0\r\n\r\n"));
	assert_int_equal(recv(fd, bytes, 1, MSG_DONTWAIT), 0);
	close(fd);
	fixture_stop(&f);
}

static void
a_request_behind_a_stream_is_answered_behind_it(void **state)
{
	static char bytes[65536];
	struct fixture f;
	struct slice all;
	const char *second;
	int fd;

	(void)state;
	fixture_start(&f);
	fd = fixture_connect(&f);
	fixture_say(&f, fd,
	    slice_text(CHUNKED "10\r\n{\"channel\":\"a\"}\n\r\n0\r\n\r\n"
			       "POST /publish?channel=a HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"));
	all = slice_of(bytes, fixture_hear_raw(&f, fd, bytes, sizeof bytes));
	second = memmem(all.bytes, all.len, "\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n", 24);
	assert_non_null(second);
	assert_int_equal(fixture_events(&f), 2);
	close(fd);
	fixture_stop(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_are_answered_in_order_at_every_split),
	    cmocka_unit_test(a_stream_cut_at_any_byte_has_published_its_whole_lines),
	    cmocka_unit_test(the_head_and_each_answer_come_before_the_upload_ends),
	    cmocka_unit_test(with_acks_errors_only_mistakes_and_a_summary_come_back),
	    cmocka_unit_test(a_line_that_is_too_long_is_one_error_and_the_next_goes_on),
	    cmocka_unit_test(a_key_seen_before_is_told_as_a_duplicate),
	    cmocka_unit_test(unread_answers_stop_the_reading_and_nothing_is_lost),
	    cmocka_unit_test(whoever_reads_no_answers_is_closed_and_counted),
	    cmocka_unit_test(a_publisher_that_closes_without_reading_has_published),
	    cmocka_unit_test(a_publisher_that_goes_while_its_answers_wait_has_published),
	    cmocka_unit_test(a_turn_is_shared_by_all_who_write),
	    cmocka_unit_test(http_1_0_gets_no_chunks_and_a_close),
	    cmocka_unit_test(a_bad_chunk_is_told_in_a_line_and_closes),
	    cmocka_unit_test(a_request_behind_a_stream_is_answered_behind_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
