// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/program"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	. "github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// with adds files to the small image.
func with(lines ...string) []string { return append(slices.Clone(small), lines...) }

// decidedAs returns a decision for a container that asks for root and runs as an identity.
func decidedAs(uid uint32, source policy.Source) *policy.Decision {
	return &policy.Decision{Mode: policy.Rewrite, Asked: &policy.Identity{}, Identity: &policy.Identity{UID: uid, GID: uid}, Source: source}
}

// TestGive: which directories of the image, volumes and tmpfs will belong to the identity.
func TestGive(t *testing.T) {
	image := with("site/", "state/", "link -> /state", "etc/ssh/", "bad -> /etc/ssh", "etc/x/")
	only := func(g *Gathered) { g.rule.Adapt = policy.Adapt{Own: []string{"/state"}} }
	for _, test := range []struct {
		name    string
		edit    func(*specs.Spec)
		change  func(*Gathered)
		uid     uint32
		paths   []string
		volumes []plan.Volume
		tmp     bool
		none    bool
	}{
		{"what the policy names", nil, only, 65532, []string{"/state"}, nil, false, false},
		{"by a link, once", nil, func(g *Gathered) { g.rule.Adapt = policy.Adapt{Own: []string{"/state", "/link"}} }, 65532, []string{"/state"}, nil, false, false},
		{"what is never given", nil, func(g *Gathered) { g.rule.Adapt = policy.Adapt{Own: []string{"/bad", "/state"}} }, 65532, []string{"/state"}, nil, false, false},
		{"the working directory", func(s *specs.Spec) { s.Process.Cwd = "/site" }, func(g *Gathered) { g.rule.Adapt = policy.Adapt{WorkingDir: true} }, 65532, []string{"/site"}, nil, false, false},
		{"the root as the working directory", nil, func(g *Gathered) { g.rule.Adapt = policy.Adapt{WorkingDir: true} }, 65532, nil, nil, false, false},
		{"configuration as the working directory", func(s *specs.Spec) { s.Process.Cwd = "/bad" }, func(g *Gathered) { g.rule.Adapt = policy.Adapt{WorkingDir: true} }, 65532, nil, nil, false, false},
		{"a read-only image", func(s *specs.Spec) { s.Root.Readonly = true; s.Process.Cwd = "/site" }, func(g *Gathered) {
			g.rule.Adapt = policy.Adapt{WorkingDir: true, Own: []string{"/state"}, Tmp: true}
		}, 65532, nil, nil, false, false},
		{"one package's configuration", func(s *specs.Spec) { s.Process.Cwd = "/etc/x" }, func(g *Gathered) { g.rule.Adapt = policy.Adapt{WorkingDir: true} }, 65532, []string{"/etc/x"}, nil, false, false},
		{"/tmp", nil, func(g *Gathered) { g.rule.Adapt = policy.Adapt{Tmp: true} }, 65532, nil, nil, true, false},
		{"who is who it asks to be", nil, only, 0, nil, nil, false, true},
		{"a build", nil, func(g *Gathered) { only(g); g.rule.Stubless = true }, 65532, nil, nil, false, true},
		{"volumes", func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, bindOf("/v/volumes/1/_data", "/state"), bindOf("/v/volumes/2/_data", "/etc/ssh"), bindOf("/v/volumes/3/_data", "/read", "ro"), bindOf("/v/volumes/4/_data", "/link"))
		}, func(g *Gathered) { g.rule.Adapt = policy.Adapt{Volumes: true} }, 65532, nil, []plan.Volume{
			{Source: "/v/volumes/1/_data", Destination: "/state", State: true}, {Source: "/v/volumes/2/_data", Destination: "/etc/ssh"}, {Source: "/v/volumes/4/_data", Destination: "/state", State: true},
		}, false, false},
		{"volumes, by a policy that doesn't", func(s *specs.Spec) { s.Mounts = append(s.Mounts, bindOf("/v/volumes/1/_data", "/state")) }, func(g *Gathered) { g.rule.Adapt = policy.Adapt{} }, 65532, nil, nil, false, false},
		{"a tmpfs that is filled from the image", func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/state", Type: "tmpfs", Options: []string{"tmpcopyup"}})
		}, func(g *Gathered) { g.rule.Adapt = policy.Adapt{Volumes: true} }, 65532, []string{"/state"}, nil, false, false},
	} {
		p := policy.Default()
		g := gather(t, callFor(t, p, test.edit, image...))
		test.change(g)
		d := decidedAs(test.uid, policy.Fixed)
		got := g.give(d, g.ownedTmpfs(d))
		if (got == nil) != test.none {
			t.Errorf("%s: %+v", test.name, got)
			continue
		}
		if got == nil {
			continue
		}
		if !slices.Equal(got.Paths, test.paths) || !slices.Equal(got.Volumes, test.volumes) || got.Tmp != test.tmp || got.UID != test.uid || got.Rootfs != g.Bundle+"/rootfs" {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

// TestGiveAsTheDiskHasIt: the new owner is the identity's id as the files of the rootfs have it.
func TestGiveAsTheDiskHasIt(t *testing.T) {
	g := gathered(t, nil)
	g.UserNamespace = &idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 100000, Size: 65536}}, GID: idmap.Map{{Inside: 0, Outside: 200000, Size: 65536}}}
	g.last = &policy.Identity{UID: 77, GID: 77}
	got := g.give(decidedAs(65532, policy.Fixed), nil)
	if got.UID != 165532 || got.GID != 265532 || !got.Owners.IsRoot(100000) || got.Owners.IsRoot(0) || !slices.Contains(got.Owners.Policy, 77) {
		t.Errorf("%+v", got)
	}
}

