/*
 * config.c: the configuration's keys as one table, and what becomes of a file. See config.h.
 *
 * Defaults are JSON too and go through the same readers as what the operator writes, so there is
 * one road for both. All strings stay where jansson put them: a config keeps the documents it was
 * read from.
 */
#include "master/config_check.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/log.h"

/*
 * Below some 256 bytes a message saves less than its packet's own headers. Level 1 makes 44 % of 1 KiB of JSON where level 9
 * makes 43 %, and of 64 KiB 29 % where 9 makes 23 %, in a tenth of the time.
 */
#define CONFIG_COMPRESSION_MIN_BYTES 256
#define CONFIG_COMPRESSION_LEVEL 1

struct config_memory {
	char *path;
	json_t *given;    /* an object: what the command line and the file say, by key */
	json_t *defaults; /* an object: the values of the other keys */
};

enum config_kind {
	CONFIG_INTEGER, /* uint64_t; an absent one without a default is 0 */
	CONFIG_SIZE,    /* uint64_t */
	CONFIG_BOOL,    /* bool */
	CONFIG_WORD,    /* int, one of words */
	CONFIG_READ,    /* by a function of its own */
};

struct config_key {
	const char *name;
	const char *initial; /* JSON; NULL: none, and null may be written for it */
	enum config_kind kind;
	bool reloadable; /* takes effect with SIGHUP, not only at the next start */
	size_t offset;
	uint64_t min, max;
	const struct config_word *words;
	void (*read)(struct config_reader *r, const json_t *value);
};

/* ---- keys with a reader of their own --------------------------------------------------------- */

static void
config_read_address(
    struct config_reader *r, const json_t *value, struct config_address *list, size_t *count)
{
	const char *text = config_check_string(r, value, "an address like \"127.0.0.1:8080\"");
	size_t first = *count;

	if (text == NULL)
		return;
	if (first + 2 > CONFIG_LISTEN_MAX) {
		config_check_mistake(r, "too many addresses (%d fit)", CONFIG_LISTEN_MAX);
		return;
	}
	if (!config_address_parse(r, text, &list[first]))
		return;
	if (list[first].optional)
		config_address_any_v4(&list[first], &list[first + 1]);
	*count += list[first].optional ? 2 : 1;
	for (size_t i = 0; i < first; i++) {
		for (size_t j = first; j < *count; j++) {
			if (config_address_equal(&list[i], &list[j])) {
				config_check_mistake(
				    r, "\"%s\" is listed before, as \"%s\"", text, list[i].text);
				return;
			}
		}
	}
}

/* One address, or an array of them. */
static void
config_read_addresses(
    struct config_reader *r, const json_t *value, struct config_address *list, size_t *count)
{
	if (!json_is_array(value)) {
		config_read_address(r, value, list, count);
		return;
	}
	if (json_array_size(value) == 0)
		config_check_mistake(r, "must name at least one address");
	for (size_t i = 0; i < json_array_size(value); i++) {
		size_t before = config_check_enter_index(r, i);

		config_read_address(r, json_array_get(value, i), list, count);
		config_check_leave(r, before);
	}
}

static void
config_read_listen(struct config_reader *r, const json_t *value)
{
	config_read_addresses(r, value, r->config->listen, &r->config->listen_count);
}

static void
config_read_admin_listen(struct config_reader *r, const json_t *value)
{
	config_read_addresses(r, value, r->config->admin_listen, &r->config->admin_listen_count);
}

static void
config_read_socket(struct config_reader *r, const json_t *value)
{
	const char *text = config_check_string(r, value, "the path of the publish socket");
	size_t room = sizeof((struct sockaddr_un *)NULL)->sun_path;

	if (text == NULL)
		return;
	if (text[0] == '\0')
		config_check_mistake(r, "must not be empty");
	else if (strlen(text) >= room)
		config_check_mistake(r,
		    "the path is %zu bytes long; a Unix socket's has at most %zu", strlen(text),
		    room - 1);
	r->config->socket = text;
}

static void
config_read_publish_mode(struct config_reader *r, const json_t *value)
{
	const char *text = config_check_string(r, value, "a mode in octal like \"0660\"");
	size_t len;

	if (text == NULL)
		return;
	len = strspn(text, "01234567");
	if (text[len] != '\0' || len < 3 || len > 4 || (len == 4 && text[0] != '0'))
		config_check_mistake(r, "must be a mode in octal like \"0660\", not \"%s\"", text);
	else
		r->config->publish_mode = (mode_t)strtoul(text, NULL, 8);
}

