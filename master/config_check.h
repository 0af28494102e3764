/*
 * config_check.h: checking JSON values against what a key wants, and collecting every mistake with
 * its JSON path. Used by config.c and its parts only.
 *
 * A reader knows where it is ("channels[2].lag"): enter before looking at a member, leave with what
 * enter returned. A check that fails has reported the mistake; its caller just goes on to the next
 * value.
 */
#ifndef MASTER_CONFIG_CHECK_H
#define MASTER_CONFIG_CHECK_H

#include "master/config.h"

/*
 * proto/json.h, which config.h brings in, and jansson.h use some names both. Files that include
 * this header mean jansson's; of its functions json_string alone is hidden by proto's (json_stringn
 * does the same).
 */
#define JSON_NULL JANSSON_NULL
#define JSON_FALSE JANSSON_FALSE
#define JSON_TRUE JANSSON_TRUE
#define JSON_STRING JANSSON_STRING
#define JSON_ARRAY JANSSON_ARRAY
#define JSON_OBJECT JANSSON_OBJECT
#define json_string jansson_string
#include <jansson.h>

struct config_reader {
	struct config *config;
	struct config_mistakes *mistakes;
	size_t path_len;
	char path[256];
};

/* A word of the file and the number that stands for it. An array of them ends with a NULL name. */
struct config_word {
	const char *name;
	int value;
};

/* Adds a mistake at the reader's place. */
void config_check_mistake(struct config_reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

size_t config_check_enter(struct config_reader *r, const char *name);
size_t config_check_enter_index(struct config_reader *r, size_t index);
void config_check_leave(struct config_reader *r, size_t path_len);

/* What a value is, for messages: "a string", "null", ... */
const char *config_check_kind(const json_t *value);

bool config_check_integer(
    struct config_reader *r, const json_t *value, uint64_t min, uint64_t max, uint64_t *n);

/* A number of bytes, or a string with KiB, MiB, GiB. */
bool config_check_size(
    struct config_reader *r, const json_t *value, uint64_t min, uint64_t max, uint64_t *n);
bool config_check_bool(struct config_reader *r, const json_t *value, bool *flag);

/* A string; `wanted` ends the sentence "must be ...". NULL after a mistake. */
const char *config_check_string(struct config_reader *r, const json_t *value, const char *wanted);
bool config_check_word(
    struct config_reader *r, const json_t *value, const struct config_word *words, int *found);

/* An array of at most max entries. */
bool config_check_array(
    struct config_reader *r, const json_t *value, size_t max, const char *wanted);

/* An object; reports each member whose name is not among the names, with the nearest of them. */
bool config_check_object(
    struct config_reader *r, const json_t *value, const char *const *names, size_t count);

/* "64MiB" where that is exact, else the number. */
void config_check_size_text(uint64_t bytes, char *text, size_t size);

/*
 * config_address.c: one address as `listen` takes it. False after a mistake. ":8080" gives IPv6's
 * any address, optional.
 */
bool config_address_parse(
    struct config_reader *r, const char *text, struct config_address *address);

/* The IPv4 half of ":8080". */
void config_address_any_v4(const struct config_address *any_v6, struct config_address *address);

bool config_address_equal(const struct config_address *a, const struct config_address *b);

/* config_rules.c: the keys that lists of structures belong to. */
void config_rules_channels(struct config_reader *r, const json_t *value);
void config_rules_origins(struct config_reader *r, const json_t *value);
void config_rules_proxies(struct config_reader *r, const json_t *value);

#endif
