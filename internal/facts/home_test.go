// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"os"
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	. "github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// needHostRoot skips a test where files can't be given to other users: the unprivileged tests' own user namespace maps
// only one id.
func needHostRoot(t *testing.T) {
	t.Helper()
	NeedRoot(t)
	if !IsRoot() {
		t.Skip("the machine's root is needed")
	}
}

// overlaid mounts an overlay over a call's rootfs, as engines do for each container.
func overlaid(t *testing.T, c *Call) {
	t.Helper()
	needHostRoot(t)
	rootfs, layers := c.Bundle.Join("rootfs"), t.TempDir()
	Must(t, unix.Mount("tmpfs", layers, "tmpfs", 0, "mode=755"))
	t.Cleanup(func() { _ = unix.Unmount(layers, unix.MNT_DETACH) })
	Must(t, os.Mkdir(layers+"/upper", 0o755), os.Mkdir(layers+"/work", 0o755))
	Must(t, unix.Mount("overlay", rootfs, "overlay", 0, "lowerdir="+rootfs+",upperdir="+layers+"/upper,workdir="+layers+"/work"))
	t.Cleanup(func() { _ = unix.Unmount(rootfs, unix.MNT_DETACH) })
}

// TestWrites: where the identity will be able to write after the change of owners.
func TestWrites(t *testing.T) {
	needHostRoot(t)
	theirs, roots := t.TempDir(), t.TempDir()
	Must(t, os.Chown(theirs, 65532, 65532), os.Chmod(roots, 0o755), os.MkdirAll(theirs+"/closed/in", 0o700))
	image := with("root/.cache/", "site/", "opt/app/", "everybodys/", "file = x", "etc/app/", "link -> root", "shut/mine/ @65532")
	tmpfs := specs.Mount{Destination: "/scratch", Type: "tmpfs", Source: "tmpfs"}
	mounts := []specs.Mount{bindOf(theirs, "/data"), bindOf(theirs, "/read", "ro"), bindOf(roots, "/roots"), tmpfs, {Destination: "/dev", Type: "tmpfs", Source: "tmpfs"}}
	for _, test := range []struct {
		dir          string
		plain, layer bool // on a plain rootfs, and with a layer of the container's own
	}{
		{"/root", false, true},
		{"/root/.cache", false, true},
		{"/root/new/er", false, true},
		{"/link/new", false, true},
		{"/opt/app", false, true},
		{"/site", false, false},
		{"/site/new", false, false},
		{"/everybodys", true, true},
		{"/everybodys/new", true, true},
		{"/etc/app", false, false},
		{"/file", false, false},
		{"/file/x", false, false},
		{"/shut/mine", false, false},
		{"/", false, false},
		{"/new", false, false},
		{"/data", true, true},
		{"/data/new", true, true},
		{"/data/closed/in", false, false},
		{"/read", false, false},
		{"/roots", false, false},
		{"/scratch", true, true},
		{"/scratch/new", true, true},
		{"/dev/new", false, false},
	} {
		for _, layered := range []bool{false, true} {
			c := callFor(t, nil, func(s *specs.Spec) { s.Mounts = append(s.Mounts, mounts...) }, image...)
			Must(t, os.Chmod(c.Bundle.Join("rootfs/everybodys"), 0o1777), os.Chmod(c.Bundle.Join("rootfs/root"), 0o700), os.Chmod(c.Bundle.Join("rootfs/shut"), 0o700))
			if layered {
				overlaid(t, c)
			}
			g := gather(t, c)
			g.rule.Adapt.Applications = false
			d := decidedAs(65532, policy.Fixed)
			owned := g.ownedTmpfs(d)
			want := test.plain
			if layered {
				want = test.layer
			}
			if got := g.writes(d, g.give(d, owned), owned, test.dir); got != want {
				t.Errorf("%s, in a layer of its own %v: %v", test.dir, layered, got)
			}
			if got := g.writes(d, nil, nil, test.dir); got != (test.plain && test.dir != "/scratch" && test.dir != "/scratch/new") {
				t.Errorf("%s, where nothing is given: %v", test.dir, got)
			}
		}
	}
	// Nothing in a read-only rootfs changes owner, and nobody can write there.
	c := callFor(t, nil, func(s *specs.Spec) { s.Root.Readonly = true; s.Mounts = append(s.Mounts, mounts...) }, image...)
	Must(t, os.Chmod(c.Bundle.Join("rootfs/everybodys"), 0o1777))
	overlaid(t, c)
	g := gather(t, c)
	d := decidedAs(65532, policy.Fixed)
	for dir, want := range map[string]bool{"/root": false, "/everybodys": false, "/data": true} {
		if got := g.writes(d, g.give(d, nil), nil, dir); got != want {
			t.Errorf("%s of a read-only rootfs: %v", dir, got)
		}
	}
	// A policy that keeps root's home.
	p := policy.Default()
	p.Adapt.Keep = append(p.Adapt.Keep, "/root")
	c = callFor(t, p, nil, image...)
	overlaid(t, c)
	g = gather(t, c)
	if g.writes(d, g.give(d, nil), nil, "/root") {
		t.Error("what is kept is given")
	}
}

