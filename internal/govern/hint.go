// SPDX-License-Identifier: Apache-2.0

package govern

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// Bounds of the look at the program. The image chooses PATH, and what its script is like.
const (
	maxSearch = 16   // folders that it is looked for in
	maxScript = 4096 // bytes of a script
)

// switches are programs by which only root, or a setuid file, becomes another user.
var switches = []string{"gosu", "su-exec", "sudo", "su", "doas", "runuser", "setpriv", "chpst", "setuidgid", "s6-setuidgid", "s6-applyuidgid", "chroot"}

// hint says why the container's program is likely to fail as the identity; "": nothing is known against it. It is for the log
// and the record, so that whoever finds a container that has ended finds a reason; no decision rests on it.
func (f *containerFacts) hint(doc *spec.Document, id *policy.Identity) string {
	args, err := doc.Args()
	if err != nil || len(args) == 0 || id.UID == f.User.UID {
		return "" // the runtime says what is wrong with it
	}
	at, ok := f.program(doc, args[0])
	if !ok {
		return ""
	}
	if at.Stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return ""
	}
	switch {
	case at.Stat.Mode&unix.S_ISUID != 0:
		return fmt.Sprintf("its program %q is setuid, which gives nothing here: start what it would start", at.Path)
	case !f.mayRun(&at.Stat, id):
		return fmt.Sprintf("its program %q is not the identity's to run (%d:%d %04o): change its mode in the image", at.Path, at.Stat.Uid, at.Stat.Gid, at.Stat.Mode&0o7777)
	}
	text := f.image.Head(at.Path, maxScript)
	if !strings.HasPrefix(text, "#!") {
		text = ""
	}
	if len(args) > 2 && args[1] == "-c" {
		text = args[2][:min(len(args[2]), maxScript)]
	}
	if by := switcher(text); by != "" {
		return fmt.Sprintf("its program %q calls %s, by which only root becomes another user, and does not seem to ask who it is: start the program itself", path.Clean(args[0]), by)
	}
	return ""
}

// program finds the file of a command as execvp(3) does.
func (f *containerFacts) program(doc *spec.Document, name string) (at homedir.Sight, ok bool) {
	look := func(p string) bool {
		var err error
		at, err = f.image.Look(path.Join("/", p))
		return err == nil && at.Exists
	}
	switch {
	case path.IsAbs(name):
		return at, look(name)
	case strings.Contains(name, "/"):
		return at, look(path.Join("/", f.Cwd, name))
	}
	search, err := doc.Variable("PATH")
	if err != nil {
		return at, false
	}
	for i, dir := range strings.SplitN(search, ":", maxSearch+1) {
		// What nobody may run is passed over (runc: Go's exec.LookPath; crun: access(2)).
		if i < maxSearch && path.IsAbs(dir) && look(path.Join(dir, name)) && at.Stat.Mode&unix.S_IFMT == unix.S_IFREG && at.Stat.Mode&0o111 != 0 {
			return at, true
		}
	}
	return at, false
}

// mayRun goes by the file's mode alone (path_resolution(7)).
func (f *containerFacts) mayRun(st *unix.Stat_t, id *policy.Identity) bool {
	switch {
	case st.Uid == f.ownerUID(id.UID):
		return st.Mode&0o100 != 0
	case st.Gid == f.ownerGID(id.GID):
		return st.Mode&0o010 != 0
	case slices.ContainsFunc(id.Groups, func(gid uint32) bool { return st.Gid == f.ownerGID(gid) }):
		return st.Mode&0o010 != 0
	}
	return st.Mode&0o001 != 0
}

// asks are the ways in which a script finds out who it is. The entrypoints of Docker's official images do, and only root calls
// gosu there.
var asks = []string{"id -u", "$UID", "${UID", "EUID", "whoami"}

// uncommented is a line without its comment, which a number sign begins that begins a word: the one of "$#" does not.
func uncommented(line string) string {
	for i := range len(line) {
		if line[i] == '#' && (i == 0 || strings.IndexByte(" \t;|&()", line[i-1]) >= 0) {
			return line[:i]
		}
	}
	return line
}

// switcher is the first of the switches that a script names as a word, in what is no comment and no message; "": none, or it asks before.
func switcher(script string) string {
	for line := range strings.Lines(script) {
		code := uncommented(line)
		if slices.ContainsFunc(asks, func(ask string) bool { return strings.Contains(code, ask) }) {
			return ""
		}
		for _, statement := range strings.FieldsFunc(code, func(r rune) bool { return strings.ContainsRune(";|&(){}`\n", r) }) {
			words := strings.FieldsFunc(statement, func(r rune) bool { return strings.ContainsRune(" \t\"'$", r) })
			if len(words) > 0 && (words[0] == "echo" || words[0] == "printf") {
				continue
			}
			for _, word := range words {
				if base := path.Base(word); slices.Contains(switches, base) {
					return base
				}
			}
		}
	}
	return ""
}
