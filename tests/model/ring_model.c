/*
 * ring_model.c: every interleaving of one writer and one reader of a small ring, by explicit
 * search.
 *
 * The writer's stores are a fixed list, since it never reads what readers do; all are release
 * stores, so under x86-TSO (and under C11) a reader sees them in order: the memory is a function of
 * how many have reached it. Its store buffer only delays them, which is the same as the writer
 * being slower. A state is that number and the reader's registers. The reader's loads are single
 * steps. (Where both sides store and load, order matters: doorbell_model.c has buffers.)
 *
 * Records are numbered from 1 and lie in SLOTS slots; position, id and number are one. The ring's
 * steps are those of ring_write.c, index.c and ring_seek.c, with the same names. That the index
 * follows the bytes is not among the mutants: the tail alone decides what is read, and adoption
 * clears what lies beyond it.
 *
 *	usage: ring_model [mutant]     none: the real order, must pass; with one: must fail
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 4
#define STORES_MAX 512
#define EVENTS_MAX 40
#define STATES_MAX (1u << 22)

enum word {
	INTENT,
	LOST,
	EVICTED,
	TAIL,
	ISSUED,
	SETTLED,
	ENTRIES, /* two entries */
	RECORDS = ENTRIES + 10,
	WORDS = RECORDS + SLOTS * 6
};
enum { HASH, NEWEST, PRIOR, NEWEST_ID, PRIOR_ID, ENTRY_WORDS };
enum { ECHO, CHANNEL, NEXT, DATA, PREV_ID, BACK }; /* the last two come along with the channel */

static const char *const mutants[] = {
    "none",
    "intent_after_bytes",
    "tail_before_bytes",
    "tail_before_index",
    "newest_before_prior",
    "prior_moves_within_batch",
    "settled_before_tail",
    "issued_after_tail",
    "lost_after_intent",
    "evicted_after_eviction",
    "evicted_not_of_lapped",
    "newest_id_before_prior",
    "prior_id_after_prior",
    "link_to_lapped_record",
    "next_not_cleared",
    "take_without_zeroing_newest",
    "reader_does_not_validate",
    "reader_validates_before_copying",
    "reader_ignores_tail_for_next",
    "reader_ignores_tail_for_newest",
    "reader_reads_settled_late",
    "reader_reads_tail_before_entry",
    "reader_does_not_reread_newest",
    "reader_reads_evicted_before_searching",
    "reader_reads_newest_id_after_prior",
    "reader_believes_newest_id",
    "reader_trusts_empty_next",
};
enum mutant {
	NONE,
	INTENT_AFTER_BYTES,
	TAIL_BEFORE_BYTES,
	TAIL_BEFORE_INDEX,
	NEWEST_BEFORE_PRIOR,
	PRIOR_MOVES_WITHIN_BATCH,
	SETTLED_BEFORE_TAIL,
	ISSUED_AFTER_TAIL,
	LOST_AFTER_INTENT,
	EVICTED_AFTER_EVICTION,
	EVICTED_NOT_OF_LAPPED,
	NEWEST_ID_BEFORE_PRIOR,
	PRIOR_ID_AFTER_PRIOR,
	LINK_TO_LAPPED_RECORD,
	NEXT_NOT_CLEARED,
	TAKE_WITHOUT_ZEROING_NEWEST,
	READER_DOES_NOT_VALIDATE,
	READER_VALIDATES_BEFORE_COPYING,
	READER_IGNORES_TAIL_FOR_NEXT,
	READER_IGNORES_TAIL_FOR_NEWEST,
	READER_READS_SETTLED_LATE,
	READER_READS_TAIL_BEFORE_ENTRY,
	READER_DOES_NOT_REREAD_NEWEST,
	READER_READS_EVICTED_BEFORE_SEARCHING,
	READER_READS_NEWEST_ID_AFTER_PRIOR,
	READER_BELIEVES_NEWEST_ID,
	READER_TRUSTS_EMPTY_NEXT,
	MUTANTS
};

/* The reader: a client of channel 'A'. */
enum step {
	SEEK,
	FIND_NEWEST,
	FIND_HASH,
	FIND_NEWEST_ID,
	FIND_PRIOR,
	FIND_PRIOR_ID,
	FIND_AGAIN,
	FIND_TAIL,
	COPY,
	JUDGE = COPY + 4,
	STILL_NEWEST,
	ABSENT,
	WAITING,
	NEXT_TAIL,
	ORDER_TAIL, /* the other reader: takes every record in order */
};
enum why { FOR_SEEK, FOR_WALK, FOR_NEXT, FOR_FOLLOWING, FOR_ORDER };

