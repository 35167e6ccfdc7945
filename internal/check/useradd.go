// SPDX-License-Identifier: Apache-2.0

package check

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
	"github.com/nonroot-runc/nonroot-runc/internal/imageuser"
	"github.com/nonroot-runc/nonroot-runc/internal/program"
)

// accountCommand is a command that makes or changes an account or a group, with the options of all programs for that: useradd, usermod, groupadd
// and groupmod (shadow), adduser and addgroup (Debian, and busybox).
type accountCommand struct {
	tool     string
	operands []string
	// uid and gid are the values of -u and -g, ingroup and groups those of --ingroup and -G or --groups, login is the one of usermod -l.
	uid, gid, ingroup, groups, login string
	short                            string // letters of its short options without values
	shared                           bool   // -o: the uid may be another account's, such as root's
	members                          bool   // groupadd -U
}

// notKnown stands in a word for a part of unknown value. No name, number or option contains it.
const notKnown = "\ufffd"

// empty stands between quotes for nothing, because BuildKit's lexer leaves out words that are empty.
const empty = "\x00"

// accountTools are the programs, with the letters of their options that have a value (useradd(8), usermod(8), groupadd(8), groupmod(8),
// adduser(8); busybox, loginutils/adduser.c and addgroup.c).
var accountTools = map[string]string{
	"useradd": "bcdefgGkKpPRsuZ", "adduser": "bcdefghGkKpPRsuZ", "usermod": "cdefgGlpPRsuvVwWZ",
	"groupadd": "gKpPRU", "addgroup": "gKpPRU", "groupmod": "gnpPRU",
}

// longValued are the long options with a value, and the letter that means the same. They may be abbreviated.
var longValued = []struct {
	name   string
	letter byte
}{
	{"uid", 'u'},
	{"gid", 'g'},
	{"groups", 'G'},
	{"ingroup", 'i'},
	{"login", 'l'},
	{"users", 'U'},
	{"base-dir", 0},
	{"comment", 0},
	{"conf", 0},
	{"expiredate", 0},
	{"firstgid", 0},
	{"firstuid", 0},
	{"gecos", 0},
	{"home-dir", 0},
	{"inactive", 0},
	{"key", 0},
	{"lastgid", 0},
	{"lastuid", 0},
	{"new-name", 0},
	{"password", 0},
	{"prefix", 0},
	{"root", 0},
	{"selinux-user", 0},
	{"shell", 0},
	{"skel", 0},
}

// longFlags are the long options without a value that an abbreviation above could be confused with.
var longFlags = []string{"group", "user-group", "no-create-home", "create-home", "system", "non-unique", "lock", "unlock"}

// parseAccount parses the words behind a tool's name.
func parseAccount(tool string, args []string) accountCommand {
	a := accountCommand{tool: tool}
	for n := 0; n < len(args); n++ {
		word := args[n]
		next := func() string {
			if n+1 >= len(args) {
				return ""
			}
			n++
			return args[n]
		}
		switch {
		case word == "--":
			a.operands = append(a.operands, args[n+1:]...)
			return a
		case strings.HasPrefix(word, "--"):
			name, value, given := strings.Cut(word[2:], "=")
			a.shared = a.shared || len(name) > len("no-") && strings.HasPrefix("non-unique", name)
			letter, valued := long(name)
			if valued && !given {
				value = next()
			}
			a.set(letter, value)
		case len(word) > 1 && word[0] == '-':
			for k := 1; k < len(word); k++ {
				if !strings.Contains(accountTools[tool], word[k:k+1]) {
					a.short += word[k : k+1]
					continue
				}
				value := word[k+1:]
				if value == "" {
					value = next()
				}
				a.set(word[k], value)
				break
			}
		default:
			a.operands = append(a.operands, word)
		}
	}
	a.shared = a.shared || strings.Contains(a.short, "o")
	return a
}

