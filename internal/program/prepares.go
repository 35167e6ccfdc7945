// SPDX-License-Identifier: Apache-2.0

package program

import (
	"path"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/ids"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
)

// fileTools only create, fill and show files. With common options, none of them runs another program.
var fileTools = []string{
	":", "[", "cat", "chgrp", "chmod", "chown", "cp", "echo", "exit", "id", "install", "ls", "mkdir", "mv", "printf", "rm", "set", "sleep",
	"stat", "test", "touch", "true", "umask",
}

// calledBy returns the command that find or xargs calls for the files that find names, which steps of Helm charts do. xargs
// may only have options that don't affect that. It returns find itself if find calls nothing, and false if it can't tell.
func calledBy(words []string) (called []string, ofOthers, ok bool) {
	switch path.Base(words[0]) {
	case "find":
		return words, false, !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "-exec") || strings.HasPrefix(w, "-ok") })
	case "xargs":
		rest := words[1:]
		for len(rest) > 0 && slices.Contains([]string{"-0", "-r", "-0r", "-r0", "--null", "--no-run-if-empty"}, rest[0]) {
			rest = rest[1:]
		}
		return rest, true, len(rest) > 0 && slices.Contains(fileTools, path.Base(rest[0]))
	}
	return words, false, slices.Contains(fileTools, path.Base(words[0]))
}

// chownOptions are chown's long options that don't name an owner (chown(1)).
var chownOptions = []string{"--", "--changes", "--no-dereference", "--preserve-root", "--quiet", "--recursive", "--silent", "--verbose"}

// Prepares returns the user for whom a command prepares one of the places: it only calls programs that handle files, and
// changes the owner of something there to one numeric user. gid is 0 if the command names none. Places have to be absolute
// and clean.
func (c Command) Prepares(places []string) (uid, gid uint32, ok bool) {
	commands, ok := c.commands()
	if !ok {
		return 0, 0, false
	}
	cwd, named := path.Clean("/"+c.Cwd), false
	for _, words := range commands {
		called, ofOthers, isFiles := calledBy(words)
		switch {
		case path.Base(words[0]) == "cd":
			if len(words) != 2 {
				return 0, 0, false
			}
			cwd = at(cwd, words[1])
		case !isFiles, path.Base(words[0]) == "printf" && len(words) > 1 && words[1] == "-v": // bash's sets a variable
			return 0, 0, false
		case path.Base(called[0]) == "chown":
			u, g, paths, ok := owner(called[1:], ofOthers)
			if !ok || uid != 0 && u != uid {
				return 0, 0, false
			}
			if uid == 0 {
				uid, gid = u, g
			}
			named = named || slices.ContainsFunc(paths, func(p string) bool { return touches(places, at(cwd, p)) })
		}
	}
	return uid, gid, named
}

func at(cwd, p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join(cwd, p)
}

// touches reports whether a path is in one of the places, or above one.
func touches(places []string, p string) bool {
	return slices.ContainsFunc(places, func(place string) bool {
		return links.Within(place, p) || p != "/" && links.Within(p, place)
	})
}

// owner parses chown's operands (chown(1)). ofOthers means that xargs supplies the file names. A user name is skipped: it
// comes from the image's passwd, and such a container keeps its user anyway.
func owner(words []string, ofOthers bool) (uid, gid uint32, paths []string, ok bool) {
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		// GNU long options can be abbreviated, and some take a value (--from, --reference).
		if strings.HasPrefix(words[0], "--") && !slices.Contains(chownOptions, words[0]) {
			return 0, 0, nil, false
		}
		words = words[1:]
	}
	if len(words) < 2 && !(ofOthers && len(words) == 1) {
		return 0, 0, nil, false
	}
	user, group, hasGroup := strings.Cut(words[0], ":")
	uid, ok = ids.Plain(user)
	if ok && hasGroup && group != "" {
		gid, ok = ids.Plain(group)
	}
	return uid, gid, words[1:], ok && uid != 0
}

// commands returns the commands of a command line: itself, or the ones that it has a shell run. It returns false if that
// takes a real shell.
func (c Command) commands() ([][]string, bool) {
	if len(c.Args) == 0 {
		return nil, false
	}
	if !slices.Contains(shells, path.Base(c.Args[0])) {
		return [][]string{c.Args}, true
	}
	options := c.Args[1:]
	for len(options) > 2 && strings.HasPrefix(options[0], "-") && !strings.HasSuffix(options[0], "c") && strings.Trim(options[0], "-euvx") == "" {
		options = options[1:]
	}
	if len(options) != 2 || !strings.HasSuffix(options[0], "c") || !strings.HasPrefix(options[0], "-") || strings.Trim(options[0], "-ceuvx") != "" {
		return nil, false
	}
	return c.commandsOf(options[1])
}

