/*
 * intake.c: see intake.h. The worker acknowledges connections before it reads from them: until then the master holds them too, and
 * hands them to another worker if this one dies.
 */
#include "worker/intake.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/order.h"
#include "worker/conn.h"
#include "worker/log.h"
#include "worker/report.h"
#include "worker/revoke.h"
#include "worker/serve_publish.h"
#include "worker/serve_ws.h"
#include "worker/session.h"
#include "worker/worker.h"

#define PACKETS_A_TURN 16
#define BEGIN_MS 10000           /* for the first two orders */
#define KEPT_BYTES LIMIT_MIB(16) /* of packets that wait for room */
#define ORPHAN_MS 5000           /* the master is gone: so long a successor may adopt us */

/* ---- out ------------------------------------------------------------------------------------------ */

static bool
keep_packet(struct worker *w, struct slice packet)
{
	struct buffer *kept;

	if (w->order_first != 0 && w->order_first + w->order_count == w->order_cap) {
		memmove(w->orders, w->orders + w->order_first, w->order_count * sizeof *w->orders);
		w->order_first = 0;
	}
	if (w->order_count == w->order_cap) {
		const size_t cap = w->order_cap == 0 ? 64 : w->order_cap * 2;
		struct buffer *orders = realloc(w->orders, cap * sizeof *orders);

		if (orders == NULL)
			return false;
		w->orders = orders;
		w->order_cap = cap;
	}
	kept = &w->orders[w->order_first + w->order_count];
	*kept = (struct buffer){0};
	if (!buffer_add(kept, packet.bytes, packet.len))
		return false;
	w->order_count++;
	w->order_bytes += packet.len;
	return true;
}

bool
intake_send(struct worker *w, struct slice packet)
{
	ssize_t n;

	if (w->control_fd == -1)
		return false;
	if (w->order_count != 0)
		return keep_packet(w, packet);
	n = io_send_now(w->control_fd, packet.bytes, packet.len);
	if (n >= 0)
		return true;
	return (n == -EAGAIN || n == -ENOBUFS || n == -ENOMEM) && keep_packet(w, packet);
}

bool
intake_send_publish(struct worker *w, struct slice whole)
{
	const size_t piece_max = ORDER_PACKET_BYTES - 64;
	char bytes[ORDER_PACKET_BYTES];
	size_t offset = 0;

	if (w->control_fd == -1 || w->order_bytes + whole.len > KEPT_BYTES)
		return false;
	do {
		const size_t len = whole.len - offset < piece_max ? whole.len - offset : piece_max;
		const struct order_piece piece = {
		    (uint32_t)whole.len, (uint32_t)offset, slice_of(whole.bytes + offset, len)};
		struct out o = out_to(bytes, sizeof bytes);

		order_encode_piece(&o, &piece);
		/* The first piece may be refused; afterwards the transfer must be finished, or the master would wait for ever. */
		if (!intake_send(w, slice_of(o.bytes, o.len))) {
			if (offset != 0) {
				log_line(
				    LOG_ERR, "out of memory in the middle of a publish: leaving");
				w->quit = true;
				w->exit_code = 1;
			}
			return false;
		}
		offset += len;
	} while (offset < whole.len);
	return true;
}

void
intake_tell(struct worker *w, int type)
{
	char bytes[16];
	struct out o = out_to(bytes, sizeof bytes);

	order_encode_plain(&o, (enum order_type)type);
	intake_send(w, slice_of(o.bytes, o.len));
}

void
intake_tell_closed(struct worker *w)
{
	struct order_closed m;
	struct out o;

	if (w->closed_hash_count == 0)
		return;
	m.count = w->closed_hash_count;
	memcpy(m.peer_hashes, w->closed_hashes, m.count * sizeof m.peer_hashes[0]);
	o = buffer_out(&w->control_bytes);
	order_encode_closed(&o, &m);
	intake_send(w, slice_of(o.bytes, o.len));
	w->closed_hash_count = 0;
}

void
intake_closed(struct worker *w, uint32_t peer_hash)
{
	w->closed_hashes[w->closed_hash_count++] = peer_hash;
	if (w->closed_hash_count == ORDER_CLOSED_MAX)
		intake_tell_closed(w);
}

/*
 * Acknowledges what has arrived, and takes it up. While the control socket is full both wait: if this process died having read from
 * a connection that the master still counts as its own, another worker would get it without its request.
 */
