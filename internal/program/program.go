// SPDX-License-Identifier: Apache-2.0

// Package program knows programs that need root by design, and finds the one that a container starts. Its results are advice
// for people. Only one decision depends on it: for whom a command prepares volumes (Prepares). What a container may do
// belongs in internal/policy.
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

// Limits on the search. The image chooses PATH, and the content of its script.
const (
	maxSearch = 16       // directories that it is looked for in
	maxScript = 4096     // bytes of a script
	maxOpened = 64 << 10 // bytes of a file that may be one
)

// switches change to another user, which takes root or a setuid file.
var switches = []string{"gosu", "su-exec", "sudo", "su", "doas", "runuser", "setpriv", "chpst", "setuidgid", "s6-setuidgid", "s6-applyuidgid", "chroot"}

// inits are run by images' entrypoints as pid 1, and start the actual program.
var inits = []string{"tini", "tini-static", "dumb-init", "catatonit"}

// isInit also reports the inits that engines add: `docker run --init`, `podman run --init`.
func isInit(name string) bool { return slices.Contains(inits, name) || engines.IsInit(name) }

// skipInit returns the command that an init starts, after the init's flags. tini's -p and -e take a value (tini, README.md).
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

// installers need root as well. Scripts usually begin with them.
var installers = []string{"apt-get", "apt", "dpkg", "apk", "dnf", "microdnf", "yum", "rpm", "zypper", "pacman"}

// Command is the command of a container.
type Command struct {
	Args []string
	Cwd  string
	Path string // PATH of its environment

	Chowns bool     // a change of owners would be denied; else it succeeds, and does nothing
	Asked  []string // the capabilities that were asked for; nil: nobody knows

	Closed  func(Write) bool    // what is not the identity's to write; nil: nobody knows
	Mounted func(p string) bool // what lies in a mount; nil: nobody knows

	// Variable looks up an environment variable of the container. nil: the environment is unknown.
	Variable func(name string) (value string, ok bool)
	// Shell is the base name of the file that Args[0] resolves to, such as dash for /bin/sh; "": unknown.
	Shell func() string
}

// Hint returns why the program will probably fail as the identity, or "" if no reason is known. It is written to the log and
// the record, where people look when a container has exited. mayRun reports whether the identity may execute a file.
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

// named returns what is known against a command, judged by its name and arguments only, or "".
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

// isSystem reports whether a program is a distribution's init system. An image may have a program of its own with the same
// name (/init).
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

// HintForUser is Hint for a container that runs as the user it requested, for which setuid files would have worked.
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

// calledSetuid returns a message if a script calls a setuid program.
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

// Named is Hint for an exec, judged by its command line only: files of a running container are not opened. A process that
// requested root has fewer rights than that; any other one only lacks setuid files.
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

// inline returns the beginning of the script in a shell's own command line, after -c, -ec and the like.
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

// scriptFile returns the file that a shell is told to run, after its options, or "".
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

// script returns the beginning of the script that a command runs, or "". A large file can't be a script, and is not opened.
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

// Leads returns the base name of the file that Args[0] resolves to, or "".
func (c Command) Leads(view *rootfs.View) string {
	if len(c.Args) == 0 {
		return ""
	}
	if at, ok := c.find(bounded(view), c.Args[0]); ok {
		return path.Base(at.Path)
	}
	return ""
}

// bounded is the view in which to look for the container's own program. It includes mounts, because the runtime finds
// programs in them as well.
func bounded(view *rootfs.View) *rootfs.View {
	return view.Bounded(maxParts, func(int) bool { return true })
}

// find finds the file of a command like execvp(3).
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
		// Files that nobody may execute are skipped (runc: Go's exec.LookPath; crun: access(2)).
		if i < maxSearch && path.IsAbs(dir) && look(path.Join(dir, name)) && at.Stat.Mode&unix.S_IFMT == unix.S_IFREG && at.Stat.Mode&0o111 != 0 {
			return at, true
		}
	}
	return at, false
}

// asks reports whether a command of a script checks which user it is: by id or whoami, or by a test of UID or EUID. The
// entrypoints of Docker's official images do so, and call gosu only as root. It is no check if a command prints the user,
// passes on a UID from the environment (RUN_AS=${UID:-1000}), or looks up another user (id -u app).
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

// tests are the first words of commands that compare values.
var tests = []string{"[", "[[", "test", "case", "if", "elif", "while", "until", "!"}

// compares reports whether a test uses the value of UID or EUID, and not just for whether it is empty.
func compares(words []string) bool {
	for i, w := range words {
		if isUID(w) && i > 0 && words[i-1] != "-n" && words[i-1] != "-z" {
			return true
		}
	}
	return false
}

// asksFor reports whether a statement's words are whoami, or id -u without a user name.
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

// isUID reports whether a word is the value of UID or EUID, or replaces it.
func isUID(word string) bool {
	name, ok := strings.CutPrefix(word, "{")
	if !ok {
		return isUIDName(word)
	}
	end := strings.IndexFunc(name, isNoName)
	return end > 0 && isUIDName(name[:end])
}

func isUIDName(name string) bool { return name == "UID" || name == "EUID" }

// isNoName reports whether a character can't be part of a variable's name.
func isNoName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
}

// wordsOf returns a command's words, without quotes and dollar signs.
func wordsOf(command string) []string {
	return strings.FieldsFunc(command, func(r rune) bool { return strings.ContainsRune(" \t\"'$\n", r) })
}

// prints reports whether a command prints a message.
func prints(words []string) bool { return words[0] == "echo" || words[0] == "printf" }

// uncommented removes the comment from a line. A number sign begins one only at the beginning of a word, unlike in "$#".
func uncommented(line string) string {
	for i := range len(line) {
		if line[i] == '#' && (i == 0 || strings.IndexByte(" \t;|&()", line[i-1]) >= 0) {
			return line[:i]
		}
	}
	return line
}

// Calls returns the first of the switches and installers that a script calls, outside of comments and messages. It returns
// "" if there is none, or if the script first checks which user it is.
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
