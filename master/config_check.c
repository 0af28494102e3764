/*
 * config_check.c: one function for each kind of value that the configuration has. See
 * config_check.h.
 *
 * All of them report instead of stopping, so that an operator sees every mistake of a file at once.
 */
#include "master/config_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_TEXT_BYTES 512
#define CHECK_NAME_BYTES 48 /* longer names are nobody's typing mistake */

void
config_check_mistake(struct config_reader *r, const char *format, ...)
{
	char text[CHECK_TEXT_BYTES], line[CHECK_TEXT_BYTES + sizeof r->path + 2];
	size_t place = r->mistakes->count++;
	va_list arguments;

	if (place >= CONFIG_MISTAKES_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	snprintf(line, sizeof line, "%s%s%s", r->path, r->path_len == 0 ? "" : ": ", text);
	/* What the file says may be anything; a mistake is one line on somebody's terminal. */
	for (char *p = line; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	r->mistakes->lines[place] = strdup(line);
}

static size_t
config_check_extend(struct config_reader *r, const char *text)
{
	size_t before = r->path_len;
	int len = snprintf(r->path + before, sizeof r->path - before, "%s", text);

	r->path_len =
	    before + (size_t)len < sizeof r->path ? before + (size_t)len : sizeof r->path - 1;
	return before;
}

size_t
config_check_enter(struct config_reader *r, const char *name)
{
	size_t before = r->path_len;

	if (before > 0)
		config_check_extend(r, ".");
	config_check_extend(r, name);
	return before;
}

size_t
config_check_enter_index(struct config_reader *r, size_t index)
{
	char text[32];

	snprintf(text, sizeof text, "[%zu]", index);
	return config_check_extend(r, text);
}

void
config_check_leave(struct config_reader *r, size_t path_len)
{
	r->path_len = path_len;
	r->path[path_len] = '\0';
}

const char *
config_check_kind(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "a number";
	case JSON_REAL:
		return "a number with a fraction";
	case JSON_TRUE:
		return "true";
	case JSON_FALSE:
		return "false";
	case JSON_NULL:
		return "null";
	}
	return "something else";
}

bool
config_check_integer(
    struct config_reader *r, const json_t *value, uint64_t min, uint64_t max, uint64_t *n)
{
	json_int_t number;

	if (!json_is_integer(value)) {
		config_check_mistake(r, "must be a whole number, not %s", config_check_kind(value));
		return false;
	}
	number = json_integer_value(value);
	if (number < 0 || (uint64_t)number < min || (uint64_t)number > max) {
		config_check_mistake(r, "must be %llu to %llu, not %lld", (unsigned long long)min,
		    (unsigned long long)max, (long long)number);
		return false;
	}
	*n = (uint64_t)number;
	return true;
}

static const struct {
	const char *name;
	unsigned shift;
} check_units[] = {{"GiB", 30}, {"MiB", 20}, {"KiB", 10}};
#define CHECK_UNITS (sizeof check_units / sizeof check_units[0])

void
config_check_size_text(uint64_t bytes, char *text, size_t size)
{
	for (size_t i = 0; i < CHECK_UNITS; i++) {
		if (bytes != 0 && bytes % (UINT64_C(1) << check_units[i].shift) == 0) {
			snprintf(text, size, "%llu%s",
			    (unsigned long long)(bytes >> check_units[i].shift),
			    check_units[i].name);
			return;
		}
	}
	snprintf(text, size, "%llu", (unsigned long long)bytes);
}

/* "64MiB" to bytes: digits, then a unit. What does not fit 64 bits is no size. */
static bool
config_check_size_parse(const char *text, uint64_t *bytes)
{
	uint64_t n = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (n > (UINT64_MAX >> 30) / 10 - 1)
			return false;
		n = n * 10 + (uint64_t)(*p - '0');
	}
	if (p == text)
		return false;
	for (size_t i = 0; i < CHECK_UNITS; i++) {
		if (strcmp(p, check_units[i].name) == 0) {
			*bytes = n << check_units[i].shift;
			return true;
		}
	}
	return false;
}

bool
config_check_size(
    struct config_reader *r, const json_t *value, uint64_t min, uint64_t max, uint64_t *n)
{
	char least[32], most[32], given[32];
	uint64_t bytes;

	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		bytes = (uint64_t)json_integer_value(value);
	} else if (json_is_string(value)) {
		if (!config_check_size_parse(json_string_value(value), &bytes)) {
			config_check_mistake(r,
			    "must be a number of bytes or a string like \"64MiB\" (KiB, MiB, GiB), not \"%s\"",
			    json_string_value(value));
			return false;
		}
	} else {
		config_check_mistake(r,
		    "must be a number of bytes or a string like \"64MiB\" (KiB, MiB, GiB), not %s",
		    json_is_integer(value) ? "a negative number" : config_check_kind(value));
		return false;
	}
	if (bytes < min || bytes > max) {
		config_check_size_text(min, least, sizeof least);
		config_check_size_text(max, most, sizeof most);
		config_check_size_text(bytes, given, sizeof given);
		config_check_mistake(r, "must be %s to %s, not %s", least, most, given);
		return false;
	}
	*n = bytes;
	return true;
}

