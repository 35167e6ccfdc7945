// SPDX-License-Identifier: Apache-2.0

// Package check says of a Dockerfile or an image whether it runs as root, what the policy makes of it, and what a program will trip
// over that is not root. It reads nothing but what it is given; who an image runs as, internal/dockerfile and internal/imageuser say, and
// what becomes of it, the policy's own decision (internal/trial).
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
	Unknown Verdict = "unknown" // it depends on an image of which nothing is known
	Never   Verdict = "never starts"
	Invalid Verdict = "invalid" // no build reads the file
	Nothing Verdict = "nothing" // there is no container in it
	Windows Verdict = "windows" // no user is root, and nonroot-runc runs no such container
)

// Severity is how much a finding matters.
type Severity string

// The severities, the worst first.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// severities in their order.
var severities = []Severity{Error, Warning, Note}

// AtLeast says that a severity is another one or worse.
func (s Severity) AtLeast(other Severity) bool {
	return slices.Index(severities, s) <= slices.Index(severities, other)
}

// ParseSeverity reads one.
func ParseSeverity(text string) (Severity, error) {
	s := Severity(text)
	if !slices.Contains(severities, s) {
		return "", fmt.Errorf("unknown severity %q\nhint: use error, warning or note", text)
	}
	return s, nil
}

// Finding is one thing that was found.
type Finding struct {
	ID       string   `json:"id"` // has a page: docs/checks/ID.md
	Severity Severity `json:"severity"`
	File     string   `json:"file"`
	Line     int      `json:"line,omitempty"`   // from 1; 0: the file as a whole
	Column   int      `json:"column,omitempty"` // in bytes, from 1
	Length   int      `json:"length,omitempty"` // in bytes
	Source   string   `json:"source,omitempty"` // the line
	Object   string   `json:"object,omitempty"` // what of the file it is about
	Why      string   `json:"why"`
	Do       string   `json:"do"`
}

// Unreadable is the id of the finding that says that nothing else could be found. Nothing takes it away.
const Unreadable = "unreadable"

// Step is one thing that the user rests on.
type Step struct {
	Line int    `json:"line,omitempty"`
	Text string `json:"text"`
}

// Result is what was found of one file.
type Result struct {
	File     string    `json:"file"`
	Object   string    `json:"object,omitempty"` // what of the file; "": all of it
	Verdict  Verdict   `json:"verdict"`
	User     string    `json:"user"`               // as the image's configuration will have it
	Governed bool      `json:"governed,omitempty"` // it runs under nonroot-runc by its RuntimeClass, whoever it asks to be
	Steps    []Step    `json:"steps,omitempty"`
	Policy   string    `json:"policy,omitempty"` // what the policy makes of it, in a sentence
	Given    []string  `json:"given,omitempty"`  // directories of an image that a container gets for its own
	Findings []Finding `json:"findings"`
	Ignored  []Ignored `json:"ignored,omitempty"`
}

// Name is the file's name, with that of the object in it.
func (r *Result) Name() string {
	if r.Object == "" {
		return r.File
	}
	return r.File + ": " + r.Object
}

// Options are what a check rests on beside the file.
type Options struct {
	Build  dockerfile.Options
	Policy *policy.Policy
	World  trial.World
	Now    time.Time
	// RuntimeClass is the name of that by which pods run under nonroot-runc; "": there is none.
	RuntimeClass string
	// Namespaces is what is said of them beside what the file itself says; nil: nothing.
	Namespaces *Namespaces
	// PodSecurity is the level that pods have to keep, whatever namespaces say; nil: that of their namespace.
	PodSecurity *podsecurity.Level
	// Namespace is that of objects that name none; "": it is not known.
	Namespace string
	// Context is the beginning of a file of the build context; nil: there is none.
	Context func(name string) (head string, ok bool)
	// Accounts reads /etc/passwd of a base image, by its name in the file; nil: no base has accounts that are known.
	Accounts func(base string) (passwd []byte, ok bool)
}

// Dockerfile checks the text of one.
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
	for _, s := range image.Steps {
		r.Steps = append(r.Steps, Step(s))
	}
	user := imageuser.Read(image.User)
	r.Verdict = verdict(image, user, o)
	ignores := inDockerfile(in.lines, image.Spans)
	if r.Verdict == Windows {
		return r
	}
	i := &inspection{image: image, user: user, in: in, verdict: r.Verdict, context: o.Context}
	for _, rule := range rules {
		r.Findings = append(r.Findings, rule(i)...)
	}
	r.ignoring(ignores, in)
	if o.Policy != nil && (r.Verdict == Root || r.Verdict == NonRoot) {
		r.Policy = under(user, o)
	}
	return r
}

// evaluate is what a build of a Dockerfile makes. Where nothing is known of the image that it begins with, a step that only root can carry out
// may still say who that runs as: the image is root's, or no build ends.
func evaluate(text []byte, o dockerfile.Options) (*dockerfile.Image, error) {
	image, err := dockerfile.Evaluate(text, o)
	if err != nil || image.Known || image.Windows || image.Frontend != "" {
		return image, err
	}
	isUser := func(c dockerfile.Command) bool { _, ok := c.Command.(*instructions.UserCommand); return ok }
	if slices.ContainsFunc(image.Commands, isUser) {
		return image, nil // it is this one's value that is not known
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

// passes is the program of a step that only root can use.
func passes(run *instructions.RunCommand, byShell, errexit bool) (name string, ok bool) {
	switch {
	case run.PrependShell && byShell:
		return program.OnlyRootPasses(textOf(run.ShellDependantCmdLine), errexit)
	case !run.PrependShell && len(run.CmdLine) > 0 && program.OnlyRootRuns(run.CmdLine):
		return run.CmdLine[0], true
	}
	return "", false
}

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
	case user.Kind == imageuser.Name && (&inspection{image: image, context: o.Context}).isRootsToo(user.Name, o.Accounts):
		return Root
	}
	return NonRoot
}

// under is what the policy makes of a container of the image's that asks for nothing else. The image's accounts are not known.
func under(user imageuser.User, o Options) string {
	gid, knowsGroup := user.GID()
	c := trial.Container{UID: user.UID, GID: gid} // a group that is not known is 0, for which the policy puts one that is not
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
	whole bool // lines are shown however long they are: BuildKit limits those of a Dockerfile
}

// finding makes one, with a caret below the word in the line, if it stands there.
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
	if at := strings.Index(f.Source, word); word != "" && at >= 0 {
		f.Column, f.Length = at+1, len(word)
	}
	return f
}

// lineWith is the line from which on an instruction stands, or the one of its lines that has the word.
func (s *source) lineWith(line int, word string) int {
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
