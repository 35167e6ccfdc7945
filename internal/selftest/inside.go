// SPDX-License-Identifier: Apache-2.0

// Package selftest tries to become root in a container of its own. It treats the runtime as a black box, and shares no code
// with it: a test with the runtime's code would also have its faults.
//
//	inside.go   runs in the container
//	rootfs.go   the container's files
//	archive.go  the same files as images
//	runtime.go  a test through the runtime
//	engine.go   a test through an engine
//	judge.go    what the answers prove
package selftest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What the program does in the container, as the only argument of the hidden verb.
const (
	Verb   = "self-test-inside" // the hidden verb of nonroot-ctl
	All    = "all"              // print its status, and make every attempt
	Stay   = "stay"             // the same, then wait for the end of stdin
	Linger = "linger"           // wait for a minute
	see    = "status"           // print only its own status
	climb  = "become"           // try to change its ids to root's
)

// The files of the container.
const (
	program    = "/nonroot-ctl"
	setuidFile = "/setuid"     // the program, owned by root, mode 4755
	capsFile   = "/capability" // the program, with file capabilities
)

// Witness is what the program in the container observed and achieved.
type Witness struct {
	Status   Status             `json:"status"`
	Attempts map[string]Attempt `json:"attempts"`
}

// Status holds a process's credentials from /proc/self/status. UID and GID are real, effective, saved set and file system.
type Status struct {
	UID         []uint32 `json:"uid"`
	GID         []uint32 `json:"gid"`
	Groups      []uint32 `json:"groups"`
	Inheritable uint64   `json:"inheritable"`
	Permitted   uint64   `json:"permitted"`
	Effective   uint64   `json:"effective"`
	Ambient     uint64   `json:"ambient"`
	NoNewPrivs  bool     `json:"no_new_privs"`
}

// Attempt is one attempt to gain privileges.
type Attempt struct {
	Failed string  `json:"failed"` // the kernel's error; "": it succeeded
	Status *Status `json:"status"` // of the process that resulted
}

// The attempts.
const (
	ids     = "setuid, setgid, setgroups"
	setuid  = "setuid file"
	caps    = "capability file"
	clone   = "clone(CLONE_NEWUSER)"
	unshare = "unshare(CLONE_NEWUSER)"
)

// Inside runs in the container. It prints a Witness, or for some verbs a Status.
func Inside(what string, stdin io.Reader, stdout io.Writer) error {
	var answer any
	switch what {
	case see:
		s, err := ownStatus()
		if err != nil {
			return err
		}
		answer = s
	case climb:
		if err := become(); err != nil {
			return err
		}
		return Inside(see, stdin, stdout)
	case Linger:
		time.Sleep(time.Minute)
		return nil
	case All, Stay:
		w, err := witness()
		if err != nil {
			return err
		}
		answer = w
	default:
		return fmt.Errorf("the self-test has no part %q", what)
	}
	if err := json.NewEncoder(stdout).Encode(answer); err != nil {
		return err
	}
	if what == Stay {
		_, err := io.Copy(io.Discard, stdin)
		return err
	}
	return nil
}

func witness() (*Witness, error) {
	s, err := ownStatus()
	if err != nil {
		return nil, err
	}
	return &Witness{Status: *s, Attempts: map[string]Attempt{
		ids:     attempt(program, climb, nil),
		setuid:  attempt(setuidFile, see, nil),
		caps:    attempt(capsFile, see, nil),
		clone:   attempt(program, see, &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}),
		unshare: attempt(program, see, &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWUSER}),
	}}, nil
}

// attempt starts a child process and records its status.
func attempt(file, what string, how *syscall.SysProcAttr) Attempt {
	cmd := exec.Command(file, Verb, what)
	cmd.SysProcAttr = how
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && len(exit.Stderr) > 0:
		return Attempt{Failed: strings.TrimSpace(string(exit.Stderr))}
	case err != nil:
		return Attempt{Failed: err.Error()}
	}
	s := &Status{}
	if err := json.Unmarshal(out, s); err != nil {
		return Attempt{Failed: "its answer can't be read: " + err.Error()}
	}
	return Attempt{Status: s}
}

// become tries to set each of its ids to root's. One success fails the test.
func become() error {
	errs := []error{
		unix.Setgroups([]int{0}),
		unix.Setresgid(0, 0, 0),
		unix.Setresuid(0, 0, 0),
	}
	for _, err := range errs {
		if err == nil {
			return nil
		}
	}
	return errs[len(errs)-1]
}

func ownStatus() (*Status, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	return parseStatus(string(text))
}

// parseStatus parses /proc/PID/status (proc(5)). It does not use internal/proc, for the same reason as the package. A
// missing or malformed line is an error, because a test that sees nothing has not passed.
func parseStatus(text string) (*Status, error) {
	s := &Status{}
	var nnp uint64
	fields := map[string]func(string) error{
		"Uid":        numbers(&s.UID),
		"Gid":        numbers(&s.GID),
		"Groups":     numbers(&s.Groups),
		"CapInh":     number(&s.Inheritable, "%x"),
		"CapPrm":     number(&s.Permitted, "%x"),
		"CapEff":     number(&s.Effective, "%x"),
		"CapAmb":     number(&s.Ambient, "%x"),
		"NoNewPrivs": number(&nnp, "%d"),
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if read := fields[name]; read != nil {
			if err := read(value); err != nil {
				return nil, fmt.Errorf("read %q of the process's status: %w", line, err)
			}
			delete(fields, name)
		}
	}
	for name := range fields {
		return nil, fmt.Errorf("the process's status has no %s", name)
	}
	if len(s.UID) != 4 || len(s.GID) != 4 {
		return nil, errors.New("the process's status has not four uids and gids")
	}
	s.NoNewPrivs = nnp == 1
	return s, nil
}

func number(to *uint64, format string) func(string) error {
	return func(text string) error {
		_, err := fmt.Sscanf(strings.TrimSpace(text), format, to)
		return err
	}
}

func numbers(to *[]uint32) func(string) error {
	return func(text string) error {
		*to = []uint32{}
		for _, f := range strings.Fields(text) {
			var n uint32
			if _, err := fmt.Sscanf(f, "%d", &n); err != nil {
				return err
			}
			*to = append(*to, n)
		}
		return nil
	}
}
