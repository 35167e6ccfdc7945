// SPDX-License-Identifier: Apache-2.0

package main

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call32 makes a system call by the 32-bit entry, int $0x80, and returns what the kernel left in EAX.
func call32(number, a, b uintptr) int32

// Numbers of the 32-bit table (Linux, arch/x86/entry/syscalls/syscall_32.tbl).
const (
	clone32   = 120
	unshare32 = 310
	setns32   = 346
	clone332  = 435
)

// x32 marks a number of the third table.
const x32 = 0x40000000

// foreign tries the two other system call tables of the same kernel: a filter for 64 bits alone misses them. A kernel
// built without a table says ENOSYS.
func foreign() map[string]string {
	fd, err := unix.Open("/proc/self/ns/user", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	const newUser = unix.CLONE_NEWUSER
	answers := map[string]string{}
	for name, c := range map[string]struct {
		number32, number uintptr
		a, b             uintptr
		makes            bool // a process
	}{
		"unshare": {unshare32, unix.SYS_UNSHARE, newUser, 0, false},
		"clone":   {clone32, unix.SYS_CLONE, newUser | uintptr(unix.SIGCHLD), 0, true},
		"clone3":  {clone332, unix.SYS_CLONE3, uintptr(unsafe.Pointer(&lowArgs)), unsafe.Sizeof(cloneArgs{}), true},
		"setns":   {setns32, unix.SYS_SETNS, uintptr(fd), newUser, false},
	} {
		// A kernel without the entry leaves nothing to be filtered: no answer.
		if pid, errno := apart(true, c.number32, c.a, c.b, c.makes); errno != 0 {
			answers[name+"-i386"] = forked(pid, errno)
		} else if errno := reap(pid); errno != faulted {
			answers[name+"-i386"] = answer(errno)
		}
		answers[name+"-x32"] = forked(apart(false, c.number|x32, c.a, c.b, c.makes))
	}
	return answers
}

// apart makes a call in a process of its own. Where the call itself makes one more, that one ends at once.
//
// The child must not come to a place where Go's scheduler may step in, as there is none in it: nosplit leaves them out.
//
//go:nosplit
func apart(by32 bool, number, a, b uintptr, makes bool) (pid uintptr, errno syscall.Errno) {
	pid, _, errno = syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return pid, errno
	}
	var result uintptr
	if by32 {
		// The Go runtime's own handler would write a trace, and end the process with a status that is an answer.
		syscall.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGSEGV), uintptr(unsafe.Pointer(&byDefault)), 0, 8, 0, 0)
		got := call32(number, a, b)
		result = uintptr(got)
		if got < 0 {
			errno = syscall.Errno(-got)
		}
	} else {
		result, _, errno = syscall.RawSyscall6(number, a, b, 0, 0, 0, 0)
	}
	if makes && errno == 0 && result == 0 {
		exit(0)
	}
	exit(errno)
	return 0, 0
}

// byDefault is the kernel's struct sigaction without a handler (sigaction(2), "C library/kernel differences").
var byDefault [4]uint64

// lowArgs are clone3's arguments where 32 bits are enough to point at them: a static program's data lies low.
var lowArgs = cloneArgs{flags: unix.CLONE_NEWUSER, exitSignal: uint64(unix.SIGCHLD)}
