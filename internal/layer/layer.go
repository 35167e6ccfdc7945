// SPDX-License-Identifier: Apache-2.0

// Package layer makes an identity that stands in for root the owner of what belongs to root and to service accounts in
// an image: the directories that a service writes to. It changes owners only in the container's own layer and below the
// rootfs, and follows no link. It treats everything that it finds there as hostile.
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

// Options control what changes owner, and who becomes the owner.
type Options struct {
	Rootfs   string
	Made     func(rootfs string) bool // whether the engine creates a rootfs there for this container; the path is free of links
	UID, GID uint32                   // the identity's ids, as the files of the rootfs have them

	// From selects the owners that are replaced: root and the image's service accounts, by the files' ids. FromGroup
	// selects the groups that are replaced: root's, and those of an earlier identity; others stay.
	From, FromGroup func(id uint32) bool

	GroupRoot bool // what root's group may write becomes writable to the identity's group, whoever owns it
	GroupOnly bool // nothing else changes: the container runs as the user that the image was made for, except for that group
	DryRun    bool // nothing is changed, only reported

	Application func(p string) bool // directories at the top and below /etc that change owner besides Paths; nil: none
	Lend        bool                // makes what only root may read or run in the directories that change owner accessible to the identity's group
	Programs    []string            // files to be lent, too, with the directories above them: clean, absolute and free of links

	Paths   []string            // directories that change owner with everything below: clean and absolute
	Keep    []string            // exceptions, with everything below
	Covered func(p string) bool // a path that a mount covers is not the image's
}

// Given is the result of Give.
type Given struct {
	Directories, Files int
	Tops               []string // those of the options' paths below which something changed owner, in order
	Unfinished         bool     // the limits did not allow everything
	Would              []string // with DryRun: each path that would change owner
}

// Limits for one container. Most of the time goes into copying directories up in overlayfs, some 40 microseconds each.
const (
	maxLooked = 4096     // entries that are examined
	maxListed = 2048     // entries of one directory
	maxGiven  = 512      // directories and files that change owner
	maxFiles  = 256      // files among them: a cache with many leaves room for later directories
	maxFile   = 64 << 10 // bytes of one file of the image: it is copied up whole
	maxBytes  = 1 << 20  // bytes of all
	maxDepth  = 12       // below a path of the options
)

// ErrNotOwn reports that a rootfs is not a layer that the engine made for this container.
var ErrNotOwn = errors.New("the rootfs is not an overlay that was made for this container")

// Give changes the owners. On an error, some or all files stayed unchanged, but no file changed that should not have.
func Give(w *Options) (Given, error) {
	root, err := w.open()
	if err != nil {
		return Given{}, err
	}
	defer unix.Close(root)
	g := giver{Options: w, root: root}
	defer g.upper.close()
	lent := g.programs() // before others use up the limits for lending
	// The policy's own paths come first, and applications have their own limits: a large one leaves room for state.
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

// open opens a rootfs that is the container's own: an overlay that was mounted for it, in a place where its engine
// mounts them. A plain directory, the host's own file system, or an overlay at a path that a user chose may belong to
// others (SECURITY.md C12).
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
	full   bool            // a limit was reached: nothing more is examined
	only   map[uint64]bool // the inodes that may change owner; nil: any
	upper  upper
	denied error // for a single entry: it is immutable, or its owner is not mapped in a rootless engine's namespace
	err    error // stops everything
}

// spent counts how much of the limits was used.
type spent struct {
	looked, entries, files int
	bytes                  int64
}

type directory struct {
	path  string
	of    int // the index of the option's path that it is below
	depth int
}

// inside keeps a lookup within the rootfs and its file system, and refuses every link.
const inside = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV

// beneath returns a path relative to a rootfs.
func beneath(p string) string {
	if p == "/" {
		return "."
	}
	return strings.TrimPrefix(p, "/")
}

// reading holds the flags for opening a directory.
const reading = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC

// below changes the owner of directories and everything below them, within limits of their own.
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

// all works through the queue until it is empty or a limit is reached.
func (g *giver) all() {
	for len(g.queue) > 0 && !g.full && g.err == nil {
		next := g.queue[0]
		g.queue = g.queue[1:]
		g.directory(next)
	}
}

