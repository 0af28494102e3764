/*
 * sandbox.c: a seccomp filter written out by hand, from the table below. Called once by the
 * worker's start; nothing here holds between calls.
 *
 *   architecture is ours?  no -> EPERM (32-bit calls have numbers of their own; x32 matches none)
 *   for each rule: number? no -> next rule
 *                  yes -> argument as it must be? ALLOW : EPERM
 *   EPERM
 *
 * A rule without a condition costs nothing at run time: the kernel notes at installation that such
 * a call is always allowed, and skips the filter.
 */
#include "worker/sandbox.h"

#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "worker/sandbox.c knows x86-64 and aarch64"
#endif

/* The one place that knows of sanitizer builds: their run-time opens files and maps code. */
#ifdef SANITIZED
#define AVAILABLE false
#else
#define AVAILABLE true
#endif

enum condition {
	ALWAYS,     /* any arguments */
	IS,         /* the argument is `value`, all 64 bits of it */
	BITS_CLEAR, /* the argument has no bit of `value` set */
	OWN_PID,    /* the argument is this process */
};

enum user { BOTH, URING, EPOLL };

struct rule {
	enum user user; /* which of the seam's backends needs it */
	uint32_t number;
	enum condition condition;
	uint32_t argument;
	uint32_t value;
};

static const struct rule rules[] = {
    /* a turn */
    {URING, __NR_io_uring_enter, ALWAYS, 0, 0},
    {EPOLL, __NR_epoll_ctl, ALWAYS, 0, 0},
    {EPOLL, __NR_epoll_pwait, ALWAYS, 0, 0},
    {BOTH, __NR_recvfrom, ALWAYS, 0, 0},
    {BOTH, __NR_recvmsg, ALWAYS, 0, 0},
    {BOTH, __NR_sendto, IS, 4, 0}, /* no address: MSG_FASTOPEN to one would connect */
    {BOTH, __NR_sendmsg, ALWAYS, 0, 0},
    {BOTH, __NR_shutdown, ALWAYS, 0, 0},
    {BOTH, __NR_close, ALWAYS, 0, 0},
    {BOTH, __NR_clock_gettime, ALWAYS, 0, 0}, /* where the vDSO has no clock */
    {BOTH, __NR_getpeername, ALWAYS, 0, 0},
    {BOTH, __NR_getsockname, ALWAYS, 0, 0},
    {BOTH, __NR_getsockopt, ALWAYS, 0, 0},
    {BOTH, __NR_setsockopt, IS, 1, IPPROTO_TCP},
    {BOTH, __NR_ioctl, IS, 1, SIOCOUTQ},
    /* the doorbell and the log */
    {BOTH, __NR_write, ALWAYS, 0, 0},
    {BOTH, __NR_writev, ALWAYS, 0, 0},
    /* memory, never executable */
    {BOTH, __NR_brk, ALWAYS, 0, 0},
    {BOTH, __NR_mmap, BITS_CLEAR, 2, PROT_EXEC},
    {BOTH, __NR_mprotect, BITS_CLEAR, 2, PROT_EXEC},
    {BOTH, __NR_munmap, ALWAYS, 0, 0},
    {BOTH, __NR_mremap, ALWAYS, 0, 0},
    {BOTH, __NR_madvise, ALWAYS, 0, 0},
    /* the C library, signals, the end */
    {BOTH, __NR_futex, ALWAYS, 0, 0},
    {BOTH, __NR_getrandom, ALWAYS, 0, 0},
    {BOTH, __NR_getpid, ALWAYS, 0, 0},
    {BOTH, __NR_gettid, ALWAYS, 0, 0},
    {BOTH, __NR_tgkill, OWN_PID, 0, 0}, /* abort() */
    {BOTH, __NR_rt_sigprocmask, ALWAYS, 0, 0},
    {BOTH, __NR_rt_sigreturn, ALWAYS, 0, 0},
    {BOTH, __NR_sigaltstack, ALWAYS, 0, 0},
    {BOTH, __NR_restart_syscall, ALWAYS, 0, 0},
    {BOTH, __NR_exit, ALWAYS, 0, 0},
    {BOTH, __NR_exit_group, ALWAYS, 0, 0},
};

