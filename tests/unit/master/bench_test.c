/*
 * bench_test.c: the parts of `ringcast bench` that judge: an event's data, the ledger, times, and what a client understands of what servers
 * send; wrong command lines; what a server used.
 */
#include "tests/unit/master/ctl_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "master/ctl/bench_client.h"
#include "master/ctl/bench_host.h"
#include "master/ctl/bench_source.h"
#include "master/ctl/bench_result.h"
#include "proto/id.h"
#include "proto/ws_frame.h"

#define SIZE 80

/* ---- an event's data ----------------------------------------------------------------------------- */

static struct bench_event
event_of(uint32_t channel, uint32_t sequence)
{
	return (struct bench_event){channel, sequence, sequence, SIZE, 1000};
}

static size_t
render(char *to, size_t cap, uint32_t channel, uint32_t sequence)
{
	const struct bench_event e = event_of(channel, sequence);
	struct out o = out_to(to, cap);

	bench_event_render(&o, &e);
	assert_int_equal(o.len, SIZE);
	assert_false(out_cut(&o));
	return o.len;
}

static void
event_is_found_whatever_lies_around_it(void **state)
{
	char bytes[512] = "{\"data\":\"rcb", *at = bytes + strlen(bytes);
	struct bench_event e;
	size_t used;

	(void)state;
	at += render(at, 200, 7, 9);
	strcpy(at, "\"}");
	assert_int_equal(bench_event_find(slice_text(bytes), &e, &used), BENCH_EVENT_WHOLE);
	assert_int_equal(e.channel, 7);
	assert_int_equal(e.sequence, 9);
	assert_int_equal(e.size, SIZE);
	assert_int_equal(e.published_ns, 1000);
	assert_ptr_equal(bytes + used, at);
	assert_int_equal(bench_event_find(slice_of(bytes + used, 2), &e, &used), BENCH_EVENT_NONE);
}

static void
event_with_any_other_byte_is_damaged(void **state)
{
	char bytes[SIZE + 1];
	struct bench_event e;
	size_t used;

	(void)state;
	for (size_t i = 4; i < SIZE; i++) {
		render(bytes, sizeof bytes, 1, 1);
		bytes[i] = '!';
		assert_int_equal(
		    bench_event_find(slice_of(bytes, SIZE), &e, &used), BENCH_EVENT_DAMAGED);
		assert_true(used > 0);
	}
	for (size_t len = 4; len < SIZE; len++) {
		render(bytes, sizeof bytes, 1, 1);
		assert_int_equal(
		    bench_event_find(slice_of(bytes, len), &e, &used), BENCH_EVENT_DAMAGED);
	}
}

/* ---- the ledger ---------------------------------------------------------------------------------- */

static void
ledger_tells_lost_late_and_repeated_apart(void **state)
{
	static const uint32_t order[] = {1, 2, 6, 4, 4, 6, 7};
	struct bench_ledger l = {.first = 1};
	struct bench_account account = {.client = 3, .channel = 5, .next = 1};

	(void)state;
	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		const struct bench_event e = event_of(5, order[i]);

		bench_ledger_enter(&l, &account, &e, 5000);
	}
	assert_int_equal(l.tally.received, 5); /* 1 2 6 4 7 */
	assert_int_equal(l.tally.lost, 2);     /* 3 5 */
	assert_int_equal(l.tally.late, 1);     /* 4 */
	assert_int_equal(l.tally.twice, 2);    /* 4 6 */
	assert_int_equal(l.tally.declared, 0);
	assert_int_equal(l.latency.count, 4); /* late ones have no time */
	bench_ledger_free(&l);
}

static void
ledger_counts_what_lies_behind_a_gap_as_declared(void **state)
{
	struct bench_ledger l = {.first = 0};
	struct bench_account account = {.channel = 5, .next = 1, .gap = true};
	const struct bench_event fourth = event_of(5, 4), seventh = event_of(5, 7),
				 foreign = event_of(6, 5);

	(void)state;
	bench_ledger_enter(&l, &account, &fourth, 1);
	assert_int_equal(l.tally.declared, 3);
	assert_int_equal(l.tally.lost, 0);
	bench_ledger_enter(&l, &account, &seventh, 1); /* nothing was told of these two */
	assert_int_equal(l.tally.lost, 2);
	bench_ledger_enter(&l, &account, &foreign, 1);
	assert_int_equal(l.tally.foreign, 1);
	assert_int_equal(l.tally.received, 2);
	bench_ledger_free(&l);
}

