// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/host"
	"github.com/nonroot-runc/nonroot-runc/internal/pin"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
	. "github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// These tests cover edge cases, each part of a condition by itself, so that `make mutants` finds no survivors.

// TestSharesWithHost tries each propagation of the rootfs and of a mount (mount_namespaces(7)).
func TestSharesWithHost(t *testing.T) {
	for _, test := range []struct {
		rootfs  string
		options []string
		want    bool
	}{
		{"shared", []string{"bind"}, true},
		{"rshared", []string{"rbind"}, true},
		{"nonsense", []string{"rbind"}, true},
		{"", []string{"rbind"}, false},
		{"private", []string{"rbind"}, false},
		{"rprivate", []string{"rbind"}, false},
		{"slave", []string{"rbind"}, false},
		{"rslave", []string{"rbind", "rshared"}, false},
		{"unbindable", []string{"rbind"}, false},
		{"runbindable", []string{"rbind"}, false},
		{"shared", []string{"ro"}, false},
		{"shared", []string{"rbind", "rprivate"}, false},
		{"shared", []string{"rbind", "rslave"}, false},
		{"shared", []string{"rbind", "runbindable"}, false},
		{"shared", []string{"rbind", "rprivate", "shared"}, true},
		{"shared", []string{"rbind", "rprivate", "rshared"}, true},
		// An option that isolates only the mount itself leaves those below it shared.
		{"shared", []string{"bind", "private"}, false},
		{"shared", []string{"bind", "slave"}, false},
		{"shared", []string{"bind", "unbindable"}, false},
		{"shared", []string{"rbind", "private"}, true},
		{"shared", []string{"rbind", "bind", "private"}, true},
	} {
		c := &spec.Container{RootfsPropagation: test.rootfs}
		if got := sharesWithHost(c, &spec.Mount{Destination: "/m", Options: test.options}); got != test.want {
			t.Errorf("%q with %q: %v", test.rootfs, test.options, got)
		}
	}
	// A type without options binds everything below, too.
	c := &spec.Container{RootfsPropagation: "shared"}
	if !sharesWithHost(c, &spec.Mount{Type: "bind", Options: []string{"private"}}) {
		t.Error("what is not said to be of one mount is of all")
	}
}

// TestShown: which mounts are examined, where their sources are, and whether mounts below are included.
func TestShown(t *testing.T) {
	c := callFor(t, nil, nil)
	for _, test := range []struct {
		mount spec.Mount
		want  *host.Bind
	}{
		{
			spec.Mount{Type: "bind", Source: "/s", Destination: "/d"},
			&host.Bind{Source: "/s", Destination: "/d", Recursive: true},
		},
		{
			spec.Mount{Source: "/s", Destination: "/d", Options: []string{"bind"}},
			&host.Bind{Source: "/s", Destination: "/d"},
		},
		{
			spec.Mount{Source: "/s", Destination: "/d", Options: []string{"rbind", "ro"}},
			&host.Bind{Source: "/s", Destination: "/d", Recursive: true, ReadOnly: true},
		},
		{
			spec.Mount{Source: "/s", Destination: "/d", Options: []string{"bind", "rbind"}},
			&host.Bind{Source: "/s", Destination: "/d", Recursive: true},
		},
		{
			spec.Mount{Source: "s", Destination: "/d", Options: []string{"bind"}},
			&host.Bind{Source: c.Bundle.Join("s"), Destination: "/d"},
		},
		{spec.Mount{Type: "tmpfs", Source: "/s", Destination: "/d"}, nil},
		{spec.Mount{Type: "bind", Source: c.Bundle.Join(record.Passwd), Destination: "/etc/passwd"}, nil},
	} {
		got := shown(c.Bundle, []spec.Mount{test.mount})
		if test.want == nil && len(got) > 0 || test.want != nil && !slices.Equal(got, []host.Bind{*test.want}) {
			t.Errorf("%+v: %+v", test.mount, got)
		}
	}
}

// TestNotInside: if the rootfs can't be resolved, every hook is refused.
func TestNotInside(t *testing.T) {
	c := callFor(t, nil, nil)
	if err := notInside(c.Bundle, "nosuch", "/usr/bin/hook", "prestart"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a rootfs that is not there: %v", err)
	}
	if err := notInside(c.Bundle, "/", "//hook", "prestart"); err != nil {
		t.Errorf("the host's own: %v", err)
	}
}