struct state {
	uint16_t stores; /* of the writer that have reached memory */
	uint8_t step, why, cursor, place, entry, searches, consult;
	uint8_t settled, newest, hash, prior, newest_id, prior_id, tail, evicted, intent;
	uint8_t known; /* the channel's newest event, should its record be gone */
	uint8_t at, here, here_prev, here_back, got[6];
	uint8_t gap; /* told since the last event */
	uint8_t last_round;
};

struct model {
	enum mutant mutant;
	unsigned entries;
	uint8_t memory[STORES_MAX][WORDS]; /* after so many stores */
	unsigned stores;
	bool quiet; /* cannot store any more: overflow of the tables */
	char channel[EVENTS_MAX];
	unsigned events;
	struct state *states;
	uint32_t *table;
	uint32_t count;
	const char *failed;
};

/*
 * ---- the writer's stores
 * -------------------------------------------------------------------------
 */

static void
store(struct model *m, unsigned word, unsigned value)
{
	if (m->stores + 1 >= STORES_MAX) {
		m->quiet = true;
		return;
	}
	memcpy(m->memory[m->stores + 1], m->memory[m->stores], WORDS);
	m->memory[++m->stores][word] = (uint8_t)value;
}

static unsigned
now(const struct model *m, unsigned word)
{
	return m->memory[m->stores][word];
}

static unsigned
record_word(unsigned position, unsigned field)
{
	return RECORDS + position % SLOTS * 6 + field;
}

static void
write_bytes(struct model *m, unsigned p, unsigned prev_id, unsigned back)
{
	store(m, record_word(p, ECHO), p);
	/* Channel and links count as one word here: three would only multiply the states. */
	store(m, record_word(p, CHANNEL), (unsigned char)m->channel[p]);
	m->memory[m->stores][record_word(p, PREV_ID)] = (uint8_t)prev_id;
	m->memory[m->stores][record_word(p, BACK)] = (uint8_t)back;
	if (m->mutant != NEXT_NOT_CLEARED)
		store(m, record_word(p, NEXT), 0);
	store(m, record_word(p, DATA), p);
}

static void
write_index(struct model *m, unsigned p, unsigned entry, unsigned published)
{
	unsigned base = ENTRIES + ENTRY_WORDS * entry, evicted = now(m, base + NEWEST);
	unsigned newest_id = now(m, base + NEWEST_ID);
	bool own = now(m, base + HASH) == (unsigned char)m->channel[p] && evicted != 0;

	if (!own) {
		bool kept = evicted != 0 && evicted + SLOTS > p;
		bool costs = evicted != 0 && newest_id > now(m, EVICTED) &&
			     (kept || m->mutant != EVICTED_NOT_OF_LAPPED);

		if (costs && m->mutant != EVICTED_AFTER_EVICTION)
			store(m, EVICTED, newest_id);
		if (kept && newest_id > now(m, LOST))
			store(m, LOST, newest_id);
		if (m->mutant != TAKE_WITHOUT_ZEROING_NEWEST)
			store(m, base + NEWEST, 0);
		store(m, base + PRIOR, 0);
		store(m, base + HASH, (unsigned char)m->channel[p]);
		if (m->mutant == TAKE_WITHOUT_ZEROING_NEWEST)
			published = 0; /* the old owner's newest is no prior of the new one */
		else
			evicted = 0;
		store(m, base + NEWEST_ID, p);
		store(m, base + NEWEST, p);
		if (costs && m->mutant == EVICTED_AFTER_EVICTION)
			store(m, EVICTED, newest_id);
		return;
	}
	if (m->mutant == NEWEST_BEFORE_PRIOR)
		store(m, base + NEWEST, p);
	if (m->mutant == NEWEST_ID_BEFORE_PRIOR)
		store(m, base + NEWEST_ID, p);
	if (evicted <= published || m->mutant == PRIOR_MOVES_WITHIN_BATCH) {
		if (m->mutant != PRIOR_ID_AFTER_PRIOR)
			store(m, base + PRIOR_ID, newest_id);
		store(m, base + PRIOR, evicted);
		if (m->mutant == PRIOR_ID_AFTER_PRIOR)
			store(m, base + PRIOR_ID, newest_id);
	}
	if (m->mutant != NEWEST_ID_BEFORE_PRIOR)
		store(m, base + NEWEST_ID, p);
	if (m->mutant != NEWEST_BEFORE_PRIOR)
		store(m, base + NEWEST, p);
}

