/*
 * sha1.h: SHA-1 (RFC 3174) of a short message in one call. Only Sec-WebSocket-Accept needs it (RFC
 * 6455 4.2.2), where it protects nothing: it shows that the answer is no cached one. Not for
 * anything else.
 */
#ifndef PROTO_SHA1_H
#define PROTO_SHA1_H

#include "proto/slice.h"

#define SHA1_BYTES 20

/* Writes the digest of the message. */
void sha1_digest(uint8_t digest[static SHA1_BYTES], struct slice message);

#endif
