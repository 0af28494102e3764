/*
 * board.c: a worker's figures. Everything here is relaxed: no figure is used to decide whether
 * other memory is ready, except `asleep`, which doorbell.c alone touches.
 */
#include <string.h>

#include "shm/board.h"

#define GAUGE true
#define COUNTER false

static const struct board_counter_info table[BOARD_COUNTERS] = {
    [BOARD_CONNECTIONS_POLL] = {"connections", "transport=\"poll\"", "Open connections.", GAUGE},
    [BOARD_CONNECTIONS_LONGPOLL] = {"connections", "transport=\"longpoll\"", NULL, GAUGE},
    [BOARD_CONNECTIONS_SSE] = {"connections", "transport=\"sse\"", NULL, GAUGE},
    [BOARD_CONNECTIONS_WS] = {"connections", "transport=\"ws\"", NULL, GAUGE},
    [BOARD_CONNECTIONS_IDLE] = {"connections", "transport=\"idle\"", NULL, GAUGE},
    [BOARD_SUBSCRIPTIONS] = {"subscriptions", NULL, "Connections times their channels.", GAUGE},
    [BOARD_CHANNELS] = {"channels", NULL, "Channels with a subscriber.", GAUGE},
    [BOARD_LAGGING] = {"lagging", NULL, "Clients behind what the worker has read.", GAUGE},
    [BOARD_WAVE_BYTES] = {"wave_bytes", NULL, "Rendered bytes held for clients.", GAUGE},
    [BOARD_TAIL_BYTES] = {"tail_bytes", NULL, "Answers and control objects not sent yet.", GAUGE},
    [BOARD_INPUT_BYTES] = {"input_bytes", NULL,
	"Memory for requests and messages that clients have begun and not ended.", GAUGE},
    [BOARD_ACCEPTED] = {"accepted_total", NULL, "Connections taken over from the master.", COUNTER},
    [BOARD_REQUESTS] = {"requests_total", NULL, "HTTP requests.", COUNTER},
    [BOARD_EVENTS_READ] = {"events_read_total", NULL, "Events read from the ring.", COUNTER},
    [BOARD_DELIVERIES] = {"deliveries_total", NULL, "Events times the clients they went to.",
	COUNTER},
    [BOARD_SENDS] = {"sends_total", NULL, "Sends handed to the kernel.", COUNTER},
    [BOARD_BYTES_OUT] = {"bytes_out_total", NULL, "Bytes that the kernel took.", COUNTER},
    [BOARD_BYTES_IN] = {"bytes_in_total", NULL, "Bytes read from clients.", COUNTER},
    [BOARD_BATCHES] = {"batches_total", NULL, "Submissions to the kernel.", COUNTER},
    [BOARD_TURNS] = {"turns_total", NULL, "Turns of the loop.", COUNTER},
    [BOARD_SLEEPS] = {"sleeps_total", NULL, "Times the worker had nothing to do.", COUNTER},
    [BOARD_WAKES] = {"wakes_total", NULL, "Times the doorbell woke it.", COUNTER},
    [BOARD_PUBLISHES] = {"publishes_total", NULL, "Events that clients sent.", COUNTER},
    [BOARD_PINGS] = {"pings_total", NULL, "Beats and pings sent.", COUNTER},
    [BOARD_LAGS] = {"lags_total", NULL, "Times a client fell behind.", COUNTER},
    [BOARD_GAPS] = {"gaps_total", NULL, "Gaps told to clients.", COUNTER},
    [BOARD_LAPPED] = {"lapped_total", NULL, "Times the writer overtook the worker.", COUNTER},
    [BOARD_SHORT_SENDS] = {"short_sends_total", NULL, "Sends that the kernel took in part.",
	COUNTER},
    [BOARD_CQ_OVERFLOWS] = {"cq_overflows_total", NULL, "Overflows of the completion queue.",
	COUNTER},
    [BOARD_CLOSED_CLIENT] = {"closed_total", "cause=\"client\"", "Connections ended.", COUNTER},
    [BOARD_CLOSED_DONE] = {"closed_total", "cause=\"done\"", NULL, COUNTER},
    [BOARD_CLOSED_IDLE] = {"closed_total", "cause=\"idle\"", NULL, COUNTER},
    [BOARD_CLOSED_TIMEOUT] = {"closed_total", "cause=\"timeout\"", NULL, COUNTER},
    [BOARD_CLOSED_PING] = {"closed_total", "cause=\"ping\"", NULL, COUNTER},
    [BOARD_CLOSED_SLOW] = {"closed_total", "cause=\"slow\"", NULL, COUNTER},
    [BOARD_CLOSED_LAPPED] = {"closed_total", "cause=\"lapped\"", NULL, COUNTER},
    [BOARD_CLOSED_PROTOCOL] = {"closed_total", "cause=\"protocol\"", NULL, COUNTER},
    [BOARD_CLOSED_DRAIN] = {"closed_total", "cause=\"drain\"", NULL, COUNTER},
    [BOARD_CLOSED_ADMIN] = {"closed_total", "cause=\"admin\"", NULL, COUNTER},
    [BOARD_CLOSED_ERROR] = {"closed_total", "cause=\"error\"", NULL, COUNTER},
    [BOARD_REFUSED_BAD_REQUEST] = {"refused_total", "cause=\"bad_request\"", "Requests refused.",
	COUNTER},
    [BOARD_REFUSED_FORBIDDEN] = {"refused_total", "cause=\"forbidden\"", NULL, COUNTER},
    [BOARD_REFUSED_ORIGIN] = {"refused_total", "cause=\"origin\"", NULL, COUNTER},
    [BOARD_REFUSED_NOT_FOUND] = {"refused_total", "cause=\"not_found\"", NULL, COUNTER},
    [BOARD_REFUSED_LIMIT] = {"refused_total", "cause=\"limit\"", NULL, COUNTER},
    [BOARD_REFUSED_TOO_LARGE] = {"refused_total", "cause=\"too_large\"", NULL, COUNTER},
    [BOARD_REFUSED_OVERLOADED] = {"refused_total", "cause=\"overloaded\"", NULL, COUNTER},
    [BOARD_SHED_CONNECTIONS] = {"shed_total", "what=\"connection\"",
	"Work shed for lack of something.", COUNTER},
    [BOARD_SHED_TAILS] = {"shed_total", "what=\"tail\"", NULL, COUNTER},
    [BOARD_SHED_INPUTS] = {"shed_total", "what=\"input\"", NULL, COUNTER},
    [BOARD_SHED_MEMORY] = {"shed_total", "what=\"memory\"", NULL, COUNTER},
    [BOARD_DEFLATE_CONNECTIONS] = {"deflate_connections", NULL,
	"WebSockets that negotiated compression.", GAUGE},
    [BOARD_DEFLATE_WINDOW_BYTES] = {"deflate_window_bytes", NULL,
	"Memory of the windows that clients insist on.", GAUGE},
    [BOARD_DEFLATE_MESSAGES_IN] = {"deflate_messages_total", "direction=\"in\"",
	"WebSocket messages inflated, and compressed, once for all who get them.", COUNTER},
    [BOARD_DEFLATE_MESSAGES_OUT] = {"deflate_messages_total", "direction=\"out\"", NULL, COUNTER},
    [BOARD_DEFLATE_PLAIN_IN] = {"deflate_plain_bytes_total", "direction=\"in\"",
	"Bytes of those messages without compression.", COUNTER},
    [BOARD_DEFLATE_PLAIN_OUT] = {"deflate_plain_bytes_total", "direction=\"out\"", NULL, COUNTER},
    [BOARD_DEFLATE_PACKED_IN] = {"deflate_packed_bytes_total", "direction=\"in\"",
	"Bytes of those messages with compression.", COUNTER},
    [BOARD_DEFLATE_PACKED_OUT] = {"deflate_packed_bytes_total", "direction=\"out\"", NULL, COUNTER},
    [BOARD_GZIP_ANSWERS] = {"gzip_answers_total", NULL,
	"Answers of polls compressed, each once for all who get it together", COUNTER},
};

