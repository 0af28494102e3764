/*
 * client.h: a connection of the command line to the server: bytes with a deadline, and answers of HTTP/1.
 */
#ifndef MASTER_CTL_CLIENT_H
#define MASTER_CTL_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "master/ctl/ctl.h"
#include "master/ctl/url.h"
#include "master/publish_buffer.h"
#include "proto/http_body.h"
#include "proto/http_reply.h"

struct client {
	int fd;                    /* non-blocking; -1: not connected */
	struct publish_buffer in;  /* received, not used */
	struct publish_buffer out; /* to be sent */
};

enum client_result {
	CLIENT_OK,
	CLIENT_TIMEOUT,
	CLIENT_ENDED,     /* the server closed */
	CLIENT_FAILED,    /* errno tells */
	CLIENT_MALFORMED, /* what came is not HTTP */
};

/* Connects to the publish socket: the one given, or else the first that answers. False after telling what was tried. */
bool client_open_socket(struct client *client, struct ctl *c, const char *given);

/* Connects to a server. False after telling why not, unless quiet. */
bool client_open_url(struct client *client, struct ctl *c, const struct url *url, bool quiet);
void client_close(struct client *client);

/* Queues bytes; false when memory is refused. */
bool client_put(struct client *client, struct slice bytes);

/*
 * Waits until something has been received, all of `out` has been sent (if any was there), or the other descriptor (or
 * -1) can be read; *readable tells of the latter.
 */
enum client_result client_wait(struct client *client, int timeout_ms, int other, bool *readable);

/* Sends `out` and waits for an answer's head, passing over 100 Continue; it stays in front of `in`: *head_len bytes. */
enum client_result client_head(
    struct client *client, int timeout_ms, struct http_reply *reply, size_t *head_len);

struct client_answer {
	unsigned status;
	bool keep_alive;
	struct publish_buffer body;
	unsigned retry_after_s; /* 0: none told */
};

/* The head and the whole body of one answer; the caller frees the body. */
enum client_result client_answer(
    struct client *client, int timeout_ms, struct client_answer *answer);

/* Why it did not work, in words. */
const char *client_text(enum client_result result);

/* The code and message of an error answer as "code: message"; status alone where there are none. */
void client_error_text(unsigned status, struct slice body, char *text, size_t size);

/* Appends text percent-encoded as a parameter's value. */
void client_encode(struct out *o, struct slice text);

#endif
