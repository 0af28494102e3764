/*
 * notify.h: tells systemd how the service is doing (sd_notify(3)), without its library: one
 * datagram to NOTIFY_SOCKET.
 */
#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H

#include <sys/socket.h>
#include <sys/un.h>

struct notify {
	struct sockaddr_un address;
	socklen_t len; /* 0: nobody asked */
};

/* Reads NOTIFY_SOCKET and removes it from the environment, so that workers do not speak for us. */
void notify_open(struct notify *notify);

/*
 * Sends "NAME=value" lines, such as "READY=1\nSTATUS=serving". A service manager that does not
 * listen is no error.
 */
void notify_send(const struct notify *notify, const char *text);

/* RELOADING=1 with the clock that Type=notify-reload wants. */
void notify_reloading(const struct notify *notify);

#endif
