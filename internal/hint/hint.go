// SPDX-License-Identifier: Apache-2.0

// Package hint holds the form of messages: what was found, and in a line of its own that begins with "hint: " what to do.
// What messages say belongs to the packages that find it; how they are printed belongs to the commands.
//
// Code writes "finding\nhint: advice" in the literal of an error. Values from outside go into it between quotes (%q or package
// quote), so that none of them makes a line.
package hint

import (
	"io/fs"
	"os"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

const (
	// Mark stands between a finding and its advice where a message may have lines.
	Mark = "\nhint: "
	// Flat stands between them where a message is one line: in a record, a line of the log, a list.
	Flat = "; hint: "
)

// Split splits a message of either form. If several were joined, findings and advice are each joined by "; ". Neither
// part has a line break; advice is "" if there is none.
func Split(msg string) (finding, advice string) {
	var findings, hints []string
	for i, line := range strings.Split(msg, "\n") {
		if said, ok := strings.CutPrefix(line, Mark[1:]); ok && i > 0 {
			hints = append(hints, said)
			continue
		}
		if line != "" {
			findings = append(findings, line)
		}
	}
	finding, advice = strings.Join(findings, "; "), strings.Join(hints, "; ")
	if i := unquoted(finding); advice == "" && i >= 0 {
		finding, advice = finding[:i], finding[i+len(Flat):]
	}
	return finding, advice
}

// Text is an error's message. Paths in errors of package os, the only unquoted values in messages, are quoted if they
// could begin a line or pass for advice.
func Text(err error) string { return quoted(err.Error(), err) }

// quoted quotes such paths in a message, for all errors of package os among an error's causes.
func quoted(msg string, err error) string {
	switch e := err.(type) { //nolint:errorlint // the causes are gone through one by one
	case *fs.PathError:
		if forges(e.Path) {
			msg = strings.ReplaceAll(msg, e.Error(), e.Op+" "+quote.Value(e.Path)+": "+e.Err.Error())
		}
	case *os.LinkError:
		if forges(e.Old) || forges(e.New) {
			msg = strings.ReplaceAll(msg, e.Error(), e.Op+" "+quote.Value(e.Old)+" "+quote.Value(e.New)+": "+e.Err.Error())
		}
	case interface{ Unwrap() error }:
		return quoted(msg, e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			msg = quoted(msg, err)
		}
	}
	return msg
}

func forges(path string) bool { return strings.ContainsAny(path, "\n;\"") }

// Line is an error's message in one line.
func Line(err error) string {
	msg := Text(err)
	if !strings.Contains(msg, "\n") {
		return msg
	}
	finding, advice := Split(msg)
	if advice == "" {
		return finding
	}
	return finding + Flat + advice
}

// unquoted is the position of the first Flat that is not inside quotes; -1: none.
func unquoted(line string) int {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch {
		case quoted && line[i] == '\\':
			i++
		case line[i] == '"':
			quoted = !quoted
		case !quoted && strings.HasPrefix(line[i:], Flat):
			return i
		}
	}
	return -1
}
