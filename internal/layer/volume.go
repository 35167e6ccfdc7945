// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"fmt"
	"path"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
)

// engines are what lies beside the folder of its volumes where an engine keeps them: Docker's data-root (moby, volume/local and
// volume/service), and the graphroot of Podman (containers/storage, libpod's volumes).
var engines = [...]string{"metadata.db", "../overlay-containers", "../vfs-containers", "../btrfs-containers"}

// IsVolume says whether the source of a bind mount is a named volume that an engine manages: a folder of its own below one that
// only root can write, and not something of the host's that was mounted there (the local driver's option device).
func IsVolume(source string, owners bundle.Owners) bool {
	fd, ok := openVolume(source, owners)
	if ok {
		_ = unix.Close(fd)
	}
	return ok
}

// openVolume opens it. <folder of volumes>/<name>/_data is what both engines make.
func openVolume(source string, owners bundle.Owners) (int, bool) {
	volumes := path.Dir(path.Dir(source))
	if !path.IsAbs(source) || path.Clean(source) != source || path.Base(source) != "_data" || path.Base(volumes) != "volumes" {
		return -1, false
	}
	dir, err := bundle.Open(path.Dir(source), owners)
	if err != nil {
		return -1, false
	}
	defer dir.Close()
	if dir.Path != path.Dir(source) || dir.Guarded() != nil || !ofEngine(volumes) {
		return -1, false
	}
	fd, err := unix.Open(source, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, false
	}
	var st unix.Statx_t
	if unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, &st) != nil || st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		_ = unix.Close(fd)
		return -1, false
	}
	return fd, true
}

func ofEngine(volumes string) bool {
	for _, beside := range engines {
		var st unix.Stat_t
		if unix.Lstat(path.Join(volumes, beside), &st) == nil && st.Uid == 0 {
			return true
		}
	}
	return false
}

// Volume is a mount of a container's.
type Volume struct {
	Source, Destination string

	State bool // what lies there may be given, too, as long as it is the image's
}

// GiveVolume makes the identity the owner of an engine's new volume, as Docker makes an image's account the owner where the
// image has the folder. It says whether it did.
//
// New is one of root's, or where the image has a folder of the same account in the volume's place, whose owner the engine has
// copied; any other account's may be the identity of a container that runs with it. And nothing was written in it yet: it is
// empty, or holds what the engine copied there from that folder, and nothing else.
func GiveVolume(v Volume, w *Wish, isRoot func(uid uint32) bool, owners bundle.Owners) (bool, error) {
	fd, ok := openVolume(v.Source, owners)
	if !ok {
		return false, nil
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || !w.From(st.Uid) || st.Uid == w.UID {
		return false, nil //nolint:nilerr // what can't be looked at stays
	}
	if !isRoot(st.Uid) && !copiedFrom(w.Rootfs, v.Destination, st.Uid) {
		return false, nil
	}
	names, err := entries(fd, 1)
	switch {
	case err != nil:
		return false, nil //nolint:nilerr // likewise
	case len(names) == 0:
	case v.State && w.copied(fd, v.Destination):
		return w.giveCopy(fd)
	default:
		return false, nil
	}
	gid := -1
	if w.FromGroup(st.Gid) {
		gid = int(w.GID)
	}
	if w.Foresee {
		return true, nil
	}
	if err := unix.Fchown(fd, int(w.UID), gid); err != nil {
		return false, fmt.Errorf("change the owner of the volume %q: %w", v.Source, err)
	}
	return true, nil
}

// copiedFrom says that the image's own folder at a mount's destination has this owner.
func copiedFrom(rootfs, destination string, owner uint32) bool {
	root, err := unix.Open(rootfs, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(root) //nolint:errcheck // nothing was written
	fd, err := unix.Openat2(root, destination, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return false
	}
	defer unix.Close(fd) //nolint:errcheck // likewise
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Uid == owner
}

// giveCopy gives what a volume was filled with, as Give gives an image's own files.
func (w *Wish) giveCopy(fd int) (bool, error) {
	inVolume := *w
	inVolume.Paths, inVolume.Keep, inVolume.Covered = []string{"/"}, nil, func(string) bool { return false }
	g := giver{Wish: &inVolume, root: fd, tops: make([]bool, 1), queue: []folder{{path: "/"}}}
	g.all()
	return g.tops[0], g.err
}

// maxCopied is how many entries of a volume are compared with those of an image's folder.
const maxCopied = 256

// copied says that a volume holds nothing but what the image has in the folder that it is mounted on: names, owners, modes,
// and of files the size and the time of the last change, all of which engines copy. Some do it by an archive, which
// cuts the time to seconds.
func (w *Wish) copied(volume int, destination string) bool {
	dest := path.Clean(destination)
	if !path.IsAbs(dest) || dest == "/" {
		return false
	}
	root, err := w.open()
	if err != nil {
		return false
	}
	defer unix.Close(root) //nolint:errcheck // nothing was written
	image, err := unix.Openat2(root, dest[1:], &unix.OpenHow{Flags: reading, Resolve: inside})
	if err != nil {
		return false
	}
	defer unix.Close(image) //nolint:errcheck // likewise
	// What was read of the volume's folder is read again.
	if _, err := unix.Seek(volume, 0, unix.SEEK_SET); err != nil {
		return false
	}
	left := maxCopied
	return same(volume, image, &left, 0)
}

// same compares two folders, as long as there are entries left to look at.
func same(a, b int, left *int, depth int) bool {
	names, err := entries(a, *left+1)
	others, err2 := entries(b, *left+1)
	if *left -= len(names); err != nil || err2 != nil || *left < 0 || len(names) != len(others) || depth > maxDepth {
		return false
	}
	for _, name := range names {
		// A name that b does not have shows there; that there are as many makes it the same set.
		var in, of unix.Stat_t
		if unix.Fstatat(a, name, &in, unix.AT_SYMLINK_NOFOLLOW) != nil || unix.Fstatat(b, name, &of, unix.AT_SYMLINK_NOFOLLOW) != nil ||
			in.Mode != of.Mode || in.Uid != of.Uid || in.Gid != of.Gid {
			return false
		}
		switch in.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			if in.Size != of.Size || in.Mtim.Sec != of.Mtim.Sec || in.Mtim.Nsec != of.Mtim.Nsec && in.Mtim.Nsec != 0 {
				return false
			}
		case unix.S_IFDIR:
			if !sameBelow(a, b, name, left, depth+1) {
				return false
			}
		case unix.S_IFLNK:
		default:
			return false
		}
	}
	return true
}

func sameBelow(a, b int, name string, left *int, depth int) bool {
	in, err := unix.Openat2(a, name, &unix.OpenHow{Flags: reading, Resolve: inside})
	if err != nil {
		return false
	}
	defer unix.Close(in) //nolint:errcheck // nothing was written
	of, err := unix.Openat2(b, name, &unix.OpenHow{Flags: reading, Resolve: inside})
	if err != nil {
		return false
	}
	defer unix.Close(of) //nolint:errcheck // likewise
	return same(in, of, left, depth)
}
