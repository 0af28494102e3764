/*
 * client_plain.h: what a client of compressed frames has received, as it would be without compression.
 */
#ifndef TESTS_UNIT_WORKER_CLIENT_PLAIN_H
#define TESTS_UNIT_WORKER_CLIENT_PLAIN_H

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/squash.h"

#define CLIENT_PLAIN_BYTES (1u << 20) /* of one message */

/* The length of a frame at the start of so many bytes, its head included; 0: it is not whole. */
static inline size_t
client_frame_len(const char *bytes, size_t len, size_t *head)
{
	const unsigned char *at = (const unsigned char *)bytes;
	size_t payload = 0;

	if (len < 2)
		return 0;
	*head = at[1] < 126 ? 2 : at[1] == 126 ? 4 : 10;
	if (len < *head)
		return 0;
	for (size_t i = 2; i < *head; i++)
		payload = payload << 8 | at[i];
	if (*head == 2)
		payload = at[1];
	return len - *head < payload ? 0 : *head + payload;
}

/*
 * A copy of the bytes in which every whole compressed frame is replaced by its message, without a head; to be freed. What is
 * no such frame stays as it is.
 */
static inline char *
client_plain(const char *bytes, size_t len, size_t *plain_len)
{
	size_t cap = len + CLIENT_PLAIN_BYTES, at = 0, out = 0, head;
	const char *body =
	    len < 5 || memcmp(bytes, "HTTP/", 5) != 0 ? bytes : memmem(bytes, len, "\r\n\r\n", 4);
	char *plain = malloc(cap);

	assert_non_null(plain);
	at = body == NULL ? len : (size_t)(body - bytes) + (body == bytes ? 0 : 4);
	memcpy(plain, bytes, at);
	out = at;
	while (at < len) {
		const size_t frame = client_frame_len(bytes + at, len - at, &head);
		const size_t taken = frame == 0 ? len - at : frame;

		if (cap - out < CLIENT_PLAIN_BYTES + taken)
			plain = realloc(plain, cap = cap * 2 + taken);
		assert_non_null(plain);
		if (frame != 0 && (bytes[at] & 0x40) != 0) {
			const ssize_t n = unsquash(
			    bytes + at + head, frame - head, plain + out, CLIENT_PLAIN_BYTES);

			assert_true(n > 0);
			out += (size_t)n;
		} else {
			memcpy(plain + out, bytes + at, taken);
			out += taken;
		}
		at += taken;
	}
	*plain_len = out;
	return plain;
}

#endif
