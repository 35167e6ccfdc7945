// SPDX-License-Identifier: Apache-2.0

package main

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// unshare32 calls unshare by the 32-bit entry, int $0x80, and returns what the kernel left in EAX.
func unshare32(flags uintptr) int32

// foreign tries the two other system call tables of the same kernel: a filter for 64 bits alone misses them. A kernel
// built without a table says ENOSYS.
func foreign() map[string]syscall.Errno {
	answers := map[string]syscall.Errno{}
	try := func(name string, call func() syscall.Errno) {
		pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if errno != 0 {
			answers[name] = errno
			return
		}
		if pid == 0 {
			exit(call())
		}
		answers[name] = reap(pid)
	}
	const x32 = 0x40000000
	try("unshare-i386", func() syscall.Errno { return syscall.Errno(-unshare32(unix.CLONE_NEWUSER)) })
	try("unshare-x32", func() syscall.Errno {
		_, _, errno := syscall.RawSyscall(unix.SYS_UNSHARE|x32, unix.CLONE_NEWUSER, 0, 0)
		return errno
	})
	return answers
}
