/*
 * stat.c: `ringcast stat`: the server's figures for people, once or every second with rates.
 */
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "master/ctl/client.h"

#define ANSWER_TIMEOUT_MS 10000
#define WATCH_MS 1000

/* A figure: where it is in the answer, and whether what matters is how fast it rises. */
static const struct figure {
	const char *name;
	const char *group, *member;
	bool rises;
} figures[] = {
    {"connections, WebSocket", "total", "connections_ws", false},
    {"connections, SSE", "total", "connections_sse", false},
    {"connections, long poll", "total", "connections_longpoll", false},
    {"connections, idle", "total", "connections_idle", false},
    {"subscriptions", "total", "subscriptions", false},
    {"channels", "total", "channels", false},
    {"lagging", "total", "lagging", false},
    {"events published", "publish", "events", true},
    {"duplicates", "publish", "duplicates", true},
    {"deliveries", "total", "deliveries", true},
    {"sends", "total", "sends", true},
    {"bytes out", "total", "bytes_out", true},
    {"gaps", "total", "gaps", true},
    {"accepted", "master", "accepted", true},
    {"ring, events kept", "ring", "kept_records", false},
    {"ring, bytes used", "ring", "used_bytes", false},
    {"ring, bytes", "ring", "size_bytes", false},
};

#define FIGURE_COUNT (sizeof figures / sizeof *figures)

struct stat_command {
	struct ctl *c;
	const char *socket;
	bool watch, json;
	struct client client;
	json_int_t before[FIGURE_COUNT];
	bool has_before;
};

static json_int_t
value_of(const json_t *stats, const struct figure *figure)
{
	return json_integer_value(
	    json_object_get(json_object_get(stats, figure->group), figure->member));
}

static void
print_workers(struct ctl *c, const json_t *stats)
{
	size_t i;
	const json_t *worker;

	json_array_foreach (json_object_get(stats, "workers"), i, worker) {
		const json_t *counters = json_object_get(worker, "counters");

		const char *io = json_string_value(json_object_get(worker, "io"));

		fprintf(c->out,
		    "worker %-3lld pid %-8lld restarts %-4lld %-8s io %-8s deliveries %lld\n",
		    json_integer_value(json_object_get(worker, "worker")),
		    json_integer_value(json_object_get(worker, "pid")),
		    json_integer_value(json_object_get(worker, "restarts")),
		    json_is_true(json_object_get(worker, "serving")) ? "serves" : "is down",
		    io == NULL ? "?" : io,
		    json_integer_value(json_object_get(counters, "deliveries")));
	}
}

static void
print_stats(struct stat_command *s, const json_t *stats)
{
	struct ctl *c = s->c;
	const char *version = json_string_value(json_object_get(stats, "version"));
	const char *state = json_string_value(json_object_get(stats, "state"));

	if (s->watch && c->color)
		fputs("\033[H\033[2J", c->out);
	fprintf(c->out, "ringcastd %s, %s, up %lld s\n", version == NULL ? "?" : version,
	    state == NULL ? "?" : state, json_integer_value(json_object_get(stats, "uptime_s")));
	for (size_t i = 0; i < FIGURE_COUNT; i++) {
		json_int_t value = value_of(stats, &figures[i]);

		fprintf(c->out, "%-24s %14lld", figures[i].name, value);
		if (s->has_before && figures[i].rises)
			fprintf(c->out, "  %+lld/s", value - s->before[i]);
		fputc('\n', c->out);
		s->before[i] = value;
	}
	s->has_before = true;
	print_workers(c, stats);
	fflush(c->out);
}

static enum ctl_exit
show(struct stat_command *s, const struct client_answer *answer)
{
	struct slice body = publish_buffer_content(&answer->body);
	json_t *stats;
	char text[1024];

	if (answer->status != 200) {
		client_error_text(answer->status, body, text, sizeof text);
		return ctl_fail(s->c, "%s", text);
	}
	if (s->json) {
		fwrite(body.bytes, 1, body.len, s->c->out);
		fflush(s->c->out);
		return CTL_OK;
	}
	stats = json_loadb(body.bytes, body.len, 0, NULL);
	if (stats == NULL)
		return ctl_fail(s->c, "the server's answer is not JSON");
	print_stats(s, stats);
	json_decref(stats);
	return CTL_OK;
}

static enum ctl_exit
ask(struct stat_command *s)
{
	struct client_answer answer = {0};
	enum client_result result = CLIENT_FAILED;
	enum ctl_exit code;

	if (client_put(&s->client, SLICE_LITERAL("GET /stats HTTP/1.1\r\nHost: localhost\r\n\r\n")))
		result = client_answer(&s->client, ANSWER_TIMEOUT_MS, &answer);
	code = result == CLIENT_OK ? show(s, &answer) : ctl_fail(s->c, "%s", client_text(result));
	publish_buffer_free(&answer.body);
	return code;
}

enum ctl_exit
stat_run(struct ctl *c, int argc, char **argv)
{
	struct stat_command s = {.c = c};
	const struct ctl_option options[] = {
	    {"--watch", NULL, &s.watch},
	    {"--json", NULL, &s.json},
	    {"--socket", &s.socket, NULL},
	    {0},
	};
	struct ctl_operands operands;
	enum ctl_exit code;

	if (!ctl_parse(c, "stat", options, argc, argv, &operands))
		return CTL_USAGE;
	if (operands.count != 0)
		return ctl_misuse(c, "stat", "stat takes no arguments");
	if (!client_open_socket(&s.client, c, s.socket))
		return CTL_FAILED;
	while ((code = ask(&s)) == CTL_OK && s.watch && !ferror(c->out))
		ctl_sleep_ms(WATCH_MS);
	client_close(&s.client);
	return code;
}
