/*
 * pub.c: `ringcast pub`: one event from an argument or a file, or one a line from standard input.
 *
 * Lines travel as one NDJSON upload; answers come back while lines still go out, in their order, so that an interactive
 * user sees each id at once and a pipe runs at full speed. What is not sent yet is bounded: reading waits for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/ctl/client.h"
#include "proto/event.h"
#include "proto/json.h"

#define ANSWER_TIMEOUT_MS 30000
#define UNSENT_MAX (256u << 10)
#define READ_BYTES 65536
#define LINE_BYTES_MAX (64u << 20)
#define PROGRESS_EVERY 10000

struct pub {
	struct ctl *c;
	struct client client;
	const char *channel, *data, *type, *file, *key, *socket;
	bool json;
	/* of a stream */
	struct publish_buffer lines; /* read, not yet sent: the start of a line at least */
	struct http_body body;
	bool answers_end; /* the answer is complete */
	bool input_ended;
	uint64_t line; /* lines read */
	uint64_t sent; /* of them, sent */
	uint64_t answered;
	uint64_t refused;             /* by the server */
	uint64_t unsendable;          /* no JSON */
	struct publish_buffer answer; /* decoded, the start of a line at most */
};

/* ---- one event ---------------------------------------------------------------------------------------- */

static bool
read_file(struct ctl *c, const char *path, struct publish_buffer *content)
{
	int fd = strcmp(path, "-") == 0 ? c->input : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	while (fd != -1 && content->len <= LINE_BYTES_MAX &&
	       publish_buffer_reserve(content, READ_BYTES)) {
		struct out room = publish_buffer_out(content);

		n = read(fd, room.bytes, room.cap);
		if (n <= 0)
			break;
		room.len = room.need = (size_t)n;
		publish_buffer_took(content, &room);
	}
	if (n != 0)
		ctl_fail(c, "cannot read %s: %s", path,
		    fd != -1 && n >= 0 ? "it is too large" : strerror(errno));
	if (fd != -1 && fd != c->input)
		close(fd);
	return n == 0;
}

/* The request for one event whose data is the body. */
static bool
put_request(struct pub *p, const char *content_type, size_t body_len)
{
	char text[16384];
	struct out o = out_to(text, sizeof text);

	out_text(&o, "POST /publish?channel=");
	client_encode(&o, slice_text(p->channel));
	if (p->type != NULL) {
		out_text(&o, "&type=");
		client_encode(&o, slice_text(p->type));
	}
	out_text(&o, " HTTP/1.1\r\nHost: localhost\r\nContent-Length: ");
	out_u64(&o, body_len);
	if (content_type != NULL) {
		out_text(&o, "\r\nContent-Type: ");
		out_text(&o, content_type);
	}
	if (p->key != NULL) {
		out_text(&o, "\r\nIdempotency-Key: ");
		out_text(&o, p->key);
	}
	out_text(&o, "\r\n\r\n");
	return !out_cut(&o) && client_put(&p->client, slice_of(text, o.len));
}

/* Prints the id of {"id":"...","duplicate":true}. False: not such an answer. */
static bool
print_id(struct pub *p, struct slice answer)
{
	struct json_walk walk;
	struct json_value value, id = {0};
	struct slice key;
	size_t at;
	bool duplicate = false;

	if (json_walk_open(&walk, answer, &at) != 1 || !walk.object)
		return false;
	while (json_walk_next(&walk, &key, &value, &at) == 1) {
		if (json_string_equals(key, SLICE_LITERAL("id")))
			id = value;
		if (json_string_equals(key, SLICE_LITERAL("duplicate")))
			duplicate = true;
	}
	if (id.raw.len < 2 || id.raw.bytes[0] != '"')
		return false;
	fprintf(p->c->out, "%.*s\n", (int)id.raw.len - 2, id.raw.bytes + 1);
	if (duplicate)
		ctl_note(p->c, "published before with this key: this is the id of then");
	return true;
}

