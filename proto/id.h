/*
 * id.h: event ids as text.
 *
 * An id is 64 bits: Unix time in milliseconds << 16 | counter. As text it is "<13 digits>-<5
 * digits>", so that ids sort as strings (until the year 2286, when the first part grows a digit).
 * Parsing also takes the parts without their padding.
 */
#ifndef PROTO_ID_H
#define PROTO_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/slice.h"

#define ID_TEXT_MAX 21               /* 15 digits, '-', 5 digits */
#define ID_MS_MAX (UINT64_MAX >> 16) /* 281474976710655 */

static inline uint64_t
id_of(uint64_t ms, uint16_t counter)
{
	return ms << 16 | counter;
}

static inline uint64_t
id_ms(uint64_t id)
{
	return id >> 16;
}

static inline uint16_t
id_counter(uint64_t id)
{
	return (uint16_t)(id & 0xffff);
}

/* Appends the id as text, without quotes. */
void id_render(struct out *o, uint64_t id);

/* The whole text is an id: 1 to 15 digits, '-', 1 to 5 digits, each in range. */
bool id_parse(struct slice text, uint64_t *id);

#endif