static void
config_read_publish_group(struct config_reader *r, const json_t *value)
{
	const char *text = config_check_string(r, value, "the name of a group");
	struct group group, *found = NULL;
	char names[4096];

	if (text == NULL)
		return;
	/*
	 * A group whose member list does not fit is there too, but its number is then unknown: same
	 * message.
	 */
	if (getgrnam_r(text, &group, names, sizeof names, &found) != 0 || found == NULL) {
		config_check_mistake(r, "there is no group \"%s\" on this machine", text);
		return;
	}
	r->config->publish_group = text;
	r->config->publish_gid = found->gr_gid;
}

static void
config_read_publish_uids(struct config_reader *r, const json_t *value)
{
	struct config *config = r->config;

	if (!config_check_array(r, value, CONFIG_UIDS_MAX, "an array of user ids"))
		return;
	for (size_t i = 0; i < json_array_size(value); i++) {
		size_t before = config_check_enter_index(r, i);
		uint64_t uid;

		if (config_check_integer(r, json_array_get(value, i), 0, UINT32_MAX - 1, &uid))
			config->publish_uids[config->publish_uid_count++] = (uid_t)uid;
		config_check_leave(r, before);
	}
}

static void
config_read_workers(struct config_reader *r, const json_t *value)
{
	uint64_t count;

	if (json_is_string(value) && strcmp(json_string_value(value), "auto") == 0)
		r->config->workers = 0;
	else if (json_is_string(value))
		config_check_mistake(r, "must be \"auto\" or 1 to %d, not \"%s\"", LIMIT_WORKERS,
		    json_string_value(value));
	else if (config_check_integer(r, value, 1, LIMIT_WORKERS, &count))
		r->config->workers = (uint32_t)count;
}

static void
config_read_ring_bytes(struct config_reader *r, const json_t *value)
{
	uint64_t bytes, next = LIMIT_RING_BYTES_MIN;
	char text[32];

	if (!config_check_size(r, value, LIMIT_RING_BYTES_MIN, LIMIT_RING_BYTES_MAX, &bytes))
		return;
	while (next < bytes)
		next *= 2;
	if (next != bytes) {
		config_check_size_text(next, text, sizeof text);
		config_check_mistake(r, "must be a power of two; the next one is \"%s\"", text);
	}
	r->config->ring_bytes = next;
}

static void
config_read_beat(struct config_reader *r, const json_t *value)
{
	static const char *const names[] = {"ws", "sse"};
	static const uint64_t initial[] = {30, 25};
	uint64_t *beats[] = {&r->config->beat_ws_s, &r->config->beat_sse_s};

	if (!config_check_object(r, value, names, 2))
		return;
	for (size_t i = 0; i < 2; i++) {
		const json_t *beat = json_object_get(value, names[i]);
		size_t before = config_check_enter(r, names[i]);

		*beats[i] = initial[i];
		if (beat != NULL)
			config_check_integer(r, beat, 1, 3600, beats[i]);
		config_check_leave(r, before);
	}
}

/* false, or an object; what it does not name has its default. */
static void
config_read_compression(struct config_reader *r, const json_t *value)
{
	static const char *const names[] = {"min_bytes", "level", "takeover_bytes", "poll"};
	struct config *config = r->config;
	const json_t *of[4];

	config->compression = !json_is_false(value);
	config->compression_min_bytes = CONFIG_COMPRESSION_MIN_BYTES;
	config->compression_level = CONFIG_COMPRESSION_LEVEL;
	if (json_is_boolean(value))
		return;
	if (!json_is_object(value)) {
		config_check_mistake(
		    r, "must be false or an object, not %s", config_check_kind(value));
		return;
	}
	if (!config_check_object(r, value, names, 4))
		return;
	for (size_t i = 0; i < 4; i++) {
		size_t before = config_check_enter(r, names[i]);

		of[i] = json_object_get(value, names[i]);
		if (of[i] != NULL && i == 0)
			config_check_size(
			    r, of[i], 0, LIMIT_EVENT_BYTES_MAX, &config->compression_min_bytes);
		else if (of[i] != NULL && i == 1)
			config_check_integer(r, of[i], 1, 9, &config->compression_level);
		else if (of[i] != NULL && i == 2)
			config_check_size(r, of[i], 0, LIMIT_COMPRESSION_TAKEOVER_BYTES_MAX,
			    &config->compression_takeover_bytes);
		else if (of[i] != NULL)
			config_check_bool(r, of[i], &config->compression_poll);
		config_check_leave(r, before);
	}
}

