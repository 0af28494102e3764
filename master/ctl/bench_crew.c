/*
 * bench_crew.c: see bench_crew.h.
 */
#include "master/ctl/bench_crew.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TELL_MS 10000
#define SOCKET_BYTES (1 << 20)
#define REACH_MAX (1u << 22)

static bool
belongs(const struct bench_process *p, uint32_t group)
{
	return group == BENCH_CREW_ALL || p->group == group;
}

/* ---- processes ---------------------------------------------------------------------------------- */

/* The child's life. Ends with its parent. */
static void
live(const struct bench_crew *crew, const struct bench_process *p, int fd, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_IGN); /* the parent decides what an interrupt means */
	if (getppid() != parent)
		_exit(1);
	for (uint32_t i = 0; i < crew->count; i++)
		close(crew->processes[i].fd);
	_exit(bench_load_run(crew->plan, &p->share, fd));
}

static bool
start(struct bench_crew *crew, struct bench_process *p)
{
	const pid_t parent = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return false;
	for (int i = 0; i < 2; i++)
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &(int){SOCKET_BYTES}, sizeof(int));
	p->pid = fork();
	if (p->pid == 0) {
		close(pair[0]);
		live(crew, p, pair[1], parent);
	}
	close(pair[1]);
	p->fd = pair[0];
	if (p->pid != -1)
		return true;
	close(p->fd);
	p->fd = -1;
	return false;
}

bool
bench_crew_start(struct bench_crew *crew, const struct bench_plan *plan,
    const struct bench_group *groups, uint32_t group_count)
{
	uint32_t first = 0;

	*crew = (struct bench_crew){.plan = plan};
	crew->processes = calloc(BENCH_CREW_PROCESSES_MAX, sizeof *crew->processes);
	if (crew->processes == NULL)
		return false;
	fflush(NULL);
	for (uint32_t g = 0; g < group_count; g++) {
		const uint32_t each = plan->process_clients;
		const uint32_t needed = (groups[g].clients + each - 1) / each;

		for (uint32_t i = 0; i < needed; i++) {
			struct bench_process *p = &crew->processes[crew->count];

			if (crew->count == BENCH_CREW_PROCESSES_MAX) {
				errno = EAGAIN;
				return false;
			}
			p->group = g;
			p->share = (struct bench_share){
			    .first = first,
			    .count = groups[g].clients / needed + (i < groups[g].clients % needed),
			    .channel_first = groups[g].channel_first,
			    .channel_count = groups[g].channel_count,
			    .ordinal = crew->count,
			};
			first += p->share.count;
			if (!start(crew, p))
				return false;
			crew->count++;
		}
	}
	return true;
}

void
bench_crew_stop(struct bench_crew *crew)
{
	for (uint32_t i = 0; i < crew->count; i++)
		if (crew->processes[i].fd != -1)
			close(crew->processes[i].fd);
	for (uint32_t i = 0; i < crew->count; i++)
		while (waitpid(crew->processes[i].pid, NULL, 0) == -1 && errno == EINTR)
			continue;
	free(crew->processes);
	free(crew->reach);
	*crew = (struct bench_crew){.plan = NULL};
}

/* ---- orders ------------------------------------------------------------------------------------- */

static void
send_order(struct bench_process *p, enum bench_order_kind kind, uint64_t value)
{
	const struct bench_order order = {.kind = kind, .value = value};

	while (p->fd != -1 && send(p->fd, &order, sizeof order, MSG_NOSIGNAL) == -1)
		if (errno != EINTR)
			return; /* dead: bench_crew_take will notice */
}

static uint64_t
clients_in(const struct bench_crew *crew, uint32_t group)
{
	uint64_t clients = 0;

	for (uint32_t i = 0; i < crew->count; i++)
		if (belongs(&crew->processes[i], group))
			clients += crew->processes[i].share.count;
	return clients;
}

void
bench_crew_order(struct bench_crew *crew, uint32_t group, enum bench_order_kind kind,
    uint64_t value, bool shared)
{
	const uint64_t clients = shared ? clients_in(crew, group) : 1;

	for (uint32_t i = 0; i < crew->count; i++) {
		struct bench_process *p = &crew->processes[i];
		const uint64_t share = shared ? value * p->share.count / clients : value;

		/* A share of something is not nothing. */
		if (belongs(p, group))
			send_order(p, kind, value != 0 && share == 0 ? 1 : share);
	}
}

void
bench_crew_expect(struct bench_crew *crew, uint32_t group, uint64_t events_per_channel)
{
	for (uint32_t i = 0; i < crew->count; i++) {
		struct bench_process *p = &crew->processes[i];

		if (!belongs(p, group))
			continue;
		p->expected += events_per_channel * p->share.count;
		send_order(p, BENCH_ORDER_EXPECT, p->expected);
	}
}

bool
bench_crew_has_all(const struct bench_crew *crew, uint32_t group)
{
	for (uint32_t i = 0; i < crew->count; i++) {
		const struct bench_process *p = &crew->processes[i];

		if (belongs(p, group) && p->fd != -1 &&
		    p->tally.received + p->tally.declared < p->expected)
			return false;
	}
	return true;
}

void
bench_crew_write_off(struct bench_crew *crew, uint32_t group)
{
	for (uint32_t i = 0; i < crew->count; i++) {
		struct bench_process *p = &crew->processes[i];
		const uint64_t had = p->tally.received + p->tally.declared;

		if (!belongs(p, group) || p->expected <= had)
			continue;
		crew->missing += p->expected - had;
		p->expected = had;
	}
}

