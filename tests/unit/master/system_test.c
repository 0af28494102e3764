/*
 * system_test.c: what stands between the master and the machine: listening sockets, what systemd
 * passes, what it is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/listener.h"
#include "master/master.h"
#include "master/notify.h"

static struct config *
listen_config(const char *list)
{
	struct config_mistakes mistakes = {0};
	char text[512];
	struct config *config;

	snprintf(text, sizeof text, "{\"listen\": [%s]}", list);
	config = config_parse(slice_text(text), NULL, NULL, &mistakes);
	assert_non_null(config);
	return config;
}

static int
open_or_fail(const struct config_address *address, struct publish_path_file *file)
{
	char message[512] = "";
	int fd = listener_open(address, file, message, sizeof message);

	if (fd == -1)
		print_error("%s\n", message);
	return fd;
}

/* One connection to it; what it was accepted as. */
static int
accepted(int listener)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof address;
	int client, server;

	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	client = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, len), 0);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(server != -1);
	close(client);
	return server;
}

static int
option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof value;

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void
listener_gives_its_options_to_what_it_accepts(void **state)
{
	struct config *config = listen_config("\"127.0.0.1:0\"");
	struct publish_path_file file;
	int listener = open_or_fail(&config->listen[0], &file), fd;

	(void)state;
	assert_true(listener != -1);
	assert_true(fcntl(listener, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(listener, F_GETFD) & FD_CLOEXEC);
	fd = accepted(listener);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT), 65536);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 30000);
	close(fd);
	close(listener);
	config_free(config);
}

