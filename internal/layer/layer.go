// SPDX-License-Identifier: Apache-2.0

// Package layer gives an identity that stands in for root what an image keeps for root and for its service accounts: the
// directories in which a service writes. It changes owners in the container's own layer only, below the rootfs only, and follows
// no link. What it finds there is hostile.
package layer

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/dirents"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
)

// Options is what is to be given to whom.
type Options struct {
	Rootfs   string
	Made     func(rootfs string) bool // whether it is where the engine makes one for this container; the path is free of links
	UID, GID uint32                   // of the identity, as the files of the rootfs have it

	// From says whose files are given: root's and those of the image's service accounts, as the files have them. FromGroup
	// says which group is replaced, too: root's, and one that an earlier identity had; others stay.
	From, FromGroup func(id uint32) bool

	GroupRoot bool // what root's group may write becomes that of the identity's group, whoever owns it
	GroupOnly bool // and nothing else changes: who the image was made for is who runs in it, but for that group
	DryRun    bool // nothing is changed, only told

	Application func(p string) bool // of the directories at the top and below /etc, which are given beside Paths; nil: none
	Lend        bool                // what root alone may read or run in those that are given becomes readable to the identity's group
	Programs    []string            // and these files, by themselves, with the directories on their way: clean, absolute and free of links

	Paths   []string            // clean and absolute; directories that are given with what is below them
	Keep    []string            // what is not, nor anything below it
	Covered func(p string) bool // what a mount covers is not the image's
}

// Given is what was done.
type Given struct {
	Directories, Files int
	Tops               []string // those of the options' paths below which something was given, in their order
	Unfinished         bool     // there was more than the bounds let through
	Would              []string // each path that would be given, where it is only foreseen
}

// Bounds of what is done for one container. Most of the time is what overlayfs needs to copy a directory up, some 40 microseconds.
const (
	maxLooked = 4096     // entries that are looked at
	maxListed = 2048     // entries of one directory
	maxGiven  = 512      // directories and files that are given
	maxFiles  = 256      // files among them: a cache with many leaves room for the directories that come later
	maxFile   = 64 << 10 // bytes of one file of the image: it is copied up whole
	maxBytes  = 1 << 20  // bytes of all
	maxDepth  = 12       // below a path of the options
)

// ErrNotOwn says that a rootfs is not a layer that the engine made for this container.
var ErrNotOwn = errors.New("the rootfs is not an overlay that was made for this container")

// Give changes the owners. An error means that nothing or not all was given, and never that something was given which
// should not have been.
func Give(w *Options) (Given, error) {
	root, err := w.open()
	if err != nil {
		return Given{}, err
	}
	defer unix.Close(root) //nolint:errcheck // nothing was written
	g := giver{Options: w, root: root}
	defer g.upper.close()
	lent := g.programs() // before others use up what may be lent
	// What the policy names comes first, and applications have bounds of their own: a large one leaves room for state.
	g.below(w.Paths)
	if w.Application != nil {
		g.below(g.applications())
	}
	g.Tops = append(g.Tops, lent...)
	if w.Lend && g.err == nil {
		g.helpers()
	}
	return g.Given, cmp.Or(g.err, g.denied)
}

// open opens a rootfs that is the container's own: an overlay that was mounted for it, where its engine mounts such. A plain
// directory, the host's own file system, or an overlay that somebody names may be somebody else's (SECURITY.md C12).
func (w *Options) open() (int, error) {
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
	*Options
	Given
	root  int
	queue []directory // breadth first: what is near the top matters most
	tops  []bool
	spent
	lent   spent
	full   bool            // nothing more is looked at
	only   map[uint64]bool // inodes besides which nothing is given; nil: any
	upper  upper
	denied error // of something by itself: one that is immutable, or whose owner is not mapped in a rootless engine's namespace
	err    error // ends it
}

