// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
	. "github.com/nonroot-runc/nonroot-runc/internal/testkit"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// running is a container that a runtime knows, with a first process that sleeps.
type running struct {
	t      *testing.T
	root   string // the runtime's --root
	bundle string
	dir    *bundle.Dir
	pid    int
	start  uint64
}

func run(t *testing.T, edit func(*specs.Spec), attr *syscall.SysProcAttr) *running {
	t.Helper()
	s := Spec()
	if edit != nil {
		edit(s)
	}
	r := &running{t: t, bundle: SpecBundle(t, s, small...), pid: sleeper(t, attr)}
	var err error
	r.root, err = filepath.EvalSymlinks(t.TempDir())
	Must(t, err)
	r.start, err = proc.StartTime(strconv.Itoa(r.pid))
	Must(t, err)
	r.dir, err = bundle.Open(r.bundle, trusted.CallersOwners(nil))
	Must(t, err)
	t.Cleanup(r.dir.Close)
	r.state(runc.Runc)
	return r
}

// state writes the runtime's state file.
func (r *running) state(kind runc.Kind) {
	r.t.Helper()
	Must(r.t, os.RemoveAll(r.root+"/c"), os.MkdirAll(r.root+"/c", 0o700))
	name, text := "state.json", fmt.Sprintf(`{"init_process_pid":%d,"init_process_start":%d,"config":{"labels":["bundle=%s"]}}`, r.pid, r.start, r.bundle)
	if kind == runc.Crun {
		name, text = "status", fmt.Sprintf(`{"pid":%d,"process-start-time":%d,"bundle":%q}`, r.pid, r.start, r.bundle)
	}
	Must(r.t, os.WriteFile(r.root+"/c/"+name, []byte(text), 0o600))
}

// recorded writes the record of a decision.
func (r *running) recorded(d decision.Decision) {
	r.t.Helper()
	config, err := r.dir.Read(bundle.Config)
	Must(r.t, err)
	if d.Config == "" {
		d.Config = record.Digest(config)
	}
	if d.ID == "" {
		d.ID = "c"
	}
	if d.Start == 0 {
		d.Start = r.start
	}
	Must(r.t, record.Write(r.dir, &d))
}

func (r *running) find(p *policy.Policy) *Existing {
	r.t.Helper()
	e, err := Find(r.root, true, "c", caller())
	Must(r.t, err)
	e.Match()
	e.By(p)
	return e
}

var rewritten = decision.Decision{
	Mode: policy.Rewrite, Identity: &policy.Identity{UID: 1000, GID: 1000, Groups: []uint32{5000}}, Asked: &policy.Identity{}, Source: policy.Fixed, Rule: "default",
}

// TestMatch: a record counts if it is of this container and this config.json, older than the container's start, and in
// a bundle that only root can change.
func TestMatch(t *testing.T) {
	with := func(edit func(*decision.Decision)) func(*running) {
		return func(r *running) {
			d := rewritten
			edit(&d)
			r.recorded(d)
		}
	}
	for _, test := range []struct {
		name    string
		change  func(*running)
		binding bool
		unsure  bool
		unsound string
		left    bool
	}{
		{"its own", with(func(*decision.Decision) {}), true, false, "", true},
		{"none", func(*running) {}, false, false, "", false},
		{"of another container", with(func(d *decision.Decision) { d.ID = "other" }), false, false, "", true},
		{"of another config.json", with(func(d *decision.Decision) { d.Config = record.Digest(nil) }), false, false, "", true},
		{"D8: younger than the process", with(func(d *decision.Decision) { d.Start = 1 << 62 }), false, true, "", true},
		{"an exemption that is younger", with(func(d *decision.Decision) { d.Mode, d.Start = policy.Off, 1<<62 }), false, false, "", true},
		{"older than the process", with(func(d *decision.Decision) { d.Start = 1 }), true, false, "", true},
		{"an exemption", with(func(d *decision.Decision) { d.Mode = policy.Off }), true, false, "", true},
		{"one that can't be read", func(r *running) { Must(r.t, os.WriteFile(r.bundle+"/"+record.File, []byte("{"), 0o600)) }, false, false, "", false},
		{"the bundle is others'", func(r *running) {
			with(func(*decision.Decision) {})(r)
			Must(r.t, os.Chmod(r.bundle, 0o777))
		}, false, false, "can be written by others", false},
		{"config.json is gone", func(r *running) {
			with(func(*decision.Decision) {})(r)
			Must(r.t, os.Remove(r.bundle+"/config.json"))
		}, false, false, "no such file", true},
		{"config.json is a link", func(r *running) {
			with(func(*decision.Decision) {})(r)
			Must(r.t, os.Rename(r.bundle+"/config.json", r.bundle+"/moved"), os.Symlink("moved", r.bundle+"/config.json"))
		}, false, false, "symbolic link", true},
	} {
		for _, kind := range []runc.Kind{runc.Runc, runc.Crun} {
			r := run(t, nil, nil)
			r.state(kind)
			test.change(r)
			e := r.find(policy.Default())
			if (e.Record != nil) != test.binding || e.Unsure != test.unsure || (e.Left != nil) != test.left || e.State.Kind != kind || e.Bundle != r.bundle {
				t.Errorf("%s, %s: binding %+v, unsure %v, left %+v", test.name, kind, e.Record, e.Unsure, e.Left)
			}
			if (e.Unsound != nil) != (test.unsound != "") || e.Unsound != nil && !strings.Contains(e.Unsound.Error(), test.unsound) {
				t.Errorf("%s, %s: unsound is %v", test.name, kind, e.Unsound)
			}
		}
	}
}

