// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// Whatever fails in a call, and whenever, config.json is the old one or the new one, no record matches the old one, and
// no runtime is called with it.

// site is a bundle in a directory of its own, with the fake runtime's record of the last call.
type site struct {
	t      *testing.T
	bundle string
	calls  string
	old    []byte // the original config.json
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{t: t, bundle: dir + "/bundle", calls: dir + "/called"}
	testkit.Must(t, makeBundle(s.bundle))
	// With a label, every system call for writing is made.
	s.old = bytes.Replace(s.read("config.json"), []byte(`"linux": {`), []byte(`"linux": { "mountLabel": "system_u:object_r:x_t:s0",`), 1)
	s.reset()
	return s
}

// reset restores the original bundle.
func (s *site) reset() {
	s.t.Helper()
	for _, name := range s.names() {
		testkit.Must(s.t, os.Remove(filepath.Join(s.bundle, name)))
	}
	testkit.Must(s.t, os.WriteFile(s.bundle+"/config.json", s.old, 0o600))
	testkit.Must(s.t, os.RemoveAll(s.calls))
}

// names returns the files in the bundle.
func (s *site) names() []string {
	s.t.Helper()
	entries, err := os.ReadDir(s.bundle)
	testkit.Must(s.t, err)
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

func (s *site) read(name string) []byte {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.bundle, name))
	testkit.Must(s.t, err)
	return data
}

// create returns the command under test.
func (s *site) create() *osexec.Cmd {
	cmd := osexec.Command(binaries()+"/nonroot-runc", "create", "--bundle", s.bundle, "c1")
	cmd.Env = append(os.Environ(), callsVariable+"="+s.calls)
	return cmd
}

// called reports whether the runtime was called, and fails if it saw a config.json that was not rewritten.
func (s *site) called() bool {
	s.t.Helper()
	if _, err := os.Stat(s.calls); err != nil {
		return false
	}
	seen, err := os.ReadFile(s.calls + "/config.json")
	if err == nil && !isRewritten(seen) {
		s.t.Errorf("the runtime was called with a config.json that is not rewritten: %s", seen)
	}
	return true
}

func isRewritten(config []byte) bool {
	var c struct {
		Process struct {
			User            struct{ UID, GID int }
			NoNewPrivileges bool
			Capabilities    struct{ Effective, Permitted []string }
		}
	}
	p := &c.Process
	return json.Unmarshal(config, &c) == nil && p.User.UID == 65532 && p.User.GID == 65532 && p.NoNewPrivileges &&
		len(p.Capabilities.Effective)+len(p.Capabilities.Permitted) == 0
}

// oldOrNew returns config.json. It fails if that is neither the old nor the new one, or if a record matches the old
// one.
func (s *site) oldOrNew() []byte {
	s.t.Helper()
	config := s.read("config.json")
	if !bytes.Equal(config, s.old) {
		if !isRewritten(config) {
			s.t.Fatalf("config.json is neither the old nor the new one: %s", config)
		}
		return config
	}
	if r, err := os.ReadFile(filepath.Join(s.bundle, record.File)); err == nil && bytes.Contains(r, []byte(record.Digest(config))) {
		s.t.Fatalf("the record vouches for a config.json that was not rewritten: %s", r)
	}
	return config
}

// recovers makes the same call again, without a fault. It must succeed, and leave no temporary file.
func (s *site) recovers() {
	s.t.Helper()
	testkit.Must(s.t, os.RemoveAll(s.calls))
	if out, err := s.create().CombinedOutput(); err != nil {
		s.t.Fatalf("the next call fails: %v: %s", err, out)
	}
	if !s.called() {
		s.t.Fatal("the next call did not call the runtime")
	}
	s.noTemporary()
	if bytes.Equal(s.oldOrNew(), s.old) {
		s.t.Fatal("the next call did not rewrite config.json")
	}
}

func (s *site) noTemporary() {
	s.t.Helper()
	for _, name := range s.names() {
		switch name {
		case "config.json", record.File, record.Passwd, record.Group, record.Before:
		default:
			s.t.Errorf("the file %q is left in the bundle", name)
		}
	}
}

