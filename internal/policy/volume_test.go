// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// TestVolume: which containers run as the owner of their volumes.
func TestVolume(t *testing.T) {
	fixed := Identity{UID: DefaultID, GID: DefaultID}
	for name, test := range map[string]struct {
		owned  []Identity
		change func(*Policy, *world)
		want   Identity
		source Source
		note   string
	}{
		"none":                         {nil, nil, fixed, Fixed, ""},
		"one":                          {[]Identity{{UID: 1234, GID: 1235}}, nil, Identity{UID: 1234, GID: 1235}, Volume, ""},
		"two of one user":              {[]Identity{{UID: 1234, GID: 1235}, {UID: 1234, GID: 7777}}, nil, Identity{UID: 1234, GID: 1235}, Volume, ""},
		"of two users":                 {[]Identity{{UID: 1234, GID: 1235}, {UID: 1236, GID: 1235}}, nil, fixed, Fixed, "different users, 1234 and 1236"},
		"of somebody and the fixed":    {[]Identity{{UID: 1234, GID: 1235}, {}, fixed}, nil, fixed, Fixed, "different users, 1234 and 65532, and it can only be one of them; hint: stop its containers, and run nonroot-ctl volumes adopt --from 65532:65532 --user 1234:1235 /volumes/of65532"},
		"of the fixed and somebody":    {[]Identity{fixed, {UID: 1234}}, nil, fixed, Fixed, "--from 65532:65532 --user 1234:65532 /volumes/of65532"},
		"root's":                       {[]Identity{{}}, nil, fixed, Fixed, ""},
		"root's, and somebody's":       {[]Identity{{}, {UID: 1234, GID: 1235}, {}}, nil, Identity{UID: 1234, GID: 1235}, Volume, ""},
		"a privileged group":           {[]Identity{{UID: 1234, GID: 6}}, nil, Identity{UID: 1234, GID: DefaultID}, Volume, ""},
		"root's group":                 {[]Identity{{UID: 1234}}, nil, Identity{UID: 1234, GID: DefaultID}, Volume, ""},
		"before the image's user":      {[]Identity{{UID: 1234, GID: 1235}}, builtFor(1000), Identity{UID: 1234, GID: 1235}, Volume, ""},
		"the image's user, without":    {nil, builtFor(1000), Identity{UID: 1000, GID: 1001}, Image, ""},
		"the fixed one":                {[]Identity{fixed}, builtFor(1000), fixed, Volume, ""},
		"above what runtimes agree on": {[]Identity{{UID: MaxID + 1, GID: 1235}}, nil, fixed, Fixed, ""},
		"the highest":                  {[]Identity{{UID: MaxID, GID: 1235}}, nil, Identity{UID: MaxID, GID: 1235}, Volume, ""},
		"out of bounds":                {[]Identity{{UID: 1234, GID: 1235}}, func(p *Policy, _ *world) { p.AllowedUIDs = Ranges{{1000, 1000}} }, fixed, Fixed, "uid 1234, which allowed_uids"},
		"within bounds":                {[]Identity{{UID: 1000, GID: 1235}}, func(p *Policy, _ *world) { p.AllowedUIDs = Ranges{{1000, 1000}} }, Identity{UID: 1000, GID: 1235}, Volume, ""},
		"the fixed one, out of bounds": {[]Identity{fixed}, func(p *Policy, w *world) {
			p.AllowedUIDs = Ranges{{1000, 1000}}
			builtFor(1000)(p, w)
		}, fixed, Volume, ""},
		"another's range":  {[]Identity{{UID: 200001, GID: 1235}}, func(p *Policy, _ *world) { p.Reserved = Ranges{{200000, 200999}} }, fixed, Fixed, "may belong to another container"},
		"a policy without": {[]Identity{{UID: 1234, GID: 1235}}, func(p *Policy, _ *world) { p.Sources = []Source{Kept, Fixed} }, fixed, Fixed, ""},
		"who doesn't ask for root": {[]Identity{{UID: 1234, GID: 1235}}, func(_ *Policy, w *world) {
			w.User = spec.User{UID: 1000, GID: 1001}
		}, Identity{UID: 1000, GID: 1001}, Kept, ""},
		"an exec": {[]Identity{{UID: 1234, GID: 1235}}, func(_ *Policy, w *world) { w.Exec = true }, fixed, Fixed, ""},
	} {
		p, f := Default(), facts(spec.User{})
		f.Owned = test.owned
		if test.change != nil {
			test.change(p, f)
		}
		d := p.decideIn(f)
		if d.Mode != Rewrite || d.Identity == nil || d.Identity.UID != test.want.UID || d.Identity.GID != test.want.GID || d.Source != test.source {
			t.Errorf("%s: %s %+v by %s (%s)", name, d.Mode, d.Identity, d.Source, d.Reason)
		}
		if noted := slices.ContainsFunc(d.Notes, func(n string) bool { return strings.Contains(n, test.note) }); test.note != "" && !noted {
			t.Errorf("%s: %q", name, d.Notes)
		}
	}
}

