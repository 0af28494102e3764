/*
 * report.c: rows are gathered into packets; a question is answered within one turn, up to its limit.
 */
#include "worker/report.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/address.h"
#include "proto/order.h"
#include "worker/conn.h"
#include "worker/intake.h"
#include "worker/worker.h"

#define ROWS_BYTES (ORDER_PACKET_BYTES - 64)

struct rows {
	struct worker *w;
	const struct order_query *query;
	struct out out;
	char bytes[ROWS_BYTES];
};

static void
rows_send(struct rows *rows, bool last)
{
	const struct order_rows m = {
	    rows->query->query, last, rows->query->kind, slice_of(rows->out.bytes, rows->out.len)};
	char packet[ORDER_PACKET_BYTES];
	struct out o = out_to(packet, sizeof packet);

	order_encode_rows(&o, &m);
	intake_send(rows->w, slice_of(o.bytes, o.len));
	rows->out = out_to(rows->bytes, sizeof rows->bytes);
}

/* ---- channels --------------------------------------------------------------------------------------- */

static bool
name_wanted(const struct order_query *q, struct slice name)
{
	size_t common;
	int order;

	if (q->channel.len != 0)
		return slice_equal(name, q->channel);
	if (name.len < q->prefix.len ||
	    (q->prefix.len != 0 && memcmp(name.bytes, q->prefix.bytes, q->prefix.len) != 0))
		return false;
	if (q->after.len == 0)
		return true;
	common = name.len < q->after.len ? name.len : q->after.len;
	order = memcmp(name.bytes, q->after.bytes, common);
	return order > 0 || (order == 0 && name.len > q->after.len);
}

static int
by_name(const void *a, const void *b)
{
	const struct channel *x = *(struct channel *const *)a, *y = *(struct channel *const *)b;
	const size_t common = x->name_len < y->name_len ? x->name_len : y->name_len;
	const int order = memcmp(x->name, y->name, common);

	return order != 0 ? order : (int)x->name_len - (int)y->name_len;
}

static void
put_channel(struct rows *rows, const struct channel *c)
{
	const struct order_channel_row row = {.name = channel_name(c),
	    .poll = c->counts[DIALECT_POLL],
	    .longpoll = c->counts[DIALECT_LONGPOLL],
	    .sse = c->counts[DIALECT_SSE] + c->counts[DIALECT_SSE_JSON],
	    .ws = c->counts[DIALECT_WS] + c->counts[DIALECT_WS_RAW] +
		  c->counts[DIALECT_WS_DEFLATE] + c->counts[DIALECT_WS_RAW_DEFLATE]};

	if (rows->out.len + row.name.len + 64 > ROWS_BYTES)
		rows_send(rows, false);
	order_channel_row_put(&rows->out, &row);
}

static void
report_channels(struct rows *rows)
{
	const struct channels *t = &rows->w->channels;
	struct channel **found = malloc((t->count + 1) * sizeof(struct channel *));
	uint32_t count = 0;

	if (found == NULL)
		return;
	for (uint32_t i = 1; i < t->index_count; i++)
		if (t->by_index[i] != NULL && t->by_index[i]->member_count != 0 &&
		    name_wanted(rows->query, channel_name(t->by_index[i])))
			found[count++] = t->by_index[i];
	qsort(found, count, sizeof(struct channel *), by_name);
	for (uint32_t i = 0; i < count && (rows->query->limit == 0 || i < rows->query->limit); i++)
		put_channel(rows, found[i]);
	free(found);
}

/* ---- connections ------------------------------------------------------------------------------------ */

static struct slice
transport_of(const struct slot *s)
{
	if (conn_is_websocket(s))
		return SLICE_LITERAL("ws");
	if (conn_is_sse(s))
		return SLICE_LITERAL("sse");
	if (s->dialect == DIALECT_LONGPOLL)
		return SLICE_LITERAL("longpoll");
	return s->dialect == DIALECT_POLL ? SLICE_LITERAL("poll") : SLICE_LITERAL("http");
}

static struct slice
peer_of(const struct slot *s, char *text, size_t cap)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof peer;
	struct out o = out_to(text, cap);
	struct address address;

	if (getpeername(s->descriptor, (struct sockaddr *)&peer, &len) == -1)
		return SLICE_LITERAL("");
	if (peer.ss_family == AF_INET)
		address =
		    address_of_ipv4((const uint8_t *)&((struct sockaddr_in *)&peer)->sin_addr);
	else if (peer.ss_family == AF_INET6)
		address =
		    address_of_ipv6((const uint8_t *)&((struct sockaddr_in6 *)&peer)->sin6_addr);
	else
		return SLICE_LITERAL("unix");
	address_format(&o, &address);
	return slice_of(o.bytes, o.len);
}

static bool
subscribed_to(struct worker *w, const struct slot *s, struct slice name)
{
	const uint32_t count = conn_channel_count(w, s);

	for (uint32_t i = 0; i < count; i++)
		if (slice_equal(channel_name(channel_at(w, conn_channel(w, s, i))), name))
			return true;
	return false;
}

/* True: it was one of those asked for. */
static bool
put_connection(struct rows *rows, uint32_t slot)
{
	struct worker *w = rows->w;
	const struct slot *s = worker_slot(w, slot);
	const struct order_query *q = rows->query;
	char text[ADDRESS_TEXT_MAX];
	struct order_connection_row row = {.connection = (uint64_t)s->generation << 32 | slot};

	if (s->state == CONN_FREE || s->state == CONN_CLOSED)
		return false;
	if (q->channel.len != 0 && !subscribed_to(w, s, q->channel))
		return false;
	row.peer = peer_of(s, text, sizeof text);
	if (q->peer.len != 0 && !slice_equal(row.peer, q->peer))
		return false;
	row.transport = transport_of(s);
	row.channels = conn_channel_count(w, s);
	if (row.channels != 0)
		row.channel = channel_name(channel_at(w, conn_channel(w, s, 0)));
	row.last_error = (s->flags & CONN_LAGGED) != 0 ? SLICE_LITERAL("slow") : SLICE_LITERAL("");
	row.age_s = (uint32_t)(w->now_ns / 1000000000) - w->births_s[slot];
	row.cursor = s->state == CONN_LIVE ? w->read_id : s->cursor;
	row.bytes = s->handed;
	row.compressed = (s->flags & CONN_DEFLATE) != 0;
	row.lagging = conn_is_stream(s) && s->state == CONN_CATCHUP;
	if (rows->out.len + row.channel.len + 192 > ROWS_BYTES)
		rows_send(rows, false);
	order_connection_row_put(&rows->out, &row);
	return true;
}

static void
report_connections(struct rows *rows)
{
	const uint32_t end = rows->w->slots.head->touched;
	uint32_t found = 0;

	for (uint32_t slot = 1;
	     slot < end && (rows->query->limit == 0 || found < rows->query->limit); slot++)
		if (put_connection(rows, slot))
			found++;
}

void
report(struct worker *w, const struct order_query *query)
{
	struct rows rows = {.w = w, .query = query};

	rows.out = out_to(rows.bytes, sizeof rows.bytes);
	if (query->kind == ORDER_QUERY_CHANNELS)
		report_channels(&rows);
	else
		report_connections(&rows);
	rows_send(&rows, true);
}
