// SPDX-License-Identifier: Apache-2.0

// Package layer gives an identity that stands in for root what an image keeps for root and for its service accounts: the
// folders in which a service writes. It changes owners in the container's own layer only, below the rootfs only, and follows
// no link. What it finds there is hostile.
package layer

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Wish is what is to be given to whom.
type Wish struct {
	Rootfs   string
	Made     func(rootfs string) bool // whether it is where the engine makes one for this container; the path is free of links
	UID, GID uint32                   // of the identity, as the files of the rootfs have it

	// From says whose files are given: root's and those of the image's service accounts, as the files have them. FromGroup
	// says which group is replaced, too: root's; others stay.
	From, FromGroup func(id uint32) bool

	GroupRoot bool // what root's group may write becomes that of the identity's group, whoever owns it
	Foresee   bool // nothing is changed, only told

	Paths   []string            // clean and absolute; folders that are given with what is below them
	Keep    []string            // what is not, nor anything below it
	Covered func(p string) bool // what a mount covers is not the image's
}

// Given is what was done.
type Given struct {
	Folders, Files int
	Tops           []string // those of the wish's paths below which something was given, in their order
	Unfinished     bool     // there was more than the bounds let through
	Would          []string // each path that would be given, where it is only foreseen
}

// Bounds of what is done for one container. Most of the time is what overlayfs needs to copy a folder up, some 40 microseconds.
const (
	maxLooked = 4096     // entries that are looked at
	maxGiven  = 512      // folders and files that are given
	maxFile   = 64 << 10 // bytes of one file: it is copied up whole
	maxBytes  = 1 << 20  // bytes of all
	maxDepth  = 12       // below a path of the wish
)

// ErrNotOwn says that a rootfs is not a layer that the engine made for this container.
var ErrNotOwn = errors.New("the rootfs is not an overlay that was made for this container")

// Give changes the owners. An error means that nothing or not all was given, and never that something was given which
// should not have been.
func Give(w *Wish) (Given, error) {
	root, err := w.open()
	if err != nil {
		return Given{}, err
	}
	defer unix.Close(root) //nolint:errcheck // nothing was written
	g := giver{Wish: w, root: root}
	for i, p := range w.Paths {
		g.queue = append(g.queue, folder{p, i, 0})
	}
	g.tops = make([]bool, len(w.Paths))
	g.all()
	for i, p := range w.Paths {
		if g.tops[i] {
			g.Tops = append(g.Tops, p)
		}
	}
	return g.Given, g.err
}

// open opens a rootfs that is the container's own: an overlay that was mounted for it, where its engine mounts such. A plain
// folder, the host's own file system, or an overlay that somebody names may be somebody else's (SECURITY.md C12).
func (w *Wish) open() (int, error) {
	fd, err := unix.Open(w.Rootfs, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open the rootfs %q: %w", w.Rootfs, err)
	}
	if err := own(fd); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	if real, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd)); err != nil || !w.Made(real) {
		_ = unix.Close(fd)
		return -1, ErrNotOwn
	}
	return fd, nil
}

func own(fd int) error {
	var fs unix.Statfs_t
	var st unix.Statx_t
	var here, host unix.Stat_t
	err := errors.Join(
		unix.Fstatfs(fd, &fs),
		unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, &st),
		unix.Fstat(fd, &here),
		unix.Stat("/", &host),
	)
	switch {
	case err != nil:
		return fmt.Errorf("look at the rootfs: %w", err)
	case fs.Type != unix.OVERLAYFS_SUPER_MAGIC, st.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0, here.Dev == host.Dev:
		return ErrNotOwn
	}
	return nil
}

type giver struct {
	*Wish
	Given
	root   int
	queue  []folder // breadth first: what is near the top matters most
	tops   []bool
	looked int
	bytes  int64
	err    error
}

type folder struct {
	path  string
	of    int // the wish's path that it lies below
	depth int
}

// inside keeps a lookup to the rootfs and its file system, and off every link.
const inside = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV

// beneath is a path as a lookup in a rootfs has it.
func beneath(p string) string {
	if p == "/" {
		return "."
	}
	return strings.TrimPrefix(p, "/")
}

// reading is how a folder is opened.
const reading = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC

// all gives what is in the queue, until there is nothing more or it is too much.
func (g *giver) all() {
	for len(g.queue) > 0 && !g.Unfinished && g.err == nil {
		next := g.queue[0]
		g.queue = g.queue[1:]
		g.folder(next)
	}
}

