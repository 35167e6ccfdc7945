// SPDX-License-Identifier: Apache-2.0

// Package program knows programs that need root by design, and finds the one that a container starts. What is said here is for
// people: no decision rests on it, but on whom a command says that it prepares volumes for (Prepares). What a container may do is not
// told here (internal/policy).
package program

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
)

// Bounds of the look at the program. The image chooses PATH, and what its script is like.
const (
	maxSearch = 16       // directories that it is looked for in
	maxScript = 4096     // bytes of a script
	maxOpened = 64 << 10 // bytes of a file that may be one
)

// switches are programs by which only root, or a setuid file, becomes another user.
var switches = []string{"gosu", "su-exec", "sudo", "su", "doas", "runuser", "setpriv", "chpst", "setuidgid", "s6-setuidgid", "s6-applyuidgid", "chroot"}

// inits start another program as the container's first, by an image's entrypoint.
var inits = []string{"tini", "tini-static", "dumb-init", "catatonit"}

// isInit is also true of what engines put there: `docker run --init`, `podman run --init`.
func isInit(name string) bool { return slices.Contains(inits, name) || engines.IsInit(name) }

// skipInit is the command that an init starts: what follows its flags, of which tini's -p and -e have a value (tini, README.md).
func skipInit(args []string) []string {
	if len(args) == 0 || !isInit(path.Base(args[0])) {
		return args
	}
	for i := 1; i < len(args); i++ {
		switch {
		case args[i] == "--":
			return args[i+1:]
		case args[i] == "-p" || args[i] == "-e":
			i++
		case !strings.HasPrefix(args[i], "-"):
			return args[i:]
		}
	}
	return nil
}

// installers are for root, too, and called by scripts to begin with.
var installers = []string{"apt-get", "apt", "dpkg", "apk", "dnf", "microdnf", "yum", "rpm", "zypper", "pacman"}

// Command is what a container starts.
type Command struct {
	Args []string
	Cwd  string
	Path string // PATH of its environment

	Chowns bool     // a change of owners would be denied; else it succeeds, and does nothing
	Asked  []string // the capabilities that were asked for; nil: nobody knows

	Closed  func(Write) bool    // what is not the identity's to write; nil: nobody knows
	Mounted func(p string) bool // what lies in a mount; nil: nobody knows

	// Variable is what the container's environment says; ok is false where it has no such name. Nil: nobody knows.
	Variable func(name string) (value string, ok bool)
	// Shell is the name of the file that Args[0] leads to, as /bin/sh is one or the other; "": nobody knows.
	Shell func() string
}

// Hint says why the program is likely to fail as the identity; "": nothing is known against it. It is for the log and the record, so
// that whoever finds a container that has ended finds a reason. MayRun says whether the identity may run a file.
func (c Command) Hint(view *rootfs.View, mayRun func(at *rootfs.Entry) bool) string {
	args := skipInit(skipInit(c.Args)) // behind the engine's init may be the image's
	if len(args) == 0 {
		return "" // the runtime says what is wrong with it
	}
	at, ok := c.find(bounded(view), args[0])
	if !ok || at.Stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return ""
	}
	switch {
	case at.Stat.Mode&unix.S_ISUID != 0:
		return fmt.Sprintf("its program %q is setuid, which has no effect here; hint: start the program that it would start", at.Path)
	case !mayRun(&at):
		return fmt.Sprintf("its program %q can't be run by the identity (%d:%d %04o); hint: change its mode in the image", at.Path, at.Stat.Uid, at.Stat.Gid, at.Stat.Mode&0o7777)
	}
	if said := c.named("program", at.Path, args); said != "" {
		return said
	}
	return c.scripted("program", path.Clean(args[0]), script(view, at, args))
}

// named says what stands against a command by its name and arguments; "": nothing is known.
func (c Command) named(kind, shown string, args []string) string {
	base := path.Base(args[0])
	if base == "init" && isSystem(shown) {
		base = "systemd"
	}
	switch t, ok := c.taskOf(base, args[1:]); {
	case slices.Contains(installers, base):
		return fmt.Sprintf("its %s %q installs packages, which only root can; hint: "+whenBuilt, kind, shown)
	case slices.Contains(switches, base):
		return fmt.Sprintf("its %s %q switches from root to another user, which only root can do; hint: start the program that it would start", kind, shown)
	case ok:
		return fmt.Sprintf("its %s %q %s, which only root can; hint: %s", kind, shown, t.does, t.advice)
	}
	return ""
}

// isSystem reports whether a program is one of a distribution that starts the system, and no image's own of the same name (/init).
func isSystem(at string) bool {
	dir := path.Base(path.Dir(at))
	return dir == "sbin" || dir == "systemd" || path.Base(at) == "busybox"
}

