// SPDX-License-Identifier: Apache-2.0

package check

import (
	"encoding/json"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/nonroot-runc/nonroot-runc/internal/compose"
	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
)

// TestServiceCorpus compares results for Compose files that are easy to misread with hack/images, which computes each container's user and
// what it can't do.
func TestServiceCorpus(t *testing.T) {
	all, err := txtar.ParseFile("testdata/services.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range all.Files {
		files[f.Name] = f.Data
	}
	var images map[string]struct{ User string }
	var secrets map[string][3]uint32
	var answers map[string]map[string]struct {
		Verdict                           Verdict
		RootGroup, RootHook, ClosedSecret bool
		SharesWith                        []string
	}
	text, err := os.ReadFile("testdata/services.json")
	if err != nil {
		t.Fatal(err)
	}
	for to, text := range map[any][]byte{&images: files["images.json"], &secrets: files["secrets.json"], &answers: text} {
		if err := json.Unmarshal(text, to); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{Build: dockerfile.Options{Base: func(name string) (dockerfile.Base, bool) {
		image, ok := images[name]
		return dockerfile.Base{User: image.User, Source: "the corpus"}, ok
	}}}
	c := ComposeOptions{Dir: t.TempDir(), Environment: map[string]string{"UID_OF_APP": "7"}}
	c.File = func(name string) (FileOwner, bool) {
		s, ok := secrets[path.Base(name)]
		return FileOwner{s[0], s[1], s[2]}, ok
	}
	c.Dockerfile = func(b *compose.Build) ([]byte, error) {
		text, ok := files["build/"+path.Base(b.Context)+"/"+path.Base(b.Dockerfile)]
		if !ok {
			return nil, os.ErrNotExist
		}
		return text, nil
	}
	n := 0
	for _, f := range all.Files {
		name, ok := strings.CutSuffix(f.Name, ".yaml")
		if !ok {
			continue
		}
		n++
		want, ok := answers[name]
		if !ok {
			t.Errorf("%s has no answer: run hack/images", name)
		}
		got := Compose("compose.yaml", f.Data, o, c)
		if len(want) == 0 { // Compose refuses it
			if len(got) != 1 || got[0].Verdict != Invalid {
				t.Errorf("%s: %+v", name, got)
			}
			continue
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d containers, want %d", name, len(got), len(want))
		}
		for _, r := range got {
			a, ok := want[r.Object]
			ids := idsOf(r)
			found := func(k kind) bool { return slices.Contains(ids, k.ID) }
			if !ok || r.Verdict != a.Verdict || found(serviceRootGroup) != a.RootGroup || found(hookRoot) != a.RootHook || found(closedServiceSecret) != a.ClosedSecret || found(sharedVolume) != (len(a.SharesWith) > 0) {
				t.Errorf("%s, %s: %s %q, want %+v", name, r.Object, r.Verdict, ids, a)
			}
		}
	}
	if n < 20 {
		t.Errorf("there are only %d files", n)
	}
}
