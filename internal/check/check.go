// SPDX-License-Identifier: Apache-2.0

// Package check reports whether a Dockerfile, an image, a manifest or a service runs as root, what the policy does with it, and what would
// fail in it without root. It reads only its arguments. Who an image runs as comes from internal/dockerfile and internal/imageuser, and the
// policy's decision from internal/trial.
package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
	"github.com/nonroot-runc/nonroot-runc/internal/imageuser"
	"github.com/nonroot-runc/nonroot-runc/internal/podsecurity"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/program"
	"github.com/nonroot-runc/nonroot-runc/internal/trial"
	"github.com/nonroot-runc/nonroot-runc/internal/unread"
)

// Verdict is the answer to whether an image runs as root.
type Verdict string

// The verdicts. What is not known is never a pass.
const (
	Root    Verdict = "root"
	NonRoot Verdict = "non-root"
	Unknown Verdict = "unknown" // it depends on an image about which nothing is known
	Never   Verdict = "never starts"
	Invalid Verdict = "invalid" // no build accepts the file
	Nothing Verdict = "nothing" // the file has no container
	Windows Verdict = "windows" // Windows has no root, and nonroot-runc doesn't run its containers
)

// Severity says how much a finding matters.
type Severity string

// The severities, the worst first.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// severities lists them, the worst first.
var severities = []Severity{Error, Warning, Note}

// AtLeast reports whether s is as bad as other, or worse.
func (s Severity) AtLeast(other Severity) bool {
	return slices.Index(severities, s) <= slices.Index(severities, other)
}

// ParseSeverity parses the name of a severity.
func ParseSeverity(text string) (Severity, error) {
	s := Severity(text)
	if !slices.Contains(severities, s) {
		return "", fmt.Errorf("unknown severity %q\nhint: use error, warning or note", text)
	}
	return s, nil
}

// Finding is one problem in a file.
type Finding struct {
	ID       string   `json:"id"` // its page is docs/checks/ID.md
	Severity Severity `json:"severity"`
	File     string   `json:"file"`
	Line     int      `json:"line,omitempty"`   // from 1; 0: the file as a whole
	Column   int      `json:"column,omitempty"` // in bytes, from 1
	Length   int      `json:"length,omitempty"` // in bytes
	Source   string   `json:"source,omitempty"` // the text of the line
	Object   string   `json:"object,omitempty"` // the part of the file that it is about
	Why      string   `json:"why"`
	Do       string   `json:"do"`
}

// Unreadable is the ID of the finding that reports that a file could not be checked. No comment or baseline ignores it.
const Unreadable = "unreadable"

// Step is one step of the explanation of a user.
type Step struct {
	File string `json:"file,omitempty"` // "": the result's
	Line int    `json:"line,omitempty"`
	Text string `json:"text"`
}

// Result is the result for a file, or for one object in it.
type Result struct {
	File     string    `json:"file"`
	Object   string    `json:"object,omitempty"` // "": the whole file
	Verdict  Verdict   `json:"verdict"`
	User     string    `json:"user"`               // as in the image's configuration
	Governed bool      `json:"governed,omitempty"` // its RuntimeClass runs it under nonroot-runc, whichever user it asks for
	Steps    []Step    `json:"steps,omitempty"`
	Policy   string    `json:"policy,omitempty"` // what the policy does with it, in a sentence
	Given    []string  `json:"given,omitempty"`  // directories of an image that are chowned to the container's user
	Findings []Finding `json:"findings"`
	Ignored  []Ignored `json:"ignored,omitempty"`
}

// Name returns the file's name, and the object's if there is one.
func (r *Result) Name() string {
	if r.Object == "" {
		return r.File
	}
	return r.File + ": " + r.Object
}

// Options are the inputs of a check besides the file.
type Options struct {
	Build  dockerfile.Options
	Policy *policy.Policy
	World  trial.World
	Now    time.Time
	// RuntimeClass is the name of nonroot-runc's class; "": there is none.
	RuntimeClass string
	// Namespaces are the namespaces of other files and of the command line; nil: none.
	Namespaces *Namespaces
	// PodSecurity is the level that all pods have to meet, whatever their namespace's labels say; nil: the namespace's level.
	PodSecurity *podsecurity.Level
	// Namespace is the namespace of objects that don't name one; "": unknown.
	Namespace string
	// Context returns the beginning of a file of the build context; nil: there is no context.
	Context func(name string) (head string, ok bool)
	// Accounts returns a base image's /etc/passwd. The argument is the image's name in the file. nil: no accounts are known.
	Accounts func(base string) (passwd []byte, ok bool)
}

