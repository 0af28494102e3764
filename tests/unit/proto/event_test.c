/*
 * event_test.c: publishers' bytes to events, and events to what clients see.
 */
#include "proto/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/proto/guard_bench.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define TEXT(literal) SLICE_LITERAL(literal)

static struct slice
put(struct bench *b, struct slice text)
{
	b->out = out_to(guard_end(&b->scratch, text.len), text.len);
	return slice_of(guard_copy(&b->input, text.bytes, text.len), text.len);
}

static void
assert_event(const struct event *event, const char *channels, const char *type,
    enum event_kind kind, struct slice data, const char *key)
{
	char names[256];
	struct out joined = out_to(names, sizeof names);

	for (uint32_t i = 0; i < event->channel_count; i++) {
		if (i > 0)
			out_char(&joined, ' ');
		out_slice(&joined, event->channels[i]);
	}
	assert_true(slice_equal(slice_of(names, joined.len), slice_text(channels)));
	assert_true(slice_equal(event->type, slice_text(type)));
	assert_int_equal(event->kind, kind);
	assert_true(slice_equal(event->data, data));
	assert_int_equal(event->key.bytes != NULL, key != NULL);
	if (key != NULL)
		assert_true(slice_equal(event->key, slice_text(key)));
}

static const struct {
	struct slice text;
	const char *channels;
	const char *type;
	enum event_kind kind;
	struct slice data;
	const char *key;
} envelopes[] = {
    {TEXT("{\"channel\":\"news\",\"data\":\"hello\"}"), "news", "message", EVENT_TEXT,
	TEXT("hello"), NULL},
    {TEXT(" {\"data\" : {\"a\": [1 , 2.0e1]} ,\"type\":\"t\",\"channel\":\"news\"}\n"), "news", "t",
	EVENT_JSON, TEXT("{\"a\": [1 , 2.0e1]}"), NULL},
    {TEXT("{\"channel\":[\"a\",\"b\",\"a\",\"\\u0061\"],\"data\":1,\"key\":\"k\\n\"}"), "a b",
	"message", EVENT_JSON, TEXT("1"), "k\n"},
    {TEXT("{\"channel\":\"news\"}"), "news", "message", EVENT_JSON, TEXT("null"), NULL},
    {TEXT("{\"channel\":\"n\",\"data\":null,\"type\":null,\"key\":null,\"data64\":null}"), "n",
	"message", EVENT_JSON, TEXT("null"), NULL},
    {TEXT("{\"channel\":\"n\",\"data\":\"\"}"), "n", "message", EVENT_TEXT, TEXT(""), NULL},
    {TEXT("{\"channel\":\"n\",\"data\":\"a\\u0000\\ud83d\\ude00\\\"\"}"), "n", "message",
	EVENT_TEXT, TEXT("a\0\xf0\x9f\x98\x80\""), NULL},
    {TEXT("{\"channel\":\"n\",\"data64\":\"AP/+\"}"), "n", "message", EVENT_BINARY,
	TEXT("\0\xff\xfe"), NULL},
    {TEXT("{\"channel\":\"n\",\"data64\":\"AP\\/+\"}"), "n", "message", EVENT_BINARY,
	TEXT("\0\xff\xfe"), NULL},
    {TEXT("{\"channel\":\"\\u006e\",\"key\":\"\\u006b\",\"data64\":\"\"}"), "n", "message",
	EVENT_BINARY, TEXT(""), "k"},
    {TEXT("{\"channel\":\"n\",\"data\":false,\"data64\":null}"), "n", "message", EVENT_JSON,
	TEXT("false"), NULL},
    {TEXT("{\"channel\":\"first\",\"data\":1,\"channel\":\"last\",\"data\":2}"), "last", "message",
	EVENT_JSON, TEXT("2"), NULL},
    {TEXT("{\"ch\\u0061nnel\":\"n\",\"later\":{\"channel\":\"x\"},\"da\\u0074a\":[]}"), "n",
	"message", EVENT_JSON, TEXT("[]"), NULL},
    {TEXT("{\"channel\":\"a b/c?d&e \xc3\xa9\",\"type\":\" \xe2\x82\xac\"}"), "a b/c?d&e \xc3\xa9",
	" \xe2\x82\xac", EVENT_JSON, TEXT("null"), NULL},
    {TEXT("{\"channel\":\"n\",\"type\":\"opened\"}"), "n", "opened", EVENT_JSON, TEXT("null"),
	NULL},
    {TEXT("{\"channel\":\"n\",\"type\":\"ringcast\"}"), "n", "ringcast", EVENT_JSON, TEXT("null"),
	NULL},
    {TEXT("{\"channel\":\"n$\",\"type\":\"*\"}"), "n$", "*", EVENT_JSON, TEXT("null"), NULL},
};