/* ---- answers ------------------------------------------------------------------------------------ */

uint32_t
bench_crew_poll(const struct bench_crew *crew, struct pollfd *fds)
{
	for (uint32_t i = 0; i < crew->count; i++)
		fds[i] = (struct pollfd){.fd = crew->processes[i].fd, .events = POLLIN};
	return crew->count;
}

static void
merge_reach(struct bench_crew *crew, const struct bench_answer *answer)
{
	const uint32_t end = answer->first + answer->count;

	if (crew->reach_first == 0)
		crew->reach_first = answer->first;
	if (answer->first < crew->reach_first || end - crew->reach_first > REACH_MAX)
		return;
	if (end - crew->reach_first > crew->reach_count) {
		const uint32_t count = end - crew->reach_first;
		struct bench_reach *grown = realloc(crew->reach, count * sizeof *grown);

		if (grown == NULL)
			return;
		memset(grown + crew->reach_count, 0, (count - crew->reach_count) * sizeof *grown);
		crew->reach = grown;
		crew->reach_count = count;
	}
	for (uint32_t i = 0; i < answer->count; i++) {
		struct bench_reach *to = &crew->reach[answer->first - crew->reach_first + i];

		to->count += answer->reach[i].count;
		if (answer->reach[i].last_ns > to->last_ns)
			to->last_ns = answer->reach[i].last_ns;
	}
}

static void
take_answer(struct bench_crew *crew, struct bench_process *p, const struct bench_answer *answer)
{
	switch ((enum bench_answer_kind)answer->kind) {
	case BENCH_ANSWER_TALLY:
		p->tally = answer->tally;
		break;
	case BENCH_ANSWER_LATENCY:
		bench_histogram_merge(&crew->latency, &answer->histogram);
		break;
	case BENCH_ANSWER_CONNECT:
		bench_histogram_merge(&crew->connect, &answer->histogram);
		break;
	case BENCH_ANSWER_REACH:
		merge_reach(crew, answer);
		break;
	case BENCH_ANSWER_DONE:
		p->told = true;
		break;
	}
}

void
bench_crew_take(struct bench_crew *crew)
{
	struct bench_answer answer;

	for (uint32_t i = 0; i < crew->count; i++) {
		struct bench_process *p = &crew->processes[i];
		ssize_t n;

		while (
		    p->fd != -1 && (n = recv(p->fd, &answer, sizeof answer, MSG_DONTWAIT)) != -1) {
			if (n == 0) {
				close(p->fd);
				p->fd = -1;
				crew->ended++;
				break;
			}
			take_answer(crew, p, &answer);
		}
	}
}

bool
bench_crew_tell(struct bench_crew *crew, uint32_t group)
{
	struct pollfd fds[BENCH_CREW_PROCESSES_MAX];
	bool all = false;

	memset(&crew->latency, 0, sizeof crew->latency);
	memset(&crew->connect, 0, sizeof crew->connect);
	free(crew->reach);
	crew->reach = NULL;
	crew->reach_first = crew->reach_count = 0;
	for (uint32_t i = 0; i < crew->count; i++)
		crew->processes[i].told = !belongs(&crew->processes[i], group);
	bench_crew_order(crew, group, BENCH_ORDER_TELL, 0, false);
	for (int waited_ms = 0; !all && waited_ms < TELL_MS; waited_ms += 10) {
		poll(fds, bench_crew_poll(crew, fds), 10);
		bench_crew_take(crew);
		all = true;
		for (uint32_t i = 0; i < crew->count; i++)
			all = all && (crew->processes[i].told || crew->processes[i].fd == -1);
	}
	return all;
}

/* ---- sums --------------------------------------------------------------------------------------- */

static uint64_t
later_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

struct bench_tally
bench_crew_sum(const struct bench_crew *crew, uint32_t group)
{
	struct bench_tally sum = {.received = 0};

	for (uint32_t i = 0; i < crew->count; i++) {
		const struct bench_tally *t = &crew->processes[i].tally;

		if (!belongs(&crew->processes[i], group))
			continue;
		sum.received += t->received;
		sum.open += t->open;
		sum.connects += t->connects;
		sum.lost += t->lost;
		sum.declared += t->declared;
		sum.late += t->late;
		sum.twice += t->twice;
		sum.damaged += t->damaged;
		sum.foreign += t->foreign;
		sum.gaps += t->gaps;
		sum.refused += t->refused;
		sum.cut += t->cut;
		sum.failed += t->failed;
		sum.malformed += t->malformed;
		sum.bytes += t->bytes;
		sum.cpu_ns += t->cpu_ns;
		sum.last_ns = later_of(sum.last_ns, t->last_ns);
		sum.opened_ns = later_of(sum.opened_ns, t->opened_ns);
		sum.status = t->status != 0 ? t->status : sum.status;
		sum.error = t->error != 0 ? t->error : sum.error;
	}
	return sum;
}

void
bench_crew_clock(struct bench_crew *crew)
{
	for (uint32_t i = 0; i < crew->count; i++)
		crew->processes[i].cpu_from_ns = crew->processes[i].tally.cpu_ns;
}

uint64_t
bench_crew_cpu(const struct bench_crew *crew, uint64_t *busiest)
{
	uint64_t sum = 0;

	*busiest = 0;
	for (uint32_t i = 0; i < crew->count; i++) {
		const struct bench_process *p = &crew->processes[i];
		const uint64_t cpu = p->tally.cpu_ns - p->cpu_from_ns;

		sum += cpu;
		*busiest = later_of(*busiest, cpu);
	}
	return sum;
}