// Dockerfile checks the text of a Dockerfile.
func Dockerfile(name string, text []byte, o Options) Result {
	r := Result{File: name, Findings: []Finding{}}
	in := &source{file: name, lines: strings.Split(string(text), "\n"), whole: true}
	image, err := evaluate(text, o.Build)
	if err != nil {
		r.Verdict = Invalid
		line, why := 0, "no build reads it"
		if e, ok := err.(*unread.Error); ok { //nolint:errorlint // it is one, unwrapped
			line, err = e.Line, e.Err
			if e.Parsed {
				why = "no build of it ends"
			}
		}
		r.Findings = append(r.Findings, in.finding(unreadable, line, "", fmt.Sprintf("%s: %v", why, err)))
		return r
	}
	r.User = image.User
	user := imageuser.Read(image.User)
	r.Verdict = verdict(image, user, o)
	for _, s := range image.Steps {
		r.Steps = append(r.Steps, Step{Line: s.Line, Text: s.Text})
	}
	ignores := inDockerfile(in.lines, image.Spans)
	in.lasts = map[int]int{}
	for _, s := range image.Spans {
		in.lasts[s.First] = s.Last
	}
	if r.Verdict == Windows {
		return r
	}
	i := &inspection{image: image, user: user, in: in, verdict: r.Verdict, context: o.Context, left: maxScripts}
	for _, rule := range rules {
		r.Findings = append(r.Findings, rule(i)...)
	}
	r.ignoring(ignores, in)
	if o.Policy != nil && (r.Verdict == Root || r.Verdict == NonRoot) {
		r.Policy = under(user, o)
	}
	return r
}

// evaluate returns the image that a Dockerfile builds. If nothing is known about the base image, a step that only root can run may still
// tell its user: either the base's user is root, or the build fails.
func evaluate(text []byte, o dockerfile.Options) (*dockerfile.Image, error) {
	image, err := dockerfile.Evaluate(text, o)
	if err != nil || image.Known || image.Windows || image.Frontend != "" {
		return image, err
	}
	isUser := func(c dockerfile.Command) bool { _, ok := c.Command.(*instructions.UserCommand); return ok }
	if slices.ContainsFunc(image.Commands, isUser) {
		return image, nil // the value of this USER is what is unknown
	}
	byShell, errexit := true, false
	for _, c := range image.Commands {
		switch one := c.Command.(type) {
		case *instructions.ShellCommand:
			byShell = len(one.Shell) > 0 && program.IsShell(one.Shell[0])
			errexit = slices.ContainsFunc(one.Shell, func(a string) bool {
				return strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.Contains(a, "e") || a == "errexit"
			})
		case *instructions.RunCommand:
			if name, ok := passes(one, byShell, errexit); ok && !c.OnBuild {
				image.Known = true
				image.Steps = append(image.Steps, dockerfile.Step{Line: c.Line, Text: fmt.Sprintf("RUN %s passes for root alone: so the image %q is root's, or no build ends", name, image.Base)})
				return image, nil
			}
		}
	}
	return image, nil
}

// passes returns the program in a RUN instruction that only root can use.
func passes(run *instructions.RunCommand, byShell, errexit bool) (name string, ok bool) {
	switch {
	case run.PrependShell && byShell:
		return program.OnlyRootPasses(textOf(run.ShellDependantCmdLine), errexit)
	case !run.PrependShell && len(run.CmdLine) > 0 && program.OnlyRootRuns(run.CmdLine):
		return run.CmdLine[0], true
	}
	return "", false
}

