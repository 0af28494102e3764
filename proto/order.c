/*
 * order.c: encoding and decoding of the messages between the master and a worker; order.h draws the packet.
 *
 * A decoder never trusts a length or a count: both sides may be talking to a broken or taken-over peer.
 */
#include "proto/order.h"

#include <assert.h>

/* ---- writing ------------------------------------------------------------------------------- */

static void
put_u8(struct out *o, uint8_t n)
{
	out_bytes(o, (const char *)&n, 1);
}

static void
put_u16(struct out *o, uint16_t n)
{
	const uint8_t bytes[2] = {(uint8_t)n, (uint8_t)(n >> 8)};

	out_bytes(o, (const char *)bytes, sizeof bytes);
}

static void
put_u32(struct out *o, uint32_t n)
{
	put_u16(o, (uint16_t)n);
	put_u16(o, (uint16_t)(n >> 16));
}

static void
put_u64(struct out *o, uint64_t n)
{
	put_u32(o, (uint32_t)n);
	put_u32(o, (uint32_t)(n >> 32));
}

static void
put_slice(struct out *o, struct slice s)
{
	put_u32(o, (uint32_t)s.len);
	out_slice(o, s);
}

static void
put_address(struct out *o, const struct order_address *a)
{
	out_bytes(o, (const char *)a->bytes, sizeof a->bytes);
}

static void
put_head(struct out *o, enum order_type type)
{
	put_u8(o, (uint8_t)type);
	put_u8(o, 0);
	put_u16(o, ORDER_VERSION);
}

/* ---- reading: after the first field that is not there everything reads as zero and `bad` stays set ------------- */

struct reader {
	const uint8_t *at;
	size_t left;
	bool bad;
};

static const uint8_t *
get_bytes(struct reader *r, size_t len)
{
	const uint8_t *at = r->at;

	if (r->bad || len > r->left) {
		r->bad = true;
		return NULL;
	}
	r->at += len;
	r->left -= len;
	return at;
}

static uint64_t
get_number(struct reader *r, size_t bytes)
{
	const uint8_t *at = get_bytes(r, bytes);
	uint64_t n = 0;

	if (at == NULL)
		return 0;
	for (size_t i = bytes; i-- > 0;)
		n = n << 8 | at[i];
	return n;
}

static uint8_t
get_u8(struct reader *r)
{
	return (uint8_t)get_number(r, 1);
}

static uint16_t
get_u16(struct reader *r)
{
	return (uint16_t)get_number(r, 2);
}

static uint32_t
get_u32(struct reader *r)
{
	return (uint32_t)get_number(r, 4);
}

static uint64_t
get_u64(struct reader *r)
{
	return get_number(r, 8);
}

static struct slice
get_slice(struct reader *r)
{
	const uint32_t len = get_u32(r);
	const uint8_t *at = get_bytes(r, len);

	return at == NULL ? (struct slice){NULL, 0} : slice_of((const char *)at, len);
}

static void
get_address(struct reader *r, struct order_address *a)
{
	const uint8_t *at = get_bytes(r, sizeof a->bytes);

	if (at == NULL)
		*a = (struct order_address){0};
	else
		memcpy(a->bytes, at, sizeof a->bytes);
}

/* A count of things of at least `each` bytes, at most `max` of them. */
static size_t
get_count(struct reader *r, size_t max, size_t each)
{
	const uint32_t n = get_u32(r);

	if (n > max || n * each > r->left)
		r->bad = true;
	return r->bad ? 0 : n;
}

/* A small number that must be below `end`. */
static uint8_t
get_below(struct reader *r, uint8_t end)
{
	const uint8_t n = get_u8(r);

	if (n >= end)
		r->bad = true;
	return r->bad ? 0 : n;
}

static struct reader
reader_of(struct slice s)
{
	return (struct reader){(const uint8_t *)s.bytes, s.len, false};
}

static struct reader
reader_open(struct slice packet, enum order_type type)
{
	struct reader r = reader_of(packet);

	if (order_type_of(packet) != (int)type)
		r.bad = true;
	else
		get_u32(&r);
	return r;
}

static int
reader_close(const struct reader *r)
{
	return r->bad || r->left != 0 ? -1 : 0;
}

int
order_type_of(struct slice packet)
{
	struct reader r = reader_of(packet);
	const uint8_t type = get_u8(&r);
	const uint8_t zero = get_u8(&r);
	const uint16_t version = get_u16(&r);

	if (r.bad || zero != 0 || version != ORDER_VERSION || type < ORDER_START ||
	    type > ORDER_DRAINED)
		return -1;
	return type;
}

/* ---- master to worker ---------------------------------------------------------------------- */

