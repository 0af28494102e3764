/*
 * report.h: answers the master's questions about channels and connections.
 */
#ifndef WORKER_REPORT_H
#define WORKER_REPORT_H

struct worker;
struct order_query;

/* Sends the rows, in as many packets as they take; the last one says so. */
void report(struct worker *w, const struct order_query *query);

#endif
