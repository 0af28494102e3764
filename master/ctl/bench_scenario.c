/*
 * bench_scenario.c: see bench_scenario.h.
 */
#include "master/ctl/bench_scenario.h"

#include <stdlib.h>
#include <unistd.h>

#define SETTLE_MS 500
#define DRAIN_MS 60000
#define QUIET_RATE 20.0 /* events a second to the small channel of `isolation` */
#define STORM_QUIET_S 1
#define BUSY_LOAD 0.9 /* share of a core from which a load process is suspected */
#define BUSY_MACHINE 0.97
#define SINGLES 20 /* events one at a time, against each burst */

enum { GROUP_MAIN, GROUP_OTHER };

/* ---- figures that several scenarios have --------------------------------------------------------- */

/* Says so when it was our side that could not do more, or somebody else on this machine. */
static void
remark_bottleneck(struct bench_stage *s, const struct bench_span *from)
{
	const struct bench_host_cpu now = bench_host_cpu(&s->host);
	const double wall_ns = (double)(bench_stage_now_ns() - from->from_ns);
	const double busy = (double)(now.busy_ticks - from->cpu.busy_ticks);
	const double idle = (double)(now.idle_ticks - from->cpu.idle_ticks);
	const double cores = (double)sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t busiest;
	const double load = (double)bench_crew_cpu(&s->crew, &busiest) / wall_ns;
	const double server = (double)(now.server_ns - from->cpu.server_ns) / wall_ns;

	if ((double)busiest / wall_ns > BUSY_LOAD)
		bench_result_remark(s->result,
		    "a load process used %.0f %% of a core: the clients were the bottleneck (fewer --process-clients spread them over more processes)",
		    100 * (double)busiest / wall_ns);
	else if (busy / (busy + idle) < BUSY_MACHINE)
		return;
	else if (load + server < cores / 2)
		bench_result_remark(s->result,
		    "the machine was busy with something else: these figures say little");
	else if (load > server)
		bench_result_remark(s->result,
		    "no core was idle, and the clients used %.1f cores, the server %.1f: the clients were the bottleneck",
		    load, server);
}

static void
add_span(struct bench_stage *s, const struct bench_span *from)
{
	struct bench_result *r = s->result;
	const struct bench_tally t = bench_crew_sum(&s->crew, BENCH_CREW_ALL);
	const struct bench_host_cpu now = bench_host_cpu(&s->host);
	const double deliveries = (double)(t.received - from->tally.received);
	const uint64_t end_ns = t.last_ns > from->from_ns ? t.last_ns : bench_stage_now_ns();
	const double seconds = (double)(end_ns - from->from_ns) / 1e9;

	bench_result_figure(r, "deliveries_per_s", "deliveries", BENCH_PER_S, deliveries / seconds);
	if (deliveries > 0) {
		bench_result_figure(r, "bytes_per_delivery", "bytes received for each", BENCH_BYTES,
		    (double)(t.bytes - from->tally.bytes) / deliveries);
		if (s->host.pid_count != 0)
			bench_result_figure(r, "cpu_per_delivery_ns", "server CPU for each",
			    BENCH_NS, (double)(now.server_ns - from->cpu.server_ns) / deliveries);
	}
	remark_bottleneck(s, from);
}

static void
add_latency(struct bench_stage *s, uint32_t clients)
{
	static const char *const keys[] = {
	    "latency_p50_ns", "latency_p99_ns", "latency_p999_ns", "latency_max_ns"};
	static const char *const titles[] = {"publish to receipt, p50", "p99", "p99.9", "max"};
	static const char *const last_keys[] = {"last_p50_ns", "last_p99_ns", NULL, "last_max_ns"};
	static const char *const last_titles[] = {
	    "publish to the last client, p50", "p99", NULL, "max"};
	struct bench_histogram last;

	bench_result_times(
	    s->result, keys, titles, "latency", "publish to receipt", &s->crew.latency);
	bench_stage_last(s, clients, &last);
	bench_result_times(
	    s->result, last_keys, last_titles, "last", "publish to the last client", &last);
}

static void
add_acknowledgements(struct bench_stage *s, const char *const keys[4], const char *title,
    const char *curve, const char *curve_title)
{
	const char *const titles[] = {title, "p99", NULL, "max"};

	bench_result_times(s->result, keys, titles, curve, curve_title, &s->publisher.acked);
}

