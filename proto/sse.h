/*
 * sse.h: Server-Sent Events as ringcast sends them (CONTRACT "SSE"; WHATWG HTML 9.2).
 *
 *     event: notification          only when the type is not "message"
 *     data: first line             one for each line of the data, at least one
 *     data: second line
 *     id: 1763856000000-00000      last: some clients take the id as its line is read
 *     (blank line)
 *
 * No bytes of the data can leave their field: CR, LF and CRLF in it each begin a new data line, and
 * the one space after the colon is always written, so that one in the data survives. What a client
 * sees is the data with CR and CRLF turned into LF. Types, ops and ids are checked when an event is
 * published; should one hold CR, LF or NUL all the same, it is cut there. Rendering to an out of
 * capacity 0 tells the length.
 */
#ifndef PROTO_SSE_H
#define PROTO_SSE_H

#include "proto/slice.h"

/*
 * Appends an event. An empty type is "message"; an empty id writes no id line (the client keeps the
 * one it has).
 */
void sse_event(struct out *o, struct slice type, struct slice data, struct slice id);

/* The same for binary data: one data line of base64. */
void sse_binary_event(struct out *o, struct slice type, struct slice bytes, struct slice id);

/*
 * Appends a control object as an event `ringcast.<op>`: json is the object, on one line or several.
 * An empty id: no id line.
 */
void sse_control(struct out *o, struct slice op, struct slice json, struct slice id);

/* Appends a retry line with its blank line: how long the client waits before it reconnects. */
void sse_retry(struct out *o, uint32_t retry_ms);

/*
 * Bytes that sse_event or sse_binary_event write at most for lengths like these; add 9 to type_len
 * for sse_control's op.
 */
size_t sse_event_len_max(size_t type_len, size_t data_len, size_t id_len);

#endif
