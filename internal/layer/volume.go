// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/dirents"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// IsVolume reports whether the source of a bind mount is a named volume that an engine manages: a directory of its own
// below one that only root can write, and not something of the host that was mounted there (the local driver's option
// device).
func IsVolume(source string, owners trusted.Owners) bool {
	fd, ok := openVolume(source, owners, func(uint32) bool { return false })
	if ok {
		_ = unix.Close(fd)
	}
	return ok
}

// openVolume opens a volume. The directory above it may belong to the container's own root: rootful Podman chowns it
// with --uidmap (libpod, runtime_volume_linux.go).
func openVolume(source string, owners trusted.Owners, isRoot func(uid uint32) bool) (int, bool) {
	marks := engines.VolumeMarks(source)
	if len(marks) == 0 {
		return -1, false
	}
	dir, err := trusted.Open(path.Dir(source), owners)
	if err != nil {
		return -1, false
	}
	defer dir.Close()
	if dir.Path != path.Dir(source) || dir.CheckPath() != nil && !given(dir, isRoot) || !marked(marks) {
		return -1, false
	}
	// A remote machine that does not answer may be mounted there, so nothing in it is opened or examined.
	at, err := unix.Open(source, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, false
	}
	defer unix.Close(at)
	var st unix.Statx_t
	if unix.Statx(at, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_BASIC_STATS, &st) != nil || st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		return -1, false
	}
	fd, err := unix.Openat(at, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return fd, err == nil
}

// Owner is the owner of a directory, in ids of the disk.
type Owner struct{ UID, GID uint32 }

// VolumeOwner returns the owner of the top directory of an engine's volume, and reports whether the volume is empty. If
// the top is root's, and everything in it belongs to one user to whom root gave it, it returns that user. ok is false
// for anything else, for an empty volume of root's, and if the engine has copied the owner from the image.
func VolumeOwner(source, rootfs, destination string, owners trusted.Owners) (o Owner, empty, ok bool) {
	fd, ok := openVolume(source, owners, func(uint32) bool { return false })
	if !ok {
		return o, false, false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return o, false, false
	}
	names, err := dirents.Names(fd, maxTop+1)
	if empty = len(names) == 0; err != nil || empty && st.Uid == 0 {
		return o, false, false
	}
	if st.Uid == 0 && len(names) <= maxTop {
		if o, ok = ownerOf(fd, names); ok && !imageHas(rootfs, destination, o.UID) {
			return o, false, true
		}
	}
	top := Owner{st.Uid, st.Gid}
	return top, empty, !CopiedFrom(rootfs, destination, top.UID) // the engine fills it this way
}

// maxTop is how many entries at the top of a volume are examined.
const maxTop = 64

// ownerOf returns the owner of all of a directory's entries; false if there are several.
func ownerOf(dir int, names []string) (o Owner, ok bool) {
	for _, name := range names {
		var st unix.Stat_t
		if name == "lost+found" {
			continue
		}
		if unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || ok && st.Uid != o.UID {
			return o, false
		}
		switch {
		case !ok:
			o, ok = Owner{st.Uid, st.Gid}, true
		case o.GID != st.Gid:
			o.GID = 0 // no group of its own
		}
	}
	return o, ok && o.UID != 0
}

// imageHas reports whether the image has an entry of an owner in the directory at a mount's destination, so that the
// engine may have copied it. It also returns true if that can't be determined.
func imageHas(rootfs, destination string, owner uint32) bool {
	fd, err := openImages(rootfs, destination, unix.O_RDONLY)
	if err != nil {
		return !errors.Is(err, unix.ENOENT)
	}
	defer unix.Close(fd)
	return hasEntryOf(fd, func(uid uint32) bool { return uid == owner })
}

