// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// inOrder gives owners the first ids, in the order in which they come, and records the owners.
type inOrder struct {
	owners map[[2]ID][]string // by where they begin, and their steps
	asked  int
}

func (o *inOrder) assign(first, last, step ID, owner string) (ID, error) {
	o.asked++
	kind := [2]ID{first, step}
	at := slices.Index(o.owners[kind], owner)
	if at < 0 {
		if at = len(o.owners[kind]); o.owners == nil {
			o.owners = map[[2]ID][]string{}
		}
		o.owners[kind] = append(o.owners[kind], owner)
	}
	id := first + ID(at)*step
	if id+step-1 > last {
		return 0, errors.New("widen the range")
	}
	return id, nil
}

func pod(namespace, pod string) *Origin {
	return &Origin{Engine: Kubernetes, Root: "/run/containerd/runc/k8s.io", Namespace: namespace, Pod: pod}
}

func TestShare(t *testing.T) {
	project := func(name string) func() string { return func() string { return name } }
	containers := []struct {
		id      string
		origin  *Origin
		project string
	}{
		{"sandbox", pod("team", "web-0"), ""},
		{"app", pod("team", "web-0"), ""},
		{"other", pod("team", "web-1"), ""},
		{"same name", pod("team-b", "web-0"), ""},
		{"c1", &Origin{Engine: Docker, Root: "/run/docker/runtime-n/moby"}, "shop"},
		{"c2", &Origin{Engine: Docker, Root: "/run/docker/runtime-n/moby"}, "shop"},
		{"c3", &Origin{Engine: Docker, Root: "/run/docker/runtime-n/moby"}, ""},
		{"c3", &Origin{Engine: Containerd, Root: "/run/containerd/runc/default", Namespace: "default"}, ""},
		{"c4", &Origin{Engine: Containerd, Root: "/run/containerd/runc/default", Namespace: "default"}, ""},
	}
	for share, want := range map[Share][]uint32{
		ShareNone:      {0, 1, 2, 3, 4, 5, 6, 7, 8},
		SharePod:       {0, 0, 1, 2, 3, 3, 4, 5, 6},
		ShareNamespace: {0, 0, 0, 1, 2, 2, 3, 4, 4},
	} {
		ids := &inOrder{}
		p := Default()
		p.Range, p.Share = Range{100000, 100999}, share
		var got []uint32
		for _, c := range containers {
			f := facts(spec.User{})
			f.ID, f.Origin, f.Shared, f.Assign = c.id, c.origin, project(c.project), ids.assign
			d := p.decideIn(f)
			if d.Mode != Rewrite || len(d.Leases) != 1 || d.Leases[0].ID != d.Identity.UID || d.Source != Fixed || d.Identity.GID != d.Identity.UID {
				t.Fatalf("%s: %+v", share, d)
			}
			got = append(got, d.Identity.UID-100000)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d, want %d: %q", share, got, want, fmt.Sprint(ids.owners))
		}
	}
}

// TestRangeTakesOnlyWhatIsNeeded: no id is taken for a container that has another identity, that stays unchanged, or in
// a dry run.
func TestRangeTakesOnlyWhatIsNeeded(t *testing.T) {
	for name, test := range map[string]struct {
		user   spec.User
		change func(*Policy, *world)
		asked  int
	}{
		"root":  {spec.User{}, func(*Policy, *world) {}, 1},
		"kept":  {spec.User{UID: 1000, GID: 1000}, func(*Policy, *world) {}, 0},
		"exec":  {spec.User{}, func(_ *Policy, f *world) { f.Exec, f.Created = true, &Identity{UID: 100005, GID: 100005} }, 0},
		"audit": {spec.User{}, func(p *Policy, _ *world) { p.Mode = Audit }, 1},
		"off":   {spec.User{}, func(p *Policy, _ *world) { p.Mode = Off }, 0},
	} {
		ids := &inOrder{}
		p, f := Default(), facts(test.user)
		p.Range, f.Assign = Range{100000, 100999}, ids.assign
		test.change(p, f)
		d := p.decideIn(f)
		if ids.asked != test.asked || len(d.Leases) != test.asked {
			t.Errorf("%s: asked %d times, with %+v, want %d", name, ids.asked, d.Leases, test.asked)
		}
	}
	ids := &inOrder{}
	p, f := Default(), facts(spec.User{})
	strict := *p
	strict.Range, p.Audit, f.Assign = Range{100000, 100999}, &strict, ids.assign
	d := p.decideIn(f)
	if d.Audited == "" || ids.asked != 1 || len(d.Leases) != 0 {
		t.Errorf("audited beside: %q, %+v", d.Audited, d.Leases)
	}
}