// TestEmptyVolume: which empty volumes decide the identity of a container that has no user of its own.
func TestEmptyVolume(t *testing.T) {
	fixed, one, two := Identity{UID: DefaultID, GID: DefaultID}, Identity{UID: 1234, GID: 1235}, Identity{UID: 1236, GID: 1237}
	for name, test := range map[string]struct {
		owned, empty []Identity
		change       func(*Policy, *world)
		want         Identity
		source       Source
	}{
		"one":                          {nil, []Identity{one}, nil, one, Volume},
		"two of one user":              {nil, []Identity{one, one}, nil, one, Volume},
		"of two users":                 {nil, []Identity{one, two}, nil, fixed, Fixed},
		"beside a used one":            {[]Identity{two}, []Identity{one}, nil, two, Volume},
		"beside used ones":             {[]Identity{two, fixed}, []Identity{one}, nil, fixed, Fixed},
		"beside root's":                {[]Identity{{}}, []Identity{one}, nil, one, Volume},
		"the fixed one's":              {nil, []Identity{fixed}, nil, fixed, Fixed},
		"the image has a user":         {nil, []Identity{one}, builtFor(1000), Identity{UID: 1000, GID: 1001}, Image},
		"the command names one":        {nil, []Identity{one}, func(_ *Policy, w *world) { w.Prepare = two }, two, Prepared},
		"root's by a map":              {nil, []Identity{{}}, nil, fixed, Fixed},
		"root's by a map, and one":     {nil, []Identity{{}, one}, nil, one, Volume},
		"a privileged group":           {nil, []Identity{{UID: 1234, GID: 6}}, nil, Identity{UID: 1234, GID: DefaultID}, Volume},
		"above what runtimes agree on": {nil, []Identity{{UID: MaxID + 1, GID: 5}}, nil, fixed, Fixed},
		"out of bounds":                {nil, []Identity{one}, func(p *Policy, _ *world) { p.AllowedUIDs = Ranges{{1000, 1000}} }, fixed, Fixed},
		"another's range":              {nil, []Identity{one}, func(p *Policy, _ *world) { p.Reserved = Ranges{{1200, 1299}} }, fixed, Fixed},
		"a policy without":             {nil, []Identity{one}, func(p *Policy, _ *world) { p.Sources = []Source{Kept, Fixed} }, fixed, Fixed},
		"who doesn't ask for root": {nil, []Identity{one}, func(_ *Policy, w *world) {
			w.User = spec.User{UID: 1000, GID: 1001}
		}, Identity{UID: 1000, GID: 1001}, Kept},
		"who may not be whom it asks for": {nil, []Identity{one}, func(p *Policy, w *world) {
			p.AllowedUIDs = Ranges{{1234, 1234}}
			w.User = spec.User{UID: 1000, GID: 1001}
		}, fixed, Fixed},
		"an exec":               {nil, []Identity{one}, func(_ *Policy, w *world) { w.Exec = true }, fixed, Fixed},
		"it was started before": {nil, []Identity{one}, func(_ *Policy, w *world) { w.Started = &LastStart{fixed, Fixed} }, fixed, Fixed},
		"it had the volume":     {nil, []Identity{one}, func(_ *Policy, w *world) { w.Started = &LastStart{two, Volume} }, two, Volume},
	} {
		p, f := Default(), facts(spec.User{})
		f.Owned, f.Empty = test.owned, test.empty
		if test.change != nil {
			test.change(p, f)
		}
		d := p.decideIn(f)
		if d.Mode != Rewrite || d.Identity == nil || d.Identity.UID != test.want.UID || d.Identity.GID != test.want.GID || d.Source != test.source {
			t.Errorf("%s: %s %+v by %s (%s)", name, d.Mode, d.Identity, d.Source, d.Reason)
		}
	}
}

// TestDiffer: a command is advised only if it makes one user, who is allowed, the owner of all volumes.
func TestDiffer(t *testing.T) {
	fixed, one, two := Identity{UID: DefaultID, GID: DefaultID}, Identity{UID: 1234, GID: 1235}, Identity{UID: 1236, GID: 1235}
	for name, test := range map[string]struct {
		owned  []Identity
		change func(*Policy)
		want   string
	}{
		"two":                       {[]Identity{fixed, one}, func(*Policy) {}, "--user 1234:1235 "},
		"three":                     {[]Identity{fixed, one, two}, func(*Policy) {}, ""},
		"three, the fixed one last": {[]Identity{one, two, fixed}, func(*Policy) {}, ""},
		"out of bounds":             {[]Identity{fixed, one}, func(p *Policy) { p.AllowedUIDs = Ranges{{1000, 1000}} }, ""},
		"another's range":           {[]Identity{fixed, one}, func(p *Policy) { p.Reserved = Ranges{{1200, 1299}} }, ""},
		"nobody is kept":            {[]Identity{fixed, one}, func(p *Policy) { p.Sources = []Source{Volume, Fixed} }, ""},
		"above what runtimes allow": {[]Identity{fixed, {UID: MaxID + 1, GID: 5000}}, func(*Policy) {}, ""},
		"a privileged group":        {[]Identity{fixed, {UID: 1234, GID: 6}}, func(*Policy) {}, "--user 1234:65532 "},
	} {
		p, f := Default(), facts(spec.User{})
		f.Owned = test.owned
		test.change(p)
		notes := strings.Join(p.decideIn(f).Notes, "\n")
		if !strings.Contains(notes, "different users") || strings.Contains(notes, "volumes adopt") != (test.want != "") || !strings.Contains(notes, test.want) {
			t.Errorf("%s: %q, want %q", name, notes, test.want)
		}
	}
}

