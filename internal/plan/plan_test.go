// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// input returns a plan's input for a container whose identity is decided.
func input(t *testing.T, edit func(*specs.Spec)) *Input {
	t.Helper()
	s := testkit.Spec()
	if edit != nil {
		edit(s)
	}
	config, err := json.Marshal(s)
	testkit.Must(t, err)
	doc, err := spec.ParseConfig(config)
	testkit.Must(t, err)
	c, err := doc.Container()
	testkit.Must(t, err)
	home := &homedir.Plan{Name: "nonroot", Home: "/home/nonroot"}
	home.Mounts = []rootfs.Mount{{Destination: "/home/nonroot", Type: "tmpfs", Source: homedir.TmpfsSource, Options: []string{"size=1m"}}}
	home.Passwd, home.Group, home.Numbers = []byte("p"), []byte("g"), true
	return &Input{
		Rule: policy.Default(), Facts: &policy.Facts{Bundle: "/b", Container: c}, Config: config, Document: doc, Home: home,
		Decision: decision.Decision{Mode: decision.Rewrite, ID: "c", Identity: &decision.Identity{UID: 1000, GID: 1001, Groups: []uint32{5000}}},
	}
}

func read(t *testing.T, config []byte) *specs.Spec {
	t.Helper()
	var s specs.Spec
	testkit.Must(t, json.Unmarshal(config, &s))
	return &s
}

// TestMake checks each part of a plan.
func TestMake(t *testing.T) {
	in := input(t, nil)
	in.Given, in.Again = &Root{UID: 5, GID: 6}, true
	in.Notes = []string{"a note"}
	in.Give = &Give{Rootfs: "/r"}
	in.Facts.Container.MountLabel = "label"
	p, err := Make(in)
	testkit.Must(t, err)
	s := read(t, p.Rewritten())
	u := s.Process.User
	if u.UID != 1000 || u.GID != 1001 || !slices.Equal(u.AdditionalGids, []uint32{5000}) || !s.Process.NoNewPrivileges || len(s.Process.Capabilities.Effective) != 0 {
		t.Errorf("%+v, %+v", u, s.Process.Capabilities)
	}
	for _, want := range []string{"HOME=/home/nonroot", "USER=nonroot"} {
		if !slices.Contains(s.Process.Env, want) {
			t.Errorf("%q lacks %q", s.Process.Env, want)
		}
	}
	var added []string
	for _, m := range s.Mounts[1:] {
		added = append(added, m.Destination+" of "+m.Source+": "+strings.Join(m.Options, ","))
	}
	want := []string{
		"/etc/passwd of /b/" + record.Passwd + ": bind,ro,nosuid,nodev,noexec", "/etc/group of /b/" + record.Group + ": bind,ro,nosuid,nodev,noexec",
		"/home/nonroot of " + homedir.TmpfsSource + ": size=1m",
	}
	if !slices.Equal(added, want) {
		t.Errorf("mounts %q, want %q", added, want)
	}
	d := &p.Decision
	if d.Name != "nonroot" || d.Home != "/home/nonroot" || !d.Mounted || !slices.Equal(d.Notes, []string{"a note"}) || !slices.Equal(d.Bounding, []string{"CAP_CHOWN"}) {
		t.Errorf("%+v", d)
	}
	if string(p.Passwd) != "p" || string(p.Group) != "g" || p.Label != "label" || p.Give != in.Give || p.Reclaim != in.Given || !p.Again || string(p.Config) != string(in.Config) {
		t.Errorf("%+v", p)
	}
}

