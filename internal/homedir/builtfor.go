// SPDX-License-Identifier: Apache-2.0

package homedir

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Built is whom an image was built for. One user: that one. Several: it can't be told. None: nobody, as far as can be
// seen.
type Built struct {
	Users []User // never root, each an entry of the image's own passwd
	State bool   // they own the state that the image keeps; else they are the accounts of its own
	More  bool   // there is too much to look at: it can't be told either
}

// Bounds of what is looked at, so that the look takes less than a millisecond.
const (
	maxOwn         = 64  // accounts that no distribution ships
	maxEntries     = 512 // entries of the directories with state
	maxDirectories = 96  // directories among them that are opened
)

// state are the directories in which services keep theirs (Filesystem Hierarchy Standard 3.0, chapters 3.15 and 5).
var state = [...]string{"/var/lib", "/var/log", "/var/cache", "/var/spool", "/run"}

// BuiltFor says whom an image was built for that names no user: the accounts that its own passwd brings beyond those that
// distributions ship, each with a primary group of its own; where there are none, those that own directories of the image's
// state. A passwd that is mounted from outside says nothing of the image. Inside translates the owner of a file of the
// rootfs into a uid of the container's.
func (im *Image) BuiltFor(inside func(owner uint32) (uid uint32, ok bool)) Built {
	im.load()
	if !im.passwd.own {
		return Built{}
	}
	b := ownAccounts(im.passwd.text, im.group.text)
	if len(b.Users) > 0 || b.More {
		return b
	}
	return im.stateOwners(inside)
}

// ownAccounts are the accounts of a passwd that no distribution ships, with a primary group of their own.
func ownAccounts(passwd, group []byte) Built {
	by := shippedIn(passwd)
	users, more := accounts(passwd, func(name string, uid uint32) bool { return !by.account(name, uid) })
	if more {
		return Built{More: true}
	}
	return Built{Users: withOwnGroup(users, group, by)}
}

// accounts are the first entries of uids, as UserByID finds them, that are wanted. Root's and those that can't be an
// identity are left out. More says that there are too many.
func accounts(passwd []byte, wanted func(name string, uid uint32) bool) (found []User, more bool) {
	seen := map[uint32]bool{}
	for _, line := range lines(passwd) {
		if !wellFormed(line, passwdFields) {
			continue
		}
		n, err := strconv.ParseUint(string(field(line, 2)), 10, 31)
		uid := uint32(n) // ParseUint was given 31 bits
		if err != nil || uid == 0 || seen[uid] {
			continue
		}
		seen[uid] = true
		if !wanted(string(field(line, 0)), uid) {
			continue
		}
		if len(found) == maxOwn {
			return nil, true
		}
		if u, ok := parseUser(line); ok {
			found = append(found, u)
		}
	}
	return found, false
}

// withOwnGroup keeps those whose primary group has an entry that is neither root's nor one that distributions ship for
// others.
func withOwnGroup(users []User, group []byte, by shipped) []User {
	if len(users) == 0 {
		return nil
	}
	names := make(map[uint32]string, len(users)) // the first entry's, as for uids
	for _, line := range lines(group) {
		if !wellFormed(line, groupFields) {
			continue
		}
		// Few of the lines are of interest, and the library has a buffer for each.
		n, err := strconv.ParseUint(string(field(line, 2)), 10, 32)
		gid := uint32(n) // ParseUint was given 32 bits
		if _, known := names[gid]; err != nil || known || !slices.ContainsFunc(users, func(u User) bool { return u.GID == gid }) {
			continue
		}
		if read, ok := parseGroup(line); ok && read == gid {
			names[gid] = string(field(line, 0))
		}
	}
	return slices.DeleteFunc(users, func(u User) bool {
		name, known := names[u.GID]
		return u.GID == 0 || !known || by.group(name) && name != u.Name
	})
}

// stateOwners are the accounts that own directories of the image's state, but for those that the distribution itself has
// there.
func (im *Image) stateOwners(inside func(uint32) (uint32, bool)) Built {
	l := look{owners: map[uint32]bool{}}
	for _, dir := range state {
		l.directory(im.root, dir, 2)
	}
	if l.entries > maxEntries || l.directories > maxDirectories {
		return Built{State: true, More: true}
	}
	uids := map[uint32]bool{}
	for owner := range l.owners {
		if uid, ok := inside(owner); ok && uid != 0 && uid != nobody {
			uids[uid] = true
		}
	}
	if len(uids) == 0 {
		return Built{}
	}
	by := shippedIn(im.passwd.text)
	users, more := accounts(im.passwd.text, func(name string, uid uint32) bool { return uids[uid] && !by.daemon(name, uid) })
	return Built{Users: users, State: more || len(users) > 0, More: more}
}

// look gathers who owns the directories below some, and counts what that takes.
type look struct {
	owners               map[uint32]bool
	entries, directories int
}

// directory looks at the directories in one, and so many levels down. It follows no link and leaves no file system; what can't be
// opened is passed over. Nothing runs in the image yet that could change it.
func (l *look) directory(at int, name string, levels int) {
	if l.directories++; l.directories > maxDirectories {
		return
	}
	fd, err := openat2(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, inRoot|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_XDEV)
	if err != nil {
		return
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	var buf [8192]byte
	for l.entries <= maxEntries {
		n, err := unix.Getdents(fd, buf[:])
		if err != nil || n <= 0 {
			return
		}
		for rest := buf[:n]; len(rest) > 0 && l.entries <= maxEntries; {
			var e dirent
			e, rest = nextDirent(rest)
			l.entry(fd, e, levels)
		}
	}
}

// bare is the link count of a directory without any in it. File systems that don't count say 1 (btrfs, and overlayfs where
// layers meet).
const bare = 2

func (l *look) entry(at int, e dirent, levels int) {
	if e.name == "." || e.name == ".." {
		return
	}
	l.entries++
	if e.kind != unix.DT_DIR && e.kind != unix.DT_UNKNOWN {
		return
	}
	var st unix.Stat_t
	if unix.Fstatat(at, e.name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return
	}
	l.owners[st.Uid] = true
	if levels > 1 && st.Nlink != bare {
		l.directory(at, e.name, levels-1)
	}
}

// dirent is an entry of a directory.
type dirent struct {
	name string
	kind byte // DT_DIR and so on; DT_UNKNOWN where the file system doesn't say
}

// nextDirent takes the first entry off what getdents64(2) filled in.
func nextDirent(buf []byte) (dirent, []byte) {
	const lengthAt, kindAt, nameAt = 16, 18, 19
	size := int(binary.NativeEndian.Uint16(buf[lengthAt:]))
	name, _, _ := bytes.Cut(buf[nameAt:size], []byte{0})
	return dirent{name: string(name), kind: buf[kindAt]}, buf[size:]
}