static void
config_read_path_prefix(struct config_reader *r, const json_t *value)
{
	const char *text = config_check_string(r, value, "a path like \"/push\"");
	size_t len;

	if (text == NULL)
		return;
	len = strlen(text);
	r->config->path_prefix = slice_of(text, len);
	if (len == 0)
		return;
	if (text[0] != '/' || text[len - 1] == '/' || strstr(text, "//") != NULL)
		config_check_mistake(r,
		    "must begin with \"/\", not end with it, and have no empty part, not \"%s\"",
		    text);
	else if (len > 255)
		config_check_mistake(r, "must be at most 255 bytes, not %zu", len);
	else if (text[strspn(text,
		     "/-._~!$&'()*+,;=:@"
		     "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")] != '\0')
		config_check_mistake(r, "\"%s\" has characters that a path must escape", text);
}

static void
config_read_io(struct config_reader *r, const json_t *value)
{
	static const struct config_word words[] = {{"auto", ORDER_IO_AUTO},
	    {"io_uring", ORDER_IO_URING}, {"epoll", ORDER_IO_EPOLL}, {NULL, 0}};
	int io = ORDER_IO_AUTO;

	if (config_check_word(r, value, words, &io))
		r->config->io = (enum order_io)io;
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct config_word config_log_words[] = {{"error", LOG_LEVEL_ERROR},
    {"warning", LOG_LEVEL_WARNING}, {"info", LOG_LEVEL_INFO}, {"debug", LOG_LEVEL_DEBUG},
    {NULL, 0}};

#define AT(member) offsetof(struct config, member)
#define READ(function) .kind = CONFIG_READ, .read = (function)
#define INTEGER(member, from, to) \
	.kind = CONFIG_INTEGER, .offset = AT(member), .min = (from), .max = (to)
#define SIZE(member, from, to) .kind = CONFIG_SIZE, .offset = AT(member), .min = (from), .max = (to)

#define HELD .reloadable = false  /* takes effect at the next start */
#define LOADED .reloadable = true /* takes effect with SIGHUP */

static const struct config_key config_keys[] = {
    {"listen", "[\"127.0.0.1:8080\"]", HELD, READ(config_read_listen)},
    {"socket", NULL, HELD, READ(config_read_socket)},
    {"publish_mode", "\"0660\"", HELD, READ(config_read_publish_mode)},
    {"publish_group", NULL, HELD, READ(config_read_publish_group)},
    {"publish_uids", "[]", LOADED, READ(config_read_publish_uids)},
    {"workers", "\"auto\"", HELD, READ(config_read_workers)},
    {"ring_bytes", "\"64MiB\"", HELD, READ(config_read_ring_bytes)},
    {"max_event_bytes", "\"256KiB\"", LOADED, SIZE(max_event_bytes, 64, LIMIT_EVENT_BYTES_MAX)},
    {"max_publish_bytes", "\"8MiB\"", LOADED, SIZE(max_publish_bytes, 64, LIMIT_PUBLISH_BYTES_MAX)},
    {"max_connections", NULL, LOADED, INTEGER(max_connections, 1, UINT32_MAX)},
    {"max_connections_per_address", NULL, LOADED,
	INTEGER(max_connections_per_address, 1, UINT32_MAX)},
    {"max_channels_per_connection", "128", LOADED,
	INTEGER(max_channels_per_connection, 1, LIMIT_CHANNELS_PER_CONNECTION_MAX)},
    {"header_timeout_s", "10", LOADED, INTEGER(header_timeout_s, 1, 3600)},
    {"body_timeout_s", "30", LOADED, INTEGER(body_timeout_s, 1, 3600)},
    {"idle_timeout_s", "75", LOADED, INTEGER(idle_timeout_s, 1, 86400)},
    {"max_header_bytes", "\"16KiB\"", LOADED, SIZE(max_header_bytes, LIMIT_KIB(1), LIMIT_MIB(1))},
    {"beat_s", "{}", LOADED, READ(config_read_beat)},
    {"retry_ms", "2000", LOADED, INTEGER(retry_ms, 10, 3600000)},
    {"max_wait_s", "45", LOADED, INTEGER(max_wait_s, 1, 3600)},
    {"zero_copy_bytes", "\"32KiB\"", LOADED, SIZE(zero_copy_bytes, LIMIT_KIB(1), LIMIT_MIB(1024))},
    {"compression", "{}", LOADED, READ(config_read_compression)},
    {"channels", "[{}]", LOADED, READ(config_rules_channels)},
    {"origins", "[]", LOADED, READ(config_rules_origins)},
    {"trusted_proxies", "[]", LOADED, READ(config_rules_proxies)},
    {"path_prefix", "\"\"", LOADED, READ(config_read_path_prefix)},
    {"admin_listen", NULL, HELD, READ(config_read_admin_listen)},
    {"console", "false", LOADED, .kind = CONFIG_BOOL, .offset = AT(console)},
    {"io", "\"auto\"", HELD, READ(config_read_io)},
    {"log", "\"info\"", LOADED, .kind = CONFIG_WORD, .offset = AT(log_level),
	.words = config_log_words},
};
#define CONFIG_KEYS (sizeof config_keys / sizeof config_keys[0])

static void
config_read_key(struct config_reader *r, const struct config_key *key, const json_t *value)
{
	void *at = (char *)r->config + key->offset;

	if (json_is_null(value) && key->initial == NULL)
		return;
	switch (key->kind) {
	case CONFIG_INTEGER:
		config_check_integer(r, value, key->min, key->max, at);
		break;
	case CONFIG_SIZE:
		config_check_size(r, value, key->min, key->max, at);
		break;
	case CONFIG_BOOL:
		config_check_bool(r, value, at);
		break;
	case CONFIG_WORD:
		config_check_word(r, value, key->words, at);
		break;
	case CONFIG_READ:
		key->read(r, value);
		break;
	}
}

/*
 * The value of a key: as given, else its default, which then lives as long as the config. NULL:
 * neither, or no memory.
 */
static const json_t *
config_value(struct config_memory *memory, const struct config_key *key)
{
	json_t *value = json_object_get(memory->given, key->name);

	if (value == NULL && key->initial != NULL) {
		value = json_loads(key->initial, JSON_DECODE_ANY, NULL);
		if (json_object_set_new(memory->defaults, key->name, value) == -1)
			value = NULL;
	}
	return value;
}

/* ---- what must hold between keys ------------------------------------------------------------- */

/* A size that was not given shrinks with a small ring; one that was given must fit it. */
static void
config_check_share(struct config_reader *r, const char *name, uint64_t *bytes)
{
	uint64_t most = r->config->ring_bytes / LIMIT_RING_EVENT_SHARE;
	char given[32], limit[32];
	size_t before;

	if (*bytes <= most)
		return;
	if (json_object_get(r->config->memory->given, name) != NULL) {
		config_check_size_text(*bytes, given, sizeof given);
		config_check_size_text(most, limit, sizeof limit);
		before = config_check_enter(r, name);
		config_check_mistake(
		    r, "%s is more than a quarter of ring_bytes (%s)", given, limit);
		config_check_leave(r, before);
	}
	*bytes = most;
}

/* Workers get their settings as one packet. */
static void
config_check_packet(struct config_reader *r)
{
	struct order_settings settings;
	char packet[ORDER_PACKET_BYTES];
	struct out o = out_to(packet, sizeof packet);

	config_settings(r->config, &settings);
	order_encode_settings(&o, &settings);
	if (out_cut(&o))
		config_check_mistake(r,
		    "channels, origins and trusted_proxies take %zu bytes together; at most %d fit",
		    o.need, ORDER_PACKET_BYTES);
}

void
config_settings(const struct config *config, struct order_settings *settings)
{
	*settings = (struct order_settings){
	    .max_channels_per_connection = (uint32_t)config->max_channels_per_connection,
	    .max_event_bytes = (uint32_t)config->max_event_bytes,
	    .max_header_bytes = (uint32_t)config->max_header_bytes,
	    .header_timeout_s = (uint32_t)config->header_timeout_s,
	    .body_timeout_s = (uint32_t)config->body_timeout_s,
	    .idle_timeout_s = (uint32_t)config->idle_timeout_s,
	    .beat_ws_s = (uint32_t)config->beat_ws_s,
	    .beat_sse_s = (uint32_t)config->beat_sse_s,
	    .retry_ms = (uint32_t)config->retry_ms,
	    .max_wait_s = (uint32_t)config->max_wait_s,
	    .zero_copy_bytes = (uint32_t)config->zero_copy_bytes,
	    .compression_min_bytes = (uint32_t)config->compression_min_bytes,
	    .compression_takeover_bytes = (uint32_t)config->compression_takeover_bytes,
	    .compression = config->compression,
	    .compression_poll = config->compression_poll,
	    .compression_level = (uint8_t)config->compression_level,
	    .console = config->console,
	    .trust_unix = config->trust_unix,
	    .any_origin = config->any_origin,
	    .log_level = (uint8_t)config->log_level,
	    .path_prefix = config->path_prefix,
	    .origin_count = config->origin_count,
	    .proxy_count = config->proxy_count,
	    .rule_count = config->rule_count,
	};
	memcpy(
	    settings->origins, config->origins, config->origin_count * sizeof config->origins[0]);
	memcpy(settings->proxies, config->proxies, config->proxy_count * sizeof config->proxies[0]);
	memcpy(settings->rules, config->rules, config->rule_count * sizeof config->rules[0]);
}

/* ---- making and freeing ---------------------------------------------------------------------- */

static struct config *
config_new(const char *path)
{
	struct config *config = calloc(1, sizeof *config);

	if (config == NULL)
		return NULL;
	config->memory = calloc(1, sizeof *config->memory);
	if (config->memory == NULL) {
		free(config);
		return NULL;
	}
	config->publish_gid = (gid_t)-1;
	config->memory->given = json_object();
	config->memory->defaults = json_object();
	config->memory->path = path == NULL ? NULL : strdup(path);
	config->path = config->memory->path;
	if (config->memory->given == NULL || config->memory->defaults == NULL ||
	    (path != NULL && config->path == NULL)) {
		config_free(config);
		return NULL;
	}
	return config;
}

void
config_free(struct config *config)
{
	if (config == NULL)
		return;
	json_decref(config->memory->given);
	json_decref(config->memory->defaults);
	free(config->memory->path);
	free(config->memory);
	free(config);
}

void
config_mistakes_clear(struct config_mistakes *mistakes)
{
	for (size_t i = 0; i < mistakes->count && i < CONFIG_MISTAKES_MAX; i++)
		free(mistakes->lines[i]);
	mistakes->count = 0;
}

/*
 * Fills a config from what is given. `overridden` only decides what a value's place is called:
 * "--listen[0]".
 */
static void
config_fill(struct config_reader *r, const json_t *overridden)
{
	struct config *config = r->config;

	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *key = &config_keys[i];
		const json_t *value = config_value(config->memory, key);
		char name[64];
		size_t before;

		if (value == NULL && key->initial != NULL)
			config_check_mistake(r, "out of memory");
		if (value == NULL)
			continue;
		snprintf(name, sizeof name, "%s%s",
		    json_object_get(overridden, key->name) != NULL ? "--" : "", key->name);
		before = config_check_enter(r, name);
		config_read_key(r, key, value);
		config_check_leave(r, before);
	}
	config_check_share(r, "max_event_bytes", &config->max_event_bytes);
	config_check_share(r, "max_publish_bytes", &config->max_publish_bytes);
	if (r->mistakes->count == 0)
		config_check_packet(r);
}