// commandsOf parses a sequence of simple commands, including those in an if. It returns false for anything else.
func (c Command) commandsOf(script string) (all [][]string, ok bool) {
	if !strings.Contains(script, "'") {
		script = strings.ReplaceAll(script, "\\\n", "") // the line goes on
	}
	if len(script) > maxScript {
		return nil, false
	}
	var words []string
	end := func() {
		for len(words) > 0 && slices.Contains([]string{"if", "then", "else", "elif", "fi", "!"}, words[0]) {
			words = words[1:]
		}
		if len(words) > 0 {
			all = append(all, words)
		}
		words = nil
	}
	for i := 0; i < len(script); {
		switch ch := script[i]; {
		case ch == ' ' || ch == '\t':
			i++
		case ch == ';' || ch == '\n' || ch == '&' || ch == '|':
			end()
			i++
		case ch == '#':
			return nil, false
		default:
			word, n, closed := c.wordAt(script[i:])
			if !closed {
				return nil, false
			}
			words = append(words, word)
			i += n
		}
	}
	end()
	return all, len(all) > 0
}

// Characters that are special to a shell: outside of quotes, and within double quotes.
const (
	notPlain       = "`\\(){}*?<>"
	notPlainQuoted = "`\\"
)

// wordAt parses the word at the beginning of a text, removes quotes and replaces variables from the container's environment.
// It also returns the word's length in the text. It returns false if that takes a real shell.
func (c Command) wordAt(text string) (word string, n int, closed bool) {
	var b strings.Builder
	quote := byte(0)
	for n < len(text) {
		switch ch := text[n]; {
		case quote != 0 && ch == quote:
			quote = 0
		case ch == '$' && quote != '\'':
			value, length, ok := c.variableAt(text[n:])
			if !ok {
				return "", n, false
			}
			b.WriteString(value)
			n += length - 1
		case quote == 0 && strings.IndexByte(notPlain, ch) >= 0, quote == '"' && strings.IndexByte(notPlainQuoted, ch) >= 0:
			return "", n, false
		case quote != 0:
			b.WriteByte(ch)
		case ch == '\'' || ch == '"':
			quote = ch
		case strings.IndexByte(" \t\n;&|", ch) >= 0:
			return b.String(), n, true
		default:
			b.WriteByte(ch)
		}
		n++
	}
	return b.String(), n, quote == 0
}

// variableAt expands the variable at the beginning of a text, as $NAME, ${NAME}, ${NAME:-VALUE} or ${NAME-VALUE}, and
// returns its length there. It returns false if it has no value, if the shell sets it itself, or if the value would be split
// into several words.
func (c Command) variableAt(text string) (value string, length int, ok bool) {
	if c.Variable == nil {
		return "", 0, false
	}
	name := text[1:]
	braced := strings.HasPrefix(name, "{")
	if braced {
		name = name[1:]
	}
	end := strings.IndexFunc(name, isNoName)
	if end < 0 {
		end = len(name)
	}
	rest := name[end:]
	if name = name[:end]; name == "" || name[0] >= '0' && name[0] <= '9' || c.IsShells(name) {
		return "", 0, false
	}
	value, known := c.Variable(name)
	length = 1 + len(name)
	if braced {
		inside, _, closed := strings.Cut(rest, "}")
		otherwise, emptyToo := strings.CutPrefix(inside, ":-")
		if !emptyToo {
			otherwise, _ = strings.CutPrefix(inside, "-")
		}
		if !closed || inside != "" && otherwise == inside {
			return "", 0, false
		}
		if inside != "" && (!known || emptyToo && value == "") {
			value, known = otherwise, true
		}
		length += 2 + len(inside)
	}
	return value, length, known && value != "" && strings.Trim(value, plainValue) == ""
}

// plainValue has the characters of values that mean the same in and out of quotes.
const plainValue = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,@%+"

// ownVariables are those that a shell sets itself, whatever the environment has (POSIX.1-2024, Shell Command Language,
// 2.5.3; dash(1); bash(1), "Shell Variables"), and those that depend on the identity.
var ownVariables = []string{
	"_", "COLUMNS", "CDPATH", "DIRSTACK", "ENV", "FUNCNAME", "GROUPS", "HISTCMD", "HOME", "HOSTNAME", "HOSTTYPE", "IFS", "LINENO", "LINES", "LOGNAME", "MACHTYPE", "MAILCHECK",
	"OLDPWD", "OPTARG", "OPTIND", "OSTYPE", "PIPESTATUS", "POSIXLY_CORRECT", "PPID", "PS1", "PS2", "PS4", "PWD", "RANDOM", "REPLY", "SECONDS", "SHELL", "SHELLOPTS",
	"SHLVL", "SRANDOM", "USER", "USERNAME",
}

// leavesUID lists the shells in which UID, EUID and GID come from the environment (dash(1); busybox, ash). In bash they are
// read-only, and zsh and ksh set their own.
var leavesUID = []string{"dash", "busybox"}

// IsShells reports whether the shell itself sets a variable.
func (c Command) IsShells(name string) bool {
	switch name {
	case "UID", "EUID", "GID", "EGID":
		return c.Shell == nil || !slices.Contains(leavesUID, c.Shell())
	}
	return slices.Contains(ownVariables, name) || strings.HasPrefix(name, "BASH") || strings.HasPrefix(name, "EPOCH") || strings.HasPrefix(name, "COMP_")
}
