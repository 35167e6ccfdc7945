// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"path"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/dirents"
)

// Entry describes what a container finds at a path.
type Entry struct {
	Path   string      // free of links
	Mount  *Mount      // the mount that contains it; nil: the rootfs
	Hidden bool        // it is in a mount with contents that are unknown before it is mounted
	Exists bool        // never with Hidden
	Stat   unix.Stat_t // if it exists
}

// Look returns what is at a clean absolute path. It fails if that can't be determined: links form a loop, or lead into
// a mount and out of it.
func (v *View) Look(p string) (Entry, error) {
	v.place()
	s, err := v.find(p)
	if err != nil {
		return Entry{}, err
	}
	defer s.Close()
	entry := Entry{Path: s.Path}
	if s.Mount != nil {
		entry.Mount = s.Mount.Mount
		entry.Hidden = !entry.Mount.Binds()
	}
	if s.FD >= 0 {
		if err := unix.Fstat(s.FD, &entry.Stat); err != nil {
			return Entry{}, fault{err}
		}
		entry.Exists = true
	}
	return entry, nil
}

// Stat is fstat(2) for a path of the rootfs itself that is free of links.
func (v *View) Stat(p string) (st unix.Stat_t, err error) {
	fd, err := openat2(v.root, p, unix.O_PATH, inRoot|unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return st, err
	}
	defer unix.Close(fd)
	if err := unix.Fstat(fd, &st); err != nil {
		return st, fault{err}
	}
	return st, nil
}

// Head returns the beginning of a file of the rootfs, at most so many bytes; "" if it can't be read, or is not a
// regular file. The path is free of links, like an Entry's.
func (v *View) Head(p string, most int) string {
	if v.Covered(p) {
		return ""
	}
	fd, err := openat2(v.root, p, unix.O_PATH, inRoot|unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG { // opening a device may have an effect
		return ""
	}
	file, err := unix.Open(procPath(fd), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(file)
	buf := make([]byte, most)
	n, _ := unix.Read(file, buf) // a file that can't be read counts as empty
	return string(buf[:max(n, 0)])
}

// Covered reports whether a mount covers a clean absolute path, so that it is not the image's. It also returns true if
// that can't be determined.
func (v *View) Covered(p string) bool {
	v.place()
	m := v.covering(p)
	return v.astray != "" || m != nil && !m.Mount.CopiesUp()
}

// Entries lists at most so many names of a directory of the rootfs itself. The path is free of links.
func (v *View) Entries(p string, most int) ([]string, error) {
	fd, err := openat2(v.root, p, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, inRoot|unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	names, err := dirents.Names(fd, most)
	if err != nil {
		return nil, fault{err}
	}
	return names, nil
}

// maxDepth limits how deep Walk goes, and so the length of paths.
const maxDepth = 64

// Walk calls a function for each regular file of the rootfs itself, with a path below /proc for system calls that
// accept no descriptor. It follows no link, omits what mounts cover, and examines at most so many entries; complete
// reports whether these were all.
func (v *View) Walk(most int, each func(p, reach string, st *unix.Stat_t)) (complete bool) {
	v.place()
	w := walker{v: v, left: most, complete: true, each: each}
	w.directory("/", 0)
	return w.complete
}

type walker struct {
	v        *View
	left     int
	complete bool
	each     func(p, reach string, st *unix.Stat_t)
}

func (w *walker) directory(dir string, depth int) {
	if depth > maxDepth || w.left <= 0 {
		w.complete = false
		return
	}
	names, err := w.v.Entries(dir, w.left)
	if err != nil {
		w.complete = false
		return
	}
	if w.left -= len(names); w.left <= 0 {
		w.complete = false
	}
	fd, err := openat2(w.v.root, dir, unix.O_PATH|unix.O_DIRECTORY, inRoot|unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		w.complete = false
		return
	}
	defer unix.Close(fd)
	for _, name := range names {
		p := path.Join(dir, name)
		var st unix.Stat_t
		if w.v.covering(p) != nil || unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
			continue
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			w.directory(p, depth+1)
		case unix.S_IFREG:
			w.each(p, procPath(fd)+"/"+name, &st)
		}
	}
}

// Empty reports whether a directory of the rootfs is empty. The path is free of links.
func (v *View) Empty(p string) (bool, error) {
	fd, err := openat2(v.root, p, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, inRoot|unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	names, err := dirents.Names(fd, 1)
	if err != nil {
		return false, fault{err}
	}
	return len(names) == 0, nil
}

// Unwritable says why the runtime should not create a mount point in the rootfs; "" if it may.
func (v *View) Unwritable() string {
	if v.readonly {
		return "the rootfs is read-only"
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(v.root, &fs); err != nil || fs.Flags&unix.ST_RDONLY != 0 {
		return "the rootfs's file system is read-only"
	}
	var here, host unix.Stat_t
	if unix.Fstat(v.root, &here) != nil || unix.Stat("/", &host) != nil {
		return "the owner of the rootfs can't be told"
	}
	if here.Dev == host.Dev && here.Ino == host.Ino {
		return "the rootfs is the host's own"
	}
	return ""
}
