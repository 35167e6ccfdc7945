// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/dirents"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// applications lists the directories that belong to one application. Whether a name is a link shows only when it is
// opened.
func (g *giver) applications() (paths []string) {
	for _, parent := range policy.ApplicationsIn {
		fd, err := unix.Openat2(g.root, beneath(parent), &unix.OpenHow{Flags: reading, Resolve: inside})
		if err != nil {
			continue // no such directory, or not the image's
		}
		names, err := dirents.Names(fd, maxListed)
		_ = unix.Close(fd)
		if err != nil {
			continue
		}
		slices.Sort(names)
		for _, name := range names {
			if p := path.Join(parent, name); g.Application(p) && !slices.Contains(g.Paths, p) {
				paths = append(paths, p)
			}
		}
	}
	return paths
}

// MaxLent limits the bytes of files that are lent: each is copied up as a whole.
const MaxLent = 4 << 20

// lend makes a file that only root may read or run accessible to the identity's group, which the identity has. The file
// still belongs to root; the same goes for programs, which never change owner. A file with a privilege of its own, or a
// second name, stays closed. lend reports whether it changed the file.
func (g *giver) lend(fd int, p string, st *unix.Stat_t) bool {
	after, ok := g.Lends(st)
	if !ok || hasList(fd) {
		return false
	}
	if g.lent.bytes+st.Size > MaxLent || g.lent.files >= maxFiles {
		g.Unfinished = true
		return false
	}
	if !g.change(fd, p, st, &after) {
		return false
	}
	g.Files++
	g.lent.files++
	g.lent.bytes += st.Size
	return true
}

// Lends returns the group and mode that a file gets when it is lent; ok is false if it is not lent.
func (w *Options) Lends(st *unix.Stat_t) (after unix.Stat_t, ok bool) {
	after = *st
	need := st.Mode & 0o500 >> 6 // what its owner may do, shifted to others
	if w.GroupOnly {
		need = st.Mode & 0o050 >> 3 // root's group, which no process is in any more
	}
	if !w.Lend || st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 || st.Nlink != 1 && !isDirectory(st) {
		return after, false
	}
	if need&0o4 == 0 || st.Mode&need == need || !w.From(st.Uid) || !w.replaces(st.Gid) {
		return after, false
	}
	after.Gid = w.GID
	after.Mode = st.Mode&^0o070 | need<<3 // root's group may have had more
	return after, true
}

// helpersIn lists the directories where images put programs of their own, which a start script calls. The
// distribution's programs are elsewhere, and open to all.
var helpersIn = []string{"/", "/usr/local/bin", "/usr/local/sbin"}

// helpers lends the programs in those directories that only root may run. A closed file that is not a program, such as
// a key, stays closed.
func (g *giver) helpers() {
	for _, dir := range helpersIn {
		fd, err := unix.Openat2(g.root, beneath(dir), &unix.OpenHow{Flags: reading, Resolve: inside})
		if err != nil {
			continue // no such directory, a link, or not the image's
		}
		names, err := dirents.Names(fd, maxListed)
		lent := 0
		for _, name := range names {
			var st unix.Stat_t
			if err != nil || g.err != nil || unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o100 == 0 {
				continue
			}
			if _, lends := g.Lends(&st); lends && g.programAt(fd, path.Join(dir, name)) {
				lent++
			}
		}
		_ = unix.Close(fd)
		if lent > 0 && !slices.Contains(g.Tops, dir) {
			g.Tops = append(g.Tops, dir)
		}
	}
}

// programs lends the programs that the container starts, with the closed directories above them, and returns those that
// it lent.
func (g *giver) programs() (lent []string) {
	for _, p := range g.Programs {
		passes := g.way(path.Dir(p))
		dir, err := unix.Openat2(g.root, beneath(path.Dir(p)), &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: inside})
		if err != nil {
			continue
		}
		if g.programAt(dir, p) || passes {
			lent = append(lent, p)
		}
		_ = unix.Close(dir)
	}
	return lent
}

// way lets the identity's group search and list a directory, and those above it, that only root may search: root's
// scripts list them, too. Their contents keep their owners and modes. It reports whether something changed.
func (g *giver) way(dir string) (changed bool) {
	if dir == "/" || g.err != nil {
		return false
	}
	changed = g.way(path.Dir(dir))
	if !policy.MayPass(dir) || g.spared(dir) {
		return changed
	}
	fd, err := unix.Openat2(g.root, beneath(dir), &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: inside})
	if err != nil {
		return changed
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return changed
	}
	after, ok := g.Lends(&st)
	if !ok || g.lent.files >= maxFiles || hasList(fd) || !g.change(fd, dir, &st, &after) {
		return changed
	}
	g.lent.files++
	g.Directories++
	return true
}

// programAt lends a program in an open directory. It reports whether it did.
func (g *giver) programAt(dir int, p string) bool {
	o, err := openEntry(dir, path.Base(p))
	if err != nil {
		return false
	}
	defer unix.Close(o.fd)
	return o.Mode&unix.S_IFMT == unix.S_IFREG && o.Mode&0o100 != 0 && !g.spared(p) && g.lend(o.fd, p, &o.Stat_t)
}
