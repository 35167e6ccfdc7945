// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// Ignored is a finding that somebody has looked at, and decided to live with.
type Ignored struct {
	Finding
	Reason string `json:"reason"`
	By     string `json:"by"` // comment, or baseline
}

// By whom a finding is ignored.
const (
	ByComment  = "comment"
	ByBaseline = "baseline"
)

// ignore is a comment of the form "nonroot-ctl: ignore ID[,ID...] REASON", and the lines that it is about.
type ignore struct {
	line, first, last int
	ids               []string
	reason            string
	used              bool
}

var wholeLine = regexp.MustCompile(`^\s*#\s*nonroot-ctl:\s*ignore\b[ \t]*(\S*)[ \t]*(.*?)\s*$`)

// inDockerfile finds the comments of a Dockerfile. One is about the instruction below it, or in which it stands.
func inDockerfile(lines []string, spans []dockerfile.Span) (all []ignore) {
	for n, text := range lines {
		m := wholeLine.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		line := n + 1
		at := slices.IndexFunc(spans, func(s dockerfile.Span) bool { return s.Last >= line })
		if at < 0 || spans[at].First <= line && spans[at].Heredoc {
			continue
		}
		all = append(all, ignore{line: line, first: spans[at].First, last: spans[at].Last, ids: strings.Split(m[1], ","), reason: m[2]})
	}
	return all
}

// never are findings that no comment takes away: they say that nothing else could be said, or are about comments.
var never = []kind{unreadable, ignoreUnclear, ignoreUnused}

// ignoring moves what comments ignore out of the findings, and says which comments do nothing.
func (r *Result) ignoring(all []ignore, in *source) {
	for n := range all {
		i := &all[n]
		for _, id := range i.ids {
			k := slices.IndexFunc(kinds, func(k kind) bool { return k.ID == id })
			switch {
			case k < 0 || slices.Contains(never, kinds[k]):
				r.Findings = append(r.Findings, in.finding(ignoreUnclear, i.line, id, fmt.Sprintf("%s is not an id of a finding that can be ignored", quote.Value(id))))
				i.used = true
			case i.reason == "":
				r.Findings = append(r.Findings, in.finding(ignoreUnclear, i.line, id, "it has no reason, and ignores nothing"))
				i.used = true
			default:
				r.Findings = slices.DeleteFunc(r.Findings, func(f Finding) bool {
					taken := f.ID == id && f.Line >= i.first && f.Line <= i.last
					if taken {
						i.used = true
						r.Ignored = append(r.Ignored, Ignored{f, i.reason, ByComment})
					}
					return taken
				})
			}
		}
		if !i.used {
			r.Findings = append(r.Findings, in.finding(ignoreUnused, i.line, strings.Join(i.ids, ","), "nothing of that is found where it stands"))
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return a.Line - b.Line })
}