// TestMakeParts: what changes a part of it.
func TestMakeParts(t *testing.T) {
	for _, test := range []struct {
		name   string
		edit   func(*specs.Spec)
		change func(*Input)
		check  func(*Plan, *specs.Spec) bool
	}{
		{"A3: no groups where their numbers may be names", nil, func(in *Input) { in.Home.Numbers = false }, func(p *Plan, s *specs.Spec) bool {
			return len(s.Process.User.AdditionalGids) == 0 && len(p.Decision.Identity.Groups) == 0 && slices.Equal(p.Decision.Dropped, []uint32{5000}) &&
				strings.Contains(strings.Join(p.Decision.Notes, ";"), "looks their numbers up as names")
		}},
		{"no numbers are needed for no groups", nil, func(in *Input) { in.Home.Numbers, in.Decision.Identity.Groups = false, nil }, func(p *Plan, _ *specs.Spec) bool {
			return len(p.Decision.Dropped) == 0 && len(p.Decision.Notes) == 0
		}},
		{"the bounding set goes", nil, func(in *Input) { in.Rule.DropBounding = true }, func(p *Plan, s *specs.Spec) bool {
			return len(s.Process.Capabilities.Bounding) == 0 && p.Decision.Bounding == nil
		}},
		{"no names, no home", nil, func(in *Input) { in.Home.Passwd, in.Home.Group, in.Home.Mounts = nil, nil, nil }, func(p *Plan, s *specs.Spec) bool {
			return len(s.Mounts) == 1 && p.Passwd == nil && p.Group == nil && !p.Decision.Mounted
		}},
		{"mounts of an earlier rewrite make way", func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/etc/group", Type: "bind", Source: "/b/" + record.Group, Options: []string{"bind"}},
				specs.Mount{Destination: "/old", Type: "tmpfs", Source: homedir.TmpfsSource}, specs.Mount{Destination: "/theirs", Type: "bind", Source: "/other/" + record.Group, Options: []string{"bind"}})
		}, nil, func(_ *Plan, s *specs.Spec) bool {
			return len(s.Mounts) == 5 && s.Mounts[1].Destination == "/theirs"
		}},
		{"a tmpfs is the identity's", func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/d", Type: "tmpfs", Options: []string{"uid=0", "size=1m"}})
		}, func(in *Input) { in.Owned = map[int][]string{1: {"size=1m"}} }, func(_ *Plan, s *specs.Spec) bool {
			return slices.Equal(s.Mounts[1].Options, append([]string{"size=1m"}, spec.Owner(1000, 1001)...))
		}},
		{"sysctls", func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{"b": "theirs"} }, func(in *Input) {
			in.Sysctls = []spec.Sysctl{{Name: "a", Value: "0"}, {Name: "b", Value: "ours"}}
		}, func(_ *Plan, s *specs.Spec) bool {
			return s.Linux.Sysctl["a"] == "0" && s.Linux.Sysctl["b"] == "theirs"
		}},
		{"B9: the user namespace is joined as it was looked at", func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "user", Path: "/theirs"})
		}, func(in *Input) { in.Join = "/proc/./1/fd/7" }, func(_ *Plan, s *specs.Spec) bool {
			return s.Linux.Namespaces[4].Path == "/proc/./1/fd/7"
		}},
		{"C1: disks are closed", func(s *specs.Spec) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/sda", Type: "b", Major: 8, GID: ptr(6)}, {Path: "/dev/raw", Type: "c", Major: 77, GID: ptr(6)}, {Path: "/dev/x", Type: "c", Major: 78, GID: ptr(6)}}
		}, func(in *Input) { in.Devices = &Devices{RawMajors: []int64{77}} }, func(_ *Plan, s *specs.Spec) bool {
			d := s.Linux.Devices
			return *d[0].GID == 0 && *d[1].GID == 0 && *d[2].GID == 6
		}},
		{"C1: but one that the policy lets have one", func(s *specs.Spec) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/sda", Type: "b", Major: 8, GID: ptr(6)}}
		}, func(in *Input) { in.Devices, in.Rule.AllowedGIDs = &Devices{}, policy.Ranges{{First: 6, Last: 6}} }, func(_ *Plan, s *specs.Spec) bool {
			return *s.Linux.Devices[0].GID == 6
		}},
		{"devices stay in a user namespace", func(s *specs.Spec) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/sda", Type: "b", Major: 8, GID: ptr(6)}}
		}, nil, func(_ *Plan, s *specs.Spec) bool { return *s.Linux.Devices[0].GID == 6 }},
		{"no user namespaces within", nil, nil, func(_ *Plan, s *specs.Spec) bool { return s.Linux.Seccomp != nil }},
		{"user namespaces within", nil, func(in *Input) { in.Rule.AllowUserNamespaces = true }, func(_ *Plan, s *specs.Spec) bool { return s.Linux.Seccomp == nil }},
		{"audit", nil, func(in *Input) { in.Decision.Mode, in.Give = decision.Audit, &Give{} }, func(p *Plan, _ *specs.Spec) bool {
			return p.Decision.Mode == decision.Audit && p.Decision.Reason == "" && p.Give == nil && p.Decision.Identity.UID == 1000 && p.Decision.Name == "nonroot"
		}},
		{"audit, and it would be refused", nil, func(in *Input) { in.Decision.Mode, in.Decision.Reason, in.Home = decision.Audit, "why", nil }, func(p *Plan, _ *specs.Spec) bool {
			return p.Decision.Reason == "why" && p.Parts == nil
		}},
		{"audit, and no config.json can be written", nil, func(in *Input) { in.Decision.Mode, in.Decision.Identity.UID = decision.Audit, 0 }, func(p *Plan, _ *specs.Spec) bool {
			return strings.Contains(p.Decision.Reason, "is never written") && p.Parts == nil
		}},
		{"off", nil, func(in *Input) { in.Decision, in.Home = decision.Decision{Mode: decision.Off, Reason: "why"}, nil }, func(p *Plan, _ *specs.Spec) bool {
			return p.Decision.Mode == decision.Off && p.Parts == nil && p.Give == nil && p.Config != nil
		}},
	} {
		in := input(t, test.edit)
		if test.change != nil {
			test.change(in)
		}
		p, err := Make(in)
		testkit.Must(t, err)
		config := p.Rewritten()
		if config == nil {
			config = in.Config
		}
		if !test.check(p, read(t, config)) {
			t.Errorf("%s: %+v\n%s", test.name, p.Decision, config)
		}
	}
}

