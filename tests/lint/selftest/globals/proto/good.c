#include <stddef.h>

static const char *const names[] = {"a", "b"};
const int good_count = 2;

const char *
good_name(size_t i)
{
	return names[i];
}
