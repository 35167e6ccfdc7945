// SPDX-License-Identifier: Apache-2.0

package program

import (
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
)

// Uses lists what a command and its shell scripts use of an image, as far as the words can be read without a shell.
type Uses struct {
	Programs []rootfs.Entry // files that are started, the container's own first, each once
	Places   []string       // absolute and clean: where they work, what is handed on to programs, and what they write
}

// Limits on the search. The image, or whoever starts the container, chooses all of it.
const (
	maxScripts = 4        // that are read
	maxText    = 16 << 10 // bytes of each
	maxUsed    = 24       // programs that are looked for
	maxPlaces  = 32
	maxParts   = 16 << 10 // of paths that are looked at: an ordinary container has some hundred
)

// ordinary lists shell built-ins and the programs of base systems that scripts use most (Debian's coreutils, findutils,
// grep, sed, hostname, util-linux, gzip, tar; busybox). They are world-executable, so that none is looked up.
var ordinary = []string{
	".", ":", "[", "[[", "alias", "awk", "basename", "bg", "break", "cat", "cd", "chgrp", "chmod", "chown", "command", "continue", "cp", "cut",
	"date", "declare", "dirname", "do", "done", "echo", "elif", "else", "esac", "eval", "exit", "export", "expr", "false", "fg", "fi", "find", "for",
	"function", "getopts", "grep", "gzip", "head", "hostname", "id", "if", "in", "install", "jobs", "kill", "let", "ln", "local", "ls", "mkdir",
	"mktemp", "mv", "popd", "printf", "pushd", "pwd", "read", "readlink", "readonly", "realpath", "return", "rm", "rmdir", "sed", "seq", "set",
	"shift", "shopt", "sleep", "sort", "source", "stat", "tail", "tar", "tee", "test", "then", "touch", "tr", "trap", "true", "type", "typeset",
	"ulimit", "umask", "uname", "uniq", "unset", "until", "wait", "wc", "which", "while", "whoami", "xargs", "{", "}",
}

// Uses finds what the command uses. In a script, what is in a function or under a condition counts like everything else.
func (c Command) Uses(view *rootfs.View) Uses {
	view = view.Bounded(maxParts, nil)
	c.Path = searched(view, c.Path)
	l := &looker{c: c, view: view, seen: map[string]bool{}}
	args := skipInit(skipInit(c.Args))
	if len(args) == 0 {
		return l.Uses
	}
	cwd := path.Join("/", c.Cwd)
	l.command(args, cwd)
	// Arguments of an entrypoint are usually a command themselves (exec "$@").
	if rest := args[1:]; len(l.Programs) > 0 && !slices.Contains(shells, path.Base(args[0])) && len(rest) > 0 && !isFlag(rest[0]) {
		l.command(rest, cwd)
	}
	for n := 0; n < len(l.scripts) && n < maxScripts; n++ {
		l.script(l.scripts[n].text(view), cwd)
	}
	return l.Uses
}

// searched returns the directories of PATH without links and duplicates, because in most images /bin is there twice and
// following links is slow. The view leaves out mounted directories, since they are not the image's.
func searched(view *rootfs.View, search string) string {
	var dirs []string
	for i, dir := range strings.SplitN(search, ":", maxSearch+1) {
		if i == maxSearch || !path.IsAbs(dir) {
			continue
		}
		at, err := view.Look(path.Clean(dir))
		if err == nil && at.Exists && !strings.Contains(at.Path, ":") && !slices.Contains(dirs, at.Path) {
			dirs = append(dirs, at.Path)
		}
	}
	return strings.Join(dirs, ":")
}

// looker collects what a command uses.
type looker struct {
	Uses
	c       Command
	view    *rootfs.View
	seen    map[string]bool // commands that were looked for
	scripts []scriptAt
}

// scriptAt is a script to read: the argument of a shell's -c, or a file.
type scriptAt struct {
	inline string
	file   string
}

