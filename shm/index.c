/*
 * index.c: searching, taking and advancing entries of the channel index. See index.h for the rules.
 */
#include "shm/index.h"

/* The words of an entry that belong together. */
struct index_seen {
	uint64_t hash;
	uint64_t newest;
	uint64_t prior;
	uint64_t floor;
	uint64_t newest_id;
	uint64_t prior_id;
};

struct index_entry *
index_entry(const struct ring *r, uint64_t hash, unsigned probe)
{
	uint64_t mask = (UINT64_C(1) << r->geometry->index_shift) - 1;

	return &r->index[(hash + probe) & mask];
}

/*
 * Reads an entry's words as of one moment; false if it changed meanwhile. Pairs with index_take and
 * index_advance: prior is stored before newest, so the prior that is read here is not older than
 * the newest. An advance that has not come to newest may show in the others: whoever reads its
 * newest_id then reads its prior, and whoever reads that then reads its prior_id (newest_event).
 */
static bool
load(const struct index_entry *entry, struct index_seen *seen)
{
	seen->newest = atomic_load_explicit(&entry->newest, memory_order_acquire);
	seen->hash = atomic_load_explicit(&entry->hash, memory_order_acquire);
	seen->newest_id = atomic_load_explicit(&entry->newest_id, memory_order_acquire);
	seen->prior = atomic_load_explicit(&entry->prior, memory_order_acquire);
	seen->prior_id = atomic_load_explicit(&entry->prior_id, memory_order_acquire);
	seen->floor = atomic_load_explicit(&entry->floor, memory_order_acquire);
	return atomic_load_explicit(&entry->newest, memory_order_acquire) == seen->newest;
}

/*
 * The id of the channel's newest event, as of when its record at `published` was the newest: while
 * prior is that record, newest_id may already be that of an event which is not published.
 */
static uint64_t
newest_event(const struct index_seen *seen, uint64_t published)
{
	return published == seen->prior ? seen->prior_id : seen->newest_id;
}

/*
 * What one entry has to say about the channel. RING_LAPPED: its records are gone, lost_id is its
 * newest event. RING_INVALID: nothing. RING_MORE: it moved, look again.
 */
static enum ring_result
examine(const struct ring *r, const struct index_entry *entry, uint64_t hash, const char *name,
    size_t name_len, struct index_found *found)
{
	struct index_seen seen;
	enum ring_result result;
	uint64_t tail, published;

	if (!load(entry, &seen))
		return RING_MORE;
	if (seen.hash == 0)
		return RING_NONE;
	if (seen.hash != hash || seen.newest == 0)
		return RING_INVALID;
	/*
	 * After the entry: so the prior is below this tail, because it was published when it was
	 * stored.
	 */
	tail = ring_read_tail(r);
	published = seen.newest < tail ? seen.newest : seen.prior;
	if (published == 0)
		return RING_INVALID; /* its first record is not published yet */
	result = ring_read_link(r, published, tail, hash, name, name_len, &found->link);
	if (result == RING_NONE)
		return RING_CORRUPT;
	if (result == RING_LAPPED) {
		/* So it was when it was loaded, unless a whole lap went by since. */
		if (atomic_load_explicit(&entry->newest, memory_order_acquire) != seen.newest)
			return RING_MORE;
		found->lost_id = newest_event(&seen, published);
		return RING_LAPPED;
	}
	if (seen.floor > published)
		return RING_CORRUPT; /* the forget record is one of the channel's own */
	found->position = published;
	found->floor = seen.floor;
	return result;
}

/* One pass over the probes. RING_LAPPED as of examine; RING_NONE: no entry has the channel. */
static enum ring_result
search(const struct ring *r, uint64_t hash, const char *name, size_t name_len,
    struct index_found *found)
{
	enum ring_result result;

	for (unsigned probe = 0; probe < INDEX_PROBES; probe++) {
		const struct index_entry *entry = index_entry(r, hash, probe);
		unsigned tries = 0;

		do
			result = examine(r, entry, hash, name, name_len, found);
		while (result == RING_MORE && ++tries < 64);
		if (result != RING_INVALID && result != RING_MORE)
			return result;
	}
	return RING_NONE;
}

enum ring_result
index_find(const struct ring *r, uint64_t hash, const char *name, size_t name_len,
    struct index_found *found)
{
	enum ring_result result;
	uint64_t evicted_id;

	found->position = 0;
	found->floor = 0;
	result = search(r, hash, name, name_len, found);
	if (result == RING_NONE) {
		/*
		 * A channel without an entry never had an event here, or its entry was given away.
		 * evicted_id may have been raised for others since the search; only if the channel
		 * is still absent after reading it does it speak about this channel. Pairs with
		 * take_entry in ring_write.c: evicted_id first.
		 */
		evicted_id = atomic_load_explicit(&r->words->evicted_id, memory_order_acquire);
		result = search(r, hash, name, name_len, found);
		if (result == RING_NONE)
			found->lost_id = evicted_id;
	}
	return result == RING_LAPPED ? RING_NONE : result;
}