// TestKilled ends the call with SIGKILL before its first system call, its second one, and so on until the runtime is
// called. The total number of system calls varies; the ones that matter are covered a second time.
func TestKilled(t *testing.T) {
	for _, c := range []struct {
		name        string
		calls       []int
		least, late int // the minimum number of deaths, and of those after the rewrite
	}{
		{"all", nil, 50, 0},
		{"write", []int{unix.SYS_WRITE}, 4, 0},
		{"rename", []int{unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2}, 5, 1}, // passwd, group, record, config.json, the kept one
		{"open, close", []int{unix.SYS_OPENAT, unix.SYS_CLOSE}, 8, 0},
		{"unlink, chmod", []int{unix.SYS_UNLINKAT, unix.SYS_FCHMOD}, 5, 0}, // the kept config.json of before; passwd, group, record, config.json
		{"execve", []int{unix.SYS_EXECVE}, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			killed, late := 0, 0
			for s.killed(fault{calls: c.calls, at: killed + 1}) {
				killed++
				config := s.oldOrNew()
				s.recovers()
				if bytes.Equal(config, s.old) {
					continue
				}
				late++
				if after := s.read("config.json"); !bytes.Equal(config, after) {
					t.Fatalf("the next call made another config.json: %s", after)
				}
			}
			t.Logf("killed in front of %d system calls, of which %d came after the rewrite", killed, late)
			if killed < c.least || late < c.late {
				t.Error("these are too few")
			}
		})
	}
}

// killed makes a call with a fault that kills it; false if the call ended before.
func (s *site) killed(f fault) bool {
	s.t.Helper()
	s.reset()
	h, err := under(s.t, f, s.create())
	if called := s.called(); called != (h.call < 0) || called != (err == nil) {
		s.t.Fatalf("runtime called: %v, error: %v, system call %d", called, err, h.call)
	}
	return h.call >= 0
}

// TestSystemCallsFail makes one system call after the other fail. If it is one that writes, no container is created.
func TestSystemCallsFail(t *testing.T) {
	for _, c := range []struct {
		name  string
		call  int
		errno syscall.Errno
		least int // the minimum number of them that a rewrite needs
	}{
		{"write: no space", unix.SYS_WRITE, unix.ENOSPC, 4}, // passwd, group, record, config.json
		{"write: I/O error", unix.SYS_WRITE, unix.EIO, 4},
		{"rename: no space", unix.SYS_RENAMEAT, unix.ENOSPC, 4}, // passwd, group, record, the kept config.json
		{"rename: no access", unix.SYS_RENAMEAT, unix.EACCES, 4},
		{"exchange: no space", unix.SYS_RENAMEAT2, unix.ENOSPC, 1}, // config.json
		{"exchange: no access", unix.SYS_RENAMEAT2, unix.EACCES, 1},
		{"open: no access", unix.SYS_OPENAT, unix.EACCES, 4},
		{"open: no space", unix.SYS_OPENAT, unix.ENOSPC, 4},
		{"open: too many files", unix.SYS_OPENAT, unix.EMFILE, 4},
		{"chmod: not permitted", unix.SYS_FCHMOD, unix.EPERM, 4},
		{"setxattr: no access", unix.SYS_FSETXATTR, unix.EACCES, 2}, // passwd, group
		{"unlink: I/O error", unix.SYS_UNLINKAT, unix.EIO, 0},       // the kept config.json of before
		{"close: I/O error", unix.SYS_CLOSE, unix.EIO, 4},
		{"read: I/O error", unix.SYS_READ, unix.EIO, 0},
		{"stat: I/O error", unix.SYS_FSTAT, unix.EIO, 0},
		{"execve: no program", unix.SYS_EXECVE, unix.ENOEXEC, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			needed, stopped := 0, 0
			for n := 1; ; n++ {
				s.reset()
				var stdout, stderr bytes.Buffer
				cmd := s.create()
				cmd.Stdout, cmd.Stderr = &stdout, &stderr
				h, err := under(t, fault{calls: []int{c.call}, at: n, errno: c.errno}, cmd)
				called := s.called()
				if h.call < 0 {
					if err != nil || !called {
						t.Fatalf("the call fails without a fault: %v", err)
					}
					break
				}
				writes := written.MatchString(h.what)
				if writes {
					needed++
				}
				switch {
				case called && writes:
					t.Errorf("the runtime was called in spite of %q", h.what)
				case called != (err == nil):
					t.Errorf("runtime called: %v, error: %v, in spite of %q", called, err, h.what)
				case !called && (stdout.Len() > 0 || stderr.Len() == 0):
					t.Errorf("stdout %q, stderr %q at %q", &stdout, &stderr, h.what)
				case !called:
					stopped++
				}
				s.oldOrNew()
				s.recovers()
			}
			if needed < c.least || stopped == 0 {
				t.Errorf("%d faults met a write, not %d; %d stopped the call", needed, c.least, stopped)
			}
			t.Logf("%d faults stopped the call, %d met a write", stopped, needed)
		})
	}
}

