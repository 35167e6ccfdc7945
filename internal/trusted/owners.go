// SPDX-License-Identifier: Apache-2.0

package trusted

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"golang.org/x/sys/unix"
)

// Owners defines which owners of files are trusted: root, the caller, and, in a user namespace that the host's root is
// not mapped to, the overflow id that stands for it there (user_namespaces(7)).
type Owners struct {
	euid, egid uint32
	own        idmap.Map // nil: read when the first file of another owner is found, which is rare

	groups bool  // groups that may write a directory are trusted like its owner
	seen   *seen // what was checked before; nil: each directory is checked every time
}

// WithGroups trusts the groups of directories, too: directories for logs are often open to a group that writes them
// (Ubuntu, /var/log, group syslog).
func (o Owners) WithGroups() Owners {
	o.groups, o.seen = true, nil
	return o
}

// Remember is for a program that exits within a millisecond: each directory is checked only once, even if it is above
// the policy, the bundle, the runtime and its state. Only the trusted owners could open it to others in the meantime.
func (o Owners) Remember() Owners {
	o.seen = &seen{}
	return o
}

// CallersOwners returns the Owners for the running process. Its uid map is own, or is read if that is nil.
func CallersOwners(own idmap.Map) Owners {
	return Owners{euid: uint32(os.Geteuid()), egid: uint32(os.Getegid()), own: own} // #nosec G115 -- Linux ids have 32 bits
}

// Trusts reports whether a file of this uid is as trustworthy as the caller's own.
func (o Owners) Trusts(uid uint32) bool {
	return uid == 0 || uid == o.euid || o.isOverflow(uid)
}

// isOverflow reports whether the uid stands for the host's root, which has no uid here.
func (o Owners) isOverflow(uid uint32) bool {
	own := o.own
	if own == nil {
		pair, err := idmap.Own()
		if err != nil {
			return false
		}
		own = pair.UID
	}
	_, mapped := own.Inside(0)
	return !mapped && uid == idmap.OverflowID()
}

// seen holds directories known to be good, by their paths free of links, and file systems that root serves. A call has
// few of either, so lists are faster than maps.
type seen struct {
	directories []string
	devices     []uint64
}

// knows reports whether a path was found to be a good directory before.
func (o Owners) knows(dir string) bool {
	return o.seen != nil && slices.Contains(o.seen.directories, dir)
}

// check returns an error if a directory is open to others.
func (o Owners) check(dir string) error {
	if o.knows(dir) {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return fmt.Errorf("look at %q: %w", dir, err)
	}
	return o.checkStat(dir, &st)
}

// checkStat is check for a directory that was just examined.
func (o Owners) checkStat(dir string, st *unix.Stat_t) error {
	err := o.fitDirectory(dir, st)
	if err == nil && o.seen != nil {
		o.seen.directories = append(o.seen.directories, dir)
	}
	return err
}

func (o Owners) fitDirectory(dir string, st *unix.Stat_t) error {
	if !o.Trusts(st.Uid) {
		return fmt.Errorf("the directory %q belongs to uid %d, who can replace what is in it\nhint: chown it to root", dir, st.Uid)
	}
	if err := o.servedByOwner(dir, st.Dev); err != nil {
		return err
	}
	if st.Mode&unix.S_ISVTX != 0 && (st.Uid == 0 || o.isOverflow(st.Uid)) {
		return nil
	}
	if st.Mode&unix.S_IWOTH != 0 || st.Mode&unix.S_IWGRP != 0 && !o.groups && !o.ownGroup(dir, st.Gid) {
		return fmt.Errorf("the directory %q can be written by others (mode %04o), who can replace what is in it\nhint: chmod go-w it", dir, st.Mode&0o7777)
	}
	return nil
}

// ownGroup reports whether only the caller gains from the group's right to write: it is the caller's group, and no
// access control list is behind the mode's group bits (acl(5), "Correspondence between ACL entries and file permission
// bits").
func (o Owners) ownGroup(name string, gid uint32) bool {
	if gid != o.egid {
		return false
	}
	_, err := unix.Getxattr(name, "system.posix_acl_access", nil)
	return errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP)
}
