// SPDX-License-Identifier: Apache-2.0

package program

import (
	"path"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
)

// task is a purpose of programs that takes root.
type task struct {
	does, advice string
	needs        func(args []string) bool // what it's called with is that; nil: always
	capability   string                   // without which root may not either; "": one that every container is given
}

const (
	whenBuilt = "do so when the image is built"
	exempts   = "what has to do so needs an exemption, a rule with mode \"off\" and a reason"
)

var (
	accounts = task{does: "changes the accounts", advice: whenBuilt + " (USER), or name the user with --user"}
	network  = task{does: "changes the network's rules", advice: "have the host do so, or the engine; " + exempts, capability: "CAP_NET_ADMIN"}
	daemon   = task{does: "starts containers", advice: exempts, capability: "CAP_SYS_ADMIN"}
	tunnel   = task{does: "makes network devices", advice: exempts, capability: "CAP_NET_ADMIN"}
	mounts   = task{does: "mounts file systems", advice: "have the engine mount it (-v, --mount, --tmpfs)", needs: isNoQuestion, capability: "CAP_SYS_ADMIN"}
	modules  = task{does: "loads modules into the kernel", advice: "have the host load it", capability: "CAP_SYS_MODULE"}
	trust    = task{does: "writes the list of trusted certificates in /etc", advice: whenBuilt}
	zone     = task{does: "writes the time zone in /etc", advice: "set TZ", needs: isTimeZone}
	syslog   = task{does: "binds /dev/log by default", advice: "name a path below /run in its configuration, such as /run/log"}
	owners   = task{does: "gives files to another user", advice: "give the directories their owner when the image is built; nonroot-ctl volumes adopt changes a volume's"}
)

// tasks lists programs that serve such a purpose, always or with certain arguments. Scripts that call them usually end there
// (set -e).
var tasks = map[string]task{
	"useradd": accounts, "adduser": accounts, "usermod": accounts, "userdel": accounts, "deluser": accounts, "chpasswd": accounts,
	"groupadd": accounts, "addgroup": accounts, "groupmod": accounts, "groupdel": accounts, "delgroup": accounts,
	"iptables": network, "ip6tables": network, "iptables-restore": network, "iptables-legacy": network, "iptables-nft": network, "nft": network, "ipset": network,
	"ip":                     {does: network.does, advice: network.advice, needs: changesNetwork, capability: network.capability},
	"mount":                  mounts,
	"umount":                 mounts,
	"setcap":                 {does: "gives a file capabilities, which count for nothing here", advice: "leave it out"},
	"sysctl":                 {does: "changes the kernel's settings", advice: "have the engine do so (--sysctl)", needs: setsSysctl, capability: "CAP_SYS_ADMIN"},
	"insmod":                 modules,
	"modprobe":               modules,
	"update-ca-certificates": trust, "update-ca-trust": trust,
	"ldconfig": {does: "writes the loader's cache in /etc", advice: whenBuilt, needs: func(args []string) bool { return !slices.Contains(args, "-p") && !slices.Contains(args, "-N") }},
	"ln":       zone, "cp": zone,
	"hostname": {does: "changes the host name", advice: "have the engine do so (--hostname)", needs: func(args []string) bool { return len(args) == 1 && !isFlag(args[0]) }, capability: "CAP_SYS_ADMIN"},

	"syslogd": syslog, "rsyslogd": syslog, "syslog-ng": syslog,
	"sshd": {does: "logs people in as other users", advice: exempts}, "dropbear": {does: "logs people in as other users", advice: exempts},
	"cron": {does: "runs jobs as other users", advice: exempts}, "crond": {does: "runs jobs as other users", advice: exempts},
	"systemd": {does: "starts a whole system", advice: "start the service itself; " + exempts, capability: "CAP_SYS_ADMIN"},
	"openvpn": tunnel, "wg-quick": tunnel, "pppd": tunnel, "charon": tunnel, "ipsec": tunnel,
	"smbd":  {does: "serves files as the users who log in", advice: exempts},
	"udevd": {does: "makes device nodes", advice: exempts, capability: "CAP_SYS_ADMIN"}, "systemd-udevd": {does: "makes device nodes", advice: exempts, capability: "CAP_SYS_ADMIN"},
}

// setuid lists programs that let any user become another one if their file is setuid.
var setuid = []string{"sudo", "su", "doas"}

// chowns change owners.
var chowns = []string{"chown", "chgrp"}

