// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"encoding/binary"
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// ACL is a file's access control list (acl(5)), which may grant rights that its mode does not show: if there is one,
// the mode's group bits are the list's mask.
type ACL []aclEntry

type aclEntry struct {
	tag, perm uint16
	id        uint32
}

// Tags and format of the attribute by which the kernel shows a list (include/uapi/linux/posix_acl.h,
// posix_acl_xattr.h).
const (
	aclName    = "system.posix_acl_access"
	aclVersion = 2

	aclUserObj  = 0x01
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclGroup    = 0x08
	aclMask     = 0x10
	aclOther    = 0x20
)

// ReadACL reads the list of an open file, by a path below /proc; nil if it has none. It returns false if that can't be
// determined.
func ReadACL(reach string) (ACL, bool) {
	buf := make([]byte, 4096) // a longer list can't be read
	n, err := unix.Getxattr(reach, aclName, buf)
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.ENOTSUP):
		return nil, true
	case err != nil:
		return nil, false
	}
	return ParseACL(buf[:n])
}

// ParseACL reads a list from the attribute.
func ParseACL(text []byte) (a ACL, ok bool) {
	const head, each = 4, 8
	if len(text) < head || (len(text)-head)%each != 0 || binary.LittleEndian.Uint32(text) != aclVersion {
		return nil, false
	}
	for rest := text[head:]; len(rest) > 0; rest = rest[each:] {
		a = append(a, aclEntry{binary.LittleEndian.Uint16(rest), binary.LittleEndian.Uint16(rest[2:]), binary.LittleEndian.Uint32(rest[4:])})
	}
	return a, len(a) > 0
}

// Rights returns the rights (access(2)) of a user to a file with the list, by acl(5), "Access check algorithm". Root is
// treated like any other user.
func (a ACL) Rights(st *unix.Stat_t, uid, gid uint32) uint32 {
	mask, others := uint16(7), uint16(0)
	var named, grouped, owners *uint16
	for i := range a {
		switch e := &a[i]; e.tag {
		case aclUserObj:
			owners = &e.perm
		case aclUser:
			if e.id == uid {
				named = &e.perm
			}
		case aclGroupObj, aclGroup:
			its := e.id
			if e.tag == aclGroupObj {
				its = st.Gid
			}
			if its == gid && grouped == nil {
				grouped = &e.perm
			}
		case aclMask:
			mask = e.perm
		case aclOther:
			others = e.perm
		}
	}
	switch {
	case uid == st.Uid && owners != nil:
		return uint32(*owners)
	case named != nil:
		return uint32(*named & mask)
	case grouped != nil:
		return uint32(*grouped & mask)
	}
	return uint32(others)
}

// Names reports whether the list lets users besides the owner and its group write.
func (a ACL) Names() bool {
	mask := uint16(7)
	for _, e := range a {
		if e.tag == aclMask {
			mask = e.perm
		}
	}
	return slices.ContainsFunc(a, func(e aclEntry) bool { return (e.tag == aclUser || e.tag == aclGroup) && e.perm&mask&2 != 0 })
}