// long returns the letter of a long option, and whether it has a value.
func long(name string) (letter byte, valued bool) {
	if slices.Contains(longFlags, name) || len(name) < 2 {
		return 0, false
	}
	for _, o := range longValued {
		if strings.HasPrefix(o.name, name) {
			return o.letter, true
		}
	}
	return 0, false
}

func (a *accountCommand) set(letter byte, value string) {
	switch letter {
	case 'u':
		a.uid = value
	case 'g':
		a.gid = value
	case 'i':
		a.ingroup = value
	case 'G':
		a.groups = value
	case 'l':
		a.login = value
	case 'U':
		a.members = true
	}
}

// gives returns what the command makes of an account. ok is false if it sets no uid of it.
func (a *accountCommand) gives(name string) (is who, ok bool) {
	may := func(word string) bool { return word == name || strings.Contains(word, notKnown) }
	switch {
	case !slices.Contains([]string{"useradd", "adduser", "usermod"}, a.tool):
		return isOthers, false
	case a.login != "" && may(a.login):
		// usermod -l NEW OLD: the account keeps its uid.
		switch {
		case !slices.ContainsFunc(a.operands, func(old string) bool { return old == "root" || strings.Contains(old, notKnown) }):
			return isOthers, false
		case a.login == name && slices.Contains(a.operands, "root"):
			return isRoots, true
		}
		return isOpen, true
	case a.uid == "" && !a.shared, !slices.ContainsFunc(a.operands, may):
		return isOthers, false
	}
	switch uid := imageuser.Read(a.uid); {
	case uid.Kind == imageuser.Number, a.uid == "" && a.tool == "useradd" && len(a.operands) == 1:
		is = isOthers
	case uid.Kind == imageuser.Root && a.uid != "":
		is = isRoots
	case !a.shared:
		// Without -o, none of the programs makes a second account with the uid of another one, and root has one.
		is = isOthers
	default:
		is = isOpen
	}
	if slices.Contains(a.operands, name) {
		return is, true
	}
	return isOpen, is != isOthers // its name is not known
}

// script is what is known of the variables of a RUN's script.
type script struct {
	build dockerfile.Command
	shell string // "": unknown
	own   map[string]string
	lex   *shell.Lex
	// open: any variable may have any value, because of a command like read or eval.
	open bool
	// branches: what the script sets depends on a condition.
	branches bool
}

func newScript(c dockerfile.Command, by string) *script {
	return &script{build: c, shell: by, own: map[string]string{}, lex: shell.NewLex('\\')}
}

// Limits on what a script expands to, in bytes: its author chooses the values of variables, and how often each is used.
const (
	maxAccount  = 256
	maxExpanded = 1 << 20
)

// Get returns the value of a variable as the shell has it.
func (e *script) Get(name string) (string, bool) {
	by := program.Command{Shell: func() string { return e.shell }}
	value, ok := e.own[name]
	if !ok {
		value, ok = e.build.Variables[name]
	}
	switch {
	case e.open || by.IsShells(name) || len(value) > maxAccount:
		return notKnown, true
	case ok:
		return value, true
	case e.build.Unset[name]:
		return "", false
	}
	return notKnown, true
}

// Keys is for the lexer, which does not need it.
func (e *script) Keys() []string { return nil }

// assign records an assignment of the script. If it may not be the only one, the value is unknown.
func (e *script) assign(name, value string) {
	before, ok := e.own[name]
	if !ok {
		before, ok = e.build.Variables[name]
	}
	if e.branches || ok && before != value || len(value) > maxAccount {
		value = notKnown
	}
	e.own[name] = value
}

// Parts of a script by which the values of variables are uncertain.
var (
	isBranch   = regexp.MustCompile(`\|\||(?:^|[\s;&|({])(?:if|case|while|until|for)\s`)
	plain      = regexp.MustCompile(`\$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*\})`)
	isDefault  = regexp.MustCompile(`\$\{\w+:?=`)
	assignment = regexp.MustCompile(`^[A-Za-z_]\w*\+?=`)
)