func TestRangeIsExhausted(t *testing.T) {
	p, f := Default(), facts(spec.User{})
	p.Range = Range{100000, 100001}
	f.Assign = func(ID, ID, ID, string) (ID, error) { return 0, errors.New("widen the range") }
	if d := p.decideIn(f); d.Mode != Refuse || d.Reason != "widen the range" {
		t.Errorf("%+v", d)
	}
}

// TestRangeKeepsToHarmlessGroups: an id of the range that is a privileged group on the host is not used as a gid.
func TestRangeKeepsToHarmlessGroups(t *testing.T) {
	p, f := Default(), facts(spec.User{})
	p.Range = Range{999, 1001}
	f.Assign = (&inOrder{}).assign
	if d := p.decideIn(f); d.Identity.UID != 999 || d.Identity.GID != 65532 {
		t.Errorf("%+v", d)
	}
}

func TestBlocks(t *testing.T) {
	ids := &inOrder{}
	p := Default()
	p.Range, p.Block, p.AllowedUIDs = Range{100000, 102999}, 1000, Ranges{{1, 50}}
	decide := func(user spec.User, o *Origin, change func(*world)) Decision {
		f := facts(user)
		f.Origin, f.Assign = o, ids.assign
		change(f)
		return p.decideIn(f)
	}
	none := func(*world) {}
	a, b := decide(spec.User{}, pod("a", "x"), none), decide(spec.User{}, pod("b", "x"), none)
	if a.Identity.UID/1000 != 100 || b.Identity.UID/1000 == a.Identity.UID/1000 {
		t.Errorf("a is %d, b is %d", a.Identity.UID, b.Identity.UID)
	}
	first := b.Identity.UID / 1000 * 1000
	for _, test := range []struct {
		user   uint32
		change func(*world)
		want   uint32
	}{
		{first + 5, none, first + 5},
		{first + 999, none, first + 999},
		{first + 1000, none, b.Identity.UID}, // the next one's
		{7, none, b.Identity.UID},            // allowed_uids is replaced
		{first + 5, func(f *world) { f.Exec, f.Created = true, &Identity{UID: first + 1, GID: first + 1} }, first + 5},
		{first - 1, func(f *world) { f.Exec, f.Created = true, &Identity{UID: first + 1, GID: first + 1} }, first + 1},
		{0, func(f *world) { f.Exec, f.Created = true, &Identity{UID: first + 1, GID: first + 1} }, first + 1},
	} {
		if d := decide(spec.User{UID: test.user, GID: test.user}, pod("b", "x"), test.change); d.Identity.UID != test.want {
			t.Errorf("%d became %+v, want %d", test.user, d.Identity, test.want)
		}
	}
	if d := decide(spec.User{}, pod("c", "x"), none); d.Mode != Rewrite {
		t.Errorf("the third block: %+v", d)
	}
	if d := decide(spec.User{}, pod("d", "x"), none); d.Mode != Refuse {
		t.Errorf("a fourth block: %+v", d)
	}
}

