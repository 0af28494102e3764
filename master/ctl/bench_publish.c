/*
 * bench_publish.c: see bench_publish.h.
 */
#include "master/ctl/bench_publish.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_TIMEOUT_MS 10000
#define LINE_EXTRA_BYTES 512 /* of an envelope or a request, beside the data */

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- opening ------------------------------------------------------------------------------------ */

static bool
open_upload(struct bench_publisher *p, struct ctl *c)
{
	struct http_reply reply;
	size_t head_len;
	enum client_result result;

	if (!client_open_socket(&p->client, c, p->plan->socket))
		return false;
	if (!client_put(&p->client,
		SLICE_LITERAL(
		    "POST /publish HTTP/1.1\r\nHost: localhost\r\n"
		    "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"))) {
		ctl_fail(c, "out of memory");
		return false;
	}
	result = client_head(&p->client, ANSWER_TIMEOUT_MS, &reply, &head_len);
	if (result != CLIENT_OK || reply.status != 200 ||
	    http_body_start(&p->answers, reply.framing, reply.content_length, UINT64_MAX) < 0) {
		ctl_fail(c, "the publish socket takes no upload: %s",
		    result == CLIENT_OK ? "it answered with another status than 200"
					: client_text(result));
		return false;
	}
	publish_buffer_drop(&p->client.in, head_len);
	return true;
}

/* The server of a template such as http://127.0.0.1:9000/pub/{channel}. */
static bool
open_posts(struct bench_publisher *p, struct ctl *c)
{
	char text[URL_PATH_BYTES];
	const char *scheme = strstr(p->plan->publish, "://");
	const char *path = scheme == NULL ? NULL : strchr(scheme + 3, '/');
	const char *wrong;

	if (path == NULL || (size_t)(path - p->plan->publish) >= sizeof text) {
		ctl_misuse(c, "bench",
		    "--publish-url is a whole URL, such as http://127.0.0.1:9000/pub/{channel}");
		return false;
	}
	memcpy(text, p->plan->publish, (size_t)(path - p->plan->publish));
	text[path - p->plan->publish] = '\0';
	wrong = url_parse(text, &p->url);
	if (wrong != NULL) {
		ctl_misuse(c, "bench", "--publish-url %s: %s", p->plan->publish, wrong);
		return false;
	}
	return client_open_url(&p->client, c, &p->url, false);
}

bool
bench_publish_open(struct bench_publisher *p, struct ctl *c, const struct bench_plan *plan)
{
	*p = (struct bench_publisher){.plan = plan, .client.fd = -1};
	return plan->publish == NULL ? open_upload(p, c) : open_posts(p, c);
}

void
bench_publish_close(struct bench_publisher *p)
{
	client_close(&p->client);
	publish_buffer_free(&p->queue);
	free(p->sent_ns);
	free(p->lengths);
	p->sent_ns = NULL;
	p->lengths = NULL;
}

/* ---- publishing --------------------------------------------------------------------------------- */

/* Makes the rings hold one more. */
static bool
grow(struct bench_publisher *p)
{
	const size_t cap = p->sent_cap == 0 ? 1024 : p->sent_cap * 2;
	uint64_t *sent_ns;
	size_t *lengths;

	if (p->published - p->answered < p->sent_cap)
		return true;
	sent_ns = malloc(cap * sizeof *sent_ns);
	lengths = malloc(cap * sizeof *lengths);
	if (sent_ns == NULL || lengths == NULL) {
		free(sent_ns);
		free(lengths);
		return false;
	}
	for (uint64_t i = p->answered; i != p->published; i++) {
		sent_ns[i % cap] = p->sent_ns[i % p->sent_cap];
		lengths[i % cap] = p->lengths[i % p->sent_cap];
	}
	free(p->sent_ns);
	free(p->lengths);
	p->sent_ns = sent_ns;
	p->lengths = lengths;
	p->sent_cap = cap;
	return true;
}

/* As an envelope in a chunk of its own. */
static bool
put_envelope(struct bench_publisher *p, const struct bench_event *e)
{
	char text[256];
	struct out o = out_to(text, sizeof text);
	struct out line;
	char size[24];

	out_text(&o, "{\"channel\":\"");
	bench_plan_channel(p->plan, e->channel, &o);
	out_text(&o, "\",\"data\":\"");
	snprintf(size, sizeof size, "%zx\r\n", o.len + e->size + 3);
	if (!publish_buffer_reserve(&p->client.out, e->size + LINE_EXTRA_BYTES))
		return false;
	line = publish_buffer_out(&p->client.out);
	out_text(&line, size);
	out_bytes(&line, o.bytes, o.len);
	bench_event_render(&line, e);
	out_text(&line, "\"}\n\r\n");
	publish_buffer_took(&p->client.out, &line);
	return true;
}

