// SPDX-License-Identifier: Apache-2.0

package meaning

import (
	"strings"
	"testing"
)

// TestRows: every row of the page has an id, and no id is used twice.
func TestRows(t *testing.T) {
	rows := Rows()
	if len(rows) < 100 {
		t.Fatalf("only %d rows", len(rows))
	}
	seen := map[string]bool{}
	for _, r := range rows {
		if seen[r.ID] {
			t.Errorf("the id %s is used twice", r.ID)
		}
		seen[r.ID] = true
		if got, ok := ByID(strings.ToLower(r.ID)); !ok || got.Means != r.Means {
			t.Errorf("%s: %q, %v", r.ID, got.Means, ok)
		}
	}
	if r, ok := ByID("T0"); ok {
		t.Errorf("T0: %+v", r)
	}
}

// TestPlain: what a terminal shows has no Markdown.
func TestPlain(t *testing.T) {
	if got, want := Plain("run `a b`, see ([x y](engines.md#z))"), "run a b, see (docs/engines.md#z)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, r := range Rows() {
		if text := Plain(r.Means + " " + r.Do); strings.ContainsAny(text, "`*") || strings.Contains(text, "](") {
			t.Errorf("%s: %q", r.ID, text)
		}
	}
}

// TestOf: a message has the row with its most specific words, with its values and with the hint in the next line.
func TestOf(t *testing.T) {
	for message, means := range map[string]string{
		`nonroot-runc: container "c": mounts[3] leads to the engine's socket "/run/docker.sock"` + "\nhint: leave it out":     "whoever opens it is root on the host",
		`the volume "/var/lib/docker/volumes/db/_data" still belongs to root, which has written to it; hint: nonroot-ctl ...`: "an old volume, whose files are root's",
		`process.user.additionalGids has 70000 groups; the kernel takes 65536`:                                                "the process has too many groups",
		`the program "/start" needs root, which only root can; hint: see its documentation`:                                   "the program's purpose needs root",
	} {
		if r, ok := Of(message); !ok || r.Means != means {
			t.Errorf("%q: %+v, %v; want %q", message, r, ok, means)
		}
	}
	if r, ok := Of("all is well"); ok {
		t.Errorf("%+v", r)
	}
}