static void
ledger_keeps_when_the_last_client_had_an_event(void **state)
{
	struct bench_ledger l = {.first = 0};
	struct bench_account a = {.client = 0, .channel = 1, .next = 1};
	struct bench_account b = {.client = 1, .channel = 1, .next = 1};
	const struct bench_event e = event_of(1, 3);

	(void)state;
	bench_ledger_measure(&l, 2);
	bench_ledger_enter(&l, &a, &e, 1500);
	bench_ledger_enter(&l, &b, &e, 1700);
	assert_int_equal(l.reach_count, 2);
	assert_int_equal(l.reach[1].count, 2);
	assert_int_equal(l.reach[1].last_ns, 1700);
	bench_ledger_free(&l);
}

static void
histogram_is_at_most_three_percent_above(void **state)
{
	struct bench_histogram h = {.count = 0};

	(void)state;
	assert_int_equal(bench_histogram_at(&h, 0.5), 0);
	for (uint64_t ns = 1; ns < UINT64_C(1) << 61; ns = ns * 5 / 4 + 1) {
		struct bench_histogram one = {.count = 0};
		uint64_t at;

		bench_histogram_add(&one, ns);
		bench_histogram_add(&one, ns * 2);
		at = bench_histogram_at(&one, 0.5);
		assert_true(at >= ns && at - ns <= ns / 32 + 1);
		bench_histogram_merge(&h, &one);
		assert_true(h.max_ns == ns * 2);
	}
	assert_true(bench_histogram_at(&h, 1) == h.max_ns);
}

/* ---- a client ------------------------------------------------------------------------------------ */

struct reading {
	struct bench_plan plan;
	struct bench_ledger ledger;
	struct bench_client client;
	char reply[256];
	struct out out;
};

static enum bench_client_verdict
feed(struct reading *r, const char *bytes, size_t len, size_t *used)
{
	const struct bench_reading reading = {&r->plan, &r->ledger, 5000, &r->out};

	return bench_client_take(&reading, &r->client, slice_of(bytes, len), used);
}

static struct reading
reading_of(enum bench_transport transport)
{
	struct reading r = {.plan = {.transport = transport},
	    .client = {.fd = -1, .state = BENCH_CLIENT_ASKED, .account = {.channel = 1}}};

	return r;
}

/* Everything in every cut, as bench_load feeds it: what is not used comes again with more. */
static void
sse_stream_is_understood_however_it_is_cut(void **state)
{
	char stream[1024], data[SIZE + 1] = {0};
	size_t len;

	(void)state;
	render(data, sizeof data, 1, 1);
	len = (size_t)snprintf(stream, sizeof stream,
	    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 2000\n\n"
	    "event: ringcast.welcome\ndata: {}\nid: 0000000000001-00002\n\n"
	    "data: %s\nid: 0000000000001-00003\n\n"
	    "event: ringcast.gap\ndata: {}\nid: 0000000000001-00004\n\n",
	    data);
	for (size_t cut = 0; cut <= len; cut++) {
		struct reading r = reading_of(BENCH_SSE);
		size_t used, more;

		r.out = out_to(r.reply, sizeof r.reply);
		assert_int_equal(feed(&r, stream, cut, &used), BENCH_CLIENT_MORE);
		assert_int_equal(feed(&r, stream + used, len - used, &more), BENCH_CLIENT_MORE);
		assert_int_equal(used + more, len);
		assert_int_equal(r.client.state, BENCH_CLIENT_OPEN);
		assert_int_equal(r.client.cursor, id_of(1, 4));
		assert_int_equal(r.ledger.tally.received, 1);
		assert_int_equal(r.ledger.tally.gaps, 1);
		assert_true(r.client.account.gap);
		bench_ledger_free(&r.ledger);
	}
}

