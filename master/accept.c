/*
 * accept.c: see accept.h.
 *
 * Between calls: a listener is polled for input unless it rests (its timer brings it back) or there
 * is no room in the hand-off's queue (accept_resume does). `reserve` is a descriptor kept to give
 * away: with it we can still take a connection and tell it that we are full when there is no other
 * left.
 */
#include "master/accept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "master/handoff.h"
#include "master/listener.h"
#include "master/master.h"
#include "master/refuse.h"
#include "master/supervise.h"
#include "proto/address.h"
#include "shm/ring_write.h"

#define ACCEPT_BATCH 64
#define ACCEPT_BUSY_NS (1 * LOOP_NS_PER_MS) /* a batch so soon after the last one: under load */
#define ACCEPT_OVERFULL_NS (10 * LOOP_NS_PER_MS)  /* until somebody was refused */
#define ACCEPT_EXHAUSTED_NS (50 * LOOP_NS_PER_MS) /* until descriptors may be free again */

struct accept_listener {
	struct master *master;
	int fd;
	struct loop_source source;
	struct loop_timer rest;
	struct publish_path_file file; /* of a Unix socket that we made */
	char path[PUBLISH_PATH_BYTES]; /* of it; empty otherwise */
	uint64_t last_batch_ns;
};

struct accept {
	size_t count;
	struct accept_listener of[CONFIG_LISTEN_MAX];
	int reserve;
	bool no_room;
};

/* ---- polling --------------------------------------------------------------------------------- */

static void
accept_poll(struct accept_listener *listener)
{
	const struct accept *accept = listener->master->accept;

	if (listener->source.added)
		loop_mod(listener->master->loop, &listener->source,
		    accept->no_room || loop_timer_pending(&listener->rest) ? 0 : EPOLLIN);
}

static void
accept_on_rested(void *context)
{
	accept_poll(context);
}

static void
accept_rest(struct accept_listener *listener, uint64_t ns)
{
	/* Without memory for the timer it does not rest, which only costs time. */
	(void)loop_timer_set(
	    listener->master->loop, &listener->rest, ns, accept_on_rested, listener);
	accept_poll(listener);
}

static void
accept_set_room(struct accept *accept, bool no_room)
{
	if (accept->no_room == no_room)
		return;
	accept->no_room = no_room;
	for (size_t i = 0; i < accept->count; i++)
		accept_poll(&accept->of[i]);
}

void
accept_resume(struct master *m)
{
	if (m->accept != NULL)
		accept_set_room(m->accept, false);
}

/* ---- taking connections ---------------------------------------------------------------------- */

/* The address as sixteen bytes; all zero for a Unix socket. */
static struct order_address
accept_peer(const struct sockaddr_storage *from)
{
	struct order_address peer = {{0}};
	struct address address;

	if (from->ss_family == AF_INET)
		address =
		    address_of_ipv4((const uint8_t *)&((const struct sockaddr_in *)from)->sin_addr);
	else if (from->ss_family == AF_INET6)
		address = address_of_ipv6(
		    (const uint8_t *)&((const struct sockaddr_in6 *)from)->sin6_addr);
	else
		return peer;
	memcpy(peer.bytes, address.bytes, sizeof peer.bytes);
	return peer;
}

/* A proxy speaks for many clients, so the limit per address is not for those that are trusted. */
static bool
accept_is_proxy(const struct config *config, const struct order_address *peer)
{
	struct address address;

	memcpy(address.bytes, peer->bytes, sizeof address.bytes);
	for (size_t i = 0; i < config->proxy_count; i++) {
		struct address_range range = {.prefix = config->proxies[i].prefix};

		memcpy(range.address.bytes, config->proxies[i].address.bytes,
		    sizeof range.address.bytes);
		if (address_in(&address, &range))
			return true;
	}
	return false;
}

static uint64_t
accept_capacity(const struct master *m)
{
	uint64_t capacity = 0;

	for (unsigned i = 0; i < m->worker_count; i++)
		if (m->seats[i].state != SEAT_RETIRED)
			capacity += m->seats[i].max_connections;
	if (m->config->max_connections != 0 && m->config->max_connections < capacity)
		return m->config->max_connections;
	return capacity;
}

static void
accept_take(struct accept_listener *listener, int fd, const struct sockaddr_storage *from)
{
	static const struct order_address none;
	struct master *m = listener->master;
	struct order_address peer = accept_peer(from);
	uint64_t limit = m->config->max_connections_per_address;

	m->counters.accepted++;
	if (handoff_total(m) >= accept_capacity(m)) {
		m->counters.refused_connections++;
		refuse_connection(m, fd, REFUSE_FULL);
	} else if (limit != 0 && memcmp(&peer, &none, sizeof peer) != 0 &&
		   handoff_of_peer(m, peers_hash(ring_write_ring(m->ring), &peer)) >= limit &&
		   !accept_is_proxy(m->config, &peer)) {
		m->counters.refused_address++;
		refuse_connection(m, fd, REFUSE_ADDRESS);
	} else if (!handoff_offer(m, fd, &peer)) {
		m->counters.refused_connections++;
		refuse_connection(m, fd, REFUSE_FULL);
	}
}

/*
 * Descriptors or memory ran out. If ours are only on their way to workers they will soon be free:
 * rest. Otherwise one client is told that we are full, at the price of the reserve, so that a full
 * server is not a deaf one.
 */
