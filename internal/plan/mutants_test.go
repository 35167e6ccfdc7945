// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// These tests cover edge cases, each part of a condition by itself, so that `make mutants` finds no survivors.

// TestBinds: a mount shows files from elsewhere by its type or by either option.
func TestBinds(t *testing.T) {
	for _, test := range []struct {
		mount spec.Mount
		want  bool
	}{
		{spec.Mount{Type: "bind"}, true},
		{spec.Mount{Type: "none", Options: []string{"ro", "bind"}}, true},
		{spec.Mount{Options: []string{"rbind"}}, true},
		{spec.Mount{Type: "tmpfs", Options: []string{"ro"}}, false},
	} {
		if got := test.mount.Binds(); got != test.want {
			t.Errorf("%+v: %v", test.mount, got)
		}
	}
}

// TestOursAreKnown by their sources: both copies of names, of this bundle only.
func TestOursAreKnown(t *testing.T) {
	isOurs := Ours("/b")
	for source, want := range map[string]bool{
		"/b/" + record.Passwd: true, "/b/" + record.Group: true, "/b/config.json": false, "/c/" + record.Passwd: false,
	} {
		if got := isOurs(spec.Mount{Type: "bind", Source: source, Destination: "/etc/passwd"}); got != want {
			t.Errorf("%s: %v", source, got)
		}
	}
}

// TestOwnersThatAreNobody: an id on disk that is not mapped belongs to no user of the container, and a file of root's
// to no account of the image.
func TestOwnersThatAreNobody(t *testing.T) {
	few := &idmap.Pair{UID: idmap.Map{{Inside: 1, Outside: 100001, Size: 10}}}
	for name, o := range map[string]Owners{
		"reserved": {Map: few, Asked: 5, Reserved: policy.Ranges{{First: 0, Last: 5000}}},
		"assigned": {Map: few, Asked: 5, Policy: []uint32{0}},
	} {
		if o.MayChown(7) || o.MayChownVolume(7) || o.IsRoot(7) {
			t.Errorf("%s: an owner that is not mapped is somebody", name)
		}
	}
	o := Owners{Asked: 5, Accounts: uidsOf(t, "root:x:0:0::/root:/bin/sh\n")}
	if o.MayChown(0) {
		t.Error("root's files are given, although root was not asked for")
	}
}

// TestAuditKeepsTheFirstReason: a failure to write config.json does not hide why the container would be refused.
func TestAuditKeepsTheFirstReason(t *testing.T) {
	in := input(t, nil)
	in.Decision.Mode, in.Decision.Reason, in.Decision.Identity.UID = decision.Audit, "the first", 0
	p, err := Make(in)
	if err != nil || p.Decision.Reason != "the first" {
		t.Errorf("%+v, %v", p.Decision, err)
	}
}

// TestBoundingThatCantBeRead fails the plan: a start is checked against what the record says of the bounding set.
func TestBoundingThatCantBeRead(t *testing.T) {
	in := input(t, nil)
	config := strings.Replace(string(in.Config), `"bounding":["CAP_CHOWN"]`, `"bounding":"CAP_CHOWN"`, 1)
	if config == string(in.Config) {
		t.Fatal("the document has no bounding set")
	}
	doc, err := spec.ParseConfig([]byte(config))
	if err == nil {
		in.Document = doc
		_, err = Make(in)
	}
	if err == nil || strings.Contains(err.Error(), "rewrite") {
		t.Errorf("a bounding set that is a string: %v", err)
	}
}

// TestNamesOfAProcess: a uid without a name in the container's passwd gets neither a name nor a home.
func TestNamesOfAProcess(t *testing.T) {
	f := &policy.Facts{
		Accounts: &accounts.Files{Passwd: []byte(":x:7:7::/nameless:/bin/sh\napp:x:8:8::/srv/app:/bin/sh\n")},
	}
	for uid, want := range map[uint32]string{7: ":/", 8: "app:/srv/app", 9: ":/"} {
		if name, home := nameAndHome(f, uid); name+":"+home != want {
			t.Errorf("%d: %s:%s, want %s", uid, name, home, want)
		}
	}
}

// TestMakeWithoutAHome plans only the record of a decision.
func TestMakeWithoutAHome(t *testing.T) {
	in := input(t, func(s *specs.Spec) { s.Hostname = "x" })
	in.Home = nil
	p, err := Make(in)
	testkit.Must(t, err)
	if p.Parts != nil || p.Rewritten() != nil || p.Give != nil {
		t.Errorf("%+v", p)
	}
}

// TestOwnersThatThePolicyGave: uids and gids that the policy assigns now, or assigned by its general part, by default,
// or at the last start.
func TestOwnersThatThePolicyGave(t *testing.T) {
	general, rule := policy.Default(), policy.Default()
	general.UID, general.GID, rule.UID, rule.GID = 3000, 3100, 3001, 3101
	rule.Reserved = policy.Ranges{{First: 5000, Last: 5999}}
	of := FileOwners(general, rule, 0, &policy.Identity{UID: 3002, GID: 3102}, nil, nil)
	for gid, want := range map[uint32]bool{0: true, 3100: true, 3101: true, 3102: true, 3103: false, 3000: false, policy.DefaultID: true, 5005: true} {
		if of.MayChangeGroup(gid) != want {
			t.Errorf("the group %d gives way: %t", gid, !want)
		}
	}
	for uid, want := range map[uint32]bool{0: true, 3000: true, 3001: true, 3002: false, 5005: false, 7: false} {
		if of.IsNew(uid) != want {
			t.Errorf("an empty volume of uid %d is nobody's: %t", uid, !want)
		}
	}
	g := &Give{Owners: of}
	for uid, want := range map[uint32]bool{0: true, 1500: false, 5005: false} {
		if g.OfVolume(uid) != want {
			t.Errorf("what uid %d has in a volume becomes the identity's: %t", uid, !want)
		}
	}
	if g.EmptyOnly = true; g.OfVolume(0) {
		t.Error("a volume in which root has written is given to a uid that is kept")
	}
}

// TestAuditLooks at what would change owner only if the container would not be refused.
func TestAuditLooks(t *testing.T) {
	for reason, want := range map[string]bool{"": true, "it would be refused": false} {
		in := input(t, nil)
		in.Decision.Mode, in.Decision.Reason, in.Watched = decision.Audit, reason, &Give{}
		p, err := Make(in)
		if err != nil || (p.Watched == in.Watched) != want || p.Give != nil {
			t.Errorf("%q: %+v, %v", reason, p, err)
		}
	}
}
