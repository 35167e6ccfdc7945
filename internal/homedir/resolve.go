// SPDX-License-Identifier: Apache-2.0

package homedir

import (
	"errors"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/links"
)

var (
	errWinds  = errors.New("it leads into a mount and out of it, or through a link in it")
	errHidden = errors.New("what the mount has there can't be known")
	errInside = errors.New("it leads into a mount") // ends a walk
)

// spot is where a path leads inside the container.
type spot struct {
	path   string // free of links
	mount  *place // what covers it; nil: the rootfs itself
	fd     int    // O_PATH, -1 where there is nothing
	linked bool   // by way of a link
}

// close gives the spot's descriptor back.
func (s spot) close() {
	if s.fd >= 0 {
		_ = unix.Close(s.fd)
	}
}

// resolve says where a clean absolute path leads, as far as it exists.
func (im *Image) resolve(p string) (spot, error) {
	s, err := im.find(p)
	s.close()
	s.fd = -1
	return s, err
}

// find opens a clean absolute path as the container will see it, and says
// where that is. Nothing there is no failure. One system call will mostly do:
// only where the kernel meets a link the way is gone step by step.
func (im *Image) find(p string) (spot, error) {
	if m := im.covering(p); m != nil {
		return im.findInside(m, p)
	}
	fd, err := openat2(im.root, p, unix.O_PATH, inRoot|unix.RESOLVE_NO_SYMLINKS)
	switch {
	case err == nil:
		return spot{path: p, fd: fd}, nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return spot{path: p, fd: -1}, nil
	case errors.Is(err, unix.ELOOP):
		s, err := im.walk(p)
		if err != nil || s.mount != nil {
			return s, err
		}
		return im.reopen(s)
	}
	return spot{fd: -1}, err
}

// reopen opens a spot that walk found.
func (im *Image) reopen(s spot) (spot, error) {
	fd, err := openat2(im.root, s.path, unix.O_PATH, inRoot|unix.RESOLVE_NO_SYMLINKS)
	if err == nil {
		s.fd = fd
		return s, nil
	}
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return s, nil
	}
	return s, err
}

// walk follows an absolute path part by part. It opens nothing in the rootfs
// for its caller; a spot inside a mount comes back open.
func (im *Image) walk(p string) (spot, error) {
	linked := false
	inside := spot{fd: -1}
	at, err := links.Follow(p, func(next, rest string) (string, error) {
		if m := im.covering(next); m != nil {
			if climbs(rest) {
				return "", errWinds
			}
			var err error
			if inside, err = im.findInside(m, path.Join(next, rest)); err != nil {
				return "", err
			}
			return "", errInside
		}
		target, err := im.readLink(next)
		switch {
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
			return "", nil // no link; as SecureJoin does, go on also where nothing is
		case err == nil:
			linked = true
		}
		return target, err
	})
	inside.linked = linked
	switch {
	case errors.Is(err, errInside):
		return inside, nil
	case err != nil:
		return inside, err
	}
	return spot{path: at, fd: -1, linked: linked}, nil
}

// readLink reads the link at p, whose directory is free of links. What is no link
// is EINVAL.
func (im *Image) readLink(p string) (string, error) {
	// With O_PATH and O_NOFOLLOW, RESOLVE_NO_SYMLINKS lets the last part
	// be a link (openat2(2)).
	fd, err := openat2(im.root, p, unix.O_PATH|unix.O_NOFOLLOW, inRoot|unix.RESOLVE_NO_SYMLINKS)
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
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return "", fault{err}
	}
	return string(buf[:n]), nil
}

// findInside finds a path that a mount covers. In a bind mount it is looked up
// below the source, and links there are not followed: they would be read
// against the container's root and not against the source. What other file
// systems have is not known before they are mounted.
func (im *Image) findInside(m *place, p string) (spot, error) {
	s := spot{path: p, mount: m, fd: -1}
	if m.also != "" {
		return s, errHidden
	}
	rest := strings.TrimPrefix(p[len(m.at):], "/")
	if m.at == "/" {
		rest = p[1:]
	}
	if !m.mount.binds() {
		// runc's tmpcopyup fills a tmpfs with what the rootfs has there.
		if rest != "" && slices.Contains(m.mount.Options, "tmpcopyup") {
			return s, im.linkless(p)
		}
		return s, nil
	}
	src, err := openat2(unix.AT_FDCWD, im.source(m.mount), unix.O_PATH, unix.RESOLVE_NO_MAGICLINKS)
	if err != nil {
		return s, nil // the runtime will fail on it
	}
	if rest == "" {
		s.fd = src
		return s, nil
	}
	defer unix.Close(src)
	fd, err := openat2(src, rest, unix.O_PATH, inRoot|unix.RESOLVE_NO_SYMLINKS)
	switch {
	case err == nil:
		s.fd = fd
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
	default:
		return s, errWinds
	}
	return s, nil
}

// linkless fails where a path of the rootfs has a link in it.
func (im *Image) linkless(p string) error {
	fd, err := openat2(im.root, p, unix.O_PATH, inRoot|unix.RESOLVE_NO_SYMLINKS)
	if err == nil {
		return unix.Close(fd)
	}
	if errors.Is(err, unix.ELOOP) {
		return errWinds
	}
	return nil
}

// source is where a bind mount's source lies on the host.
func (im *Image) source(m *Mount) string {
	if path.IsAbs(m.Source) {
		return m.Source
	}
	return path.Join(im.bundle, m.Source)
}