/* What must be 0, whatever was played. Of a last event that is lost no client knows: the crew misses it. */
static void
add_losses(struct bench_stage *s)
{
	struct bench_result *r = s->result;
	const struct bench_tally t = bench_crew_sum(&s->crew, BENCH_CREW_ALL);

	bench_crew_write_off(&s->crew, BENCH_CREW_ALL);
	bench_result_zero(
	    r, "lost_count", "lost", (double)(s->crew.missing > t.lost ? s->crew.missing : t.lost));
	bench_result_zero(r, "twice_count", "delivered twice", (double)t.twice);
	bench_result_zero(r, "late_count", "out of order", (double)t.late);
	bench_result_zero(r, "damaged_count", "damaged", (double)t.damaged);
	bench_result_zero(r, "foreign_count", "of another channel", (double)t.foreign);
	bench_result_zero(r, "malformed_count", "protocol violations", (double)t.malformed);
	bench_result_figure(r, "gaps_count", "gaps told", BENCH_COUNT, (double)t.gaps);
	bench_result_figure(
	    r, "declared_count", "events missing behind them", BENCH_COUNT, (double)t.declared);
	bench_result_figure(
	    r, "cut_count", "connections ended by the server", BENCH_COUNT, (double)t.cut);
	bench_result_figure(
	    r, "refused_count", "connections refused", BENCH_COUNT, (double)(t.refused + t.failed));
}

/* Connects the group, and says what that took. */
static bool
connect_measured(struct bench_stage *s, uint32_t group, uint32_t clients)
{
	static const char *const keys[] = {
	    "connect_p50_ns", "connect_p99_ns", NULL, "connect_max_ns"};
	static const char *const titles[] = {"connect to established, p50", "p99", NULL, "max"};
	const struct bench_host_memory before = bench_host_memory(&s->host);
	const uint64_t from = bench_stage_now_ns();
	struct bench_host_memory with;
	double seconds;

	if (!bench_stage_connect(s, group))
		return false;
	seconds = (double)(bench_crew_sum(&s->crew, group).opened_ns - from) / 1e9;
	if (!bench_stage_rest(s, SETTLE_MS) || !bench_crew_tell(&s->crew, group))
		return false;
	with = bench_host_memory(&s->host);
	bench_result_figure(s->result, "clients_count", "clients", BENCH_COUNT, (double)clients);
	bench_result_figure(s->result, "connects_per_s", "connects", BENCH_PER_S,
	    seconds > 0 ? clients / seconds : 0);
	bench_result_times(
	    s->result, keys, titles, "connect", "connect to established", &s->crew.connect);
	if (before.pss_bytes != 0)
		bench_result_figure(s->result, "process_memory_bytes",
		    "server's process memory for each client", BENCH_BYTES,
		    ((double)with.pss_bytes - (double)before.pss_bytes) / clients);
	bench_result_figure(s->result, "kernel_memory_bytes",
	    "kernel memory for each, both ends if both are here", BENCH_BYTES,
	    ((double)with.kernel_bytes - (double)before.kernel_bytes) / clients);
	return true;
}

/* Events at the plan's rate to a group, with all that is to be said of them. */
static bool
load_measured(struct bench_stage *s, uint32_t clients_each, uint32_t channels)
{
	static const char *const keys[] = {
	    "acknowledged_p50_ns", "acknowledged_p99_ns", NULL, "acknowledged_max_ns"};
	struct bench_span span;

	s->step = "publishing";
	bench_stage_measure(s);
	span = bench_stage_clock(s);
	if (!bench_stage_load(s, GROUP_MAIN, 0, channels, s->plan->rate, s->plan->seconds) ||
	    !bench_crew_tell(&s->crew, GROUP_MAIN))
		return false;
	add_span(s, &span);
	add_latency(s, clients_each);
	add_acknowledgements(s, keys, "publish to acknowledgement, p50", "acknowledged",
	    "publish to acknowledgement");
	return true;
}

/* ---- scenarios ----------------------------------------------------------------------------------- */

