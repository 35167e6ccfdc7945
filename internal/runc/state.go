// SPDX-License-Identifier: Apache-2.0

// Package runc knows the next runtimes, runc and crun: where they are found, and what they and the kernel keep of a
// container that was created. Their command lines belong to internal/runcargs, and nothing here starts or changes
// anything.
package runc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/jsonscan"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// Kind is a runtime that can be the next one.
type Kind string

// The runtimes whose state files are known.
const (
	Runc Kind = "runc"
	Crun Kind = "crun"
)

// State is what a runtime's own state file says of a container.
type State struct {
	Kind   Kind
	Bundle string // absolute
	Pid    int    // of the container's first process
	Start  uint64 // when that process began, in clock ticks since boot (proc(5), /proc/pid/stat, field 22); 0: not known
}

// ErrNoState says that no runtime knows the container.
var ErrNoState = errors.New("there is no state file of runc or crun for it")

// ReadState finds the state of a container below the runtime's --root; if the engine set none, below the runtimes'
// defaults. If both runtimes know a container of that root and id it is refused, as it can't be told which of them
// will act.
//
// The files: runc's <root>/<id>/state.json (runc, libcontainer/factory_linux.go), crun's <root>/<id>/status (crun,
// src/libcrun/status.c).
func ReadState(root string, rootSet bool, id string, owners trusted.Owners) (*State, error) {
	runcRoot, crunRoot := root, root
	if !rootSet {
		runcRoot, crunRoot = defaultRoots()
	}
	runcDir, runcErr := stateDirectory(runcRoot, id, owners)
	crunDir, crunErr := runcDir, runcErr
	if crunRoot != runcRoot {
		crunDir, crunErr = stateDirectory(crunRoot, id, owners)
	}
	var runcState, crunState *State
	if runcErr == nil {
		runcState, runcErr = readState(runcDir, "state.json", readRunc)
	}
	if crunErr == nil {
		crunState, crunErr = readState(crunDir, "status", readCrun)
	}
	switch {
	case runcErr == nil && crunErr == nil:
		return nil, fmt.Errorf("both runc (below %q) and crun (below %q) have a container of this name\nhint: choose one with --root", runcRoot, crunRoot)
	case runcErr == nil && errors.Is(crunErr, unix.ENOENT):
		return runcState, nil
	case crunErr == nil && errors.Is(runcErr, unix.ENOENT):
		return crunState, nil
	case !errors.Is(runcErr, unix.ENOENT):
		return nil, fmt.Errorf("read its state: %w", runcErr)
	case !errors.Is(crunErr, unix.ENOENT):
		return nil, fmt.Errorf("read its state: %w", crunErr)
	}
	return nil, fmt.Errorf("%w below %q", ErrNoState, runcRoot)
}

// defaultRoots are where the runtimes keep their state without --root (runc, main.go and rootless_linux.go; crun,
// src/libcrun/status.c, get_run_directory).
func defaultRoots() (runc, crun string) {
	runc, crun = "/run/runc", "/run/crun"
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		return runc, crun
	}
	if os.Geteuid() != 0 || inUserNamespace() && os.Getenv("USER") != "root" {
		runc = filepath.Join(dir, "runc")
	}
	return runc, filepath.Join(dir, "crun")
}

// inUserNamespace follows runc: a uid map that isn't the host's (moby/sys/userns).
func inUserNamespace() bool {
	text, err := proc.Read("/proc/self/uid_map")
	return err == nil && strings.Join(strings.Fields(string(text)), " ") != "0 0 4294967295"
}

// stateDirectory is a container's directory below a root. It is refused if others can write a directory above it:
// they could have put another container's there, whose record names the program to be run.
func stateDirectory(root, id string, owners trusted.Owners) (*trusted.Dir, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	dir, err := trusted.OpenPath(abs, owners)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	sub, err := dir.Sub(id)
	if err != nil {
		return nil, err
	}
	return sub, sub.CheckPath()
}

func readState(dir *trusted.Dir, name string, read func([]byte) (*State, error)) (*State, error) {
	data, err := dir.Read(name)
	if err != nil {
		return nil, err
	}
	s, err := read(data)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", dir.Join(name), err)
	}
	return s, nil
}

func readRunc(data []byte) (*State, error) {
	s := &State{Kind: Runc}
	err := jsonscan.MembersOf("config", data, func(name string, v []byte) error {
		switch name {
		case "init_process_pid":
			return s.pid(v)
		case "init_process_start":
			return s.start(v)
		case "config.labels":
			return lastBundle(v, &s.Bundle)
		}
		return nil
	})
	return s.checked(err)
}

func readCrun(data []byte) (*State, error) {
	s := &State{Kind: Crun}
	err := jsonscan.Members(data, func(name string, v []byte) (err error) {
		switch name {
		case "pid":
			err = s.pid(v)
		case "process-start-time":
			err = s.start(v)
		case "bundle":
			s.Bundle, err = jsonscan.String(v)
		}
		return err
	})
	return s.checked(err)
}

func (s *State) pid(v []byte) error {
	n, err := jsonscan.Uint(v, 31)
	s.Pid = int(n) // #nosec G115 -- 31 bits
	return err
}

func (s *State) start(v []byte) (err error) {
	s.Start, err = jsonscan.Uint(v, 63)
	return err
}

func (s *State) checked(err error) (*State, error) {
	if err == nil && !filepath.IsAbs(s.Bundle) {
		err = fmt.Errorf("its bundle is %q, not an absolute path", s.Bundle)
	}
	return s, err
}

// lastBundle reads runc's labels. Annotations come first in the list and runc's own "bundle=" last, so only the last
// one is runc's word (SECURITY.md D6).
func lastBundle(labels []byte, to *string) error {
	return jsonscan.Elements(labels, func(v []byte) error {
		label, err := jsonscan.String(v)
		if b, ok := strings.CutPrefix(label, "bundle="); ok {
			*to = b
		}
		return err
	})
}
