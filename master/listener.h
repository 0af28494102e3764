/*
 * listener.h: listening sockets for clients: made from an address, or passed by systemd
 * (sd_listen_fds(3)).
 *
 * Options are set on the listener; accepted sockets inherit them.
 */
#ifndef MASTER_LISTENER_H
#define MASTER_LISTENER_H

#include <stddef.h>

#include "master/config.h"
#include "master/publish_path.h"

#define LISTENER_TEXT_BYTES 128
#define LISTENER_PASSED_MAX (CONFIG_LISTEN_MAX + 1)

/*
 * A non-blocking listening socket, or -1 with a message that says what to do. For a Unix socket
 * *file identifies its file. errno tells EAFNOSUPPORT apart: this kernel has no such addresses.
 */
int listener_open(const struct config_address *address, struct publish_path_file *file,
    char *message, size_t message_size);

/* The address at which it listens, as `listen` takes it. */
void listener_text(int fd, char text[LISTENER_TEXT_BYTES]);

/*
 * Sockets passed by systemd. The environment that told of them is removed, so that workers do not
 * see it.
 */
struct listener_passed {
	size_t count;
	struct {
		int fd;
		const char *name; /* of LISTEN_FDNAMES; "" when there is none. Lives in `names` */
	} of[LISTENER_PASSED_MAX];
	char names[1024];
};

/*
 * 0 with count 0 when nothing was passed; -1 with a message when something was that is no listening
 * stream socket.
 */
int listener_take_passed(struct listener_passed *passed, char *message, size_t message_size);

#endif