static void
event_parse_envelope_gives_the_canonical_event(void **state)
{
	struct bench *b = *state;
	struct event event;
	struct event_fault fault;

	for (size_t i = 0; i < COUNT(envelopes); i++) {
		struct slice text = put(b, envelopes[i].text);

		if (!event_parse_envelope(&event, text, &b->out, &fault))
			fail_msg("envelopes[%zu]: %s: %s", i, fault.path, fault.message);
		assert_event(&event, envelopes[i].channels, envelopes[i].type, envelopes[i].kind,
		    envelopes[i].data, envelopes[i].key);
	}
}

static void
event_parse_envelope_refuses_every_strict_prefix(void **state)
{
	struct bench *b = *state;
	struct event event;
	struct event_fault fault;

	for (size_t i = 0; i < COUNT(envelopes); i++) {
		size_t len_end = envelopes[i].text.len;

		while (envelopes[i].text.bytes[len_end - 1] != '}')
			len_end--;
		for (size_t len = 0; len < len_end; len++) {
			struct slice text = put(b, slice_of(envelopes[i].text.bytes, len));

			assert_false(event_parse_envelope(&event, text, &b->out, &fault));
			assert_int_equal(fault.code, ERROR_BAD_JSON);
		}
	}
}

#define C64 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"
#define C63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"
#define C255 C64 C64 C64 C63
static_assert(sizeof C255 == 256 && sizeof C64 == 65, "the longest names");

