/*
 * table.c: see table.h.
 */
#include "tests/lib/table.h"

#include <stdlib.h>
#include <string.h>

#define REPEAT_TEXT_BYTES 256

static const char *const authorities[] = {"RFC ", "WHATWG ", "contract: "};

/* The whole file with a terminating zero, or NULL. */
static char *
read_file(const char *path)
{
	FILE *f = fopen(path, "re");
	char *bytes = NULL;
	long len;

	if (f == NULL)
		return NULL;
	if (fseek(f, 0, SEEK_END) == 0 && (len = ftell(f)) >= 0 && fseek(f, 0, SEEK_SET) == 0 &&
	    (bytes = malloc((size_t)len + 1)) != NULL) {
		bytes[fread(bytes, 1, (size_t)len, f)] = '\0';
	}
	fclose(f);
	return bytes;
}

static size_t
count_lines(const char *bytes)
{
	size_t n = 1;

	for (; *bytes != '\0'; bytes++)
		n += *bytes == '\n';
	return n;
}

/* What is wrong with a line, or NULL. Cuts it into key and value. */
static const char *
split(char *text, const char *const keys[], struct table_line *line)
{
	char *colon = strchr(text, ':');

	if (colon == NULL)
		return "a line is `key: value`";
	*colon = '\0';
	line->key = text;
	line->value = colon + 1;
	if (*line->value == ' ')
		line->value++;
	if (strcmp(text, "row") == 0 || strcmp(text, "see") == 0)
		return NULL;
	while (*keys != NULL && strcmp(*keys, text) != 0)
		keys++;
	return *keys == NULL ? "unknown key" : NULL;
}

static bool
names_authority(const char *see)
{
	for (size_t i = 0; i < sizeof authorities / sizeof authorities[0]; i++)
		if (strncmp(see, authorities[i], strlen(authorities[i])) == 0)
			return true;
	return false;
}

static bool
name_is_taken(const struct table *t, const char *name)
{
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->rows[i].name, name) == 0)
			return true;
	return false;
}

/* Adds a line to the table; NULL, or what is wrong with it. `open`: inside a row. */
static const char *
add(struct table *t, const struct table_line *line, size_t *line_count, bool *open)
{
	struct table_row *row = t->count == 0 ? NULL : &t->rows[t->count - 1];

	if (strcmp(line->key, "row") == 0) {
		if (*open)
			return "a blank line is missing before this row";
		if (name_is_taken(t, line->value))
			return "this name is taken by another row";
		t->rows[t->count++] = (struct table_row){
		    .name = line->value, .lines = t->lines + *line_count, .number = line->number};
		*open = true;
		return NULL;
	}
	if (!*open)
		return "a row begins with `row: name`";
	if (strcmp(line->key, "see") == 0) {
		row->see = line->value;
		return names_authority(line->value)
			   ? NULL
			   : "see names \"RFC ...\", \"WHATWG ...\" or \"contract: ...\"";
	}
	t->lines[(*line_count)++] = *line;
	row->count++;
	return NULL;
}

/* Goes through the file's lines; NULL, or what is wrong, in line *number. */
static const char *
parse(struct table *t, const char *const keys[], unsigned *number)
{
	size_t line_count = 0;
	char *save = t->bytes;
	bool open = false;
	char *text;

	for (*number = 1; (text = strsep(&save, "\n")) != NULL; ++*number) {
		struct table_line line = {.number = *number};
		const char *wrong;

		if (*text == '#')
			continue;
		if (*text == '\0') {
			if (open && t->rows[t->count - 1].see == NULL)
				return "the row before names no section: `see: RFC ...`";
			open = false;
			continue;
		}
		wrong = split(text, keys, &line);
		if (wrong == NULL)
			wrong = add(t, &line, &line_count, &open);
		if (wrong != NULL)
			return wrong;
	}
	return open && t->rows[t->count - 1].see == NULL ? "the last row names no section" : NULL;
}

bool
table_read(struct table *t, struct tap *tap, const char *path, const char *const keys[])
{
	const char *wrong;
	unsigned number = 0;
	size_t lines;

	*t = (struct table){.path = path, .bytes = read_file(path)};
	if (t->bytes == NULL)
		return tap_check(tap, false, "%s: cannot be read", path);
	lines = count_lines(t->bytes);
	t->rows = calloc(lines, sizeof *t->rows);
	t->lines = calloc(lines, sizeof *t->lines);
	if (t->rows == NULL || t->lines == NULL)
		return tap_check(tap, false, "%s: no memory", path);
	wrong = parse(t, keys, &number);
	if (wrong == NULL)
		return true;
	t->count = 0;
	return tap_check(tap, false, "%s:%u: %s", path, number, wrong);
}

void
table_free(struct table *t)
{
	free(t->bytes);
	free(t->rows);
	free(t->lines);
	*t = (struct table){0};
}

const char *
table_value(const struct table_row *row, const char *key)
{
	for (size_t i = 0; i < row->count; i++)
		if (strcmp(row->lines[i].key, key) == 0)
			return row->lines[i].value;
	return NULL;
}

/* Reads one escape behind its backslash, other than a repetition; characters used, 0 when it is none. */
static size_t
unescape(const char *at, char *byte)
{
	static const char names[] = "rnt0s\\", bytes[] = "\r\n\t\0 \\";
	const char *found;
	char digits[3] = {0}, *end;

	if (*at == '\0')
		return 0;
	if (*at == 'x') {
		digits[0] = at[1];
		digits[1] = at[1] == '\0' ? '\0' : at[2];
		*byte = (char)strtoul(digits, &end, 16);
		return end == digits + 2 ? 3 : 0;
	}
	found = strchr(names, *at);
	if (found == NULL)
		return 0;
	*byte = bytes[found - names];
	return 1;
}

/* \{N,text} behind its backslash: characters used, 0 when it is malformed or does not fit. */
static size_t
repeat(const char *at, char *buffer, size_t cap, size_t *len)
{
	char text[REPEAT_TEXT_BYTES];
	char *comma;
	const unsigned long times = strtoul(at + 1, &comma, 10);
	const char *close = strchr(comma, '}');
	ptrdiff_t n;

	if (*comma != ',' || close == NULL || (size_t)(close - comma) > sizeof text)
		return 0;
	memcpy(text, comma + 1, (size_t)(close - comma) - 1);
	text[close - comma - 1] = '\0';
	n = table_bytes(text, text, sizeof text);
	if (n < 0 || (n != 0 && times > (cap - *len) / (size_t)n))
		return 0;
	for (unsigned long i = 0; i < times; i++, *len += (size_t)n)
		memcpy(buffer + *len, text, (size_t)n);
	return (size_t)(close + 1 - at);
}

ptrdiff_t
table_bytes(const char *value, char *buffer, size_t cap)
{
	size_t len = 0;

	while (*value != '\0') {
		size_t used = 1;

		if (*value == '\\' && value[1] == '{') {
			used = repeat(value + 1, buffer, cap, &len);
			if (used == 0)
				return -1;
			value += 1 + used;
			continue;
		}
		if (len == cap)
			return -1;
		if (*value == '\\') {
			used = unescape(++value, &buffer[len]);
			if (used == 0)
				return -1;
		} else {
			buffer[len] = *value;
		}
		len++;
		value += used;
	}
	return (ptrdiff_t)len;
}

bool
table_check(struct tap *tap, const struct table_row *row, bool holds)
{
	return tap_check(tap, holds, "%s (%s)", row->name, row->see);
}
