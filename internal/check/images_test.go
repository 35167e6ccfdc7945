// SPDX-License-Identifier: Apache-2.0

package check

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestImageCorpus compares results for images that are easy to misread with hack/images, which computes the user that engines start and
// what it can't do. The test writes the archives for it to the directory in NONROOT_IMAGES.
func TestImageCorpus(t *testing.T) {
	all, err := txtar.ParseFile("testdata/images.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("NONROOT_IMAGES"); dir != "" {
		for _, f := range all.Files {
			if err := os.WriteFile(filepath.Join(dir, f.Name+".tar"), archiveOf(t, strings.Split(string(f.Data), "\n")), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	var answers map[string]struct {
		Docker, Containerd                string
		RootGroup                         bool
		Program                           string
		SetID, Caps, Directories, Volumes []string
	}
	text, err := os.ReadFile("testdata/images.json")
	if err == nil {
		err = json.Unmarshal(text, &answers)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(all.Files) < 25 || len(answers) != len(all.Files) {
		t.Errorf("%d images, %d answers: run hack/images", len(all.Files), len(answers))
	}
	for _, f := range all.Files {
		a, ok := answers[f.Name]
		if !ok {
			t.Errorf("%s has no answer: run hack/images", f.Name)
			continue
		}
		r := described(t, strings.Split(string(f.Data), "\n"))
		want := NonRoot
		switch {
		case strings.HasPrefix(a.Docker, "0:") || strings.HasPrefix(a.Containerd, "0:"):
			want = Root
		case a.Docker == "never" && a.Containerd == "never":
			want = Never
		}
		if r.Verdict != want {
			t.Errorf("%s: %s, and engines start %s and %s", f.Name, r.Verdict, a.Docker, a.Containerd)
		}
		ids := idsOf(r)
		if slices.Contains(ids, readersDiffer.ID) != (a.Docker != a.Containerd) || slices.Contains(ids, rootGroup.ID) != a.RootGroup {
			t.Errorf("%s: %q, and engines start %s and %s", f.Name, ids, a.Docker, a.Containerd)
		}
		for k, named := range map[kind][]string{
			setuidThere:     a.SetID,
			capsThere:       a.Caps,
			closedProg:      strings.Fields(a.Program),
			closedDirectory: a.Directories,
			volumeOfRoot:    a.Volumes,
		} {
			is := slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.ID == k.ID })
			if is != (len(named) > 0) {
				t.Errorf("%s: %s is found: %t, want %q: %+v", f.Name, k.ID, is, named, r.Findings)
			}
			for _, name := range named {
				if !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.ID == k.ID && strings.Contains(f.Why, name) }) {
					t.Errorf("%s: %s does not name %s: %+v", f.Name, k.ID, name, r.Findings)
				}
			}
		}
	}
}
