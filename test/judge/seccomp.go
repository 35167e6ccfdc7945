// SPDX-License-Identifier: Apache-2.0

package main

import "strings"

// needed are the system calls without which a program of Go's, the probe, says nothing.
var needed = strings.Fields(`read write close openat open fstat newfstatat stat lstat lseek mmap mprotect munmap brk madvise mincore
	rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack pread64 pwrite64 ioctl fcntl dup dup2 dup3 pipe2 futex nanosleep
	clock_nanosleep clock_gettime gettimeofday sched_yield sched_getaffinity getpid gettid getppid getuid geteuid getgid getegid
	tgkill kill tkill exit exit_group execve execveat clone clone3 vfork fork wait4 waitid set_tid_address set_robust_list rseq
	arch_prctl prlimit64 getrlimit setrlimit getrandom uname epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 eventfd2 statfs
	fstatfs getdents64 readlinkat readlink faccessat faccessat2 fchdir chdir getcwd poll ppoll restart_syscall setitimer
	timer_create timer_settime timer_delete pidfd_open pidfd_send_signal close_range umask write writev readv sched_setaffinity
	prctl capget socket connect sendto recvfrom sendmsg recvmsg`)

// credentialCalls are those that a runtime drops root with, and those that get it back.
var credentialCalls = strings.Fields(`setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups getgroups
	getresuid getresgid capset capget prctl setuid32 setgid32 setresuid32 setgroups32 getuid geteuid`)

// spaceCalls lead into namespaces.
var spaceCalls = []string{"clone", "clone3", "unshare", "setns"}

var otherCalls = strings.Fields(`mount umount2 chroot pivot_root ptrace keyctl add_key bpf perf_event_open swapon reboot chown fchown
	chmod mknod mknodat personality no_such_call socketcall modify_ldt io_uring_setup quotactl open_by_handle_at`)

// seccomp is a profile, or nil for none.
func (g *generator) seccomp() any {
	switch {
	case g.of(0.5) || g.bare && g.of(0.5):
		return nil
	case g.of(0.03):
		return raw("null")
	case g.of(0.02):
		return obj()
	}
	s := obj()
	if g.of(0.6) {
		s.set("architectures", pick(g, list{"SCMP_ARCH_X86_64"}, list{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"},
			list{"SCMP_ARCH_X86"}, list{"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"}, list{}))
	}
	if g.of(0.04) {
		s.set("flags", pick(g, list{"SECCOMP_FILTER_FLAG_LOG"}, list{"SECCOMP_FILTER_FLAG_SPEC_ALLOW"},
			list{"SECCOMP_FILTER_FLAG_TSYNC"}, list{}, list{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"}))
	}
	if g.of(0.45) {
		s.set("defaultAction", pick(g, "SCMP_ACT_ALLOW", "SCMP_ACT_ALLOW", "SCMP_ACT_LOG"))
		for g.of(0.75) {
			s.append("syscalls", g.deny())
		}
		if g.of(0.3) {
			s.append("syscalls", g.spaces()...)
		}
		return s
	}
	s.set("defaultAction", pick(g, "SCMP_ACT_ERRNO", "SCMP_ACT_ERRNO", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL",
		"SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"))
	if s.get("defaultAction") == "SCMP_ACT_ERRNO" && g.of(0.4) {
		s.set("defaultErrnoRet", pick(g, 1, 38, 0))
	}
	rules := list{}
	has := list{}
	for _, n := range needed {
		if g.of(0.998) {
			has = append(has, n)
		}
	}
	for _, n := range append(append([]string{}, credentialCalls...), otherCalls...) {
		if g.of(0.5) {
			has = append(has, n)
		}
	}
	for _, n := range spaceCalls {
		if g.of(0.3) {
			has = append(has, n)
		}
	}
	rules = append(rules, obj("names", has, "action", pick(g, "SCMP_ACT_ALLOW", "SCMP_ACT_ALLOW", "SCMP_ACT_LOG")))
	if g.of(0.7) {
		rules = append(rules, g.spaces()...)
	}
	for g.of(0.3) {
		rules = append(rules, g.deny())
	}
	g.Shuffle(len(rules), func(i, j int) { rules[i], rules[j] = rules[j], rules[i] })
	s.set("syscalls", rules)
	return s
}

// deny answers some calls otherwise than the kernel would: also with success that was none.
func (g *generator) deny() *object {
	from := append(append([]string{}, credentialCalls...), otherCalls...)
	calls := list{}
	for range 1 + g.IntN(4) {
		calls = append(calls, pick(g, from...))
	}
	r := obj("names", calls, "action", "SCMP_ACT_ERRNO")
	switch {
	case g.of(0.5):
		r.set("errnoRet", pick(g, 0, 0, 0, 1, 38))
	case g.of(0.1):
		r.set("action", pick(g, "SCMP_ACT_LOG", "SCMP_ACT_ALLOW", "SCMP_ACT_TRACE", "SCMP_ACT_KILL_THREAD"))
	case g.of(0.03):
		r.set("action", "SCMP_ACT_NOTIFY")
	}
	if g.of(0.2) {
		r.set("args", list{g.argument(0)})
	}
	return r
}

// spaces are rules on the ways into namespaces, as engines have them and as nobody has them.
func (g *generator) spaces() []any {
	var all []any
	for _, name := range spaceCalls {
		if g.of(0.4) {
			continue
		}
		r := obj("names", list{name}, "action", pick(g, "SCMP_ACT_ALLOW", "SCMP_ACT_ALLOW", "SCMP_ACT_ALLOW",
			"SCMP_ACT_ERRNO", "SCMP_ACT_LOG"))
		if r.get("action") == "SCMP_ACT_ERRNO" {
			r.set("errnoRet", pick(g, 1, 38, 0))
		}
		switch {
		case name == "clone3": // it has no argument that a filter could read
		case g.of(0.4):
			r.set("args", list{obj("index", 0, "value", 2114060288, "valueTwo", 0, "op",
				"SCMP_CMP_MASKED_EQ")}) // as Docker has it
		case g.of(0.4):
			args := list{}
			for i := range 1 + g.IntN(2) {
				args = append(args, g.argument(i))
			}
			r.set("args", args)
		}
		all = append(all, r)
	}
	return all
}

func (g *generator) argument(index int) *object {
	const newUser = 0x10000000
	a := obj("index", index, "value", pick[any](g, 0, 1, newUser, newUser|17, 2114060288, raw("18446744073709551615"),
		1<<32),
		"op", pick(g, "SCMP_CMP_EQ", "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_GE", "SCMP_CMP_GT",
			"SCMP_CMP_MASKED_EQ"))
	if g.of(0.5) {
		a.set("valueTwo", pick[any](g, 0, newUser, 17))
	}
	return a
}