func isFlag(arg string) bool { return strings.HasPrefix(arg, "-") }

// isNoQuestion reports whether mount is asked to mount something. Without arguments, or with -l, it only lists mounts.
func isNoQuestion(args []string) bool {
	return slices.ContainsFunc(args, func(arg string) bool { return !isFlag(arg) || arg == "-a" })
}

func changesNetwork(args []string) bool {
	return slices.ContainsFunc(args, func(arg string) bool {
		return slices.Contains([]string{"add", "del", "delete", "set", "replace", "change", "append", "flush"}, arg)
	})
}

func setsSysctl(args []string) bool {
	return slices.ContainsFunc(args, func(arg string) bool {
		return arg == "-w" || arg == "-p" || arg == "--system" || strings.Contains(arg, "=")
	})
}

// isTimeZone reports whether a file is copied or linked to set the time zone.
func isTimeZone(args []string) bool { return len(args) > 0 && args[len(args)-1] == "/etc/localtime" }

// taskOf returns the root-only task of a command, judged by its name and arguments. ok is false if it has none, or if it
// would have failed as root as well.
func (c Command) taskOf(name string, args []string) (t task, ok bool) {
	name = path.Base(name)
	if slices.Contains(chowns, name) {
		return owners, c.Chowns
	}
	if t, ok = tasks[name]; engines.IsDaemon(name) {
		t, ok = daemon, true
	}
	would := t.capability == "" || c.Asked == nil || slices.Contains(c.Asked, t.capability)
	return t, ok && would && (t.needs == nil || t.needs(args))
}

// against is what is known against running a script without root.
type against struct {
	ends bool   // it ends by itself, as it is not root
	by   string // a program that it calls, which only root may: of switches, installers or tasks
	task task
}

// against finds the root-only tasks that a script runs before it checks which user it is, and what it does when it finds out
// that it is not root.
func (c Command) against(script string) against {
	all := statements(script)
	if a := unlessRoot(all); a.ends || a.by != "" {
		return a
	}
	if chowns := c.firstTask(all); chowns.by != "" {
		if first := Calls(script); first == "" || strings.Index(script, first) > strings.Index(script, chowns.by) {
			return chowns
		}
	}
	return against{by: Calls(script)}
}

// firstTask returns the first task of a script, unless the script first checks which user it is.
func (c Command) firstTask(all []statement) against {
	for _, s := range all {
		if asks(s.text) {
			return against{}
		}
		for _, words := range s.commands() {
			if t, ok := c.taskOf(words[0], words[1:]); ok {
				return against{by: path.Base(words[0]), task: t}
			}
		}
	}
	return against{}
}

// statement is a simple command of a script, with the words in front of it.
type statement struct {
	op   string // what separates it from the one before: "&&", "||", "|", ";", "&" or a line's end
	text string
}

// statements splits a script as well as that is possible without a shell. Text within $( ), (( )) or backquotes stays part
// of its statement.
func statements(script string) (all []statement) {
	op := "\n"
	for line := range strings.Lines(script) {
		code := strings.TrimSuffix(uncommented(line), "\n")
		depth, quoted, start := 0, false, 0
		end := func(at, width int) {
			if text := strings.TrimSpace(code[start:at]); text != "" {
				all = append(all, statement{op, text})
				op = ""
			}
			if next := code[at:min(at+width, len(code))]; op == "" || next == "&&" || next == "||" {
				op = next
			}
			start = at + width
		}
		for i := 0; i < len(code); i++ {
			two := code[i:min(i+2, len(code))]
			switch ch := code[i]; {
			case two == "$(" || two == "((":
				depth++
				if two == "((" || strings.HasPrefix(code[i:], "$((") {
					depth++
				}
				i += map[bool]int{true: 2, false: 1}[strings.HasPrefix(code[i:], "$((")]
			case depth > 0 && ch == '(':
				depth++
			case depth > 0 && ch == ')':
				depth--
			case ch == '`':
				quoted = !quoted
			case depth > 0 || quoted:
			case two == "&&" || two == "||":
				end(i, 2)
				i++
			case strings.IndexByte(";|&()", ch) >= 0:
				end(i, 1)
			}
		}
		end(len(code), 0)
		if op == "" {
			op = "\n"
		}
	}
	return all
}

// leading are words that come before a command.
var leading = []string{"if", "elif", "while", "until", "then", "else", "do", "!", "{", "exec", "command", "time", "nice", "nohup", "env"}

