// SPDX-License-Identifier: Apache-2.0
//
// sim: says what real libseccomp makes of seccomp profiles. Rules that look right one by one can compile to jumps that
// leave a hole, so internal/spec/libseccomp_test.go asks this program instead of a model.
//
// It reads lines from standard input. First the system calls to try, the same for every profile:
//
//	probe ARCH CALL ARG...            up to six arguments; ARCH is x86_64, x86 or x32
//
// then any number of profiles, with one rule a line for each name:
//
//	profile NAME ACTION ERRNO OPTIMIZE   the default action; OPTIMIZE is "runc" or "crun", see build
//	arch ARCH
//	rule CALL ACTION ERRNO [INDEX OP VALUE VALUETWO]...
//	end
//
// and writes one line for each profile:
//
//	NAME ok ANSWER...     one for each probe: A(llow), L(og), T(race), E(rrno) with its number, S (trap), K(ill), P
//	NAME fails WHY        it does not load
//	NAME dies WHY         libseccomp crashed, or needed more than SECONDS of time or MEMORY
//
// A profile is tried in a process of its own, because of the last.

#include <errno.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	SECONDS = 5,
	MEMORY = 1 << 30,
	MAX_PROBES = 4096,
	MAX_RULES = 4096,
	MAX_ARGS = 16,
	MAX_ARCHS = 8,
};

struct rule {
	char call[64];
	uint32_t action;
	unsigned count;
	struct scmp_arg_cmp args[MAX_ARGS];
};

struct profile {
	char name[64];
	uint32_t action;
	bool optimize;
	unsigned archs, rules;
	uint32_t arch[MAX_ARCHS];
	struct rule rule[MAX_RULES];
};

static struct seccomp_data probes[MAX_PROBES];
static unsigned probe_count;
static struct profile profile;

// broken ends the program: its input comes from a test, so a mistake in it is a mistake in the test.
static void broken(const char *what, const char *line)
{
	fprintf(stderr, "sim: %s: %s\n", what, line);
	exit(2);
}

static uint32_t action_of(const char *name, unsigned number)
{
	if (strcmp(name, "SCMP_ACT_ALLOW") == 0)
		return SCMP_ACT_ALLOW;
	if (strcmp(name, "SCMP_ACT_LOG") == 0)
		return SCMP_ACT_LOG;
	if (strcmp(name, "SCMP_ACT_TRACE") == 0)
		return SCMP_ACT_TRACE(number);
	if (strcmp(name, "SCMP_ACT_ERRNO") == 0)
		return SCMP_ACT_ERRNO(number);
	if (strcmp(name, "SCMP_ACT_TRAP") == 0)
		return SCMP_ACT_TRAP;
	if (strcmp(name, "SCMP_ACT_KILL") == 0 || strcmp(name, "SCMP_ACT_KILL_THREAD") == 0)
		return SCMP_ACT_KILL_THREAD;
	if (strcmp(name, "SCMP_ACT_KILL_PROCESS") == 0)
		return SCMP_ACT_KILL_PROCESS;
	broken("no such action", name);
	return 0;
}