// verdict returns the answer. If it depends on how the build makes an account, the image's steps tell.
func verdict(image *dockerfile.Image, user imageuser.User, o Options) Verdict {
	switch {
	case image.Windows:
		return Windows
	case !image.Known:
		return Unknown
	case user.Kind == imageuser.Root:
		return Root
	case user.Kind == imageuser.Invalid, user.Kind == imageuser.Name && image.Empty && !copiesAccounts(image):
		return Never
	case user.Kind == imageuser.Name:
		is, by := (&inspection{image: image, context: o.Context, left: maxScripts}).accountOf(user.Name, o.Accounts)
		switch is {
		case isRoots:
			image.Steps = append(image.Steps, by)
			return Root
		case isOpen:
			image.Steps = append(image.Steps, by)
			return Unknown
		}
	}
	return NonRoot
}

// under describes what the policy does with a container that is started from the image without options. The image's accounts are not known.
func under(user imageuser.User, o Options) string {
	gid, knowsGroup := user.GID()
	c := trial.Container{UID: user.UID, GID: gid} // an unknown group counts as 0, which the policy replaces with a group that is not root's
	if user.Kind == imageuser.Name {
		return "the policy keeps it, if it keeps the uid of " + fmt.Sprintf("%q", user.Name)
	}
	d, err := c.Run(o.Policy, o.World, o.Now)
	switch {
	case err != nil || d.Mode == decision.Refuse:
		return "the policy refuses it"
	case d.Mode != decision.Rewrite:
		return fmt.Sprintf("the policy leaves it as it is (mode %s)", d.Mode)
	case d.Source == decision.Fixed:
		return fmt.Sprintf("the policy runs it as %d:%d, or as the image's service user, if it has one", d.Identity.UID, d.Identity.GID)
	}
	who := fmt.Sprint(d.Identity.UID)
	if knowsGroup {
		who += fmt.Sprintf(":%d", d.Identity.GID)
	}
	return fmt.Sprintf("the policy runs it as %s: %s", who, d.Source.Sentence())
}

// source is the text of a file.
type source struct {
	file  string
	lines []string
	whole bool // lines are shown whatever their length, because BuildKit limits it in a Dockerfile
	// lasts are the last lines of a Dockerfile's instructions by their first ones; nil: it is none.
	lasts map[int]int
}

// finding returns a finding at a line. It marks the word in the line, if it is there.
func (s *source) finding(k kind, line int, word, why string) Finding {
	f := Finding{ID: k.ID, Severity: k.Severity, File: s.file, Line: line, Why: why, Do: k.Do}
	if line < 1 || line > len(s.lines) {
		f.Line = 0
		return f
	}
	text := strings.TrimRight(s.lines[line-1], "\r")
	if len(text) > maxSource && !s.whole {
		return f
	}
	f.Source = text
	at := indexOf(f.Source, word)
	if at < 0 {
		at = strings.Index(f.Source, word)
	}
	if word != "" && at >= 0 {
		f.Column, f.Length = at+1, len(word)
	}
	return f
}

// lineWith returns the line of an instruction that contains the word, or else the instruction's first line.
func (s *source) lineWith(line int, word string) int {
	if last, ok := s.lasts[line]; ok {
		of := s.lines[min(line-1, len(s.lines)):min(last, len(s.lines))]
		if n := slices.IndexFunc(of, func(text string) bool { return indexOf(text, word) >= 0 }); n >= 0 {
			return line + n
		}
		return line + max(0, slices.IndexFunc(of, func(text string) bool { return strings.Contains(text, word) }))
	}
	for n := line; n >= 1 && n <= len(s.lines); n++ {
		if strings.Contains(s.lines[n-1], word) {
			return n
		}
		if next := strings.TrimSpace(s.lines[n-1]); n > line && next != "" && !strings.HasSuffix(next, "\\") && !strings.HasPrefix(next, "#") {
			break
		}
	}
	return line
}

// indexOf returns the position of a word in a text where it is no part of a longer one; -1: there is none.
func indexOf(text, word string) int {
	inWord := func(c byte) bool {
		return c == '_' || c == '-' || c == '.' || c == '/' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	}
	for from := 0; word != ""; {
		at := strings.Index(text[from:], word)
		if at < 0 {
			break
		}
		at += from
		end := at + len(word)
		if (at == 0 || !inWord(text[at-1]) || !inWord(word[0])) && (end == len(text) || !inWord(text[end]) || !inWord(word[len(word)-1])) {
			return at
		}
		from = at + 1
	}
	return -1
}
