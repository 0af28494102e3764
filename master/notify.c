/*
 * notify.c: see notify.h.
 */
#include "master/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void
notify_open(struct notify *notify)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path == NULL ? 0 : strlen(path);

	*notify = (struct notify){.len = 0};
	if (len > 1 && len < sizeof notify->address.sun_path &&
	    (path[0] == '/' || path[0] == '@')) {
		notify->address.sun_family = AF_UNIX;
		memcpy(notify->address.sun_path, path, len);
		/* "@" stands for the zero byte with which abstract names begin. */
		if (path[0] == '@')
			notify->address.sun_path[0] = '\0';
		notify->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	}
	unsetenv("NOTIFY_SOCKET");
}

void
notify_send(const struct notify *notify, const char *text)
{
	int fd;

	if (notify->len == 0)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return;
	(void)sendto(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
	    (const struct sockaddr *)&notify->address, notify->len);
	close(fd);
}

void
notify_reloading(const struct notify *notify)
{
	struct timespec now;
	char text[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	notify_send(notify, text);
}
