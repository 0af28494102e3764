/*
 * bench_source.h: where connections come from. A source address has some 28,000 ports for one server, so clients in great numbers need
 * several.
 */
#ifndef MASTER_CTL_BENCH_SOURCE_H
#define MASTER_CTL_BENCH_SOURCE_H

#include "master/ctl/bench_plan.h"

/*
 * Begins a connection of load process number `ordinal` to the server; non-blocking, perhaps under way. From --sources in turn, on IPv4 loopback
 * from 127.0.0.(1 + ordinal % 200), else from wherever the kernel likes. -1 with errno.
 */
int bench_source_connect(const struct bench_plan *plan, uint32_t ordinal);

/* The address number i of a list with commas; false when it is none. */
bool bench_source_parse(
    const char *list, uint32_t i, struct sockaddr_storage *address, socklen_t *len);

/* How many there are; 0: one of them is no address. */
uint32_t bench_source_count(const char *list);

#endif
