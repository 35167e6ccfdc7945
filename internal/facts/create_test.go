// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	. "github.com/nonroot-runc/nonroot-runc/internal/testkit"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// read names the facts that were gathered because a decision asked for them.
func read(g *Gathered) (names []string) {
	for _, f := range []struct {
		name string
		is   bool
	}{
		{"host groups", g.HostGroups != nil},
		{"accounts", g.Accounts != nil},
		{"intended", g.Intended != nil},
		{"isolated", g.Isolated != nil},
		{"people", g.People != nil},
		{"project", g.Project != nil},
		{"devices", g.Devices != nil},
		{"leases", g.Leases != nil},
	} {
		if f.is {
			names = append(names, f.name)
		}
	}
	return names
}

// TestSettleAsksForLittle: a decision reads only the facts that it needs.
func TestSettleAsksForLittle(t *testing.T) {
	NeedPrivate(t)
	write(t, "/etc/group", "root:x:0:\ndisk:x:6:\n")
	user := func(uid, gid uint32, groups ...uint32) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Process.User = specs.User{UID: uid, GID: gid, AdditionalGids: groups} }
	}
	withPolicy := func(text string) *policy.Policy {
		p, err := policy.Parse("p", []byte(text))
		Must(t, err)
		return p
	}
	people := filepath.Join(t.TempDir(), "people")
	write(t, people, "")
	for _, test := range []struct {
		name string
		p    *policy.Policy
		edit func(*specs.Spec)
		want []string
	}{
		{"plain root", nil, nil, []string{"intended"}},
		{"root, fixed", withPolicy(`identity.sources = ["fixed"]`), nil, nil},
		{"root with groups", nil, user(0, 0, 5000), []string{"host groups", "intended"}},
		{"kept", nil, user(1000, 1000), []string{"host groups"}},
		{"kept, with a gid that means something", nil, user(1000, 6), []string{"host groups", "accounts"}},
		{"kept, of group 0", nil, user(1000, 0), []string{"accounts"}},
		{"off", withPolicy("mode = \"off\"\nreason = \"x\""), nil, nil},
		{"audit", withPolicy("mode = \"audit\""), nil, []string{"intended"}},
		{"a range, each its own", withPolicy("identity = {range = \"100000-100999\", share = \"container\"}"), nil, []string{"host groups", "intended", "leases"}},
		{"a range, for a project", withPolicy("identity = {range = \"100000-100999\", share = \"namespace\"}"), func(s *specs.Spec) {}, []string{"host groups", "intended", "leases"}},
		{"people", withPolicy("identity.users_file = \"" + people + "\""), nil, []string{"intended"}},
		{"devices", withPolicy("identity.device_groups = [\"/dev/*\"]"), nil, []string{"intended", "devices"}},
	} {
		g := gather(t, callFor(t, test.p, test.edit))
		if d := g.Settle(); d.Refused() || d.Missing.Any() {
			t.Errorf("%s: %+v", test.name, d)
		}
		want := slices.Sorted(slices.Values(test.want))
		if got := slices.Sorted(slices.Values(read(g))); !slices.Equal(got, want) {
			t.Errorf("%s: %q were read, want %q", test.name, got, want)
		}
	}
}

// TestGatherOfThoseThatStayAsTheyAre: if the policy can't apply to any container, config.json is not even parsed.
func TestGatherOfThoseThatStayAsTheyAre(t *testing.T) {
	off, err := policy.Parse("p", []byte("mode = \"off\"\nreason = \"x\""))
	Must(t, err)
	for _, test := range []struct {
		name  string
		p     *policy.Policy
		fails bool
		mode  policy.Mode
	}{
		{"off", off, false, policy.Off},
		{"rewrite", policy.Default(), true, policy.Refuse},
	} {
		c := callFor(t, test.p, nil)
		Must(t, os.WriteFile(c.Bundle.Join("config.json"), []byte("{"), 0o600))
		g, err := c.Gather()
		t.Cleanup(g.Close)
		if (err != nil) != test.fails {
			t.Errorf("%s: %v", test.name, err)
		}
		if err != nil {
			if d := test.p.Failed(&g.Facts, err); d.Mode != test.mode {
				t.Errorf("%s: %+v", test.name, d)
			}
		} else if d := g.Settle(); d.Mode != test.mode || g.Container != nil {
			t.Errorf("%s: %+v", test.name, d)
		}
	}
}

