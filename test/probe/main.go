// SPDX-License-Identifier: Apache-2.0

// Command probe runs inside a container and says, as one line of JSON, what the kernel grants it. It asks by system
// call, never through /proc or /etc, since those are files that an image or a mount can forge.
//
//	probe            its ids, groups, capability sets, no_new_privs and seccomp mode
//	probe setuid0    tries to become uid 0, gid 0, group 0: each answer
//	probe userns     tries each way into a new user namespace: each answer
//	probe pause      waits for SIGTERM or SIGINT, then exits with 0
//	probe listen S   listens at the Unix socket S until it is ended
//	probe dial S     connects to the Unix socket S: the answer
//	probe lock       locks a megabyte of memory: the answer
//	probe keyed C... puts a key into a session keyring of its own, and becomes the command C
//	probe agent S F  is a listener for seccomp at the Unix socket S: for each system call that it is told of it makes the file
//	                 F, and says that the call has succeeded
//	probe key        asks the session keyring for that key: the answer
//	probe take W F   takes all that it gets of what the kernel counts by uid, writes how much to the file F, and waits as
//	                 pause does; W is inotify, pipes, keys or processes
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	// Credentials belong to threads; the raw calls below must all be made by one.
	runtime.LockOSThread()
	verb := ""
	if len(os.Args) > 1 {
		verb = os.Args[1]
	}
	var answer any
	switch verb {
	case "":
		answer = credentials()
	case "setuid0":
		answer = setuid0()
	case "userns":
		answer = userns()
	case "listen":
		listener, err := net.Listen("unix", os.Args[2])
		if err != nil {
			panic(err)
		}
		for {
			conn, err := listener.Accept()
			if err != nil {
				panic(err)
			}
			_ = conn.Close()
		}
	case "agent":
		panic(agent(os.Args[2], os.Args[3]))
	case "dial":
		answer = map[string]string{"dial": dial(os.Args[2])}
	case "lock":
		answer = map[string]string{"lock": fmt.Sprint(unix.Mlock(make([]byte, 1<<20)))}
	case "keyed":
		panic(keyed(os.Args[2:]))
	case "key":
		answer = map[string]string{"key": key()}
	case "take":
		taken, err := json.Marshal(map[string]int{"taken": take(os.Args[2])})
		if err == nil {
			err = os.WriteFile(os.Args[3], taken, 0o644)
		}
		if err != nil {
			panic(err)
		}
		pause()
		return
	case "pause":
		pause()
		return
	default:
		fmt.Fprintf(os.Stderr, "probe: no such verb: %q\n", verb)
		os.Exit(2)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

// granted has the names of /proc/PID/status, so that tests can read both with one filter. Its ids are in the same
// order as there: real, effective, saved, file system.
type granted struct {
	Uid, Gid   [4]int
	Groups     []int
	CapInh     string
	CapPrm     string
	CapEff     string
	CapBnd     string
	CapAmb     string
	NoNewPrivs int
	Seccomp    int
}

func credentials() granted {
	var g granted
	g.Uid[0], g.Uid[1], g.Uid[2] = unix.Getresuid()
	g.Gid[0], g.Gid[1], g.Gid[2] = unix.Getresgid()
	// Setting an impossible id changes nothing and returns the present one.
	g.Uid[3], _ = unix.SetfsuidRetUid(-1)
	g.Gid[3], _ = unix.SetfsgidRetGid(-1)
	g.Groups, _ = unix.Getgroups()
	if g.Groups == nil {
		g.Groups = []int{}
	}

	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		panic(err)
	}
	set := func(low, high uint32) string { return fmt.Sprintf("%016x", uint64(high)<<32|uint64(low)) }
	g.CapInh = set(data[0].Inheritable, data[1].Inheritable)
	g.CapPrm = set(data[0].Permitted, data[1].Permitted)
	g.CapEff = set(data[0].Effective, data[1].Effective)
	var bounding, ambient uint64
	for c := range 64 {
		if on, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0); err == nil && on == 1 {
			bounding |= 1 << c
		}
		if on, err := unix.PrctlRetInt(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_IS_SET, uintptr(c), 0, 0); err == nil && on == 1 {
			ambient |= 1 << c
		}
	}
	g.CapBnd = fmt.Sprintf("%016x", bounding)
	g.CapAmb = fmt.Sprintf("%016x", ambient)
	g.NoNewPrivs, _ = unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	g.Seccomp, _ = unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	return g
}

func setuid0() map[string]string {
	zero := [1]uint32{}
	return map[string]string{
		"setuid":    inChild(unix.SYS_SETUID, 0, 0, 0),
		"setresuid": inChild(unix.SYS_SETRESUID, 0, 0, 0),
		"setgid":    inChild(unix.SYS_SETGID, 0, 0, 0),
		"setresgid": inChild(unix.SYS_SETRESGID, 0, 0, 0),
		"setgroups": inChild(unix.SYS_SETGROUPS, 1, uintptr(unsafe.Pointer(&zero[0])), 0),
	}
}

func userns() map[string]string {
	answers := map[string]string{
		"unshare": inChild(unix.SYS_UNSHARE, unix.CLONE_NEWUSER, 0, 0),
		"clone":   answer(clone(unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD), 0)),
	}
	args := cloneArgs{flags: unix.CLONE_NEWUSER, exitSignal: uint64(unix.SIGCHLD)}
	answers["clone3"] = answer(clone(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args)))

	// One's own namespace: without a filter the kernel says EINVAL, so that EPERM can only be the filter's.
	fd, err := unix.Open("/proc/self/ns/user", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		answers["setns"] = inChild(unix.SYS_SETNS, uintptr(fd), unix.CLONE_NEWUSER, 0)
	}
	maps.Copy(answers, foreign())
	return answers
}