// scripted is named for a command that runs a script.
func (c Command) scripted(kind, shown, script string) string {
	commands := unrolled(script)
	switch a := c.against(commands); {
	case a.ends:
		return fmt.Sprintf("its %s %q checks for root and ends without it; hint: start the program that it would start, or remove the check", kind, shown)
	case slices.Contains(installers, a.by):
		return fmt.Sprintf("its %s %q calls %s, which installs packages, and only root can; hint: "+whenBuilt, kind, shown, a.by)
	case slices.Contains(switches, a.by):
		return fmt.Sprintf("its %s %q calls %s, which only root can use to switch users, and does not seem to check who it runs as; hint: start the program itself", kind, shown, a.by)
	case a.by != "":
		return fmt.Sprintf("its %s %q calls %s, which %s, and only root can; hint: %s", kind, shown, a.by, a.task.does, a.task.advice)
	case c.Closed == nil:
	case isShells(script):
		return writing(kind, shown, commands, c.Closed, c.Mounted)
	case bindsLog(script) && c.Closed(Write{"/dev/log", Opens}):
		return fmt.Sprintf("its %s %q binds \"/dev/log\", which the identity can't create; hint: %s", kind, shown, adviceFor("/dev/log"))
	}
	return ""
}

// HintForUser is Hint for somebody who runs as who was asked for, to whom a setuid file would have given root.
func (c Command) HintForUser(view *rootfs.View) string {
	args := skipInit(skipInit(c.Args))
	if len(args) == 0 {
		return ""
	}
	at, ok := c.find(bounded(view), args[0])
	if !ok || at.Stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return ""
	}
	if at.Stat.Mode&unix.S_ISUID != 0 {
		return fmt.Sprintf("its program %q is setuid, which has no effect here; hint: start the program that it would start", at.Path)
	}
	return calledSetuid("program", path.Clean(args[0]), script(view, at, args))
}

// calledSetuid says that a script calls a program that would be setuid.
func calledSetuid(kind, shown, script string) string {
	for _, s := range statements(unrolled(script)) {
		for _, words := range s.commands() {
			if base := path.Base(words[0]); slices.Contains(setuid, base) {
				return fmt.Sprintf("its %s %q calls %s, which is setuid, and that has no effect here; hint: leave it out, or do so when the image is built", kind, shown, base)
			}
		}
	}
	return ""
}

// Named is Hint for a further process, by its words alone: the files of a container that runs are not looked at. What stands in for
// root has less rights than was asked for; others lack what a setuid file would give.
func (c Command) Named(standsIn bool) string {
	const kind = "command"
	if len(c.Args) == 0 {
		return ""
	}
	name := c.Args[0]
	text, _ := inline(c.Args)
	c.Closed = isNobodys // what else is closed can't be told
	base, shown := path.Base(name), quote.Text(name, quote.MaxValue)
	c.Chowns = true // it may succeed, but that is all
	switch {
	case !standsIn && slices.Contains(setuid, base):
		return fmt.Sprintf("its %s %q is setuid, which has no effect here; hint: run the program that it would run", kind, shown)
	case !standsIn:
		return calledSetuid(kind, shown, text)
	case slices.Contains(chowns, base):
		return fmt.Sprintf("its %s %q changes nothing: only root can change the owner of a file; hint: %s", kind, shown, owners.advice)
	}
	if said := c.named(kind, shown, c.Args); said != "" {
		return said
	}
	return c.scripted(kind, shown, text)
}

// shells run what follows -c.
var shells = []string{"sh", "bash", "dash", "ash", "zsh", "ksh"}

// inline is the beginning of the script that stands in a shell's own command line, behind a flag such as -c or -ec.
func inline(args []string) (text string, ok bool) {
	if !slices.Contains(shells, path.Base(args[0])) {
		return "", false
	}
	for i := 1; i+1 < len(args) && len(args[i]) > 1 && (args[i][0] == '-' || args[i][0] == '+'); i++ {
		switch {
		case strings.HasPrefix(args[i], "--"):
		case strings.HasSuffix(args[i], "c"):
			return args[i+1][:min(len(args[i+1]), maxScript)], true
		case strings.HasSuffix(args[i], "o"):
			i++ // the option's name
		}
	}
	return "", false
}

// scriptFile is the file that a shell is told to read, behind its options; "": none.
func scriptFile(args []string) string {
	if !slices.Contains(shells, path.Base(args[0])) {
		return ""
	}
	for i := 1; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "--" && i+1 < len(args):
			return args[i+1]
		case arg == "" || arg[0] != '-' && arg[0] != '+':
			return arg
		case strings.HasPrefix(arg, "--"):
		case strings.ContainsAny(arg[1:], "cs"):
			return "" // what it reads is no file
		case strings.HasSuffix(arg, "o"):
			i++ // the option's name
		}
	}
	return ""
}

// script is the beginning of the script that a command runs; "": it is none. What is large is not a script, and is not opened.
func script(view *rootfs.View, at rootfs.Entry, args []string) string {
	if text, ok := inline(args); ok {
		return text
	}
	if at.Stat.Size > maxOpened {
		return ""
	}
	text := view.Head(at.Path, maxScript)
	if !strings.HasPrefix(text, "#!") {
		return ""
	}
	return text
}

// Leads is the name of the file that Args[0] leads to; "": none.
func (c Command) Leads(view *rootfs.View) string {
	if len(c.Args) == 0 {
		return ""
	}
	if at, ok := c.find(bounded(view), c.Args[0]); ok {
		return path.Base(at.Path)
	}
	return ""
}