int
board_create(struct board *b)
{
	int result = segment_create(&b->segment, "ringcast-board", SEGMENT_BOARD, BOARD_VERSION,
	    sizeof(struct board_shared));

	b->shared = (struct board_shared *)b->segment.base;
	return result;
}

int
board_attach(struct board *b, int fd)
{
	int result = segment_attach(&b->segment, fd, SEGMENT_BOARD, BOARD_VERSION, true);

	if (result == SEGMENT_OK && b->segment.bytes < sizeof(struct board_shared)) {
		b->segment.fd = -1; /* stays the caller's */
		segment_close(&b->segment);
		result = SEGMENT_SIZE;
	}
	b->shared = (struct board_shared *)b->segment.base;
	return result;
}

void
board_close(struct board *b)
{
	segment_close(&b->segment);
	b->shared = NULL;
}

void
board_reset(struct board *b, uint64_t generation)
{
	struct board_shared *s = b->shared;

	atomic_store_explicit(&s->asleep, 0, memory_order_relaxed);
	board_filter_clear(b);
	board_filter_everything(b, false);
	for (unsigned i = 0; i < BOARD_COUNTERS_MAX; i++)
		atomic_store_explicit(&s->counters[i], 0, memory_order_relaxed);
	board_beat(b, 0, 0, 0);
	atomic_store_explicit(&s->pid, 0, memory_order_relaxed);
	atomic_store_explicit(&s->state, 0, memory_order_relaxed);
	atomic_store_explicit(&s->io, BOARD_IO_UNKNOWN, memory_order_relaxed);
	atomic_store_explicit(&s->generation, generation, memory_order_relaxed);
}