// TestExecFails makes each system call of an exec fail. Either the runtime is not called, or it gets a document that
// was rewritten and sealed; the bundle does not change.
func TestExecFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	testkit.Must(t, s.create().Run())
	sleep := osexec.Command("sleep", "1000")
	testkit.Must(t, sleep.Start())
	t.Cleanup(func() {
		_ = sleep.Process.Kill() // it does not end by itself
		_ = sleep.Wait()
	})
	root := t.TempDir()
	testkit.Must(t, writeState(root+"/c1", s.bundle, sleep.Process.Pid, false))
	config := s.read("config.json")
	for _, c := range []struct {
		name  string
		call  int
		errno syscall.Errno
	}{
		{"memfd_create", unix.SYS_MEMFD_CREATE, unix.ENOMEM},
		{"write", unix.SYS_WRITE, unix.ENOSPC},
		{"fcntl", unix.SYS_FCNTL, unix.EPERM},
		{"fcntl", unix.SYS_FCNTL, unix.EMFILE},
		{"open", unix.SYS_OPENAT, unix.EMFILE},
		{"read", unix.SYS_READ, unix.EIO},
	} {
		stopped := 0
		for n := 1; ; n++ {
			testkit.Must(t, os.RemoveAll(s.calls))
			cmd := s.create()
			cmd.Args = []string{cmd.Path, "--root", root, "exec", "-u", "0", "c1", "id"}
			h, err := under(t, fault{calls: []int{c.call}, at: n, errno: c.errno}, cmd)
			_, missing := os.Stat(s.calls)
			if called := missing == nil; called != (err == nil) {
				t.Errorf("%s %d: runtime called: %v, error: %v", c.name, n, called, err)
			} else if called {
				s.sealedProcess()
			} else {
				stopped++
			}
			if h.call < 0 {
				break
			}
		}
		if stopped == 0 {
			t.Errorf("no fault of %s stopped the call", c.name)
		}
	}
	if !bytes.Equal(s.read("config.json"), config) {
		t.Error("exec has changed config.json")
	}
	s.noTemporary()
}

// sealedProcess fails if the runtime's document is not the expected one.
func (s *site) sealedProcess() {
	s.t.Helper()
	process, err := os.ReadFile(s.calls + "/process.json")
	testkit.Must(s.t, err)
	seals, err := os.ReadFile(s.calls + "/seals")
	testkit.Must(s.t, err)
	if !isRewritten(append(append([]byte(`{"process":`), process...), '}')) || string(seals) != "seal shrink grow write\n" {
		s.t.Errorf("the runtime was called with %s, sealed by %q", process, seals)
	}
}

// written matches the names of the files that a rewrite writes.
var written = regexp.MustCompile(`(^|/)(nonroot-passwd|nonroot-group|\.nonroot-[^/]*)$`)