// TestOwnedTmpfs: which tmpfs mounts will belong to the identity, with which options.
func TestOwnedTmpfs(t *testing.T) {
	tmpfs := func(destination string, options ...string) specs.Mount {
		return specs.Mount{Destination: destination, Type: "tmpfs", Source: "tmpfs", Options: options}
	}
	for _, test := range []struct {
		name   string
		mount  specs.Mount
		change func(*Gathered)
		want   []string // nil: it does not change
	}{
		{"new", tmpfs("/data", "size=1m"), nil, []string{"size=1m"}},
		{"without options", tmpfs("/data"), nil, []string{}},
		{"somebody's", tmpfs("/data", "uid=5"), nil, nil},
		{"somebody's, in a list", tmpfs("/data", "size=1m,gid=5"), nil, nil},
		{"who is asked for", tmpfs("/data", "uid=0", "gid=0", "size=1m"), nil, []string{"size=1m"}},
		{"what nobody gives", tmpfs("/dev"), nil, nil},
		{"configuration", tmpfs("/etc/ssh"), nil, nil},
		{"a bind", specs.Mount{Destination: "/data", Type: "tmpfs", Source: "/x", Options: []string{"bind"}}, nil, nil},
		{"no tmpfs", specs.Mount{Destination: "/data", Type: "ramfs"}, nil, nil},
		{"our home", specs.Mount{Destination: "/home/x", Type: "tmpfs", Source: homedir.TmpfsSource}, nil, nil},
		{"of an earlier rewrite", tmpfs("/data", "size=1m", "uid=7", "gid=7"), func(g *Gathered) { g.before = &policy.Identity{UID: 7, GID: 7} }, []string{"size=1m"}},
		{"of another one than the earlier", tmpfs("/data", "size=1m", "uid=8", "gid=8"), func(g *Gathered) { g.before = &policy.Identity{UID: 7, GID: 7} }, nil},
		{"by a policy that doesn't", tmpfs("/data"), func(g *Gathered) { g.rule.Adapt.Volumes = false }, nil},
		{"of a build", tmpfs("/data"), func(g *Gathered) { g.rule.Stubless = true }, nil},
	} {
		g := gathered(t, func(s *specs.Spec) { s.Mounts = []specs.Mount{test.mount} })
		if test.change != nil {
			test.change(g)
		}
		got, owned := g.ownedTmpfs(decidedAs(65532, policy.Fixed))[0]
		if owned != (test.want != nil) || !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, %v, want %q", test.name, got, owned, test.want)
		}
	}
	g := gathered(t, func(s *specs.Spec) { s.Mounts = []specs.Mount{tmpfs("/data")} })
	if got := g.ownedTmpfs(decidedAs(0, policy.Kept)); got != nil {
		t.Errorf("who is who it asks to be: %v", got)
	}
}