func (s scriptAt) text(view *rootfs.View) string {
	if s.file == "" {
		return s.inline
	}
	text := view.Head(s.file, maxText)
	if !strings.HasPrefix(text, "#!") || !isShells(text) {
		return ""
	}
	return text
}

// command adds the words of one command.
func (l *looker) command(words []string, cwd string) {
	name := words[0]
	l.operands(words[1:])
	if text, ok := inline(words); ok {
		l.scripts = append(l.scripts, scriptAt{inline: text})
		return
	}
	if file := scriptFile(words); file != "" {
		name = at(cwd, file) // no shell looks in PATH first
	}
	l.program(name, cwd)
}

// program looks up an executable file.
func (l *looker) program(name, cwd string) {
	if slices.Contains(ordinary, name) || strings.ContainsAny(name, unread) || name == "" {
		return
	}
	if strings.Contains(name, "/") {
		name = at(cwd, name)
		l.place(name)
	}
	if l.seen[name] || len(l.seen) >= maxUsed || strings.Count(name, "/") > mostDeep {
		return
	}
	l.seen[name] = true
	file, ok := l.c.find(l.view, name)
	if !ok || file.Stat.Mode&unix.S_IFMT != unix.S_IFREG || file.Mount != nil {
		return
	}
	if slices.ContainsFunc(l.Programs, func(p rootfs.Entry) bool { return p.Path == file.Path }) {
		return
	}
	l.Programs = append(l.Programs, file)
	if file.Stat.Size <= maxOpened && len(l.scripts) < maxScripts {
		l.scripts = append(l.scripts, scriptAt{file: file.Path})
	}
}

// unread are characters of words that only a shell can expand.
const unread = "$`*?[]{}()~\\'\"<>|&;= \t\n\x00"

// operands returns the paths in a command's arguments, alone or as an option's value.
func (l *looker) operands(words []string) {
	for _, w := range words {
		if isFlag(w) {
			_, w, _ = strings.Cut(w, "=")
		}
		l.place(w)
	}
}

// place adds a path, if all of it is known. For a pattern, it adds the directory.
func (l *looker) place(p string) {
	if n := strings.IndexAny(p, "*?["); n > 0 {
		p = p[:strings.LastIndexByte(p[:n], '/')+1]
	}
	if !path.IsAbs(p) || strings.ContainsAny(p, unread) || strings.Count(p, "/") > mostDeep || len(l.Places) >= maxPlaces {
		return
	}
	if p = path.Clean(p); p != "/" && !slices.Contains(l.Places, p) {
		l.Places = append(l.Places, p)
	}
}

// script adds a shell script.
func (l *looker) script(text, cwd string) {
	for _, s := range statements(withoutDocuments(text)) {
		words, targets := redirected(plainWords(s.text))
		for _, t := range targets {
			l.place(t)
		}
		for _, called := range s.commands() {
			l.program(called[0], cwd)
		}
		for len(words) > 0 && (slices.Contains(leading, words[0]) || strings.Contains(words[0], "=")) {
			words = words[1:]
		}
		if len(words) < 2 {
			continue
		}
		switch name := path.Base(words[0]); {
		case name == "cd":
			l.operands(words[1:2])
			if path.IsAbs(words[1]) && !strings.ContainsAny(words[1], unread) {
				cwd = path.Clean(words[1])
			}
		case writers[name] == Puts:
			l.operands(words[len(words)-1:])
		case changes(name, words[1:]):
			l.operands(words[1:])
		case slices.Contains(shells, path.Base(words[0])):
			l.command(words, cwd)
		case !slices.Contains(ordinary, name):
			l.operands(words[1:])
		}
	}
}

// changes reports whether a command writes to its arguments, or passes them on to be written to.
func changes(name string, args []string) bool {
	has := func(begin string) bool {
		return slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, begin) })
	}
	switch name {
	case "for":
		return true
	case "sed":
		return has("-i") || has("--in-place")
	case "find":
		return has("-exec") || has("-delete")
	}
	_, writes := writers[name]
	return writes
}
