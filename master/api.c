/*
 * api.c: channels and connections, asked of all workers and of the ring. See api.h.
 *
 * A query lives from the request to its answer, or until its session is gone. It is complete when no worker owes rows
 * any more and the ring's index has been walked, a bounded piece a turn. Of channels only the page is ever held: the first
 * `limit` names in byte order. Every worker sends its own first `limit` + 1, so that the sums of those names are whole.
 */
#include "master/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "master/master.h"
#include "master/orders.h"
#include "master/publish.h"
#include "master/publish_session.h"
#include "master/supervise.h"
#include "proto/id.h"
#include "proto/query.h"
#include "shm/ring_seek.h"
#include "shm/ring_write.h"

#define WALK_CHANNELS 256  /* of the ring's index, a turn */
#define COUNT_BUDGET 50000 /* records followed to count a page's events: some milliseconds */
#define PACKET_BYTES 4096  /* any order that is sent here */
#define PEER_BYTES 64
#define ROW_TEXT_BYTES 4096 /* a row as JSON: names escaped, six bytes for one at worst */

enum api_kind { API_LIST_CHANNELS, API_SHOW_CHANNEL, API_LIST_CONNECTIONS };

struct api_text {
	char bytes[LIMIT_CHANNEL_NAME_BYTES];
	size_t len;
};

struct channel_row {
	struct api_text name;
	uint64_t poll, longpoll, sse, ws;
};

struct api_query {
	struct master *m;
	struct publish_session *session;
	struct api_query *next, **link;
	struct loop_timer deadline;
	struct loop_work walk;
	uint32_t number;
	enum api_kind kind;
	uint32_t limit;
	struct api_text prefix, after, channel, peer;
	bool owes[LIMIT_WORKERS];
	unsigned owing;
	bool partial; /* somebody who should have answered has not */
	bool more;    /* there are rows beyond the page */
	bool walked;
	uint64_t place;           /* of the walk over the ring's index */
	struct channel_row *rows; /* [limit], by name */
	uint32_t count;
	struct publish_buffer text; /* connections: rendered as they come */
};

struct api {
	struct api_query *first;
	uint32_t last_number;
};

static struct slice
text_of(const struct api_text *text)
{
	return slice_of(text->bytes, text->len);
}

static struct ring *
ring_of(struct master *m)
{
	return ring_write_ring(m->ring);
}

int
api_start(struct master *m)
{
	m->api = calloc(1, sizeof *m->api);
	if (m->api == NULL)
		log_say(&m->log, LOG_LEVEL_ERROR, "no memory for questions to workers");
	return m->api == NULL ? -1 : 0;
}

void
api_forget(struct master *m, struct api_query *q)
{
	q->session->query = NULL;
	loop_timer_clear(m->loop, &q->deadline);
	loop_defer_cancel(m->loop, &q->walk);
	*q->link = q->next;
	if (q->next != NULL)
		q->next->link = q->link;
	free(q->rows);
	publish_buffer_free(&q->text);
	free(q);
}

void
api_stop(struct master *m)
{
	if (m->api == NULL)
		return;
	while (m->api->first != NULL)
		api_forget(m, m->api->first);
	free(m->api);
	m->api = NULL;
}

/* ---- connection texts --------------------------------------------------------------------------------- */

size_t
api_connection_text(char text[API_CONNECTION_TEXT_BYTES], uint32_t ordinal, uint64_t connection)
{
	return (size_t)snprintf(
	    text, API_CONNECTION_TEXT_BYTES, "%u-%016llx", ordinal, (unsigned long long)connection);
}