uint64_t
index_floor(const struct ring *r, uint64_t hash)
{
	uint64_t floor = 0;

	for (unsigned probe = 0; probe < INDEX_PROBES; probe++) {
		struct index_seen seen;

		if (!load(index_entry(r, hash, probe), &seen))
			continue;
		if (seen.hash == 0)
			break;
		if (seen.hash == hash && seen.newest != 0 && seen.floor > floor)
			floor = seen.floor;
	}
	return floor;
}

enum ring_result
index_own(const struct ring *r, uint64_t hash, const char *name, size_t name_len,
    struct index_entry **entry, struct ring_read_link *link)
{
	for (unsigned probe = 0; probe < INDEX_PROBES; probe++) {
		struct index_entry *e = index_entry(r, hash, probe);
		uint64_t own = atomic_load_explicit(&e->hash, memory_order_relaxed);
		uint64_t newest = atomic_load_explicit(&e->newest, memory_order_relaxed);
		enum ring_result result;

		if (own == 0)
			break;
		if (own != hash || newest == 0)
			continue;
		result = ring_read_link(r, newest, UINT64_MAX, hash, name, name_len, link);
		*entry = e;
		if (result == RING_LAPPED)
			link->id = atomic_load_explicit(&e->newest_id, memory_order_relaxed);
		if (result == RING_LAPPED || result == RING_OK)
			return result;
	}
	*entry = NULL;
	return RING_NONE;
}

struct index_entry *
index_victim(const struct ring *r, uint64_t hash, uint64_t *gone_id, bool *kept)
{
	struct index_entry *victim = NULL;
	uint64_t oldest = UINT64_MAX;

	for (unsigned probe = 0; probe < INDEX_PROBES; probe++) {
		struct index_entry *entry = index_entry(r, hash, probe);
		uint64_t own = atomic_load_explicit(&entry->hash, memory_order_relaxed);
		uint64_t newest = atomic_load_explicit(&entry->newest, memory_order_relaxed);

		if (victim == NULL || newest < oldest || own == hash) {
			oldest = newest;
			victim = entry;
		}
		/* The one with this hash before any other, whoever has it: see index.h. */
		if (own == 0 || own == hash)
			break;
	}
	*kept = oldest != 0 && ring_read_kept(r, oldest);
	*gone_id = oldest == 0 ? 0 : atomic_load_explicit(&victim->newest_id, memory_order_relaxed);
	return victim;
}

void
index_take(struct index_entry *entry, uint64_t hash)
{
	/*
	 * Each with release: a reader that sees a later word sees newest = 0 when it looks at
	 * newest again (load).
	 */
	atomic_store_explicit(&entry->newest, 0, memory_order_release);
	atomic_store_explicit(&entry->prior, 0, memory_order_release);
	atomic_store_explicit(&entry->floor, 0, memory_order_release);
	atomic_store_explicit(&entry->hash, hash, memory_order_release);
}

void
index_advance(struct index_entry *entry, uint64_t position, uint64_t id, uint64_t published)
{
	uint64_t newest = atomic_load_explicit(&entry->newest, memory_order_relaxed);
	uint64_t newest_id = atomic_load_explicit(&entry->newest_id, memory_order_relaxed);

	/*
	 * Within a batch prior stays: it is what readers use until the batch is published. Pairs
	 * with load and newest_event: the ids in this very order.
	 */
	if (newest != 0 && newest < published) {
		atomic_store_explicit(&entry->prior_id, newest_id, memory_order_release);
		atomic_store_explicit(&entry->prior, newest, memory_order_release);
	}
	atomic_store_explicit(&entry->newest_id, id, memory_order_release);
	atomic_store_explicit(&entry->newest, position, memory_order_release);
}

void
index_forget(struct index_entry *entry, uint64_t position)
{
	/* Pairs with load and index_floor. */
	if (atomic_load_explicit(&entry->floor, memory_order_relaxed) < position)
		atomic_store_explicit(&entry->floor, position, memory_order_release);
}

void
index_repair(struct index_entry *entry, uint64_t tail, uint64_t issued_id)
{
	uint64_t newest = atomic_load_explicit(&entry->newest, memory_order_relaxed);
	uint64_t prior = atomic_load_explicit(&entry->prior, memory_order_relaxed);
	uint64_t id = atomic_load_explicit(&entry->newest_id, memory_order_relaxed);

	if (newest == 0)
		return; /* and its page is not touched, if nobody ever did */
	if (prior >= tail) {
		prior = 0;
		atomic_store_explicit(&entry->prior, prior, memory_order_release);
	}
	/* An advance that was not published, or one that came as far as prior or newest_id. */
	if (newest >= tail || newest == prior) {
		newest = prior;
		id = atomic_load_explicit(&entry->prior_id, memory_order_relaxed);
	}
	/* What is above can only be damage. */
	if (id > issued_id)
		id = issued_id;
	/* In this order, since readers are here: pairs with load. */
	atomic_store_explicit(&entry->newest_id, id, memory_order_release);
	atomic_store_explicit(&entry->newest, newest, memory_order_release);
}
