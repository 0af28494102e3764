/*
 * orders.c: the control sockets. See orders.h.
 *
 * Between calls: packets are in the queue only while the socket is blocked or answers wait for the
 * turn's commit; nothing overtakes the queue. Reading stops while the queue is more than half full,
 * so a worker that does not read its answers cannot make us keep more of them.
 */
#include "master/orders.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "master/api.h"
#include "master/handoff.h"
#include "master/master.h"
#include "master/publish.h"
#include "master/supervise.h"
#include "proto/order.h"

#define ORDERS_TURN 64 /* packets read from one worker a turn */
#define ORDERS_RETRY_NS (10 * LOOP_NS_PER_MS)
#define ORDERS_NAMES_BYTES LIMIT_KIB(16) /* of a transfer, all that is not the event's data */

static_assert(ORDERS_NAMES_BYTES > ORDER_TAG_BYTES + LIMIT_TYPE_BYTES + LIMIT_KEY_BYTES +
				       LIMIT_EVENT_CHANNELS * (LIMIT_CHANNEL_NAME_BYTES + 4) + 256,
    "the names of an event fit beside its data");

static void orders_on_control(void *context, uint32_t events);
static void orders_on_retry(void *context);
static void orders_on_answers(void *context);

/* ---- making and freeing ---------------------------------------------------------------------- */

int
orders_new(struct seat *seat)
{
	struct orders *orders = &seat->orders;

	orders->transfer_cap = seat->master->config->max_event_bytes + ORDERS_NAMES_BYTES;
	orders->queue = malloc(LIMIT_ORDER_QUEUE_BYTES);
	orders->transfer = malloc(orders->transfer_cap);
	orders->answers.run = orders_on_answers;
	orders->answers.context = seat;
	if (orders->queue != NULL && orders->transfer != NULL)
		return 0;
	orders_free(seat);
	errno = ENOMEM;
	return -1;
}

void
orders_free(struct seat *seat)
{
	free(seat->orders.queue);
	free(seat->orders.transfer);
	seat->orders.queue = seat->orders.transfer = NULL;
}

int
orders_reserve(struct master *m, uint64_t max_event_bytes)
{
	size_t cap = max_event_bytes + ORDERS_NAMES_BYTES;

	for (unsigned i = 0; i < m->worker_count; i++) {
		struct orders *orders = &m->seats[i].orders;
		char *grown;

		if (orders->transfer_cap >= cap)
			continue;
		grown = realloc(orders->transfer, cap);
		if (grown == NULL)
			return -1;
		orders->transfer = grown;
		orders->transfer_cap = cap;
	}
	return 0;
}

int
orders_attach(struct seat *seat, int socket)
{
	struct orders *orders = &seat->orders;

	orders->first = orders->end = 0;
	orders->transfer_len = orders->transfer_total = 0;
	orders->blocked = orders->settings_due = orders->drain_due = false;
	if (loop_add(seat->master->loop, &orders->control, socket, EPOLLIN, orders_on_control,
		seat) == -1)
		return -1;
	seat->socket = socket;
	return 0;
}

void
orders_detach(struct seat *seat)
{
	struct loop *loop = seat->master->loop;

	if (seat->socket == -1)
		return;
	loop_del(loop, &seat->orders.control);
	loop_timer_clear(loop, &seat->orders.retry);
	loop_defer_cancel(loop, &seat->orders.answers);
	close(seat->socket);
	seat->socket = -1;
}

/* ---- packets out ----------------------------------------------------------------------------- */

static void
orders_watch(struct seat *seat)
{
	const struct orders *orders = &seat->orders;
	uint32_t events = 0;

	if (!orders->control.added)
		return;
	if (orders->end - orders->first < LIMIT_ORDER_QUEUE_BYTES / 2)
		events |= EPOLLIN;
	if (orders->blocked && !loop_timer_pending(&orders->retry))
		events |= EPOLLOUT;
	loop_mod(seat->master->loop, &seat->orders.control, events);
}

