// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// denyUserNamespaces installs a seccomp filter in this process, which the next runtime and the programs that it execs
// inherit. A container that nonroot-runc did not create has a profile that was not narrowed, or none, and an exec can't
// be given another one: runtimes take it from the container (SECURITY.md B1, D8). The filter keeps every process from
// creating a user namespace. Unlike a profile in config.json, it allows setns(2), as the runtime needs it to join the
// container.
//
// Filters belong to threads until execve, so this thread must be the one that calls it. An ordinary user who is not
// root in a user namespace yet may install none, and can only reach their own containers anyway.
func denyUserNamespaces() error {
	filter, err := userNamespaceFilter(runtime.GOARCH)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}                                                       // #nosec G115 -- a few dozen
	_, _, errno := unix.Syscall(unix.SYS_PRCTL, unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog))) // #nosec G103 -- the kernel reads a program of that length
	if errno == unix.EACCES && os.Geteuid() != 0 {
		return nil
	}
	if errno != 0 {
		return wrap(errno, "set a seccomp filter against user namespaces")
	}
	return nil
}

// callTable has the numbers of the system calls that create a user namespace, in one of the kernel's tables.
type callTable struct {
	arch                   uint32 // of struct seccomp_data (seccomp(2))
	clone, unshare, clone3 uint32
	cloneFlags             uint32 // which argument of clone holds the flags (clone(2), "C library/kernel differences")
}

// callTables returns the tables that the kernel of a GOARCH supports (Linux, the tables of arch/*; clone3 has one
// number everywhere). It is a function because a map variable would be built at each start.
func callTables() map[string][]callTable {
	return map[string][]callTable{
		"amd64":   {{unix.AUDIT_ARCH_X86_64, 56, 272, 435, 0}, {unix.AUDIT_ARCH_I386, 120, 310, 435, 0}},
		"arm64":   {{unix.AUDIT_ARCH_AARCH64, 220, 97, 435, 0}, {unix.AUDIT_ARCH_ARM, 120, 337, 435, 0}},
		"ppc64le": {{unix.AUDIT_ARCH_PPC64LE, 120, 282, 435, 0}},
		"riscv64": {{unix.AUDIT_ARCH_RISCV64, 220, 97, 435, 0}},
		"s390x":   {{unix.AUDIT_ARCH_S390X, 120, 303, 435, 1}, {unix.AUDIT_ARCH_S390, 120, 303, 435, 1}},
	}
}

// x32 marks the system calls of amd64's third table, which have the same numbers (asm/unistd.h, __X32_SYSCALL_BIT).
const x32 = 0x40000000

// The filter's results, and the offsets in struct seccomp_data that it reads (seccomp(2)).
const (
	denied   = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	unknown  = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	dataNr   = 0
	dataArch = 4
	dataArgs = 16
)

// userNamespaceFilter returns the filter's program. clone3's flags are in memory, which a filter can't read: the call
// fails as on a kernel that doesn't know it, and so does every call of an unknown table.
func userNamespaceFilter(goarch string) ([]unix.SockFilter, error) {
	tables := callTables()[goarch]
	if len(tables) == 0 {
		return nil, fmt.Errorf("no seccomp filter against user namespaces is known for the processor %q", goarch)
	}
	const (
		load      = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		and       = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
		isEqual   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		hasBits   = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		answer    = unix.BPF_RET | unix.BPF_K
		isAllowed = unix.SECCOMP_RET_ALLOW
	)
	low := func(arg uint32) uint32 { // the half of an argument that has the flags
		if goarch == "s390x" { // big-endian
			return dataArgs + 8*arg + 4
		}
		return dataArgs + 8*arg
	}
	f := []unix.SockFilter{{Code: load, K: dataArch}}
	for _, t := range tables {
		f = append(f, []unix.SockFilter{
			{Code: isEqual, K: t.arch, Jf: 13}, // otherwise continue with the next table
			{Code: load, K: dataNr},
			{Code: and, K: ^uint32(x32)},
			{Code: isEqual, K: t.clone3, Jt: 8},
			{Code: isEqual, K: t.unshare, Jt: 2},
			{Code: isEqual, K: t.clone, Jt: 3},
			{Code: answer, K: isAllowed},
			{Code: load, K: low(0)},
			{Code: hasBits, K: unix.CLONE_NEWUSER, Jt: 4, Jf: 2},
			{Code: load, K: low(t.cloneFlags)},
			{Code: hasBits, K: unix.CLONE_NEWUSER, Jt: 2},
			{Code: answer, K: isAllowed},
			{Code: answer, K: unknown},
			{Code: answer, K: denied},
		}...)
	}
	return append(f, unix.SockFilter{Code: answer, K: unknown}), nil
}