static enum ctl_exit
publish_one(struct pub *p, const char *content_type, struct slice data)
{
	struct client_answer answer = {0};
	enum client_result result;
	enum ctl_exit code = CTL_OK;
	char text[1024];

	if (!put_request(p, content_type, data.len) || !client_put(&p->client, data))
		return ctl_fail(p->c, "the names are too long, or memory ran out");
	result = client_answer(&p->client, ANSWER_TIMEOUT_MS, &answer);
	if (result != CLIENT_OK) {
		code = ctl_fail(p->c, "not known to be published: %s", client_text(result));
	} else if (answer.status != 200 || !print_id(p, publish_buffer_content(&answer.body))) {
		client_error_text(
		    answer.status, publish_buffer_content(&answer.body), text, sizeof text);
		code = ctl_fail(p->c, "not published: %s", text);
	}
	publish_buffer_free(&answer.body);
	return code;
}

/* ---- a stream ----------------------------------------------------------------------------------------- */

/* Puts one line as an envelope, in a chunk of its own. */
static bool
put_line(struct pub *p, struct slice line)
{
	struct publish_buffer envelope = {0};
	char head[32];
	struct json_value value;
	struct out o;
	size_t at;
	bool done;

	if (p->json && json_whole(line, &value, &at) != 1) {
		p->unsendable++;
		ctl_fail(p->c, "line %llu is not JSON (byte %zu): not published",
		    (unsigned long long)p->line, at);
		/* A blank line in its place: so the server counts lines as we do. */
		return client_put(&p->client, SLICE_LITERAL("1\r\n\n\r\n"));
	}
	if (!publish_buffer_reserve(
		&envelope, line.len * 6 + 6 * LIMIT_CHANNEL_NAME_BYTES * 4 + 4096))
		return false;
	o = publish_buffer_out(&envelope);
	out_text(&o, "{\"channel\":");
	json_escape(&o, slice_text(p->channel));
	if (p->type != NULL) {
		out_text(&o, ",\"type\":");
		json_escape(&o, slice_text(p->type));
	}
	out_text(&o, ",\"data\":");
	if (p->json)
		out_slice(&o, line);
	else
		json_escape(&o, line);
	out_text(&o, "}\n");
	snprintf(head, sizeof head, "%zx\r\n", o.len);
	done = !out_cut(&o) && client_put(&p->client, slice_text(head)) &&
	       client_put(&p->client, slice_of(o.bytes, o.len)) &&
	       client_put(&p->client, SLICE_LITERAL("\r\n"));
	publish_buffer_free(&envelope);
	p->sent += done;
	return done;
}

/* Puts the whole lines that were read; at the end of the input the last one too, and the last chunk. */
static bool
put_lines(struct pub *p)
{
	struct slice read = publish_buffer_content(&p->lines);
	size_t used = 0;
	bool done = true;

	while (done && used < read.len) {
		const char *start = read.bytes + used, *end = memchr(start, '\n', read.len - used);
		size_t len = end == NULL ? read.len - used : (size_t)(end - start);

		if (end == NULL && !p->input_ended)
			break;
		used += len + (end != NULL);
		if (len > 0 && start[len - 1] == '\r')
			len--;
		p->line++;
		done = put_line(p, slice_of(start, len));
	}
	publish_buffer_drop(&p->lines, used);
	if (done && p->input_ended)
		done = client_put(&p->client, SLICE_LITERAL("0\r\n\r\n"));
	if (!done)
		ctl_fail(p->c, "out of memory at line %llu", (unsigned long long)p->line);
	return done;
}

/* Reads standard input, which is ready. */
static bool
read_lines(struct pub *p)
{
	struct out room;
	ssize_t n;

	if (p->lines.len > LINE_BYTES_MAX) {
		ctl_fail(p->c, "line %llu is too long", (unsigned long long)p->line + 1);
		return false;
	}
	if (!publish_buffer_reserve(&p->lines, READ_BYTES)) {
		ctl_fail(p->c, "out of memory");
		return false;
	}
	room = publish_buffer_out(&p->lines);
	n = read(p->c->input, room.bytes, room.cap);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n == -1) {
		ctl_fail(p->c, "cannot read standard input: %s", strerror(errno));
		return false;
	}
	p->input_ended = n == 0;
	room.len = room.need = (size_t)n;
	publish_buffer_took(&p->lines, &room);
	return put_lines(p);
}