static void
append(struct model *m, unsigned p, unsigned published, bool last)
{
	unsigned entry = m->channel[p] == 'A' ? 0 : m->channel[p] == 'C' ? 1 : m->entries - 1;
	unsigned base = ENTRIES + ENTRY_WORDS * entry;
	unsigned newest = now(m, base + NEWEST), prev_id = now(m, EVICTED), back = 0;

	if (p > SLOTS && m->mutant != LOST_AFTER_INTENT)
		store(m, LOST, p - SLOTS > now(m, LOST) ? p - SLOTS : now(m, LOST));
	if (m->mutant != INTENT_AFTER_BYTES)
		store(m, INTENT, p);
	if (now(m, base + HASH) == (unsigned char)m->channel[p] && newest != 0) {
		prev_id = now(m, base + NEWEST_ID);
		if (newest + SLOTS > p ||
		    (m->mutant == LINK_TO_LAPPED_RECORD && newest != p - SLOTS))
			back = newest;
	}
	if (m->mutant == TAIL_BEFORE_BYTES && last)
		store(m, TAIL, p);
	write_bytes(m, p, prev_id, back);
	if (m->mutant == INTENT_AFTER_BYTES)
		store(m, INTENT, p);
	if (p > SLOTS && m->mutant == LOST_AFTER_INTENT)
		store(m, LOST, p - SLOTS > now(m, LOST) ? p - SLOTS : now(m, LOST));
	if (back != 0)
		store(m, record_word(back, NEXT), p);
	if (m->mutant == TAIL_BEFORE_INDEX && last) {
		store(m, TAIL, p);
		store(m, SETTLED, p);
	}
	write_index(m, p, entry, published);
}

/* Channels in order, '|' after each batch. */
static void
write_all(struct model *m, const char *story)
{
	unsigned published = 0, p = 0;

	memset(m->memory[0], 0, WORDS);
	for (m->events = 0; *story != '\0'; story++) {
		if (*story == '|')
			continue;
		p = ++m->events;
		m->channel[p] = *story;
		append(m, p, published, story[1] == '|');
		if (story[1] != '|')
			continue;
		if (m->mutant == SETTLED_BEFORE_TAIL)
			store(m, SETTLED, p);
		if (m->mutant != ISSUED_AFTER_TAIL)
			store(m, ISSUED, p);
		if (m->mutant != TAIL_BEFORE_BYTES && m->mutant != TAIL_BEFORE_INDEX)
			store(m, TAIL, p);
		if (m->mutant == ISSUED_AFTER_TAIL)
			store(m, ISSUED, p);
		if (m->mutant != SETTLED_BEFORE_TAIL)
			store(m, SETTLED, p);
		published = p;
	}
}

/*
 * ---- what must hold
 * ------------------------------------------------------------------------------
 */

static void
expect(struct model *m, bool condition, const char *what)
{
	if (!condition && m->failed == NULL)
		m->failed = what;
}

/* The number of A's events in (from, below). */
static unsigned
missing(const struct model *m, unsigned from, unsigned below)
{
	unsigned n = 0;

	for (unsigned p = from + 1; p < below; p++)
		n += m->channel[p] == 'A';
	return n;
}

static void
deliver(struct model *m, struct state *s, unsigned p, unsigned prev_id, bool exact)
{
	bool gap = s->gap || prev_id > s->cursor;

	expect(m, p > s->cursor, "an event came twice");
	expect(m, p <= m->memory[s->stores][TAIL], "an event came before it was published");
	expect(m, gap || missing(m, s->cursor, p) == 0, "an event was lost silently");
	/* Where the channel has an entry of its own the verdict is exact, not only safe. */
	exact = exact || m->entries == 2;
	expect(m, !gap || s->gap || !exact || missing(m, s->cursor, p) != 0, "a false alarm");
	s->cursor = s->place = (uint8_t)p;
	s->gap = 0;
	s->why = FOR_NEXT;
	s->at = (uint8_t)p;
	s->step = COPY;
}

