/*
 * bench_stage.c: see bench_stage.h.
 */
#include "master/ctl/bench_stage.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define SAMPLE_NS 100000000u
#define SHOW_NS 200000000u
#define CONNECT_MS 60000
#define PATIENCE_NS \
	5000000000u /* without a delivery, or an arrival: then what is missing does not come */
#define ORDER_MS 50 /* until an order has been heard everywhere, before events that depend on it */
#define UNANSWERED_MAX 100000 /* events that the publisher may be ahead of its answers */

uint64_t
bench_stage_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- opening and closing ------------------------------------------------------------------------ */

static bool
open_signals(struct bench_stage *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	signal(SIGPIPE, SIG_IGN);
	s->signals = -1;
	if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
		s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals != -1;
}

/* The server is what was named, or who answers on the publish socket. */
static void
find_server(struct bench_stage *s)
{
	pid_t master;

	if (s->plan->pid_count != 0) {
		bench_host_find(&s->host, s->plan->pids, s->plan->pid_count);
		return;
	}
	master =
	    s->publishes && s->plan->publish == NULL ? bench_host_peer(s->publisher.client.fd) : 0;
	bench_host_find(&s->host, &master, master > 0);
}

bool
bench_stage_open(struct bench_stage *s, struct ctl *c, const struct bench_plan *plan,
    struct bench_result *result, const struct bench_group *groups, uint32_t group_count,
    uint32_t channel_count)
{
	*s = (struct bench_stage){.c = c,
	    .plan = plan,
	    .result = result,
	    .step = "starting",
	    .progress = isatty(fileno(c->err)) == 1,
	    .channel_count = channel_count,
	    .started_ns = bench_stage_now_ns()};
	s->sequences = calloc(channel_count, sizeof *s->sequences);
	if (s->sequences == NULL || !open_signals(s)) {
		ctl_fail(c, "cannot start: %s", strerror(errno));
		return false;
	}
	if (bench_plan_is_ringcast(plan) || plan->publish != NULL) {
		if (!bench_publish_open(&s->publisher, c, plan))
			return false;
		s->publishes = true;
	}
	find_server(s);
	if (!bench_crew_start(&s->crew, plan, groups, group_count)) {
		ctl_fail(c, "cannot start the load processes: %s", strerror(errno));
		return false;
	}
	s->sampled_ns = s->started_ns;
	s->sampled_cpu = bench_host_cpu(&s->host);
	return true;
}

static void
clear_progress(struct bench_stage *s)
{
	if (s->progress && s->shown_ns != 0)
		fputs("\r\033[K", s->c->err);
	s->shown_ns = 0;
}

void
bench_stage_close(struct bench_stage *s)
{
	clear_progress(s);
	if (s->crew.processes != NULL)
		bench_crew_stop(&s->crew);
	if (s->publishes)
		bench_publish_close(&s->publisher);
	if (s->signals > 0)
		close(s->signals);
	free(s->sequences);
	free(s->published_ns);
}

/* ---- going on ----------------------------------------------------------------------------------- */

static void
take_sample(struct bench_stage *s, uint64_t now)
{
	const struct bench_tally tally = bench_crew_sum(&s->crew, BENCH_CREW_ALL);
	const struct bench_host_cpu cpu = bench_host_cpu(&s->host);
	const double span_ns = (double)(now - s->sampled_ns);
	const struct bench_sample sample = {
	    .at_s = (double)(now - s->started_ns) / 1e9,
	    .open = (double)tally.open,
	    .deliveries_s = (double)(tally.received - s->sampled.received) / span_ns * 1e9,
	    .server_cpu = (double)(cpu.server_ns - s->sampled_cpu.server_ns) / span_ns,
	    .load_cpu = (double)(tally.cpu_ns - s->sampled.cpu_ns) / span_ns,
	};

	bench_result_sample(s->result, &sample);
	s->sampled_ns = now;
	s->sampled = tally;
	s->sampled_cpu = cpu;
	if (!s->progress || now - s->shown_ns < SHOW_NS)
		return;
	s->shown_ns = now;
	fprintf(s->c->err,
	    "\r\033[K%5.1f s  %s: %.0f clients, %.0f deliveries/s, server %.2f cores, clients %.2f",
	    sample.at_s, s->step, sample.open, sample.deliveries_s, sample.server_cpu,
	    sample.load_cpu);
	fflush(s->c->err);
}

/* Ends the run after telling why. */
static bool
give_up(struct bench_stage *s, const char *why)
{
	clear_progress(s);
	if (!s->over)
		ctl_fail(s->c, "%s (%s)", why, s->step);
	s->over = true;
	return false;
}