static void
accept_exhausted(struct accept_listener *listener, int error)
{
	struct master *m = listener->master;
	struct accept *accept = m->accept;
	int fd;

	m->counters.accept_paused++;
	accept_rest(listener, ACCEPT_EXHAUSTED_NS);
	if (accept->reserve == -1)
		accept->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (error != EMFILE || handoff_waiting(m) > 0 || refuse_waiting(m) > 0 ||
	    accept->reserve == -1)
		return;
	close(accept->reserve);
	fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd != -1) {
		m->counters.refused_connections++;
		refuse_connection(m, fd, REFUSE_FULL);
	}
	accept->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* One connection. False: no more now. */
static bool
accept_one(struct accept_listener *listener)
{
	struct sockaddr_storage from = {0};
	socklen_t len = sizeof from;
	int fd =
	    accept4(listener->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd != -1) {
		accept_take(listener, fd, &from);
		return true;
	}
	switch (errno) {
	case EAGAIN:
		return false;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		accept_exhausted(listener, errno);
		return false;
	}
	/*
	 * Most of what is left concerns only the connection that was about to be accepted
	 * (accept(2)); but a listener that fails each time must not keep the loop busy.
	 */
	listener->master->counters.accept_errors++;
	if (errno == ECONNABORTED || errno == EINTR)
		return true;
	accept_rest(listener, ACCEPT_EXHAUSTED_NS);
	return false;
}

/* What comes now would have to be refused, and could not be heard first. */
static bool
accept_is_overfull(const struct master *m)
{
	return handoff_total(m) >= accept_capacity(m) && !refuse_has_room(m);
}

static void
accept_on_ready(void *context, uint32_t events)
{
	struct accept_listener *listener = context;
	struct master *m = listener->master;
	uint64_t now_ns = loop_now_ns(m->loop);
	size_t taken = 0;
	bool busy;

	(void)events;
	while (taken < ACCEPT_BATCH && handoff_room(m) > 0 && !accept_is_overfull(m) &&
	       accept_one(listener))
		taken++;
	if (accept_is_overfull(m)) {
		m->counters.accept_paused++;
		accept_rest(listener, ACCEPT_OVERFULL_NS);
	}
	if (handoff_room(m) == 0) {
		m->counters.accept_paused++;
		accept_set_room(m->accept, true);
	}
	handoff_flush(m);
	busy = now_ns - listener->last_batch_ns < ACCEPT_BUSY_NS;
	listener->last_batch_ns = now_ns;
	if (busy && taken < ACCEPT_BATCH && !loop_timer_pending(&listener->rest))
		accept_rest(listener, ACCEPT_GATHER_US * UINT64_C(1000));
}

/* ---- opening and closing --------------------------------------------------------------------- */

static void
accept_add(struct master *m, int fd, const char *path, const struct publish_path_file *file)
{
	struct accept_listener *listener = &m->accept->of[m->accept->count++];
	char text[LISTENER_TEXT_BYTES];

	*listener = (struct accept_listener){.master = m, .fd = fd, .file = *file};
	snprintf(listener->path, sizeof listener->path, "%s", path);
	listener_text(fd, text);
	log_with(&m->log, LOG_LEVEL_INFO, "listening", log_text("address", text));
}

static int
accept_open_configured(struct master *m)
{
	struct publish_path_file file;
	char message[512];

	for (size_t i = 0; i < m->config->listen_count; i++) {
		const struct config_address *address = &m->config->listen[i];
		int fd;

		memset(&file, 0, sizeof file);
		fd = listener_open(address, &file, message, sizeof message);
		if (fd == -1 && address->optional && errno == EAFNOSUPPORT) {
			log_say(&m->log, LOG_LEVEL_NOTICE,
			    "no IPv6 on this machine: listening with IPv4 only");
			continue;
		}
		if (fd == -1) {
			log_say(&m->log, LOG_LEVEL_ERROR, message);
			return -1;
		}
		accept_add(m, fd,
		    address->of.any.sa_family == AF_UNIX ? address->of.local.sun_path : "", &file);
	}
	return 0;
}

int
accept_open(struct master *m)
{
	struct publish_path_file none = {0};

	m->accept = calloc(1, sizeof *m->accept);
	if (m->accept == NULL) {
		log_say(&m->log, LOG_LEVEL_ERROR, "out of memory");
		return -1;
	}
	m->accept->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (m->passed_count == 0)
		return accept_open_configured(m);
	for (size_t i = 0; i < m->passed_count; i++)
		accept_add(m, m->passed[i], "", &none);
	return 0;
}

int
accept_start(struct master *m)
{
	for (size_t i = 0; i < m->accept->count; i++) {
		struct accept_listener *listener = &m->accept->of[i];

		if (loop_add(m->loop, &listener->source, listener->fd, EPOLLIN, accept_on_ready,
			listener) == -1) {
			log_errno(&m->log, LOG_LEVEL_ERROR, "cannot watch a listener",
			    log_number("fd", (uint64_t)listener->fd));
			return -1;
		}
	}
	return 0;
}

void
accept_close(struct master *m)
{
	struct accept *accept = m->accept;

	if (accept == NULL)
		return;
	m->accept = NULL;
	for (size_t i = 0; i < accept->count; i++) {
		struct accept_listener *listener = &accept->of[i];

		loop_del(m->loop, &listener->source);
		loop_timer_clear(m->loop, &listener->rest);
		close(listener->fd);
		if (listener->path[0] != '\0')
			publish_path_unlink(listener->path, &listener->file);
	}
	if (accept->reserve != -1)
		close(accept->reserve);
	free(accept);
}
