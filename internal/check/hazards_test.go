// SPDX-License-Identifier: Apache-2.0

package check

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
)

// TestHazards: each hazard is reported, and its clean twin is not.
func TestHazards(t *testing.T) {
	all, err := txtar.ParseFile("testdata/hazards.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range all.Files {
		files[f.Name] = string(f.Data)
	}
	o := Options{Build: dockerfile.Options{Base: Bases(nil)}, Context: func(name string) (string, bool) {
		text, ok := files["context/"+path.Clean(name)]
		return text, ok
	}}
	hazards := 0
	for _, f := range all.Files {
		name, bad := strings.CutSuffix(f.Name, ".bad")
		if !bad {
			continue
		}
		hazards++
		id := path.Dir(name)
		r := Dockerfile("Dockerfile", f.Data, o)
		at := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.ID == id })
		if at < 0 || slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.ID != id || f.Line == 0 }) {
			t.Errorf("%s: %+v", name, r.Findings)
		}
		good, ok := files[name+".good"]
		if !ok {
			t.Errorf("%s has no clean twin", name)
		}
		if r := Dockerfile("Dockerfile", []byte(good), o); len(r.Findings) > 0 || r.Verdict != NonRoot {
			t.Errorf("%s.good: %s, %+v", name, r.Verdict, r.Findings)
		}
	}
	if hazards < 36 {
		t.Errorf("there are %d hazards", hazards)
	}
}
