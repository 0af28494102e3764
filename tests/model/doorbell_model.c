/*
 * doorbell_model.c: every interleaving of a writer that rings and a worker that falls asleep, on
 * x86-TSO: each side's plain stores wait in a buffer and reach memory in order, some time later; an
 * exchange empties the buffer first.
 *
 * The steps are those of doorbell.c. Events are numbered; odd ones are of the worker's interest,
 * which it publishes anew before each sleep. A state in which nobody can move, the worker asleep
 * and an event of its interest unseen, is a lost wake-up.
 *
 *	usage: doorbell_model [mutant]     none: the real order, must pass; with one: must fail
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS 4
#define BUFFER 4
#define STATES_MAX (1u << 20)

enum mutant {
	NONE,
	TAIL_STORED_PLAINLY,
	ASLEEP_STORED_PLAINLY,
	NO_SECOND_LOOK,
	SECOND_LOOK_FIRST,
	ASLEEP_READ_BEFORE_TAIL,
	FILTER_AFTER_ASLEEP,
	ASLEEP_NEVER_TAKEN_BACK,
	ASLEEP_CLEARED_UNREAD,
	MUTANTS
};

static const char *const mutants[] = {
    "none",
    "tail_stored_plainly",
    "asleep_stored_plainly",
    "no_second_look_at_the_tail",
    "second_look_before_asleep",
    "asleep_read_before_tail",
    "filter_after_asleep",
    "bell_not_rung_when_asleep_was_read_set",
    "asleep_cleared_for_a_batch_of_no_interest",
};

enum word { TAIL, ASLEEP, FILTER, WORDS };

struct store {
	uint8_t word, value;
};

struct thread {
	uint8_t step, buffered;
	struct store buffer[BUFFER];
};

struct state {
	uint8_t memory[WORDS];
	struct thread writer, worker;
	uint8_t event, asleep_seen, filter_seen; /* writer's registers */
	uint8_t position, bell,
	    answered; /* worker's; the bell counts, as an eventfd that is never read */
};

struct model {
	enum mutant mutant;
	struct state *states;
	uint32_t *table;
	uint32_t count;
	const char *failed;
};

enum { WRITER_TAIL, WRITER_ASLEEP, WRITER_FILTER, WRITER_TAKE, WRITER_BELL, WRITER_DONE };
enum {
	WORKER_READ,
	WORKER_FILTER_OFF,
	WORKER_FILTER,
	WORKER_ASLEEP,
	WORKER_LOOK,
	WORKER_SLEEP,
	WORKER_AWAKE
};

/* A load sees the thread's own buffered stores first. */
static uint8_t
load(const struct state *s, const struct thread *t, enum word word)
{
	for (unsigned i = t->buffered; i-- > 0;) {
		if (t->buffer[i].word == word)
			return t->buffer[i].value;
	}
	return s->memory[word];
}

static bool
store(struct thread *t, enum word word, uint8_t value)
{
	if (t->buffered == BUFFER)
		return false;
	t->buffer[t->buffered++] = (struct store){(uint8_t)word, value};
	return true;
}

/* An exchange: possible once the buffer is empty. */
static bool
exchange(struct state *s, const struct thread *t, enum word word, uint8_t value, uint8_t *old)
{
	if (t->buffered != 0)
		return false;
	*old = s->memory[word];
	s->memory[word] = value;
	return true;
}

static bool
drain(struct state *s, struct thread *t)
{
	if (t->buffered == 0)
		return false;
	s->memory[t->buffer[0].word] = t->buffer[0].value;
	memmove(t->buffer, t->buffer + 1, (BUFFER - 1) * sizeof t->buffer[0]);
	t->buffer[--t->buffered] = (struct store){0, 0};
	return true;
}

static bool
publish(const struct model *m, struct state *s)
{
	uint8_t old;

	if (m->mutant == TAIL_STORED_PLAINLY)
		return store(&s->writer, TAIL, s->event);
	return exchange(s, &s->writer, TAIL, s->event, &old);
}

static void
next_event(struct state *s)
{
	s->asleep_seen = s->filter_seen = 0;
	s->writer.step = s->event == EVENTS ? WRITER_DONE : WRITER_TAIL;
	if (s->event != EVENTS)
		s->event++;
}

/* doorbell_ring, and the store of the tail before it. False: cannot move now. */
static bool
writer_step(const struct model *m, struct state *s)
{
	struct thread *t = &s->writer;
	bool late = m->mutant == ASLEEP_READ_BEFORE_TAIL;
	uint8_t old;

	switch (t->step) {
	case WRITER_TAIL:
		if (late && s->asleep_seen == 0) {
			s->asleep_seen = (uint8_t)(2 + load(s, t, ASLEEP));
			return true;
		}
		if (!publish(m, s))
			return false;
		t->step = WRITER_ASLEEP;
		return true;
	case WRITER_ASLEEP:
		if (!late)
			s->asleep_seen = (uint8_t)(2 + load(s, t, ASLEEP));
		t->step = WRITER_FILTER;
		if (s->asleep_seen == 2)
			next_event(s);
		return true;
	case WRITER_FILTER:
		s->filter_seen = load(s, t, FILTER);
		t->step = WRITER_TAKE;
		if ((s->event % 2 == 0 || s->filter_seen == 0) &&
		    m->mutant != ASLEEP_CLEARED_UNREAD)
			next_event(s);
		return true;
	case WRITER_TAKE:
		if (!exchange(s, t, ASLEEP, 0, &old))
			return false;
		t->step = WRITER_BELL;
		if (old == 0 || (m->mutant == ASLEEP_CLEARED_UNREAD &&
				    (s->event % 2 == 0 || s->filter_seen == 0)))
			next_event(s);
		return true;
	case WRITER_BELL:
		if (m->mutant != ASLEEP_NEVER_TAKEN_BACK)
			s->bell++;
		next_event(s);
		return true;
	default:
		return false;
	}
}

