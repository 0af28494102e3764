/*
 * publish.c: the road into the ring, and the listener of the publish socket. See publish.h.
 *
 * Group commit: publish_event appends, unseen by readers; publish_commit makes all of it visible with one store and one
 * round of the doorbell. Sessions send only in publish_turn, behind the commit.
 */
#include "master/publish.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "master/master.h"
#include "master/publish_path.h"
#include "master/publish_session.h"
#include "shm/doorbell.h"
#include "shm/ring_write.h"

#define ACCEPTS_A_TURN 64
#define ACCEPT_PAUSE_MS 100 /* when descriptors or memory ran out */
#define SHORTAGE_TOLD_MS 60000
#define LAG_SHARE 4 /* a sleeper is rung when it is a quarter of the ring behind, wanted or not */

struct publish {
	struct master *m;
	struct publish_counts counts;
	struct publish_session_set sessions;
	struct loop_source listener;
	struct loop_timer accept_pause;
	uint64_t shortage_told_ns;   /* when the log said last that we cannot accept; 0: never */
	bool pending;                /* appended, not committed */
	struct doorbell_batch batch; /* channels of what is pending */
	bool owns_file;
	char path[PUBLISH_PATH_BYTES];
	struct publish_path_file file;
};

static_assert((int)EVENT_JSON == (int)RECORD_JSON && (int)EVENT_TEXT == (int)RECORD_TEXT &&
		  (int)EVENT_BINARY == (int)RECORD_BINARY,
    "the kinds of data are the same in events and records");

const struct publish_counts *
publish_counts(const struct master *m)
{
	return &m->publish->counts;
}

struct publish_session_set *
publish_sessions(struct master *m)
{
	return &m->publish->sessions;
}

unsigned
publish_session_count(const struct master *m)
{
	return m->publish == NULL ? 0 : m->publish->sessions.count[PUBLISH_SESSION_APPLICATION];
}

/* ---- events ----------------------------------------------------------------------------------------- */

static struct record_slice
record_slice_of(struct slice s)
{
	return (struct record_slice){s.bytes, s.len};
}

/* The event as the ring takes it; channels is the memory for its names. */
static struct ring_write_event
ring_event_of(const struct master *m, const struct event *e,
    struct record_slice channels[LIMIT_EVENT_CHANNELS])
{
	for (uint32_t i = 0; i < e->channel_count; i++)
		channels[i] = record_slice_of(e->channels[i]);
	return (struct ring_write_event){
	    .channels = channels,
	    .channels_count = e->channel_count,
	    .type = record_slice_of(e->type),
	    .data = record_slice_of(e->data),
	    .key = record_slice_of(e->key),
	    .kind = (enum record_kind)e->kind,
	    .now_ms = loop_unix_ms(m->loop),
	};
}

static int
refuse(enum error_code code, const char *text, enum error_code *error, const char **message)
{
	*error = code;
	*message = text;
	return -1;
}

static int
refuse_result(enum ring_result result, enum error_code *error, const char **message)
{
	switch (result) {
	case RING_TOO_LARGE:
		return refuse(ERROR_TOO_LARGE, "the event is larger than a quarter of the ring",
		    error, message);
	case RING_INVALID:
		return refuse(
		    ERROR_BAD_REQUEST, "the event breaks a limit of the ring", error, message);
	case RING_NO_MEMORY:
		return refuse(ERROR_OVERLOADED, "out of memory; try again", error, message);
	case RING_OK:
	case RING_NONE:
	case RING_MORE:
	case RING_DUPLICATE:
	case RING_LAPPED:
	case RING_CORRUPT:
	case RING_NEED:
	case RING_STALE_ID:
		break;
	}
	return refuse(ERROR_INTERNAL, "the ring refused the event", error, message);
}

static int
check_size(
    const struct master *m, const struct event *e, enum error_code *error, const char **message)
{
	if (e->data.len > m->config->max_event_bytes)
		return refuse(
		    ERROR_TOO_LARGE, "the data is larger than max_event_bytes", error, message);
	return 0;
}

int
publish_event_size(struct master *m, const struct event *e, uint64_t *size, enum error_code *error,
    const char **message)
{
	struct record_slice channels[LIMIT_EVENT_CHANNELS];
	struct ring_write_event event;

	if (check_size(m, e, error, message) == -1)
		return -1;
	event = ring_event_of(m, e, channels);
	*size = ring_write_size(m->ring, &event);
	return *size != 0 ? 0 : refuse_result(RING_TOO_LARGE, error, message);
}