// TestGatherExec gathers the facts for an exec, for each kind of runtime and with various files in the bundle.
func TestGatherExec(t *testing.T) {
	names := func(r *running) {
		write(r.t, r.bundle+"/"+record.Passwd, "app:x:1000:1000::/home/app:/bin/sh\n")
		write(r.t, r.bundle+"/"+record.Group, "app:x:1000:\n")
	}
	alone := rewritten
	alone.Identity = &policy.Identity{UID: 1000, GID: 1000}
	for _, test := range []struct {
		name   string
		kind   runc.Kind
		record *decision.Decision
		change func(*running)
		named  bool // groups may be looked up as names
		passwd bool // the copies are read
		looked bool // the first process is examined
	}{
		{"rewritten, with names", runc.Runc, &rewritten, names, false, true, false},
		{"rewritten, with names, no groups", runc.Runc, &alone, names, false, true, false},
		{"rewritten, without names, groups were given", runc.Runc, &rewritten, nil, false, false, false},
		{"A3: rewritten, without names and groups", runc.Runc, &alone, nil, true, false, false},
		{"A3: no record", runc.Runc, nil, nil, true, false, true},
		{"A3: no record, and names that nobody vouches for", runc.Runc, nil, names, true, false, true},
		{"no record, crun", runc.Crun, nil, nil, false, false, true},
		{"rewritten, crun, without names and groups", runc.Crun, &alone, nil, false, false, false},
	} {
		r := run(t, nil, nil)
		r.state(test.kind)
		if test.record != nil {
			r.recorded(*test.record)
		}
		if test.change != nil {
			test.change(r)
		}
		e := r.find(policy.Default())
		doc, err := e.GatherExec(Exec{Flags: &runcargs.ExecFlags{Args: []string{"id"}}})
		Must(t, err)
		if doc == nil || !e.Seen || e.Act != policy.Exec || e.NamedGroups != test.named || (len(e.Accounts.Passwd) > 0) != test.passwd || (e.Process != nil) != test.looked || e.Nested {
			t.Errorf("%s: %+v", test.name, e.Facts)
		}
	}
}

// TestGatherExecStops if nothing in the bundle can be trusted, and goes ahead if the container is exempt.
func TestGatherExecStops(t *testing.T) {
	off := policy.Default()
	off.Mode = policy.Off
	unfit := fmt.Errorf("descriptor 3 is a directory")
	for _, test := range []struct {
		name    string
		p       *policy.Policy
		open    bool
		unfit   error
		process string
		gets    bool // the requested process
		fails   string
		mode    policy.Mode
	}{
		{"a bundle of others", policy.Default(), true, nil, "", false, "", policy.Refuse},
		{"descriptors", policy.Default(), false, unfit, "", false, "", policy.Refuse},
		{"a process file that is not there", policy.Default(), false, nil, "/run/none", false, "read the process file", ""},
		{"a process file that is not JSON", policy.Default(), false, nil, "{", false, "read the process file", ""},
		{"a process file with a user that is not an object", policy.Default(), false, nil, `{"user":5}`, false, "process.user", ""},
		{"exempt, a process file that is not there", off, false, nil, "/run/none", false, "", policy.Off},
		{"exempt, a bundle of others", off, true, unfit, `{"user":{"uid":0,"gid":0},"args":["id"],"cwd":"/"}`, true, "", policy.Off},
	} {
		r := run(t, nil, nil)
		if test.open {
			Must(t, os.Chmod(r.bundle, 0o777))
		}
		process := test.process
		if strings.HasPrefix(process, "{") {
			process = filepath.Join(t.TempDir(), "process.json")
			Must(t, os.WriteFile(process, []byte(test.process), 0o600))
		}
		e := r.find(test.p)
		doc, err := e.GatherExec(Exec{Process: process, Flags: &runcargs.ExecFlags{Args: []string{"id"}}, Unfit: test.unfit})
		if (doc != nil) != test.gets || (err != nil) != (test.fails != "") || err != nil && !strings.Contains(err.Error(), test.fails) {
			t.Errorf("%s: %v, %v", test.name, doc, err)
		}
		if err == nil {
			if d := e.Settle(test.p); d.Mode != test.mode {
				t.Errorf("%s: %+v", test.name, d)
			}
		}
	}
}