/* doorbell_sleep and doorbell_awake. */
static bool
worker_step(const struct model *m, struct state *s)
{
	struct thread *t = &s->worker;
	uint8_t old;

	switch (t->step) {
	case WORKER_READ:
		s->position = load(s, t, TAIL);
		t->step = WORKER_FILTER_OFF;
		return true;
	case WORKER_FILTER_OFF: /* board_filter_clear */
		if (!store(t, FILTER, 0))
			return false;
		t->step = m->mutant == FILTER_AFTER_ASLEEP ? WORKER_ASLEEP : WORKER_FILTER;
		return true;
	case WORKER_FILTER:
		if (!store(t, FILTER, 1))
			return false;
		t->step = m->mutant == FILTER_AFTER_ASLEEP ? WORKER_SLEEP
			  : m->mutant == SECOND_LOOK_FIRST ? WORKER_LOOK
							   : WORKER_ASLEEP;
		return true;
	case WORKER_ASLEEP:
		if (m->mutant == ASLEEP_STORED_PLAINLY ? !store(t, ASLEEP, 1)
						       : !exchange(s, t, ASLEEP, 1, &old))
			return false;
		t->step = m->mutant == NO_SECOND_LOOK || m->mutant == SECOND_LOOK_FIRST
			      ? WORKER_SLEEP
			      : WORKER_LOOK;
		return true;
	case WORKER_LOOK:
		t->step = load(s, t, TAIL) != s->position ? WORKER_AWAKE : WORKER_SLEEP;
		if (t->step == WORKER_SLEEP && m->mutant == FILTER_AFTER_ASLEEP)
			t->step = WORKER_FILTER;
		if (t->step == WORKER_SLEEP && m->mutant == SECOND_LOOK_FIRST)
			t->step = WORKER_ASLEEP;
		return true;
	case WORKER_SLEEP:
		if (s->bell == s->answered)
			return false;
		s->answered = s->bell;
		t->step = WORKER_AWAKE;
		return true;
	default: /* WORKER_AWAKE */
		if (!exchange(s, t, ASLEEP, 0, &old))
			return false;
		t->step = WORKER_READ;
		return true;
	}
}

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
				m->failed = "the model's tables are too small";
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

static bool
outstanding(const struct state *s)
{
	for (unsigned event = s->position + 1u; event <= EVENTS; event++) {
		if (event % 2 == 1)
			return true;
	}
	return false;
}

static void
explore(struct model *m)
{
	bool (*const moves[])(const struct model *, struct state *) = {writer_step, worker_step};
	struct state s;

	memset(&s, 0, sizeof s);
	s.event = 1;
	visit(m, &s);
	for (uint32_t i = 0; i < m->count && m->failed == NULL; i++) {
		bool moved = false;

		for (unsigned k = 0; k < 2; k++) {
			s = m->states[i];
			if (moves[k](m, &s)) {
				moved = true;
				visit(m, &s);
			}
			s = m->states[i];
			if (drain(&s, k == 0 ? &s.writer : &s.worker)) {
				moved = true;
				visit(m, &s);
			}
		}
		if (!moved && outstanding(&m->states[i]))
			m->failed = "the worker sleeps beside news";
	}
}

int
main(int argc, char **argv)
{
	struct model m = {.mutant = NONE};

	if (argc > 1 && strcmp(argv[1], "--list") == 0) {
		for (unsigned i = 1; i < MUTANTS; i++)
			puts(mutants[i]);
		return 0;
	}
	for (unsigned i = 1; argc > 1 && i < MUTANTS; i++) {
		if (strcmp(argv[1], mutants[i]) == 0)
			m.mutant = (enum mutant)i;
	}
	if (argc > 1 && m.mutant == NONE) {
		fprintf(stderr, "doorbell_model: no such mutant: %s\n", argv[1]);
		return 2;
	}
	m.states = malloc(STATES_MAX * sizeof *m.states);
	m.table = calloc(2 * STATES_MAX, sizeof *m.table);
	if (m.states == NULL || m.table == NULL)
		return 2;
	explore(&m);
	printf("# %u states\n", m.count);
	printf("%s 1 - doorbell_model_%s%s%s\n1..1\n", m.failed == NULL ? "ok" : "not ok",
	    mutants[m.mutant], m.failed == NULL ? "" : " # ", m.failed == NULL ? "" : m.failed);
	free(m.states);
	free(m.table);
	return m.failed != NULL;
}