#define RULES (sizeof rules / sizeof *rules)
#define RULE_STEPS_MAX 7
#define STEPS_MAX (4 + RULES * RULE_STEPS_MAX + 1)
#define ALLOW SECCOMP_RET_ALLOW
#define REFUSE (SECCOMP_RET_ERRNO | (EPERM & SECCOMP_RET_DATA))

static_assert(STEPS_MAX < BPF_MAXINSNS, "the kernel takes no longer filter");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "an argument's low word comes first");

struct program {
	unsigned short steps;
	size_t rules;
	struct sock_filter step[STEPS_MAX];
};

static void
load(struct program *program, size_t offset)
{
	assert(program->steps < STEPS_MAX);
	program->step[program->steps++] =
	    (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

/* Skips `if_true` or `if_false` steps; `test` is BPF_JEQ or BPF_JSET. */
static void
jump(struct program *program, uint16_t test, uint32_t value, uint8_t if_true, uint8_t if_false)
{
	assert(program->steps < STEPS_MAX);
	program->step[program->steps++] = (struct sock_filter)BPF_JUMP(
	    (uint16_t)(BPF_JMP | test | BPF_K), value, if_true, if_false);
}

static void
answer(struct program *program, uint32_t action)
{
	assert(program->steps < STEPS_MAX);
	program->step[program->steps++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
}

/* One rule. The accumulator holds the call's number, and still does where the rule is another's. */
static void
add_rule(struct program *program, const struct rule *rule)
{
	size_t low = offsetof(struct seccomp_data, args) + rule->argument * sizeof(uint64_t);
	uint32_t value = rule->value;

	switch (rule->condition) {
	case ALWAYS:
		jump(program, BPF_JEQ, rule->number, 0, 1);
		answer(program, ALLOW);
		return;
	case BITS_CLEAR:
		jump(program, BPF_JEQ, rule->number, 0, 4);
		load(program, low);
		jump(program, BPF_JSET, value, 1, 0);
		answer(program, ALLOW);
		answer(program, REFUSE);
		return;
	case OWN_PID:
		value = (uint32_t)getpid();
		break;
	case IS:
		break;
	}
	jump(program, BPF_JEQ, rule->number, 0, 6);
	load(program, low);
	jump(program, BPF_JEQ, value, 0, 3);
	load(program, low + sizeof(uint32_t));
	jump(program, BPF_JEQ, 0, 0, 1);
	answer(program, ALLOW);
	answer(program, REFUSE);
}

static void
build(struct program *program, enum user user)
{
	program->steps = 0;
	program->rules = 0;
	load(program, offsetof(struct seccomp_data, arch));
	jump(program, BPF_JEQ, ARCHITECTURE, 1, 0);
	answer(program, REFUSE);
	load(program, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < RULES; i++) {
		if (rules[i].user != BOTH && rules[i].user != user)
			continue;
		add_rule(program, &rules[i]);
		program->rules++;
	}
	answer(program, REFUSE);
}

bool
sandbox_available(void)
{
	return AVAILABLE;
}

int
sandbox_enter(enum sandbox_io io, char *report, size_t report_size)
{
	struct program program;
	const char *what;

	if (!sandbox_available()) {
		snprintf(report, report_size, "sandbox off: this is a build for sanitizers");
		return 0;
	}
	build(&program, io == SANDBOX_EPOLL ? EPOLL : URING);
	struct sock_fprog filter = {.len = program.steps, .filter = program.step};
	what = "PR_SET_DUMPABLE";
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		goto fail;
	what = "PR_SET_NO_NEW_PRIVS";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		goto fail;
	/* All threads at once, so that one which a library started is not left outside. */
	what = "seccomp";
	long result =
	    syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
	if (result == -1)
		goto fail;
	if (result > 0) {
		snprintf(
		    report, report_size, "sandbox: thread %ld has a filter of its own", result);
		return -EBUSY;
	}
	snprintf(report, report_size, "sandbox on: %zu system calls allowed", program.rules);
	return 0;

fail:;
	int error = errno;
	snprintf(report, report_size, "sandbox: %s: %s", what, strerror(error));
	return -error;
}