bool
bench_stage_pump(struct bench_stage *s, int ms)
{
	struct pollfd fds[BENCH_CREW_PROCESSES_MAX + 2];
	uint32_t count = bench_crew_poll(&s->crew, fds);
	uint64_t now;

	if (s->over)
		return false;
	fds[count++] = (struct pollfd){.fd = s->signals, .events = POLLIN};
	if (s->publishes) {
		const short out = s->publisher.client.out.len != 0 ? POLLOUT : 0;

		fds[count++] =
		    (struct pollfd){.fd = s->publisher.client.fd, .events = (short)(POLLIN | out)};
	}
	if (poll(fds, count, ms) == -1 && errno != EINTR)
		return give_up(s, strerror(errno));
	if (fds[s->crew.count].revents != 0)
		return give_up(s, "interrupted");
	bench_crew_take(&s->crew);
	if (s->crew.ended != 0)
		return give_up(s, "a load process died");
	if (s->publishes && !bench_publish_turn(&s->publisher))
		return give_up(s, "the server ended the publisher's connection");
	if (s->publisher.refused != 0)
		return give_up(s, s->publisher.refusal);
	now = bench_stage_now_ns();
	if (now - s->sampled_ns >= SAMPLE_NS)
		take_sample(s, now);
	return true;
}

bool
bench_stage_rest(struct bench_stage *s, unsigned ms)
{
	const uint64_t end = bench_stage_now_ns() + ms * UINT64_C(1000000);
	uint64_t now;

	while ((now = bench_stage_now_ns()) < end)
		if (!bench_stage_pump(s, (int)((end - now) / 1000000) + 1))
			return false;
	return !s->over;
}

/* ---- steps -------------------------------------------------------------------------------------- */

static uint32_t
clients_of(const struct bench_stage *s, uint32_t group)
{
	uint32_t clients = 0;

	for (uint32_t i = 0; i < s->crew.count; i++)
		if (group == BENCH_CREW_ALL || s->crew.processes[i].group == group)
			clients += s->crew.processes[i].share.count;
	return clients;
}

static uint64_t
setbacks(const struct bench_tally *t)
{
	return t->failed + t->refused + t->cut + t->malformed;
}

static bool
tell_missing(struct bench_stage *s, const struct bench_tally *t, uint32_t clients)
{
	char why[320], status[64] = "";

	if (t->status != 0)
		snprintf(status, sizeof status, ", with status %u%s", t->status,
		    t->status == 200 ? " but not what was asked for" : "");
	snprintf(why, sizeof why,
	    "only %llu of %u clients are in; connects failed: %llu%s%s; refused: %llu%s; ended: %llu; not of the protocol: %llu",
	    (unsigned long long)t->open, clients, (unsigned long long)t->failed,
	    t->error != 0 ? ", " : "", t->error != 0 ? strerror((int)t->error) : "",
	    (unsigned long long)t->refused, status, (unsigned long long)t->cut,
	    (unsigned long long)t->malformed);
	return give_up(s, why);
}

bool
bench_stage_still_connects(struct bench_stage *s, uint32_t group, struct bench_arrival *a)
{
	const struct bench_tally t = bench_crew_sum(&s->crew, group);
	const uint32_t clients = clients_of(s, group);
	const uint64_t now = bench_stage_now_ns();
	const double ramp_ms = s->plan->ramp > 0 ? clients / s->plan->ramp * 1000 : 0;

	if (a->end_ns == 0) {
		a->moved_ns = now;
		a->setbacks = setbacks(&t);
		a->end_ns = now + (uint64_t)(CONNECT_MS + clients + ramp_ms) * UINT64_C(1000000);
	}
	if (t.open > a->most) {
		a->most = t.open;
		a->moved_ns = now;
		a->setbacks = setbacks(&t);
	}
	/* Who fails tries again within 1.5 s: what did not work for so long does not. */
	if (now > a->end_ns || (now - a->moved_ns > PATIENCE_NS && setbacks(&t) > a->setbacks))
		return tell_missing(s, &t, clients);
	return true;
}

bool
bench_stage_connect(struct bench_stage *s, uint32_t group)
{
	const uint32_t clients = clients_of(s, group);
	struct bench_arrival arrival = {.end_ns = 0};

	s->step = "connecting";
	bench_crew_order(&s->crew, group, BENCH_ORDER_OPEN, (uint64_t)(s->plan->ramp * 1000), true);
	while (bench_crew_sum(&s->crew, group).open < clients)
		if (!bench_stage_still_connects(s, group, &arrival) || !bench_stage_pump(s, 50))
			return false;
	return true;
}

bool
bench_stage_begin(struct bench_stage *s)
{
	bench_crew_order(&s->crew, BENCH_CREW_ALL, BENCH_ORDER_BEGIN, 0, false);
	return bench_stage_rest(s, ORDER_MS);
}

