// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"slices"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// TestAnswer: the first line states what is true, not what the policy would prefer.
func TestAnswer(t *testing.T) {
	root, alice := &Asked{}, &Asked{Identity: Identity{UID: 1000, GID: 1000}}
	inside := &Asked{mapped: true}
	nobody, same := &policy.Identity{UID: 65532, GID: 65532}, &policy.Identity{UID: 1000, GID: 1000}
	for _, c := range []struct {
		when       string
		ungoverned bool
		asked      *Asked
		d          decision.Decision
		want       string
	}{
		{Before, false, root, decision.Decision{Mode: decision.Rewrite, Identity: nobody}, "it would run as 65532:65532 in place of root (0:0)"},
		{After, false, root, decision.Decision{Mode: decision.Rewrite, Identity: nobody}, "it runs as 65532:65532 in place of root (0:0)"},
		{After, false, alice, decision.Decision{Mode: decision.Rewrite, Identity: same}, "it runs as 1000:1000, as it asks"},
		{Before, false, inside, decision.Decision{Mode: decision.Rewrite, Identity: nobody}, "it would run as 65532:65532 in place of root of its user namespace (0:0)"},
		{Before, true, root, decision.Decision{Mode: decision.Rewrite, Identity: nobody}, "NOT governed, it runs as root (0:0); created by nonroot-runc it would run as 65532:65532 in place of root (0:0)"},
		{Before, true, root, decision.Decision{Mode: decision.Refuse, Reason: "x"}, "NOT governed, it runs as root (0:0); created by nonroot-runc it would be refused: x"},
		{Before, false, nil, decision.Decision{Mode: decision.Refuse, Reason: "x"}, "it would be refused: x"},
		{Before, false, root, decision.Decision{Mode: decision.Audit, Identity: nobody}, "it would be left as it is (mode audit), as root (0:0); enforced, it would run as 65532:65532 in place of root (0:0)"},
		{After, false, root, decision.Decision{Mode: decision.Audit, Identity: nobody}, "left as it is (mode audit), it runs as root (0:0); enforced, it would run as 65532:65532 in place of root (0:0)"},
		{After, false, alice, decision.Decision{Mode: decision.Audit, Identity: same}, "left as it is (mode audit), it runs as 1000:1000; enforced, it would run as 1000:1000, as it asks"},
		{After, false, root, decision.Decision{Mode: decision.Audit, Identity: nobody, Reason: "x"}, "left as it is (mode audit), it runs as root (0:0); enforced, it would be refused: x"},
		{After, false, root, decision.Decision{Mode: decision.Off, Reason: "x"}, "left as it is (mode off), it runs as root (0:0)"},
	} {
		r := &Report{When: c.when, Asked: c.asked, Decided: Decided{c.d}, ungoverned: c.ungoverned}
		if got := r.answer(); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}

// TestRefused: the reported reason is that of the refusal, not the missing rootfs.
func TestRefused(t *testing.T) {
	r := &Report{When: Before, Decided: Decided{decision.Decision{Mode: decision.Refuse, Reason: "open the rootfs"}}}
	r.Refused(time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC), "it asks for root")
	if r.Answer != "it was refused at 2024-01-02T03:04:05Z: it asks for root" || r.Decided.Reason != "it asks for root" {
		t.Errorf("%+v", r)
	}
}

// TestWorst: each kind has a rank, and what keeps a container from starting comes first.
func TestWorst(t *testing.T) {
	all := []Problem{{Kind: "setuid", Where: "/usr/bin/su"}, {Kind: "home"}, {Kind: "volume"}, {Kind: "entrypoint"}}
	slices.SortStableFunc(all, rank)
	if all[0].Kind != "entrypoint" || all[1].Kind != "volume" || all[3].Kind != "setuid" {
		t.Errorf("%+v", all)
	}
	if !all[3].Usual() || (Problem{Kind: "setuid", Where: "/usr/bin/sudo"}).Usual() || (Problem{Kind: "volume", Where: "/su"}).Usual() {
		t.Error("what is usual")
	}
}
