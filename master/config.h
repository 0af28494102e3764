/*
 * config.h: the configuration file: parsed, checked, and turned into what workers are told.
 *
 * One JSON object (README.md lists the keys; config.c has them as a table). All mistakes are
 * collected, each with its JSON path, and nothing of a file with mistakes is used. A struct config
 * never changes once it is made: a reload makes a new one and swaps the pointer. Strings and slices
 * point into memory that the config owns.
 */
#ifndef MASTER_CONFIG_H
#define MASTER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <netinet/in.h>

#include "proto/order.h"
#include "proto/rule.h"
#include "proto/slice.h"
#include "shm/limits.h"

#define CONFIG_LISTEN_MAX 32
#define CONFIG_UIDS_MAX 64
#define CONFIG_MISTAKES_MAX 100
#define CONFIG_FILE_BYTES LIMIT_MIB(1)

struct config_address {
	const char *text; /* as written */
	bool optional;    /* the IPv6 half of ":8080": a host without IPv6 does not matter */
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	} of;
	socklen_t len;
};

struct config {
	const char *path; /* NULL: defaults only */

	size_t listen_count; /* ":8080" alone stands for two: IPv6 and IPv4 */
	struct config_address listen[CONFIG_LISTEN_MAX];
	size_t admin_listen_count;
	struct config_address admin_listen[CONFIG_LISTEN_MAX];

	const char *socket; /* the publish socket as given; NULL: publish_path_choose decides */
	mode_t publish_mode;
	const char *publish_group; /* NULL: none given */
	gid_t publish_gid;         /* of publish_group; (gid_t)-1: leave as created */
	size_t publish_uid_count;  /* 0: the mode decides */
	uid_t publish_uids[CONFIG_UIDS_MAX];

	uint32_t workers; /* 0: auto, one a core */
	uint64_t ring_bytes;
	uint64_t max_event_bytes;
	uint64_t max_publish_bytes;
	uint64_t max_connections;             /* 0: what descriptors allow */
	uint64_t max_connections_per_address; /* 0: no limit */
	uint64_t max_channels_per_connection;
	uint64_t header_timeout_s, body_timeout_s, idle_timeout_s;
	uint64_t max_header_bytes;
	uint64_t beat_ws_s, beat_sse_s;
	uint64_t retry_ms;
	uint64_t max_wait_s;
	uint64_t zero_copy_bytes;
	bool compression;      /* of WebSocket messages */
	bool compression_poll; /* of polls' answers */
	uint64_t compression_min_bytes;
	uint64_t compression_level;          /* zlib's, 1-9 */
	uint64_t compression_takeover_bytes; /* of each worker; 0: none */

	size_t rule_count;
	struct rule rules[ORDER_RULES_MAX];
	bool any_origin;
	size_t origin_count;
	struct slice origins[ORDER_ORIGINS_MAX];
	bool trust_unix;
	size_t proxy_count;
	struct order_network proxies[ORDER_PROXIES_MAX];
	struct slice path_prefix;
	bool console;
	enum order_io io;
	int log_level; /* 3-7 */

	struct config_memory *memory; /* what the pointers above point into */
};

/* What the command line says; it wins over the file. Zero: not given. */
struct config_overrides {
	size_t listen_count;
	const char *listen[CONFIG_LISTEN_MAX];
	const char *socket;
	const char *workers;
	bool console;
};

/*
 * Collected mistakes, one line each: "channels[2].lag: ..."; a syntax error is one mistake: "line
 * 3, column 5: ...".
 */
struct config_mistakes {
	size_t count;                     /* may exceed what is kept */
	char *lines[CONFIG_MISTAKES_MAX]; /* config_mistake reads them */
};

/* One that is kept; there may have been no memory for its words, but it is a mistake all the same. */
static inline const char *
config_mistake(const struct config_mistakes *mistakes, size_t i)
{
	return mistakes->lines[i] == NULL ? "out of memory" : mistakes->lines[i];
}

/*
 * Reads a file (NULL: the defaults) and applies the overrides (NULL: none). NULL when there are
 * mistakes: *mistakes, which must be zero-initialised, then has them, to be freed with
 * config_mistakes_clear.
 */
struct config *config_load(
    const char *path, const struct config_overrides *overrides, struct config_mistakes *mistakes);

/* The same from text; path is only a name here. */
struct config *config_parse(struct slice text, const char *path,
    const struct config_overrides *overrides, struct config_mistakes *mistakes);
void config_free(struct config *config);
void config_mistakes_clear(struct config_mistakes *mistakes);

/* The part that workers are told; slices point into the config. */
void config_settings(const struct config *config, struct order_settings *settings);

/*
 * What SIGHUP does: reads running's file again. Keys that take effect only at the next start
 * (config.c's table says which) are checked, but keep the value they run with; the names of those
 * that differ go into held, comma separated. NULL with mistakes as config_load.
 */
struct config *config_reload(const struct config *running, const struct config_overrides *overrides,
    struct config_mistakes *mistakes, char *held, size_t held_size);

#endif
