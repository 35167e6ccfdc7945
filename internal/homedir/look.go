// SPDX-License-Identifier: Apache-2.0

package homedir

import (
	"path"

	"golang.org/x/sys/unix"
)

// Sight is what a container finds at a path of its own.
type Sight struct {
	Path   string      // free of links
	Mount  *Mount      // the mount that it lies in; nil: the rootfs
	Hidden bool        // what the mount has there is not known before it is mounted
	Exists bool        // never with Hidden
	Stat   unix.Stat_t // where it exists
}

// Look says what is at a clean absolute path. It fails where that can't be told: links that go round, or lead into a
// mount and out of it.
func (im *Image) Look(p string) (Sight, error) {
	im.load()
	s, err := im.find(p)
	defer s.close()
	if err != nil {
		return Sight{}, err
	}
	sight := Sight{Path: s.path}
	if s.mount != nil {
		sight.Mount = s.mount.mount
		sight.Hidden = !sight.Mount.binds()
	}
	if s.fd >= 0 {
		if err := unix.Fstat(s.fd, &sight.Stat); err != nil {
			return Sight{}, fault{err}
		}
		sight.Exists = true
	}
	return sight, nil
}

// Head is the beginning of a file of the rootfs, at most so many bytes; "" where there is none that can be read, or no regular
// one. The path is free of links, as a Sight's.
func (im *Image) Head(p string, most int) string {
	if im.Covered(p) {
		return ""
	}
	fd, err := openat2(im.root, p, unix.O_PATH, inRoot|unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return ""
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG { // to open a device may have an effect
		return ""
	}
	file, err := unix.Open(procPath(fd), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(file) //nolint:errcheck // likewise
	buf := make([]byte, most)
	n, _ := unix.Read(file, buf) // what can't be read is nothing
	return string(buf[:max(n, 0)])
}

// Covered says that what a mount shows at a clean absolute path is not the image's, or that it can't be told where one does.
func (im *Image) Covered(p string) bool {
	im.load()
	m := im.covering(p)
	return im.astray != "" || m != nil && !m.mount.CopiesUp()
}

// Entries lists a directory of the rootfs itself, to which no link leads; at most so many names.
func (im *Image) Entries(p string, most int) ([]string, error) {
	fd, err := openat2(im.root, p, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, inRoot|unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	var names []string
	buf := make([]byte, 1<<15)
	for len(names) < most {
		n, err := unix.Getdents(fd, buf)
		if err != nil {
			return nil, fault{err}
		}
		if n == 0 {
			return names, nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
	return names[:most], nil
}

// maxDepth bounds how deep Walk goes, and so the length of what is looked up.
const maxDepth = 64

// Walk calls a function for each regular file of the rootfs itself, with a path below /proc by which a system call that
// takes no descriptor reaches it. It follows no link, leaves out what mounts cover, and looks at so many entries at most;
// complete says whether these were all.
func (im *Image) Walk(most int, each func(p, reach string, st *unix.Stat_t)) (complete bool) {
	im.load()
	w := walker{im: im, left: most, complete: true, each: each}
	w.directory("/", 0)
	return w.complete
}

type walker struct {
	im       *Image
	left     int
	complete bool
	each     func(p, reach string, st *unix.Stat_t)
}

func (w *walker) directory(dir string, depth int) {
	if depth > maxDepth || w.left <= 0 {
		w.complete = false
		return
	}
	names, err := w.im.Entries(dir, w.left)
	if err != nil {
		w.complete = false
		return
	}
	if w.left -= len(names); w.left <= 0 {
		w.complete = false
	}
	fd, err := openat2(w.im.root, dir, unix.O_PATH|unix.O_DIRECTORY, inRoot|unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		w.complete = false
		return
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	for _, name := range names {
		p := path.Join(dir, name)
		var st unix.Stat_t
		if w.im.covering(p) != nil || unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
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
