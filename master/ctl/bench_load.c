/*
 * bench_load.c: see bench_load.h.
 *
 *     turn: orders -> dial some -> epoll -> read -> what is due -> tally
 *
 * Nothing blocks but the one epoll_wait. What is to be done later (a reconnect, the next short poll) hangs in a wheel of 128 buckets of
 * 100 ms.
 */
#include "master/ctl/bench_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "master/ctl/bench_client.h"
#include "master/ctl/bench_source.h"

#define READ_BYTES (256u << 10)
#define RAW_BYTES (READ_BYTES + (64u << 10)) /* a read, and what was held of a head before it */
#define MALFORMED SIZE_MAX                   /* a length that is none */
#define REPLY_BYTES 4096
#define REQUEST_BYTES 8192 /* a template of the longest, filled in */
#define EVENTS_A_TURN 512
#define DIALS_A_TURN 64
#define DIALLING_MAX 512 /* connects under way: less than what a listener's backlog holds */
#define WHEEL 128
#define WHEEL_MS 100
#define TALLY_MS 50
#define RETRY_MS 1000
#define POLL_MS 1000
#define NONE UINT32_MAX

struct load {
	const struct bench_plan *plan;
	const struct bench_share *share;
	int fd, epoll;
	struct bench_client *clients;
	struct bench_ledger ledger;
	struct bench_histogram connect;
	char *in, *raw;
	size_t in_cap;
	uint32_t wheel[WHEEL];
	uint64_t wheel_at;
	uint64_t now_ns;
	uint64_t expect;     /* deliveries that are waited for; 0: none */
	uint64_t tallied_ns; /* when the last tally was sent */
	uint32_t dial_next;  /* client to connect next, while opening */
	uint32_t dialling;   /* connects under way */
	uint32_t open;
	double dial_rate; /* a second; 0: as fast as it goes */
	uint64_t dial_from_ns;
	uint32_t dialled;
	bool opening, stalled, parted;
	uint64_t random;
};

static uint64_t
clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Jitter: any number below. */
static uint32_t
jitter(struct load *l, uint32_t below)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	return (uint32_t)(l->random % below);
}

/* ---- answers to the parent ---------------------------------------------------------------------- */

static void
send_answer(struct load *l, const struct bench_answer *answer, size_t len)
{
	while (send(l->fd, answer, len, MSG_NOSIGNAL) == -1 && errno == EINTR)
		continue;
}

static void
send_tally(struct load *l)
{
	struct bench_answer answer = {.kind = BENCH_ANSWER_TALLY};

	answer.tally = l->ledger.tally;
	answer.tally.open = l->open;
	answer.tally.cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	send_answer(l, &answer, offsetof(struct bench_answer, tally) + sizeof answer.tally);
	l->tallied_ns = l->now_ns;
}

static void
send_histogram(struct load *l, enum bench_answer_kind kind, const struct bench_histogram *h)
{
	struct bench_answer answer = {.kind = kind};

	answer.histogram = *h;
	send_answer(l, &answer, offsetof(struct bench_answer, histogram) + sizeof answer.histogram);
}

static void
tell(struct load *l)
{
	struct bench_answer answer = {.kind = BENCH_ANSWER_REACH};

	send_tally(l);
	send_histogram(l, BENCH_ANSWER_LATENCY, &l->ledger.latency);
	send_histogram(l, BENCH_ANSWER_CONNECT, &l->connect);
	for (uint32_t i = 0; i < l->ledger.reach_count; i += BENCH_REACH_ENTRIES) {
		const uint32_t left = l->ledger.reach_count - i;

		answer.first = l->ledger.first + i;
		answer.count = left < BENCH_REACH_ENTRIES ? left : BENCH_REACH_ENTRIES;
		memcpy(answer.reach, l->ledger.reach + i, answer.count * sizeof *answer.reach);
		send_answer(l, &answer,
		    offsetof(struct bench_answer, reach) + answer.count * sizeof *answer.reach);
	}
	answer.kind = BENCH_ANSWER_DONE;
	send_answer(l, &answer, offsetof(struct bench_answer, tally));
}

/* ---- connections -------------------------------------------------------------------------------- */

static void
later(struct load *l, uint32_t index, uint32_t ms)
{
	struct bench_client *client = &l->clients[index];
	const uint64_t bucket =
	    (l->wheel_at + 1 + (ms < (WHEEL - 2) * WHEEL_MS ? ms / WHEEL_MS : WHEEL - 2)) % WHEEL;

	if (client->due)
		return;
	client->due = true;
	client->due_next = l->wheel[bucket];
	l->wheel[bucket] = index;
}

