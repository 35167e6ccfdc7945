// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/ids"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
)

// lastName is the attribute of the root of a container's own layer that says who the container was at its last start. Engines
// remove a bundle when its container ends, and keep the layer. Only who has CAP_SYS_ADMIN on the host reads or writes
// attributes of that name (xattr(7), "Trusted extended attributes"), which no container has that is not exempt; and an image
// brings none, as the root of the layer is a directory that the engine makes for the container.
const lastName = "trusted.nonroot.identity"

// lastText is what is written: UID:GID of the container, a blank, and the source that gave them.
func lastText(last policy.LastStart) string {
	return strconv.FormatUint(uint64(last.UID), 10) + ":" + strconv.FormatUint(uint64(last.GID), 10) + " " + string(last.Source)
}

func parseLast(text string) (policy.LastStart, bool) {
	who, source, ok := strings.Cut(text, " ")
	uid, gid, ok2 := strings.Cut(who, ":")
	u, ok3 := ids.Plain(uid)
	g, ok4 := ids.Plain(gid)
	if !ok || !ok2 || !ok3 || !ok4 || u == 0 || g == 0 || source == "" {
		return policy.LastStart{}, false
	}
	return policy.LastStart{Identity: policy.Identity{UID: u, GID: g}, Source: decision.Source(source)}, true
}

// LastStart is who the container was when it was last started with this layer; false: it never was, or that can't be told, as in
// a rootless engine's namespace.
func LastStart(w *Options) (policy.LastStart, bool) {
	root, err := w.open()
	if err != nil {
		return policy.LastStart{}, false
	}
	defer unix.Close(root) //nolint:errcheck // nothing was written
	text := readLast(root)
	if text == "" {
		return policy.LastStart{}, false
	}
	// Without a layer of the container's own it is the image's that is read.
	if o, err := proc.OverlayOf(root); err != nil || o.Upper == "" {
		return policy.LastStart{}, false
	}
	return parseLast(text)
}

// Remember keeps who a container is in its own layer, for its next start.
func Remember(w *Options, last policy.LastStart) error {
	root, err := w.open()
	if err != nil {
		return err
	}
	defer unix.Close(root) //nolint:errcheck // nothing was written
	text := lastText(last)
	if readLast(root) == text {
		return nil
	}
	return unix.Setxattr(byDescriptor(root), lastName, []byte(text), 0)
}

// LastStartOf is who a container was when it was last started, by the directory of its own layer, while it does not run.
func LastStartOf(upper string) (policy.LastStart, bool) {
	fd, err := unix.Open(upper, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return policy.LastStart{}, false
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	return parseLast(readLast(fd))
}

func readLast(root int) string {
	buf := make([]byte, 128)
	n, err := unix.Getxattr(byDescriptor(root), lastName, buf)
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

// byDescriptor is a path for calls that do not take a descriptor of O_PATH.
func byDescriptor(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// IsUnsupported says that a layer can't keep anything: its file system has no such attributes, the caller may not set them, or it
// is read-only.
func IsUnsupported(err error) bool {
	return errors.Is(err, ErrNotOwn) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS)
}
