/*
 * publish_path.c: choosing, making and removing the publish socket's file. See publish_path.h.
 *
 * Nobody can connect before listen(2), and by then the file has its mode and group: there is no moment at which a stranger
 * gets in. Two daemons that start at once are kept apart by a lock on the directory, held from the look at the old file to
 * listen(2); without it each could take the other's fresh socket for a stale one.
 */
#include "master/publish_path.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DIRECTORY_MODE 0750
#define DIRECTORY_MODE_PUBLIC 0755 /* for a socket that everybody may write to */
#define LISTEN_BACKLOG 512
#define LOCK_TRIES 100
#define LOCK_PAUSE_NS 10000000

int
publish_path_choose(const char *given, const char *environment, const char *runtime_dir, uid_t uid,
    char path[PUBLISH_PATH_BYTES], enum publish_path_source *source)
{
	int len;

	if (given != NULL && *given != '\0') {
		*source = PUBLISH_PATH_GIVEN;
		len = snprintf(path, PUBLISH_PATH_BYTES, "%s", given);
	} else if (environment != NULL && *environment != '\0') {
		*source = PUBLISH_PATH_ENVIRONMENT;
		len = snprintf(path, PUBLISH_PATH_BYTES, "%s", environment);
	} else if (uid != 0 && runtime_dir != NULL && *runtime_dir == '/') {
		*source = PUBLISH_PATH_RUNTIME_DIR;
		len = snprintf(path, PUBLISH_PATH_BYTES, "%s/ringcast/publish.sock", runtime_dir);
	} else {
		*source = PUBLISH_PATH_SYSTEM;
		len = snprintf(path, PUBLISH_PATH_BYTES, "%s", PUBLISH_PATH_DEFAULT);
	}
	return len >= 0 && (size_t)len < PUBLISH_PATH_BYTES ? 0 : -1;
}

/* The address of a path; 0, or -1 when it does not fit. */
static int
address_of(const char *path, struct sockaddr_un *address)
{
	size_t len = strlen(path);

	memset(address, 0, sizeof *address);
	address->sun_family = AF_UNIX;
	if (len == 0 || len >= sizeof address->sun_path) {
		errno = len == 0 ? ENOENT : ENAMETOOLONG;
		return -1;
	}
	memcpy(address->sun_path, path, len);
	return 0;
}

int
publish_path_connect(const char *path)
{
	struct sockaddr_un address;
	int fd, saved;

	if (address_of(path, &address) == -1)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* The directory of a path, "." when it has none. */
static void
directory_of(const char *path, char directory[PUBLISH_PATH_BYTES])
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		snprintf(directory, PUBLISH_PATH_BYTES, ".");
	else if (slash == path)
		snprintf(directory, PUBLISH_PATH_BYTES, "/");
	else
		snprintf(directory, PUBLISH_PATH_BYTES, "%.*s", (int)(slash - path), path);
}

/* "cannot DO PATH: why", and where it helps what to do. Uses errno. */
static void
tell(char *message, size_t message_size, const char *what, const char *path)
{
	const char *remedy = "";

	if (errno == EACCES || errno == EPERM || errno == EROFS)
		remedy =
		    "; --socket, RINGCAST_SOCKET or XDG_RUNTIME_DIR (not as root) name another place";
	snprintf(message, message_size, "cannot %s %s: %s%s", what, path, strerror(errno), remedy);
}

/* Gives a file to the group; -1 with a message. */
static int
give_to(gid_t group, const char *path, char *message, size_t message_size)
{
	const struct group *found;
	char name[64];
	int error;

	if (group == (gid_t)-1 || lchown(path, (uid_t)-1, group) == 0)
		return 0;
	error = errno;
	found = getgrgid(group);
	if (found != NULL)
		snprintf(name, sizeof name, "%s", found->gr_name);
	else
		snprintf(name, sizeof name, "%u", (unsigned)group);
	if (error == EPERM)
		snprintf(message, message_size,
		    "cannot give %s to the group %s (publish_group): this user is not in it. With the systemd "
		    "unit, leave publish_group out and set Group=%s there",
		    path, name, name);
	else
		snprintf(message, message_size,
		    "cannot give %s to the group %s (publish_group): %s", path, name,
		    strerror(error));
	return -1;
}

/* Makes the directory when it is missing; a parent that is missing is not ours to make. */
static int
make_directory(const char *directory, mode_t mode, gid_t group, char *message, size_t message_size)
{
	mode_t mask;
	int made;

	mask = umask(0);
	made = mkdir(directory, (mode & 0002) != 0 ? DIRECTORY_MODE_PUBLIC : DIRECTORY_MODE);
	umask(mask);
	if (made == -1 && errno == EEXIST)
		return 0;
	if (made == 0) {
		if (give_to(group, directory, message, message_size) == 0)
			return 0;
		rmdir(directory);
	} else if (errno == ENOENT) {
		snprintf(message, message_size,
		    "cannot make the directory %s: the one it lies in is missing, and only the last level is made",
		    directory);
	} else {
		tell(message, message_size, "make the directory", directory);
	}
	return -1;
}

