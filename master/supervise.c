/*
 * supervise.c: the workers' processes. See supervise.h; the table below is the whole of what can
 * happen to a seat.
 *
 * Between calls: a seat has a pidfd and a control socket exactly while it has a process (STARTING
 * to DYING); its timer runs in EMPTY (start), STARTING (be ready), DRAINING (be gone), and in
 * SERVING only after a hang-up.
 */
#include "master/supervise.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/api.h"
#include "master/master.h"
#include "shm/doorbell.h"
#include "shm/ring_write.h"

#define SUPERVISE_READY_NS (10000 * LOOP_NS_PER_MS)  /* from start to ORDER_READY */
#define SUPERVISE_HUNG_UP_NS (1000 * LOOP_NS_PER_MS) /* from the socket's end to the process's */
#define SUPERVISE_GRACE_NS (1000 * LOOP_NS_PER_MS)   /* beyond a drain's deadline */
#define SUPERVISE_QUICK_NS \
	(1000 * LOOP_NS_PER_MS) /* dying so soon after the start slows down the next start */
#define SUPERVISE_THROTTLE_NS (50 * LOOP_NS_PER_MS) /* the first time; doubles up to the most */
#define SUPERVISE_THROTTLE_MAX_NS (5000 * LOOP_NS_PER_MS)
#define SUPERVISE_CONTROL_FD \
	3 /* what a worker finds open beside standard input, output and error */
#define SUPERVISE_EXIT_FINAL 2 /* a worker's exit code: starting it again would not help */

enum seat_event {
	SEAT_TIMEOUT,
	SEAT_READY,
	SEAT_DIED,
	SEAT_REFUSED, /* died with SUPERVISE_EXIT_FINAL */
	SEAT_FAULT,   /* broke the protocol */
	SEAT_HUNG_UP,
	SEAT_DRAIN,
	SEAT_DRAINED,
	SEAT_EVENTS
};

static void supervise_event(struct seat *seat, enum seat_event event);

/* ---- starting a process ---------------------------------------------------------------------- */

static void
supervise_on_timer(void *context)
{
	supervise_event(context, SEAT_TIMEOUT);
}

static void
supervise_set_timer(struct seat *seat, uint64_t ns)
{
	/*
	 * Without memory for a timer a stuck worker is only found when somebody looks; all else
	 * goes on.
	 */
	if (loop_timer_set(seat->master->loop, &seat->timer, ns, supervise_on_timer, seat) == -1)
		log_with(&seat->master->log, LOG_LEVEL_ERROR, "no memory for a worker's timer",
		    log_number("worker", seat->ordinal));
}

/* Its counters go on counting in the seat; its gauges end with it. */
static void
supervise_bury(struct seat *seat)
{
	struct master *m = seat->master;

	for (unsigned i = 0; i < BOARD_COUNTERS; i++)
		if (!board_info((enum board_counter)i)->gauge)
			seat->past[i] += board_get(&seat->board, (enum board_counter)i);
	m->sleepers[seat->ordinal].board = NULL;
	board_reset(&seat->board, seat->incarnation);
	loop_del(m->loop, &seat->death);
	close(seat->pidfd);
	seat->pidfd = -1;
	seat->pid = 0;
	/*
	 * It may have acknowledged connections with its last breath: hear that before giving them
	 * to others.
	 */
	orders_read_rest(seat);
	orders_detach(seat);
	handoff_worker_gone(m, seat->ordinal);
	api_worker_gone(m, seat->ordinal);
}

static void
supervise_log_end(const struct seat *seat, const siginfo_t *info, bool expected, uint64_t lived_ms)
{
	const char *name = info->si_code == CLD_EXITED ? NULL : sigabbrev_np(info->si_status);

	log_with(&seat->master->log, expected ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "worker ended",
	    log_number("worker", seat->ordinal), log_number("pid", (uint64_t)seat->pid),
	    name != NULL ? log_text("signal", name) : log_number("exit", (uint64_t)info->si_status),
	    log_number("lived_ms", lived_ms));
}