/*
 * One packet to the kernel. -1 with errno: EAGAIN when it must wait, ENOTCONN when nobody will ever
 * read it.
 */
static int
orders_transmit(struct seat *seat, struct slice packet, const int *fds, size_t count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(LIMIT_HANDOFF_BATCH * sizeof(int))];
	struct iovec bytes = {(char *)(uintptr_t)packet.bytes, packet.len};
	struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
	struct cmsghdr *head;
	bool wait;

	if (count > 0) {
		assert(count <= LIMIT_HANDOFF_BATCH);
		memset(control, 0, sizeof control);
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(head), fds, count * sizeof(int));
	}
	if (sendmsg(seat->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) != -1)
		return 0;
	wait = errno == EAGAIN || errno == EINTR;
	/*
	 * No event tells when there is room again for descriptors in flight, or in everybody's
	 * memory.
	 */
	if (errno == ENOBUFS || errno == ENOMEM || errno == ETOOMANYREFS)
		wait = loop_timer_set(seat->master->loop, &seat->orders.retry, ORDERS_RETRY_NS,
			   orders_on_retry, seat) == 0;
	if (wait) {
		seat->orders.blocked = true;
		orders_watch(seat);
		errno = EAGAIN;
		return -1;
	}
	/* The hang-up is on its way and needs no asking. */
	seat->orders.blocked = true;
	errno = ENOTCONN;
	return -1;
}

static int
orders_enqueue(struct seat *seat, struct slice packet)
{
	struct orders *orders = &seat->orders;
	uint32_t len = (uint32_t)packet.len;

	if (orders->end - orders->first + sizeof len + len > LIMIT_ORDER_QUEUE_BYTES) {
		seat->master->counters.orders_refused++;
		errno = ENOBUFS;
		return -1;
	}
	if (orders->end + sizeof len + len > LIMIT_ORDER_QUEUE_BYTES) {
		memmove(orders->queue, orders->queue + orders->first, orders->end - orders->first);
		orders->end -= orders->first;
		orders->first = 0;
	}
	memcpy(orders->queue + orders->end, &len, sizeof len);
	memcpy(orders->queue + orders->end + sizeof len, packet.bytes, len);
	orders->end += sizeof len + len;
	orders_watch(seat);
	return 0;
}

static int
orders_transmit_settings(struct seat *seat)
{
	char packet[ORDER_PACKET_BYTES];
	struct out o = out_to(packet, sizeof packet);
	struct order_settings settings;

	config_settings(seat->master->config, &settings);
	order_encode_settings(&o, &settings);
	assert(!out_cut(&o)); /* config.c has checked it */
	return orders_transmit(seat, slice_of(packet, o.len), NULL, 0);
}

static int
orders_transmit_drain(struct seat *seat)
{
	char packet[64];
	struct out o = out_to(packet, sizeof packet);

	order_encode_drain(&o, &(struct order_drain){seat->orders.drain_ms});
	return orders_transmit(seat, slice_of(packet, o.len), NULL, 0);
}

/* Sends what waits, in order, until the socket is full. */
static void
orders_flush(struct seat *seat)
{
	struct orders *orders = &seat->orders;

	orders->blocked = false;
	while (orders->first < orders->end) {
		uint32_t len;

		memcpy(&len, orders->queue + orders->first, sizeof len);
		if (orders_transmit(seat, slice_of(orders->queue + orders->first + sizeof len, len),
			NULL, 0) == -1)
			return;
		orders->first += sizeof len + len;
	}
	orders->first = orders->end = 0;
	if (orders->settings_due && orders_transmit_settings(seat) == -1)
		return;
	orders->settings_due = false;
	if (orders->drain_due && orders_transmit_drain(seat) == -1)
		return;
	orders->drain_due = false;
	orders_watch(seat);
}

bool
orders_clear(const struct master *m, unsigned worker)
{
	const struct seat *seat = &m->seats[worker];

	return seat->orders.control.added && !seat->orders.blocked &&
	       seat->orders.first == seat->orders.end;
}

