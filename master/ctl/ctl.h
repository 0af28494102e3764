/*
 * ctl.h: what the commands of `ringcast` share: the frame that runs them, options, and how mistakes are told.
 *
 * A command is a function that answers an exit code. It writes results to c->out and everything else to c->err, and knows
 * the environment only through struct ctl, so that tests run it in their own process.
 */
#ifndef MASTER_CTL_CTL_H
#define MASTER_CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum ctl_exit { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

struct ctl {
	FILE *out;
	FILE *err;
	bool color;            /* on err and out: both are terminals and NO_COLOR is not set */
	const char *socket;    /* RINGCAST_SOCKET, or NULL */
	const char *directory; /* XDG_RUNTIME_DIR, or NULL */
	const char *url;       /* RINGCAST_URL, or NULL */
	uid_t uid;
	int input; /* descriptor that lines are read from */
};

/* Runs the command that the arguments name. */
enum ctl_exit ctl_run(struct ctl *c, int argc, char **argv);

/* An option "--name": with a value if value is not NULL, else a switch. A table of them ends with a NULL name. */
struct ctl_option {
	const char *name;
	const char **value;
	bool *on;
};

#define CTL_OPERANDS_MAX 1024

struct ctl_operands {
	size_t count;
	const char *of[CTL_OPERANDS_MAX];
};

/*
 * Sorts arguments into options and operands; "--name=value", "--name value", and "--" before operands that look like
 * options ("-1" is an operand or a value in any case). False after telling the mistake.
 */
bool ctl_parse(struct ctl *c, const char *command, const struct ctl_option *options, int argc,
    char **argv, struct ctl_operands *operands);

/* Tells a wrong command line, with where to look it up. Always CTL_USAGE. */
enum ctl_exit ctl_misuse(struct ctl *c, const char *command, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Tells what went wrong. Always CTL_FAILED. */
enum ctl_exit ctl_fail(struct ctl *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A remark that is no failure, such as a gap. */
void ctl_note(struct ctl *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A whole number of digits only, at most max. */
bool ctl_number(const char *text, uint64_t max, uint64_t *number);

/* A reconnect's pause: doubles from 250 ms to 10 s with the tries in a row, and any part of it at random. */
unsigned ctl_pause_ms(unsigned tries);
void ctl_sleep_ms(unsigned ms);

/* The commands. argv[0] is the command's name. */
enum ctl_exit pub_run(struct ctl *c, int argc, char **argv);
enum ctl_exit sub_run(struct ctl *c, int argc, char **argv);
enum ctl_exit stat_run(struct ctl *c, int argc, char **argv);
enum ctl_exit check_run(struct ctl *c, int argc, char **argv);
enum ctl_exit bench_run(struct ctl *c, int argc, char **argv);

#endif
