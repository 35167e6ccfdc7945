// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/dirents"
)

// Bounds limit how many directories are examined, so that it takes less than a millisecond.
type Bounds struct {
	Levels      int // how deep it goes; 1: only the entries of the named directories
	Entries     int // how many of them are examined
	Directories int // how many are opened
}

// DirectoryOwners returns the owners of the directories below some directories of the rootfs itself; complete reports
// whether the limits were enough for all.
func (v *View) DirectoryOwners(dirs []string, most Bounds) (owners map[uint32]bool, complete bool) {
	l := look{owners: map[uint32]bool{}, most: most}
	for _, dir := range dirs {
		l.directory(v.root, dir, most.Levels)
	}
	return l.owners, l.entries <= most.Entries && l.directories <= most.Directories
}

// look collects the owners of directories, and counts the effort.
type look struct {
	owners               map[uint32]bool
	most                 Bounds
	entries, directories int
}

// directory examines the directories in one, and so many levels down. It follows no link and stays on its file system;
// what can't be opened is skipped. No process is running in the image yet that could change it.
func (l *look) directory(at int, name string, levels int) {
	if l.directories++; l.directories > l.most.Directories {
		return
	}
	fd, err := openat2(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, inRoot|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_XDEV)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	for e, err := range dirents.All(fd) {
		if err != nil || l.entries > l.most.Entries {
			return
		}
		l.entry(fd, e, levels)
	}
}

// bare is the link count of a directory without subdirectories. File systems that don't count say 1 (btrfs, and
// overlayfs where layers meet).
const bare = 2

func (l *look) entry(at int, e dirents.Entry, levels int) {
	l.entries++
	if e.Kind != unix.DT_DIR && e.Kind != unix.DT_UNKNOWN {
		return
	}
	var st unix.Stat_t
	if unix.Fstatat(at, e.Name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return
	}
	l.owners[st.Uid] = true
	if levels > 1 && st.Nlink != bare {
		l.directory(at, e.Name, levels-1)
	}
}