// TestHomeOptions: what each source of an identity implies for the home.
func TestHomeOptions(t *testing.T) {
	for _, test := range []struct {
		name   string
		d      *policy.Decision
		path   string
		kept   bool
		want   string // the account's name
		env    string
		chosen string // the home's path
	}{
		{"fixed", decidedAs(65532, policy.Fixed), "", false, "nonroot", "/root", ""},
		{"kept", decidedAs(1000, policy.Kept), "", true, "nonroot", "/root", ""},
		{"the image's", decidedAs(999, policy.Image), "", true, "nonroot", "", ""},
		{"requested", decidedAs(1000, policy.Requested), "", false, "nonroot", "/root", ""},
		{"a person", &policy.Decision{
			Identity: &policy.Identity{UID: 20001, GID: 20000}, Source: policy.Listed, Person: "alice", PersonHome: "/home/alice",
		}, "", true, "alice", "/home/alice", "/home/alice"},
		{"a person, and the policy names a home", &policy.Decision{
			Identity: &policy.Identity{UID: 20001, GID: 20000}, Source: policy.Listed, Person: "alice", PersonHome: "/home/alice",
		}, "/site", true, "alice", "/home/alice", "/site"},
	} {
		g := gathered(t, func(s *specs.Spec) { s.Process.Env = append(s.Process.Env, "HOME=/root") })
		g.rule.HomePath = test.path
		g.UserNamespace = &idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 100000, Size: 65536}}}
		o := g.homeOptions(test.d)
		if o.Kept != test.kept || o.Name != test.want || o.EnvHome != test.env || o.Path != test.chosen || o.UID != test.d.Identity.UID || o.GID != test.d.Identity.GID ||
			o.OwnerUID != 100000+test.d.Identity.UID {
			t.Errorf("%s: %+v", test.name, o)
		}
	}
}

// TestIsolateNames: a copy of the names that would propagate to the host is not mounted, and no group then depends on
// it.
func TestIsolateNames(t *testing.T) {
	shared := func(destination string) func(*specs.Spec) {
		return func(s *specs.Spec) {
			s.Linux.RootfsPropagation = "shared"
			s.Mounts = append(s.Mounts, specs.Mount{Destination: destination, Type: "bind", Source: "/usr", Options: []string{"rbind"}})
		}
	}
	for _, test := range []struct {
		name          string
		edit          func(*specs.Spec)
		passwd, group bool
	}{
		{"nothing is shared", nil, true, true},
		{"something else is", shared("/data"), true, true},
		{"A3: /etc is", shared("/etc"), false, false},
		{"A3: /etc/group is", shared("/etc/group"), true, false},
	} {
		g := gathered(t, test.edit)
		home := &homedir.Plan{}
		home.Passwd, home.Group, home.Numbers = []byte("x"), []byte("y"), true
		notes := g.isolateNames(home)
		if (home.Passwd != nil) != test.passwd || (home.Group != nil) != test.group || home.Numbers != (test.passwd && test.group) ||
			(len(notes) == 0) != (test.passwd && test.group) {
			t.Errorf("%s: %+v, %q", test.name, home, notes)
		}
	}
}

// TestGiveApplications: which directories belong to one application.
func TestGiveApplications(t *testing.T) { givesApplications(t, false) }

// TestGiveProgram: with a layer of its own, also the program that only root may run.
func TestGiveProgram(t *testing.T) { givesApplications(t, true) }

func givesApplications(t *testing.T, layered bool) {
	t.Helper()
	closed := func(g *Gathered) { Must(t, os.Chmod(g.Bundle+"/rootfs/bin/app", 0o744)) }
	kept := func(g *Gathered, d *policy.Decision) {
		d.Asked, g.User.UID = &policy.Identity{UID: d.Identity.UID}, d.Identity.UID
	}
	for _, test := range []struct {
		name   string
		change func(*Gathered, *policy.Decision)
		want   plan.Give // with the program if it can be lent
		none   bool
	}{
		{"by default", func(g *Gathered, _ *policy.Decision) { closed(g) }, plan.Give{GroupRoot: true, Applications: true, Programs: []string{"/bin/app"}}, false},
		{"a program that anybody may run", func(*Gathered, *policy.Decision) {}, plan.Give{GroupRoot: true, Applications: true}, false},
		{"what nobody may read", func(g *Gathered, _ *policy.Decision) {
			Must(t, os.Chmod(g.Bundle+"/rootfs/bin/app", 0o711))
		}, plan.Give{GroupRoot: true, Applications: true, Programs: []string{"/bin/app"}}, false},
		{"a policy that doesn't", func(g *Gathered, _ *policy.Decision) { closed(g); g.rule.Adapt.Applications = false }, plan.Give{GroupRoot: true}, false},
		{"a read-only image", func(g *Gathered, _ *policy.Decision) { closed(g); g.Container.Readonly = true }, plan.Give{GroupRoot: true}, false},
		{"who keeps the uid, but not group 0", func(g *Gathered, d *policy.Decision) { closed(g); kept(g, d) }, plan.Give{GroupRoot: true, GroupOnly: true, LostGroup: true, Applications: true, Programs: []string{"/bin/app"}}, false},
		{"and a policy that leaves the group", func(g *Gathered, d *policy.Decision) { kept(g, d); g.rule.Adapt.GroupRoot = false }, plan.Give{}, true},
		{"who keeps uid and gid", func(g *Gathered, d *policy.Decision) { kept(g, d); d.Asked.GID = d.Identity.GID }, plan.Give{}, true},
	} {
		c := callFor(t, nil, func(s *specs.Spec) { s.Process.Args = []string{"/bin/app"} }, with("bin/app = #!")...)
		if layered {
			overlaid(t, c)
		} else {
			test.want.Programs = nil
		}
		g := gather(t, c)
		d := decidedAs(65532, policy.Fixed)
		test.change(g, d)
		got := g.give(d, nil)
		if (got == nil) != test.none {
			t.Errorf("%s: %+v", test.name, got)
		}
		if got == nil {
			continue
		}
		if got.Owners.Asked != 0 {
			t.Errorf("%s: what is opened to group 0 lies in directories of root's, and not of %d's", test.name, got.Owners.Asked)
		}
		seen := plan.Give{GroupRoot: got.GroupRoot, GroupOnly: got.GroupOnly, LostGroup: got.LostGroup, Applications: got.Applications, Programs: got.Programs}
		if fmt.Sprint(seen) != fmt.Sprint(test.want) {
			t.Errorf("%s: %+v, want %+v", test.name, seen, test.want)
		}
	}
}

