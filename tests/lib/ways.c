/*
 * ways.c: see ways.h.
 */
#include "tests/lib/ways.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/talk.h"

#define WAIT_MS 5000

int
ways_status(const char *code)
{
	static const struct {
		const char *code;
		int status;
	} statuses[] = {{"forbidden", 403}, {"origin_forbidden", 403}, {"not_found", 404},
	    {"method_not_allowed", 405}, {"too_large", 413}, {"uri_too_long", 414},
	    {"unsupported_type", 415}, {"too_many_channels", 429}, {"headers_too_large", 431},
	    {"draining", 503}};

	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
		if (strcmp(statuses[i].code, code) == 0)
			return statuses[i].status;
	return 400;
}

static void
read_answer(struct text object, struct ways_answer *answer)
{
	answer->id = wire_json_id_at(object, "id");
	wire_json_string_at(object, "error.code", answer->code, sizeof answer->code);
	if (answer->code[0] == '\0')
		wire_json_string_at(object, "code", answer->code, sizeof answer->code);
}

bool
ways_post(struct wire_target to, const char *resource, const char *type, struct text body,
    struct ways_answer *answer)
{
	char buffer[4096], fields[256] = "";
	struct wire_http http;

	*answer = (struct ways_answer){0};
	if (type != NULL)
		snprintf(fields, sizeof fields, "Content-Type: %s\r\n", type);
	if (!wire_call(to, "POST", resource, fields, body, buffer, sizeof buffer, &http))
		return false;
	/* That of a stream of lines says nothing of the line. */
	if (type == NULL || strcmp(type, "application/x-ndjson") != 0)
		answer->status = http.status;
	read_answer(http.body, answer);
	return true;
}

static bool
say(struct talk *w, uint8_t opcode, struct text message)
{
	char frame[WAYS_MESSAGE_BYTES + 14];

	return message.len <= WAYS_MESSAGE_BYTES &&
	       talk_raw(w, frame, wire_ws_frame(frame, opcode, true, message.bytes, message.len));
}

/* Whatever comes next besides control objects of no interest here; false at the end. */
static bool
next_answer(struct talk *w, struct ways_answer *answer)
{
	struct wire_ws frame;
	char op[32];

	while (talk_frame(w, &frame, WAIT_MS)) {
		if (frame.opcode == 8 && frame.payload.len >= 2)
			answer->close_code = (uint16_t)((unsigned char)frame.payload.bytes[0] << 8 |
							(unsigned char)frame.payload.bytes[1]);
		if (frame.opcode == 8)
			return true;
		wire_json_string_at(frame.payload, "op", op, sizeof op);
		if (frame.opcode == 1 &&
		    (strcmp(op, "published") == 0 || strcmp(op, "error") == 0)) {
			read_answer(frame.payload, answer);
			return true;
		}
	}
	return false;
}

bool
ways_websocket(uint16_t port, struct text message, struct ways_answer *answer)
{
	struct talk w;
	bool good = talk_open(&w, port, "/events", NULL);

	*answer = (struct ways_answer){0};
	good = good && say(&w, 1, message) && next_answer(&w, answer);
	talk_close(&w);
	return good;
}

/* The id of the channel's newest event: a publisher of bare data is told none. */
static uint64_t
newest_id(uint16_t port, const char *channel)
{
	char resource[300], buffer[65536];
	struct wire_http answer;

	snprintf(resource, sizeof resource, "/events?channel=%s&after=-1", channel);
	if (!wire_call((struct wire_target){port, NULL}, "GET", resource, NULL,
		(struct text){NULL, 0}, buffer, sizeof buffer, &answer))
		return 0;
	return wire_json_id_at(answer.body, "events.0.id");
}

bool
ways_raw(uint16_t port, const char *channel, uint8_t opcode, struct text data,
    struct ways_answer *answer)
{
	struct talk w;
	struct wire_ws echo;
	char resource[300];
	bool good;

	*answer = (struct ways_answer){0};
	snprintf(resource, sizeof resource, "/events?channel=%s", channel);
	good = talk_open(&w, port, resource, "Sec-WebSocket-Protocol: ringcast.raw\r\n") &&
	       say(&w, opcode, data) && talk_frame(&w, &echo, WAIT_MS);
	if (good && echo.opcode == opcode)
		answer->id = newest_id(port, channel);
	else if (good && echo.opcode == 8 && echo.payload.len >= 2)
		answer->close_code = (uint16_t)((unsigned char)echo.payload.bytes[0] << 8 |
						(unsigned char)echo.payload.bytes[1]);
	talk_close(&w);
	return good;
}
