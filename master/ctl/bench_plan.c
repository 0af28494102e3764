/*
 * bench_plan.c: see bench_plan.h.
 */
#include "master/ctl/bench_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "master/ctl/bench_crew.h"
#include "master/ctl/bench_event.h"
#include "master/ctl/bench_source.h"
#include "master/ctl/client.h"

#define DEFAULT_URL "http://127.0.0.1:8080"
#define CLIENTS_MAX 10000000
#define PROCESS_CLIENTS_MAX 16000 /* ports that a source address has for one server, with room */
#define DESCRIPTORS_SPARE 64
#define EVENT_BYTES_MAX (16u << 20)
#define TEMPLATE_BYTES_MAX 2000
#define HELLO_BYTES_MAX 500

/* What a scenario does when nothing is said. */
static const struct scenario {
	const char *name;
	uint32_t clients, channels;
	double rate;
	unsigned seconds, rounds;
} scenarios[BENCH_SCENARIOS] = {
    [BENCH_IDLE] = {"idle", 10000, 1, 1, 30, 0},
    [BENCH_BROADCAST] = {"broadcast", 1000, 1, 20, 10, 20},
    [BENCH_BURST] = {"burst", 1000, 1, 1, 0, 15},
    [BENCH_CHANNELS] = {"channels", 1000, 1000, 2000, 10, 0},
    [BENCH_STORM] = {"storm", 10000, 1, 100, 5, 0},
    [BENCH_SLOW] = {"slow", 1000, 1, 50, 10, 0},
    [BENCH_ISOLATION] = {"isolation", 10000, 1, 20, 10, 0},
    [BENCH_RESUME] = {"resume", 1000, 1, 20, 0, 0},
};

static const char *const transports[BENCH_TRANSPORTS] = {
    [BENCH_SSE] = "sse",
    [BENCH_WS] = "ws",
    [BENCH_LONGPOLL] = "longpoll",
    [BENCH_POLL] = "poll",
};

/* The options as they were written. */
struct words {
	const char *transport, *clients, *channels, *size, *rate, *seconds, *rounds, *burst, *slow,
	    *ramp, *url, *process_clients, *pids;
};

const char *
bench_plan_scenario(enum bench_scenario scenario)
{
	return scenarios[scenario].name;
}

const char *
bench_plan_transport(enum bench_transport transport)
{
	return transports[transport];
}

void
bench_plan_channel(const struct bench_plan *plan, uint32_t n, struct out *o)
{
	char name[40];

	snprintf(name, sizeof name, "bench-%08x-%u", plan->run, n);
	out_text(o, name);
}

void
bench_plan_fill(const struct bench_plan *plan, const char *template, uint32_t channel,
    uint32_t client, struct out *o)
{
	while (*template != '\0') {
		const size_t plain = strcspn(template, "{");

		out_bytes(o, template, plain);
		template += plain;
		if (strncmp(template, "{channel}", 9) == 0) {
			bench_plan_channel(plan, channel, o);
			template += 9;
		} else if (strncmp(template, "{client}", 8) == 0) {
			out_u64(o, client);
			template += 8;
		} else if (*template != '\0') {
			out_char(o, *template ++);
		}
	}
}

/* ---- reading the words -------------------------------------------------------------------------- */

/* A whole number in an option, within bounds; absent: stays as it is. False after telling the mistake. */
static bool
read_count(struct ctl *c, const char *option, const char *text, uint64_t min, uint64_t max,
    uint32_t *value)
{
	uint64_t number;

	if (text == NULL)
		return true;
	if (!ctl_number(text, max, &number) || number < min) {
		ctl_misuse(c, "bench", "%s is a number from %llu to %llu, not \"%s\"", option,
		    (unsigned long long)min, (unsigned long long)max, text);
		return false;
	}
	*value = (uint32_t)number;
	return true;
}

static bool
read_rate(struct ctl *c, const char *option, const char *text, double *value)
{
	char *end;

	if (text == NULL)
		return true;
	*value = strtod(text, &end);
	if (end != text && *end == '\0' && *value > 0 && *value <= 1e7)
		return true;
	ctl_misuse(
	    c, "bench", "%s is a number a second, such as 0.5 or 100, not \"%s\"", option, text);
	return false;
}

static bool
read_name(struct ctl *c, const char *what, const char *text, const char *const names[],
    unsigned count, unsigned *value)
{
	char known[160];
	size_t len = 0;

	for (unsigned i = 0; i < count; i++) {
		if (strcmp(text, names[i]) == 0) {
			*value = i;
			return true;
		}
		len += (size_t)snprintf(
		    known + len, sizeof known - len, "%s%s", i == 0 ? "" : ", ", names[i]);
	}
	ctl_misuse(c, "bench", "there is no %s \"%s\": there are %s", what, text, known);
	return false;
}

