/*
 * client.c: see client.h.
 */
#include "master/ctl/client.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "master/publish_path.h"
#include "proto/json.h"

#define CONNECT_TIMEOUT_MS 5000
#define READ_BYTES 65536
#define HEAD_BYTES_MAX 65536
#define BODY_BYTES_MAX (UINT64_C(64) << 20)

/* ---- the publish socket ------------------------------------------------------------------------------- */

static const char *
source_text(enum publish_path_source source)
{
	switch (source) {
	case PUBLISH_PATH_GIVEN:
		return "from --socket";
	case PUBLISH_PATH_ENVIRONMENT:
		return "from RINGCAST_SOCKET";
	case PUBLISH_PATH_RUNTIME_DIR:
		return "in XDG_RUNTIME_DIR";
	case PUBLISH_PATH_SYSTEM:
		return "the system's default";
	}
	return "";
}

/* The group that may use the path: of the socket, or of the first directory that can be looked at. */
static gid_t
group_of(const char *path)
{
	char directory[PUBLISH_PATH_BYTES];
	struct stat found;

	snprintf(directory, sizeof directory, "%s", path);
	while (stat(directory, &found) == -1) {
		char *slash = strrchr(directory, '/');

		if (slash == NULL || slash == directory)
			return 0;
		*slash = '\0';
	}
	return found.st_gid;
}

/* Nobody is advised to join the group root: it opens more than a socket. */
static void
tell_forbidden(struct ctl *c, const char *path, enum publish_path_source source)
{
	gid_t gid = group_of(path);
	const struct group *group = getgrgid(gid);

	if (gid == 0)
		ctl_fail(c,
		    "may not use the publish socket %s (%s): it is for its user. Run this as that user, "
		    "or set publish_group in the configuration to a group that both are in",
		    path, source_text(source));
	else if (group == NULL)
		ctl_fail(c,
		    "may not use the publish socket %s (%s): it is for the group %u, which has no name to join it by. "
		    "Set publish_group in the configuration or, for the systemd unit, Group=",
		    path, source_text(source), (unsigned)gid);
	else
		ctl_fail(c,
		    "may not use the publish socket %s (%s): it is for the group %s. "
		    "Join it (as root: usermod -aG %s USER, then log in again), or run this as its user",
		    path, source_text(source), group->gr_name, group->gr_name);
}

/* Tells why the socket cannot be used, and what to do. */
static void
tell_unreachable(struct ctl *c, const char *path, enum publish_path_source source, int error)
{
	switch (error) {
	case EACCES:
		tell_forbidden(c, path, source);
		break;
	case ENOENT:
		ctl_fail(c,
		    "there is no publish socket %s (%s): is ringcastd running? "
		    "If it is elsewhere, say where with --socket or RINGCAST_SOCKET",
		    path, source_text(source));
		break;
	case ECONNREFUSED:
		ctl_fail(c,
		    "nobody listens on the publish socket %s (%s): ringcastd has ended without removing it; start it",
		    path, source_text(source));
		break;
	default:
		ctl_fail(c, "cannot connect to the publish socket %s (%s): %s", path,
		    source_text(source), strerror(error));
	}
}

static bool
take_descriptor(struct client *client, int fd)
{
	*client = (struct client){.fd = fd};
	return fcntl(fd, F_SETFL, O_NONBLOCK) != -1;
}

bool
client_open_socket(struct client *client, struct ctl *c, const char *given)
{
	char path[PUBLISH_PATH_BYTES];
	enum publish_path_source source;
	int fd, error;

	*client = (struct client){.fd = -1};
	if (publish_path_choose(given, c->socket, c->directory, c->uid, path, &source) == -1) {
		ctl_fail(c,
		    "the path of the publish socket (%s) is longer than a socket's may be (%zu bytes)",
		    source_text(source), PUBLISH_PATH_BYTES - 1);
		return false;
	}
	fd = publish_path_connect(path);
	error = errno;
	/* A user who has no server of his own means the system's. */
	if (fd == -1 && source == PUBLISH_PATH_RUNTIME_DIR &&
	    (error == ENOENT || error == ECONNREFUSED)) {
		fd = publish_path_connect(PUBLISH_PATH_DEFAULT);
		if (fd == -1) {
			tell_unreachable(c, path, source, error);
			tell_unreachable(c, PUBLISH_PATH_DEFAULT, PUBLISH_PATH_SYSTEM, errno);
			return false;
		}
	}
	if (fd == -1) {
		tell_unreachable(c, path, source, error);
		return false;
	}
	return take_descriptor(client, fd);
}

/* ---- a server ----------------------------------------------------------------------------------------- */

