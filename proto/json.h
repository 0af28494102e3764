/*
 * json.h: JSON text (RFC 8259) without a tree: a validating scanner that answers with slices of the
 * caller's buffer.
 *
 * Nothing is copied or built: a value is its kind and its bytes, and what an application published
 * can be passed on byte for byte. Everything is checked as it is passed over: grammar, UTF-8 (RFC
 * 3629), surrogate escapes in pairs, depth. There is no recursion; nesting is at most
 * JSON_DEPTH_MAX arrays and objects.
 *
 * The names keep clear of jansson's (json_string, JSON_STRING, …): the master uses both.
 *
 * Two ways in: json_scan for one value at the head of a stream, json_whole and json_walk for a text
 * that is all there.
 */
#ifndef PROTO_JSON_H
#define PROTO_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

#define JSON_DEPTH_MAX 64

enum json_kind {
	JSON_KIND_NULL,
	JSON_KIND_FALSE,
	JSON_KIND_TRUE,
	JSON_KIND_NUMBER,
	JSON_KIND_STRING,
	JSON_KIND_ARRAY,
	JSON_KIND_OBJECT,
};

enum json_error {
	JSON_ERROR_SYNTAX = -1,
	JSON_ERROR_UTF8 = -2, /* bytes that are not UTF-8, or the escape of a lone surrogate */
	JSON_ERROR_DEPTH = -3,
	JSON_ERROR_CUT = -4, /* the text ends inside the value; json_scan answers 0 instead */
};

/* A value that was scanned, hence valid. A string's raw bytes include its quotes. */
struct json_value {
	enum json_kind kind;
	bool plain; /* a string without escapes: the bytes between its quotes are its content */
	struct slice raw;
};

/*
 * Scans white space and one value at the head of the text. Returns the bytes consumed (> 0), 0 when
 * the value may go on behind the text's end (also a number that touches it), or an enum json_error,
 * with the offending byte's offset in *at.
 */
ptrdiff_t json_scan(struct slice text, struct json_value *value, size_t *at);

/*
 * The text is exactly one value, with white space around it. Returns 1, or an enum json_error with
 * the offset in *at.
 */
int json_whole(struct slice text, struct json_value *value, size_t *at);

/* The members of an object or the elements of an array, validated as the walk passes them. */
struct json_walk {
	const char *base;
	const char *next;
	const char *end;
	bool object;
	bool begun;
	bool ended;
};

/*
 * Starts a walk over a text that is exactly one array or object, with white space around it (a
 * value's raw bytes, or a whole body that nobody validated yet: one pass does both). Returns 1; 0
 * when the text holds another kind of value, or an enum json_error with the offset in *at.
 */
int json_walk_open(struct json_walk *walk, struct slice text, size_t *at);

/*
 * The next member (*key is the raw key with its quotes) or element (*key is empty). Returns 1; 0
 * after the last one, when the text's end has been checked too; or an enum json_error with the
 * offset in *at, after which the walk must not go on.
 */
int json_walk_next(struct json_walk *walk, struct slice *key, struct json_value *value, size_t *at);

/* Whether a raw string (as scanned, with quotes), unescaped, equals the literal. */
bool json_string_equals(struct slice raw, struct slice literal);

/* Appends the content of a raw string (as scanned, with quotes). At most raw.len - 2 bytes. */
void json_unescape(struct out *o, struct slice raw);

/*
 * The content of a scanned string: a slice of the value itself when it has no escapes, else of what
 * was appended to the scratch. False when the scratch was too small.
 */
bool json_content(const struct json_value *value, struct out *scratch, struct slice *content);

/*
 * Appends the text as a JSON string with its quotes. The text must be UTF-8, which is kept as it
 * is; only `"`, `\` and control characters below U+0020 are escaped.
 */
void json_escape(struct out *o, struct slice text);

/*
 * The number as an integer. False when the value is not one: another kind, a fraction, an exponent,
 * out of range.
 */
bool json_u64(const struct json_value *value, uint64_t *n);
bool json_i64(const struct json_value *value, int64_t *n);

/* What an enum json_error means, for messages to humans. */
const char *json_error_text(int error);

#endif