static void
part(struct load *l, uint32_t index)
{
	struct bench_client *client = &l->clients[index];

	if (client->state == BENCH_CLIENT_AWAY)
		return;
	if (client->state == BENCH_CLIENT_OPEN)
		l->open--;
	else
		l->dialling--;
	close(client->fd);
	bench_client_part(client);
}

/* The connection is over; the client comes back, as one in the field would. */
static void
lose(struct load *l, uint32_t index, uint64_t *counter)
{
	++*counter;
	part(l, index);
	later(l, index, RETRY_MS / 2 + jitter(l, RETRY_MS));
}

static void
lose_broken(struct load *l, uint32_t index, int error)
{
	const struct bench_client *client = &l->clients[index];
	struct bench_tally *t = &l->ledger.tally;
	/* A stream that ends before its welcome: so a server that is full tells EventSource when to come back. */
	const bool refused = error == 0 && client->state == BENCH_CLIENT_GREETED;

	t->error = (uint32_t)error;
	lose(l, index, client->established ? &t->cut : refused ? &t->refused : &t->failed);
}

static bool
watch(struct load *l, uint32_t index, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u32 = index};

	return epoll_ctl(l->epoll, operation, l->clients[index].fd, &event) == 0;
}

static void
dial(struct load *l, uint32_t index)
{
	struct bench_client *client = &l->clients[index];
	const int fd = bench_source_connect(l->plan, l->share->ordinal);

	if (fd == -1) {
		l->ledger.tally.failed++;
		l->ledger.tally.error = (uint32_t)errno;
		later(l, index, RETRY_MS / 2 + jitter(l, RETRY_MS));
		return;
	}
	client->fd = fd;
	client->dialled_ns = l->now_ns;
	client->state = BENCH_CLIENT_CONNECTING;
	l->dialling++;
	if (!watch(l, index, EPOLL_CTL_ADD, EPOLLOUT))
		lose_broken(l, index, errno);
}

static void
dial_some(struct load *l)
{
	unsigned budget = DIALS_A_TURN;

	if (l->dial_rate > 0) {
		const double due = (double)(l->now_ns - l->dial_from_ns) / 1e9 * l->dial_rate + 1;

		if (due < (double)l->dialled + budget)
			budget = due > l->dialled ? (unsigned)(due - l->dialled) : 0;
	}
	while (l->opening && budget > 0 && l->dialling < DIALLING_MAX) {
		const uint32_t index = l->dial_next++;

		if (l->dial_next >= l->share->count)
			l->opening = false;
		if (l->clients[index].state != BENCH_CLIENT_AWAY || l->clients[index].due)
			continue;
		dial(l, index);
		l->dialled++;
		budget--;
	}
}

/* False: the connection is lost. */
static bool
say(struct load *l, uint32_t index, struct slice bytes)
{
	/* So little fits a socket that has nothing else to send, or the client is not reading what it should. */
	const ssize_t n = send(l->clients[index].fd, bytes.bytes, bytes.len, MSG_NOSIGNAL);

	if (n == (ssize_t)bytes.len)
		return true;
	lose_broken(l, index, n == -1 ? errno : EAGAIN);
	return false;
}

static bool
ask(struct load *l, uint32_t index)
{
	char bytes[REQUEST_BYTES];
	struct out o = out_to(bytes, sizeof bytes);

	bench_client_request(l->plan, &l->clients[index], &o);
	return say(l, index, slice_of(o.bytes, o.len));
}

static void
connected(struct load *l, uint32_t index)
{
	struct bench_client *client = &l->clients[index];
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1 || error != 0) {
		lose_broken(l, index, error);
		return;
	}
	client->state = BENCH_CLIENT_ASKED;
	if (ask(l, index) && !watch(l, index, EPOLL_CTL_MOD, l->stalled ? 0 : EPOLLIN))
		lose_broken(l, index, errno);
}

/* ---- reading ------------------------------------------------------------------------------------ */

/* Room for what is held and a read behind it. */
static bool
reserve(struct load *l, size_t held)
{
	char *grown;

	if (l->in_cap >= held + READ_BYTES)
		return true;
	grown = realloc(l->in, held * 2 + READ_BYTES);
	if (grown == NULL)
		return false;
	l->in = grown;
	l->in_cap = held * 2 + READ_BYTES;
	return true;
}

static bool
hold(struct bench_client *client, const char *bytes, size_t len)
{
	char *held = len == 0 ? NULL : malloc(len);

	if (len != 0 && held == NULL)
		return false;
	if (len != 0)
		memcpy(held, bytes, len);
	free(client->held);
	client->held = held;
	client->held_len = (uint32_t)len;
	return true;
}