// TestWritesNewVolume: an engine's new volume becomes the identity's; one that contains files of root's does not.
func TestWritesNewVolume(t *testing.T) {
	needHostRoot(t)
	const volumes = "/var/lib/docker/volumes"
	write(t, volumes+"/metadata.db", "")
	for name, want := range map[string]bool{"new": true, "old": false} {
		source := filepath.Join(volumes, name, "_data")
		Must(t, os.MkdirAll(source, 0o755))
		if !want {
			write(t, source+"/file", "root's")
		}
		c := callFor(t, nil, func(s *specs.Spec) { s.Mounts = append(s.Mounts, bindOf(source, "/home/nonroot")) }, with("home/")...)
		overlaid(t, c)
		g := gather(t, c)
		d := decidedAs(65532, policy.Fixed)
		if got := g.writes(d, g.give(d, nil), nil, "/home/nonroot"); got != want {
			t.Errorf("the %s volume: %v", name, got)
		}
		if g.writes(d, nil, nil, "/home/nonroot") {
			t.Errorf("the %s volume, where nothing is given", name)
		}
		in, err := g.ForPlan(*d)
		Must(t, err)
		if stays := len(in.Home.Mounts) == 0; stays != want || want && in.Home.Home != "/home/nonroot" {
			t.Errorf("the %s volume: the home is %q, %+v", name, in.Home.Home, in.Home.Mounts)
		}
	}
}

// TestMeantHome: where a container's programs look for their home.
func TestMeantHome(t *testing.T) {
	env := func(entries ...string) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Process.Env = append(s.Process.Env, entries...) }
	}
	elsewhere := []string{"etc/passwd = root:x:0:0:root:/home/root/:/bin/sh\n", "bin/sh = #!"}
	for _, test := range []struct {
		name      string
		edit      func(*specs.Spec)
		image     []string
		change    func(*Gathered, *decision.Decision)
		env, root string
	}{
		{"nothing is said", nil, small, nil, "", "/root"},
		{"HOME is", env("HOME=/data"), small, nil, "/data", "/root"},
		{"passwd has another one", nil, elsewhere, nil, "", "/home/root"},
		{"passwd has none", nil, []string{"etc/passwd = root:x:0:0:root::/bin/sh\n"}, nil, "", "/root"},
		{"no passwd", nil, []string{"bin/sh = #!"}, nil, "", "/root"},
		{"who asks to be who he is", env("HOME=/data"), small, func(_ *Gathered, d *decision.Decision) { d.Asked.UID = 65532 }, "/data", ""},
		{"who asks to be somebody else", nil, small, func(_ *Gathered, d *decision.Decision) { d.Asked.UID = 5 }, "", ""},
		{"somebody of the list", env("HOME=/data"), small, func(_ *Gathered, d *decision.Decision) { d.Person = "alice" }, "", ""},
		{"an earlier rewrite has set it", env("HOME=/home/nonroot"), small, func(g *Gathered, _ *decision.Decision) {
			g.written = &decision.Decision{Home: "/home/nonroot", Mounted: true}
		}, "", "/root"},
		{"it has replaced another one", env("HOME=/home/nonroot"), small, func(g *Gathered, _ *decision.Decision) {
			g.written = &decision.Decision{Home: "/home/nonroot", Mounted: true, AskedHome: "/site"}
		}, "/site", "/root"},
		{"it has left it", env("HOME=/data"), small, func(g *Gathered, _ *decision.Decision) { g.written = &decision.Decision{Home: "/data"} }, "/data", "/root"},
		{"somebody has changed it since", env("HOME=/data"), small, func(g *Gathered, _ *decision.Decision) {
			g.written = &decision.Decision{Home: "/home/nonroot", Mounted: true}
		}, "/data", "/root"},
	} {
		g := gathered(t, test.edit, test.image...)
		d := decidedAs(65532, policy.Fixed)
		if test.change != nil {
			test.change(g, d)
		}
		if m := g.meant(d, nil, nil); m.Env != test.env || m.Root != test.root {
			t.Errorf("%s: %q and %q, want %q and %q", test.name, m.Env, m.Root, test.env, test.root)
		}
	}
}

// TestAuditedHome: an audited container has the home that it would have.
func TestAuditedHome(t *testing.T) {
	for _, mode := range []policy.Mode{policy.Rewrite, policy.Audit} {
		p := policy.Default()
		p.Mode = mode
		c := callFor(t, p, nil, with("root/.netrc = x")...)
		Must(t, os.Chmod(c.Bundle.Join("rootfs/root"), 0o700))
		overlaid(t, c)
		g := gather(t, c)
		in, err := g.ForPlan(g.Settle())
		Must(t, err)
		if in.Home.Home != "/root" || len(in.Home.Mounts) != 0 {
			t.Errorf("%s: %+v", mode, in.Home)
		}
	}
}
