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

// Ignored is a finding that a comment or a baseline accepts.
type Ignored struct {
	Finding
	Reason string `json:"reason"`
	By     string `json:"by"` // comment, or baseline
}

// What a finding is ignored by.
const (
	ByComment  = "comment"
	ByBaseline = "baseline"
)

// ignore is a comment of the form "nonroot-ctl: ignore ID[,ID...] REASON". It applies to the lines from first to last.
type ignore struct {
	line, first, last int
	ids               []string
	reason            string
	used              bool
}

var (
	wholeLine = regexp.MustCompile(`^\s*#\s*nonroot-ctl:\s*ignore\b[ \t]*(\S*)[ \t]*(.*?)\s*$`)
	lineEnd   = regexp.MustCompile(`\s#\s*nonroot-ctl:\s*ignore\b[ \t]*(\S*)[ \t]*(.*?)\s*$`)
)

// inDockerfile finds the comments in a Dockerfile. A comment applies to the instruction below it, or to the one that it is in.
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

// inLines finds the comments in a file that is read line by line. A comment at the end of a line applies to that line, and one on a line of
// its own to the next line that is no comment.
func inLines(lines []string) (all []ignore) {
	for n, text := range lines {
		i := ignore{line: n + 1, first: n + 1}
		m := wholeLine.FindStringSubmatch(text)
		if m != nil {
			for i.first++; i.first <= len(lines) && (strings.TrimSpace(lines[i.first-1]) == "" || strings.HasPrefix(strings.TrimSpace(lines[i.first-1]), "#")); i.first++ {
			}
		} else if m = lineEnd.FindStringSubmatch(text); m == nil {
			continue
		}
		i.last, i.ids, i.reason = i.first, strings.Split(m[1], ","), m[2]
		all = append(all, i)
	}
	return all
}

// never lists findings that no comment can ignore: they are about comments, or report that nothing could be checked.
var never = []kind{unreadable, ignoreUnclear, ignoreUnused}

// ignoring moves the findings that comments ignore, and reports comments without effect.
func (r *Result) ignoring(all []ignore, in *source) {
	for n := range all {
		r.ignore(&all[n], in)
		if !all[n].used {
			r.Findings = append(r.Findings, all[n].unused(in))
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return a.Line - b.Line })
}

// bad reports whether a comment has no effect because of its own mistakes.
func (i *ignore) bad() bool {
	return i.reason == "" || slices.ContainsFunc(i.ids, func(id string) bool { return !canIgnore(id) })
}

func canIgnore(id string) bool {
	k := slices.IndexFunc(kinds, func(k kind) bool { return k.ID == id })
	return k >= 0 && !slices.Contains(never, kinds[k])
}

func (i *ignore) unused(in *source) Finding {
	return in.finding(ignoreUnused, i.line, strings.Join(i.ids, ","), "nothing of that is found where it stands")
}

// ignore moves the findings that one comment ignores.
func (r *Result) ignore(i *ignore, in *source) {
	for _, id := range i.ids {
		switch {
		case !canIgnore(id):
			r.Findings = append(r.Findings, in.finding(ignoreUnclear, i.line, id, fmt.Sprintf("%s is not an id of a finding that can be ignored", quote.Value(id))))
			i.used = true
		case i.reason == "":
			r.Findings = append(r.Findings, in.finding(ignoreUnclear, i.line, id, "it has no reason, and ignores nothing"))
			i.used = true
		default:
			r.Findings = slices.DeleteFunc(r.Findings, func(f Finding) bool {
				taken := f.ID == id && f.File == in.file && f.Line >= i.first && f.Line <= i.last
				if taken {
					i.used = true
					r.Ignored = append(r.Ignored, Ignored{f, i.reason, ByComment})
				}
				return taken
			})
		}
	}
}
