/*
 * seccomp_run.c: runs a program under a container's seccomp profile, where there is no container.
 *
 *   seccomp_run [--deny-io-uring] PROFILE.json PROGRAM ARGUMENT...
 *   seccomp_run --check PROFILE.json
 *
 * Turns the profile into the filter that a container runtime would install, as far as ringcast's
 * own profile goes: actions ALLOW and ERRNO, the comparisons EQ and MASKED_EQ, one condition a
 * rule; anything else in a profile is an error, not something passed over. Rules for one system
 * call are tried in their order. --deny-io-uring refuses io_uring before all of them, as Docker's
 * default profile does. --check only reads the profile, and complains about names that this
 * architecture does not have: they would be misspelled, because a runtime passes over them in
 * silence.
 *
 * Exit status: the program's; 125 if the profile is bad or cannot be installed, 127 if the program
 * cannot be run.
 */
#include <errno.h>
#include <jansson.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "seccomp_run.c knows x86-64 and aarch64"
#endif

#define EXIT_PROFILE 125
#define EXIT_PROGRAM 127
#define STEPS_MAX 2048
#define STEPS_PER_RULE 8

/*
 * Every system call of this architecture; the table is made from the kernel's header by the
 * makefile.
 */
static const struct {
	const char *name;
	uint32_t number;
} calls[] = {
#include "tests/systemd/syscalls.inc"
};

struct program {
	unsigned short steps;
	struct sock_filter step[STEPS_MAX];
	unsigned unknown; /* names in the profile that this architecture does not have */
	bool check;
};

static bool
complain(const char *what, const char *detail)
{
	fprintf(stderr, "seccomp_run: %s%s%s\n", what, detail[0] != '\0' ? ": " : "", detail);
	return false;
}

static void
statement(struct program *program, uint16_t code, uint32_t value)
{
	program->step[program->steps++] = (struct sock_filter)BPF_STMT(code, value);
}

/* Goes on if the accumulator is `value`, else skips `otherwise` steps. */
static void
expect(struct program *program, uint32_t value, uint8_t otherwise)
{
	program->step[program->steps++] =
	    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, otherwise);
}

