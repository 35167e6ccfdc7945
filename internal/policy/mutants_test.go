// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// These tests cover edge cases: the last id that is allowed and the first one that is not, each part of a condition by
// itself, so that `make mutants` finds no survivors.

// with returns the default policy with changes.
func with(change ...func(*Policy)) *Policy {
	p := Default()
	for _, c := range change {
		c(p)
	}
	return p
}

// TestWhatOthersMayChoose: what each key of a rule is compared with.
func TestWhatOthersMayChoose(t *testing.T) {
	both := func(p *Policy) { p.Annotation, p.Variable = true, true }
	annotation := func(p *Policy) { p.Annotation = true }
	variable := func(p *Policy) { p.Variable = true }
	uids := func(first, last ID) func(*Policy) {
		return func(p *Policy) { p.AllowedUIDs = Ranges{{first, last}} }
	}
	unbounded := func(p *Policy) { p.AllowedUIDs = nil }
	block := func(n ID) func(*Policy) { return func(p *Policy) { p.Block = n } }
	inRange := func(first, last ID) func(*Policy) { return func(p *Policy) { p.Range = Range{first, last} } }
	gid := func(n ID) func(*Policy) { return func(p *Policy) { p.GID = n } }
	groups := func(n ...ID) func(*Policy) { return func(p *Policy) { p.ExtraGIDs = n } }
	names := func(n ...string) func(*Policy) { return func(p *Policy) { p.ExtraGroups = n } }
	hooks := func(h ...string) func(*Policy) { return func(p *Policy) { p.Hooks = append(Patterns{}, h...) } }
	sources := func(s ...Source) func(*Policy) { return func(p *Policy) { p.Sources = s } }
	mode := func(m Mode) func(*Policy) { return func(p *Policy) { p.Mode = m } }
	for _, test := range []struct {
		key           string
		rule, general *Policy
		may           bool
	}{
		{"mode", with(mode(Audit)), with(mode(Off)), true},
		{"mode", with(mode(Off)), with(mode(Audit)), false},
		{"mode", with(mode(Audit)), with(mode(Rewrite)), false},
		{"mode", with(mode(Rewrite)), with(mode(Audit)), true},
		{"identity.gid", with(gid(1000)), with(), true},
		{"identity.gid", with(gid(999)), with(), false},
		{"identity.gid", with(gid(999)), with(gid(999)), true},
		{"identity.range", with(inRange(1000, 2000)), with(), true},
		{"identity.range", with(inRange(999, 2000)), with(), false},
		{"identity.range", with(inRange(999, 2000)), with(inRange(999, 2000)), true},
		{"identity.block", with(block(5)), with(), true},
		{"identity.block", with(block(5)), with(block(5)), true},
		{"identity.block", with(block(4)), with(block(5)), false},
		{"identity.block", with(block(0)), with(block(5)), false},
		{"identity.requests", with(both), with(both), true},
		{"identity.requests", with(both), with(annotation), false},
		{"identity.requests", with(both), with(variable), false},
		{"identity.requests", with(variable), with(variable), true},
		{"identity.requests", with(annotation), with(annotation), true},
		{"identity.requests", with(annotation), with(variable), false},
		{"identity.requests", with(variable), with(annotation), false},
		{"identity.allowed_uids", with(unbounded, both), with(unbounded), true},
		{"identity.allowed_uids", with(uids(5, 5)), with(unbounded), true},
		{"identity.allowed_uids", with(uids(5, 5), variable), with(unbounded), false},
		{"identity.allowed_uids", with(uids(5, 5), annotation), with(unbounded), false},
		{"identity.allowed_uids", with(uids(5, 5), inRange(2000, 3000)), with(unbounded), false},
		{"identity.allowed_uids", with(uids(5, 5)), with(unbounded, inRange(2000, 3000)), false},
		{"identity.allowed_uids", with(unbounded), with(uids(5, 7)), false},
		{"identity.allowed_uids", with(uids(5, 7)), with(uids(5, 7)), true},
		{"identity.allowed_uids", with(uids(4, 7)), with(uids(5, 7)), false},
		{"identity.allowed_uids", with(uids(5, 8)), with(uids(5, 7)), false},
		{"identity.groups", with(groups(1000)), with(), true},
		{"identity.groups", with(groups(999)), with(), false},
		{"identity.groups", with(groups(999)), with(groups(999)), true},
		{"identity.groups", with(names("disk")), with(names("disk")), true},
		{"identity.groups", with(names("disk")), with(names("kvm")), false},
		{
			"adapt.groups", with(func(p *Policy) { p.Adapt.Groups = true }),
			with(func(p *Policy) { p.Adapt.Groups = true }), true,
		},
		{
			"adapt.groups", with(func(p *Policy) { p.Adapt.Groups = false }),
			with(func(p *Policy) { p.Adapt.Groups = false }), true,
		},
		{
			"process.bounding", with(func(p *Policy) { p.DropBounding = true }),
			with(func(p *Policy) { p.DropBounding = true }), true,
		},
		{
			"process.user_namespaces", with(func(p *Policy) { p.AllowUserNamespaces = true }),
			with(func(p *Policy) { p.AllowUserNamespaces = true }), true,
		},
		{"hooks.allowed", with(), with(hooks("/a")), false},
		{"hooks.allowed", with(hooks()), with(hooks("/a")), true},
		{"hooks.allowed", with(hooks("/a*")), with(hooks("/a*")), true},
		{"hooks.allowed", with(hooks("/a")), with(hooks()), false},
		{"hooks.allowed", with(hooks("/b")), with(hooks("/a")), false},
		{"identity.sources", with(sources(Fixed)), with(sources(Kept, Image, Requested, Fixed)), true},
		{"identity.sources", with(sources(Fixed)), with(sources(Image, Fixed)), true},
		{"identity.sources", with(sources(Image, Fixed)), with(sources(Fixed)), false},
		{"identity.sources", with(sources(Kept, Fixed)), with(sources(Listed, Kept, Fixed)), false},
	} {
		if got := choiceOf(test.key)(test.rule, test.general); got != test.may {
			t.Errorf("%s: %+v beside the general %+v: %v", test.key, test.rule, test.general, got)
		}
	}
	if narrows([]Source{Fixed}, []Source{Kept, Fixed, Kept, Fixed}) {
		t.Error("a rule that has no source left narrows whatever comes")
	}
	if morePower([]string{"people"}, nil, with()) {
		t.Error("a group that is not privileged is power")
	}
	for _, file := range []func(*Policy){
		func(p *Policy) { p.UsersFile = "/etc/people" }, func(p *Policy) { p.GroupsFile = "/etc/teams" },
	} {
		if got := with(file).gives(with()); got != "identity.users_file" {
			t.Errorf("another list gives %q", got)
		}
	}
	groupsOff := with(func(p *Policy) { p.Adapt.Groups = false })
	if got := with(func(p *Policy) { p.Adapt.Groups = true }).gives(groupsOff); got != "adapt.groups" {
		t.Errorf("the first key by name gives %q", got)
	}
}