bool
publish_make_room(struct master *m, uint64_t bytes, uint64_t largest)
{
	if (ring_write_fits(m->ring, bytes, largest))
		return true;
	publish_commit(m);
	return ring_write_fits(m->ring, bytes, largest);
}

bool
publish_reserve_keys(struct master *m, uint32_t count)
{
	return ring_write_reserve_keys(m->ring, count);
}

/* Notes whom the commit is to wake. */
static void
note_pending(struct master *m, const struct event *e)
{
	struct publish *p = m->publish;

	p->pending = true;
	for (uint32_t i = 0; i < e->channel_count && !p->batch.everything; i++)
		doorbell_batch_add(&p->batch,
		    ring_hash(ring_write_ring(m->ring), e->channels[i].bytes, e->channels[i].len));
}

int
publish_event(struct master *m, const struct event *e, uint64_t *id, bool *duplicate,
    enum error_code *error, const char **message)
{
	struct record_slice channels[LIMIT_EVENT_CHANNELS];
	struct ring_write_event event;
	enum ring_result result;

	if (check_size(m, e, error, message) == -1)
		return -1;
	event = ring_event_of(m, e, channels);
	result = ring_write_append(m->ring, &event, id);
	if (result == RING_TOO_LARGE && m->publish->pending) {
		/* Perhaps only together with what is pending. */
		publish_commit(m);
		result = ring_write_append(m->ring, &event, id);
	}
	*duplicate = result == RING_DUPLICATE;
	if (result == RING_DUPLICATE) {
		m->publish->counts.duplicates++;
		return 0;
	}
	if (result != RING_OK)
		return refuse_result(result, error, message);
	m->publish->counts.events++;
	m->publish->counts.bytes += e->data.len;
	note_pending(m, e);
	return 0;
}

static void
ring_the_bell(struct master *m, const struct doorbell_batch *batch)
{
	size_t count;
	const struct doorbell_sleeper *sleepers = master_sleepers(m, &count);
	unsigned failed;

	doorbell_ring(ring_write_ring(m->ring), sleepers, count, batch,
	    ring_write_ring(m->ring)->size / LAG_SHARE, &failed);
}

void
publish_commit(struct master *m)
{
	struct publish *p = m->publish;

	if (p == NULL || !p->pending)
		return;
	p->pending = false;
	p->counts.commits++;
	ring_write_commit(m->ring);
	ring_the_bell(m, &p->batch);
	doorbell_batch_clear(&p->batch);
}

int
publish_forget(struct master *m, struct slice channel, uint64_t *id, enum error_code *error,
    const char **message)
{
	enum ring_result result;

	publish_commit(m);
	result = ring_write_forget(m->ring, record_slice_of(channel), 0, loop_unix_ms(m->loop), id);
	if (result != RING_OK)
		return refuse_result(result, error, message);
	ring_the_bell(m, NULL);
	return 0;
}

void
publish_turn(struct master *m)
{
	if (m->publish == NULL)
		return;
	publish_commit(m);
	publish_session_set_flush(&m->publish->sessions);
}

/* ---- the listener ------------------------------------------------------------------------------------- */

/* Whether this user may publish; an empty list leaves it to the file's mode. */
static bool
is_allowed(const struct config *config, uid_t uid)
{
	if (config->publish_uid_count == 0)
		return true;
	for (size_t i = 0; i < config->publish_uid_count; i++)
		if (config->publish_uids[i] == uid)
			return true;
	return false;
}

static void
admit(struct publish *p, int fd)
{
	struct publish_session_set *set = &p->sessions;
	struct publish_session *s;
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t len = sizeof peer;
	bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0;
	bool allowed = known && is_allowed(p->m->config, peer.uid);
	bool full = publish_session_is_full(set, PUBLISH_SESSION_APPLICATION);

	/* Strangers may not take the places of those who are allowed, not even to be told so. */
	if (allowed ? publish_session_is_hopeless(set, PUBLISH_SESSION_APPLICATION)
		    : set->count[PUBLISH_SESSION_APPLICATION] >=
			  set->limit[PUBLISH_SESSION_APPLICATION] / 2) {
		p->counts.sessions_refused++;
		close(fd);
		return;
	}
	s = publish_session_new(set, fd, PUBLISH_SESSION_APPLICATION);
	if (s == NULL || (allowed && !full)) {
		p->counts.sessions += s != NULL;
		return;
	}
	p->counts.sessions_refused++;
	if (!allowed) {
		log_with(&p->m->log, LOG_LEVEL_WARNING,
		    "publisher refused: its user is not in publish_uids",
		    log_number("uid", peer.uid), log_number("pid", (uint64_t)peer.pid));
		publish_session_refuse(s, ERROR_FORBIDDEN, "this user is not in publish_uids");
	} else {
		publish_session_refuse(
		    s, ERROR_OVERLOADED, "too many connections to the publish socket");
	}
}

