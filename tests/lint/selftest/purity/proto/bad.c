#include <stdlib.h>
#include <time.h>

int good_twice(const char *text, char *copy);

char *
bad_copy(const char *text)
{
	char *copy = malloc((size_t)time(NULL));

	good_twice(text, copy);
	return copy;
}