static void
finish_empty(struct model *m, struct state *s, bool gap)
{
	unsigned resume_at = s->settled > s->cursor ? s->settled : s->cursor;
	const uint8_t *memory = m->memory[s->stores];
	unsigned lapped = memory[INTENT] > SLOTS ? memory[INTENT] - SLOTS : 0;

	expect(m, !gap || m->entries == 1 || missing(m, s->cursor, lapped + 1) != 0,
	    "a false alarm of a channel that was quiet");
	s->gap = s->gap || gap;
	expect(m, s->gap || missing(m, s->cursor, resume_at + 1) == 0, "an event was passed over");
	s->cursor = (uint8_t)resume_at;
	s->place = 0;
	s->step = WAITING;
}

/*
 * ---- the reader's steps
 * --------------------------------------------------------------------------
 */

static void
begin_find(const struct model *m, struct state *s, bool consult)
{
	s->consult = consult;
	s->step = m->mutant == READER_READS_TAIL_BEFORE_ENTRY ? FIND_TAIL : FIND_NEWEST;
}

static void
absent(struct model *m, struct state *s)
{
	if (s->consult) {
		s->step = SEEK;
	} else if (m->mutant == READER_READS_SETTLED_LATE) {
		s->settled = m->memory[s->stores][SETTLED];
		s->step = ABSENT;
	} else {
		s->step = ABSENT;
	}
	if (s->step == ABSENT && s->searches == 1)
		finish_empty(m, s, s->cursor < s->evicted);
}

/* The channel's records are lapped, and its entry tells which was the last. */
static void
gone(struct model *m, struct state *s)
{
	expect(m, s->known <= m->memory[s->stores][LOST], "lost_id is behind what was found gone");
	finish_empty(m, s, s->cursor < s->known);
}

/* An entry was read as of one moment, and the tail after it. */
static void
found_entry(struct model *m, struct state *s)
{
	unsigned published = s->newest <= s->tail || m->mutant == READER_IGNORES_TAIL_FOR_NEWEST
				 ? s->newest
				 : s->prior;

	if (s->hash != 'A' || s->newest == 0 || published == 0) {
		absent(m, s);
		return;
	}
	expect(m,
	    published <= s->tail || m->mutant == READER_READS_TAIL_BEFORE_ENTRY ||
		m->mutant == READER_IGNORES_TAIL_FOR_NEWEST,
	    "prior is not published");
	if (published > s->tail && m->mutant == READER_READS_TAIL_BEFORE_ENTRY) {
		absent(m, s);
		return;
	}
	if (s->consult) {
		/*
		 * Nothing comes after the event that it stands on; or the channel began anew: seek
		 * by id.
		 */
		s->step = published == s->place ? WAITING : SEEK;
		return;
	}
	s->known = published != s->prior || m->mutant == READER_BELIEVES_NEWEST_ID ? s->newest_id
										   : s->prior_id;
	s->why = FOR_SEEK;
	s->at = (uint8_t)published;
	s->step = COPY;
}

static void
lapped(struct model *m, struct state *s)
{
	switch ((enum why)s->why) {
	case FOR_SEEK:
		s->step = STILL_NEWEST;
		return;
	case FOR_WALK:
		deliver(m, s, s->here, s->here_prev, true);
		return;
	case FOR_NEXT:
	case FOR_FOLLOWING:
		s->step = SEEK;
		return;
	case FOR_ORDER:
		s->place = s->intent > SLOTS ? s->intent - SLOTS : 0;
		s->step = ORDER_TAIL;
		return;
	}
}

/* A validated copy of a record of the channel: go back further, or deliver. */
static void
stand_on(struct model *m, struct state *s)
{
	if (s->why == FOR_SEEK && s->at <= s->cursor) {
		if (m->mutant == READER_READS_SETTLED_LATE)
			s->settled = m->memory[s->stores][SETTLED];
		finish_empty(m, s, false);
		return;
	}
	s->here = s->at;
	s->here_prev = s->got[PREV_ID];
	s->here_back = s->got[BACK];
	if (s->here_prev <= s->cursor || s->here_back == 0) {
		deliver(m, s, s->here, s->here_prev, s->here_back != 0);
		return;
	}
	s->why = FOR_WALK;
	s->at = s->here_back;
	s->step = COPY;
}