// openImages opens the image's own directory at a mount's destination.
func openImages(rootfs, destination string, access uint64) (int, error) {
	root, err := unix.Open(rootfs, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(root)
	return unix.Openat2(root, destination, &unix.OpenHow{
		Flags: access | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
}

// GroupsVolume reports whether only the owner and root's group can write an engine's volume, or one of the entries at
// its top, up to the limit. A container that asked for a user and group 0 had that group, which no container has here.
func GroupsVolume(source string, owners trusted.Owners) bool {
	fd, ok := openVolume(source, owners, func(uid uint32) bool { return uid == 0 })
	if !ok {
		return false
	}
	defer unix.Close(fd)
	written := func(st *unix.Stat_t) bool { return st.Gid == 0 && OpensToGroup(st) && st.Mode&0o022 == 0o020 }
	var st unix.Stat_t
	names := topOf(fd)
	return unix.Fstat(fd, &st) == nil && len(names) > 0 &&
		(written(&st) && !hasList(fd) || slices.ContainsFunc(names, func(name string) bool {
			var in unix.Stat_t
			return unix.Fstatat(fd, name, &in, unix.AT_SYMLINK_NOFOLLOW) == nil && written(&in) && !listIn(fd, name)
		}))
}

// RootsVolume reports whether root has written to an engine's volume: its top is root's, and so is an entry in it.
func RootsVolume(source string, owners trusted.Owners) bool {
	isRoot := func(uid uint32) bool { return uid == 0 }
	fd, ok := openVolume(source, owners, isRoot)
	if !ok {
		return false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && isRoot(st.Uid) && hasEntryOf(fd, isRoot)
}

// NamedByList reports whether an access control list lets users other than owner and group write at the top of an
// engine's volume.
func NamedByList(source string, owners trusted.Owners) bool {
	fd, ok := openVolume(source, owners, func(uid uint32) bool { return uid == 0 })
	if !ok {
		return false
	}
	defer unix.Close(fd)
	list, _ := rootfs.ReadACL(byDescriptor(fd))
	return list.Names()
}

// PartOfVolume returns an entry at the top of an engine's volume that belongs to root and is closed to the volume's
// owner, and that owner: a file, or a directory to write in. The name is "" if there is none, up to the limit, or if
// the volume is root's. It includes what an engine has copied from the image, as it does not examine the image.
func PartOfVolume(source string, owners trusted.Owners) (name string, who Owner) {
	fd, ok := openVolume(source, owners, func(uid uint32) bool { return uid == 0 })
	if !ok {
		return "", who
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Uid == 0 {
		return "", who
	}
	w := Options{UID: st.Uid, GID: st.Gid}
	isRoot := func(uid uint32) bool { return uid == 0 }
	if name = w.closedIn(fd, isRoot); name == "" {
		name = w.leftIn(fd, noImage, isRoot)
	}
	return name, Owner{st.Uid, st.Gid}
}

func given(dir *trusted.Dir, isRoot func(uid uint32) bool) bool {
	var st unix.Stat_t
	return unix.Lstat(dir.Path, &st) == nil && isRoot(st.Uid) && dir.OwnedBy(st.Uid) == nil
}

// marked reports whether one of the paths belongs to root.
func marked(paths []string) bool {
	for _, p := range paths {
		var st unix.Stat_t
		if unix.Lstat(p, &st) == nil && st.Uid == 0 {
			return true
		}
	}
	return false
}

// Volume is a volume that a container mounts.
type Volume struct {
	Source, Destination string

	State bool // its contents may change owner, too, as long as they are the image's
}

// Outcome is what happened to a volume.
type Outcome struct {
	Given bool // the identity now owns its top directory, or an entry in it
	More  bool // the engine had just filled it with more than is compared; the rest stays unchanged
	Roots bool // it stays root's: its top is root's, and root has written to it

	// Part is an entry of root's in another user's volume that the identity can't use, as far as was examined; "":
	// there is none.
	Part string

	// Group is an entry, or the volume itself ("."), that is open to root's group but not to the identity; "": there is
	// none.
	Group string
}

// GiveVolume makes the identity the owner of an engine's new volume, as Docker makes an image's account the owner if
// the image has the directory.
//
// A volume is new if it belongs to root, or to an id that isNew accepts, or if the image has a directory of the same
// owner in its place, which the engine has copied; any other account may be the identity of a running container. It
// must also hold no data: it is empty, or holds only what the engine copied from that directory.
func GiveVolume(v Volume, w *Options, isRoot, isNew func(uid uint32) bool, owners trusted.Owners) (Outcome, error) {
	fd, ok := openVolume(v.Source, owners, isRoot)
	if !ok {
		return Outcome{}, nil
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return Outcome{}, nil // what can't be examined stays unchanged
	}
	o, err := w.giveVolume(fd, &st, v, isRoot, isNew)
	if !o.Given {
		o.Group = w.groupsIn(fd, &st)
	}
	switch {
	case o.Given:
	case isRoot(st.Uid) && !w.opensTop(fd, &st):
		if o.Roots = hasEntryOf(fd, isRoot); !o.Roots {
			o.Part = w.leftIn(fd, imagesDirectory(w.Rootfs, v.Destination), isRoot)
		}
	default:
		if o.Part = w.closedIn(fd, isRoot); o.Part == "" {
			o.Part = w.leftIn(fd, imagesDirectory(w.Rootfs, v.Destination), isRoot)
		}
	}
	return o, err
}

// leftIn returns an entry that root has created at the top of a volume, or in another user's directory there, and that
// the identity can't write. The image lacks it, so no engine has copied it. It is "" if there is none, up to the limit.
func (w *Options) leftIn(fd int, image imageDirectory, isRoot func(uid uint32) bool) string {
	left := maxTop
	defer image.close()
	var dirs []string
	for _, name := range topOf(fd) {
		var st unix.Stat_t
		switch {
		case unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil:
		case isRoot(st.Uid):
			if w.isLeft(fd, name, &st) && image.lacks(name) {
				return name
			}
		case st.Mode&unix.S_IFMT == unix.S_IFDIR:
			dirs = append(dirs, name)
		}
	}
	for _, name := range dirs {
		dir, err := unix.Openat2(fd, name, &unix.OpenHow{Flags: reading, Resolve: inside})
		if err != nil {
			continue // it was replaced in the meantime
		}
		below, err := dirents.Names(dir, left)
		left -= len(below)
		its := image.directory(name)
		at := slices.IndexFunc(below, func(entry string) bool {
			var st unix.Stat_t
			return unix.Fstatat(dir, entry, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && isRoot(st.Uid) && w.isLeft(dir, entry, &st) && its.lacks(entry)
		})
		its.close()
		_ = unix.Close(dir)
		if err == nil && at >= 0 {
			return name + "/" + below[at]
		}
		if left <= 0 {
			break
		}
	}
	return ""
}

// isLeft reports whether a file or directory belongs to root and the identity can't write it.
func (w *Options) isLeft(dir int, name string, st *unix.Stat_t) bool {
	kind, wanted := st.Mode&unix.S_IFMT, uint32(2)
	switch kind {
	case unix.S_IFDIR:
		wanted = 3
	case unix.S_IFREG, unix.S_IFSOCK, unix.S_IFIFO:
	default:
		return false
	}
	return w.rightsTo(dir, name, st)&wanted != wanted
}

// rightsTo returns the identity's rights (access(2)) to an entry of a directory that it does not own.
func (w *Options) rightsTo(dir int, name string, st *unix.Stat_t) uint32 {
	if st.Gid == w.GID {
		return w.byList(dir, name, st, st.Mode>>3&7)
	}
	return w.byList(dir, name, st, st.Mode&7)
}

// byList returns the rights by an access control list, or by the mode if there is none.
func (w *Options) byList(dir int, name string, st *unix.Stat_t, rights uint32) uint32 {
	if rights == 7 {
		return rights // a list rarely takes away what the mode grants in full
	}
	o, err := openEntry(dir, name)
	if err != nil {
		return rights
	}
	defer unix.Close(o.fd)
	if list, ok := rootfs.ReadACL(byDescriptor(o.fd)); ok && list != nil {
		return list.Rights(st, w.UID, w.GID)
	}
	return rights
}

// hasList reports whether an open file has an access control list, or can't be read.
func hasList(fd int) bool {
	list, ok := rootfs.ReadACL(byDescriptor(fd))
	return !ok || list != nil
}

// listIn is hasList for an entry of a directory.
func listIn(dir int, name string) bool {
	o, err := openEntry(dir, name)
	if err != nil {
		return true
	}
	defer unix.Close(o.fd)
	return hasList(o.fd)
}

// opensTop reports whether an access control list lets the identity write at the top of the volume.
func (w *Options) opensTop(fd int, st *unix.Stat_t) bool {
	list, ok := rootfs.ReadACL(byDescriptor(fd))
	return ok && list != nil && list.Rights(st, w.UID, w.GID)&3 == 3
}

// imageDirectory is a directory of the image; missing if there is none. One that can't be examined counts as having
// everything.
type imageDirectory struct {
	fd      int
	missing bool
}

// noImage has no entries.
var noImage = imageDirectory{fd: -1, missing: true}

func imagesDirectory(rootfs, at string) imageDirectory {
	fd, err := openImages(rootfs, at, unix.O_PATH)
	return imageDirectory{fd, errors.Is(err, unix.ENOENT)}
}

// directory opens a directory in it, unless the name is a link.
func (d imageDirectory) directory(name string) imageDirectory {
	if d.fd < 0 {
		return d
	}
	fd, err := unix.Openat2(d.fd, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: inside})
	return imageDirectory{fd, errors.Is(err, unix.ENOENT)}
}

func (d imageDirectory) lacks(name string) bool {
	if d.fd < 0 {
		return d.missing
	}
	var st unix.Stat_t
	return errors.Is(unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW), unix.ENOENT)
}

func (d imageDirectory) close() {
	if d.fd >= 0 {
		_ = unix.Close(d.fd)
	}
}

// topOf returns the names at the top of a volume, up to maxTop, without what mkfs creates.
func topOf(fd int) []string {
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		return nil
	}
	names, err := dirents.Names(fd, maxTop)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "lost+found" })
}

// closedIn returns an entry of root's at the top of a volume, up to the limit: a file that the identity can't read, or
// a directory that it can't write in, as programs do in directories that they create at their first start; "" if there
// is none.
func (w *Options) closedIn(fd int, isRoot func(uid uint32) bool) string {
	names := topOf(fd)
	at := slices.IndexFunc(names, func(name string) bool {
		var st unix.Stat_t
		if unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || !isRoot(st.Uid) {
			return false
		}
		kind, open := st.Mode&unix.S_IFMT, w.rightsTo(fd, name, &st)
		return kind == unix.S_IFREG && open&4 == 0 || kind == unix.S_IFDIR && open != 7
	})
	if at < 0 {
		return ""
	}
	return names[at]
}

// groupsIn returns what is open to root's group and closed to the identity in a volume with data: the volume itself
// ("."), or a directory or file at its top, up to the limit; "" if nothing is.
func (w *Options) groupsIn(fd int, top *unix.Stat_t) string {
	names := topOf(fd)
	if len(names) > 0 && w.opensToGroup(top) && !hasList(fd) {
		return "."
	}
	at := slices.IndexFunc(names, func(name string) bool {
		var st unix.Stat_t
		return unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && w.opensToGroup(&st) && !listIn(fd, name)
	})
	if at < 0 {
		return ""
	}
	return names[at]
}

// opensToGroup excludes what never changes: files with a privilege of their own, or a second name.
func (w *Options) opensToGroup(st *unix.Stat_t) bool {
	const special = unix.S_ISUID | unix.S_ISGID
	if !isDirectory(st) && (st.Mode&special != 0 || st.Nlink > 1) {
		return false
	}
	return st.Uid != w.UID && w.replaces(st.Gid) && OpensToGroup(st)
}

// OpensToGroup reports whether a directory or file grants its group rights that others lack.
func OpensToGroup(st *unix.Stat_t) bool {
	kind := st.Mode & unix.S_IFMT
	return (kind == unix.S_IFDIR || kind == unix.S_IFREG) && st.Mode>>3&^st.Mode&7 != 0
}

func (w *Options) giveVolume(fd int, st *unix.Stat_t, v Volume, isRoot, isNew func(uid uint32) bool) (o Outcome, err error) {
	if !w.From(st.Uid) && st.Uid != w.UID && !isNew(st.Uid) {
		return o, nil
	}
	its := st.Uid == w.UID // as the image's directory does; its contents may still be root's
	if !its && !isNew(st.Uid) && !CopiedFrom(w.Rootfs, v.Destination, st.Uid) {
		return o, nil
	}
	names, err := dirents.Names(fd, 1)
	switch {
	case err != nil || len(names) > 0 && !v.State || its && (len(names) == 0 || !w.leaves(fd, v.Destination)):
		return o, nil //nolint:nilerr // what can't be looked at stays
	case len(names) > 0:
		compared, more := w.copied(fd, v.Destination)
		if compared == nil {
			return o, nil
		}
		o.Given, err = w.giveCopy(fd, v.Destination, compared)
		o.More = more
		return o, err
	}
	o.Given = true
	if w.DryRun {
		return o, nil
	}
	gid := -1
	if w.replaces(st.Gid) {
		gid = int(w.GID)
	}
	mode := st.Mode&0o7777 | rights                                 // the engine has copied it, too
	if !its && !isRoot(st.Uid) && !w.From(st.Uid) && !hasList(fd) { // with a list, these bits limit what others have
		mode |= 0o070 // the former owner, which may still be running, keeps access through the group, which stays
	}
	err = unix.Fchown(fd, int(w.UID), gid)
	if err == nil && st.Mode&0o7777 != mode {
		err = unix.Fchmod(fd, mode)
	}
	if err != nil {
		return Outcome{}, fmt.Errorf("change the owner of the volume %q: %w", v.Source, err)
	}
	return o, nil
}

// hasEntryOf reports whether an entry at the top of a volume belongs to a user, up to the limit. If everything belongs
// to a service account that the image made the owner, root has no part in it, as with Postgres (its data is in one
// directory below the top).
func hasEntryOf(fd int, owner func(uid uint32) bool) bool {
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		return false
	}
	names, err := dirents.Names(fd, maxCopied)
	return err == nil && slices.ContainsFunc(names, func(name string) bool {
		var st unix.Stat_t
		// What mkfs creates is not data.
		return name != "lost+found" && unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && owner(st.Uid)
	})
}