static const struct {
	struct slice text;
	enum error_code code;
	const char *path;
	const char *word; /* of the message */
} mistakes[] = {
    {TEXT(""), ERROR_BAD_JSON, "", "too early"},
    {TEXT("nonsense"), ERROR_BAD_JSON, "", "byte 1"},
    {TEXT("{\"channel\":\"n\",}"), ERROR_BAD_JSON, "", "byte 15"},
    {TEXT("{\"channel\":\"n\"} {}"), ERROR_BAD_JSON, "", "byte 16"},
    {TEXT("{\"channel\":\"\xff\"}"), ERROR_BAD_UTF8, "", "byte 12"},
    {TEXT("{\"channel\":\"n\",\"data\":\"\\ud800\"}"), ERROR_BAD_UTF8, "", "surrogate"},
    {TEXT("{\"channel\":\"n\",\"data\":[\"\xc3\"]}"), ERROR_BAD_UTF8, "", "UTF-8"},
    {TEXT("1"), ERROR_BAD_REQUEST, "", "object"},
    {TEXT("[]"), ERROR_BAD_REQUEST, "", "object"},
    {TEXT("\"x\""), ERROR_BAD_REQUEST, "", "object"},
    {TEXT("{}"), ERROR_NO_CHANNEL, "channel", "no channel"},
    {TEXT("{\"channel\":null}"), ERROR_NO_CHANNEL, "channel", "no channel"},
    {TEXT("{\"channel\":[]}"), ERROR_NO_CHANNEL, "channel", "no channel"},
    {TEXT("{\"channel\":1}"), ERROR_BAD_CHANNEL, "channel", "string"},
    {TEXT("{\"channel\":{}}"), ERROR_BAD_CHANNEL, "channel", "string"},
    {TEXT("{\"channel\":[\"a\",1]}"), ERROR_BAD_CHANNEL, "channel[1]", "string"},
    {TEXT("{\"channel\":[null]}"), ERROR_BAD_CHANNEL, "channel[0]", "string"},
    {TEXT("{\"channel\":[[\"a\"]]}"), ERROR_BAD_CHANNEL, "channel[0]", "string"},
    {TEXT("{\"channel\":\"\"}"), ERROR_BAD_CHANNEL, "channel", "empty"},
    {TEXT("{\"channel\":\"" C255 "x\"}"), ERROR_BAD_CHANNEL, "channel", "255"},
    {TEXT("{\"channel\":\"$a\"}"), ERROR_BAD_CHANNEL, "channel", "$"},
    {TEXT("{\"channel\":[\"a\",\"b\",\"c*d\"]}"), ERROR_BAD_CHANNEL, "channel[2]", "*"},
    {TEXT("{\"channel\":\"a\\nb\"}"), ERROR_BAD_CHANNEL, "channel", "control"},
    {TEXT("{\"channel\":\"a\\u0000\"}"), ERROR_BAD_CHANNEL, "channel", "control"},
    {TEXT("{\"channel\":\"a\x7f\"}"), ERROR_BAD_CHANNEL, "channel", "control"},
    {TEXT("{\"channel\":\"a\xc2\x80\"}"), ERROR_BAD_CHANNEL, "channel", "control"},
    {TEXT("{\"channel\":\"a\\u009f\"}"), ERROR_BAD_CHANNEL, "channel", "control"},
    {TEXT("{\"channel\":\"n\",\"type\":1}"), ERROR_BAD_REQUEST, "type", "string"},
    {TEXT("{\"channel\":\"n\",\"type\":\"\"}"), ERROR_BAD_REQUEST, "type", "empty"},
    {TEXT("{\"channel\":\"n\",\"type\":\"" C64 "m\"}"), ERROR_BAD_REQUEST, "type", "64"},
    {TEXT("{\"channel\":\"n\",\"type\":\"open\"}"), ERROR_BAD_REQUEST, "type", "open"},
    {TEXT("{\"channel\":\"n\",\"type\":\"error\"}"), ERROR_BAD_REQUEST, "type", "error"},
    {TEXT("{\"channel\":\"n\",\"type\":\"ringcast.\"}"), ERROR_BAD_REQUEST, "type", "reserved"},
    {TEXT("{\"channel\":\"n\",\"type\":\"ringcast.gap\"}"), ERROR_BAD_REQUEST, "type", "reserved"},
    {TEXT("{\"channel\":\"n\",\"type\":\"a\\rb\"}"), ERROR_BAD_REQUEST, "type", "control"},
    {TEXT("{\"channel\":\"n\",\"key\":7}"), ERROR_BAD_REQUEST, "key", "string"},
    {TEXT("{\"channel\":\"n\",\"key\":\"\"}"), ERROR_BAD_REQUEST, "key", "1 to 255"},
    {TEXT("{\"channel\":\"n\",\"key\":\"" C255 "x\"}"), ERROR_BAD_REQUEST, "key", "256"},
    {TEXT("{\"channel\":\"n\",\"data\":1,\"data64\":\"AA==\"}"), ERROR_BAD_REQUEST, "data64",
	"both"},
    {TEXT("{\"channel\":\"n\",\"data64\":1}"), ERROR_BAD_REQUEST, "data64", "string"},
    {TEXT("{\"channel\":\"n\",\"data64\":\"AA\"}"), ERROR_BAD_REQUEST, "data64", "padding"},
    {TEXT("{\"channel\":\"n\",\"data64\":\"A_-A\"}"), ERROR_BAD_REQUEST, "data64", "A-Z"},
    {TEXT("{\"channel\":\"n\",\"data64\":\"AB==\"}"), ERROR_BAD_REQUEST, "data64", "bits"},
};

static void
event_parse_envelope_names_the_mistake_and_its_place(void **state)
{
	struct bench *b = *state;
	struct event event;
	struct event_fault fault;

	for (size_t i = 0; i < COUNT(mistakes); i++) {
		struct slice text = put(b, mistakes[i].text);

		if (event_parse_envelope(&event, text, &b->out, &fault))
			fail_msg("mistakes[%zu] was taken", i);
		if (fault.code != mistakes[i].code || strcmp(fault.path, mistakes[i].path) != 0 ||
		    strstr(fault.message, mistakes[i].word) == NULL)
			fail_msg("mistakes[%zu]: %s at '%s': %s", i, error_word(fault.code),
			    fault.path, fault.message);
	}
}

static void
event_takes_the_longest_names(void **state)
{
	struct bench *b = *state;
	struct event event;
	struct event_fault fault;
	struct slice text = put(b, TEXT("{\"channel\":\"" C255 "\",\"type\":\"" C64
					"\",\"key\":\"" C255 "\",\"data\":\"x\"}"));

	assert_true(event_parse_envelope(&event, text, &b->out, &fault));
	assert_int_equal(event.channels[0].len, 255);
	assert_int_equal(event.type.len, 64);
	assert_int_equal(event.key.len, 255);
}