/* Takes bytes out of their chunks, behind what is in l->in already. Returns the new length, MALFORMED when they are. */
static size_t
unchunk(struct load *l, struct bench_client *client, struct slice raw, size_t len)
{
	struct slice data;

	while (raw.len != 0 && !http_body_complete(client->chunks)) {
		const ptrdiff_t n = http_body_next(client->chunks, raw, &data);

		if (n <= 0)
			return n < 0 ? MALFORMED : len;
		if (data.len != 0)
			memmove(l->in + len, data.bytes, data.len);
		len += data.len;
		raw = slice_of(raw.bytes + n, raw.len - (size_t)n);
	}
	return len;
}

/* What is to be done once bytes were understood. False: the connection is gone. */
static bool
obey(struct load *l, uint32_t index, enum bench_client_verdict verdict)
{
	switch (verdict) {
	case BENCH_CLIENT_MORE:
		return true;
	case BENCH_CLIENT_AGAIN:
		return ask(l, index);
	case BENCH_CLIENT_LATER:
		later(l, index, POLL_MS / 2 + jitter(l, POLL_MS));
		return true;
	case BENCH_CLIENT_REFUSED:
		lose(l, index, &l->ledger.tally.refused);
		return false;
	case BENCH_CLIENT_ENDED:
		lose(l, index,
		    l->clients[index].established ? &l->ledger.tally.cut
						  : &l->ledger.tally.refused);
		return false;
	case BENCH_CLIENT_MALFORMED:
		lose(l, index, &l->ledger.tally.malformed);
		return false;
	}
	return false;
}

/* Understands l->in[0..len) and keeps the rest. */
static void
understand(struct load *l, uint32_t index, size_t len)
{
	struct bench_client *client = &l->clients[index];
	const bool chunked = client->chunks != NULL;
	const bool was_open = client->state == BENCH_CLIENT_OPEN;
	char bytes[REPLY_BYTES];
	struct out reply = out_to(bytes, sizeof bytes);
	const struct bench_reading r = {l->plan, &l->ledger, l->now_ns, &reply};
	size_t used = 0;
	enum bench_client_verdict verdict = BENCH_CLIENT_MALFORMED;

	if (len != MALFORMED)
		verdict = bench_client_take(&r, client, slice_of(l->in, len), &used);
	if (!was_open && client->state == BENCH_CLIENT_OPEN) {
		l->dialling--;
		l->open++;
		bench_histogram_add(&l->connect, l->now_ns - client->dialled_ns);
	}
	if (reply.len != 0 && !say(l, index, slice_of(reply.bytes, reply.len)))
		return;
	if (!obey(l, index, verdict))
		return;
	len -= used;
	if (!chunked && client->chunks != NULL && len != 0) {
		/* The stream turned out to be chunked: what came behind its head is. */
		len = len > RAW_BYTES ? MALFORMED : len;
		if (len != MALFORMED) {
			memcpy(l->raw, l->in + used, len);
			len = unchunk(l, client, slice_of(l->raw, len), 0);
		}
		understand(l, index, len);
		return;
	}
	if (client->chunks != NULL && http_body_complete(client->chunks)) {
		obey(l, index,
		    BENCH_CLIENT_ENDED); /* its last chunk, though it may keep the connection */
		return;
	}
	if (!hold(client, l->in + used, len))
		lose_broken(l, index, ENOMEM);
}

static void
readable(struct load *l, uint32_t index)
{
	struct bench_client *client = &l->clients[index];
	size_t held = client->held_len;
	ssize_t n;

	if (!reserve(l, held)) {
		lose_broken(l, index, ENOMEM);
		return;
	}
	if (held != 0)
		memcpy(l->in, client->held, held);
	n = recv(client->fd, client->chunks != NULL ? l->raw : l->in + held, READ_BYTES, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lose_broken(l, index, n == -1 ? errno : 0);
		return;
	}
	l->ledger.tally.bytes += (uint64_t)n;
	if (client->chunks == NULL)
		held += (size_t)n;
	else
		held = unchunk(l, client, slice_of(l->raw, (size_t)n), held);
	understand(l, index, held);
}

/* ---- orders ------------------------------------------------------------------------------------- */

static void
stall(struct load *l, bool stalled)
{
	l->stalled = stalled;
	for (uint32_t i = 0; i < l->share->count; i++)
		if (l->clients[i].state > BENCH_CLIENT_CONNECTING &&
		    !watch(l, i, EPOLL_CTL_MOD, stalled ? 0 : EPOLLIN))
			lose_broken(l, i, errno);
}