// commands returns the words of a statement's command, and of the commands that it calls in $( ). It leaves out messages.
func (s statement) commands() (all [][]string) {
	for i, part := range strings.FieldsFunc(s.text, func(r rune) bool { return r == '(' || r == ')' || r == '`' }) {
		words := wordsOf(part)
		for len(words) > 0 && (slices.Contains(leading, words[0]) || strings.Contains(words[0], "=")) {
			if words[0] == "command" && len(words) > 1 && isFlag(words[1]) {
				words = nil // it is asked whether there is one
				break
			}
			words = words[1:]
		}
		if len(words) == 0 {
			continue
		}
		if i == 0 && prints(words) {
			return all
		}
		all = append(all, words)
	}
	return all
}

// first returns the first word of a statement.
func (s statement) first() string {
	word, _, _ := strings.Cut(s.text, " ")
	return word
}

// unlessRoot finds a test for root, and returns what the script does for other users.
func unlessRoot(all []statement) against {
	var names []string // variables that have the answer
	for i, s := range all {
		if name, of, ok := strings.Cut(s.text, "="); ok && strings.IndexFunc(name, isNoName) < 0 && isAnswer(of) {
			names = append(names, name)
			continue
		}
		root, ok := s.testsForRoot(names)
		if !ok {
			continue
		}
		var body []statement
		switch rest := all[i+1:]; {
		case slices.Contains([]string{"if", "elif"}, s.first()):
			body = branch(rest, root)
		case len(rest) > 0 && (rest[0].op == "&&" && !root || rest[0].op == "||" && root):
			body = chained(rest)
		}
		for _, b := range body {
			for _, words := range b.commands() {
				switch {
				case words[0] == "exit" && (len(words) == 1 || words[1] != "0"), words[0] == "die":
					return against{ends: true}
				case slices.Contains(switches, path.Base(words[0])):
					return against{by: path.Base(words[0])}
				}
			}
		}
	}
	return against{}
}

// isAnswer reports whether a value is the output of id -u or whoami.
func isAnswer(value string) bool {
	inner := strings.Trim(value, "\"")
	if inside, ok := strings.CutPrefix(inner, "$("); ok && strings.HasSuffix(inside, ")") {
		return asksFor(wordsOf(strings.TrimSuffix(inside, ")")))
	}
	return strings.HasPrefix(inner, "`") && asksFor(wordsOf(strings.Trim(inner, "`")))
}

// testsForRoot reports whether a statement tests for root, and whether it is true for root.
func (s statement) testsForRoot(names []string) (root, ok bool) {
	words := strings.FieldsFunc(s.text, func(r rune) bool { return strings.ContainsRune(" \t\"'$(){}`", r) })
	known := asks(s.text) || slices.ContainsFunc(names, func(name string) bool {
		return strings.Contains(s.text, "$"+name) || strings.Contains(s.text, "${"+name+"}")
	})
	if !known || !slices.Contains(words, "0") && !slices.Contains(words, "root") {
		return false, false
	}
	for _, w := range words {
		switch w {
		case "=", "==", "-eq":
			root, ok = true, true
		case "!=", "-ne", "-gt", ">":
			root, ok = false, true
		}
	}
	rest := s.text
	for _, word := range []string{"if ", "elif "} {
		rest = strings.TrimPrefix(rest, word)
	}
	if strings.HasPrefix(strings.TrimSpace(rest), "! ") {
		root = !root
	}
	return root, ok
}

// branch returns one branch of an if: the one after else, or the one before it.
func branch(rest []statement, behindElse bool) (body []statement) {
	within, depth := !behindElse, 0
	for _, s := range rest {
		switch s.first() {
		case "if":
			depth++
		case "fi":
			if depth--; depth < 0 {
				return body
			}
		case "else", "elif":
			if depth == 0 && !within {
				within = true
			} else if depth == 0 {
				return body
			}
		}
		if within {
			body = append(body, s)
		}
	}
	return body
}

// chained returns the command after && or ||, with the commands chained to it, or the group of commands that begins there.
func chained(rest []statement) (body []statement) {
	isGroup := rest[0].first() == "{"
	for i, s := range rest {
		if isGroup && s.first() == "}" || !isGroup && i > 0 && s.op != "&&" {
			return body
		}
		body = append(body, s)
	}
	return body
}