/* "channel":["c0","c1",…] of n different names, each given twice. */
static size_t
many_channels(char *text, size_t cap, unsigned n)
{
	struct out out = out_to(text, cap);

	out_text(&out, "{\"channel\":[");
	for (unsigned i = 0; i < 2 * n; i++) {
		out_text(&out, i == 0 ? "\"c" : ",\"c");
		out_u64(&out, i % n);
		out_char(&out, '"');
	}
	out_text(&out, "]}");
	assert_false(out_cut(&out));
	return out.len;
}

static void
event_carries_at_most_its_limit_of_different_channels(void **state)
{
	struct bench *b = *state;
	struct event event;
	struct event_fault fault;
	char text[2048];
	size_t len = many_channels(text, sizeof text, LIMIT_EVENT_CHANNELS);

	assert_true(event_parse_envelope(&event, put(b, slice_of(text, len)), &b->out, &fault));
	assert_int_equal(event.channel_count, LIMIT_EVENT_CHANNELS);
	assert_true(slice_equal(event.channels[LIMIT_EVENT_CHANNELS - 1], TEXT("c31")));
	len = many_channels(text, sizeof text, LIMIT_EVENT_CHANNELS + 1);
	assert_false(event_parse_envelope(&event, put(b, slice_of(text, len)), &b->out, &fault));
	assert_int_equal(fault.code, ERROR_BAD_CHANNEL);
	assert_string_equal(fault.path, "channel[32]");
}

/*
 * A scratch that is too small is refused, never overrun; the input's length always suffices (the
 * tables above use no more).
 */
static void
event_parse_envelope_refuses_when_the_scratch_is_full(void **state)
{
	struct bench *b = *state;
	struct slice text = put(b,
	    TEXT(
		"{\"channel\":\"\\u0061bc\",\"type\":\"\\u0061bc\",\"key\":\"\\u0061bc\",\"data64\":\"QUJD\"}"));
	struct event event;
	struct event_fault fault;

	for (size_t cap = 0; cap <= 12; cap++) {
		struct out scratch = out_to(guard_end(&b->scratch, cap), cap);

		assert_int_equal(event_parse_envelope(&event, text, &scratch, &fault), cap == 12);
		assert_true(cap == 12 || fault.code == ERROR_TOO_LARGE);
	}
}

static void
event_parse_form_refuses_when_the_scratch_is_full(void **state)
{
	struct bench *b = *state;
	struct slice body = put(b, TEXT("channel=a%20b&data=c"));
	struct event event;
	struct event_fault fault;

	for (size_t cap = 0; cap <= 4; cap++) {
		struct out scratch = out_to(guard_end(&b->scratch, cap), cap);

		assert_int_equal(event_parse_form(&event, body, &scratch, &fault), cap == 4);
		assert_true(cap == 4 || fault.code == ERROR_TOO_LARGE);
	}
}

static void
event_parse_object_refuses_when_the_scratch_is_full(void **state)
{
	static const char *const rows[] = {
	    "{\"id\":\"1-1\",\"channel\":\"c\",\"data\":\"abcd\\u0065fg\"}",
	    "{\"id\":\"1-1\",\"channel\":\"abcd\\u0065fg\",\"data\":1}",
	    "{\"id\":\"1-1\",\"channel\":\"c\",\"data64\":\"QUJDREVGRw==\"}",
	};
	struct bench *b = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice text = put(b, slice_text(rows[i]));

		for (size_t cap = 0; cap <= 7; cap++) {
			struct out scratch = out_to(guard_end(&b->scratch, cap), cap);
			struct event event;

			assert_int_equal(event_parse_object(&event, text, &scratch), cap == 7);
		}
	}
}