static bool
play_idle(struct bench_stage *s)
{
	struct bench_host_cpu before, after;
	uint64_t from;

	if (!connect_measured(s, GROUP_MAIN, s->plan->clients))
		return false;
	s->step = "idle";
	before = bench_host_cpu(&s->host);
	from = bench_stage_now_ns();
	if (!bench_stage_rest(s, s->plan->seconds * 1000))
		return false;
	after = bench_host_cpu(&s->host);
	bench_result_zero(s->result, "missing_count", "clients missing at the end",
	    (double)s->plan->clients - (double)bench_crew_sum(&s->crew, GROUP_MAIN).open);
	if (s->host.pid_count != 0)
		bench_result_figure(s->result, "idle_cpu_percent",
		    "server CPU while idle, of one core", BENCH_PERCENT,
		    100 * (double)(after.server_ns - before.server_ns) /
			(double)(bench_stage_now_ns() - from));
	return true;
}

static bool
play_broadcast(struct bench_stage *s)
{
	struct bench_host_cpu before, after;

	if (!connect_measured(s, GROUP_MAIN, s->plan->clients) || !bench_stage_begin(s))
		return false;
	s->step = "one event at a time";
	before = bench_host_cpu(&s->host);
	for (unsigned i = 0; i < s->plan->rounds; i++)
		if (!bench_stage_one(s, 1))
			return false;
	after = bench_host_cpu(&s->host);
	if (s->host.pid_count != 0 && s->plan->rounds != 0)
		bench_result_figure(s->result, "single_cpu_per_delivery_ns",
		    "server CPU for each delivery, one event at a time", BENCH_NS,
		    (double)(after.server_ns - before.server_ns) / s->plan->rounds /
			s->plan->clients);
	return load_measured(s, s->plan->clients, 1);
}

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* CPU of a delivery, events going out so many at a time. */
static bool
cost_of(struct bench_stage *s, uint32_t at_once, uint32_t times, double *ns)
{
	const struct bench_host_cpu before = bench_host_cpu(&s->host);

	for (uint32_t i = 0; i < times; i++)
		if (!bench_stage_one(s, at_once))
			return false;
	*ns = (double)(bench_host_cpu(&s->host).server_ns - before.server_ns) /
	      ((double)at_once * times * s->plan->clients);
	return true;
}

static bool
play_burst(struct bench_stage *s)
{
	double *ratios = calloc(s->plan->rounds, sizeof *ratios);
	double single = 0, burst = 0, single_sum = 0, burst_sum = 0;
	bool played = ratios != NULL && connect_measured(s, GROUP_MAIN, s->plan->clients) &&
		      bench_stage_begin(s) && bench_stage_one(s, 1);

	s->step = "single events and bursts in turn";
	if (s->host.pid_count == 0)
		bench_result_remark(s->result,
		    "the server's processes are not known (--pid): there is no CPU to compare");
	bench_stage_measure(s);
	for (unsigned i = 0; played && i < s->plan->rounds; i++) {
		played = cost_of(s, 1, SINGLES, &single) && cost_of(s, s->plan->burst, 1, &burst);
		ratios[i] = single > 0 ? burst / single : 0;
		single_sum += single;
		burst_sum += burst;
	}
	if (played && s->host.pid_count != 0) {
		qsort(ratios, s->plan->rounds, sizeof *ratios, compare);
		bench_result_figure(s->result, "single_cpu_per_delivery_ns",
		    "server CPU for each delivery, single events", BENCH_NS,
		    single_sum / s->plan->rounds);
		bench_result_figure(s->result, "burst_cpu_per_delivery_ns",
		    "server CPU for each delivery, bursts", BENCH_NS, burst_sum / s->plan->rounds);
		bench_result_figure(s->result, "burst_ratio", "burst over single, median",
		    BENCH_RATIO, ratios[s->plan->rounds / 2]);
	}
	if (played && bench_crew_tell(&s->crew, GROUP_MAIN))
		add_latency(s, s->plan->clients);
	free(ratios);
	return played;
}

static bool
play_channels(struct bench_stage *s)
{
	return connect_measured(s, GROUP_MAIN, s->plan->clients) && bench_stage_begin(s) &&
	       load_measured(s, s->plan->clients / s->plan->channels, s->plan->channels);
}

