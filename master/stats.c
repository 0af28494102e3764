/*
 * stats.c: see stats.h. One table a source (ring, publish socket, master, a worker), used for both formats, so that a
 * figure has the same value and cannot be in one and missing in the other.
 */
#include "master/stats.h"

#include <stdio.h>

#include "master/master.h"
#include "master/publish.h"
#include "master/supervise.h"
#include "master/version.h"
#include "proto/error.h"
#include "proto/id.h"
#include "shm/board.h"
#include "shm/ring_read.h"
#include "shm/ring_write.h"

#define FIGURES_MAX 32

/* One number without labels. */
struct figure {
	const char *name; /* as in JSON; in Prometheus with the prefix, and _total for counters */
	const char *help;
	bool gauge;
	uint64_t value;
};

struct figures {
	const char *group; /* JSON member, and part of the Prometheus name */
	size_t count;
	struct figure of[FIGURES_MAX];
};

static void
add(struct figures *f, const char *name, bool gauge, uint64_t value, const char *help)
{
	f->of[f->count++] = (struct figure){name, help, gauge, value};
}

static void
ring_figures(struct master *m, struct figures *f)
{
	struct ring *ring = ring_write_ring(m->ring);
	uint64_t tail = ring_read_tail(ring), oldest = ring_read_oldest(ring);
	struct ring_counts counts;

	ring_counts(ring, &counts);
	*f = (struct figures){.group = "ring"};
	add(f, "size_bytes", true, ring->size, "Size of the ring.");
	add(f, "used_bytes", true, tail - oldest, "Bytes of records that are kept.");
	/* The writer's own counters, read by the writer: they agree. */
	add(f, "kept_records", true, counts.records - counts.lapped, "Records that are kept.");
	add(f, "tail_bytes", false, tail,
	    "Position up to which the ring was written, since its birth.");
	add(f, "oldest_bytes", false, oldest, "Position of the oldest record kept.");
	add(f, "records", false, counts.records, "Records written.");
	add(f, "written_bytes", false, counts.bytes, "Bytes of records written.");
	add(f, "lapped", false, counts.lapped, "Records overwritten by newer ones.");
	add(f, "evicted", false, counts.evicted,
	    "Channels that lost their history for want of an index entry.");
}

static void
publish_figures(struct master *m, struct figures *f)
{
	const struct publish_counts *c = publish_counts(m);

	*f = (struct figures){.group = "publish"};
	add(f, "events", false, c->events, "Events that entered the ring.");
	add(f, "data_bytes", false, c->bytes, "Bytes of their data.");
	add(f, "duplicates", false, c->duplicates, "Publishes whose key was still known.");
	add(f, "commits", false, c->commits, "Commits: groups of events made visible at once.");
	add(f, "requests", false, c->requests,
	    "HTTP requests on the publish socket and admin_listen.");
	add(f, "connections", true, publish_session_count(m),
	    "Open connections to the publish socket.");
	add(f, "accepted", false, c->sessions, "Connections accepted on the publish socket.");
	add(f, "refused", false, c->sessions_refused,
	    "Connections refused there: user not allowed, or too many.");
	add(f, "stalled", false, c->sessions_stalled,
	    "Connections closed there: answers unread for too long.");
}

static void
master_figures(struct master *m, struct figures *f)
{
	const struct master_counters *c = &m->counters;

	*f = (struct figures){.group = "master"};
	add(f, "clients", true, master_connections(m), "Clients, by the master's own books.");
	add(f, "accepted", false, c->accepted, "Clients accepted.");
	add(f, "handed_off", false, c->handed_off, "Clients that a worker has taken.");
	add(f, "handed_again", false, c->handed_again,
	    "Clients given to another worker because the first one died.");
	add(f, "refused_connections", false, c->refused_connections,
	    "Clients refused: too many, or every worker full.");
	add(f, "refused_address", false, c->refused_address,
	    "Clients refused: too many from their address.");
	add(f, "accept_paused", false, c->accept_paused,
	    "Times that accepting paused: no descriptors or no credit.");
	add(f, "accept_errors", false, c->accept_errors, "Failures to accept.");
	add(f, "workers_started", false, c->workers_started, "Workers started.");
	add(f, "workers_died", false, c->workers_died, "Workers that died.");
	add(f, "orders_refused", false, c->orders_refused,
	    "Orders that did not fit a worker's queue.");
	add(f, "reloads", false, c->reloads, "Configurations taken over.");
	add(f, "reloads_failed", false, c->reloads_failed,
	    "Configurations refused for their mistakes.");
}

static uint64_t
uptime_s(const struct master *m)
{
	return (loop_now_ns(m->loop) - m->started_ns) / 1000000000;
}

static const char *
state_text(const struct master *m)
{
	switch (m->state) {
	case MASTER_STARTING:
		return "starting";
	case MASTER_SERVING:
		return "serving";
	case MASTER_DRAINING:
		return "draining";
	}
	return "";
}

