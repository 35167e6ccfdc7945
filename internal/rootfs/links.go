// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
)

// runtimeLink returns the target of a link that runtimes create in a container's /dev (runtime-spec, runtime-linux.md,
// "Dev symbolic links"); "" if they create none there.
func runtimeLink(p string) string {
	switch p {
	case "/dev/fd":
		return "/proc/self/fd"
	case "/dev/stdin":
		return "/proc/self/fd/0"
	case "/dev/stdout":
		return "/proc/self/fd/1"
	case "/dev/stderr":
		return "/proc/self/fd/2"
	}
	return ""
}

// LeadsToProc reports whether a path leads into a /proc, the container's or the host's, through links of the image, of
// volumes or of the runtime. The path is resolved as it is before the container starts.
func (v *View) LeadsToProc(name string) (bool, error) {
	v.place()
	leads := false
	_, err := links.Follow(name, func(next, _ string) (string, error) {
		target, isProc, err := v.linkAt(next)
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

// linkAt reads a path below directories that are not links: it returns the target if it is a link, and whether it is in
// a /proc.
func (v *View) linkAt(p string) (target string, isProc bool, err error) {
	if target := runtimeLink(p); target != "" {
		return target, false, nil
	}
	if m := v.covering(p); m != nil {
		switch {
		case m.Mount.Type == "proc":
			return "", true, nil
		case m.also != "":
			return "", false, errHidden
		case m.Mount.Binds():
			return linkBelow(p, m, v.source(m.Mount))
		case m.Mount.Type == "overlay":
			return linkBelow(p, m, layersOf(m.Mount)...)
		case p != m.At && !slices.Contains(fresh, m.Mount.Type):
			return "", false, errHidden
		}
	}
	return linkIn(v.root, p)
}

// fresh lists file systems without links other than the kernel's: new ones, and those that runc fills with the rootfs's
// files from that path (tmpcopyup).
var fresh = []string{"tmpfs", "ramfs", "sysfs", "cgroup", "cgroup2", "mqueue", "devpts"}

// layersOf returns the directories of an overlay, the upper one first.
func layersOf(m *Mount) []string {
	o, _ := proc.ParseOverlay(m.Options)
	if o.Upper == "" {
		return o.Lower
	}
	return append([]string{o.Upper}, o.Lower...)
}

// linkBelow is linkIn for a path inside a mount of directories of the host: the first one with a link, or a /proc,
// counts.
func linkBelow(p string, m *Placed, sources ...string) (target string, isProc bool, err error) {
	for _, source := range sources {
		src, err := openat2(unix.AT_FDCWD, source, unix.O_PATH, 0)
		if err != nil {
			continue // the runtime will report it
		}
		target, isProc, err = linkIn(src, strings.TrimPrefix(strings.TrimPrefix(p, m.At), "/"))
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
			return "", false, nil // nothing exists there, or nothing that the runtime could enter
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
	target, err = links.Read(fd, "")
	if err != nil {
		return "", false, nil // it is not a link
	}
	return target, false, nil
}
