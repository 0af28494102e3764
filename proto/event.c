/*
 * event.c: publishers' bytes to events, events to the JSON that clients see (event.h).
 *
 * An envelope is walked once to find its members; only then are they judged, so that their order
 * does not matter and the last of a repeated member counts. Callers: the publish socket, the
 * workers' POST and WebSocket, and the command line.
 */
#include "proto/event.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "proto/base64.h"
#include "proto/id.h"
#include "proto/query.h"
#include "proto/utf8.h"

#define DATA_NULL SLICE_LITERAL("null")
#define TYPE_DEFAULT SLICE_LITERAL("message")

/* Fills in the fault; always false, so that a parser can return it. */
__attribute__((format(printf, 4, 5))) static bool
refuse(struct event_fault *fault, enum error_code code, const char *path, const char *format, ...)
{
	va_list arguments;

	fault->code = code;
	snprintf(fault->path, sizeof fault->path, "%s", path);
	va_start(arguments, format);
	vsnprintf(fault->message, sizeof fault->message, format, arguments);
	va_end(arguments);
	return false;
}

static bool
refuse_json(struct event_fault *fault, int error, const char *path, size_t at)
{
	return refuse(fault, error == JSON_ERROR_UTF8 ? ERROR_BAD_UTF8 : ERROR_BAD_JSON, path,
	    "%s (byte %zu)", json_error_text(error), at);
}

static bool
refuse_scratch(struct event_fault *fault, const char *path)
{
	return refuse(fault, ERROR_TOO_LARGE, path, "larger than this server has room for");
}

void
event_clear(struct event *event)
{
	event->id = 0;
	event->kind = EVENT_JSON;
	event->channel_count = 0;
	event->type = TYPE_DEFAULT;
	event->data = DATA_NULL;
	event->key = slice_of(NULL, 0);
}

/*
 * UTF-8 without control characters: C0, DEL, and C1 (U+0080 to U+009F, in UTF-8 C2 80 to C2 9F).
 * Returns what is wrong.
 */
static const char *
name_fault(struct slice name)
{
	unsigned char before = 0;
	unsigned char all = 0;

	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.bytes[i];

		if (c < ' ' || c == 0x7f || (before == 0xc2 && c >= 0x80 && c <= 0x9f))
			return "has a control character in it";
		before = c;
		all |= c;
	}
	return all < 0x80 || utf8_valid(name) ? NULL : "is not valid UTF-8";
}

const char *
event_channel_fault(struct slice name)
{
	if (name.len == 0)
		return "is empty";
	if (name.len > LIMIT_CHANNEL_NAME_BYTES)
		return "is longer than 255 bytes";
	if (*name.bytes == '$')
		return "begins with $, which is reserved";
	if (memchr(name.bytes, '*', name.len) != NULL)
		return "contains *, which is reserved";
	return name_fault(name);
}

const char *
event_type_fault(struct slice type)
{
	const struct slice ours = SLICE_LITERAL("ringcast.");

	if (type.len == 0)
		return "is empty";
	if (type.len > LIMIT_TYPE_BYTES)
		return "is longer than 64 bytes";
	if (slice_equal(type, SLICE_LITERAL("open")) || slice_equal(type, SLICE_LITERAL("error")))
		return "is open or error, which EventSource keeps for itself";
	if (type.len >= ours.len && memcmp(type.bytes, ours.bytes, ours.len) == 0)
		return "begins with ringcast., which is reserved";
	return name_fault(type);
}

static_assert(LIMIT_CHANNEL_NAME_BYTES == 255 && LIMIT_TYPE_BYTES == 64 && LIMIT_KEY_BYTES == 255,
    "the messages of this file name these limits");

static bool
add_channel(struct event *event, struct slice name, const char *path, struct event_fault *fault)
{
	const char *wrong = event_channel_fault(name);

	if (wrong != NULL)
		return refuse(fault, ERROR_BAD_CHANNEL, path, "the channel's name %s", wrong);
	for (uint32_t i = 0; i < event->channel_count; i++) {
		if (slice_equal(event->channels[i], name))
			return true;
	}
	if (event->channel_count == LIMIT_EVENT_CHANNELS)
		return refuse(fault, ERROR_BAD_CHANNEL, path,
		    "an event is published to at most %d channels", LIMIT_EVENT_CHANNELS);
	event->channels[event->channel_count++] = name;
	return true;
}

bool
event_add_channel(struct event *event, struct slice name, struct event_fault *fault)
{
	return add_channel(event, name, "channel", fault);
}

bool
event_set_type(struct event *event, struct slice type, struct event_fault *fault)
{
	const char *wrong = event_type_fault(type);

	if (wrong != NULL)
		return refuse(fault, ERROR_BAD_REQUEST, "type", "the type %s", wrong);
	event->type = type;
	return true;
}

