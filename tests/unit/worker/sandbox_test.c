/*
 * sandbox_test.c: each forbidden call is made twice by children: outside the sandbox, where it must
 * get past the permission check (or the case would prove nothing), and inside, where it must answer
 * EPERM. The worker's own work, and its death by abort(), must go on inside.
 */
#include "worker/sandbox.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "shm/limits.h"
#include "tests/unit/worker/sandbox_fixture.h"

/* ---- forbidden ---- */

static long
try_open_segment_writable(struct holdings *h)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%d", h->segment);
	return syscall(SYS_openat, AT_FDCWD, path, O_RDWR);
}

static long
try_openat(struct holdings *h)
{
	(void)h;
	return syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY);
}

static long
try_openat2(struct holdings *h)
{
	uint64_t how[3] = {0};
	(void)h;
	return syscall(SYS_openat2, AT_FDCWD, "/", how, sizeof how);
}

#ifdef SYS_open
static long
try_open(struct holdings *h)
{
	(void)h;
	return syscall(SYS_open, "/", O_RDONLY);
}

static long
try_fork(struct holdings *h)
{
	(void)h;
	long child = syscall(SYS_fork);
	if (child == 0)
		_exit(0);
	return child;
}
#endif

static long
try_socket(struct holdings *h)
{
	(void)h;
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static long
try_socketpair(struct holdings *h)
{
	int pair[2];
	(void)h;
	return syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair);
}

static long
try_connect(struct holdings *h)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(9)};
	return syscall(SYS_connect, h->udp, &address, sizeof address);
}

static long
try_bind(struct holdings *h)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	return syscall(SYS_bind, h->udp, &address, sizeof address);
}

static long
try_sendto_an_address(struct holdings *h)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(9)};
	return syscall(SYS_sendto, h->udp, "x", 1, 0, &address, sizeof address);
}

static long
try_accept(struct holdings *h)
{
	return syscall(SYS_accept4, h->pair[0], NULL, NULL, SOCK_NONBLOCK);
}

static long
try_ptrace(struct holdings *h)
{
	(void)h;
	return syscall(SYS_ptrace, PTRACE_TRACEME, 0, NULL, NULL);
}

static long
try_process_vm_readv(struct holdings *h)
{
	char from[8] = "", to[8];
	struct iovec local = {to, sizeof to}, remote = {from, sizeof from};
	(void)h;
	return syscall(SYS_process_vm_readv, getpid(), &local, 1, &remote, 1, 0);
}

static long
try_process_vm_writev(struct holdings *h)
{
	char from[8] = "", to[8];
	struct iovec local = {from, sizeof from}, remote = {to, sizeof to};
	(void)h;
	return syscall(SYS_process_vm_writev, getpid(), &local, 1, &remote, 1, 0);
}

static long
try_pidfd_open(struct holdings *h)
{
	(void)h;
	return syscall(SYS_pidfd_open, getpid(), 0);
}

static long
try_pidfd_getfd(struct holdings *h)
{
	return syscall(SYS_pidfd_getfd, h->pidfd, h->segment, 0);
}

static long
try_pidfd_send_signal(struct holdings *h)
{
	return syscall(SYS_pidfd_send_signal, h->pidfd, 0, NULL, 0);
}

static long
try_kill(struct holdings *h)
{
	(void)h;
	return syscall(SYS_kill, getpid(), 0);
}

static long
try_tgkill_of_another(struct holdings *h)
{
	(void)h;
	pid_t parent = getppid();
	return syscall(SYS_tgkill, parent, parent, 0);
}

static long
try_execve(struct holdings *h)
{
	char *const nothing[] = {NULL};
	(void)h;
	return syscall(SYS_execve, "/nonexistent", nothing, nothing);
}

static long
try_execveat(struct holdings *h)
{
	char *const nothing[] = {NULL};
	return syscall(SYS_execveat, h->segment, "", nothing, nothing, AT_EMPTY_PATH);
}

static long
try_clone(struct holdings *h)
{
	(void)h;
	long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (child == 0)
		_exit(0);
	return child;
}