func ptr(n uint32) *uint32 { return &n }

// TestMakeChangesNothing of its input: another decision may be made from the same facts.
func TestMakeChangesNothing(t *testing.T) {
	in := input(t, nil)
	in.Home.Numbers = false
	groups := in.Decision.Identity.Groups
	_, err := Make(in)
	testkit.Must(t, err)
	if !slices.Equal(in.Decision.Identity.Groups, groups) || in.Decision.Name != "" {
		t.Errorf("%+v", in.Decision)
	}
}

// TestMakeFails: root is never written, and a plan that fails is a refusal.
func TestMakeFails(t *testing.T) {
	for name, change := range map[string]func(*Input){
		"uid 0":   func(in *Input) { in.Decision.Identity.UID = 0 },
		"gid 0":   func(in *Input) { in.Decision.Identity.GID = 0 },
		"group 0": func(in *Input) { in.Decision.Identity.Groups = []uint32{0} },
	} {
		in := input(t, nil)
		change(in)
		p, err := Make(in)
		if err == nil || p.Parts != nil || !strings.Contains(err.Error(), `rewrite "/b/config.json"`) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

// TestProcess: a further process runs as the decided identity, with the name and home from its container's passwd.
func TestProcess(t *testing.T) {
	names := &accounts.Files{Passwd: []byte("root:x:0:0::/root:/bin/sh\napp:x:7:7::/srv/app:/bin/sh\n")}
	recorded := &decision.Decision{Mode: decision.Rewrite, Identity: &decision.Identity{UID: 5, GID: 5}, Name: "nonroot", Home: "/home/nonroot"}
	for _, test := range []struct {
		name       string
		uid        uint32
		record     *decision.Decision
		names      *accounts.Files
		user, home string
	}{
		{"its container's", 5, recorded, names, "USER=nonroot", "HOME=/home/nonroot"},
		{"another one that has a name", 7, recorded, names, "USER=app", "HOME=/srv/app"},
		{"one without a name", 9, recorded, names, "", "HOME=/"},
		{"no record", 5, nil, names, "", "HOME=/"},
		{"of an exempt container", 5, &decision.Decision{Mode: decision.Off, Identity: recorded.Identity, Name: "x", Home: "/x"}, names, "", "HOME=/"},
		{"no names", 7, nil, nil, "", "HOME=/"},
	} {
		doc, err := spec.ParseProcess([]byte(`{"user":{"uid":0,"gid":0,"additionalGids":[0,6]},"args":["id"],"cwd":"/","env":["USER=root","HOME=/root","A=1"],"capabilities":{"bounding":["CAP_CHOWN"],"effective":["CAP_CHOWN"]}}`))
		testkit.Must(t, err)
		f := &policy.Facts{Accounts: test.names}
		f.Record = test.record
		rule := policy.Default()
		out, err := Process(rule, f, &decision.Decision{Identity: &decision.Identity{UID: test.uid, GID: 8, Groups: []uint32{9}}}, doc)
		testkit.Must(t, err)
		var p specs.Process
		testkit.Must(t, json.Unmarshal(out, &p))
		hasUser := slices.ContainsFunc(p.Env, func(e string) bool { return strings.HasPrefix(e, "USER=") })
		if p.User.UID != test.uid || p.User.GID != 8 || !slices.Equal(p.User.AdditionalGids, []uint32{9}) || !p.NoNewPrivileges || len(p.Capabilities.Effective) != 0 ||
			!slices.Equal(p.Capabilities.Bounding, []string{"CAP_CHOWN"}) || !slices.Contains(p.Env, test.home) || hasUser != (test.user != "") || hasUser && !slices.Contains(p.Env, test.user) {
			t.Errorf("%s: %s", test.name, out)
		}
	}
	doc, err := spec.ParseProcess([]byte(`{"user":{"uid":0,"gid":0},"args":["id"],"cwd":"/","capabilities":{"bounding":["CAP_CHOWN"]}}`))
	testkit.Must(t, err)
	rule := policy.Default()
	rule.DropBounding = true
	out, err := Process(rule, &policy.Facts{}, &decision.Decision{Identity: &decision.Identity{UID: 5, GID: 5}}, doc)
	if err != nil || strings.Contains(string(out), "CAP_CHOWN") {
		t.Errorf("%s, %v", out, err)
	}
}

// TestOwners: whose files the identity may come to own.
func TestOwners(t *testing.T) {
	shifted := &idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 100000, Size: 65536}}, GID: idmap.Map{{Inside: 0, Outside: 200000, Size: 65536}}}
	image := uidsOf(t, "root:x:0:0::/root:/bin/sh\nredis:x:999:999::/:/bin/sh\napp:x:1500:1500::/:/bin/sh\n")
	for _, test := range []struct {
		name        string
		o           Owners
		owner       uint32
		own, volume bool
		root        bool
	}{
		{"root, who was asked for", Owners{}, 0, true, true, true},
		{"root, who was not", Owners{Asked: 5}, 0, false, false, true},
		{"who was asked for", Owners{Asked: 5000}, 5000, true, true, false},
		{"a service", Owners{}, 999, true, true, false},
		{"nobody", Owners{}, 65534, true, true, false},
		{"a person", Owners{}, 1000, false, false, false},
		{"an account of the image's", Owners{Accounts: image}, 1500, true, true, false},
		{"a person beside it", Owners{Accounts: image}, 1501, false, false, false},
		{"the policy's", Owners{Policy: []uint32{65532}}, 65532, true, false, false},
		{"C6: one that the policy gives to others, too", Owners{Reserved: policy.Ranges{{First: 5000, Last: 5999}}}, 5005, true, false, false},
		{"C6: one of others that the image knows", Owners{Accounts: image, Reserved: policy.Ranges{{First: 1000, Last: 1999}}}, 1500, true, false, false},
		{"C6: a service's number that is given to others", Owners{Reserved: policy.Ranges{{First: 900, Last: 999}}}, 999, true, false, false},
		{"mapped: root", Owners{Map: shifted}, 100000, true, true, true},
		{"mapped: the host's root", Owners{Map: shifted}, 0, false, false, false},
		{"mapped: a service", Owners{Map: shifted}, 100999, true, true, false},
		{"mapped: the host's service", Owners{Map: shifted}, 999, false, false, false},
		{"mapped: the policy's", Owners{Map: shifted, Policy: []uint32{5000}}, 105000, true, false, false},
		{"mapped: reserved", Owners{Map: shifted, Reserved: policy.Ranges{{First: 5000, Last: 5999}}}, 105005, true, false, false},
	} {
		if own, volume, root := test.o.MayChown(test.owner), test.o.MayChownVolume(test.owner), test.o.IsRoot(test.owner); own != test.own || volume != test.volume || root != test.root {
			t.Errorf("%s: in the image %v, in a volume %v, root %v", test.name, own, volume, root)
		}
	}
	plain, mapped := Owners{}, Owners{Map: shifted}
	if !plain.IsRootGroup(0) || plain.IsRootGroup(5) || !mapped.IsRootGroup(200000) || mapped.IsRootGroup(0) || mapped.IsRootGroup(200001) {
		t.Error("whose the root group is can't be told")
	}
	groups := Owners{Map: shifted, Groups: []uint32{65532, 70}, Reserved: policy.Ranges{{First: 5000, Last: 5999}}}
	for group, want := range map[uint32]bool{200000: true, 265532: true, 200070: true, 200071: false, 205005: true, 206000: false, 65532: false, 0: false} {
		if groups.MayChangeGroup(group) != want {
			t.Errorf("the group %d gives way: %v", group, !want)
		}
	}
	if plain.Outside(7) != 7 || mapped.Outside(7) != 100007 || plain.OutsideGroup(7) != 7 || mapped.OutsideGroup(7) != 200007 || mapped.Outside(70000) != 0 || mapped.OutsideGroup(70000) != 0 {
		t.Error("an id outside of the user namespace is wrong")
	}
}