bool
event_set_key(struct event *event, struct slice key, struct event_fault *fault)
{
	if (key.len == 0 || key.len > LIMIT_KEY_BYTES)
		return refuse(
		    fault, ERROR_BAD_REQUEST, "key", "the key is 1 to 255 bytes, not %zu", key.len);
	event->key = key;
	return true;
}

/* A scanned value becomes data: a string's content as text, all else as it stands. */
static bool
set_value(struct event *event, const struct json_value *value, struct out *scratch,
    const char *path, struct event_fault *fault)
{
	if (value->kind != JSON_KIND_STRING) {
		event->kind = EVENT_JSON;
		event->data = value->raw;
		return true;
	}
	event->kind = EVENT_TEXT;
	return json_content(value, scratch, &event->data) || refuse_scratch(fault, path);
}

static bool
set_text(struct event *event, struct slice text, const char *path, struct event_fault *fault)
{
	if (!utf8_valid(text))
		return refuse(fault, ERROR_BAD_UTF8, path, "the text is not valid UTF-8");
	event->kind = EVENT_TEXT;
	event->data = text;
	return true;
}

static bool
set_json_body(
    struct event *event, struct slice body, struct out *scratch, struct event_fault *fault)
{
	struct json_value value;
	size_t at;
	int r = json_whole(body, &value, &at);

	if (r < 0)
		return refuse_json(fault, r, "", at);
	return set_value(event, &value, scratch, "", fault);
}

bool
event_set_body(struct event *event, enum event_body how, struct slice body, struct out *scratch,
    struct event_fault *fault)
{
	switch (how) {
	case EVENT_BODY_JSON:
		return set_json_body(event, body, scratch, fault);
	case EVENT_BODY_TEXT:
		return set_text(event, body, "", fault);
	case EVENT_BODY_GUESS:
		event->kind = utf8_valid(body) ? EVENT_TEXT : EVENT_BINARY;
		event->data = body;
		return true;
	case EVENT_BODY_BINARY:
		event->kind = EVENT_BINARY;
		event->data = body;
		return true;
	}
	return refuse(fault, ERROR_INTERNAL, "", "no such kind of body");
}

/*
 * The members of an envelope as they were found; raw.bytes is NULL for those that were not there,
 * or null.
 */
struct members {
	struct json_value channel;
	struct json_value type;
	struct json_value data;
	struct json_value data64;
	struct json_value key;
};

static bool
is_given(const struct json_value *value)
{
	return value->raw.bytes != NULL && value->kind != JSON_KIND_NULL;
}

static struct json_value *
member_named(struct members *members, struct slice key)
{
	if (json_string_equals(key, SLICE_LITERAL("channel")))
		return &members->channel;
	if (json_string_equals(key, SLICE_LITERAL("data")))
		return &members->data;
	if (json_string_equals(key, SLICE_LITERAL("type")))
		return &members->type;
	if (json_string_equals(key, SLICE_LITERAL("key")))
		return &members->key;
	if (json_string_equals(key, SLICE_LITERAL("data64")))
		return &members->data64;
	return NULL;
}

static bool
find_members(struct members *members, struct slice text, struct event_fault *fault)
{
	struct json_walk walk;
	struct json_value value;
	struct slice key;
	size_t at;
	int r = json_walk_open(&walk, text, &at);

	*members = (struct members){.channel.raw.bytes = NULL};
	if (r < 0)
		return refuse_json(fault, r, "", at);
	if (r == 0 || !walk.object)
		return refuse(fault, ERROR_BAD_REQUEST, "",
		    "an event is an object such as {\"channel\":\"news\",\"data\":\"hello\"}");
	while ((r = json_walk_next(&walk, &key, &value, &at)) > 0) {
		struct json_value *member = member_named(members, key);

		if (member != NULL)
			*member = value;
	}
	return r == 0 || refuse_json(fault, r, "", at);
}

/* The content of a member that must be a string; code is how it is refused if it is not. */
static bool
take_string(const struct json_value *value, struct out *scratch, enum error_code code,
    const char *path, struct slice *content, struct event_fault *fault)
{
	if (value->kind != JSON_KIND_STRING)
		return refuse(fault, code, path, "must be a string");
	return json_content(value, scratch, content) || refuse_scratch(fault, path);
}

static bool
take_channel_list(struct event *event, const struct json_value *list, struct out *scratch,
    struct event_fault *fault)
{
	struct json_walk walk;
	struct json_value value;
	struct slice key, name;
	size_t at;
	char path[sizeof fault->path];
	int r = json_walk_open(&walk, list->raw, &at);