/* Publishes to a channel that nobody has, at the plan's rate: for so long, or until everybody is in. */
static bool
probe(struct bench_stage *s, double seconds, bool until_all_are_in)
{
	const uint64_t started = bench_stage_now_ns();
	struct bench_arrival arrival = {.end_ns = 0};
	uint64_t sent = 0;

	for (;;) {
		const double passed = (double)(bench_stage_now_ns() - started) / 1e9;

		if (until_all_are_in ? bench_crew_sum(&s->crew, GROUP_MAIN).open == s->plan->clients
				     : passed >= seconds)
			return bench_stage_await(s, GROUP_MAIN);
		for (; sent < (uint64_t)(passed * s->plan->rate); sent++)
			if (!bench_stage_publish(s, s->plan->channels))
				return false;
		if ((until_all_are_in && !bench_stage_still_connects(s, GROUP_MAIN, &arrival)) ||
		    !bench_stage_pump(s, 2))
			return false;
	}
}

static bool
play_storm(struct bench_stage *s)
{
	static const char *const quiet[] = {
	    "quiet_acknowledged_p50_ns", "quiet_acknowledged_p99_ns", NULL, NULL};
	static const char *const rush[] = {"storm_acknowledged_p50_ns", "storm_acknowledged_p99_ns",
	    NULL, "storm_acknowledged_max_ns"};
	static const char *const exit_keys[] = {"leave_acknowledged_p50_ns",
	    "leave_acknowledged_p99_ns", NULL, "leave_acknowledged_max_ns"};
	const uint32_t clients = s->plan->clients;
	uint64_t from;
	struct bench_span span;

	s->step = "before the storm";
	bench_stage_measure(s);
	if (!probe(s, STORM_QUIET_S, false))
		return false;
	add_acknowledgements(s, quiet, "publish to acknowledgement before, p50", "quiet", "before");
	s->step = "everybody connects";
	bench_stage_measure(s);
	span = bench_stage_clock(s);
	from = bench_stage_now_ns();
	bench_crew_order(
	    &s->crew, GROUP_MAIN, BENCH_ORDER_OPEN, (uint64_t)(s->plan->ramp * 1000), true);
	if (!probe(s, 0, true))
		return false;
	bench_result_figure(s->result, "clients_count", "clients", BENCH_COUNT, clients);
	bench_result_figure(s->result, "connects_per_s", "connects", BENCH_PER_S,
	    clients / ((double)(bench_crew_sum(&s->crew, GROUP_MAIN).opened_ns - from) / 1e9));
	add_acknowledgements(s, rush, "while they connect, p50", "storm", "while they connect");
	remark_bottleneck(s, &span);
	if (!bench_stage_rest(s, SETTLE_MS))
		return false;
	s->step = "everybody leaves";
	bench_stage_measure(s);
	bench_crew_order(&s->crew, GROUP_MAIN, BENCH_ORDER_PART, 0, false);
	if (!probe(s, STORM_QUIET_S, false))
		return false;
	add_acknowledgements(s, exit_keys, "while they leave, p50", "leave", "while they leave");
	return true;
}

static bool
play_slow(struct bench_stage *s)
{
	static const char *const with_keys[] = {
	    "stalled_latency_p50_ns", "stalled_latency_p99_ns", NULL, "stalled_latency_max_ns"};
	static const char *const titles[] = {
	    "the same beside clients that do not read, p50", "p99", NULL, "max"};
	struct bench_host_memory before, with;
	struct bench_span span;

	if (!connect_measured(s, BENCH_CREW_ALL, s->plan->clients) || !bench_stage_begin(s))
		return false;
	bench_crew_expect(&s->crew, GROUP_OTHER, (uint64_t)(s->plan->rate * s->plan->seconds));
	if (!load_measured(s, s->plan->clients - s->plan->slow, 1))
		return false;
	before = bench_host_memory(&s->host);
	bench_crew_order(&s->crew, GROUP_OTHER, BENCH_ORDER_STALL, 0, false);
	s->step = "some do not read";
	bench_stage_measure(s);
	span = bench_stage_clock(s);
	bench_crew_expect(&s->crew, GROUP_OTHER, (uint64_t)(s->plan->rate * s->plan->seconds));
	if (!bench_stage_load(s, GROUP_MAIN, 0, 1, s->plan->rate, s->plan->seconds) ||
	    !bench_crew_tell(&s->crew, GROUP_MAIN))
		return false;
	with = bench_host_memory(&s->host);
	bench_result_times(s->result, with_keys, titles, "stalled",
	    "publish to receipt, beside clients that do not read", &s->crew.latency);
	if (before.pss_bytes != 0)
		bench_result_figure(s->result, "stalled_memory_bytes",
		    "growth of the server's process memory meanwhile", BENCH_BYTES,
		    (double)with.pss_bytes - (double)before.pss_bytes);
	bench_result_figure(s->result, "stalled_kernel_bytes",
	    "kernel memory for each that does not read, both ends if both are here", BENCH_BYTES,
	    ((double)with.kernel_bytes - (double)before.kernel_bytes) /
		(s->plan->slow != 0 ? s->plan->slow : 1));
	remark_bottleneck(s, &span);
	s->step = "they read again";
	bench_crew_order(&s->crew, GROUP_OTHER, BENCH_ORDER_READ, 0, false);
	bench_stage_await(s, BENCH_CREW_ALL);
	return !s->over;
}