// bounded is the view in which the container's own program is looked for: the runtime asks in mounts for it, too.
func bounded(view *rootfs.View) *rootfs.View {
	return view.Bounded(maxParts, func(int) bool { return true })
}

// find finds the file of a command as execvp(3) does.
func (c Command) find(view *rootfs.View, name string) (at rootfs.Entry, ok bool) {
	look := func(p string) bool {
		var err error
		at, err = view.Look(path.Join("/", p))
		return err == nil && at.Exists
	}
	switch {
	case path.IsAbs(name):
		return at, look(name)
	case strings.Contains(name, "/"):
		return at, look(path.Join("/", c.Cwd, name))
	}
	for i, dir := range strings.SplitN(c.Path, ":", maxSearch+1) {
		// What nobody may run is passed over (runc: Go's exec.LookPath; crun: access(2)).
		if i < maxSearch && path.IsAbs(dir) && look(path.Join(dir, name)) && at.Stat.Mode&unix.S_IFMT == unix.S_IFREG && at.Stat.Mode&0o111 != 0 {
			return at, true
		}
	}
	return at, false
}

// asks reports whether a command of a script finds out who it is: by id or whoami, or by a test of UID or EUID. The entrypoints of Docker's
// official images do, and only root calls gosu there. Nobody asks who prints it, hands on a UID that he was given
// (RUN_AS=${UID:-1000}), or looks up another (id -u app).
func asks(command string) bool {
	words := wordsOf(command)
	if len(words) == 0 || prints(words) {
		return false
	}
	for statement := range strings.FieldsFuncSeq(command, func(r rune) bool { return strings.ContainsRune("()`", r) }) {
		if asksFor(wordsOf(statement)) {
			return true
		}
	}
	return slices.Contains(tests, words[0]) && compares(words) ||
		strings.Contains(command, "((") && slices.ContainsFunc(strings.FieldsFunc(command, isNoName), isUIDName)
}

// tests are words with which a command begins that compares something.
var tests = []string{"[", "[[", "test", "case", "if", "elif", "while", "until", "!"}

// compares reports whether a test's words have the value of UID or EUID, and more is asked than whether it is empty.
func compares(words []string) bool {
	for i, w := range words {
		if isUID(w) && i > 0 && words[i-1] != "-n" && words[i-1] != "-z" {
			return true
		}
	}
	return false
}

// asksFor reports whether a statement's words are those of whoami, or of id -u for oneself.
func asksFor(words []string) bool {
	for len(words) > 0 && slices.Contains(tests, words[0]) {
		words = words[1:]
	}
	if len(words) == 0 {
		return false
	}
	switch path.Base(words[0]) {
	case "whoami":
		return true
	case "id":
		operand := func(w string) bool { return !strings.HasPrefix(w, "-") && !strings.ContainsAny(w, "<>") }
		flag := func(w string) bool { return strings.HasPrefix(w, "-") && strings.Contains(w, "u") }
		return slices.ContainsFunc(words[1:], flag) && !slices.ContainsFunc(words[1:], operand)
	}
	return false
}

// isUID reports whether a word is the value of UID or EUID, or has a value in its place.
func isUID(word string) bool {
	name, ok := strings.CutPrefix(word, "{")
	if !ok {
		return isUIDName(word)
	}
	end := strings.IndexFunc(name, isNoName)
	return end > 0 && isUIDName(name[:end])
}

func isUIDName(name string) bool { return name == "UID" || name == "EUID" }

// isNoName is true of what can't be in a variable's name.
func isNoName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
}

// wordsOf are a command's words, without quotes and the sign of a variable.
func wordsOf(command string) []string {
	return strings.FieldsFunc(command, func(r rune) bool { return strings.ContainsRune(" \t\"'$\n", r) })
}

// prints reports whether a command's words are a message.
func prints(words []string) bool { return words[0] == "echo" || words[0] == "printf" }

// uncommented is a line without its comment, which a number sign begins that begins a word: the one of "$#" does not.
func uncommented(line string) string {
	for i := range len(line) {
		if line[i] == '#' && (i == 0 || strings.IndexByte(" \t;|&()", line[i-1]) >= 0) {
			return line[:i]
		}
	}
	return line
}

// Calls is the first of the switches and installers that a script names as a word, in what is no comment and no message; "":
// none, or it asks before.
func Calls(script string) string {
	for line := range strings.Lines(script) {
		code := uncommented(line)
		if slices.ContainsFunc(strings.FieldsFunc(code, func(r rune) bool { return strings.ContainsRune(";|&\n", r) }), asks) {
			return ""
		}
		for _, statement := range strings.FieldsFunc(code, func(r rune) bool { return strings.ContainsRune(";|&(){}`\n", r) }) {
			words := wordsOf(statement)
			if len(words) > 0 && prints(words) {
				continue
			}
			for _, word := range words {
				if base := path.Base(word); slices.Contains(switches, base) || slices.Contains(installers, base) {
					return base
				}
			}
		}
	}
	return ""
}
