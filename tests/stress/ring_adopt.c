/*
 * ring_adopt.c: the writer dies at every store of a publish; a successor adopts what is there.
 *
 * The writer's sources are compiled with seam.h, so that seam_stored runs after each of their stores. It copies the
 * segment as it is at that moment, adopts the copy, and compares with the oracle: the batch is there whole or not at
 * all, every link, verdict and key is right, and the ring goes on.
 */
#include <sys/mman.h>
#include <unistd.h>
#include <fcntl.h>

#include "tests/stress/seam.h"
#include "tests/unit/shm/ring_oracle.h"

#define WARM_UP 500

#ifdef SANITIZED
#define EVENTS 12
#else
#define EVENTS 60
#endif

/* The seam has no argument of its own: the one place where a test needs a global. */
static struct {
	struct oracle *oracle;
	struct ring_write *writer;
	uint64_t now_ms;
	int forgetting; /* channel, -1 = none */
	bool armed;
	unsigned long stores;
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
			name = (struct record_slice){oracle_names[seam.forgetting], strlen(oracle_names[seam.forgetting])};
			oracle_append(&o, 1u << seam.forgetting, true, ring_write_size(seam.writer, &e), seam.now_ms, 0, 0, 0);
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

void
seam_stored(void)
{
	if (!seam.armed || seam.failed != NULL)
		return;
	seam.armed = false;
	seam.stores++;
	adopt_here();
	seam.armed = true;
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
		for (unsigned k = 0, batch = 1 + (unsigned)oracle_random(&o, batch_max); k < batch; k++)
			oracle_step(&o, seam.writer, seam.now_ms, data_max);
		ring_write_commit(seam.writer);
		oracle_commit(&o);
		if (i % 10 == 5) {
			seam.forgetting = (int)oracle_random(&o, ORACLE_CHANNELS);
			oracle_forget(&o, seam.writer, (unsigned)seam.forgetting, seam.now_ms);
			seam.forgetting = -1;
		}
	}
	seam.armed = false;
	if (seam.failed == NULL)
		seam.failed = o.failed;
	if (seam.failed != NULL)
		printf("# %s, at store %lu\n", seam.failed, seam.stores);
	printf("%s %u - ring_survives_its_writer_at_every_store data_max=%u batch_max=%u stores=%lu\n",
	    seam.failed == NULL ? "ok" : "not ok", number, data_max, batch_max, seam.stores);
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
	printf("1..2\n");
	return failed != NULL;
}
