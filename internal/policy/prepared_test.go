// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// TestPrepared: which containers run as the user for whom the command prepares volumes.
func TestPrepared(t *testing.T) {
	fixed, one := Identity{UID: DefaultID, GID: DefaultID}, Identity{UID: 1234, GID: 1235}
	for name, test := range map[string]struct {
		who    Identity
		change func(*Policy, *world)
		want   Identity
		source Source
		note   string // "": none
	}{
		"nobody":                       {Identity{}, nil, fixed, Fixed, ""},
		"somebody":                     {one, nil, one, Prepared, ""},
		"root's group":                 {Identity{UID: 1234}, nil, Identity{UID: 1234, GID: DefaultID}, Prepared, ""},
		"a privileged group":           {Identity{UID: 1234, GID: 6}, nil, Identity{UID: 1234, GID: DefaultID}, Prepared, ""},
		"before the image's user":      {one, builtFor(1000), one, Prepared, ""},
		"behind volumes":               {one, func(_ *Policy, w *world) { w.Owned = []Identity{{UID: 1500, GID: 1500}} }, Identity{UID: 1500, GID: 1500}, Volume, ""},
		"above what runtimes agree on": {Identity{UID: MaxID + 1, GID: 5}, nil, fixed, Fixed, ""},
		"out of bounds":                {one, func(p *Policy, _ *world) { p.AllowedUIDs = Ranges{{1000, 1000}} }, fixed, Fixed, ""},
		"within bounds":                {one, func(p *Policy, _ *world) { p.AllowedUIDs = Ranges{{1234, 1234}} }, one, Prepared, ""},
		"the fixed one, out of bounds": {fixed, func(p *Policy, w *world) {
			p.AllowedUIDs = Ranges{{1000, 1000}}
			builtFor(1000)(p, w)
		}, fixed, Prepared, ""},
		"another's range": {Identity{UID: 200001, GID: 1235}, func(p *Policy, _ *world) { p.Reserved = Ranges{{200000, 200999}} }, fixed, Fixed, "its command changes the owner of its volumes to uid 200001, which may belong to another container"},
		"the fixed one, with a group of the host's": {Identity{UID: DefaultID, GID: 4000}, func(p *Policy, _ *world) { p.AllowedUIDs = Ranges{{1000, 1000}} }, fixed, Prepared, ""},
		"the fixed one, where there is a range": {fixed, func(p *Policy, w *world) {
			p.Range, p.Sources, p.AllowedUIDs = Range{200000, 200999}, []Source{Prepared, Image, Fixed}, Ranges{{5000, 5999}}
			builtFor(5001)(p, w)
		}, Identity{UID: 5001, GID: 1001}, Image, ""},
		"one of the range, without kept": {Identity{UID: 200005, GID: 200005}, func(p *Policy, w *world) {
			p.Range, p.AllowedUIDs, p.Sources = Range{200000, 200999}, Ranges{{200000, 200999}, {5000, 5999}}, []Source{Prepared, Image, Fixed}
			builtFor(5001)(p, w)
		}, Identity{UID: 5001, GID: 1001}, Image, ""},
		"nobody keeps a uid":       {one, func(p *Policy, _ *world) { p.Sources = []Source{Prepared, Fixed} }, fixed, Fixed, ""},
		"a policy without":         {one, func(p *Policy, _ *world) { p.Sources = []Source{Kept, Fixed} }, fixed, Fixed, ""},
		"who doesn't ask for root": {one, func(_ *Policy, w *world) { w.User = spec.User{UID: 1000, GID: 1001} }, Identity{UID: 1000, GID: 1001}, Kept, ""},
		"an exec":                  {one, func(_ *Policy, w *world) { w.Exec = true }, fixed, Fixed, ""},
	} {
		p, f := Default(), facts(spec.User{})
		f.Prepare = test.who
		if test.change != nil {
			test.change(p, f)
		}
		d := p.decideIn(f)
		if d.Mode != Rewrite || d.Identity == nil || d.Identity.UID != test.want.UID || d.Identity.GID != test.want.GID || d.Source != test.source {
			t.Errorf("%s: %s %+v by %s (%s)", name, d.Mode, d.Identity, d.Source, d.Reason)
		}
		if said := slices.ContainsFunc(d.Notes, func(n string) bool { return strings.Contains(n, test.note) }); test.note != "" && !said {
			t.Errorf("%s: %q", name, d.Notes)
		}
	}
}
