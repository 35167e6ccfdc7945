// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	. "github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

func bindOf(source, destination string, options ...string) specs.Mount {
	return specs.Mount{Destination: destination, Type: "bind", Source: source, Options: append([]string{"rbind"}, options...)}
}

// TestHooks: a program that users other than root can change, or that is one of the container's own files, is reported.
func TestHooks(t *testing.T) {
	open := filepath.Join(t.TempDir(), "open")
	Must(t, os.Mkdir(open, 0o700), os.WriteFile(open+"/hook", nil, 0o700), os.Chmod(open, 0o777))
	closed := filepath.Join(t.TempDir(), "hook")
	Must(t, os.WriteFile(closed, nil, 0o700))
	linked := filepath.Join(t.TempDir(), "link")
	Must(t, os.Symlink(closed, linked))
	const own = "IMAGE/bin/sh"
	for _, test := range []struct {
		name, stage, path string
		rootfs            string
		fault             string
	}{
		{"root's alone", "createRuntime", closed, "rootfs", ""},
		{"root's alone, by a link", "createRuntime", linked, "rootfs", ""},
		{"others can write the directory", "createRuntime", open + "/hook", "rootfs", "can be written by others"},
		{"there is none", "createRuntime", closed + "s", "rootfs", "no such file"},
		{"a relative path", "createRuntime", "bin/sh", "rootfs", "not an absolute path"},
		{"a directory", "createRuntime", "/usr", "rootfs", "is a directory"},
		{"C4: one of the image", "createRuntime", own, "rootfs", "one of the container's own files"},
		{"C4: one of the image, by its absolute path", "poststop", own, "IMAGE", "one of the container's own files"},
		{"the host's as the rootfs", "createRuntime", closed, "/", ""},
		{"C4: among mounts over the host's system", "createContainer", closed, "/usr", "in the container's mount namespace"},
		{"C4: among mounts over the host", "createContainer", closed, "/", "in the container's mount namespace"},
		{"among mounts over the image", "createContainer", closed, "rootfs", ""},
	} {
		c := callFor(t, nil, nil)
		name := strings.ReplaceAll(test.path, "IMAGE", c.Bundle.Join("rootfs"))
		rootfs := strings.ReplaceAll(test.rootfs, "IMAGE", c.Bundle.Join("rootfs"))
		s := Spec()
		s.Root.Path = rootfs
		hooks := []specs.Hook{{Path: name}}
		s.Hooks = &specs.Hooks{}
		switch test.stage {
		case "createRuntime":
			s.Hooks.CreateRuntime = hooks
		case "createContainer":
			s.Hooks.CreateContainer = hooks
		case "poststop":
			s.Hooks.Poststop = hooks
		}
		rewriteConfig(t, c, s)
		g := gather(t, c)
		if len(g.Hooks) != 1 || g.Hooks[0].Stage != test.stage || g.Hooks[0].Path != name {
			t.Fatalf("%s: %+v", test.name, g.Hooks)
		}
		fault := g.Hooks[0].Fault
		if (fault != nil) != (test.fault != "") || fault != nil && !strings.Contains(fault.Error(), test.fault) {
			t.Errorf("%s: %v, want %q", test.name, fault, test.fault)
		}
		if d := g.Settle(); d.Refused() != (test.fault != "") {
			t.Errorf("%s: %+v", test.name, d)
		}
	}
	g := gathered(t, func(s *specs.Spec) { s.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: linked}}} })
	if g.Hooks[0].Real != closed {
		t.Errorf("%q leads to %q", linked, g.Hooks[0].Real)
	}
}

