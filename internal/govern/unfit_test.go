// SPDX-License-Identifier: Apache-2.0

package govern_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/govern"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// TestUnfitCallsAreNotExemptByARule: a fault of the call is found before anything is known of its container, so no rule
// and no builder's path can exempt it. Only a policy that exempts all containers does.
func TestUnfitCallsAreNotExemptByARule(t *testing.T) {
	dir := testkit.SpecBundle(t, testkit.Spec())
	exempt := "mode = \"off\"\nreason = \"x\"\n"
	for text, want := range map[string]string{
		"[[rule]]\nname = \"r\"\nmatch.root = [\"/run/x*\"]\n" + exempt:          "refuse",
		"[[rule]]\nname = \"r\"\nmatch.root = [\"/run/x*\"]\nmode = \"audit\"\n": "refuse",
		"[build]\n" + exempt + "bundles = [\"" + filepath.Dir(dir) + "\"]\n":     "refuse",
		exempt: "off",
		exempt + "[[rule]]\nname = \"r\"\nmatch.root = [\"/run/y\"]\nmode = \"rewrite\"\n": "refuse",
		"mode = \"audit\"\n": "audit",
		"":                   "refuse",
	} {
		p, err := policy.Parse("p", []byte(text))
		testkit.Must(t, err)
		b, err := bundle.Open(dir, trusted.CallersOwners(nil))
		testkit.Must(t, err)
		o := govern.Container(&facts.Call{ID: "c", Policy: p, Root: "/run/xy", Bundle: b, Unfit: errors.New("a directory")})
		if string(o.Decision.Mode) != want || o.Plan != nil || want != "off" && !strings.Contains(o.Decision.Reason, "a directory") {
			t.Errorf("%s: %+v, planned %v, want %s", text, o.Decision, o.Plan != nil, want)
		}
		o.Close()
		b.Close()
	}
}
