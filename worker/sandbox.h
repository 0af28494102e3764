/*
 * sandbox.h: after start the worker gives up every system call but those of its turn.
 *
 * A read-only descriptor alone does not keep a process of the same user from writing the ring (it
 * can be reopened through /proc), and a filter alone does not see what io_uring does: so the ring
 * is restricted by itself (worker/uring.c), and this filter takes the rest. A worker over epoll has
 * no ring, and may not enter one.
 */
#ifndef WORKER_SANDBOX_H
#define WORKER_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

/* Whether this build has a sandbox at all: sanitizers need more system calls than it leaves. */
bool sandbox_available(void);

/* What stands behind the io seam: each needs system calls that the other does not. */
enum sandbox_io { SANDBOX_URING, SANDBOX_EPOLL };

/*
 * Irreversible, for the calling process: not dumpable, no new privileges, and a filter under which
 * any call that is not on the list answers EPERM (it does not kill: the worker's error paths run).
 * To be called after everything is opened and mapped: no descriptor can be opened afterwards except
 * by receiving it. 0, or a negative errno; `report` is a sentence for the log either way. In
 * sanitizer builds it does nothing, and says so.
 */
int sandbox_enter(enum sandbox_io io, char *report, size_t report_size);

#endif