// TestNested: a user namespace that the first process created for itself doesn't determine the container's ids; one in
// config.json does.
func TestNested(t *testing.T) {
	NeedPrivate(t)
	attr := func() *syscall.SysProcAttr {
		return &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 7, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 7, HostID: os.Getegid(), Size: 1}},
		}
	}
	own := func(s *specs.Spec) {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	}
	for _, test := range []struct {
		name   string
		edit   func(*specs.Spec)
		attr   *syscall.SysProcAttr
		nested bool
		mapped bool
	}{
		{"none", nil, nil, false, false},
		{"its own", own, attr(), false, true},
		{"one that it has made", nil, attr(), true, false},
	} {
		r := run(t, test.edit, test.attr)
		e := r.find(policy.Default())
		_, err := e.GatherExec(Exec{Flags: &runcargs.ExecFlags{Args: []string{"id"}}})
		Must(t, err)
		if e.Nested != test.nested || (e.UserNamespace != nil) != test.mapped || (e.Process != nil) == test.nested {
			t.Errorf("%s: %+v", test.name, e.Facts.Existing)
		}
		if test.mapped {
			if uid, _ := e.UserNamespace.UID.Inside(uint32(os.Geteuid())); uid != 7 {
				t.Errorf("%s: %+v", test.name, e.UserNamespace)
			}
		}
	}
	// A container with an unreadable config.json may have one.
	r := run(t, nil, attr())
	Must(t, os.WriteFile(r.bundle+"/config.json", []byte("{"), 0o600))
	e := r.find(policy.Default())
	process := filepath.Join(t.TempDir(), "process.json")
	Must(t, os.WriteFile(process, []byte(`{"user":{"uid":0,"gid":0},"args":["id"],"cwd":"/"}`), 0o600))
	if _, err := e.GatherExec(Exec{Process: process}); err != nil || e.Nested || e.UserNamespace == nil {
		t.Errorf("unreadable: %v, %+v", err, e.Facts.Existing)
	}
}

// TestGatherStart examines the first process, unless the container is exempt or nothing of it can be trusted.
func TestGatherStart(t *testing.T) {
	off := policy.Default()
	off.Mode = policy.Off
	for _, test := range []struct {
		name   string
		p      *policy.Policy
		change func(*running)
		looked bool
		fault  string
	}{
		{"no record", policy.Default(), nil, true, ""},
		{"rewritten", off, func(r *running) { r.recorded(rewritten) }, true, ""},
		{"exempt", off, nil, false, ""},
		{"a bundle of others", policy.Default(), func(r *running) { Must(r.t, os.Chmod(r.bundle, 0o777)) }, false, ""},
		{"its pid is another's by now", policy.Default(), func(r *running) { r.start++; r.state(runc.Runc) }, false, "it is not running"},
		{"it has stopped", policy.Default(), func(r *running) { r.pid = -1; r.state(runc.Crun) }, false, "pid"},
	} {
		r := run(t, nil, nil)
		if test.change != nil {
			test.change(r)
		}
		e, err := Find(r.root, true, "c", caller())
		if test.fault == "pid" {
			if err == nil {
				t.Errorf("%s: a state file with the pid -1 is read", test.name)
			}
			continue
		}
		Must(t, err)
		e.Match()
		e.By(test.p)
		e.GatherStart()
		if e.Act != policy.Start || (e.Process != nil) != test.looked {
			t.Errorf("%s: %+v", test.name, e.Facts.Existing)
		}
		if (e.ProcessFault != nil) != (test.fault != "") || e.ProcessFault != nil && !strings.Contains(e.ProcessFault.Error(), test.fault) {
			t.Errorf("%s: %v", test.name, e.ProcessFault)
		}
	}
}

// TestFindFails if no runtime, or more than one, knows the container.
func TestFindFails(t *testing.T) {
	r := run(t, nil, nil)
	if _, err := Find(r.root, true, "other", caller()); err == nil || !strings.Contains(err.Error(), "no state file") {
		t.Error(err)
	}
	runcs, err := os.ReadFile(r.root + "/c/state.json")
	Must(t, err)
	r.state(runc.Crun)
	Must(t, os.WriteFile(r.root+"/c/state.json", runcs, 0o600))
	if _, err := Find(r.root, true, "c", caller()); err == nil || !strings.Contains(err.Error(), "choose one with --root") {
		t.Error(err)
	}
}

