/*
 * log.h: the worker's lines to standard error, which it shares with the master: "<priority>what happened key=value ...", one write a line.
 *
 * The worker says little: what an operator must know when it starts, ends or finds something broken. What happens to clients is
 * counted on the board.
 */
#ifndef WORKER_LOG_H
#define WORKER_LOG_H

#include <syslog.h>

/* The text must not hold line ends; it is cut at 1000 bytes. */
void log_line(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
