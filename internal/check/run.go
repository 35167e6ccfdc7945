// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/learn"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// Run is what was observed while a container ran under nonroot-runc.
type Run struct {
	Identity  decision.Identity
	Seconds   float64
	Ended     bool // before it was stopped
	Status    unix.WaitStatus
	Late      bool // it missed the first system calls
	Denied    []*learn.Finding
	More      int      // number of further denials
	Lines     []string // of a policy that would allow it
	Notes     []string // from the container's creation
	AskedHome string   // the value that HOME would have had; "": the same
}

// Ran returns the findings of a container that was started.
func Ran(name string, run Run) Result {
	r := Result{File: name, Verdict: NonRoot, User: fmt.Sprintf("%d:%d", run.Identity.UID, run.Identity.GID), Findings: []Finding{}}
	step := func(format string, args ...any) { r.Steps = append(r.Steps, Step{Text: fmt.Sprintf(format, args...)}) }
	found := func(k kind, object, do, format string, args ...any) {
		r.Findings = append(r.Findings, Finding{ID: k.ID, Severity: k.Severity, File: name, Object: object, Why: fmt.Sprintf(format, args...), Do: do})
	}
	switch {
	case !run.Ended:
		step("it was started once, ran for %.1f s, and was ended then", run.Seconds)
	case run.Status.Signaled():
		step("it was started once, and was ended by signal %d after %.1f s", run.Status.Signal(), run.Seconds)
	default:
		step("it was started once, and ended with %d after %.1f s", run.Status.ExitStatus(), run.Seconds)
	}
	if run.Late {
		step("its first program had begun before it could be watched: the first calls were not seen")
	}
	for _, line := range run.Lines {
		step("what it was denied, the policy gives with: %s", line)
	}
	for _, note := range run.Notes {
		step("noted at creation: %s", note)
	}
	for _, d := range run.Denied {
		do := deniedAtRun.Do
		if d.Policy != "" {
			do = fmt.Sprintf("give it when the image is built, or by the policy (%s)", d.Policy)
		}
		found(deniedAtRun, d.What, do, "%s %s: %s; %s by %s, %s", d.Kind, quote.Value(d.What), d.Why, strings.Join(d.Calls, ", "), quotedAll(d.By), times(d.Count))
	}
	if run.More > 0 {
		found(deniedAtRun, "", deniedAtRun.Do, "%d more things were denied", run.More)
	}
	if run.Ended && (run.Status.Signaled() || run.Status.ExitStatus() != 0) {
		why := "; whether it does so as root, too, is not known"
		if run.AskedHome != "" {
			why = fmt.Sprintf("; HOME does not lead to %s, as it would for root%s", quote.Value(run.AskedHome), why)
		}
		found(failedAtRun, "", failedAtRun.Do, "%s%s", strings.TrimPrefix(r.Steps[0].Text, "it was started once, and "), why)
	}
	return r
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func quotedAll(names []string) string {
	all := make([]string, len(names))
	for n, name := range names {
		all[n] = quote.Value(name)
	}
	return strings.Join(all, ", ")
}
