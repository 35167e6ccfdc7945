// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

func TestIdentity(t *testing.T) {
	request := func(text string) func(*Policy, *world) {
		return func(p *Policy, f *world) {
			p.Annotation = true
			f.Container.Annotations = map[string]string{RequestAnnotation: text}
		}
	}
	allow := func(uids, gids Ranges) func(*Policy, *world) {
		return func(p *Policy, _ *world) { p.AllowedUIDs, p.AllowedGIDs = uids, gids }
	}
	builtFor := func(users ...accounts.User) func(*Policy, *world) {
		return func(_ *Policy, f *world) {
			f.BuiltFor = func() accounts.Intended { return accounts.Intended{Users: users} }
		}
	}
	redis, app := accounts.User{Name: "redis", UID: 999, GID: 998}, accounts.User{Name: "app", UID: 1000, GID: 1001}
	member := func(apart bool) func(*Policy, *world) {
		return func(_ *Policy, f *world) {
			f.Memberships = func(user string) []uint32 { return map[string][]uint32{"redis": {101, 42, 0, 5000, 1 << 31}}[user] }
			f.Apart = func() bool { return apart }
		}
	}
	created := func(_ *Policy, f *world) { f.Exec, f.Created, f.Container = true, &Identity{UID: 1000, GID: 1001}, nil }
	for _, test := range []struct {
		name    string
		user    spec.User
		change  []func(*Policy, *world)
		source  Source
		want    Identity
		dropped []uint32
		refused string
		note    string
	}{
		{name: "root", user: spec.User{}, source: Fixed, want: Identity{UID: 65532, GID: 65532}},
		{name: "root with a gid", user: spec.User{GID: 1000}, source: Fixed, want: Identity{UID: 65532, GID: 65532}},
		{name: "kept", user: spec.User{UID: 1000, GID: 1000}, source: Kept, want: Identity{UID: 1000, GID: 1000}},
		{name: "A2 gid 0, a user of the image", user: spec.User{UID: 1000}, source: Kept, want: Identity{UID: 1000, GID: 1001}},
		{name: "A2 gid 0, nobody the image knows", user: spec.User{UID: 12345, Groups: []uint32{0}}, source: Kept, want: Identity{UID: 12345, GID: 65532}, dropped: []uint32{0}},
		{name: "A2 gid 0, and the image's own is privileged", user: spec.User{UID: 1002}, source: Kept, want: Identity{UID: 1002, GID: 65532}},
		{name: "A2 a privileged gid", user: spec.User{UID: 1000, GID: 42}, source: Kept, want: Identity{UID: 1000, GID: 1001}},
		{
			name: "a privileged gid that is allowed", user: spec.User{UID: 1000, GID: 42}, source: Kept, want: Identity{UID: 1000, GID: 42},
			change: []func(*Policy, *world){allow(nil, Ranges{{42, 42}})},
		},
		{
			name: "A3 groups", user: spec.User{UID: 1000, GID: 1000, Groups: []uint32{1000, 6, 999, 33, 4000, 5000, 2000}}, source: Kept,
			want: Identity{UID: 1000, GID: 1000, Groups: []uint32{1000, 5000, 2000}}, dropped: []uint32{6, 999, 33, 4000},
			note: `group 33 is dropped: its number is one of the system's; hint: identity.allowed_gids = [33] keeps it`,
		},
		{
			name: "A3 groups that are allowed", user: spec.User{UID: 1000, GID: 1000, Groups: []uint32{0, 6, 44}}, source: Kept,
			want: Identity{UID: 1000, GID: 1000, Groups: []uint32{44}}, dropped: []uint32{0, 6},
			note:   `group 6 ("disk") is dropped: it is privileged on the host; hint: identity.allowed_gids = ["40-50", 6] keeps it`,
			change: []func(*Policy, *world){allow(nil, Ranges{{40, 50}})},
		},
		{name: "A4 a uid that runc 1.1 refuses", user: spec.User{UID: 1 << 31, GID: 1}, refused: "above"},
		{name: "a gid that runc 1.1 refuses", user: spec.User{UID: 1000, GID: 1 << 31}, source: Kept, want: Identity{UID: 1000, GID: 1001}},
		{
			name: "out of bounds", user: spec.User{UID: 1000, GID: 1000}, source: Fixed, want: Identity{UID: 65532, GID: 65532},
			change: []func(*Policy, *world){allow(Ranges{{2000, 3000}}, nil)},
		},
		{name: "a request that nobody hears", user: spec.User{}, source: Fixed, want: Identity{UID: 65532, GID: 65532}, change: []func(*Policy, *world){
			func(_ *Policy, f *world) {
				f.Env = []string{RequestVariable + "=1000"}
				f.Container.Annotations = map[string]string{RequestAnnotation: "1000"}
			},
		}},
		{name: "a request by name", source: Requested, want: Identity{UID: 1000, GID: 1001}, change: []func(*Policy, *world){request("app")}},
		{name: "a request by uid of the image", source: Requested, want: Identity{UID: 1000, GID: 1001}, change: []func(*Policy, *world){request("1000")}},
		{name: "a request with the own group", source: Requested, want: Identity{UID: 1000, GID: 1001}, change: []func(*Policy, *world){request("app:1001")}},
		{name: "a request for another uid", refused: "does not allow", change: []func(*Policy, *world){request("2000")}},
		{name: "a request for an allowed uid", source: Requested, want: Identity{UID: 2000, GID: 65532}, change: []func(*Policy, *world){request("2000"), allow(Ranges{{2000, 2001}}, nil)}},
		{name: "a request beyond the allowed", refused: "allows 2000-2001, 7", change: []func(*Policy, *world){request("2002"), allow(Ranges{{2000, 2001}, {7, 7}}, nil)}},
		{name: "a request for a group", refused: "gid 5000", change: []func(*Policy, *world){request("app:workers")}},
		{name: "a request for an allowed group", source: Requested, want: Identity{UID: 1000, GID: 5000}, change: []func(*Policy, *world){request("app:workers"), allow(nil, Ranges{{5000, 5000}})}},
		{name: "a request for disk's user", source: Requested, want: Identity{UID: 1002, GID: 65532}, change: []func(*Policy, *world){request("disk")}},
		{name: "a request for disk's group", refused: "gid 6", change: []func(*Policy, *world){request("disk:disk")}},
		{name: "a request for root", refused: "other than root", change: []func(*Policy, *world){request("root")}},
		{name: "a request for 0", refused: "other than root", change: []func(*Policy, *world){request("0")}},
		{name: "a request for another root", refused: "other than root", change: []func(*Policy, *world){request("toor")}},
		{name: "D3 a request past 32 bits", refused: "other than root", change: []func(*Policy, *world){request("4294967296")}},
		{name: "D3 a request with a sign", refused: "other than root", change: []func(*Policy, *world){request("+1000"), allow(Ranges{{1, MaxID}}, nil)}},
		{name: "a request for group 0", refused: "gid from 1", change: []func(*Policy, *world){request("app:0"), allow(nil, Ranges{{1, MaxID}})}},
		{name: "a request for group root", refused: "gid 0", change: []func(*Policy, *world){request("app:root"), allow(nil, Ranges{{1, MaxID}})}},
		{name: "an empty request", refused: "other than root", change: []func(*Policy, *world){request("")}},
		{name: "a request by environment, the last one", source: Requested, want: Identity{UID: 1000, GID: 1001}, change: []func(*Policy, *world){
			func(p *Policy, f *world) { p.Variable, f.Env = true, []string{"NONROOT_USER=0", "NONROOT_USER=app"} },
		}},
		{name: "built for somebody", source: Image, want: Identity{UID: 999, GID: 998}, change: []func(*Policy, *world){builtFor(redis)}},
		{name: "built for somebody, with its groups of the image", source: Image, want: Identity{UID: 999, GID: 998, Groups: []uint32{101, 5000}}, change: []func(*Policy, *world){builtFor(redis), member(true)}},
		{name: "built for somebody, where its groups may mean something", source: Image, want: Identity{UID: 999, GID: 998}, change: []func(*Policy, *world){builtFor(redis), member(false)}},
		{name: "built for somebody, by a policy without its groups", source: Image, want: Identity{UID: 999, GID: 998}, change: []func(*Policy, *world){builtFor(redis), member(true), func(p *Policy, _ *world) { p.Adapt.Groups = false }}},
		{name: "built for somebody, root with a gid", user: spec.User{GID: 1000}, source: Image, want: Identity{UID: 999, GID: 998}, change: []func(*Policy, *world){builtFor(redis)}},
		{name: "built for somebody, who is not asked for", user: spec.User{UID: 7, GID: 7}, source: Kept, want: Identity{UID: 7, GID: 7}, change: []func(*Policy, *world){builtFor(redis)}},
		{name: "built for somebody whose gid is the host's docker", source: Image, want: Identity{UID: 1000, GID: 65532}, change: []func(*Policy, *world){builtFor(accounts.User{UID: 1000, GID: 999})}},
		{name: "built for somebody whose gid is 0", source: Image, want: Identity{UID: 472, GID: 65532}, change: []func(*Policy, *world){builtFor(accounts.User{UID: 472})}},
		{name: "built for several", source: Fixed, want: Identity{UID: 65532, GID: 65532}, change: []func(*Policy, *world){builtFor(redis, app)}, note: `is unknown: it has several accounts of its own: "redis", "app"`},
		{name: "built for root", source: Fixed, want: Identity{UID: 65532, GID: 65532}, change: []func(*Policy, *world){builtFor(accounts.User{Name: "toor"})}},
		{name: "built for a uid that runc 1.1 refuses", source: Fixed, want: Identity{UID: 65532, GID: 65532}, change: []func(*Policy, *world){builtFor(accounts.User{UID: 1 << 31, GID: 1})}},
		{name: "built for somebody out of bounds", source: Fixed, want: Identity{UID: 65532, GID: 65532}, change: []func(*Policy, *world){builtFor(redis), allow(Ranges{{1000, 2000}}, nil)}, note: `built for "redis" (999), which allowed_uids does not have`},
		{name: "built for somebody within bounds", source: Image, want: Identity{UID: 1000, GID: 1001}, change: []func(*Policy, *world){builtFor(app), allow(Ranges{{1000, 2000}}, nil)}},
		{name: "built for somebody, by a policy that doesn't ask", source: Fixed, want: Identity{UID: 65532, GID: 65532}, change: []func(*Policy, *world){builtFor(redis), func(p *Policy, _ *world) {
			p.Sources = []Source{Kept, Fixed}
		}}},
		{name: "built for somebody, and somebody is requested", source: Requested, want: Identity{UID: 1000, GID: 1001}, change: []func(*Policy, *world){builtFor(redis), request("app")}},
		{name: "built for somebody who is not mapped", refused: "not mapped", change: []func(*Policy, *world){builtFor(redis), func(_ *Policy, f *world) {
			m := idmap.Map{{Inside: 0, Outside: 100000, Size: 999}}
			f.UserNamespace = &idmap.Pair{UID: m, GID: m}
		}}},
		{name: "B7 built for somebody who is the host's root", refused: "host's root", change: []func(*Policy, *world){builtFor(redis), func(_ *Policy, f *world) {
			m := idmap.Map{{Inside: 999, Outside: 0, Size: 1}, {Inside: 998, Outside: 5, Size: 1}}
			f.UserNamespace = &idmap.Pair{UID: m, GID: m}
		}}},
		{name: "D1 exec as root", source: Created, want: Identity{UID: 1000, GID: 1001}, change: []func(*Policy, *world){created}},
		{name: "exec as somebody else", user: spec.User{UID: 7, GID: 7}, source: Kept, want: Identity{UID: 7, GID: 7}, change: []func(*Policy, *world){created}},
		{name: "exec as somebody with gid 0", user: spec.User{UID: 7}, source: Kept, want: Identity{UID: 7, GID: 1001}, change: []func(*Policy, *world){created}},
		{name: "exec hears no request", source: Created, want: Identity{UID: 1000, GID: 1001}, change: []func(*Policy, *world){
			created, func(p *Policy, f *world) { p.Variable, f.Env = true, []string{"NONROOT_USER=2000"} },
		}},
		{name: "B11 no mount namespace", refused: "mount namespace", change: []func(*Policy, *world){func(_ *Policy, f *world) { f.Container.Namespaces = nil }}},
		{name: "B12 a mount namespace by path", refused: "not the container's own", change: []func(*Policy, *world){
			func(_ *Policy, f *world) { f.Container.Namespaces[1].Path = "/proc/1/ns/mnt" },
		}},
		{name: "C9 cwd", refused: "below /proc", change: []func(*Policy, *world){func(_ *Policy, f *world) { f.Cwd = "/tmp/../proc/self/fd/7" }}},
		{name: "B7 host root", refused: "host's root", change: []func(*Policy, *world){func(_ *Policy, f *world) {
			f.UserNamespace = &idmap.Pair{UID: idmap.Map{{Inside: 65532, Outside: 0, Size: 1}}, GID: idmap.Map{{Inside: 65532, Outside: 5, Size: 1}}}
		}}},
		{name: "B7 host group root", refused: "host's root", change: []func(*Policy, *world){func(_ *Policy, f *world) {
			f.UserNamespace = &idmap.Pair{UID: idmap.Map{{Inside: 65532, Outside: 5, Size: 1}}, GID: idmap.Map{{Inside: 65532, Outside: 0, Size: 1}}}
		}}},
		{name: "not mapped", refused: "not mapped", change: []func(*Policy, *world){func(_ *Policy, f *world) {
			f.UserNamespace = &idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 100000, Size: 65532}}, GID: idmap.Map{{Inside: 0, Outside: 100000, Size: 65536}}}
		}}},
		{name: "B8 keep-id of an ordinary user", user: spec.User{UID: 5001, GID: 5001}, source: Kept, want: Identity{UID: 5001, GID: 5001}, change: []func(*Policy, *world){func(_ *Policy, f *world) {
			f.UserNamespace = &idmap.Pair{UID: idmap.Map{{Inside: 5001, Outside: 0, Size: 1}}, GID: idmap.Map{{Inside: 5001, Outside: 0, Size: 1}}}
			f.Own = idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 5001, Size: 1}}, GID: idmap.Map{{Inside: 0, Outside: 5001, Size: 1}}}
		}}},
		{name: "a user namespace does not make a group of the host's harmless", user: spec.User{UID: 1000, GID: 42, Groups: []uint32{4000, 6, 5000}}, source: Kept, want: Identity{UID: 1000, GID: 1001, Groups: []uint32{5000}}, dropped: []uint32{4000, 6}, note: "group 4000 (\"plain\") is dropped: the host has it; hint: identity.allowed_gids = [4000] keeps it", change: []func(*Policy, *world){func(_ *Policy, f *world) {
			m := idmap.Map{{Inside: 0, Outside: 100000, Size: 65536}}
			f.UserNamespace = &idmap.Pair{UID: m, GID: m}
		}}},
		{name: "B10 root's files become the identity's", refused: "shows the files of", change: []func(*Policy, *world){func(_ *Policy, f *world) {
			f.Container.Mounts = []spec.Mount{{Destination: "/m", UIDMap: []spec.IDMap{{ContainerID: 0, HostID: 65532, Size: 1}}}}
		}}},
		{name: "B10 root's files become somebody's whom an exec may be", refused: "shows the files of", change: []func(*Policy, *world){func(_ *Policy, f *world) {
			f.Container.Mounts = []spec.Mount{{Destination: "/m", GIDMap: []spec.IDMap{{ContainerID: 0, HostID: 1000, Size: 1}}}}
		}}},
		{name: "B10 the disk's shadow group becomes the identity's", refused: "group 42", change: []func(*Policy, *world){func(_ *Policy, f *world) {
			f.Container.Mounts = []spec.Mount{{Destination: "/m", GIDMap: []spec.IDMap{{ContainerID: 42, HostID: 65532, Size: 1}}}}
		}}},
		{name: "B10 an option that begins like one", refused: "idmapx", change: []func(*Policy, *world){func(_ *Policy, f *world) {
			f.Container.Mounts = []spec.Mount{{Destination: "/m", Options: []string{"IDmapX=uids=0-65532-1"}}}
		}}},
		{name: "an allowed group that a user namespace maps to the host's disk", user: spec.User{Groups: []uint32{2000}}, source: Fixed, want: Identity{UID: 65532, GID: 65532}, dropped: []uint32{2000}, note: `group 2000 ("disk") is dropped: it is privileged on the host; hint: identity.allowed_gids = ["2000-2999", 6] keeps it`, change: []func(*Policy, *world){
			allow(nil, Ranges{{2000, 2999}}), func(_ *Policy, f *world) {
				f.UserNamespace = &idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 100000, Size: 65536}}, GID: idmap.Map{{Inside: 2000, Outside: 6, Size: 1}, {Inside: 65532, Outside: 165532, Size: 1}}}
			},
		}},
		{name: "an idmapped volume of a pod with a user namespace", source: Fixed, want: Identity{UID: 65532, GID: 65532}, change: []func(*Policy, *world){func(_ *Policy, f *world) {
			m := idmap.Map{{Inside: 0, Outside: 131072, Size: 65536}}
			disk := []spec.IDMap{{ContainerID: 0, HostID: 131072, Size: 65536}}
			f.UserNamespace = &idmap.Pair{UID: m, GID: m}
			f.Container.Mounts = []spec.Mount{{Destination: "/m", UIDMap: disk, GIDMap: disk}}
		}}},
		{name: "B10 by option", refused: "idmap=", change: []func(*Policy, *world){func(_ *Policy, f *world) {
			f.Container.Mounts = []spec.Mount{{Destination: "/m", Options: []string{"idmap=uids=0-1000-1;gids=0-1000-1"}}}
		}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, f := Default(), facts(test.user)
			for _, c := range test.change {
				c(p, f)
			}
			d := p.decideIn(f)
			if test.refused != "" {
				if d.Mode != Refuse || !strings.Contains(d.Reason, test.refused) {
					t.Fatalf("got %+v, want a refusal with %q", d, test.refused)
				}
				return
			}
			if d.Mode != Rewrite || d.Source != test.source || d.Identity.UID != test.want.UID || d.Identity.GID != test.want.GID ||
				!slices.Equal(d.Identity.Groups, test.want.Groups) || !slices.Equal(d.Dropped, test.dropped) {
				t.Errorf("got %+v, want %+v from %s, without %v", d, test.want, test.source, test.dropped)
			}
			if notes := strings.Join(d.Notes, "; "); !strings.Contains(notes, test.note) || test.note == "" && notes != "" {
				t.Errorf("noted %q, want %q", notes, test.note)
			}
		})
	}
}