/* Opens and locks the directory; the lock ends with the descriptor. */
static int
lock_directory(const char *directory, char *message, size_t message_size)
{
	static const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1) {
		tell(message, message_size, "open the directory", directory);
		return -1;
	}
	for (int tries = 0; tries < LOCK_TRIES; tries++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return fd;
		if (errno != EWOULDBLOCK && errno != EINTR)
			break;
		nanosleep(&pause, NULL);
	}
	snprintf(
	    message, message_size, "cannot lock the directory %s: %s", directory, strerror(errno));
	close(fd);
	return -1;
}

/* Removes a socket file that nobody listens on. 0: the path is free. */
static int
clear_stale(const char *path, const struct sockaddr_un *address, char *message, size_t message_size)
{
	struct stat found;
	int fd, connected, error;

	if (lstat(path, &found) == -1) {
		if (errno == ENOENT)
			return 0;
		snprintf(message, message_size, "cannot look at %s: %s", path, strerror(errno));
		return -1;
	}
	if (!S_ISSOCK(found.st_mode)) {
		snprintf(message, message_size,
		    "%s exists and is not a socket: remove it or choose another path", path);
		return -1;
	}
	/* Non-blocking: a listener with a full backlog answers EAGAIN, and is alive. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1) {
		snprintf(message, message_size, "cannot make a socket: %s", strerror(errno));
		return -1;
	}
	connected = connect(fd, (const struct sockaddr *)address, sizeof *address);
	error = errno;
	close(fd);
	if (connected == 0 || error == EAGAIN) {
		snprintf(message, message_size,
		    "another process is listening on %s: stop it, or choose another path with --socket",
		    path);
		return -1;
	}
	if (error != ECONNREFUSED && error != ENOENT) {
		snprintf(message, message_size, "cannot tell whether %s is in use: %s", path,
		    strerror(error));
		return -1;
	}
	if (unlink(path) == -1 && errno != ENOENT) {
		snprintf(message, message_size, "cannot replace the stale %s: %s", path,
		    strerror(errno));
		return -1;
	}
	return 0;
}

/* Binds, sets mode and group, listens. Unlinks again what it made when a step fails; -1 with a message. */
static int
bind_and_listen(int fd, const char *path, const struct sockaddr_un *address, mode_t mode,
    gid_t group, struct publish_path_file *file, char *message, size_t message_size)
{
	struct stat made;
	mode_t mask = umask(0777);
	int bound = bind(fd, (const struct sockaddr *)address, sizeof *address);

	umask(mask);
	if (bound == -1) {
		tell(message, message_size, "listen on", path);
		return -1;
	}
	if (give_to(group, path, message, message_size) == -1) {
		unlink(path);
		return -1;
	}
	if (chmod(path, mode) == 0 && lstat(path, &made) == 0 && listen(fd, LISTEN_BACKLOG) == 0) {
		*file = (struct publish_path_file){made.st_dev, made.st_ino};
		return 0;
	}
	tell(message, message_size, "listen on", path);
	unlink(path);
	return -1;
}

int
publish_path_listen(const char *path, mode_t mode, gid_t group, struct publish_path_file *file,
    char *message, size_t message_size)
{
	char directory[PUBLISH_PATH_BYTES];
	struct sockaddr_un address;
	int fd = -1, lock;

	if (address_of(path, &address) == -1) {
		snprintf(message, message_size,
		    "the path is longer than a socket's may be (%zu bytes): %s",
		    PUBLISH_PATH_BYTES - 1, path);
		return -1;
	}
	directory_of(path, directory);
	if (make_directory(directory, mode, group, message, message_size) == -1)
		return -1;
	lock = lock_directory(directory, message, message_size);
	if (lock == -1)
		return -1;
	if (clear_stale(path, &address, message, message_size) == -1)
		goto fail;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1) {
		tell(message, message_size, "make a socket for", path);
		goto fail;
	}
	if (bind_and_listen(fd, path, &address, mode, group, file, message, message_size) == -1)
		goto fail;
	close(lock);
	return fd;
fail:
	if (fd != -1)
		close(fd);
	close(lock);
	return -1;
}

void
publish_path_unlink(const char *path, const struct publish_path_file *file)
{
	struct stat found;

	if (lstat(path, &found) == 0 && S_ISSOCK(found.st_mode) && found.st_dev == file->device &&
	    found.st_ino == file->inode)
		unlink(path);
}
