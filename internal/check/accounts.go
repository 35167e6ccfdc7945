// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
	"github.com/nonroot-runc/nonroot-runc/internal/imageuser"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
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

// Limits on how often accounts are followed from one stage to another, and to different files there. Each stage is evaluated anew.
const (
	maxStages = 8
	maxFiles  = 200
)

// accountOf reports whether the account has root's uid, and the instruction that decides it. The account may come from the base image, or the
// build creates it with useradd and the like, or with an entry in passwd. The last instruction that sets the uid counts.
func (i *inspection) accountOf(name string, accounts func(base string) (passwd []byte, ok bool)) (is who, by dockerfile.Step) {
	return i.accountIn(passwd, name, accounts)
}

// accountIn is accountOf for a file that becomes passwd in another stage.
func (i *inspection) accountIn(file, name string, accounts func(base string) (passwd []byte, ok bool)) (is who, by dockerfile.Step) {
	is = isOthers
	if accounts != nil && !i.image.Empty && file == passwd {
		if text, ok := accounts(i.image.Base); ok && (imageuser.Accounts{Passwd: text}).Docker(name).Root() {
			is, by = isRoots, dockerfile.Step{Text: fmt.Sprintf("the image %q has it with root's uid", i.image.Base)}
		}
	}
	shell, workdir := defaultShell(i.image.Base), "/"
	for _, c := range i.image.Commands {
		switch one := c.Command.(type) {
		case *instructions.ShellCommand:
			shell = ""
			if len(one.Shell) > 0 && family(i.image.Base) != "fedora" {
				shell = path.Base(one.Shell[0])
			}
		case *instructions.WorkdirCommand:
			workdir = within(workdir, one.Path)
		case *instructions.AddCommand:
			from, _ := copiedBy(c, workdir)
			if says, step, ok := i.fromText(file, name, one.SourceContents, from); ok {
				is, by = says, step
			}
		case *instructions.CopyCommand:
			from, _ := copiedBy(c, workdir)
			if says, step, ok := i.fromText(file, name, one.SourceContents, from); ok {
				is, by = says, step
			} else if says, ok := i.ofStage(one.From, file, name, from, accounts); ok {
				is, by = says, dockerfile.Step{Line: c.Line, Text: fmt.Sprintf("COPY from %s of a passwd in which its uid is %s", quote.Value(one.From), says)}
			}
		case *instructions.RunCommand:
			text := textOf(one.ShellDependantCmdLine)
			makes := func(part string) bool { return strings.Contains(text, part) }
			names := makes(path.Base(file)) // its path may be relative
			if !names && (file != passwd || !slices.ContainsFunc([]string{"add", "mod", "$"}, makes)) {
				continue // nearly all steps are not parsed for this
			}
			s := readRun(c, one, shell, &i.left)
			for _, a := range s.accounts() {
				if says, ok := a.gives(name); ok && file == passwd {
					is, by = says, dockerfile.Step{Line: c.Line, Text: fmt.Sprintf("RUN %s gives it a uid that is %s", a.tool, says)}
				}
			}
			if !names {
				continue
			}
			says := s.entry(name)
			if s.renames(name, file) {
				says = isRoots
			}
			if says != isOthers {
				is, by = says, dockerfile.Step{Line: c.Line, Text: fmt.Sprintf("RUN writes it into %s with a uid that is %s", file, says)}
			}
		}
	}
	return is, by
}

// renames reports whether a command of the script makes root of a name by replacing root's in a file.
func (s *script) renames(name, file string) bool {
	var by *regexp.Regexp
	texts := slices.Clone(s.unread)
	for _, c := range s.commands {
		texts = append(texts, strings.Join(c.words, " "))
	}
	return slices.ContainsFunc(texts, func(text string) bool {
		if !strings.Contains(text, "root") || !strings.Contains(text, name) || !strings.Contains(text, path.Base(file)) {
			return false
		}
		if by == nil {
			by = regexp.MustCompile(`s[/|,#@]\^?root[^/|,#@]*[/|,#@]` + regexp.QuoteMeta(name) + `[:/|,#@]`)
		}
		return by.MatchString(text)
	})
}

// ofStage returns what an account is in the file that is copied from another stage. ok is false if none is.
func (i *inspection) ofStage(stage, file, name string, from copied, accounts func(base string) (passwd []byte, ok bool)) (is who, ok bool) {
	if stage == "" || i.image.Stage == nil || !links.Within(from.dest, file) {
		return isOthers, false
	}
	if i.stages == nil {
		i.stages, i.copied = map[string]*dockerfile.Image{}, map[[2]string]who{}
	}
	other, asked := i.stages[stage]
	if !asked {
		if len(i.stages) == maxStages {
			return isOpen, true
		}
		other, _ = i.image.Stage(stage)
		i.stages[stage] = other
	}
	if other == nil {
		return isOthers, false
	}
	for _, source := range from.sources(file) {
		at := [2]string{stage, path.Clean("/" + source)}
		is, known := i.copied[at]
		if !known {
			if len(i.copied) == maxFiles {
				return isOpen, true
			}
			there := &inspection{image: other, context: i.context, looked: i.looked, left: i.left, stages: i.stages, copied: i.copied}
			is, _ = there.accountIn(at[1], name, accounts)
			i.looked, i.left, i.copied[at] = there.looked, there.left, is
		}
		if is != isOthers {
			return is, true
		}
	}
	return isOthers, true
}

// fromText returns what an account is in the text that an instruction copies to a file. ok is false if that is not known.
func (i *inspection) fromText(file, name string, contents []instructions.SourceContent, from copied) (is who, by dockerfile.Step, ok bool) {
	text, ok := i.copiedText(file, contents, from)
	if !ok {
		return isOthers, by, false
	}
	if (imageuser.Accounts{Passwd: []byte(text)}).Docker(name).Root() {
		return isRoots, dockerfile.Step{Line: from.by.Line, Text: "COPY of a passwd in which it has root's uid"}, true
	}
	return isOthers, by, true
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

// copiedText returns the text that an instruction copies to a file, if it is known.
func (i *inspection) copiedText(file string, contents []instructions.SourceContent, from copied) (text string, ok bool) {
	for _, s := range contents {
		if from.dest == file || path.Join(from.dest, s.Path) == file {
			return s.Data, true
		}
	}
	if from.stage || !links.Within(from.dest, file) {
		return "", false
	}
	for _, name := range from.sources(file) {
		if text, ok := i.read(name); ok {
			return text, true
		}
	}
	return "", false
}
