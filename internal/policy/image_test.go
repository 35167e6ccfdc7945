// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

func TestSeveralAccounts(t *testing.T) {
	many := make([]accounts.User, 60)
	for i := range many {
		many[i].Name = fmt.Sprintf("u%d", i)
	}
	hostile := []accounts.User{{Name: strings.Repeat("é", 5000)}, {Name: "a\", \"root\u202e"}, {Name: "\xff{}"}}
	for _, test := range []struct {
		built accounts.Intended
		want  string
	}{
		{accounts.Intended{Users: many}, `it has several accounts of its own: "u0", "u1", "u2", "u3" and 56 more`},
		{accounts.Intended{Users: many[:2], State: true}, `it keeps state of several accounts: "u0", "u1"`},
		{accounts.Intended{More: true}, "too many to look at"},
		{accounts.Intended{Users: hostile}, `"a\", \"root\u202e", "\xff{}"`},
	} {
		got := severalAccounts(&test.built)
		if !strings.Contains(got, test.want) || len(got) > 600 {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

// TestImageIsLookedAtOnlyIfItMatters: examining the image takes time, and a container that doesn't ask for root doesn't
// need it.
func TestImageIsLookedAtOnlyIfItMatters(t *testing.T) {
	for name, change := range map[string]func(*Policy, *world){
		"kept":           func(_ *Policy, f *world) { f.User = spec.User{UID: 1000, GID: 1000} },
		"out of bounds":  func(p *Policy, f *world) { f.User, p.AllowedUIDs = spec.User{UID: 7, GID: 7}, Ranges{{1000, 1000}} },
		"off":            func(p *Policy, _ *world) { p.Mode = Off },
		"not in sources": func(p *Policy, _ *world) { p.Sources = []Source{Fixed} },
	} {
		p, f := Default(), facts(spec.User{})
		f.BuiltFor = func() accounts.Intended {
			t.Errorf("%s: the image was looked at", name)
			return accounts.Intended{}
		}
		change(p, f)
		p.decideIn(f)
	}
}

func TestRefuseWhatIsBuiltForSomebodyAndAsksForRoot(t *testing.T) {
	p, f := Default(), facts(spec.User{})
	p.Mode = Refuse
	f.BuiltFor = func() accounts.Intended {
		return accounts.Intended{Users: []accounts.User{{Name: "app", UID: 1000, GID: 1000}}}
	}
	if d := p.decideIn(f); d.Mode != Refuse || !strings.Contains(d.Reason, "asks for root") {
		t.Errorf("got %+v", d)
	}
}

// TestMembershipsAreBounded: an image can't make the runtime take arbitrarily long.
func TestMembershipsAreBounded(t *testing.T) {
	for n, want := range map[int]int{maxMemberships: maxMemberships, maxMemberships + 1: 0} {
		f := facts(spec.User{})
		f.BuiltFor = func() accounts.Intended {
			return accounts.Intended{Users: []accounts.User{{Name: "svc", UID: 4999, GID: 4998}}}
		}
		f.Apart = func() bool { return true }
		f.Memberships = func(string) (all []uint32) {
			for i := range n {
				all = append(all, uint32(5000+i)) // small
			}
			return all
		}
		d := Default().decideIn(f)
		if d.Source != Image || len(d.Identity.Groups) != want {
			t.Errorf("of %d groups it has %d, %q", n, len(d.Identity.Groups), d.Notes)
		}
	}
}
