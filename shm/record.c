/*
 * record.c: sums, sanity and parsing of one record, always in private memory: nothing here touches
 * the ring.
 *
 * The sum takes four words at a time into four lanes, so that the multiplications overlap. Each
 * step is a bijection of the lane and of the word, and so is the joining of the lanes: a change
 * within one word always changes the sum.
 */
#include <string.h>

#include "shm/record.h"

#define SUM_MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)

static inline uint32_t
round_up(uint32_t bytes)
{
	return (bytes + 7u) & ~7u;
}

static inline uint64_t
word_at(const unsigned char *bytes, size_t word)
{
	uint64_t value;

	memcpy(&value, bytes + 8 * word, 8);
	return value;
}

static inline uint64_t
mix(uint64_t lane, uint64_t word)
{
	lane = (lane ^ word) * SUM_MULTIPLIER;
	return lane ^ lane >> 32;
}

/* Sum of whole words; `without` is a word that counts as zero (an index beyond the end: none). */
static uint64_t
sum(const unsigned char *bytes, size_t words, size_t without)
{
	uint64_t lane[4] = {words + 1, 2, 3, 4};
	size_t i = 0;

	if (without < 4 && words >= 4) {
		for (; i < 4; i++)
			lane[i] = mix(lane[i], i == without ? 0 : word_at(bytes, i));
	}
	for (; i + 4 <= words; i += 4) {
		lane[0] = mix(lane[0], word_at(bytes, i));
		lane[1] = mix(lane[1], word_at(bytes, i + 1));
		lane[2] = mix(lane[2], word_at(bytes, i + 2));
		lane[3] = mix(lane[3], word_at(bytes, i + 3));
	}
	for (; i < words; i++)
		lane[i & 3] = mix(lane[i & 3], word_at(bytes, i));
	return mix(mix(mix(lane[0], lane[1]), lane[2]), lane[3]);
}

uint32_t
record_head_length(const struct record_header *header)
{
	return round_up(RECORD_HEADER_BYTES + header->channels * RECORD_LINK_BYTES +
			header->names_len + header->type_len);
}

bool
record_sane(const struct record_header *header, uint64_t position, uint64_t size)
{
	uint32_t head = record_head_length(header);
	uint64_t body = ((uint64_t)header->attrs_len + header->data_len + 7u) & ~UINT64_C(7);

	if (header->position != position || header->length % 8 != 0 ||
	    header->length > size / LIMIT_RING_EVENT_SHARE ||
	    (position & (size - 1)) + header->length > size)
		return false;
	if (header->flags & RECORD_PAD)
		return header->length >= RECORD_HEADER_BYTES && head == RECORD_HEADER_BYTES &&
		       body == 0;
	return header->channels >= 1 && header->channels <= LIMIT_EVENT_CHANNELS &&
	       header->type_len <= LIMIT_TYPE_BYTES &&
	       header->names_len <= header->channels * (1u + LIMIT_CHANNEL_NAME_BYTES) &&
	       head + body == header->length;
}

uint64_t
record_head_sum(const unsigned char *bytes, const struct record_header *header)
{
	return sum(bytes, record_head_length(header) / 8, 1);
}

uint64_t
record_body_sum(const unsigned char *bytes, const struct record_header *header)
{
	uint32_t head = record_head_length(header);

	if (header->flags & RECORD_PAD)
		return 0;
	return sum(bytes + head, (header->length - head) / 8, SIZE_MAX);
}

/* Reads one link and clears its next in the buffer, which the sum expects to be 0. */
static void
parse_link(unsigned char *bytes, uint64_t position, struct record_channel *channel)
{
	struct record_link link;
	uint64_t back, next;

	memcpy(&link, bytes, sizeof link);
	back = link.back_next & UINT32_MAX;
	next = link.back_next >> 32;
	channel->hash = link.hash;
	channel->prev_id = link.prev_id;
	channel->back = back == 0 || back * 8 >= position ? 0 : position - back * 8;
	channel->next = next == 0 ? 0 : position + next * 8;
	link.back_next = back;
	memcpy(bytes, &link, sizeof link);
}

/*
 * The names, after the sum has vouched for them; a sum that was forged is no reason to read
 * elsewhere.
 */
static bool
parse_names(const unsigned char *lengths, const struct record_header *header, struct record *record)
{
	const char *name = (const char *)lengths + header->channels;
	size_t left = header->names_len;

	if (left < header->channels)
		return false;
	left -= header->channels;
	for (unsigned i = 0; i < header->channels; i++) {
		if (lengths[i] > left)
			return false;
		record->channels[i].name = (struct record_slice){name, lengths[i]};
		name += lengths[i];
		left -= lengths[i];
	}
	return left == 0;
}

bool
record_parse(
    unsigned char *bytes, const struct record_header *header, bool whole, struct record *record)
{
	const unsigned char *names =
	    bytes + RECORD_HEADER_BYTES + header->channels * RECORD_LINK_BYTES;
	const char *body = (const char *)bytes + record_head_length(header);

	record->position = header->position;
	record->following = header->position + header->length;
	record->id = header->id;
	record->time_ms = header->time_ms;
	record->length = header->length;
	record->head_length = record_head_length(header);
	record->data_len = header->data_len;
	record->flags = header->flags;
	record->kind = header->flags & RECORD_KIND_MASK;
	record->channels_count = header->channels;
	for (unsigned i = 0; i < header->channels; i++)
		parse_link(bytes + RECORD_HEADER_BYTES + i * RECORD_LINK_BYTES, header->position,
		    &record->channels[i]);
	if (record_head_sum(bytes, header) != header->head_sum)
		return false;
	if (whole && record_body_sum(bytes, header) != header->body_sum)
		return false;
	if (!parse_names(names, header, record))
		return false;
	record->type =
	    (struct record_slice){(const char *)names + header->names_len, header->type_len};
	record->attrs = (struct record_slice){body, whole ? header->attrs_len : 0};
	record->data =
	    (struct record_slice){body + header->attrs_len, whole ? header->data_len : 0};
	if (!whole)
		record->data.bytes = record->attrs.bytes = NULL;
	return true;
}

bool
record_attr(const struct record *record, uint16_t type, struct record_slice *value)
{
	struct record_slice rest = record->attrs;
	uint16_t head[2];

	while (rest.len >= sizeof head) {
		memcpy(head, rest.bytes, sizeof head);
		rest.bytes += sizeof head;
		rest.len -= sizeof head;
		if (head[1] > rest.len)
			return false;
		if (head[0] == type) {
			*value = (struct record_slice){rest.bytes, head[1]};
			return true;
		}
		rest.bytes += head[1];
		rest.len -= head[1];
	}
	return false;
}

int
record_find(const struct record *record, uint64_t hash, const char *name, size_t name_len)
{
	for (unsigned i = 0; i < record->channels_count; i++) {
		const struct record_channel *channel = &record->channels[i];

		if (channel->hash == hash && channel->name.len == name_len &&
		    memcmp(channel->name.bytes, name, name_len) == 0)
			return (int)i;
	}
	return -1;
}
