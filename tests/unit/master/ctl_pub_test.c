/*
 * ctl_pub_test.c: `ringcast pub` and `ringcast stat` against a publish socket in this process: the command runs in a
 * child, turns of the loop run here until it has ended.
 */
#include "tests/unit/master/ctl_fixture.h"
#include "tests/unit/master/publish_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#define SAID_MAX (4u << 20)
#define CHILD_TURNS_MAX 3000

struct run {
	int code;
	char out[SAID_MAX], err[65536];
	size_t out_len, err_len;
};

static void
take(int fd, char *bytes, size_t cap, size_t *len)
{
	ssize_t n;

	while (*len < cap - 1 && (n = read(fd, bytes + *len, cap - 1 - *len)) > 0)
		*len += (size_t)n;
	bytes[*len] = '\0';
}

/* Runs a command line in a child whose standard input is this text. */
static void
run_line(struct fixture *f, struct run *run, const char *line, struct slice input)
{
	int out[2], err[2], in[2], status = 0;
	size_t written = 0;
	pid_t child;

	*run = (struct run){0};
	assert_int_equal(pipe2(out, O_NONBLOCK) | pipe2(err, O_NONBLOCK) | pipe(in), 0);
	assert_int_equal(fcntl(in[1], F_SETFL, O_NONBLOCK), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		const struct ctl c = {.socket = f->path, .uid = 1000, .input = in[0]};
		struct said said;

		close(in[1]);
		said = ctl_say(&c, line);
		(void)fcntl(out[1], F_SETFL, 0);
		if (write(out[1], said.out, strlen(said.out)) < 0 ||
		    write(err[1], said.err, strlen(said.err)) < 0)
			_exit(99);
		said_free(&said);
		_exit((int)said.code);
	}
	close(in[0]), close(out[1]), close(err[1]);
	for (int turn = 0; turn < CHILD_TURNS_MAX; turn++) {
		ssize_t n = written < input.len
				? write(in[1], input.bytes + written, input.len - written)
				: 0;

		written += n > 0 ? (size_t)n : 0;
		if (written == input.len && in[1] != -1) {
			close(in[1]);
			in[1] = -1;
		}
		assert_int_equal(loop_turn(f->m.loop, 10), 0);
		take(out[0], run->out, sizeof run->out, &run->out_len);
		if (waitpid(child, &status, WNOHANG) == child)
			break;
	}
	take(out[0], run->out, sizeof run->out, &run->out_len);
	take(err[0], run->err, sizeof run->err, &run->err_len);
	if (in[1] != -1)
		close(in[1]);
	close(out[0]), close(err[0]);
	if (!WIFEXITED(status))
		kill(child, SIGKILL);
	assert_true(WIFEXITED(status));
	run->code = WEXITSTATUS(status);
	fixture_turns(f, 3);
}

static unsigned
lines_of(const char *text)
{
	unsigned count = 0;

	for (; *text != '\0'; text++)
		count += *text == '\n';
	return count;
}

static void
newest_data(struct fixture *f, struct record *record)
{
	static char buffer[1 << 20];
	struct ring *ring = ring_write_ring(f->m.ring);
	uint64_t position = ring_read_oldest(ring);

	while (ring_read_copy(ring, position, buffer, sizeof buffer, record) == RING_OK)
		position = record->following;
}

static void
one_event_is_published_and_its_id_printed(void **state)
{
	static const struct {
		const char *line;
		const char *type, *data;
		enum record_kind kind;
	} table[] = {
	    {"ringcast pub a hello", "message", "hello", RECORD_TEXT},
	    {"ringcast pub a/b?&c {\"x\":1} --json --type t", "t", "{\"x\":1}", RECORD_JSON},
	    {"ringcast pub a 5 --json", "message", "5", RECORD_JSON},
	    {"ringcast pub a -5", "message", "-5", RECORD_TEXT},
	    {"ringcast pub a -- --x", "message", "--x", RECORD_TEXT},
	    {"ringcast pub a ''", "message", "", RECORD_TEXT},
	};
	static struct run run;
	struct fixture f;

	(void)state;
	fixture_start(&f);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct record record = {0};

		run_line(&f, &run, table[i].line, (struct slice){0});
		if (run.code != 0 || run.out_len != 20)
			fail_msg("%s: %d %s%s", table[i].line, run.code, run.out, run.err);
		newest_data(&f, &record);
		assert_int_equal(record.kind, table[i].kind);
		assert_int_equal(record.type.len, strlen(table[i].type));
		assert_int_equal(record.data.len, strlen(table[i].data));
		assert_memory_equal(record.data.bytes, table[i].data, record.data.len);
	}
	fixture_stop(&f);
}

static void
a_file_is_one_event(void **state)
{
	static struct run run;
	struct fixture f;
	char path[] = "/tmp/ringcast-pub-XXXXXX", line[128];
	int fd = mkstemp(path);
	struct record record = {0};

	(void)state;
	fixture_start(&f);
	assert_int_equal(write(fd, "a\nb\xff", 4), 4);
	snprintf(line, sizeof line, "ringcast pub a --file %s", path);
	run_line(&f, &run, line, (struct slice){0});
	assert_int_equal(run.code, 0);
	newest_data(&f, &record);
	assert_int_equal(record.kind, RECORD_BINARY);
	assert_int_equal(record.data.len, 4);
	run_line(&f, &run, "ringcast pub a --file /nonexistent", (struct slice){0});
	assert_int_equal(run.code, 1);
	assert_non_null(strstr(run.err, "cannot read /nonexistent: No such file or directory"));
	close(fd);
	unlink(path);
	fixture_stop(&f);
}