static bool
keep_time(struct bench_stage *s, uint64_t now)
{
	if (s->number >= s->published_cap) {
		const uint32_t cap = s->published_cap == 0 ? 4096 : s->published_cap * 2;
		uint64_t *grown = realloc(s->published_ns, cap * sizeof *grown);

		if (grown == NULL)
			return false;
		s->published_ns = grown;
		s->published_cap = cap;
	}
	s->published_ns[s->number] = now;
	return true;
}

bool
bench_stage_publish(struct bench_stage *s, uint32_t channel)
{
	const uint64_t now = bench_stage_now_ns();
	const struct bench_event e = {
	    .channel = channel,
	    .sequence = ++s->sequences[channel],
	    .number = ++s->number,
	    .size = s->plan->size,
	    .published_ns = now,
	};

	while (s->publisher.published - s->publisher.answered > UNANSWERED_MAX)
		if (!bench_stage_pump(s, 10))
			return false;
	if (s->over || !keep_time(s, now) || !bench_publish_event(&s->publisher, &e))
		return give_up(s, "out of memory");
	if (!bench_publish_turn(&s->publisher))
		return give_up(s, "the server ended the publisher's connection");
	return true;
}

static bool
nothing_came(const struct bench_stage *s)
{
	const struct bench_tally t = bench_crew_sum(&s->crew, BENCH_CREW_ALL);

	return t.received + t.declared + t.damaged + t.foreign == 0;
}

bool
bench_stage_await(struct bench_stage *s, uint32_t group)
{
	uint64_t moved_ns = bench_stage_now_ns(), before = 0;

	while (!bench_crew_has_all(&s->crew, group) || !bench_publish_settled(&s->publisher)) {
		const uint64_t had =
		    bench_crew_sum(&s->crew, BENCH_CREW_ALL).received + s->publisher.answered;

		if (!bench_stage_pump(s, 10))
			return false;
		if (had != before)
			moved_ns = bench_stage_now_ns();
		before = had;
		if (bench_stage_now_ns() - moved_ns > PATIENCE_NS) {
			if (!bench_crew_has_all(&s->crew, group) && nothing_came(s))
				return give_up(s,
				    "not one event came: is it published to the server that the clients are at?");
			bench_crew_write_off(&s->crew, group);
			break;
		}
	}
	return !s->over;
}

bool
bench_stage_one(struct bench_stage *s, uint32_t events)
{
	bench_crew_expect(&s->crew, 0, events);
	for (uint32_t i = 0; i < events; i++)
		if (!bench_stage_publish(s, 0))
			return false;
	return bench_stage_await(s, 0);
}

bool
bench_stage_load(struct bench_stage *s, uint32_t group, uint32_t first, uint32_t count, double rate,
    unsigned seconds)
{
	const uint64_t started = bench_stage_now_ns();
	uint64_t goal = (uint64_t)(rate * seconds);
	uint64_t sent = 0;

	goal = goal < count ? count : goal - goal % count; /* whole rounds */
	bench_crew_expect(&s->crew, group, goal / count);
	while (sent < goal) {
		const double passed = (double)(bench_stage_now_ns() - started) / 1e9;
		const uint64_t due = 1 + (uint64_t)(passed * rate);

		for (; sent < due && sent < goal; sent++)
			if (!bench_stage_publish(s, first + (uint32_t)(sent % count)))
				return false;
		if (!bench_stage_pump(s, rate > 500 ? 1 : rate < 25 ? 20 : (int)(500 / rate)))
			return false;
	}
	return bench_stage_await(s, group);
}

void
bench_stage_measure(struct bench_stage *s)
{
	bench_crew_order(
	    &s->crew, BENCH_CREW_ALL, BENCH_ORDER_MEASURE, (uint64_t)s->number + 1, false);
	bench_stage_rest(s, ORDER_MS);
	memset(&s->publisher.acked, 0, sizeof s->publisher.acked);
}

struct bench_span
bench_stage_clock(struct bench_stage *s)
{
	bench_crew_take(&s->crew);
	bench_crew_clock(&s->crew);
	return (struct bench_span){bench_stage_now_ns(), bench_host_cpu(&s->host),
	    bench_crew_sum(&s->crew, BENCH_CREW_ALL)};
}

void
bench_stage_last(struct bench_stage *s, uint32_t clients, struct bench_histogram *times)
{
	memset(times, 0, sizeof *times);
	for (uint32_t i = 0; i < s->crew.reach_count; i++) {
		const struct bench_reach *reach = &s->crew.reach[i];
		const uint32_t number = s->crew.reach_first + i;

		if (reach->count >= clients && number <= s->number &&
		    reach->last_ns > s->published_ns[number])
			bench_histogram_add(times, reach->last_ns - s->published_ns[number]);
	}
}
