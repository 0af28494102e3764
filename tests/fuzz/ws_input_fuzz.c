/*
 * ws_input_fuzz.c: a stream of WebSocket frames means the same however reads cut it.
 *
 * Input: one byte of role (bit 0), compression (bit 1) and seed for the cuts, one of message limit, then the stream.
 */
#define WS_LOG_BYTES (1 << 14)

#include "tests/unit/proto/ws_log.h"

#define STREAM_BYTES_MAX 1500

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads of 1 to 16 bytes, each from a block of its own, so that a byte too far is seen. */
static void
feed_in_cuts(
    struct ws_log *log, struct ws_input *input, const uint8_t *bytes, size_t len, uint32_t seed)
{
	while (len != 0) {
		size_t n = 1 + (seed >> 16) % 16;
		char *piece;

		seed = seed * 1103515245u + 12345u;
		if (n > len)
			n = len;
		piece = malloc(n);
		memcpy(piece, bytes, n);
		ws_log_feed(log, input, piece, n);
		free(piece);
		bytes += n;
		len -= n;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ws_log *whole, *cut;
	struct ws_input input;
	enum ws_role role;
	char *copy;

	if (size < 3 || size > STREAM_BYTES_MAX)
		return 0;
	role = data[0] & 1 ? WS_CLIENT : WS_SERVER;
	whole = malloc(sizeof *whole);
	cut = malloc(sizeof *cut);
	copy = malloc(size - 2);
	memcpy(copy, data + 2, size - 2);

	ws_log_open(whole);
	ws_input_start(&input, role, data[1]);
	if ((data[0] & 2) != 0)
		ws_input_deflate(&input);
	ws_log_feed(whole, &input, copy, size - 2);

	ws_log_open(cut);
	ws_input_start(&input, role, data[1]);
	if ((data[0] & 2) != 0)
		ws_input_deflate(&input);
	feed_in_cuts(cut, &input, data + 2, size - 2, (uint32_t)data[0] << 16);

	WS_LOG_CHECK(whole->len == cut->len);
	WS_LOG_CHECK(memcmp(whole->text, cut->text, cut->len) == 0);
	WS_LOG_CHECK(whole->message_open == cut->message_open || whole->ended);
	free(whole);
	free(cut);
	free(copy);
	return 0;
}
