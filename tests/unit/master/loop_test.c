/*
 * loop_test.c: the loop's order of things, and that callbacks may remove whatever they like.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "master/log.h"
#include "master/loop.h"

struct trace {
	struct loop *loop;
	char text[256];
	struct loop_work again;
	struct loop_source *victim;
	struct loop_timer *victim_timer;
};

struct named {
	struct trace *trace;
	const char *name;
	struct loop_work work;
	struct loop_timer timer;
	struct loop_source source;
	int fd;
};

static void
note(void *context)
{
	struct named *n = context;

	strncat(n->trace->text, n->name, sizeof n->trace->text - strlen(n->trace->text) - 1);
}

static void
note_ready(void *context, uint32_t events)
{
	struct named *n = context;

	(void)events;
	note(n);
	if (n->trace->victim != NULL)
		loop_del(n->trace->loop, n->trace->victim);
	n->trace->victim = NULL;
}

static void
note_hook(void *context)
{
	struct trace *trace = context;

	strcat(trace->text, "h");
}

static void
defer_both(void *context)
{
	struct named *n = context;

	note(n);
	loop_defer(n->trace->loop, &n[1].work, LOOP_ANSWER);
	loop_defer(n->trace->loop, &n[2].work, LOOP_COMMIT);
}

static void
loop_runs_a_turns_end_in_order(void **state)
{
	struct loop *loop = loop_new();
	struct trace t = {.loop = loop};
	struct named n[4] = {{.trace = &t, .name = "c", .work.run = defer_both},
	    {.trace = &t, .name = "a", .work.run = note},
	    {.trace = &t, .name = "C", .work.run = note},
	    {.trace = &t, .name = "r", .work.run = note}};

	(void)state;
	for (int i = 0; i < 4; i++)
		n[i].work.context = &n[i];
	loop_each_turn(loop, note_hook, &t);
	loop_defer(loop, &n[3].work, LOOP_ANSWER);
	loop_defer(loop, &n[0].work, LOOP_COMMIT);
	loop_defer(
	    loop, &n[0].work, LOOP_ANSWER); /* is queued already: stays in the commit stage */
	assert_int_equal(loop_turn(loop, 1000), 0);
	/* The commit stage's work queued an answer (same turn) and another commit (next turn). */
	assert_string_equal(t.text, "hcra");
	assert_int_equal(loop_turn(loop, 60000), 0);
	assert_string_equal(t.text, "hcrahC");
	loop_defer(loop, &n[1].work, LOOP_ANSWER);
	loop_defer(loop, &n[3].work, LOOP_ANSWER);
	loop_defer_cancel(loop, &n[3].work);
	loop_defer(loop, &n[2].work, LOOP_ANSWER);
	loop_defer_cancel(loop, &n[1].work);
	assert_int_equal(loop_turn(loop, 0), 0);
	assert_string_equal(t.text, "hcrahChC");
	loop_free(loop);
}

static void
loop_forgets_a_source_that_another_callback_removed(void **state)
{
	struct loop *loop = loop_new();
	struct trace t = {.loop = loop};
	struct named n[2] = {{.trace = &t, .name = "0"}, {.trace = &t, .name = "1"}};

	(void)state;
	for (int i = 0; i < 2; i++) {
		n[i].fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
		assert_int_equal(
		    loop_add(loop, &n[i].source, n[i].fd, EPOLLIN, note_ready, &n[i]), 0);
	}
	assert_int_equal(loop_turn(loop, 0), 0);
	assert_int_equal(strlen(t.text), 2);
	/* Both are reported together; the first to run removes the other. */
	t.victim = t.text[0] == '0' ? &n[1].source : &n[0].source;
	t.text[1] = '\0';
	assert_int_equal(loop_turn(loop, 0), 0);
	assert_int_equal(strlen(t.text), 2);
	loop_mod(loop, n[0].source.added ? &n[0].source : &n[1].source, 0);
	assert_int_equal(loop_turn(loop, 0), 0);
	assert_int_equal(strlen(t.text), 2);
	for (int i = 0; i < 2; i++) {
		loop_del(loop, &n[i].source);
		close(n[i].fd);
	}
	loop_free(loop);
}

static void
expire(void *context)
{
	*(uint64_t *)context += 1;
}

/* Set, moved and cleared at random; what expires are exactly those that are due, in order. */
static void
loop_expires_timers_in_order(void **state)
{
	struct loop *loop = loop_new();
	struct loop_timer timers[300];
	uint64_t fired[300] = {0}, start;
	bool set[300] = {false};
	unsigned random = 3;

	(void)state;
	memset(timers, 0, sizeof timers);
	for (int step = 0; step < 5000; step++) {
		unsigned i = (random = random * 1664525u + 1013904223u) >> 8;

		i %= 300;
		if (random >> 31) {
			assert_int_equal(
			    loop_timer_set(loop, &timers[i], (random >> 4) % 30 * LOOP_NS_PER_MS,
				expire, &fired[i]),
			    0);
			set[i] = true;
		} else {
			loop_timer_clear(loop, &timers[i]);
			set[i] = false;
		}
		assert_int_equal(loop_timer_pending(&timers[i]), set[i]);
	}
	start = loop_now_ns(loop);
	while (loop_now_ns(loop) < start + 40 * LOOP_NS_PER_MS) {
		assert_int_equal(loop_turn(loop, 5), 0);
		for (int i = 0; i < 300; i++) {
			/*
			 * A turn runs at most 64: what is due and still pending is left only by
			 * that.
			 */
			if (set[i] && fired[i] == 0)
				assert_true(loop_timer_pending(&timers[i]));
			if (fired[i] > 0)
				assert_true(timers[i].due_ns <= loop_now_ns(loop));
		}
	}
	for (int i = 0; i < 300; i++)
		assert_int_equal(fired[i], set[i] ? 1 : 0);
	loop_free(loop);
}

