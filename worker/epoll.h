/*
 * epoll.h: the io seam (worker/io.h) over epoll and plain sends, for hosts whose sandbox forbids
 * io_uring.
 */
#ifndef WORKER_EPOLL_H
#define WORKER_EPOLL_H

#include "worker/io.h"

extern const struct io_backend epoll_backend;

#endif
