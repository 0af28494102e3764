/*
 * turn_bench.c: what a delivery costs in the worker itself: a whole worker over a real ring, with an `io` behind the seam whose sends
 * succeed at once and cost nothing. What is left is our own code, and the memory that it touches.
 *
 *	usage: turn_bench [members, default 1000 10000 100000 ...]
 *
 * Rows: N members of one channel, an event at a time; and N channels of one member each, an event to each of them, all of them in the
 * ring before the worker's turn. Figures are nanoseconds of the thread's CPU time, so that other programs disturb little: the median
 * of the rounds, and where it goes, measured in rounds of their own:
 *
 *	read      until the first send of a turn is queued: the ring, rendering
 *	queue     from the first send of a batch to its submission: passes over members, the batch's records
 *	settle    from the submission on: what became of each send
 *
 * How many sends there are to a submission is how often a system call would be made.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/cursor.h"
#include "proto/order.h"
#include "shm/ring_write.h"
#include "worker/beat.h"
#include "worker/conn.h"
#include "worker/loop.h"
#include "worker/worker.h"

#define BIRTH_MS UINT64_C(1763856000000)
#define EVENT_BYTES 128
#define DELIVERIES 1000000u /* of a row: decides the number of rounds */
#define ROUNDS_MIN 15u
#define ROUNDS_MAX 400u

enum phase { PHASE_READ, PHASE_QUEUE, PHASE_SETTLE, PHASES };

struct null_io {
	uint64_t sends, bytes, submissions; /* those with something to send */
	uint32_t queued;                    /* since the last submission */
	bool split; /* whether phases are told apart, at two readings of the clock a batch */
	enum phase phase;
	double last_ns;
	double phases_ns[PHASES];
};

struct bench {
	struct worker *w;
	struct null_io io;
	struct ring_write *ring;
	uint32_t members, channels;
	enum dialect dialect;
	int master;
	double rounds_ns[ROUNDS_MAX];
};

static double
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void
fail(const char *what)
{
	fprintf(stderr, "turn_bench: %s\n", what);
	exit(1);
}

/* ---- an io of no cost --------------------------------------------------------------------------------- */

static void
enter_phase(struct null_io *n, enum phase phase)
{
	double now;

	if (!n->split)
		return;
	now = cpu_ns();
	n->phases_ns[n->phase] += now - n->last_ns;
	n->phase = phase;
	n->last_ns = now;
}

static void
null_poll(void *state, int fd, uint32_t events, uint64_t token)
{
	(void)state, (void)fd, (void)events, (void)token;
}

static void
null_watch(void *state, int fd, uint64_t token)
{
	(void)state, (void)fd, (void)token;
}

static void
null_send(void *state, int fd, const void *bytes, size_t len, uint64_t token)
{
	struct null_io *n = state;

	(void)fd, (void)bytes, (void)token;
	if (n->queued++ == 0)
		enter_phase(n, PHASE_QUEUE);
	n->sends++;
	n->bytes += len;
}

static void
null_sendv(void *state, int fd, const struct iovec *vectors, size_t count, uint64_t token)
{
	for (size_t i = 0; i < count; i++)
		null_send(state, fd, vectors[i].iov_base, vectors[i].iov_len, token);
}

static int
null_submit(void *state)
{
	struct null_io *n = state;

	if (n->queued != 0) {
		enter_phase(n, PHASE_SETTLE);
		n->submissions++;
	}
	n->queued = 0;
	return 0;
}

static int
null_wait(void *state, int timeout_ms)
{
	(void)timeout_ms;
	return null_submit(state);
}

static size_t
null_reap(void *state, struct io_event *events, size_t max)
{
	(void)state, (void)events, (void)max;
	return 0;
}

static size_t
null_pending(const void *state)
{
	return ((const struct null_io *)state)->queued;
}

static bool
null_never(void *state)
{
	(void)state;
	return false;
}

static struct io_counters
null_counters(const void *state)
{
	(void)state;
	return (struct io_counters){0};
}

static void
null_close(void *state)
{
	(void)state;
}

