// SPDX-License-Identifier: Apache-2.0

package program

import (
	"path"
	"slices"
	"strings"
)

// internal/check tells an image's author the same before there is a container. These functions use the same lists, but only
// look at words, not at files.

// Against is what is known against running a command without root. Zero: nothing.
type Against struct {
	By       string // the program that only root may call
	Ends     bool   // a script ends by a test of its own
	Installs bool   // By installs packages
	Switches bool   // By makes another user of root
	Does     string // else: what By does
	Advice   string
}

// Any reports whether anything is known.
func (a Against) Any() bool { return a.Ends || a.By != "" }

// Behind returns the command that an image's inits start.
func Behind(args []string) []string { return skipInit(skipInit(args)) }

// Words returns what is known against a command, judged by its program, or by the script that it has a shell run.
func (c Command) Words() Against {
	args := Behind(c.Args)
	if len(args) == 0 {
		return Against{}
	}
	if text, ok := shellText(args); ok {
		return c.Script(text)
	}
	base := path.Base(args[0])
	if base == "init" && isSystem(args[0]) {
		base = "systemd"
	}
	if slices.Contains(installers, base) || slices.Contains(switches, base) {
		if len(args) == 1 || isQuestion(args[1:]) {
			return Against{}
		}
		return shownAs(against{by: args[0]})
	}
	if t, ok := c.taskOf(base, args[1:]); ok {
		return shownAs(against{by: args[0], task: t})
	}
	return Against{}
}

// Script returns what is known against a script.
func (c Command) Script(text string) Against {
	return shownAs(c.against(unrolled(text[:min(len(text), maxScript)])))
}

// Written returns the paths that a command, or the script that it has a shell run, writes to in any environment. Relative
// paths start from cwd; if that is "", they are left out.
func (c Command) Written() []Write {
	args := Behind(c.Args)
	if len(args) == 0 {
		return nil
	}
	if text, ok := shellText(args); ok {
		return c.WrittenBy(text)
	}
	return byWords(args, c.Cwd)
}

// WrittenBy returns the paths that a script writes to before it checks which user it is. It returns none for a language
// other than shell.
func (c Command) WrittenBy(text string) []Write {
	if !isShells(text) {
		return nil
	}
	return writesFrom(unrolled(text[:min(len(text), maxScript)]), c.Cwd)
}

// IsScript reports whether a file begins like a script.
func IsScript(head string) bool { return strings.HasPrefix(head, "#!") }

// shellText returns the script in a shell's command line.
func shellText(args []string) (text string, ok bool) {
	if !slices.Contains(shells, path.Base(args[0])) {
		return "", false
	}
	for i, arg := range args[1:] {
		switch {
		case !isFlag(arg):
			return "", false
		case strings.HasSuffix(arg, "c") && !strings.HasPrefix(arg, "--") && i+2 < len(args):
			return args[i+2], true
		}
	}
	return "", false
}

// isQuestion reports whether a program is only asked for its version or help.
func isQuestion(args []string) bool {
	return slices.Contains([]string{"--version", "--help", "-h", "-V"}, args[0])
}

func shownAs(a against) Against {
	base := path.Base(a.by)
	return Against{
		By: a.by, Ends: a.ends, Installs: slices.Contains(installers, base), Switches: slices.Contains(switches, base),
		Does: a.task.does, Advice: a.task.advice,
	}
}

// Installs reports whether a command installs, changes or removes packages.
func Installs(words []string) bool {
	return len(words) > 1 && slices.Contains(installers, path.Base(words[0])) &&
		slices.ContainsFunc(words[1:], func(a string) bool { return slices.Contains(installWords, a) })
}

var installWords = []string{
	"install", "reinstall", "add", "del", "update", "upgrade", "dist-upgrade", "full-upgrade", "remove", "purge", "autoremove",
	"-i", "-S", "-U", "-e", "-r", "-Sy", "-Syu", "-R",
}

// defaultCapabilities has none of a build step's root-only capabilities, because none of them matters for the tasks.
var defaultCapabilities = []string{}

// BuildNeedsRoot returns the root-only task of a build step, and why. It returns "" if there is none, or if a build could
// not do it as root either.
func BuildNeedsRoot(words []string) string {
	if len(words) < 2 && path.Base(words[0]) != "ldconfig" && tasks[path.Base(words[0])].does != trust.does || len(words) > 1 && isQuestion(words[1:]) {
		return ""
	}
	if Installs(words) {
		return "installs packages"
	}
	t, ok := Command{Chowns: true, Asked: defaultCapabilities}.taskOf(words[0], words[1:])
	if !ok || t.does == tasks["cron"].does || t.does == tasks["sshd"].does || t.does == tasks["smbd"].does {
		return "" // a build starts no service
	}
	return t.does
}

// IsShell reports whether a program is a shell.
func IsShell(name string) bool { return slices.Contains(shells, path.Base(name)) }
