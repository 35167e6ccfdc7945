// SPDX-License-Identifier: Apache-2.0

package program

import (
	"path"
	"slices"
	"strings"
)

// What an image's author is told before there is a container (internal/check) rests on the same lists as what is said of one that is
// created: here they are by words alone, without a file system.

// Against is what stands against a command whose process is not root's; the zero value: nothing is known.
type Against struct {
	By       string // the program that only root may call
	Ends     bool   // a script ends by a test of its own
	Installs bool   // By installs packages
	Switches bool   // By makes another user of root
	Does     string // else: what By does
	Advice   string
}

// Any reports whether there is something.
func (a Against) Any() bool { return a.Ends || a.By != "" }

// Behind is the command that an image's inits start.
func Behind(args []string) []string { return skipInit(skipInit(args)) }

// Words is what stands against a command by its words: those of its program, or of what it has a shell do.
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

// Script is what stands against a script.
func (c Command) Script(text string) Against {
	return shownAs(c.against(unrolled(text[:min(len(text), maxScript)])))
}

// Written are the paths that a command writes whatever its environment is, by its words or those of what it has a shell do. Relative ones
// are read from Cwd on; "": they are left out.
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

// WrittenBy are the paths that a script writes, before it asks who it is. One of another language than a shell's is not read.
func (c Command) WrittenBy(text string) []Write {
	if !isShells(text) {
		return nil
	}
	return writesFrom(unrolled(text[:min(len(text), maxScript)]), c.Cwd)
}

// IsScript reports whether a file's beginning is a script's.
func IsScript(head string) bool { return strings.HasPrefix(head, "#!") }

// shellText is what a shell is given on its command line.
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

// isQuestion reports whether a program is only asked what it is.
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

// Installs reports whether a command's words have packages installed, changed or removed.
func Installs(words []string) bool {
	return len(words) > 1 && slices.Contains(installers, path.Base(words[0])) &&
		slices.ContainsFunc(words[1:], func(a string) bool { return slices.Contains(installWords, a) })
}

var installWords = []string{
	"install", "reinstall", "add", "del", "update", "upgrade", "dist-upgrade", "full-upgrade", "remove", "purge", "autoremove",
	"-i", "-S", "-U", "-e", "-r", "-Sy", "-Syu", "-R",
}

// defaultCapabilities are those of a build's step that only root has use for, and that matter to the tasks: none.
var defaultCapabilities = []string{}

// BuildNeedsRoot says what a step of a build does that only root may, and why; "" where that is nothing, or where root in a build could
// not do it either.
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