static void
admit(struct worker *w)
{
	const struct order_taken m = {w->arrival_serial};
	char bytes[32];
	struct out o = out_to(bytes, sizeof bytes);

	if (w->arrival_count == 0)
		return;
	order_encode_taken(&o, &m);
	if (io_send_now(w->control_fd, o.bytes, o.len) < 0)
		return;
	for (uint32_t i = 0; i < w->arrival_count; i++)
		if (!conn_accept(w, w->arrivals[i].descriptor, w->arrivals[i].peer_hash)) {
			io_shutdown_close(w->arrivals[i].descriptor);
			intake_closed(w, w->arrivals[i].peer_hash);
		}
	w->arrival_count = 0;
}

void
intake_flush(struct worker *w)
{
	admit(w);
	while (w->order_count != 0) {
		struct buffer *packet = &w->orders[w->order_first];

		if (io_send_now(w->control_fd, packet->bytes, packet->len) < 0)
			return;
		w->order_bytes -= packet->len;
		buffer_free(packet);
		w->order_first++;
		w->order_count--;
	}
	w->order_first = 0;
}

/* ---- in: orders ------------------------------------------------------------------------------------- */

static void
take_connections(struct worker *w, struct slice packet, const int *fds, size_t fd_count)
{
	struct order_connections m;

	if (order_decode_connections(packet, &m) == -1 || m.count != fd_count ||
	    m.count > LIMIT_HANDOFF_CREDITS - w->arrival_count) {
		log_line(LOG_ERR,
		    "an order of the master makes no sense type=connections descriptors=%zu",
		    fd_count);
		for (size_t i = 0; i < fd_count; i++)
			close(fds[i]);
		return;
	}
	for (size_t i = 0; i < m.count; i++)
		w->arrivals[w->arrival_count++] = (struct arrival){fds[i], m.of[i].peer_hash};
	w->arrival_serial = m.first_serial + m.count - 1;
	admit(w);
}

static void
take_settings(struct worker *w, struct slice packet)
{
	if (!settings_set(&w->settings, packet)) {
		log_line(LOG_ERR,
		    "an order of the master makes no sense: keeping the old settings type=settings");
		return;
	}
	channel_refresh_rules(w);
	revoke_closed(w);
}

static void
take_drain(struct worker *w, struct slice packet)
{
	struct order_drain m;

	if (order_decode_drain(packet, &m) == -1)
		return;
	w->draining = true;
	w->drain_end_ns = w->now_ns + m.deadline_ms * UINT64_C(1000000);
}

static void
take_end_connection(struct worker *w, struct slice packet)
{
	struct order_end_connection m;
	struct slot *s;

	if (order_decode_end_connection(packet, &m) == -1)
		return;
	s = slots_get_generation(&w->slots, (uint32_t)m.connection, (uint32_t)(m.connection >> 32));
	if (s == NULL || s->state == CONN_FREE || s->state == CONN_CLOSED)
		return;
	/* By its code a WebSocket client knows that it is not to come back. */
	if (conn_is_websocket(s) && s->state != CONN_LINGER) {
		board_add(&w->board, BOARD_CLOSED_ADMIN, 1);
		serve_ws_end(w, (uint32_t)m.connection, WS_CLOSE_POLICY, "ended by the operator");
	} else {
		conn_close(w, (uint32_t)m.connection, BOARD_CLOSED_ADMIN);
	}
}

static void
take_end_channel(struct worker *w, struct slice packet)
{
	struct order_end_channel m;

	if (order_decode_end_channel(packet, &m) == 0)
		revoke_channel(w, m.channel);
}

static void
take_query(struct worker *w, struct slice packet)
{
	struct order_query m;

	if (order_decode_query(packet, &m) == 0)
		report(w, &m);
}

static void
take_published(struct worker *w, struct slice packet)
{
	struct order_published m;

	if (order_decode_published(packet, &m) == 0)
		serve_publish_answered(w, &m);
}

static void
take(struct worker *w, struct slice packet, const int *fds, size_t fd_count)
{
	switch (order_type_of(packet)) {
	case ORDER_CONNECTIONS:
		take_connections(w, packet, fds, fd_count);
		return;
	case ORDER_SETTINGS:
		take_settings(w, packet);
		break;
	case ORDER_DRAIN:
		take_drain(w, packet);
		break;
	case ORDER_PUBLISHED:
		take_published(w, packet);
		break;
	case ORDER_END_CONNECTION:
		take_end_connection(w, packet);
		break;
	case ORDER_END_CHANNEL:
		take_end_channel(w, packet);
		break;
	case ORDER_QUERY:
		take_query(w, packet);
		break;
	default: /* not an enum: whatever a newer or broken master may say */
		log_line(LOG_ERR, "an order of the master makes no sense type=%d bytes=%zu",
		    order_type_of(packet), packet.len);
		break;
	}
	for (size_t i = 0; i < fd_count; i++)
		close(fds[i]);
}

