/*
 * ws_input.c: frames become pieces of messages. Every step looks only at the struct and at the
 * bytes at hand, so where a read cut the stream cannot matter.
 */
#include <assert.h>

#include "proto/ws_input.h"

enum ws_input_phase {
	WS_INPUT_PHASE_HEAD, /* between frames, or inside a head */
	WS_INPUT_PHASE_PAYLOAD,
	WS_INPUT_PHASE_ENDED,
};

#define CLOSE_CODE_BYTES 2
#define RSV1 0x40

void
ws_input_start(struct ws_input *input, enum ws_role role, uint32_t message_len_max)
{
	*input = (struct ws_input){.role = (uint8_t)role, .message_len_max = message_len_max};
}

void
ws_input_deflate(struct ws_input *input)
{
	input->deflate = 1;
}

bool
ws_input_idle(const struct ws_input *input)
{
	return input->phase == WS_INPUT_PHASE_HEAD && input->head_len == 0 && input->message == 0;
}

bool
ws_input_ended(const struct ws_input *input)
{
	return input->phase == WS_INPUT_PHASE_ENDED;
}

static void
fail(struct ws_input *input, struct ws_input_event *event, uint16_t code, const char *text)
{
	*event = (struct ws_input_event){.kind = WS_INPUT_ERROR, .code = code, .text = text};
	input->phase = WS_INPUT_PHASE_ENDED;
}

static bool
is_control(unsigned opcode)
{
	return opcode >= WS_CLOSE;
}

/*
 * What a frame's first byte must not be, given the message that is open (section 5.4); NULL if it
 * is fine. Asked before the rest of the head is looked at, so that the verdict is the same however
 * the head arrives.
 */
static const char *
sequence_fault(const struct ws_input *input, uint8_t first)
{
	unsigned opcode = first & 0x0f;

	if (opcode == WS_CONTINUATION && input->message == 0)
		return "continuation of no message";
	if ((opcode == WS_TEXT || opcode == WS_BINARY) && input->message != 0)
		return "new message inside a fragmented one";
	return NULL;
}

/*
 * RSV1 where it has a meaning: on the first frame of a message (RFC 7692 section 6). It is noted and taken off the head;
 * anywhere else it stays, and is a reserved bit.
 */
static void
take_rsv1(struct ws_input *input)
{
	unsigned opcode = input->head[0] & 0x0f;

	if (!input->deflate || (opcode != WS_TEXT && opcode != WS_BINARY) ||
	    (input->head[0] & RSV1) == 0)
		return;
	input->head[0] &= (uint8_t)~RSV1;
	input->rsv1 = 1;
}

/*
 * How much more a message may declare. Deflate makes what it cannot shorten longer, by 5 bytes a block, and no block
 * of zlib's has less than 128: a message of the limit may have as much more while it is compressed.
 */
static uint64_t
message_room(const struct ws_input *input)
{
	const bool compressed = input->message != 0 ? input->compressed : input->rsv1;
	const uint64_t len_max = input->message_len_max;

	return len_max + (compressed ? len_max / 16 + 64 : 0) - input->message_len;
}

static void
begin_frame(struct ws_input *input, const struct ws_frame *frame, struct ws_input_event *event)
{
	if (frame->opcode == WS_CLOSE && frame->len == 1) {
		fail(input, event, WS_CLOSE_PROTOCOL, "close frame with half a code");
		return;
	}
	input->phase = WS_INPUT_PHASE_PAYLOAD;
	input->left = frame->len;
	input->frame_opcode = frame->opcode;
	input->frame_fin = frame->fin;
	memcpy(input->mask, frame->mask, sizeof input->mask);
	memset(input->head, 0, sizeof input->head);
	input->head_len = 0;
	if (is_control(frame->opcode))
		return;
	if (frame->opcode != WS_CONTINUATION) {
		input->message = frame->opcode;
		input->compressed = input->rsv1;
		input->rsv1 = 0;
	}
	input->message_len += frame->len;
}

/*
 * Takes bytes of a head and begins its frame if that completes it. Returns how many belonged to the
 * head.
 */
static size_t
take_head(struct ws_input *input, const char *bytes, size_t len, struct ws_input_event *event)
{
	size_t before = input->head_len;
	size_t added = sizeof input->head - before;
	struct ws_frame frame;
	const char *fault;
	int used;

	if (added > len)
		added = len;
	memcpy(input->head + before, bytes, added);
	if (before == 0)
		take_rsv1(input);
	fault = sequence_fault(input, input->head[0]);
	if (fault != NULL) {
		fail(input, event, WS_CLOSE_PROTOCOL, fault);
		return added;
	}
	used = ws_frame_parse(&frame, slice_of((const char *)input->head, before + added),
	    (enum ws_role)input->role, message_room(input));
	if (used < 0) {
		enum ws_frame_error error = (enum ws_frame_error)used;

		fail(input, event, ws_frame_error_code(error), ws_frame_error_text(error));
		return added;
	}
	if (used == 0) {
		input->head_len = (uint8_t)(before + added);
		return added;
	}
	assert((size_t)used > before);
	begin_frame(input, &frame, event);
	return (size_t)used - before;
}