static json_t *
config_json_text(const char *text)
{
	return json_stringn(text, strlen(text));
}

/* What the command line says, as the values that the file would have. NULL: out of memory. */
static json_t *
config_overridden(const struct config_overrides *overrides)
{
	json_t *object = json_object(), *list = json_array();
	int failed = object == NULL || list == NULL ? -1 : 0;
	char *end;
	long workers;

	if (failed == 0 && overrides != NULL) {
		for (size_t i = 0; i < overrides->listen_count; i++)
			failed |=
			    json_array_append_new(list, config_json_text(overrides->listen[i]));
		if (overrides->listen_count > 0)
			failed |= json_object_set(object, "listen", list);
		if (overrides->socket != NULL)
			failed |= json_object_set_new(
			    object, "socket", config_json_text(overrides->socket));
		if (overrides->workers != NULL) {
			workers = strtol(overrides->workers, &end, 10);
			failed |= json_object_set_new(object, "workers",
			    end != overrides->workers && *end == '\0'
				? json_integer(workers)
				: config_json_text(overrides->workers));
		}
		if (overrides->console)
			failed |= json_object_set_new(object, "console", json_true());
	}
	json_decref(list);
	if (failed == 0)
		return object;
	json_decref(object);
	return NULL;
}

static int
config_parse_given(struct config_reader *r, struct slice text)
{
	const char *names[CONFIG_KEYS];
	json_error_t error;
	json_t *file =
	    json_loadb(text.bytes, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);

	/* Where memory ran out there is nothing to say about the text. */
	if (file == NULL && error.text[0] == '\0') {
		config_check_mistake(r, "out of memory");
		return -1;
	}
	if (file == NULL) {
		config_check_mistake(
		    r, "line %d, column %d: %s", error.line, error.column, error.text);
		return -1;
	}
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		names[i] = config_keys[i].name;
	if (config_check_object(r, file, names, CONFIG_KEYS) &&
	    json_object_update(r->config->memory->given, file) == -1)
		config_check_mistake(r, "out of memory");
	json_decref(file);
	return 0;
}

