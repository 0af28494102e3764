/*
 * ws_input.h: what arrives on a WebSocket, as a small machine that holds no payload (RFC 6455
 * sections 5.4 to 5.5, 7.4, 8.1).
 *
 * It is fed bytes as they were read, of any length, and takes all of them: the caller never has to
 * keep or feed again what was consumed, so one read buffer can serve every connection. Payload is
 * unmasked in place and reported in pieces, slices of the bytes just fed; a message or control
 * payload that a read cuts in two comes as two pieces (`first`, `last`), and only then does the
 * caller need a buffer of its own:
 *
 *     while (len != 0) {
 *             size_t used = ws_input_next(&input, bytes, len, &event);
 *             bytes += used, len -= used;
 *             switch (event.kind) ...
 *     }
 *
 * Control frames may come between the pieces of a message, never between the pieces of another
 * control frame: a caller wants one message buffer and one of WS_FRAME_CONTROL_BYTES_MAX. Frames,
 * as opposed to messages, do not show.
 *
 * Where permessage-deflate was negotiated (ws_input_deflate), the first frame of a message may say with
 * RSV1 that the message is compressed (RFC 7692 section 6). Its pieces are reported as they are, marked;
 * inflating them, and then looking at their UTF-8, is the caller's.
 *
 * Between calls the whole state is this struct: plain data, which may be packed and handed to
 * another process. When ws_input_idle says so, it equals a freshly started one and need not be kept
 * at all.
 */
#ifndef PROTO_WS_INPUT_H
#define PROTO_WS_INPUT_H

#include "proto/utf8.h"
#include "proto/ws_frame.h"

struct ws_input {
	uint64_t left;            /* payload bytes of the current frame still to come */
	uint64_t message_len;     /* declared by the open message's frames so far */
	uint32_t message_len_max; /* bytes; more is 1009 */
	uint16_t close_code;      /* of a close frame in progress, as far as it was read */
	uint8_t control_len;      /* bytes of the current control payload seen */
	uint8_t phase;            /* enum ws_input_phase in ws_input.c */
	uint8_t head[WS_FRAME_HEAD_BYTES_MAX]; /* of the current frame, as it arrives */
	uint8_t head_len;
	uint8_t mask_at;                   /* payload bytes of the current frame seen, modulo 4 */
	uint8_t mask[WS_FRAME_MASK_BYTES]; /* of the current frame */
	uint8_t frame_opcode;              /* of the current frame */
	uint8_t frame_fin;
	uint8_t message;    /* WS_TEXT or WS_BINARY while a message is open, else 0 */
	uint8_t begun;      /* 1 once a piece of the open message was reported */
	struct utf8 text;   /* of the open text message */
	struct utf8 reason; /* of a close reason in progress */
	uint8_t role;       /* enum ws_role */
	uint8_t deflate;    /* 1: messages may be compressed */
	uint8_t rsv1;       /* 1: the head in progress had RSV1, rightly */
	uint8_t compressed; /* 1: the open message is */
	uint8_t padding[4];
};

enum ws_input_kind {
	WS_INPUT_MORE,  /* all is consumed, nothing to report; also for ever after the end */
	WS_INPUT_DATA,  /* a piece of a message: opcode, data, first, last, message_len */
	WS_INPUT_PING,  /* a piece of a ping's payload: data, first, last */
	WS_INPUT_PONG,  /* likewise */
	WS_INPUT_CLOSE, /* a piece of a close reason; code with the last, or WS_CLOSE_NO_CODE */
	WS_INPUT_ERROR /* the peer broke the protocol: close with code; text says why. Comes once */
};

struct ws_input_event {
	enum ws_input_kind kind;
	enum ws_opcode opcode; /* DATA: WS_TEXT or WS_BINARY, on every piece */
	bool first;            /* the first piece; a message within one read has first and last */
	bool last;             /* the last piece. Pieces may be empty */
	bool compressed;       /* DATA: the message is, on every piece */
	uint16_t code;     /* CLOSE: what the peer sent; ERROR: what to send: 1002, 1007 or 1009 */
	struct slice data; /* within the bytes fed, unmasked */
	uint64_t message_len; /* DATA: its bytes at least: this frame and those before */
	const char *text;     /* ERROR: for people, static; else NULL */
};

/*
 * Begins at a frame's boundary. role is ours; message_len_max is in bytes, over all frames of a
 * message.
 */
void ws_input_start(struct ws_input *input, enum ws_role role, uint32_t message_len_max);

/*
 * permessage-deflate was negotiated. To be called after every ws_input_start of such a connection. The
 * compressed form of a message may have a sixteenth and 64 bytes more than the limit, which holds for what is inside.
 */
void ws_input_deflate(struct ws_input *input);

/*
 * Takes bytes, up to the first thing worth an event, and returns how many; 1 or more when len is.
 * Unmasks what it takes. A message that is too big is an error as soon as a frame's head declares
 * it, text that is not UTF-8 at its first impossible byte, a bad close code with its second byte.
 */
size_t ws_input_next(struct ws_input *input, char *bytes, size_t len, struct ws_input_event *event);

/*
 * True when no frame and no message is open: the state equals that after ws_input_start (and ws_input_deflate). False
 * after CLOSE or ERROR.
 */
bool ws_input_idle(const struct ws_input *input);

/* True after a whole CLOSE or an ERROR: whatever still arrives is ignored (section 5.5.1). */
bool ws_input_ended(const struct ws_input *input);

#endif
