/*
 * poll.c: the frame around a poll's events, written and read (poll.h).
 */
#include "proto/poll.h"

#include "proto/id.h"

static void
add_id(struct out *o, const char *name, uint64_t id)
{
	out_text(o, name);
	out_char(o, '"');
	id_render(o, id);
	out_char(o, '"');
}

void
poll_render_suffix(
    struct out *o, uint64_t next, bool more, const struct poll_gap *gaps, uint32_t gap_count)
{
	add_id(o, "],\"next\":", next);
	out_text(o, more ? ",\"more\":true" : ",\"more\":false");
	out_text(o, ",\"gaps\":[");
	for (uint32_t i = 0; i < gap_count; i++) {
		out_text(o, i == 0 ? "{\"channel\":" : ",{\"channel\":");
		json_escape(o, gaps[i].channel);
		add_id(o, ",\"after\":", gaps[i].after);
		add_id(o, ",\"at\":", gaps[i].at);
		out_char(o, '}');
	}
	out_text(o, "]}");
}

size_t
poll_length(size_t event_bytes, uint32_t event_count, size_t suffix_len)
{
	size_t commas = event_count == 0 ? 0 : event_count - 1;

	return POLL_PREFIX.len + event_bytes + commas * POLL_COMMA.len + suffix_len;
}

/* A string that is an id; escapes in it are not expected and not read. */
static bool
parse_id(const struct json_value *value, uint64_t *id)
{
	return value->kind == JSON_KIND_STRING && value->plain &&
	       id_parse(slice_of(value->raw.bytes + 1, value->raw.len - 2), id);
}

static bool
open_array(const struct json_value *value, struct json_walk *walk)
{
	size_t at;

	return value->kind == JSON_KIND_ARRAY && json_walk_open(walk, value->raw, &at) > 0;
}

bool
poll_parse(struct poll_answer *answer, struct slice body)
{
	struct json_walk walk;
	struct json_value value;
	struct slice key;
	size_t at;
	bool has_events = false, has_next = false;
	int r = json_walk_open(&walk, body, &at);

	*answer = (struct poll_answer){.gaps = {.ended = true}};
	if (r <= 0 || !walk.object)
		return false;
	while ((r = json_walk_next(&walk, &key, &value, &at)) > 0) {
		if (json_string_equals(key, SLICE_LITERAL("events")))
			has_events = open_array(&value, &answer->events);
		else if (json_string_equals(key, SLICE_LITERAL("next")))
			has_next = parse_id(&value, &answer->next);
		else if (json_string_equals(key, SLICE_LITERAL("more")))
			answer->more = value.kind == JSON_KIND_TRUE;
		else if (json_string_equals(key, SLICE_LITERAL("gaps")) &&
			 !open_array(&value, &answer->gaps))
			return false;
	}
	return r == 0 && has_events && has_next;
}

bool
poll_parse_gap(struct poll_gap *gap, struct slice text, struct out *scratch)
{
	struct json_walk walk;
	struct json_value value;
	struct slice key;
	size_t at;
	bool has_channel = false, has_after = false, has_at = false;
	int r = json_walk_open(&walk, text, &at);

	if (r <= 0 || !walk.object)
		return false;
	while ((r = json_walk_next(&walk, &key, &value, &at)) > 0) {
		if (json_string_equals(key, SLICE_LITERAL("channel")))
			has_channel = value.kind == JSON_KIND_STRING &&
				      json_content(&value, scratch, &gap->channel);
		else if (json_string_equals(key, SLICE_LITERAL("after")))
			has_after = parse_id(&value, &gap->after);
		else if (json_string_equals(key, SLICE_LITERAL("at")))
			has_at = parse_id(&value, &gap->at);
	}
	return r == 0 && has_channel && has_after && has_at;
}