static bool
put_post(struct bench_publisher *p, const struct bench_event *e)
{
	const char *path = strchr(strstr(p->plan->publish, "://") + 3, '/');
	struct out o;

	if (!publish_buffer_reserve(
		&p->queue, e->size + strlen(p->plan->publish) * 2 + LINE_EXTRA_BYTES))
		return false;
	o = publish_buffer_out(&p->queue);
	out_text(&o, "POST ");
	bench_plan_fill(p->plan, path, e->channel, 0, &o);
	out_text(&o, " HTTP/1.1\r\nHost: ");
	out_text(&o, p->url.authority);
	out_text(&o, "\r\nContent-Type: text/plain\r\nContent-Length: ");
	out_u64(&o, e->size);
	out_text(&o, "\r\n\r\n");
	bench_event_render(&o, e);
	p->lengths[p->published % p->sent_cap] = o.len;
	publish_buffer_took(&p->queue, &o);
	return true;
}

bool
bench_publish_event(struct bench_publisher *p, const struct bench_event *e)
{
	if (!grow(p) || !(p->plan->publish == NULL ? put_envelope(p, e) : put_post(p, e)))
		return false;
	p->sent_ns[p->published % p->sent_cap] = e->published_ns;
	p->published++;
	return true;
}

/* ---- answers ------------------------------------------------------------------------------------ */

static void
acknowledge(struct bench_publisher *p, bool taken, struct slice why)
{
	if (bench_publish_settled(p))
		return; /* an answer to nothing */
	bench_histogram_add(&p->acked, now_ns() - p->sent_ns[p->answered % p->sent_cap]);
	p->answered++;
	if (taken)
		return;
	p->refused++;
	snprintf(p->refusal, sizeof p->refusal, "%.*s",
	    (int)(why.len < sizeof p->refusal ? why.len : sizeof p->refusal - 1), why.bytes);
}

/* Answers of the upload are lines; one may be cut by a chunk. */
static bool
take_lines(struct bench_publisher *p)
{
	while (p->client.in.len != 0 && !http_body_complete(&p->answers)) {
		struct slice data;
		const ptrdiff_t n =
		    http_body_next(&p->answers, publish_buffer_content(&p->client.in), &data);
		const char *end;

		if (n <= 0)
			return n == 0;
		if (!publish_buffer_put(&p->queue, data))
			return false;
		publish_buffer_drop(&p->client.in, (size_t)n);
		for (;;) {
			const struct slice lines = publish_buffer_content(&p->queue);

			end = lines.len == 0 ? NULL : memchr(lines.bytes, '\n', lines.len);
			if (end == NULL)
				break;
			acknowledge(p, strncmp(lines.bytes, "{\"id\"", 5) == 0,
			    slice_of(lines.bytes, (size_t)(end - lines.bytes)));
			publish_buffer_drop(&p->queue, (size_t)(end - lines.bytes) + 1);
		}
	}
	return !http_body_complete(&p->answers);
}

/* Sends the next request that waits, if none is under way. */
static bool
post_next(struct bench_publisher *p)
{
	size_t len;

	if (p->posted != p->answered || p->posted == p->published)
		return true;
	len = p->lengths[p->posted % p->sent_cap];
	if (!client_put(&p->client, slice_of(publish_buffer_content(&p->queue).bytes, len)))
		return false;
	publish_buffer_drop(&p->queue, len);
	p->posted++;
	return true;
}

/* One whole answer to a POST, if it is there. */
static bool
take_reply(struct bench_publisher *p)
{
	const struct slice in = publish_buffer_content(&p->client.in);
	struct http_reply reply;
	struct http_body body;
	struct slice data;
	const ptrdiff_t head = http_reply_parse(&reply, in, 0, 16384);
	size_t used;
	char status[40];

	if (head <= 0)
		return head == 0;
	used = (size_t)head;
	if (reply.framing != HTTP_FRAMING_NONE) {
		if (http_body_start(&body, reply.framing, reply.content_length, UINT32_MAX) < 0)
			return false;
		while (!http_body_complete(&body) && used < in.len) {
			const ptrdiff_t n =
			    http_body_next(&body, slice_of(in.bytes + used, in.len - used), &data);

			if (n <= 0)
				return n == 0;
			used += (size_t)n;
		}
		if (!http_body_complete(&body))
			return true;
	}
	snprintf(status, sizeof status, "status %u", reply.status);
	acknowledge(p, reply.status / 100 == 2, slice_text(status));
	publish_buffer_drop(&p->client.in, used);
	return reply.keep_alive || p->posted == p->published;
}

bool
bench_publish_turn(struct bench_publisher *p)
{
	enum client_result result;

	if (p->plan->publish != NULL && !post_next(p))
		return false;
	result = client_wait(&p->client, 0, -1, NULL);
	if (result != CLIENT_OK && result != CLIENT_TIMEOUT)
		return false;
	if (p->plan->publish == NULL)
		return take_lines(p);
	return p->client.in.len == 0 || (take_reply(p) && post_next(p));
}
