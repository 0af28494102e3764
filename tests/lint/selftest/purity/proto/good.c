#include <string.h>

int
good_twice(const char *text, char *copy)
{
	memcpy(copy, text, strlen(text));
	return 2;
}
