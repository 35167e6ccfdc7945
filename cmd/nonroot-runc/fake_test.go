// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// callsVariable names the directory in which the fake runtime records its calls; statusVariable its exit status.
const (
	callsVariable  = "NONROOT_TEST_CALLS"
	statusVariable = "NONROOT_TEST_STATUS"
)

// fakeRuntime stands for runc and crun. It leaves in the directory:
//
//	count         a line for each call
//	argv, env     one word or variable per line; env is sorted
//	fds           each open descriptor from 3 on, and what it is
//	cwd
//	config.json   from --bundle
//	process.json  the file that --process names
//	seals         the seals of that file
func fakeRuntime() {
	var fds []string // without close-on-exec ones, which did not come with the call: Go's own runtime opened them
	for fd := 3; fd < 1024; fd++ {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			target, _ := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
			fds = append(fds, fmt.Sprintf("%d %s", fd, target))
		}
	}
	dir := os.Getenv(callsVariable)
	if dir == "" {
		fail99("%s is not set", callsVariable)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		fail99("%v", err)
	}
	count, err := os.OpenFile(filepath.Join(dir, "count"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		fail99("%v", err)
	}
	fmt.Fprintln(count, "called")
	leave(dir, "argv", lines(os.Args))
	leave(dir, "env", lines(slices.Sorted(slices.Values(os.Environ()))))
	leave(dir, "fds", lines(fds))
	cwd, _ := os.Getwd()
	leave(dir, "cwd", []byte(cwd+"\n"))
	if b, ok := value("--bundle="); ok {
		config, err := os.ReadFile(filepath.Join(b, "config.json"))
		if err != nil {
			fail99("%v", err)
		}
		leave(dir, "config.json", config)
	}
	if p, ok := value("--process="); ok {
		leaveProcess(dir, p)
	}
	status, _ := strconv.Atoi(os.Getenv(statusVariable)) // 0 if it is not set
	unix.Exit(status)                                    // the race detector would make os.Exit take a second
}

func leaveProcess(dir, name string) {
	process, err := os.ReadFile(name)
	if err != nil {
		fail99("%v", err)
	}
	leave(dir, "process.json", process)
	f, err := os.Open(name)
	if err != nil {
		fail99("%v", err)
	}
	seals, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	if err != nil {
		leave(dir, "seals", []byte("none\n")) // not a memfd
		return
	}
	var names []string
	for _, s := range []struct {
		bit  int
		name string
	}{{unix.F_SEAL_SEAL, "seal"}, {unix.F_SEAL_SHRINK, "shrink"}, {unix.F_SEAL_GROW, "grow"}, {unix.F_SEAL_WRITE, "write"}} {
		if seals&s.bit != 0 {
			names = append(names, s.name)
		}
	}
	leave(dir, "seals", []byte(strings.Join(names, " ")+"\n"))
}

func value(flag string) (string, bool) {
	for _, a := range os.Args {
		if v, ok := strings.CutPrefix(a, flag); ok {
			return v, true
		}
	}
	return "", false
}

func lines(words []string) []byte {
	var b []byte
	for _, w := range words {
		b = append(append(b, w...), '\n')
	}
	return b
}

func leave(dir, name string, data []byte) {
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		fail99("%v", err)
	}
}

// fail99 ends a helper with a status that no test takes for an answer.
func fail99(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "test helper: "+format+"\n", args...)
	os.Exit(99)
}

// withFDs N=KIND:PATH... -- COMMAND... becomes the command with these descriptors open: file (read), path (O_PATH), dir. A LISTEN_PID=self becomes this process's id.
func withFDs() {
	args := os.Args[1:]
	for ; len(args) > 0 && args[0] != "--"; args = args[1:] {
		number, what, _ := strings.Cut(args[0], "=")
		kind, name, _ := strings.Cut(what, ":")
		to, err := strconv.Atoi(number)
		if err != nil {
			if number != "LISTEN_PID" {
				fail99("what is %q?", args[0])
			}
			must99(os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid())))
			continue
		}
		must99(unix.Dup3(opened(kind, name), to, 0))
	}
	file := filepath.Join(binaries(), args[1])
	must99(unix.Exec(file, args[1:], os.Environ()))
}

func opened(kind, name string) int {
	flags := unix.O_RDONLY
	switch kind {
	case "file", "dir":
	case "path":
		flags = unix.O_PATH
	default:
		fail99("what is %q?", kind)
	}
	fd, err := unix.Open(name, flags|unix.O_CLOEXEC, 0)
	must99(err)
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 512) // not one of the requested numbers itself
	must99(err)
	return high
}

func must99(err error) {
	if err != nil {
		fail99("%v", err)
	}
}
