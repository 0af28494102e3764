/*
 * publish_session_test.c: connections to the publish socket: pipelining, group commit, asking before sending, refusals,
 * draining.
 */
#include "tests/unit/master/publish_fixture.h"

#include <signal.h>
#include <sys/resource.h>

#define PUBLISH(channel) "POST /publish?channel=" channel " HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"

static void
pipelined_requests_are_answered_in_their_order(void **state)
{
	static char bytes[65536];
	struct fixture f;
	struct slice all;
	const char *at;
	int fd;
	static const char *const order[] = {
	    "\"id\"", "not_found", "\"id\"", "ok\n", "bad_channel", "\"id\""};

	(void)state;
	fixture_start(&f);
	fd = fixture_connect(&f);
	fixture_say(&f, fd,
	    slice_text(PUBLISH("a") "GET /none HTTP/1.1\r\n\r\n" PUBLISH(
		"b") "GET /healthz HTTP/1.1\r\n\r\n" PUBLISH("$") PUBLISH("c")));
	all = slice_of(bytes, fixture_hear_raw(&f, fd, bytes, sizeof bytes - 1));
	at = all.bytes;
	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		at = strstr(at, order[i]);
		assert_non_null(at);
		at++;
	}
	assert_int_equal(fixture_events(&f), 3);
	close(fd);
	fixture_stop(&f);
}

static void
a_pipeline_split_at_any_byte_is_answered_alike(void **state)
{
	static char bytes[65536];
	static const char requests[] =
	    PUBLISH("a") "GET /healthz HTTP/1.1\r\n\r\n"
			 "POST /publish HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
			 "f\r\n{\"channel\":\"a\"}\r\n0\r\n\r\n" PUBLISH("c");
	struct fixture f;
	size_t whole = 0;

	(void)state;
	fixture_start(&f);
	for (size_t cut = 0; cut < sizeof requests; cut++) {
		int fd = fixture_connect(&f);
		size_t len;

		fixture_say(&f, fd, slice_of(requests, cut));
		fixture_turns(&f, 2);
		fixture_say(&f, fd,
		    slice_of(requests + cut,
			sizeof requests - 1 -
			    (cut < sizeof requests - 1 ? cut : sizeof requests - 1)));
		len = fixture_hear_raw(&f, fd, bytes, sizeof bytes);
		if (cut == 0)
			whole = len;
		assert_int_equal(len, whole);
		close(fd);
	}
	assert_int_equal(fixture_events(&f), 3 * sizeof requests);
	fixture_stop(&f);
}

/* What was true when the turn's callbacks were over and the commit was still to come. */
struct witness {
	struct fixture *f;
	int fds[3];
	uint64_t tail;
	unsigned checked;
};

