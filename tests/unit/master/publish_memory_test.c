/*
 * publish_memory_test.c: memory is refused at the n-th request for it, for every n that a run of requests makes: some
 * publisher may fail, nobody crashes, and once there is memory again everything works.
 */
#include "tests/unit/master/publish_fixture.h"

#include <limits.h>

#ifdef SANITIZED
static void
memory_can_be_refused_at_any_moment(void **state)
{
	(void)state;
	skip(); /* the sanitizer brings an allocator of its own */
}

static void
an_array_enters_whole_or_not_at_all_without_memory(void **state)
{
	(void)state;
	skip();
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
static unsigned long refuse_at; /* 0: none */

static bool
refused(void)
{
	return refuse_at != 0 && ++requests == refuse_at;
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
exchange(struct fixture *f, const char *first, const char *second)
{
	static char heard[65536];
	int fd = fixture_connect(f);
	unsigned long armed = refuse_at;

	refuse_at = 0;
	fixture_say(f, fd, slice_text(first));
	refuse_at = armed;
	fixture_turns(f, 3);
	fixture_say(f, fd, slice_text(second));
	fixture_turns(f, 3);
	while (recv(fd, heard, sizeof heard, MSG_DONTWAIT) > 0)
		fixture_turns(f, 1);
	close(fd);
	fixture_turns(f, 3);
}

/* Every kind of request, some of them cut, so that buffers are needed. */
static void
scenario(struct fixture *f)
{
	exchange(f, "POST /publish?channel=a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhe", "llo");
	exchange(f,
	    "POST /publish HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"channe\r\n",
	    "7\r\nl\":\"a\"}\r\n0\r\n\r\n");
	exchange(f, "POST /publish HTTP/1.1\r\nContent-Length: 33\r\n\r\n[{\"channel\":\"a\"},",
	    "{\"channel\":\"b\"}]");
	exchange(f,
	    "POST /publish HTTP/1.1\r\nContent-Type: application/x-ndjson\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n12\r\n{\"channel\":\"a\"}\n{\"\r\n",
	    "e\r\nchannel\":\"b\"}\n\r\n0\r\n\r\n");
	exchange(f,
	    "POST /publish HTTP/1.1\r\nContent-Type: application/x-ndjson\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n",
	    "no chunk");
	exchange(f,
	    "POST /publish HTTP/1.1\r\nContent-Length: 25\r\n\r\n{\"channel\":\"a\",\"key\":\"k\"}",
	    "");
	exchange(f, "GET /channels HTTP/1.1\r\n\r\n", "GET /connections HTTP/1.1\r\n\r\n");
	exchange(f, "GET /stats HTTP/1.1\r\n\r\nGET /metr", "ics HTTP/1.1\r\n\r\n");
}

static void
memory_can_be_refused_at_any_moment(void **state)
{
	unsigned long count = 1;

	(void)state;
	for (unsigned long at = 1; at <= count; at++) {
		struct fixture f;
		struct reply reply;
		uint64_t events;

		fixture_start(&f);
		requests = 0;
		refuse_at = at;
		scenario(&f);
		if (requests > count)
			count = requests;
		refuse_at = 0;
		fixture_turns(&f, 5);
		assert_int_equal(publish_session_count(&f.m), 0);
		events = fixture_events(&f);
		reply = fixture_ask(
		    &f, "POST /publish?channel=a HTTP/1.1\r\nContent-Length: 1\r\n\r\nx");
		assert_int_equal(reply.status, 200);
		assert_int_equal(fixture_events(&f), events + 1);
		fixture_forget(&reply);
		fixture_stop(&f);
	}
	/* The scenario needs memory in many places, or this test proves nothing. */
	assert_true(count > 20);
	print_message("refused at %lu moments\n", count);
}
/* Enough keys that the table of keys has to grow in the middle of them. */
#define ARRAY_EVENTS 2000

static void
an_array_enters_whole_or_not_at_all_without_memory(void **state)
{
	static char request[ARRAY_EVENTS * 32 + 256], body[ARRAY_EVENTS * 32 + 64];
	size_t len = 0;
	unsigned long count = 0, refusals = 0;

	(void)state;
	for (int i = 0; i < ARRAY_EVENTS; i++)
		len += (size_t)snprintf(body + len, sizeof body - len,
		    "%s{\"channel\":\"a\",\"key\":\"%d\"}", i == 0 ? "[" : ",", i);
	snprintf(body + len, sizeof body - len, "]");
	snprintf(request, sizeof request, "POST /publish HTTP/1.1\r\nContent-Length: %zu\r\n\r\n%s",
	    len + 1, body);
	/* First without a refusal, to know how many there can be; then from the last to the first. */
	for (unsigned long at = ULONG_MAX; at > 0; at = (at == ULONG_MAX ? count : at - 1)) {
		struct fixture f;

		fixture_start(&f);
		requests = 0;
		refuse_at = at;
		exchange(&f, request, "");
		refuse_at = 0;
		if (at == ULONG_MAX) {
			assert_int_equal(fixture_events(&f), ARRAY_EVENTS);
			count = requests;
		}
		assert_true(fixture_events(&f) == 0 || fixture_events(&f) == ARRAY_EVENTS);
		refusals += fixture_events(&f) == 0;
		fixture_stop(&f);
	}
	assert_true(refusals > 2);
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(memory_can_be_refused_at_any_moment),
	    cmocka_unit_test(an_array_enters_whole_or_not_at_all_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