/* The number of the line that an error is about; 0 when it does not say. */
static uint64_t
line_of(struct slice answer)
{
	struct json_walk walk;
	struct json_value value;
	struct slice key;
	uint64_t line = 0;
	size_t at;

	if (json_walk_open(&walk, answer, &at) != 1 || !walk.object)
		return 0;
	while (json_walk_next(&walk, &key, &value, &at) == 1)
		if (json_string_equals(key, SLICE_LITERAL("line")) && !json_u64(&value, &line))
			return 0;
	return line;
}

/* One answer: an id, or an error. */
static void
take_answer(struct pub *p, struct slice answer)
{
	char text[1024];

	p->answered++;
	if (print_id(p, answer))
		return;
	p->refused++;
	client_error_text(0, answer, text, sizeof text);
	ctl_fail(p->c, "line %llu: %s", (unsigned long long)line_of(answer), text);
}

/* Uses what has been received of the answers. */
static enum client_result
take_answers(struct pub *p)
{
	while (p->client.in.len != 0 && !http_body_complete(&p->body)) {
		struct slice data, whole;
		const char *end;
		ptrdiff_t n =
		    http_body_next(&p->body, publish_buffer_content(&p->client.in), &data);

		if (n < 0)
			return CLIENT_MALFORMED;
		if (!publish_buffer_put(&p->answer, data)) {
			errno = ENOMEM;
			return CLIENT_FAILED;
		}
		publish_buffer_drop(&p->client.in, (size_t)n);
		whole = publish_buffer_content(&p->answer);
		while (whole.len != 0 && (end = memchr(whole.bytes, '\n', whole.len)) != NULL) {
			size_t len = (size_t)(end - whole.bytes);

			take_answer(p, slice_of(whole.bytes, len));
			whole = slice_of(end + 1, whole.len - len - 1);
		}
		publish_buffer_drop(&p->answer, p->answer.len - whole.len);
	}
	p->answers_end = http_body_complete(&p->body);
	return CLIENT_OK;
}

static void
show_progress(struct pub *p, bool last)
{
	if (!isatty(fileno(p->c->err)) || isatty(fileno(p->c->out)) ||
	    (!last && p->answered % PROGRESS_EVERY != 0))
		return;
	fprintf(p->c->err, "\r%llu published%s", (unsigned long long)(p->answered - p->refused),
	    last ? "\n" : "");
}

/* The upload, from the head of its answer to the end of both. */
static enum ctl_exit
run_stream(struct pub *p)
{
	enum client_result result = CLIENT_OK;

	while (result == CLIENT_OK && !p->answers_end) {
		bool wants_input = !p->input_ended && p->client.out.len < UNSENT_MAX,
		     readable = false;
		bool owed = p->answered < p->sent || p->input_ended || p->client.out.len != 0;

		fflush(p->c->out);
		result = client_wait(&p->client, owed ? ANSWER_TIMEOUT_MS : -1,
		    wants_input ? p->c->input : -1, &readable);
		if (result == CLIENT_OK)
			result = take_answers(p);
		if (readable && result == CLIENT_OK && !read_lines(p))
			return CTL_FAILED;
		show_progress(p, false);
	}
	show_progress(p, true);
	if (result != CLIENT_OK)
		return ctl_fail(p->c, "%llu of %llu events are known to be published: %s",
		    (unsigned long long)(p->answered - p->refused), (unsigned long long)p->sent,
		    client_text(result));
	return p->refused + p->unsendable == 0 ? CTL_OK : CTL_FAILED;
}

/* The upload as a whole is refused: for want of permission, or because the server is stopping. */
static enum ctl_exit
tell_refusal(struct pub *p)
{
	struct client_answer answer;
	enum client_result result = client_answer(&p->client, ANSWER_TIMEOUT_MS, &answer);
	char text[1024];

	if (result == CLIENT_OK)
		client_error_text(
		    answer.status, publish_buffer_content(&answer.body), text, sizeof text);
	else
		snprintf(text, sizeof text, "%s", client_text(result));
	publish_buffer_free(&answer.body);
	return ctl_fail(p->c, "nothing is published: %s", text);
}

