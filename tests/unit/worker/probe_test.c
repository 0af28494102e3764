/*
 * probe_test.c: the probe says yes on this kernel, and no, with the remedy, where io_uring is
 * missing (a seccomp filter in a child plays the old kernel and the container) or behaves otherwise
 * (the operations are mangled on their way into the kernel, so that it really does what the probe
 * fears).
 */
#include "worker/probe.h"

#include <dlfcn.h>
#include <liburing.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/worker/io_fixture.h"

/* ---- a kernel that behaves otherwise ---- */

/* How operations are mangled before they go in. */
static enum mangling {
	NOTHING,
	FORGET_WAITALL,      /* short sends become successes, and silent */
	FORGET_DONTWAIT,     /* a send to a full socket stays armed in the kernel */
	FORGET_SKIP,         /* successes are not silent */
	FORGET_MULTISHOT,    /* a standing poll fires once */
	FORGET_RESTRICTIONS, /* the ring takes anything */
	FORGET_HANGUP,       /* a parked poll looks at another descriptor */
} mangling;

static void
mangle(struct io_uring_sqe *sqe)
{
	bool is_send = sqe->opcode == IORING_OP_SEND;
	bool is_poll = sqe->opcode == IORING_OP_POLL_ADD;

	if (mangling == FORGET_WAITALL && is_send)
		sqe->msg_flags &= ~(unsigned)MSG_WAITALL;
	if (mangling == FORGET_DONTWAIT && is_send)
		sqe->msg_flags &= ~(unsigned)MSG_DONTWAIT;
	if (mangling == FORGET_SKIP)
		sqe->flags &= (uint8_t)~IOSQE_CQE_SKIP_SUCCESS;
	if (mangling == FORGET_MULTISHOT && is_poll)
		sqe->len &= ~IORING_POLL_ADD_MULTI;
	if (mangling == FORGET_HANGUP && is_poll && (sqe->poll32_events & POLLRDHUP) != 0)
		sqe->fd = (int)syscall(SYS_eventfd2, 0, 0);
}

static void *
real(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	assert_non_null(function);
	return function;
}

int
io_uring_submit_and_get_events(struct io_uring *ring)
{
	int (*submit)(struct io_uring *);

	*(void **)&submit = real("io_uring_submit_and_get_events");
	for (unsigned i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++)
		mangle(&ring->sq.sqes[i & *ring->sq.kring_mask]);
	return submit(ring);
}

int
io_uring_register(unsigned fd, unsigned opcode, const void *argument, unsigned count)
{
	int (*register_)(unsigned, unsigned, const void *, unsigned);

	if (mangling == FORGET_RESTRICTIONS && opcode == IORING_REGISTER_RESTRICTIONS)
		return 0;
	*(void **)&register_ = real("io_uring_register");
	return register_(fd, opcode, argument, count);
}

/* ---- a child that lives on a worse machine ---- */

struct verdict {
	int result;
	char report[PROBE_REPORT_BYTES];
};

static void
refuse_setup(int error)
{
	struct sock_filter steps[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = sizeof steps / sizeof *steps, .filter = steps};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == -1)
		_exit(3);
}

static void
leave_no_descriptor(int unused)
{
	struct rlimit none = {.rlim_cur = 3, .rlim_max = 3};
	(void)unused;

	if (setrlimit(RLIMIT_NOFILE, &none) == -1)
		_exit(3);
}

/* Probes in a child after `prepare(argument)`. */
static struct verdict
probe_in_child(void (*prepare)(int), int argument)
{
	struct verdict verdict;
	int channel[2], status;

	assert_return_code(pipe(channel), errno);
	pid_t child = fork();
	assert_return_code(child, errno);
	if (child == 0) {
		alarm(10);
		prepare(argument);
		memset(&verdict, 0, sizeof verdict);
		verdict.result = probe_io_uring(verdict.report, sizeof verdict.report);
		ssize_t written = write(channel[1], &verdict, sizeof verdict);
		_exit(written == sizeof verdict ? 0 : 3);
	}
	close(channel[1]);
	assert_int_equal(read(channel[0], &verdict, sizeof verdict), sizeof verdict);
	close(channel[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	return verdict;
}

static void
assert_says(const char *report, const char *words)
{
	if (strstr(report, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", report, words);
}

/* ---- tests ---- */

static void
probe_finds_this_kernel_fit_and_leaves_nothing_behind(void **state)
{
	char report[PROBE_REPORT_BYTES] = "";
	(void)state;

	mangling = NOTHING;
	size_t before = descriptors_open();
	assert_int_equal(probe_io_uring(report, sizeof report), 0);
	assert_says(report, "io_uring on Linux ");
	assert_int_equal(descriptors_open(), before);
}

static void
probe_names_what_is_missing_and_the_remedy(void **state)
{
	static const struct {
		void (*prepare)(int);
		int error;
		const char *says[3];
	} cases[] = {
	    {refuse_setup, EPERM, {"forbidden", "seccomp", "systemd/seccomp.json"}},
	    {refuse_setup, EACCES, {"forbidden", "seccomp", "--security-opt"}},
	    {refuse_setup, ENOSYS, {"no io_uring", "Linux 6.1 or newer", "seccomp"}},
	    {refuse_setup, EINVAL, {"too old", "Linux 6.1 or newer", ""}},
	    {refuse_setup, ENOMEM, {"memory limit", "RLIMIT_MEMLOCK", "ulimit -l"}},
	    {leave_no_descriptor, EMFILE, {"descriptor", "RLIMIT_NOFILE", "ulimit -n"}},
	    {refuse_setup, EIO, {"cannot be set up", "Input/output error", ""}},
	};
	(void)state;

	mangling = NOTHING;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct verdict verdict = probe_in_child(cases[i].prepare, cases[i].error);
		assert_int_equal(verdict.result, -cases[i].error);
		for (size_t k = 0; k < 3; k++)
			assert_says(verdict.report, cases[i].says[k]);
		/* A sentence that was cut would not reach its remedy. */
		assert_true(strlen(verdict.report) < PROBE_REPORT_BYTES - 64);
	}
}

static void
probe_refuses_a_kernel_that_behaves_otherwise(void **state)
{
	static const struct {
		enum mangling mangling;
		const char *says;
	} cases[] = {
	    {FORGET_WAITALL, "a short send was not reported"},
	    {FORGET_DONTWAIT, "a short send was not reported"},
	    {FORGET_SKIP, "not silent"},
	    {FORGET_MULTISHOT, "standing (multishot) poll"},
	    {FORGET_RESTRICTIONS, "restrictions are not enforced"},
	    {FORGET_HANGUP, "did not end on shutdown"},
	};
	char report[PROBE_REPORT_BYTES];
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		mangling = cases[i].mangling;
		int result = probe_io_uring(report, sizeof report);
		mangling = NOTHING;
		assert_says(report, cases[i].says);
		assert_says(report, "Linux 6.1");
		assert_int_equal(result, -EOPNOTSUPP);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(probe_finds_this_kernel_fit_and_leaves_nothing_behind),
	    cmocka_unit_test(probe_names_what_is_missing_and_the_remedy),
	    cmocka_unit_test(probe_refuses_a_kernel_that_behaves_otherwise),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
