/*
 * publish_path_test.c: which path is chosen; how the socket's file comes and goes.
 */
#include "tests/unit/master/publish_fixture.h"

#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void
the_path_is_chosen_in_the_order_of_the_contract(void **state)
{
	static const struct {
		const char *given, *environment, *runtime_dir;
		uid_t uid;
		const char *path;
		enum publish_path_source source;
	} table[] = {
	    {"/g", "/e", "/x", 1000, "/g", PUBLISH_PATH_GIVEN},
	    {"", "/e", "/x", 1000, "/e", PUBLISH_PATH_ENVIRONMENT},
	    {NULL, "/e", "/x", 0, "/e", PUBLISH_PATH_ENVIRONMENT},
	    {NULL, "", "/x", 1000, "/x/ringcast/publish.sock", PUBLISH_PATH_RUNTIME_DIR},
	    {NULL, NULL, "/x", 0, "/run/ringcast/publish.sock", PUBLISH_PATH_SYSTEM},
	    {NULL, NULL, NULL, 1000, "/run/ringcast/publish.sock", PUBLISH_PATH_SYSTEM},
	    {NULL, NULL, "relative", 1000, "/run/ringcast/publish.sock", PUBLISH_PATH_SYSTEM},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char path[PUBLISH_PATH_BYTES];
		enum publish_path_source source;

		assert_int_equal(publish_path_choose(table[i].given, table[i].environment,
				     table[i].runtime_dir, table[i].uid, path, &source),
		    0);
		assert_string_equal(path, table[i].path);
		assert_int_equal(source, table[i].source);
	}
}

static void
a_path_longer_than_an_address_is_refused_not_cut(void **state)
{
	char given[PUBLISH_PATH_BYTES + 2], path[PUBLISH_PATH_BYTES];
	enum publish_path_source source;

	(void)state;
	memset(given, 'x', sizeof given);
	given[PUBLISH_PATH_BYTES - 1] = '\0';
	assert_int_equal(publish_path_choose(given, NULL, NULL, 0, path, &source), 0);
	given[PUBLISH_PATH_BYTES - 1] = 'x';
	given[PUBLISH_PATH_BYTES] = '\0';
	assert_int_equal(publish_path_choose(given, NULL, NULL, 0, path, &source), -1);
}

struct place {
	char directory[64];
	char run[96];
	char path[112];
};

static void
place_make(struct place *p)
{
	snprintf(p->directory, sizeof p->directory, "/tmp/ringcast-path-XXXXXX");
	assert_non_null(mkdtemp(p->directory));
	snprintf(p->run, sizeof p->run, "%s/run", p->directory);
	snprintf(p->path, sizeof p->path, "%s/publish.sock", p->run);
}

static void
place_remove(struct place *p)
{
	unlink(p->path);
	rmdir(p->run);
	assert_int_equal(rmdir(p->directory), 0);
}