// ofRun returns the commands of a RUN that make or change accounts.
func (e *script) ofRun(run *instructions.RunCommand) (all []accountCommand) {
	if !run.PrependShell {
		all = e.command(run.CmdLine, 0) // no shell expands it
	} else {
		all = e.accounts(textOf(run.ShellDependantCmdLine), 0)
	}
	for _, f := range run.Files {
		if !strings.Contains(textOf(run.ShellDependantCmdLine), f.Data) {
			all = append(all, e.accounts(f.Data, 0)...)
		}
	}
	return all
}

// maxNested is how many scripts within scripts are read.
const maxNested = 3

// accounts returns the commands of a script that make or change accounts.
func (e *script) accounts(text string, depth int) (all []accountCommand) {
	if !slices.ContainsFunc(slices.Collect(toolNames), func(tool string) bool { return strings.Contains(text, tool) }) || depth > maxNested {
		return nil
	}
	e.open = e.open || reads.MatchString(text) || isDefault.MatchString(text)
	e.branches = e.branches || isBranch.MatchString(text)
	left := maxExpanded
	for _, one := range simpleCommands(text) {
		if left -= strings.Count(one, "$")*maxAccount + len(one); left < 0 {
			return all
		}
		words := e.words(one)
		all = append(all, e.command(words, depth)...)
	}
	return all
}

// words returns the words of a simple command. A variable without a value counts as unknown, unless an operator gives it another: the tools
// refuse an empty name or uid, so if the build succeeds, it has one from --build-arg.
func (e *script) words(command string) []string {
	command = plain.ReplaceAllStringFunc(command, func(written string) string {
		if e.build.Unset[strings.Trim(written, "${}")] {
			if _, own := e.own[strings.Trim(written, "${}")]; !own {
				return notKnown
			}
		}
		return written
	})
	words, err := e.lex.ProcessWords(command, e)
	if err != nil {
		words = strings.Fields(strings.ReplaceAll(command, "$", notKnown)) // an operator that the lexer does not have
	}
	for n := range words {
		words[n] = strings.ReplaceAll(words[n], empty, "")
	}
	return words
}

// toolNames yields the names of the programs.
func toolNames(yield func(string) bool) {
	for tool := range accountTools {
		if !yield(tool) {
			return
		}
	}
}

// beforeCommand are words that may stand in front of a command in a script.
var beforeCommand = []string{"then", "do", "else", "elif", "if", "while", "until", "!", "{", "export", "readonly", "local", "declare", "typeset"}

// command returns what a command does to accounts, and records the variables that it sets.
func (e *script) command(words []string, depth int) []accountCommand {
	for len(words) > 1 && slices.Contains(beforeCommand, words[0]) {
		words = words[1:]
	}
	if len(words) == 0 {
		return nil
	}
	only := !slices.ContainsFunc(words, func(w string) bool { return !assignment.MatchString(w) })
	for _, w := range words {
		if !assignment.MatchString(w) {
			break
		}
		name, value, _ := strings.Cut(w, "=")
		if !only || strings.HasSuffix(name, "+") {
			defer func() { e.own[strings.TrimSuffix(name, "+")] = notKnown }() // behind a command, it may be that one's only
			continue
		}
		e.assign(name, value)
	}
	if words[0] == "for" && len(words) > 1 {
		e.own[words[1]] = notKnown
	}
	if only || words[0] == "echo" || words[0] == "printf" {
		return nil
	}
	for n, w := range words {
		if tool := path.Base(w); accountTools[tool] != "" {
			return []accountCommand{parseAccount(tool, words[n+1:])}
		}
		if program.IsShell(w) {
			var all []accountCommand
			for _, text := range words[n+1:] {
				all = append(all, e.accounts(text, depth+1)...)
			}
			return all
		}
	}
	return nil
}

