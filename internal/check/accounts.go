// SPDX-License-Identifier: Apache-2.0

package check

import (
	"os"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
	"github.com/nonroot-runc/nonroot-runc/internal/imageuser"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
)

// The files in which engines look up users and groups.
const (
	passwd = "/etc/passwd"
	groups = "/etc/group"
)

// isRootsToo reports whether the account has root's uid. It may come from the base image, or the build creates it with useradd and the
// like, or with an entry in passwd. The last instruction that sets the uid counts.
func (i *inspection) isRootsToo(name string, accounts func(base string) (passwd []byte, ok bool)) (roots bool) {
	if accounts != nil && !i.image.Empty {
		text, ok := accounts(i.image.Base)
		roots = ok && imageuser.Accounts{Passwd: text}.Docker(name).Root()
	}
	vars := values{}
	for _, c := range i.image.Commands {
		switch one := c.Command.(type) {
		case *instructions.ArgCommand:
			for _, kv := range one.Args {
				vars.set(kv.Key, *kv.Value)
			}
		case *instructions.EnvCommand:
			for _, kv := range one.Env {
				vars.set(kv.Key, kv.Value)
			}
		case *instructions.CopyCommand:
			if text, ok := i.copiedPasswd(one, c); ok {
				who := imageuser.Accounts{Passwd: []byte(text)}.Docker(name)
				roots = who.Root()
			}
		case *instructions.RunCommand:
			if makes, uid := uidOf(one, name, vars); makes {
				roots = imageuser.Read(uid).Kind == imageuser.Root
			}
			if addsRoot(one, name, vars) {
				roots = true
			}
		}
	}
	return roots
}

// copiedPasswd returns the text that an instruction copies to /etc/passwd, if it is known.
func (i *inspection) copiedPasswd(one *instructions.CopyCommand, c dockerfile.Command) (text string, ok bool) {
	dest := path.Clean("/" + one.DestPath)
	for _, s := range one.SourceContents {
		if dest == passwd || path.Join(dest, s.Path) == passwd {
			return s.Data, true
		}
	}
	from := copied{c, one.SourcePaths, dest, one.Chmod, one.Chown, one.From != ""}
	if from.stage || !links.Within(dest, passwd) {
		return "", false
	}
	for _, name := range from.sources(passwd) {
		if text, ok := i.read(name); ok {
			return text, true
		}
	}
	return "", false
}

// maxAccount is the longest value of a variable, in bytes, that is expanded in an account's name or uid. The file's author chooses the
// values, and how often each is used.
const maxAccount = 256

// values maps the names of variables to their values.
type values map[string]string

func (v values) set(name, value string) {
	if len(value) > maxAccount {
		value = ""
	}
	v[name] = value
}

// unquoted removes a shell's quotes.
var unquoted = strings.NewReplacer(`"`, "", "'", "")

// uidOf returns the uid with which a RUN creates the account. makes is false if it doesn't set one.
func uidOf(run *instructions.RunCommand, name string, vars values) (makes bool, uid string) {
	all := words(textOf(run.ShellDependantCmdLine))
	if !run.PrependShell {
		all = append(all, slices.Clone(run.CmdLine))
	}
	own := values{}
	value := func(variable string) string {
		if v, ok := own[variable]; ok {
			return v
		}
		return vars[variable]
	}
	for _, w := range all {
		if len(w) == 0 {
			continue
		}
		if variable, v, ok := strings.Cut(w[0], "="); ok && len(w) == 1 {
			own.set(variable, os.Expand(unquoted.Replace(v), value))
			continue
		}
		if !slices.Contains([]string{"useradd", "adduser", "usermod"}, path.Base(w[0])) {
			continue
		}
		for n := range w {
			w[n] = os.Expand(unquoted.Replace(w[n]), value)
		}
		if id, ok := uidOption(w[1:]); ok && slices.Contains(w, name) {
			makes, uid = true, id
		}
	}
	return makes, uid
}

// uidOption returns the value of the uid option of useradd and the like. Short options may be combined.
func uidOption(args []string) (uid string, ok bool) {
	for n, a := range args {
		option, value, given := strings.Cut(a, "=")
		switch {
		case len(option) > len("--u") && strings.HasPrefix("--uid", option):
		case strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--"):
			rest, isUID := strings.CutPrefix(strings.TrimLeft(a[1:], "DFHMNSUlmor"), "u")
			if !isUID {
				continue
			}
			value, given = rest, rest != ""
		default:
			continue
		}
		switch {
		case given:
			uid, ok = value, true
		case n+1 < len(args):
			uid, ok = args[n+1], true
		}
	}
	return uid, ok && uid != ""
}

// addsRoot reports whether a RUN that mentions passwd contains an entry of that name with root's uid. An empty uid is root's as well.
func addsRoot(run *instructions.RunCommand, name string, vars values) bool {
	text := strings.Join(run.CmdLine, " ")
	for _, f := range run.Files {
		text += "\n" + f.Data
	}
	if !strings.Contains(text, passwd) {
		return false
	}
	// Other variables are kept, because without them a uid might seem empty.
	text = os.Expand(text, func(variable string) string {
		if v, ok := vars[variable]; ok {
			return v
		}
		return "${" + variable + "}"
	})
	isWord := func(c byte) bool {
		return c == '_' || c == '-' || c == '.' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	}
	for rest := text; ; {
		before, after, ok := strings.Cut(rest, name+":")
		if !ok {
			return false
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
		if uid == "" && strings.HasPrefix(next, ":") || uid != "" && strings.Trim(uid, "0") == "" && (next == "" || !isWord(next[0])) {
			return true
		}
	}
}
