// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/links"
)

var (
	errWinds  = errors.New("it leads into a mount and out of it, or through a symbolic link in it")
	errHidden = errors.New("what the mount has there is unknown")
	errInside = errors.New("it leads into a mount") // ends a walk
)

// Resolved is where a path leads inside the container.
type Resolved struct {
	Path   string  // free of links
	Mount  *Placed // what covers it; nil: the rootfs itself
	FD     int     // O_PATH; -1: nothing exists there
	Linked bool    // the path has a link in it
}

// Stat is fstat(2) for the resolved file.
func (s Resolved) Stat() (st unix.Stat_t, err error) {
	if err := unix.Fstat(s.FD, &st); err != nil {
		return st, fault{err}
	}
	return st, nil
}

// Read reads the resolved file. The caller must know that it is a regular file of about that size.
func (s Resolved) Read(size int64) ([]byte, error) { return readFile(s.FD, size) }

// Close closes the descriptor.
func (s Resolved) Close() {
	if s.FD >= 0 {
		_ = unix.Close(s.FD)
	}
}

// resolve determines where a clean absolute path leads, as far as it exists.
func (v *View) resolve(p string) (Resolved, error) {
	s, err := v.find(p)
	s.Close()
	s.FD = -1
	return s, err
}

// Find opens a clean absolute path as the container will see it, and reports where that is. A missing file is not an
// error. The caller closes the result.
func (v *View) Find(p string) (Resolved, error) {
	v.place()
	return v.find(p)
}

// find opens a clean absolute path as the container will see it, and reports where that is. A missing file is not an
// error. Usually one system call is enough: only if the kernel meets a link is the path followed step by step.
func (v *View) find(p string) (Resolved, error) {
	if m := v.covering(p); m != nil {
		return v.findInside(m, p)
	}
	if err := v.spend(p); err != nil {
		return Resolved{FD: -1}, err
	}
	fd, err := openat2(v.root, p, unix.O_PATH, inRoot|unix.RESOLVE_NO_SYMLINKS)
	switch {
	case err == nil:
		return Resolved{Path: p, FD: fd}, nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return Resolved{Path: p, FD: -1}, nil
	case errors.Is(err, unix.ELOOP):
		s, err := v.walk(p)
		if err != nil || s.Mount != nil {
			return s, err
		}
		return v.reopen(s)
	}
	return Resolved{FD: -1}, err
}

// reopen opens what walk found.
func (v *View) reopen(s Resolved) (Resolved, error) {
	fd, err := openat2(v.root, s.Path, unix.O_PATH, inRoot|unix.RESOLVE_NO_SYMLINKS)
	if err == nil {
		s.FD = fd
		return s, nil
	}
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return s, nil
	}
	return s, err
}

// walk follows an absolute path component by component. In the rootfs it opens nothing for its caller; a path inside a
// mount is returned open.
func (v *View) walk(p string) (Resolved, error) {
	linked := false
	inside := Resolved{FD: -1}
	at, err := links.Follow(p, func(next, rest string) (string, error) {
		if m := v.covering(next); m != nil {
			if Climbs(rest) {
				return "", errWinds
			}
			var err error
			if inside, err = v.findInside(m, path.Join(next, rest)); err != nil {
				return "", err
			}
			return "", errInside
		}
		if err := v.spend(next); err != nil {
			return "", err
		}
		target, err := v.readLink(next)
		switch {
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
			return "", nil // not a link; like SecureJoin, continue even if nothing exists
		case err == nil:
			linked = true
		}
		return target, err
	})
	inside.Linked = linked
	switch {
	case errors.Is(err, errInside):
		return inside, nil
	case err != nil:
		return inside, err
	}
	return Resolved{Path: at, FD: -1, Linked: linked}, nil
}

// readLink reads the link at p, in a directory that is free of links. It fails with EINVAL if p is not a link.
func (v *View) readLink(p string) (string, error) {
	// With O_PATH and O_NOFOLLOW, RESOLVE_NO_SYMLINKS allows the last component to be a link (openat2(2)).
	fd, err := openat2(v.root, p, unix.O_PATH|unix.O_NOFOLLOW, inRoot|unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", fault{err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return "", fault{unix.EINVAL}
	}
	target, err := links.Read(fd, "")
	if err != nil {
		return "", fault{err}
	}
	return target, nil
}

// findInside finds a path that a mount covers. In a bind mount it is looked up below the source, and links there are
// not followed: they would be resolved against the container's root and not against the source. The contents of other
// file systems are not known before they are mounted.
func (v *View) findInside(m *Placed, p string) (Resolved, error) {
	s := Resolved{Path: p, Mount: m, FD: -1}
	if v.bound != nil && v.bound.answers == nil {
		return s, nil
	}
	if m.also != "" {
		return s, errHidden
	}
	rest := strings.TrimPrefix(p[len(m.At):], "/")
	if m.At == "/" {
		rest = p[1:]
	}
	if !m.Mount.Binds() {
		// runc's tmpcopyup fills a tmpfs with the rootfs's files from that path.
		if rest != "" && slices.Contains(m.Mount.Options, "tmpcopyup") {
			return s, v.linkless(p)
		}
		return s, nil
	}
	src, err := openat2(unix.AT_FDCWD, v.source(m.Mount), unix.O_PATH, unix.RESOLVE_NO_MAGICLINKS)
	if err != nil {
		return s, nil // the runtime will report it
	}
	how := uint64(inRoot | unix.RESOLVE_NO_SYMLINKS)
	if v.bound != nil {
		if !v.bound.answers(src) {
			_ = unix.Close(src)
			return s, errHidden
		}
		how |= unix.RESOLVE_NO_XDEV
	}
	if rest == "" {
		s.FD = src
		return s, nil
	}
	defer unix.Close(src)
	fd, err := openat2(src, rest, unix.O_PATH, how)
	switch {
	case err == nil:
		s.FD = fd
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
	default:
		return s, errWinds
	}
	return s, nil
}

// linkless fails if a path of the rootfs has a link in it.
func (v *View) linkless(p string) error {
	fd, err := openat2(v.root, p, unix.O_PATH, inRoot|unix.RESOLVE_NO_SYMLINKS)
	if err == nil {
		return unix.Close(fd)
	}
	if errors.Is(err, unix.ELOOP) {
		return errWinds
	}
	return nil
}

// source returns the path of a bind mount's source on the host.
func (v *View) source(m *Mount) string {
	if path.IsAbs(m.Source) {
		return m.Source
	}
	return path.Join(v.bundle, m.Source)
}
