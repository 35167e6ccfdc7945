// SPDX-License-Identifier: Apache-2.0

package program

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// Write is a command of a script that writes to a path spelled out in the script.
type Write struct {
	Path string
	How  How
}

// How is the kind of a Write.
type How uint8

// Open a file for writing, and create it if needed; create a directory; put a file or link at the path, or into it if it is
// a directory; remove or replace what is there.
const (
	Opens How = iota
	Makes
	Puts
	Replaces
)

// mostWrites is the maximum number of writes per script.
const mostWrites = 8

// writers are commands that write to their operands, and how. Changing the mode or owner of other users' files is covered by
// the tasks.
var writers = map[string]How{
	"touch": Opens, "tee": Opens, "mkfifo": Opens, "mkdir": Makes, "cp": Puts, "mv": Puts, "ln": Puts, "install": Puts, "rm": Replaces, "rmdir": Replaces,
}

// writesOf returns the paths that the simple commands of a shell script write to before it checks which user it is. It
// leaves out commands under a condition (if, case), commands whose failure is handled (||), and paths with a variable or
// pattern.
func writesOf(script string) []Write { return writesFrom(script, "") }

// writesFrom is writesOf for a script with a known working directory. Relative paths start from there, until the script
// leaves it; if cwd is "", they are left out.
func writesFrom(script, cwd string) (all []Write) {
	statements, depth := statements(script), 0
	for i, s := range statements {
		if len(all) >= mostWrites {
			break
		}
		if slices.Contains([]string{"cd", "pushd", "popd"}, s.first()) {
			cwd = ""
		}
		switch s.first() {
		case "if", "case":
			depth++
		case "fi", "esac":
			depth--
		}
		if asks(s.text) {
			return all
		}
		if depth == 0 && s.becomes() {
			all = append(all, s.writes(cwd)...)
			return all[:min(len(all), mostWrites)] // nothing goes on behind it
		}
		if depth > 0 || i+1 < len(statements) && statements[i+1].op == "||" || s.op == "&&" && i > 0 && isTest(statements[i-1].first()) {
			continue
		}
		all = append(all, s.writes(cwd)...)
		all = all[:min(len(all), mostWrites)]
	}
	return all
}

// becomes reports whether the shell is replaced by another program: exec with more than redirections.
func (s statement) becomes() bool {
	words := strings.Fields(s.text)
	return len(words) > 1 && words[0] == "exec" && !strings.ContainsAny(words[1][:1], "<>&0123456789")
}

// isTest reports whether a command only tests a condition.
func isTest(name string) bool { return name == "[" || name == "[[" || name == "test" }

// withoutDocuments removes here-documents, because they are not commands.
func withoutDocuments(script string) string {
	if !strings.Contains(script, "<<") {
		return script
	}
	var out strings.Builder
	var ends []string // of those that follow, in their order
	for line := range strings.Lines(script) {
		if len(ends) > 0 {
			if strings.Trim(line, " \t\n") == ends[0] {
				ends = ends[1:]
			}
			continue
		}
		out.WriteString(line)
		for after, ok := cutDocument(line); ok; after, ok = cutDocument(after) {
			after := strings.TrimPrefix(after, "-")
			const longest = 64 // a name; the line's rest is read again for the next one
			after, _, _ = strings.Cut(after[:min(len(after), longest)], "<")
			if words := plainWords(after); len(words) > 0 {
				end, _, _ := strings.Cut(words[0], ";")
				ends = append(ends, strings.TrimRight(end, "|&)"))
			}
		}
	}
	return out.String()
}

// cutDocument returns what follows the operator of the first here-document in a line. A here-string (<<<) is none.
func cutDocument(line string) (after string, ok bool) {
	for {
		if _, after, ok = strings.Cut(line, "<<"); !ok || !strings.HasPrefix(after, "<") {
			return after, ok
		}
		line = strings.TrimLeft(after, "<")
	}
}

