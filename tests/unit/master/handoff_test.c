/*
 * handoff_test.c: no connection is lost between the master and its workers.
 *
 * The master's side is the real one, on a loop; the workers are played here, at the other ends of
 * the control sockets, or by children that can be killed. A connection is one end of a socket pair:
 * its client, the other end, must get exactly one greeting, whatever happens to the workers on the
 * way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/handoff.h"
#include "master/master.h"
#include "master/orders.h"
#include "master/supervise.h"
#include "shm/ring_write.h"

#define WORKERS 3
#define CLIENTS_MAX 2000

struct fixture {
	struct master m;
	int worker[WORKERS]; /* the workers' ends */
	int clients[CLIENTS_MAX];
	size_t client_count;
};

static const struct order_address nobody = {{[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};

static void
seat_open(struct fixture *f, unsigned i)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	handoff_worker_new(&f->m, i);
	assert_int_equal(orders_attach(&f->m.seats[i], pair[0]), 0);
	f->worker[i] = pair[1];
	f->m.seats[i].state = SEAT_SERVING;
}

/* What supervise.c does when a worker's death is told. */
static void
seat_bury(struct fixture *f, unsigned i)
{
	orders_read_rest(&f->m.seats[i]);
	orders_detach(&f->m.seats[i]);
	f->m.seats[i].state = SEAT_EMPTY;
	handoff_worker_gone(&f->m, i);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct config_mistakes mistakes = {0};

	alarm(60);
	f->m.log = log_to(STDERR_FILENO, LOG_LEVEL_ERROR);
	f->m.config = config_parse(SLICE_LITERAL("{}"), NULL, NULL, &mistakes);
	f->m.loop = loop_new();
	f->m.worker_count = WORKERS;
	f->m.seats = calloc(WORKERS, sizeof *f->m.seats);
	assert_int_equal(ring_write_create(&f->m.ring, LIMIT_RING_BYTES_MIN, 1), 0);
	assert_int_equal(handoff_new(&f->m), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		struct seat *seat = &f->m.seats[i];

		*seat = (struct seat){.master = &f->m, .ordinal = i, .pidfd = -1, .socket = -1};
		seat->max_connections = CLIENTS_MAX;
		assert_int_equal(orders_new(seat), 0);
		seat_open(f, i);
	}
	f->m.state = MASTER_SERVING;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < WORKERS; i++) {
		orders_detach(&f->m.seats[i]);
		handoff_drop(&f->m, i);
		orders_free(&f->m.seats[i]);
		if (f->worker[i] != -1)
			close(f->worker[i]);
	}
	for (size_t i = 0; i < f->client_count; i++)
		close(f->clients[i]);
	handoff_free(&f->m);
	ring_write_close(f->m.ring);
	loop_free(f->m.loop);
	config_free(f->m.config);
	free(f->m.seats);
	free(f);
	return 0;
}

/* Only these workers are there; the others' seats are empty. */
static void
serve_only(struct fixture *f, unsigned mask)
{
	for (unsigned i = 0; i < WORKERS; i++)
		f->m.seats[i].state = mask & (1u << i) ? SEAT_SERVING : SEAT_STARTING;
}

