/*
 * ctl_options_test.c: command lines that are wrong, each with its message and exit code; help and version.
 */
#include "tests/unit/master/ctl_fixture.h"

#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct ctl plain = {.uid = 1000, .directory = "/nonexistent", .input = -1};

struct row {
	const char *line;
	enum ctl_exit code;
	const char *says; /* part of what is on standard error */
};

static const struct row rows[] = {
    {"ringcast", CTL_USAGE, "a command is missing"},
    {"ringcast foo", CTL_USAGE, "there is no command foo"},
    {"ringcast --foo", CTL_USAGE, "there is no command --foo"},
    {"ringcast pub", CTL_USAGE, "the channel is missing"},
    {"ringcast pub a b c", CTL_USAGE, "quote data that has spaces"},
    {"ringcast pub --type", CTL_USAGE, "--type needs a value"},
    {"ringcast pub --json=1 a", CTL_USAGE, "--json takes no value"},
    {"ringcast pub --colour a", CTL_USAGE, "there is no option --colour"},
    {"ringcast pub -x a", CTL_USAGE, "there is no option -x"},
    {"ringcast pub a b --file c", CTL_USAGE, "the data is given twice"},
    {"ringcast pub a --key k", CTL_USAGE, "--key names one event"},
    {"ringcast pub a b --key ''", CTL_USAGE, "a key is 1 to 255 bytes"},
    {"ringcast pub '' b", CTL_USAGE, "the channel's name is empty"},
    {"ringcast pub a* b", CTL_USAGE, "the channel's name contains *"},
    {"ringcast pub $a b", CTL_USAGE, "the channel's name begins with $"},
    {"ringcast pub a b --type open", CTL_USAGE, "the type is open"},
    {"ringcast pub a b --type=ringcast.x", CTL_USAGE, "the type begins with ringcast."},
    {"ringcast pub a b --socket /nonexistent/x.sock", CTL_FAILED,
	"there is no publish socket /nonexistent/x.sock (from --socket): is ringcastd running?"},
    {"ringcast pub a b --socket=/nonexistent/x.sock", CTL_FAILED,
	"/nonexistent/x.sock (from --socket)"},
    {"ringcast stat x", CTL_USAGE, "stat takes no arguments"},
    {"ringcast stat --watch=1", CTL_USAGE, "--watch takes no value"},
    {"ringcast sub", CTL_USAGE, "a channel is missing"},
    {"ringcast sub a b*", CTL_USAGE, "a channel's name contains *"},
    {"ringcast sub a --sse --ws", CTL_USAGE, "one transport only"},
    {"ringcast sub a --count 0", CTL_USAGE, "--count takes a number above 0"},
    {"ringcast sub a --count x", CTL_USAGE, "--count takes a number above 0"},
    {"ringcast sub a --count 99999999999999999999", CTL_USAGE, "--count takes a number above 0"},
    {"ringcast sub a --after x", CTL_USAGE, "--after: "},
    {"ringcast sub a --after 1763856000", CTL_USAGE, "--after: "},
    {"ringcast sub a --url https://x", CTL_USAGE, "TLS is not in this version"},
    {"ringcast sub a --url x", CTL_USAGE, "it begins with http://"},
    {"ringcast sub a --url unix:/nonexistent/x", CTL_FAILED,
	"cannot connect to /nonexistent/x: No such file"},
    {"ringcast sub a --url http://127.0.0.1:1", CTL_FAILED,
	"cannot connect to 127.0.0.1:1: Connection refused"},
    {"ringcast check", CTL_USAGE, "the configuration file is missing"},
    {"ringcast check a b", CTL_USAGE, "one configuration file at a time"},
    {"ringcast check /nonexistent/c.json", CTL_FAILED, "/nonexistent/c.json"},
};

static void
a_wrong_command_line_is_told_and_has_its_exit_code(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct said said = ctl_say(&plain, rows[i].line);

		if (said.code != rows[i].code || strstr(said.err, rows[i].says) == NULL ||
		    *said.out != '\0')
			fail_msg("%s: %d\n%s%s", rows[i].line, said.code, said.err, said.out);
		if (said.code == CTL_USAGE)
			assert_non_null(strstr(said.err, "--help\n"));
		said_free(&said);
	}
}