static enum scmp_compare op_of(const char *name)
{
	static const struct {
		const char *name;
		enum scmp_compare op;
	} ops[] = {
		{"SCMP_CMP_NE", SCMP_CMP_NE}, {"SCMP_CMP_LT", SCMP_CMP_LT}, {"SCMP_CMP_LE", SCMP_CMP_LE},
		{"SCMP_CMP_EQ", SCMP_CMP_EQ}, {"SCMP_CMP_GE", SCMP_CMP_GE}, {"SCMP_CMP_GT", SCMP_CMP_GT},
		{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
	};
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
		if (strcmp(name, ops[i].name) == 0)
			return ops[i].op;
	broken("no such comparison", name);
	return 0;
}

static uint32_t arch_of(const char *name)
{
	uint32_t arch = seccomp_arch_resolve_name(name);
	if (arch != SCMP_ARCH_X86_64 && arch != SCMP_ARCH_X86 && arch != SCMP_ARCH_X32)
		broken("no such architecture", name);
	return arch;
}

static void read_probe(const char *line)
{
	char arch_name[16], call[64];
	int at = 0, step = 0;
	if (probe_count == MAX_PROBES || sscanf(line, "probe %15s %63s%n", arch_name, call, &at) != 2)
		broken("bad probe", line);
	struct seccomp_data *d = &probes[probe_count++];
	uint32_t arch = arch_of(arch_name);
	d->nr = seccomp_syscall_resolve_name_arch(arch, call); // with x32's bit
	if (d->nr < 0)
		broken("no such call", line);
	// The kernel tells x32 from x86_64 by the number alone.
	d->arch = arch == SCMP_ARCH_X86 ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64;
	uint64_t arg;
	for (int i = 0; i < 6 && sscanf(line + at, "%" SCNu64 "%n", &arg, &step) == 1; i++, at += step)
		d->args[i] = arch == SCMP_ARCH_X86 ? (uint32_t)arg : arg;
}

static void read_rule(const char *line)
{
	char action[32], op[32];
	unsigned number;
	int at = 0, step = 0;
	if (profile.rules == MAX_RULES)
		broken("too many rules", line);
	struct rule *r = &profile.rule[profile.rules++];
	if (sscanf(line, "rule %63s %31s %u%n", r->call, action, &number, &at) != 3)
		broken("bad rule", line);
	r->action = action_of(action, number);
	uint64_t value, two;
	unsigned index;
	for (r->count = 0; sscanf(line + at, "%u %31s %" SCNu64 " %" SCNu64 "%n", &index, op, &value, &two, &step) == 4;
	     at += step) {
		if (r->count == MAX_ARGS || index > 5)
			broken("bad condition", line);
		r->args[r->count++] = (struct scmp_arg_cmp){index, op_of(op), value, two};
	}
}

// add_rule is runc's matchCall (libcontainer/seccomp/seccomp_linux.go); crun's libcrun_generate_seccomp does the same.
static int add_rule(scmp_filter_ctx filter, const struct rule *r)
{
	if (r->action == profile.action)
		return 0;
	int call = seccomp_syscall_resolve_name(r->call);
	if (call == __NR_SCMP_ERROR)
		return 0;
	bool repeated = false;
	unsigned seen = 0;
	for (unsigned i = 0; i < r->count; i++) {
		repeated = repeated || seen & 1U << r->args[i].arg;
		seen |= 1U << r->args[i].arg;
	}
	if (!repeated)
		return seccomp_rule_add_array(filter, r->action, call, r->count, r->args);
	for (unsigned i = 0; i < r->count; i++) {
		int err = seccomp_rule_add_array(filter, r->action, call, 1, &r->args[i]);
		if (err != 0)
			return err;
	}
	return 0;
}

// build compiles the profile and gives the number of instructions; below 0: it does not load, and *why says at what.
static int build(struct sock_filter *program, unsigned room, const char **why)
{
	*why = "seccomp_init";
	scmp_filter_ctx filter = seccomp_init(profile.action);
	if (filter == NULL)
		return -EINVAL;
	*why = "seccomp_arch_add";
	for (unsigned i = 0; i < profile.archs; i++) {
		int err = seccomp_arch_add(filter, profile.arch[i]);
		if (err != 0 && err != -EEXIST)
			return err;
	}
	// runc since 1.2 has long profiles laid out as a tree (InitSeccomp); crun and runc 1.1 never.
	*why = "SCMP_FLTATR_CTL_OPTIMIZE";
	if (profile.optimize && profile.rules > 32) {
		int err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
		if (err != 0)
			return err;
	}
	for (unsigned i = 0; i < profile.rules; i++) {
		int err = add_rule(filter, &profile.rule[i]);
		*why = profile.rule[i].call;
		if (err != 0)
			return err;
	}
	*why = "seccomp_export_bpf";
	int fd = memfd_create("bpf", MFD_CLOEXEC);
	int err = fd < 0 ? -errno : seccomp_export_bpf(filter, fd);
	if (err != 0)
		return err;
	ssize_t size = pread(fd, program, room * sizeof *program, 0);
	unsigned count = size < 0 ? 0 : (size_t)size / sizeof *program;
	*why = "the kernel's limit on the length";
	if (count == 0 || count > BPF_MAXINSNS)
		return -EINVAL;
	return (int)count;
}

// run interprets a filter as the kernel does. It ends: the kernel takes no filter that jumps backwards, and here the
// jumps are unsigned.
static uint32_t run(const struct sock_filter *program, unsigned count, const struct seccomp_data *data)
{
	uint32_t a = 0, memory[BPF_MEMWORDS] = {0};
	for (unsigned pc = 0; pc < count; pc++) {
		const struct sock_filter *i = &program[pc];
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (i->k > sizeof *data - sizeof a)
				abort();
			memcpy(&a, (const char *)data + i->k, sizeof a);
			break;
		case BPF_LD | BPF_MEM:
			a = memory[i->k % BPF_MEMWORDS];
			break;
		case BPF_ST:
			memory[i->k % BPF_MEMWORDS] = a;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += (a & i->k) != 0 ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default: // libseccomp writes no other
			abort();
		}
	}
	abort(); // ran off the end
}

