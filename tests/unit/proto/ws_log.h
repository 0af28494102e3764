/*
 * ws_log.h: what ws_input reported, put together as a caller must, and written down as text. Two
 * streams that mean the same give the same log, however they were cut into reads.
 *
 *     text(Hello) ping(x) binary(..) close(1000,bye) error(1002) packed text(..)
 *
 * On the way every event is held against what ws_input.h promises: pieces lie in the bytes fed,
 * first and last are where they must be, nothing follows the end.
 */
#ifndef TESTS_UNIT_PROTO_WS_LOG_H
#define TESTS_UNIT_PROTO_WS_LOG_H

#include <stdio.h>
#include <stdlib.h>

#include "proto/ws_input.h"

#ifndef WS_LOG_BYTES
#define WS_LOG_BYTES (1 << 18)
#endif

struct ws_log {
	char text[WS_LOG_BYTES];
	size_t len;
	char message[WS_LOG_BYTES / 2];
	size_t message_len;
	bool message_open;
	bool message_packed;
	char control[WS_FRAME_CONTROL_BYTES_MAX];
	size_t control_len;
	bool control_open;
	bool ended;
};

#define WS_LOG_CHECK(condition)                                                         \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

static inline void
ws_log_open(struct ws_log *log)
{
	log->len = log->message_len = log->control_len = 0;
	log->message_open = log->control_open = log->ended = false;
}

static inline void
ws_log_write(struct ws_log *log, const char *name, struct slice what)
{
	size_t name_len = strlen(name);

	WS_LOG_CHECK(name_len + what.len + 2 <= sizeof log->text - log->len);
	if (log->len != 0)
		log->text[log->len++] = ' ';
	memcpy(log->text + log->len, name, name_len);
	log->len += name_len;
	if (what.len != 0)
		memcpy(log->text + log->len, what.bytes, what.len);
	log->len += what.len;
	log->text[log->len++] = ')';
}

static inline void
ws_log_data(struct ws_log *log, const struct ws_input_event *event)
{
	WS_LOG_CHECK(!log->control_open);
	WS_LOG_CHECK(event->first == !log->message_open);
	WS_LOG_CHECK(event->opcode == WS_TEXT || event->opcode == WS_BINARY);
	WS_LOG_CHECK(event->data.len != 0 || event->last);
	WS_LOG_CHECK(event->data.len <= sizeof log->message - log->message_len);
	WS_LOG_CHECK(event->first || event->compressed == log->message_packed);
	log->message_packed = event->compressed;
	memcpy(log->message + log->message_len, event->data.bytes, event->data.len);
	log->message_len += event->data.len;
	log->message_open = !event->last;
	WS_LOG_CHECK(event->message_len >= log->message_len);
	if (!event->last)
		return;
	WS_LOG_CHECK(event->message_len == log->message_len);
	ws_log_write(log,
	    event->compressed ? event->opcode == WS_TEXT ? "packed text(" : "packed binary("
	    : event->opcode == WS_TEXT ? "text("
				       : "binary(",
	    slice_of(log->message, log->message_len));
	log->message_len = 0;
}

static inline void
ws_log_control(struct ws_log *log, const struct ws_input_event *event)
{
	char name[16] = "ping(";

	WS_LOG_CHECK(event->first == !log->control_open);
	WS_LOG_CHECK(event->data.len != 0 || event->last);
	WS_LOG_CHECK(event->data.len <= sizeof log->control - log->control_len);
	memcpy(log->control + log->control_len, event->data.bytes, event->data.len);
	log->control_len += event->data.len;
	log->control_open = !event->last;
	if (!event->last)
		return;
	if (event->kind == WS_INPUT_PONG)
		snprintf(name, sizeof name, "pong(");
	if (event->kind == WS_INPUT_CLOSE) {
		snprintf(name, sizeof name, "close(%u,", event->code);
		log->ended = true;
	}
	ws_log_write(log, name, slice_of(log->control, log->control_len));
	log->control_len = 0;
}

static inline void
ws_log_event(struct ws_log *log, const struct ws_input_event *event)
{
	char name[16];

	WS_LOG_CHECK(!log->ended || event->kind == WS_INPUT_MORE);
	switch (event->kind) {
	case WS_INPUT_MORE:
		break;
	case WS_INPUT_DATA:
		ws_log_data(log, event);
		break;
	case WS_INPUT_PING:
	case WS_INPUT_PONG:
	case WS_INPUT_CLOSE:
		ws_log_control(log, event);
		break;
	case WS_INPUT_ERROR:
		WS_LOG_CHECK(event->text != NULL);
		snprintf(name, sizeof name, "error(%u", event->code);
		ws_log_write(log, name, slice_of(NULL, 0));
		log->ended = true;
		break;
	}
}

/* Feeds one read. The bytes are unmasked where they are, as a caller's would be. */
static inline void
ws_log_feed(struct ws_log *log, struct ws_input *input, char *bytes, size_t len)
{
	while (len != 0) {
		struct ws_input_event event;
		size_t used = ws_input_next(input, bytes, len, &event);

		WS_LOG_CHECK(used >= 1 && used <= len);
		WS_LOG_CHECK(event.kind != WS_INPUT_MORE || used == len);
		if (event.data.len != 0)
			WS_LOG_CHECK(event.data.bytes >= bytes &&
				     event.data.bytes + event.data.len <= bytes + used);
		ws_log_event(log, &event);
		WS_LOG_CHECK(ws_input_ended(input) == log->ended);
		bytes += used;
		len -= used;
	}
}

#endif
