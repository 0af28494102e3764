/*
 * id_test.c: ids as text.
 */
#include "proto/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/proto/guard.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct slice
rendered(uint64_t id, char room[ID_TEXT_MAX])
{
	struct out out = out_to(room, ID_TEXT_MAX);

	id_render(&out, id);
	assert_false(out_cut(&out));
	return slice_of(out.bytes, out.len);
}

static const struct {
	uint64_t id;
	const char *text;
} ids[] = {
    {0, "0000000000000-00000"},
    {1, "0000000000000-00001"},
    {0xffff, "0000000000000-65535"},
    {0x10000, "0000000000001-00000"},
    {UINT64_C(1763856000000) << 16, "1763856000000-00000"},
    {UINT64_C(1763856000000) << 16 | 42, "1763856000000-00042"},
    {UINT64_C(9999999999999) << 16 | 0xffff, "9999999999999-65535"},
    {UINT64_C(10000000000000) << 16, "10000000000000-00000"},
    {UINT64_MAX, "281474976710655-65535"},
};

static void
id_renders_13_and_5_digits_and_parses_back(void **state)
{
	struct guard edge;
	char room[ID_TEXT_MAX];

	guard_open(&edge, ID_TEXT_MAX);
	for (size_t i = 0; i < COUNT(ids); i++) {
		struct slice text = rendered(ids[i].id, room);
		uint64_t id = ~ids[i].id;

		assert_true(slice_equal(text, slice_text(ids[i].text)));
		text.bytes = guard_copy(&edge, text.bytes, text.len);
		assert_true(id_parse(text, &id));
		assert_true(id == ids[i].id);
	}
	guard_close(&edge);
	(void)state;
}

static void
id_parse_takes_the_unpadded_form(void **state)
{
	static const struct {
		const char *text;
		uint64_t id;
	} rows[] = {
	    {"0-0", 0},
	    {"1-2", 0x10002},
	    {"1763856000000-7", UINT64_C(1763856000000) << 16 | 7},
	    {"000000000000001-00002", 0x10002},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t id;

		assert_true(id_parse(slice_text(rows[i].text), &id));
		assert_true(id == rows[i].id);
	}
	(void)state;
}

static void
id_parse_rejects_all_else(void **state)
{
	static const char *const rows[] = {"", "-", "1", "1-", "-1", "1763856000000",
	    "1763856000000-", "-00000", "1-65536", "1-99999", "1-000001", "281474976710656-0",
	    "999999999999999-0", "0000000000000001-0", "1--1", "1-1-1", " 1-1", "1-1 ", "+1-1",
	    "1-+1", "0x1-1", "a-1", "1-a", "1_1", "1-1\n", "99999999999999999999999999-0"};
	struct guard edge;
	uint64_t id;

	guard_open(&edge, 64);
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = strlen(rows[i]);

		if (id_parse(slice_of(guard_copy(&edge, rows[i], len), len), &id))
			fail_msg("taken: %s", rows[i]);
	}
	assert_false(id_parse(slice_of("1-1\0", 4), &id));
	assert_false(id_parse(slice_of(NULL, 0), &id));
	guard_close(&edge);
	(void)state;
}

static void
id_texts_sort_as_ids_do(void **state)
{
	uint64_t before = UINT64_C(1600000000000) << 16;
	uint64_t seed = 1;

	for (int i = 0; i < 10000; i++) {
		char a[ID_TEXT_MAX], b[ID_TEXT_MAX];
		struct slice before_text = rendered(before, a), text;
		uint64_t id;

		seed = seed * UINT64_C(6364136223846793005) + 1;
		id = before + 1 + (seed >> (30 + seed % 33));
		if (id_ms(id) > UINT64_C(9999999999999))
			id = before + 1;
		text = rendered(id, b);
		assert_int_equal(text.len, 19);
		assert_true(memcmp(before_text.bytes, text.bytes, 19) < 0);
		before = id;
	}
	(void)state;
}

static void
id_render_is_cut_as_a_whole(void **state)
{
	struct guard room;

	guard_open(&room, 64);
	for (size_t cap = 0; cap < 19; cap++) {
		struct out out = out_to(guard_end(&room, cap), cap);

		id_render(&out, 1);
		assert_true(out_cut(&out));
		assert_int_equal(out.need, 19);
	}
	guard_close(&room);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(id_renders_13_and_5_digits_and_parses_back),
	    cmocka_unit_test(id_parse_takes_the_unpadded_form),
	    cmocka_unit_test(id_parse_rejects_all_else),
	    cmocka_unit_test(id_texts_sort_as_ids_do),
	    cmocka_unit_test(id_render_is_cut_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