static bool
read_scenario(struct bench_plan *plan, struct ctl *c, const struct ctl_operands *operands)
{
	const char *names[BENCH_SCENARIOS];
	unsigned found = BENCH_BROADCAST;
	const struct scenario *s;

	for (unsigned i = 0; i < BENCH_SCENARIOS; i++)
		names[i] = scenarios[i].name;
	if (operands->count > 1) {
		ctl_misuse(c, "bench", "one scenario at a time");
		return false;
	}
	if (operands->count == 1 &&
	    !read_name(c, "scenario", operands->of[0], names, BENCH_SCENARIOS, &found))
		return false;
	s = &scenarios[found];
	plan->scenario = (enum bench_scenario)found;
	plan->clients = s->clients;
	plan->channels = s->channels;
	plan->rate = s->rate;
	plan->seconds = s->seconds;
	plan->rounds = s->rounds;
	plan->burst = found == BENCH_RESUME ? 1000 : 100;
	plan->size = 128;
	return true;
}

static bool
read_pids(struct bench_plan *plan, struct ctl *c, const char *text)
{
	while (text != NULL && *text != '\0') {
		char *end;
		const long pid = strtol(text, &end, 10);

		if (end == text || pid <= 0 || (*end != '\0' && *end != ',') ||
		    plan->pid_count == BENCH_PIDS_MAX) {
			ctl_misuse(c, "bench", "--pid is process numbers with commas between them");
			return false;
		}
		plan->pids[plan->pid_count++] = (pid_t)pid;
		text = *end == ',' ? end + 1 : end;
	}
	return true;
}

static bool
read_numbers(struct bench_plan *plan, struct ctl *c, const struct words *w)
{
	unsigned transport = BENCH_SSE;

	if (w->transport != NULL &&
	    !read_name(c, "transport", w->transport, transports, BENCH_TRANSPORTS, &transport))
		return false;
	plan->transport = (enum bench_transport)transport;
	if (!read_count(c, "--clients", w->clients, 1, CLIENTS_MAX, &plan->clients))
		return false;
	plan->slow = plan->clients / 10;
	if (plan->channels > plan->clients)
		plan->channels = plan->clients;
	return read_count(c, "--channels", w->channels, 1, CLIENTS_MAX, &plan->channels) &&
	       read_count(
		   c, "--size", w->size, BENCH_EVENT_BYTES_MIN, EVENT_BYTES_MAX, &plan->size) &&
	       read_rate(c, "--rate", w->rate, &plan->rate) &&
	       read_count(c, "--seconds", w->seconds, 1, 86400, &plan->seconds) &&
	       read_count(c, "--rounds", w->rounds, 1, 100000, &plan->rounds) &&
	       read_count(c, "--burst", w->burst, 1, 1000000, &plan->burst) &&
	       read_count(c, "--slow", w->slow, 0, plan->clients, &plan->slow) &&
	       read_rate(c, "--ramp", w->ramp, &plan->ramp) &&
	       read_count(c, "--process-clients", w->process_clients, 1, CLIENTS_MAX,
		   &plan->process_clients) &&
	       read_pids(plan, c, w->pids);
}

/* ---- the surroundings --------------------------------------------------------------------------- */

/* How many clients a process can hold: what its descriptors allow, and the ports of its address. */
static void
size_processes(struct bench_plan *plan)
{
	struct rlimit limit;

	if (plan->process_clients != 0)
		return;
	plan->process_clients = PROCESS_CLIENTS_MAX;
	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
		getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < PROCESS_CLIENTS_MAX + DESCRIPTORS_SPARE)
		plan->process_clients = limit.rlim_cur > 2 * DESCRIPTORS_SPARE
					    ? (uint32_t)limit.rlim_cur - DESCRIPTORS_SPARE
					    : DESCRIPTORS_SPARE;
}

/* Finds the server's address: the first of its host's that takes a connection. */
static bool
find_address(struct bench_plan *plan, struct ctl *c)
{
	struct client probe = {.fd = -1};
	bool found;
	struct sockaddr_un *file = (struct sockaddr_un *)&plan->address;

	if (plan->url.host[0] == '\0') {
		if (strlen(plan->url.file) >= sizeof file->sun_path) {
			ctl_fail(c, "%s is too long for a socket's path", plan->url.file);
			return false;
		}
		file->sun_family = AF_UNIX;
		strcpy(file->sun_path, plan->url.file);
		plan->address_len = sizeof *file;
		return true;
	}
	if (!client_open_url(&probe, c, &plan->url, !bench_plan_is_ringcast(plan))) {
		if (!bench_plan_is_ringcast(plan))
			ctl_fail(c, "cannot connect to %s", plan->url.authority);
		return false;
	}
	plan->address_len = sizeof plan->address;
	found = getpeername(probe.fd, (struct sockaddr *)&plan->address, &plan->address_len) == 0;
	if (!found)
		ctl_fail(c, "%s: %s", plan->url.host, strerror(errno));
	client_close(&probe);
	return found;
}