void
order_encode_start(struct out *o, const struct order_start *m)
{
	put_head(o, ORDER_START);
	put_u32(o, m->ordinal);
	put_u32(o, m->incarnation);
	put_u32(o, m->max_connections);
	put_u8(o, m->io);
}

int
order_decode_start(struct slice packet, struct order_start *m)
{
	struct reader r = reader_open(packet, ORDER_START);

	m->ordinal = get_u32(&r);
	m->incarnation = get_u32(&r);
	m->max_connections = get_u32(&r);
	m->io = get_below(&r, ORDER_IO_EPOLL + 1);
	return reader_close(&r);
}

/* The plain numbers of the settings, so that both directions walk one table. */
static const size_t settings_u32[] = {
    offsetof(struct order_settings, max_channels_per_connection),
    offsetof(struct order_settings, max_event_bytes),
    offsetof(struct order_settings, max_header_bytes),
    offsetof(struct order_settings, header_timeout_s),
    offsetof(struct order_settings, body_timeout_s),
    offsetof(struct order_settings, idle_timeout_s),
    offsetof(struct order_settings, beat_ws_s),
    offsetof(struct order_settings, beat_sse_s),
    offsetof(struct order_settings, retry_ms),
    offsetof(struct order_settings, max_wait_s),
    offsetof(struct order_settings, zero_copy_bytes),
    offsetof(struct order_settings, compression_min_bytes),
    offsetof(struct order_settings, compression_takeover_bytes),
};
#define SETTINGS_U32 (sizeof settings_u32 / sizeof settings_u32[0])

void
order_encode_settings(struct out *o, const struct order_settings *m)
{
	put_head(o, ORDER_SETTINGS);
	for (size_t i = 0; i < SETTINGS_U32; i++) {
		uint32_t n;

		memcpy(&n, (const char *)m + settings_u32[i], sizeof n);
		put_u32(o, n);
	}
	put_u8(o, m->console);
	put_u8(o, m->trust_unix);
	put_u8(o, m->any_origin);
	put_u8(o, m->log_level);
	put_u8(o, m->compression);
	put_u8(o, m->compression_poll);
	put_u8(o, m->compression_level);
	put_slice(o, m->path_prefix);
	put_u32(o, (uint32_t)m->origin_count);
	for (size_t i = 0; i < m->origin_count; i++)
		put_slice(o, m->origins[i]);
	put_u32(o, (uint32_t)m->proxy_count);
	for (size_t i = 0; i < m->proxy_count; i++) {
		put_address(o, &m->proxies[i].address);
		put_u8(o, m->proxies[i].prefix);
	}
	put_u32(o, (uint32_t)m->rule_count);
	for (size_t i = 0; i < m->rule_count; i++) {
		put_slice(o, m->rules[i].match);
		put_u8(o, (uint8_t)m->rules[i].subscribe);
		put_u8(o, (uint8_t)m->rules[i].publish);
		put_u8(o, (uint8_t)m->rules[i].lag);
	}
}

int
order_decode_settings(struct slice packet, struct order_settings *m)
{
	struct reader r = reader_open(packet, ORDER_SETTINGS);

	*m = (struct order_settings){0};
	for (size_t i = 0; i < SETTINGS_U32; i++) {
		const uint32_t n = get_u32(&r);

		memcpy((char *)m + settings_u32[i], &n, sizeof n);
	}
	m->console = get_below(&r, 2);
	m->trust_unix = get_below(&r, 2);
	m->any_origin = get_below(&r, 2);
	m->log_level = get_below(&r, 8);
	m->compression = get_below(&r, 2);
	m->compression_poll = get_below(&r, 2);
	m->compression_level = get_below(&r, 10);
	m->path_prefix = get_slice(&r);
	m->origin_count = get_count(&r, ORDER_ORIGINS_MAX, 4);
	for (size_t i = 0; i < m->origin_count; i++)
		m->origins[i] = get_slice(&r);
	m->proxy_count = get_count(&r, ORDER_PROXIES_MAX, 17);
	for (size_t i = 0; i < m->proxy_count; i++) {
		get_address(&r, &m->proxies[i].address);
		m->proxies[i].prefix = get_below(&r, 129);
	}
	m->rule_count = get_count(&r, ORDER_RULES_MAX, 7);
	for (size_t i = 0; i < m->rule_count; i++) {
		m->rules[i].match = get_slice(&r);
		m->rules[i].subscribe = get_below(&r, RULE_TOKEN + 1);
		m->rules[i].publish = get_below(&r, RULE_TOKEN + 1);
		m->rules[i].lag = get_below(&r, RULE_LATEST + 1);
	}
	return reader_close(&r);
}