bool
config_check_bool(struct config_reader *r, const json_t *value, bool *flag)
{
	if (!json_is_boolean(value)) {
		config_check_mistake(r, "must be true or false, not %s", config_check_kind(value));
		return false;
	}
	*flag = json_is_true(value);
	return true;
}

const char *
config_check_string(struct config_reader *r, const json_t *value, const char *wanted)
{
	if (json_is_string(value))
		return json_string_value(value);
	config_check_mistake(r, "must be %s, not %s", wanted, config_check_kind(value));
	return NULL;
}

bool
config_check_word(
    struct config_reader *r, const json_t *value, const struct config_word *words, int *found)
{
	char list[128] = "";
	size_t len = 0;

	for (const struct config_word *word = words; word->name != NULL; word++) {
		if (json_is_string(value) && strcmp(json_string_value(value), word->name) == 0) {
			*found = word->value;
			return true;
		}
		len += (size_t)snprintf(list + len, sizeof list - len, "%s\"%s\"",
		    word == words          ? ""
		    : word[1].name == NULL ? " or "
					   : ", ",
		    word->name);
	}
	if (json_is_string(value))
		config_check_mistake(r, "must be %s, not \"%s\"", list, json_string_value(value));
	else
		config_check_mistake(r, "must be %s, not %s", list, config_check_kind(value));
	return false;
}

bool
config_check_array(struct config_reader *r, const json_t *value, size_t max, const char *wanted)
{
	if (!json_is_array(value)) {
		config_check_mistake(r, "must be %s, not %s", wanted, config_check_kind(value));
		return false;
	}
	if (json_array_size(value) > max) {
		config_check_mistake(
		    r, "at most %zu entries, not %zu", max, json_array_size(value));
		return false;
	}
	return true;
}

/*
 * Edit distance (Levenshtein; a swap of neighbours counts two): one row at a time. Names are short.
 */
static size_t
config_check_distance(const char *a, const char *b)
{
	size_t row[CHECK_NAME_BYTES + 1], a_len = strlen(a), b_len = strlen(b);

	if (a_len > CHECK_NAME_BYTES || b_len > CHECK_NAME_BYTES)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
			size_t least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

			diagonal = row[j];
			row[j] = replaced < least ? replaced : least;
		}
	}
	return row[b_len];
}

/*
 * The nearest name, if it is near enough that it may have been meant: at most two edits, and not
 * half of the name.
 */
static const char *
config_check_nearest(const char *name, const char *const *names, size_t count)
{
	const char *nearest = NULL;
	size_t best = 3;

	for (size_t i = 0; i < count; i++) {
		size_t distance = config_check_distance(name, names[i]);

		if (distance < best && distance * 2 < strlen(names[i])) {
			best = distance;
			nearest = names[i];
		}
	}
	/*
	 * A name that is the beginning of one, or has one as its beginning: "ring" for
	 * "ring_bytes".
	 */
	for (size_t i = 0; i < count && nearest == NULL; i++) {
		size_t len = strlen(name), known_len = strlen(names[i]);

		if (strncmp(name, names[i], len < known_len ? len : known_len) == 0 && len >= 3)
			nearest = names[i];
	}
	return nearest;
}

bool
config_check_object(
    struct config_reader *r, const json_t *value, const char *const *names, size_t count)
{
	/* jansson's iterators want a pointer to non-const, but change nothing. */
	json_t *object = (json_t *)(uintptr_t)value;

	if (!json_is_object(value)) {
		config_check_mistake(r, "must be an object, not %s", config_check_kind(value));
		return false;
	}
	for (void *i = json_object_iter(object); i != NULL; i = json_object_iter_next(object, i)) {
		const char *name = json_object_iter_key(i), *nearest;
		size_t n = 0, before;

		while (n < count && strcmp(name, names[n]) != 0)
			n++;
		if (n < count)
			continue;
		before = config_check_enter(r, name);
		nearest = config_check_nearest(name, names, count);
		if (nearest != NULL)
			config_check_mistake(r, "no such key; did you mean \"%s\"?", nearest);
		else
			config_check_mistake(r, "no such key");
		config_check_leave(r, before);
	}
	return true;
}