// TestSockets: an engine's socket is found through a mount of it, of a directory above, and through a link.
func TestSockets(t *testing.T) {
	NeedPrivate(t)
	listener, err := net.Listen("unix", "/run/docker.sock")
	Must(t, err)
	t.Cleanup(func() { _ = listener.Close() }) // this removes the file, too
	Must(t, os.Chmod("/run/docker.sock", 0o666), os.MkdirAll("/run/other", 0o755))
	link := filepath.Join(t.TempDir(), "link")
	Must(t, os.Symlink("/run", link))
	for _, test := range []struct {
		name  string
		mount specs.Mount
		seen  bool
	}{
		{"itself", bindOf("/run/docker.sock", "/s"), true},
		{"the directory", bindOf("/run", "/s"), true},
		{"the whole host", bindOf("/", "/s"), true},
		{"by a link", bindOf(link, "/s"), true},
		{"by the option alone", specs.Mount{Destination: "/s", Type: "none", Source: "/run", Options: []string{"bind"}}, true},
		{"by the type alone", specs.Mount{Destination: "/s", Type: "bind", Source: "/run"}, true},
		{"another directory", bindOf("/run/other", "/s"), false},
		{"a file system of its own", specs.Mount{Destination: "/s", Type: "tmpfs", Source: "/run"}, false},
		{"what is not there", bindOf("/run/none", "/s"), false},
	} {
		g := gathered(t, func(s *specs.Spec) { s.Mounts = append(s.Mounts, test.mount) })
		if (len(g.Sockets) > 0) != test.seen {
			t.Errorf("%s: %+v", test.name, g.Sockets)
		}
		if test.seen && (g.Sockets[0].Path != "/run/docker.sock" || g.Sockets[0].Mount != "/s" || !g.Sockets[0].Everyone) {
			t.Errorf("%s: %+v", test.name, g.Sockets)
		}
		if d := g.Settle(); test.seen != (d.Refused() && strings.Contains(d.Reason, "engine's socket")) {
			t.Errorf("%s: %+v", test.name, d)
		}
	}
}

// TestCwdIsProc: links in the image lead the working directory below a /proc (CVE-2024-21626).
func TestCwdIsProc(t *testing.T) {
	image := append(slices.Clone(small), "work -> /proc/self/fd", "plain/", "again -> work", "out -> /plain")
	for cwd, want := range map[string]bool{"/": false, "/plain": false, "/out": false, "/work/7": true, "/again/7": true, "/none": false} {
		g := gathered(t, func(s *specs.Spec) { s.Process.Cwd = cwd }, image...)
		if g.CwdIsProc != want || g.Cwd != cwd {
			t.Errorf("%q: %v", cwd, g.CwdIsProc)
		}
		if d := g.Settle(); d.Refused() != want {
			t.Errorf("%q: %+v", cwd, d)
		}
	}
}

// TestSpread tries each propagation of the rootfs, and each of the mount itself.
func TestSpread(t *testing.T) {
	for _, test := range []struct {
		name    string
		rootfs  string   // linux.rootfsPropagation
		options []string // of the mount that contains others
		want    bool
	}{
		{"nothing is said", "", []string{"rbind"}, false},
		{"shared, but the rootfs is not", "", []string{"rbind", "shared"}, false},
		{"private", "private", []string{"rbind"}, false},
		{"rprivate", "rprivate", []string{"rbind", "rshared"}, false},
		{"slave", "slave", []string{"rbind", "rshared"}, false},
		{"rslave", "rslave", []string{"rbind", "rshared"}, false},
		{"unbindable", "unbindable", []string{"rbind", "rshared"}, false},
		{"runbindable", "runbindable", []string{"rbind", "rshared"}, false},
		{"B13: shared", "shared", []string{"rbind"}, true},
		{"B13: rshared", "rshared", []string{"rbind"}, true},
		{"B13: what no version knows", "other", []string{"rbind"}, true},
		{"B13: shared, by its own option", "shared", []string{"rbind", "rshared"}, true},
		{"parted: rslave", "shared", []string{"rbind", "rslave"}, false},
		{"parted: rprivate", "shared", []string{"rbind", "rprivate"}, false},
		{"parted: runbindable", "shared", []string{"rbind", "runbindable"}, false},
		{"B13: only the top is parted", "shared", []string{"rbind", "slave"}, true},
		{"B13: only the top is parted, private", "shared", []string{"rbind", "private"}, true},
		{"parted: slave", "shared", []string{"bind", "slave"}, false},
		{"parted: private", "shared", []string{"bind", "private"}, false},
		{"B13: both, and shared is one", "shared", []string{"bind", "private", "shared"}, true},
		{"B13: by the type alone", "shared", nil, true},
	} {
		g := gathered(t, func(s *specs.Spec) {
			s.Linux.RootfsPropagation = test.rootfs
			s.Mounts = append(s.Mounts,
				specs.Mount{Destination: "/host", Type: "bind", Source: "/usr", Options: test.options},
				specs.Mount{Destination: "/beside", Type: "tmpfs", Source: "tmpfs"},
				specs.Mount{Destination: "/host/bin", Type: "tmpfs", Source: "tmpfs"})
		})
		want := []policy.Spread{{Mount: "/host/bin", Within: "/host"}}
		if !test.want {
			want = nil
		}
		if !slices.Equal(g.Spread, want) {
			t.Errorf("%s: %+v", test.name, g.Spread)
		}
		if d := g.Settle(); d.Refused() != test.want {
			t.Errorf("%s: %+v", test.name, d)
		}
	}
}