// TestPathsThatLoop: nothing is decided on paths with links that loop.
func TestPathsThatLoop(t *testing.T) {
	image := with("loop -> /loop", "etc/loop -> /etc/loop")
	for name, edit := range map[string]func(*specs.Spec){
		"follow the working directory": func(s *specs.Spec) { s.Process.Cwd = "/loop/x" },
		"find which mount": func(s *specs.Spec) {
			s.Linux.RootfsPropagation = "shared"
			s.Mounts = append(s.Mounts, bindOf("/usr", "/loop/x"))
		},
	} {
		c := callFor(t, nil, edit, image...)
		g, err := c.Gather()
		if err == nil {
			g.Settle()
		}
		t.Cleanup(g.Close)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	g := gather(t, callFor(t, nil, nil, image...))
	if at, ok := g.mayGive("/loop/x"); ok || at != "/loop/x" {
		t.Errorf("what can't be followed is given: %q", at)
	}
}

// TestWhoseFiles: an image may contain files of any identity that policies have assigned.
func TestWhoseFiles(t *testing.T) {
	p := policy.Default()
	p.UID = 71
	g := gather(t, callFor(t, p, nil))
	q := *g.rule
	q.UID = 72
	g.rule = &q
	if got, want := g.fileOwners().Policy, []uint32{72, 71, uint32(policy.Default().UID)}; !slices.Equal(got, want) {
		t.Errorf("%d, want %d", got, want)
	}
}

// TestWhoseFilesBefore: the bundle tells who the container was at its last start, and if it is gone, the layer does.
func TestWhoseFilesBefore(t *testing.T) {
	has := func(g *Gathered, uid uint32) bool { return slices.Contains(g.fileOwners().Policy, uid) }
	g := gathered(t, nil)
	if has(g, 1234) {
		t.Error("nobody was 1234")
	}
	g.lookedAtLast, g.started = true, &policy.LastStart{Identity: policy.Identity{UID: 1234, GID: 1234}}
	if !has(g, 1234) {
		t.Error("by its layer, it was 1234")
	}
	g.last = &policy.Identity{UID: 1235, GID: 1235}
	if !has(g, 1235) || has(g, 1234) {
		t.Error("by its bundle, it was 1235")
	}
}

// TestGivenPaths: which further paths change owner, and which don't.
func TestGivenPaths(t *testing.T) {
	tmpfs := func(destination string, options ...string) specs.Mount {
		return specs.Mount{Destination: destination, Type: "tmpfs", Source: "tmpfs", Options: options}
	}
	for _, test := range []struct {
		name string
		edit func(*specs.Spec)
		want []string
	}{
		{"the working directory is not asked for", func(s *specs.Spec) { s.Process.Cwd = "/work" }, nil},
		{"a tmpfs that is empty", func(s *specs.Spec) { s.Mounts = append(s.Mounts, tmpfs("/work")) }, nil},
		{
			"a tmpfs that is filled, and somebody's",
			func(s *specs.Spec) { s.Mounts = append(s.Mounts, tmpfs("/work", "tmpcopyup", "uid=5")) }, nil,
		},
		{
			"a tmpfs that is filled",
			func(s *specs.Spec) { s.Mounts = append(s.Mounts, tmpfs("/work", "tmpcopyup")) },
			[]string{"/work"},
		},
	} {
		g := gather(t, callFor(t, nil, test.edit, with("work/")...))
		g.rule.Adapt = policy.Adapt{Volumes: true}
		d := decidedAs(65532, policy.Fixed)
		if got := g.give(d, g.ownedTmpfs(d)); got == nil || !slices.Equal(got.Paths, test.want) {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
	c := callFor(t, nil, nil)
	s := Spec()
	s.Root.Path = c.Bundle.Join("rootfs")
	rewriteConfig(t, c, s)
	g := gather(t, c)
	if got := g.give(decidedAs(65532, policy.Fixed), nil); got == nil || got.Rootfs != s.Root.Path {
		t.Errorf("an absolute rootfs: %+v", got)
	}
	for _, e := range engines.All {
		if e.Builds.IDPrefix == "" {
			continue
		}
		if g.ID = e.Builds.IDPrefix + "1"; g.give(decidedAs(65532, policy.Fixed), nil) != nil {
			t.Errorf("%s: what runs while an image is built stays in it", e.Name)
		}
	}
}

// TestOwnedTmpfsOfEarlier: the owner that an earlier rewrite added last is removed from each mount, whatever the other
// options.
func TestOwnedTmpfsOfEarlier(t *testing.T) {
	g := gathered(t, func(s *specs.Spec) {
		for at, options := range map[string][]string{"/a": {"uid=7", "gid=7"}, "/b": {}, "/c": {"ro"}} {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: at, Type: "tmpfs", Source: "tmpfs", Options: options})
		}
	})
	g.before = &policy.Identity{UID: 7, GID: 7}
	got := g.ownedTmpfs(decidedAs(65532, policy.Fixed))
	if len(got) != 3 {
		t.Errorf("%v", got)
	}
	for i, options := range got {
		if want := g.Container.Mounts[i].Destination == "/c"; (len(options) == 1) != want || len(options) > 1 {
			t.Errorf("%s: %q", g.Container.Mounts[i].Destination, options)
		}
	}
}

// TestOwnFilesFarBelow: a mount of anything deep in a directory of ours is found, across file systems, too.
func TestOwnFilesFarBelow(t *testing.T) {
	NeedPrivate(t)
	write(t, "/var/lib/deep/1/2/3/file", "")
	write(t, pin.File, "")
	Must(
		t,
		os.MkdirAll("/run/mounted", 0o755),
		unix.Mount("tmpfs", "/run/mounted", "tmpfs", 0, ""),
		os.MkdirAll("/run/mounted/below", 0o755),
	)
	t.Cleanup(func() { Must(t, unix.Unmount("/run/mounted", 0)) })
	for _, test := range []struct{ source, state, what string }{
		{"/var/lib/deep/1/2/3/file", "/var/lib/deep", "state"},
		{"/var/lib/deep/1/2/3", "/var/lib/deep", "state"},
		{"/var/lib/deep/1/2/3", "/var/lib/deep/1/2", "state"},
		{"/var/lib/deep/1", "/var/lib/deep/1/2", ""},
		{"/run/mounted/below", "/run", "state"}, // the roots of both file systems have the same inode number
		{"/run/mounted", "/run", "state"},
		{pin.File, "/none", "pins of policies"},
	} {
		p := policy.Default()
		p.State = test.state
		got := ownFiles(p, []host.Bind{{Source: test.source, Destination: "/d"}})
		if (len(got) == 1) != (test.what != "") || len(got) == 1 && got[0].What != test.what {
			t.Errorf("%s with the state in %s: %+v", test.source, test.state, got)
		}
	}
}

// TestOursWithinTheShared: mounts of an earlier rewrite are replaced, even the first in the list.
func TestOursWithinTheShared(t *testing.T) {
	g := gathered(t, func(s *specs.Spec) {
		s.Linux.RootfsPropagation = "shared"
		s.Mounts = []specs.Mount{
			{Destination: "/data/home", Type: "tmpfs", Source: homedir.TmpfsSource},
			{Destination: "/data", Type: "bind", Source: "/usr", Options: []string{"rbind"}},
		}
	})
	if len(g.Spread) > 0 {
		t.Errorf("%+v", g.Spread)
	}
}

// TestIsolateWhatCantBeFollowed: a copy of names is left out if it can't be determined whether it would propagate to
// the host, provided that it may be left out.
func TestIsolateWhatCantBeFollowed(t *testing.T) {
	for _, test := range []struct {
		shared []string
		passwd []byte
		notes  int
	}{{nil, []byte("x"), 0}, {[]string{"/data"}, []byte("x"), 1}, {[]string{"/data"}, nil, 0}} {
		g := gather(t, callFor(t, nil, nil, "tmp/", "proc/", "etc -> /etc"))
		g.shared = test.shared
		home := &homedir.Plan{}
		home.Passwd, home.Numbers = test.passwd, true
		if notes := g.isolateNames(home); len(notes) != test.notes || home.Numbers != (test.notes == 0) ||
			(home.Passwd == nil) != (test.notes == 1 || test.passwd == nil) {
			t.Errorf("%q, %q: %q, %+v", test.shared, test.passwd, notes, home)
		}
	}
}

// TestJoinedWithoutARuntime: if no runtime is started, the descriptor stays the caller's own.
func TestJoinedWithoutARuntime(t *testing.T) {
	c := &spec.Container{Namespaces: []spec.Namespace{{Type: "user", Path: "/proc/self/ns/user"}}}
	if pair, join, err := userNamespace(c, nil); err != nil || pair == nil || !strings.HasPrefix(join, "/proc/./") {
		t.Errorf("%+v, %q, %v", pair, join, err)
	}
}

// TestFindByLinks: the bundle is found through links, and a root that was not set counts as none.
func TestFindByLinks(t *testing.T) {
	NeedPrivate(t)
	r := run(t, nil, nil)
	link := filepath.Join(t.TempDir(), "link")
	Must(t, os.Symlink(r.bundle, link))
	real := r.bundle
	r.bundle = link
	r.state(runc.Runc)
	began := time.Now()
	e := r.find(policy.Default())
	if e.Bundle != real || e.root != r.root || e.Unsound != nil {
		t.Errorf("%q of %q, %v", e.Bundle, e.root, e.Unsound)
	}
	if e.Origin != nil || e.Now.Before(began.Add(-time.Second)) {
		t.Errorf("without a rule, nobody asks where it comes from: %+v at %s", e.Origin, e.Now)
	}
	text, err := os.ReadFile(r.root + "/c/state.json")
	Must(t, err)
	write(t, "/run/runc/c/state.json", string(text))
	t.Cleanup(func() { Must(t, os.RemoveAll("/run/runc")) })
	if e, err := Find("/other", false, "c", caller()); err != nil || e.root != "" {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestUnsoundStays: if any user can change the bundle, nothing in it is read.
func TestUnsoundStays(t *testing.T) {
	r := run(t, nil, nil)
	Must(t, os.Chmod(r.bundle, 0o777)) // #nosec G302 -- that is the matter
	e := r.find(policy.Default())
	if e.Unsound == nil || !strings.Contains(e.Unsound.Error(), "trust the bundle") || e.Config != nil {
		t.Errorf("%v, %q", e.Unsound, e.Config)
	}
}

// TestDocumentIsReadOnce, whether it can be parsed or not.
func TestDocumentIsReadOnce(t *testing.T) {
	r := run(t, nil, nil)
	e := r.find(policy.Default())
	first, err := e.document()
	Must(t, err)
	if second, _ := e.document(); first != second {
		t.Error("config.json is read twice")
	}
	e = &Existing{Config: []byte("{"), dir: r.dir, rule: policy.Default()}
	_, bad := e.document()
	if _, again := e.document(); bad == nil || bad != again { // the identical error
		t.Errorf("%v, %v", bad, again)
	}
	if !e.hasUserNamespace() {
		t.Error("a config.json that can't be read may have a user namespace")
	}
	if _, err := e.processDocument(Exec{Flags: &runcargs.ExecFlags{}}); err == nil ||
		!strings.Contains(err.Error(), bundle.Config) {
		t.Errorf("an exec of a config.json that can't be read: %v", err)
	}
	for namespaces, want := range map[string]bool{`5`: true, `[{"type":"user"}]`: true, `[{"type":"pid"}]`: false} {
		e := &Existing{
			Config: []byte(`{"process":{"user":{"uid":0,"gid":0},"args":["sh"],"cwd":"/"},"root":{"path":"rootfs"},` +
				`"linux":{"namespaces":` + namespaces + `}}`),
		}
		if got := e.hasUserNamespace(); got != want {
			t.Errorf("a user namespace by %s: %v", namespaces, got)
		}
	}
}

// TestExecsThatCantBeRead yield no process.
func TestExecsThatCantBeRead(t *testing.T) {
	r := run(t, nil, nil)
	file := filepath.Join(t.TempDir(), "process.json")
	for text, want := range map[string]string{
		`{"user":{"uid":-1},"args":["id"],"cwd":"/"}`: "read the process:",
		`[`: "read the process file", "": "no such file",
	} {
		at := file
		if text == "" {
			at += "s"
		}
		write(t, file, text)
		if doc, err := r.find(policy.Default()).GatherExec(Exec{Process: at}); doc != nil || err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", text, doc, err)
		}
	}
	for config, flags := range map[string]*runcargs.ExecFlags{
		`{"ociVersion":"1.0.2"}`: {}, `{"process":{"user":{"uid":-1},"args":["sh"],"cwd":"/"}}`: {User: "5"},
	} {
		e := &Existing{Config: []byte(config), dir: r.dir}
		if _, err := e.processDocument(Exec{Flags: flags}); err == nil {
			t.Errorf("%s with %+v is read", config, flags)
		}
	}
}

// TestExecIntoTheDead: the runtime has its own message for that, so nothing that is already gone is looked for.
func TestExecIntoTheDead(t *testing.T) {
	r := run(t, nil, nil)
	r.recorded(rewritten)
	e := r.find(policy.Default())
	e.State.Pid = 0
	_, err := e.GatherExec(Exec{Flags: &runcargs.ExecFlags{Args: []string{"id"}}})
	if err != nil || e.UserNamespace != nil {
		t.Errorf("%+v, %v", e.UserNamespace, err)
	}
}

// TestMissingOfExisting gathers what a decision asks for, and no more.
func TestMissingOfExisting(t *testing.T) {
	for _, m := range []decision.Missing{{}, {HostGroups: true}, {Accounts: true}} {
		e := &Existing{}
		if err := e.missing(&m); err != nil || (e.HostGroups != nil) != m.HostGroups ||
			(e.Accounts != nil) != m.Accounts {
			t.Errorf("%+v: %+v, %v", m, e.Facts, err)
		}
	}
}