// directory handles one directory and its files, and queues the directories in it.
func (g *giver) directory(f directory) {
	if g.spared(f.path) {
		return
	}
	fd, err := unix.Openat2(g.root, beneath(f.path), &unix.OpenHow{
		Flags: reading, Resolve: inside,
	})
	if err != nil {
		return // a link, another file system, or nothing at all
	}
	defer unix.Close(fd)
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

// look counts entries against the limit.
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

// file handles a file. It checks what the name refers to now: another file may have been mounted there, or have taken
// its place.
func (g *giver) file(dir int, name, p string, of int) {
	o, err := openEntry(dir, name)
	if err != nil {
		return
	}
	defer unix.Close(o.fd)
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

// spared reports whether a path is excluded, or not the image's.
func (g *giver) spared(p string) bool {
	return links.WithinAny(g.Keep, p) || g.Covered(p)
}

// copiesNothing reports whether changing a large file copies nothing up: the container itself wrote it before its last
// end, so it is in its own layer already.
func (g *giver) copiesNothing(p string, st *unix.Stat_t) bool {
	return g.only == nil && g.From(st.Uid) && g.upper.has(g.root, p, st)
}

// TakesFile reports whether a regular file is of the kind that changes owner: a data file, no larger than what may be
// copied up. For a large one it calls written, which reports whether the container itself wrote it, as Written does:
// then nothing is copied.
func TakesFile(name string, st *unix.Stat_t, written func() bool) bool {
	return plain(name, st) && (st.Size <= maxFile || written())
}

// plain reports whether a file is data: not a program or library, without a privilege of its own, and without a second name
// elsewhere.
func plain(name string, st *unix.Stat_t) bool {
	return st.Mode&(unix.S_ISUID|unix.S_ISGID|0o111) == 0 && st.Nlink == 1 &&
		!strings.HasSuffix(name, ".so") && !strings.Contains(name, ".so.")
}

// give changes the owner of an open file or directory. It reports whether to look at what is below: not if it belongs
// to another user.
func (g *giver) give(fd int, p string, st *unix.Stat_t, of int) (goOn bool) {
	if g.only != nil && !g.only[st.Ino] {
		return false
	}
	if g.stays(st) {
		return true
	}
	after, ok := g.Becomes(st)
	if !ok {
		return g.GroupOnly && g.From(st.Uid) // something that its group may write can be below
	}
	switch {
	case g.entries >= maxGiven:
		g.full, g.Unfinished = true, true
		return false
	case !isDirectory(st) && (g.bytes+cost(st) > maxBytes || g.files >= maxFiles):
		g.Unfinished = true // directories still change owner
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

// change sets another owner, group or mode of an open file or directory. It reports whether it did, or with DryRun,
// would.
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

// changed returns an id for chown(2): -1 leaves it unchanged.
func changed(from, to uint32) int {
	if from == to {
		return -1
	}
	return int(to)
}

// stays reports whether a directory or file stays unchanged; what is below a directory is still examined.
func (w *Options) stays(st *unix.Stat_t) bool {
	const everyones = unix.S_ISVTX | 0o002 // as /tmp
	return st.Uid == w.UID || isDirectory(st) && st.Mode&everyones == everyones
}

// Becomes returns the owner and mode that a directory or file gets; ok is false if it stays unchanged. It considers
// only owner and mode: TakesFile reports which files change at all; in Keep and Covered nothing does.
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

// replaces reports whether the identity's group replaces a group that differs from it.
func (w *Options) replaces(group uint32) bool { return group != w.GID && w.FromGroup(group) }

func isDirectory(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFDIR }

// cost returns how many bytes of a file are copied up; none for a large file, which is allowed only if it needs no
// copy.
func cost(st *unix.Stat_t) int64 {
	if st.Size > maxFile {
		return 0
	}
	return st.Size
}

// rights are the rights that a directory's owner needs: root needs none, and Fedora's /root has mode 0550.
const rights = 0o700

func worded(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("change an owner or a mode in the container's layer: %w", err)
}