// CopiedFrom reports whether the image's own directory at a mount's destination has this owner.
func CopiedFrom(rootfs, destination string, owner uint32) bool {
	fd, err := openImages(rootfs, destination, unix.O_PATH)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Uid == owner
}

// giveCopy changes the owner of what the engine filled a volume with, as Give does for the image's own files. What was
// not compared stays unchanged: a running container that uses the volume may have put it there since.
func (w *Options) giveCopy(fd int, destination string, compared map[uint64]bool) (bool, error) {
	inVolume := w.inVolume(destination)
	g := giver{Options: &inVolume, root: fd, tops: make([]bool, 1), queue: []directory{{path: "/"}}, only: compared}
	g.all()
	return g.tops[0], cmp.Or(g.err, g.denied)
}

// leaves reports whether a volume contains anything that does not belong to the identity yet and could: comparing takes
// longer.
func (w *Options) leaves(fd int, destination string) bool {
	inVolume := w.inVolume(destination)
	inVolume.DryRun = true
	g := giver{Options: &inVolume, root: fd, tops: make([]bool, 1), queue: []directory{{path: "/"}}}
	g.all()
	return g.tops[0]
}

// inVolume adapts the options to a volume that is mounted at the destination.
func (w *Options) inVolume(destination string) Options {
	in := *w
	in.Paths, in.Keep, in.Covered = []string{"/"}, nil, func(string) bool { return false }
	for _, k := range w.Keep {
		if links.Within(destination, k) {
			in.Keep = append(in.Keep, "/"+strings.TrimPrefix(k[len(destination):], "/"))
		} else if links.Within(k, destination) {
			in.Keep = append(in.Keep, "/")
		}
	}
	return in
}

