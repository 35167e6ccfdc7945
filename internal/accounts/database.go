// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
)

// database is one of the two files as the container sees it.
type database struct {
	text      []byte
	at        string // its path, free of links
	mountable bool   // a copy can be mounted over it
	own       bool   // it is the image's own, not mounted
	absent    bool   // it does not exist, and the container can't create it
	note      string
}

// database reads /etc/passwd or /etc/group. If a copy can't be mounted, or nothing can be read, a note says why.
func (im *Image) database(p string, fields int) database {
	if astray := im.Astray(); astray != "" {
		return database{note: fmt.Sprintf("no copy of %s: where the mount at %s lies can't be told", p, quote.Value(astray))}
	}
	s, err := im.Find(p)
	if err != nil {
		return database{note: fmt.Sprintf("no copy of %s: %v", p, err)}
	}
	defer s.Close()
	switch {
	case s.Mount == nil && s.FD >= 0:
		return im.ownDatabase(p, s)
	case s.Mount == nil:
		return im.newDatabase(p, s)
	case s.Linked:
		return database{note: fmt.Sprintf("no copy of %s: it is a link into the mount at %s", p, quote.Value(s.Mount.At))}
	case !s.Mount.Mount.Binds():
		return database{note: fmt.Sprintf("no copy of %s: a %s is mounted at %s", p, quote.Value(s.Mount.Mount.Type), quote.Value(s.Mount.At))}
	case s.FD < 0:
		// The mount point would be created on the host (SECURITY.md C13).
		return database{note: fmt.Sprintf("no copy of %s: the mount at %s has none, and nothing is created there", p, quote.Value(s.Mount.At))}
	}
	return mountedDatabase(p, s, fields)
}

// ownDatabase reads the image's own file, whatever its mode: it is the
// container's own.
func (im *Image) ownDatabase(p string, s rootfs.Resolved) database {
	st, err := s.Stat()
	if err != nil {
		return database{note: fmt.Sprintf("no copy of %s: %v", p, err)}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return database{note: fmt.Sprintf("no copy of %s: %s is %s", p, quote.Value(s.Path), kind(st.Mode))}
	}
	text, err := s.Read(st.Size)
	if err != nil {
		return database{note: fmt.Sprintf("no copy of %s: read %s: %v", p, quote.Value(s.Path), err)}
	}
	return database{text: text, at: s.Path, mountable: true, own: true}
}

// newDatabase is for an image without the file (scratch): the runtime creates the mount point if it can.
func (im *Image) newDatabase(p string, s rootfs.Resolved) database {
	if s.Linked {
		return database{note: fmt.Sprintf("no copy of %s: it is a link to %s, where nothing is", p, quote.Value(s.Path))}
	}
	if why := im.Unwritable(); why != "" {
		return database{absent: true, note: fmt.Sprintf("no copy of %s: the image has none, and %s", p, why)}
	}
	return database{at: s.Path, mountable: true}
}

// mountedDatabase reads a file from a bind mount: an engine's own passwd (Podman), or any file that a user mounted
// there, even the host's shadow. Our copy is readable by all, so it contains only what all could read, and of that only
// entries (SECURITY.md C13).
func mountedDatabase(p string, s rootfs.Resolved, fields int) database {
	st, err := s.Stat()
	if err != nil {
		return database{note: fmt.Sprintf("no copy of %s: %v", p, err)}
	}
	none := database{at: s.Path, mountable: true}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return database{note: fmt.Sprintf("no copy of %s: a directory is mounted there", p)}
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		none.note = fmt.Sprintf("%s has our entry only: what is mounted at %s is %s", p, quote.Value(s.Mount.At), kind(st.Mode))
		return none
	case st.Mode&0o004 == 0:
		none.note = fmt.Sprintf("%s has our entry only: not everyone may read what is mounted at %s", p, quote.Value(s.Mount.At))
		return none
	}
	text, err := s.Read(st.Size)
	if err != nil {
		return database{note: fmt.Sprintf("no copy of %s: read what is mounted at %s: %v", p, quote.Value(s.Mount.At), err)}
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