/* Events to the small channel at its rate; with `busy`, the large one is published to whenever its clients have the event before. */
static bool
play_small(struct bench_stage *s, bool busy)
{
	const uint64_t started = bench_stage_now_ns();
	const uint64_t goal = (uint64_t)(QUIET_RATE * s->plan->seconds);
	uint64_t sent = 0;

	bench_stage_measure(s);
	while (sent < goal) {
		const double passed = (double)(bench_stage_now_ns() - started) / 1e9;

		if (sent < (uint64_t)(passed * QUIET_RATE)) {
			bench_crew_expect(&s->crew, GROUP_OTHER, 1);
			if (!bench_stage_publish(s, 1))
				return false;
			sent++;
		}
		if (busy && bench_crew_has_all(&s->crew, GROUP_MAIN)) {
			bench_crew_expect(&s->crew, GROUP_MAIN, 1);
			if (!bench_stage_publish(s, 0))
				return false;
		}
		if (!bench_stage_pump(s, 1))
			return false;
	}
	return bench_stage_await(s, BENCH_CREW_ALL) && bench_crew_tell(&s->crew, GROUP_OTHER);
}

static bool
play_isolation(struct bench_stage *s)
{
	static const char *const quiet_keys[] = {
	    "quiet_latency_p50_ns", "quiet_latency_p99_ns", NULL, "quiet_latency_max_ns"};
	static const char *const quiet_titles[] = {
	    "small channel, the large one quiet: p50", "p99", NULL, "max"};
	static const char *const busy_keys[] = {
	    "busy_latency_p50_ns", "busy_latency_p99_ns", NULL, "busy_latency_max_ns"};
	static const char *const busy_titles[] = {
	    "small channel, the large one busy: p50", "p99", NULL, "max"};
	struct bench_span span;

	if (!connect_measured(s, BENCH_CREW_ALL, s->plan->clients + 1) || !bench_stage_begin(s))
		return false;
	s->step = "the large channel is quiet";
	if (!play_small(s, false))
		return false;
	bench_result_times(s->result, quiet_keys, quiet_titles, "quiet",
	    "small channel, the large one quiet", &s->crew.latency);
	s->step = "the large channel is busy";
	span = bench_stage_clock(s);
	if (!play_small(s, true))
		return false;
	bench_result_times(s->result, busy_keys, busy_titles, "busy",
	    "small channel, the large one busy", &s->crew.latency);
	add_span(s, &span);
	return true;
}

