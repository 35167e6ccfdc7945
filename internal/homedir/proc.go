// SPDX-License-Identifier: Apache-2.0

package homedir

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/links"
)

// runtimeLinks are the links that runtimes make in a container's /dev (runtime-spec, runtime-linux.md, "Dev symbolic
// links").
var runtimeLinks = map[string]string{
	"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0", "/dev/stdout": "/proc/self/fd/1", "/dev/stderr": "/proc/self/fd/2",
}

// LeadsToProc says whether a path leads into a /proc in the container, the one that is mounted there or the host's, by
// way of links of the image, of volumes and of the runtime. It's followed as it is before the container starts.
func (im *Image) LeadsToProc(name string) (bool, error) {
	im.load()
	leads := false
	_, err := links.Follow(name, func(next, _ string) (string, error) {
		target, isProc, err := im.linkAt(next)
		if isProc && err == nil {
			leads, err = true, errInside
		}
		return target, err
	})
	if leads {
		return true, nil
	}
	return false, err
}

// linkAt reads what is at a path that is free of links but for its last part: where it leads if it is a link, and whether
// it is in a /proc.
func (im *Image) linkAt(p string) (target string, isProc bool, err error) {
	if target := runtimeLinks[p]; target != "" {
		return target, false, nil
	}
	root, rest := im.root, p
	if m := im.covering(p); m != nil {
		switch {
		case m.mount.Type == "proc":
			return "", true, nil
		case m.also != "":
			return "", false, errHidden
		case m.mount.binds():
			src, err := openat2(unix.AT_FDCWD, im.source(m.mount), unix.O_PATH, 0)
			if err != nil {
				return "", false, nil // the runtime will fail on it
			}
			defer unix.Close(src)
			root, rest = src, strings.TrimPrefix(strings.TrimPrefix(p, m.at), "/")
		}
	}
	fd := root
	if rest != "" {
		fd, err = openat2(root, rest, unix.O_PATH|unix.O_NOFOLLOW, inRoot|unix.RESOLVE_NO_SYMLINKS)
		if err != nil {
			return "", false, nil // there is nothing, or nothing that the runtime could enter
		}
		defer unix.Close(fd)
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return "", false, fault{err}
	}
	if fs.Type == unix.PROC_SUPER_MAGIC {
		return "", true, nil
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return "", false, nil // it is no link
	}
	return string(buf[:n]), false, nil
}
