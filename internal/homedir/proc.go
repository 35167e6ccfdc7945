// SPDX-License-Identifier: Apache-2.0

package homedir

import (
	"slices"
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
	if m := im.covering(p); m != nil {
		switch {
		case m.mount.Type == "proc":
			return "", true, nil
		case m.also != "":
			return "", false, errHidden
		case m.mount.binds():
			return linkBelow(p, m, im.source(m.mount))
		case m.mount.Type == "overlay":
			return linkBelow(p, m, layersOf(m.mount)...)
		case p != m.at && !slices.Contains(fresh, m.mount.Type):
			return "", false, errHidden
		}
	}
	return linkIn(im.root, p)
}

// fresh are file systems in which there are no links but the kernel's: new ones, and those that runc fills with what the
// rootfs has at that place (tmpcopyup).
var fresh = []string{"tmpfs", "ramfs", "sysfs", "cgroup", "cgroup2", "mqueue", "devpts"}

// layersOf are the directories of an overlay, the upper one first (Linux, filesystems/overlayfs.rst).
func layersOf(m *Mount) (dirs []string) {
	for _, o := range m.Options {
		if dir, ok := strings.CutPrefix(o, "upperdir="); ok {
			dirs = slices.Insert(dirs, 0, dir)
		}
		if all, ok := strings.CutPrefix(strings.Replace(o, "+=", "=", 1), "lowerdir="); ok { // "lowerdir+=" adds one
			for dir := range strings.SplitSeq(strings.ReplaceAll(all, `\:`, "\x00"), ":") {
				dirs = append(dirs, strings.ReplaceAll(dir, "\x00", ":"))
			}
		}
	}
	return dirs
}

// linkBelow is linkIn for a path inside a mount of directories of the host's: the first in which there is a link, or a /proc, counts.
func linkBelow(p string, m *place, sources ...string) (target string, isProc bool, err error) {
	for _, source := range sources {
		src, err := openat2(unix.AT_FDCWD, source, unix.O_PATH, 0)
		if err != nil {
			continue // the runtime will fail on it
		}
		target, isProc, err = linkIn(src, strings.TrimPrefix(strings.TrimPrefix(p, m.at), "/"))
		_ = unix.Close(src)
		if target != "" || isProc || err != nil {
			return target, isProc, err
		}
	}
	return "", false, nil
}

// linkIn is linkAt for a path below an open directory; "" is the directory itself.
func linkIn(root int, rest string) (target string, isProc bool, err error) {
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
