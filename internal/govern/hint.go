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
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// Bounds of the look at the program. The image chooses PATH, and what its script is like.
const (
	maxSearch = 16   // directories that it is looked for in
	maxScript = 4096 // bytes of a script
)

// switches are programs by which only root, or a setuid file, becomes another user.
var switches = []string{"gosu", "su-exec", "sudo", "su", "doas", "runuser", "setpriv", "chpst", "setuidgid", "s6-setuidgid", "s6-applyuidgid", "chroot"}

// inits start another program as the container's first: by an image's entrypoint, `docker run --init` and `podman run --init`.
var inits = []string{"tini", "tini-static", "dumb-init", "docker-init", "catatonit", "podman-init"}

// begun is the command that an init starts: what follows its flags, of which tini's -p and -e have a value (tini, README.md).
func begun(args []string) []string {
	if len(args) == 0 || !slices.Contains(inits, path.Base(args[0])) {
		return args
	}
	for i := 1; i < len(args); i++ {
		switch {
		case args[i] == "--":
			return args[i+1:]
		case args[i] == "-p" || args[i] == "-e":
			i++
		case !strings.HasPrefix(args[i], "-"):
			return args[i:]
		}
	}
	return nil
}

// rootly are programs that are for root by design, and what they do that nobody else may.
var rootly = map[string]string{
	"sshd": "logs people in as other users", "dropbear": "logs people in as other users",
	"cron": "runs jobs as other users", "crond": "runs jobs as other users",
}

// installers are for root, too, and called by scripts to begin with.
var installers = []string{"apt-get", "apt", "dpkg", "apk", "dnf", "microdnf", "yum", "rpm", "zypper", "pacman"}

// hint says why the container's program is likely to fail as the identity; "": nothing is known against it. It is for the log
// and the record, so that whoever finds a container that has ended finds a reason; no decision rests on it.
func (f *containerFacts) hint(doc *spec.Document, id *policy.Identity) string {
	args, err := doc.Args()
	args = begun(begun(args)) // behind the engine's init may be the image's
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
	case !f.may(unix.X_OK, &at.Stat, id):
		return fmt.Sprintf("its program %q is not the identity's to run (%d:%d %04o): change its mode in the image", at.Path, at.Stat.Uid, at.Stat.Gid, at.Stat.Mode&0o7777)
	}
	base := path.Base(args[0])
	if slices.Contains(installers, base) {
		return fmt.Sprintf("its program %q installs packages, which only root may: do so when the image is built", at.Path)
	}
	if slices.Contains(switches, base) {
		return fmt.Sprintf("its program %q makes another user of root, and nobody else may: start what it would start", at.Path)
	}
	if does := rootly[base]; does != "" {
		return fmt.Sprintf("its program %q %s, which only root may", at.Path, does)
	}
	text := f.image.Head(at.Path, maxScript)
	if !strings.HasPrefix(text, "#!") {
		text = ""
	}
	if len(args) > 2 && args[1] == "-c" {
		text = args[2][:min(len(args[2]), maxScript)]
	}
	switch by := caller(text); {
	case slices.Contains(installers, by):
		return fmt.Sprintf("its program %q calls %s, which installs packages, as only root may: do so when the image is built", path.Clean(args[0]), by)
	case by != "":
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

// may goes by a file's mode alone (path_resolution(7)); rights are those of access(2).
func (f *containerFacts) may(rights uint32, st *unix.Stat_t, id *policy.Identity) bool {
	shift := 0
	switch {
	case st.Uid == f.ownerUID(id.UID):
		shift = 6
	case st.Gid == f.ownerGID(id.GID), slices.ContainsFunc(id.Groups, func(gid uint32) bool { return st.Gid == f.ownerGID(gid) }):
		shift = 3
	}
	return st.Mode>>shift&rights == rights
}

// obstacles are what programs that were made for root often end at, and what will still be there: a working directory that is not
// given to the identity, and the host's ports. As a hint they are for the log and the record.
func (f *containerFacts) obstacles(a *Adaption, plan *homedir.Plan, id *policy.Identity) (notes []string) {
	if id.UID == f.User.UID {
		return nil
	}
	if note := f.closedWorkdir(a, plan, id); note != "" {
		notes = append(notes, note)
	}
	if slices.ContainsFunc(f.Container.Namespaces, func(n spec.Namespace) bool { return n.Type == "network" }) {
		return notes
	}
	if text, err := proc.Read(procSys(portStart)); err == nil {
		if first := strings.TrimSpace(string(text)); first != "0" {
			notes = append(notes, fmt.Sprintf("ports below %s stay root's: the network is the host's (sysctl %s)", first, portStart))
		}
	}
	return notes
}

// closedWorkdir says that the working directory is in the image, and not the identity's to write; "": it is, or it can't be told.
func (f *containerFacts) closedWorkdir(a *Adaption, plan *homedir.Plan, id *policy.Identity) string {
	at, err := f.image.Look(path.Clean("/" + f.Cwd))
	cwd := at.Path
	given := func(dir string) bool { return below(cwd, dir) }
	if err != nil || cwd == "/" || f.Container.Readonly || a != nil && slices.ContainsFunc(a.Layer.Paths, given) || plan != nil && plan.Mounts != nil && given(plan.Home) {
		return ""
	}
	if !at.Exists || at.Mount != nil || f.may(unix.W_OK|unix.X_OK, &at.Stat, id) {
		return ""
	}
	return fmt.Sprintf("its working directory %q is not the identity's to write (%d:%d %04o)", cwd, at.Stat.Uid, at.Stat.Gid, at.Stat.Mode&0o7777)
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

// caller is the first of the switches and installers that a script names as a word, in what is no comment and no message; "":
// none, or it asks before.
func caller(script string) string {
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
				if base := path.Base(word); slices.Contains(switches, base) || slices.Contains(installers, base) {
					return base
				}
			}
		}
	}
	return ""
}
