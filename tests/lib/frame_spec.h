/*
 * frame_spec.h: a client's WebSocket frames in words, for tables: good ones, and every kind of broken one.
 *
 *     text Hello                 a whole frame, masked; also binary, cont, close, ping, pong, op3, op11
 *     text,more Hel              without FIN
 *     close 1000 bye             code and reason; op8 takes any bytes as they are
 *     ping,rsv1                  a reserved bit; rsv2, rsv3
 *     text,unmasked x            without a mask; text,mask=00000000 x with this one
 *     text,form64 x              a length in 8 bytes, or form16: in 2, whatever it is
 *     text,len=500 x             declares 500 bytes, and sends those that are there
 *     op3,cut=1                  only the first byte of the frame
 *     text,each=1 Hello          a message in fragments of 1 byte
 *     pings 100                  a hundred pings, their payloads 0, 1, ... 99
 *     bytes \x81\x80             bytes as they are
 *
 * The payload is what follows the first space, in the escapes of table.h.
 */
#ifndef TESTS_LIB_FRAME_SPEC_H
#define TESTS_LIB_FRAME_SPEC_H

#include <stddef.h>

/* Writes what a specification means. Returns the length, or -1 when it means nothing or does not fit. */
ptrdiff_t frame_spec_render(const char *spec, char *out, size_t cap);

#endif