func TestModes(t *testing.T) {
	root, app, bad := spec.User{}, spec.User{UID: 1000, GID: 1000}, spec.User{UID: 1 << 31}
	for _, test := range []struct {
		mode   Mode
		user   spec.User
		want   Mode
		reason string
	}{
		{Rewrite, root, Rewrite, ""},
		{Refuse, root, Refuse, "asks for root"},
		{Refuse, app, Rewrite, ""},
		{Refuse, bad, Refuse, "above"},
		{Audit, root, Audit, ""},
		{Audit, bad, Audit, "above"},
		{Off, root, Off, "why"},
		{Off, bad, Off, "why"},
	} {
		p := Default()
		p.Mode, p.Reason = test.mode, "why"
		d := p.decideIn(facts(test.user))
		if d.Mode != test.want || !strings.Contains(d.Reason, test.reason) || test.reason == "" && d.Reason != "" {
			t.Errorf("%s for %d gives %+v, want %s %q", test.mode, test.user.UID, d, test.want, test.reason)
		}
	}
}

// TestNoDecisionIsRoot: no valid policy, with any facts, gives root except in the modes off and audit.
func TestNoDecisionIsRoot(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	ids := []uint32{0, 1, 6, 42, 999, 1000, 1001, 65532, 1<<31 - 1, 1 << 31, 1<<32 - 2}
	id := func() uint32 { return ids[r.IntN(len(ids))] }
	texts := []string{"0", "1000", "root", "app", "toor", "app:0", "app:root", "1000:6", "4294967296", "-1", "", ":", "2147483648", "disk:disk"}
	ranges := func() Ranges {
		return []Ranges{nil, {{1, MaxID}}, {{1000, 2000}}, {{6, 6}}}[r.IntN(4)]
	}
	maps := func() idmap.Map {
		return []idmap.Map{{{Inside: id(), Outside: id(), Size: 1 + r.Uint32N(70000)}}, {{Inside: 0, Outside: 100000, Size: 65536}}, nil}[r.IntN(3)]
	}
	decided := 0
	for range 200000 {
		f := facts(spec.User{UID: id(), GID: id(), Groups: []uint32{id(), id()}[:r.IntN(3)]})
		f.Container.Annotations = map[string]string{RequestAnnotation: texts[r.IntN(len(texts))]}
		f.Env = []string{RequestVariable + "=" + texts[r.IntN(len(texts))]}
		if r.IntN(2) == 0 {
			f.UserNamespace = &idmap.Pair{UID: maps(), GID: maps()}
		}
		if f.Exec = r.IntN(3) == 0; f.Exec && r.IntN(2) == 0 {
			f.Created, f.By = &Identity{UID: 1 + r.Uint32N(5), GID: 1 + r.Uint32N(5), Groups: []uint32{5000}}, []Source{Listed, Kept}[r.IntN(2)]
		}
		f.Origin = pod([]string{"", "alice", "bob", "root", "team"}[r.IntN(5)], "p")
		person, member := id(), id()
		f.People = func() (*accounts.Files, error) {
			text := fmt.Sprintf("alice:x:%d:%d::/:/bin/sh\napp:x:%d:%d::/:/bin/sh\n", person, member, member, person)
			return &accounts.Files{Passwd: []byte(text + people), Group: []byte(fmt.Sprintf("g:x:%d:alice,app\n", member) + teams)}, nil
		}
		f.Assign = func(first, last, step ID, _ string) (ID, error) {
			return []ID{first, last - step + 1, ID(id())}[r.IntN(3)], nil // the last one is an invalid answer
		}
		f.Devices = []string{"/dev/a", "/dev/b"}
		f.Device = func(string) (uint32, bool) { return id(), true }
		if r.IntN(2) == 0 {
			built := accounts.Intended{Users: []accounts.User{{UID: id(), GID: id()}, {UID: id(), GID: id()}}[:r.IntN(3)], More: r.IntN(5) == 0}
			f.BuiltFor = func() accounts.Intended { return built }
			member, apart := []uint32{id(), id()}, r.IntN(2) == 0
			f.Memberships, f.Apart = func(string) []uint32 { return member }, func() bool { return apart }
		}
		p := Default()
		p.Mode = []Mode{Rewrite, Refuse}[r.IntN(2)]
		p.Annotation, p.Variable = r.IntN(2) == 0, r.IntN(2) == 0
		p.AllowedUIDs, p.AllowedGIDs = ranges(), ranges()
		p.ExtraGIDs, p.DeviceGroups = [][]ID{nil, {5000, 4000}}[r.IntN(2)], [][]string{nil, {"/dev/*"}}[r.IntN(2)]
		if r.IntN(2) == 0 {
			p.AllowedGroups, p.ExtraGroups = []string{"root", "plain"}, []string{"root", "plain"}
		}
		if r.IntN(2) == 0 {
			p.Range, p.Share = Range{ID(1 + r.IntN(1000)), 60000}, []Share{ShareNone, SharePod, ShareNamespace}[r.IntN(3)]
			p.Block = []ID{0, 1, 500}[r.IntN(3)]
		}
		p.Sources = [][]Source{{Fixed}, {Listed, Fixed}, {Requested, Listed, Kept, Image, Fixed}, {Kept, Fixed}, {Requested, Kept, Fixed}, {Kept, Requested, Fixed}, {Requested, Kept, Image, Fixed}, {Image, Fixed}}[r.IntN(8)]
		d := p.decideIn(f)
		if d.Mode == Refuse {
			continue
		}
		decided++
		if d.Mode != Rewrite {
			t.Fatalf("mode %s", d.Mode)
		}
		for _, n := range append([]uint32{d.Identity.UID, d.Identity.GID}, d.Identity.Groups...) {
			if n == 0 || n > MaxID {
				t.Fatalf("%+v from %+v", d, f)
			}
		}
		if host, ok := f.ask().outside(d.Identity.UID, func(p *idmap.Pair) idmap.Map { return p.UID }); !ok || host == 0 {
			t.Fatalf("host %d: %+v from %+v", host, d, f)
		}
		for _, g := range append([]uint32{d.Identity.GID}, d.Identity.Groups...) {
			if h := f.ask().hostGID(g); h == 0 || slices.Contains([]uint32{0, 6, 42, 999}, h) && !p.AllowedGIDs.Has(h) {
				t.Fatalf("group %d: %+v from %+v", g, d, f)
			}
		}
	}
	if decided < 1000 {
		t.Errorf("only %d of the facts led to a decision", decided)
	}
}
