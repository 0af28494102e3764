/*
 * server.h: a ringcastd of one's own for a test: booted in a fresh directory, watched, stopped, and
 * examined afterwards.
 *
 * The programs are taken from RINGCAST_BIN (default build/release). E2E_IO in the environment goes
 * into the configuration as `io`, unless `members` has its own. The server's life is tied to
 * the test's: it gets SIGKILL when the test dies. Orphans of the server come to the test (it is
 * made a subreaper), so that a child left behind is seen by server_stop().
 */
#ifndef TESTS_LIB_SERVER_H
#define TESTS_LIB_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/lib/tap.h"
#include "tests/lib/wire.h"

#define SERVER_WORKERS_MAX 64

struct server_options {
	unsigned workers;       /* 0: 2 */
	const char *ring_bytes; /* a JSON value, NULL: "\"64MiB\"" */
	/* Further members of the configuration, without a leading comma; NULL: none. */
	const char *members;
	const char *socket;   /* path of the publish socket, NULL: in the server's directory */
	const char *prefix;   /* what path_prefix among the members is; NULL: "" */
	bool everywhere;      /* listens on [::1] and on a Unix socket, too */
	unsigned descriptors; /* RLIMIT_NOFILE, 0: as it is */
	int cpu;              /* pin the server to cpu - 1; 0: anywhere */
	unsigned ready_ms;    /* how long readiness may take; 0: 10 s */
};

struct server {
	pid_t pid;
	uint16_t port;
	char dir[64];
	char socket[128];
	char public_socket[96]; /* with `everywhere` */
	char config[96];
	char log[96];
	struct server_options options;
};

/*
 * Boots a server and waits until /readyz says 200; false (and a note with the log's end) when it
 * does not.
 */
bool server_start(struct server *s, const struct server_options *options);

/*
 * Writes the configuration again with other `members` (for a reload). The file only; send SIGHUP
 * yourself.
 */
void server_configure(struct server *s, const char *members);

/*
 * Runs a program of RINGCAST_BIN (argv[0] is its bare name) with standard output and error in
 * `output`; exit code, or 128 + signal, or -1 when it did not end within ms (it is killed then).
 */
int server_run(const char *const argv[], const char *input, char *output, size_t cap, unsigned ms);

/* Path of a program of RINGCAST_BIN. */
void server_program(const char *name, char *path, size_t cap);

size_t server_workers(const struct server *s, pid_t pids[SERVER_WORKERS_MAX]);
struct wire_target server_public(const struct server *s);
struct wire_target server_private(const struct server *s);

/* Waits until a line of the log contains `text`. */
bool server_log_has(const struct server *s, const char *text, unsigned ms);
/* Lines of the log that contain `text`. */
unsigned server_log_count(const struct server *s, const char *text);

/*
 * SIGTERM, then the aftermath, one TAP line each: exit status 0 in time, no child left, no
 * sanitizer report, no error line in the log except such as contain `expected` (NULL: none),
 * nothing of its in /dev/shm. Removes the directory when all is well, and names it otherwise.
 */
void server_stop(struct tap *t, struct server *s, const char *expected);
/* The aftermath alone, for a server that has ended by other means. */
void server_aftermath(struct tap *t, struct server *s, const char *expected);

#endif
