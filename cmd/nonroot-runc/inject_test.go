// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"math"
	"net"
	"os"
	osexec "os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// A fault is injected by seccomp's user notification (seccomp_unotify(2)): the kernel asks the test about each system
// call of the program, in the order of all its threads. (strace counts each thread separately, and Go's goroutines
// change threads.)

// fault describes which system call fails, and how.
type fault struct {
	calls []int         // their numbers; nil: all
	at    int           // which of them fails, counted from 1
	errno syscall.Errno // the error that it returns; 0: the program is killed instead
	value int64         // a value that it returns each time instead of an error; 0: none
}

// happened is the result of a fault.
type happened struct {
	call int    // the number of the call that failed; -1: the runtime was executed before that
	what string // the file of the call, if any
}

// under runs a command with a fault.
func under(t *testing.T, f fault, cmd *osexec.Cmd) (happened, error) {
	t.Helper()
	return underAs(t, f, cmd, &syscall.SysProcAttr{})
}

// underAs is under with attributes of the process.
func underAs(t *testing.T, f fault, cmd *osexec.Cmd, attr *syscall.SysProcAttr) (happened, error) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	testkit.Must(t, err)
	ours, theirs := os.NewFile(uintptr(pair[0]), "socket"), os.NewFile(uintptr(pair[1]), "socket")
	defer ours.Close() // nothing was written
	var calls []string
	for _, c := range f.calls {
		calls = append(calls, strconv.Itoa(c))
	}
	cmd.Args = append([]string{"filtered", strings.Join(calls, ",")}, cmd.Args...)
	cmd.Path = binaries() + "/filtered"
	// A preempted thread returns from a signal's handler by a system call, which may come before anyone can answer.
	cmd.Env = append(cmd.Environ(), "GODEBUG=asyncpreemptoff=1")
	cmd.ExtraFiles = []*os.File{theirs}
	attr.Pdeathsig = unix.SIGKILL
	cmd.SysProcAttr = attr
	err = cmd.Start()
	_ = theirs.Close()
	testkit.Must(t, err)
	listener, err := receive(ours)
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatal(err)
	}
	defer unix.Close(listener) // nothing was written
	h := supervise(t, listener, f)
	return h, cmd.Wait()
}

// notification is struct seccomp_notif, response struct seccomp_notif_resp.
type notification struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type response struct {
	id    uint64
	val   int64
	error int32
	flags uint32
}

const userNotifContinue = 1 // SECCOMP_USER_NOTIF_FLAG_CONTINUE

// supervise answers until no process is left that asks.
func supervise(t *testing.T, listener int, f fault) happened {
	h := happened{call: -1}
	counted, execs := 0, 0
	for {
		fds := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
		if fds[0].Revents&unix.POLLIN == 0 {
			if fds[0].Revents != 0 {
				return h
			}
			continue
		}
		var n notification
		if ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)) != 0 {
			continue // it was killed in the meantime
		}
		answer := response{id: n.id, flags: userNotifContinue}
		// The program is between its own execve and the runtime's.
		if execs == 1 && f.value != 0 && n.nr != unix.SYS_EXECVE {
			answer.flags, answer.val = 0, f.value
		} else if execs == 1 && (f.calls == nil || slices.Contains(f.calls, int(n.nr))) {
			if counted++; counted == f.at {
				h = happened{int(n.nr), about(&n)}
				if f.errno == 0 {
					_ = unix.Kill(int(n.pid), unix.SIGKILL)
					continue
				}
				answer.flags, answer.error = 0, -int32(f.errno)
			}
		}
		if n.nr == unix.SYS_EXECVE && answer.error == 0 {
			execs++
		}
		ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&answer))
	}
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) syscall.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
	return errno
}

// about returns the path that a call names, or that its descriptor refers to.
func about(n *notification) string {
	switch n.nr {
	case unix.SYS_OPENAT, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_UNLINKAT:
		return text(n.pid, n.args[1])
	case unix.SYS_EXECVE:
		return text(n.pid, n.args[0])
	}
	link, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", n.pid, n.args[0])) // for information only
	return link
}

func text(pid uint32, at uint64) string {
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return ""
	}
	defer mem.Close() // nothing was written
	buf := make([]byte, 256)
	n, _ := mem.ReadAt(buf, int64(at)) // a short read is enough
	s, _, _ := bytes.Cut(buf[:n], []byte{0})
	return string(s)
}

// receive gets a descriptor over a socket.
func receive(socket *os.File) (int, error) {
	conn, err := net.FileConn(socket)
	if err != nil {
		return -1, err
	}
	defer conn.Close() // nothing was written
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := conn.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), oob)
	if err != nil {
		return -1, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) == 0 {
		return -1, fmt.Errorf("the helper sent no descriptor (%w)", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return -1, err
	}
	return fds[0], nil
}

// filtered CALL,CALL... COMMAND... becomes the command; the process at the other end of descriptor 3 is asked about
// these system calls.
func filtered() {
	const socket = 3
	unix.CloseOnExec(socket)
	runtime.LockOSThread() // the filter belongs to this thread, which calls execve
	// sendmsg is always allowed: it passes the listener, and the runtime does not use it.
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_SENDMSG},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	if os.Args[1] != "" {
		calls := append(strings.Split(os.Args[1], ","), strconv.Itoa(unix.SYS_EXECVE))
		for i, c := range calls {
			nr, err := strconv.Atoi(c)
			must99(err)
			toAsk := uint8(len(calls) - i)
			program = append(program, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: toAsk, K: uint32(nr)})
		}
		program = append(program, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	}
	program = append(program, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
	file, err := osexec.LookPath(os.Args[2])
	must99(err)
	args, env := os.Args[2:], os.Environ()

	var mask unix.Sigset_t
	for i := range mask.Val {
		mask.Val[i] = math.MaxUint64
	}
	rights := unix.UnixRights(0)
	data := []byte{0}
	vec := unix.Iovec{Base: &data[0], Len: 1}
	message := unix.Msghdr{Iov: &vec, Iovlen: 1, Control: &rights[0], Controllen: uint64(len(rights))}
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	must99(unix.PthreadSigmask(unix.SIG_BLOCK, &mask, &mask)) // a handler would end with a system call, too
	call, errno := install(&fprog, socket, &message, &rights[unix.CmsgLen(0)])
	if errno != 0 {
		fail99("%s: %v", call, errno)
	}
	must99(unix.PthreadSigmask(unix.SIG_SETMASK, &mask, nil))
	must99(unix.Exec(file, args, env))
}

// install installs the filter in this thread, writes its listener's number to *fd, and sends it in the message. Between the
// two nobody answers: a system call of Go's scheduler or race detector would wait for ever, so both are kept out.
//
//go:norace
//go:nosplit
func install(fprog *unix.SockFprog, socket uintptr, message *unix.Msghdr, fd *byte) (call string, errno syscall.Errno) {
	listener, _, errno := syscall.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(fprog)))
	if errno != 0 {
		return "install a filter", errno
	}
	*(*int32)(unsafe.Pointer(fd)) = int32(listener)
	_, _, errno = syscall.RawSyscall(unix.SYS_SENDMSG, socket, uintptr(unsafe.Pointer(message)), 0)
	return "hand the listener over", errno
}