static void
judge(struct model *m, struct state *s)
{
	bool kept = s->at + SLOTS > s->intent || m->mutant == READER_DOES_NOT_VALIDATE;

	if (!kept) {
		lapped(m, s);
		return;
	}
	expect(m, s->got[ECHO] == s->at && s->got[DATA] == s->at, "a torn record was believed");
	expect(m, s->got[CHANNEL] == 'A' || s->why == FOR_ORDER,
	    "a record of another channel was believed");
	switch ((enum why)s->why) {
	case FOR_SEEK:
	case FOR_WALK:
		stand_on(m, s);
		return;
	case FOR_NEXT:
		s->step = NEXT_TAIL;
		return;
	case FOR_FOLLOWING:
		expect(m, s->got[BACK] == s->place, "a link led astray");
		deliver(m, s, s->at, s->got[PREV_ID], true);
		return;
	case FOR_ORDER:
		expect(m, s->got[CHANNEL] == (unsigned char)m->channel[s->at],
		    "a torn record was believed");
		s->place = s->at;
		s->step = ORDER_TAIL;
		return;
	}
}

static void
follow(struct model *m, struct state *s)
{
	unsigned next = s->got[NEXT];

	if (next != 0 && (next <= s->tail || m->mutant == READER_IGNORES_TAIL_FOR_NEXT)) {
		expect(m, next <= s->tail, "an unpublished record was followed");
		s->why = FOR_FOLLOWING;
		s->at = (uint8_t)next;
		s->step = COPY;
	} else if (m->mutant == READER_TRUSTS_EMPTY_NEXT) {
		s->step = WAITING;
	} else {
		begin_find(m, s, true);
	}
}

/*
 * Waiting means: until the tail moves. After a whole round of the reader behind the writer's last
 * store nothing may be outstanding: it would wait for ever.
 */
static void
wait_for_news(struct model *m, struct state *s)
{
	if (s->stores == m->stores) {
		expect(m, !s->last_round || missing(m, s->cursor, m->events + 1) == 0,
		    "waits for ever beside news");
		s->last_round = 1;
	}
	if (s->place == 0) {
		s->step = SEEK;
	} else {
		s->why = FOR_NEXT;
		s->at = s->place;
		s->step = COPY;
	}
}

/* A load of index_find. */
static void
find_step(struct model *m, struct state *s)
{
	const uint8_t *memory = m->memory[s->stores];
	const uint8_t *entry = memory + ENTRIES;

	switch (s->step) {
	case FIND_NEWEST:
		s->newest = entry[NEWEST];
		s->step = FIND_HASH;
		break;
	case FIND_HASH:
		s->hash = entry[HASH];
		s->step = FIND_NEWEST_ID;
		break;
	case FIND_NEWEST_ID:
		s->newest_id = entry[NEWEST_ID];
		s->step = FIND_PRIOR;
		break;
	case FIND_PRIOR:
		s->prior = entry[PRIOR];
		s->step = FIND_PRIOR_ID;
		break;
	case FIND_PRIOR_ID:
		s->prior_id = entry[PRIOR_ID];
		if (m->mutant == READER_READS_NEWEST_ID_AFTER_PRIOR)
			s->newest_id = entry[NEWEST_ID];
		s->step = FIND_AGAIN;
		break;
	case FIND_AGAIN:
		if (entry[NEWEST] != s->newest && m->mutant != READER_DOES_NOT_REREAD_NEWEST)
			s->step = FIND_NEWEST;
		else if (m->mutant == READER_READS_TAIL_BEFORE_ENTRY)
			found_entry(m, s);
		else
			s->step = FIND_TAIL;
		break;
	case FIND_TAIL:
		s->tail = memory[TAIL];
		if (m->mutant == READER_READS_TAIL_BEFORE_ENTRY)
			s->step = FIND_NEWEST;
		else
			found_entry(m, s);
		break;
	}
}