void
order_encode_connections(struct out *o, const struct order_connections *m)
{
	put_head(o, ORDER_CONNECTIONS);
	put_u64(o, m->first_serial);
	put_u32(o, (uint32_t)m->count);
	for (size_t i = 0; i < m->count; i++) {
		put_address(o, &m->of[i].peer);
		put_u32(o, m->of[i].peer_hash);
	}
}

int
order_decode_connections(struct slice packet, struct order_connections *m)
{
	struct reader r = reader_open(packet, ORDER_CONNECTIONS);

	m->first_serial = get_u64(&r);
	m->count = get_count(&r, LIMIT_HANDOFF_BATCH, 20);
	for (size_t i = 0; i < m->count; i++) {
		get_address(&r, &m->of[i].peer);
		m->of[i].peer_hash = get_u32(&r);
	}
	return reader_close(&r);
}

void
order_encode_drain(struct out *o, const struct order_drain *m)
{
	put_head(o, ORDER_DRAIN);
	put_u32(o, m->deadline_ms);
}

int
order_decode_drain(struct slice packet, struct order_drain *m)
{
	struct reader r = reader_open(packet, ORDER_DRAIN);

	m->deadline_ms = get_u32(&r);
	return reader_close(&r);
}

void
order_encode_published(struct out *o, const struct order_published *m)
{
	put_head(o, ORDER_PUBLISHED);
	put_slice(o, m->tag);
	put_u64(o, m->id);
	put_u8(o, m->duplicate);
	put_u16(o, m->error);
	put_slice(o, m->message);
}

int
order_decode_published(struct slice packet, struct order_published *m)
{
	struct reader r = reader_open(packet, ORDER_PUBLISHED);

	m->tag = get_slice(&r);
	m->id = get_u64(&r);
	m->duplicate = get_below(&r, 2);
	m->error = get_u16(&r);
	if (m->error >= ERROR_CODES)
		r.bad = true;
	m->message = get_slice(&r);
	return reader_close(&r);
}

void
order_encode_end_connection(struct out *o, const struct order_end_connection *m)
{
	put_head(o, ORDER_END_CONNECTION);
	put_u64(o, m->connection);
}

int
order_decode_end_connection(struct slice packet, struct order_end_connection *m)
{
	struct reader r = reader_open(packet, ORDER_END_CONNECTION);

	m->connection = get_u64(&r);
	return reader_close(&r);
}

void
order_encode_end_channel(struct out *o, const struct order_end_channel *m)
{
	put_head(o, ORDER_END_CHANNEL);
	put_slice(o, m->channel);
}

int
order_decode_end_channel(struct slice packet, struct order_end_channel *m)
{
	struct reader r = reader_open(packet, ORDER_END_CHANNEL);

	m->channel = get_slice(&r);
	return reader_close(&r);
}

void
order_encode_query(struct out *o, const struct order_query *m)
{
	put_head(o, ORDER_QUERY);
	put_u32(o, m->query);
	put_u8(o, m->kind);
	put_u32(o, m->limit);
	put_slice(o, m->prefix);
	put_slice(o, m->after);
	put_slice(o, m->channel);
	put_slice(o, m->peer);
}

int
order_decode_query(struct slice packet, struct order_query *m)
{
	struct reader r = reader_open(packet, ORDER_QUERY);

	m->query = get_u32(&r);
	m->kind = get_below(&r, ORDER_QUERY_CONNECTIONS + 1);
	m->limit = get_u32(&r);
	m->prefix = get_slice(&r);
	m->after = get_slice(&r);
	m->channel = get_slice(&r);
	m->peer = get_slice(&r);
	return reader_close(&r);
}

/* ---- worker to master ---------------------------------------------------------------------- */

void
order_encode_plain(struct out *o, enum order_type type)
{
	assert(type == ORDER_READY || type == ORDER_DRAINED);
	put_head(o, type);
}

void
order_encode_taken(struct out *o, const struct order_taken *m)
{
	put_head(o, ORDER_TAKEN);
	put_u64(o, m->serial);
}

int
order_decode_taken(struct slice packet, struct order_taken *m)
{
	struct reader r = reader_open(packet, ORDER_TAKEN);

	m->serial = get_u64(&r);
	return reader_close(&r);
}

void
order_encode_closed(struct out *o, const struct order_closed *m)
{
	put_head(o, ORDER_CLOSED);
	put_u32(o, (uint32_t)m->count);
	for (size_t i = 0; i < m->count; i++)
		put_u32(o, m->peer_hashes[i]);
}

int
order_decode_closed(struct slice packet, struct order_closed *m)
{
	struct reader r = reader_open(packet, ORDER_CLOSED);

	m->count = get_count(&r, ORDER_CLOSED_MAX, 4);
	for (size_t i = 0; i < m->count; i++)
		m->peer_hashes[i] = get_u32(&r);
	return reader_close(&r);
}

