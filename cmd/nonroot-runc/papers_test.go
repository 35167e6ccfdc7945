// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
)

// These tests keep the man page and SECURITY.md true.

func TestManPageNamesEverything(t *testing.T) {
	page := strings.NewReplacer(`\-`, "-", `\(dq`, `"`, `\(aq`, "'").Replace(paper(t, "docs/man/nonroot-runc.8"))
	want := []string{
		policy.DefaultFile, policy.ProfileFile("NAME"), record.File, record.Passwd, record.Group, record.Before,
		guard, "LISTEN_FDS", "LISTEN_PID", policy.RequestVariable,
	}
	table := paper(t, "internal/runcargs/table.go")
	want = append(want, found(t, table, `\{"([a-z-]+)", "", text, own,`, "--", 2)...)
	want = append(want, found(t, table, `\{"?(?:Verb)?([A-Za-z]+)"?, in[A-Z][a-z]+, (?:Govern|Gate|Passthrough),`, "", 10)...)
	for i := range decision.Members {
		if name := decision.Members[i].Name(decision.Record); name != "" {
			want = append(want, ".B "+name)
		}
	}
	for _, w := range want {
		if !regexp.MustCompile(`(?m)(^|[^A-Za-z])` + regexp.QuoteMeta(w) + `($|[^A-Za-z_])`).MatchString(page) {
			t.Errorf("the man page does not name %q", w)
		}
	}
}

// found returns a pattern's matches in a source, in lower case, and fails if there are fewer than expected.
func found(t *testing.T, source, pattern, prefix string, atLeast int) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(source, -1) {
		all = append(all, prefix+strings.ToLower(m[1]))
	}
	if len(all) < atLeast {
		t.Fatalf("%q finds only %q", pattern, all)
	}
	return all
}

// TestThreatTable compares SECURITY.md's table with the tests: each id has one row, a file of test/bats that a row
// names has a test of that id, and each such test has a row. For test/bats/engines and test/bats/kubernetes, where many
// ids are tested again, only the rows are checked.
func TestThreatTable(t *testing.T) {
	rows := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([A-H][0-9]+) \|.*\| (.*) \|$`).FindAllStringSubmatch(paper(t, "SECURITY.md"), -1) {
		if _, twice := rows[m[1]]; twice {
			t.Errorf("%s has two rows", m[1])
		}
		rows[m[1]] = m[2]
	}
	for section, last := range map[string]int{"A": 13, "B": 13, "C": 14, "D": 11, "E": 13, "F": 15} {
		for i := 1; i <= last; i++ {
			if id := section + strconv.Itoa(i); rows[id] == "" {
				t.Errorf("%s has no row", id)
			}
		}
	}
	named := map[string][]string{}
	for id, state := range rows {
		named[id] = regexp.MustCompile(`((engines|kubernetes)/)?[a-z-]+\.bats`).FindAllString(state, -1)
	}
	for dir, least := range map[string]int{"": 5, "engines/": 5, "kubernetes/": 1} {
		files, err := filepath.Glob("../../test/bats/" + dir + "*.bats")
		if err != nil || len(files) < least {
			t.Fatalf("%q, %v; want the tests", files, err)
		}
		for _, f := range files {
			name := dir + filepath.Base(f)
			tests := paper(t, "test/bats/"+name)
			for id, state := range rows {
				tested := regexp.MustCompile(`(?m)^@test ".*\b` + id + `\b.*:`).MatchString(tests)
				if says := slices.Contains(named[id], name); says && !tested || tested && !says && dir == "" {
					t.Errorf("%s: SECURITY.md says %q; that %s has a test of it is %v", id, state, name, tested)
				}
				named[id] = slices.DeleteFunc(named[id], func(n string) bool { return n == name })
			}
		}
	}
	for id, names := range named {
		if len(names) > 0 {
			t.Errorf("%s: SECURITY.md names %q, which are not there", id, names)
		}
	}
}

// paper reads a file of the repository.
func paper(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