// spent is what of the bounds is used up.
type spent struct {
	looked, entries, files int
	bytes                  int64
}

type directory struct {
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

// reading is how a directory is opened.
const reading = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC

// below gives directories with what is below them, within bounds of their own.
func (g *giver) below(paths []string) {
	g.spent, g.full, g.queue, g.tops = spent{}, false, nil, make([]bool, len(paths))
	for i, p := range paths {
		g.queue = append(g.queue, directory{p, i, 0})
	}
	g.all()
	for i, p := range paths {
		if g.tops[i] {
			g.Tops = append(g.Tops, p)
		}
	}
}

// all gives what is in the queue, until there is nothing more or it is too much.
func (g *giver) all() {
	for len(g.queue) > 0 && !g.full && g.err == nil {
		next := g.queue[0]
		g.queue = g.queue[1:]
		g.directory(next)
	}
}

// directory gives one directory, its files, and queues the directories in it.
func (g *giver) directory(f directory) {
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
	if g.full || !g.give(fd, f.path, &st, f.of) {
		return
	}
	most := min(maxListed, maxLooked-g.looked)
	names, err := dirents.Names(fd, most+1)
	if err != nil {
		return
	}
	if len(names) > most {
		names, g.Unfinished = names[:most], true
	}
	for _, name := range names {
		if g.full || g.err != nil {
			return
		}
		g.entry(fd, name, f)
	}
	g.look(len(names))
}

// look counts what was looked at.
func (g *giver) look(n int) {
	if g.looked += n; g.looked >= maxLooked {
		g.full, g.Unfinished = true, true
	}
}

func (g *giver) entry(dir int, name string, f directory) {
	p := path.Join(f.path, name)
	var st unix.Stat_t
	if unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		if f.depth+1 < maxDepth {
			g.queue = append(g.queue, directory{p, f.of, f.depth + 1})
		}
	case unix.S_IFREG:
		if _, lends := g.Lends(&st); !g.spared(p) && (lends || plain(name, &st)) {
			g.file(dir, name, p, f.of)
		}
	}
}

// file gives a file. What its name leads to by now is what is looked at: a file by itself may be mounted there, or another one
// put in its place.
func (g *giver) file(dir int, name, p string, of int) {
	o, err := openEntry(dir, name)
	if err != nil {
		return
	}
	defer unix.Close(o.fd) //nolint:errcheck // nothing was written
	written := func() bool { return g.copiesNothing(p, &o.Stat_t) }
	_, becomes := g.Becomes(&o.Stat_t)
	switch {
	case o.Mode&unix.S_IFMT != unix.S_IFREG:
	case (becomes || !g.GroupOnly) && TakesFile(name, &o.Stat_t, written):
		g.give(o.fd, p, &o.Stat_t, of)
	case g.only == nil && g.lend(o.fd, p, &o.Stat_t):
		g.tops[of] = true
	}
}

// spared is what is kept as it is, or not the image's.
func (g *giver) spared(p string) bool {
	return links.WithinAny(g.Keep, p) || g.Covered(p)
}

// copiesNothing says of a large file that the container itself has written it, before its last end: it is in its own layer already.
func (g *giver) copiesNothing(p string, st *unix.Stat_t) bool {
	return g.only == nil && g.From(st.Uid) && g.upper.has(g.root, p, st)
}

// TakesFile reports whether a regular file with a name is of the kind that is given: one of data, and no larger than
// what may be copied up. Of a large one it asks whether the container itself has written it, as Written does: then
// nothing is copied.
func TakesFile(name string, st *unix.Stat_t, written func() bool) bool {
	return plain(name, st) && (st.Size <= maxFile || written())
}

// plain is a file of data: no program, no library, nothing with a privilege of its own, and none that has a second
// name elsewhere.
func plain(name string, st *unix.Stat_t) bool {
	return st.Mode&(unix.S_ISUID|unix.S_ISGID|0o111) == 0 && st.Nlink == 1 &&
		!strings.HasSuffix(name, ".so") && !strings.Contains(name, ".so.")
}

