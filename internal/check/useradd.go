// SPDX-License-Identifier: Apache-2.0

package check

import (
	"path"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/imageuser"
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
	if len(a.operands) == 0 {
		a.operands = []string{notKnown} // xargs adds it
	}
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

// accounts returns the commands of a RUN that make or change accounts.
func (s *script) accounts() (all []accountCommand) {
	for _, c := range s.commands {
		if c.words[0] == "echo" || c.words[0] == "printf" {
			continue
		}
		for n, w := range c.words {
			tool := path.Base(w)
			for name := range accountTools {
				if strings.Contains(w, notKnown) && strings.Contains(c.written[n], name) { // $(which useradd)
					tool = name
				}
			}
			if accountTools[tool] != "" {
				all = append(all, parseAccount(tool, c.words[n+1:]))
				break
			}
		}
	}
	for _, text := range s.unread {
		for tool := range accountTools {
			if strings.Contains(text, tool) {
				all = append(all, accountCommand{tool: tool, operands: []string{notKnown}, uid: notKnown, shared: true})
			}
		}
	}
	return all
}

// otherDatabases are files with lines like those of passwd, in which a number is no uid, and may be missing (shadow(5), group(5), gshadow(5),
// subuid(5), subgid(5)).
var otherDatabases = []string{"shadow", "group", "gshadow", "subuid", "subgid"}

// entry reports what a RUN that mentions passwd writes as an account's uid. An empty uid is root's.
func (s *script) entry(name string) (is who) {
	is = isOthers
	lines := slices.Clone(s.unread)
	add := func(text string, to []string) {
		if !slices.ContainsFunc(to, func(file string) bool {
			return slices.Contains(otherDatabases, strings.TrimSuffix(path.Base(file), "-"))
		}) {
			lines = append(lines, text)
		}
	}
	for _, c := range s.commands {
		add(strings.Join(c.words, " "), c.to)
	}
	for _, d := range s.documents {
		add(d.text, d.to)
	}
	isWord := func(c byte) bool {
		return c == '_' || c == '-' || c == '.' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	}
	for rest := strings.Join(lines, "\n"); ; {
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
