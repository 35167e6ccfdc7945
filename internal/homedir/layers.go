// SPDX-License-Identifier: Apache-2.0

package homedir

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
)

// Layers is the view of the image alone, without what the container has written in its own layer: only that may say who the
// image was built for. Else a container's process would choose whose its next start is, where /etc/passwd is a link to a place
// that it can write, or by whose directories it leaves (SECURITY.md A15). The mounts are the same.
//
// Before a container's first start its own layer is empty, and the view is the container's own. Where the layers can't be told
// apart, as without an overlay, it is that, too, but what only root could have written is all that is believed.
//
// Inside translates the owner of a file of the rootfs into a uid of the container's.
//
// Trusted says whether nobody but root can change what a path of the host leads to. A layer that others can exchange by its path is
// none: where engines take a mount away once the overlay is there, somebody else may have put another directory in its place.
func (im *Image) Layers(inside func(owner uint32) (uid uint32, ok bool), trusted func(dir string) bool) *Image {
	if im.layers != nil {
		return im.layers
	}
	im.layers = im
	switch root, err := openLayers(im.root, trusted); {
	case err != nil:
		im.layers = im.believed(inside)
	case root >= 0:
		im.layers = im.viewOf(root)
	}
	return im.layers
}

// believed is a view of the same rootfs, of which only what root alone can have written counts.
func (im *Image) believed(inside func(uint32) (uint32, bool)) *Image {
	im.load()
	v := *im
	v.layers, v.uids = &v, nil
	for p, d := range map[string]*database{"/etc/passwd": &v.passwd, "/etc/group": &v.group} {
		if d.own && !v.rootsAlone(p, inside) {
			*d = database{note: fmt.Sprintf("%s says nothing of the image: others than root can write it, or lead it elsewhere", p)}
		}
	}
	return &v
}

func (im *Image) viewOf(root int) *Image {
	v := &Image{root: root, readonly: im.readonly, bundle: im.bundle, mounts: im.mounts}
	v.layers = v
	return v
}

// openLayers opens the layers below an overlay's own; -1: there is nothing in its own that differs from them.
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

// mountLayers mounts layers for this process alone: the mount has no place in any namespace, and ends with its descriptor
// (fsopen(2)). Since Linux 6.5.
func mountLayers(o proc.Overlay) (int, error) {
	fs, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fs) //nolint:errcheck // nothing was written
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

var errLayers = errors.New("the layers of the overlay can't be told")

func isEmpty(dir string) bool {
	fd, err := openat2(unix.AT_FDCWD, dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	var buf [512]byte
	n, err := unix.Getdents(fd, buf[:])
	if err != nil {
		return false
	}
	for rest := buf[:n]; len(rest) > 0; {
		var e dirent
		if e, rest = nextDirent(rest); e.name != "." && e.name != ".." {
			return false
		}
	}
	return true
}

// rootsAlone says that only root can have made what a path of the rootfs leads to, where everybody else who could have is one of the
// container's processes, which are never root: each directory and link on the way, and the file, is root's, and nobody but root and
// root's group, in which nobody is, may write it.
func (im *Image) rootsAlone(p string, inside func(uint32) (uint32, bool)) bool {
	roots := func(owner uint32) bool { // the container's, or the host's, who is nobody in the container
		uid, mapped := inside(owner)
		return mapped && uid == 0 || !mapped && owner == 0
	}
	var top unix.Stat_t
	if unix.Fstat(im.root, &top) != nil || !roots(top.Uid) || top.Mode&0o002 != 0 {
		return false
	}
	_, err := links.Follow(p, func(next, _ string) (string, error) {
		fd, err := openat2(im.root, next, unix.O_PATH|unix.O_NOFOLLOW, inRoot|unix.RESOLVE_NO_SYMLINKS)
		if err != nil {
			return "", err
		}
		defer unix.Close(fd) //nolint:errcheck // nothing was written
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return "", err
		}
		if !roots(st.Uid) {
			return "", errLayers
		}
		if st.Mode&unix.S_IFMT == unix.S_IFLNK {
			return im.readLink(next)
		}
		if st.Mode&0o002 != 0 || st.Mode&0o020 != 0 && st.Gid != st.Uid {
			return "", errLayers
		}
		return "", nil
	})
	return err == nil
}