/* Bytes of the ring that the worker has not read. */
static uint64_t
worker_behind(struct master *m, unsigned worker)
{
	uint64_t tail = ring_read_tail(ring_write_ring(m->ring));
	uint64_t position = board_position(master_board(m, worker));

	return position != 0 && position < tail ? tail - position : 0;
}

/* A counter goes on rising when its worker is started again; a gauge is of the process that runs. */
static uint64_t
counter_of(struct master *m, unsigned worker, enum board_counter counter)
{
	uint64_t past = board_info(counter)->gauge ? 0 : m->seats[worker].past[counter];

	return past + board_get(master_board(m, worker), counter);
}

/* ---- JSON -------------------------------------------------------------------------------------------- */

static void
put_member(struct out *o, bool first, const char *name, uint64_t value)
{
	out_text(o, first ? "\"" : ",\"");
	out_text(o, name);
	out_text(o, "\":");
	out_u64(o, value);
}

static void
put_id_member(struct out *o, const char *name, uint64_t id)
{
	out_text(o, ",\"");
	out_text(o, name);
	out_text(o, "\":\"");
	id_render(o, id);
	out_char(o, '"');
}

/* Opens a group with its figures; the caller closes it. */
static void
put_figures(struct out *o, const struct figures *f)
{
	out_text(o, ",\"");
	out_text(o, f->group);
	out_text(o, "\":{");
	for (size_t i = 0; i < f->count; i++)
		put_member(o, i == 0, f->of[i].name, f->of[i].value);
}

/* The name of a board's counter: connections{transport="ws"} is connections_ws, closed_total{cause="ping"} closed_ping. */
static void
put_counter_name(struct out *o, const struct board_counter_info *info)
{
	struct slice name = slice_text(info->name), total = SLICE_LITERAL("_total");
	const char *value = info->label == NULL ? NULL : strchr(info->label, '"');

	if (name.len > total.len &&
	    memcmp(name.bytes + name.len - total.len, total.bytes, total.len) == 0)
		name.len -= total.len;
	out_slice(o, name);
	if (value == NULL)
		return;
	out_char(o, '_');
	out_bytes(o, value + 1, strcspn(value + 1, "\""));
}

/* The counters of one worker, or of all in sum. */
static void
put_counters(struct out *o, struct master *m, unsigned from, unsigned to)
{
	for (enum board_counter counter = 0; counter < BOARD_COUNTERS; counter++) {
		uint64_t sum = 0;

		for (unsigned worker = from; worker < to; worker++)
			sum += counter_of(m, worker, counter);
		out_text(o, counter == 0 ? "\"" : ",\"");
		put_counter_name(o, board_info(counter));
		out_text(o, "\":");
		out_u64(o, sum);
	}
}

static void
put_worker(struct out *o, struct master *m, unsigned worker)
{
	const struct board *board = master_board(m, worker);

	out_text(o, worker == 0 ? "{" : ",{");
	put_member(o, true, "worker", worker);
	put_member(o, false, "pid", (uint64_t)master_worker_pid(m, worker));
	put_member(o, false, "restarts", master_worker_incarnation(m, worker));
	out_text(o, master_worker_serves(m, worker) ? ",\"serving\":true" : ",\"serving\":false");
	out_text(o, board_sleeping(board) ? ",\"asleep\":true" : ",\"asleep\":false");
	out_text(o, ",\"io\":\"");
	out_text(o, board_io_name(board_io(board)));
	out_char(o, '"');
	put_member(o, false, "behind_bytes", worker_behind(m, worker));
	put_id_member(o, "read", board_read_id(board));
	out_text(o, ",\"counters\":{");
	put_counters(o, m, worker, worker + 1);
	out_text(o, "}}");
}

static void
put_errors(struct out *o, struct master *m)
{
	const struct publish_counts *counts = publish_counts(m);
	bool first = true;

	out_text(o, ",\"errors\":{");
	for (enum error_code code = ERROR_NONE + 1; code < ERROR_CODES; code++) {
		if (counts->errors[code] == 0)
			continue;
		put_member(o, first, error_word(code), counts->errors[code]);
		first = false;
	}
	out_char(o, '}');
}

void
stats_json(struct master *m, struct out *o)
{
	struct ring *ring = ring_write_ring(m->ring);
	struct figures figures;

	out_text(o, "{\"version\":\"" VERSION_TEXT "\",\"state\":\"");
	out_text(o, state_text(m));
	out_char(o, '"');
	put_member(o, false, "uptime_s", uptime_s(m));
	ring_figures(m, &figures);
	put_figures(o, &figures);
	put_id_member(o, "newest", ring_last_id(ring));
	put_id_member(o, "lost", ring_lost_id(ring));
	out_char(o, '}');
	publish_figures(m, &figures);
	put_figures(o, &figures);
	put_errors(o, m);
	out_char(o, '}');
	master_figures(m, &figures);
	put_figures(o, &figures);
	out_text(o, "},\"total\":{");
	put_counters(o, m, 0, m->worker_count);
	out_text(o, "},\"workers\":[");
	for (unsigned worker = 0; worker < m->worker_count; worker++)
		put_worker(o, m, worker);
	out_text(o, "]}\n");
}

/* ---- Prometheus text ---------------------------------------------------------------------------------- */