static void
reader_step(struct model *m, struct state *s)
{
	const uint8_t *memory = m->memory[s->stores];
	const uint8_t *entry = memory + ENTRIES;

	switch (s->step) {
	case SEEK:
		expect(m, s->cursor <= memory[ISSUED],
		    "an id that was delivered counts as from the future");
		s->settled = memory[SETTLED];
		if (m->mutant == READER_READS_EVICTED_BEFORE_SEARCHING)
			s->evicted = memory[EVICTED];
		s->searches = 0;
		begin_find(m, s, false);
		break;
	case FIND_NEWEST:
	case FIND_HASH:
	case FIND_NEWEST_ID:
	case FIND_PRIOR:
	case FIND_PRIOR_ID:
	case FIND_AGAIN:
	case FIND_TAIL:
		find_step(m, s);
		break;
	case JUDGE:
		if (m->mutant != READER_VALIDATES_BEFORE_COPYING)
			s->intent = memory[INTENT];
		judge(m, s);
		break;
	case STILL_NEWEST:
		if (entry[NEWEST] != s->newest)
			begin_find(m, s, false);
		else
			gone(m, s);
		break;
	case ABSENT:
		if (m->mutant != READER_READS_EVICTED_BEFORE_SEARCHING)
			s->evicted = memory[EVICTED];
		s->searches = 1;
		if (m->mutant == READER_READS_EVICTED_BEFORE_SEARCHING)
			finish_empty(m, s, s->cursor < s->evicted);
		else
			begin_find(m, s, false);
		break;
	case WAITING:
		wait_for_news(m, s);
		break;
	case NEXT_TAIL:
		s->tail = memory[TAIL];
		follow(m, s);
		break;
	case ORDER_TAIL:
		if (s->place < memory[TAIL]) {
			s->why = FOR_ORDER;
			s->at = s->place + 1;
			s->step = COPY;
		}
		break;
	default: /* COPY and the three after it: one word of the record each */
		if (s->step == COPY && m->mutant == READER_VALIDATES_BEFORE_COPYING)
			s->intent = memory[INTENT];
		s->got[s->step - COPY] = memory[record_word(s->at, s->step - COPY)];
		if (s->step == COPY + CHANNEL) {
			s->got[PREV_ID] = memory[record_word(s->at, PREV_ID)];
			s->got[BACK] = memory[record_word(s->at, BACK)];
		}
		s->step++;
		break;
	}
}

/*
 * ---- the search
 * ----------------------------------------------------------------------------------
 */

static void
visit(struct model *m, const struct state *s)
{
	uint64_t hash = 1469598103934665603u;
	const unsigned char *bytes = (const unsigned char *)s;

	for (size_t i = 0; i < sizeof *s; i++)
		hash = (hash ^ bytes[i]) * 1099511628211u;
	for (uint32_t i = (uint32_t)(hash >> 20) % (2 * STATES_MAX);;
	     i = (i + 1) % (2 * STATES_MAX)) {
		if (m->table[i] == 0) {
			if (m->count == STATES_MAX) {
				m->quiet = true;
				return;
			}
			m->states[m->count++] = *s;
			m->table[i] = m->count;
			return;
		}
		if (memcmp(&m->states[m->table[i] - 1], s, sizeof *s) == 0)
			return;
	}
}

/* What the reader will not look at again is zeroed, so that equal futures are one state. */
static void
normalise(struct state *s, enum mutant mutant)
{
	bool finding = s->step >= FIND_NEWEST && s->step <= FIND_TAIL;
	bool copying = s->step >= COPY && s->step <= JUDGE;
	bool seeking = copying && (s->why == FOR_SEEK || s->why == FOR_WALK);

	if (!(finding && !s->consult) && !seeking && s->step != ABSENT && s->step != STILL_NEWEST)
		s->settled = s->evicted = s->searches = 0;
	if (!finding && !(copying && s->why == FOR_SEEK) && s->step != STILL_NEWEST)
		s->newest = s->known = 0;
	if (!finding)
		s->hash = s->prior = s->newest_id = s->prior_id = s->consult = 0;
	if (s->step == FIND_NEWEST)
		s->newest = s->known = 0;
	if (finding && s->step <= FIND_HASH)
		s->hash = 0;
	if (finding && s->step <= FIND_NEWEST_ID)
		s->newest_id = 0;
	if (finding && s->step <= FIND_PRIOR)
		s->prior = 0;
	if (finding && s->step <= FIND_PRIOR_ID)
		s->prior_id = 0;
	if (finding && s->consult)
		s->newest_id = s->prior_id = 0;
	if (!(finding && mutant == READER_READS_TAIL_BEFORE_ENTRY))
		s->tail = 0;
	if (!copying || mutant != READER_VALIDATES_BEFORE_COPYING)
		s->intent = 0;
	if (s->step == ORDER_TAIL || (copying && s->why == FOR_ORDER))
		s->cursor = s->gap = 0;
	if (!(copying && s->why == FOR_WALK))
		s->here = s->here_prev = s->here_back = 0;
	if (!copying && s->step != NEXT_TAIL) {
		s->at = s->why = 0;
		memset(s->got, 0, sizeof s->got);
	}
	if (copying && s->step <= COPY + CHANNEL)
		memset(s->got + (s->step - COPY), 0, sizeof s->got - (s->step - COPY));
	if (copying && s->step == COPY + NEXT)
		s->got[NEXT] = 0;
	if (copying && s->step <= COPY + DATA)
		s->got[DATA] = 0;
	if (s->step == NEXT_TAIL)
		s->got[ECHO] = s->got[CHANNEL] = s->got[DATA] = s->got[PREV_ID] = s->got[BACK] = 0;
	if (seeking || s->step == SEEK)
		s->place = 0;
}