static void
supervise_on_death(void *context, uint32_t events)
{
	struct seat *seat = context;
	struct master *m = seat->master;
	uint64_t lived_ns = loop_now_ns(m->loop) - seat->started_ns;
	siginfo_t info = {0};
	bool exited, expected;

	(void)events;
	/* A failure would mean that somebody else has reaped it: dead it is all the same. */
	if (waitid(P_PIDFD, (id_t)seat->pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0)
		return;
	exited = info.si_code == CLD_EXITED;
	expected = m->state == MASTER_DRAINING && exited && info.si_status == 0;
	supervise_log_end(seat, &info, expected, lived_ns / LOOP_NS_PER_MS);
	if (!expected)
		m->counters.workers_died++;
	seat->quick_deaths = lived_ns < SUPERVISE_QUICK_NS ? seat->quick_deaths + 1 : 0;
	supervise_bury(seat);
	supervise_event(
	    seat, exited && info.si_status == SUPERVISE_EXIT_FINAL ? SEAT_REFUSED : SEAT_DIED);
}

static int
supervise_spawn(struct seat *seat, int socket)
{
	char name[] = "ringcast-worker";
	char *const arguments[] = {name, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, defaults;
	int error;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	if (posix_spawn_file_actions_init(&files) != 0 || posix_spawnattr_init(&attributes) != 0)
		return -1;
	error = posix_spawn_file_actions_adddup2(&files, socket, SUPERVISE_CONTROL_FD);
	if (error == 0)
		error = posix_spawn_file_actions_addclosefrom_np(&files, SUPERVISE_CONTROL_FD + 1);
	if (error == 0)
		error = posix_spawnattr_setsigmask(&attributes, &none);
	if (error == 0)
		error = posix_spawnattr_setsigdefault(&attributes, &defaults);
	if (error == 0)
		error = posix_spawnattr_setflags(
		    &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (error == 0)
		error = posix_spawn(&seat->pid, seat->master->worker_program, &files, &attributes,
		    arguments, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	errno = error;
	return error == 0 ? 0 : -1;
}

/* The first two messages: what it is and what it may touch, then how to behave. */
static int
supervise_send_start(struct seat *seat)
{
	struct master *m = seat->master;
	const struct order_start start = {.ordinal = seat->ordinal,
	    .incarnation = seat->incarnation,
	    .max_connections = seat->max_connections,
	    .io = (uint8_t)m->config->io};
	char packet[256];
	struct out o = out_to(packet, sizeof packet);
	int fds[ORDER_FD_COUNT] = {
	    [ORDER_FD_RING] = segment_reader(&ring_write_ring(m->ring)->segment),
	    [ORDER_FD_BOARD] = seat->board.segment.fd,
	    [ORDER_FD_SLOTS] = seat->slots.segment.fd,
	    [ORDER_FD_DOORBELL] = seat->bell,
	};

	if (fds[ORDER_FD_RING] == -1)
		return -1;
	order_encode_start(&o, &start);
	assert(!out_cut(&o));
	if (orders_send_descriptors(
		m, seat->ordinal, slice_of(packet, o.len), fds, ORDER_FD_COUNT) == -1)
		return -1;
	orders_send_settings(m, seat->ordinal);
	return 0;
}

/* Whatever fails leaves the seat without a process, without a socket. */
static int
supervise_launch(struct seat *seat)
{
	struct master *m = seat->master;
	int pair[2] = {-1, -1};

	slots_close(&seat->slots);
	if (slots_create(&seat->slots, seat->max_connections, LIMIT_IO_COMPLETIONS) != 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	if (orders_attach(seat, pair[0]) == -1) {
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	/*
	 * Before the process, so that the messages are there when it looks, and nothing is to be
	 * undone when they are not.
	 */
	if (supervise_send_start(seat) == -1 || supervise_spawn(seat, pair[1]) == -1)
		goto fail;
	close(pair[1]);
	pair[1] = -1;
	seat->pidfd = pidfd_open(seat->pid, 0);
	if (seat->pidfd != -1 &&
	    loop_add(m->loop, &seat->death, seat->pidfd, EPOLLIN, supervise_on_death, seat) == 0)
		return 0;
	kill(seat->pid, SIGKILL);
	waitpid(seat->pid, NULL, 0);
fail:
	orders_detach(seat);
	if (pair[1] != -1)
		close(pair[1]);
	if (seat->pidfd != -1)
		close(seat->pidfd);
	seat->pidfd = -1;
	seat->pid = 0;
	return -1;
}

/* ---- actions --------------------------------------------------------------------------------- */

static void
supervise_retire(struct seat *seat)
{
	struct master *m = seat->master;

	seat->state = SEAT_RETIRED;
	loop_timer_clear(m->loop, &seat->timer);
	for (unsigned i = 0; i < m->worker_count; i++)
		if (m->seats[i].state != SEAT_RETIRED)
			return;
	master_workers_gone(m);
}

/* The next process after a pause that grows with quick deaths; the first one comes at once. */
static void
supervise_again(struct seat *seat)
{
	uint64_t pause_ns = seat->quick_deaths == 0 ? 0 : SUPERVISE_THROTTLE_NS;

	if (seat->master->state == MASTER_DRAINING) {
		supervise_retire(seat);
		return;
	}
	for (unsigned i = 1; i < seat->quick_deaths && pause_ns < SUPERVISE_THROTTLE_MAX_NS; i++)
		pause_ns *= 2;
	if (pause_ns > SUPERVISE_THROTTLE_MAX_NS)
		pause_ns = SUPERVISE_THROTTLE_MAX_NS;
	seat->incarnation++;
	seat->state = SEAT_EMPTY;
	supervise_set_timer(seat, pause_ns);
}

static void
supervise_begin(struct seat *seat)
{
	struct master *m = seat->master;

	handoff_worker_new(m, seat->ordinal);
	board_reset(&seat->board, seat->incarnation);
	seat->started_ns = loop_now_ns(m->loop);
	if (supervise_launch(seat) == -1) {
		log_errno(&m->log, LOG_LEVEL_ERROR, "cannot start a worker",
		    log_number("worker", seat->ordinal), log_text("program", m->worker_program));
		seat->quick_deaths++;
		supervise_again(seat);
		return;
	}
	m->counters.workers_started++;
	m->sleepers[seat->ordinal].board = &seat->board;
	seat->state = SEAT_STARTING;
	supervise_set_timer(seat, SUPERVISE_READY_NS);
	log_with(&m->log, LOG_LEVEL_DEBUG, "worker started", log_number("worker", seat->ordinal),
	    log_number("pid", (uint64_t)seat->pid), log_number("incarnation", seat->incarnation));
}

static void
supervise_serve(struct seat *seat)
{
	struct master *m = seat->master;

	loop_timer_clear(m->loop, &seat->timer);
	seat->state = SEAT_SERVING;
	log_with(&m->log, LOG_LEVEL_INFO, "worker serves", log_number("worker", seat->ordinal),
	    log_number("pid", (uint64_t)seat->pid), log_number("incarnation", seat->incarnation),
	    log_text("io", board_io_name(board_io(&seat->board))));
	master_worker_ready(m);
	handoff_flush(m);
}

/* The process is known dead from its pidfd only; SIGKILL merely makes sure that this comes. */
static void
supervise_kill(struct seat *seat)
{
	loop_timer_clear(seat->master->loop, &seat->timer);
	seat->state = SEAT_DYING;
	(void)pidfd_send_signal(seat->pidfd, SIGKILL, NULL, 0);
}

static void
supervise_too_slow(struct seat *seat)
{
	log_with(&seat->master->log, LOG_LEVEL_WARNING, "worker is stuck and is killed",
	    log_number("worker", seat->ordinal), log_number("pid", (uint64_t)seat->pid),
	    log_text("while", seat->state == SEAT_STARTING   ? "starting"
			      : seat->state == SEAT_DRAINING ? "draining"
							     : "leaving"));
	supervise_kill(seat);
}

static void
supervise_await_end(struct seat *seat)
{
	supervise_set_timer(seat, SUPERVISE_HUNG_UP_NS);
}

static void
supervise_ask_drain(struct seat *seat)
{
	struct master *m = seat->master;
	uint64_t now_ns = loop_now_ns(m->loop);
	uint64_t left_ns = m->drain_end_ns > now_ns ? m->drain_end_ns - now_ns : 0;

	seat->state = SEAT_DRAINING;
	orders_send_drain(m, seat->ordinal, (uint32_t)(left_ns / LOOP_NS_PER_MS));
	supervise_set_timer(seat, left_ns + SUPERVISE_GRACE_NS);
}

/*
 * It has no client left: the end of our side tells it to leave, its own stays open for last words.
 */
static void
supervise_dismiss(struct seat *seat)
{
	(void)shutdown(seat->socket, SHUT_WR);
}

/* ---- state x event -> action; empty: nothing to do ------------------------------------------- */

typedef void supervise_action(struct seat *seat);

static supervise_action *const supervise_table[SEAT_STATES][SEAT_EVENTS] = {
    [SEAT_EMPTY] =
	{
	    [SEAT_TIMEOUT] = supervise_begin,
	    [SEAT_DRAIN] = supervise_retire,
	},
    [SEAT_STARTING] =
	{
	    [SEAT_TIMEOUT] = supervise_too_slow,
	    [SEAT_READY] = supervise_serve,
	    [SEAT_DIED] = supervise_again,
	    [SEAT_REFUSED] = supervise_retire,
	    [SEAT_FAULT] = supervise_kill,
	    [SEAT_HUNG_UP] = supervise_await_end,
	    [SEAT_DRAIN] = supervise_ask_drain,
	},
    [SEAT_SERVING] =
	{
	    [SEAT_TIMEOUT] = supervise_too_slow,
	    [SEAT_DIED] = supervise_again,
	    [SEAT_REFUSED] = supervise_retire,
	    [SEAT_FAULT] = supervise_kill,
	    [SEAT_HUNG_UP] = supervise_await_end,
	    [SEAT_DRAIN] = supervise_ask_drain,
	},
    [SEAT_DRAINING] =
	{
	    [SEAT_TIMEOUT] = supervise_too_slow,
	    [SEAT_DIED] = supervise_retire,
	    [SEAT_REFUSED] = supervise_retire,
	    [SEAT_FAULT] = supervise_kill,
	    [SEAT_DRAIN] = supervise_ask_drain,
	    [SEAT_DRAINED] = supervise_dismiss,
	},
    [SEAT_DYING] =
	{
	    [SEAT_DIED] = supervise_again,
	    [SEAT_REFUSED] = supervise_retire,
	},
    [SEAT_RETIRED] = {NULL},
};

static void
supervise_event(struct seat *seat, enum seat_event event)
{
	supervise_action *action = supervise_table[seat->state][event];

	if (action != NULL)
		action(seat);
}

void
supervise_ready(struct seat *seat)
{
	supervise_event(seat, SEAT_READY);
}

void
supervise_drained(struct seat *seat)
{
	supervise_event(seat, SEAT_DRAINED);
}

void
supervise_hung_up(struct seat *seat)
{
	supervise_event(seat, SEAT_HUNG_UP);
}

void
supervise_fault(struct seat *seat, const char *why)
{
	log_with(&seat->master->log, LOG_LEVEL_ERROR, "worker broke the protocol and is killed",
	    log_number("worker", seat->ordinal), log_number("pid", (uint64_t)seat->pid),
	    log_text("because", why));
	supervise_event(seat, SEAT_FAULT);
}

/* ---- all seats ------------------------------------------------------------------------------- */

/* RINGCAST_WORKER, else beside our own binary, else where `make install` puts it. */
static int
supervise_find_program(struct master *m)
{
	static const char *const places[] = {"", "../libexec/ringcast/"};
	const char *given = secure_getenv("RINGCAST_WORKER");
	char self[256], *end;
	ssize_t len;

	if (given != NULL) {
		snprintf(m->worker_program, sizeof m->worker_program, "%s", given);
		if (access(given, X_OK) == 0)
			return 0;
		log_errno(&m->log, LOG_LEVEL_ERROR,
		    "cannot run the worker that RINGCAST_WORKER names", log_text("program", given));
		return -1;
	}
	len = readlink("/proc/self/exe", self, sizeof self - 1);
	self[len == -1 ? 0 : len] = '\0';
	end = strrchr(self, '/');
	if (end != NULL)
		end[1] = '\0';
	for (size_t i = 0; end != NULL && i < sizeof places / sizeof places[0]; i++) {
		snprintf(m->worker_program, sizeof m->worker_program, "%s%sringcast-worker", self,
		    places[i]);
		if (access(m->worker_program, X_OK) == 0)
			return 0;
	}
	log_with(&m->log, LOG_LEVEL_ERROR,
	    "cannot find ringcast-worker beside ringcastd; RINGCAST_WORKER may name it",
	    log_text("directory", self));
	return -1;
}

/*
 * Connections for one worker: what its descriptors allow. The configured limit is of all of them,
 * and accept.c's: a reload may raise it, and a table of slots costs nothing where it is not used.
 */
static uint32_t
supervise_max_connections(void)
{
	struct rlimit limit;
	uint64_t most = LIMIT_WORKER_CONNECTIONS_MAX;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_cur < most + LIMIT_WORKER_DESCRIPTORS)
		most = limit.rlim_cur > 2 * LIMIT_WORKER_DESCRIPTORS
			   ? limit.rlim_cur - LIMIT_WORKER_DESCRIPTORS
			   : LIMIT_WORKER_DESCRIPTORS;
	return (uint32_t)most;
}

static int
supervise_prepare(struct master *m, unsigned ordinal)
{
	struct seat *seat = &m->seats[ordinal];

	seat->max_connections = supervise_max_connections();
	seat->bell = doorbell_create();
	if (seat->bell == -1 || board_create(&seat->board) != 0 || orders_new(seat) == -1) {
		log_errno(&m->log, LOG_LEVEL_ERROR, "cannot prepare a worker",
		    log_number("worker", ordinal));
		return -1;
	}
	m->sleepers[ordinal].bell = seat->bell;
	return 0;
}

int
supervise_start(struct master *m)
{
	unsigned count = m->config->workers;

	if (supervise_find_program(m) == -1)
		return -1;
	if (count == 0) {
		long cores = sysconf(_SC_NPROCESSORS_ONLN);

		count = cores < 1 ? 1 : cores > LIMIT_WORKERS ? LIMIT_WORKERS : (unsigned)cores;
	}
	m->seats = calloc(count, sizeof *m->seats);
	m->sleepers = calloc(count, sizeof *m->sleepers);
	if (m->seats == NULL || m->sleepers == NULL) {
		log_say(&m->log, LOG_LEVEL_ERROR, "out of memory");
		return -1;
	}
	m->worker_count = count;
	for (unsigned i = 0; i < count; i++) {
		struct seat *seat = &m->seats[i];

		seat->master = m;
		seat->ordinal = i;
		seat->pidfd = seat->socket = seat->bell = -1;
		seat->board.segment.fd = seat->board.segment.fd_read = -1;
		seat->slots.segment.fd = seat->slots.segment.fd_read = -1;
	}
	for (unsigned i = 0; i < count; i++)
		if (supervise_prepare(m, i) == -1)
			return -1;
	if (handoff_new(m) == -1) {
		log_say(&m->log, LOG_LEVEL_ERROR, "out of memory");
		return -1;
	}
	for (unsigned i = 0; i < count; i++)
		supervise_begin(&m->seats[i]);
	return 0;
}

void
supervise_drain(struct master *m)
{
	for (unsigned i = 0; i < m->worker_count; i++)
		supervise_event(&m->seats[i], SEAT_DRAIN);
}

void
supervise_stop(struct master *m)
{
	for (unsigned i = 0; i < m->worker_count; i++) {
		struct seat *seat = &m->seats[i];

		if (seat->pidfd != -1) {
			loop_del(m->loop, &seat->death);
			/*
			 * A second of drain's grace is over, or starting failed: nobody is served
			 * any more.
			 */
			(void)pidfd_send_signal(seat->pidfd, SIGKILL, NULL, 0);
			(void)waitid(P_PIDFD, (id_t)seat->pidfd, &(siginfo_t){0}, WEXITED);
			close(seat->pidfd);
		}
		loop_timer_clear(m->loop, &seat->timer);
		orders_detach(seat);
		handoff_drop(m, i);
		orders_free(seat);
		board_close(&seat->board);
		slots_close(&seat->slots);
		if (seat->bell != -1)
			close(seat->bell);
	}
	handoff_free(m);
	free(m->seats);
	free(m->sleepers);
	m->seats = NULL;
	m->sleepers = NULL;
	m->worker_count = 0;
}