// TestDeviceAndExtraGroups: the group that owns a device on the host is added, and no group that means more.
func TestDeviceAndExtraGroups(t *testing.T) {
	nodes := map[string]uint32{"/dev/dri/renderD128": 105, "/dev/kfd": 105, "/dev/kmem": 6, "/dev/null": 0, "/dev/mapped": 4000}
	for name, test := range map[string]struct {
		change func(*Policy, *world)
		want   []uint32
		notes  int
	}{
		"none":                 {func(*Policy, *world) {}, nil, 0},
		"all, once":            {func(p *Policy, _ *world) { p.DeviceGroups = []string{"/dev/dri/*", "/dev/kfd"} }, []uint32{105}, 0},
		"not all":              {func(p *Policy, _ *world) { p.DeviceGroups = []string{"/dev/dri/*", "!/dev/dri/*"} }, nil, 0},
		"a privileged one":     {func(p *Policy, _ *world) { p.DeviceGroups = []string{"/dev/km*"} }, nil, 1},
		"one that is allowed":  {func(p *Policy, _ *world) { p.DeviceGroups, p.AllowedGroups = []string{"/dev/km*"}, []string{"disk"} }, []uint32{6}, 0},
		"root's":               {func(p *Policy, _ *world) { p.DeviceGroups = []string{"/dev/null"} }, nil, 0},
		"extra":                {func(p *Policy, _ *world) { p.ExtraGIDs, p.ExtraGroups = []ID{42}, []string{"plain"} }, []uint32{42, 4000}, 0},
		"extra, unknown":       {func(p *Policy, _ *world) { p.ExtraGroups = []string{"nobody-has-it", "root"} }, nil, 2},
		"extra is the primary": {func(p *Policy, _ *world) { p.ExtraGIDs = []ID{65532} }, nil, 0},
		"in a user namespace": {func(p *Policy, f *world) {
			p.ExtraGIDs, p.ExtraGroups = []ID{4000}, []string{"disk"}
			m := idmap.Map{{Inside: 0, Outside: 3000, Size: 100000}}
			f.UserNamespace = &idmap.Pair{UID: m, GID: m}
		}, []uint32{1000}, 1},
		"exec as the container": {func(_ *Policy, f *world) {
			f.Exec, f.Created = true, &Identity{UID: 65532, GID: 65532, Groups: []uint32{105}}
		}, []uint32{105}, 0},
		"exec as somebody else": {func(_ *Policy, f *world) {
			f.User = spec.User{UID: 7, GID: 7}
			f.Exec, f.Created = true, &Identity{UID: 65532, GID: 65532, Groups: []uint32{105}}
		}, nil, 0},
	} {
		p, f := Default(), facts(spec.User{})
		f.Devices = []string{"/dev/dri/renderD128", "/dev/kfd", "/dev/kmem", "/dev/null", "/dev/gone"}
		f.Device = func(path string) (uint32, bool) { gid, ok := nodes[path]; return gid, ok }
		test.change(p, f)
		d := p.decideIn(f)
		if d.Mode != Rewrite || !slices.Equal(d.Identity.Groups, test.want) || len(d.Notes) != test.notes {
			t.Errorf("%s: %+v, want the groups %d and %d notes", name, d, test.want, test.notes)
		}
	}
}

func TestAllowedByName(t *testing.T) {
	p, f := Default(), facts(spec.User{UID: 1000, GID: 999, Groups: []uint32{42, 6}})
	p.AllowedGroups = []string{"docker", "disk", "unknown", "root"}
	if d := p.decideIn(f); d.Identity.GID != 999 || !slices.Equal(d.Identity.Groups, []uint32{6}) {
		t.Errorf("%+v", d)
	}
	f.User = spec.User{UID: 1000, Groups: []uint32{0}}
	if d := p.decideIn(f); d.Identity.GID == 0 || len(d.Identity.Groups) > 0 {
		t.Errorf("%+v", d)
	}
}

