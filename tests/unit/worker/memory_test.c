/*
 * memory_test.c: memory is refused, once, at every place in turn: at most one client fails, nothing aborts, nothing leaks, and the
 * others get what they get when there is enough. The program is linked with --wrap for malloc, calloc and realloc.
 */
#include "tests/unit/worker/worker_fixture.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *bytes, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *bytes, size_t size);

/* The one thing that the wrappers cannot be handed. */
static struct refusal {
	uint64_t left; /* allocations until the one that is refused; 0: none is */
	bool worker;   /* the worker is running, not the test */
	bool refused;
} refusal;

static bool
refuse(void)
{
	if (!refusal.worker || refusal.left == 0 || --refusal.left != 0)
		return false;
	refusal.refused = true;
	return true;
}

void *
__wrap_malloc(size_t size)
{
	return refuse() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return refuse() ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *bytes, size_t size)
{
	return refuse() ? NULL : __real_realloc(bytes, size);
}

static void
turns(struct fixture *f)
{
	refusal.worker = true;
	fixture_run(f);
	refusal.worker = false;
}

enum { SSE, WS, RAW, PACKED, PACKED_RAW, POLL, HELD, MERGED, SLOW, PUBLISHER, CLIENTS };

static void
come(struct fixture *f, struct client *c)
{
	client_stream(&c[SSE], f, DIALECT_SSE, "channel=a");
	client_stream(&c[WS], f, DIALECT_WS, "channel=a&after=0");
	client_stream(&c[RAW], f, DIALECT_WS_RAW, "channel=a");
	client_stream(&c[PACKED], f, DIALECT_WS_DEFLATE, "channel=a");
	client_stream(&c[PACKED_RAW], f, DIALECT_WS_RAW_DEFLATE, "channel=a&channel=b");
	client_stream(&c[MERGED], f, DIALECT_WS, "channel=a&channel=b&after=-5");
	client_stream(&c[SLOW], f, DIALECT_SSE_JSON, "channel=a&channel=b");
	client_open(&c[POLL], f);
	client_get(&c[POLL], "channel=a&channel=b&after=0&limit=3", "");
	client_open(&c[HELD], f);
	client_get(&c[HELD], "channel=b&after=1763856000000-00002&wait=20", "");
	client_open(&c[PUBLISHER], f);
	client_text(&c[PUBLISHER],
	    "POST /events?channel=p&type=t HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
	    "Idempotency-Key: k\r\n\r\nhel");
}

/* A scenario that goes through all that allocates. Returns how many clients ended. */
static unsigned
play(struct fixture *f)
{
	struct client c[CLIENTS];
	unsigned ended = 0;

	fixture_publish(f, "a,b", 0, 10);
	come(f, c);
	turns(f);
	client_text(&c[PUBLISHER], "lo");
	client_op(&c[WS], "{\"op\":\"subscribe\",\"channel\":\"b\",\"after\":\"0\"}");
	client_frame(&c[WS], 0x01, "{\"op\":\"pi", 9);
	client_frame(&c[WS], 0x80, "ng\"}", 4);
	client_frame(&c[PACKED], 0x41, "\xf2\x48\xcd", 3);
	client_frame(&c[PACKED], 0x80, "\xc9\xc9\x07\x00", 4);
	turns(f);
	fixture_master_answers(f);
	f->fake->allowance = 300;
	for (unsigned n = 1; n < 8; n++) {
		fixture_publish(f, n % 2 == 0 ? "a" : "a,b", n, n * 700);
		turns(f);
	}
	client_op(&c[WS], "{\"op\":\"publish\",\"channel\":\"p\",\"data\":[1]}");
	client_op(&c[MERGED], "{\"op\":\"unsubscribe\",\"channel\":\"a\"}");
	turns(f);
	fixture_master_answers(f);
	turns(f);
	for (unsigned i = 0; i < CLIENTS; i++) {
		client_read(&c[i]);
		ended += c[i].ended;
	}
	/* Whoever is left has all of it. */
	if (!c[SSE].ended)
		client_has(&c[SSE], 1, 7);
	if (!c[SSE].ended)
		client_sound(&c[SSE], DIALECT_SSE);
	if (!c[RAW].ended)
		client_has(&c[RAW], 1, 7);
	if (!c[PACKED].ended)
		client_has(&c[PACKED], 1, 7);
	for (unsigned i = 0; i < CLIENTS; i++)
		client_close(&c[i]);
	turns(f);
	return ended;
}

static void
memory_refused_anywhere_costs_one_client_at_most(void **state)
{
	uint64_t tried = 0;

	(void)state;
	for (uint64_t n = 1;; n++) {
		struct fixture f;
		unsigned ended;

		assert_true(fixture_begin(&f, 1 << 20, false));
		f.settings.compression_takeover_bytes = 50 << 10; /* a window for one of them */
		fixture_set(&f);
		refusal = (struct refusal){.left = n};
		ended = play(&f);
		refusal.left = 0;
		if (refusal.refused && ended > 1)
			fail_msg("refusal %llu ended %u clients", (unsigned long long)n, ended);
		if (!refusal.refused)
			assert_int_equal(ended, 0);
		assert_false(f.w->quit);
		fixture_wait_ms(&f, 2500);
		assert_int_equal(f.w->connection_count, 0);
		assert_int_equal(f.w->channels.count, 0);
		assert_int_equal(f.w->extras.used, 0);
		assert_int_equal(f.w->extras.tail_bytes, 0);
		assert_int_equal(f.w->deflate.window_bytes, 0);
		fixture_end(&f);
		if (!refusal.refused)
			break;
		tried = n;
	}
	print_message("# %llu allocations refused in turn\n", (unsigned long long)tried);
	assert_true(tried > 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(memory_refused_anywhere_costs_one_client_at_most)};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
