/*
 * log.c: builds a line in a buffer on the stack and writes it with one call. See log.h for its
 * form.
 *
 * A line that does not fit is cut and ends in "..."; it still is one line.
 */
#include "master/log.h"

#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#define LOG_LINE_BYTES 2048
#define LOG_VALUE_BYTES \
	512 /* of one value: a hostile one must not push the others out of the line */

int
log_reserve(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd != -1 && fd <= STDERR_FILENO);
	return fd == -1 ? -1 : close(fd);
}

struct log
log_to(int fd, int level)
{
	return (struct log){.fd = fd, .level = level, .terminal = isatty(fd) == 1};
}

static bool
log_needs_quotes(struct slice text)
{
	if (text.len == 0)
		return true;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.bytes[i];

		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
			return true;
	}
	return false;
}

static void
log_escaped_char(struct out *o, char c)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char byte = (unsigned char)c;

	if (c == '"' || c == '\\') {
		out_char(o, '\\');
		out_char(o, c);
	} else if (byte < ' ' || byte == 0x7f) {
		out_text(o, "\\x");
		out_char(o, digits[byte >> 4]);
		out_char(o, digits[byte & 15]);
	} else {
		out_char(o, c);
	}
}

static void
log_value(struct out *o, struct slice text)
{
	size_t len = text.len < LOG_VALUE_BYTES ? text.len : LOG_VALUE_BYTES;

	if (!log_needs_quotes(text)) {
		out_bytes(o, text.bytes, len);
	} else {
		out_char(o, '"');
		for (size_t i = 0; i < len; i++)
			log_escaped_char(o, text.bytes[i]);
		out_char(o, '"');
	}
	if (len < text.len)
		out_text(o, "...");
}

void
log_put(
    const struct log *log, enum log_level level, const char *text, const struct log_field *fields)
{
	char line[LOG_LINE_BYTES + sizeof "...\n"];
	struct out o = out_to(line, LOG_LINE_BYTES);
	ssize_t written;

	if ((int)level > log->level)
		return;
	if (!log->terminal) {
		out_char(&o, '<');
		out_u64(&o, (uint64_t)level);
		out_char(&o, '>');
	}
	for (; *text != '\0'; text++)
		out_char(&o, *text < ' ' && *text > 0 ? ' ' : *text);
	for (; fields != NULL && fields->name != NULL; fields++) {
		out_char(&o, ' ');
		out_text(&o, fields->name);
		out_char(&o, '=');
		if (fields->is_number)
			out_u64(&o, fields->number);
		else
			log_value(&o, fields->text);
	}
	memcpy(line + o.len, out_cut(&o) ? "...\n" : "\n", out_cut(&o) ? 4 : 1);
	/* Nobody is left to be told when standard error cannot be written. */
	written = write(log->fd, line, o.len + (out_cut(&o) ? 4 : 1));
	(void)written;
}
