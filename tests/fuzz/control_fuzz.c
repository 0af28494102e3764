/*
 * control_fuzz.c: what a client may receive: control objects, event objects, poll answers.
 */
#include <assert.h>
#include <stdlib.h>

#include "proto/control.h"
#include "proto/event.h"
#include "proto/poll.h"
#include "proto/utf8.h"

/* Names that proto/json.h and jansson.h both have: here they mean jansson's. */
#define JSON_NULL JANSSON_NULL
#define JSON_FALSE JANSSON_FALSE
#define JSON_TRUE JANSSON_TRUE
#define JSON_STRING JANSSON_STRING
#define JSON_ARRAY JANSSON_ARRAY
#define JSON_OBJECT JANSSON_OBJECT
#define json_string jansson_string
#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_answer(struct poll_answer *answer, struct out *scratch)
{
	struct json_value value;
	struct poll_gap gap;
	struct event event;
	struct slice key;
	size_t at;

	while (json_walk_next(&answer->events, &key, &value, &at) > 0) {
		scratch->len = scratch->need = 0;
		event_parse_object(&event, value.raw, scratch);
	}
	assert(answer->events.ended);
	while (json_walk_next(&answer->gaps, &key, &value, &at) > 0) {
		scratch->len = scratch->need = 0;
		poll_parse_gap(&gap, value.raw, scratch);
	}
	assert(answer->gaps.ended);
}

/* One rendered object: JSON with this op, and read back as what it was. */
static void
check_object(const struct out *json, const char *op, enum control_kind kind, const char *member,
    struct slice text, uint64_t at)
{
	struct out scratch = out_to(malloc(json->len + 1), json->len);
	struct control control;
	json_t *object;
	const json_t *value;

	assert(!out_cut(json) && scratch.bytes != NULL);
	object = json_loadb(json->bytes, json->len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	assert(object != NULL);
	assert(strcmp(json_string_value(json_object_get(object, "op")), op) == 0);
	value = json_object_get(object, member);
	assert(json_string_length(value) == text.len &&
	       memcmp(json_string_value(value), text.bytes, text.len) == 0);
	assert(control_parse(&control, slice_of(json->bytes, json->len), &scratch));
	assert(control.kind == kind && control.at == at);
	json_decref(object);
	free(scratch.bytes);
}

static void
check_renderers(struct slice text)
{
	const struct slice none = {NULL, 0}, ref = SLICE_LITERAL("\"r\\u00e4\"");
	const size_t cap = 6 * text.len + 512;
	struct out json = out_to(malloc(cap), cap);
	uint64_t at = 0;

	assert(json.bytes != NULL);
	memcpy(&at, text.bytes, text.len < sizeof at ? text.len : sizeof at);
	if (utf8_valid(text)) {
		control_error(&json, ERROR_BAD_JSON, text, ref);
		check_object(&json, "error", CONTROL_ERROR, "message", text, 0);
	}
	if (event_channel_fault(text) == NULL) {
		json.len = json.need = 0;
		control_gap(&json, text, at / 3, at);
		check_object(&json, "gap", CONTROL_GAP, "channel", text, at);
		json.len = json.need = 0;
		control_subscribed(&json, text, at, ref);
		check_object(&json, "subscribed", CONTROL_SUBSCRIBED, "channel", text, at);
		json.len = json.need = 0;
		control_unsubscribed(&json, text, SLICE_LITERAL("deleted"), none);
		check_object(&json, "unsubscribed", CONTROL_UNSUBSCRIBED, "channel", text, 0);
	}
	free(json.bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of((const char *)data, size);
	struct out scratch = out_to(malloc(size + 1), size);
	struct poll_answer answer;
	struct control control;
	struct event event;

	assert(scratch.bytes != NULL);
	check_renderers(text);
	control_parse(&control, text, &scratch);
	scratch.len = scratch.need = 0;
	if (event_parse_object(&event, text, &scratch))
		assert(event.channel_count == 1);
	if (poll_parse(&answer, text))
		check_answer(&answer, &scratch);
	free(scratch.bytes);
	return 0;
}