/* A template is a whole URL; the server is in front, the resource behind stays a template. */
static bool
read_template(struct bench_plan *plan, struct ctl *c)
{
	char text[URL_PATH_BYTES];
	const char *scheme, *path;
	const char *wrong;

	if (plan->subscribe == NULL)
		return true;
	scheme = strstr(plan->subscribe, "://");
	path = scheme == NULL ? NULL : strchr(scheme + 3, '/');
	if (path == NULL || (size_t)(path - plan->subscribe) >= sizeof text) {
		ctl_misuse(c, "bench",
		    "--subscribe-url is a whole URL, such as http://127.0.0.1:9000/sub/{channel}");
		return false;
	}
	memcpy(text, plan->subscribe, (size_t)(path - plan->subscribe));
	text[path - plan->subscribe] = '\0';
	wrong = url_parse(text, &plan->url);
	if (wrong != NULL)
		ctl_misuse(c, "bench", "--subscribe-url %s: %s", plan->subscribe, wrong);
	plan->subscribe = path;
	return wrong == NULL;
}

static const char *
find_mistake(const struct bench_plan *plan, const struct words *w)
{
	if (plan->subscribe != NULL && w->url != NULL)
		return "--subscribe-url names the server: --url is one too many";
	if (plan->subscribe != NULL && plan->publish == NULL && plan->scenario != BENCH_IDLE)
		return "--subscribe-url needs --publish-url: how else would events get there?";
	if (plan->subscribe == NULL && plan->hello != NULL)
		return "--hello is for other servers: it goes with --subscribe-url";
	if (plan->subscribe == NULL && plan->publish != NULL)
		return "ringcast is published to through its socket: --socket names another";
	if (plan->channels > 1 && plan->scenario != BENCH_CHANNELS && plan->scenario != BENCH_IDLE)
		return "--channels is for the scenarios channels and idle: the others have one";
	if (plan->sources != NULL && bench_source_count(plan->sources) == 0)
		return "--sources is addresses with commas between them, such as 10.0.0.1,10.0.0.2";
	if (plan->subscribe != NULL && strlen(plan->subscribe) > TEMPLATE_BYTES_MAX)
		return "--subscribe-url is too long: 2,000 bytes and no more";
	if (plan->hello != NULL && strlen(plan->hello) > HELLO_BYTES_MAX)
		return "--hello is too long: 500 bytes and no more";
	if (plan->channels > plan->clients)
		return "more channels than clients: some would have nobody";
	return NULL;
}

enum ctl_exit
bench_plan_read(struct bench_plan *plan, struct ctl *c, int argc, char **argv)
{
	struct words w = {.url = NULL};
	struct ctl_operands operands;
	const char *wrong;

	*plan = (struct bench_plan){.clients = 0};
	{
		const struct ctl_option options[] = {
		    {"--transport", &w.transport, NULL},
		    {"--clients", &w.clients, NULL},
		    {"--channels", &w.channels, NULL},
		    {"--size", &w.size, NULL},
		    {"--rate", &w.rate, NULL},
		    {"--seconds", &w.seconds, NULL},
		    {"--rounds", &w.rounds, NULL},
		    {"--burst", &w.burst, NULL},
		    {"--slow", &w.slow, NULL},
		    {"--ramp", &w.ramp, NULL},
		    {"--process-clients", &w.process_clients, NULL},
		    {"--url", &w.url, NULL},
		    {"--sources", &plan->sources, NULL},
		    {"--subscribe-url", &plan->subscribe, NULL},
		    {"--publish-url", &plan->publish, NULL},
		    {"--hello", &plan->hello, NULL},
		    {"--socket", &plan->socket, NULL},
		    {"--pid", &w.pids, NULL},
		    {"--json", &plan->json, NULL},
		    {"--html", &plan->html, NULL},
		    {NULL, NULL, NULL},
		};

		if (!ctl_parse(c, "bench", options, argc, argv, &operands))
			return CTL_USAGE;
	}
	if (!read_scenario(plan, c, &operands) || !read_numbers(plan, c, &w) ||
	    !read_template(plan, c))
		return CTL_USAGE;
	wrong = find_mistake(plan, &w);
	if (wrong == NULL && plan->subscribe == NULL) {
		const char *text = w.url != NULL ? w.url : c->url != NULL ? c->url : DEFAULT_URL;

		wrong = url_parse(text, &plan->url);
		if (wrong != NULL)
			return ctl_misuse(c, "bench", "the URL %s: %s", text, wrong);
	}
	if (wrong != NULL)
		return ctl_misuse(c, "bench", "%s", wrong);
	if (getrandom(&plan->run, sizeof plan->run, 0) != sizeof plan->run)
		plan->run = (uint32_t)getpid();
	size_processes(plan);
	/* A process of each of two groups may not be full. */
	if (plan->clients / plan->process_clients + 3 > BENCH_CREW_PROCESSES_MAX)
		return ctl_misuse(c, "bench",
		    "%u clients are too many: %u processes of %u each (--process-clients, ulimit -Hn)",
		    plan->clients, BENCH_CREW_PROCESSES_MAX, plan->process_clients);
	return find_address(plan, c) ? CTL_OK : CTL_FAILED;
}
