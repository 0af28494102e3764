/*
 * websocket.c: RFC 6455, and the contract's WebSocket, as rows against the real server: websocket*.table, a file for each
 * theme, in the words of tests/lib/script.h.
 *
 * Every row is delivered in several ways: as it is written; with what it sends first in one segment with the handshake;
 * byte by byte; and, where that is short, cut in two at each byte. It holds when all of them hold. Rows that wait for the
 * server's beat are delivered once.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/script.h"

#define THREADS 16
#define CUT_BYTES_MAX 48 /* of a first write that is cut at each of its bytes */
#ifdef SANITIZED
#define CUT_STEP 7 /* slow: some of the cuts */
#else
#define CUT_STEP 1
#endif

#define LIMITS "\"max_event_bytes\": 262144, \"max_channels_per_connection\": 4, "
#define RULES                                                                      \
	"\"channels\": [{\"match\": \"closed.*\", \"subscribe\": \"nobody\"}, "    \
	"{\"match\": \"quiet.*\"}, {\"match\": \"*\", \"publish\": \"anyone\"}], " \
	"\"origins\": [\"https://listed.example\"], "

static bool
run_row(struct script *s, const struct table_row *row, bool once)
{
	size_t cuttable;

	if (!script_run(s, row, SCRIPT_WRITES, 0))
		return false;
	if (once)
		return true;
	cuttable = s->cuttable;
	if (script_can_join(row) && !script_run(s, row, SCRIPT_JOINED, 0))
		return false;
	if (s->window == 0 && !script_run(s, row, SCRIPT_BYTES, 0))
		return false;
	if (s->window != 0 || cuttable > CUT_BYTES_MAX)
		return true;
	for (size_t cut = 1; cut < cuttable; cut += CUT_STEP)
		if (!script_run(s, row, SCRIPT_CUT, cut))
			return false;
	return true;
}

/* ---- all rows ------------------------------------------------------------------------------------- */

struct verdict {
	bool holds;
	char why[480];
};

struct job {
	const struct table *table;
	const struct server *server;
	struct verdict *verdicts;
	bool once; /* delivered as written only: rows that wait for a clock */
	atomic_size_t next;
	atomic_uint sources;
};

static void *
work(void *context)
{
	static const char *const deliveries[] = {[SCRIPT_WRITES] = "as written",
	    [SCRIPT_JOINED] = "in one segment with the handshake",
	    [SCRIPT_BYTES] = "byte by byte",
	    [SCRIPT_CUT] = "cut in two"};
	struct job *job = context;
	struct script *s = script_new(job->server, atomic_fetch_add(&job->sources, 1));
	size_t i;

	if (s == NULL)
		return NULL; /* its rows have no verdict, which is a failure */
	while ((i = atomic_fetch_add(&job->next, 1)) < job->table->count) {
		struct verdict *v = &job->verdicts[i];

		v->holds = run_row(s, &job->table->rows[i], job->once);
		if (!v->holds)
			snprintf(v->why, sizeof v->why, "%s (at %zu): %s", deliveries[s->delivery],
			    s->cut, s->why);
	}
	script_free(s);
	return NULL;
}

/* All rows of a file, many at once; then their verdicts in order. */
static void
run_table(
    struct tap *t, const struct server *server, const char *path, unsigned first_source, bool once)
{
	const char *keys[SCRIPT_KEYS_MAX];
	pthread_t threads[THREADS];
	struct table table;
	struct job job = {.table = &table, .server = server, .sources = first_source, .once = once};
	unsigned started = 0;

	script_keys(keys);
	if (!table_read(&table, t, path, keys))
		return;
	job.verdicts = calloc(table.count + 1, sizeof *job.verdicts);
	while (job.verdicts != NULL && started < THREADS &&
	       pthread_create(&threads[started], NULL, work, &job) == 0)
		started++;
	while (started > 0)
		pthread_join(threads[--started], NULL);
	for (size_t i = 0; job.verdicts != NULL && i < table.count; i++)
		if (!table_check(t, &table.rows[i], job.verdicts[i].holds))
			tap_note("%s:%u: %s", path, table.rows[i].number, job.verdicts[i].why);
	tap_note("%s: %zu rows", path, table.count);
	free(job.verdicts);
	table_free(&table);
}

/* A server of its own for each group, since only one can run at a time. */
static void
run_tables(struct tap *t, const char *members, const char *const *names, bool once)
{
	const struct server_options options = {
	    .workers = 2, .ring_bytes = "\"128MiB\"", .members = members};
	struct server server;
	char path[128];

	if (!tap_check(t, server_start(&server, &options), "the server boots"))
		return;
	for (unsigned i = 0; names[i] != NULL; i++) {
		snprintf(path, sizeof path, "tests/conformance/websocket%s.table", names[i]);
		run_table(t, &server, path, i * THREADS, once);
	}
	server_stop(t, &server, NULL);
}

int
main(void)
{
	static const char *const tables[] = {"_handshake", "", "_control", "_fragments", "_utf8",
	    "_close", "_limits", "_ops", "_raw", NULL};
	static const char *const beats[] = {"_beats", NULL};
	static const char *const times[] = {"_times", NULL};
	struct tap t = tap_start(200);

	run_tables(&t, LIMITS RULES "\"beat_s\": {\"ws\": 30}", tables, false);
	run_tables(&t, LIMITS RULES "\"beat_s\": {\"ws\": 1}", beats, true);
	run_tables(&t, LIMITS RULES "\"body_timeout_s\": 1, \"beat_s\": {\"ws\": 2}", times, true);
	return tap_finish(&t);
}
