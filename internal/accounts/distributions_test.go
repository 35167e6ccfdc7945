// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDistributions: each file names its source and has only lines in a known form, without duplicates. The counts,
// which change with a file, show that no line was lost.
func TestDistributions(t *testing.T) {
	want := [...]map[string]int{
		{"mark": 1, "account": 18, "daemon": 19, "group": 48},
		{"account": 25, "group": 20},
		{"account": 15, "daemon": 8, "group": 5},
		{"account": 11, "daemon": 4, "group": 6},
		{"account": 7, "daemon": 1, "group": 10},
		{"account": 15},
	}
	files, err := filepath.Glob("distributions/*.txt")
	if err != nil || len(files) != len(distributions()) || len(files) != len(want) {
		t.Fatalf("there are %d files, distributions has %d, and this test %d: %v", len(files), len(distributions()), len(want), err)
	}
	line := regexp.MustCompile(`^(?:(mark|daemon|group) [a-z_][a-z0-9_-]*|(account) [a-z_][a-z0-9_-]* [1-9][0-9]*)$`)
	for i, d := range distributions() {
		if i > 0 && d == distributions()[i-1] {
			t.Errorf("%.30q is there twice", d)
		}
		if !strings.Contains(string(d), "\n# Source: ") {
			t.Errorf("%.30q names no source", d)
		}
		got, seen := map[string]int{}, map[string]bool{}
		for l := range strings.Lines(string(d)) {
			l = strings.TrimSuffix(l, "\n")
			if l == "" || strings.HasPrefix(l, "# ") {
				continue
			}
			m := line.FindStringSubmatch(l)
			if m == nil || seen[l] || !d.has(l) {
				t.Errorf("%.30q: the line %q", d, l)
				continue
			}
			seen[l] = true
			got[m[1]+m[2]]++
		}
		for kind, n := range got {
			if want[i][kind] != n {
				t.Errorf("%.30q has %d lines of %s, want %d", d, n, kind, want[i][kind])
			}
		}
		if len(got) != len(want[i]) {
			t.Errorf("%.30q has %v, want %v", d, got, want[i])
		}
	}
}
