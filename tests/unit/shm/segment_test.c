/*
 * segment_test.c: seals, heads, read-only descriptors, the lease.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/segment.h"

static void
segment_cannot_change_its_size(void **state)
{
	struct segment s;

	(void)state;
	assert_int_equal(segment_create(&s, "t", SEGMENT_BOARD, 1, 5000), SEGMENT_OK);
	assert_int_equal(s.bytes, 8192);
	assert_int_equal(ftruncate(s.fd, 4096), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(s.fd, 16384), -1);
	assert_true(fcntl(s.fd, F_GETFD) & FD_CLOEXEC);
	segment_close(&s);
	segment_close(&s);
}

static void
segment_reader_cannot_be_mapped_writable(void **state)
{
	struct segment s, reader, again;
	int fd;

	(void)state;
	assert_int_equal(segment_create(&s, "t", SEGMENT_BOARD, 1, 4096), SEGMENT_OK);
	fd = segment_reader(&s);
	assert_int_not_equal(fd, -1);
	assert_int_equal(segment_reader(&s), fd);
	assert_int_equal(segment_attach(&reader, dup(fd), SEGMENT_BOARD, 1, false), SEGMENT_OK);
	s.base[100] = 42;
	assert_int_equal(reader.base[100], 42);
	assert_int_equal(mprotect(reader.base, 4096, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(segment_attach(&again, fd, SEGMENT_BOARD, 1, true), SEGMENT_SYSTEM);
	assert_int_equal(errno, EACCES);
	segment_close(&reader);
	segment_close(&s);
}

static void
segment_attach_names_what_is_wrong(void **state)
{
	struct segment s, other;
	int fd;

	(void)state;
	assert_int_equal(segment_create(&s, "t", SEGMENT_BOARD, 3, 4096), SEGMENT_OK);
	assert_int_equal(segment_attach(&other, s.fd, SEGMENT_BOARD, 4, false), SEGMENT_VERSION);
	assert_int_equal(segment_attach(&other, s.fd, SEGMENT_RING, 3, false), SEGMENT_KIND);
	((struct segment_head *)(void *)s.base)->bytes = 8192;
	assert_int_equal(segment_attach(&other, s.fd, SEGMENT_BOARD, 3, false), SEGMENT_SIZE);
	((struct segment_head *)(void *)s.base)->magic++;
	assert_int_equal(segment_attach(&other, s.fd, SEGMENT_BOARD, 3, false), SEGMENT_FOREIGN);
	segment_close(&s);
	fd = memfd_create("plain", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(segment_attach(&other, fd, SEGMENT_BOARD, 3, false), SEGMENT_UNSEALED);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	assert_int_equal(segment_attach(&other, fd, SEGMENT_BOARD, 3, false), SEGMENT_SIZE);
	close(fd);
	assert_int_equal(segment_attach(&other, -1, SEGMENT_BOARD, 3, false), SEGMENT_SYSTEM);
	assert_null(other.base);
	for (int error = SEGMENT_BUSY - 1; error <= 0; error++)
		assert_true(strlen(segment_error_text(error)) > 5);
}

/* What another process gets when it asks for the lease. */
static int
lease_elsewhere(const struct segment *s)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(-segment_lease(s));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return -WEXITSTATUS(status);
}

static void
segment_lease_excludes_another_process(void **state)
{
	struct segment s;

	(void)state;
	assert_int_equal(segment_create(&s, "t", SEGMENT_RING, 1, 4096), SEGMENT_OK);
	assert_int_equal(
	    lease_elsewhere(&s), SEGMENT_OK); /* that process ended, and its lease with it */
	assert_int_equal(segment_lease(&s), SEGMENT_OK);
	assert_int_equal(lease_elsewhere(&s), SEGMENT_BUSY);
	/* Handing out the reader's descriptor does not end it. */
	assert_int_not_equal(segment_reader(&s), -1);
	assert_int_equal(lease_elsewhere(&s), SEGMENT_BUSY);
	segment_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(segment_cannot_change_its_size),
	    cmocka_unit_test(segment_reader_cannot_be_mapped_writable),
	    cmocka_unit_test(segment_attach_names_what_is_wrong),
	    cmocka_unit_test(segment_lease_excludes_another_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
