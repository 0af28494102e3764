/*
 * listener.c: see listener.h.
 */
#include "master/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTENER_PASSED_FIRST 3 /* SD_LISTEN_FDS_START */
#define LISTENER_NOTSENT_LOWAT \
	LIMIT_KIB(64) /* a stalled client then holds 73 KB of kernel memory, not 4.2 MB */
#define LISTENER_USER_TIMEOUT_MS 30000 /* unacknowledged data for so long: the peer is gone */

/*
 * Without any of these a server still serves: a refusal (an old kernel, a Unix socket) is no error.
 */
static void
listener_tune(int fd)
{
	static const struct {
		int option, value;
	} options[] = {
	    {TCP_NODELAY, 1},
	    {TCP_NOTSENT_LOWAT, (int)LISTENER_NOTSENT_LOWAT},
	    {TCP_USER_TIMEOUT, LISTENER_USER_TIMEOUT_MS},
	};

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		(void)setsockopt(
		    fd, IPPROTO_TCP, options[i].option, &options[i].value, sizeof options[i].value);
}

static const char *
listener_remedy(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "another program listens there; stop it or change \"listen\"";
	case EACCES:
		return "ports below 1024 need CAP_NET_BIND_SERVICE, or a socket passed by systemd";
	case EADDRNOTAVAIL:
		return "no interface of this machine has this address";
	}
	return "";
}

static int
listener_fail(int fd, const char *text, char *message, size_t message_size)
{
	int error = errno;
	const char *remedy = listener_remedy(error);

	snprintf(message, message_size, "cannot listen at %s: %s%s%s", text, strerror(error),
	    remedy[0] == '\0' ? "" : "; ", remedy);
	if (fd != -1)
		close(fd);
	errno = error;
	return -1;
}

int
listener_open(const struct config_address *address, struct publish_path_file *file, char *message,
    size_t message_size)
{
	static const int on = 1;
	int family = address->of.any.sa_family;
	int fd;

	if (family == AF_UNIX)
		return publish_path_listen(
		    address->of.local.sun_path, 0666, (gid_t)-1, file, message, message_size);
	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1 ||
	    (family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == -1) ||
	    bind(fd, &address->of.any, address->len) == -1)
		return listener_fail(fd, address->text, message, message_size);
	listener_tune(fd);
	if (listen(fd, LIMIT_BACKLOG) == -1)
		return listener_fail(fd, address->text, message, message_size);
	return fd;
}

void
listener_text(int fd, char text[LISTENER_TEXT_BYTES])
{
	struct config_address address = {.len = sizeof address.of};
	char host[INET6_ADDRSTRLEN];

	if (getsockname(fd, &address.of.any, &address.len) == -1)
		address.of.any.sa_family = AF_UNSPEC;
	switch (address.of.any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &address.of.v4.sin_addr, host, sizeof host);
		snprintf(text, LISTENER_TEXT_BYTES, "%s:%u", host, ntohs(address.of.v4.sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &address.of.v6.sin6_addr, host, sizeof host);
		snprintf(
		    text, LISTENER_TEXT_BYTES, "[%s]:%u", host, ntohs(address.of.v6.sin6_port));
		break;
	case AF_UNIX:
		snprintf(text, LISTENER_TEXT_BYTES, "unix:%s", address.of.local.sun_path);
		break;
	default:
		snprintf(text, LISTENER_TEXT_BYTES, "descriptor %d", fd);
		break;
	}
}

/* A number of the environment, or -1. */
static long
listener_environment(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long n;

	if (text == NULL || *text == '\0')
		return -1;
	n = strtol(text, &end, 10);
	return *end == '\0' && n >= 0 ? n : -1;
}

static int
listener_take_one(int fd, char *message, size_t message_size)
{
	int type = 0, accepting = 0, flags = fcntl(fd, F_GETFL);
	socklen_t len = sizeof type;

	if (flags == -1 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &len) == -1 ||
	    type != SOCK_STREAM || !accepting) {
		snprintf(message, message_size,
		    "descriptor %d, passed by systemd, is not a listening stream socket", fd);
		return -1;
	}
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1) {
		snprintf(message, message_size, "descriptor %d, passed by systemd: %s", fd,
		    strerror(errno));
		return -1;
	}
	listener_tune(fd);
	return 0;
}

int
listener_take_passed(struct listener_passed *passed, char *message, size_t message_size)
{
	const char *names = getenv("LISTEN_FDNAMES");
	long pid = listener_environment("LISTEN_PID"), count = listener_environment("LISTEN_FDS");
	char *rest = passed->names, *name;

	passed->count = 0;
	snprintf(passed->names, sizeof passed->names, "%s", names == NULL ? "" : names);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (pid != (long)getpid() || count <= 0)
		return 0;
	if (count > LISTENER_PASSED_MAX) {
		snprintf(message, message_size,
		    "%ld sockets were passed by systemd; at most %d fit", count,
		    LISTENER_PASSED_MAX);
		return -1;
	}
	for (int i = 0; i < (int)count; i++) {
		name = strsep(&rest, ":");
		passed->of[i].fd = LISTENER_PASSED_FIRST + i;
		passed->of[i].name = name == NULL ? "" : name;
		if (listener_take_one(passed->of[i].fd, message, message_size) == -1)
			return -1;
	}
	passed->count = (size_t)count;
	return 0;
}