static bool
offer(struct fixture *f)
{
	int pair[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	if (!handoff_offer(&f->m, pair[1], &nobody)) {
		close(pair[0]);
		close(pair[1]);
		return false;
	}
	f->clients[f->client_count++] = pair[0];
	return true;
}

static void
offer_many(struct fixture *f, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_true(offer(f));
	handoff_flush(&f->m);
}

static void
turn(struct fixture *f)
{
	assert_int_equal(loop_turn(f->m.loop, 0), 0);
}

/* ---- the worker's side ----------------------------------------------------------------------- */

struct delivery {
	struct order_connections message;
	int fds[LIMIT_HANDOFF_BATCH];
	size_t fd_count;
	bool cut;
};

/* Receives one ORDER_CONNECTIONS; false when there is none (or the end). */
static bool
receive(int socket, struct delivery *d, int flags)
{
	static char packet[ORDER_PACKET_BYTES];
	static char control[CMSG_SPACE(LIMIT_HANDOFF_BATCH * sizeof(int))];
	struct iovec bytes = {packet, sizeof packet};
	struct msghdr message = {.msg_iov = &bytes,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof control};
	ssize_t len = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
	struct cmsghdr *head;

	if (len <= 0)
		return false;
	head = CMSG_FIRSTHDR(&message);
	d->cut = (message.msg_flags & MSG_CTRUNC) != 0;
	d->fd_count = head == NULL ? 0 : (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	if (head != NULL)
		memcpy(d->fds, CMSG_DATA(head), d->fd_count * sizeof(int));
	return order_decode_connections(slice_of(packet, (size_t)len), &d->message) == 0;
}

static void
acknowledge(int socket, uint64_t serial)
{
	char packet[64];
	struct out o = out_to(packet, sizeof packet);
	struct order_taken taken = {serial};

	order_encode_taken(&o, &taken);
	send(socket, packet, o.len, MSG_NOSIGNAL);
}

static void
greet(const struct delivery *d, size_t from, size_t to, char greeting)
{
	for (size_t i = from; i < to; i++) {
		(void)!write(d->fds[i], &greeting, 1);
		close(d->fds[i]);
	}
}

/* Takes and greets everything that is there; answers how many. */
static size_t
serve(struct fixture *f, unsigned worker)
{
	struct delivery d;
	size_t served = 0;

	while (receive(f->worker[worker], &d, MSG_DONTWAIT)) {
		assert_int_equal(d.fd_count, d.message.count);
		assert_false(d.cut);
		acknowledge(f->worker[worker], d.message.first_serial + d.message.count - 1);
		greet(&d, 0, d.fd_count, (char)('0' + worker));
		served += d.fd_count;
		turn(f);
	}
	return served;
}

/* Each client has got one greeting, then the end. */
static void
check_all_greeted(struct fixture *f)
{
	for (size_t i = 0; i < f->client_count; i++) {
		char byte[2];
		struct pollfd p = {f->clients[i], POLLIN, 0};

		assert_int_equal(poll(&p, 1, 2000), 1);
		assert_int_equal(read(f->clients[i], byte, sizeof byte), 1);
		assert_int_equal(poll(&p, 1, 2000), 1);
		assert_int_equal(read(f->clients[i], byte, sizeof byte), 0);
	}
	assert_int_equal(handoff_waiting(&f->m), 0);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void
handoff_sends_a_batch_to_the_least_loaded_worker(void **state)
{
	struct fixture *f = *state;
	struct delivery d;

	offer_many(f, 10);
	offer_many(f, 5);
	offer_many(f, 3);
	for (unsigned i = 0; i < WORKERS; i++) {
		static const size_t expected[] = {10, 5, 3};

		assert_true(receive(f->worker[i], &d, MSG_DONTWAIT));
		assert_int_equal(d.fd_count, expected[i]);
		assert_int_equal(d.message.first_serial, 1);
		assert_memory_equal(&d.message.of[0].peer, &nobody, sizeof nobody);
		acknowledge(f->worker[i], d.fd_count);
		greet(&d, 0, d.fd_count, 'x');
	}
	turn(f);
	offer_many(f, 1);
	assert_int_equal(serve(f, 2), 1);
	check_all_greeted(f);
	assert_int_equal(handoff_total(&f->m), 19);
}

static void
handoff_keeps_a_descriptor_until_it_is_acknowledged(void **state)
{
	struct fixture *f = *state;
	struct delivery d;
	char byte;

	serve_only(f, 1);
	offer_many(f, 2);
	assert_true(receive(f->worker[0], &d, MSG_DONTWAIT));
	close(d.fds[0]);
	close(d.fds[1]);
	assert_int_equal(read(f->clients[0], &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	acknowledge(f->worker[0], 1);
	turn(f);
	assert_int_equal(read(f->clients[0], &byte, 1), 0);
	assert_int_equal(read(f->clients[1], &byte, 1), -1);
	assert_int_equal(handoff_waiting(&f->m), 1);
}

static void
handoff_gives_what_a_dead_worker_did_not_take_to_another_in_order(void **state)
{
	struct fixture *f = *state;
	struct delivery d;

	serve_only(f, 1);
	offer_many(f, 100);
	assert_true(receive(f->worker[0], &d, MSG_DONTWAIT));
	assert_int_equal(d.fd_count, LIMIT_HANDOFF_BATCH);
	greet(&d, 0, 30, '0');
	for (size_t i = 30; i < d.fd_count; i++)
		close(d.fds[i]);
	/* The acknowledgement is in the socket, unread, when the worker is found dead. */
	acknowledge(f->worker[0], 30);
	close(f->worker[0]);
	f->worker[0] = -1;
	seat_bury(f, 0);
	assert_int_equal(f->m.counters.handed_again, 70);
	assert_int_equal(handoff_total(&f->m), 70);
	serve_only(f, 2);
	handoff_flush(&f->m);
	assert_true(receive(f->worker[1], &d, MSG_DONTWAIT));
	assert_int_equal(d.message.first_serial, 1);
	/* The first of them is the 31st client. */
	assert_int_equal(write(d.fds[0], "1", 1), 1);
	assert_int_equal(read(f->clients[30], &(char){0}, 1), 1);
	greet(&d, 1, d.fd_count, '1');
	assert_int_equal(write(d.fds[0], "1", 1), 1);
	close(d.fds[0]);
	acknowledge(f->worker[1], 64);
	turn(f);
	assert_int_equal(serve(f, 1), 6);
	check_all_greeted(f);
	assert_int_equal(handoff_total(&f->m), 70);
}

static void
handoff_stops_at_its_credits_and_its_queue(void **state)
{
	struct fixture *f = *state;
	struct delivery d;

	serve_only(f, 1);
	offer_many(f, LIMIT_HANDOFF_CREDITS);
	assert_int_equal(handoff_room(&f->m), LIMIT_HANDOFF_QUEUE);
	offer_many(f, LIMIT_HANDOFF_QUEUE);
	assert_int_equal(handoff_room(&f->m), 0);
	assert_false(offer(f));
	/* Eight messages of credit, no more. */
	for (size_t i = 0; i < LIMIT_HANDOFF_CREDITS / LIMIT_HANDOFF_BATCH; i++) {
		assert_true(receive(f->worker[0], &d, MSG_DONTWAIT));
		greet(&d, 0, d.fd_count, '0');
	}
	assert_false(receive(f->worker[0], &d, MSG_DONTWAIT));
	acknowledge(f->worker[0], 10);
	turn(f);
	assert_int_equal(handoff_room(&f->m), 10);
	assert_true(receive(f->worker[0], &d, MSG_DONTWAIT));
	assert_int_equal(d.fd_count, 10);
	greet(&d, 0, d.fd_count, '0');
	acknowledge(f->worker[0], LIMIT_HANDOFF_CREDITS + 10);
	turn(f);
	while (serve(f, 0) > 0)
		turn(f);
	check_all_greeted(f);
}

static void
handoff_respects_what_a_worker_has_room_for(void **state)
{
	struct fixture *f = *state;
	struct order_closed closed = {.count = 1};

	for (unsigned i = 0; i < WORKERS; i++)
		f->m.seats[i].max_connections = 4;
	offer_many(f, 14);
	assert_int_equal(serve(f, 0) + serve(f, 1) + serve(f, 2), 12);
	assert_int_equal(handoff_waiting(&f->m), 2);
	closed.peer_hashes[0] = peers_hash(ring_write_ring(f->m.ring), &nobody);
	assert_true(handoff_closed(&f->m, 1, &closed));
	assert_true(handoff_closed(&f->m, 2, &closed));
	assert_int_equal(serve(f, 1), 1);
	assert_int_equal(serve(f, 2), 1);
	check_all_greeted(f);
}

static void
handoff_waits_for_room_in_the_socket_and_loses_nothing(void **state)
{
	struct fixture *f = *state;
	static const int small = 1;
	size_t served = 0;

	serve_only(f, 1);
	assert_int_equal(
	    setsockopt(f->m.seats[0].socket, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
	for (size_t i = 0; i < 300; i++) {
		assert_true(offer(f));
		handoff_flush(&f->m);
	}
	assert_true(f->m.seats[0].orders.blocked);
	assert_true(handoff_room(&f->m) < LIMIT_HANDOFF_QUEUE);
	for (int i = 0; i < 400 && served < 300; i++) {
		served += serve(f, 0);
		turn(f);
	}
	assert_int_equal(served, 300);
	check_all_greeted(f);
}

/* Nor is a worker listened to that does not read: its answers would pile up. */
static void
handoff_sends_orders_that_wait_for_room_in_their_order(void **state)
{
	struct fixture *f = *state;
	static const int small = 1;
	char packet[1000], got[ORDER_PACKET_BYTES];
	struct delivery d;
	unsigned sent = 0, received = 0;

	serve_only(f, 1);
	offer_many(f, 1);
	assert_true(receive(f->worker[0], &d, MSG_DONTWAIT));
	assert_int_equal(
	    setsockopt(f->m.seats[0].socket, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
	while (orders_send(&f->m, 0,
		   slice_of(memset(packet, (char)sent, sizeof packet), sizeof packet)) == 0)
		sent++;
	assert_int_equal(errno, ENOBUFS);
	assert_int_equal(f->m.counters.orders_refused, 1);
	assert_in_range(sent, LIMIT_ORDER_QUEUE_BYTES / 1100, LIMIT_ORDER_QUEUE_BYTES / 1000 + 10);
	acknowledge(f->worker[0], 1);
	greet(&d, 0, 1, '0');
	turn(f);
	assert_int_equal(handoff_waiting(&f->m), 1);
	for (int idle = 0; idle < 10; idle++) {
		while (
		    recv(f->worker[0], got, sizeof got, MSG_DONTWAIT) == (ssize_t)sizeof packet) {
			assert_int_equal((unsigned char)got[999], (unsigned char)received);
			received++;
			idle = 0;
		}
		turn(f);
	}
	assert_int_equal(received, sent);
	assert_true(orders_clear(&f->m, 0));
	check_all_greeted(f);
}

/* What a listener does that is ready in the same turn as the worker's control socket. */
static void
offer_one(void *context)
{
	offer_many(context, 1);
}

/*
 * The answer to what a client published waits for the commit, and for that long the worker takes no
 * connection. Afterwards it does, with nothing else to remind us.
 */
static void
handoff_goes_on_when_answers_have_left(void **state)
{
	struct fixture *f = *state;
	struct loop_work listener = {.run = offer_one, .context = f};
	struct order_publish publish = {.tag = SLICE_LITERAL("tag"),
	    .event = {.kind = EVENT_TEXT,
		.channel_count = 1,
		.channels = {SLICE_LITERAL("news")},
		.data = SLICE_LITERAL("more than one byte")}};
	char whole[256], packet[512];
	struct out w = out_to(whole, sizeof whole), p = out_to(packet, sizeof packet);

	serve_only(f, 1);
	/* What is refused is answered, too, and needs no publish socket here. */
	f->m.config->max_event_bytes = 1;
	order_encode_publish(&w, &publish);
	order_encode_piece(&p, &(struct order_piece){(uint32_t)w.len, 0, slice_of(whole, w.len)});
	assert_int_equal(send(f->worker[0], packet, p.len, 0), (ssize_t)p.len);
	loop_defer(f->m.loop, &listener, LOOP_COMMIT);
	turn(f);
	assert_true(recv(f->worker[0], packet, sizeof packet, MSG_DONTWAIT) > 0);
	assert_int_equal(order_type_of(slice_of(packet, 4)), ORDER_PUBLISHED);
	assert_int_equal(serve(f, 0), 1);
	check_all_greeted(f);
}

static void
handoff_refuses_acknowledgements_and_closes_that_cannot_be(void **state)
{
	struct fixture *f = *state;
	struct order_closed closed = {.count = 1, .peer_hashes = {1}};

	serve_only(f, 1);
	offer_many(f, 3);
	assert_false(handoff_taken(&f->m, 0, 0));
	assert_false(handoff_taken(&f->m, 0, 4));
	assert_true(handoff_taken(&f->m, 0, 2));
	assert_false(handoff_taken(&f->m, 0, 2));
	assert_false(handoff_taken(&f->m, 1, 1));
	assert_false(handoff_closed(&f->m, 0, &closed));
	assert_false(handoff_closed(&f->m, 1, &closed));
}

#ifdef SANITIZED
static void
handoff_refuses_whom_it_has_no_memory_for(void **state)
{
	(void)state;
	skip(); /* the sanitizer brings an allocator of its own */
}
#else

void *__libc_calloc(size_t count, size_t size);
void *calloc(size_t count, size_t size);

static bool refuse_memory;

void *
calloc(size_t count, size_t size)
{
	return refuse_memory ? NULL : __libc_calloc(count, size);
}

static void
handoff_refuses_whom_it_has_no_memory_for(void **state)
{
	struct fixture *f = *state;
	char answer[512] = "";

	serve_only(f, 1);
	refuse_memory = true;
	offer_many(f, 1);
	refuse_memory = false;
	assert_true(recv(f->clients[0], answer, sizeof answer - 1, 0) > 0);
	assert_memory_equal(answer, "HTTP/1.1 503 ", 13);
	assert_int_equal(handoff_total(&f->m), 0);
	assert_int_equal(f->m.counters.refused_connections, 1);
	close(f->clients[--f->client_count]);
	offer_many(f, 1);
	assert_int_equal(serve(f, 0), 1);
	check_all_greeted(f);
}
#endif

/*
 * A child as worker: takes some of what it is given, acknowledged and then greeted, and is killed
 * with the rest in its hands or still in the socket. The one moment at which it must not be killed
 * is between the two: what it has acknowledged is its own, and would be lost with it.
 */
static _Noreturn void
child_that_dies(int socket, unsigned seed)
{
	struct delivery d;
	unsigned lives = seed % 3;
	sigset_t term;

	alarm(20);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	for (unsigned n = 0; receive(socket, &d, 0); n++) {
		size_t take = n < lives ? d.fd_count : seed / 3 % (d.fd_count + 1);

		sigprocmask(SIG_BLOCK, &term, NULL);
		if (take > 0)
			acknowledge(socket, d.message.first_serial + take - 1);
		greet(&d, 0, take, 'c');
		sigprocmask(SIG_UNBLOCK, &term, NULL);
		if (n >= lives)
			kill(getpid(), SIGKILL);
	}
	_exit(0);
}

static pid_t
seat_fork(struct fixture *f, unsigned i, unsigned seed)
{
	pid_t pid = fork();

	if (pid == 0) {
		/*
		 * Only what a real worker inherits: the other ends would keep sockets open past
		 * their owners' death.
		 */
		for (unsigned j = 0; j < WORKERS; j++) {
			if (j != i && f->worker[j] != -1)
				close(f->worker[j]);
			if (f->m.seats[j].socket != -1)
				close(f->m.seats[j].socket);
		}
		for (size_t j = 0; j < f->client_count; j++)
			close(f->clients[j]);
		child_that_dies(f->worker[i], seed);
	}
	assert_true(pid > 0);
	close(f->worker[i]);
	f->worker[i] = -1;
	return pid;
}

static void
handoff_loses_nothing_when_workers_are_killed_before_they_acknowledge(void **state)
{
	struct fixture *f = *state;
	unsigned random = 12345;

	for (int round = 0; round < 60; round++) {
		pid_t pids[2];

		serve_only(f, 3);
		for (unsigned i = 0; i < 2; i++)
			pids[i] = seat_fork(f, i, random = random * 1103515245u + 12345u);
		for (int i = 0; i < 4; i++) {
			offer_many(f, 1 + (random >> (4 + i * 3)) % 80);
			turn(f);
		}
		for (unsigned i = 0; i < 2; i++) {
			/* One that got too little to die of is ended by us. */
			usleep(500);
			kill(pids[i], SIGTERM);
			assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
			seat_bury(f, i);
		}
		serve_only(f, 4);
		handoff_flush(&f->m);
		while (serve(f, 2) > 0)
			turn(f);
		handoff_worker_gone(&f->m, 2);
		handoff_worker_new(&f->m, 2);
		close(f->worker[2]);
		seat_bury(f, 2);
		for (unsigned i = 0; i < WORKERS; i++)
			seat_open(f, i);
		check_all_greeted(f);
		while (f->client_count > 0)
			close(f->clients[--f->client_count]);
		assert_int_equal(handoff_total(&f->m), 0);
	}
	assert_true(f->m.counters.handed_again > 100);
}

/*
 * At its descriptor limit a worker gets MSG_CTRUNC and a part; it must close that part and die
 * unacknowledged.
 */
static void
handoff_survives_a_worker_that_is_out_of_descriptors(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	serve_only(f, 1);
	offer_many(f, 64);
	pid = fork();
	if (pid == 0) {
		struct delivery d;
		int lowest = dup(0);
		struct rlimit limit = {(rlim_t)lowest + 10, (rlim_t)lowest + 10};

		alarm(20);
		close(lowest);
		setrlimit(RLIMIT_NOFILE, &limit);
		if (!receive(f->worker[0], &d, 0) || !d.cut || d.fd_count >= 64)
			_exit(1);
		for (size_t i = 0; i < d.fd_count; i++)
			close(d.fds[i]);
		_exit(42);
	}
	close(f->worker[0]);
	f->worker[0] = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	seat_bury(f, 0);
	serve_only(f, 2);
	handoff_flush(&f->m);
	assert_int_equal(serve(f, 1), 64);
	check_all_greeted(f);
}

/* A worker that only acknowledges and greets; it starts to read when it is told to. */
static _Noreturn void
child_that_serves(int socket, int go)
{
	struct delivery d;
	size_t served = 0;

	alarm(20);
	(void)!read(go, &(char){0}, 1);
	while (served < 400 && receive(socket, &d, 0) && !d.cut) {
		acknowledge(socket, d.message.first_serial + d.message.count - 1);
		greet(&d, 0, d.fd_count, 'x');
		served += d.fd_count;
	}
	_exit(served == 400 ? 0 : 1);
}

/*
 * Without privileges, more descriptors in flight than RLIMIT_NOFILE are refused with ETOOMANYREFS:
 * wait, and go on.
 */
static int
exhaust_flight(struct fixture *f)
{
	struct rlimit limit = {150, 150};
	int go[2], status;
	pid_t worker;

	serve_only(f, 1);
	for (size_t i = 0; i < 400; i++)
		if (!offer(f))
			return 10;
	if (pipe(go) == -1 || setresuid(65534, 65534, 65534) == -1)
		return 11;
	worker = fork();
	if (worker == 0)
		child_that_serves(f->worker[0], go[0]);
	if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
		return 12;
	handoff_flush(&f->m);
	if (!loop_timer_pending(&f->m.seats[0].orders.retry) ||
	    handoff_room(&f->m) == LIMIT_HANDOFF_QUEUE)
		return 13;
	(void)!write(go[1], "g", 1);
	for (int i = 0; i < 400 && handoff_waiting(&f->m) > 0; i++)
		if (loop_turn(f->m.loop, 20) == -1)
			return 14;
	if (waitpid(worker, &status, 0) != worker || status != 0)
		return 15;
	return handoff_waiting(&f->m) == 0 ? 0 : 16;
}

static void
handoff_waits_while_too_many_descriptors_are_in_flight(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	pid = fork();
	if (pid == 0) {
		alarm(20);
		_exit(exhaust_flight(f));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Every step against a plain array of counts. */
static void
peers_count_what_a_plain_array_counts(void **state)
{
	struct peers peers = {0};
	uint32_t counts[300] = {0}, random = 7;
	uint64_t total = 0;

	(void)state;
	for (int step = 0; step < 200000; step++) {
		uint32_t i, hash;

		random = random * 1664525u + 1013904223u;
		i = (random >> 8) % 300;
		/* Many share a home place, so that runs grow and close. */
		hash = (i % 20) + (i / 20) * 0x10000000u;
		/* Grows, then empties, again and again. */
		if ((step / 2000) % 2 == 0 ? random >> 30 != 0 : random >> 30 == 0) {
			assert_int_equal(peers_reserve(&peers, 1), 0);
			peers_add(&peers, hash);
			counts[i]++;
			total++;
		} else {
			assert_int_equal(peers_remove(&peers, hash), counts[i] > 0);
			total -= counts[i] > 0;
			counts[i] -= counts[i] > 0;
		}
		assert_int_equal(peers_count(&peers, hash), counts[i]);
		assert_int_equal(peers.total, total);
		if (step % 1000 == 0)
			for (uint32_t j = 0; j < 300; j++)
				assert_int_equal(
				    peers_count(&peers, (j % 20) + (j / 20) * 0x10000000u),
				    counts[j]);
	}
	peers_clear(&peers);
}

static void
peers_hash_names_an_ipv6_host_by_its_64(void **state)
{
	struct fixture *f = *state;
	const struct ring *ring = ring_write_ring(f->m.ring);
	struct order_address a = {{0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 1}}, b = a, v4 = nobody;

	b.bytes[15] = 9;
	assert_int_equal(peers_hash(ring, &a), peers_hash(ring, &b));
	b.bytes[7] = 2;
	assert_int_not_equal(peers_hash(ring, &a), peers_hash(ring, &b));
	v4.bytes[15] = 2;
	assert_int_not_equal(peers_hash(ring, &nobody), peers_hash(ring, &v4));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(handoff_sends_a_batch_to_the_least_loaded_worker),
	    TEST(handoff_keeps_a_descriptor_until_it_is_acknowledged),
	    TEST(handoff_gives_what_a_dead_worker_did_not_take_to_another_in_order),
	    TEST(handoff_stops_at_its_credits_and_its_queue),
	    TEST(handoff_respects_what_a_worker_has_room_for),
	    TEST(handoff_waits_for_room_in_the_socket_and_loses_nothing),
	    TEST(handoff_sends_orders_that_wait_for_room_in_their_order),
	    TEST(handoff_goes_on_when_answers_have_left),
	    TEST(handoff_refuses_acknowledgements_and_closes_that_cannot_be),
	    TEST(handoff_refuses_whom_it_has_no_memory_for),
	    TEST(handoff_loses_nothing_when_workers_are_killed_before_they_acknowledge),
	    TEST(handoff_survives_a_worker_that_is_out_of_descriptors),
	    TEST(handoff_waits_while_too_many_descriptors_are_in_flight),
	    cmocka_unit_test(peers_count_what_a_plain_array_counts),
	    TEST(peers_hash_names_an_ipv6_host_by_its_64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
