/*
 * replay.c: main() of a fuzz target in a build without libFuzzer: each file of the corpus directories that it is given,
 * whole and cut short at every byte, goes through the target once.
 *
 * Inputs lie in memory of exactly their size, so that a sanitizer sees a read past their end.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Longer inputs run whole only: their cuts would take time without showing anything new. */
#define CUT_BYTES_MAX 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
replay(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);

	if (copy == NULL)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

/* Every cut of one file; false when it cannot be read. */
static bool
replay_file(int directory, const char *name)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	struct stat status;
	uint8_t *data = NULL;
	bool whole = false;

	if (fd == -1 || fstat(fd, &status) == -1)
		goto out;
	data = malloc((size_t)status.st_size + 1);
	if (data == NULL || read(fd, data, (size_t)status.st_size) != status.st_size)
		goto out;
	for (size_t cut = 0; status.st_size <= CUT_BYTES_MAX && cut < (size_t)status.st_size; cut++)
		replay(data, cut);
	replay(data, (size_t)status.st_size);
	whole = true;
out:
	free(data);
	if (fd != -1)
		close(fd);
	return whole;
}

static unsigned
replay_directory(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	unsigned files = 0;

	if (directory == NULL)
		return 0;
	while ((entry = readdir(directory)) != NULL)
		if (entry->d_name[0] != '.')
			files += replay_file(dirfd(directory), entry->d_name);
	closedir(directory);
	return files;
}

int
main(int argc, char *argv[])
{
	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		unsigned files = replay_directory(argv[i]);

		printf("%sok %d - %s: %u inputs\n", files > 0 ? "" : "not ", i, argv[i], files);
	}
	return 0;
}
