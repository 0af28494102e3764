/*
 * config_memory_test.c: memory is refused at the n-th request for it, for every n that reading a configuration makes: the
 * result is the configuration or a mistake, never one that was read in part.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "master/config.h"

#ifdef SANITIZED
static void
config_is_whole_or_refused_when_memory_is(void **state)
{
	(void)state;
	skip(); /* the sanitizer brings an allocator of its own */
}
#else

/* glibc's own entry points: what is counted here stays counted when a library allocates. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *old, size_t size);

static unsigned long requests;  /* for memory, since the counting began */
static unsigned long refuse_at; /* 0: none; this one and all that follow */

static bool
refused(void)
{
	return refuse_at != 0 && ++requests >= refuse_at;
}

void *
malloc(size_t size)
{
	return refused() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return refused() ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *old, size_t size)
{
	return refused() ? NULL : __libc_realloc(old, size);
}

static void
config_is_whole_or_refused_when_memory_is(void **state)
{
	static const char text[] =
	    "{\"workers\": 3, \"retry_ms\": 77, \"origins\": [\"https://a.example\"],"
	    " \"channels\": [{\"match\": \"a*\", \"publish\": \"anyone\"}]}";
	struct config_mistakes mistakes = {0};
	struct config *config = NULL;
	unsigned long n = 1;

	(void)state;
	for (; config == NULL; n++) {
		requests = 0;
		refuse_at = n;
		config = config_parse(slice_text(text), "file", NULL, &mistakes);
		refuse_at = 0;
		assert_int_equal(config == NULL, mistakes.count != 0);
		for (size_t i = 0; i < mistakes.count && i < CONFIG_MISTAKES_MAX; i++)
			assert_null(strstr(config_mistake(&mistakes, i), "line -1"));
		config_mistakes_clear(&mistakes);
	}
	assert_true(n > 100);
	assert_int_equal(config->workers, 3);
	assert_int_equal(config->retry_ms, 77);
	assert_int_equal(config->header_timeout_s, 10);
	assert_int_equal(config->origin_count, 1);
	assert_int_equal(config->rule_count, 1);
	config_free(config);
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(config_is_whole_or_refused_when_memory_is),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