bool
api_connection_parse(struct slice text, uint32_t *ordinal, uint64_t *connection)
{
	const char *dash = text.len == 0 ? NULL : memchr(text.bytes, '-', text.len);
	size_t digits;

	if (dash == NULL)
		return false;
	digits = (size_t)(dash - text.bytes);
	if (text.len != digits + 17 || digits > 3 ||
	    !query_u32(slice_of(text.bytes, digits), LIMIT_WORKERS - 1, ordinal))
		return false;
	*connection = 0;
	for (size_t i = digits + 1; i < text.len; i++) {
		char c = text.bytes[i];

		if (c >= '0' && c <= '9')
			*connection = *connection << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*connection = *connection << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	return true;
}

/* ---- answers ------------------------------------------------------------------------------------------ */

static void
put_member(struct out *o, const char *name, uint64_t number)
{
	out_char(o, '"');
	out_text(o, name);
	out_text(o, "\":");
	out_u64(o, number);
}

static void
put_id(struct out *o, uint64_t id)
{
	if (id == 0) {
		out_text(o, "null");
		return;
	}
	out_char(o, '"');
	id_render(o, id);
	out_char(o, '"');
}

/* One channel with what the ring knows of it. Counting is bounded for the whole page: *budget is what is left. */
static void
put_channel(struct out *o, struct api_query *q, const struct channel_row *row, uint32_t *budget)
{
	struct ring_seek_channel found = {.counted_all = true};
	enum ring_result result =
	    ring_seek_channel(ring_of(q->m), row->name.bytes, row->name.len, *budget, &found);

	if (result != RING_OK)
		found = (struct ring_seek_channel){.counted_all = true};
	*budget -= found.events < *budget ? (uint32_t)found.events : *budget;
	out_text(o, "{\"channel\":");
	json_escape(o, text_of(&row->name));
	out_text(o, ",\"subscribers\":{");
	put_member(o, "poll", row->poll);
	out_char(o, ',');
	put_member(o, "longpoll", row->longpoll);
	out_char(o, ',');
	put_member(o, "sse", row->sse);
	out_char(o, ',');
	put_member(o, "ws", row->ws);
	out_text(o, "},\"newest\":");
	put_id(o, found.newest_id);
	out_char(o, ',');
	put_member(o, "events", found.events);
	if (!found.counted_all)
		out_text(o, ",\"events_at_least\":true");
	out_char(o, '}');
}

static void
answer_channels(struct api_query *q, struct publish_buffer *answer)
{
	uint32_t budget = COUNT_BUDGET;
	struct out o = publish_buffer_out(answer);

	out_text(&o, "{\"channels\":[");
	for (uint32_t i = 0; i < q->count; i++) {
		if (i != 0)
			out_char(&o, ',');
		put_channel(&o, q, &q->rows[i], &budget);
	}
	out_text(&o, q->more ? "],\"more\":true" : "],\"more\":false");
	out_text(&o, q->partial ? ",\"partial\":true}" : "}");
	publish_buffer_took(answer, &o);
}

static void
answer_connections(struct api_query *q, struct publish_buffer *answer)
{
	struct out o = publish_buffer_out(answer);

	out_text(&o, "{\"connections\":[");
	out_slice(&o, publish_buffer_content(&q->text));
	out_text(&o, q->more ? "],\"more\":true" : "],\"more\":false");
	out_text(&o, q->partial ? ",\"partial\":true}" : "}");
	publish_buffer_took(answer, &o);
}

static void
answer_channel(struct api_query *q, struct publish_buffer *answer)
{
	uint32_t budget = COUNT_BUDGET;
	struct out o = publish_buffer_out(answer);

	put_channel(&o, q, &q->rows[0], &budget);
	if (q->partial) {
		o.len--, o.need--;
		out_text(&o, ",\"partial\":true}");
	}
	publish_buffer_took(answer, &o);
}

/* Answers the session and ends the query, once nothing is owed to it any more. */
static void
finish_if_complete(struct api_query *q)
{
	struct publish_session *s = q->session;
	struct publish_buffer answer = {0};

	if (q->owing != 0 || !q->walked)
		return;
	if (!publish_buffer_reserve(
		&answer, q->text.len + 128 + (size_t)q->count * ROW_TEXT_BYTES)) {
		api_forget(q->m, q);
		publish_session_error(s, ERROR_OVERLOADED, "out of memory; try again");
		return;
	}
	switch (q->kind) {
	case API_LIST_CHANNELS:
		answer_channels(q, &answer);
		break;
	case API_SHOW_CHANNEL:
		answer_channel(q, &answer);
		break;
	case API_LIST_CONNECTIONS:
		answer_connections(q, &answer);
		break;
	}
	api_forget(q->m, q);
	publish_session_json(s, publish_buffer_content(&answer));
	publish_buffer_free(&answer);
}

/* ---- rows of channels --------------------------------------------------------------------------------- */

static int
compare(struct slice a, struct slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len == 0 ? 0 : memcmp(a.bytes, b.bytes, len);

	if (order != 0)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

static bool
is_wanted(const struct api_query *q, struct slice name)
{
	if (name.len == 0 || name.len > LIMIT_CHANNEL_NAME_BYTES)
		return false;
	if (q->kind == API_SHOW_CHANNEL)
		return slice_equal(name, text_of(&q->channel));
	return name.len >= q->prefix.len && compare(name, text_of(&q->after)) > 0 &&
	       slice_equal(slice_of(name.bytes, q->prefix.len), text_of(&q->prefix));
}

/* The row of a name on the page, made if it belongs there; NULL if it lies beyond. */
static struct channel_row *
row_of(struct api_query *q, struct slice name)
{
	uint32_t low = 0, high = q->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = compare(text_of(&q->rows[middle].name), name);

		if (order == 0)
			return &q->rows[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (q->count == q->limit) {
		q->more = true;
		if (low == q->limit)
			return NULL;
		q->count--;
	}
	memmove(&q->rows[low + 1], &q->rows[low], (q->count - low) * sizeof *q->rows);
	q->count++;
	q->rows[low] = (struct channel_row){.name.len = name.len};
	memcpy(q->rows[low].name.bytes, name.bytes, name.len);
	return &q->rows[low];
}

static int
take_channel_rows(struct api_query *q, struct slice rest)
{
	struct order_channel_row row;
	int more;

	while ((more = order_channel_row_next(&rest, &row)) == 1) {
		struct channel_row *sum = is_wanted(q, row.name) ? row_of(q, row.name) : NULL;

		if (sum == NULL)
			continue;
		sum->poll += row.poll;
		sum->longpoll += row.longpoll;
		sum->sse += row.sse;
		sum->ws += row.ws;
	}
	return more;
}

/* A piece of the walk over the channels that have history. */
static void
walk_ring(void *context)
{
	struct api_query *q = context;
	struct ring_seek_channel channel;

	for (int n = 0; n < WALK_CHANNELS; n++) {
		enum ring_result result = ring_seek_list(ring_of(q->m), &q->place, 1, &channel);
		struct slice name = slice_of(channel.name, channel.name_len);

		if (result == RING_OK) {
			if (channel.newest_id != 0 && is_wanted(q, name))
				row_of(q, name);
			continue;
		}
		if (result == RING_MORE)
			break;
		q->walked = true;
		q->partial |= result != RING_NONE;
		finish_if_complete(q);
		return;
	}
	loop_defer(q->m->loop, &q->walk, LOOP_ANSWER);
}

/* ---- rows of connections ------------------------------------------------------------------------------ */

static void
put_connection(
    struct out *o, struct api_query *q, uint32_t ordinal, const struct order_connection_row *row)
{
	char text[API_CONNECTION_TEXT_BYTES];
	uint64_t newest = ring_last_id(ring_of(q->m));
	uint64_t behind_ms =
	    row->lagging && newest > row->cursor ? id_ms(newest) - id_ms(row->cursor) : 0;

	out_text(o, q->count == 0 ? "{\"connection\":\"" : ",{\"connection\":\"");
	out_bytes(o, text, api_connection_text(text, ordinal, row->connection));
	out_text(o, "\",\"transport\":");
	json_escape(o, row->transport);
	out_text(o, row->compressed ? ",\"compressed\":true" : ",\"compressed\":false");
	out_text(o, ",\"peer\":");
	json_escape(o, row->peer);
	out_text(o, ",\"channel\":");
	json_escape(o, row->channel);
	out_char(o, ',');
	put_member(o, "channels", row->channels);
	out_char(o, ',');
	put_member(o, "age_s", row->age_s);
	out_text(o, ",\"cursor\":");
	put_id(o, row->cursor);
	out_text(o, row->lagging ? ",\"lagging\":true," : ",\"lagging\":false,");
	put_member(o, "behind_ms", behind_ms);
	out_char(o, ',');
	put_member(o, "bytes", row->bytes);
	out_text(o, ",\"last_error\":");
	json_escape(o, row->last_error);
	out_char(o, '}');
}

static int
take_connection_rows(struct api_query *q, uint32_t ordinal, struct slice rest)
{
	struct order_connection_row row;
	int more;

	while ((more = order_connection_row_next(&rest, &row)) == 1) {
		struct out o;

		if (row.channel.len + row.peer.len + row.transport.len + row.last_error.len > 600)
			return -1;
		if (q->count == q->limit || !publish_buffer_reserve(&q->text, ROW_TEXT_BYTES)) {
			q->more = true;
			continue;
		}
		o = publish_buffer_out(&q->text);
		put_connection(&o, q, ordinal, &row);
		publish_buffer_took(&q->text, &o);
		q->count++;
	}
	return more;
}

/* ---- asking ------------------------------------------------------------------------------------------- */

static void
settle_worker(struct api_query *q, uint32_t ordinal, bool answered)
{
	if (!q->owes[ordinal])
		return;
	q->owes[ordinal] = false;
	q->owing--;
	q->partial |= !answered;
	finish_if_complete(q);
}

int
api_rows(struct master *m, uint32_t ordinal, const struct order_rows *rows)
{
	struct api_query *q = m->api->first;
	bool connections = rows->kind == ORDER_QUERY_CONNECTIONS;
	int taken;

	while (q != NULL && q->number != rows->query)
		q = q->next;
	/* Rows may come after the deadline, or after the asker has gone. */
	if (q == NULL || ordinal >= LIMIT_WORKERS || !q->owes[ordinal])
		return 0;
	if (connections != (q->kind == API_LIST_CONNECTIONS))
		return -1;
	taken = connections ? take_connection_rows(q, ordinal, rows->rows)
			    : take_channel_rows(q, rows->rows);
	if (taken == 0 && rows->last)
		settle_worker(q, ordinal, true);
	return taken;
}

void
api_worker_gone(struct master *m, uint32_t ordinal)
{
	struct api_query *q, *next;

	if (m->api == NULL)
		return;
	for (q = m->api->first; q != NULL; q = next) {
		next = q->next;
		settle_worker(q, ordinal, false);
	}
}

static void
deadline_passed(void *context)
{
	struct api_query *q = context;

	q->partial = true;
	q->owing = 0;
	memset(q->owes, 0, sizeof q->owes);
	finish_if_complete(q);
}

static bool
send_query(struct api_query *q, unsigned worker)
{
	char packet[PACKET_BYTES];
	struct out o = out_to(packet, sizeof packet);

	order_encode_query(&o, &(struct order_query){
				   .query = q->number,
				   .kind = q->kind == API_LIST_CONNECTIONS ? ORDER_QUERY_CONNECTIONS
									   : ORDER_QUERY_CHANNELS,
				   .limit = q->limit + 1,
				   .prefix = text_of(&q->prefix),
				   .after = text_of(&q->after),
				   .channel = text_of(&q->channel),
				   .peer = text_of(&q->peer),
			       });
	return !out_cut(&o) && orders_send(q->m, worker, slice_of(packet, o.len)) == 0;
}

/* Asks every worker; the session waits. Takes the query, whose kind, limit and filters are set. */
static void
ask(struct publish_session *s, struct api_query *q)
{
	struct master *m = s->set->m;

	publish_commit(
	    m); /* what was published before is seen, also by who asks in the same turn */
	q->m = m;
	q->session = s;
	q->number = ++m->api->last_number;
	q->walk = (struct loop_work){.run = walk_ring, .context = q};
	q->walked = q->kind != API_LIST_CHANNELS;
	q->link = &m->api->first;
	q->next = m->api->first;
	if (q->next != NULL)
		q->next->link = &q->next;
	m->api->first = q;
	s->query = q;
	s->state = PUBLISH_SESSION_WAIT;
	for (unsigned i = 0; i < m->worker_count && i < LIMIT_WORKERS; i++) {
		if (!master_worker_serves(m, i))
			continue;
		if (send_query(q, i)) {
			q->owes[i] = true;
			q->owing++;
		} else {
			q->partial = true;
		}
	}
	if (!q->walked)
		loop_defer(m->loop, &q->walk, LOOP_ANSWER);
	if (loop_timer_set(
		m->loop, &q->deadline, API_DEADLINE_MS * LOOP_NS_PER_MS, deadline_passed, q) == -1)
		deadline_passed(q);
	else
		finish_if_complete(q);
}

/* ---- requests ----------------------------------------------------------------------------------------- */

/* Decodes a parameter that may be absent. False after answering that it is malformed. */
static bool
take_parameter(
    struct publish_session *s, struct slice query, const char *name, struct api_text *text)
{
	struct slice raw;
	ptrdiff_t len;
	char message[64];

	text->len = 0;
	if (!query_last(query, name, &raw))
		return true;
	len = query_decode(raw, text->bytes, sizeof text->bytes);
	if (len >= 0) {
		text->len = (size_t)len;
		return true;
	}
	snprintf(message, sizeof message, "%s is malformed or too long", name);
	publish_session_error(s, ERROR_BAD_REQUEST, message);
	return false;
}

static bool
take_limit(struct publish_session *s, struct slice query, uint32_t *limit)
{
	struct api_text text;

	*limit = LIMIT_API_ROWS_DEFAULT;
	if (!take_parameter(s, query, "limit", &text))
		return false;
	if (text.len == 0)
		return true;
	if (query_u32(text_of(&text), UINT32_MAX, limit) && *limit != 0) {
		if (*limit > LIMIT_API_ROWS_MAX)
			*limit = LIMIT_API_ROWS_MAX;
		return true;
	}
	publish_session_error(s, ERROR_BAD_REQUEST, "limit is a number from 1 to 1000");
	return false;
}

/* Decodes the NAME of a path. False after answering what is wrong with it. */
static bool
take_name(struct publish_session *s, struct slice raw, struct api_text *name)
{
	ptrdiff_t len = query_decode_path(raw, name->bytes, sizeof name->bytes);
	const char *wrong =
	    len == QUERY_BAD_ESCAPE ? "is not percent-encoded rightly" : "is longer than 255 bytes";
	char message[128];

	if (len >= 0) {
		name->len = (size_t)len;
		wrong = event_channel_fault(text_of(name));
	}
	if (wrong == NULL)
		return true;
	snprintf(message, sizeof message, "the channel's name %s", wrong);
	publish_session_error(s, ERROR_BAD_CHANNEL, message);
	return false;
}

/* A zeroed query with room for the page; NULL after answering that there is no memory. */
static struct api_query *
query_new(struct publish_session *s, enum api_kind kind)
{
	struct api_query *q = calloc(1, sizeof *q);

	if (q == NULL)
		publish_session_error(s, ERROR_OVERLOADED, "out of memory; try again");
	else
		q->kind = kind;
	return q;
}

static bool
query_rows(struct publish_session *s, struct api_query *q)
{
	/* One more than the page, which row_of shifts into. */
	q->rows = malloc(((size_t)q->limit + 1) * sizeof *q->rows);
	if (q->rows == NULL)
		publish_session_error(s, ERROR_OVERLOADED, "out of memory; try again");
	return q->rows != NULL;
}

void
api_list_channels(struct publish_session *s, struct slice query)
{
	struct api_query *q = query_new(s, API_LIST_CHANNELS);

	if (q == NULL)
		return;
	if (take_parameter(s, query, "prefix", &q->prefix) &&
	    take_parameter(s, query, "after", &q->after) && take_limit(s, query, &q->limit) &&
	    query_rows(s, q))
		ask(s, q);
	else
		free(q);
}

void
api_show_channel(struct publish_session *s, struct slice raw_name)
{
	struct api_query *q = query_new(s, API_SHOW_CHANNEL);

	if (q == NULL)
		return;
	q->limit = 1;
	if (take_name(s, raw_name, &q->channel) && query_rows(s, q)) {
		row_of(q, text_of(&q->channel));
		ask(s, q);
	} else {
		free(q);
	}
}

void
api_list_connections(struct publish_session *s, struct slice query)
{
	struct api_query *q = query_new(s, API_LIST_CONNECTIONS);

	if (q == NULL)
		return;
	if (take_parameter(s, query, "channel", &q->channel) &&
	    take_parameter(s, query, "peer", &q->peer) && take_limit(s, query, &q->limit))
		ask(s, q);
	else
		free(q);
}

void
api_delete_channel(struct publish_session *s, struct slice raw_name, struct slice query)
{
	struct master *m = s->set->m;
	struct api_text name, disconnect;
	char text[2048], packet[PACKET_BYTES];
	struct out answer = out_to(text, sizeof text), order = out_to(packet, sizeof packet);
	enum error_code code;
	const char *message;
	uint64_t id;
	bool told = true;

	if (!take_name(s, raw_name, &name) || !take_parameter(s, query, "disconnect", &disconnect))
		return;
	if (publish_forget(m, text_of(&name), &id, &code, &message) == -1) {
		publish_session_error(s, code, message);
		return;
	}
	order_encode_end_channel(&order, &(struct order_end_channel){.channel = text_of(&name)});
	if (slice_equal(text_of(&disconnect), SLICE_LITERAL("1")))
		for (unsigned i = 0; i < m->worker_count; i++)
			told &= !master_worker_serves(m, i) ||
				orders_send(m, i, slice_of(packet, order.len)) == 0;
	if (!told) {
		publish_session_error(s, ERROR_OVERLOADED,
		    "the history is forgotten, but a worker could not be told to end subscriptions; try again");
		return;
	}
	out_text(&answer, "{\"channel\":");
	json_escape(&answer, text_of(&name));
	out_text(&answer, ",\"at\":");
	put_id(&answer, id);
	out_char(&answer, '}');
	publish_session_json(s, slice_of(text, answer.len));
}

/* The table is its worker's to write, and so is not believed about how far it goes. */
static bool
has_connection(const struct seat *seat, uint64_t connection)
{
	const uint32_t number = (uint32_t)connection;
	const struct slot *slot;

	if (number >= seat->max_connections)
		return false;
	slot = slots_get_generation(&seat->slots, number, (uint32_t)(connection >> 32));
	return slot != NULL && slot->state != SLOTS_STATE_FREE;
}

void
api_end_connection(struct publish_session *s, struct slice text)
{
	struct master *m = s->set->m;
	char packet[64], body[128];
	struct out order = out_to(packet, sizeof packet);
	uint64_t connection;
	uint32_t ordinal;
	int len;

	if (!api_connection_parse(text, &ordinal, &connection) || ordinal >= m->worker_count ||
	    !master_worker_serves(m, ordinal) || !has_connection(&m->seats[ordinal], connection)) {
		publish_session_error(s, ERROR_NOT_FOUND, "no worker has that connection");
		return;
	}
	order_encode_end_connection(
	    &order, &(struct order_end_connection){.connection = connection});
	if (orders_send(m, ordinal, slice_of(packet, order.len)) == -1) {
		publish_session_error(s, ERROR_OVERLOADED, "its worker is busy; try again");
		return;
	}
	len = snprintf(body, sizeof body, "{\"connection\":\"%.*s\"}", (int)text.len, text.bytes);
	publish_session_json(s, slice_of(body, (size_t)len));
}
