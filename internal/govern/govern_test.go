// SPDX-License-Identifier: Apache-2.0

package govern

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

func TestMain(m *testing.M) { os.Exit(testkit.Private(m)) }

// callFor makes a bundle and a call by the host's root.
func callFor(t *testing.T, text string, edit func(*specs.Spec)) *facts.Call {
	t.Helper()
	s := testkit.Spec()
	if edit != nil {
		edit(s)
	}
	p, err := policy.Parse("p", []byte(text))
	testkit.Must(t, err)
	p.State = filepath.Join(t.TempDir(), "state")
	owners := trusted.CallersOwners(nil)
	dir, err := bundle.Open(testkit.SpecBundle(t, s, "etc/passwd = "+testkit.Root, "etc/group = root:x:0:\n", "bin/sh = #!", "proc/"), owners)
	testkit.Must(t, err)
	t.Cleanup(dir.Close)
	whole := idmap.Map{{Inside: 0, Outside: 0, Size: 1<<32 - 1}}
	return &facts.Call{ID: "c", Caller: facts.Caller{Own: idmap.Pair{UID: whole, GID: whole}, Owners: owners}, Policy: p, Bundle: dir, Runtime: "/usr/sbin/runc"}
}

// TestContainer: the outcome in each mode, and that computing it changes nothing.
func TestContainer(t *testing.T) {
	noMounts := func(s *specs.Spec) { s.Linux.Namespaces = s.Linux.Namespaces[:1] }
	broken := func(s *specs.Spec) { s.Root.Path = "/run/none" }
	for _, test := range []struct {
		name      string
		policy    string
		edit      func(*specs.Spec)
		mode      policy.Mode
		reason    string
		planned   bool
		rewritten bool
	}{
		{"rewrite", "", nil, policy.Rewrite, "", true, true},
		{"refuse", `mode = "refuse"`, nil, policy.Refuse, "asks for root", false, false},
		{"audit", `mode = "audit"`, nil, policy.Audit, "", true, true},
		{"off", "mode = \"off\"\nreason = \"x\"", nil, policy.Off, "x", true, false},
		{"what is refused", "", noMounts, policy.Refuse, "mount namespace", false, false},
		{"what would be refused", `mode = "audit"`, noMounts, policy.Audit, "mount namespace", true, false},
		{"what can't be looked at", "", broken, policy.Refuse, "open the rootfs", false, false},
		{"what can't be looked at, audited", `mode = "audit"`, broken, policy.Audit, "open the rootfs", false, false},
		{"what can't be looked at, off", "mode = \"off\"\nreason = \"x\"", broken, policy.Off, "x", true, false},
		{"no home, where one has to be", "home.mode = \"always\"", func(s *specs.Spec) { s.Root.Readonly = true }, policy.Refuse, "home", false, false},
		{"no home, where one has to be, audited", "mode = \"audit\"\nhome.mode = \"always\"", func(s *specs.Spec) { s.Root.Readonly = true }, policy.Audit, "home", true, false},
		{"refused, with a range", "identity.range = \"100000-100999\"", noMounts, policy.Refuse, "mount namespace", false, false},
		{"with a range", "identity.range = \"100000-100999\"", nil, policy.Rewrite, "", true, true},
	} {
		c := callFor(t, test.policy, test.edit)
		before, err := c.Bundle.Read(bundle.Config)
		testkit.Must(t, err)
		o := Container(c)
		o.Close()
		d := &o.Decision
		if d.Mode != test.mode || !strings.Contains(d.Reason, test.reason) || test.reason == "" && d.Reason != "" {
			t.Errorf("%s: %s for %q, want %s for %q", test.name, d.Mode, d.Reason, test.mode, test.reason)
		}
		if (o.Plan != nil) != test.planned || test.planned && (o.Plan.Parts != nil) != test.rewritten {
			t.Errorf("%s: the plan is %+v", test.name, o.Plan)
		}
		if d.Mode == policy.Refuse && d.Identity != nil || !d.Refused() && (d.Runtime != c.Runtime || d.Version == "") {
			t.Errorf("%s: %+v", test.name, d)
		}
		after, err := c.Bundle.Read(bundle.Config)
		testkit.Must(t, err)
		names, err := os.ReadDir(c.Bundle.Path)
		testkit.Must(t, err)
		if string(before) != string(after) || len(names) != 2 {
			t.Errorf("%s: the bundle has changed: %v", test.name, names)
		}
		if _, err := os.Stat(c.Policy.State); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: ids were taken before it was time: %v", test.name, err)
		}
	}
}

// TestFail: facts found before the failure stay in the decision.
func TestFail(t *testing.T) {
	for text, want := range map[string]policy.Mode{"": policy.Refuse, `mode = "audit"`: policy.Audit} {
		o := Container(callFor(t, text, func(s *specs.Spec) { s.Process.User = specs.User{UID: 5, GID: 5} }))
		o.Decision.Notes = []string{"a note"}
		o.Fail(errors.New("no space"))
		o.Close()
		d := &o.Decision
		if d.Mode != want || d.Reason != "no space" || d.Identity != nil || d.Asked == nil || d.Asked.UID != 5 || len(d.Notes) != 1 || o.Plan != nil || d.Runtime == "" {
			t.Errorf("%q: %+v", text, d)
		}
	}
}
