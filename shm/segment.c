/*
 * segment.c: creates, seals, maps and checks shared memory. The only file that knows memfds.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/segment.h"

#define SEGMENT_MAGIC \
	UINT64_C(0x0174736163676e72) /* in memory "rngcast" and a byte that is no text */
#define SEGMENT_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

static_assert(sizeof(struct segment_head) == 64, "the head of a segment is 64 bytes");

static void
segment_forget(struct segment *s)
{
	*s = (struct segment){NULL, 0, -1, -1, false};
}

static int
map(struct segment *s, int fd, uint64_t bytes, bool writable)
{
	void *base =
	    mmap(NULL, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);

	if (base == MAP_FAILED)
		return SEGMENT_SYSTEM;
	*s = (struct segment){base, bytes, fd, -1, writable};
	return SEGMENT_OK;
}

int
segment_create(
    struct segment *s, const char *name, enum segment_kind kind, uint32_t version, uint64_t bytes)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct segment_head head = {SEGMENT_MAGIC, version, kind, 0, {0}};
	int fd, saved;

	segment_forget(s);
	head.bytes = (bytes + page - 1) / page * page;
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return SEGMENT_SYSTEM;
	if (ftruncate(fd, (off_t)head.bytes) == -1 ||
	    fcntl(fd, F_ADD_SEALS, SEGMENT_SEALS | F_SEAL_SEAL) == -1 ||
	    map(s, fd, head.bytes, true) != SEGMENT_OK)
		goto fail;
	memcpy(s->base, &head, sizeof head);
	return SEGMENT_OK;
fail:
	saved = errno;
	close(fd);
	errno = saved;
	return SEGMENT_SYSTEM;
}

static int
check(const struct segment *s, enum segment_kind kind, uint32_t version)
{
	struct segment_head head;

	memcpy(&head, s->base, sizeof head);
	if (head.magic != SEGMENT_MAGIC)
		return SEGMENT_FOREIGN;
	if (head.kind != kind)
		return SEGMENT_KIND;
	if (head.version != version)
		return SEGMENT_VERSION;
	if (head.bytes != s->bytes)
		return SEGMENT_SIZE;
	return SEGMENT_OK;
}

int
segment_attach(struct segment *s, int fd, enum segment_kind kind, uint32_t version, bool writable)
{
	struct stat st;
	int seals, result;

	segment_forget(s);
	if (fstat(fd, &st) == -1)
		return SEGMENT_SYSTEM;
	seals = fcntl(fd, F_GET_SEALS);
	if (seals == -1 || (seals & SEGMENT_SEALS) != SEGMENT_SEALS)
		return SEGMENT_UNSEALED;
	if (st.st_size < (off_t)sizeof(struct segment_head))
		return SEGMENT_SIZE;
	result = map(s, fd, (uint64_t)st.st_size, writable);
	if (result != SEGMENT_OK)
		return result;
	result = check(s, kind, version);
	if (result != SEGMENT_OK) {
		munmap(s->base, s->bytes);
		segment_forget(s);
	}
	return result;
}

int
segment_reader(struct segment *s)
{
	char path[64];

	if (s->fd_read == -1) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", s->fd);
		s->fd_read = open(path, O_RDONLY | O_CLOEXEC);
	}
	return s->fd_read;
}

int
segment_lease(const struct segment *s)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(s->fd, F_SETLK, &whole) == 0)
		return SEGMENT_OK;
	return errno == EACCES || errno == EAGAIN ? SEGMENT_BUSY : SEGMENT_SYSTEM;
}

void
segment_close(struct segment *s)
{
	if (s->base == NULL)
		return;
	munmap(s->base, s->bytes);
	if (s->fd_read != -1)
		close(s->fd_read);
	if (s->fd != -1)
		close(s->fd);
	segment_forget(s);
}

const char *
segment_error_text(int error)
{
	switch ((enum segment_error)error) {
	case SEGMENT_OK:
		return "no error";
	case SEGMENT_SYSTEM:
		return "refused by the system";
	case SEGMENT_FOREIGN:
		return "not a segment of ringcast";
	case SEGMENT_VERSION:
		return "segment of another version";
	case SEGMENT_KIND:
		return "segment of another kind";
	case SEGMENT_SIZE:
		return "sizes in the segment contradict each other";
	case SEGMENT_UNSEALED:
		return "segment that is not sealed";
	case SEGMENT_BUSY:
		return "another process writes this segment";
	}
	return "unknown error";
}