void
order_encode_piece(struct out *o, const struct order_piece *m)
{
	put_head(o, ORDER_PUBLISH);
	put_u32(o, m->total);
	put_u32(o, m->offset);
	put_slice(o, m->bytes);
}

int
order_decode_piece(struct slice packet, struct order_piece *m)
{
	struct reader r = reader_open(packet, ORDER_PUBLISH);

	m->total = get_u32(&r);
	m->offset = get_u32(&r);
	m->bytes = get_slice(&r);
	if (m->offset > m->total || m->bytes.len > m->total - m->offset)
		r.bad = true;
	return reader_close(&r);
}

void
order_encode_rows(struct out *o, const struct order_rows *m)
{
	put_head(o, ORDER_ROWS);
	put_u32(o, m->query);
	put_u8(o, m->last);
	put_u8(o, m->kind);
	put_slice(o, m->rows);
}

int
order_decode_rows(struct slice packet, struct order_rows *m)
{
	struct reader r = reader_open(packet, ORDER_ROWS);

	m->query = get_u32(&r);
	m->last = get_below(&r, 2);
	m->kind = get_below(&r, ORDER_QUERY_CONNECTIONS + 1);
	m->rows = get_slice(&r);
	return reader_close(&r);
}

/* ---- inside ---------------------------------------------------------------------------------- */

void
order_encode_publish(struct out *o, const struct order_publish *m)
{
	const struct event *e = &m->event;

	put_slice(o, m->tag);
	put_u32(o, (uint32_t)e->channel_count);
	for (size_t i = 0; i < e->channel_count; i++)
		put_slice(o, e->channels[i]);
	put_slice(o, e->type);
	put_u8(o, (uint8_t)e->kind);
	put_slice(o, e->key);
	put_slice(o, e->data);
}

int
order_decode_publish(struct slice whole, struct order_publish *m)
{
	struct reader r = reader_of(whole);
	struct event *e = &m->event;

	*m = (struct order_publish){0};
	m->tag = get_slice(&r);
	e->channel_count = (uint32_t)get_count(&r, LIMIT_EVENT_CHANNELS, 4);
	for (size_t i = 0; i < e->channel_count; i++)
		e->channels[i] = get_slice(&r);
	e->type = get_slice(&r);
	e->kind = get_below(&r, EVENT_BINARY + 1);
	e->key = get_slice(&r);
	e->data = get_slice(&r);
	if (m->tag.len > ORDER_TAG_BYTES || e->channel_count == 0)
		r.bad = true;
	return reader_close(&r);
}

void
order_channel_row_put(struct out *o, const struct order_channel_row *row)
{
	put_slice(o, row->name);
	put_u32(o, row->poll);
	put_u32(o, row->longpoll);
	put_u32(o, row->sse);
	put_u32(o, row->ws);
}

/* Moves the rest past what was read. */
static int
row_end(const struct reader *r, struct slice *rest)
{
	*rest = slice_of((const char *)r->at, r->left);
	return r->bad ? -1 : 1;
}

int
order_channel_row_next(struct slice *rest, struct order_channel_row *row)
{
	struct reader r = reader_of(*rest);

	if (rest->len == 0)
		return 0;
	row->name = get_slice(&r);
	row->poll = get_u32(&r);
	row->longpoll = get_u32(&r);
	row->sse = get_u32(&r);
	row->ws = get_u32(&r);
	return row_end(&r, rest);
}

void
order_connection_row_put(struct out *o, const struct order_connection_row *row)
{
	put_u64(o, row->connection);
	put_slice(o, row->transport);
	put_slice(o, row->peer);
	put_slice(o, row->channel);
	put_slice(o, row->last_error);
	put_u32(o, row->channels);
	put_u32(o, row->age_s);
	put_u64(o, row->cursor);
	put_u64(o, row->bytes);
	put_u8(o, row->lagging);
	put_u8(o, row->compressed);
}

int
order_connection_row_next(struct slice *rest, struct order_connection_row *row)
{
	struct reader r = reader_of(*rest);

	if (rest->len == 0)
		return 0;
	row->connection = get_u64(&r);
	row->transport = get_slice(&r);
	row->peer = get_slice(&r);
	row->channel = get_slice(&r);
	row->last_error = get_slice(&r);
	row->channels = get_u32(&r);
	row->age_s = get_u32(&r);
	row->cursor = get_u64(&r);
	row->bytes = get_u64(&r);
	row->lagging = get_below(&r, 2);
	row->compressed = get_below(&r, 2);
	return row_end(&r, rest);
}