/* `word` 0 is the low half, on little-endian machines. */
static void
load_argument(struct program *program, uint32_t index, uint32_t word)
{
	size_t offset = offsetof(struct seccomp_data, args) + index * sizeof(uint64_t) +
			word * sizeof(uint32_t);

	statement(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

/*
 * One call, with a condition on one argument or none. The call's number is loaded anew each time.
 */
static bool
add_call(struct program *program, uint32_t number, uint32_t action, const json_t *condition)
{
	if (program->steps + 2 * STEPS_PER_RULE > STEPS_MAX)
		return complain("the profile is too long", "");
	statement(program, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	if (condition == NULL) {
		expect(program, number, 1);
		statement(program, BPF_RET | BPF_K, action);
		return true;
	}
	const char *op = json_string_value(json_object_get(condition, "op"));
	uint32_t index = (uint32_t)json_integer_value(json_object_get(condition, "index"));
	uint64_t value = (uint64_t)json_integer_value(json_object_get(condition, "value"));
	uint64_t wanted = value, mask = UINT64_MAX;
	if (op != NULL && strcmp(op, "SCMP_CMP_MASKED_EQ") == 0) {
		mask = value;
		wanted = (uint64_t)json_integer_value(json_object_get(condition, "valueTwo"));
	} else if (op == NULL || strcmp(op, "SCMP_CMP_EQ") != 0) {
		return complain("comparison not supported", op != NULL ? op : "none");
	}
	if (index > 5)
		return complain("no such argument", "");
	expect(program, number, 7);
	for (uint32_t word = 0; word < 2; word++) {
		load_argument(program, index, word);
		statement(program, BPF_ALU | BPF_AND | BPF_K, (uint32_t)(mask >> word * 32));
		expect(program, (uint32_t)(wanted >> word * 32), word == 0 ? 4 : 1);
	}
	statement(program, BPF_RET | BPF_K, action);
	return true;
}

static bool
add_name(struct program *program, const char *name, uint32_t action, const json_t *condition)
{
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		if (strcmp(calls[i].name, name) == 0)
			return add_call(program, calls[i].number, action, condition);
	}
	if (program->check)
		complain("no such system call here", name);
	program->unknown++;
	return true;
}

/* ALLOW or ERRNO, from an object's fields of the names given. */
static bool
read_action(const json_t *object, const char *field, const char *errno_field, uint32_t *action)
{
	const char *text = json_string_value(json_object_get(object, field));
	const json_t *number = json_object_get(object, errno_field);

	if (text != NULL && strcmp(text, "SCMP_ACT_ALLOW") == 0) {
		*action = SECCOMP_RET_ALLOW;
		return true;
	}
	if (text == NULL || strcmp(text, "SCMP_ACT_ERRNO") != 0)
		return complain("action not supported", text != NULL ? text : "none");
	uint32_t error = number != NULL ? (uint32_t)json_integer_value(number) : EPERM;
	*action = SECCOMP_RET_ERRNO | (error & SECCOMP_RET_DATA);
	return true;
}

static bool
add_rule(struct program *program, const json_t *rule)
{
	static const char *const known[] = {"comment", "names", "action", "errnoRet", "args"};
	const json_t *names = json_object_get(rule, "names");
	const json_t *conditions = json_object_get(rule, "args");
	const char *key;
	json_t *value;
	uint32_t action;

	json_object_foreach ((json_t *)(uintptr_t)rule, key, value) {
		bool found = false;
		for (size_t i = 0; i < sizeof known / sizeof *known; i++)
			found |= strcmp(known[i], key) == 0;
		if (!found)
			return complain("field not supported", key);
	}
	if (!read_action(rule, "action", "errnoRet", &action))
		return false;
	if (json_array_size(conditions) > 1)
		return complain("more than one condition in a rule", "");
	if (json_array_size(names) == 0)
		return complain("a rule without names", "");
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		if (name == NULL)
			return complain("a name that is no string", "");
		if (!add_name(program, name, action, json_array_get(conditions, 0)))
			return false;
	}
	return true;
}

static bool
build(struct program *program, const json_t *profile, bool deny_io_uring)
{
	static const uint32_t io_uring[] = {
	    __NR_io_uring_setup, __NR_io_uring_enter, __NR_io_uring_register};
	const json_t *rules = json_object_get(profile, "syscalls");
	uint32_t otherwise;

	if (!read_action(profile, "defaultAction", "defaultErrnoRet", &otherwise))
		return false;
	statement(program, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	program->step[program->steps++] =
	    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
	statement(program, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	for (size_t i = 0; deny_io_uring && i < sizeof io_uring / sizeof *io_uring; i++)
		add_call(program, io_uring[i], SECCOMP_RET_ERRNO | EPERM, NULL);
	if (json_array_size(rules) == 0)
		return complain("a profile without rules", "");
	for (size_t i = 0; i < json_array_size(rules); i++) {
		if (!add_rule(program, json_array_get(rules, i)))
			return false;
	}
	statement(program, BPF_RET | BPF_K, otherwise);
	return true;
}

static int
usage(void)
{
	fprintf(stderr, "usage: seccomp_run [--deny-io-uring] PROFILE.json PROGRAM ARGUMENT...\n"
			"       seccomp_run --check PROFILE.json\n");
	return EXIT_PROFILE;
}

int
main(int argc, char *argv[])
{
	struct program program = {0};
	bool deny_io_uring = false;
	json_error_t error;
	int next = 1;

	for (; next < argc && strncmp(argv[next], "--", 2) == 0; next++) {
		if (strcmp(argv[next], "--deny-io-uring") == 0)
			deny_io_uring = true;
		else if (strcmp(argv[next], "--check") == 0)
			program.check = true;
		else
			return usage();
	}
	if (argc - next < (program.check ? 1 : 2))
		return usage();
	json_t *profile = json_load_file(argv[next], JSON_REJECT_DUPLICATES, &error);
	if (profile == NULL) {
		fprintf(stderr, "seccomp_run: %s:%d: %s\n", argv[next], error.line, error.text);
		return EXIT_PROFILE;
	}
	bool built = build(&program, profile, deny_io_uring);
	json_decref(profile);
	if (!built)
		return EXIT_PROFILE;
	if (program.check)
		return program.unknown > 0 ? EXIT_PROFILE : 0;
	struct sock_fprog filter = {.len = program.steps, .filter = program.step};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == -1) {
		fprintf(
		    stderr, "seccomp_run: the filter cannot be installed: %s\n", strerror(errno));
		return EXIT_PROFILE;
	}
	execvp(argv[next + 1], argv + next + 1);
	fprintf(stderr, "seccomp_run: %s: %s\n", argv[next + 1], strerror(errno));
	return EXIT_PROGRAM;
}