static void
put_family(struct out *o, const char *group, const char *name, const char *help, bool gauge)
{
	const char *const parts[] = {"# HELP ringcast_", group, name, gauge ? " " : "_total ", help,
	    "\n# TYPE ringcast_", group, name, gauge ? " gauge\n" : "_total counter\n"};

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		out_text(o, parts[i]);
}

static void
put_figure_metrics(struct out *o, const struct figures *f)
{
	char group[16];
	struct out prefix = out_to(group, sizeof group - 1);

	out_text(&prefix, f->group);
	out_char(&prefix, '_');
	group[prefix.len] = '\0';
	for (size_t i = 0; i < f->count; i++) {
		const struct figure *figure = &f->of[i];

		put_family(o, group, figure->name, figure->help, figure->gauge);
		out_text(o, "ringcast_");
		out_text(o, group);
		out_text(o, figure->name);
		out_text(o, figure->gauge ? " " : "_total ");
		out_u64(o, figure->value);
		out_char(o, '\n');
	}
}

/* One sample of a worker: ringcast_NAME{worker="0",LABEL} VALUE. */
static void
put_sample(struct out *o, const char *name, unsigned worker, const char *label, uint64_t value)
{
	out_text(o, "ringcast_");
	out_text(o, name);
	out_text(o, "{worker=\"");
	out_u64(o, worker);
	out_char(o, '"');
	if (label != NULL) {
		out_char(o, ',');
		out_text(o, label);
	}
	out_text(o, "} ");
	out_u64(o, value);
	out_char(o, '\n');
}

/* Counters of the boards: those of one family stand in a row, the first one has its help. */
static void
put_board_metrics(struct out *o, struct master *m)
{
	for (enum board_counter counter = 0; counter < BOARD_COUNTERS; counter++) {
		const struct board_counter_info *info = board_info(counter);

		if (info->help != NULL) {
			const char *const parts[] = {"# HELP ringcast_", info->name, " ",
			    info->help, "\n# TYPE ringcast_", info->name,
			    info->gauge ? " gauge\n" : " counter\n"};

			for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
				out_text(o, parts[i]);
		}
		for (unsigned worker = 0; worker < m->worker_count; worker++)
			put_sample(
			    o, info->name, worker, info->label, counter_of(m, worker, counter));
	}
}

static void
put_worker_metrics(struct out *o, struct master *m)
{
	put_family(o, "", "worker_up", "Whether the worker serves.", true);
	for (unsigned worker = 0; worker < m->worker_count; worker++)
		put_sample(o, "worker_up", worker, NULL, master_worker_serves(m, worker));
	put_family(o, "", "worker_restarts", "Times the worker was started again.", false);
	for (unsigned worker = 0; worker < m->worker_count; worker++)
		put_sample(
		    o, "worker_restarts_total", worker, NULL, master_worker_incarnation(m, worker));
	put_family(o, "", "worker_info", "What stands behind the worker's system calls.", true);
	for (unsigned worker = 0; worker < m->worker_count; worker++) {
		char label[32];

		snprintf(label, sizeof label, "io=\"%s\"",
		    board_io_name(board_io(master_board(m, worker))));
		put_sample(o, "worker_info", worker, label, 1);
	}
	put_family(
	    o, "", "worker_behind_bytes", "Bytes of the ring that the worker has not read.", true);
	for (unsigned worker = 0; worker < m->worker_count; worker++)
		put_sample(o, "worker_behind_bytes", worker, NULL, worker_behind(m, worker));
}

static void
put_error_metrics(struct out *o, struct master *m)
{
	const struct publish_counts *counts = publish_counts(m);

	put_family(
	    o, "publish_", "errors", "Requests and lines refused on the publish socket.", false);
	for (enum error_code code = ERROR_NONE + 1; code < ERROR_CODES; code++) {
		out_text(o, "ringcast_publish_errors_total{code=\"");
		out_text(o, error_word(code));
		out_text(o, "\"} ");
		out_u64(o, counts->errors[code]);
		out_char(o, '\n');
	}
}

void
stats_metrics(struct master *m, struct out *o)
{
	struct figures figures;

	put_family(o, "", "build_info", "The version that runs.", true);
	out_text(o, "ringcast_build_info{version=\"" VERSION_TEXT "\"} 1\n");
	put_family(o, "", "start_time_seconds", "Unix time of the master's start.", true);
	out_text(o, "ringcast_start_time_seconds ");
	out_u64(o, m->started_unix_ms / 1000);
	out_char(o, '\n');
	put_family(
	    o, "", "serving", "Whether clients are served: 0 while starting or draining.", true);
	out_text(o, m->state == MASTER_SERVING ? "ringcast_serving 1\n" : "ringcast_serving 0\n");
	ring_figures(m, &figures);
	put_figure_metrics(o, &figures);
	publish_figures(m, &figures);
	put_figure_metrics(o, &figures);
	put_error_metrics(o, m);
	master_figures(m, &figures);
	put_figure_metrics(o, &figures);
	put_worker_metrics(o, m);
	put_board_metrics(o, m);
}