// TestDisjoint: two rules are for different containers only if names without patterns say so.
func TestDisjoint(t *testing.T) {
	for _, test := range []struct {
		a, b Match
		want bool
	}{
		{Match{Engine: Patterns{"docker"}}, Match{Engine: Patterns{"podman"}}, true},
		{Match{Root: Patterns{"/run/a"}}, Match{Root: Patterns{"/run/b"}}, true},
		{Match{Namespace: Patterns{"a"}}, Match{Namespace: Patterns{"b"}}, true},
		{Match{Namespace: Patterns{"a", "b"}}, Match{Namespace: Patterns{"b", "c"}}, false},
		{Match{Namespace: Patterns{"a"}}, Match{}, false},
		{Match{}, Match{Namespace: Patterns{"a"}}, false},
		{Match{Namespace: Patterns{"a"}}, Match{Namespace: Patterns{"b*"}}, false},
		{Match{Namespace: Patterns{"!a"}}, Match{Namespace: Patterns{"b"}}, false},
		{Match{Pod: Patterns{"a"}}, Match{Pod: Patterns{"b"}}, false},
	} {
		if got := disjoint(&test.a, &test.b); got != test.want {
			t.Errorf("%+v and %+v: %v", test.a, test.b, got)
		}
	}
}

// TestChosenGroups: a rule that others can choose to be in gives no group that is privileged here, neither as the
// primary one nor in addition.
func TestChosenGroups(t *testing.T) {
	for _, test := range []struct {
		name    string
		general *Policy
		id      Identity
		exec    bool
		refused bool
	}{
		{"an ordinary one", with(), Identity{UID: 5, GID: 4000}, false, false},
		{"primary", with(), Identity{UID: 5, GID: 999}, false, true},
		{"beside it", with(), Identity{UID: 5, GID: 4000, Groups: []uint32{999}}, false, true},
		{"the general part's own", with(func(p *Policy) { p.GID = 999 }), Identity{UID: 5, GID: 999}, false, false},
		{
			"allowed to all", with(func(p *Policy) { p.AllowedGIDs = Ranges{{999, 999}} }),
			Identity{UID: 5, GID: 999},
			false, false,
		},
		{"given to all", with(func(p *Policy) { p.ExtraGIDs = []ID{999} }), Identity{UID: 5, GID: 999}, false, false},
		{
			"given to all by name", with(func(p *Policy) { p.ExtraGroups = []string{"docker"} }),
			Identity{UID: 5, GID: 999},
			false, false,
		},
		{
			"another one is given to all", with(func(p *Policy) { p.ExtraGroups = []string{"plain", "nosuch"} }),
			Identity{UID: 5, GID: 999},
			false, true,
		},
		{
			"a group that the host has not is none", with(func(p *Policy) { p.ExtraGroups = []string{"nosuch"} }),
			Identity{UID: 5, GID: 0},
			false, true,
		},
		{"no such rule", nil, Identity{UID: 5, GID: 999}, false, false},
		{"what its container has", with(), Identity{UID: 5, GID: 999}, true, false},
	} {
		p, f := with(), facts(spec.User{}).ask()
		p.General, p.Rule = test.general, "theirs"
		if test.exec {
			f.created = &test.id
		}
		err := chosenGroupsAreNoPower(p, f, &Decision{Identity: &test.id})
		if (err != nil) != test.refused {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// TestMountsThatGiveAway: an owner or mode is refused if a mount may show other users' files, and allowed elsewhere.
func TestMountsThatGiveAway(t *testing.T) {
	for _, kind := range []string{
		"tmpfs", "ramfs", "devpts", "mqueue", "hugetlbfs", "proc", "sysfs",
		"cgroup", "cgroup2", "bind",
	} {
		if got := givesAway(&spec.Mount{Type: kind, Options: []string{"uid=5"}}); got != "" {
			t.Errorf("%s gives %q", kind, got)
		}
	}
	for _, bind := range []string{"bind", "rbind"} {
		if got := givesAway(&spec.Mount{Type: "none", Options: []string{bind, "uid=5"}}); got != "" {
			t.Errorf("%s gives %q", bind, got)
		}
	}
	for _, name := range []string{"uid", "gid", "umask", "dmask", "fmask", "mode", "file_mode", "dir_mode"} {
		for _, options := range [][]string{{"ro", name + "=5"}, {"ro," + name + "=5"}, {name}} {
			if got := givesAway(&spec.Mount{Type: "vfat", Options: options}); !strings.HasPrefix(got, name) {
				t.Errorf("vfat with %q gives %q", options, got)
			}
		}
	}
	if got := givesAway(&spec.Mount{Type: "vfat", Options: []string{"ro", "uidx=5"}}); got != "" {
		t.Errorf("an option that begins alike gives %q", got)
	}
	for _, o := range []string{"idmap", "ridmap", "IDMAP", "noidmap"} {
		f := facts(spec.User{})
		f.Container.Mounts = []spec.Mount{{Destination: "/m", Options: []string{o}}}
		if err := disksAreNotShifted(with(), f.ask(), &Decision{}); err != nil {
			t.Errorf("%s: %v", o, err)
		}
	}
}

// TestShiftedGroups: a group that means something on the host must not appear as another one, nor as an unmapped one.
func TestShiftedGroups(t *testing.T) {
	f := facts(spec.User{}).ask()
	gids := func(p *idmap.Pair) idmap.Map { return p.GID }
	disk := []spec.IDMap{{ContainerID: 6, HostID: 6, Size: 1}}
	if id, shifted := f.shifted(disk, []uint32{6}, gids); shifted {
		t.Errorf("a group that keeps its number: %d", id)
	}
	// Its number is unchanged, but not mapped in the user namespace: a group that is mapped there later would have it.
	f.UserNamespace = &idmap.Pair{GID: idmap.Map{{Inside: 1000, Outside: 101000, Size: 1}}}
	if id, shifted := f.shifted([]spec.IDMap{{ContainerID: 6, HostID: 0, Size: 1}}, []uint32{6}, gids); !shifted ||
		id != 6 {
		t.Errorf("a group without a number in the namespace: %d, %v", id, shifted)
	}
}

// TestGroupsInNamespaces: each group of an identity must be mapped in the namespace, and none may be the host's root.
func TestGroupsInNamespaces(t *testing.T) {
	f := facts(spec.User{}).ask()
	f.UserNamespace = &idmap.Pair{
		UID: idmap.Map{{Inside: 0, Outside: 100000, Size: 65536}},
		GID: idmap.Map{{Inside: 1, Outside: 100001, Size: 60000}, {Inside: 60001, Outside: 0, Size: 1}},
	}
	for group, want := range map[uint32]string{5: "", 60001: "mapped to the host's root", 60002: "not mapped"} {
		err := identityIsMapped(with(), f, &Decision{Identity: &Identity{UID: 5, GID: 5, Groups: []uint32{7, group}}})
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v", group, err)
		}
	}
}

// TestBoundsOfIDs: the highest id that runtimes agree on is allowed, the next one nowhere.
func TestBoundsOfIDs(t *testing.T) {
	for _, test := range []struct {
		id uint32
		ok bool
	}{{MaxID, true}, {MaxID + 1, false}} {
		p := with(func(p *Policy) { p.Sources, p.AllowedGIDs = []Source{Kept, Image, Fixed}, Ranges{{1, 1<<32 - 1}} })
		f := facts(spec.User{UID: test.id, GID: 4000, Groups: []uint32{test.id}}).ask()
		d := Decision{Identity: &Identity{}}
		if kept, err := p.kept(f, &d); kept != test.ok || (err == nil) != test.ok {
			t.Errorf("uid %d: %v, %v", test.id, kept, err)
		}
		if got := p.harmless(f, test.id); got != test.ok {
			t.Errorf("gid %d: %v", test.id, got)
		}
		if kept, _ := p.supplementary(f, 1); (len(kept) == 1) != test.ok {
			t.Errorf("group %d: %v", test.id, kept)
		}
		d = Decision{Identity: &Identity{GID: 1}}
		if addGroup(&d, test.id); (len(d.Identity.Groups) == 1) != test.ok {
			t.Errorf("added group %d: %+v", test.id, d.Identity)
		}
		err := p.requestedGroup(f, &Identity{UID: 5}, accounts.User{}, false, itoa(test.id), true, "x")
		if (err == nil) != test.ok {
			t.Errorf("requested gid %d: %v", test.id, err)
		}
		f.Intended = &accounts.Intended{Users: []accounts.User{{Name: "app", UID: test.id, GID: 4000}}}
		f.User.UID = 0
		if got := p.image(f, &Decision{Identity: &Identity{}}); got != test.ok {
			t.Errorf("the image's uid %d: %v", test.id, got)
		}
		c := &runc.Credentials{
			UIDs:     []uint32{1000},
			GIDs:     []uint32{4000},
			HostUIDs: []uint32{1000},
			HostGIDs: []uint32{4000},
		}
		c.GIDs[0], c.HostGIDs[0] = test.id, test.id
		if err := p.anybody(f, c); (err == nil) != test.ok {
			t.Errorf("a process's gid %d: %v", test.id, err)
		}
		c.GIDs[0], c.HostGIDs[0], c.Groups, c.HostGroups = 4000, 4000, []uint32{test.id}, []uint32{test.id}
		if err := p.anybody(f, c); (err == nil) != test.ok {
			t.Errorf("a process's group %d: %v", test.id, err)
		}
		p.UsersFile = "/etc/people"
		f.People = &People{Accounts: accounts.Files{Passwd: []byte("ann:x:" + itoa(test.id) + ":4000::/:/bin/sh\n")}}
		if u, err := p.person(f, "ann"); (u != nil) != test.ok || (err == nil) != test.ok {
			t.Errorf("a person's uid %d: %v, %v", test.id, u, err)
		}
		f.Devices, p.DeviceGroups = []Device{{Path: "/dev/a", GID: test.id, Known: true}}, []string{"/dev/*"}
		var added []uint32
		p.deviceGroups(f, &Decision{}, func(gid uint32, _ string) { added = append(added, gid) })
		if (len(added) == 1) != test.ok {
			t.Errorf("a device's gid %d: %v", test.id, added)
		}
		f.Accounts = &accounts.Files{Passwd: []byte("high:x:" + itoa(test.id) + ":4000::/:/bin/sh\n")}
		f.Container.Annotations = map[string]string{RequestAnnotation: "high"}
		p.UsersFile, p.Annotation = "", true
		if got, err := p.requested(f, &Decision{Identity: &Identity{}}); got != test.ok || (err == nil) != test.ok {
			t.Errorf("a requested user's uid %d: %v, %v", test.id, got, err)
		}
	}
}

func itoa(id uint32) string { return strconv.FormatUint(uint64(id), 10) }

// TestAllowedThroughAMap: allowed_gids means the host's groups; a container's number that is another one there is
// allowed only if that means nothing on the host, or is allowed itself.
func TestAllowedThroughAMap(t *testing.T) {
	f := facts(spec.User{}).ask()
	f.HostGroups.Sockets = []uint32{150000}
	p := with(func(p *Policy) { p.AllowedGIDs = Ranges{{44, 44}, {999, 999}} })
	for _, test := range []struct {
		gid, host uint32
		want      bool
	}{
		{44, 44, true},        // not mapped to another number
		{44, 999, true},       // docker's, which is allowed
		{44, 6, false},        // disk's
		{44, 4000, false},     // has a name
		{44, 150000, false},   // may open a socket
		{44, 100044, true},    // unused
		{45, 45, false},       // not allowed
		{45, 44, false},       // only there
		{999, 999, true},      // allowed, although privileged
		{999, 1 << 30, true},  // unused
		{1 << 30, 999, false}, // only there
	} {
		if got := p.allowsAs(f, test.gid, test.host); got != test.want {
			t.Errorf("%d, which is %d on the host: %v", test.gid, test.host, got)
		}
	}
	p.AllowedGIDs, p.AllowedGroups = nil, []string{"root", "nosuch", "plain"}
	for gid, want := range map[uint32]bool{0: false, 4000: true, 4001: false} {
		if got := p.hasAllowed(f, gid); got != want {
			t.Errorf("by name, %d: %v", gid, got)
		}
	}
}

// TestMeaningOfGroups: groups with a meaning on the host by number, name, socket or custom, under the container's
// number or the host's.
func TestMeaningOfGroups(t *testing.T) {
	f := facts(spec.User{}).ask()
	f.HostGroups.Sockets = []uint32{150000}
	for _, test := range []struct {
		gid, host    uint32
		nothing      bool
		unprivileged bool
	}{
		{1000, 1000, true, true},
		{999 - 1, 1000, false, true},
		{1000, 999 - 1, false, true},
		{4000, 1000, false, true},
		{1000, 4000, false, true},
		{150000, 1000, false, false},
		{1000, 150000, false, false},
		{6, 1000, false, false},
		{1000, 6, false, false},
		{0, 1000, false, false},
	} {
		if got := with().meansNothing(f, test.gid, test.host); got != test.nothing {
			t.Errorf("%d, which is %d on the host, means nothing: %v", test.gid, test.host, got)
		}
		if got := with().unprivileged(f, test.gid, test.host); got != test.unprivileged {
			t.Errorf("%d, which is %d on the host, is unprivileged: %v", test.gid, test.host, got)
		}
	}
	unreadable, none := &HostGroups{Unreadable: true}, &HostGroups{}
	if !unreadable.Named(5000) || none.Named(5000) || !unreadable.Privileged(5000, nil) || none.Privileged(5000, nil) {
		t.Error("where the host's groups can't be read, each may mean something")
	}
	if !none.Privileged(0, nil) {
		t.Error("root's group is privileged, whatever the file says")
	}
	if gid, ok := f.hostGroup("root"); gid != 0 || !ok {
		t.Errorf("the file's first group: %d, %v", gid, ok)
	}
	if gid, ok := f.hostGroup("nosuch"); gid != 0 || ok {
		t.Errorf("no group: %d, %v", gid, ok)
	}
}

// TestGroupsThatStay: the primary group may also be among the additional ones, except root's.
func TestGroupsThatStay(t *testing.T) {
	f := facts(spec.User{Groups: []uint32{0, 6, 5000}}).ask()
	for primary, want := range map[uint32][]uint32{0: {5000}, 6: {6, 5000}, 65532: {5000}} {
		kept, dropped := with().supplementary(f, primary)
		if !slices.Equal(kept, want) || len(kept)+len(dropped) != 3 {
			t.Errorf("%d: kept %d, dropped %d", primary, kept, dropped)
		}
	}
}

// TestRequestedGroups: a requested group must be the user's own, the policy's, or allowed; never root's.
func TestRequestedGroups(t *testing.T) {
	app := accounts.User{Name: "app", UID: 1000, GID: 1001}
	inDisk := accounts.User{Name: "disk", UID: 1002, GID: 6}
	for _, test := range []struct {
		user  accounts.User
		named bool
		group string
		has   bool
		want  uint32 // 0: refused
	}{
		{app, true, "", false, 1001},
		{app, false, "", false, 65532}, // no user of the image has that uid, so it has no group of its own
		{inDisk, true, "", false, 65532},
		{app, true, "1001", true, 1001},
		{app, false, "1001", true, 0},
		{app, true, "65532", true, 65532},
		{app, true, "44", true, 44},
		{app, true, "6", true, 0},
		{inDisk, true, "disk", true, 0},
		{app, true, "0", true, 0},
		{app, true, "root", true, 0},
		{app, true, "nosuch", true, 0},
		{accounts.User{}, true, "0", true, 0},
	} {
		p := with(func(p *Policy) { p.AllowedGIDs = Ranges{{44, 44}} })
		id := &Identity{UID: test.user.UID}
		err := p.requestedGroup(facts(spec.User{}).ask(), id, test.user, test.named, test.group, test.has, "x")
		if (err == nil) != (test.want != 0) || err == nil && id.GID != test.want {
			t.Errorf("%+v, %v, %q: %d, %v", test.user, test.named, test.group, id.GID, err)
		}
	}
}

// TestRequestsThatFail: a request that is not permitted is refused, and the next source is not tried.
func TestRequestsThatFail(t *testing.T) {
	for _, test := range []struct {
		name, request string
		change        func(*Policy)
		want          string
	}{
		{"nobody", "nosuch", func(*Policy) {}, "neither a uid"},
		{"root by another name", "toor", func(*Policy) {}, "neither a uid"},
		{"not the image's", "7", func(*Policy) {}, "the image's own users"},
		{"not allowed", "1000", func(p *Policy) { p.AllowedUIDs = Ranges{{5, 6}} }, "it allows 5-6"},
		{
			"another container's", "1000", func(p *Policy) { p.Reserved = Ranges{{1000, 2000}} },
			"may belong to another container",
		},
	} {
		f := facts(spec.User{UID: 7, GID: 4000})
		f.Container.Annotations = map[string]string{RequestAnnotation: test.request}
		p := with(func(p *Policy) { p.Annotation, p.Sources = true, []Source{Requested, Kept, Fixed} }, test.change)
		q, d := f.ask(), Decision{Identity: &Identity{}}
		if found, err := p.requested(q, &d); found || err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, %v", test.name, found, err)
		}
		if d := p.Decide(&f.Facts); !d.Refused() || !strings.Contains(d.Reason, test.want) {
			t.Errorf("%s: %+v", test.name, d)
		}
	}
	f := facts(spec.User{})
	f.Env = []string{"PATH=/bin", "HOME=/"}
	if text, where := with(func(p *Policy) { p.Variable = true }).request(f.ask()); text != "" || where != "" {
		t.Errorf("an environment without a request asks for %q by %q", text, where)
	}
	f.Container = nil
	if _, where := with(func(p *Policy) { p.Annotation = true }).request(f.ask()); where != "" {
		t.Errorf("without a container, %q asks", where)
	}
}

// TestRefuseOnlyRoot: mode refuse refuses a container that asks for root and does not request another user, with a hint
// that works.
func TestRefuseOnlyRoot(t *testing.T) {
	refuses := with(func(p *Policy) {
		p.Mode, p.Annotation, p.Sources = Refuse, true, []Source{Requested, Image, Kept, Fixed}
	})
	f := facts(spec.User{})
	f.Intended = &accounts.Intended{}
	if d := refuses.Decide(&f.Facts); !d.Refused() || !strings.Contains(d.Reason, "asks for root") || d.Asked == nil ||
		d.Asked.UID != 0 {
		t.Errorf("root: %+v", d)
	}
	f.Container.Annotations = map[string]string{RequestAnnotation: "app"}
	if d := refuses.Decide(&f.Facts); d.Mode != Rewrite || d.Identity == nil || d.Identity.UID != 1000 {
		t.Errorf("root, by request somebody else: %+v", d)
	}
	f.Container.Annotations, f.User.UID = nil, 1000
	if d := refuses.Decide(&f.Facts); d.Mode != Rewrite || d.Identity.UID != 1000 {
		t.Errorf("somebody: %+v", d)
	}
	f.User.UID, f.Cwd = 0, "/proc/self"
	if d := refuses.Decide(&f.Facts); !strings.Contains(d.Reason, "working directory") {
		t.Errorf("another reason comes first: %+v", d)
	}
	f.Cwd, f.Intended = "/", &accounts.Intended{Users: []accounts.User{{Name: "a b", UID: 1000, GID: 1001}}}
	if d := refuses.Decide(&f.Facts); !strings.Contains(d.Reason, "set USER 1000 in the image") {
		t.Errorf("a name that a Dockerfile does not take: %+v", d)
	}
	f.Intended.Users[0].UID, f.Intended.Users[0].Name = MaxID+1, "app"
	if d := refuses.Decide(&f.Facts); strings.Contains(d.Reason, "app") || !d.Refused() {
		t.Errorf("a user that the policy does not make of it: %+v", d)
	}
}

// TestAuditShowsWhatWouldBe: a refusal in mode audit keeps the identity that the container would have, if it was
// decided before.
func TestAuditShowsWhatWouldBe(t *testing.T) {
	for _, test := range []struct {
		id, want *Identity
	}{{&Identity{UID: 1000}, &Identity{UID: 1000}}, {&Identity{}, nil}, {nil, nil}} {
		d := Decision{Mode: Audit, Identity: test.id}
		refuse(&d, errors.New("why"))
		if d.Mode != Audit || d.Reason != "why" || (d.Identity == nil) != (test.want == nil) {
			t.Errorf("%+v: %+v", test.id, d)
		}
	}
	strict := with()
	strict.Mode = Refuse
	p := with(func(p *Policy) { p.Audit = strict })
	f := facts(spec.User{})
	f.Intended = &accounts.Intended{}
	if d := p.Decide(&f.Facts); !strings.Contains(d.Audited, "would be refused") {
		t.Errorf("what a stricter policy would do: %+v", d)
	}
	f.Cwd = "/proc"
	if d := p.Decide(&f.Facts); !d.Refused() || d.Audited != "" {
		t.Errorf("what is refused anyway has no more to say: %+v", d)
	}
	for _, test := range []struct {
		name            string
		general, strict func(*Policy)
		want            string
	}{
		{"another gid", func(*Policy) {}, func(p *Policy) { p.GID = 7000 }, "would run as"},
		{"no bounding set", func(*Policy) {}, func(p *Policy) { p.DropBounding = true }, "no bounding set"},
		{"none in either", func(p *Policy) { p.DropBounding = true }, func(p *Policy) { p.DropBounding = true }, ""},
		{"user namespaces", func(p *Policy) { p.AllowUserNamespaces = true }, func(*Policy) {}, "no user namespaces"},
		{
			"in both", func(p *Policy) { p.AllowUserNamespaces = true },
			func(p *Policy) { p.AllowUserNamespaces = true }, "",
		},
	} {
		f := facts(spec.User{})
		f.Intended = &accounts.Intended{}
		p := with(test.general)
		p.Audit = with(test.strict)
		if d := p.Decide(&f.Facts); test.want == "" && d.Audited != "" || !strings.Contains(d.Audited, test.want) {
			t.Errorf("%s: %q", test.name, d.Audited)
		}
	}
}

// TestKeptFrom: what is kept of a requested uid.
func TestKeptFrom(t *testing.T) {
	p := with(func(p *Policy) { p.Sources, p.Reserved = []Source{Kept, Fixed}, Ranges{{1000, 2000}} })
	f := facts(spec.User{UID: 1000, GID: 4000})
	if d := p.Decide(&f.Facts); d.Source != Fixed ||
		!slices.ContainsFunc(d.Notes, func(n string) bool { return strings.Contains(n, "is not kept") }) {
		t.Errorf("another container's: %+v", d)
	}
	p.Reserved = nil
	for uid, want := range map[uint32]uint32{1000: 1001, 1002: 65532, 3000: 65532} {
		f := facts(spec.User{UID: uid, GID: 6})
		if d := p.Decide(&f.Facts); d.Identity == nil || d.Identity.UID != uid || d.Identity.GID != want {
			t.Errorf("uid %d with disk's group: %+v", uid, d)
		}
	}
	own := with(func(p *Policy) { p.Reserved = Ranges{{1000, 2000}} })
	q := f.ask()
	q.created = &Identity{UID: 1000}
	if own.anothers(q, 1000) || !own.anothers(q, 1001) {
		t.Error("a container's own uid is not another one's, and each other one is")
	}
}

// TestAnybody: what a process without a decision may have.
func TestAnybody(t *testing.T) {
	f := facts(spec.User{}).ask()
	c := func() *runc.Credentials {
		return &runc.Credentials{
			UIDs: []uint32{1000, 1000}, HostUIDs: []uint32{1000, 1000},
			GIDs: []uint32{1001, 1001}, HostGIDs: []uint32{1001, 1001},
			Groups: []uint32{5000}, HostGroups: []uint32{5000},
		}
	}
	for _, test := range []struct {
		name   string
		policy func(*Policy)
		change func(*runc.Credentials)
		want   string
	}{
		{"as it should be", func(*Policy) {}, func(*runc.Credentials) {}, ""},
		{
			"a uid that nobody keeps", func(p *Policy) { p.Sources = []Source{Fixed} }, func(*runc.Credentials) {},
			"uid 1000",
		},
		{
			"its second uid", func(p *Policy) { p.AllowedUIDs = Ranges{{1000, 1000}} },
			func(c *runc.Credentials) { c.UIDs[1] = 1001 }, "uid 1001",
		},
		{
			"disk, allowed", func(p *Policy) { p.AllowedGIDs = Ranges{{6, 6}} },
			func(c *runc.Credentials) { c.GIDs[0], c.HostGIDs[0] = 6, 6 }, "",
		},
		{"disk", func(*Policy) {}, func(c *runc.Credentials) { c.GIDs[0], c.HostGIDs[0] = 6, 6 }, "gid 6"},
		{"its primary group among the others", func(*Policy) {}, func(c *runc.Credentials) {
			c.GIDs, c.HostGIDs = []uint32{700, 700}, []uint32{700, 700}
			c.Groups, c.HostGroups = []uint32{700}, []uint32{700}
		}, ""},
		{"the same number, another group of the host's", func(*Policy) {}, func(c *runc.Credentials) {
			c.GIDs, c.HostGIDs = []uint32{1001, 1001}, []uint32{1001, 1001}
			c.Groups, c.HostGroups = []uint32{1001}, []uint32{4000}
		}, "group 1001 (4000 on the host)"},
		{"another number, the same group of the host's", func(*Policy) {}, func(c *runc.Credentials) {
			c.HostGIDs, c.Groups, c.HostGroups = []uint32{700, 700}, []uint32{5000}, []uint32{700}
		}, "group 5000 (700 on the host)"},
	} {
		got := c()
		test.change(got)
		err := with(test.policy).anybody(f, got)
		if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if with().mayBeKept(0) && !slices.Contains(with().Sources, Kept) {
		t.Error("root is kept")
	}
	if with(func(p *Policy) { p.Sources = []Source{Fixed} }).mayBeKept(0) {
		t.Error("a policy without a range gives uid 0")
	}
	none := func(p *Policy) { p.AllowedUIDs = Ranges{{0, 5000}} }
	if got := with(none).running(f, &runc.Credentials{UIDs: []uint32{0}, GIDs: []uint32{1001}}); got != nil {
		t.Errorf("root is somebody: %+v", got)
	}
}

// TestEachPartOfAMatch: every part of a rule's match must accept the container.
func TestEachPartOfAMatch(t *testing.T) {
	o := &Origin{
		Engine:      "e",
		Root:        "r",
		Namespace:   "n",
		Pod:         "p",
		Container:   "c",
		Image:       "i",
		Annotations: map[string]string{"k": "v"},
	}
	all := func(engine, root, namespace, pod, container, image, annotation string) *Match {
		return &Match{
			Patterns{engine},
			Patterns{root},
			Patterns{namespace},
			Patterns{pod},
			Patterns{container},
			Patterns{image},
			map[string]Patterns{"k": {annotation}},
		}
	}
	if !all("e", "r", "n", "p", "c", "i", "v").Takes(o) {
		t.Error("all parts take it, the match does not")
	}
	for i := range 7 {
		part := []string{"e", "r", "n", "p", "c", "i", "v"}
		part[i] = "other"
		if all(part[0], part[1], part[2], part[3], part[4], part[5], part[6]).Takes(o) {
			t.Errorf("taken with %q", part)
		}
	}
	for _, test := range []struct {
		patterns []string
		text     string
		want     bool
	}{
		{[]string{"a", "b"}, "a", true},   // one is enough, even the first
		{[]string{"[", "a"}, "[", false},  // an invalid pattern matches nothing
		{[]string{"![", "a"}, "a", true},  // nor does it exclude anything
		{[]string{"a[", "a*"}, "a", true}, // though it begins the same
	} {
		if got := Patterns(test.patterns).Take(test.text); got != test.want {
			t.Errorf("%q and %q: %v", test.patterns, test.text, got)
		}
	}
	for pattern, want := range map[string]bool{
		"*": false, "?": false, "[^x]": false, "[^x]*?": false, `[\]]`: false,
		`[\]a]`: false, "a": true, "*a": true, "?a": true, `\*`: true, `[^x]a`: true,
	} {
		if got := spells(pattern); got != want {
			t.Errorf("%q spells a letter: %v", pattern, got)
		}
	}
}

// TestWhatARuleSaysOfItself: its last day, and the engines that it covers completely.
func TestWhatARuleSaysOfItself(t *testing.T) {
	r := &Rule{}
	if got := r.LastDay(); got != "" {
		t.Errorf("for ever: %q", got)
	}
	r.Until = time.Date(2030, 3, 1, 0, 0, 0, 0, time.UTC)
	if got := r.LastDay(); got != "2030-02-28" {
		t.Errorf("until March: %q", got)
	}
	for _, test := range []struct {
		match Match
		want  int
	}{
		{Match{}, 0},
		{Match{Engine: Patterns{"docker"}}, 1},
		{Match{Namespace: Patterns{"a"}}, 0},
		{Match{Engine: Patterns{"docker"}, Namespace: Patterns{"a"}}, 0},
		{Match{Engine: Patterns{"docker"}, Annotations: map[string]Patterns{"a": {"b"}}}, 0},
	} {
		if got := test.match.WholeOf(); len(got) != test.want {
			t.Errorf("%+v: %q", test.match, got)
		}
	}
	p := with(func(p *Policy) { p.Build.Bundles, p.Build.Mode = []string{"/build"}, Audit })
	p.Rules = []Rule{{Name: "all", Policy: with()}}
	if got := p.For(&Origin{Bundle: "/build/x"}, time.Time{}); got.Mode != Audit || got.Rule != "build" {
		t.Errorf("a build: %+v", got)
	}
}

// TestRangesThatLieAsunder: overlapping blocks must agree in size and position.
func TestRangesThatLieAsunder(t *testing.T) {
	part := func(first, last, block ID) *Policy {
		return with(func(p *Policy) { p.Range, p.Block = Range{first, last}, block })
	}
	for _, test := range []struct {
		a, b *Policy
		want bool
	}{
		{part(0, 0, 0), part(1000, 1999, 100), false},
		{part(1000, 1999, 100), part(0, 0, 0), false},
		{part(0, 5000, 0), part(1000, 1999, 100), false},
		{part(1000, 1999, 100), part(0, 5000, 0), false},
		{part(1000, 1999, 100), part(1000, 1999, 100), false},
		{part(1000, 1999, 100), part(1100, 2099, 100), false},
		{part(1000, 1999, 100), part(1050, 2049, 100), true},
		{part(1000, 1999, 0), part(1050, 2049, 0), false},
		{part(1000, 1999, 0), part(1000, 1999, 100), true},
		{part(1000, 1999, 0), part(1999, 2999, 100), true},
		{part(1999, 2999, 0), part(1000, 1999, 100), true},
		{part(1000, 1999, 0), part(2000, 2999, 100), false},
		{part(2000, 2999, 0), part(1000, 1999, 100), false},
	} {
		if got := asunder(test.a, test.b); got != test.want {
			t.Errorf("%v by %d and %v by %d: %v", test.a.Range, test.a.Block, test.b.Range, test.b.Block, got)
		}
	}
}

// TestIDsThatAreNotTheRanges: an id or a block outside of the range is not assigned, whatever returns it.
func TestIDsThatAreNotTheRanges(t *testing.T) {
	for _, test := range []struct {
		name     string
		block    ID
		answer   ID
		fault    error
		want     string
		leases   int
		identity uint32
	}{
		{"one of it", 0, 2000, nil, "", 1, 2000},
		{"below", 0, 1999, nil, "the id 1999 is not in identity.range", 0, 0},
		{"above", 0, 3000, nil, "the id 3000 is not in identity.range", 0, 0},
		{"none left", 0, 2000, errors.New("none left"), "none left", 0, 0},
		{"a block", 100, 2100, nil, "", 2, 2100},
		{"a block below", 100, 1950, nil, "begins at 1950", 0, 0},
		{"a block that is not whole", 100, 2950, nil, "begins at 2950", 0, 0},
		{"no block left", 100, 1, errors.New("none left"), "none left", 0, 0},
	} {
		f := facts(spec.User{})
		f.Origin = pod("team", "p")
		f.Assign = func(first, _, step ID, _ string) (ID, error) {
			if test.block != 0 && step == 1 {
				return first, nil // of its block
			}
			return test.answer, test.fault
		}
		p := with(func(p *Policy) { p.Range, p.Block, p.Sources = Range{2000, 2999}, test.block, []Source{Fixed} })
		d := p.decideIn(f)
		if d.Refused() != (test.want != "") || !strings.Contains(d.Reason, test.want) || len(d.Leases) != test.leases {
			t.Errorf("%s: %+v", test.name, d)
		}
		if !d.Refused() && d.Identity.UID != test.identity {
			t.Errorf("%s: %+v", test.name, d.Identity)
		}
	}
	// An exec takes no id: it runs as its container's identity, else the policy's.
	f := facts(spec.User{})
	f.Exec = true
	f.Assign = func(_, _, _ ID, owner string) (ID, error) { return 0, errors.New("an exec asks for an id of " + owner) }
	for _, block := range []ID{0, 100} {
		p := with(func(p *Policy) { p.Range, p.Block, p.Sources = Range{2000, 2999}, block, []Source{Fixed} })
		if d := p.decideIn(f); d.Refused() || d.Identity.UID != 65532 {
			t.Errorf("by %d: %+v", block, d)
		}
		f.Created = &Identity{UID: 7, GID: 8}
		if d := p.decideIn(f); d.Refused() || d.Identity.UID != 7 || len(d.Leases) > 0 {
			t.Errorf("by %d, of a container: %+v", block, d)
		}
		f.Created = nil
	}
	if q, err := with(func(p *Policy) { p.Block = 100 }).ownBlock(f.ask(), &Decision{}); err != nil ||
		len(q.AllowedUIDs) > 0 {
		t.Errorf("a block of no range: %+v, %v", q, err)
	}
}

// TestOwners: which containers share an id.
func TestOwners(t *testing.T) {
	name := "shop"
	for _, test := range []struct {
		share   Share
		origin  Origin
		project *string
		want    string
	}{
		{ShareNone, Origin{Engine: Docker, Root: "/r"}, &name, `container "c" of "/r"`},
		{SharePod, Origin{Engine: Docker, Root: "/r"}, &name, `docker project "shop"`},
		{SharePod, Origin{Engine: Docker, Root: "/r"}, new(string), `container "c" of "/r"`},
		{SharePod, Origin{Engine: "podman", Root: "/r"}, &name, `container "c" of "/r"`},
		{SharePod, Origin{Engine: "kubernetes", Namespace: "n", Pod: "p"}, nil, `kubernetes pod "p" in "n"`},
		{ShareNone, Origin{Engine: "kubernetes", Root: "/r", Namespace: "n", Pod: "p"}, nil, `container "c" of "/r"`},
		{ShareNamespace, Origin{Engine: "kubernetes", Namespace: "n", Pod: "p"}, nil, `kubernetes namespace "n"`},
		{ShareNamespace, Origin{Engine: "kubernetes", Pod: "p"}, nil, `kubernetes pod "p" in ""`},
	} {
		f := facts(spec.User{})
		f.Origin, f.Project = &test.origin, test.project
		if got := with(func(p *Policy) { p.Share = test.share }).owner(f.ask()); got != test.want {
			t.Errorf("%s, %+v: %s", test.share, test.origin, got)
		}
	}
}

// TestHooksOfThePolicy: hooks.allowed names programs by clean absolute paths, so that no pattern means more than it
// says.
func TestHooksOfThePolicy(t *testing.T) {
	for list, want := range map[string]string{
		`["/usr/bin/a", "/opt/*"]`: "", `[]`: "",
		`["bin/a"]`: "absolute path", `["/usr/../a"]`: "absolute path",
		`["/usr/bin/"]`: "absolute path", `["/a["]`: "is not a pattern",
	} {
		p, err := Parse("p", []byte("hooks.allowed = "+list))
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", list, err)
		}
		if err == nil && p.Hooks == nil {
			t.Errorf("%s: the key is not heard", list)
		}
	}
	if p, err := Parse("p", nil); err != nil || p.Hooks != nil {
		t.Errorf("without the key: %+v, %v", p, err)
	}
	if p, err := Parse("p", []byte("home.mode = \"auto\"\n[hooks]\n")); err != nil || p.Hooks != nil {
		t.Errorf("an empty table: %+v, %v", p, err)
	}
}

// TestImageAccounts: when an account of the image is used, and which groups it brings.
func TestImageAccounts(t *testing.T) {
	app := accounts.User{Name: "app", UID: 1000, GID: 1001}
	yes := true
	for _, test := range []struct {
		name     string
		built    accounts.Intended
		change   func(*Policy, *Facts)
		want     uint32 // 65532: the policy's
		note     string
		groups   []uint32
		missing  bool
		accounts *accounts.Files
	}{
		{"one", accounts.Intended{Users: []accounts.User{app}}, func(*Policy, *Facts) {}, 1000, "", nil, false, nil},
		{
			"one, of which more were not looked at",
			accounts.Intended{Users: []accounts.User{app}, More: true},
			func(*Policy, *Facts) {}, 65532, "too many", nil, false, nil,
		},
		{"another container's", accounts.Intended{Users: []accounts.User{app}}, func(p *Policy, _ *Facts) {
			p.Reserved = Ranges{{1000, 1000}}
		}, 65532, "may belong to another container", nil, false, nil},
		{"its groups, each once", accounts.Intended{Users: []accounts.User{app}}, func(p *Policy, f *Facts) {
			p.Adapt.Groups, f.OwnGroup, f.Isolated = true, true, &yes
		}, 1000, "", []uint32{5000, 5001}, false, &accounts.Files{Group: []byte("a:x:5000:app\nb:x:5000:app\nc:x:5001:app\nd:x:6:app\n")}},
		{"not of a file that is not the image's", accounts.Intended{Users: []accounts.User{app}}, func(p *Policy, f *Facts) {
			p.Adapt.Groups, f.Isolated = true, &yes
		}, 1000, "", nil, false, &accounts.Files{Group: []byte("a:x:5000:app\n")}},
		{"in no group", accounts.Intended{Users: []accounts.User{app}}, func(p *Policy, f *Facts) {
			p.Adapt.Groups, f.OwnGroup = true, true
		}, 1000, "", nil, false, &accounts.Files{Group: []byte("a:x:5000:\n")}},
		{"in a group, and it is not known what it means", accounts.Intended{Users: []accounts.User{app}}, func(p *Policy, f *Facts) {
			p.Adapt.Groups, f.OwnGroup = true, true
		}, 1000, "", nil, true, &accounts.Files{Group: []byte("a:x:5000:app\n")}},
	} {
		p := with(func(p *Policy) { p.Sources, p.Adapt.Groups = []Source{Image, Fixed}, false })
		f := facts(spec.User{})
		f.Intended = &test.built
		if test.accounts != nil {
			f.Accounts = test.accounts
		}
		test.change(p, &f.Facts)
		d := p.Decide(&f.Facts)
		noted := test.note == "" ||
			slices.ContainsFunc(d.Notes, func(n string) bool { return strings.Contains(n, test.note) })
		if d.Identity == nil || d.Identity.UID != test.want || !noted ||
			!slices.Equal(d.Identity.Groups, test.groups) ||
			d.Missing.Isolated != test.missing {
			t.Errorf("%s: %+v, %+v", test.name, d, d.Identity)
		}
	}
	// If the image's files are missing, the decision asks for them.
	f := facts(spec.User{})
	f.Intended, f.Accounts = &accounts.Intended{Users: []accounts.User{app}}, nil
	p := with(func(p *Policy) { p.Sources, p.Adapt.Groups = []Source{Image, Fixed}, true })
	if d := p.Decide(&f.Facts); !d.Missing.Accounts {
		t.Errorf("nobody asks for the image's groups: %+v", d.Missing)
	}
	var many strings.Builder
	for i := range maxMemberships + 1 {
		many.WriteString("g" + itoa(uint32(i+1)) + ":x:" + itoa(uint32(5000+i)) + ":app\n")
	}
	f.Accounts, f.OwnGroup, f.Isolated = &accounts.Files{Group: []byte(many.String())}, true, &yes
	d := p.Decide(&f.Facts)
	if len(d.Identity.Groups) > 0 ||
		!slices.ContainsFunc(d.Notes, func(n string) bool { return strings.Contains(n, "too many: none of them is kept") }) {
		t.Errorf("too many groups: %+v", d)
	}
}

// TestPeopleOfTheList: for whom the list is read, and what its faults cause.
func TestPeopleOfTheList(t *testing.T) {
	p := with(func(p *Policy) { p.UsersFile, p.Sources = "/etc/people", []Source{Listed, Fixed} })
	list := &People{
		Accounts: accounts.Files{Passwd: []byte("ann:x:5000:5001::/home/ann:/bin/sh\nbad:x:zero:1::/:/bin/sh\n")},
	}
	for _, test := range []struct {
		act  Act
		name string
		want uint32 // 0: no identity
	}{{Create, "ann", 5000}, {Create, "", 0}, {Create, "bob", 0}, {Exec, "ann", 0}} {
		f := facts(spec.User{})
		f.Act, f.Facts.People = test.act, list
		u, err := p.person(f.ask(), test.name)
		if err != nil || (u != nil) != (test.want != 0) || u != nil && u.UID != test.want {
			t.Errorf("%v %q: %+v, %v", test.act, test.name, u, err)
		}
		f.Facts.People = nil
		q := f.ask()
		if _, _ = p.person(q, test.name); q.missing.People != (test.act == Create && test.name != "") {
			t.Errorf("%v %q: the list is asked for: %v", test.act, test.name, q.missing.People)
		}
	}
	f := facts(spec.User{})
	f.Origin, f.Facts.People = pod("bad", "p"), list
	if d := p.Decide(&f.Facts); !d.Refused() {
		t.Errorf("an entry that can't be read: %+v", d)
	}
	f.Facts.People = &People{Fault: errors.New("no such list")}
	if d := p.Decide(&f.Facts); !d.Refused() || d.Reason != "no such list" {
		t.Errorf("a list that can't be read: %+v", d)
	}
	// An exec into a container with an unknown identity gets no identity from the list.
	f.Act = Exec
	q := f.ask()
	q.by = Listed
	if found, err := p.listed(q, &Decision{Identity: &Identity{}}); found || err != nil {
		t.Errorf("an exec without a container: %v, %v", found, err)
	}
}

// TestGroupsThatAreAdded: root's group is never added, and groups that the host lacks are reported.
func TestGroupsThatAreAdded(t *testing.T) {
	for _, gid := range []uint32{0, 7} { // 7: the primary one
		d := Decision{Identity: &Identity{GID: 7}}
		if addGroup(&d, gid); len(d.Identity.Groups) > 0 {
			t.Errorf("%d: %+v", gid, d.Identity)
		}
	}
	f := facts(spec.User{})
	p := with(func(p *Policy) { p.ExtraGroups = []string{"root", "nosuch"} })
	f.Intended = &accounts.Intended{}
	if d := p.Decide(&f.Facts); len(d.Identity.Groups) > 0 || len(d.Notes) != 2 {
		t.Errorf("%+v", d)
	}
	p = with(func(p *Policy) { p.DeviceGroups = []string{"/dev/*"} })
	for _, test := range []struct {
		act    Act
		device Device
		want   int
	}{
		{Create, Device{Path: "/dev/a", GID: 4000, Known: true}, 1},
		{Create, Device{Path: "/dev/a", GID: 4000, Known: false}, 0},
		{Create, Device{Path: "/dev/a", GID: 0, Known: true}, 0},
		{Create, Device{Path: "/srv/a", GID: 4000, Known: true}, 0},
		{Exec, Device{Path: "/dev/a", GID: 4000, Known: true}, 0},
	} {
		f := facts(spec.User{})
		f.Act, f.Facts.Devices = test.act, []Device{test.device}
		added := 0
		d := Decision{}
		if p.deviceGroups(f.ask(), &d, func(uint32, string) { added++ }); added != test.want || len(d.Notes) > 0 {
			t.Errorf("%v, %+v: %d, %q", test.act, test.device, added, d.Notes)
		}
	}
}

// TestDecisionsAboutWhatIs: an exec and a start say which record they were decided by, and why they were refused.
func TestDecisionsAboutWhatIs(t *testing.T) {
	four := func(id uint32) []uint32 { return []uint32{id, id, id, id} }
	good := func() *runc.Credentials {
		return &runc.Credentials{
			UIDs:       four(1000),
			GIDs:       four(1001),
			HostUIDs:   four(1000),
			HostGIDs:   four(1001),
			NoNewPrivs: true,
		}
	}
	record := &Decision{
		Mode: Rewrite, Rule: "its", Source: Kept, Asked: &Identity{UID: 9}, Identity: &Identity{UID: 1000, GID: 1001},
	}
	f := facts(spec.User{UID: 3, GID: 4000}).Facts
	f.Act, f.Record, f.Process = Start, record, good()
	off := with(func(p *Policy) { p.Mode, p.Reason = Off, "why" })
	d := off.Decide(&f)
	if d.Mode != Rewrite || d.Reason != "" || d.Rule != "its" || d.Source != Kept || d.Asked != record.Asked ||
		d.Identity != record.Identity {
		t.Errorf("a start: %+v", d)
	}
	f.Process.UIDs[1] = 5
	if d := off.Decide(&f); !d.Refused() || !strings.Contains(d.Reason, "report this") {
		t.Errorf("a start that is not as decided: %+v", d)
	}
	f.Process, f.Unsound = good(), errors.New("not root's alone")
	f.Record = nil
	if d := with().Decide(&f); !d.Refused() || d.Reason != "not root's alone" {
		t.Errorf("a start of an unsound bundle: %+v", d)
	}
	f.Act, f.Unsound, f.Record, f.Seen = Exec, nil, record, true
	d = off.Decide(&f)
	if d.Mode != Rewrite || d.Asked == nil || d.Asked.UID != 3 || d.Identity == nil {
		t.Errorf("an exec: %+v", d)
	}
	f.NamedGroups, f.Cwd = true, "/proc"
	if d := with().Decide(&f); !d.Refused() || d.Identity != nil {
		t.Errorf("a refused exec: %+v", d)
	}
	audit := with(func(p *Policy) { p.Mode = Audit })
	if d := audit.Decide(&f); !d.Refused() {
		t.Errorf("an exec into a rewritten container is held to it, whatever the policy says now: %+v", d)
	}
	if with().Exempts(&Facts{}) || !off.Exempts(&Facts{}) || off.Exempts(&Facts{Existing: Existing{Record: record}}) {
		t.Error("who may be as it is")
	}
	e := facts(spec.User{UID: 3, GID: 4})
	e.Intended = &accounts.Intended{}
	if d := with().Decide(&e.Facts); d.Asked == nil || d.Asked.UID != 3 || d.Asked.GID != 4 {
		t.Errorf("a container: %+v", d)
	}
	if q := (&Facts{}).ask(); q.isolated() || !q.missing.Isolated {
		t.Error("what nobody has looked at is isolated")
	}
}

// TestSocketsOfNobody: an identity that is not mapped on the host is not uid 0 there.
func TestSocketsOfNobody(t *testing.T) {
	f := facts(spec.User{}).ask()
	f.UserNamespace = &idmap.Pair{UID: idmap.Map{{Inside: 1, Outside: 100001, Size: 1}}}
	p := with(func(p *Policy) { p.Sources = []Source{Fixed} })
	if p.mayBecome(f, &Decision{Identity: &Identity{UID: 5}}, 0) {
		t.Error("a uid that is not mapped is root")
	}
	if !p.mayBecome(f, &Decision{Identity: &Identity{UID: 1}}, 100001) {
		t.Error("a uid that is mapped is not the host's")
	}
}