// TestBy: rules apply to a container by its config.json and the runtime's --root; if config.json can't be read, none
// exempts it.
func TestBy(t *testing.T) {
	p, err := policy.Parse("p", []byte("mode = \"off\"\nreason = \"x\"\n[[rule]]\nname = \"mine\"\nmatch.annotations = {a = [\"b\"]}\nmode = \"refuse\"\n"))
	Must(t, err)
	annotated := func(s *specs.Spec) { s.Annotations = map[string]string{"a": "b"} }
	r := run(t, annotated, nil)
	if e := r.find(p); e.Rule().Rule != "mine" || e.Rule().Mode != policy.Refuse || e.Origin.Root != r.root {
		t.Errorf("%+v, %+v", e.Rule(), e.Origin)
	}
	if e := run(t, nil, nil).find(p); e.Rule().Rule != "default" || e.Rule().Mode != policy.Off {
		t.Errorf("%+v", e.Rule())
	}
	for _, text := range []string{"{", `{"process":{},"root":5}`} {
		Must(t, os.WriteFile(r.bundle+"/config.json", []byte(text), 0o600))
		if e := r.find(p); e.Origin != nil || e.Rule().Mode != policy.Rewrite {
			t.Errorf("%s: %+v", text, e.Rule())
		}
	}
}

// TestExecFlags checks what the command line changes in the container's own process.
func TestExecFlags(t *testing.T) {
	r := run(t, func(s *specs.Spec) {
		s.Process.User = specs.User{UID: 5, GID: 6, AdditionalGids: []uint32{7}}
		s.Process.Terminal = true
		s.Process.ApparmorProfile = "old"
	}, nil)
	for _, test := range []struct {
		name  string
		flags runcargs.ExecFlags
		user  [2]uint32
		gids  []uint32
		cwd   string
		fails string
	}{
		{"none", runcargs.ExecFlags{Args: []string{"id"}}, [2]uint32{5, 6}, []uint32{7}, "/", ""},
		{"a uid", runcargs.ExecFlags{Args: []string{"id"}, User: "0"}, [2]uint32{0, 6}, []uint32{7}, "/", ""},
		{"both", runcargs.ExecFlags{Args: []string{"id"}, User: "0:0"}, [2]uint32{0, 0}, []uint32{7}, "/", ""},
		{"groups", runcargs.ExecFlags{Args: []string{"id"}, AdditionalGids: []uint32{0}}, [2]uint32{5, 6}, []uint32{7, 0}, "/", ""},
		{"a directory", runcargs.ExecFlags{Args: []string{"id"}, Cwd: "/proc"}, [2]uint32{5, 6}, []uint32{7}, "/proc", ""},
		{"D3: a name", runcargs.ExecFlags{Args: []string{"id"}, User: "root"}, [2]uint32{}, nil, "", "root"},
		{"D3: past 32 bits", runcargs.ExecFlags{Args: []string{"id"}, User: "4294967296"}, [2]uint32{}, nil, "", "4294967296"},
	} {
		e := r.find(policy.Default())
		doc, err := e.GatherExec(Exec{Flags: &test.flags})
		if (err != nil) != (test.fails != "") || err != nil && !strings.Contains(err.Error(), test.fails) {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if err != nil {
			continue
		}
		args, err := doc.Args()
		Must(t, err)
		if e.User.UID != test.user[0] || e.User.GID != test.user[1] || !slices.Equal(e.User.Groups, test.gids) || e.Cwd != test.cwd || !slices.Equal(args, test.flags.Args) {
			t.Errorf("%s: %+v in %q", test.name, e.User, e.Cwd)
		}
	}
}

// TestExecAsksForLittle: an exec without groups does not read the host's groups.
func TestExecAsksForLittle(t *testing.T) {
	r := run(t, nil, nil)
	r.recorded(rewritten)
	e := r.find(policy.Default())
	_, err := e.GatherExec(Exec{Flags: &runcargs.ExecFlags{Args: []string{"id"}}})
	Must(t, err)
	if d := e.Settle(policy.Default()); d.Mode != policy.Rewrite || d.Identity.UID != 1000 || e.HostGroups != nil {
		t.Errorf("%+v, %+v", d, e.HostGroups)
	}
	e = r.find(policy.Default())
	_, err = e.GatherExec(Exec{Flags: &runcargs.ExecFlags{Args: []string{"id"}, User: "7:7"}})
	Must(t, err)
	if d := e.Settle(policy.Default()); d.Mode != policy.Rewrite || d.Identity.UID != 7 || e.HostGroups == nil {
		t.Errorf("%+v, %+v", d, e.HostGroups)
	}
}