static void
witness_hook(void *context)
{
	struct witness *w = context;
	struct ring *ring = ring_write_ring(w->f->m.ring);
	uint64_t before = ring_read_tail(ring), commits = publish_counts(&w->f->m)->commits;
	char byte;

	if (fixture_events(w->f) == 3 && w->checked == 0) {
		w->checked++;
		assert_int_equal(before, w->tail);
		for (int i = 0; i < 3; i++)
			assert_int_equal(recv(w->fds[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK), -1);
		publish_turn(&w->f->m);
		assert_true(ring_read_tail(ring) > before);
		assert_int_equal(publish_counts(&w->f->m)->commits, commits + 1);
		for (int i = 0; i < 3; i++)
			assert_int_equal(recv(w->fds[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK), 1);
	}
	publish_turn(&w->f->m);
}

static void
answers_leave_after_the_one_commit_of_their_turn(void **state)
{
	struct fixture f;
	struct witness w = {.f = &f};

	(void)state;
	fixture_start(&f);
	for (int i = 0; i < 3; i++)
		w.fds[i] = fixture_connect(&f);
	fixture_turns(&f, 2);
	w.tail = ring_read_tail(ring_write_ring(f.m.ring));
	loop_each_turn(f.m.loop, witness_hook, &w);
	for (int i = 0; i < 3; i++)
		fixture_say(&f, w.fds[i], slice_text(PUBLISH("a")));
	fixture_turns(&f, 2);
	assert_int_equal(w.checked, 1);
	for (int i = 0; i < 3; i++)
		close(w.fds[i]);
	fixture_stop(&f);
}

/* The tail of the ring at the moment at which an answer reached its client. */
static const struct ring *watched;
static volatile uint64_t tail_at_answer;

static void
answer_arrived(int signal)
{
	(void)signal;
	tail_at_answer = ring_read_tail(watched);
}

static void
an_answer_that_arrives_finds_its_event_in_the_ring(void **state)
{
	const struct sigaction watch = {.sa_handler = answer_arrived};
	struct sigaction before;
	struct fixture f;
	uint64_t tail;
	int fd;

	(void)state;
	fixture_start(&f);
	fd = fixture_connect(&f);
	fixture_turns(&f, 2);
	watched = ring_write_ring(f.m.ring);
	tail = ring_read_tail(watched);
	tail_at_answer = 0;
	/* The kernel signals as the bytes arrive: before send(2) returns to the master. */
	assert_int_equal(sigaction(SIGIO, &watch, &before), 0);
	fixture_say(&f, fd, slice_text(PUBLISH("a")));
	assert_int_equal(fcntl(fd, F_SETOWN, getpid()), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC), 0);
	fixture_turns(&f, 3);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(sigaction(SIGIO, &before, NULL), 0);
	assert_true(tail_at_answer > tail);
	close(fd);
	fixture_stop(&f);
}

static void
an_upload_that_asks_first_is_told_to_go_on(void **state)
{
	static char bytes[4096];
	struct fixture f;
	struct slice said;
	struct reply reply;
	int fd;

	(void)state;
	fixture_start(&f);
	fd = fixture_connect(&f);
	fixture_say(&f, fd,
	    SLICE_LITERAL("POST /publish?channel=a HTTP/1.1\r\nExpect: 100-continue\r\n"
			  "Content-Length: 5\r\n\r\n"));
	said = slice_of(bytes, fixture_hear_raw(&f, fd, bytes, sizeof bytes));
	assert_true(slice_equal(said, SLICE_LITERAL("HTTP/1.1 100 Continue\r\n\r\n")));
	assert_int_equal(fixture_events(&f), 0);
	fixture_say(&f, fd, SLICE_LITERAL("hello"));
	reply = fixture_hear(&f, fd);
	assert_int_equal(reply.status, 200);
	fixture_forget(&reply);
	close(fd);
	fixture_stop(&f);
}

static void
an_upload_that_is_too_large_is_refused_before_its_body(void **state)
{
	struct fixture f;
	struct reply reply;
	int fd;

	(void)state;
	fixture_start(&f);
	fd = fixture_connect(&f);
	fixture_say(&f, fd,
	    SLICE_LITERAL("POST /publish?channel=a HTTP/1.1\r\nExpect: 100-continue\r\n"
			  "Content-Length: 99000000\r\n\r\n"));
	reply = fixture_hear(&f, fd);
	assert_int_equal(reply.status, 413);
	assert_true(slice_has(reply.head, "\r\nConnection: close\r\n"));
	assert_true(reply.closed);
	fixture_forget(&reply);
	close(fd);
	fixture_stop(&f);
}

static void
who_sends_on_after_a_refusal_still_gets_to_read_it(void **state)
{
	struct fixture f;
	struct reply reply;
	char *rest = calloc(1, 1 << 20);
	int fd;

	(void)state;
	fixture_start(&f);
	fd = fixture_connect(&f);
	fixture_say(
	    &f, fd, SLICE_LITERAL("POST /none HTTP/1.1\r\nContent-Length: 1048576\r\n\r\n"));
	fixture_turns(&f, 3);
	fixture_say(&f, fd, slice_of(rest, 1 << 20));
	reply = fixture_hear(&f, fd);
	assert_int_equal(reply.status, 404);
	close(fd);
	fixture_turns(&f, 3);
	assert_int_equal(publish_session_count(&f.m), 0);
	fixture_forget(&reply);
	free(rest);
	fixture_stop(&f);
}

static void
a_user_who_is_not_listed_gets_403_and_a_close(void **state)
{
	struct fixture f;
	struct reply reply;

	(void)state;
	fixture_start(&f);
	f.m.config->publish_uid_count = 1;
	f.m.config->publish_uids[0] = geteuid() + 1;
	reply = fixture_ask(&f, PUBLISH("a"));
	assert_int_equal(reply.status, 403);
	assert_true(slice_has(reply.body, "{\"error\":{\"code\":\"forbidden\""));
	assert_true(reply.closed);
	assert_int_equal(fixture_events(&f), 0);
	assert_int_equal(publish_counts(&f.m)->sessions_refused, 1);
	fixture_forget(&reply);
	f.m.config->publish_uids[0] = geteuid();
	reply = fixture_ask(&f, PUBLISH("a"));
	assert_int_equal(reply.status, 200);
	fixture_forget(&reply);
	fixture_stop(&f);
}

static void
one_connection_too_many_is_told_so(void **state)
{
	static int fds[LIMIT_PUBLISH_SESSIONS];
	struct fixture f;
	struct reply reply;
	unsigned limit;

	(void)state;
	fixture_start(&f);
	limit = publish_sessions(&f.m)->limit[PUBLISH_SESSION_APPLICATION];
	for (unsigned i = 0; i < limit; i++) {
		fds[i] = fixture_connect(&f);
		fixture_turns(&f, 1);
	}
	assert_int_equal(publish_session_count(&f.m), limit);
	reply = fixture_ask(&f, PUBLISH("a"));
	assert_int_equal(reply.status, 503);
	assert_true(slice_has(reply.head, "\r\nRetry-After: 1\r\n"));
	assert_true(slice_has(reply.body, "{\"error\":{\"code\":\"overloaded\""));
	fixture_forget(&reply);
	for (unsigned i = 0; i < limit; i++)
		close(fds[i]);
	fixture_turns(&f, 40);
	assert_int_equal(publish_session_count(&f.m), 0);
	reply = fixture_ask(&f, PUBLISH("a"));
	assert_int_equal(reply.status, 200);
	fixture_forget(&reply);
	fixture_stop(&f);
}

/* Makes connections and never reads. Answers how many of them are closed, not only refused. */
static unsigned
crowd(struct fixture *f, int *fds, unsigned count, unsigned *most)
{
	unsigned closed = 0;
	char byte;

	for (unsigned i = 0; i < count; i++) {
		fds[i] = fixture_connect(f);
		fixture_turns(f, 2);
		if (publish_session_count(&f->m) > *most)
			*most = publish_session_count(&f->m);
	}
	for (unsigned i = 0; i < count; i++) {
		closed += recv(fds[i], &byte, 1, MSG_DONTWAIT) == 0;
		close(fds[i]);
	}
	fixture_turns(f, 10);
	return closed;
}

/* Publishers and those who are refused leave three quarters of the descriptors to clients. */
static void
publishers_take_a_share_of_the_descriptors(void **state)
{
	struct rlimit before, limit;
	struct fixture f;
	int fds[150];
	unsigned most = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = (struct rlimit){400, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	fixture_start(&f);
	assert_int_equal(crowd(&f, fds, 150, &most), 25);
	assert_int_equal(most, 125);
	f.m.config->publish_uid_count = 1;
	f.m.config->publish_uids[0] = geteuid() + 1;
	most = 0;
	assert_int_equal(crowd(&f, fds, 150, &most), 100);
	assert_int_equal(most, 50);
	assert_int_equal(publish_counts(&f.m)->sessions_refused, 50 + 150);
	fixture_stop(&f);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void
a_shortage_of_descriptors_is_told_once(void **state)
{
	struct rlimit before, limit;
	struct fixture f;
	struct reply reply;
	char lines[4096];
	int log[2], fd, lowest;
	ssize_t len;

	(void)state;
	fixture_start(&f);
	assert_int_equal(pipe2(log, O_NONBLOCK | O_CLOEXEC), 0);
	f.m.log = log_to(log[1], LOG_LEVEL_WARNING);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	fd = fixture_connect(&f);
	lowest = dup(fd);
	close(lowest);
	limit = (struct rlimit){(rlim_t)lowest, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (int i = 0; i < 40; i++)
		assert_int_equal(loop_turn(f.m.loop, 10), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	len = read(log[0], lines, sizeof lines);
	assert_true(len > 0);
	assert_ptr_equal(memchr(lines, '\n', (size_t)len), lines + len - 1);
	for (int i = 0; i < 30 && publish_session_count(&f.m) == 0; i++)
		assert_int_equal(loop_turn(f.m.loop, 10), 0);
	close(fd);
	reply = fixture_ask(&f, PUBLISH("a"));
	assert_int_equal(reply.status, 200);
	fixture_forget(&reply);
	fixture_stop(&f);
	close(log[0]);
	close(log[1]);
}

static void
draining_answers_what_is_owed_and_closes_the_rest(void **state)
{
	struct fixture f;
	struct reply reply;
	int idle, busy;
	char byte;

	(void)state;
	fixture_start(&f);
	idle = fixture_connect(&f);
	busy = fixture_connect(&f);
	fixture_say(&f, busy,
	    SLICE_LITERAL("POST /publish?channel=a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel"));
	fixture_turns(&f, 3);
	f.m.state = MASTER_DRAINING;
	publish_drain(&f.m);
	fixture_turns(&f, 3);
	assert_int_equal(recv(idle, &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(publish_session_count(&f.m), 1);
	assert_int_equal(publish_path_connect(f.path), -1);
	fixture_say(&f, busy, SLICE_LITERAL("lo"));
	reply = fixture_hear(&f, busy);
	assert_int_equal(reply.status, 200);
	assert_true(reply.closed);
	fixture_forget(&reply);
	close(idle);
	close(busy);
	fixture_turns(&f, 3);
	assert_int_equal(publish_session_count(&f.m), 0);
	fixture_stop(&f);
}

static void
the_bell_rings_for_sleepers_once_a_commit(void **state)
{
	struct fixture f;
	struct board board;
	struct doorbell_sleeper sleeper = {.board = &board, .bell = doorbell_create()};
	uint64_t rings;
	struct reply reply;

	(void)state;
	fixture_start(&f);
	assert_int_equal(board_create(&board), 0);
	board_filter_everything(&board, true);
	f.m.worker_count = 1;
	f.m.sleepers = &sleeper;
	assert_true(doorbell_sleep(
	    &board, ring_write_ring(f.m.ring), ring_read_tail(ring_write_ring(f.m.ring))));
	reply = fixture_ask(&f,
	    "POST /publish HTTP/1.1\r\nContent-Length: 33\r\n\r\n[{\"channel\":\"a\"},{\"channel\":\"b\"}]");
	assert_int_equal(reply.status, 200);
	assert_int_equal(read(sleeper.bell, &rings, sizeof rings), sizeof rings);
	assert_int_equal(rings, 1);
	fixture_forget(&reply);
	f.m.worker_count = 0;
	close(sleeper.bell);
	board_close(&board);
	fixture_stop(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pipelined_requests_are_answered_in_their_order),
	    cmocka_unit_test(a_pipeline_split_at_any_byte_is_answered_alike),
	    cmocka_unit_test(answers_leave_after_the_one_commit_of_their_turn),
	    cmocka_unit_test(an_answer_that_arrives_finds_its_event_in_the_ring),
	    cmocka_unit_test(an_upload_that_asks_first_is_told_to_go_on),
	    cmocka_unit_test(an_upload_that_is_too_large_is_refused_before_its_body),
	    cmocka_unit_test(who_sends_on_after_a_refusal_still_gets_to_read_it),
	    cmocka_unit_test(a_user_who_is_not_listed_gets_403_and_a_close),
	    cmocka_unit_test(one_connection_too_many_is_told_so),
	    cmocka_unit_test(publishers_take_a_share_of_the_descriptors),
	    cmocka_unit_test(a_shortage_of_descriptors_is_told_once),
	    cmocka_unit_test(draining_answers_what_is_owed_and_closes_the_rest),
	    cmocka_unit_test(the_bell_rings_for_sleepers_once_a_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
