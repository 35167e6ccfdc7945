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

// lastName is the attribute of the root of a container's own layer that records the identity of its last start.
// Engines remove a bundle when its container ends, but keep the layer. Attributes of that name need CAP_SYS_ADMIN on
// the host (xattr(7), "Trusted extended attributes"), which no container has unless it is exempt; and an image can't
// bring one, as the engine creates the root of the layer.
const lastName = "trusted.nonroot.identity"

// lastText returns the attribute's value: the container's UID:GID, a blank, and the identity's source.
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

// LastStart returns the identity with which the container was last started on this layer; false if it never was, or if
// that can't be determined, as in a rootless engine's namespace.
func LastStart(w *Options) (policy.LastStart, bool) {
	root, err := w.open()
	if err != nil {
		return policy.LastStart{}, false
	}
	defer unix.Close(root)
	text := readLast(root)
	if text == "" {
		return policy.LastStart{}, false
	}
	// Without a layer of the container's own, the attribute would be the image's.
	if o, err := proc.OverlayOf(root); err != nil || o.Upper == "" {
		return policy.LastStart{}, false
	}
	return parseLast(text)
}

// Remember records a container's identity in its own layer, for its next start.
func Remember(w *Options, last policy.LastStart) error {
	root, err := w.open()
	if err != nil {
		return err
	}
	defer unix.Close(root)
	text := lastText(last)
	if readLast(root) == text {
		return nil
	}
	return unix.Setxattr(byDescriptor(root), lastName, []byte(text), 0)
}

// LastStartOf returns the identity of a container's last start from the directory of its own layer, while the container
// is not running.
func LastStartOf(upper string) (policy.LastStart, bool) {
	fd, err := unix.Open(upper, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return policy.LastStart{}, false
	}
	defer unix.Close(fd)
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

// byDescriptor returns a path for calls that accept no O_PATH descriptor.
func byDescriptor(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// IsUnsupported reports whether a layer can't record anything: its file system lacks such attributes, the caller may
// not set them, or it is read-only.
func IsUnsupported(err error) bool {
	return errors.Is(err, ErrNotOwn) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS)
}