// writes returns the writes of one statement. dir is its working directory; "": unknown.
func (s statement) writes(cwd string) (all []Write) {
	words, targets := redirected(plainWords(s.text))
	if strings.Contains(s.text, "((") || isTest(s.first()) {
		cwd = "" // what looks like a redirection compares
	}
	for _, t := range targets {
		all = append(all, Write{t, Opens})
	}
	for len(words) > 0 && (slices.Contains(leading, words[0]) || strings.Contains(words[0], "=")) {
		words = words[1:]
	}
	if len(words) < 2 {
		return fixed(all, cwd)
	}
	all = append(fixed(all, cwd), byWords(words, cwd)...)
	return all
}

// byWords returns the writes of a simple command.
func byWords(words []string, cwd string) (all []Write) {
	name, operands := path.Base(words[0]), slices.DeleteFunc(slices.Clone(words[1:]), isFlag)
	how, ok := writers[name]
	switch {
	case name == "sed" && slices.ContainsFunc(words[1:], func(w string) bool { return strings.HasPrefix(w, "-i") || strings.HasPrefix(w, "--in-place") }):
		how = Replaces
	case !ok || len(operands) == 0:
		operands = nil
	case how == Puts:
		operands = operands[len(operands)-1:]
	}
	if slices.ContainsFunc(words[1:], func(w string) bool { return isFlag(w) && strings.Trim(w, "-"+plainFlags) != "" }) {
		cwd = "" // one of the operands may be an option's value
	}
	for _, o := range operands {
		all = append(all, Write{o, how})
	}
	return fixed(all, cwd)
}

// plainFlags are, for each of the writers, the letters of options without a value.
const plainFlags = "pvfRan"

// mostDeep is the maximum number of elements of a path. The script's author chooses the path.
const mostDeep = 12

// fixed keeps the writes with a known path: an absolute one, or a relative one if the working directory is known. It drops
// /dev, where everyone may write, and the kernel's file systems, where nobody may.
func fixed(all []Write, cwd string) []Write {
	for i := range all {
		if cwd != "" && all[i].Path != "" && !path.IsAbs(all[i].Path) {
			all[i].Path = strings.TrimSuffix(cwd, "/") + "/" + all[i].Path
		}
		if path.IsAbs(all[i].Path) && !strings.ContainsAny(all[i].Path, "$`*?[{~\x00") && strings.Count(all[i].Path, "/") <= mostDeep {
			all[i].Path = path.Clean(all[i].Path)
		} else {
			all[i].Path = ""
		}
	}
	within := func(p, dir string) bool { return strings.HasPrefix(p, dir+"/") }
	return slices.DeleteFunc(all, func(w Write) bool {
		return w.Path == "" || within(w.Path, "/proc") || within(w.Path, "/sys") || within(w.Path, "/dev") && w.How == Opens && w.Path != "/dev/log"
	})
}

// plainWords returns a statement's words without quotes. Words with a variable keep the dollar sign.
func plainWords(text string) (words []string) {
	var word strings.Builder
	var quoted byte
	begun := false
	end := func() {
		if begun {
			words = append(words, word.String())
		}
		word.Reset()
		begun = false
	}
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; {
		case quoted == 0 && (ch == ' ' || ch == '\t' || ch == '\n'):
			end()
			continue
		case quoted == 0 && (ch == '>' || ch == '<'):
			// A number in front of it is a file descriptor.
			if strings.Trim(word.String(), "0123456789") != "" || word.Len() > 1 {
				end()
			}
			word.Reset()
			word.WriteByte(ch)
			begun = true
			for i+1 < len(text) && strings.IndexByte("<>|-", text[i+1]) >= 0 {
				i++
			}
			end()
			continue
		case quoted == 0 && (ch == '"' || ch == '\''):
			quoted = ch
		case quoted == ch && quoted != 0:
			quoted = 0
		case ch == '\\' && quoted != '\'' && i+1 < len(text):
			i++
			word.WriteByte(text[i])
		case ch == '>' || ch == '<' || quoted == '\'' && (ch == '$' || ch == '`'):
			word.WriteByte(0) // no path that is told of
		default:
			word.WriteByte(ch)
		}
		begun = true
	}
	if quoted == 0 {
		end()
	}
	return words
}

