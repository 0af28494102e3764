/*
 * order.h: the messages between the master and a worker.
 *
 * They travel over one SOCK_SEQPACKET pair, one message a packet; descriptors ride beside ORDER_START and
 * ORDER_CONNECTIONS (SCM_RIGHTS). Numbers are little-endian, byte strings carry a u32 length. A packet is
 *
 *      0        1        2                4
 *      | type u8| zero   | version u16    | fields in the order in which the struct below lists them
 *
 * Encoders append to an out; decoders return slices into the packet. A decoder answers 0, or -1 for a packet that no
 * encoder of this version makes (cut, too long, a count or enum out of range): its reader then distrusts the sender.
 *
 * What both sides hold to:
 * - The master keeps every descriptor until ORDER_TAKEN has named its serial; the worker sends ORDER_TAKEN before it
 *   first reads from it. Serials count up by one per worker, in the order of handing over.
 * - A publish larger than a packet comes as several ORDER_PUBLISH, back to back, first..last; a worker has one such
 *   transfer under way at a time. Every transfer gets exactly one ORDER_PUBLISHED, in order, which echoes its tag.
 * - Every ORDER_QUERY is answered by ORDER_ROWS messages; the last one says so.
 */
#ifndef PROTO_ORDER_H
#define PROTO_ORDER_H

#include "proto/event.h"
#include "proto/rule.h"
#include "proto/slice.h"
#include "shm/limits.h"

#define ORDER_VERSION 1
#define ORDER_PACKET_BYTES 32768 /* six fit into the kernel's default buffer of a socket */
#define ORDER_TAG_BYTES 96
#define ORDER_RULES_MAX 128
#define ORDER_ORIGINS_MAX 128
#define ORDER_PROXIES_MAX 64
#define ORDER_CLOSED_MAX 512

enum order_type {
	/* master -> worker */
	ORDER_START = 1,   /* with descriptors: ring (read-only), board, slots, doorbell */
	ORDER_SETTINGS,    /* at start and on reload */
	ORDER_CONNECTIONS, /* with one descriptor each */
	ORDER_DRAIN,
	ORDER_PUBLISHED,
	ORDER_END_CONNECTION,
	ORDER_END_CHANNEL,
	ORDER_QUERY,
	/* worker -> master */
	ORDER_READY,
	ORDER_TAKEN,
	ORDER_CLOSED,
	ORDER_PUBLISH,
	ORDER_ROWS,
	ORDER_DRAINED,
};

enum order_descriptor {
	ORDER_FD_RING,
	ORDER_FD_BOARD,
	ORDER_FD_SLOTS,
	ORDER_FD_DOORBELL,
	ORDER_FD_COUNT
};

/* What a worker is to put behind its system calls; auto: io_uring, and epoll where that cannot be. */
enum order_io { ORDER_IO_AUTO, ORDER_IO_URING, ORDER_IO_EPOLL };

struct order_start {
	uint32_t ordinal;         /* which worker this is: index of its board; from 0 */
	uint32_t incarnation;     /* how often this ordinal was started before */
	uint32_t max_connections; /* of this worker; also what its slot table has room for */
	uint8_t io;               /* enum order_io */
};

/* An address as sixteen bytes; IPv4 is mapped (::ffff:a.b.c.d). All zero: a Unix socket. */
struct order_address {
	uint8_t bytes[16];
};

struct order_network {
	struct order_address address;
	uint8_t prefix; /* bits, 0-128 */
};

struct order_settings {
	uint32_t max_channels_per_connection;
	uint32_t max_event_bytes;
	uint32_t max_header_bytes;
	uint32_t header_timeout_s;
	uint32_t body_timeout_s;
	uint32_t idle_timeout_s;
	uint32_t beat_ws_s;
	uint32_t beat_sse_s;
	uint32_t retry_ms;
	uint32_t max_wait_s;
	uint32_t zero_copy_bytes;
	uint32_t compression_min_bytes;
	uint32_t compression_takeover_bytes;
	uint8_t console;           /* 0, 1 */
	uint8_t trust_unix;        /* 0, 1: proxies that come by a Unix socket count */
	uint8_t any_origin;        /* 0, 1: origins is ["*"] */
	uint8_t log_level;         /* syslog priority, 0-7 */
	uint8_t compression;       /* 0, 1: of WebSocket messages */
	uint8_t compression_poll;  /* 0, 1: of polls' answers */
	uint8_t compression_level; /* zlib's, 1-9 */
	struct slice path_prefix;
	size_t origin_count;
	struct slice origins[ORDER_ORIGINS_MAX];
	size_t proxy_count;
	struct order_network proxies[ORDER_PROXIES_MAX];
	size_t rule_count;
	struct rule rules[ORDER_RULES_MAX];
};

struct order_connection {
	struct order_address peer;
	/* the master's name for the address, echoed by ORDER_CLOSED: a slot has no room for 16 bytes */
	uint32_t peer_hash;
};

