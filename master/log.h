/*
 * log.h: one line on standard error a message: "<6>text key=value key="value with spaces"".
 *
 * The prefix is the syslog priority in the form that journald reads from a service's standard
 * error (sd-daemon(3)); a terminal, where it would be noise, is not shown it. A value is quoted
 * when it holds anything that would blur where it ends; control characters are escaped, so that
 * what a client or a file says can never start a line of its own. One line is one write(2). The
 * data path counts and does not log.
 */
#ifndef MASTER_LOG_H
#define MASTER_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/slice.h"

/* The syslog priorities that are used. */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

struct log {
	int fd;
	int level;     /* lines of a higher number are left out */
	bool terminal; /* lines go without their priority */
};

struct log_field {
	const char *name; /* NULL ends the list */
	struct slice text;
	uint64_t number;
	bool is_number;
};

static inline struct log_field
log_slice(const char *name, struct slice text)
{
	return (struct log_field){name, text, 0, false};
}

static inline struct log_field
log_text(const char *name, const char *text)
{
	return (struct log_field){name, slice_text(text), 0, false};
}

static inline struct log_field
log_number(const char *name, uint64_t number)
{
	return (struct log_field){name, {NULL, 0}, number, true};
}

/*
 * Makes sure that standard input, output and error are open, be it on nothing: otherwise the ring or
 * a client would get one of their numbers, and be written to as the log. First of all; -1 with errno.
 */
int log_reserve(void);

/* A log that writes to the descriptor, which stays the caller's. */
struct log log_to(int fd, int level);

void log_put(
    const struct log *log, enum log_level level, const char *text, const struct log_field *fields);

/*
 * log_with(&m->log, LOG_LEVEL_INFO, "worker started", log_number("worker", 3), log_number("pid",
 * pid));
 */
#define log_with(log, level, text, ...) \
	log_put((log), (level), (text), (const struct log_field[]){__VA_ARGS__, {0}})

static inline void
log_say(const struct log *log, enum log_level level, const char *text)
{
	log_put(log, level, text, NULL);
}

/* The same with ` error="..."` made of errno's text. */
#define log_errno(log, level, text, ...) \
	log_put((log), (level), (text),  \
	    (const struct log_field[]){__VA_ARGS__, log_text("error", strerror(errno)), {0}})

#endif
