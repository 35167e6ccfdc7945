// SPDX-License-Identifier: Apache-2.0

package check

import (
	"bytes"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/explain"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// Bundle checks a bundle of the OCI runtime specification. The verdict, the policy's effect and the problems are those of explain's report,
// which the runtime's own decision and plan make. config is the config.json of the report; it only serves to find the lines.
func Bundle(directory string, config []byte, report *explain.Report) Result {
	r := Result{File: filepath.Join(directory, bundle.Config), Findings: []Finding{}}
	b := &box{in: &source{file: r.File, lines: strings.Split(string(config), "\n")}, config: config, at: index(config), report: report, result: &r}
	d := report.Decided
	if report.Asked == nil {
		r.Verdict = Invalid
		r.Findings = append(r.Findings, Unread(r.File, fmt.Errorf("%s", d.Reason)).Findings...)
		return r
	}
	b.who()
	b.policy()
	r.Given = report.Given
	for _, p := range report.Problems {
		b.problem(p)
	}
	b.setuid()
	for _, note := range report.Notes {
		r.Steps = append(r.Steps, Step{Text: note})
	}
	slices.SortStableFunc(r.Findings, func(x, y Finding) int { return x.Line - y.Line })
	return r
}

// box is a bundle that the rules look at.
type box struct {
	in     *source
	config []byte
	at     map[string][2]int // offsets of its values, by JSON pointer
	report *explain.Report
	result *Result
}

// maxSource is the longest line that is shown, in bytes. Many engines write config.json as one line, and many tools do so with manifests.
const maxSource = 400

// found adds a finding at a value of config.json, which a JSON pointer (RFC 6901) names; "": at no value.
func (b *box) found(k kind, pointer, object, format string, args ...any) {
	f := Finding{ID: k.ID, Severity: k.Severity, File: b.in.file, Object: object, Why: fmt.Sprintf(format, args...), Do: k.Do}
	if first, last, ok := b.place(pointer); ok {
		f.Line = bytes.Count(b.config[:first], []byte("\n")) + 1
		begin := bytes.LastIndexByte(b.config[:first], '\n') + 1
		if line := strings.TrimRight(b.in.lines[f.Line-1], "\r"); len(line) <= maxSource {
			f.Source, f.Column = line, first-begin+1
			f.Length = min(last, begin+len(line)) - first
		}
	}
	b.result.Findings = append(b.result.Findings, f)
}

// maxDeep is the depth to which values are indexed: /process/user/additionalGids/0.
const maxDeep = 4

// index returns the offsets of a document's values, by JSON pointer.
func index(config []byte) map[string][2]int {
	all := map[string][2]int{}
	in := jsontext.NewDecoder(bytes.NewReader(config))
	for {
		before := int(in.InputOffset())
		token, err := in.ReadToken()
		if err != nil {
			return all
		}
		depth := in.StackDepth()
		if kind := token.Kind(); kind == '}' || kind == ']' {
			continue
		} else if kind == '{' || kind == '[' {
			depth--
		}
		if depth > maxDeep {
			continue
		}
		last := int(in.InputOffset())
		first := before + bytes.IndexFunc(config[before:last], func(r rune) bool { return !strings.ContainsRune(" \t\r\n,:", r) })
		all[string(in.StackPointer())] = [2]int{first, last} // a name has the same pointer as its value, which follows and replaces it
	}
}

// place returns the offsets of a value.
func (b *box) place(pointer string) (first, last int, ok bool) {
	at, ok := b.at[pointer]
	return at[0], at[1], ok && pointer != ""
}

// who checks the user in config.json, or the current one if the container already exists.
func (b *box) who() {
	a, d := b.report.Asked, b.report.Decided
	uid, gid, groups := a.UID, a.GID, a.Groups
	b.result.Steps = append(b.result.Steps, Step{Text: fmt.Sprintf("config.json asks for the user %d:%d", uid, gid)})
	if b.report.When == explain.After && d.Mode == decision.Rewrite && d.Identity != nil {
		uid, gid, groups = d.Identity.UID, d.Identity.GID, d.Identity.Groups
		b.result.Steps = []Step{{Text: fmt.Sprintf("config.json asked for the user %d:%d, and nonroot-runc has made the container with %d:%d", a.UID, a.GID, uid, gid)}}
	}
	b.result.User = fmt.Sprintf("%d:%d", uid, gid)
	if uid == 0 {
		b.result.Verdict = Root
		b.found(bundleRoot, "/process/user/uid", "", "process.user.uid is 0%s", b.namespace())
		return
	}
	b.result.Verdict = NonRoot
	switch {
	case gid == 0:
		b.found(bundleRootGroup, "/process/user/gid", "", "process.user.gid is 0%s", b.namespace())
	case slices.Contains(groups, 0):
		at := slices.Index(groups, 0)
		b.found(bundleRootGroup, fmt.Sprintf("/process/user/additionalGids/%d", at), "", "process.user.additionalGids has 0%s", b.namespace())
	}
}

// namespace returns a remark if the container has a user namespace of its own.
func (b *box) namespace() string {
	if _, _, ok := b.place("/linux/uidMappings/0"); ok {
		return ", which is root of the container's own user namespace"
	}
	return ""
}

// policy reports the runtime's decision, or the one that it would take.
func (b *box) policy() {
	d := b.report.Decided
	switch {
	case d.Mode == decision.Refuse:
		b.result.Policy = "the policy refuses it"
		b.found(bundleRefused, "/process", "", "nonroot-runc makes no container of it: %s", d.Reason)
	case d.Mode != decision.Rewrite:
		b.result.Policy = fmt.Sprintf("the policy leaves it as it is (mode %s)", d.Mode)
	case d.Identity != nil:
		b.result.Policy = fmt.Sprintf("the policy runs it as %d:%d: %s", d.Identity.UID, d.Identity.GID, d.Source.Sentence())
		if n := len(b.report.Changes); n > 0 && b.report.When == explain.Before {
			b.result.Policy += fmt.Sprintf("; it changes %d things of config.json, which nonroot-ctl explain lists", n)
		}
	}
}

// problem reports a problem that explain has found.
func (b *box) problem(p explain.Problem) {
	where := quote.Value(p.Where)
	switch p.Kind {
	case "entrypoint":
		b.found(bundleNeverStarts, "/process/args/0", p.Where, "%s: %s", where, p.Detail)
	case "volume":
		b.found(bundleMount, b.mount(p.Where), p.Where, "%s: %s", where, p.Detail)
	case "port":
		b.found(bundlePort, b.holding("/process/args", p.Where), p.Where, "port %s: %s", p.Where, p.Detail)
	case "workdir":
		b.found(closedDirectory, "/process/cwd", p.Where, "%s: %s", where, p.Detail)
	case "home":
		b.found(closedDirectory, b.holding("/process/env", "HOME="), p.Where, "%s: %s", where, p.Detail)
	case "directory":
		b.found(closedDirectory, b.holding("/process/env", "="+p.Where), p.Where, "%s: %s", where, p.Detail)
	}
}

// setuid reports files with privileges, all in one finding: there are many, and the container rarely uses them.
func (b *box) setuid() {
	var all []string
	for _, p := range b.report.Problems {
		if p.Kind == "setuid" {
			all = append(all, p.Where)
		}
	}
	if len(all) > 0 {
		b.found(setuidThere, "/root/path", "", "%s, which has no effect under nonroot-runc", listed(all, "would give privileges", "would give privileges"))
	}
}

// mount returns the pointer to the last mount at a destination, which hides the others.
func (b *box) mount(destination string) (pointer string) {
	for n := 0; ; n++ {
		at := fmt.Sprintf("/mounts/%d", n)
		if _, _, ok := b.place(at); !ok {
			return pointer
		}
		if text, ok := b.text(at + "/destination"); ok && path.Clean(text) == path.Clean(destination) {
			pointer = at + "/destination"
		}
	}
}

// holding returns the pointer to the first string of a list that contains part; "": none does.
func (b *box) holding(list, part string) string {
	for n := 0; ; n++ {
		at := fmt.Sprintf("%s/%d", list, n)
		text, ok := b.text(at)
		if !ok {
			return ""
		}
		if strings.Contains(text, part) {
			return at
		}
	}
}

// text returns the string at a pointer.
func (b *box) text(pointer string) (string, bool) {
	first, last, ok := b.place(pointer)
	if !ok {
		return "", false
	}
	text, err := jsontext.AppendUnquote(nil, b.config[first:last])
	return string(text), err == nil
}