static void
loop_sleeps_no_longer_than_the_next_timer(void **state)
{
	struct loop *loop = loop_new();
	struct loop_timer timer = {0};
	struct timespec before, after;
	uint64_t fired = 0;
	long long ns;

	(void)state;
	assert_int_equal(loop_turn(loop, 0), 0);
	assert_int_equal(loop_timer_set(loop, &timer, 3 * LOOP_NS_PER_MS, expire, &fired), 0);
	clock_gettime(CLOCK_MONOTONIC, &before);
	while (fired == 0)
		assert_int_equal(loop_turn(loop, 10000), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	ns = (after.tv_sec - before.tv_sec) * 1000000000ll + after.tv_nsec - before.tv_nsec;
	assert_true(ns >= 2500000 && ns < 5000000000ll);
	loop_free(loop);
}

/* What anybody says stays inside one line and one value. */
static void
log_keeps_a_line_a_line(void **state)
{
	static const struct {
		const char *value, *line;
	} cases[] = {
	    {"plain/value:1", "<6>said value=plain/value:1\n"},
	    {"", "<6>said value=\"\"\n"},
	    {"two words", "<6>said value=\"two words\"\n"},
	    {"a=b", "<6>said value=\"a=b\"\n"},
	    {"quote\"back\\", "<6>said value=\"quote\\\"back\\\\\"\n"},
	    {"a\n<0>fake", "<6>said value=\"a\\x0a<0>fake\"\n"},
	    {"\x1b[31m", "<6>said value=\"\\x1b[31m\"\n"},
	    {"\xc3\xa4", "<6>said value=\xc3\xa4\n"},
	};
	int pipes[2];
	char line[4096], longest[3000];
	struct log log;
	ssize_t len;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	log = log_to(pipes[1], LOG_LEVEL_INFO);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		log_with(&log, LOG_LEVEL_INFO, "said", log_text("value", cases[i].value));
		len = read(pipes[0], line, sizeof line - 1);
		line[len] = '\0';
		assert_string_equal(line, cases[i].line);
	}
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	log_with(&log, LOG_LEVEL_DEBUG, "left out", log_number("n", 1));
	log_with(&log, LOG_LEVEL_ERROR, "long", log_text("a", longest), log_text("b", longest),
	    log_text("c", longest), log_text("d", longest), log_number("n", 5));
	len = read(pipes[0], line, sizeof line - 1);
	assert_true(len > 1000 && len <= 2052);
	assert_memory_equal(line, "<3>long a=xxx", 13);
	assert_memory_equal(line + len - 4, "...\n", 4);
	assert_null(memchr(line, '\n', (size_t)len - 1));
	close(pipes[0]);
	close(pipes[1]);
}

/* The priority is for journald; who watches a terminal sees what happened. */
static void
log_shows_no_priority_on_a_terminal(void **state)
{
	int terminal = posix_openpt(O_RDWR | O_NOCTTY), side;
	struct log log;
	char line[64];
	ssize_t len;

	(void)state;
	if (terminal == -1)
		skip();
	assert_int_equal(grantpt(terminal) | unlockpt(terminal), 0);
	side = open(ptsname(terminal), O_RDWR | O_NOCTTY);
	assert_true(side != -1);
	log = log_to(side, LOG_LEVEL_INFO);
	log_with(&log, LOG_LEVEL_INFO, "said", log_number("n", 1));
	len = read(terminal, line, sizeof line - 1);
	assert_true(len > 0);
	line[len] = '\0';
	assert_string_equal(line, "said n=1\r\n");
	close(side);
	close(terminal);
}

/* Runs in a child. Answers 0 or what is wrong. */
static int
start_without(int missing)
{
	int lowest = dup(0);

	close(lowest);
	close(missing);
	if (log_reserve() == -1)
		return 1;
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) != 0)
			return 2;
	if ((fcntl(missing, F_GETFL) & O_ACCMODE) != O_RDWR)
		return 3;
	/* Nothing more was left open. */
	return dup(0) == lowest ? 0 : 4;
}

static void
log_descriptors_are_nobody_elses(void **state)
{
	(void)state;
	for (int missing = 0; missing <= STDERR_FILENO; missing++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(start_without(missing));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(loop_runs_a_turns_end_in_order),
	    cmocka_unit_test(loop_forgets_a_source_that_another_callback_removed),
	    cmocka_unit_test(loop_expires_timers_in_order),
	    cmocka_unit_test(loop_sleeps_no_longer_than_the_next_timer),
	    cmocka_unit_test(log_keeps_a_line_a_line),
	    cmocka_unit_test(log_shows_no_priority_on_a_terminal),
	    cmocka_unit_test(log_descriptors_are_nobody_elses),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