/* Connects within the deadline. The descriptor, or -1 with errno. */
static int
connect_address(const struct sockaddr *address, socklen_t len)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error = 0;
	socklen_t error_len = sizeof error;

	if (fd == -1)
		return -1;
	if (connect(fd, address, len) == 0)
		return fd;
	if (errno == EINPROGRESS) {
		struct pollfd wait = {.fd = fd, .events = POLLOUT};

		if (poll(&wait, 1, CONNECT_TIMEOUT_MS) != 1)
			error = ETIMEDOUT;
		else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) == 0 &&
			 error == 0)
			return fd;
	} else {
		error = errno;
	}
	close(fd);
	errno = error;
	return -1;
}

static int
connect_unix(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof address.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	return connect_address((struct sockaddr *)&address, sizeof address);
}

/* Tries every address of the host. *why: what to say instead of errno's text. */
static int
connect_host(const struct url *url, const char **why)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *found = NULL;
	int error = getaddrinfo(url->host, url->port, &hints, &found);
	int fd = -1;

	if (error != 0) {
		*why = gai_strerror(error);
		return -1;
	}
	for (const struct addrinfo *at = found; at != NULL && fd == -1; at = at->ai_next)
		fd = connect_address(at->ai_addr, at->ai_addrlen);
	error = errno;
	freeaddrinfo(found);
	errno = error;
	return fd;
}

bool
client_open_url(struct client *client, struct ctl *c, const struct url *url, bool quiet)
{
	const char *why = NULL;
	int fd = url->host[0] == '\0' ? connect_unix(url->file) : connect_host(url, &why);

	*client = (struct client){.fd = -1};
	if (fd != -1)
		return take_descriptor(client, fd);
	if (!quiet)
		ctl_fail(c,
		    "cannot connect to %s: %s. Is ringcastd running, and is this its \"listen\"? "
		    "--url or RINGCAST_URL names another",
		    url->host[0] == '\0' ? url->file : url->authority,
		    why != NULL ? why : strerror(errno));
	return false;
}

void
client_close(struct client *client)
{
	if (client->fd != -1)
		close(client->fd);
	publish_buffer_free(&client->in);
	publish_buffer_free(&client->out);
	client->fd = -1;
}

/* ---- bytes -------------------------------------------------------------------------------------------- */

bool
client_put(struct client *client, struct slice bytes)
{
	return publish_buffer_put(&client->out, bytes);
}

static enum client_result
send_some(struct client *client)
{
	struct slice unsent = publish_buffer_content(&client->out);
	ssize_t n = send(client->fd, unsent.bytes, unsent.len, MSG_NOSIGNAL);

	if (n > 0)
		publish_buffer_drop(&client->out, (size_t)n);
	/* A server that has refused says why: what it said can still be read. */
	else if (n == -1 && (errno == EPIPE || errno == ECONNRESET))
		publish_buffer_clear(&client->out);
	else if (n == -1 && errno != EAGAIN && errno != EINTR)
		return CLIENT_FAILED;
	return CLIENT_OK;
}

static enum client_result
receive_some(struct client *client)
{
	ssize_t n;
	struct out room;

	if (!publish_buffer_reserve(&client->in, READ_BYTES)) {
		errno = ENOMEM;
		return CLIENT_FAILED;
	}
	room = publish_buffer_out(&client->in);
	n = recv(client->fd, room.bytes, room.cap, 0);
	if (n == 0)
		return CLIENT_ENDED;
	if (n == -1)
		return errno == EAGAIN || errno == EINTR ? CLIENT_OK
		       : errno == ECONNRESET             ? CLIENT_ENDED
							 : CLIENT_FAILED;
	room.len = room.need = (size_t)n;
	publish_buffer_took(&client->in, &room);
	return CLIENT_OK;
}

