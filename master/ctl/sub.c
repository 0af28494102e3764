/*
 * sub.c: `ringcast sub`. See sub.h.
 */
#include "master/ctl/sub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/control.h"
#include "proto/cursor.h"
#include "proto/event.h"
#include "proto/id.h"

#define URL_DEFAULT "http://127.0.0.1:8080"
#define BEAT_S_DEFAULT 30
#define SILENCE_BEATS 3
#define RETRY_MAX_MS 60000

/* ---- where it is -------------------------------------------------------------------------------------- */

void
sub_reached(struct sub *s, uint64_t cursor)
{
	if (!s->has_cursor || cursor > s->cursor)
		s->cursor = cursor;
	s->has_cursor = true;
}

void
sub_target(const struct sub *s, struct out *o, const char *more)
{
	out_text(o, s->url.path);
	out_text(o, "/events");
	for (size_t i = 0; i < s->channels.count; i++) {
		out_text(o, i == 0 ? "?channel=" : "&channel=");
		client_encode(o, slice_text(s->channels.of[i]));
	}
	if (s->has_cursor) {
		out_text(o, "&after=");
		id_render(o, s->cursor);
	} else if (s->after != NULL) {
		out_text(o, "&after=");
		client_encode(o, slice_text(s->after));
	}
	out_text(o, more);
}

int
sub_silence_ms(const struct sub *s)
{
	return (int)((s->beat_s == 0 ? BEAT_S_DEFAULT : s->beat_s) * SILENCE_BEATS * 1000);
}

/* ---- what is printed ---------------------------------------------------------------------------------- */

static bool
scratch_for(struct sub *s, size_t len, struct out *scratch)
{
	if (s->scratch.cap < len && !publish_buffer_reserve(&s->scratch, len)) {
		ctl_fail(s->c, "out of memory for an event of %zu bytes", len);
		return false;
	}
	*scratch = out_to(s->scratch.bytes, s->scratch.cap);
	return true;
}

/* JSON on one line: a line end in it can only be white space between tokens. */
static void
print_line(FILE *out, struct slice json)
{
	while (json.len != 0) {
		size_t len = 0;

		while (len < json.len && json.bytes[len] != '\n' && json.bytes[len] != '\r')
			len++;
		fwrite(json.bytes, 1, len, out);
		if (len < json.len)
			fputc(' ', out);
		len += len < json.len;
		json = slice_of(json.bytes + len, json.len - len);
	}
	fputc('\n', out);
}

bool
sub_event(struct sub *s, struct slice object)
{
	struct event event;
	struct out scratch;

	if (!scratch_for(s, object.len + 1, &scratch))
		return false;
	if (!event_parse_object(&event, object, &scratch)) {
		ctl_note(s->c, "something came that is no event: %.*s",
		    (int)(object.len < 200 ? object.len : 200), object.bytes);
		return false;
	}
	sub_reached(s, event.id);
	if (!s->data_only) {
		print_line(s->c->out, object);
	} else if (event.kind == EVENT_JSON) {
		print_line(s->c->out, event.data);
	} else {
		fwrite(event.data.bytes, 1, event.data.len, s->c->out);
		fputc('\n', s->c->out);
	}
	return ++s->count == s->count_max;
}

void
sub_gap(struct sub *s, struct slice channel, uint64_t after, uint64_t at)
{
	char text[2 * ID_TEXT_MAX + 2];
	struct out from = out_to(text, ID_TEXT_MAX), to = out_to(text + ID_TEXT_MAX, ID_TEXT_MAX);

	id_render(&from, after);
	id_render(&to, at);
	ctl_note(s->c, "gap in %.*s: events after %.*s may be missing; it goes on after %.*s",
	    (int)channel.len, channel.bytes, (int)from.len, from.bytes, (int)to.len, to.bytes);
}

void
sub_control(struct sub *s, struct slice object)
{
	struct control control;
	struct out scratch;

	if (!scratch_for(s, object.len + 1, &scratch) || !control_parse(&control, object, &scratch))
		return;
	switch (control.kind) {
	case CONTROL_WELCOME:
		s->tries = 0;
		s->was_connected = true;
		s->beat_s = control.beat_s < 3600 ? control.beat_s : 3600;
		/* It lies before any replay; with "-N" it must not stand in for what was asked for until that has come. */
		if (s->after == NULL)
			sub_reached(s, control.at);
		break;
	case CONTROL_LIVE:
		sub_reached(s, control.at);
		break;
	case CONTROL_GAP:
		sub_gap(s, control.channel, control.after, control.at);
		break;
	case CONTROL_ERROR:
		ctl_note(s->c, "%.*s: %.*s", (int)control.code.len, control.code.bytes,
		    (int)control.message.len, control.message.bytes);
		break;
	case CONTROL_UNSUBSCRIBED:
		s->let_go = true;
		ctl_note(s->c, "the subscription to %.*s has ended: %.*s", (int)control.channel.len,
		    control.channel.bytes, (int)control.reason.len, control.reason.bytes);
		break;
	case CONTROL_SUBSCRIBED:
	case CONTROL_PUBLISHED:
	case CONTROL_PONG:
	case CONTROL_OTHER:
		break;
	}
}

