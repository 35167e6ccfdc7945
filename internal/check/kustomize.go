// SPDX-License-Identifier: Apache-2.0

package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/manifest"
	"github.com/nonroot-runc/nonroot-runc/internal/unread"
)

// maxPatchFindings limits what is said of a file's patches. A file can have a hundred thousand.
const maxPatchFindings = 1000

// Patch checks a patch of a Kustomization, or the Kustomization with patches in it. A patch has no containers of its own: only kustomize knows
// what it makes of those of other files. But it may ask for root, or take away what rules root out.
func Patch(file string, text []byte) Result {
	in := &source{file: file, lines: strings.Split(string(text), "\n")}
	r := Result{File: file, Verdict: Nothing, Findings: []Finding{}}
	patches := []manifest.Patch{{Text: string(text)}}
	if manifest.IsKustomization(file) {
		patches = slices.DeleteFunc(manifest.Patches(text), func(p manifest.Patch) bool { return p.File != "" })
	}
	r.weakened(in, patches)
	r.Steps = []Step{{Text: "it is a patch, which kustomize merges into other files"}}
	r.ignoring(inLines(in.lines), in)
	return r
}

// weakened adds findings about patches.
func (r *Result) weakened(in *source, patches []manifest.Patch) {
	for _, p := range patches {
		found, err := manifest.Weakens(p.Text)
		if err != nil {
			r.Verdict = Invalid
			line := 0
			var e *unread.Error
			if errors.As(err, &e) && e.Line > 0 {
				line = p.Line + e.Line
			}
			r.Findings = append(r.Findings, in.finding(unreadable, line, "", fmt.Sprintf("it can't be read: %v", err)))
			continue
		}
		for _, one := range found {
			k := podUnknown
			if one.Root {
				k = podRoot
			}
			if len(r.Findings) >= maxPatchFindings && (!one.Root || r.Verdict == Root) {
				continue
			}
			f := in.finding(k, p.Line+one.Line, one.Word, one.Why)
			f.Do = "check what comes of it: kustomize build DIRECTORY | nonroot-ctl check -"
			r.Findings = append(r.Findings, f)
			switch {
			case one.Root && (r.Verdict == Nothing || r.Verdict == Unknown):
				r.Verdict = Root
			case r.Verdict == Nothing:
				r.Verdict = Unknown
			}
		}
	}
}