static void
explore(struct model *m, unsigned cursors)
{
	struct state s;

	memset(m->table, 0, 2 * STATES_MAX * sizeof *m->table);
	m->count = 0;
	for (unsigned cursor = 0; cursor < cursors; cursor++) {
		memset(&s, 0, sizeof s);
		s.cursor = (uint8_t)cursor;
		/* A cursor is an id that was published. */
		while (m->memory[s.stores][SETTLED] < cursor)
			s.stores++;
		visit(m, &s);
	}
	memset(&s, 0, sizeof s);
	s.step = ORDER_TAIL;
	visit(m, &s);
	for (uint32_t i = 0; i < m->count && m->failed == NULL; i++) {
		s = m->states[i];
		if (s.stores < m->stores) {
			s.stores++;
			visit(m, &s);
		}
		s = m->states[i];
		reader_step(m, &s);
		normalise(&s, m->mutant);
		visit(m, &s);
	}
}

int
main(int argc, char **argv)
{
	static const char *const stories[] = {
	    "A|A|A|A|A|A|", "B|AA|AA|A|B|A|", "A|AA|B|AB|A|AA|", "AA|AA|B|A|AA|BA|",
	    "A|BB|BB|A|BA|A|B|", "B|AB|BA|BB|BA|A|BB|",
	    "A|A|CC|CC|B|A|BA|", /* lapped before another channel takes the entry */
	};
	struct model *m = calloc(1, sizeof *m);
	enum mutant mutant = NONE;
	unsigned long states = 0;
	const char *failed = NULL;

	if (m == NULL || (m->states = malloc(STATES_MAX * sizeof *m->states)) == NULL ||
	    (m->table = malloc(2 * STATES_MAX * sizeof *m->table)) == NULL)
		return 2;
	if (argc > 1 && strcmp(argv[1], "--list") == 0) {
		for (unsigned i = 1; i < MUTANTS; i++)
			puts(mutants[i]);
		return 0;
	}
	for (unsigned i = 0; argc > 1 && i < MUTANTS; i++) {
		if (strcmp(argv[1], mutants[i]) == 0)
			mutant = (enum mutant)i;
	}
	if (argc > 1 && mutant == NONE) {
		fprintf(stderr, "ring_model: no such mutant: %s\n", argv[1]);
		return 2;
	}
	/* An entry for A and one for B; then one for both, so that each takes it from the other. */
	for (unsigned entries = 2; entries >= 1 && failed == NULL; entries--) {
		for (unsigned i = 0; i < sizeof stories / sizeof stories[0] && failed == NULL;
		     i++) {
			struct state *kept_states = m->states;
			uint32_t *kept_table = m->table;

			memset(m, 0, sizeof *m);
			m->states = kept_states;
			m->table = kept_table;
			m->mutant = mutant;
			m->entries = entries;
			write_all(m, stories[i]);
			explore(m, 3);
			states += m->count;
			failed = m->quiet ? "the model's tables are too small" : m->failed;
		}
	}
	printf("# %lu states\n", states);
	printf("%s 1 - ring_model_%s%s%s\n1..1\n", failed == NULL ? "ok" : "not ok",
	    mutants[mutant], failed == NULL ? "" : " # ", failed == NULL ? "" : failed);
	free(m->states);
	free(m->table);
	free(m);
	return failed != NULL;
}