static void
event_batch_takes_one_or_an_array(void **state)
{
	static const struct {
		struct slice body;
		bool many;
		uint32_t count;
	} rows[] = {
	    {TEXT("{\"channel\":\"c\",\"data\":0}"), false, 1},
	    {TEXT("\n {\"channel\":\"c\",\"data\":0} "), false, 1},
	    {TEXT("[]"), true, 0},
	    {TEXT(" [ {\"channel\":\"c\",\"data\":0} ] "), true, 1},
	    {TEXT(
		 "[{\"channel\":\"c\",\"data\":0},{\"data\":1,\"channel\":\"\\u0063\"},{\"channel\":[\"c\"],\"data\":2}]"),
		true, 3},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice body = put(b, rows[i].body);
		struct event_batch batch;
		struct event event;
		struct event_fault fault;
		uint32_t count = 0;
		int r;

		assert_true(event_batch_open(&batch, body, &fault));
		assert_int_equal(batch.many, rows[i].many);
		while ((r = event_batch_next(&batch, &event, &b->out, &fault)) > 0) {
			char digit = (char)('0' + count++);

			assert_event(&event, "c", "message", EVENT_JSON, slice_of(&digit, 1), NULL);
		}
		assert_int_equal(r, 0);
		assert_int_equal(count, rows[i].count);
		assert_int_equal(batch.next, count);
		assert_int_equal(event_batch_next(&batch, &event, &b->out, &fault), 0);
	}
}

/*
 * A batch is parsed whole before any of it is published: later events must not touch what earlier
 * ones point to.
 */
static void
event_batch_keeps_all_events_in_one_scratch(void **state)
{
	struct bench *b = *state;
	struct slice body = put(b,
	    TEXT(
		"[{\"channel\":\"a\",\"data64\":\"QUJD\"},{\"channel\":\"\\u0062\",\"data64\":\"R\\u0045VG\"},"
		"{\"channel\":\"c\",\"data\":\"\\u0058Y\"}]"));
	static const char *const channels[] = {"a", "b", "c"};
	static const char *const data[] = {"ABC", "DEF", "XY"};
	struct event_batch batch;
	struct event events[3];
	struct event_fault fault;

	assert_true(event_batch_open(&batch, body, &fault));
	for (size_t i = 0; i < COUNT(events); i++)
		assert_int_equal(event_batch_next(&batch, &events[i], &b->out, &fault), 1);
	for (size_t i = 0; i < COUNT(events); i++)
		assert_event(&events[i], channels[i], "message", i < 2 ? EVENT_BINARY : EVENT_TEXT,
		    slice_text(data[i]), NULL);
}

static void
event_batch_names_the_place_of_a_mistake(void **state)
{
	static const struct {
		struct slice body;
		enum error_code code;
		const char *path;
	} rows[] = {
	    {TEXT("x"), ERROR_BAD_JSON, ""},
	    {TEXT(""), ERROR_BAD_JSON, ""},
	    {TEXT("12"), ERROR_BAD_REQUEST, ""},
	    {TEXT("{\"channel\":1}"), ERROR_BAD_CHANNEL, "channel"},
	    {TEXT("[{\"channel\":1}]"), ERROR_BAD_CHANNEL, "[0].channel"},
	    {TEXT(
		 "[{\"channel\":\"a\"},{\"channel\":\"a\"},{\"channel\":\"a\"},{\"channel\":\"\"}]"),
		ERROR_BAD_CHANNEL, "[3].channel"},
	    {TEXT("[{\"channel\":\"a\"},{\"channel\":[\"b\",\"*\"]}]"), ERROR_BAD_CHANNEL,
		"[1].channel[1]"},
	    {TEXT("[{\"channel\":\"a\"},{\"channel\":\"a\",\"data64\":\"=\"}]"), ERROR_BAD_REQUEST,
		"[1].data64"},
	    {TEXT("[{\"channel\":\"a\"},7]"), ERROR_BAD_REQUEST, "[1]"},
	    {TEXT("[{\"channel\":\"a\"},{\"channel\":\"\xff\"}]"), ERROR_BAD_UTF8, "[1]"},
	    {TEXT("[{\"channel\":\"a\"},"), ERROR_BAD_JSON, "[1]"},
	    {TEXT("[{\"channel\":\"a\"}"), ERROR_BAD_JSON, "[1]"},
	    {TEXT("[{\"channel\":\"a\"}] x"), ERROR_BAD_JSON, "[1]"},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice body = put(b, rows[i].body);
		struct event_batch batch;
		struct event event;
		struct event_fault fault = {.code = ERROR_NONE};
		int r = 1;

		if (event_batch_open(&batch, body, &fault))
			while ((r = event_batch_next(&batch, &event, &b->out, &fault)) > 0)
				;
		assert_int_not_equal(r, 0);
		if (fault.code != rows[i].code || strcmp(fault.path, rows[i].path) != 0)
			fail_msg("rows[%zu]: %s at '%s': %s", i, error_word(fault.code), fault.path,
			    fault.message);
	}
}