	assert(r > 0);
	for (uint32_t i = 0; json_walk_next(&walk, &key, &value, &at) > 0; i++) {
		snprintf(path, sizeof path, "channel[%u]", i);
		if (!take_string(&value, scratch, ERROR_BAD_CHANNEL, path, &name, fault) ||
		    !add_channel(event, name, path, fault))
			return false;
	}
	return true;
}

static bool
take_channels(struct event *event, const struct json_value *value, struct out *scratch,
    struct event_fault *fault)
{
	struct slice name;

	if (is_given(value) && value->kind == JSON_KIND_ARRAY) {
		if (!take_channel_list(event, value, scratch, fault))
			return false;
	} else if (is_given(value)) {
		if (!take_string(value, scratch, ERROR_BAD_CHANNEL, "channel", &name, fault) ||
		    !add_channel(event, name, "channel", fault))
			return false;
	}
	if (event->channel_count == 0)
		return refuse(fault, ERROR_NO_CHANNEL, "channel",
		    "no channel is named: \"channel\" is a name or an array of names");
	return true;
}

static const char *
base64_fault(ptrdiff_t error)
{
	switch (error) {
	case BASE64_BAD_LENGTH:
		return "not base64: its length is not a multiple of four (is the padding missing?)";
	case BASE64_BAD_BITS:
		return "not base64: the last character carries stray bits";
	}
	return "not base64: only A-Z a-z 0-9 + / and = at the end";
}

static bool
take_data64(struct event *event, const struct json_value *value, struct out *scratch,
    struct event_fault *fault)
{
	struct slice encoded;
	char *to;
	ptrdiff_t len;

	if (!take_string(value, scratch, ERROR_BAD_REQUEST, "data64", &encoded, fault))
		return false;
	/* Where it lies in the scratch already, because it had escapes, it is decoded in place. */
	if (!value->plain)
		scratch->len = scratch->need = (size_t)(encoded.bytes - scratch->bytes);
	to = scratch->bytes + scratch->len;
	len = base64_decode(to, scratch->cap - scratch->len, encoded);
	if (len == BASE64_OUT_TOO_SMALL)
		return refuse_scratch(fault, "data64");
	if (len < 0)
		return refuse(fault, ERROR_BAD_REQUEST, "data64", "%s", base64_fault(len));
	scratch->len += (size_t)len;
	scratch->need = scratch->len;
	event->kind = EVENT_BINARY;
	event->data = slice_of(to, (size_t)len);
	return true;
}

static bool
take_data(struct event *event, const struct members *members, struct out *scratch,
    struct event_fault *fault)
{
	if (is_given(&members->data64)) {
		if (is_given(&members->data))
			return refuse(fault, ERROR_BAD_REQUEST, "data64",
			    "give either data or data64, not both");
		return take_data64(event, &members->data64, scratch, fault);
	}
	if (!is_given(&members->data))
		return true;
	return set_value(event, &members->data, scratch, "data", fault);
}

bool
event_parse_envelope(
    struct event *event, struct slice text, struct out *scratch, struct event_fault *fault)
{
	struct members members;
	struct slice content;

	event_clear(event);
	if (!find_members(&members, text, fault))
		return false;
	if (!take_channels(event, &members.channel, scratch, fault))
		return false;
	if (is_given(&members.type)) {
		if (!take_string(
			&members.type, scratch, ERROR_BAD_REQUEST, "type", &content, fault) ||
		    !event_set_type(event, content, fault))
			return false;
	}
	if (is_given(&members.key)) {
		if (!take_string(
			&members.key, scratch, ERROR_BAD_REQUEST, "key", &content, fault) ||
		    !event_set_key(event, content, fault))
			return false;
	}
	return take_data(event, &members, scratch, fault);
}

bool
event_batch_open(struct event_batch *batch, struct slice body, struct event_fault *fault)
{
	size_t at;
	int r = json_walk_open(&batch->walk, body, &at);

	batch->one = body;
	batch->next = 0;
	batch->many = r > 0 && !batch->walk.object;
	if (r < 0)
		return refuse_json(fault, r, "", at);
	if (r == 0)
		return refuse(fault, ERROR_BAD_REQUEST, "",
		    "the body is neither an event nor an array of events");
	return true;
}

/* Puts the element's index before the path of a fault within it. */
static void
prefix_path(struct event_fault *fault, uint32_t index)
{
	char inner[sizeof fault->path];

	memcpy(inner, fault->path, sizeof inner);
	snprintf(fault->path, sizeof fault->path, "[%u]%s%.24s", index, *inner == '\0' ? "" : ".",
	    inner);
}

int
event_batch_next(
    struct event_batch *batch, struct event *event, struct out *scratch, struct event_fault *fault)
{
	struct json_value value;
	struct slice key;
	size_t at;
	int r;