static void
websocket_answers_pings_and_sees_events(void **state)
{
	static const char head[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
	char stream[1024], json[256] = "{\"id\":\"0000000000007-00001\",\"data\":\"";
	struct out o = out_to(stream, sizeof stream);
	struct reading r = reading_of(BENCH_WS);
	size_t used;

	(void)state;
	r.out = out_to(r.reply, sizeof r.reply);
	render(json + strlen(json), 128, 1, 1);
	strcat(json, "\"}");
	out_text(&o, head);
	ws_frame_render(
	    &o, WS_TEXT, SLICE_LITERAL("{\"op\":\"welcome\",\"at\":\"0000000000007-00000\"}"));
	ws_frame_render(&o, WS_TEXT, slice_text(json));
	ws_frame_render(&o, WS_PING, SLICE_LITERAL("here"));
	for (size_t at = 0, cut = 1; at < o.len; at += used, cut = used == 0 ? cut + 1 : 1)
		assert_int_equal(feed(&r, stream + at, cut, &used), BENCH_CLIENT_MORE);
	assert_int_equal(r.client.state, BENCH_CLIENT_OPEN);
	assert_int_equal(r.client.cursor, id_of(7, 1));
	assert_int_equal(r.ledger.tally.received, 1);
	assert_int_equal(r.out.len, 2 + 4 + 4);
	assert_int_equal((unsigned char)r.reply[0], 0x8a);
	o = out_to(stream, sizeof stream);
	ws_frame_render_close(&o, WS_CLOSE_RESTART, SLICE_LITERAL(""));
	assert_int_equal(feed(&r, stream, o.len, &used), BENCH_CLIENT_ENDED);
	bench_ledger_free(&r.ledger);
}

static void
poll_asks_again_from_next_whatever_the_framing(void **state)
{
	char body[512], data[SIZE + 1] = {0}, answer[1024];

	(void)state;
	render(data, sizeof data, 1, 1);
	snprintf(body, sizeof body,
	    "{\"events\":[{\"data\":\"%s\"}],\"next\":\"0000000000009-00001\",\"more\":false,\"gaps\":[]}",
	    data);
	for (size_t f = 0; f < 2; f++) {
		struct reading r = reading_of(BENCH_LONGPOLL);
		size_t used, len;

		len = (size_t)(f == 0 ? snprintf(answer, sizeof answer,
					    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
					    strlen(body), body)
				      : snprintf(answer, sizeof answer,
					    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
					    "%zx\r\n%s\r\n0\r\n\r\n",
					    strlen(body), body));
		r.out = out_to(r.reply, sizeof r.reply);
		for (size_t cut = 0; cut < len; cut++) {
			assert_int_equal(feed(&r, answer, cut, &used), BENCH_CLIENT_MORE);
			assert_int_equal(used, 0);
		}
		assert_int_equal(feed(&r, answer, len, &used), BENCH_CLIENT_AGAIN);
		assert_int_equal(used, len);
		assert_int_equal(r.ledger.tally.received, 1);
		assert_int_equal(r.client.cursor, id_of(9, 1));
		bench_ledger_free(&r.ledger);
	}
}

static void
other_answers_are_refusals(void **state)
{
	struct reading r = reading_of(BENCH_SSE);
	size_t used;
	static const char full[] = "HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n";
	static const char page[] =
	    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi";
	static const char noise[] = "220 mail.example ESMTP\r\n\r\n";

	(void)state;
	assert_int_equal(feed(&r, full, sizeof full - 1, &used), BENCH_CLIENT_REFUSED);
	assert_int_equal(r.ledger.tally.status, 429);
	assert_int_equal(feed(&r, page, sizeof page - 1, &used), BENCH_CLIENT_REFUSED);
	assert_int_equal(r.ledger.tally.status, 200);
	assert_int_equal(feed(&r, noise, sizeof noise - 1, &used), BENCH_CLIENT_MALFORMED);
}

/* ---- the command line ---------------------------------------------------------------------------- */

static void
wrong_command_lines_are_told(void **state)
{
	static const struct {
		const char *line, *says;
	} rows[] = {
	    {"ringcast bench dance", "there is no scenario \"dance\": there are idle, broadcast"},
	    {"ringcast bench idle storm", "one scenario at a time"},
	    {"ringcast bench --transport tcp", "there is no transport \"tcp\""},
	    {"ringcast bench --clients 0", "--clients is a number from 1"},
	    {"ringcast bench --clients many", "--clients is a number from 1"},
	    {"ringcast bench --size 63", "--size is a number from 64"},
	    {"ringcast bench --rate 0", "--rate is a number a second"},
	    {"ringcast bench --rate 5x", "--rate is a number a second"},
	    {"ringcast bench --seconds", "--seconds needs a value"},
	    {"ringcast bench --channels 2", "--channels is for the scenarios"},
	    {"ringcast bench channels --clients 5 --channels 6", "more channels than clients"},
	    {"ringcast bench slow --clients 5 --slow 6", "--slow is a number from 0 to 5"},
	    {"ringcast bench --pid x", "--pid is process numbers"},
	    {"ringcast bench --sources 127.0.0.1,here", "--sources is addresses"},
	    {"ringcast bench --url https://x", "TLS is not in this version"},
	    {"ringcast bench --hello x", "--hello is for other servers"},
	    {"ringcast bench --publish-url http://x/{channel}", "published to through its socket"},
	    {"ringcast bench --subscribe-url http://127.0.0.1/{channel}", "needs --publish-url"},
	    {"ringcast bench --url here", "the URL here: it begins with http://"},
	    {"ringcast bench --clients 9999 --process-clients 1", "9999 clients are too many"},
	    {"ringcast bench idle --subscribe-url /sub", "--subscribe-url is a whole URL"},
	};
	const struct ctl c = {.uid = 1000, .directory = "/nonexistent", .input = -1};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct said said = ctl_say(&c, rows[i].line);

		if (said.code != CTL_USAGE || strstr(said.err, rows[i].says) == NULL)
			fail_msg("%s: %d %s", rows[i].line, said.code, said.err);
		said_free(&said);
	}
}

