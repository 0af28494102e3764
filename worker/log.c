/*
 * log.c: one line, one write.
 */
#include "worker/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void
log_line(int priority, const char *format, ...)
{
	char line[1024];
	va_list arguments;
	int head = snprintf(line, sizeof line, "<%d>", priority);
	int len;

	va_start(arguments, format);
	len = vsnprintf(line + head, sizeof line - (size_t)head - 1, format, arguments);
	va_end(arguments);
	len = len < 0 ? head : head + len;
	if ((size_t)len > sizeof line - 32)
		len = (int)sizeof line - 32;
	len += snprintf(line + len, 32, " worker_pid=%d\n", (int)getpid());
	/* Standard error that is full or gone is no reason to stop serving. */
	if (write(STDERR_FILENO, line, (size_t)len) == -1)
		return;
}
