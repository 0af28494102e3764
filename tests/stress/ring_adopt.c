/*
 * ring_adopt.c: the writer dies at every store of a publish; a successor adopts what is there.
 *
 * The writer's sources are compiled with seam.h, so that seam_stored runs after each of their
 * stores. It copies the segment as it is at that moment, adopts the copy, and compares with the
 * oracle: the batch is there whole or not at all, every link, verdict and key is right, and the
 * ring goes on. A reader looks at the live ring there, too.
 *
 * The other way round, seam_loading runs before each load of a reader: at one of them, drawn by
 * lot, the writer gets to work, from one event to more than a lap. What the reader then answers
 * must be true. All in one thread: so these are the races that tests/stress meets by chance, met
 * for certain.
 */
#include <sys/mman.h>
#include <unistd.h>
#include <fcntl.h>

#include "tests/stress/seam.h"
#include "tests/unit/shm/ring_oracle.h"

#define WARM_UP 500

#ifdef SANITIZED
#define EVENTS 12
#define SEARCHES 1500
#else
#define EVENTS 20
#define SEARCHES 6000
#endif

/* The seam has no argument of its own: the one place where a test needs a global. */
static struct {
	struct oracle *oracle;
	struct ring_write *writer;
	uint64_t now_ms;
	int forgetting; /* channel, -1 = none */
	bool armed;
	unsigned long stores;
	unsigned loads_left; /* until the writer works; 0 = it does not */
	const char *failed;
} seam;

static int
copy_segment(const struct segment *segment)
{
	int fd = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd == -1 || write(fd, segment->base, segment->bytes) != (ssize_t)segment->bytes ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == -1)
		abort();
	return fd;
}

/* What the successor must find: the oracle's world at this store. */
static struct oracle
expected(const struct ring_words *words)
{
	struct oracle o = *seam.oracle;
	uint64_t oldest = atomic_load_explicit(&words->oldest, memory_order_relaxed);
	uint64_t issued = atomic_load_explicit(&words->issued_id, memory_order_relaxed);
	struct record_slice name;
	struct ring_write_event e = {.channels = &name, .channels_count = 1};

	o.events = malloc(o.cap * sizeof *o.events);
	if (o.events == NULL)
		abort();
	memcpy(o.events, seam.oracle->events, o.count * sizeof *o.events);
	if (atomic_load_explicit(&words->tail, memory_order_relaxed) > o.published) {
		if (seam.forgetting >= 0) {
			name = (struct record_slice){
			    oracle_names[seam.forgetting], strlen(oracle_names[seam.forgetting])};
			oracle_append(&o, 1u << seam.forgetting, true,
			    ring_write_size(seam.writer, &e), seam.now_ms, 0, 0, 0);
		}
		oracle_commit(&o);
	}
	oracle_crash(&o);
	o.intent = atomic_load_explicit(&words->intent, memory_order_relaxed);
	if (o.intent < oldest + o.size)
		o.intent = oldest + o.size;
	o.lost_id = atomic_load_explicit(&words->lost_id, memory_order_relaxed);
	o.last_id = o.settled > issued ? o.settled : issued;
	o.last_ms = o.count == 0 ? o.last_ms : o.events[o.count - 1].time_ms;
	return o;
}

static void
adopt_here(void)
{
	struct oracle o = expected(ring_write_ring(seam.writer)->words);
	int fd = copy_segment(&ring_write_ring(seam.writer)->segment);
	struct ring_write *w;

	if (ring_write_adopt(&w, fd) != SEGMENT_OK) {
		seam.failed = "the ring was not adopted";
		close(fd);
		oracle_free(&o);
		return;
	}
	oracle_check(&o, ring_write_ring(w));
	for (int i = 0; i < 4; i++) {
		oracle_step(&o, w, seam.now_ms + 1, 150);
		if (i % 2 == 0)
			continue;
		ring_write_commit(w);
		oracle_commit(&o);
	}
	oracle_check(&o, ring_write_ring(w));
	seam.failed = o.failed;
	ring_write_close(w);
	oracle_free(&o);
}

/* A published event is what it was, or counts as lapped: at every moment. */
static void
look_at_everything(struct oracle *o, const struct ring *r)
{
	static _Alignas(8) unsigned char buffer[1 << 14];
	struct record record;

	for (size_t i = 0; i < o->count && o->events[i].committed; i++) {
		enum ring_result result =
		    ring_read_copy(r, o->events[i].position, buffer, sizeof buffer, &record);

		ORACLE_EXPECT(o, result == RING_OK || result == RING_LAPPED);
		ORACLE_EXPECT(o, result != RING_OK || record.id == o->events[i].id);
	}
}