struct config *
config_parse(struct slice text, const char *path, const struct config_overrides *overrides,
    struct config_mistakes *mistakes)
{
	struct config_reader r = {.config = config_new(path), .mistakes = mistakes};
	json_t *overridden = config_overridden(overrides);

	if (r.config == NULL || overridden == NULL) {
		config_check_mistake(&r, "out of memory");
	} else if (config_parse_given(&r, text) == 0) {
		if (json_object_update(r.config->memory->given, overridden) == -1)
			config_check_mistake(&r, "out of memory");
		config_fill(&r, overridden);
	}
	json_decref(overridden);
	if (mistakes->count == 0)
		return r.config;
	config_free(r.config);
	return NULL;
}

/* The whole file, bounded, or NULL after a mistake. */
static char *
config_read_file(struct config_reader *r, const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = malloc(CONFIG_FILE_BYTES + 1);
	ssize_t got = 1;

	*len = 0;
	if (fd == -1 || text == NULL) {
		config_check_mistake(r, "cannot be opened: %s", strerror(errno));
	} else {
		while (got > 0 && *len <= CONFIG_FILE_BYTES) {
			got = read(fd, text + *len, CONFIG_FILE_BYTES + 1 - *len);
			if (got > 0)
				*len += (size_t)got;
			else if (got == -1 && errno == EINTR)
				got = 1;
		}
		if (got == -1)
			config_check_mistake(r, "cannot be read: %s", strerror(errno));
		else if (*len > CONFIG_FILE_BYTES)
			config_check_mistake(r, "is larger than 1MiB");
	}
	if (fd != -1)
		close(fd);
	if (r->mistakes->count == 0)
		return text;
	free(text);
	return NULL;
}