// TestNobodyChoosesAnothers: an id of a range is not kept, requested or taken from an image unless allowed_uids lists
// it; an exec in the container that has it keeps it (SECURITY.md C6).
func TestNobodyChoosesAnothers(t *testing.T) {
	p, err := Parse("p", []byte(`
identity.requests = ["annotation"]
[[rule]]
name = "ranged"
match.engine = ["docker"]
identity.range = "100000-100999"
[[rule]]
name = "bounded"
match.engine = ["containerd"]
identity.allowed_uids = ["100000-100999"]
`))
	if err != nil {
		t.Fatal(err)
	}
	ids := &inOrder{}
	for _, c := range []struct {
		what   string
		engine string
		user   uint32
		asks   string
		exec   *Identity
		want   uint32 // 0: refused
	}{
		{"kept", Docker, 100500, "", nil, 100000},
		{"kept outside of it", Docker, 5000, "", nil, 5000},
		{"kept by another rule", "", 100500, "", nil, 65532},
		{"kept by allowed_uids", Containerd, 100500, "", nil, 100500},
		{"requested", Docker, 0, "neighbour", nil, 0},
		{"an exec of its own", Docker, 100500, "", &Identity{UID: 100500, GID: 100500}, 100500},
		{"an exec of another's", Docker, 100500, "", &Identity{UID: 100001, GID: 100001}, 100001},
	} {
		f := facts(spec.User{UID: c.user, GID: c.user})
		f.ID, f.Origin, f.Assign = "c", &Origin{Engine: c.engine}, ids.assign
		f.Accounts = &accounts.Files{Passwd: []byte("neighbour:x:100500:100500:::\n")}
		if c.asks != "" {
			f.Container.Annotations = map[string]string{RequestAnnotation: c.asks}
		}
		if f.Exec = c.exec != nil; f.Exec {
			f.Created, f.Assign = c.exec, nil
		}
		d := p.decideIn(f)
		if d.Refused() != (c.want == 0) || c.want != 0 && d.Identity.UID != c.want {
			t.Errorf("%s: %+v", c.what, d)
		}
	}
	f := facts(spec.User{})
	f.Origin, f.Assign = &Origin{Engine: Docker}, ids.assign
	f.BuiltFor = func() accounts.Intended {
		return accounts.Intended{Users: []accounts.User{{Name: "neighbour", UID: 100500, GID: 100500}}}
	}
	if d := p.decideIn(f); d.Source != Fixed || d.Identity.UID == 100500 {
		t.Errorf("the image's: %+v", d)
	}
}

// TestBlocksThatAgree: the same blocks of two rules, or single ids, may overlap: they share one list.
func TestBlocksThatAgree(t *testing.T) {
	for _, text := range []string{
		"identity = {range = \"1000-1999\", block = 100}\n[[rule]]\nname = \"a\"\nidentity.range = \"1200-2999\"",
		"identity = {range = \"1000-1999\", block = 100}\n[[rule]]\nname = \"a\"\nidentity = {range = \"2000-2999\", block = 0}",
		"identity.range = \"1000-1999\"\n[[rule]]\nname = \"a\"\nidentity.range = \"1500-2999\"",
		"identity = {range = \"1000-1999\", block = 100}\n[[rule]]\nname = \"a\"\nidentity.range = \"\"",
	} {
		if _, err := Parse("p", []byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestWithholdsGroup: learn's question has the same answer as a decision.
func TestWithholdsGroup(t *testing.T) {
	for gid, want := range map[uint32]bool{6: true, 42: true, 999: true, 105: false, 4000: false, 7777: false} {
		p := Default()
		if got := p.WithholdsGroup(hostGroups(), gid); got != want {
			t.Errorf("%d: %t", gid, got)
		}
		p.AllowedGIDs = Ranges{{First: ID(gid), Last: ID(gid)}}
		if p.WithholdsGroup(hostGroups(), gid) {
			t.Errorf("%d is withheld, and allowed_gids has it", gid)
		}
	}
	p := Default()
	p.AllowedGroups = []string{"disk"}
	if p.WithholdsGroup(hostGroups(), 6) || !p.WithholdsGroup(hostGroups(), 42) {
		t.Error("allowed_gids has disk by name, and shadow not")
	}
	if !Default().WithholdsGroup(&HostGroups{Unreadable: true}, 4000) || !Default().WithholdsGroup(&HostGroups{Sockets: []uint32{4000}}, 4000) {
		t.Error("4000 may mean anything, or opens an engine's socket")
	}
}

func TestDeviceHasAGroup(t *testing.T) {
	for _, test := range []struct {
		d    Device
		want bool
	}{
		{Device{GID: 44, Known: true}, true},
		{Device{GID: MaxID, Known: true}, true},
		{Device{GID: 44}, false},
		{Device{Known: true}, false},
		{Device{GID: MaxID + 1, Known: true}, false},
	} {
		if gid, ok := test.d.Group(); ok != test.want || ok && gid != test.d.GID {
			t.Errorf("%+v: %d, %t", test.d, gid, ok)
		}
	}
}

func TestUsesFixed(t *testing.T) {
	p := Default()
	if !p.UsesFixed() {
		t.Error("without a range, identity.uid counts")
	}
	if p.Range = (Range{1000, 1999}); p.UsesFixed() {
		t.Error("with a range, it does not")
	}
}
