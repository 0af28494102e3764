/*
 * talk.h: one WebSocket at a time, blocking, for tests that look at single messages.
 */
#ifndef TESTS_LIB_TALK_H
#define TESTS_LIB_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/wire.h"

struct talk {
	int fd;
	int status; /* of the handshake */
	size_t len, taken;
	char in[65536];
};

/*
 * Connects and upgrades GET `resource`; false when that is not answered by 101 (then `status`
 * tells).
 */
bool talk_open(struct talk *w, uint16_t port, const char *resource, const char *fields);
void talk_close(struct talk *w);

/* Bytes as they are. */
bool talk_raw(struct talk *w, const void *bytes, size_t len);
/* A text message. */
bool talk_say(struct talk *w, const char *message);
/*
 * The next frame, whatever it is; its payload lives until the next call. False at the end or after
 * ms.
 */
bool talk_frame(struct talk *w, struct wire_ws *frame, unsigned ms);
/* The next text message that is not a `live`. */
bool talk_next(struct talk *w, struct text *message, unsigned ms);
/* Reads until the connection ends: the close code received, 0 when there was none. */
uint16_t talk_end(struct talk *w, unsigned ms);

#endif