// TestFileOwners: owners by the whole policy, by its part for the container, and by the container's last start.
func TestFileOwners(t *testing.T) {
	general, rule := policy.Default(), policy.Default()
	general.UID, rule.UID, rule.Reserved = 3000, 3001, policy.Ranges{{First: 5000, Last: 5999}}
	image := uidsOf(t, "app:x:1500:1500::/:/bin/sh\n")
	of := FileOwners(general, rule, 2000, &policy.Identity{UID: 3002}, nil, image)
	for uid, want := range map[uint32]bool{
		0: false, 1999: false, 2000: true, 3000: true, 3001: true, 3002: true, 3003: false, policy.DefaultID: true, 5005: true, 1500: true, 1501: false,
	} {
		if got := of.MayChown(uid); got != want {
			t.Errorf("%d: %t", uid, got)
		}
	}
	if FileOwners(general, rule, 2000, nil, nil, nil).MayChown(3002) {
		t.Error("nobody has said that 3002 was the container's")
	}
	shifted := &idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 100000, Size: 65536}}}
	if of := FileOwners(general, rule, 0, nil, shifted, nil); !of.MayChown(100000) || of.MayChown(0) {
		t.Error("the container's root is not the host's")
	}
}

// uidsOf returns the accounts of an image with this passwd.
func uidsOf(t *testing.T, passwd string) *accounts.UIDs {
	t.Helper()
	dir := t.TempDir()
	testkit.Must(t, os.MkdirAll(dir+"/rootfs/etc", 0o755), os.WriteFile(dir+"/rootfs/etc/passwd", []byte(passwd), 0o644))
	view, err := rootfs.Open(dir, "rootfs", false, nil)
	testkit.Must(t, err)
	im := accounts.In(view)
	t.Cleanup(func() { _ = im.Close() })
	return im.UIDs()
}

// TestIsNew: which empty volumes have no user yet.
func TestIsNew(t *testing.T) {
	of := Owners{Policy: []uint32{65532, 200001, 77}, Fixed: []uint32{65532, 200001}, Reserved: policy.Ranges{{First: 200000, Last: 200999}}}
	mapped := of
	mapped.Map = &idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 100000, Size: 70000}}}
	for _, test := range []struct {
		of    Owners
		owner uint32
		want  bool
	}{
		{of, 0, true},
		{of, 65532, true},
		{of, 33, false},
		{of, 77, false},
		{of, 1000, false},
		{of, 200001, false},
		{of, 200002, false},
		{mapped, 0, false},
		{mapped, 100000, true},
		{mapped, 165532, true},
		{mapped, 65532, false},
	} {
		if got := test.of.IsNew(test.owner); got != test.want {
			t.Errorf("%d: %t", test.owner, got)
		}
	}
}
