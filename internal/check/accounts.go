// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
	"github.com/nonroot-runc/nonroot-runc/internal/imageuser"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
)

// The files in which engines look up users and groups.
const (
	passwd = "/etc/passwd"
	groups = "/etc/group"
)

// who says what is known of an account.
type who string

// The answers.
const (
	isRoots  who = "root's"
	isOthers who = "not root's" // also if there is no such account
	isOpen   who = "unknown"
)

// accountOf reports whether the account has root's uid, and the instruction that decides it. The account may come from the base image, or the
// build creates it with useradd and the like, or with an entry in passwd. The last instruction that sets the uid counts.
func (i *inspection) accountOf(name string, accounts func(base string) (passwd []byte, ok bool)) (is who, by dockerfile.Step) {
	is = isOthers
	if accounts != nil && !i.image.Empty {
		if text, ok := accounts(i.image.Base); ok && (imageuser.Accounts{Passwd: text}).Docker(name).Root() {
			is, by = isRoots, dockerfile.Step{Text: fmt.Sprintf("the image %q has it with root's uid", i.image.Base)}
		}
	}
	shell := defaultShell(i.image.Base)
	for _, c := range i.image.Commands {
		switch one := c.Command.(type) {
		case *instructions.ShellCommand:
			shell = ""
			if len(one.Shell) > 0 && family(i.image.Base) != "fedora" {
				shell = path.Base(one.Shell[0])
			}
		case *instructions.CopyCommand:
			if text, ok := i.copiedPasswd(one, c); ok {
				is, by = isOthers, dockerfile.Step{}
				if (imageuser.Accounts{Passwd: []byte(text)}).Docker(name).Root() {
					is, by = isRoots, dockerfile.Step{Line: c.Line, Text: "COPY of a passwd in which it has root's uid"}
				}
			}
		case *instructions.RunCommand:
			s := readRun(c, one, shell)
			for _, a := range s.accounts() {
				if says, ok := a.gives(name); ok {
					is, by = says, dockerfile.Step{Line: c.Line, Text: fmt.Sprintf("RUN %s gives it a uid that is %s", a.tool, says)}
				}
			}
			if says := s.entry(name); strings.Contains(textOf(one.ShellDependantCmdLine), passwd) && says != isOthers {
				is, by = says, dockerfile.Step{Line: c.Line, Text: fmt.Sprintf("RUN writes it into %s with a uid that is %s", passwd, says)}
			}
		}
	}
	return is, by
}

// defaultShell returns the shell behind an image's /bin/sh, if it is one that leaves UID to the environment; "": unknown.
func defaultShell(base string) string {
	switch family(base) {
	case "debian":
		return "dash"
	case "alpine":
		return "busybox"
	}
	return ""
}

// copiedPasswd returns the text that an instruction copies to /etc/passwd, if it is known.
func (i *inspection) copiedPasswd(one *instructions.CopyCommand, c dockerfile.Command) (text string, ok bool) {
	dest := path.Clean("/" + one.DestPath)
	for _, s := range one.SourceContents {
		if dest == passwd || path.Join(dest, s.Path) == passwd {
			return s.Data, true
		}
	}
	from := copied{c, one.SourcePaths, dest, one.Chmod, one.Chown, one.From != ""}
	if from.stage || !links.Within(dest, passwd) {
		return "", false
	}
	for _, name := range from.sources(passwd) {
		if text, ok := i.read(name); ok {
			return text, true
		}
	}
	return "", false
}