static const struct io_backend null_backend = {.name = "null",
    .close = null_close,
    .poll = null_poll,
    .watch = null_watch,
    .send = null_send,
    .sendv = null_sendv,
    .pending = null_pending,
    .submit = null_submit,
    .wait = null_wait,
    .reap = null_reap,
    .overflowed = null_never,
    .dropped = null_never,
    .counters = null_counters};

/* ---- a worker and its clients -------------------------------------------------------------------------- */

static void
set_settings(struct worker *w)
{
	struct order_settings s = {.max_channels_per_connection = 1,
	    .max_event_bytes = LIMIT_EVENT_BYTES_DEFAULT,
	    .max_header_bytes = LIMIT_HEADER_BYTES_DEFAULT,
	    .header_timeout_s = 10,
	    .body_timeout_s = 30,
	    .idle_timeout_s = 75,
	    .beat_ws_s = 30,
	    .beat_sse_s = 25,
	    .retry_ms = 2000,
	    .max_wait_s = 45,
	    .log_level = 3,
	    .rule_count = 1};
	char packet[ORDER_PACKET_BYTES];
	struct out o = out_to(packet, sizeof packet);

	s.rules[0] = (struct rule){SLICE_LITERAL("*"), RULE_ANYONE, RULE_ANYONE, RULE_GAP};
	order_encode_settings(&o, &s);
	if (out_cut(&o) || !settings_set(&w->settings, slice_of(o.bytes, o.len)))
		fail("settings");
}