// simpleCommands splits a script into simple commands. Command substitutions are replaced by notKnown.
func simpleCommands(text string) (all []string) {
	var one strings.Builder
	end := func() {
		if strings.TrimSpace(one.String()) != "" {
			all = append(all, one.String())
		}
		one.Reset()
	}
	quote := byte(0)
	for n := 0; n < len(text); n++ {
		c := text[n]
		switch {
		case c == '\\' && quote != '\'' && n+1 < len(text):
			if n++; text[n] != '\n' {
				one.WriteString(text[n-1 : n+1])
			}
		case quote != '\'' && (c == '`' || strings.HasPrefix(text[n:], "$(")):
			n = substituted(text, n)
			one.WriteString(notKnown)
		case quote != 0:
			if c == quote {
				quote = 0
				if text[n-1] == c {
					one.WriteString(empty)
				}
			}
			one.WriteByte(c)
		case c == '\'' || c == '"':
			quote = c
			one.WriteByte(c)
		case c == '#' && (n == 0 || strings.IndexByte(" \t\n;&|(", text[n-1]) >= 0):
			for n+1 < len(text) && text[n+1] != '\n' {
				n++
			}
		case c == '&' && n > 0 && (text[n-1] == '>' || text[n-1] == '<'):
			one.WriteByte(c)
		case strings.IndexByte("\n;&|()", c) >= 0:
			end()
		default:
			one.WriteByte(c)
		}
	}
	end()
	return all
}

// substituted returns the end of the command substitution that begins at a place in a text.
func substituted(text string, at int) int {
	if text[at] == '`' {
		for n := at + 1; n < len(text); n++ {
			switch text[n] {
			case '\\':
				n++
			case '`':
				return n
			}
		}
		return len(text) - 1
	}
	depth := 0
	for n := at + 1; n < len(text); n++ {
		switch text[n] {
		case '\\':
			n++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return n
			}
		}
	}
	return len(text) - 1
}

// expanded replaces the variables and substitutions in a text, and keeps its quotes.
func (e *script) expanded(text string) string {
	var to strings.Builder
	left := maxExpanded
	for n := 0; n < len(text); n++ {
		switch {
		case text[n] == '`' || strings.HasPrefix(text[n:], "$("):
			n = substituted(text, n)
			to.WriteString(notKnown)
		case text[n] == '$':
			length := len(variable.FindString(text[n:]))
			if length == 0 {
				to.WriteByte('$')
				continue
			}
			value, _, err := e.lex.ProcessWord(text[n:n+length], e)
			if left -= len(value); err != nil || left < 0 {
				value = notKnown
			}
			to.WriteString(value)
			n += length - 1
		default:
			to.WriteByte(text[n])
		}
	}
	return to.String()
}

// variable matches a variable at the beginning of a text.
var variable = regexp.MustCompile(`^\$(?:\w+|\{[^{}]*\})`)

// entry reports what a RUN that mentions passwd writes as an account's uid. An empty uid is root's.
func (e *script) entry(run *instructions.RunCommand, name string) (is who) {
	is = isOthers
	text := strings.Join(run.CmdLine, " ")
	for _, f := range run.Files {
		text += "\n" + f.Data
	}
	if !strings.Contains(text, passwd) {
		return is
	}
	isWord := func(c byte) bool {
		return c == '_' || c == '-' || c == '.' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	}
	for rest := e.expanded(text); ; {
		before, after, ok := strings.Cut(rest, name+":")
		if !ok {
			return is
		}
		rest = after
		if before != "" && isWord(before[len(before)-1]) {
			continue
		}
		password, fields, ok := strings.Cut(after, ":")
		if !ok || strings.ContainsAny(password, " \t\n") {
			continue
		}
		uid := fields[:len(fields)-len(strings.TrimLeft(fields, "0123456789"))]
		next := fields[len(uid):]
		switch {
		case uid == "" && strings.HasPrefix(next, ":"), uid != "" && strings.Trim(uid, "0") == "" && (next == "" || !isWord(next[0])):
			return isRoots
		case strings.Trim(uid, "0") == "" && (strings.HasPrefix(next, notKnown) || strings.HasPrefix(next, "%") || strings.HasPrefix(next, "$")):
			is = isOpen
		}
	}
}
