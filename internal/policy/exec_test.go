// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

func modes(general, existing Mode) *Policy {
	p := Default()
	p.Mode, p.Existing, p.Reason = general, existing, "why"
	return p
}

// TestExempts: the record decides whether a container may stay unchanged; without one, the policy does. If a record may
// have been lost, nothing exempts it.
func TestExempts(t *testing.T) {
	record := func(m Mode) *Decision { return &Decision{Mode: m, Identity: &Identity{UID: 7, GID: 7}} }
	for _, test := range []struct {
		name              string
		general, existing Mode
		record            *Decision
		unsure            bool
		want              bool
	}{
		{"no record", Rewrite, Rewrite, nil, false, false},
		{"no record, off", Off, Rewrite, nil, false, true},
		{"no record, audit", Audit, Rewrite, nil, false, true},
		{"no record, refuse", Refuse, Rewrite, nil, false, false},
		{"no record, existing are left", Rewrite, Off, nil, false, true},
		{"rewritten", Off, Off, record(Rewrite), false, false},
		{"off by its record", Rewrite, Rewrite, record(Off), false, true},
		{"audited by its record", Rewrite, Rewrite, record(Audit), false, true},
		{"refused by its record", Off, Off, record(Refuse), false, false},
		{"unsure", Off, Off, nil, true, false},
		{"unsure, with a record", Off, Off, record(Off), true, false},
	} {
		f := &Facts{Existing: Existing{Record: test.record, Unsure: test.unsure}}
		if got := modes(test.general, test.existing).Exempts(f); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// TestExemptGoesOn: an exec or start of an exempt container goes ahead, whatever it asks for, and the decision says
// what exempts it.
func TestExemptGoesOn(t *testing.T) {
	for _, act := range []Act{Exec, Start} {
		for _, test := range []struct {
			name         string
			p            *Policy
			record       *Decision
			mode         Mode
			rule, reason string
		}{
			{"off", modes(Off, Rewrite), nil, Off, "default", "why"},
			{"audit", modes(Audit, Rewrite), nil, Audit, "default", "why"},
			{"existing", modes(Rewrite, Off), nil, Off, "existing", "was not created by nonroot-runc"},
			{"by its record", modes(Rewrite, Rewrite), &Decision{Mode: Off, Rule: "agents", Reason: "an agent"}, Off, "agents", "an agent"},
		} {
			f := &Facts{Act: act, Seen: true, Unfit: errors.New("x")}
			f.Record, f.Unsound = test.record, errors.New("y")
			d := test.p.Decide(f)
			if d.Mode != test.mode || d.Rule != test.rule || !strings.Contains(d.Reason, test.reason) || d.Asked == nil || d.Missing.Any() {
				t.Errorf("%d, %s: %+v", act, test.name, d)
			}
			f.Seen = false
			if d := test.p.Decide(f); d.Asked != nil {
				t.Errorf("%d, %s: nobody has looked, and it asks for %+v", act, test.name, d.Asked)
			}
		}
	}
}

// TestFurther: who an exec runs as.
func TestFurther(t *testing.T) {
	four := func(id uint32) []uint32 { return []uint32{id, id, id, id} }
	credentials := func(uid, gid uint32) *runc.Credentials {
		return &runc.Credentials{UIDs: four(uid), GIDs: four(gid), HostUIDs: four(uid), HostGIDs: four(gid)}
	}
	rewritten := &Decision{Mode: Rewrite, Identity: &Identity{UID: 1000, GID: 1001, Groups: []uint32{5000}}, Source: Fixed}
	for _, test := range []struct {
		name    string
		p       *Policy
		user    spec.User
		change  func(*Facts)
		want    Identity
		dropped []uint32
		refused string
		note    string
	}{
		{"root in a rewritten one", modes(Rewrite, Rewrite), spec.User{}, func(f *Facts) { f.Record = rewritten }, Identity{UID: 1000, GID: 1001, Groups: []uint32{5000}}, nil, "", ""},
		{"root in a rewritten one, which would be off now", modes(Off, Off), spec.User{}, func(f *Facts) { f.Record = rewritten }, Identity{UID: 1000, GID: 1001, Groups: []uint32{5000}}, nil, "", ""},
		{"root in a rewritten one, which would be audited now", modes(Audit, Off), spec.User{}, func(f *Facts) { f.Record = rewritten }, Identity{UID: 1000, GID: 1001, Groups: []uint32{5000}}, nil, "", ""},
		{"root where root is refused", modes(Refuse, Rewrite), spec.User{}, func(f *Facts) { f.Record = rewritten }, Identity{}, nil, "this exec asks for root", ""},
		{"somebody where root is refused", modes(Refuse, Rewrite), spec.User{UID: 7, GID: 7}, func(f *Facts) { f.Record = rewritten }, Identity{UID: 7, GID: 7}, nil, "", ""},
		{"no record, by the first process", modes(Rewrite, Rewrite), spec.User{}, func(f *Facts) { f.Process = credentials(2000, 2001) }, Identity{UID: 2000, GID: 2001}, nil, "", ""},
		{"no record, and that one is root", modes(Rewrite, Rewrite), spec.User{}, func(f *Facts) { f.Process = credentials(0, 0) }, Identity{UID: 65532, GID: 65532}, nil, "", ""},
		{"no record, and that one is of disk", modes(Rewrite, Rewrite), spec.User{}, func(f *Facts) { f.Process = credentials(2000, 6) }, Identity{UID: 2000, GID: 65532}, nil, "", ""},
		{"no record, nothing runs", modes(Rewrite, Rewrite), spec.User{}, func(*Facts) {}, Identity{UID: 65532, GID: 65532}, nil, "", ""},
		{"a record that may be lost", modes(Off, Off), spec.User{}, func(f *Facts) { f.Unsure = true }, Identity{UID: 65532, GID: 65532}, nil, "", ""},
		{"a nested user namespace", modes(Rewrite, Rewrite), spec.User{}, func(f *Facts) {
			f.Nested, f.Process = true, credentials(2000, 2001)
		}, Identity{UID: 65532, GID: 65532}, nil, "", "user namespace of its own"},
		{"groups that are names", modes(Rewrite, Rewrite), spec.User{UID: 7, GID: 7, Groups: []uint32{6, 5000}}, func(f *Facts) {
			f.Record, f.NamedGroups = rewritten, true
		}, Identity{UID: 7, GID: 7}, []uint32{6, 5000}, "", ""},
		{"groups that are numbers", modes(Rewrite, Rewrite), spec.User{UID: 7, GID: 7, Groups: []uint32{6, 5000}}, func(f *Facts) { f.Record = rewritten }, Identity{UID: 7, GID: 7, Groups: []uint32{5000}}, []uint32{6}, "", ""},
	} {
		f := facts(test.user).Facts
		f.Act, f.Container = Exec, nil
		test.change(&f)
		d := test.p.Decide(&f)
		if test.refused != "" {
			if !d.Refused() || !strings.Contains(d.Reason, test.refused) {
				t.Errorf("%s: %+v", test.name, d)
			}
			continue
		}
		if d.Mode != Rewrite || d.Identity.UID != test.want.UID || d.Identity.GID != test.want.GID || !slices.Equal(d.Identity.Groups, test.want.Groups) ||
			!slices.Equal(d.Dropped, test.dropped) || !strings.Contains(strings.Join(d.Notes, "; "), test.note) || d.Missing.Any() {
			t.Errorf("%s: %+v, %+v, want %+v", test.name, d, d.Identity, test.want)
		}
	}
}

// TestGateFails: missing facts about a first process keep it from starting.
func TestGateFails(t *testing.T) {
	for name, f := range map[string]Facts{
		"a bundle of others": {Existing: Existing{Unsound: errors.New("others can write it"), Process: &runc.Credentials{}}},
		"not running":        {Existing: Existing{ProcessFault: errors.New("it is not running")}},
		"a record, and the process is not what it says": {Existing: Existing{
			Record: &Decision{Mode: Rewrite, Identity: &Identity{UID: 1, GID: 1}}, Process: &runc.Credentials{NoNewPrivs: true, UIDs: []uint32{2}, GIDs: []uint32{1}},
		}},
	} {
		f.Act = Start
		for _, p := range []*Policy{modes(Rewrite, Rewrite), modes(Refuse, Rewrite)} {
			if d := p.Decide(&f); !d.Refused() || d.Reason == "" {
				t.Errorf("%s: %+v", name, d)
			}
		}
	}
}

// TestGateOfAUid: without a decision, a first process must have a uid that the policy keeps or assigns.
func TestGateOfAUid(t *testing.T) {
	p := Default()
	p.Sources, p.UID, p.Range = []Source{Fixed}, 5, Range{100, 200}
	kept := Default()
	kept.AllowedUIDs = Ranges{{1000, 2000}}
	for _, test := range []struct {
		p    *Policy
		uid  uint32
		want bool
	}{
		{p, 5, true},
		{p, 100, true},
		{p, 200, true},
		{p, 201, false},
		{p, 1000, false},
		{kept, 1000, true},
		{kept, 2001, false},
		{kept, 65532, true},
		{Default(), 1, true},
		{Default(), MaxID, true},
		{Default(), MaxID + 1, false},
	} {
		if got := test.p.mayBeKept(test.uid); got != test.want {
			t.Errorf("%d: %v", test.uid, got)
		}
	}
}

// TestFailed: if facts can't be gathered, no container is created, unless the policy leaves all unchanged, and a
// further process never starts.
func TestFailed(t *testing.T) {
	fault := errors.New("config.json is not JSON")
	rules := func(p *Policy) *Policy {
		p.Rules = []Rule{{Name: "r", Match: Match{Engine: Patterns{"docker"}}, Policy: modes(Off, Off)}}
		p.Rules[0].Policy.Rule = "r"
		return p
	}
	docker := &Origin{Engine: Docker}
	for _, test := range []struct {
		name   string
		act    Act
		p      *Policy
		origin *Origin
		want   Mode
		reason string
	}{
		{"create", Create, modes(Rewrite, Rewrite), nil, Refuse, "not JSON"},
		{"create, refuse", Create, modes(Refuse, Rewrite), nil, Refuse, "not JSON"},
		{"create, audit", Create, modes(Audit, Rewrite), nil, Audit, "not JSON"},
		{"create, off", Create, modes(Off, Rewrite), nil, Off, "why"},
		{"restored, off", Restored, modes(Off, Rewrite), nil, Off, "why"},
		{"create, a rule that could be off", Create, rules(modes(Rewrite, Rewrite)), nil, Refuse, "not JSON"},
		{"create, off, but for a rule that can't be told", Create, rules(modes(Off, Off)), nil, Refuse, "not JSON"},
		{"create, audit, but for a rule that can't be told", Create, rules(modes(Audit, Off)), nil, Refuse, "not JSON"},
		{"create, a rule that is off", Create, rules(modes(Rewrite, Rewrite)), docker, Off, "why"},
		{"exec", Exec, modes(Rewrite, Rewrite), nil, Refuse, "not JSON"},
		{"exec, off", Exec, modes(Off, Off), nil, Refuse, "not JSON"},
		{"exec, audit", Exec, modes(Audit, Off), nil, Refuse, "not JSON"},
		{"start, off", Start, modes(Off, Off), nil, Refuse, "not JSON"},
		{"start, audit", Start, modes(Audit, Off), nil, Refuse, "not JSON"},
	} {
		d := test.p.Failed(&Facts{Act: test.act, ID: "c", Origin: test.origin}, fault)
		if d.Mode != test.want || !strings.Contains(d.Reason, test.reason) || d.ID != "c" || d.Identity != nil {
			t.Errorf("%s: %+v", test.name, d)
		}
	}
}

// TestInForce: facts that can't be determined exempt no container.
func TestInForce(t *testing.T) {
	off := modes(Off, Off)
	off.Rule = "agents"
	ended := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	general := func(m Mode) *Policy {
		p := modes(m, m)
		p.Rules = []Rule{{Name: "agents", Match: Match{Engine: Patterns{Docker}}, Policy: off}}
		p.Build = Build{Mode: Off, Reason: "builds", Bundles: []string{"/var/lib/buildkit/executor"}}
		return p
	}
	for _, test := range []struct {
		name     string
		p        *Policy
		origin   *Origin
		bundle   string
		mode     Mode
		existing Mode
		rule     string
	}{
		{"no rules, unreadable", modes(Off, Off), nil, "/b", Off, Off, "default"},
		{"rules, unreadable", general(Off), nil, "/b", Rewrite, Rewrite, "default"},
		{"rules, unreadable, audit", general(Audit), nil, "/b", Rewrite, Rewrite, "default"},
		{"rules, unreadable, refuse", general(Refuse), nil, "/b", Rewrite, Rewrite, "default"},
		{"the rule's", general(Rewrite), &Origin{Engine: Docker}, "/b", Off, Off, "agents"},
		{"another's", general(Rewrite), &Origin{Engine: Containerd}, "/b", Rewrite, Rewrite, "default"},
		{"a build's, unreadable", general(Rewrite), nil, "/var/lib/buildkit/executor/x", Off, Rewrite, "build"},
		{"below a build's", general(Rewrite), nil, "/var/lib/buildkit/executor/x/y", Rewrite, Rewrite, "default"},
	} {
		before := test.p.Mode
		got := test.p.InForce(&Facts{Origin: test.origin, Bundle: test.bundle})
		if got.Mode != test.mode || got.Existing != test.existing || got.Rule != test.rule || test.p.Mode != before {
			t.Errorf("%s: %s, %s by %q", test.name, got.Mode, got.Existing, got.Rule)
		}
	}
	p := general(Rewrite)
	p.Rules[0].Until = ended
	f := &Facts{Origin: &Origin{Engine: Docker}, Now: ended.Add(-time.Hour)}
	if p.InForce(f).Rule != "agents" {
		t.Error("a rule has run out before its day")
	}
	f.Now = ended.AddDate(0, 0, 2)
	if got := p.InForce(f); got.Rule != "default" {
		t.Errorf("a rule that has run out is in force: %q", got.Rule)
	}
}

// TestRestore: a checkpoint's processes are allowed by restore = "allow", and where nothing is enforced.
func TestRestore(t *testing.T) {
	ruled := modes(Off, Off)
	ruled.Rules = []Rule{{Name: "r", Policy: Default()}}
	allowed := func(p *Policy) *Policy { p.Restore = true; return p }
	for _, test := range []struct {
		name    string
		p       *Policy
		refused bool
	}{
		{"rewrite", modes(Rewrite, Rewrite), true},
		{"refuse", modes(Refuse, Rewrite), true},
		{"audit", modes(Audit, Rewrite), false},
		{"off", modes(Off, Rewrite), false},
		{"off, with rules", ruled, true},
		{"rewrite, allowed", allowed(modes(Rewrite, Rewrite)), false},
	} {
		if err := test.p.Allows(Restored); (err != nil) != test.refused {
			t.Errorf("%s: %v", test.name, err)
		}
		f := facts(spec.User{UID: 1000, GID: 1000}).Facts
		f.Act = Restored
		if d := test.p.Decide(&f); d.Refused() != test.refused || test.refused && !strings.Contains(d.Reason, "restore brings back") {
			t.Errorf("%s: %+v", test.name, d)
		}
		for _, act := range []Act{Create, Exec, Start} {
			if err := test.p.Allows(act); err != nil {
				t.Errorf("%s, %d: %v", test.name, act, err)
			}
		}
	}
}

// TestAudited: what a stricter policy that is only audited would do.
func TestAudited(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(p, strict *Policy)
		want   string
	}{
		{"the same", func(_, _ *Policy) {}, ""},
		{"another one", func(_, s *Policy) { s.UID = 7 }, "would run as 7:65532 with the groups [] instead of 65532:65532 with []"},
		{"groups", func(_, s *Policy) { s.ExtraGIDs = []ID{5000} }, "with the groups [5000]"},
		{"refused", func(_, s *Policy) { s.Mode = Refuse }, "would be refused: the container asks for root"},
		{"bounding", func(_, s *Policy) { s.DropBounding = true }, "would have no bounding set"},
		{"user namespaces", func(p, _ *Policy) { p.AllowUserNamespaces = true }, "would make no user namespaces"},
	} {
		p, strict := Default(), Default()
		test.change(p, strict)
		p.Audit = strict
		d := p.decideIn(facts(spec.User{}))
		if d.Mode != Rewrite || d.Audited != test.want && (test.want == "" || !strings.Contains(d.Audited, test.want)) {
			t.Errorf("%s: %q", test.name, d.Audited)
		}
	}
}

// TestAsksForNoMoreThanItNeeds: facts that are expensive to gather are requested only if the decision depends on them.
func TestAsksForNoMoreThanItNeeds(t *testing.T) {
	for _, test := range []struct {
		name   string
		user   spec.User
		change func(*Policy)
		want   decision.Missing
	}{
		{"root", spec.User{}, func(*Policy) {}, decision.Missing{Intended: true, Volumes: true, Prepared: true}},
		{"root, fixed", spec.User{}, func(p *Policy) { p.Sources = []Source{Fixed} }, decision.Missing{}},
		{"root with groups", spec.User{Groups: []uint32{5000}}, func(p *Policy) { p.Sources = []Source{Fixed} }, decision.Missing{HostGroups: true}},
		{"off", spec.User{Groups: []uint32{5000}}, func(p *Policy) { p.Mode = Off }, decision.Missing{}},
		{"somebody", spec.User{UID: 1000, GID: 1000}, func(*Policy) {}, decision.Missing{HostGroups: true}},
		{"people", spec.User{}, func(p *Policy) { p.Sources, p.UsersFile = []Source{Listed, Fixed}, "/users" }, decision.Missing{People: true}},
		{"devices", spec.User{}, func(p *Policy) { p.Sources, p.DeviceGroups = []Source{Fixed}, []string{"/dev/*"} }, decision.Missing{DeviceGroups: true}},
	} {
		p, f := Default(), facts(test.user).Facts
		f.HostGroups, f.Accounts = nil, nil
		f.Origin = pod("team", "web")
		test.change(p)
		if d := p.Decide(&f); d.Missing != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, d.Missing, test.want)
		}
	}
	// If the host's groups are known, a gid that means nothing needs no account of the image.
	f := facts(spec.User{UID: 1000, GID: 1000}).Facts
	f.Accounts = nil
	if d := Default().Decide(&f); d.Missing.Any() {
		t.Errorf("a harmless gid: %+v", d.Missing)
	}
	f.User.GID = 6
	if d := Default().Decide(&f); !d.Missing.Accounts {
		t.Errorf("a privileged gid: %+v", d.Missing)
	}
}