// folder gives one folder, its files, and queues the folders in it.
func (g *giver) folder(f folder) {
	if g.spared(f.path) {
		return
	}
	fd, err := unix.Openat2(g.root, beneath(f.path), &unix.OpenHow{
		Flags: reading, Resolve: inside,
	})
	if err != nil {
		return // a link, somebody else's file system, or nothing at all
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return
	}
	g.look(1)
	if g.Unfinished || !g.give(fd, "", f.path, &st, f.of) {
		return
	}
	names, err := entries(fd, maxLooked-g.looked)
	if err != nil {
		return
	}
	g.look(len(names))
	for _, name := range names {
		if g.Unfinished || g.err != nil {
			return
		}
		g.entry(fd, name, f)
	}
}

// look counts what was looked at.
func (g *giver) look(n int) {
	if g.looked += n; g.looked >= maxLooked {
		g.Unfinished = true
	}
}

func (g *giver) entry(dir int, name string, f folder) {
	p := path.Join(f.path, name)
	var st unix.Stat_t
	if unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		if f.depth+1 < maxDepth {
			g.queue = append(g.queue, folder{p, f.of, f.depth + 1})
		}
	case unix.S_IFREG:
		if !g.spared(p) && plain(name, &st) {
			g.give(dir, name, p, &st, f.of)
		}
	}
}

// spared is what is kept as it is, or not the image's.
func (g *giver) spared(p string) bool {
	for _, k := range g.Keep {
		if p == k || strings.HasPrefix(p, k) && p[len(k)] == '/' {
			return true
		}
	}
	return g.Covered(p)
}

// plain is a small file of data: no program, no library, nothing with a privilege of its own, and none that has a second
// name elsewhere.
func plain(name string, st *unix.Stat_t) bool {
	return st.Mode&(unix.S_ISUID|unix.S_ISGID|0o111) == 0 && st.Nlink == 1 && st.Size <= maxFile &&
		!strings.HasSuffix(name, ".so") && !strings.Contains(name, ".so.")
}

// give changes the owner of an entry of an open folder, or where it has no name, of the folder itself. It says whether what
// lies below is to be looked at: that of somebody else is not.
func (g *giver) give(dir int, name, p string, st *unix.Stat_t, of int) (goOn bool) {
	const everyones = unix.S_ISVTX | 0o002 // as /tmp
	isFolder := name == ""
	if st.Uid == g.UID || isFolder && st.Mode&everyones == everyones {
		return true
	}
	uid, gid := int(g.UID), -1
	if g.FromGroup(st.Gid) {
		gid = int(g.GID)
	}
	if !g.From(st.Uid) {
		if uid = -1; gid < 0 || !g.GroupRoot || st.Mode&0o020 == 0 {
			return false
		}
	}
	if !isFolder && g.bytes+st.Size > maxBytes || g.Folders+g.Files >= maxGiven {
		g.Unfinished = true
		return false
	}
	if g.Foresee {
		g.Would = append(g.Would, p)
	} else if g.err = chown(dir, name, st, uid, gid); g.err != nil {
		return false
	}
	g.tops[of] = true
	if isFolder {
		g.Folders++
	} else {
		g.Files++
		g.bytes += st.Size
	}
	return true
}

// chown changes what was looked at, even if its name leads elsewhere by now.
func chown(dir int, name string, st *unix.Stat_t, uid, gid int) error {
	if name == "" {
		return worded(unix.Fchown(dir, uid, gid))
	}
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return worded(err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	var now unix.Stat_t
	if err := unix.Fstat(fd, &now); err != nil || now.Ino != st.Ino || now.Dev != st.Dev || now.Mode != st.Mode {
		return nil // another file than that: it is not looked at again
	}
	return worded(unix.Fchownat(fd, "", uid, gid, unix.AT_EMPTY_PATH))
}

func worded(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("change an owner in the container's layer: %w", err)
}

// entries lists a folder, at most so many.
func entries(fd, most int) ([]string, error) {
	var names []string
	buf := make([]byte, 8192)
	for len(names) < most {
		n, err := unix.Getdents(fd, buf)
		if err != nil || n <= 0 {
			return names, err
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
	return names[:min(len(names), max(most, 0))], nil
}