static long
try_clone3(struct holdings *h)
{
	uint64_t arguments[8] = {0};
	(void)h;
	arguments[4] = SIGCHLD;
	long child = syscall(SYS_clone3, arguments, sizeof arguments);
	if (child == 0)
		_exit(0);
	return child;
}

static long
try_prctl_dumpable(struct holdings *h)
{
	(void)h;
	return syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long
try_seccomp(struct holdings *h)
{
	(void)h;
	return syscall(SYS_seccomp, 2 /* SECCOMP_GET_ACTION_AVAIL */, 0, &(uint32_t){0x7fff0000});
}

static long
try_memfd_create(struct holdings *h)
{
	(void)h;
	return syscall(SYS_memfd_create, "x", 0);
}

static long
try_io_uring_setup(struct holdings *h)
{
	struct io_uring_params params = {0};
	(void)h;
	return syscall(SYS_io_uring_setup, 8, &params);
}

static long
try_io_uring_register(struct holdings *h)
{
	return syscall(SYS_io_uring_register, h->doorbell, 0, NULL, 0);
}

static long
try_io_uring_enter(struct holdings *h)
{
	return syscall(SYS_io_uring_enter, h->ring, 0, 0, 0, NULL, 0);
}

static long
try_epoll_create(struct holdings *h)
{
	(void)h;
	return syscall(SYS_epoll_create1, 0);
}

static long
try_epoll_ctl(struct holdings *h)
{
	struct epoll_event event = {.events = EPOLLIN};

	return syscall(SYS_epoll_ctl, h->epoll, EPOLL_CTL_ADD, h->doorbell, &event);
}

static long
try_epoll_pwait(struct holdings *h)
{
	struct epoll_event event;

	return syscall(SYS_epoll_pwait, h->epoll, &event, 1, 0, NULL, 0);
}

static long
try_map_executable(struct holdings *h)
{
	(void)h;
	return syscall(SYS_mmap, NULL, SEGMENT_BYTES, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long
try_protect_executable(struct holdings *h)
{
	return syscall(SYS_mprotect, h->mapped, SEGMENT_BYTES, PROT_READ | PROT_EXEC);
}

static long
try_attach_filter(struct holdings *h)
{
	int none = 0;
	return syscall(
	    SYS_setsockopt, h->pair[0], SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
}

static long
try_ioctl_fionread(struct holdings *h)
{
	int unread;
	return syscall(SYS_ioctl, h->pair[0], FIONREAD, &unread);
}

static long
try_fcntl(struct holdings *h)
{
	return syscall(SYS_fcntl, h->segment, F_GETFL);
}

static long
try_dup(struct holdings *h)
{
	return syscall(SYS_dup, h->segment);
}

static long
try_unlink(struct holdings *h)
{
	(void)h;
	return syscall(SYS_unlinkat, AT_FDCWD, "/nonexistent/x", 0);
}

static long
try_setrlimit(struct holdings *h)
{
	(void)h;
	return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, NULL);
}

static long
try_setuid(struct holdings *h)
{
	(void)h;
	return syscall(SYS_setresuid, -1, -1, -1);
}

static const struct {
	const char *name;
	long (*call)(struct holdings *);
	bool allowed_over[2]; /* by enum sandbox_io */
} forbidden[] = {
    {"reopen the segment writable", try_open_segment_writable, {0}},
    {"openat", try_openat, {0}},
    {"openat2", try_openat2, {0}},
#ifdef SYS_open
    {"open", try_open, {0}},
    {"fork", try_fork, {0}},
#endif
    {"socket", try_socket, {0}},
    {"socketpair", try_socketpair, {0}},
    {"connect", try_connect, {0}},
    {"bind", try_bind, {0}},
    {"sendto with an address", try_sendto_an_address, {0}},
    {"accept4", try_accept, {0}},
    {"ptrace", try_ptrace, {0}},
    {"process_vm_readv", try_process_vm_readv, {0}},
    {"process_vm_writev", try_process_vm_writev, {0}},
    {"pidfd_open", try_pidfd_open, {0}},
    {"pidfd_getfd", try_pidfd_getfd, {0}},
    {"pidfd_send_signal", try_pidfd_send_signal, {0}},
    {"kill", try_kill, {0}},
    {"tgkill of another process", try_tgkill_of_another, {0}},
    {"execve", try_execve, {0}},
    {"execveat", try_execveat, {0}},
    {"clone", try_clone, {0}},
    {"clone3", try_clone3, {0}},
    {"prctl", try_prctl_dumpable, {0}},
    {"seccomp", try_seccomp, {0}},
    {"memfd_create", try_memfd_create, {0}},
    {"io_uring_setup", try_io_uring_setup, {0}},
    {"io_uring_register", try_io_uring_register, {0}},
    {"io_uring_enter", try_io_uring_enter, {[SANDBOX_URING] = true}},
    {"epoll_create1", try_epoll_create, {0}},
    {"epoll_ctl", try_epoll_ctl, {[SANDBOX_EPOLL] = true}},
    {"epoll_pwait", try_epoll_pwait, {[SANDBOX_EPOLL] = true}},
    {"mmap PROT_EXEC", try_map_executable, {0}},
    {"mprotect PROT_EXEC", try_protect_executable, {0}},
    {"setsockopt of a socket filter", try_attach_filter, {0}},
    {"ioctl other than SIOCOUTQ", try_ioctl_fionread, {0}},
    {"fcntl", try_fcntl, {0}},
    {"dup", try_dup, {0}},
    {"unlinkat", try_unlink, {0}},
    {"prlimit64", try_setrlimit, {0}},
    {"setresuid", try_setuid, {0}},
};

/* ---- each of them ---- */

static int
call_outside(struct holdings *h, size_t i)
{
	return forbidden[i].call(h) == -1 ? errno : CHILD_DONE;
}

static int
call_inside(struct holdings *h, size_t i)
{
	char report[256];

	if (sandbox_enter(h->over, report, sizeof report) != 0)
		return CHILD_NO_SANDBOX;
	return forbidden[i].call(h) == -1 ? errno : CHILD_DONE;
}

static void
sandbox_refuses_each_forbidden_call(void **state)
{
	enum sandbox_io over = *(const enum sandbox_io *)*state;

	for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
		int outside = in_child(over, call_outside, i);
		if (!WIFEXITED(outside) || WEXITSTATUS(outside) == EPERM ||
		    WEXITSTATUS(outside) == ENOSYS)
			fail_msg("%s proves nothing: status %#x without the sandbox",
			    forbidden[i].name, outside);
		int inside = in_child(over, call_inside, i);
		bool refused = WIFEXITED(inside) && WEXITSTATUS(inside) == EPERM;
		bool allowed = WIFEXITED(inside) && WEXITSTATUS(inside) == CHILD_DONE;
		if (forbidden[i].allowed_over[over] ? !allowed : !refused)
			fail_msg("%s: status %#x in the sandbox", forbidden[i].name, inside);
	}
}

/* ---- what io_uring could do behind the filter's back ---- */

/* The result of one operation on a ring. */
static int
result_of(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;

	if (io_uring_submit_and_get_events(ring) < 0 || io_uring_wait_cqe(ring, &cqe) < 0)
		return INT32_MIN;
	int result = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return result;
}

static void
prepare_hidden(struct holdings *h, struct io_uring *ring, size_t which, struct sockaddr_in *address)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (which == 0)
		io_uring_prep_openat(sqe, AT_FDCWD, "/", O_RDONLY, 0);
	else
		io_uring_prep_connect(sqe, h->udp, (struct sockaddr *)address, sizeof *address);
}

/* 0 if the bare ring does it inside the sandbox (the hazard) and the worker's own refuses it. */
static int
ask_rings(struct holdings *h, size_t which)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(9)};
	struct io_uring bare;
	char report[256];

	if (io_uring_queue_init(4, &bare, 0) < 0 ||
	    sandbox_enter(h->over, report, sizeof report) != 0)
		return CHILD_NO_SANDBOX;
	prepare_hidden(h, &bare, which, &address);
	if (result_of(&bare) < 0)
		return 1;
	prepare_hidden(h, uring_ring(&h->io), which, &address);
	return result_of(uring_ring(&h->io)) == -EACCES ? CHILD_DONE : 2;
}

