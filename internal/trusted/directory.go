// SPDX-License-Identifier: Apache-2.0

// Package trusted reads, checks and replaces files that only root and the caller can change, and whose paths no other
// user can redirect (SECURITY.md E7, E8, E13). Interpreting such a file belongs elsewhere; files that a container can
// change belong to internal/rootfs.
package trusted

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"golang.org/x/sys/unix"
)

// Dir is a directory, held open: later changes of the path that led to it don't matter.
type Dir struct {
	Path   string // absolute, free of symbolic links
	fd     int
	owners Owners
	top    string // the topmost directory up to which everything was checked at opening; "": nothing was
}

// Open opens a directory; "" is the working directory. CheckPath reports whether others could swap its files.
func Open(name string, owners Owners) (*Dir, error) {
	if name == "" {
		name = "."
	}
	fd, err := unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open directory %q: %w", name, err)
	}
	d := &Dir{fd: fd, owners: owners}
	if d.Path, err = realPath(fd); err != nil {
		d.Close()
		return nil, fmt.Errorf("open directory %q: %w", name, err)
	}
	return d, nil
}

// Sub opens a subdirectory, which must not be a symbolic link.
func (d *Dir) Sub(name string) (*Dir, error) {
	fd, err := unix.Openat(d.fd, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", d.Join(name), err)
	}
	return &Dir{Path: d.Join(name), fd: fd, owners: d.owners, top: d.top}, nil
}

// CheckPath returns an error if other users can write the directory or one above it, and so could swap its files at any
// time. A sticky directory of root's, such as /tmp, is accepted: in it, users can only rename their own files.
func (d *Dir) CheckPath() error { return d.above(d.Path) }

// above checks a directory and all directories above it.
func (d *Dir) above(p string) error {
	for ; p != d.top; p = path.Dir(p) {
		if err := d.owners.check(p); err != nil {
			return err
		}
		if p == "/" {
			return nil
		}
	}
	return nil
}

// OwnedBy returns nil if the directory belongs to uid, the container's own root, and no other user can change it:
// rootful Podman chowns it with --uidmap and --userns=auto (libpod, container_internal.go). A process with that uid on
// the host could swap its files until it is reclaimed.
func (d *Dir) OwnedBy(uid uint32) error {
	var st unix.Stat_t
	if err := unix.Fstat(d.fd, &st); err != nil {
		return fmt.Errorf("look at %q: %w", d.Path, err)
	}
	if st.Uid != uid || d.owners.Trusts(uid) {
		return fmt.Errorf("the directory %q belongs to uid %d, not to the container's root, uid %d", d.Path, st.Uid, uid)
	}
	return d.above(path.Dir(d.Path))
}

// Reclaim makes root the owner of a directory that is OwnedBy uid. The group gid, that of the container's root, may
// still search it, as the runtime has to within the user namespace. What was read before must be read again.
func (d *Dir) Reclaim(uid, gid uint32) error {
	if err := d.OwnedBy(uid); err != nil {
		return err
	}
	if err := unix.Fchownat(d.fd, "", 0, int(gid), unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("chown %q: %w", d.Path, err)
	}
	if err := unix.Chmod("/proc/self/fd/"+strconv.Itoa(d.fd), 0o710); err != nil {
		return fmt.Errorf("chmod %q: %w", d.Path, err)
	}
	return nil
}

// Close closes the directory.
func (d *Dir) Close() { _ = unix.Close(d.fd) }

// Join returns the absolute path of a file in it.
func (d *Dir) Join(name string) string { return path.Join(d.Path, name) }

// realPath returns the path of an open directory, without symbolic links (proc(5), /proc/pid/fd). It fails if the path
// does not lead to the directory: it was deleted, or is outside the caller's root.
func realPath(fd int) (string, error) {
	p, err := links.Read(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(fd))
	if err != nil {
		return "", err
	}
	var there, here unix.Stat_t
	if err := unix.Fstat(fd, &here); err != nil {
		return "", err
	}
	if !strings.HasPrefix(p, "/") || unix.Lstat(p, &there) != nil || there.Dev != here.Dev || there.Ino != here.Ino {
		return "", fmt.Errorf("its path %q leads elsewhere or nowhere", p)
	}
	return p, nil
}