// TestGivenInOrder: which directories change owner, and which first, as there may be more than the limit.
func TestGivenInOrder(t *testing.T) {
	groupOnly := func(g *Gathered, d *policy.Decision) {
		d.Asked, g.User.UID = &policy.Identity{UID: d.Identity.UID}, d.Identity.UID
	}
	for _, test := range []struct {
		name   string
		change func(*Gathered, *policy.Decision)
		want   string
	}{
		{"root", func(*Gathered, *policy.Decision) {}, "/var/lib /srv /work /usr/src/app"},
		{"a user of group 0", groupOnly, "/work /opt/home /usr/src/app /var/lib /srv"},
		{"a user of group 0 whose home is no path", func(g *Gathered, d *policy.Decision) { groupOnly(g, d); g.home = "home" }, "/work /usr/src/app /var/lib /srv"},
		{"the working directory is not", func(g *Gathered, _ *policy.Decision) { g.rule.Adapt.WorkingDir = false }, "/var/lib /srv /usr/src/app"},
		{"applications are not", func(g *Gathered, _ *policy.Decision) { g.rule.Adapt.Applications = false }, "/var/lib /srv /work"},
		{"a read-only image", func(g *Gathered, _ *policy.Decision) { g.Container.Readonly = true }, ""},
	} {
		g := gathered(t, func(s *specs.Spec) {
			s.Process.Cwd, s.Process.Args = "/work", []string{"/bin/app", "/usr/src/app/main"}
		}, with("bin/app = #!", "work/x = 1", "opt/home/x = 1", "usr/src/app/main = 1", "var/lib/x = 1", "srv/x = 1")...)
		g.rule.Adapt.Own, g.home = []string{"/var/lib", "/srv"}, "/opt/home"
		d := decidedAs(65532, policy.Fixed)
		test.change(g, d)
		got := g.give(d, nil)
		if got == nil || strings.Join(got.Paths, " ") != test.want {
			t.Errorf("%s: %+v, want %q", test.name, got, test.want)
		}
	}
}

// TestUses: the programs that a command names and the identity can't run, and the directories that it works in.
func TestUses(t *testing.T) {
	script := "#!/bin/sh\n# uncalled\nhelper a; if x; then\n /opt/own/tool --to=/usr/local/own/x\nfi\nf() {\n  behind\n}\necho uncalled; cat uncalled\n/usr/bin/$X /usr/src/$Y\nfor f in /usr/share/web/html/*.js; do :; done\nexec \"$@\"\n"
	image := with("usr/bin/start = "+script, "usr/bin/helper = #!/bin/sh\nnested\n", "usr/bin/nested = #!", "usr/bin/behind = #!", "usr/bin/uncalled = #!", "usr/bin/server = #!", "opt/own/tool = #!", "usr/bin/open = #!")
	closed := []string{"usr/bin/helper", "usr/bin/nested", "usr/bin/behind", "usr/bin/uncalled", "usr/bin/server", "opt/own/tool"}
	for _, test := range []struct {
		args, closed, trees string
	}{
		{"start server", "/usr/bin/helper /usr/bin/nested /usr/bin/behind /usr/bin/server /opt/own/tool", "/usr/local/own /usr/share/web/html"},
		{"open /usr/src/app/x.js", "", "/usr/src/app"},
		{"server --dir=/usr/src/app/x", "/usr/bin/server", "/usr/src/app"},
		{"sh /usr/bin/helper", "/usr/bin/helper /usr/bin/nested", ""},
		{"none", "", ""},
	} {
		c := callFor(t, nil, func(s *specs.Spec) {
			s.Process.Args = strings.Fields(test.args)
			s.Process.Env = []string{"PATH=/usr/bin:/bin"}
		}, image...)
		for _, p := range closed {
			Must(t, os.Chmod(c.Bundle.Join("rootfs/"+p), 0o700))
		}
		overlaid(t, c)
		programs, trees := gather(t, c).uses(decidedAs(65532, policy.Fixed))
		slices.Sort(programs)
		want := strings.Fields(test.closed)
		slices.Sort(want)
		if !slices.Equal(programs, want) || strings.Join(trees, " ") != test.trees {
			t.Errorf("%s: %q, %q", test.args, programs, trees)
		}
	}
}