// maxCopied is how many entries of a volume are compared with those of an image's directory.
const maxCopied = 256

// copied reports whether a volume contains nothing but what the image has in the directory that it is mounted on, and
// returns the inodes of the volume's directories and files; nil if it contains anything else. It compares names, owners
// and modes, and for files the size, the time of the last change and the content: engines copy all of these, some
// through an archive, which rounds the time down to seconds. The content matters because a container that mounts the
// volume can see everything else, and forge it in an image, for a file that only root may read.
//
// If the volume is younger than the container's own layer, the engine created and filled it with the container: then
// only what is nearest to its top is compared, and more reports that there is more. What is not compared does not
// change owner.
func (w *Options) copied(volume int, destination string) (seen map[uint64]bool, more bool) {
	dest := path.Clean(destination)
	if !path.IsAbs(dest) || dest == "/" {
		return nil, false
	}
	root, err := w.open()
	if err != nil {
		return nil, false
	}
	defer unix.Close(root)
	c := comparison{left: maxCopied, seen: map[uint64]bool{}}
	defer c.close()
	image, err := unix.Openat2(root, dest[1:], &unix.OpenHow{Flags: reading, Resolve: inside})
	if err != nil {
		return nil, false
	}
	defer unix.Close(image)
	// The entries of the volume's directory are read a second time.
	if _, err := unix.Seek(volume, 0, unix.SEEK_SET); err != nil || !c.directories(volume, image, 0) {
		return nil, false
	}
	for len(c.queue) > 0 && !c.more {
		next := c.queue[0]
		c.queue = c.queue[1:]
		same := next.volume.read(unix.O_DIRECTORY, func(a int) bool {
			return next.image.read(unix.O_DIRECTORY, func(b int) bool { return c.directories(a, b, next.depth) })
		})
		next.close()
		if !same {
			return nil, false
		}
	}
	if c.more && !youngerThanLayer(volume, root) {
		return nil, false
	}
	return c.seen, c.more
}

