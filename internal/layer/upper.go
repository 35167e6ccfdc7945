// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/proc"
)

// upper is the directory in which an overlay keeps its changes (Linux, filesystems/overlayfs.rst), opened on demand.
// Nothing is changed in it; it only shows what a change would cost.
type upper struct {
	fd     int
	looked bool
}

func (u *upper) close() {
	if u.looked && u.fd >= 0 {
		_ = unix.Close(u.fd)
	}
}

// has reports whether the directory contains a file of the overlay.
func (u *upper) has(overlay int, p string, st *unix.Stat_t) bool {
	if !u.looked {
		u.fd, u.looked = openUpper(overlay), true
	}
	if u.fd < 0 {
		return false
	}
	there, err := openEntry(u.fd, beneath(p))
	if err != nil {
		return false
	}
	defer unix.Close(there.fd)
	return there.Mode == st.Mode && there.Size == st.Size && there.Mtim == st.Mtim
}

// Written reports whether a container itself wrote a file before its last end, so that the file is in its own layer of
// the overlay at rootfs. It returns false if that can't be determined. The path is absolute and free of links.
func Written(rootfs, p string, st *unix.Stat_t) bool {
	fd, err := unix.Open(rootfs, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var u upper
	defer u.close()
	return u.has(fd, p, st)
}

// openUpper opens the directory by the path in the overlay's mount options; -1 if it has none, or can't be found.
func openUpper(overlay int) int {
	o, err := proc.OverlayOf(overlay)
	if err != nil || !proc.Findable(o.Upper) {
		return -1
	}
	fd, err := unix.Open(o.Upper, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	return fd
}