// redirected splits words into those without redirections, and the files that output is redirected to.
func redirected(all []string) (words, targets []string) {
	for i := 0; i < len(all); i++ {
		if all[i] != ">" && all[i] != "<" {
			words = append(words, all[i])
			continue
		}
		if all[i] == ">" && i+1 < len(all) {
			targets = append(targets, all[i+1])
		}
		i++
	}
	return words, targets
}

// place is a location that users can't write to, and the advice for it.
type place struct {
	paths  []string // themselves, or with what is below them
	advice string
}

var places = []place{
	{[]string{"/etc/hosts"}, "have the engine add the name (--add-host, extra_hosts, hostAliases)"},
	{[]string{"/etc/resolv.conf"}, "have the engine set it (--dns)"},
	{[]string{"/etc/hostname"}, "have the engine set it (--hostname)"},
	{[]string{"/etc/localtime", "/etc/timezone"}, zone.advice},
	{[]string{"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/sudoers.d"}, accounts.advice},
	{[]string{"/etc/ssl", "/etc/ca-certificates", "/etc/ca-certificates.conf", "/etc/pki", "/usr/local/share/ca-certificates", "/usr/share/ca-certificates"}, trust.advice},
	{[]string{"/dev"}, "name a path below /run"},
	{[]string{"/etc"}, whenBuilt + ", or mount it there"},
	{[]string{"/usr", "/bin", "/sbin", "/lib"}, whenBuilt},
}

// adviceFor returns the advice for a location.
func adviceFor(p string) string {
	for _, pl := range places {
		for _, dir := range pl.paths {
			if p == dir || strings.HasPrefix(p, dir+"/") {
				return pl.advice
			}
		}
	}
	if path.Dir(p) == "/" {
		return "name a path below /run, or one on a volume"
	}
	return "mount a volume there, or give the directory its user when the image is built"
}

// nobodys are files of the engine or the system, which no container user may write to, in any image.
var nobodys = []string{"/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/etc/localtime", "/etc/timezone", "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"}

// isNobodys reports whether a write goes to one of nobodys.
func isNobodys(w Write) bool { return slices.Contains(nobodys, w.Path) && w.How != Makes }

// writing returns the first path that a script writes to and that can't be written, or "".
func writing(kind, shown, script string, closed func(Write) bool, mounted func(p string) bool) string {
	var all []string
	for _, w := range writesOf(script) {
		if !slices.Contains(all, w.Path) && closed(w) {
			all = append(all, w.Path)
		}
	}
	if len(all) == 0 {
		return ""
	}
	advice, more := adviceFor(all[0]), ""
	if mounted != nil && mounted(all[0]) {
		advice = "what is mounted there has to be open to the identity: adopt a volume of root's (nonroot-ctl volumes adopt), or, where the volume is another container's, create this one again after that"
	}
	const most = 3
	if n := len(all) - most; n > 0 {
		all, more = all[:most], fmt.Sprintf(" and %d more", n)
	}
	for i := range all {
		all[i] = quote.Value(all[i])
	}
	return fmt.Sprintf("its %s %q writes %s%s, to which the identity has no right; hint: %s", kind, shown, strings.Join(all, ", "), more, advice)
}

// isShells reports whether a script is a shell script.
func isShells(script string) bool {
	line, _, _ := strings.Cut(script, "\n")
	words, ok := strings.CutPrefix(line, "#!")
	if !ok {
		return true // what follows -c
	}
	return slices.ContainsFunc(strings.Fields(words), func(w string) bool { return slices.Contains(shells, path.Base(w)) })
}

// bindsLog reports whether a script in another language binds the socket that programs send syslog messages to.
func bindsLog(script string) bool {
	return strings.Contains(script, "bind(") && (strings.Contains(script, `"/dev/log"`) || strings.Contains(script, "'/dev/log'"))
}