// youngerThanLayer reports whether a volume was created after the container's own layer: engines create the layer
// first, and then the volumes that the container requests by a new name, or by none.
func youngerThanLayer(volume, root int) bool {
	upper := openUpper(root)
	if upper < 0 {
		return false
	}
	defer unix.Close(upper)
	layer := Born(upper)
	return layer != 0 && Born(volume) > layer
}

// Born returns when a file or directory was created, in nanoseconds since 1970, which no user can change; 0 if the file
// system does not record it (statx(2)).
func Born(fd int) int64 {
	var st unix.Statx_t
	if unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &st) != nil || st.Mask&unix.STATX_BTIME == 0 {
		return 0
	}
	return st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
}

// comparison compares a volume with an image's directory, breadth first.
type comparison struct {
	left  int // entries that may still be examined
	more  bool
	seen  map[uint64]bool
	queue []pair
}

// pair is a directory of the volume, and the image's counterpart.
type pair struct {
	volume, image *opened
	depth         int
}

func (p *pair) close() {
	_ = unix.Close(p.volume.fd)
	_ = unix.Close(p.image.fd)
}

func (c *comparison) close() {
	for i := range c.queue {
		c.queue[i].close()
	}
}

// directories compares two directories, without the contents of their subdirectories.
func (c *comparison) directories(volume, image, depth int) bool {
	var st unix.Stat_t
	if depth > maxDepth || unix.Fstat(volume, &st) != nil {
		return false
	}
	names, err := dirents.Names(volume, c.left+1)
	if err != nil {
		return false
	}
	if len(names) > c.left {
		names, c.more = names[:c.left], true
	} else if others, err := dirents.Names(image, c.left+1); err != nil || len(names) != len(others) {
		return false
	}
	c.left -= len(names)
	c.seen[st.Ino] = true
	for _, name := range names {
		// A name that the image lacks shows here; with equal counts, the sets are the same.
		if !c.entry(volume, image, name, depth) {
			return false
		}
	}
	return true
}