// TestVolumeOfLastStart: a container that was started before keeps its identity, as far as its volumes decide.
func TestVolumeOfLastStart(t *testing.T) {
	fixed, one, two := Identity{UID: DefaultID, GID: DefaultID}, Identity{UID: 1234, GID: 1235}, Identity{UID: 1236, GID: 1237}
	for name, test := range map[string]struct {
		last   LastStart
		owned  []Identity
		change func(*Policy, *world)
		want   Identity
		source Source
		note   string
	}{
		"another has taken its volume":                {LastStart{fixed, Fixed}, []Identity{one}, nil, fixed, Fixed, "its volume belongs to uid 1234, and at its last start it was 65532; hint: create the container again to run it as 1234"},
		"of the image's user":                         {LastStart{Identity{UID: 1000, GID: 1001}, Image}, []Identity{one}, builtFor(1000), Identity{UID: 1000, GID: 1001}, Image, "create the container again"},
		"it has the volume":                           {LastStart{one, Fixed}, []Identity{one}, nil, one, Volume, ""},
		"it has one of them":                          {LastStart{two, Image}, []Identity{one, two}, nil, two, Volume, "different users, 1234 and 1236"},
		"it had the volume":                           {LastStart{two, Volume}, []Identity{one}, nil, two, Volume, ""},
		"it had the volume, which is empty":           {LastStart{two, Volume}, nil, nil, two, Volume, ""},
		"it had the volume, and a policy that hasn't": {LastStart{two, Volume}, nil, func(p *Policy, _ *world) { p.AllowedUIDs = Ranges{{1234, 1234}} }, fixed, Fixed, "it was uid 1236 at its last start, which allowed_uids"},
		"a number that runtimes do not agree on":      {LastStart{Identity{UID: MaxID + 1, GID: 5}, Volume}, nil, nil, fixed, Fixed, ""},
		"a privileged group":                          {LastStart{Identity{UID: 1236, GID: 6}, Volume}, nil, nil, Identity{UID: 1236, GID: DefaultID}, Volume, ""},
		"the volumes are root's":                      {LastStart{fixed, Fixed}, []Identity{{}}, nil, fixed, Fixed, ""},
	} {
		p, f := Default(), facts(spec.User{})
		f.Owned, f.Started = test.owned, &test.last
		if test.change != nil {
			test.change(p, f)
		}
		d := p.decideIn(f)
		if d.Mode != Rewrite || d.Identity == nil || d.Identity.UID != test.want.UID || d.Identity.GID != test.want.GID || d.Source != test.source {
			t.Errorf("%s: %s %+v by %s (%s)", name, d.Mode, d.Identity, d.Source, d.Reason)
		}
		if noted := slices.ContainsFunc(d.Notes, func(n string) bool { return strings.Contains(n, test.note) }); noted != (test.note != "") {
			t.Errorf("%s: %q", name, d.Notes)
		}
	}
}

// builtFor returns an image with a service user.
func builtFor(uid uint32) func(*Policy, *world) {
	return func(_ *Policy, w *world) {
		w.BuiltFor = func() accounts.Intended {
			return accounts.Intended{Users: []accounts.User{{Name: "app", UID: uid, GID: 1001}}}
		}
	}
}

// TestVolumeWithARange: with a range each owner has ids of its own, and volumes are not examined.
func TestVolumeWithARange(t *testing.T) {
	p, f := Default(), facts(spec.User{})
	p.Range = Range{First: 200000, Last: 200999}
	f.Volumes = nil
	if d := p.Decide(&f.Facts); d.Missing.Volumes {
		t.Errorf("%+v", d.Missing)
	}
}

// TestSettleEnds even if requested facts are never gathered.
func TestSettleEnds(t *testing.T) {
	p, f := Default(), facts(spec.User{})
	asked := 0
	d := p.Settle(&f.Facts, func(*decision.Missing) error { asked++; return nil })
	if d.Mode != Refuse || !strings.Contains(d.Reason, "never gathered") || asked != maxRounds {
		t.Errorf("%s, %q after %d", d.Mode, d.Reason, asked)
	}
}