/* Reports a piece of a message. Empty pieces are worth an event only when they end it. */
static void
take_data(struct ws_input *input, struct slice piece, struct ws_input_event *event)
{
	bool last = input->frame_fin && input->left == 0;

	if (input->message == WS_TEXT && !input->compressed &&
	    (!utf8_feed(&input->text, piece.bytes, piece.len) ||
		(last && !utf8_whole(&input->text)))) {
		fail(input, event, WS_CLOSE_NOT_UTF8, "text is not UTF-8");
		return;
	}
	if (piece.len == 0 && !last)
		return;
	*event = (struct ws_input_event){
	    .kind = WS_INPUT_DATA,
	    .opcode = (enum ws_opcode)input->message,
	    .first = !input->begun,
	    .last = last,
	    .compressed = input->compressed,
	    .data = piece,
	    .message_len = input->message_len,
	};
	input->begun = 1;
	if (last) {
		input->message = 0;
		input->compressed = 0;
		input->begun = 0;
		input->message_len = 0;
		utf8_start(&input->text);
	}
}

static void
take_ping_or_pong(struct ws_input *input, struct slice piece, struct ws_input_event *event)
{
	*event = (struct ws_input_event){
	    .kind = input->frame_opcode == WS_PING ? WS_INPUT_PING : WS_INPUT_PONG,
	    .first = input->control_len == 0,
	    .last = input->left == 0,
	    .data = piece,
	};
}

/* Two bytes of code, the rest a reason (section 5.5.1). */
static void
take_close(struct ws_input *input, struct slice piece, struct ws_input_event *event)
{
	size_t before = input->control_len;
	bool last = input->left == 0;
	bool empty = before == 0 && piece.len == 0;

	for (; before < CLOSE_CODE_BYTES && piece.len > 0; before++) {
		input->close_code = (uint16_t)(input->close_code << 8 | (uint8_t)piece.bytes[0]);
		piece = slice_of(piece.bytes + 1, piece.len - 1);
		if (before + 1 == CLOSE_CODE_BYTES &&
		    !ws_frame_close_code_valid(input->close_code)) {
			fail(input, event, WS_CLOSE_PROTOCOL, "close code that must not be sent");
			return;
		}
	}
	if (!utf8_feed(&input->reason, piece.bytes, piece.len) ||
	    (last && !utf8_whole(&input->reason))) {
		fail(input, event, WS_CLOSE_NOT_UTF8, "close reason is not UTF-8");
		return;
	}
	if (piece.len == 0 && !last)
		return;
	*event = (struct ws_input_event){
	    .kind = WS_INPUT_CLOSE,
	    .first = before <= CLOSE_CODE_BYTES,
	    .last = last,
	    .code = !last   ? 0
		    : empty ? WS_CLOSE_NO_CODE
			    : input->close_code,
	    .data = piece,
	};
	if (last)
		input->phase = WS_INPUT_PHASE_ENDED;
}

/* Back between frames, with no trace of the one that was: what ws_input_idle promises. */
static void
end_frame(struct ws_input *input)
{
	input->phase = WS_INPUT_PHASE_HEAD;
	input->frame_opcode = 0;
	input->frame_fin = 0;
	input->control_len = 0;
	input->mask_at = 0;
	memset(input->mask, 0, sizeof input->mask);
}

/*
 * Takes what there is of the payload, at most all of the frame's; ends the frame if that was its
 * last byte.
 */
static size_t
take_payload(struct ws_input *input, char *bytes, size_t len, struct ws_input_event *event)
{
	struct slice piece = slice_of(bytes, len < input->left ? len : (size_t)input->left);

	if (input->role == WS_SERVER) /* clients send masked, servers never */
		ws_frame_mask(bytes, piece.len, input->mask, input->mask_at);
	input->left -= piece.len;
	if (input->frame_opcode == WS_CLOSE)
		take_close(input, piece, event);
	else if (is_control(input->frame_opcode))
		take_ping_or_pong(input, piece, event);
	else
		take_data(input, piece, event);
	input->mask_at = (uint8_t)((input->mask_at + piece.len) % WS_FRAME_MASK_BYTES);
	if (is_control(input->frame_opcode))
		input->control_len = (uint8_t)(input->control_len + piece.len);
	if (input->left == 0 && input->phase != WS_INPUT_PHASE_ENDED)
		end_frame(input);
	return piece.len;
}

size_t
ws_input_next(struct ws_input *input, char *bytes, size_t len, struct ws_input_event *event)
{
	size_t used = 0;

	*event = (struct ws_input_event){.kind = WS_INPUT_MORE};
	if (input->phase == WS_INPUT_PHASE_ENDED)
		return len;
	/* A frame without payload is complete with its head: hence the second condition. */
	while (used < len || (input->phase == WS_INPUT_PHASE_PAYLOAD && input->left == 0)) {
		if (input->phase == WS_INPUT_PHASE_HEAD)
			used += take_head(input, bytes + used, len - used, event);
		else
			used += take_payload(input, bytes + used, len - used, event);
		if (event->kind == WS_INPUT_ERROR)
			return len;
		if (event->kind != WS_INPUT_MORE)
			return used;
	}
	return used;
}
