/*
 * table.h: tables of conformance rows as text files, one idea a row.
 *
 *     # a comment
 *     row: two equal Content-Length fields
 *     see: RFC 9112 6.3
 *     send: GET / HTTP/1.1\r\nHost: x\r\n\r\n
 *     want: status 400
 *
 * A row is a block of lines `key: value` between blank lines. It begins with `row` (its name, unique in the file) and
 * `see` (the section that decides: "RFC 9112 6.3", "WHATWG HTML 9.2.6", "WHATWG Fetch 3.2", or "contract: Gap" where no standard speaks). What
 * the other keys mean is the program's business; they keep their order and may repeat. A mistake in a file is a failure
 * of the program that reads it, with file and line.
 */
#ifndef TESTS_LIB_TABLE_H
#define TESTS_LIB_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/lib/tap.h"

struct table_line {
	const char *key;
	const char *value; /* as it stands in the file */
	unsigned number;   /* of the line in the file */
};

struct table_row {
	const char *name;
	const char *see;
	const struct table_line *lines; /* without `row` and `see` */
	size_t count;
	unsigned number; /* of its first line */
};

struct table {
	const char *path;
	char *bytes;
	struct table_row *rows;
	size_t count;
	struct table_line *lines;
};

/*
 * Reads a file (from the top of the tree). `keys` ends with NULL: what a row may hold besides row and see. False after a
 * failed check that names the place; then the table is empty and may be freed.
 */
bool table_read(struct table *t, struct tap *tap, const char *path, const char *const keys[]);
void table_free(struct table *t);

/* The value of a row's first line with this key, or NULL. */
const char *table_value(const struct table_row *row, const char *key);

/*
 * A value as bytes: \r \n \t \0 \s (space) \\ \xHH, and \{N,text} for N times text (which may hold escapes, no braces).
 * Returns the length, or -1 when it is malformed or does not fit.
 */
ptrdiff_t table_bytes(const char *value, char *buffer, size_t cap);

/* Reports a row, its section in the name: "name (RFC 9112 6.3)". */
bool table_check(struct tap *tap, const struct table_row *row, bool holds);

#endif
