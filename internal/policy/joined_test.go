// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// TestJoined: which containers run as the user whose processes they join.
func TestJoined(t *testing.T) {
	fixed := Identity{UID: DefaultID, GID: DefaultID}
	one := Neighbour{Known: true, UID: 1234, GID: 1235, Container: strings.Repeat("ab", 32)}
	of := func(uid, gid uint32) Neighbour { return Neighbour{Known: true, UID: uid, GID: gid} }
	for name, test := range map[string]struct {
		other  Neighbour
		change func(*Policy, *world)
		want   Identity
		source Source
		note   string // "": none
	}{
		"another container":            {one, nil, Identity{UID: 1234, GID: 1235}, Joined, `it joins the processes of uid 1234 in the container "abababababab", and is that user`},
		"without an id":                {of(1234, 1235), nil, Identity{UID: 1234, GID: 1235}, Joined, "it joins the processes of uid 1234, and is that user"},
		"with a short id":              {Neighbour{true, 1234, 1235, "web"}, nil, Identity{UID: 1234, GID: 1235}, Joined, `in the container "web"`},
		"nothing is known":             {Neighbour{UID: 1234, GID: 1235}, nil, fixed, Fixed, ""},
		"root's":                       {of(0, 0), nil, fixed, Fixed, "which is root's, and can't signal them"},
		"of root's group":              {of(1234, 0), nil, fixed, Fixed, "which is root's"},
		"root, with a group":           {of(0, 1235), nil, fixed, Fixed, "which is root's"},
		"a privileged group":           {of(1234, 6), nil, Identity{UID: 1234, GID: DefaultID}, Joined, "is that user"},
		"before volumes and images":    {one, func(p *Policy, w *world) { builtFor(1000)(p, w); w.Owned = []Identity{{UID: 1500, GID: 1500}} }, Identity{UID: 1234, GID: 1235}, Joined, "is that user"},
		"the highest":                  {of(MaxID, 1235), nil, Identity{UID: MaxID, GID: 1235}, Joined, "is that user"},
		"above what runtimes agree on": {of(MaxID+1, 1235), nil, fixed, Fixed, "does not allow"},
		"out of bounds":                {one, func(p *Policy, _ *world) { p.AllowedUIDs = Ranges{{1000, 1000}} }, fixed, Fixed, "does not allow"},
		"within bounds":                {of(1000, 1235), func(p *Policy, _ *world) { p.AllowedUIDs = Ranges{{1000, 1000}} }, Identity{UID: 1000, GID: 1235}, Joined, "is that user"},
		"the fixed one, out of bounds": {of(DefaultID, DefaultID), func(p *Policy, w *world) {
			p.AllowedUIDs = Ranges{{1000, 1000}}
			builtFor(1000)(p, w)
		}, fixed, Joined, "is that user"},
		"nobody keeps a uid":                           {one, func(p *Policy, _ *world) { p.Sources = []Source{Joined, Fixed} }, fixed, Fixed, "does not allow"},
		"a policy without":                             {one, func(p *Policy, _ *world) { p.Sources = []Source{Kept, Fixed} }, fixed, Fixed, ""},
		"another owner's range":                        {of(200001, 1235), func(p *Policy, _ *world) { p.Reserved, p.Share = Ranges{{200000, 200999}}, ShareNone }, fixed, Fixed, "may belong to another container"},
		"a range that those who belong together share": {of(200001, 1235), func(p *Policy, _ *world) { p.Reserved, p.Share = Ranges{{200000, 200999}}, SharePod }, fixed, Fixed, ""},
		"who doesn't ask for root":                     {one, func(_ *Policy, w *world) { w.User = spec.User{UID: 1000, GID: 1001} }, Identity{UID: 1000, GID: 1001}, Kept, ""},
		"an exec":                                      {one, func(_ *Policy, w *world) { w.Exec = true }, fixed, Fixed, ""},
		"processes of its own":                         {one, func(_ *Policy, w *world) { w.Container.Namespaces[0].Path = "" }, fixed, Fixed, ""},
		"another namespace":                            {one, func(_ *Policy, w *world) { w.Container.Namespaces[0].Type = "network" }, fixed, Fixed, ""},
	} {
		p, f := Default(), facts(spec.User{})
		f.Container.Namespaces[0].Path = "/proc/5/ns/pid"
		f.Other = test.other
		if test.change != nil {
			test.change(p, f)
		}
		d := p.decideIn(f)
		if d.Mode != Rewrite || d.Identity == nil || d.Identity.UID != test.want.UID || d.Identity.GID != test.want.GID || d.Source != test.source {
			t.Errorf("%s: %s %+v by %s (%s)", name, d.Mode, d.Identity, d.Source, d.Reason)
		}
		noted := slices.ContainsFunc(d.Notes, func(n string) bool { return strings.Contains(n, "joins the processes") })
		said := slices.ContainsFunc(d.Notes, func(n string) bool { return strings.Contains(n, test.note) })
		if noted != (test.note != "") || noted && !said {
			t.Errorf("%s: %q", name, d.Notes)
		}
	}
}

// TestJoinedAsks for nothing if no processes are joined, and for nothing else if they are.
func TestJoinedAsks(t *testing.T) {
	f := facts(spec.User{})
	if d := Default().Decide(&f.Facts); d.Missing.Joined {
		t.Errorf("%+v", d.Missing)
	}
	f.Container.Namespaces[0].Path = "/proc/5/ns/pid"
	if d := Default().Decide(&f.Facts); !d.Missing.Joined {
		t.Errorf("%+v", d.Missing)
	}
}