static bool
play_resume(struct bench_stage *s)
{
	const uint32_t behind = s->plan->burst;
	/* Who asks once a second never has everything while more comes. */
	const double live_s = s->plan->transport == BENCH_POLL ? 1 : DRAIN_MS / 1000;
	uint64_t from;
	uint64_t live = 0;
	struct bench_span span;

	if (!connect_measured(s, BENCH_CREW_ALL, s->plan->clients + 1) || !bench_stage_begin(s))
		return false;
	s->step = "everybody leaves";
	bench_crew_expect(&s->crew, BENCH_CREW_ALL, 1);
	if (!bench_stage_publish(s, 0) || !bench_stage_await(s, BENCH_CREW_ALL))
		return false;
	bench_crew_order(&s->crew, GROUP_MAIN, BENCH_ORDER_PART, 0, false);
	if (!bench_stage_rest(s, SETTLE_MS))
		return false;
	bench_crew_expect(&s->crew, BENCH_CREW_ALL, behind);
	for (uint32_t i = 0; i < behind; i++)
		if (!bench_stage_publish(s, 0))
			return false;
	if (!bench_stage_await(s, GROUP_OTHER))
		return false;
	s->step = "everybody comes back";
	bench_stage_measure(s);
	span = bench_stage_clock(s);
	from = bench_stage_now_ns();
	bench_crew_order(
	    &s->crew, GROUP_MAIN, BENCH_ORDER_OPEN, (uint64_t)(s->plan->ramp * 1000), true);
	while (!bench_crew_has_all(&s->crew, GROUP_MAIN)) {
		const double passed = (double)(bench_stage_now_ns() - from) / 1e9;

		if (passed > DRAIN_MS / 1000)
			break; /* what is missing is counted as lost */
		for (; passed < live_s && live < (uint64_t)(passed * s->plan->rate); live++) {
			bench_crew_expect(&s->crew, BENCH_CREW_ALL, 1);
			if (!bench_stage_publish(s, 0))
				return false;
		}
		if (!bench_stage_pump(s, 2))
			return false;
	}
	bench_result_figure(s->result, "resume_ns", "until all have caught up", BENCH_NS,
	    (double)(bench_stage_now_ns() - from));
	bench_stage_await(s, BENCH_CREW_ALL);
	add_span(s, &span);
	if (s->over || !bench_crew_tell(&s->crew, GROUP_OTHER))
		return false;
	{
		static const char *const keys[] = {
		    "live_latency_p50_ns", "live_latency_p99_ns", NULL, "live_latency_max_ns"};
		static const char *const titles[] = {
		    "publish to receipt by one who stayed, p50", "p99", NULL, "max"};

		bench_result_times(s->result, keys, titles, "live",
		    "publish to receipt by one who stayed", &s->crew.latency);
	}
	return true;
}

/* ---- the frame ----------------------------------------------------------------------------------- */

/* How the clients are grouped: those that the scenario is about, and others beside them. */
static uint32_t
group(const struct bench_plan *plan, struct bench_group groups[static BENCH_CREW_GROUPS_MAX])
{
	groups[GROUP_MAIN] = (struct bench_group){plan->clients, 0, plan->channels};
	switch (plan->scenario) {
	case BENCH_SLOW:
		groups[GROUP_MAIN].clients -= plan->slow;
		groups[GROUP_OTHER] = (struct bench_group){plan->slow, 0, 1};
		return plan->slow == 0 ? 1 : 2;
	case BENCH_ISOLATION:
		groups[GROUP_OTHER] = (struct bench_group){1, 1, 1};
		return 2;
	case BENCH_RESUME:
		groups[GROUP_OTHER] = (struct bench_group){1, 0, 1};
		return 2;
	case BENCH_IDLE:
	case BENCH_BROADCAST:
	case BENCH_BURST:
	case BENCH_CHANNELS:
	case BENCH_STORM:
	case BENCH_SCENARIOS:
		break;
	}
	return 1;
}

static bool (*const plays[BENCH_SCENARIOS])(struct bench_stage *s) = {
    [BENCH_IDLE] = play_idle,
    [BENCH_BROADCAST] = play_broadcast,
    [BENCH_BURST] = play_burst,
    [BENCH_CHANNELS] = play_channels,
    [BENCH_STORM] = play_storm,
    [BENCH_SLOW] = play_slow,
    [BENCH_ISOLATION] = play_isolation,
    [BENCH_RESUME] = play_resume,
};

bool
bench_scenario_play(struct ctl *c, const struct bench_plan *plan, struct bench_result *result)
{
	struct bench_group groups[BENCH_CREW_GROUPS_MAX];
	const uint32_t group_count = group(plan, groups);
	struct bench_stage *s = malloc(sizeof *s);
	bool played;

	if (s == NULL) {
		ctl_fail(c, "out of memory");
		return false;
	}
	/* One channel more than clients have: the storm's probes go there. */
	played = bench_stage_open(s, c, plan, result, groups, group_count, plan->channels + 1) &&
		 plays[plan->scenario](s);
	if (played)
		add_losses(s);
	bench_stage_close(s);
	free(s);
	return played;
}