// cloneArgs is the first version of struct clone_args; the kernel takes the size as the version.
type cloneArgs struct {
	flags, pidfd, childTid, parentTid, exitSignal, stack, stackSize, tls uint64
}

// inChild makes one system call in a process of its own, so that no answer depends on the one before, and since a
// user namespace is only given to a process with one thread.
func inChild(number, a, b, c uintptr) string { return forked(fork(number, a, b, c)) }

// fork makes the call in the child. That must not come to a place where Go's scheduler may step in, as there is none in
// it: nosplit leaves them out.
//
//go:nosplit
func fork(number, a, b, c uintptr) (pid uintptr, errno syscall.Errno) {
	pid, _, errno = syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno == 0 && pid == 0 {
		_, _, errno = syscall.RawSyscall(number, a, b, c)
		exit(errno)
	}
	return pid, errno
}

// forked is the answer of a child.
func forked(pid uintptr, errno syscall.Errno) string {
	if errno != 0 {
		return "fork: " + answer(errno)
	}
	return answer(reap(pid))
}

// clone is one of the calls that make a process; the child does nothing.
func clone(number, a, b uintptr) syscall.Errno {
	pid, errno := cloned(number, a, b)
	if errno != 0 {
		return errno
	}
	return reap(pid)
}

//go:nosplit
func cloned(number, a, b uintptr) (pid uintptr, errno syscall.Errno) {
	pid, _, errno = syscall.RawSyscall6(number, a, b, 0, 0, 0, 0)
	if errno == 0 && pid == 0 {
		exit(0)
	}
	return pid, errno
}

// exit ends a child with its answer as the status: the Go runtime does not live on after a bare clone.
//
//go:nosplit
func exit(errno syscall.Errno) {
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, uintptr(errno), 0, 0)
	}
}

func reap(pid uintptr) syscall.Errno {
	var status unix.WaitStatus
	if _, err := unix.Wait4(int(pid), &status, 0, nil); err != nil {
		panic(err)
	}
	switch {
	case status.Signaled() && status.Signal() == unix.SIGSEGV:
		return faulted
	case status.Signaled():
		return killed
	}
	return syscall.Errno(status.ExitStatus())
}

// killed stands for no answer: the filter has ended the process.
const killed = syscall.Errno(4095)

// faulted stands for an entry that the kernel does not have at all: int $0x80 where 32-bit emulation is off (Linux,
// kernel-parameters.txt, ia32_emulation).
const faulted = syscall.Errno(4094)

func pause() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGTERM, unix.SIGINT)
	<-stop
}

// most bounds what take takes of one thing. It is above the kernel's own limits, which are 128 instances of inotify, 200
// keys and 16384 pages of pipes; processes are a test's own to limit.
const most = 300

// take gives how many instances of inotify, keys or processes there were to be had, or how many pages of pipes.
func take(what string) int {
	taken := 0
	var children []uintptr
	for range most {
		n := 1
		var err error
		switch what {
		case "inotify":
			_, err = unix.InotifyInit1(unix.IN_CLOEXEC)
		case "keys":
			_, err = unix.AddKey(keyType, fmt.Sprint("taken-", taken), []byte("x"), unix.KEY_SPEC_PROCESS_KEYRING)
		case "processes":
			var child uintptr
			child, err = idle()
			children = append(children, child)
		case "pipes":
			n, err = bigPipe()
		default:
			panic(what)
		}
		if err != nil {
			break
		}
		taken += n
	}
	// The Go runtime ends where it gets no further thread, so it is left some.
	for _, child := range children[max(0, len(children)-9):] {
		if child != 0 && unix.Kill(int(child), unix.SIGKILL) == nil {
			reap(child)
		}
	}
	return taken
}

// idle makes a process that waits.
func idle() (pid uintptr, err error) {
	pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	if pid == 0 {
		for {
			syscall.RawSyscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
		}
	}
	return pid, nil
}

// bigPipe makes a pipe of as many pages as there are to be had, up to the 256 that anybody may have in one.
func bigPipe() (pages int, err error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return 0, err
	}
	size, err := unix.FcntlInt(uintptr(ends[0]), unix.F_SETPIPE_SZ, 1<<20)
	return size / os.Getpagesize(), err
}

func dial(socket string) string {
	conn, err := net.Dial("unix", socket)
	if err == nil {
		return failure(conn.Close())
	}
	return failure(err)
}

// The key that a test's caller has in its session keyring.
const keyType, keyName, keyText = "user", "nonroot-test", "the caller's secret"

func keyed(command []string) error {
	if _, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0); err != nil {
		return err
	}
	if _, err := unix.AddKey(keyType, keyName, []byte(keyText), unix.KEY_SPEC_SESSION_KEYRING); err != nil {
		return err
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	return unix.Exec(path, command, os.Environ())
}

// key is the text of the caller's key, or why there is none.
func key() string {
	id, err := unix.KeyctlSearch(unix.KEY_SPEC_SESSION_KEYRING, keyType, keyName, 0)
	if err != nil {
		return failure(err)
	}
	text := make([]byte, 64)
	n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, id, text, 0)
	if err != nil {
		return failure(err)
	}
	return string(text[:n])
}

func answer(errno syscall.Errno) string {
	switch errno {
	case 0:
		return "ok"
	case killed:
		return "killed"
	}
	return unix.ErrnoName(errno)
}

// failure is the kernel's answer within an error of the library's.
func failure(err error) string {
	var errno syscall.Errno
	if err != nil && !errors.As(err, &errno) {
		return err.Error()
	}
	return answer(errno)
}
