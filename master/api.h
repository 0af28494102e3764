/*
 * api.h: what the publish socket answers besides publishing: channels and connections.
 *
 * A worker knows its own clients only. A question goes to every worker as an ORDER_QUERY; their ORDER_ROWS are collected
 * until the last worker has answered or API_DEADLINE_MS have passed, then merged, sorted and cut to a page.
 * struct master owns a struct api as m->api.
 */
#ifndef MASTER_API_H
#define MASTER_API_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/order.h"

#define API_DEADLINE_MS 1000

struct master;
struct api;
struct api_query;
struct publish_session;

int api_start(struct master *m);
void api_stop(struct master *m);

/* ORDER_ROWS from a worker. 0, or -1 when the rows are malformed: the caller then distrusts the worker. */
int api_rows(struct master *m, uint32_t ordinal, const struct order_rows *rows);

/* The worker will answer no more (died, or its control socket ended). */
void api_worker_gone(struct master *m, uint32_t ordinal);

/* ---- for publish_request.c: each answers the session, at once or when the workers have ---- */

void api_list_channels(struct publish_session *s, struct slice query);
void api_show_channel(struct publish_session *s, struct slice raw_name);
void api_delete_channel(struct publish_session *s, struct slice raw_name, struct slice query);
void api_list_connections(struct publish_session *s, struct slice query);
void api_end_connection(struct publish_session *s, struct slice text);

/* The session that asked is gone. */
void api_forget(struct master *m, struct api_query *query);

/* ---- names of connections ---- */

/* The text of a connection: "<ordinal>-<generation><slot>", both as eight hexadecimal digits. */
#define API_CONNECTION_TEXT_BYTES 28
size_t api_connection_text(
    char text[API_CONNECTION_TEXT_BYTES], uint32_t ordinal, uint64_t connection);
bool api_connection_parse(struct slice text, uint32_t *ordinal, uint64_t *connection);

#endif
