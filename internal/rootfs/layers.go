// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/dirents"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
)

// Lower returns the view of the layers below an overlay's own, with the same mounts; nil if its own layer changes
// nothing. It fails if the layers can't be told apart. trusted reports whether only root can change what a path of the
// host leads to.
func (v *View) Lower(trusted func(dir string) bool) (*View, error) {
	root, err := openLayers(v.root, trusted)
	if root < 0 || err != nil {
		return nil, err
	}
	return &View{root: root, readonly: v.readonly, bundle: v.bundle, mounts: v.mounts}, nil
}

// openLayers opens the layers below an overlay's own; -1 if its own layer changes nothing.
func openLayers(rootfs int, trusted func(dir string) bool) (int, error) {
	o, err := proc.OverlayOf(rootfs)
	if err != nil {
		return -1, err
	}
	switch {
	case o.Upper == "" || proc.Findable(o.Upper) && isEmpty(o.Upper):
		return -1, nil
	case len(o.Lower) == 0 || slices.ContainsFunc(o.Lower, func(dir string) bool { return !trusted(dir) }):
		return -1, errLayers
	case len(o.Lower) == 1:
		return openat2(unix.AT_FDCWD, o.Lower[0], unix.O_PATH|unix.O_DIRECTORY, 0)
	}
	return mountLayers(o)
}

// mountLayers mounts layers for this process alone: the mount is in no namespace, and ends with its descriptor
// (fsopen(2)). Since Linux 6.5.
func mountLayers(o proc.Overlay) (int, error) {
	fs, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fs)
	for _, flag := range o.Flags {
		name, value, valued := strings.Cut(flag, "=")
		if valued {
			err = unix.FsconfigSetString(fs, name, value)
		} else {
			err = unix.FsconfigSetFlag(fs, name)
		}
		if err != nil {
			return -1, err
		}
	}
	for _, dir := range o.Lower {
		if err := unix.FsconfigSetString(fs, "lowerdir+", dir); err != nil {
			return -1, err
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, err
	}
	return unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
}

var errLayers = errors.New("the layers of the overlay are unknown")

func isEmpty(dir string) bool {
	fd, err := openat2(unix.AT_FDCWD, dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	names, err := dirents.Names(fd, 1)
	return err == nil && len(names) == 0
}

// RootsAlone reports whether only root can have created what a path of the rootfs leads to: each directory and link on
// the way, and the file, belongs to root, and only root and root's group may write it. The container's processes can't
// have, as they are never root and never in that group.
func (v *View) RootsAlone(p string, inside func(uint32) (uint32, bool)) bool {
	roots := func(owner uint32) bool { // the container's root, or the host's, which no user of the container is
		uid, mapped := inside(owner)
		return mapped && uid == 0 || !mapped && owner == 0
	}
	var top unix.Stat_t
	if unix.Fstat(v.root, &top) != nil || !roots(top.Uid) || top.Mode&0o002 != 0 {
		return false
	}
	_, err := links.Follow(p, func(next, _ string) (string, error) {
		fd, err := openat2(v.root, next, unix.O_PATH|unix.O_NOFOLLOW, inRoot|unix.RESOLVE_NO_SYMLINKS)
		if err != nil {
			return "", err
		}
		defer unix.Close(fd)
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return "", err
		}
		if !roots(st.Uid) {
			return "", errLayers
		}
		if st.Mode&unix.S_IFMT == unix.S_IFLNK {
			return v.readLink(next)
		}
		if st.Mode&0o002 != 0 || st.Mode&0o020 != 0 && st.Gid != st.Uid {
			return "", errLayers
		}
		return "", nil
	})
	return err == nil
}
