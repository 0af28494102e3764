/*
 * extra.c: the pool of extras, in chunks that are never moved.
 */
#include "worker/extra.h"

#include <stdlib.h>

#include "worker/worker.h"

static struct extra *
at(const struct extras *p, uint32_t index)
{
	return &p->chunks[index / EXTRA_CHUNK][index % EXTRA_CHUNK];
}

static bool
grow(struct extras *p)
{
	const uint32_t first = p->chunk_count * EXTRA_CHUNK;

	if (p->chunk_count == p->chunk_cap) {
		const uint32_t cap = p->chunk_cap == 0 ? 16 : p->chunk_cap * 2;
		struct extra **chunks = realloc(p->chunks, cap * sizeof(struct extra *));

		if (chunks == NULL)
			return false;
		p->chunks = chunks;
		p->chunk_cap = cap;
	}
	p->chunks[p->chunk_count] = calloc(EXTRA_CHUNK, sizeof(struct extra));
	if (p->chunks[p->chunk_count] == NULL)
		return false;
	p->chunk_count++;
	for (uint32_t i = EXTRA_CHUNK; i-- > 0;) {
		if (first + i == 0)
			break; /* index 0 means none */
		at(p, first + i)->next_free = p->free_list;
		p->free_list = first + i;
	}
	return true;
}

struct extra *
extra_of(struct worker *w, const struct slot *s)
{
	return s->extra == 0 ? NULL : at(&w->extras, s->extra);
}

struct extra *
extra_need(struct worker *w, struct slot *s)
{
	struct extras *p = &w->extras;
	struct extra *x;

	if (s->extra != 0)
		return at(p, s->extra);
	if (p->free_list == 0 && !grow(p)) {
		board_add(&w->board, BOARD_SHED_MEMORY, 1);
		return NULL;
	}
	s->extra = p->free_list;
	x = at(p, s->extra);
	p->free_list = x->next_free;
	*x = (struct extra){0};
	p->used++;
	return x;
}

void
extra_request_free(struct extra *x)
{
	if (!x->request.kept)
		return;
	free((void *)(uintptr_t)x->request.allow_origin);
	x->request = (struct request){0};
	if (x->publishing == NULL)
		return;
	free(x->publishing->channel);
	free(x->publishing->type);
	free(x->publishing->key);
	free(x->publishing);
	x->publishing = NULL;
}

/* ---- input ------------------------------------------------------------------------------------- */

/* Whether a client's input may become `len` bytes. The bound is passed by what the last buffer grows beyond its need, at most. */
static bool
input_fits(const struct worker *w, const struct buffer *input, size_t len)
{
	const uint64_t messages =
	    LIMIT_INPUT_MESSAGES * (uint64_t)settings_json_len_max(&w->settings);
	uint64_t max = messages > LIMIT_INPUT_BYTES ? messages : LIMIT_INPUT_BYTES;

	if (len > LIMIT_INPUT_SMALL_BYTES)
		max -= max / LIMIT_INPUT_SMALL_SHARE;
	return len <= input->cap || w->extras.input_bytes + (len - input->cap) <= max;
}

bool
extra_input_add(struct worker *w, struct extra *x, const char *bytes, size_t len)
{
	const size_t cap = x->input.cap;

	if (!input_fits(w, &x->input, x->input.len + len)) {
		board_add(&w->board, BOARD_SHED_INPUTS, 1);
		return false;
	}
	if (!buffer_add(&x->input, bytes, len)) {
		board_add(&w->board, BOARD_SHED_MEMORY, 1);
		return false;
	}
	w->extras.input_bytes += x->input.cap - cap;
	return true;
}

struct buffer
extra_input_take(struct worker *w, struct extra *x)
{
	const struct buffer whole = x->input;

	w->extras.input_bytes -= whole.cap;
	x->input = (struct buffer){0};
	return whole;
}

void
extra_input_free(struct worker *w, struct extra *x)
{
	struct buffer input = extra_input_take(w, x);

	buffer_free(&input);
}

/* ---- the end of an extra ------------------------------------------------------------------------ */

void
extra_drop(struct worker *w, struct slot *s)
{
	struct extra *x = extra_of(w, s);

	if (x == NULL)
		return;
	w->extras.tail_bytes -= x->tail.len;
	buffer_free(&x->tail);
	extra_input_free(w, x);
	for (uint32_t i = 0; i < x->sub_count; i++)
		free(x->subs[i].seek);
	free(x->subs);
	extra_request_free(x);
	free(x->ws);
	deflate_window_free(w, x->window);
	x->next_free = w->extras.free_list;
	w->extras.free_list = s->extra;
	w->extras.used--;
	s->extra = 0;
}

void
extra_trim(struct worker *w, struct slot *s)
{
	struct extra *x = extra_of(w, s);

	if (x != NULL && x->tail.len == 0 && x->input.len == 0 && x->sub_count == 0 &&
	    !x->request.kept && x->ws == NULL && x->window == NULL)
		extra_drop(w, s);
}

struct sub *
extra_sub(struct worker *w, const struct slot *s, uint32_t channel)
{
	struct extra *x = extra_of(w, s);

	if (x == NULL)
		return NULL;
	for (uint32_t i = 0; i < x->sub_count; i++)
		if (x->subs[i].channel == channel)
			return &x->subs[i];
	return NULL;
}

struct sub *
extra_sub_add(struct worker *w, struct slot *s)
{
	struct extra *x = extra_need(w, s);

	if (x == NULL)
		return NULL;
	if (x->sub_count == x->sub_cap) {
		const uint32_t cap = x->sub_cap == 0 ? 1 : x->sub_cap * 2;
		struct sub *subs = realloc(x->subs, cap * sizeof *subs);

		if (subs == NULL) {
			board_add(&w->board, BOARD_SHED_MEMORY, 1);
			return NULL;
		}
		x->subs = subs;
		x->sub_cap = cap;
	}
	x->subs[x->sub_count] = (struct sub){0};
	return &x->subs[x->sub_count++];
}

void
extra_sub_remove(struct worker *w, struct slot *s, struct sub *sub)
{
	struct extra *x = extra_of(w, s);

	free(sub->seek);
	*sub = x->subs[--x->sub_count];
	if (x->sub_count == 0) {
		free(x->subs);
		x->subs = NULL;
		x->sub_cap = 0;
	}
}

bool
extra_subs_open(struct worker *w, struct slot *s)
{
	struct sub *sub;

	if (s->channel == CHANNEL_NONE)
		return true;
	sub = extra_sub_add(w, s);
	if (sub == NULL)
		return false;
	sub->channel = s->channel;
	sub->member = s->member;
	sub->since = w->sinces[s - w->slots.table];
	s->channel = CHANNEL_NONE;
	return true;
}

void
extra_subs_close(struct worker *w, struct slot *s)
{
	struct extra *x = extra_of(w, s);

	if (x == NULL || x->sub_count != 1)
		return;
	s->channel = x->subs[0].channel;
	s->member = x->subs[0].member;
	w->sinces[s - w->slots.table] = x->subs[0].since;
	extra_sub_remove(w, s, &x->subs[0]);
}

void
extra_free_all(struct worker *w)
{
	for (uint32_t i = 0; i < w->extras.chunk_count; i++)
		free(w->extras.chunks[i]);
	free(w->extras.chunks);
	w->extras = (struct extras){0};
}