struct order_connections {
	uint64_t first_serial; /* of the first descriptor; the others follow */
	size_t count;          /* equals the number of descriptors */
	struct order_connection of[LIMIT_HANDOFF_BATCH];
};

struct order_drain {
	uint32_t deadline_ms; /* from now; 0: at once */
};

struct order_published {
	struct slice tag; /* of the ORDER_PUBLISH */
	uint64_t id;      /* 0 when error is set */
	uint8_t duplicate;
	uint16_t error; /* enum error_code; 0 (ERROR_NONE): published */
	struct slice message;
};

struct order_end_connection {
	uint64_t connection; /* generation << 32 | slot */
};

struct order_end_channel {
	struct slice channel;
};

enum order_query_kind { ORDER_QUERY_CHANNELS, ORDER_QUERY_CONNECTIONS };

struct order_query {
	uint32_t query;
	uint8_t kind;
	uint32_t limit;
	struct slice prefix;  /* channels: names that begin with it */
	struct slice after;   /* channels: names that sort after it */
	struct slice channel; /* channels, connections: exactly this one when not empty */
	struct slice peer;    /* connections: address text when not empty */
};

struct order_taken {
	uint64_t serial; /* every serial up to this one has an owner now */
};

struct order_closed {
	size_t count;
	uint32_t peer_hashes[ORDER_CLOSED_MAX]; /* one for each connection that ended */
};

/* A piece of an encoded order_publish. */
struct order_piece {
	uint32_t total;  /* bytes of the whole */
	uint32_t offset; /* of this piece */
	struct slice bytes;
};

/* What a client publishes; bounded by max_event_bytes and names. */
struct order_publish {
	struct slice tag;
	struct event event; /* id ignored */
};

struct order_channel_row {
	struct slice name;
	uint32_t poll, longpoll, sse, ws; /* subscribers */
};

struct order_connection_row {
	uint64_t connection;
	struct slice transport;
	struct slice peer;
	struct slice channel; /* the first one */
	struct slice last_error;
	uint32_t channels;
	uint32_t age_s;
	uint64_t cursor;    /* an id */
	uint64_t bytes;     /* handed to the kernel */
	uint8_t lagging;    /* 0, 1 */
	uint8_t compressed; /* 0, 1: of a WebSocket, that compression was agreed on */
};

struct order_rows {
	uint32_t query;
	uint8_t last;
	uint8_t kind; /* enum order_query_kind: what the rows are */
	/* rows behind each other; walk with order_channel_row_next or order_connection_row_next */
	struct slice rows;
};

/* The type of a packet, or -1 when it is none of ours (too short, unknown, another version). */
int order_type_of(struct slice packet);

void order_encode_start(struct out *o, const struct order_start *m);
int order_decode_start(struct slice packet, struct order_start *m);
void order_encode_settings(struct out *o, const struct order_settings *m);
int order_decode_settings(struct slice packet, struct order_settings *m);
void order_encode_connections(struct out *o, const struct order_connections *m);
int order_decode_connections(struct slice packet, struct order_connections *m);
void order_encode_drain(struct out *o, const struct order_drain *m);
int order_decode_drain(struct slice packet, struct order_drain *m);
void order_encode_published(struct out *o, const struct order_published *m);
int order_decode_published(struct slice packet, struct order_published *m);
void order_encode_end_connection(struct out *o, const struct order_end_connection *m);
int order_decode_end_connection(struct slice packet, struct order_end_connection *m);
void order_encode_end_channel(struct out *o, const struct order_end_channel *m);
int order_decode_end_channel(struct slice packet, struct order_end_channel *m);
void order_encode_query(struct out *o, const struct order_query *m);
int order_decode_query(struct slice packet, struct order_query *m);
void order_encode_taken(struct out *o, const struct order_taken *m);
int order_decode_taken(struct slice packet, struct order_taken *m);
void order_encode_closed(struct out *o, const struct order_closed *m);
int order_decode_closed(struct slice packet, struct order_closed *m);
void order_encode_piece(struct out *o, const struct order_piece *m);
int order_decode_piece(struct slice packet, struct order_piece *m);
void order_encode_rows(struct out *o, const struct order_rows *m);
int order_decode_rows(struct slice packet, struct order_rows *m);

/* ORDER_READY and ORDER_DRAINED have no fields. */
void order_encode_plain(struct out *o, enum order_type type);

/* What the pieces of ORDER_PUBLISH add up to (no packet head). */
void order_encode_publish(struct out *o, const struct order_publish *m);
int order_decode_publish(struct slice whole, struct order_publish *m);

/* Rows inside order_rows.rows. next: 1 a row, 0 the end, -1 malformed; the rest moves past the row. */
void order_channel_row_put(struct out *o, const struct order_channel_row *row);
int order_channel_row_next(struct slice *rest, struct order_channel_row *row);
void order_connection_row_put(struct out *o, const struct order_connection_row *row);
int order_connection_row_next(struct slice *rest, struct order_connection_row *row);

#endif
