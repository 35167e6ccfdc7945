// SPDX-License-Identifier: Apache-2.0

package homedir

import (
	"fmt"
	"path"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// database is one of the two files as the container sees it.
type database struct {
	text      []byte
	at        string // where it lies, free of links
	mountable bool   // a copy can be mounted over it
	own       bool   // it is the image's, not one that is mounted
	absent    bool   // there is none, and the container cannot make one
	note      string
}

// database reads /etc/passwd or /etc/group. Each way in which a copy can't be
// mounted, or nothing can be read, is a note.
func (im *Image) database(p string, fields int) database {
	if im.astray != "" {
		return database{note: fmt.Sprintf("no copy of %s: where the mount at %s lies can't be told", p, quote.Value(im.astray))}
	}
	s, err := im.find(p)
	defer s.close()
	if err != nil {
		return database{note: fmt.Sprintf("no copy of %s: %v", p, err)}
	}
	switch {
	case s.mount == nil && s.fd >= 0:
		return im.ownDatabase(p, s)
	case s.mount == nil:
		return im.newDatabase(p, s)
	case s.linked:
		return database{note: fmt.Sprintf("no copy of %s: it is a link into the mount at %s", p, quote.Value(s.mount.at))}
	case !s.mount.mount.binds():
		return database{note: fmt.Sprintf("no copy of %s: a %s is mounted at %s", p, quote.Value(s.mount.mount.Type), quote.Value(s.mount.at))}
	case s.fd < 0:
		// A mount point would be made on the host (SECURITY.md C13).
		return database{note: fmt.Sprintf("no copy of %s: the mount at %s has none, and nothing is created there", p, quote.Value(s.mount.at))}
	}
	return mountedDatabase(p, s, fields)
}

// ownDatabase reads the image's own file, whatever its mode: it is the
// container's own.
func (im *Image) ownDatabase(p string, s spot) database {
	var st unix.Stat_t
	if err := unix.Fstat(s.fd, &st); err != nil {
		return database{note: fmt.Sprintf("no copy of %s: %v", p, fault{err})}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return database{note: fmt.Sprintf("no copy of %s: %s is %s", p, quote.Value(s.path), kind(st.Mode))}
	}
	text, err := readFile(s.fd, st.Size)
	if err != nil {
		return database{note: fmt.Sprintf("no copy of %s: read %s: %v", p, quote.Value(s.path), err)}
	}
	return database{text: text, at: s.path, mountable: true, own: true}
}

// newDatabase is for an image without the file (scratch): the runtime makes
// the mount point, where it can.
func (im *Image) newDatabase(p string, s spot) database {
	if s.linked {
		return database{note: fmt.Sprintf("no copy of %s: it is a link to %s, where nothing is", p, quote.Value(s.path))}
	}
	if why := im.unwritable(); why != "" {
		return database{absent: true, note: fmt.Sprintf("no copy of %s: the image has none, and %s", p, why)}
	}
	return database{at: s.path, mountable: true}
}

// mountedDatabase reads a file that a bind mount brings: an engine's own
// passwd (Podman), or whatever somebody mounted there, which may be the host's
// shadow. A copy of ours is readable for everyone, so only what everyone could
// read goes into it, and of that only what is an entry (SECURITY.md C13).
func mountedDatabase(p string, s spot, fields int) database {
	var st unix.Stat_t
	if err := unix.Fstat(s.fd, &st); err != nil {
		return database{note: fmt.Sprintf("no copy of %s: %v", p, fault{err})}
	}
	none := database{at: s.path, mountable: true}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return database{note: fmt.Sprintf("no copy of %s: a directory is mounted there", p)}
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		none.note = fmt.Sprintf("%s has our entry only: what is mounted at %s is %s", p, quote.Value(s.mount.at), kind(st.Mode))
		return none
	case st.Mode&0o004 == 0:
		none.note = fmt.Sprintf("%s has our entry only: not everyone may read what is mounted at %s", p, quote.Value(s.mount.at))
		return none
	}
	text, err := readFile(s.fd, st.Size)
	if err != nil {
		return database{note: fmt.Sprintf("no copy of %s: read what is mounted at %s: %v", p, quote.Value(s.mount.at), err)}
	}
	none.text = publicLines(text, fields)
	return none
}

// kind names a file's type.
func kind(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "a file"
	case unix.S_IFDIR:
		return "a directory"
	case unix.S_IFIFO:
		return "a pipe"
	case unix.S_IFSOCK:
		return "a socket"
	case unix.S_IFLNK:
		return "a symbolic link"
	}
	return "a device"
}

// shell is a shell that is there: the entry's, else root's, else a usual one. Where the image has none, it is nologin, as
// shadow-utils and distroless images give accounts that nobody works as, whether it is there or not.
// An account of the image may have nologin, as nobody was meant to work as it;
// ssh and git run commands by the entry's shell.
func (im *Image) shell(entry string) string {
	if im.isShell(entry) {
		return entry
	}
	root, _ := im.UserByID(0)
	for _, sh := range []string{root.Shell, "/bin/bash", "/bin/sh", "/bin/ash", "/bin/dash", "/busybox/sh", "/usr/bin/sh", "/usr/bin/bash"} {
		if im.isShell(sh) {
			return sh
		}
	}
	if im.isProgram("/usr/sbin/nologin") {
		return "/usr/sbin/nologin"
	}
	return "/sbin/nologin"
}

// isShell reports whether a path of the image is a program that everyone may
// run and that isn't one of those which stand in for "no shell".
func (im *Image) isShell(p string) bool {
	switch path.Base(p) {
	case "nologin", "false", "true", "sync", "halt", "shutdown", "reboot":
		return false
	}
	return im.isProgram(p)
}

// isProgram reports whether a path of the image is a file that everyone may run.
func (im *Image) isProgram(p string) bool {
	if len(p) > longLine/4 || !path.IsAbs(p) || path.Clean(p) != p {
		return false
	}
	s, err := im.find(p)
	defer s.close()
	var st unix.Stat_t
	if err != nil || s.fd < 0 || unix.Fstat(s.fd, &st) != nil {
		return false
	}
	return st.Mode&unix.S_IFMT == unix.S_IFREG && st.Mode&0o001 != 0
}