enum sub_end
sub_refused(struct sub *s, const struct client_answer *answer)
{
	char text[1024];
	/* What no ringcast would answer, or one that lies elsewhere. */
	bool strange = answer->status == 404 || answer->status < 400;
	bool passes = answer->status == 408 || answer->status == 429 || answer->status >= 500;

	client_error_text(answer->status, publish_buffer_content(&answer->body), text, sizeof text);
	if (passes && s->was_connected) {
		s->retry_ms = answer->retry_after_s * 1000;
		ctl_note(s->c, "%s", text);
		return SUB_AGAIN;
	}
	ctl_fail(s->c, "%s%s", text,
	    strange ? ". Is this ringcast, and is its path_prefix in the URL?" : "");
	return SUB_FINAL;
}

/* ---- connecting --------------------------------------------------------------------------------------- */

static enum sub_end
run_once(struct sub *s)
{
	struct client client;
	enum sub_end end = SUB_FINAL;

	s->let_go = false;
	if (!client_open_url(&client, s->c, &s->url, s->was_connected))
		return s->was_connected ? SUB_AGAIN : SUB_FINAL;
	switch (s->transport) {
	case SUB_SSE:
		end = sub_sse_run(s, &client);
		break;
	case SUB_WS:
		end = sub_ws_run(s, &client);
		break;
	case SUB_POLL:
	case SUB_LONGPOLL:
		end = sub_poll_run(s, &client);
		break;
	}
	fflush(s->c->out);
	client_close(&client);
	return end;
}

/* What the server asks for once (with jitter of our own), else a pause that grows with each try. */
static void
pause_before_next(struct sub *s)
{
	unsigned pause_ms = ctl_pause_ms(s->tries++);

	if (s->retry_ms != 0 && s->tries == 1)
		pause_ms = s->retry_ms / 2 + pause_ms % (s->retry_ms / 2 + 1);
	ctl_note(s->c, "connects again in %u.%u s", pause_ms / 1000, pause_ms % 1000 / 100);
	ctl_sleep_ms(pause_ms < RETRY_MAX_MS ? pause_ms : RETRY_MAX_MS);
}

/* ---- the command -------------------------------------------------------------------------------------- */

static const char *
find_mistake(struct sub *s, const char *url, const char *count, const bool transports[4],
    char *text, size_t size)
{
	struct cursor cursor;
	const char *wrong = NULL;
	unsigned chosen = 0;

	if (s->channels.count == 0)
		return "a channel is missing";
	for (size_t i = 0; i < s->channels.count && wrong == NULL; i++)
		wrong = event_channel_fault(slice_text(s->channels.of[i]));
	if (wrong != NULL) {
		snprintf(text, size, "a channel's name %s", wrong);
		return text;
	}
	for (unsigned i = 0; i < 4; i++) {
		chosen += transports[i];
		if (transports[i])
			s->transport = (enum sub_transport)i;
	}
	if (chosen > 1)
		return "one transport only: --sse, --ws, --poll or --longpoll";
	if (count != NULL &&
	    (!ctl_number(count, UINT64_MAX / 10, &s->count_max) || s->count_max == 0))
		return "--count takes a number above 0";
	wrong = s->after == NULL ? NULL : cursor_parse(slice_text(s->after), &cursor);
	if (wrong != NULL) {
		snprintf(text, size, "--after: %s", wrong);
		return text;
	}
	wrong = url_parse(url, &s->url);
	if (wrong != NULL) {
		snprintf(text, size, "the URL %s: %s", url, wrong);
		return text;
	}
	return NULL;
}

enum ctl_exit
sub_run(struct ctl *c, int argc, char **argv)
{
	struct sub s = {.c = c, .transport = SUB_SSE};
	const char *url = NULL, *count = NULL, *mistake;
	bool transports[4] = {0};
	const struct ctl_option options[] = {
	    {"--url", &url, NULL},
	    {"--after", &s.after, NULL},
	    {"--count", &count, NULL},
	    {"--data", NULL, &s.data_only},
	    {"--sse", NULL, &transports[SUB_SSE]},
	    {"--ws", NULL, &transports[SUB_WS]},
	    {"--poll", NULL, &transports[SUB_POLL]},
	    {"--longpoll", NULL, &transports[SUB_LONGPOLL]},
	    {0},
	};
	char text[512];
	enum sub_end end;

	if (!ctl_parse(c, "sub", options, argc, argv, &s.channels))
		return CTL_USAGE;
	if (url == NULL)
		url = c->url != NULL && *c->url != '\0' ? c->url : URL_DEFAULT;
	mistake = find_mistake(&s, url, count, transports, text, sizeof text);
	if (mistake != NULL)
		return ctl_misuse(c, "sub", "%s", mistake);
	while ((end = run_once(&s)) == SUB_AGAIN)
		pause_before_next(&s);
	publish_buffer_free(&s.scratch);
	return end == SUB_DONE ? CTL_OK : CTL_FAILED;
}