static void
restricted_ring_refuses_what_the_filter_cannot_see(void **state)
{
	(void)state;

	for (size_t which = 0; which < 2; which++)
		assert_int_equal(in_child(SANDBOX_URING, ask_rings, which), 0);
}

/*
 * A finished TCP connection is the only socket that a worker could try to turn elsewhere:
 * MSG_FASTOPEN with an address connects an unconnected socket. Neither the ring's SENDMSG nor
 * sendmsg(2) may.
 */
static int
redirect_finished(struct holdings *h, size_t by_ring)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t address_len = sizeof address;
	char report[256], text[] = "x";
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int fresh = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&address, address_len) == -1 ||
	    listen(listener, 4) == -1 ||
	    getsockname(listener, (struct sockaddr *)&address, &address_len) == -1)
		return 1;
	struct iovec vector = {text, 1};
	struct msghdr message = {
	    .msg_iov = &vector, .msg_iovlen = 1, .msg_name = &address, .msg_namelen = address_len};
	/* Where even a fresh socket does not connect so, the case would prove nothing. */
	if (sendmsg(fresh, &message, MSG_FASTOPEN) != 1)
		return 2;
	close(h->pair[1]);
	(void)shutdown(h->pair[0], SHUT_RDWR);
	if (sandbox_enter(h->over, report, sizeof report) != 0)
		return CHILD_NO_SANDBOX;
	if (by_ring) {
		struct io_uring *ring = uring_ring(&h->io);
		io_uring_prep_sendmsg(
		    io_uring_get_sqe(ring), h->pair[0], &message, MSG_FASTOPEN | MSG_NOSIGNAL);
		return result_of(ring) < 0 ? CHILD_DONE : 3;
	}
	return sendmsg(h->pair[0], &message, MSG_FASTOPEN | MSG_NOSIGNAL) == -1 ? CHILD_DONE : 3;
}