static enum ctl_exit
publish_stream(struct pub *p)
{
	struct http_reply reply;
	size_t head_len;
	enum client_result result;
	enum ctl_exit code;

	if (!client_put(&p->client,
		SLICE_LITERAL(
		    "POST /publish HTTP/1.1\r\nHost: localhost\r\n"
		    "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")))
		return ctl_fail(p->c, "out of memory");
	result = client_head(&p->client, ANSWER_TIMEOUT_MS, &reply, &head_len);
	if (result == CLIENT_OK && reply.status != 200)
		return tell_refusal(p);
	if (result == CLIENT_OK &&
	    http_body_start(&p->body, reply.framing, reply.content_length, UINT64_MAX) < 0)
		result = CLIENT_MALFORMED;
	if (result != CLIENT_OK)
		return ctl_fail(p->c, "nothing is published: %s", client_text(result));
	publish_buffer_drop(&p->client.in, head_len);
	code = run_stream(p);
	publish_buffer_free(&p->lines);
	publish_buffer_free(&p->answer);
	return code;
}

/* ---- the command -------------------------------------------------------------------------------------- */

/* What is wrong with the command line, or NULL. */
static const char *
find_mistake(const struct pub *p, const struct ctl_operands *operands, char *text, size_t size)
{
	const char *wrong;

	if (operands->count == 0)
		return "the channel is missing";
	if (operands->count > 2)
		return "one channel and one piece of data: quote data that has spaces";
	if (p->data != NULL && p->file != NULL)
		return "the data is given twice: as an argument and with --file";
	if (p->key != NULL && p->data == NULL && p->file == NULL)
		return "--key names one event: give DATA or --file with it";
	if (p->key != NULL && (*p->key == '\0' || strlen(p->key) > LIMIT_KEY_BYTES ||
				  strpbrk(p->key, "\r\n") != NULL))
		return "a key is 1 to 255 bytes, without line ends";
	wrong = event_channel_fault(slice_text(p->channel));
	if (wrong != NULL) {
		snprintf(text, size, "the channel's name %s", wrong);
		return text;
	}
	wrong = p->type == NULL ? NULL : event_type_fault(slice_text(p->type));
	if (wrong != NULL) {
		snprintf(text, size, "the type %s", wrong);
		return text;
	}
	return NULL;
}

static enum ctl_exit
publish_by_form(struct pub *p)
{
	struct publish_buffer content = {0};
	enum ctl_exit code = CTL_FAILED;

	if (p->data != NULL)
		return publish_one(
		    p, p->json ? "application/json" : "text/plain", slice_text(p->data));
	if (p->file == NULL)
		return publish_stream(p);
	/* Without a type the server decides: text if it is UTF-8, else binary. */
	if (read_file(p->c, p->file, &content))
		code = publish_one(
		    p, p->json ? "application/json" : NULL, publish_buffer_content(&content));
	publish_buffer_free(&content);
	return code;
}

enum ctl_exit
pub_run(struct ctl *c, int argc, char **argv)
{
	struct pub p = {.c = c};
	const struct ctl_option options[] = {
	    {"--type", &p.type, NULL},
	    {"--json", NULL, &p.json},
	    {"--file", &p.file, NULL},
	    {"--key", &p.key, NULL},
	    {"--socket", &p.socket, NULL},
	    {0},
	};
	struct ctl_operands operands;
	const char *mistake;
	char text[256];
	enum ctl_exit code;

	if (!ctl_parse(c, "pub", options, argc, argv, &operands))
		return CTL_USAGE;
	p.channel = operands.count > 0 ? operands.of[0] : NULL;
	p.data = operands.count > 1 ? operands.of[1] : NULL;
	mistake = find_mistake(&p, &operands, text, sizeof text);
	if (mistake != NULL)
		return ctl_misuse(c, "pub", "%s", mistake);
	if (!client_open_socket(&p.client, c, p.socket))
		return CTL_FAILED;
	code = publish_by_form(&p);
	client_close(&p.client);
	return code;
}
