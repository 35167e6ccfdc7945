// SPDX-License-Identifier: Apache-2.0

package program

import (
	"path"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/ids"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
)

// fileTools are programs that make, fill and show files, and leave it at that. None starts another program by its usual options.
var fileTools = []string{
	":", "[", "cat", "chgrp", "chmod", "chown", "cp", "echo", "exit", "id", "install", "ls", "mkdir", "mv", "printf", "rm", "set", "sleep",
	"stat", "test", "touch", "true", "umask",
}

// calledBy is the command that another one calls for the files that find names, as charts' steps have it: one of xargs without other
// options than those that say nothing of it. Of find itself it is find, unless it calls something. It is false for what can't be told.
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

// chownOptions are long options of chown(1) that do not say who.
var chownOptions = []string{"--", "--changes", "--no-dereference", "--preserve-root", "--quiet", "--recursive", "--silent", "--verbose"}

// Prepares is whom a command prepares one of the places for: it calls nothing but what handles files, and gives something there, or
// all of it, to one user by number. gid is 0 where it names none. Places are absolute and clean.
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

// touches reports whether a path lies in one of the places, or a place in it.
func touches(places []string, p string) bool {
	return slices.ContainsFunc(places, func(place string) bool {
		return links.Within(place, p) || p != "/" && links.Within(p, place)
	})
}

// owner reads chown's operands (chown(1)), which name no file where those are xargs' (ofOthers). A name is for the image's passwd,
// whose user the container is as it is.
func owner(words []string, ofOthers bool) (uid, gid uint32, paths []string, ok bool) {
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		// GNU's may be abbreviated, and take a value (--from, --reference).
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

// commands are those that a command line calls, each with its words: itself, or what it has a shell do. It is false for what would
// take a shell to read.
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

// commandsOf reads simple commands, one after the other, also those of an if. It is false for anything else.
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

// Signs that a shell does not take as they are: outside of quotes, and between double ones.
const (
	notPlain       = "`\\(){}*?<>"
	notPlainQuoted = "`\\"
)

// wordAt is the word with which a text begins, without its quotes and with what the container's environment has in place of variables,
// and how long it is there. It is false for one that would take a shell to read.
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

// variableAt is the value of the variable with which a text begins, as $NAME, ${NAME}, ${NAME:-VALUE} or ${NAME-VALUE}, and how long that
// is there. It is false where there is no value, or one that a shell would take apart, and for what the shell sets itself.
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
	if name = name[:end]; name == "" || name[0] >= '0' && name[0] <= '9' || c.isShells(name) {
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

// plainValue are the signs of values that are the same within quotes and without.
const plainValue = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,@%+"

// ownVariables are those that a shell sets itself, whatever the environment says (POSIX.1-2024, Shell Command Language, 2.5.3; dash(1);
// bash(1), "Shell Variables"), and those that an identity changes.
var ownVariables = []string{
	"_", "COLUMNS", "CDPATH", "DIRSTACK", "ENV", "FUNCNAME", "GROUPS", "HISTCMD", "HOME", "HOSTNAME", "HOSTTYPE", "IFS", "LINENO", "LINES", "LOGNAME", "MACHTYPE", "MAILCHECK",
	"OLDPWD", "OPTARG", "OPTIND", "OSTYPE", "PIPESTATUS", "POSIXLY_CORRECT", "PPID", "PS1", "PS2", "PS4", "PWD", "RANDOM", "REPLY", "SECONDS", "SHELL", "SHELLOPTS",
	"SHLVL", "SRANDOM", "USER", "USERNAME",
}

// leavesUID are shells that know no UID, EUID and GID of their own, so that the environment's count (dash(1); busybox, ash): bash's
// are read-only, and zsh's and ksh's their own, too.
var leavesUID = []string{"dash", "busybox"}

// isShells reports whether a variable is the shell's.
func (c Command) isShells(name string) bool {
	switch name {
	case "UID", "EUID", "GID", "EGID":
		return c.Shell == nil || !slices.Contains(leavesUID, c.Shell())
	}
	return slices.Contains(ownVariables, name) || strings.HasPrefix(name, "BASH") || strings.HasPrefix(name, "EPOCH") || strings.HasPrefix(name, "COMP_")
}