static void
the_directory_and_the_file_have_their_modes_whatever_the_umask(void **state)
{
	struct place p;
	struct publish_path_file file;
	struct stat found;
	char message[512];
	mode_t mask = umask(0777);
	int fd;

	(void)state;
	umask(mask);
	place_make(&p);
	mask = umask(0777);
	fd = publish_path_listen(p.path, 0660, (gid_t)-1, &file, message, sizeof message);
	assert_int_equal(umask(mask), 0777);
	assert_true(fd >= 0);
	assert_int_equal(stat(p.run, &found), 0);
	assert_int_equal(found.st_mode & 07777, 0750);
	assert_int_equal(lstat(p.path, &found), 0);
	assert_true(S_ISSOCK(found.st_mode));
	assert_int_equal(found.st_mode & 07777, 0660);
	assert_true(
	    (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	close(fd);
	publish_path_unlink(p.path, &file);
	assert_int_equal(access(p.path, F_OK), -1);
	place_remove(&p);
}

static void
a_socket_for_everybody_lies_where_everybody_may_go(void **state)
{
	struct place p;
	struct publish_path_file file;
	struct stat found;
	char message[512];
	int fd;

	(void)state;
	place_make(&p);
	fd = publish_path_listen(p.path, 0666, (gid_t)-1, &file, message, sizeof message);
	assert_true(fd >= 0);
	assert_int_equal(stat(p.run, &found), 0);
	assert_int_equal(found.st_mode & 07777, 0755);
	close(fd);
	publish_path_unlink(p.path, &file);
	place_remove(&p);
}

static void
a_stale_file_is_replaced_and_a_live_one_is_not(void **state)
{
	struct place p;
	struct publish_path_file first, second;
	char message[512] = "";
	int fd, again;

	(void)state;
	place_make(&p);
	fd = publish_path_listen(p.path, 0600, (gid_t)-1, &first, message, sizeof message);
	assert_true(fd >= 0);
	again = publish_path_listen(p.path, 0600, (gid_t)-1, &second, message, sizeof message);
	assert_int_equal(again, -1);
	assert_non_null(strstr(message, "another process is listening on"));
	assert_int_equal(access(p.path, F_OK), 0);
	close(fd);
	again = publish_path_listen(p.path, 0600, (gid_t)-1, &second, message, sizeof message);
	assert_true(again >= 0);
	/* The first one's file is gone; unlinking it now must not take the second one's. */
	if (first.inode != second.inode) {
		publish_path_unlink(p.path, &first);
		assert_int_equal(access(p.path, F_OK), 0);
	}
	close(again);
	publish_path_unlink(p.path, &second);
	place_remove(&p);
}

static void
what_is_no_socket_is_left_alone(void **state)
{
	struct place p;
	struct publish_path_file file;
	char message[512] = "";
	int fd;

	(void)state;
	place_make(&p);
	assert_int_equal(mkdir(p.run, 0700), 0);
	fd = open(p.path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(
	    publish_path_listen(p.path, 0600, (gid_t)-1, &file, message, sizeof message), -1);
	assert_non_null(strstr(message, "is not a socket"));
	assert_int_equal(access(p.path, F_OK), 0);
	place_remove(&p);
}

static void
a_missing_parent_is_named(void **state)
{
	struct publish_path_file file;
	char message[512] = "";

	(void)state;
	assert_int_equal(publish_path_listen("/nonexistent/ringcast/x.sock", 0600, (gid_t)-1, &file,
			     message, sizeof message),
	    -1);
	assert_string_equal(message,
	    "cannot make the directory /nonexistent/ringcast: the one it lies in is missing, "
	    "and only the last level is made");
}

/* Runs in a child, which is nobody. Answers 0 or the number of the row that is wrong. */
static int
listen_as_nobody(void)
{
	static const struct {
		const char *name; /* below a directory of nobody's */
		gid_t group;
		const char *says[3];
	} table[] = {
	    {"publish.sock", 0,
		{"publish.sock to the group root (publish_group)", "not in it", "Group=root"}},
	    {"run/publish.sock", 0,
		{"run to the group root (publish_group)", "not in it", "Group="}},
	    {"publish.sock", 61999, {"to the group 61999 (publish_group)", "Group=61999", ""}},
	    {"shut/publish.sock", (gid_t)-1,
		{"cannot open the directory", "Permission denied; --socket", "XDG_RUNTIME_DIR"}},
	    {"shut/run/publish.sock", (gid_t)-1,
		{"cannot make the directory", "Permission denied; --socket", "RINGCAST_SOCKET"}},
	};
	char base[] = "/tmp/ringcast-nobody-XXXXXX", shut[64], run[64], path[96], message[512];
	struct publish_path_file file;
	int wrong = 0;

	if (geteuid() == 0 && (setgroups(0, NULL) | setresgid(65534, 65534, 65534) |
				  setresuid(65534, 65534, 65534)) != 0)
		return 99;
	if (mkdtemp(base) == NULL)
		return 98;
	snprintf(shut, sizeof shut, "%s/shut", base);
	snprintf(run, sizeof run, "%s/run", base);
	if (mkdir(shut, 0) == -1)
		return 97;
	for (size_t i = 0; i < sizeof table / sizeof *table && wrong == 0; i++) {
		snprintf(path, sizeof path, "%s/%s", base, table[i].name);
		*message = '\0';
		if (publish_path_listen(
			path, 0600, table[i].group, &file, message, sizeof message) != -1)
			wrong = (int)i + 1;
		for (size_t k = 0; k < 3; k++)
			if (strstr(message, table[i].says[k]) == NULL)
				wrong = (int)i + 1;
		if (wrong != 0)
			fprintf(stderr, "# %s: %s\n", path, message);
		/* Nothing is left of what was made before the failure. */
		if (access(run, F_OK) == 0 || unlink(path) == 0)
			wrong = (int)i + 11;
	}
	rmdir(run);
	rmdir(shut);
	return rmdir(base) == 0 ? wrong : 96;
}

static void
what_may_not_be_done_is_told_with_its_remedy(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	assert_true(child >= 0);
	if (child == 0)
		_exit(listen_as_nobody());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_path_is_chosen_in_the_order_of_the_contract),
	    cmocka_unit_test(a_path_longer_than_an_address_is_refused_not_cut),
	    cmocka_unit_test(the_directory_and_the_file_have_their_modes_whatever_the_umask),
	    cmocka_unit_test(a_socket_for_everybody_lies_where_everybody_may_go),
	    cmocka_unit_test(a_stale_file_is_replaced_and_a_live_one_is_not),
	    cmocka_unit_test(what_is_no_socket_is_left_alone),
	    cmocka_unit_test(a_missing_parent_is_named),
	    cmocka_unit_test(what_may_not_be_done_is_told_with_its_remedy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