void
board_set(struct board *b, enum board_counter counter, uint64_t value)
{
	atomic_store_explicit(&b->shared->counters[counter], value, memory_order_relaxed);
}

/*
 * Load and store, not a read-modify-write: the worker is the only writer, and this is on its hot
 * path.
 */
void
board_add(struct board *b, enum board_counter counter, uint64_t n)
{
	board_set(b, counter, board_get(b, counter) + n);
}

void
board_sub(struct board *b, enum board_counter counter, uint64_t n)
{
	board_set(b, counter, board_get(b, counter) - n);
}

uint64_t
board_get(const struct board *b, enum board_counter counter)
{
	return atomic_load_explicit(&b->shared->counters[counter], memory_order_relaxed);
}

void
board_beat(struct board *b, uint64_t now_ms, uint64_t position, uint64_t read_id)
{
	atomic_store_explicit(&b->shared->heartbeat_ms, now_ms, memory_order_relaxed);
	atomic_store_explicit(&b->shared->position, position, memory_order_relaxed);
	atomic_store_explicit(&b->shared->read_id, read_id, memory_order_relaxed);
}

uint64_t
board_heartbeat_ms(const struct board *b)
{
	return atomic_load_explicit(&b->shared->heartbeat_ms, memory_order_relaxed);
}

uint64_t
board_position(const struct board *b)
{
	return atomic_load_explicit(&b->shared->position, memory_order_relaxed);
}

uint64_t
board_read_id(const struct board *b)
{
	return atomic_load_explicit(&b->shared->read_id, memory_order_relaxed);
}

void
board_set_io(struct board *b, enum board_io io)
{
	atomic_store_explicit(&b->shared->io, (uint32_t)io, memory_order_relaxed);
}

enum board_io
board_io(const struct board *b)
{
	const uint32_t io = atomic_load_explicit(&b->shared->io, memory_order_relaxed);

	/* What a worker wrote is looked at before it is believed. */
	return io <= BOARD_IO_EPOLL ? (enum board_io)io : BOARD_IO_UNKNOWN;
}

const char *
board_io_name(enum board_io io)
{
	switch (io) {
	case BOARD_IO_URING:
		return "io_uring";
	case BOARD_IO_EPOLL:
		return "epoll";
	case BOARD_IO_UNKNOWN:
		break;
	}
	return "unknown";
}

bool
board_sleeping(const struct board *b)
{
	return atomic_load_explicit(&b->shared->asleep, memory_order_relaxed) != 0;
}

const struct board_counter_info *
board_info(enum board_counter counter)
{
	return &table[counter];
}

/*
 * ---- interest
 * ------------------------------------------------------------------------------------
 */

/* Three bits of 1024 a channel, from different parts of its hash. */
static unsigned
filter_bit(uint64_t hash, unsigned which)
{
	return (unsigned)(hash >> (20 * which)) % (64u * BOARD_FILTER_WORDS);
}

void
board_filter_clear(struct board *b)
{
	for (unsigned i = 0; i < BOARD_FILTER_WORDS; i++)
		atomic_store_explicit(&b->shared->filter[i], 0, memory_order_relaxed);
}

void
board_filter_add(struct board *b, uint64_t hash)
{
	for (unsigned which = 0; which < 3; which++) {
		unsigned bit = filter_bit(hash, which);
		_Atomic uint64_t *word = &b->shared->filter[bit / 64];
		uint64_t bits = atomic_load_explicit(word, memory_order_relaxed);

		/* Relaxed: published by the exchange in doorbell_sleep. */
		atomic_store_explicit(word, bits | UINT64_C(1) << bit % 64, memory_order_relaxed);
	}
}

void
board_filter_everything(struct board *b, bool everything)
{
	atomic_store_explicit(&b->shared->filter_everything, everything, memory_order_relaxed);
}

bool
board_filter_matches(const struct board *b, uint64_t hash)
{
	if (atomic_load_explicit(&b->shared->filter_everything, memory_order_relaxed) != 0)
		return true;
	for (unsigned which = 0; which < 3; which++) {
		unsigned bit = filter_bit(hash, which);

		if ((atomic_load_explicit(&b->shared->filter[bit / 64], memory_order_relaxed) >>
			    bit % 64 &
			1) == 0)
			return false;
	}
	return true;
}