static void
templates_are_filled(void **state)
{
	const struct bench_plan plan = {.run = 0xab};
	char text[128] = {0};
	struct out o = out_to(text, sizeof text - 1);

	(void)state;
	bench_plan_fill(&plan, "/s/{channel}?c={client}&x={y}", 2, 77, &o);
	assert_string_equal(text, "/s/bench-000000ab-2?c=77&x={y}");
}

static void
sources_are_told_apart(void **state)
{
	struct sockaddr_storage address;
	socklen_t len;

	(void)state;
	assert_int_equal(bench_source_count("10.0.0.1,::1,10.0.0.3"), 3);
	assert_int_equal(bench_source_count("10.0.0.1,,10.0.0.3"), 0);
	assert_int_equal(bench_source_count(""), 0);
	assert_true(bench_source_parse("10.0.0.1,::1", 1, &address, &len));
	assert_int_equal(address.ss_family, AF_INET6);
	assert_false(bench_source_parse("10.0.0.1,::1", 2, &address, &len));
}

static void
values_are_for_people(void **state)
{
	static const struct {
		enum bench_unit unit;
		double value;
		const char *text;
	} rows[] = {
	    {BENCH_COUNT, 0, "0"},
	    {BENCH_COUNT, 1234567, "1,234,567"},
	    {BENCH_NS, 950, "950 ns"},
	    {BENCH_NS, 1250000, "1.25 ms"},
	    {BENCH_BYTES, 84, "84 B"},
	    {BENCH_BYTES, -2048, "-2.00 KiB"},
	    {BENCH_PER_S, 20086.4, "20,086/s"},
	    {BENCH_RATIO, 0.1504, "0.150"},
	    {BENCH_PERCENT, 3.14, "3.1 %"},
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_string_equal(
		    bench_result_text(rows[i].unit, rows[i].value, text), rows[i].text);
}

/* ---- the machine --------------------------------------------------------------------------------- */

#define SPIN_NS 20000000u

/* Uses so much CPU in the thread that calls it. */
static void *
spin(void *argument)
{
	struct timespec used;

	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	while (used.tv_sec == 0 && used.tv_nsec < (long)SPIN_NS);
	return argument;
}

static void
cpu_is_of_all_threads(void **state)
{
	const pid_t self = getpid();
	struct bench_host *h = calloc(1, sizeof *h);
	uint64_t before;
	pthread_t thread;

	(void)state;
	assert_non_null(h);
	bench_host_find(h, &self, 1);
	before = bench_host_cpu(h).server_ns;
	assert_int_equal(pthread_create(&thread, NULL, spin, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(bench_host_cpu(h).server_ns - before >= SPIN_NS);
	free(h);
}

static void
cpu_of_a_process_that_died_stays(void **state)
{
	const pid_t child = fork();
	struct bench_host *h = calloc(1, sizeof *h);
	uint64_t before;

	(void)state;
	assert_non_null(h);
	if (child == 0) {
		spin(NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(child, NULL, WUNTRACED), child);
	bench_host_find(h, &child, 1);
	before = bench_host_cpu(h).server_ns;
	assert_true(before >= SPIN_NS);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_true(bench_host_cpu(h).server_ns >= before);
	free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(event_is_found_whatever_lies_around_it),
	    cmocka_unit_test(event_with_any_other_byte_is_damaged),
	    cmocka_unit_test(ledger_tells_lost_late_and_repeated_apart),
	    cmocka_unit_test(ledger_counts_what_lies_behind_a_gap_as_declared),
	    cmocka_unit_test(ledger_keeps_when_the_last_client_had_an_event),
	    cmocka_unit_test(histogram_is_at_most_three_percent_above),
	    cmocka_unit_test(sse_stream_is_understood_however_it_is_cut),
	    cmocka_unit_test(websocket_answers_pings_and_sees_events),
	    cmocka_unit_test(poll_asks_again_from_next_whatever_the_framing),
	    cmocka_unit_test(other_answers_are_refusals),
	    cmocka_unit_test(wrong_command_lines_are_told),
	    cmocka_unit_test(templates_are_filled),
	    cmocka_unit_test(sources_are_told_apart),
	    cmocka_unit_test(values_are_for_people),
	    cmocka_unit_test(cpu_is_of_all_threads),
	    cmocka_unit_test(cpu_of_a_process_that_died_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
