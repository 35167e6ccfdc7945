// SPDX-License-Identifier: Apache-2.0

package program

import (
	"path"
	"slices"
	"strings"
)

// OnlyRootPasses returns the program in a build step that only root can use, and without which the step would fail. If the
// build succeeds, the step ran as root. It follows the rules of the shell, and ignores commands whose failure could be
// passed over ("||", a later command without set -e, a condition), and everything after a construct that takes a real shell
// to parse. errexit means that the shell was started with -e.
func OnlyRootPasses(script string, errexit bool) (name string, ok bool) {
	all, whole := lists(script)
	for n, list := range all {
		if slices.ContainsFunc(list, func(p pipeline) bool { return slices.Contains(redefining, p.last()[0]) }) {
			return "", false
		}
		// The last list determines the script's status. With set -e, a list of one command counts as well; in a longer list,
		// the last command may not be reached, and failures of the others don't count.
		counts := whole && n == len(all)-1 || errexit && len(list) == 1
		for _, p := range list {
			counts = counts && p.op != "||" && p.op != "&"
		}
		for _, p := range list {
			if counts && OnlyRootRuns(p.last()) {
				return command(p.last())[0], true
			}
		}
		if len(list) == 1 && len(list[0].commands) == 1 {
			errexit = setsErrexit(list[0].last(), errexit)
		}
	}
	return "", false
}

// redefining commands may change the meaning of the words after them, or end the script.
var redefining = []string{"exit", "exec", "return", "trap", "alias", "eval", "source", ".", "function", "kill"}

// command returns a command's words without leading assignments.
func command(words []string) []string {
	for len(words) > 1 {
		name, _, ok := strings.Cut(words[0], "=")
		if !ok || name == "" || strings.IndexFunc(name, isNoName) >= 0 {
			break
		}
		words = words[1:]
	}
	return words
}

// Options with which package managers and account programs work in another directory, or do nothing.
var (
	harmless = []string{"-R", "-P", "-p", "-r", "-s", "-d", "-D", "--defaults", "--usermode", "--simulate", "--dry-run", "--no-act", "--just-print", "--recon", "--download-only", "--downloadonly", "--print-uris", "--help", "--version", "-h", "-V", "--from", "--to-destination"}
	another  = []string{"--root", "--installroot", "--prefix", "--dbpath", "--instdir", "--admindir", "-oDir", "Dir"}
)

// verbs are the subcommands by which package managers change the system.
var verbs = []string{"install", "add", "del", "update", "upgrade", "dist-upgrade", "full-upgrade", "remove", "erase", "purge", "autoremove", "reinstall", "build-dep", "groupinstall"}

// OnlyRootRuns reports whether a command fails for everyone but root. Package managers lock their database, and programs
// that change accounts lock /etc/passwd.
func OnlyRootRuns(words []string) bool {
	words = command(words)
	dir, name := path.Split(words[0])
	if len(words) < 2 || !slices.Contains([]string{"", "/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/"}, dir) {
		return false
	}
	isElsewhere := func(a string) bool {
		return slices.Contains(harmless, a) || slices.ContainsFunc(another, func(p string) bool { return strings.HasPrefix(a, p) })
	}
	switch name {
	case "useradd", "groupadd", "usermod", "groupmod", "userdel", "groupdel":
		return !slices.ContainsFunc(words[1:], func(a string) bool { return isElsewhere(a) && !slices.Contains([]string{"-r", "-s", "-d", "-p"}, a) })
	case "adduser", "addgroup", "deluser", "delgroup":
		return !slices.Contains(words[1:], "--help") && !slices.Contains(words[1:], "--version")
	case "dpkg":
		return slices.ContainsFunc(words[1:], func(a string) bool { return a == "-i" || a == "--install" }) && !slices.ContainsFunc(words[1:], isElsewhere)
	case "pacman":
		return strings.HasPrefix(words[1], "-S") && strings.Trim(words[1], "-Syu") == "" && !slices.ContainsFunc(words[1:], isElsewhere)
	case "setcap":
		return !isFlag(words[1]) && len(words) > 2
	case "chown":
		owner := slices.IndexFunc(words[1:], func(a string) bool { return !isFlag(a) })
		user, _, _ := strings.Cut(words[1+max(owner, 0)], ":")
		return owner >= 0 && len(words) > owner+2 && (user == "root" || user == "0")
	case "apt-get", "apt", "apk", "dnf", "microdnf", "tdnf", "yum", "zypper":
		verb := slices.IndexFunc(words[1:], func(a string) bool { return !isFlag(a) })
		return verb >= 0 && slices.Contains(verbs, words[1+verb]) && !slices.ContainsFunc(words[1:], isElsewhere)
	}
	return false
}

// setsErrexit reports whether a failure ends the shell after this command, because of set -e or set +e.
func setsErrexit(words []string, before bool) bool {
	if words[0] != "set" {
		return before
	}
	for n, a := range words[1:] {
		switch {
		case a == "--":
			return before
		case a == "errexit" && n > 0:
			before = strings.HasPrefix(words[n], "-")
		case strings.HasPrefix(a, "-") && strings.Contains(a, "e"):
			before = true
		case strings.HasPrefix(a, "+") && strings.Contains(a, "e"):
			before = false
		}
	}
	return before
}