// give changes the owner of what is open. It says whether what lies below is to be looked at: that of somebody else is not.
func (g *giver) give(fd int, p string, st *unix.Stat_t, of int) (goOn bool) {
	if g.only != nil && !g.only[st.Ino] {
		return false
	}
	if g.stays(st) {
		return true
	}
	after, ok := g.Becomes(st)
	if !ok {
		return g.GroupOnly && g.From(st.Uid) // what its group may write can lie below
	}
	switch {
	case g.entries >= maxGiven:
		g.full, g.Unfinished = true, true
		return false
	case !isDirectory(st) && (g.bytes+cost(st) > maxBytes || g.files >= maxFiles):
		g.Unfinished = true // directories are given all the same
		return false
	}
	if !g.change(fd, p, st, &after) {
		return false
	}
	g.tops[of] = true
	g.entries++
	if isDirectory(st) {
		g.Directories++
	} else {
		g.Files++
		g.files++
		g.bytes += cost(st)
	}
	return true
}

// change gives what is open another owner, group or mode. It says whether it did, or would.
func (g *giver) change(fd int, p string, st, after *unix.Stat_t) bool {
	if g.DryRun {
		g.Would = append(g.Would, p)
		return true
	}
	if err := chown(fd, st, after); err != nil {
		if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EOVERFLOW) { // such as a full disk
			g.err = worded(err)
		}
		g.denied = worded(err)
		return false
	}
	if after.Mode != st.Mode {
		g.err = worded(chmod(fd, after.Mode&0o7777))
	}
	return g.err == nil
}

// chmod also works on a descriptor that was opened with O_PATH.
func chmod(fd int, mode uint32) error {
	return unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), mode)
}

func chown(fd int, from, to *unix.Stat_t) error {
	return unix.Fchownat(fd, "", changed(from.Uid, to.Uid), changed(from.Gid, to.Gid), unix.AT_EMPTY_PATH)
}

// changed is an id as chown(2) takes it: -1 leaves it as it is.
func changed(from, to uint32) int {
	if from == to {
		return -1
	}
	return int(to)
}

// stays says that a directory or file is left as it is, and what lies below a directory is looked at all the same.
func (w *Options) stays(st *unix.Stat_t) bool {
	const everyones = unix.S_ISVTX | 0o002 // as /tmp
	return st.Uid == w.UID || isDirectory(st) && st.Mode&everyones == everyones
}

// Becomes is who owns a directory or file, and its mode, once it is given; what is not given stays as it is. It goes
// by owner and mode alone: see TakesFile for which files are given at all, and Keep and Covered for where nothing
// is.
func (w *Options) Becomes(st *unix.Stat_t) (after unix.Stat_t, ok bool) {
	after = *st
	if w.stays(st) {
		return after, false
	}
	replaces := w.replaces(st.Gid)
	owned := !w.GroupOnly && w.From(st.Uid)
	if !owned && !(replaces && w.GroupRoot && st.Mode&0o020 != 0) {
		return after, false
	}
	if replaces {
		after.Gid = w.GID
	}
	if owned {
		after.Uid = w.UID
		if isDirectory(st) {
			after.Mode |= rights
		}
	}
	return after, true
}

// replaces says that a group gives way to the identity's, which it isn't yet.
func (w *Options) replaces(group uint32) bool { return group != w.GID && w.FromGroup(group) }

func isDirectory(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFDIR }

// cost is how many bytes of a file are copied up. A large one is given where there are none.
func cost(st *unix.Stat_t) int64 {
	if st.Size > maxFile {
		return 0
	}
	return st.Size
}

// rights are what a directory's owner gets: root needs none, and Fedora has its home as 0550.
const rights = 0o700

func worded(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("change an owner or a mode in the container's layer: %w", err)
}