// TestGiveEmptyVolumes: a container that keeps its user gets new volumes, but nothing of the image.
func TestGiveEmptyVolumes(t *testing.T) {
	mounts := func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, bindOf("/v/volumes/a/_data", "/a"), bindOf("/v/volumes/b/_data", "/b", "ro"), bindOf("/srv/c", "/c"),
			specs.Mount{Destination: "/t", Type: "tmpfs", Source: "/v/volumes/t/_data"})
	}
	for _, test := range []struct {
		name   string
		edit   func(*specs.Spec)
		change func(*Gathered, *policy.Decision)
		want   []string // nil: nothing changes owner
	}{
		{"a volume", mounts, func(*Gathered, *policy.Decision) {}, []string{"/a"}},
		{"of who has lost group 0, by a policy that leaves the image's", mounts, func(g *Gathered, d *policy.Decision) {
			d.Asked.GID, g.rule.Adapt.GroupRoot = 0, false
		}, []string{"/a"}},
		{"none", nil, func(*Gathered, *policy.Decision) {}, nil},
		{"a policy that doesn't", mounts, func(g *Gathered, _ *policy.Decision) { g.rule.Adapt.Volumes = false }, nil},
		{"a build", mounts, func(g *Gathered, _ *policy.Decision) { g.rule.Stubless = true }, nil},
		{"who asked for something else, by a list", mounts, func(_ *Gathered, d *policy.Decision) { d.Source = policy.Listed }, nil},
	} {
		g, d := gathered(t, test.edit), decidedAs(1000, policy.Kept)
		d.Asked = &policy.Identity{UID: 1000, GID: 1000}
		test.change(g, d)
		got := g.give(d, nil)
		if (got == nil) != (test.want == nil) {
			t.Errorf("%s: %+v", test.name, got)
		}
		if got == nil {
			continue
		}
		var at []string
		for _, v := range got.Volumes {
			at = append(at, v.Destination)
		}
		if lost := d.Asked.GID == 0; got.LostGroup != lost {
			t.Errorf("%s: it lost root's group: %v", test.name, got.LostGroup)
		}
		if !slices.Equal(at, test.want) || !got.EmptyOnly || got.GroupOnly || got.Tmp || got.Applications || got.Programs != nil || len(got.Paths) > 0 {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

// TestClosedProgramOfAPlainRootfs: the program can't be lent there, so a hint is needed.
func TestClosedProgramOfAPlainRootfs(t *testing.T) {
	g := gathered(t, func(s *specs.Spec) { s.Process.Args = []string{"/bin/app"} }, with("bin/app = #!")...)
	Must(t, os.Chmod(g.Bundle+"/rootfs/bin/app", 0o744))
	if got := g.give(decidedAs(65532, policy.Fixed), nil); got == nil || got.Programs != nil {
		t.Errorf("%+v", got)
	}
}

// TestEmulates: for which containers changes of owners succeed.
func TestEmulates(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Gathered, *policy.Decision)
		want   bool
	}{
		{"who asked for root", func(*Gathered, *policy.Decision) {}, true},
		{"who asked for somebody else", func(_ *Gathered, d *policy.Decision) { d.Asked.UID = 5 }, false},
		{"who is who was asked for", func(_ *Gathered, d *policy.Decision) { d.Identity.UID = 0 }, false},
		{"with further groups", func(_ *Gathered, d *policy.Decision) { d.Identity.Groups = []uint32{7} }, false},
		{"a policy that doesn't", func(g *Gathered, _ *policy.Decision) { g.rule.Adapt.EmulateOwnership = false }, false},
		{"a build by the policy's rule", func(g *Gathered, _ *policy.Decision) { g.rule.Stubless = true }, false},
	} {
		g, d := gathered(t, nil), decidedAs(65532, policy.Fixed)
		test.change(g, d)
		if got := g.emulates(d); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

// TestHint: why the container's program is likely to fail.
func TestHint(t *testing.T) {
	image := with("bin/su = #!", "bin/app = #!", "bin/apt-get = #!")
	for _, test := range []struct {
		name   string
		args   []string
		change func(*Gathered)
		lent   string
		want   string
	}{
		{"nothing", []string{"/bin/app"}, nil, "", ""},
		{"found by PATH", []string{"app"}, nil, "", ""},
		{"what becomes somebody else", []string{"su"}, nil, "", "switches from root to another user"},
		{"what installs", []string{"/bin/apt-get", "install"}, nil, "", "installs packages"},
		{"what root alone may run", []string{"/bin/app"}, func(g *Gathered) { Must(t, os.Chmod(g.Bundle+"/rootfs/bin/app", 0o700)) }, "", "can't be run by the identity"},
		{"who is who it asks to be", []string{"su"}, func(g *Gathered) { g.User.UID = 65532 }, "", ""},
		{"no program", nil, nil, "", ""},
		{"what root alone may run, and is lent", []string{"/bin/app"}, func(g *Gathered) { Must(t, os.Chmod(g.Bundle+"/rootfs/bin/app", 0o700)) }, "/bin/app", ""},
	} {
		g := gathered(t, func(s *specs.Spec) { s.Process.Args = test.args }, image...)
		if test.change != nil {
			test.change(g)
		}
		d := decidedAs(65532, policy.Fixed)
		d.Asked.UID = g.User.UID
		give := &plan.Give{Programs: []string{test.lent}}
		if got := g.hint(d, give, nil, &homedir.Plan{}); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestClosedWrites: what a script writes and the identity can't.
func TestClosedWrites(t *testing.T) {
	needHostRoot(t)
	theirs, roots, file := t.TempDir(), t.TempDir(), bound(t, "file", 0, 0, 0o644)
	Must(t, os.Chown(theirs, 65532, 65532), os.Chmod(roots, 0o755))
	mounts := []specs.Mount{
		bindOf(theirs, "/data"), bindOf(roots, "/roots"), bindOf(roots, "/read", "ro"), bindOf(file, "/etc/hosts"),
		{Destination: "/scratch", Type: "tmpfs", Source: "tmpfs"},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs"},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm"},
	}
	image := with("root/", "usr/share/zone = x", "etc/localtime -> /usr/share/zone", "etc/app/f = x", "etc/plain = x", "tmp/", "var/lib/x/", "everybodys = x")
	for _, readonly := range []bool{false, true} {
		c := callFor(t, nil, func(s *specs.Spec) { s.Root.Readonly = readonly; s.Mounts = append(s.Mounts, mounts...) }, image...)
		Must(t, os.Chmod(c.Bundle.Join("rootfs/everybodys"), 0o666))
		overlaid(t, c)
		g := gather(t, c)
		d := decidedAs(65532, policy.Fixed)
		owned := g.ownedTmpfs(d)
		give, home := g.give(d, owned), &homedir.Plan{Home: "/home/nonroot", Mounts: []rootfs.Mount{{}}}
		for _, test := range []struct {
			path   string
			how    program.How
			closed bool
		}{
			{"/.done", program.Opens, true},
			{"/new/er", program.Makes, true},
			{"/etc", program.Makes, false}, // it exists
			{"/etc/new", program.Opens, true},
			{"/etc/plain", program.Opens, true},
			{"/etc/plain", program.Replaces, true},
			{"/etc/none", program.Replaces, false},
			{"/etc/app/f", program.Opens, false},
			{"/etc/app/new", program.Puts, false},
			{"/etc/localtime", program.Puts, true},
			{"/usr/bin/x", program.Puts, true},
			{"/usr/bin", program.Puts, true},
			{"/everybodys", program.Opens, false},
			{"/everybodys", program.Puts, false},
			{"/everybodys", program.Replaces, true},
			{"/root/x", program.Opens, false},
			{"/var/lib/x/y", program.Opens, false},
			{"/tmp/x", program.Opens, false},
			{"/home/nonroot/x", program.Opens, false},
			{"/data/x", program.Opens, false},
			{"/roots/x", program.Opens, true},
			{"/read/x", program.Opens, false}, // root can't write it either
			{"/etc/hosts", program.Opens, true},
			{"/etc/hosts", program.Replaces, true},
			{"/scratch/x", program.Opens, false},
			{"/dev/log", program.Opens, true},
			{"/dev/net", program.Makes, true},
			{"/dev/shm/x", program.Opens, false},
		} {
			want := test.closed
			if readonly && !strings.HasPrefix(test.path, "/dev") && test.path != "/roots/x" && (test.path != "/etc/hosts" || test.how != program.Opens) {
				want = false
			}
			if got := (&reach{Gathered: g, d: d, give: give, owned: owned, home: home}).closed(program.Write{Path: test.path, How: test.how}); got != want {
				t.Errorf("%+v, of a read-only rootfs %v: %v", test, readonly, got)
			}
		}
	}
}

// TestClosedWritesOfVolumes: what the engine has copied into a new volume will belong to the identity, and what root
// has written since will not.
func TestClosedWritesOfVolumes(t *testing.T) {
	needHostRoot(t)
	const volumes = "/var/lib/docker/volumes"
	write(t, volumes+"/metadata.db", "")
	for name, closed := range map[string]bool{"filled": false, "used": true} {
		source := volumes + "/" + name + "/_data"
		c := callFor(t, nil, func(s *specs.Spec) { s.Mounts = append(s.Mounts, bindOf(source, "/etc/app")) }, with("etc/app/conf.d/site = x", "etc/app/main = x")...)
		overlaid(t, c)
		Must(t, os.MkdirAll(source, 0o755), exec.Command("cp", "-a", c.Bundle.Join("rootfs/etc/app")+"/.", source).Run())
		if closed {
			write(t, source+"/roots", "x")
		}
		g := gather(t, c)
		d := decidedAs(65532, policy.Fixed)
		r := &reach{Gathered: g, d: d, give: g.give(d, nil), home: &homedir.Plan{}}
		for _, w := range []program.Write{
			{Path: "/etc/app/main", How: program.Opens}, {Path: "/etc/app/conf.d/site", How: program.Replaces}, {Path: "/etc/app/conf.d/new", How: program.Puts},
		} {
			if got := r.closed(w); got != closed {
				t.Errorf("%s, %+v: %v", name, w, got)
			}
		}
	}
}

// TestMay checks the owner's rights for the owner, the group's for a member, and otherwise those of others.
func TestMay(t *testing.T) {
	g := gathered(t, nil)
	g.UserNamespace = &idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 100000, Size: 65536}}, GID: idmap.Map{{Inside: 0, Outside: 200000, Size: 65536}}}
	id := &policy.Identity{UID: 5, GID: 6, Groups: []uint32{7}}
	for _, test := range []struct {
		uid, gid, mode uint32
		want           bool
	}{
		{100005, 0, 0o200, true},
		{100005, 200006, 0o022, false},
		{0, 200006, 0o020, true},
		{0, 200007, 0o020, true},
		{0, 200007, 0o202, false},
		{5, 6, 0o220, false},
		{0, 0, 0o002, true},
	} {
		if got := g.may(unix.W_OK, &unix.Stat_t{Uid: test.uid, Gid: test.gid, Mode: test.mode}, id); got != test.want {
			t.Errorf("%d:%d %04o: %v", test.uid, test.gid, test.mode, got)
		}
	}
}