// pipeline is a number of commands with one status, which is the last command's.
type pipeline struct {
	op       string // what stands in front of it in its list: "", "&&", "||"; "&": it runs in the background
	commands [][]string
}

func (p pipeline) last() []string { return p.commands[len(p.commands)-1] }

// compound are words that begin a compound command.
var compound = []string{"if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "case", "esac", "select", "{", "}", "!", "[[", "time", "coproc"}

// lists returns the lists of commands at the beginning of a shell script, without quotes. whole is false if something else
// follows.
func lists(script string) (all [][]pipeline, whole bool) {
	if len(script) > maxScript || strings.HasPrefix(strings.TrimSpace(script), "#!") {
		return nil, false
	}
	script = strings.ReplaceAll(script, "\\\n", "")
	var list []pipeline
	var words []string
	op, pipe := "", false
	ended := func() bool {
		if len(words) == 0 {
			return false
		}
		if pipe {
			p := &list[len(list)-1]
			p.commands = append(p.commands, words)
		} else {
			list = append(list, pipeline{op, [][]string{words}})
		}
		words, op, pipe = nil, "", false
		return true
	}
	end := func() {
		if len(list) > 0 {
			all = append(all, list)
		}
		list, op, pipe = nil, "", false
	}
	for i := 0; i < len(script); {
		two := script[i:min(i+2, len(script))]
		switch ch := script[i]; {
		case ch == ' ' || ch == '\t' || ch == '\r':
			i++
		case ch == '\n' && len(words) == 0 && (op != "" || pipe):
			i++ // the list goes on
		case two == ";;":
			return all, false
		case ch == ';' || ch == '\n':
			ended()
			end()
			i++
		case ch == '#' && (i == 0 || strings.IndexByte(" \t\n;&|", script[i-1]) >= 0):
			next := strings.IndexByte(script[i:], '\n')
			if next < 0 {
				next = len(script) - i
			}
			i += next
		case two == "&&" || two == "||":
			if !ended() {
				return all, false
			}
			op = two
			i += 2
		case ch == '|':
			if !ended() {
				return all, false
			}
			pipe = true
			i++
			if strings.HasPrefix(script[i:], "&") {
				i++
			}
		case ch == '&':
			if !ended() {
				return all, false
			}
			list[len(list)-1].op = "&"
			end()
			i++
		default:
			word, n, ok := spelled(script[i:])
			if !ok || n == 0 || len(words) == 0 && slices.Contains(compound, word) {
				return all, false
			}
			words = append(words, word)
			i += n
		}
	}
	if op != "" && len(words) == 0 || pipe && len(words) == 0 {
		return all, false
	}
	ended()
	end()
	return all, true
}

// spelled returns the word at the beginning of a text, without quotes, and its length there. Variables and substitutions are
// left as they are. It returns false for parentheses, here-documents, and unterminated quotes.
func spelled(text string) (word string, n int, ok bool) {
	var b strings.Builder
	quote := byte(0)
	for n < len(text) {
		ch := text[n]
		switch {
		case quote == '\'':
			if ch == '\'' {
				quote = 0
			} else {
				b.WriteByte(ch)
			}
		case ch == '\\' && n+1 < len(text):
			n++
			b.WriteByte(text[n])
		case ch == '`' || strings.HasPrefix(text[n:], "$("):
			length, closed := substituted(text[n:])
			if !closed {
				return "", n, false
			}
			b.WriteString(text[n : n+length])
			n += length - 1
		case quote == '"':
			if ch == '"' {
				quote = 0
			} else {
				b.WriteByte(ch)
			}
		case ch == '\'' || ch == '"':
			quote = ch
		case ch == '(' || ch == ')' || strings.HasPrefix(text[n:], "<<"):
			return "", n, false
		case strings.HasPrefix(text[n:], ">&"):
			b.WriteString(">&")
			n++
		case strings.IndexByte(" \t\r\n;&|", ch) >= 0:
			return b.String(), n, true
		default:
			b.WriteByte(ch)
		}
		n++
	}
	return b.String(), n, quote == 0
}

// substituted returns the length of the command substitution at the beginning of a text, in backquotes or $( ).
func substituted(text string) (n int, closed bool) {
	if text[0] == '`' {
		at := strings.IndexByte(text[1:], '`')
		return at + 2, at >= 0
	}
	depth, quote := 0, byte(0)
	for n = 1; n < len(text); n++ {
		switch ch := text[n]; {
		case ch == '\\':
			n++
		case quote != 0:
			if ch == quote {
				quote = 0
			}
		case ch == '\'' || ch == '"':
			quote = ch
		case ch == '(':
			depth++
		case ch == ')':
			if depth--; depth == 0 {
				return n + 1, true
			}
		}
	}
	return n, false
}
