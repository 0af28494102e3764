/*
 * ctl_fixture.h: runs a command line in this process and keeps what it said.
 */
#ifndef TESTS_CTL_FIXTURE_H
#define TESTS_CTL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "master/ctl/ctl.h"

#define ARGUMENTS_MAX 32

struct said {
	enum ctl_exit code;
	char *out, *err;
};

/* Splits the line at spaces (an argument cannot hold one; "''" is an empty one) and runs it. base: the environment. */
static inline struct said
ctl_say(const struct ctl *base, const char *line)
{
	struct ctl c = *base;
	struct said said = {0};
	char *copy = strdup(line), *argv[ARGUMENTS_MAX + 1] = {NULL};
	size_t out_len, err_len;
	int argc = 0;

	for (char *at = strtok(copy, " "); at != NULL; at = strtok(NULL, " ")) {
		assert_true(argc < ARGUMENTS_MAX);
		argv[argc++] = strcmp(at, "''") == 0 ? at + 2 : at;
	}
	c.out = open_memstream(&said.out, &out_len);
	c.err = open_memstream(&said.err, &err_len);
	said.code = ctl_run(&c, argc, argv);
	fclose(c.out);
	fclose(c.err);
	free(copy);
	return said;
}

static inline void
said_free(struct said *said)
{
	free(said->out);
	free(said->err);
}

#endif