static void
event_set_body_gives_one_form_to_a_string_and_a_text(void **state)
{
	static const struct {
		enum event_body how;
		struct slice body;
		enum event_kind kind;
		struct slice data;
	} rows[] = {
	    {EVENT_BODY_JSON, TEXT("\"hello\""), EVENT_TEXT, TEXT("hello")},
	    {EVENT_BODY_JSON, TEXT(" \"h\\u0065llo\"\n"), EVENT_TEXT, TEXT("hello")},
	    {EVENT_BODY_TEXT, TEXT("hello"), EVENT_TEXT, TEXT("hello")},
	    {EVENT_BODY_GUESS, TEXT("hello"), EVENT_TEXT, TEXT("hello")},
	    {EVENT_BODY_JSON, TEXT("\n{ \"a\" : 1.0 }\r\n"), EVENT_JSON, TEXT("{ \"a\" : 1.0 }")},
	    {EVENT_BODY_JSON, TEXT(" null "), EVENT_JSON, TEXT("null")},
	    {EVENT_BODY_TEXT, TEXT("{\"a\":1}"), EVENT_TEXT, TEXT("{\"a\":1}")},
	    {EVENT_BODY_TEXT, TEXT(" a\r\n\0"), EVENT_TEXT, TEXT(" a\r\n\0")},
	    {EVENT_BODY_TEXT, TEXT(""), EVENT_TEXT, TEXT("")},
	    {EVENT_BODY_GUESS, TEXT("a\xff"), EVENT_BINARY, TEXT("a\xff")},
	    {EVENT_BODY_GUESS, TEXT(""), EVENT_TEXT, TEXT("")},
	    {EVENT_BODY_BINARY, TEXT("hello"), EVENT_BINARY, TEXT("hello")},
	    {EVENT_BODY_BINARY, TEXT(""), EVENT_BINARY, TEXT("")},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice body = put(b, rows[i].body);
		struct event event;
		struct event_fault fault;

		event_clear(&event);
		assert_true(event_add_channel(&event, TEXT("c"), &fault));
		assert_true(event_set_body(&event, rows[i].how, body, &b->out, &fault));
		assert_event(&event, "c", "message", rows[i].kind, rows[i].data, NULL);
	}
}

static void
event_set_body_refuses_what_its_type_does_not_allow(void **state)
{
	static const struct {
		enum event_body how;
		struct slice body;
		enum error_code code;
	} rows[] = {
	    {EVENT_BODY_JSON, TEXT(""), ERROR_BAD_JSON},
	    {EVENT_BODY_JSON, TEXT("hello"), ERROR_BAD_JSON},
	    {EVENT_BODY_JSON, TEXT("1 1"), ERROR_BAD_JSON},
	    {EVENT_BODY_JSON, TEXT("\"\\udc00\""), ERROR_BAD_UTF8},
	    {EVENT_BODY_JSON, TEXT("\"\xe9\""), ERROR_BAD_UTF8},
	    {EVENT_BODY_TEXT, TEXT("\xe9t\xe9"), ERROR_BAD_UTF8},
	    {EVENT_BODY_TEXT, TEXT("cut \xe2\x82"), ERROR_BAD_UTF8},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice body = put(b, rows[i].body);
		struct event event;
		struct event_fault fault;

		event_clear(&event);
		assert_false(event_set_body(&event, rows[i].how, body, &b->out, &fault));
		assert_int_equal(fault.code, rows[i].code);
	}
}

static void
event_parse_form_reads_the_fields(void **state)
{
	static const struct {
		struct slice body;
		const char *channels;
		const char *type;
		enum event_kind kind;
		struct slice data;
		const char *key;
	} rows[] = {
	    {TEXT("channel=news&data=hello"), "news", "message", EVENT_TEXT, TEXT("hello"), NULL},
	    {TEXT("data=a+b%26c%3d%C3%A9&channel=n%65ws&type=t&key=k%00&other=1"), "news", "t",
		EVENT_TEXT, TEXT("a b&c=\xc3\xa9"), NULL},
	    {TEXT("channel=a&channel=b&channel=a&key=k"), "a b", "message", EVENT_JSON,
		TEXT("null"), "k"},
	    {TEXT("channel=a&data=first&data=last"), "a", "message", EVENT_TEXT, TEXT("last"),
		NULL},
	    {TEXT("channel=a&data={\"x\":1}"), "a", "message", EVENT_TEXT, TEXT("{\"x\":1}"), NULL},
	    {TEXT("channel=a&data="), "a", "message", EVENT_TEXT, TEXT(""), NULL},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice body = put(b, rows[i].body);
		struct event event;
		struct event_fault fault;

		assert_true(event_parse_form(&event, body, &b->out, &fault));
		if (i == 1) {
			assert_true(slice_equal(event.key, TEXT("k\0")));
			event.key.bytes = NULL;
		}
		assert_event(&event, rows[i].channels, rows[i].type, rows[i].kind, rows[i].data,
		    rows[i].key);
	}
}

