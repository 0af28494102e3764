/*
 * op.c: reads what a WebSocket client asks for (op.h).
 *
 * The message is walked once for the members that ops share; a publish is then read again as the
 * envelope that it also is.
 */
#include "proto/op.h"

#include <stdio.h>

/* The members as they were found; raw.bytes is NULL for those that were not there. */
struct members {
	struct json_value op;
	struct json_value ref;
	struct json_value channel;
	struct json_value after;
};

static bool
refuse(struct event_fault *fault, enum error_code code, const char *path, const char *message)
{
	fault->code = code;
	snprintf(fault->path, sizeof fault->path, "%s", path);
	snprintf(fault->message, sizeof fault->message, "%s", message);
	return false;
}

static bool
is_given(const struct json_value *value)
{
	return value->raw.bytes != NULL && value->kind != JSON_KIND_NULL;
}

static void
note_member(struct members *members, struct slice key, const struct json_value *value)
{
	if (json_string_equals(key, SLICE_LITERAL("op")))
		members->op = *value;
	else if (json_string_equals(key, SLICE_LITERAL("ref")))
		members->ref = *value;
	else if (json_string_equals(key, SLICE_LITERAL("channel")))
		members->channel = *value;
	else if (json_string_equals(key, SLICE_LITERAL("after")))
		members->after = *value;
}

static bool
find_members(struct members *members, struct slice message, struct event_fault *fault)
{
	struct json_walk walk;
	struct json_value value;
	struct slice key;
	size_t at = 0;
	int r = json_walk_open(&walk, message, &at);

	*members = (struct members){.op.raw.bytes = NULL};
	if (r == 0 || (r > 0 && !walk.object))
		return refuse(fault, ERROR_BAD_REQUEST, "",
		    "a message is an object such as {\"op\":\"ping\"}");
	while (r > 0) {
		r = json_walk_next(&walk, &key, &value, &at);
		if (r > 0)
			note_member(members, key, &value);
	}
	if (r == 0)
		return true;
	refuse(fault, r == JSON_ERROR_UTF8 ? ERROR_BAD_UTF8 : ERROR_BAD_JSON, "", "");
	snprintf(fault->message, sizeof fault->message, "%s (byte %zu)", json_error_text(r), at);
	return false;
}

static bool
take_ref(struct op *op, const struct json_value *value, struct event_fault *fault)
{
	size_t quotes = value->kind == JSON_KIND_STRING ? 2 : 0;

	if (!is_given(value))
		return true;
	if ((value->kind != JSON_KIND_STRING && value->kind != JSON_KIND_NUMBER) ||
	    value->raw.len - quotes > LIMIT_REF_BYTES)
		return refuse(fault, ERROR_BAD_REQUEST, "ref",
		    "ref is a number or a string of at most 64 bytes");
	op->ref = value->raw;
	return true;
}

static bool
take_kind(struct op *op, const struct json_value *value, struct event_fault *fault)
{
	static const struct {
		const char *word;
		enum op_kind kind;
	} ops[] = {
	    {"subscribe", OP_SUBSCRIBE},
	    {"unsubscribe", OP_UNSUBSCRIBE},
	    {"publish", OP_PUBLISH},
	    {"ping", OP_PING},
	};

	if (!is_given(value) || value->kind != JSON_KIND_STRING)
		return refuse(fault, ERROR_BAD_REQUEST, "op", "op is a string: what is asked for");
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		if (json_string_equals(value->raw, slice_text(ops[i].word))) {
			op->kind = ops[i].kind;
			return true;
		}
	}
	return refuse(fault, ERROR_UNKNOWN_OP, "op",
	    "this server knows the ops subscribe, unsubscribe, publish and ping");
}

static bool
take_channel(
    struct op *op, const struct json_value *value, struct out *scratch, struct event_fault *fault)
{
	const char *wrong;

	if (!is_given(value))
		return refuse(fault, ERROR_NO_CHANNEL, "channel", "no channel is named");
	if (value->kind != JSON_KIND_STRING)
		return refuse(
		    fault, ERROR_BAD_CHANNEL, "channel", "channel is a string: one name an op");
	if (!json_content(value, scratch, &op->channel))
		return refuse(
		    fault, ERROR_TOO_LARGE, "channel", "larger than this server has room for");
	wrong = event_channel_fault(op->channel);
	if (wrong == NULL)
		return true;
	refuse(fault, ERROR_BAD_CHANNEL, "channel", "");
	snprintf(fault->message, sizeof fault->message, "the channel's name %s", wrong);
	return false;
}

/* `after` is a string, or the number that 0, -N and a time are. */
static bool
take_after(
    struct op *op, const struct json_value *value, struct out *scratch, struct event_fault *fault)
{
	struct slice text = value->raw;
	const char *wrong;

	if (!is_given(value))
		return true;
	if (value->kind == JSON_KIND_STRING && !json_content(value, scratch, &text))
		return refuse(
		    fault, ERROR_TOO_LARGE, "after", "larger than this server has room for");
	wrong = cursor_parse(text, &op->after);
	return wrong == NULL || refuse(fault, ERROR_BAD_AFTER, "after", wrong);
}

/*
 * A publish: the same members again, now as an envelope. One channel only, which take_channel has
 * seen to.
 */
static bool
take_event(struct op *op, struct slice message, struct out *scratch, size_t scratch_len,
    struct event_fault *fault)
{
	/* What the first reading left in the scratch is not needed any more. */
	scratch->len = scratch->need = scratch_len;
	if (!event_parse_envelope(&op->event, message, scratch, fault))
		return false;
	op->channel = op->event.channels[0];
	return true;
}

bool
op_parse(struct op *op, struct slice message, struct out *scratch, struct event_fault *fault)
{
	const size_t scratch_len = scratch->len;
	struct members members;

	op->ref = op->channel = slice_of(NULL, 0);
	op->after = (struct cursor){.kind = CURSOR_NOW};
	event_clear(&op->event);
	if (!find_members(&members, message, fault) || !take_ref(op, &members.ref, fault) ||
	    !take_kind(op, &members.op, fault))
		return false;
	switch (op->kind) {
	case OP_SUBSCRIBE:
		return take_channel(op, &members.channel, scratch, fault) &&
		       take_after(op, &members.after, scratch, fault);
	case OP_UNSUBSCRIBE:
		return take_channel(op, &members.channel, scratch, fault);
	case OP_PUBLISH:
		return take_channel(op, &members.channel, scratch, fault) &&
		       take_event(op, message, scratch, scratch_len, fault);
	case OP_PING:
		return true;
	}
	return false;
}