// TestGatherFails: a bundle that can't be read or trusted is an error.
func TestGatherFails(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Call)
		fails  string
	}{
		{"others can write the bundle", func(c *Call) { Must(t, os.Chmod(c.Bundle.Path, 0o777)) }, "trust the bundle"},
		{"there is no config.json", func(c *Call) { Must(t, os.Remove(c.Bundle.Join("config.json"))) }, "no such file"},
		{"no process", func(c *Call) {
			Must(t, os.WriteFile(c.Bundle.Join("config.json"), []byte(`{"root":{"path":"rootfs"}}`), 0o600))
		}, "no process"},
		{"no rootfs", func(c *Call) { Must(t, os.RemoveAll(c.Bundle.Join("rootfs"))) }, "open the rootfs"},
		{"no such user", func(c *Call) {
			Must(t, os.WriteFile(c.Bundle.Join("config.json"), []byte(`{"root":{"path":"rootfs"},"process":{"user":{"uid":-1}}}`), 0o600))
		}, "process.user.uid"},
		{"maps without a user namespace", func(c *Call) {
			s := Spec()
			s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1, Size: 1}}
			rewriteConfig(t, c, s)
		}, "no user namespace"},
	} {
		c := callFor(t, nil, nil)
		test.change(c)
		g, err := c.Gather()
		g.Close()
		if err == nil || !strings.Contains(err.Error(), test.fails) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// TestTheCallsOwn: the call's own arguments are among the facts, and an objection to them comes before all others.
func TestTheCallsOwn(t *testing.T) {
	c := callFor(t, nil, nil)
	c.Runtime, c.NoCgroups, c.Unfit, c.Act = "/usr/bin/nvidia-container-runtime.cdi", true, os.ErrClosed, policy.Restored
	g, err := c.Gather()
	if err == nil || !g.Unguarded || g.Config != nil {
		t.Errorf("%v, %+v", err, g.Facts)
	}
	if g.RewritingNext != c.Runtime || !g.NoCgroups || g.Unfit != os.ErrClosed || g.Act != policy.Restored || g.ID != "c" || g.Bundle != c.Bundle.Path || g.Now.IsZero() {
		t.Errorf("%+v", g.Facts)
	}
}

// TestGiven: a bundle that was given to the container's root can be read, and the result says so.
func TestGiven(t *testing.T) {
	if !IsRoot() {
		NeedRoot(t)
		t.Skip("nobody else is there")
	}
	mapped := func(s *specs.Spec) {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
		s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
		s.Linux.GIDMappings = s.Linux.UIDMappings
	}
	for _, test := range []struct {
		name  string
		edit  func(*specs.Spec)
		owner int
		given bool
		fails bool
	}{
		{"root's", mapped, 0, false, false},
		{"the container's root's", mapped, 100000, true, false},
		{"somebody else's", mapped, 100001, false, true},
		{"somebody's, without a user namespace", nil, 100000, false, true},
	} {
		c := callFor(t, nil, test.edit)
		Must(t, os.Chown(c.Bundle.Path, test.owner, test.owner))
		g, err := c.Gather()
		t.Cleanup(g.Close)
		if (err != nil) != test.fails || (g.Given != nil) != test.given || test.given && g.Given.UID != 100000 {
			t.Errorf("%s: %+v, %v", test.name, g.Given, err)
		}
	}
}

// TestEarlier reads who the container was, and what was requested before config.json was rewritten.
func TestEarlier(t *testing.T) {
	asked := &policy.Identity{UID: 3, GID: 4}
	for _, test := range []struct {
		name       string
		edit       func(*decision.Decision)
		again      bool
		last, were bool
	}{
		{"the same config.json", func(*decision.Decision) {}, true, true, true},
		{"a new config.json", func(d *decision.Decision) { d.Config = "x" }, false, true, false},
		{"another container's", func(d *decision.Decision) { d.ID = "other" }, false, false, true},
		{"exempt", func(d *decision.Decision) { d.Mode = policy.Off }, false, false, false},
	} {
		c := callFor(t, nil, nil)
		config, err := c.Bundle.Read("config.json")
		Must(t, err)
		d := decision.Decision{Mode: policy.Rewrite, ID: "c", Identity: &policy.Identity{UID: 1000, GID: 1000}, Asked: asked, Config: record.Digest(config)}
		test.edit(&d)
		Must(t, record.Write(c.Bundle, &d))
		g := gather(t, c)
		if g.again != test.again || (g.last != nil) != test.last || (g.before != nil) != test.were || (g.User.UID == 3) != test.again {
			t.Errorf("%s: %v, %+v, %+v, %+v", test.name, g.again, g.last, g.before, g.User)
		}
	}
}

// TestImageAsRootWroteIt: on a rootfs without layers, only accounts that only root can have written count.
func TestImageAsRootWroteIt(t *testing.T) {
	NeedPrivate(t)
	write(t, "/etc/group", "root:x:0:\ndisk:x:6:\n")
	for _, open := range []bool{false, true} {
		c := callFor(t, nil, func(s *specs.Spec) { s.Process.User = specs.User{UID: 1000, GID: 6} }, apps...)
		if open {
			Must(t, os.Chmod(c.Bundle.Join("rootfs/etc"), 0o777))
		}
		g := gather(t, c)
		want := uint32(1000) // the image's own group of the uid
		if open {
			want = 65532
		}
		if d := g.Settle(); d.Identity == nil || d.Identity.GID != want {
			t.Errorf("open %v: %+v", open, d)
		}
	}
}

// TestMountsOfOursAreNotTheImages: names that an earlier rewrite mounted are not the image's.
func TestMountsOfOursAreNotTheImages(t *testing.T) {
	c := callFor(t, nil, nil)
	s := Spec()
	s.Mounts = append(s.Mounts, specs.Mount{Destination: "/etc/passwd", Type: "bind", Source: c.Bundle.Join(record.Passwd), Options: []string{"bind", "ro"}})
	s.Process.User = specs.User{UID: 1000, GID: 0}
	rewriteConfig(t, c, s)
	write(t, c.Bundle.Join(record.Passwd), "app:x:1000:4444::/:/bin/sh\n")
	g := gather(t, c)
	at, err := g.image.Look("/etc/passwd")
	Must(t, err)
	if at.Mount != nil {
		t.Errorf("%+v", at.Mount)
	}
}

// TestPeople reads the administrator's list, which only root may be able to write.
func TestPeople(t *testing.T) {
	dir := t.TempDir()
	users, groups, open := filepath.Join(dir, "users"), filepath.Join(dir, "groups"), filepath.Join(dir, "open")
	write(t, users, "alice:x:20001:20000::/home/alice:/bin/sh\n")
	write(t, groups, "team:x:30000:alice\n")
	write(t, open, "")
	Must(t, os.Chmod(open, 0o666))
	owners := trusted.CallersOwners(nil)
	named := func(users, groups string) *policy.Policy {
		p := policy.Default()
		p.UsersFile, p.GroupsFile = users, groups
		return p
	}
	for _, test := range []struct {
		name  string
		p     *policy.Policy
		none  bool
		fails string
		gids  []uint32
	}{
		{"the stricter one beside it names one", &policy.Policy{Audit: named(users, "")}, false, "", nil},
		{"none is named", named("", groups), true, "", nil},
		{"users", named(users, ""), false, "", nil},
		{"users and groups", named(users, groups), false, "", []uint32{30000}},
		{"others can write it", named(open, ""), false, "read identity.users_file", nil},
		{"others can write the groups", named(users, open), false, "read identity.groups_file", nil},
		{"it is not there", named(users+"x", ""), false, "read identity.users_file", nil},
	} {
		got := People(test.p, owners)
		if (got == nil) != test.none {
			t.Errorf("%s: %+v", test.name, got)
			continue
		}
		if got == nil {
			continue
		}
		if (got.Fault != nil) != (test.fails != "") || got.Fault != nil && !strings.Contains(got.Fault.Error(), test.fails) {
			t.Errorf("%s: %v", test.name, got.Fault)
		}
		if got.Fault == nil {
			if u, err := got.Accounts.Person("alice"); err != nil || u == nil || u.UID != 20001 || !slices.Equal(u.Groups, test.gids) {
				t.Errorf("%s: %+v, %v", test.name, u, err)
			}
		}
	}
	// The audited one names a list.
	p, strict := policy.Default(), named(users, "")
	p.Audit = strict
	c := callFor(t, p, nil)
	c.Root = "/run/containerd/runc/alice"
	g := gather(t, c)
	if d := g.Settle(); d.Audited == "" || !strings.Contains(d.Audited, "20001") || d.Identity.UID != 65532 {
		t.Errorf("%+v", d)
	}
}

// TestLease: an owner keeps its id, an id already taken stays with the container, and what keeps others from getting
// one is reported.
func TestLease(t *testing.T) {
	p, err := policy.Parse("p", []byte("identity = {range = \"100000-100009\", share = \"container\"}"))
	Must(t, err)
	c := callFor(t, p, nil)
	first := gather(t, c).Settle()
	if first.Mode != policy.Rewrite || len(first.Leases) != 1 || first.Leases[0].ID != first.Identity.UID || first.Identity.UID < 100000 || first.Identity.UID > 100009 {
		t.Fatalf("%+v", first)
	}
	taken := first.Leases[0]
	taken.ID = 100000 + (taken.ID-100000+1)%10
	c.Taken = []decision.Lease{taken}
	if d := gather(t, c).Settle(); d.Identity.UID != taken.ID || !slices.Equal(d.Leases, []decision.Lease{taken}) {
		t.Errorf("taken %+v: %+v", taken, d)
	}
	other := taken
	other.Owner += "x"
	c.Taken = []decision.Lease{other}
	if d := gather(t, c).Settle(); d.Identity.UID != first.Identity.UID {
		t.Errorf("somebody else's: %+v", d)
	}
	c.Taken = nil
	Must(t, os.MkdirAll(p.State, 0o700), os.WriteFile(p.State+"/uids", nil, 0o600))
	if d := gather(t, c).Settle(); !d.Refused() {
		t.Errorf("a store that is a file: %+v", d)
	}
}

// TestCaller: a caller that has the host's root in its user namespace is the host's root.
func TestCaller(t *testing.T) {
	rootless := idmap.Map{{Inside: 0, Outside: 1000, Size: 1}}
	if c := caller(); !c.IsHostRoot() {
		t.Error("the host's own user namespace has no root")
	}
	if c := (&Caller{Own: idmap.Pair{UID: rootless, GID: rootless}}); c.IsHostRoot() {
		t.Error("a rootless engine's user is the host's root")
	}
	if c, err := LookAtCaller(); err != nil || len(c.Own.UID) == 0 || c.IsHostRoot() != IsRoot() {
		t.Errorf("%+v, %v", c, err)
	}
	if c := AnyCaller(); len(c.Own.UID) != 0 || !c.Owners.Trusts(0) {
		t.Errorf("%+v", c)
	}
}