static void answer(FILE *out, uint32_t action)
{
	unsigned number = action & SECCOMP_RET_DATA;
	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
		fputs(" A", out);
		return;
	case SECCOMP_RET_LOG:
		fputs(" L", out);
		return;
	case SECCOMP_RET_TRACE:
		fprintf(out, " T%u", number);
		return;
	case SECCOMP_RET_ERRNO:
		fprintf(out, " E%u", number);
		return;
	case SECCOMP_RET_TRAP:
		fputs(" S", out);
		return;
	case SECCOMP_RET_KILL_THREAD:
		fputs(" K", out);
		return;
	case SECCOMP_RET_KILL_PROCESS:
		fputs(" P", out);
		return;
	}
	abort();
}

// try_profile is the life of one profile's process. It writes nothing before it has everything to say.
static void try_profile(void)
{
	setrlimit(RLIMIT_CPU, &(struct rlimit){SECONDS, SECONDS});
	setrlimit(RLIMIT_AS, &(struct rlimit){MEMORY, MEMORY});
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	alarm(20 * SECONDS); // if it sleeps rather than works

	static struct sock_filter program[2 * BPF_MAXINSNS];
	static char text[MAX_PROBES * 8];
	FILE *out = fmemopen(text, sizeof text, "w");
	const char *why;
	int count = build(program, sizeof program / sizeof *program, &why);
	if (count < 0) {
		fprintf(out, "%s fails %s: %s", profile.name, why, strerror(-count));
	} else {
		fprintf(out, "%s ok", profile.name);
		for (unsigned i = 0; i < probe_count; i++)
			answer(out, run(program, (unsigned)count, &probes[i]));
	}
	fputc('\n', out);
	if (fclose(out) != 0)
		abort();
	fputs(text, stdout);
	_exit(fflush(stdout) == 0 ? 0 : 1);
}

static void end_profile(void)
{
	fflush(stdout);
	pid_t child = fork();
	if (child == 0)
		try_profile();
	int status;
	if (child < 0 || waitpid(child, &status, 0) != child)
		broken("no process", strerror(errno));
	if (WIFSIGNALED(status))
		printf("%s dies %s\n", profile.name, strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		broken("the process failed", profile.name);
}

int main(void)
{
	char *line = NULL;
	size_t size = 0;
	while (getline(&line, &size, stdin) > 0) {
		char action[32], word[16];
		unsigned number;
		if (strncmp(line, "probe ", 6) == 0) {
			read_probe(line);
		} else if (sscanf(line, "profile %63s %31s %u %15s", profile.name, action, &number, word) == 4) {
			profile.action = action_of(action, number);
			profile.optimize = strcmp(word, "runc") == 0;
			profile.archs = profile.rules = 0;
		} else if (strncmp(line, "rule ", 5) == 0) {
			read_rule(line);
		} else if (sscanf(line, "arch %15s", word) == 1 && profile.archs < MAX_ARCHS) {
			profile.arch[profile.archs++] = arch_of(word);
		} else if (strcmp(line, "end\n") == 0) {
			end_profile();
		} else {
			broken("bad line", line);
		}
	}
	free(line);
	return ferror(stdin) || fflush(stdout) != 0;
}