int
orders_send(struct master *m, unsigned worker, struct slice packet)
{
	struct seat *seat = &m->seats[worker];

	if (seat->socket == -1) {
		errno = ENOTCONN;
		return -1;
	}
	if (orders_clear(m, worker)) {
		if (orders_transmit(seat, packet, NULL, 0) == 0)
			return 0;
		if (errno != EAGAIN)
			return -1;
	}
	return orders_enqueue(seat, packet);
}

int
orders_send_descriptors(
    struct master *m, unsigned worker, struct slice packet, const int *fds, size_t count)
{
	if (m->seats[worker].socket == -1) {
		errno = ENOTCONN;
		return -1;
	}
	if (!orders_clear(m, worker)) {
		errno = EAGAIN;
		return -1;
	}
	return orders_transmit(&m->seats[worker], packet, fds, count);
}

void
orders_send_settings(struct master *m, unsigned worker)
{
	struct seat *seat = &m->seats[worker];

	if (seat->socket == -1)
		return;
	seat->orders.settings_due = true;
	if (orders_clear(m, worker))
		orders_flush(seat);
}

void
orders_send_drain(struct master *m, unsigned worker, uint32_t deadline_ms)
{
	struct seat *seat = &m->seats[worker];

	if (seat->socket == -1)
		return;
	seat->orders.drain_due = true;
	seat->orders.drain_ms = deadline_ms;
	if (orders_clear(m, worker))
		orders_flush(seat);
}

static void
orders_on_retry(void *context)
{
	struct seat *seat = context;

	orders_flush(seat);
	handoff_flush(seat->master);
}

static void
orders_on_answers(void *context)
{
	struct seat *seat = context;

	if (!seat->orders.blocked)
		orders_flush(seat);
	/* Connections that came in this turn found the queue in their way; nothing else recalls them. */
	handoff_flush(seat->master);
}

/* ---- packets in: each answers NULL, or why the worker cannot be trusted any more ------------- */

static const char *
orders_take_ready(struct seat *seat, struct slice packet)
{
	(void)packet;
	supervise_ready(seat);
	return NULL;
}

static const char *
orders_take_drained(struct seat *seat, struct slice packet)
{
	(void)packet;
	supervise_drained(seat);
	return NULL;
}

static const char *
orders_take_taken(struct seat *seat, struct slice packet)
{
	struct order_taken taken;

	if (order_decode_taken(packet, &taken) == -1)
		return "malformed acknowledgement";
	if (!handoff_taken(seat->master, seat->ordinal, taken.serial))
		return "acknowledged connections that it was not given";
	return NULL;
}

static const char *
orders_take_closed(struct seat *seat, struct slice packet)
{
	struct order_closed closed;

	if (order_decode_closed(packet, &closed) == -1)
		return "malformed close notice";
	if (!handoff_closed(seat->master, seat->ordinal, &closed))
		return "closed connections that it did not have";
	return NULL;
}

static const char *
orders_take_rows(struct seat *seat, struct slice packet)
{
	struct order_rows rows;

	if (order_decode_rows(packet, &rows) == -1)
		return "malformed rows";
	return api_rows(seat->master, seat->ordinal, &rows) == -1 ? "malformed rows" : NULL;
}

/* Publishes and queues the answer, which leaves after the turn's commit. */
static const char *
orders_publish(struct seat *seat, struct slice whole)
{
	char packet[1024];
	struct out o = out_to(packet, sizeof packet);
	struct order_publish publish;
	struct order_published published = {0};
	enum error_code error = ERROR_NONE;
	const char *message = "";
	bool duplicate = false;

	if (order_decode_publish(whole, &publish) == -1)
		return "malformed publish";
	published.tag = publish.tag;
	if (publish_event(
		seat->master, &publish.event, &published.id, &duplicate, &error, &message) == -1) {
		published.id = 0;
		published.error = (uint16_t)error;
		published.message = slice_text(message);
	}
	published.duplicate = duplicate;
	order_encode_published(&o, &published);
	assert(!out_cut(&o)); /* a tag, and a static text */
	if (seat->socket == -1)
		return NULL;
	if (orders_enqueue(seat, slice_of(packet, o.len)) == -1)
		return "does not read its answers";
	loop_defer(seat->master->loop, &seat->orders.answers, LOOP_ANSWER);
	return NULL;
}