/* The master is gone. Nobody can hand us connections or take our events; those who are here are served a while longer. */
static void
orphaned(struct worker *w)
{
	if (w->control_fd == -1)
		return;
	close(w->control_fd);
	w->control_fd = -1;
	w->orphan_end_ns = w->now_ns + ORPHAN_MS * UINT64_C(1000000);
	if (!w->draining)
		log_line(LOG_WARNING, "the master is gone: leaving in_ms=%d", ORPHAN_MS);
}

bool
intake_read(struct worker *w)
{
	for (int i = 0; i < PACKETS_A_TURN && w->control_fd != -1; i++) {
		int fds[LIMIT_HANDOFF_BATCH];
		struct io_received received;
		const ssize_t n = io_recv_fds(&w->io, w->control_fd, w->control_bytes.bytes,
		    w->control_bytes.cap, fds, LIMIT_HANDOFF_BATCH, &received);

		if (n == -EAGAIN)
			return false;
		if (n <= 0) {
			orphaned(w);
			return false;
		}
		if (received.fds_lost || received.cut) {
			/* The master still has them: they stay unacknowledged, and dying hands them to another. */
			log_line(LOG_ERR,
			    "connections were lost on the way: leaving; raise the descriptor limit (LimitNOFILE)");
			w->quit = true;
			w->exit_code = 1;
			return false;
		}
		take(w, slice_of(w->control_bytes.bytes, (size_t)n), fds, received.fds_count);
	}
	return w->control_fd != -1; /* an overflow may ask for more of a socket that is gone */
}

/* ---- in: the beginning --------------------------------------------------------------------------------- */

/* Waits for one packet; there is no io yet. Returns its length, or -1. */
static ssize_t
await(struct worker *w, int *fds, size_t fds_max, struct io_received *received)
{
	struct pollfd poll_fd = {.fd = w->control_fd, .events = POLLIN};
	ssize_t n;

	if (poll(&poll_fd, 1, BEGIN_MS) != 1)
		return -1;
	n = io_recv_fds(&w->io, w->control_fd, w->control_bytes.bytes, w->control_bytes.cap, fds,
	    fds_max, received);
	return n > 0 && !received->fds_lost && !received->cut ? n : -1;
}

static bool
attach(struct worker *w, const int *fds, const struct order_start *m)
{
	int error = ring_attach(&w->ring, fds[ORDER_FD_RING]);

	if (error == SEGMENT_OK)
		error = board_attach(&w->board, fds[ORDER_FD_BOARD]);
	if (error == SEGMENT_OK)
		error = slots_attach(&w->slots, fds[ORDER_FD_SLOTS], true);
	if (error != SEGMENT_OK) {
		log_line(LOG_ERR, "cannot start reason=\"shared memory: %s\"",
		    segment_error_text(error));
		return false;
	}
	w->doorbell_fd = fds[ORDER_FD_DOORBELL];
	w->ordinal = m->ordinal;
	w->io_wanted = (enum order_io)m->io;
	w->births_s = mmap(NULL, ((size_t)w->slots.head->max + 1) * sizeof *w->births_s,
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	w->sinces = mmap(NULL, ((size_t)w->slots.head->max + 1) * sizeof *w->sinces,
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	w->closed = mmap(NULL, ((size_t)w->slots.head->max + 1) * sizeof *w->closed,
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	w->closed_hashes = calloc(ORDER_CLOSED_MAX, sizeof *w->closed_hashes);
	return w->births_s != MAP_FAILED && w->sinces != MAP_FAILED && w->closed != MAP_FAILED &&
	       w->closed_hashes != NULL;
}

bool
intake_begin(struct worker *w)
{
	int fds[ORDER_FD_COUNT];
	struct io_received received;
	struct order_start start;
	ssize_t n;

	if (!buffer_reserve(&w->control_bytes, 2 * ORDER_PACKET_BYTES))
		return false;
	n = await(w, fds, ORDER_FD_COUNT, &received);
	if (n == -1 || received.fds_count != ORDER_FD_COUNT ||
	    order_decode_start(slice_of(w->control_bytes.bytes, (size_t)n), &start) == -1) {
		log_line(LOG_ERR,
		    "cannot start reason=\"no order to start: is this ringcastd's own worker program?\"");
		return false;
	}
	if (!attach(w, fds, &start))
		return false;
	n = await(w, NULL, 0, &received);
	if (n == -1 || !settings_set(&w->settings, slice_of(w->control_bytes.bytes, (size_t)n))) {
		log_line(LOG_ERR, "cannot start reason=\"no settings\"");
		return false;
	}
	return true;
}