// TestSpreadByLinks: the image's links decide where a mount is; what the runtime mounts by itself counts; mounts of
// ours don't.
func TestSpreadByLinks(t *testing.T) {
	image := append(slices.Clone(small), "alias -> /host", "host/")
	shared := func(more ...specs.Mount) func(*specs.Spec) {
		return func(s *specs.Spec) {
			s.Linux.RootfsPropagation = "shared"
			s.Mounts = append(append(s.Mounts, specs.Mount{Destination: "/host", Type: "bind", Source: "/usr", Options: []string{"rbind"}}), more...)
		}
	}
	g := gathered(t, shared(specs.Mount{Destination: "/alias/bin", Type: "tmpfs"}), image...)
	if len(g.Spread) != 1 || g.Spread[0].Mount != "/alias/bin" {
		t.Errorf("by a link: %+v", g.Spread)
	}
	for name, edit := range map[string]func(*specs.Spec){
		"masked":   func(s *specs.Spec) { s.Linux.MaskedPaths = []string{"/host/x"} },
		"readonly": func(s *specs.Spec) { s.Linux.ReadonlyPaths = []string{"/host/x"} },
	} {
		g := gathered(t, func(s *specs.Spec) { shared()(s); edit(s) }, image...)
		if len(g.Spread) != 1 || g.Spread[0].Mount != "/host/x" {
			t.Errorf("%s: %+v", name, g.Spread)
		}
	}
	c := callFor(t, nil, shared(), image...)
	s := Spec()
	shared(specs.Mount{Destination: "/host/passwd", Type: "bind", Source: c.Bundle.Join(record.Passwd), Options: []string{"bind", "ro"}})(s)
	rewriteConfig(t, c, s)
	if g := gather(t, c); len(g.Spread) != 0 {
		t.Errorf("of an earlier rewrite: %+v", g.Spread)
	}
}

// TestOwnFiles: mounts of the program's own files, and of anything below, are found; a directory above is allowed.
func TestOwnFiles(t *testing.T) {
	NeedPrivate(t)
	write(t, "/etc/nonroot-runc/config.toml", "")
	write(t, "/var/lib/nonroot-runc/good/config.toml", "")
	write(t, "/var/lib/elsewhere/1", "")
	write(t, "/run/people/passwd", "")
	write(t, "/run/logs/nonroot.log", "")
	write(t, "/run/policies/other.toml", "")
	link := filepath.Join(t.TempDir(), "link")
	Must(t, os.Symlink("/etc/nonroot-runc", link))
	program, err := os.Readlink("/proc/self/exe")
	Must(t, err)
	p := policy.Default()
	p.File, p.State, p.UsersFile = "/run/policies/other.toml", "/var/lib/elsewhere", "/run/people/passwd"
	p.Log.File = "/run/logs/nonroot.log"
	for _, test := range []struct {
		source, what string
		options      []string
	}{
		{"/etc/nonroot-runc", "policy", nil},
		{"/etc/nonroot-runc/config.toml", "policy", nil},
		{link, "policy", nil},
		{link + "/config.toml", "policy", nil},
		{"/run/policies/other.toml", "policy", nil},
		{"/run/policies", "", nil},
		{"/etc", "", nil},
		{"/", "", nil},
		{"/var/lib/nonroot-runc", "state", nil},
		{"/var/lib/nonroot-runc/good", "state", nil},
		{"/var/lib/nonroot-runc/good/config.toml", "state", nil},
		{"/var/lib/elsewhere/1", "state", nil},
		{"/var/lib", "", nil},
		{"/run/people/passwd", "list of people", nil},
		{"/run/people", "", nil},
		{"/run/logs/nonroot.log", "log", nil},
		{"/run/logs/nonroot.log", "log", []string{"ro"}},
		{"/run/logs", "", nil},
		{program, "program", nil},
		{"/usr", "", nil},
		{"/run/none", "", nil},
	} {
		q := *p
		g := gather(t, callFor(t, &q, func(s *specs.Spec) { s.Mounts = append(s.Mounts, bindOf(test.source, "/m", test.options...)) }))
		switch {
		case test.what == "" && len(g.OwnFiles) == 0:
		case len(g.OwnFiles) != 1 || g.OwnFiles[0].What != test.what || g.OwnFiles[0].Mount != "/m" || g.OwnFiles[0].ReadOnly != (test.options != nil):
			t.Errorf("%q: %+v, want %q", test.source, g.OwnFiles, test.what)
		}
		refused := test.what != "" && test.options == nil
		if d := g.Settle(); d.Refused() != refused {
			t.Errorf("%q: %+v", test.source, d)
		}
	}
}