static void
accept_again(void *context)
{
	struct publish *p = context;

	if (p->listener.added)
		loop_mod(p->m->loop, &p->listener, EPOLLIN);
}

/* A shortage may last; it is told when it begins, and then once a minute. */
static void
tell_shortage(struct publish *p)
{
	uint64_t now_ns = loop_now_ns(p->m->loop);

	if (p->shortage_told_ns != 0 &&
	    now_ns - p->shortage_told_ns < SHORTAGE_TOLD_MS * LOOP_NS_PER_MS)
		return;
	p->shortage_told_ns = now_ns;
	log_errno(&p->m->log, LOG_LEVEL_WARNING, "the publish socket cannot accept",
	    log_text("path", p->path));
}

static void
listener_ready(void *context, uint32_t events)
{
	struct publish *p = context;

	(void)events;
	for (int n = 0; n < ACCEPTS_A_TURN; n++) {
		int fd = accept4(p->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd != -1) {
			admit(p, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno == EAGAIN)
			return;
		/* No descriptor, no memory: look away for a moment instead of spinning. */
		tell_shortage(p);
		if (loop_timer_set(p->m->loop, &p->accept_pause, ACCEPT_PAUSE_MS * LOOP_NS_PER_MS,
			accept_again, p) == 0)
			loop_mod(p->m->loop, &p->listener, 0);
		return;
	}
}

/* Opens the socket that configuration or environment name. The descriptor, or -1 after logging. */
static int
open_socket(struct publish *p)
{
	const struct config *config = p->m->config;
	enum publish_path_source source;
	char message[512];
	int fd;

	if (publish_path_choose(config->socket, secure_getenv("RINGCAST_SOCKET"),
		secure_getenv("XDG_RUNTIME_DIR"), geteuid(), p->path, &source) == -1) {
		log_with(&p->m->log, LOG_LEVEL_ERROR, "the path of the publish socket is too long",
		    log_number("bytes_max", PUBLISH_PATH_BYTES - 1));
		return -1;
	}
	fd = publish_path_listen(
	    p->path, config->publish_mode, config->publish_gid, &p->file, message, sizeof message);
	if (fd == -1)
		log_with(
		    &p->m->log, LOG_LEVEL_ERROR, "no publish socket", log_text("reason", message));
	else
		p->owns_file = true;
	return fd;
}

int
publish_start(struct master *m, int fd)
{
	struct publish *p = calloc(1, sizeof *p);

	if (p == NULL || publish_session_set_init(&p->sessions, m, &p->counts) == -1) {
		log_say(&m->log, LOG_LEVEL_ERROR, "no memory for the publish socket");
		free(p);
		if (fd != -1)
			close(fd);
		return -1;
	}
	p->m = m;
	m->publish = p;
	doorbell_batch_clear(&p->batch);
	if (fd == -1)
		fd = open_socket(p);
	if (fd == -1)
		goto fail;
	/* One that was passed may block. */
	if (fcntl(fd, F_SETFL, O_NONBLOCK) == -1 ||
	    loop_add(m->loop, &p->listener, fd, EPOLLIN, listener_ready, p) == -1) {
		log_errno(&m->log, LOG_LEVEL_ERROR, "the publish socket cannot be watched",
		    log_text("path", p->path));
		close(fd);
		goto fail;
	}
	log_with(&m->log, LOG_LEVEL_INFO, "publish socket is open",
	    log_text("path", p->owns_file ? p->path : "(passed)"));
	return 0;
fail:
	publish_stop(m);
	return -1;
}

static void
close_listener(struct publish *p)
{
	loop_timer_clear(p->m->loop, &p->accept_pause);
	if (!p->listener.added)
		return;
	loop_del(p->m->loop, &p->listener);
	close(p->listener.fd);
	if (p->owns_file)
		publish_path_unlink(p->path, &p->file);
	p->owns_file = false;
}

void
publish_drain(struct master *m)
{
	if (m->publish == NULL)
		return;
	close_listener(m->publish);
	publish_session_set_drain(&m->publish->sessions);
}

void
publish_stop(struct master *m)
{
	struct publish *p = m->publish;

	if (p == NULL)
		return;
	publish_commit(m);
	close_listener(p);
	if (p->owns_file)
		publish_path_unlink(p->path, &p->file);
	publish_session_set_free(&p->sessions);
	m->publish = NULL;
	free(p);
}