static void
a_key_publishes_once(void **state)
{
	static struct run run;
	struct fixture f;
	char first[32];

	(void)state;
	fixture_start(&f);
	run_line(&f, &run, "ringcast pub a x --key k", (struct slice){0});
	assert_int_equal(run.code, 0);
	snprintf(first, sizeof first, "%.30s", run.out);
	run_line(&f, &run, "ringcast pub a x --key k", (struct slice){0});
	assert_int_equal(run.code, 0);
	assert_string_equal(run.out, first);
	assert_non_null(strstr(run.err, "published before"));
	assert_int_equal(fixture_events(&f), 1);
	fixture_stop(&f);
}

static void
every_line_of_the_input_is_an_event(void **state)
{
	static struct run run;
	struct fixture f;
	struct record record = {0};

	(void)state;
	fixture_start(&f);
	run_line(
	    &f, &run, "ringcast pub a --type t", SLICE_LITERAL("one\n\ntwo \"quoted\"\r\nlast"));
	assert_int_equal(run.code, 0);
	assert_int_equal(lines_of(run.out), 4);
	assert_string_equal(run.err, "");
	assert_int_equal(fixture_events(&f), 4);
	newest_data(&f, &record);
	assert_int_equal(record.data.len, 4);
	assert_memory_equal(record.data.bytes, "last", 4);
	run_line(&f, &run, "ringcast pub a", (struct slice){0});
	assert_int_equal(run.code, 0);
	assert_string_equal(run.out, "");
	fixture_stop(&f);
}

static void
a_bad_line_is_named_and_the_others_are_published(void **state)
{
	static struct run run;
	struct fixture f;

	(void)state;
	fixture_start(&f);
	run_line(&f, &run, "ringcast pub a --json",
	    SLICE_LITERAL("1\n{\n\"\\ud800\"\n,\"channel\":\"b\"\n[2]\n"));
	assert_int_equal(run.code, 1);
	assert_int_equal(lines_of(run.out), 2);
	assert_non_null(strstr(run.err, "line 2 is not JSON"));
	assert_non_null(strstr(run.err, "line 3 is not JSON"));
	assert_non_null(strstr(run.err, "line 4 is not JSON"));
	run_line(&f, &run, "ringcast pub a", SLICE_LITERAL("good\n\xff\ngood\n"));
	assert_int_equal(run.code, 1);
	assert_int_equal(lines_of(run.out), 2);
	assert_non_null(strstr(run.err, "line 2: bad_utf8: "));
	fixture_stop(&f);
}

static void
many_lines_are_all_published_in_order(void **state)
{
	enum { COUNT = 30000 };
	static struct run run;
	struct fixture f;
	char *text = malloc(COUNT * 8);
	size_t len = 0;
	const char *before = "";

	(void)state;
	fixture_start(&f);
	for (int i = 0; i < COUNT; i++)
		len += (size_t)sprintf(text + len, "%d\n", i);
	run_line(&f, &run, "ringcast pub a", slice_of(text, len));
	assert_int_equal(run.code, 0);
	assert_int_equal(fixture_events(&f), COUNT);
	assert_int_equal(lines_of(run.out), COUNT);
	for (char *line = strtok(run.out, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		assert_true(strcmp(before, line) < 0);
		before = line;
	}
	free(text);
	fixture_stop(&f);
}

static void
what_the_server_refuses_is_told(void **state)
{
	static struct run run;
	struct fixture f;

	(void)state;
	fixture_start(&f);
	f.m.config->max_event_bytes = 4;
	run_line(&f, &run, "ringcast pub a hello", (struct slice){0});
	assert_int_equal(run.code, 1);
	assert_non_null(strstr(run.err, "not published: too_large: "));
	f.m.config->publish_uid_count = 1;
	f.m.config->publish_uids[0] = geteuid() + 1;
	run_line(&f, &run, "ringcast pub a", SLICE_LITERAL("x\n"));
	assert_int_equal(run.code, 1);
	assert_non_null(strstr(run.err, "nothing is published: forbidden: "));
	fixture_stop(&f);
}

static void
stat_shows_figures_and_json(void **state)
{
	static struct run run;
	struct fixture f;

	(void)state;
	fixture_start(&f);
	run_line(&f, &run, "ringcast pub a x", (struct slice){0});
	run_line(&f, &run, "ringcast stat", (struct slice){0});
	assert_int_equal(run.code, 0);
	assert_non_null(strstr(run.out, "events published                      1\n"));
	assert_non_null(strstr(run.out, "ring, events kept                     1\n"));
	run_line(&f, &run, "ringcast stat --json", (struct slice){0});
	assert_int_equal(run.code, 0);
	assert_true(run.out[0] == '{');
	fixture_stop(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_event_is_published_and_its_id_printed),
	    cmocka_unit_test(a_file_is_one_event),
	    cmocka_unit_test(a_key_publishes_once),
	    cmocka_unit_test(every_line_of_the_input_is_an_event),
	    cmocka_unit_test(a_bad_line_is_named_and_the_others_are_published),
	    cmocka_unit_test(many_lines_are_all_published_in_order),
	    cmocka_unit_test(what_the_server_refuses_is_told),
	    cmocka_unit_test(stat_shows_figures_and_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
