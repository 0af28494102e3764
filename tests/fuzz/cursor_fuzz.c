/*
 * cursor_fuzz.c: the after parameter and Last-Event-ID, which anybody may fill with anything.
 */
#include <assert.h>

#include "proto/cursor.h"
#include "proto/id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of((const char *)data, size);
	struct cursor cursor, last;
	char room[ID_TEXT_MAX];
	struct out out = out_to(room, sizeof room);
	uint64_t id, again;

	cursor_parse_last_event_id(text, &last);
	assert(last.kind == CURSOR_ID || last.kind == CURSOR_NOW || last.kind == CURSOR_UNKNOWN);
	assert((last.kind == CURSOR_NOW) == (size == 0));
	if (cursor_parse(text, &cursor) == NULL) {
		assert(cursor.kind != CURSOR_NOW && cursor.kind != CURSOR_UNKNOWN);
		assert((cursor.kind == CURSOR_ID) == (last.kind == CURSOR_ID));
		assert((cursor.kind == CURSOR_LAST) == (cursor.count != 0));
		if (cursor.kind == CURSOR_TIME)
			assert(cursor.id + 1 == id_of(cursor.ms, 0) && cursor.ms >= CURSOR_MS_MIN);
	}
	if (id_parse(text, &id)) {
		assert(last.kind == CURSOR_ID && last.id == id);
		id_render(&out, id);
		assert(!out_cut(&out) && id_parse(slice_of(out.bytes, out.len), &again) &&
		       again == id);
	}
	return 0;
}