// mounted mounts a small tmpfs and creates a site in it. The mount is in the tests' own namespace and ends with it.
func mounted(t *testing.T, pages int) *site {
	t.Helper()
	s := newSite(t)
	testkit.Must(t, unix.Mount("tmpfs", s.bundle, "tmpfs", 0, fmt.Sprintf("mode=700,size=%d", pages*os.Getpagesize())))
	t.Cleanup(func() { _ = unix.Unmount(s.bundle, unix.MNT_DETACH) })
	testkit.Must(t, makeBundle(s.bundle))
	testkit.Must(t, os.WriteFile(s.bundle+"/config.json", s.old, 0o600))
	return s
}

// TestFullDisk gives a call one more page of free space each time, until it is enough.
func TestFullDisk(t *testing.T) {
	free := 0
	for ; free < 50; free++ {
		s := mounted(t, 20)
		var st unix.Statfs_t
		testkit.Must(t, unix.Statfs(s.bundle, &st))
		testkit.Must(t, os.WriteFile(s.bundle+"/rootfs/filler", make([]byte, (int(st.Bavail)-free)*os.Getpagesize()), 0o600))
		out, err := s.create().CombinedOutput()
		if err == nil {
			if !s.called() || !isRewritten(s.read("config.json")) {
				t.Fatalf("success on a full disk: %s", out)
			}
			s.noTemporary()
			break
		}
		if s.called() || !bytes.Contains(out, []byte("no space left on device")) {
			t.Fatalf("%d pages free: %s", free, out)
		}
		if !bytes.Equal(s.oldOrNew(), s.old) {
			t.Fatalf("%d pages free: config.json was replaced, but the call failed", free)
		}
		s.noTemporary()
	}
	if free < 3 || free == 50 {
		t.Fatalf("the call succeeded with %d pages of free space", free)
	}
}

// TestReadOnlyBundle: if nothing can be written, no container is created.
func TestReadOnlyBundle(t *testing.T) {
	s := mounted(t, 50)
	testkit.Must(t, unix.Mount("", s.bundle, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	out, err := s.create().CombinedOutput()
	if err == nil || s.called() || !strings.Contains(string(out), "read-only file system") {
		t.Fatalf("%v: %s", err, out)
	}
	s.oldOrNew()
	if names := s.names(); len(names) != 1 {
		t.Fatalf("there are %q", names)
	}
}

// TestManyAtOnce: 200 containers are created at the same time.
func TestManyAtOnce(t *testing.T) {
	const many = 200
	sites := make([]*site, many)
	commands := make([]*osexec.Cmd, many)
	outputs := make([]bytes.Buffer, many)
	for i := range sites {
		sites[i] = newSite(t)
		commands[i] = sites[i].create()
		commands[i].Stdout, commands[i].Stderr = &outputs[i], &outputs[i]
	}
	for _, c := range commands {
		testkit.Must(t, c.Start())
	}
	for i, c := range commands {
		if err := c.Wait(); err != nil || outputs[i].Len() > 0 {
			t.Errorf("%v: %s", err, &outputs[i])
			continue
		}
		s := sites[i]
		if !s.called() || bytes.Equal(s.oldOrNew(), s.old) {
			t.Error("a container was not rewritten")
		}
		s.noTemporary()
	}
}

// TestSameBundleAtOnce: several calls rewrite one bundle at the same time. One may fail because another one is using
// its files; at the end the bundle is complete.
func TestSameBundleAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for range 30 {
		s.reset()
		var all sync.WaitGroup
		var succeeded atomic.Int32
		for i := range 4 {
			one := *s
			one.calls = fmt.Sprintf("%s/%d", s.calls, i)
			all.Go(func() {
				out, err := one.create().CombinedOutput()
				if one.called() != (err == nil) || (err == nil) != (len(out) == 0) {
					t.Errorf("%v: %s", err, out)
				}
				if err == nil {
					succeeded.Add(1)
				}
			})
		}
		all.Wait()
		if succeeded.Load() == 0 || bytes.Equal(s.oldOrNew(), s.old) {
			t.Fatalf("%d calls succeeded, and config.json was not rewritten", succeeded.Load())
		}
		s.noTemporary()
	}
}
