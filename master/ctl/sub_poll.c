/*
 * sub_poll.c: `ringcast sub --poll` and `--longpoll`: requests on one connection, each from where the last one ended.
 */
#include "master/ctl/sub.h"
#include "proto/poll.h"

#define WAIT_S "25"
#define ANSWER_TIMEOUT_MS 60000
#define POLL_PAUSE_MS 1000

static bool
put_request(struct sub *s, struct client *client)
{
	char text[65536];
	struct out o = out_to(text, sizeof text);

	out_text(&o, "GET ");
	sub_target(s, &o, s->transport == SUB_LONGPOLL ? "&wait=" WAIT_S : "");
	out_text(&o, " HTTP/1.1\r\nHost: ");
	out_text(&o, s->url.authority);
	out_text(&o, "\r\nAccept: application/json\r\n\r\n");
	return !out_cut(&o) && client_put(client, slice_of(text, o.len));
}

/* True when the last event wanted was among them. */
static bool
take_events(struct sub *s, struct poll_answer *answer)
{
	struct json_value value;
	struct slice key;
	size_t at;
	char scratch[4096];

	while (json_walk_next(&answer->gaps, &key, &value, &at) == 1) {
		struct out o = out_to(scratch, sizeof scratch);
		struct poll_gap gap;

		if (poll_parse_gap(&gap, value.raw, &o))
			sub_gap(s, gap.channel, gap.after, gap.at);
	}
	while (json_walk_next(&answer->events, &key, &value, &at) == 1)
		if (sub_event(s, value.raw))
			return true;
	return false;
}

/* One answer. SUB_AGAIN here: the next request can follow. */
static enum sub_end
take_answer(struct sub *s, const struct client_answer *answer, bool *more)
{
	struct poll_answer poll;

	if (answer->status != 200)
		return sub_refused(s, answer);
	if (!poll_parse(&poll, publish_buffer_content(&answer->body))) {
		ctl_fail(s->c, "%s: what answers there is not ringcast", s->url.authority);
		return SUB_FINAL;
	}
	s->was_connected = true;
	s->tries = 0;
	*more = poll.more;
	if (take_events(s, &poll))
		return SUB_DONE;
	sub_reached(s, poll.next);
	fflush(s->c->out);
	return SUB_AGAIN;
}

enum sub_end
sub_poll_run(struct sub *s, struct client *client)
{
	for (;;) {
		struct client_answer answer = {0};
		enum client_result result;
		enum sub_end end;
		bool more = false, keep_alive;

		if (!put_request(s, client)) {
			ctl_fail(s->c, "the request is too long: fewer channels");
			return SUB_FINAL;
		}
		result = client_answer(client, ANSWER_TIMEOUT_MS, &answer);
		if (result != CLIENT_OK) {
			publish_buffer_free(&answer.body);
			if (!s->was_connected)
				ctl_fail(s->c, "%s: %s", s->url.authority, client_text(result));
			else
				ctl_note(s->c, "the connection has ended: %s", client_text(result));
			return s->was_connected ? SUB_AGAIN : SUB_FINAL;
		}
		keep_alive = answer.keep_alive;
		end = take_answer(s, &answer, &more);
		if (answer.status != 200)
			keep_alive = false;
		publish_buffer_free(&answer.body);
		if (end != SUB_AGAIN || !keep_alive)
			return end;
		if (s->transport == SUB_POLL && !more)
			ctl_sleep_ms(POLL_PAUSE_MS);
	}
}