static void
listener_takes_both_families_of_every_address(void **state)
{
	struct config *config = listen_config("\":0\"");
	struct publish_path_file file;
	int v6 = listener_open(&config->listen[0], &file, (char[256]){0}, 256), v4;
	char text[LISTENER_TEXT_BYTES];

	(void)state;
	assert_int_equal(config->listen_count, 2);
	if (v6 == -1 && errno == EAFNOSUPPORT)
		skip();
	assert_int_equal(option(v6, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	/* The same port for IPv4: they do not get in each other's way. */
	listener_text(v6, text);
	assert_memory_equal(text, "[::]:", 5);
	config->listen[1].of.v4.sin_port = htons((uint16_t)atoi(text + 5));
	v4 = open_or_fail(&config->listen[1], &file);
	assert_true(v4 != -1);
	listener_text(v4, text);
	assert_memory_equal(text, "0.0.0.0:", 8);
	close(v4);
	close(v6);
	config_free(config);
}

static void
listener_makes_and_replaces_a_unix_socket(void **state)
{
	char directory[] = "/tmp/ringcast-system-XXXXXX", list[128], text[LISTENER_TEXT_BYTES];
	struct publish_path_file file;
	struct config *config;
	struct stat s;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(list, sizeof list, "\"unix:%s/public.sock\"", directory);
	config = listen_config(list);
	fd = open_or_fail(&config->listen[0], &file);
	assert_true(fd != -1);
	assert_int_equal(stat(config->listen[0].of.local.sun_path, &s), 0);
	assert_int_equal(s.st_mode & 0777, 0666);
	listener_text(fd, text);
	assert_string_equal(text + 5, config->listen[0].of.local.sun_path);
	close(accepted(fd));
	/* Its owner died without removing it: a stale file. */
	close(fd);
	fd = open_or_fail(&config->listen[0], &file);
	assert_true(fd != -1);
	publish_path_unlink(config->listen[0].of.local.sun_path, &file);
	close(fd);
	assert_int_equal(rmdir(directory), 0);
	config_free(config);
}

static void
listener_says_what_to_do_about_a_privileged_port(void **state)
{
	struct config *config = listen_config("\"127.0.0.1:1\"");
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	pid = fork();
	if (pid == 0) {
		char message[512] = "";
		struct publish_path_file file;
		int fd;

		if (setresuid(65534, 65534, 65534) == -1)
			_exit(1);
		fd = listener_open(&config->listen[0], &file, message, sizeof message);
		/* Where the machine lets everybody use low ports there is nothing to say. */
		if (fd != -1)
			_exit(0);
		_exit(strcmp(message,
			  "cannot listen at 127.0.0.1:1: Permission denied; ports below 1024 need "
			  "CAP_NET_BIND_SERVICE, or a socket passed by systemd") != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	config_free(config);
}

/* Runs in a child: descriptors 3 and up are replaced. Answers 0 or where it went wrong. */
static int
take_passed(bool listening, bool right_pid)
{
	struct listener_passed passed;
	struct config *config = listen_config("\"127.0.0.1:0\"");
	char message[256] = "", pid[32];
	struct publish_path_file file;
	int first = listener_open(&config->listen[0], &file, message, sizeof message);
	int second = listening ? listener_open(&config->listen[0], &file, message, sizeof message)
			       : socket(AF_INET, SOCK_STREAM, 0);

	first = fcntl(first, F_DUPFD, 20);
	second = fcntl(second, F_DUPFD, 20);
	dup2(first, 3);
	dup2(second, 4);
	fcntl(3, F_SETFL, 0);
	snprintf(pid, sizeof pid, "%d", (int)getpid() + (right_pid ? 0 : 1));
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "2", 1);
	setenv("LISTEN_FDNAMES", "publish:", 1);
	if (listener_take_passed(&passed, message, sizeof message) == -1)
		return listening ||
		       strcmp(message,
			   "descriptor 4, passed by systemd, is not a listening stream socket") !=
			   0;
	if (getenv("LISTEN_PID") != NULL || getenv("LISTEN_FDS") != NULL ||
	    getenv("LISTEN_FDNAMES") != NULL)
		return 2;
	if (!right_pid)
		return passed.count == 0 ? 0 : 3;
	if (!listening || passed.count != 2 || passed.of[0].fd != 3 || passed.of[1].fd != 4)
		return 4;
	if (strcmp(passed.of[0].name, "publish") != 0 || strcmp(passed.of[1].name, "") != 0)
		return 5;
	if (!(fcntl(3, F_GETFL) & O_NONBLOCK) || !(fcntl(3, F_GETFD) & FD_CLOEXEC))
		return 6;
	return 0;
}

static void
listener_takes_what_systemd_passes(void **state)
{
	static const struct {
		bool listening, right_pid;
	} cases[] = {{true, true}, {false, true}, {true, false}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(take_passed(cases[i].listening, cases[i].right_pid));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

/* Runs in a child: a whole master that is to refuse what it was passed. */
static int
start_with_two(const char *names)
{
	struct config *config = listen_config("\"127.0.0.1:0\"");
	struct master m = {.config = config, .log = log_to(STDERR_FILENO, LOG_LEVEL_ERROR)};
	char message[256] = "", pid[32], said[512] = "";
	struct publish_path_file file;
	int fds[2], lines[2];

	for (int i = 0; i < 2; i++) {
		fds[i] = listener_open(&config->listen[0], &file, message, sizeof message);
		fds[i] = fcntl(fds[i], F_DUPFD, 20);
	}
	if (pipe(lines) == -1 || (m.log.fd = fcntl(lines[1], F_DUPFD, 20)) == -1)
		return 1;
	lines[0] = fcntl(lines[0], F_DUPFD, 20);
	dup2(fds[0], 3);
	dup2(fds[1], 4);
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "2", 1);
	setenv("LISTEN_FDNAMES", names, 1);
	if (master_open(&m) != -1)
		return 2;
	if (read(lines[0], said, sizeof said - 1) <= 0 ||
	    strstr(said, "too many sockets were passed by systemd name=publish max=1") == NULL)
		return 3;
	master_close(&m);
	return 0;
}

static void
master_takes_no_second_publish_socket_for_a_public_one(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(start_with_two("publish:publish"));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
notify_sends_a_datagram_to_the_socket_that_was_named(void **state)
{
	(void)state;
	for (int abstract = 0; abstract < 2; abstract++) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		struct notify notify;
		char name[64], got[128];
		int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		ssize_t len;

		snprintf(name, sizeof name, "%sringcast-notify-%d", abstract ? "@" : "/tmp/",
		    (int)getpid());
		memcpy(address.sun_path, name, strlen(name));
		if (abstract)
			address.sun_path[0] = '\0';
		assert_int_equal(
		    bind(fd, (struct sockaddr *)&address,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
		    0);
		setenv("NOTIFY_SOCKET", name, 1);
		notify_open(&notify);
		assert_null(getenv("NOTIFY_SOCKET"));
		notify_send(&notify, "READY=1\nSTATUS=x");
		len = recv(fd, got, sizeof got, MSG_DONTWAIT);
		assert_int_equal(len, 16);
		assert_memory_equal(got, "READY=1\nSTATUS=x", 16);
		notify_reloading(&notify);
		len = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
		assert_true(len > 0);
		got[len] = '\0';
		assert_memory_equal(got, "RELOADING=1\nMONOTONIC_USEC=", 27);
		assert_true(strtoull(got + 27, NULL, 10) > 0);
		close(fd);
		unlink(name);
		/* Nobody listens any more, or nobody ever asked: no error, no signal. */
		notify_send(&notify, "STOPPING=1");
		notify_open(&notify);
		notify_send(&notify, "STOPPING=1");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(listener_gives_its_options_to_what_it_accepts),
	    cmocka_unit_test(listener_takes_both_families_of_every_address),
	    cmocka_unit_test(listener_makes_and_replaces_a_unix_socket),
	    cmocka_unit_test(listener_says_what_to_do_about_a_privileged_port),
	    cmocka_unit_test(listener_takes_what_systemd_passes),
	    cmocka_unit_test(master_takes_no_second_publish_socket_for_a_public_one),
	    cmocka_unit_test(notify_sends_a_datagram_to_the_socket_that_was_named),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
