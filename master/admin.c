/*
 * admin.c: see admin.h. Its sessions are those of the publish socket with another role: routes that only tell, bounded
 * in number, not allowed to idle.
 */
#include "master/admin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "master/listener.h"
#include "master/master.h"
#include "master/publish.h"
#include "master/publish_session.h"

#define ACCEPTS_A_TURN 16
#define ACCEPT_PAUSE_MS 100

struct admin_listener {
	struct admin *admin;
	struct loop_source source;
	struct loop_timer pause;
	struct publish_path_file file;
	char path[PUBLISH_PATH_BYTES]; /* of a Unix socket, to be unlinked; else empty */
};

struct admin {
	struct master *m;
	size_t count;
	struct admin_listener of[CONFIG_LISTEN_MAX];
};

static void
accept_again(void *context)
{
	struct admin_listener *listener = context;

	loop_mod(listener->admin->m->loop, &listener->source, EPOLLIN);
}

static void
admit(struct admin *admin, int fd)
{
	struct publish_session_set *set = publish_sessions(admin->m);
	bool full = publish_session_is_full(set, PUBLISH_SESSION_ADMIN);
	struct publish_session *s;

	if (publish_session_is_hopeless(set, PUBLISH_SESSION_ADMIN)) {
		close(fd);
		return;
	}
	s = publish_session_new(set, fd, PUBLISH_SESSION_ADMIN);
	if (s != NULL && full)
		publish_session_refuse(s, ERROR_OVERLOADED, "too many connections to admin_listen");
}

static void
listener_ready(void *context, uint32_t events)
{
	struct admin_listener *listener = context;
	struct master *m = listener->admin->m;

	(void)events;
	for (int n = 0; n < ACCEPTS_A_TURN; n++) {
		int fd = accept4(listener->source.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd != -1) {
			admit(listener->admin, fd);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
			continue; /* this one connection is gone: the next */
		if (loop_timer_set(m->loop, &listener->pause, ACCEPT_PAUSE_MS * LOOP_NS_PER_MS,
			accept_again, listener) == 0)
			loop_mod(m->loop, &listener->source, 0);
		return;
	}
}

static int
open_listener(struct admin *admin, const struct config_address *address)
{
	struct admin_listener *listener = &admin->of[admin->count];
	struct master *m = admin->m;
	char message[512];
	int fd = listener_open(address, &listener->file, message, sizeof message);

	if (fd == -1 && address->optional && errno == EAFNOSUPPORT)
		return 0; /* the IPv6 half of ":9090", on a machine without IPv6 */
	if (fd == -1) {
		log_with(&m->log, LOG_LEVEL_ERROR, "cannot listen for monitoring",
		    log_text("admin_listen", address->text), log_text("reason", message));
		return -1;
	}
	if (loop_add(m->loop, &listener->source, fd, EPOLLIN, listener_ready, listener) == -1) {
		log_errno(&m->log, LOG_LEVEL_ERROR, "cannot watch a listener",
		    log_text("admin_listen", address->text));
		close(fd);
		return -1;
	}
	listener->admin = admin;
	if (address->of.any.sa_family == AF_UNIX)
		memcpy(listener->path, address->of.local.sun_path, sizeof listener->path);
	admin->count++;
	log_with(&m->log, LOG_LEVEL_INFO, "monitoring is open", log_text("address", address->text));
	return 0;
}

int
admin_start(struct master *m)
{
	struct admin *admin = calloc(1, sizeof *admin);

	if (admin == NULL) {
		log_say(&m->log, LOG_LEVEL_ERROR, "no memory for admin_listen");
		return -1;
	}
	admin->m = m;
	m->admin = admin;
	for (size_t i = 0; i < m->config->admin_listen_count; i++) {
		if (open_listener(admin, &m->config->admin_listen[i]) == -1) {
			admin_stop(m);
			return -1;
		}
	}
	return 0;
}

void
admin_stop(struct master *m)
{
	struct admin *admin = m->admin;

	if (admin == NULL)
		return;
	for (size_t i = 0; i < admin->count; i++) {
		struct admin_listener *listener = &admin->of[i];

		loop_timer_clear(m->loop, &listener->pause);
		loop_del(m->loop, &listener->source);
		close(listener->source.fd);
		if (listener->path[0] != '\0')
			publish_path_unlink(listener->path, &listener->file);
	}
	m->admin = NULL;
	free(admin);
}