static void
begin(struct bench *b)
{
	struct worker *w = calloc(1, sizeof *w);
	const size_t slots = (size_t)b->members + 1;
	int pair[2];

	if (w == NULL ||
	    ring_write_create(&b->ring, LIMIT_RING_BYTES_DEFAULT, BIRTH_MS) != SEGMENT_OK ||
	    board_create(&w->board) != SEGMENT_OK ||
	    slots_create(&w->slots, b->members, LIMIT_IO_ENTRIES) != SEGMENT_OK ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		fail("shared memory");
	b->w = w;
	b->master = pair[1];
	w->control_fd = pair[0];
	w->doorbell_fd = doorbell_create();
	w->ring = *ring_write_ring(b->ring);
	w->births_s = calloc(slots, sizeof *w->births_s);
	w->sinces = calloc(slots, sizeof *w->sinces);
	w->closed = calloc(slots, sizeof *w->closed);
	w->closed_hashes = calloc(ORDER_CLOSED_MAX, sizeof *w->closed_hashes);
	w->io = (struct io){&null_backend, &b->io};
	if (w->births_s == NULL || w->sinces == NULL || w->closed == NULL ||
	    w->closed_hashes == NULL || !buffer_reserve(&w->control_bytes, 2 * ORDER_PACKET_BYTES))
		fail("memory");
	set_settings(w);
	if (!loop_start(w))
		fail("the worker does not start");
}

static void
end(struct bench *b)
{
	struct worker *w = b->w;

	free(w->births_s);
	free(w->sinces);
	free(w->closed);
	loop_free(w);
	board_close(&w->board);
	slots_close(&w->slots);
	ring_write_close(b->ring);
	close(w->doorbell_fd);
	close(w->control_fd);
	close(b->master);
	free(w);
}

static struct slice
channel_of(const struct bench *b, uint32_t member, char *name, size_t cap)
{
	return slice_of(name, (size_t)snprintf(name, cap, "channel-%u", member % b->channels));
}

/* Streams as they are once their handshake is over; the descriptors are none, so that ending them ends nobody's. */
static void
come(struct bench *b)
{
	struct worker *w = b->w;
	char name[32];

	for (uint32_t i = 0; i < b->members; i++) {
		struct cursor after = {.kind = CURSOR_NOW};
		const uint32_t slot = i + 1;

		if (!conn_accept(w, INT_MAX, 0))
			fail("no slot");
		timer_clear(w, slot);
		conn_set_dialect(w, slot, (uint8_t)b->dialect);
		conn_decide_now(w, &after);
		if (conn_subscribe(w, slot, channel_of(b, i, name, sizeof name), &after) !=
		    CONN_SUBSCRIBED)
			fail("no subscription");
		beat_schedule(w, slot);
		replay_start(w, slot);
	}
	while (loop_turn(w))
		;
	for (uint32_t slot = 1; slot <= b->members; slot++)
		if (worker_slot(w, slot)->state != CONN_LIVE)
			fail("a client is not live");
}

/* ---- rounds ------------------------------------------------------------------------------------------- */

/* An event to each channel. */
static void
publish(struct bench *b)
{
	static const char data[EVENT_BYTES + 1] =
	    "an event of 128 bytes, such as a position or a price: ............................"
	    "...............................................";
	char name[32];

	for (uint32_t i = 0; i < b->channels; i++) {
		const struct slice channel = channel_of(b, i, name, sizeof name);
		const struct record_slice record = {channel.bytes, channel.len};
		const struct ring_write_event event = {.channels = &record,
		    .channels_count = 1,
		    .type = {"message", 7},
		    .data = {data, EVENT_BYTES},
		    .kind = RECORD_TEXT,
		    .now_ms = BIRTH_MS};
		uint64_t id;

		if (ring_write_append(b->ring, &event, &id) != RING_OK)
			fail("the ring takes no event");
	}
	ring_write_commit(b->ring);
}

/* Nanoseconds until everybody has its event. */
static double
play_round(struct bench *b)
{
	const uint64_t sends = b->io.sends;
	double start, took;

	publish(b);
	start = cpu_ns();
	b->io.phase = PHASE_READ;
	b->io.last_ns = start;
	while (loop_turn(b->w))
		enter_phase(&b->io, PHASE_READ);
	enter_phase(&b->io, PHASE_READ);
	took = cpu_ns() - start;
	if (b->io.sends - sends != b->members)
		fail("not every member was sent its event once");
	return took;
}

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
row(uint32_t members, uint32_t channels, enum dialect dialect, const char *what)
{
	struct bench *b = calloc(1, sizeof *b);
	unsigned rounds = DELIVERIES / members;
	double all = 0;

	if (b == NULL)
		fail("memory");
	rounds = rounds < ROUNDS_MIN ? ROUNDS_MIN : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
	b->members = members;
	b->channels = channels;
	b->dialect = dialect;
	begin(b);
	come(b);
	play_round(b);
	for (unsigned i = 0; i < rounds; i++)
		b->rounds_ns[i] = play_round(b) / members;
	b->io.split = true;
	for (unsigned i = 0; i < rounds; i++)
		play_round(b);
	qsort(b->rounds_ns, rounds, sizeof b->rounds_ns[0], compare);
	for (int i = 0; i < PHASES; i++)
		all += b->io.phases_ns[i];
	printf(
	    "%-5s %8u x %-8u %8.1f ns (best %.1f)   %3.0f a submission   read %4.1f %%  queue %4.1f %%  settle %4.1f %%\n",
	    what, channels, members / channels, b->rounds_ns[rounds / 2], b->rounds_ns[0],
	    (double)b->io.sends / (double)b->io.submissions,
	    100 * b->io.phases_ns[PHASE_READ] / all, 100 * b->io.phases_ns[PHASE_QUEUE] / all,
	    100 * b->io.phases_ns[PHASE_SETTLE] / all);
	end(b);
	free(b);
}

int
main(int argc, char **argv)
{
	static const uint32_t usual[] = {1000, 10000, 100000};

	printf(
	    "kind  channels x members, a delivery    (a slot is %zu bytes)\n", sizeof(struct slot));
	for (int i = 0; i < (argc > 1 ? argc - 1 : 3); i++) {
		const uint32_t members =
		    argc > 1 ? (uint32_t)strtoul(argv[i + 1], NULL, 10) : usual[i];

		if (members == 0 || members > 100000)
			fail("members are 1 to 100000: an event to each must fit the ring");
		row(members, 1, DIALECT_SSE, "sse");
		row(members, 1, DIALECT_WS, "ws");
		row(members, members, DIALECT_SSE, "sse");
		row(members, members, DIALECT_WS, "ws");
	}
	return 0;
}