/* Nearly all publishes are one piece, which needs no copy. */
static const char *
orders_take_piece(struct seat *seat, struct slice packet)
{
	struct orders *orders = &seat->orders;
	struct order_piece piece;

	if (order_decode_piece(packet, &piece) == -1 || piece.offset != orders->transfer_len ||
	    piece.bytes.len > piece.total - piece.offset ||
	    (piece.offset != 0 && piece.total != orders->transfer_total))
		return "malformed piece of a publish";
	if (piece.bytes.len == piece.total)
		return orders_publish(seat, piece.bytes);
	if (piece.total > orders->transfer_cap)
		return "publish larger than it may be";
	memcpy(orders->transfer + piece.offset, piece.bytes.bytes, piece.bytes.len);
	orders->transfer_total = piece.total;
	orders->transfer_len += piece.bytes.len;
	if (orders->transfer_len < orders->transfer_total)
		return NULL;
	orders->transfer_len = 0;
	return orders_publish(seat, slice_of(orders->transfer, orders->transfer_total));
}

static const struct {
	enum order_type type;
	const char *(*take)(struct seat *seat, struct slice packet);
} orders_taken_types[] = {
    {ORDER_READY, orders_take_ready},
    {ORDER_TAKEN, orders_take_taken},
    {ORDER_CLOSED, orders_take_closed},
    {ORDER_PUBLISH, orders_take_piece},
    {ORDER_ROWS, orders_take_rows},
    {ORDER_DRAINED, orders_take_drained},
};

static const char *
orders_take(struct seat *seat, struct slice packet)
{
	int type = order_type_of(packet);

	for (size_t i = 0; i < sizeof orders_taken_types / sizeof orders_taken_types[0]; i++)
		if (type == (int)orders_taken_types[i].type)
			return orders_taken_types[i].take(seat, packet);
	return "message of a type that no worker sends";
}

/*
 * Receives one packet and takes it. 1: go on; 0: nothing there now; -1: the end, or *fault.
 * Descriptors that a worker might send are dropped by the kernel: no room is offered for them.
 */
static int
orders_read(struct seat *seat, const char **fault)
{
	char packet[ORDER_PACKET_BYTES];
	ssize_t len = recv(seat->socket, packet, sizeof packet, MSG_DONTWAIT | MSG_TRUNC);

	*fault = NULL;
	/*
	 * A peer that closed with packets unread: told once, before what it sent. That must still
	 * be heard.
	 */
	if (len == -1 && (errno == ECONNRESET || errno == EINTR))
		return 1;
	if (len == -1 && errno == EAGAIN)
		return 0;
	if (len <= 0)
		return -1;
	if ((size_t)len > sizeof packet)
		*fault = "message larger than a packet";
	else
		*fault = orders_take(seat, slice_of(packet, (size_t)len));
	return *fault == NULL ? 1 : -1;
}

static void
orders_on_control(void *context, uint32_t events)
{
	struct seat *seat = context;
	const char *fault = NULL;
	int more = 1;

	if (events & EPOLLOUT) {
		orders_flush(seat);
		handoff_flush(seat->master);
	}
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	for (int n = 0; n < ORDERS_TURN && more == 1 && seat->socket != -1; n++)
		more = orders_read(seat, &fault);
	if (more != -1)
		return;
	/*
	 * Hang-ups cannot be masked: stop watching, or they would keep the loop from sleeping until
	 * the death is seen.
	 */
	loop_del(seat->master->loop, &seat->orders.control);
	if (fault != NULL)
		supervise_fault(seat, fault);
	else
		supervise_hung_up(seat);
}

void
orders_read_rest(struct seat *seat)
{
	const char *fault;

	while (orders_read(seat, &fault) == 1)
		;
}