static void
finished_connection_cannot_be_turned_elsewhere(void **state)
{
	(void)state;

	assert_int_equal(in_child(SANDBOX_URING, redirect_finished, false), 0);
	assert_int_equal(in_child(SANDBOX_URING, redirect_finished, true), 0);
}

/* The segment stays read-only by the kernel's own rules, which the filter leaves to it. */
static int
write_segment(struct holdings *h, size_t unused)
{
	char report[256];
	(void)unused;

	if (sandbox_enter(h->over, report, sizeof report) != 0)
		return CHILD_NO_SANDBOX;
	if (mmap(NULL, SEGMENT_BYTES, PROT_WRITE, MAP_SHARED, h->segment, 0) != MAP_FAILED ||
	    errno != EACCES)
		return 1;
	if (syscall(SYS_mprotect, h->mapped, SEGMENT_BYTES, PROT_READ | PROT_WRITE) != -1 ||
	    errno != EACCES)
		return 2;
	if (write(h->segment, "x", 1) != -1 || errno != EBADF)
		return 3;
	return CHILD_DONE;
}

static void
segment_cannot_be_made_writable(void **state)
{
	enum sandbox_io over = *(const enum sandbox_io *)*state;

	assert_int_equal(in_child(over, write_segment, 0), 0);
}

/* ---- needed ---- */

static void
ignore(int signal_number)
{
	(void)signal_number;
}

