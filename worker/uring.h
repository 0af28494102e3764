/*
 * uring.h: the io seam (worker/io.h) over io_uring. The only file that knows liburing is uring.c.
 */
#ifndef WORKER_URING_H
#define WORKER_URING_H

#include "worker/io.h"

extern const struct io_backend uring_backend;

struct io_uring;

/*
 * The ring itself, for the probe and the tests, which ask it for operations that the seam cannot
 * express. Borrowed from `io`, which must be an open io over io_uring.
 */
struct io_uring *uring_ring(const struct io *io);

#endif
