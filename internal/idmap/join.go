// SPDX-License-Identifier: Apache-2.0

package idmap

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ofEmpty reads the maps of a user namespace without processes: containerd 2 creates and pins a pod's before the pod has
// any. A child joins it, and waits while its maps are read. That costs a fork, for such pods only.
func ofEmpty(ns int) (p Pair, err error) {
	var ready, done [2]int
	if err := unix.Pipe2(ready[:], unix.O_CLOEXEC); err != nil {
		return p, err
	}
	defer unix.Close(ready[0])
	if err := unix.Pipe2(done[:], unix.O_CLOEXEC); err != nil {
		_ = unix.Close(ready[1])
		return p, err
	}
	pid, errno := forkInto(ns, ready[1], done)
	_, _ = unix.Close(ready[1]), unix.Close(done[0])
	if errno != 0 {
		_ = unix.Close(done[1])
		return p, fmt.Errorf("make a child to look at it: %w", errno)
	}
	if err = joined(ready[0]); err == nil {
		p, err = Of(strconv.Itoa(pid))
	}
	_ = unix.Close(done[1]) // now the child exits, unless a process in the namespace has stopped it
	_ = unix.Kill(pid, unix.SIGKILL)
	for {
		if _, e := unix.Wait4(pid, nil, 0, nil); !errors.Is(e, unix.EINTR) {
			return p, err
		}
	}
}

// patience is the time limit for the child, in milliseconds. It needs microseconds, but once it is in the namespace, anyone
// there who may send it signals can stop it.
const patience = 10_000

// joined waits for the child's answer.
func joined(ready int) error {
	for {
		fds := []unix.PollFd{{Fd: int32(ready), Events: unix.POLLIN}} // #nosec G115 -- a descriptor
		n, err := unix.Poll(fds, patience)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return errors.New("join it: the child process that does it does not answer")
		}
		break
	}
	var answer [1]byte
	switch n, err := unix.Read(ready, answer[:]); {
	case err != nil:
		return err
	case n == 0:
		return errors.New("join it: the child process that does it has ended")
	case answer[0] != 0:
		return fmt.Errorf("join it: %w", syscall.Errno(answer[0]))
	}
	return nil
}

// forkInto forks a child that joins the namespace, writes the errno of setns(2) to ready as one byte, and exits when done is
// closed. Only a single-threaded process may join a user namespace (setns(2)). A Go program is not one, but a child just
// after fork is.
func forkInto(ns, ready int, done [2]int) (pid int, errno syscall.Errno) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// A signal handler in the child would run on a Go runtime that has lost its other threads.
	var mask unix.Sigset_t
	for i := range mask.Val {
		mask.Val[i]-- // sets every bit, whatever the width
	}
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &mask, &mask); err != nil {
		return 0, syscall.EAGAIN
	}
	pid, errno = rawFork(uintptr(ns), uintptr(ready), uintptr(done[0]), uintptr(done[1]), runtime.GOARCH == "s390x")
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &mask, nil)
	return pid, errno
}

// rawFork holds everything that the child executes: raw system calls, no Go runtime. The child is not dumpable when it
// joins. Otherwise a process in the namespace with CAP_SYS_PTRACE could take over the child, which has the uid of root on
// the host (ptrace(2), "Ptrace access mode checking"; CVE-2016-9962).
//
//go:norace
//go:nosplit
//go:noinline
func rawFork(ns, ready, doneRead, doneWrite uintptr, stackFirst bool) (int, syscall.Errno) {
	flags, stack := uintptr(unix.SIGCHLD), uintptr(0)
	if stackFirst { // clone(2): s390x takes these two arguments in reverse order
		flags, stack = stack, flags
	}
	pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, flags, stack, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return int(pid), errno
	}
	_, _, _ = syscall.RawSyscall(unix.SYS_CLOSE, doneWrite, 0, 0)
	_, _, _ = syscall.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0)
	_, _, errno = syscall.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0)
	if errno == 0 {
		_, _, errno = syscall.RawSyscall(unix.SYS_SETNS, ns, unix.CLONE_NEWUSER, 0)
	}
	// A change of credentials may have reset both (kernel/cred.c, commit_creds).
	_, _, _ = syscall.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0)
	_, _, _ = syscall.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0)
	answer := byte(errno)                                                                      // #nosec G115 -- truncated, an errno is still not 0
	_, _, _ = syscall.RawSyscall(unix.SYS_WRITE, ready, uintptr(unsafe.Pointer(&answer)), 1)   // #nosec G103 -- a child of vfork's kind may only make raw calls
	_, _, _ = syscall.RawSyscall(unix.SYS_READ, doneRead, uintptr(unsafe.Pointer(&answer)), 1) // #nosec G103 -- likewise
	for {
		_, _, _ = syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
}