struct config *
config_load(
    const char *path, const struct config_overrides *overrides, struct config_mistakes *mistakes)
{
	struct config_reader r = {.mistakes = mistakes};
	struct config *config;
	size_t len;
	char *text;

	if (path == NULL)
		return config_parse(SLICE_LITERAL("{}"), NULL, overrides, mistakes);
	text = config_read_file(&r, path, &len);
	if (text == NULL)
		return NULL;
	config = config_parse(slice_of(text, len), path, overrides, mistakes);
	free(text);
	return config;
}

/*
 * Gives `now` the running value of each key that cannot change; names of those that differ go into
 * held.
 */
static int
config_hold(const struct config *running, struct config *now, char *held, size_t held_size)
{
	json_t *old = running->memory->given, *new = now->memory->given;
	size_t len = 0;

	held[0] = '\0';
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const char *name = config_keys[i].name;
		json_t *value = json_object_get(old, name);

		if (config_keys[i].reloadable || json_equal(value, json_object_get(new, name)) ||
		    (value == NULL && json_object_get(new, name) == NULL))
			continue;
		if (len < held_size)
			len += (size_t)snprintf(
			    held + len, held_size - len, "%s%s", len == 0 ? "" : ", ", name);
		if (value == NULL)
			json_object_del(new, name);
		else if (json_object_set(new, name, value) == -1)
			return -1;
	}
	return 0;
}

struct config *
config_reload(const struct config *running, const struct config_overrides *overrides,
    struct config_mistakes *mistakes, char *held, size_t held_size)
{
	struct config *checked = config_load(running->path, overrides, mistakes);
	struct config_reader r = {.mistakes = mistakes};

	if (checked == NULL)
		return NULL;
	r.config = config_new(running->path);
	if (r.config == NULL || config_hold(running, checked, held, held_size) == -1 ||
	    json_object_update(r.config->memory->given, checked->memory->given) == -1)
		config_check_mistake(&r, "out of memory");
	else
		config_fill(&r, NULL);
	config_free(checked);
	if (mistakes->count == 0)
		return r.config;
	config_free(r.config);
	return NULL;
}