// TestObstacles: a working directory that does not change owner, and ports of the host's network.
func TestObstacles(t *testing.T) {
	NeedPrivate(t)
	image := with("site/", "site/sub/", "mine/")
	at := func(cwd string) func(*specs.Spec) { return func(s *specs.Spec) { s.Process.Cwd = cwd } }
	const closed, ports = "the identity can't write to its working directory", "ports below"
	for _, test := range []struct {
		name   string
		edit   func(*specs.Spec)
		change func(*Gathered)
		give   *plan.Give
		home   string
		want   string
	}{
		{"a closed one", at("/site"), nil, nil, "", closed},
		{"it is given", at("/site/sub"), nil, &plan.Give{Paths: []string{"/site"}}, "", ""},
		{"something like it is given", at("/site/sub"), nil, &plan.Give{Paths: []string{"/sit"}}, "", closed},
		{"it is the home", at("/site"), nil, nil, "/site", ""},
		{"anybody may write it", at("/mine"), func(g *Gathered) { Must(t, os.Chmod(g.Bundle+"/rootfs/mine", 0o777)) }, nil, "", ""},
		{"the root", at("/"), nil, nil, "", ""},
		{"it is not there", at("/none"), nil, nil, "", ""},
		{"a read-only image", func(s *specs.Spec) { at("/site")(s); s.Root.Readonly = true }, nil, nil, "", ""},
		{"it is a mount", func(s *specs.Spec) { at("/site")(s); s.Mounts = append(s.Mounts, bindOf("/usr", "/site")) }, nil, nil, "", ""},
		{"who is who it asks to be", at("/site"), func(g *Gathered) { g.User.UID = 65532 }, nil, "", ""},
		{"the host's network", func(s *specs.Spec) { s.Linux.Namespaces = s.Linux.Namespaces[:3] }, nil, nil, "", ports},
	} {
		g := gathered(t, test.edit, image...)
		if test.change != nil {
			test.change(g)
		}
		home := &homedir.Plan{Home: test.home}
		if test.home != "" {
			home.Mounts = append(home.Mounts, Bind("x", test.home))
		}
		d := decidedAs(65532, policy.Fixed)
		d.Asked.UID = g.User.UID
		got := strings.Join(g.obstacles(d, test.give, home), "; ")
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestForPlan: what is gathered for a plan in each mode.
func TestForPlan(t *testing.T) {
	for _, test := range []struct {
		name       string
		mode       string
		home, give bool
	}{
		{"rewrite", "mode = \"rewrite\"", true, true},
		{"audit", "mode = \"audit\"", true, false},
		{"off", "mode = \"off\"\nreason = \"x\"", false, false},
	} {
		p, err := policy.Parse("p", []byte(test.mode))
		Must(t, err)
		g := gather(t, callFor(t, p, nil))
		in, err := g.ForPlan(g.Settle())
		Must(t, err)
		if (in.Home != nil) != test.home || (in.Give != nil) != test.give || string(in.Config) != string(g.Config) || (in.Devices != nil) != (test.home && g.call.Caller.IsHostRoot()) {
			t.Errorf("%s: %+v", test.name, in)
		}
	}
	// Obstacles are reported in mode audit, too, before they matter.
	for _, mode := range []policy.Mode{policy.Rewrite, policy.Audit} {
		p := policy.Default()
		p.Mode = mode
		g := gather(t, callFor(t, p, func(s *specs.Spec) { s.Process.Args = []string{"/bin/su"} }, with("bin/su = #!")...))
		in, err := g.ForPlan(g.Settle())
		if notes := strings.Join(in.Notes, "\n"); err != nil || !strings.Contains(notes, "switches from root to another user") {
			t.Errorf("%s: %q, %v", mode, notes, err)
		}
	}
	// An audited container that would be refused needs no plan.
	p := policy.Default()
	p.Mode = policy.Audit
	g := gather(t, callFor(t, p, func(s *specs.Spec) { s.Linux.Namespaces = s.Linux.Namespaces[:1] }))
	d := g.Settle()
	in, err := g.ForPlan(d)
	if err != nil || d.Reason == "" || in.Home != nil {
		t.Errorf("%+v, %+v, %v", d, in, err)
	}
	// A policy that insists on a home, and an image that has no place for one.
	p = policy.Default()
	p.HomeMode = homedir.Always
	g = gather(t, callFor(t, p, func(s *specs.Spec) { s.Root.Readonly = true }, "bin/sh = #!"))
	if in, err := g.ForPlan(g.Settle()); err == nil || in.Home != nil {
		t.Errorf("%+v, %v", in, err)
	}
}

// TestSecrets: which mounts are secrets that the engine keeps for this container alone.
func TestSecrets(t *testing.T) {
	bind := func(source string) specs.Mount {
		return specs.Mount{Destination: "/run/secrets/s", Type: "bind", Source: source, Options: []string{"bind", "ro"}}
	}
	all := []specs.Mount{
		bind("/s/containers/c/mounts/secrets/x"), bind("/s/overlay-containers/c/userdata/secrets/y"),
		bind("/s/containers/d/mounts/secrets/x"), bind("/s/secrets/x"),
		{Destination: "/t", Type: "tmpfs", Source: "/s/containers/c/mounts/secrets/z"},
	}
	g := gathered(t, func(s *specs.Spec) { s.Mounts = all })
	if got := g.give(decidedAs(65532, policy.Fixed), nil).Secrets; !slices.Equal(got, []string{all[0].Source, all[1].Source}) {
		t.Errorf("%q", got)
	}
	asked := decidedAs(1000, policy.Kept)
	asked.Asked.UID = 1000
	if got := g.give(asked, nil).Secrets; got != nil {
		t.Errorf("of who is who it asks to be: %q", got)
	}
	g.rule.Adapt.Secrets = false
	if got := g.give(decidedAs(65532, policy.Fixed), nil).Secrets; got != nil {
		t.Errorf("by a policy that does not: %q", got)
	}
}
