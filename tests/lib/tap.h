/*
 * tap.h: the output of a test program (Test Anything Protocol 13), and its bound in time.
 *
 * A program makes one struct tap, reports each property with tap_check() and returns tap_finish()
 * from main. The plan is printed last, so a program that dies half-way is seen as failed. Whatever
 * happens, the program ends within the seconds given to tap_start(): the alarm reports and exits,
 * and server.c ties the server's life to ours.
 */
#ifndef TESTS_LIB_TAP_H
#define TESTS_LIB_TAP_H

#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct tap {
	unsigned number;
	unsigned failed;
};

static inline void
tap_out_of_time(int signal_number)
{
	static const char text[] = "Bail out! out of time\n";

	(void)signal_number;
	if (write(STDOUT_FILENO, text, sizeof text - 1) != (ssize_t)(sizeof text - 1))
		_exit(98);
	_exit(99);
}

/*
 * Starts the output; the program is ended after `seconds`. Writing to a closed socket is an error
 * value, not a death.
 */
static inline struct tap
tap_start(unsigned seconds)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, tap_out_of_time);
	alarm(seconds);
	return (struct tap){0, 0};
}

/*
 * Reports one property; returns whether it holds, so that a caller may stop where nothing further
 * makes sense.
 */
__attribute__((format(printf, 3, 4))) static inline bool
tap_check(struct tap *t, bool holds, const char *format, ...)
{
	va_list args;

	t->number++;
	t->failed += !holds;
	printf("%sok %u - ", holds ? "" : "not ", t->number);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	return holds;
}

__attribute__((format(printf, 2, 3))) static inline void
tap_skip(struct tap *t, const char *format, ...)
{
	va_list args;

	printf("ok %u - # SKIP ", ++t->number);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

__attribute__((format(printf, 1, 2))) static inline void
tap_note(const char *format, ...)
{
	va_list args;

	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

/* Prints the plan; the value is main's. */
static inline int
tap_finish(const struct tap *t)
{
	printf("1..%u\n", t->number);
	return t->failed != 0;
}

/* A count of this test scaled by E2E_SCALE (a fraction for sanitizer builds), at least `least`. */
static inline unsigned
tap_scaled(unsigned count, unsigned least)
{
	const char *text = getenv("E2E_SCALE");
	double scale = text != NULL ? strtod(text, NULL) : 1.0;
	unsigned n = (unsigned)((double)count * (scale > 0 ? scale : 1.0));

	return n < least ? least : n;
}

#endif
