/*
 * cursor_test.c: every form of `after`, and Last-Event-ID.
 */
#include "proto/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/id.h"
#include "tests/unit/proto/guard.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void
cursor_parse_tells_the_forms_apart(void **state)
{
	static const struct {
		const char *text;
		struct cursor cursor;
	} rows[] = {
	    {"1763856000000-00001", {CURSOR_ID, 0, UINT64_C(1763856000000) << 16 | 1, 0}},
	    {"1763856000000-1", {CURSOR_ID, 0, UINT64_C(1763856000000) << 16 | 1, 0}},
	    {"0-0", {CURSOR_ID, 0, 0, 0}},
	    {"0", {CURSOR_ALL, 0, 0, 0}},
	    {"000", {CURSOR_ALL, 0, 0, 0}},
	    {"-1", {CURSOR_LAST, 1, 0, 0}},
	    {"-100", {CURSOR_LAST, 100, 0, 0}},
	    {"-4294967295", {CURSOR_LAST, UINT32_MAX, 0, 0}},
	    {"-4294967296", {CURSOR_LAST, UINT32_MAX, 0, 0}},
	    {"-99999999999999999999999", {CURSOR_LAST, UINT32_MAX, 0, 0}},
	    {"100000000000",
		{CURSOR_TIME, 0, (UINT64_C(100000000000) << 16) - 1, UINT64_C(100000000000)}},
	    {"1763856000000",
		{CURSOR_TIME, 0, (UINT64_C(1763856000000) << 16) - 1, UINT64_C(1763856000000)}},
	    {"281474976710655", {CURSOR_TIME, 0, (ID_MS_MAX << 16) - 1, ID_MS_MAX}},
	};
	struct guard edge;

	guard_open(&edge, 64);
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = strlen(rows[i].text);
		struct cursor cursor;

		assert_null(
		    cursor_parse(slice_of(guard_copy(&edge, rows[i].text, len), len), &cursor));
		assert_int_equal(cursor.kind, rows[i].cursor.kind);
		assert_int_equal(cursor.count, rows[i].cursor.count);
		assert_true(cursor.id == rows[i].cursor.id);
		assert_true(cursor.ms == rows[i].cursor.ms);
	}
	guard_close(&edge);
	(void)state;
}

/*
 * Inclusive: the first possible id of that millisecond is newer than the cursor, the one before is
 * not.
 */
static void
cursor_time_includes_its_millisecond(void **state)
{
	struct cursor cursor;

	assert_null(cursor_parse(SLICE_LITERAL("1763856000000"), &cursor));
	assert_true(id_of(UINT64_C(1763856000000), 0) > cursor.id);
	assert_false(id_of(UINT64_C(1763855999999), 0xffff) > cursor.id);
	(void)state;
}

static void
cursor_parse_says_what_is_wrong(void **state)
{
	static const struct {
		const char *text;
		const char *word; /* of the message */
	} rows[] = {
	    {"", "an id"},
	    {"abc", "an id"},
	    {"now", "an id"},
	    {" 0", "an id"},
	    {"0 ", "an id"},
	    {"1.5", "an id"},
	    {"+5", "an id"},
	    {"1763856000000-", "an id"},
	    {"1763856000000-65536", "an id"},
	    {"-", "-N"},
	    {"-0", "-N"},
	    {"-x", "-N"},
	    {"--1", "-N"},
	    {"-1-1", "-N"},
	    {"1", "seconds?"},
	    {"1763856000", "seconds?"},
	    {"99999999999", "seconds?"},
	    {"281474976710656", "ahead"},
	    {"99999999999999999999999999", "ahead"},
	};
	struct guard edge;

	guard_open(&edge, 64);
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = strlen(rows[i].text);
		struct cursor cursor;
		const char *wrong =
		    cursor_parse(slice_of(guard_copy(&edge, rows[i].text, len), len), &cursor);

		if (wrong == NULL || strstr(wrong, rows[i].word) == NULL)
			fail_msg("'%s': %s", rows[i].text, wrong == NULL ? "taken" : wrong);
	}
	guard_close(&edge);
	(void)state;
}

static void
cursor_last_event_id_never_fails(void **state)
{
	static const struct {
		const char *text;
		enum cursor_kind kind;
		uint64_t id;
	} rows[] = {
	    {"", CURSOR_NOW, 0},
	    {"1763856000000-00001", CURSOR_ID, UINT64_C(1763856000000) << 16 | 1},
	    {"1-1", CURSOR_ID, 0x10001},
	    {"0", CURSOR_UNKNOWN, 0},
	    {"-5", CURSOR_UNKNOWN, 0},
	    {"1763856000000", CURSOR_UNKNOWN, 0},
	    {"some other server's id", CURSOR_UNKNOWN, 0},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct cursor cursor;

		cursor_parse_last_event_id(slice_text(rows[i].text), &cursor);
		assert_int_equal(cursor.kind, rows[i].kind);
		assert_true(cursor.id == rows[i].id);
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cursor_parse_tells_the_forms_apart),
	    cmocka_unit_test(cursor_time_includes_its_millisecond),
	    cmocka_unit_test(cursor_parse_says_what_is_wrong),
	    cmocka_unit_test(cursor_last_event_id_never_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