enum client_result
client_wait(struct client *client, int timeout_ms, int other, bool *readable)
{
	struct pollfd wait[2] = {
	    {.fd = client->fd, .events = POLLIN}, {.fd = other, .events = POLLIN}};
	enum client_result result = CLIENT_OK;
	int count;

	if (client->out.len != 0)
		wait[0].events |= POLLOUT;
	count = poll(wait, 2, timeout_ms);
	if (readable != NULL)
		*readable = count > 0 && wait[1].revents != 0;
	if (count == 0)
		return CLIENT_TIMEOUT;
	if (count == -1)
		return errno == EINTR ? CLIENT_OK : CLIENT_FAILED;
	if ((wait[0].revents & (POLLOUT | POLLERR)) != 0 && client->out.len != 0)
		result = send_some(client);
	if (result == CLIENT_OK && (wait[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
		result = receive_some(client);
	return result;
}

/* ---- answers ------------------------------------------------------------------------------------------ */

enum client_result
client_head(struct client *client, int timeout_ms, struct http_reply *reply, size_t *head_len)
{
	for (;;) {
		ptrdiff_t n =
		    http_reply_parse(reply, publish_buffer_content(&client->in), 0, HEAD_BYTES_MAX);
		enum client_result result;

		if (n < 0)
			return CLIENT_MALFORMED;
		if (n > 0 && reply->status != 100) {
			*head_len = (size_t)n;
			return CLIENT_OK;
		}
		if (n > 0) {
			publish_buffer_drop(&client->in, (size_t)n);
			continue;
		}
		result = client_wait(client, timeout_ms, -1, NULL);
		if (result != CLIENT_OK)
			return result;
	}
}

/* Moves what is there of a body from `in` to the answer. */
static enum client_result
take_body(struct client *client, struct http_body *body, struct client_answer *answer)
{
	while (!http_body_complete(body) && client->in.len != 0) {
		struct slice data;
		ptrdiff_t n = http_body_next(body, publish_buffer_content(&client->in), &data);

		if (n < 0)
			return CLIENT_MALFORMED;
		if (n == 0)
			break;
		if (!publish_buffer_put(&answer->body, data)) {
			errno = ENOMEM;
			return CLIENT_FAILED;
		}
		publish_buffer_drop(&client->in, (size_t)n);
	}
	return CLIENT_OK;
}

enum client_result
client_answer(struct client *client, int timeout_ms, struct client_answer *answer)
{
	struct http_reply reply;
	struct http_body body;
	struct slice retry;
	size_t head_len;
	enum client_result result = client_head(client, timeout_ms, &reply, &head_len);
	uint64_t seconds;

	*answer = (struct client_answer){0};
	if (result != CLIENT_OK)
		return result;
	answer->status = reply.status;
	answer->keep_alive = reply.keep_alive;
	retry = http_reply_field(&reply, SLICE_LITERAL("Retry-After"));
	if (retry.len != 0 && http_decimal(retry, &seconds) && seconds < 3600)
		answer->retry_after_s = (unsigned)seconds;
	if (http_body_start(&body, reply.framing, reply.content_length, BODY_BYTES_MAX) < 0)
		return CLIENT_MALFORMED;
	publish_buffer_drop(&client->in, head_len);
	for (;;) {
		result = take_body(client, &body, answer);
		if (result != CLIENT_OK || http_body_complete(&body))
			return result;
		result = client_wait(client, timeout_ms, -1, NULL);
		if (result == CLIENT_ENDED && reply.framing == HTTP_FRAMING_UNTIL_CLOSE)
			return CLIENT_OK;
		if (result != CLIENT_OK)
			return result;
	}
}

const char *
client_text(enum client_result result)
{
	switch (result) {
	case CLIENT_OK:
		return "done";
	case CLIENT_TIMEOUT:
		return "no answer in time";
	case CLIENT_ENDED:
		return "the server closed the connection";
	case CLIENT_FAILED:
		return strerror(errno);
	case CLIENT_MALFORMED:
		return "what answers there does not speak HTTP";
	}
	return "";
}

/* The string member of an object, unescaped into text; false when it is not there or does not fit. */
static bool
string_member(struct slice object, struct slice name, char *text, size_t size, struct slice *raw)
{
	struct json_walk walk;
	struct json_value value;
	struct slice key;
	size_t at;

	if (json_walk_open(&walk, object, &at) != 1 || !walk.object)
		return false;
	while (json_walk_next(&walk, &key, &value, &at) == 1) {
		struct out o = out_to(text, size - 1);

		if (!json_string_equals(key, name))
			continue;
		*raw = value.raw;
		if (value.raw.bytes[0] != '"')
			return true;
		json_unescape(&o, value.raw);
		text[o.len] = '\0';
		return !out_cut(&o);
	}
	return false;
}

void
client_error_text(unsigned status, struct slice body, char *text, size_t size)
{
	char scratch[4], code[64] = "", message[512] = "", path[64] = "";
	struct slice error, raw;

	if (!string_member(body, SLICE_LITERAL("error"), scratch, sizeof scratch, &error) ||
	    !string_member(error, SLICE_LITERAL("code"), code, sizeof code, &raw)) {
		snprintf(text, size, "the server answered with status %u", status);
		return;
	}
	string_member(error, SLICE_LITERAL("message"), message, sizeof message, &raw);
	string_member(error, SLICE_LITERAL("path"), path, sizeof path, &raw);
	snprintf(text, size, "%s: %s%s%s%s", code, message, *path == '\0' ? "" : " (at ", path,
	    *path == '\0' ? "" : ")");
}

void
client_encode(struct out *o, struct slice text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.len; i++) {
		unsigned char b = (unsigned char)text.bytes[i];
		bool plain = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') ||
			     (b >= '0' && b <= '9') || memchr("-._~", b, 4) != NULL;

		if (plain) {
			out_char(o, (char)b);
			continue;
		}
		out_char(o, '%');
		out_char(o, hex[b >> 4]);
		out_char(o, hex[b & 15]);
	}
}