static void
event_parse_form_names_the_field_in_error(void **state)
{
	static const struct {
		struct slice body;
		enum error_code code;
		const char *path;
	} rows[] = {
	    {TEXT(""), ERROR_NO_CHANNEL, "channel"},
	    {TEXT("hello"), ERROR_NO_CHANNEL, "channel"},
	    {TEXT("data=hello"), ERROR_NO_CHANNEL, "channel"},
	    {TEXT("channel=&data=x"), ERROR_BAD_CHANNEL, "channel"},
	    {TEXT("channel=%2a"), ERROR_BAD_CHANNEL, "channel"},
	    {TEXT("channel=a%ff"), ERROR_BAD_CHANNEL, "channel"},
	    {TEXT("channel=a%2"), ERROR_BAD_REQUEST, "channel"},
	    {TEXT("channel=a&data=%zz"), ERROR_BAD_REQUEST, "data"},
	    {TEXT("channel=a&data=%ff"), ERROR_BAD_UTF8, "data"},
	    {TEXT("channel=a&type=open"), ERROR_BAD_REQUEST, "type"},
	    {TEXT("channel=a&key="), ERROR_BAD_REQUEST, "key"},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice body = put(b, rows[i].body);
		struct event event;
		struct event_fault fault;

		assert_false(event_parse_form(&event, body, &b->out, &fault));
		assert_int_equal(fault.code, rows[i].code);
		assert_string_equal(fault.path, rows[i].path);
	}
}

#define ID_TEXT "1763856000000-00042"

static const struct {
	struct event event;
	const char *json;
} renderings[] = {
    {{.kind = EVENT_JSON, .type = TEXT("message"), .data = TEXT("{\"a\":1}")},
	"{\"id\":\"" ID_TEXT "\",\"channel\":\"news\",\"type\":\"message\",\"data\":{\"a\":1}}"},
    {{.kind = EVENT_TEXT, .type = TEXT("message"), .data = TEXT("hello")},
	"{\"id\":\"" ID_TEXT "\",\"channel\":\"news\",\"type\":\"message\",\"data\":\"hello\"}"},
    {{.kind = EVENT_TEXT, .type = TEXT("a\"b"), .data = TEXT("\"\n\0\xc3\xa9")},
	"{\"id\":\"" ID_TEXT
	"\",\"channel\":\"news\",\"type\":\"a\\\"b\",\"data\":\"\\\"\\n\\u0000\xc3\xa9\"}"},
    {{.kind = EVENT_BINARY, .type = TEXT("message"), .data = TEXT("\0\xff\xfe\x01")},
	"{\"id\":\"" ID_TEXT
	"\",\"channel\":\"news\",\"type\":\"message\",\"data64\":\"AP/+AQ==\"}"},
    {{.kind = EVENT_BINARY, .type = TEXT("message"), .data = TEXT("")},
	"{\"id\":\"" ID_TEXT "\",\"channel\":\"news\",\"type\":\"message\",\"data64\":\"\"}"},
};

static void
event_render_is_spelled_as_the_contract_has_it(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < COUNT(renderings); i++) {
		struct event event = renderings[i].event;
		size_t len = strlen(renderings[i].json);

		event.id = UINT64_C(1763856000000) << 16 | 42;
		for (size_t cap = 0; cap <= len; cap++) {
			struct out out = out_to(guard_end(&b->scratch, cap), cap);

			event_render(&out, &event, TEXT("news"));
			assert_int_equal(out.need, len);
			assert_int_equal(out_cut(&out), cap < len);
			if (cap == len)
				assert_memory_equal(out.bytes, renderings[i].json, len);
		}
	}
}

