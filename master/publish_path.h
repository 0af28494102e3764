/*
 * publish_path.h: where the publish socket is, for the daemon that makes it and the command line that looks for it.
 *
 * The order is that of the contract: --socket (or the configuration's key), RINGCAST_SOCKET,
 * $XDG_RUNTIME_DIR/ringcast/publish.sock (not as root), /run/ringcast/publish.sock.
 */
#ifndef MASTER_PUBLISH_PATH_H
#define MASTER_PUBLISH_PATH_H

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>

#include <stddef.h>

#define PUBLISH_PATH_DEFAULT "/run/ringcast/publish.sock"
#define PUBLISH_PATH_BYTES \
	(sizeof((struct sockaddr_un *)0)->sun_path) /* with the terminating zero */

enum publish_path_source {
	PUBLISH_PATH_GIVEN,       /* --socket or the key "socket" */
	PUBLISH_PATH_ENVIRONMENT, /* RINGCAST_SOCKET */
	PUBLISH_PATH_RUNTIME_DIR, /* $XDG_RUNTIME_DIR/ringcast/publish.sock */
	PUBLISH_PATH_SYSTEM,      /* /run/ringcast/publish.sock */
};

/*
 * The path to use. given may be NULL or empty. Environment and user are parameters, so that this is testable; pass
 * secure_getenv's answers and geteuid(). 0, or -1 when the chosen path does not fit a socket address.
 */
int publish_path_choose(const char *given, const char *environment, const char *runtime_dir,
    uid_t uid, char path[PUBLISH_PATH_BYTES], enum publish_path_source *source);

struct publish_path_file {
	dev_t device;
	ino_t inode;
};

/*
 * Listens at path: makes the directory (one level, 0750) when it is missing, replaces a socket file that nobody answers
 * on, gives the file mode and group before anyone can connect. group -1: leave. Returns a non-blocking listener
 * (close-on-exec) and what identifies its file, or -1 with a message.
 */
int publish_path_listen(const char *path, mode_t mode, gid_t group, struct publish_path_file *file,
    char *message, size_t message_size);

/* Unlinks path if it is still the file that publish_path_listen made. */
void publish_path_unlink(const char *path, const struct publish_path_file *file);

/* A blocking connection to the socket at path, or -1 with errno. */
int publish_path_connect(const char *path);

#endif
