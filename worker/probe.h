/*
 * probe.h: does this kernel do what the worker builds on? Asked by trying, not by version.
 *
 * Called once at start, before the worker's own ring is opened and before sandbox_enter. Everything
 * the probe opens it closes again; it needs no network (a pair of Unix sockets shows the send
 * semantics as TCP does).
 */
#ifndef WORKER_PROBE_H
#define WORKER_PROBE_H

#include <stddef.h>

/* A report fits this many bytes; a shorter buffer gets it cut. */
#define PROBE_REPORT_BYTES 512

/*
 * Tries what the recipe needs of io_uring: a ring with the worker's own flags and restrictions;
 * short sends reported although successes are silent; a full socket answering -EAGAIN; a multishot
 * poll that fires again; a forbidden operation refused. 0 and a sentence for the log, or the
 * negative errno of what failed (-EOPNOTSUPP: it does not behave) and a sentence that says what is
 * missing and what to do.
 */
int probe_io_uring(char *report, size_t report_size);

#endif