static void
event_parse_object_reads_back_what_was_rendered(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < COUNT(renderings); i++) {
		struct slice json = slice_text(renderings[i].json);
		struct event event;

		for (size_t len = 0; len < json.len; len++)
			assert_false(
			    event_parse_object(&event, put(b, slice_of(json.bytes, len)), &b->out));
		assert_true(event_parse_object(&event, put(b, json), &b->out));
		assert_true(event.id == (UINT64_C(1763856000000) << 16 | 42));
		assert_int_equal(event.kind, renderings[i].event.kind);
		assert_int_equal(event.channel_count, 1);
		assert_true(slice_equal(event.channels[0], TEXT("news")));
		assert_true(slice_equal(event.type, renderings[i].event.type));
		assert_true(slice_equal(event.data, renderings[i].event.data));
	}
}

static void
event_parse_object_ignores_later_members_and_refuses_others(void **state)
{
	static const struct {
		const char *text;
		bool taken;
	} rows[] = {
	    {"{\"later\":[1],\"data\":7,\"type\":\"t\",\"channel\":\"c\",\"id\":\"1-1\",\"x\":\"\\n\"}",
		true},
	    {"{\"channel\":\"c\",\"id\":\"1-1\"}", true},
	    {"{\"op\":\"live\",\"at\":\"1-1\"}", false},
	    {"{\"channel\":\"c\",\"id\":\"x\"}", false},
	    {"{\"channel\":\"c\",\"id\":1}", false},
	    {"{\"id\":\"1-1\"}", false},
	    {"{\"channel\":\"c\",\"id\":\"1-1\",\"data64\":\"?\"}", false},
	    {"[]", false},
	    {"1", false},
	    {"", false},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct event event;

		assert_int_equal(
		    event_parse_object(&event, put(b, slice_text(rows[i].text)), &b->out),
		    rows[i].taken);
	}
}

/* What was published comes out as it went in, whatever the envelope's spelling. */
static void
event_survives_publish_and_render(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < COUNT(envelopes); i++) {
		struct event event, seen;
		struct event_fault fault;
		char published_room[256], json[512], seen_room[512];
		struct out published = out_to(published_room, sizeof published_room);
		struct out rendered = out_to(json, sizeof json);
		struct out scratch = out_to(seen_room, sizeof seen_room);

		assert_true(
		    event_parse_envelope(&event, put(b, envelopes[i].text), &published, &fault));
		event.id = 7 + i;
		event_render(&rendered, &event, event.channels[0]);
		assert_true(event_parse_object(&seen, slice_of(json, rendered.len), &scratch));
		assert_true(seen.id == event.id);
		assert_int_equal(seen.kind, event.kind);
		assert_true(slice_equal(seen.data, event.data));
		assert_true(slice_equal(seen.type, event.type));
		assert_true(slice_equal(seen.channels[0], event.channels[0]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(event_parse_envelope_gives_the_canonical_event),
	    cmocka_unit_test(event_parse_envelope_refuses_every_strict_prefix),
	    cmocka_unit_test(event_parse_envelope_names_the_mistake_and_its_place),
	    cmocka_unit_test(event_takes_the_longest_names),
	    cmocka_unit_test(event_carries_at_most_its_limit_of_different_channels),
	    cmocka_unit_test(event_parse_envelope_refuses_when_the_scratch_is_full),
	    cmocka_unit_test(event_parse_form_refuses_when_the_scratch_is_full),
	    cmocka_unit_test(event_parse_object_refuses_when_the_scratch_is_full),
	    cmocka_unit_test(event_batch_takes_one_or_an_array),
	    cmocka_unit_test(event_batch_keeps_all_events_in_one_scratch),
	    cmocka_unit_test(event_batch_names_the_place_of_a_mistake),
	    cmocka_unit_test(event_set_body_gives_one_form_to_a_string_and_a_text),
	    cmocka_unit_test(event_set_body_refuses_what_its_type_does_not_allow),
	    cmocka_unit_test(event_parse_form_reads_the_fields),
	    cmocka_unit_test(event_parse_form_names_the_field_in_error),
	    cmocka_unit_test(event_render_is_spelled_as_the_contract_has_it),
	    cmocka_unit_test(event_parse_object_reads_back_what_was_rendered),
	    cmocka_unit_test(event_parse_object_ignores_later_members_and_refuses_others),
	    cmocka_unit_test(event_survives_publish_and_render),
	};

	return cmocka_run_group_tests(tests, bench_open, bench_close);
}