#define NEED(condition)                                                                   \
	do {                                                                              \
		if (!(condition)) {                                                       \
			fprintf(stderr, "needed: %s: %s\n", #condition, strerror(errno)); \
			return 1;                                                         \
		}                                                                         \
	} while (0)

static int
serve_a_client(struct holdings *h)
{
	char text[] = "world";
	struct iovec vectors[2] = {{text, 2}, {text + 2, 3}};
	struct io_event event;
	char bytes[64];

	io_poll(&h->io, h->pair[0], POLLIN | POLLRDHUP, 1);
	io_watch(&h->io, h->doorbell, 2);
	io_send(&h->io, h->pair[0], "hello ", 6, 3);
	NEED(io_submit(&h->io) == 0);
	io_sendv(&h->io, h->pair[0], vectors, 2, 4);
	NEED(io_wait(&h->io, 10) == 0);
	NEED(io_reap(&h->io, &event, 1) == 0);
	NEED(io_recv(h->pair[1], bytes, sizeof bytes) == 11);
	NEED(memcmp(bytes, "hello world", 11) == 0);
	NEED(eventfd_write(h->doorbell, 1) == 0);
	NEED(io_wait(&h->io, 1000) == 0);
	NEED(io_reap(&h->io, &event, 1) == 1 && event.token == 2);
	NEED(io_send_now(h->pair[1], "ask", 3) == 3);
	NEED(io_wait(&h->io, 1000) == 0);
	NEED(io_reap(&h->io, &event, 1) == 1 && event.token == 1);
	NEED(io_recv(h->pair[0], bytes, sizeof bytes) == 3);
	return CHILD_DONE;
}

static int
use_sockets(struct holdings *h)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char text[] = "o";
	struct iovec vector = {text, 1};
	struct msghdr order = {.msg_iov = &vector,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof control};
	struct io_received received;
	struct sockaddr_storage peer;
	socklen_t peer_len = sizeof peer;
	struct tcp_info info;
	socklen_t info_len = sizeof info;
	int unsent, one = 1, fd;
	char byte;

	CMSG_FIRSTHDR(&order)->cmsg_level = SOL_SOCKET;
	CMSG_FIRSTHDR(&order)->cmsg_type = SCM_RIGHTS;
	CMSG_FIRSTHDR(&order)->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&order)), &h->pair[1], sizeof(int));
	NEED(sendmsg(h->control[0], &order, 0) == 1);
	NEED(io_recv_fds(&h->io, h->control[1], &byte, 1, &fd, 1, &received) == 1);
	NEED(received.fds_count == 1);
	NEED(getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0);
	NEED(getsockname(fd, (struct sockaddr *)&peer, &peer_len) == 0);
	NEED(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
	NEED(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_len) == 0);
	NEED(ioctl(fd, SIOCOUTQ, &unsent) == 0);
	NEED(io_shutdown_close(fd) == 0);
	NEED(io_shutdown_close(h->pair[0]) == 0);
	return CHILD_DONE;
}

static int
use_memory(void)
{
	size_t size = 64 << 20;
	char random[8];

	char *block = malloc(size);
	NEED(block != NULL);
	memset(block, 1, size);
	NEED(madvise((void *)(((uintptr_t)block + 4095) & ~(uintptr_t)4095), 4096, MADV_DONTNEED) ==
	     0);
	char *larger = realloc(block, size * 2);
	NEED(larger != NULL);
	free(larger);
	for (size_t i = 0; i < 1000; i++) {
		char *small = malloc(1 + i * 64);
		NEED(small != NULL);
		free(small);
	}
	void *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(map != MAP_FAILED);
	NEED(mprotect(map, 4096, PROT_NONE) == 0);
	NEED(munmap(map, 8192) == 0);
	NEED(getrandom(random, sizeof random, 0) == sizeof random);
	return CHILD_DONE;
}

static int
work_inside(struct holdings *h, size_t unused)
{
	struct sigaction action = {.sa_handler = ignore};
	sigset_t signals;
	char report[256];
	(void)unused;

	NEED(sigaction(SIGUSR1, &action, NULL) == 0);
	NEED(sandbox_enter(h->over, report, sizeof report) == 0);
	NEED(strncmp(report, "sandbox on", 10) == 0);
	NEED(serve_a_client(h) == CHILD_DONE);
	NEED(use_sockets(h) == CHILD_DONE);
	NEED(use_memory() == CHILD_DONE);
	NEED(io_clock_ns() > 0 && io_realtime_ms() > 0);
	NEED(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &(struct timespec){0}) == 0);
	NEED(raise(SIGUSR1) == 0);
	sigemptyset(&signals);
	NEED(sigprocmask(SIG_BLOCK, &signals, NULL) == 0);
	NEED(fprintf(stderr, "%s", "") == 0);
	io_close(&h->io);
	return CHILD_DONE;
}

static void
worker_can_do_its_work_inside(void **state)
{
	enum sandbox_io over = *(const enum sandbox_io *)*state;

	assert_int_equal(in_child(over, work_inside, 0), 0);
}

