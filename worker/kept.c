/*
 * kept.c: a handful of frames, found by looking at each.
 */
#include "worker/kept.h"

#include <assert.h>
#include <stdlib.h>

#include "worker/worker.h"

static bool
same_key(const struct kept_key *a, const struct kept_key *b)
{
	return a->id == b->id && a->order == b->order && a->dialect == b->dialect &&
	       a->hash == b->hash;
}

const struct wave *
kept_find(struct worker *w, const struct kept_key *key)
{
	struct kept *k = &w->kept;

	if (k->bytes == 0)
		return NULL;
	for (uint32_t i = 0; i < KEPT_FRAMES; i++) {
		struct kept_frame *f = &k->frames[i];

		if (f->wave.count != 0 && same_key(&f->key, key)) {
			f->used_ns = w->now_ns;
			return &f->wave;
		}
	}
	return NULL;
}

const struct wave *
kept_take(struct worker *w, const struct kept_key *key, struct wave *v)
{
	struct kept *k = &w->kept;

	assert(v->count == 1 && v->frames[0].id == key->id);
	if (v->bytes.len < KEPT_BYTES_MIN ||
	    (k->bytes != 0 && k->bytes + v->bytes.cap > KEPT_BYTES_MAX))
		return NULL;
	for (uint32_t i = 0; i < KEPT_FRAMES; i++) {
		struct kept_frame *f = &k->frames[i];

		if (f->wave.count != 0)
			continue;
		*f = (struct kept_frame){.wave = *v, .key = *key, .used_ns = w->now_ns};
		*v = (struct wave){0};
		k->bytes += f->wave.bytes.cap;
		return &f->wave;
	}
	return NULL;
}

static void
drop(struct worker *w, struct kept_frame *f)
{
	w->kept.bytes -= f->wave.bytes.cap;
	wave_clear(w, &f->wave);
	buffer_free(&f->wave.bytes);
	free(f->wave.frames);
	*f = (struct kept_frame){0};
}

void
kept_age(struct worker *w)
{
	struct kept *k = &w->kept;

	if (k->bytes == 0)
		return;
	assert(w->deliver.flight_count == 0);
	for (uint32_t i = 0; i < KEPT_FRAMES; i++) {
		struct kept_frame *f = &k->frames[i];

		/* Without clients the turn sleeps until one comes. */
		if (f->wave.count != 0 &&
		    (w->connection_count == 0 || w->now_ns - f->used_ns >= KEPT_IDLE_NS))
			drop(w, f);
	}
}

void
kept_free(struct worker *w)
{
	for (uint32_t i = 0; i < KEPT_FRAMES; i++)
		if (w->kept.frames[i].wave.count != 0)
			drop(w, &w->kept.frames[i]);
}
