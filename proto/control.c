/*
 * control.c: writes control objects, and reads them on the client's side (control.h).
 */
#include "proto/control.h"

#include <assert.h>
#include <stddef.h>

#include "proto/id.h"
#include "proto/json.h"

/*
 * Each add_ function appends one member with its leading comma; `op` comes first in every object.
 */
static void
add_op(struct out *o, const char *op)
{
	out_text(o, "{\"op\":\"");
	out_text(o, op);
	out_char(o, '"');
}

static void
add_name(struct out *o, const char *name)
{
	out_text(o, ",\"");
	out_text(o, name);
	out_text(o, "\":");
}

static void
add_id(struct out *o, const char *name, uint64_t id)
{
	add_name(o, name);
	out_char(o, '"');
	id_render(o, id);
	out_char(o, '"');
}

static void
add_string(struct out *o, const char *name, struct slice text)
{
	add_name(o, name);
	json_escape(o, text);
}

static void
end_with_ref(struct out *o, struct slice ref)
{
	if (ref.len != 0) {
		add_name(o, "ref");
		out_slice(o, ref);
	}
	out_char(o, '}');
}

void
control_welcome(struct out *o, uint64_t at, uint32_t beat_s, struct slice connection)
{
	add_op(o, "welcome");
	add_id(o, "at", at);
	add_name(o, "beat_s");
	out_u64(o, beat_s);
	add_string(o, "connection", connection);
	out_char(o, '}');
}

void
control_live(struct out *o, uint64_t at)
{
	add_op(o, "live");
	add_id(o, "at", at);
	out_char(o, '}');
}

void
control_gap(struct out *o, struct slice channel, uint64_t after, uint64_t at)
{
	add_op(o, "gap");
	add_string(o, "channel", channel);
	add_id(o, "after", after);
	add_id(o, "at", at);
	out_char(o, '}');
}

void
control_subscribed(struct out *o, struct slice channel, uint64_t at, struct slice ref)
{
	add_op(o, "subscribed");
	add_string(o, "channel", channel);
	add_id(o, "at", at);
	end_with_ref(o, ref);
}

void
control_unsubscribed(struct out *o, struct slice channel, struct slice reason, struct slice ref)
{
	add_op(o, "unsubscribed");
	add_string(o, "channel", channel);
	if (reason.len != 0)
		add_string(o, "reason", reason);
	end_with_ref(o, ref);
}

void
control_published(struct out *o, uint64_t id, bool duplicate, struct slice ref)
{
	add_op(o, "published");
	add_id(o, "id", id);
	if (duplicate) {
		add_name(o, "duplicate");
		out_text(o, "true");
	}
	end_with_ref(o, ref);
}

void
control_pong(struct out *o, uint64_t at, struct slice ref)
{
	add_op(o, "pong");
	add_id(o, "at", at);
	end_with_ref(o, ref);
}

void
control_error(struct out *o, enum error_code code, struct slice message, struct slice ref)
{
	add_op(o, "error");
	out_char(o, ',');
	error_members(o, code, message);
	end_with_ref(o, ref);
}

static enum control_kind
kind_of(struct slice raw)
{
	static const struct {
		const char *op;
		enum control_kind kind;
	} ops[] = {
	    {"welcome", CONTROL_WELCOME},
	    {"live", CONTROL_LIVE},
	    {"gap", CONTROL_GAP},
	    {"subscribed", CONTROL_SUBSCRIBED},
	    {"unsubscribed", CONTROL_UNSUBSCRIBED},
	    {"published", CONTROL_PUBLISHED},
	    {"pong", CONTROL_PONG},
	    {"error", CONTROL_ERROR},
	};

	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		if (json_string_equals(raw, slice_text(ops[i].op)))
			return ops[i].kind;
	}
	return CONTROL_OTHER;
}

/* A member whose value is a string: an id, a text, or one that this version does not know. */
static bool
set_string(
    struct control *control, struct slice key, const struct json_value *value, struct out *scratch)
{
	static const struct {
		const char *name;
		size_t offset;
		bool is_id;
	} members[] = {
	    {"at", offsetof(struct control, at), true},
	    {"after", offsetof(struct control, after), true},
	    {"id", offsetof(struct control, id), true},
	    {"channel", offsetof(struct control, channel), false},
	    {"connection", offsetof(struct control, connection), false},
	    {"reason", offsetof(struct control, reason), false},
	    {"code", offsetof(struct control, code), false},
	    {"message", offsetof(struct control, message), false},
	};

	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		void *member = (char *)control + members[i].offset;
		struct slice text;

		if (!json_string_equals(key, slice_text(members[i].name)))
			continue;
		if (!json_content(value, scratch, &text))
			return false;
		if (!members[i].is_id)
			memcpy(member, &text, sizeof text);
		else if (!id_parse(text, member))
			memset(member, 0, sizeof(uint64_t));
		return true;
	}
	return true;
}

static bool
set_member(
    struct control *control, struct slice key, const struct json_value *value, struct out *scratch)
{
	uint64_t n;

	if (json_string_equals(key, SLICE_LITERAL("ref")))
		control->ref = value->raw;
	else if (value->kind == JSON_KIND_STRING)
		return set_string(control, key, value, scratch);
	else if (json_string_equals(key, SLICE_LITERAL("duplicate")))
		control->duplicate = value->kind == JSON_KIND_TRUE;
	else if (json_string_equals(key, SLICE_LITERAL("beat_s")) && json_u64(value, &n) &&
		 n <= UINT32_MAX)
		control->beat_s = (uint32_t)n;
	return true;
}

bool
control_parse(struct control *control, struct slice text, struct out *scratch)
{
	struct json_walk walk;
	struct json_value value;
	struct slice key;
	size_t at;
	bool is_control = false;
	int r = json_walk_open(&walk, text, &at);

	*control = (struct control){.kind = CONTROL_OTHER};
	if (r <= 0 || !walk.object)
		return false;
	while ((r = json_walk_next(&walk, &key, &value, &at)) > 0) {
		if (json_string_equals(key, SLICE_LITERAL("op"))) {
			is_control = value.kind == JSON_KIND_STRING;
			control->kind = is_control ? kind_of(value.raw) : CONTROL_OTHER;
		} else if (!set_member(control, key, &value, scratch)) {
			return false;
		}
	}
	return r == 0 && is_control;
}
