/*
 * unfinished.c: clients that begin messages and bodies and do not end them hold a bounded part of a worker's memory, for a
 * bounded time; whoever comes with something small meanwhile is served.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/proc.h"
#include "tests/lib/server.h"
#include "tests/lib/talk.h"

#define CLIENTS 64
#define PAYLOAD 525000 /* of the 525,312 that an object may have: a buffer of 1 MiB */
#define FIT 48         /* three quarters of 64 MiB */
#define GROWTH_KIB \
	(72 << 10) /* the room, the last buffer beyond it, and what else 64 clients need */
#define WAIT_MS 20000

struct scene {
	struct tap *t;
	struct server s;
	struct talk clients[CLIENTS];
	bool held[CLIENTS]; /* its message is kept */
	char frame[PAYLOAD + 64];
	size_t frame_len;
	char buffer[1 << 20];
};

static double
figure(struct scene *x, const char *path)
{
	struct wire_http answer = {0};
	struct text value;

	wire_call(server_private(&x->s), "GET", "/stats", NULL, (struct text){NULL, 0}, x->buffer,
	    sizeof x->buffer, &answer);
	return wire_json_path(answer.body, path, &value) ? wire_json_number(value, -1) : -1;
}

static bool
becomes(struct scene *x, const char *path, double wanted)
{
	for (uint64_t until = wire_now_ms() + WAIT_MS; wire_now_ms() < until; wire_sleep_ms(20))
		if (figure(x, path) == wanted)
			return true;
	return false;
}

static uint64_t
anonymous_kib(const struct scene *x)
{
	pid_t pids[SERVER_WORKERS_MAX];

	return server_workers(&x->s, pids) == 1 ? proc_memory_kib(pids[0], "Anonymous") : 0;
}

/* A message that goes on, and a ping: its answer shows that the message was taken so far. False: neither that nor 1013. */
static bool
begin_message(struct scene *x, unsigned i)
{
	struct talk *w = &x->clients[i];
	char ping[16];
	const size_t ping_len = wire_ws_frame(ping, 9, true, "x", 1);
	struct wire_ws frame;
	struct text welcome;

	if (!talk_open(w, x->s.port, "/events", "") || !talk_next(w, &welcome, WAIT_MS))
		return false;
	talk_raw(w, x->frame, x->frame_len);
	talk_raw(w, ping, ping_len); /* nobody may be there to take it */
	if (!talk_frame(w, &frame, WAIT_MS))
		return false;
	x->held[i] = frame.opcode == 10;
	return x->held[i] || (wire_find(frame.payload, "\"code\":\"overloaded\"") != NULL &&
				 talk_end(w, WAIT_MS) == 1013);
}

static int
post(struct scene *x, const char *text)
{
	struct wire_http answer = {0};

	wire_call(server_public(&x->s), "POST", "/events?channel=a", "Content-Type: text/plain\r\n",
	    wire_text(text), x->buffer, sizeof x->buffer, &answer);
	return answer.status;
}

static void
fill(struct scene *x)
{
	const uint64_t before = anonymous_kib(x);
	unsigned held = 0, answered = 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		answered += begin_message(x, i);
		held += x->held[i];
	}
	tap_check(
	    x->t, answered == CLIENTS, "each is taken, or told 1013 overloaded (%u)", answered);
	tap_check(
	    x->t, held >= FIT && held <= FIT + 1, "%u unfinished messages fit (%u)", FIT, held);
	tap_check(x->t, becomes(x, "total.shed_input", CLIENTS - held), "the others are counted");
	tap_check(x->t, figure(x, "total.input_bytes") <= 64 << 20, "and the memory is told (%.0f)",
	    figure(x, "total.input_bytes"));
#ifdef SANITIZED
	tap_skip(
	    x->t, "memory of the worker: a sanitizer's own (%llu KiB)", (unsigned long long)before);
#else
	tap_check(x->t, anonymous_kib(x) <= before + GROWTH_KIB, "the worker took %llu KiB",
	    (unsigned long long)(anonymous_kib(x) - before));
#endif
	tap_check(x->t, post(x, "small") == 200, "a small publish is taken meanwhile");
}

int
main(void)
{
	struct tap t = tap_start(90);
	struct scene *x = calloc(1, sizeof *x);
	char *payload = calloc(1, PAYLOAD);

	if (x == NULL || payload == NULL ||
	    !tap_check(&t,
		server_start(&x->s,
		    &(struct server_options){.workers = 1,
			.members = "\"channels\": [{\"match\": \"*\", \"publish\": \"anyone\"}]"}),
		"the server boots"))
		return tap_finish(&t);
	x->t = &t;
	memset(payload, ' ', PAYLOAD);
	x->frame_len = wire_ws_frame(x->frame, 1, false, payload, PAYLOAD);
	fill(x);
	for (unsigned i = 0; i < CLIENTS; i++)
		talk_close(&x->clients[i]);
	tap_check(&t, becomes(x, "total.input_bytes", 0), "when they leave nothing is left");
	tap_check(&t, begin_message(x, 0) && x->held[0], "and the next one has room");
	talk_close(&x->clients[0]);
	server_stop(&t, &x->s, NULL);
	free(payload);
	free(x);
	return tap_finish(&t);
}