// TestUnseenIsNotAsked: an unread user of a process does not count as its request.
func TestUnseenIsNotAsked(t *testing.T) {
	for _, act := range []Act{Exec, Create} {
		f := facts(spec.User{}).Facts
		f.Act, f.Unfit = act, errors.New("a directory")
		if d := Default().Decide(&f); act == Exec && d.Asked != nil || !d.Refused() {
			t.Errorf("%d: %+v", act, d)
		}
		f.Seen, f.User = true, spec.User{UID: 7}
		for _, d := range []Decision{Default().Decide(&f), Default().Failed(&f, errors.New("x"))} {
			if d.Asked == nil || d.Asked.UID != 7 {
				t.Errorf("%d: %+v", act, d)
			}
		}
	}
}

// TestRestoreIsRefusedInAnyMode: a policy with rules enforces something, so not even a container that one of them only
// audits is restored with root's credentials.
func TestRestoreIsRefusedInAnyMode(t *testing.T) {
	p, err := Parse("p", []byte("[[rule]]\nname = \"r\"\nmatch.engine = [\"docker\"]\nmode = \"audit\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	f := facts(spec.User{}).Facts
	f.Act, f.Origin = Restored, &Origin{Engine: Docker}
	if d := p.Decide(&f); !d.Refused() || d.Reason != hint.Line(errors.New(restoresRoot)) || d.Rule != "" {
		t.Errorf("%+v", d)
	}
	f.Act = Create
	if d := p.Decide(&f); d.Mode != Audit || d.Rule != "r" {
		t.Errorf("%+v", d)
	}
}