static void
help_and_version_go_to_standard_output(void **state)
{
	static const struct {
		const char *line, *says;
	} table[] = {
	    {"ringcast --help", "usage: ringcast COMMAND"},
	    {"ringcast --version", "ringcast 0."},
	    {"ringcast pub --help", "usage: ringcast pub CHANNEL"},
	    {"ringcast sub a --help", "usage: ringcast sub CHANNEL"},
	    {"ringcast stat -h", "usage: ringcast stat"},
	    {"ringcast check --help", "usage: ringcast check CONFIG"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct said said = ctl_say(&plain, table[i].line);

		assert_int_equal(said.code, CTL_OK);
		assert_non_null(strstr(said.out, table[i].says));
		assert_string_equal(said.err, "");
		said_free(&said);
	}
}

static void
options_and_operands_are_told_apart(void **state)
{
	const char *value = NULL;
	bool on = false;
	const struct ctl_option options[] = {{"--value", &value, NULL}, {"--on", NULL, &on}, {0}};
	char words[][8] = {"x", "a", "--value", "-1", "--on", "-5", "-", "--", "--on", "--"};
	char *argv[10];
	struct ctl_operands operands;
	struct ctl c = {.err = stderr, .out = stdout};

	(void)state;
	for (size_t i = 0; i < 10; i++)
		argv[i] = words[i];
	assert_true(ctl_parse(&c, "x", options, 10, argv, &operands));
	assert_string_equal(value, "-1");
	assert_true(on);
	assert_int_equal(operands.count, 5);
	assert_string_equal(operands.of[1], "-5");
	assert_string_equal(operands.of[2], "-");
	assert_string_equal(operands.of[3], "--on");
	assert_string_equal(operands.of[4], "--");
}

static void
numbers_are_digits_within_their_range(void **state)
{
	static const struct {
		const char *text;
		bool is_number;
		uint64_t number;
	} table[] = {{"0", true, 0}, {"255", true, 255}, {"256", false, 0}, {"", false, 0},
	    {"-1", false, 0}, {"1x", false, 0}, {" 1", false, 0},
	    {"99999999999999999999999", false, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		uint64_t number;

		assert_int_equal(ctl_number(table[i].text, 255, &number), table[i].is_number);
		if (table[i].is_number)
			assert_int_equal(number, table[i].number);
	}
}

static void
without_a_socket_anywhere_both_places_are_named(void **state)
{
	struct ctl c = plain;
	struct said said;

	(void)state;
	if (access("/run/ringcast/publish.sock", F_OK) == 0)
		skip();
	said = ctl_say(&c, "ringcast stat");
	assert_int_equal(said.code, CTL_FAILED);
	assert_non_null(
	    strstr(said.err, "/nonexistent/ringcast/publish.sock (in XDG_RUNTIME_DIR)"));
	assert_non_null(strstr(said.err, "/run/ringcast/publish.sock (the system's default)"));
	said_free(&said);
	c.socket = "/nonexistent/e.sock";
	said = ctl_say(&c, "ringcast stat");
	assert_non_null(strstr(said.err, "/nonexistent/e.sock (from RINGCAST_SOCKET)"));
	assert_null(strstr(said.err, "XDG_RUNTIME_DIR"));
	said_free(&said);
}

/* In a child: as nobody, before a directory of root's that only its group may enter. 0, or 1. */
static int
knock_as_nobody(const char *directory, const char *says, const char *absent)
{
	struct said said;
	char line[128];
	int wrong;

	if ((setgroups(0, NULL) | setresgid(65534, 65534, 65534) |
		setresuid(65534, 65534, 65534)) != 0)
		return 99;
	snprintf(line, sizeof line, "ringcast stat --socket %s/p.sock", directory);
	said = ctl_say(&plain, line);
	wrong = said.code != CTL_FAILED || strstr(said.err, says) == NULL ||
		strstr(said.err, absent) != NULL;
	if (wrong)
		fprintf(stderr, "# %s", said.err);
	said_free(&said);
	return wrong;
}

/* Joining root, or a group without a name, is no advice. */
static void
who_may_not_use_the_socket_is_advised_by_its_group(void **state)
{
	static const struct {
		gid_t group;
		const char *says, *absent;
	} table[] = {{0, "set publish_group in the configuration", "usermod"},
	    {61999, "the group 61999, which has no name", "usermod"},
	    {1, "usermod -aG daemon USER", "publish_group"}};
	char directory[] = "/tmp/ringcast-shut-XXXXXX";

	(void)state;
	if (geteuid() != 0 || getgrgid(1) == NULL || strcmp(getgrgid(1)->gr_name, "daemon") != 0)
		skip();
	assert_non_null(mkdtemp(directory));
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		int status;
		pid_t child;

		assert_int_equal(chown(directory, 0, table[i].group), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			_exit(knock_as_nobody(directory, table[i].says, table[i].absent));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	rmdir(directory);
}

static void
a_configuration_is_checked_with_the_paths_of_its_mistakes(void **state)
{
	char path[] = "/tmp/ringcast-check-XXXXXX", line[64];
	static const char good[] = "{\"workers\": 2}", bad[] = "{\"workers\": -2, \"lisen\": []}";
	int fd = mkstemp(path);
	struct said said;

	(void)state;
	assert_true(fd >= 0);
	snprintf(line, sizeof line, "ringcast check %s", path);
	assert_int_equal(write(fd, good, sizeof good - 1), sizeof good - 1);
	said = ctl_say(&plain, line);
	assert_int_equal(said.code, CTL_OK);
	assert_non_null(strstr(said.out, "no mistakes"));
	said_free(&said);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, bad, sizeof bad - 1, 0), sizeof bad - 1);
	said = ctl_say(&plain, line);
	assert_int_equal(said.code, CTL_FAILED);
	assert_non_null(strstr(said.err, "workers: "));
	assert_non_null(strstr(said.err, "lisen: "));
	said_free(&said);
	close(fd);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_wrong_command_line_is_told_and_has_its_exit_code),
	    cmocka_unit_test(help_and_version_go_to_standard_output),
	    cmocka_unit_test(options_and_operands_are_told_apart),
	    cmocka_unit_test(numbers_are_digits_within_their_range),
	    cmocka_unit_test(without_a_socket_anywhere_both_places_are_named),
	    cmocka_unit_test(who_may_not_use_the_socket_is_advised_by_its_group),
	    cmocka_unit_test(a_configuration_is_checked_with_the_paths_of_its_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