	if (!batch->many) {
		if (batch->next != 0)
			return 0;
		batch->next = 1;
		return event_parse_envelope(event, batch->one, scratch, fault) ? 1 : -1;
	}
	r = json_walk_next(&batch->walk, &key, &value, &at);
	if (r == 0)
		return 0;
	if (r > 0 && event_parse_envelope(event, value.raw, scratch, fault)) {
		batch->next++;
		return 1;
	}
	if (r < 0)
		refuse_json(fault, r, "", at);
	prefix_path(fault, batch->next);
	return -1;
}

/* Decodes a form's raw value to the scratch. */
static bool
take_form_value(struct slice raw, struct out *scratch, const char *name, struct slice *value,
    struct event_fault *fault)
{
	char *to = scratch->bytes + scratch->len;
	ptrdiff_t len = query_decode(raw, to, scratch->cap - scratch->len);

	*value = slice_of(NULL, 0);
	if (len == QUERY_TOO_LONG)
		return refuse_scratch(fault, name);
	if (len < 0)
		return refuse(
		    fault, ERROR_BAD_REQUEST, name, "a %% without two hexadecimal digits");
	scratch->len += (size_t)len;
	scratch->need = scratch->len;
	*value = slice_of(to, (size_t)len);
	return true;
}

static bool
set_field(struct event *event, const char *name, struct slice value, struct event_fault *fault)
{
	switch (*name) {
	case 'c':
		return event_add_channel(event, value, fault);
	case 't':
		return event_set_type(event, value, fault);
	case 'k':
		return event_set_key(event, value, fault);
	}
	return set_text(event, value, name, fault);
}

bool
event_parse_form(
    struct event *event, struct slice body, struct out *scratch, struct event_fault *fault)
{
	static const char *const names[] = {"channel", "data", "type", "key"};
	struct slice rest = body;
	struct slice name, raw, value;

	event_clear(event);
	while (query_next(&rest, &name, &raw)) {
		for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
			if (!query_name_is(name, names[i]))
				continue;
			if (!take_form_value(raw, scratch, names[i], &value, fault) ||
			    !set_field(event, names[i], value, fault))
				return false;
		}
	}
	if (event->channel_count == 0)
		return refuse(fault, ERROR_NO_CHANNEL, "channel",
		    "no channel is named: send JSON, or the fields channel and data, or ?channel=");
	return true;
}

void
event_render_data(struct out *o, enum event_kind kind, struct slice data)
{
	switch (kind) {
	case EVENT_JSON:
		out_slice(o, data);
		return;
	case EVENT_TEXT:
		json_escape(o, data);
		return;
	case EVENT_BINARY:
		out_char(o, '"');
		base64_encode(o, data);
		out_char(o, '"');
		return;
	}
}

void
event_render(struct out *o, const struct event *event, struct slice channel)
{
	out_slice(o, SLICE_LITERAL("{\"id\":\""));
	id_render(o, event->id);
	out_slice(o, SLICE_LITERAL("\",\"channel\":"));
	json_escape(o, channel);
	out_slice(o, SLICE_LITERAL(",\"type\":"));
	json_escape(o, event->type);
	out_slice(o, event->kind == EVENT_BINARY ? SLICE_LITERAL(",\"data64\":")
						 : SLICE_LITERAL(",\"data\":"));
	event_render_data(o, event->kind, event->data);
	out_char(o, '}');
}

bool
event_parse_object(struct event *event, struct slice text, struct out *scratch)
{
	struct event_fault fault;
	struct json_walk walk;
	struct json_value value;
	struct slice key, content;
	size_t at;
	bool has_id = false;
	int r = json_walk_open(&walk, text, &at);

	event_clear(event);
	if (r <= 0 || !walk.object)
		return false;
	while ((r = json_walk_next(&walk, &key, &value, &at)) > 0) {
		if (json_string_equals(key, SLICE_LITERAL("data"))) {
			if (!set_value(event, &value, scratch, "", &fault))
				return false;
			continue;
		}
		if (value.kind != JSON_KIND_STRING)
			continue;
		if (json_string_equals(key, SLICE_LITERAL("data64"))) {
			if (!take_data64(event, &value, scratch, &fault))
				return false;
			continue;
		}
		if (!json_content(&value, scratch, &content))
			return false;
		if (json_string_equals(key, SLICE_LITERAL("id"))) {
			has_id = id_parse(content, &event->id);
		} else if (json_string_equals(key, SLICE_LITERAL("channel"))) {
			event->channels[0] = content;
			event->channel_count = 1;
		} else if (json_string_equals(key, SLICE_LITERAL("type"))) {
			event->type = content;
		}
	}
	return r == 0 && has_id && event->channel_count == 1;
}
