// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"slices"

	"github.com/nonroot-runc/nonroot-runc/internal/ids"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
)

// Intended lists the users that an image was built for. One: that is the user. Several: it can't be determined. None:
// no user, as far as can be seen.
type Intended struct {
	Users []User // never root, each an entry of the image's own passwd
	State bool   // they own the image's state; otherwise they are accounts that the image added
	More  bool   // there is too much to examine, so it can't be determined either
}

// maxOwn limits the accounts that no distribution ships.
const maxOwn = 64

// most limits the examination of directories with state.
var most = rootfs.Bounds{Levels: 2, Entries: 512, Directories: 96}

// state lists the directories where services keep theirs (Filesystem Hierarchy Standard 3.0, chapters 3.15 and 5).
var state = [...]string{"/var/lib", "/var/log", "/var/cache", "/var/spool", "/run"}

// BuiltFor returns which user an image was built for that names none: an account that its own passwd adds to those that
// distributions ship, with a primary group of its own; if there is none, one that owns directories of the image's
// state. A mounted passwd says nothing about the image. inside translates the owner of a file of the rootfs into a uid
// of the container's.
func (im *Image) BuiltFor(inside func(owner uint32) (uid uint32, ok bool)) Intended {
	im.load()
	if !im.passwd.own {
		return Intended{}
	}
	b := ownAccounts(im.passwd.text, im.group.text)
	if len(b.Users) > 0 || b.More {
		return b
	}
	return im.stateOwners(inside)
}

// ownAccounts returns the accounts of a passwd that no distribution ships, with a primary group of their own.
func ownAccounts(passwd, group []byte) Intended {
	by := shippedIn(passwd)
	users, more := accounts(passwd, func(name string, uid uint32) bool { return !by.account(name, uid) })
	if more {
		return Intended{More: true}
	}
	return Intended{Users: withOwnGroup(users, group, by)}
}

// accounts returns the first entries of the wanted uids, as UserByID finds them. It omits root's and those that can't
// be an identity. more reports that there are too many.
func accounts(passwd []byte, wanted func(name string, uid uint32) bool) (found []User, more bool) {
	seen := map[uint32]bool{}
	for line := range entries(passwd, passwdFields) {
		uid, ok := ids.Plain(field(line, 2))
		if !ok || uid == 0 || uid > ids.Max || seen[uid] {
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

// withOwnGroup keeps those with a primary group that has an entry and is neither root's nor one that distributions ship
// for others.
func withOwnGroup(users []User, group []byte, by shipped) []User {
	if len(users) == 0 {
		return nil
	}
	names := make(map[uint32]string, len(users)) // the first entry counts, as for uids
	for line := range entries(group, groupFields) {
		// Few of the lines matter, and the library uses a buffer for each.
		gid, ok := ids.Plain(field(line, 2))
		if _, known := names[gid]; !ok || known || !slices.ContainsFunc(users, func(u User) bool { return u.GID == gid }) {
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

// State returns the directories that BuiltFor examines for their owners, and its limits.
func State() (dirs []string, bounds rootfs.Bounds) { return slices.Clone(state[:]), most }

// BuiltForWith is BuiltFor for an image of which only these texts are available, and the owners of directories of its
// state; complete is false if there were too many.
func (a *Files) BuiltForWith(owners map[uint32]bool, complete bool) Intended {
	b := a.BuiltFor()
	switch {
	case len(b.Users) > 0 || b.More:
		return b
	case !complete:
		return Intended{State: true, More: true}
	}
	uids := map[uint32]bool{}
	for uid := range owners {
		uids[uid] = uid != 0 && uid != nobody
	}
	return ownersOf(a.Passwd, uids)
}

// stateOwners returns the accounts that own directories of the image's state, except for those that the distribution
// itself has there.
func (im *Image) stateOwners(inside func(uint32) (uint32, bool)) Intended {
	owners, complete := im.DirectoryOwners(state[:], most)
	if !complete {
		return Intended{State: true, More: true}
	}
	uids := map[uint32]bool{}
	for owner := range owners {
		if uid, ok := inside(owner); ok && uid != 0 && uid != nobody {
			uids[uid] = true
		}
	}
	return ownersOf(im.passwd.text, uids)
}

// ownersOf returns the accounts of a passwd that have one of the uids, except for the distribution's own.
func ownersOf(passwd []byte, uids map[uint32]bool) Intended {
	if len(uids) == 0 {
		return Intended{}
	}
	by := shippedIn(passwd)
	users, more := accounts(passwd, func(name string, uid uint32) bool { return uids[uid] && !by.daemon(name, uid) })
	return Intended{Users: users, State: more || len(users) > 0, More: more}
}