func (c *comparison) entry(volume, image int, name string, depth int) bool {
	in, err := openEntry(volume, name)
	if err != nil {
		return false
	}
	of, err := openEntry(image, name)
	if err != nil {
		_ = unix.Close(in.fd)
		return false
	}
	both := pair{in, of, depth + 1}
	if in.Mode&unix.S_IFMT == unix.S_IFDIR && in.alike(of) {
		c.queue = append(c.queue, both)
		return true
	}
	defer both.close()
	if !in.alike(of) {
		return false
	}
	switch in.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		c.seen[in.Ino] = true
		return in.Size == of.Size && in.Mtim.Sec == of.Mtim.Sec && (in.Mtim.Nsec == of.Mtim.Nsec || in.Mtim.Nsec == 0) && in.sameHead(of)
	case unix.S_IFLNK:
		return true
	}
	return false
}

// alike reports whether two entries have the same kind, mode and owner.
func (o *opened) alike(other *opened) bool {
	return o.Mode == other.Mode && o.Uid == other.Uid && o.Gid == other.Gid
}

// opened is an entry of a directory, held by an O_PATH descriptor: it stays the same entry, whatever its name refers to
// later.
type opened struct {
	unix.Stat_t
	fd int
}

func openEntry(dir int, name string) (*opened, error) {
	fd, err := unix.Openat2(dir, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: inside})
	if err != nil {
		return nil, err
	}
	o := &opened{fd: fd}
	if err := unix.Fstat(fd, &o.Stat_t); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return o, nil
}

// read opens an entry that is known to be a directory or a regular file, and returns the result of look.
func (o *opened) read(flags int, look func(fd int) bool) bool {
	// Without O_NONBLOCK, a process with a lease on the file could make us wait (fcntl(2), F_SETLEASE).
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(o.fd), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return look(fd)
}

// sameHead reports whether two files of the same size begin with the same bytes. Files larger than what is compared do
// not change owner themselves.
func (o *opened) sameHead(other *opened) bool {
	return o.read(0, func(a int) bool {
		return other.read(0, func(b int) bool {
			one, err := head(a)
			two, err2 := head(b)
			return err == nil && err2 == nil && bytes.Equal(one, two)
		})
	})
}

func head(fd int) ([]byte, error) {
	buf := make([]byte, maxFile)
	for n := 0; n < len(buf); {
		m, err := unix.Read(fd, buf[n:])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, err
		case m == 0:
			return buf[:n], nil
		}
		n += m
	}
	return buf, nil
}