static int
abort_inside(struct holdings *h, size_t unused)
{
	char report[256];
	(void)unused;

	if (sandbox_enter(h->over, report, sizeof report) != 0)
		return CHILD_NO_SANDBOX;
	abort();
}

static void
abort_ends_the_worker_by_its_signal(void **state)
{
	enum sandbox_io over = *(const enum sandbox_io *)*state;

	int status = in_child(over, abort_inside, 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* ---- the process's own state ---- */

/* Enters, tells the parent, and stays until the parent has looked. */
static void
stay_inside(const int channel[2])
{
	char report[256], byte;

	alarm(10);
	/* As root, be somebody else, so that ownership of the /proc files can tell. */
	if (geteuid() == 0 &&
	    (setresgid(65534, 65534, 65534) == -1 || setresuid(65534, 65534, 65534) == -1))
		_exit(1);
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	if (send(channel[1], "o", 1, 0) != 1 || recv(channel[1], &byte, 1, 0) != 1)
		_exit(2);
	if (sandbox_enter(SANDBOX_URING, report, sizeof report) != 0)
		_exit(3);
	if (send(channel[1], "i", 1, 0) != 1 || recv(channel[1], &byte, 1, 0) != 1)
		_exit(4);
	_exit(0);
}

static uid_t
owner_of(pid_t pid)
{
	struct stat status;
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
	assert_return_code(stat(path, &status), errno);
	return status.st_uid;
}

static void
assert_status_line(pid_t pid, const char *line)
{
	char path[64], status[8192];

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	size_t len = fread(status, 1, sizeof status - 1, file);
	fclose(file);
	status[len] = '\0';
	if (strstr(status, line) == NULL)
		fail_msg("no \"%s\" in /proc/PID/status", line);
}

static void
sandbox_leaves_a_process_that_nobody_can_look_into(void **state)
{
	int channel[2], status;
	char byte;
	(void)state;

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, channel), errno);
	pid_t child = fork();
	assert_return_code(child, errno);
	if (child == 0)
		stay_inside(channel);
	close(channel[1]);
	assert_int_equal(recv(channel[0], &byte, 1, 0), 1);
	assert_int_not_equal(owner_of(child), 0);
	assert_int_equal(send(channel[0], "g", 1, 0), 1);
	assert_int_equal(recv(channel[0], &byte, 1, 0), 1);
	assert_int_equal(owner_of(child), 0);
	assert_status_line(child, "\nNoNewPrivs:\t1\n");
	assert_status_line(child, "\nSeccomp:\t2\n");
	assert_int_equal(send(channel[0], "g", 1, 0), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(channel[0]);
}

static void
sandbox_of_a_sanitizer_build_says_that_it_is_off(void **state)
{
	char report[256] = "";
	(void)state;

	assert_int_equal(sandbox_enter(SANDBOX_URING, report, sizeof report), 0);
	assert_non_null(strstr(report, "sandbox off"));
	int still = open("/", O_RDONLY);
	assert_return_code(still, errno);
	close(still);
}

static enum sandbox_io uring = SANDBOX_URING, epoll = SANDBOX_EPOLL;

#define OVER_BOTH(name)                                       \
	{#name " over io_uring", name, NULL, NULL, &uring},   \
	{                                                     \
#name " over epoll", name, NULL, NULL, &epoll \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    OVER_BOTH(sandbox_refuses_each_forbidden_call),
	    cmocka_unit_test(restricted_ring_refuses_what_the_filter_cannot_see),
	    cmocka_unit_test(finished_connection_cannot_be_turned_elsewhere),
	    OVER_BOTH(segment_cannot_be_made_writable),
	    OVER_BOTH(worker_can_do_its_work_inside),
	    OVER_BOTH(abort_ends_the_worker_by_its_signal),
	    cmocka_unit_test(sandbox_leaves_a_process_that_nobody_can_look_into),
	};
	const struct CMUnitTest tests_of_sanitizer_builds[] = {
	    cmocka_unit_test(sandbox_of_a_sanitizer_build_says_that_it_is_off),
	};

	alarm(60);
	if (!sandbox_available())
		return cmocka_run_group_tests(tests_of_sanitizer_builds, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