/* Of a channel that is lapped, its last published event is known: at every moment. */
static void
look_at_the_quiet(struct oracle *o, const struct ring *r)
{
	const uint64_t intent = atomic_load_explicit(&r->words->intent, memory_order_relaxed);
	const bool published = ring_read_tail(r) > o->published;
	struct ring_seek s;

	for (unsigned c = 0; c < ORACLE_CHANNELS; c++) {
		const char *name = oracle_names[c];
		const struct oracle_event *last = NULL;

		for (size_t i = 0; i < o->count; i++)
			if ((o->events[i].channels >> c & 1) && !o->events[i].forget &&
			    (published || o->events[i].committed))
				last = &o->events[i];
		if (last == NULL || last->position + o->size >= intent)
			continue;
		ring_seek_after(&s, r, name, strlen(name), last->id);
		ORACLE_EXPECT(o, ring_seek_step(&s, 1) == RING_NONE && !s.gap);
		ring_seek_after(&s, r, name, strlen(name), last->id - 1);
		ORACLE_EXPECT(o, ring_seek_step(&s, 1) == RING_NONE && s.gap);
	}
}

void
seam_stored(void)
{
	if (!seam.armed || seam.failed != NULL)
		return;
	seam.armed = false;
	seam.stores++;
	look_at_everything(seam.oracle, ring_write_ring(seam.writer));
	look_at_the_quiet(seam.oracle, ring_write_ring(seam.writer));
	adopt_here();
	seam.armed = true;
}

/* A channel that was lapped comes back, with more than one event in a batch. */
static void
come_back(struct oracle *o, unsigned channel)
{
	seam.armed = false;
	for (unsigned i = 0; i < 100 && seam.failed == NULL && o->failed == NULL; i++) {
		oracle_say(o, seam.writer, 0, seam.now_ms, 800);
		ring_write_commit(seam.writer);
		oracle_commit(o);
	}
	seam.armed = true;
	oracle_say(o, seam.writer, channel, seam.now_ms, 10);
	oracle_say(o, seam.writer, channel, seam.now_ms, 10);
	ring_write_commit(seam.writer);
	oracle_commit(o);
	seam.armed = false;
}

static void
run(unsigned number, unsigned long seed, uint32_t data_max, unsigned batch_max)
{
	struct oracle o;

	if (ring_write_create(&seam.writer, LIMIT_RING_BYTES_MIN, ORACLE_BIRTH_MS) != SEGMENT_OK)
		abort();
	oracle_init(&o, LIMIT_RING_BYTES_MIN, seed);
	seam.oracle = &o;
	seam.now_ms = ORACLE_BIRTH_MS;
	seam.forgetting = -1;
	seam.failed = NULL;
	seam.stores = 0;
	for (unsigned i = 0; i < WARM_UP + EVENTS && seam.failed == NULL && o.failed == NULL; i++) {
		seam.armed = i >= WARM_UP;
		seam.now_ms += oracle_random(&o, 2);
		for (unsigned k = 0, batch = 1 + (unsigned)oracle_random(&o, batch_max); k < batch;
		     k++)
			oracle_step(&o, seam.writer, seam.now_ms, data_max);
		ring_write_commit(seam.writer);
		oracle_commit(&o);
		if (i % 10 == 5) {
			seam.forgetting = (int)oracle_random(&o, ORACLE_CHANNELS);
			oracle_forget(&o, seam.writer, (unsigned)seam.forgetting, seam.now_ms);
			seam.forgetting = -1;
		}
	}
	come_back(&o, 5);
	come_back(&o, 5);
	come_back(&o, 2);
	if (seam.failed == NULL)
		seam.failed = o.failed;
	if (seam.failed != NULL)
		printf("# %s, at store %lu\n", seam.failed, seam.stores);
	printf(
	    "%s %u - ring_survives_its_writer_at_every_store data_max=%u batch_max=%u stores=%lu\n",
	    seam.failed == NULL ? "ok" : "not ok", number, data_max, batch_max, seam.stores);
	oracle_free(&o);
	ring_write_close(seam.writer);
}

/*
 * ---- the writer works in the middle of a search
 * ---------------------------------------------------
 */

static void
work(struct oracle *o)
{
	static const unsigned batches[] = {1, 1, 1, 2, 3, 8, 120, 400};
	unsigned count = batches[oracle_random(o, 8)];

	for (unsigned i = 0; i < count; i++) {
		oracle_step(o, seam.writer, seam.now_ms, 250);
		if (oracle_random(o, 3) != 0)
			continue;
		ring_write_commit(seam.writer);
		oracle_commit(o);
	}
	if (count < 100 && oracle_random(o, 4) == 0)
		return; /* in the middle of a batch */
	ring_write_commit(seam.writer);
	oracle_commit(o);
}

