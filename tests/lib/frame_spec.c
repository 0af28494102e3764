/*
 * frame_spec.c: see frame_spec.h. Shares nothing with the product's own frames.
 */
#include "tests/lib/frame_spec.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/table.h"

#define HEAD_BYTES 14
#define CODE_BYTES 2

struct shape {
	uint64_t declared;
	size_t cut;    /* SIZE_MAX: nothing is cut off */
	size_t each;   /* 0: one frame */
	unsigned form; /* bytes of the length behind the first; 1: the shortest form */
	uint8_t opcode;
	uint8_t reserved; /* RSV1 to RSV3, where they are in the first byte */
	uint8_t mask[4];
	bool declares; /* `declared`, and not the payload's own length */
	bool fin;
	bool masked;
};

static const struct {
	const char *word;
	uint8_t opcode;
} kinds[] = {{"cont", 0}, {"text", 1}, {"binary", 2}, {"close", 8}, {"ping", 9}, {"pong", 10}};

static bool
set_kind(struct shape *s, const char *word)
{
	char *end;
	unsigned long opcode;

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strcmp(word, kinds[i].word) == 0) {
			s->opcode = kinds[i].opcode;
			return true;
		}
	if (strncmp(word, "op", 2) != 0)
		return false;
	opcode = strtoul(word + 2, &end, 10);
	s->opcode = (uint8_t)opcode;
	return end != word + 2 && *end == '\0' && opcode < 16;
}

static bool
set_option(struct shape *s, const char *word)
{
	const char *equals = strchr(word, '=');
	uint64_t number = 0;

	if (equals != NULL)
		number = strtoull(equals + 1, NULL, strncmp(word, "mask=", 5) == 0 ? 16 : 10);
	if (strcmp(word, "more") == 0)
		s->fin = false;
	else if (strncmp(word, "rsv", 3) == 0 && word[3] >= '1' && word[3] <= '3' &&
		 word[4] == '\0')
		s->reserved |= (uint8_t)(0x80 >> (word[3] - '0'));
	else if (strcmp(word, "unmasked") == 0)
		s->masked = false;
	else if (strcmp(word, "form16") == 0)
		s->form = 2;
	else if (strcmp(word, "form64") == 0)
		s->form = 8;
	else if (strncmp(word, "mask=", 5) == 0)
		for (unsigned i = 0; i < sizeof s->mask; i++)
			s->mask[i] = (uint8_t)(number >> (24 - 8 * i));
	else if (strncmp(word, "len=", 4) == 0) {
		s->declares = true;
		s->declared = number;
	} else if (strncmp(word, "cut=", 4) == 0)
		s->cut = number;
	else if (strncmp(word, "each=", 5) == 0 && number != 0)
		s->each = number;
	else
		return false;
	return true;
}

/* Reads `kind,option,option`, up to the space. */
static bool
parse(struct shape *s, const char *spec)
{
	char words[128];
	const size_t len = strcspn(spec, " ");
	char *save = words, *word;

	*s = (struct shape){.cut = SIZE_MAX,
	    .form = 1,
	    .mask = {0x37, 0xfa, 0x21, 0x3d},
	    .fin = true,
	    .masked = true};
	if (len >= sizeof words)
		return false;
	memcpy(words, spec, len);
	words[len] = '\0';
	if (!set_kind(s, strsep(&save, ",")))
		return false;
	while ((word = strsep(&save, ",")) != NULL)
		if (!set_option(s, word))
			return false;
	return true;
}

/* One frame. Returns its length, 0 when it does not fit. */
static size_t
render(const struct shape *s, const char *payload, size_t len, char *out, size_t cap)
{
	const uint64_t declared = s->declares ? s->declared : len;
	const unsigned form = s->form != 1       ? s->form
			      : declared < 126   ? 0
			      : declared < 65536 ? 2
						 : 8;
	uint8_t head[HEAD_BYTES];
	size_t n = 2;

	head[0] = (uint8_t)((s->fin ? 0x80 : 0) | s->reserved | s->opcode);
	head[1] = (uint8_t)((s->masked ? 0x80 : 0) | (form == 0      ? declared
							 : form == 2 ? 126
								     : 127));
	for (unsigned i = form; i-- > 0;)
		head[n++] = (uint8_t)(declared >> (8 * i));
	if (s->masked) {
		memcpy(head + n, s->mask, sizeof s->mask);
		n += sizeof s->mask;
	}
	if (n + len > cap)
		return 0;
	memcpy(out, head, n);
	for (size_t i = 0; i < len; i++)
		out[n + i] = (char)(payload[i] ^ (s->masked ? s->mask[i % 4] : 0));
	n += len;
	return s->cut < n ? s->cut : n;
}

static ptrdiff_t
render_each(const struct shape *s, const char *payload, size_t len, char *out, size_t cap)
{
	struct shape part = *s;
	size_t used = 0;

	for (size_t at = 0; at < len; at += s->each) {
		const size_t piece = len - at < s->each ? len - at : s->each;
		size_t n;

		part.fin = at + piece == len && s->fin;
		part.opcode = at == 0 ? s->opcode : 0;
		n = render(&part, payload + at, piece, out + used, cap - used);
		if (n == 0)
			return -1;
		used += n;
	}
	return (ptrdiff_t)used;
}

static ptrdiff_t
render_pings(unsigned long count, char *out, size_t cap)
{
	struct shape ping;
	size_t used = 0;

	parse(&ping, "ping");
	for (unsigned long i = 0; i < count; i++) {
		char text[24];
		const int len = snprintf(text, sizeof text, "%lu", i);
		const size_t n = render(&ping, text, (size_t)len, out + used, cap - used);

		if (n == 0)
			return -1;
		used += n;
	}
	return (ptrdiff_t)used;
}

/* `1000 reason`: the code as it goes over the wire, in front of the rest. */
static ptrdiff_t
close_payload(const char *text, char *payload, size_t cap)
{
	char *end;
	const unsigned long code = strtoul(text, &end, 10);
	ptrdiff_t len;

	if (end == text)
		return *text == '\0' ? 0 : -1;
	payload[0] = (char)(code >> 8);
	payload[1] = (char)code;
	len = table_bytes(*end == ' ' ? end + 1 : end, payload + CODE_BYTES, cap - CODE_BYTES);
	return len < 0 ? -1 : len + CODE_BYTES;
}

ptrdiff_t
frame_spec_render(const char *spec, char *out, size_t cap)
{
	const char *space = strchr(spec, ' ');
	const char *text = space == NULL ? "" : space + 1;
	struct shape shape;
	char *payload;
	ptrdiff_t len;

	if (strncmp(spec, "bytes ", 6) == 0)
		return table_bytes(text, out, cap);
	if (strncmp(spec, "pings ", 6) == 0)
		return render_pings(strtoul(text, NULL, 10), out, cap);
	if (!parse(&shape, spec) || (payload = malloc(cap)) == NULL)
		return -1;
	len = strncmp(spec, "close", 5) == 0 ? close_payload(text, payload, cap)
					     : table_bytes(text, payload, cap);
	if (len >= 0 && shape.each != 0) {
		len = render_each(&shape, payload, (size_t)len, out, cap);
	} else if (len >= 0) {
		const size_t n = render(&shape, payload, (size_t)len, out, cap);

		len = n == 0 ? -1 : (ptrdiff_t)n;
	}
	free(payload);
	return len;
}