static void
obey_order(struct load *l, const struct bench_order *order)
{
	switch ((enum bench_order_kind)order->kind) {
	case BENCH_ORDER_OPEN:
		l->opening = true;
		l->parted = false;
		l->dial_next = l->dialled = 0;
		l->dial_from_ns = l->now_ns;
		l->dial_rate = (double)order->value / 1000;
		break;
	case BENCH_ORDER_BEGIN:
		for (uint32_t i = 0; i < l->share->count; i++)
			if (l->clients[i].state == BENCH_CLIENT_OPEN)
				l->clients[i].account.next = 1;
		break;
	case BENCH_ORDER_MEASURE:
		bench_ledger_measure(&l->ledger, (uint32_t)order->value);
		break;
	case BENCH_ORDER_EXPECT:
		l->expect = order->value;
		break;
	case BENCH_ORDER_TELL:
		tell(l);
		break;
	case BENCH_ORDER_STALL:
	case BENCH_ORDER_READ:
		stall(l, order->kind == BENCH_ORDER_STALL);
		break;
	case BENCH_ORDER_PART:
		l->opening = false;
		l->parted = true;
		for (uint32_t i = 0; i < l->share->count; i++)
			part(l, i);
		break;
	}
}

/* False: the parent is gone. */
static bool
take_orders(struct load *l)
{
	struct bench_order order;
	ssize_t n;

	while ((n = recv(l->fd, &order, sizeof order, MSG_DONTWAIT)) == (ssize_t)sizeof order) {
		obey_order(l, &order);
		send_tally(l);
	}
	return n == -1 && (errno == EAGAIN || errno == EINTR);
}

/* ---- the turn ----------------------------------------------------------------------------------- */

static void
do_due(struct load *l)
{
	const uint64_t now = l->now_ns / (WHEEL_MS * 1000000u);

	while (l->wheel_at < now) {
		uint32_t index = l->wheel[++l->wheel_at % WHEEL];

		l->wheel[l->wheel_at % WHEEL] = NONE;
		while (index != NONE) {
			struct bench_client *client = &l->clients[index];
			const uint32_t next = client->due_next;

			client->due = false;
			/* After PART nobody comes back, whatever was planned before it. */
			if (client->state == BENCH_CLIENT_AWAY && !l->parted)
				dial(l, index);
			else if (client->state == BENCH_CLIENT_OPEN &&
				 l->plan->transport == BENCH_POLL)
				ask(l, index);
			index = next;
		}
	}
}

static void
turn(struct load *l)
{
	struct epoll_event events[EVENTS_A_TURN];
	const int wait_ms = l->opening && l->dialling < DIALLING_MAX ? 1 : 20;
	const int count = epoll_wait(l->epoll, events, EVENTS_A_TURN, wait_ms);

	for (int i = 0; i < count; i++) {
		const uint32_t index = events[i].data.u32;

		l->now_ns = clock_ns(CLOCK_MONOTONIC);
		if (index == NONE || l->clients[index].state == BENCH_CLIENT_AWAY)
			continue;
		if (l->clients[index].state == BENCH_CLIENT_CONNECTING)
			connected(l, index);
		else if (!l->stalled || (events[i].events & (EPOLLHUP | EPOLLERR)) != 0)
			readable(l, index);
	}
	l->now_ns = clock_ns(CLOCK_MONOTONIC);
	do_due(l);
	if (l->opening)
		dial_some(l);
	if (l->expect != 0 && l->ledger.tally.received >= l->expect) {
		l->expect = 0;
		send_tally(l);
	} else if (l->now_ns - l->tallied_ns > TALLY_MS * 1000000u) {
		send_tally(l);
	}
}

static bool
start(struct load *l)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = NONE};

	l->clients = calloc(l->share->count, sizeof *l->clients);
	l->raw = malloc(RAW_BYTES);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->clients == NULL || l->raw == NULL || l->epoll == -1 || !reserve(l, 0) ||
	    epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->fd, &event) == -1)
		return false;
	for (uint32_t i = 0; i < l->share->count; i++) {
		l->clients[i].fd = -1;
		l->clients[i].account.client = l->share->first + i;
		l->clients[i].account.channel =
		    l->share->channel_first + (l->share->first + i) % l->share->channel_count;
	}
	for (unsigned i = 0; i < WHEEL; i++)
		l->wheel[i] = NONE;
	l->now_ns = clock_ns(CLOCK_MONOTONIC);
	l->wheel_at = l->now_ns / (WHEEL_MS * 1000000u);
	l->random = l->now_ns | 1;
	return true;
}

int
bench_load_run(const struct bench_plan *plan, const struct bench_share *share, int fd)
{
	struct load *l = calloc(1, sizeof *l);

	if (l == NULL)
		return 1;
	l->plan = plan;
	l->share = share;
	l->fd = fd;
	if (!start(l))
		return 1;
	while (take_orders(l))
		turn(l);
	for (uint32_t i = 0; i < share->count; i++) {
		part(l, i);
		free(l->clients[i].validators);
	}
	bench_ledger_free(&l->ledger);
	free(l->clients);
	free(l->in);
	free(l->raw);
	close(l->epoll);
	free(l);
	return 0;
}