void
seam_loading(void)
{
	if (seam.loads_left == 0 || --seam.loads_left != 0)
		return;
	work(seam.oracle);
}

/* The oracle need not know more than the ring can hold, and the cursors that are asked for. */
static void
shorten(struct oracle *o)
{
	if (o->count < 6000)
		return;
	memmove(o->events, o->events + o->count - 3000, 3000 * sizeof *o->events);
	o->count = 3000;
}

/* Events of the channel in (after, before), among the published ones. */
static bool
any_between(const struct oracle *o, unsigned channel, uint64_t after, uint64_t before)
{
	for (size_t i = 0; i < o->count; i++) {
		if (o->events[i].committed && (o->events[i].channels >> channel & 1) &&
		    o->events[i].id > after && o->events[i].id < before)
			return true;
	}
	return false;
}

/* Whether one of the channel's published events after the cursor is gone by now. */
static bool
any_lapped(const struct oracle *o, unsigned channel, uint64_t after)
{
	for (size_t i = 0; i < o->count; i++) {
		if (o->events[i].committed && (o->events[i].channels >> channel & 1) &&
		    o->events[i].id > after && !oracle_kept(o, &o->events[i]))
			return true;
	}
	return false;
}

static void
search_while_it_works(struct oracle *o, const struct ring *r)
{
	unsigned channel = (unsigned)oracle_random(o, ORACLE_CHANNELS);
	uint64_t cursor = o->events[o->count - 1 - oracle_random(o, 60) * oracle_random(o, 8)].id;
	const char *name = oracle_names[channel];
	static _Alignas(8) unsigned char buffer[1 << 14];
	struct record record;
	enum ring_result result;
	struct ring_seek s;

	cursor = cursor > o->settled ? o->settled : cursor;
	seam.loads_left = 1 + (unsigned)oracle_random(o, oracle_random(o, 2) ? 60 : 400);
	ring_seek_after(&s, r, name, strlen(name), cursor);
	while ((result = ring_seek_step(&s, 20)) == RING_MORE)
		;
	ORACLE_EXPECT(o, result == RING_OK || result == RING_NONE);
	if (result == RING_NONE) {
		ORACLE_EXPECT(o, s.gap || !any_between(o, channel, cursor, s.resume_at + 1));
		ORACLE_EXPECT(o, !s.gap || any_lapped(o, channel, cursor));
	} else {
		ORACLE_EXPECT(o, s.id > cursor && s.id <= o->settled);
		ORACLE_EXPECT(o, s.gap || !any_between(o, channel, cursor, s.id));
		ORACLE_EXPECT(o, !s.gap || any_between(o, channel, cursor, s.id));
		result = ring_read_copy(r, s.position, buffer, sizeof buffer, &record);
		ORACLE_EXPECT(o, result == RING_LAPPED || (result == RING_OK && record.id == s.id));
	}
	seam.loads_left = 0;
}

static void
run_searches(unsigned number, unsigned long seed)
{
	struct oracle o;

	if (ring_write_create(&seam.writer, LIMIT_RING_BYTES_MIN, ORACLE_BIRTH_MS) != SEGMENT_OK)
		abort();
	oracle_init(&o, LIMIT_RING_BYTES_MIN, seed);
	seam.oracle = &o;
	seam.now_ms = ORACLE_BIRTH_MS;
	seam.forgetting = -1;
	for (unsigned i = 0; i < 2000; i++) {
		oracle_step(&o, seam.writer, seam.now_ms, 250);
		ring_write_commit(seam.writer);
		oracle_commit(&o);
	}
	for (unsigned i = 0; i < SEARCHES && o.failed == NULL; i++) {
		seam.now_ms++;
		search_while_it_works(&o, ring_write_ring(seam.writer));
		shorten(&o);
	}
	seam.failed = o.failed;
	if (seam.failed != NULL)
		printf("# %s\n", seam.failed);
	printf("%s %u - ring_answers_the_truth_while_the_writer_works searches=%u\n",
	    seam.failed == NULL ? "ok" : "not ok", number, SEARCHES);
	oracle_free(&o);
	ring_write_close(seam.writer);
}

int
main(void)
{
	const char *failed = NULL;

	run(1, 11, 100, 3);
	failed = seam.failed;
	run(2, 12, 400, 1);
	failed = failed != NULL ? failed : seam.failed;
	run_searches(3, 13);
	failed = failed != NULL ? failed : seam.failed;
	printf("1..3\n");
	return failed != NULL;
}
